#ifndef REPLICA_TEST_SUPPORT_CLUSTER_HPP
#define REPLICA_TEST_SUPPORT_CLUSTER_HPP

// A cluster of simulated nodes in one thread: each has a disk with one device, a broker, a receiver
// and a replicator, and all share one clock and one network. A scenario writes rows, breaks
// something, runs passes and compares replicas.

#include "table_ring.hpp"
#include <replica/replica.hpp>
#include <replica/sim/broker.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/file_sync.hpp>
#include <replica/sim/transport.hpp>

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

/// Remembers the names of events, with their paths, for a look at what a pass did.
struct Journal {
    std::shared_ptr<std::vector<std::string>> lines = std::make_shared<std::vector<std::string>>();

    template <class Event>
    void operator()(const Event& event) const {
        if constexpr (requires { event.what; }) {
            lines->push_back(std::string(event.what));
        } else if constexpr (requires { event.reason; }) {
            lines->push_back(std::string(event.reason));
        }
    }

    [[nodiscard]] bool mentions(std::string_view text) const {
        return std::ranges::any_of(
            *lines, [&](const std::string& line) { return line.find(text) != std::string::npos; });
    }
};

template <class Server>
class Cluster {
public:
    using Broker = SimBroker<Server>;
    using Info = typename Server::info_type;
    using Row = typename Server::row_type;
    using State = typename Broker::State;
    using Repl = Replicator<Broker, TableRing, SimTransport, SimFileSync, SimClock, Journal>;

    struct Node {
        std::size_t number;
        std::string ip;
        SimClock clock;
        SimDisk disk;
        Broker broker;
        Settings settings;
        Journal journal;
        RpcServer<Broker, Journal> server;
        std::unique_ptr<Repl> replicator;
        bool up = true;
    };

    static constexpr std::uint16_t port = 6201;
    static constexpr const char* root = "/srv/node";

    Cluster(std::size_t nodes, std::size_t replicas, unsigned part_power = 2)
        : ring_(devices(nodes), replicas, part_power), files_(root) {
        for (std::size_t i = 0; i < nodes; ++i) {
            Settings settings;
            settings.concurrency = 1;
            settings.databases_per_second = 0;
            settings.hash_path_suffix = "changeme";
            settings.seed = 100 + i;
            settings.policies = {0, 1};
            add(i, settings);
        }
    }

    [[nodiscard]] Node& node(std::size_t i) { return *nodes_[i]; }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    [[nodiscard]] SimClock& clock() { return clock_; }
    [[nodiscard]] SimNetwork& network() { return network_; }
    [[nodiscard]] SimFileSync& files() { return files_; }
    [[nodiscard]] const TableRing& ring() const { return ring_; }

    /// A database's directory entry: what a test needs to find it on every node.
    struct Name {
        Info info;
        std::string hash;
        std::uint32_t partition;
    };

    [[nodiscard]] Name name(const std::string& account, const std::string& container = "c") const {
        Info info;
        info.account = account;
        if constexpr (requires { info.container; }) {
            info.container = container;
        }
        const std::string hash = HashPath{"", "changeme"}(info.name());
        return {info, hash, ring_.partition(hash)};
    }

    [[nodiscard]] std::string path(const Name& name) const { return path(name, name.partition); }
    [[nodiscard]] std::string path(const Name& name, std::uint32_t partition) const {
        return std::string(root) + "/sda/" +
               storage_directory(Server::datadir, std::to_string(partition), name.hash) + '/' +
               name.hash + ".db";
    }

    /// Nodes that are primaries of a database, in ring order; then the others.
    [[nodiscard]] std::vector<std::size_t> primaries(const Name& name) const {
        std::vector<std::size_t> numbers;
        for (const Device& device : ring_.primaries(name.partition)) {
            numbers.push_back(static_cast<std::size_t>(device.id));
        }
        return numbers;
    }
    [[nodiscard]] std::vector<std::size_t> others(const Name& name) const {
        std::vector<std::size_t> numbers;
        auto handoffs = ring_.handoffs(name.partition);
        while (const auto device = handoffs.next()) {
            numbers.push_back(static_cast<std::size_t>(device->id));
        }
        return numbers;
    }

    void create(std::size_t at, const Name& name) { node(at).broker.create(path(name), name.info); }

    [[nodiscard]] auto open(std::size_t at, const Name& name) {
        return node(at).broker.open(path(name), clock_.monotonic() + std::chrono::seconds(1));
    }

    [[nodiscard]] bool has(std::size_t at, const Name& name) { return state(at, name) != nullptr; }

    [[nodiscard]] std::shared_ptr<const State> state(std::size_t at, const Name& name) {
        return node(at).broker.peek(path(name));
    }

    /// A client's write on one replica, a moment after the last.
    void put(std::size_t at, const Name& name, const std::string& row, std::int64_t size = 1) {
        clock_.advance(Seconds(0.01));
        open(at, name).put(make_row(row, clock_.now(), size, false));
    }
    void erase(std::size_t at, const Name& name, const std::string& row) {
        clock_.advance(Seconds(0.01));
        open(at, name).put(make_row(row, clock_.now(), 0, true));
    }
    void put_many(std::size_t at, const Name& name, const std::string& prefix, int count) {
        std::vector<Row> rows;
        clock_.advance(Seconds(0.01));
        for (int i = 0; i < count; ++i) {
            rows.push_back(make_row(prefix + std::to_string(i), clock_.now(), 1, false));
        }
        open(at, name).put(rows);
    }

    [[nodiscard]] static Row make_row(const std::string& name, Timestamp at, std::int64_t size,
                                      bool deleted) {
        Row row;
        row.name = name;
        row.deleted = deleted ? 1 : 0;
        if constexpr (requires { row.created_at; }) {
            row.created_at = at.internal();
            row.size = size;
            row.content_type = deleted ? "application/deleted" : "text/plain";
            row.etag = deleted ? "noetag" : "etag-" + std::to_string(size);
        } else {
            row.put_timestamp = deleted ? "0000000001.00000" : at.internal();
            row.delete_timestamp = deleted ? at.internal() : "0";
            row.object_count = deleted ? 0 : 1;
            row.bytes_used = deleted ? 0 : size;
        }
        return row;
    }

    /// One pass on one node. A moment passes.
    Stats pass(std::size_t at, const Selection& selection = {}) {
        clock_.advance(Seconds(30));
        return node(at).replicator->run_once({}, selection);
    }

    /// Passes on all nodes that are up, in turn; the sum of what they counted.
    Stats round() {
        Stats sum;
        for (auto& node : nodes_) {
            if (node->up) {
                const Stats stats = pass(node->number);
                boost::hana::for_each(boost::hana::accessors<Stats>(), [&](auto pair) {
                    boost::hana::second(pair)(sum) += boost::hana::second(pair)(stats);
                });
            }
        }
        return sum;
    }

    /// Rounds until one that sends nothing and fails nowhere, at most `most`; how many it took, -1
    /// if they were not enough.
    int settle(int most = 12) {
        for (int i = 1; i <= most; ++i) {
            const Stats stats = round();
            if (stats.failure + stats.rows + stats.rsync + stats.remote_merge + stats.remove +
                    stats.diff_capped + stats.errors ==
                0) {
                return i;
            }
        }
        return -1;
    }

    void down(std::size_t at) {
        node(at).up = false;
        network_.down(node(at).ip, port);
    }
    void up(std::size_t at) {
        node(at).up = true;
        network_.up(node(at).ip, port);
    }

    /// Everything on its device is lost; an empty one is put in.
    void wipe(std::size_t at) {
        node(at).disk.remove_tree(std::string(root) + "/sda/" + std::string(Server::datadir));
    }

    /// A new replicator and receiver on the same disk, as after a restart of the daemon.
    void restart(std::size_t at) {
        Node& it = node(at);
        const Settings settings = it.settings;
        start(it, settings);
    }
    void restart(std::size_t at, const Settings& settings) { start(node(at), settings); }

    /// The rows of a replica without their ROWIDs, which legitimately differ, by name.
    [[nodiscard]] std::vector<Row> rows(std::size_t at, const Name& name) {
        std::vector<Row> result;
        const auto now = state(at, name);
        BOOST_REQUIRE_MESSAGE(now, "node " << at << " has no copy of " << name.hash);
        for (auto [rowid, row] : now->rows) {
            row.rowid = -1;
            result.push_back(row);
        }
        std::ranges::sort(result, {}, &Row::name);
        return result;
    }

    [[nodiscard]] std::set<std::string> names(std::size_t at, const Name& name) {
        std::set<std::string> result;
        for (const Row& row : rows(at, name)) {
            if (row.deleted == 0) {
                result.insert(row.name);
            }
        }
        return result;
    }

    /// Every primary has the same rows, columns, times, metadata and sums, and nobody else has any.
    void require_identical(const Name& name) {
        const auto places = primaries(name);
        const auto first = rows(places[0], name);
        const Info info = state(places[0], name)->info();
        for (const std::size_t at : places) {
            BOOST_TEST((rows(at, name) == first), "node " << at << " differs in its rows");
            const Info other = state(at, name)->info();
            BOOST_TEST(other.hash == info.hash);
            BOOST_TEST(other.count == info.count);
            BOOST_TEST(other.bytes_used == info.bytes_used);
            BOOST_TEST((sorted(other.metadata) == sorted(info.metadata)));
            BOOST_TEST((other.timestamps() == info.timestamps()));
            if constexpr (requires { info.storage_policy_index; }) {
                BOOST_TEST(other.storage_policy_index == info.storage_policy_index);
            }
        }
        for (const std::size_t at : others(name)) {
            BOOST_TEST(!has(at, name), "node " << at << " still has a copy");
        }
    }

private:
    /// Metadata without the order of its keys, which says nothing.
    [[nodiscard]] static std::map<std::string, std::string> sorted(const std::string& metadata) {
        std::map<std::string, std::string> result;
        if (!metadata.empty()) {
            const boost::json::value value = json::parse(metadata);
            for (const auto& [key, pair] : value.as_object()) {
                result[key] = boost::json::serialize(pair);
            }
        }
        return result;
    }

    [[nodiscard]] static std::string ip(std::size_t i) { return "10.0.0." + std::to_string(i + 1); }

    [[nodiscard]] static std::vector<Device> devices(std::size_t count) {
        std::vector<Device> devices;
        for (std::size_t i = 0; i < count; ++i) {
            Device device;
            device.id = static_cast<std::int64_t>(i);
            device.ip = device.replication_ip = ip(i);
            device.port = device.replication_port = port;
            device.device = "sda";
            device.weight = 100;
            devices.push_back(device);
        }
        return devices;
    }

    void add(std::size_t i, const Settings& settings) {
        SimDisk disk(clock_);
        disk.mount(std::string(root) + "/sda");
        disk.settle();
        Broker broker(disk, clock_, "node" + std::to_string(i));
        Journal journal;
        nodes_.push_back(std::make_unique<Node>(
            Node{i, ip(i), clock_, disk, broker, settings, journal,
                 RpcServer<Broker, Journal>(settings, broker, journal), nullptr}));
        files_.attach(ip(i), port, "sda", disk);
        start(*nodes_.back(), settings);
    }

    void start(Node& it, const Settings& settings) {
        it.settings = settings;
        it.server = RpcServer<Broker, Journal>(settings, it.broker, it.journal);
        network_.serve(it.ip, port, [server = it.server](const Request& request) mutable {
            return server.handle(request);
        });
        it.replicator = std::make_unique<Repl>(
            settings, it.broker, ring_, SimTransport(network_, clock_, it.ip), files_.from(it.disk),
            clock_, [ip = it.ip](const Device& device) { return device.replication_ip == ip; },
            it.journal);
    }

    SimClock clock_;
    TableRing ring_;
    SimNetwork network_;
    SimFileSync files_;
    std::vector<std::unique_ptr<Node>> nodes_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_CLUSTER_HPP
