#ifndef REPLICA_SIM_DISK_HPP
#define REPLICA_SIM_DISK_HPP

// The file system of one simulated node. It fills up, loses mounts, fails at any call and crashes
// between any two, and then loses everything that was not synced. Everything is kept in order, so
// the same test makes the same calls every time.

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/sim/chooser.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk_faults.hpp>
#include <replica/sim/node.hpp>
#include <replica/sim/survivors.hpp>
#include <replica/sim/tree.hpp>
#include <replica/words/random.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// Holds the lock of one directory until it is destroyed. Belongs to one task.
class SimLock {
public:
    explicit SimLock(std::shared_ptr<void> token) : token_(std::move(token)) {} ///< For SimDisk.
    SimLock(SimLock&&) noexcept = default;
    SimLock& operator=(SimLock&&) noexcept = default;
    SimLock(const SimLock&) = delete;
    SimLock& operator=(const SimLock&) = delete;
    ~SimLock() = default;

private:
    std::shared_ptr<void> token_;
};

/// Models Disk, in memory. Copies share one file system. Thread safety: any thread.
class SimDisk {
public:
    using lock_type = SimLock;
    using Hook = std::function<void(SimCall, const std::string&)>; ///< For on_call().

    static constexpr std::uint64_t unlimited = SimTree::unlimited; ///< For mount().

    explicit SimDisk(SimClock clock = SimClock())
        : state_(std::make_shared<State>(clock)) {} ///< Empty.

    // The calls of the concept Disk. A fault may be injected at each call.

    /// Names come in falling order, so that a caller that needs another order must sort.
    [[nodiscard]] std::vector<Entry> list(const std::string& path) const {
        const auto guard = enter(SimCall::list, path);
        const SimNode::Pointer node = state_->tree.existing(path);
        if (!node->directory) {
            SimTree::fail(Error::missing, path, "not a directory");
        }
        std::vector<Entry> entries;
        for (const auto& [name, _] : node->entries) {
            std::string at = path + '/';
            const SimNode::Pointer named = state_->tree.follow(at += name);
            entries.push_back({name, named && named->directory});
        }
        std::ranges::reverse(entries);
        return entries;
    }

    [[nodiscard]] std::optional<FileStatus> stat(const std::string& path) const {
        const auto guard = enter(SimCall::stat, path);
        const SimNode::Pointer node = state_->tree.follow(path);
        return node ? std::optional(status(*node)) : std::nullopt;
    }

    [[nodiscard]] bool is_mount(const std::string& path) const {
        const auto guard = enter(SimCall::is_mount, path);
        return state_->tree.is_mount(path);
    }

    [[nodiscard]] Space space(const std::string& path) const {
        const auto guard = enter(SimCall::space, path);
        const auto [total, used] = state_->tree.usage(*state_->tree.existing(path));
        return {total, used < total ? total - used : 0};
    }

    /// At most `bytes` from the start of a file.
    [[nodiscard]] std::string read(const std::string& path, std::size_t bytes) const {
        return read_from(path, 0, bytes);
    }

    [[nodiscard]] std::string read_from(const std::string& path, std::int64_t offset,
                                        std::size_t bytes) const {
        const auto guard = enter(SimCall::read, path);
        const std::string& all = state_->tree.followed_file(path)->content.bytes;
        return all.substr(std::min(static_cast<std::size_t>(offset), all.size()), bytes);
    }

    void append(const std::string& path, std::string_view text) const {
        const auto guard = enter(SimCall::write, path);
        state_->tree.append(path, text);
    }

    void make_directories(const std::string& path) const {
        const auto guard = enter(SimCall::make_directories, path);
        state_->tree.directories(path);
    }

    void rename(const std::string& from, const std::string& to) const {
        const auto guard = enter(SimCall::rename, from);
        state_->tree.move(from, to);
    }

    [[nodiscard]] bool rename_new(const std::string& from, const std::string& to) const {
        const auto guard = enter(SimCall::rename_new, from);
        if (state_->tree.existing(from) && state_->tree.find(to)) {
            return false;
        }
        state_->tree.move(from, to);
        return true;
    }

    void exchange(const std::string& a, const std::string& b) const {
        const auto guard = enter(SimCall::exchange, a);
        state_->tree.exchange(a, b);
    }

    [[nodiscard]] bool make_link(const std::string& target, const std::string& path) const {
        const auto guard = enter(SimCall::make_link, path);
        if (state_->tree.find(path)) {
            return false;
        }
        if (!state_->tree.find(path.substr(0, path.rfind('/')))) {
            SimTree::fail(Error::missing, path, "no such directory");
        }
        const SimNode::Pointer node = state_->tree.file(path);
        node->link = true;
        state_->tree.fill(*node, path, SimContent::of(target));
        node->make_content_durable();
        return true;
    }

    [[nodiscard]] std::optional<std::string> read_link(const std::string& path) const {
        const auto guard = enter(SimCall::read_link, path);
        const SimNode::Pointer node = state_->tree.find(path);
        return node && node->link ? std::optional(node->content.bytes) : std::nullopt;
    }

    bool remove(const std::string& path) const {
        const auto guard = enter(SimCall::remove, path);
        const SimNode::Pointer node = state_->tree.find(path);
        if (node && node->directory) {
            SimTree::fail(Error::io, path, "is a directory");
        }
        return state_->tree.erase(path);
    }

    bool remove_empty(const std::string& path) const {
        const auto guard = enter(SimCall::remove_empty, path);
        const SimNode::Pointer node = state_->tree.find(path);
        if (node && !node->directory) {
            SimTree::fail(Error::io, path, "not a directory");
        }
        return node && node->entries.empty() && state_->tree.erase(path);
    }

    bool remove_tree(const std::string& path) const {
        const auto guard = enter(SimCall::remove_tree, path);
        return state_->tree.erase(path);
    }

    void sync(const std::string& path) const {
        const auto guard = enter(SimCall::sync, path);
        SimNode::sync(state_->tree.existing(path));
    }

    /// The lock is on the file `.lock` in the directory, as in PosixDisk.
    [[nodiscard]] std::optional<SimLock> try_lock(const std::string& directory) const {
        const auto guard = enter(SimCall::try_lock, directory);
        auto token = SimNode::take(*state_->tree.file(directory + "/.lock"));
        return token ? std::optional<SimLock>(std::move(token)) : std::nullopt;
    }

    [[nodiscard]] std::optional<SimLock> try_hold(const std::string& directory) const {
        const auto guard = enter(SimCall::try_hold, directory);
        auto token = SimNode::take(*state_->tree.existing(directory));
        return token ? std::optional<SimLock>(std::move(token)) : std::nullopt;
    }

    [[nodiscard]] bool is_held(const std::string& directory) const {
        const auto guard = enter(SimCall::is_held, directory);
        const SimNode::Pointer node = state_->tree.find(directory);
        return node && !node->lock.expired();
    }

    // Files for tests and for simulated transfers.

    /// Replaces a file's content, or makes the file and its parents. The inode stays. Not durable
    /// before sync(). Throws no_space if the mount is full.
    void write(const std::string& path, SimContent content) const {
        const auto guard = enter(SimCall::write, path);
        state_->tree.fill(*state_->tree.file(path), path, std::move(content));
    }

    /// The same for a content that is in memory.
    void write(const std::string& path, std::string bytes) const {
        write(path, SimContent::of(std::move(bytes)));
    }

    /// The content of a file; empty if there is none. No fault point.
    [[nodiscard]] std::optional<SimContent> content(const std::string& path) const {
        auto seen = glance(path);
        return seen ? std::optional(std::move(seen->second)) : std::nullopt;
    }

    /// Status and content as another process sees them; empty if there is no file. No fault point.
    [[nodiscard]] std::optional<std::pair<FileStatus, SimContent>>
    glance(const std::string& path) const {
        const std::scoped_lock guard(state_->mutex);
        const SimNode::Pointer node = state_->tree.find(path);
        return node && !node->directory ? std::optional(std::pair(status(*node), node->content))
                                        : std::nullopt;
    }

    /// The clock that gives files their times.
    [[nodiscard]] const SimClock& clock() const { return state_->clock; }

    /// Every path below "/" with its bytes; directories end in '/' and have none. Two disks have
    /// equal dumps if and only if they have equal names and raw contents.
    [[nodiscard]] std::map<std::string, std::string> dump() const {
        const std::scoped_lock guard(state_->mutex);
        return state_->tree.dump();
    }

    /// A power cut: loses all that was not synced, and all locks. Faults end.
    void crash() const {
        const std::scoped_lock guard(state_->mutex);
        state_->restart();
        state_->tree.crash();
    }

    /// A power cut that loses some of what was not synced, sector by sector and name by name
    /// (sim/power_cut.hpp): the same seed, the same loss.
    void crash(std::uint64_t seed) const {
        Random random(seed);
        SimChance chance(random);
        crash(chance);
    }

    /// Likewise, what `chooser` lets go.
    template <SimChooser C>
    void crash(C& chooser) const {
        const std::scoped_lock guard(state_->mutex);
        state_->restart();
        state_->tree.crash(chooser);
    }

    /// What may be left by a power cut now. The disk must not change while the value is in use.
    [[nodiscard]] SimSurvivors survivors(const SimSurvivors::GroupOf& group_of) const {
        const std::scoped_lock guard(state_->mutex);
        return state_->tree.survivors(group_of);
    }

    /// Makes everything durable: the state with which a test begins.
    void settle() const {
        const std::scoped_lock guard(state_->mutex);
        state_->tree.settle();
    }

    /// From now on times of files are multiples of `step_ns`, as those of a kernel, so that two
    /// writes may have one time. Otherwise times rise strictly.
    void round_times(std::int64_t step_ns) const {
        const std::scoped_lock guard(state_->mutex);
        state_->tree.round_times(step_ns);
    }

    /// Mounts a file system of `total` bytes at `path`. One that was unmounted comes back with its
    /// content and the new size.
    void mount(const std::string& path, std::uint64_t total = unlimited) const {
        const std::scoped_lock guard(state_->mutex);
        state_->tree.mount(path, total);
    }

    /// Leaves an empty directory of the surrounding file system at `path`.
    void unmount(const std::string& path) const {
        const std::scoped_lock guard(state_->mutex);
        state_->tree.unmount(path);
    }

    /// The next `times` calls of this kind whose path contains `part` fail; 0: for ever. See also
    /// SimFaults (disk_faults.hpp).
    void fail_next(SimCall call, const std::string& part, Error error, int times = 1) const {
        const std::scoped_lock guard(state_->mutex);
        state_->faults.fail(call, part, error, times);
    }

    /// The next `times` calls of this kind take `by` longer; 0: all.
    void delay(SimCall call, const std::string& part, Seconds by, int times = 0) const {
        const std::scoped_lock guard(state_->mutex);
        state_->faults.delay(call, part, by, times);
    }

    /// The n-th call from now fails. Loop n = 1, 2... until fault_pending() stays true afterwards.
    void fail_at(std::uint64_t n, Error error = Error::io) const {
        const std::scoped_lock guard(state_->mutex);
        state_->faults.fail_at(n, error, false);
    }

    /// The n-th call from now and all later ones fail until crash(): a power cut at that call.
    void halt_at(std::uint64_t n) const {
        const std::scoped_lock guard(state_->mutex);
        state_->faults.fail_at(n, Error::io, true);
    }

    /// Whether a fault is still to come.
    [[nodiscard]] bool fault_pending() const {
        const std::scoped_lock guard(state_->mutex);
        return state_->faults.pending();
    }

    /// No call fails or is late from now on.
    void clear_faults() const {
        const std::scoped_lock guard(state_->mutex);
        state_->faults.clear();
    }

    /// The number of calls so far, including failed ones.
    [[nodiscard]] std::uint64_t calls() const {
        const std::scoped_lock guard(state_->mutex);
        return state_->faults.calls();
    }

    /// Calls `hook` before each call, with no lock held: a test can act in the middle of an
    /// operation, a scheduler can switch. Calls made by the hook call the hook again.
    void on_call(Hook hook) const {
        const std::scoped_lock guard(state_->mutex);
        state_->hook = hook ? std::make_shared<const Hook>(std::move(hook)) : nullptr;
    }

private:
    friend class SimHandle;
    friend class SimProcess;

    struct State {
        explicit State(const SimClock& time) : clock(time), tree(time) {}

        std::mutex mutex;
        const SimClock clock;
        SimTree tree;
        SimFaults faults;
        std::shared_ptr<const Hook> hook;
        std::shared_ptr<void> boot = std::make_shared<char>(); // ends with a crash

        void restart() {
            boot = std::make_shared<char>();
            faults.clear();
        }
    };

    /// Runs the hook, waits, then applies the fault rules. Returns the lock of the disk's mutex.
    [[nodiscard]] std::unique_lock<std::mutex> enter(SimCall call, const std::string& path) const {
        std::unique_lock guard(state_->mutex);
        if (const auto hook = state_->hook) {
            guard.unlock();
            (*hook)(call, path);
            guard.lock();
        }
        if (const Seconds late = state_->faults.delay_of(call, path); late > Seconds()) {
            guard.unlock();
            state_->clock.advance(late);
            guard.lock();
        }
        state_->faults.check(call, path);
        return guard;
    }

    [[nodiscard]] static FileStatus status(const SimNode& node) {
        return {.device = node.device,
                .inode = node.inode,
                .size = node.content.size,
                .modified_ns = node.modified_ns,
                .changed_ns = node.modified_ns,
                .directory = node.directory,
                .regular = !node.directory};
    }

    std::shared_ptr<State> state_;
};

static_assert(Disk<SimDisk>);

} // namespace replica

#endif // REPLICA_SIM_DISK_HPP
