#ifndef REPLICA_BROKER_HPP
#define REPLICA_BROKER_HPP

// A broker is the store of one kind of database: it opens files and hands out database handles. The
// flow knows nothing of SQLite; whatever keeps numbered rows, two sync tables and a little metadata
// in a file of its own can be replicated.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/kind.hpp>
#include <replica/words/info.hpp>

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// A handle on one open database. It belongs to one task and is never shared between threads. Every
/// call may throw `Failure`; after Error::moved (the file was replaced under the handle) nothing
/// was changed and the database must be opened again.
///
/// Laws (test/laws/broker.hpp):
/// - set_deadline(t): every wait for a lock through this handle ends at t from now on.
/// - info() is one consistent snapshot: hash, count and max_row belong together (defect 9).
/// - commit_pending(lock) commits the rows that a server has left in `<file>.pending`; the caller
///   holds the lock of the directory and hands it over as proof, since a second flock in the same
///   process would wait for the first. An entry that cannot be read is set aside, not lost. No
///   other call looks at that file. Returns whether anything was committed.
/// - items_since(p, n) gives at most n rows with ROWID > p, in ascending order and without a gap.
/// - merge_items is commutative, associative and idempotent over all columns: k replicas that are
///   given the same rows in any order, some twice, end with equal rows (invariant I4).
///   Reports of containers to their account are the exception: of two with one time the one merged
///   last stays, unless it is a repeat. With a source, rows up to its incoming point are repeats:
///   they undo nothing that has come after them. The point then becomes the highest ROWID given,
///   and never falls. All of it happens in one transaction.
/// - last_heard() is when an incoming point was last written, by the clock of whoever did; zero if
///   there is none. Whole seconds.
/// - set_sync_point sets a point whatever it was before; -1 takes it away.
/// - merge_sync_points and merge_timestamps never take a value back: points and put/delete times
///   only grow, created_at only falls. merge_metadata keeps for each key the newest value; the
///   deletion before `forgotten` of a key that is not there is left out.
/// - merge_status(from) takes over the mark of a deletion, after merge_timestamps.
/// - after renew_id() the id is one that no replica has ever had. Rows and incoming points stay.
///   The outgoing points go, but for notes::agreed(): their history is in doubt.
/// - adopt(source) is a new id, the incoming point of source := max_row (the rows came from there),
///   and whatever was reported to others counts as not reported (Swift: newid). Outgoing points
///   beyond max_row and the former owner's notes (notes.hpp) go, and the copy agrees with a peer.
///   With an empty source rows may be missing: nobody's incoming point stays.
/// - reclaim(confirmed, age, sync_age) drops tombstones older than `age`, as many as it gets to in
///   about 20 s, and sync points not touched since `sync_age`. What is not in the snapshot
///   `confirmed` stays: a deletion that came after it is known to nobody else yet.
/// - while the value returned by exclusive() lives, nobody else reads or writes the database; this
///   handle still can. No journal is left behind by it.
/// - copy_to writes a consistent copy to a path that does not exist yet, and makes it durable. It
///   holds no lock that keeps writers out for more than a second.
/// - mend_sums makes the stored hash, counts and bytes those of the rows, whatever they were, and
///   returns whether they were others. Nothing is written if they were not. Rows that others commit
///   meanwhile count. Reads all rows, and holds no lock for long.
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
        { db.merge_items(rows, text) };
        { db.last_heard() } -> std::same_as<Timestamp>;
        { db.merge_sync_points(points, direction) };
        { db.set_sync_point(SyncPoint{}, direction) };
        { db.merge_timestamps(times) };
        { db.merge_metadata(text, time) };
        { db.merge_status(db) };
        { db.renew_id() };
        { db.adopt(text) };
        { db.reclaim(info, time, time) };
        { db.exclusive(deadline) } -> std::movable;
        { db.copy_to(path, deadline) };
        { db.mend_sums() } -> std::same_as<bool>;
        { db.require_sound(deadline) };
        { db.commit_pending(lock) } -> std::same_as<bool>;
        { db.version() } -> std::same_as<std::uint64_t>;
    };

/// A store of databases.
///
/// - `kind_type` is the kind of its databases (kind.hpp): names, a port, and the hooks in which the
///   kind differs from the common flow.
/// - open(path, deadline) opens an existing file: Error::missing, not_a_database, corrupt,
///   missing_table, unknown_schema, locked. It never makes one. `deadline` bounds every wait for a
///   lock through this handle.
/// - open_upload(path, deadline) opens a file that came from elsewhere and trusts nothing in it: a
///   regular file, no write-ahead log, every page intact, only tables, views and triggers that are
///   known, only values that a server writes (defect 17). What follows from the rows may be wrong:
///   see mend_sums.
/// - disk() and clock() are the ones that everything about these files goes through.
///
/// Models: AccountBroker, ContainerBroker (sqlite/), SimBroker (sim/). Thread safety: any thread.
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

template <Broker B>
using row_type_of = typename B::database_type::row_type;

template <Broker B>
using info_type_of = typename B::database_type::info_type;

} // namespace replica

#endif // REPLICA_BROKER_HPP
