#ifndef REPLICA_SQLITE_TOMBSTONES_HPP
#define REPLICA_SQLITE_TOMBSTONES_HPP

// Tombstones go when they are old enough. There may be millions of them, and a stock server that
// wants to write polls for the lock: so they go in short transactions with pauses between.

#include <replica/clock.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/merge.hpp>
#include <replica/sqlite/schema.hpp>

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace replica::sqlite {

/// Drops the tombstones before `age`, page by page in the order of their names: 200 pages of them
/// at most, for half a minute. What is left has its turn in the next pass. Looking alone takes no
/// write lock.
template <Schema S, Clock C>
void reclaim_tombstones(Connection& connection, C& clock, std::string_view age,
                        std::int64_t page_rows) {
    constexpr auto pause = std::chrono::milliseconds(60); // Swift polls every 50 ms
    int writes = 200;
    std::string name;
    std::int64_t rowid = -1;
    for (bool more = true; more;) {
        std::vector<std::int64_t> old;
        std::int64_t seen = 0;
        {
            Query page = connection.query(S::select_tombstones);
            page.bind(name, rowid, page_rows);
            while (page.step()) {
                ++seen;
                rowid = page.integer(0);
                name = page.text(1);
                if (page.view(2) < age) {
                    old.push_back(rowid);
                }
            }
        }
        more = seen == page_rows;
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
        more = more && --writes > 0;
        if (more && !connection.in_transaction()) {
            clock.sleep_until(clock.monotonic() + pause, std::stop_token());
        }
    }
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_TOMBSTONES_HPP
