#ifndef REPLICA_STALE_HPP
#define REPLICA_STALE_HPP

// A copy that was away for longer than reclaim_age may have live rows that were deleted meanwhile,
// by tombstones that every peer had and has dropped. Sent, such a row lives again everywhere
// (invariant I1). Nobody can tell it from a row that was acknowledged here and never left. So:
//
// - A copy is stale if it last agreed with a peer longer than reclaim_age ago: their contents were
//   equal, or it had been sent all of the peer's rows. The latter counts only while it is not
//   stale: a tombstone that was dropped meanwhile is among nobody's rows.
// - It is counted and told, once in a pass, for as long as it is stale and differs.
// - It sends deletions and what is younger than reclaim_age. A live row that is older is held back,
//   and so is the whole file. No point moves past a row that is held back: what comes after it goes
//   without a source. Nothing is removed here.
// - It is not stale any more once its content is a peer's, or the operator lets it send all of its
//   rows (accept_stale), or takes the copy away, so that its peers bring a new one.
// - A primary that is the only copy left is not stale: there is nobody whose deletions it could
// have
//   missed, but for a database that expired everywhere, which ours does not without asking it.

#include <replica/broker.hpp>
#include <replica/info.hpp>
#include <replica/notes.hpp>
#include <replica/observer.hpp>
#include <replica/pass.hpp>
#include <replica/timestamp.hpp>

#include <algorithm>
#include <cstdint>

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
template <class P>
[[nodiscard]] Timestamp last_agreement(Task<P>& task) {
    return notes::last_agreement(task.database(), task.note(notes::agreed()), task.info.created_at);
}

} // namespace detail

/// Whether this copy must hold back what may have been deleted. Asked after a peer has answered, so
/// that a clock of ours which is ahead of the peer's makes nothing stale.
template <class P>
[[nodiscard]] bool is_stale(Task<P>& task) {
    return !task.agreed && !task.pass.settings.accept_stale &&
           detail::last_agreement(task) < task.reclaim_limit();
}

/// Counts and tells it, at the end of a database's turn.
template <class P>
void report_stale(Task<P>& task) {
    task.pass.count(&Stats::stale);
    task.pass.observer(event::Stale{task.found.path, detail::last_agreement(task)});
}

/// Takes note of what a peer's answer says of the two copies. `settled`: this one has all rows of
/// the peer's, which has any.
template <class P>
void compare_for_agreement(Task<P>& task, bool same_content, bool settled) {
    task.agreed = task.agreed || same_content || (settled && !is_stale(task));
}

/// Notes an agreement at the end of a database's turn: the first, then one each half reclaim_age,
/// so that a database nobody writes to costs a write in three days.
template <class P>
void note_agreement(Task<P>& task) {
    if (!task.agreed) {
        return;
    }
    const Timestamp now = task.now();
    const std::int64_t due =
        now.plus(-task.pass.settings.reclaim_age / 2).ticks / Timestamp::ticks_per_second;
    if (task.note(notes::agreed()) < due) {
        task.set_note(notes::agreed(), now.ticks / Timestamp::ticks_per_second);
    }
}

} // namespace replica

#endif // REPLICA_STALE_HPP
