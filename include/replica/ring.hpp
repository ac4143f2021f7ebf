#ifndef REPLICA_RING_HPP
#define REPLICA_RING_HPP

// Where a database belongs. A ring says which devices hold a partition (primaries) and which
// devices stand in for a primary that is out of use (handoffs, in a fixed order). The ring may
// change while the daemon runs, so a pass uses one version from beginning to end (defect 46).

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// A device of the ring: a file system on a node. Names and meanings of the members are the ring's.
struct Device {
    std::int64_t id = -1;               ///< The place in the ring's list of devices.
    std::int64_t region = 1;            ///< Copies are spread over regions first.
    std::int64_t zone = 1;              ///< Within a region, copies are spread over zones.
    std::string ip;                     ///< Where clients' requests go.
    std::uint16_t port = 0;             ///< Of the stock server.
    std::string replication_ip;         ///< Where REPLICATE and rsync go.
    std::uint16_t replication_port = 0; ///< Of the server for REPLICATE.
    std::string device; ///< Name of its directory below Settings::devices, such as "sdb1".
    double weight = 0;  ///< 0: being drained, or only a handoff.
    std::string meta;   ///< Text of the operator; not used.

    friend bool operator==(const Device&, const Device&) = default;
};

/// One version of a ring: immutable, cheap to copy. Thread safety: any thread.
///
/// Laws (test/laws/ring.hpp):
/// - partition(hash) < partition_count(); partition_count() is a power of two.
/// - primaries(p) has no device twice. handoffs(p) yields devices that are no primaries of p, none
///   twice, in the same order at every call, and ends.
template <class R>
concept RingVersion =
    std::copyable<R> && requires(const R ring, std::uint32_t partition, std::string_view hash) {
        { ring.devices() } -> std::convertible_to<const std::vector<Device>&>;
        { ring.partition_count() } -> std::same_as<std::uint32_t>;
        { ring.partition(hash) } -> std::same_as<std::uint32_t>;
        { ring.primaries(partition) } -> std::same_as<std::vector<Device>>;
        { ring.handoffs(partition).next() } -> std::same_as<std::optional<Device>>;
    };

/// A ring that may change. version() gives the current version, which stays valid for ever. Errors:
/// Failure with bad_config that names the file, the key and the reason.
///
/// Models: JsonRing (ring/json_ring.hpp), SwiftRing (ring/swift_ring.hpp), AnyRing, which is either
/// (ring/any_ring.hpp). Thread safety: any thread.
template <class R>
concept Ring = requires(R ring) {
    { ring.version() } -> RingVersion;
};

/// The partition of a hash: its first 32 bits, of which the highest `part_power` count.
/// `hash` has at least eight lower-case hexadecimal digits.
[[nodiscard]] constexpr std::uint32_t partition_of(std::string_view hash, unsigned part_power) {
    std::uint32_t head = 0;
    for (const char c : hash.substr(0, 8)) {
        head = head * 16 + static_cast<std::uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return part_power == 0 ? 0 : head >> (32 - part_power);
}

} // namespace replica

#endif // REPLICA_RING_HPP
