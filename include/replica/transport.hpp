#ifndef REPLICA_TRANSPORT_HPP
#define REPLICA_TRANSPORT_HPP

// How a request reaches another node. A transport hands out peers, each for one device. A peer
// carries one request at a time and blocks until the answer or the deadline.

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
    std::string device;    ///< Its name in the ring.
    std::string partition; ///< Decimal. Text, since a receiver must cope with anything.
    std::string hash;      ///< 32 hexadecimal digits.
    std::string body;      ///< JSON: [verb, arguments...], ASCII only.

    /// The request has the same effect when it is sent twice, so the transport may repeat it when a
    /// pooled connection turns out to be closed. Never set for complete_rsync and rsync_then_merge.
    bool repeatable = true;

    /// Only a server of ours understands the request. Where there is none, or none any more, the
    /// transport sends nothing: Error::connect_failed. Set only for a KnowingPeer.
    bool only_ours = false;
};

/// The answer to a request.
struct Reply {
    int status = 0;                  ///< HTTP's: 200, 202, 204, 404, 507...
    std::string content_type;        ///< As in the header of this name.
    std::string body;                ///< JSON, or text for people.
    std::string reason;              ///< The status line's phrase; empty for the usual one.
    std::optional<Timestamp> date{}; ///< The receiver's wall time, if its answer has one.

    /// Whether the status is one of 200 to 299.
    [[nodiscard]] bool success() const { return status >= 200 && status < 300; }
};

/// A transport's handle on one device of one node. A peer belongs to one task, and is cheap to
/// make, since the transport keeps the connections.
///
/// Laws (test/laws/transport.hpp):
/// - send blocks until the whole reply has come, the deadline has passed (Error::timed_out) or a
///   stop was asked for (Error::stopped). send never throws. A fault's text names the peer.
/// - Any status is a reply, not a fault.
/// - the other side receives a copy: nothing is shared.
/// - device() is the device that the peer was made for.
template <class P>
concept Peer = std::movable<P> &&
               requires(P peer, const Request& request, Instant deadline, std::stop_token stop) {
                   { peer.device() } -> std::convertible_to<const Device&>;
                   { peer.send(request, deadline, stop) } -> std::same_as<Result<Reply>>;
               };

/// A peer that can also ask the node's server for a page, such as "/recon/diskusage", at the ring's
/// port. The laws of send hold for get. Optional: without it, whoever needs a page goes on without.
template <class P>
concept PagePeer =
    Peer<P> && requires(P peer, std::string_view path, Instant deadline, std::stop_token stop) {
        { peer.get(path, deadline, stop) } -> std::same_as<Result<Reply>>;
    };

/// A peer that knows whether a server of ours takes its requests. The answer may be out of date,
/// and may take a request of its own; false if none comes by the deadline or before a stop.
/// Optional: without it, nothing is sent that a stock server does not understand.
template <class P>
concept KnowingPeer = Peer<P> && requires(P peer, Instant deadline, std::stop_token stop) {
    { peer.speaks_ours(deadline, stop) } -> std::same_as<bool>;
};

/// Hands out peers. The transport decides which server of a node a request reaches: BeastTransport
/// prefers a server of ours to a stock one. A sender must not rely on what only a receiver of ours
/// does (doc/defects.md, side "receiver"), unless it has asked (KnowingPeer).
///
/// Models: BeastTransport (beast/transport.hpp), SimTransport (sim/transport.hpp). Decorators:
/// Faulty, Paced, Traced (decorators.hpp). Thread safety: peer() from any thread.
template <class T>
concept Transport = requires(T transport, const Device& device) {
    { transport.peer(device) } -> Peer;
};

/// What a transport hands out.
template <Transport T>
using peer_type_of = decltype(std::declval<T&>().peer(std::declval<const Device&>()));

} // namespace replica

#endif // REPLICA_TRANSPORT_HPP
