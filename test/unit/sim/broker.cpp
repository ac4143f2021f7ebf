#include <replica/sim/broker.hpp>

#define BOOST_TEST_MODULE sim_broker
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/broker.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

using namespace replica;

namespace {

const std::string directory = "/srv/node/sdb1/containers/906/9c3/e28cc9c78696a68b7920b82ab697f9c3";
const std::string path = directory + "/e28cc9c78696a68b7920b82ab697f9c3.db";

ObjectRow object(const std::string& name, const std::string& created_at, std::int64_t size = 1,
                 const std::string& etag = "e", std::int64_t deleted = 0) {
    ObjectRow row;
    row.name = name;
    row.created_at = created_at;
    row.size = size;
    row.content_type = deleted != 0 ? "application/deleted" : "text/plain";
    row.etag = etag;
    row.deleted = deleted;
    return row;
}

Error error_of(auto&& call) {
    try {
        static_cast<void>(call());
    } catch (const Failure& failure) {
        BOOST_TEST_MESSAGE("  " << failure.what());
        return failure.error();
    }
    return Error{};
}

/// A node with one store on it.
struct Node {
    explicit Node(const std::string& name = "n1") : broker(disk, clock, name) {}

    SimDatabase<ContainerKind> create(const std::string& at = path) {
        ContainerInfo info;
        info.account = "a";
        info.container = "c";
        return broker.create(at, info);
    }

    Instant soon() const { return clock.monotonic() + std::chrono::seconds(5); }

    SimClock clock;
    SimDisk disk{clock};
    SimContainerBroker broker;
};

std::vector<ObjectRow> without_rowids(std::vector<ObjectRow> rows) {
    for (ObjectRow& row : rows) {
        row.rowid = -1;
    }
    std::ranges::sort(rows, {}, &ObjectRow::name);
    return rows;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_new_database_says_what_it_is) {
    Node node;
    auto database = node.create();
    const ContainerInfo info = database.info();
    BOOST_TEST(info.account == "a");
    BOOST_TEST(info.container == "c");
    BOOST_TEST(info.created_at == "1700000000.00000");
    BOOST_TEST(info.put_timestamp == info.created_at);
    BOOST_TEST(info.status_changed_at == info.created_at);
    BOOST_TEST(info.delete_timestamp == "0");
    BOOST_TEST(info.hash == std::string(32, '0'));
    BOOST_TEST(info.max_row == -1);
    BOOST_TEST(info.count == 0);
    BOOST_TEST(info.id.size() == 36U + 3U);
    BOOST_TEST(info.id.ends_with("-n1"));
    BOOST_TEST(info.shard_max_row == -1);
}

BOOST_AUTO_TEST_CASE(a_database_is_made_once_and_durably) {
    Node node;
    node.create();
    BOOST_TEST((error_of([&] { node.create(); }) == Error::exists));
    const std::string id = node.broker.open(path, node.soon()).info().id;
    node.disk.crash();
    BOOST_TEST(node.broker.open(path, node.soon()).info().id == id);
}

BOOST_AUTO_TEST_CASE(the_hash_is_that_of_swift) {
    // md5("o-1402464677.04188"), and the XOR with md5("p-1402464678.00000").
    Node node;
    auto database = node.create();
    database.put(object("o", "1402464677.04188"));
    const std::string one = database.info().hash;
    BOOST_TEST(one == to_hex(md5("o-1402464677.04188")));
    database.put(object("p", "1402464678.00000"));
    BOOST_TEST(database.info().hash != one);
    database.put(object("p", "1402464679.00000", 0, "noetag", 1)); // tombstones count as well
    const auto a = md5("o-1402464677.04188");
    const auto b = md5("p-1402464679.00000");
    Md5Digest both{};
    for (std::size_t i = 0; i < both.size(); ++i) {
        both[i] = a[i] ^ b[i];
    }
    BOOST_TEST(database.info().hash == to_hex(both));
}

BOOST_AUTO_TEST_CASE(a_row_of_an_account_is_hashed_with_its_counts) {
    const SimClock clock;
    SimAccountBroker broker(SimDisk(clock), clock, "n1");
    AccountInfo info;
    info.account = "a";
    auto database = broker.create("/a.db", info);
    database.put({-1, "c", "1402464677.04188", "0", 3, 40, 0, 0});
    BOOST_TEST(database.info().hash == to_hex(md5("c-1402464677.04188-0-3-40")));
    BOOST_TEST(database.info().object_count == 3);
    BOOST_TEST(database.info().bytes_used == 40);
    BOOST_TEST(database.info().count == 1);
    BOOST_TEST(database.info().max_row == 1);
    database.put({-1, "c", "1402464677.04188", "1402464678.00000", 0, 0, 1, 0});
    BOOST_TEST(database.info().count == 0);
    BOOST_TEST(database.info().max_row == 2);
    database.reclaim(database.info(), *Timestamp::parse("1402464678.00000"), {});
    BOOST_TEST(database.rows().size() == 1U);
    database.reclaim(database.info(), *Timestamp::parse("1402464678.00001"), {});
    BOOST_TEST(database.rows().empty());
    BOOST_TEST(database.info().hash == std::string(32, '0'));
    BOOST_TEST(database.info().max_row == 2); // never falls
}

BOOST_AUTO_TEST_CASE(a_changed_row_gets_a_new_rowid_and_an_unchanged_one_keeps_its) {
    Node node;
    auto database = node.create();
    const std::vector<ObjectRow> rows{object("a", "1.00000"), object("b", "1.00000")};
    database.merge_items(rows, "");
    database.merge_items(rows, ""); // nothing new in it
    BOOST_TEST(database.info().max_row == 2);
    database.put(object("a", "2.00000"));
    const auto now = database.rows();
    BOOST_TEST_REQUIRE(now.size() == 2U);
    BOOST_TEST(now[0].name == "b");
    BOOST_TEST(now[0].rowid == 2);
    BOOST_TEST(now[1].name == "a");
    BOOST_TEST(now[1].rowid == 3);
    database.put(object("a", "1.50000")); // late news change nothing
    BOOST_TEST(database.info().max_row == 3);
}

BOOST_AUTO_TEST_CASE(the_winner_of_a_tie_gets_a_new_rowid_so_that_the_loser_hears_of_it) {
    Node node;
    auto database = node.create();
    database.put(object("a", "1.00000", 9));
    const ObjectRow loser = object("a", "1.00000", 5);
    database.merge_items(std::span(&loser, 1), "peer");
    BOOST_TEST_REQUIRE(database.rows().size() == 1U);
    BOOST_TEST(database.rows().front().size == 9);
    BOOST_TEST(database.rows().front().rowid == 2);
}

BOOST_AUTO_TEST_CASE(items_since_gives_rising_rows_without_a_gap_and_no_more_than_asked) {
    Node node;
    auto database = node.create();
    for (int i = 0; i < 10; ++i) {
        database.put(object("o" + std::to_string(i), "1.00000"));
    }
    const auto some = database.items_since(3, 4);
    BOOST_TEST_REQUIRE(some.size() == 4U);
    for (std::size_t i = 0; i < some.size(); ++i) {
        BOOST_TEST(some[i].rowid == static_cast<std::int64_t>(4 + i));
    }
    BOOST_TEST(database.items_since(10, 4).empty());
    BOOST_TEST(database.items_since(-1, 100).size() == 10U);
    BOOST_TEST(database.items_since(0, 0).empty());
}

BOOST_AUTO_TEST_CASE(only_rows_of_the_containers_own_policy_count) {
    Node node;
    auto database = node.create();
    ObjectRow row = object("o", "1.00000", 100);
    database.put(row);
    row.storage_policy_index = 1;
    row.size = 7;
    database.put(row);
    BOOST_TEST(database.rows().size() == 2U);
    BOOST_TEST(database.info().count == 1);
    BOOST_TEST(database.info().bytes_used == 100);
    database.set_storage_policy_index(1, *Timestamp::parse("1800000000.00000"));
    BOOST_TEST(database.info().bytes_used == 7);
    BOOST_TEST(database.info().storage_policy_index == 1);
    BOOST_TEST(database.info().status_changed_at == "1800000000.00000");
    const auto version = database.version();
    database.set_storage_policy_index(1, *Timestamp::parse("1900000000.00000")); // is set already
    BOOST_TEST(database.version() == version);
}

BOOST_AUTO_TEST_CASE(replicas_given_the_same_rows_in_any_order_end_equal) {
    Random random(7);
    const std::vector<std::string> times{"0000000001.00000", "0000000001.00000+5+0",
                                         "0000000001.00000+5+5", "0000000002.00000",
                                         "0000000001.00005_0000000000000001"};
    for (int round = 0; round < 50; ++round) {
        std::vector<ObjectRow> rows;
        for (int i = 0; i < 12; ++i) {
            const bool deleted = random.next() % 3 == 0;
            rows.push_back(object(
                random.next() % 2 == 0 ? "a" : "b", times[random.next() % times.size()],
                deleted ? 0 : static_cast<std::int64_t>(random.next() % 3),
                deleted ? "noetag" : "e" + std::to_string(random.next() % 3), deleted ? 1 : 0));
            if (!deleted && random.next() % 2 == 0) {
                rows.back().content_type = "text/html;swift_bytes=9";
            }
        }
        Node one;
        Node two;
        auto first = one.create();
        auto second = two.create();
        first.merge_items(rows, "x");
        random.shuffle(rows);
        for (const ObjectRow& row : rows) { // one by one, and the last ones twice
            second.merge_items(std::span(&row, 1), "x");
        }
        second.merge_items(std::span(rows).subspan(6), "x");
        BOOST_TEST((without_rowids(first.rows()) == without_rowids(second.rows())));
        BOOST_TEST(first.info().hash == second.info().hash);
    }
}

BOOST_AUTO_TEST_CASE(a_merge_with_a_source_raises_its_incoming_point_and_never_lowers_it) {
    Node node;
    auto database = node.create();
    std::vector<ObjectRow> rows{object("a", "1.00000"), object("b", "1.00000")};
    rows[0].rowid = 17;
    rows[1].rowid = 12;
    database.merge_items(rows, "peer");
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == 17);
    rows[0].rowid = 3;
    rows[1].rowid = 4;
    database.merge_items(rows, "peer");
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == 17);
    BOOST_TEST(database.sync_point("peer", Direction::outgoing) == -1);
    BOOST_TEST(database.sync_point("other", Direction::incoming) == -1);
    database.merge_items(std::span<const ObjectRow>(), "nobody");
    BOOST_TEST(database.sync_points(Direction::incoming).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_bad_row_is_refused_with_all_that_came_with_it) {
    Node node;
    auto database = node.create();
    const auto version = database.version();
    const std::vector<ObjectRow> rows{object("good", "1.00000"), object("bad", "yesterday")};
    BOOST_TEST((error_of([&] { database.merge_items(rows, "peer"); }) == Error::bad_request));
    BOOST_TEST(database.rows().empty());
    BOOST_TEST(database.sync_points(Direction::incoming).empty());
    BOOST_TEST(database.version() == version);
}

BOOST_AUTO_TEST_CASE(sync_points_only_grow) {
    Node node;
    auto database = node.create();
    const std::vector<SyncPoint> points{{5, "x"}, {7, "y"}};
    database.merge_sync_points(points, Direction::outgoing);
    database.merge_sync_points(std::vector<SyncPoint>{{9, "x"}, {3, "y"}}, Direction::outgoing);
    const std::vector<SyncPoint> expected{{9, "x"}, {7, "y"}};
    BOOST_TEST((database.sync_points(Direction::outgoing) == expected));
    BOOST_TEST(database.sync_points(Direction::incoming).empty());
}

BOOST_AUTO_TEST_CASE(times_are_merged_and_a_change_of_status_is_noted) {
    Node node;
    auto database = node.create();
    const std::string old = database.info().status_changed_at;
    node.clock.advance(Seconds(10));
    database.merge_timestamps({"1600000000.00000", "1600000000.00000", "0"});
    BOOST_TEST(database.info().created_at == "1600000000.00000");
    BOOST_TEST(database.info().put_timestamp == "1700000000.00000");
    BOOST_TEST(database.info().status_changed_at == old);
    database.merge_timestamps({"1650000000.00000", "0", "1700000005.00000"});
    BOOST_TEST(database.info().created_at == "1600000000.00000");
    BOOST_TEST(database.info().delete_timestamp == "1700000005.00000");
    BOOST_TEST(database.info().status_changed_at == "1700000010.00000");
    database.merge_timestamps({"1650000000.00000", "0", "1"});
    BOOST_TEST(database.info().delete_timestamp == "1700000005.00000");
    BOOST_TEST((error_of([&] {
                    database.merge_timestamps({"now", "0", "0"});
                }) == Error::bad_request));
}

BOOST_AUTO_TEST_CASE(what_brings_no_news_is_not_committed) {
    Node node;
    auto database = node.create();
    database.merge_metadata(R"({"A": ["1", "0000000001.00000"]})");
    const auto version = database.version();
    database.merge_metadata(R"({"A": ["0", "0000000001.00000"]})");
    database.merge_metadata("");
    database.merge_timestamps({"1700000009.00000", "0", "0"});
    database.merge_items(std::span<const ObjectRow>(), "peer");
    database.reclaim(database.info(), {}, {});
    BOOST_TEST(database.version() == version);
}

BOOST_AUTO_TEST_CASE(metadata_keeps_the_newest_value_of_each_key) {
    Node node;
    auto database = node.create();
    database.merge_metadata(R"({"A": ["1", "0000000001.00000"], "B": ["", "0000000009.00000"]})");
    database.merge_metadata(R"({"A": ["2", "0000000002.00000"], "B": ["x", "0000000003.00000"]})");
    database.merge_metadata("");
    BOOST_TEST(database.info().metadata ==
               R"({"A": ["2", "0000000002.00000"], "B": ["", "0000000009.00000"]})");
    BOOST_TEST((error_of([&] { database.merge_metadata("[1]"); }) == Error::bad_request));
    BOOST_TEST((error_of([&] { database.merge_metadata("{"); }) == Error::bad_request));
    database.reclaim(database.info(), *Timestamp::parse("9.00001"), {});
    BOOST_TEST(database.info().metadata == R"({"A": ["2", "0000000002.00000"]})");
}

BOOST_AUTO_TEST_CASE(no_id_is_ever_given_twice) {
    Node one("n1");
    Node two("n2");
    std::set<std::string> ids;
    for (Node* node : {&one, &two}) {
        auto database = node->create();
        database.put(object("a", "1.00000"));
        ids.insert(database.info().id);
        for (int i = 0; i < 5; ++i) {
            database.renew_id();
            ids.insert(database.info().id);
            BOOST_TEST(database.info().max_row == 1);
        }
        SimContainerBroker restarted(node->disk, node->clock, node == &one ? "n1" : "n2");
        auto again = restarted.open(path, node->soon());
        again.renew_id();
        ids.insert(again.info().id);
    }
    BOOST_TEST(ids.size() == 14U);
}

BOOST_AUTO_TEST_CASE(an_adopted_copy_knows_where_its_rows_came_from_and_reports_anew) {
    Node node;
    auto database = node.create();
    database.put(object("a", "1.00000"));
    database.put(object("b", "1.00000"));
    const std::string id = database.info().id;
    database.merge_sync_points(std::vector<SyncPoint>{{99, "sender"}}, Direction::incoming);
    database.adopt("sender");
    BOOST_TEST(database.info().id != id);
    BOOST_TEST(database.sync_point("sender", Direction::incoming) == 2);
    BOOST_TEST(database.info().reported_put_timestamp == "0");
    BOOST_TEST(!ContainerKind::reported(database.info()));
    BOOST_TEST(database.info().count == 2);
}

BOOST_AUTO_TEST_CASE(reclaim_drops_old_tombstones_and_forgotten_points_and_nothing_else) {
    Node node;
    auto database = node.create();
    database.put(object("live", "1.00000"));
    database.put(object("old", "5.00000", 0, "noetag", 1));
    database.put(object("new", "6.00000", 0, "noetag", 1));
    database.merge_sync_points(std::vector<SyncPoint>{{1, "gone"}}, Direction::incoming);
    database.merge_sync_points(std::vector<SyncPoint>{{1, "gone"}}, Direction::outgoing);
    node.clock.advance(Seconds(100));
    database.merge_sync_points(std::vector<SyncPoint>{{1, "here"}}, Direction::incoming);
    database.reclaim(database.info(), *Timestamp::parse("6.00000"),
                     node.clock.now().plus(Seconds(-50)));
    BOOST_TEST(database.rows().size() == 2U);
    BOOST_TEST(database.sync_point("gone", Direction::incoming) == -1);
    BOOST_TEST(database.sync_point("gone", Direction::outgoing) == -1);
    BOOST_TEST(database.sync_point("here", Direction::incoming) == 1);
    BOOST_TEST((node.broker.peek(path)->hash == node.broker.peek(path)->computed_hash()));
    const auto version = database.version();
    database.reclaim(database.info(), *Timestamp::parse("6.00000"), {}); // nothing left to do
    BOOST_TEST(database.version() == version);
}

BOOST_AUTO_TEST_CASE(version_changes_whenever_anybody_commits) {
    Node node;
    auto mine = node.create();
    auto other = node.broker.open(path, node.soon());
    const auto before = mine.version();
    BOOST_TEST(mine.version() == before);
    other.put(object("a", "1.00000"));
    BOOST_TEST(mine.version() != before);
}

// ---- The laws.

namespace {

/// What laws/broker.hpp asks for.
template <class Kind>
struct Shelf {
    SimBroker<Kind>& broker() { return store; }

    std::string create(const std::string& name) {
        typename Kind::info_type info;
        info.account = "a";
        store.create("/srv/node/sdb1/" + name + '/' + name + ".db", info);
        return "/srv/node/sdb1/" + name + '/' + name + ".db";
    }

    std::string copy_path() {
        disk.make_directories("/srv/node/sdb1/tmp");
        return "/srv/node/sdb1/tmp/copy";
    }

    static Timestamp time(int tick) {
        return {170'000'000'000'000 + tick * Timestamp::ticks_per_second, 0};
    }

    static typename Kind::row_type row(const std::string& name, int tick, int size, bool deleted) {
        typename Kind::row_type row;
        row.name = name;
        row.deleted = deleted ? 1 : 0;
        if constexpr (requires { row.created_at; }) {
            row.created_at = RowTimes{time(tick), time(tick + size), time(tick + size)}.encode();
            row.size = deleted ? 0 : size;
            row.content_type = "type/" + std::to_string(size);
            row.etag = "etag" + std::to_string(size);
        } else {
            row.put_timestamp = deleted ? "0" : time(tick).normal();
            row.delete_timestamp = deleted ? time(tick).normal() : "0";
            row.object_count = deleted ? 0 : size;
        }
        return row;
    }

    SimClock clock;
    SimDisk disk{clock};
    SimBroker<Kind> store{disk, clock, "n1"};
};

} // namespace

BOOST_AUTO_TEST_CASE(simulated_stores_obey_the_laws) {
    Shelf<ContainerKind> containers;
    laws::check_broker_laws(containers);
    Shelf<AccountKind> accounts;
    laws::check_broker_laws(accounts);
}

// ---- Locks.

BOOST_AUTO_TEST_CASE(an_exclusive_lock_keeps_others_out_until_their_deadline) {
    Node node;
    auto mine = node.create();
    auto other = node.broker.open(path, node.soon());
    const Instant deadline = node.soon();
    {
        const auto exclusive = mine.exclusive(node.soon());
        BOOST_TEST((error_of([&] { return other.info(); }) == Error::locked));
        BOOST_TEST((node.clock.monotonic() == deadline)); // it was waited for, no longer
        BOOST_TEST((error_of([&] { other.put(object("a", "1.00000")); }) == Error::locked));
        BOOST_TEST(
            (error_of([&] { static_cast<void>(other.exclusive(node.soon())); }) == Error::locked));
        BOOST_TEST((error_of([&] { node.broker.open(path, node.soon()); }) == Error::locked));
        mine.put(object("mine", "1.00000"));
        BOOST_TEST(mine.info().count == 1);
    }
    BOOST_TEST(other.info().count == 1);
    const auto exclusive = other.exclusive(node.soon());
    BOOST_TEST((error_of([&] { return mine.info(); }) == Error::locked));
}

BOOST_AUTO_TEST_CASE(a_lock_that_is_given_back_in_time_is_taken_over) {
    Node node;
    auto mine = node.create();
    auto other = node.broker.open(path, node.soon());
    std::optional<SimLock> exclusive(mine.exclusive(node.soon()));
    const Instant until = node.clock.monotonic() + std::chrono::seconds(1);
    node.disk.on_call([&](SimCall, const std::string&) {
        if (node.clock.monotonic() >= until) {
            exclusive.reset();
        }
    });
    other.put(object("a", "1.00000"));
    BOOST_TEST((node.clock.monotonic() == until));
    BOOST_TEST(mine.info().count == 1);
}

BOOST_AUTO_TEST_CASE(a_handle_on_a_replaced_file_changes_nothing) {
    Node node;
    auto mine = node.create();
    auto fresh = node.create(directory + "/new");
    fresh.put(object("fresh", "1.00000"));
    auto unlocked = node.broker.open(path, node.soon());
    const auto exclusive = mine.exclusive(node.soon());
    node.disk.rename(directory + "/new", path);
    BOOST_TEST((error_of([&] { mine.put(object("lost", "1.00000")); }) == Error::moved));
    BOOST_TEST((error_of([&] { unlocked.renew_id(); }) == Error::moved));
    BOOST_TEST((error_of([&] { return unlocked.info(); }) == Error::moved));
    BOOST_TEST((error_of([&] { return fresh.info(); }) == Error::moved)); // its name is gone
    auto again = node.broker.open(path, node.soon());
    BOOST_TEST(again.rows().size() == 1U);
    BOOST_TEST(again.rows().front().name == "fresh");
}

BOOST_AUTO_TEST_CASE(a_handle_on_a_removed_database_changes_nothing) {
    Node node;
    auto mine = node.create();
    BOOST_TEST(node.disk.remove_tree(directory));
    BOOST_TEST((error_of([&] { mine.put(object("lost", "1.00000")); }) == Error::moved));
    BOOST_TEST(!node.disk.stat(path));
}

// ---- Copies.

BOOST_AUTO_TEST_CASE(a_copy_is_complete_durable_and_apart_from_its_source) {
    Node node;
    auto database = node.create();
    database.put(object("a", "1.00000"));
    node.disk.make_directories("/srv/node/sdb1/tmp");
    node.disk.settle();
    const std::string target = "/srv/node/sdb1/tmp/copy";
    database.copy_to(target, node.soon());
    database.put(object("b", "1.00000"));
    node.disk.crash();
    auto copy = node.broker.open_upload(target, node.soon());
    BOOST_TEST(copy.rows().size() == 1U);
    copy.put(object("c", "1.00000"));
    BOOST_TEST(node.broker.open(path, node.soon()).rows().size() == 2U);
    BOOST_TEST((error_of([&] { database.copy_to(target, node.soon()); }) == Error::exists));
    BOOST_TEST((error_of([&] { database.copy_to("/none/copy", node.soon()); }) == Error::missing));
}

BOOST_AUTO_TEST_CASE(a_copy_without_room_leaves_nothing_behind) {
    Node node;
    node.disk.mount("/srv/node/sdb1", 6000);
    auto database = node.create();
    node.disk.make_directories("/srv/node/sdb1/tmp");
    BOOST_TEST((error_of([&] { database.copy_to("/srv/node/sdb1/tmp/x", node.soon()); }) ==
                Error::no_space));
    BOOST_TEST(!node.disk.stat("/srv/node/sdb1/tmp/x"));
    for (int i = 0; i < 19; ++i) {
        database.put(object("o" + std::to_string(i), "1.00000"));
    }
    BOOST_TEST(
        (error_of([&] { database.put(object("one too many", "1.00000")); }) == Error::no_space));
    BOOST_TEST(database.info().count == 19);
}

// ---- Pending rows.

BOOST_AUTO_TEST_CASE(rows_in_pending_are_committed_under_the_lock_and_only_then) {
    Node node;
    auto database = node.create();
    node.broker.put_pending(path, {object("a", "1.00000")});
    node.broker.put_pending(path, {object("b", "1.00000")});
    BOOST_TEST(node.disk.stat(path + ".pending")->size > 0);
    BOOST_TEST(database.info().count == 0);
    const auto lock = node.disk.try_lock(directory);
    BOOST_TEST(database.commit_pending(*lock));
    BOOST_TEST(database.info().count == 2);
    BOOST_TEST(node.disk.stat(path + ".pending")->size == 0);
    BOOST_TEST(!database.commit_pending(*lock));
    const auto other = node.disk.try_lock("/elsewhere");
    BOOST_CHECK_THROW(database.commit_pending(*other), std::logic_error);
}

BOOST_AUTO_TEST_CASE(pending_bytes_that_cannot_be_read_are_set_aside) {
    Node node;
    auto database = node.create();
    node.disk.write(path + ".pending", ":garbage");
    const auto lock = node.disk.try_lock(directory);
    BOOST_TEST(!database.commit_pending(*lock));
    BOOST_TEST(!node.disk.stat(path + ".pending"));
    bool kept = false;
    for (const auto& [name, bytes] : node.disk.dump()) {
        kept = kept || bytes == ":garbage";
    }
    BOOST_TEST(kept);
}

BOOST_AUTO_TEST_CASE(a_pending_row_is_never_lost_at_whatever_call_the_disk_fails) {
    for (std::uint64_t n = 1;; ++n) {
        Node node;
        auto database = node.create();
        node.broker.put_pending(path, {object("a", "1.00000")});
        const auto lock = node.disk.try_lock(directory);
        node.disk.settle();
        node.disk.fail_at(n);
        const Error error = error_of([&] { database.commit_pending(*lock); });
        const bool through = node.disk.fault_pending();
        BOOST_TEST((error == (through ? Error{} : Error::io)));
        node.disk.crash();
        const auto again = node.disk.try_lock(directory);
        auto reopened = node.broker.open(path, node.soon());
        reopened.commit_pending(*again);
        BOOST_TEST(reopened.info().count == 1);
        if (through) {
            BOOST_TEST(n > 3U);
            break;
        }
    }
}

// ---- Damage and faults.

BOOST_AUTO_TEST_CASE(what_is_no_database_is_told_apart) {
    Node node;
    node.create();
    node.disk.write("/empty", "");
    node.disk.write("/text", "hello");
    node.disk.write("/torn", "SQLite format 3 and then nothing");
    const auto open = [&](const std::string& at) {
        return error_of([&] { node.broker.open(at, node.soon()); });
    };
    BOOST_TEST((open("/none") == Error::missing));
    BOOST_TEST((open("/empty") == Error::missing_table));
    BOOST_TEST((open("/text") == Error::not_a_database));
    BOOST_TEST((open("/torn") == Error::corrupt));
    SimAccountBroker accounts(node.disk, node.clock, "n1");
    BOOST_TEST((error_of([&] { accounts.open(path, node.soon()); }) == Error::missing_table));
}

BOOST_AUTO_TEST_CASE(injected_damage_is_reported_and_a_wrong_hash_is_mended) {
    for (const Error error : {Error::corrupt, Error::missing_table, Error::unknown_schema}) {
        Node node;
        auto database = node.create();
        node.broker.damage(path, error);
        BOOST_TEST((error_of([&] { node.broker.open(path, node.soon()); }) == error));
        BOOST_TEST((error_of([&] { node.broker.open_upload(path, node.soon()); }) == error));
        BOOST_TEST((error_of([&] { return database.info(); }) == error));
    }
    Node node;
    node.create().put(object("a", "1.00000"));
    node.broker.open_upload(path, node.soon());
    node.broker.damage(path, Error{});
    auto database = node.broker.open_upload(path, node.soon());
    BOOST_TEST(database.mend_sums());
    BOOST_TEST(!database.mend_sums());
    BOOST_TEST((node.broker.peek(path)->hash == node.broker.peek(path)->computed_hash()));

    Node journal;
    journal.create();
    journal.broker.damage(path, Error::wal);
    journal.broker.open(path, journal.soon());
    BOOST_TEST((error_of([&] { journal.broker.open_upload(path, journal.soon()); }) == Error::wal));
}

BOOST_AUTO_TEST_CASE(a_change_that_fails_at_any_call_has_changed_nothing) {
    for (std::uint64_t n = 1;; ++n) {
        Node node;
        auto database = node.create();
        database.put(object("a", "1.00000"));
        const auto before = node.broker.peek(path);
        node.disk.fail_at(n, Error::no_space);
        const Error error = error_of([&] {
            const std::vector<ObjectRow> rows{object("a", "2.00000"), object("b", "2.00000")};
            database.merge_items(rows, "peer");
        });
        if (node.disk.fault_pending()) {
            node.disk.clear_faults();
            BOOST_TEST((error == Error{}));
            BOOST_TEST(n > 2U);
            BOOST_TEST(database.info().count == 2);
            break;
        }
        BOOST_TEST((error == Error::no_space));
        BOOST_TEST((node.broker.peek(path) == before));
    }
}

BOOST_AUTO_TEST_CASE(a_commit_survives_a_crash) {
    Node node;
    auto database = node.create();
    database.put(object("a", "1.00000"));
    node.disk.crash();
    BOOST_TEST(node.broker.open(path, node.soon()).info().count == 1);
}
