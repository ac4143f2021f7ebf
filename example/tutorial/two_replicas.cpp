// Two replicas in one process: a directory each, and a transport that is a call of the other side.

#include <replica/local/file_sync.hpp>
#include <replica/replica.hpp>
#include <replica/ring/full_ring.hpp>
#include <replica/sqlite/record.hpp>

#include <filesystem>
#include <iostream>

using namespace replica;

struct Note { // the first member is the key
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (std::string, text), (std::int64_t, stars));
};
using Store = RecordBroker<Note>;

// A request is a call of the receiver.
struct Direct {
    struct Peer {
        RpcServer<Store> server;
        Device target;
        const Device& device() const { return target; }
        Result<Reply> send(const Request& request, Instant, const std::stop_token&) {
            return server.handle(request);
        }
    };
    RpcServer<Store> server;
    Peer peer(const Device& device) const { return {server, device}; }
};

int main() {
    Settings settings;
    settings.devices = std::filesystem::absolute("two-notebooks").string();
    settings.mount_check = false; // the devices are plain directories
    Device left;                  // a directory below settings.devices
    left.id = 1;
    left.device = "left";
    Device right = left;
    right.id = 2;
    right.device = "right";
    const FullRing ring({left, right});

    Store store;
    for (const Device& each : ring.devices()) {
        std::filesystem::create_directories(settings.devices + '/' + each.device);
    }
    const auto book = [&](const std::string& device) {
        return store.open_or_create(settings, ring, device, "mine");
    };
    book("left").put({"milk", "buy milk", 1});
    book("right").put({"ann", "call Ann", 2});
    for (const Device& own : ring.devices()) {
        Replicator(settings, store, ring, Direct{{settings, store}},
                   LocalFileSync<>(settings.devices), SystemClock(),
                   [&](const Device& each) { return each.id == own.id; })
            .run_once();
    }
    std::cout << book("left").list().size() << " notes on the left, " //
              << book("right").list().size() << " on the right\n";
    return book("left").info().hash == book("right").info().hash ? 0 : 1;
}
