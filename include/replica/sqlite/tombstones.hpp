#ifndef REPLICA_SQLITE_TOMBSTONES_HPP
#define REPLICA_SQLITE_TOMBSTONES_HPP

// Drops tombstones that are old enough. There may be millions, and a stock server that wants to
// write polls for the lock, so they go in short transactions with pauses between. On a cold disk
// finding them takes minutes, so there is a time limit.

#include <replica/clock.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/merge.hpp>
#include <replica/sqlite/schema.hpp>
#include <replica/words/timestamp.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace replica::sqlite {

/// A time before which nothing becomes old, of a file without tombstones.
[[nodiscard]] inline Timestamp no_tombstone() {
    return RowTimes::decode(Timestamp{Timestamp::max_ticks - 1, 0}.normal())
        .value_or(RowTimes{})
        .data;
}

/// The name of a tombstone among the 1000 rows above a random ROWID; empty if there is none. Where
/// there are many tombstones one is found.
template <Schema S>
[[nodiscard]] std::string some_tombstone(Connection& connection) {
    const std::string rows(S::rows);
    return connection.text("SELECT name FROM (SELECT name, deleted FROM " + rows +
                           " WHERE ROWID >= (SELECT abs(random() % (max(ROWID) + 1)) FROM " + rows +
                           ") ORDER BY ROWID LIMIT 1000) WHERE deleted = 1 LIMIT 1");
}

/// Drops tombstones older than `age` with names above `name` and ROWIDs up to `max_row`, page by
/// page in the order of their names. Searching takes no write lock. Returns the time of the oldest
/// tombstone that stays, as text; nothing if `end` came first.
template <Schema S, Clock C>
[[nodiscard]] std::optional<std::string>
reclaim_above(Connection& connection, C& clock, std::string name, std::int64_t max_row,
              std::string_view age, std::int64_t page_rows, Instant end) {
    constexpr auto pause = std::chrono::milliseconds(60); // Swift polls every 50 ms
    std::int64_t rowid = -1;
    std::string oldest = Timestamp{Timestamp::max_ticks - 1, 0}.normal();
    for (std::int64_t seen = page_rows; seen == page_rows;) {
        if (clock.monotonic() >= end) {
            return std::nullopt;
        }
        std::vector<std::int64_t> old;
        seen = 0;
        {
            Query page = connection.query(S::select_tombstones);
            page.bind(name, rowid, max_row, page_rows);
            while (page.step()) {
                ++seen;
                rowid = page.integer(0);
                name = page.text(1);
                if (page.view(2) < age) {
                    old.push_back(rowid);
                } else if (page.view(2) < oldest) {
                    oldest = page.text(2);
                }
            }
        }
        if (old.empty()) {
            continue;
        }
        Transaction transaction(connection, Transaction::Kind::write);
        RowChanges<S> changes(connection);
        for (const std::int64_t each : old) {
            changes.remove(each);
        }
        changes.finish();
        transaction.commit();
        if (seen == page_rows && !connection.in_transaction()) {
            clock.sleep_until(clock.monotonic() + pause, std::stop_token());
        }
    }
    return oldest;
}

/// Drops tombstones older than `age` with ROWIDs up to `max_row`, for 20 s at most: less than the
/// 25 s for which a handle waits for locks. The first 10 s go through the names from the start. If
/// that does not reach the end, the other 10 s begin at a random tombstone, so that each has its
/// turn in some pass. Returns a time before which no tombstone becomes as old as those; 0 if not
/// all were looked at.
template <Schema S, Clock C>
Timestamp reclaim_tombstones(Connection& connection, C& clock, std::int64_t max_row,
                             std::string_view age, std::int64_t page_rows) {
    constexpr auto half = std::chrono::seconds(10);
    const Instant start = clock.monotonic();
    if (const auto oldest =
            reclaim_above<S>(connection, clock, {}, max_row, age, page_rows, start + half)) {
        return RowTimes::decode(*oldest).value_or(RowTimes{}).data;
    }
    (void)reclaim_above<S>(connection, clock, some_tombstone<S>(connection), max_row, age,
                           page_rows, start + 2 * half);
    return {};
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_TOMBSTONES_HPP
