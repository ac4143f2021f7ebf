#ifndef REPLICA_SEND_EXPLAIN_HPP
#define REPLICA_SEND_EXPLAIN_HPP

// Why is this database not where or what it should be? A stock daemon answers that only by its next
// pass and a debug log. Here both sides of every comparison are put into words, by the functions
// that a pass decides with, and nothing is changed anywhere.

#include <replica/broker.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/foresee.hpp>
#include <replica/settings.hpp>
#include <replica/storage/place.hpp>
#include <replica/transport.hpp>
#include <replica/words/info.hpp>
#include <replica/words/notes.hpp>

#include <algorithm>
#include <concepts>
#include <optional>
#include <stop_token>
#include <string>

namespace replica {

namespace detail {

[[nodiscard]] inline std::string describe(const Info& info) {
    return "  id " + info.id + ", max_row " + std::to_string(info.max_row) + ", count " +
           std::to_string(info.count) + ", bytes " + std::to_string(info.bytes_used) + "\n  hash " +
           info.hash + "\n  created_at " + info.created_at + ", put " + info.put_timestamp +
           ", delete " + info.delete_timestamp + '\n';
}

/// How one peer compares, in words.
template <std::derived_from<Info> I>
[[nodiscard]] std::string describe(const PeerForesight<I>& seen) {
    std::string text = "Peer " + seen.peer.replication_ip + ':' +
                       std::to_string(seen.peer.replication_port) + '/' + seen.peer.device + '\n';
    if (seen.remote) {
        text += describe(*seen.remote);
        text += "  points: it has our rows up to " + std::to_string(seen.points.theirs) +
                " (by its account), " + std::to_string(seen.points.outgoing) +
                " (by ours); we have its rows up to " + std::to_string(seen.points.incoming) + '\n';
    } else {
        text += "  " + seen.said + '\n';
    }
    return text + "  -> " + seen.why + '\n';
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
    const auto& devices = ring.devices();
    const auto at = std::ranges::find_if(devices, [&](const Device& device) {
        return device.device == place.device_name() && is_local(device);
    });
    const auto local = at == devices.end() ? std::nullopt : std::optional(*at);
    Foreseer foreseer(settings, broker, ring, transport, stop);
    const auto found = foreseer.look(path, local, [] { return true; });
    std::string text =
        path + '\n' + "  holds " + found.info.name() + '\n' + detail::describe(found.info);
    if (found.pending) {
        text += "  more rows wait in " + path + ".pending and are not counted here\n";
    }
    if (!found.named.empty()) {
        return text + "Its name hashes to " + found.named +
               ": a wrong prefix or suffix in swift.conf, or a file that was put here by hand. A "
               "pass sends and removes nothing.\n";
    }
    if (!local) {
        text +=
            place.device_name() + " is no device of this node in the ring: no pass comes here.\n";
    } else if (found.misplaced()) {
        text += "It is misplaced: it lies under partition " + std::to_string(place.partition) +
                " and should be under " + std::to_string(found.partition) + ".\n";
    } else {
        text += found.belongs ? "It belongs here: " : "It is a handoff here: ";
        text += place.device_name() + (found.belongs ? " is a" : " is no") +
                " primary of partition " + std::to_string(found.partition) + ".\n";
    }
    auto database = broker.open(path, broker.clock().monotonic() + to_duration(Seconds(25)));
    text += detail::explain_end<B>(settings, found.info, found.belongs, broker.clock().now());
    text += detail::explain_age<B>(settings, database, found.info, broker.clock().now());
    for (const auto& seen : found.peers) {
        text += detail::describe(seen);
    }
    return text;
}

} // namespace replica

#endif // REPLICA_SEND_EXPLAIN_HPP
