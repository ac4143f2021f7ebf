#include <replica/sqlite/sums.hpp>

#define BOOST_TEST_MODULE sqlite_sums
#include <boost/test/unit_test.hpp>

#include <sqlite3.h>
#include <support/sqlite_place.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

/// A database with rows in two policies, a tombstone among them, whose sums triggers have made.
template <class S>
struct File {
    static constexpr bool account = std::is_same_v<S, sqlite::AccountSchema>;

    explicit File(const std::string& spoil = "") {
        Fresh<S> fresh(sqlite::NewDatabase{"a", account ? "" : "c", "id", "1", "1", 0});
        path = directory.path() + "/h.db";
        write_file(path, read_file(fresh.path));
        std::string rows = "BEGIN;";
        for (int i = 0; i < 40; ++i) {
            rows += insert("row" + std::to_string(i), i, i % 7 == 0, i % 2);
        }
        StockConnection(path).execute(rows + "COMMIT");
        sums = stored();
        StockConnection(path).execute(spoil);
    }

    [[nodiscard]] static std::string insert(const std::string& name, int size, bool deleted,
                                            int policy) {
        const std::string number = std::to_string(size);
        const std::string rest = (deleted ? "1, " : "0, ") + std::to_string(policy) + ");";
        return account ? "INSERT INTO container (name, put_timestamp, delete_timestamp,"
                         " object_count, bytes_used, deleted, storage_policy_index) VALUES ('" +
                             name + "', '1', '0', " + number + ", " + number + "0, " + rest
                       : "INSERT INTO object (name, created_at, size, deleted,"
                         " storage_policy_index) VALUES ('" +
                             name + "', '1', " + number + ", " + rest;
    }

    [[nodiscard]] std::string stored() const {
        return StockConnection(path).rows(account
                                              ? "SELECT *, typeof(bytes_used) FROM policy_stat"
                                                " UNION ALL SELECT hash, container_count,"
                                                " object_count, bytes_used, typeof(container_count)"
                                                " FROM account_stat"
                                              : "SELECT *, typeof(object_count) FROM policy_stat"
                                                " UNION ALL SELECT hash, 0, 0, 0"
                                                " FROM container_info");
    }

    [[nodiscard]] bool mend(std::int64_t page_rows = 7) const {
        sqlite::Connection connection(
            path, sqlite::Connection::Mode::existing,
            [](int, Instant) {
                std::this_thread::yield();
                return true;
            },
            Instant::max());
        return sqlite::mend_sums<S>(connection, page_rows);
    }

    TemporaryDirectory directory;
    std::string path;
    std::string sums;
};

using Container = File<sqlite::ContainerSchema>;
using Account = File<sqlite::AccountSchema>;

/// chexor of a Python that hands over text only up to its first NUL.
void cut_short(sqlite3_context* context, int count, sqlite3_value** values) {
    const std::string name(reinterpret_cast<const char*>(sqlite3_value_text(values[1])));
    auto hash = sqlite::Chexor::parse(reinterpret_cast<const char*>(sqlite3_value_text(values[0])));
    BOOST_REQUIRE((hash && count == 3));
    hash->toggle(name, reinterpret_cast<const char*>(sqlite3_value_text(values[2])));
    sqlite3_result_text(context, hash->text().c_str(), -1, SQLITE_TRANSIENT);
}

} // namespace

BOOST_AUTO_TEST_CASE(what_is_right_is_left_alone) {
    for (const std::int64_t page_rows : {1, 7, 40, 1000}) {
        const Container container;
        const Account account;
        const auto before = files_below(container.directory.path());
        BOOST_TEST(!container.mend(page_rows));
        BOOST_TEST((files_below(container.directory.path()) == before));
        BOOST_TEST(!account.mend(page_rows));
    }
    const Container empty("DELETE FROM object");
    BOOST_TEST(!empty.mend());
    const Account never("DELETE FROM container; DELETE FROM policy_stat");
    BOOST_TEST(!never.mend()); // sums of 0 need not be written down
}

BOOST_AUTO_TEST_CASE(whatever_is_stored_becomes_what_the_rows_give) {
    for (const std::string sql :
         {"UPDATE container_info SET hash = '00000000000000000000000000000001'",
          "UPDATE container_info SET hash = NULL", "UPDATE container_info SET hash = 'none'",
          "UPDATE container_info SET hash = upper(hash)", "UPDATE policy_stat SET object_count = 0",
          "UPDATE policy_stat SET bytes_used = NULL", "UPDATE policy_stat SET bytes_used = 'many'",
          "UPDATE policy_stat SET object_count = -7 WHERE storage_policy_index = 1",
          "UPDATE policy_stat SET bytes_used = bytes_used + 0.5",
          "DELETE FROM policy_stat WHERE storage_policy_index = 1"}) {
        BOOST_TEST_CONTEXT(sql) {
            const Container file(sql);
            BOOST_TEST(file.stored() != file.sums);
            BOOST_TEST(file.mend());
            BOOST_TEST(file.stored() == file.sums);
            BOOST_TEST(!file.mend());
        }
    }
    for (const std::string sql :
         {"UPDATE account_stat SET hash = '00000000000000000000000000000001'",
          "UPDATE account_stat SET container_count = 0", "UPDATE account_stat SET object_count = 1",
          "UPDATE account_stat SET container_count = NULL",
          "UPDATE policy_stat SET object_count = 1 WHERE storage_policy_index = 1",
          "UPDATE policy_stat SET container_count = NULL", "DELETE FROM policy_stat"}) {
        BOOST_TEST_CONTEXT(sql) {
            const Account file(sql);
            BOOST_TEST(file.stored() != file.sums);
            BOOST_TEST(file.mend());
            BOOST_TEST(file.stored() == file.sums);
            BOOST_TEST(!file.mend());
        }
    }
}

BOOST_AUTO_TEST_CASE(a_policy_without_rows_has_none) {
    const Container file("INSERT INTO policy_stat VALUES (5, 1, 100)");
    BOOST_TEST(file.mend());
    BOOST_TEST(StockConnection(file.path).rows("SELECT * FROM policy_stat WHERE"
                                               " storage_policy_index = 5") == "5|0|0|");
}

BOOST_AUTO_TEST_CASE(a_name_that_an_old_python_cut_short_counts_in_full) {
    const Container file;
    {
        const StockConnection python(file.path);
        BOOST_REQUIRE(sqlite3_create_function_v2(python.get(), "chexor", 3, SQLITE_UTF8, nullptr,
                                                 &cut_short, nullptr, nullptr,
                                                 nullptr) == SQLITE_OK);
        BOOST_REQUIRE(sqlite3_exec(python.get(),
                                   "INSERT INTO object (name, created_at, size) VALUES"
                                   " (char(0) || 'versions' || char(0) || 'x', '1', 1)",
                                   nullptr, nullptr, nullptr) == SQLITE_OK);
    }
    const std::string wrong = file.stored();
    BOOST_TEST(file.mend());
    BOOST_TEST(file.stored() != wrong);
    StockConnection(file.path).execute("DELETE FROM object WHERE size = 1 AND deleted = 0 AND name"
                                       " LIKE '%x'"); // by one that does not cut
    BOOST_TEST(!file.mend());
}

BOOST_AUTO_TEST_CASE(a_row_without_a_time_or_a_size_counts_as_triggers_count_it) {
    const Container file("INSERT INTO object (name, size) VALUES ('timeless', 3)");
    BOOST_TEST(!file.mend());
    const Account account("INSERT INTO container (name, put_timestamp, delete_timestamp,"
                          " object_count, bytes_used) VALUES ('x', '1', NULL, 1, 2)");
    BOOST_TEST(!account.mend());
}

BOOST_AUTO_TEST_CASE(what_went_and_came_since_a_page_was_read_is_read_again) {
    using S = sqlite::ContainerSchema;
    const Container file;
    sqlite::Connection connection(file.path, sqlite::Connection::Mode::existing, {}, Instant());
    std::vector<sqlite::detail::Stretch> stretches;
    std::int64_t last = 0;
    for (int page = 0; page < 5; ++page) { // 35 of 40 rows
        stretches.push_back(sqlite::detail::sum_rows<S>(connection, last, 7));
        last = stretches.back().last;
    }
    BOOST_TEST(last == 35);
    StockConnection(file.path).execute("DELETE FROM object WHERE ROWID IN (1, 9, 14, 35, 40)");
    StockConnection(file.path).execute("DELETE FROM object WHERE ROWID BETWEEN 22 AND 28");
    StockConnection(file.path).execute(Container::insert("new", 9, false, 2));
    const sqlite::Totals totals = sqlite::detail::sum_again<S>(connection, stretches);
    BOOST_TEST(sqlite::are_stored<S>(connection, totals)); // triggers have kept them right
    BOOST_TEST(totals.counts.size() == 3U);
}

BOOST_AUTO_TEST_CASE(writers_go_on_meanwhile_and_none_of_their_rows_is_lost_to_the_sums) {
    const Container file("UPDATE container_info SET hash = '00000000000000000000000000000001'");
    std::atomic<bool> stop{false};
    std::atomic<int> written{0};
    std::thread writer([&] {
        StockConnection server(file.path);
        sqlite3_busy_timeout(server.get(), 10'000);
        while (!stop) {
            const std::string name = "row" + std::to_string(written % 40);
            server.execute("BEGIN IMMEDIATE; DELETE FROM object WHERE name = '" + name +
                           "'; INSERT INTO object (name, created_at, size) VALUES ('" + name +
                           "', '" + std::to_string(written + 1) + "', 5); COMMIT");
            ++written;
        }
    });
    bool mended = false;
    for (int i = 0; i < 20 || written == 0; ++i) { // a busy machine may let it begin late
        mended = file.mend(3) || mended;
    }
    stop = true;
    writer.join();
    BOOST_TEST(mended);
    BOOST_TEST(!file.mend());
}

BOOST_AUTO_TEST_CASE(a_locked_file_is_not_mended) {
    const Container file("UPDATE policy_stat SET object_count = 0");
    const std::string before = file.stored();
    StockConnection other(file.path);
    other.execute("BEGIN IMMEDIATE");
    sqlite::Connection connection(
        file.path, sqlite::Connection::Mode::existing, [](int, Instant) { return false; },
        Instant());
    BOOST_TEST((error_of([&] {
                    return sqlite::mend_sums<sqlite::ContainerSchema>(connection, 7);
                }) == Error::locked));
    other.execute("ROLLBACK");
    BOOST_TEST(file.stored() == before);
}
