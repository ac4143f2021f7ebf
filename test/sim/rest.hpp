#ifndef REPLICA_TEST_SIM_REST_HPP
#define REPLICA_TEST_SIM_REST_HPP

// What a simulated world may cost once it is at rest: a round of passes asks each peer of each copy
// once and writes nothing.

#include "record.hpp"
#include "world.hpp"
#include <replica/stats.hpp>
#include <replica/storage/place.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace replica::test {

/// What one round of passes costs.
template <class Kind>
class RestCheck {
public:
    explicit RestCheck(World<Kind>& world) : world_(world), disks_(disks()) {
        world_.network.clear_log();
    }

    /// The round that began with this object has ended, and its passes have counted `spent`. Throws
    /// Violation.
    void end(const Stats& spent) const {
        const auto copies = databases() * static_cast<std::size_t>(world_.config.replicas);
        auto asked = world_.network.log();
        // One for each pair of devices, and what is different shows at once.
        std::erase_if(asked,
                      [](const SimExchange& exchange) { return exchange.verb == "summary"; });
        // Those of a container with shard ranges ask for them and send them as well.
        const std::size_t each = world_.config.shards > 0 ? 3 : 1;
        if (asked.size() > each * copies * static_cast<std::size_t>(world_.config.replicas - 1)) {
            throw Violation("at rest: " + std::to_string(asked.size()) + " requests for " +
                            std::to_string(copies) + " copies");
        }
        for (const SimExchange& exchange : asked) {
            if (exchange.verb != "sync" &&
                (each == 1 || !exchange.verb.ends_with("_shard_ranges"))) {
                throw Violation("at rest: " + exchange.verb + " to " + exchange.to);
            }
        }
        const auto now = disks();
        require_all_counted(spent, now);
        for (std::size_t at = 0; at < now.size(); ++at) {
            for (const auto& [path, bytes] : now[at]) {
                const auto before = disks_[at].find(path);
                if (before == disks_[at].end() || before->second != bytes) {
                    throw Violation("at rest: machine " + std::to_string(at) + ": " + path +
                                    " is written to");
                }
            }
        }
    }

private:
    using Disk = std::map<std::string, std::string>;
    using Known = typename World<Kind>::Known;

    /// A database that no pass comes to is in sync with nobody (defect 119).
    void require_all_counted(const Stats& spent, const std::vector<Disk>& disks) const {
        if (world_.config.misfiled + world_.config.misnamed > 0) {
            return; // files that look like databases
        }
        std::int64_t lying = 0;
        for (const Disk& disk : disks) {
            lying += std::ranges::count_if(disk, [](const auto& file) {
                const std::string& path = file.first;
                return path.ends_with(".db") && path.find("/trash/") == std::string::npos &&
                       path.find("/quarantined/") == std::string::npos &&
                       path.find("/tmp/") == std::string::npos;
            });
        }
        if (spent.attempted + spent.at_rest != lying) {
            throw Violation("at rest: " + std::to_string(spent.attempted + spent.at_rest) +
                            " databases in the passes, where " + std::to_string(lying) + " lie");
        }
    }

    /// Those that clients know, and the reconciler's queues.
    [[nodiscard]] std::size_t databases() const {
        std::set<std::string> names;
        for (const Known& known : world_.known) {
            names.insert(known.hash + ".db");
        }
        for (const Disk& disk : disks_) {
            for (const auto& [path, bytes] : disk) {
                if (path.ends_with(".db")) {
                    names.insert(storage::base(path));
                }
            }
        }
        return names.size();
    }

    [[nodiscard]] std::vector<Disk> disks() const {
        std::vector<Disk> all;
        for (const auto& machine : world_.machines) {
            all.push_back(machine->disk.dump());
        }
        return all;
    }

    World<Kind>& world_;
    std::vector<Disk> disks_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_REST_HPP
