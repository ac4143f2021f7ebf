#ifndef REPLICA_SEND_DEVICE_PUSHES_HPP
#define REPLICA_SEND_DEVICE_PUSHES_HPP

// The changed databases of one device, one after the other, in place of a walk. Only that of the
// partition which the ring names is looked for. One in another partition is as rare as a change of
// the ring's partitions, and the walk finds it.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/feed.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/push.hpp>
#include <replica/send/workers.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/storage.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// Gives out the databases of a device that the feed says were written to. One worker at a time
/// moves it on. The device, the pass, the feed and the queues must outlive it.
template <AnyPass P, Feed W>
class DevicePushes {
public:
    /// `until`: the end of these pushes; what is due then waits for the next ones. One that is past
    /// gives out all that is due, and does not wait.
    DevicePushes(P& pass, const Device& device, W& feed, PushQueues& queues, Instant until)
        : pass_(&pass), device_(&device), feed_(&feed), queues_(&queues),
          began_(pass.clock.monotonic()), until_(until),
          path_(storage::device_path(pass.settings.devices, device.device)) {}

    /// The next database, as soon as one is due. Nothing after a stop, or after `until` once no
    /// turn of before `until` goes on, on whichever device: these pushes end before the next ones
    /// begin, so what changes during a slow turn would wait for its end. At the latest five minutes
    /// after `until`.
    [[nodiscard]] std::optional<Place> next(Heartbeat& heartbeat) {
        P& pass = *pass_;
        while (!pass.stop.stop_requested()) {
            heartbeat.expect(pass.after(longest_wait + pass.settings.watchdog));
            take_changes();
            const Instant now = pass.clock.monotonic();
            const bool over = now >= until_ && (now >= until_ + to_duration(patience) ||
                                                !queues_->runs(began_, until_));
            if (over && began_ < until_) {
                break;
            }
            const auto change = with_queue([now](PushQueue& queue) { return queue.take(now); });
            if (change) {
                if (auto place = find(*change)) {
                    return place;
                }
                ended(change->hash);
                continue;
            }
            if (over) {
                break;
            }
            Instant wake = now + to_duration(longest_wait);
            if (const auto due = with_queue([](PushQueue& queue) { return queue.due(); })) {
                wake = std::min(wake, *due);
            }
            feed_->wait(path_, std::max(Seconds(wake - now), Seconds(0)), pass.stop);
        }
        return std::nullopt;
    }

    /// The turn of a database that next() has given out is over. `again`: it did not come, and
    /// another is tried after the pause. Any thread.
    void ended(const std::string& hash, bool again = false) {
        with_queue([&](PushQueue& queue) { again ? queue.again(hash) : queue.ended(hash); });
    }

private:
    static constexpr Seconds longest_wait{1};
    static constexpr Seconds patience{300};

    template <class Use>
    auto with_queue(Use use) {
        return queues_->with(device_->device, use);
    }

    void take_changes() {
        P& pass = *pass_;
        Changes changes = feed_->changes(path_);
        std::erase_if(changes.touched,
                      [this](const Change& change) { return is_elsewhere(change); });
        const Instant now = pass.clock.monotonic();
        const bool news = with_queue([&](PushQueue& queue) {
            for (const Change& change : changes.touched) {
                if (!queue.add(change, now)) {
                    changes.unknown = "too many databases have changed";
                }
            }
            return queue.is_news(changes.unknown, now);
        });
        if (news) {
            pass.observer(event::ChangesUnknown{path_, changes.unknown});
        }
    }

    /// Whether a change is of a directory of the same name, as on another device of the same file
    /// system. It must not take the place of one that is ours.
    [[nodiscard]] bool is_elsewhere(const Change& change) const {
        try {
            return !feed_->is_of(change, place_of(change).directory);
        } catch (const Failure&) {
            return false; // find() asks again
        }
    }

    /// Where a database of this hash belongs on the device.
    [[nodiscard]] Place place_of(const Change& change) const {
        return Place::on(path_, P::kind_type::datadir, pass_->ring.partition(change.hash),
                         change.hash);
    }

    /// The database of a change. Nothing if it is gone, or cannot be looked at: the walk comes to
    /// it as well, and tells what is wrong.
    [[nodiscard]] std::optional<Place> find(const Change& change) {
        P& pass = *pass_;
        Place place = place_of(change);
        if (pass.settings.handoffs_only &&
            decide::is_primary(pass.ring.primaries(place.partition), device_->id)) {
            return std::nullopt;
        }
        try {
            if (feed_->is_of(change, place.directory)) {
                if (const auto path = storage::find_database(pass.broker.disk(), place.directory)) {
                    place.file = storage::base(*path);
                    return place;
                }
            }
        } catch (const Failure&) { // NOLINT(bugprone-empty-catch): see above
        }
        return std::nullopt;
    }

    P* pass_;
    const Device* device_;
    W* feed_;
    PushQueues* queues_;
    Instant began_;
    Instant until_;
    std::string path_;
};

} // namespace replica

#endif // REPLICA_SEND_DEVICE_PUSHES_HPP
