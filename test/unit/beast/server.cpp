#include <replica/beast/server.hpp>

#define BOOST_TEST_MODULE beast_server
#include <boost/test/unit_test.hpp>

#include <support/loopback.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

using namespace replica;
using namespace loopback;

namespace {

const std::string plain = "text/plain";

ServerOptions local() {
    ServerOptions options;
    options.ip = "127.0.0.1";
    return options;
}

Reply yes(const Request&) {
    return {200, plain, "yes", {}};
}

// Backoff handlers back until it is opened.
class Gate {
public:
    Reply pass(const Request& request) {
        std::unique_lock lock(mutex_);
        ++waiting_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return open_; });
        return {200, plain, request.body, {}};
    }

    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }

    void await(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_ >= count; });
    }

    int waiting() {
        const std::lock_guard lock(mutex_);
        return waiting_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int waiting_ = 0;
    bool open_ = false;
};

// Devices whose name begins with "hung" do not answer until the gate is opened.
auto disks(Gate& gate) {
    return [&gate](const Request& request) {
        return request.device.starts_with("hung") ? gate.pass(request) : yes(request);
    };
}

// Sends `count` requests to a device, each on a connection of its own.
void ask(std::list<RawClient>& clients, const BeastServer& server, const std::string& device,
         int count) {
    for (int i = 0; i < count; ++i) {
        clients.emplace_back(server.port()).send(request_text("[]", {}, '/' + device + "/906/"));
    }
}

// How many have been answered while the gate is closed: those were turned away.
std::ptrdiff_t answered(std::list<RawClient>& clients) {
    return std::ranges::count_if(clients,
                                 [](RawClient& client) { return client.socket.available() > 0; });
}

std::string failure_of(const ServerOptions& options) {
    try {
        BeastServer server(options, yes);
    } catch (const Failure& failure) {
        BOOST_TEST((failure.error() == Error::bad_config));
        return failure.what();
    }
    return {};
}

struct NotARequestHandler {
    int operator()(const std::string&);
};
static_assert(RequestHandler<Reply (*)(const Request&)>);
static_assert(!RequestHandler<NotARequestHandler>);
static_assert(!RequestHandler<int>);

} // namespace

BOOST_AUTO_TEST_CASE(any_free_port_is_taken_and_told) {
    BeastServer server(local(), yes);
    BOOST_TEST(server.port() != 0);
    BOOST_TEST(server.address() == "127.0.0.1:" + std::to_string(server.port()));
    RawClient client(server.port());
    BOOST_TEST(client.exchange(request_text("[]")).ends_with("yes"));
}

BOOST_AUTO_TEST_CASE(a_port_in_use_is_a_bad_configuration_that_names_it) {
    BeastServer server(local(), yes);
    ServerOptions second = local();
    second.port = server.port();
    const std::string text = failure_of(second);
    BOOST_TEST(text.starts_with(server.address() + ": address already in use"), text);
    RawClient client(server.port()); // the first one is none the worse for it
    BOOST_TEST(client.exchange(request_text("[]")).ends_with("yes"));
}

BOOST_AUTO_TEST_CASE(an_address_that_is_none_or_not_ours_is_a_bad_configuration) {
    ServerOptions options;
    for (const char* ip : {"", "localhost", "300.1.1.1", "127.0.0.1:80"}) {
        options.ip = ip;
        BOOST_TEST(failure_of(options).find(": not an IP address") != std::string::npos, ip);
    }
    options.ip = "192.0.2.1"; // reserved for documentation
    BOOST_TEST(failure_of(options).starts_with("192.0.2.1:0: "));
}

BOOST_AUTO_TEST_CASE(a_port_can_be_served_again_after_a_stop) {
    ServerOptions options = local();
    {
        BeastServer server(options, yes);
        options.port = server.port();
        RawClient client(server.port());
        BOOST_TEST(client.exchange(request_text("[]")).ends_with("yes"));
    }
    BeastServer again(options, yes);
    RawClient client(again.port());
    BOOST_TEST(client.exchange(request_text("[]")).ends_with("yes"));
}

BOOST_AUTO_TEST_CASE(a_handler_may_be_movable_only) {
    auto text = std::make_unique<std::string>("moved");
    BeastServer server(local(), [text = std::move(text)](const Request&) {
        return Reply{200, plain, *text, {}};
    });
    RawClient client(server.port());
    BOOST_TEST(client.exchange(request_text("[]")).ends_with("moved"));
}

BOOST_AUTO_TEST_CASE(an_exception_is_a_500_and_the_server_goes_on) {
    BeastServer server(local(), [](const Request& request) -> Reply {
        if (request.body == "1") {
            throw std::runtime_error("the disk is on fire\r\n" + std::string(5000, 'x'));
        }
        if (request.body == "2") {
            throw 2;
        }
        return {200, plain, "fine", {}};
    });
    RawClient client(server.port());
    const std::string first = client.exchange(request_text("1"));
    BOOST_TEST(first.starts_with("HTTP/1.1 500 Internal Error\r\n"));
    BOOST_TEST(first.find("\r\n\r\nInternal error: the disk is on fire") != std::string::npos);
    BOOST_TEST(first.size() < 500U);
    BOOST_TEST(client.exchange(request_text("2")).ends_with("\r\n\r\nInternal error"));
    BOOST_TEST(client.exchange(request_text("3")).ends_with("fine"));
}

BOOST_AUTO_TEST_CASE(pages_are_served_to_get_where_there_is_a_handler_for_them) {
    BeastServer server(local(), yes, [](std::string_view path) -> Reply {
        if (path == "/recon/version") {
            return {200, "application/json", R"({"version": "1"})", {}};
        }
        throw std::runtime_error(std::string(path));
    });
    RawClient client(server.port());
    BOOST_TEST(
        client.exchange("GET /recon/version?x HTTP/1.1\r\n\r\n").ends_with(R"({"version": "1"})"));
    BOOST_TEST(client.exchange("GET /%41 HTTP/1.1\r\n\r\n").ends_with("Internal error: /%41"));
    BOOST_TEST(client.exchange("OPTIONS * HTTP/1.1\r\n\r\n")
                   .find("\r\nAllow: GET, OPTIONS, REPLICATE\r\n") != std::string::npos);
    BOOST_TEST(client.exchange(request_text("[]")).ends_with("yes"));
}

BOOST_AUTO_TEST_CASE(a_server_with_a_name_says_it_in_every_reply) {
    ServerOptions options = local();
    options.name = "container-server/0.1.0 (replica of 6201)";
    BeastServer server(options, yes);
    RawClient client(server.port());
    for (const std::string& text :
         {request_text("[]"), request_text("[]", {}, "/sdb1"),
          std::string("OPTIONS / HTTP/1.1\r\n\r\n"), std::string("GET / HTTP/1.1\r\n\r\n")}) {
        const std::string reply = client.exchange(text);
        BOOST_TEST(reply.find("\r\nServer: " + options.name + "\r\n") != std::string::npos, reply);
    }
    BeastServer nameless(local(), yes);
    RawClient other(nameless.port());
    BOOST_TEST(other.exchange(request_text("[]")).find("Server:") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(slow_connections_hold_no_worker) {
    ServerOptions options = local();
    options.workers = 1;
    BeastServer server(options, yes);
    std::list<RawClient> slow;
    for (int count = 0; count < 30; ++count) {
        slow.emplace_back(server.port())
            .send("REPLICATE /sdb1/906/" + hash + " HTTP/1.1\r\nContent-Length: 9\r\n\r\n[");
    }
    RawClient quick(server.port());
    BOOST_TEST(quick.exchange(request_text("[]")).ends_with("yes"));
    for (RawClient& client : slow) {
        client.send("1, 2, 3]");
        BOOST_TEST(client.receive().ends_with("yes"));
    }
}

BOOST_AUTO_TEST_CASE(as_many_handlers_are_at_work_as_there_are_workers) {
    ServerOptions options = local();
    options.workers = 3;
    Gate gate;
    BeastServer server(options, [&](const Request& request) { return gate.pass(request); });
    std::list<RawClient> clients;
    for (int count = 0; count < 6; ++count) { // a device alone may have one of three
        clients.emplace_back(server.port())
            .send(request_text(std::to_string(count), {},
                               "/sdb" + std::to_string(count % 3) + "/906/"));
    }
    gate.await(3);
    gate.open();
    for (int count = 0; RawClient & client : clients) {
        BOOST_TEST(client.receive().ends_with("\r\n\r\n" + std::to_string(count++)));
    }
}

BOOST_AUTO_TEST_CASE(too_many_requests_are_turned_away_and_may_come_again) {
    ServerOptions options = local();
    options.workers = 1;
    options.max_requests = 1;
    Gate gate;
    BeastServer server(options, [&](const Request& request) { return gate.pass(request); });
    RawClient working(server.port());
    working.send(request_text("1"));
    gate.await(1);
    RawClient refused(server.port());
    const std::string reply = refused.exchange(request_text("2"));
    BOOST_TEST(reply.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), reply);
    gate.open();
    BOOST_TEST(working.receive().ends_with("\r\n\r\n1"));
    BOOST_TEST(refused.exchange(request_text("3")).ends_with("\r\n\r\n3")); // still connected
}

BOOST_AUTO_TEST_CASE(two_devices_that_hang_leave_room_for_a_healthy_one_and_for_pages) {
    Gate gate;
    BeastServer server(local(), disks(gate), [](std::string_view) {
        return Reply{200, plain, "OK", {}};
    });
    std::list<RawClient> hung;
    ask(hung, server, "hung1", 40);
    ask(hung, server, "hung2", 40);
    BOOST_TEST(eventually([&] { return answered(hung) >= 16; }));
    RawClient client(server.port());
    for (int count = 0; count < 20; ++count) {
        const std::string healthy = client.exchange(request_text("[]"));
        BOOST_TEST(healthy.ends_with("yes"), healthy);
    }
    const std::string page = client.exchange("GET /healthcheck HTTP/1.1\r\n\r\n");
    BOOST_TEST(page.ends_with("OK"), page);
    BOOST_TEST(answered(hung) == 16); // a device may have 32, more is turned away
    gate.open();
}

BOOST_AUTO_TEST_CASE(many_devices_that_hang_hold_a_healthy_one_up_for_a_moment_at_most) {
    ServerOptions options = local();
    options.late = Seconds{0.1};
    Gate gate;
    BeastServer server(options, disks(gate));
    std::list<RawClient> hung;
    for (int device = 0; device < 25; ++device) {
        ask(hung, server, "hung" + std::to_string(device), 4);
    }
    RawClient client(server.port());
    for (int count = 0; count < 20; ++count) {
        const std::string reply = client.exchange(request_text("[]"));
        BOOST_TEST(reply.ends_with("yes"), reply);
    }
    gate.await(100); // none of those is forgotten, each has a thread
    BOOST_TEST(answered(hung) == 0);
    gate.open();
}

BOOST_AUTO_TEST_CASE(many_names_of_devices_take_no_more_than_there_is) {
    ServerOptions options = local();
    options.late = Seconds{0.05};
    options.max_requests = 40;
    Gate gate;
    std::atomic<int> heard = 0;
    options.on_busy = [&](const std::string& device) { heard += device.starts_with("hung"); };
    BeastServer server(options, disks(gate));
    std::list<RawClient> hung;
    for (int device = 0; device < 100; ++device) {
        ask(hung, server, "hung" + std::to_string(device), 1);
    }
    BOOST_TEST(eventually([&] { return answered(hung) >= 60; }));
    gate.await(40);
    BOOST_TEST(answered(hung) == 60);
    BOOST_TEST(heard == 60);
    BOOST_TEST(gate.waiting() == 40);
    gate.open();
    for (RawClient& each : hung) { // whoever was turned away is still connected, and may come again
        const std::string reply = each.receive();
        BOOST_TEST((reply.ends_with("[]") || reply.ends_with(" is busy")), reply);
    }
    BOOST_TEST(hung.back().exchange(request_text("[]")).ends_with("yes"));
}

BOOST_AUTO_TEST_CASE(a_page_that_waits_for_a_disk_holds_no_other_page_up) {
    Gate gate;
    BeastServer server(local(), yes, [&](std::string_view path) {
        return path == "/recon/diskusage" ? gate.pass({}) : Reply{200, plain, "OK", {}};
    });
    std::list<RawClient> hung;
    for (int count = 0; count < 20; ++count) {
        hung.emplace_back(server.port()).send("GET /recon/diskusage HTTP/1.1\r\n\r\n");
    }
    BOOST_TEST(eventually([&] { return answered(hung) >= 4; })); // of one page sixteen may wait
    RawClient client(server.port());
    BOOST_TEST(client.exchange("GET /healthcheck HTTP/1.1\r\n\r\n").ends_with("OK"));
    BOOST_TEST(client.exchange(request_text("[]")).ends_with("yes"));
    gate.open();
}

BOOST_AUTO_TEST_CASE(requests_at_work_do_not_use_up_the_room_for_connections) {
    ServerOptions options = local();
    options.max_connections = 2;
    Gate gate;
    BeastServer server(options, disks(gate));
    std::list<RawClient> hung;
    for (int count = 0; count < 6; ++count) { // one after the other: the room is for two
        ask(hung, server, "hung" + std::to_string(count), 1);
        BOOST_TEST(eventually([&] { return gate.waiting() > count || answered(hung) > 0; }));
    }
    BOOST_TEST(answered(hung) == 0);
    RawClient client(server.port());
    const std::string reply = client.exchange(request_text("[]"));
    BOOST_TEST(reply.ends_with("yes"), reply);
    gate.open();
    for (RawClient& each : hung) {
        BOOST_TEST(each.receive().ends_with("[]"));
    }
}

BOOST_AUTO_TEST_CASE(the_longest_idle_connection_makes_room_for_a_new_one) {
    ServerOptions options = local();
    options.max_connections = 3;
    BeastServer server(options, yes);
    std::list<RawClient> clients;
    for (int count = 0; count < 3; ++count) {
        BOOST_TEST(
            clients.emplace_back(server.port()).exchange(request_text("[]")).ends_with("yes"));
    }
    RawClient& first = clients.front();
    BOOST_TEST(first.exchange(request_text("[]")).ends_with("yes")); // the second is idle longest
    RawClient fourth(server.port());
    BOOST_TEST(fourth.exchange(request_text("[]")).ends_with("yes"));
    BOOST_TEST(std::next(clients.begin())->receive_all() == "");
    BOOST_TEST(first.exchange(request_text("[]")).ends_with("yes"));
    BOOST_TEST(clients.back().exchange(request_text("[]")).ends_with("yes"));
}

BOOST_AUTO_TEST_CASE(where_all_connections_are_busy_a_new_one_is_refused) {
    ServerOptions options = local();
    options.max_connections = 2;
    BeastServer server(options, yes);
    const std::string request = request_text("[]", "Expect: 100-continue\r\n");
    std::list<RawClient> busy;
    for (int count = 0; count < 2; ++count) { // invited: the server reads
        busy.emplace_back(server.port()).send(request.substr(0, request.size() - 2));
        BOOST_TEST(busy.back().receive() == "HTTP/1.1 100 Continue\r\n\r\n");
    }
    RawClient refused(server.port());
    refused.send(request_text("[]"));
    const std::string reply = refused.receive();
    BOOST_TEST(reply.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), reply);
    BOOST_TEST(reply.find("\r\nConnection: close\r\n") != std::string::npos);
    for (RawClient& client : busy) {
        BOOST_TEST(client.exchange("[]").ends_with("yes"));
    }
}

BOOST_AUTO_TEST_CASE(a_stop_closes_what_is_idle_and_refuses_what_is_new) {
    BeastServer server(local(), yes);
    RawClient idle(server.port());
    RawClient used(server.port());
    BOOST_TEST(used.exchange(request_text("[]")).ends_with("yes"));
    BOOST_TEST(server.stop(Seconds{30}));
    BOOST_TEST(idle.receive_all() == "");
    BOOST_TEST(used.receive_all() == "");
    BOOST_CHECK_THROW(RawClient{server.port()}, boost::system::system_error);
    BOOST_TEST(server.stop(Seconds{30})); // again: nothing to do
}

BOOST_AUTO_TEST_CASE(a_stop_lets_a_request_at_work_be_answered) {
    Gate gate;
    BeastServer server(local(), [&](const Request& request) { return gate.pass(request); });
    RawClient client(server.port());
    client.send(request_text("last"));
    gate.await(1);
    bool clean = false;
    std::jthread stopper([&] { clean = server.stop(Seconds{50}); });
    // Once nobody is let in any more the stop has begun.
    BOOST_TEST(eventually([&] {
        boost::asio::io_context io;
        Tcp::socket probe(io);
        boost::system::error_code code;
        probe.connect(endpoint(server.port()), code);
        return code == boost::asio::error::connection_refused;
    }));
    gate.open();
    const std::string reply = client.receive_all();
    BOOST_TEST(reply.ends_with("last"));
    BOOST_TEST(reply.find("\r\nConnection: close\r\n") != std::string::npos);
    stopper.join();
    BOOST_TEST(clean);
}

BOOST_AUTO_TEST_CASE(a_stop_cuts_off_what_outlasts_its_bound) {
    Gate gate;
    ServerOptions options = local();
    options.workers = 1;
    BeastServer server(options, [&](const Request& request) { return gate.pass(request); });
    RawClient at_work(server.port());
    at_work.send(request_text("1"));
    gate.await(1);
    RawClient queued(server.port());
    queued.send(request_text("2"));
    RawClient half(server.port());
    half.send("REPLICATE /");
    const auto begin = SystemClock().monotonic();
    BOOST_TEST(!server.stop(Seconds{0.1}));
    BOOST_TEST((SystemClock().monotonic() - begin < std::chrono::seconds(20)));
    BOOST_TEST(at_work.receive_all() == "");
    BOOST_TEST(queued.receive_all() == "");
    BOOST_TEST(half.receive_all() == "");
    gate.open(); // the destructor waits for the handler
}

BOOST_AUTO_TEST_CASE(many_clients_at_once_each_get_their_own_answers) {
    BeastServer server(local(), [](const Request& request) {
        return Reply{200, plain, request.body, {}};
    });
    std::atomic<int> right = 0;
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 8; ++thread) {
            threads.emplace_back([&, thread] {
                RawClient client(server.port());
                for (int count = 0; count < 50; ++count) {
                    const std::string body = std::to_string(thread * 1000 + count);
                    right += client.exchange(request_text(body)).ends_with("\r\n\r\n" + body);
                }
            });
        }
    }
    BOOST_TEST(right == 400);
}
