#ifndef REPLICA_TRANSPORT_HPP
#define REPLICA_TRANSPORT_HPP

// How a request reaches another node. A transport hands out peers, one per device it is asked for;
// a peer carries one request at a time and blocks until the answer or the deadline.

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/words/timestamp.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace replica {

/// A REPLICATE request: /device/partition/hash and a JSON list.
struct Request {
    std::string device;
    std::string partition; ///< Decimal; text, because what comes from outside may be anything.
    std::string hash;      ///< 32 hexadecimal digits.
    std::string body;      ///< JSON: [verb, arguments...], ASCII only.

    /// Doing it twice is the same as doing it once, so it may be repeated when a pooled connection
    /// turns out to be stale. Never set for complete_rsync and rsync_then_merge.
    bool repeatable = true;
};

/// What came back.
struct Reply {
    int status = 0; ///< As HTTP has it: 200, 202, 204, 404, 507...
    std::string content_type;
    std::string body;
    std::string reason;              ///< The status line's phrase; empty for the usual one.
    std::optional<Timestamp> date{}; ///< The receiver's wall time, if it told.

    [[nodiscard]] bool success() const { return status >= 200 && status < 300; }
};

/// A transport's handle on one device of one node. Belongs to one task; cheap to make, since the
/// transport keeps the connections.
///
/// Laws (test/laws/transport.hpp):
/// - send blocks until the whole reply is there, the deadline has passed (Error::timed_out) or a
///   stop was asked for (Error::stopped). It never throws. A fault's text names the peer.
/// - Any status is a reply, not a fault.
/// - What the other side receives is a copy: nothing is shared.
/// - device() is the one it was made for.
template <class P>
concept Peer = std::movable<P> &&
               requires(P peer, const Request& request, Instant deadline, std::stop_token stop) {
                   { peer.device() } -> std::convertible_to<const Device&>;
                   { peer.send(request, deadline, stop) } -> std::same_as<Result<Reply>>;
               };

/// A peer that can also ask its node's server for a page, such as "/recon/diskusage". A
/// sub-concept: what needs a page does without where there is none. Laws as for send; the port is
/// the ring's.
template <class P>
concept PagePeer =
    Peer<P> && requires(P peer, std::string_view path, Instant deadline, std::stop_token stop) {
        { peer.get(path, deadline, stop) } -> std::same_as<Result<Reply>>;
    };

/// Hands out peers. Which server of a node a request reaches is the transport's affair:
/// BeastTransport prefers one of ours to a stock one. What a receiver of ours does better
/// (doc/defects.md, side "receiver") cannot be counted on by a sender.
///
/// Models: BeastTransport (beast/transport.hpp), SimTransport (sim/transport.hpp). Decorators:
/// Faulty, Paced, Traced (decorators.hpp). Thread safety: peer() from any thread.
template <class T>
concept Transport = requires(T transport, const Device& device) {
    { transport.peer(device) } -> Peer;
};

template <Transport T>
using peer_type_of = decltype(std::declval<T&>().peer(std::declval<const Device&>()));

} // namespace replica

#endif // REPLICA_TRANSPORT_HPP
