#ifndef REPLICA_SEND_DATABASE_TURN_HPP
#define REPLICA_SEND_DATABASE_TURN_HPP

// One local database while it is replicated: its handle, the snapshot that peers are compared with,
// and what has been learnt so far.

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/walk.hpp>
#include <replica/send/workers.hpp>
#include <replica/stats.hpp>
#include <replica/storage/storage.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace replica {

/// The local database is broken, or not there any more. Whatever else goes wrong with it (a full or
/// a read-only disk, a lock) keeps no peer from getting its rows.
[[nodiscard]] inline bool is_lost(const Failure& failure) {
    return failure.code() == Condition::quarantine || failure.error() == Error::missing ||
           failure.error() == Error::moved;
}

/// A local database that is being replicated. Belongs to one worker.
template <AnyPass P>
struct DatabaseTurn {
    P& pass;
    const Found& found;
    const Device& local;
    Heartbeat& heartbeat;
    typename P::database_type& opened;
    typename P::info_type info; ///< The snapshot that peers are compared with.
    bool settled = true;        ///< So far no peer lacked a row or had one that is not here.

    /// It does not belong here and goes once its peers have it. Whether they do must be known from
    /// themselves: our own note of it may be older than the copy a peer was restored from.
    bool leaves = false;

    /// Its id or its rows are others than when the first peer was asked: what those that came
    /// before have is not known any more, and the copy stays for another pass.
    bool renumbered = false;

    /// It was deleted longer than reclaim_age ago and has no rows: a peer without it needs none.
    bool expiring = false;

    /// A peer has in this pass been seen to know nothing that is not here.
    bool agreed = false;

    /// Its contents differ from a peer's, both claim to have all rows, and this copy may be stale.
    bool suspect = false;

    /// Of a copy that leaves: a peer has been seen to have all of it.
    bool proven = false;

    std::size_t without = 0;          ///< Peers without a copy, seen by a stale one.
    Seconds ahead{0};                 ///< Of our clock, against the earliest of the peers'.
    Seconds behind{0};                ///< Of our clock, against the latest of the peers'.
    std::set<std::string> machines{}; ///< Other machines that have all of it, by replication_ip.

    /// Wall time for what is given up by its age: never ahead of a peer's that has answered.
    [[nodiscard]] Timestamp now() const { return pass.now().plus(-ahead); }

    /// What is older by `ages` times reclaim_age may be forgotten.
    [[nodiscard]] Timestamp reclaim_limit(int ages = 1) const {
        return now().plus(-ages * pass.settings.reclaim_age);
    }

    /// What was written before may have been deleted and forgotten elsewhere (stale.hpp): by the
    /// latest clock, for it was the peers' clocks that forgot. A peer that is ahead by more than a
    /// third of reclaim_age is believed no more than that: notes of an agreement are up to half a
    /// reclaim_age old, and one wrong clock must not make every copy of a cluster stale.
    [[nodiscard]] Timestamp stale_limit() const {
        const Seconds age = pass.settings.reclaim_age;
        return pass.now().plus(std::min(behind, age / 3) - age);
    }

    /// The database, for one use: a lock is waited for from now on, however long peers have taken.
    [[nodiscard]] typename P::database_type& database() {
        opened.set_deadline(pass.after(storage::broker_patience));
        return opened;
    }

    /// Notes up to which row a peer has it. Not for a copy that leaves: its note counts for
    /// nothing. What cannot be noted is told, and the next peer has its turn all the same: the
    /// peer's own point says as much.
    void note_reached(const std::string& remote_id, std::int64_t point) {
        if (leaves) {
            return;
        }
        const std::vector<SyncPoint> reached{{point, remote_id}};
        try {
            database().merge_sync_points(reached, Direction::outgoing);
        } catch (const Failure& failure) {
            if (is_lost(failure)) {
                throw;
            }
            const std::string what = failure.what();
            pass.count(&Stats::errors);
            pass.count_failure(local);
            pass.observer(event::DatabaseFailed{found.path, what});
        }
    }

    /// A note of this file (notes.hpp); -1 if there is none.
    [[nodiscard]] std::int64_t note(const std::string& key) {
        const auto remembered = pass.memory.note(memory_key(key));
        return remembered ? *remembered : database().sync_point(key, Direction::outgoing);
    }

    /// -1 takes the note away. What cannot be written is remembered instead: those that leave a
    /// full disk are what makes space on it.
    void set_note(const std::string& key, std::int64_t value) {
        try {
            database().set_sync_point({value, key}, Direction::outgoing);
            pass.memory.drop_note(memory_key(key));
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
        return found.path + ' ' + info.id + ' ' + key;
    }
};

/// Makes the hash and the sums of the local database anew if they do not agree with its rows
/// (sqlite/sums.hpp), and tells it. Returns whether they did not.
template <AnyPass P>
bool mend_sums(DatabaseTurn<P>& turn) {
    P& pass = turn.pass;
    const auto status = pass.broker.disk().stat(turn.found.path);
    turn.heartbeat.expect(
        pass.after(pass.settings.watchdog + storage::time_to_read(status ? status->size : 0)));
    if (!turn.database().mend_sums()) {
        return false;
    }
    turn.info = turn.database().info();
    const std::string what = "its hash or its sums did not agree with its rows; the rows count";
    pass.observer(event::SetAside{turn.found.path, what});
    return true;
}

} // namespace replica

#endif // REPLICA_SEND_DATABASE_TURN_HPP
