// Two nodes in one process, each with an SQLite replica of one container, become identical. The
// transport is written here: a policy is a plain class. Usage: two_replicas [DIR]

#include <replica/local/file_sync.hpp>
#include <replica/replica.hpp>
#include <replica/ring/json_ring.hpp>
#include <replica/sqlite/container.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>

using namespace replica;

// A request is a call of the receiver.
struct Direct {
    struct Peer {
        RpcServer<ContainerBroker> server;
        Device target;
        const Device& device() const { return target; }
        Result<Reply> send(const Request& request, Instant, const std::stop_token&) {
            return server.handle(request);
        }
    };
    RpcServer<ContainerBroker> server;
    Peer peer(const Device& device) const { return {server, device}; }
};

// An observer: hears why a database or a peer failed, and passes over everything else.
struct Log {
    void operator()(const event::DatabaseFailed& e) const { std::cerr << e.what << '\n'; }
    void operator()(const event::PeerFailed& e) const { std::cerr << e.what << '\n'; }
    void operator()(const auto&) const {}
};

int main(int argc, char** argv) {
    const auto root = std::filesystem::absolute(argc > 1 ? argv[1] : "two-replicas");
    create_directories(root);
    std::ofstream(root / "ring.json") << R"({"part_power": 4, "replicas": 2, "devices": [
        {"id": 0, "ip": "10.0.0.1", "port": 6201, "device": "sda", "weight": 1},
        {"id": 1, "ip": "10.0.0.2", "port": 6201, "device": "sdb", "weight": 1}]})";
    JsonRing<> ring((root / "ring.json").string());

    Settings settings;
    settings.devices = root;
    settings.mount_check = false; // the devices are plain directories
    settings.hash_path_suffix = "a secret of the cluster";
    ContainerBroker broker;

    // A replica on each device, with a row that the other does not have.
    ContainerInfo info;
    info.account = "AUTH_demo";
    info.container = "photos";
    const std::string hash = HashPath{"", settings.hash_path_suffix}(info.name());
    const auto partition = std::to_string(ring.version().partition(hash));
    const auto path_on = [&](const std::string& device) {
        return settings.devices + '/' + device + '/' +
               storage_directory("containers", partition, hash) + '/' + hash + ".db";
    };
    for (const std::string device : {"sda", "sdb"}) {
        if (!std::filesystem::exists(path_on(device))) {
            const auto now = SystemClock().now().internal();
            const ObjectRow row{-1, "only on " + device, now, 1, "text/plain", "etag", 0, 0};
            broker.create(path_on(device), info).put(std::span(&row, 1));
        }
    }

    // One pass of each node; the function says which devices of the ring are the node's.
    for (const std::string node : {"10.0.0.1", "10.0.0.2"}) {
        Replicator replicator(
            settings, broker, ring, Direct{{settings, broker}}, LocalFileSync<>(settings.devices),
            SystemClock(), [&](const Device& device) { return device.ip == node; }, Log());
        replicator.run_once();
    }

    auto one = broker.open(path_on("sda"), Instant::max());
    auto other = broker.open(path_on("sdb"), Instant::max());
    for (const ObjectRow& row : one.items_since(-1, 100)) {
        std::cout << row.name << '\n';
    }
    return one.info().hash == other.info().hash ? 0 : 1;
}
