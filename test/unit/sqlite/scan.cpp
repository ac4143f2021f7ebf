#include <replica/sqlite/scan.hpp>

#define BOOST_TEST_MODULE sqlite_scan
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

constexpr std::int64_t all = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t key = 77;

std::string stamp(int seconds) {
    return Timestamp{seconds * Timestamp::ticks_per_second, 0}.normal();
}

/// A container in pages of three rows, past whose broker a test can write.
struct File {
    File() {
        auto database = place.create();
        for (int i = 0; i < 10; ++i) {
            const auto row = i == 4 ? tombstone("row4", stamp(5))
                                    : object("row" + std::to_string(i), stamp(i + 1), i);
            database.merge_items(std::span(&row, 1), "");
        }
    }

    /// `meanwhile` is called before the n-th look at the version: the first comes before the rows
    /// are read, the second when they were.
    [[nodiscard]] RowScan scan(std::int64_t up_to = all,
                               const std::function<void()>& meanwhile = {}) {
        sqlite::Connection connection(place.path(), sqlite::Connection::Mode::existing, {},
                                      Instant::max());
        return sqlite::scan_rows<sqlite::ContainerSchema>(
            connection, key, 1, up_to, 3, [&, first = true]() mutable {
                const auto version = connection.integer("PRAGMA data_version");
                if (first && meanwhile) {
                    meanwhile();
                }
                first = false;
                return version;
            });
    }

    [[nodiscard]] std::vector<std::int64_t> chosen(const RowChoice& choice, std::int64_t above,
                                                   std::int64_t up_to, std::int64_t count,
                                                   std::size_t left = 1'000'000) {
        sqlite::Connection connection(place.path(), sqlite::Connection::Mode::existing, {},
                                      Instant::max());
        std::vector<std::int64_t> rowids;
        for (const ObjectRow& row : sqlite::chosen_rows<sqlite::ContainerSchema>(
                 connection, choice, key, above, up_to, count, 3, left)) {
            rowids.push_back(row.rowid);
        }
        return rowids;
    }

    /// What the other file has not.
    [[nodiscard]] RowChoice only_here(File& other) {
        const RowScan mine = scan();
        return mine.digests.only_here(other.scan().digests.unlike(mine.digests.sums()));
    }

    void execute(const std::string& sql) const { StockConnection(place.path()).execute(sql); }

    ContainerPlace place;
};

using Rowids = std::vector<std::int64_t>;

} // namespace

BOOST_AUTO_TEST_CASE(the_same_rows_have_the_same_digests_whatever_their_rowids_are) {
    File one;
    File other;
    for (const char* const name : {"row3", "row0"}) { // the same rows again, with other ROWIDs
        other.execute("INSERT INTO object (name, created_at, size, content_type, etag, deleted,"
                      " storage_policy_index) SELECT name, created_at, size, content_type, etag,"
                      " deleted, storage_policy_index FROM object WHERE name = '" +
                      std::string(name) +
                      "'; DELETE FROM object WHERE ROWID = (SELECT min(ROWID)"
                      " FROM object WHERE name = '" +
                      std::string(name) + "')");
    }
    BOOST_TEST(one.only_here(other).digests().empty());
    BOOST_TEST(one.scan().digests.sums() == other.scan().digests.sums(),
               boost::test_tools::per_element());
    BOOST_TEST(one.scan().digests.rows() == 10);
}

BOOST_AUTO_TEST_CASE(a_difference_in_any_column_is_a_difference) {
    for (const char* const column :
         {"name = 'row50'", "created_at = '0000000006.00001'", "size = 6", "size = NULL",
          "content_type = 'text/html'", "content_type = NULL", "content_type = ''", "etag = 'etah'",
          "deleted = 1", "storage_policy_index = 1"}) {
        File one;
        File other;
        other.execute("DROP TRIGGER object_update; UPDATE object SET " + std::string(column) +
                      " WHERE name = 'row5'");
        BOOST_TEST((one.chosen(one.only_here(other), -1, all, 10) == Rowids{6}), column);
        BOOST_TEST((other.chosen(other.only_here(one), -1, all, 10) == Rowids{6}), column);
    }
}

BOOST_AUTO_TEST_CASE(a_row_that_only_one_side_has_is_chosen_there) {
    File one;
    File other;
    one.execute("DELETE FROM object WHERE ROWID IN (1, 7)");
    BOOST_TEST(one.only_here(other).digests().empty());
    BOOST_TEST((other.chosen(other.only_here(one), -1, all, 10) == Rowids{1, 7}));
}

BOOST_AUTO_TEST_CASE(rows_above_the_last_one_have_no_part_in_the_comparison) {
    File file;
    BOOST_TEST(file.scan(7).digests.rows() == 7);
    BOOST_TEST(file.scan(7).sound); // the audit is over all rows
    BOOST_TEST(file.scan(0).digests.rows() == 0);
    BOOST_TEST(file.scan(9).digests.sums() != file.scan(10).digests.sums());
}

BOOST_AUTO_TEST_CASE(chosen_rows_come_in_order_so_many_at_a_time) {
    File file;
    RowChoice everything(1);
    everything.add_whole(0, ~std::uint64_t{0});
    BOOST_TEST(file.chosen(everything, -1, all, 100, 1).size() == 1U); // by their bytes
    BOOST_TEST(file.chosen(everything, 2, all, 100, 30).size() < 8U);
    const struct {
        std::int64_t above;
        std::int64_t up_to;
        std::int64_t count;
        Rowids expected;
    } table[] = {
        {-1, all, 100, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
        {-1, all, 4, {1, 2, 3, 4}},
        {4, all, 4, {5, 6, 7, 8}},
        {8, all, 4, {9, 10}},
        {10, all, 4, {}},
        {-1, 6, 100, {1, 2, 3, 4, 5, 6}},
        {3, 5, 100, {4, 5}},
        {5, 5, 100, {}},
        {std::numeric_limits<std::int64_t>::min(), 2, 100, {1, 2}},
    };
    for (const auto& each : table) {
        BOOST_TEST((file.chosen(everything, each.above, each.up_to, each.count) == each.expected),
                   each.above << ' ' << each.up_to << ' ' << each.count);
    }
    BOOST_TEST(file.chosen(RowChoice(1), -1, all, 100).empty());
}

BOOST_AUTO_TEST_CASE(hash_and_sums_that_are_not_those_of_the_rows_are_noticed) {
    for (const char* const spoil :
         {"UPDATE container_info SET hash = '00000000000000000000000000000001'",
          "UPDATE container_info SET hash = ''", "UPDATE policy_stat SET object_count = 3",
          "UPDATE policy_stat SET bytes_used = bytes_used + 1"}) {
        File file;
        BOOST_TEST(file.scan().sound);
        file.execute(spoil);
        BOOST_TEST(!file.scan().sound, spoil);
    }
}

// The rows that were read are then not those of one moment.
BOOST_AUTO_TEST_CASE(a_writer_in_the_middle_is_no_wrong_hash) {
    File file;
    const RowScan scan = file.scan(all, [&] {
        const auto row = object("row1", stamp(50));
        file.place.open().merge_items(std::span(&row, 1), "");
        file.execute("UPDATE container_info SET hash = 'not to be judged'");
    });
    BOOST_TEST(scan.sound);
    BOOST_TEST(!file.scan().sound);
}

BOOST_AUTO_TEST_CASE(a_row_that_is_replaced_after_the_scan_is_not_chosen) {
    File one;
    File other;
    other.execute("DELETE FROM object WHERE ROWID IN (2, 3)");
    const RowChoice choice = one.only_here(other);
    const auto row = object("row1", stamp(50));
    one.place.open().merge_items(std::span(&row, 1), "");
    BOOST_TEST((one.chosen(choice, -1, 10, 100) == Rowids{3}));
}

BOOST_AUTO_TEST_CASE(the_rows_of_an_account_are_compared_in_all_columns_too) {
    const ContainerRow row{-1, "c", stamp(1), "0", 5, 50, 0, 0};
    std::set<std::vector<std::uint64_t>> seen;
    std::vector<ContainerRow> variants(7, row);
    variants[1].name = "d";
    variants[2].put_timestamp = stamp(2);
    variants[3].delete_timestamp = stamp(3);
    variants[4].object_count = 6;
    variants[5].bytes_used = 51;
    variants[6].storage_policy_index = 1;
    for (const ContainerRow& each : variants) {
        const TemporaryDirectory directory;
        AccountInfo info;
        info.account = "a";
        auto database = SimTimedAccounts(PosixDisk(), SimClock())
                            .create(directory.path() + "/h/h.db", info, Instant::max());
        database.merge_items(std::span(&each, 1), "");
        const RowScan scan = database.scan_rows(key, 1, all);
        BOOST_TEST(scan.sound);
        seen.insert(scan.digests.sums());
    }
    BOOST_TEST(seen.size() == variants.size());
}
