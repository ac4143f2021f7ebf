#include <replica/sqlite/statement.hpp>

#define BOOST_TEST_MODULE sqlite_statement
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

using namespace replica;
using namespace replica::sqlite;
using replica::test::error_of;
using replica::test::StockConnection;

namespace {

const std::string path = "/srv/x.db";

struct Memory : StockConnection {
    Memory() : StockConnection(":memory:") {
        execute("CREATE TABLE t (a TEXT, b INTEGER UNIQUE, c)");
    }
    Statement prepare(const std::string& sql) { return Statement(get(), sql, path); }
};

/// A file of two pages with one row of "t (a, b)", whose record is said to have 4 GiB less a byte.
/// `sizes`: the header of the record. The rest of it is said to be on the first page.
void write_endless_record(const std::string& file, std::string_view sizes) {
    StockConnection(file).execute("PRAGMA page_size = 4096; CREATE TABLE t (a, b)");
    std::string pages = test::read_file(file);
    BOOST_REQUIRE(pages.size() == 2 * 4096);
    const std::string_view one_cell("\x0d\0\0\0\x01\x02\0\0\x02\0", 10); // at 0x200
    const std::string_view begins("\x8f\xff\xff\xff\x7f\x01", 6);        // size, ROWID
    pages.replace(4096, one_cell.size(), one_cell);
    pages.replace(4096 + 0x200, begins.size(), begins);
    pages.replace(4096 + 0x206, sizes.size(), sizes);
    pages.replace(4096 + 0x206 + 489, 4, std::string_view("\0\0\0\x01", 4));
    test::write_file(file, pages);
}

} // namespace

BOOST_AUTO_TEST_CASE(each_result_code_means_one_of_our_errors) {
    BOOST_TEST((sqlite::error_of(SQLITE_NOTADB) == Error::not_a_database));
    BOOST_TEST((sqlite::error_of(SQLITE_CORRUPT) == Error::corrupt));
    BOOST_TEST((sqlite::error_of(SQLITE_CORRUPT_INDEX) == Error::corrupt));
    BOOST_TEST((sqlite::error_of(SQLITE_BUSY) == Error::locked));
    BOOST_TEST((sqlite::error_of(SQLITE_BUSY_RECOVERY) == Error::locked));
    BOOST_TEST((sqlite::error_of(SQLITE_LOCKED) == Error::locked));
    BOOST_TEST((sqlite::error_of(SQLITE_FULL) == Error::no_space));
    BOOST_TEST((sqlite::error_of(SQLITE_IOERR_FSYNC) == Error::io));
    BOOST_TEST((sqlite::error_of(SQLITE_CANTOPEN) == Error::io));
    BOOST_TEST((sqlite::error_of(SQLITE_READONLY) == Error::io));
    BOOST_TEST((sqlite::error_of(SQLITE_READONLY_DBMOVED) == Error::moved));
    BOOST_TEST((sqlite::error_of(SQLITE_INTERRUPT) == Error::timed_out));
    BOOST_TEST((sqlite::error_of(SQLITE_CONSTRAINT_UNIQUE) == Error::bad_request));
    BOOST_TEST((sqlite::error_of(SQLITE_ERROR) == Error::unknown_schema));
    BOOST_TEST((sqlite::error_of(SQLITE_NOMEM) == Error::io));
    BOOST_TEST((sqlite::error_of(SQLITE_IOERR_NOMEM) == Error::io));
    BOOST_TEST((sqlite::error_of(SQLITE_TOOBIG) == Error::io));
}

BOOST_AUTO_TEST_CASE(an_error_names_the_file_what_was_tried_and_why) {
    Memory memory;
    const auto names_all = [](const Failure& failure) {
        const std::string what = failure.what();
        return what.find(path) == 0 && what.find("SELECT nosuch") != std::string::npos &&
               what.find("no such column: nosuch") != std::string::npos;
    };
    BOOST_CHECK_EXCEPTION(memory.prepare("SELECT nosuch FROM t"), Failure, names_all);
    BOOST_CHECK_NO_THROW(check(nullptr, SQLITE_OK, path, "x"));
    BOOST_CHECK_NO_THROW(check(nullptr, SQLITE_ROW, path, "x"));
    BOOST_CHECK_EXCEPTION(check(nullptr, SQLITE_FULL, path, "x"), Failure,
                          [](const Failure& failure) {
                              return failure.error() == Error::no_space &&
                                     std::string(failure.what()).find("full") != std::string::npos;
                          });
}

BOOST_AUTO_TEST_CASE(a_record_that_claims_4_gib_is_a_fault_of_its_file_and_names_it) {
    const std::string_view of_5000("\x04\xce\x1d\x0d", 4);               // "out of memory"
    const std::string_view of_1_5_gb("\x07\x8b\x96\xc1\xbc\x0d\x0d", 7); // "too big"
    for (const std::string_view sizes : {of_5000, of_1_5_gb}) {
        const test::TemporaryDirectory directory;
        const std::string file = directory.path() + "/h.db";
        write_endless_record(file, sizes);
        StockConnection connection(file);
        BOOST_CHECK_EXCEPTION(
            static_cast<void>(Statement(connection.get(), "SELECT a FROM t", file).use().step()),
            Failure, [&](const Failure& failure) {
                BOOST_TEST_MESSAGE("  " << failure.what());
                // A later SQLite may count right, and see that there is not as much.
                const std::string what = failure.what();
                const bool sees = what.find("malformed") != std::string::npos;
                return failure.error() == (sees ? Error::corrupt : Error::io) &&
                       what.starts_with(file);
            });
    }
    BOOST_TEST((make_error_code(Error::io) != Condition::quarantine));
}

BOOST_AUTO_TEST_CASE(text_goes_in_and_out_with_every_byte) {
    Memory memory;
    const Statement insert = memory.prepare("INSERT INTO t VALUES (?, ?, ?)");
    const std::string name("a\0b\xff\xc3\xa9", 6);
    insert.use().bind(name, 1, std::string()).run();
    const Statement select =
        memory.prepare("SELECT a, c, length(CAST(a AS BLOB)) FROM t WHERE a = ?");
    Query query = select.use();
    BOOST_REQUIRE(query.bind(name).step());
    BOOST_TEST(query.text(0) == name);
    BOOST_TEST(query.view(1).empty());
    BOOST_TEST(!query.is_null(1)); // empty is not null
    BOOST_TEST(query.integer(2) == 6);
    BOOST_TEST(!query.step());
    BOOST_TEST(!query.bind("a").step());
}

/// No memory beyond what SQLite has now.
struct NoMemory {
    NoMemory() { sqlite3_hard_heap_limit64(sqlite3_memory_used() + 1000); }
    NoMemory(const NoMemory&) = delete;
    NoMemory& operator=(const NoMemory&) = delete;
    ~NoMemory() { sqlite3_hard_heap_limit64(0); }
};

// SQLite gives no text then, as for a null.
BOOST_AUTO_TEST_CASE(a_text_for_which_there_is_no_memory_is_not_an_empty_one) {
    Memory memory;
    const Statement statement = memory.prepare("SELECT randomblob(100000), NULL, x''");
    Query query = statement.use();
    BOOST_REQUIRE(query.step());
    {
        const NoMemory none;
        try {
            static_cast<void>(query.view(0));
            BOOST_ERROR("read");
        } catch (const Failure& failure) {
            BOOST_TEST((failure.error() == Error::io));
            BOOST_TEST(std::string(failure.what()).starts_with(path + ": "));
        }
    }
    BOOST_TEST(query.view(1).empty());
    BOOST_TEST(query.view(2).empty());
}

BOOST_AUTO_TEST_CASE(numbers_go_in_and_out_whole) {
    Memory memory;
    const Statement insert = memory.prepare("INSERT INTO t VALUES ('', ?, NULL)");
    const Statement select = memory.prepare("SELECT b, c FROM t ORDER BY b");
    Query query = insert.use();
    query.bind(std::numeric_limits<std::int64_t>::min()).run();
    query.bind(std::numeric_limits<std::int64_t>::max()).run();
    query.bind(~std::uint64_t{0}).run(); // differences wrap around
    Query found = select.use();
    BOOST_REQUIRE(found.step());
    BOOST_TEST(found.integer(0) == std::numeric_limits<std::int64_t>::min());
    BOOST_TEST(found.is_null(1));
    BOOST_TEST(found.text(1).empty());
    BOOST_TEST(found.text_or(1, "None") == "None");
    BOOST_REQUIRE(found.step());
    BOOST_TEST(found.integer(0) == -1);
}

BOOST_AUTO_TEST_CASE(a_statement_that_failed_can_be_used_again) {
    Memory memory;
    const Statement insert = memory.prepare("INSERT INTO t VALUES ('', ?, '')");
    insert.use().bind(1).run();
    BOOST_TEST((error_of([&] {
                    insert.use().bind(1).run();
                    return 0;
                }) == Error::bad_request));
    insert.use().bind(2).run();
    BOOST_TEST(memory.rows("SELECT b FROM t") == "1|2|");
}

BOOST_AUTO_TEST_CASE(a_use_that_ends_leaves_no_lock_and_no_values) {
    Memory memory;
    memory.execute("INSERT INTO t VALUES ('a', 1, ''), ('b', 2, '')");
    const Statement select = memory.prepare("SELECT a FROM t WHERE b = ?1 OR ?1 IS NULL");
    BOOST_TEST(select.use().bind(1).step()); // not stepped to the end
    memory.execute("DROP TABLE IF EXISTS other; CREATE TABLE other (x); DROP TABLE other");
    Query query = select.use();
    BOOST_REQUIRE(query.step()); // nothing is bound any more
    BOOST_REQUIRE(query.step());
    BOOST_TEST(!query.step());
}

BOOST_AUTO_TEST_CASE(a_row_is_carried_over_with_the_types_of_its_values) {
    Memory memory;
    memory.execute("INSERT INTO t VALUES (NULL, 7, x'00ff'), ('7', 8, 1.5)");
    memory.execute("CREATE TABLE u (a, b, c)");
    const Statement select = memory.prepare("SELECT * FROM t");
    const Statement insert = memory.prepare("INSERT INTO u VALUES (?, ?, ?)");
    {
        Query from = select.use();
        Query into = insert.use();
        while (from.step()) {
            into.bind_columns(from).run();
        }
    }
    BOOST_TEST(memory.rows("SELECT typeof(a), typeof(b), typeof(c), hex(c) FROM u") ==
               "null|integer|blob|00FF|text|integer|real|312E35|");
}
