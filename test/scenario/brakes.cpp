// What a pass does when every one of its databases seems to be in the wrong place.

#define BOOST_TEST_MODULE scenario_brakes
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Nodes = Cluster<ContainerServer>;
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

std::ptrdiff_t count_on(Nodes& nodes, std::size_t at, const std::vector<Name>& names) {
    return std::ranges::count_if(names, [&](const Name& name) { return nodes.has(at, name); });
}

} // namespace

BOOST_AUTO_TEST_CASE(of_a_device_full_of_handoffs_half_leaves_in_a_pass) {
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
    nodes.node(0).replicator->run_once();
    BOOST_TEST(count_on(nodes, 0, names) == 20); // the first 100 are free
    nodes.node(0).replicator->run_once();
    BOOST_TEST(count_on(nodes, 0, names) == 0);
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
