#include <replica/sqlite/page_rows.hpp>

#define BOOST_TEST_MODULE sqlite_page_rows
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace replica;
using namespace replica::sqlite;
using namespace replica::test;

namespace {

using Snapshot = PageFile::Snapshot;

/// A file of random rows, and what SQLite says of it.
struct RandomFile {
    TemporaryDirectory directory;
    std::string path = directory.path() + "/x.db";
    Random random;

    explicit RandomFile(std::uint64_t seed) : random(seed) {}

    [[nodiscard]] std::string value() {
        switch (random.next() % 6) {
        case 0:
            return "NULL";
        case 1:
            return std::to_string(random.next() % 2);
        case 2: // each width that a number is stored in
            return std::to_string(static_cast<std::int64_t>(random.next()) >> random.next() % 64);
        case 3:
            return "'" + std::string(random.next() % 20'000, 'x') + "'";
        default:
            return "'" + std::string(random.next() % 40, 'a') + "'";
        }
    }

    void fill(const std::string& page_size, int rows) {
        StockConnection file(path);
        file.execute("PRAGMA page_size = " + page_size +
                     "; CREATE TABLE t (a, b, c); CREATE INDEX i ON t (a, b); BEGIN");
        for (int i = 0; i < rows; ++i) {
            file.execute(
                "INSERT OR REPLACE INTO t (rowid, a, b, c) VALUES (" +
                std::to_string(static_cast<std::int64_t>(random.next()) >> random.next() % 60) +
                ", " + value() + ", " + value() + ", " + value() + ")");
        }
        file.execute("COMMIT; DELETE FROM t WHERE rowid % 5 = 0");
    }

    [[nodiscard]] std::uint64_t root(const std::string& name) const {
        return std::stoull(StockConnection(path).rows(
            "SELECT rootpage FROM sqlite_master WHERE name = '" + name + "'")); // "2|"
    }
};

/// As `quote` of SQLite writes it.
std::string quoted(const PageValue& value) {
    if (const auto* const number = std::get_if<std::int64_t>(&value)) {
        return std::to_string(*number);
    }
    return std::holds_alternative<std::monostate>(value) ? "NULL"
                                                         : "'" + std::get<std::string>(value) + "'";
}

} // namespace

BOOST_AUTO_TEST_CASE(random_tables_read_as_sqlite_reads_them) {
    std::uint64_t seed = 1;
    for (const std::string page_size : {"512", "1024", "4096", "65536"}) {
        for (const int rows : {0, 1, 40, 300}) {
            RandomFile made(++seed);
            made.fill(page_size, rows);
            PageFile file(made.path, "");
            const Snapshot snapshot(file);
            std::string read;
            each_row(file, made.root("t"), [&](const PageRow& row) {
                read += std::to_string(row.rowid);
                for (const PageValue& value : row.values) {
                    read += '|' + quoted(value);
                }
                read += '|';
            });
            const std::string wanted = StockConnection(made.path).rows(
                "SELECT rowid, quote(a), quote(b), quote(c) FROM t ORDER BY rowid");
            BOOST_TEST((read == wanted), page_size << " bytes, " << rows << " rows");
        }
    }
}

BOOST_AUTO_TEST_CASE(the_last_entry_of_an_index_is_the_highest) {
    for (const int rows : {0, 1, 300}) {
        RandomFile made(static_cast<std::uint64_t>(rows) + 50);
        made.fill("512", rows);
        PageFile file(made.path, "");
        const Snapshot snapshot(file);
        const auto last = last_entry(file, made.root("i"));
        const std::string wanted = StockConnection(made.path).rows(
            "SELECT quote(a), quote(b) FROM t ORDER BY a DESC, b DESC, rowid DESC LIMIT 1");
        BOOST_TEST(last.has_value() == !wanted.empty());
        if (last) {
            BOOST_TEST(last->values.size() == 3U); // with the ROWID
            BOOST_TEST(wanted == quoted(last->values[0]) + '|' + quoted(last->values[1]) + '|');
        }
    }
}

BOOST_AUTO_TEST_CASE(real_numbers_and_bytes_are_for_sqlite) {
    for (const std::string value : {"1.5", "x'00ff'"}) {
        RandomFile made(1);
        StockConnection(made.path).execute("CREATE TABLE t (a); INSERT INTO t VALUES (" + value +
                                           ")");
        PageFile file(made.path, "");
        const Snapshot snapshot(file);
        BOOST_CHECK_THROW(each_row(file, made.root("t"), [](const PageRow&) {}), NotPlain);
    }
}

BOOST_AUTO_TEST_CASE(an_index_is_no_table_and_a_table_no_index) {
    RandomFile made(1);
    made.fill("4096", 10);
    PageFile file(made.path, "");
    const Snapshot snapshot(file);
    BOOST_CHECK_THROW(each_row(file, made.root("i"), [](const PageRow&) {}), NotPlain);
    BOOST_CHECK_THROW((void)last_entry(file, made.root("t")), NotPlain);
}

BOOST_AUTO_TEST_CASE(whatever_bytes_are_wrong_the_walk_ends) {
    RandomFile made(7);
    made.fill("512", 200);
    const std::uint64_t table = made.root("t");
    const std::uint64_t index = made.root("i");
    std::string bytes;
    {
        std::ifstream in(made.path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    Random random(3);
    int refused = 0;
    for (int i = 0; i < 400; ++i) {
        std::string torn = bytes;
        for (int j = 0; j < 30; ++j) {
            // Not the header: it says whether the file is looked at at all.
            torn[100 + random.next() % (torn.size() - 100)] = static_cast<char>(random.next());
        }
        // The head of a root, which leads to other pages.
        torn[(table - 1) * 512 + random.next() % 16] = static_cast<char>(random.next());
        std::ofstream(made.path, std::ios::binary) << torn;
        PageFile file(made.path, "");
        const Snapshot snapshot(file);
        try {
            each_row(file, table, [](const PageRow&) {});
            (void)last_entry(file, index);
        } catch (const NotPlain&) {
            ++refused;
        }
    }
    BOOST_TEST(refused > 0);
}

BOOST_AUTO_TEST_CASE(a_tree_that_leads_to_itself_comes_to_an_end) {
    RandomFile made(9);
    made.fill("512", 300);
    const std::uint64_t root = made.root("t");
    std::fstream out(made.path, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::int64_t>((root - 1) * 512 + 8));
    out << std::string("\0\0\0", 3) << static_cast<char>(root); // the last child
    out.close();
    PageFile file(made.path, "");
    const Snapshot snapshot(file);
    BOOST_CHECK_THROW(each_row(file, root, [](const PageRow&) {}), NotPlain);
}

BOOST_AUTO_TEST_CASE(a_record_that_says_more_than_it_has_is_refused) {
    const auto refused = [](const std::string& bytes) {
        BOOST_CHECK_THROW((void)sqlite::detail::record(bytes), NotPlain);
    };
    refused(std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xf8\x06", 10)); // a header of 2^64 - 8
    refused(std::string("\x20\x00\x0d", 3));                              // longer than all
    refused(std::string("\x02\x06", 2));                                  // no number behind it
    refused(std::string("\x02\x21", 2));                                  // no text behind it
    refused("");
    refused(std::string("\x7f", 1) + std::string(126, '\0')); // more columns than any table
    BOOST_TEST(sqlite::detail::record(std::string("\x02\x0d", 2)).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_forged_page_that_many_cells_lead_to_costs_no_more_than_a_budget) {
    RandomFile made(11);
    made.fill("4096", 3000);
    const std::uint64_t root = made.root("t");
    PageFile plain(made.path, "");
    std::string page;
    {
        const Snapshot snapshot(plain);
        page = plain.page(root);
        BOOST_REQUIRE(page[0] == 5);
    }
    // Every child of the root is the root's own first child, and there are many.
    std::fstream out(made.path, std::ios::binary | std::ios::in | std::ios::out);
    std::string forged = page;
    const std::uint64_t cell = big_endian(page, 12, 2);
    const std::size_t cells = (cell - 12) / 2 - 1;
    forged[3] = static_cast<char>(cells >> 8U);
    forged[4] = static_cast<char>(cells & 0xffU);
    for (std::size_t i = 0; i < cells; ++i) {
        forged[12 + 2 * i] = page[12];
        forged[13 + 2 * i] = page[13];
    }
    out.seekp(static_cast<std::int64_t>((root - 1) * 4096));
    out << forged;
    out.close();
    PageFile file(made.path, "");
    const Snapshot snapshot(file);
    std::size_t rows = 0;
    try {
        each_row(file, root, [&](const PageRow&) { ++rows; });
    } catch (const NotPlain&) {
        BOOST_TEST(rows > 0U);
    }
    BOOST_TEST(rows <= (8U << 20U) / 64);
}
