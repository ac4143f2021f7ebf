#ifndef REPLICA_SEND_ALONG_HPP
#define REPLICA_SEND_ALONG_HPP

// Sends a few new rows along with the question (words/along.hpp), before the answer tells which the
// peer lacks: those above the last row that a peer had by the ledger. The first answer tells the
// point of a peer for which that was wrong; the question is then asked once more, with the rows
// above that point.
//
// The peer records the point in the transaction of the rows. We do not: our own note of it would
// cost a third durable commit on three nodes, and stands in only where the peer has none.
//
// What the answer is needed for goes the ordinary way: a copy that leaves, and rows so old that
// they may have been deleted elsewhere (send/stale.hpp). The limit here is half a reclaim_age, so
// that the clock of no peer can make such a row of one of these.

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/rows/checks.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/rsync.hpp>
#include <replica/send/session.hpp>
#include <replica/send/stale.hpp>
#include <replica/send/usync.hpp>
#include <replica/words/along.hpp>
#include <replica/words/info.hpp>
#include <replica/words/message.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace replica {

namespace detail {

/// Bytes of text. Rows that have as many or more go by usync.
inline constexpr std::size_t most_along = 1 << 20;

/// The rows above `base`, if there are few of them and none may have been deleted elsewhere. What
/// cannot be read or written goes the ordinary way, which tells why.
template <AnyPass P>
[[nodiscard]] RowsAlong rows_along(DatabaseTurn<P>& turn, std::int64_t base) {
    const auto& settings = turn.pass.settings;
    const std::int64_t most = std::min<std::int64_t>(settings.rows_along, settings.per_diff);
    if (turn.info.max_row <= base || turn.info.max_row - base > 2 * most) {
        return {};
    }
    try {
        auto points = turn.database().sync_points(Direction::incoming); // before the rows
        std::erase_if(points, [](const SyncPoint& point) { return !unusable(point).empty(); });
        std::size_t left = most_along;
        const auto rows = first_items(turn.database(), base, most + 1, left);
        const Timestamp limit = turn.pass.now().plus(-settings.reclaim_age / 2);
        const auto old = [&](const auto& row) { return may_be_deleted(row, limit); };
        if (rows.empty() || std::ssize(rows) > most || left == 0 ||
            std::ranges::any_of(rows, old)) {
            return {};
        }
        const std::int64_t last = std::max(rows.back().rowid, turn.info.max_row);
        return {message::encode_along(base, last, rows, points), base, last, std::ssize(rows)};
    } catch (const Failure& failure) {
        if (is_lost(failure)) {
            throw;
        }
        return {};
    }
}

/// Whether rows may go along to this peer. Not while it may be merging an earlier state of the
/// database: its stock server would then replace the file.
template <AnyPass P>
[[nodiscard]] bool takes_along(DatabaseTurn<P>& turn, const PeerSession<P>& peer) {
    return turn.pass.settings.rows_along > 0 && !turn.leaves && !turn.expiring &&
           P::kind_type::sends_rows(turn.info) && !unfinished_transfer(turn, peer, false) &&
           takes_ours(turn, peer) == Takers::Answer::yes;
}

} // namespace detail

/// What to send along with the question to this peer; empty for nothing. Who has not told yet
/// whether it is a server of ours is asked that, also for a copy that leaves: what follows names
/// the file that it is for (defect 121). With `rows_along` 0 nobody is asked, and all is as in
/// Swift.
template <AnyPass P>
[[nodiscard]] std::string_view argument_for(DatabaseTurn<P>& turn, const PeerSession<P>& peer) {
    if (!detail::takes_along(turn, peer)) {
        const bool asks = turn.pass.settings.rows_along > 0 &&
                          detail::takes_ours(turn, peer) == Takers::Answer::unknown;
        return asks ? message::takes_rows : std::string_view();
    }
    if (!turn.along) {
        const std::int64_t base = turn.known.reached;
        turn.along = base < 0 ? RowsAlong() : detail::rows_along(turn, base);
    }
    return turn.along->argument;
}

/// Whether an answer refuses the argument, as a Swift before 2.0 does, which takes exactly seven.
/// The question is then to be asked without one.
template <AnyPass P>
[[nodiscard]] bool is_refusal_of(DatabaseTurn<P>& turn, const Device& device,
                                 std::string_view argument, int status) {
    const bool refuses = !argument.empty() && (status == 400 || status == 500);
    if (refuses) {
        turn.pass.memory.takers.heard(device, false, turn.pass.clock.monotonic());
    }
    return refuses;
}

/// Learns from the answer to a question with this argument. Returns whether the peer has all rows
/// of ours now, because of those that went along.
template <AnyPass P>
[[nodiscard]] bool went_along(DatabaseTurn<P>& turn, const Device& device,
                              std::string_view argument, std::optional<std::int64_t> merged) {
    if (argument.empty()) {
        return false;
    }
    turn.pass.memory.takers.heard(device, merged.has_value(), turn.pass.clock.monotonic());
    return argument != message::takes_rows && merged == turn.along->last &&
           turn.along->last >= turn.info.max_row;
}

/// Asks once more, with the rows above the `point` that the peer has named, if these may go along.
/// Returns whether the peer has all rows of ours now.
template <AnyPass P>
[[nodiscard]] Result<bool> ask_along(DatabaseTurn<P>& turn, PeerSession<P>& peer,
                                     const message::Sync& question, std::int64_t point) {
    if (!detail::takes_along(turn, peer)) {
        return false;
    }
    auto rows = detail::rows_along(turn, point);
    if (rows.argument.empty()) {
        return false;
    }
    turn.along = std::move(rows); // the peers after this one are likely to lack the same
    const std::string& argument = turn.along->argument;
    const auto reply =
        peer.send(message::encode_with(question, argument), turn.pass.settings.node_timeout);
    if (!reply) {
        return reply.error();
    }
    if (is_refusal_of(turn, peer.device(), argument, reply->status)) {
        return false;
    }
    if (!reply->success()) {
        return peer.fault_of(*reply);
    }
    const auto answer = peer.template read_info<typename P::info_type>(*reply);
    if (!answer) {
        return answer.error();
    }
    return went_along(turn, peer.device(), argument, answer->merged);
}

/// Counts and tells the rows that went along.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome> end_along(DatabaseTurn<P>& turn, const Device& peer) {
    P& pass = turn.pass;
    const RowsAlong& along = *turn.along;
    pass.count(&Stats::diff);
    pass.count(&Stats::rows, along.count);
    pass.observer(event::UsyncBegan{turn.place.path(), peer, along.base});
    pass.observer(event::UsyncEnded{turn.place.path(), peer, along.last, along.count, false, {}});
    turn.peer_has = along.last;
    return decide::Outcome::done;
}

/// Sends the rows above the point: with one more question if they are few, else by usync.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome>
push_new_rows(DatabaseTurn<P>& turn, PeerSession<P>& peer, const message::Sync& question,
              const std::string& remote_id, std::int64_t& point) {
    const auto went = ask_along(turn, peer, question, point);
    if (!went) {
        return went.error();
    }
    return *went ? end_along(turn, peer.device()) : push_rows(turn, peer, remote_id, point);
}

} // namespace replica

#endif // REPLICA_SEND_ALONG_HPP
