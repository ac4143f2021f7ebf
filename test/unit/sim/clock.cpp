#include <replica/sim/clock.hpp>

#define BOOST_TEST_MODULE sim_clock
#include <boost/test/unit_test.hpp>

#include <laws/clock.hpp>

#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

using namespace replica;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(the_simulated_clock_obeys_the_laws) {
    test::check_clock_laws(SimClock());
}

BOOST_AUTO_TEST_CASE(the_system_clock_obeys_the_laws) {
    test::check_clock_laws(SystemClock());
    test::check_waiting_clock_laws(SystemClock());
}

BOOST_AUTO_TEST_CASE(a_day_passes_without_waiting_and_to_the_tick) {
    const SimClock clock(*Timestamp::parse("1500000000.00000"));
    const Instant start = clock.monotonic();
    BOOST_TEST(clock.sleep_until(start + 24h, {}));
    BOOST_TEST((clock.monotonic() == start + 24h));
    BOOST_TEST(clock.now().normal() == "1500086400.00000");
    clock.advance(Seconds(0.00001));
    BOOST_TEST(clock.now().normal() == "1500086400.00001");
}

BOOST_AUTO_TEST_CASE(wall_time_is_rounded_down_to_a_tick) {
    const SimClock clock;
    clock.sleep_until(clock.monotonic() + 9'999ns, {});
    BOOST_TEST((clock.now() == SimClock::default_start));
    clock.sleep_until(clock.monotonic() + 1ns, {});
    BOOST_TEST(clock.now().ticks == SimClock::default_start.ticks + 1);
}

BOOST_AUTO_TEST_CASE(time_never_goes_back) {
    const SimClock clock;
    clock.advance(Seconds(5));
    const Instant at = clock.monotonic();
    clock.advance(Seconds(-3));
    BOOST_TEST((clock.monotonic() == at));
}

BOOST_AUTO_TEST_CASE(a_clock_set_apart_keeps_its_distance_and_shares_the_passing_of_time) {
    const SimClock clock;
    const SimClock late = clock.apart(Seconds(-90));
    BOOST_TEST(clock.now().ticks - late.now().ticks == 90 * Timestamp::ticks_per_second);
    late.advance(Seconds(10));
    BOOST_TEST((clock.monotonic() == late.monotonic()));
    BOOST_TEST(clock.now().ticks - SimClock::default_start.ticks ==
               10 * Timestamp::ticks_per_second);
    BOOST_TEST(clock.now().ticks - late.now().ticks == 90 * Timestamp::ticks_per_second);
}

BOOST_AUTO_TEST_CASE(a_jump_of_the_wall_clock_reaches_copies_but_not_other_nodes_nor_sleeps) {
    const SimClock clock;
    const SimClock copy = clock;
    const SimClock other = clock.apart(Seconds(0));
    const Instant at = clock.monotonic();
    clock.jump(Seconds(-3600));
    BOOST_TEST(copy.now().ticks ==
               SimClock::default_start.ticks - 3600 * Timestamp::ticks_per_second);
    BOOST_TEST((other.now() == SimClock::default_start));
    BOOST_TEST((clock.monotonic() == at));
}

BOOST_AUTO_TEST_CASE(what_is_set_for_a_moment_happens_then_once_and_in_order) {
    const SimClock clock;
    const Instant start = clock.monotonic();
    std::vector<std::pair<int, std::chrono::nanoseconds>> seen;
    const auto note = [&](int number) {
        return [&seen, &clock, start, number] {
            seen.emplace_back(number, clock.monotonic() - start);
        };
    };
    clock.at(start + 3s, note(3));
    clock.at(start + 1s, note(1));
    clock.at(start + 1s, note(2));
    clock.at(start + 9s, note(9));
    clock.sleep_until(start + 5s, {});
    clock.sleep_until(start + 5s, {});
    const std::vector<std::pair<int, std::chrono::nanoseconds>> expected{{1, 1s}, {2, 1s}, {3, 3s}};
    BOOST_TEST((seen == expected));
    BOOST_TEST((clock.monotonic() == start + 5s));
}

BOOST_AUTO_TEST_CASE(a_stop_in_the_middle_ends_a_sleep_at_that_moment) {
    const SimClock clock;
    const Instant start = clock.monotonic();
    std::stop_source source;
    clock.at(start + 2s, [&source] { source.request_stop(); });
    BOOST_TEST(!clock.sleep_until(start + 1h, source.get_token()));
    BOOST_TEST((clock.monotonic() == start + 2s));
}

BOOST_AUTO_TEST_CASE(an_action_may_sleep_and_set_another) {
    const SimClock clock;
    const Instant start = clock.monotonic();
    int calls = 0;
    clock.at(start + 1s, [&] {
        ++calls;
        clock.at(start + 2s, [&calls] { ++calls; });
        clock.advance(Seconds(2));
    });
    clock.sleep_until(start + 2s, {});
    BOOST_TEST(calls == 2);
    BOOST_TEST((clock.monotonic() == start + 3s));
}

BOOST_AUTO_TEST_CASE(a_scheduler_may_sleep_instead_and_copies_ask_it_too) {
    const SimClock clock;
    const Instant start = clock.monotonic();
    std::vector<Instant> asked;
    clock.on_wait([&](Instant until, const std::stop_token&) {
        asked.push_back(until);
        return asked.size() < 3 ? std::optional(asked.size() == 1) : std::nullopt;
    });
    const SimClock other = clock.apart(Seconds(5));
    BOOST_TEST(other.sleep_until(start + 1s, {}));
    BOOST_TEST(!clock.sleep_until(start + 2s, {}));
    BOOST_TEST((clock.monotonic() == start));
    BOOST_TEST(clock.sleep_until(start + 3s, {})); // no answer: time moves as usual
    BOOST_TEST((clock.monotonic() == start + 3s));
    clock.on_wait(nullptr);
    clock.advance(Seconds(1));
    BOOST_TEST((asked == std::vector<Instant>{start + 1s, start + 2s, start + 3s}));
}

BOOST_AUTO_TEST_CASE(threads_may_share_a_clock_and_the_latest_sleeper_wins) {
    const SimClock clock;
    const Instant start = clock.monotonic();
    {
        std::vector<std::jthread> sleepers;
        for (int i = 1; i <= 8; ++i) {
            sleepers.emplace_back([clock, start, i] {
                for (int step = 1; step <= 100; ++step) {
                    clock.sleep_until(start + i * step * 1ms, {});
                }
            });
        }
    }
    BOOST_TEST((clock.monotonic() == start + 800ms));
}
