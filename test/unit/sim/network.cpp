#include <replica/sim/network.hpp>

#define BOOST_TEST_MODULE sim_network
#include <replica/sim/transport.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

using namespace replica;

// What each fault does to a sender is tried in sim_transport.cpp; here, whom a rule is for and when
// it is used up.

namespace {

Request request_of(const std::string& verb) {
    return {"sdb1", "906", "e28c", "[\"" + verb + "\"]", true};
}

/// A network with one receiver, and senders of any name.
struct Place {
    Place() {
        network.serve("10.0.0.2", 6201, [this](const Request& request) {
            reached.push_back(SimNetwork::verb_of(request.body));
            return Reply{200, "text/plain", "done", ""};
        });
    }

    Result<Reply> send(const std::string& verb = "sync", const std::string& from = "one",
                       std::uint16_t port = 6201) {
        Device device;
        device.replication_ip = "10.0.0.2";
        device.replication_port = port;
        auto peer = SimTransport(network, clock, from).peer(device);
        return peer.send(request_of(verb), clock.monotonic() + to_duration(Seconds(10)), {});
    }

    bool fails(const std::string& verb = "sync", const std::string& from = "one") {
        return send(verb, from).has_error();
    }

    SimNetwork network;
    SimClock clock;
    std::vector<std::string> reached;
};

} // namespace

BOOST_AUTO_TEST_CASE(an_address_is_ip_and_port) {
    BOOST_TEST(SimNetwork::address("10.0.0.2", 6201) == "10.0.0.2:6201");
    BOOST_TEST(SimNetwork::address("::1", 65535) == "::1:65535");
}

BOOST_AUTO_TEST_CASE(the_verb_is_the_first_string_of_a_body_if_it_has_one) {
    BOOST_TEST(SimNetwork::verb_of(R"(["sync", 1, "x"])") == "sync");
    BOOST_TEST(SimNetwork::verb_of(R"([1, "x"])") == "x");
    BOOST_TEST(SimNetwork::verb_of(R"([""])").empty());
    for (const char* body : {"", "[]", "not JSON", R"(["never ends)", R"(")"}) {
        BOOST_TEST(SimNetwork::verb_of(body).empty(), body);
    }
}

BOOST_AUTO_TEST_CASE(copies_are_the_same_network) {
    Place place;
    const SimNetwork copy = place.network;
    copy.fail({}, SimFault::refuse);
    BOOST_TEST(place.fails());
    BOOST_TEST(copy.log().size() == 1U);
    place.network.clear_log();
    BOOST_TEST(copy.log().empty());
}

BOOST_AUTO_TEST_CASE(each_port_of_an_address_is_a_receiver_and_the_last_to_listen_is_it) {
    Place place;
    place.network.serve("10.0.0.2", 6202, [](const Request&) {
        return Reply{202, "text/plain", "other", ""};
    });
    BOOST_TEST(place.send()->status == 200);
    BOOST_TEST(place.send("sync", "one", 6202)->status == 202);
    BOOST_TEST(place.send("sync", "one", 6203).has_error());
    place.network.down("10.0.0.2", 6202);
    BOOST_TEST(place.send()->status == 200);
    place.network.serve("10.0.0.2", 6201, [](const Request&) { return Reply{204, "", "", ""}; });
    BOOST_TEST(place.send()->status == 204);
    BOOST_TEST(place.reached.size() == 2U);
}

// ---- Rules.

BOOST_AUTO_TEST_CASE(a_rule_with_no_field_is_for_all_and_each_field_narrows_it) {
    const std::vector<SimLink> fitting{{},
                                       {"one", "", ""},
                                       {"", "10.0.0.2:6201", ""},
                                       {"", "", "sync"},
                                       {"one", "10.0.0.2:6201", "sync"}};
    const std::vector<SimLink> others{
        {"on", "", ""},           {"two", "10.0.0.2:6201", "sync"}, {"", "10.0.0.2", ""},
        {"", "10.0.0.2:620", ""}, {"one", "10.0.0.2:6201", "syn"},  {"", "", "merge_syncs"}};
    for (const SimLink& link : fitting) {
        Place place;
        place.network.fail(link, SimFault::refuse);
        BOOST_TEST(place.fails());
    }
    for (const SimLink& link : others) {
        Place place;
        place.network.fail(link, SimFault::refuse, 0);
        BOOST_TEST(!place.fails());
    }
}

BOOST_AUTO_TEST_CASE(a_rule_is_used_up_by_the_requests_that_it_is_for) {
    Place place;
    place.network.fail({"", "", "sync"}, SimFault::refuse, 2);
    BOOST_TEST(place.fails());
    BOOST_TEST(!place.fails("merge_items"));
    BOOST_TEST(place.fails("sync", "two"));
    BOOST_TEST(!place.fails());
}

BOOST_AUTO_TEST_CASE(a_rule_for_ever_ends_when_the_network_heals) {
    Place place;
    place.network.fail({}, SimFault::refuse, 0);
    place.network.answer({}, {507, "", "", ""}, 0);
    place.network.delay({}, Seconds(1));
    for (int i = 0; i < 5; ++i) {
        BOOST_TEST(place.fails());
    }
    const Instant before = place.clock.monotonic();
    place.network.heal();
    BOOST_TEST(place.send()->status == 200);
    BOOST_TEST((place.clock.monotonic() == before));
}

BOOST_AUTO_TEST_CASE(of_two_rules_that_fit_the_older_is_used_first_and_alone) {
    Place place;
    place.network.answer({"", "", "sync"}, {507, "", "", ""});
    place.network.fail({}, SimFault::refuse);
    BOOST_TEST(place.send()->status == 507);
    BOOST_TEST(place.fails());
    BOOST_TEST(place.send()->status == 200);
}

BOOST_AUTO_TEST_CASE(any_status_can_be_answered_and_is_a_reply) {
    Place place;
    place.network.answer({}, {404, "text/html", "none", "Not Found"});
    const auto reply = place.send();
    BOOST_TEST(reply->status == 404);
    BOOST_TEST(reply->content_type == "text/html");
    BOOST_TEST(reply->body == "none");
    BOOST_TEST(reply->reason == "Not Found");
    BOOST_TEST(place.reached.empty());
}

BOOST_AUTO_TEST_CASE(a_machine_that_is_off_stays_off_until_it_is_switched_on) {
    Place place;
    place.network.down("10.0.0.2", 6201);
    place.network.down("10.0.0.2", 6201); // twice is off once
    place.network.heal();
    BOOST_TEST(place.fails());
    place.network.up("10.0.0.2", 6201);
    BOOST_TEST(!place.fails());
    place.network.up("10.0.0.2", 6201);
    place.network.up("10.0.0.9", 6201); // nobody knows it: nothing happens
    BOOST_TEST(!place.fails());
}

// ---- Hooks and the log.

BOOST_AUTO_TEST_CASE(a_request_that_never_arrives_is_not_announced_but_is_in_the_log) {
    Place place;
    int arrived = 0;
    int ended = 0;
    place.network.before([&](const SimExchange&, const Request&) { ++arrived; });
    place.network.after([&](const SimExchange&, const Request&) { ++ended; });
    place.network.fail({}, SimFault::refuse);
    place.network.fail({}, SimFault::silent);
    place.network.answer({}, {507, "", "", ""});
    for (int i = 0; i < 3; ++i) {
        static_cast<void>(place.send());
    }
    BOOST_TEST(arrived == 0);
    BOOST_TEST(ended == 3);
    place.network.fail({}, SimFault::duplicate); // arrives twice, ends once
    BOOST_TEST(!place.fails());
    BOOST_TEST(arrived == 2);
    BOOST_TEST(ended == 4);
    const auto log = place.network.log();
    BOOST_TEST_REQUIRE(log.size() == 4U);
    BOOST_TEST((log[0].error == Error::connect_failed));
    BOOST_TEST((log[1].error == Error::timed_out));
    BOOST_TEST(log[2].status == 507);
    BOOST_TEST((log[3] == SimExchange{"one", "10.0.0.2:6201", "sdb1", "sync", 200, Error{}}));
}

BOOST_AUTO_TEST_CASE(a_hook_lasts_until_it_is_taken_away_and_not_only_until_the_network_heals) {
    Place place;
    int seen = 0;
    const auto count = [&](const SimExchange&, const Request&) { ++seen; };
    place.network.before(count);
    place.network.after(count);
    place.network.heal();
    BOOST_TEST(!place.fails());
    BOOST_TEST(seen == 2);
    place.network.before({});
    place.network.after({});
    BOOST_TEST(!place.fails());
    BOOST_TEST(seen == 2);
}

BOOST_AUTO_TEST_CASE(a_handler_and_both_hooks_may_change_the_network_that_calls_them) {
    Place place;
    const auto break_it = [&](const SimExchange&, const Request&) {
        place.network.fail({"", "", "never"}, SimFault::refuse);
        place.network.before({}); // even themselves
        place.network.after({});
        static_cast<void>(place.network.log());
    };
    place.network.before(break_it);
    BOOST_TEST(!place.fails());
    place.network.after(break_it);
    BOOST_TEST(!place.fails());
    place.network.serve("10.0.0.2", 6201, [&](const Request&) {
        place.network.serve("10.0.0.2", 6201, {}); // stops listening, and ends its own function
        return Reply{200, "", "last words", ""};
    });
    BOOST_TEST(place.send()->body == "last words");
    BOOST_TEST(place.fails());
}

BOOST_AUTO_TEST_CASE(an_exchange_of_a_handler_ends_before_that_which_it_is_part_of) {
    Place place;
    place.network.serve("10.0.0.2", 6202, [&](const Request&) {
        static_cast<void>(place.send("inner", "two"));
        return Reply{200, "", "", ""};
    });
    BOOST_TEST(place.send("outer", "one", 6202).has_value());
    const auto log = place.network.log();
    BOOST_TEST_REQUIRE(log.size() == 2U);
    BOOST_TEST(log[0].verb == "inner");
    BOOST_TEST(log[1].verb == "outer");
}

BOOST_AUTO_TEST_CASE(many_threads_use_a_rule_up_exactly_and_no_exchange_is_missing_in_the_log) {
    constexpr int threads = 4;
    constexpr int each = 200;
    const SimNetwork network;
    std::atomic<int> reached = 0;
    network.serve("10.0.0.2", 6201, [&](const Request&) {
        ++reached;
        return Reply{200, "", "", ""};
    });
    network.fail({}, SimFault::refuse, threads * each / 2);
    {
        std::vector<std::jthread> senders;
        for (int i = 0; i < threads; ++i) {
            senders.emplace_back([&network] {
                const SimClock clock;
                Device device;
                device.replication_ip = "10.0.0.2";
                device.replication_port = 6201;
                auto peer = SimTransport(network, clock, "one").peer(device);
                for (int n = 0; n < each; ++n) {
                    static_cast<void>(peer.send(request_of("sync"),
                                                clock.monotonic() + to_duration(Seconds(1)), {}));
                }
            });
        }
    }
    BOOST_TEST(reached == threads * each / 2);
    BOOST_TEST(network.log().size() == std::size_t{threads} * each);
}
