#include <replica/settings.hpp>

#define BOOST_TEST_MODULE settings
#include <boost/test/unit_test.hpp>

#include <limits>
#include <type_traits>

using namespace replica;

// decide.hpp reasons with Limits at compile time.
static_assert(std::is_aggregate_v<Limits>);
static_assert(std::is_aggregate_v<Settings>);
static_assert(std::is_convertible_v<const Settings&, const Limits&>);
static_assert(Limits{}.per_diff == 1000 && Limits{}.max_diffs == 100);
static_assert(first_fault(Limits{}).empty());
static_assert(first_fault(Limits{.per_diff = 0}) == "per_diff");

BOOST_AUTO_TEST_CASE(the_defaults_are_those_of_swift) {
    const Settings settings;
    BOOST_TEST(settings.per_diff == 1000);
    BOOST_TEST(settings.max_diffs == 100);
    BOOST_TEST(settings.concurrency == 8);
    BOOST_TEST(settings.interval.count() == 30.0);
    BOOST_TEST(settings.databases_per_second == 50.0);
    BOOST_TEST(settings.node_timeout.count() == 10.0);
    BOOST_TEST(settings.conn_timeout.count() == 0.5);
    BOOST_TEST(settings.reclaim_age.count() == 7 * 86400.0);
    BOOST_TEST(!settings.rsync_compress);
    BOOST_TEST(settings.push_files);
    BOOST_TEST(settings.rsync_module.empty());
    BOOST_TEST(!settings.handoffs_only);
    BOOST_TEST(settings.handoff_delete == 0);
    BOOST_TEST(settings.devices == "/srv/node");
    BOOST_TEST(settings.mount_check);
    BOOST_TEST(settings.bind_ip == "0.0.0.0");
    BOOST_TEST((settings.fallocate_reserve == Reserve{1.0, true}));
    BOOST_TEST((settings.policies == std::vector{0}));
}

BOOST_AUTO_TEST_CASE(our_own_server_is_off_unless_asked_for) {
    BOOST_TEST(Settings{}.replica_port == 0);
}

BOOST_AUTO_TEST_CASE(a_batch_of_no_rows_is_a_fault) {
    for (const std::int64_t rows :
         {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
        BOOST_TEST(first_fault(Limits{.per_diff = rows}) == "per_diff");
        BOOST_TEST(first_fault(Limits{.max_diffs = rows}) == "max_diffs");
    }
}

BOOST_AUTO_TEST_CASE(no_workers_is_a_fault) {
    BOOST_TEST(first_fault(Limits{.concurrency = 0}) == "concurrency");
}

BOOST_AUTO_TEST_CASE(a_negative_handoff_delete_would_delete_at_once) {
    BOOST_TEST(first_fault(Limits{.handoff_delete = -1}) == "handoff_delete");
    BOOST_TEST(first_fault(Limits{.handoff_delete = 2}).empty());
}

BOOST_AUTO_TEST_CASE(a_timeout_that_is_no_time_is_a_fault) {
    BOOST_TEST(first_fault(Limits{.node_timeout = Seconds{0}}) == "node_timeout");
    const auto never = std::numeric_limits<double>::quiet_NaN();
    BOOST_TEST(first_fault(Limits{.node_timeout = Seconds{never}}) == "node_timeout");
    BOOST_TEST(first_fault(Limits{.reclaim_age = Seconds{never}}) == "reclaim_age");
    BOOST_TEST(first_fault(Limits{.reclaim_age = Seconds{-1}}) == "reclaim_age");
}

BOOST_AUTO_TEST_CASE(the_first_of_several_faults_is_named) {
    Settings settings;
    settings.concurrency = 0;
    settings.max_diffs = 0;
    BOOST_TEST(first_fault(settings) == "max_diffs");
}
