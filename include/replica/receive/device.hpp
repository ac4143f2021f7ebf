#ifndef REPLICA_RECEIVE_DEVICE_HPP
#define REPLICA_RECEIVE_DEVICE_HPP

// Whether a device can take what a request brings. An unmounted one must not be written to: its
// directory is on the root file system.

#include <replica/disk.hpp>
#include <replica/receive/answer.hpp>
#include <replica/settings.hpp>
#include <replica/storage/storage.hpp>
#include <replica/transport.hpp>

#include <optional>
#include <string>

namespace replica {

/// 507 for a device that is not mounted, or has less free space than its reserve; nothing for one
/// that can be used.
template <Disk D>
[[nodiscard]] std::optional<Reply> refusal_of_device(D& disk, const Settings& settings,
                                                     const Place& place) {
    const auto status = disk.stat(place.device);
    std::string reason;
    if (!status || !status->directory || (settings.mount_check && !disk.is_mount(place.device))) {
        reason = place.device_name() + " is not mounted";
    } else if (storage::lacks_room(disk, place.device, settings.fallocate_reserve)) {
        reason = place.device_name() + " is full";
    }
    if (reason.empty()) {
        return std::nullopt;
    }
    return answer::no_storage(
        "There was not enough space to save the resource. Drive: " + place.device_name(), reason);
}

} // namespace replica

#endif // REPLICA_RECEIVE_DEVICE_HPP
