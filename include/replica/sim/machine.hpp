#ifndef REPLICA_SIM_MACHINE_HPP
#define REPLICA_SIM_MACHINE_HPP

// Machines for a test of a host program that replicates a struct of its own. Each has one disk with
// SQLite on it, a server and a replicator; network, disks and time are simulated, in one thread. A
// test loses a request, cuts the power or lets an hour go by, and is the same every time:
//
//   const SimWorld world;
//   SimMachine<Note> one(world, 1);
//   SimMachine<Note> other(world, 2);
//   one.open("mine").put({"milk", "buy milk", 1});
//   one.disk.crash();
//   one.pass(FullRing({one.device, other.device}));
//
// A program with several stores, or several disks on a machine, makes the like from the parts.

#include <replica/observer.hpp>
#include <replica/replicator.hpp>
#include <replica/ring.hpp>
#include <replica/ring/full_ring.hpp>
#include <replica/rpc.hpp>
#include <replica/settings.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/file_sync.hpp>
#include <replica/sim/network.hpp>
#include <replica/sim/transport.hpp>
#include <replica/sim/vfs.hpp>
#include <replica/sqlite/record.hpp>
#include <replica/stats.hpp>
#include <replica/transport.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

namespace replica {

/// What simulated machines share: copies are handles on the same. Thread safety: as the members.
struct SimWorld {
    static constexpr const char* devices = "/srv/node"; ///< Settings::devices of each machine.

    SimClock clock{};           ///< The time of all machines; `advance` lets it go by.
    SimNetwork network{};       ///< Loses requests, and switches machines off.
    SimFileSync files{devices}; ///< Carries whole files between the machines.
};

/// A simulated machine with a store of records. The ring's device for it is `device`: "sda" below
/// "/srv/node", at 10.0.0.N for machine N, port 6201. Errors as of the parts: Failure. Thread
/// safety: one thread for all machines of a world.
template <Record T>
class SimMachine {
public:
    using Store = BasicRecordBroker<T, SimDisk, SimClock>; ///< What a test opens stores with.

    /// Machine `number` of a world, 1 to 254; no two of one world have the same. `own_settings` are
    /// those of the program; the directory of the devices becomes that of the world.
    SimMachine(const SimWorld& shared, std::int64_t number, Settings own_settings = {})
        : world(shared), device(device_of(number)), settings(placed(std::move(own_settings))),
          disk(shared.clock), vfs(unused_name(), disk, static_cast<std::uint64_t>(number)),
          store(disk, shared.clock, {.vfs = vfs.name()}), server_(settings, store) {
        disk.mount(settings.devices + '/' + device.device);
        disk.settle();
        world.files.attach(device.replication_ip, device.replication_port, device.device, disk);
        world.network.serve(device.replication_ip, device.replication_port,
                            [this](const Request& request) { return server_.handle(request); });
    }
    SimMachine(const SimMachine&) = delete; // the network calls this one
    SimMachine& operator=(const SimMachine&) = delete;
    ~SimMachine() { world.network.serve(device.replication_ip, device.replication_port, {}); }

    /// The ring's device for machine `number`.
    [[nodiscard]] static Device device_of(std::int64_t number) {
        Device device;
        device.id = number;
        device.replication_ip = "10.0.0." + std::to_string(number);
        device.replication_port = 6201;
        device.device = "sda";
        device.weight = 1;
        return device;
    }

    /// The store `name`, made if it is not here yet, under FullRing. For a ring of one's own call
    /// `store.open_or_create`.
    [[nodiscard]] auto open(const std::string& name) {
        return store.open_or_create(settings, FullRing({device}), device.device, name);
    }

    /// The requests of this machine. Decorators take it (decorators.hpp).
    [[nodiscard]] SimTransport transport() const {
        return {world.network, world.clock, device.replication_ip};
    }

    /// One pass over all that is on this machine, by a transport of the caller's.
    template <Ring R, Transport By, Observer O = Silent>
    Stats pass(const R& ring, const By& by, const O& observer = {}) {
        return Replicator(
                   settings, store, ring, by, world.files.from(disk), world.clock,
                   [this](const Device& each) { return each.id == device.id; }, observer)
            .run_once();
    }

    /// One pass by transport().
    template <Ring R, Observer O = Silent>
        requires(!Transport<O>)
    Stats pass(const R& ring, const O& observer = {}) {
        return pass(ring, transport(), observer);
    }

    /// Nobody on the network reaches the machine until switch_on(). Its own requests still go out.
    void switch_off() const { world.network.down(device.replication_ip, device.replication_port); }
    /// See switch_off().
    void switch_on() const { world.network.up(device.replication_ip, device.replication_port); }

    SimWorld world;    ///< What the machine was made with.
    Device device;     ///< For rings.
    Settings settings; ///< As given, with the world's directory of devices.
    SimDisk disk;      ///< Makes a call fail (`fail_at`), and loses power (`crash`).
    SimVfs vfs;        ///< The same disk for SQLite.
    Store store;       ///< For other rings and paths than those of open().

private:
    [[nodiscard]] static Settings placed(Settings settings) {
        settings.devices = SimWorld::devices;
        return settings;
    }

    /// SQLite knows a file system by its name in the whole process.
    [[nodiscard]] static std::string unused_name() {
        static std::atomic<std::uint64_t> made = 0;
        return "sim-machine-" + std::to_string(++made);
    }

    RpcServer<Store> server_;
};

} // namespace replica

#endif // REPLICA_SIM_MACHINE_HPP
