#ifndef REPLICA_SEND_PEER_TURN_HPP
#define REPLICA_SEND_PEER_TURN_HPP

// One database and one peer: ask, choose, act.

#include <replica/observer.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/session.hpp>
#include <replica/send/stale.hpp>
#include <replica/send/usync.hpp>
#include <replica/send/whole.hpp>
#include <replica/words/md5.hpp>
#include <replica/words/message.hpp>
#include <replica/words/notes.hpp>

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
template <AnyPass P>
[[nodiscard]] message::Sync sync_of(DatabaseTurn<P>& turn) {
    const auto& info = turn.info;
    std::string metadata = info.metadata;
    if (!metadata.empty() && is_stale(turn)) { // the receiver takes over what it does not know
        metadata = Metadata::parse_stored(metadata).since(turn.reclaim_limit()).text();
    }
    return {info.max_row,
            info.hash,
            info.id,
            info.timestamps(),
            std::move(metadata),
            P::kind_type::sync_arguments(info, turn.pass.settings.policies.size())};
}

/// Runs one step of apply_reply. What cannot be read is left out, as by a receiver (defect 55). A
/// copy that leaves has no need of what it cannot write, and is sent all the same: what it takes
/// over is for copies that stay, and on a full disk those that leave are what makes space. But what
/// cannot be read, here or there, is a fault for it: values may be in this copy alone.
template <class P, std::invocable Step>
[[nodiscard]] std::optional<Fault> try_apply(DatabaseTurn<P>& turn, Step step) {
    try {
        step();
        return std::nullopt;
    } catch (const Failure& failure) {
        const bool unread = failure.error() == Error::bad_request;
        if (!unread && (!turn.leaves || is_lost(failure))) {
            throw;
        }
        const std::string what = failure.what();
        turn.pass.observer(event::SetAside{turn.found.path, what});
        return turn.leaves && unread ? std::optional(Fault{failure.code(), what}) : std::nullopt;
    }
}

/// Takes over what the peer's answer knows better: metadata (Swift 2.18), times (2.0, for accounts
/// here as well: defect 15), and what the server type agrees on. Returns why a copy that leaves
/// must stay although its rows go over.
template <AnyPass P>
[[nodiscard]] std::optional<Fault> apply_reply(DatabaseTurn<P>& turn,
                                               const typename P::info_type& remote) {
    std::optional<Fault> fault;
    const auto take = [&](auto step) {
        auto failed = try_apply(turn, step);
        fault = fault ? fault : failed;
    };
    if ((turn.leaves || !remote.metadata.empty()) && remote.metadata != turn.info.metadata) {
        take([&] { turn.database().merge_metadata(remote.metadata, turn.reclaim_limit()); });
    }
    if (remote.timestamps() != turn.info.timestamps()) {
        take([&] { turn.database().merge_timestamps(remote.timestamps()); });
    }
    take([&] {
        P::kind_type::adopt_policy(turn.database(), turn.info, remote, turn.pass.clock.now());
    });
    return fault;
}

/// What the two know of each other's rows.
template <AnyPass P>
[[nodiscard]] decide::Points points_of(DatabaseTurn<P>& turn,
                                       const message::SyncReply<typename P::info_type>& remote) {
    auto& database = turn.database();
    const std::string& id = remote.info.id;
    const decide::Points points{remote.point, database.sync_point(id, Direction::outgoing),
                                database.sync_point(id, Direction::incoming)};
    return turn.leaves ? decide::points_for_handoff(decide::Replica(turn.info),
                                                    decide::Replica(remote.info), points,
                                                    turn.note(notes::sent_to(id)))
                       : points;
}

/// Whether the peer knows a row that came here after the snapshot, by way of another process of
/// this machine (a single pass beside the service, Swift's sharder). The snapshot is a later one
/// then; what peers that came before have of it is not known.
template <AnyPass P>
[[nodiscard]] bool catch_up(DatabaseTurn<P>& turn, std::int64_t point) {
    const auto now = turn.database().info();
    if (now.id != turn.info.id || now.max_row < point) {
        return false;
    }
    turn.info = now;
    turn.renumbered = true;
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
template <AnyPass P>
[[nodiscard]] notes::Resend see_difference(DatabaseTurn<P>& turn,
                                           const typename P::info_type& remote) {
    const std::string key = notes::differs_from(remote.id);
    const auto seen = notes::Sighting::decode(turn.note(key)).again(digest_of(turn.info, remote));
    turn.set_note(key, seen.encode());
    return seen.due(turn.info.count != remote.count || turn.info.bytes_used != remote.bytes_used);
}

/// A wrong hash of ours differs from every peer's for ever, whatever is sent. So it is made anew
/// before anything is. Returns whether the two contents are the same now.
template <AnyPass P>
[[nodiscard]] bool mend_own(DatabaseTurn<P>& turn, const typename P::info_type& remote) {
    if (!mend_sums(turn)) {
        return false;
    }
    return decide::same_content(decide::Replica(turn.info), decide::Replica(remote));
}

/// Sends what a stale copy may: see stale.hpp. The note is where the next pass goes on, since the
/// peer's point stays below a row that was held back.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome> push_stale(DatabaseTurn<P>& turn, PeerSession<P>& peer,
                                                 const std::string& remote_id, std::int64_t point) {
    const std::string key = notes::held_from(remote_id);
    const std::int64_t before = point;
    point = std::max(point, turn.note(key));
    const HoldBack hold{turn.stale_limit(), before < point};
    auto outcome = push_rows(turn, peer, remote_id, point, hold);
    if (outcome && *outcome == decide::Outcome::stale) {
        turn.set_note(key, point);
    } else if (outcome && turn.leaves && point > before) {
        turn.set_note(notes::sent_to(remote_id), point);
    }
    return outcome;
}

/// In sync by points. If not by content as well, and that again and again, all rows are sent again;
/// once begun, also when new rows come between, after those, and in other processes. A copy that
/// leaves has no need of it: see decide::proven. Of one that was never followed (stale.hpp) go
/// those that a stale one may send.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome>
resend_if_diverged(DatabaseTurn<P>& turn, PeerSession<P>& peer, const typename P::info_type& remote,
                   const decide::Choice& choice) {
    P& pass = turn.pass;
    if (turn.leaves || decide::same_content(decide::Replica(turn.info), decide::Replica(remote))) {
        return decide::Outcome::done;
    }
    const std::string progress = notes::sent_to(remote.id);
    std::int64_t point = turn.note(progress);
    auto resend = notes::Resend::rows;
    if (point < 0) {
        resend = choice.suspect ? see_difference(turn, remote) : notes::Resend::nothing;
    }
    if (resend == notes::Resend::nothing) {
        return decide::Outcome::done;
    }
    if (mend_own(turn, remote)) {
        return decide::Outcome::done;
    }
    pass.count(&Stats::diverged);
    pass.observer(event::Diverged{turn.found.path, peer.device()});
    if (!is_followed(turn)) {
        return push_stale(turn, peer, remote.id, -1);
    }
    if (resend == notes::Resend::whole) {
        pass.count(&Stats::remote_merge);
        return push_file_to_merge(turn, peer, remote);
    }
    point = std::max<std::int64_t>(point, 0);
    auto outcome = push_rows(turn, peer, remote.id, point);
    const bool complete = outcome && *outcome == decide::Outcome::done;
    turn.set_note(progress, complete ? -1 : point);
    return outcome;
}

/// Acts on the choice after a 2xx.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome> carry_out(DatabaseTurn<P>& turn, PeerSession<P>& peer,
                                                const typename P::info_type& remote,
                                                const decide::Choice& choice) {
    P& pass = turn.pass;
    const bool sends =
        choice.way == decide::Way::rows || choice.way == decide::Way::whole_then_merge;
    if ((sends || (choice.suspect && !turn.leaves)) && is_stale(turn)) {
        return sends ? push_stale(turn, peer, remote.id, choice.point)
                     : Result<decide::Outcome>(decide::Outcome::stale);
    }
    switch (choice.way) {
    case decide::Way::no_change:
        pass.count(&Stats::no_change);
        pass.observer(event::InSync{turn.found.path, peer.device(), false});
        return resend_if_diverged(turn, peer, remote, choice);
    case decide::Way::hash_match:
        pass.count(&Stats::hashmatch);
        pass.observer(event::InSync{turn.found.path, peer.device(), true});
        turn.note_reached(remote.id, choice.point);
        return decide::Outcome::done;
    case decide::Way::whole_then_merge:
        pass.count(&Stats::remote_merge);
        return push_file_to_merge(turn, peer, remote);
    default: {
        std::int64_t point = choice.point;
        auto outcome = push_rows(turn, peer, remote.id, point);
        if (turn.leaves && point > choice.point) {
            turn.set_note(notes::sent_to(remote.id), point);
        }
        const bool complete = outcome && *outcome == decide::Outcome::done;
        return complete ? resend_if_diverged(turn, peer, remote, choice) : std::move(outcome);
    }
    }
}

/// The peer has no copy: it gets this one, unless the database expires or this copy may be stale.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome> bring_back(DatabaseTurn<P>& turn, PeerSession<P>& peer) {
    if (turn.expiring) {
        return decide::Outcome::done; // it has nothing that could come back
    }
    turn.settled = false;
    if (is_stale(turn)) {
        ++turn.without;
        return decide::Outcome::stale;
    }
    turn.pass.count(&Stats::rsync);
    return push_file_to_empty_peer(turn, peer);
}

/// The answer to a question about a database that both have.
template <AnyPass P>
[[nodiscard]] Result<message::SyncReply<typename P::info_type>>
understand(const PeerSession<P>& peer, const Reply& reply) {
    try {
        return message::decode_reply<typename P::info_type>(reply.body);
    } catch (const Failure& failure) {
        return Fault{Error::bad_reply,
                     peer.address() + '/' + peer.device().device + ": " + failure.what()};
    }
}

/// The rows are the sharder's. Only of a copy that has none left does a peer miss nothing: Swift
/// counts the others as done too, and removes handoffs with rows that nobody else has.
template <AnyPass P>
[[nodiscard]] decide::Outcome defer(DatabaseTurn<P>& turn, const Device& device) {
    turn.pass.count(&Stats::deferred);
    if (P::kind_type::is_sharded(turn.info) && turn.database().items_since(-1, 1).empty()) {
        return decide::Outcome::done;
    }
    turn.pass.observer(event::Deferred{turn.found.path, device});
    return decide::Outcome::deferred;
}

} // namespace detail

/// Brings one peer up to date (Swift: _repl_to_node). A fault is the peer's; what goes wrong with
/// the local database is thrown.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome> replicate_to_peer(DatabaseTurn<P>& turn,
                                                        const Device& device) {
    P& pass = turn.pass;
    PeerSession<P> peer(pass, turn.heartbeat, device, turn.found);
    bool renewed = false;
    for (int attempt = 1;; ++attempt) {
        auto reply = peer.send(message::encode(detail::sync_of(turn)), pass.settings.node_timeout);
        if (!reply) {
            return reply.error();
        }
        turn.ahead = std::max(turn.ahead, peer.ahead());
        turn.behind = std::max(turn.behind, peer.behind());
        if (reply->status == 404) {
            return detail::bring_back(turn, peer);
        }
        if (!reply->success()) {
            return peer.fault_of(*reply);
        }
        const auto understood = detail::understand(peer, *reply);
        if (!understood) {
            return understood.error();
        }
        const auto& remote = *understood;
        const auto unread = detail::apply_reply(turn, remote.info);
        auto fault = P::kind_type::before_rows(turn, peer, remote.info);
        fault = fault ? fault : unread;
        if (!P::kind_type::sends_rows(turn.info)) {
            const auto outcome = detail::defer(turn, device);
            return fault ? Result<decide::Outcome>(*fault) : outcome;
        }
        if (auto held = detail::held_back(turn, peer, remote.info.id)) {
            return *std::move(held);
        }
        const decide::Replica local(turn.info);
        const decide::Replica there(remote.info);
        const auto choice =
            decide::choose(local, there, detail::points_of(turn, remote), pass.settings);
        if (choice.way != decide::Way::renew_id) {
            turn.settled = turn.settled && choice.settled;
            compare_for_agreement(turn, remote.info, decide::same_content(local, there),
                                  choice.settled);
            auto outcome = detail::carry_out(turn, peer, remote.info, choice);
            return fault && outcome ? Result<decide::Outcome>(*fault) : std::move(outcome);
        }
        if (renewed || attempt == 3) {
            return Fault{Error::bad_reply, peer.address() + '/' + device.device +
                                               ": knows rows of an id that was just made"};
        }
        if (remote.point <= turn.info.max_row || !detail::catch_up(turn, remote.point)) {
            detail::renew_id(turn, "a peer knows rows that this file never had");
            renewed = true;
        }
    }
}

/// The last question before a copy goes (leaving.hpp): whether the peer has all of it. Nothing is
/// sent, and an answer that is none means no.
template <AnyPass P>
[[nodiscard]] bool still_has_all(DatabaseTurn<P>& turn, const Device& device) {
    using Info = typename P::info_type;
    P& pass = turn.pass;
    PeerSession<P> peer(pass, turn.heartbeat, device, turn.found);
    const auto reply =
        peer.expect_success(message::encode(detail::sync_of(turn)), pass.settings.node_timeout);
    if (!reply) {
        return false;
    }
    try {
        const auto remote = message::decode_reply<Info>(reply->body);
        const auto choice = decide::choose(decide::Replica(turn.info), decide::Replica(remote.info),
                                           detail::points_of(turn, remote), pass.settings);
        return choice.way == decide::Way::no_change || choice.way == decide::Way::hash_match ||
               !P::kind_type::sends_rows(turn.info);
    } catch (const Failure& failure) {
        if (is_lost(failure)) {
            throw;
        }
        return false;
    }
}

} // namespace replica

#endif // REPLICA_SEND_PEER_TURN_HPP
