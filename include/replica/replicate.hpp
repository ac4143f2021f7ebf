#ifndef REPLICA_REPLICATE_HPP
#define REPLICA_REPLICATE_HPP

// One database: read it once, ask its peers one after the other, and decide whether it may stay or
// go. Whatever goes wrong with it ends here and is counted.

#include <replica/broker.hpp>
#include <replica/decide.hpp>
#include <replica/departure.hpp>
#include <replica/error.hpp>
#include <replica/hash_path.hpp>
#include <replica/observer.hpp>
#include <replica/pass.hpp>
#include <replica/peer.hpp>
#include <replica/quarantine.hpp>
#include <replica/ring.hpp>
#include <replica/stale.hpp>
#include <replica/storage.hpp>
#include <replica/walk.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

namespace detail {

[[nodiscard]] inline bool contains(const std::vector<Device>& devices, std::int64_t id) {
    return std::ranges::any_of(devices, [&](const Device& device) { return device.id == id; });
}

/// Counts and reports one peer's outcome; says whether a handoff should stand in for it.
template <class P>
[[nodiscard]] bool settle(Task<P>& task, const Device& peer,
                          const Result<decide::Outcome>& outcome) {
    P& pass = task.pass;
    const bool done = outcome && *outcome == decide::Outcome::done;
    bool hand_off = false;
    task.proven = task.proven || (task.leaves && done);
    if (outcome) {
        pass.count(&Stats::success, done ? 1 : 0);
        note_machine(task, peer, *outcome);
    } else if (hand_off = outcome.error().code == Condition::hand_off; hand_off) {
        pass.count_failure(peer);
        pass.observer(event::PeerNotMounted{task.found.path, peer});
    } else {
        pass.count_failure(peer);
        pass.observer(
            event::PeerFailed{task.found.path, peer, outcome.error().code, outcome.error().what});
    }
    pass.observer(event::PeerEnded{task.found.path, peer, done});
    return hand_off;
}

/// The primaries in order; for each whose device is out of use, one handoff in its place. The local
/// copy of a handoff is such a stand-in already: were it to ask the next handoff, copies would
/// spread over all devices (Swift 2.14, invariant I7).
template <class P>
[[nodiscard]] Asked replicate_to_peers(Task<P>& task, const std::vector<Device>& primaries,
                                       bool belongs) {
    P& pass = task.pass;
    Asked asked{decide::peer_order(primaries, belongs ? task.local.id : -1), {}};
    auto& [peers, outcomes] = asked;
    auto handoffs = pass.ring.handoffs(task.found.partition);
    bool spare = true;
    for (std::size_t i = 0; i < peers.size() && !pass.stop.stop_requested(); ++i) {
        const Device peer = peers[i];
        const auto outcome = replicate_to_peer(task, peer);
        outcomes.push_back(outcome ? *outcome : decide::Outcome::failed);
        if (!settle(task, peer, outcome) || !spare) {
            continue;
        }
        const auto next = handoffs.next();
        spare = next && next->id != task.local.id;
        if (spare) {
            peers.push_back(*next);
        } else if (!next) {
            pass.observer(event::NoMoreHandoffs{task.found.partition});
        }
    }
    return asked;
}

/// Asks those once more from whom something was held back (stale.hpp): one of those that came after
/// them may have shown that this copy is not stale. What remains is told.
template <class P>
void ask_again_unless_stale(Task<P>& task, Asked& asked, bool belongs) {
    if (belongs && task.without > 0 && task.without == asked.peers.size()) {
        report_stale(task, true);
        task.agreed = true;
    }
    bool stale = false;
    for (std::size_t i = 0; i < asked.outcomes.size() && !task.pass.stop.stop_requested(); ++i) {
        auto& outcome = asked.outcomes[i];
        if (outcome == decide::Outcome::stale && task.agreed) {
            const auto again = replicate_to_peer(task, asked.peers[i]);
            (void)settle(task, asked.peers[i], again);
            outcome = again ? *again : decide::Outcome::failed;
        }
        stale = stale || outcome == decide::Outcome::stale;
    }
    if (stale || (task.suspect && !task.agreed)) {
        report_stale(task);
    }
}

/// A local database could not be dealt with: quarantine, or a report.
template <class P>
void local_failure(P& pass, const Found& found, const Device& local, Pulse& pulse,
                   const Failure& failure) {
    std::string what = failure.what();
    pass.count(&Stats::errors);
    pass.count_failure(local);
    const std::string device = storage::device_path(pass.settings.devices, local.device);
    HourlyBrake& hourly = pass.memory.hourly;
    if (failure.code() == Condition::quarantine &&
        hourly.may_quarantine(pass.broker, pass.observer, device)) {
        try {
            const auto status = pass.broker.disk().stat(found.path);
            pulse.expect(pass.after(2 * storage::broker_patience +
                                    storage::time_to_read(status ? status->size : 0) +
                                    pass.settings.watchdog));
            const auto target = storage::quarantine(pass.broker, found.path, device, pass.random,
                                                    pass.after(storage::broker_patience));
            if (target) {
                pass.count(&Stats::quarantined);
                pass.observer(event::Quarantined{found.path, *target, what});
                return;
            }
            hourly.spared(pass.broker, pass.observer, device);
        } catch (const std::exception& second) {
            what += std::string("; not quarantined: ") + second.what();
        }
    }
    pass.observer(event::DatabaseFailed{found.path, what});
}

/// What the server type does after the peers. False if it failed: that is told and keeps nothing
/// from leaving, for on a full disk those that leave are what makes space (Swift goes on too).
/// Throws if the database itself is broken, or is not there any more.
template <class P>
[[nodiscard]] bool after_peers(Task<P>& task, const std::vector<decide::Outcome>& outcomes) {
    try {
        P::server_type::after_database(task, outcomes);
        return true;
    } catch (const Failure& failure) {
        if (is_lost(failure)) {
            throw;
        }
        local_failure(task.pass, task.found, task.local, task.pulse, failure);
        return false;
    }
}

/// After the peers: tombstones may go from a copy that belongs here, and the copy itself if it does
/// not. `confirmed`: the snapshot that the first peer was compared with.
template <class P>
void clean_up(Task<P>& task, std::optional<typename P::database_type>& database, const Found& found,
              const typename P::info_type& confirmed, Asked& asked, bool belongs,
              std::size_t replicas) {
    P& pass = task.pass;
    task.pulse.expect(pass.after(storage::broker_patience + pass.settings.watchdog));
    if (belongs) {
        // Only when every peer has the tombstones: a replica that was away must not bring back what
        // they stand for (defect 20). What has come since the first peer was asked is not among
        // them. And only when no peer has anything for us: two replicas would send each other for
        // ever what the other has just dropped. Swift reclaims before it has pushed anything.
        if (task.settled && asked.all_done()) {
            task.database().reclaim(confirmed, task.reclaim_limit(), task.reclaim_limit(2));
        }
        return;
    }
    if (const std::string reason = leave(task, database, found, asked, replicas); !reason.empty()) {
        pass.count(&Stats::kept);
        pass.observer(event::Kept{found.path, reason});
    }
}

/// True when every peer has all that is here. Throws what goes wrong with the local database.
template <class P>
[[nodiscard]] bool replicate_open(P& pass, const Found& found, const Device& local, Pulse& pulse) {
    const Instant patience = pass.after(storage::broker_patience);
    std::optional<typename P::database_type> database(pass.broker.open(found.path, patience));
    storage::flush_pending(pass.broker, *database, found.path, patience);
    const auto info = database->info();
    const std::string name = info.name();

    const HashPath hash_path{pass.settings.hash_path_prefix, pass.settings.hash_path_suffix};
    if (hash_path(name) != found.hash) {
        pass.brakes.wrong_hash(local.device);
        pass.count_failure(local);
        pass.observer(event::WrongHash{found.path, name});
        return false;
    }
    Found place = found;
    place.partition = pass.ring.partition(found.hash);
    const bool misplaced = place.partition != found.partition;
    if (misplaced) {
        pass.observer(event::Misplaced{found.path, name, place.partition});
    }
    const auto primaries = pass.ring.primaries(place.partition);
    const bool belongs = !misplaced && contains(primaries, local.id);
    // A peer without an expired database is not sent it: it would have to report it once more.
    const bool expiring = expired(pass, info, pass.now());
    if (!belongs && !expiring && !may_leave(pass, found, local)) {
        return false;
    }

    Task<P> task{pass, place, local, pulse, *database, info, true, !belongs};
    task.expiring = expiring;
    Asked asked = replicate_to_peers(task, primaries, belongs);
    ask_again_unless_stale(task, asked, belongs);
    if (pass.stop.stop_requested()) {
        // Not all peers may have been asked. And a daemon that is told to go ends within a second
        // or two, in the middle of whatever is begun now.
        return false;
    }
    note_agreement(task);
    if (expiring) {
        if (const std::string reason = expire(task, database, found, asked); !reason.empty()) {
            pass.observer(event::Kept{found.path, reason});
        }
        return asked.all_done();
    }
    const bool sound = after_peers(task, asked.outcomes);
    clean_up(task, database, found, info, asked, belongs, primaries.size());
    return sound && asked.all_done();
}

} // namespace detail

/// Replicates one database to its peers (Swift: _replicate_object). Never throws: this is the one
/// place that catches what goes wrong with a database.
template <class P>
void replicate_database(P& pass, const Found& found, const Device& local, Pulse& pulse) {
    const Instant start = pass.clock.monotonic();
    pass.count(&Stats::attempted);
    pass.brakes.saw(local.device);
    pass.observer(event::DatabaseBegan{found.path});
    pulse.expect(pass.after(storage::broker_patience + pass.settings.watchdog));
    bool success = false;
    try {
        success = detail::replicate_open(pass, found, local, pulse);
    } catch (const Failure& failure) {
        // Removed or replaced under us: nothing is wrong, the next pass sees what is there.
        success = failure.error() == Error::missing || failure.error() == Error::moved;
        if (!success) {
            detail::local_failure(pass, found, local, pulse, failure);
        }
    } catch (const std::exception& failure) {
        const std::string what = failure.what();
        pass.count_failure(local);
        pass.observer(event::DatabaseFailed{found.path, what});
    }
    pass.observer(
        event::DatabaseEnded{found.path, local.device, pass.clock.monotonic() - start, success});
}

} // namespace replica

#endif // REPLICA_REPLICATE_HPP
