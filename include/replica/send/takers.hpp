#ifndef REPLICA_SEND_TAKERS_HPP
#define REPLICA_SEND_TAKERS_HPP

// Which nodes take something that only servers of ours know, and only new enough ones: rows along
// with `sync` (words/along.hpp), `compare` (words/compare.hpp).

#include <replica/clock.hpp>
#include <replica/ring.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace replica {

/// What nodes have answered. Thread safety: any thread.
class Takers {
public:
    enum class Answer {
        unknown,
        yes,
        no
    };

    /// A node that did not know the question may have got another server since.
    static constexpr Seconds ask_again{300};

    [[nodiscard]] Answer of(const Device& device, Instant now) const {
        const std::lock_guard guard(mutex_);
        const auto found = nodes_.find(node(device));
        if (found == nodes_.end() || (!found->second.takes && now >= found->second.until)) {
            return Answer::unknown;
        }
        return found->second.takes ? Answer::yes : Answer::no;
    }

    void heard(const Device& device, bool takes, Instant now) {
        const std::lock_guard guard(mutex_);
        nodes_[node(device)] = {takes, now + to_duration(ask_again)};
    }

private:
    struct Heard {
        bool takes = false;
        Instant until{};
    };
    using Node = std::pair<std::string, int>;

    [[nodiscard]] static Node node(const Device& device) {
        return {device.replication_ip, device.replication_port};
    }

    mutable std::mutex mutex_;
    std::map<Node, Heard> nodes_;
};

/// The new rows of one database, written down once for all its peers.
struct RowsAlong {
    std::string argument;   ///< Of `sync`; empty if none are to go along.
    std::int64_t base = -1; ///< They are all rows above this one...
    std::int64_t last = -1; ///< ...up to this one.
    std::int64_t count = 0;
};

} // namespace replica

#endif // REPLICA_SEND_TAKERS_HPP
