#ifndef REPLICA_BEAST_SERVER_STATE_HPP
#define REPLICA_BEAST_SERVER_STATE_HPP

// What the connections of a server have in common: its bounds, and what is left of them. A bound
// that is reached costs the one who reaches it, never the server.

#include <replica/beast/crew.hpp>
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

/// What a server may use up, and for how long. The worst case of threads is max_requests and a few,
/// that of memory max_bodies and (max_connections + max_requests) * 64 KiB, without what handlers
/// use.
struct ServerOptions {
    std::string ip = "0.0.0.0";        ///< An address of this machine, not a name.
    std::uint16_t port = 0;            ///< 0: any free one, see BeastServer::port().
    std::string name{};                ///< For the Server header; empty: there is none.
    std::size_t workers = 16;          ///< Handlers at work at the same time, without late ones; a
                                       ///< device has at most a quarter of them.
    Seconds late{2};                   ///< A handler at work for longer is late.
    int max_per_device = 32;           ///< Whole requests, waiting or at work; above it 503.
    std::size_t max_requests = 384;    ///< Of all devices; see Admission for the share of each.
    std::size_t max_connections = 256; ///< Without those whose request is waiting or at work. Above
                                       ///< it the longest idle one is closed, or 503.
    std::size_t max_header = 16 * 1024;   ///< Bytes; above it 431.
    std::uint64_t max_body = 64 << 20;    ///< Bytes; above it 413.
    std::uint64_t max_bodies = 256 << 20; ///< Of all bodies longer than 64 KiB; above it 503.
    Seconds read_timeout{60};             ///< From a request's first byte to its last.
    Seconds write_timeout{60};            ///< For a reply.
    Seconds idle_timeout{3600}; ///< Between requests: a stock sender keeps its connection open
                                ///< while it copies a large file with rsync.
    Seconds linger{2};          ///< For reading away what a refused peer still sends.

    /// Hears of requests that are answered 503 without a handler, for want of room. Called on the
    /// I/O thread: it must not wait for anything. Empty: nobody listens.
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
          bodies(given.max_bodies),
          devices(io, {given.workers, given.max_per_device, given.max_requests, given.late}),
          pages(io, {4, 16, 128, given.late}) {}

    const ServerOptions options;
    const Work work;
    const Page page;  ///< Empty: GET is not allowed.
    Admission bodies; ///< Bytes, by device. Before `io`, with which the last sessions go.
    boost::asio::io_context io{1};
    Crew devices; ///< Calls `work`, by device.
    Crew pages;   ///< Calls `page`, by path: some look at disks, /healthcheck must not wait for it.
    std::set<std::shared_ptr<Session>> sessions;
    std::size_t at_work = 0; ///< Requests given to a crew and not yet answered.
    bool stopping = false;
    std::function<void()> on_leave; ///< Called when a session is gone.

    /// Room for a body of so many bytes, or nothing; then somebody has been told. Short ones need
    /// none: there are no more of them than connections and requests.
    [[nodiscard]] std::optional<Admission::Place> room_for(const std::string& device,
                                                           std::uint64_t bytes) {
        auto room =
            bodies.enter(device, std::numeric_limits<int>::max(), bytes > short_body ? bytes : 0);
        if (!room) {
            busy(device);
        }
        return room;
    }

    /// Tells that a request gets a 503 for want of room.
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
