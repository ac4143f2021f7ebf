#include <replica/sqlite/check.hpp>

#define BOOST_TEST_MODULE sqlite_check
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

/// A container as it comes from elsewhere, and the same file changed in one place.
struct Upload {
    ContainerPlace place;
    std::string path = place.path();
    PosixDisk disk;

    Upload() {
        std::vector<ObjectRow> rows{tombstone("gone", "0000000002.00000")};
        for (int i = 0; i < 300; ++i) {
            rows.push_back(object("row" + std::to_string(i), "0000000001.00000", i));
        }
        place.create().put(rows);
    }

    void change(std::size_t at, std::string_view bytes) const {
        std::string content = read_file(path);
        content.replace(at, bytes.size(), bytes);
        write_file(path, content);
    }

    void refused_header(Error error) {
        require_refused(error, path, place.directory, [&] {
            sqlite::check_header(disk, path);
            return 0;
        });
    }

    /// Whether hash and sums are those of the rows.
    bool check_content() {
        sqlite::Connection connection(path, sqlite::Connection::Mode::existing,
                                      sqlite::wait_by(place.clock), place.soon());
        const auto content = sqlite::check_content<sqlite::ContainerSchema>(connection);
        BOOST_TEST(content.indexed);
        return sqlite::are_stored<sqlite::ContainerSchema>(connection, content.totals);
    }

    void refused_content(Error error, const std::string& reason) {
        require_refused(error, path, place.directory, [&] { return check_content(); });
        require_refused(error, reason, place.directory, [&] { return check_content(); });
    }
};

/// A clock on which each look takes a second.
struct HastyClock {
    [[nodiscard]] Timestamp now() const { return clock.now(); }
    [[nodiscard]] Instant monotonic() const {
        clock.advance(Seconds(1));
        return clock.monotonic();
    }
    bool sleep_until(Instant until, const std::stop_token& stop) const {
        return clock.sleep_until(until, stop);
    }

    mutable SimClock clock;
};

/// Counts to ten million, which takes SQLite about a second.
constexpr std::string_view long_query =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000)"
    " SELECT count(*) FROM n";

} // namespace

BOOST_AUTO_TEST_CASE(a_sound_file_passes_every_check) {
    Upload upload;
    const std::string before = read_file(upload.path);
    sqlite::check_header(upload.disk, upload.path);
    BOOST_TEST(upload.check_content());
    BOOST_TEST((read_file(upload.path) == before));
}

BOOST_AUTO_TEST_CASE(a_row_without_a_time_does_not_make_a_file_unsound) {
    Upload upload;
    StockConnection(upload.path)
        .execute("INSERT INTO object (name, created_at, size) VALUES ('null', NULL, 1)");
    BOOST_TEST(upload.check_content());
}

BOOST_AUTO_TEST_CASE(a_database_without_rows_is_sound) {
    ContainerPlace place;
    place.create();
    sqlite::Connection connection(place.path(), sqlite::Connection::Mode::existing,
                                  sqlite::wait_by(place.clock), place.soon());
    BOOST_CHECK_NO_THROW((void)sqlite::check_content<sqlite::ContainerSchema>(connection));
}

BOOST_AUTO_TEST_CASE(what_does_not_begin_like_a_database_is_refused) {
    Upload upload;
    const std::string header = read_file(upload.path).substr(0, 100);
    for (const std::string& content :
         {std::string(), std::string("x"), header.substr(0, 16), header.substr(0, 99),
          std::string(5000, '\0'), "<html>" + std::string(5000, ' '),
          "SQLite format 3 " + header.substr(16)}) {
        BOOST_TEST_CONTEXT(content.size() << " bytes") {
            write_file(upload.path, content);
            upload.refused_header(Error::not_a_database);
        }
    }
    write_file(upload.path, header);
    BOOST_CHECK_NO_THROW(sqlite::check_header(upload.disk, upload.path)); // the rest is SQLite's
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_an_error_of_the_disk) {
    Upload upload;
    std::filesystem::remove(upload.path);
    upload.refused_header(Error::missing);
    std::filesystem::create_directory(upload.path);
    upload.refused_header(Error::io);
    std::filesystem::remove(upload.path);
    std::filesystem::create_symlink(upload.path, upload.path); // leads to itself
    const auto refuse = [&] {
        sqlite::check_header(upload.disk, upload.path);
        return 0;
    };
    BOOST_TEST((error_of(refuse) == Error::io));
}

BOOST_AUTO_TEST_CASE(a_page_that_has_not_come_in_says_nothing_of_the_file) {
    Upload upload;
    const sqlite::Connection connection(upload.path, sqlite::Connection::Mode::existing,
                                        sqlite::wait_by(upload.place.clock), upload.place.soon());
    const auto verdict = [&](const std::string& line) {
        return error_of([&] {
            sqlite::require_ok(connection, "*** in database main ***\n" + line);
            return 0;
        });
    };
    for (const char* const unread :
         {"unable to get the page. error code=10", "unable to get the page. error code=266",
          "Page 3: unable to get the page. error code=7", "failed to get page 3"}) {
        BOOST_TEST((verdict(unread) == Error::io), unread);
    }
    for (const char* const broken :
         {"unable to get the page. error code=11", "unable to get the page. error code=522",
          "Page 3 is never used", "invalid page number 3"}) {
        BOOST_TEST((verdict(broken) == Error::corrupt), broken);
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_wants_a_write_ahead_log_is_refused) {
    for (const std::size_t version : {std::size_t{18}, std::size_t{19}}) {
        Upload upload;
        upload.change(version, std::string_view("\x02", 1));
        upload.refused_header(Error::wal);
    }
    Upload upload;
    write_file(upload.path + "-wal", "");
    upload.refused_header(Error::wal);
}

BOOST_AUTO_TEST_CASE(a_journal_beside_it_is_never_played_back) {
    Upload upload;
    write_file(upload.path + "-journal", "");
    upload.refused_header(Error::corrupt);
}

BOOST_AUTO_TEST_CASE(a_torn_page_is_found_wherever_it_is) {
    const std::size_t size = read_file(Upload().path).size();
    int found = 0;
    for (std::size_t page = 1; page < size / 4096; ++page) {
        Upload upload;
        upload.change(page * 4096, std::string(4096, '\0'));
        try {
            (void)upload.check_content();
        } catch (const Failure& failure) {
            BOOST_TEST((failure.error() == Error::corrupt), failure.what());
            BOOST_TEST(std::string(failure.what()).find(upload.path) != std::string::npos);
            ++found;
        }
    }
    BOOST_TEST(found >= static_cast<int>(size / 4096) - 5); // empty tables look torn and are not
}

BOOST_AUTO_TEST_CASE(a_file_that_ends_early_is_refused) {
    Upload upload;
    std::filesystem::resize_file(upload.path, std::filesystem::file_size(upload.path) - 4096);
    upload.refused_content(Error::corrupt, upload.path);
}

BOOST_AUTO_TEST_CASE(a_lost_a_changed_and_an_additional_row_show_in_the_hash) {
    for (const std::string sql :
         {"DELETE FROM object WHERE name = 'row7'", "DELETE FROM object WHERE name = 'gone'",
          "INSERT INTO object (name, created_at, size) VALUES ('x', '0000000001.00000', 1)",
          "DROP TRIGGER object_update; UPDATE object SET created_at = '3' WHERE name = 'row7'",
          "DROP TRIGGER object_update; UPDATE object SET name = 'other' WHERE name = 'row7'"}) {
        BOOST_TEST_CONTEXT(sql) {
            Upload upload;
            const std::string hash =
                StockConnection(upload.path).rows("SELECT hash FROM container_info");
            StockConnection(upload.path).execute(sql);
            StockConnection(upload.path)
                .execute("UPDATE container_info SET hash = '" + hash.substr(0, 32) + "'");
            BOOST_TEST(!upload.check_content());
        }
    }
}

BOOST_AUTO_TEST_CASE(what_is_stored_is_not_believed) {
    for (const std::string sql :
         {"UPDATE container_info SET hash = NULL", "UPDATE container_info SET hash = ''",
          "UPDATE container_info SET hash = 'not a hash'",
          "UPDATE policy_stat SET object_count = 0", "UPDATE policy_stat SET bytes_used = -1",
          "DELETE FROM policy_stat"}) {
        Upload upload;
        StockConnection(upload.path).execute(sql);
        BOOST_TEST(!upload.check_content(), sql);
    }
}

BOOST_AUTO_TEST_CASE(two_rows_where_one_describes_the_database_are_refused) {
    Upload upload;
    StockConnection(upload.path)
        .execute("INSERT INTO container_info (account, container) VALUES ('a', 'other')");
    upload.refused_content(Error::corrupt, "one row in container_info");
    StockConnection(upload.path).execute("DELETE FROM container_info");
    upload.refused_content(Error::corrupt, "one row in container_info");
}

BOOST_AUTO_TEST_CASE(names_of_any_bytes_count_in_the_hash) {
    Upload upload;
    auto database = upload.place.open();
    database.put(object(std::string("\0versions\0x", 11), "0000000001.00000"));
    database.put(object("sn\xc3\xb6w \xe2\x98\x83 \xf0\x9f\x98\x80", "0000000001.00000"));
    BOOST_TEST(upload.check_content());
}

BOOST_AUTO_TEST_CASE(a_check_that_takes_too_long_is_ended_at_the_deadline) {
    Upload upload;
    sqlite::Connection connection(upload.path, sqlite::Connection::Mode::existing,
                                  sqlite::wait_by(upload.place.clock), upload.place.soon());
    const HastyClock clock;
    const Instant deadline = clock.clock.monotonic() + std::chrono::seconds(3);
    require_refused(Error::timed_out, upload.path, upload.place.directory, [&] {
        const sqlite::Watch watch(connection, clock, deadline);
        return connection.integer(long_query);
    });
    BOOST_TEST((clock.clock.monotonic() == deadline)); // asked no longer than needed
    BOOST_TEST(connection.integer("SELECT count(*) FROM object") == 301); // usable, unwatched
    BOOST_TEST((clock.clock.monotonic() == deadline));
}

BOOST_AUTO_TEST_CASE(an_upload_that_others_have_locked_is_waited_for_until_the_deadline) {
    Upload upload;
    StockConnection other(upload.path);
    other.execute("BEGIN EXCLUSIVE");
    upload.refused_content(Error::locked, upload.path);
    other.execute("ROLLBACK");
    BOOST_TEST(upload.check_content());
}
