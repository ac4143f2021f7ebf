#ifndef REPLICA_STORAGE_DOUBTS_HPP
#define REPLICA_STORAGE_DOUBTS_HPP

// A name or a commit that is not durable can be seen all the same: by the next request, which
// answers that the rows are here, and by a peer, whose copy leaves because of it. A power cut then
// takes the last copy (defect 127). So a name that is about to change is marked before, what failed
// is remembered, and the next one who comes to the database makes its directory durable first.

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/storage/place.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace replica::storage {

/// Hash directories in which something may not be durable, as far as one process knows: its
/// receiver and its replicator share them. They are forgotten with the process. Thread safety: any
/// thread.
class Doubts {
public:
    /// Of more than so many directories each one is in doubt until the process ends: a disk that
    /// dies must not take the memory along.
    static constexpr std::size_t most = 10'000;

    /// A name in a directory changes while this lives. Without end() it stays in doubt.
    class Change {
    public:
        Change(Doubts& doubts, std::string directory)
            : doubts_(&doubts), directory_(std::move(directory)) {
            const std::lock_guard guard(doubts_->mutex_);
            ++doubts_->known_[directory_].changing;
        }
        Change(const Change&) = delete;
        Change& operator=(const Change&) = delete;
        ~Change() { doubts_->finish(directory_, durable_); }

        void end() noexcept { durable_ = true; }

    private:
        Doubts* doubts_;
        std::string directory_;
        bool durable_ = false;
    };

    /// What somebody tried with a database in this directory ended with this failure.
    void note(const Failure& failure, const std::string& directory) {
        if (failure.error() != Error::io && failure.error() != Error::no_space) {
            return;
        }
        const std::lock_guard guard(mutex_);
        if (known_.size() < most || known_.contains(directory)) {
            known_[directory].last = ++count_;
        } else {
            all_ = true;
        }
    }

    /// Makes durable what is in doubt there. Throws Failure if that is not possible.
    template <Disk D>
    void settle(D& disk, const std::string& directory) {
        const std::uint64_t before = last_of(directory);
        if (before == 0) {
            return;
        }
        if (disk.stat(directory)) {
            disk.sync(directory);
            disk.sync(parent(directory)); // which a directory that was put back is in
        }
        const std::lock_guard guard(mutex_);
        const auto found = known_.find(directory);
        if (found != known_.end() && found->second.changing == 0 && found->second.last == before) {
            known_.erase(found); // else something has failed since the sync began
        }
    }

private:
    struct Known {
        std::uint64_t last = 0; ///< The number of the last failure.
        int changing = 0;
    };

    /// 0: nothing is in doubt; 1: something may be, though nothing has failed yet.
    [[nodiscard]] std::uint64_t last_of(const std::string& directory) {
        const std::lock_guard guard(mutex_);
        const auto found = known_.find(directory);
        if (found == known_.end()) {
            return all_ ? 1 : 0;
        }
        return std::max<std::uint64_t>(found->second.last, 1);
    }

    void finish(const std::string& directory, bool durable) {
        const std::lock_guard guard(mutex_);
        const auto found = known_.find(directory);
        Known& known = found->second;
        --known.changing;
        known.last = durable ? known.last : ++count_;
        if (known.changing == 0 && (known.last == 0 || known_.size() > most)) {
            all_ = all_ || known.last != 0;
            known_.erase(found);
        }
    }

    std::mutex mutex_;
    std::map<std::string, Known> known_;
    std::uint64_t count_ = 1; ///< Of failures; 1 is none of them.
    bool all_ = false;
};

} // namespace replica::storage

#endif // REPLICA_STORAGE_DOUBTS_HPP
