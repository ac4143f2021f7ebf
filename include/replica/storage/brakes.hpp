#ifndef REPLICA_STORAGE_BRAKES_HPP
#define REPLICA_STORAGE_BRAKES_HPP

// Brakes keep one mistake from emptying a disk. A pass looks at one database at a time. A wrong
// hash suffix, ring or clock makes it wrong about all of them, while each single step looks sound.
// So what leaves a device or goes to quarantine is counted per device, and compared with the
// databases seen there: per pass, and per hour.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/settings.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace replica {

/// The counts of one pass. Thread safety: any thread.
class Brakes {
public:
    /// So many databases of a device may leave whatever their share: small devices need that, and
    /// so do the first databases of a large device, of which little has been seen.
    static constexpr std::int64_t free_leaves = 100;

    /// `share`: percent of the databases seen that may leave (Limits::leave_share).
    explicit Brakes(double share) : share_(share) {}

    /// So many databases of the device have their turn, or need none.
    void saw(const std::string& device, std::int64_t databases = 1) {
        const std::lock_guard guard(mutex_);
        devices_[device].seen += databases;
    }

    /// A name does not hash to its place (defect 23). From now on nothing leaves the device in this
    /// pass.
    void wrong_hash(const std::string& device) {
        const std::lock_guard guard(mutex_);
        ++devices_[device].wrong;
    }

    [[nodiscard]] bool frozen(const std::string& device) {
        const std::lock_guard guard(mutex_);
        return devices_[device].wrong > 0;
    }

    /// Whether the pass should give up this device: most names on it are wrong. A single stray file
    /// keeps no other database from being replicated.
    [[nodiscard]] bool mostly_wrong_hashes(const std::string& device) {
        const std::lock_guard guard(mutex_);
        const Tally& tally = devices_[device];
        return tally.wrong >= 2 && 2 * tally.wrong > tally.seen;
    }

    /// Whether the pass may try to hand off or expire one more database. If so, the try counts
    /// whatever comes of it: a database that stays unconfirmed has filled the disks of its peers.
    [[nodiscard]] bool may_try(const std::string& device) {
        const std::lock_guard guard(mutex_);
        Tally& tally = devices_[device];
        const auto most = static_cast<double>(tally.seen) * share_ / 100;
        const bool may = tally.tried < free_leaves || static_cast<double>(tally.tried) < most;
        tally.tried += may ? 1 : 0;
        return may;
    }

    /// A database has left the device.
    void left(const std::string& device) {
        const std::lock_guard guard(mutex_);
        ++devices_[device].left;
    }

    /// How many databases have had their turn and are still there.
    [[nodiscard]] std::int64_t present(const std::string& device) {
        const std::lock_guard guard(mutex_);
        const Tally& tally = devices_[device];
        return tally.seen - tally.left;
    }

    /// True the first time: an operator needs one line per device, not one per database.
    [[nodiscard]] bool announce(const std::string& device) {
        const std::lock_guard guard(mutex_);
        return !std::exchange(devices_[device].announced, true);
    }

private:
    struct Tally {
        std::int64_t seen = 0;
        std::int64_t wrong = 0;
        std::int64_t tried = 0;
        std::int64_t left = 0;
        bool announced = false;
    };

    const double share_;
    std::mutex mutex_;
    std::map<std::string, Tally> devices_;
};

/// How many databases may leave a device, or go to quarantine, in an hour. Counts of a pass are not
/// enough (defect 82): a service has 120 passes an hour, a daemon may be restarted in a loop, a
/// single pass may run beside the service, and a receiver has no passes. So the counts are on the
/// device itself, one set for each kind:
///
///   <device>/tmp/container.brakes/hour -> "began=1700000000.00000 databases=900 left=37 ..."
///
/// The counts are the text of a symbolic link: link and text come into being in one step, and
/// rename replaces one link by another, so no crash leaves half a count. The directory lock is held
/// for one read and one write, never while anything is removed or asked for.
///
/// The hour begins by the wall clock and ends by the monotonic clock of the process that counts. So
/// a clock that is set forward begins no new hour, and one that is set back makes no endless hour.
/// A process that starts has only the wall clock.
///
/// Counts that cannot be read or written are told once and kept in memory until they can. A text
/// that is none of ours counts as an hour that begins now and in which nothing may leave.
///
/// Errors: none; they are told. Thread safety: any thread. A thread that hangs in a dead disk
/// blocks threads that count on the same device, and no others.
class HourlyBrake {
public:
    /// So many databases may leave in an hour whatever their share.
    static constexpr std::int64_t free_leaves = Brakes::free_leaves;

    /// At most so many databases of a device go to quarantine in an hour (defect 47).
    static constexpr std::int64_t quarantine_max = 20;

    // Parameters below: `device` is the path of a device's directory. `present` is how many
    // databases have been seen on it and are still there. `share` is Limits::leave_share: percent
    // of the databases that the device had when the hour began, or that were seen since.

    /// Whether one more database might leave; counts nothing.
    template <Broker B, Observer O>
    [[nodiscard]] bool has_room(B& broker, O& observer, const std::string& device,
                                std::int64_t present, double share) {
        return change(broker, observer, device,
                      [&](const Hour& hour) { return leaves_room(hour, present, share); });
    }

    /// As has_room once `more` databases have left. Only looks at the counts of the device, and
    /// neither waits for a lock nor writes. Throws Failure if they cannot be read.
    template <Broker B>
    [[nodiscard]] static bool shows_room(B& broker, const std::string& device, std::int64_t more,
                                         std::int64_t present, double share) {
        const std::string place = place_of<B>(device) + "/hour";
        const auto text = broker.disk().read_link(place);
        if (!text && broker.disk().stat(place)) {
            return false; // no counts of ours: a pass lets nothing leave
        }
        const Timestamp now = broker.clock().now();
        auto hour = text ? Hour::parse(*text) : std::optional(Hour{now});
        if (!hour) {
            return false;
        }
        if (hour->began.plus(length) <= now) {
            *hour = {now, std::max<std::int64_t>(hour->databases - hour->left, 0), 0, 0};
        }
        hour->left += more;
        return leaves_room(*hour, present, share);
    }

    /// As has_room, and counts the database if it may. Call it before the database is removed.
    template <Broker B, Observer O>
    [[nodiscard]] bool may_leave(B& broker, O& observer, const std::string& device,
                                 std::int64_t present, double share) {
        return change(broker, observer, device, [&](Hour& hour) {
            const bool may = leaves_room(hour, present, share);
            if (may) {
                hour.databases = std::max(hour.databases, present + hour.left);
                ++hour.left;
            }
            return may;
        });
    }

    /// The database stays after all: take it off the count.
    template <Broker B, Observer O>
    void stays(B& broker, O& observer, const std::string& device) {
        change(broker, observer, device, [](Hour& hour) { return give_back(hour.left); });
    }

    /// Whether one more database may be checked and go to quarantine; if so, it counts. A bug or a
    /// bad cable must not empty a disk.
    template <Broker B, Observer O>
    [[nodiscard]] bool may_quarantine(B& broker, O& observer, const std::string& device) {
        return change(broker, observer, device, [](Hour& hour) {
            const bool may = hour.quarantined < quarantine_max;
            hour.quarantined += may ? 1 : 0;
            return may;
        });
    }

    /// The database was sound: give back its quarantine slot. If the check itself failed, the slot
    /// stays taken, since the disk may be broken.
    template <Broker B, Observer O>
    void refund_quarantine(B& broker, O& observer, const std::string& device) {
        change(broker, observer, device, [](Hour& hour) { return give_back(hour.quarantined); });
    }

private:
    struct Hour {
        Timestamp began;
        std::int64_t databases = 0; ///< On the device, as far as was seen.
        std::int64_t left = 0;
        std::int64_t quarantined = 0;

        friend bool operator==(const Hour&, const Hour&) = default;

        [[nodiscard]] std::string text() const {
            return "began=" + began.normal() + " databases=" + std::to_string(databases) +
                   " left=" + std::to_string(left) + " quarantined=" + std::to_string(quarantined);
        }

        /// Nothing if the text is none that text() writes.
        [[nodiscard]] static std::optional<Hour> parse(std::string_view text) {
            const auto value = [&](std::string_view name) {
                const std::size_t end = std::min(text.find(' '), text.size());
                const std::string_view field = text.substr(0, end);
                text.remove_prefix(std::min(end + 1, text.size()));
                return field.starts_with(name) ? field.substr(name.size()) : std::string_view();
            };
            const auto count = [&](std::string_view name, std::int64_t& into) {
                const std::string_view digits = value(name);
                const char* const last = digits.data() + digits.size();
                const auto [end, error] = std::from_chars(digits.data(), last, into);
                return error == std::errc() && end == last && into >= 0 && into <= spent;
            };
            Hour hour;
            const auto began = Timestamp::parse(value("began="));
            const bool good = began && count("databases=", hour.databases) &&
                              count("left=", hour.left) &&
                              count("quarantined=", hour.quarantined) && text.empty();
            hour.began = began.value_or(Timestamp());
            return good ? std::optional(hour) : std::nullopt;
        }
    };

    /// What this process knows of a device.
    struct Known {
        std::mutex mutex;
        std::optional<Hour> hour; ///< As it was read or written last.
        Instant over{};           ///< The end of the hour.
        bool alone = false;       ///< The last count is in memory only.
        bool told = false;        ///< It was told that `alone` is set.
    };

    static constexpr std::int64_t spent = 1'000'000'000'000;
    static constexpr Seconds length{3600};
    static constexpr Seconds patience{5}; ///< For the lock of a process that was halted.

    template <Broker B>
    [[nodiscard]] static std::string place_of(const std::string& device) {
        return device + "/tmp/" + std::string(B::kind_type::name) + ".brakes";
    }

    [[nodiscard]] static bool leaves_room(const Hour& hour, std::int64_t present, double share) {
        const auto had = static_cast<double>(std::max(hour.databases, present + hour.left));
        return hour.left < free_leaves || static_cast<double>(hour.left) < had * share / 100;
    }

    /// Takes one off a count; a count of 0 stays.
    static bool give_back(std::int64_t& count) {
        count = std::max<std::int64_t>(count - 1, 0);
        return true;
    }

    [[nodiscard]] std::shared_ptr<Known> known(const std::string& place) {
        const std::lock_guard guard(mutex_);
        auto& known = devices_[place];
        known = known ? known : std::make_shared<Known>();
        return known;
    }

    /// Returns the result of `change(hour)`, and writes the hour to the device, or else to memory.
    template <Broker B, Observer O, std::predicate<Hour&> Change>
    bool change(B& broker, O& observer, const std::string& device, Change change) {
        const std::string place = place_of<B>(device);
        const auto known = this->known(place);
        std::string what;
        bool result = false;
        {
            const std::lock_guard guard(known->mutex);
            try {
                result = change_kept(broker, device, place, change, what, *known);
            } catch (const Failure& failure) {
                known->alone = true;
                if (!std::exchange(known->told, true)) {
                    what = std::string("counted in memory: ") + failure.what();
                }
                known->hour = now(*known, std::nullopt, broker.clock());
                result = change(*known->hour);
            }
        }
        if (!what.empty()) {
            observer(event::SetAside{place, what});
        }
        return result;
    }

    /// Sets `what` to what there is to tell. Throws Failure if the hour could not be written.
    template <Broker B, std::predicate<Hour&> Change>
    static bool change_kept(B& broker, const std::string& device, const std::string& place,
                            Change& change, std::string& what, Known& known) {
        auto& disk = broker.disk();
        auto& clock = broker.clock();
        if (!disk.stat(place)) {
            storage::make_durable_directories(disk, device, place);
        }
        const auto lock =
            storage::lock_directory(disk, clock, place, clock.monotonic() + to_duration(patience));
        const auto text = disk.read_link(place + "/hour");
        const auto kept = text ? Hour::parse(*text) : std::nullopt;
        auto hour = kept;
        if (!kept && (text || disk.stat(place + "/hour"))) {
            what = "holds no counts of ours";
            if (!known.hour) {
                what += "; nothing leaves for an hour";
                hour = Hour{clock.now(), 0, spent, spent};
            }
        }
        known.hour = hour = now(known, hour, clock); // kept if the write fails
        const bool result = change(*hour);
        if (hour != kept) {
            write(disk, place, *hour);
            known.told = false;
        }
        known.hour = hour;
        known.alone = false;
        return result;
    }

    /// The present hour. Without `kept`, the one that this process knows, or a new one.
    template <Clock C>
    [[nodiscard]] static Hour now(Known& known, const std::optional<Hour>& kept, const C& clock) {
        const Timestamp wall = clock.now();
        const Instant instant = clock.monotonic();
        Hour hour = kept ? *kept : known.hour.value_or(Hour{wall, 0, 0, 0});
        if (known.alone && known.hour && known.hour->began >= hour.began) {
            hour = known.hour->began > hour.began ? *known.hour : most(*known.hour, hour);
        }
        if (!known.hour || known.hour->began != hour.began) { // another process began this hour
            const Seconds age(wall.seconds() - hour.began.seconds());
            const Seconds rest = length - std::clamp(age, Seconds(0), length);
            known.over = std::max(known.over, instant + to_duration(rest));
        }
        hour.began = std::min(hour.began, wall);
        if (instant >= known.over) {
            known.over = instant + to_duration(length);
            hour = {wall, std::max<std::int64_t>(hour.databases - hour.left, 0), 0, 0};
        }
        return hour;
    }

    [[nodiscard]] static Hour most(const Hour& a, const Hour& b) {
        return {a.began, std::max(a.databases, b.databases), std::max(a.left, b.left),
                std::max(a.quarantined, b.quarantined)};
    }

    /// Order: make the link under a name that nobody reads; rename; fsync the directory.
    template <Disk D>
    static void write(D& disk, const std::string& place, const Hour& hour) {
        const std::string next = place + "/next";
        disk.remove(next); // left by a process that was killed
        if (!disk.make_link(hour.text(), next)) {
            throw Failure(Error::exists, next + ": is in the way");
        }
        disk.rename(next, place + "/hour");
        disk.sync(place);
    }

    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Known>> devices_; ///< By directory of the counts.
};

} // namespace replica

#endif // REPLICA_STORAGE_BRAKES_HPP
