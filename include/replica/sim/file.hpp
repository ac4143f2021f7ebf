#ifndef REPLICA_SIM_FILE_HPP
#define REPLICA_SIM_FILE_HPP

// A file that a simulated database has open, like SQLite's descriptor of a real one.

#include <replica/error.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/disk_faults.hpp>
#include <replica/sim/node.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace replica {

/// A file kept open by a simulated database: like a descriptor it stays on one inode, whatever
/// happens to the name. Every call throws Error::moved if the path names another file by now.
class SimFile {
public:
    /// Throws missing if there is no such file.
    SimFile(SimDisk disk, std::string path) : disk_(std::move(disk)), path_(std::move(path)) {
        const auto guard = disk_.enter(SimCall::open, path_);
        node_ = disk_.state_->tree.existing_file(path_);
        look();
    }

    [[nodiscard]] const std::string& path() const { return path_; }

    /// The content; empty while somebody else has the file locked.
    [[nodiscard]] std::optional<SimContent> content() {
        const auto guard = enter(SimCall::query);
        look();
        return blocked() ? std::nullopt : std::optional(node_->content);
    }

    /// Replaces the content in one durable step. False while somebody else has the file locked, or
    /// if the content has changed since it was last read here.
    [[nodiscard]] bool commit(SimContent content) {
        const auto guard = enter(SimCall::commit);
        if (blocked() || node_->modified_ns != seen_ns_) {
            return false;
        }
        disk_.state_->tree.fill(*node_, path_, std::move(content));
        node_->make_content_durable();
        look();
        return true;
    }

    /// Keeps all others out while the returned value lives; empty while somebody has the lock.
    [[nodiscard]] std::optional<SimLock> try_lock() {
        const auto guard = enter(SimCall::query);
        auto token = SimNode::take(*node_);
        if (!token) {
            return std::nullopt;
        }
        own_ = token;
        return SimLock(std::move(token));
    }

private:
    [[nodiscard]] std::unique_lock<std::mutex> enter(SimCall call) const {
        auto guard = disk_.enter(call, path_);
        if (disk_.state_->tree.find(path_) != node_) {
            throw Failure(Error::moved, path_ + ": replaced or removed meanwhile");
        }
        return guard;
    }

    [[nodiscard]] bool blocked() const {
        const auto held = node_->lock.lock();
        return held && held != own_.lock();
    }

    void look() { seen_ns_ = node_->modified_ns; }

    SimDisk disk_;
    std::string path_;
    SimNode::Pointer node_;
    std::int64_t seen_ns_ = 0;
    std::weak_ptr<void> own_; // our lock, if we hold it
};

} // namespace replica

#endif // REPLICA_SIM_FILE_HPP
