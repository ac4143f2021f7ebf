#ifndef REPLICA_BRAKES_HPP
#define REPLICA_BRAKES_HPP

// What keeps one mistake from emptying a disk. A pass is right about one database at a time; a
// wrong hash suffix, ring or clock makes it wrong about all of them, and each single step looks
// sound. So the steps that take something away are counted per device and held against what was
// seen there.

#include <replica/clock.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace replica {

namespace detail {

[[nodiscard]] inline bool take_one(std::int64_t& count, std::int64_t most) {
    const bool may = count < most;
    count += may ? 1 : 0;
    return may;
}

} // namespace detail

/// The counts of one pass. Thread safety: any thread.
class Brakes {
public:
    /// So many databases of a device may leave in a pass whatever their share: small devices, and
    /// the first of a large one, of which little has been seen.
    static constexpr std::int64_t free_leaves = 100;

    /// So many databases of a device go to quarantine in a pass at most (defect 47).
    static constexpr std::int64_t quarantine_max = 20;

    /// `share`: percent of the databases seen that may leave, see Limits::leave_share.
    explicit Brakes(double share) : share_(share) {}

    /// A database has its turn.
    void saw(const std::string& device) {
        const std::lock_guard guard(mutex_);
        ++devices_[device].seen;
    }

    /// A name that does not hash to its place (defect 23). From now on nothing on this device may
    /// leave in this pass.
    void wrong_hash(const std::string& device) {
        const std::lock_guard guard(mutex_);
        ++devices_[device].wrong;
    }

    [[nodiscard]] bool frozen(const std::string& device) {
        const std::lock_guard guard(mutex_);
        return devices_[device].wrong > 0;
    }

    /// Whether the pass should leave this device: most names on it are wrong. A single stray file
    /// must not keep all others from being replicated.
    [[nodiscard]] bool hopeless(const std::string& device) {
        const std::lock_guard guard(mutex_);
        const Tally& tally = devices_[device];
        return tally.wrong >= 2 && 2 * tally.wrong > tally.seen;
    }

    /// Whether one more database may be moved away or deleted; if so it counts.
    [[nodiscard]] bool may_leave(const std::string& device) {
        const std::lock_guard guard(mutex_);
        Tally& tally = devices_[device];
        const auto most = static_cast<double>(tally.seen) * share_ / 100;
        const bool may = tally.leaving < free_leaves || static_cast<double>(tally.leaving) < most;
        tally.leaving += may ? 1 : 0;
        return may;
    }

    /// Whether one more database may be looked at and go to quarantine; if so it counts. A bug or a
    /// bad cable must not empty a disk.
    [[nodiscard]] bool may_quarantine(const std::string& device) {
        const std::lock_guard guard(mutex_);
        return detail::take_one(devices_[device].quarantined, quarantine_max);
    }

    /// It turned out well and stays: it does not count. One at which the look failed does, since
    /// then it may be the disk that is broken.
    void spared(const std::string& device) {
        const std::lock_guard guard(mutex_);
        --devices_[device].quarantined;
    }

    /// True the first time: an operator needs one line a device, not one a database.
    [[nodiscard]] bool announce(const std::string& device) {
        const std::lock_guard guard(mutex_);
        return !std::exchange(devices_[device].announced, true);
    }

private:
    struct Tally {
        std::int64_t seen = 0;
        std::int64_t wrong = 0;
        std::int64_t leaving = 0;
        std::int64_t quarantined = 0;
        bool announced = false;
    };

    const double share_;
    std::mutex mutex_;
    std::map<std::string, Tally> devices_;
};

/// What keeps requests from emptying a disk: a receiver has no passes, so it counts by the hour.
/// Thread safety: any thread.
class HourlyBrake {
public:
    /// As Brakes::may_quarantine.
    [[nodiscard]] bool may_quarantine(const std::string& device, Instant now) {
        const std::lock_guard guard(mutex_);
        const auto at = hours_.try_emplace(device, Hour{now, 0}).first;
        if (now - at->second.began >= std::chrono::hours(1)) {
            at->second = {now, 0};
        }
        return detail::take_one(at->second.quarantined, Brakes::quarantine_max);
    }

    /// As Brakes::spared; nothing if no look of this hour counts.
    void spared(const std::string& device) {
        const std::lock_guard guard(mutex_);
        const auto at = hours_.find(device);
        if (at != hours_.end() && at->second.quarantined > 0) {
            --at->second.quarantined;
        }
    }

private:
    struct Hour {
        Instant began;
        std::int64_t quarantined = 0;
    };

    std::mutex mutex_;
    std::map<std::string, Hour> hours_;
};

} // namespace replica

#endif // REPLICA_BRAKES_HPP
