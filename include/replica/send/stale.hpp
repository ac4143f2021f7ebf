#ifndef REPLICA_SEND_STALE_HPP
#define REPLICA_SEND_STALE_HPP

// A copy that was away for longer than reclaim_age may have live rows that were deleted meanwhile,
// by tombstones that every peer had and has reclaimed. Such a row, once sent, lives again
// everywhere (invariant I1). Nothing tells it from a row that was acknowledged here and never left.
//
// - A copy is stale if it last agreed with a peer longer than reclaim_age ago. It agrees if the
//   contents are equal, or if it has been sent all of the peer's rows. The latter counts only for a
//   copy that is not stale, since nobody sends a tombstone that was reclaimed meanwhile; and only
//   if an earlier agreement, or the database's age, shows that the copy was not away. A copy that
//   stock replicators have had until now may have been away, and one row that a peer has just sent
//   proves nothing (defect 91).
// - A stale copy is counted and told once in each pass in which it differs from a peer.
// - A stale copy sends deletions, and rows younger than reclaim_age. Older live rows are held back,
//   and so is the whole file. No point moves past a row that is held back: later rows go without a
//   source. The copy leaves its device only once its peers have all of it.
// - The copy is not stale any more once its content is a peer's. The operator may also let it send
//   all of its rows (accept_stale), or take it away, so that its peers bring a new one.
// - A primary that is the only copy left sends all it has: there is nobody whose deletions it could
//   have missed. The exception is a database that expired everywhere while a ring had no place for
//   this copy (defect 96). Nothing tells the two apart, so the copy is sent, counted and told.
// - The rows of a container that is being sharded belong to the sharder, so no copy of it is stale.
//   No queue of the reconciler is: to do an entry again does no harm, and to lose one does (defect
//   117).

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

/// When a row was last written: the newest of its times.
[[nodiscard]] inline Timestamp newest_time(const ObjectRow& row) {
    const auto times = RowTimes::decode(row.created_at).value_or(RowTimes{});
    return std::max({times.data, times.content_type, times.metadata});
}

[[nodiscard]] inline Timestamp newest_time(const ContainerRow& row) {
    return std::max(timestamp_or_zero(row.put_timestamp), timestamp_or_zero(row.delete_timestamp));
}

/// Whether a row is live and from before `limit`: its tombstone may have been reclaimed elsewhere.
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

/// An agreement noted before this time, in whole seconds since 1970, is noted anew.
template <AnyPass P>
[[nodiscard]] std::int64_t agreement_due(DatabaseTurn<P>& turn) {
    return turn.now().plus(-turn.pass.settings.reclaim_age / 2).ticks / Timestamp::ticks_per_second;
}

} // namespace detail

/// Whether this copy must hold rows back. Asked after a peer has answered, since a clock of ours
/// that is behind the peer's would hide an absence (defect 90).
template <AnyPass P>
[[nodiscard]] bool is_stale(DatabaseTurn<P>& turn) {
    return !turn.agreed && !turn.pass.settings.accept_stale &&
           P::kind_type::may_be_stale(turn.info) &&
           detail::last_agreement(turn) < turn.stale_limit();
}

/// Whether it is known that this copy has not been away: it has agreed with a peer before, or the
/// database is younger than reclaim_age.
template <AnyPass P>
[[nodiscard]] bool is_followed(DatabaseTurn<P>& turn) {
    return turn.agreed || turn.pass.settings.accept_stale || turn.note(notes::agreed()) >= 0 ||
           timestamp_or_zero(turn.info.created_at) >= turn.stale_limit();
}

/// Counts and tells a stale copy. `alone`: no other primary has a copy, so all rows are sent.
/// `awaits`: it is not stale, and the last rows of a peer will not come (send/awaited.hpp).
template <AnyPass P>
void report_stale(DatabaseTurn<P>& turn, bool alone = false, bool awaits = false) {
    turn.pass.count(&Stats::stale);
    turn.pass.observer(
        event::Stale{turn.place.path(), detail::last_agreement(turn), alone, awaits});
}

namespace detail {

/// In a database that is always written to, the contents differ whenever they are compared, and the
/// peer always has a row that is still to come (defect 88). So the peer's last row is noted once an
/// agreement is due, and once this copy has that row, an agreement as of then: no earlier than half
/// a reclaim_age after the last one, whose time is part of the key. A later time would hide an
/// absence in between.
template <AnyPass P>
void note_catching_up(DatabaseTurn<P>& turn, const typename P::info_type& remote) {
    const std::int64_t agreed = turn.note(notes::agreed());
    if (agreed >= agreement_due(turn)) {
        return;
    }
    const std::string key = notes::awaited_from(remote.id) + ' ' + std::to_string(agreed);
    const std::int64_t awaited = turn.note(key);
    if (awaited < 0 || awaited > remote.max_row) {
        turn.set_note(key, remote.max_row);
    } else if (turn.database().sync_point(remote.id, Direction::incoming) >= awaited) {
        const Timestamp last = agreed < 0 ? timestamp_or_zero(turn.info.created_at)
                                          : Timestamp{agreed * Timestamp::ticks_per_second, 0};
        const Timestamp then = agreed < 0 ? last : last.plus(turn.pass.settings.reclaim_age / 2);
        turn.set_note(key, -1);
        turn.set_note(notes::agreed(),
                      std::min(turn.now(), then).ticks / Timestamp::ticks_per_second);
    }
}

} // namespace detail

/// Sets `turn.agreed` if a peer's answer shows an agreement. `settled`: we have all its rows.
template <AnyPass P>
void compare_for_agreement(DatabaseTurn<P>& turn, const typename P::info_type& remote,
                           bool same_content, bool settled) {
    if (turn.agreed || same_content) {
        turn.agreed = true;
    } else if (remote.max_row >= 0 && is_followed(turn) && !is_stale(turn)) {
        turn.agreed = settled;
        if (!settled) {
            detail::note_catching_up(turn, remote);
        }
    }
}

/// Notes an agreement at the end of a database's turn: the first, then one every half reclaim_age,
/// so that a database nobody writes to costs one write in three days.
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
