#ifndef REPLICA_CLOCK_HPP
#define REPLICA_CLOCK_HPP

// Time is a policy. Nothing else in the flow reads a clock or sleeps, so a simulated day passes
// in a millisecond and a test never waits. A deadline is a value handed into every call that may
// wait.

#include <replica/words/timestamp.hpp>

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace replica {

/// A point on a clock's monotonic scale. All deadlines are of this type, whatever the clock.
using Instant = std::chrono::steady_clock::time_point;

/// `Seconds` as a distance between instants.
[[nodiscard]] constexpr Instant::duration to_duration(Seconds seconds) {
    return std::chrono::duration_cast<Instant::duration>(seconds);
}

/// A clock: wall time for what is stored, monotonic time to measure durations, and waiting.
///
/// Laws (test/laws/clock.hpp):
/// - monotonic() never decreases.
/// - sleep_until(t, stop) returns true with monotonic() >= t, or false as soon as a stop is asked
///   for. With a time in the past it returns at once.
///
/// Models: SystemClock below; SimClock (sim/clock.hpp). Thread safety: all three may be called
/// from any thread. Copies share one time.
template <class C>
concept Clock = std::copyable<C> && requires(const C clock, Instant until, std::stop_token stop) {
    { clock.now() } -> std::same_as<Timestamp>;
    { clock.monotonic() } -> std::same_as<Instant>;
    { clock.sleep_until(until, stop) } -> std::same_as<bool>;
};

/// The machine's clocks. Models Clock. Thread safety: any thread.
class SystemClock {
public:
    /// Wall time, rounded down to a tick.
    [[nodiscard]] Timestamp now() const {
        using Ticks =
            std::chrono::duration<std::int64_t, std::ratio<1, Timestamp::ticks_per_second>>;
        const auto since = std::chrono::system_clock::now().time_since_epoch();
        return {std::chrono::duration_cast<Ticks>(since).count(), 0};
    }

    [[nodiscard]] Instant monotonic() const { return std::chrono::steady_clock::now(); }

    /// Blocks the calling thread; false if `stop` ended the wait.
    bool sleep_until(Instant until, const std::stop_token& stop) const {
        std::mutex mutex;
        std::condition_variable_any wake;
        std::unique_lock lock(mutex);
        wake.wait_until(lock, stop, until, [] { return false; });
        return !stop.stop_requested();
    }
};

static_assert(Clock<SystemClock>);

} // namespace replica

#endif // REPLICA_CLOCK_HPP
