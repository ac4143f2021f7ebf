#include <replica/sim/disk.hpp>

#define BOOST_TEST_MODULE sim_disk
#include <boost/test/unit_test.hpp>

#include <laws/disk.hpp>

#include <string>
#include <vector>

using namespace replica;

namespace {

Error error_of(auto&& call) {
    try {
        call();
    } catch (const Failure& failure) {
        BOOST_TEST_MESSAGE("  " << failure.what());
        return failure.error();
    }
    return Error{};
}

std::string bytes(const SimDisk& disk, const std::string& path) {
    const auto content = disk.content(path);
    return content ? content->bytes : "(none)";
}

} // namespace

BOOST_AUTO_TEST_CASE(the_simulated_disk_obeys_the_laws) {
    SimDisk disk;
    disk.make_directories("/srv/node/sdb1");
    test::check_disk_laws(
        disk, "/srv/node/sdb1",
        [disk](const std::string& path, const std::string& content) { disk.write(path, content); });
}

BOOST_AUTO_TEST_CASE(the_laws_hold_on_a_mount_with_a_limit_as_well) {
    SimDisk disk;
    disk.mount("/srv/node/sdb1", 10'000'000);
    test::check_disk_laws(
        disk, "/srv/node/sdb1",
        [disk](const std::string& path, const std::string& content) { disk.write(path, content); });
}

BOOST_AUTO_TEST_CASE(a_listing_comes_in_an_order_that_nobody_can_rely_on) {
    const SimDisk disk;
    for (const char* name : {"/d/b", "/d/a", "/d/c"}) {
        disk.write(name, "");
    }
    const auto entries = disk.list("/d");
    BOOST_TEST(entries.front().name == "c");
    BOOST_TEST(entries.back().name == "a");
}

BOOST_AUTO_TEST_CASE(every_write_changes_the_modification_time_though_the_clock_stands_still) {
    const SimClock clock;
    const SimDisk disk(clock);
    disk.write("/f", "1");
    const auto first = disk.stat("/f");
    disk.write("/f", "2");
    const auto second = disk.stat("/f");
    BOOST_TEST(second->modified_ns > first->modified_ns);
    BOOST_TEST(second->inode == first->inode);
    clock.advance(Seconds(60));
    disk.write("/f", "3");
    BOOST_TEST(disk.stat("/f")->modified_ns == clock.now().ticks * 10'000);
}

BOOST_AUTO_TEST_CASE(a_directory_changes_when_an_entry_comes_or_goes) {
    const SimDisk disk;
    disk.write("/d/f", "1");
    const auto before = disk.stat("/d");
    disk.write("/d/f", "2");
    BOOST_TEST((disk.stat("/d") == before)); // only the file changed
    disk.write("/d/g", "");
    const auto more = disk.stat("/d");
    BOOST_TEST((more != before));
    BOOST_TEST(disk.remove("/d/g"));
    BOOST_TEST((disk.stat("/d") != more));
}

// ---- Durability.

BOOST_AUTO_TEST_CASE(a_crash_loses_what_was_never_synced) {
    const SimDisk disk;
    disk.make_directories("/d");
    disk.settle();
    disk.write("/d/f", "1");
    disk.crash();
    BOOST_TEST(disk.dump().size() == 1U);
    BOOST_TEST(disk.dump().contains("/d/"));
}

BOOST_AUTO_TEST_CASE(a_synced_directory_keeps_the_name_but_not_the_content) {
    const SimDisk disk;
    disk.make_directories("/d");
    disk.settle();
    disk.write("/d/f", "1");
    disk.sync("/d");
    disk.crash();
    BOOST_TEST(bytes(disk, "/d/f").empty()); // as ext4 leaves it
}

BOOST_AUTO_TEST_CASE(a_synced_file_without_its_directory_is_lost) {
    const SimDisk disk;
    disk.make_directories("/d");
    disk.settle();
    disk.write("/d/f", "1");
    disk.sync("/d/f");
    disk.crash();
    BOOST_TEST(!disk.stat("/d/f"));
}

BOOST_AUTO_TEST_CASE(a_file_and_its_directory_synced_survive) {
    const SimDisk disk;
    disk.make_directories("/d");
    disk.settle();
    disk.write("/d/f", "1");
    disk.sync("/d/f");
    disk.sync("/d");
    disk.write("/d/f", "2"); // not synced: gone
    disk.crash();
    BOOST_TEST(bytes(disk, "/d/f") == "1");
}

BOOST_AUTO_TEST_CASE(a_new_directory_needs_the_sync_of_each_parent) {
    const SimDisk disk;
    disk.write("/a/b/f", "1");
    disk.sync("/a/b/f");
    disk.sync("/a/b");
    disk.sync("/a");
    disk.crash();
    BOOST_TEST(disk.dump().empty());
    disk.write("/a/b/f", "1");
    disk.sync("/a/b/f");
    disk.sync("/a/b");
    disk.sync("/a");
    disk.sync("/");
    disk.crash();
    BOOST_TEST(bytes(disk, "/a/b/f") == "1");
}

BOOST_AUTO_TEST_CASE(a_rename_is_undone_by_a_crash_before_the_sync) {
    const SimDisk disk;
    disk.write("/tmp/new", "new");
    disk.write("/d/f", "old");
    disk.settle();
    disk.rename("/tmp/new", "/d/f");
    BOOST_TEST(bytes(disk, "/d/f") == "new");
    disk.crash();
    BOOST_TEST(bytes(disk, "/d/f") == "old");
    BOOST_TEST(bytes(disk, "/tmp/new") == "new");
}

BOOST_AUTO_TEST_CASE(a_rename_is_one_step_once_its_target_directory_is_synced) {
    const SimDisk disk;
    disk.write("/tmp/new", "new");
    disk.write("/d/f", "old");
    disk.settle();
    disk.rename("/tmp/new", "/d/f");
    disk.sync("/d");
    disk.crash();
    BOOST_TEST(bytes(disk, "/d/f") == "new");
    BOOST_TEST(!disk.stat("/tmp/new"));
}

BOOST_AUTO_TEST_CASE(a_rename_whose_source_directory_alone_was_synced_loses_the_file) {
    const SimDisk disk;
    disk.write("/tmp/new", "new");
    disk.make_directories("/d");
    disk.settle();
    disk.rename("/tmp/new", "/d/f");
    disk.sync("/tmp");
    disk.crash(); // POSIX promises no more; the order of syncs matters
    BOOST_TEST(!disk.stat("/tmp/new"));
    BOOST_TEST(!disk.stat("/d/f"));
}

BOOST_AUTO_TEST_CASE(a_directory_moved_and_synced_takes_its_content_along_through_a_crash) {
    const SimDisk disk;
    disk.write("/d/hash/f", "1");
    disk.make_directories("/quarantined");
    disk.settle();
    BOOST_TEST(disk.rename_new("/d/hash", "/quarantined/hash"));
    disk.sync("/quarantined");
    disk.crash();
    BOOST_TEST(bytes(disk, "/quarantined/hash/f") == "1");
    BOOST_TEST(!disk.stat("/d/hash"));
}

BOOST_AUTO_TEST_CASE(a_removed_file_comes_back_unless_its_directory_was_synced) {
    const SimDisk disk;
    disk.write("/d/f", "1");
    disk.write("/d/g", "1");
    disk.settle();
    BOOST_TEST(disk.remove("/d/f"));
    disk.sync("/d");
    BOOST_TEST(disk.remove("/d/g"));
    disk.crash();
    BOOST_TEST(!disk.stat("/d/f"));
    BOOST_TEST(bytes(disk, "/d/g") == "1");
}

BOOST_AUTO_TEST_CASE(a_crash_frees_every_lock) {
    const SimDisk disk;
    const auto held = disk.try_lock("/d");
    disk.settle();
    BOOST_TEST(!disk.try_lock("/d"));
    disk.crash();
    BOOST_TEST(disk.try_lock("/d").has_value());
}

// ---- Room and mounts.

BOOST_AUTO_TEST_CASE(a_full_disk_takes_no_more_and_keeps_what_it_has) {
    const SimDisk disk;
    disk.mount("/m", 10);
    disk.write("/m/a", "123456");
    BOOST_TEST(disk.space("/m").total == 10U);
    BOOST_TEST(disk.space("/m").free == 4U);
    BOOST_TEST((error_of([&] { disk.write("/m/b", "12345"); }) == Error::no_space));
    BOOST_TEST((error_of([&] { disk.write("/m/a", "12345678901"); }) == Error::no_space));
    BOOST_TEST(bytes(disk, "/m/a") == "123456");
    disk.write("/m/a", "1"); // smaller is always possible
    disk.write("/m/b", "123456789");
    BOOST_TEST(disk.space("/m/b").free == 0U);
    disk.write("/elsewhere", "12345678901");
}

BOOST_AUTO_TEST_CASE(a_device_that_is_not_mounted_is_an_empty_directory) {
    const SimDisk disk;
    disk.mount("/srv/sdb1");
    disk.write("/srv/sdb1/f", "1");
    disk.settle();
    BOOST_TEST(disk.is_mount("/srv/sdb1"));
    BOOST_TEST(!disk.is_mount("/srv"));
    disk.unmount("/srv/sdb1");
    BOOST_TEST(!disk.is_mount("/srv/sdb1"));
    BOOST_TEST(disk.list("/srv/sdb1").empty());
    disk.write("/srv/sdb1/g", "on the root disk");
    disk.crash();
    disk.mount("/srv/sdb1");
    BOOST_TEST(bytes(disk, "/srv/sdb1/f") == "1");
    BOOST_TEST(!disk.stat("/srv/sdb1/g"));
    BOOST_TEST((error_of([&] { disk.unmount("/none/x"); }) == Error::missing));
    BOOST_TEST((error_of([&] { disk.unmount("/srv/sdb2"); }) == Error::missing));
}

BOOST_AUTO_TEST_CASE(nothing_is_renamed_from_one_device_to_another) {
    const SimDisk disk;
    disk.mount("/srv/sdb1");
    disk.mount("/srv/sdb2");
    disk.write("/srv/sdb1/f", "1");
    BOOST_TEST(disk.stat("/srv/sdb1/f")->device != disk.stat("/srv/sdb2")->device);
    BOOST_TEST((error_of([&] { disk.rename("/srv/sdb1/f", "/srv/sdb2/f"); }) == Error::io));
    BOOST_TEST(bytes(disk, "/srv/sdb1/f") == "1");
}

BOOST_AUTO_TEST_CASE(a_directory_is_never_moved_into_itself_nor_over_a_file) {
    const SimDisk disk;
    disk.make_directories("/a/b");
    disk.write("/f", "1");
    BOOST_TEST((error_of([&] { disk.rename("/a", "/a/b/c"); }) == Error::io));
    BOOST_TEST((error_of([&] { disk.rename("/a", "/f"); }) == Error::io));
    BOOST_TEST((error_of([&] { disk.rename("/f", "/a"); }) == Error::io));
    BOOST_TEST((error_of([&] { disk.make_directories("/f/x"); }) == Error::io));
    BOOST_TEST((error_of([&] { disk.write("/a", "1"); }) == Error::io));
    BOOST_TEST((error_of([&] { disk.remove_empty("/f"); }) == Error::io));
    BOOST_TEST((error_of([&] { static_cast<void>(disk.read("/a", 1)); }) == Error::io));
    BOOST_TEST(disk.dump().size() == 3U);
    disk.rename("/f", "/f");
    BOOST_TEST(bytes(disk, "/f") == "1");
}

// ---- Faults.

BOOST_AUTO_TEST_CASE(the_next_call_of_a_kind_fails_on_a_path_and_only_there) {
    const SimDisk disk;
    disk.write("/a", "1");
    disk.write("/b", "1");
    disk.fail_next(SimCall::read, "/a", Error::io);
    BOOST_TEST(disk.read("/b", 1) == "1");
    BOOST_TEST(disk.stat("/a").has_value());
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.read("/a", 1)), Failure,
                          test::fails_with(Error::io, "/a"));
    BOOST_TEST(disk.read("/a", 1) == "1"); // once
}

BOOST_AUTO_TEST_CASE(a_broken_device_fails_for_ever_until_it_is_repaired) {
    const SimDisk disk;
    disk.make_directories("/srv/sdb1");
    disk.make_directories("/srv/sdb2");
    disk.fail_next(SimCall::any, "/srv/sdb1", Error::io, 0);
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST((error_of([&] { static_cast<void>(disk.list("/srv/sdb1")); }) == Error::io));
        BOOST_TEST((error_of([&] { disk.write("/srv/sdb1/x", "1"); }) == Error::io));
        BOOST_TEST(disk.list("/srv/sdb2").empty());
    }
    disk.clear_faults();
    BOOST_TEST(disk.list("/srv/sdb1").empty());
}

BOOST_AUTO_TEST_CASE(every_point_of_an_operation_is_failed_in_turn) {
    std::vector<std::string> states;
    for (std::uint64_t n = 1;; ++n) {
        const SimDisk disk;
        disk.write("/d/f", "1");
        disk.fail_at(n, Error::no_space);
        const Error error = error_of([&] {
            disk.write("/d/new", "2");
            disk.sync("/d/new");
            disk.rename("/d/new", "/d/f");
        });
        states.push_back(bytes(disk, "/d/f") + bytes(disk, "/d/new"));
        if (disk.fault_pending()) {
            BOOST_TEST((error == Error{}));
            break;
        }
        BOOST_TEST((error == Error::no_space));
        BOOST_TEST(disk.stat("/d/f").has_value()); // only one call fails
    }
    const std::vector<std::string> expected{"1(none)", "12", "12", "2(none)"};
    BOOST_TEST(states == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(after_a_halt_nothing_works_until_the_crash) {
    const SimDisk disk;
    disk.write("/f", "1");
    disk.settle();
    disk.halt_at(2);
    disk.write("/f", "2");
    BOOST_TEST((error_of([&] { disk.sync("/f"); }) == Error::io));
    BOOST_TEST((error_of([&] { static_cast<void>(disk.stat("/f")); }) == Error::io));
    disk.crash();
    BOOST_TEST(bytes(disk, "/f") == "1");
    BOOST_TEST(disk.stat("/f").has_value());
}

BOOST_AUTO_TEST_CASE(a_hook_sees_each_call_before_it_happens_and_may_act_on_the_disk) {
    const SimDisk disk;
    disk.write("/f", "1");
    const auto before = disk.calls();
    std::vector<SimCall> seen;
    disk.on_call([&](SimCall call, const std::string& path) {
        seen.push_back(call);
        if (call == SimCall::read && path == "/f") {
            disk.write("/f", "written in the middle");
        }
    });
    BOOST_TEST(disk.read("/f", 100) == "written in the middle");
    BOOST_TEST((seen == std::vector<SimCall>{SimCall::read, SimCall::write}));
    BOOST_TEST(disk.calls() == before + 2);
    disk.on_call({});
    BOOST_TEST(disk.stat("/f").has_value());
    BOOST_TEST(seen.size() == 2U);
}
