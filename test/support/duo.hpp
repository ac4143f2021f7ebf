#ifndef REPLICA_TEST_SUPPORT_DUO_HPP
#define REPLICA_TEST_SUPPORT_DUO_HPP

// Two simulated nodes and one database, for tests of what one of them does with the other: the
// parts of a pass can be called one by one.

#include "cluster.hpp"
#include <replica/send/peer_turn.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

template <class Kind>
struct Duo {
    using Nodes = Cluster<Kind>;
    using Broker = typename Nodes::Broker;
    using PassType = Pass<Broker, TableRing, SimTransport, SimFileSync, SimClock, Journal>;
    using Info = typename Kind::info_type;
    using Row = typename Kind::row_type;

    Duo() { nodes.create(0, name); }

    [[nodiscard]] typename Nodes::Node& here() { return nodes.node(0); }
    [[nodiscard]] typename Nodes::Node& there() { return nodes.node(1); }
    [[nodiscard]] Instant soon() { return nodes.clock().monotonic() + std::chrono::seconds(1); }
    [[nodiscard]] auto open(std::size_t at = 0) { return nodes.open(at, name); }
    [[nodiscard]] std::string path() const { return nodes.path(name); }
    [[nodiscard]] std::string device() const { return std::string(Nodes::root) + "/sda"; }

    /// Asks the other node as a pass would. `leaves`: as a copy that does not belong here.
    Result<decide::Outcome> replicate(bool leaves = false) {
        return with_task(
            [](auto& task, const Device& to) {
                auto outcome = replicate_to_peer(task, to);
                task.record_reached();
                return outcome;
            },
            leaves);
    }

    /// Calls `action(task, peer)`.
    auto with_task(auto action, bool leaves = false) {
        Heartbeat heartbeat;
        auto database =
            here().broker.open(file, nodes.clock().monotonic() + std::chrono::seconds(30));
        const Place found = Place::of(file, Kind::datadir);
        const Device local = nodes.ring().devices()[0];
        const Device remote = nodes.ring().devices()[1];
        DatabaseTurn<PassType> task{pass,     found,           local, heartbeat,
                                    database, database.info(), true,  leaves};
        return action(task, remote);
    }

    /// The verbs that went over the wire since the last look, each with its status.
    [[nodiscard]] std::vector<std::string> said() {
        std::vector<std::string> result;
        for (const SimExchange& exchange : nodes.network().log()) {
            result.push_back(exchange.verb + ' ' + std::to_string(exchange.status));
        }
        nodes.network().clear_log();
        return result;
    }

    [[nodiscard]] Stats stats() const { return pass.counted().first; }

    [[nodiscard]] static SimLink verb(const std::string& verb) { return {{}, {}, verb}; }

    Nodes nodes{2, 2};
    typename Nodes::Name name = nodes.name("a");
    std::string file = path(); ///< Of this node; one with an epoch has another name.
    Settings settings = here().settings;
    SimTransport transport{nodes.network(), nodes.clock(), here().ip};
    SimFileSync files = nodes.files().from(here().disk);
    SimClock clock = nodes.clock();
    Journal journal;
    Random random{5};
    Memory memory;
    std::stop_source stop;
    PassType pass{settings, here().broker, nodes.ring(), transport, files,
                  clock,    journal,       random,       memory,    stop.get_token()};
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_DUO_HPP
