#ifndef REPLICA_TEST_SUPPORT_TURN_HPP
#define REPLICA_TEST_SUPPORT_TURN_HPP

// The turn of one database on one of five simulated nodes, told in a line per event.

#include "cluster.hpp"
#include <replica/send/replicate.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

using Lines = std::vector<std::string>;
using Names = std::set<std::string>;

/// The story of one database in a line per event; peers by their number. Copies are the same.
class Heard {
public:
    void operator()(const event::DatabaseBegan&) const { add("began"); }
    void operator()(const event::PeerEnded& event) const {
        (*reached_)[event.peer.id] = {event.max_row, event.reached};
        (*failed_)[event.peer.id] = event.failed;
        add(std::to_string(event.peer.id) + (event.success ? " done" : " not done"));
    }
    void operator()(const event::PeerNotMounted& event) const {
        add(std::to_string(event.peer.id) + " not mounted");
    }
    void operator()(const event::NoMoreHandoffs&) const { add("no more handoffs"); }
    void operator()(const event::Removed& event) const {
        add("removed: " + std::string(event.reason));
    }
    void operator()(const event::Kept& event) const { add("kept: " + event.reason); }
    void operator()(const event::WrongHash& event) const { add("wrong hash: " + event.name); }
    void operator()(const event::Misplaced& event) const {
        add("belongs to " + std::to_string(event.partition));
    }
    void operator()(const event::Braked& event) const { add("braked: " + event.device); }
    void operator()(const event::Quarantined& event) const { add("quarantined: " + event.target); }
    void operator()(const event::DatabaseFailed& event) const { add("failed: " + event.what); }
    void operator()(const event::DatabaseEnded& event) const {
        add(event.success ? "ended well" : "ended badly");
    }
    template <class Event>
    void operator()(const Event& /*event*/) const {}

    /// The last row here, and the last one that a peer had after its last turn, if that is known.
    [[nodiscard]] auto reached(std::int64_t peer) const { return reached_->at(peer); }

    /// Whether the peer failed in its last turn.
    [[nodiscard]] bool failed(std::int64_t peer) const { return failed_->at(peer); }

    /// Since the last look.
    [[nodiscard]] Lines lines() const { return std::exchange(*lines_, {}); }

private:
    void add(std::string line) const { lines_->push_back(std::move(line)); }

    using Reached = std::map<std::int64_t, std::pair<std::int64_t, std::optional<std::int64_t>>>;

    std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();
    std::shared_ptr<Reached> reached_ = std::make_shared<Reached>();
    std::shared_ptr<std::map<std::int64_t, bool>> failed_ =
        std::make_shared<std::map<std::int64_t, bool>>();
};

enum class Where {
    primary,
    handoff
};

/// Five nodes, three replicas, and a database on one of the nodes, which has its turn. Partition 3
/// belongs to the nodes 3, 4 and 0; its handoffs are 1 and 2.
template <class Kind>
struct Turn {
    using Nodes = Cluster<Kind>;
    using PassType =
        Pass<typename Nodes::Broker, TableRing, SimTransport, SimFileSync, SimClock, Heard>;

    explicit Turn(Where where = Where::primary) : at(where == Where::primary ? 4 : 1) {
        BOOST_REQUIRE(name.partition == 3U);
        nodes.create(at, name);
        nodes.put(at, name, "row");
    }

    [[nodiscard]] typename Nodes::Node& here() { return nodes.node(at); }
    [[nodiscard]] const Device& device() const { return nodes.ring().devices()[at]; }
    [[nodiscard]] auto open() { return nodes.open(at, name); }
    [[nodiscard]] bool is_here() { return nodes.has(at, name); }
    [[nodiscard]] std::string path() const { return nodes.path(name); }
    [[nodiscard]] Stats stats() const { return pass.counted().first; }
    [[nodiscard]] bool may_quarantine() {
        return memory.hourly.may_quarantine(here().broker, heard, nodes.device_path());
    }

    /// What is heard while it has its turn, in its own partition or in another.
    Lines run() { return run(name.partition); }
    Lines run(std::uint32_t partition) {
        Heartbeat heartbeat;
        replicate_database(pass, Place::of(nodes.path(name, partition), Kind::datadir), device(),
                           heartbeat);
        return heard.lines();
    }

    /// All rows of this database on all nodes.
    [[nodiscard]] Names everywhere() {
        Names all;
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            if (nodes.has(i, name)) {
                all.merge(nodes.names(i, name));
            }
        }
        return all;
    }

    Nodes nodes{5, 3};
    typename Nodes::Name name = nodes.name("a14");
    std::size_t at;
    SimDisk disk = here().disk;
    Settings settings = here().settings;
    SimTransport transport{nodes.network(), nodes.clock(), here().ip};
    SimFileSync files = nodes.files().from(here().disk);
    SimClock clock = nodes.clock();
    Heard heard;
    Random random{5};
    Memory memory;
    std::stop_source stop;
    PassType pass{settings, here().broker, nodes.ring(), transport, files,
                  clock,    heard,         random,       memory,    stop.get_token()};
};

using Container = Turn<ContainerKind>;

inline SimLink verb(const std::string& name, const std::string& to = {}) {
    return {{}, to, name};
}

template <class Kind>
std::string address(Turn<Kind>& turn, std::size_t node) {
    return SimNetwork::address(turn.nodes.node(node).ip, 6201);
}

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_TURN_HPP
