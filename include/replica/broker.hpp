#ifndef REPLICA_BROKER_HPP
#define REPLICA_BROKER_HPP

// A broker is the store of one kind of database: it opens files and hands out database handles. The
// flow knows nothing of SQLite. It can replicate whatever keeps numbered rows, two tables of sync
// points and a little metadata in a file of its own.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/kind.hpp>
#include <replica/words/info.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

class RowChoice; // words/row_digests.hpp
struct RowScan;

/// A handle on one open database, never shared between threads. Every call may throw `Failure`.
/// Error::moved means that the file was replaced under the handle: nothing was changed, and the
/// database must be opened again.
///
/// Laws (test/laws/broker.hpp):
/// - after set_deadline(t) every wait for a lock through this handle ends at t.
/// - info() is one consistent snapshot: hash, count and max_row belong together (defect 9).
/// - commit_pending(lock) commits the rows that a server has left in `<file>.pending`, and returns
///   whether there were any. `lock` proves that the caller holds the directory lock: a second flock
///   in the same process would wait for the first. An entry that cannot be read is set aside, not
///   lost. No other call looks at the pending file. Where no server leaves rows, there are none.
/// - items_since(p, n) gives the first n rows with ROWID > p, in ascending order and without a gap.
/// - merge_items is commutative, associative and idempotent over all columns: k replicas that are
///   given the same rows in any order, some twice, end with equal rows (invariant I4). A
///   container's reports to its account are the exception: of two reports with one time, the report
///   merged last stays, unless it is a repeat. With a source, the rows up to the source's incoming
///   point are repeats and undo nothing that came after them; the point then becomes the highest
///   ROWID given, and never falls. Rows and point change in one transaction. A tombstone from
///   before `forgotten` of a name that the database does not have is left out if it is a repeat, or
///   has come without a source.
/// - together(f) calls f() once, or not at all. What f() does through this handle is written in one
///   transaction; if f() throws, nothing of it is.
/// - last_heard() is when an incoming point was last written, in whole seconds of the writer's
///   clock; zero if there is no incoming point.
/// - set_sync_point sets a point whatever it was before; -1 removes the point.
/// - merge_sync_points and merge_timestamps never take a value back: points and put/delete times
///   only grow, created_at only falls. merge_metadata keeps the newest value of each key; it leaves
///   out a deletion older than `forgotten` of a key that the database does not have.
/// - merge_status(from) copies the mark of a deleted database; call it after merge_timestamps.
/// - renew_id() gives the database an id that no replica has ever had. Rows and incoming points
///   stay. The outgoing points go, except notes::agreed(), since their history is in doubt.
/// - adopt(source) makes a received file ours. The file gets a new id; the incoming point of
///   `source` becomes max_row, since the rows came from there; whatever was reported to others
///   counts as not reported (Swift: newid). Outgoing points beyond max_row go, and so do the former
///   owner's notes (words/notes.hpp). The copy counts as agreeing with a peer. An empty `source`
///   says that rows may be missing: then all incoming points go.
/// - reclaim(confirmed, age, sync_age) drops tombstones older than `age`, as many as about 20 s
///   allow, and sync points not touched since `sync_age`. A deletion that is not in the snapshot
///   `confirmed` stays, since no peer may know it yet. Returns a time before which no tombstone of
///   the snapshot comes to be older than `age` was: that of the oldest one left; 0 if unknown.
/// - while the value returned by exclusive() lives, only this handle can read or write the
///   database. The lock leaves no journal behind.
/// - copy_to writes a consistent copy to a path that does not exist yet, and makes the copy
///   durable. No lock keeps writers out for more than a second.
/// - mend_sums recomputes the stored hash, counts and bytes from the rows and returns whether any
///   was wrong. If none was, nothing is written. Rows that others commit meanwhile are included.
///   mend_sums reads all rows, and holds no lock for long.
/// - require_sound throws corrupt if a page or an index is broken. It reads the whole file.
/// - version() changes whenever anybody commits to the database between two calls.
template <class D>
concept Database =
    std::movable<D> && std::derived_from<typename D::info_type, Info> &&
    requires(D db, std::int64_t point, std::string_view text, Direction direction, Instant deadline,
             const std::string& path, Timestamp time, const typename D::info_type& info,
             const Timestamps& times, std::span<const typename D::row_type> rows,
             std::span<const SyncPoint> points, const typename D::lock_type& lock) {
        { db.set_deadline(deadline) };
        { db.info() } -> std::same_as<typename D::info_type>;
        { db.items_since(point, point) } -> std::same_as<std::vector<typename D::row_type>>;
        { db.sync_point(text, direction) } -> std::same_as<std::int64_t>;
        { db.sync_points(direction) } -> std::same_as<std::vector<SyncPoint>>;
        { db.merge_items(rows, text, time) };
        {
            db.together([] {})
        };
        { db.last_heard() } -> std::same_as<Timestamp>;
        { db.merge_sync_points(points, direction) };
        { db.set_sync_point(SyncPoint{}, direction) };
        { db.merge_timestamps(times) };
        { db.merge_metadata(text, time) };
        { db.merge_status(db) };
        { db.renew_id() };
        { db.adopt(text) };
        { db.reclaim(info, time, time) } -> std::same_as<Timestamp>;
        { db.exclusive(deadline) } -> std::movable;
        { db.copy_to(path, deadline) };
        { db.mend_sums() } -> std::same_as<bool>;
        { db.require_sound(deadline) };
        { db.commit_pending(lock) } -> std::same_as<bool>;
        { db.version() } -> std::same_as<std::uint64_t>;
    };

/// As items_since(point, count), but no more rows once those hold `left` bytes, and one at least,
/// if the database can count them: then items_since(p, n, left) does that. `left` becomes what is
/// left of it; 0 says that there may be more rows among the first `count`.
template <Database D>
[[nodiscard]] std::vector<typename D::row_type> first_items(D& database, std::int64_t point,
                                                            std::int64_t count, std::size_t& left) {
    if constexpr (requires { database.items_since(point, count, left); }) {
        return database.items_since(point, count, left);
    } else {
        return database.items_since(point, count);
    }
}

/// A database that also gives its bytes: those of copy_to, if they are at most `most`, under the
/// same law. Optional: without it every copy is a file.
template <class D>
concept ImagedDatabase = Database<D> && requires(D db, std::int64_t most, Instant deadline) {
    { db.image(most, deadline) } -> std::same_as<std::optional<std::string>>;
};

/// A database whose rows can be compared with those of another replica. Optional: without it, all
/// rows go to a peer whose points are lost.
///
/// - scan_rows(key, groups, up_to) gives digests of the rows with ROWIDs up to `up_to`, and whether
///   the stored hash and sums are those of all rows. Two rows that differ in anything have other
///   digests; with one key they are the same on every node.
/// - chosen_rows(choice, key, point, up_to, count, left) gives the first `count` chosen rows with
///   point < ROWID <= up_to, in ascending order. `left` as in first_items.
/// - a row that is there when chosen_rows looks, with a ROWID up to the max_row of an info() before
///   scan_rows, was there under this ROWID when scan_rows looked. Neither keeps writers out for
///   more than a moment.
template <class D>
concept ComparableDatabase =
    Database<D> && requires(D db, std::uint64_t key, std::size_t groups, std::int64_t point,
                            const RowChoice& choice, std::size_t left) {
        { db.scan_rows(key, groups, point) } -> std::same_as<RowScan>;
        {
            db.chosen_rows(choice, key, point, point, point, left)
        } -> std::same_as<std::vector<typename D::row_type>>;
    };

/// A store of databases.
///
/// - `kind_type` is the kind of the databases (kind.hpp): names, a port, and the hooks in which the
///   kind differs from the common flow.
/// - open(path, deadline) opens an existing file and never makes one. Errors: Error::missing,
///   not_a_database, corrupt, missing_table, unknown_schema, locked. `deadline` bounds every wait
///   for a lock through the handle.
/// - open_upload(path, deadline) opens a file that came from elsewhere and trusts nothing in it.
///   Nobody else may know it: what the handle writes is durable only once the file is synced. The
///   file must be regular, without a write-ahead log, with every page intact, with known
///   tables, views and triggers only, and with such values only as a server writes (defect 17). The
///   stored hash and sums may be wrong: see mend_sums.
/// - all access to these files goes through disk(), and all their times come from clock().
///
/// Models: AccountBroker, ContainerBroker, RecordBroker (sqlite/), also on a simulated disk
/// (sim/vfs.hpp). Thread safety: any thread.
template <class B>
concept Broker =
    Kind<typename B::kind_type> && Database<typename B::database_type> &&
    Disk<typename B::disk_type> && Clock<typename B::clock_type> &&
    std::same_as<typename B::database_type::lock_type, typename B::disk_type::lock_type> &&
    requires(B broker, const std::string& path, Instant deadline) {
        { broker.open(path, deadline) } -> std::same_as<typename B::database_type>;
        { broker.open_upload(path, deadline) } -> std::same_as<typename B::database_type>;
        { broker.disk() } -> std::same_as<typename B::disk_type&>;
        { broker.clock() } -> std::same_as<typename B::clock_type&>;
    };

/// A row of the databases of a broker.
template <Broker B>
using row_type_of = typename B::database_type::row_type;

/// The info of the databases of a broker.
template <Broker B>
using info_type_of = typename B::database_type::info_type;

} // namespace replica

#endif // REPLICA_BROKER_HPP
