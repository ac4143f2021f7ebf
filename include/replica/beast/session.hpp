#ifndef REPLICA_BEAST_SESSION_HPP
#define REPLICA_BEAST_SESSION_HPP

// One connection of a server. All of its code runs on the server's one I/O thread, except the
// handler, which gets a whole request and returns a whole reply. So a peer that sends slowly
// occupies a socket and a timer, but no thread.

#include <replica/beast/crew.hpp>
#include <replica/beast/http.hpp>
#include <replica/beast/server_state.hpp>
#include <replica/clock.hpp>
#include <replica/receive/admission.hpp>
#include <replica/transport.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace replica::http {

/// A connection and its current request. All members are called on the I/O thread.
class Session : public std::enable_shared_from_this<Session> {
public:
    using Socket = boost::asio::ip::tcp::socket;

    /// `stranger`: nobody in the ring has the address that the connection comes from.
    Session(ServerState& hall, Socket socket, bool stranger = false)
        : hall_(hall), socket_(std::move(socket)), timer_(hall.io), stranger_(stranger) {}

    /// Reads and answers requests until either side closes.
    void serve() {
        boost::system::error_code ignored;
        socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
        next_request();
    }

    /// Answers 503 to any request, and closes.
    void refuse() { failure(503, "too many connections"); }

    /// True from the first byte of a request to the last byte of its reply.
    [[nodiscard]] bool owes_reply() const {
        return state_ == State::reading || state_ == State::at_work || state_ == State::writing;
    }

    /// True while a handler has the request, or it waits for one.
    [[nodiscard]] bool at_work() const { return state_ == State::at_work; }

    [[nodiscard]] bool is_stranger() const { return stranger_; }

    /// True between two requests; idle_since() then tells since when.
    [[nodiscard]] bool idle() const { return state_ == State::idle; }
    [[nodiscard]] Instant idle_since() const { return idle_since_; }

    /// Closes the connection now, in any state.
    void close() {
        if (state_ != State::closed) {
            state_ = State::closed;
            boost::system::error_code ignored;
            socket_.close(ignored);
            timer_.cancel();
            hall_.sessions.erase(shared_from_this());
            hall_.on_leave();
        }
    }

private:
    enum class State {
        idle,
        reading,
        at_work,
        writing,
        draining, // the last reply was sent: what still comes is discarded
        closed,
    };

    using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

    static constexpr std::size_t read_size = 16'384;
    static constexpr const char* strangers_room = "/"; // the name of no device

    void next_request() {
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(hall_.options.max_header));
        parser_->body_limit(hall_.options.max_body);
        parser_->eager(true);
        continued_ = false;
        judged_ = false;
        if (buffer_.size() > 0) { // the peer sends requests without waiting for replies
            start_reading();
            feed();
        } else if (hall_.stopping) {
            close();
        } else {
            state_ = State::idle;
            idle_since_ = SystemClock().monotonic();
            expire_after(hall_.options.idle_timeout);
            read();
        }
    }

    void start_reading() {
        state_ = State::reading;
        expire_after(hall_.options.read_timeout);
    }

    // Closes the connection when the time is over: a peer that sends a byte a second gets no reply.
    void expire_after(Seconds time) {
        timer_.expires_after(to_duration(time));
        timer_.async_wait([self = shared_from_this()](boost::system::error_code code) {
            const bool restarted = self->timer_.expiry() > SystemClock().monotonic();
            if (!code && !restarted) {
                self->close();
            }
        });
    }

    void read() {
        socket_.async_read_some(
            buffer_.prepare(read_size),
            [self = shared_from_this()](boost::system::error_code code, std::size_t bytes) {
                self->on_read(code, bytes);
            });
    }

    void on_read(boost::system::error_code code, std::size_t bytes) {
        if (state_ == State::closed) {
            return;
        }
        if (code) {
            close();
            return;
        }
        if (state_ == State::draining) {
            read();
            return;
        }
        buffer_.commit(bytes);
        if (state_ == State::idle) {
            start_reading();
        }
        feed();
    }

    void feed() {
        boost::system::error_code code;
        while (!parser_->is_done() && buffer_.size() > 0 && !code) {
            buffer_.consume(parser_->put(buffer_.data(), code));
        }
        if (code == boost::beast::http::error::need_more) {
            code = {};
        }
        if (code == boost::beast::http::error::body_limit) {
            failure(413, "the body is longer than " + std::to_string(hall_.options.max_body));
        } else if (code == boost::beast::http::error::header_limit) {
            failure(431, "the head is longer than " + std::to_string(hall_.options.max_header));
        } else if (code) {
            failure(400, code.message());
        } else if (auto refusal = turned_away()) {
            keep_ = false;
            answer(std::move(*refusal));
        } else if (!has_room()) {
            failure(503, "too many long bodies");
        } else if (parser_->is_done()) {
            dispatch();
        } else {
            invite_body();
        }
    }

    // Asks once, when the head is complete. Pages and OPTIONS are for everybody: they name no
    // account and no container, and monitors sign nothing.
    [[nodiscard]] std::optional<Reply> turned_away() {
        if (!parser_->is_header_done() || judged_) {
            return std::nullopt;
        }
        judged_ = true;
        const auto& head = parser_->get();
        if (head.method_string() != "REPLICATE") {
            return std::nullopt;
        }
        boost::system::error_code ignored; // a peer that is gone does not read the answer
        from_ = socket_.remote_endpoint(ignored).address();
        const Subject subject{"REPLICATE", head.target(), socket_.local_endpoint(ignored)};
        const SystemClock clock;
        return hall_.door.admit({from_, subject, head[signature_header]},
                                {clock.now(), clock.monotonic()}, digest_);
    }

    // Takes room for the body once the head gives its length, and keeps it until the reply. A
    // chunked body counts as the longest allowed. Strangers share one room for all devices, and so
    // leave each device's to its peers.
    [[nodiscard]] bool has_room() {
        if (!parser_->is_header_done() || room_) {
            return true;
        }
        const std::uint64_t unknown = parser_->chunked() ? hall_.options.max_body : 0;
        const std::uint64_t length = parser_->content_length().value_or(unknown);
        const auto request = request_of(path_of(parser_->get().target()));
        const std::string device = request ? request->device : std::string();
        room_ = hall_.room_for(stranger_ ? strangers_room : device, length);
        return room_.has_value();
    }

    // Clients such as curl ask before they send a long body.
    void invite_body() {
        const bool asked = parser_->is_header_done() && !continued_ &&
                           parser_->get()[boost::beast::http::field::expect] == "100-continue";
        if (!asked) {
            read();
            return;
        }
        continued_ = true;
        static constexpr std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
        boost::asio::async_write(
            socket_, boost::asio::const_buffer(text.data(), text.size()),
            [self = shared_from_this()](boost::system::error_code code, std::size_t) {
                if (self->state_ != State::closed) {
                    code ? self->close() : self->read();
                }
            });
    }

    void dispatch() {
        auto message = parser_->release();
        keep_ = message.keep_alive();
        const std::string_view target = message.target();
        const std::string_view path = path_of(target);
        const std::string_view verb = message.method_string();
        const std::string allowed = hall_.page ? "GET, OPTIONS, REPLICATE" : "OPTIONS, REPLICATE";
        if (verb == "REPLICATE") {
            std::optional<Request> request = request_of(path);
            if (!request) {
                answer({400, "text/plain", "Invalid path: " + std::string(path), {}});
                return;
            }
            request->body = std::move(message.body());
            const std::string device = request->device;
            auto call = [this, from = from_, digest = digest_, request = std::move(*request)] {
                auto refusal = hall_.door.admit_body(from, digest, request.body);
                return refusal ? *std::move(refusal) : hall_.work(request);
            };
            if (!hand_over(hall_.devices, device, std::move(call))) {
                hall_.busy(device);
                answer({503, "text/plain", device + " is busy", {}});
            }
        } else if (verb == "GET" && hall_.page) {
            const std::string page(path);
            if (!hand_over(hall_.pages, page, [this, page] { return hall_.page(page); })) {
                answer({503, "text/plain", "too many requests", {}});
            }
        } else {
            answer({verb == "OPTIONS" ? 200 : 405, "text/html; charset=UTF-8", {}, {}},
                   "Allow: " + allowed + "\r\n");
        }
    }

    // Runs `call` on a thread of the crew; false if there is no room. The reply comes back to the
    // I/O thread as a posted call.
    [[nodiscard]] bool hand_over(Crew& crew, const std::string& key, std::function<Reply()> call) {
        auto reply = std::make_shared<Reply>();
        const bool taken = crew.take(
            key, [call = std::move(call), reply] { *reply = guarded(call); },
            [self = shared_from_this(), reply] {
                --self->hall_.at_work;
                if (self->state_ != State::closed) {
                    self->answer(std::move(*reply));
                }
            });
        if (taken) {
            ++hall_.at_work;
            state_ = State::at_work;
            timer_.expires_at(Instant::max()); // a handler has no time limit here
        }
        return taken;
    }

    static Reply guarded(const std::function<Reply()>& call) noexcept {
        try {
            return call();
        } catch (const std::exception& error) {
            return {500,
                    "text/plain",
                    std::string("Internal error: ").append(error.what(), 0, 200),
                    {}};
        } catch (...) {
            return {500, "text/plain", "Internal error", {}};
        }
    }

    void failure(int status, const std::string& why) {
        keep_ = false;
        answer({status, "text/plain", why, {}});
    }

    void answer(Reply reply, std::string_view extra = {}) {
        state_ = State::writing;
        room_.reset();
        keep_ = keep_ && !hall_.stopping;
        reply_ = std::move(reply);
        if (reply_.status == 204) {
            reply_.body.clear();
        }
        std::string lines(extra);
        if (reply_.status == 401) { // which must say what is wanted
            lines += "WWW-Authenticate: Replica\r\n";
        }
        if (!hall_.options.name.empty()) {
            lines += "Server: " + hall_.options.name + "\r\n";
        }
        head_ = reply_head(reply_, lines, SystemClock().now(), keep_);
        expire_after(hall_.options.write_timeout);
        const std::array<boost::asio::const_buffer, 2> buffers{boost::asio::buffer(head_),
                                                               boost::asio::buffer(reply_.body)};
        boost::asio::async_write(
            socket_, buffers,
            [self = shared_from_this()](boost::system::error_code code, std::size_t) {
                if (self->state_ == State::closed) {
                    return;
                }
                if (code) {
                    self->close();
                } else if (self->keep_) {
                    self->next_request();
                } else {
                    self->drain();
                }
            });
    }

    // If a socket is closed with unread bytes, the kernel sends a reset, and the peer may lose the
    // reply. So our side is shut down first, and what still comes is read for a while.
    void drain() {
        boost::system::error_code code;
        socket_.shutdown(Socket::shutdown_send, code);
        if (code) {
            close();
            return;
        }
        state_ = State::draining;
        buffer_.clear();
        expire_after(hall_.options.linger);
        read();
    }

    ServerState& hall_;
    Socket socket_;
    boost::asio::steady_timer timer_;
    const bool stranger_;
    boost::beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    std::optional<Admission::Place> room_; // for the body
    State state_ = State::idle;
    Instant idle_since_{};
    bool continued_ = false; // 100 Continue was sent
    bool judged_ = false;    // the door has been asked
    boost::asio::ip::address from_;
    std::string digest_; // what the body must have, see Door
    bool keep_ = true;   // the connection stays open after this reply
    Reply reply_;        // both must live until they are written
    std::string head_;
};

} // namespace replica::http

#endif // REPLICA_BEAST_SESSION_HPP
