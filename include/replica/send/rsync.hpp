#ifndef REPLICA_SEND_RSYNC_HPP
#define REPLICA_SEND_RSYNC_HPP

// Sends a whole database file, then has the peer put it in place. The live file is sent first,
// since nearly always nobody writes to it meanwhile. If somebody did, the file that arrived is
// torn, and a private copy made through the broker is sent instead. (Swift sends again under the
// write lock, and so keeps clients out while two disks compute checksums: defect 33.) To a server
// of ours the file goes as a snapshot (send/push_file.hpp), which is never torn.

#include <replica/observer.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/session.hpp>
#include <replica/send/source.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/message.hpp>
#include <replica/words/random.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace replica {

namespace detail {

/// What shows a write to a live file. If two fingerprints, before and after a transfer, are equal,
/// nobody has written in between. Nothing if the file is gone or there is a journal.
template <AnyPass P>
[[nodiscard]] std::optional<std::pair<FileStatus, std::uint64_t>>
fingerprint(DatabaseTurn<P>& turn) {
    auto& disk = turn.pass.broker.disk();
    const auto status = disk.stat(turn.place.path());
    if (!status || disk.stat(turn.place.path() + "-journal")) {
        return std::nullopt;
    }
    return std::pair(*status, turn.database().version());
}

/// The key of a transfer: the database and the peer's device. The id of the peer's file is no part
/// of it: the peer's own replicator may renew that id while its server merges (defect 6).
template <AnyPass P>
[[nodiscard]] std::string transfer_key(const DatabaseTurn<P>& turn, const PeerSession<P>& peer) {
    return turn.place.hash + ' ' + peer.address() + '/' + peer.device().device;
}

/// Behind the key of a transfer to a peer that had no file.
inline constexpr const char* to_install = " to install";

/// The key of an upload's name: a file of another id, here or there, has another upload.
template <AnyPass P>
[[nodiscard]] std::string upload_key(const DatabaseTurn<P>& turn, const PeerSession<P>& peer,
                                     const std::string& remote_id) {
    return transfer_key(turn, peer) + ' ' + remote_id + ' ' + turn.info.id;
}

} // namespace detail

/// The name of an upload in the peer's tmp. The peer records a point under this name.
///
/// - A peer without the database records our last row, so the name is our id.
/// - A merging peer records its own highest ROWID, so the name must be no database id. The name is
///   unique to this process: no other process of ours may replace a file that is being merged.
/// - The name contains our last row. Points travel from peer to peer, each after its rows, so a
///   peer with a point of this name has our rows up to that one.
///
/// An upload that was refused or not finished has left no point. The next upload takes its name and
/// its place, whatever rows have come. At most 36 + 1 + 16 + 1 + 19 bytes.
template <class Finish, AnyPass P>
[[nodiscard]] std::string upload_name(DatabaseTurn<P>& turn, const PeerSession<P>& peer,
                                      const std::string& remote_id) {
    const std::string& id = turn.info.id;
    if (Finish::verb != message::RsyncThenMerge::verb) {
        return id;
    }
    const std::string fresh =
        id + '-' + Random(turn.pass.settings.seed).name() + '-' + std::to_string(turn.info.max_row);
    return turn.pass.memory.pending_upload_name(detail::upload_key(turn, peer, remote_id), fresh);
}

/// A fault while the end of a transfer is not known: the peer may be about to replace the file that
/// it answers for by one that was merged from an earlier state. A file that was only to be put in
/// place does no harm once the peer has one (`there`): stock then refuses it.
template <AnyPass P>
[[nodiscard]] std::optional<Fault> unfinished_transfer(const DatabaseTurn<P>& turn,
                                                       const PeerSession<P>& peer, bool there) {
    const std::string key = detail::transfer_key(turn, peer);
    const auto held = [&, now = turn.pass.clock.monotonic()](const std::string& what) {
        return turn.pass.memory.transfers.held(what, now);
    };
    if (!held(key) && (there || !held(key + detail::to_install))) {
        return std::nullopt;
    }
    return Fault{Error::held_back, key + ": the last transfer may still be at work there"};
}

namespace detail {

/// How long a peer may take for the rows of both sides.
template <AnyPass P>
[[nodiscard]] Seconds time_to_finish(const DatabaseTurn<P>& turn,
                                     const typename P::info_type& remote) {
    const double rows = static_cast<double>(turn.info.count) + static_cast<double>(remote.count);
    return turn.pass.settings.node_timeout + Seconds(std::clamp(rows / 2000, 0.0, 86400.0));
}

/// A place among the files that are on their way to the peer's device, which counts for `longest`.
/// Waits for 2 s, since large files may be on their way for hours; nobody else does after that.
template <AnyPass P>
[[nodiscard]] Result<Places::Place> await_place(DatabaseTurn<P>& turn, const PeerSession<P>& peer,
                                                Seconds longest) {
    constexpr Seconds patience(2);
    constexpr Seconds most_between(0.05);
    P& pass = turn.pass;
    Places& places = pass.memory.places;
    const std::string device = peer.address() + '/' + peer.device().device;
    const int bound = pass.settings.transfers_per_device;
    const auto most = bound > 0 ? static_cast<std::size_t>(bound) : std::string::npos;
    const Instant last = pass.after(patience);
    turn.heartbeat.expect(pass.after(patience + pass.settings.watchdog));
    for (Seconds look(0.001);; look = std::min(2 * look, most_between)) {
        const Instant now = pass.clock.monotonic();
        if (auto place = places.take(device, most, now, pass.after(longest))) {
            return *std::move(place);
        }
        if (now >= last || places.is_full(device)) {
            places.note_full(device);
            return Fault{Error::held_back, device +
                                               ": as many whole files as may be "
                                               "(transfers_per_device) are on their way to it"};
        }
        if (!pass.clock.sleep_until(std::min(last, pass.after(look)), pass.stop)) {
            return Fault{Error::stopped, device + ": stopped while it waited for its turn"};
        }
    }
}

/// Has the peer put the upload `name` in place.
template <class Finish, AnyPass P>
[[nodiscard]] Result<Reply> finish(DatabaseTurn<P>& turn, PeerSession<P>& peer,
                                   const typename P::info_type& remote, const std::string& name) {
    P& pass = turn.pass;
    const Seconds wait = time_to_finish(turn, remote);
    const Finish call{name, storage::base(turn.place.path())};
    auto reply = peer.expect_success(message::encode_finish(call), wait, false);
    const auto failed = [&](Error error) { return !reply && reply.error().code == error; };
    const bool lost = failed(Error::connection_lost);
    if (!failed(Error::peer_failed) && !failed(Error::peer_refused) && !failed(Error::missing)) {
        pass.memory.finished(upload_key(turn, peer, remote.id)); // it is gone, or may be
    }
    if (lost || failed(Error::timed_out)) {
        const bool installs = Finish::verb == message::CompleteRsync::verb;
        const Seconds rest = lost && installs ? pass.settings.node_timeout : wait;
        pass.memory.transfers.hold(transfer_key(turn, peer) + (installs ? to_install : ""),
                                   pass.after(2 * rest));
    }
    return reply;
}

} // namespace detail

/// Delivers the file, then finishes: CompleteRsync or RsyncThenMerge (Swift: _rsync_db). A way that
/// leads to servers of ours only may do both in one request (Upload::file): they put no two uploads
/// in place at a time, and replace no database by rows from an earlier state of it.
///
/// A stock receiver installs whatever file has the upload's name at the time it handles the
/// request, so two uploads must never be under way (defect 6). After a finish without an answer the
/// peer may still be merging: this database is not sent there for twice the time that was waited,
/// whatever id the peer's file has by then. A peer without the database only renames. If that
/// connection was lost, the peer was most likely restarted, and twice node_timeout is enough.
///
/// Deadlines: for the transfer node_timeout and one second for each MiB; for the finish
/// node_timeout and one second for each 2000 rows of both sides, at most a day (defect 34).
template <class Finish, AnyPass P>
[[nodiscard]] Result<decide::Outcome> push_file(DatabaseTurn<P>& turn, PeerSession<P>& peer,
                                                const typename P::info_type& remote) {
    P& pass = turn.pass;
    auto& disk = pass.broker.disk();
    if (auto held = unfinished_transfer(turn, peer, !remote.id.empty())) {
        return *std::move(held);
    }
    const std::string name = upload_name<Finish>(turn, peer, remote.id);

    const auto status = disk.stat(turn.place.path());
    const std::int64_t bytes = status ? status->size : 0;
    const Seconds patience = pass.settings.node_timeout + storage::time_to_read(bytes);
    const auto place = detail::await_place(
        turn, peer, 3 * patience + detail::time_to_finish(turn, remote) + pass.settings.watchdog);
    if (!place) {
        return place.error();
    }
    const auto before = detail::fingerprint(turn);
    const bool may_finish = Finish::verb == message::CompleteRsync::verb;
    const Upload upload{.target = peer.device(),
                        .name = name,
                        .different_region = peer.device().region != turn.local.region,
                        .partition = turn.place.partition,
                        .hash = turn.place.hash,
                        .file = may_finish ? storage::base(turn.place.path()) : std::string()};
    detail::DatabaseSource<P> source(turn);
    const auto deliver = [&](auto& from, const Upload& how) {
        const Instant deadline = pass.after(patience);
        turn.heartbeat.expect(deadline + to_duration(pass.settings.watchdog));
        auto sent = pass.files.send(from, how, deadline, pass.stop);
        from.rethrow();
        return sent;
    };

    Result<Sent> sent = Sent{};
    bool snapshot = true;
    if (before) {
        sent = deliver(source, upload);
        if (!sent) {
            return sent.error();
        }
        snapshot = !sent->snapshot && detail::fingerprint(turn) != before;
    }
    if (snapshot) {
        const Instant deadline = pass.after(patience);
        turn.heartbeat.expect(deadline + to_duration(pass.settings.watchdog));
        const auto copied = source.copy(deadline);
        if (!copied) {
            return copied.error();
        }
        Upload again = upload;
        again.whole_file = !before.has_value();
        sent = deliver(source, again);
        if (!sent) {
            return sent.error();
        }
    }
    pass.count(&Stats::bytes, sent->bytes);

    if (!sent->finished) {
        if (auto reply = detail::finish<Finish>(turn, peer, remote, name); !reply) {
            return reply.error();
        }
    }
    pass.observer(event::WholeFileSent{turn.place.path(), peer.device(), sent->bytes,
                                       Finish::verb == message::RsyncThenMerge::verb, snapshot});
    return decide::Outcome::done;
}

} // namespace replica

#endif // REPLICA_SEND_RSYNC_HPP
