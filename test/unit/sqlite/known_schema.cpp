#include <replica/sqlite/known_schema.hpp>

#define BOOST_TEST_MODULE sqlite_known_schema
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Tokens = std::vector<std::string>;

/// A container whose schema somebody has changed.
struct File {
    ContainerPlace place;
    std::string path = place.path();

    File() { place.create(); }
    explicit File(const std::string& sql) : File() { StockConnection(path).execute(sql); }

    /// Gives a table, index, view or trigger another text, which SQLite itself would refuse to do.
    void rewrite(const std::string& name, const std::string& from, const std::string& to) const {
        StockConnection file(path);
        file.execute("PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, '" +
                     from + "', '" + to + "') WHERE name = '" + name + "'");
        BOOST_REQUIRE(sqlite3_changes(file.get()) == 1);
    }

    void check() {
        sqlite::Connection connection(path, sqlite::Connection::Mode::existing,
                                      sqlite::wait_by(place.clock), place.soon());
        sqlite::check_schema<sqlite::ContainerSchema>(connection);
    }

    void refused(const std::string& reason) {
        require_refused(Error::unknown_schema, path + ": has " + reason, place.directory, [&] {
            check();
            return 0;
        });
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(sql_is_read_as_words_numbers_literals_and_signs) {
    BOOST_TEST((sqlite::tokens_of("") == Tokens{}));
    BOOST_TEST((sqlite::tokens_of(" \t\r\n\f") == Tokens{}));
    BOOST_TEST((sqlite::tokens_of("CREATE Table t(a_1,b)") ==
                Tokens{"create", "table", "t", "(", "a_1", ",", "b", ")"}));
    BOOST_TEST((sqlite::tokens_of("a||'It''s; A'") == Tokens{"a", "|", "|", "'It'", "'s; A'"}));
    BOOST_TEST((sqlite::tokens_of("\"Q q\" `B` [C d]") == Tokens{"\"Q q\"", "`B`", "[C d]"}));
    BOOST_TEST((sqlite::tokens_of("sn\xc3\xb6w=1") == Tokens{"sn\xc3\xb6w", "=", "1"}));
}

BOOST_AUTO_TEST_CASE(a_literal_that_is_never_closed_goes_to_the_end) {
    for (const std::string quote : {"'", "\"", "`", "["}) {
        BOOST_TEST((sqlite::tokens_of("a " + quote + "b c") == Tokens{"a", quote + "b c"}));
        BOOST_TEST((sqlite::tokens_of(quote) == Tokens{quote}));
    }
    const std::string nul("a\0b", 3);
    BOOST_TEST((sqlite::tokens_of(nul) == Tokens{"a", std::string("\0", 1), "b"}));
}

BOOST_AUTO_TEST_CASE(a_digest_depends_on_the_words_and_not_on_the_layout) {
    const std::string digest = sqlite::digest_of("CREATE INDEX i ON t (a, b)");
    BOOST_TEST(digest.size() == 32U);
    BOOST_TEST(sqlite::digest_of("create  index I\n on T(a,b)") == digest);
    for (const std::string other :
         {"CREATE INDEX i ON t (b, a)", "CREATE INDEX i ON t (ab)", "CREATE INDEX i ON t (a, 'b')",
          "CREATE INDEX i ON t (a, b) WHERE a", "CREATE INDEX i ON t (a, b);", ""}) {
        BOOST_TEST(sqlite::digest_of(other) != digest);
    }
    BOOST_TEST(sqlite::digest_of("SELECT 'A'") != sqlite::digest_of("SELECT 'a'"));
}

BOOST_AUTO_TEST_CASE(our_own_files_are_known) {
    BOOST_CHECK_NO_THROW(File().check());
    const TemporaryDirectory directory;
    SimTimedAccounts broker;
    const std::string path = directory.path() + "/a.db";
    AccountInfo info;
    info.account = "a";
    broker.create(path, info);
    sqlite::Connection account(path, sqlite::Connection::Mode::existing, {}, Instant());
    BOOST_CHECK_NO_THROW(sqlite::check_schema<sqlite::AccountSchema>(account));
    require_refused(Error::unknown_schema, path, directory, [&] { // an account is no container
        sqlite::check_schema<sqlite::ContainerSchema>(account);
        return 0;
    });
}

BOOST_AUTO_TEST_CASE(what_sqlite_adds_for_itself_is_known) {
    BOOST_CHECK_NO_THROW(File("ANALYZE").check());
    BOOST_CHECK_NO_THROW(File("INSERT INTO object (name, size) VALUES ('a', 1); VACUUM").check());
}

BOOST_AUTO_TEST_CASE(whatever_is_additional_is_refused_and_named) {
    const std::vector<std::pair<std::string, std::string>> additions{
        {"CREATE TABLE more (a)", "an unknown table more"},
        {"CREATE VIEW spy AS SELECT * FROM object", "an unknown view spy"},
        {"CREATE INDEX fast ON object (etag)", "an unknown index fast"},
        {"CREATE UNIQUE INDEX one ON object (name)", "an unknown index one"},
        {"CREATE TRIGGER evil AFTER INSERT ON object BEGIN DELETE FROM object; END",
         "an unknown trigger evil"},
        {"CREATE TRIGGER evil AFTER DELETE ON outgoing_sync BEGIN SELECT 1; END",
         "an unknown trigger evil"},
        {"CREATE TABLE \"sn\xc3\xb6w\" (a)", "an unknown table sn\xc3\xb6w"},
        {"CREATE VIRTUAL TABLE words USING fts5(a)", "an unknown table words"},
        {"CREATE TABLE sqlitex (a)", "an unknown table sqlitex"}};
    for (const auto& [sql, reason] : additions) {
        BOOST_TEST_CONTEXT(sql) {
            File(sql).refused(reason);
        }
    }
}

BOOST_AUTO_TEST_CASE(whatever_is_missing_is_refused_and_named) {
    const std::vector<std::pair<std::string, std::string>> losses{
        {"DROP TRIGGER object_update", "no trigger object_update"},
        {"DROP TRIGGER outgoing_sync_insert", "no trigger outgoing_sync_insert"},
        {"DROP INDEX ix_object_deleted_name", "no index ix_object_deleted_name"},
        {"DROP TABLE incoming_sync", "no table incoming_sync"},
        {"DROP TABLE policy_stat", "no table policy_stat"},
        {"DROP TRIGGER container_stat_update", "no trigger container_stat_update"}};
    for (const auto& [sql, reason] : losses) {
        BOOST_TEST_CONTEXT(sql) {
            File(sql).refused(reason);
        }
    }
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/empty.db";
    write_file(path, "");
    sqlite::Connection empty(path, sqlite::Connection::Mode::existing, {}, Instant());
    require_refused(Error::unknown_schema, path + ": has no ", directory, [&] {
        sqlite::check_schema<sqlite::ContainerSchema>(empty);
        return 0;
    });
}

BOOST_AUTO_TEST_CASE(a_known_name_with_another_text_is_refused) {
    const std::vector<std::pair<std::string, std::string>> swaps{
        {"DROP TRIGGER object_update; CREATE TRIGGER object_update BEFORE UPDATE ON object BEGIN"
         " DELETE FROM object; END",
         "another trigger object_update"},
        {"DROP INDEX ix_object_deleted_name; CREATE INDEX ix_object_deleted_name ON object (name)",
         "another index ix_object_deleted_name"},
        {"DROP INDEX ix_object_deleted_name; CREATE INDEX ix_object_deleted_name ON object"
         " (deleted, name) WHERE deleted = 0",
         "another index ix_object_deleted_name"},
        {"DROP VIEW container_stat; CREATE VIEW container_stat AS SELECT * FROM container_info;"
         "CREATE TRIGGER container_stat_update INSTEAD OF UPDATE ON container_stat BEGIN"
         " SELECT 1; END",
         "another trigger container_stat_update"}};
    for (const auto& [sql, reason] : swaps) {
        BOOST_TEST_CONTEXT(sql) {
            File(sql).refused(reason);
        }
    }
    // A thing of another type under a known name.
    File("DROP TABLE policy_stat; CREATE VIEW policy_stat AS SELECT 1").refused("an unknown view");
}

BOOST_AUTO_TEST_CASE(a_table_has_the_known_columns_and_nothing_that_runs) {
    const std::string columns = "storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER"
                                " DEFAULT 0, bytes_used INTEGER DEFAULT 0";
    const auto with = [&](const std::string& text) {
        return File("DROP TABLE policy_stat; CREATE TABLE policy_stat " + text);
    };
    BOOST_CHECK_NO_THROW(with('(' + columns + ')').check());
    BOOST_CHECK_NO_THROW( // as a migration may spell it
        with("(\n\"storage_policy_index\" integer primary key, object_count INTEGER DEFAULT '0',"
             " bytes_used INTEGER DEFAULT 0)")
            .check());
    const std::vector<std::string> others{
        "(" + columns + ", more TEXT)",
        '(' + columns + ", CHECK (object_count > 0))",
        '(' + columns + ") WITHOUT ROWID",
        '(' + columns + ") STRICT",
        "(storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER DEFAULT 0)",
        "(storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER DEFAULT 0, bytes_used"
        " INTEGER DEFAULT 1)",
        "(storage_policy_index INTEGER PRIMARY KEY, object_count TEXT DEFAULT 0, bytes_used"
        " INTEGER DEFAULT 0)",
        "(storage_policy_index INTEGER, object_count INTEGER DEFAULT 0, bytes_used INTEGER"
        " DEFAULT 0)",
        "(storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER DEFAULT 0, bytes_used"
        " INTEGER DEFAULT (0 + 0))",
        "(storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER DEFAULT 0 NOT NULL,"
        " bytes_used INTEGER DEFAULT 0)",
        "(storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER DEFAULT 0, bytes_used"
        " INTEGER GENERATED ALWAYS AS (object_count))",
        "(storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER DEFAULT 0, bytes_used"
        " INTEGER DEFAULT 0 REFERENCES object)",
        "(storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER DEFAULT 0 COLLATE"
        " NOCASE, bytes_used INTEGER DEFAULT 0)"};
    for (const std::string& text : others) {
        BOOST_TEST_CONTEXT(text) {
            with(text).refused("another table policy_stat");
        }
    }
    File file = with("(storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER DEFAULT 0"
                     " UNIQUE, bytes_used INTEGER DEFAULT 0)");
    file.refused("an unknown index sqlite_autoindex_policy_stat_1");
}

BOOST_AUTO_TEST_CASE(rows_that_could_get_a_used_rowid_again_are_refused) {
    File file; // a row behind the points of others would reach nobody
    file.rewrite("object", " AUTOINCREMENT", "");
    file.refused("another table object");
}

BOOST_AUTO_TEST_CASE(points_that_could_be_there_twice_are_refused) {
    File("DROP TABLE outgoing_sync; CREATE TABLE outgoing_sync (remote_id TEXT, sync_point"
         " INTEGER, updated_at TEXT DEFAULT 0)")
        .refused("");
}

BOOST_AUTO_TEST_CASE(files_of_swift_before_and_during_the_time_of_sharding_are_known) {
    BOOST_CHECK_NO_THROW(File("DROP TABLE shard_range").check());
    BOOST_CHECK_NO_THROW(File("ALTER TABLE shard_range DROP COLUMN tombstones").check());
    BOOST_CHECK_NO_THROW(File("ALTER TABLE shard_range DROP COLUMN tombstones;"
                              "ALTER TABLE shard_range DROP COLUMN reported")
                             .check());
    BOOST_CHECK_NO_THROW(File("ALTER TABLE shard_range DROP COLUMN tombstones;"
                              "ALTER TABLE shard_range ADD COLUMN tombstones INTEGER DEFAULT -1")
                             .check());
    File("ALTER TABLE shard_range ADD COLUMN other TEXT").refused("another table shard_range");
    File("ALTER TABLE object ADD COLUMN other TEXT").refused("another table object");
}

BOOST_AUTO_TEST_CASE(a_schema_that_sqlite_cannot_read_is_an_error_of_the_file) {
    File file;
    file.rewrite("object_update", "BEFORE", "SOMETIMES");
    require_refused(Error::corrupt, file.path, file.place.directory, [&] {
        file.check();
        return 0;
    });
}
