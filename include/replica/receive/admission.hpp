#ifndef REPLICA_RECEIVE_ADMISSION_HPP
#define REPLICA_RECEIVE_ADMISSION_HPP

// Limits what is at work under one key: requests on a device, merges of a database. Keys share
// threads and memory, so a key whose requests never end must not take the share of the others.

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace replica {

/// Counts places and amounts by key. Thread safety: any thread.
class Admission {
    struct Leave {
        void operator()(Admission* admission) const { admission->leave(key, amount); }
        std::string key;
        std::uint64_t amount;
    };

public:
    /// Holds a place until its end.
    using Place = std::unique_ptr<Admission, Leave>;

    /// `total`: what all keys share, in units of the amounts of `enter`: places, or bytes.
    explicit Admission(std::uint64_t total = std::numeric_limits<std::uint64_t>::max())
        : free_(total) {}

    /// A place under `key` that takes up `amount`, or nothing if the key has had its share. The
    /// admission must outlive the place.
    ///
    /// A key may have `limit` places. The first place of a key may take all that is free; all
    /// places of one key together at most an eighth of what is free. An amount of 0 always fits. So
    /// a new key finds a place however many other keys keep theirs: of 384 places ten keys that
    /// never leave take 257, twenty take 344, forty take 380.
    [[nodiscard]] std::optional<Place> enter(const std::string& key, int limit,
                                             std::uint64_t amount = 1) {
        const std::lock_guard guard(mutex_);
        const auto known = taken_.find(key);
        const Taken taken = known == taken_.end() ? Taken{} : known->second;
        const std::uint64_t share = taken.amount == 0 ? free_ : free_ / 8;
        const bool room = amount == 0 || (amount <= share && taken.amount <= share - amount);
        if (taken.places >= limit || !room) {
            return std::nullopt;
        }
        Leave leave{key, amount};
        taken_[key] = {taken.places + 1, taken.amount + amount};
        free_ -= amount;
        return Place(this, std::move(leave));
    }

private:
    struct Taken {
        int places = 0;
        std::uint64_t amount = 0;
    };

    void leave(const std::string& key, std::uint64_t amount) {
        const std::lock_guard guard(mutex_);
        free_ += amount;
        const auto known = taken_.find(key);
        known->second.amount -= amount;
        if (--known->second.places == 0) {
            taken_.erase(known);
        }
    }

    std::mutex mutex_;
    std::uint64_t free_;
    std::map<std::string, Taken> taken_;
};

} // namespace replica

#endif // REPLICA_RECEIVE_ADMISSION_HPP
