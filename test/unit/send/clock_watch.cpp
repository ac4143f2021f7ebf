#include <replica/send/clock_watch.hpp>

#define BOOST_TEST_MODULE clock_watch
#include <replica/sim/clock.hpp>

#include <boost/test/unit_test.hpp>

using namespace replica;

namespace {

constexpr Seconds day{86400};

struct Watched {
    SimClock clock;
    ClockWatch watch;

    Seconds look() { return watch.look(clock.now(), clock.monotonic()); }
    Seconds compare(Timestamp theirs) {
        return watch.compare(theirs, clock.now(), clock.monotonic());
    }
    [[nodiscard]] Timestamp limit() const { return watch.limit(clock.now(), clock.monotonic()); }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_clock_that_goes_as_time_goes_is_believed) {
    Watched it;
    BOOST_TEST((it.limit() == it.clock.now())); // nothing is known yet
    for (int i = 0; i < 100; ++i) {
        BOOST_TEST(it.look().count() == 0);
        it.clock.advance(day);
        BOOST_TEST((it.limit() == it.clock.now()));
    }
}

BOOST_AUTO_TEST_CASE(a_jump_is_noticed_and_ages_go_on_as_time_goes) {
    for (const double days : {30.0, -30.0, 0.5}) {
        Watched it;
        (void)it.look();
        it.clock.advance(day);
        const Timestamp before = it.clock.now();
        it.clock.jump(days * day);
        BOOST_TEST(it.look().count() == (days * day).count(), boost::test_tools::tolerance(1e-6));
        BOOST_TEST((it.limit() <= before.plus(ClockWatch::tolerance)));
        it.clock.advance(day);
        BOOST_TEST((it.limit() <= before.plus(day + ClockWatch::tolerance)));
        BOOST_TEST((it.limit() <= it.clock.now()));
        it.clock.jump(-days * day); // mended
        BOOST_TEST(it.look().count() == 0);
        BOOST_TEST((it.limit() == it.clock.now()));
    }
}

BOOST_AUTO_TEST_CASE(half_an_hour_is_no_jump) {
    Watched it;
    (void)it.look();
    it.clock.jump(Seconds(1800));
    BOOST_TEST(it.look().count() == 0);
    BOOST_TEST((it.limit() == it.clock.now()));
}

BOOST_AUTO_TEST_CASE(a_clock_that_was_set_right_is_believed_once_a_peer_agrees) {
    Watched it;
    (void)it.look(); // started before the time was known
    it.clock.jump(1000 * day);
    BOOST_TEST(it.look().count() > 0);
    BOOST_TEST(it.compare(it.clock.now().plus(-day)).count() > 0); // another that is wrong
    BOOST_TEST((it.limit() < it.clock.now()));
    BOOST_TEST(std::abs(it.compare(it.clock.now().plus(Seconds(-2))).count()) < 3);
    BOOST_TEST((it.limit() == it.clock.now()));
    BOOST_TEST(it.look().count() == 0);
}
