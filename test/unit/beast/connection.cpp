#include <replica/beast/connection.hpp>

#define BOOST_TEST_MODULE beast_connection
#include <boost/test/unit_test.hpp>

#include <support/loopback.hpp>

#include <string>

using namespace replica;
using namespace loopback;

namespace {

constexpr std::size_t header_max = 16 * 1024;
constexpr std::uint64_t body_max = 1024 * 1024;
const std::string head = "REPLICATE /sdb1/906/" + hash + " HTTP/1.1\r\nContent-Length: 2\r\n\r\n";

using Answer = boost::system::result<Reply, http::Broken>;

void connect(http::Connection& connection, std::uint16_t port) {
    BOOST_TEST_REQUIRE(!connection.connect(endpoint(port), in(30), {}));
}

Answer exchange(http::Connection& connection, double seconds = 30, std::stop_token stop = {}) {
    return connection.exchange(head, "[]", header_max, body_max, in(seconds), stop);
}

ScriptedServer::Script say(std::string text) {
    return [text = std::move(text)](Tcp::socket& socket) {
        receive_message(socket);
        send(socket, text);
        boost::system::error_code ignored;
        socket.shutdown(Tcp::socket::shutdown_send, ignored);
        receive_all(socket);
    };
}

// What a client makes of a server that says `text` and closes.
Answer answer_to(const std::string& text, bool* reusable = nullptr) {
    ScriptedServer server({say(text)});
    http::Connection connection;
    connect(connection, server.port());
    Answer answer = exchange(connection);
    if (reusable != nullptr) {
        *reusable = connection.reusable();
    }
    return answer;
}

void check_broken(const Answer& answer, Error error, const std::string& why, bool unanswered) {
    BOOST_TEST_REQUIRE(answer.has_error());
    BOOST_TEST(make_error_code(answer.error().error).message() == make_error_code(error).message());
    BOOST_TEST(answer.error().why.find(why) != std::string::npos, answer.error().why);
    BOOST_TEST(answer.error().unanswered == unanswered);
}

} // namespace

BOOST_AUTO_TEST_CASE(requests_and_replies_follow_each_other_on_one_connection) {
    std::string seen;
    {
        ScriptedServer server({[&](Tcp::socket& socket) {
            for (int count = 0; count < 3; ++count) {
                seen += receive_message(socket) + "\n";
                send(socket, reply_text(std::to_string(count), "202 Accepted"));
            }
            receive_all(socket);
        }});
        http::Connection connection;
        connect(connection, server.port());
        BOOST_TEST(connection.remote() == endpoint(server.port()));
        for (int count = 0; count < 3; ++count) {
            const Answer answer = exchange(connection);
            BOOST_TEST_REQUIRE(answer.has_value());
            BOOST_TEST(answer->status == 202);
            BOOST_TEST(answer->content_type == "text/plain");
            BOOST_TEST(answer->body == std::to_string(count));
            BOOST_TEST(answer->reason == "");
            BOOST_TEST(connection.reusable());
            BOOST_TEST(connection.quiet());
        }
    }
    BOOST_TEST(seen == head + "[]\n" + head + "[]\n" + head + "[]\n");
}

BOOST_AUTO_TEST_CASE(a_reply_may_come_byte_by_byte) {
    ScriptedServer server({[](Tcp::socket& socket) {
        receive_message(socket);
        for (const char c : reply_text("slow")) {
            send(socket, std::string(1, c));
        }
        receive_all(socket);
    }});
    http::Connection connection;
    connect(connection, server.port());
    const Answer answer = exchange(connection);
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST(answer->body == "slow");
    BOOST_TEST(connection.reusable());
}

BOOST_AUTO_TEST_CASE(a_phrase_that_is_not_the_usual_one_is_kept) {
    const Answer answer = answer_to(reply_text("", "507 Drive: sdb1"));
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST(answer->status == 507);
    BOOST_TEST(answer->reason == "Drive: sdb1");
}

BOOST_AUTO_TEST_CASE(a_chunked_reply_is_whole) {
    bool reusable = false;
    const Answer answer = answer_to("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                                    &reusable);
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST(answer->body == "abcde");
    BOOST_TEST(reusable);
}

BOOST_AUTO_TEST_CASE(a_204_needs_no_length) {
    bool reusable = false;
    const Answer answer = answer_to("HTTP/1.1 204 No Content\r\n\r\n", &reusable);
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST(answer->status == 204);
    BOOST_TEST(answer->body == "");
    BOOST_TEST(reusable);
}

BOOST_AUTO_TEST_CASE(a_connection_is_not_used_again_when_the_server_says_or_shows_so) {
    const std::string closing =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    const std::string old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const std::string until_close = "HTTP/1.1 200 OK\r\n\r\nok";
    const std::string and_more = reply_text("ok") + "HTTP/1.1 200 OK\r\n";
    for (const std::string& text : {closing, old, until_close, and_more}) {
        bool reusable = true;
        const Answer answer = answer_to(text, &reusable);
        BOOST_TEST_REQUIRE(answer.has_value());
        BOOST_TEST(answer->body == "ok");
        BOOST_TEST(!reusable, text);
    }
}

BOOST_AUTO_TEST_CASE(a_close_before_any_reply_is_told_from_one_in_the_middle) {
    check_broken(answer_to(""), Error::connection_lost, "before any reply", true);
    for (const char* half :
         {"H", "HTTP/1.1 200 OK\r\nContent-Len", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
        check_broken(answer_to(half), Error::connection_lost, "in the middle", false);
    }
}

BOOST_AUTO_TEST_CASE(what_is_not_http_is_a_bad_reply) {
    const std::vector<std::string> garbage = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        std::string(2000, '\0'),
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n" + reply_text("ok"),
    };
    for (const std::string& text : garbage) {
        bool reusable = true;
        check_broken(answer_to(text, &reusable), Error::bad_reply, "", false);
        BOOST_TEST(!reusable);
    }
}

BOOST_AUTO_TEST_CASE(a_head_or_a_body_that_is_too_long_is_a_bad_reply) {
    const std::string line = "X-Long: " + std::string(header_max, 'x') + "\r\n";
    check_broken(answer_to("HTTP/1.1 200 OK\r\n" + line + "\r\n"), Error::bad_reply, "header limit",
                 false);
    check_broken(answer_to("HTTP/1.1 200 OK\r\nX: " + std::string(header_max, 'x')),
                 Error::bad_reply, "header limit", false);
    const std::string body(body_max + 1, 'x');
    check_broken(answer_to(reply_text(body)), Error::bad_reply, "body limit", false);
    check_broken(answer_to("HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"),
                 Error::bad_reply, "body limit", false);
    check_broken(answer_to("HTTP/1.1 200 OK\r\n\r\n" + body), Error::bad_reply, "body limit",
                 false);
    const Answer longest = answer_to(reply_text(std::string(body_max, 'x')));
    BOOST_TEST_REQUIRE(longest.has_value());
    BOOST_TEST(longest->body.size() == body_max);
}

BOOST_AUTO_TEST_CASE(an_answer_given_before_the_body_was_read_counts) {
    ScriptedServer server({[](Tcp::socket& socket) {
        send(socket, reply_text("no room", "413 Request Entity Too Large"));
        boost::system::error_code ignored;
        socket.shutdown(Tcp::socket::shutdown_send, ignored);
        receive_all(socket);
    }});
    http::Connection connection;
    connect(connection, server.port());
    const std::string body(8 * 1024 * 1024, 'x');
    const auto answer = connection.exchange(head, body, header_max, body_max, in(30), {});
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST(answer->status == 413);
    BOOST_TEST(answer->body == "no room");
}

BOOST_AUTO_TEST_CASE(a_reset_in_the_middle_of_a_request_is_a_lost_connection) {
    ScriptedServer server({[](Tcp::socket& socket) {
        char byte = 0;
        socket.read_some(boost::asio::buffer(&byte, 1));
        socket.set_option(boost::asio::socket_base::linger(true, 0));
        socket.close(); // with bytes unread and no lingering: a reset
    }});
    http::Connection connection;
    connect(connection, server.port());
    const std::string body(64 * 1024 * 1024, 'x');
    const auto answer = connection.exchange(head, body, header_max, body_max, in(30), {});
    BOOST_TEST_REQUIRE(answer.has_error());
    BOOST_TEST((answer.error().error == Error::connection_lost));
    BOOST_TEST(answer.error().unanswered);
    BOOST_TEST(!connection.reusable());
}

BOOST_AUTO_TEST_CASE(a_refused_connection_says_so) {
    const ClosedPort closed;
    http::Connection connection;
    const auto code = connection.connect(endpoint(closed.port()), in(30), {});
    BOOST_TEST(code == boost::asio::error::connection_refused);
}

BOOST_AUTO_TEST_CASE(the_deadline_ends_connecting_writing_and_reading) {
    const Blackhole blackhole;
    http::Connection connection;
    auto deadline = in(0.1);
    BOOST_TEST(connection.connect(endpoint(blackhole.port()), deadline, {}) ==
               make_error_code(Error::timed_out));
    BOOST_TEST((SystemClock().monotonic() >= deadline));

    boost::asio::io_context io;
    Tcp::acceptor listener(io, endpoint()); // accepts in the kernel; nobody reads or writes
    const std::string body(64 * 1024 * 1024, 'x');
    for (const std::string& sent : {body, std::string("[]")}) {
        connect(connection, listener.local_endpoint().port());
        deadline = in(0.1);
        check_broken(connection.exchange(head, sent, header_max, body_max, deadline, {}),
                     Error::timed_out, "no answer within 1 s", true);
        BOOST_TEST((SystemClock().monotonic() >= deadline));
        BOOST_TEST(!connection.reusable());
        BOOST_TEST(!connection.quiet());
    }
}

BOOST_AUTO_TEST_CASE(the_deadline_ends_a_reply_that_trickles) {
    std::stop_source over;
    ScriptedServer server({[&](Tcp::socket& socket) {
        receive_message(socket);
        send(socket, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        while (send(socket, "x")) {
            SystemClock().sleep_until(in(0.01), over.get_token());
        }
    }});
    http::Connection connection;
    connect(connection, server.port());
    check_broken(exchange(connection, 0.2), Error::timed_out, "no whole answer within 1 s", false);
}

BOOST_AUTO_TEST_CASE(a_stop_ends_connecting_writing_and_reading) {
    const Blackhole blackhole;
    http::Connection connection;
    {
        std::stop_source source;
        const auto stopper = stop_after(source, 0.05);
        BOOST_TEST(connection.connect(endpoint(blackhole.port()), in(50), source.get_token()) ==
                   make_error_code(Error::stopped));
    }
    boost::asio::io_context io;
    Tcp::acceptor listener(io, endpoint());
    const std::string body(64 * 1024 * 1024, 'x');
    for (const std::string& sent : {body, std::string("[]")}) {
        std::stop_source source;
        connect(connection, listener.local_endpoint().port());
        const auto stopper = stop_after(source, 0.05);
        check_broken(
            connection.exchange(head, sent, header_max, body_max, in(50), source.get_token()),
            Error::stopped, "", true);
    }
    std::stop_source before;
    before.request_stop();
    BOOST_TEST(connection.connect(listener.local_endpoint(), in(50), before.get_token()) ==
               make_error_code(Error::stopped));
}

BOOST_AUTO_TEST_CASE(an_idle_connection_that_was_closed_or_spoken_on_is_not_quiet) {
    for (const char* text : {"", "HTTP/1.1 408 Request Timeout\r\n\r\n"}) {
        std::stop_source go;
        ScriptedServer server({[&](Tcp::socket& socket) {
            receive_message(socket);
            send(socket, reply_text("ok"));
            SystemClock().sleep_until(in(30), go.get_token());
            send(socket, text);
        }});
        http::Connection connection;
        connect(connection, server.port());
        BOOST_TEST_REQUIRE(exchange(connection).has_value());
        BOOST_TEST(connection.quiet());
        go.request_stop();
        BOOST_TEST(eventually([&] { return !connection.quiet(); }));
    }
}

BOOST_AUTO_TEST_CASE(a_connection_can_be_made_anew_after_a_fault) {
    ScriptedServer server({say("garbage"), say(reply_text("ok"))});
    http::Connection connection;
    connect(connection, server.port());
    BOOST_TEST(exchange(connection).has_error());
    connect(connection, server.port());
    const Answer answer = exchange(connection);
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_TEST(answer->body == "ok");
}
