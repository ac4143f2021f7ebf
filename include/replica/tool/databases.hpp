// Which databases lie on a device, for tools that only look: the partitions first, so that it is
// known how much there is to do, then the databases of one after the other. The walk of a pass
// (send/walk.hpp) finds the same ones, and clears up behind itself.
#ifndef REPLICA_TOOL_DATABASES_HPP
#define REPLICA_TOOL_DATABASES_HPP

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/hash_path.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica::tool {

/// The directory of a partition on a device.
struct PartitionDirectory {
    std::string path;
    std::uint32_t number = 0;
};

namespace detail {

[[nodiscard]] inline std::string below(std::string directory, std::string_view name) {
    directory.append(1, '/').append(name);
    return directory;
}

/// The names of the directories in `path`, in order; none if it is not there. Throws Failure if it
/// cannot be read.
template <Disk D>
[[nodiscard]] std::vector<std::string> directories_in(D& disk, const std::string& path) {
    std::vector<std::string> found;
    try {
        for (const Entry& entry : disk.list(path)) {
            if (entry.directory) {
                found.push_back(entry.name);
            }
        }
    } catch (const Failure& failure) {
        if (failure.error() != Error::missing) { // nothing was put there yet, or it has left
            throw;
        }
    }
    std::ranges::sort(found);
    return found;
}

} // namespace detail

/// Why a pass leaves the device at `root` out; empty if it does not. As why_unusable of
/// send/local_devices.hpp. Throws Failure if the device cannot be asked.
template <Disk D>
[[nodiscard]] std::string_view why_unusable(D& disk, const std::string& root, bool mount_check) {
    const auto status = disk.stat(root);
    if (!status || !status->directory) {
        return mount_check ? "is not mounted" : "is not a directory";
    }
    return mount_check && !disk.is_mount(root) ? "is not mounted" : "";
}

/// The partitions on the device at `root`; none on one that never had a database of the kind.
/// `count`: the ring's. Throws Failure if the directory cannot be read.
template <Disk D>
[[nodiscard]] std::vector<PartitionDirectory>
partitions_of(D& disk, const std::string& root, std::string_view datadir, std::uint32_t count) {
    const std::string top = detail::below(root, datadir);
    std::vector<PartitionDirectory> found;
    for (const std::string& name : detail::directories_in(disk, top)) {
        if (const auto number = parse_partition(name, count)) {
            found.push_back({detail::below(top, name), *number});
        }
    }
    std::ranges::sort(found, {}, &PartitionDirectory::number);
    return found;
}

/// Calls `use` with the path of each database in the partition at `path`. Calls `fault` with each
/// Failure of a directory that cannot be read, and goes on with the next one.
template <Disk D, std::invocable<const std::string&> Use, std::invocable<const Failure&> Fault>
void each_database(D& disk, const std::string& path, Use use, Fault fault) {
    const auto listed = [&](const std::string& directory) {
        try {
            return detail::directories_in(disk, directory);
        } catch (const Failure& failure) {
            fault(failure);
            return std::vector<std::string>();
        }
    };
    for (const std::string& suffix : listed(path)) {
        const std::string directory = detail::below(path, suffix);
        for (const std::string& hash : listed(directory)) {
            if (!is_hash(hash) || !hash.ends_with(suffix)) {
                continue;
            }
            std::optional<std::string> found;
            try {
                found = storage::find_database(disk, detail::below(directory, hash));
            } catch (const Failure& failure) {
                if (failure.error() != Error::missing) { // else it has just left
                    fault(failure);
                }
            }
            if (found) {
                use(*found);
            }
        }
    }
}

} // namespace replica::tool

#endif
