#ifndef REPLICA_SEND_EXPLAIN_HPP
#define REPLICA_SEND_EXPLAIN_HPP

// Why is this database not where or what it should be? A stock daemon answers that only by its next
// pass and a debug log. Here both sides of every comparison are put into words, by the functions
// that a pass decides with, and nothing is changed anywhere.

#include <replica/broker.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/refusal.hpp>
#include <replica/settings.hpp>
#include <replica/storage/storage.hpp>
#include <replica/transport.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/message.hpp>
#include <replica/words/notes.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

namespace detail {

[[nodiscard]] inline std::string describe(const Info& info) {
    return "  id " + info.id + ", max_row " + std::to_string(info.max_row) + ", count " +
           std::to_string(info.count) + ", bytes " + std::to_string(info.bytes_used) + "\n  hash " +
           info.hash + "\n  created_at " + info.created_at + ", put " + info.put_timestamp +
           ", delete " + info.delete_timestamp + '\n';
}

/// A choice in words, and the reason for it.
[[nodiscard]] inline std::string in_words(const decide::Choice& choice, std::int64_t max_row) {
    const auto rows = [&] {
        return "ROWID " + std::to_string(choice.point + 1) + " to " + std::to_string(max_row);
    };
    switch (choice.way) {
    case decide::Way::no_change:
        return choice.suspect ? "nothing to send by the points, and yet the contents differ: a "
                                "write in flight, or a divergence; the second time that a pass "
                                "sees it all rows are sent again, the third time the file (four "
                                "times as late if only the hashes differ)"
                              : "nothing to send: it has all our rows by the points";
    case decide::Way::hash_match:
        return "nothing to send: hash, count and bytes are the same; only the point is noted";
    case decide::Way::rows:
        return "send rows, " + rows() + ": it does not have them by the points";
    case decide::Way::whole_then_merge:
        return "send the whole file to be merged there: it has fewer than half of our rows and "
               "lacks more than per_diff";
    case decide::Way::renew_id:
        return "take a new id and ask again: it knows more of our rows than we have, or has our "
               "id; this file was restored from an older copy, or copied";
    }
    return {};
}

/// How one peer compares: its answer, or what its status means.
template <Broker B, Transport T>
[[nodiscard]] std::string
explain_peer(const Settings& settings, B& broker, typename B::database_type& database,
             const info_type_of<B>& info, bool belongs, T& transport, const Device& device,
             Request request, const std::stop_token& stop) {
    request.device = device.device;
    request.body = message::encode(message::Sync::point_query(info.id));
    auto peer = transport.peer(device);
    const Instant deadline = broker.clock().monotonic() + to_duration(settings.node_timeout);
    const Result<Reply> reply = peer.send(request, deadline, stop);
    if (!reply) {
        return "  no answer: " + reply.error().what + "\n  -> nothing is sent\n";
    }
    if (reply->status == 404) {
        return "  has no copy\n  -> send the whole file\n";
    }
    if (!reply->success()) {
        const bool stood_in_for =
            reply->status == 507 && refusal_of(peer, *reply, deadline, stop) == Error::not_mounted;
        return "  answered " + std::to_string(reply->status) + ' ' + reply->reason + "\n  -> " +
               (stood_in_for ? "one handoff is asked in its place\n" : "nothing is sent\n");
    }
    message::SyncReply<info_type_of<B>> remote;
    try {
        remote = message::decode_reply<info_type_of<B>>(reply->body);
    } catch (const Failure& failure) {
        return std::string("  unusable answer: ") + failure.what() + "\n  -> nothing is sent\n";
    }
    const decide::Points points{remote.point,
                                database.sync_point(remote.info.id, Direction::outgoing),
                                database.sync_point(remote.info.id, Direction::incoming)};
    std::string text = describe(remote.info);
    text += "  points: it has our rows up to " + std::to_string(points.theirs) +
            " (by its account), " + std::to_string(points.outgoing) +
            " (by ours); we have its rows up to " + std::to_string(points.incoming) + "\n  -> ";
    if (!B::kind_type::sends_rows(info)) {
        return text + "no rows are sent: sharding has begun, they are the sharder's\n";
    }
    const decide::Replica here(info);
    const decide::Replica there(remote.info);
    const auto given = database.sync_point(notes::sent_to(remote.info.id), Direction::outgoing);
    const auto choice = decide::choose(
        here, there, belongs ? points : decide::points_for_handoff(here, there, points, given),
        settings);
    text += in_words(choice, info.max_row);
    if (!belongs && choice.way == decide::Way::rows) {
        text += ", which count before the copy goes only as far as it has sent them itself";
    }
    return text + '\n';
}

/// Whether a pass keeps or removes the local copy, in words.
template <Broker B>
[[nodiscard]] std::string explain_end(const Settings& settings, const info_type_of<B>& info,
                                      bool belongs, Timestamp now) {
    const auto expired_at = [&](Timestamp at) {
        return decide::is_expired(B::kind_type::live_rows(info), info.put_timestamp,
                                  info.delete_timestamp, at, settings.reclaim_age);
    };
    if (expired_at(now)) {
        if (!B::kind_type::reported(info)) {
            return "It is expired, but stays until its last state has been reported upwards.\n";
        }
        return B::kind_type::may_expire(info)
                   ? "It is expired: a pass removes it once every peer that has it knows all of "
                     "it and has nothing for it; a peer without it is not sent it.\n"
                   : "It is expired, but the sharder's: it stays.\n";
    }
    std::string text = belongs ? "It stays.\n" : "It goes once enough primaries have it all.\n";
    if (expired_at(now.plus(settings.reclaim_age))) {
        text += "It is deleted; reclaim_age has not passed yet.\n";
    }
    return text;
}

/// Whether the copy is stale (send/stale.hpp), in words; empty if not.
template <Broker B>
[[nodiscard]] std::string explain_age(const Settings& settings, typename B::database_type& database,
                                      const info_type_of<B>& info, Timestamp now) {
    const auto noted = database.sync_point(notes::agreed(), Direction::outgoing);
    const Timestamp agreed = notes::last_agreement(database, noted, info.created_at);
    const Timestamp limit = now.plus(-settings.reclaim_age);
    if (limit <= agreed) {
        return {};
    }
    return "It last agreed with a peer at " + agreed.normal() +
           ", longer ago than reclaim_age. Unless its content is a peer's, or no other primary has "
           "one, " +
           (settings.accept_stale ? "it is stale, and sends all of its rows: accept_stale is set.\n"
                                  : "it is stale: live rows from before " + limit.normal() +
                                        " are held back, and so is the whole file.\n");
}

} // namespace detail

/// A text about one database file: what it is, whether it belongs there, how each primary compares,
/// what a pass would do, and why.
///
/// Changes nothing: rows in `<file>.pending` are mentioned and stay there, and the request gives a
/// peer nothing to merge. (A peer does commit its own pending rows and makes its device's tmp
/// directory, as at every request.) `is_local` as for Replicator. Throws Failure if the file is no
/// database or is not in a device's tree.
template <Broker B, RingVersion R, Transport T, std::predicate<const Device&> IsLocal>
[[nodiscard]] std::string explain(const std::string& path, const Settings& settings, B& broker,
                                  const R& ring, T& transport, IsLocal is_local,
                                  const std::stop_token& stop = {}) {
    const auto place = Place::of(path, B::kind_type::datadir);
    auto database = broker.open(path, broker.clock().monotonic() + to_duration(Seconds(25)));
    const auto info = database.info();
    std::string text = path + '\n' + "  holds " + info.name() + '\n' + detail::describe(info);
    if (storage::has_pending(broker.disk(), path)) {
        text += "  more rows wait in " + path + ".pending and are not counted here\n";
    }
    const HashPath hash_path{settings.hash_path_prefix, settings.hash_path_suffix};
    if (const std::string hash = hash_path(info.name()); hash != place.hash) {
        return text + "Its name hashes to " + hash +
               ": a wrong prefix or suffix in swift.conf, or a file that was put here by hand. A "
               "pass sends and removes nothing.\n";
    }

    const std::uint32_t partition = ring.partition(place.hash);
    const bool misplaced = place.partition != partition;
    const auto& devices = ring.devices();
    const auto local = std::ranges::find_if(devices, [&](const Device& device) {
        return device.device == place.device_name() && is_local(device);
    });
    const std::int64_t local_id = local == devices.end() ? -1 : local->id;
    const auto primaries = ring.primaries(partition);
    const bool belongs = !misplaced && local_id >= 0 && decide::is_primary(primaries, local_id);
    if (local_id < 0) {
        text +=
            place.device_name() + " is no device of this node in the ring: no pass comes here.\n";
    } else if (misplaced) {
        text += "It is misplaced: it lies under partition " + std::to_string(place.partition) +
                " and should be under " + std::to_string(partition) + ".\n";
    } else {
        text += belongs ? "It belongs here: " : "It is a handoff here: ";
        text += place.device_name() + (belongs ? " is a" : " is no") + " primary of partition " +
                std::to_string(partition) + ".\n";
    }
    text += detail::explain_end<B>(settings, info, belongs, broker.clock().now());
    text += detail::explain_age<B>(settings, database, info, broker.clock().now());

    for (const Device& device : decide::peer_order(primaries, belongs ? local_id : -1)) {
        text += "Peer " + device.replication_ip + ':' + std::to_string(device.replication_port) +
                '/' + device.device + '\n';
        text +=
            detail::explain_peer<B>(settings, broker, database, info, belongs, transport, device,
                                    {{}, std::to_string(partition), place.hash, {}, true}, stop);
    }
    return text;
}

} // namespace replica

#endif // REPLICA_SEND_EXPLAIN_HPP
