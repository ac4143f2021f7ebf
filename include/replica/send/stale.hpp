#ifndef REPLICA_SEND_STALE_HPP
#define REPLICA_SEND_STALE_HPP

// A copy that was away for longer than reclaim_age may have live rows that were deleted meanwhile,
// by tombstones that every peer had and has dropped. Sent, such a row lives again everywhere
// (invariant I1). Nobody can tell it from a row that was acknowledged here and never left. So:
//
// - A copy is stale if it last agreed with a peer longer than reclaim_age ago: their contents were
//   equal, or it had been sent all of the peer's rows. The latter counts only while it is not
//   stale: a tombstone that was dropped meanwhile is among nobody's rows. And only if it is known
//   that it was not, by an earlier agreement or since the database is younger: a copy that stock
//   replicators have had until now may have been away, and one row that a peer has just sent it
//   says nothing of that.
// - It is counted and told, once in a pass, for as long as it is stale and differs.
// - It sends deletions and what is younger than reclaim_age. A live row that is older is held back,
//   and so is the whole file. No point moves past a row that is held back: what comes after it goes
//   without a source. Nothing is removed here.
// - It is not stale any more once its content is a peer's, or the operator lets it send all of its
//   rows (accept_stale), or takes the copy away, so that its peers bring a new one.
// - A primary that is the only copy left sends all it has: there is nobody whose deletions it could
//   have missed, but those of a database that expired everywhere while a ring had no place for this
//   copy. Nothing tells the two apart, so that it goes to its peers, and is counted and told.
// - The rows of a container that is being sharded are the sharder's, and no copy of it is stale.

#include <replica/broker.hpp>
#include <replica/observer.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/send/pass.hpp>
#include <replica/words/info.hpp>
#include <replica/words/notes.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

namespace replica {

/// When a row was last written, by any of its times.
[[nodiscard]] inline Timestamp newest_time(const ObjectRow& row) {
    const auto times = RowTimes::decode(row.created_at).value_or(RowTimes{});
    return std::max({times.data, times.content_type, times.metadata});
}

[[nodiscard]] inline Timestamp newest_time(const ContainerRow& row) {
    return std::max(timestamp_or_zero(row.put_timestamp), timestamp_or_zero(row.delete_timestamp));
}

/// A live row from before `limit`: its tombstone may have been dropped by those who had it.
template <class Row>
[[nodiscard]] bool may_be_deleted(const Row& row, Timestamp limit) {
    return row.deleted == 0 && newest_time(row) < limit;
}

namespace detail {

/// When this copy last agreed with a peer.
template <AnyPass P>
[[nodiscard]] Timestamp last_agreement(DatabaseTurn<P>& turn) {
    return notes::last_agreement(turn.database(), turn.note(notes::agreed()), turn.info.created_at);
}

/// Before which time, in whole seconds, an agreement is noted anew.
template <AnyPass P>
[[nodiscard]] std::int64_t agreement_due(DatabaseTurn<P>& turn) {
    return turn.now().plus(-turn.pass.settings.reclaim_age / 2).ticks / Timestamp::ticks_per_second;
}

} // namespace detail

/// Whether this copy must hold back what may have been deleted. Asked after a peer has answered, so
/// that a clock of ours which is behind the peer's hides nothing.
template <AnyPass P>
[[nodiscard]] bool is_stale(DatabaseTurn<P>& turn) {
    return !turn.agreed && !turn.pass.settings.accept_stale &&
           P::kind_type::sends_rows(turn.info) && detail::last_agreement(turn) < turn.stale_limit();
}

/// Whether it is known that this copy has not been away: it has once agreed with a peer, or the
/// database is younger than reclaim_age.
template <AnyPass P>
[[nodiscard]] bool is_followed(DatabaseTurn<P>& turn) {
    return turn.agreed || turn.pass.settings.accept_stale || turn.note(notes::agreed()) >= 0 ||
           timestamp_or_zero(turn.info.created_at) >= turn.stale_limit();
}

/// Counts and tells it, at the end of a database's turn. `alone`: see above.
template <AnyPass P>
void report_stale(DatabaseTurn<P>& turn, bool alone = false) {
    turn.pass.count(&Stats::stale);
    turn.pass.observer(event::Stale{turn.found.path, detail::last_agreement(turn), alone});
}

namespace detail {

/// Whether this copy has by now all rows that the peer had when it was asked in an earlier pass. In
/// a database that is written to all the time the contents differ whenever they are compared, and
/// the peer always has a row that is still to come.
template <AnyPass P>
[[nodiscard]] bool has_caught_up(DatabaseTurn<P>& turn, const typename P::info_type& remote) {
    if (turn.note(notes::agreed()) >= agreement_due(turn)) {
        return false; // nobody needs to know
    }
    const std::string key = notes::awaited_from(remote.id);
    const std::int64_t awaited = turn.note(key);
    if (awaited >= 0 && turn.database().sync_point(remote.id, Direction::incoming) >= awaited) {
        turn.set_note(key, -1);
        return true;
    }
    if (awaited < 0 || awaited > remote.max_row) {
        turn.set_note(key, remote.max_row);
    }
    return false;
}

} // namespace detail

/// Takes note of what a peer's answer says of the two copies. `settled`: this one has all rows of
/// the peer's.
template <AnyPass P>
void compare_for_agreement(DatabaseTurn<P>& turn, const typename P::info_type& remote,
                           bool same_content, bool settled) {
    if (turn.agreed || same_content) {
        turn.agreed = true;
    } else if (remote.max_row >= 0 && is_followed(turn) && !is_stale(turn)) {
        turn.agreed = settled || detail::has_caught_up(turn, remote);
    }
}

/// Notes an agreement at the end of a database's turn: the first, then one each half reclaim_age,
/// so that a database nobody writes to costs a write in three days.
template <AnyPass P>
void note_agreement(DatabaseTurn<P>& turn) {
    if (!turn.agreed) {
        return;
    }
    if (turn.note(notes::agreed()) < detail::agreement_due(turn)) {
        turn.set_note(notes::agreed(), turn.now().ticks / Timestamp::ticks_per_second);
    }
}

} // namespace replica

#endif // REPLICA_SEND_STALE_HPP
