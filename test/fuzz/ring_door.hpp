#ifndef REPLICA_TEST_FUZZ_RING_DOOR_HPP
#define REPLICA_TEST_FUZZ_RING_DOOR_HPP

// What must hold of any ring that was read.

#include "door.hpp"
#include <replica/ring.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace replica::fuzz {

template <class Version>
struct RingDoor {
    /// `last`: the last byte that means something.
    void operator()(std::string_view input, const std::string& file, std::size_t last) const {
        const auto ring = parse(input, file);
        if (!ring) {
            return;
        }
        require(!parse(input.substr(0, last), file), "a ring that was cut off passes");
        require(ring->partition_count() > 0, "a ring without partitions");
        for (const std::uint32_t partition :
             {0U, 1U, ring->partition_count() / 2, ring->partition_count() - 1}) {
            if (partition < ring->partition_count()) {
                require_order(*ring, partition);
            }
        }
        for (const char* hash :
             {"00000000000000000000000000000000", "ffffffffffffffffffffffffffffffff",
              "8ffffffffffffffffffffffffffffff0"}) {
            require(ring->partition(hash) < ring->partition_count(), "a hash without a partition");
        }
        require(!accepts([&] { static_cast<void>(ring->primaries(ring->partition_count())); },
                         is_bad_input),
                "a partition beyond the last one has primaries");
    }

private:
    [[nodiscard]] static std::optional<Version> parse(std::string_view input,
                                                      const std::string& file) {
        std::optional<Version> ring;
        static_cast<void>(accepts([&] { ring = Version::parse(input, file); },
                                  [](Error error) { return error == Error::bad_config; }));
        return ring;
    }

    /// The primaries and then the handoffs: no device twice, none that the ring does not have.
    static void require_order(const Version& ring, std::uint32_t partition) {
        std::set<std::int64_t> known;
        for (const Device& device : ring.devices()) {
            known.insert(device.id);
        }
        require(known.size() == ring.devices().size(), "two devices with one id");
        std::set<std::int64_t> seen;
        const auto take = [&](const Device& device) {
            require(known.contains(device.id), "a device that the ring does not have");
            require(seen.insert(device.id).second, "a device twice");
        };
        std::ranges::for_each(ring.primaries(partition), take);
        require(!seen.empty(), "a partition without primaries");
        auto handoffs = ring.handoffs(partition);
        while (const auto next = handoffs.next()) {
            take(*next);
        }
    }
};

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_RING_DOOR_HPP
