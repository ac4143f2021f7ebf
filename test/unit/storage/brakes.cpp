#include <replica/storage/brakes.hpp>

#define BOOST_TEST_MODULE brakes
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>

#include <boost/test/unit_test.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace replica;

namespace {

/// How many of `seen` databases may be tried to move away when all would.
int tried(double share, int seen) {
    Brakes brakes(share);
    int count = 0;
    for (int i = 0; i < seen; ++i) {
        brakes.saw("sda");
        count += brakes.may_try("sda") ? 1 : 0;
    }
    return count;
}

/// Keeps what is told.
struct Told {
    std::shared_ptr<std::vector<std::string>> lines = std::make_shared<std::vector<std::string>>();

    void operator()(const event::SetAside& event) const {
        lines->push_back(event.path + ": " + event.what);
    }
    template <class Event>
    void operator()(const Event& /*event*/) const {}
};

const std::string sda = "/srv/node/sda";

/// A process that counts on a disk. Copies are processes of one machine.
struct Process {
    explicit Process(double share_ = 50) : share(share_) { disk.mount(sda); }

    [[nodiscard]] Process another() const {
        Process other(*this);
        other.brake = std::make_shared<HourlyBrake>();
        return other;
    }

    [[nodiscard]] bool has_room(std::int64_t present, const std::string& device = sda) {
        return brake->has_room(broker, told, device, present, share);
    }

    /// One database of so many leaves, if it may.
    [[nodiscard]] bool leave(std::int64_t present, const std::string& device = sda) {
        const bool room = has_room(present, device);
        const bool may = brake->may_leave(broker, told, device, present, share);
        BOOST_TEST(may == room);
        return may;
    }
    void stays() { brake->stays(broker, told, sda); }

    /// As many of so many as may.
    std::int64_t empty(std::int64_t present) {
        std::int64_t left = 0;
        while (left < present && leave(present - left)) {
            ++left;
        }
        return left;
    }

    [[nodiscard]] bool quarantine() { return brake->may_quarantine(broker, told, sda); }
    void refund_quarantine() { brake->refund_quarantine(broker, told, sda); }
    int quarantine_all() {
        int count = 0;
        while (quarantine()) {
            ++count;
        }
        return count;
    }

    [[nodiscard]] std::string kept() const { return disk.read_link(hour).value_or(""); }

    static inline const std::string place = sda + "/tmp/container.brakes";
    static inline const std::string hour = place + "/hour";

    double share;
    SimClock clock;
    SimDisk disk{clock};
    BasicContainerBroker<SimDisk, SimClock> broker{disk, clock};
    Told told;
    std::shared_ptr<HourlyBrake> brake = std::make_shared<HourlyBrake>();
};

} // namespace

// ---- A pass.

BOOST_AUTO_TEST_CASE(a_small_device_may_be_emptied) {
    BOOST_TEST(tried(50, 100) == 100);
    BOOST_TEST(tried(0, 100) == 100);
}

BOOST_AUTO_TEST_CASE(of_a_large_device_a_share_may_leave) {
    BOOST_TEST(tried(50, 1000) == 500);
    BOOST_TEST(tried(20, 1000) == 200);
    BOOST_TEST(tried(0, 1000) == 100);
    BOOST_TEST(tried(100, 1000) == 1000);
}

BOOST_AUTO_TEST_CASE(what_leaves_is_held_against_what_was_seen) {
    Brakes brakes(10);
    for (int i = 0; i < 100; ++i) {
        BOOST_TEST(brakes.may_try("sda"));
    }
    BOOST_TEST(!brakes.may_try("sda"));
    for (int i = 0; i < 1010; ++i) {
        brakes.saw("sda");
    }
    BOOST_TEST(brakes.may_try("sda"));
    BOOST_TEST(!brakes.may_try("sda"));
    BOOST_TEST(brakes.may_try("sdb")); // each device for itself
}

BOOST_AUTO_TEST_CASE(what_has_left_is_not_there_any_more) {
    Brakes brakes(50);
    BOOST_TEST(brakes.present("sda") == 0);
    for (int i = 0; i < 3; ++i) {
        brakes.saw("sda");
    }
    brakes.left("sda");
    BOOST_TEST(brakes.present("sda") == 2);
    BOOST_TEST(brakes.present("sdb") == 0);
}

BOOST_AUTO_TEST_CASE(one_wrong_name_freezes_a_device_and_most_names_wrong_end_its_pass) {
    Brakes brakes(50);
    BOOST_TEST(!brakes.frozen("sda"));
    brakes.saw("sda");
    brakes.wrong_hash("sda");
    BOOST_TEST(brakes.frozen("sda"));
    BOOST_TEST(!brakes.frozen("sdb"));
    BOOST_TEST(!brakes.mostly_wrong_hashes("sda")); // it may be a stray file
    brakes.saw("sda");
    brakes.wrong_hash("sda");
    BOOST_TEST(brakes.mostly_wrong_hashes("sda"));
    BOOST_TEST(!brakes.mostly_wrong_hashes("sdb"));
    brakes.saw("sda");
    brakes.saw("sda");
    BOOST_TEST(!brakes.mostly_wrong_hashes("sda")); // two of four
}

BOOST_AUTO_TEST_CASE(a_device_is_announced_once) {
    Brakes brakes(50);
    BOOST_TEST(brakes.announce("sda"));
    BOOST_TEST(!brakes.announce("sda"));
    BOOST_TEST(brakes.announce("sdb"));
}

// ---- An hour.

BOOST_AUTO_TEST_CASE(a_share_of_what_the_device_had_leaves_in_an_hour_and_a_hundred_are_free) {
    for (const auto& [share, had, expected] : {std::tuple(50.0, 1000, 500),
                                               {20.0, 1000, 200},
                                               {0.0, 1000, 100},
                                               {100.0, 1000, 1000},
                                               {50.0, 100, 100},
                                               {0.0, 100, 100},
                                               {50.0, 150, 100}}) {
        Process process(share);
        BOOST_TEST(process.empty(had) == expected);
        process.clock.advance(Seconds(3599));
        BOOST_TEST(process.empty(had - expected) == 0);
        process.clock.advance(Seconds(1));
        const int next = std::max(100, static_cast<int>((had - expected) * share / 100));
        BOOST_TEST(process.empty(had - expected) == std::min(had - expected, next));
        BOOST_TEST(process.told.lines->empty());
    }
}

BOOST_AUTO_TEST_CASE(a_look_at_the_counts_tells_whether_there_is_room_and_leaves_no_trace) {
    Process process(10);
    const auto shows = [&](std::int64_t more, std::int64_t present) {
        return HourlyBrake::shows_room(process.broker, sda, more, present, process.share);
    };
    BOOST_TEST(shows(99, 200));
    BOOST_TEST(!shows(100, 200));
    BOOST_TEST(shows(100, 2000));
    BOOST_TEST(!process.disk.stat(sda + "/tmp")); // nothing was made
    for (int i = 0; i < 60; ++i) {
        BOOST_REQUIRE(process.leave(200 - i));
    }
    const std::string kept = process.kept();
    BOOST_TEST(shows(39, 140));
    BOOST_TEST(!shows(40, 140));
    process.clock.advance(Seconds(3601));
    BOOST_TEST(shows(99, 140));
    BOOST_TEST(!shows(100, 140));
    BOOST_TEST(process.kept() == kept);
    process.disk.remove(Process::hour);
    BOOST_REQUIRE(process.disk.make_link("none of ours", Process::hour));
    BOOST_TEST(!shows(0, 140));
    process.disk.remove(Process::hour);
    process.disk.write(Process::hour, "no link");
    BOOST_TEST(!shows(0, 140));
}

BOOST_AUTO_TEST_CASE(of_databases_that_are_seen_later_in_the_hour_a_share_may_leave_too) {
    Process process;
    BOOST_TEST(process.empty(400) == 200);
    BOOST_TEST(process.leave(201)); // one more has come
    BOOST_TEST(!process.leave(201));
    BOOST_TEST(!process.leave(1)); // another pass has only begun
    BOOST_TEST(process.leave(400));
}

BOOST_AUTO_TEST_CASE(what_stays_after_all_does_not_count) {
    Process process;
    process.stays(); // nothing has left
    for (int i = 0; i < 500; ++i) {
        BOOST_TEST(process.leave(300));
        process.stays();
    }
    BOOST_TEST(process.empty(300) == 150);
    process.stays();
    BOOST_TEST(process.leave(151));
    BOOST_TEST(!process.leave(150));
}

BOOST_AUTO_TEST_CASE(twenty_databases_of_a_device_go_to_quarantine_in_an_hour) {
    Process process;
    for (int i = 0; i < 60; ++i) { // it turns out well and takes no turn
        BOOST_TEST(process.quarantine());
        process.refund_quarantine();
    }
    BOOST_TEST(process.quarantine_all() == 20);
    process.refund_quarantine();
    BOOST_TEST(process.quarantine());
    BOOST_TEST(!process.quarantine());
    BOOST_TEST(process.leave(1)); // that is another count
    process.clock.advance(Seconds(3600));
    process.refund_quarantine(); // of the hour before: makes no room
    BOOST_TEST(process.quarantine_all() == 20);
}

BOOST_AUTO_TEST_CASE(each_device_and_each_kind_of_database_has_counts_of_its_own) {
    Process process;
    process.disk.mount("/srv/node/sdb");
    BOOST_TEST(process.empty(100) == 100);
    BOOST_TEST(!process.leave(1));
    BOOST_TEST(process.leave(1, "/srv/node/sdb"));
    BasicAccountBroker<SimDisk, SimClock> accounts(process.disk, process.clock);
    BOOST_TEST(process.brake->may_leave(accounts, process.told, sda, 1, 50));
}

BOOST_AUTO_TEST_CASE(the_counts_are_a_text_that_an_operator_can_read) {
    Process process;
    BOOST_TEST(process.empty(3) == 3);
    BOOST_TEST(process.quarantine());
    BOOST_TEST(process.kept() == "began=1700000000.00000 databases=3 left=3 quarantined=1");
    BOOST_TEST(process.disk.list(Process::place).size() == 2U); // it and .lock
}

// ---- Several processes.

BOOST_AUTO_TEST_CASE(processes_share_an_hour_and_a_new_one_goes_on_with_it) {
    Process service;
    Process once = service.another();
    std::int64_t left = 0;
    while (service.leave(1000 - left) && ++left > 0 && once.leave(1000 - left)) {
        ++left;
    }
    BOOST_TEST(left == 500);
    for (int i = 0; i < 10; ++i) {
        BOOST_TEST(service.quarantine());
        BOOST_TEST(once.quarantine());
    }
    BOOST_TEST(!service.quarantine());
    service.disk.crash();
    for (int restarts = 0; restarts < 5; ++restarts) {
        service.clock.advance(Seconds(600));
        Process next = service.another();
        BOOST_TEST(!next.leave(500));
        BOOST_TEST(!next.quarantine());
    }
    service.clock.advance(Seconds(600));
    BOOST_TEST(once.empty(500) == 250); // who sees first that it is over begins the next
    BOOST_TEST(service.empty(250) == 0);
    BOOST_TEST(service.another().empty(250) == 0);
}

BOOST_AUTO_TEST_CASE(real_processes_that_count_at_the_same_time_lose_no_count) {
    std::string root = (std::filesystem::temp_directory_path() / "brakes.XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(root.data()) != nullptr);
    const auto count = [&] {
        HourlyBrake brake;
        ContainerBroker broker;
        Told told;
        int left = 0;
        while (brake.may_leave(broker, told, root, 1, 50)) {
            ++left;
        }
        return told.lines->empty() ? left : 255;
    };
    std::array<::pid_t, 4> children{};
    for (::pid_t& child : children) {
        child = ::fork();
        if (child == 0) {
            ::_exit(count());
        }
    }
    int left = 0;
    for (const ::pid_t child : children) {
        int status = 0;
        BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
        BOOST_REQUIRE(WIFEXITED(status));
        left += WEXITSTATUS(status);
    }
    BOOST_TEST(left == HourlyBrake::free_leaves);
    std::filesystem::remove_all(root);
}

// ---- A clock that is set.

BOOST_AUTO_TEST_CASE(a_clock_that_is_set_forward_gives_no_new_hour) {
    Process process;
    Process beside = process.another();
    BOOST_TEST(process.empty(400) == 200);
    BOOST_TEST(!beside.leave(200));
    for (int i = 0; i < 10; ++i) {
        process.clock.jump(Seconds(86400));
        BOOST_TEST(!process.leave(200));
        BOOST_TEST(!beside.leave(200));
        process.clock.jump(Seconds(-86400));
        BOOST_TEST(!process.leave(200));
        BOOST_TEST(!beside.leave(200));
    }
    process.clock.jump(Seconds(86400));
    process.clock.advance(Seconds(3600));
    BOOST_TEST(process.leave(200));
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_set_back_gives_no_endless_hour) {
    for (const bool restarted : {false, true}) {
        Process process;
        BOOST_TEST(process.empty(400) == 200);
        process.clock.jump(Seconds(-365 * 86400));
        Process next = restarted ? process.another() : process;
        BOOST_TEST(!next.leave(200));
        for (int restarts = 0; restarts < 7 && restarted; ++restarts) { // nor if that goes on
            next.clock.advance(Seconds(500));
            next = next.another();
            BOOST_TEST(!next.leave(200));
        }
        next.clock.advance(restarted ? Seconds(100) : Seconds(3600));
        next = restarted ? next.another() : next;
        BOOST_TEST(next.leave(200));
    }
}

// ---- What goes wrong.

BOOST_AUTO_TEST_CASE(a_device_that_cannot_be_counted_on_brakes_by_what_is_known_and_says_so_once) {
    struct Case {
        SimCall call;
        Error error;
    };
    for (const auto& [call, error] :
         {Case{SimCall::read_link, Error::io}, Case{SimCall::make_link, Error::no_space},
          Case{SimCall::rename, Error::io}, Case{SimCall::sync, Error::io},
          Case{SimCall::try_lock, Error::io}, Case{SimCall::any, Error::io}}) {
        Process process;
        BOOST_TEST(process.empty(240) == 120);
        BOOST_TEST(process.quarantine());
        process.disk.fail_next(call, Process::place, error, 0);
        BOOST_TEST(!process.leave(120));
        BOOST_TEST(process.quarantine_all() == 19);
        BOOST_TEST(process.told.lines->size() == 1U);
        BOOST_TEST(process.told.lines->at(0).starts_with(Process::place + ": counted in memory: "));
        process.clock.advance(Seconds(3600)); // hours come and go in memory as well
        BOOST_TEST(process.empty(120) == 100);
        BOOST_TEST(process.quarantine_all() == 20);
        process.disk.clear_faults();
        process.stays();
        BOOST_TEST(process.leave(20));
        BOOST_TEST(!process.leave(20)); // what was counted in memory is not forgotten
        BOOST_TEST(!process.quarantine());
        BOOST_TEST(!process.another().leave(20));
        BOOST_TEST(!process.another().quarantine());
        BOOST_TEST(process.told.lines->size() == 1U);
        process.disk.fail_next(SimCall::any, Process::place, Error::io, 0);
        BOOST_TEST(!process.leave(20));
        BOOST_TEST(process.told.lines->size() == 2U); // it is news again
    }
}

BOOST_AUTO_TEST_CASE(a_new_process_that_cannot_count_on_a_device_brakes_all_the_same) {
    Process process;
    process.disk.fail_next(SimCall::any, Process::place, Error::io, 0);
    BOOST_TEST(process.empty(240) == 120);
    BOOST_TEST(process.quarantine_all() == 20);
    process.clock.advance(Seconds(3600));
    BOOST_TEST(process.empty(120) == 100);
    BOOST_TEST(process.told.lines->size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_lock_that_does_not_come_free_is_waited_for_once_in_a_while_and_no_longer) {
    Process process;
    const auto lock = process.disk.try_lock(Process::place);
    const Instant began = process.clock.monotonic();
    BOOST_TEST(process.quarantine());
    BOOST_TEST((process.clock.monotonic() < began + std::chrono::seconds(6)));
    BOOST_TEST(process.told.lines->size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_none_of_ours_brakes_a_new_process_for_an_hour_and_no_longer) {
    const std::string good = "began=1700000000.00000 databases=3 left=3 quarantined=1";
    for (const std::string& garbage :
         {std::string("x"), std::string("began="), good + "0000000000000000000", good + " more=1",
          "began=now" + good.substr(22), good.substr(0, good.size() - 1), good.substr(0, 30),
          " " + good, good.substr(0, 34) + "-" + good.substr(34), std::string("\xff\xfe")}) {
        Process process;
        process.disk.make_directories(Process::place);
        BOOST_REQUIRE(process.disk.make_link(garbage, Process::hour));
        BOOST_TEST(!process.leave(10), garbage);
        BOOST_TEST(!process.quarantine());
        BOOST_TEST(process.told.lines->size() == 1U); // it is put right
        BOOST_TEST(process.told.lines->at(0) ==
                   Process::place + ": holds no counts of ours; nothing leaves for an hour");
        process.clock.advance(Seconds(3599));
        BOOST_TEST(!process.another().leave(10));
        process.clock.advance(Seconds(1));
        BOOST_TEST(process.another().empty(300) == 150);
        BOOST_TEST(process.quarantine_all() == 20);
    }
}

BOOST_AUTO_TEST_CASE(a_plain_file_in_the_place_of_the_counts_is_none_of_ours_either) {
    Process process;
    process.disk.write(Process::hour, "x");
    BOOST_TEST(!process.leave(10));
    process.clock.advance(Seconds(3600));
    BOOST_TEST(process.leave(10));
    BOOST_TEST(process.told.lines->size() == 1U);
}

BOOST_AUTO_TEST_CASE(who_has_counted_is_not_misled_by_what_is_none_of_ours) {
    Process process;
    BOOST_TEST(process.empty(240) == 120);
    (void)process.disk.remove(Process::hour);
    BOOST_TEST(!process.leave(120)); // somebody has cleared tmp
    (void)process.disk.remove(Process::hour);
    BOOST_REQUIRE(process.disk.make_link("x", Process::hour));
    BOOST_TEST(!process.leave(120));
    BOOST_TEST(!process.another().leave(120)); // and others are told
    BOOST_TEST(process.leave(1000));
    BOOST_TEST(process.told.lines->size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_a_killed_process_left_is_in_nobodys_way) {
    Process process;
    process.disk.make_directories(Process::place);
    BOOST_REQUIRE(process.disk.make_link("half", Process::place + "/next"));
    BOOST_TEST(process.leave(10));
    BOOST_TEST(process.told.lines->empty());
    BOOST_TEST(process.kept().starts_with("began="));
}

BOOST_AUTO_TEST_CASE(no_sweep_of_tmp_takes_the_counts) {
    Process process;
    BOOST_TEST(process.empty(240) == 120);
    process.clock.advance(Seconds(10));
    storage::sweep(process.disk, sda + "/tmp", process.clock.now(), Seconds(0), [] {});
    BOOST_TEST(process.disk.read_link(Process::hour).has_value());
}
