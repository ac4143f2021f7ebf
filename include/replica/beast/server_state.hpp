#ifndef REPLICA_BEAST_SERVER_STATE_HPP
#define REPLICA_BEAST_SERVER_STATE_HPP

// What the connections of a server share: its bounds and how much of each is left. When a bound is
// reached, the request that reaches it is refused; the server goes on.

#include <replica/beast/crew.hpp>
#include <replica/beast/door.hpp>
#include <replica/clock.hpp>
#include <replica/receive/admission.hpp>
#include <replica/transport.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace replica {

/// The bounds of a server. At worst there are max_requests and a few threads, and the memory is
/// max_bodies + (max_connections + max_requests) * 64 KiB, without what handlers use.
struct ServerOptions {
    std::string ip = "0.0.0.0"; ///< An address of this node, not a name.
    std::uint16_t port = 0;     ///< 0: any free port, see BeastServer::port().
    std::string name{};         ///< For the Server header; empty: none is sent.
    std::size_t workers = 16; ///< Handlers running at one time, without late ones; a device has at
                              ///< most a quarter of them.
    Seconds late{2};          ///< A handler that has run for longer is late.
    int max_per_device = 32;  ///< Requests waiting or running; above it 503.
    std::size_t max_requests = 384;    ///< Of all devices; see Admission for the share of each.
    std::size_t max_connections = 256; ///< Without those whose request waits or runs. Above it the
                                       ///< longest idle one is closed, or 503. Those that are not
                                       ///< the ring's (DoorOptions::is_peer) have half at most, and
                                       ///< go first.
    std::size_t max_header = 16 * 1024;   ///< Bytes; above it 431.
    std::uint64_t max_body = 64 << 20;    ///< Bytes; above it 413.
    std::uint64_t max_bodies = 256 << 20; ///< All bodies above 64 KiB; above it 503.
    Seconds read_timeout{60};             ///< From a request's first byte to its last.
    Seconds write_timeout{60};            ///< To write a reply.
    Seconds idle_timeout{3600}; ///< Between requests. A stock sender keeps its connection open
                                ///< while rsync copies a large file.
    Seconds linger{2};          ///< How long to read on after a refusal.
    DoorOptions door{};         ///< Who may send; the default: everybody.

    /// Called when a request is answered 503 without a handler, because a bound was reached. Runs
    /// on the I/O thread and must not block. May be empty.
    std::function<void(const std::string& device)> on_busy{};
};

namespace http {

class Session;

/// What the sessions of one server share. Only `work` and `page` are called on other threads.
struct ServerState {
    using Work = std::function<Reply(const Request&)>;
    using Page = std::function<Reply(std::string_view)>;

    ServerState(const ServerOptions& given, Work on_request, Page on_get)
        : options(given), work(std::move(on_request)), page(std::move(on_get)),
          door(given.door, SystemClock().monotonic()), bodies(given.max_bodies),
          devices(io, {given.workers, given.max_per_device, given.max_requests, given.late}),
          pages(io, {4, 16, 128, given.late}) {}

    const ServerOptions options;
    const Work work;
    const Page page; ///< Empty: GET is not allowed.
    Door door;
    Admission bodies; ///< Bytes, by device. Before `io`, which destroys the last sessions.
    boost::asio::io_context io{1};
    Crew devices; ///< Calls `work`, by device.
    Crew pages;   ///< Calls `page`, by path: /healthcheck must not wait for a disk.
    std::set<std::shared_ptr<Session>> sessions;
    std::size_t at_work = 0; ///< Requests given to a crew and not yet answered.
    bool stopping = false;
    std::function<void()> on_leave; ///< Called when a session is gone.

    /// Room for a body of `bytes` bytes. If there is none, calls busy() and returns nothing. Short
    /// bodies need no room: there are no more of them than connections and requests.
    [[nodiscard]] std::optional<Admission::Place> room_for(const std::string& device,
                                                           std::uint64_t bytes) {
        auto room =
            bodies.enter(device, std::numeric_limits<int>::max(), bytes > short_body ? bytes : 0);
        if (!room) {
            busy(device);
        }
        return room;
    }

    /// Reports that a request gets a 503 because a bound was reached.
    void busy(const std::string& device) const {
        if (options.on_busy) {
            options.on_busy(device);
        }
    }

    static constexpr std::uint64_t short_body = 64 << 10;
};

} // namespace http

} // namespace replica

#endif // REPLICA_BEAST_SERVER_STATE_HPP
