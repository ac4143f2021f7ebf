#include <replica/send/takers.hpp>

#define BOOST_TEST_MODULE takers
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>

using namespace replica;
using Answer = Takers::Answer;

namespace {

Device device(const char* ip, int port, const char* name = "sda") {
    Device made;
    made.replication_ip = ip;
    made.replication_port = static_cast<std::uint16_t>(port);
    made.device = name;
    return made;
}

const Instant now = Instant() + std::chrono::hours(1);

} // namespace

BOOST_AUTO_TEST_CASE(a_node_that_was_never_asked_is_unknown) {
    BOOST_TEST((Takers().of(device("10.0.0.1", 6201), now) == Answer::unknown));
}

BOOST_AUTO_TEST_CASE(an_answer_is_that_of_a_node_with_all_its_devices) {
    Takers takers;
    takers.heard(device("10.0.0.1", 6201), true, now);
    BOOST_TEST((takers.of(device("10.0.0.1", 6201, "sdb"), now) == Answer::yes));
    BOOST_TEST((takers.of(device("10.0.0.1", 6202), now) == Answer::unknown)); // another server
    BOOST_TEST((takers.of(device("10.0.0.2", 6201), now) == Answer::unknown));
}

BOOST_AUTO_TEST_CASE(a_node_that_takes_none_is_asked_again_after_a_while) {
    Takers takers;
    takers.heard(device("10.0.0.1", 6201), false, now);
    const auto answer = [&](auto later) {
        return takers.of(device("10.0.0.1", 6201), now + later);
    };
    BOOST_TEST((answer(std::chrono::seconds(299)) == Answer::no));
    BOOST_TEST((answer(std::chrono::seconds(300)) == Answer::unknown));
}

BOOST_AUTO_TEST_CASE(the_last_answer_counts) {
    Takers takers;
    const Device node = device("10.0.0.1", 6201);
    takers.heard(node, true, now);
    BOOST_TEST((takers.of(node, now + std::chrono::hours(24)) == Answer::yes));
    takers.heard(node, false, now); // an older program, or a stock server, took its place
    BOOST_TEST((takers.of(node, now) == Answer::no));
    takers.heard(node, true, now);
    BOOST_TEST((takers.of(node, now) == Answer::yes));
}
