#ifndef REPLICA_SQLITE_SYNC_TABLE_HPP
#define REPLICA_SQLITE_SYNC_TABLE_HPP

// Up to which of its rows a replica has reached us (incoming_sync), or we it (outgoing_sync). In
// Swift triggers keep updated_at, by SQLite's own clock; here it is written along, by ours.

#include <replica/sqlite/connection.hpp>
#include <replica/words/info.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace replica::sqlite {

/// One of the two tables of an open database. A view: cheap to make. What writes is called inside a
/// write transaction.
class SyncTable {
public:
    SyncTable(Connection& connection, Direction direction)
        : connection_(&connection), incoming_(direction == Direction::incoming) {}

    /// -1 if that replica is not known.
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

    /// When a point was last written, in whole seconds; zero if there is none.
    [[nodiscard]] Timestamp last_touched() {
        Query found = query("SELECT max(CAST(updated_at AS INTEGER)) FROM incoming_sync",
                            "SELECT max(CAST(updated_at AS INTEGER)) FROM outgoing_sync");
        const std::int64_t last = found.step() && !found.is_null(0) ? found.integer(0) : 0;
        constexpr std::int64_t most = Timestamp::max_ticks / Timestamp::ticks_per_second;
        return {std::clamp<std::int64_t>(last, 0, most - 1) * Timestamp::ticks_per_second, 0};
    }

    /// A point never falls. It counts as heard of at `now` even if it stays: the replica is there.
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

    /// Whatever it was before: for a note, or a database that has just come from that replica.
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

    /// Points beyond `point`, and those of ids that begin with `prefix`.
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

    /// Whether a replica other than `kept` was heard of last before `time` (in its stored form).
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

    /// Whole seconds, as the triggers write them.
    [[nodiscard]] static std::string seconds(Timestamp time) {
        return std::to_string(time.ticks / Timestamp::ticks_per_second);
    }

    Connection* connection_;
    bool incoming_;
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_SYNC_TABLE_HPP
