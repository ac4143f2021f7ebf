#ifndef REPLICA_PEER_HPP
#define REPLICA_PEER_HPP

// One database and one peer: ask, choose, act.

#include <replica/decide.hpp>
#include <replica/md5.hpp>
#include <replica/message.hpp>
#include <replica/notes.hpp>
#include <replica/observer.hpp>
#include <replica/pass.hpp>
#include <replica/sqlite/metadata.hpp>
#include <replica/stale.hpp>
#include <replica/usync.hpp>
#include <replica/whole.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

namespace detail {

/// What `sync` says of us.
template <class P>
[[nodiscard]] message::Sync sync_of(Task<P>& task) {
    const auto& info = task.info;
    std::string metadata = info.metadata;
    if (!metadata.empty() && is_stale(task)) { // the receiver takes over what it does not know
        metadata = Metadata::parse_stored(metadata).since(task.reclaim_limit()).text();
    }
    return {info.max_row,
            info.hash,
            info.id,
            info.timestamps(),
            std::move(metadata),
            P::server_type::sync_arguments(info, task.pass.settings.policies.size())};
}

/// Runs one step of apply_reply. What cannot be read is left out, as by a receiver (defect 55). A
/// copy that leaves has no need of what it cannot write, and is sent all the same: what it takes
/// over is for copies that stay, and on a full disk those that leave are what makes space. But what
/// cannot be read, here or there, is a fault for it: values may be in this copy alone.
template <class P, std::invocable Step>
[[nodiscard]] std::optional<Fault> take_over(Task<P>& task, Step step) {
    try {
        step();
        return std::nullopt;
    } catch (const Failure& failure) {
        const bool unread = failure.error() == Error::bad_request;
        if (!unread && (!task.leaves || is_lost(failure))) {
            throw;
        }
        const std::string what = failure.what();
        task.pass.observer(event::SetAside{task.found.path, what});
        return task.leaves && unread ? std::optional(Fault{failure.code(), what}) : std::nullopt;
    }
}

/// Takes over what the peer's answer knows better: metadata (Swift 2.18), times (2.0, for accounts
/// here as well: defect 15), and what the server type agrees on. Returns why a copy that leaves
/// must stay although its rows go over.
template <class P>
[[nodiscard]] std::optional<Fault> apply_reply(Task<P>& task, const typename P::info_type& remote) {
    std::optional<Fault> fault;
    const auto take = [&](auto step) {
        auto failed = take_over(task, step);
        fault = fault ? fault : failed;
    };
    if ((task.leaves || !remote.metadata.empty()) && remote.metadata != task.info.metadata) {
        take([&] { task.database().merge_metadata(remote.metadata, task.reclaim_limit()); });
    }
    if (remote.timestamps() != task.info.timestamps()) {
        take([&] { task.database().merge_timestamps(remote.timestamps()); });
    }
    take([&] { P::server_type::agree(task.database(), task.info, remote, task.pass.clock.now()); });
    return fault;
}

/// What the two know of each other's rows.
template <class P>
[[nodiscard]] decide::Points points_of(Task<P>& task,
                                       const message::SyncReply<typename P::info_type>& remote) {
    auto& database = task.database();
    const std::string& id = remote.info.id;
    const decide::Points points{remote.point, database.sync_point(id, Direction::outgoing),
                                database.sync_point(id, Direction::incoming)};
    return task.leaves ? decide::proven(decide::Replica(task.info), decide::Replica(remote.info),
                                        points, task.note(notes::sent_to(id)))
                       : points;
}

/// Whether the peer knows a row that came here after the snapshot, by way of another process of
/// this machine (a single pass beside the service, Swift's sharder). The snapshot is a later one
/// then; what peers that came before have of it is not known.
template <class P>
[[nodiscard]] bool catch_up(Task<P>& task, std::int64_t point) {
    const auto now = task.database().info();
    if (now.id != task.info.id || now.max_row < point) {
        return false;
    }
    task.info = now;
    task.renumbered = true;
    return true;
}

/// A digest of the difference between two contents: unchanged means that nothing has helped. The
/// hash of a database is the sum of its rows', modulo 2. So rows that both have got meanwhile make
/// no other difference, and one in a database that is written to all the time is seen as well.
template <class I>
[[nodiscard]] std::uint32_t digest_of(const I& local, const I& remote) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    std::string difference = local.hash + ' ' + remote.hash;
    if (is_hash(local.hash) && is_hash(remote.hash)) {
        difference.clear();
        for (std::size_t i = 0; i < local.hash.size(); ++i) {
            difference += static_cast<char>(digit(local.hash[i]) ^ digit(remote.hash[i]));
        }
    }
    difference += ' ' + std::to_string(local.count - remote.count) + ' ' +
                  std::to_string(local.bytes_used - remote.bytes_used);
    const Md5Digest digest = md5(difference);
    return std::uint32_t{digest[0]} << 24 | std::uint32_t{digest[1]} << 16 |
           std::uint32_t{digest[2]} << 8 | digest[3];
}

/// One more sighting of a difference is noted; what to do about it.
template <class P>
[[nodiscard]] notes::Resend see_difference(Task<P>& task, const typename P::info_type& remote) {
    const std::string key = notes::differs_from(remote.id);
    const auto seen = notes::Sighting::decode(task.note(key)).again(digest_of(task.info, remote));
    task.set_note(key, seen.encode());
    return seen.due(task.info.count != remote.count || task.info.bytes_used != remote.bytes_used);
}

/// A wrong hash of ours differs from every peer's for ever, whatever is sent. So it is made anew
/// before anything is. Returns whether the two contents are the same now.
template <class P>
[[nodiscard]] bool mend_own(Task<P>& task, const typename P::info_type& remote) {
    if (!mend_sums(task)) {
        return false;
    }
    return decide::same_content(decide::Replica(task.info), decide::Replica(remote));
}

/// Sends what a stale copy may: see stale.hpp. The note is where the next pass goes on, since the
/// peer's point stays below a row that was held back.
template <class P>
[[nodiscard]] Result<decide::Outcome> push_stale(Task<P>& task, Conversation<P>& peer,
                                                 const std::string& remote_id, std::int64_t point) {
    const std::string key = notes::held_from(remote_id);
    const std::int64_t before = point;
    point = std::max(point, task.note(key));
    const HoldBack hold{task.stale_limit(), before < point};
    auto outcome = push_rows(task, peer, remote_id, point, hold);
    if (outcome && *outcome == decide::Outcome::stale) {
        task.set_note(key, point);
    } else if (outcome && task.leaves && point > before) {
        task.set_note(notes::sent_to(remote_id), point);
    }
    return outcome;
}

/// In sync by points. If not by content as well, and that again and again, all rows are sent again;
/// once begun, also when new rows come between, after those, and in other processes. A copy that
/// leaves has no need of it: see decide::proven. Of one that was never followed (stale.hpp) go
/// those that a stale one may send.
template <class P>
[[nodiscard]] Result<decide::Outcome> resend_if_diverged(Task<P>& task, Conversation<P>& peer,
                                                         const typename P::info_type& remote,
                                                         const decide::Choice& choice) {
    P& pass = task.pass;
    if (task.leaves || decide::same_content(decide::Replica(task.info), decide::Replica(remote))) {
        return decide::Outcome::done;
    }
    const std::string progress = notes::sent_to(remote.id);
    std::int64_t point = task.note(progress);
    auto resend = notes::Resend::rows;
    if (point < 0) {
        resend = choice.suspect ? see_difference(task, remote) : notes::Resend::nothing;
    }
    if (resend == notes::Resend::nothing) {
        return decide::Outcome::done;
    }
    if (mend_own(task, remote)) {
        return decide::Outcome::done;
    }
    pass.count(&Stats::diverged);
    pass.observer(event::Diverged{task.found.path, peer.device()});
    if (!is_followed(task)) {
        return push_stale(task, peer, remote.id, -1);
    }
    if (resend == notes::Resend::whole) {
        pass.count(&Stats::remote_merge);
        return push_and_note(task, peer, remote);
    }
    point = std::max<std::int64_t>(point, 0);
    auto outcome = push_rows(task, peer, remote.id, point);
    const bool complete = outcome && *outcome == decide::Outcome::done;
    task.set_note(progress, complete ? -1 : point);
    return outcome;
}

/// Acts on the choice after a 2xx.
template <class P>
[[nodiscard]] Result<decide::Outcome> act(Task<P>& task, Conversation<P>& peer,
                                          const typename P::info_type& remote,
                                          const decide::Choice& choice) {
    P& pass = task.pass;
    const bool sends =
        choice.way == decide::Way::rows || choice.way == decide::Way::whole_then_merge;
    if (sends && is_stale(task)) {
        return push_stale(task, peer, remote.id, choice.point);
    }
    if (choice.suspect && !task.leaves && is_stale(task)) {
        // Nothing is sent again. It may still drop its tombstones: the peer has them, or has
        // dropped them already, and then the two are equal.
        task.suspect = true;
        return decide::Outcome::done;
    }
    switch (choice.way) {
    case decide::Way::no_change:
        pass.count(&Stats::no_change);
        pass.observer(event::InSync{task.found.path, peer.device(), false});
        return resend_if_diverged(task, peer, remote, choice);
    case decide::Way::hash_match:
        pass.count(&Stats::hashmatch);
        pass.observer(event::InSync{task.found.path, peer.device(), true});
        task.note_reached(remote.id, choice.point);
        return decide::Outcome::done;
    case decide::Way::whole_then_merge:
        pass.count(&Stats::remote_merge);
        return push_and_note(task, peer, remote);
    default: {
        std::int64_t point = choice.point;
        auto outcome = push_rows(task, peer, remote.id, point);
        if (task.leaves && point > choice.point) {
            task.set_note(notes::sent_to(remote.id), point);
        }
        const bool complete = outcome && *outcome == decide::Outcome::done;
        return complete ? resend_if_diverged(task, peer, remote, choice) : std::move(outcome);
    }
    }
}

/// The peer has no copy: it gets this one, unless the database expires or this copy may be stale.
template <class P>
[[nodiscard]] Result<decide::Outcome> bring_back(Task<P>& task, Conversation<P>& peer) {
    if (task.expiring) {
        return decide::Outcome::done; // it has nothing that could come back
    }
    task.settled = false;
    if (is_stale(task)) {
        ++task.without;
        return decide::Outcome::stale;
    }
    task.pass.count(&Stats::rsync);
    return push_first(task, peer);
}

/// The answer to a question about a database that both have.
template <class P>
[[nodiscard]] Result<message::SyncReply<typename P::info_type>>
understand(const Conversation<P>& peer, const Reply& reply) {
    try {
        return message::decode_reply<typename P::info_type>(reply.body);
    } catch (const Failure& failure) {
        return Fault{Error::bad_reply,
                     peer.address() + '/' + peer.device().device + ": " + failure.what()};
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

/// Brings one peer up to date (Swift: _repl_to_node). A fault is the peer's; what goes wrong with
/// the local database is thrown.
template <class P>
[[nodiscard]] Result<decide::Outcome> replicate_to_peer(Task<P>& task, const Device& device) {
    P& pass = task.pass;
    Conversation<P> peer(pass, task.pulse, device, task.found);
    bool renewed = false;
    for (int attempt = 1;; ++attempt) {
        auto reply = peer.send(message::encode(detail::sync_of(task)), pass.settings.node_timeout);
        if (!reply) {
            return reply.error();
        }
        task.ahead = std::max(task.ahead, peer.ahead());
        task.behind = std::max(task.behind, peer.behind());
        if (reply->status == 404) {
            return detail::bring_back(task, peer);
        }
        if (!reply->success()) {
            return peer.fault_of(*reply);
        }
        const auto understood = detail::understand(peer, *reply);
        if (!understood) {
            return understood.error();
        }
        const auto& remote = *understood;
        const auto unread = detail::apply_reply(task, remote.info);
        auto fault = P::server_type::before_rows(task, peer, remote.info);
        fault = fault ? fault : unread;
        if (!P::server_type::sends_rows(task.info)) {
            const auto outcome = detail::defer(task, device);
            return fault ? Result<decide::Outcome>(*fault) : outcome;
        }
        if (auto held = detail::held_back(task, peer, remote.info.id)) {
            return *std::move(held);
        }
        const decide::Replica local(task.info);
        const decide::Replica there(remote.info);
        const auto choice =
            decide::choose(local, there, detail::points_of(task, remote), pass.settings);
        if (choice.way != decide::Way::renew_id) {
            task.settled = task.settled && choice.settled;
            compare_for_agreement(task, remote.info, decide::same_content(local, there),
                                  choice.settled);
            auto outcome = detail::act(task, peer, remote.info, choice);
            return fault && outcome ? Result<decide::Outcome>(*fault) : std::move(outcome);
        }
        if (renewed || attempt == 3) {
            return Fault{Error::bad_reply, peer.address() + '/' + device.device +
                                               ": knows rows of an id that was just made"};
        }
        if (remote.point <= task.info.max_row || !detail::catch_up(task, remote.point)) {
            detail::renew_id(task, "a peer knows rows that this file never had");
            renewed = true;
        }
    }
}

/// The last question before a copy goes (leaving.hpp): whether the peer has all of it. Nothing is
/// sent, and an answer that is none means no.
template <class P>
[[nodiscard]] bool still_has_all(Task<P>& task, const Device& device) {
    using Info = typename P::info_type;
    P& pass = task.pass;
    Conversation<P> peer(pass, task.pulse, device, task.found);
    const auto reply =
        peer.expect_success(message::encode(detail::sync_of(task)), pass.settings.node_timeout);
    if (!reply) {
        return false;
    }
    try {
        const auto remote = message::decode_reply<Info>(reply->body);
        const auto choice = decide::choose(decide::Replica(task.info), decide::Replica(remote.info),
                                           detail::points_of(task, remote), pass.settings);
        return choice.way == decide::Way::no_change || choice.way == decide::Way::hash_match ||
               !P::server_type::sends_rows(task.info);
    } catch (const Failure& failure) {
        if (is_lost(failure)) {
            throw;
        }
        return false;
    }
}

} // namespace replica

#endif // REPLICA_PEER_HPP
