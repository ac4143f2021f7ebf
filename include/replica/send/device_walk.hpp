#ifndef REPLICA_SEND_DEVICE_WALK_HPP
#define REPLICA_SEND_DEVICE_WALK_HPP

// The walk of one device in one pass: which databases are to be opened, and which are at rest. A
// device of which the ledger knows all is not walked (send/ledger.hpp).

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
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

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

    /// Before the first next(). `told`: the feed watches the device, and the ledger knows what it
    /// has told so far.
    void begin(bool told) {
        P& pass = *pass_;
        const Instant now = pass.clock.monotonic();
        std::int64_t skipped = 0;
        const bool known = with_ledger([&](Ledger& ledger) {
            if (!whole_ || !told || !ledger.knows_all(now, pass.settings.walk_interval)) {
                if (whole_) {
                    ledger.begin_walk(now);
                }
                return false;
            }
            auto hashes = ledger.to_open(pass.now(),
                                         [this](std::string_view hash) { return primaries(hash); });
            skipped = static_cast<std::int64_t>(ledger.size() - hashes.size());
            std::vector<std::pair<std::uint32_t, std::string>> chosen;
            chosen.reserve(hashes.size());
            for (std::string& hash : hashes) {
                const std::uint32_t partition = pass.ring.partition(hash);
                chosen.emplace_back(partition, std::move(hash));
            }
            walk_.only(std::move(chosen), [this](const std::string& hash) {
                with_ledger([&](Ledger& each) { each.forget(hash); });
            });
            return true;
        });
        whole_ = whole_ && !known;
        databases_ += skipped;
        pass.brakes.saw(device_->device, skipped);
        pass.count(&Stats::at_rest, skipped);
    }

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
        in_order_ = in_order_ && errors == 0;
        if (!found && !stopped && whole_) {
            with_ledger([this](Ledger& ledger) { ledger.end_walk(databases_, in_order_); });
        }
        std::int64_t remembered = -1;
        if (!found) {
            with_ledger(
                [&](Ledger& ledger) { remembered = static_cast<std::int64_t>(ledger.size()); });
        }
        pass.observer(event::DeviceProgress{device_->device, walk_.partitions_done(),
                                            walk_.partitions(), databases_, remembered});
        return found;
    }

private:
    /// Whether a database need not be opened (send/ledger.hpp).
    [[nodiscard]] bool is_at_rest(const Place& found) {
        P& pass = *pass_;
        if (pass.ring.partition(found.hash) != found.partition) {
            in_order_ = false;
            return false;
        }
        const auto state = detail::state_at(pass, found);
        return with_ledger([&](Ledger& ledger) {
            return ledger.may_skip(found.hash, state, primaries(found.hash), pass.now());
        });
    }

    /// Primaries::digest of the database `hash`, by the ring of this pass.
    [[nodiscard]] std::uint32_t primaries(std::string_view hash) {
        const std::uint32_t partition = pass_->ring.partition(hash);
        auto found = primaries_.find(partition);
        if (found == primaries_.end()) {
            const Primaries listed(pass_->ring.primaries(partition));
            found = primaries_.emplace(partition, listed.digest).first;
        }
        return found->second;
    }

    template <class Use>
    decltype(auto) with_ledger(Use use) {
        return pass_->memory.ledgers.with(device_->device, use);
    }

    P* pass_;
    const Device* device_;
    Walk<Disk> walk_;
    bool whole_;
    bool in_order_ = true; ///< So far all could be read and lay where it belongs.
    Looks* looks_;
    std::unordered_map<std::uint32_t, std::uint32_t> primaries_; ///< By partition: the digest.
    std::int64_t databases_ = 0;
};

} // namespace replica

#endif // REPLICA_SEND_DEVICE_WALK_HPP
