#include <replica/daemon/reload.hpp>

#define BOOST_TEST_MODULE daemon_reload
#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::daemon;

using Lines = std::vector<std::string>;

BOOST_AUTO_TEST_CASE(most_options_may_change_and_are_not_told) {
    const DaemonSettings now;
    DaemonSettings changed;
    changed.interval = Seconds{5};
    changed.log_level = "DEBUG";
    changed.concurrency = 2;
    BOOST_TEST(keep_options_of_the_start(changed, now).empty());
    BOOST_TEST(changed.interval.count() == 5.0);
    BOOST_TEST(changed.log_level == "DEBUG");
}

BOOST_AUTO_TEST_CASE(what_needs_a_restart_keeps_its_value_and_is_named) {
    DaemonSettings now;
    now.bind_port = 6201;
    DaemonSettings changed = now;
    changed.user = "nobody";
    changed.replica_port = 16201;
    changed.mount_check = false;
    changed.bind_port = 6301;
    changed.per_diff = 7;
    BOOST_TEST(keep_options_of_the_start(changed, now) ==
                   (Lines{"mount_check = no needs a restart; until then it is yes",
                          "bind_port = 6301 needs a restart; until then it is 6201",
                          "user = nobody needs a restart; until then it is swift",
                          "replica_port = 16201 needs a restart; until then it is off"}),
               boost::test_tools::per_element());
    BOOST_TEST(changed.user == "swift");
    BOOST_TEST(changed.replica_port == 0);
    BOOST_TEST(changed.mount_check);
    BOOST_TEST(changed.bind_port == 6201);
    BOOST_TEST(changed.per_diff == 7);
    BOOST_TEST(keep_options_of_the_start(changed, now).empty());
}

BOOST_AUTO_TEST_CASE(a_successor_is_announced_and_fetched_once) {
    Successor<int> successor;
    BOOST_TEST(!successor.fetch());
    const auto offered = successor.offered();
    BOOST_TEST(!offered.stop_requested());
    successor.offer(std::make_unique<int>(1));
    BOOST_TEST(offered.stop_requested());
    BOOST_TEST(successor.offered().stop_requested()); // for who asks late
    successor.offer(std::make_unique<int>(2));        // nobody wants the first any more
    const auto fetched = successor.fetch();
    BOOST_REQUIRE(fetched);
    BOOST_TEST(*fetched == 2);
    BOOST_TEST(!successor.fetch());
    BOOST_TEST(!successor.offered().stop_requested());
}
