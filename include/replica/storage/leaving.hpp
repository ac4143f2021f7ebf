#ifndef REPLICA_STORAGE_LEAVING_HPP
#define REPLICA_STORAGE_LEAVING_HPP

// Two copies are both lost if each leaves because the other is there. That takes two nodes with
// different rings: by A's ring B is the owner, by B's ring A is (defect 70). So a copy that is
// about to leave refuses to be anybody's proof. Order:
//
//   announce   the sender marks the hash directory; from now on our receiver refuses `sync` for it
//   ask        every peer once more, sending nothing; a peer that is about to leave refuses
//   remove     under both locks, if nothing has changed since (storage/storage.hpp)
//   let go     the mark ends with the directory, or with the value that holds it
//
// If two copies announce at one time, each asks after it has announced, so at least one question is
// refused. The mark is held across the network, but nobody waits for it: a receiver that sees the
// mark refuses. The mark ends with its process. A stock server knows nothing of it.

#include <replica/clock.hpp>
#include <replica/disk.hpp>

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

namespace replica::storage {

/// Marks the copy in a hash directory as about to leave, for as long as the value lives. Nothing if
/// another process is about to remove the copy. A receiver that looks holds the mark for a moment,
/// so announce_leaving tries for a second.
template <Disk D, Clock C>
[[nodiscard]] std::optional<typename D::lock_type> announce_leaving(D& disk, C& clock,
                                                                    const std::string& directory) {
    const Instant end = clock.monotonic() + std::chrono::seconds(1);
    for (;;) {
        auto mark = disk.try_hold(directory);
        if (mark || clock.monotonic() >= end) {
            return mark;
        }
        clock.sleep_until(clock.monotonic() + std::chrono::milliseconds(10), std::stop_token());
    }
}

/// Whether the copy in a hash directory is about to leave.
template <Disk D>
[[nodiscard]] bool is_leaving(D& disk, const std::string& directory) {
    return disk.is_held(directory);
}

} // namespace replica::storage

#endif // REPLICA_STORAGE_LEAVING_HPP
