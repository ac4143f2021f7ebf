#include <replica/daemon/status.hpp>

#define BOOST_TEST_MODULE daemon_status
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

using namespace replica;
using namespace replica::daemon;
using namespace std::chrono_literals;

namespace {

constexpr Instant start = Instant{} + 1h;

struct Counting {
    std::shared_ptr<int> heard;
    void operator()(const auto& /*event*/) const { ++*heard; }
};

/// A service with passes every 30 s.
struct Service {
    ServiceStatus status;

    Service() { status.rests(start, Seconds{30}); }

    void walk(Instant now, const std::string& device, std::size_t done, std::int64_t databases) {
        status.walk(now, event::DeviceProgress{device, done, 64, databases});
    }
    void end(Instant now, std::int64_t failures = 0) {
        Stats stats;
        stats.failure = failures;
        status.end(now, &stats);
    }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(before_the_first_pass_it_rests, Service) {
    BOOST_TEST(status.text(start) == "Resting, before the first pass");
}

BOOST_FIXTURE_TEST_CASE(a_pass_says_how_far_it_has_come_and_how_long_it_will_take, Service) {
    status.begin(start, 3);
    BOOST_TEST(status.text(start) == "Pass over 3 devices: 0 databases");
    walk(start + 10s, "sda", 16, 100);
    BOOST_TEST(status.text(start + 10s) == "Pass over 3 devices: 100 databases, now sda (16 of 64 "
                                           "partitions), about 30 s left");
    walk(start + 20s, "sdb", 8, 50); // the slowest decides
    BOOST_TEST(status.text(start + 20s) == "Pass over 3 devices: 150 databases, now sdb (8 of 64 "
                                           "partitions), about 3 min left");
    walk(start + 21s, "sdc", 0, 1);
    BOOST_TEST(status.text(start + 21s) == "Pass over 3 devices: 151 databases, now sdc (0 of 64 "
                                           "partitions)");
}

BOOST_FIXTURE_TEST_CASE(the_next_pass_knows_about_how_many_databases_there_are, Service) {
    status.begin(start, 1);
    walk(start + 90s, "sda", 64, 400);
    end(start + 100s, 7);
    BOOST_TEST(status.text(start + 100s) ==
               "Resting: the last pass took 100 s for 400 databases, 7 failures");
    status.begin(start + 200s, 1);
    walk(start + 200s, "sda", 1, 5);
    BOOST_TEST(status.text(start + 200s)
                   .starts_with("Pass over 1 devices: 5 of about 400 databases, now sda"));
    walk(start + 201s, "sda", 64, 500);
    BOOST_TEST(
        status.text(start + 201s).starts_with("Pass over 1 devices: 500 of about 500 databases"));
}

BOOST_FIXTURE_TEST_CASE(a_pass_that_could_not_be_done_is_said, Service) {
    status.begin(start, 1);
    status.end(start + 1s, nullptr);
    BOOST_TEST(status.text(start) == "Resting: the last pass could not be done, see the log");
}

BOOST_FIXTURE_TEST_CASE(a_new_configuration_that_waits_is_said, Service) {
    status.begin(start, 1);
    status.waits(true);
    BOOST_TEST(status.text(start) == "Pass over 1 devices: 0 databases; a new configuration counts "
                                     "from the next pass on");
    status.waits(false);
    BOOST_TEST(status.text(start) == "Pass over 1 devices: 0 databases");
}

BOOST_FIXTURE_TEST_CASE(at_rest_it_is_alive_until_the_next_pass_is_overdue, Service) {
    BOOST_TEST(status.is_alive(start + 30s, Seconds{5}));
    BOOST_TEST(status.is_alive(start + 35s, Seconds{5}));
    BOOST_TEST(!status.is_alive(start + 36s, Seconds{5}));
    status.begin(start + 36s, 1);
    BOOST_TEST(status.is_alive(start + 36s, Seconds{5}));
    end(start + 37s);
    BOOST_TEST(status.is_alive(start + 72s, Seconds{5}));
    BOOST_TEST(!status.is_alive(start + 73s, Seconds{5}));
}

BOOST_FIXTURE_TEST_CASE(a_pass_is_alive_while_its_workers_are_looked_after, Service) {
    status.begin(start, 1);
    BOOST_TEST(!status.is_alive(start + 6s, Seconds{5}));
    status.move(start + 6s);
    BOOST_TEST(status.is_alive(start + 11s, Seconds{5}));
    BOOST_TEST(!status.is_alive(start + 12s, Seconds{5}));
    walk(start + 12s, "sda", 1, 1);
    BOOST_TEST(status.is_alive(start + 17s, Seconds{5}));
}

BOOST_FIXTURE_TEST_CASE(pushes_that_go_on_do_not_hide_a_pass_that_hangs, Service) {
    status.begin(start, 1);
    std::thread([&] { status.move(start + 6s); }).join();
    BOOST_TEST(!status.is_alive(start + 6s, Seconds{5}));
}

BOOST_FIXTURE_TEST_CASE(a_worker_that_comes_late_does_not_shorten_the_rest, Service) {
    status.begin(start, 1);
    end(start + 1s);
    walk(start + 2s, "sda", 1, 1);
    BOOST_TEST(status.is_alive(start + 31s, Seconds{5}));
}

BOOST_AUTO_TEST_CASE(the_other_observer_hears_everything_and_the_status_what_it_is_about) {
    const auto heard = std::make_shared<int>(0);
    auto kept = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = kept;
    ServiceStatus status;
    {
        const StatusObserver observer(Counting{heard}, status, std::move(kept));
        static_assert(Observer<StatusObserver<Counting>>);
        observer(event::PassBegan{Timestamp{}, 2});
        const std::string device = "sda";
        observer(event::DeviceProgress{device, 1, 4, 9});
        BOOST_TEST(status.text(SystemClock().monotonic())
                       .starts_with("Pass over 2 devices: 9 databases, now sda (1 of 4"));
        observer(event::WorkersWatched{});
        const std::string path = "/srv/node/sda/x.db";
        observer(event::DatabaseBegan{path});
        BOOST_TEST(status.is_alive(SystemClock().monotonic(), Seconds{60}));
        observer(event::PassEnded{{}, {}, {}, {}, {}});
        BOOST_TEST(status.text({}).starts_with("Resting: the last pass took"));
        observer(event::PassFailed{device});
        BOOST_TEST(status.text({}).starts_with("Resting: the last pass could not be done"));
        BOOST_TEST(*heard == 6);
        BOOST_TEST(!watched.expired());
    }
    BOOST_TEST(watched.expired());
}
