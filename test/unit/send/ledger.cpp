#include <replica/send/ledger.hpp>

#define BOOST_TEST_MODULE ledger
#include <boost/test/unit_test.hpp>

#include <support/confirmed.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

BOOST_AUTO_TEST_CASE(a_database_that_all_peers_have_is_skipped) {
    Confirmed ledger;
    BOOST_TEST(ledger.skips());
    BOOST_TEST(ledger.skips());
    BOOST_TEST(!ledger.may_skip(hash_of(6), state, primaries.digest, now)); // never seen
}

BOOST_AUTO_TEST_CASE(what_was_found_otherwise_once_is_confirmed_anew_before_it_is_skipped) {
    FileStatus written = old_file();
    written.modified_ns += 4'000'000;
    std::vector<Device> elsewhere = primaries.devices;
    elsewhere[1].replication_ip = "10.0.0.9";
    std::vector<Device> other_disk = primaries.devices;
    other_disk[1].device = "sdb";
    std::vector<Device> other_port = primaries.devices;
    other_port[1].replication_port = 1;
    const std::vector<std::pair<FileState, Primaries>> others{
        {*state_of(written, now), primaries}, {state, primaries_of({1, 2, 4})},
        {state, primaries_of({1, 2})},        {state, primaries_of({2, 1, 3})},
        {state, Primaries(elsewhere)},        {state, Primaries(other_disk)},
        {state, Primaries(other_port)}};
    for (const auto& [seen, ring] : others) {
        Confirmed ledger;
        BOOST_TEST(!ledger.skips(seen, ring));
        BOOST_TEST(!ledger.skips()); // it is as before, but what happened meanwhile is not known
        ledger.confirm(hash_of(5), state, primaries, 7, later, 99);
        BOOST_TEST(ledger.skips());
    }
}

BOOST_AUTO_TEST_CASE(what_time_makes_due_is_not_skipped) {
    Confirmed ledger;
    ledger.confirm(hash_of(5), state, primaries, 7, now.plus(Seconds(100)), 99);
    BOOST_TEST(ledger.skips(state, primaries, now.plus(Seconds(99))));
    BOOST_TEST(!ledger.skips(state, primaries, now.plus(Seconds(100))));
    ledger.confirm(hash_of(5), state, primaries, 7, Timestamp{}, 99);
    BOOST_TEST(!ledger.skips());
    const Timestamp last{Timestamp::max_ticks - 1, 0}; // more seconds than an entry has room for
    ledger.confirm(hash_of(5), state, primaries, 7, last, 99);
    BOOST_TEST(!ledger.skips(state, primaries, later));
    const Timestamp ahead = now.plus(Seconds(3e8)); // a clock that was put right after a restart
    ledger.confirm(hash_of(5), state, primaries, 7, ahead.plus(Ledger::longest_rest), 99);
    BOOST_TEST(ledger.skips(state, primaries, ahead));
    BOOST_TEST(!ledger.skips());
}

BOOST_AUTO_TEST_CASE(in_one_of_so_many_passes_each_database_is_opened) {
    Ledger ledger;
    ledger.begin_pass(recheck);
    for (int turn = 0; turn < recheck; ++turn) {
        ledger.confirm(hash_of(turn), state, primaries, 7, later, 99);
    }
    std::vector<int> opened(recheck);
    for (int pass = 0; pass < 3 * recheck; ++pass) {
        int in_this_pass = 0;
        ledger.begin_pass(recheck);
        for (int turn = 0; turn < recheck; ++turn) {
            if (!ledger.may_skip(hash_of(turn), state, primaries.digest, now)) {
                ledger.confirm(hash_of(turn), state, primaries, 7, later, 99);
                ++opened[static_cast<std::size_t>(turn)];
                ++in_this_pass;
            }
        }
        BOOST_TEST(in_this_pass == 1);
    }
    BOOST_TEST((opened == std::vector<int>(recheck, 3)));
}

BOOST_AUTO_TEST_CASE(with_a_recheck_in_every_pass_nothing_is_remembered) {
    Confirmed ledger(1);
    BOOST_TEST(ledger.size() == 0U);
    BOOST_TEST(!ledger.skips());

    Confirmed before; // of a service with other settings
    before.begin_pass(1);
    before.all_agree();
    BOOST_TEST(!before.skips());
}

BOOST_AUTO_TEST_CASE(a_peer_that_lost_something_is_not_believed_in_what_it_said_before) {
    Confirmed ledger;
    ledger.confirm(hash_of(6), state, primaries_of({4, 5, 6}), 7, later, 99);
    ledger.distrust(2);
    BOOST_TEST(!ledger.skips());
    BOOST_TEST(ledger.may_skip(hash_of(6), state, primaries_of({4, 5, 6}).digest, now));
    ledger.begin_pass(recheck);
    BOOST_TEST(!ledger.skips());
    ledger.confirm(hash_of(5), state, primaries, 7, later, 99); // it has been asked again
    BOOST_TEST(ledger.skips());
    ledger.distrust(2);
    BOOST_TEST(!ledger.skips());
}

BOOST_AUTO_TEST_CASE(what_all_had_is_known_although_the_file_has_changed) {
    Confirmed ledger;
    FileStatus written = old_file();
    written.modified_ns += 1;
    const auto now_state = state_of(written, now);
    BOOST_REQUIRE(now_state.has_value());
    ledger.begin_pass(recheck);
    BOOST_TEST(!ledger.may_skip(hash_of(5), *now_state, primaries.digest, now)); // so it is opened
    const Known known = ledger.take(hash_of(5), now_state);
    BOOST_TEST(!known.same);
    BOOST_TEST(known.max_row == 7);
    BOOST_TEST(ledger.take(hash_of(5), now_state).max_row == -1);
    BOOST_TEST(ledger.take(hash_of(6), now_state).max_row == -1); // never heard of
}

BOOST_AUTO_TEST_CASE(what_a_peer_has_stays_known_of_a_database_that_does_not_rest) {
    Confirmed ledger;
    BOOST_TEST(ledger.take(hash_of(5), state).reached == 7); // as all primaries
    ledger.note_rows(hash_of(5), 9);
    ledger.note_rows(hash_of(6), 3); // never heard of
    BOOST_TEST(!ledger.skips());
    for (int turn = 0; turn < 2; ++turn) {
        const Known known = ledger.take(hash_of(5), state);
        BOOST_TEST(!known.same);
        BOOST_TEST(known.max_row == -1);
        BOOST_TEST(known.reached == 9);
        BOOST_TEST(ledger.take(hash_of(6), state).reached == 3);
    }
    ledger.confirm(hash_of(5), state, primaries, 8, later, 99);
    BOOST_TEST(ledger.take(hash_of(5), state).reached == 8);
}

BOOST_AUTO_TEST_CASE(a_database_that_is_opened_is_known_once_as_confirmed) {
    Confirmed ledger;
    ledger.distrust(1);
    BOOST_TEST(ledger.take(hash_of(5), state).same); // the next peer may have lost it as well
    BOOST_TEST(!ledger.take(hash_of(5), state).same);
    BOOST_TEST(!ledger.skips());
    FileStatus written = old_file();
    written.size += 1;
    ledger.confirm(hash_of(5), state, primaries, 7, later, 99);
    BOOST_TEST(!ledger.take(hash_of(5), state_of(written, now)).same);
    ledger.confirm(hash_of(5), state, primaries, 7, later, 99);
    BOOST_TEST(!ledger.take(hash_of(5), std::nullopt).same);
    BOOST_TEST(!ledger.take(hash_of(6), state).same);
    BOOST_TEST(!ledger.skips());
}

BOOST_AUTO_TEST_CASE(passes_that_never_come_to_a_database_in_its_turn_do_not_put_it_off_for_ever) {
    Confirmed ledger;
    ledger.begin_pass(recheck);
    int skipped = 0;
    for (; ledger.skips(); ++skipped) { // every other pass is of another part of the device
        ledger.begin_pass(recheck);
        ledger.begin_pass(recheck);
    }
    BOOST_TEST(skipped == recheck);
}

BOOST_AUTO_TEST_CASE(a_database_that_is_gone_is_forgotten_at_the_end_of_a_walk) {
    Confirmed ledger;
    ledger.confirm(hash_of(6), state, primaries, 7, later, 99);
    ledger.begin_pass(recheck);
    BOOST_TEST(ledger.skips());
    BOOST_TEST(ledger.size() == 2U);
    ledger.end_walk(1);
    BOOST_TEST(ledger.size() == 1U);
    BOOST_TEST(ledger.skips());
    BOOST_TEST(!ledger.may_skip(hash_of(6), state, primaries.digest, now));
}

BOOST_AUTO_TEST_CASE(after_a_jump_of_the_clock_nothing_is_known) {
    Confirmed ledger;
    ledger.clear();
    BOOST_TEST(ledger.size() == 0U);
    BOOST_TEST(!ledger.skips());
}

// ---- Passes that walk nothing.

namespace {

/// What a pass opens, where the ring gives all databases the same primaries.
std::vector<std::string> opened(Ledger& ledger, std::uint32_t digest = primaries.digest,
                                Timestamp at = now) {
    auto hashes = ledger.to_open(at, [&](std::string_view) { return digest; });
    std::ranges::sort(hashes);
    return hashes;
}

using Hashes = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_CASE(what_sleeps_is_not_opened_and_what_was_met_awake_is) {
    Confirmed ledger;
    BOOST_TEST(opened(ledger).empty());
    BOOST_TEST(!ledger.may_skip(hash_of(7), state, primaries.digest, now));
    BOOST_TEST(!ledger.may_skip(hash_of(6), std::nullopt, primaries.digest, now));
    BOOST_TEST((opened(ledger) == Hashes{hash_of(6), hash_of(7)}));
    (void)ledger.take(hash_of(6), state);
    ledger.confirm(hash_of(6), state, primaries, 7, later, 99);
    ledger.forget(hash_of(7));
    ledger.forget(hash_of(8));
    BOOST_TEST(opened(ledger).empty());
}

BOOST_AUTO_TEST_CASE(what_the_feed_has_told_is_opened_until_it_was_read_after_that) {
    Confirmed ledger;
    ledger.touch(hash_of(5));
    ledger.touch(hash_of(6)); // new
    BOOST_TEST((opened(ledger) == Hashes{hash_of(5), hash_of(6)}));
    BOOST_TEST(!ledger.skips(), "a walk opens it as well, whatever the file looks like");
    ledger.confirm(hash_of(5), state, primaries, 7, later, 99); // read before the write
    BOOST_TEST((opened(ledger) == Hashes{hash_of(5), hash_of(6)}));
    BOOST_TEST(ledger.take(hash_of(5), state).max_row == 7);
    ledger.confirm(hash_of(5), state, primaries, 7, later, 99);
    BOOST_TEST((opened(ledger) == Hashes{hash_of(6)}));
    ledger.end_walk(1);
    BOOST_TEST(ledger.size() == 2U, "what comes while a walk is under way stays");
    ledger.begin_pass(recheck);
    ledger.end_walk(0);
    BOOST_TEST(ledger.size() == 0U);
}

BOOST_AUTO_TEST_CASE(what_comes_back_behind_a_walk_is_not_forgotten_by_it) {
    Confirmed ledger; // 5 has been handed off since, and a ring wants it here again
    ledger.begin_pass(recheck);
    ledger.begin_walk(Instant{}); // comes to the place of 5, and it is not there
    ledger.touch(hash_of(5));     // a peer brings it
    ledger.end_walk(0, true);
    BOOST_TEST((opened(ledger) == Hashes{hash_of(5)}));
    BOOST_TEST(ledger.knows_all(Instant{}, Seconds(3600)), "so nothing else would come to it");
}

BOOST_AUTO_TEST_CASE(a_write_while_the_peers_are_asked_keeps_a_database_awake) {
    Confirmed ledger;
    (void)ledger.take(hash_of(5), state);
    ledger.touch(hash_of(5));
    ledger.confirm(hash_of(5), state, primaries, 7, later, 99);
    BOOST_TEST((opened(ledger) == Hashes{hash_of(5)}));
}

BOOST_AUTO_TEST_CASE(time_a_ring_a_lost_peer_and_a_recheck_open_what_sleeps) {
    Confirmed ledger;
    ledger.confirm(hash_of(5), state, primaries, 7, now.plus(Seconds(100)), 99);
    BOOST_TEST(opened(ledger, primaries.digest, now.plus(Seconds(99))).empty());
    BOOST_TEST(opened(ledger, primaries.digest, now.plus(Seconds(100))).size() == 1U);

    Confirmed moved;
    BOOST_TEST(opened(moved, primaries_of({1, 2, 4}).digest).size() == 1U);
    BOOST_TEST(opened(moved).size() == 1U, "it is back, but what happened meanwhile is not known");

    Confirmed doubted;
    doubted.distrust(2);
    BOOST_TEST(opened(doubted).size() == 1U);

    Confirmed rechecked;
    for (int pass = 2; pass <= 25; ++pass) {
        rechecked.begin_pass(recheck);
        BOOST_TEST(opened(rechecked).size() == (pass % 10 == 5 || pass >= 21 ? 1U : 0U), pass);
    }
}

BOOST_AUTO_TEST_CASE(a_pass_walks_unless_all_is_known) {
    constexpr Seconds hour{3600};
    const Instant start{};
    const auto ended = [&] {
        Confirmed ledger;
        ledger.begin_walk(start);
        ledger.end_walk(1, true);
        return ledger;
    };
    BOOST_TEST(!Confirmed().knows_all(start, hour), "never walked");
    BOOST_TEST(ended().knows_all(start, hour));
    BOOST_TEST(ended().knows_all(start + to_duration(Seconds(3599)), hour));
    BOOST_TEST(!ended().knows_all(start + to_duration(hour), hour));
    BOOST_TEST(!ended().knows_all(start, Seconds(0)));

    Confirmed bad = ended();
    bad.begin_walk(start);
    BOOST_TEST(!bad.knows_all(start, hour), "a walk that was stopped");
    bad.end_walk(1);
    BOOST_TEST(!bad.knows_all(start, hour), "a walk that met an error");

    Confirmed missed = ended();
    missed.miss();
    BOOST_TEST(!missed.knows_all(start, hour));
    missed.begin_walk(start);
    missed.miss(); // during the walk
    missed.end_walk(1, true);
    BOOST_TEST(!missed.knows_all(start, hour));
    missed.begin_walk(start);
    missed.end_walk(1, true);
    BOOST_TEST(missed.knows_all(start, hour));
    missed.clear();
    BOOST_TEST(!missed.knows_all(start, hour), "a clock has jumped");
}

// ---- Comparing with another node.

BOOST_AUTO_TEST_CASE(what_all_peers_are_known_to_have_is_not_rechecked_in_this_pass) {
    for (const bool all : {true, false}) {
        Confirmed ledger;
        for (int pass = 2; pass <= 5; ++pass) {
            ledger.begin_pass(recheck);
            ledger.agree(1, {});
            ledger.agree(2, {});
            if (all) {
                ledger.all_agree();
            }
            BOOST_TEST(ledger.skips() == (all || pass != 5));
        }
    }
}

BOOST_AUTO_TEST_CASE(what_was_not_in_the_comparison_is_left_to_the_rechecks) {
    Confirmed ledger;
    for (int pass = 2; pass <= 5; ++pass) { // walks that are cut short, as by restarts
        ledger.begin_pass(recheck);
    }
    BOOST_TEST(ledger.summary(2, 8).databases == 0);
    ledger.all_agree();
    Confirmed walked = ledger;
    BOOST_TEST(!walked.skips());
    BOOST_TEST(opened(ledger).size() == 1U);
    BOOST_TEST(opened(ledger).empty(), "now a pass has come to it");
}

BOOST_AUTO_TEST_CASE(a_content_that_a_peer_lacks_is_opened) {
    Confirmed ledger;
    ledger.confirm(hash_of(6), state, primaries, 7, later, 100);
    ledger.begin_pass(recheck);
    ledger.agree(2, {99});
    BOOST_TEST(!ledger.may_skip(hash_of(5), state, primaries.digest, now));
    BOOST_TEST(ledger.may_skip(hash_of(6), state, primaries.digest, now));
}

BOOST_AUTO_TEST_CASE(a_summary_has_what_was_met_lately_and_is_shared) {
    Confirmed ledger;
    ledger.confirm(hash_of(6), state, primaries_of({1, 4}), 7, later, 100);
    BOOST_TEST((ledger.peers_of(1) == std::set<std::int64_t>{2, 3, 4}));
    BOOST_TEST(ledger.summary(2, 8).walked == -1); // no walk has ended
    const auto databases = [&](std::int64_t peer) { return ledger.summary(peer, 8).databases; };
    BOOST_TEST(databases(2) == 1);
    BOOST_TEST(databases(4) == 1);
    BOOST_TEST(databases(1) == 2);
    BOOST_TEST(databases(5) == 0);
    Sketch expected(std::size_t{8});
    expected.add(99);
    BOOST_TEST((ledger.summary(2, 8).sketch.cells() == expected.cells()));

    ledger.begin_pass(recheck); // this walk has not come to it yet
    BOOST_TEST(databases(2) == 1);
    FileStatus written = old_file();
    written.size += 1;
    BOOST_TEST(!ledger.may_skip(hash_of(5), *state_of(written, now), primaries.digest, now));
    BOOST_TEST(databases(2) == 0); // what it has is not known any more
    ledger.end_walk(2);
    BOOST_TEST(ledger.summary(2, 8).walked == 2);
    BOOST_TEST(databases(4) == 0); // gone: the walk has not met it
}

BOOST_AUTO_TEST_CASE(a_ledger_that_was_cleared_is_not_that_of_an_empty_device) {
    Confirmed ledger;
    ledger.end_walk(1);
    BOOST_TEST(ledger.summary(2, 8).walked == 1);
    ledger.clear(); // a clock has jumped
    BOOST_TEST(ledger.summary(2, 8).walked == -1);
    BOOST_TEST(ledger.peers_of(1).empty());
}

BOOST_AUTO_TEST_CASE(devices_that_share_nothing_any_more_are_not_asked) {
    Confirmed ledger;
    ledger.confirm(hash_of(6), state, primaries_of({1, 4}), 7, later, 100);
    ledger.begin_pass(recheck);
    BOOST_TEST(ledger.may_skip(hash_of(5), state, primaries.digest, now));
    ledger.end_walk(1); // the other has gone to another device
    BOOST_TEST((ledger.peers_of(1) == std::set<std::int64_t>{2, 3}));
}

BOOST_AUTO_TEST_CASE(the_sketch_at_hand_is_that_of_all_that_sleeps) {
    Ledger ledger;
    std::map<int, std::uint64_t> asleep;
    const auto agrees = [&](const Ledger& it) {
        Sketch expected(Ledger::few_cells);
        for (const auto& [number, content] : asleep) {
            expected.add(content);
        }
        const Summary found = it.summary(2, Ledger::few_cells);
        return found.databases == static_cast<std::int64_t>(asleep.size()) &&
               found.sketch.cells() == expected.cells();
    };
    const auto sleep = [&](int number, std::uint64_t content) {
        (void)ledger.take(hash_of(number), state);
        ledger.confirm(hash_of(number), state, primaries, 7, later, content);
        asleep[number] = content;
    };
    ledger.begin_pass(recheck);
    for (int number = 1; number < 10; ++number) {
        sleep(number, 1000 + static_cast<std::uint64_t>(number));
    }
    BOOST_TEST(agrees(ledger));
    sleep(1, 2000); // it was written to, and all have the rows
    BOOST_TEST(agrees(ledger));
    ledger.touch(hash_of(2));
    (void)ledger.take(hash_of(3), state);
    BOOST_TEST(!ledger.may_skip(hash_of(4), std::nullopt, primaries.digest, now));
    ledger.agree(2, {1005});
    ledger.forget(hash_of(6));
    for (int number = 2; number <= 6; ++number) {
        asleep.erase(number);
        ledger.touch(hash_of(number)); // twice is once
    }
    BOOST_TEST(agrees(ledger));
    std::string text;
    ledger.append_to(text);
    std::string_view rest = text;
    BOOST_TEST(agrees(Ledger::read(rest)));
    ledger.begin_pass(recheck);
    BOOST_TEST(!ledger.may_skip(hash_of(2), state, primaries.digest, now));
    BOOST_TEST(ledger.may_skip(hash_of(7), state, primaries.digest, now));
    ledger.end_walk(2);
    asleep = {{7, 1007}};
    BOOST_TEST(agrees(ledger));
}

BOOST_AUTO_TEST_CASE(after_passes_that_came_to_part_of_a_device_only_that_is_vouched_for) {
    Confirmed ledger;
    ledger.confirm(hash_of(6), state, primaries, 7, later, 100);
    const auto databases = [&] { return ledger.summary(2, Ledger::few_cells).databases; };
    (void)opened(ledger);
    ledger.begin_pass(recheck);
    BOOST_TEST(databases() == 2); // the last pass knew of both
    for (int pass = 0; pass < 2; ++pass) {
        ledger.begin_pass(recheck);
        BOOST_TEST(ledger.may_skip(hash_of(6), state, primaries.digest, now));
    }
    BOOST_TEST(databases() == 1);
}
