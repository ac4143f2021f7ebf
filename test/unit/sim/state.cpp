#include <replica/sim/state.hpp>

#define BOOST_TEST_MODULE sim_state
#include <replica/account/kind.hpp>
#include <replica/container/kind.hpp>

#include <boost/test/unit_test.hpp>

#include <support/shard_ranges.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Containers = sim::State<ContainerKind>;
using Accounts = sim::State<AccountKind>;

Timestamp at(int second) {
    return Timestamp::from_seconds(second);
}

ObjectRow object(const std::string& name, int second, std::int64_t size = 1,
                 std::int64_t policy = 0) {
    ObjectRow row;
    row.name = name;
    row.created_at = at(second).internal();
    row.size = size;
    row.content_type = "text/plain";
    row.etag = "e";
    row.storage_policy_index = policy;
    return row;
}

ObjectRow tombstone(const std::string& name, int second) {
    ObjectRow row = object(name, second, 0);
    row.content_type = "application/deleted";
    row.etag = "noetag";
    row.deleted = 1;
    return row;
}

ContainerRow container(const std::string& name, int second, std::int64_t count,
                       std::int64_t bytes) {
    return {-1, name, at(second).internal(), "0", count, bytes, 0, 0};
}

template <class State>
void merge(State& state, const std::vector<typename State::row_type>& rows,
           std::optional<std::int64_t> known = {}) {
    state.merge(rows, known);
}

/// ROWIDs by name.
template <class State>
std::map<std::string, std::int64_t> rowids(const State& state) {
    std::map<std::string, std::int64_t> result;
    for (const auto& [rowid, row] : state.rows) {
        BOOST_TEST(row.rowid == rowid);
        result[row.name] = rowid;
    }
    return result;
}

using Rowids = std::map<std::string, std::int64_t>;

Containers named() {
    Containers state;
    state.stat.account = "a";
    state.stat.container = "c";
    return state;
}

} // namespace

// ---- What it says of itself.

BOOST_AUTO_TEST_CASE(a_new_state_has_nothing_in_it) {
    const ContainerInfo info = Containers().info();
    BOOST_TEST(info.count == 0);
    BOOST_TEST(info.max_row == -1);
    BOOST_TEST(info.hash == std::string(32, '0'));
    BOOST_TEST(info.shard_max_row == -1);
    BOOST_TEST(!info.sharding_initiated);
    BOOST_TEST(!info.several_policies);
    BOOST_TEST(!Containers().damage.has_value());
}

BOOST_AUTO_TEST_CASE(what_comes_from_the_rows_is_not_what_was_stored) {
    Containers state;
    state.stat.hash = "stale";
    state.stat.count = state.stat.bytes_used = state.stat.max_row = 99;
    state.stat.live_rows = 99;
    state.stat.shard_max_row = 99;
    state.stat.several_policies = state.stat.sharding_initiated = true;
    BOOST_TEST((state.info() == Containers().info()));
    Accounts account;
    account.stat.count = account.stat.object_count = account.stat.bytes_used = 99;
    BOOST_TEST((account.info() == Accounts().info()));
}

BOOST_AUTO_TEST_CASE(objects_of_the_own_policy_count_and_live_ones_of_all_are_told) {
    Containers state;
    merge(state,
          {object("a", 1, 10), object("b", 1, 20), object("c", 1, 40, 1), tombstone("d", 1)});
    BOOST_TEST(state.info().count == 2);
    BOOST_TEST(state.info().bytes_used == 30);
    BOOST_TEST(state.info().live_rows == 3);
    BOOST_TEST(state.info().max_row == 4);
}

BOOST_AUTO_TEST_CASE(an_account_sums_up_what_its_containers_reported) {
    Accounts state;
    ContainerRow gone = container("gone", 1, 0, 0);
    gone.delete_timestamp = at(2).internal();
    gone.deleted = 1;
    merge(state, {container("a", 1, 3, 40), container("b", 1, 4, 50), gone});
    BOOST_TEST(state.info().count == 2);
    BOOST_TEST(state.info().object_count == 7);
    BOOST_TEST(state.info().bytes_used == 90);
}

BOOST_AUTO_TEST_CASE(a_policy_that_a_row_once_had_is_remembered_when_the_row_is_gone) {
    Containers state;
    merge(state, {object("a", 1)});
    BOOST_TEST(!state.info().several_policies);
    ObjectRow row = tombstone("b", 1);
    row.storage_policy_index = 1;
    merge(state, {row});
    BOOST_TEST(state.info().several_policies);
    BOOST_TEST(state.reclaim(state.info(), at(9), {}));
    BOOST_TEST(state.rows.size() == 1U);
    BOOST_TEST(state.info().several_policies);
}

BOOST_AUTO_TEST_CASE(a_container_that_changes_its_policy_has_had_two) {
    Containers state;
    state.stat.reconciler_sync_point = 7;
    BOOST_TEST(!state.change_policy(0));
    BOOST_TEST(state.stat.reconciler_sync_point == 7);
    BOOST_TEST(!state.info().several_policies);
    BOOST_TEST(state.change_policy(1));
    BOOST_TEST(state.info().storage_policy_index == 1);
    BOOST_TEST(state.info().reconciler_sync_point == -1);
    BOOST_TEST(state.info().several_policies);
}

// ---- Rows.

BOOST_AUTO_TEST_CASE(rows_of_one_transaction_are_taken_in_the_order_of_their_keys) {
    Containers state;
    merge(state, {object("c", 1), object("a", 1), object("b", 1, 1, 1), object("b", 1)});
    BOOST_TEST((rowids(state) == Rowids{{"a", 1}, {"b", 3}, {"c", 4}})); // b in policy 0 is 2
    BOOST_TEST(state.rows.at(2).storage_policy_index == 0);
    BOOST_TEST(state.index.size() == 4U);
}

BOOST_AUTO_TEST_CASE(a_key_that_comes_twice_in_a_transaction_takes_one_rowid) {
    Containers state;
    merge(state, {object("a", 2, 20), object("a", 1, 10), object("b", 1)});
    BOOST_TEST((rowids(state) == Rowids{{"a", 1}, {"b", 2}}));
    BOOST_TEST(state.rows.at(1).size == 20);
}

BOOST_AUTO_TEST_CASE(a_row_moves_above_all_points_if_it_is_news_or_won_a_tie_and_else_stays) {
    Containers state;
    merge(state, {object("a", 5, 5), object("b", 5)});
    merge(state, {object("a", 5, 5)}); // the same
    merge(state, {object("a", 4, 9)}); // older
    BOOST_TEST((rowids(state) == Rowids{{"a", 1}, {"b", 2}}));
    merge(state, {object("a", 5, 4)}); // the loser of a tie: who has it must hear of the winner
    BOOST_TEST((rowids(state) == Rowids{{"a", 3}, {"b", 2}}));
    BOOST_TEST(state.rows.at(3).size == 5);
    merge(state, {object("a", 5, 6)}); // the winner of a tie
    BOOST_TEST((rowids(state) == Rowids{{"a", 4}, {"b", 2}}));
    BOOST_TEST(state.rows.at(4).size == 6);
    merge(state, {tombstone("b", 6)});
    BOOST_TEST((rowids(state) == Rowids{{"a", 4}, {"b", 5}}));
    BOOST_TEST(state.max_row == 5);
}

BOOST_AUTO_TEST_CASE(counts_that_a_container_reports_anew_replace_the_old_and_repeats_do_not) {
    Accounts state;
    merge(state, {container("c", 1, 5, 50)});
    merge(state, {container("c", 1, 3, 30)});
    BOOST_TEST(state.info().object_count == 3);
    auto again = container("c", 1, 5, 50);
    again.rowid = 12;
    merge(state, {again}, 12);
    BOOST_TEST(state.info().object_count == 3);
    BOOST_TEST((rowids(state) == Rowids{{"c", 3}})); // the other side gets it
    merge(state, {again}, 11);
    BOOST_TEST(state.info().object_count == 5);
}

BOOST_AUTO_TEST_CASE(a_bad_row_is_refused_before_any_of_its_transaction_is_taken) {
    Containers state;
    ObjectRow bad = object("z", 1);
    bad.created_at = "soon";
    BOOST_CHECK_THROW(merge(state, {object("a", 1), bad}), Failure);
    BOOST_TEST(state.rows.empty());
    BOOST_TEST(state.max_row == -1);
}

BOOST_AUTO_TEST_CASE(the_hash_follows_every_change_and_damage_to_it_is_seen) {
    Containers state;
    BOOST_TEST((state.computed_hash() == state.hash));
    merge(state, {object("a", 1), object("b", 1), tombstone("c", 1)});
    BOOST_TEST((state.computed_hash() == state.hash));
    merge(state, {object("a", 2), object("b", 1, 0)});
    BOOST_TEST((state.computed_hash() == state.hash));
    BOOST_TEST(state.reclaim(state.info(), at(9), {}));
    BOOST_TEST((state.computed_hash() == state.hash));
    BOOST_TEST((state.hash != Md5Digest{}));
    state.hash[15] ^= 1U;
    BOOST_TEST((state.computed_hash() != state.hash));
}

BOOST_AUTO_TEST_CASE(rows_above_a_point_come_rising_and_no_more_than_asked) {
    Containers state;
    merge(state, {object("a", 1), object("b", 1), object("c", 1)});
    merge(state, {object("a", 2)}); // 1 -> 4: a gap, and the last by ROWID
    const auto names = [&](std::int64_t point, std::int64_t limit) {
        std::string result;
        for (const ObjectRow& row : state.since(point, limit)) {
            result += row.name;
        }
        return result;
    };
    BOOST_TEST(names(-1, 100) == "bca");
    BOOST_TEST(names(2, 100) == "ca");
    BOOST_TEST(names(-1, 2) == "bc");
    BOOST_TEST(names(-1, 0).empty());
    BOOST_TEST(names(4, 100).empty());
}

// ---- Points.

BOOST_AUTO_TEST_CASE(a_point_never_falls_but_is_touched_each_time) {
    Containers state;
    state.raise(Direction::incoming, "x", 5, at(10));
    state.raise(Direction::incoming, "x", 3, at(20));
    state.raise(Direction::outgoing, "x", 3, at(30));
    BOOST_TEST((state.incoming.at("x") == sim::Mark{5, at(20)}));
    BOOST_TEST((state.outgoing.at("x") == sim::Mark{3, at(30)}));
    BOOST_TEST(&state.marks(Direction::incoming) == &state.incoming);
    BOOST_TEST(&std::as_const(state).marks(Direction::outgoing) == &state.outgoing);
}

// ---- Times and status.

BOOST_AUTO_TEST_CASE(a_database_is_deleted_if_that_was_later_and_nothing_is_left_in_it) {
    Containers state = named();
    state.stat.put_timestamp = at(5).internal();
    BOOST_TEST(!state.deleted());
    state.stat.delete_timestamp = at(5).internal();
    BOOST_TEST(!state.deleted()); // a tie is for the put
    state.stat.delete_timestamp = at(6).internal();
    BOOST_TEST(state.deleted());
    merge(state, {object("o", 1)});
    BOOST_TEST(!state.deleted());
    merge(state, {tombstone("o", 2)});
    BOOST_TEST(state.deleted());
}

BOOST_AUTO_TEST_CASE(a_merge_of_times_tells_whether_the_database_went_or_came_back) {
    Containers state;
    state.stat.created_at = state.stat.put_timestamp = at(5).internal();
    const auto time = [](int second) { return at(second).internal(); };
    BOOST_TEST(!state.merge({time(6), time(4), time(4)})); // nothing new in it
    BOOST_TEST((state.stat.timestamps() == Timestamps{time(5), time(5), time(4)}));
    BOOST_TEST(state.merge({time(3), time(5), time(7)}));
    BOOST_TEST((state.stat.timestamps() == Timestamps{time(3), time(5), time(7)}));
    BOOST_TEST(!state.merge({time(3), time(5), time(8)})); // deleted it was before
    BOOST_TEST(state.merge({time(3), time(9), time(8)}));
}

BOOST_AUTO_TEST_CASE(of_equal_times_in_two_forms_every_replica_keeps_the_same) {
    Containers one;
    Containers two;
    one.stat.delete_timestamp = "0";
    two.stat.delete_timestamp = "0000000000.00000";
    const Timestamps mine = one.stat.timestamps();
    BOOST_TEST(!one.merge(two.stat.timestamps()));
    BOOST_TEST(!two.merge(mine));
    BOOST_TEST(one.stat.delete_timestamp == two.stat.delete_timestamp);
}

BOOST_AUTO_TEST_CASE(the_time_of_a_change_of_status_never_falls) {
    Containers state;
    state.change_status(at(5));
    BOOST_TEST(state.stat.status_changed_at == at(5).internal());
    state.change_status(at(4));
    BOOST_TEST(state.stat.status_changed_at == at(5).internal());
}

BOOST_AUTO_TEST_CASE(metadata_that_is_older_is_no_news) {
    Containers state;
    BOOST_TEST(state.merge(Metadata::parse(R"({"A": ["1", "0000000002.00000"]})")));
    BOOST_TEST(!state.merge(Metadata::parse(R"({"A": ["0", "0000000001.00000"]})")));
    BOOST_TEST(!state.merge(Metadata()));
    BOOST_TEST(state.stat.metadata == R"({"A": ["1", "0000000002.00000"]})");
}

BOOST_AUTO_TEST_CASE(metadata_that_cannot_be_read_stays_for_a_person_to_mend) {
    Containers state;
    state.stat.metadata = "unreadable";
    const auto news = Metadata::parse(R"({"B": ["2", "0000000001.00000"]})");
    BOOST_CHECK_THROW(static_cast<void>(state.merge(news)), Failure);
    BOOST_TEST(!state.reclaim(state.info(), at(9), {}));
    BOOST_TEST(state.stat.metadata == "unreadable");
}

// ---- Reclaim.

BOOST_AUTO_TEST_CASE(reclaim_takes_each_thing_by_its_own_age_and_tells_whether_there_was_one) {
    Containers state;
    merge(state, {object("live", 1), tombstone("old", 4), tombstone("young", 5)});
    state.raise(Direction::incoming, "gone", 1, at(4));
    state.raise(Direction::outgoing, "here", 1, at(5));
    BOOST_TEST(!state.reclaim(state.info(), at(4), at(4))); // what is as old as the age stays
    BOOST_TEST(state.reclaim(state.info(), at(5), at(4)));
    BOOST_TEST((rowids(state) == Rowids{{"live", 1}, {"young", 3}}));
    BOOST_TEST(state.index.size() == 2U);
    BOOST_TEST(!state.reclaim(state.info(), at(5), at(4)));
    BOOST_TEST(state.reclaim(state.info(), at(5), at(5)));
    BOOST_TEST(state.incoming.empty());
    BOOST_TEST(state.outgoing.size() == 1U);
    BOOST_TEST(state.max_row == 3); // never falls
}

BOOST_AUTO_TEST_CASE(a_metadata_key_that_was_removed_long_ago_goes_with_the_tombstones) {
    Containers state;
    state.stat.metadata = R"({"A": ["", "0000000004.00000"], "B": ["", "0000000005.00000"], )"
                          R"("C": ["1", "0000000001.00000"]})";
    BOOST_TEST(state.reclaim(state.info(), at(5), {}));
    BOOST_TEST(state.stat.metadata ==
               R"({"B": ["", "0000000005.00000"], "C": ["1", "0000000001.00000"]})");
    BOOST_TEST(!state.reclaim(state.info(), at(5), {}));
}

BOOST_AUTO_TEST_CASE(a_name_that_comes_back_after_its_tombstone_is_a_new_row) {
    Containers state;
    merge(state, {tombstone("o", 1)});
    BOOST_TEST(state.reclaim(state.info(), at(2), {}));
    merge(state, {object("o", 3)});
    BOOST_TEST((rowids(state) == Rowids{{"o", 2}}));
}

BOOST_AUTO_TEST_CASE(what_was_reported_is_forgotten_and_accounts_report_nothing) {
    Containers state;
    state.stat.reported_put_timestamp = state.stat.reported_delete_timestamp = at(1).internal();
    state.stat.reported_object_count = state.stat.reported_bytes_used = 7;
    state.forget_reports();
    BOOST_TEST((state.stat == ContainerInfo()));
    Accounts account;
    account.stat.account = "a";
    const AccountInfo before = account.stat;
    account.forget_reports();
    BOOST_TEST((account.stat == before));
}

// ---- Shard ranges.

BOOST_AUTO_TEST_CASE(each_range_that_is_written_takes_a_rowid_and_no_other_does) {
    Containers state = named();
    const auto ranges = sharding_ranges(state.stat);
    BOOST_TEST(state.merge_shard_ranges(ranges));
    BOOST_TEST(state.info().shard_max_row == 2);
    BOOST_TEST(!state.merge_shard_ranges(ranges));
    BOOST_TEST(!state.merge_shard_ranges({}));
    BOOST_TEST(state.info().shard_max_row == 2);
    auto news = ranges;
    news[1].state = shards::sharding;
    BOOST_TEST(state.merge_shard_ranges(news));
    BOOST_TEST(state.info().shard_max_row == 3);
    BOOST_TEST(state.info().max_row == -1); // rows have their own
}

BOOST_AUTO_TEST_CASE(a_container_gives_rows_away_once_it_has_a_shard_to_give_them_to) {
    Containers state = named();
    BOOST_TEST(state.own_range() == "a/c");
    auto ranges = sharding_ranges(state.stat, shards::active);
    BOOST_TEST(state.merge_shard_ranges(ranges));
    BOOST_TEST(!state.info().sharding_initiated); // not yet
    ranges[0].state = shards::sharding;
    BOOST_TEST(state.merge_shard_ranges(ranges));
    BOOST_TEST(state.info().sharding_initiated);
    ranges[1].deleted = 1;
    ranges[1].timestamp = at_second(3);
    BOOST_TEST(state.merge_shard_ranges(ranges));
    BOOST_TEST(!state.info().sharding_initiated); // nobody there to take them
    Containers other = named();
    other.stat.container = "other";
    BOOST_TEST(other.merge_shard_ranges(sharding_ranges(named().stat)));
    BOOST_TEST(!other.info().sharding_initiated); // the range is another container's
}
