#include <replica/send/replicate.hpp>

#define BOOST_TEST_MODULE replicate
#include <boost/algorithm/string/join.hpp>
#include <boost/test/unit_test.hpp>

#include <support/turn.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <new>
#include <set>
#include <stop_token>
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

// ---- Whom it asks.

BOOST_AUTO_TEST_CASE(who_watches_learns_how_far_a_peer_has_come) {
    Container turn;
    // Refused with rows along, and without.
    turn.nodes.network().answer(verb("sync", address(turn, 0)), {500, "", "", ""}, 2);
    turn.nodes.network().answer(verb("complete_rsync", address(turn, 3)), {500, "", "", ""}, 1);
    (void)turn.run();
    BOOST_TEST(turn.heard.reached(0).first == 1);
    BOOST_TEST(!turn.heard.reached(0).second.has_value()); // nobody knows
    BOOST_TEST(turn.heard.reached(3).second.value_or(99) == -1);
    BOOST_TEST(turn.heard.failed(0));
    (void)turn.run();
    turn.nodes.put(turn.at, turn.name, "second");
    turn.nodes.put(turn.at, turn.name, "third");
    turn.settings.rows_along = 0;
    turn.nodes.network().answer(verb("merge_items", address(turn, 3)), {500, "", "", ""}, 1);
    (void)turn.run();
    BOOST_TEST(turn.heard.reached(3).first == 3);
    BOOST_TEST(turn.heard.reached(3).second.value_or(99) == 1);
    BOOST_TEST(turn.heard.reached(0).second.value_or(99) == 3);
    BOOST_TEST(!turn.heard.failed(0));
}

// Each changed database cost three durable commits on three nodes: one was the sender's, of points
// that its peers had recorded themselves.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_few_new_rows_cost_the_sender_no_commit, Kind, Kinds) {
    Turn<Kind> turn;
    int asked = 0;
    turn.nodes.after("sync", [&] { ++asked; });
    (void)turn.run(); // the peers get the file
    (void)turn.run(); // and tell that they take rows along
    for (const std::int64_t last : {2, 3, 4}) {
        turn.nodes.put(turn.at, turn.name, "new" + std::to_string(last));
        const auto before = turn.open().version();
        asked = 0;
        (void)turn.run();
        BOOST_TEST(turn.open().version() == before);
        BOOST_TEST(asked == 2);
        for (const std::size_t peer : {0U, 3U}) {
            BOOST_TEST(turn.heard.reached(static_cast<std::int64_t>(peer)).second.value_or(99) ==
                       last);
            BOOST_TEST(turn.nodes.names(peer, turn.name).size() == static_cast<std::size_t>(last));
        }
    }
    // While one peer is away, the other is not sent the same rows again and again.
    turn.nodes.put(turn.at, turn.name, "while one is away");
    for (const std::int64_t rows : {1, 0, 0}) {
        const auto before = turn.stats().rows;
        const int times = rows > 0 ? 2 : 1; // with rows along, and without
        turn.nodes.network().answer(verb("sync", address(turn, 3)), {500, "", "", ""}, times);
        (void)turn.run();
        BOOST_TEST(turn.stats().rows - before == rows);
    }
    turn.clock.advance(Seconds(305)); // peers that failed are asked again, and with rows along
    (void)turn.run();                 // for the one that was away the guess is too high
    BOOST_TEST(turn.nodes.names(3, turn.name).size() == 5U);
}

BOOST_AUTO_TEST_CASE(a_peer_that_gets_only_a_part_of_the_rows_has_not_failed) {
    Container turn;
    const auto put = [&](int rows, const std::string& name) {
        for (int i = 0; i < rows; ++i) {
            turn.nodes.put(turn.at, turn.name, name + std::to_string(i));
        }
    };
    put(20, "old");
    (void)turn.run();
    turn.settings.per_diff = 1;
    turn.settings.max_diffs = 1;
    put(4, "new");
    BOOST_TEST(turn.run() == (Lines{"began", "0 not done", "3 not done", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(!turn.heard.failed(0));
    BOOST_TEST(!turn.heard.failed(3));
    BOOST_TEST(turn.stats().failure == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_primary_asks_those_after_it_and_then_those_before_it, Kind, Kinds) {
    Turn<Kind> turn;
    BOOST_TEST(turn.run() == (Lines{"began", "0 done", "3 done", "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.stats().attempted == 1);
    BOOST_TEST(turn.stats().success == 2);
    BOOST_TEST(turn.is_here());
    BOOST_TEST(!turn.nodes.has(1, turn.name));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handoff_asks_all_primaries_and_then_goes, Kind, Kinds) {
    Turn<Kind> turn(Where::handoff);
    BOOST_TEST(turn.run() == (Lines{"began", "3 done", "4 done", "0 done", "removed: handed off",
                                    "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.stats().remove == 1);
    BOOST_TEST(!turn.is_here());
}

BOOST_AUTO_TEST_CASE(rows_that_wait_beside_it_go_to_the_peers_of_the_same_turn) {
    Container turn;
    turn.nodes.put_pending(turn.at, turn.name, "waits");
    (void)turn.run();
    BOOST_TEST((turn.nodes.names(0, turn.name) == Names{"row", "waits"}));
    BOOST_TEST((turn.nodes.names(3, turn.name) == Names{"row", "waits"}));
}

BOOST_AUTO_TEST_CASE(each_device_out_of_use_is_stood_in_for_until_no_handoff_is_left) {
    Container turn;
    for (const std::size_t node : {0U, 3U, 1U}) {
        turn.nodes.unmount(node);
    }
    BOOST_TEST(turn.run() == (Lines{"began", "0 not mounted", "0 not done", "3 not mounted",
                                    "3 not done", "1 not mounted", "1 not done", "no more handoffs",
                                    "2 done", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.stats().failure == 3);
    BOOST_TEST(turn.nodes.has(2, turn.name));
}

BOOST_AUTO_TEST_CASE(a_handoff_that_comes_to_itself_asks_no_further) {
    Container turn(Where::handoff);
    turn.nodes.unmount(3);
    turn.nodes.unmount(0);
    BOOST_TEST(turn.run() ==
                   (Lines{"began", "3 not mounted", "3 not done", "4 done", "0 not mounted",
                          "0 not done", "kept: 1/3 success", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(!turn.nodes.has(2, turn.name));
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(whatever_else_a_peer_answers_it_is_not_stood_in_for) {
    for (const int status : {400, 409, 500, 503}) {
        Container turn;
        turn.nodes.network().answer(verb("sync", address(turn, 0)), {status, "", "", ""}, 2);
        BOOST_TEST(turn.run() == (Lines{"began", "0 not done", "3 done", "ended badly"}),
                   boost::test_tools::per_element());
        BOOST_TEST(turn.stats().failure == 1);
        BOOST_TEST(turn.stats().errors == 0);
    }
}

BOOST_AUTO_TEST_CASE(peers_that_a_stop_leaves_out_count_as_not_done) {
    Container turn(Where::handoff);
    turn.settings.handoff_delete = 2;
    turn.nodes.after("complete_rsync", [&] { turn.stop.request_stop(); });
    BOOST_TEST(turn.run() == (Lines{"began", "3 done", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(after_a_stop_in_the_middle_of_a_transfer_nothing_is_written) {
    Container turn;
    const auto before = turn.here().disk.glance(turn.path());
    turn.nodes.after("sync", [&] { turn.stop.request_stop(); }); // the peer has none: a file goes
    BOOST_TEST(turn.run() == (Lines{"began", "0 not done", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST((turn.here().disk.glance(turn.path())->first == before->first));
}

BOOST_AUTO_TEST_CASE(a_copy_that_all_peers_have_when_a_stop_comes_stays_for_another_pass) {
    Container turn(Where::handoff);
    int ends = 0;
    turn.nodes.after("complete_rsync", [&] {
        if (++ends == 3) {
            turn.stop.request_stop();
        }
    });
    (void)turn.run();
    BOOST_TEST(ends == 3);
    BOOST_TEST(turn.is_here());
}

// ---- What it is, before anybody is asked.

BOOST_AUTO_TEST_CASE(one_in_the_wrong_partition_goes_to_all_who_have_the_right_one) {
    Container turn;
    turn.nodes.create(turn.at, turn.name, 1);
    turn.nodes.open(turn.at, turn.name, 1).put(turn.nodes.next_row("stray", 1, false));
    (void)turn.run(1); // takes over the older times of the other, so that it has changed
    BOOST_TEST(turn.run(1) == (Lines{"began", "belongs to 3", "3 done", "4 done", "0 done",
                                     "removed: handed off", "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(!turn.nodes.exists(turn.at, turn.nodes.path(turn.name, 1)));
    BOOST_TEST((turn.nodes.names(turn.at, turn.name) == Names{"row", "stray"}));
}

BOOST_AUTO_TEST_CASE(a_name_that_hashes_elsewhere_is_sent_nowhere_and_freezes_its_device) {
    Container turn(Where::handoff);
    turn.settings.hash_path_suffix = "wrong";
    BOOST_TEST(turn.run() == (Lines{"began", "wrong hash: /a14/c", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.nodes.network().log().empty());
    BOOST_TEST(turn.stats().failure == 1);
    turn.settings.hash_path_suffix = "changeme"; // as that of the next database
    const Lines lines = turn.run();
    BOOST_TEST(lines[lines.size() - 2] == "kept: its device has databases with wrong hashes");
    BOOST_TEST(turn.is_here());
    BOOST_TEST(turn.nodes.has(3, turn.name)); // it is replicated all the same
}

BOOST_AUTO_TEST_CASE(a_copy_that_the_brakes_hold_back_is_not_sent_out_either) {
    Container turn(Where::handoff);
    for (int i = 0; i < Brakes::free_leaves; ++i) {
        BOOST_REQUIRE(turn.pass.brakes.may_try("sda"));
    }
    BOOST_TEST(turn.run() == (Lines{"began", "kept: too many are leaving its device", "braked: sda",
                                    "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.run() ==
                   (Lines{"began", "kept: too many are leaving its device", "ended badly"}),
               boost::test_tools::per_element()); // one line a device
    BOOST_TEST(turn.nodes.network().log().empty());
    BOOST_TEST(turn.stats().kept == 2);
}

BOOST_AUTO_TEST_CASE(one_that_leaves_is_counted_before_it_goes_and_one_that_stays_is_not) {
    Container turn(Where::handoff);
    const auto left = [&] {
        const auto hour =
            turn.here().disk.read_link(turn.nodes.device_path() + "/tmp/container.brakes/hour");
        const std::string text = hour.value_or("");
        return text.substr(std::min(text.find("left="), text.size()), 7);
    };
    turn.here().disk.fail_next(SimCall::rename, turn.name.hash, Error::io);
    BOOST_TEST(turn.run().back() == "ended badly");
    BOOST_TEST(left() == "left=0 ");

    turn.here().disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::try_lock && path.ends_with(turn.name.hash)) {
            turn.here().disk.on_call(nullptr);
            turn.nodes.put(turn.at, turn.name, "late");
        }
    });
    BOOST_TEST(turn.run().at(4) == "kept: it has changed meanwhile");
    BOOST_TEST(left() == "left=0 ");

    std::string then;
    turn.here().disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::rename && path.ends_with(turn.name.hash)) {
            turn.here().disk.on_call(nullptr);
            then = left();
        }
    });
    BOOST_TEST(turn.run().at(4) == "removed: handed off");
    BOOST_TEST(then == "left=1 ");
    BOOST_TEST(left() == "left=1 ");
}

// ---- Away for longer than reclaim_age.

namespace {

/// Nothing is noted of it, as of one that Swift had until now, and it was made long ago.
struct Old : Container {
    explicit Old(Where where = Where::primary) : Container(where) {
        clock.advance(settings.reclaim_age + Seconds(60));
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(one_that_a_later_peer_equals_goes_to_an_earlier_one_without_a_copy) {
    Old turn; // asks 0, then 3
    turn.nodes.create(3, turn.name);
    turn.nodes.open(3, turn.name).merge_items(turn.open().items_since(-1, 10), "");
    BOOST_TEST(turn.run() == (Lines{"began", "0 not done", "3 done", "0 done", "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST((turn.nodes.names(0, turn.name) == Names{"row"}));
    BOOST_TEST(turn.stats().stale == 0);
}

BOOST_AUTO_TEST_CASE(a_primary_that_is_the_only_copy_goes_to_its_peers) {
    Old turn;
    BOOST_TEST(turn.run() ==
                   (Lines{"began", "0 not done", "3 not done", "0 done", "3 done", "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST((turn.nodes.names(3, turn.name) == Names{"row"}));
    BOOST_TEST(turn.stats().stale == 1); // it may have expired while a ring had no place for it
}

BOOST_AUTO_TEST_CASE(one_whose_other_peer_does_not_answer_may_not_be_the_only_copy) {
    Old turn;
    turn.nodes.down(3);
    BOOST_TEST(turn.run().back() == "ended badly");
    BOOST_TEST(!turn.nodes.has(0, turn.name));
    BOOST_TEST(turn.stats().stale == 1);
    BOOST_TEST(turn.run().back() == "ended badly");
    BOOST_TEST(turn.stats().stale == 2); // once in a turn
}

BOOST_AUTO_TEST_CASE(a_handoff_that_nobody_else_has_may_be_of_a_database_that_expired) {
    Old turn(Where::handoff);
    BOOST_TEST(turn.run().back() == "ended badly");
    BOOST_TEST(turn.is_here());
    for (const std::size_t peer : {3U, 4U, 0U}) {
        BOOST_TEST(!turn.nodes.has(peer, turn.name));
    }
    BOOST_TEST(turn.stats().stale == 1);
}

// ---- A copy that belongs here, after its peers.

BOOST_AUTO_TEST_CASE_TEMPLATE(tombstones_go_when_every_peer_has_them_and_nobody_has_more, Kind,
                              Kinds) {
    Turn<Kind> turn;
    turn.nodes.erase(turn.at, turn.name, "row");
    turn.settings.accept_stale = true; // nobody was away
    turn.clock.advance(turn.settings.reclaim_age + Seconds(1));
    const auto left = [&] { return turn.nodes.rows(turn.at, turn.name).size(); };

    turn.nodes.down(0);
    (void)turn.run();
    BOOST_TEST(left() == 1U); // one peer does not have it
    turn.nodes.up(0);
    (void)turn.run();
    BOOST_TEST(left() == 1U); // it was sent just now
    turn.nodes.put(3, turn.name, "theirs");
    (void)turn.run();
    BOOST_TEST(left() == 1U); // a peer has what is not here
    turn.nodes.round();
    turn.nodes.round();
    BOOST_TEST((turn.nodes.names(turn.at, turn.name) == Names{"theirs"}));
    (void)turn.run();
    BOOST_TEST(left() == 1U);
    BOOST_TEST(turn.nodes.rows(turn.at, turn.name)[0].name == "theirs");
}

BOOST_AUTO_TEST_CASE(a_handoff_reclaims_nothing) {
    Container turn(Where::handoff);
    turn.settings.accept_stale = true; // it was not away
    turn.nodes.erase(turn.at, turn.name, "row");
    turn.clock.advance(turn.settings.reclaim_age + Seconds(1));
    (void)turn.run();
    for (const std::size_t node : {3U, 4U, 0U}) {
        BOOST_TEST(turn.nodes.rows(node, turn.name).size() == 1U);
    }
}

// ---- What goes wrong.

BOOST_AUTO_TEST_CASE(a_database_that_went_away_or_was_replaced_is_no_error) {
    Container gone;
    gone.here().disk.remove(gone.path());
    BOOST_TEST(gone.run() == (Lines{"began", "ended well"}), boost::test_tools::per_element());

    Container replaced;
    replaced.nodes.after("complete_rsync", [&] {
        if (replaced.here().disk.remove(replaced.path())) {
            replaced.nodes.create(replaced.at, replaced.name);
        }
    });
    const Lines lines = replaced.run();
    BOOST_TEST(lines.back() == "ended well");
    for (const Stats& stats : {gone.stats(), replaced.stats()}) {
        BOOST_TEST(stats.errors + stats.failure == 0);
    }
}

BOOST_AUTO_TEST_CASE(a_lock_that_does_not_come_free_is_told_and_moves_nothing) {
    Container turn;
    turn.nodes.put_pending(turn.at, turn.name, "waits");
    const auto lock = turn.here().disk.try_lock(storage::parent(turn.path()));
    const auto before = turn.nodes.dump(turn.at);
    const Instant start = turn.clock.monotonic();
    const Lines lines = turn.run();
    BOOST_TEST((turn.clock.monotonic() >= start + 25s && turn.clock.monotonic() < start + 26s));
    BOOST_REQUIRE(lines.size() == 3U);
    BOOST_TEST(lines[1].starts_with("failed: " + storage::parent(turn.path())));
    BOOST_TEST(lines[2] == "ended badly");
    BOOST_TEST(turn.stats().errors == 1);
    BOOST_TEST(turn.pass.counted().second.at(turn.here().ip).at("sda") == 1); // the local device
    BOOST_TEST((turn.nodes.dump(turn.at) == before));
    BOOST_TEST(turn.nodes.network().log().empty());
}

BOOST_AUTO_TEST_CASE(a_broken_one_goes_to_quarantine_before_anybody_is_asked) {
    Container turn;
    turn.nodes.damage(turn.at, turn.name, Error::corrupt);
    const std::string shelf =
        turn.nodes.device_path() + "/quarantined/containers/" + turn.name.hash;
    BOOST_TEST(turn.run() == (Lines{"began", "quarantined: " + shelf, "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.stats().quarantined == 1);
    BOOST_TEST(turn.stats().errors == 1);
    BOOST_TEST(turn.nodes.network().log().empty());
    BOOST_TEST(turn.nodes.exists(turn.at, shelf + '/' + turn.name.hash + ".db"));
}

BOOST_AUTO_TEST_CASE(a_broken_one_stays_where_it_is_when_too_many_are) {
    Container turn;
    turn.nodes.damage(turn.at, turn.name, Error::corrupt);
    for (int i = 0; i < HourlyBrake::quarantine_max; ++i) {
        BOOST_REQUIRE(turn.may_quarantine());
    }
    const Lines lines = turn.run();
    BOOST_REQUIRE(lines.size() == 3U);
    BOOST_TEST(lines[1].starts_with("failed: " + turn.path()));
    BOOST_TEST(turn.is_here());
    BOOST_TEST(turn.stats().quarantined == 0);
}

BOOST_AUTO_TEST_CASE(one_that_turns_out_well_stays_and_takes_no_turn_of_the_broken_ones) {
    Container turn;
    const auto good = *turn.here().disk.content(turn.path());
    int opened = 0;
    turn.here().disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::vfs_open && path == turn.path()) {
            if (opened++ < 2) { // by pages, and then by a connection
                turn.nodes.damage(turn.at, turn.name, Error::corrupt);
            } else { // the second look
                turn.here().disk.write(path, good);
            }
        }
    });
    const Lines lines = turn.run();
    turn.here().disk.on_call(nullptr);
    BOOST_TEST(opened == 4);
    BOOST_TEST(lines[1].starts_with("failed: " + turn.path()));
    BOOST_TEST(turn.is_here());
    BOOST_TEST(turn.stats().quarantined == 0);
    for (int i = 0; i < HourlyBrake::quarantine_max; ++i) {
        BOOST_TEST(turn.may_quarantine());
    }
}

BOOST_AUTO_TEST_CASE(a_quarantine_that_fails_is_told_with_both_reasons) {
    Container turn;
    turn.nodes.damage(turn.at, turn.name, Error::corrupt);
    turn.here().disk.fail_next(SimCall::rename_new, "", Error::no_space);
    const Lines lines = turn.run();
    BOOST_REQUIRE(lines.size() == 3U);
    BOOST_TEST(lines[1].starts_with("failed: " + turn.path()));
    BOOST_TEST(lines[1].find("; not quarantined: ") != std::string::npos, lines[1]);
    BOOST_TEST(turn.is_here());
    BOOST_TEST(turn.stats().errors == 1);
}

BOOST_AUTO_TEST_CASE(what_is_no_failure_of_ours_ends_with_the_database_too) {
    Container turn(Where::handoff);
    turn.nodes.network().before([](const SimExchange&, const Request&) { throw std::bad_alloc(); });
    BOOST_TEST(turn.run() == (Lines{"began", "failed: std::bad_alloc", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.pass.counted().first.errors == 1);
    BOOST_TEST(turn.pass.counted().second.at(turn.here().ip).at("sda") == 1);
    BOOST_TEST(turn.is_here());
}
