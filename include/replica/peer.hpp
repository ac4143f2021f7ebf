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
#include <string>
#include <utility>
#include <vector>

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
        task.database.merge_metadata(remote.metadata);
    }
    if (remote.timestamps() != task.info.timestamps()) {
        task.database.merge_timestamps(remote.timestamps());
    }
    P::server_type::agree(task.database, task.info, remote, task.pass.clock.now());
}

/// In sync by points, but not by content. True if all rows should be sent again.
template <class P>
[[nodiscard]] bool diverged(Task<P>& task, const Conversation<P>& peer,
                            const typename P::info_type& remote, bool suspect) {
    P& pass = task.pass;
    const std::string key = task.found.path + ' ' + remote.id;
    if (!suspect) {
        pass.memory.agreed(key);
        return false;
    }
    const std::string signature = task.info.hash + remote.hash + ' ' +
                                  std::to_string(task.info.max_row) + ' ' +
                                  std::to_string(remote.max_row);
    if (!pass.memory.diverged(key, signature)) {
        return false;
    }
    pass.count(&Stats::diverged);
    pass.observer(event::Diverged{task.found.path, peer.device()});
    return true;
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
        if (diverged(task, peer, remote, choice.suspect)) {
            return push_rows(task, peer, remote.id, -1);
        }
        return decide::Outcome::done;
    case decide::Way::hash_match: {
        pass.count(&Stats::hashmatch);
        pass.observer(event::InSync{task.found.path, peer.device(), true});
        const std::vector<SyncPoint> reached{{choice.point, remote.id}};
        task.database.merge_sync_points(reached, Direction::outgoing);
        return decide::Outcome::done;
    }
    case decide::Way::whole_then_merge:
        pass.count(&Stats::remote_merge);
        return push_file<message::RsyncThenMerge>(task, peer, remote.count);
    default:
        return push_rows(task, peer, remote.id, choice.point);
    }
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
            if (!P::server_type::unsharded(task.info)) {
                pass.count(&Stats::deferred);
                pass.observer(event::Deferred{task.found.path, device});
                return decide::Outcome::deferred;
            }
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
        if (!P::server_type::unsharded(task.info) || !P::server_type::unsharded(remote.info)) {
            pass.count(&Stats::deferred);
            pass.observer(event::Deferred{task.found.path, device});
            return decide::Outcome::deferred;
        }
        const decide::Points points{remote.point,
                                    task.database.sync_point(remote.info.id, Direction::outgoing),
                                    task.database.sync_point(remote.info.id, Direction::incoming)};
        const auto choice = decide::choose(decide::Replica(task.info), decide::Replica(remote.info),
                                           points, pass.settings);
        if (choice.way != decide::Way::renew_id) {
            task.settled = task.settled && choice.settled;
            return detail::act(task, peer, remote.info, choice);
        }
        if (renewed) {
            return Fault{Error::bad_reply, peer.address() + '/' + device.device +
                                               ": knows rows of an id that was just made"};
        }
        task.database.renew_id();
        task.info = task.database.info();
        pass.count(&Stats::reidentified);
        pass.observer(
            event::Reidentified{task.found.path, "a peer knows rows that this file never had"});
    }
}

} // namespace replica

#endif // REPLICA_PEER_HPP
