#ifndef REPLICA_TEST_LAWS_RING_HPP
#define REPLICA_TEST_LAWS_RING_HPP

// What every Ring must do. Include after the definition of BOOST_TEST_MODULE.

#include <replica/ring.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace replica::test {

/// The first digits of a hash that begins with these 32 bits.
inline std::string hash_of(std::uint32_t head) {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", head);
    return std::string(text) + std::string(24, '0');
}

/// All handoffs of a partition. Fails if they do not end.
template <RingVersion R>
std::vector<Device> all_handoffs(const R& ring, std::uint32_t partition) {
    std::vector<Device> found;
    auto handoffs = ring.handoffs(partition);
    while (auto device = handoffs.next()) {
        found.push_back(*device);
        BOOST_REQUIRE(found.size() <= ring.devices().size());
    }
    BOOST_TEST(!handoffs.next()); // an end stays an end
    return found;
}

template <RingVersion R>
void check_partition_laws(const R& ring, std::uint32_t partition) {
    const std::vector<Device> primaries = ring.primaries(partition);
    const std::vector<Device> handoffs = all_handoffs(ring, partition);
    BOOST_TEST(!primaries.empty());
    std::set<std::int64_t> ids;
    for (const auto* const devices : {&primaries, &handoffs}) {
        for (const Device& device : *devices) {
            BOOST_TEST(ids.insert(device.id).second); // no device twice, no primary as a handoff
            BOOST_TEST((std::ranges::count(ring.devices(), device) == 1));
        }
    }
    const R copy = ring;
    BOOST_TEST((copy.primaries(partition) == primaries));
    BOOST_TEST((all_handoffs(copy, partition) == handoffs));
}

/// Runs the laws on every partition of a version, or on 4096 of them spread evenly.
template <RingVersion R>
void check_ring_version_laws(const R& ring) {
    const std::uint32_t count = ring.partition_count();
    BOOST_REQUIRE(std::has_single_bit(count));
    const std::uint32_t step = count / 4096 + 1;
    for (std::uint64_t partition = 0; partition < count; partition += step) {
        check_partition_laws(ring, static_cast<std::uint32_t>(partition));
    }
    check_partition_laws(ring, count - 1);
    std::set<std::uint32_t> seen;
    for (std::uint64_t i = 0; i < 1024; ++i) {
        const auto partition = ring.partition(hash_of(static_cast<std::uint32_t>(i << 22)));
        BOOST_TEST(partition < count);
        seen.insert(partition);
    }
    BOOST_TEST(seen.size() == std::min<std::uint32_t>(count, 1024U)); // evenly spread heads
    BOOST_TEST(ring.partition(hash_of(0)) == 0U);
    BOOST_TEST(ring.partition(hash_of(0xffffffff)) == count - 1);
}

/// Also: a version that was given out stays as it is when the ring is asked again.
template <Ring R>
void check_ring_laws(R ring) {
    const auto version = ring.version();
    check_ring_version_laws(version);
    const std::vector<Device> before = version.devices();
    static_cast<void>(ring.version());
    BOOST_TEST((version.devices() == before));
}

} // namespace replica::test

#endif // REPLICA_TEST_LAWS_RING_HPP
