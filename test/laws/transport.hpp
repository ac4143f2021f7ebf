#ifndef REPLICA_TEST_LAWS_TRANSPORT_HPP
#define REPLICA_TEST_LAWS_TRANSPORT_HPP

// The laws of transport.hpp, to be run on every model, a user's own included. They read no clock
// and start no thread: the fixture says how time passes, so that a simulated transport obeys the
// same sentences as one with sockets.
//
//     BOOST_AUTO_TEST_CASE(beast_transport_obeys_the_laws) {
//         BeastFixture fixture;
//         laws::transport(fixture);
//     }

#include <replica/transport.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace laws {

using replica::Device;
using replica::Error;
using replica::Instant;
using replica::Reply;
using replica::Request;
using replica::Result;
using replica::Seconds;

using Serve = std::function<Reply(const Request&)>;

/// What a test of a transport must offer.
///
/// - transport(): the model.
/// - serve(handler): a device whose requests `handler` answers until the fixture ends. The handler
///   may be called on any thread, one call at a time as long as one request is sent at a time.
/// - silent(): a device that takes every request and never answers.
/// - nobody(): a device where nobody listens.
/// - now(): the clock that deadlines are measured by.
/// - run(body): runs `body` where send may be called, and returns when it has ended.
/// - stop_after(source, delay): lets time pass until then and asks for a stop; returns at once.
template <class F>
concept TransportFixture =
    requires(F fixture, Serve handler, std::function<void()> body, std::stop_source source) {
        { fixture.transport() } -> replica::Transport;
        { fixture.serve(handler) } -> std::same_as<Device>;
        { fixture.silent() } -> std::same_as<Device>;
        { fixture.nobody() } -> std::same_as<Device>;
        { fixture.now() } -> std::same_as<Instant>;
        fixture.run(body);
        fixture.stop_after(source, Seconds{});
    };

namespace detail {

inline const std::string hash = "e28cc9c78696a68b7920b82ab697f9c3";

inline Request request_to(const Device& device, std::string body = R"(["sync"])") {
    return {device.device, "906", hash, std::move(body), true};
}

template <TransportFixture F>
Instant in(F& fixture, Seconds delay) {
    return fixture.now() + replica::to_duration(delay);
}

inline void check_fault(const Result<Reply>& result, Error error, const Device& device) {
    BOOST_TEST_REQUIRE(result.has_error());
    BOOST_TEST(result.error().code == make_error_code(error));
    BOOST_TEST(result.error().what.find(device.device) != std::string::npos,
               "does not name the peer: " << result.error().what);
}

} // namespace detail

/// The handler gets the request, the caller gets the reply, both unchanged and whole.
template <TransportFixture F>
void a_request_and_its_reply_arrive_unchanged(F& fixture) {
    std::string every_byte;
    for (int value = 0; value < 256; ++value) {
        every_byte.push_back(static_cast<char>(value));
    }
    const std::vector<std::string> bodies = {"", "[]", every_byte, std::string(1'500'000, 'x')};
    for (const std::string& body : bodies) {
        Request seen;
        const Device device = fixture.serve([&](const Request& request) {
            seen = request;
            return Reply{200, "application/json", request.body + "!", {}};
        });
        fixture.run([&] {
            auto peer = fixture.transport().peer(device);
            const auto reply = peer.send(detail::request_to(device, body),
                                         detail::in(fixture, Seconds{30}), std::stop_token{});
            BOOST_TEST_REQUIRE(reply.has_value());
            BOOST_TEST(reply->status == 200);
            BOOST_TEST(reply->content_type == "application/json");
            BOOST_TEST((reply->body == body + "!"));
            BOOST_TEST(reply->reason == "");
        });
        BOOST_TEST(seen.device == device.device);
        BOOST_TEST(seen.partition == "906");
        BOOST_TEST(seen.hash == detail::hash);
        BOOST_TEST((seen.body == body));
    }
}

/// Names are text, not syntax: what the three parts contain means nothing to the transport.
template <TransportFixture F>
void names_arrive_byte_by_byte(F& fixture) {
    const std::vector<std::string> names = {
        "sdb1", "a b", "100%", "%41",     "q?x=1#y", "sn\xc3\xb6w",
        "..",   "+",   "\r\n", "tab\tle", "\xff",    std::string("nul\0nul", 7)};
    std::vector<Request> seen;
    const Device device = fixture.serve([&](const Request& request) {
        seen.push_back(request);
        return Reply{202, "text/plain", "", {}};
    });
    fixture.run([&] {
        auto peer = fixture.transport().peer(device);
        for (const std::string& name : names) {
            const auto reply = peer.send(Request{name, name, name, "[]", true},
                                         detail::in(fixture, Seconds{30}), std::stop_token{});
            BOOST_TEST_REQUIRE(reply.has_value());
            BOOST_TEST(reply->status == 202);
        }
    });
    BOOST_TEST_REQUIRE(seen.size() == names.size());
    for (std::size_t at = 0; at < names.size(); ++at) {
        BOOST_TEST(seen[at].device == names[at]);
        BOOST_TEST(seen[at].partition == names[at]);
        BOOST_TEST(seen[at].hash == names[at]);
    }
}

/// Any status is a reply. The text of a 204 is dropped, as HTTP demands.
template <TransportFixture F>
void any_status_is_a_reply(F& fixture) {
    const std::vector<int> statuses = {200, 202, 204, 400, 404, 405, 409, 500, 503, 507, 599};
    for (const int status : statuses) {
        const Device device = fixture.serve([status](const Request&) {
            return Reply{status, "text/plain", status == 204 ? "" : "why", {}};
        });
        fixture.run([&] {
            auto peer = fixture.transport().peer(device);
            const auto reply = peer.send(detail::request_to(device),
                                         detail::in(fixture, Seconds{30}), std::stop_token{});
            BOOST_TEST_REQUIRE(reply.has_value());
            BOOST_TEST(reply->status == status);
            BOOST_TEST(reply->success() == (status < 300));
            BOOST_TEST(reply->body == (status == 204 ? "" : "why"));
        });
    }
}

/// What the other side keeps does not change with what the sender does to its request afterwards.
template <TransportFixture F>
void nothing_is_shared(F& fixture) {
    std::vector<Request> kept;
    Reply given{200, "text/plain", "first", {}};
    const Device device = fixture.serve([&](const Request& request) {
        kept.push_back(request);
        return given;
    });
    fixture.run([&] {
        auto peer = fixture.transport().peer(device);
        Request request = detail::request_to(device, R"(["one"])");
        const auto first = peer.send(request, detail::in(fixture, Seconds{30}), std::stop_token{});
        request.body = R"(["two"])";
        given.body = "second";
        const auto second = peer.send(request, detail::in(fixture, Seconds{30}), std::stop_token{});
        BOOST_TEST_REQUIRE(first.has_value());
        BOOST_TEST_REQUIRE(second.has_value());
        BOOST_TEST(first->body == "first");
        BOOST_TEST(second->body == "second");
    });
    BOOST_TEST_REQUIRE(kept.size() == 2U);
    BOOST_TEST(kept[0].body == R"(["one"])");
    BOOST_TEST(kept[1].body == R"(["two"])");
}

/// A peer is the handle on the device it was made for, also after it was moved, and beside others.
template <TransportFixture F>
void a_peer_belongs_to_its_device(F& fixture) {
    const Device one = fixture.serve([](const Request&) {
        return Reply{200, "text/plain", "one", {}};
    });
    const Device two = fixture.serve([](const Request&) {
        return Reply{200, "text/plain", "two", {}};
    });
    fixture.run([&] {
        auto first = fixture.transport().peer(one);
        auto second = fixture.transport().peer(two);
        BOOST_TEST((first.device() == one));
        BOOST_TEST((second.device() == two));
        auto moved = std::move(first);
        BOOST_TEST((moved.device() == one));
        for (int round = 0; round < 3; ++round) {
            const Instant deadline = detail::in(fixture, Seconds{30});
            const auto a = moved.send(detail::request_to(one), deadline, std::stop_token{});
            const auto b = second.send(detail::request_to(two), deadline, std::stop_token{});
            BOOST_TEST_REQUIRE(a.has_value());
            BOOST_TEST_REQUIRE(b.has_value());
            BOOST_TEST(a->body == "one");
            BOOST_TEST(b->body == "two");
        }
    });
}

/// A peer that never answers costs the time until the deadline, no less and no more.
template <TransportFixture F>
void a_silent_peer_times_out_at_the_deadline(F& fixture) {
    const Device device = fixture.silent();
    fixture.run([&] {
        auto peer = fixture.transport().peer(device);
        const Instant deadline = detail::in(fixture, Seconds{0.2});
        const auto reply = peer.send(detail::request_to(device), deadline, std::stop_token{});
        detail::check_fault(reply, Error::timed_out, device);
        BOOST_TEST((fixture.now() >= deadline));
        BOOST_TEST((fixture.now() < deadline + replica::to_duration(Seconds{20})));
    });
}

/// A deadline that has passed is reported without waiting.
template <TransportFixture F>
void a_deadline_in_the_past_times_out_at_once(F& fixture) {
    const Device device = fixture.silent();
    fixture.run([&] {
        auto peer = fixture.transport().peer(device);
        const auto reply = peer.send(detail::request_to(device), detail::in(fixture, Seconds{-1}),
                                     std::stop_token{});
        detail::check_fault(reply, Error::timed_out, device);
    });
}

/// A stop, asked for before or during the wait, ends it long before the deadline.
template <TransportFixture F>
void a_stop_ends_the_wait(F& fixture) {
    const Device device = fixture.silent();
    fixture.run([&] {
        auto peer = fixture.transport().peer(device);
        const Instant deadline = detail::in(fixture, Seconds{50});

        std::stop_source during;
        fixture.stop_after(during, Seconds{0.1});
        detail::check_fault(peer.send(detail::request_to(device), deadline, during.get_token()),
                            Error::stopped, device);
        BOOST_TEST((fixture.now() < deadline));

        std::stop_source before;
        before.request_stop();
        detail::check_fault(peer.send(detail::request_to(device), deadline, before.get_token()),
                            Error::stopped, device);
        BOOST_TEST((fixture.now() < deadline));
    });
}

/// Where nobody listens there is no connection, and the text says where.
template <TransportFixture F>
void nobody_listens(F& fixture) {
    const Device device = fixture.nobody();
    fixture.run([&] {
        auto peer = fixture.transport().peer(device);
        detail::check_fault(peer.send(detail::request_to(device), detail::in(fixture, Seconds{30}),
                                      std::stop_token{}),
                            Error::connect_failed, device);
    });
}

/// A fault is over when it is over: the same transport goes on to serve other devices.
template <TransportFixture F>
void a_fault_of_one_peer_leaves_the_others_alone(F& fixture) {
    const Device silent = fixture.silent();
    const Device nobody = fixture.nobody();
    const Device good = fixture.serve([](const Request&) {
        return Reply{200, "text/plain", "good", {}};
    });
    fixture.run([&] {
        for (const Device& bad : {silent, nobody}) {
            auto peer = fixture.transport().peer(bad);
            BOOST_TEST(peer.send(detail::request_to(bad), detail::in(fixture, Seconds{0.1}),
                                 std::stop_token{})
                           .has_error());
            auto other = fixture.transport().peer(good);
            const auto reply = other.send(detail::request_to(good),
                                          detail::in(fixture, Seconds{30}), std::stop_token{});
            BOOST_TEST_REQUIRE(reply.has_value());
            BOOST_TEST(reply->body == "good");
        }
    });
}

/// All of them.
template <TransportFixture F>
void transport(F& fixture) {
    a_request_and_its_reply_arrive_unchanged(fixture);
    names_arrive_byte_by_byte(fixture);
    any_status_is_a_reply(fixture);
    nothing_is_shared(fixture);
    a_peer_belongs_to_its_device(fixture);
    a_silent_peer_times_out_at_the_deadline(fixture);
    a_deadline_in_the_past_times_out_at_once(fixture);
    a_stop_ends_the_wait(fixture);
    nobody_listens(fixture);
    a_fault_of_one_peer_leaves_the_others_alone(fixture);
}

} // namespace laws

#endif // REPLICA_TEST_LAWS_TRANSPORT_HPP
