#ifndef REPLICA_SEND_COMPARE_HPP
#define REPLICA_SEND_COMPARE_HPP

// Sends only the rows that a peer does not have, when the points are lost that would tell which
// these are: after a new id, a restored copy, a file that was set aside. Both sides read all rows
// once and compare digests (words/row_digests.hpp), with a server of ours only. The order:
//
//   1. read the incoming points, then our id and highest ROWID: what the points claim is in rows up
//      to that one
//   2. digests of the rows up to it; the peer's answer, with the id of its file
//   3. the rows that the peer does not have, for the file of that id only, in batches without a
//      source, so no point moves. A newer row of the peer's stays, and a deletion that it has
//      reclaimed does not come back (defect 116)
//   4. our id is still the same: our own point, for that file as well. It is its word that all our
//      rows up to the highest one are there. If no row has come meanwhile, the incoming points too:
//      a row that they speak of may have been written anew since, and is then among the later ones
//      (defect 118)
//   5. the outgoing point; rows that came meanwhile and the incoming points, by usync
//
// Rows are never changed under their ROWID. So a row that is here in step 3 had its digest in step
// 2, and the peer then had the same row, or gets it now. What breaks off before step 4 has moved no
// point, and the next pass compares anew. All rows go, as ever, if the peer does not know the
// question, if hash or sums of either side are not those of its rows, or if too much differs.
//
// A copy that leaves is not compared: digests that collide hide a row, once in 2^64 pairs, and the
// contents that then differ must be there to be seen (PeerTurn::resend_if_diverged).

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/rows/checks.hpp>
#include <replica/send/batch_size.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/session.hpp>
#include <replica/send/usync.hpp>
#include <replica/words/compare.hpp>
#include <replica/words/info.hpp>
#include <replica/words/message.hpp>
#include <replica/words/row_digests.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace replica {

namespace detail {

/// Reads our rows, unless that was done for an earlier peer. Returns whether they can be compared.
template <AnyPass P>
[[nodiscard]] bool has_own_rows(DatabaseTurn<P>& turn) {
    if (turn.own_rows) {
        return true;
    }
    message::MergeSyncs known{turn.database().sync_points(Direction::incoming)};
    std::erase_if(known.points, [](const SyncPoint& point) { return !unusable(point).empty(); });
    const auto now = turn.database().info();
    if (now.id != turn.info.id) {
        return false;
    }
    const std::uint64_t key = turn.pass.random.next();
    const auto groups = RowDigests::groups_for(now.count);
    expect_to_read(turn);
    RowScan scan = turn.database().scan_rows(key, groups, now.max_row);
    if (!scan.sound) {
        mend_sums(turn);
        return false;
    }
    turn.own_rows = OwnRows{std::move(known), now.max_row, key, std::move(scan)};
    return true;
}

/// Asks the peer. Nothing if it does not know the question, or its answer is of no use.
template <AnyPass P>
[[nodiscard]] Result<std::optional<message::Compared>>
ask_compare(DatabaseTurn<P>& turn, PeerSession<P>& peer, const typename P::info_type& remote) {
    P& pass = turn.pass;
    const OwnRows& own = *turn.own_rows;
    const auto heard = [&](bool takes) {
        pass.memory.comparers.heard(peer.device(), takes, pass.clock.monotonic());
    };
    const auto rows = static_cast<double>(std::max(own.last, remote.max_row));
    const Seconds timeout =
        pass.settings.node_timeout + Seconds(std::clamp(rows / 20'000, 0.0, 86400.0));
    const message::Compare question{own.key, own.scan.digests.sums()};
    const auto reply = peer.send(message::encode(question), timeout, true, true);
    if (!reply) {
        return reply.error();
    }
    if (reply->status == 400 || reply->status == 500) {
        heard(false);
        return std::nullopt;
    }
    if (!reply->success()) {
        return peer.fault_of(*reply);
    }
    try {
        auto answer = message::decode_compared(reply->body, own.scan.digests.groups());
        heard(true);
        const bool use = answer.sound && answer.id == remote.id;
        return use ? std::optional(std::move(answer)) : std::nullopt;
    } catch (const Failure&) {
        heard(false);
        return std::nullopt;
    }
}

/// Sends the chosen rows. Returns how many there were; nothing if there are more than `most`.
template <AnyPass P>
[[nodiscard]] Result<std::optional<std::int64_t>>
send_chosen(DatabaseTurn<P>& turn, PeerSession<P>& peer, const std::string& remote_id,
            const RowChoice& choice, std::int64_t most) {
    P& pass = turn.pass;
    const OwnRows& own = *turn.own_rows;
    std::int64_t sent = 0;
    std::int64_t point = std::numeric_limits<std::int64_t>::min();
    for (bool more = true; more;) {
        expect_to_read(turn);
        std::size_t left = BatchSize::most_read;
        const auto rows = turn.database().chosen_rows(choice, own.key, point, own.last,
                                                      pass.settings.per_diff, left);
        more = std::ssize(rows) == pass.settings.per_diff || left == 0;
        if (rows.empty()) {
            break;
        }
        if (sent + std::ssize(rows) > most) {
            return std::nullopt;
        }
        for (std::span rest(rows); !rest.empty();) {
            std::vector part(rest.begin(), rest.end());
            std::string request = message::encode_rows(part, {}, remote_id);
            while (request.size() > BatchSize::most_bytes && part.size() > 1) { // by JSON alone
                part.resize(part.size() / 2);
                request = message::encode_rows(part, {}, remote_id);
            }
            const auto reply =
                peer.expect_success(std::move(request), pass.settings.node_timeout, true, true);
            if (!reply) {
                return reply.error();
            }
            rest = rest.subspan(part.size());
        }
        point = rows.back().rowid;
        sent += std::ssize(rows);
        pass.count(&Stats::rows, std::ssize(rows));
    }
    return sent;
}

/// Whether the peer has all our rows up to `own_rows->last` now, and has noted that. If not, all
/// rows must go.
template <AnyPass P>
[[nodiscard]] Result<bool> send_differing_rows(DatabaseTurn<P>& turn, PeerSession<P>& peer,
                                               const typename P::info_type& remote) {
    P& pass = turn.pass;
    const Instant began = pass.clock.monotonic();
    if (pass.memory.comparers.of(peer.device(), began) == Takers::Answer::no ||
        !peer.speaks_ours() || !has_own_rows(turn)) {
        return false;
    }
    auto answer = ask_compare(turn, peer, remote);
    if (!answer || !*answer) {
        return answer ? Result<bool>(false) : answer.error();
    }
    const OwnRows& own = *turn.own_rows;
    const RowChoice choice = own.scan.digests.only_here((*answer)->unlike);
    const std::int64_t rows = own.scan.digests.rows();
    const std::int64_t most = pass.settings.per_diff * pass.settings.max_diffs;
    if (choice.expected_of(rows) > most) {
        return false;
    }
    const auto sent = send_chosen(turn, peer, remote.id, choice, most);
    if (!sent || !*sent) {
        return sent ? Result<bool>(false) : sent.error();
    }
    if (turn.database().info().id != turn.info.id) {
        return false;
    }
    const bool all = turn.database().items_since(own.last, 1).empty();
    message::MergeSyncs points = all ? own.known : message::MergeSyncs{};
    points.points.push_back({own.last, turn.info.id});
    points.receiver = remote.id;
    const auto noted =
        peer.expect_success(message::encode(points), pass.settings.node_timeout, true, true);
    if (!noted) {
        return noted.error();
    }
    pass.count(&Stats::diff);
    pass.observer(event::Compared{turn.place.path(), peer.device(), rows, **sent,
                                  pass.clock.monotonic() - began});
    turn.note_reached(remote.id, own.last);
    return true;
}

} // namespace detail

/// Brings a peer up to date by comparing, if the points are lost and that is the cheaper way
/// (decide::compares). Nothing if the rows above `point` have to go.
template <AnyPass P>
[[nodiscard]] Result<std::optional<decide::Outcome>>
push_differing_rows(DatabaseTurn<P>& turn, PeerSession<P>& peer,
                    const typename P::info_type& remote, std::int64_t point) {
    if constexpr (ComparableDatabase<typename P::database_type>) {
        if (decide::compares(decide::Replica(turn.info), decide::Replica(remote), point,
                             turn.pass.settings.compare_rows)) {
            const auto same = detail::send_differing_rows(turn, peer, remote);
            if (!same) {
                return same.error();
            }
            if (*same) {
                point = turn.own_rows->last;
                if (turn.database().items_since(point, 1).empty()) {
                    return decide::Outcome::done;
                }
                const auto outcome = push_rows(turn, peer, remote.id, point);
                return outcome ? Result<std::optional<decide::Outcome>>(*outcome) : outcome.error();
            }
        }
    }
    return std::nullopt;
}

} // namespace replica

#endif // REPLICA_SEND_COMPARE_HPP
