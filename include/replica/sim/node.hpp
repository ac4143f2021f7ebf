#ifndef REPLICA_SIM_NODE_HPP
#define REPLICA_SIM_NODE_HPP

// The inodes of a simulated file system. Every file and directory exists twice: as it is, and as it
// would be after a crash. sync() copies the first to the second, crash() the second to the first.
// Contents and directory entries become durable separately, each only when its own file or
// directory is synced: what POSIX promises, and no more.

#include <replica/sim/changes.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// Content of a simulated file. A size beyond the bytes is that of a very large file, of which only
/// the head is kept.
struct SimContent {
    std::string bytes;
    std::int64_t size = 0;

    [[nodiscard]] static SimContent of(std::string bytes) {
        const auto size = static_cast<std::int64_t>(bytes.size());
        return {std::move(bytes), size};
    }
};

/// The lock that one open handle has on a file: SQLite's five levels, 0 being none.
struct SimHold {
    int level = 0;
    std::weak_ptr<void> process; ///< Gone: the lock is void.
};

/// An inode. Entries are in ordered maps, so that a run does not depend on addresses.
struct SimNode {
    using Pointer = std::shared_ptr<SimNode>;
    using Entries = std::map<std::string, Pointer, std::less<>>;

    std::uint64_t inode = 0;
    std::uint64_t device = 0;
    bool directory = false;
    bool link = false; ///< Symbolic; the content is the target's path.
    std::int64_t modified_ns = 0;
    SimContent content;
    SimContent durable_content;
    SimChanges changes; ///< From the durable bytes to the current ones.
    Entries entries;
    Entries durable_entries;
    std::weak_ptr<void> lock;                  ///< Held with the lock of a directory.
    std::vector<std::weak_ptr<SimHold>> holds; ///< SQLite's locks on the file (sim/handle.hpp).

    /// The directory whose durable entries named this node last, and the name there.
    std::weak_ptr<SimNode> home;
    std::string home_name;

    /// Locks the node; null if it is locked.
    [[nodiscard]] static std::shared_ptr<void> take(SimNode& node) {
        if (!node.lock.expired()) {
            return nullptr;
        }
        auto token = std::make_shared<char>('\0');
        node.lock = token;
        return token;
    }

    void make_content_durable() {
        durable_content = content;
        changes.clear();
    }

    /// Makes the node durable. A rename is one step for a crash too: once the new name is durable,
    /// the old name is gone.
    static void sync(const Pointer& node) {
        node->make_content_durable();
        for (const auto& [name, child] : node->entries) {
            const Pointer old = child->home.lock();
            const bool moved = old && (old != node || child->home_name != name);
            if (moved && !names(old->entries, child->home_name, child) &&
                names(old->durable_entries, child->home_name, child)) {
                old->durable_entries.erase(child->home_name);
            }
            child->home = node;
            child->home_name = name;
        }
        node->durable_entries = node->entries;
    }

    /// Resets everything below to its durable half; releases all locks.
    static void crash(const Pointer& node) {
        node->content = node->durable_content;
        node->changes.clear();
        node->entries = node->durable_entries;
        node->lock.reset();
        node->holds.clear();
        for (const auto& [name, child] : node->entries) {
            crash(child);
        }
    }

    /// Makes everything below durable.
    static void settle(const Pointer& node) {
        sync(node);
        for (const auto& [name, child] : node->entries) {
            settle(child);
        }
    }

    /// The bytes of all files below that are on the same device.
    [[nodiscard]] std::uint64_t used() const {
        auto sum = static_cast<std::uint64_t>(directory ? 0 : content.size);
        for (const auto& [name, child] : entries) {
            sum += child->device == device ? child->used() : 0;
        }
        return sum;
    }

private:
    static bool names(const Entries& entries, const std::string& name, const Pointer& node) {
        const auto found = entries.find(name);
        return found != entries.end() && found->second == node;
    }
};

} // namespace replica

#endif // REPLICA_SIM_NODE_HPP
