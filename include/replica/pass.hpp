#ifndef REPLICA_PASS_HPP
#define REPLICA_PASS_HPP

// What the steps of one pass share: the policies, one pinned version of the ring, and the counters.
// And what the steps of one database and one peer share: a Conversation, which is the only place
// where a request goes out. Here deadlines are set, a dead peer is left alone, and the watchdog is
// told how long to be patient.

#include <replica/brakes.hpp>
#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/clock_watch.hpp>
#include <replica/decide.hpp>
#include <replica/error.hpp>
#include <replica/file_sync.hpp>
#include <replica/holds.hpp>
#include <replica/observer.hpp>
#include <replica/random.hpp>
#include <replica/refusal.hpp>
#include <replica/ring.hpp>
#include <replica/settings.hpp>
#include <replica/stats.hpp>
#include <replica/transport.hpp>
#include <replica/walk.hpp>
#include <replica/workers.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// What outlives a pass. Thread safety: any thread.
struct Memory {
    ClockWatch clock;
    PeerHolds peers; ///< Nodes ("ip:port") and devices of theirs that did not answer.
    Holds transfers; ///< By hash and device: whole files whose end we did not hear of.
    Stalled stalled; ///< Devices with a worker that hangs.
    HourlyBrake hourly;

    /// A note (notes.hpp) that could not be written, on a full or a read-only disk.
    [[nodiscard]] std::optional<std::int64_t> note(const std::string& key) const {
        const std::lock_guard guard(mutex_);
        const auto found = notes_.find(key);
        return found != notes_.end() ? std::optional(found->second) : std::nullopt;
    }

    void keep_note(const std::string& key, std::int64_t value) {
        const std::lock_guard guard(mutex_);
        notes_[key] = value;
    }

    void drop_note(const std::string& key) {
        const std::lock_guard guard(mutex_);
        notes_.erase(key);
    }

    /// The name of an upload that no finish has taken; `fresh` from now on if there is none.
    [[nodiscard]] std::string unfinished(const std::string& key, const std::string& fresh) {
        const std::lock_guard guard(mutex_);
        return uploads_.try_emplace(key, fresh).first->second;
    }

    void finished(const std::string& key) {
        const std::lock_guard guard(mutex_);
        uploads_.erase(key);
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::int64_t> notes_;
    std::map<std::string, std::string> uploads_;
};

/// One pass. Its members outlive every step; the policies belong to the replicator.
template <Broker B, RingVersion R, Transport T, FileSync F, Clock C, Observer O>
struct Pass {
    using broker_type = B;
    using database_type = typename B::database_type;
    using info_type = info_type_of<B>;
    using row_type = row_type_of<B>;
    using server_type = typename B::server_type;
    using peer_type = peer_type_of<T>;

    const Settings& settings;
    B& broker;
    R ring;
    T& transport;
    F& files;
    C& clock;
    O& observer;
    Random& random;
    Memory& memory;
    std::stop_token stop;
    Brakes brakes;
    Refusals refusals;
    [[no_unique_address]] typename server_type::pass_state state{}; ///< Of the server type's hooks.

    Pass(const Settings& settings_, B& broker_, R ring_, T& transport_, F& files_, C& clock_,
         O& observer_, Random& random_, Memory& memory_, std::stop_token stop_)
        : settings(settings_), broker(broker_), ring(std::move(ring_)), transport(transport_),
          files(files_), clock(clock_), observer(observer_), random(random_), memory(memory_),
          stop(std::move(stop_)), brakes(settings_.leave_share) {}

    [[nodiscard]] Instant after(Seconds seconds) const {
        return clock.monotonic() + to_duration(seconds);
    }

    void count(std::int64_t Stats::*counter, std::int64_t by = 1) {
        const std::lock_guard guard(mutex_);
        stats_.*counter += by;
    }

    /// Wall time for what is given up by its age (clock_watch.hpp).
    [[nodiscard]] Timestamp now() const {
        return memory.clock.limit(clock.now(), clock.monotonic());
    }

    /// A peer's clock said `theirs` just now. Returns by how much ours is ahead of it.
    [[nodiscard]] Seconds compare_clocks(const Device& peer, Timestamp theirs) {
        const Seconds ahead = memory.clock.compare(theirs, clock.now(), clock.monotonic());
        if (ahead > ClockWatch::tolerance || ahead < -ClockWatch::tolerance) {
            {
                const std::lock_guard guard(mutex_);
                if (!skewed_.insert(peer.replication_ip).second) {
                    return ahead;
                }
                ++stats_.errors;
            }
            observer(event::ClockDiffers{peer, ahead});
        }
        return ahead;
    }

    /// One failure, on the account of a device: the peer that failed, or the local one (defect 60).
    void count_failure(const Device& device) {
        const std::lock_guard guard(mutex_);
        ++stats_.failure;
        ++failure_nodes_[device.replication_ip][device.device];
    }

    /// The counters so far.
    [[nodiscard]] std::pair<Stats, FailureNodes> counted() const {
        const std::lock_guard guard(mutex_);
        return {stats_, failure_nodes_};
    }

private:
    mutable std::mutex mutex_;
    Stats stats_;
    FailureNodes failure_nodes_;
    std::set<std::string> skewed_; ///< Nodes whose clocks differ; told once.
};

/// The local database is broken, or not there any more. Whatever else goes wrong with it (a full or
/// a read-only disk, a lock) keeps no peer from getting its rows.
[[nodiscard]] inline bool is_lost(const Failure& failure) {
    return failure.code() == Condition::quarantine || failure.error() == Error::missing ||
           failure.error() == Error::moved;
}

/// A local database that is being replicated. Belongs to one worker.
template <class P>
struct Task {
    P& pass;
    const Found& found;
    const Device& local;
    Pulse& pulse;
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
template <class P>
bool mend_sums(Task<P>& task) {
    P& pass = task.pass;
    const auto status = pass.broker.disk().stat(task.found.path);
    task.pulse.expect(
        pass.after(pass.settings.watchdog + storage::time_to_read(status ? status->size : 0)));
    if (!task.database().mend_sums()) {
        return false;
    }
    task.info = task.database().info();
    const std::string what = "its hash or its sums did not agree with its rows; the rows count";
    pass.observer(event::SetAside{task.found.path, what});
    return true;
}

/// Requests about one database to one peer.
template <class P>
class Conversation {
public:
    Conversation(P& pass, Pulse& pulse, const Device& device, const Found& found)
        : pass_(pass), pulse_(pulse), peer_(pass.transport.peer(device)), device_(device),
          request_{device.device, std::to_string(found.partition), found.hash, {}, true} {}

    [[nodiscard]] const Device& device() const { return device_; }

    /// "ip:port" of the peer.
    [[nodiscard]] std::string address() const {
        return device_.replication_ip + ':' + std::to_string(device_.replication_port);
    }

    /// By how much our clock is ahead of the peer's, by its last answer; 0 if it is not.
    [[nodiscard]] Seconds ahead() const { return ahead_; }

    /// By how much our clock is behind the peer's, by its last answer; 0 if it is not.
    [[nodiscard]] Seconds behind() const { return behind_; }

    /// Sends one verb and waits at most `timeout`. A reply of any status is a reply; 2xx or not is
    /// for the caller.
    [[nodiscard]] Result<Reply> send(std::string body, Seconds timeout, bool repeatable = true) {
        const std::string held =
            pass_.memory.peers.held(address(), device_.device, pass_.clock.monotonic());
        if (!held.empty()) {
            return Fault{Error::held_back, held + ": left alone after recent failures"};
        }
        request_.body = std::move(body);
        request_.repeatable = repeatable;
        auto reply = within(
            timeout, [&](Instant deadline) { return peer_.send(request_, deadline, pass_.stop); });
        if (reply && reply->date) {
            const Seconds ahead = pass_.compare_clocks(device_, *reply->date);
            ahead_ = std::max(ahead, Seconds(0));
            behind_ = std::max(-ahead, Seconds(0));
        }
        if (reply) {
            pass_.memory.peers.succeeded(address(), device_.device);
        } else if (reply.error().code != Error::stopped) {
            pass_.memory.peers.failed(address(), device_.device, reply.error().code,
                                      pass_.after(pass_.settings.peer_hold));
        }
        return reply;
    }

    /// Like send, but anything other than 2xx is a fault too.
    [[nodiscard]] Result<Reply> expect_success(std::string body, Seconds timeout,
                                               bool repeatable = true) {
        auto reply = send(std::move(body), timeout, repeatable);
        if (reply && !reply->success()) {
            return fault_of(*reply);
        }
        return reply;
    }

    /// What a status other than 2xx means.
    [[nodiscard]] Fault fault_of(const Reply& reply) {
        const std::string who = address() + '/' + device_.device;
        const auto error = [&] {
            switch (reply.status) {
            case 404:
                return Error::missing;
            case 507:
                return pass_.refusals.find(who + ' ' + reply.reason, [&] {
                    return within(pass_.settings.node_timeout, [&](Instant deadline) {
                        return refusal_of(peer_, reply, deadline, pass_.stop);
                    });
                });
            default:
                return reply.status >= 500 ? Error::peer_failed : Error::peer_refused;
            }
        }();
        const bool told = error != Error::no_space || !reply.reason.empty();
        return {error, who + " answered " + std::to_string(reply.status) + ' ' +
                           (told ? reply.reason : "and is mounted, so it is full")};
    }

private:
    /// Tells the watchdog to be patient for as long as `call(deadline)` may wait.
    template <std::invocable<Instant> Call>
    auto within(Seconds timeout, Call call) {
        const Instant deadline = pass_.after(timeout);
        pulse_.expect(deadline + to_duration(pass_.settings.watchdog));
        auto result = call(deadline);
        pulse_.expect(pass_.after(pass_.settings.watchdog));
        return result;
    }

    P& pass_;
    Pulse& pulse_;
    typename P::peer_type peer_;
    Device device_;
    Request request_;
    Seconds ahead_{0};
    Seconds behind_{0};
};

} // namespace replica

#endif // REPLICA_PASS_HPP
