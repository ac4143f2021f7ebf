#ifndef REPLICA_SEND_DEVICE_WALK_HPP
#define REPLICA_SEND_DEVICE_WALK_HPP

// The walk of one device in one pass: which databases are to be opened, and which are at rest.

#include <replica/clock.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/send/ledger.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/replicate.hpp>
#include <replica/send/walk.hpp>
#include <replica/send/workers.hpp>
#include <replica/stats.hpp>

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace replica {

/// The databases of a device that are to be opened. One worker at a time moves it on.
template <AnyPass P>
class DeviceWalk {
    using Disk = std::remove_cvref_t<decltype(std::declval<P&>().broker.disk())>;
    using Looks = Pacer<std::remove_cvref_t<decltype(std::declval<P&>().clock)>>;

public:
    /// `whole`: the walk comes to all partitions. `looks` paces what is only looked at. The device,
    /// the pass and the pacer must outlive it.
    DeviceWalk(P& pass, const Device& device, Walk<Disk> walk, bool whole, Looks& looks)
        : pass_(&pass), device_(&device), walk_(std::move(walk)), whole_(whole), looks_(&looks) {}

    /// The next database that is not at rest; nothing at the end of the device or after a stop.
    [[nodiscard]] std::optional<Place> next(Heartbeat& heartbeat) {
        P& pass = *pass_;
        const auto beat = [&] { heartbeat.expect(pass.after(pass.settings.watchdog)); };
        const auto announce = [&](Instant turn) {
            heartbeat.expect(turn + to_duration(pass.settings.watchdog));
        };
        std::int64_t errors = 0;
        std::int64_t skipped = 0;
        bool stopped = false;
        auto found = walk_.next(pass.observer, errors, beat);
        for (; found && is_at_rest(*found); ++skipped) {
            pass.brakes.saw(device_->device);
            stopped = !looks_->wait(pass.stop, announce);
            found = stopped ? std::nullopt : walk_.next(pass.observer, errors, beat);
        }
        pass.count(&Stats::errors, errors);
        pass.count(&Stats::at_rest, skipped);
        databases_ += skipped + (found ? 1 : 0);
        if (!found && !stopped && whole_) {
            pass.memory.ledgers.with(device_->device,
                                     [this](Ledger& ledger) { ledger.end_walk(databases_); });
        }
        pass.observer(event::DeviceProgress{device_->device, walk_.partitions_done(),
                                            walk_.partitions(), databases_});
        return found;
    }

private:
    /// Whether a database need not be opened (send/ledger.hpp).
    [[nodiscard]] bool is_at_rest(const Place& found) {
        P& pass = *pass_;
        const auto state = detail::state_at(pass, found);
        if (!state || pass.ring.partition(found.hash) != found.partition) {
            return false;
        }
        if (!primaries_ || primaries_->first != found.partition) {
            primaries_.emplace(found.partition, Primaries(pass.ring.primaries(found.partition)));
        }
        return pass.memory.ledgers.with(device_->device, [&](Ledger& ledger) {
            return ledger.may_skip(found.hash, *state, primaries_->second, pass.now());
        });
    }

    P* pass_;
    const Device* device_;
    Walk<Disk> walk_;
    bool whole_;
    Looks* looks_;
    std::optional<std::pair<std::uint32_t, Primaries>> primaries_; ///< Of the last partition.
    std::int64_t databases_ = 0;
};

} // namespace replica

#endif // REPLICA_SEND_DEVICE_WALK_HPP
