#ifndef REPLICA_TEST_SUPPORT_CONFIRMED_HPP
#define REPLICA_TEST_SUPPORT_CONFIRMED_HPP

// A ledger with a database that all its primaries have.

#include <replica/disk.hpp>
#include <replica/ring.hpp>
#include <replica/send/file_state.hpp>
#include <replica/send/ledger.hpp>
#include <replica/words/timestamp.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace replica::test {

inline constexpr std::int64_t second_ns = 1'000'000'000;
inline constexpr std::int64_t now_s = 1'700'000'000;
inline constexpr Timestamp now{now_s * Timestamp::ticks_per_second, 0};
inline constexpr Timestamp later = Timestamp{(now_s + 80'000) * Timestamp::ticks_per_second, 0};

/// A database nobody has touched for an hour.
inline FileStatus old_file() {
    return {.device = 1,
            .inode = 2,
            .size = 40'960,
            .modified_ns = (now_s - 3600) * second_ns,
            .changed_ns = (now_s - 3600) * second_ns,
            .directory = false,
            .regular = true};
}

inline Primaries primaries_of(std::initializer_list<std::int64_t> ids) {
    std::vector<Device> devices;
    for (const std::int64_t id : ids) {
        Device device;
        device.id = id;
        device.device = "sda";
        device.replication_ip = "10.0.0." + std::to_string(id);
        devices.push_back(device);
    }
    return Primaries(devices);
}

/// A hash that is rechecked in passes whose number leaves `turn` when divided by 10.
inline std::string hash_of(int turn) {
    return std::string(31, '0') + std::to_string(turn);
}

inline const FileState state = *state_of(old_file(), now);
inline const Primaries primaries = primaries_of({1, 2, 3});
inline constexpr int recheck = 10;

/// A ledger in its first pass, with a database whose turn is pass 5.
struct Confirmed : Ledger {
    explicit Confirmed(int recheck_passes = recheck) {
        begin_pass(recheck_passes);
        confirm(hash_of(5), state, primaries, 7, later, 99);
    }

    [[nodiscard]] bool skips(const FileState& seen = state, const Primaries& ring = primaries,
                             Timestamp at = now) {
        return may_skip(hash_of(5), seen, ring.digest, at);
    }

    void all_agree() {
        for (const std::int64_t device : {1, 2, 3}) {
            agree(device, {});
        }
    }
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_CONFIRMED_HPP
