#ifndef REPLICA_SEND_PUSH_CHANGES_HPP
#define REPLICA_SEND_PUSH_CHANGES_HPP

// A pass over changed databases only. Everything but the walk is that of a pass: the turn of a
// database, the brakes, the pace, the workers' watchdog, the kind's hooks. What a push does not
// bring to an end (a peer that is down, more rows than max_diffs) is left to the next pass.
//
// How pushes come to an end, when each of them writes its sync points into the database and so
// changes it: a turn without news writes nothing. The turn of a client's write changes the copy,
// its own turn after that finds every peer in sync. A peer that has taken rows, and pushes them on,
// finds the same, and moves the other sides' points once.

#include <replica/clock.hpp>
#include <replica/feed.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/send/device_pushes.hpp>
#include <replica/send/engine.hpp>
#include <replica/send/local_devices.hpp>
#include <replica/send/workers.hpp>
#include <replica/stats.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

namespace replica {

namespace detail {

/// The changed databases of one device. One worker at a time moves it on.
template <class E>
struct PushWork {
    PushWork(EnginePass<E>& shared, Device device_, Instant until)
        : device(std::move(device_)),
          pushes(shared.pass, device, shared.core->feed, shared.core->lasting->pushes, until) {}
    PushWork(const PushWork&) = delete;
    PushWork& operator=(const PushWork&) = delete;
    ~PushWork() = default;

    Device device;
    std::optional<bool> usable; ///< Unknown until a worker has checked the device.
    DevicePushes<typename E::pass_type, typename E::feed_type> pushes;
};

/// The turn of one changed database. Whatever becomes of the turn, the queue learns of its end.
template <class E>
class PushTurn {
public:
    PushTurn(std::shared_ptr<EnginePass<E>> shared, std::shared_ptr<PushWork<E>> work, Place place)
        : shared_(std::move(shared)), work_(std::move(work)), place_(std::move(place)) {}
    PushTurn(const PushTurn&) = delete;
    PushTurn& operator=(const PushTurn&) = delete;
    ~PushTurn() { work_->pushes.ended(place_.hash, again_); }

    void run(Heartbeat& heartbeat) {
        auto& pass = shared_->pass;
        try {
            const auto announce = [&](Instant turn) {
                heartbeat.expect(turn + to_duration(pass.settings.watchdog));
            };
            again_ = shared_->core->pacer.wait(pass.stop, announce) &&
                     !take_turn(*shared_, place_, work_->device, heartbeat);
        } catch (const std::exception& failure) {
            report(pass, work_->device, failure);
        }
    }

private:
    std::shared_ptr<EnginePass<E>> shared_;
    std::shared_ptr<PushWork<E>> work_;
    Place place_;
    bool again_ = false; ///< A pass has the database just now.
};

/// The turn of the next changed database of a device; empty at the end, or if the device cannot be
/// used: the passes tell that.
template <class E>
[[nodiscard]] typename Workers<typename E::clock_type>::Work
next_push(const std::shared_ptr<EnginePass<E>>& shared, const std::shared_ptr<PushWork<E>>& work,
          Heartbeat& heartbeat) {
    auto& pass = shared->pass;
    typename Workers<typename E::clock_type>::Work result;
    try {
        if (!work->usable) {
            work->usable = why_unusable(pass, work->device).empty();
            if (*work->usable) {
                E::kind_type::device_ready(pass, work->device);
            }
        }
        if (!*work->usable || pass.brakes.mostly_wrong_hashes(work->device.device)) {
            return result;
        }
        if (auto place = work->pushes.next(heartbeat)) {
            const auto turn = std::make_shared<PushTurn<E>>(shared, work, *std::move(place));
            result = [turn](Heartbeat& own) { turn->run(own); };
        }
    } catch (const std::exception& failure) {
        report(pass, work->device, failure);
    }
    return result;
}

} // namespace detail

/// Pushes what changes until `until`; if that is past, all that is due now.
template <class E>
Stats push_changes(const std::shared_ptr<E>& engine, Instant until, const std::stop_token& stop) {
    const auto shared = std::make_shared<EnginePass<E>>(engine, stop);
    auto& pass = shared->pass;
    const Instant start = engine->clock.monotonic();
    const auto workers = std::make_shared<Workers<typename E::clock_type>>(
        engine->clock, engine->settings, engine->lasting->memory.stalled);
    for (const Device& device : local_devices(pass, engine->is_local).devices) {
        const auto work = std::make_shared<detail::PushWork<E>>(*shared, device, until);
        workers->add(device.device, [shared, work](Heartbeat& heartbeat) {
            return detail::next_push(shared, work, heartbeat);
        });
    }
    run_workers(*engine, pass, *workers);
    E::kind_type::end_of_pass(
        pass, [&](const std::vector<LocalDatabase>& places) { run_again(shared, places); });
    const Stats stats = pass.counted().first;
    if (stats.attempted > 0) {
        engine->observer(event::PushesEnded{stats, engine->clock.monotonic() - start});
    }
    return stats;
}

} // namespace replica

#endif // REPLICA_SEND_PUSH_CHANGES_HPP
