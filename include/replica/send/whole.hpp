#ifndef REPLICA_SEND_WHOLE_HPP
#define REPLICA_SEND_WHOLE_HPP

// Sends a whole file to a peer, and makes sure afterwards which points speak of which file.
// Delivery and finish are in send/rsync.hpp.

#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/rsync.hpp>
#include <replica/send/session.hpp>
#include <replica/words/message.hpp>
#include <replica/words/notes.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace replica {

/// Gives up our id, so that no point that a peer has of us counts any more.
template <AnyPass P>
void renew_id(DatabaseTurn<P>& turn, std::string_view why) {
    turn.database().renew_id();
    turn.reached.clear(); // as renew_id drops those that were recorded, and notes
    turn.read_notes.reset();
    turn.along.reset();
    turn.info = turn.database().info();
    turn.renumbered = true;
    turn.pass.count(&Stats::reidentified);
    turn.pass.observer(event::Reidentified{turn.place.path(), why});
}

namespace detail {

/// Asks for the peer's point of the upload's name. Returns the id of the peer's file if that file
/// has all our rows of the upload.
template <AnyPass P>
[[nodiscard]] std::optional<std::string> confirm_upload(DatabaseTurn<P>& turn, PeerSession<P>& peer,
                                                        const std::string& upload) {
    const auto reply = peer.expect_success(message::encode(message::Sync::point_query(upload)),
                                           turn.pass.settings.node_timeout);
    if (!reply) {
        return std::nullopt;
    }
    try {
        const auto remote = message::decode_reply<typename P::info_type>(reply->body);
        const bool holds = remote.point >= std::max<std::int64_t>(turn.info.max_row, 0);
        return holds ? std::optional(remote.info.id) : std::nullopt;
    } catch (const Failure&) {
        return std::nullopt; // an answer that cannot be read
    }
}

} // namespace detail

/// Sends the whole file to a peer that merges its own rows into it.
///
/// A stock receiver records its own last ROWID as the point of the upload's name. That is beyond
/// our last row, by as many rows as the receiver had of its own. Under our id, the next rows that
/// come here would count as known. So the name of the upload is nobody's id. Order:
///
///   finish       the peer has our rows, and a point of the upload's name in the same file
///   merge_syncs  sets the peer's point of our id to our last row as of before the upload
///   sync         asks for the point of the upload's name: only the merged file has one
///
/// If the order breaks off after the finish, the peer knows too little of us and gets rows twice.
/// But stock receivers merge several files at a time, and the last to end replaces the others. If
/// another merge ended between our finish and our point, the point is in a file without our rows.
/// The last question finds that out: unless its answer is as expected, we give up our id.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome> push_file_to_merge(DatabaseTurn<P>& turn,
                                                         PeerSession<P>& peer,
                                                         const typename P::info_type& remote) {
    P& pass = turn.pass;
    const std::string name = upload_name<message::RsyncThenMerge>(turn, peer, remote.id);
    auto outcome = push_file<message::RsyncThenMerge>(turn, peer, remote);
    if (!outcome) {
        return outcome;
    }
    const message::MergeSyncs reached{{{turn.info.max_row, turn.info.id}}};
    const auto noted = peer.send(message::encode(reached), pass.settings.node_timeout);
    const auto holder = detail::confirm_upload(turn, peer, name);
    if (!noted || !holder) { // the point may still be under way
        renew_id(turn, "a peer may have lost what was merged into it");
        return decide::Outcome::progress;
    }
    if (turn.leaves) {
        turn.set_note(notes::sent_to(*holder), turn.info.max_row);
    }
    return outcome;
}

/// Sends the whole file to a peer without a copy. A copy that leaves notes its rows as sent:
/// otherwise all of them would go once more as soon as a client has written to the peer.
template <AnyPass P>
[[nodiscard]] Result<decide::Outcome> push_file_to_empty_peer(DatabaseTurn<P>& turn,
                                                              PeerSession<P>& peer) {
    auto outcome = push_file<message::CompleteRsync>(turn, peer, typename P::info_type{});
    if (outcome && turn.leaves) {
        const auto holder = detail::confirm_upload(turn, peer, turn.info.id);
        if (holder) {
            turn.set_note(notes::sent_to(*holder), turn.info.max_row);
        }
    }
    return outcome;
}

} // namespace replica

#endif // REPLICA_SEND_WHOLE_HPP
