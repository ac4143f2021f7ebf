#ifndef REPLICA_SIM_FILE_SYNC_HPP
#define REPLICA_SIM_FILE_SYNC_HPP

// Copies a file from one simulated disk to the tmp of another, like rsync: reads while others may
// write, does not sync the copy, and needs a tmp that the receiver has made.

#include <replica/error.hpp>
#include <replica/file_sync.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/words/hash_path.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// Faults of a transfer.
enum class SimTransferFault {
    fail,    ///< transfer_failed; nothing arrived.
    partial, ///< transfer_failed; half of the file arrived.
    silent,  ///< timed_out at the deadline; nothing arrived.
};

/// Models FileSync. Copies share targets, faults and hook. Thread safety: any thread.
///
/// One object is the rsync daemon of all nodes; from() makes the sender of one node.
class SimFileSync {
public:
    /// Called with the path of a source and where it goes.
    using Hook = std::function<void(const std::string& path, const Upload&)>;

    /// `root` is the devices directory of every node.
    explicit SimFileSync(std::string root) : state_(std::make_shared<State>(std::move(root))) {}

    /// Files for `device` at the replication address ip:port go to `disk`.
    void attach(const std::string& ip, std::uint16_t port, const std::string& device,
                SimDisk disk) const {
        const std::scoped_lock guard(state_->mutex);
        state_->targets.insert_or_assign(key(ip, port, device), std::move(disk));
    }

    /// The sender of one node: reads from the node's disk, by the node's clock.
    [[nodiscard]] SimFileSync from(SimDisk disk) const {
        SimFileSync bound(*this);
        bound.source_ = std::move(disk);
        return bound;
    }

    /// The next `times` transfers to devices named `device` (empty: any) have the fault; 0: for
    /// ever.
    void fail(const std::string& device, SimTransferFault fault, int times = 1) const {
        const std::scoped_lock guard(state_->mutex);
        state_->rules.push_back({device, fault, times});
    }

    /// Ends all faults.
    void heal() const {
        const std::scoped_lock guard(state_->mutex);
        state_->rules.clear();
    }

    /// Bytes per second of virtual time that a transfer moves; 0, the default, is without limit.
    void bandwidth(double bytes_per_second) const {
        const std::scoped_lock guard(state_->mutex);
        state_->bytes_per_second = bytes_per_second;
    }

    /// Calls `hook` in the middle of each transfer. If the hook changes the file, the copy is torn.
    void on_transfer(Hook hook) const {
        const std::scoped_lock guard(state_->mutex);
        state_->hook = std::move(hook);
    }

    /// Uses only the path: reads what another process would read.
    template <Source S>
    [[nodiscard]] Result<Sent> send(S& source, const Upload& upload, Instant deadline,
                                    const std::stop_token& stop) const {
        try {
            return transfer(source.path(), upload, deadline, stop);
        } catch (const Failure& failure) { // of the target's disk
            return fault(upload, Error::transfer_failed, failure.what());
        }
    }

private:
    struct Rule {
        std::string device;
        SimTransferFault fault;
        int times;
    };

    struct State {
        explicit State(std::string devices) : root(std::move(devices)) {}

        std::mutex mutex;
        const std::string root;
        std::map<std::string, SimDisk> targets; // ordered, so that runs are repeatable
        std::vector<Rule> rules;
        double bytes_per_second = 0;
        Hook hook;
    };

    /// The target, fault, speed and hook of one transfer.
    struct Plan {
        std::optional<SimDisk> target;
        std::optional<SimTransferFault> fault;
        double bytes_per_second = 0;
        Hook hook;
    };

    [[nodiscard]] static std::string key(const std::string& ip, std::uint16_t port,
                                         const std::string& device) {
        return ip + ':' + std::to_string(port) + '/' + device;
    }

    [[nodiscard]] static Fault fault(const Upload& upload, Error error, const std::string& why) {
        const Device& to = upload.target;
        return {make_error_code(error), key(to.replication_ip, to.replication_port, to.device) +
                                            "/tmp/" + upload.name + ": " + why};
    }

    [[nodiscard]] static Fault fault(const Upload& upload, Error error) {
        return fault(upload, error, make_error_code(error).message());
    }

    [[nodiscard]] Plan plan(const Device& to) const {
        const std::scoped_lock guard(state_->mutex);
        Plan plan{std::nullopt, std::nullopt, state_->bytes_per_second, state_->hook};
        const auto target =
            state_->targets.find(key(to.replication_ip, to.replication_port, to.device));
        if (target != state_->targets.end()) {
            plan.target = target->second;
        }
        const auto rule = std::ranges::find_if(state_->rules, [&](const Rule& each) {
            return each.device.empty() || each.device == to.device;
        });
        if (rule != state_->rules.end()) {
            plan.fault = rule->fault;
            if (rule->times > 0 && --rule->times == 0) {
                state_->rules.erase(rule);
            }
        }
        return plan;
    }

    [[nodiscard]] Result<Sent> transfer(const std::string& path, const Upload& upload,
                                        Instant deadline, const std::stop_token& stop) const {
        if (!is_safe_name(upload.name)) {
            return fault(upload, Error::bad_name);
        }
        if (stop.stop_requested()) {
            return fault(upload, Error::stopped);
        }
        if (!source_) {
            return fault(upload, Error::transfer_failed, "no disk to read from, see from()");
        }
        const SimClock clock = source_->clock();
        if (clock.monotonic() >= deadline) {
            return fault(upload, Error::timed_out);
        }
        const Plan plan = this->plan(upload.target);
        if (plan.fault == SimTransferFault::silent) {
            return fault(upload,
                         clock.sleep_until(deadline, stop) ? Error::timed_out : Error::stopped);
        }
        if (!plan.target || plan.fault == SimTransferFault::fail) {
            return fault(upload, Error::transfer_failed);
        }
        const auto before = source_->glance(path);
        if (!before) {
            return fault(upload, Error::transfer_failed, path + " does not exist");
        }
        const auto seconds =
            plan.bytes_per_second > 0
                ? Seconds(static_cast<double>(before->second.size) / plan.bytes_per_second)
                : Seconds(0);
        const Instant end = clock.monotonic() + to_duration(seconds);
        const bool in_time = end <= deadline;
        const bool slept = clock.sleep_until(in_time ? end : deadline, stop);
        if (plan.hook) {
            plan.hook(path, upload);
        }
        const bool whole = slept && in_time && plan.fault != SimTransferFault::partial;
        put(*plan.target, upload, content(path, *before, whole));
        if (!whole) {
            return fault(upload, !slept     ? Error::stopped
                                 : !in_time ? Error::timed_out
                                            : Error::transfer_failed);
        }
        return Sent{before->second.size};
    }

    /// The content that arrives: the whole file, half of it, or the first half of what it was and
    /// the second of what it has become, which may well look like a database. As for a process that
    /// has it open, a file that was removed or replaced meanwhile is still the old one.
    [[nodiscard]] SimContent content(const std::string& path,
                                     const std::pair<FileStatus, SimContent>& before,
                                     bool whole) const {
        const auto after = source_->glance(path);
        const bool torn = !after || after->first != before.first;
        if (whole && !torn) {
            return before.second;
        }
        const std::string& bytes = before.second.bytes;
        const std::size_t half = bytes.size() / 2;
        std::string arrived = bytes.substr(0, half);
        if (whole) {
            const bool same = after && after->first.inode == before.first.inode &&
                              after->first.device == before.first.device;
            const std::string& rest = same ? after->second.bytes : bytes;
            arrived += rest.size() > half ? rest.substr(half) : std::string();
        }
        return SimContent::of(std::move(arrived));
    }

    void put(const SimDisk& target, const Upload& upload, SimContent content) const {
        const std::string tmp = state_->root + '/' + upload.target.device + "/tmp";
        if (!target.stat(tmp)) {
            throw Failure(Error::missing, tmp + ": no such directory");
        }
        const std::string path = tmp + '/' + upload.name;
        if (!target.glance(path)) {
            target.write(path, std::move(content));
            return;
        }
        // rsync writes beside a file that is there. Who has the old one open keeps it.
        const std::string beside = tmp + "/." + upload.name;
        target.write(beside, std::move(content));
        target.rename(beside, path);
    }

    std::shared_ptr<State> state_;
    std::optional<SimDisk> source_;
};

static_assert(FileSync<SimFileSync>);

} // namespace replica

#endif // REPLICA_SIM_FILE_SYNC_HPP
