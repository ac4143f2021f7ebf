#ifndef REPLICA_TEST_FUZZ_HTTP_DOOR_HPP
#define REPLICA_TEST_FUZZ_HTTP_DOOR_HPP

// What a client writes to a connection of the server. Each request that the handler sees has a
// path of three parts and comes out the same when we send it; each answer is one that a client can
// read; it does not matter in which pieces the bytes come; and where a secret is asked for, no
// request comes through.

#include "door.hpp"
#include <replica/beast/http.hpp>
#include <replica/beast/server_state.hpp>
#include <replica/beast/session.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace replica::fuzz {

/// A server with one connection at a time, over a pair of sockets.
class HttpRig {
public:
    struct Outcome {
        std::vector<Request> requests;
        std::string answers;
    };

    /// With a secret, requests must be signed with it.
    explicit HttpRig(const std::string& secret = {}) : hall_(options(secret), work(), page()) {
        hall_.on_leave = [] {};
    }

    [[nodiscard]] Outcome serve(std::string_view first, std::string_view second) {
        seen_.clear();
        int ends[2];
        require(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "no sockets");
        boost::asio::ip::tcp::socket socket(hall_.io);
        socket.assign(boost::asio::ip::tcp::v4(), ends[0]);
        hall_.io.restart();
        auto session = std::make_shared<http::Session>(hall_, std::move(socket));
        hall_.sessions.insert(session);
        session->serve();
        write(ends[1], first);
        if (!second.empty()) {
            hall_.io.poll();
            write(ends[1], second);
        }
        ::shutdown(ends[1], SHUT_WR);
        session.reset();
        hall_.io.run();
        Outcome outcome{std::move(seen_), {}};
        char bytes[4096];
        ssize_t got = 0;
        while ((got = ::recv(ends[1], bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
            outcome.answers.append(bytes, static_cast<std::size_t>(got));
        }
        ::close(ends[1]);
        return outcome;
    }

private:
    static void write(int end, std::string_view bytes) {
        // The session may have closed its end.
        static_cast<void>(::send(end, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    }

    [[nodiscard]] static ServerOptions options(const std::string& secret) {
        ServerOptions options;
        if (!secret.empty()) {
            options.door.secrets = {secret};
        }
        options.max_header = 1024;
        options.max_body = 1024;
        options.workers = 1;
        return options;
    }

    [[nodiscard]] http::ServerState::Work work() {
        return [this](const Request& request) {
            seen_.push_back(request); // one request at a time
            return Reply{200, "text/plain", request.body, {}, Timestamp{}};
        };
    }

    [[nodiscard]] static http::ServerState::Page page() {
        return [](std::string_view path) {
            return Reply{404, "text/plain", std::string(path), {}, Timestamp{}};
        };
    }

    std::vector<Request> seen_{};
    http::ServerState hall_;
};

struct HttpDoor {
    static constexpr std::size_t most = 4096; ///< All answers must find room in the socket.

    void operator()(std::string_view input) const {
        static HttpRig rig;
        input = input.substr(0, most);
        const auto whole = rig.serve(input, {});
        require(count_answers(whole.answers) >= whole.requests.size(), "a request has no answer");
        for (const Request& request : whole.requests) {
            require_round_trip(rig, request);
        }
        const auto halves =
            rig.serve(input.substr(0, input.size() / 2), input.substr(input.size() / 2));
        require(same(whole.requests, halves.requests), "it matters in which pieces bytes come");
        require_secret(input);
    }

private:
    /// Nobody who does not know the secret gets a request through, and what can be read as a
    /// signature is one in one form only.
    static void require_secret(std::string_view input) {
        static HttpRig locked("a secret that no input has");
        const auto outcome = locked.serve(input, {});
        require(outcome.requests.empty(), "a request without a good signature came through");
        static_cast<void>(count_answers(outcome.answers));
        const std::string_view value = input.substr(0, input.find("\r\n"));
        const auto signature = http::Signature::parse(value);
        require(!signature || signature->text() == value, "a signature has two forms");
    }

    [[nodiscard]] static bool same(const Request& a, const Request& b) {
        return a.device == b.device && a.partition == b.partition && a.hash == b.hash &&
               a.body == b.body;
    }
    [[nodiscard]] static bool same(const std::vector<Request>& a, const std::vector<Request>& b) {
        return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return same(x, y); });
    }

    static void require_round_trip(HttpRig& rig, const Request& request) {
        for (const std::string* part : {&request.device, &request.partition, &request.hash}) {
            require(!part->empty() && part->find('/') == std::string::npos, "no part of a path");
        }
        const std::string head = http::request_head(request, "h:1");
        if (head.size() < 1024) {
            const auto again = rig.serve(head + request.body, {});
            require(same(again.requests, {request}), "what we send is another request");
        }
    }

    /// Reads all answers as a client does.
    [[nodiscard]] static std::size_t count_answers(std::string_view text) {
        static const std::set<unsigned> known{100, 200, 400, 401, 404, 405, 413, 431};
        std::size_t count = 0;
        while (!text.empty()) {
            boost::beast::http::response_parser<boost::beast::http::string_body> parser;
            parser.eager(true);
            boost::system::error_code code;
            const auto used = parser.put(boost::asio::buffer(text.data(), text.size()), code);
            require(!code && parser.is_done(),
                    "no client can read the answer " + std::string(text));
            const unsigned status = parser.get().result_int();
            require(known.contains(status), "answers " + std::to_string(status));
            count += status == 100 ? 0 : 1;
            text.remove_prefix(used);
        }
        return count;
    }
};

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_HTTP_DOOR_HPP
