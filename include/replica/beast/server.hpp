#ifndef REPLICA_BEAST_SERVER_HPP
#define REPLICA_BEAST_SERVER_HPP

// The receiver of REPLICATE: an HTTP/1.1 server that calls a handler for each request. One thread
// does the I/O of all connections; a crew of threads runs the handler, which blocks on SQLite.
// Stock senders use it like their own container and account servers.

#include <replica/beast/http.hpp>
#include <replica/beast/session.hpp>
#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/transport.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace replica {

/// Answers requests; called by several threads at once.
///
/// An exception becomes a 500 with its text. The request's body is passed as it came: the handler
/// checks that it is JSON, and that the three parts of the path are safe names.
template <class H>
concept RequestHandler = std::move_constructible<H> && requires(H handler, const Request& request) {
    { handler(request) } -> std::convertible_to<Reply>;
};

/// Serves REPLICATE, OPTIONS and, if there is a page handler, GET; answers 405 to anything else.
///
/// Serving begins in the constructor. Thread safety: port(), address() and change_door() from any
/// thread; stop() and the destructor from one thread, which must not be one of the crew's.
class BeastServer {
public:
    /// Called with the path of a GET, such as "/recon/version", still percent-encoded.
    using PageHandler = std::function<Reply(std::string_view path)>;

    /// Throws Failure with bad_config that names ip:port and the reason ("127.0.0.1:6201: address
    /// already in use"). A port in use is not waited for.
    template <RequestHandler H>
    BeastServer(const ServerOptions& options, H handler, PageHandler page = {})
        : BeastServer(erase(std::move(handler)), options, std::move(page)) {}

    BeastServer(const BeastServer&) = delete;
    BeastServer& operator=(const BeastServer&) = delete;

    /// Stops within five seconds, then waits for running handlers, since they may use objects that
    /// the caller destroys next. A program that cannot wait for a hanging disk must exit.
    ~BeastServer() {
        stop(Seconds{5});
        hall_.devices.join();
        hall_.pages.join();
    }

    /// The port that is served; never 0.
    [[nodiscard]] std::uint16_t port() const { return port_; }

    /// "127.0.0.1:6201".
    [[nodiscard]] std::string address() const {
        return http::authority_of(hall_.options.ip, port_);
    }

    /// Judges requests by other options of the door from now on; no connection is touched.
    void change_door(DoorOptions options) {
        hall_.door.change(std::move(options), SystemClock().monotonic());
    }

    /// Accepts no more connections, closes idle ones, gives requests that have begun `bound` to be
    /// answered, closes the rest and returns. True if no reply was lost and no handler is still
    /// running or waiting. Further calls do nothing and return the same.
    bool stop(Seconds bound) {
        if (io_thread_.joinable()) {
            boost::asio::post(hall_.io, [this, bound] { begin_stop(bound); });
            io_thread_.join();
            hall_.devices.stop();
            hall_.pages.stop();
        }
        return !cut_ && hall_.at_work == 0;
    }

private:
    using Tcp = boost::asio::ip::tcp;

    // std::function needs a copyable function; a handler need not be copyable.
    template <RequestHandler H>
    static std::function<Reply(const Request&)> erase(H handler) {
        return [shared = std::make_shared<H>(std::move(handler))](const Request& request) -> Reply {
            return (*shared)(request);
        };
    }

    BeastServer(std::function<Reply(const Request&)> work, const ServerOptions& options,
                PageHandler page)
        : hall_(options, std::move(work), std::move(page)) {
        listen();
        hall_.on_leave = [this] { session_left(); };
        accept();
        io_thread_ = std::thread([this] { run(); });
    }

    void listen() {
        const std::string where = http::authority_of(hall_.options.ip, hall_.options.port);
        const auto check = [&](const boost::system::error_code& code) {
            if (code) {
                std::string why = code.message();
                why.front() =
                    static_cast<char>(std::tolower(static_cast<unsigned char>(why.front())));
                throw Failure(Error::bad_config, where + ": " + why);
            }
        };
        boost::system::error_code code;
        const auto ip = boost::asio::ip::make_address(hall_.options.ip, code);
        if (code) {
            throw Failure(Error::bad_config, where + ": not an IP address");
        }
        const Tcp::endpoint endpoint(ip, hall_.options.port);
        acceptor_.open(endpoint.protocol(), code);
        check(code);
        // Only lets a restart ignore connections in TIME_WAIT; a port that is served is refused.
        acceptor_.set_option(Tcp::acceptor::reuse_address(true), code);
        check(code);
        acceptor_.bind(endpoint, code);
        check(code);
        acceptor_.listen(Tcp::acceptor::max_listen_connections, code);
        check(code);
        port_ = acceptor_.local_endpoint().port();
    }

    // An exception here can only be a lack of memory. The connection in question is lost, the
    // server goes on.
    void run() noexcept {
        for (;;) {
            try {
                hall_.io.run();
                return;
            } catch (const std::exception&) {
                continue;
            }
        }
    }

    void accept() {
        acceptor_.async_accept([this](boost::system::error_code code, Tcp::socket socket) {
            if (hall_.stopping) {
                return;
            }
            if (code) { // most likely out of descriptors: wait until others have closed some
                pause_.expires_after(std::chrono::milliseconds(100));
                pause_.async_wait([this](boost::system::error_code) {
                    if (!hall_.stopping) {
                        accept();
                    }
                });
                return;
            }
            accept(); // first: whatever happens to this connection, the next is accepted
            admit(std::move(socket));
        });
    }

    // Who is no peer has half of the room at most, and takes no place of a peer's: however many
    // connections come from outside, the ring's nodes are answered.
    void admit(Tcp::socket socket) {
        boost::system::error_code gone;
        const bool stranger = hall_.door.is_stranger(socket.remote_endpoint(gone).address());
        const std::size_t most = hall_.options.max_connections;
        const auto full = [&] {
            const std::size_t strangers = waiting(true);
            return (stranger && strangers >= most / 2) ||
                   waiting(false) + std::min(strangers, most / 2) >= most;
        };
        if (gone) {
            return;
        }
        if (full()) {
            close_longest_idle(true);
        }
        if (!stranger && full()) {
            close_longest_idle(false);
        }
        // Too many, even of those that are being refused.
        if (stranger ? waiting(true) >= most : waiting(true) + waiting(false) >= 2 * most) {
            return;
        }
        const bool room = !full();
        auto session = std::make_shared<http::Session>(hall_, std::move(socket), stranger);
        hall_.sessions.insert(session);
        room ? session->serve() : session->refuse();
    }

    // The connections of strangers, or of peers, whose request is not at work.
    [[nodiscard]] std::size_t waiting(bool strangers) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(hall_.sessions, [&](const auto& session) {
                return session->is_stranger() == strangers && !session->at_work();
            }));
    }

    void close_longest_idle(bool stranger) {
        std::shared_ptr<http::Session> longest;
        for (const auto& session : hall_.sessions) {
            if (session->idle() && session->is_stranger() == stranger &&
                (!longest || session->idle_since() < longest->idle_since())) {
                longest = session;
            }
        }
        if (longest) {
            longest->close();
        }
    }

    void begin_stop(Seconds bound) {
        hall_.stopping = true;
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
        // The timer also keeps the I/O thread running while every session is at work.
        pause_.expires_after(to_duration(bound));
        pause_.async_wait([this](boost::system::error_code code) {
            if (!code) {
                close_sessions([this](const http::Session& session) {
                    cut_ = cut_ || session.owes_reply();
                    return true;
                });
            }
        });
        close_sessions([](const http::Session& session) { return session.idle(); });
        session_left();
    }

    template <std::predicate<const http::Session&> P>
    void close_sessions(P which) {
        const auto sessions = hall_.sessions; // a copy: close() erases from the set
        for (const auto& session : sessions) {
            if (which(*session)) {
                session->close();
            }
        }
    }

    // Only timers are left then: the bound of stop(), and those of calls of the crews.
    void session_left() {
        if (hall_.stopping && hall_.sessions.empty()) {
            hall_.io.stop();
        }
    }

    http::ServerState hall_;
    Tcp::acceptor acceptor_{hall_.io};
    boost::asio::steady_timer pause_{hall_.io}; // delays the next accept; while stopping, the bound
    std::uint16_t port_ = 0;
    bool cut_ = false;
    std::thread io_thread_;
};

} // namespace replica

#endif // REPLICA_BEAST_SERVER_HPP
