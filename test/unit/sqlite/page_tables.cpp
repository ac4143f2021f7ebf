#include <replica/sqlite/page_tables.hpp>

#define BOOST_TEST_MODULE sqlite_page_tables
#include <replica/sqlite/container_schema.hpp>
#include <replica/sqlite/record_schema.hpp>

#include <boost/test/unit_test.hpp>

#include <support/notes.hpp>
#include <support/sqlite_place.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

using namespace replica;
using namespace replica::sqlite;
using namespace replica::test;

namespace {

using Names = std::vector<std::string>;

struct File {
    ContainerPlace place;
    std::string path = (place.create(), place.path());

    void change(const std::string& sql) const { StockConnection(path).execute(sql); }

    [[nodiscard]] Connection connect() const {
        return Connection(
            path, Connection::Mode::existing, [](int, Instant) { return false; }, Instant());
    }

    /// What `ask(tables)` returns.
    template <class Ask>
    auto with(Ask ask, ApprovedSchemas& approved = approved_schemas<ContainerSchema>()) const {
        PageFile file(path, "");
        const PageFile::Snapshot snapshot(file);
        bool unknown = false;
        PageTables tables(file, approved, unknown);
        return ask(tables);
    }

    [[nodiscard]] bool is_unknown(ApprovedSchemas& approved) const {
        PageFile file(path, "");
        const PageFile::Snapshot snapshot(file);
        bool unknown = false;
        try {
            PageTables(file, approved, unknown);
        } catch (const NotPlain&) {
            return unknown;
        }
        return false;
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(the_columns_of_a_table_are_found_in_its_text) {
    const auto plain = page_columns("CREATE TABLE t (a TEXT, B INTEGER DEFAULT -1, c)");
    BOOST_TEST(plain.names == (Names{"a", "b", "c"}), boost::test_tools::per_element());
    BOOST_TEST(plain.rowid == static_cast<std::size_t>(-1));
    const auto key = page_columns("CREATE TABLE \"t\" (x TEXT, id INTEGER PRIMARY KEY, y TEXT)");
    BOOST_TEST(key.rowid == 1U);
    BOOST_TEST(page_columns("CREATE TABLE sqlite_sequence(name,seq)").names ==
                   (Names{"name", "seq"}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_table_with_more_than_columns_is_for_sqlite) {
    for (const std::string sql :
         {"CREATE TABLE t (a TEXT, UNIQUE (a))", "CREATE TABLE t (a TEXT CHECK (a > 0))",
          "CREATE TABLE t (a, b AS (a + 1))", "CREATE TABLE t (a) WITHOUT ROWID",
          "CREATE TABLE t (a TEXT PRIMARY KEY)", "CREATE TABLE t ('a' TEXT)",
          "CREATE VIEW t AS SELECT 1", "CREATE TABLE t ()", ""}) {
        BOOST_CHECK_THROW((void)page_columns(sql), NotPlain);
    }
}

BOOST_AUTO_TEST_CASE(the_same_statement_reads_the_same_of_both) {
    const File file;
    file.change("INSERT INTO policy_stat VALUES (7, 3, 999999999999); UPDATE container_info SET"
                " metadata = '" +
                std::string(9000, 'm') +
                "', status = NULL;"
                " INSERT INTO incoming_sync (remote_id, sync_point) VALUES ('x', 5)");
    Connection connection = file.connect();
    for (const std::string_view sql :
         {ContainerSchema::select_info, ContainerSchema::select_policies,
          std::string_view("SELECT name, seq FROM sqlite_sequence"),
          std::string_view("SELECT remote_id, sync_point, updated_at FROM incoming_sync"),
          std::string_view("SELECT remote_id FROM outgoing_sync")}) {
        const auto all = [&](auto& tables) {
            std::string text;
            auto found = tables.query(sql);
            const auto columns = std::ranges::count(sql, ',') + 1;
            while (found.step()) {
                for (int i = 0; i < columns; ++i) {
                    text += found.is_null(i) ? "null" : found.text(i);
                    text += found.text_or(i, "-") + '|';
                }
            }
            return text;
        };
        BOOST_TEST(file.with(all) == all(connection), sql);
    }
    BOOST_TEST(file.with([](PageTables& tables) {
        auto found = tables.query(ContainerSchema::select_policies);
        BOOST_TEST(found.step());
        BOOST_TEST(found.step());
        return found.integer(0) + found.integer(2);
    }) == 999999999999 + 7);
    BOOST_TEST(file.with([](PageTables& tables) { return tables.path(); }) == file.path);
}

BOOST_AUTO_TEST_CASE(other_statements_are_for_sqlite) {
    const File file;
    file.with([](PageTables& tables) {
        for (const std::string_view sql :
             {"SELECT id FROM container_info WHERE 1", "SELECT nothing FROM container_info",
              "SELECT id FROM nothing", "SELECT count(*) FROM object", "DELETE FROM object",
              "SELECT 1", ""}) {
            BOOST_CHECK_THROW((void)tables.query(sql), NotPlain);
        }
        BOOST_CHECK_THROW((void)tables.highest("no_index"), NotPlain);
        return 0;
    });
}

BOOST_AUTO_TEST_CASE(text_that_is_no_number_is_for_sqlite) {
    PageQuery query({{PageValue(), PageValue(std::int64_t{-4}), PageValue(std::string("12")),
                      PageValue(std::string("12x"))}});
    BOOST_TEST(query.step());
    BOOST_TEST(query.is_null(0));
    BOOST_TEST(query.integer(0) == 0);
    BOOST_TEST(query.text(0).empty());
    BOOST_TEST(query.text_or(0, "other") == "other");
    BOOST_TEST(query.integer(1) == -4);
    BOOST_TEST(query.text(1) == "-4");
    BOOST_TEST(query.integer(2) == 12);
    BOOST_TEST(query.text(3) == "12x");
    BOOST_CHECK_THROW((void)query.integer(3), NotPlain);
    BOOST_TEST(!query.step());
}

BOOST_AUTO_TEST_CASE(a_column_that_a_row_does_not_have_yet_is_for_sqlite) {
    const File file;
    file.change("INSERT INTO incoming_sync (remote_id, sync_point) VALUES ('x', 5);"
                " ALTER TABLE incoming_sync ADD COLUMN more TEXT DEFAULT 'd'");
    ApprovedSchemas approved;
    Connection connection = file.connect();
    approve_schema<ContainerSchema>(connection, approved);
    BOOST_TEST(!file.is_unknown(approved));
    const auto ask = [](PageTables& tables) {
        return tables.query("SELECT more FROM incoming_sync");
    };
    BOOST_CHECK_THROW((void)file.with(ask, approved), NotPlain);
}

BOOST_AUTO_TEST_CASE(a_schema_counts_once_a_connection_has_found_it_to_be_swifts) {
    const File file;
    ApprovedSchemas approved;
    BOOST_TEST(file.is_unknown(approved));
    {
        Connection connection = file.connect();
        approve_schema<ContainerSchema>(connection, approved);
    }
    BOOST_TEST(!file.is_unknown(approved));
    file.change("CREATE TABLE more (x)");
    BOOST_TEST(file.is_unknown(approved));
    {
        Connection connection = file.connect();
        approve_schema<ContainerSchema>(connection, approved); // of a table that nobody knows
    }
    BOOST_TEST(!file.is_unknown(approved)); // no other connection need look at it
    BOOST_CHECK_THROW(
        (void)file.with(
            [](PageTables& tables) { return tables.query(ContainerSchema::select_info); },
            approved),
        NotPlain);
}

BOOST_AUTO_TEST_CASE(what_our_own_scripts_make_is_known_from_the_start) {
    const File file;
    BOOST_TEST(!file.is_unknown(approved_schemas<ContainerSchema>()));
    BOOST_TEST(file.is_unknown(approved_schemas<RecordSchema<RecordKind<Note>>>()));
}

BOOST_AUTO_TEST_CASE(no_more_schemas_are_kept_than_a_cluster_has) {
    ApprovedSchemas approved;
    for (int i = 0; i < 70; ++i) {
        approved.approve(std::to_string(i), {});
    }
    BOOST_TEST(approved.find("63") != nullptr);
    BOOST_TEST(approved.find("64") == nullptr);
    BOOST_TEST(!approved.is_open("64"));
}

BOOST_AUTO_TEST_CASE(a_schema_that_was_refused_takes_no_place_of_a_good_one) {
    ApprovedSchemas approved;
    for (int i = 0; i < 2000; ++i) {
        approved.refuse(std::to_string(i));
    }
    BOOST_TEST(!approved.is_open("1023"));
    BOOST_TEST(approved.is_open("1024")); // looked at again and again: there are too many
    approved.approve("good", {});
    BOOST_TEST(approved.find("good") != nullptr);
}

BOOST_AUTO_TEST_CASE(a_root_that_is_no_page_of_the_file_is_for_sqlite) {
    for (const std::string root : {"9999", "1", "0"}) {
        const File file;
        file.change("PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = " + root +
                    " WHERE name = 'object'");
        BOOST_CHECK_THROW((void)file.with([](PageTables& tables) { return tables.path(); }),
                          NotPlain);
    }
}
