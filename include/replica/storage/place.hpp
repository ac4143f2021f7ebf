#ifndef REPLICA_STORAGE_PLACE_HPP
#define REPLICA_STORAGE_PLACE_HPP

// Where a database lies. On a device:
//
//   <datadir>/<partition>/<suffix>/<hash>/   the hash directory
//     <hash>.db                              the database; <hash>_<epoch>.db of a sharding
//     container <hash>.db.pending                      rows that a server has acknowledged .lock
//     the lock of the directory
//   tmp/                                     files that are not yet, or no longer, databases

#include <replica/error.hpp>
#include <replica/words/hash_path.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

namespace storage {

/// The directory of a file; "." for a name without one.
[[nodiscard]] inline std::string parent(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash);
}

/// The last component of `path`.
[[nodiscard]] inline std::string base(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

/// A device's directory.
[[nodiscard]] inline std::string device_path(const std::string& root, const std::string& device) {
    return root + '/' + device;
}

} // namespace storage

/// The place of one database.
struct Place {
    std::string device;          ///< Path of the device.
    std::string directory;       ///< Path of the hash directory.
    std::string file;            ///< Name of the database file; empty while none is known.
    std::string hash;            ///< By the directory.
    std::uint32_t partition = 0; ///< By the directory.

    /// Nothing was seen beside the database but a lock and a .pending file without entries: nobody
    /// is in the middle of a change, and no row waits.
    bool at_rest = false;

    /// Of the database `file` with this hash on the device at `device`.
    [[nodiscard]] static Place on(std::string device, std::string_view datadir,
                                  std::uint32_t partition, const std::string& hash,
                                  std::string file = {}) {
        std::string directory =
            device + '/' + storage_directory(datadir, std::to_string(partition), hash);
        return {std::move(device), std::move(directory), std::move(file), hash, partition};
    }

    /// Of a path `<devices>/<device>/<datadir>/<partition>/<suffix>/<hash>/<file>`. Throws bad_name
    /// for a path of another form.
    [[nodiscard]] static Place of(const std::string& path, std::string_view datadir) {
        std::vector<std::string> parts; // from the last to the first
        std::string rest = path;
        for (; parts.size() < 5 && rest.find('/') != std::string::npos;
             rest = storage::parent(rest)) {
            parts.push_back(storage::base(rest));
        }
        const auto partition = parts.size() == 5 ? parse_partition(parts[3], any_count)
                                                 : std::optional<std::uint32_t>();
        if (!partition || parts[4] != datadir || !is_hash(parts[1]) ||
            !DatabaseName::parse(parts[0]) || rest.size() < 2 || rest.front() != '/') {
            throw Failure(Error::bad_name, path + ": is not <device>/" + std::string(datadir) +
                                               "/<partition>/<suffix>/<hash>/<hash>.db");
        }
        return {rest, storage::parent(path), parts[0], parts[1], *partition};
    }

    [[nodiscard]] std::string path() const { return directory + '/' + file; } ///< Of the file.
    [[nodiscard]] std::string device_name() const {
        return storage::base(device);
    }                                                                 ///< In the ring.
    [[nodiscard]] std::string tmp() const { return device + "/tmp"; } ///< Of the device.

private:
    static constexpr std::uint32_t any_count = std::numeric_limits<std::uint32_t>::max();
};

} // namespace replica

#endif // REPLICA_STORAGE_PLACE_HPP
