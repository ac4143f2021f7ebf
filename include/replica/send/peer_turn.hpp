#ifndef REPLICA_SEND_PEER_TURN_HPP
#define REPLICA_SEND_PEER_TURN_HPP

// One database and one peer: ask, choose, carry out.

#include <replica/observer.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/send/along.hpp>
#include <replica/send/awaited.hpp>
#include <replica/send/compare.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/session.hpp>
#include <replica/send/stale.hpp>
#include <replica/send/usync.hpp>
#include <replica/send/whole.hpp>
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

/// The turn of one peer: from the question about one database to the outcome. Belongs to one
/// worker. What goes wrong with the peer is a fault; what goes wrong with the database is thrown.
template <AnyPass P>
class PeerTurn {
    using Info = typename P::info_type;

public:
    PeerTurn(DatabaseTurn<P>& turn, const Device& device)
        : turn_(turn), session_(turn.pass, turn.heartbeat, device, turn.place) {}

    /// Brings the peer up to date.
    [[nodiscard]] Result<decide::Outcome> run() {
        P& pass = turn_.pass;
        bool renewed = false;
        for (int attempt = 1;; ++attempt) {
            const std::string_view along = argument_for(turn_, session_);
            auto reply =
                session_.send(message::encode_with(sync_of(), along), pass.settings.node_timeout);
            if (!reply) {
                return reply.error();
            }
            turn_.ahead = std::max(turn_.ahead, session_.ahead());
            turn_.behind = std::max(turn_.behind, session_.behind());
            if (reply->status == 404) {
                return bring_back();
            }
            if (is_refusal_of(turn_, session_.device(), along, reply->status)) {
                continue;
            }
            if (!reply->success()) {
                return session_.fault_of(*reply);
            }
            const auto understood = session_.template read_info<Info>(*reply);
            if (!understood) {
                return understood.error();
            }
            const auto& remote = *understood;
            const bool has_all = went_along(turn_, session_.device(), along, remote.merged);
            const auto unread = apply_reply(remote.info);
            auto fault = P::kind_type::before_rows(turn_, session_, remote.info);
            fault = fault ? fault : unread;
            if (!P::kind_type::sends_rows(turn_.info)) {
                const auto outcome = defer();
                return fault ? Result<decide::Outcome>(*fault) : outcome;
            }
            if (auto held = unfinished_transfer(turn_, session_, true)) {
                return *std::move(held);
            }
            const decide::Replica local(turn_.info);
            const decide::Replica there(remote.info);
            const auto choice = choose(turn_, remote.info, points_of(remote));
            if (choice.way != decide::Way::renew_id) {
                look_for_loss(remote.info, choice, decide::same_content(local, there));
                turn_.settled = turn_.settled && choice.settled;
                compare_for_agreement(turn_, remote.info, decide::same_content(local, there),
                                      choice.settled);
                auto outcome = carry_out(remote.info, choice, has_all);
                return fault && outcome ? Result<decide::Outcome>(*fault) : std::move(outcome);
            }
            if (renewed || attempt == 3) {
                return Fault{Error::bad_reply, session_.address() + '/' + session_.device().device +
                                                   ": knows rows of an id that was just made"};
            }
            if (remote.point <= turn_.info.max_row || !catch_up(remote.point)) {
                renew_id(turn_, "a peer knows rows that this file never had");
                renewed = true;
            }
        }
    }

    /// The last question before a copy goes (storage/leaving.hpp): whether the peer has all of it.
    /// Nothing is sent. No answer, or one that cannot be read, means no.
    [[nodiscard]] bool still_has_all() {
        const auto reply =
            session_.expect_success(message::encode(sync_of()), turn_.pass.settings.node_timeout);
        if (!reply) {
            return false;
        }
        try {
            const auto remote = message::decode_reply<Info>(reply->body);
            const auto choice =
                decide::choose(decide::Replica(turn_.info), decide::Replica(remote.info),
                               points_of(remote), turn_.pass.settings);
            return choice.way == decide::Way::no_change || choice.way == decide::Way::hash_match ||
                   !P::kind_type::sends_rows(turn_.info);
        } catch (const Failure& failure) {
            if (is_lost(failure)) {
                throw;
            }
            return false;
        }
    }

private:
    /// The arguments of `sync` for this database.
    [[nodiscard]] message::Sync sync_of() {
        const auto& info = turn_.info;
        std::string metadata = info.metadata;
        if (!metadata.empty() && is_stale(turn_)) { // the receiver keeps what it does not know
            metadata = Metadata::parse_stored(metadata).since(turn_.reclaim_limit()).text();
        }
        return {info.max_row,
                info.hash,
                info.id,
                info.timestamps(),
                std::move(metadata),
                P::kind_type::sync_arguments(info, turn_.pass.settings.policies.size())};
    }

    /// Runs one step of apply_reply. A receiver leaves out values that it cannot read; so does this
    /// (defect 55). For a copy that leaves, a step that cannot be written is left out as well: the
    /// values are for copies that stay, and on a full disk the copies that leave make space. But
    /// values that cannot be read, here or there, are a fault for such a copy, which may be the
    /// only one that has them.
    template <std::invocable Step>
    [[nodiscard]] std::optional<Fault> try_apply(Step step) {
        try {
            step();
            return std::nullopt;
        } catch (const Failure& failure) {
            const bool unread = failure.error() == Error::bad_request;
            if (!unread && (!turn_.leaves || is_lost(failure))) {
                throw;
            }
            turn_.pass.memory.doubts->note(failure, turn_.place.directory);
            const std::string what = failure.what();
            turn_.pass.observer(event::SetAside{turn_.place.path(), what});
            return turn_.leaves && unread ? std::optional(Fault{failure.code(), what})
                                          : std::nullopt;
        }
    }

    /// Merges the peer's metadata (Swift 2.18), times (Swift 2.0, here for accounts as well: defect
    /// 15) and storage policy. Returns why a copy that leaves must stay although its rows go over.
    [[nodiscard]] std::optional<Fault> apply_reply(const Info& remote) {
        std::optional<Fault> fault;
        const auto take = [&](auto step) {
            auto failed = try_apply(step);
            fault = fault ? fault : failed;
        };
        if ((turn_.leaves || !remote.metadata.empty()) && remote.metadata != turn_.info.metadata) {
            take([&] { turn_.database().merge_metadata(remote.metadata, turn_.reclaim_limit()); });
        }
        if (remote.timestamps() != turn_.info.timestamps()) {
            take([&] { turn_.database().merge_timestamps(remote.timestamps()); });
        }
        take([&] {
            P::kind_type::adopt_policy(turn_.database(), turn_.info, remote,
                                       turn_.pass.clock.now());
        });
        return fault;
    }

    /// What the peer's answer says about the ledger. `same`: its rows are the same.
    void look_for_loss(const Info& remote, const decide::Choice& choice, bool same) {
        if (same && is_same_beside_rows(turn_.info, remote)) {
            ++turn_.same;
        } else if (choice.way != decide::Way::no_change) {
            distrust_if_confirmed();
        }
    }

    /// The peer lacks what it once had, and its device may lack more: send/ledger.hpp.
    void distrust_if_confirmed() {
        if (turn_.known.same) {
            turn_.pass.memory.ledgers.distrust(session_.device());
        }
    }

    /// How far the two know each other's rows.
    [[nodiscard]] decide::Points points_of(const message::SyncReply<Info>& remote) {
        auto& database = turn_.database();
        const std::string& id = remote.info.id;
        const decide::Points points{remote.point, database.sync_point(id, Direction::outgoing),
                                    database.sync_point(id, Direction::incoming)};
        turn_.peer_has = std::max(points.theirs, points.outgoing);
        return turn_.leaves ? decide::points_for_handoff(decide::Replica(turn_.info),
                                                         decide::Replica(remote.info), points,
                                                         turn_.note(notes::sent_to(id)))
                            : points;
    }

    /// Whether the peer's point is of a row that came here after the snapshot, by way of another
    /// process of this machine (a single pass beside the service, Swift's sharder). If so, the
    /// snapshot is taken again; what the earlier peers have of it is not known.
    [[nodiscard]] bool catch_up(std::int64_t point) {
        const auto now = turn_.database().info();
        if (now.id != turn_.info.id || now.max_row < point) {
            return false;
        }
        turn_.info = now;
        turn_.renumbered = true;
        return true;
    }

    /// Counts one more sighting of a difference. Returns what to send because of it.
    [[nodiscard]] notes::Resend see_difference(const Info& remote) {
        const std::string key = notes::differs_from(remote.id);
        const auto seen = notes::Sighting::decode(turn_.note(key))
                              .again(notes::difference_of(turn_.info, remote));
        turn_.set_note(key, seen.encode());
        return seen.due(turn_.info.count != remote.count ||
                        turn_.info.bytes_used != remote.bytes_used);
    }

    /// Recomputes our own hash before anything is sent: a wrong one differs from every peer's for
    /// ever (defect 72). Returns whether the two contents are the same now.
    [[nodiscard]] bool mend_own(const Info& remote) {
        if (!mend_sums(turn_)) {
            return false;
        }
        return decide::same_content(decide::Replica(turn_.info), decide::Replica(remote));
    }

    /// The two are in sync by points. If their contents differ in several passes (notes::Sighting),
    /// all rows are sent again, or the whole file. Once begun, the rows go on in later passes and
    /// processes, also after new rows. A copy that leaves needs none of this
    /// (decide::points_for_handoff). A stale copy, and one that was never followed, sends what a
    /// stale copy may (send/stale.hpp), and one that gave up rows of the peer nothing.
    [[nodiscard]] Result<decide::Outcome> resend_if_diverged(const Info& remote,
                                                             const decide::Choice& choice) {
        P& pass = turn_.pass;
        const std::string progress = notes::resent_to(remote.id);
        const std::string in_part = notes::resent_in_part(remote.id);
        const bool unfinished = std::max(turn_.note(progress), turn_.note(in_part)) >= 0;
        const auto note_resend = [&](std::int64_t point) { // in_part: send/usync.hpp
            turn_.set_note(progress, point);
            if (turn_.note(in_part) >= 0) {
                turn_.set_note(in_part, -1);
            }
        };
        const bool same =
            decide::same_content(decide::Replica(turn_.info), decide::Replica(remote));
        if (turn_.leaves || same) {
            if (same && unfinished) {
                note_resend(-1);
            }
            return decide::Outcome::done;
        }
        if (choice.gave_up && !unfinished) {
            turn_.awaits = true;
            return decide::Outcome::done;
        }
        auto resend = notes::Resend::rows;
        if (!unfinished) {
            const bool looks = choice.suspect && !turn_.resending;
            resend = looks ? see_difference(remote) : notes::Resend::nothing;
        }
        if (resend == notes::Resend::nothing) {
            return decide::Outcome::done;
        }
        if (mend_own(remote)) {
            return decide::Outcome::done;
        }
        pass.count(&Stats::diverged);
        pass.observer(event::Diverged{turn_.place.path(), session_.device()});
        if (!is_followed(turn_) || is_stale(turn_)) {
            return resend_stale(turn_, session_, remote.id);
        }
        if (resend == notes::Resend::whole) {
            pass.count(&Stats::remote_merge);
            return push_file_to_merge(turn_, session_, remote);
        }
        std::int64_t point = std::max<std::int64_t>(turn_.note(progress), 0);
        auto outcome = push_rows(turn_, session_, remote.id, point);
        note_resend(outcome && *outcome == decide::Outcome::done ? -1 : point);
        turn_.resending = turn_.resending || (outcome && *outcome == decide::Outcome::progress);
        return outcome;
    }

    /// Carries out the choice after a 2xx answer. `has_all`: rows went along.
    [[nodiscard]] Result<decide::Outcome> carry_out(const Info& remote,
                                                    const decide::Choice& choice, bool has_all) {
        P& pass = turn_.pass;
        const bool sends =
            choice.way == decide::Way::rows || choice.way == decide::Way::whole_then_merge;
        if (sends && is_stale(turn_)) {
            return push_stale(turn_, session_, remote.id, choice.point);
        }
        if (sends && !has_all && !turn_.leaves) {
            auto differing = push_differing_rows(turn_, session_, remote, choice.point);
            if (!differing || *differing) {
                return differing ? Result<decide::Outcome>(**differing) : differing.error();
            }
        }
        if (choice.suspect && !turn_.leaves && is_stale(turn_)) {
            // Nothing is sent again. The copy may still drop its tombstones: the peer has them, or
            // has dropped them already, and then the two are equal.
            turn_.suspect = true;
            return decide::Outcome::done;
        }
        switch (choice.way) {
        case decide::Way::no_change:
            pass.count(&Stats::no_change);
            pass.observer(event::InSync{turn_.place.path(), session_.device(), false});
            return resend_if_diverged(remote, choice);
        case decide::Way::hash_match:
            pass.count(&Stats::hashmatch);
            pass.observer(event::InSync{turn_.place.path(), session_.device(), true});
            turn_.note_reached(remote.id, choice.point);
            return decide::Outcome::done;
        case decide::Way::whole_then_merge:
            if (!has_all) {
                pass.count(&Stats::remote_merge);
                return push_file_to_merge(turn_, session_, remote);
            }
            [[fallthrough]];
        default: {
            std::int64_t point = choice.point;
            auto outcome = has_all ? end_along(turn_, session_.device())
                                   : push_new_rows(turn_, session_, sync_of(), remote.id, point);
            if (turn_.leaves && point > choice.point) {
                turn_.set_note(notes::sent_to(remote.id), point);
            }
            const bool complete = outcome && *outcome == decide::Outcome::done;
            return complete ? resend_if_diverged(remote, choice) : std::move(outcome);
        }
        }
    }

    /// The peer has no copy. It gets this one, unless the database is expired or this copy stale.
    [[nodiscard]] Result<decide::Outcome> bring_back() {
        if (turn_.expiring) {
            return decide::Outcome::done; // nothing of the peer's could come back
        }
        turn_.settled = false;
        turn_.peer_has = -1;
        distrust_if_confirmed();
        if (is_stale(turn_)) {
            ++turn_.without;
            return decide::Outcome::stale;
        }
        turn_.pass.count(&Stats::rsync);
        return push_file_to_empty_peer(turn_, session_);
    }

    /// The rows belong to the sharder. The peer is done only if this copy has no rows left: Swift
    /// counts all such peers as done, and so removes handoffs with rows that nobody else has.
    [[nodiscard]] decide::Outcome defer() {
        turn_.pass.count(&Stats::deferred);
        if (P::kind_type::is_sharded(turn_.info) && turn_.database().items_since(-1, 1).empty()) {
            return decide::Outcome::done;
        }
        turn_.pass.observer(event::Deferred{turn_.place.path(), session_.device()});
        return decide::Outcome::deferred;
    }

    DatabaseTurn<P>& turn_;
    PeerSession<P> session_;
};

/// Brings one peer up to date (Swift: _repl_to_node).
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome> replicate_to_peer(DatabaseTurn<P>& turn,
                                                        const Device& device) {
    const std::int64_t confirmed = turn.known.max_row;
    turn.peer_has = confirmed < 0 ? std::nullopt : std::optional(confirmed);
    return PeerTurn<P>(turn, device).run();
}

/// Whether a peer has all of a copy that is about to leave.
template <AnyPass P>
[[nodiscard]] bool still_has_all(DatabaseTurn<P>& turn, const Device& device) {
    return PeerTurn<P>(turn, device).still_has_all();
}

} // namespace replica

#endif // REPLICA_SEND_PEER_TURN_HPP
