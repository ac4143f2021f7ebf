#include <replica/decorators.hpp>

#define BOOST_TEST_MODULE decorators
#include <replica/sim/clock.hpp>
#include <replica/sim/network.hpp>
#include <replica/sim/transport.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/transport.hpp>

#include <string>
#include <vector>

using namespace replica;

namespace {

/// Counts what arrives.
struct Server {
    Server() {
        network.serve("10.0.0.2", 6201, [this](const Request&) {
            times.push_back(clock.monotonic());
            return Reply{200, "text/plain", std::to_string(times.size()), ""};
        });
    }

    SimTransport transport() const { return {network, clock, "one"}; }

    Seconds elapsed() const { return clock.monotonic() - start; }

    SimNetwork network;
    SimClock clock;
    Instant start = clock.monotonic();
    std::vector<Instant> times;
};

Device device() {
    Device device;
    device.replication_ip = "10.0.0.2";
    device.replication_port = 6201;
    device.device = "sdb1";
    return device;
}

const Request request{"sdb1", "906", "e28c", R"(["sync"])", true};

template <class T>
Result<Reply> send(T& transport, const SimClock& clock, Seconds patience = Seconds(10),
                   const std::stop_token& stop = {}) {
    auto peer = transport.peer(device());
    return peer.send(request, clock.monotonic() + to_duration(patience), stop);
}

template <class R>
bool failed_with(const R& result, Error error) {
    BOOST_REQUIRE(result.has_error());
    BOOST_TEST_MESSAGE("  " << result.error().what);
    BOOST_TEST(result.error().what.find("10.0.0.2:6201/sdb1") != std::string::npos);
    return result.error().code == error;
}

/// A FileSync that only counts.
struct Counting {
    std::shared_ptr<int> calls = std::make_shared<int>(0);
    Result<Sent> send(const Source auto& /*source*/, const Upload& /*upload*/, Instant /*deadline*/,
                      const std::stop_token& /*stop*/) const {
        return Sent{++*calls};
    }
};

/// The smallest transport and file sync: no state at all.
struct Empty {
    struct To {
        Device to;
        const Device& device() const { return to; }
        Result<Reply> send(const Request&, Instant, const std::stop_token&) const {
            return Reply{200, "", "", ""};
        }
    };
    To peer(const Device& device) const { return {device}; }
    Result<Sent> send(AnySource&, const Upload&, Instant, const std::stop_token&) const {
        return Sent{};
    }
};

struct Ignore {
    void operator()(const Device&, const Request&, const Result<Reply>&) const {}
    void operator()(const Device&, const Upload&, const Result<Sent>&) const {}
};
struct IgnoreReplies {
    void operator()(const Device&, const Request&, const Result<Reply>&) const {}
};

// Each is a model of what it wraps and of nothing else; they nest.
static_assert(Transport<Paced<SimTransport, SimClock>> && !FileSync<Paced<SimTransport, SimClock>>);
static_assert(FileSync<Paced<Counting, SimClock>> && !Transport<Paced<Counting, SimClock>>);
static_assert(Transport<Faulty<SimTransport>> && !FileSync<Faulty<SimTransport>>);
static_assert(FileSync<Faulty<Counting>> && !Transport<Faulty<Counting>>);
static_assert(Transport<Traced<SimTransport, Ignore>>);
static_assert(FileSync<Traced<Counting, Ignore>>);
static_assert(Transport<Traced<Empty, Ignore>> && FileSync<Traced<Empty, Ignore>>);
static_assert(Transport<Traced<Faulty<Paced<SimTransport, SimClock>>, Ignore>>);

// Pages are for those who have them.
static_assert(PagePeer<peer_type_of<Traced<Faulty<Paced<SimTransport, SimClock>>, Ignore>>>);
static_assert(!PagePeer<peer_type_of<Traced<Empty, Ignore>>>);
static_assert(KnowingPeer<peer_type_of<Traced<Faulty<Paced<SimTransport, SimClock>>, Ignore>>>);
static_assert(!KnowingPeer<peer_type_of<Traced<Empty, Ignore>>>);

// A callback must be able to take what passes.
static_assert(TraceOf<IgnoreReplies, SimTransport>);
static_assert(!TraceOf<IgnoreReplies, Counting>);
static_assert(!TraceOf<IgnoreReplies, Empty>);

// What has no state costs no byte.
static_assert(sizeof(Traced<SimTransport, Ignore>) == sizeof(SimTransport));
static_assert(sizeof(Traced<Empty, Ignore>) == 1);

/// Runs the laws on a decorated transport.
template <class T>
struct Fixture {
    T transport() { return decorated; }

    Device serve(laws::Serve handler) {
        const Device device = nobody();
        network.serve(device.replication_ip, device.replication_port, std::move(handler));
        return device;
    }

    Device silent() {
        const Device device = serve([](const Request&) { return Reply{200, "", "", ""}; });
        network.fail({"", SimNetwork::address(device.replication_ip, device.replication_port), ""},
                     SimFault::silent, 0);
        return device;
    }

    Device nobody() {
        Device device;
        device.replication_ip = "10.0.1." + std::to_string(++count);
        device.replication_port = 6201;
        device.device = "sdb" + std::to_string(count);
        return device;
    }

    Instant now() { return clock.monotonic(); }
    void run(const std::function<void()>& body) { body(); }

    void stop_after(std::stop_source source, Seconds delay) {
        clock.at(clock.monotonic() + to_duration(delay),
                 [source]() mutable { source.request_stop(); });
    }

    SimNetwork network;
    SimClock clock;
    T decorated;
    int count = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE(decorated_transports_obey_the_laws) {
    const SimNetwork network;
    const SimClock clock;
    const SimTransport plain(network, clock, "me");
    Fixture<Paced<SimTransport, SimClock>> paced{network, clock, {plain, clock, 1000}};
    laws::transport(paced);
    Fixture<Faulty<SimTransport>> faulty{network, clock, {plain, Failing{}}};
    laws::transport(faulty);
    Fixture<Traced<SimTransport, Ignore>> traced{network, clock, {plain, Ignore{}}};
    laws::transport(traced);
}

// ---- Paced.

BOOST_AUTO_TEST_CASE(requests_keep_their_distance_over_all_peers_and_copies) {
    Server server;
    Paced paced(server.transport(), server.clock, 4.0);
    auto copy = paced;
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(send(paced, server.clock).has_value());
        BOOST_TEST(send(copy, server.clock).has_value());
    }
    BOOST_TEST_REQUIRE(server.times.size() == 6U);
    for (std::size_t i = 1; i < server.times.size(); ++i) {
        BOOST_TEST(Seconds(server.times[i] - server.times[i - 1]).count() == 0.25);
    }
    server.clock.advance(Seconds(100)); // what was not used is not saved up
    BOOST_TEST(send(paced, server.clock).has_value());
    BOOST_TEST(send(paced, server.clock).has_value());
    BOOST_TEST(Seconds(server.times[7] - server.times[6]).count() == 0.25);
}

BOOST_AUTO_TEST_CASE(no_rate_is_no_limit) {
    Server server;
    for (const double rate : {0.0, -1.0}) {
        Paced paced(server.transport(), server.clock, rate);
        for (int i = 0; i < 10; ++i) {
            BOOST_TEST(send(paced, server.clock).has_value());
        }
    }
    BOOST_TEST(server.elapsed().count() == 0);
}

BOOST_AUTO_TEST_CASE(who_cannot_wait_for_his_turn_times_out_and_takes_nobody_elses) {
    Server server;
    Paced paced(server.transport(), server.clock, 0.1);
    BOOST_TEST(send(paced, server.clock).has_value());
    BOOST_TEST(failed_with(send(paced, server.clock, Seconds(3)), Error::timed_out));
    BOOST_TEST(server.elapsed().count() == 3);
    BOOST_TEST(send(paced, server.clock).has_value());
    BOOST_TEST(server.elapsed().count() == 10);
    BOOST_TEST(server.times.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_stop_ends_the_wait_for_a_turn) {
    Server server;
    Paced paced(server.transport(), server.clock, 0.1);
    BOOST_TEST(send(paced, server.clock).has_value());
    std::stop_source stop;
    server.clock.at(server.start + std::chrono::seconds(1), [&stop] { stop.request_stop(); });
    BOOST_TEST(
        failed_with(send(paced, server.clock, Seconds(60), stop.get_token()), Error::stopped));
    BOOST_TEST(server.elapsed().count() == 1);
    BOOST_TEST(server.times.size() == 1U);
}

BOOST_AUTO_TEST_CASE(transfers_are_paced_as_requests_are) {
    const SimClock clock;
    const Instant start = clock.monotonic();
    Paced paced(Counting{}, clock, 0.5);
    AnySource source;
    const Upload upload{device(), "id", false, true};
    for (int i = 1; i <= 3; ++i) {
        BOOST_TEST(paced.send(source, upload, start + std::chrono::hours(1), {})->bytes == i);
    }
    BOOST_TEST((clock.monotonic() == start + std::chrono::seconds(4)));
}

// ---- Faulty.

BOOST_AUTO_TEST_CASE(the_nth_request_fails_and_only_that) {
    Server server;
    Faulty faulty(server.transport(), Failing{.at = 3});
    for (int call = 1; call <= 5; ++call) {
        const auto reply = send(faulty, server.clock);
        BOOST_TEST(reply.has_value() == (call != 3));
    }
    BOOST_TEST(server.times.size() == 4U);
    BOOST_TEST(faulty.calls() == 5U);
}

BOOST_AUTO_TEST_CASE(a_loop_over_n_fails_every_point_of_an_operation) {
    std::vector<std::size_t> arrived;
    for (std::uint64_t n = 1;; ++n) {
        Server server;
        Faulty faulty(server.transport(), Failing{.at = n, .error = Error::peer_failed});
        bool done = true;
        for (int step = 0; done && step < 3; ++step) {
            const auto reply = send(faulty, server.clock);
            done = reply.has_value();
            BOOST_TEST((done || failed_with(reply, Error::peer_failed)));
        }
        arrived.push_back(server.times.size());
        BOOST_TEST(done == (faulty.calls() < n));
        if (done) {
            break;
        }
    }
    const std::vector<std::size_t> expected{0, 1, 2, 3};
    BOOST_TEST(arrived == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_lost_reply_is_a_request_that_was_made) {
    Server server;
    Faulty faulty(server.transport(), Failing{.at = 1, .after = true});
    BOOST_TEST(failed_with(send(faulty, server.clock), Error::connection_lost));
    BOOST_TEST(server.times.size() == 1U);
    BOOST_TEST(send(faulty, server.clock)->body == "2");
}

BOOST_AUTO_TEST_CASE(the_same_seed_fails_the_same_calls_and_about_as_many_as_asked) {
    const auto pattern = [](std::uint64_t seed, double probability) {
        Server server;
        Faulty faulty(server.transport(), Failing{.probability = probability, .seed = seed});
        std::string text;
        for (int i = 0; i < 1000; ++i) {
            text += send(faulty, server.clock).has_value() ? '.' : 'x';
        }
        return text;
    };
    BOOST_TEST(pattern(1, 0.2) == pattern(1, 0.2));
    BOOST_TEST(pattern(1, 0.2) != pattern(2, 0.2));
    const auto failures = std::ranges::count(pattern(1, 0.2), 'x');
    BOOST_TEST(failures > 150);
    BOOST_TEST(failures < 250);
    BOOST_TEST(pattern(1, 0).find('x') == std::string::npos);
    BOOST_TEST(pattern(1, 1).find('.') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(transfers_fail_as_requests_do) {
    const Counting counting;
    Faulty faulty(counting, Failing{.at = 2, .error = Error::transfer_failed});
    AnySource source;
    const Upload upload{device(), "id", false, true};
    BOOST_TEST(faulty.send(source, upload, Instant(), {}).has_value());
    BOOST_TEST(failed_with(faulty.send(source, upload, Instant(), {}), Error::transfer_failed));
    BOOST_TEST(*counting.calls == 1);
}

// ---- Traced.

BOOST_AUTO_TEST_CASE(the_callback_sees_requests_with_their_replies_and_changes_nothing) {
    Server server;
    std::vector<std::string> seen;
    Traced traced(server.transport(),
                  [&seen](const Device& to, const Request& what, const Result<Reply>& reply) {
                      seen.push_back(to.device + ' ' + what.body + ' ' +
                                     (reply ? reply->body : reply.error().code.message()));
                  });
    BOOST_TEST(send(traced, server.clock)->body == "1");
    server.network.down("10.0.0.2", 6201);
    BOOST_TEST(failed_with(send(traced, server.clock), Error::connect_failed));
    const std::vector<std::string> expected{R"(sdb1 ["sync"] 1)",
                                            R"(sdb1 ["sync"] cannot connect)"};
    BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_callback_sees_transfers) {
    std::vector<std::string> seen;
    Traced traced(
        Counting{}, [&seen](const Device& to, const Upload& upload, const Result<Sent>& sent) {
            seen.push_back(to.device + ' ' + upload.name + ' ' + std::to_string(sent->bytes));
        });
    AnySource source;
    BOOST_TEST(traced.send(source, {device(), "id", false, true}, Instant(), {})->bytes == 1);
    BOOST_TEST(seen == std::vector<std::string>{"sdb1 id 1"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(decorators_nest_in_the_order_in_which_they_are_written) {
    Server server;
    int seen = 0;
    Traced traced(Faulty(Paced(server.transport(), server.clock, 1.0), Failing{.at = 1}),
                  [&seen](const Device&, const Request&, const Result<Reply>&) { ++seen; });
    BOOST_TEST(failed_with(send(traced, server.clock), Error::connection_lost));
    BOOST_TEST(send(traced, server.clock).has_value());
    BOOST_TEST(server.elapsed().count() == 0); // the failed one took no turn
    BOOST_TEST(seen == 2);
    BOOST_TEST(traced.inner().calls() == 2U);
}

BOOST_AUTO_TEST_CASE(a_page_goes_through_as_it_is) {
    Server server;
    server.network.answer({"", "", "/recon/time"}, {200, "", "1.5", ""}, 0);
    int seen = 0;
    Traced transport(Faulty(server.transport(), {.at = 1}),
                     [&](const Device&, const Request&, const Result<Reply>&) { ++seen; });
    auto peer = transport.peer(device());
    const Instant deadline = server.clock.monotonic() + to_duration(Seconds(10));
    BOOST_TEST(peer.get("/recon/time", deadline, {})->body == "1.5");
    BOOST_TEST(seen == 0);
    BOOST_TEST(peer.send(request, deadline, {}).has_error()); // the first one that counts
}
