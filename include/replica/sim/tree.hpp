#ifndef REPLICA_SIM_TREE_HPP
#define REPLICA_SIM_TREE_HPP

// The file system under a simulated disk: paths, inodes, mounts and space, with the errors that a
// kernel would give. Faults and locks between threads belong to the disk.

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/sim/chooser.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/node.hpp>
#include <replica/sim/power_cut.hpp>
#include <replica/sim/survivors.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace replica {

/// The directories and files of one node. Not thread safe.
class SimTree {
public:
    using Pointer = SimNode::Pointer;

    static constexpr std::uint64_t unlimited = std::uint64_t{1} << 50;

    explicit SimTree(SimClock clock) : clock_(std::move(clock)), root_(make({}, true)) {
        root_->device = 1;
    }

    [[noreturn]] static void fail(Error error, const std::string& path, const char* why) {
        throw Failure(error, path + ": " + why);
    }

    /// Null if there is nothing.
    [[nodiscard]] Pointer find(std::string_view path) const {
        Pointer node = root_;
        for_each_name(path, [&node](std::string_view name) {
            const auto next = node->entries.find(name);
            node = next == node->entries.end() ? nullptr : next->second;
            return node != nullptr;
        });
        return node;
    }

    /// Like find(), but follows a link.
    [[nodiscard]] Pointer follow(std::string_view path) const {
        const Pointer node = find(path);
        return node && node->link ? find(node->content.bytes) : node;
    }

    [[nodiscard]] Pointer existing(const std::string& path) const {
        Pointer node = find(path);
        if (!node) {
            fail(Error::missing, path, "does not exist");
        }
        return node;
    }

    [[nodiscard]] Pointer followed_file(const std::string& path) const {
        Pointer node = follow(path);
        if (!node) {
            fail(Error::missing, path, "does not exist");
        }
        if (node->directory) {
            fail(Error::io, path, "is a directory");
        }
        return node;
    }

    /// A link is refused.
    [[nodiscard]] Pointer existing_file(const std::string& path) const {
        if (existing(path)->link) {
            fail(Error::io, path, "is a link");
        }
        return followed_file(path);
    }

    /// The directory; it and its parents are made if missing.
    Pointer directories(const std::string& path) {
        Pointer node = root_;
        for_each_name(path, [&](std::string_view name) {
            Pointer& next = node->entries[std::string(name)];
            if (!next) {
                next = make(*node, true);
                touch(*node);
            }
            if (!next->directory) {
                fail(Error::io, path, "a file is in the way");
            }
            node = Pointer(next); // a copy first: `node` keeps `next` alive
            return true;
        });
        return node;
    }

    /// The file; it and its parents are made if missing.
    Pointer file(const std::string& path) {
        const auto [parent, name] = split(path);
        const Pointer directory = directories(parent);
        Pointer& node = directory->entries[std::string(name)];
        if (!node) {
            node = make(*directory, false);
            touch(*directory);
        }
        if (node->directory) {
            fail(Error::io, path, "is a directory");
        }
        return node;
    }

    void move(const std::string& from, const std::string& to) {
        const Pointer node = existing(from);
        const auto [from_parent, from_name] = split(from);
        const auto [to_parent, to_name] = split(to);
        const Pointer source = existing(from_parent);
        const Pointer target = find(to_parent);
        const Pointer old = find(to);
        if (!target) {
            fail(Error::missing, to, "no such directory");
        }
        if (!target->directory || to.starts_with(from + '/') || source->device != target->device ||
            node->device != source->device) {
            fail(Error::io, from, "cannot be renamed there");
        }
        if (old == node) {
            return;
        }
        if (old && old->directory != node->directory) {
            fail(Error::io, to, "a file or directory is in the way");
        }
        refuse_mount(old, *target, to);
        if (old && !old->entries.empty()) {
            fail(Error::exists, to, "a directory with entries is in the way");
        }
        source->entries.erase(source->entries.find(from_name));
        target->entries[std::string(to_name)] = node;
        touch(*source);
        touch(*target);
    }

    /// Exchanges the names of two files.
    void exchange(const std::string& a, const std::string& b) {
        const Pointer first = existing_file(a);
        const Pointer second = existing_file(b);
        const auto [first_parent, first_name] = split(a);
        const auto [second_parent, second_name] = split(b);
        if (first->device != second->device) {
            fail(Error::io, a, "cannot be exchanged with a file of another device");
        }
        const Pointer here = existing(first_parent);
        const Pointer there = existing(second_parent);
        here->entries[std::string(first_name)] = second;
        there->entries[std::string(second_name)] = first;
        touch(*here);
        touch(*there);
    }

    /// False if there is nothing. A directory is erased with all in it.
    bool erase(const std::string& path) {
        const Pointer node = find(path);
        if (!node) {
            return false;
        }
        const auto [parent, name] = split(path);
        const Pointer directory = existing(parent);
        refuse_mount(node, *directory, path);
        directory->entries.erase(directory->entries.find(name));
        touch(*directory);
        return true;
    }

    /// Replaces a file's content, if there is space.
    void fill(SimNode& node, const std::string& path, SimContent content) {
        require_space(node, path, content.size);
        node.changes.replace(content.bytes);
        node.content = std::move(content);
        touch(node);
    }

    /// Replaces some bytes of a file. A gap before them becomes zeros.
    void write(SimNode& node, const std::string& path, std::size_t at, std::string_view bytes) {
        const auto end = static_cast<std::int64_t>(at + bytes.size());
        require_space(node, path, std::max(end, node.content.size));
        node.changes.write(node.content.bytes, at, bytes);
        wrote(node);
    }

    /// Adds bytes to a file, which is made if its directory exists.
    void append(const std::string& path, std::string_view bytes) {
        static_cast<void>(existing(split(path).first));
        const Pointer node = find(path) ? existing_file(path) : file(path);
        write(*node, path, node->content.bytes.size(), bytes);
    }

    /// Cuts off the end of a file, or adds zeros to it.
    void resize(SimNode& node, const std::string& path, std::size_t size) {
        require_space(node, path, static_cast<std::int64_t>(size));
        node.changes.resize(node.content.bytes, size);
        wrote(node);
    }

    /// A file without a name.
    [[nodiscard]] Pointer nameless() { return make(*root_, false); }

    /// The size of the node's file system, and how much of it is used. Without a limit the use
    /// counts as 0, since counting walks the whole tree.
    [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> usage(const SimNode& node) const {
        for (const auto& [path, mount] : mounts_) {
            if (mount.root->device == node.device) {
                return {mount.total, mount.total == unlimited ? 0 : mount.root->used()};
            }
        }
        return {unlimited, 0};
    }

    /// Whether the node's device is mounted. A file may be open while it is not.
    [[nodiscard]] bool is_present(const SimNode& node) const {
        return std::ranges::none_of(mounts_, [&node](const auto& named) {
            return named.second.root->device == node.device && !named.second.mounted;
        });
    }

    [[nodiscard]] bool is_mount(const std::string& path) const {
        const auto found = mounts_.find(path);
        return path == "/" || (found != mounts_.end() && found->second.mounted);
    }

    void mount(const std::string& path, std::uint64_t total) {
        const auto [parent, name] = split(path);
        const Pointer directory = directories(parent);
        Mount& mount = mounts_[path];
        if (!mount.root) {
            mount.root = make(*directory, true);
            mount.root->device = mounts_.size() + 1;
        }
        mount.total = total;
        mount.mounted = true;
        place(*directory, name, mount.root);
    }

    void unmount(const std::string& path) {
        const auto [parent, name] = split(path);
        const Pointer directory = existing(parent);
        const auto found = mounts_.find(path);
        if (found == mounts_.end()) {
            fail(Error::missing, path, "not a mount point");
        }
        found->second.mounted = false;
        place(*directory, name, make(*directory, true));
    }

    /// Mounts again what was mounted, as at the start of a node.
    void crash() {
        SimNode::crash(root_);
        for (auto& [path, mount] : mounts_) {
            SimNode::crash(mount.root);
            if (mount.mounted) {
                const auto [parent, name] = split(path);
                place(*directories(parent), name, mount.root);
            }
        }
    }

    /// Likewise, but some of what was not synced is kept.
    template <SimChooser C>
    void crash(C& chooser) {
        SimPowerCut cut;
        cut.add(root_);
        for (const auto& [path, mount] : mounts_) {
            cut.add(mount.root);
        }
        cut.decide(chooser);
        crash();
    }

    /// What may be left by a power cut now. The tree must not change while the value is in use.
    [[nodiscard]] SimSurvivors survivors(const SimSurvivors::GroupOf& group_of) const {
        return SimSurvivors(root_, group_of);
    }

    void settle() { SimNode::settle(root_); }

    /// From now on times of files are multiples of `step_ns`, as those of a kernel, so that two
    /// writes may have one time. Otherwise times rise strictly.
    void round_times(std::int64_t step_ns) { time_step_ns_ = step_ns; }

    /// Every path below "/" with its bytes; directories end in '/' and have none.
    [[nodiscard]] std::map<std::string, std::string> dump() const {
        std::map<std::string, std::string> tree;
        dump(*root_, "/", tree);
        return tree;
    }

private:
    struct Mount {
        Pointer root;
        std::uint64_t total = unlimited;
        bool mounted = false;
    };

    void require_space(const SimNode& node, const std::string& path, std::int64_t size) const {
        const std::int64_t growth = size - node.content.size;
        if (growth <= 0) {
            return;
        }
        const auto [total, used] = usage(node);
        if (used + static_cast<std::uint64_t>(growth) > total) {
            fail(Error::no_space, path, "no space left");
        }
    }

    void wrote(SimNode& node) {
        node.content.size = static_cast<std::int64_t>(node.content.bytes.size());
        touch(node);
    }

    /// "/a/b" is {"/a", "b"}.
    static std::pair<std::string, std::string_view> split(const std::string& path) {
        const std::size_t slash = path.rfind('/');
        if (slash == std::string::npos || slash + 1 == path.size()) {
            fail(Error::io, path, "not an absolute path of a file");
        }
        return {path.substr(0, slash), std::string_view(path).substr(slash + 1)};
    }

    /// A mount point is busy: it can be neither replaced nor erased.
    static void refuse_mount(const Pointer& node, const SimNode& parent, const std::string& path) {
        if (node && node->device != parent.device) {
            fail(Error::io, path, "is a mount point");
        }
    }

    /// Calls `step(name)` for each component until it returns false.
    template <std::predicate<std::string_view> Step>
    static void for_each_name(std::string_view path, Step step) {
        while (!path.empty()) {
            const std::size_t end = std::min(path.find('/'), path.size());
            const std::string_view name = path.substr(0, end);
            path.remove_prefix(std::min(end + 1, path.size()));
            if (!name.empty() && !step(name)) {
                return;
            }
        }
    }

    [[nodiscard]] Pointer make(const SimNode& parent, bool directory) {
        auto node = std::make_shared<SimNode>();
        node->inode = ++last_inode_;
        node->device = parent.device;
        node->directory = directory;
        touch(*node);
        return node;
    }

    void touch(SimNode& node) {
        const std::int64_t now = clock_.now().ticks * 10'000;
        last_modified_ns_ =
            time_step_ns_ > 0 ? now - now % time_step_ns_ : std::max(now, last_modified_ns_ + 1);
        node.modified_ns = last_modified_ns_;
    }

    static void place(SimNode& parent, std::string_view name, const Pointer& node) {
        parent.entries[std::string(name)] = node;
        parent.durable_entries[std::string(name)] = node;
    }

    static void dump(const SimNode& node, const std::string& path,
                     std::map<std::string, std::string>& tree) {
        for (const auto& [name, child] : node.entries) {
            if (child->directory) {
                tree[path + name + '/'];
                dump(*child, path + name + '/', tree);
            } else {
                tree[path + name] = child->content.bytes;
            }
        }
    }

    SimClock clock_;
    std::uint64_t last_inode_ = 1;
    std::int64_t last_modified_ns_ = 0;
    std::int64_t time_step_ns_ = 0; ///< 0: none.
    Pointer root_;
    std::map<std::string, Mount, std::less<>> mounts_;
};

} // namespace replica

#endif // REPLICA_SIM_TREE_HPP
