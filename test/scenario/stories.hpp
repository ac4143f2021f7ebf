#ifndef REPLICA_TEST_SCENARIO_STORIES_HPP
#define REPLICA_TEST_SCENARIO_STORIES_HPP

// Every way a database can go between nodes, each told as a story: a state, what happens, passes,
// and what must be true of all replicas in the end. A story is told once and played by whoever
// includes this: before it, `Stage<Server>` must say what the nodes are made of.

#include <replica/account/kind.hpp>
#include <replica/container/kind.hpp>
#include <replica/error.hpp>
#include <replica/settings.hpp>
#include <replica/stats.hpp>

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <set>
#include <string>

namespace {

using namespace replica;
using Kinds = boost::mpl::list<AccountKind, ContainerKind>;

BOOST_AUTO_TEST_CASE_TEMPLATE(a_database_on_one_node_reaches_all_primaries, Kind, Kinds) {
    Stage<Kind> cluster(4, 3);
    const auto name = cluster.name("AUTH_new");
    const auto at = cluster.primaries(name)[0];
    cluster.create(at, name);
    cluster.put_many(at, name, "o", 5);

    const Stats first = cluster.pass(at);
    BOOST_TEST(first.attempted == 1);
    BOOST_TEST(first.rsync == 2);
    BOOST_TEST(first.success == 2);
    BOOST_TEST(first.failure == 0);
    cluster.require_identical(name);

    const Stats second = cluster.round();
    BOOST_TEST(second.no_change + second.hashmatch == 6);
    BOOST_TEST(second.rsync + second.diff + second.remote_merge == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(rows_written_on_different_replicas_meet, Kind, Kinds) {
    Stage<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_meet");
    cluster.create(0, name);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.put(0, name, "from-0");
    cluster.put(1, name, "from-1");
    cluster.put(2, name, "from-2");
    cluster.put(0, name, "twice", 1);
    cluster.put(2, name, "twice", 2);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    BOOST_TEST(cluster.names(0, name).size() == 4U);
    BOOST_TEST(cluster.rows(0, name).back().name == "twice");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_deleted_row_stays_deleted_everywhere, Kind, Kinds) {
    Stage<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_gone");
    cluster.create(0, name);
    cluster.put(0, name, "row");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.erase(1, name, "row");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    BOOST_TEST(cluster.names(2, name).empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_tombstone_goes_only_after_every_peer_has_it, Kind, Kinds) {
    Stage<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_tomb");
    cluster.create(0, name);
    cluster.put(0, name, "row");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.erase(0, name, "row");
    cluster.down(2);
    cluster.clock().advance(Seconds(8 * 86400));
    cluster.round();
    cluster.round();
    BOOST_TEST(cluster.rows(0, name).size() == 1U); // Node 2 still has the live row.
    cluster.up(2);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    cluster.round();
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(cluster.rows(i, name).empty());
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_far_behind_gets_the_file_and_keeps_its_own_rows, Kind, Kinds) {
    Stage<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_half");
    cluster.create(0, name);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.put_many(0, name, "many", 2500);
    cluster.put(1, name, "own-1");
    cluster.put(2, name, "own-2");
    const Stats stats = cluster.pass(0);
    BOOST_TEST(stats.remote_merge == 2);
    BOOST_TEST(stats.success == 2);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    BOOST_TEST(cluster.names(0, name).size() == 2502U);
    // The point for the sender speaks of its rows, not of those that were merged: new ones are
    // seen.
    cluster.put(0, name, "later");
    BOOST_TEST(cluster.pass(0).rows == 2);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_server_of_ours_gets_the_file_without_rsync, Kind, Kinds) {
    Stage<Kind> cluster(2, 2);
    cluster.pushes(0, 1);
    const auto name = cluster.name("AUTH_pushed");
    std::atomic<int> pieces = 0;
    std::atomic<int> finishes = 0;
    cluster.after("put_file", [&] { ++pieces; });
    cluster.before("complete_rsync", [&] { ++finishes; });
    cluster.create(0, name);
    cluster.put_many(0, name, "row", 100);
    BOOST_TEST(cluster.pass(0).rsync == 1);
    BOOST_TEST(pieces == 1); // which finishes as well
    BOOST_TEST(finishes == 0);
    cluster.require_identical(name);
    cluster.put(1, name, "its own");
    cluster.put_many(0, name, "many", 20'000); // more than a piece
    BOOST_TEST(cluster.pass(0).remote_merge == 1);
    BOOST_TEST(pieces >= 3);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    BOOST_TEST(cluster.names(0, name).size() == 20'101U);
}

BOOST_AUTO_TEST_CASE(a_capped_transfer_is_progress_and_goes_on_next_pass) {
    Stage<ContainerKind> cluster(3, 3);
    const auto name = cluster.name("AUTH_cap");
    cluster.create(0, name);
    cluster.put_many(0, name, "base", 50);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.put_many(0, name, "more", 25);
    Settings settings = cluster.node(0).settings;
    settings.per_diff = 5;
    settings.max_diffs = 2;
    cluster.restart(0, settings);
    const Stats stats = cluster.pass(0);
    BOOST_TEST(stats.diff_capped == 2);
    BOOST_TEST(stats.rows == 20);
    BOOST_TEST(stats.failure == 0);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handoff_gives_its_copy_to_the_primaries_and_goes, Kind, Kinds) {
    Stage<Kind> cluster(4, 3);
    const auto name = cluster.name("AUTH_handoff");
    const auto handoff = cluster.others(name)[0];
    cluster.create(handoff, name);
    cluster.put_many(handoff, name, "o", 3);
    const Stats stats = cluster.pass(handoff);
    BOOST_TEST(stats.rsync == 3);
    BOOST_TEST(stats.remove == 1);
    cluster.require_identical(name);
    for (const auto& [path, bytes] : cluster.dump(handoff)) {
        const bool in_trash = path.find("/trash/") != std::string::npos;
        BOOST_TEST((in_trash || path.find(name.hash) == std::string::npos), path << " is left");
    }
}

BOOST_AUTO_TEST_CASE(a_handoff_stays_while_a_primary_does_not_answer) {
    Stage<ContainerKind> cluster(4, 3);
    const auto name = cluster.name("AUTH_wait");
    const auto handoff = cluster.others(name)[0];
    cluster.create(handoff, name);
    cluster.put(handoff, name, "row");
    cluster.down(cluster.primaries(name)[1]);
    const Stats stats = cluster.pass(handoff);
    BOOST_TEST(stats.remove == 0);
    BOOST_TEST(stats.kept == 1);
    BOOST_TEST(cluster.has(handoff, name));
    cluster.up(cluster.primaries(name)[1]);
    cluster.clock().advance(Seconds(120));
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE(a_row_that_reaches_a_handoff_during_its_last_transfer_is_not_lost) {
    Stage<ContainerKind> cluster(4, 3);
    const auto name = cluster.name("AUTH_late");
    const auto handoff = cluster.others(name)[0];
    cluster.create(handoff, name);
    cluster.put(handoff, name, "early");
    std::atomic<int> calls = 0;
    cluster.after("complete_rsync", [&] {
        if (++calls == 3) {
            cluster.put(handoff, name, "late");
        }
    });
    BOOST_TEST(cluster.pass(handoff).remove == 0);
    BOOST_TEST(calls == 3);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    BOOST_TEST(cluster.names(cluster.primaries(name)[0], name).contains("late"));
}

BOOST_AUTO_TEST_CASE(a_row_that_waits_in_the_pending_file_of_a_handoff_is_not_lost) {
    Stage<ContainerKind> cluster(4, 3);
    const auto name = cluster.name("AUTH_pending");
    const auto handoff = cluster.others(name)[0];
    cluster.create(handoff, name);
    cluster.put(handoff, name, "early");
    std::atomic<int> calls = 0;
    cluster.after("complete_rsync", [&] {
        if (++calls == 3) {
            cluster.put_pending(handoff, name, "pending");
        }
    });
    BOOST_TEST(cluster.pass(handoff).remove == 0);
    BOOST_TEST(calls == 3);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    BOOST_TEST(cluster.names(cluster.primaries(name)[0], name).contains("pending"));
}

BOOST_AUTO_TEST_CASE(an_unmounted_primary_is_stood_in_for_by_one_handoff) {
    Stage<ContainerKind> cluster(5, 3);
    const auto name = cluster.name("AUTH_507");
    const auto places = cluster.primaries(name);
    cluster.create(places[0], name);
    cluster.put(places[0], name, "row");
    cluster.unmount(places[1]);
    const Stats stats = cluster.pass(places[0]);
    BOOST_TEST(stats.failure == 1);
    BOOST_TEST(stats.success == 2);
    const auto others = cluster.others(name);
    BOOST_TEST(cluster.has(others[0], name));
    BOOST_TEST(!cluster.has(others[1], name));
    for (int i = 0; i < 4; ++i) { // The copies do not spread (invariant I7).
        cluster.round();
    }
    BOOST_TEST(!cluster.has(others[1], name));
    cluster.mount(places[1]);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE(a_full_primary_is_not_stood_in_for) {
    Stage<ContainerKind> cluster(4, 3);
    const auto name = cluster.name("AUTH_full");
    const auto places = cluster.primaries(name);
    cluster.create(places[0], name);
    cluster.put(places[0], name, "row");
    Settings settings = cluster.node(places[1]).settings;
    settings.fallocate_reserve = {101, true};
    cluster.restart(places[1], settings);
    const Stats stats = cluster.pass(places[0]);
    BOOST_TEST(stats.failure == 1);
    BOOST_TEST(!cluster.has(cluster.others(name)[0], name));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_node_that_was_away_catches_up, Kind, Kinds) {
    Stage<Kind> cluster(4, 3);
    const auto name = cluster.name("AUTH_away");
    const auto places = cluster.primaries(name);
    cluster.create(places[0], name);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.down(places[2]);
    cluster.put_many(places[0], name, "while-away", 20);
    cluster.erase(places[1], name, "while-away3");
    for (int i = 0; i < 5; ++i) {
        cluster.round();
    }
    cluster.up(places[2]);
    cluster.clock().advance(Seconds(120));
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE(a_dead_peer_is_left_alone_after_three_failures) {
    Stage<ContainerKind> cluster(3, 3);
    for (int i = 0; i < 20; ++i) {
        const auto name = cluster.name("AUTH_many" + std::to_string(i));
        cluster.create(0, name);
    }
    cluster.down(1);
    const Stats stats = cluster.pass(0);
    BOOST_TEST(stats.failure == 20);
    BOOST_TEST(stats.success == 20);
    // Three time-outs, not twenty.
    BOOST_TEST(cluster.node(0).journal.count("left alone after recent failures") == 17);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wiped_device_is_refilled, Kind, Kinds) {
    Stage<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_wiped");
    cluster.create(0, name);
    cluster.put_many(0, name, "o", 30);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.wipe(1);
    BOOST_TEST(!cluster.has(1, name));
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE(a_corrupt_replica_goes_to_quarantine_and_is_refilled) {
    for (const Error error : {Error::corrupt, Error::not_a_database, Error::missing_table}) {
        BOOST_TEST_CONTEXT(make_error_code(error).message()) {
            Stage<ContainerKind> cluster(3, 3);
            const auto name = cluster.name("AUTH_corrupt");
            cluster.create(0, name);
            cluster.put_many(0, name, "o", 3);
            BOOST_REQUIRE(cluster.settle() > 0);
            cluster.damage(1, name, error);
            BOOST_REQUIRE(cluster.settle() > 0);
            cluster.require_identical(name);
            BOOST_TEST(
                cluster.exists(1, cluster.device_path(1) + "/quarantined/containers/" + name.hash));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_database_in_the_wrong_partition_moves_home) {
    Stage<ContainerKind> cluster(3, 3);
    const auto name = cluster.name("AUTH_misplaced");
    const auto wrong = (name.partition + 1) % cluster.ring().partition_count();
    cluster.create(0, name, wrong);
    cluster.open(0, name, wrong).put(cluster.next_row("row", 1, false));
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    BOOST_TEST(!cluster.exists(0, cluster.path(0, name, wrong)));
}

BOOST_AUTO_TEST_CASE(a_wrong_hash_suffix_moves_nothing) {
    Stage<ContainerKind> cluster(4, 3);
    const auto name = cluster.name("AUTH_suffix");
    const auto handoff = cluster.others(name)[0];
    cluster.create(handoff, name);
    Settings settings = cluster.node(handoff).settings;
    settings.hash_path_suffix = "wrong";
    cluster.restart(handoff, settings);
    const auto before = cluster.dump(handoff);
    const Stats stats = cluster.pass(handoff);
    BOOST_TEST(stats.remove == 0);
    BOOST_TEST(stats.rsync == 0);
    BOOST_TEST(stats.failure == 1);
    BOOST_TEST(cluster.has(handoff, name));
    BOOST_TEST(!cluster.has(cluster.primaries(name)[0], name));
    BOOST_TEST((cluster.dump(handoff) == before));
}

BOOST_AUTO_TEST_CASE(the_only_copy_of_a_single_replica_ring_is_never_removed) {
    Stage<ContainerKind> cluster(2, 1);
    const auto name = cluster.name("AUTH_single");
    const auto home = cluster.primaries(name)[0];
    const auto other = cluster.others(name)[0];
    cluster.create(other, name);
    cluster.put(other, name, "row");
    cluster.down(home);
    BOOST_TEST(cluster.pass(other).remove == 0);
    BOOST_TEST(cluster.has(other, name));
    cluster.up(home);
    cluster.clock().advance(Seconds(120));
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE(a_deleted_container_goes_everywhere_after_reclaim_age) {
    Stage<ContainerKind> cluster(3, 3);
    const auto name = cluster.name("AUTH_deleted");
    cluster.create(0, name);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.clock().advance(Seconds(1));
    cluster.open(0, name).merge_timestamps(
        {"9999999999.00000", "0", cluster.clock().now().normal()});
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    cluster.clock().advance(Seconds(8 * 86400));
    cluster.round();
    BOOST_TEST(cluster.has(0, name)); // The account has not been told yet.
    cluster.reported(1, name);
    BOOST_TEST(cluster.round().remove == 1);
    BOOST_TEST(cluster.round().rsync == 0);
    BOOST_TEST(!cluster.has(1, name)); // The others, of which it does not know, were not sent.
    cluster.reported(0, name);
    cluster.reported(2, name);
    BOOST_TEST(cluster.round().remove == 2);
    for (std::size_t i = 0; i < 3; ++i) {
        BOOST_TEST(!cluster.has(i, name));
    }
}

BOOST_AUTO_TEST_CASE(an_account_made_again_before_reclaim_stays) {
    Stage<AccountKind> cluster(3, 3);
    const auto name = cluster.name("AUTH_again");
    cluster.create(0, name);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.clock().advance(Seconds(1));
    cluster.open(0, name).merge_timestamps(
        {"9999999999.00000", "0", cluster.clock().now().normal()});
    cluster.clock().advance(Seconds(8 * 86400));
    cluster.open(1, name).merge_timestamps(
        {"9999999999.00000", cluster.clock().now().normal(), "0"});
    cluster.pass(1);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(metadata_and_times_meet_in_both_directions, Kind, Kinds) {
    Stage<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_meta");
    cluster.create(0, name);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.open(0, name).merge_metadata(R"({"X-A": ["zero", "1700000001.00000"]})");
    cluster.open(1, name).merge_metadata(R"({"X-A": ["one", "1700000002.00000"]})");
    cluster.open(2, name).merge_metadata(R"({"X-B": ["two", "1700000003.00000"]})");
    cluster.open(2, name).merge_timestamps({"1600000000.00000", "1800000000.00000", "0"});
    cluster.round();
    cluster.round();
    cluster.require_identical(name);
    BOOST_TEST(cluster.info(0, name).metadata.find("one") != std::string::npos);
    BOOST_TEST(cluster.info(0, name).metadata.find("X-B") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(replicas_made_with_different_policies_settle_on_the_older) {
    Stage<ContainerKind> cluster(3, 3);
    const auto name = cluster.name("AUTH_policy");
    cluster.create(0, name);
    cluster.clock().advance(Seconds(1));
    auto other = name;
    other.info.storage_policy_index = 1;
    cluster.create(1, other);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
    BOOST_TEST(cluster.info(1, name).storage_policy_index == 0);
}

BOOST_AUTO_TEST_CASE(objects_of_the_policy_that_gave_way_are_queued_for_the_reconciler) {
    Stage<ContainerKind> cluster(5, 3);
    const auto name = cluster.name("AUTH_policies");
    const auto at = cluster.primaries(name);
    cluster.create(at[0], name);
    cluster.put(at[0], name, "right");
    cluster.clock().advance(Seconds(1));
    auto late = name; // while the first could not be seen
    late.info.storage_policy_index = 1;
    cluster.create(at[1], late);
    auto row = cluster.next_row("wrong", 1, false);
    row.storage_policy_index = 1;
    cluster.open(at[1], late).put(row);

    BOOST_TEST(cluster.settle() > 0);
    cluster.round(); // a queue that took over an older created_at goes a pass later
    cluster.require_identical(name);
    const auto queue =
        cluster.name(".misplaced_objects", reconciler::queue_name(row.created_at).value());
    cluster.require_identical(queue);
    BOOST_TEST((cluster.names(cluster.primaries(queue)[0], queue) ==
                std::set<std::string>{"1:/AUTH_policies/c/wrong"}));
}

} // namespace

#endif // REPLICA_TEST_SCENARIO_STORIES_HPP
