#include <replica/send/departure.hpp>

#define BOOST_TEST_MODULE departure
#include <boost/algorithm/string/join.hpp>
#include <boost/test/unit_test.hpp>

#include <support/shard_ranges.hpp>
#include <support/turn.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

using Kinds = std::tuple<AccountKind, ContainerKind>;

} // namespace

// ---- Expired.

namespace {

/// Deleted without rows, and longer ago than reclaim_age.
struct Expired : Container {
    explicit Expired(Where where = Where::primary) : Container(where) {
        nodes.erase(at, name, "row");
        clock.advance(Seconds(1));
        open().merge_timestamps({"9999999999.00000", "0", clock.now().normal()});
        clock.advance(settings.reclaim_age + Seconds(1));
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(an_expired_one_that_no_peer_has_goes_and_is_sent_to_nobody) {
    for (const Where where : {Where::primary, Where::handoff}) {
        Expired turn(where);
        turn.nodes.reported(turn.at, turn.name);
        Lines expected{"began"};
        for (const std::string peer : {"3 done", "4 done", "0 done"}) {
            expected.push_back(peer);
        }
        if (where == Where::primary) {
            expected = {"began", "0 done", "3 done"};
        }
        expected.insert(expected.end(), {"removed: expired", "ended well"});
        BOOST_TEST(turn.run() == expected, boost::test_tools::per_element());
        BOOST_TEST(!turn.is_here());
        for (const SimExchange& exchange : turn.nodes.network().log()) {
            BOOST_TEST(exchange.verb == "sync");
            BOOST_TEST(exchange.status == 404);
        }
    }
}

BOOST_AUTO_TEST_CASE(an_expired_one_stays_while_a_peer_does_not_answer) {
    Expired turn;
    turn.nodes.reported(turn.at, turn.name);
    turn.nodes.down(3);
    BOOST_TEST(turn.run() == (Lines{"began", "0 done", "3 not done",
                                    "kept: expired, but 1/2 peers know all of it", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
    turn.nodes.up(3);
    BOOST_TEST(turn.run().back() == "ended well");
    BOOST_TEST(!turn.is_here());
}

BOOST_AUTO_TEST_CASE(an_expired_one_stays_while_a_peer_has_rows_that_are_not_here) {
    Expired turn;
    turn.nodes.reported(turn.at, turn.name);
    turn.nodes.create(3, turn.name);
    turn.nodes.put(3, turn.name, "theirs");
    const Lines lines = turn.run();
    BOOST_TEST(lines[lines.size() - 2] == "kept: expired, but 2/2 peers know all of it");
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(an_expired_one_that_its_account_has_not_heard_of_waits) {
    Expired turn;
    BOOST_TEST(turn.run() == (Lines{"began", "0 done", "3 done", "kept: expired, but not reported",
                                    "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(an_expired_one_whose_sums_do_not_agree_with_its_rows_may_have_live_ones) {
    Expired turn;
    turn.nodes.reported(turn.at, turn.name);
    turn.nodes.damage(turn.at, turn.name, Error{});
    const Lines lines = turn.run();
    BOOST_TEST(lines[lines.size() - 2] == "kept: expired by sums that its rows did not agree with");
    BOOST_TEST(turn.is_here());
    BOOST_TEST(turn.run().back() == "ended well"); // it was expired all the same
    BOOST_TEST(!turn.is_here());
}

BOOST_AUTO_TEST_CASE(an_expired_root_stays_as_long_as_it_has_shards) {
    Expired turn;
    turn.nodes.reported(turn.at, turn.name);
    turn.open().merge_shard_ranges(std::vector{range_of(".shards_a/one", shards::active)});
    const Lines lines = turn.run();
    BOOST_TEST(std::ranges::count(lines, "removed: expired") == 0);
    BOOST_TEST(turn.is_here());
    BOOST_TEST(!turn.nodes.network().log().empty()); // its peers are asked as ever
}

BOOST_AUTO_TEST_CASE(an_expired_one_on_a_frozen_device_stays) {
    Expired turn;
    turn.nodes.reported(turn.at, turn.name);
    turn.pass.brakes.wrong_hash("sda");
    BOOST_TEST(turn.run() ==
                   (Lines{"began", "0 done", "3 done",
                          "kept: its device has databases with wrong hashes", "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(an_expired_one_that_is_put_again_while_it_is_removed_stays) {
    Expired turn;
    turn.nodes.reported(turn.at, turn.name);
    turn.here().disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::try_lock && path.ends_with(turn.name.hash)) {
            turn.here().disk.on_call(nullptr);
            turn.open().merge_timestamps({"9999999999.00000", turn.clock.now().normal(), "0"});
        }
    });
    BOOST_TEST(turn.run() == (Lines{"began", "0 done", "3 done", "kept: it has changed meanwhile",
                                    "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
}

// ---- A copy that does not belong here, after its peers.

BOOST_AUTO_TEST_CASE(as_many_other_machines_as_are_asked_for_are_enough) {
    for (const int enough : {1, 2, 3}) {
        Container turn(Where::handoff);
        turn.settings.handoff_delete = enough;
        turn.nodes.down(4);
        const Lines lines = turn.run();
        BOOST_TEST(lines[lines.size() - 2] ==
                   (enough < 3 ? "removed: handed off" : "kept: 2/3 success"));
        BOOST_TEST(lines.back() == "ended badly"); // a peer still lacks it
    }
}

BOOST_AUTO_TEST_CASE(two_devices_of_another_machine_are_one_machine) {
    for (const int enough : {1, 2}) {
        Container turn(Where::handoff);
        auto devices = turn.nodes.ring().devices();
        devices[4].replication_ip = devices[3].replication_ip;
        devices[4].device = "sdb";
        auto& machine = turn.nodes.node(3);
        machine.disk.mount(std::string(turn.nodes.root) + "/sdb");
        turn.nodes.files().attach(machine.ip, turn.nodes.port, "sdb", machine.disk);
        turn.pass.ring = TableRing(devices, 3, 2);
        turn.settings.handoff_delete = enough;
        turn.nodes.down(0);
        const Lines lines = turn.run();
        BOOST_REQUIRE(lines.size() == 6U);
        BOOST_TEST(lines[1] == "3 done");
        BOOST_TEST(lines[2] == "4 done");
        BOOST_TEST(lines[4] == (enough == 1 ? "removed: handed off" : "kept: 2/3 success"));
    }
}

BOOST_AUTO_TEST_CASE(rows_that_wait_for_the_sharder_keep_their_copy) {
    Container turn(Where::handoff);
    turn.open().merge_shard_ranges(sharding_ranges(turn.name.info));
    for (const std::size_t node : {0U, 3U, 4U}) {
        turn.nodes.create(node, turn.name);
    }
    const Lines lines = turn.run();
    BOOST_TEST(lines[lines.size() - 2] == "kept: requires sharding");
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(a_copy_that_got_a_new_id_between_two_peers_stays_for_a_pass) {
    Container turn(Where::handoff);
    for (const std::size_t node : {3U, 4U, 0U}) {
        turn.nodes.create(node, turn.name);
    }
    // The last peer has seen more rows of it than there are.
    turn.nodes.open(0, turn.name)
        .merge_sync_points(std::vector<SyncPoint>{{9, turn.open().info().id}}, Direction::incoming);
    BOOST_TEST(turn.run() == (Lines{"began", "3 done", "4 done", "0 done",
                                    "kept: its rows were numbered anew meanwhile", "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
    BOOST_TEST(turn.run().back() == "ended well");
    BOOST_TEST(!turn.is_here());
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_told_of_and_its_copies_that_are_elsewhere_go_all_the_same) {
    Container turn(Where::handoff);
    turn.nodes.down(4);
    BOOST_TEST(turn.run()[4] == "kept: 2/3 success");
    turn.nodes.up(4);
    // Of a container with two policies, the reconciler's point is written after the peers.
    turn.here().store.execute(turn.path(),
                              "INSERT INTO policy_stat (storage_policy_index) VALUES (1)");
    turn.nodes.put(turn.at, turn.name, "new"); // 3 is sent a row, 0 turns out to have it
    turn.nodes.open(0, turn.name).merge_items(turn.open().items_since(-1, 10), {});
    turn.here().disk.fail_next(SimCall::vfs_write, turn.path(), Error::no_space, 0);
    const Lines lines = turn.run();
    BOOST_REQUIRE_MESSAGE(lines.size() == 7U, boost::algorithm::join(lines, "; "));
    BOOST_TEST(lines[3] == "0 done");
    BOOST_TEST(lines[4].starts_with("failed: " + turn.path()), lines[4]);
    BOOST_TEST(lines[5] == "removed: handed off");
    BOOST_TEST(lines[6] == "ended badly");
    BOOST_TEST(turn.stats().diff == 1);
    BOOST_TEST(turn.stats().no_change == 1);
    BOOST_TEST(turn.stats().errors == 1);
    BOOST_TEST(turn.pass.counted().second.at(turn.here().ip).at("sda") == 1); // the local device
    BOOST_TEST(!turn.is_here());
}

BOOST_AUTO_TEST_CASE(one_that_is_found_broken_after_its_peers_goes_to_quarantine) {
    Container turn(Where::handoff);
    turn.nodes.after("complete_rsync",
                     [&] { turn.nodes.damage(turn.at, turn.name, Error::corrupt); });
    const Lines lines = turn.run();
    BOOST_REQUIRE(lines.size() >= 2U);
    BOOST_TEST(lines[lines.size() - 2].starts_with("quarantined: "), lines[lines.size() - 2]);
    BOOST_TEST(turn.stats().remove == 0);
}

BOOST_AUTO_TEST_CASE(a_row_that_comes_while_it_is_removed_keeps_it) {
    Container turn(Where::handoff);
    turn.here().disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::try_lock && path.ends_with(turn.name.hash)) {
            turn.here().disk.on_call(nullptr);
            turn.nodes.put(turn.at, turn.name, "late");
        }
    });
    const Lines lines = turn.run();
    BOOST_TEST(lines[lines.size() - 2] == "kept: it has changed meanwhile");
    BOOST_TEST((turn.nodes.names(turn.at, turn.name) == Names{"late", "row"}));
}

// ---- The last question.

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handoff_stays_if_a_peer_does_not_have_it_any_more_when_asked_again,
                              Kind, Kinds) {
    for (const bool refuses : {false, true}) { // or has lost it
        Turn<Kind> turn(Where::handoff);
        int asked = 0; // each peer before its file and after it
        turn.nodes.after("sync", [&] {
            if (++asked != 6) {
                return;
            }
            if (refuses) {
                turn.nodes.network().answer({{}, {}, "sync"}, Reply{503, "", "leaves", ""});
            } else {
                turn.nodes.wipe(4);
            }
        });
        const Lines lines = turn.run();
        BOOST_TEST(lines.back() == "ended badly");
        BOOST_TEST(lines[lines.size() - 2] == "kept: 2/3 would still have it");
        BOOST_TEST(turn.is_here());
        BOOST_TEST(turn.stats().kept == 1);
        BOOST_TEST(turn.run().back() == "ended well");
        BOOST_TEST(!turn.is_here());
    }
}

BOOST_AUTO_TEST_CASE(a_handoff_that_another_process_is_removing_stays_for_that_one) {
    Turn<ContainerKind> turn(Where::handoff);
    {
        const auto mark = turn.here().disk.try_hold(storage::parent(turn.path()));
        const Lines lines = turn.run();
        BOOST_TEST(lines[lines.size() - 2] == "kept: another process removes it");
        BOOST_TEST(turn.is_here());
    }
    BOOST_TEST(turn.run().back() == "ended well");
    BOOST_TEST(!turn.is_here());
}

BOOST_AUTO_TEST_CASE(as_many_machines_as_handoff_delete_asks_for_must_have_it_when_asked_again) {
    Turn<ContainerKind> turn(Where::handoff);
    turn.settings.handoff_delete = 2;
    int asked = 0;
    turn.nodes.after("complete_rsync", [&] {
        if (++asked == 3) {
            turn.nodes.wipe(4);
        }
    });
    BOOST_TEST(turn.run().back() == "ended badly");
    BOOST_TEST(!turn.is_here()); // two still have it
}
