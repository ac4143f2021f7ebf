#ifndef REPLICA_TEST_SIM_DEPARTURES_HPP
#define REPLICA_TEST_SIM_DEPARTURES_HPP

// What must hold when a replicator of ours removes a copy: those that stay have all of it, or it is
// expired and empty, and the brakes allow it. What is removed lies in the trash then, and is looked
// at there.

#include "autopsy.hpp"
#include "layout.hpp"
#include "points.hpp"
#include "record.hpp"
#include "world.hpp"
#include <replica/clock.hpp>
#include <replica/send/departure.hpp>
#include <replica/storage/brakes.hpp>
#include <replica/storage/place.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace replica::test {

/// The brakes count an hour. In a world with Config::leaves all but a few databases have left each
/// device when the world begins, so that the hour decides about the next ones. Where more may leave
/// than may always, the device had so many that their share decides.
template <class Kind>
class HourCheck {
public:
    using Machine = typename World<Kind>::Machine;

    explicit HourCheck(World<Kind>& world) : world_(world) {}

    void begin() {
        over_ = world_.clock.monotonic() + to_duration(Seconds(3600));
        if (world_.config.leaves == 0) {
            return;
        }
        const std::int64_t left = HourlyBrake::free_leaves - (has_many() ? 0 : most());
        const std::int64_t may = has_many() ? left + most() : HourlyBrake::free_leaves;
        const std::int64_t databases = has_many() ? 100 * may / world_.config.leave_share : may;
        for (auto& machine : world_.machines) {
            for (std::size_t device = 0; device < world_.layout.devices; ++device) {
                const std::string place =
                    Layout::path(device) + "/tmp/" + std::string(Kind::name) + ".brakes";
                machine->disk.make_directories(place);
                static_cast<void>(
                    machine->disk.make_link("began=" + machine->clock.now().normal() +
                                                " databases=" + std::to_string(databases) +
                                                " left=" + std::to_string(left) + " quarantined=0",
                                            place + "/hour"));
            }
            machine->disk.settle();
        }
    }

    /// A database has left the device at `path`. Counts that could not be written are gone with
    /// their process.
    void left(const Machine& machine, const std::string& path) {
        const auto& config = world_.config;
        const bool forgets = config.fill + config.fail + config.unmount > 0 &&
                             config.kill + config.power + config.second > 0;
        if (++left_[machine.ip + path] > most() && brakes() && !forgets && !is_over()) {
            throw Violation(machine.ip + ": " + path + ": more have left it than may in this hour");
        }
    }

    /// The brakes have kept a database.
    void stayed(const Machine& machine, const std::string& path) {
        const bool late = world_.clock.monotonic() > over_ + to_duration(Seconds(60));
        const bool many = left_[machine.ip + path] >= HourlyBrake::free_leaves;
        if ((!brakes() || late || has_many()) && !many) {
            throw Violation(machine.ip + ": " + path +
                            ": kept by the brakes, though few have left");
        }
    }

private:
    [[nodiscard]] bool brakes() const {
        return world_.config.leaves > 0 && world_.config.leave_share < 100;
    }

    [[nodiscard]] bool has_many() const { return most() > HourlyBrake::free_leaves; }
    [[nodiscard]] std::int64_t most() const { return world_.config.leaves - 1; }
    [[nodiscard]] bool is_over() const { return world_.clock.monotonic() >= over_; }

    World<Kind>& world_;
    Instant over_{};
    std::map<std::string, std::int64_t> left_; ///< By machine and device.
};

template <class Kind>
class DepartureCheck {
public:
    using Machine = typename World<Kind>::Machine;

    explicit DepartureCheck(World<Kind>& world) : world_(world), hour_(world) {
        world_.departed.left = [this](const Machine& machine, const std::string& path,
                                      std::string_view why) { left(machine, path, why); };
        world_.departed.stayed = [this](const Machine& machine, const std::string& path,
                                        std::string_view why) {
            if (why == departure::too_many) {
                hour_.stayed(machine, device_of(path));
            }
        };
    }

    DepartureCheck(const DepartureCheck&) = delete;
    DepartureCheck& operator=(const DepartureCheck&) = delete;
    ~DepartureCheck() { world_.departed = {}; }

    void begin() { hour_.begin(); }

private:
    using Versions = std::map<std::string, Version>;

    void left(const Machine& machine, const std::string& path, std::string_view why) {
        hour_.left(machine, device_of(path));
        const std::string entry = in_trash(machine, path);
        if (entry.empty()) {
            world_.marks("removed, and not in the trash");
            return;
        }
        Examiner<Kind> examiner(machine.disk, machine.clock.now(),
                                [&](const std::string& file) { return file.starts_with(entry); });
        const Copy<Kind> gone = examiner.read(entry + '/' + storage::base(path));
        if (gone.broken) {
            throw Violation(machine.ip + ": " + path + ": removed, and then " + *gone.broken);
        }
        if (gone.illegible && why != "expired") {
            throw Violation(machine.ip + ": " + path + ": handed off, and nobody has its metadata");
        }
        why == "expired" ? require_expired(machine, gone) : require_held(machine, path, gone);
    }

    /// Nothing lives in it, and its time was up.
    void require_expired(const Machine& machine, const Copy<Kind>& gone) const {
        const auto put = timestamp_or_zero(gone.info.put_timestamp);
        const auto deleted = timestamp_or_zero(gone.info.delete_timestamp);
        const Seconds age(static_cast<double>(world_.config.reclaim_age - 1));
        if (std::ranges::any_of(gone.rows, [](const auto& row) { return row.deleted == 0; }) ||
            put >= deleted || machine.clock.now().plus(-age) < deleted) {
            throw Violation(machine.ip + ": " + gone.path + ": expired, though it is alive");
        }
        world_.marks("looked at what expired");
    }

    /// Of a copy that is handed off, so many others have all that counts.
    void require_held(const Machine& machine, const std::string& path, const Copy<Kind>& gone) {
        const auto& config = world_.config;
        if (config.wipe + config.backup + config.stock > 0) {
            return; // what a peer had when it was asked may be gone with its device or file
        }
        const bool enough = config.handoff_delete > 0 && config.handoff_delete < config.replicas;
        const std::int64_t wanted = enough ? config.handoff_delete : config.replicas;
        std::int64_t holders = 0; // and those on devices that are away, which cannot be looked at
        std::string missing;
        for (const Spot at : world_.layout.spots()) {
            const Machine& other = *world_.machines[at.machine];
            const std::string there = Layout::moved(path, at.device);
            holders += other.mounted[at.device] ? 0 : 1;
            if ((&other != &machine || there != path) && other.disk.glance(there)) {
                Examiner<Kind> examiner(
                    other.disk, other.clock.now(),
                    [&](const std::string& file) { return file.starts_with(there); });
                const std::string lacks = lacking(gone, examiner.read(there));
                holders += lacks.empty() ? 1 : 0;
                missing += lacks.empty() ? "" : "; " + other.ip + ' ' + there + " lacks " + lacks;
            }
        }
        if (holders < wanted) {
            throw Violation(machine.ip + ": " + path + ": handed off to " +
                            std::to_string(holders) + " of " + std::to_string(wanted) + missing);
        }
        world_.marks("looked at what was handed off");
    }

    /// What `gone` has and `copy` has not, if anything; not what may have been forgotten. Nor shard
    /// ranges, which a copy that leaves takes from one peer after it has told another of its own;
    /// that somebody has each of them is looked for elsewhere.
    [[nodiscard]] std::string lacking(const Copy<Kind>& gone, const Copy<Kind>& copy) const {
        for (const auto where : {&Copy<Kind>::versions, &Copy<Kind>::metadata}) {
            for (const auto& [name, version] : gone.*where) {
                const auto held = (copy.*where).find(name);
                const bool forgets =
                    version.deleted
                        ? world_.config.jump > 0 || version.ticks < certain_since(world_)
                        : was_deleted_since(world_, copy.path, name, version);
                if (!forgets &&
                    (held == (copy.*where).end() || held->second.ticks < version.ticks)) {
                    return name + ' ' + version.text();
                }
            }
        }
        return {};
    }

    /// The directory in the trash that has come from the hash directory of `path`, or nothing.
    [[nodiscard]] static std::string in_trash(const Machine& machine, const std::string& path) {
        const std::string shelf = storage::trash_shelf(device_of(path), Kind::name) + '/';
        const std::string name = '/' + storage::base(path);
        std::string newest;
        for (const auto& [file, bytes] : machine.disk.dump()) {
            if (file.starts_with(shelf) && file.ends_with(name)) {
                newest = std::max(newest, storage::parent(file)); // by its time
            }
        }
        return newest;
    }

    [[nodiscard]] static std::string device_of(const std::string& path) {
        return path.substr(0, path.find('/', std::string_view(Layout::root).size() + 1));
    }

    World<Kind>& world_;
    HourCheck<Kind> hour_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_DEPARTURES_HPP
