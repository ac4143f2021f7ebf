#include <replica/sqlite/wait.hpp>

#define BOOST_TEST_MODULE sqlite_wait
#include <replica/sim/clock.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>

using namespace replica;
using std::chrono::milliseconds;

BOOST_AUTO_TEST_CASE(pauses_grow_and_end_at_the_deadline) {
    const SimClock clock;
    const sqlite::Wait wait = sqlite::wait_by(clock);
    const Instant begin = clock.monotonic();
    const Instant deadline = begin + milliseconds(1000);
    int attempts = 0;
    Instant::duration longest{};
    for (Instant before = begin; wait(attempts, deadline); before = clock.monotonic()) {
        ++attempts;
        longest = std::max(longest, clock.monotonic() - before);
    }
    BOOST_TEST((clock.monotonic() == deadline));
    BOOST_TEST((longest <= milliseconds(25)));
    BOOST_TEST(attempts > 40);
    BOOST_TEST(attempts < 100);
}

BOOST_AUTO_TEST_CASE(a_deadline_that_has_passed_is_no_wait) {
    const SimClock clock;
    const Instant begin = clock.monotonic();
    BOOST_TEST(!sqlite::wait_by(clock)(0, begin));
    BOOST_TEST(!sqlite::wait_by(clock)(0, begin - milliseconds(1)));
    BOOST_TEST((clock.monotonic() == begin));
}
