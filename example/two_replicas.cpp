// Two SQLite replicas of one container, on two devices of this machine, become identical. The
// transport is written here: a policy is a plain class. Usage: two_replicas [DIR]

#include <replica/local/file_sync.hpp>
#include <replica/replica.hpp>
#include <replica/ring/json_ring.hpp>
#include <replica/sqlite/container.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>

using namespace replica;

// Hands a request straight to the receiver in the same process.
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

int main(int argc, char** argv) {
    const std::filesystem::path root = argc > 1 ? argv[1] : "two-replicas";
    create_directories(root / "sda");
    create_directories(root / "sdb");
    std::ofstream(root / "ring.json") << R"({"part_power": 4, "replicas": 2, "devices": [
        {"id": 0, "ip": "127.0.0.1", "port": 6201, "device": "sda", "weight": 1},
        {"id": 1, "ip": "127.0.0.1", "port": 6201, "device": "sdb", "weight": 1}]})";

    Settings settings;
    settings.devices = absolute(root);
    settings.mount_check = false;
    settings.hash_path_suffix = "a secret of the cluster";
    JsonRing<> ring((root / "ring.json").string());
    ContainerBroker broker;

    // A copy on each device, with rows that the other does not have.
    ContainerInfo info;
    info.account = "AUTH_demo";
    info.container = "photos";
    const std::string hash = HashPath{"", settings.hash_path_suffix}(info.name());
    const auto partition = std::to_string(ring.version().partition(hash));
    std::vector<std::string> paths;
    for (const std::string device : {"sda", "sdb"}) {
        paths.push_back(settings.devices + '/' + device + '/' +
                        storage_directory("containers", partition, hash) + '/' + hash + ".db");
        if (!std::filesystem::exists(paths.back())) {
            auto database = broker.create(paths.back(), info);
            const auto now = SystemClock().now().internal();
            const ObjectRow row{-1, "only on " + device, now, 1, "text/plain", "etag", 0, 0};
            database.put(std::span(&row, 1));
        }
    }

    Replicator replicator(settings, broker, ring, Direct{{settings, broker}},
                          LocalFileSync<>(settings.devices), SystemClock(),
                          [](const Device&) { return true; });
    replicator.run_once();

    for (const std::string& path : paths) {
        auto database = broker.open(path, SystemClock().monotonic() + std::chrono::seconds(5));
        std::cout << path << ": " << database.info().hash << '\n';
        for (const ObjectRow& row : database.items_since(-1, 100)) {
            std::cout << "  " << row.name << '\n';
        }
    }
    return broker.open(paths[0], Instant::max()).info().hash ==
                   broker.open(paths[1], Instant::max()).info().hash
               ? 0
               : 1;
}
