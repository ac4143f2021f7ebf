// Keeps a log readable while somebody does the same thing again and again: it is said once in a
// while, and counted each time.
#ifndef REPLICA_DAEMON_SELDOM_HPP
#define REPLICA_DAEMON_SELDOM_HPP

#include <replica/clock.hpp>

#include <cstddef>
#include <map>
#include <mutex>
#include <string>

namespace replica::daemon {

/// Says whether it is time to speak of something again. Thread safety: any thread.
class Seldom {
public:
    /// `pause`: from one mention of a thing to the next. `most` things are remembered; of more,
    /// nothing is said until an earlier one has had its time. So a log gets at most `most` lines in
    /// a pause, whoever writes them.
    explicit Seldom(Seconds pause = Seconds{3600}, std::size_t most = 1000)
        : pause_(pause), most_(most) {}

    /// True if `what` was not said within the pause before `now`; then it counts as said.
    [[nodiscard]] bool may_say(const std::string& what, Instant now) {
        const std::lock_guard lock(mutex_);
        if (const auto known = said_.find(what); known != said_.end()) {
            if (now - known->second < to_duration(pause_)) {
                return false;
            }
            known->second = now;
            return true;
        }
        if (said_.size() >= most_) {
            std::erase_if(said_, [&](const auto& entry) {
                return now - entry.second >= to_duration(pause_);
            });
        }
        return said_.size() < most_ && said_.emplace(what, now).second;
    }

private:
    Seconds pause_;
    std::size_t most_;
    std::mutex mutex_;
    std::map<std::string, Instant> said_;
};

} // namespace replica::daemon

#endif
