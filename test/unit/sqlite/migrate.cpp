#include <replica/sqlite/migrate.hpp>

#define BOOST_TEST_MODULE sqlite_migrate
#include <boost/test/unit_test.hpp>

#include <sqlite3.h>
#include <support/sqlite_place.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

const std::string sync_tables = std::string(sqlite::sync_script);

/// Sums as a trigger of a former Swift keeps them, for rows that come or go.
std::string trigger(const std::string& name, const std::string& table, const std::string& sums,
                    bool comes, const std::string& before = "") {
    std::string text = "CREATE TRIGGER " + name + " AFTER " + (comes ? "INSERT" : "DELETE") +
                       " ON " + table + " BEGIN " + (comes ? before : "") + ' ';
    for (const char c : sums) {
        text += c == '@'   ? (comes ? "new" : "old")
                : c == '~' ? (comes ? "+" : "-")
                           : std::string{c};
    }
    return text + "; END;";
}

/// A container of Swift before 2.0. `later` names columns that came after its table was made.
std::string former_container(const std::string& later) {
    const std::string sums = "UPDATE container_stat SET"
                             " object_count = object_count ~ (1 - @.deleted),"
                             " bytes_used = bytes_used ~ @.size,"
                             " hash = chexor(hash, @.name, @.created_at)";
    return sync_tables +
           "CREATE TABLE object (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, created_at"
           " TEXT, size INTEGER, content_type TEXT, etag TEXT, deleted INTEGER DEFAULT 0);"
           "CREATE INDEX ix_object_deleted_name ON object (deleted, name);"
           "CREATE TRIGGER object_update BEFORE UPDATE ON object BEGIN"
           " SELECT raise(FAIL, 'rows of object are not updated but replaced'); END;" +
           trigger("object_insert", "object", sums, true) +
           trigger("object_delete", "object", sums, false) +
           "CREATE TABLE container_stat (account TEXT, container TEXT, created_at TEXT,"
           " put_timestamp TEXT DEFAULT '0', delete_timestamp TEXT DEFAULT '0',"
           " object_count INTEGER, bytes_used INTEGER, reported_put_timestamp TEXT DEFAULT '0',"
           " reported_delete_timestamp TEXT DEFAULT '0', reported_object_count INTEGER DEFAULT 0,"
           " reported_bytes_used INTEGER DEFAULT 0,"
           " hash TEXT DEFAULT '00000000000000000000000000000000', id TEXT,"
           " status TEXT DEFAULT '', status_changed_at TEXT DEFAULT '0'" +
           later +
           ");"
           "INSERT INTO container_stat (account, container, created_at, put_timestamp,"
           " delete_timestamp, object_count, bytes_used, reported_put_timestamp,"
           " reported_delete_timestamp, reported_object_count, reported_bytes_used, id, status,"
           " status_changed_at) VALUES ('a', 'c', '1.00001', '2.00002', '3.00003', 0, 0, '4.00004',"
           " '5.00005', 6, 7, 'old-id', 'so', '8.00008');"
           "INSERT INTO object (name, created_at, size, content_type, etag, deleted) VALUES"
           " ('kept', '0000000001.00000', 7, 't', 'e', 0),"
           " ('gone', '0000000002.00000', 0, 't', 'e', 1), ('lost', '1', 1, 't', 'e', 0),"
           " ('also', '0000000003.00000', 5, 't', 'e', 0), ('last', '1', 1, 't', 'e', 0);"
           "DELETE FROM object WHERE name IN ('lost', 'last');"
           "INSERT INTO incoming_sync (remote_id, sync_point) VALUES ('peer', 9);"
           "INSERT INTO outgoing_sync (remote_id, sync_point) VALUES ('peer', 4);";
}

const std::string metadata_column = ", metadata TEXT DEFAULT ''";
const std::string point_columns = ", x_container_sync_point1 INTEGER DEFAULT -1,"
                                  " x_container_sync_point2 INTEGER DEFAULT -1";

enum class Policies {
    unknown,      ///< Before Swift 2.0.
    counted,      ///< The same, once a later Swift has been asked for the sums by policy.
    counted_once, ///< The same, when that was Swift 2.0 to 2.2.
    former,       ///< Swift 2.0 to 2.2: without the number of containers.
    current,
};

/// An account with three containers, one of them deleted.
std::string former_account(Policies policies, bool with_metadata = true) {
    const bool by_row = policies == Policies::former || policies == Policies::current;
    const std::string rows = "INSERT INTO container (name, put_timestamp, delete_timestamp,"
                             " object_count, bytes_used, deleted) VALUES ('kept', '1', '0', 2, 20,"
                             " 0), ('gone', '1', '2', 0, 0, 1), ('also', '1', '0', 3, 30, 0);";
    const std::string script(sqlite::AccountSchema::script);
    const auto part = [&](const std::string& from, const std::string& to) {
        return script.substr(script.find(from), script.find(to) - script.find(from));
    };
    std::string table = part("CREATE TABLE container", "CREATE TABLE policy_stat");
    std::string stat = script.substr(script.find("CREATE TABLE account_stat"));
    if (!by_row) {
        const std::string column = ",\n    storage_policy_index INTEGER DEFAULT 0";
        table.erase(table.find(column), column.size());
    }
    if (!with_metadata) {
        stat.erase(stat.find(metadata_column), metadata_column.size());
    }
    std::string sql = sync_tables + table + stat +
                      "INSERT INTO account_stat (account, created_at, container_count, id, status)"
                      " VALUES ('a', '1.00001', 0, 'old-id', 'so');";
    const std::string current =
        part("CREATE TABLE policy_stat", "CREATE TRIGGER container_insert_ps");
    const std::string former = "CREATE TABLE policy_stat (storage_policy_index INTEGER PRIMARY KEY,"
                               " object_count INTEGER DEFAULT 0, bytes_used INTEGER DEFAULT 0);";
    if (policies == Policies::current) {
        return sql + current +
               part("CREATE TRIGGER container_insert_ps", "CREATE TABLE account_stat") + rows;
    }
    if (policies == Policies::former) {
        const std::string sums = "UPDATE policy_stat SET"
                                 " object_count = object_count ~ @.object_count,"
                                 " bytes_used = bytes_used ~ @.bytes_used"
                                 " WHERE storage_policy_index = @.storage_policy_index";
        return sql + former +
               trigger("container_insert_ps", "container", sums, true,
                       "INSERT OR IGNORE INTO policy_stat (storage_policy_index, object_count,"
                       " bytes_used) VALUES (new.storage_policy_index, 0, 0);") +
               trigger("container_delete_ps", "container", sums, false) + rows;
    }
    sql += rows;
    if (policies == Policies::counted) {
        sql += current + "INSERT INTO policy_stat VALUES (0, 2, 5, 50);";
    } else if (policies == Policies::counted_once) {
        sql += former + "INSERT INTO policy_stat VALUES (0, 5, 50);";
    }
    return sql;
}

/// A directory with one file of a former Swift.
template <class Broker>
struct Old {
    using Schema = std::conditional_t<std::is_same_v<Broker, SimTimedContainers>,
                                      sqlite::ContainerSchema, sqlite::AccountSchema>;

    TemporaryDirectory directory;
    SimClock clock;
    Broker broker{PosixDisk(), clock};
    std::string path = directory.path() + "/h.db";

    explicit Old(const std::string& sql) { StockConnection(path).execute(sql); }

    [[nodiscard]] Instant soon() const { return clock.monotonic() + std::chrono::seconds(1); }
    [[nodiscard]] auto open() { return broker.open(path, soon()); }
    [[nodiscard]] std::string rows(const std::string& sql) {
        return StockConnection(path).rows(sql);
    }

    [[nodiscard]] std::string tables() {
        return rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view', 'trigger') AND"
                    " name NOT LIKE 'sqlite%' ORDER BY name");
    }

    void refused(Error error, const std::string& reason) {
        for (const std::string& part : {path, reason}) {
            require_refused(error, part, directory, [&] { return open(); });
            require_refused(error, part, directory,
                            [&] { return broker.open_upload(path, soon()); });
        }
    }
};

using OldContainer = Old<SimTimedContainers>;
using OldAccount = Old<SimTimedAccounts>;

const std::string all_of_stat =
    "SELECT account, container, created_at, put_timestamp, delete_timestamp, object_count,"
    " bytes_used, reported_put_timestamp, reported_delete_timestamp, reported_object_count,"
    " reported_bytes_used, id, status, status_changed_at, hash FROM container_stat";

} // namespace

BOOST_AUTO_TEST_CASE(a_container_from_before_policies_keeps_all_its_values) {
    for (const std::string& later :
         {std::string(), metadata_column, point_columns, metadata_column + point_columns}) {
        OldContainer old(former_container(later));
        const std::string before = old.rows(all_of_stat);
        const std::string objects = old.rows("SELECT * FROM object");
        const std::string syncs =
            old.rows("SELECT * FROM incoming_sync UNION ALL SELECT * FROM outgoing_sync");
        const ContainerInfo info = old.open().info();
        BOOST_TEST(old.rows(all_of_stat) == before); // a view by now
        BOOST_TEST(old.rows("SELECT ROWID, name, created_at, size, content_type, etag, deleted"
                            " FROM object") == objects);
        BOOST_TEST(old.rows("SELECT DISTINCT storage_policy_index FROM object") == "0|");
        BOOST_TEST(old.rows("SELECT * FROM policy_stat") == "0|2|12|");
        BOOST_TEST(old.rows("SELECT * FROM incoming_sync UNION ALL SELECT * FROM outgoing_sync") ==
                   syncs);
        BOOST_TEST(old.rows("SELECT metadata, x_container_sync_point1, x_container_sync_point2,"
                            " storage_policy_index, reconciler_sync_point FROM container_stat") ==
                   "|-1|-1|0|-1|");
        BOOST_TEST(info.count == 2);
        BOOST_TEST(info.bytes_used == 12);
        BOOST_TEST(info.max_row == 5);
        BOOST_TEST(info.reported_delete_timestamp == "5.00005");
        BOOST_TEST(!info.several_policies);
    }
}

BOOST_AUTO_TEST_CASE(what_a_container_said_of_itself_later_is_kept_as_well) {
    OldContainer old(former_container(metadata_column + point_columns) +
                     "UPDATE container_stat SET metadata = '{\"A\": [\"b\", \"1\"]}',"
                     " x_container_sync_point1 = 11, x_container_sync_point2 = 12");
    const ContainerInfo info = old.open().info();
    BOOST_TEST(info.metadata == "{\"A\": [\"b\", \"1\"]}");
    BOOST_TEST(info.x_container_sync_point1 == 11);
    BOOST_TEST(info.x_container_sync_point2 == 12);
}

BOOST_AUTO_TEST_CASE(a_container_brought_up_to_date_has_the_tables_of_a_new_one) {
    OldContainer old(former_container(""));
    static_cast<void>(old.open());
    OldContainer fresh("SELECT 1");
    std::filesystem::remove(fresh.path);
    fresh.broker.create(fresh.path, container_info());
    StockConnection(fresh.path).execute("DROP TABLE shard_range"); // Swift makes it to write to it
    BOOST_TEST(old.tables() == fresh.tables());
    BOOST_TEST(old.rows("SELECT name, type, pk FROM pragma_table_info('container_info')") ==
               fresh.rows("SELECT name, type, pk FROM pragma_table_info('container_info')"));
    // The next one to open it finds nothing to do.
    const auto files = files_below(old.directory.path());
    static_cast<void>(old.open());
    BOOST_TEST((files_below(old.directory.path()) == files));
}

BOOST_AUTO_TEST_CASE(both_a_stock_server_and_a_broker_go_on_with_it) {
    OldContainer old(former_container(""));
    auto database = old.open();
    database.put(object("new", "0000000009.00000", 100, 1));
    StockConnection(old.path).execute(
        "INSERT INTO object (name, created_at, size, deleted, storage_policy_index) VALUES"
        " ('newer', '0000000009.00000', 1000, 0, 0); DELETE FROM object WHERE name = 'kept';"
        "UPDATE container_stat SET status = 'x'");
    BOOST_TEST(database.info().count == 2);
    BOOST_TEST(database.info().bytes_used == 1005);
    BOOST_TEST(database.info().status == "x");
    BOOST_TEST(database.info().max_row == 7);
    BOOST_TEST(old.rows("SELECT * FROM policy_stat") == "0|2|1005|1|1|100|");
    BOOST_CHECK_NO_THROW(
        static_cast<void>(old.broker.open_upload(old.path, old.soon()))); // hash and all
}

BOOST_AUTO_TEST_CASE(an_account_from_before_policies_counts_its_containers_as_policy_0) {
    for (const Policies policies : {Policies::unknown, Policies::counted, Policies::counted_once}) {
        for (const bool with_metadata : {true, false}) {
            OldAccount old(former_account(policies, with_metadata));
            auto database = old.open();
            BOOST_TEST(database.info().count == 2);
            BOOST_TEST(database.info().metadata.empty());
            BOOST_TEST(database.info().id == "old-id");
            BOOST_TEST(old.rows("SELECT status FROM account_stat") == "so|");
            BOOST_TEST(old.rows("SELECT storage_policy_index, container_count, object_count,"
                                " bytes_used FROM policy_stat") == "0|2|5|50|");
            BOOST_TEST(old.rows("SELECT DISTINCT storage_policy_index FROM container") == "0|");
            BOOST_CHECK_NO_THROW(static_cast<void>(old.broker.open_upload(old.path, old.soon())));
        }
    }
}

BOOST_AUTO_TEST_CASE(an_account_without_live_containers_has_no_sums_yet) {
    OldAccount old(former_account(Policies::unknown) + "DELETE FROM container WHERE deleted = 0");
    auto database = old.open();
    BOOST_TEST(old.rows("SELECT count(*) FROM policy_stat") == "0|");
    database.put_container("new", Timestamp{100'000, 0}, 4, 40, 1);
    BOOST_TEST(old.rows("SELECT storage_policy_index, container_count, object_count, bytes_used"
                        " FROM policy_stat") == "1|1|4|40|");
}

BOOST_AUTO_TEST_CASE(an_account_with_sums_by_policy_gets_the_number_of_containers) {
    OldAccount one(former_account(Policies::former));
    static_cast<void>(one.open());
    const std::string sums = "SELECT storage_policy_index, container_count, object_count,"
                             " bytes_used FROM policy_stat";
    BOOST_TEST(one.rows(sums) == "0|2|5|50|");

    OldAccount several(former_account(Policies::former) +
                       "INSERT INTO container (name, put_timestamp, delete_timestamp, object_count,"
                       " bytes_used, deleted, storage_policy_index) VALUES"
                       " ('x', '1', '0', 1, 1, 0, 1), ('y', '0', '1', 0, 0, 1, 1),"
                       " ('z', '0', '1', 0, 0, 1, 2)");
    auto database = several.open();
    BOOST_TEST(several.rows(sums) == "0|2|5|50|1|1|1|1|2|0|0|0|");
    BOOST_TEST(database.info().count == 3);
    StockConnection(several.path).execute("DELETE FROM container WHERE name = 'x'");
    BOOST_TEST(several.rows(sums) == "0|2|5|50|1|0|0|0|2|0|0|0|");
}

BOOST_AUTO_TEST_CASE(an_account_that_lacks_metadata_alone_gets_it) {
    OldAccount old(former_account(Policies::current, false));
    BOOST_TEST(old.open().info().metadata.empty());
    OldAccount empty(former_account(Policies::current) + "DROP TABLE policy_stat");
    static_cast<void>(empty.open());
    BOOST_TEST(empty.rows("SELECT * FROM policy_stat") == "0|2|5|50|");
}

BOOST_AUTO_TEST_CASE(an_upload_of_a_former_swift_is_taken_only_if_all_of_it_is_sound) {
    OldContainer old(former_container(""));
    auto database = old.broker.open_upload(old.path, old.soon());
    BOOST_TEST(database.info().count == 2);
    BOOST_TEST(old.rows("SELECT * FROM policy_stat") == "0|2|12|");

    OldContainer hash(former_container("") + "UPDATE container_stat SET hash ="
                                             " '00000000000000000000000000000001'");
    BOOST_TEST(hash.open().info().count == 2); // a file of our own is not asked for it
    auto upload = hash.broker.open_upload(hash.path, hash.soon());
    BOOST_TEST(upload.mend_sums());
    BOOST_TEST(upload.info().hash == old.open().info().hash);

    OldContainer torn(
        former_container("") +
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 900)"
        " INSERT INTO object (name, created_at, size) SELECT 'row' || i, i, 1 FROM n");
    std::string bytes = read_file(torn.path);
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size()) * 3 / 4, 4096, '\0');
    write_file(torn.path, bytes);
    require_refused(Error::corrupt, torn.path, torn.directory,
                    [&] { return torn.broker.open_upload(torn.path, torn.soon()); });
}

BOOST_AUTO_TEST_CASE(what_no_swift_has_made_is_refused_and_named) {
    const std::vector<std::pair<std::string, std::string>> containers{
        {"DROP TRIGGER object_delete", "triggers object_insert and object_delete"},
        {"DROP TRIGGER object_insert; CREATE TRIGGER object_insert AFTER INSERT ON object BEGIN"
         " UPDATE container_stat SET object_count = 0; END",
         "triggers object_insert and object_delete"},
        {"ALTER TABLE container_stat ADD COLUMN more TEXT",
         "a container_stat without Swift's columns"},
        {"ALTER TABLE container_stat DROP COLUMN status",
         "a container_stat without Swift's columns"},
        {"ALTER TABLE container_stat RENAME COLUMN status TO state", "status"},
        {"INSERT INTO container_stat (account) VALUES ('b')",
         "a container_stat without Swift's columns"},
        {"ALTER TABLE object ADD COLUMN storage_policy_index INTEGER", "storage_policy_index"},
        {"ALTER TABLE object DROP COLUMN etag", "another table object"},
        {"ALTER TABLE object ADD COLUMN more TEXT", "another table object"},
        {"CREATE TABLE policy_stat (a)", "policy_stat"},
        {"CREATE TABLE former_stat (a)", "former_stat"},
        {"CREATE TABLE more (a)", "an unknown table more"},
        {"CREATE VIEW spy AS SELECT * FROM object", "an unknown view spy"},
        {"CREATE VIEW spy AS SELECT * FROM container_stat", "spy"},
        {"CREATE TRIGGER evil AFTER INSERT ON incoming_sync BEGIN DELETE FROM object; END",
         "an unknown trigger evil"},
        {"DROP INDEX ix_object_deleted_name; CREATE INDEX ix_object_deleted ON object (deleted)",
         "an unknown index ix_object_deleted"}, // of the first Swifts
        {"DROP INDEX ix_object_deleted_name", "no index ix_object_deleted_name"},
        {"DROP TRIGGER object_update", "no trigger object_update"},
        {"ALTER TABLE incoming_sync ADD COLUMN more TEXT", "another table incoming_sync"}};
    for (const auto& [sql, reason] : containers) {
        BOOST_TEST_CONTEXT(sql) {
            OldContainer(former_container("") + sql).refused(Error::unknown_schema, reason);
        }
    }
    const std::vector<std::pair<std::string, std::string>> accounts{
        {"DROP TRIGGER container_delete_ps", "no trigger container_delete_ps"},
        {"DROP TRIGGER container_insert_ps; CREATE TRIGGER container_insert_ps AFTER INSERT ON"
         " container BEGIN SELECT 1; END",
         "another trigger container_insert_ps"},
        {"ALTER TABLE policy_stat ADD COLUMN more TEXT", "another table policy_stat"},
        {"ALTER TABLE account_stat ADD COLUMN more TEXT", "another table account_stat"},
        {"CREATE TABLE more (a)", "an unknown table more"}};
    for (const auto& [sql, reason] : accounts) {
        BOOST_TEST_CONTEXT(sql) {
            OldAccount(former_account(Policies::former) + sql)
                .refused(Error::unknown_schema, reason);
        }
    }
    // Nor does a file of today become one of a former Swift because it lacks something.
    OldContainer today("SELECT 1");
    std::filesystem::remove(today.path);
    today.broker.create(today.path, container_info());
    StockConnection(today.path)
        .execute("DROP TRIGGER container_stat_update; DROP VIEW container_stat;"
                 "ALTER TABLE container_info DROP COLUMN metadata");
    today.refused(Error::unknown_schema, "container_info");
}

BOOST_AUTO_TEST_CASE(a_file_without_its_one_row_is_beyond_use) {
    OldContainer(former_container("") + "DELETE FROM container_stat")
        .refused(Error::missing_table, "has no row");
    OldAccount(former_account(Policies::unknown) + "DELETE FROM account_stat")
        .refused(Error::missing_table, "has no row");
    OldContainer(former_container("") + "DROP TABLE object")
        .refused(Error::missing_table, "no table object");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_only_looked_at_stays_as_it_is) {
    OldContainer old(former_container(""));
    SimTimedContainers looker(PosixDisk(), old.clock, SqliteOptions{.migrate = false});
    require_refused(Error::unknown_schema, old.path + ": is made by an old Swift", old.directory,
                    [&] { return looker.open(old.path, old.soon()); });
    static_cast<void>(old.open());
    BOOST_TEST(looker.open(old.path, old.soon()).info().count == 2);
}

namespace {

template <class Old>
void wait_while_another_does_it(const std::string& sql, const std::string& sums) {
    Old old(sql);
    StockConnection other(old.path); // a server that has begun to write
    other.execute("BEGIN IMMEDIATE; ROLLBACK; BEGIN IMMEDIATE");
    int waits = 0;
    const auto wait = [&](int, Instant) {
        if (++waits == 1) {
            other.execute("ROLLBACK");
            BOOST_TEST(old.open().info().count == 2);
        }
        return true;
    };
    sqlite::Connection connection(old.path, sqlite::Connection::Mode::existing, wait, old.soon());
    BOOST_TEST(!sqlite::is_current<typename Old::Schema>(connection));
    sqlite::migrate<typename Old::Schema>(connection, [] {});
    BOOST_TEST(waits == 1);
    BOOST_TEST(sqlite::is_current<typename Old::Schema>(connection));
    BOOST_TEST(old.rows("SELECT count(*), sum(bytes_used) FROM policy_stat") == "1|" + sums + '|');
}

} // namespace

BOOST_AUTO_TEST_CASE(who_waits_while_another_does_it_does_nothing) {
    wait_while_another_does_it<OldContainer>(former_container(""), "12");
    wait_while_another_does_it<OldAccount>(former_account(Policies::unknown), "50");
    wait_while_another_does_it<OldAccount>(former_account(Policies::former), "50");
}

BOOST_AUTO_TEST_CASE(a_locked_file_is_waited_for_until_the_deadline) {
    OldContainer old(former_container(""));
    StockConnection other(old.path);
    other.execute("BEGIN IMMEDIATE");
    require_refused(Error::locked, old.path, old.directory, [&] { return old.open(); });
    other.execute("ROLLBACK");
    BOOST_TEST(old.open().info().count == 2);
}

namespace {

/// Interrupts bringing a file up to date after 1, 2, 3... hundred steps of SQLite's machine, until
/// it is not interrupted any more. Each time all of the file is as it was.
template <class Old>
void interrupt_everywhere(const std::string& sql) {
    Old old(sql);
    const auto before = files_below(old.directory.path());
    for (int steps = 1;; ++steps) {
        sqlite::Connection connection(old.path, sqlite::Connection::Mode::existing, {}, Instant());
        int left = steps;
        sqlite3_progress_handler(
            connection.get(), 100,
            [](void* count) { return --*static_cast<int*>(count) > 0 ? 0 : 1; }, &left);
        try {
            sqlite::migrate<typename Old::Schema>(connection, [] {});
            BOOST_TEST(steps > 5);
            break;
        } catch (const Failure&) {
            BOOST_TEST((files_below(old.directory.path()) == before), "changed at " << steps);
        }
    }
    BOOST_TEST(old.open().info().count == 2);
}

} // namespace

BOOST_AUTO_TEST_CASE(it_is_done_whole_or_not_at_all) {
    interrupt_everywhere<OldContainer>(former_container(""));
    interrupt_everywhere<OldAccount>(former_account(Policies::unknown, false));
    interrupt_everywhere<OldAccount>(former_account(Policies::former));
}

BOOST_AUTO_TEST_CASE(a_process_that_dies_of_it_leaves_what_the_next_one_begins_with) {
    OldContainer old(former_container(""));
    const std::string before = old.rows(all_of_stat);
    const pid_t child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
        sqlite::Connection connection(old.path, sqlite::Connection::Mode::existing, {}, Instant());
        // Nothing stays in memory: the file is half written and a journal says what it was.
        sqlite::migrate<sqlite::ContainerSchema>(connection, [&] {
            sqlite3_db_cacheflush(connection.get());
            ::_exit(7);
        });
        ::_exit(1);
    }
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    BOOST_TEST(WEXITSTATUS(status) == 7);
    BOOST_TEST(std::filesystem::file_size(old.path + "-journal") > 512u);
    BOOST_TEST(old.open().info().count == 2);
    BOOST_TEST(old.rows(all_of_stat) == before);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_written_to_is_named_and_stays) {
    OldContainer old(former_container(""));
    std::filesystem::permissions(old.path, std::filesystem::perms(0444));
    std::filesystem::permissions(old.directory.path(), std::filesystem::perms(0755));
    const uid_t self = ::geteuid(); // root may write to anything
    constexpr uid_t nobody = 65534;
    BOOST_REQUIRE(self != 0 || ::seteuid(nobody) == 0);
    require_refused(Error::io,
                    old.path + ": is made by an old Swift, and cannot be brought up to"
                               " date: it is read-only",
                    old.directory, [&] { return old.open(); });
    BOOST_REQUIRE(self != 0 || ::seteuid(self) == 0);
    BOOST_TEST(!(make_error_code(Error::io) == Condition::quarantine));
}
