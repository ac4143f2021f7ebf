// What the programs of the tutorial share: a note, a ring in which every device has every database,
// and nodes whose disk, network and time are simulated.
#ifndef REPLICA_EXAMPLE_TUTORIAL_NODES_HPP
#define REPLICA_EXAMPLE_TUTORIAL_NODES_HPP

#include <replica/replica.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/file_sync.hpp>
#include <replica/sim/transport.hpp>
#include <replica/sim/vfs.hpp>
#include <replica/sqlite/record.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tutorial {

struct Note {
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (std::string, text), (std::int64_t, stars));
};

/// A ring that never changes is its own version.
struct EveryDevice {
    struct None {
        static std::optional<replica::Device> next() { return std::nullopt; }
    };
    std::vector<replica::Device> all;

    [[nodiscard]] EveryDevice version() const { return *this; }
    [[nodiscard]] const std::vector<replica::Device>& devices() const { return all; }
    [[nodiscard]] std::uint32_t partition_count() const { return 1; }
    [[nodiscard]] std::uint32_t partition(std::string_view /*hash*/) const { return 0; }
    [[nodiscard]] std::vector<replica::Device> primaries(std::uint32_t /*partition*/) const {
        return all;
    }
    [[nodiscard]] None handoffs(std::uint32_t /*partition*/) const { return {}; }
};

/// The device "sda" of node 1, 2, 3...
inline replica::Device device_of(std::int64_t number) {
    replica::Device device;
    device.id = number;
    device.replication_ip = "10.0.0." + std::to_string(number);
    device.replication_port = 6201;
    device.device = "sda";
    device.weight = 1;
    return device;
}

/// What simulated nodes share: copies of these are handles on the same.
struct World {
    replica::SimClock clock{};
    replica::SimNetwork network{};
    replica::SimFileSync files{"/srv/node"};
};

/// A machine with one disk, SQLite on it, and a server.
struct Node {
    using Store = replica::BasicRecordBroker<Note, replica::SimDisk, replica::SimClock>;

    Node(const World& shared, std::int64_t number)
        : world(shared), device(device_of(number)), disk(shared.clock),
          vfs("node" + std::to_string(number), disk, 1),
          store(disk, shared.clock, {.vfs = vfs.name()}) {
        disk.mount("/srv/node/sda");
        disk.settle();
        world.files.attach(device.replication_ip, 6201, "sda", disk);
        world.network.serve(device.replication_ip, 6201, [this](const replica::Request& request) {
            return rpc.handle(request);
        });
    }

    [[nodiscard]] auto book(const std::string& name = "mine") {
        return store.open_or_create(settings, EveryDevice{}, device.device, name);
    }

    [[nodiscard]] replica::SimTransport transport() const {
        return {world.network, world.clock, device.replication_ip};
    }

    /// One pass with policies of the caller's.
    template <class Ring, class Transport, class Observer = replica::Silent>
    replica::Stats pass(const Ring& ring, const Transport& using_transport,
                        const Observer& observer = {}) {
        return replica::Replicator(
                   settings, store, ring, using_transport, world.files.from(disk), world.clock,
                   [this](const replica::Device& each) { return each.id == device.id; }, observer)
            .run_once();
    }

    World world;
    replica::Device device;
    replica::Settings settings{};
    replica::SimDisk disk;
    replica::SimVfs vfs;
    Store store;
    replica::RpcServer<Store> rpc{settings, store};
};

} // namespace tutorial

#endif // REPLICA_EXAMPLE_TUTORIAL_NODES_HPP
