// A note book on three nodes that talk over HTTP. Each node writes to its own copy, and makes one
// pass. Afterwards every copy has all notes, each in its newest state. Usage: notes [DIR]

#include <replica/beast/server.hpp>
#include <replica/beast/transport.hpp>
#include <replica/local/file_sync.hpp>
#include <replica/replica.hpp>
#include <replica/ring/json_ring.hpp>
#include <replica/sqlite/record.hpp>

#include <boost/hana/define_struct.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>

using namespace replica;

struct Note { // the first member is the key
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (std::string, text), (std::int64_t, stars));
};

struct Node {
    Settings settings;
    std::string device; // the directory of this node
    RecordBroker<Note> store{};
    RpcServer<RecordBroker<Note>> rpc{settings, store};
    BeastServer server{{.ip = "127.0.0.1"}, [this](const Request& r) { return rpc.handle(r); }};

    auto book(auto& ring) {
        return store.open_or_create(store.path(settings, ring.version(), device, "mine"), "mine");
    }
    void pass(auto& ring) {
        const auto is_own = [this](const Device& each) { return each.device == device; };
        Replicator(settings, store, ring, BeastTransport(), LocalFileSync<>(settings.devices),
                   SystemClock(), is_own)
            .run_once();
    }
};

int main(int argc, char** argv) {
    const auto root = std::filesystem::absolute(argc > 1 ? argv[1] : "notes-demo").string();
    Settings settings;
    settings.devices = root;
    settings.mount_check = false; // the devices are plain directories
    Node nodes[] = {{settings, "one"}, {settings, "two"}, {settings, "three"}};
    std::string list = R"({"part_power": 4, "replicas": 3, "devices": [)";
    for (const Node& node : nodes) {
        std::filesystem::create_directories(root + '/' + node.device);
        list += R"({"ip": "127.0.0.1", "weight": 1, "id": )" + std::to_string(&node - nodes) +
                R"(, "port": )" + std::to_string(node.server.port()) + R"(, "device": ")" +
                node.device + (node.device == "three" ? "\"}]}" : "\"}, ");
    }
    std::ofstream(root + "/ring.json") << list;
    JsonRing<> ring(root + "/ring.json");

    nodes[0].book(ring).put({"milk", "buy milk", 1});
    nodes[1].book(ring).put({"milk", "buy oat milk", 2}); // later, so this one stays
    nodes[2].book(ring).put({"ann", "call Ann", 3});
    for (Node& node : nodes) {
        node.pass(ring);
    }
    auto last = nodes[2].book(ring);
    for (const Note& note : last.list()) {
        std::cout << note.id << ": " << note.text << '\n';
    }
    return last.info().hash == nodes[0].book(ring).info().hash ? 0 : 1;
}
