#ifndef REPLICA_STORAGE_LEAVING_HPP
#define REPLICA_STORAGE_LEAVING_HPP

// Two copies of which each goes because the other is there are both gone. It takes two nodes with
// different rings: A's says that B is the owner, B's says A. So a copy that is about to leave does
// not vouch for others. Order:
//
//   announce   the sender marks the hash directory; from now on our receiver refuses `sync` for it
//   ask        every peer once more, nothing is sent; a peer that is about to leave refuses
//   remove     under both locks, if nothing has changed since (storage.hpp)
//   let go     the mark ends with the directory, or with this value
//
// Of two copies that announce at one time each asks after it has announced, so at least one of the
// questions is refused. The mark is held across the network, and nobody ever waits for it: who sees
// it refuses. It ends with its process. A stock server knows nothing of it: see defect 70.

#include <replica/clock.hpp>
#include <replica/disk.hpp>

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

namespace replica::storage {

/// Marks the copy in a hash directory as about to leave, for as long as the value lives. Nothing if
/// another process is about to remove it. A receiver that looks at one moment may be in the way, so
/// this tries for a second.
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
