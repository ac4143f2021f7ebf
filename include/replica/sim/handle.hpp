#ifndef REPLICA_SIM_HANDLE_HPP
#define REPLICA_SIM_HANDLE_HPP

// Open files of a simulated process: reads and writes at a place, and the locks that SQLite takes.
// A handle stays on one inode, whatever happens to the name. It dies with its process and with the
// machine: afterwards each call fails and its lock is void, so that nothing which a dead program
// would still do (SQLite rolls back when it is closed) reaches the disk.

#include <replica/error.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/disk_faults.hpp>
#include <replica/sim/node.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// SQLite's levels of a lock on a file, with its numbers. Many may share the file, and one of them
/// may reserve it; `pending` lets nobody else begin to share it.
enum class SimLevel {
    none,
    shared,
    reserved,
    pending,
    exclusive,
};

/// An open file. All calls throw Failure: io if the device or the process is gone.
class SimHandle {
public:
    SimHandle(const SimHandle&) = delete;
    SimHandle& operator=(const SimHandle&) = delete;
    ~SimHandle() = default; // the lock ends with hold_

    /// Fewer bytes at the end of the file.
    [[nodiscard]] std::string read(std::size_t at, std::size_t count) {
        const auto guard = enter(SimCall::vfs_read);
        const std::string& bytes = node_->content.bytes;
        const bool cut = disk_.state_->faults.applies(SimCall::vfs_short_read, path_);
        return at < bytes.size() ? bytes.substr(at, cut ? count / 2 : count) : std::string();
    }

    void write(std::size_t at, std::string_view bytes) {
        const auto guard = enter(SimCall::vfs_write);
        disk_.state_->tree.write(*node_, path_, at, bytes);
    }

    void resize(std::size_t size) {
        const auto guard = enter(SimCall::vfs_truncate);
        disk_.state_->tree.resize(*node_, path_, size);
    }

    /// The first time also syncs the directory, if open() was asked for that.
    void sync() {
        {
            const auto guard = enter(SimCall::vfs_sync);
            SimNode::sync(node_);
        }
        if (directory_) {
            const auto guard = disk_.enter(SimCall::vfs_sync, path_.substr(0, path_.rfind('/')));
            require_alive();
            SimNode::sync(std::exchange(directory_, nullptr));
        }
    }

    [[nodiscard]] std::int64_t size() const {
        const auto guard = enter(SimCall::vfs_size);
        return static_cast<std::int64_t>(node_->content.bytes.size());
    }

    /// Whether the path leads elsewhere by now.
    [[nodiscard]] bool has_moved() const {
        const auto guard = enter(SimCall::vfs_has_moved);
        return disk_.state_->tree.follow(path_) != node_;
    }

    /// Raises the level. False while another handle is in the way; nobody waits. `exclusive` that
    /// is refused to the one who has `reserved` leaves `pending`.
    [[nodiscard]] bool lock(SimLevel wanted) {
        const auto guard = enter(SimCall::vfs_lock);
        if (level() >= wanted) {
            return true;
        }
        const SimLevel others = highest_other();
        const SimLevel allowed = wanted == SimLevel::shared     ? SimLevel::reserved
                                 : wanted == SimLevel::reserved ? SimLevel::shared
                                                                : SimLevel::none;
        if (others <= allowed) {
            set(wanted);
            return true;
        }
        if (wanted == SimLevel::exclusive && level() == SimLevel::reserved) {
            set(SimLevel::pending);
        }
        return false;
    }

    /// Lowers the level, even if an injected fault is thrown.
    void unlock(SimLevel wanted) {
        const auto lower = [&] { set(std::min(level(), wanted)); };
        try {
            const auto guard = enter(SimCall::vfs_unlock);
            lower();
        } catch (...) {
            const std::scoped_lock guard(disk_.state_->mutex);
            lower();
            throw;
        }
    }

    /// Whether anybody has reserved the file, or more.
    [[nodiscard]] bool is_reserved() const {
        const auto guard = enter(SimCall::vfs_is_reserved);
        return std::max(level(), highest_other()) >= SimLevel::reserved;
    }

private:
    friend class SimProcess;

    SimHandle(SimDisk disk, std::string path, SimNode::Pointer node, std::weak_ptr<void> process)
        : disk_(std::move(disk)), path_(std::move(path)), node_(std::move(node)),
          boot_(disk_.state_->boot), hold_(std::make_shared<SimHold>()) {
        hold_->process = std::move(process);
        std::erase_if(node_->holds, [](const auto& hold) { return hold.expired(); });
        node_->holds.push_back(hold_);
    }

    void require_alive() const {
        if (boot_.expired() || hold_->process.expired()) {
            throw Failure(Error::io, path_ + ": its process has ended");
        }
    }

    /// The dead do not even try: no hook and no count of calls sees them.
    [[nodiscard]] std::unique_lock<std::mutex> enter(SimCall call) const {
        require_alive();
        auto guard = disk_.enter(call, path_);
        require_alive(); // the hook may have ended the process
        if (!disk_.state_->tree.is_present(*node_)) {
            throw Failure(Error::io, path_ + ": the device is gone");
        }
        return guard;
    }

    [[nodiscard]] SimLevel level() const { return static_cast<SimLevel>(hold_->level); }
    void set(SimLevel level) { hold_->level = static_cast<int>(level); }

    [[nodiscard]] SimLevel highest_other() const {
        int highest = 0;
        for (const auto& weak : node_->holds) {
            const auto hold = weak.lock();
            if (hold && hold != hold_ && !hold->process.expired()) {
                highest = std::max(highest, hold->level);
            }
        }
        return static_cast<SimLevel>(highest);
    }

    SimDisk disk_;
    std::string path_;
    SimNode::Pointer node_;
    SimNode::Pointer directory_; // to be synced as well
    std::weak_ptr<void> boot_;
    std::shared_ptr<SimHold> hold_;
};

/// A program that opens files on a disk. Not thread safe.
class SimProcess {
public:
    /// How a file is opened. It is made only in a directory that exists.
    struct Opening {
        bool create = false;   ///< Make the file if it is missing.
        bool only_new = false; ///< With `create`: fail if it exists.
        bool sync_directory =
            false;             ///< If the file is made: its first sync makes the name durable.
        bool nameless = false; ///< Remove the name at once.
    };

    explicit SimProcess(SimDisk disk) : disk_(std::move(disk)) {}

    /// Throws missing, exists, or io for what is no file. An empty path: a file without a name.
    [[nodiscard]] std::unique_ptr<SimHandle> open(const std::string& path, Opening how) {
        const auto guard = disk_.enter(SimCall::vfs_open, path);
        SimTree& tree = disk_.state_->tree;
        if (path.empty()) {
            return handle(path, tree.nameless());
        }
        const bool is_new = tree.find(path) == nullptr;
        if (!is_new && how.only_new) {
            SimTree::fail(Error::exists, path, "exists already");
        }
        const SimNode::Pointer directory = tree.existing(parent(path));
        auto opened =
            handle(path, is_new && how.create ? tree.file(path) : tree.followed_file(path));
        opened->directory_ = is_new && how.sync_directory ? directory : nullptr;
        if (how.nameless) {
            tree.erase(path);
        }
        return opened;
    }

    /// False if there is nothing. Not durable before sync_directory_of().
    bool remove(const std::string& path) {
        const auto guard = disk_.enter(SimCall::vfs_delete, path);
        SimTree& tree = disk_.state_->tree;
        const SimNode::Pointer node = tree.find(path);
        if (node && node->directory) {
            SimTree::fail(Error::io, path, "is a directory");
        }
        return tree.erase(path);
    }

    void sync_directory_of(const std::string& path) {
        const std::string directory = parent(path);
        const auto guard = disk_.enter(SimCall::vfs_sync, directory);
        SimNode::sync(disk_.state_->tree.existing(directory));
    }

    /// Whether there is a directory, or a file of at least `size` bytes.
    [[nodiscard]] bool exists(const std::string& path, std::int64_t size) {
        const auto guard = disk_.enter(SimCall::vfs_access, path);
        const SimNode::Pointer node = disk_.state_->tree.follow(path);
        return node && (node->directory || node->content.size >= size);
    }

    /// The process ends, all its handles with it. What it wrote is still the kernel's to write
    /// back. What is opened afterwards belongs to a new process.
    void kill() { life_ = std::make_shared<char>(); }

    /// Whether the process has a lock on any file.
    [[nodiscard]] bool is_locking() {
        std::erase_if(holds_, [](const auto& hold) { return hold.expired(); });
        return std::ranges::any_of(holds_, [&](const auto& weak) {
            const auto hold = weak.lock();
            return hold && !hold->process.expired() && hold->level > 0;
        });
    }

private:
    [[nodiscard]] static std::string parent(const std::string& path) {
        return path.substr(0, path.rfind('/'));
    }

    [[nodiscard]] std::unique_ptr<SimHandle> handle(const std::string& path,
                                                    SimNode::Pointer node) {
        std::unique_ptr<SimHandle> made(new SimHandle(disk_, path, std::move(node), life_));
        holds_.push_back(made->hold_);
        return made;
    }

    SimDisk disk_;
    std::shared_ptr<void> life_ = std::make_shared<char>();
    std::vector<std::weak_ptr<SimHold>> holds_; // of its handles
};

} // namespace replica

#endif // REPLICA_SIM_HANDLE_HPP
