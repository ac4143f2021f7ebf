#ifndef REPLICA_SEND_CLOCK_WATCH_HPP
#define REPLICA_SEND_CLOCK_WATCH_HPP

// What is forgotten by age (tombstones, deleted databases, sync points) must not go because one
// machine's wall clock has jumped by 30 days (invariant I11). Two things tell that a clock is
// wrong: it has moved by more than the time that has passed, and it differs from a peer's, which
// comes with every answer. Until a peer agrees with it, ages are told by the time that has passed.

#include <replica/clock.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <mutex>
#include <optional>

namespace replica {

/// Watches one wall clock. Thread safety: any thread.
class ClockWatch {
public:
    /// A smaller difference is no matter for an age of days.
    static constexpr Seconds tolerance{3600};

    /// By how much the clock is ahead of the time that has passed since it was first looked at, or
    /// was confirmed last; behind, if negative; zero within the tolerance.
    [[nodiscard]] Seconds look(Timestamp now, Instant monotonic) {
        const std::lock_guard guard(mutex_);
        if (!base_) {
            base_ = Base{now, monotonic};
        }
        const Seconds jump = distance(now, expected(monotonic));
        return jump > tolerance || jump < -tolerance ? jump : Seconds(0);
    }

    /// A peer's clock said `theirs` while this one said `now`. If they agree the clock is right,
    /// whatever it has done before. Returns by how much this one is ahead.
    Seconds compare(Timestamp theirs, Timestamp now, Instant monotonic) {
        const Seconds ahead = distance(now, theirs);
        if (ahead <= tolerance && ahead >= -tolerance) {
            const std::lock_guard guard(mutex_);
            base_ = Base{now, monotonic};
        }
        return ahead;
    }

    /// The time by which ages are told: the clock's, unless that is ahead of what has passed.
    [[nodiscard]] Timestamp limit(Timestamp now, Instant monotonic) const {
        const std::lock_guard guard(mutex_);
        return base_ ? std::min(now, expected(monotonic).plus(tolerance)) : now;
    }

private:
    struct Base {
        Timestamp wall;
        Instant monotonic;
    };

    [[nodiscard]] static Seconds distance(Timestamp a, Timestamp b) {
        return Seconds(a.seconds() - b.seconds());
    }

    [[nodiscard]] Timestamp expected(Instant monotonic) const {
        return base_->wall.plus(monotonic - base_->monotonic);
    }

    mutable std::mutex mutex_;
    std::optional<Base> base_;
};

} // namespace replica

#endif // REPLICA_SEND_CLOCK_WATCH_HPP
