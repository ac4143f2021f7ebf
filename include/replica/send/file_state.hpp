#ifndef REPLICA_SEND_FILE_STATE_HPP
#define REPLICA_SEND_FILE_STATE_HPP

// By what send/ledger.hpp tells whether anything has changed since all peers were seen to have a
// database: the state of its file, and the list of its primaries.

#include <replica/disk.hpp>
#include <replica/ring.hpp>
#include <replica/words/bytes.hpp>
#include <replica/words/md5.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// A digest of what stat tells of a database file. Two states are equal if nobody has written to
/// the file in between.
using FileState = Md5Digest;

/// The state of a file; nothing if it is no file, or if its times are so young at `now` that a
/// write to come might leave the same state. A time in the future is young.
[[nodiscard]] inline std::optional<FileState> state_of(const std::optional<FileStatus>& status,
                                                       Timestamp now) {
    constexpr std::int64_t settling_ns = 2'000'000'000; // the coarsest times of a file system
    constexpr std::int64_t ns_per_tick = 1'000'000'000 / Timestamp::ticks_per_second;
    if (!status || !status->regular ||
        std::max(status->modified_ns, status->changed_ns) > now.ticks * ns_per_tick - settling_ns) {
        return std::nullopt;
    }
    const std::int64_t values[] = {static_cast<std::int64_t>(status->device),
                                   static_cast<std::int64_t>(status->inode), status->size,
                                   status->modified_ns, status->changed_ns};
    std::string text;
    words::append_bytes(text, values);
    return md5(text);
}

/// The primaries of a partition, with a digest that tells one list from another.
struct Primaries {
    std::vector<Device> devices;
    std::uint32_t digest = 0;

    explicit Primaries(std::vector<Device> list) : devices(std::move(list)) {
        std::string text;
        for (const Device& device : devices) {
            text += std::to_string(device.id) + ' ' + device.replication_ip + ' ' +
                    std::to_string(device.replication_port) + ' ' + device.device + '\n';
        }
        std::memcpy(&digest, md5(text).data(), sizeof digest);
    }
};

} // namespace replica

#endif // REPLICA_SEND_FILE_STATE_HPP
