#include <replica/beast/session.hpp>

#define BOOST_TEST_MODULE beast_session
#include <replica/beast/server.hpp>

#include <boost/test/unit_test.hpp>

#include <support/loopback.hpp>

#include <atomic>
#include <list>
#include <mutex>
#include <regex>
#include <semaphore>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace loopback;

namespace {

const std::string ok_type = "text/html; charset=UTF-8";

// A server that answers with the request's parts and the length of its body.
class Echo {
public:
    explicit Echo(ServerOptions options = {})
        : server_(local(std::move(options)), [this](const Request& request) {
              const std::lock_guard lock(mutex_);
              seen_.push_back(request);
              return Reply{200,
                           ok_type,
                           request.device + "|" + request.partition + "|" + request.hash + "|" +
                               std::to_string(request.body.size()),
                           {}};
          }) {}

    [[nodiscard]] std::uint16_t port() const { return server_.port(); }

    std::vector<Request> seen() {
        const std::lock_guard lock(mutex_);
        return seen_;
    }

private:
    static ServerOptions local(ServerOptions options) {
        options.ip = "127.0.0.1";
        return options;
    }

    std::mutex mutex_;
    std::vector<Request> seen_;
    BeastServer server_;
};

std::string without_date(const std::string& text) {
    static const std::regex date("Date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \\d\\d [A-Z][a-z]{2} "
                                 "\\d{4} \\d\\d:\\d\\d:\\d\\d GMT\r\n");
    return std::regex_replace(text, date, "Date: D\r\n");
}

} // namespace

BOOST_AUTO_TEST_CASE(a_stock_request_gets_a_stock_reply_byte_by_byte) {
    Echo echo;
    RawClient client(echo.port());
    BOOST_TEST(without_date(client.exchange(request_text("[]"))) ==
               "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\n"
               "Content-Length: 43\r\nDate: D\r\n\r\nsdb1|906|" +
                   hash + "|2");
}

BOOST_AUTO_TEST_CASE(a_204_is_followed_by_the_next_reply_and_not_by_a_body) {
    ServerOptions options;
    options.ip = "127.0.0.1";
    BeastServer server(options, [](const Request& request) {
        return request.body == "[]" ? Reply{204, ok_type, "never sent", {}}
                                    : Reply{200, ok_type, "next", {}};
    });
    RawClient client(server.port());
    client.send(request_text("[]") + request_text("[1]"));
    BOOST_TEST(without_date(client.receive()) ==
               "HTTP/1.1 204 No Content\r\nContent-Type: text/html; charset=UTF-8\r\n"
               "Content-Length: 0\r\nDate: D\r\n\r\n");
    BOOST_TEST(client.receive().ends_with("\r\n\r\nnext"));
}

BOOST_AUTO_TEST_CASE(pipelined_requests_are_answered_in_their_order) {
    Echo echo;
    RawClient client(echo.port());
    std::string text;
    for (std::size_t count = 0; count < 20; ++count) {
        text += request_text(std::string(count, 'x'));
    }
    client.send(text);
    for (std::size_t count = 0; count < 20; ++count) {
        BOOST_TEST(client.receive().ends_with("|" + std::to_string(count)));
    }
}

BOOST_AUTO_TEST_CASE(a_request_may_come_byte_by_byte) {
    Echo echo;
    RawClient client(echo.port());
    for (const char c : request_text("[1, 2]")) {
        client.send(std::string(1, c));
    }
    BOOST_TEST(client.receive().ends_with("|6"));
}

BOOST_AUTO_TEST_CASE(a_chunked_request_is_whole) {
    Echo echo;
    RawClient client(echo.port());
    client.send("REPLICATE /sdb1/906/" + hash +
                " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n3\r\n   \r\n0\r\n\r\n");
    BOOST_TEST(client.receive().ends_with("|5"));
}

BOOST_AUTO_TEST_CASE(names_are_decoded_and_the_query_is_dropped) {
    Echo echo;
    RawClient client(echo.port());
    client.exchange(request_text("", "", "/sn%C3%B6w/%00%25/%2e%2e?x=/y"));
    const auto seen = echo.seen();
    BOOST_TEST_REQUIRE(seen.size() == 1U);
    BOOST_TEST(seen[0].device == "sn\xc3\xb6w");
    BOOST_TEST((seen[0].partition == std::string("\0%", 2)));
    BOOST_TEST(seen[0].hash == "..");
}

BOOST_AUTO_TEST_CASE(a_path_without_exactly_three_parts_is_refused_with_its_name) {
    Echo echo;
    RawClient client(echo.port());
    for (const std::string path : {"/sdb1/379", "/sdb1/379/5ec2/more", "/", "/a//b", "/a/b/%zz"}) {
        const std::string request =
            "REPLICATE " + path + " HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]";
        const std::string text = "Invalid path: " + path;
        BOOST_TEST(without_date(client.exchange(request)) ==
                   "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: " +
                       std::to_string(text.size()) + "\r\nDate: D\r\n\r\n" + text);
    }
    BOOST_TEST(echo.seen().empty());
    BOOST_TEST(client.exchange(request_text("[]")).ends_with("|2")); // the connection goes on
}

BOOST_AUTO_TEST_CASE(options_names_the_verbs_and_other_verbs_are_not_allowed) {
    Echo echo;
    RawClient client(echo.port());
    const std::string rest = "Content-Type: text/html; charset=UTF-8\r\n"
                             "Allow: OPTIONS, REPLICATE\r\nContent-Length: 0\r\nDate: D\r\n\r\n";
    BOOST_TEST(without_date(client.exchange("OPTIONS / HTTP/1.1\r\n\r\n")) ==
               "HTTP/1.1 200 OK\r\n" + rest);
    for (const std::string verb : {"GET", "HEAD", "PUT", "POST", "DELETE", "UPDATE", "replicate"}) {
        BOOST_TEST(without_date(client.exchange(verb + " /sdb1/906/" + hash +
                                                " HTTP/1.1\r\nContent-Length: 0\r\n\r\n")) ==
                   "HTTP/1.1 405 Method Not Allowed\r\n" + rest);
    }
    BOOST_TEST(echo.seen().empty());
}

BOOST_AUTO_TEST_CASE(what_is_not_http_is_refused_and_the_connection_closed) {
    Echo echo;
    const std::vector<std::string> garbage = {
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n",
        std::string(2000, '\0'),
        "REPLICATE /a/b/c HTTP/9.9\r\n\r\n",
        "REPLICATE /a b/c/d HTTP/1.1\r\n\r\n",
        "REPLICATE /a/b/c HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "REPLICATE /a/b/c HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "REPLICATE /a/b/c HTTP/1.1\r\nno colon\r\n\r\n",
        "REPLICATE /a/b/c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    };
    for (const std::string& text : garbage) {
        RawClient client(echo.port());
        client.send(text);
        const std::string reply = client.receive_all();
        BOOST_TEST(reply.starts_with("HTTP/1.1 400 Bad Request\r\n"), reply);
        BOOST_TEST(reply.find("\r\nConnection: close\r\n") != std::string::npos);
    }
    BOOST_TEST(echo.seen().empty());
}

BOOST_AUTO_TEST_CASE(a_head_that_is_too_long_is_refused_before_it_has_ended) {
    ServerOptions options;
    options.max_header = 1024;
    Echo echo(options);
    RawClient client(echo.port());
    client.send("REPLICATE /" + std::string(5000, 'x'));
    BOOST_TEST(
        client.receive_all().starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
    RawClient other(echo.port());
    BOOST_TEST(
        other.exchange(request_text("[]", "X: " + std::string(600, 'x') + "\r\n")).ends_with("|2"));
}

BOOST_AUTO_TEST_CASE(a_body_that_is_too_long_is_refused_without_being_read) {
    ServerOptions options;
    options.max_body = 1000;
    Echo echo(options);
    {
        RawClient client(echo.port());
        BOOST_TEST(client.exchange(request_text(std::string(1000, 'x'))).ends_with("|1000"));
        client.send(request_text(std::string(1001, 'x')));
        const std::string reply = client.receive_all();
        BOOST_TEST(reply.starts_with("HTTP/1.1 413 Request Entity Too Large\r\n"));
        BOOST_TEST(reply.ends_with("the body is longer than 1000"));
    }
    RawClient only_says(echo.port());
    only_says.send("REPLICATE /a/b/c HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n");
    BOOST_TEST(only_says.receive().starts_with("HTTP/1.1 413 "));
    RawClient chunked(echo.port());
    chunked.send("REPLICATE /a/b/c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                 std::string(1001, 'x') + "\r\n0\r\n\r\n");
    BOOST_TEST(chunked.receive().starts_with("HTTP/1.1 413 "));
    BOOST_TEST(echo.seen().size() == 1U);
}

BOOST_AUTO_TEST_CASE(long_bodies_share_the_room_there_is_for_all) {
    ServerOptions options;
    options.ip = "127.0.0.1";
    options.read_timeout = Seconds{10};
    std::counting_semaphore<> at_work(0);
    std::counting_semaphore<> go(0);
    BeastServer server(options, [&](const Request& request) {
        if (request.body.size() > 100'000) {
            at_work.release();
            go.acquire();
        }
        return Reply{200, ok_type, std::to_string(request.body.size()), {}};
    });
    const std::string body(60'000'000, 'x');
    std::list<RawClient> clients;
    for (const std::string device : {"/sdb1/906/", "/sdb2/906/"}) {
        clients.emplace_back(server.port()).send(request_text(body, {}, device));
        at_work.acquire();
    }
    for (const std::string device : {"/sdb3/906/", "/sdb4/906/"}) { // 240 of 256 MiB
        const auto asking = request_text(body, "Expect: 100-continue\r\n", device);
        clients.emplace_back(server.port()).send(std::string_view(asking).substr(0, 250));
        BOOST_TEST(clients.back().receive() == "HTTP/1.1 100 Continue\r\n\r\n");
    }
    RawClient refused(server.port());
    refused.send(std::string_view(request_text(body, {}, "/sdb5/906/")).substr(0, 250));
    const std::string reply = refused.receive();
    BOOST_TEST(reply.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), reply);
    RawClient client(server.port()); // what is short needs no room
    BOOST_TEST(client.exchange(request_text("[]", {}, "/sdb1/906/")).ends_with("\r\n\r\n2"));
    go.release(100);
    BOOST_TEST(clients.front().receive().ends_with("60000000"));
    BOOST_TEST(client.exchange(request_text(body, {}, "/sdb5/906/")).ends_with("60000000"));
}

BOOST_AUTO_TEST_CASE(a_refused_peer_reads_the_refusal_though_it_is_still_sending) {
    ServerOptions options;
    options.max_body = 1000;
    Echo echo(options);
    RawClient client(echo.port());
    const bool sent = client.send(request_text(std::string(16 * 1024 * 1024, 'x')));
    client.socket.shutdown(Tcp::socket::shutdown_send);
    BOOST_TEST(sent);
    BOOST_TEST(client.receive_all().starts_with("HTTP/1.1 413 "));
}

BOOST_AUTO_TEST_CASE(a_client_that_asks_before_it_sends_a_body_is_invited_once) {
    Echo echo;
    RawClient client(echo.port());
    const std::string request = request_text("[1]", "Expect: 100-continue\r\n");
    const std::size_t head = request.find("\r\n\r\n") + 4;
    client.send(std::string_view(request).substr(0, head));
    BOOST_TEST(client.receive() == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(std::string_view(request).substr(head, 1));
    client.send(std::string_view(request).substr(head + 1));
    BOOST_TEST(client.receive().ends_with("|3"));
    client.send(request); // and not at all when the body is there already
    BOOST_TEST(client.receive().starts_with("HTTP/1.1 200 OK\r\n"));
}

BOOST_AUTO_TEST_CASE(a_client_that_wants_no_more_is_closed_after_its_reply) {
    Echo echo;
    for (const std::string& text :
         {request_text("[]", "Connection: close\r\n"),
          "REPLICATE /sdb1/906/" + hash + " HTTP/1.0\r\nContent-Length: 2\r\n\r\n[]"}) {
        RawClient client(echo.port());
        client.send(text);
        const std::string reply = client.receive_all();
        BOOST_TEST(reply.starts_with("HTTP/1.1 200 OK\r\n"));
        BOOST_TEST(reply.find("\r\nConnection: close\r\n") != std::string::npos);
        BOOST_TEST(reply.ends_with("|2"));
    }
}

BOOST_AUTO_TEST_CASE(a_client_that_half_closes_still_gets_its_reply) {
    Echo echo;
    RawClient client(echo.port());
    client.send(request_text("[]"));
    client.socket.shutdown(Tcp::socket::shutdown_send);
    BOOST_TEST(client.receive_all().ends_with("|2"));
}

BOOST_AUTO_TEST_CASE(a_request_that_breaks_off_is_never_handled) {
    Echo echo;
    const std::string request = request_text("[]");
    for (const std::size_t size : {std::size_t{0}, std::size_t{4}, std::size_t{25},
                                   request.size() - 2, request.size() - 1}) {
        RawClient client(echo.port());
        client.send(request.substr(0, size));
        client.socket.shutdown(Tcp::socket::shutdown_send);
        BOOST_TEST(client.receive_all() == "");
    }
    BOOST_TEST(echo.seen().empty());
}

BOOST_AUTO_TEST_CASE(a_request_that_comes_too_slowly_is_cut_off) {
    ServerOptions options;
    options.read_timeout = Seconds{0.2};
    Echo echo(options);
    RawClient stopped(echo.port());
    stopped.send("REPLICATE /sdb1/906/");
    BOOST_TEST(stopped.receive_all() == "");
    // One that keeps sending gains no time by it, neither in the head nor in the body.
    for (const std::string start : {"X: ", "Content-Length: 999999\r\n\r\n"}) {
        RawClient slow(echo.port());
        slow.send("REPLICATE /sdb1/906/" + hash + " HTTP/1.1\r\n" + start);
        const auto begin = SystemClock().monotonic();
        while (slow.send("x")) {
            SystemClock().sleep_until(in(0.01), {});
        }
        BOOST_TEST((SystemClock().monotonic() - begin < std::chrono::seconds(20)));
    }
    BOOST_TEST(echo.seen().empty());
}

BOOST_AUTO_TEST_CASE(an_idle_connection_is_closed_when_its_time_is_over) {
    ServerOptions options;
    options.idle_timeout = Seconds{0.1};
    Echo echo(options);
    RawClient silent(echo.port());
    BOOST_TEST(silent.receive_all() == "");
    RawClient used(echo.port());
    BOOST_TEST(used.exchange(request_text("[]")).ends_with("|2"));
    BOOST_TEST(used.receive_all() == "");
}

BOOST_AUTO_TEST_CASE(the_time_of_a_handler_counts_as_neither_reading_nor_idling) {
    ServerOptions options;
    options.ip = "127.0.0.1";
    options.read_timeout = options.idle_timeout = options.write_timeout = Seconds{0.1};
    BeastServer server(options, [](const Request&) {
        SystemClock().sleep_until(in(0.4), {});
        return Reply{200, ok_type, "late", {}};
    });
    RawClient client(server.port());
    BOOST_TEST(client.exchange(request_text("[]")).ends_with("late"));
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_its_reply_is_cut_off) {
    ServerOptions options;
    options.ip = "127.0.0.1";
    options.write_timeout = Seconds{0.1};
    const std::string large(64 * 1024 * 1024, 'x');
    std::atomic<bool> called = false;
    BeastServer server(options, [&](const Request&) {
        called = true;
        return Reply{200, ok_type, large, {}};
    });
    RawClient client(server.port());
    client.send(request_text("[]"));
    BOOST_TEST(eventually([&] { return called.load(); }));
    const auto begin = SystemClock().monotonic();
    server.stop(Seconds{30}); // returns when the connection is gone
    BOOST_TEST((SystemClock().monotonic() - begin < std::chrono::seconds(20)));
    BOOST_TEST(client.receive_all().size() < large.size());
}
