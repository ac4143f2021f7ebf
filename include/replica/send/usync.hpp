#ifndef REPLICA_SEND_USYNC_HPP
#define REPLICA_SEND_USYNC_HPP

// Sends the rows above a point, then the incoming points. Rows go in ROWID order without a gap, one
// batch at a time: the receiver records the highest ROWID it has seen, so a batch that was lost
// between two that arrived would never be sent again.
//
// A complete push ends with our highest ROWID as the point on both sides, even if the last rows
// were reclaimed and none was left to send. A point below that would ask for rows for ever, and
// hide a difference between the contents.

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/rows/checks.hpp>
#include <replica/send/batch_size.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/session.hpp>
#include <replica/send/stale.hpp>
#include <replica/send/takers.hpp>
#include <replica/words/message.hpp>
#include <replica/words/notes.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// Which rows are held back (send/stale.hpp).
struct HoldBack {
    Timestamp before{};   ///< Live rows from before this time.
    bool already = false; ///< A row below the point was held back.
};

namespace detail {

/// Whether a server of ours answers for this peer, by its answers to earlier questions.
template <AnyPass P>
[[nodiscard]] Takers::Answer takes_ours(DatabaseTurn<P>& turn, const PeerSession<P>& peer) {
    return turn.pass.memory.takers.of(peer.device(), turn.pass.clock.monotonic());
}

/// Takes out the rows that no receiver can store, or that cannot be sent (not UTF-8): a stock
/// receiver refuses the whole batch, in every pass (defect 25). Tells each of them.
template <AnyPass P>
void set_aside_unusable(DatabaseTurn<P>& turn, std::vector<typename P::row_type>& rows) {
    std::erase_if(rows, [&](const auto& row) {
        std::string why = unusable(row);
        if (why.empty()) {
            try {
                static_cast<void>(message::encode_rows(std::vector{row}, {}));
                return false;
            } catch (const Failure& failure) {
                why = failure.what();
            }
        }
        const std::string what = "row " + std::to_string(row.rowid) + ": " + why;
        turn.pass.observer(event::SetAside{turn.place.path(), what});
        return true;
    });
}

/// The request with these rows, without those that are set aside; empty if none is left.
template <AnyPass P>
[[nodiscard]] std::string encode_usable(DatabaseTurn<P>& turn,
                                        std::vector<typename P::row_type>& rows,
                                        std::string_view source, std::string_view receiver) {
    const auto bad = [](const auto& row) { return !unusable(row).empty(); };
    try {
        if (std::ranges::none_of(rows, bad)) {
            return rows.empty() ? std::string() : message::encode_rows(rows, source, receiver);
        }
    } catch (const Failure& failure) {
        if (failure.error() != Error::bad_request) {
            throw;
        }
    }
    set_aside_unusable(turn, rows);
    return rows.empty() ? std::string() : message::encode_rows(rows, source, receiver);
}

} // namespace detail

/// Brings a peer up to date by rows (Swift: _usync_db). `point` moves with the rows that were sent.
///
/// Order: read the incoming points; send batches until none is left or max_diffs times per_diff
/// rows were sent. If none is left, send those points, whose rows have all been sent by then, with
/// our own point if no row was left at it; once the peer has taken the points, record the outgoing
/// point. A capped transfer sends and records no points: the next pass goes on from the receiver's
/// own.
///
/// A server of ours is told the id of the file that the point is of, and takes nothing for another:
/// the point of a file that has come in its place meanwhile would speak of rows that are not in it
/// (defect 121).
///
/// From the first row that is held back, rows go without a source, so that the peer's point stays
/// below that row. No points follow.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome> push_rows(DatabaseTurn<P>& turn, PeerSession<P>& peer,
                                                const std::string& remote_id, std::int64_t& point,
                                                const HoldBack& hold = {}) {
    P& pass = turn.pass;
    const Seconds timeout = pass.settings.node_timeout;
    pass.count(&Stats::diff);
    pass.observer(event::UsyncBegan{turn.place.path(), peer.device(), point});
    const Instant began = pass.clock.monotonic();
    const bool ours = detail::takes_ours(turn, peer) == Takers::Answer::yes;
    const std::string receiver = ours ? remote_id : std::string();
    message::MergeSyncs known{turn.database().sync_points(Direction::incoming), receiver};
    // Swift stores any point it is told, and one invalid point would have all of them refused.
    std::erase_if(known.points, [](const SyncPoint& point) { return !unusable(point).empty(); });

    std::int64_t sent = 0;
    std::int64_t recorded = point; // by the peer, with the last row that it got
    bool held = hold.already;
    const std::int64_t per_diff = pass.settings.per_diff;
    BatchSize batch(per_diff, ours);
    std::int64_t diffs = pass.settings.max_diffs; // that are left, each of per_diff rows
    const auto next = [&] {
        const std::int64_t most = std::min(diffs, batch.rows() / per_diff) * per_diff;
        std::size_t left = BatchSize::most_read;
        return first_items(turn.database(), point,
                           batch.rows() < per_diff ? batch.rows() : std::max<std::int64_t>(most, 1),
                           left);
    };
    auto rows = next();
    while (!rows.empty() && diffs > 0) {
        const std::int64_t last = rows.back().rowid;
        const std::int64_t count = std::ssize(rows);
        const std::int64_t spent = (count - 1) / per_diff + 1;
        const auto old = [&](const auto& row) { return may_be_deleted(row, hold.before); };
        const bool holds = std::erase_if(rows, old) > 0 || held;
        const std::string_view source = holds ? std::string_view() : turn.info.id;
        const std::string_view meant_for = holds ? std::string_view() : receiver;
        std::string request = detail::encode_usable(turn, rows, source, meant_for);
        if (request.size() > BatchSize::most_bytes && count > 1) {
            batch.too_large(count);
            rows = next();
            continue;
        }
        if (!request.empty()) {
            const Instant asked = pass.clock.monotonic();
            auto reply = peer.expect_success(std::move(request), timeout);
            if (!reply) {
                return reply.error();
            }
            batch.took(pass.clock.monotonic() - asked);
            recorded = rows.back().rowid;
        }
        held = holds;
        diffs -= spent;
        turn.peer_has = held ? turn.peer_has : last;
        point = last;
        sent += static_cast<std::int64_t>(rows.size());
        pass.count(&Stats::rows, static_cast<std::int64_t>(rows.size()));
        rows = next();
    }
    const bool capped = !rows.empty();
    pass.observer(event::UsyncEnded{turn.place.path(), peer.device(), point, sent, capped,
                                    pass.clock.monotonic() - began});
    if (!capped) {
        point = std::max(point, turn.info.max_row);
    }
    if (held) {
        return decide::Outcome::stale;
    }
    if (capped && recorded < point) { // else rows that are set aside would keep it here
        const message::MergeSyncs passed{{{point, turn.info.id}}, receiver};
        auto reply = peer.expect_success(message::encode(passed), timeout);
        if (!reply) {
            return reply.error();
        }
    }
    if (capped) {
        pass.count(&Stats::diff_capped);
        return decide::Outcome::progress;
    }
    if (recorded < point) {
        known.points.push_back({point, turn.info.id});
    }
    auto reply = peer.expect_success(message::encode(known), timeout);
    if (!reply) {
        return reply.error();
    }
    turn.note_reached(remote_id, point);
    return decide::Outcome::done;
}

/// Sends what a stale copy may (send/stale.hpp). The next pass goes on from a note, since the
/// peer's point stays below the first row that was held back.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome> push_stale(DatabaseTurn<P>& turn, PeerSession<P>& peer,
                                                 const std::string& remote_id, std::int64_t point) {
    const std::string key = notes::held_from(remote_id);
    const std::int64_t before = point;
    point = std::max(point, turn.note(key));
    auto outcome = push_rows(turn, peer, remote_id, point, {turn.stale_limit(), before < point});
    if (outcome && *outcome == decide::Outcome::stale) {
        turn.set_note(key, point);
    } else if (outcome && turn.leaves && point > before) {
        turn.set_note(notes::sent_to(remote_id), point);
    }
    return outcome;
}

/// Sends once more what a stale copy may, to a peer whose point is beyond all rows and which lacks
/// some. The next pass goes on where this one stops. Once a row was held back, no points follow.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome> resend_stale(DatabaseTurn<P>& turn, PeerSession<P>& peer,
                                                   const std::string& remote_id) {
    const std::string all = notes::resent_to(remote_id);
    const std::string in_part = notes::resent_in_part(remote_id);
    const bool held = turn.note(in_part) >= 0;
    std::int64_t point = turn.note(held ? in_part : all);
    auto outcome = push_rows(turn, peer, remote_id, point, {turn.stale_limit(), held});
    if (outcome) {
        const bool stale = *outcome == decide::Outcome::stale;
        const std::int64_t left = point < turn.info.max_row ? point : -1;
        turn.set_note(in_part, stale ? left : -1);
        turn.set_note(all, stale ? -1 : left);
    }
    return outcome;
}

} // namespace replica

#endif // REPLICA_SEND_USYNC_HPP
