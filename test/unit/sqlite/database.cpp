#include <replica/sqlite/database.hpp>

#define BOOST_TEST_MODULE sqlite_database
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

constexpr Timestamp at(std::int64_t seconds) {
    return {seconds * Timestamp::ticks_per_second, 0};
}

std::string stamp(std::int64_t seconds) {
    return at(seconds).normal();
}

struct Home {
    explicit Home(SqliteOptions options = {}) : place(options) {}

    ContainerPlace place;
    ContainerPlace::Database database = place.create();

    void put(const std::string& name, std::int64_t seconds) {
        database.put(object(name, stamp(seconds)));
    }

    [[nodiscard]] std::string stored(const std::string& sql) const {
        return StockConnection(place.path()).rows(sql);
    }

    /// The call fails, names the file and leaves it alone.
    template <class Call>
    void refused(Error error, Call&& call) {
        require_refused(error, place.path(), place.directory, [&] {
            call();
            return 0;
        });
    }

    /// The call writes nothing.
    template <class Call>
    void unchanged(Call&& call) {
        const auto before = files_below(place.directory.path());
        call();
        BOOST_TEST((files_below(place.directory.path()) == before));
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(rows_are_given_after_a_point_and_up_to_a_count) {
    Home home;
    for (int i = 0; i < 5; ++i) {
        home.put("r" + std::to_string(i), 1);
    }
    BOOST_TEST((names_of(home.database.items_since(2, 2)) == std::vector<std::string>{"r2", "r3"}));
    BOOST_TEST(home.database.items_since(-1, 100).size() == 5U);
    BOOST_TEST(home.database.items_since(5, 100).empty());
    BOOST_TEST(home.database.items_since(-1, 0).empty());
    BOOST_TEST(home.database.items_since(-1, -1).empty()); // SQLite would give all
}

BOOST_AUTO_TEST_CASE(rows_and_the_point_up_to_which_they_reach_are_one_commit) {
    Home home;
    std::vector<ObjectRow> rows{object("a", stamp(1)), object("b", stamp(1))};
    rows[0].rowid = 41;
    rows[1].rowid = 17;
    home.database.merge_items(rows, "peer");
    BOOST_TEST(home.database.sync_point("peer", Direction::incoming) == 41);
    home.unchanged([&] { home.database.merge_items({}, "peer"); });
    rows[1].created_at = "soon";
    rows[1].rowid = 99;
    home.refused(Error::bad_request, [&] { home.database.merge_items(rows, "peer"); });
    BOOST_TEST(home.database.sync_point("peer", Direction::incoming) == 41);
}

BOOST_AUTO_TEST_CASE(no_points_are_no_write) {
    Home home;
    home.unchanged([&] { home.database.merge_sync_points({}, Direction::incoming); });
}

BOOST_AUTO_TEST_CASE(times_that_are_none_are_refused) {
    Home home;
    for (const std::string bad : {"", "soon", "-1", "1e3", "99999999999", "1 "}) {
        home.refused(Error::bad_request, [&] { home.database.merge_timestamps({bad, "1", "1"}); });
        home.refused(Error::bad_request, [&] { home.database.merge_timestamps({"1", bad, "1"}); });
        home.refused(Error::bad_request, [&] { home.database.merge_timestamps({"1", "1", bad}); });
    }
}

BOOST_AUTO_TEST_CASE(times_that_are_no_news_write_nothing) {
    Home home;
    home.database.merge_timestamps({stamp(1), stamp(9'000'000'000), stamp(5)});
    home.unchanged([&] {
        home.database.merge_timestamps({stamp(2), stamp(8), stamp(4)});
        home.database.merge_timestamps(home.database.info().timestamps());
    });
}

BOOST_AUTO_TEST_CASE(the_status_changes_when_a_deletion_or_a_put_decides) {
    Home home;
    const std::string began = home.database.info().status_changed_at;
    home.place.clock.advance(Seconds(100));
    home.database.merge_timestamps({stamp(1), stamp(1), stamp(1)});
    BOOST_TEST(home.database.info().status_changed_at == began); // deleted before it was put
    home.database.merge_timestamps({stamp(1), stamp(1), stamp(9'000'000'000)});
    BOOST_TEST(home.database.is_deleted());
    BOOST_TEST(home.database.info().status_changed_at == home.place.clock.now().internal());
    home.place.clock.advance(Seconds(100));
    home.database.merge_timestamps({stamp(1), stamp(9'000'000'001), stamp(1)});
    BOOST_TEST(!home.database.is_deleted());
    BOOST_TEST(home.database.info().status_changed_at == home.place.clock.now().internal());
}

BOOST_AUTO_TEST_CASE(metadata_that_cannot_be_read_is_never_overwritten) {
    // Python reads the first two: half a surrogate pair, and a time that is a number.
    for (const std::string text : {R"({"K": ["\ud800", "1"]})", R"({"K": ["v", 1]})", "{broken"}) {
        Home home;
        StockConnection stock(home.place.path());
        stock.execute(("UPDATE container_info SET metadata = '" + text + "'").c_str());
        BOOST_TEST(home.database.metadata().items().empty());
        home.refused(Error::bad_request,
                     [&] { home.database.merge_metadata(R"({"K": ["new", "2"]})"); });
        home.database.mark_deleted(Timestamp{900'000'000'000'000, 0});
        home.database.reclaim(home.database.info(), Timestamp{900'000'000'000'000, 0}, Timestamp{});
        BOOST_TEST(home.stored("SELECT metadata FROM container_info") == text + '|');
    }
}

BOOST_AUTO_TEST_CASE(a_database_that_is_adopted_is_a_new_one_that_knows_its_source) {
    Home home;
    home.put("a", 1);
    StockConnection(home.place.path())
        .execute("UPDATE container_info SET reported_object_count = 7;"
                 "INSERT INTO incoming_sync (remote_id, sync_point) VALUES ('source', 99)");
    const ContainerInfo before = home.database.info();
    home.database.adopt("source");
    const ContainerInfo after = home.database.info();
    BOOST_TEST(after.id != before.id);
    BOOST_TEST(after.id.ends_with("-sdb1"));
    BOOST_TEST(after.reported_object_count == 0);
    BOOST_TEST(home.database.sync_point("source", Direction::incoming) == 1); // not 99
    home.database.renew_id();
    BOOST_TEST(home.database.info().id != after.id);
    home.database.adopt("");
    BOOST_TEST(home.stored("SELECT count(*) FROM incoming_sync") == "0|");
}

BOOST_AUTO_TEST_CASE(what_a_check_has_found_counts_until_somebody_writes) {
    Home home;
    home.put("there", 1);
    auto upload = home.place.broker.open_upload(home.place.path(), home.place.soon());
    home.put("since", 2);
    BOOST_TEST(!upload.mend_sums()); // or what was added for it were taken away
    StockConnection(home.place.path()).execute("UPDATE policy_stat SET object_count = 7");
    BOOST_TEST(upload.mend_sums());
    BOOST_TEST(upload.info().count == 2);
}

// Each page of them costs a pause: all at once would look like a disk that hangs.
BOOST_AUTO_TEST_CASE(of_very_many_old_tombstones_some_are_left_for_the_next_pass) {
    Home home(SqliteOptions{.page_rows = 1});
    std::vector<ObjectRow> rows;
    for (int i = 0; i < 450; ++i) {
        rows.push_back(tombstone("old" + std::to_string(i), stamp(10)));
    }
    home.database.merge_items(rows, {});
    home.database.reclaim(home.database.info(), *Timestamp::parse(stamp(15)), Timestamp{});
    const auto left = [&] { return std::stoi(home.stored("SELECT count(*) FROM object")); };
    BOOST_TEST((left() > 0 && left() < 450), left());
    for (int passes = 0; left() > 0 && passes < 3; ++passes) {
        home.database.reclaim(home.database.info(), *Timestamp::parse(stamp(15)), Timestamp{});
    }
    BOOST_TEST(left() == 0);
}

BOOST_AUTO_TEST_CASE(a_broken_page_shows_when_all_are_read) {
    Home home;
    for (int i = 0; i < 200; ++i) {
        home.put("a name that takes room " + std::to_string(i), 5);
    }
    BOOST_CHECK_NO_THROW(home.database.require_sound(Instant::max()));
    std::string bytes = read_file(home.database.path());
    const std::size_t page = bytes.find("takes room 150") / 4096 * 4096;
    bytes.replace(page, 100, std::string(100, '\xff'));
    write_file(home.database.path(), bytes);
    auto broken = home.place.open();
    BOOST_TEST(broken.info().count == 200); // the sums are on another page
    BOOST_TEST((error_of([&] {
                    broken.require_sound(Instant::max());
                    return 0;
                }) == Error::corrupt));
}

BOOST_AUTO_TEST_CASE(a_row_that_an_index_lacks_shows_where_everything_is_looked_at) {
    Home home;
    home.put("there", 1);
    const auto define = [&](const std::string& change) {
        StockConnection(home.place.path())
            .execute("PRAGMA writable_schema = ON;"
                     "UPDATE sqlite_master SET sql = " +
                     change + " WHERE name = 'ix_object_deleted_name'");
    };
    define("sql || ' WHERE size < 0'");
    StockConnection(home.place.path())
        .execute("INSERT INTO object (name, created_at, size, content_type, etag, deleted)"
                 " VALUES ('lacked', '0000000001.00000', 1, 't', 'e', 0)");
    define("replace(sql, ' WHERE size < 0', '')");
    BOOST_TEST(home.stored("PRAGMA quick_check") == "ok|"); // every page for itself is sound
    auto broken = home.place.open();
    BOOST_TEST((error_of([&] {
                    broken.require_sound(Instant::max());
                    return 0;
                }) == Error::corrupt));
}

BOOST_AUTO_TEST_CASE(old_tombstones_points_and_keys_go_and_nothing_else_does) {
    Home home(SqliteOptions{.page_rows = 3});
    for (int i = 0; i < 10; ++i) {
        home.database.put(tombstone("old" + std::to_string(i), stamp(10)));
        home.database.put(tombstone("new" + std::to_string(i), stamp(20)));
        home.put("live" + std::to_string(i), 5);
    }
    home.database.merge_metadata(R"({"Old": ["", "10"], "New": ["", "20"], "Live": ["v", "1"]})");
    StockConnection(home.place.path())
        .execute("INSERT INTO incoming_sync (remote_id, sync_point) VALUES ('old', 1);"
                 "UPDATE incoming_sync SET updated_at = '10'");
    const std::vector<SyncPoint> points{{2, "new"}};
    home.database.merge_sync_points(points, Direction::incoming);
    home.database.reclaim(home.database.info(), at(15), at(1'000'000'000));
    BOOST_TEST(home.stored("SELECT count(*) FROM object WHERE deleted = 1") == "10|");
    BOOST_TEST(home.stored("SELECT count(*) FROM object WHERE name LIKE 'old%'") == "0|");
    BOOST_TEST(home.database.info().count == 10);
    BOOST_TEST(home.database.metadata().items().size() == 2U);
    home.unchanged([&] { home.database.reclaim(home.database.info(), at(15), at(1'000)); });
    auto copied = home.place.broker.open_upload(home.place.path(), home.place.soon());
    BOOST_TEST(copied.info().count == 10); // its hash is that of its rows
}

BOOST_AUTO_TEST_CASE(nobody_reads_or_writes_while_it_is_held_exclusively) {
    Home home;
    home.put("a", 1);
    StockConnection other(home.place.path());
    const auto reads = [&] {
        return sqlite3_exec(other.get(), "SELECT count(*) FROM object", nullptr, nullptr,
                            nullptr) == SQLITE_OK;
    };
    {
        const auto exclusive = home.database.exclusive(home.place.soon());
        BOOST_TEST(!reads());
        home.put("b", 1);
    }
    BOOST_TEST(reads());
    BOOST_TEST(other.rows("SELECT name FROM object") == "a|b|");
    other.execute("BEGIN IMMEDIATE");
    home.refused(Error::locked, [&] { static_cast<void>(home.database.exclusive(Instant())); });
    other.execute("ROLLBACK");
}

BOOST_AUTO_TEST_CASE(what_is_written_exclusively_is_undone_if_the_file_was_replaced) {
    Home home;
    home.put("a", 1);
    const std::string path = home.place.path();
    {
        const auto exclusive = home.database.exclusive(home.place.soon());
        home.put("lost", 1);
        std::filesystem::rename(path, path + ".old");
    }
    BOOST_TEST(StockConnection(path + ".old").rows("SELECT name FROM object") == "a|");
}

BOOST_AUTO_TEST_CASE(the_version_moves_with_everybodys_commits_and_with_nothing_else) {
    Home home;
    const auto first = home.database.version();
    static_cast<void>(home.database.info());
    BOOST_TEST(home.database.version() == first);
    home.put("a", 1);
    const auto second = home.database.version();
    BOOST_TEST(second != first);
    StockConnection(home.place.path()).execute("UPDATE container_info SET status = 'x'");
    BOOST_TEST(home.database.version() != second);
}

BOOST_AUTO_TEST_CASE(a_copy_goes_only_where_nothing_is_and_leaves_nothing_when_it_fails) {
    Home home;
    home.put("a", 1);
    const std::string root = home.place.directory.path();
    write_file(root + "/taken", "mine");
    std::filesystem::create_directory(root + "/directory");
    for (const auto& [target, error] :
         {std::pair(root + "/taken", Error::exists), std::pair(root + "/directory", Error::exists),
          std::pair(root + "/none/copy", Error::io)}) {
        require_refused(error, target, home.place.directory, [&] {
            home.database.copy_to(target, home.place.soon());
            return 0;
        });
    }
}

BOOST_AUTO_TEST_CASE(a_pending_file_that_cannot_be_read_is_kept_and_told) {
    Home home;
    const std::string pending = home.place.path() + ".pending";
    std::filesystem::create_directory(pending); // in place of the file
    const auto lock = home.place.broker.disk().try_lock(home.place.directory.path());
    require_refused(Error::io, pending, home.place.directory,
                    [&] { return home.database.commit_pending(*lock); });
    std::filesystem::remove(pending);
    home.unchanged([&] { BOOST_TEST(!home.database.commit_pending(*lock)); });
}

BOOST_AUTO_TEST_CASE(a_file_that_is_damaged_under_an_open_handle_is_an_error_that_names_it) {
    Home home;
    std::vector<ObjectRow> rows;
    for (int i = 0; i < 500; ++i) {
        rows.push_back(object("r" + std::to_string(i), stamp(1)));
    }
    home.database.put(rows);
    auto reader = home.place.open();
    std::string bytes = read_file(home.place.path());
    std::fill(bytes.begin() + 8192, bytes.end(), '\x5a');
    ++bytes[27]; // the change counter: what is cached is no longer good
    write_file(home.place.path(), bytes);
    home.refused(Error::corrupt, [&] { static_cast<void>(reader.items_since(-1, 1000)); });
    home.refused(Error::corrupt, [&] { reader.put(rows); });
}

BOOST_AUTO_TEST_CASE(every_call_on_a_replaced_file_is_refused) {
    Home home;
    home.put("a", 1);
    std::filesystem::rename(home.place.path(), home.place.path() + ".old");
    home.place.create();
    auto& database = home.database;
    const std::vector<SyncPoint> points{{1, "x"}};
    const auto refused = [&](auto call) { home.refused(Error::moved, call); };
    refused([&] { static_cast<void>(database.info()); });
    refused([&] { static_cast<void>(database.items_since(-1, 1)); });
    refused([&] { static_cast<void>(database.sync_point("x", Direction::incoming)); });
    refused([&] { static_cast<void>(database.sync_points(Direction::outgoing)); });
    refused([&] { database.merge_sync_points(points, Direction::incoming); });
    refused([&] { database.merge_timestamps({"1", "2", "3"}); });
    refused([&] { database.merge_metadata(R"({"K": ["v", "1"]})"); });
    refused([&] { database.renew_id(); });
    refused([&] { database.adopt("x"); });
    refused([&] { database.reclaim(database.info(), at(1), at(1)); });
    refused([&] { static_cast<void>(database.exclusive(home.place.soon())); });
    refused([&] { database.copy_to(home.place.directory.path() + "/c", home.place.soon()); });
}

BOOST_AUTO_TEST_CASE(two_writers_at_once_lose_no_row) {
    // Real time: a stock server's process beside ours, each with a connection of its own.
    const TemporaryDirectory directory;
    ContainerBroker broker;
    const std::string path = directory.path() + "/h.db";
    broker.create(path, container_info());
    constexpr int each = 30;
    std::atomic<int> refused = 0;
    std::thread stock([&] {
        StockConnection file(path);
        sqlite3_busy_timeout(file.get(), 20'000);
        for (int i = 0; i < each; ++i) {
            const std::string sql = "INSERT INTO object (name, created_at, size, deleted) VALUES"
                                    " ('stock" +
                                    std::to_string(i) + "', '0000000001.00000', 1, 0)";
            refused +=
                sqlite3_exec(file.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK;
        }
    });
    {
        auto database = broker.open(path, broker.clock().monotonic() + std::chrono::seconds(20));
        for (int i = 0; i < each; ++i) {
            database.put(object("ours" + std::to_string(i), stamp(1)));
        }
    }
    stock.join();
    BOOST_TEST(refused == 0);
    auto database = broker.open_upload(path, Instant::max()); // the hash is that of the rows
    BOOST_TEST(database.info().count == 2 * each);
    BOOST_TEST(database.info().bytes_used == 2 * each);
    BOOST_TEST(database.info().max_row == 2 * each);
}
