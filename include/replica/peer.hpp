#ifndef REPLICA_PEER_HPP
#define REPLICA_PEER_HPP

// One database and one peer: ask, choose, act.

#include <replica/decide.hpp>
#include <replica/message.hpp>
#include <replica/observer.hpp>
#include <replica/pass.hpp>
#include <replica/rsync.hpp>
#include <replica/usync.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace replica {

namespace detail {

/// What `sync` says of us.
template <class P>
[[nodiscard]] message::Sync sync_of(const Task<P>& task) {
    const auto& info = task.info;
    return {
        info.max_row,  info.hash,
        info.id,       info.timestamps(),
        info.metadata, P::server_type::sync_arguments(info, task.pass.settings.policies.size())};
}

/// Takes over what the peer's answer knows better: metadata (Swift 2.18), times (2.0, for accounts
/// here as well: defect 15), and what the server type agrees on.
template <class P>
void apply_reply(Task<P>& task, const typename P::info_type& remote) {
    if (!remote.metadata.empty() && remote.metadata != task.info.metadata) {
        try {
            task.database().merge_metadata(remote.metadata);
        } catch (const Failure& failure) {
            if (failure.error() != Error::bad_request) {
                throw;
            }
            const std::string what = failure.what(); // Left out, as by a receiver (defect 55).
            task.pass.observer(event::SetAside{task.found.path, what});
        }
    }
    if (remote.timestamps() != task.info.timestamps()) {
        task.database().merge_timestamps(remote.timestamps());
    }
    P::server_type::agree(task.database(), task.info, remote, task.pass.clock.now());
}

/// In sync by points. If not by content as well, and that again and again, all rows are sent again.
/// A copy that is about to go sends them at once: it may be the only one that has them.
template <class P>
[[nodiscard]] Result<decide::Outcome> compare(Task<P>& task, Conversation<P>& peer,
                                              const typename P::info_type& remote,
                                              const decide::Choice& choice) {
    P& pass = task.pass;
    const std::string key = task.found.path + ' ' + remote.id;
    if (!choice.suspect && !pass.memory.resending(key)) {
        if (choice.settled) {
            pass.memory.agreed(key);
        }
        return decide::Outcome::done;
    }
    const auto content = [](const typename P::info_type& info) {
        return info.hash + ' ' + std::to_string(info.count) + ' ' + std::to_string(info.bytes_used);
    };
    const auto from =
        pass.memory.diverged(key, content(task.info) + ' ' + content(remote), task.leaves);
    if (!from) {
        return decide::Outcome::done;
    }
    pass.count(&Stats::diverged);
    pass.observer(event::Diverged{task.found.path, peer.device()});
    std::int64_t point = *from;
    auto outcome = push_rows(task, peer, remote.id, point);
    const bool complete = outcome && *outcome == decide::Outcome::done;
    pass.memory.resent(key, complete ? std::nullopt : std::optional(point));
    return outcome;
}

/// The whole file to a peer that merges it. A stock receiver then takes its own last ROWID for our
/// point, beyond our last row, and would skip what comes next here: so we step over these ROWIDs,
/// unless rows have come meanwhile. Then, or if the question fails, the next pass sees the point
/// and takes a new id, after which all rows go over again.
template <class P>
[[nodiscard]] Result<decide::Outcome> push_and_step_over(Task<P>& task, Conversation<P>& peer,
                                                         std::int64_t remote_rows) {
    P& pass = task.pass;
    auto outcome = push_file<message::RsyncThenMerge>(task, peer, remote_rows);
    if (!outcome) {
        return outcome;
    }
    const auto reply = peer.send(message::encode(message::Sync::question(task.info.id)),
                                 pass.settings.node_timeout);
    if (!reply || reply->status != 200) {
        return outcome;
    }
    try {
        const auto remote = message::decode_reply<typename P::info_type>(reply->body);
        if (remote.point > task.info.max_row &&
            task.database().skip_rows(task.info.max_row, remote.point)) {
            task.info = task.database().info();
            task.renumbered = true;
        }
    } catch (const Failure& failure) {
        if (failure.error() != Error::bad_request && failure.error() != Error::locked) {
            throw;
        }
    }
    return outcome;
}

/// Acts on the choice after a 2xx.
template <class P>
[[nodiscard]] Result<decide::Outcome> act(Task<P>& task, Conversation<P>& peer,
                                          const typename P::info_type& remote,
                                          const decide::Choice& choice) {
    P& pass = task.pass;
    switch (choice.way) {
    case decide::Way::no_change:
        pass.count(&Stats::no_change);
        pass.observer(event::InSync{task.found.path, peer.device(), false});
        return compare(task, peer, remote, choice);
    case decide::Way::hash_match:
        pass.count(&Stats::hashmatch);
        pass.observer(event::InSync{task.found.path, peer.device(), true});
        task.note_reached(remote.id, choice.point);
        return decide::Outcome::done;
    case decide::Way::whole_then_merge:
        pass.count(&Stats::remote_merge);
        return push_and_step_over(task, peer, remote.count);
    default: {
        std::int64_t point = choice.point;
        return push_rows(task, peer, remote.id, point);
    }
    }
}

/// The rows are the sharder's. Only of a copy that has none left does a peer miss nothing: Swift
/// counts the others as done too, and removes handoffs with rows that nobody else has.
template <class P>
[[nodiscard]] decide::Outcome defer(Task<P>& task, const Device& device) {
    task.pass.count(&Stats::deferred);
    if (P::server_type::is_sharded(task.info) && task.database().items_since(-1, 1).empty()) {
        return decide::Outcome::done;
    }
    task.pass.observer(event::Deferred{task.found.path, device});
    return decide::Outcome::deferred;
}

} // namespace detail

/// Brings one peer up to date (seed: _repl_to_node). A fault is the peer's; what goes wrong with
/// the local database is thrown.
template <class P>
[[nodiscard]] Result<decide::Outcome> replicate_to_peer(Task<P>& task, const Device& device) {
    using Info = typename P::info_type;
    P& pass = task.pass;
    Conversation<P> peer(pass, task.pulse, device, task.found);
    for (bool renewed = false;; renewed = true) {
        auto reply = peer.send(message::encode(detail::sync_of(task)), pass.settings.node_timeout);
        if (!reply) {
            return reply.error();
        }
        if (reply->status == 404) {
            pass.count(&Stats::rsync);
            task.settled = false;
            return push_file<message::CompleteRsync>(task, peer, 0);
        }
        if (!reply->success()) {
            return peer.fault_of(*reply);
        }
        message::SyncReply<Info> remote;
        try {
            remote = message::decode_reply<Info>(reply->body);
        } catch (const Failure& failure) {
            return Fault{Error::bad_reply,
                         peer.address() + '/' + device.device + ": " + failure.what()};
        }
        detail::apply_reply(task, remote.info);
        const auto fault = P::server_type::before_rows(task, peer, remote.info);
        if (!P::server_type::sends_rows(task.info)) {
            const auto outcome = detail::defer(task, device);
            return fault ? Result<decide::Outcome>(*fault) : outcome;
        }
        decide::Points points{remote.point,
                              task.database().sync_point(remote.info.id, Direction::outgoing),
                              task.database().sync_point(remote.info.id, Direction::incoming)};
        if (task.leaves && points.outgoing <= task.info.max_row) {
            points.outgoing = -1;
        }
        const auto choice = decide::choose(decide::Replica(task.info), decide::Replica(remote.info),
                                           points, pass.settings);
        if (choice.way != decide::Way::renew_id) {
            task.settled = task.settled && choice.settled;
            auto outcome = detail::act(task, peer, remote.info, choice);
            return fault && outcome ? Result<decide::Outcome>(*fault) : std::move(outcome);
        }
        if (renewed) {
            return Fault{Error::bad_reply, peer.address() + '/' + device.device +
                                               ": knows rows of an id that was just made"};
        }
        task.database().renew_id();
        task.info = task.database().info();
        task.renumbered = true;
        pass.count(&Stats::reidentified);
        pass.observer(
            event::Reidentified{task.found.path, "a peer knows rows that this file never had"});
    }
}

} // namespace replica

#endif // REPLICA_PEER_HPP
