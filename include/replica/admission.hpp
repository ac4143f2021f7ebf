#ifndef REPLICA_ADMISSION_HPP
#define REPLICA_ADMISSION_HPP

// Bounds what is at work under one key: requests on a device, merges of a database.

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

    /// A place under `key`, or nothing if `limit` are taken. The admission must outlive the place.
    [[nodiscard]] std::optional<Place> enter(const std::string& key, int limit) {
        const std::lock_guard guard(mutex_);
        int& count = counts_[key];
        if (count >= limit) {
            return std::nullopt;
        }
        ++count;
        return Place(this, Leave{key});
    }

private:
    void leave(const std::string& key) {
        const std::lock_guard guard(mutex_);
        if (--counts_[key] <= 0) {
            counts_.erase(key);
        }
    }

    std::mutex mutex_;
    std::map<std::string, int> counts_;
};

} // namespace replica

#endif // REPLICA_ADMISSION_HPP
