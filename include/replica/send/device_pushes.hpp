#ifndef REPLICA_SEND_DEVICE_PUSHES_HPP
#define REPLICA_SEND_DEVICE_PUSHES_HPP

// The changed databases of one device, one after the other, in place of a walk. Only that of the
// partition which the ring names is looked for. One in another partition is as rare as a change of
// the ring's partitions, and the next pass walks to find it.
//
// The PUT that makes a database goes to all primaries at one time. A push may overtake it, and
// bring a peer the database that the server there is just making (defect 120). So a database that
// was made just now has its turn a little later.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/feed.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/ledgers.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/push.hpp>
#include <replica/send/workers.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/storage.hpp>
#include <replica/storage/sweep.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// Where a database of this hash belongs on a device.
template <AnyPass P>
[[nodiscard]] Place place_of(const P& pass, const Device& device, const std::string& hash) {
    return Place::on(storage::device_path(pass.settings.devices, device.device),
                     P::kind_type::datadir, pass.ring.partition(hash), hash);
}

/// Takes what the feed has to tell of a device: into its ledger, and what is news into its queue.
/// What does not fit there is left to the next pass. News of a directory of the same name, as on
/// another device of the same file system, must not take the place of our own: the next pass walks,
/// since it may be a copy in a wrong partition. Looks at the device. Any thread.
template <AnyPass P, Feed W>
void take_changes(P& pass, const Device& device, W& feed, PushQueues& queues) {
    const std::string path = storage::device_path(pass.settings.devices, device.device);
    Changes changes = feed.changes(path);
    const auto elsewhere = std::erase_if(changes.touched, [&](const Change& change) {
        try {
            return change.news &&
                   !feed.is_of(change, place_of(pass, device, change.hash).directory);
        } catch (const Failure&) {
            return false; // its turn asks again
        }
    });
    pass.memory.ledgers.with(device.device, [&](Ledger& ledger) {
        for (const Change& change : changes.touched) {
            ledger.touch(change.hash);
        }
        if (elsewhere > 0 || !changes.unknown.empty()) {
            ledger.miss();
        }
    });
    const Instant now = pass.clock.monotonic();
    const bool news = queues.with(device.device, [&](PushQueue& queue) {
        for (const Change& change : changes.touched) {
            if (change.news && !queue.add(change, now)) {
                changes.unknown = "too many databases have changed";
            }
        }
        return queue.is_news(changes.unknown, now);
    });
    if (news) {
        pass.observer(event::ChangesUnknown{path, changes.unknown});
    }
}

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

    /// The next database, as soon as one is due that is not new. Nothing after a stop, or after
    /// `until` once no turn of before `until` goes on, on whichever device: these pushes end before
    /// the next ones begin, so what changes during a slow turn would wait for its end. At the
    /// latest five minutes after `until`.
    [[nodiscard]] std::optional<Place> next(Heartbeat& heartbeat) {
        P& pass = *pass_;
        while (!pass.stop.stop_requested()) {
            heartbeat.expect(pass.after(longest_wait + pass.settings.watchdog));
            take_changes(pass, *device_, *feed_, *queues_);
            const Instant now = pass.clock.monotonic();
            const bool over = now >= until_ && (now >= until_ + to_duration(patience) ||
                                                !queues_->runs(began_, until_));
            if (over && began_ < until_) {
                break;
            }
            const auto change = with_queue([now](PushQueue& queue) { return queue.take(now); });
            if (change) {
                auto place = find(*change);
                const bool early = place && is_new(*place);
                if (place && !early) {
                    return place;
                }
                ended(change->hash, early);
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

    /// How long ago a hash directory came before its database is pushed. A push takes 30 ms. A
    /// stock server takes 16 ms to make a database, and 35 ms for one of 100, while its disk is
    /// idle. A proxy gives a server half a second to accept the PUT; the rest is for a busy disk.
    static constexpr Seconds settling{2};

    template <class Use>
    auto with_queue(Use use) {
        return queues_->with(device_->device, use);
    }

    /// The database of a change. Nothing if it is gone, or cannot be looked at: the next pass comes
    /// to it as well, and tells what is wrong.
    [[nodiscard]] std::optional<Place> find(const Change& change) {
        P& pass = *pass_;
        Place place = place_of(pass, *device_, change.hash);
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

    /// Whether the hash directory is not `settling` old yet. The time of its parent tells, without
    /// the database being opened: a directory that comes or goes changes that time, and a write to
    /// a database does not. Other databases under that parent then wait as well, and are few: a
    /// partition has 4,096 such parents. If the clock was set back, the time may lie in the future,
    /// and nothing waits for it.
    [[nodiscard]] bool is_new(const Place& place) const {
        P& pass = *pass_;
        try {
            const auto status = pass.broker.disk().stat(storage::parent(place.directory));
            const Timestamp now = pass.clock.now();
            return status && !storage::is_older(status, now.plus(-settling)) &&
                   storage::is_older(status, {now.ticks + 1, 0});
        } catch (const Failure&) {
            return false; // its turn tells what is wrong
        }
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
