#ifndef REPLICA_RING_FULL_RING_HPP
#define REPLICA_RING_FULL_RING_HPP

// A ring without a file: each of a few devices has each database, and no other device stands in for
// one that is out of use. For a program whose nodes are known when it starts, and for tests.

#include <replica/error.hpp>
#include <replica/ring.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// Models Ring and RingVersion: it never changes, so it is its own version. Thread safety: any
/// thread.
class FullRing {
public:
    /// No device stands in for another.
    struct NoHandoffs {
        /// Models the handoffs of a RingVersion.
        [[nodiscard]] static std::optional<Device> next() { return std::nullopt; }
    };

    /// Throws Failure with bad_config if there is no device, or if two have one id, such as that of
    /// a Device to which none was given: the two would be taken for one, and nothing copied.
    explicit FullRing(std::vector<Device> devices) : devices_(std::move(devices)) {
        if (devices_.empty()) {
            throw Failure(Error::bad_config, "FullRing: there is no device");
        }
        std::set<std::int64_t> ids;
        for (const Device& each : devices_) {
            if (!ids.insert(each.id).second) {
                throw Failure(Error::bad_config,
                              "FullRing: two devices have the id " + std::to_string(each.id));
            }
        }
    }

    [[nodiscard]] FullRing version() const { return *this; }
    [[nodiscard]] const std::vector<Device>& devices() const { return devices_; }
    [[nodiscard]] std::uint32_t partition_count() const { return 1; }
    [[nodiscard]] std::uint32_t partition(std::string_view /*hash*/) const { return 0; }
    [[nodiscard]] std::vector<Device> primaries(std::uint32_t /*partition*/) const {
        return devices_;
    }
    [[nodiscard]] NoHandoffs handoffs(std::uint32_t /*partition*/) const { return {}; }

private:
    std::vector<Device> devices_;
};

static_assert(Ring<FullRing> && RingVersion<FullRing>);

} // namespace replica

#endif // REPLICA_RING_FULL_RING_HPP
