// The stories on simulated nodes: in one thread, in virtual time, the same every time.

#define BOOST_TEST_MODULE scenario_ways

#include "../support/cluster.hpp"

namespace {
template <class Kind>
using Stage = replica::test::Cluster<Kind>;
} // namespace

#include "losses.hpp"

#include <algorithm>
#include <set>
#include <string>

// ---- Clocks, which real nodes of one machine share.

BOOST_AUTO_TEST_CASE_TEMPLATE(a_clock_that_jumps_by_thirty_days_forgets_nothing, Kind, Kinds) {
    for (const bool while_it_runs : {true, false}) { // or before it started
        for (const double days : {30.0, -30.0}) {
            Stage<Kind> cluster(3, 3);
            const auto name = cluster.name("AUTH_clock");
            cluster.create(0, name);
            cluster.put(0, name, "deleted");
            cluster.put(0, name, "live");
            BOOST_REQUIRE(cluster.settle() > 0);
            cluster.erase(0, name, "deleted");
            BOOST_REQUIRE(cluster.settle() > 0);
            const auto points = cluster.open(0, name).sync_points(Direction::incoming);
            BOOST_REQUIRE(points.size() == 2U);
            cluster.node(0).clock.jump(Seconds(days * 86400));
            if (!while_it_runs) {
                cluster.restart(0);
            }
            for (int i = 0; i < 3; ++i) {
                const Stats stats = cluster.pass(0);
                BOOST_TEST(stats.errors > 0); // told in each pass
                BOOST_TEST(stats.stale == 0);
            }
            BOOST_TEST(cluster.rows(0, name).size() == 2U);
            BOOST_TEST((cluster.open(0, name).sync_points(Direction::incoming) == points));
            const auto& journal = cluster.node(0).journal;
            BOOST_TEST(journal.mentions("clock differs"));
            BOOST_TEST(journal.mentions("clock jumped") == while_it_runs);

            cluster.node(0).clock.jump(Seconds(-days * 86400)); // mended
            BOOST_REQUIRE(cluster.settle() > 0);
            cluster.require_identical(name);
            cluster.clock().advance(Seconds(8 * 86400));
            cluster.round();
            cluster.round();
            BOOST_TEST(cluster.rows(0, name).size() == 1U); // in its time
        }
    }
}

BOOST_AUTO_TEST_CASE(a_deleted_container_does_not_expire_by_a_clock_that_jumped) {
    Stage<ContainerKind> cluster(3, 3);
    const auto name = cluster.name("AUTH_clock");
    cluster.create(0, name);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.clock().advance(Seconds(1));
    cluster.open(0, name).merge_timestamps(
        {"9999999999.00000", "0", cluster.clock().now().normal()});
    BOOST_REQUIRE(cluster.settle() > 0);
    for (const std::size_t at : {0U, 1U, 2U}) {
        cluster.reported(at, name);
    }
    cluster.node(0).clock.jump(Seconds(30 * 86400));
    BOOST_TEST(cluster.pass(0).remove == 0);
    cluster.restart(0);
    BOOST_TEST(cluster.pass(0).remove == 0);
    BOOST_TEST(cluster.has(0, name));
}

// ---- What only simulated nodes can be: stock receivers, of which our senders see just this.

namespace {

/// The node refuses everything as a stock server does, and its recon has this about its device.
void refuse(replica::test::Cluster<ContainerKind>& cluster, std::size_t at,
            const std::string& mounted) {
    const std::string to = SimNetwork::address(cluster.node(at).ip, cluster.port);
    cluster.network().answer(
        {{}, to, "/recon/diskusage"},
        {200, "application/json", R"([{"device": "sda", "mounted": )" + mounted + "}]", {}}, 0);
    cluster.network().answer({{}, to, {}}, {507, "text/html", "Insufficient Storage", {}}, 0);
}

} // namespace

BOOST_AUTO_TEST_CASE(a_full_stock_primary_is_not_stood_in_for) {
    Stage<ContainerKind> cluster(5, 3);
    const auto name = cluster.name("AUTH_full");
    const auto places = cluster.primaries(name);
    cluster.create(places[0], name);
    cluster.put(places[0], name, "row");
    refuse(cluster, places[1], "true");
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(cluster.pass(places[0]).failure == 1);
    }
    BOOST_TEST(cluster.has(places[2], name));
    for (const std::size_t at : cluster.others(name)) {
        BOOST_TEST(!cluster.has(at, name));
    }
    cluster.network().heal();
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE(without_a_seed_names_of_uploads_do_not_repeat_after_a_restart) {
    Stage<ContainerKind> cluster(2, 2);
    const auto name = cluster.name("AUTH_seed");
    cluster.create(0, name);
    cluster.create(1, name);
    cluster.put_many(0, name, "row", 50);
    Settings settings = cluster.node(0).settings;
    settings.per_diff = 5;
    settings.seed = 0;
    const std::string to = SimNetwork::address(cluster.node(1).ip, cluster.port);
    cluster.network().answer({{}, to, "rsync_then_merge"}, {500, "text/plain", "", {}}, 0);
    std::set<std::string> uploads;
    cluster.network().after([&](const SimExchange& exchange, const Request& request) {
        if (exchange.verb == "rsync_then_merge") {
            uploads.insert(request.body);
        }
    });
    for (int start = 0; start < 3; ++start) {
        cluster.restart(0, settings);
        BOOST_TEST(cluster.pass(0).failure == 1);
    }
    BOOST_TEST(uploads.size() == 3U);
}

BOOST_AUTO_TEST_CASE(an_unmounted_stock_primary_is_stood_in_for_and_asked_once_in_a_pass) {
    Stage<ContainerKind> cluster(5, 3);
    const auto name = cluster.name("AUTH_507");
    const auto places = cluster.primaries(name);
    const auto second = cluster.name("AUTH_507", "second");
    for (const auto& each : {name, second}) {
        cluster.create(places[0], each);
        cluster.put(places[0], each, "row");
    }
    refuse(cluster, places[1], "false");
    BOOST_TEST(cluster.pass(places[0]).failure > 0);
    BOOST_TEST(cluster.has(cluster.others(name)[0], name));
    const auto log = cluster.network().log();
    const auto asked = [&](const SimExchange& exchange) {
        return exchange.verb == "/recon/diskusage";
    };
    BOOST_TEST(std::ranges::count_if(log, asked) == 1);
    cluster.network().heal();
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

// ---- A hash that is not that of the rows.

BOOST_AUTO_TEST_CASE(a_wrong_hash_keeps_no_primary_empty) {
    Stage<ContainerKind> cluster(3, 3);
    const auto name = cluster.name("AUTH_wrong");
    const auto places = cluster.primaries(name);
    cluster.create(places[0], name);
    cluster.put_many(places[0], name, "row", 50);
    cluster.damage(places[0], name, Error{});
    BOOST_TEST(cluster.pass(places[0]).failure == 2); // the files are there, the word is not given
    for (const std::size_t at : {places[1], places[2]}) {
        BOOST_REQUIRE(cluster.has(at, name));
        BOOST_TEST(cluster.stored(at, name).size() == 50U);
        cluster.check(at, name);
    }
    (void)cluster.pass(places[0]); // the rows
    const auto info = cluster.info(places[0], name);
    for (const std::size_t at : {places[1], places[2]}) {
        BOOST_TEST(cluster.open(at, name).sync_point(info.id, Direction::incoming) == info.max_row);
    }
    for (int rounds = 0; rounds < 8; ++rounds) { // as long as a difference of hashes is watched
        cluster.round();
    }
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE(a_handoff_with_a_wrong_hash_goes_only_after_its_rows) {
    Stage<ContainerKind> cluster(4, 3);
    const auto name = cluster.name("AUTH_handoff");
    const std::size_t handoff = cluster.others(name)[0];
    cluster.create(handoff, name);
    cluster.put_many(handoff, name, "row", 50);
    cluster.damage(handoff, name, Error{});
    (void)cluster.pass(handoff);
    BOOST_TEST(cluster.has(handoff, name));
    for (int passes = 0; cluster.has(handoff, name) && passes < 5; ++passes) {
        (void)cluster.pass(handoff);
    }
    BOOST_TEST(!cluster.has(handoff, name));
    for (const std::size_t at : cluster.primaries(name)) {
        BOOST_TEST(cluster.stored(at, name).size() == 50U);
        cluster.check(at, name);
    }
}
