#ifndef REPLICA_TEST_SIM_REST_HPP
#define REPLICA_TEST_SIM_REST_HPP

// What a simulated world may cost once it is at rest: a round of passes asks each peer of each copy
// once and writes nothing.

#include "record.hpp"
#include "world.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
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

    /// The round that began with this object has ended. Throws Violation.
    void end() const {
        const auto copies = world_.known.size() * static_cast<std::size_t>(world_.config.replicas);
        const auto asked = world_.network.log();
        if (asked.size() > copies * static_cast<std::size_t>(world_.config.replicas - 1)) {
            throw Violation("at rest: " + std::to_string(asked.size()) + " requests for " +
                            std::to_string(copies) + " copies");
        }
        for (const SimExchange& exchange : asked) {
            if (exchange.verb != "sync") {
                throw Violation("at rest: " + exchange.verb + " to " + exchange.to);
            }
        }
        const auto now = disks();
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
