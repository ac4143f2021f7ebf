#ifndef REPLICA_SEND_ENGINE_HPP
#define REPLICA_SEND_ENGINE_HPP

// What a replicator has as long as it lives, and what its passes and its pushes do in the same way.

#include <replica/observer.hpp>
#include <replica/receive/admission.hpp>
#include <replica/ring.hpp>
#include <replica/send/memory.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/push.hpp>
#include <replica/send/replicate.hpp>
#include <replica/send/walk.hpp>
#include <replica/send/workers.hpp>
#include <replica/settings.hpp>
#include <replica/stats.hpp>
#include <replica/words/random.hpp>
#include <replica/words/seed.hpp>

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// What a replicator hands on to the next one of its machine (Replicator::follow).
struct Lasting {
    Memory memory;
    PushQueues pushes;
    Admission turns; ///< Databases that have a turn now, by hash directory.
};

/// The policies of one replicator (replicator.hpp checks them) and its memory. A thread that hangs
/// keeps it alive.
template <class B, class R, class T, class F, class C, class O, class W>
struct Engine {
    using version_type = decltype(std::declval<R&>().version());
    using pass_type = Pass<B, version_type, T, F, C, O>;
    using kind_type = typename B::kind_type;
    using clock_type = C;
    using feed_type = W;
    using IsLocal = std::function<bool(const Device&)>;

    Engine(Settings settings_, B broker_, R ring_, T transport_, F files_, C clock_,
           IsLocal is_local_, O observer_, W feed_)
        : settings(with_seed(std::move(settings_))), broker(std::move(broker_)),
          ring(std::move(ring_)), transport(std::move(transport_)), files(std::move(files_)),
          clock(std::move(clock_)), observer(std::move(observer_)), feed(std::move(feed_)),
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
    [[no_unique_address]] W feed;
    IsLocal is_local;
    Random random;
    Pacer<C> pacer; ///< Of databases that are opened, by passes and pushes together.
    Pacer<C> looks; ///< Of those that are only looked at.
    std::shared_ptr<Lasting> lasting = std::make_shared<Lasting>();
};

/// What the threads of one pass, or of one push, share. A thread that hangs keeps it alive.
template <class E>
struct EnginePass {
    EnginePass(std::shared_ptr<E> engine, std::stop_token stop)
        : core(std::move(engine)),
          pass(core->settings, core->broker, core->ring.version(), core->transport, core->files,
               core->clock, core->observer, core->random, core->lasting->memory, std::move(stop)) {}

    std::shared_ptr<E> core;
    typename E::pass_type pass;
};

/// Gives a database its turn. False if it has one already: two at a time would do the same work,
/// and upload into the same file of a peer.
template <class E>
[[nodiscard]] bool take_turn(EnginePass<E>& shared, const Place& place, const Device& device,
                             Heartbeat& heartbeat) {
    const auto turn = shared.core->lasting->turns.enter(place.directory, 1, 0);
    if (turn) {
        replicate_database(shared.pass, place, device, heartbeat);
    }
    return turn.has_value();
}

/// Runs the workers until their work is done. Tells that they are watched, and which devices hang.
template <class E>
void run_workers(E& engine, typename E::pass_type& pass, Workers<typename E::clock_type>& workers) {
    workers.run(
        pass.stop,
        [&](const std::string& device, Seconds silent) {
            pass.count(&Stats::errors);
            engine.observer(event::DeviceStalled{device, silent});
        },
        [&] { engine.observer(event::WorkersWatched{}); });
}

/// Replicates `places` once more at the end of a pass. Workers of their devices do it, since this
/// thread must not hang in a disk.
template <class E>
void run_again(const std::shared_ptr<EnginePass<E>>& shared,
               const std::vector<LocalDatabase>& places) {
    E& engine = *shared->core;
    std::map<std::string, std::vector<LocalDatabase>> queues;
    for (const LocalDatabase& place : places) {
        queues[place.device.device].push_back(place);
    }
    using AllWorkers = Workers<typename E::clock_type>;
    const auto workers =
        std::make_shared<AllWorkers>(engine.clock, engine.settings, engine.lasting->memory.stalled);
    for (auto& [device, queue] : queues) {
        if (engine.lasting->memory.stalled.contains(device)) {
            continue; // the databases are found by the next pass that can use the disk
        }
        workers->add(device, [shared, left = std::move(queue)](Heartbeat& /*pulse*/) mutable {
            typename AllWorkers::Work work;
            if (!left.empty()) {
                work = [shared, place = std::move(left.back())](Heartbeat& heartbeat) {
                    (void)take_turn(*shared, place.place, place.device, heartbeat);
                };
                left.pop_back();
            }
            return work;
        });
    }
    run_workers(engine, shared->pass, *workers);
}

/// Counts and tells what ended the work on a device.
template <AnyPass P>
void report(P& pass, const Device& device, const std::exception& failure) {
    const std::string what = failure.what();
    pass.count(&Stats::errors);
    pass.observer(event::ListingFailed{device.device, what});
}

} // namespace replica

#endif // REPLICA_SEND_ENGINE_HPP
