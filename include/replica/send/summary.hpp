#ifndef REPLICA_SEND_SUMMARY_HPP
#define REPLICA_SEND_SUMMARY_HPP

// One question for each pair of devices and pass, where there was one for each database. Two
// servers of ours compare what their ledgers (send/ledger.hpp) know to be at rest on both devices.
// What both know to be the same need not be opened to find out whether the peer still has it. What
// only this one knows is opened in this pass: the peer lacks it, has another content, or is about
// to find out.
//
// The peer speaks of its last walk. What it has lost since shows in the pass after its next one. A
// comparison only skips work: it moves no point, and nothing is removed because of it. Numbers that
// collide hide a difference until the entry is due, within a day.
//
// A stock peer, an older server, one that was just started, and one that does not answer leave the
// databases that it shares to the rechecks of the ledger.

#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/send/ledger.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/session.hpp>
#include <replica/send/walk.hpp>
#include <replica/send/workers.hpp>
#include <replica/words/message.hpp>
#include <replica/words/sketch.hpp>
#include <replica/words/summary.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace replica {

namespace detail {

/// The peer's summary in so many cells; nothing if it has none.
template <AnyPass P>
[[nodiscard]] std::optional<Summary> ask_summary(P& pass, PeerSession<P>& peer, const Device& local,
                                                 std::size_t cells) {
    const message::AskSummary ask{local.id, static_cast<std::int64_t>(cells)};
    const auto reply = peer.send(message::encode(ask), pass.settings.node_timeout);
    if (reply && reply->status == 507 && peer.fault_of(*reply).code == Condition::hand_off) {
        pass.memory.ledgers.distrust(peer.device()); // all that it had needs a handoff now
    }
    if (!reply || reply->status != 200) {
        return std::nullopt;
    }
    try {
        const auto summary = message::decode_summary(reply->body);
        return summary.walked >= 0 ? std::optional(summary) : std::nullopt;
    } catch (const Failure&) {
        return std::nullopt; // an answer that cannot be read
    }
}

/// Compares with one peer, in few cells first.
template <AnyPass P>
void compare_with(P& pass, const Device& local, const Device& device, Heartbeat& heartbeat) {
    Place nowhere;
    nowhere.hash = message::no_database;
    PeerSession<P> peer(pass, heartbeat, device, nowhere);
    std::int64_t missing = 0;
    for (const std::size_t cells : {Ledger::few_cells, std::size_t{512}, std::size_t{4096}}) {
        const auto theirs = ask_summary(pass, peer, local, cells);
        if (!theirs) {
            return;
        }
        const bool compared = pass.memory.ledgers.with(local.device, [&](Ledger& ledger) {
            const Summary ours = ledger.summary(device.id, cells);
            missing = ours.databases - theirs->walked;
            const auto difference = Sketch::between(ours.sketch, theirs->sketch);
            if (difference) {
                ledger.agree(device.id, {difference->here.begin(), difference->here.end()});
            }
            return difference.has_value();
        });
        if (compared) {
            return;
        }
    }
    if (missing > 0) { // a device that was replaced, for example
        pass.memory.ledgers.distrust(device);
    }
}

} // namespace detail

/// Compares what is at rest on a local device with each peer that shares some of it. Before the
/// walk of the device.
template <AnyPass P>
void compare_summaries(P& pass, const Device& local, Heartbeat& heartbeat) {
    if (!pass.settings.summaries) {
        return;
    }
    const auto peers = pass.memory.ledgers.with(local.device, [&](Ledger& ledger) {
        ledger.agree(local.id, {}); // a primary like the others, which has what it has
        return ledger.peers_of(local.id);
    });
    for (const Device& device : pass.ring.devices()) {
        if (peers.contains(device.id) && !pass.stop.stop_requested()) {
            detail::compare_with(pass, local, device, heartbeat);
        }
    }
}

} // namespace replica

#endif // REPLICA_SEND_SUMMARY_HPP
