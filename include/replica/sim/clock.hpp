#ifndef REPLICA_SIM_CLOCK_HPP
#define REPLICA_SIM_CLOCK_HPP

// Virtual time: a sleep moves the clock instead of waiting, so a simulated day of replication
// passes in a millisecond and the same run gives the same timestamps. Each node of a simulated
// cluster may have a wall clock of its own, wrong by as much as a test wants, on one common scale.

#include <replica/clock.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <stop_token>

namespace replica {

/// A model of Clock. Copies share both times. now() and monotonic() advance together; apart() and
/// jump() set the wall clock off. Thread safety: any thread, though only one thread gives the same
/// run twice.
class SimClock {
public:
    /// Wall time of a fresh clock: 2023-11-14 22:13:20 UTC, ten digits as all of Swift's times.
    static constexpr Timestamp default_start{1'700'000'000 * Timestamp::ticks_per_second, 0};

    explicit SimClock(Timestamp start = default_start)
        : elapsed_(std::make_shared<std::atomic<std::int64_t>>(0)),
          wall_(std::make_shared<std::atomic<std::int64_t>>(start.ticks)) {}

    /// Wall time, rounded down to a tick of 10 microseconds.
    [[nodiscard]] Timestamp now() const { return {wall_->load() + *elapsed_ / ns_per_tick, 0}; }

    /// Starts one hour after the epoch of its scale, so that "a while ago" can be written.
    [[nodiscard]] Instant monotonic() const { return Instant(std::chrono::hours(1)) + elapsed(); }

    /// Moves time to `until`, unless it is there already or a stop was asked for.
    bool sleep_until(Instant until, const std::stop_token& stop) const {
        if (stop.stop_requested()) {
            return false;
        }
        const std::int64_t target =
            std::chrono::nanoseconds(until - Instant(std::chrono::hours(1))).count();
        std::int64_t seen = elapsed_->load();
        while (seen < target && !elapsed_->compare_exchange_weak(seen, target)) {
        }
        return true;
    }

    /// Moves time on by `by`; a negative value does nothing, time has no way back.
    void advance(Seconds by) const { sleep_until(monotonic() + to_duration(by), {}); }

    /// The clock of another node: common monotonic time, a wall clock of its own that is ahead of
    /// this one by `by` (behind, if negative).
    [[nodiscard]] SimClock apart(Seconds by) const {
        SimClock other(*this);
        other.wall_ = std::make_shared<std::atomic<std::int64_t>>(wall_->load());
        other.jump(by);
        return other;
    }

    /// Sets this wall clock (and that of its copies) forward or back by `by`, as an operator or ntp
    /// would. Monotonic time does not notice.
    void jump(Seconds by) const { *wall_ += Timestamp::from_seconds(by.count()).ticks; }

private:
    static constexpr std::int64_t ns_per_tick = 1'000'000'000 / Timestamp::ticks_per_second;

    [[nodiscard]] std::chrono::nanoseconds elapsed() const {
        return std::chrono::nanoseconds(elapsed_->load());
    }

    std::shared_ptr<std::atomic<std::int64_t>> elapsed_; // nanoseconds since the start
    std::shared_ptr<std::atomic<std::int64_t>> wall_;    // ticks of the wall clock at the start
};

static_assert(Clock<SimClock>);

} // namespace replica

#endif // REPLICA_SIM_CLOCK_HPP
