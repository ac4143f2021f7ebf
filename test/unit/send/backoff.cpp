#include <replica/send/backoff.hpp>

#define BOOST_TEST_MODULE holds
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>

using namespace replica;
using namespace std::chrono_literals;

namespace {

const Instant now{1h};
const std::string node = "10.0.0.2:6201";

struct Peers : PeerHolds {
    using PeerHolds::failed;
    void failed(const std::string& device, Error error, Instant until = now + 60s) {
        failed(node, device, make_error_code(error), until);
    }
    [[nodiscard]] std::string at(const std::string& device, Instant when = now) const {
        return held(node, device, when);
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_hold_lasts_until_its_time) {
    Backoff holds;
    holds.hold("db peer", now + 20s);
    BOOST_TEST(holds.held("db peer", now + 19s));
    BOOST_TEST(!holds.held("db peer", now + 20s));
    BOOST_TEST(!holds.held("db other", now));
}

BOOST_AUTO_TEST_CASE(a_device_is_held_after_three_failures_in_a_row) {
    for (const Error error : {Error::timed_out, Error::connection_lost, Error::bad_reply}) {
        Peers peers;
        for (int i = 0; i < 2; ++i) {
            peers.failed("sda", error);
            BOOST_TEST(peers.at("sda").empty());
        }
        peers.succeeded(node, "sda"); // one answer in between
        peers.failed("sda", error);
        peers.failed("sda", error);
        BOOST_TEST(peers.at("sda").empty());
        peers.failed("sda", error);
        BOOST_TEST(peers.at("sda") == node + "/sda");
        BOOST_TEST(peers.at("sda", now + 59s) == node + "/sda");
        BOOST_TEST(peers.at("sda", now + 60s).empty()); // one may try
        BOOST_TEST(peers.at("sdb").empty());
        BOOST_TEST(peers.held("10.0.0.3:6201", "sda", now).empty());
        peers.failed("sda", error, now + 120s); // and if that fails it is held again at once
        BOOST_TEST(peers.at("sda", now + 60s) == node + "/sda");
        peers.succeeded(node, "sdb"); // says nothing of another device
        BOOST_TEST(peers.at("sda", now + 60s) == node + "/sda");
        peers.succeeded(node, "sda");
        BOOST_TEST(peers.at("sda", now + 60s).empty());
    }
}

BOOST_AUTO_TEST_CASE(a_node_is_held_after_three_connections_in_a_row_that_do_not_come_about) {
    Peers peers;
    peers.failed("sda", Error::connect_failed);
    peers.failed("sdb", Error::connect_failed);
    peers.succeeded(node, "sdc");
    for (const char* device : {"sda", "sda", "sdb"}) {
        BOOST_TEST(peers.at("sdc").empty());
        peers.failed(device, Error::connect_failed);
    }
    BOOST_TEST(peers.at("sdc") == node);
    BOOST_TEST(peers.at("sdc", now + 60s).empty());
    peers.failed("sdc", Error::connect_failed, now + 120s);
    BOOST_TEST(peers.at("sda", now + 60s) == node);
    peers.succeeded(node, "sdc");
    BOOST_TEST(peers.at("sda").empty());
}

BOOST_AUTO_TEST_CASE(a_node_is_held_when_three_of_its_devices_in_a_row_give_no_answer) {
    Peers peers;
    peers.failed("sda", Error::timed_out);
    peers.failed("sdb", Error::connection_lost);
    peers.failed("sdb", Error::timed_out);
    BOOST_TEST(peers.at("sdc").empty());
    peers.failed("sdc", Error::timed_out);
    BOOST_TEST(peers.at("sdd") == node);
    BOOST_TEST(peers.held("10.0.0.3:6201", "sda", now).empty());
    BOOST_TEST(peers.at("sdd", now + 60s).empty());
    peers.failed("sdd", Error::timed_out, now + 120s);
    BOOST_TEST(peers.at("sda", now + 60s) == node);
}

BOOST_AUTO_TEST_CASE(a_node_of_which_one_device_answers_is_not_held) {
    Peers peers;
    for (int i = 0; i < 10; ++i) {
        for (const char* device : {"sda", "sdb"}) {
            peers.failed(device, Error::timed_out);
        }
        peers.succeeded(node, "sdc");
    }
    BOOST_TEST(peers.at("sda") == node + "/sda");
    BOOST_TEST(peers.at("sdb") == node + "/sdb");
    BOOST_TEST(peers.at("sdc").empty());
    BOOST_TEST(peers.at("sdd").empty());
}

BOOST_AUTO_TEST_CASE(a_useless_answer_shows_that_the_node_is_there) {
    Peers peers;
    for (const char* device : {"sda", "sdb", "sdc", "sdd"}) {
        peers.failed(device, Error::bad_reply);
    }
    BOOST_TEST(peers.at("sde").empty());
}

BOOST_AUTO_TEST_CASE(a_shorter_hold_does_not_end_a_longer_one) {
    Backoff backoff;
    const Instant now{};
    backoff.hold("a", now + std::chrono::seconds(9));
    backoff.hold("a", now + std::chrono::seconds(2));
    BOOST_TEST(backoff.held("a", now + std::chrono::seconds(8)));
    BOOST_TEST(!backoff.held("a", now + std::chrono::seconds(9)));
    backoff.hold("a", now + std::chrono::seconds(20));
    BOOST_TEST(backoff.held("a", now + std::chrono::seconds(19)));
}
