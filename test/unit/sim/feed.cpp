#include <replica/sim/feed.hpp>

#define BOOST_TEST_MODULE sim_feed
#include <boost/test/unit_test.hpp>

#include <laws/feed.hpp>

#include <cstddef>
#include <string>

using namespace replica;
using namespace replica::test;

namespace {

const std::string sda = "/srv/node/sda";
const std::string sdb = "/srv/node/sdb";

struct Machine {
    Machine() {
        disk.mount(sda);
        disk.mount(sdb);
    }

    SimClock clock;
    SimDisk disk{clock};
    FeedHands hands{
        [this](const std::string& path, const std::string& bytes) { disk.write(path, bytes); },
        [this](const std::string& from, const std::string& to) { disk.rename(from, to); },
        [this](const std::string& path) { disk.make_directories(path); },
        [this](const std::string& path) { disk.remove(path); }};
    std::string hash = hash_number(7);
    std::string file = sda + "/containers/1/007/" + hash + '/' + hash + ".db";
};

} // namespace

BOOST_FIXTURE_TEST_CASE(the_simulated_feed_obeys_the_laws, Machine) {
    check_feed_laws([&] { return SimFeed(disk, clock); }, sda, sdb, hands);
}

BOOST_FIXTURE_TEST_CASE(more_changes_than_may_wait_are_unknown, Machine) {
    check_that_no_write_is_missed([&](std::size_t most) { return SimFeed(disk, clock, most); }, 64,
                                  sda, hands);
}

BOOST_FIXTURE_TEST_CASE(an_overflow_is_told_once_for_each_device, Machine) {
    const SimFeed feed(disk, clock);
    disk.write(file, "a row");
    feed.overflow();
    const Changes lost = feed.changes(sda);
    BOOST_TEST(lost.touched.empty());
    BOOST_TEST(lost.unknown == "the queue has overflowed");
    BOOST_TEST(feed.changes(sda).unknown.empty());
    BOOST_TEST(!feed.changes(sdb).unknown.empty());
    BOOST_TEST(feed.changes(sdb).unknown.empty());
}

BOOST_FIXTURE_TEST_CASE(a_wait_ends_with_the_first_look_after_a_write, Machine) {
    const SimFeed feed(disk, clock);
    const Instant start = clock.monotonic();
    clock.at(start + to_duration(Seconds(3)), [&] { disk.write(file, "a row"); });
    feed.wait(sda, Seconds(30), {});
    BOOST_TEST((clock.monotonic() == start + to_duration(Seconds(3))));
    (void)feed.changes(sda);
    feed.wait(sda, Seconds(30), {});
    BOOST_TEST((clock.monotonic() == start + to_duration(Seconds(33))));
}

BOOST_FIXTURE_TEST_CASE(a_feed_without_room_is_none, Machine) {
    const SimFeed feed(disk, clock, 0);
    BOOST_TEST(!feed.running());
    disk.write(file, "a row");
    BOOST_TEST((feed.changes(sda).touched.empty()));
}

BOOST_FIXTURE_TEST_CASE(a_power_cut_that_loses_a_write_is_a_change, Machine) {
    disk.write(file, "kept");
    disk.settle();
    disk.write(file, "lost");
    const SimFeed feed(disk, clock);
    disk.crash();
    BOOST_TEST(feed.changes(sda).touched.size() == 1U);
}
