#ifndef REPLICA_TEST_SIM_NEMESIS_HPP
#define REPLICA_TEST_SIM_NEMESIS_HPP

// What goes wrong with the machines of a simulated world, one thing after another: each fault lasts
// a while and ends. Where a copy is lost for good, the record is told which rows no machine holds
// any more. Faults of the network are in wire.hpp, rates in config.hpp.

#include "autopsy.hpp"
#include "client.hpp"
#include "leftovers.hpp"
#include "operator.hpp"
#include "stranger.hpp"
#include "world.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

template <class Kind>
class Nemesis {
public:
    using Machine = typename World<Kind>::Machine;

    Nemesis(World<Kind>& world, const Clients<Kind>& clients) : world_(world), clients_(clients) {}

    void begin() {
        world_.fibers.spawn(life_, [this] {
            while (!resting_ && !life_->ended) {
                wait();
                strike();
            }
            if (world_.config.illegible > 0) {
                for (const auto& database : world_.known) {
                    mend_metadata(world_, database);
                }
            }
            rested_ = true;
        });
    }

    void rest() { resting_ = true; }

    /// All go over to the next ring at once, between two passes.
    void change_ring() {
        world_.marks("ring changed at rest");
        const TableRing next = next_ring();
        for (auto& machine : world_.machines) {
            machine->ring.set(next);
        }
    }

    [[nodiscard]] bool rested() const { return rested_; }

    /// What every machine holds now. Empty while a device is away.
    [[nodiscard]] std::vector<Autopsy<Kind>> all() const {
        std::vector<Autopsy<Kind>> found;
        for (const auto& machine : world_.machines) {
            if (std::ranges::count(machine->mounted, false) > 0) {
                return {};
            }
            found.push_back(autopsy<Kind>(machine->disk, world_.clock.now()));
        }
        return found;
    }

    /// Rows of the reconciler's queues that were only on devices that were lost.
    [[nodiscard]] const QueueEntries& lost_entries() const { return lost_entries_; }

    using Versions = std::map<std::string, Version>;

    /// Rows and keys that nobody holds any more, of those that may be lost by what has just
    /// happened.
    template <class May>
    void forgive(May may) {
        const auto found = all();
        for (auto& database : world_.known) {
            const auto forgive_each = [&](auto& all_writes, Versions Copy<Kind>::*where) {
                for (auto& [name, writes] : all_writes) {
                    if (writes.told() && may(database, name, *writes.told()) &&
                        !is_held(found, database.hash, where, name, *writes.told())) {
                        world_.marks("forgiven");
                        writes.forgive();
                    }
                }
            };
            forgive_each(database.record.rows, &Copy<Kind>::versions);
            forgive_each(database.record.metadata, &Copy<Kind>::metadata);
            forgive_each(database.record.ranges, &Copy<Kind>::ranges);
        }
    }

private:
    static bool anything(const typename World<Kind>::Known& /*database*/,
                         const std::string& /*name*/, const Version& /*told*/) {
        return true;
    }

    [[nodiscard]] const typename World<Kind>::Known& some_known() {
        return world_.known[world_.pick(world_.known.size())];
    }

    /// One of a machine's devices.
    [[nodiscard]] std::size_t some_device() {
        return world_.layout.devices > 1 ? world_.pick(world_.layout.devices) : 0;
    }

    [[nodiscard]] TableRing next_ring() {
        const bool within = world_.layout.devices > 1 && world_.pick(2) == 0;
        if (within) {
            world_.marks("ring: to the other device of each machine");
        }
        return world_.ring_of(places_ += within ? world_.layout.machines : 1);
    }

    void wait() {
        world_.clock.advance(
            Seconds(static_cast<double>(world_.config.calm) * 2 * world_.random.fraction()));
    }

    /// Waits for a machine to be at work: most of the time nobody does anything that could be torn.
    void lurk(Machine& machine) {
        machine.ambush = machine.calls + 1 + world_.pick(400);
        machine.ambushed = false;
        world_.fibers.await(machine.ambushed, world_.clock.monotonic() + to_duration(Seconds(60)));
    }

    void strike() {
        const Config& config = world_.config;
        const std::array<std::int64_t, 23> weights{
            config.kill,       config.power,    config.unmount,  config.fill,       config.fail,
            config.slow,       config.wipe,     config.backup,   config.ring,       config.jump,
            config.isolate,    config.transfer, config.rest,     config.rot,        config.undo,
            config.misfiled,   config.journals, config.misnamed, config.miscounted, config.second,
            config.overstated, config.odd,      config.illegible};
        using Member = void (Nemesis::*)(Machine&);
        constexpr Member faults[] = {&Nemesis::kill,
                                     &Nemesis::power,
                                     &Nemesis::unmount,
                                     &Nemesis::fill,
                                     &Nemesis::fail,
                                     &Nemesis::slow,
                                     &Nemesis::wipe,
                                     &Nemesis::backup,
                                     &Nemesis::ring,
                                     &Nemesis::jump,
                                     &Nemesis::isolate,
                                     &Nemesis::transfer,
                                     &Nemesis::let_time_pass,
                                     &Nemesis::rot,
                                     &Nemesis::undo,
                                     &Nemesis::misfile,
                                     &Nemesis::leave_a_journal,
                                     &Nemesis::misname,
                                     &Nemesis::miscount,
                                     &Nemesis::run_second,
                                     &Nemesis::overstate,
                                     &Nemesis::ask,
                                     &Nemesis::spoil};
        if (std::ranges::all_of(weights, [](std::int64_t weight) { return weight == 0; })) {
            return;
        }
        const std::size_t which = world_.pick_by(weights);
        (this->*faults[which])(*world_.machines[world_.pick(world_.machines.size())]);
    }

    void kill(Machine& machine) {
        world_.marks("fault: kill");
        lurk(machine);
        auto& victim = world_.pick(2) == 0 ? machine.server : machine.sender;
        world_.kill(victim);
        wait();
        start(machine);
    }

    void start(Machine& machine) {
        if (!machine.server) {
            world_.start_server(machine);
        }
        if (!machine.sender) {
            world_.start_sender(machine);
        }
    }

    void stop(Machine& machine) {
        world_.kill(machine.sender);
        world_.kill(machine.server);
    }

    void power(Machine& machine) {
        world_.marks("fault: power");
        lurk(machine);
        stop(machine);
        machine.disk.crash(world_.random.next());
        forgive([this](const auto& database, const std::string& row, const Version&) {
            return clients_.unsynced().contains({&database, row});
        });
        if (world_.pick(2) == 0) {
            wait();
        }
        start(machine);
    }

    void unmount(Machine& machine) {
        world_.marks("fault: unmounted");
        lurk(machine);
        const std::size_t device = some_device();
        machine.disk.unmount(Layout::path(device));
        machine.mounted[device] = false;
        wait();
        machine.disk.mount(Layout::path(device));
        machine.mounted[device] = true;
    }

    void fill(Machine& machine) {
        world_.marks("fault: full");
        lurk(machine);
        const std::string device = Layout::path(some_device());
        std::uint64_t used = 0;
        for (const auto& [path, bytes] : files_of(machine, device)) {
            used += bytes.size();
        }
        machine.disk.mount(device, used + world_.pick(100'000));
        wait();
        machine.disk.mount(device);
    }

    void fail(Machine& machine) {
        world_.marks("fault: a call");
        machine.disk.fail_at(1 + world_.pick(500),
                             world_.pick(2) == 0 ? Error::io : Error::no_space);
        wait();
        machine.disk.clear_faults();
    }

    void slow(Machine& machine) {
        world_.marks("fault: slow");
        constexpr SimCall calls[] = {SimCall::vfs_sync, SimCall::vfs_read, SimCall::rename,
                                     SimCall::stat,     SimCall::sync,     SimCall::vfs_lock};
        machine.disk.delay(calls[world_.pick(std::size(calls))], "",
                           Seconds(5 * world_.random.fraction()), 0);
        wait();
        machine.disk.clear_faults();
    }

    /// A new, empty device.
    void wipe(Machine& machine) {
        world_.marks("fault: device replaced");
        const std::string device = Layout::path(some_device());
        world_.fibers.alone([&] {
            stop(machine);
            const auto before = entries();
            empty(machine, device);
            forgive(anything);
            note_lost(before);
        });
        start(machine);
    }

    void undo(Machine& machine) { bring_one_back(world_, machine, Layout::path(some_device())); }

    /// A device is restored as it was some time ago.
    void backup(Machine& machine) {
        const std::string device = Layout::path(some_device());
        const auto kept = backups_.find({machine.number, device});
        if (kept == backups_.end()) {
            backups_[{machine.number, device}] = files_of(machine, device);
            return;
        }
        world_.marks("fault: restored");
        world_.fibers.alone([&] {
            stop(machine);
            const auto before = entries();
            empty(machine, device);
            for (const auto& [path, bytes] : kept->second) {
                if (!path.ends_with('/') && path.find(".brakes/") == std::string::npos) {
                    machine.disk.write(path, bytes);
                }
            }
            machine.disk.settle();
            backups_.erase(kept);
            forgive(anything);
            note_lost(before);
        });
        start(machine);
    }

    using Files = std::map<std::string, std::string>;

    [[nodiscard]] static Files files_of(const Machine& machine, const std::string& device) {
        Files files = machine.disk.dump();
        std::erase_if(files,
                      [&](const auto& file) { return !file.first.starts_with(device + '/'); });
        return files;
    }

    [[nodiscard]] QueueEntries entries() const {
        return world_.config.policies > 0 ? queue_entries(all()) : QueueEntries();
    }

    void note_lost(const QueueEntries& before) {
        const QueueEntries now = entries();
        std::ranges::set_difference(before, now, std::inserter(lost_entries_, lost_entries_.end()));
    }

    static void empty(Machine& machine, const std::string& device) {
        machine.disk.clear_faults();
        for (const auto& entry : machine.disk.list(device)) {
            machine.disk.remove_tree(device + '/' + entry.name);
        }
        machine.disk.settle();
    }

    /// All go over to the next ring, one after another. With stock servers no pass is under way: a
    /// copy that leaves must not vouch for one that leaves by another ring (defect 70).
    void ring(Machine& /*machine*/) {
        world_.marks("fault: ring");
        const TableRing next = next_ring();
        if (world_.config.stock > 0) {
            for (auto& machine : world_.machines) {
                world_.kill(machine->sender);
            }
            for (auto& machine : world_.machines) {
                machine->ring.set(next);
                world_.start_sender(*machine);
            }
            return;
        }
        for (auto& machine : world_.machines) {
            machine->ring.set(next);
            if (world_.pick(2) == 0) {
                wait();
            }
        }
    }

    void jump(Machine& machine) {
        world_.marks("fault: clock");
        const Seconds by(static_cast<double>(world_.config.reclaim_age) *
                         (4 * world_.random.fraction() - 2));
        machine.clock.jump(by);
        wait();
        machine.clock.jump(-by);
    }

    void isolate(Machine& machine) {
        world_.marks("fault: isolated");
        world_.wire.isolate(machine.ip);
        wait();
        wait();
        world_.wire.isolate("");
    }

    void transfer(Machine& /*machine*/) {
        world_.marks("fault: transfer");
        constexpr SimTransferFault faults[] = {SimTransferFault::fail, SimTransferFault::partial,
                                               SimTransferFault::silent};
        world_.files.fail("", faults[world_.pick(3)], 1);
    }

    void rot(Machine& machine) {
        spoil_hash(world_, machine, some_known(), some_device(), ++rotten_);
    }

    void misfile(Machine& machine) {
        leave_other_file(world_, machine, some_known(), some_device());
    }

    void leave_a_journal(Machine& /*machine*/) { leave_journal(world_); }

    void misname(Machine& machine) {
        const auto& database = some_known();
        const std::size_t device = some_device();
        if (const auto id = spoil_id(world_, machine, database, device)) {
            wait();
            mend_id(world_, machine, database, device, *id);
        }
    }

    void miscount(Machine& machine) {
        spoil_sums(world_, machine, some_known(), some_device(), ++rotten_);
    }

    void overstate(Machine& machine) {
        raise_points(world_, machine, some_known(), some_device(),
                     1 + static_cast<std::int64_t>(
                             world_.pick(static_cast<std::size_t>(world_.config.names))));
    }

    void ask(Machine& machine) {
        for (int times = 0; times < 20; ++times) {
            ask_oddly(world_, machine, some_known(), some_device());
        }
    }

    void spoil(Machine& machine) {
        const auto& database = some_known();
        const auto leaving = copy_out_of_place(database);
        const Spot spot = leaving ? *leaving : Spot{machine.number, some_device()};
        if (spoil_metadata(world_, *world_.machines[spot.machine], database, spot.device)) {
            wait();
            mend_metadata(world_, database);
        }
    }

    /// A copy that is about to leave, if there is one.
    [[nodiscard]] std::optional<Spot>
    copy_out_of_place(const typename World<Kind>::Known& database) const {
        for (const Spot spot : world_.layout.spots()) {
            const auto& machine = *world_.machines[spot.machine];
            const TableRing ring = machine.ring.version();
            const bool belongs = std::ranges::any_of(
                ring.primaries(ring.partition(database.hash)), [&](const Device& device) {
                    return device.replication_ip == machine.ip &&
                           device.device == Layout::name(spot.device);
                });
            if (!belongs && machine.disk.glance(world_.path(database, spot.device))) {
                return spot;
            }
        }
        return std::nullopt;
    }

    /// A single pass beside the service, which may be killed.
    void run_second(Machine& machine) {
        if (world_.sends_as_stock(machine)) {
            return;
        }
        world_.marks("fault: a second replicator");
        world_.start_second(machine);
        if (world_.pick(4) == 0) {
            wait();
        } else if (world_.fibers.await(machine.second->resting,
                                       world_.clock.monotonic() + to_duration(Seconds(600)))) {
            world_.marks("a second replicator has ended");
        }
        world_.kill(machine.second);
    }

    /// Deletions come of age.
    void let_time_pass(Machine& /*machine*/) {
        world_.marks("time passes");
        world_.clock.advance(Seconds(static_cast<double>(world_.config.reclaim_age) * 0.6));
    }

    World<Kind>& world_;
    const Clients<Kind>& clients_;
    std::shared_ptr<Life> life_ = std::make_shared<Life>(Life{"nemesis"});
    std::map<std::pair<std::size_t, std::string>, Files> backups_; ///< By machine and device.
    std::size_t places_ = 0; ///< By which the devices of the ring have moved on.
    QueueEntries lost_entries_;
    std::uint64_t rotten_ = 0;
    bool resting_ = false;
    bool rested_ = false;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_NEMESIS_HPP
