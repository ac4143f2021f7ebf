#ifndef REPLICA_DISK_MOUNTS_HPP
#define REPLICA_DISK_MOUNTS_HPP

// A drive that fell out leaves its empty mount point behind, and whatever is written there fills
// the root file system and is hidden once the drive comes back. Every walk and every request
// therefore asks here first.

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/words/hash_path.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace replica {

/// A name that Swift takes for a drive's: letters, digits, and "_.-~". On top of that it must not
/// begin with a dot (defect 51: "." and ".." passed where mount_check was off).
[[nodiscard]] constexpr bool is_drive_name(std::string_view text) {
    return is_safe_name(text) && std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '.' || c == '-' || c == '~';
           });
}

/// The directory of a device if it can be used: `<root>/<device>`, a mount point if `mount_check`
/// is set, else at least a directory. Otherwise a fault that names it: Error::bad_name, or
/// Error::not_mounted, also for a drive that cannot even be asked. A server answers both with 507.
/// Swift: constraints.check_drive, 2.30.1. Never throws.
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
