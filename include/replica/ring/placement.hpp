#ifndef REPLICA_RING_PLACEMENT_HPP
#define REPLICA_RING_PLACEMENT_HPP

// Which device gets which partition if the ring file has no table of assignments. Every device
// draws a number for every partition from its id, and the best draws win (weighted rendezvous
// hashing). No state is needed, every node computes the same, and a new device only takes
// partitions for which its draw is the best.
//
// A device of weight w draws -log2(u) / w, with u uniform between 0 and 1, and the smallest draw
// wins. The draw is an exponential variable with rate w, so each device wins with a probability in
// proportion to its weight. Libraries differ in the last bits of log(), so the logarithm is
// computed in integers; the one division left is rounded alike by every IEEE 754 machine.
//
// Copies are first spread over regions, then zones, then nodes (addresses), then devices; draws
// only decide between equal candidates. So within a zone the shares follow the weights, but a zone
// that must hold one copy of everything holds it however small it is. Devices much heavier than
// others get less than their weight, since no device can hold two copies.

#include <replica/ring.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace replica {

/// Mixes 64 bits so that each input bit changes about half of the output bits (the end of
/// splitmix64).
[[nodiscard]] constexpr std::uint64_t mix_bits(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/// log2 of a number above 0 in units of 2^-24, rounded down; the error is below two units. The top
/// 32 bits are squared repeatedly: each time the square reaches 2, the next binary digit is a one.
[[nodiscard]] constexpr std::uint32_t log2_fixed(std::uint64_t number) {
    constexpr int digits = 24;
    const auto whole = static_cast<std::uint32_t>(std::bit_width(number) - 1);
    std::uint64_t x = (number << (63 - whole)) >> 32; // between 1 and 2, with 31 binary places
    std::uint32_t result = whole;
    for (int i = 0; i < digits; ++i) {
        x = (x * x) >> 31;
        const auto digit = static_cast<std::uint32_t>(x >> 32);
        x >>= digit;
        result = (result << 1) | digit;
    }
    return result;
}

/// The draw of a device for a partition; the smallest wins. Infinity for a weight of 0.
[[nodiscard]] constexpr double draw_of(std::int64_t id, double weight, std::uint32_t partition) {
    if (!(weight > 0)) {
        return std::numeric_limits<double>::infinity();
    }
    constexpr std::uint64_t golden = 0x9e3779b97f4a7c15U;
    const std::uint64_t of_device = mix_bits((static_cast<std::uint64_t>(id) + 1) * golden);
    const std::uint64_t drawn = mix_bits(of_device + (std::uint64_t{partition} + 1) * golden);
    constexpr std::uint32_t top = 64U << 24;
    return static_cast<double>(top - log2_fixed(drawn | 1)) / weight;
}

/// Region, zone and node of every device as small numbers, computed once per ring.
class Tiers {
public:
    struct Of {
        std::size_t region;
        std::size_t zone;
        std::size_t node;
    };

    explicit Tiers(const std::vector<Device>& devices) {
        std::map<std::int64_t, std::size_t> regions;
        std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> zones;
        std::map<std::tuple<std::int64_t, std::int64_t, std::string>, std::size_t> nodes;
        for (const Device& device : devices) {
            of_.push_back({
                regions.try_emplace(device.region, regions.size()).first->second,
                zones.try_emplace({device.region, device.zone}, zones.size()).first->second,
                nodes.try_emplace({device.region, device.zone, device.ip}, nodes.size())
                    .first->second,
            });
        }
    }

    [[nodiscard]] const Of& of(std::size_t device) const { return of_[device]; }
    [[nodiscard]] std::size_t size() const { return of_.size(); }

private:
    std::vector<Of> of_;
};

/// Orders the devices of a ring by preference for one partition. A value; refers to the devices and
/// tiers that it was made from.
class Preference {
public:
    Preference(const std::vector<Device>& devices, const Tiers& tiers, std::uint32_t partition)
        : devices_(&devices), tiers_(&tiers), taken_(devices.size(), false),
          regions_(devices.size(), 0), zones_(devices.size(), 0), nodes_(devices.size(), 0) {
        for (const Device& device : devices) {
            draws_.push_back(draw_of(device.id, device.weight, partition));
        }
    }

    /// Counts a device (by index) as a holder of the partition.
    void take(std::size_t device) {
        taken_[device] = true;
        const Tiers::Of& of = tiers_->of(device);
        ++regions_[of.region];
        ++zones_[of.zone];
        ++nodes_[of.node];
    }

    /// Takes the best remaining device: with a weight above 0, then of the least used region, zone
    /// and node, then with the smallest draw, then with the lowest id. Empty when all are taken.
    [[nodiscard]] std::optional<std::size_t> next() {
        std::optional<std::size_t> best;
        for (std::size_t device = 0; device < devices_->size(); ++device) {
            if (!taken_[device] && (!best || rank(device) < rank(*best))) {
                best = device;
            }
        }
        if (best) {
            take(*best);
        }
        return best;
    }

private:
    using Rank =
        std::tuple<bool, std::uint32_t, std::uint32_t, std::uint32_t, double, std::int64_t>;

    [[nodiscard]] Rank rank(std::size_t device) const {
        const Tiers::Of& of = tiers_->of(device);
        const Device& is = (*devices_)[device];
        return Rank(!(is.weight > 0), regions_[of.region], zones_[of.zone], nodes_[of.node],
                    draws_[device], is.id);
    }

    const std::vector<Device>* devices_;
    const Tiers* tiers_;
    std::vector<double> draws_;
    std::vector<bool> taken_;
    std::vector<std::uint32_t> regions_;
    std::vector<std::uint32_t> zones_;
    std::vector<std::uint32_t> nodes_;
};

} // namespace replica

#endif // REPLICA_RING_PLACEMENT_HPP
