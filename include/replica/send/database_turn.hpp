#ifndef REPLICA_SEND_DATABASE_TURN_HPP
#define REPLICA_SEND_DATABASE_TURN_HPP

// One local database while it is replicated: its handle, the snapshot that peers are compared with,
// and what the peers have told so far.

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/send/ledger.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/takers.hpp>
#include <replica/send/walk.hpp>
#include <replica/send/workers.hpp>
#include <replica/stats.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/info.hpp>
#include <replica/words/message.hpp>
#include <replica/words/row_digests.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// The local database is broken, or gone. Any other failure (a full or read-only disk, a lock)
/// keeps no peer from getting its rows.
[[nodiscard]] inline bool is_lost(const Failure& failure) {
    return failure.code() == Condition::quarantine || failure.error() == Error::missing ||
           failure.error() == Error::moved;
}

/// The rows of the local database for comparisons (send/compare.hpp): read once for all peers.
struct OwnRows {
    message::MergeSyncs known; ///< The incoming points, read before `last`.
    std::int64_t last = -1;    ///< The highest ROWID.
    std::uint64_t key = 0;     ///< Of the digests.
    RowScan scan;
};

/// A local database as it was sent to a peer, for the peers after it. Belongs to one worker.
struct SentImage {
    std::string bytes;         ///< Of the whole file as of one moment.
    std::uint64_t version = 0; ///< The database's, before they were read.
    std::string digest{};      ///< Of the bytes, once somebody has asked for it.
};

/// A local database that is being replicated. Belongs to one worker.
template <AnyPass P>
struct DatabaseTurn {
    P& pass;
    const Place& place;
    const Device& local;
    Heartbeat& heartbeat;
    typename P::database_type& opened;
    typename P::info_type info; ///< The snapshot that peers are compared with.
    bool settled = true;        ///< So far no peer lacked a row, or had one for us.

    /// The copy does not belong here and goes once its peers have all of it. Only the peers' own
    /// word counts for that: our note may be older than the copy that a peer was restored from.
    bool leaves = false;

    /// The id or the rows have changed since the first peer was asked. What the earlier peers have
    /// is not known any more, so the copy stays for another pass.
    bool renumbered = false;

    /// The database was deleted longer than reclaim_age ago and has no rows: no peer needs a copy.
    bool expiring = false;

    /// In this pass a peer has agreed with this copy (send/stale.hpp).
    bool agreed = false;

    /// The copy may be stale, and differs from a peer although both have all rows by their points.
    bool suspect = false;

    /// The copy differs from a peer whose last rows will not come (send/awaited.hpp).
    bool awaits = false;

    /// An earlier peer is being sent all rows again, over several passes. A difference from a later
    /// one waits until that has ended: stock peers drop old deletions unasked, and this copy only
    /// when all peers are done in one pass, which resends that take turns would put off for ever.
    bool resending = false;

    /// The copy leaves, and a peer has all of it.
    bool proven = false;

    /// Before this time no tombstone becomes old enough to be dropped. 0: not known.
    Timestamp due{};

    /// Something beside the database could not be written; the next pass tries again.
    bool unfinished = false;

    Known known{};                    ///< What peers had by the ledger.
    std::size_t same = 0;             ///< Peers that have exactly what this copy has.
    std::size_t without = 0;          ///< Peers without a copy, counted while this one is stale.
    Seconds ahead{0};                 ///< Our clock is ahead of the peers' earliest by this.
    Seconds behind{0};                ///< Our clock is behind the peers' latest by this.
    std::set<std::string> machines{}; ///< Other machines with all of it, by replication_ip.
    std::optional<RowsAlong> along{}; ///< See send/along.hpp.
    std::optional<OwnRows> own_rows{};
    std::shared_ptr<SentImage> image{}; ///< See send/source.hpp.
    std::vector<SyncPoint> reached{};   ///< Outgoing points to be recorded.

    /// The last of our rows that the peer has who was asked last, if that is known; -1 if it has no
    /// copy. For who watches: nothing is decided by it.
    std::optional<std::int64_t> peer_has{};

    /// Notes among the outgoing points, once read: note() is called several times for each peer.
    std::optional<std::map<std::string, std::int64_t>> read_notes{};

    /// Wall time for what is reclaimed by its age: never ahead of a peer's that has answered.
    [[nodiscard]] Timestamp now() const { return pass.now().plus(-ahead); }

    /// What is older than this may be reclaimed: `ages` times reclaim_age ago.
    [[nodiscard]] Timestamp reclaim_limit(int ages = 1) const {
        return now().plus(-ages * pass.settings.reclaim_age);
    }

    /// Rows from before this time may have been deleted, and their tombstones reclaimed, elsewhere
    /// (send/stale.hpp). The latest clock decides, since the peers reclaimed by theirs. A peer's
    /// lead counts up to a third of reclaim_age only: notes of an agreement are up to half a
    /// reclaim_age old, an eighth more at rest (send/replicate.hpp), and one wrong clock must not
    /// make every copy of a cluster stale.
    [[nodiscard]] Timestamp stale_limit() const {
        const Seconds age = pass.settings.reclaim_age;
        return pass.now().plus(std::min(behind, age / 3) - age);
    }

    /// The database, for one use. Waits for locks begin now, however long the peers have taken.
    [[nodiscard]] typename P::database_type& database() {
        opened.set_deadline(pass.after(storage::broker_patience));
        return opened;
    }

    /// Notes that the peer has our rows up to `point`. Not for a copy that leaves, for which only
    /// the peers' word counts.
    void note_reached(const std::string& remote_id, std::int64_t point) {
        if (!leaves) {
            reached.push_back({point, remote_id});
        }
    }

    /// Records the outgoing points of all peers, in one transaction. Points that cannot be written
    /// are told and left out: each peer records its own. So are those of another id, which a pass
    /// beside the service may have given the file meanwhile: they speak of this one.
    void record_reached() {
        const auto points = std::exchange(reached, {});
        if (points.empty()) {
            return;
        }
        try {
            database().together([&] {
                if (opened.info().id == info.id) {
                    opened.merge_sync_points(points, Direction::outgoing);
                }
            });
        } catch (const Failure& failure) {
            if (is_lost(failure)) {
                throw;
            }
            const std::string what = failure.what();
            pass.count(&Stats::errors);
            pass.count_failure(local);
            pass.observer(event::DatabaseFailed{place.path(), what});
        }
    }

    /// A note of this file (words/notes.hpp); -1 if there is none. As of the first call, and of
    /// what this turn has written since.
    [[nodiscard]] std::int64_t note(const std::string& key) {
        if (const auto remembered = pass.memory.note(memory_key(key))) {
            return *remembered;
        }
        if (!read_notes) {
            read_notes.emplace();
            for (const SyncPoint& point : database().sync_points(Direction::outgoing)) {
                read_notes->emplace(point.remote_id, point.sync_point);
            }
        }
        const auto found = read_notes->find(key);
        return found == read_notes->end() ? -1 : found->second;
    }

    /// Writes a note; -1 removes it. A note that cannot be written is kept in memory: a copy that
    /// leaves a full disk must get on, since it makes space there.
    void set_note(const std::string& key, std::int64_t value) {
        try {
            database().set_sync_point({value, key}, Direction::outgoing);
            pass.memory.drop_note(memory_key(key));
            read_notes.reset();
        } catch (const Failure& failure) {
            if (is_lost(failure)) {
                throw;
            }
            pass.memory.keep_note(memory_key(key), value);
        }
    }

    [[nodiscard]] std::string device_path() const {
        return storage::device_path(pass.settings.devices, local.device);
    }

private:
    [[nodiscard]] std::string memory_key(const std::string& key) const {
        return place.path() + ' ' + info.id + ' ' + key;
    }
};

/// Tells the watchdog that the whole file is about to be read.
template <AnyPass P>
void expect_to_read(DatabaseTurn<P>& turn) {
    P& pass = turn.pass;
    const auto status = pass.broker.disk().stat(turn.place.path());
    turn.heartbeat.expect(
        pass.after(pass.settings.watchdog + storage::time_to_read(status ? status->size : 0)));
}

/// Recomputes the hash and the sums of the local database from its rows (sqlite/sums.hpp). Returns,
/// and tells, whether they were wrong.
template <AnyPass P>
bool mend_sums(DatabaseTurn<P>& turn) {
    expect_to_read(turn);
    if (!turn.database().mend_sums()) {
        return false;
    }
    turn.info = turn.database().info();
    const std::string what = "its hash or its sums did not agree with its rows; the rows count";
    turn.pass.observer(event::SetAside{turn.place.path(), what});
    return true;
}

} // namespace replica

#endif // REPLICA_SEND_DATABASE_TURN_HPP
