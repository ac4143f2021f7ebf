#include <replica/sqlite/cells.hpp>

#define BOOST_TEST_MODULE sqlite_cells
#include <replica/disk/posix.hpp>
#include <replica/sim/clock.hpp>

#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::test;
using namespace std::string_view_literals;

namespace {

/// 4 GiB less a byte, as SQLite writes a size.
constexpr std::string_view endless = "\x8f\xff\xff\xff\x7f"sv;

struct Pages {
    TemporaryDirectory directory;
    std::string path = directory.path() + "/file";
    PosixDisk disk;
    SimClock clock;

    /// A file with rows of all kinds of trees: small and large ones, an index of either.
    void make(const std::string& settings = "") const {
        std::string sql = settings + "CREATE TABLE t (name TEXT, more TEXT);"
                                     "CREATE INDEX i ON t (name, more); BEGIN;";
        for (int row = 0; row < 400; ++row) {
            sql += "INSERT INTO t VALUES ('name " + std::to_string(row) + "', printf('%.*c', " +
                   std::to_string(row % 40 == 0 ? 9000 : row % 90) + ", 'x'));";
        }
        StockConnection(path).execute(sql + "COMMIT;");
    }

    void write(const std::string& content) const { write_file(path, content); }
    [[nodiscard]] std::string content() const { return read_file(path); }

    void change(std::size_t at, std::string_view bytes) const {
        std::string changed = content();
        changed.replace(at, bytes.size(), bytes);
        write(changed);
    }

    void check(Instant deadline = Instant::max()) const {
        sqlite::require_honest_cells(disk, path, clock, deadline);
    }

    [[nodiscard]] std::string complaint() const {
        try {
            check();
        } catch (const Failure& failure) {
            BOOST_TEST((failure.error() == Error::corrupt));
            return failure.what();
        }
        return "none";
    }

    [[nodiscard]] std::string complaint_of(std::size_t page) const {
        return path + ": page " + std::to_string(page) +
               " has a cell that claims more than the file has";
    }
};

/// Of pages of 4096 bytes: the first, from 1, whose kind this is.
std::size_t page_of(const std::string& content, char kind) {
    for (std::size_t at = 4096; at < content.size(); at += 4096) {
        if (content[at] == kind) {
            return at / 4096 + 1;
        }
    }
    return 0;
}

/// Where the first cell of a page is.
std::size_t first_cell(const std::string& content, std::size_t page, std::size_t head) {
    const std::size_t begin = (page - 1) * 4096;
    return begin + sqlite::big_endian(content, begin + head, 2);
}

} // namespace

BOOST_AUTO_TEST_CASE(files_of_all_sizes_of_pages_and_with_freed_pages_pass) {
    for (const char* const settings :
         {"", "PRAGMA page_size = 512;", "PRAGMA page_size = 65536;",
          "PRAGMA page_size = 512; PRAGMA auto_vacuum = FULL;", "PRAGMA auto_vacuum = INCREMENTAL;",
          "PRAGMA page_size = 1024;"}) {
        const Pages place;
        place.make(settings);
        BOOST_CHECK_NO_THROW(place.check());
        StockConnection(place.path).execute("DELETE FROM t WHERE ROWID % 3 = 0");
        BOOST_CHECK_NO_THROW(place.check());
        StockConnection(place.path).execute("DROP INDEX i; DELETE FROM t WHERE ROWID > 3");
        BOOST_CHECK_NO_THROW(place.check());
    }
}

BOOST_AUTO_TEST_CASE(a_cell_of_each_kind_that_claims_4_gib_is_found) {
    struct Kind {
        char kind;
        std::size_t head; ///< Where the pointers to its cells begin.
        std::size_t skip; ///< Before the size.
    };
    for (const Kind& each : {Kind{13, 8, 0}, Kind{10, 8, 0}, Kind{2, 12, 4}}) {
        const Pages place;
        place.make();
        const std::string content = place.content();
        const std::size_t page = page_of(content, each.kind);
        BOOST_REQUIRE(page != 0U);
        place.change(first_cell(content, page, each.head) + each.skip, endless);
        BOOST_TEST(place.complaint() == place.complaint_of(page));
    }
}

BOOST_AUTO_TEST_CASE(the_schema_is_looked_at_as_well) {
    const Pages place;
    place.make();
    place.change(sqlite::big_endian(place.content(), 108, 2), endless);
    BOOST_TEST(place.complaint() == place.complaint_of(1));
}

BOOST_AUTO_TEST_CASE(a_cell_may_claim_as_much_as_the_file_has_and_no_more) {
    const Pages place;
    place.make();
    const std::string content = place.content();
    const std::size_t page = page_of(content, 13);
    const std::size_t cell = first_cell(content, page, 8);
    const auto claim = [&](std::size_t bytes) {
        const char size[] = {static_cast<char>(0x80 | (bytes >> 14)),
                             static_cast<char>(0x80 | (bytes >> 7 & 0x7f)),
                             static_cast<char>(bytes & 0x7f)};
        place.change(cell, std::string_view(size, sizeof size));
    };
    claim(content.size());
    BOOST_TEST(place.complaint() == "none");
    claim(content.size() + 1);
    BOOST_TEST(place.complaint() == place.complaint_of(page));
}

BOOST_AUTO_TEST_CASE(a_size_that_goes_on_behind_its_page_is_no_size) {
    const Pages place;
    place.make();
    const std::size_t page = page_of(place.content(), 13);
    const std::size_t begin = (page - 1) * 4096;
    place.change(begin + 8, "\x0f\xff"sv);
    place.change(begin + 4095, "\xff"sv);
    BOOST_TEST(place.complaint() == place.complaint_of(page));
}

// SQLite reads what is missing as zeros.
BOOST_AUTO_TEST_CASE(a_last_page_that_is_cut_off_is_looked_at) {
    const Pages place;
    place.make();
    std::string content = place.content();
    const std::size_t page = content.size() / 4096 + 1;
    std::string last("\x0d\0\0\0\x01\x01\0\0\x01\0"sv);
    last.resize(0x100);
    last += endless;
    place.write(content + last);
    BOOST_TEST(place.complaint() == place.complaint_of(page));
}

BOOST_AUTO_TEST_CASE(a_page_behind_the_first_four_mib_is_looked_at) {
    const Pages place;
    place.make();
    std::string content = place.content();
    const std::size_t page = page_of(content, 13);
    std::string copy = content.substr((page - 1) * 4096, 4096);
    copy.replace(first_cell(content, page, 8) - (page - 1) * 4096, endless.size(), endless);
    content.resize(std::size_t{6} << 20U);
    place.write(content + copy);
    BOOST_TEST(place.complaint() == place.complaint_of(6 * 256 + 1));
}

// SQLite reads a tree from it, if the schema says so.
BOOST_AUTO_TEST_CASE(a_page_that_should_map_others_is_looked_at_as_well) {
    const Pages place;
    place.make("PRAGMA auto_vacuum = FULL;");
    std::string map("\x0d\0\0\0\x01\x01\0\0\x01\0"sv);
    map.resize(0x100);
    map += endless;
    place.change(4096, map);
    BOOST_TEST(place.complaint() == place.complaint_of(2));
}

BOOST_AUTO_TEST_CASE(more_cells_than_a_page_has_room_for_are_refused_unread) {
    const Pages place;
    place.make();
    const std::size_t page = page_of(place.content(), 13);
    place.change((page - 1) * 4096 + 3, "\x02\xaa"sv); // 682, of which the first are sound
    BOOST_TEST(place.complaint() == place.complaint_of(page));
}

BOOST_AUTO_TEST_CASE(a_large_file_is_not_looked_at_beyond_the_deadline) {
    const Pages place;
    place.make();
    place.write(place.content() + std::string(std::size_t{9} << 20U, '\0'));
    BOOST_CHECK_NO_THROW(place.check());
    try {
        place.check(place.clock.monotonic());
        BOOST_ERROR("looked at");
    } catch (const Failure& failure) {
        BOOST_TEST((failure.error() == Error::timed_out));
    }
}

BOOST_AUTO_TEST_CASE(what_is_no_database_is_left_to_sqlite) {
    const Pages place;
    for (const std::string& content :
         {std::string(), std::string("SQLite format 3"), std::string(5000, '\x0d')}) {
        place.write(content);
        BOOST_CHECK_NO_THROW(place.check());
    }
}

BOOST_AUTO_TEST_CASE(an_upload_with_such_a_cell_is_refused_before_sqlite_opens_it) {
    ContainerPlace place;
    place.create().put(object("row", "0000000001.00000", 1));
    std::string content = read_file(place.path());
    const std::size_t page = page_of(content, 13);
    BOOST_REQUIRE(page != 0U);
    content.replace(first_cell(content, page, 8), endless.size(), endless);
    write_file(place.path(), content);
    try {
        static_cast<void>(place.broker.open_upload(place.path(), place.soon()));
        BOOST_ERROR("opened");
    } catch (const Failure& failure) {
        BOOST_TEST((failure.error() == Error::corrupt));
        BOOST_TEST(failure.what() == place.path() + ": page " + std::to_string(page) +
                                         " has a cell that claims more than the file has");
    }
}
