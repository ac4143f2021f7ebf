#include <replica/peer.hpp>

#define BOOST_TEST_MODULE peer
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>
#include <support/shard_ranges.hpp>

#include <string>
#include <tuple>
#include <vector>

using namespace replica;
using namespace replica::test;
using decide::Outcome;

namespace {

using Servers = std::tuple<AccountServer, ContainerServer>;
using Said = std::vector<std::string>;
using Containers = Duo<ContainerServer>;

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

/// A row of the other node's that differs from ours in what the hash does not cover.
void make_differ_beside_the_hash(Containers& duo) {
    auto row = Containers::Nodes::make_row("same", duo.clock.now(), 1, false);
    duo.open(0).put(row);
    row.size = 2;
    duo.open(1).put(row);
}

} // namespace

// ---- Each way.

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_without_the_database_gets_the_file, Server, Servers) {
    Duo<Server> duo;
    duo.nodes.put(0, duo.name, "one");
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.said() == (Said{"sync 404", "complete_rsync 204"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.stats().rsync == 1);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.said() == Said{"sync 200"}, boost::test_tools::per_element());
    BOOST_TEST(duo.stats().no_change == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_lacks_some_rows_gets_those, Server, Servers) {
    Duo<Server> duo;
    fill(duo, 5, 3);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.said() == (Said{"sync 200", "merge_items 202", "merge_syncs 202"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 8U);
    BOOST_TEST(duo.stats().diff == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_far_behind_gets_the_file_and_merges_its_own_rows, Server,
                              Servers) {
    Duo<Server> duo;
    duo.settings.per_diff = 10;
    fill(duo, 50, 3);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    BOOST_TEST(duo.said() == (Said{"sync 200", "rsync_then_merge 204", "sync 200"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 53U);
    BOOST_TEST(duo.stats().remote_merge == 1);
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
            (void)task.database().version();
        } catch (const Failure& failure) {
            BOOST_TEST((failure.error() == Error::locked));
        }
        return duo.clock.monotonic() - before;
    });
    BOOST_TEST((waited >= std::chrono::seconds(25)));
}

BOOST_AUTO_TEST_CASE(a_stock_peer_that_notes_a_point_beyond_our_last_row_is_stepped_over) {
    for (const bool written_meanwhile : {false, true}) {
        Containers duo;
        duo.settings.per_diff = 10;
        fill(duo, 50, 3);
        const std::string id = duo.open(0).info().id;
        duo.nodes.after("rsync_then_merge", [&] {
            // As Swift does: the new file's last ROWID, its own rows included.
            note(duo, 1, id, duo.open(1).info().max_row, Direction::incoming);
            if (written_meanwhile) {
                duo.nodes.put(0, duo.name, "meanwhile");
            }
        });
        BOOST_TEST((*duo.replicate() == Outcome::done));
        duo.nodes.network().after({});
        BOOST_TEST((duo.open(0).info().max_row == 53) == !written_meanwhile);
        duo.nodes.put(0, duo.name, "later");
        BOOST_TEST((*duo.replicate() == Outcome::done));
        // In the first case by one batch of one row; in the second under a new id.
        BOOST_TEST((duo.open(0).info().id == id) == !written_meanwhile);
        BOOST_TEST((duo.stats().rows == 1) == !written_meanwhile);
        const auto theirs = duo.nodes.names(1, duo.name);
        for (const std::string& name : duo.nodes.names(0, duo.name)) {
            BOOST_TEST(theirs.contains(name), name);
        }
    }
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

BOOST_AUTO_TEST_CASE_TEMPLATE(times_and_metadata_are_taken_over_from_the_answer, Server, Servers) {
    Duo<Server> duo;
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
        duo.nodes.network().answer({}, Reply{status, "", "", ""});
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
        auto info = duo.name.info;
        info.db_state = "sharded";
        duo.here().disk.remove(duo.path());
        duo.here().broker.create(duo.path(), info);
        fill(duo, rows, 0);
        duo.open(0).merge_shard_ranges(sharding_ranges(info, shards::sharded));
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

BOOST_AUTO_TEST_CASE(a_difference_that_stays_is_sent_again_in_the_third_pass) {
    Containers duo;
    fill(duo, 0, 0);
    make_differ_beside_the_hash(duo);
    duo.nodes.round(); // points say that both have everything
    BOOST_TEST((duo.open(0).info().bytes_used != duo.open(1).info().bytes_used));
    const std::string here = duo.open(0).info().id;
    const std::string there = duo.open(1).info().id;
    note(duo, 0, there, 1, Direction::incoming);
    note(duo, 1, here, 1, Direction::incoming);
    duo.nodes.network().clear_log();
    for (int pass = 1; pass <= 3; ++pass) {
        BOOST_TEST((*duo.replicate() == Outcome::done));
        BOOST_TEST(duo.stats().diverged == (pass < 3 ? 0 : 1));
    }
    BOOST_TEST(duo.said() ==
                   (Said{"sync 200", "sync 200", "sync 200", "merge_items 202", "merge_syncs 202"}),
               boost::test_tools::per_element());
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

BOOST_AUTO_TEST_CASE(a_copy_that_leaves_is_not_done_before_the_last_of_many_rows_was_sent_again) {
    Containers duo;
    duo.settings.per_diff = 10;
    duo.settings.max_diffs = 2;
    fill(duo, 45, 0);
    note(duo, 1, duo.open(0).info().id, 45, Direction::incoming);
    BOOST_TEST((*duo.replicate(true) == Outcome::progress));
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 20U);
    // What went over counts at the peer as rows of its own that we have not been sent: by points
    // and hashes alone nothing would look wrong any more.
    BOOST_TEST((*duo.replicate(true) == Outcome::progress));
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 40U); // not the first twenty again
    BOOST_TEST((*duo.replicate(true) == Outcome::done));
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 45U);
    BOOST_TEST((*duo.replicate(true) == Outcome::done));
    BOOST_TEST(duo.said().back() == "sync 200"); // and that was all
}
