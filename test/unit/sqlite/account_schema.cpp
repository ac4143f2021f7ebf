#include <replica/sqlite/account_schema.hpp>

#define BOOST_TEST_MODULE sqlite_account_schema
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;
using sqlite::AccountSchema;
using sqlite::Query;

namespace {

struct Account : Fresh<AccountSchema> {
    Account() : Fresh({"a", "", "id", "5", "6", 0}) {}

    [[nodiscard]] AccountInfo info() { return AccountSchema::read_info(connection); }
    [[nodiscard]] std::string stored(const std::string& sql) { return stock.rows(sql); }

    StockConnection stock{path};
};

const std::string insert = "INSERT INTO container (name, put_timestamp, delete_timestamp,"
                           " object_count, bytes_used, deleted, storage_policy_index) VALUES ";

} // namespace

BOOST_AUTO_TEST_CASE(what_a_stock_server_writes_is_read_as_it_wrote_it) {
    Account account;
    account.stock.execute(insert + "('c', '1', '2', 3, 4, 0, 5), ('d', NULL, NULL, 0, 0, 1, 6)");
    Query query = account.connection.query(AccountSchema::select_since);
    query.bind(std::int64_t{0}, std::int64_t{10});
    BOOST_REQUIRE(query.step());
    BOOST_TEST((AccountSchema::read(query) == ContainerRow{1, "c", "1", "2", 3, 4, 0, 5}));
    BOOST_TEST(AccountSchema::read_rowid(query) == 1);
    BOOST_REQUIRE(query.step());
    BOOST_TEST((AccountSchema::read(query) == ContainerRow{2, "d", "0", "0", 0, 0, 1, 6}));
    BOOST_TEST(!query.step());
}

BOOST_AUTO_TEST_CASE(an_info_has_everything_that_the_file_says_of_the_account) {
    Account account;
    account.stock.execute("UPDATE account_stat SET account = 'b', created_at = '1',"
                          " put_timestamp = '2', delete_timestamp = '3', status_changed_at = '4',"
                          " container_count = 5, object_count = 6, bytes_used = 7, hash = 'h',"
                          " id = 'i', metadata = 'm'");
    const AccountInfo info = account.info();
    BOOST_TEST(info.account == "b");
    BOOST_TEST(info.created_at == "1");
    BOOST_TEST(info.put_timestamp == "2");
    BOOST_TEST(info.delete_timestamp == "3");
    BOOST_TEST(info.status_changed_at == "4");
    BOOST_TEST(info.count == 5);
    BOOST_TEST(info.object_count == 6);
    BOOST_TEST(info.bytes_used == 7);
    BOOST_TEST(info.hash == "h");
    BOOST_TEST(info.id == "i");
    BOOST_TEST(info.metadata == "m");
}

BOOST_AUTO_TEST_CASE(the_last_rowid_is_the_highest_ever_given) {
    Account account;
    BOOST_TEST(account.info().max_row == -1);
    account.stock.execute(insert + "('c', '1', '0', 0, 0, 0, 0), ('d', '1', '0', 0, 0, 0, 0)");
    BOOST_TEST(account.info().max_row == 2);
    account.stock.execute("DELETE FROM container");
    BOOST_TEST(account.info().max_row == 2);
}

BOOST_AUTO_TEST_CASE(times_that_are_null_are_no_times) {
    Account account;
    account.stock.execute("UPDATE account_stat SET created_at = NULL, put_timestamp = NULL,"
                          " delete_timestamp = NULL, status_changed_at = NULL");
    const AccountInfo info = account.info();
    BOOST_TEST((info.timestamps() == Timestamps{"0", "0", "0"}));
    BOOST_TEST(info.status_changed_at == "0");
}

BOOST_AUTO_TEST_CASE(a_file_without_its_one_row_is_named) {
    Account account;
    account.stock.execute("DELETE FROM account_stat");
    require_refused(Error::missing_table, account.path + ": account_stat has no row",
                    account.directory, [&] { return account.info(); });
}

// Or a row would go out of the hash as another than it came in.
BOOST_AUTO_TEST_CASE(a_row_hashes_alike_in_memory_and_in_the_file) {
    for (const ContainerRow& row : std::vector<ContainerRow>{
             {-1, "c", "1700000000.00000", "0", 3, 40, 0, 0},
             {-1, "d", "0", "1700000000.00000_00000000000000ff", -1, 0, 1, 2},
             {-1, "e", "", "", std::numeric_limits<std::int64_t>::max(), 0, 0, 0}}) {
        Account account;
        Query put = account.connection.query(AccountSchema::insert);
        AccountSchema::bind_row(put, row);
        put.run();
        Query find = account.connection.query(AccountSchema::select_rowid);
        BOOST_REQUIRE(find.bind(std::int64_t{1}).step());
        BOOST_TEST(AccountSchema::read_hashed(find) == AccountSchema::hashed(row));
        Query next = account.connection.query(AccountSchema::select_since);
        BOOST_REQUIRE(next.bind(std::int64_t{0}, std::int64_t{1}).step());
        BOOST_TEST(AccountSchema::read_hashed(next) == AccountSchema::hashed(row));
    }
    Account account; // Python formats a NULL so, and the triggers give NULL
    account.stock.execute("INSERT INTO container (name, deleted) VALUES ('f', 0)");
    Query find = account.connection.query(AccountSchema::select_rowid);
    BOOST_REQUIRE(find.bind(std::int64_t{1}).step());
    BOOST_TEST(AccountSchema::read_hashed(find) == "None");
}

BOOST_AUTO_TEST_CASE(a_row_is_found_by_its_name_live_or_deleted) {
    Account account;
    account.stock.execute(insert + "('c', '1', '0', 0, 0, 0, 0), ('d', '1', '0', 0, 0, 1, 7),"
                                   " ('C', '1', '0', 0, 0, 0, 0)");
    const auto found = [&](const std::string& name) {
        ContainerRow row;
        row.name = name;
        row.put_timestamp = row.delete_timestamp = "1700000000.00000";
        Query query = account.connection.query(AccountSchema::select_key);
        AccountSchema::bind_key(query, ContainerState::of(row));
        return query.step() ? AccountSchema::read_rowid(query) : 0;
    };
    BOOST_TEST(found("c") == 1);
    BOOST_TEST(found("d") == 2);
    BOOST_TEST(found("C") == 3);
    BOOST_TEST(found("e") == 0);
}

BOOST_AUTO_TEST_CASE(a_row_counts_when_it_comes_and_uncounts_when_it_goes) {
    sqlite::Totals::Counts counts;
    const ContainerRow live{-1, "c", "1", "0", 3, 40, 0, 0};
    const ContainerRow gone{-1, "d", "1", "2", 5, 60, 1, 0};
    AccountSchema::count(counts, live, 1);
    AccountSchema::count(counts, gone, 1);
    BOOST_TEST(counts.rows == 1U);
    BOOST_TEST(counts.objects == 8U);
    BOOST_TEST(counts.bytes == 100U);
    AccountSchema::count(counts, live, -1);
    AccountSchema::count(counts, gone, -1);
    BOOST_TEST(counts.rows + counts.objects + counts.bytes == 0U);
}

BOOST_AUTO_TEST_CASE(sums_are_written_for_each_policy_and_for_all) {
    Account account;
    sqlite::Totals totals;
    totals.counts[0] = {1, 2, 3};
    totals.counts[7] = {10, 20, 30};
    AccountSchema::write_totals(account.connection, totals);
    totals.counts.erase(0);
    totals.counts[7] = {std::uint64_t(-1), 0, std::uint64_t(-5)};
    AccountSchema::write_totals(account.connection, totals);
    BOOST_TEST(account.stored("SELECT container_count, object_count, bytes_used FROM"
                              " account_stat") == "10|22|28|");
    BOOST_TEST(account.stored("SELECT * FROM policy_stat ORDER BY 1") == "0|1|2|3|7|9|20|25|");
    BOOST_TEST(account.stored("SELECT hash FROM account_stat") == totals.hash.text() + '|');
}

BOOST_AUTO_TEST_CASE(an_account_is_deleted_by_its_mark_or_by_its_times_if_it_is_empty) {
    Account account;
    const auto deleted = [&](const std::string& put, const std::string& gone, int count) {
        AccountInfo info;
        info.put_timestamp = put;
        info.delete_timestamp = gone;
        info.count = count;
        return AccountSchema::is_deleted(account.connection, info);
    };
    BOOST_TEST(deleted("0000000001.00000", "0000000002.00000", 0));
    BOOST_TEST(!deleted("0000000001.00000", "0000000002.00000", 1));
    BOOST_TEST(!deleted("0000000002.00000", "0000000002.00000", 0));
    BOOST_TEST(!deleted("0000000002.00000", "soon", 0));
    BOOST_TEST(!deleted("0", "0", 0));
    account.stock.execute("UPDATE account_stat SET status = 'DELETED'");
    BOOST_TEST(deleted("0000000002.00000", "0", 1));
    account.stock.execute("UPDATE account_stat SET status = NULL");
    BOOST_TEST(!deleted("0000000002.00000", "0", 0));
}

BOOST_AUTO_TEST_CASE(a_file_as_it_should_be_is_not_converted) {
    Account account;
    account.stock.execute(insert + "('c', '1', '0', 3, 40, 0, 2)");
    const auto before = account.stored("SELECT sql FROM sqlite_master") +
                        account.stored("SELECT * FROM policy_stat");
    AccountSchema::convert(account.connection, 0);
    BOOST_TEST(account.stored("SELECT sql FROM sqlite_master") +
                   account.stored("SELECT * FROM policy_stat") ==
               before);
}

BOOST_AUTO_TEST_CASE(an_account_has_nothing_else_to_reclaim_or_to_forget) {
    Account account;
    const auto before = files_below(account.directory.path());
    BOOST_TEST(!AccountSchema::has_old_shard_ranges(account.connection, account.info(),
                                                    "9999999999.00000"));
    AccountSchema::reclaim_shard_ranges(account.connection, account.info(), "9999999999.00000");
    AccountSchema::forget_reported(account.connection);
    BOOST_TEST((files_below(account.directory.path()) == before));
}
