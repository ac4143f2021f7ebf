// What passes do when every one of its databases seems to be in the wrong place.

#define BOOST_TEST_MODULE scenario_brakes
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Nodes = Cluster<ContainerKind>;
using Name = Nodes::Name;

/// Databases on the first of four nodes. With `leaving` they are handoffs there; else it is one of
/// their three primaries.
std::vector<Name> fill(Nodes& nodes, std::size_t count, bool leaving) {
    std::vector<Name> names;
    for (int i = 0; names.size() < count; ++i) {
        const Name name = nodes.name("a" + std::to_string(i));
        const auto primaries = nodes.primaries(name);
        if (std::ranges::count(primaries, 0U) == (leaving ? 0 : 1)) {
            nodes.create(0, name);
            names.push_back(name);
        }
    }
    return names;
}

/// What one pass of the first node has removed.
std::int64_t removed(Nodes& nodes) {
    return nodes.node(0).replicator->run_once().remove;
}

std::size_t quarantined(Nodes& nodes) {
    const std::string shelf = nodes.device_path() + "/quarantined/containers";
    return nodes.exists(0, shelf) ? nodes.node(0).disk.list(shelf).size() : 0U;
}

std::ptrdiff_t count_on(Nodes& nodes, std::size_t at, const std::vector<Name>& names) {
    return std::ranges::count_if(names, [&](const Name& name) { return nodes.has(at, name); });
}

} // namespace

BOOST_AUTO_TEST_CASE(of_a_device_full_of_handoffs_half_leaves_in_an_hour) {
    Nodes nodes(4, 3);
    const auto names = fill(nodes, 240, true);
    const auto stats = nodes.node(0).replicator->run_once();
    BOOST_TEST(stats.remove == 120);
    BOOST_TEST(stats.kept == 120);
    BOOST_TEST(count_on(nodes, 0, names) == 120);
    BOOST_TEST(nodes.node(0).journal.count("too many of its databases would leave") == 1);
    for (const Name& name : names) { // and what stays was not sent out either
        BOOST_TEST(nodes.has(nodes.primaries(name)[0], name) != nodes.has(0, name));
    }
    for (int pass = 2; pass <= 5; ++pass) { // however many passes there are in it
        nodes.clock().advance(Seconds(600));
        BOOST_TEST(removed(nodes) == 0);
        BOOST_TEST(nodes.node(0).journal.count("too many of its databases would leave") == pass);
    }
    nodes.clock().advance(Seconds(1200));
    BOOST_TEST(removed(nodes) == 100); // half of what is left would be 60, and 100 are free
    nodes.clock().advance(Seconds(3600));
    BOOST_TEST(removed(nodes) == 20);
    BOOST_TEST(count_on(nodes, 0, names) == 0);
}

BOOST_AUTO_TEST_CASE(a_daemon_that_is_started_again_goes_on_with_the_hour_of_the_one_before) {
    Nodes nodes(4, 3);
    (void)fill(nodes, 240, true);
    BOOST_TEST(removed(nodes) == 120);
    nodes.node(0).disk.crash(); // and the machine with it
    nodes.restart(0);
    BOOST_TEST(removed(nodes) == 0);
    nodes.clock().advance(Seconds(3600));
    nodes.restart(0);
    BOOST_TEST(removed(nodes) == 100);
}

BOOST_AUTO_TEST_CASE(a_single_pass_beside_the_service_has_no_hour_of_its_own) {
    Nodes nodes(4, 3);
    (void)fill(nodes, 240, true);
    const auto service = std::move(nodes.node(0).replicator);
    nodes.restart(0); // its replicator is the single pass's
    BOOST_TEST(service->run_once().remove == 120);
    BOOST_TEST(removed(nodes) == 0);
    nodes.clock().advance(Seconds(3600));
    BOOST_TEST(removed(nodes) == 100);
    BOOST_TEST(service->run_once().remove == 0);
}

BOOST_AUTO_TEST_CASE(handoffs_that_cannot_leave_use_up_nothing) {
    Nodes nodes(4, 3);
    const auto names = fill(nodes, 240, true);
    nodes.down(1); // a primary of all of them
    for (int pass = 1; pass <= 5; ++pass) {
        BOOST_TEST(removed(nodes) == 0);
    }
    BOOST_TEST(std::ranges::count_if(names, [&](const Name& name) { return nodes.has(2, name); }) >=
               120); // they are sent all the same
    nodes.up(1);
    nodes.clock().advance(Seconds(120)); // it was left alone for a while
    BOOST_TEST(removed(nodes) == 120);
}

BOOST_AUTO_TEST_CASE(passes_and_requests_send_to_quarantine_from_one_budget_an_hour) {
    Nodes nodes(3, 3);
    for (int i = 0; i < 50; ++i) {
        const Name name = nodes.name("a" + std::to_string(i));
        nodes.create(0, name);
        if (i < 15) {
            nodes.create(1, name); // whose next pass asks the first node for it
        }
        nodes.damage(0, name, Error::corrupt);
    }
    nodes.node(1).replicator->run_once();
    BOOST_TEST(quarantined(nodes) == 15U);
    nodes.node(0).replicator->run_once();
    BOOST_TEST(quarantined(nodes) == 20U);
    nodes.restart(0);
    nodes.node(0).replicator->run_once();
    nodes.node(1).replicator->run_once();
    BOOST_TEST(quarantined(nodes) == 20U);
    nodes.clock().advance(Seconds(3600));
    nodes.node(0).replicator->run_once();
    BOOST_TEST(quarantined(nodes) == 40U);
}

BOOST_AUTO_TEST_CASE(an_operator_who_means_it_may_empty_a_device_at_once) {
    Nodes nodes(4, 3);
    const auto names = fill(nodes, 240, true);
    Settings settings = nodes.node(0).settings;
    settings.leave_share = 100;
    nodes.restart(0, settings);
    BOOST_TEST(nodes.node(0).replicator->run_once().remove == 240);
    BOOST_TEST(count_on(nodes, 0, names) == 0);
}

BOOST_AUTO_TEST_CASE(databases_that_belong_are_replicated_whatever_the_brakes_say) {
    Nodes nodes(4, 3);
    const auto leaving = fill(nodes, 240, true);
    const auto staying = fill(nodes, 20, false);
    nodes.node(0).replicator->run_once();
    for (const Name& name : staying) {
        for (const std::size_t at : nodes.primaries(name)) {
            BOOST_TEST(nodes.has(at, name));
        }
    }
    BOOST_TEST(count_on(nodes, 0, leaving) > 100);
}

BOOST_AUTO_TEST_CASE(a_wrong_hash_suffix_ends_the_pass_of_the_device_and_moves_nothing) {
    Nodes nodes(4, 3);
    const auto names = fill(nodes, 30, true);
    Settings settings = nodes.node(0).settings;
    settings.hash_path_suffix = "mistyped";
    nodes.restart(0, settings);
    const auto stats = nodes.node(0).replicator->run_once();
    BOOST_TEST(stats.attempted == 2);
    BOOST_TEST(stats.failure == 2);
    BOOST_TEST(stats.remove == 0);
    BOOST_TEST(count_on(nodes, 0, names) == 30);
    BOOST_TEST(nodes.network().log().empty());
    BOOST_TEST(nodes.node(0).journal.count("the pass leaves it") == 1);
}

BOOST_AUTO_TEST_CASE(a_stray_file_keeps_everything_on_its_device_but_holds_up_nobody) {
    Nodes nodes(4, 3);
    const auto names = fill(nodes, 20, true);
    Name stray = nodes.name("stray");
    stray.hash = std::string(32, 'a');
    nodes.create(0, stray);
    const auto stats = nodes.node(0).replicator->run_once();
    BOOST_TEST(stats.attempted == 21);
    BOOST_TEST(stats.failure == 1);
    for (const Name& name : names) {
        BOOST_TEST(nodes.has(nodes.primaries(name)[0], name));
    }
    BOOST_TEST(nodes.has(0, stray));
    // Those that came before the stray file had gone by then.
    BOOST_TEST(stats.remove + stats.kept == 20);
}
