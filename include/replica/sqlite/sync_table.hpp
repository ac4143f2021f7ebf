#ifndef REPLICA_SQLITE_SYNC_TABLE_HPP
#define REPLICA_SQLITE_SYNC_TABLE_HPP

// incoming_sync: our last ROWID of another replica; outgoing_sync: its last ROWID of ours. In Swift
// triggers set updated_at by SQLite's clock; here the broker's clock gives it.

#include <replica/sqlite/connection.hpp>
#include <replica/words/info.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace replica::sqlite {

/// One of the two tables of an open database. A view, cheap to make. Calls that write need a write
/// transaction around them.
class SyncTable {
public:
    SyncTable(Connection& connection, Direction direction)
        : connection_(&connection), incoming_(direction == Direction::incoming) {}

    /// -1 if the replica is not known.
    [[nodiscard]] std::int64_t point(std::string_view id) {
        Query found = query("SELECT sync_point FROM incoming_sync WHERE remote_id = ?",
                            "SELECT sync_point FROM outgoing_sync WHERE remote_id = ?");
        return found.bind(id).step() ? found.integer(0) : -1;
    }

    [[nodiscard]] std::vector<SyncPoint> points() {
        std::vector<SyncPoint> points;
        Query found =
            query("SELECT sync_point, remote_id FROM incoming_sync WHERE remote_id IS NOT NULL"
                  " ORDER BY rowid",
                  "SELECT sync_point, remote_id FROM outgoing_sync WHERE remote_id IS NOT NULL"
                  " ORDER BY rowid");
        while (found.step()) {
            points.push_back({found.integer(0), found.text(1)});
        }
        return points;
    }

    /// The last time a point was written, in whole seconds; zero if there is none.
    [[nodiscard]] Timestamp last_touched() {
        Query found = query("SELECT max(CAST(updated_at AS INTEGER)) FROM incoming_sync",
                            "SELECT max(CAST(updated_at AS INTEGER)) FROM outgoing_sync");
        const std::int64_t last = found.step() && !found.is_null(0) ? found.integer(0) : 0;
        constexpr std::int64_t most = Timestamp::max_ticks / Timestamp::ticks_per_second;
        return {std::clamp<std::int64_t>(last, 0, most - 1) * Timestamp::ticks_per_second, 0};
    }

    /// A point never falls. updated_at becomes `now` even if the point stays: the replica is alive.
    void raise(std::string_view id, std::int64_t point, Timestamp now) {
        query("INSERT OR IGNORE INTO incoming_sync (remote_id, sync_point) VALUES (?, -1)",
              "INSERT OR IGNORE INTO outgoing_sync (remote_id, sync_point) VALUES (?, -1)")
            .bind(id)
            .run();
        query("UPDATE incoming_sync SET sync_point = max(CAST(sync_point AS INTEGER), ?),"
              " updated_at = ? WHERE remote_id = ?",
              "UPDATE outgoing_sync SET sync_point = max(CAST(sync_point AS INTEGER), ?),"
              " updated_at = ? WHERE remote_id = ?")
            .bind(point, seconds(now), id)
            .run();
    }

    /// Sets a point, whatever it was: for a note (words/notes.hpp), or after a whole-file copy.
    void set(std::string_view id, std::int64_t point, Timestamp now) {
        drop(id);
        raise(id, point, now);
    }

    void drop(std::string_view id) {
        query("DELETE FROM incoming_sync WHERE remote_id = ?",
              "DELETE FROM outgoing_sync WHERE remote_id = ?")
            .bind(id)
            .run();
    }

    /// Drops points beyond `point`, and those of ids that begin with `prefix`.
    void drop_beyond(std::int64_t point, std::string_view prefix) {
        query("DELETE FROM incoming_sync WHERE CAST(sync_point AS INTEGER) > ?1 OR"
              " substr(remote_id, 1, length(?2)) = ?2",
              "DELETE FROM outgoing_sync WHERE CAST(sync_point AS INTEGER) > ?1 OR"
              " substr(remote_id, 1, length(?2)) = ?2")
            .bind(point, prefix)
            .run();
    }

    void drop_all_but(std::string_view id) {
        query("DELETE FROM incoming_sync WHERE remote_id IS NOT ?",
              "DELETE FROM outgoing_sync WHERE remote_id IS NOT ?")
            .bind(id)
            .run();
    }

    /// Whether the point of a replica other than `kept` was last written before `time` (stored
    /// form).
    [[nodiscard]] bool has_older(std::string_view time, std::string_view kept = {}) {
        return query("SELECT 1 FROM incoming_sync WHERE updated_at < ? AND remote_id IS NOT ? "
                     "LIMIT 1",
                     "SELECT 1 FROM outgoing_sync WHERE updated_at < ? AND remote_id IS NOT ? "
                     "LIMIT 1")
            .bind(time, kept)
            .step();
    }

    void drop_older(std::string_view time, std::string_view kept = {}) {
        query("DELETE FROM incoming_sync WHERE updated_at < ? AND remote_id IS NOT ?",
              "DELETE FROM outgoing_sync WHERE updated_at < ? AND remote_id IS NOT ?")
            .bind(time, kept)
            .run();
    }

private:
    [[nodiscard]] Query query(std::string_view of_incoming, std::string_view of_outgoing) {
        return connection_->query(incoming_ ? of_incoming : of_outgoing);
    }

    /// Whole seconds, as Swift's triggers write them.
    [[nodiscard]] static std::string seconds(Timestamp time) {
        return std::to_string(time.ticks / Timestamp::ticks_per_second);
    }

    Connection* connection_;
    bool incoming_;
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_SYNC_TABLE_HPP
