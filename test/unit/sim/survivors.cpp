#include <replica/sim/survivors.hpp>

#define BOOST_TEST_MODULE sim_survivors
#include <replica/sim/disk.hpp>
#include <replica/sim/handle.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace replica;

namespace {

constexpr std::size_t sector = SimChanges::sector;

std::size_t one_group(const std::string& /*path*/) {
    return 0;
}

/// Files with their bytes, links with an arrow; directories have none.
std::string text(const SimImage& image) {
    std::string all;
    for (const auto& [path, found] : image) {
        all += found.kind == SimFound::Kind::directory ? ""
               : found.kind == SimFound::Kind::link    ? path + " -> " + found.bytes + ' '
                                                       : path + '=' + found.bytes + ' ';
    }
    return all.empty() ? "(gone)" : all;
}

struct Ways {
    std::set<std::string> texts;
    std::set<std::uint64_t> hashes;
    std::uint64_t count = 0;
};

Ways ways_of(const SimDisk& disk, SimOdometer odometer = SimOdometer()) {
    auto survivors = disk.survivors(one_group);
    Ways ways;
    SimSurvivors::Survivor drawn;
    do {
        survivors.draw(odometer, drawn);
        ways.texts.insert(text(survivors.image(drawn)));
        ways.hashes.insert(drawn.hashes[0]);
        ++ways.count;
    } while (odometer.next());
    return ways;
}

/// A disk with two directories and what `prepare` makes, all synced, and `change` on top.
SimDisk changed(const std::function<void(const SimDisk&)>& prepare,
                const std::function<void(const SimDisk&)>& change) {
    const SimDisk disk;
    disk.make_directories("/a");
    disk.make_directories("/b");
    prepare(disk);
    disk.settle();
    change(disk);
    return disk;
}

/// Writes some bytes of a file, as SQLite does.
void write_at(const SimDisk& disk, const std::string& path, std::size_t at,
              const std::string& bytes) {
    SimProcess process(disk);
    process.open(path, {.create = true})->write(at, bytes);
}

using Change = std::function<void(const SimDisk&)>;
using Texts = std::set<std::string>;

void nothing(const SimDisk& /*disk*/) {}

/// Each with what is synced and what is not.
const std::vector<std::pair<Change, Change>>& cases() {
    static const std::vector<std::pair<Change, Change>> all{
        {nothing, nothing},
        {nothing, [](const SimDisk& disk) { disk.write("/a/f", "1"); }},
        {nothing,
         [](const SimDisk& disk) {
             disk.write("/a/new/f", "1");
             disk.sync("/a/new/f");
             disk.sync("/a/new");
         }},
        {[](const SimDisk& disk) { disk.write("/a/f", "old"); },
         [](const SimDisk& disk) {
             disk.write("/b/f", "new");
             disk.sync("/b/f");
             disk.rename("/b/f", "/a/f");
         }},
        {[](const SimDisk& disk) {
             disk.write("/a/f", "1");
             disk.write("/b/f", "2");
         },
         [](const SimDisk& disk) {
             disk.exchange("/a/f", "/b/f");
             disk.remove("/b/f");
         }},
        {[](const SimDisk& disk) { disk.write("/a/f", std::string(2 * sector, 'o')); },
         [](const SimDisk& disk) {
             write_at(disk, "/a/f", 0, "1");
             write_at(disk, "/a/f", sector - 1, "22");
             write_at(disk, "/a/f", 2 * sector, "3");
             write_at(disk, "/a/f", 0, "o");
         }},
        {[](const SimDisk& disk) { disk.write("/a/f", std::string(2 * sector, 'o')); },
         [](const SimDisk& disk) {
             write_at(disk, "/a/f", 0, "1");
             write_at(disk, "/a/f", sector, "1");
         }},
        {[](const SimDisk& disk) { static_cast<void>(disk.make_link("1", "/a/l")); },
         [](const SimDisk& disk) {
             static_cast<void>(disk.make_link("2", "/a/next"));
             disk.rename("/a/next", "/a/l");
         }},
    };
    return all;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_disk_that_is_synced_is_left_in_one_way) {
    const SimDisk disk = changed([](const SimDisk& it) { it.write("/a/f", "1"); }, nothing);
    BOOST_TEST((ways_of(disk).texts == Texts{"/a/f=1 "}));
    BOOST_TEST(ways_of(disk).count == 1U);
    BOOST_TEST((disk.survivors(one_group).count(1) == std::uint64_t{1}));
}

BOOST_AUTO_TEST_CASE(names_sizes_and_sectors_are_decided_one_by_one) {
    const SimDisk disk = changed(nothing, [](const SimDisk& it) { it.write("/a/f", "1"); });
    const std::string only_long("/a/f=\0 ", 7);
    const Ways ways = ways_of(disk);
    BOOST_TEST((ways.texts == Texts{"(gone)", "/a/f= ", only_long, "/a/f=1 "}));
    BOOST_TEST(ways.count == 4U); // of a file without a name nothing is asked
}

BOOST_AUTO_TEST_CASE(a_way_loses_all_and_another_keeps_all) {
    for (const auto& [prepare, change] : cases()) {
        const Ways lost = ways_of(changed(prepare, change), SimOdometer(0));
        const SimDisk crashed = changed(prepare, change);
        crashed.crash();
        BOOST_TEST((ways_of(crashed).texts == lost.texts));
        const Ways kept = ways_of(changed(prepare, change), SimOdometer(0, true));
        const SimDisk settled = changed(prepare, change);
        settled.settle();
        BOOST_TEST((ways_of(settled).texts == kept.texts));
    }
}

BOOST_AUTO_TEST_CASE(these_are_the_ways_of_a_power_cut_and_no_others) {
    for (const auto& [prepare, change] : cases()) {
        const Ways ways = ways_of(changed(prepare, change));
        Texts cut;
        SimOdometer odometer;
        do {
            const SimDisk disk = changed(prepare, change);
            disk.crash(odometer);
            cut.insert(*ways_of(disk).texts.begin());
        } while (odometer.next());
        BOOST_TEST(ways.texts == cut, boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(two_ways_have_one_hash_if_and_only_if_they_are_the_same) {
    for (const auto& [prepare, change] : cases()) {
        const SimDisk disk = changed(prepare, change);
        const Ways ways = ways_of(disk);
        BOOST_TEST(ways.hashes.size() == ways.texts.size());
        BOOST_TEST((disk.survivors(one_group).count(1000) == ways.count));
        BOOST_TEST((disk.survivors(one_group).count(ways.count - 1) == std::nullopt));
    }
}

BOOST_AUTO_TEST_CASE(what_became_durable_meanwhile_keeps_its_hash) {
    const SimDisk disk = changed(nothing, [](const SimDisk& it) { it.write("/a/f", "12"); });
    const Ways before = ways_of(disk);
    disk.settle();
    const Ways after = ways_of(disk);
    BOOST_TEST(after.count == 1U);
    BOOST_TEST(before.hashes.contains(*after.hashes.begin()));
}

BOOST_AUTO_TEST_CASE(a_group_of_paths_has_its_own_hash_and_image) {
    const auto group_of = [](const std::string& path) {
        return std::size_t{path.starts_with("/b/") ? 3U : 0U};
    };
    const SimDisk disk = changed(nothing, [](const SimDisk& it) {
        it.write("/a/f", "1");
        it.write("/b/f", "2");
        it.sync("/a");
        it.sync("/b");
    });
    auto survivors = disk.survivors(group_of);
    std::set<std::uint64_t> first;
    std::set<std::uint64_t> last;
    std::set<std::string> images;
    SimOdometer odometer;
    SimSurvivors::Survivor drawn;
    do {
        survivors.draw(odometer, drawn);
        first.insert(drawn.hashes[0]);
        last.insert(drawn.hashes[3]);
        images.insert(text(survivors.image(drawn, 3)));
    } while (odometer.next());
    BOOST_TEST(first.size() == 3U);
    BOOST_TEST(last.size() == 3U);
    BOOST_TEST((images == Texts{"/b/f= ", std::string("/b/f=\0 ", 7), "/b/f=2 "}));
}

BOOST_AUTO_TEST_CASE(a_file_that_got_its_old_bytes_back_may_have_those_in_between) {
    const SimDisk disk = changed([](const SimDisk& it) { it.write("/a/f", "1"); },
                                 [](const SimDisk& it) {
                                     write_at(it, "/a/f", 0, "2");
                                     write_at(it, "/a/f", 0, "1");
                                 });
    BOOST_TEST((ways_of(disk).texts == Texts{"/a/f=1 ", "/a/f=2 "}));
    BOOST_TEST((ways_of(disk, SimOdometer(0, true)).texts == Texts{"/a/f=1 "}));
}
