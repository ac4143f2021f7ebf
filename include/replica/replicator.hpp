#ifndef REPLICA_REPLICATOR_HPP
#define REPLICA_REPLICATOR_HPP

// The pass, top to bottom: which devices are on this machine, which databases are on them, and how
// many run at once. Each step has a header: send/walk.hpp finds the databases, send/replicate.hpp
// replicates one of them, send/peer_turn.hpp to one peer; send/decide.hpp chooses, send/usync.hpp
// and send/rsync.hpp send, storage/storage.hpp removes, stats.hpp counts.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/observer.hpp>
#include <replica/requirements.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/device_walk.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/replicate.hpp>
#include <replica/send/walk.hpp>
#include <replica/send/workers.hpp>
#include <replica/settings.hpp>
#include <replica/storage/storage.hpp>
#include <replica/storage/sweep.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/seed.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// Limits a pass to some devices (by name) and partitions; empty means all. Such a pass is partial:
/// its figures say nothing of the node (defect 61).
struct Selection {
    std::set<std::string> devices;
    std::set<std::uint32_t> partitions;

    [[nodiscard]] bool partial() const { return !devices.empty() || !partitions.empty(); }
};

/// Keeps the databases of this machine's devices identical with their replicas elsewhere.
///
/// The policies are held by value; `is_local` tells which devices of the ring are on this machine.
/// Thread safety: one pass at a time. The destructor does not wait for a thread that hangs in a
/// dead disk: whatever such a thread uses lives until the thread ends.
template <class B, class R, class T, class F, class C, class O = Silent>
class Replicator {
    static_assert(requirements::broker_policy<B>() && Broker<B>, "Broker: see broker.hpp");
    static_assert(requirements::ring_policy<R>() && Ring<R>, "Ring: see ring.hpp");
    static_assert(requirements::transport_policy<T>() && Transport<T>,
                  "Transport: see transport.hpp");
    static_assert(requirements::file_sync_policy<F>() && FileSync<F>,
                  "FileSync: see file_sync.hpp");
    static_assert(requirements::clock_policy<C>() && Clock<C>, "Clock: see clock.hpp");
    static_assert(Observer<O>, "Observer: see observer.hpp");

    using Version = decltype(std::declval<R&>().version());
    using PassType = Pass<B, Version, T, F, C, O>;
    using kind_type = typename B::kind_type;
    using Work = typename Workers<C>::Work;

public:
    using IsLocal = std::function<bool(const Device&)>;

    /// Throws Failure with bad_config if a setting is out of bounds (first_fault, defect 13).
    Replicator(Settings settings, B broker, R ring, T transport, F files, C clock, IsLocal is_local,
               O observer = {})
        : core_(std::make_shared<Core>(std::move(settings), std::move(broker), std::move(ring),
                                       std::move(transport), std::move(files), std::move(clock),
                                       std::move(is_local), std::move(observer))) {
        if (const auto fault = first_fault(core_->settings); !fault.empty()) {
            throw Failure(Error::bad_config, std::string(fault) + ": out of bounds");
        }
    }

    /// Runs passes until `stop`, one every Settings::interval (Swift: run_forever). The first pass
    /// begins after a random part of the interval, so that a cluster does not start all at once.
    void run_forever(const std::stop_token& stop) {
        Core& core = *core_;
        const Seconds interval = core.settings.interval;
        core.clock.sleep_until(
            core.clock.monotonic() + to_duration(interval * core.random.fraction()), stop);
        while (!stop.stop_requested()) {
            const Instant began = core.clock.monotonic();
            (void)run_once(stop);
            core.clock.sleep_until(began + to_duration(interval), stop);
        }
    }

    /// One pass over this machine's devices (Swift: run_once). Never throws: what goes wrong with a
    /// device, a database or a peer is counted in the result and told to the observer.
    Stats run_once(const std::stop_token& stop = {}, const Selection& selection = {}) {
        const auto core = core_;
        try {
            return pass(core, stop, selection);
        } catch (const std::exception& failure) {
            const std::string what = failure.what();
            core->observer(event::PassFailed{what});
            Stats stats;
            stats.errors = 1;
            return stats;
        }
    }

    /// What is known of databases at rest (send/ledger.hpp), for remember() of a later replicator
    /// of this machine. Not during a pass.
    [[nodiscard]] std::string known() const { return core_->memory.ledgers.text(); }

    /// Takes over what known() has returned. Before the first pass. False for any other text.
    bool remember(std::string_view known) { return core_->memory.ledgers.read(known); }

private:
    struct Core {
        Core(Settings settings_, B broker_, R ring_, T transport_, F files_, C clock_,
             IsLocal is_local_, O observer_)
            : settings(with_seed(std::move(settings_))), broker(std::move(broker_)),
              ring(std::move(ring_)), transport(std::move(transport_)), files(std::move(files_)),
              clock(std::move(clock_)), observer(std::move(observer_)),
              is_local(std::move(is_local_)), random(settings.seed),
              pacer(clock, settings.databases_per_second),
              looks(clock, settings.databases_per_second * settings.recheck_passes) {}

        Settings settings;
        [[no_unique_address]] B broker;
        [[no_unique_address]] R ring;
        [[no_unique_address]] T transport;
        [[no_unique_address]] F files;
        [[no_unique_address]] C clock;
        [[no_unique_address]] O observer;
        IsLocal is_local;
        Random random;
        Pacer<C> pacer; ///< Of databases that are opened.
        Pacer<C> looks; ///< Of those that are only looked at.
        Memory memory;
    };

    /// What the threads of one pass share. A thread that hangs keeps it alive.
    struct Shared {
        Shared(std::shared_ptr<Core> core_, Version ring, std::stop_token stop)
            : core(std::move(core_)),
              pass(core->settings, core->broker, std::move(ring), core->transport, core->files,
                   core->clock, core->observer, core->random, core->memory, std::move(stop)) {}

        std::shared_ptr<Core> core;
        PassType pass;
    };

    /// What is to be done on one device. One worker at a time moves it on.
    struct DeviceWork {
        DeviceWork(PassType& pass, Device device_, Walk<typename B::disk_type> walk_, bool whole,
                   Pacer<C>& looks)
            : device(std::move(device_)), walk(pass, device, std::move(walk_), whole, looks) {}
        DeviceWork(const DeviceWork&) = delete;
        DeviceWork& operator=(const DeviceWork&) = delete;

        Device device;
        std::optional<bool> usable; ///< Unknown until a worker has checked the device.
        DeviceWalk<PassType> walk;
    };

    static Stats pass(const std::shared_ptr<Core>& core, const std::stop_token& stop,
                      const Selection& selection) {
        const auto shared = std::make_shared<Shared>(core, core->ring.version(), stop);
        PassType& pass = shared->pass;
        const Timestamp began = core->clock.now();
        const Instant start = core->clock.monotonic();
        const auto devices = local_devices(*core, pass, selection);
        core->observer(event::PassBegan{began, devices.size()});
        for (const Device& device : devices) {
            core->memory.ledgers.with(device.device, [&](Ledger& ledger) {
                ledger.begin_pass(core->settings.recheck_passes);
            });
        }
        if (const Seconds ahead = core->memory.clock.look(began, start); ahead != Seconds(0)) {
            core->memory.ledgers.clear();
            pass.count(&Stats::errors);
            core->observer(event::ClockJumped{ahead});
        }

        const auto workers =
            std::make_shared<Workers<C>>(core->clock, core->settings, core->memory.stalled);
        for (const Device& device : devices) {
            const auto work = device_work(*core, pass, device, selection);
            workers->add(device.device, [shared, work](Heartbeat& heartbeat) {
                return find(shared, work, heartbeat);
            });
        }
        run(*core, pass, *workers);
        kind_type::end_of_pass(pass, [&](const std::vector<LocalDatabase>& places) {
            run_again(core, shared, places);
        });

        const auto [stats, failure_nodes] = pass.counted();
        core->observer(event::PassEnded{stats, failure_nodes, began, core->clock.now(),
                                        core->clock.monotonic() - start, selection.partial()});
        return stats;
    }

    static void run(Core& core, PassType& pass, Workers<C>& workers) {
        workers.run(pass.stop, [&](const std::string& device, Seconds silent) {
            pass.count(&Stats::errors);
            core.observer(event::DeviceStalled{device, silent});
        });
    }

    /// Replicates `places` once more at the end of a pass. Workers of their devices do it, since
    /// this thread must not hang in a disk.
    static void run_again(const std::shared_ptr<Core>& core, const std::shared_ptr<Shared>& shared,
                          const std::vector<LocalDatabase>& places) {
        std::map<std::string, std::vector<LocalDatabase>> queues;
        for (const LocalDatabase& place : places) {
            queues[place.device.device].push_back(place);
        }
        const auto workers =
            std::make_shared<Workers<C>>(core->clock, core->settings, core->memory.stalled);
        for (auto& [device, queue] : queues) {
            if (core->memory.stalled.contains(device)) {
                continue; // the databases are found by the next pass that can use the disk
            }
            workers->add(device, [shared, left = std::move(queue)](Heartbeat& /*pulse*/) mutable {
                Work work;
                if (!left.empty()) {
                    work = [shared, place = std::move(left.back())](Heartbeat& heartbeat) {
                        replicate_database(shared->pass, place.place, place.device, heartbeat);
                    };
                    left.pop_back();
                }
                return work;
            });
        }
        run(*core, shared->pass, *workers);
    }

    /// The ring's devices on this machine. Touches no disk, since this thread must not hang.
    static std::vector<Device> local_devices(Core& core, PassType& pass,
                                             const Selection& selection) {
        std::vector<Device> devices;
        bool any = false;
        for (const Device& device : pass.ring.devices()) {
            if (!core.is_local(device)) {
                continue;
            }
            any = true;
            if (!selection.devices.empty() && !selection.devices.contains(device.device)) {
                continue;
            }
            if (!is_safe_name(device.device)) {
                skip(core, pass, device, "is not a valid drive name");
            } else if (core.memory.stalled.contains(device.device)) {
                skip(core, pass, device, "does not answer since an earlier pass");
            } else {
                devices.push_back(device);
            }
        }
        if (!any) {
            core.observer(event::NoLocalDevices{
                core.settings.bind_ip, static_cast<std::uint16_t>(core.settings.bind_port)});
        }
        return devices;
    }

    static void skip(Core& core, PassType& pass, const Device& device, std::string_view reason) {
        const std::string path = storage::device_path(core.settings.devices, device.device);
        pass.count_failure(device);
        core.observer(event::DeviceSkipped{path, reason});
    }

    /// Checks whether a device can be used; if so, sweeps its tmp.
    template <std::invocable Beat>
    static bool prepare(Core& core, PassType& pass, const Device& device, Beat beat) {
        auto& disk = core.broker.disk();
        const std::string path = storage::device_path(core.settings.devices, device.device);
        const bool mount_check = core.settings.mount_check;
        std::string_view reason;
        try {
            const auto status = disk.stat(path);
            if (!status || !status->directory) {
                reason = mount_check ? "is not mounted" : "is not a directory";
            } else if (mount_check && !disk.is_mount(path)) {
                reason = "is not mounted";
            } else {
                storage::sweep(disk, path + "/tmp", pass.now(), core.settings.reclaim_age, beat);
            }
        } catch (const Failure&) {
            reason = "cannot be read";
        }
        if (!reason.empty()) {
            skip(core, pass, device, reason);
        }
        return reason.empty();
    }

    static std::shared_ptr<DeviceWork> device_work(Core& core, PassType& pass, const Device& device,
                                                   const Selection& selection) {
        auto wanted = [selection, &pass, id = device.id,
                       handoffs_only = core.settings.handoffs_only](std::uint32_t partition) {
            if (!selection.partitions.empty() && !selection.partitions.contains(partition)) {
                return false;
            }
            return !handoffs_only || !decide::is_primary(pass.ring.primaries(partition), id);
        };
        return std::make_shared<DeviceWork>(
            pass, device,
            Walk<typename B::disk_type>(
                core.broker.disk(), storage::device_path(core.settings.devices, device.device),
                std::string(kind_type::datadir), pass.ring.partition_count(), std::move(wanted),
                core.random, pass.now().plus(-core.settings.reclaim_age)),
            selection.partitions.empty() && !core.settings.handoffs_only, core.looks);
    }

    /// The next database of a device that is to be opened. Nothing at the end, or if the device
    /// cannot be used.
    static std::optional<Place> next(Shared& shared, DeviceWork& work, Heartbeat& heartbeat) {
        PassType& pass = shared.pass;
        if (!work.usable) {
            work.usable = prepare(*shared.core, pass, work.device,
                                  [&] { heartbeat.expect(pass.after(pass.settings.watchdog)); });
            if (*work.usable) {
                kind_type::device_ready(pass, work.device);
            }
        }
        return *work.usable ? work.walk.next(heartbeat) : std::nullopt;
    }

    /// The work on the next database; empty at the end of a device. find() and replicate() are the
    /// last places that catch: an exception that leaves a worker's thread would end the process.
    static Work find(const std::shared_ptr<Shared>& shared, const std::shared_ptr<DeviceWork>& work,
                     Heartbeat& heartbeat) {
        PassType& pass = shared->pass;
        Work result;
        try {
            if (pass.brakes.mostly_wrong_hashes(work->device.device)) {
                if (pass.brakes.announce(work->device.device)) {
                    pass.observer(event::Braked{work->device.device, "its names do not hash to its "
                                                                     "files; the pass leaves it"});
                }
            } else if (auto found = next(*shared, *work, heartbeat)) {
                result = [shared, work, place = *std::move(found)](Heartbeat& own) {
                    replicate(*shared, work->device, place, own);
                };
            }
        } catch (const std::exception& failure) {
            report(pass, work->device, failure);
        }
        return result;
    }

    static void replicate(Shared& shared, const Device& device, const Place& found,
                          Heartbeat& heartbeat) {
        PassType& pass = shared.pass;
        try {
            const auto announce = [&](Instant turn) {
                heartbeat.expect(turn + to_duration(pass.settings.watchdog));
            };
            if (shared.core->pacer.wait(pass.stop, announce)) {
                replicate_database(pass, found, device, heartbeat);
            }
        } catch (const std::exception& failure) {
            report(pass, device, failure);
        }
    }

    static void report(PassType& pass, const Device& device, const std::exception& failure) {
        const std::string what = failure.what();
        pass.count(&Stats::errors);
        pass.observer(event::ListingFailed{device.device, what});
    }

    std::shared_ptr<Core> core_;
};

} // namespace replica

#endif // REPLICA_REPLICATOR_HPP
