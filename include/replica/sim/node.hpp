#ifndef REPLICA_SIM_NODE_HPP
#define REPLICA_SIM_NODE_HPP

// What a simulated file system is made of. Every file and directory exists twice, as it is and as
// it would be found after a crash; sync() copies the first to the second, crash() the second to
// the first. That is the whole durability model: contents and directory entries survive separately,
// each only if its own file or directory was synced, as POSIX promises and no more.

#include <any>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace replica {

/// Content of a simulated file: bytes, or a value of any type (a simulated database) that is then
/// renamed, copied and removed as a file. A value is shared by copies and must never be changed.
struct SimContent {
    std::string bytes; ///< What a reader of the raw file sees; for a value, a head is enough.
    std::any value;    ///< Empty: plain bytes.
    std::int64_t size = 0;

    [[nodiscard]] static SimContent of(std::string bytes) {
        const auto size = static_cast<std::int64_t>(bytes.size());
        return {std::move(bytes), {}, size};
    }
};

/// An inode. Entries are kept in ordered maps so that a run does not depend on addresses.
struct SimNode {
    using Pointer = std::shared_ptr<SimNode>;
    using Entries = std::map<std::string, Pointer, std::less<>>;

    std::uint64_t inode = 0;
    std::uint64_t device = 0;
    bool directory = false;
    bool link = false; ///< Symbolic; its content is the path that it says.
    std::int64_t modified_ns = 0;
    SimContent content;
    SimContent durable_content;
    Entries entries;
    Entries durable_entries;
    std::weak_ptr<void> lock; ///< Held by whoever has the directory lock, or the database's.

    /// The directory whose durable entries last named this node, and the name there.
    std::weak_ptr<SimNode> home;
    std::string home_name;

    /// Locks the node; nothing if somebody has it locked.
    [[nodiscard]] static std::shared_ptr<void> take(SimNode& node) {
        if (!node.lock.expired()) {
            return nullptr;
        }
        auto token = std::make_shared<char>('\0');
        node.lock = token;
        return token;
    }

    /// A crash loses nothing of this node from here on. A rename is one step for a crash as well:
    /// once the new name is durable, the old one is gone.
    static void sync(const Pointer& node) {
        node->durable_content = node->content;
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

    /// Everything below is as its durable half says; nobody holds a lock.
    static void crash(const Pointer& node) {
        node->content = node->durable_content;
        node->entries = node->durable_entries;
        node->lock.reset();
        for (const auto& [name, child] : node->entries) {
            crash(child);
        }
    }

    /// Everything below is durable.
    static void settle(const Pointer& node) {
        sync(node);
        for (const auto& [name, child] : node->entries) {
            settle(child);
        }
    }

    /// Bytes of all files below that are on the same device.
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
