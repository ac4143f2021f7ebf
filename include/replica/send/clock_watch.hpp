#ifndef REPLICA_SEND_CLOCK_WATCH_HPP
#define REPLICA_SEND_CLOCK_WATCH_HPP

// What is reclaimed by its age (tombstones, deleted databases, sync points) must not go because one
// machine's wall clock has jumped by 30 days (invariant I11). Two signs show a wrong clock: it has
// moved by more than the time that has passed, or it differs from the clock of a peer, which comes
// with every answer. Until it agrees with a peer's, ages go by the time that has passed.

#include <replica/clock.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <mutex>
#include <optional>

namespace replica {

/// Watches one wall clock. Thread safety: any thread.
class ClockWatch {
public:
    /// A smaller difference does not matter for ages of days.
    static constexpr Seconds tolerance{3600};

    /// By how much the wall clock is ahead of the time that has passed since the first look or the
    /// last agreement with a peer; negative if the clock is behind, zero within the tolerance.
    [[nodiscard]] Seconds look(Timestamp now, Instant monotonic) {
        const std::lock_guard guard(mutex_);
        if (!base_) {
            base_ = Base{now, monotonic};
        }
        const Seconds jump = distance(now, expected(monotonic));
        return jump > tolerance || jump < -tolerance ? jump : Seconds(0);
    }

    /// A peer's clock said `theirs` while this one said `now`. If the two agree, the clock is
    /// right, whatever it has done before. Returns by how much this clock is ahead.
    Seconds compare(Timestamp theirs, Timestamp now, Instant monotonic) {
        const Seconds ahead = distance(now, theirs);
        if (ahead <= tolerance && ahead >= -tolerance) {
            const std::lock_guard guard(mutex_);
            base_ = Base{now, monotonic};
        }
        return ahead;
    }

    /// The time that ages are measured by: `now`, unless that is ahead of the time that has passed.
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
