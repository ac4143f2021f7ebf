#ifndef REPLICA_SEND_DEPARTURE_HPP
#define REPLICA_SEND_DEPARTURE_HPP

// How a database leaves its device: handed off to its primaries, or expired. Before storage::remove
// come the peers, which must have all of it, and the brakes. A copy that is handed off also asks
// its peers a last time, while it refuses `sync` itself (storage/leaving.hpp).

#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/local_devices.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/peer_turn.hpp>
#include <replica/send/stale.hpp>
#include <replica/send/walk.hpp>
#include <replica/storage/brakes.hpp>
#include <replica/storage/leaving.hpp>
#include <replica/storage/storage.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica::departure {

/// Whether the database is expired, and the kind lets it expire.
template <AnyPass P>
[[nodiscard]] bool is_expired(const P& pass, const typename P::info_type& info, Timestamp now) {
    return decide::is_expired(P::kind_type::live_rows(info), info.put_timestamp,
                              info.delete_timestamp, now, pass.settings.reclaim_age) &&
           P::kind_type::may_expire(info);
}

inline constexpr std::string_view too_many = "too many are leaving its device";

/// Counts and tells that a database stays. That the brakes keep it is also told once per device.
template <AnyPass P>
void keep_database(P& pass, const Place& found, const Device& local, const std::string& reason) {
    pass.count(&Stats::kept);
    pass.observer(event::Kept{found.path(), reason});
    if (reason == too_many && pass.brakes.announce(local.device)) {
        pass.observer(event::Braked{local.device, "too many of its databases would leave"});
    }
}

/// Removes a database unless the brakes or `keep` (storage::remove) have a reason against it.
/// Returns the reason, empty if the database is gone; nothing if the kind defers the removal. The
/// hourly count is written before the database goes.
template <AnyPass P, class Keep>
[[nodiscard]] std::optional<std::string>
remove_braked(P& pass, const Place& found, const Device& local, const typename P::info_type& info,
              Keep keep) {
    const std::string device = storage::device_path(pass.settings.devices, local.device);
    HourlyBrake& hourly = pass.memory.hourly;
    if (pass.brakes.frozen(local.device)) {
        return "its device has databases with wrong hashes";
    }
    if (!hourly.may_leave(pass.broker, pass.observer, device, pass.brakes.present(local.device),
                          pass.settings.leave_share)) {
        return std::string(too_many);
    }
    std::optional<std::string> reason;
    try {
        if (P::kind_type::before_removal(pass, LocalDatabase{found, local}, info)) {
            reason = storage::remove(pass.broker, found.path(), device, pass.random,
                                     pass.after(storage::broker_patience), keep,
                                     storage::remains_by(pass.settings));
        }
    } catch (const Failure&) {
        if (pass.broker.disk().stat(found.path())) {
            hourly.stays(pass.broker, pass.observer, device);
        }
        throw;
    }
    if (!reason || !reason->empty()) {
        hourly.stays(pass.broker, pass.observer, device);
    }
    return reason;
}

/// Removes a database unless there is a reason against it, and counts it.
template <AnyPass P, class Keep>
void remove_database(P& pass, const Place& found, const Device& local,
                     const typename P::info_type& info, std::string_view why, Keep keep) {
    const auto reason = remove_braked(pass, found, local, info, keep);
    if (!reason) {
        return;
    }
    if (!reason->empty()) {
        keep_database(pass, found, local, *reason);
        return;
    }
    pass.brakes.left(local.device);
    pass.count(&Stats::remove);
    pass.observer(event::Removed{found.path(), local.device, why});
}

/// Removes a copy as remove_database does, unless it has changed since its turn began. To empty the
/// trash for it may take as long as it takes to delete what lies there.
template <AnyPass P>
void remove_unchanged(DatabaseTurn<P>& turn, const Place& found, std::string_view why) {
    P& pass = turn.pass;
    remove_database(pass, found, turn.local, turn.info, why, [&](const auto& now) {
        return now == turn.info ? std::string() : "it has changed meanwhile";
    });
    empty_trash_if_due(pass, turn.local, 1,
                       [&] { turn.heartbeat.expect(pass.after(pass.settings.watchdog)); });
}

/// Whether the brakes let one more database leave its device. If not, the database stays and is not
/// sent out either: with a wrong ring that would only fill the disks of others.
template <AnyPass P>
[[nodiscard]] bool may_leave(P& pass, const Place& found, const Device& local) {
    const std::string device = storage::device_path(pass.settings.devices, local.device);
    const bool may =
        pass.brakes.may_try(local.device) &&
        pass.memory.hourly.has_room(pass.broker, pass.observer, device,
                                    pass.brakes.present(local.device), pass.settings.leave_share);
    if (!may) {
        keep_database(pass, found, local, std::string(too_many));
    }
    return may;
}

/// Notes another machine that has all of the database.
template <AnyPass P>
void note_machine(DatabaseTurn<P>& turn, const Device& peer, decide::Outcome outcome) {
    if (outcome == decide::Outcome::done && peer.replication_ip != turn.local.replication_ip) {
        turn.machines.insert(peer.replication_ip);
    }
}

/// The peers of one database in the order in which they were asked, and the outcome of each.
struct Asked {
    std::vector<Device> peers;
    std::vector<decide::Outcome> outcomes;

    [[nodiscard]] bool all_done() const {
        return std::ranges::all_of(
            outcomes, [](decide::Outcome outcome) { return outcome == decide::Outcome::done; });
    }

    [[nodiscard]] std::string ratio() const {
        const auto done = std::ranges::count(outcomes, decide::Outcome::done);
        return std::to_string(done) + '/' + std::to_string(outcomes.size());
    }
};

/// Asks each peer that is done once more (storage/leaving.hpp): does it still have all of the copy?
template <AnyPass P>
void ask_again(DatabaseTurn<P>& turn, Asked& asked) {
    turn.machines.clear();
    for (std::size_t i = 0; i < asked.peers.size(); ++i) {
        auto& outcome = asked.outcomes[i];
        if (outcome == decide::Outcome::done) {
            outcome = still_has_all(turn, asked.peers[i]) ? outcome : decide::Outcome::failed;
            note_machine(turn, asked.peers[i], outcome);
        }
    }
}

/// A stale copy sends its old rows to nobody. Once one peer has all of it, that peer brings those
/// rows to the others. So each peer that was held back is asked whether it has all of it by now.
template <AnyPass P>
void ask_for_their_word(DatabaseTurn<P>& turn, Asked& asked) {
    for (std::size_t i = 0; i < asked.peers.size(); ++i) {
        auto& outcome = asked.outcomes[i];
        if (outcome == decide::Outcome::stale && still_has_all(turn, asked.peers[i])) {
            outcome = decide::Outcome::done;
            note_machine(turn, asked.peers[i], outcome);
        }
    }
}

/// Removes a copy that does not belong here, once its peers have all of it. Returns the reason why
/// the copy stays; empty if it is gone or a reason was told already.
template <AnyPass P>
[[nodiscard]] std::string leave(DatabaseTurn<P>& turn,
                                std::optional<typename P::database_type>& database,
                                const Place& found, Asked& asked, std::size_t replicas) {
    P& pass = turn.pass;
    if (!P::kind_type::may_remove(turn.info)) {
        return "requires sharding";
    }
    if (turn.renumbered) {
        return "its rows were numbered anew meanwhile";
    }
    if (turn.proven && is_stale(turn)) {
        ask_for_their_word(turn, asked);
    }
    const auto have_it = [&] {
        return decide::may_remove(asked.outcomes, turn.machines.size(), replicas, pass.settings);
    };
    if (!have_it()) {
        return asked.ratio() + " success";
    }
    const auto mark =
        storage::announce_leaving(pass.broker.disk(), pass.clock, storage::parent(found.path()));
    if (!mark) {
        return "another process removes it";
    }
    ask_again(turn, asked);
    if (!have_it()) {
        return asked.ratio() + " would still have it";
    }
    database.reset();
    remove_unchanged(turn, found, "handed off");
    return {};
}

/// Removes an expired database. Conditions: its account knows the last state; every peer with a
/// copy is in sync; none has a row for us, since a peer that was away would bring the database back
/// with its live rows (defect 71). A count of 0 may be wrong for an honest reason, so all rows are
/// read first (defect 92). Returns why the database stays; empty if it is gone or that was told.
template <AnyPass P>
[[nodiscard]] std::string expire(DatabaseTurn<P>& turn,
                                 std::optional<typename P::database_type>& database,
                                 const Place& found, const Asked& asked) {
    P& pass = turn.pass;
    if (!P::kind_type::reported(turn.info)) {
        return "expired, but not reported";
    }
    if (!asked.all_done() || !turn.settled || turn.renumbered ||
        !is_expired(pass, turn.info, turn.now())) {
        return "expired, but " + asked.ratio() + " peers know all of it";
    }
    if (!may_leave(pass, found, turn.local)) {
        return {};
    }
    if (mend_sums(turn)) {
        return "expired by sums that its rows did not agree with";
    }
    database.reset();
    remove_unchanged(turn, found, "expired");
    return {};
}

} // namespace replica::departure

#endif // REPLICA_SEND_DEPARTURE_HPP
