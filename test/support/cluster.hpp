#ifndef REPLICA_TEST_SUPPORT_CLUSTER_HPP
#define REPLICA_TEST_SUPPORT_CLUSTER_HPP

// A cluster of simulated nodes in one thread: each has a disk with one device, a shipped broker, a
// receiver and a replicator, and all share one clock and one network. A scenario writes rows,
// breaks something, runs passes and compares replicas.

#include "sqlite_store.hpp"
#include "story_cluster.hpp"
#include <replica/replica.hpp>
#include <replica/send/first_of.hpp>
#include <replica/send/push_file.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/feed.hpp>
#include <replica/sim/file_sync.hpp>
#include <replica/sim/transport.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

template <class Kind>
class Cluster : public StoryCluster<Cluster<Kind>, Kind> {
    using Base = StoryCluster<Cluster<Kind>, Kind>;

public:
    using Broker = typename SqliteStore<Kind>::Broker;
    using Files = FirstOf<PushFileSync<SimTransport, SimClock>, SimFileSync>;
    using Repl = Replicator<Broker, TableRing, SimTransport, Files, SimClock, Journal, SimFeed>;
    using Base::path;
    using typename Base::Name;
    using typename Base::Row;

    struct Node {
        std::size_t number;
        std::string ip;
        TableRing ring;
        SimClock clock; ///< Its wall clock can be set apart from those of others.
        SimDisk disk;
        SqliteStore<Kind> store; ///< Must outlive all databases.
        Broker broker;
        Settings settings;
        Journal journal;
        SimFeed feed; ///< Since its replicator was started.
        RpcServer<Broker, Journal> server;
        std::unique_ptr<Repl> replicator;
        bool up = true;
    };

    static constexpr std::uint16_t port = 6201;
    static constexpr const char* root = "/srv/node";

    Cluster(std::size_t nodes, std::size_t replicas, unsigned part_power = 2,
            Steps steps = Steps::one)
        : ring_(devices(nodes), replicas, part_power, steps), files_(root) {
        for (std::size_t i = 0; i < nodes; ++i) {
            add(i, Base::settings_of(i));
        }
    }

    [[nodiscard]] Node& node(std::size_t i) { return *nodes_[i]; }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    [[nodiscard]] SimClock& clock() { return clock_; }
    [[nodiscard]] SimNetwork& network() { return network_; }
    [[nodiscard]] SimFileSync& files() { return files_; }
    [[nodiscard]] const TableRing& ring() const { return ring_; }

    /// The same on every node.
    [[nodiscard]] std::string device_path(std::size_t /*at*/ = 0) const {
        return std::string(root) + "/sda";
    }
    [[nodiscard]] std::string path(const Name& name) const { return path(0, name); }
    [[nodiscard]] std::string path(const Name& name, std::uint32_t partition) const {
        return path(0, name, partition);
    }

    [[nodiscard]] bool has(std::size_t at, const Name& name) {
        return node(at).store.has(path(name));
    }
    [[nodiscard]] auto info(std::size_t at, const Name& name) {
        return node(at).store.info(path(name));
    }
    [[nodiscard]] std::vector<Row> stored(std::size_t at, const Name& name) {
        return node(at).store.stored(path(name));
    }
    void check(std::size_t at, const Name& name) {
        BOOST_TEST(node(at).store.is_sound(path(name)), "node " << at << " has a wrong hash");
    }

    /// Nobody answers on this node's port.
    void down(std::size_t at) {
        node(at).up = false;
        network_.down(node(at).ip, port);
    }
    void up(std::size_t at) {
        node(at).up = true;
        network_.up(node(at).ip, port);
    }

    void unmount(std::size_t at) { node(at).disk.unmount(device_path()); }
    void mount(std::size_t at) { node(at).disk.mount(device_path()); }

    /// Everything on its device is lost; an empty one is put in.
    void wipe(std::size_t at) {
        node(at).disk.remove_tree(device_path() + '/' + std::string(Kind::datadir));
    }

    /// A new replicator and receiver on the same disk, as after a restart of the daemon.
    void restart(std::size_t at) {
        Node& it = node(at);
        const Settings settings = it.settings;
        start(it, settings);
    }
    void restart(std::size_t at, const Settings& settings) { start(node(at), settings); }

    /// From now on this node sends whole files to the other one without rsync.
    void pushes(std::size_t at, std::size_t /*to*/) {
        node(at).settings.push_files = true;
        restart(at);
    }

    [[nodiscard]] const TableRing& ring_of(std::size_t at) { return node(at).ring; }

    /// From now on this node goes by another ring.
    void reassign(std::size_t at, const TableRing& ring) {
        node(at).ring = ring;
        restart(at);
    }

    /// Calls `action` after each request with this verb, before its sender goes on.
    void after(const std::string& verb, const std::function<void()>& action) {
        network_.after([=](const SimExchange& exchange, const Request&) {
            if (exchange.verb == verb) {
                action();
            }
        });
    }

    /// Calls `action` before each request with this verb reaches its receiver.
    void before(const std::string& verb, const std::function<void()>& action) {
        network_.before([=](const SimExchange& exchange, const Request&) {
            if (exchange.verb == verb) {
                action();
            }
        });
    }

    /// The power of this node fails, and comes back: what was not synced is lost in part, and its
    /// programs start anew.
    void cut_power(std::size_t at, std::uint64_t seed) {
        node(at).disk.crash(seed);
        restart(at);
    }

    /// From now on the file is as broken as that.
    void damage(std::size_t at, const Name& name, Error error) {
        node(at).store.damage(path(name), error);
    }

    /// The row is gone from this copy, and nothing but the contents tells.
    void lose(std::size_t at, const Name& name, const std::string& row) {
        node(at).store.lose(path(name), row);
    }

    /// A server acknowledges a row that it has not committed yet.
    void put_pending(std::size_t at, const Name& name, const std::string& row) {
        node(at).store.put_pending(path(name), {Base::next_row(row, 1, false)});
    }

    /// The account knows the times of this replica.
    void reported(std::size_t at, const Name& name) { node(at).store.reported(path(name)); }

    /// Whether there is anything at a path of a node's.
    [[nodiscard]] bool exists(std::size_t at, const std::string& what) {
        return node(at).disk.stat(what).has_value();
    }

    /// Every path on the device of a node with its bytes.
    [[nodiscard]] std::map<std::string, std::string> dump(std::size_t at) {
        return node(at).disk.dump();
    }

private:
    [[nodiscard]] static std::string ip(std::size_t i) { return "10.0.0." + std::to_string(i + 1); }

    [[nodiscard]] static std::vector<Device> devices(std::size_t count) {
        std::vector<Device> devices;
        for (std::size_t i = 0; i < count; ++i) {
            devices.push_back(Base::device_of(i, ip(i), port));
        }
        return devices;
    }

    void add(std::size_t i, const Settings& settings) {
        const SimClock clock = clock_.apart(Seconds(0));
        SimDisk disk(clock_);
        disk.mount(device_path());
        disk.settle();
        SqliteStore<Kind> store(disk, clock, i);
        const Broker broker = store.broker();
        Journal journal;
        nodes_.push_back(std::make_unique<Node>(
            Node{i, ip(i), ring_, clock, disk, std::move(store), broker, settings, journal,
                 SimFeed(disk, clock_), RpcServer<Broker, Journal>(settings, broker, journal),
                 nullptr}));
        files_.attach(ip(i), port, "sda", disk);
        start(*nodes_.back(), settings);
    }

    void start(Node& it, const Settings& settings) {
        it.settings = settings;
        it.feed = SimFeed(it.disk, clock_);
        it.replicator = std::make_unique<Repl>(
            settings, it.broker, it.ring, SimTransport(network_, clock_, it.ip),
            Files({SimTransport(network_, clock_, it.ip), settings, it.clock},
                  files_.from(it.disk)),
            it.clock, [ip = it.ip](const Device& device) { return device.replication_ip == ip; },
            it.journal, it.feed);
        it.server =
            RpcServer<Broker, Journal>(settings, it.broker, it.journal, it.replicator->doubts());
        it.server.summarise_by([&it](const std::string& device, std::int64_t peer,
                                     std::size_t cells) -> std::optional<Summary> {
            return it.replicator ? std::optional(it.replicator->summary(device, peer, cells))
                                 : std::nullopt;
        });
        network_.serve(it.ip, port, [server = it.server](const Request& request) mutable {
            return server.handle(request);
        });
        network_.serves_ours(it.ip, port);
    }

    SimClock clock_;
    TableRing ring_;
    SimNetwork network_;
    SimFileSync files_;
    std::vector<std::unique_ptr<Node>> nodes_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_CLUSTER_HPP
