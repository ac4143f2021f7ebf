#include <replica/words/turns.hpp>

#define BOOST_TEST_MODULE words_turns
#include <boost/test/unit_test.hpp>

#include <chrono>

using namespace replica;
using namespace std::chrono_literals;

namespace {

Instant at(std::chrono::milliseconds time) {
    return Instant(1h) + time;
}

} // namespace

BOOST_AUTO_TEST_CASE(turns_are_apart_by_the_rate_however_often_they_are_asked_for) {
    Turns turns(10);
    for (int i = 0; i < 5; ++i) {
        BOOST_TEST((turns.next(at(0ms)) == at(i * 100ms)));
    }
}

BOOST_AUTO_TEST_CASE(without_slack_a_turn_that_was_missed_is_gone) {
    Turns turns(10);
    BOOST_TEST((turns.next(at(0ms)) == at(0ms)));
    BOOST_TEST((turns.next(at(950ms)) == at(950ms)));
    BOOST_TEST((turns.next(at(950ms)) == at(1050ms)));
}

BOOST_AUTO_TEST_CASE(with_slack_turns_are_made_up_for_up_to_its_length) {
    Turns turns(10, Seconds(5));
    BOOST_TEST((turns.next(at(0ms)) == at(0ms)));
    BOOST_TEST((turns.next(at(4s)) == at(100ms)));
    BOOST_TEST((turns.next(at(4s)) == at(200ms)));
    BOOST_TEST((turns.next(at(60s)) == at(60s)));
}

BOOST_AUTO_TEST_CASE(the_first_turn_is_now_whatever_the_clock_says) {
    for (const Instant now : {Instant{}, Instant(-1h), at(0ms)}) {
        Turns turns(1, Seconds(5));
        BOOST_TEST((turns.next(now) == now));
    }
}

BOOST_AUTO_TEST_CASE(a_turn_after_the_deadline_is_left_to_others) {
    Turns turns(1);
    (void)turns.next(at(0ms));
    BOOST_TEST((turns.next(at(0ms), at(500ms)) == at(1s)));
    BOOST_TEST((turns.next(at(0ms)) == at(1s)));
    BOOST_TEST((turns.next(at(0ms)) == at(2s)));
}

BOOST_AUTO_TEST_CASE(no_rate_is_no_gap_and_a_tiny_one_does_not_overflow) {
    for (const double rate : {0.0, -1.0}) {
        Turns turns(rate);
        BOOST_TEST((turns.next(at(0ms)) == at(0ms)));
        BOOST_TEST((turns.next(at(0ms)) == at(0ms)));
    }
    Turns slow(1e-300);
    (void)slow.next(at(0ms));
    BOOST_TEST((slow.next(at(0ms)) == at(1000000s)));
}
