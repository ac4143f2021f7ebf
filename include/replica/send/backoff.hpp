#ifndef REPLICA_SEND_BACKOFF_HPP
#define REPLICA_SEND_BACKOFF_HPP

// Peers and transfers that are left alone for a while. A peer that does not answer costs
// node_timeout for each database; after three failures in a row it costs nothing for a minute
// (defect 43).

#include <replica/clock.hpp>
#include <replica/error.hpp>

#include <boost/system/error_code.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace replica {

/// Keys, each held until a time. Thread safety: any thread.
class Backoff {
public:
    [[nodiscard]] bool held(const std::string& key, Instant now) const {
        const std::lock_guard guard(mutex_);
        const auto at = until_.find(key);
        return at != until_.end() && now < at->second;
    }

    /// An earlier hold that is longer stays.
    void hold(const std::string& key, Instant until) {
        const std::lock_guard guard(mutex_);
        Instant& held = until_.try_emplace(key, until).first->second;
        held = std::max(held, until);
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, Instant> until_;
};

/// Peers that are left alone: single devices, and nodes with all their devices. A disk that hangs
/// on a peer holds that device only; to hold its node would keep all its other databases waiting
/// for as long as the disk is dead (defect 81). Thread safety: any thread.
///
/// - Three failures of a device in a row hold the device. One lost answer is no dead peer.
/// - Three failures to connect in a row hold the node, since they say nothing of a device.
/// - Three different devices of a node in a row without an answer hold the node: it may hang.
///
/// After a hold, requests go out again; the next failure holds at once. An answer sets the counts
/// of its device and of its node back to 0.
class PeerHolds {
public:
    /// What is held at `now`: `node` ("ip:port"), or the device as "ip:port/device". Or empty.
    [[nodiscard]] std::string held(const std::string& node, const std::string& device,
                                   Instant now) const {
        const std::lock_guard guard(mutex_);
        const auto found = nodes_.find(node);
        if (found == nodes_.end()) {
            return {};
        }
        if (now < found->second.self.until) {
            return node;
        }
        const auto at = found->second.devices.find(device);
        const bool alone = at != found->second.devices.end() && now < at->second.until;
        return alone ? node + '/' + device : std::string();
    }

    /// A request to `device` failed with `code`. The third failure in a row holds it until `until`.
    void failed(const std::string& node, const std::string& device,
                const boost::system::error_code& code, Instant until) {
        const std::lock_guard guard(mutex_);
        Node& at = nodes_[node];
        if (code == Error::connect_failed) {
            at.self.count(until);
            return;
        }
        at.devices[device].count(until);
        if (code == Error::timed_out || code == Error::connection_lost) {
            at.silent.insert(device);
            if (at.silent.size() >= most) {
                at.self.until = until;
            }
        }
    }

    void succeeded(const std::string& node, const std::string& device) {
        const std::lock_guard guard(mutex_);
        const auto found = nodes_.find(node);
        if (found != nodes_.end()) {
            found->second.self = {};
            found->second.silent.clear();
            found->second.devices.erase(device);
        }
    }

private:
    static constexpr std::size_t most = 3;

    struct Row {
        std::size_t failures = 0;
        Instant until{};

        void count(Instant hold) {
            if (++failures >= most) {
                until = hold;
            }
        }
    };

    struct Node {
        Row self;
        std::set<std::string> silent; ///< Devices without an answer since the node's last answer.
        std::map<std::string, Row> devices;
    };

    mutable std::mutex mutex_;
    std::map<std::string, Node> nodes_;
};

} // namespace replica

#endif // REPLICA_SEND_BACKOFF_HPP
