#ifndef REPLICA_SEND_REPLICATE_HPP
#define REPLICA_SEND_REPLICATE_HPP

// One database: read it once, ask its peers one after the other, then decide whether the copy
// stays. Whatever goes wrong with the database ends here and is counted.

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/departure.hpp>
#include <replica/send/ledger.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/peer_turn.hpp>
#include <replica/send/stale.hpp>
#include <replica/send/walk.hpp>
#include <replica/storage/quarantine.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/info.hpp>
#include <replica/words/md5.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

namespace detail {

/// Counts and tells one peer's outcome. Returns whether a handoff should stand in for the peer.
template <AnyPass P>
[[nodiscard]] bool record_outcome(DatabaseTurn<P>& turn, const Device& peer,
                                  const Result<decide::Outcome>& outcome) {
    P& pass = turn.pass;
    const bool done = outcome && *outcome == decide::Outcome::done;
    bool hand_off = false;
    turn.proven = turn.proven || (turn.leaves && done);
    if (outcome) {
        pass.count(&Stats::success, done ? 1 : 0);
        departure::note_machine(turn, peer, *outcome);
    } else if (hand_off = outcome.error().code == Condition::hand_off; hand_off) {
        pass.memory.ledgers.distrust(peer); // all that it had needs a handoff now
        pass.count_failure(peer);
        pass.observer(event::PeerNotMounted{turn.place.path(), peer});
    } else {
        pass.count_failure(peer);
        pass.observer(
            event::PeerFailed{turn.place.path(), peer, outcome.error().code, outcome.error().what});
    }
    pass.observer(event::PeerEnded{turn.place.path(), peer, done, turn.info.max_row, turn.peer_has,
                                   !outcome.has_value()});
    return hand_off;
}

/// Replicates to the primaries in order, and to one handoff for each primary whose device is out of
/// use. The local copy of a handoff is such a stand-in already: if it asked the next handoff,
/// copies would spread over all devices (Swift 2.14, invariant I7).
template <AnyPass P>
[[nodiscard]] departure::Asked
replicate_to_peers(DatabaseTurn<P>& turn, const std::vector<Device>& primaries, bool belongs) {
    P& pass = turn.pass;
    departure::Asked asked{decide::peer_order(primaries, belongs ? turn.local.id : -1), {}};
    auto& [peers, outcomes] = asked;
    auto handoffs = pass.ring.handoffs(turn.place.partition);
    bool spare = true;
    for (std::size_t i = 0; i < peers.size() && !pass.stop.stop_requested(); ++i) {
        const Device peer = peers[i];
        const auto outcome = replicate_to_peer(turn, peer);
        outcomes.push_back(outcome ? *outcome : decide::Outcome::failed);
        if (!record_outcome(turn, peer, outcome) || !spare) {
            continue;
        }
        const auto next = handoffs.next();
        spare = next && next->id != turn.local.id;
        if (spare) {
            peers.push_back(*next);
        } else if (!next) {
            pass.observer(event::NoMoreHandoffs{turn.place.partition});
        }
    }
    return asked;
}

/// Asks the peers once more from whom rows were held back (send/stale.hpp), if a later peer has
/// shown that this copy is not stale. If the copy still is, that is told.
template <AnyPass P>
void ask_again_unless_stale(DatabaseTurn<P>& turn, departure::Asked& asked, bool belongs) {
    if (belongs && turn.without > 0 && turn.without == asked.peers.size()) {
        report_stale(turn, true);
        turn.agreed = true;
    }
    bool stale = false;
    for (std::size_t i = 0; i < asked.outcomes.size() && !turn.pass.stop.stop_requested(); ++i) {
        auto& outcome = asked.outcomes[i];
        if (outcome == decide::Outcome::stale && turn.agreed) {
            const auto again = replicate_to_peer(turn, asked.peers[i]);
            (void)record_outcome(turn, asked.peers[i], again);
            outcome = again ? *again : decide::Outcome::failed;
        }
        stale = stale || outcome == decide::Outcome::stale;
    }
    if (stale || (turn.suspect && !turn.agreed)) {
        report_stale(turn);
    } else if (turn.awaits && !turn.agreed) {
        report_stale(turn, false, true);
    }
}

/// A local database failed: it goes to quarantine, or the failure is told.
template <AnyPass P>
void local_failure(P& pass, const Place& found, const Device& local, Heartbeat& heartbeat,
                   const Failure& failure) {
    std::string what = failure.what();
    pass.count(&Stats::errors);
    pass.count_failure(local);
    const std::string device = storage::device_path(pass.settings.devices, local.device);
    HourlyBrake& hourly = pass.memory.hourly;
    if (failure.code() == Condition::quarantine &&
        hourly.may_quarantine(pass.broker, pass.observer, device)) {
        try {
            const auto status = pass.broker.disk().stat(found.path());
            heartbeat.expect(pass.after(2 * storage::broker_patience +
                                        storage::time_to_read(status ? status->size : 0) +
                                        pass.settings.watchdog));
            const auto target = storage::quarantine(pass.broker, found.path(), device, pass.random,
                                                    pass.after(storage::broker_patience));
            if (target) {
                pass.count(&Stats::quarantined);
                pass.observer(event::Quarantined{found.path(), *target, what});
                return;
            }
            hourly.refund_quarantine(pass.broker, pass.observer, device);
        } catch (const std::exception& second) {
            what += std::string("; not quarantined: ") + second.what();
        }
    }
    pass.observer(event::DatabaseFailed{found.path(), what});
}

/// Runs the kind's hook after the peers. False if the hook failed: the failure is told and keeps no
/// copy from leaving, since on a full disk the copies that leave make space (Swift goes on too).
/// Throws if the database itself is broken or gone.
template <AnyPass P>
[[nodiscard]] bool after_peers(DatabaseTurn<P>& turn,
                               const std::vector<decide::Outcome>& outcomes) {
    try {
        P::kind_type::after_database(turn, outcomes);
        return true;
    } catch (const Failure& failure) {
        if (is_lost(failure)) {
            throw;
        }
        local_failure(turn.pass, turn.place, turn.local, turn.heartbeat, failure);
        return false;
    }
}

/// After the peers: reclaims in a copy that belongs here, or removes a copy that does not.
/// `confirmed`: the snapshot that the first peer was compared with.
template <AnyPass P>
void clean_up(DatabaseTurn<P>& turn, std::optional<typename P::database_type>& database,
              const Place& found, const typename P::info_type& confirmed, departure::Asked& asked,
              bool belongs, std::size_t replicas) {
    P& pass = turn.pass;
    turn.heartbeat.expect(pass.after(storage::broker_patience + pass.settings.watchdog));
    if (belongs) {
        // Only when every peer has the tombstones: a replica that was away must not bring the
        // deleted rows back (defect 20). Tombstones that came since the first peer was asked are
        // not in `confirmed`. And only when no peer has rows for us: two replicas would send each
        // other for ever what the other has just dropped. Swift reclaims before it pushes.
        if (turn.settled && asked.all_done()) {
            const Timestamp oldest =
                turn.database().reclaim(confirmed, turn.reclaim_limit(), turn.reclaim_limit(2));
            if (oldest != Timestamp{}) {
                const auto keys = Metadata::parse_stored(turn.info.metadata);
                turn.due = keys.oldest_deletion(oldest).plus(pass.settings.reclaim_age);
            }
        }
        return;
    }
    if (const std::string reason = departure::leave(turn, database, found, asked, replicas);
        !reason.empty()) {
        pass.count(&Stats::kept);
        pass.observer(event::Kept{found.path(), reason});
    }
}

/// Notes in the ledger which rows peers have, for the next question (send/along.hpp). A note that
/// is too high costs a second question; none, where some had not failed, the same rows in each
/// pass.
template <AnyPass P>
void remember_rows(DatabaseTurn<P>& turn, const departure::Asked& asked) {
    const auto answered = [](decide::Outcome outcome) {
        return outcome != decide::Outcome::failed;
    };
    if (std::ranges::any_of(asked.outcomes, answered)) {
        turn.pass.memory.ledgers.with(turn.local.device, [&](Ledger& ledger) {
            ledger.note_rows(turn.place.hash, turn.info.max_row);
        });
    }
}

/// The state of a database that the walk has found at rest, for send/ledger.hpp. A file that cannot
/// be looked at has none; whoever opens it says why.
template <AnyPass P>
[[nodiscard]] std::optional<FileState> state_at(P& pass, const Place& found) {
    try {
        return found.at_rest ? state_of(pass.broker.disk().stat(found.path()), pass.clock.now())
                             : std::nullopt;
    } catch (const Failure&) {
        return std::nullopt;
    }
}

/// A digest of what every peer was seen to have (PeerTurn): of the rows by their hash and sums, the
/// times and the metadata. The cluster's own prefix and suffix keep clients from choosing it.
template <AnyPass P>
[[nodiscard]] std::uint64_t content_of(const DatabaseTurn<P>& turn) {
    const auto& info = turn.info;
    const auto& settings = turn.pass.settings;
    auto items = Metadata::parse_stored(info.metadata).items();
    std::ranges::sort(items, {}, &MetadataItem::key);
    const Timestamps times = info.timestamps();
    std::string text = settings.hash_path_prefix + '\n' + turn.place.hash + '\n' + info.hash + ' ' +
                       std::to_string(info.count) + ' ' + std::to_string(info.bytes_used) + ' ' +
                       times.created_at + ' ' + times.put_timestamp + ' ' + times.delete_timestamp +
                       '\n';
    for (const MetadataItem& item : items) {
        text += item.key + '\n' + item.value + '\n' + item.time + '\n';
    }
    text += settings.hash_path_suffix;
    std::uint64_t digest = 0;
    std::memcpy(&digest, md5(text).data(), sizeof digest);
    return digest;
}

/// Notes in the ledger that the database need not be opened before it changes, if that is so. All
/// peers have been asked. `before`: the state of the file before it was opened.
template <AnyPass P>
void confirm_rest(DatabaseTurn<P>& turn, const departure::Asked& asked,
                  const std::optional<FileState>& before, const Primaries& primaries) {
    P& pass = turn.pass;
    const auto& info = turn.info;
    const bool alive =
        timestamp_or_zero(info.delete_timestamp) <= timestamp_or_zero(info.put_timestamp);
    if (!before || !alive || turn.renumbered || turn.suspect || turn.unfinished || !turn.settled ||
        !asked.all_done() || turn.same != asked.outcomes.size() ||
        asked.outcomes.size() + 1 != primaries.devices.size() || turn.due == Timestamp{} ||
        !P::kind_type::may_rest(turn.database(), info)) {
        return;
    }
    // A copy that agrees with its peers notes so twice in a reclaim_age, lest it becomes stale.
    const Seconds most = std::min(pass.settings.reclaim_age / 8, Ledger::longest_rest);
    const Timestamp due = std::min(turn.due, turn.now().plus(most));
    const std::uint64_t content = content_of(turn);
    if (state_at(pass, turn.place) == before) {
        pass.memory.ledgers.with(turn.local.device, [&](Ledger& ledger) {
            ledger.confirm(turn.place.hash, *before, primaries, info.max_row, due, content);
        });
    }
}

/// True when every peer has all of the database. Throws what goes wrong with the local database.
template <AnyPass P>
[[nodiscard]] bool replicate_open(P& pass, const Place& found, const Device& local,
                                  Heartbeat& heartbeat) {
    const Instant patience = pass.after(storage::broker_patience);
    const auto state = state_at(pass, found); // before it is opened, see send/ledger.hpp
    const Known known = pass.memory.ledgers.with(
        local.device, [&](Ledger& ledger) { return ledger.take(found.hash, state); });
    std::optional<typename P::database_type> database(pass.broker.open(found.path(), patience));
    storage::flush_pending(pass.broker, *database, found.path(), patience);
    const auto info = database->info();
    const std::string name = info.name();

    const HashPath hash_path{pass.settings.hash_path_prefix, pass.settings.hash_path_suffix};
    if (hash_path(name) != found.hash) {
        pass.brakes.wrong_hash(local.device);
        pass.count_failure(local);
        pass.observer(event::WrongHash{found.path(), name});
        return false;
    }
    Place place = found;
    place.partition = pass.ring.partition(found.hash);
    const bool misplaced = place.partition != found.partition;
    if (misplaced) {
        pass.observer(event::Misplaced{found.path(), name, place.partition});
    }
    const Primaries listed(pass.ring.primaries(place.partition));
    const auto& primaries = listed.devices;
    const bool belongs = !misplaced && decide::is_primary(primaries, local.id);
    // A peer without a copy does not get an expired one: it would have to report that once more.
    const bool expiring = departure::is_expired(pass, info, pass.now());
    if (!belongs && !expiring && !departure::may_leave(pass, found, local)) {
        return false;
    }

    DatabaseTurn<P> turn{pass, place, local, heartbeat, *database, info, true, !belongs};
    turn.expiring = expiring;
    turn.known = known;
    departure::Asked asked = replicate_to_peers(turn, primaries, belongs);
    ask_again_unless_stale(turn, asked, belongs);
    remember_rows(turn, asked);
    turn.record_reached();
    if (pass.stop.stop_requested()) {
        // Some peers may not have been asked. And the daemon ends within a second or two, in the
        // middle of whatever is begun now (defect 87).
        return false;
    }
    note_agreement(turn);
    if (expiring) {
        if (const std::string reason = departure::expire(turn, database, found, asked);
            !reason.empty()) {
            pass.observer(event::Kept{found.path(), reason});
        }
        return asked.all_done();
    }
    const bool sound = after_peers(turn, asked.outcomes);
    clean_up(turn, database, found, info, asked, belongs, primaries.size());
    if (belongs && sound) {
        confirm_rest(turn, asked, state, listed);
    }
    return sound && asked.all_done();
}

} // namespace detail

/// Replicates one database to its peers (Swift: _replicate_object). Never throws: this is the one
/// place that catches what goes wrong with a database.
template <AnyPass P>
void replicate_database(P& pass, const Place& found, const Device& local, Heartbeat& heartbeat) {
    const Instant start = pass.clock.monotonic();
    pass.count(&Stats::attempted);
    pass.brakes.saw(local.device);
    pass.observer(event::DatabaseBegan{found.path()});
    heartbeat.expect(pass.after(storage::broker_patience + pass.settings.watchdog));
    bool success = false;
    try {
        pass.memory.doubts->settle(pass.broker.disk(), found.directory);
        success = detail::replicate_open(pass, found, local, heartbeat);
    } catch (const Failure& failure) {
        pass.memory.doubts->note(failure, found.directory);
        // Another process removed or replaced the file: nothing is wrong; the next pass sees.
        success = failure.error() == Error::missing || failure.error() == Error::moved;
        if (!success) {
            detail::local_failure(pass, found, local, heartbeat, failure);
        }
    } catch (const std::exception& failure) {
        const std::string what = failure.what();
        pass.count(&Stats::errors);
        pass.count_failure(local);
        pass.observer(event::DatabaseFailed{found.path(), what});
    }
    pass.observer(
        event::DatabaseEnded{found.path(), local.device, pass.clock.monotonic() - start, success});
}

} // namespace replica

#endif // REPLICA_SEND_REPLICATE_HPP
