#include <replica/sqlite/shard_table.hpp>

#define BOOST_TEST_MODULE sqlite_shard_table
#include <boost/test/unit_test.hpp>

#include <support/shard_ranges.hpp>
#include <support/sqlite_place.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

constexpr const char* hash = "0123456789abcdef0123456789abcdef";

/// As Swift before 2.18 (no table) or before 2.26 (no column `reported`, no `tombstones`) left it.
void age(ContainerPlace& place, bool with_table) {
    StockConnection stock(place.path());
    stock.execute("DROP TABLE shard_range");
    if (with_table) {
        stock.execute(
            "CREATE TABLE shard_range (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT,"
            " timestamp TEXT, lower TEXT, upper TEXT, object_count INTEGER DEFAULT 0,"
            " bytes_used INTEGER DEFAULT 0, meta_timestamp TEXT, deleted INTEGER DEFAULT 0,"
            " state INTEGER, state_timestamp TEXT, epoch TEXT);"
            "INSERT INTO shard_range (name, timestamp, lower, upper, meta_timestamp, state,"
            " state_timestamp) VALUES ('a/old', '1500000001.00000', '', 'm', '1500000001.00000',"
            " 40, '1500000001.00000')");
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(ranges_are_stored_whole_and_found_again) {
    ContainerPlace place;
    auto database = place.create();
    BOOST_TEST(database.info().shard_max_row == -1);
    auto ranges = sharding_ranges(container_info());
    ranges[1].reported = 1;
    ranges[1].tombstones = 3;
    ranges[1].upper = "\xc3\xa4";
    database.merge_shard_ranges(ranges);
    auto found = place.open().shard_ranges();
    std::ranges::sort(ranges, {}, &ShardRange::name);
    std::ranges::sort(found, {}, &ShardRange::name);
    BOOST_TEST((found == ranges));
    BOOST_TEST(database.info().shard_max_row == 2);
    BOOST_TEST(StockConnection(place.path())
                   .rows("SELECT count(*) FROM shard_range WHERE epoch IS NULL") == "1|");
}

BOOST_AUTO_TEST_CASE(what_is_no_news_is_not_written) {
    ContainerPlace place;
    auto database = place.create();
    const auto ranges = sharding_ranges(container_info());
    database.merge_shard_ranges(ranges);
    const auto version = database.version();
    database.merge_shard_ranges(ranges);
    database.merge_shard_ranges({});
    BOOST_TEST(database.version() == version);
    BOOST_TEST(database.info().shard_max_row == 2);
}

BOOST_AUTO_TEST_CASE(a_changed_range_gets_a_new_rowid) {
    ContainerPlace place;
    auto database = place.create();
    auto range = range_of(".shards_a/one", shards::active);
    database.merge_shard_ranges(std::span(&range, 1));
    range.meta_timestamp = at_second(9);
    range.object_count = 12;
    database.merge_shard_ranges(std::span(&range, 1));
    BOOST_TEST(StockConnection(place.path()).rows("SELECT ROWID, object_count FROM shard_range") ==
               "2|12|");
}

BOOST_AUTO_TEST_CASE(a_file_from_before_shards_gets_the_table_when_it_is_needed) {
    ContainerPlace place;
    place.create();
    age(place, false);
    auto database = place.open();
    BOOST_TEST(database.shard_ranges().empty());
    database.merge_shard_ranges({});
    BOOST_TEST(StockConnection(place.path())
                   .rows("SELECT name FROM sqlite_master WHERE name = 'shard_range'")
                   .empty());
    database.merge_shard_ranges(sharding_ranges(container_info()));
    BOOST_TEST(database.shard_ranges().size() == 2);
    BOOST_TEST(StockConnection(place.path())
                   .rows("SELECT name FROM sqlite_master WHERE tbl_name = 'shard_range' AND type ="
                         " 'trigger'") == "shard_range_update|");
}

BOOST_AUTO_TEST_CASE(columns_that_came_later_are_defaults_until_they_are_written) {
    ContainerPlace place;
    place.create();
    age(place, true);
    auto database = place.open();
    const auto old = database.shard_ranges();
    BOOST_REQUIRE(old.size() == 1);
    BOOST_TEST(old[0].reported == 0);
    BOOST_TEST(old[0].tombstones == -1);
    database.merge_shard_ranges(sharding_ranges(container_info()));
    BOOST_TEST(database.shard_ranges().size() == 3);
    // Such a file may be uploaded to us: its schema is still a known one.
    BOOST_CHECK_NO_THROW(place.broker.open_upload(place.path(), place.soon()));
}

BOOST_AUTO_TEST_CASE(sharding_has_begun_with_the_own_range_and_another) {
    struct Case {
        std::vector<ShardRange> ranges;
        bool begun;
    };
    const std::string own = "a/c";
    auto gone = range_of(".shards_a/one", shards::active);
    gone.deleted = 1;
    for (const Case& each : std::vector<Case>{
             {{}, false},
             {{range_of(".shards_a/one", shards::active)}, false},
             {{range_of(own, shards::active), range_of(".shards_a/one", shards::active)}, false},
             {{range_of(own, shards::sharding)}, false},
             {{range_of(own, shards::sharding), gone}, false},
             {sharding_ranges(container_info(), shards::sharding), true},
             {sharding_ranges(container_info(), shards::shrinking), true},
             {sharding_ranges(container_info(), shards::sharded), true},
             {sharding_ranges(container_info(), shards::shrunk), true}}) {
        ContainerPlace place;
        auto database = place.create(hash);
        database.merge_shard_ranges(each.ranges);
        BOOST_TEST(database.info().sharding_initiated == each.begun);
        BOOST_TEST(database.info().db_state == "unsharded");
    }
}

BOOST_AUTO_TEST_CASE(a_root_is_not_empty_while_its_shards_hold_rows) {
    ContainerPlace place;
    auto database = place.create(hash);
    auto ranges = sharding_ranges(container_info(), shards::active);
    ranges[1].object_count = 3;
    database.merge_shard_ranges(ranges);
    BOOST_TEST(database.info().has_shards);
    BOOST_TEST(database.empty()); // none has been handed over yet
    database.merge_shard_ranges(sharding_ranges(container_info(), shards::sharding));
    BOOST_TEST(!database.empty());
    BOOST_TEST(database.info().live_rows == 3);
    BOOST_TEST(database.info().count == 0);

    database.set_metadata("X-Container-Sysmeta-Shard-Root", "other/root", Timestamp{1, 0});
    BOOST_TEST(!database.info().has_shards); // a shard is not told what its own shards hold
    BOOST_TEST(database.empty());
    database.set_metadata("X-Container-Sysmeta-Shard-Root", "", Timestamp{2, 0});
    ranges[1].deleted = 1;
    ranges[1].timestamp = at_second(9);
    database.merge_shard_ranges(ranges);
    BOOST_TEST(!database.info().has_shards);
    BOOST_TEST(database.empty());
}

BOOST_AUTO_TEST_CASE(rows_of_every_policy_count_as_live) {
    ContainerPlace place;
    auto database = place.create();
    database.put_object("x", *Timestamp::parse(at_second(1)), 1, "t", "e", 1);
    BOOST_TEST(database.info().count == 0);
    BOOST_TEST(database.info().live_rows == 1);
}
