#include <replica/beast/transport.hpp>

#define BOOST_TEST_MODULE beast_transport
#include <replica/beast/server.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/transport.hpp>
#include <support/loopback.hpp>
#include <sys/resource.h>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace replica;
using namespace loopback;

namespace {

struct SocketFixture {
    BeastTransport& transport() { return beast; }

    Device serve(laws::Serve handler) {
        ServerOptions options;
        options.ip = "127.0.0.1";
        return device_at(servers.emplace_back(options, std::move(handler)).port());
    }

    Device silent() {
        return device_at(listeners.emplace_back(io, endpoint()).local_endpoint().port());
    }

    Device nobody() { return device_at(closed.emplace_back().port()); }
    Instant now() { return SystemClock().monotonic(); }
    void run(const std::function<void()>& body) { body(); }

    void stop_after(std::stop_source source, Seconds delay) {
        stoppers.push_back(loopback::stop_after(source, delay.count()));
    }

    BeastTransport beast;
    boost::asio::io_context io;
    std::list<BeastServer> servers;
    std::list<Tcp::acceptor> listeners; // the kernel accepts, nobody reads
    std::list<ClosedPort> closed;
    std::list<std::jthread> stoppers;
};

static_assert(laws::TransportFixture<SocketFixture>);

const Request request{"sdb1", "906", hash, R"(["sync"])", true};
const Request once{"sdb1", "906", hash, R"(["complete_rsync"])", false};

ServerOptions local(std::uint16_t port = 0, std::string name = {}) {
    ServerOptions options;
    options.ip = "127.0.0.1";
    options.port = port;
    options.name = std::move(name);
    return options;
}

// A server that counts, and answers with its name; `header` is its Server header.
class Named {
public:
    explicit Named(std::string name, std::string header = {}, std::uint16_t port = 0)
        : server_(local(port, std::move(header)), [this, name = std::move(name)](const Request&) {
              ++requests;
              return Reply{200, "text/plain", name, {}};
          }) {}

    [[nodiscard]] std::uint16_t port() const { return server_.port(); }

    std::atomic<int> requests = 0;

private:
    BeastServer server_;
};

Result<Reply> send(BeastTransport& transport, std::uint16_t port, const Request& what = request,
                   double seconds = 30) {
    return transport.peer(device_at(port)).send(what, in(seconds), {});
}

std::string body_of(const Result<Reply>& reply) {
    return reply.has_value() ? reply->body : "fault: " + reply.error().what;
}

void check_fault(const Result<Reply>& reply, Error error, const std::string& text) {
    BOOST_TEST_REQUIRE(reply.has_error());
    BOOST_TEST(reply.error().code == make_error_code(error));
    BOOST_TEST(reply.error().what == text);
}

ScriptedServer::Script answer(int count, std::string body) {
    return [count, body = std::move(body)](Tcp::socket& socket) {
        for (int done = 0; done < count; ++done) {
            receive_message(socket);
            loopback::send(socket, reply_text(body));
        }
        receive_all(socket);
    };
}

// Answers one request and dies with the second one in its hands, having said `last`.
ScriptedServer::Script die_at_the_second(std::string last = {}) {
    return [last = std::move(last)](Tcp::socket& socket) {
        receive_message(socket);
        loopback::send(socket, reply_text("first"));
        receive_message(socket);
        loopback::send(socket, last);
    };
}

std::string where(std::uint16_t port) {
    return "127.0.0.1:" + std::to_string(port) + "/sdb1: ";
}

} // namespace

BOOST_AUTO_TEST_CASE(sockets_obey_the_laws) {
    SocketFixture fixture;
    laws::transport(fixture);
}

BOOST_AUTO_TEST_CASE(what_goes_over_the_wire_is_what_a_stock_sender_writes) {
    std::string seen;
    ScriptedServer server({[&](Tcp::socket& socket) {
        seen = receive_message(socket);
        loopback::send(socket, reply_text(""));
        receive_all(socket);
    }});
    {
        BeastTransport transport;
        BOOST_TEST(send(transport, server.port()).has_value());
    }
    BOOST_TEST(seen == "REPLICATE /sdb1/906/e28cc9c78696a68b7920b82ab697f9c3 HTTP/1.1\r\n"
                       "Host: 127.0.0.1:" +
                           std::to_string(server.port()) +
                           "\r\nAccept-Encoding: identity\r\nContent-Length: 8\r\n"
                           "Content-Type: application/json\r\n\r\n[\"sync\"]");
}

BOOST_AUTO_TEST_CASE(one_connection_serves_all_requests_and_all_copies_of_a_transport) {
    ScriptedServer server({answer(6, "kept")});
    BeastTransport transport;
    BeastTransport copy = transport;
    for (int count = 0; count < 3; ++count) {
        BOOST_TEST(body_of(send(transport, server.port())) == "kept");
        BOOST_TEST(body_of(send(copy, server.port())) == "kept");
        BOOST_TEST(transport.idle_count() == 1U);
    }
    BOOST_TEST(server.accepted() == 1U);
    transport = copy = BeastTransport(); // closes it
}

BOOST_AUTO_TEST_CASE(a_server_that_closes_after_each_reply_is_served_by_new_connections) {
    const auto script = [](Tcp::socket& socket) {
        receive_message(socket);
        loopback::send(socket, reply_text("bye"));
    };
    ScriptedServer server({script, script, script});
    BeastTransport transport;
    for (int count = 0; count < 3; ++count) {
        BOOST_TEST(body_of(send(transport, server.port())) == "bye");
    }
    BOOST_TEST(server.accepted() == 3U);
}

BOOST_AUTO_TEST_CASE(a_request_that_died_on_a_kept_connection_is_repeated_once) {
    ScriptedServer server({die_at_the_second(), answer(1, "second try")});
    BeastTransport transport;
    BOOST_TEST(body_of(send(transport, server.port())) == "first");
    BOOST_TEST(body_of(send(transport, server.port())) == "second try");
    BOOST_TEST(server.accepted() == 2U);
    transport = BeastTransport();
}

BOOST_AUTO_TEST_CASE(a_request_is_repeated_no_more_than_once) {
    const auto die = [](Tcp::socket& socket) { receive_message(socket); };
    ScriptedServer server({die_at_the_second(), die, die});
    BeastTransport transport;
    BOOST_TEST(body_of(send(transport, server.port())) == "first");
    check_fault(send(transport, server.port()), Error::connection_lost,
                where(server.port()) + "connection lost: closed before any reply");
    BOOST_TEST(server.accepted() == 2U);
}

BOOST_AUTO_TEST_CASE(a_request_that_failed_on_a_fresh_connection_is_not_repeated) {
    const auto die = [](Tcp::socket& socket) { receive_message(socket); };
    ScriptedServer server({die, die});
    BeastTransport transport;
    check_fault(send(transport, server.port()), Error::connection_lost,
                where(server.port()) + "connection lost: closed before any reply");
    BOOST_TEST(server.accepted() == 1U);
}

BOOST_AUTO_TEST_CASE(a_request_is_not_repeated_once_the_reply_has_begun) {
    ScriptedServer server({die_at_the_second("HTTP/1.1 2"), answer(1, "never")});
    BeastTransport transport;
    BOOST_TEST(body_of(send(transport, server.port())) == "first");
    check_fault(send(transport, server.port()), Error::connection_lost,
                where(server.port()) + "connection lost: closed in the middle of the reply");
    BOOST_TEST(server.accepted() == 1U);
}

BOOST_AUTO_TEST_CASE(a_request_that_timed_out_on_a_kept_connection_is_not_repeated) {
    ScriptedServer server({[](Tcp::socket& socket) {
                               receive_message(socket);
                               loopback::send(socket, reply_text("first"));
                               receive_all(socket);
                           },
                           answer(1, "never")});
    BeastTransport transport;
    BOOST_TEST(body_of(send(transport, server.port())) == "first");
    check_fault(send(transport, server.port(), request, 0.1), Error::timed_out,
                where(server.port()) + "timed out: no answer within 1 s");
    BOOST_TEST(server.accepted() == 1U);
    BOOST_TEST(transport.idle_count() == 0U);
}

BOOST_AUTO_TEST_CASE(what_must_not_be_repeated_never_uses_a_kept_connection) {
    std::atomic<int> on_kept = -1; // bytes, once the script has looked
    std::stop_source over;
    ScriptedServer server({[&](Tcp::socket& socket) {
        receive_message(socket);
        loopback::send(socket, reply_text("first"));
        // Not closed before the rest is done: it would be passed over.
        SystemClock().sleep_until(in(30), over.get_token());
        boost::system::error_code ignored;
        on_kept = static_cast<int>(socket.available(ignored));
    }});
    Named other("unused");
    BeastTransport transport;
    BOOST_TEST(body_of(send(transport, server.port())) == "first");
    // The second connection waits in the queue, where nobody answers it.
    check_fault(send(transport, server.port(), once, 0.1), Error::timed_out,
                where(server.port()) + "timed out: no answer within 1 s");
    BOOST_TEST(transport.idle_count() == 1U);
    over.request_stop();
    BOOST_TEST(eventually([&] { return on_kept != -1; }));
    BOOST_TEST(on_kept == 0);
    BOOST_TEST(server.accepted() == 1U);
}

BOOST_AUTO_TEST_CASE(what_must_not_be_repeated_is_not_when_its_connection_breaks) {
    const auto die = [](Tcp::socket& socket) { receive_message(socket); };
    ScriptedServer server({die, die});
    BeastTransport transport;
    check_fault(send(transport, server.port(), once), Error::connection_lost,
                where(server.port()) + "connection lost: closed before any reply");
    BOOST_TEST(server.accepted() == 1U);
}

BOOST_AUTO_TEST_CASE(a_connection_made_for_such_a_request_is_kept_for_others) {
    ScriptedServer server({answer(2, "kept")});
    BeastTransport transport;
    BOOST_TEST(body_of(send(transport, server.port(), once)) == "kept");
    BOOST_TEST(body_of(send(transport, server.port())) == "kept");
    BOOST_TEST(server.accepted() == 1U);
    transport = BeastTransport();
}

BOOST_AUTO_TEST_CASE(faults_name_the_peer_and_the_reason) {
    BeastTransport transport;
    const ClosedPort closed;
    check_fault(send(transport, closed.port()), Error::connect_failed,
                where(closed.port()) + "cannot connect: Connection refused");
    ScriptedServer garbage({[](Tcp::socket& socket) {
        receive_message(socket);
        loopback::send(socket, "220 mail.example ESMTP\r\n");
        receive_all(socket);
    }});
    check_fault(send(transport, garbage.port()), Error::bad_reply,
                where(garbage.port()) + "unusable reply: bad version");
    BOOST_TEST(transport.idle_count() == 0U);
    Device nowhere = device_at(6201, "");
    check_fault(transport.peer(nowhere).send(request, in(30), {}), Error::connect_failed,
                ":6201/sdb1: cannot connect: the device has no replication_ip");
}

BOOST_AUTO_TEST_CASE(a_node_that_drops_packets_costs_conn_timeout_and_not_the_deadline) {
    const Blackhole blackhole;
    BeastOptions options;
    options.conn_timeout = Seconds{0.1};
    BeastTransport transport(options);
    const auto begin = SystemClock().monotonic();
    check_fault(send(transport, blackhole.port()), Error::connect_failed,
                where(blackhole.port()) + "cannot connect: no answer within conn_timeout");
    BOOST_TEST((SystemClock().monotonic() - begin < std::chrono::seconds(20)));
}

BOOST_AUTO_TEST_CASE(a_deadline_before_conn_timeout_is_the_end_of_the_request) {
    const Blackhole blackhole;
    BeastOptions options;
    options.conn_timeout = Seconds{30};
    BeastTransport transport(options);
    check_fault(send(transport, blackhole.port(), request, 0.1), Error::timed_out,
                where(blackhole.port()) + "timed out: while connecting");
    std::stop_source source;
    const auto stopper = loopback::stop_after(source, 0.05);
    check_fault(
        transport.peer(device_at(blackhole.port())).send(request, in(50), source.get_token()),
        Error::stopped, where(blackhole.port()) + "stopped");
}

BOOST_AUTO_TEST_CASE(a_reply_beyond_the_limits_is_refused) {
    BeastOptions options;
    options.max_body = 1000;
    BeastTransport transport(options);
    BeastServer server(local(), [](const Request& got) {
        return Reply{200, "text/plain", std::string(std::stoul(got.body), 'x'), {}};
    });
    Request sized = request;
    sized.body = "1000";
    BOOST_TEST(body_of(send(transport, server.port(), sized)).size() == 1000U);
    sized.body = "1001";
    check_fault(send(transport, server.port(), sized), Error::bad_reply,
                where(server.port()) + "unusable reply: body limit exceeded");
}

BOOST_AUTO_TEST_CASE(nodes_may_have_names) {
    Named server("named");
    BeastTransport transport;
    const auto reply =
        transport.peer(device_at(server.port(), "localhost")).send(request, in(30), {});
    BOOST_TEST(body_of(reply) == "named"); // ::1, where it is one, is refused first
    const auto nobody = transport.peer(device_at(1, "no such name")).send(request, in(30), {});
    BOOST_TEST_REQUIRE(nobody.has_error());
    BOOST_TEST(nobody.error().code == make_error_code(Error::connect_failed));
    BOOST_TEST(nobody.error().what.starts_with("no such name:1/sdb1: cannot connect: "));
}

BOOST_AUTO_TEST_CASE(nodes_may_have_ipv6_addresses) {
    boost::asio::io_context io;
    Tcp::acceptor probe(io);
    boost::system::error_code code;
    probe.open(Tcp::v6(), code);
    if (!code) {
        probe.bind({boost::asio::ip::address_v6::loopback(), 0}, code);
    }
    BeastTransport transport;
    if (code) { // no IPv6 on this machine: then that is what is said
        const auto reply = transport.peer(device_at(1, "::1")).send(request, in(30), {});
        BOOST_TEST_REQUIRE(reply.has_error());
        BOOST_TEST(reply.error().what.starts_with("[::1]:1/sdb1: cannot connect: "));
        return;
    }
    ServerOptions options;
    options.ip = "::1";
    BeastServer server(options, [](const Request&) { return Reply{200, "text/plain", "v6", {}}; });
    BOOST_TEST(server.address() == "[::1]:" + std::to_string(server.port()));
    BOOST_TEST(body_of(transport.peer(device_at(server.port(), "::1")).send(request, in(30), {})) ==
               "v6");
}

// ---- Our own server beside a stock one.

namespace {

BeastTransport looking_for(std::uint16_t replica_port, Seconds memory = Seconds{300},
                           Seconds conn_timeout = Seconds{20}) {
    BeastOptions options;
    options.conn_timeout = conn_timeout;
    options.kind_type = "container";
    options.replica_port = replica_port;
    options.replica_port_memory = memory;
    return BeastTransport(options);
}

// The Server header of ours beside `stock`.
std::string beside(const Named& stock) {
    return http::server_name("container", stock.port());
}

// Answers OPTIONS as ours.
void pose(Tcp::socket& socket, const std::string& header) {
    BOOST_TEST(receive_message(socket).starts_with("OPTIONS / HTTP/1.1\r\n"));
    loopback::send(socket,
                   "HTTP/1.1 200 OK\r\nServer: " + header + "\r\nContent-Length: 0\r\n\r\n");
}

} // namespace

BOOST_AUTO_TEST_CASE(our_own_server_is_preferred_where_there_is_one) {
    Named stock("stock");
    Named own("own", beside(stock));
    auto transport = looking_for(own.port());
    BOOST_TEST(body_of(send(transport, stock.port())) == "own");
    BOOST_TEST(body_of(send(transport, stock.port(), once)) == "own");
    BOOST_TEST(stock.requests == 0);
}

BOOST_AUTO_TEST_CASE(what_only_ours_understands_goes_nowhere_else) {
    Request ours = request;
    ours.only_ours = true;
    Named stock("stock");
    Named own("own", beside(stock));
    auto transport = looking_for(own.port());
    BOOST_TEST(transport.peer(device_at(stock.port())).speaks_ours(in(30), {}));
    BOOST_TEST(body_of(send(transport, stock.port(), ours)) == "own");
    ClosedPort closed;
    for (const std::uint16_t port : {closed.port(), std::uint16_t{0}, stock.port()}) {
        auto without = looking_for(port);
        BOOST_TEST(!without.peer(device_at(stock.port())).speaks_ours(in(30), {}));
        check_fault(send(without, stock.port(), ours), Error::connect_failed,
                    where(stock.port()) + make_error_code(Error::connect_failed).message() +
                        ": no server of ours is known there");
    }
    BOOST_TEST(stock.requests == 0);
}

BOOST_AUTO_TEST_CASE(among_servers_of_ours_nobody_is_asked_and_all_goes_to_the_rings_port) {
    Request ours = request;
    ours.only_ours = true;
    Named own("own", "a server of a host program");
    BeastTransport transport(BeastOptions::among_ours());
    BOOST_TEST(transport.peer(device_at(own.port())).speaks_ours(in(-1), {}));
    BOOST_TEST(body_of(send(transport, own.port(), ours)) == "own");
    BOOST_TEST(body_of(send(transport, own.port())) == "own");
    BOOST_TEST(own.requests == 2); // no OPTIONS
}

BOOST_AUTO_TEST_CASE(a_server_of_ours_that_has_gone_is_not_followed_by_a_stock_one) {
    Request ours = request;
    ours.only_ours = true;
    Named stock("stock");
    auto own = std::make_unique<Named>("own", beside(stock));
    auto transport = looking_for(own->port());
    BOOST_TEST(body_of(send(transport, stock.port(), ours)) == "own");
    own.reset();
    BOOST_TEST((send(transport, stock.port(), ours).error().code == Error::connect_failed));
    BOOST_TEST(stock.requests == 0);
    BOOST_TEST(body_of(send(transport, stock.port())) == "stock");
    BOOST_TEST(!transport.peer(device_at(stock.port())).speaks_ours(in(30), {}));
}

BOOST_AUTO_TEST_CASE(ours_may_stand_at_the_rings_port_in_the_place_of_a_stock_server) {
    Request ours = request;
    ours.only_ours = true;
    const std::uint16_t port = ClosedPort().port();
    Named own("own", http::server_name("container", port), port);
    auto transport = looking_for(port);
    BOOST_TEST(body_of(send(transport, port)) == "own");
    BOOST_TEST(transport.peer(device_at(port)).speaks_ours(in(30), {}));
    BOOST_TEST(body_of(send(transport, port, ours)) == "own");
    BOOST_TEST(own.requests == 2);
    BOOST_TEST(transport.peer(device_at(port)).speaks_ours(in(-1), {})); // remembered
}

BOOST_AUTO_TEST_CASE(a_node_without_our_server_is_asked_at_its_stock_port_and_remembered) {
    Named stock("stock");
    auto closed = std::make_unique<ClosedPort>();
    const std::uint16_t port = closed->port();
    auto transport = looking_for(port);
    BOOST_TEST(body_of(send(transport, stock.port(), once)) == "stock");
    closed.reset();
    Named own("own", beside(stock), port); // not noticed before the memory has faded
    BOOST_TEST(body_of(send(transport, stock.port())) == "stock");
    BOOST_TEST(own.requests == 0);
}

BOOST_AUTO_TEST_CASE(our_server_is_found_when_the_memory_has_faded) {
    Named stock("stock");
    auto closed = std::make_unique<ClosedPort>();
    const std::uint16_t port = closed->port();
    auto transport = looking_for(port, Seconds{0});
    BOOST_TEST(body_of(send(transport, stock.port())) == "stock");
    closed.reset();
    Named own("own", beside(stock), port);
    BOOST_TEST(body_of(send(transport, stock.port())) == "own");
}

BOOST_AUTO_TEST_CASE(what_listens_on_our_port_and_is_not_ours_gets_no_request) {
    Named stock("stock");
    for (const std::string& header :
         {std::string(), std::string("container-server/2.30.1"), std::string("replica"),
          http::server_name("account", stock.port()),
          http::server_name("container", static_cast<std::uint16_t>(stock.port() + 1))}) {
        Named other("other", header);
        auto transport = looking_for(other.port());
        BOOST_TEST(body_of(send(transport, stock.port())) == "stock", header);
        BOOST_TEST(body_of(send(transport, stock.port(), once)) == "stock", header);
        BOOST_TEST(other.requests == 0, header);
    }
    BOOST_TEST(stock.requests == 10);
}

BOOST_AUTO_TEST_CASE(two_nodes_at_one_address_have_a_memory_each) {
    Named first("first");
    Named second("second");
    Named own("own", beside(second));
    auto transport = looking_for(own.port());
    for (int count = 0; count < 2; ++count) {
        BOOST_TEST(body_of(send(transport, first.port())) == "first");
        BOOST_TEST(body_of(send(transport, second.port())) == "own");
    }
}

BOOST_AUTO_TEST_CASE(what_speaks_no_http_on_our_port_is_asked_once) {
    Named stock("stock");
    ScriptedServer garbage({[](Tcp::socket& socket) {
                                receive_message(socket);
                                loopback::send(socket, "SSH-2.0-x\r\n");
                                receive_all(socket);
                            },
                            [](Tcp::socket& socket) { receive_all(socket); }});
    auto transport = looking_for(garbage.port());
    BOOST_TEST(body_of(send(transport, stock.port(), once)) == "stock");
    BOOST_TEST(body_of(send(transport, stock.port())) == "stock");
    BOOST_TEST(garbage.accepted() == 1U);
}

BOOST_AUTO_TEST_CASE(what_never_answers_on_our_port_costs_conn_timeout_and_not_the_deadline) {
    Named stock("stock");
    const Blackhole dropping;
    boost::asio::io_context io;
    Tcp::acceptor silent(io, endpoint());
    for (const std::uint16_t port : {dropping.port(), silent.local_endpoint().port()}) {
        auto transport = looking_for(port, Seconds{300}, Seconds{0.1});
        const auto begin = SystemClock().monotonic();
        BOOST_TEST(body_of(send(transport, stock.port())) == "stock");
        BOOST_TEST((SystemClock().monotonic() - begin < std::chrono::seconds(20)));
        BOOST_TEST(body_of(send(transport, stock.port())) == "stock");
    }
}

BOOST_AUTO_TEST_CASE(a_deadline_that_cuts_the_question_short_says_nothing_about_the_node) {
    Named stock("stock");
    Named own("own", beside(stock));
    auto transport = looking_for(own.port());
    check_fault(send(transport, stock.port(), request, -1), Error::timed_out,
                where(stock.port()) + "timed out: while connecting");
    BOOST_TEST(body_of(send(transport, stock.port())) == "own");
}

BOOST_AUTO_TEST_CASE(when_our_server_has_gone_the_stock_port_is_asked_at_once) {
    Named stock("stock");
    auto own = std::make_unique<Named>("own", beside(stock));
    auto transport = looking_for(own->port());
    BOOST_TEST(body_of(send(transport, stock.port())) == "own");
    own.reset();
    BOOST_TEST(body_of(send(transport, stock.port(), once)) == "stock");
    BOOST_TEST(body_of(send(transport, stock.port())) == "stock");
}

BOOST_AUTO_TEST_CASE(another_program_in_the_place_of_our_server_is_not_believed) {
    for (const Request& what : {request, once}) {
        Named stock("stock");
        auto own = std::make_unique<Named>("own", beside(stock));
        const std::uint16_t port = own->port();
        auto transport = looking_for(port);
        BOOST_TEST(body_of(send(transport, stock.port())) == "own");
        own.reset();
        Named other("other", {}, port);
        const auto reply = send(transport, stock.port(), what);
        if (what.repeatable) {
            BOOST_TEST(body_of(reply) == "stock");
        } else { // it may have done anything with it
            check_fault(reply, Error::bad_reply,
                        where(port) + "unusable reply: another server answers there");
            BOOST_TEST(stock.requests == 0);
        }
        BOOST_TEST(other.requests == 1);
        BOOST_TEST(body_of(send(transport, stock.port(), once)) == "stock");
    }
}

BOOST_AUTO_TEST_CASE(a_request_lost_at_our_port_does_not_go_to_the_stock_port_as_well) {
    Named stock("stock");
    ScriptedServer dying({[&](Tcp::socket& socket) { pose(socket, beside(stock)); },
                          [](Tcp::socket& socket) { receive_message(socket); }});
    auto transport = looking_for(dying.port());
    const auto reply = send(transport, stock.port(), once);
    BOOST_TEST_REQUIRE(reply.has_error());
    BOOST_TEST(reply.error().code == make_error_code(Error::connection_lost));
    BOOST_TEST(stock.requests == 0);
}

BOOST_AUTO_TEST_CASE(after_a_request_that_timed_out_our_server_is_asked_anew) {
    Named stock("stock");
    ScriptedServer hanging({[&](Tcp::socket& socket) {
                                pose(socket, beside(stock));
                                receive_all(socket); // the request, on the same connection
                            },
                            [&](Tcp::socket& socket) {
                                pose(socket, "somebody else");
                                receive_all(socket);
                            }});
    auto transport = looking_for(hanging.port());
    check_fault(send(transport, stock.port(), request, 1), Error::timed_out,
                where(hanging.port()) + "timed out: no answer within 1 s");
    BOOST_TEST(body_of(send(transport, stock.port())) == "stock");
    BOOST_TEST(hanging.accepted() == 2U);
    transport = BeastTransport();
}

BOOST_AUTO_TEST_CASE(a_page_comes_from_the_port_in_the_ring) {
    BeastServer stock(
        local(), [](const Request&) { return Reply{}; },
        [](std::string_view path) {
            return Reply{200, "application/json", std::string(path), {}};
        });
    Named own("own", http::server_name("container", stock.port()));
    auto transport = looking_for(own.port());
    auto peer = transport.peer(device_at(stock.port()));
    BOOST_TEST(body_of(peer.get("/recon/diskusage", in(30), {})) == "/recon/diskusage");
    const ClosedPort nobody;
    check_fault(transport.peer(device_at(nobody.port())).get("/recon/time", in(30), {}),
                Error::connect_failed, where(nobody.port()) + "cannot connect: Connection refused");
    boost::asio::io_context io;
    Tcp::acceptor silent(io, endpoint());
    const std::uint16_t port = silent.local_endpoint().port();
    check_fault(transport.peer(device_at(port)).get("/recon/time", in(1), {}), Error::timed_out,
                where(port) + "timed out: no answer within 1 s");
}

BOOST_AUTO_TEST_CASE(many_threads_share_a_transport) {
    BeastServer server(local(), [](const Request& got) {
        return Reply{200, "text/plain", got.body, {}};
    });
    BeastOptions options;
    options.max_idle_per_peer = 3;
    BeastTransport transport(options);
    std::atomic<int> right = 0;
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 8; ++thread) {
            threads.emplace_back([&, thread] {
                auto peer = transport.peer(device_at(server.port()));
                Request mine = request;
                for (int count = 0; count < 50; ++count) {
                    mine.body = std::to_string(thread * 1000 + count);
                    mine.repeatable = count % 10 != 0;
                    right += body_of(peer.send(mine, in(30), {})) == mine.body;
                }
            });
        }
    }
    BOOST_TEST(right == 400);
    BOOST_TEST(transport.idle_count() <= 3U);
    BOOST_TEST(transport.idle_count() >= 1U);
}

BOOST_AUTO_TEST_CASE(many_threads_share_what_is_known_of_a_node) {
    Named stock("stock");
    Named own("own", beside(stock));
    auto transport = looking_for(own.port());
    std::atomic<int> right = 0;
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 8; ++thread) {
            threads.emplace_back([&] {
                auto peer = transport.peer(device_at(stock.port()));
                for (int count = 0; count < 50; ++count) {
                    const auto reply = peer.send(count % 10 == 0 ? once : request, in(30), {});
                    right += body_of(reply) == "own";
                }
            });
        }
    }
    BOOST_TEST(right == 400);
    BOOST_TEST(stock.requests == 0);
}

BOOST_AUTO_TEST_CASE(a_stop_reaches_every_waiting_thread) {
    boost::asio::io_context io;
    Tcp::acceptor silent(io, endpoint());
    BeastTransport transport;
    std::stop_source source;
    std::atomic<int> stopped = 0;
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 8; ++thread) {
            threads.emplace_back([&] {
                const auto reply = transport.peer(device_at(silent.local_endpoint().port()))
                                       .send(request, in(50), source.get_token());
                stopped +=
                    reply.has_error() && reply.error().code == make_error_code(Error::stopped);
            });
        }
        SystemClock().sleep_until(in(0.05), {});
        source.request_stop();
    }
    BOOST_TEST(stopped == 8);
}

#ifndef __SANITIZE_ADDRESS__ // which comes with checks that open pipes to look at objects
BOOST_AUTO_TEST_CASE(a_lack_of_descriptors_is_a_fault_and_not_an_exception) {
    Named server("back");
    BeastTransport transport;
    rlimit before{};
    BOOST_TEST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit none = before;
    none.rlim_cur = 0;
    BOOST_TEST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const auto reply = send(transport, server.port());
    BOOST_TEST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    BOOST_TEST_REQUIRE(reply.has_error());
    BOOST_TEST(reply.error().code == make_error_code(Error::connect_failed));
    BOOST_TEST(reply.error().what.find("Too many open files") != std::string::npos,
               reply.error().what);
    BOOST_TEST(body_of(send(transport, server.port())) == "back");
}
#endif
