#include <replica/sqlite/check.hpp>

#define BOOST_TEST_MODULE sqlite_check_hostile
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Accounts = SimTimedAccounts;
using Containers = SimTimedContainers;

/// A file from elsewhere, of two rows, on which somebody has run `sql` as a stock server would.
/// Its hash and its sums are right: triggers have seen to that.
template <class B>
struct Upload {
    TemporaryDirectory directory;
    SimClock clock;
    B broker{PosixDisk(), clock};
    std::string path = directory.path() + "/upload";

    explicit Upload(const std::string& sql = "") {
        typename B::database_type::info_type info;
        info.account = "a";
        broker.create(path, info);
        run(std::is_same_v<B, Accounts> ? "INSERT INTO container (name, put_timestamp,"
                                          " delete_timestamp, object_count, bytes_used) VALUES"
                                          " ('first', '1', '0', 2, 20), ('second', '1', '0', 3, 30)"
                                        : "INSERT INTO object (name, created_at, size) VALUES"
                                          " ('first', '1', 7), ('second', '1', 8)");
        run(sql);
    }

    void run(const std::string& sql) const { StockConnection(path).execute(sql); }

    /// What SQLite itself would refuse to do to a schema.
    Upload& forge(const std::string& sql) {
        run("PRAGMA writable_schema = ON; " + sql);
        return *this;
    }

    /// Runs `sql` while the file does not know that it has this index, nor that `table` needs it.
    Upload& behind(const std::string& index, const std::string& sql,
                   const std::string& table = "none") {
        const auto named = [](const std::string& name) { return " WHERE name = '" + name + "'"; };
        std::string entry = StockConnection(path).rows(
            "SELECT quote(type) || ',' || quote(name) || ',' || quote(tbl_name) || ',' || rootpage"
            " || ',' || quote(sql) FROM sqlite_master" +
            named(index));
        entry.pop_back();
        forge("DELETE FROM sqlite_master" + named(index) +
              "; UPDATE sqlite_master SET sql = replace(sql, ' UNIQUE', '')" + named(table));
        run(sql);
        return forge("INSERT INTO sqlite_master VALUES (" + entry +
                     "); UPDATE sqlite_master SET sql = replace(sql, 'remote_id TEXT',"
                     " 'remote_id TEXT UNIQUE')" +
                     named(table));
    }

    /// Runs `sql` while the file of a container does not add up what is inserted.
    Upload& untold(const std::string& sql) {
        const std::string script(sqlite::ContainerSchema::script);
        const std::size_t begin = script.find("CREATE TRIGGER object_insert_policy_stat");
        const std::size_t end = script.find("CREATE TRIGGER object_delete_policy_stat");
        run("DROP TRIGGER object_insert_policy_stat; " + sql);
        run(script.substr(begin, end - begin));
        return *this;
    }

    [[nodiscard]] auto open() { return broker.open_upload(path, clock.monotonic()); }

    void refused(Error error, const std::string& reason = "") {
        for (const std::string& part : {path, reason}) {
            require_refused(error, part, directory, [&] { return open(); });
        }
    }
};

using Account = Upload<Accounts>;
using Container = Upload<Containers>;

std::string object_with(const std::string& columns, const std::string& values) {
    return "INSERT INTO object (created_at, " + columns + ") VALUES ('1', " + values + ')';
}

} // namespace

BOOST_AUTO_TEST_CASE(a_trigger_does_not_pass_under_a_name_of_sqlites_own) {
    for (const std::string name : {"sqlite_stat1", "sqlite_sequence", "sqlite_autoindex_object_1",
                                   "sqlite_autoindex_outgoing_sync_1"}) {
        BOOST_TEST_CONTEXT(name) {
            Container upload("CREATE TRIGGER evil AFTER INSERT ON object BEGIN DELETE FROM"
                             " incoming_sync; END");
            upload
                .forge("UPDATE sqlite_master SET name = '" + name +
                       "', sql = replace(sql, 'evil', '" + name + "') WHERE name = 'evil'")
                .refused(Error::unknown_schema, "an unknown trigger " + name);
        }
    }
}

BOOST_AUTO_TEST_CASE(what_is_written_for_sqlites_own_tables_is_compared_as_well) {
    BOOST_CHECK_NO_THROW((void)Container("ANALYZE").open());
    Container("ANALYZE")
        .forge("UPDATE sqlite_master SET sql = 'CREATE TABLE sqlite_stat1(tbl, idx, stat, more)'"
               " WHERE name = 'sqlite_stat1'")
        .refused(Error::unknown_schema, "another table sqlite_stat1");
    Container()
        .forge("UPDATE sqlite_master SET sql = 'CREATE TABLE sqlite_sequence(seq,name)'"
               " WHERE name = 'sqlite_sequence'")
        .refused(Error::unknown_schema, "another table sqlite_sequence");
}

BOOST_AUTO_TEST_CASE(a_word_that_sqlite_does_not_read_as_one_makes_no_autoincrement) {
    for (const std::string text :
         {"ROWID INTEGER PRIMARY KEY -- AUTOINCREMENT\n", "ROWID INTEGER PRIMARY KEY, -- \n",
          "ROWID INTEGER \"PRIMARY\" \"KEY\" \"AUTOINCREMENT\"",
          "ROWID INTEGER DEFAULT 'AUTOINCREMENT' PRIMARY KEY"}) {
        BOOST_TEST_CONTEXT(text) {
            Container upload;
            upload.forge("UPDATE sqlite_master SET sql = replace(sql, 'ROWID INTEGER PRIMARY KEY"
                         " AUTOINCREMENT', '" +
                         (text.find('\'') == std::string::npos
                              ? text
                              : "ROWID INTEGER DEFAULT ''AUTOINCREMENT'' PRIMARY KEY") +
                         "') WHERE name = 'object'");
            BOOST_TEST((error_of([&] { return upload.open(); }) != Error{}));
        }
    }
}

BOOST_AUTO_TEST_CASE(an_entry_of_the_schema_is_what_its_text_says) {
    Container()
        .forge("UPDATE sqlite_master SET tbl_name = 'policy_stat' WHERE name = 'object_update'")
        .refused(Error::corrupt, "object_update");
    Container() // a known text under another known name
        .forge("UPDATE sqlite_master SET sql = replace(sql, 'incoming_sync_update',"
               " 'outgoing_sync_update') WHERE name = 'incoming_sync_update';"
               "UPDATE sqlite_master SET sql = replace(sql, 'outgoing_sync_update',"
               " 'incoming_sync_update') WHERE name = 'outgoing_sync_update'")
        .refused(Error::corrupt, "ing_sync_update");
    Container()
        .forge("UPDATE sqlite_master SET name = 'sqlite_autoindex_incoming_sync_1' WHERE"
               " name = 'sqlite_autoindex_outgoing_sync_1'")
        .refused(Error::corrupt);
    Container("DROP TABLE shard_range; CREATE TABLE shard_range (ROWID INTEGER PRIMARY KEY"
              " AUTOINCREMENT, name TEXT)")
        .refused(Error::unknown_schema, "another table shard_range");
}

BOOST_AUTO_TEST_CASE(a_page_belongs_to_one_table_and_a_table_has_pages) {
    for (const std::string root :
         {"(SELECT rootpage FROM sqlite_master WHERE name = 'object')", "0", "1", "999999"}) {
        BOOST_TEST_CONTEXT(root) {
            Container()
                .forge("UPDATE sqlite_master SET rootpage = " + root +
                       " WHERE name = 'shard_range'")
                .refused(Error::corrupt);
            Container()
                .forge("UPDATE sqlite_master SET rootpage = " + root +
                       " WHERE name = 'ix_object_deleted_name'")
                .refused(Error::corrupt);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_file_says_nothing_of_how_it_is_to_be_read) {
    Container("PRAGMA default_cache_size = 1000000").refused(Error::corrupt, "cache");
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/wide";
    {
        sqlite::Connection file(path, sqlite::Connection::Mode::create, {}, Instant());
        file.execute("PRAGMA encoding = 'UTF-16le'");
        sqlite::make_schema<sqlite::ContainerSchema>(file,
                                                     sqlite::NewDatabase::like(container_info()));
    }
    SimTimedContainers broker;
    require_refused(Error::corrupt, "UTF-8", directory,
                    [&] { return broker.open_upload(path, Instant()); });
}

BOOST_AUTO_TEST_CASE(a_row_is_a_live_one_or_a_tombstone) {
    for (const std::string deleted : {"2", "-1", "NULL", "'x'", "0.5", "X'30'"}) {
        BOOST_TEST_CONTEXT(deleted) {
            // Of 0.5 there is a trace in the sums.
            const std::string reason = deleted == "0.5" ? "" : "row 3";
            Container(object_with("name, size, deleted", "'x', 1, " + deleted))
                .refused(Error::corrupt, reason);
            Account("INSERT INTO container (name, put_timestamp, delete_timestamp, object_count,"
                    " bytes_used, deleted) VALUES ('x', '1', '0', 1, 1, " +
                    deleted + ')')
                .refused(Error::corrupt, reason);
        }
    }
}

BOOST_AUTO_TEST_CASE(rowids_begin_at_one) {
    for (const std::string rowid : {"0", "-1", "-7", "-9223372036854775808"}) {
        BOOST_TEST_CONTEXT(rowid) {
            Container(object_with("ROWID, name, size", rowid + ", 'x', 1"))
                .refused(Error::corrupt, "ROWID");
            Container("INSERT INTO shard_range (ROWID, name) VALUES (" + rowid + ", 'x')")
                .refused(Error::corrupt, "ROWID");
        }
    }
}

BOOST_AUTO_TEST_CASE(the_next_rowid_is_a_new_one_and_there_are_enough) {
    BOOST_TEST(Container("UPDATE sqlite_sequence SET seq = 1000").open().info().max_row == 1000);
    BOOST_CHECK_NO_THROW((void)Container("DELETE FROM object").open()); // as after a reclaim
    for (const std::string sql :
         {"UPDATE sqlite_sequence SET seq = 1", "UPDATE sqlite_sequence SET seq = -1",
          "UPDATE sqlite_sequence SET seq = NULL", "UPDATE sqlite_sequence SET seq = 'x'",
          "UPDATE sqlite_sequence SET seq = 9223372036854775807",
          "UPDATE sqlite_sequence SET seq = 9223372036854775806", "DELETE FROM sqlite_sequence",
          "INSERT INTO sqlite_sequence VALUES ('object', 2)",
          "INSERT INTO sqlite_sequence VALUES (CAST('object' AS BLOB), 2000)",
          "INSERT INTO sqlite_sequence VALUES ('shard_range', 9223372036854775807)",
          "INSERT INTO shard_range (name) VALUES ('x');"
          "DELETE FROM sqlite_sequence WHERE name = 'shard_range'",
          "INSERT INTO object (ROWID, name, created_at, size) VALUES (9223372036854775807, 'x',"
          " '1', 1)"}) {
        BOOST_TEST_CONTEXT(sql) {
            Container(sql).refused(Error::corrupt, "sqlite_sequence");
        }
    }
}

BOOST_AUTO_TEST_CASE(points_are_numbers_from_minus_one_on) {
    for (const std::string table : {"incoming_sync", "outgoing_sync"}) {
        const auto with = [&](const std::string& values) {
            return Container("INSERT INTO " + table + " (remote_id, sync_point) VALUES (" + values +
                             ')');
        };
        BOOST_CHECK_NO_THROW((void)with("'x', -1").open());
        BOOST_CHECK_NO_THROW((void)with("NULL, 7").open()); // Swift passes over it
        for (const std::string point : {"'x'", "''", "1.5", "1e300", "-2", "NULL", "X'31'"}) {
            BOOST_TEST_CONTEXT(table << ' ' << point) {
                with("'x', " + point).refused(Error::corrupt, table);
            }
        }
        with("X'78', 1").refused(Error::corrupt, table);
    }
}

BOOST_AUTO_TEST_CASE(an_index_gets_the_rows_of_its_table) {
    const std::string index = "ix_object_deleted_name";
    for (const std::string& sql :
         {object_with("name, size", "'x', 1"), // it lacks one
          std::string("DELETE FROM object WHERE name = 'first'"),
          "DELETE FROM object WHERE name = 'first';" + object_with("name, size", "'other', 7"),
          "DELETE FROM object WHERE name = 'first';" + object_with("name, size", "'first', 7")}) {
        BOOST_TEST_CONTEXT(sql) {
            Container upload;
            upload.behind(index, sql);
            const auto before = files_below(upload.directory.path());
            auto database = upload.open();
            BOOST_TEST((files_below(upload.directory.path()) == before)); // a look changes nothing
            BOOST_TEST(database.mend_sums());
            BOOST_TEST(!database.mend_sums());
            BOOST_TEST(StockConnection(upload.path).rows("PRAGMA integrity_check") == "ok|");
            // A torn file has neither.
            Container()
                .behind(index, sql + "; UPDATE container_info SET hash = hash || '0'")
                .refused(Error::corrupt, index);
        }
    }
    BOOST_TEST(!Container().behind(index, "SELECT 1").open().mend_sums());
    BOOST_TEST(Account()
                   .behind("ix_container_deleted_name", "DELETE FROM container WHERE ROWID = 1")
                   .open()
                   .mend_sums());
}

BOOST_AUTO_TEST_CASE(an_index_gets_the_order_of_its_names) {
    Container upload;
    std::string bytes = read_file(upload.path);
    // Where a name stands in the index: before it the types of a 0, of five letters, of a ROWID.
    const std::size_t entry = bytes.find("\x08\x17\x09" // split, or "f" were a digit
                                         "first");
    BOOST_REQUIRE(entry != std::string::npos);
    bytes[entry + 3] = 'z';
    bytes[bytes.find("first") < entry ? bytes.find("first") : bytes.find("first", entry + 4)] = 'z';
    write_file(upload.path, bytes);
    upload.run("UPDATE container_info SET hash = chexor(chexor(hash, 'first', '1'), 'zirst', '1')");
    BOOST_TEST(StockConnection(upload.path).rows("PRAGMA quick_check") == "ok|");
    auto database = upload.open();
    BOOST_TEST(database.mend_sums());
    BOOST_TEST(StockConnection(upload.path).rows("PRAGMA integrity_check") == "ok|");
}

BOOST_AUTO_TEST_CASE(the_index_of_a_sync_table_has_its_rows_too) {
    for (const std::string table : {"incoming_sync", "outgoing_sync"}) {
        const std::string index = "sqlite_autoindex_" + table + "_1";
        BOOST_CHECK_NO_THROW((void)Container().behind(index, "SELECT 1", table).open());
        Container()
            .behind(index, "INSERT INTO " + table + " (remote_id, sync_point) VALUES ('x', 1)",
                    table)
            .refused(Error::corrupt, table);
    }
}

BOOST_AUTO_TEST_CASE(names_are_text_that_a_server_can_read) {
    for (const std::string name : {"NULL", "''", "X'78'", "CAST(X'ff' AS TEXT)",
                                   "CAST(X'eda080' AS TEXT)", "CAST(X'78c3' AS TEXT)"}) {
        BOOST_TEST_CONTEXT(name) {
            Container()
                .untold(object_with("name, size", name + ", 1"))
                .refused(Error::corrupt, "row 3");
        }
    }
    Container fine(object_with("name, size", "'sn' || char(246) || 'w' || char(0) || 'x', 1"));
    BOOST_TEST(fine.open().info().count == 3);
}

BOOST_AUTO_TEST_CASE(every_value_has_the_type_of_its_column) {
    for (const std::string value :
         {"size, 'many'", "size, 1.5", "size, X'31'", "storage_policy_index, NULL",
          "storage_policy_index, 'x'", "etag, X'31'"}) {
        BOOST_TEST_CONTEXT(value) {
            const std::size_t comma = value.find(", ");
            const bool sized = value.starts_with("size");
            Container()
                .untold(object_with("name, " + value.substr(0, comma) + (sized ? "" : ", size"),
                                    "'x'" + value.substr(comma) + (sized ? "" : ", 1")))
                .refused(Error::corrupt, "row 3");
        }
    }
    // What is not known is null, and servers under Python 2 kept headers as they came.
    BOOST_CHECK_NO_THROW(
        (void)Container(object_with("name, size, content_type", "'x', 1, CAST(X'ff' AS TEXT)"))
            .open());
    BOOST_CHECK_NO_THROW((void)Container("INSERT INTO object (name, size) VALUES ('x', 1)").open());
    for (const std::string sql :
         {"UPDATE container_info SET account = X'61'", "UPDATE container_info SET status = X'61'",
          "UPDATE container_info SET storage_policy_index = 'x'",
          "INSERT INTO shard_range (name, state) VALUES ('x', 'found')",
          "INSERT INTO shard_range (name, lower) VALUES ('x', X'61')"}) {
        BOOST_TEST_CONTEXT(sql) {
            Container(sql).refused(Error::corrupt);
        }
    }
    Account("UPDATE account_stat SET container_count = 'x'").refused(Error::corrupt);
    BOOST_TEST(Container("UPDATE policy_stat SET bytes_used = 'many'").open().mend_sums());
}
