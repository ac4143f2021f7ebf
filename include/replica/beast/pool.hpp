#ifndef REPLICA_BEAST_POOL_HPP
#define REPLICA_BEAST_POOL_HPP

// What a transport keeps between requests: open connections, which save a round trip and a
// descriptor in TIME_WAIT for each database, and which nodes run one of our servers. Both expire,
// since nodes restart without notice.

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

/// The bounds of a BeastTransport.
struct BeastOptions {
    Seconds conn_timeout{0.5};                 ///< To resolve a name and connect.
    std::uint64_t max_body = 64 * 1024 * 1024; ///< Bytes of a reply; a longer one is a fault.
    std::size_t max_header = 16 * 1024;        ///< Bytes of a reply's head.
    std::size_t max_idle_per_peer = 8;         ///< Kept connections to one address and port.
    std::size_t max_idle = 64;                 ///< In all; four descriptors each.
    Seconds idle_age{45};                      ///< A stock server closes after 60 s.
    std::uint16_t replica_port =
        0;                   ///< Of our servers, beside stock ones or in their place; 0: none.
    std::string kind_type{}; ///< "account" or "container": the kind of that server.
    std::string secret{};    ///< Signs each REPLICATE; empty: none is signed.
    Seconds replica_port_memory{300}; ///< How long the result of asking for one is kept.
    bool all_ours = false; ///< Each peer is an RpcServer at the ring's port: none is asked.

    BeastOptions() = default;

    /// Of a host program whose nodes run nothing but this library, so that whole files can go the
    /// way of all requests (PushFileSync).
    [[nodiscard]] static BeastOptions among_ours() {
        BeastOptions options;
        options.all_ours = true;
        return options;
    }

    /// Takes the options that an operator may set.
    BeastOptions(const Settings& settings, std::string_view type)
        : conn_timeout(settings.conn_timeout),
          replica_port(static_cast<std::uint16_t>(settings.replica_port)), kind_type(type) {}
};

namespace http {

/// Idle connections by address and port. The one used last is taken first, so unneeded ones expire.
/// Thread safety: any thread.
class Pool {
public:
    explicit Pool(const BeastOptions& options) : options_(options) {}

    /// A connection to `where` on which nothing happened since it was put back, or null.
    [[nodiscard]] std::unique_ptr<Connection> take(const std::string& where) {
        for (;;) {
            std::unique_ptr<Connection> found = take_any(where);
            if (!found || found->quiet()) {
                return found;
            }
        }
    }

    /// Keeps a reusable connection. If there are too many, the oldest is closed.
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

/// Which nodes run one of our servers beside the stock one. A note is valid for
/// `replica_port_memory`, or until it proves wrong. Thread safety: any thread.
class PortMemory {
public:
    explicit PortMemory(const BeastOptions& options) : options_(options) {}

    /// Empty if the node must be asked.
    [[nodiscard]] std::optional<bool> has_ours(const Device& device) const {
        if (options_.replica_port == 0) {
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
