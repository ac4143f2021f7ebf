#ifndef REPLICA_TEST_SIM_LAYOUT_HPP
#define REPLICA_TEST_SIM_LAYOUT_HPP

// Where things are in a simulated world: its machines, one or two devices in each, and the numbers
// by which a ring names the devices. First come the first devices of all machines, so that the
// replicas of a partition are on different machines if there are enough.

#include "config.hpp"
#include <replica/ring.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace replica::test {

/// A device of a machine.
struct Spot {
    std::size_t machine = 0;
    std::size_t device = 0;

    friend bool operator==(const Spot&, const Spot&) = default;
};

struct Layout {
    std::size_t machines;
    std::size_t devices; ///< Of each machine.

    static constexpr std::uint16_t port = 6201;
    static constexpr const char* root = "/srv/node";

    explicit Layout(const Config& config)
        : machines(static_cast<std::size_t>(config.nodes)),
          devices(static_cast<std::size_t>(config.devices)) {}

    [[nodiscard]] static std::string name(std::size_t device) {
        return std::string("sd") + "ab"[device];
    }
    [[nodiscard]] static std::string path(std::size_t device) {
        return std::string(root) + '/' + name(device);
    }
    /// The same path on another device.
    [[nodiscard]] static std::string moved(const std::string& path, std::size_t device) {
        return Layout::path(device) + path.substr(Layout::path(0).size());
    }
    [[nodiscard]] static std::string ip(std::size_t machine) {
        return "10.0.0." + std::to_string(machine + 1);
    }

    /// In the order of the ring's numbers.
    [[nodiscard]] std::vector<Spot> spots() const {
        std::vector<Spot> all;
        for (std::size_t number = 0; number < machines * devices; ++number) {
            all.push_back(spot(number));
        }
        return all;
    }
    [[nodiscard]] Spot spot(std::size_t number) const {
        return {number % machines, number / machines};
    }

    /// The spots that a ring gives a database, first ones first.
    template <RingVersion R>
    [[nodiscard]] std::vector<Spot> primaries(const R& ring, const std::string& hash) const {
        std::vector<Spot> all;
        for (const Device& device : ring.primaries(ring.partition(hash))) {
            all.push_back(spot(static_cast<std::size_t>(device.id)));
        }
        return all;
    }
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_LAYOUT_HPP
