#ifndef REPLICA_TEST_SUPPORT_LOOPBACK_HPP
#define REPLICA_TEST_SUPPORT_LOOPBACK_HPP

// Sockets that do exactly what a test says, well-behaved or not, for tests of HTTP clients and
// servers. All calls block; a test that hangs is ended by its timeout.

#include <replica/clock.hpp>
#include <replica/ring.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace loopback {

using Tcp = boost::asio::ip::tcp;

inline const std::string hash = "e28cc9c78696a68b7920b82ab697f9c3";

inline Tcp::endpoint endpoint(std::uint16_t port = 0) {
    return {boost::asio::ip::address_v4::loopback(), port};
}

/// "sdb1" of the node at 127.0.0.1:`port`.
inline replica::Device device_at(std::uint16_t port, std::string ip = "127.0.0.1") {
    replica::Device device;
    device.device = "sdb1";
    device.replication_ip = std::move(ip);
    device.replication_port = port;
    return device;
}

inline replica::Instant in(double seconds) {
    return replica::SystemClock().monotonic() + replica::to_duration(replica::Seconds{seconds});
}

/// Asks for a stop after a while, on a thread of its own.
inline std::jthread stop_after(std::stop_source source, double seconds) {
    return std::jthread([source, until = in(seconds)]() mutable {
        replica::SystemClock().sleep_until(until, {});
        source.request_stop();
    });
}

/// Calls `done` until it is true; false if it is not within ten seconds.
inline bool eventually(const std::function<bool()>& done) {
    for (const auto end = in(10); !done();) {
        if (replica::SystemClock().monotonic() > end) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

inline bool send(Tcp::socket& socket, std::string_view text) {
    boost::system::error_code code;
    boost::asio::write(socket, boost::asio::buffer(text.data(), text.size()), code);
    return !code;
}

/// What comes until the other side closes.
inline std::string receive_all(Tcp::socket& socket) {
    std::string text;
    boost::system::error_code code;
    while (!code) {
        char piece[4096];
        text.append(piece, socket.read_some(boost::asio::buffer(piece), code));
    }
    return text;
}

/// One message: a head, and as many bytes as its Content-Length says. Shorter if the other side
/// closes before.
inline std::string receive_message(Tcp::socket& socket) {
    std::string text;
    boost::system::error_code code;
    const auto more = [&] {
        char byte = 0;
        if (socket.read_some(boost::asio::buffer(&byte, 1), code) == 1) {
            text += byte;
        }
        return !code;
    };
    while (text.find("\r\n\r\n") == std::string::npos) {
        if (!more()) {
            return text;
        }
    }
    constexpr std::string_view length = "Content-Length: ";
    const auto at = text.find(length);
    std::size_t left = at == std::string::npos ? 0 : std::stoul(text.substr(at + length.size()));
    for (std::vector<char> piece(65'536); left > 0 && !code;) {
        const auto most = std::min(left, piece.size());
        const auto got = socket.read_some(boost::asio::buffer(piece.data(), most), code);
        text.append(piece.data(), got);
        left -= got;
    }
    return text;
}

/// A reply as a well-behaved server writes it.
inline std::string reply_text(std::string_view body, std::string_view status = "200 OK") {
    return "HTTP/1.1 " + std::string(status) +
           "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + std::string(body);
}

/// Accepts a connection for each script, one after the other, and lets the script have it. After
/// the last script connections still open, into the queue, and nobody answers.
class ScriptedServer {
public:
    using Script = std::function<void(Tcp::socket&)>;

    explicit ScriptedServer(std::vector<Script> scripts)
        : scripts_(std::move(scripts)), thread_([this] { run(); }) {}

    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;

    /// Waits for the script that is running: end the client first.
    ~ScriptedServer() {
        over_ = true;
        boost::system::error_code ignored;
        Tcp::socket wake(io_);
        wake.connect(endpoint(port()), ignored);
        thread_.join();
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

    /// How many connections scripts have had.
    [[nodiscard]] std::size_t accepted() const { return accepted_; }

private:
    void run() {
        for (const Script& script : scripts_) {
            boost::system::error_code code;
            Tcp::socket socket(io_);
            acceptor_.accept(socket, code);
            if (code || over_) {
                return;
            }
            ++accepted_;
            script(socket);
        }
    }

    boost::asio::io_context io_;
    Tcp::acceptor acceptor_{io_, endpoint()};
    std::vector<Script> scripts_;
    std::atomic<bool> over_ = false;
    std::atomic<std::size_t> accepted_ = 0;
    std::thread thread_;
};

/// An address where no connection is ever made and none refused: a listener whose queue is full.
class Blackhole {
public:
    Blackhole() {
        acceptor_.open(Tcp::v4());
        acceptor_.bind(endpoint());
        acceptor_.listen(0);
        for (int count = 0; count < 8; ++count) {
            auto& filler = fillers_.emplace_back(io_);
            filler.async_connect(acceptor_.local_endpoint(), [](boost::system::error_code) {});
        }
        io_.poll();
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    boost::asio::io_context io_;
    Tcp::acceptor acceptor_{io_};
    std::list<Tcp::socket> fillers_;
};

/// A port that is bound and not listened on: every connection is refused, and nobody gets it who
/// does not ask for it by number.
class ClosedPort {
public:
    ClosedPort() {
        socket_.open(Tcp::v4());
        socket_.set_option(Tcp::socket::reuse_address(true));
        socket_.bind(endpoint());
    }

    [[nodiscard]] std::uint16_t port() const { return socket_.local_endpoint().port(); }

private:
    boost::asio::io_context io_;
    Tcp::socket socket_{io_};
};

/// A client that writes what it is told, well-formed or not.
class RawClient {
public:
    explicit RawClient(std::uint16_t port) { socket.connect(endpoint(port)); }

    bool send(std::string_view text) { return loopback::send(socket, text); }
    std::string receive() { return receive_message(socket); }
    std::string receive_all() { return loopback::receive_all(socket); }

    /// One request and its reply.
    std::string exchange(std::string_view text) {
        send(text);
        return receive();
    }

private:
    boost::asio::io_context io_;

public:
    Tcp::socket socket{io_};
};

/// A REPLICATE request as a stock sender writes it.
inline std::string request_text(std::string_view body, std::string_view extra = {},
                                std::string_view path = "/sdb1/906/") {
    return "REPLICATE " + std::string(path) + (path.ends_with('/') ? hash : "") +
           " HTTP/1.1\r\nHost: 127.0.0.1:6201\r\nAccept-Encoding: identity\r\n" +
           std::string(extra) + "Content-Length: " + std::to_string(body.size()) +
           "\r\nContent-Type: application/json\r\n\r\n" + std::string(body);
}

} // namespace loopback

#endif // REPLICA_TEST_SUPPORT_LOOPBACK_HPP
