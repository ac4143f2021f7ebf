// Asks a node's server for a page, once, for the tool `replica`: it needs no ring, no pool of
// connections and no thread.
#ifndef REPLICA_TOOL_NODE_HPP
#define REPLICA_TOOL_NODE_HPP

#include <replica/beast/connection.hpp>
#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/transport.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>

namespace replica::tool {

/// The host and the port of "10.0.0.1:16201", "[::1]:16201" or "node1".
struct HostPort {
    std::string host;
    std::string port;

    [[nodiscard]] static HostPort of(std::string_view text, std::string_view usual_port) {
        const auto bracket = text.rfind(']');
        const auto colon = text.rfind(':');
        const bool bare = colon == text.npos || (bracket != text.npos && colon < bracket);
        std::string_view host = bare ? text : text.substr(0, colon);
        if (host.starts_with('[') && host.ends_with(']')) {
            host = host.substr(1, host.size() - 2);
        }
        return {std::string(host), std::string(bare ? usual_port : text.substr(colon + 1))};
    }
};

/// What a node answers to a GET of `page` within `patience`. The reason, if it does not; any status
/// is an answer.
[[nodiscard]] inline Result<Reply> get_page(const HostPort& node, std::string_view page,
                                            Seconds patience, const std::stop_token& stop = {}) {
    constexpr std::size_t max_header = 16 << 10;
    constexpr std::uint64_t max_body = 64 << 20;
    const Instant deadline = SystemClock().monotonic() + to_duration(patience);
    const std::string name = node.host + ':' + node.port;
    boost::system::error_code code;
    boost::asio::io_context io;
    const auto found = boost::asio::ip::tcp::resolver(io).resolve(node.host, node.port, code);
    if (code) {
        return Fault{make_error_code(Error::connect_failed), name + ": " + code.message()};
    }
    http::Connection connection;
    for (const auto& entry : found) {
        code = connection.connect(entry.endpoint(), deadline, stop);
        if (!code) {
            break;
        }
    }
    if (code) {
        const bool silent = code == make_error_code(Error::timed_out);
        return Fault{make_error_code(Error::connect_failed),
                     name + ": " + (silent ? http::late(patience) : code.message())};
    }
    const std::string head =
        "GET " + std::string(page) + " HTTP/1.1\r\nHost: " + name + "\r\nConnection: close\r\n\r\n";
    auto reply = connection.exchange(head, {}, max_header, max_body, deadline, stop);
    if (!reply) {
        return Fault{make_error_code(reply.error().error), name + ": " + reply.error().why};
    }
    return *std::move(reply);
}

} // namespace replica::tool

#endif
