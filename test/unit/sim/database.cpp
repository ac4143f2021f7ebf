#include <replica/sim/database.hpp>

#define BOOST_TEST_MODULE sim_database
#include <replica/sim/broker.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/disk.hpp>
#include <support/one_node.hpp>
#include <support/shard_ranges.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace replica;
using test::fails_with;

namespace {

using Containers = test::OneNode<ContainerKind>;
using Accounts = test::OneNode<AccountKind>;
using Names = std::set<std::string>;

/// Calls `action` once, in the middle of an operation: before its next call of this kind.
void before_next(SimCall wanted, const SimDisk& disk, std::function<void()> action) {
    disk.on_call([wanted, disk, action = std::move(action)](SimCall call, const std::string&) {
        if (call == wanted) {
            const auto act = action; // it ends the hook that it lives in
            disk.on_call({});
            act();
        }
    });
}

ObjectRow in_policy(const Containers& node, const std::string& name, std::int64_t policy) {
    ObjectRow row = node.row(name);
    row.storage_policy_index = policy;
    return row;
}

template <class D>
concept KnowsShards = requires(D database) { database.shard_ranges(); };
template <class D>
concept KnowsPolicies = requires(D database) { database.misplaced(0, 0, 0); };

static_assert(Database<SimDatabase<ContainerKind>>);
static_assert(Database<SimDatabase<AccountKind>>);
static_assert(KnowsShards<SimDatabase<ContainerKind>>);
static_assert(!KnowsShards<SimDatabase<AccountKind>>);
static_assert(KnowsPolicies<SimDatabase<ContainerKind>>);
static_assert(!KnowsPolicies<SimDatabase<AccountKind>>);

} // namespace

// ---- One change is one transaction.

BOOST_AUTO_TEST_CASE(a_commit_in_the_middle_of_another_change_is_not_lost) {
    Containers node;
    node.create();
    auto mine = node.open();
    before_next(SimCall::commit, node.disk, [&] { node.put("other"); });
    mine.put(node.row("mine"));
    BOOST_TEST((node.names() == Names{"mine", "other"}));
    BOOST_TEST(mine.version() == 2U);
}

BOOST_AUTO_TEST_CASE(a_change_that_may_not_wait_gives_way_to_one_that_was_quicker) {
    Containers node;
    node.create();
    auto mine = node.open();
    mine.set_deadline(node.clock.monotonic());
    before_next(SimCall::commit, node.disk, [&] { node.put("other"); });
    BOOST_CHECK_EXCEPTION(mine.put(node.row("mine")), Failure,
                          fails_with(Error::locked, node.path));
    BOOST_TEST((node.names() == Names{"other"}));
}

BOOST_AUTO_TEST_CASE(a_point_that_another_has_raised_meanwhile_does_not_fall_back) {
    Containers node;
    node.create();
    auto mine = node.open();
    before_next(SimCall::commit, node.disk, [&] {
        node.open().merge_sync_points(std::vector<SyncPoint>{{9, "x"}}, Direction::incoming);
    });
    mine.merge_sync_points(std::vector<SyncPoint>{{5, "x"}}, Direction::incoming);
    BOOST_TEST(mine.sync_point("x", Direction::incoming) == 9);
}

BOOST_AUTO_TEST_CASE(damage_done_in_the_middle_of_a_change_is_found_and_not_mended_by_it) {
    Containers node;
    node.create();
    auto mine = node.open();
    before_next(SimCall::commit, node.disk, [&] { node.broker.damage(node.path, Error::corrupt); });
    BOOST_CHECK_EXCEPTION(mine.put(node.row("mine")), Failure,
                          fails_with(Error::corrupt, node.path));
    BOOST_CHECK_EXCEPTION(node.open(), Failure, fails_with(Error::corrupt, node.path));
}

BOOST_AUTO_TEST_CASE(what_is_read_stays_as_it_was_whatever_is_committed_afterwards) {
    Containers node;
    auto mine = node.create();
    node.put("before");
    const auto state = node.broker.peek(node.path);
    mine.put(node.row("after"));
    BOOST_TEST(state->rows.size() == 1U);
    BOOST_TEST(mine.rows().size() == 2U);
}

BOOST_AUTO_TEST_CASE(every_change_fails_whole_or_is_made_whole_at_each_call_of_the_disk) {
    const auto make = [] {
        auto node = std::make_unique<Containers>();
        node->create();
        node->put("old");
        node->disk.settle();
        return node;
    };
    using Database = SimDatabase<ContainerKind>;
    const std::vector<std::function<void(Database&)>> changes{
        [](Database& db) { db.renew_id(); },
        [](Database& db) { db.adopt("peer"); },
        [](Database& db) { db.set_storage_policy_index(1, *Timestamp::parse("1800000000")); },
        [](Database& db) { db.set_reconciler_sync_point(5, 0); },
        [](Database& db) { db.merge_shard_ranges(test::sharding_ranges(db.info())); },
        [](Database& db) { db.merge_metadata(R"({"A": ["1", "0000000001.00000"]})"); },
        [](Database& db) {
            db.merge_timestamps({"0", "1800000000.00000", "0"});
        }};
    for (const auto& change : changes) {
        test::with_each_call_failing(
            make,
            [&](Containers& node) {
                auto database = node.open();
                change(database);
            },
            [&](Containers& node, bool done) {
                BOOST_TEST(node.broker.peek(node.path)->version == (done ? 2U : 1U));
                node.disk.crash();
                BOOST_TEST(node.broker.peek(node.path)->version == (done ? 2U : 1U));
            });
    }
}

// ---- Deadlines.

BOOST_AUTO_TEST_CASE(a_new_deadline_is_for_every_wait_from_then_on) {
    Containers node;
    node.create();
    auto mine = node.open();
    auto other = node.open();
    const auto exclusive = other.exclusive(node.soon());
    for (const int seconds : {3, 0}) {
        const Instant until = node.clock.monotonic() + std::chrono::seconds(seconds);
        mine.set_deadline(until);
        BOOST_CHECK_EXCEPTION(static_cast<void>(mine.info()), Failure,
                              fails_with(Error::locked, node.path));
        BOOST_TEST((node.clock.monotonic() == until));
        BOOST_CHECK_EXCEPTION(mine.renew_id(), Failure, fails_with(Error::locked, node.path));
    }
}

BOOST_AUTO_TEST_CASE(an_exclusive_lock_and_a_copy_wait_until_the_deadline_that_they_were_given) {
    Containers node;
    node.create();
    auto mine = node.open();
    auto other = node.open();
    const auto exclusive = other.exclusive(node.soon());
    const Instant start = node.clock.monotonic();
    const auto after = [&](int seconds) { return start + std::chrono::seconds(seconds); };
    BOOST_CHECK_EXCEPTION(static_cast<void>(mine.exclusive(after(2))), Failure,
                          fails_with(Error::locked, node.path));
    BOOST_TEST((node.clock.monotonic() == after(2)));
    BOOST_CHECK_EXCEPTION(mine.copy_to(node.device + "/tmp/copy", after(5)), Failure,
                          fails_with(Error::locked, node.path));
    BOOST_TEST((node.clock.monotonic() == after(5)));
    BOOST_TEST(!node.disk.stat(node.device + "/tmp/copy"));
}

BOOST_AUTO_TEST_CASE(a_change_that_waited_for_a_lock_is_made_on_what_its_holder_left) {
    Containers node;
    node.create();
    auto mine = node.open();
    auto holder = node.open();
    std::optional<SimLock> exclusive(holder.exclusive(node.soon()));
    node.clock.at(node.clock.monotonic() + std::chrono::milliseconds(500), [&] {
        holder.put(node.row("holder"));
        exclusive.reset();
    });
    mine.put(node.row("mine"));
    BOOST_TEST((node.names() == Names{"holder", "mine"}));
}

// ---- Copies.

BOOST_AUTO_TEST_CASE(a_copy_that_fails_at_any_call_leaves_nothing_behind) {
    const auto make = [] {
        auto node = std::make_unique<Containers>();
        node->create();
        return node;
    };
    const int calls = test::with_each_call_failing(
        make, [](Containers& node) { node.open().copy_to(node.device + "/tmp/copy", node.soon()); },
        [](Containers& node, bool done) {
            BOOST_TEST(node.disk.stat(node.device + "/tmp/copy").has_value() == done);
        });
    BOOST_TEST(calls > 4); // open, read, look twice, write, sync twice
}

BOOST_AUTO_TEST_CASE(a_copy_is_not_made_over_anything_nor_where_there_is_no_directory) {
    Containers node;
    auto database = node.create();
    const std::string target = node.device + "/tmp/copy";
    node.disk.write(target, "mine");
    BOOST_CHECK_EXCEPTION(database.copy_to(target, node.soon()), Failure,
                          fails_with(Error::exists, target));
    BOOST_TEST(node.disk.content(target)->bytes == "mine");
    BOOST_CHECK_EXCEPTION(database.copy_to(node.device + "/none/copy", node.soon()), Failure,
                          fails_with(Error::missing, node.device + "/none/copy"));
    BOOST_TEST(!node.disk.stat(node.device + "/none"));
}

// ---- Bad input.

BOOST_AUTO_TEST_CASE(a_time_that_is_none_changes_nothing_whichever_of_the_three_it_is) {
    Containers node;
    auto database = node.create();
    const Timestamps good{"1600000000.00000", "1800000000.00000", "1800000001.00000"};
    for (std::string Timestamps::*which :
         {&Timestamps::created_at, &Timestamps::put_timestamp, &Timestamps::delete_timestamp}) {
        Timestamps times = good;
        times.*which = "soon";
        BOOST_CHECK_EXCEPTION(database.merge_timestamps(times), Failure,
                              fails_with(Error::bad_request, node.path));
    }
    BOOST_TEST(database.version() == 0U);
}

BOOST_AUTO_TEST_CASE(bad_rows_metadata_and_damage_are_refused_and_nothing_is_committed) {
    Accounts node;
    auto database = node.create();
    ContainerRow row = node.row("c");
    row.put_timestamp = "soon";
    BOOST_CHECK_EXCEPTION(database.put(row), Failure, fails_with(Error::bad_request, "soon"));
    row = node.row("");
    BOOST_CHECK_EXCEPTION(database.put(row), Failure, fails_with(Error::bad_request, "name"));
    BOOST_CHECK_THROW(database.merge_metadata(R"({"A": "1"})"), Failure);
    BOOST_TEST(database.version() == 0U);
    database.require_sound(node.soon());
    node.broker.damage(node.path, Error::corrupt);
    BOOST_CHECK_EXCEPTION(database.require_sound(node.soon()), Failure,
                          fails_with(Error::corrupt, node.path));
}

// ---- What containers need.

BOOST_AUTO_TEST_CASE(misplaced_rows_come_between_two_points_and_no_more_than_asked) {
    Containers node;
    auto database = node.create();
    for (const std::int64_t policy : {1, 0, 1, 2, 1}) {
        database.put(in_policy(node, "o" + std::to_string(policy), policy));
    }
    const auto rowids = [&](std::int64_t above, std::int64_t up_to, std::int64_t count) {
        std::vector<std::int64_t> result;
        for (const ObjectRow& row : database.misplaced(above, up_to, count)) {
            result.push_back(row.rowid);
        }
        return result;
    };
    // o1 was written three times: its last row is 5.
    BOOST_TEST((rowids(-1, 100, 100) == std::vector<std::int64_t>{4, 5}));
    BOOST_TEST((rowids(4, 100, 100) == std::vector<std::int64_t>{5}));
    BOOST_TEST((rowids(-1, 4, 100) == std::vector<std::int64_t>{4}));
    BOOST_TEST((rowids(-1, 100, 1) == std::vector<std::int64_t>{4}));
    BOOST_TEST(rowids(-1, 100, 0).empty());
    BOOST_TEST(rowids(5, 4, 100).empty());
    database.set_storage_policy_index(1, node.clock.now());
    BOOST_TEST((rowids(-1, 100, 100) == std::vector<std::int64_t>{2, 4}));
}

BOOST_AUTO_TEST_CASE(the_reconcilers_point_is_kept_for_the_policy_that_it_was_made_under) {
    Containers node;
    auto database = node.create();
    BOOST_TEST(database.set_reconciler_sync_point(5, 0));
    BOOST_TEST(database.info().reconciler_sync_point == 5);
    const auto version = database.version();
    BOOST_TEST(!database.set_reconciler_sync_point(9, 1));
    BOOST_TEST(database.version() == version);
    database.set_storage_policy_index(1, node.clock.now());
    BOOST_TEST(database.info().reconciler_sync_point == -1); // all rows are to be looked at anew
    BOOST_TEST(database.set_reconciler_sync_point(9, 1));
}

BOOST_AUTO_TEST_CASE(shard_ranges_come_by_name_and_are_committed_only_if_they_are_news) {
    Containers node;
    auto database = node.create();
    BOOST_TEST(database.shard_ranges().empty());
    const auto ranges = test::sharding_ranges(database.info());
    database.merge_shard_ranges(ranges);
    const auto stored = database.shard_ranges();
    BOOST_TEST_REQUIRE(stored.size() == 2U);
    BOOST_TEST(stored[0].name == ".shards_a/one");
    BOOST_TEST(stored[1].name == "a/c");
    BOOST_TEST(database.info().sharding_initiated);
    const auto version = database.version();
    database.merge_shard_ranges(ranges);
    database.merge_shard_ranges({});
    BOOST_TEST(database.version() == version);
}
