#include <replica/sqlite/row_reader.hpp>

#define BOOST_TEST_MODULE sqlite_row_reader
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <string>

using namespace replica;
using namespace replica::test;

namespace {

/// Two columns with `values` in them.
struct File {
    TemporaryDirectory directory;
    std::string path = directory.path() + "/file";
    sqlite::Connection connection{path, sqlite::Connection::Mode::create, {}, Instant()};

    explicit File(const std::string& values) {
        connection.execute("CREATE TABLE t (number INTEGER, words text)");
        connection.execute(("INSERT INTO t VALUES (" + values + ')').c_str());
    }

    [[nodiscard]] bool fits() {
        sqlite::Query row = connection.query("SELECT number, words, words || 'x' FROM t");
        return row.step() && sqlite::RowReader(row).read(row);
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(numbers_text_and_nothing_fit_where_they_are_declared) {
    for (const std::string values :
         {"1, 'a'", "NULL, NULL", "-9223372036854775808, ''", "'7', 7"}) { // SQLite converts
        BOOST_TEST_CONTEXT(values) {
            BOOST_TEST(File(values).fits());
        }
    }
    for (const std::string values : {"'a', 'a'", "1.5, 'a'", "1e300, 'a'", "X'31', 'a'", "1, X'61'",
                                     "'9223372036854775808', 'a'"}) {
        BOOST_TEST_CONTEXT(values) {
            BOOST_TEST(!File(values).fits());
        }
    }
}

BOOST_AUTO_TEST_CASE(values_are_those_that_a_query_gives) {
    File file("7, 'a' || char(0) || 'b'");
    file.connection.execute("INSERT INTO t VALUES (NULL, NULL), ('x', X'61')");
    sqlite::Query rows = file.connection.query("SELECT number, words FROM t");
    sqlite::RowReader row(rows);
    BOOST_REQUIRE(rows.step());
    BOOST_TEST(row.read(rows));
    BOOST_TEST(row.number(0) == 7);
    BOOST_TEST(row.text(1) == std::string("a\0b", 3));
    BOOST_TEST(!row.is_null(1));
    BOOST_REQUIRE(rows.step());
    BOOST_TEST(row.read(rows));
    BOOST_TEST(row.number(0) == 0);
    BOOST_TEST(row.text(1).empty());
    BOOST_TEST(row.is_null(1));
    BOOST_REQUIRE(rows.step());
    BOOST_TEST(!row.read(rows));
    BOOST_TEST(row.number(0) == 0);
    BOOST_TEST(row.text(1) == "a");
}

BOOST_AUTO_TEST_CASE(text_is_utf8_with_anything_in_it) {
    for (const std::string& text :
         {std::string(), std::string("a\0b\x7f", 4), std::string("sn\xc3\xb6w \xe2\x98\x83"),
          std::string("\xf4\x8f\xbf\xbf")}) {
        BOOST_TEST(sqlite::is_utf8(text));
    }
    for (const std::string text :
         {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xe2\x98"}) {
        BOOST_TEST(!sqlite::is_utf8(text));
    }
}

// SQLite gives no text then, as for a null.
BOOST_AUTO_TEST_CASE(a_row_for_whose_text_there_is_no_memory_is_not_one_with_an_empty_text) {
    File file("1, 'a'");
    sqlite::Query row = file.connection.query("SELECT randomblob(100000)");
    BOOST_REQUIRE(row.step());
    sqlite::RowReader reader(row);
    sqlite3_hard_heap_limit64(sqlite3_memory_used() + 1000);
    BOOST_CHECK_EXCEPTION(static_cast<void>(reader.read(row)), Failure,
                          [&](const Failure& failure) {
                              return failure.error() == Error::io &&
                                     std::string(failure.what()).starts_with(file.path + ": ");
                          });
    sqlite3_hard_heap_limit64(0);
}
