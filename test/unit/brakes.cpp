#include <replica/brakes.hpp>

#define BOOST_TEST_MODULE brakes
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>

using namespace replica;

namespace {

/// How many of `seen` databases may leave when all would.
int leaving(double share, int seen) {
    Brakes brakes(share);
    int left = 0;
    for (int i = 0; i < seen; ++i) {
        brakes.saw("sda");
        left += brakes.may_leave("sda") ? 1 : 0;
    }
    return left;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_small_device_may_be_emptied) {
    BOOST_TEST(leaving(50, 100) == 100);
    BOOST_TEST(leaving(0, 100) == 100);
}

BOOST_AUTO_TEST_CASE(of_a_large_device_a_share_may_leave) {
    BOOST_TEST(leaving(50, 1000) == 500);
    BOOST_TEST(leaving(20, 1000) == 200);
    BOOST_TEST(leaving(0, 1000) == 100);
    BOOST_TEST(leaving(100, 1000) == 1000);
}

BOOST_AUTO_TEST_CASE(what_leaves_is_held_against_what_was_seen) {
    Brakes brakes(10);
    for (int i = 0; i < 100; ++i) {
        BOOST_TEST(brakes.may_leave("sda"));
    }
    BOOST_TEST(!brakes.may_leave("sda"));
    for (int i = 0; i < 1010; ++i) {
        brakes.saw("sda");
    }
    BOOST_TEST(brakes.may_leave("sda"));
    BOOST_TEST(!brakes.may_leave("sda"));
    BOOST_TEST(brakes.may_leave("sdb")); // each device for itself
}

BOOST_AUTO_TEST_CASE(one_wrong_name_freezes_a_device_and_most_names_wrong_end_its_pass) {
    Brakes brakes(50);
    BOOST_TEST(!brakes.frozen("sda"));
    brakes.saw("sda");
    brakes.wrong_hash("sda");
    BOOST_TEST(brakes.frozen("sda"));
    BOOST_TEST(!brakes.frozen("sdb"));
    BOOST_TEST(!brakes.hopeless("sda")); // it may be a stray file
    brakes.saw("sda");
    brakes.wrong_hash("sda");
    BOOST_TEST(brakes.hopeless("sda"));
    BOOST_TEST(!brakes.hopeless("sdb"));
    brakes.saw("sda");
    brakes.saw("sda");
    BOOST_TEST(!brakes.hopeless("sda")); // two of four
}

BOOST_AUTO_TEST_CASE(twenty_databases_of_a_device_may_go_to_quarantine_in_a_pass) {
    Brakes brakes(50);
    for (int i = 0; i < 20; ++i) {
        BOOST_TEST(brakes.may_quarantine("sda"));
    }
    BOOST_TEST(!brakes.may_quarantine("sda"));
    BOOST_TEST(brakes.may_quarantine("sdb"));
}

BOOST_AUTO_TEST_CASE(a_database_that_turns_out_well_does_not_count) {
    Brakes brakes(50);
    HourlyBrake brake;
    const Instant began(std::chrono::hours(7));
    for (int i = 0; i < 3 * Brakes::quarantine_max; ++i) {
        BOOST_TEST(brakes.may_quarantine("sda"));
        BOOST_TEST(brake.may_quarantine("sda", began));
        brakes.spared("sda");
        brake.spared("sda");
    }
    for (int i = 0; i < Brakes::quarantine_max; ++i) {
        BOOST_TEST(brakes.may_quarantine("sda"));
        BOOST_TEST(brake.may_quarantine("sda", began));
    }
    for (int i = 0; i < 3; ++i) { // to refuse counts nothing that could be given back
        BOOST_TEST(!brakes.may_quarantine("sda"));
        BOOST_TEST(!brake.may_quarantine("sda", began));
    }
    brakes.spared("sda");
    brake.spared("sda");
    BOOST_TEST(brakes.may_quarantine("sda"));
    BOOST_TEST(brake.may_quarantine("sda", began));
    BOOST_TEST(!brakes.may_quarantine("sda"));
    BOOST_TEST(!brake.may_quarantine("sda", began));
}

BOOST_AUTO_TEST_CASE(what_is_spared_after_its_hour_makes_no_room_in_the_next) {
    HourlyBrake brake;
    const Instant began(std::chrono::hours(7));
    brake.spared("sda"); // never asked for
    BOOST_TEST(brake.may_quarantine("sda", began));
    brake.spared("sda");
    brake.spared("sda");
    for (int i = 0; i < Brakes::quarantine_max; ++i) {
        BOOST_TEST(brake.may_quarantine("sda", began));
    }
    BOOST_TEST(!brake.may_quarantine("sda", began));
}

BOOST_AUTO_TEST_CASE(a_device_is_announced_once) {
    Brakes brakes(50);
    BOOST_TEST(brakes.announce("sda"));
    BOOST_TEST(!brakes.announce("sda"));
    BOOST_TEST(brakes.announce("sdb"));
}

BOOST_AUTO_TEST_CASE(requests_send_so_many_to_quarantine_an_hour) {
    HourlyBrake brake;
    const Instant began(std::chrono::hours(7));
    for (int i = 0; i < Brakes::quarantine_max; ++i) {
        BOOST_TEST(brake.may_quarantine("sda", began + std::chrono::minutes(i)));
    }
    BOOST_TEST(!brake.may_quarantine("sda", began + std::chrono::minutes(59)));
    BOOST_TEST(brake.may_quarantine("sdb", began + std::chrono::minutes(59)));
    BOOST_TEST(brake.may_quarantine("sda", began + std::chrono::minutes(60)));
}
