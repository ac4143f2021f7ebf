#include <replica/daemon/seldom.hpp>

#define BOOST_TEST_MODULE daemon_seldom
#include <boost/test/unit_test.hpp>

#include <string>

using namespace replica;
using namespace replica::daemon;

namespace {

Instant at(double seconds) {
    return Instant{} + to_duration(Seconds{seconds});
}

} // namespace

BOOST_AUTO_TEST_CASE(the_same_thing_is_said_once_in_a_while) {
    Seldom seldom(Seconds{10});
    BOOST_TEST(seldom.may_say("a", at(100)));
    BOOST_TEST(!seldom.may_say("a", at(100)));
    BOOST_TEST(!seldom.may_say("a", at(109.9)));
    BOOST_TEST(seldom.may_say("a", at(110)));
    BOOST_TEST(!seldom.may_say("a", at(119))); // the pause counts from the last time it was said
    BOOST_TEST(seldom.may_say("a", at(120)));
}

BOOST_AUTO_TEST_CASE(another_thing_is_said_all_the_same) {
    Seldom seldom(Seconds{10});
    BOOST_TEST(seldom.may_say("a", at(1)));
    BOOST_TEST(seldom.may_say("b", at(1)));
    BOOST_TEST(seldom.may_say("", at(1)));
    BOOST_TEST(!seldom.may_say("b", at(2)));
}

BOOST_AUTO_TEST_CASE(of_more_things_than_can_be_remembered_nothing_is_said_until_there_is_room) {
    Seldom seldom(Seconds{10}, 3);
    for (const char* what : {"a", "b", "c"}) {
        BOOST_TEST(seldom.may_say(what, at(1)));
    }
    for (int other = 0; other < 100; ++other) {
        BOOST_TEST(!seldom.may_say("other" + std::to_string(other), at(2)));
    }
    BOOST_TEST(seldom.may_say("a", at(11)));
    BOOST_TEST(seldom.may_say("d", at(12))); // b and c are over
    BOOST_TEST(seldom.may_say("e", at(12)));
    BOOST_TEST(!seldom.may_say("f", at(12)));
    BOOST_TEST(!seldom.may_say("a", at(12))); // and a is not
}

BOOST_AUTO_TEST_CASE(with_no_room_at_all_nothing_is_said) {
    Seldom seldom(Seconds{10}, 0);
    BOOST_TEST(!seldom.may_say("a", at(1)));
    BOOST_TEST(!seldom.may_say("a", at(100)));
}
