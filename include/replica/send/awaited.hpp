#ifndef REPLICA_SEND_AWAITED_HPP
#define REPLICA_SEND_AWAITED_HPP

// Rows of a peer that will not come (defect 126). A stock peer may drop its last rows before its
// own pass has sent them: tombstones that were older than reclaim_age when they came to it. Its
// last ROWID then stays above all that it ever sends, and a copy of ours that waited for those rows
// for ever would never look at a difference between the two.
//
// - A wait of a quarter of reclaim_age without a new row of the peer is too long. If the sums of
//   the two differ then, the copy is told with the stale ones (send/stale.hpp), unless another peer
//   agrees with it. Nothing is sent again: the rows that did not come may have been tombstones of
//   rows that are live here. The operator may say that the rows count (accept_stale).
// - Nothing else follows. Neither does the copy drop its own tombstones, since the rows may be on
//   their way, nor do the two agree, nor is an expired database removed.
// - A wait begins once the last agreement is half a reclaim_age old: a peer that is ahead for a
//   moment costs no write. With the next row of the peer that comes here it is over, and a
//   difference is looked at as ever.
// - A peer that drops further rows more often than that is waited for anew each time.

#include <replica/send/database_turn.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/stale.hpp>
#include <replica/words/notes.hpp>

#include <cstdint>
#include <string>

namespace replica {

/// Whether only rows that are still to come hide a difference.
[[nodiscard]] constexpr bool may_wait(const decide::Choice& choice, const decide::Replica& local,
                                      const decide::Replica& remote) {
    return choice.way == decide::Way::no_change && !choice.settled &&
           (local.count != remote.count || local.bytes_used != remote.bytes_used);
}

/// Whether the peer's rows above `incoming`, the last one that has come here, will never come.
template <AnyPass P>
[[nodiscard]] bool will_not_come(DatabaseTurn<P>& turn, const typename P::info_type& remote,
                                 std::int64_t incoming) {
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

/// What to send to a peer: decide::choose, and what follows if its rows will not come.
template <AnyPass P>
[[nodiscard]] decide::Choice choose(DatabaseTurn<P>& turn, const typename P::info_type& remote,
                                    const decide::Points& points) {
    const decide::Replica local(turn.info);
    const decide::Replica there(remote);
    auto choice = decide::choose(local, there, points, turn.pass.settings);
    if (!turn.leaves && !turn.expiring && may_wait(choice, local, there) &&
        will_not_come(turn, remote, points.incoming)) {
        choice.suspect = turn.pass.settings.accept_stale;
        choice.gave_up = !choice.suspect;
    }
    return choice;
}

} // namespace replica

#endif // REPLICA_SEND_AWAITED_HPP
