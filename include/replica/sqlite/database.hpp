#ifndef REPLICA_SQLITE_DATABASE_HPP
#define REPLICA_SQLITE_DATABASE_HPP

// An open database in one of Swift's schemas: the model of Database over an SQLite file. Each call
// is one transaction (reclaim and copy_to take several short ones). A write first checks that the
// file is still the one under its name, since a stock server may replace the file at any time.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/sqlite/check.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/copy.hpp>
#include <replica/sqlite/exclusive.hpp>
#include <replica/sqlite/glance.hpp>
#include <replica/sqlite/handle.hpp>
#include <replica/sqlite/id.hpp>
#include <replica/sqlite/merge.hpp>
#include <replica/sqlite/options.hpp>
#include <replica/sqlite/pending.hpp>
#include <replica/sqlite/scan.hpp>
#include <replica/sqlite/schema.hpp>
#include <replica/sqlite/sums.hpp>
#include <replica/sqlite/sync_table.hpp>
#include <replica/sqlite/tombstones.hpp>
#include <replica/storage/place.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/notes.hpp>
#include <replica/words/row_digests.hpp>
#include <replica/words/times.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// An open database. Models Database, ImagedDatabase and ComparableDatabase. Belongs to one task;
/// its destructor closes the file.
///
/// `S` is the schema. `D` is the disk for everything but the database file itself. `C` is the clock
/// that waits for locks and gives the time of changes. All calls throw `Failure`.
template <sqlite::Schema S, Disk D, Clock C>
class SqliteDatabase {
public:
    using info_type = typename S::info_type; ///< What replicas tell each other.
    using row_type = typename S::row_type;   ///< What is merged.
    using lock_type = typename D::lock_type; ///< Of a directory.

    /// Of a file whose schema has been checked: see SqliteBroker (store.hpp).
    explicit SqliteDatabase(sqlite::Handle<S, D, C> handle) : handle_(std::move(handle)) {}

    [[nodiscard]] const std::string& path() const { return handle_.path(); } ///< Of the file.

    void set_deadline(Instant deadline) { handle_.set_deadline(deadline); }

    // ---- The calls of the concept Database, see broker.hpp.

    [[nodiscard]] info_type info() {
        const auto read = [](auto& tables) { return S::read_info(tables); };
        return handle_.look(read, read);
    }

    [[nodiscard]] std::vector<row_type> items_since(std::int64_t point, std::int64_t count) {
        std::size_t unlimited = std::numeric_limits<std::size_t>::max();
        return items_since(point, count, unlimited);
    }
    [[nodiscard]] std::vector<row_type> items_since(std::int64_t point, std::int64_t count,
                                                    std::size_t& left) {
        connection().require_in_place();
        return sqlite::rows_since<S>(connection(), point, count, left);
    }

    /// See scan.hpp.
    [[nodiscard]] RowScan scan_rows(std::uint64_t key, std::size_t groups, std::int64_t up_to) {
        connection().require_in_place();
        return sqlite::scan_rows<S>(connection(), key, groups, up_to, options().page_rows,
                                    [this] { return version(); });
    }

    [[nodiscard]] std::vector<row_type> chosen_rows(const RowChoice& choice, std::uint64_t key,
                                                    std::int64_t point, std::int64_t up_to,
                                                    std::int64_t count, std::size_t& left) {
        connection().require_in_place();
        return sqlite::chosen_rows<S>(connection(), choice, key, point, up_to, count,
                                      options().page_rows, left);
    }

    [[nodiscard]] std::int64_t sync_point(std::string_view id, Direction direction) {
        return handle_.look(
            [&](auto& tables) { return sqlite::glance::sync_point(tables, id, direction); },
            [&](auto& connection) { return sqlite::SyncTable(connection, direction).point(id); });
    }

    [[nodiscard]] std::vector<SyncPoint> sync_points(Direction direction) {
        return handle_.look(
            [&](auto& tables) { return sqlite::glance::sync_points(tables, direction); },
            [&](auto& connection) { return sqlite::SyncTable(connection, direction).points(); });
    }

    [[nodiscard]] Timestamp last_heard() {
        return handle_.look(sqlite::glance::last_heard, [](auto& connection) {
            return sqlite::SyncTable(connection, Direction::incoming).last_touched();
        });
    }

    /// Throws bad_request, having changed nothing, if a row has no name or no usable time. An empty
    /// `source` records no point. `forgotten`: see RowChanges::put.
    sqlite::Merged merge_items(std::span<const row_type> rows, std::string_view source,
                               Timestamp forgotten = {}) {
        if (rows.empty()) {
            return {};
        }
        sqlite::Transaction transaction = begin_write();
        const auto known = source.empty() ? std::optional<std::int64_t>()
                                          : sync_table(Direction::incoming).point(source);
        sqlite::RowChanges<S> changes(connection());
        const sqlite::Merged merged = changes.put(rows, known, forgotten);
        changes.finish();
        if (!source.empty()) {
            const auto last = std::ranges::max_element(rows, {}, &row_type::rowid);
            sync_table(Direction::incoming).raise(source, last->rowid, clock().now());
        }
        transaction.commit();
        return merged;
    }

    /// All that `changes` does is written, or nothing of it.
    template <std::invocable Changes>
    void together(Changes changes) {
        sqlite::Transaction transaction = begin_write();
        changes();
        transaction.commit();
    }

    void merge_sync_points(std::span<const SyncPoint> points, Direction direction) {
        if (points.empty()) {
            return;
        }
        sqlite::Transaction transaction = begin_write();
        for (const SyncPoint& point : points) {
            sync_table(direction).raise(point.remote_id, point.sync_point, clock().now());
        }
        transaction.commit();
    }

    /// Writes nothing if nothing changes.
    void set_sync_point(const SyncPoint& point, Direction direction) {
        if (sync_point(point.remote_id, direction) == point.sync_point) {
            return;
        }
        sqlite::Transaction transaction = begin_write();
        if (point.sync_point < 0) {
            sync_table(direction).drop(point.remote_id);
        } else {
            sync_table(direction).set(point.remote_id, point.sync_point, clock().now());
        }
        transaction.commit();
    }

    /// Throws bad_request for text that is no time. Writes nothing if nothing changes. If the
    /// database becomes deleted or undeleted, status_changed_at becomes now (Swift 2.0). A later
    /// put clears the status DELETED. Swift leaves it, and its account reaper, which goes by the
    /// status, empties an account that was recreated while one replica was away.
    void merge_timestamps(const Timestamps& times) {
        for (const std::string* time :
             {&times.created_at, &times.put_timestamp, &times.delete_timestamp}) {
            if (!Timestamp::parse(*time)) {
                throw Failure(Error::bad_request, path() + ": '" + *time + "' is no time");
            }
        }
        connection().require_in_place();
        const info_type seen = S::read_info(connection());
        if (merged(times, seen.timestamps()) == seen.timestamps()) {
            return;
        }
        sqlite::Transaction transaction = begin_write();
        const info_type info = read_state();
        const bool was_deleted = S::is_deleted(connection(), info);
        const Timestamps now = merged(times, info.timestamps());
        update("SET created_at = ?, put_timestamp = ?, delete_timestamp = ?", now.created_at,
               now.put_timestamp, now.delete_timestamp);
        update("SET status = '' WHERE delete_timestamp < put_timestamp"); // as mark_put does
        if (S::is_deleted(connection(), read_state()) != was_deleted) {
            const std::string moment = clock().now().internal();
            update("SET status_changed_at = ? WHERE status_changed_at < ?", moment, moment);
        }
        transaction.commit();
    }

    /// `text` is a JSON object as Metadata::parse takes it. Throws bad_request for other text, and
    /// if the database's own metadata cannot be read. Writes nothing if nothing is newer.
    /// `forgotten`: see Metadata::merge.
    void merge_metadata(std::string_view text, Timestamp forgotten = {}) {
        merge_metadata(connection().with_path([&] { return Metadata::parse(text); }), forgotten);
    }

    void merge_metadata(const Metadata& news, Timestamp forgotten = {}) {
        connection().require_in_place();
        if (Metadata seen = metadata_to_change(); !seen.merge(news, forgotten)) {
            return;
        }
        sqlite::Transaction transaction = begin_write();
        Metadata merged = metadata_to_change();
        if (merged.merge(news, forgotten)) {
            update("SET metadata = ?", connection().with_path([&] { return merged.text(); }));
            transaction.commit();
        }
    }

    /// Copies the status DELETED, by which Swift's account reaper finds accounts to empty, unless
    /// the database was put since. Call it after merge_timestamps.
    void merge_status(SqliteDatabase& from) {
        const std::string status =
            from.connection().text("SELECT status FROM " + std::string(S::stat));
        if (status.empty()) {
            return;
        }
        sqlite::Transaction transaction = begin_write();
        update("SET status = ? WHERE delete_timestamp >= put_timestamp", status);
        transaction.commit();
    }

    void renew_id() {
        sqlite::Transaction transaction = begin_write();
        update("SET id = ?", sqlite::new_id(path()));
        sync_table(Direction::outgoing).drop_all_but(notes::agreed());
        transaction.commit();
    }

    void adopt(std::string_view source) {
        sqlite::Transaction transaction = begin_write();
        const std::int64_t max_row = S::read_info(connection()).max_row;
        update("SET id = ?", sqlite::new_id(path()));
        const Timestamp now = clock().now();
        sqlite::SyncTable outgoing = sync_table(Direction::outgoing);
        outgoing.drop_beyond(max_row, notes::prefix);
        outgoing.set(notes::agreed(), now.ticks / Timestamp::ticks_per_second, now);
        if (source.empty()) {
            sync_table(Direction::incoming).drop_all_but("");
        } else {
            sync_table(Direction::incoming).set(source, max_row, now);
        }
        S::forget_reported(connection());
        transaction.commit();
    }

    /// Tombstones go in short transactions with pauses between; none is begun if none is old enough
    /// (defect 37). Metadata keys deleted before `age` go as well, and deleted shard ranges older
    /// than `sync_age`. ROWIDs are never reused: those up to the snapshot's last are its own.
    Timestamp reclaim(const info_type& confirmed, Timestamp age, Timestamp sync_age) {
        const std::string before = sync_age.normal();
        const auto idle = handle_.glance([&](auto& tables) {
            return sqlite::glance::has_nothing_to_reclaim<S>(tables, confirmed, age, before);
        });
        if (idle.value_or(false)) {
            return sqlite::no_tombstone();
        }
        connection().require_in_place();
        const Timestamp oldest = sqlite::reclaim_tombstones<S>(
            connection(), clock(), confirmed.max_row, age.normal(), options().page_rows);
        if (!sqlite::has_old<S>(connection(), confirmed, age, before)) {
            return oldest;
        }
        sqlite::Transaction transaction = begin_write();
        sync_table(Direction::incoming).drop_older(before);
        // Whether a copy is stale depends on this note, however old it is (send/stale.hpp).
        sync_table(Direction::outgoing).drop_older(before, notes::agreed());
        auto kept = Metadata::parse_stored(S::read_info(connection()).metadata);
        if (kept.reclaim(age, Metadata::parse_stored(confirmed.metadata))) {
            update("SET metadata = ?", kept.text());
        }
        S::reclaim_shard_ranges(connection(), confirmed, before);
        transaction.commit();
        return oldest;
    }

    /// Waits for the lock until `deadline`. The handle must outlive the returned value.
    [[nodiscard]] sqlite::Exclusive exclusive(Instant deadline) {
        connection().require_in_place();
        {
            const sqlite::DeadlineScope scope(connection(), deadline);
            connection().execute("BEGIN EXCLUSIVE");
        }
        sqlite::Exclusive guard(connection());
        connection().require_in_place();
        return guard;
    }

    /// See sums.hpp. For an upload that was not written to since its check, the result of the check
    /// is used, and the index is mended as well.
    bool mend_sums() {
        connection().require_in_place();
        if (content_ && content_->second == version()) {
            return sqlite::mend<S>(connection(), content_->first);
        }
        return sqlite::mend_sums<S>(connection(), options().page_rows);
    }

    /// For the broker: keeps the result of check_content for mend_sums.
    void remember(sqlite::Content content) { content_.emplace(std::move(content), version()); }

    void require_sound(Instant deadline) {
        const sqlite::Watch watch(connection(), clock(), deadline);
        sqlite::check_pages(connection(), "integrity_check");
    }

    [[nodiscard]] std::uint64_t version() { return handle_.version(); }

    /// Makes a copy at `target`, with the same ROWIDs. Throws exists if `target` exists. A copy
    /// that failed is removed. How writers are affected: copy.hpp.
    void copy_to(const std::string& target, Instant deadline) {
        connection().require_in_place();
        const sqlite::DeadlineScope scope(connection(), deadline); // the handle's has passed
        sqlite::copy_durably<S>(connection(), target, disk(), clock(), options());
    }

    /// Nothing inside exclusive(). Writers wait while 4 MiB are read: about a millisecond.
    [[nodiscard]] std::optional<std::string> image(std::int64_t most, Instant deadline) {
        return handle_.look([&](auto& tables) { return tables.file().image(most); },
                            [&](auto& connection) {
                                const sqlite::DeadlineScope scope(connection, deadline);
                                return sqlite::read_pages(connection, most);
                            });
    }

    /// See pending.hpp. The rows come from a server of this node, so no point is recorded.
    bool commit_pending(const lock_type& /*lock*/) {
        connection().require_in_place();
        const auto put = [this](std::span<const row_type> rows) {
            merge_items(rows, std::string_view());
        };
        return sqlite::commit_pending<S>(disk(), pending_path(path()), put);
    }

    /// Throws corrupt if the stored text cannot be read.
    [[nodiscard]] Metadata metadata() {
        return Metadata::parse_stored(S::read_info(connection()).metadata);
    }

protected:
    /// For own statements. Opened now if no call has needed it before.
    [[nodiscard]] sqlite::Connection& connection() { return handle_.connection(); }
    [[nodiscard]] sqlite::Handle<S, D, C>& handle() { return handle_; } ///< For own reads.
    [[nodiscard]] D& disk() { return handle_.disk(); }                  ///< The handle's own copy.
    [[nodiscard]] C& clock() { return handle_.clock(); }                ///< The handle's own copy.

    /// Waits for the write lock. Afterwards nobody can replace the file unnoticed.
    [[nodiscard]] sqlite::Transaction begin_write() {
        return sqlite::Transaction(connection(), sqlite::Transaction::Kind::write);
    }

    [[nodiscard]] const SqliteOptions& options() const { return handle_.options(); } ///< As given.

    /// The info, for a container with its state of sharding, which shows in the directory.
    [[nodiscard]] info_type read_state() {
        if constexpr (requires { S::read_info(connection(), disk()); }) {
            return S::read_info(connection(), disk());
        } else {
            return S::read_info(connection());
        }
    }

    /// UPDATE, the table of S::stat, `rest`.
    template <class... Values>
    void update(std::string_view rest, const Values&... values) {
        std::string sql("UPDATE ");
        connection().query(sql.append(S::stat).append(" ").append(rest)).bind(values...).run();
    }

private:
    [[nodiscard]] sqlite::SyncTable sync_table(Direction direction) {
        return sqlite::SyncTable(connection(), direction);
    }

    [[nodiscard]] Metadata metadata_to_change() {
        return connection().with_path(
            [&] { return Metadata::parse_to_change(S::read_info(connection()).metadata); });
    }

    sqlite::Handle<S, D, C> handle_;
    std::optional<std::pair<sqlite::Content, std::uint64_t>> content_; ///< At which version.
};

} // namespace replica

#endif // REPLICA_SQLITE_DATABASE_HPP
