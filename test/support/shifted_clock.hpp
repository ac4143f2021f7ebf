#ifndef REPLICA_TEST_SUPPORT_SHIFTED_CLOCK_HPP
#define REPLICA_TEST_SUPPORT_SHIFTED_CLOCK_HPP

// The machine's clock, set forward by as much as a test wants: what takes a millisecond takes a
// millisecond, and a week until tombstones go passes in one call.

#include <replica/clock.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <stop_token>

namespace replica::test {

/// A model of Clock. Copies share the shift. Thread safety: any thread; who is asleep while time is
/// set forward sleeps on as long as it would have, and wakes late.
class ShiftedClock {
public:
    [[nodiscard]] Timestamp now() const {
        return SystemClock().now().plus(std::chrono::duration_cast<Seconds>(shift()));
    }

    [[nodiscard]] Instant monotonic() const { return SystemClock().monotonic() + shift(); }

    bool sleep_until(Instant until, const std::stop_token& stop) const {
        return SystemClock().sleep_until(until - shift(), stop);
    }

    /// Sets all copies forward. There is no way back.
    void advance(Seconds by) const { *shift_ += to_duration(by).count(); }

private:
    [[nodiscard]] Instant::duration shift() const { return Instant::duration(*shift_); }

    std::shared_ptr<std::atomic<Instant::rep>> shift_ =
        std::make_shared<std::atomic<Instant::rep>>(0);
};

static_assert(Clock<ShiftedClock>);

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_SHIFTED_CLOCK_HPP
