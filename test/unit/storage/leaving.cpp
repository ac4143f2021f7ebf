#include <replica/storage/leaving.hpp>

#define BOOST_TEST_MODULE leaving
#include <replica/disk/posix.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <string>

using namespace replica;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(a_copy_is_about_to_leave_for_as_long_as_its_mark_lives) {
    SimClock clock;
    SimDisk disk(clock);
    disk.make_directories("/d");
    {
        const auto mark = storage::announce_leaving(disk, clock, "/d");
        BOOST_REQUIRE(mark);
        BOOST_TEST(storage::is_leaving(disk, "/d"));
    }
    BOOST_TEST(!storage::is_leaving(disk, "/d"));
    BOOST_TEST(!storage::is_leaving(disk, "/none"));
}

BOOST_AUTO_TEST_CASE(one_process_alone_announces_and_another_gives_up_after_a_second) {
    SimClock clock;
    SimDisk disk(clock);
    disk.make_directories("/d");
    const auto mark = storage::announce_leaving(disk, clock, "/d");
    const Instant before = clock.monotonic();
    BOOST_TEST(!storage::announce_leaving(disk, clock, "/d"));
    BOOST_TEST((clock.monotonic() - before >= 1s));
    BOOST_TEST((clock.monotonic() - before < 2s));
}

BOOST_AUTO_TEST_CASE(a_look_that_is_in_the_way_is_waited_out) {
    SimClock clock;
    SimDisk disk(clock);
    disk.make_directories("/d");
    auto look = disk.try_hold("/d");
    clock.at(clock.monotonic() + 50ms, [&] { look.reset(); });
    BOOST_TEST(storage::announce_leaving(disk, clock, "/d").has_value());
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_removed_leaves_no_mark_and_none_is_made_by_a_look) {
    SimClock clock;
    PosixDisk disk;
    const std::string root =
        (std::filesystem::temp_directory_path() / "replica-leaving-test").string();
    const std::string directory = root + "/hash";
    disk.make_directories(directory);
    const auto mark = storage::announce_leaving(disk, clock, directory);
    BOOST_TEST(storage::is_leaving(disk, directory));
    BOOST_TEST(disk.list(directory).empty());
    disk.remove_tree(directory);
    BOOST_TEST(!storage::is_leaving(disk, directory));
    BOOST_TEST(!disk.stat(directory));
    disk.remove_tree(root);
}
