#ifndef REPLICA_SEND_WHOLE_HPP
#define REPLICA_SEND_WHOLE_HPP

// A whole file to a peer, and what must be known of it afterwards. rsync.hpp delivers and finishes
// it; here it is made sure whose points now speak of which file.

#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/rsync.hpp>
#include <replica/words/message.hpp>
#include <replica/words/notes.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace replica::detail {

/// Gives up our id, so that no point that a peer has of it counts any more.
template <class P>
void renew_id(Task<P>& task, std::string_view why) {
    task.database().renew_id();
    task.info = task.database().info();
    task.renumbered = true;
    task.pass.count(&Stats::reidentified);
    task.pass.observer(event::Reidentified{task.found.path, why});
}

/// The id of the peer's file if that has our rows as of `upload`, by a question for its point.
template <class P>
[[nodiscard]] std::optional<std::string> holder_of(Task<P>& task, Conversation<P>& peer,
                                                   const std::string& upload) {
    const auto reply = peer.expect_success(message::encode(message::Sync::question(upload)),
                                           task.pass.settings.node_timeout);
    if (!reply) {
        return std::nullopt;
    }
    try {
        const auto remote = message::decode_reply<typename P::info_type>(reply->body);
        const bool holds = remote.point >= std::max<std::int64_t>(task.info.max_row, 0);
        return holds ? std::optional(remote.info.id) : std::nullopt;
    } catch (const Failure&) {
        return std::nullopt; // not an answer
    }
}

/// The whole file to a peer that merges it.
///
/// A stock receiver notes its own last ROWID as the point of the upload's name: beyond our last
/// row, by as many rows as it had of its own, and rows that come here next would count as known. So
/// the upload bears a name that is nobody's id. Order:
///
///   finish       the peer has our rows, and a point of the upload's name in the same file
///   merge_syncs  it takes our last row, as of before the upload, for our point
///   sync         a question for the point of the upload's name: only the merged file has one
///
/// Whatever is cut off after the finish, the peer knows too little of us and gets rows twice. But
/// stock receivers merge several files at a time, and whichever ends last replaces the others: if
/// one did between our finish and our point, the point stands in a file without our rows. Therefore
/// the question; unless it is answered as it should be, our id is given up.
template <class P>
[[nodiscard]] Result<decide::Outcome> push_and_note(Task<P>& task, Conversation<P>& peer,
                                                    const typename P::info_type& remote) {
    P& pass = task.pass;
    const std::string name = upload_name<message::RsyncThenMerge>(task, peer, remote.id);
    auto outcome = push_file<message::RsyncThenMerge>(task, peer, remote);
    if (!outcome) {
        return outcome;
    }
    const message::MergeSyncs reached{{{task.info.max_row, task.info.id}}};
    const auto noted = peer.send(message::encode(reached), pass.settings.node_timeout);
    const auto holder = holder_of(task, peer, name);
    if (!noted || !holder) { // without an answer the point may still be under way
        renew_id(task, "a peer may have lost what was merged into it");
        return decide::Outcome::progress;
    }
    if (task.leaves) {
        task.set_note(notes::sent_to(*holder), task.info.max_row);
    }
    return outcome;
}

/// The whole file to a peer that has none. For a copy that leaves it counts as given, or all its
/// rows would go over once more as soon as a client has written to the peer.
template <class P>
[[nodiscard]] Result<decide::Outcome> push_first(Task<P>& task, Conversation<P>& peer) {
    auto outcome = push_file<message::CompleteRsync>(task, peer, typename P::info_type{});
    if (outcome && task.leaves) {
        const auto holder = holder_of(task, peer, task.info.id);
        if (holder) {
            task.set_note(notes::sent_to(*holder), task.info.max_row);
        }
    }
    return outcome;
}

} // namespace replica::detail

#endif // REPLICA_SEND_WHOLE_HPP
