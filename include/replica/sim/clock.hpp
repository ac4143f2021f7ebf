#ifndef REPLICA_SIM_CLOCK_HPP
#define REPLICA_SIM_CLOCK_HPP

// Virtual time: a sleep moves the clock instead of waiting. So a simulated day of replication takes
// a millisecond, and every run has the same timestamps. Each node of a simulated cluster may have
// its own wall clock, wrong by any amount, on one common monotonic time. Events for a later moment
// are set with at().

#include <replica/clock.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace replica {

/// Models Clock. Copies share both times. now() and monotonic() advance together; apart() and
/// jump() shift the wall clock. Thread safety: any thread, but only runs with one thread are
/// repeatable.
class SimClock {
public:
    /// A wait moves time at once, so only one thread may do the work of a pass (send/workers.hpp).
    static constexpr bool single_threaded = true;

    /// Wall time of a new clock: 2023-11-14 22:13:20 UTC; ten digits, like all of Swift's times.
    static constexpr Timestamp default_start{1'700'000'000 * Timestamp::ticks_per_second, 0};

    /// The wall clock begins at `start`.
    explicit SimClock(Timestamp start = default_start)
        : time_(std::make_shared<Time>()),
          wall_(std::make_shared<std::atomic<std::int64_t>>(start.ticks)) {}

    /// Wall time, rounded down to a tick of 10 microseconds.
    [[nodiscard]] Timestamp now() const {
        return {wall_->load() + time_->elapsed / ns_per_tick, 0};
    }

    /// Starts at one hour, so that tests can name moments in the past.
    [[nodiscard]] Instant monotonic() const {
        return scale_start + std::chrono::nanoseconds(time_->elapsed);
    }

    /// Moves time to `until`, unless it is past that or a stop is requested. Actions set for a
    /// moment on the way run at that moment, and may request the stop.
    bool sleep_until(Instant until, const std::stop_token& stop) const {
        if (time_->waiter) {
            if (const auto slept = time_->waiter(until, stop)) {
                return *slept;
            }
        }
        const std::int64_t target = since_start(until);
        while (!stop.stop_requested()) {
            const auto next = time_->take(target);
            if (!next) {
                time_->raise(target);
                return true;
            }
            time_->raise(next->first);
            next->second();
        }
        return false;
    }

    /// Calls `action` once, on the thread whose sleep reaches or passes `when`. Actions of one
    /// moment keep their order.
    void at(Instant when, std::function<void()> action) const {
        const std::scoped_lock guard(time_->mutex);
        time_->actions.emplace(since_start(when), std::move(action));
    }

    /// Who sleeps, on this object or a copy, asks `waiter` first: a scheduler lets others run
    /// meanwhile, and answers as sleep_until() would. With no answer time moves as usual. Not
    /// thread safe.
    using Waiter = std::function<std::optional<bool>(Instant until, const std::stop_token& stop)>;
    /// From now on; an empty `waiter` is asked no more.
    void on_wait(Waiter waiter) const { time_->waiter = std::move(waiter); }

    /// Moves time forward by `by`; a negative value does nothing.
    void advance(Seconds by) const { sleep_until(monotonic() + to_duration(by), {}); }

    /// The clock of another node: the same monotonic time, and its own wall clock, ahead of this
    /// one by `by` (behind, if negative).
    [[nodiscard]] SimClock apart(Seconds by) const {
        SimClock other(*this);
        other.wall_ = std::make_shared<std::atomic<std::int64_t>>(wall_->load());
        other.jump(by);
        return other;
    }

    /// Sets the wall clock of this object and its copies forward or back by `by`, like an operator
    /// or ntp. Monotonic time does not change.
    void jump(Seconds by) const { *wall_ += Timestamp::from_seconds(by.count()).ticks; }

private:
    using Actions = std::multimap<std::int64_t, std::function<void()>>;

    static constexpr std::int64_t ns_per_tick = 1'000'000'000 / Timestamp::ticks_per_second;
    static constexpr Instant scale_start{std::chrono::hours(1)};

    struct Time {
        std::atomic<std::int64_t> elapsed{0}; // nanoseconds
        std::mutex mutex;
        Actions actions;
        Waiter waiter;

        /// The first action that is due at `target` or before.
        [[nodiscard]] std::optional<Actions::value_type> take(std::int64_t target) {
            const std::scoped_lock guard(mutex);
            const auto first = actions.begin();
            if (first == actions.end() || first->first > target) {
                return std::nullopt;
            }
            std::optional<Actions::value_type> action(std::move(*first));
            actions.erase(first);
            return action;
        }

        void raise(std::int64_t target) {
            std::int64_t seen = elapsed;
            while (seen < target && !elapsed.compare_exchange_weak(seen, target)) {
            }
        }
    };

    [[nodiscard]] static std::int64_t since_start(Instant when) {
        return std::chrono::nanoseconds(when - scale_start).count();
    }

    std::shared_ptr<Time> time_;
    std::shared_ptr<std::atomic<std::int64_t>> wall_; // ticks of the wall clock at the start
};

static_assert(Clock<SimClock>);

} // namespace replica

#endif // REPLICA_SIM_CLOCK_HPP
