#ifndef REPLICA_SEND_PLACES_HPP
#define REPLICA_SEND_PLACES_HPP

// How many whole files are on their way to each device (defect 44). All workers of a replicator may
// have one for the same device, whose disk and whose rsync daemon take only so many at a time.

#include <replica/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace replica {

/// Places, so many for each device. Thread safety: any thread.
class Places {
public:
    /// A place that is taken until this object goes. Outlived by its Places.
    class Place {
    public:
        Place(Place&& other) noexcept
            : places_(std::exchange(other.places_, nullptr)), device_(std::move(other.device_)),
              number_(other.number_) {}
        Place& operator=(Place&&) = delete;

        ~Place() {
            if (places_ != nullptr) {
                places_->leave(device_, number_);
            }
        }

    private:
        friend class Places;
        Place(Places& places, std::string device, std::uint64_t number)
            : places_(&places), device_(std::move(device)), number_(number) {}

        Places* places_;
        std::string device_;
        std::uint64_t number_;
    };

    /// A place for a transfer to `device`, of `most`; none if all are taken. After `until` it
    /// counts no more: a worker that hangs in a dead disk must not keep others from the device.
    [[nodiscard]] std::optional<Place> take(const std::string& device, std::size_t most,
                                            Instant now, Instant until) {
        const std::lock_guard guard(mutex_);
        auto& taken = taken_[device];
        std::erase_if(taken, [&](const auto& each) { return each.second <= now; });
        if (taken.size() >= most) {
            return std::nullopt;
        }
        full_.erase(device);
        taken.emplace(++last_, until);
        return Place(*this, device, last_);
    }

    /// Somebody has waited for a place in vain. True until one is free: then nobody need wait.
    [[nodiscard]] bool is_full(const std::string& device) const {
        const std::lock_guard guard(mutex_);
        return full_.contains(device);
    }
    void note_full(const std::string& device) {
        const std::lock_guard guard(mutex_);
        full_.insert(device);
    }

private:
    void leave(const std::string& device, std::uint64_t number) {
        const std::lock_guard guard(mutex_);
        const auto found = taken_.find(device);
        if (found == taken_.end() || found->second.erase(number) == 0) {
            return; // its time was over
        }
        if (found->second.empty()) {
            taken_.erase(found);
        }
        full_.erase(device);
    }

    mutable std::mutex mutex_;
    std::map<std::string, std::map<std::uint64_t, Instant>> taken_; ///< By number: until when.
    std::set<std::string> full_;
    std::uint64_t last_ = 0;
};

} // namespace replica

#endif // REPLICA_SEND_PLACES_HPP
