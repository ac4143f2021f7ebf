#ifndef REPLICA_TEST_LAWS_CLOCK_HPP
#define REPLICA_TEST_LAWS_CLOCK_HPP

// The laws of Clock, run on every model: call check_clock_laws(model).

#include <replica/clock.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <stop_token>
#include <thread>

namespace replica::test {

/// Sleeps 20 ms of the model's time in all.
template <Clock C>
void check_clock_laws(const C& model) {
    using namespace std::chrono_literals;
    const C copy = model;

    // monotonic() never decreases, and copies share one time.
    Instant last = model.monotonic();
    for (int i = 0; i < 100; ++i) {
        const Instant next = i % 2 == 0 ? copy.monotonic() : model.monotonic();
        BOOST_TEST((next >= last));
        last = next;
    }

    // A sleep reaches its end, on every copy, and wall time goes on by about as much.
    const Timestamp before = model.now();
    const Instant until = model.monotonic() + 20ms;
    BOOST_TEST(model.sleep_until(until, {}));
    BOOST_TEST((copy.monotonic() >= until));
    BOOST_TEST((model.now() >= before.plus(Seconds(0.019))));

    // A time in the past returns at once, and moves nothing back.
    const Instant now = model.monotonic();
    BOOST_TEST(model.sleep_until(now - 1h, {}));
    BOOST_TEST((model.monotonic() >= now));
    BOOST_TEST((model.monotonic() - now < 10s));

    // A stop that was asked for before ends the sleep before it begins.
    std::stop_source stopped;
    stopped.request_stop();
    const Instant far = model.monotonic() + 24h;
    BOOST_TEST(!model.sleep_until(far, stopped.get_token()));
    BOOST_TEST((model.monotonic() < far));
}

/// For clocks that really wait: a stop asked for by another thread ends a sleep of a day.
template <Clock C>
void check_waiting_clock_laws(const C& model) {
    using namespace std::chrono_literals;
    std::stop_source source;
    const Instant far = model.monotonic() + 24h;
    const std::jthread stopper([&source] { source.request_stop(); });
    BOOST_TEST(!model.sleep_until(far, source.get_token()));
    BOOST_TEST((model.monotonic() < far));
}

} // namespace replica::test

#endif // REPLICA_TEST_LAWS_CLOCK_HPP
