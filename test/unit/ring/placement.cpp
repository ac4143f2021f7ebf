#include <replica/ring/placement.hpp>

#define BOOST_TEST_MODULE ring_placement
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <map>
#include <set>

using namespace replica;

// Exact at powers of two, and the same on every machine: these are constants.
static_assert(log2_fixed(1) == 0);
static_assert(log2_fixed(2) == 1U << 24);
static_assert(log2_fixed(1ULL << 63) == 63U << 24);
static_assert(log2_fixed(3) == 26591258); // 1.584962... * 2^24, rounded down
static_assert(log2_fixed(~0ULL) < 64U << 24);
static_assert(draw_of(0, 1, 0) == draw_of(0, 2, 0) * 2);
static_assert(draw_of(0, 0, 0) == std::numeric_limits<double>::infinity());

namespace {

/// `nodes` nodes in each of `zones` zones in each of `regions` regions, `disks` devices on each.
std::vector<Device> grid(int regions, int zones, int nodes, int disks) {
    std::vector<Device> devices;
    for (int i = 0; i < regions * zones * nodes * disks; ++i) {
        Device& device = devices.emplace_back();
        device.id = i;
        device.device = "d" + std::to_string(i);
        device.ip = "10.0.0." + std::to_string(i / disks);
        device.zone = i / disks / nodes % zones;
        device.region = i / disks / nodes / zones;
        device.weight = 100;
    }
    return devices;
}

using Table = std::vector<std::set<std::int64_t>>;

Table place(const std::vector<Device>& devices, std::size_t replicas, std::uint32_t partitions) {
    const Tiers tiers(devices);
    Table table(partitions);
    for (std::uint32_t partition = 0; partition < partitions; ++partition) {
        Preference order(devices, tiers, partition);
        while (table[partition].size() < replicas) {
            table[partition].insert(devices[order.next().value()].id);
        }
    }
    return table;
}

std::map<std::int64_t, double> shares(const Table& table) {
    std::map<std::int64_t, double> share;
    for (const auto& holders : table) {
        for (const std::int64_t id : holders) {
            share[id] += 1;
        }
    }
    return share;
}

/// Copies of `after` that are not where they were in `before`.
std::size_t moved(const Table& before, const Table& after) {
    std::size_t count = 0;
    for (std::size_t partition = 0; partition < before.size(); ++partition) {
        for (const std::int64_t id : after[partition]) {
            count += before[partition].contains(id) ? 0 : 1;
        }
    }
    return count;
}

constexpr std::uint32_t many = 1U << 14;

} // namespace

BOOST_AUTO_TEST_CASE(the_logarithm_in_integers_is_that_of_the_library) {
    std::uint64_t number = 1;
    for (int i = 0; i < 100'000; ++i) {
        number = mix_bits(number + 0x9e3779b97f4a7c15U) >> (i % 64);
        number |= 1;
        const double error = std::log2(static_cast<double>(number)) * (1 << 24) -
                             static_cast<double>(log2_fixed(number));
        BOOST_REQUIRE_GT(error, -0.01);
        BOOST_REQUIRE_LT(error, 2.0);
    }
}

BOOST_AUTO_TEST_CASE(draws_are_those_written_down_here_on_every_machine) {
    BOOST_TEST(mix_bits(0x9e3779b97f4a7c15U) == 0xe220a8397b1dcdafU); // splitmix64's first, seed 0
    const std::vector<Device> devices = grid(1, 1, 10, 1);
    const Tiers tiers(devices);
    std::string orders;
    for (std::uint32_t partition = 0; partition < 6; ++partition) {
        Preference order(devices, tiers, partition);
        while (const auto next = order.next()) {
            orders += std::to_string(*next);
        }
        orders += ' ';
    }
    // Computed by another program, with the logarithm of its library.
    BOOST_TEST(orders == "2790631458 4208367951 1643280795 3690825174 8609415372 3725491680 ");
}

BOOST_AUTO_TEST_CASE(shares_follow_weights_within_a_few_per_cent) {
    std::vector<Device> devices = grid(1, 3, 2, 4);
    double weight = 0;
    for (Device& device : devices) {
        device.weight = 50.0 * static_cast<double>(1 + device.id % 4); // 50 to 200 in each node
        weight += device.weight;
    }
    for (const auto& [id, share] : shares(place(devices, 3, many))) {
        const double wanted = 3.0 * many * devices[static_cast<std::size_t>(id)].weight / weight;
        BOOST_TEST_CONTEXT(id) {
            BOOST_TEST(std::abs(share / wanted - 1) < 0.06);
        }
    }
}

BOOST_AUTO_TEST_CASE(equal_devices_of_one_zone_get_equal_shares) {
    const std::vector<Device> devices = grid(1, 1, 12, 1);
    for (const auto& [id, share] : shares(place(devices, 3, many))) {
        BOOST_TEST_CONTEXT(id) {
            BOOST_TEST(std::abs(share / (many / 4.0) - 1) < 0.05);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_new_device_takes_its_share_and_nothing_else_moves) {
    for (const std::size_t replicas : {1U, 3U}) {
        const std::vector<Device> before = grid(1, 1, 9, 1);
        std::vector<Device> after = grid(1, 1, 10, 1);
        const Table old_table = place(before, replicas, many);
        const Table new_table = place(after, replicas, many);
        const auto share = static_cast<std::size_t>(shares(new_table)[9]);
        BOOST_TEST(
            std::abs(static_cast<double>(share) / (static_cast<double>(replicas) * many / 10) - 1) <
            0.06);
        BOOST_TEST(moved(old_table, new_table) == share); // all that moved, moved to it
    }
}

BOOST_AUTO_TEST_CASE(a_new_device_in_a_zone_leaves_the_other_zones_alone) {
    const std::vector<Device> before = grid(1, 3, 4, 1);
    std::vector<Device> after = before;
    after.push_back(before[0]);
    after.back().id = 100;
    after.back().ip = "10.0.0.100";
    const Table old_table = place(before, 3, many);
    const Table new_table = place(after, 3, many);
    const auto share = shares(new_table)[100];
    BOOST_TEST(std::abs(share / (many / 5.0) - 1) <
               0.06); // one copy in its zone, five devices there
    BOOST_TEST(moved(old_table, new_table) == static_cast<std::size_t>(share));
}

BOOST_AUTO_TEST_CASE(a_device_that_goes_leaves_only_its_own_partitions) {
    const std::vector<Device> before = grid(1, 1, 10, 1);
    std::vector<Device> after = before;
    after.erase(after.begin() + 4);
    const Table old_table = place(before, 3, many);
    const Table new_table = place(after, 3, many);
    BOOST_TEST(moved(old_table, new_table) == static_cast<std::size_t>(shares(old_table)[4]));
}

BOOST_AUTO_TEST_CASE(a_device_moves_nothing_by_its_place_in_the_list) {
    std::vector<Device> devices = grid(2, 2, 2, 2);
    const Table table = place(devices, 3, 256);
    std::ranges::reverse(devices);
    BOOST_TEST((place(devices, 3, 256) == table));
}

BOOST_AUTO_TEST_CASE(copies_go_to_different_regions_then_zones_then_nodes_then_devices) {
    const std::vector<Device> devices = grid(2, 2, 2, 2);
    const Tiers tiers(devices);
    for (std::uint32_t partition = 0; partition < 512; ++partition) {
        Preference order(devices, tiers, partition);
        std::map<std::size_t, std::size_t> regions;
        std::map<std::size_t, std::size_t> zones;
        std::map<std::size_t, std::size_t> nodes;
        std::set<std::size_t> seen;
        for (std::size_t copies = 1; copies <= devices.size(); ++copies) {
            const std::size_t device = order.next().value();
            BOOST_TEST(seen.insert(device).second);
            const Tiers::Of& of = tiers.of(device);
            // No region, zone or node gets one more before each of its equals has as many.
            BOOST_TEST(++regions[of.region] == (copies + 1) / 2);
            BOOST_TEST(++zones[of.zone] == (copies + 3) / 4);
            BOOST_TEST(++nodes[of.node] == (copies + 7) / 8);
        }
        BOOST_TEST(!order.next());
    }
}

BOOST_AUTO_TEST_CASE(a_device_without_weight_comes_after_all_others) {
    std::vector<Device> devices = grid(1, 2, 2, 1);
    devices[0].weight = 0; // the only one left in its zone is device 1
    devices[3].weight = 0;
    const Tiers tiers(devices);
    for (std::uint32_t partition = 0; partition < 64; ++partition) {
        Preference order(devices, tiers, partition);
        const std::set<std::size_t> first{order.next().value(), order.next().value()};
        BOOST_TEST((first == std::set<std::size_t>{1, 2}));
        const std::set<std::size_t> last{order.next().value(), order.next().value()};
        BOOST_TEST((last == std::set<std::size_t>{0, 3}));
    }
}

BOOST_AUTO_TEST_CASE(a_holder_from_elsewhere_counts_for_the_spreading) {
    const std::vector<Device> devices = grid(2, 1, 2, 1);
    const Tiers tiers(devices);
    for (std::uint32_t partition = 0; partition < 64; ++partition) {
        Preference order(devices, tiers, partition);
        order.take(0);
        order.take(1); // both of region 0: the others come first, and these never again
        BOOST_TEST(order.next().value() >= 2U);
        BOOST_TEST(order.next().value() >= 2U);
        BOOST_TEST(!order.next());
    }
}
