#ifndef REPLICA_DISK_MOUNTS_HPP
#define REPLICA_DISK_MOUNTS_HPP

// A drive that fails leaves its empty mount point behind. Files written there fill the root file
// system and are hidden when the drive comes back. So every walk and every request checks the
// device here first.

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/words/hash_path.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace replica {

/// Whether Swift accepts a name for a drive: letters, digits, and "_.-~". In addition the name must
/// not begin with a dot (defect 51: "." and ".." passed if mount_check was off).
[[nodiscard]] constexpr bool is_drive_name(std::string_view text) {
    return is_safe_name(text) && std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '.' || c == '-' || c == '~';
           });
}

/// The directory `<root>/<device>` if the device can be used: a mount point if `mount_check` is
/// set, else any directory. Otherwise a fault that names it: Error::bad_name, or
/// Error::not_mounted, also if the drive does not respond with anything but an error. A server
/// answers both with 507 (Swift 2.30.1: constraints.check_drive). Never throws.
template <Disk D>
[[nodiscard]] Result<std::string> check_drive(D& disk, std::string_view root,
                                              std::string_view device, bool mount_check) {
    if (!is_drive_name(device)) {
        return Fault{make_error_code(Error::bad_name),
                     "'" + std::string(device) + "' is not a valid drive name"};
    }
    std::string path(root);
    if (!path.ends_with('/')) {
        path += '/';
    }
    path += device;
    const auto unusable = [](const std::string& reason) {
        return Fault{make_error_code(Error::not_mounted), reason};
    };
    try {
        if (mount_check) {
            return disk.is_mount(path) ? Result<std::string>(path)
                                       : unusable(path + " is not mounted");
        }
        const auto status = disk.stat(path);
        return status && status->directory ? Result<std::string>(path)
                                           : unusable(path + " is not a directory");
    } catch (const Failure& failure) {
        return unusable(failure.what());
    }
}

} // namespace replica

#endif // REPLICA_DISK_MOUNTS_HPP
