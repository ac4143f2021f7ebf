#include <replica/beast/server.hpp>

#define BOOST_TEST_MODULE beast_server_crowd
#include <boost/test/unit_test.hpp>

#include <support/loopback.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace loopback;

namespace {

/// Two ends of each connection are in this process.
struct ManyDescriptors {
    ManyDescriptors() {
        ::rlimit limit{};
        BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
        limit.rlim_cur = limit.rlim_max;
        BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
        BOOST_REQUIRE(limit.rlim_max >= 4096);
    }
};
BOOST_TEST_GLOBAL_FIXTURE(ManyDescriptors);

const std::string peer_ip = "127.0.0.1";
const std::string outside = "127.0.0.2";

/// Known are the address of a peer, and nobody else.
ServerOptions known_only() {
    ServerOptions options;
    options.ip = "127.0.0.1";
    options.door.is_peer = [](const boost::asio::ip::address& from) {
        return from.to_string() == peer_ip;
    };
    return options;
}

Reply yes(const Request&) {
    return {200, "text/plain", "yes", {}};
}

/// Connections from one address, idle or with a request that never ends.
class Crowd {
public:
    Crowd(const BeastServer& server, std::string from)
        : to_(server.port()), from_(std::move(from)) {}

    void connect(int count, std::string_view first = {}) {
        for (int i = 0; i < count; ++i) {
            Tcp::socket& socket = sockets_.emplace_back(io_);
            socket.open(Tcp::v4());
            socket.bind({boost::asio::ip::make_address(from_), 0});
            socket.connect(endpoint(to_));
            send(socket, first);
        }
    }

    /// Connections of whose request the server has begun to read the body.
    void connect_busy(int count) {
        for (int i = 0; i < count; ++i) {
            connect(1, "REPLICATE /sdb1/906/" + hash + " HTTP/1.1\r\nExpect: 100-continue\r\n" +
                           "Content-Length: 1000\r\n\r\n");
            BOOST_TEST_REQUIRE(last_reply() == "HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// One more byte on each connection.
    void drip() {
        for (Tcp::socket& socket : sockets_) {
            send(socket, "x");
        }
    }

    /// How many the server has not closed and not answered.
    [[nodiscard]] std::ptrdiff_t open() {
        return std::ranges::count_if(sockets_, [](Tcp::socket& socket) {
            char byte = 0;
            boost::system::error_code code;
            socket.non_blocking(true);
            socket.receive(boost::asio::buffer(&byte, 1), Tcp::socket::message_peek, code);
            return code == boost::asio::error::would_block;
        });
    }

    std::string last_reply() { return receive_message(sockets_.back()); }

private:
    boost::asio::io_context io_;
    std::uint16_t to_;
    std::string from_;
    std::list<Tcp::socket> sockets_;
};

const std::string half = "REPLICATE /sdb1/906/" + hash + " HTTP/1.1\r\nX-Slow: ";
const std::string long_body =
    "REPLICATE /sdb1/906/" + hash + " HTTP/1.1\r\nContent-Length: 60000000\r\n\r\n";

/// The longest that one of many requests of a peer took, each on a new connection.
double slowest(const BeastServer& server, int count, const std::string& text = request_text("[]")) {
    double longest = 0;
    for (int i = 0; i < count; ++i) {
        const Instant began = SystemClock().monotonic();
        RawClient client(server.port());
        const std::string reply = client.exchange(text);
        BOOST_TEST_REQUIRE(reply.ends_with("yes"), reply);
        longest = std::max(longest, Seconds(SystemClock().monotonic() - began).count());
    }
    return longest;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_peer_is_answered_while_a_thousand_connections_from_outside_are_open) {
    BeastServer server(known_only(), yes);
    RawClient kept(server.port()); // from before
    BOOST_TEST(kept.exchange(request_text("[]")).ends_with("yes"));
    Crowd slow(server, outside);
    Crowd idle(server, outside);
    slow.connect(200, half);
    idle.connect(600);
    slow.connect(200, half);
    slow.drip();
    double longest = slowest(server, 100);
    for (int round = 0; round < 20; ++round) {
        slow.drip();
        longest = std::max(longest, slowest(server, 10));
    }
    BOOST_TEST_MESSAGE("the slowest of 300 answers took " << longest << " s");
    BOOST_TEST(longest < 2);
    BOOST_TEST(kept.exchange(request_text("[]")).ends_with("yes")); // nobody closed it
    BOOST_TEST(slow.open() + idle.open() <= 128);                   // half of the room, and no more
}

BOOST_AUTO_TEST_CASE(idle_connections_from_outside_go_before_slow_ones_and_before_those_of_peers) {
    ServerOptions options = known_only();
    options.max_connections = 8;
    BeastServer server(options, yes);
    Crowd peers(server, peer_ip);
    Crowd slow(server, outside);
    Crowd idle(server, outside);
    peers.connect(4);
    slow.connect_busy(2);
    idle.connect(2);
    slowest(server, 1); // somebody had to go for this one
    BOOST_TEST(eventually([&] { return idle.open() == 1; }));
    BOOST_TEST(slow.open() == 2);
    BOOST_TEST(peers.open() == 4);
    idle.connect(20);
    BOOST_TEST(eventually([&] { return idle.open() <= 2; }));
    BOOST_TEST(slow.open() == 2);
    BOOST_TEST(peers.open() == 4);
}

BOOST_AUTO_TEST_CASE(strangers_who_do_not_give_way_are_told_that_there_is_no_room) {
    ServerOptions options = known_only();
    options.max_connections = 8;
    BeastServer server(options, yes);
    Crowd slow(server, outside);
    slow.connect_busy(4);
    Crowd late(server, outside);
    late.connect(1);
    const std::string reply = late.last_reply();
    BOOST_TEST(reply.starts_with("HTTP/1.1 503 "), reply);
    BOOST_TEST(reply.ends_with("too many connections"), reply);
    BOOST_TEST(slow.open() == 4);
    late.connect(100); // of many not all are told
    slowest(server, 10);
}

BOOST_AUTO_TEST_CASE(strangers_take_no_place_that_peers_have_taken) {
    ServerOptions options = known_only();
    options.max_connections = 8;
    BeastServer server(options, yes);
    Crowd peers(server, peer_ip);
    peers.connect(7);
    Crowd idle(server, outside);
    idle.connect(20);
    BOOST_TEST(eventually([&] { return idle.open() == 1; }));
    BOOST_TEST(peers.open() == 7);
    Crowd more(server, peer_ip);
    more.connect(1);
    BOOST_TEST(eventually([&] { return idle.open() == 0; }));
    more.connect(1); // now it is a peer's that is closed, the longest idle
    BOOST_TEST(eventually([&] { return peers.open() == 6; }));
    BOOST_TEST(more.open() == 2);
}

BOOST_AUTO_TEST_CASE(a_thousand_idle_connections_of_peers_keep_no_peer_out) {
    BeastServer server(known_only(), yes);
    Crowd slow(server, outside);
    slow.connect(300, half);
    Crowd peers(server, peer_ip);
    peers.connect(1000);
    BOOST_TEST(slowest(server, 50) < 2);
    BOOST_TEST(peers.open() <= 128);
}

BOOST_AUTO_TEST_CASE(a_sender_that_is_slow_for_too_long_makes_room_for_others_from_outside) {
    ServerOptions options = known_only();
    options.max_connections = 8;
    options.read_timeout = Seconds{0.2};
    BeastServer server(options, yes);
    Crowd slow(server, outside);
    slow.connect_busy(4);
    BOOST_TEST(eventually([&] {
        slow.drip(); // a byte now and then does not help it
        SystemClock().sleep_until(in(0.02), {});
        return slow.open() == 0;
    }));
    Crowd next(server, outside);
    next.connect(1, request_text("[]"));
    BOOST_TEST(next.last_reply().ends_with("yes"));
}

BOOST_AUTO_TEST_CASE(long_bodies_from_outside_leave_room_for_those_of_peers) {
    ServerOptions options = known_only();
    options.read_timeout = Seconds{600};
    BeastServer server(options, yes);
    Crowd slow(server, outside);
    slow.connect(100, long_body); // for the very device that the peer writes to
    BOOST_TEST(slowest(server, 10, request_text(std::string(1'000'000, 'x'))) < 5);
}

BOOST_AUTO_TEST_CASE(where_nobody_is_a_stranger_all_room_is_for_all) {
    ServerOptions options;
    options.ip = "127.0.0.1";
    options.max_connections = 8;
    BeastServer server(options, yes);
    Crowd slow(server, outside);
    slow.connect_busy(7);
    Crowd idle(server, outside);
    idle.connect(1);
    BOOST_TEST(slowest(server, 10) < 2);
    BOOST_TEST(slow.open() == 7);
}
