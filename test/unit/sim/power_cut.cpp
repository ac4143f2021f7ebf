#include <replica/sim/power_cut.hpp>

#define BOOST_TEST_MODULE sim_power_cut
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

using namespace replica;

namespace {

/// What is found after each of many power cuts: names with their bytes, "(gone)" if none is left.
std::set<std::string> found_after(const std::function<void(const SimDisk&)>& prepare,
                                  const std::function<void(const SimDisk&)>& change) {
    std::set<std::string> all;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const SimDisk disk;
        disk.make_directories("/a");
        disk.make_directories("/b");
        prepare(disk);
        disk.settle();
        change(disk);
        disk.crash(seed);
        std::string found;
        for (const auto& [path, bytes] : disk.dump()) {
            found += path.ends_with('/') ? "" : path + '=' + bytes + ' ';
        }
        all.insert(found.empty() ? "(gone)" : found);
    }
    return all;
}

using Found = std::set<std::string>;

void nothing(const SimDisk& /*disk*/) {}
void with_f(const SimDisk& disk) {
    disk.write("/a/f", "1");
}

} // namespace

BOOST_AUTO_TEST_CASE(a_new_file_is_lost_or_there_with_what_was_written) {
    const std::string only_long("/a/f=\0 ", 7); // its size came to the disk, its byte did not
    BOOST_TEST((found_after(nothing, with_f) == Found{"(gone)", "/a/f= ", only_long, "/a/f=1 "}));
}

BOOST_AUTO_TEST_CASE(a_synced_file_without_a_synced_name_is_lost_or_whole) {
    const auto made = [](const SimDisk& disk) {
        disk.write("/a/f", "1");
        disk.sync("/a/f");
    };
    BOOST_TEST((found_after(nothing, made) == Found{"(gone)", "/a/f=1 "}));
}

BOOST_AUTO_TEST_CASE(what_is_synced_is_there) {
    const auto made = [](const SimDisk& disk) {
        disk.write("/a/f", "1");
        disk.sync("/a/f");
        disk.sync("/a");
    };
    BOOST_TEST((found_after(nothing, made) == Found{"/a/f=1 "}));
}

BOOST_AUTO_TEST_CASE(a_removed_file_may_be_back) {
    const auto remove = [](const SimDisk& disk) { disk.remove("/a/f"); };
    BOOST_TEST((found_after(with_f, remove) == Found{"(gone)", "/a/f=1 "}));
}

BOOST_AUTO_TEST_CASE(a_renamed_file_has_one_name_of_the_two) {
    const auto rename = [](const SimDisk& disk) { disk.rename("/a/f", "/a/g"); };
    BOOST_TEST((found_after(with_f, rename) == Found{"/a/f=1 ", "/a/g=1 "}));
    const auto away = [](const SimDisk& disk) { disk.rename("/a/f", "/b/f"); };
    BOOST_TEST((found_after(with_f, away) == Found{"/a/f=1 ", "/b/f=1 "}));
}

BOOST_AUTO_TEST_CASE(a_file_that_replaces_another_does_so_at_once_or_not) {
    const auto two = [](const SimDisk& disk) {
        disk.write("/a/f", "old");
        disk.write("/b/f", "new");
    };
    const auto rename = [](const SimDisk& disk) { disk.rename("/b/f", "/a/f"); };
    BOOST_TEST((found_after(two, rename) == Found{"/a/f=old /b/f=new ", "/a/f=new "}));
    const auto exchange = [](const SimDisk& disk) { disk.exchange("/b/f", "/a/f"); };
    BOOST_TEST((found_after(two, exchange) == Found{"/a/f=old /b/f=new ", "/a/f=new /b/f=old "}));
}

BOOST_AUTO_TEST_CASE(two_names_that_have_nothing_to_do_with_each_other_are_two_steps) {
    const auto two = [](const SimDisk& disk) {
        disk.write("/a/f", "1");
        disk.write("/a/g", "2");
    };
    const auto remove = [](const SimDisk& disk) {
        disk.remove("/a/f");
        disk.remove("/a/g");
    };
    BOOST_TEST(
        (found_after(two, remove) == Found{"(gone)", "/a/f=1 ", "/a/g=2 ", "/a/f=1 /a/g=2 "}));
}

BOOST_AUTO_TEST_CASE(a_rename_after_a_power_cut_ends_the_name_that_was_kept) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const SimDisk disk;
        disk.make_directories("/b");
        disk.write("/a/f", "1");
        disk.settle();
        disk.rename("/a/f", "/b/f");
        disk.crash(seed);
        const bool moved = disk.content("/b/f").has_value();
        disk.rename(moved ? "/b/f" : "/a/f", "/a/last");
        disk.sync("/a");
        disk.crash();
        BOOST_TEST(disk.dump().size() == 3U); // /a/, /b/ and one file
        BOOST_TEST(disk.content("/a/last")->bytes == "1");
    }
}

BOOST_AUTO_TEST_CASE(a_device_that_is_not_mounted_loses_and_keeps_as_others_do) {
    std::set<bool> kept;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const SimDisk disk;
        disk.mount("/m");
        disk.settle();
        disk.write("/m/f", "1");
        disk.sync("/m/f");
        disk.unmount("/m");
        disk.crash(seed);
        disk.mount("/m");
        kept.insert(disk.content("/m/f").has_value());
    }
    BOOST_TEST((kept == std::set{true, false}));
}

BOOST_AUTO_TEST_CASE(a_cut_is_final) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const SimDisk disk;
        disk.write("/a/f", std::string(2000, 'x'));
        disk.write("/b/g", "2");
        disk.crash(seed);
        const auto found = disk.dump();
        disk.crash(); // nothing that survived is still to be written
        BOOST_TEST((disk.dump() == found));
        disk.crash(seed + 1);
        BOOST_TEST((disk.dump() == found));
    }
}

BOOST_AUTO_TEST_CASE(the_same_seed_leaves_the_same) {
    const auto after = [](std::uint64_t seed) {
        const SimDisk disk;
        for (int i = 0; i < 8; ++i) {
            disk.write("/a/" + std::to_string(i), std::string(1500, 'x'));
        }
        disk.crash(seed);
        return disk.dump();
    };
    std::set<std::map<std::string, std::string>> different;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        BOOST_TEST((after(seed) == after(seed)));
        different.insert(after(seed));
    }
    BOOST_TEST(different.size() > 5U);
}
