#ifndef REPLICA_BEAST_CONNECTION_HPP
#define REPLICA_BEAST_CONNECTION_HPP

// One TCP connection of a client; every wait ends at a deadline or a stop. A blocking socket offers
// neither, and Beast's expires_after has no effect on synchronous calls. So each operation is
// started asynchronously on the connection's own io_context, and the caller's thread runs that
// io_context until the operation ends, the deadline passes, or a stop posts something to wake it.

#include <replica/beast/http.hpp>
#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/transport.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace replica::http {

/// Why an exchange gave no reply.
struct Broken {
    Error error = Error::connection_lost;
    std::string why;
    bool unanswered = true; ///< No byte of a reply came.
};

/// "no answer within 10 s": the reason of a timeout, for people.
[[nodiscard]] inline std::string late(Seconds patience, bool unanswered = true) {
    const auto whole = static_cast<std::int64_t>(std::ceil(std::max(patience.count(), 0.0)));
    return std::string(unanswered ? "no answer" : "no whole answer") + " within " +
           std::to_string(whole) + " s";
}

/// A client's connection: connect once, then exchange as long as reusable() is true. Belongs to one
/// thread at a time. Takes four descriptors: its socket, and three of Asio's io_context.
class Connection {
public:
    using Endpoint = boost::asio::ip::tcp::endpoint;

    Connection() = default;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Returns no error, Error::timed_out at `deadline`, Error::stopped, or the system's error.
    [[nodiscard]] boost::system::error_code connect(const Endpoint& to, Instant deadline,
                                                    const std::stop_token& stop) {
        boost::system::error_code code;
        close();
        socket_.open(to.protocol(), code);
        if (!code) {
            Step step;
            socket_.async_connect(to,
                                  [&step](boost::system::error_code ended) { step.end(ended, 0); });
            code = wait(step, deadline, stop);
        }
        if (!code) {
            socket_.set_option(boost::asio::ip::tcp::no_delay(true), code);
        }
        if (!code) {
            socket_.non_blocking(true, code); // for quiet(); asynchronous calls work all the same
        }
        if (code) {
            close();
        }
        remote_ = to;
        return code;
    }

    /// Whom the last connect() was for.
    [[nodiscard]] const Endpoint& remote() const { return remote_; }

    /// True if the other side has neither closed an idle connection nor sent anything on it. One
    /// system call. A close that is still on its way is not seen.
    [[nodiscard]] bool quiet() {
        char byte = 0;
        boost::system::error_code code;
        socket_.read_some(boost::asio::buffer(&byte, 1), code);
        return code == boost::asio::error::would_block;
    }

    /// Sends head and body and reads one whole reply. The head of the reply may have `max_header`
    /// bytes, the body `max_body`. After anything but a reply the connection is closed.
    [[nodiscard]] boost::system::result<Reply, Broken>
    exchange(std::string_view head, std::string_view body, std::size_t max_header,
             std::uint64_t max_body, Instant deadline, const std::stop_token& stop) {
        reusable_ = false;
        const Seconds patience(deadline - SystemClock().monotonic());
        boost::system::result<Reply, Broken> reply = Broken{};
        if (const auto code = write(head, body, deadline, stop); is_ours(code)) {
            reply = broken(code, true);
        } else {
            // A server that refuses a body (413, 503) may answer and close before it has read all
            // of the body. The answer counts, so it is read even if writing has failed.
            reply = read(max_header, max_body, deadline, stop);
        }
        if (!reusable_) {
            close();
        }
        if (reply.has_error() && reply.error().error == Error::timed_out) {
            const bool unanswered = reply.error().unanswered;
            reply = Broken{Error::timed_out, late(patience, unanswered), unanswered};
        }
        return reply;
    }

    /// True if the last exchange left the connection fit for another one.
    [[nodiscard]] bool reusable() const { return reusable_; }

    /// The Server header of the last reply.
    [[nodiscard]] const std::string& server() const { return server_; }

private:
    using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

    static constexpr std::size_t read_size = 65'536;

    // The end of one asynchronous operation.
    struct Step {
        bool done = false;
        boost::system::error_code code;
        std::size_t bytes = 0;

        void end(boost::system::error_code ended, std::size_t moved) {
            done = true;
            code = ended;
            bytes = moved;
        }
    };

    static bool is_ours(const boost::system::error_code& code) {
        return code == make_error_code(Error::timed_out) || code == make_error_code(Error::stopped);
    }

    static Broken broken(const boost::system::error_code& code, bool unanswered) {
        if (is_ours(code)) {
            return {static_cast<Error>(code.value()), {}, unanswered};
        }
        return {Error::connection_lost, code.message(), unanswered};
    }

    void close() {
        boost::system::error_code ignored;
        socket_.close(ignored);
        buffer_.clear();
    }

    boost::system::error_code wait(const Step& step, Instant deadline,
                                   const std::stop_token& stop) {
        const std::stop_callback wake(stop, [this] { boost::asio::post(io_, [] {}); });
        while (!step.done) {
            const bool late = SystemClock().monotonic() >= deadline;
            io_.restart();
            if (late || stop.stop_requested()) {
                close();
                io_.run(); // the aborted operation still refers to `step`
                return make_error_code(stop.stop_requested() ? Error::stopped : Error::timed_out);
            }
            io_.run_one_until(deadline);
        }
        return step.code;
    }

    boost::system::error_code write(std::string_view head, std::string_view body, Instant deadline,
                                    const std::stop_token& stop) {
        const std::array<boost::asio::const_buffer, 2> buffers{
            boost::asio::const_buffer(head.data(), head.size()),
            boost::asio::const_buffer(body.data(), body.size())};
        Step step;
        boost::asio::async_write(socket_, buffers,
                                 [&step](boost::system::error_code ended, std::size_t bytes) {
                                     step.end(ended, bytes);
                                 });
        return wait(step, deadline, stop);
    }

    boost::system::result<Reply, Broken> read(std::size_t max_header, std::uint64_t max_body,
                                              Instant deadline, const std::stop_token& stop) {
        Parser parser;
        parser.header_limit(static_cast<std::uint32_t>(max_header));
        parser.body_limit(max_body);
        parser.eager(true);
        while (!parser.is_done()) {
            Step step;
            socket_.async_read_some(buffer_.prepare(read_size),
                                    [&step](boost::system::error_code ended, std::size_t bytes) {
                                        step.end(ended, bytes);
                                    });
            boost::system::error_code code = wait(step, deadline, stop);
            if (is_ours(code)) {
                return broken(code, !parser.got_some());
            }
            buffer_.commit(step.bytes);
            if (code == boost::asio::error::eof && parser.got_some()) {
                code = {};
                parser.put_eof(code); // ends a body without a length
            } else if (!code) {
                feed(parser, code);
            }
            if (code == boost::beast::http::error::partial_message) {
                return Broken{Error::connection_lost, "closed in the middle of the reply", false};
            }
            if (code == boost::asio::error::eof) {
                return Broken{Error::connection_lost, "closed before any reply", true};
            }
            if (code && code.category() == boost::asio::error::get_system_category()) {
                return broken(code, !parser.got_some());
            }
            if (code) {
                return Broken{Error::bad_reply, code.message(), false};
            }
        }
        return reply_of(parser);
    }

    void feed(Parser& parser, boost::system::error_code& code) {
        while (!parser.is_done() && buffer_.size() > 0 && !code) {
            buffer_.consume(parser.put(buffer_.data(), code));
        }
        if (code == boost::beast::http::error::need_more) {
            code = {};
        }
    }

    boost::system::result<Reply, Broken> reply_of(Parser& parser) {
        const bool keep = parser.keep_alive(); // the parser alone knows of bodies up to EOF
        auto message = parser.release();
        const int status = static_cast<int>(message.result_int());
        if (status < 200) {
            return Broken{Error::bad_reply, "status " + std::to_string(status), false};
        }
        // Bytes after the reply belong to no request of ours, so the connection cannot be trusted.
        reusable_ = keep && buffer_.size() == 0;
        server_ = message[boost::beast::http::field::server];
        Reply reply{status,
                    std::string(message[boost::beast::http::field::content_type]),
                    std::move(message.body()),
                    std::string(message.reason()),
                    {}};
        reply.date = moment_of(message[boost::beast::http::field::date]);
        if (reply.reason == reason_of(status)) {
            reply.reason.clear();
        }
        return reply;
    }

    boost::asio::io_context io_{1};
    boost::asio::ip::tcp::socket socket_{io_};
    Endpoint remote_;
    boost::beast::flat_buffer buffer_;
    std::string server_;
    bool reusable_ = false;
};

} // namespace replica::http

#endif // REPLICA_BEAST_CONNECTION_HPP
