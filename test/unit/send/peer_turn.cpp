#include <replica/send/peer_turn.hpp>

#define BOOST_TEST_MODULE peer
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>
#include <support/shard_ranges.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;
using decide::Outcome;

namespace {

using Kinds = std::tuple<AccountKind, ContainerKind>;
using Said = std::vector<std::string>;
using Containers = Duo<ContainerKind>;

/// Both nodes have a database; this one has `ours` rows and the other `theirs`.
template <class D>
void fill(D& duo, int ours, int theirs) {
    duo.nodes.create(1, duo.name);
    if (ours > 0) {
        duo.nodes.put_many(0, duo.name, "ours", ours);
    }
    if (theirs > 0) {
        duo.nodes.put_many(1, duo.name, "theirs", theirs);
    }
}

void note(Containers& duo, std::size_t at, const std::string& id, std::int64_t point,
          Direction direction) {
    duo.open(at).merge_sync_points(std::vector<SyncPoint>{{point, id}}, direction);
}

Reply info_reply(const ContainerInfo& info, std::int64_t point) {
    return {200, "text/html", message::encode_reply(info, point), ""};
}

/// The peer has all rows of ours, whatever else it has.
void require_all_there(Containers& duo) {
    const auto theirs = duo.nodes.names(1, duo.name);
    for (const std::string& name : duo.nodes.names(0, duo.name)) {
        BOOST_TEST(theirs.contains(name), name);
    }
}

/// A row of the other node's that differs from ours in what the hash does not cover.
void make_differ_beside_the_hash(Containers& duo) {
    auto row = Containers::Nodes::make_row("same", duo.clock.now(), 1, false);
    duo.open(0).put(row);
    row.size = 2;
    duo.open(1).put(row);
}

} // namespace

// ---- Each way.

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_without_the_database_gets_the_file, Kind, Kinds) {
    Duo<Kind> duo;
    duo.nodes.put(0, duo.name, "one");
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.said() == (Said{"sync 404", "complete_rsync 204"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.stats().rsync == 1);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.said() == Said{"sync 200"}, boost::test_tools::per_element());
    BOOST_TEST(duo.stats().no_change == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_lacks_some_rows_gets_those, Kind, Kinds) {
    Duo<Kind> duo;
    fill(duo, 5, 3);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.said() == (Said{"sync 200", "sync 200"}), boost::test_tools::per_element());
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 8U);
    BOOST_TEST(duo.stats().diff == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_takes_no_rows_along_gets_them_after_its_answer, Kind,
                              Kinds) {
    Duo<Kind> duo;
    duo.settings.rows_along = 0;
    fill(duo, 5, 3);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.said() == (Said{"sync 200", "merge_items 202", "merge_syncs 202"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 8U);
    BOOST_TEST(duo.stats().diff == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_far_behind_gets_the_file_and_merges_its_own_rows, Kind,
                              Kinds) {
    Duo<Kind> duo;
    duo.settings.per_diff = 10;
    fill(duo, 50, 3);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.said() ==
                   (Said{"sync 200", "rsync_then_merge 204", "merge_syncs 202", "sync 200"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 53U);
    BOOST_TEST(duo.stats().remote_merge == 1);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.stats().no_change == 1);
}

// A lock is waited for from the call on, not from when the database was opened.
BOOST_AUTO_TEST_CASE(a_peer_that_took_longer_than_a_lock_is_waited_for_costs_only_time) {
    Containers duo;
    fill(duo, 5, 3);
    duo.nodes.after("merge_items", [&] { duo.clock.advance(Seconds(9)); });
    const auto outcome = duo.with_task([&](auto& task, const Device& to) {
        duo.clock.advance(Seconds(60)); // other peers had their turn
        return replicate_to_peer(task, to);
    });
    BOOST_TEST((*outcome == Outcome::done));
    duo.nodes.network().after({});
    const auto waited = duo.with_task([&](auto& task, const Device&) {
        auto other = duo.open(0);
        const auto guard = other.exclusive(duo.soon());
        duo.clock.advance(Seconds(60));
        const Instant before = duo.clock.monotonic();
        try {
            (void)task.database().items_since(-1, 1);
        } catch (const Failure& failure) {
            BOOST_TEST((failure.error() == Error::locked));
        }
        return duo.clock.monotonic() - before;
    });
    BOOST_TEST((waited >= std::chrono::seconds(25)));
}

BOOST_AUTO_TEST_CASE(equal_content_by_the_hash_is_noted_and_nothing_is_sent) {
    Containers duo;
    duo.nodes.create(1, duo.name);
    auto info = duo.open(0).info();
    info.id = "stock";
    duo.nodes.put(0, duo.name, "one");
    info.hash = duo.open(0).info().hash;
    info.count = 1;
    info.bytes_used = 1;
    info.max_row = 9;
    duo.nodes.network().answer({}, info_reply(info, -1));
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.stats().hashmatch == 1);
    BOOST_TEST(duo.open(0).sync_point("stock", Direction::outgoing) == 1);
    BOOST_TEST(duo.said() == Said{"sync 200"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_file_restored_from_an_older_copy_gets_a_new_id_and_sends_its_rows) {
    Containers duo;
    fill(duo, 3, 0);
    const std::string id = duo.open(0).info().id;
    note(duo, 1, id, 9, Direction::incoming); // it has seen nine rows of that id
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.open(0).info().id != id);
    BOOST_TEST(duo.stats().reidentified == 1);
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_file_with_the_peers_own_id_gets_a_new_one) {
    Containers duo;
    duo.nodes.put(0, duo.name, "one");
    auto info = duo.open(0).info();
    duo.there().broker.create(duo.path(), info); // somebody copied the file
    duo.nodes.put(1, duo.name, "two");
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.open(0).info().id != info.id);
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_peer_that_knows_rows_of_a_brand_new_id_is_not_believed) {
    Containers duo;
    duo.nodes.put(0, duo.name, "one");
    auto info = duo.open(0).info();
    info.id = "liar";
    duo.nodes.network().answer({}, info_reply(info, 1000), 0);
    const auto outcome = duo.replicate();
    BOOST_REQUIRE(!outcome);
    BOOST_TEST((outcome.error().code == Error::bad_reply));
    BOOST_TEST(duo.said().size() == 2U); // it ends
}

// ---- What an answer brings.

BOOST_AUTO_TEST_CASE_TEMPLATE(times_and_metadata_are_taken_over_from_the_answer, Kind, Kinds) {
    Duo<Kind> duo;
    fill(duo, 1, 1);
    const Timestamps times{"1300000000.00000", "1900000000.00000", "1900000001.00000"};
    duo.open(1).merge_timestamps(times);
    duo.open(1).merge_metadata(R"({"X-Theirs": ["b", "1400000000.00000"]})");
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST((duo.open(0).info().timestamps() == times));
    BOOST_TEST(duo.open(0).info().metadata.find("X-Theirs") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(metadata_that_cannot_be_read_is_left_out_and_rows_go_all_the_same) {
    for (const char* bad : {"no JSON", "[]", R"({"a": [1, 2]})"}) {
        Containers duo;
        fill(duo, 2, 0);
        auto info = duo.open(1).info();
        info.metadata = bad;
        duo.nodes.network().answer(Containers::verb("sync"), info_reply(info, -1));
        BOOST_TEST((*duo.replicate() == Outcome::done));
        BOOST_TEST(duo.nodes.names(1, duo.name).size() == 2U);
        BOOST_TEST(duo.open(0).info().metadata.empty());
    }
}

// What the answer brings is written first of all; those that leave are what makes space.
BOOST_AUTO_TEST_CASE(an_answer_that_cannot_be_written_keeps_no_row_of_a_copy_that_leaves) {
    for (const Error error : {Error::no_space, Error::io, Error::corrupt, Error::moved}) {
        for (const bool leaves : {true, false}) {
            Containers duo;
            fill(duo, 5, 3);
            duo.open(1).merge_timestamps(
                {"1300000000.00000", "1900000000.00000", "1900000001.00000"});
            duo.open(1).merge_metadata(R"({"X-Theirs": ["b", "1400000000.00000"]})");
            const bool unwritable = error == Error::no_space || error == Error::io;
            duo.nodes.after("sync", [&] {
                if (unwritable) {
                    duo.here().disk.fail_next(SimCall::vfs_write, duo.path(), error, 0);
                } else if (error == Error::corrupt) {
                    duo.nodes.damage(0, duo.name, error);
                } else {
                    duo.here().disk.rename(duo.path(), duo.path() + ".away");
                }
            });
            if (leaves && unwritable) {
                BOOST_TEST((*duo.replicate(true) == Outcome::done));
                require_all_there(duo);
            } else {
                BOOST_CHECK_EXCEPTION(duo.replicate(leaves), Failure, [&](const Failure& failure) {
                    return failure.error() == error;
                });
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_point_that_cannot_be_noted_is_told_and_the_next_peer_has_its_turn) {
    for (const Error error : {Error::no_space, Error::io}) {
        Containers duo;
        fill(duo, 5, 3);
        duo.settings.rows_along = 0; // of rows that go along no point is noted here
        duo.here().disk.fail_next(SimCall::vfs_write, duo.path(), error, 0);
        BOOST_TEST((*duo.replicate() == Outcome::done));
        require_all_there(duo);
        BOOST_TEST(duo.stats().errors == 1);
        BOOST_TEST(duo.pass.counted().second.at(duo.here().ip).at("sda") == 1); // the local device
        duo.here().disk.clear_faults();
        BOOST_TEST((*duo.replicate() == Outcome::done));
        BOOST_TEST(duo.stats().rows == 5); // the peer's own point says as much
    }
    Containers duo;
    fill(duo, 5, 3);
    duo.settings.rows_along = 0;
    duo.nodes.after("merge_syncs", [&] { duo.nodes.damage(0, duo.name, Error::corrupt); });
    BOOST_CHECK_EXCEPTION(duo.replicate(), Failure,
                          [](const Failure& failure) { return failure.error() == Error::corrupt; });
}

// The peer could not take over ours either: values may be in this copy alone.
BOOST_AUTO_TEST_CASE(a_copy_that_leaves_is_not_done_with_a_peer_whose_metadata_cannot_be_read) {
    Containers duo;
    fill(duo, 2, 0);
    auto info = duo.open(1).info();
    info.metadata = "no JSON";
    duo.nodes.network().answer(Containers::verb("sync"), info_reply(info, -1));
    const auto outcome = duo.replicate(true);
    BOOST_REQUIRE(!outcome);
    BOOST_TEST((outcome.error().code == Error::bad_request));
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 2U);
    BOOST_TEST((*duo.replicate(true) == Outcome::done)); // mended
}

BOOST_AUTO_TEST_CASE(an_answer_that_makes_no_sense_changes_nothing_and_is_the_peers_fault) {
    Containers duo;
    fill(duo, 2, 0);
    const auto before = duo.open(0).info();
    for (const std::string body :
         {"", "<html>", "[]", "{}", R"({"id": "x", "hash": "y", "max_row": 3})",
          R"({"id": "x", "hash": "y", "max_row": -9223372036854775808, "point": 1})",
          R"({"id": "x", "hash": "y", "max_row": 3, "point": 1, "put_timestamp": "soon"})"}) {
        duo.nodes.network().answer({}, Reply{200, "text/html", body, ""});
        const auto outcome = duo.replicate();
        BOOST_REQUIRE(!outcome);
        BOOST_TEST((outcome.error().code == Error::bad_reply), body);
        BOOST_TEST(outcome.error().what.starts_with("10.0.0.2:6201/sda: "));
    }
    BOOST_TEST((duo.open(0).info() == before));
    BOOST_TEST(duo.nodes.rows(1, duo.name).empty());
}

BOOST_AUTO_TEST_CASE(another_status_is_a_fault_and_is_never_silent) {
    for (const int status : {400, 405, 500, 503, 507}) {
        Containers duo;
        duo.nodes.network().answer({}, Reply{status, "", "", ""}, 2); // rows refused, and all else
        const auto outcome = duo.replicate();
        BOOST_REQUIRE(!outcome);
        BOOST_TEST(outcome.error().what.find(std::to_string(status)) != std::string::npos);
        BOOST_TEST((outcome.error().code == Condition::hand_off) == (status == 507));
    }
}

BOOST_AUTO_TEST_CASE(rows_of_a_container_that_is_being_sharded_are_left_to_the_sharder) {
    Containers duo;
    fill(duo, 2, 0);
    duo.open(0).merge_shard_ranges(sharding_ranges(duo.name.info));
    BOOST_TEST((*duo.replicate() == Outcome::deferred));
    BOOST_TEST(duo.said() == (Said{"sync 200", "merge_shard_ranges 202"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.nodes.rows(1, duo.name).empty());
    BOOST_TEST(duo.stats().deferred == 1);
    BOOST_TEST((duo.open(1).shard_ranges() == duo.open(0).shard_ranges()));
}

BOOST_AUTO_TEST_CASE(a_sharding_that_only_the_peer_knows_of_stops_our_rows_at_once) {
    Containers duo;
    fill(duo, 2, 0);
    duo.open(1).merge_shard_ranges(sharding_ranges(duo.name.info));
    BOOST_TEST((*duo.replicate() == Outcome::deferred));
    BOOST_TEST(duo.said() == (Said{"sync 200", "get_shard_ranges 200", "merge_shard_ranges 202"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.nodes.rows(1, duo.name).empty());
    BOOST_TEST(duo.open(0).info().sharding_initiated);
}

BOOST_AUTO_TEST_CASE(the_rows_of_a_shard_are_replicated_like_any) {
    Containers duo;
    fill(duo, 2, 1);
    const std::string own = duo.name.info.account + '/' + duo.name.info.container;
    duo.open(0).merge_shard_ranges(std::vector{range_of(own, shards::active)});
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.nodes.rows(1, duo.name).size() == 3);
    const std::int64_t written = duo.open(1).info().shard_max_row;
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.open(1).info().shard_max_row == written); // no news, nothing written
}

BOOST_AUTO_TEST_CASE(of_a_sharded_container_only_one_without_rows_has_nothing_left) {
    for (const int rows : {0, 2}) {
        Containers duo;
        fill(duo, rows, 0);
        const auto ranges = sharding_ranges(duo.name.info, shards::sharded);
        duo.open(0).merge_shard_ranges(ranges);
        duo.file =
            storage::parent(duo.path()) + '/' + duo.name.hash + '_' + *ranges[0].epoch + ".db";
        duo.here().disk.rename(duo.path(), duo.file);
        BOOST_TEST((*duo.replicate() == (rows == 0 ? Outcome::done : Outcome::deferred)));
        BOOST_TEST(duo.stats().deferred == 1);
    }
}

BOOST_AUTO_TEST_CASE(a_peer_that_lost_a_sharding_container_gets_its_file) {
    Containers duo;
    duo.nodes.put_many(0, duo.name, "ours", 2);
    duo.open(0).merge_shard_ranges(sharding_ranges(duo.name.info));
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST((duo.open(1).shard_ranges() == duo.open(0).shard_ranges()));
    BOOST_TEST(duo.nodes.rows(1, duo.name).size() == 2);
}

BOOST_AUTO_TEST_CASE(rows_go_over_even_if_the_peer_refuses_ranges_but_that_counts_as_failed) {
    Containers duo;
    fill(duo, 2, 0);
    duo.open(0).merge_shard_ranges(std::vector{range_of("a/shard", shards::active)});
    duo.nodes.network().answer(duo.verb("merge_shard_ranges"), Reply{500, "", "", ""});
    BOOST_TEST(!duo.replicate());
    BOOST_TEST(duo.nodes.rows(1, duo.name).size() == 2);
}

BOOST_AUTO_TEST_CASE(ranges_of_a_peer_that_cannot_be_read_are_its_failure) {
    Containers duo;
    fill(duo, 2, 0);
    duo.open(1).merge_shard_ranges(sharding_ranges(duo.name.info));
    duo.nodes.network().answer(duo.verb("get_shard_ranges"), Reply{200, "", "[{}]", ""});
    const auto outcome = duo.replicate();
    BOOST_REQUIRE(!outcome);
    BOOST_TEST((outcome.error().code == Error::bad_reply));
    BOOST_TEST(duo.open(0).shard_ranges().empty());
}

// ---- Points that say more than there is.

namespace {

/// A pass that begins when we have all of the peer's rows.
void replicate_after_the_peer(Containers& duo) {
    const auto remote = duo.open(1).info();
    note(duo, 0, remote.id, std::max<std::int64_t>(remote.max_row, 0), Direction::incoming);
    BOOST_TEST(duo.replicate().has_value());
}

} // namespace

BOOST_AUTO_TEST_CASE(a_difference_that_stays_is_sent_again_in_the_second_pass) {
    Containers duo;
    fill(duo, 0, 0);
    make_differ_beside_the_hash(duo);
    const std::string here = duo.open(0).info().id;
    const std::string there = duo.open(1).info().id;
    note(duo, 0, there, 1, Direction::incoming); // both say that they have everything
    note(duo, 1, here, 1, Direction::incoming);
    for (int pass = 1; pass <= 2; ++pass) {
        BOOST_TEST((*duo.replicate() == Outcome::done));
        BOOST_TEST(duo.stats().diverged == (pass < 2 ? 0 : 1));
    }
    BOOST_TEST(duo.said() == (Said{"sync 200", "sync 200", "merge_items 202", "merge_syncs 202"}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_difference_in_a_database_that_is_written_to_all_the_time_is_seen_as_well) {
    Containers duo;
    fill(duo, 0, 0);
    duo.nodes.put(0, duo.name, "lacking");
    const std::string here = duo.open(0).info().id;
    const std::string there = duo.open(1).info().id;
    std::int64_t last = 0;
    for (int pass = 1; pass <= 2; ++pass) {
        auto row =
            Containers::Nodes::make_row("new " + std::to_string(pass), duo.clock.now(), 1, false);
        duo.open(0).put(row);
        duo.open(1).put(row);
        last = duo.open(0).info().max_row;
        note(duo, 0, there, duo.open(1).info().max_row, Direction::incoming);
        note(duo, 1, here, last, Direction::incoming);
        BOOST_TEST((*duo.replicate() == Outcome::done));
    }
    BOOST_TEST(duo.stats().diverged == 1);
    BOOST_TEST(duo.nodes.names(1, duo.name).contains("lacking"));
}

BOOST_AUTO_TEST_CASE(a_wrong_hash_of_ours_is_mended_when_rows_are_due_and_none_is_sent) {
    Containers duo;
    fill(duo, 3, 0);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    duo.nodes.damage(0, duo.name, Error{});
    duo.nodes.network().clear_log();
    note(duo, 0, duo.open(1).info().id, 3, Direction::incoming); // as if it had had a pass
    for (int pass = 1; pass <= 8; ++pass) {
        BOOST_TEST((duo.open(0).info().hash != duo.open(1).info().hash));
        BOOST_TEST((*duo.replicate() == Outcome::done));
        BOOST_TEST(duo.said() == Said{"sync 200"}, boost::test_tools::per_element());
        duo.nodes.network().clear_log();
    }
    BOOST_TEST(duo.open(0).info().hash == duo.open(1).info().hash);
    BOOST_TEST(duo.stats().diverged == 0);
}

// As a stock one, of a row with the time of its own.
BOOST_AUTO_TEST_CASE(a_receiver_that_drops_a_row_gets_the_file_the_third_time) {
    Containers duo;
    fill(duo, 0, 0);
    make_differ_beside_the_hash(duo); // the other one is the greater
    note(duo, 0, duo.open(1).info().id, 1, Direction::incoming);
    note(duo, 1, duo.open(0).info().id, 1, Direction::incoming);
    duo.nodes.network().answer(duo.verb("merge_items"), Reply{202, "", "", ""}, 0);
    for (int pass = 1; pass <= 3; ++pass) {
        duo.nodes.network().clear_log();
        BOOST_TEST((*duo.replicate() == Outcome::done));
    }
    BOOST_TEST(duo.said() ==
                   (Said{"sync 200", "rsync_then_merge 204", "merge_syncs 202", "sync 200"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.stats().diverged == 2);
    BOOST_TEST(duo.stats().remote_merge == 1);
}

BOOST_AUTO_TEST_CASE(all_rows_sent_again_go_on_although_new_ones_come_in_each_pass) {
    Containers duo;
    duo.settings.per_diff = 10;
    duo.settings.max_diffs = 2;
    fill(duo, 45, 44);
    // Both say that they have everything; neither has a row of the other.
    note(duo, 0, duo.open(1).info().id, 44, Direction::incoming);
    note(duo, 1, duo.open(0).info().id, 45, Direction::incoming);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST((*duo.replicate() == Outcome::progress)); // 20 of 45
    duo.nodes.put(0, duo.name, "new");
    BOOST_TEST((*duo.replicate() == Outcome::progress)); // the new one first, then 20 more
    BOOST_TEST(duo.nodes.names(1, duo.name).contains("new"));
    duo.nodes.put(0, duo.name, "newer");
    BOOST_TEST((*duo.replicate() == Outcome::done));
    require_all_there(duo);
}

// Resends that take turns would leave no pass in which all peers are done, and nothing is
// reclaimed.
BOOST_AUTO_TEST_CASE(while_one_peer_is_sent_all_again_the_difference_of_a_later_one_waits) {
    Containers duo;
    duo.settings.per_diff = 2;
    duo.settings.max_diffs = 1;
    fill(duo, 5, 4);
    const std::string there = duo.open(1).info().id;
    note(duo, 0, there, 4, Direction::incoming);
    note(duo, 1, duo.open(0).info().id, 5, Direction::incoming);
    BOOST_TEST((*duo.replicate() == Outcome::done)); // seen once
    duo.with_task([&](auto& turn, const Device& to) {
        turn.resending = true; // to an earlier peer
        BOOST_TEST((*replicate_to_peer(turn, to) == Outcome::done));
        return 0;
    });
    BOOST_TEST(duo.stats().rows == 0);
    duo.with_task([&](auto& turn, const Device& to) { // the second sighting
        BOOST_TEST((*replicate_to_peer(turn, to) == Outcome::progress));
        BOOST_TEST(turn.resending);
        return 0;
    });
    duo.with_task([&](auto& turn, const Device& to) { // what was begun goes on
        turn.resending = true;
        BOOST_TEST((*replicate_to_peer(turn, to) == Outcome::progress));
        return 0;
    });
    BOOST_TEST(duo.stats().rows == 4);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    require_all_there(duo);
}

// It may have been away while a stock replicator had it.
BOOST_AUTO_TEST_CASE(a_copy_that_was_never_followed_sends_all_it_may_over_several_passes) {
    Containers duo;
    duo.settings.per_diff = 2;
    duo.settings.max_diffs = 1;
    fill(duo, 0, 0);
    duo.clock.advance(duo.settings.reclaim_age + Seconds(1));
    for (const char* const name : {"a", "b", "c", "d", "e"}) {
        duo.nodes.put(0, duo.name, name);
    }
    note(duo, 1, duo.open(0).info().id, 5, Direction::incoming);
    for (const std::size_t there : {0U, 2U, 4U, 5U, 5U}) {
        replicate_after_the_peer(duo);
        BOOST_TEST(duo.nodes.names(1, duo.name).size() == there);
    }
    BOOST_TEST(duo.stats().rows == 5);
    BOOST_TEST(duo.stats().stale == 0);
}

// A point of another copy would speak of the row that was held back, and so would our own.
BOOST_AUTO_TEST_CASE(after_a_row_that_was_held_back_no_points_go_in_any_later_pass) {
    Containers duo;
    fill(duo, 0, 0);
    duo.nodes.put(0, duo.name, "old");
    duo.clock.advance(duo.settings.reclaim_age + Seconds(1));
    duo.nodes.put(0, duo.name, "young");
    const std::string third = "11111111-2222-3333-4444-555555555555";
    note(duo, 0, third, 9, Direction::incoming);
    note(duo, 1, duo.open(0).info().id, 2, Direction::incoming); // says the peer
    for (int pass = 1; pass <= 8; ++pass) {
        replicate_after_the_peer(duo);
        BOOST_TEST(duo.open(1).sync_point(third, Direction::incoming) == -1);
        BOOST_TEST(duo.open(0).sync_point(duo.open(1).info().id, Direction::outgoing) == -1);
    }
    BOOST_TEST(duo.nodes.names(1, duo.name) == std::set<std::string>{"young"});
    BOOST_TEST(duo.stats().rows == 4); // each time that it is due: passes 2, 4, 5 and 7
}

BOOST_AUTO_TEST_CASE(a_row_that_is_held_back_does_not_stop_those_behind_it) {
    Containers duo;
    duo.settings.per_diff = 2;
    duo.settings.max_diffs = 1;
    fill(duo, 0, 0);
    duo.nodes.put(0, duo.name, "old");
    duo.clock.advance(duo.settings.reclaim_age + Seconds(1));
    for (int number = 0; number < 16; ++number) {
        duo.nodes.put(0, duo.name, "young " + std::to_string(number));
    }
    note(duo, 1, duo.open(0).info().id, 17, Direction::incoming);
    for (int pass = 1; pass <= 10; ++pass) { // nine of two rows each, from the second on
        replicate_after_the_peer(duo);
    }
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 16U);
    BOOST_TEST(duo.stats().rows == 16);
}

// Rows that were deleted meanwhile would live again (invariant I1).
BOOST_AUTO_TEST_CASE(an_unfinished_resend_of_a_copy_that_was_away_sends_no_old_rows) {
    Containers duo;
    duo.settings.per_diff = 2;
    duo.settings.max_diffs = 1;
    fill(duo, 4, 0);
    const std::string there = duo.open(1).info().id;
    note(duo, 1, duo.open(0).info().id, 4, Direction::incoming);
    duo.open(0).set_sync_point(
        {duo.clock.now().ticks / Timestamp::ticks_per_second, notes::agreed()},
        Direction::outgoing);
    note(duo, 0, there, 0, Direction::incoming);
    for (int pass = 1; pass <= 2; ++pass) {
        BOOST_TEST(duo.replicate().has_value());
    }
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 2U); // and two more in the next pass
    duo.clock.advance(duo.settings.reclaim_age * 2.0);
    duo.nodes.put(1, duo.name, "theirs");
    for (int pass = 1; pass <= 4; ++pass) {
        BOOST_TEST(duo.replicate().has_value());
        BOOST_TEST(duo.nodes.names(1, duo.name).size() == 3U);
    }
}

BOOST_AUTO_TEST_CASE(a_resend_that_others_have_finished_is_not_gone_on_with) {
    Containers duo;
    duo.settings.per_diff = 2;
    duo.settings.max_diffs = 1;
    fill(duo, 5, 0);
    const std::string here = duo.open(0).info().id;
    note(duo, 1, here, 5, Direction::incoming);
    note(duo, 0, duo.open(1).info().id, 0, Direction::incoming);
    for (int pass = 1; pass <= 2; ++pass) {
        BOOST_TEST(duo.replicate().has_value());
    }
    duo.open(1).merge_items(duo.open(0).items_since(-1, 10), "");
    BOOST_TEST((*duo.replicate() == Outcome::done)); // the contents are the same
    duo.nodes.put(0, duo.name, "new");
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.stats().rows == 3);
    BOOST_TEST(duo.stats().diverged == 1);
}

BOOST_AUTO_TEST_CASE(a_copy_that_belongs_here_trusts_its_own_note_and_one_that_leaves_does_not) {
    // The peer was restored from a copy that never knew us; our note says that it has all our rows.
    for (const bool leaves : {false, true}) {
        Containers duo;
        fill(duo, 3, 0);
        note(duo, 0, duo.open(1).info().id, 3, Direction::outgoing);
        BOOST_TEST((*duo.replicate(leaves) == Outcome::done));
        BOOST_TEST(duo.nodes.names(1, duo.name).size() == (leaves ? 3U : 0U));
    }
}

BOOST_AUTO_TEST_CASE(a_copy_that_leaves_sends_its_rows_at_once_if_the_contents_differ) {
    Containers duo;
    fill(duo, 3, 0);
    note(duo, 1, duo.open(0).info().id, 3, Direction::incoming); // says the peer; it has none
    BOOST_TEST((*duo.replicate(true) == Outcome::done));
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 3U);
}

// A handoff's point of a primary is nearly always behind: primaries send handoffs nothing.
BOOST_AUTO_TEST_CASE(a_copy_that_leaves_takes_no_point_for_proof_whatever_else_the_peer_has) {
    for (const std::int64_t point : {1, 2, 3}) {
        Containers duo;
        fill(duo, 3, 1);
        note(duo, 1, duo.open(0).info().id, point, Direction::incoming);
        BOOST_TEST((*duo.replicate(true) == Outcome::done));
        require_all_there(duo);
    }
}

BOOST_AUTO_TEST_CASE(a_copy_that_leaves_with_the_same_content_is_not_sent_again) {
    Containers duo;
    fill(duo, 3, 0);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    duo.nodes.network().clear_log();
    for (int pass = 0; pass < 3; ++pass) {
        BOOST_TEST((*duo.replicate(true) == Outcome::done));
    }
    BOOST_TEST(duo.said() == (Said{"sync 200", "sync 200", "sync 200"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.stats().rows == 3);
}

// It waits for another primary, while clients write to this one.
BOOST_AUTO_TEST_CASE(a_copy_that_leaves_and_cannot_yet_sends_its_rows_once_and_then_what_is_new) {
    for (const int theirs : {4, 1}) { // by rows, and as a file
        Containers duo;
        duo.settings.per_diff = 4;
        fill(duo, 6, theirs);
        note(duo, 1, duo.open(0).info().id, 6, Direction::incoming);
        BOOST_TEST((*duo.replicate(true) == Outcome::done));
        const std::int64_t rows = theirs == 4 ? 6 : 0;
        BOOST_TEST(duo.stats().rows == rows);
        for (int pass = 0; pass < 4; ++pass) {
            duo.nodes.put(1, duo.name, "client " + std::to_string(pass));
            BOOST_TEST((*duo.replicate(true) == Outcome::done));
        }
        BOOST_TEST(duo.stats().rows == rows);
        BOOST_TEST(duo.stats().diverged == 0);
        duo.nodes.put(0, duo.name, "late");
        BOOST_TEST((*duo.replicate(true) == Outcome::done));
        BOOST_TEST(duo.stats().rows == rows + 1);
        require_all_there(duo);
    }
}

// The ring has changed twice.
BOOST_AUTO_TEST_CASE(a_copy_that_was_to_leave_and_belongs_here_again_sends_only_what_is_new) {
    Containers duo;
    fill(duo, 3, 1);
    BOOST_TEST((*duo.replicate(true) == Outcome::done));
    for (const std::int64_t rows : {4, 5}) {
        duo.nodes.put(0, duo.name, "new " + std::to_string(rows));
        BOOST_TEST((*duo.replicate() == Outcome::done));
        BOOST_TEST(duo.stats().rows == rows);
    }
    BOOST_TEST(duo.stats().diverged == 0);
    require_all_there(duo);
}

BOOST_AUTO_TEST_CASE(a_copy_that_leaves_begins_again_if_the_peer_has_another_file_or_knows_less) {
    for (const bool another_file : {true, false}) {
        Containers duo;
        fill(duo, 4, 3);
        const auto before = *duo.there().disk.content(duo.path());
        BOOST_TEST((*duo.replicate(true) == Outcome::done));
        BOOST_TEST(duo.nodes.names(1, duo.name).size() == 7U);
        duo.there().disk.write(duo.path(), before); // restored
        if (another_file) {
            duo.open(1).renew_id();
            note(duo, 1, duo.open(0).info().id, 4, Direction::incoming);
        }
        BOOST_TEST((*duo.replicate(true) == Outcome::done));
        require_all_there(duo);
    }
}

BOOST_AUTO_TEST_CASE(a_copy_that_leaves_is_not_done_before_the_last_of_many_rows_was_sent_again) {
    for (const std::string besides : {"nothing", "a new row", "a full disk", "a read-only disk"}) {
        Containers duo;
        duo.settings.per_diff = 10;
        duo.settings.max_diffs = 2;
        fill(duo, 45, 30);
        note(duo, 1, duo.open(0).info().id, 45, Direction::incoming);
        if (besides.ends_with("disk")) { // what cannot be noted is remembered
            const Error error = besides == "a full disk" ? Error::no_space : Error::io;
            duo.here().disk.fail_next(SimCall::vfs_write, duo.path(), error, 0);
        }
        BOOST_TEST((*duo.replicate(true) == Outcome::progress));
        BOOST_TEST(duo.nodes.names(1, duo.name).size() == 50U);
        if (besides == "a new row") {
            duo.nodes.put(0, duo.name, "new");
        }
        // The first twenty count at the peer as rows of its own that we have not been sent: by
        // points alone nothing would look wrong any more.
        BOOST_TEST((*duo.replicate(true) == Outcome::progress));
        BOOST_TEST(duo.nodes.names(1, duo.name).size() == 70U); // not those again
        BOOST_TEST((*duo.replicate(true) == Outcome::done));
        require_all_there(duo);
        BOOST_TEST((*duo.replicate(true) == Outcome::done));
        BOOST_TEST(duo.said().back() == "sync 200"); // and that was all
        BOOST_TEST(duo.stats().rows == (besides == "a new row" ? 46 : 45));
    }
}
