#include <replica/daemon/ring_report.hpp>

#define BOOST_TEST_MODULE daemon_ring_report
#include <replica/ring/watched_ring.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <support/kept_lines.hpp>
#include <support/service_facts.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::daemon;

namespace {

const std::string path = "/etc/swift/container.ring.gz";

/// A ring whose file says whether it is good.
struct Version : support::OnAll {
    static constexpr std::size_t max_bytes = 100;

    static Version parse(std::string_view bytes, const std::string& file) {
        if (bytes != "good") {
            throw Failure(Error::bad_config, file + ": " + std::string(bytes));
        }
        return {};
    }
};

/// A service whose ring is good at first.
struct Service {
    SimClock clock;
    SimDisk disk{clock};
    std::shared_ptr<support::Kept> kept = std::make_shared<support::Kept>();
    Facts facts{"container", "/srv/node", clock.now()};
    WatchedRing<Version, SimClock, SimDisk> ring = open();

    [[nodiscard]] WatchedRing<Version, SimClock, SimDisk> open() {
        write("good");
        const auto logger = std::make_shared<spdlog::logger>("t", kept);
        logger->set_level(spdlog::level::trace);
        return WatchedRing<Version, SimClock, SimDisk>(path, clock, disk,
                                                       RingReport(Log(logger), facts, clock));
    }

    void write(const std::string& text) const {
        disk.write(path + ".new", text);
        disk.rename(path + ".new", path);
    }

    /// Looks at the file for so long.
    void watch(Seconds time) {
        for (const Instant end = clock.monotonic() + to_duration(time); clock.monotonic() < end;) {
            clock.advance(Seconds(15));
            (void)ring.version();
        }
    }

    [[nodiscard]] FactsNow now() const { return facts.now(clock.now()); }
};

using Lines = std::vector<std::string>;

const std::string stays = "error: The ring stays as it was: " + path + ": ";
const std::string again = "notice: The ring file is read again";

} // namespace

BOOST_FIXTURE_TEST_CASE(of_a_good_ring_nothing_is_said, Service) {
    watch(Seconds(60));
    write("good");
    watch(Seconds(60));
    BOOST_TEST(kept->lines.empty());
    BOOST_TEST(!now().ring_unreadable);
    BOOST_TEST(now().failures.empty());
}

BOOST_FIXTURE_TEST_CASE(a_broken_ring_is_a_failure_with_an_advice_until_it_is_good_again, Service) {
    write("cut short");
    watch(Seconds(60));
    BOOST_TEST(now().ring_unreadable);
    BOOST_REQUIRE(now().failures.size() == 1U);
    const NotedFailure told = now().failures.at(0);
    BOOST_TEST(told.word + ' ' + told.subject == "ring this node");
    BOOST_TEST(told.what == path + ": cut short");
    BOOST_TEST(told.count == 4U);
    BOOST_TEST((told.last == clock.now())); // it lasts
    BOOST_TEST(!advice_for("ring").empty());
    disk.remove(path);
    watch(Seconds(15));
    BOOST_TEST(now().failures.at(0).what.starts_with(path));
    BOOST_TEST((now().failures.at(0).first == told.first));
    write("good");
    watch(Seconds(15));
    BOOST_TEST(!now().ring_unreadable);
    BOOST_TEST(now().failures.empty());
}

BOOST_FIXTURE_TEST_CASE(the_log_has_it_at_once_and_then_once_an_hour, Service) {
    write("cut short");
    watch(Seconds(3585));
    BOOST_TEST(kept->lines == Lines{stays + "cut short"}, boost::test_tools::per_element());
    watch(Seconds(3600));
    BOOST_TEST(kept->lines.size() == 2U);
    write("no gzip");
    watch(Seconds(60));
    BOOST_TEST(kept->lines == (Lines{stays + "cut short", stays + "cut short", stays + "no gzip"}),
               boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(what_breaks_once_more_in_the_same_way_is_said_at_once, Service) {
    write("cut short");
    watch(Seconds(60));
    write("good");
    watch(Seconds(60));
    write("cut short");
    watch(Seconds(60));
    BOOST_TEST(kept->lines == (Lines{stays + "cut short", again, stays + "cut short"}),
               boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_broken_ring_stands_first_however_much_else_fails, Service) {
    write("cut short");
    watch(Seconds(15));
    for (int i = 0; i < 100; ++i) {
        const Device peer = support::device("10.0.0." + std::to_string(i), "sdb");
        facts.note(event::PeerNotMounted{path, peer}, clock.now().plus(Seconds(i)));
    }
    BOOST_REQUIRE(now().failures.size() == Failures::most);
    BOOST_TEST(now().failures.at(0).word == "ring");
    BOOST_TEST(now().failures.at(1).subject == "10.0.0.99:6201/sdb");
}
