#ifndef REPLICA_BEAST_POOL_HPP
#define REPLICA_BEAST_POOL_HPP

// What a transport remembers between requests: open connections, which spare a round trip and a
// descriptor in TIME_WAIT for every database, and which nodes run a server of ours. Both age, since
// nodes restart without telling.

#include <replica/beast/connection.hpp>
#include <replica/clock.hpp>
#include <replica/ring.hpp>
#include <replica/settings.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// What a BeastTransport may use up.
struct BeastOptions {
    Seconds conn_timeout{0.5};                 ///< To find a name's addresses and connect.
    std::uint64_t max_body = 64 * 1024 * 1024; ///< Bytes of a reply; a longer one is a fault.
    std::size_t max_header = 16 * 1024;        ///< Bytes of a reply's head.
    std::size_t max_idle_per_peer = 8;         ///< Kept connections to one address and port.
    std::size_t max_idle = 64;                 ///< Kept ones in all; four descriptors each.
    Seconds idle_age{45};                      ///< A stock server closes after 60 s.
    std::uint16_t replica_port = 0;            ///< Our own servers beside stock ones; 0: none.
    std::string kind_type{};          ///< "account" or "container": whose server that must be.
    Seconds replica_port_memory{300}; ///< How long it is remembered whether a node has one.

    BeastOptions() = default;

    /// Those that an operator may set.
    BeastOptions(const Settings& settings, std::string_view type)
        : conn_timeout(settings.conn_timeout),
          replica_port(static_cast<std::uint16_t>(settings.replica_port)), kind_type(type) {}
};

namespace http {

/// Idle connections by address and port; the one used last is taken first, so that surplus ones
/// age. Thread safety: any thread.
class Pool {
public:
    explicit Pool(const BeastOptions& options) : options_(options) {}

    /// A connection to `where` on which nothing has happened since it was put back, or null.
    [[nodiscard]] std::unique_ptr<Connection> take(const std::string& where) {
        for (;;) {
            std::unique_ptr<Connection> found = take_any(where);
            if (!found || found->quiet()) {
                return found;
            }
        }
    }

    /// Keeps a reusable connection; the oldest ones go when there are too many.
    void put(const std::string& where, std::unique_ptr<Connection> connection) {
        std::vector<Idle> surplus; // closed outside the mutex
        const std::lock_guard lock(mutex_);
        idle_.push_back({where, SystemClock().monotonic(), std::move(connection)});
        drop_old(surplus);
        const auto same = [&](const Idle& idle) { return idle.where == where; };
        if (static_cast<std::size_t>(std::ranges::count_if(idle_, same)) >
            options_.max_idle_per_peer) {
            drop(std::ranges::find_if(idle_, same), surplus);
        }
        if (idle_.size() > options_.max_idle) {
            drop(idle_.begin(), surplus);
        }
    }

    [[nodiscard]] std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return idle_.size();
    }

private:
    struct Idle {
        std::string where;
        Instant since;
        std::unique_ptr<Connection> connection;
    };
    using Idles = std::vector<Idle>; // oldest first; max_idle is small, so it is searched

    std::unique_ptr<Connection> take_any(const std::string& where) {
        Idles surplus;
        const std::lock_guard lock(mutex_);
        drop_old(surplus);
        for (auto at = idle_.end(); at != idle_.begin();) {
            if ((--at)->where == where) {
                auto connection = std::move(at->connection);
                idle_.erase(at);
                return connection;
            }
        }
        return nullptr;
    }

    void drop_old(Idles& surplus) {
        const Instant oldest = SystemClock().monotonic() - to_duration(options_.idle_age);
        while (!idle_.empty() && idle_.front().since < oldest) {
            drop(idle_.begin(), surplus);
        }
    }

    void drop(Idles::iterator at, Idles& surplus) {
        surplus.push_back(std::move(*at));
        idle_.erase(at);
    }

    const BeastOptions& options_;
    mutable std::mutex mutex_;
    Idles idle_;
};

/// Which nodes run a server of ours beside the stock one. What was found out counts for
/// `replica_port_memory`, or until it turns out wrong. Thread safety: any thread.
class PortMemory {
public:
    explicit PortMemory(const BeastOptions& options) : options_(options) {}

    /// Nothing if it is time to ask.
    [[nodiscard]] std::optional<bool> has_ours(const Device& device) const {
        if (options_.replica_port == 0 || options_.replica_port == device.replication_port) {
            return false;
        }
        const std::lock_guard lock(mutex_);
        const auto found = nodes_.find(key(device));
        return found == nodes_.end() || found->second.until <= SystemClock().monotonic()
                   ? std::nullopt
                   : std::optional(found->second.ours);
    }

    void note(const Device& device, bool ours) {
        const Instant until = SystemClock().monotonic() + to_duration(options_.replica_port_memory);
        const std::lock_guard lock(mutex_);
        nodes_[key(device)] = {ours, until};
    }

    void forget(const Device& device) {
        const std::lock_guard lock(mutex_);
        nodes_.erase(key(device));
    }

private:
    struct Note {
        bool ours = false;
        Instant until;
    };

    [[nodiscard]] static std::pair<std::string, std::uint16_t> key(const Device& device) {
        return {device.replication_ip, device.replication_port};
    }

    const BeastOptions& options_;
    mutable std::mutex mutex_;
    std::map<std::pair<std::string, std::uint16_t>, Note> nodes_;
};

} // namespace http

} // namespace replica

#endif // REPLICA_BEAST_POOL_HPP
