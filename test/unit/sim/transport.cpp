#include <replica/sim/transport.hpp>

#define BOOST_TEST_MODULE sim_transport
#include <boost/test/unit_test.hpp>

#include <laws/transport.hpp>

#include <string>
#include <vector>

using namespace replica;

namespace {

Device device_at(const std::string& ip, std::uint16_t port = 6201) {
    Device device;
    device.replication_ip = ip;
    device.replication_port = port;
    device.device = "sdb1";
    return device;
}

/// What laws/transport.hpp asks for.
struct Fixture {
    SimTransport transport() { return {network, clock, "me"}; }

    Device serve(laws::Serve handler) {
        const Device device = nobody();
        network.serve(device.replication_ip, device.replication_port, std::move(handler));
        return device;
    }

    Device silent() {
        const Device device = serve([](const Request&) { return Reply{200, "", "", ""}; });
        network.fail({"", SimNetwork::address(device.replication_ip, 6201), ""}, SimFault::silent,
                     0);
        return device;
    }

    Device nobody() { return device_at("10.0.0." + std::to_string(++count)); }

    Instant now() { return clock.monotonic(); }
    void run(const std::function<void()>& body) { body(); }

    void stop_after(std::stop_source source, Seconds delay) {
        clock.at(clock.monotonic() + to_duration(delay),
                 [source]() mutable { source.request_stop(); });
    }

    SimNetwork network;
    SimClock clock;
    int count = 0;
};

/// Two nodes; the second counts what it is asked.
struct Pair {
    Pair() {
        network.serve("10.0.0.2", 6201, [this](const Request& request) {
            bodies.push_back(request.body);
            return Reply{200, "text/plain", "answer " + std::to_string(bodies.size()), ""};
        });
    }

    Result<Reply> send(const std::string& body = R"(["sync", 1])", Seconds patience = Seconds(10)) {
        auto peer = SimTransport(network, clock, "one").peer(device_at("10.0.0.2"));
        return peer.send({"sdb1", "906", "e28c", body, true},
                         clock.monotonic() + to_duration(patience), {});
    }

    Seconds elapsed() const { return clock.monotonic() - start; }

    SimNetwork network;
    SimClock clock;
    Instant start = clock.monotonic();
    std::vector<std::string> bodies;
};

boost::system::error_code code_of(const Result<Reply>& reply) {
    BOOST_REQUIRE(reply.has_error());
    BOOST_TEST_MESSAGE("  " << reply.error().what);
    BOOST_TEST(reply.error().what.find("10.0.0.2:6201/sdb1") != std::string::npos);
    return reply.error().code;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_simulated_transport_obeys_the_laws) {
    Fixture fixture;
    laws::transport(fixture);
}

BOOST_AUTO_TEST_CASE(an_exchange_takes_no_time_unless_told_to) {
    Pair pair;
    BOOST_TEST(pair.send()->body == "answer 1");
    BOOST_TEST(pair.elapsed().count() == 0);
    pair.network.delay({}, Seconds(0.25));
    pair.network.delay({"one", "10.0.0.2:6201", "sync"}, Seconds(0.5));
    pair.network.delay({"", "", "merge_items"}, Seconds(100));
    BOOST_TEST(pair.send()->body == "answer 2");
    BOOST_TEST(pair.elapsed().count() == 0.75);
    pair.network.heal();
    BOOST_TEST(pair.send().has_value());
    BOOST_TEST(pair.elapsed().count() == 0.75);
}

BOOST_AUTO_TEST_CASE(a_machine_that_is_off_costs_the_time_to_connect) {
    Pair pair;
    pair.network.down("10.0.0.2", 6201);
    BOOST_TEST(code_of(pair.send()) == make_error_code(Error::connect_failed));
    BOOST_TEST(pair.elapsed().count() == 0.5);
    BOOST_TEST(code_of(pair.send("[]", Seconds(0.1))) == make_error_code(Error::connect_failed));
    BOOST_TEST(pair.elapsed().count() == 0.6, boost::test_tools::tolerance(1e-6));
    pair.network.heal(); // does not switch it on
    BOOST_TEST(pair.send().has_error());
    pair.network.up("10.0.0.2", 6201);
    BOOST_TEST(pair.send().has_value());
    BOOST_TEST(pair.bodies.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_refused_connection_reaches_nobody_and_costs_nothing) {
    Pair pair;
    pair.network.fail({}, SimFault::refuse);
    BOOST_TEST(code_of(pair.send()) == make_error_code(Error::connect_failed));
    BOOST_TEST(pair.bodies.empty());
    BOOST_TEST(pair.elapsed().count() == 0);
    pair.network.serve("10.0.0.2", 6201, {}); // stops listening
    BOOST_TEST(code_of(pair.send()) == make_error_code(Error::connect_failed));
}

BOOST_AUTO_TEST_CASE(a_lost_reply_is_a_request_that_was_done) {
    Pair pair;
    pair.network.fail({}, SimFault::lose_reply);
    BOOST_TEST(code_of(pair.send()) == make_error_code(Error::connection_lost));
    BOOST_TEST(pair.bodies.size() == 1U);
    pair.network.fail({}, SimFault::late_reply);
    BOOST_TEST(code_of(pair.send()) == make_error_code(Error::timed_out));
    BOOST_TEST(pair.bodies.size() == 2U);
    BOOST_TEST(pair.elapsed().count() == 10);
    BOOST_TEST(pair.send()->body == "answer 3");
}

BOOST_AUTO_TEST_CASE(a_duplicate_is_done_twice_and_answered_once) {
    Pair pair;
    pair.network.fail({}, SimFault::duplicate);
    BOOST_TEST(pair.send()->body == "answer 2");
    BOOST_TEST(pair.bodies.size() == 2U);
    BOOST_TEST(pair.network.log().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_request_slower_than_its_deadline_arrives_after_the_sender_gave_up) {
    Pair pair;
    pair.network.delay({}, Seconds(15));
    BOOST_TEST(code_of(pair.send()) == make_error_code(Error::timed_out));
    BOOST_TEST(pair.elapsed().count() == 10);
    BOOST_TEST(pair.bodies.empty());
    pair.clock.advance(Seconds(4));
    BOOST_TEST(pair.bodies.empty());
    pair.clock.advance(Seconds(1));
    BOOST_TEST(pair.bodies.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_handler_that_takes_longer_than_the_deadline_is_not_heard) {
    Pair pair;
    pair.network.serve("10.0.0.2", 6201, [&](const Request&) {
        pair.clock.advance(Seconds(11));
        return Reply{200, "", "", ""};
    });
    BOOST_TEST(code_of(pair.send()) == make_error_code(Error::timed_out));
}

BOOST_AUTO_TEST_CASE(a_receiver_that_breaks_down_is_a_broken_connection) {
    Pair pair;
    pair.network.serve("10.0.0.2", 6201, [](const Request&) -> Reply {
        throw Failure(Error::io, "/srv/node/sdb1: power is gone");
    });
    const auto reply = pair.send();
    BOOST_TEST(code_of(reply) == make_error_code(Error::connection_lost));
    BOOST_TEST(reply.error().what.ends_with("power is gone"));
    pair.network.delay({}, Seconds(15));
    BOOST_TEST(code_of(pair.send()) == make_error_code(Error::timed_out));
    pair.clock.advance(Seconds(10)); // the late arrival breaks down alone
}

BOOST_AUTO_TEST_CASE(a_rule_is_for_its_link_and_verb_only) {
    Pair pair;
    pair.network.fail({"two", "", ""}, SimFault::refuse, 0);
    pair.network.fail({"", "10.0.0.3:6201", ""}, SimFault::refuse, 0);
    pair.network.fail({"one", "10.0.0.2:6201", "merge_items"}, SimFault::refuse);
    BOOST_TEST(pair.send().has_value());
    BOOST_TEST(pair.send(R"(["merge_items", [], "id"])").has_error());
    BOOST_TEST(pair.send(R"(["merge_items", [], "id"])").has_value());
}

BOOST_AUTO_TEST_CASE(an_injected_reply_does_not_reach_the_receiver) {
    Pair pair;
    pair.network.answer({"", "", "sync"}, {507, "", "full", ""}, 2);
    BOOST_TEST(pair.send()->status == 507);
    BOOST_TEST(pair.send()->body == "full");
    BOOST_TEST(pair.bodies.empty());
    BOOST_TEST(pair.send()->status == 200);
}

BOOST_AUTO_TEST_CASE(a_page_is_what_the_network_was_told_and_never_a_request) {
    Pair pair;
    pair.network.answer({"", "", "/recon/time"}, {200, "", "1.5", ""});
    const auto get = [&] {
        auto peer = SimTransport(pair.network, pair.clock, "one").peer(device_at("10.0.0.2"));
        return peer.get("/recon/time", pair.clock.monotonic() + to_duration(Seconds(10)), {});
    };
    BOOST_TEST(get()->body == "1.5");
    BOOST_TEST(get()->status == 404);
    BOOST_TEST(pair.bodies.empty());
    pair.network.fail({"", "", "/recon/time"}, SimFault::refuse);
    BOOST_TEST((get().error().code == Error::connect_failed));
}

BOOST_AUTO_TEST_CASE(hooks_run_around_each_call_and_may_send_themselves) {
    Pair pair;
    std::vector<std::string> seen;
    pair.network.before([&](const SimExchange& exchange, const Request& request) {
        seen.push_back("before " + exchange.verb + " " + std::to_string(pair.bodies.size()));
        if (exchange.verb == "sync" && pair.bodies.empty()) {
            BOOST_TEST(request.partition == "906");
            BOOST_TEST(pair.send(R"(["merge_syncs", []])").has_value());
        }
    });
    pair.network.after([&](const SimExchange& exchange, const Request&) {
        seen.push_back("after " + exchange.verb + " " + std::to_string(exchange.status));
    });
    BOOST_TEST(pair.send()->body == "answer 2");
    const std::vector<std::string> expected{"before sync 0", "before merge_syncs 0",
                                            "after merge_syncs 200", "after sync 200"};
    BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_log_tells_who_asked_whom_for_what_and_what_came_of_it) {
    Pair pair;
    BOOST_TEST(pair.send().has_value());
    pair.network.fail({}, SimFault::lose_reply);
    BOOST_TEST(pair.send(R"(["complete_rsync", "id", "x.db"])").has_error());
    BOOST_TEST(pair.send("not JSON").has_value());
    const std::vector<SimExchange> expected{
        {"one", "10.0.0.2:6201", "sdb1", "sync", 200, Error{}},
        {"one", "10.0.0.2:6201", "sdb1", "complete_rsync", 0, Error::connection_lost},
        {"one", "10.0.0.2:6201", "sdb1", "", 200, Error{}}};
    BOOST_TEST((pair.network.log() == expected));
    pair.network.clear_log();
    BOOST_TEST(pair.network.log().empty());
}

BOOST_AUTO_TEST_CASE(a_carrier_has_all_requests_in_its_hands) {
    Pair pair;
    pair.network.fail({}, SimFault::refuse, 0); // rules are not asked
    std::vector<std::string> carried;
    pair.network.carry([&](const SimExchange& exchange, const Request& request,
                           const SimNetwork::Handler& handler, Instant, const std::stop_token&) {
        carried.push_back(exchange.to + ' ' + exchange.verb);
        if (carried.size() == 2) {
            throw Failure(Error::io, "the cable is cut");
        }
        return handler ? Result<Reply>(handler(request)) : Result<Reply>(Reply{599, "", "", ""});
    });
    const auto send = [&](const std::string& ip) {
        Request request;
        request.body = "[\"sync\"]";
        return SimTransport(pair.network, pair.clock, "me")
            .peer(device_at(ip))
            .send(request, Instant::max(), {});
    };
    BOOST_TEST(send("10.0.0.2")->status == 200);
    const auto cut = send("10.0.0.2");
    BOOST_TEST((cut.error().code == make_error_code(Error::connection_lost)));
    BOOST_TEST(cut.error().what.ends_with("the cable is cut"));
    BOOST_TEST(send("10.0.0.9")->status == 599);
    BOOST_TEST((carried == std::vector<std::string>{"10.0.0.2:6201 sync", "10.0.0.2:6201 sync",
                                                    "10.0.0.9:6201 sync"}));
    BOOST_TEST(pair.network.log().size() == 3U);
}
