#include <replica/sqlite/connection.hpp>

#define BOOST_TEST_MODULE sqlite_connection
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::sqlite;
using namespace replica::test;

namespace {

using Kind = Transaction::Kind;

/// Gives up at once, and counts.
struct Impatient {
    int* asked;
    bool operator()(int, Instant) const { return ++*asked < 3; }
};

struct File {
    TemporaryDirectory directory;
    std::string path = directory.path() + "/x.db";
    int asked = 0;

    File() { StockConnection(path).execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)"); }

    Connection open() {
        return Connection(path, Connection::Mode::existing, Impatient{&asked}, Instant());
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(opening_makes_no_file) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/none.db";
    BOOST_TEST((test::error_of([&] {
                    Connection(path, Connection::Mode::existing, {}, Instant());
                    return 0;
                }) == Error::io));
    BOOST_CHECK_EXCEPTION(Connection(path, Connection::Mode::existing, {}, Instant()), Failure,
                          [](const Failure& failure) { // rights look alike but for the reason
                              return std::string(failure.what())
                                  .ends_with(
                                      "unable to open database file: No such file or directory");
                          });
    BOOST_TEST(!std::filesystem::exists(path));
}

BOOST_AUTO_TEST_CASE(a_statement_is_prepared_once) {
    File file;
    Connection connection = file.open();
    BOOST_TEST(connection.integer("SELECT a FROM t") == 1);
    BOOST_TEST(connection.integer("SELECT a FROM t") == 1);
    BOOST_TEST(connection.integer("SELECT a FROM t WHERE a = 2") == -1);
    BOOST_TEST(connection.text("SELECT 'x'") == "x");
    BOOST_TEST(connection.text("SELECT 'x' WHERE 0").empty());
    int prepared = 0;
    for (auto* each = sqlite3_next_stmt(connection.get(), nullptr); each != nullptr;
         each = sqlite3_next_stmt(connection.get(), each)) {
        ++prepared;
    }
    BOOST_TEST(prepared == 4);
}

BOOST_AUTO_TEST_CASE(a_lock_of_others_is_waited_for_as_long_as_one_wants) {
    File file;
    Connection connection = file.open();
    StockConnection other(file.path);
    other.execute("BEGIN EXCLUSIVE");
    BOOST_TEST(
        (test::error_of([&] { return connection.integer("SELECT a FROM t"); }) == Error::locked));
    BOOST_TEST(file.asked == 3);
    other.execute("COMMIT");
    BOOST_TEST(connection.integer("SELECT a FROM t") == 1);
}

BOOST_AUTO_TEST_CASE(a_file_beside_is_waited_for_as_long) {
    File file;
    const Connection connection = file.open();
    const std::string path = file.directory.path() + "/y.db";
    BOOST_TEST((test::error_of([&] {
                    (void)connection.beside(path);
                    return 0;
                }) == Error::io));
    StockConnection other(path);
    other.execute("CREATE TABLE t (a); INSERT INTO t VALUES (2); BEGIN EXCLUSIVE");
    Connection beside = connection.beside(path);
    BOOST_TEST(
        (test::error_of([&] { return beside.integer("SELECT a FROM t"); }) == Error::locked));
    BOOST_TEST(file.asked == 3);
    other.execute("COMMIT");
    BOOST_TEST(beside.integer("SELECT a FROM t") == 2);
}

BOOST_AUTO_TEST_CASE(a_wait_that_throws_counts_as_giving_up) {
    File file;
    Connection connection(
        file.path, Connection::Mode::existing,
        [](int, Instant) -> bool { throw std::runtime_error("clock broken"); }, Instant());
    StockConnection other(file.path);
    other.execute("BEGIN EXCLUSIVE");
    BOOST_TEST(
        (test::error_of([&] { return connection.integer("SELECT a FROM t"); }) == Error::locked));
}

BOOST_AUTO_TEST_CASE(the_deadline_is_handed_to_the_wait_and_can_be_lent) {
    File file;
    std::vector<Instant> seen;
    const Instant usual(std::chrono::seconds(1));
    const Instant other_time(std::chrono::seconds(2));
    Connection connection(
        file.path, Connection::Mode::existing,
        [&](int, Instant deadline) {
            seen.push_back(deadline);
            return false;
        },
        usual);
    StockConnection other(file.path);
    other.execute("BEGIN EXCLUSIVE");
    const auto read = [&] { return connection.integer("SELECT a FROM t"); };
    {
        const DeadlineScope scope(connection, other_time);
        BOOST_TEST((test::error_of(read) == Error::locked));
    }
    BOOST_TEST((test::error_of(read) == Error::locked));
    BOOST_TEST((seen == std::vector<Instant>{other_time, usual}));
}

BOOST_AUTO_TEST_CASE(a_transaction_that_is_not_committed_leaves_nothing) {
    File file;
    Connection connection = file.open();
    {
        const Transaction transaction(connection, Kind::write);
        connection.execute("INSERT INTO t VALUES (2)");
    }
    BOOST_TEST(connection.integer("SELECT count(*) FROM t") == 1);
    BOOST_TEST(connection.commits() == 0U);
    Transaction transaction(connection, Kind::write);
    connection.execute("INSERT INTO t VALUES (2)");
    transaction.commit();
    BOOST_TEST(connection.integer("SELECT count(*) FROM t") == 2);
    BOOST_TEST(connection.commits() == 1U);
    BOOST_TEST(!connection.in_transaction());
}

BOOST_AUTO_TEST_CASE(an_inner_transaction_can_fail_alone) {
    File file;
    Connection connection = file.open();
    Transaction outer(connection, Kind::exclusive);
    connection.execute("INSERT INTO t VALUES (2)");
    {
        const Transaction inner(connection, Kind::write);
        connection.execute("INSERT INTO t VALUES (3)");
    }
    {
        Transaction inner(connection, Kind::write);
        connection.execute("INSERT INTO t VALUES (4)");
        inner.commit();
    }
    outer.commit();
    BOOST_TEST(StockConnection(file.path).rows("SELECT a FROM t") == "1|2|4|");
}

BOOST_AUTO_TEST_CASE(a_reader_inside_another_transaction_ends_nothing) {
    File file;
    Connection connection = file.open();
    const auto reads = [&](Transaction::Kind outer_kind) {
        Transaction outer(connection, outer_kind);
        {
            const Transaction inner(connection, Kind::read);
            BOOST_TEST(connection.integer("SELECT count(*) FROM t") == 1);
        }
        BOOST_TEST(connection.in_transaction());
        {
            Transaction inner(connection, Kind::read);
            inner.commit();
        }
        BOOST_TEST(connection.in_transaction());
        if (outer_kind == Kind::write) {
            connection.execute("INSERT INTO t VALUES (2)");
            const Transaction inner(connection, Kind::read);
            BOOST_TEST(connection.integer("SELECT count(*) FROM t") == 2);
        }
    };
    reads(Kind::read);
    reads(Kind::write);
    BOOST_TEST(!connection.in_transaction());
    BOOST_TEST(connection.integer("SELECT count(*) FROM t") == 1); // what was not committed
    BOOST_TEST(connection.commits() == 0U);
}

BOOST_AUTO_TEST_CASE(a_writer_keeps_writers_out_and_an_exclusive_one_readers_too) {
    File file;
    Connection connection = file.open();
    Connection other = file.open();
    const auto read = [&] { return other.integer("SELECT a FROM t"); };
    const auto write = [&] { return Transaction(other, Kind::write), 0; };
    {
        const Transaction writing(connection, Kind::write);
        BOOST_TEST((test::error_of(read) == Error{}));
        BOOST_TEST((test::error_of(write) == Error::locked));
    }
    {
        const Transaction exclusive(connection, Kind::exclusive);
        BOOST_TEST((test::error_of(read) == Error::locked));
    }
    BOOST_TEST((test::error_of(write) == Error{}));
}

BOOST_AUTO_TEST_CASE(a_replaced_file_is_noticed_before_anything_is_written) {
    File file;
    Connection connection = file.open();
    BOOST_TEST(connection.integer("SELECT a FROM t") == 1);
    BOOST_TEST(!connection.moved());
    std::filesystem::copy_file(file.path, file.path + ".new");
    std::filesystem::rename(file.path + ".new", file.path);
    BOOST_TEST(connection.moved());
    BOOST_TEST((test::error_of([&] {
                    connection.require_in_place();
                    return 0;
                }) == Error::moved));
    BOOST_TEST(
        (test::error_of([&] { return Transaction(connection, Kind::write), 0; }) == Error::moved));
    BOOST_TEST(!connection.in_transaction());
    BOOST_TEST(!std::filesystem::exists(file.path + "-journal"));
}

BOOST_AUTO_TEST_CASE(a_removed_file_is_noticed) {
    File file;
    Connection connection = file.open();
    std::filesystem::remove(file.path);
    BOOST_TEST(connection.moved());
}

BOOST_AUTO_TEST_CASE(a_column_that_is_not_there_is_named) {
    File file;
    StockConnection(file.path).execute("CREATE VIEW v AS SELECT a FROM t");
    Connection connection = file.open();
    BOOST_CHECK_NO_THROW(connection.require_column("t", "a"));
    BOOST_CHECK_NO_THROW(connection.require_column("T", "A")); // as SQL has it
    for (const auto& [table, column] : {std::pair{"t", "b"}, {"u", "a"}, {"v", "a"}, {"", ""}}) {
        require_refused(Error::unknown_schema, file.path, file.directory, [&] {
            connection.require_column(table, column);
            return 0;
        });
    }
    require_refused(Error::unknown_schema, "t.b", file.directory, [&] {
        connection.require_column("t", "b");
        return 0;
    });
}

BOOST_AUTO_TEST_CASE(a_program_may_have_sqlite_count_no_memory) {
    const auto used = [] {
        File file;
        Connection connection = file.open();
        static_cast<void>(connection.integer("SELECT a FROM t"));
        return sqlite3_memory_used();
    };
    BOOST_TEST(used() > 0);
    disable_memory_statistics(); // Too late, and without harm.
    BOOST_TEST(used() > 0);
    BOOST_TEST(sqlite3_shutdown() == SQLITE_OK);
    disable_memory_statistics();
    BOOST_TEST(used() == 0);
    BOOST_TEST(sqlite3_shutdown() == SQLITE_OK);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 1);
}

BOOST_AUTO_TEST_CASE(a_column_is_added_to_a_table_that_is_without_it) {
    File file;
    Connection connection = file.open();
    connection.execute("INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT 1 AS b");
    BOOST_TEST(sqlite::has_table(connection, "t"));
    BOOST_TEST(!sqlite::has_table(connection, "v"));
    BOOST_TEST(!sqlite::has_table(connection, "none"));
    BOOST_TEST(sqlite::has_column(connection, "t", "a"));
    BOOST_TEST(!sqlite::has_column(connection, "t", "b"));
    BOOST_TEST(sqlite::add_column(connection, "t", "b", "TEXT DEFAULT 'x'"));
    BOOST_TEST(!sqlite::add_column(connection, "t", "b", "INTEGER"));
    BOOST_TEST(connection.text("SELECT group_concat(DISTINCT b) FROM t") == "x");
    BOOST_TEST((test::error_of([&] {
                    return sqlite::add_column(connection, "none", "b", "INTEGER");
                }) == Error::unknown_schema));
}

BOOST_AUTO_TEST_CASE(nothing_that_a_file_brings_along_is_run) {
    File file;
    StockConnection(file.path).execute(
        "CREATE TABLE log (a); CREATE VIEW v AS SELECT a FROM t;"
        "CREATE TRIGGER spy AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END");
    Connection connection = file.open();
    connection.execute("INSERT INTO t VALUES (2)");
    BOOST_TEST(connection.integer("SELECT count(*) FROM log") == 0);
    BOOST_TEST((test::error_of([&] { return connection.integer("SELECT a FROM v"); }) ==
                Error::unknown_schema));
    BOOST_TEST((test::error_of([&] {
                    connection.execute("PRAGMA writable_schema = ON; DELETE FROM sqlite_master");
                    return 0;
                }) != Error{}));
    BOOST_TEST(
        (test::error_of([&] { return connection.text("SELECT load_extension('x')"); }) != Error{}));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_database_says_so) {
    File file;
    write_file(file.path, std::string(4096, 'x'));
    Connection connection = file.open();
    BOOST_TEST((test::error_of([&] { return connection.integer("SELECT a FROM t"); }) ==
                Error::not_a_database));
}
