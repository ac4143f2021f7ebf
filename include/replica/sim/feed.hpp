#ifndef REPLICA_SIM_FEED_HPP
#define REPLICA_SIM_FEED_HPP

// What was written to a simulated disk, found by a comparison of all files with those of the last
// look. So no write can be forgotten, whichever call made it. The feed may overflow like a kernel's
// queue.

#include <replica/clock.hpp>
#include <replica/feed.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/storage/place.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>

namespace replica {

/// Models Feed. Tells the writes of all processes. A write that leaves the bytes as they were is
/// none. Copies share what was told. Thread safety: any thread.
class SimFeed {
public:
    /// `most`: so many hash directories may wait for a caller. 0: nothing is ever told.
    explicit SimFeed(SimDisk disk, SimClock clock,
                     std::size_t most = std::numeric_limits<std::size_t>::max())
        : state_(std::make_shared<State>(std::move(disk), std::move(clock), most)) {
        state_->files = state_->look();
    }

    [[nodiscard]] bool running() const { return state_->most > 0; }

    /// A device that is mounted. What was changed while it was not is found like the rest.
    [[nodiscard]] bool watches(const std::string& device) const {
        return running() && state_->disk.is_mount(device);
    }

    /// Looks every tenth of a virtual second, at all devices.
    void wait(const std::string& /*device*/, Seconds at_most, const std::stop_token& stop) const {
        const Instant until = state_->clock.monotonic() + to_duration(at_most);
        while (!stop.stop_requested() && !collect() && state_->clock.monotonic() < until) {
            const auto step = state_->clock.monotonic() + std::chrono::milliseconds(100);
            (void)state_->clock.sleep_until(std::min(step, until), stop);
        }
    }

    [[nodiscard]] Changes changes(const std::string& device) const {
        (void)collect();
        const std::scoped_lock guard(state_->mutex);
        Changes changes;
        const std::string below = device + '/';
        std::erase_if(state_->waiting, [&](const auto& each) {
            const bool here = each.first.starts_with(below);
            if (here) {
                changes.touched.push_back({storage::base(each.first), each.first, each.second});
            }
            return here;
        });
        if (std::exchange(state_->told[device], state_->overflows) != state_->overflows) {
            changes.unknown = "the queue has overflowed";
        }
        return changes;
    }

    [[nodiscard]] bool is_of(const Change& change, const std::string& directory) const {
        return change.identity == directory && state_->disk.stat(directory);
    }

    /// Loses what waits for a caller.
    void overflow() const {
        (void)collect();
        const std::scoped_lock guard(state_->mutex);
        state_->lose();
    }

private:
    /// Digests of the files by their paths.
    using Files = std::map<std::string, std::size_t>;

    struct State {
        State(SimDisk disk_, SimClock clock_, std::size_t most_)
            : disk(std::move(disk_)), clock(std::move(clock_)), most(most_) {}

        [[nodiscard]] Files look() const {
            Files found;
            for (const auto& [path, bytes] : disk.dump()) {
                if (hash_of_file(storage::base(path))) {
                    found.emplace(path, std::hash<std::string>()(bytes));
                }
            }
            return found;
        }

        void lose() {
            waiting.clear();
            ++overflows;
        }

        SimDisk disk;
        SimClock clock;
        std::size_t most;
        std::mutex mutex{};
        Files files{};
        std::map<std::string, bool> waiting{}; ///< Hash directories, and Change::news.
        std::uint64_t overflows = 0;
        std::map<std::string, std::uint64_t> told{}; ///< By device: overflows it knows of.
    };

    /// Notes what has changed since the last look. Returns whether anything waits for a caller.
    [[nodiscard]] bool collect() const {
        if (!running()) {
            return false;
        }
        const std::scoped_lock guard(state_->mutex);
        Files now = state_->look();
        for (const auto& [path, digest] : now) {
            const auto before = state_->files.find(path);
            if (before == state_->files.end() || before->second != digest) {
                state_->waiting[storage::parent(path)] = true;
            }
        }
        for (const auto& [path, digest] : state_->files) {
            if (!now.contains(path)) {
                state_->waiting.try_emplace(storage::parent(path), false);
            }
        }
        state_->files = std::move(now);
        const bool found = !state_->waiting.empty();
        if (state_->waiting.size() > state_->most) {
            state_->lose();
        }
        return found;
    }

    std::shared_ptr<State> state_;
};

static_assert(Feed<SimFeed>);

} // namespace replica

#endif // REPLICA_SIM_FEED_HPP
