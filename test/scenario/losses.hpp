#ifndef REPLICA_TEST_SCENARIO_LOSSES_HPP
#define REPLICA_TEST_SCENARIO_LOSSES_HPP

// Ways in which a row was lost, or came back to life, or a difference was never noticed. Each story
// failed once. Told and played as those of stories.hpp, which is included before.

#include "stories.hpp"

namespace {

// ---- What containers report to their account.

BOOST_AUTO_TEST_CASE(the_newest_report_of_a_container_stays_everywhere) {
    Stage<AccountKind> cluster(3, 3);
    const auto name = cluster.name("AUTH_report");
    cluster.create(0, name);
    auto report = cluster.next_row("c", 100, false);
    report.object_count = 10;
    cluster.open(0, name).put(report);
    BOOST_REQUIRE(cluster.settle() > 0);
    for (const std::int64_t now : {5, 7}) { // it shrinks, then it grows
        cluster.down(1);
        report.object_count = now; // under the same put time
        report.bytes_used = 10 * now;
        cluster.open(0, name).put(report);
        cluster.pass(0);
        cluster.up(1);
        cluster.clock().advance(Seconds(120));
        BOOST_REQUIRE(cluster.settle() > 0);
        cluster.require_identical(name);
        BOOST_TEST(cluster.rows(1, name).front().object_count == now);
    }
}

BOOST_AUTO_TEST_CASE(the_newer_report_of_a_sender_stays_when_its_file_is_merged) {
    Stage<AccountKind> cluster(2, 2);
    const auto name = cluster.name("AUTH_whole");
    cluster.create(0, name);
    auto report = cluster.next_row("c", 100, false);
    report.object_count = 10;
    cluster.open(0, name).put(report);
    BOOST_REQUIRE(cluster.settle() > 0);
    report.object_count = 5;
    cluster.open(0, name).put(report);
    cluster.put_many(0, name, "many", 2500);
    BOOST_TEST(cluster.pass(0).remote_merge == 1);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    BOOST_TEST(cluster.rows(0, name).front().name == "c");
    BOOST_TEST(cluster.rows(0, name).front().object_count == 5);
}

// ---- What is reclaimed.

BOOST_AUTO_TEST_CASE_TEMPLATE(a_late_delete_that_comes_during_a_pass_is_not_reclaimed_by_it, Kind,
                              Kinds) {
    Stage<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_late");
    cluster.create(0, name);
    cluster.put(0, name, "row");
    const auto late = cluster.next_row("row", 0, true); // on a node that is away
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.clock().advance(Seconds(8 * 86400));
    BOOST_REQUIRE(cluster.settle() > 0);
    std::atomic<bool> came = false;
    cluster.after("sync", [&] {
        if (!came.exchange(true)) {
            cluster.open(0, name).put(late);
        }
    });
    cluster.pass(0);
    BOOST_TEST(came);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    BOOST_TEST(cluster.names(0, name).empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_late_deletion_of_a_key_that_comes_during_a_pass_stays, Kind,
                              Kinds) {
    Stage<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_key");
    cluster.create(0, name);
    cluster.open(0, name).merge_metadata(R"({"X-K": ["value", "1700000001.00000"]})");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.clock().advance(Seconds(8 * 86400));
    BOOST_REQUIRE(cluster.settle() > 0);
    std::atomic<bool> came = false;
    cluster.after("sync", [&] {
        if (!came.exchange(true)) {
            cluster.open(0, name).merge_metadata(R"({"X-K": ["", "1700000002.00000"]})");
        }
    });
    cluster.pass(0);
    BOOST_TEST(came);
    BOOST_REQUIRE(cluster.settle() > 0);
    for (const std::size_t at : {0U, 1U}) {
        BOOST_TEST(cluster.info(at, name).metadata.find("value") == std::string::npos);
    }
}

/// Nobody writes to this database in a pass on each node.
template <class Cluster>
void require_rest(Cluster& cluster, const typename Cluster::Name& name) {
    for (const std::size_t at : cluster.primaries(name)) {
        auto watched = cluster.open(at, name);
        const auto before = watched.version();
        cluster.round();
        BOOST_TEST(watched.version() == before, "node " << at << " was written to");
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_old_deletion_of_a_key_does_not_go_round_for_ever, Kind, Kinds) {
    Stage<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_round");
    cluster.create(0, name);
    cluster.open(0, name).merge_metadata(R"({"X-K": ["value", "1700000001.00000"]})");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.open(0, name).merge_metadata(R"({"X-K": ["", "1700000002.00000"]})");
    cluster.round();
    cluster.clock().advance(Seconds(8 * 86400));
    cluster.round();
    cluster.round();
    require_rest(cluster, name);
    for (const std::size_t at : {0U, 1U, 2U}) {
        BOOST_TEST(cluster.info(at, name).metadata == "{}");
    }
}

/// A node that could not reclaim with the others sends all it has, since the contents differ.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_tombstone_that_others_have_reclaimed_does_not_go_round, Kind,
                              Kinds) {
    Stage<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_round");
    cluster.create(0, name);
    cluster.put(0, name, "kept");
    cluster.put(0, name, "gone");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.erase(0, name, "gone");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.clock().advance(Seconds(8 * 86400));
    cluster.pass(0);
    BOOST_REQUIRE(cluster.rows(0, name).size() == 1U);
    BOOST_REQUIRE(cluster.rows(1, name).size() == 2U);
    cluster.open(0, name).merge_items(cluster.rows(1, name), cluster.info(1, name).id,
                                      cluster.clock().now());
    BOOST_TEST(cluster.rows(0, name).size() == 1U);
    cluster.round();
    cluster.round();
    require_rest(cluster, name);
    for (const std::size_t at : {0U, 1U, 2U}) {
        BOOST_TEST(cluster.rows(at, name).size() == 1U);
    }
}

// ---- Points that say too little or too much.

/// A database whose last rows were reclaimed, so that no row has its highest ROWID, and whose id
/// peers did not know when they were told its rows.
template <class Kind>
void make_gap(Stage<Kind>& cluster, const typename Stage<Kind>::Name& name) {
    cluster.create(0, name);
    cluster.put(0, name, "kept");
    cluster.put(0, name, "last");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.erase(0, name, "last");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.clock().advance(Seconds(8 * 86400));
    cluster.round();
    cluster.round();
    BOOST_REQUIRE(cluster.rows(0, name).size() == 1U);
    cluster.open(0, name).renew_id();
    cluster.open(1, name).renew_id();
    cluster.lose(1, name, "kept"); // so that the two differ when they are compared
    cluster.pass(0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_push_ends_with_our_last_rowid_although_its_row_is_gone, Kind,
                              Kinds) {
    Stage<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_gap");
    make_gap<Kind>(cluster, name);
    const auto here = cluster.info(0, name);
    const auto there = cluster.info(1, name);
    BOOST_TEST(here.max_row == 3);
    BOOST_TEST(cluster.open(1, name).sync_point(here.id, Direction::incoming) == here.max_row);
    BOOST_TEST(cluster.open(0, name).sync_point(there.id, Direction::outgoing) == here.max_row);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_row_that_a_peer_lost_is_sent_again_although_our_last_rows_are_gone,
                              Kind, Kinds) {
    Stage<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_unseen");
    make_gap<Kind>(cluster, name);
    cluster.lose(1, name, "kept");
    for (int i = 0; i < 6; ++i) {
        cluster.round();
    }
    cluster.require_identical(name);
    BOOST_TEST(cluster.names(1, name).size() == 1U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_outgoing_point_beyond_our_last_row_costs_one_new_id, Kind, Kinds) {
    Stage<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_beyond");
    cluster.create(0, name);
    cluster.put(0, name, "row");
    BOOST_REQUIRE(cluster.settle() > 0);
    const std::vector<SyncPoint> beyond{{1000, cluster.info(1, name).id}};
    cluster.open(0, name).merge_sync_points(beyond, Direction::outgoing);
    cluster.put(0, name, "more");
    std::int64_t renewed = 0;
    for (int i = 0; i < 4; ++i) {
        renewed += cluster.round().reidentified;
    }
    BOOST_TEST(renewed == 1);
    cluster.require_identical(name);
    BOOST_TEST(cluster.names(1, name).size() == 2U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_difference_is_settled_by_passes_of_processes_of_their_own, Kind,
                              Kinds) {
    for (const bool new_process : {false, true}) {
        Stage<Kind> cluster(2, 2);
        const auto name = cluster.name("AUTH_once");
        cluster.create(0, name);
        cluster.put_many(0, name, "row", 3);
        BOOST_REQUIRE(cluster.settle() > 0);
        cluster.lose(1, name, "row1");
        for (int pass = 1; pass <= 3; ++pass) {
            for (const std::size_t at : {0U, 1U}) {
                if (new_process) {
                    cluster.restart(at);
                }
                cluster.pass(at);
            }
        }
        cluster.require_identical(name);
        BOOST_TEST(cluster.names(1, name).size() == 3U);
    }
}

BOOST_AUTO_TEST_CASE(a_row_that_another_process_sends_during_a_pass_costs_no_new_id) {
    Stage<ContainerKind> cluster(2, 2);
    const auto name = cluster.name("AUTH_beside");
    cluster.create(0, name);
    cluster.put(0, name, "row");
    BOOST_REQUIRE(cluster.settle() > 0);
    std::atomic<bool> came = false;
    cluster.before("sync", [&] { // after the pass has read its own database
        if (!came.exchange(true)) {
            cluster.put(0, name, "beside");
            const auto rows = cluster.open(0, name).items_since(-1, 10);
            cluster.open(1, name).merge_items(rows, cluster.info(0, name).id);
        }
    });
    BOOST_TEST(cluster.pass(0).reidentified == 0);
    BOOST_TEST(came);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

// ---- Copies that leave.

BOOST_AUTO_TEST_CASE_TEMPLATE(two_nodes_that_take_each_other_for_the_owner_do_not_both_remove, Kind,
                              Kinds) {
    for (const int question : {1, 2, 3}) { // of the first node, after which the second has its pass
        Stage<Kind> cluster(2, 1, 1);
        const auto name = cluster.name("AUTH_rings");
        const auto devices = cluster.ring().devices();
        const auto owned_by = [&](std::size_t at) {
            return test::TableRing(
                {devices[(at + name.partition) % 2], devices[(at + name.partition + 1) % 2]}, 1, 1);
        };
        for (const std::size_t at : {0U, 1U}) {
            cluster.create(at, name);
            cluster.reassign(at, owned_by(1 - at));
            BOOST_REQUIRE(cluster.ring_of(at).primaries(name.partition).front().id ==
                          static_cast<std::int64_t>(1 - at));
        }
        cluster.put(0, name, "row");
        cluster.open(1, name).merge_items(cluster.open(0, name).items_since(-1, 10), "");
        std::atomic<int> asked = 0;
        std::atomic<bool> nested = false;
        cluster.after("sync", [&] {
            if (!nested && ++asked == question) {
                nested = true;
                cluster.pass(1);
                nested = false;
            }
        });
        cluster.pass(0);
        const bool here = cluster.has(0, name);
        const bool there = cluster.has(1, name);
        BOOST_TEST((here || there), "both are gone, question " << question);
        BOOST_TEST(cluster.names(here ? 0 : 1, name).size() == 1U);
    }
}

// ---- Copies that were away for longer than reclaim_age.

BOOST_AUTO_TEST_CASE(a_peer_that_was_away_does_not_bring_a_deleted_container_back) {
    Stage<ContainerKind> cluster(3, 3);
    const auto name = cluster.name("AUTH_expired");
    cluster.create(0, name);
    cluster.put(0, name, "row");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.down(2);
    cluster.erase(0, name, "row");
    cluster.clock().advance(Seconds(1));
    cluster.open(0, name).merge_timestamps(
        {"9999999999.00000", "0", cluster.clock().now().normal()});
    cluster.round();
    cluster.reported(0, name);
    cluster.reported(1, name);
    cluster.clock().advance(Seconds(8 * 86400));
    cluster.round();
    cluster.round();
    cluster.up(2);
    cluster.clock().advance(Seconds(120));
    for (int i = 0; i < 3; ++i) {
        cluster.round();
        for (const std::size_t at : {0U, 1U, 2U}) {
            if (cluster.has(at, name)) {
                cluster.reported(at, name);
            }
        }
    }
    cluster.round();
    for (const std::size_t at : {0U, 1U, 2U}) {
        BOOST_TEST(!cluster.has(at, name), "node " << at << " still has it");
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handoff_that_was_away_brings_no_deleted_row_back, Kind, Kinds) {
    Stage<Kind> cluster(4, 3);
    const auto name = cluster.name("AUTH_away");
    const auto places = cluster.primaries(name);
    const auto handoff = cluster.others(name)[0];
    cluster.create(handoff, name);
    cluster.put(handoff, name, "deleted");
    cluster.put(handoff, name, "live");
    cluster.down(places[2]);
    cluster.pass(handoff); // it cannot go yet
    cluster.down(handoff);
    cluster.up(places[2]);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.erase(places[0], name, "deleted");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.clock().advance(Seconds(8 * 86400));
    cluster.round();
    cluster.round();
    BOOST_REQUIRE(cluster.rows(places[0], name).size() == 1U); // the tombstone has gone
    cluster.up(handoff);
    std::int64_t stale = 0;
    for (int i = 0; i < 3; ++i) {
        stale += cluster.round().stale;
    }
    BOOST_TEST(stale == 3); // once in a pass
    for (const std::size_t at : places) {
        BOOST_TEST((cluster.names(at, name) == std::set<std::string>{"live"}));
    }
    BOOST_REQUIRE(cluster.has(handoff, name));

    // What is new goes over all the same, and only once; what is old goes if the operator says so.
    cluster.put(handoff, name, "new");
    BOOST_TEST(cluster.pass(handoff).rows == 3);
    BOOST_TEST(cluster.pass(handoff).rows == 0);
    BOOST_TEST(cluster.names(places[1], name).contains("new"));
    BOOST_TEST(!cluster.names(places[1], name).contains("deleted"));
    Settings settings = cluster.node(handoff).settings;
    settings.accept_stale = true;
    cluster.restart(handoff, settings);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    BOOST_TEST(cluster.names(places[0], name).size() == 3U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_replica_that_was_taken_out_of_the_ring_brings_no_deleted_row_back,
                              Kind, Kinds) {
    Stage<Kind> cluster(3, 2);
    const auto name = cluster.name("AUTH_ring");
    const auto places = cluster.primaries(name);
    const auto spare = cluster.others(name)[0];
    cluster.create(places[0], name);
    cluster.put(places[0], name, "deleted");
    cluster.put(places[0], name, "live");
    BOOST_REQUIRE(cluster.settle() > 0);
    const auto old_ring = cluster.ring();
    auto devices = old_ring.devices();
    std::swap(devices[places[1]], devices[spare]);
    const test::TableRing without(devices, 2, 2);
    cluster.down(places[1]);
    cluster.reassign(places[0], without);
    cluster.reassign(spare, without);
    cluster.erase(places[0], name, "deleted");
    cluster.round();
    cluster.clock().advance(Seconds(8 * 86400));
    cluster.round();
    cluster.round();
    BOOST_REQUIRE(cluster.rows(places[0], name).size() == 1U); // the tombstone has gone
    cluster.reassign(places[0], old_ring);
    cluster.reassign(spare, old_ring);
    cluster.up(places[1]);
    cluster.clock().advance(Seconds(120));
    std::int64_t stale = 0;
    for (int i = 0; i < 8; ++i) {
        stale += cluster.round().stale;
    }
    BOOST_TEST(stale > 0);
    BOOST_TEST((cluster.names(places[0], name) == std::set<std::string>{"live"}));
    BOOST_TEST(cluster.names(places[1], name).contains("deleted")); // for somebody to look at
}

// The first to reclaim differs from the others, who have not agreed with anybody for so long.
BOOST_AUTO_TEST_CASE_TEMPLATE(tombstones_of_nodes_that_were_all_off_for_longer_than_reclaim_age_go,
                              Kind, Kinds) {
    Stage<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_off");
    cluster.create(0, name);
    cluster.put_many(0, name, "o", 3);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.erase(1, name, "o1");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.clock().advance(Seconds(8 * 86400));
    for (int i = 0; i < 4; ++i) {
        cluster.round();
    }
    BOOST_TEST(cluster.round().stale == 0);
    for (const std::size_t at : {0U, 1U, 2U}) {
        BOOST_TEST(cluster.rows(at, name).size() == 2U);
    }
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(nodes_that_were_all_switched_off_for_a_month_go_on_where_they_were,
                              Kind, Kinds) {
    Stage<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_month");
    cluster.create(0, name);
    cluster.put_many(0, name, "o", 5);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.clock().advance(Seconds(30 * 86400));
    BOOST_TEST(cluster.round().stale == 0);
    cluster.put(1, name, "new");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

} // namespace

#endif // REPLICA_TEST_SCENARIO_LOSSES_HPP
