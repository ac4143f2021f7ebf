#include <replica/clock.hpp>

#define BOOST_TEST_MODULE clock
#include <boost/test/unit_test.hpp>

#include <laws/clock.hpp>

#include <ctime>
#include <future>
#include <vector>

using namespace replica;
using namespace std::chrono_literals;

static_assert(to_duration(Seconds(0.5)) == 500ms);
static_assert(to_duration(Seconds(-2)) == -2s);
static_assert(to_duration(Seconds(0)) == 0s);
static_assert(std::same_as<Instant::clock, std::chrono::steady_clock>);

namespace {

/// A model, then one type for each way to miss the concept by a little.
struct Frozen {
    Timestamp now() const { return {}; }
    Instant monotonic() const { return {}; }
    bool sleep_until(Instant, const std::stop_token&) const { return true; }
};
struct WallIsNumber : Frozen {
    double now() const { return 0; }
};
struct OtherScale : Frozen {
    std::chrono::system_clock::time_point monotonic() const { return {}; }
};
struct DeafSleep : Frozen {
    bool sleep_until(Instant) const { return true; }
};
struct MuteSleep : Frozen {
    void sleep_until(Instant, const std::stop_token&) const {}
};
struct Alone : Frozen {
    Alone(const Alone&) = delete;
    Alone& operator=(const Alone&) = delete;
};
struct Changing : Frozen {
    Timestamp now() { return {}; } // asking for the time must not change a clock
};

static_assert(Clock<Frozen>);
static_assert(!Clock<WallIsNumber>);
static_assert(!Clock<OtherScale>);
static_assert(!Clock<DeafSleep>);
static_assert(!Clock<MuteSleep>);
static_assert(!Clock<Alone>);
static_assert(!Clock<Changing>);

} // namespace

BOOST_AUTO_TEST_CASE(the_laws_of_a_clock_hold_for_the_machines_own) {
    replica::test::check_clock_laws(SystemClock());
    replica::test::check_waiting_clock_laws(SystemClock());
}

BOOST_AUTO_TEST_CASE(wall_time_is_that_of_the_machine_and_without_offset) {
    const auto before = static_cast<double>(std::time(nullptr));
    const Timestamp now = SystemClock().now();
    const auto after = static_cast<double>(std::time(nullptr));
    BOOST_TEST(now.offset == 0U);
    BOOST_TEST(now.seconds() >= before - 0.01); // time() may be a timer tick behind
    BOOST_TEST(now.seconds() < after + 1);
    BOOST_TEST(now.normal().size() == 16U);
}

BOOST_AUTO_TEST_CASE(a_sleep_is_not_shorter_than_asked) {
    const SystemClock clock;
    for (int i = 0; i < 5; ++i) {
        const Instant until = clock.monotonic() + 3ms;
        BOOST_TEST(clock.sleep_until(until, {}));
        BOOST_TEST((clock.monotonic() >= until));
    }
}

BOOST_AUTO_TEST_CASE(one_stop_wakes_every_sleeper) {
    const SystemClock clock;
    std::stop_source stop;
    std::vector<std::future<bool>> sleepers;
    for (int i = 0; i < 4; ++i) {
        sleepers.push_back(std::async(std::launch::async, [&] {
            return clock.sleep_until(clock.monotonic() + 24h, stop.get_token());
        }));
    }
    stop.request_stop();
    for (auto& sleeper : sleepers) {
        BOOST_TEST(!sleeper.get());
    }
}

BOOST_AUTO_TEST_CASE(a_stop_counts_also_where_the_time_has_passed_already) {
    const SystemClock clock;
    std::stop_source stop;
    stop.request_stop();
    BOOST_TEST(!clock.sleep_until(clock.monotonic() - 1s, stop.get_token()));
}
