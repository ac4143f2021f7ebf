#include <replica/sim/handle.hpp>

#define BOOST_TEST_MODULE sim_handle
#include <boost/test/unit_test.hpp>

#include <laws/disk.hpp>

#include <array>
#include <memory>
#include <string>

using namespace replica;
using test::fails_with;

namespace {

constexpr auto shared = SimLevel::shared;
constexpr auto reserved = SimLevel::reserved;
constexpr auto pending = SimLevel::pending;
constexpr auto exclusive = SimLevel::exclusive;

using Handle = std::unique_ptr<SimHandle>;

/// A disk with one durable file, and two processes.
struct Place {
    Place() {
        disk.write("/d/f", "12345678");
        disk.settle();
    }

    Handle open() { return one.open("/d/f", {}); }

    SimDisk disk;
    SimProcess one{disk};
    SimProcess two{disk};
};

/// Brings a new handle to a level; false if that is refused on the way.
bool raise(SimHandle& handle, SimLevel level) {
    for (const SimLevel step : {shared, reserved, exclusive}) {
        if (step <= level && !(step == reserved && level == exclusive) && !handle.lock(step)) {
            return false;
        }
    }
    return true;
}

void is_dead(const SimDisk& disk, SimHandle& handle) {
    const auto calls = disk.calls();
    const auto dead = fails_with(Error::io, "/d/f");
    BOOST_CHECK_EXCEPTION(static_cast<void>(handle.read(0, 1)), Failure, dead);
    BOOST_CHECK_EXCEPTION(handle.write(0, "x"), Failure, dead);
    BOOST_CHECK_EXCEPTION(handle.resize(0), Failure, dead);
    BOOST_CHECK_EXCEPTION(handle.sync(), Failure, dead);
    BOOST_CHECK_EXCEPTION(static_cast<void>(handle.size()), Failure, dead);
    BOOST_CHECK_EXCEPTION(static_cast<void>(handle.lock(shared)), Failure, dead);
    BOOST_CHECK_EXCEPTION(handle.unlock(SimLevel::none), Failure, dead);
    BOOST_CHECK_EXCEPTION(static_cast<void>(handle.is_reserved()), Failure, dead);
    BOOST_CHECK_EXCEPTION(static_cast<void>(handle.has_moved()), Failure, dead);
    BOOST_TEST(disk.calls() == calls);
}

} // namespace

// ---- Bytes.

BOOST_AUTO_TEST_CASE(a_handle_reads_and_writes_at_a_place) {
    Place place;
    const Handle file = place.open();
    BOOST_TEST(file->read(2, 3) == "345");
    BOOST_TEST(file->read(6, 9) == "78");
    BOOST_TEST(file->read(8, 1).empty());
    BOOST_TEST(file->read(100, 1).empty());
    file->write(7, "xyz");
    BOOST_TEST(file->size() == 10);
    file->resize(3);
    BOOST_TEST(place.open()->read(0, 9) == "123"); // others see it at once
}

BOOST_AUTO_TEST_CASE(what_is_synced_survives_and_what_is_not_may_be_lost) {
    Place place;
    const Handle file = place.open();
    file->write(0, "x");
    file->sync();
    file->write(1, "y");
    place.disk.crash();
    BOOST_TEST(place.open()->read(0, 9) == "x2345678");
}

BOOST_AUTO_TEST_CASE(a_handle_stays_on_its_file_whatever_happens_to_the_name) {
    Place place;
    const Handle file = place.open();
    BOOST_TEST(!file->has_moved());
    place.disk.rename("/d/f", "/d/g");
    BOOST_TEST(file->has_moved());
    place.disk.write("/d/f", "another");
    BOOST_TEST(file->has_moved());
    file->write(0, "x");
    BOOST_TEST(place.disk.content("/d/g")->bytes == "x2345678");
    place.disk.remove("/d/g");
    BOOST_TEST(file->read(0, 1) == "x");
}

BOOST_AUTO_TEST_CASE(the_first_sync_makes_the_name_durable_if_that_was_asked_for) {
    for (const bool asked : {false, true}) {
        Place place;
        {
            const Handle file =
                place.one.open("/d/journal", {.create = true, .sync_directory = asked});
            file->write(0, "1");
            file->sync();
        }
        place.disk.crash();
        BOOST_TEST(place.disk.content("/d/journal").has_value() == asked);
    }
}

BOOST_AUTO_TEST_CASE(the_sync_of_the_directory_is_a_call_of_its_own_and_is_made_once) {
    Place place;
    const Handle file = place.one.open("/d/journal", {.create = true, .sync_directory = true});
    place.disk.fail_next(SimCall::vfs_sync, "/d/journal", Error::io);
    BOOST_CHECK_THROW(file->sync(), Failure);
    place.disk.fail_at(2);
    BOOST_CHECK_EXCEPTION(file->sync(), Failure, fails_with(Error::io, "/d"));
    const auto calls = place.disk.calls();
    file->sync();
    BOOST_TEST(place.disk.calls() == calls + 2);
    file->sync();
    BOOST_TEST(place.disk.calls() == calls + 3);
}

// ---- Names.

BOOST_AUTO_TEST_CASE(a_file_is_made_only_if_that_is_meant) {
    Place place;
    const auto open = [&](const std::string& path, SimProcess::Opening how) {
        return place.one.open(path, how);
    };
    BOOST_CHECK_EXCEPTION(open("/d/g", {}), Failure, fails_with(Error::missing, "/d/g"));
    BOOST_CHECK_EXCEPTION(open("/none/g", {.create = true}), Failure,
                          fails_with(Error::missing, "/none"));
    BOOST_CHECK_EXCEPTION(open("/d", {.create = true}), Failure, fails_with(Error::io, "/d"));
    BOOST_CHECK_EXCEPTION(open("/d/f", {.create = true, .only_new = true}), Failure,
                          fails_with(Error::exists, "/d/f"));
    BOOST_TEST(open("/d/f", {.create = true})->size() == 8);
    BOOST_TEST(open("/d/g", {.create = true, .only_new = true})->size() == 0);
    BOOST_TEST(place.disk.stat("/d/g").has_value());
    BOOST_TEST(!place.disk.stat("/none"));
}

BOOST_AUTO_TEST_CASE(a_nameless_file_is_gone_with_its_handle) {
    Place place;
    const Handle by_name = place.one.open("/d/t", {.create = true, .nameless = true});
    const Handle unnamed = place.one.open("", {.create = true});
    for (SimHandle* file : {by_name.get(), unnamed.get()}) {
        file->write(0, "12");
        BOOST_TEST(file->read(0, 9) == "12");
    }
    BOOST_TEST(place.disk.list("/d").size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_removed_name_may_come_back_until_its_directory_is_synced) {
    Place place;
    BOOST_TEST(place.one.remove("/d/f"));
    BOOST_TEST(!place.one.remove("/d/f"));
    BOOST_TEST(!place.one.exists("/d/f", 0));
    place.disk.crash();
    BOOST_TEST(place.one.exists("/d/f", 0));
    BOOST_TEST(place.one.remove("/d/f"));
    place.one.sync_directory_of("/d/f");
    place.disk.crash();
    BOOST_TEST(!place.one.exists("/d/f", 0));
    BOOST_CHECK_EXCEPTION(place.one.remove("/d"), Failure, fails_with(Error::io, "/d"));
}

BOOST_AUTO_TEST_CASE(what_is_too_small_counts_as_missing_and_a_directory_never_does) {
    Place place;
    BOOST_TEST(place.one.exists("/d/f", 8));
    BOOST_TEST(!place.one.exists("/d/f", 9));
    BOOST_TEST(place.one.exists("/d", 9));
    BOOST_TEST(!place.one.exists("/none", 0));
}

BOOST_AUTO_TEST_CASE(a_link_is_followed) {
    Place place;
    BOOST_TEST(place.disk.make_link("/d/f", "/d/link"));
    const Handle file = place.one.open("/d/link", {});
    BOOST_TEST(file->read(0, 3) == "123");
    BOOST_TEST(!file->has_moved());
}

// ---- Locks.

BOOST_AUTO_TEST_CASE(two_handles_have_locks_together_as_sqlites_rules_say) {
    constexpr std::array levels{shared, reserved, exclusive};
    constexpr bool together[3][3] = {
        {true, true, false},   // shared, and then the other wants shared, reserved, exclusive
        {true, false, false},  // reserved
        {false, false, false}, // exclusive
    };
    for (std::size_t held = 0; held < 3; ++held) {
        for (std::size_t wanted = 0; wanted < 3; ++wanted) {
            Place place;
            for (SimProcess* process : {&place.one, &place.two}) {
                BOOST_TEST_CONTEXT(held << " and " << wanted) {
                    const Handle first = place.open();
                    const Handle second = process->open("/d/f", {});
                    BOOST_TEST(raise(*first, levels[held]));
                    BOOST_TEST(raise(*second, levels[wanted]) == together[held][wanted]);
                }
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(who_has_reserved_and_waits_lets_no_new_reader_in) {
    Place place;
    const Handle writer = place.open();
    const Handle reader = place.open();
    const Handle late = place.open();
    BOOST_TEST(raise(*writer, reserved));
    BOOST_TEST(reader->lock(shared));
    BOOST_TEST(!writer->lock(exclusive)); // and is pending now
    BOOST_TEST(!late->lock(shared));
    BOOST_TEST(reader->lock(shared)); // it has that
    reader->unlock(SimLevel::none);
    BOOST_TEST(writer->lock(exclusive));
    writer->unlock(shared);
    BOOST_TEST(late->lock(shared));
}

BOOST_AUTO_TEST_CASE(who_fails_to_get_all_from_a_shared_lock_keeps_nobody_out) {
    Place place;
    const Handle one = place.open();
    const Handle two = place.open();
    BOOST_TEST(one->lock(shared));
    BOOST_TEST(two->lock(shared));
    BOOST_TEST(!one->lock(exclusive)); // both may want to play a hot journal back
    BOOST_TEST(place.open()->lock(shared));
    two->unlock(SimLevel::none);
    BOOST_TEST(one->lock(exclusive));
}

BOOST_AUTO_TEST_CASE(everybody_sees_that_a_file_is_reserved) {
    Place place;
    const Handle one = place.open();
    const Handle two = place.two.open("/d/f", {});
    BOOST_TEST(raise(*one, shared));
    BOOST_TEST(!two->is_reserved());
    BOOST_TEST(one->lock(reserved));
    BOOST_TEST(two->is_reserved());
    BOOST_TEST(one->is_reserved());
    one->unlock(shared);
    BOOST_TEST(!two->is_reserved());
}

BOOST_AUTO_TEST_CASE(a_lock_ends_with_its_handle_and_is_not_that_of_another_file) {
    Place place;
    place.disk.write("/d/g", "1");
    Handle one = place.open();
    BOOST_TEST(raise(*one, exclusive));
    const Handle elsewhere = place.one.open("/d/g", {});
    BOOST_TEST(raise(*elsewhere, exclusive));
    BOOST_TEST(!place.open()->lock(shared));
    one.reset();
    BOOST_TEST(place.open()->lock(shared));
}

BOOST_AUTO_TEST_CASE(a_lock_goes_with_the_file_when_it_is_renamed) {
    Place place;
    const Handle one = place.open();
    BOOST_TEST(raise(*one, exclusive));
    place.disk.rename("/d/f", "/d/g");
    BOOST_TEST(!place.one.open("/d/g", {})->lock(shared));
    BOOST_TEST(place.one.open("/d/f", {.create = true})->lock(shared));
}

BOOST_AUTO_TEST_CASE(an_unlock_that_fails_has_given_the_lock_back) {
    Place place;
    const Handle one = place.open();
    BOOST_TEST(raise(*one, exclusive));
    place.disk.fail_next(SimCall::vfs_unlock, "/d/f", Error::io);
    BOOST_CHECK_THROW(one->unlock(SimLevel::none), Failure);
    BOOST_TEST(place.open()->lock(shared));
    one->unlock(exclusive); // never raises
    const Handle other = place.open();
    BOOST_TEST(raise(*other, exclusive));
}

// ---- Ends.

BOOST_AUTO_TEST_CASE(the_handles_of_a_killed_process_are_dead_and_its_locks_void) {
    Place place;
    const Handle killed = place.open();
    const Handle other = place.two.open("/d/f", {});
    BOOST_TEST(raise(*killed, pending));
    BOOST_TEST(!raise(*other, reserved));
    killed->write(0, "x");
    place.one.kill();
    is_dead(place.disk, *killed);
    BOOST_TEST(raise(*other, exclusive));
    BOOST_TEST(other->read(0, 2) == "x2"); // the kernel has it
    BOOST_TEST(place.open()->size() == 8); // of the process that was started since
}

BOOST_AUTO_TEST_CASE(a_power_cut_ends_all_processes) {
    for (const bool by_chance : {false, true}) {
        Place place;
        const Handle one = place.open();
        const Handle two = place.two.open("/d/f", {});
        BOOST_TEST(raise(*one, exclusive));
        if (by_chance) {
            place.disk.crash(1);
        } else {
            place.disk.crash();
        }
        is_dead(place.disk, *one);
        is_dead(place.disk, *two);
        const Handle again = place.open();
        BOOST_TEST(raise(*again, exclusive));
    }
}

BOOST_AUTO_TEST_CASE(a_process_that_is_killed_while_it_waits_for_a_call_does_not_make_it) {
    Place place;
    const Handle file = place.open();
    place.disk.on_call([&](SimCall, const std::string&) { place.one.kill(); });
    BOOST_CHECK_EXCEPTION(file->write(0, "x"), Failure, fails_with(Error::io, "/d/f"));
    place.disk.on_call(nullptr);
    BOOST_TEST(place.disk.content("/d/f")->bytes == "12345678");
}

BOOST_AUTO_TEST_CASE(a_device_that_is_gone_fails_every_call_until_it_is_back) {
    Place place;
    place.disk.mount("/m");
    place.disk.write("/m/f", "1");
    const Handle file = place.one.open("/m/f", {});
    place.disk.unmount("/m");
    BOOST_CHECK_EXCEPTION(static_cast<void>(file->read(0, 1)), Failure,
                          fails_with(Error::io, "/m/f"));
    BOOST_CHECK_EXCEPTION(file->write(0, "x"), Failure, fails_with(Error::io, "/m/f"));
    BOOST_CHECK_EXCEPTION(place.one.open("/m/f", {}), Failure, fails_with(Error::missing, "/m/f"));
    place.disk.mount("/m");
    BOOST_TEST(file->read(0, 1) == "1");
}
