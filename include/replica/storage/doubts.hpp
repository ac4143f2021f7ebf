#ifndef REPLICA_STORAGE_DOUBTS_HPP
#define REPLICA_STORAGE_DOUBTS_HPP

// A name or a commit that could not be made durable can be seen all the same: by the next request,
// which answers that the rows are here, and by a peer, whose copy leaves because of it. A power cut
// then takes the last copy (defect 127). So what failed is remembered, and the next one who comes
// to the database syncs its directory first.

#include <replica/disk.hpp>
#include <replica/error.hpp>

#include <cstddef>
#include <mutex>
#include <set>
#include <string>

namespace replica::storage {

/// Hash directories in which a call of the disk has failed. They are forgotten with the process.
/// Thread safety: any thread.
class Doubts {
public:
    /// Of more than so many directories each one is in doubt until the process ends: a disk that
    /// dies must not take the memory along.
    static constexpr std::size_t most = 10'000;

    /// What somebody tried with a database in this directory ended with this failure.
    void note(const Failure& failure, const std::string& directory) {
        if (failure.error() == Error::io || failure.error() == Error::no_space) {
            const std::lock_guard guard(mutex_);
            if (directories_.size() < most) {
                directories_.insert(directory);
            } else {
                all_ = true;
            }
        }
    }

    /// Makes durable what was left in doubt there. Throws Failure if that is not possible.
    template <Disk D>
    void settle(D& disk, const std::string& directory) {
        if (!doubts(directory)) {
            return;
        }
        if (disk.stat(directory)) {
            disk.sync(directory);
        }
        const std::lock_guard guard(mutex_);
        directories_.erase(directory);
    }

private:
    [[nodiscard]] bool doubts(const std::string& directory) {
        const std::lock_guard guard(mutex_);
        return all_ || directories_.contains(directory);
    }

    std::mutex mutex_;
    std::set<std::string> directories_;
    bool all_ = false;
};

} // namespace replica::storage

#endif // REPLICA_STORAGE_DOUBTS_HPP
