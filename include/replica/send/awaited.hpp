#ifndef REPLICA_SEND_AWAITED_HPP
#define REPLICA_SEND_AWAITED_HPP

// Rows of a peer that will not come (defect 126). A stock peer may drop its last rows before its
// own pass has sent them: tombstones that were older than reclaim_age when they came to it. Its
// last ROWID then stays above all that it ever sends. A copy of ours that waited for those rows for
// ever would drop no tombstone of that database and would look at no difference.
//
// - A wait of a quarter of reclaim_age without a new row of the peer is too long. A difference is
//   then found, and all rows are sent again, before the copy counts as stale (send/stale.hpp).
// - The wait is noted only once an agreement is due, which is twice in a reclaim_age where the
//   contents agree: a peer that is ahead for a moment costs no write.
// - Rows that come after all do no harm. A live row among them is no older than a tombstone that
//   was dropped here, since the peer had that tombstone first. A tombstone that comes back is
//   dropped again.
// - An expired database is removed only once the rows have come (send/departure.hpp).
// - No agreement follows from it: the rows that did not come may have been tombstones of rows that
//   are live here.

#include <replica/send/database_turn.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/stale.hpp>
#include <replica/words/notes.hpp>

#include <cstdint>
#include <string>

namespace replica {

/// Whether the peer's rows above `incoming`, the last one that has come here, will never come.
template <AnyPass P>
[[nodiscard]] bool will_not_come(DatabaseTurn<P>& turn, const typename P::info_type& remote,
                                 std::int64_t incoming) {
    if (turn.leaves || turn.expiring || incoming >= remote.max_row) {
        return false;
    }
    const Seconds age = turn.pass.settings.reclaim_age;
    const std::string key = notes::waits_for(remote.id);
    const notes::Wait now(turn.now(), incoming, remote.max_row);
    const auto begun = notes::Wait::decode(turn.note(key));
    if (begun.rows == now.rows && begun.since <= now.since) {
        return begun.is_too_long(now, age);
    }
    if (detail::last_agreement(turn) < turn.now().plus(-age / 2)) {
        turn.set_note(key, now.encode());
    }
    return false;
}

} // namespace replica

#endif // REPLICA_SEND_AWAITED_HPP
