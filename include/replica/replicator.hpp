#ifndef REPLICA_REPLICATOR_HPP
#define REPLICA_REPLICATOR_HPP

// The pass, top to bottom: which devices are on this machine, which databases are on them, and how
// many run at once. Each step has a header: send/walk.hpp finds the databases, send/replicate.hpp
// replicates one of them, send/peer_turn.hpp to one peer; send/decide.hpp chooses, send/usync.hpp
// and send/rsync.hpp send, storage/storage.hpp removes, stats.hpp counts. Between the passes, and
// beside them, send/push_changes.hpp does the same with what a feed tells.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/feed.hpp>
#include <replica/file_sync.hpp>
#include <replica/observer.hpp>
#include <replica/requirements.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/device_walk.hpp>
#include <replica/send/engine.hpp>
#include <replica/send/local_devices.hpp>
#include <replica/send/push_changes.hpp>
#include <replica/send/summary.hpp>
#include <replica/send/walk.hpp>
#include <replica/send/workers.hpp>
#include <replica/settings.hpp>
#include <replica/stats.hpp>
#include <replica/storage/doubts.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/storage.hpp>
#include <replica/transport.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace replica {

/// Limits a pass to some devices (by name), partitions, or databases; empty means all. Such a pass
/// is partial: its figures say nothing of the node (defect 61).
struct Selection {
    std::set<std::string> devices;      ///< Names, as in the ring.
    std::set<std::uint32_t> partitions; ///< Numbers below partition_count().
    std::vector<Place> databases{};     ///< On the devices, whatever handoffs_only says.

    /// Whether anything is left out.
    [[nodiscard]] bool partial() const {
        return !devices.empty() || !partitions.empty() || !databases.empty();
    }

    /// Whether the pass comes to a device.
    [[nodiscard]] bool has(const Device& device) const {
        return (devices.empty() || devices.contains(device.device)) &&
               (databases.empty() || std::ranges::any_of(databases, [&](const Place& place) {
                    return place.device_name() == device.device;
                }));
    }
};

/// Keeps the databases of this machine's devices identical with their replicas elsewhere.
///
/// The policies are held by value; `is_local` tells which devices of the ring are on this machine.
/// Thread safety: one pass at a time. The destructor does not wait for a thread that hangs in a
/// dead disk: whatever such a thread uses lives until the thread ends.
template <class B, class R, class T, class F, class C, class O = Silent, class W = NoFeed>
class Replicator {
    static_assert(requirements::broker_policy<B>() && Broker<B>, "Broker: see broker.hpp");
    static_assert(requirements::ring_policy<R>() && Ring<R>, "Ring: see ring.hpp");
    static_assert(requirements::transport_policy<T>() && Transport<T>,
                  "Transport: see transport.hpp");
    static_assert(requirements::file_sync_policy<F>() && FileSync<F>,
                  "FileSync: see file_sync.hpp");
    static_assert(requirements::clock_policy<C>() && Clock<C>, "Clock: see clock.hpp");
    static_assert(Observer<O>, "Observer: see observer.hpp");
    static_assert(Feed<W>, "Feed: see feed.hpp");

    using Core = Engine<B, R, T, F, C, O, W>;
    using Shared = EnginePass<Core>;
    using PassType = typename Core::pass_type;
    using kind_type = typename B::kind_type;
    using Work = typename Workers<C>::Work;

public:
    /// Whether a device of the ring is on this machine. Any thread may call it.
    using IsLocal = std::function<bool(const Device&)>;

    /// Throws Failure with bad_config if a setting is out of bounds (first_fault, defect 13).
    Replicator(Settings settings, B broker, R ring, T transport, F files, C clock, IsLocal is_local,
               O observer = {}, W feed = {})
        : core_(std::make_shared<Core>(std::move(settings), std::move(broker), std::move(ring),
                                       std::move(transport), std::move(files), std::move(clock),
                                       std::move(is_local), std::move(observer), std::move(feed))) {
        if (const auto fault = first_fault(core_->settings); !fault.empty()) {
            throw Failure(Error::bad_config, std::string(fault) + ": out of bounds");
        }
    }

    /// Runs passes until `stop`, one every Settings::interval (Swift: run_forever). The first pass
    /// begins after a random part of the interval, so that a cluster does not start all at once.
    /// What the feed tells is pushed all the time, with workers of its own and the passes' pace.
    /// After `last` the pass that runs is the last one, and is not cut short.
    void run_forever(const std::stop_token& stop, const std::stop_token& last = {}) {
        Core& core = *core_;
        const Seconds interval = core.settings.interval;
        std::stop_source over;
        const auto end = [&over] { over.request_stop(); };
        const std::stop_callback by_stop(stop, end);
        const std::stop_callback by_last(last, end);
        const std::stop_token rest = over.get_token();
        const auto pusher = start_pushes(rest);
        rest_until(core.clock.monotonic() + to_duration(interval * core.random.fraction()), rest);
        while (!rest.stop_requested()) {
            const Instant began = core.clock.monotonic();
            (void)run_once(stop);
            rest_until(began + to_duration(interval), rest);
        }
    }

    /// Goes on where another replicator of this machine has ended, for instance one with other
    /// settings: shares what it remembers, and the changes that it has not pushed. Before the first
    /// pass, which walks: the feed may be another one. The two must not run at one time.
    void follow(const Replicator& before) {
        core_->lasting = before.core_->lasting;
        core_->lasting->memory.ledgers.miss();
    }

    /// Pushes what the feed has told until now: gives each changed database the turn that a pass
    /// would give it, a new one once it is two seconds old (send/device_pushes.hpp). With an
    /// `until` that is not past, also what it tells until then; what has no turn by then has it in
    /// the next call. Never throws, as run_once. May run beside a pass; one call at a time.
    Stats push(Instant until = {}, const std::stop_token& stop = {}) {
        const auto core = core_;
        try {
            return push_changes(core, until, stop);
        } catch (const std::exception& failure) {
            return failed(*core, failure);
        }
    }

    /// One pass over this machine's devices (Swift: run_once). Never throws: what goes wrong with a
    /// device, a database or a peer is counted in the result and told to the observer.
    Stats run_once(const std::stop_token& stop = {}, const Selection& selection = {}) {
        const auto core = core_;
        try {
            return pass(core, stop, selection);
        } catch (const std::exception& failure) {
            return failed(*core, failure);
        }
    }

    /// What is known of databases at rest (send/ledger.hpp), for remember() of a later replicator
    /// of this machine. Not during a pass.
    [[nodiscard]] std::string known() const { return core_->lasting->memory.ledgers.text(); }

    /// What a device of this machine has at rest together with another (send/summary.hpp).
    [[nodiscard]] Summary summary(const std::string& device, std::int64_t peer,
                                  std::size_t cells) const {
        return core_->lasting->memory.ledgers.with(
            device, [&](const Ledger& ledger) { return ledger.summary(peer, cells); });
    }

    /// Of what is not durable, for the receiver in the same process (RpcServer). The same after
    /// follow().
    [[nodiscard]] std::shared_ptr<storage::Doubts> doubts() const {
        return core_->lasting->memory.doubts;
    }

    /// Takes over what known() has returned. Before the first pass. False for any other text.
    bool remember(std::string_view known) { return core_->lasting->memory.ledgers.read(known); }

private:
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

    static Stats failed(Core& core, const std::exception& failure) {
        const std::string what = failure.what();
        core.observer(event::PassFailed{what});
        Stats stats;
        stats.errors = 1;
        return stats;
    }

    static Stats pass(const std::shared_ptr<Core>& core, const std::stop_token& stop,
                      const Selection& selection) {
        const auto shared = std::make_shared<Shared>(core, stop);
        PassType& pass = shared->pass;
        const Timestamp began = core->clock.now();
        const Instant start = core->clock.monotonic();
        const auto devices = devices_of(*core, pass, selection);
        core->observer(event::PassBegan{began, devices.size()});
        for (const Device& device : devices) {
            core->lasting->memory.ledgers.with(device.device, [&](Ledger& ledger) {
                ledger.begin_pass(core->settings.recheck_passes);
            });
        }
        if (const Seconds ahead = core->lasting->memory.clock.look(began, start);
            ahead != Seconds(0)) {
            core->lasting->memory.ledgers.clear();
            pass.count(&Stats::errors);
            core->observer(event::ClockJumped{ahead});
        }

        const auto workers = std::make_shared<Workers<C>>(core->clock, core->settings,
                                                          core->lasting->memory.stalled);
        for (const Device& device : devices) {
            const auto work = device_work(*core, pass, device, selection);
            workers->add(device.device, [shared, work](Heartbeat& heartbeat) {
                return find(shared, work, heartbeat);
            });
        }
        run_workers(*core, pass, *workers);
        kind_type::end_of_pass(
            pass, [&](const std::vector<LocalDatabase>& places) { run_again(shared, places); });

        const auto [stats, failure_nodes] = pass.counted();
        core->observer(event::PassEnded{stats, failure_nodes, began, core->clock.now(),
                                        core->clock.monotonic() - start, selection.partial()});
        return stats;
    }

    static std::vector<Device> devices_of(Core& core, PassType& pass, const Selection& selection) {
        const LocalDevices found = local_devices(
            pass, core.is_local, [&](const Device& device) { return selection.has(device); });
        for (const auto& [device, reason] : found.skipped) {
            skip(pass, device, reason);
        }
        if (!found.any) {
            core.observer(event::NoLocalDevices{
                core.settings.bind_ip, static_cast<std::uint16_t>(core.settings.bind_port)});
        }
        return found.devices;
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
        Walk<typename B::disk_type> walk(
            core.broker.disk(), storage::device_path(core.settings.devices, device.device),
            std::string(kind_type::datadir), pass.ring.partition_count(), std::move(wanted),
            core.random, pass.now().plus(-core.settings.reclaim_age),
            pass.now().plus(-Seconds(60)));
        if (!selection.databases.empty()) {
            choose(walk, selection.databases, device);
        }
        return std::make_shared<DeviceWork>(pass, device, std::move(walk),
                                            selection.partitions.empty() &&
                                                selection.databases.empty() &&
                                                !core.settings.handoffs_only,
                                            core.looks);
    }

    /// Has the walk of a device come to some of its databases alone, each once.
    static void choose(Walk<typename B::disk_type>& walk, const std::vector<Place>& databases,
                       const Device& device) {
        std::set<std::pair<std::uint32_t, std::string>> chosen;
        for (const Place& place : databases) {
            if (place.device_name() == device.device) {
                chosen.emplace(place.partition, place.hash);
            }
        }
        walk.only({chosen.begin(), chosen.end()}, [](const std::string& /*gone*/) {});
    }

    /// The next database of a device that is to be opened. Nothing at the end, or if the device
    /// cannot be used.
    static std::optional<Place> next(Shared& shared, DeviceWork& work, Heartbeat& heartbeat) {
        PassType& pass = shared.pass;
        if (!work.usable) {
            work.usable = prepare(pass, work.device,
                                  [&] { heartbeat.expect(pass.after(pass.settings.watchdog)); });
            if (*work.usable) {
                kind_type::device_ready(pass, work.device);
                compare_summaries(pass, work.device, heartbeat);
                work.walk.begin(is_told(shared, work.device));
            }
        }
        return *work.usable ? work.walk.next(heartbeat) : std::nullopt;
    }

    /// Whether the feed watches a device. The ledger learns what it has told so far: without a feed
    /// nothing.
    static bool is_told(Shared& shared, const Device& device) {
        Core& core = *shared.core;
        const bool told =
            core.feed.running() &&
            core.feed.watches(storage::device_path(core.settings.devices, device.device));
        if (told) {
            take_changes(shared.pass, device, core.feed, core.lasting->pushes);
        }
        return told;
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
                    pass.observer(event::Braked{
                        work->device.device,
                        "its names do not hash to its files; the pass leaves it", true});
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
                (void)take_turn(shared, found, device, heartbeat); // or it is being pushed
            }
        } catch (const std::exception& failure) {
            report(pass, device, failure);
        }
    }

    /// A clock that one thread uses has no thread for pushes: see rest_until.
    [[nodiscard]] std::jthread start_pushes(const std::stop_token& stop) {
        std::jthread pusher;
        if constexpr (!is_single_threaded<C>) {
            if (core_->feed.running()) {
                pusher = std::jthread([this, stop] {
                    constexpr Seconds same_ring{30}; // for so long
                    while (!stop.stop_requested()) {
                        const Instant until = core_->clock.monotonic() + to_duration(same_ring);
                        (void)push(until, stop);
                        core_->clock.sleep_until(until, stop); // if no device can be used
                    }
                });
            }
        }
        return pusher;
    }

    void rest_until(Instant until, const std::stop_token& stop) {
        Core& core = *core_;
        if constexpr (is_single_threaded<C>) {
            while (core.feed.running() && !stop.stop_requested() &&
                   core.clock.monotonic() < until) {
                const Instant next = core.lasting->pushes.due(until);
                core.feed.wait({}, std::max(Seconds(0), Seconds(next - core.clock.monotonic())),
                               stop);
                (void)push({}, stop);
            }
        }
        core.clock.sleep_until(until, stop);
    }
    std::shared_ptr<Core> core_;
};

} // namespace replica

#endif // REPLICA_REPLICATOR_HPP
