#include <replica/sqlite/page_file.hpp>

#define BOOST_TEST_MODULE sqlite_page_file
#include <replica/disk/posix.hpp>

#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

using namespace replica;
using namespace replica::sqlite;
using namespace replica::test;

namespace {

using Snapshot = PageFile::Snapshot;

struct File {
    TemporaryDirectory directory;
    std::string path = directory.path() + "/x.db";

    explicit File(const std::string& begin = "") {
        StockConnection(path).execute(begin + "CREATE TABLE t (a); INSERT INTO t VALUES ('one')");
    }

    [[nodiscard]] std::string bytes() const {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    void patch(std::int64_t at, const std::string& bytes) const {
        std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
        out.seekp(at);
        out << bytes;
    }

    void touch(const std::string& suffix) const { std::ofstream(path + suffix) << "x"; }
};

/// Whether a snapshot of a new handle is refused.
bool is_refused(const std::string& path) {
    try {
        PageFile file(path, "");
        const Snapshot snapshot(file);
        return false;
    } catch (const NotPlain&) {
        return true;
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(pages_are_those_of_the_file) {
    for (const std::string begin : {"", "PRAGMA page_size = 512;", "PRAGMA page_size = 65536;"}) {
        const File made(begin);
        PageFile file(made.path, "");
        BOOST_TEST(file.path() == made.path);
        const Snapshot snapshot(file);
        BOOST_TEST(file.page(1) + file.page(2) == made.bytes());
        BOOST_TEST(file.usable() == file.page(1).size());
        BOOST_CHECK_THROW((void)file.page(0), NotPlain);
        BOOST_CHECK_THROW((void)file.page(3), NotPlain);
    }
}

BOOST_AUTO_TEST_CASE(the_whole_file_is_given_if_it_is_small_enough) {
    const File made;
    PageFile file(made.path, "");
    const Snapshot snapshot(file);
    BOOST_TEST((file.image(8192) == std::optional(made.bytes())));
    BOOST_TEST(!file.image(8191).has_value());
    BOOST_TEST(!file.image(-1).has_value());
}

BOOST_AUTO_TEST_CASE(what_is_beside_the_file_is_for_sqlite) {
    for (const std::string suffix : {"-journal", "-wal"}) {
        const File made;
        PageFile before(made.path, "");
        BOOST_TEST(!is_refused(made.path));
        made.touch(suffix);
        BOOST_TEST(is_refused(made.path), suffix);
        BOOST_CHECK_THROW(const Snapshot snapshot(before), NotPlain); // not only when it is opened
    }
}

BOOST_AUTO_TEST_CASE(a_header_that_is_not_ours_is_for_sqlite) {
    struct Case {
        std::int64_t at;
        std::string bytes;
    };
    for (const auto& [at, bytes] :
         {Case{0, "X"}, Case{16, std::string("\0\x03", 2)}, Case{18, "\2"}, Case{19, "\2"},
          Case{27, "\x7f"}, Case{31, "\x7f"}, Case{47, "\1"}, Case{59, "\2"}}) {
        const File made;
        made.patch(at, bytes);
        BOOST_TEST(is_refused(made.path), "byte " << at);
    }
    const File wal("PRAGMA journal_mode = WAL;");
    BOOST_TEST(is_refused(wal.path));
    const File utf16("PRAGMA encoding = 'UTF-16le';");
    BOOST_TEST(is_refused(utf16.path));
    const File cut;
    std::filesystem::resize_file(cut.path, 5000);
    BOOST_TEST(is_refused(cut.path));
    const TemporaryDirectory directory;
    BOOST_TEST(is_refused(directory.path() + "/none.db"));
    BOOST_TEST(!std::filesystem::exists(directory.path() + "/none.db"));
    BOOST_CHECK_THROW(PageFile(cut.path, "no such layer"), NotPlain);
}

BOOST_AUTO_TEST_CASE(a_snapshot_keeps_writers_out_and_a_writer_keeps_it_out) {
    const File made;
    PageFile file(made.path, "");
    StockConnection other(made.path);
    {
        const Snapshot snapshot(file);
        BOOST_TEST(sqlite3_exec(other.get(), "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr) ==
                   SQLITE_BUSY);
    }
    other.execute("BEGIN EXCLUSIVE");
    BOOST_TEST(is_refused(made.path));
    other.execute("ROLLBACK");
    const Snapshot again(file);
    BOOST_TEST(file.page(2).find("one") != std::string::npos);
    BOOST_TEST(sqlite3_exec(other.get(), "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr) ==
               SQLITE_BUSY); // as soon as a page is read
}

BOOST_AUTO_TEST_CASE(what_was_read_is_given_without_a_lock_until_a_writer_has_committed) {
    const File made;
    StockConnection(made.path).execute(
        "CREATE TABLE large (b); INSERT INTO large SELECT randomblob(3000) FROM (WITH RECURSIVE "
        "n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i FROM n)");
    PageFile file(made.path, "");
    std::string before;
    {
        const Snapshot snapshot(file);
        before = file.page(2);
    }
    // More than its cache holds: the first pages are in the file before the transaction ends.
    StockConnection writer(made.path);
    writer.execute("PRAGMA cache_size = 1; BEGIN; UPDATE t SET a = 'two';"
                   "UPDATE large SET b = randomblob(3000)");
    BOOST_TEST(made.bytes().substr(before.size(), before.size()) != before);
    BOOST_TEST(is_refused(made.path));
    {
        const Snapshot snapshot(file);
        BOOST_TEST(file.page(2) == before);
        BOOST_CHECK_THROW((void)file.page(3), NotPlain); // never read, and the writer has it
        BOOST_CHECK_THROW((void)file.image(1 << 20), NotPlain);
    }
    writer.execute("ROLLBACK");
    {
        const Snapshot snapshot(file);
        BOOST_TEST(file.page(2) == before);
        writer.execute("UPDATE t SET a = 'three'");
        BOOST_TEST(file.page(2) == before);
        BOOST_CHECK_THROW((void)file.page(3), NotPlain); // of another state than page 2
    }
    const Snapshot snapshot(file);
    BOOST_TEST(file.page(2).find("three") != std::string::npos);
    BOOST_TEST(file.page(3).size() == before.size());
}

// Such a writer may have changed any page but the first.
BOOST_AUTO_TEST_CASE(a_hot_journal_hides_no_page_from_before_it_and_all_others) {
    const File made;
    StockConnection(made.path).execute("CREATE TABLE other (b)");
    PageFile file(made.path, "");
    std::string before;
    {
        const Snapshot snapshot(file);
        before = file.page(2);
    }
    made.touch("-journal");
    made.patch(static_cast<std::int64_t>(before.size()) + 100, "half of a transaction");
    const Snapshot snapshot(file);
    BOOST_TEST(file.page(2) == before);
    BOOST_CHECK_THROW((void)file.page(3), NotPlain);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_closed_takes_no_lock_of_a_connection_with_it) {
    const File made;
    StockConnection writer(made.path);
    StockConnection other(made.path);
    {
        PageFile file(made.path, "");
        { const Snapshot snapshot(file); }
        writer.execute("BEGIN IMMEDIATE");
        const Snapshot beside_a_reserved_lock(file);
    }
    // POSIX drops all locks of a process on a file with the first descriptor that is closed.
    const auto locks = [&] {
        std::ifstream in("/proc/locks");
        const std::string all{std::istreambuf_iterator<char>(in), {}};
        const auto inode = std::to_string(PosixDisk().stat(made.path)->inode);
        return all.find(':' + inode + ' ') != std::string::npos;
    };
    BOOST_TEST(locks());
    writer.execute("COMMIT");
    BOOST_TEST(!locks());
}

BOOST_AUTO_TEST_CASE(pages_are_read_again_only_after_a_write) {
    const File made;
    PageFile file(made.path, "");
    std::uint64_t version = 0;
    {
        const Snapshot snapshot(file);
        version = file.version();
        BOOST_TEST(file.page(2).find("one") != std::string::npos);
    }
    {
        const Snapshot snapshot(file);
        BOOST_TEST(file.version() == version);
    }
    StockConnection(made.path).execute("UPDATE t SET a = 'two'");
    const Snapshot snapshot(file);
    BOOST_TEST(file.version() == version + 1);
    BOOST_TEST(file.page(2).find("two") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_that_was_replaced_is_noticed) {
    const File made;
    PageFile file(made.path, "");
    BOOST_TEST(!file.moved());
    const File next;
    std::filesystem::rename(next.path, made.path);
    BOOST_TEST(file.moved());
    std::filesystem::remove(made.path);
    BOOST_TEST(file.moved());
}

BOOST_AUTO_TEST_CASE(numbers_have_their_highest_byte_first) {
    const std::string_view text("\x01\x02\xff", 3);
    BOOST_TEST(big_endian(text, 0, 2) == 0x0102U);
    BOOST_TEST(big_endian(text, 2, 1) == 0xffU);
    BOOST_CHECK_THROW((void)big_endian(text, 2, 2), NotPlain);
    BOOST_CHECK_THROW((void)big_endian(text, ~std::size_t{0}, 1), NotPlain);
}

BOOST_AUTO_TEST_CASE(a_snapshot_reads_no_more_than_a_budget) {
    const File made;
    PageFile file(made.path, "");
    {
        const Snapshot snapshot(file);
        file.spend(8U << 20U);
        BOOST_CHECK_THROW(file.spend(1), NotPlain);
    }
    {
        const Snapshot snapshot(file);
        BOOST_CHECK_THROW(file.spend(~std::uint64_t{0}), NotPlain);
    }
    const Snapshot snapshot(file); // each has a budget of its own
    for (int i = 0; i < 2048; ++i) {
        BOOST_REQUIRE(file.page(2).size() == 4096U);
    }
    BOOST_CHECK_THROW((void)file.page(2), NotPlain);
}
