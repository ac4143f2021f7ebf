#include <replica/sqlite/schema.hpp>

#define BOOST_TEST_MODULE sqlite_schema
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

/// A directory with one file, made by `sql`, or a copy of a fresh database that `sql` was run on.
template <class Broker>
struct Old {
    TemporaryDirectory directory;
    SimClock clock;
    Broker broker{PosixDisk(), clock};
    std::string path = directory.path() + "/h.db";

    explicit Old(const std::string& sql, bool fresh = true) {
        if (fresh) {
            typename Broker::database_type::info_type info;
            info.account = "a";
            broker.create(path, info);
        }
        StockConnection(path).execute(sql);
    }

    void refused(Error error, const std::string& reason) {
        const auto soon = [&] { return clock.monotonic() + std::chrono::seconds(1); };
        for (const std::string& part : {path, reason}) {
            require_refused(error, part, directory, [&] { return broker.open(path, soon()); });
            require_refused(error, part, directory,
                            [&] { return broker.open_upload(path, soon()); });
        }
    }
};

using OldContainer = Old<SimTimedContainers>;
using OldAccount = Old<SimTimedAccounts>;

} // namespace

BOOST_AUTO_TEST_CASE(a_new_database_is_like_the_one_it_is_to_replicate) {
    ContainerInfo info = container_info();
    info.id = "id";
    info.created_at = "1";
    info.put_timestamp = "2";
    info.delete_timestamp = "3";
    info.storage_policy_index = 4;
    const auto container = sqlite::NewDatabase::like(info);
    BOOST_TEST(container.account == "a");
    BOOST_TEST(container.container == "c");
    BOOST_TEST(container.id == "id");
    BOOST_TEST(container.created_at == "1");
    BOOST_TEST(container.put_timestamp == "2");
    BOOST_TEST(container.storage_policy_index == 4);
    AccountInfo account_info;
    account_info.account = "b";
    BOOST_TEST(sqlite::NewDatabase::like(account_info).account == "b");
    BOOST_TEST(sqlite::NewDatabase::like(account_info).container.empty());
}

BOOST_AUTO_TEST_CASE(a_file_is_made_with_all_that_is_said_of_it) {
    const std::string name("sn\xc3\xb6w\0\xe2\x98\x83", 9);
    Fresh<sqlite::ContainerSchema> container({name, "c'\"", "id-1", "5", "6", 3});
    const ContainerInfo info = sqlite::ContainerSchema::read_info(container.connection);
    BOOST_TEST(info.account == name);
    BOOST_TEST(info.container == "c'\"");
    BOOST_TEST(info.id == "id-1");
    BOOST_TEST(info.created_at == "5");
    BOOST_TEST(info.put_timestamp == "6");
    BOOST_TEST(info.status_changed_at == "6");
    BOOST_TEST(info.storage_policy_index == 3);
    BOOST_TEST(info.delete_timestamp == "0");
    BOOST_TEST(info.hash == std::string(32, '0'));
    BOOST_TEST(info.max_row == -1);
    BOOST_TEST(info.shard_max_row == -1);
    BOOST_TEST(info.metadata.empty());
    Fresh<sqlite::AccountSchema> account({"a", "", "id-2", "5", "6", 0});
    BOOST_TEST(sqlite::AccountSchema::read_info(account.connection).id == "id-2");
    BOOST_TEST(sqlite::AccountSchema::read_info(account.connection).count == 0);
}

BOOST_AUTO_TEST_CASE(a_schema_is_made_whole_or_not_at_all) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/c.db";
    StockConnection(path).execute("CREATE TABLE incoming_sync (a)"); // in the way
    sqlite::Connection connection(path, sqlite::Connection::Mode::existing, {}, Instant());
    require_refused(Error::unknown_schema, path, directory, [&] {
        sqlite::make_schema<sqlite::ContainerSchema>(connection, {});
        return 0;
    });
    BOOST_TEST(connection.integer("SELECT count(*) FROM sqlite_master") == 1);
    BOOST_TEST(!connection.in_transaction());
}

BOOST_AUTO_TEST_CASE(points_written_by_a_stock_server_get_their_time_from_the_triggers) {
    const Fresh<sqlite::ContainerSchema> file({});
    StockConnection stock(file.path);
    for (const std::string table : {"incoming_sync", "outgoing_sync"}) {
        stock.execute("INSERT INTO " + table + " (remote_id, sync_point) VALUES ('x', 1)");
        BOOST_TEST(stock.rows("SELECT updated_at > '1700000000' FROM " + table) == "1|");
        stock.execute("PRAGMA recursive_triggers = OFF; UPDATE " + table +
                      " SET sync_point = 2, updated_at = '5'");
        BOOST_TEST(stock.rows("SELECT sync_point, updated_at > '1700000000' FROM " + table) ==
                   "2|1|");
    }
}

BOOST_AUTO_TEST_CASE(rows_of_a_stock_server_are_replaced_and_never_updated) {
    const Fresh<sqlite::ContainerSchema> file({"a", "c", "id", "1", "1", 0});
    StockConnection stock(file.path);
    stock.execute("INSERT INTO object (name, created_at, size) VALUES ('o', '1', 5)");
    BOOST_TEST(sqlite3_exec(stock.get(), "UPDATE object SET size = 6", nullptr, nullptr, nullptr) ==
               SQLITE_CONSTRAINT);
    BOOST_TEST(stock.rows("SELECT object_count, bytes_used FROM container_stat") == "1|5|");
    stock.execute("UPDATE container_stat SET status = 'X', account = 'b'"); // through the view
    BOOST_TEST(stock.rows("SELECT status, account FROM container_info") == "X|b|");
    stock.execute("DELETE FROM object");
    BOOST_TEST(stock.rows("SELECT object_count, bytes_used, hash FROM container_stat") ==
               "0|0|00000000000000000000000000000000|");
}

BOOST_AUTO_TEST_CASE(nobody_commits_while_an_info_is_read_in_several_statements) {
    struct Writer {
        StockConnection stock;
        int refused = 0;
        int committed = 0;
    };
    const auto write = [](unsigned, void* self, void* /*statement*/, void* /*sql*/) {
        auto& writer = *static_cast<Writer*>(self);
        const int code = sqlite3_exec(writer.stock.get(),
                                      "BEGIN IMMEDIATE;"
                                      "UPDATE container_info SET hash = 'other', account = 'b';"
                                      "UPDATE policy_stat SET object_count = 9; COMMIT",
                                      nullptr, nullptr, nullptr);
        ++(code == SQLITE_OK ? writer.committed : writer.refused);
        sqlite3_exec(writer.stock.get(), "ROLLBACK", nullptr, nullptr, nullptr);
        return 0;
    };
    OldContainer fresh("SELECT 1");
    sqlite::Connection connection(fresh.path, sqlite::Connection::Mode::existing,
                                  sqlite::wait_by(fresh.clock), Instant::max());
    static_cast<void>(sqlite::ContainerSchema::read_info(connection)); // compiles the statements
    Writer writer{StockConnection(fresh.path)};
    // Called as each statement begins: before the first one a writer may still commit.
    sqlite3_trace_v2(connection.get(), SQLITE_TRACE_STMT, +write, &writer);
    const ContainerInfo info = sqlite::ContainerSchema::read_info(connection);
    BOOST_TEST(writer.committed == 1);
    BOOST_TEST(writer.refused == 2);
    BOOST_TEST(info.account == "b");
    BOOST_TEST(info.count == 9);
    sqlite3_trace_v2(connection.get(), 0, nullptr, nullptr);
    BOOST_TEST(writer.stock.rows("SELECT account FROM container_info") == "b|");
}

BOOST_AUTO_TEST_CASE(the_sums_are_those_of_the_own_policy_and_the_live_rows_those_of_all) {
    OldContainer old("UPDATE container_info SET storage_policy_index = 1;"
                     "UPDATE policy_stat SET object_count = 3, bytes_used = 30;"
                     "INSERT INTO policy_stat VALUES (1, 4, 40)");
    const ContainerInfo info = old.broker.open(old.path, Instant::max()).info();
    BOOST_TEST(info.count == 4);
    BOOST_TEST(info.bytes_used == 40);
    BOOST_TEST(info.live_rows == 7);
    BOOST_TEST(info.several_policies);
    OldContainer bare("UPDATE container_info SET storage_policy_index = 1");
    const ContainerInfo unknown = bare.broker.open(bare.path, Instant::max()).info();
    BOOST_TEST(unknown.count == 0); // no row of its own policy
    BOOST_TEST(!unknown.several_policies);
}

BOOST_AUTO_TEST_CASE(counts_that_no_number_holds_are_never_those_of_an_empty_container) {
    OldContainer old("UPDATE policy_stat SET object_count = 9223372036854775807;"
                     "INSERT INTO policy_stat VALUES (1, 9223372036854775807, 0), (2, 2, 0)");
    const ContainerInfo info = old.broker.open(old.path, Instant::max()).info();
    BOOST_TEST(info.live_rows == std::numeric_limits<std::int64_t>::max());
}

// ---- Files without what others have. None may go to quarantine whose rows are good. Those that a
// former Swift made are brought up to date: unit/sqlite_migrate.

BOOST_AUTO_TEST_CASE(a_file_without_a_column_that_each_swift_gives_it_is_refused_not_quarantined) {
    OldContainer("DROP TRIGGER container_stat_update; DROP VIEW container_stat;"
                 "ALTER TABLE container_info DROP COLUMN metadata")
        .refused(Error::unknown_schema, "another table container_info");
    OldContainer("DROP TRIGGER object_insert_policy_stat; DROP TRIGGER object_delete_policy_stat;"
                 "ALTER TABLE object DROP COLUMN storage_policy_index")
        .refused(Error::unknown_schema, "another table object");
    OldContainer("DROP TRIGGER container_stat_update; DROP VIEW container_stat;"
                 "ALTER TABLE container_info DROP COLUMN x_container_sync_point1")
        .refused(Error::unknown_schema, "another table container_info");
    OldAccount("DROP TRIGGER container_insert_ps; DROP TRIGGER container_delete_ps;"
               "ALTER TABLE policy_stat DROP COLUMN container_count;"
               "INSERT INTO policy_stat (storage_policy_index) VALUES (0)")
        .refused(Error::unknown_schema, "no trigger container_delete_ps");
}

BOOST_AUTO_TEST_CASE(a_file_from_before_sharding_works) {
    OldContainer old("DROP TABLE shard_range");
    auto database = old.broker.open_upload(old.path, Instant::max());
    database.put(object("o", "0000000001.00000", 7));
    BOOST_TEST(database.info().count == 1);
    BOOST_TEST(database.info().shard_max_row == -1);
    BOOST_TEST(database.info().db_state == "unsharded");
    BOOST_CHECK_NO_THROW(database.reclaim(database.info(), Timestamp{1, 0}, Timestamp{1, 0}));
}

BOOST_AUTO_TEST_CASE(points_without_a_time_are_read_and_not_written) {
    OldContainer old("DROP TRIGGER incoming_sync_insert; DROP TRIGGER incoming_sync_update;"
                     "ALTER TABLE incoming_sync DROP COLUMN updated_at;"
                     "INSERT INTO incoming_sync VALUES ('peer', 7)");
    auto database = old.broker.open(old.path, Instant::max());
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == 7);
    const auto row = object("o", "0000000001.00000");
    require_refused(Error::unknown_schema, "updated_at", old.directory,
                    [&] { return database.merge_items(std::span(&row, 1), "peer"); });
    BOOST_TEST(database.info().count == 0); // no row without its point
}

BOOST_AUTO_TEST_CASE(a_file_that_lacks_a_core_table_is_beyond_use) {
    for (const std::string table : {"incoming_sync", "outgoing_sync"}) {
        OldContainer("DROP TABLE " + table).refused(Error::missing_table, "no table " + table);
    }
    OldContainer("DROP TABLE object").refused(Error::missing_table, "no table object");
    OldContainer("DROP VIEW container_stat; DROP TABLE container_info")
        .refused(Error::missing_table, "no table container_info");
    OldAccount("DROP TABLE account_stat").refused(Error::missing_table, "no table account_stat");
    OldContainer("CREATE TABLE somebody (x)", false)
        .refused(Error::missing_table, "no table object");
    OldContainer("DELETE FROM container_info").refused(Error::missing_table, "has no row");
}

BOOST_AUTO_TEST_CASE(an_account_is_no_container_and_the_other_way_round) {
    OldAccount account("SELECT 1");
    SimTimedContainers containers;
    // Not unknown_schema: no Swift has ever had both under one directory.
    require_refused(Error::missing_table, account.path, account.directory,
                    [&] { return containers.open(account.path, Instant::max()); });
    OldContainer container("SELECT 1");
    SimTimedAccounts accounts;
    require_refused(Error::missing_table, container.path, container.directory,
                    [&] { return accounts.open(container.path, Instant::max()); });
}
