#ifndef REPLICA_TEST_FUZZ_SWIFT_RING_DOOR_HPP
#define REPLICA_TEST_FUZZ_SWIFT_RING_DOOR_HPP

// A ring file of Swift's. An input that does not begin as gzip is packed first: no fuzzer finds a
// CRC-32.

#include "ring_door.hpp"
#include <replica/ring/swift_ring.hpp>

#include <support/swift_ring_bytes.hpp>

#include <string>
#include <string_view>

namespace replica::fuzz {

struct SwiftRingDoor {
    void operator()(std::string_view input) const {
        const std::string packed =
            input.starts_with("\x1f\x8b") ? std::string(input) : test::gzip(std::string(input));
        RingDoor<SwiftRingVersion>()(packed, "account.ring.gz", packed.size() - 1);
    }
};

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_SWIFT_RING_DOOR_HPP
