#ifndef REPLICA_SEND_USYNC_HPP
#define REPLICA_SEND_USYNC_HPP

// Sends the rows above a point, then the incoming points. Rows go in ROWID order without a gap, one
// batch at a time: the receiver records the highest ROWID it has seen, so a batch that was lost
// between two that arrived would never be sent again.
//
// A complete push ends with our highest ROWID as the point on both sides, even if the last rows
// were reclaimed and none was left to send. A point below that would ask for rows for ever, and
// hide a difference between the contents.

#include <replica/observer.hpp>
#include <replica/rows/checks.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/session.hpp>
#include <replica/send/stale.hpp>
#include <replica/words/message.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// Which rows are held back (send/stale.hpp).
struct HoldBack {
    Timestamp before{};   ///< Live rows from before this time.
    bool already = false; ///< A row below the point was held back.
};

/// Brings a peer up to date by rows (Swift: _usync_db). `point` moves with the rows that were sent.
///
/// Order: read the incoming points; send batches until none is left or max_diffs were sent. If none
/// is left, send those points, whose rows have all been sent by then, with our own point if no row
/// was left at it; once the peer has taken the points, record the outgoing point. A capped transfer
/// sends and records no points: the next pass goes on from the receiver's own.
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
    message::MergeSyncs known{turn.database().sync_points(Direction::incoming)};
    // Swift stores any point it is told, and one invalid point would have all of them refused.
    std::erase_if(known.points, [](const SyncPoint& point) { return !unusable(point).empty(); });

    std::int64_t sent = 0;
    bool held = hold.already;
    auto rows = turn.database().items_since(point, pass.settings.per_diff);
    for (std::int64_t diffs = 0; !rows.empty() && diffs < pass.settings.max_diffs; ++diffs) {
        const std::int64_t last = rows.back().rowid;
        const auto old = [&](const auto& row) { return may_be_deleted(row, hold.before); };
        held = std::erase_if(rows, old) > 0 || held;
        if (!rows.empty()) {
            const std::string_view source = held ? std::string_view() : turn.info.id;
            auto reply = peer.expect_success(message::encode_rows(rows, source), timeout);
            if (!reply) {
                return reply.error();
            }
        }
        turn.peer_has = held ? turn.peer_has : last;
        point = last;
        sent += static_cast<std::int64_t>(rows.size());
        pass.count(&Stats::rows, static_cast<std::int64_t>(rows.size()));
        rows = turn.database().items_since(point, pass.settings.per_diff);
    }
    const bool capped = !rows.empty();
    pass.observer(event::UsyncEnded{turn.place.path(), peer.device(), point, sent, capped,
                                    pass.clock.monotonic() - began});
    if (held) {
        return decide::Outcome::stale;
    }
    if (capped) {
        pass.count(&Stats::diff_capped);
        return decide::Outcome::progress;
    }
    if (point < turn.info.max_row) { // else the peer has recorded it with the last row
        point = turn.info.max_row;
        known.points.push_back({point, turn.info.id});
    }
    auto reply = peer.expect_success(message::encode(known), timeout);
    if (!reply) {
        return reply.error();
    }
    turn.note_reached(remote_id, point);
    return decide::Outcome::done;
}

} // namespace replica

#endif // REPLICA_SEND_USYNC_HPP
