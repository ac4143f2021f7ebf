#ifndef REPLICA_ADMISSION_HPP
#define REPLICA_ADMISSION_HPP

// Bounds what is at work under one key: requests on a device, merges of a database. Where keys
// share a room, a key that never gives its places back must not take those of the others.

#include <cstddef>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace replica {

/// Counts by key. Thread safety: any thread.
class Admission {
    struct Leave {
        void operator()(Admission* admission) const { admission->leave(key); }
        std::string key;
    };

public:
    /// Holds a place until its end.
    using Place = std::unique_ptr<Admission, Leave>;

    /// `total`: the places that all keys share.
    explicit Admission(std::size_t total = std::numeric_limits<std::size_t>::max())
        : free_(total) {}

    /// A place under `key`, or nothing if the key has had its share. The admission must outlive the
    /// place.
    ///
    /// A key may have `limit` places, but after the first no more than an eighth of those that are
    /// free. So a new key finds a place however many others keep theirs: of 384 places ten keys
    /// that never leave take 257, twenty take 344, forty take 380.
    [[nodiscard]] std::optional<Place> enter(const std::string& key, int limit) {
        const std::lock_guard guard(mutex_);
        const auto known = counts_.find(key);
        const std::size_t count = known == counts_.end() ? 0 : known->second;
        if (count >= static_cast<std::size_t>(limit) || count >= (count == 0 ? free_ : free_ / 8)) {
            return std::nullopt;
        }
        Leave leave{key};
        counts_[key] = count + 1;
        --free_;
        return Place(this, std::move(leave));
    }

private:
    void leave(const std::string& key) {
        const std::lock_guard guard(mutex_);
        ++free_;
        const auto known = counts_.find(key);
        if (--known->second == 0) {
            counts_.erase(known);
        }
    }

    std::mutex mutex_;
    std::size_t free_;
    std::map<std::string, std::size_t> counts_;
};

} // namespace replica

#endif // REPLICA_ADMISSION_HPP
