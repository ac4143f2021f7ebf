#include <replica/sqlite/container_schema.hpp>

#define BOOST_TEST_MODULE sqlite_container_schema
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <cstdint>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;
using sqlite::ContainerSchema;
using sqlite::Query;

namespace {

struct Container : Fresh<ContainerSchema> {
    Container() : Fresh({"a", "c", "id", "5", "6", 0}) {}

    [[nodiscard]] ContainerInfo info() { return ContainerSchema::read_info(connection); }
    [[nodiscard]] std::string stored(const std::string& sql) { return stock.rows(sql); }

    StockConnection stock{path};
};

const std::string insert = "INSERT INTO object (name, created_at, size, content_type, etag,"
                           " deleted, storage_policy_index) VALUES ";
const std::string insert_range =
    "INSERT INTO shard_range (name, timestamp, deleted, state) VALUES ";

} // namespace

BOOST_AUTO_TEST_CASE(what_a_stock_server_writes_is_read_as_it_wrote_it) {
    Container container;
    container.stock.execute(insert +
                            "('o', '1', 2, 't', 'e', 0, 3), ('p', NULL, 0, NULL, NULL, 1, 0)");
    Query query = container.connection.query(ContainerSchema::select_since);
    query.bind(std::int64_t{0}, std::int64_t{10});
    BOOST_REQUIRE(query.step());
    BOOST_TEST((ContainerSchema::read(query) == ObjectRow{1, "o", "1", 2, "t", "e", 0, 3}));
    BOOST_TEST(ContainerSchema::read_rowid(query) == 1);
    BOOST_REQUIRE(query.step());
    BOOST_TEST((ContainerSchema::read(query) == ObjectRow{2, "p", "0", 0, "", "", 1, 0}));
}

BOOST_AUTO_TEST_CASE(an_info_has_everything_that_the_file_says_of_the_container) {
    Container container;
    container.stock.execute(
        "UPDATE container_info SET account = 'b', container = 'd', created_at = '1',"
        " put_timestamp = '2', delete_timestamp = '3', status = 's', status_changed_at = '4',"
        " reported_put_timestamp = '5', reported_delete_timestamp = '6',"
        " reported_object_count = 7, reported_bytes_used = 8, hash = 'h', id = 'i',"
        " x_container_sync_point1 = 9, x_container_sync_point2 = 10, storage_policy_index = 11,"
        " metadata = 'm', reconciler_sync_point = 12;"
        "INSERT INTO policy_stat VALUES (11, 13, 14)");
    const ContainerInfo info = container.info();
    BOOST_TEST(info.account == "b");
    BOOST_TEST(info.container == "d");
    BOOST_TEST((info.timestamps() == Timestamps{"1", "2", "3"}));
    BOOST_TEST(info.status == "s");
    BOOST_TEST(info.status_changed_at == "4");
    BOOST_TEST(info.reported_put_timestamp == "5");
    BOOST_TEST(info.reported_delete_timestamp == "6");
    BOOST_TEST(info.reported_object_count == 7);
    BOOST_TEST(info.reported_bytes_used == 8);
    BOOST_TEST(info.hash == "h");
    BOOST_TEST(info.id == "i");
    BOOST_TEST(info.x_container_sync_point1 == 9);
    BOOST_TEST(info.x_container_sync_point2 == 10);
    BOOST_TEST(info.storage_policy_index == 11);
    BOOST_TEST(info.metadata == "m");
    BOOST_TEST(info.reconciler_sync_point == 12);
    BOOST_TEST(info.count == 13);
    BOOST_TEST(info.bytes_used == 14);
}

BOOST_AUTO_TEST_CASE(times_that_are_null_are_no_times) {
    Container container;
    container.stock.execute(
        "UPDATE container_info SET created_at = NULL, put_timestamp = NULL,"
        " delete_timestamp = NULL, status_changed_at = NULL, reported_put_timestamp = NULL,"
        " reported_delete_timestamp = NULL");
    const ContainerInfo info = container.info();
    BOOST_TEST((info.timestamps() == Timestamps{"0", "0", "0"}));
    BOOST_TEST(info.status_changed_at == "0");
    BOOST_TEST(info.reported_put_timestamp == "0");
    BOOST_TEST(info.reported_delete_timestamp == "0");
}

BOOST_AUTO_TEST_CASE(the_last_rowids_are_the_highest_ever_given) {
    Container container;
    BOOST_TEST(container.info().max_row == -1);
    BOOST_TEST(container.info().shard_max_row == -1);
    container.stock.execute(insert + "('o', '1', 0, '', '', 0, 0), ('p', '1', 0, '', '', 0, 0)");
    container.stock.execute(insert_range + "('s', '1', 0, 1)");
    BOOST_TEST(container.info().max_row == 2);
    BOOST_TEST(container.info().shard_max_row == 1);
    container.stock.execute("DELETE FROM object; DELETE FROM shard_range");
    BOOST_TEST(container.info().max_row == 2);
    BOOST_TEST(container.info().shard_max_row == 1);
    container.stock.execute("UPDATE sqlite_sequence SET seq = NULL");
    BOOST_TEST(container.info().max_row == -1);
}

BOOST_AUTO_TEST_CASE(a_file_without_its_one_row_is_named) {
    Container container;
    container.stock.execute("DELETE FROM container_info");
    require_refused(Error::missing_table, container.path + ": container_info has no row",
                    container.directory, [&] { return container.info(); });
}

// Or a row would go out of the hash as another than it came in.
BOOST_AUTO_TEST_CASE(a_row_hashes_alike_in_memory_and_in_the_file) {
    for (const std::string time : {"1700000000.00000", "1700000000.00000+5-7f", ""}) {
        Container container;
        const ObjectRow row = object("o", time);
        Query put = container.connection.query(ContainerSchema::insert);
        ContainerSchema::bind_row(put, row);
        put.run();
        Query find = container.connection.query(ContainerSchema::select_rowid);
        BOOST_REQUIRE(find.bind(std::int64_t{1}).step());
        BOOST_TEST(ContainerSchema::read_hashed(find) == ContainerSchema::hashed(row));
        Query next = container.connection.query(ContainerSchema::select_since);
        BOOST_REQUIRE(next.bind(std::int64_t{0}, std::int64_t{1}).step());
        BOOST_TEST(ContainerSchema::read_hashed(next) == ContainerSchema::hashed(row));
    }
    Container container;
    container.stock.execute("INSERT INTO object (name, size, deleted) VALUES ('f', 0, 0)");
    Query find = container.connection.query(ContainerSchema::select_rowid);
    BOOST_REQUIRE(find.bind(std::int64_t{1}).step());
    BOOST_TEST(ContainerSchema::read_hashed(find) == "None");
}

BOOST_AUTO_TEST_CASE(a_row_is_found_by_its_name_and_policy_live_or_deleted) {
    Container container;
    container.stock.execute(insert + "('o', '1', 0, '', '', 0, 0), ('o', '1', 0, '', '', 1, 7)");
    const auto found = [&](const std::string& name, std::int64_t policy) {
        Query query = container.connection.query(ContainerSchema::select_key);
        ContainerSchema::bind_key(query,
                                  ObjectState::of(object(name, "1700000000.00000", 1, policy)));
        return query.step() ? ContainerSchema::read_rowid(query) : 0;
    };
    BOOST_TEST(found("o", 0) == 1);
    BOOST_TEST(found("o", 7) == 2);
    BOOST_TEST(found("o", 1) == 0);
    BOOST_TEST(found("p", 0) == 0);
}

BOOST_AUTO_TEST_CASE(a_row_counts_when_it_comes_and_uncounts_when_it_goes) {
    sqlite::Totals::Counts counts;
    const ObjectRow live = object("o", "1", 40);
    ObjectRow gone = tombstone("p", "1");
    gone.size = 2; // no tombstone has a size, but a trigger would count it
    ContainerSchema::count(counts, live, 1);
    ContainerSchema::count(counts, gone, 1);
    BOOST_TEST(counts.rows == 1U);
    BOOST_TEST(counts.bytes == 42U);
    BOOST_TEST(counts.objects == 0U);
    ContainerSchema::count(counts, live, -1);
    ContainerSchema::count(counts, gone, -1);
    BOOST_TEST(counts.rows + counts.bytes == 0U);
}

BOOST_AUTO_TEST_CASE(sums_are_written_for_each_policy) {
    Container container;
    sqlite::Totals totals;
    totals.counts[0] = {1, 0, 3};
    totals.counts[7] = {10, 0, 30};
    ContainerSchema::write_totals(container.connection, totals);
    totals.counts.erase(0);
    totals.counts[7] = {std::uint64_t(-1), 0, std::uint64_t(-5)};
    ContainerSchema::write_totals(container.connection, totals);
    BOOST_TEST(container.stored("SELECT * FROM policy_stat ORDER BY 1") == "0|1|3|7|9|25|");
    BOOST_TEST(container.stored("SELECT object_count, bytes_used FROM container_stat") == "1|3|");
    BOOST_TEST(container.stored("SELECT hash FROM container_info") == totals.hash.text() + '|');
}

BOOST_AUTO_TEST_CASE(what_was_reported_is_forgotten_and_nothing_else) {
    Container container;
    container.stock.execute("UPDATE container_info SET reported_put_timestamp = '5',"
                            " reported_delete_timestamp = '6', reported_object_count = 7,"
                            " reported_bytes_used = 8, metadata = 'm'");
    ContainerInfo expected = container.info();
    expected.reported_put_timestamp = expected.reported_delete_timestamp = "0";
    expected.reported_object_count = expected.reported_bytes_used = 0;
    ContainerSchema::forget_reported(container.connection);
    BOOST_TEST((container.info() == expected));
}

BOOST_AUTO_TEST_CASE(deleted_ranges_before_the_age_go_except_the_containers_own) {
    Container container;
    const auto has_old_shard_ranges = [&] {
        return ContainerSchema::has_old_shard_ranges(container.connection, container.info(),
                                                     "0000000015.00000");
    };
    BOOST_TEST(!has_old_shard_ranges());
    container.stock.execute(insert_range + "('a/c', '0000000010.00000', 1, 6),"
                                           " ('live', '0000000010.00000', 0, 2),"
                                           " ('at', '0000000015.00000', 1, 6),"
                                           " ('new', '0000000020.00000', 1, 6)");
    BOOST_TEST(!has_old_shard_ranges());
    const auto before = files_below(container.directory.path());
    ContainerSchema::reclaim_shard_ranges(container.connection, container.info(),
                                          "0000000015.00000");
    BOOST_TEST((files_below(container.directory.path()) == before)); // looking writes nothing
    container.stock.execute(insert_range + "('old', '0000000010.00000', 1, 6),"
                                           " ('c', '0000000010.00000', 1, 6)");
    BOOST_TEST(has_old_shard_ranges());
    ContainerSchema::reclaim_shard_ranges(container.connection, container.info(),
                                          "0000000015.00000");
    BOOST_TEST(container.stored("SELECT name FROM shard_range ORDER BY name") ==
               "a/c|at|live|new|");
    BOOST_TEST(!has_old_shard_ranges());
    ContainerInfo confirmed = container.info();
    container.stock.execute(insert_range + "('late', '0000000010.00000', 1, 6)");
    BOOST_TEST(!ContainerSchema::has_old_shard_ranges(container.connection, confirmed,
                                                      "0000000015.00000"));
    ++confirmed.shard_max_row;
    BOOST_TEST(
        ContainerSchema::has_old_shard_ranges(container.connection, confirmed, "0000000015.00000"));
}

BOOST_AUTO_TEST_CASE(a_file_without_ranges_gets_their_table_as_a_new_one_has_it) {
    Container container;
    const std::string sql = "SELECT name, sql FROM sqlite_master ORDER BY name";
    const std::string whole = container.stored(sql);
    container.stock.execute("DROP TABLE shard_range");
    BOOST_TEST(!ContainerSchema::has_old_shard_ranges(container.connection, container.info(),
                                                      "9999999999.00000"));
    BOOST_CHECK_NO_THROW(ContainerSchema::reclaim_shard_ranges(
        container.connection, container.info(), "9999999999.00000"));
    container.connection.execute(std::string(ContainerSchema::create_shard_range).c_str());
    BOOST_TEST(container.stored(sql) == whole);
}

BOOST_AUTO_TEST_CASE(a_container_is_deleted_by_its_times_if_it_is_empty_whatever_its_mark) {
    Container container;
    container.stock.execute("UPDATE container_info SET status = 'DELETED'");
    ContainerInfo info = container.info();
    BOOST_TEST(!ContainerSchema::is_deleted(container.connection, info));
    info.put_timestamp = "0000000001.00000";
    info.delete_timestamp = "0000000002.00000";
    BOOST_TEST(ContainerSchema::is_deleted(container.connection, info));
    info.count = 1;
    BOOST_TEST(!ContainerSchema::is_deleted(container.connection, info));
}

BOOST_AUTO_TEST_CASE(a_file_as_it_should_be_is_not_converted) {
    Container container;
    const std::string sql = "SELECT name, sql FROM sqlite_master ORDER BY name";
    const std::string before = container.stored(sql);
    ContainerSchema::convert(container.connection, 0);
    BOOST_TEST(container.stored(sql) == before);
}

BOOST_AUTO_TEST_CASE(a_table_container_stat_that_no_swift_made_is_refused) {
    Container container;
    container.stock.execute("DROP VIEW container_stat; CREATE TABLE container_stat (account)");
    require_refused(Error::unknown_schema, container.path, container.directory, [&] {
        ContainerSchema::convert(container.connection, 1);
        return 0;
    });
}
