#ifndef REPLICA_CONTAINER_SYNC_STORE_HPP
#define REPLICA_CONTAINER_SYNC_STORE_HPP

// Swift's container sync copies some containers to another cluster. It does not open every
// container to find those, but follows the links in <device>/sync_containers, laid out like the
// databases themselves. Container servers make and remove the links; the replicator makes up for
// what they miss, such as metadata that came from a peer (Swift 2.3).

#include <replica/container/policies.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/info.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace replica::sync_store {

/// The path of the link to the database at `path`: "<device>/containers/..." becomes
/// "<device>/sync_containers/...". `device` is the device's directory.
[[nodiscard]] inline std::string link_path(const std::string& device, const std::string& path) {
    return device + "/sync_" + path.substr(device.size() + 1);
}

/// Removes the link to the database at `path`, and the directories that are then empty.
template <Disk D>
void remove(D& disk, const std::string& device, const std::string& path) {
    const std::string link = link_path(device, path);
    if (!disk.remove(link)) {
        return;
    }
    std::string directory = storage::parent(link);
    for (int level = 0; level < 3 && disk.remove_empty(directory); ++level) {
        directory = storage::parent(directory); // hash, suffix, partition
    }
}

/// Makes the link to the database at `database`. A right link is left alone, a wrong one is
/// replaced. Throws exists if something else has the name. The next pass makes a link again that is
/// lost in a crash, so no fsync is needed.
template <Disk D>
void add(D& disk, const std::string& device, const std::string& database) {
    const std::string link = link_path(device, database);
    auto says = disk.read_link(link);
    if (says == database) {
        return;
    }
    if (says) {
        disk.remove(link);
    } else {
        disk.make_directories(storage::parent(link));
    }
    if (!disk.make_link(database, link) && disk.read_link(link) != database) {
        throw Failure(Error::exists, link + ": is not a link to " + database);
    }
}

/// Adds or removes the link, as the metadata says. A container that was never set up for sync costs
/// no call of the disk. Throws what the disk throws.
template <Disk D>
void update(D& disk, const std::string& device, const std::string& path,
            const ContainerInfo& info) {
    static constexpr std::array<std::string_view, 2> keys{"X-Container-Sync-To",
                                                          "X-Container-Sync-Key"};
    const auto metadata = Metadata::parse_stored(info.metadata);
    const auto known = [&](std::string_view key) {
        return std::ranges::find(metadata.items(), key, &MetadataItem::key) !=
               metadata.items().end();
    };
    const auto has_value = [&](std::string_view key) { return metadata.find(key).has_value(); };
    if (std::ranges::none_of(keys, known)) {
        return;
    }
    if (!policies::is_deleted(info) && std::ranges::all_of(keys, has_value)) {
        add(disk, device, path);
    } else {
        remove(disk, device, path);
    }
}

} // namespace replica::sync_store

#endif // REPLICA_CONTAINER_SYNC_STORE_HPP
