// A note book on three nodes that talk over HTTP. Two write to copies of their own, the third has
// none yet, and each makes one pass. Afterwards all copies have all notes in their newest state.

#include <replica/beast/server.hpp>
#include <replica/beast/transport.hpp>
#include <replica/failure_lines.hpp>
#include <replica/replica.hpp>
#include <replica/ring/json_ring.hpp>
#include <replica/send/push_file.hpp>
#include <replica/sqlite/record.hpp>

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

    auto book(auto& ring) { return store.open_or_create(settings, ring, device, "mine"); }
    void pass(auto& ring) {
        BeastTransport transport(BeastOptions::among_ours()); // whole files go by it, too
        Replicator(
            settings, store, ring, transport, PushFileSync(transport, settings), SystemClock(),
            [&](const Device& each) { return each.device == device; },
            FailureLines([](const std::string& line) { std::cerr << line << '\n'; }))
            .run_once();
    }
};

int main() {
    Settings settings;
    settings.devices = std::filesystem::absolute("notes-demo").string();
    settings.mount_check = false; // the devices are plain directories
    Node nodes[] = {{settings, "1"}, {settings, "2"}, {settings, "3"}};
    std::string devices;
    for (const Node& node : nodes) {
        std::filesystem::create_directories(settings.devices + '/' + node.device);
        devices += R"({"id": )" + node.device + R"(, "device": ")" + node.device +
                   R"(", "ip": "127.0.0.1", "port": )" + std::to_string(node.server.port()) + "}, ";
    }
    std::ofstream("notes-ring.json")
        << R"({"part_power": 4, "replicas": 3, "devices": [)" << devices << "null]}";
    JsonRing<> ring("notes-ring.json");
    nodes[0].book(ring).put({"ann", "call Ann", 3});
    nodes[0].book(ring).put({"milk", "buy milk", 1});
    nodes[1].book(ring).put({"milk", "buy oat milk", 2}); // later, so this one stays
    for (Node& node : nodes) {
        node.pass(ring);
    }
    std::cout << nodes[0].book(ring).list().size()
              << " notes; milk: " << nodes[0].book(ring).get("milk")->text << '\n';
    return nodes[2].book(ring).info().hash == nodes[0].book(ring).info().hash ? 0 : 1;
}
