#include <replica/tool/node.hpp>

#define BOOST_TEST_MODULE tool_node
#include <replica/beast/server.hpp>

#include <boost/test/unit_test.hpp>

#include <support/loopback.hpp>

#include <string>

using namespace replica;
using namespace replica::tool;

namespace {

/// A server on this machine that has one page.
struct Node {
    static ServerOptions options() {
        ServerOptions options;
        options.ip = "127.0.0.1";
        return options;
    }

    BeastServer server{options(), [](const Request&) { return Reply{}; },
                       [](std::string_view path) {
                           return path == "/page"
                                      ? Reply{200, "text/plain", std::string(100'000, 'x'), {}}
                                      : Reply{404, "text/plain", "none", {}};
                       }};
    HostPort at{"127.0.0.1", std::to_string(server.port())};
};

bool is(const HostPort& node, const std::string& host, const std::string& port) {
    return node.host == host && node.port == port;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_host_may_have_a_port) {
    BOOST_TEST(is(HostPort::of("10.0.0.1:99", "7"), "10.0.0.1", "99"));
    BOOST_TEST(is(HostPort::of("node1", "7"), "node1", "7"));
    BOOST_TEST(is(HostPort::of("[::1]:99", "7"), "::1", "99"));
    BOOST_TEST(is(HostPort::of("[::1]", "7"), "::1", "7"));
}

BOOST_FIXTURE_TEST_CASE(a_page_comes_in_full, Node) {
    const auto reply = get_page(at, "/page", Seconds(30));
    BOOST_REQUIRE(reply.has_value());
    BOOST_TEST(reply->status == 200);
    BOOST_TEST(reply->body == std::string(100'000, 'x'));
}

BOOST_FIXTURE_TEST_CASE(any_status_is_an_answer, Node) {
    const auto reply = get_page(at, "/other", Seconds(30));
    BOOST_REQUIRE(reply.has_value());
    BOOST_TEST(reply->status == 404);
}

BOOST_AUTO_TEST_CASE(who_does_not_listen_is_named) {
    const loopback::ClosedPort closed;
    const auto reply = get_page({"127.0.0.1", std::to_string(closed.port())}, "/page", Seconds(30));
    BOOST_REQUIRE(reply.has_error());
    BOOST_TEST(reply.error().what.starts_with("127.0.0.1:" + std::to_string(closed.port())));
    const auto none = get_page({"256.0.0.1.invalid", "1"}, "/page", Seconds(30));
    BOOST_REQUIRE(none.has_error());
    BOOST_TEST(none.error().what.starts_with("256.0.0.1.invalid:1: "), none.error().what);
}

BOOST_AUTO_TEST_CASE(who_says_nothing_is_not_waited_for) {
    boost::asio::io_context io;
    loopback::Tcp::acceptor silent(io, loopback::endpoint(0));
    const HostPort at{"127.0.0.1", std::to_string(silent.local_endpoint().port())};
    const auto reply = get_page(at, "/page", Seconds(0.2));
    BOOST_REQUIRE(reply.has_error());
    BOOST_TEST((reply.error().code == Error::timed_out), reply.error().what);
    BOOST_TEST(reply.error().what == at.host + ':' + at.port + ": no answer within 1 s");
}
