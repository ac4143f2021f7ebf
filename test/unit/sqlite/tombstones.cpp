#include <replica/sqlite/tombstones.hpp>

#define BOOST_TEST_MODULE sqlite_tombstones
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;
using sqlite::Connection;

namespace {

constexpr std::string_view age = "0000000015.00000";
const std::string old = "0000000010.00000";
const std::string recent = "0000000020.00000";

std::string number(int i) {
    return std::to_string(1000 + i);
}

/// A container with these rows, and a connection to it beside the one of a stock server.
struct Store {
    explicit Store(const std::vector<ObjectRow>& rows) { place.create().merge_items(rows, {}); }

    void reclaim(std::int64_t page_rows = 100,
                 std::int64_t max_row = std::numeric_limits<std::int64_t>::max()) {
        Connection connection(place.path(), Connection::Mode::existing, {}, Instant());
        sqlite::reclaim_tombstones<sqlite::ContainerSchema>(connection, place.clock, max_row, age,
                                                            page_rows);
        BOOST_TEST(!connection.in_transaction());
    }

    [[nodiscard]] std::string stored(const std::string& sql) {
        return StockConnection(place.path()).rows(sql);
    }
    [[nodiscard]] std::int64_t count() { return std::stoll(stored("SELECT count(*) FROM object")); }

    ContainerPlace place;
};

/// The simulated clock for a disk on which all takes long: whoever asks it has spent a second.
class SlowDisk {
public:
    explicit SlowDisk(const SimClock& clock) : clock_(clock) {}

    [[nodiscard]] Timestamp now() const { return clock_.now(); }
    [[nodiscard]] Instant monotonic() const {
        clock_.advance(Seconds(1));
        return clock_.monotonic();
    }
    bool sleep_until(Instant until, const std::stop_token& stop) const {
        return clock_.sleep_until(until, stop);
    }

private:
    SimClock clock_;
};

static_assert(Clock<SlowDisk>);

std::vector<ObjectRow> tombstones(int count, const std::string& time) {
    std::vector<ObjectRow> rows;
    for (int i = 0; i < count; ++i) {
        rows.push_back(tombstone(time + number(i), time));
    }
    return rows;
}

} // namespace

BOOST_AUTO_TEST_CASE(those_before_the_age_go_and_nothing_else_does) {
    Store store({tombstone("old", old), tombstone("at", std::string(age)), object("live", old),
                 tombstone("new", recent), tombstone("offset", std::string(age) + "_1")});
    store.reclaim();
    BOOST_TEST(store.stored("SELECT name FROM object ORDER BY name") == "at|live|new|offset|");
}

BOOST_AUTO_TEST_CASE(those_above_the_last_row_that_peers_have_stay) {
    for (const std::int64_t page : {1, 2, 100}) {
        Store store({tombstone("a", old), tombstone("b", old), tombstone("c", old)});
        store.reclaim(page, 2);
        BOOST_TEST(store.stored("SELECT name FROM object") == "c|");
    }
}

BOOST_AUTO_TEST_CASE(what_is_left_has_the_hash_and_the_sums_of_its_rows) {
    std::vector<ObjectRow> rows = tombstones(7, old);
    rows.push_back(object("live", recent, 5));
    rows.push_back(tombstone("new", recent));
    Store store(rows);
    store.reclaim(2);
    Store same({object("live", recent, 5), tombstone("new", recent)});
    const std::string sums = "SELECT hash, object_count, bytes_used FROM container_stat";
    BOOST_TEST(store.stored(sums) == same.stored(sums));
    BOOST_TEST(store.count() == 2);
}

BOOST_AUTO_TEST_CASE(pages_of_every_length_find_all_of_them) {
    for (const std::int64_t page : {1, 2, 3, 9, 10, 11}) {
        std::vector<ObjectRow> rows = tombstones(10, old);
        const auto news = tombstones(10, recent);
        rows.insert(rows.end(), news.begin(), news.end());
        Store store(rows);
        store.reclaim(page);
        BOOST_TEST(store.count() == 10, page);
        BOOST_TEST(store.stored("SELECT count(*) FROM object WHERE created_at = '" + old + "'") ==
                   "0|");
    }
}

// As Swift before 2.2 made them.
BOOST_AUTO_TEST_CASE(rows_of_one_name_are_not_lost_between_two_pages) {
    Store store({});
    StockConnection stock(store.place.path());
    for (int i = 0; i < 5; ++i) {
        stock.execute("INSERT INTO object (name, created_at, size, deleted) VALUES ('twice', '" +
                      (i == 2 ? recent : old) + "', 0, 1)");
    }
    store.reclaim(2);
    BOOST_TEST(store.stored("SELECT created_at FROM object") == recent + '|');
}

BOOST_AUTO_TEST_CASE(between_two_transactions_others_have_their_turn) {
    Store store(tombstones(6, old));
    const Instant start = store.place.clock.monotonic();
    std::vector<std::int64_t> seen;
    for (const auto after : {30ms, 90ms}) { // in the first pause and in the second
        store.place.clock.at(start + after, [&] {
            seen.push_back(store.count());
            StockConnection(store.place.path())
                .execute("INSERT INTO object (name, created_at, size, deleted) VALUES ('a" +
                         std::to_string(seen.size()) + "', '" + recent + "', 1, 0)");
        });
    }
    store.reclaim(2);
    BOOST_TEST(seen == (std::vector<std::int64_t>{4, 3}), boost::test_tools::per_element());
    BOOST_TEST(store.stored("SELECT name FROM object ORDER BY name") == "a1|a2|");
}

BOOST_AUTO_TEST_CASE(writing_ends_after_20_s_and_goes_on_in_the_next_pass) {
    Store store(tombstones(600, old));
    const Instant start = store.place.clock.monotonic();
    store.reclaim(1); // each with a pause of 60 ms
    const std::int64_t left = store.count();
    BOOST_TEST(left < 600 - 166); // in the order of their names, and some at the end
    BOOST_TEST(left > 600 - 2 * 168);
    BOOST_TEST((store.place.clock.monotonic() - start <= 20s + 60ms));
    while (store.count() != 0) {
        const std::int64_t before = store.count();
        store.reclaim(1);
        BOOST_REQUIRE(store.count() < before);
    }
}

BOOST_AUTO_TEST_CASE(looking_ends_after_20_s_and_every_place_has_its_turn_in_some_pass) {
    auto rows = tombstones(100, recent); // too many to get through
    rows.push_back(tombstone("z-old", old));
    Store store(rows);
    Connection connection(store.place.path(), Connection::Mode::existing, {}, Instant());
    SlowDisk clock(store.place.clock);
    int passes = 0;
    for (; store.count() > 100 && passes < 1000; ++passes) { // each has a chance of a tenth
        const Instant start = store.place.clock.monotonic();
        sqlite::reclaim_tombstones<sqlite::ContainerSchema>(connection, clock, 1000, age, 1);
        BOOST_REQUIRE((store.place.clock.monotonic() - start <= 25s));
    }
    BOOST_TEST(passes > 0);
    BOOST_TEST(store.count() == 100);
}

BOOST_AUTO_TEST_CASE(a_random_tombstone_is_one_if_there_are_any_near) {
    const auto name = [](const std::vector<ObjectRow>& rows) {
        Store store(rows);
        Connection connection(store.place.path(), Connection::Mode::existing, {}, Instant());
        return sqlite::some_tombstone<sqlite::ContainerSchema>(connection);
    };
    BOOST_TEST(name({}).empty());
    BOOST_TEST(name({object("live", recent)}).empty());
    for (int i = 0; i < 10; ++i) {
        BOOST_TEST(name({object("a", recent), object("b", recent), tombstone("c", recent)}) == "c");
    }
}

BOOST_AUTO_TEST_CASE(to_find_nothing_takes_no_lock_no_time_and_no_write) {
    Store store(tombstones(10, recent));
    const auto before = files_below(store.place.directory.path());
    const Instant start = store.place.clock.monotonic();
    StockConnection writer(store.place.path());
    writer.execute("BEGIN IMMEDIATE"); // who wants to write would have to wait
    BOOST_CHECK_NO_THROW(store.reclaim(3));
    writer.execute("ROLLBACK");
    BOOST_TEST((store.place.clock.monotonic() == start));
    BOOST_TEST((files_below(store.place.directory.path()) == before));
}

BOOST_AUTO_TEST_CASE(a_lock_that_others_hold_is_an_error_and_nothing_goes) {
    Store store(tombstones(5, old));
    StockConnection writer(store.place.path());
    writer.execute("BEGIN IMMEDIATE");
    BOOST_TEST((error_of([&] {
                    store.reclaim();
                    return 0;
                }) == Error::locked));
    writer.execute("ROLLBACK");
    BOOST_TEST(store.count() == 5);
}

BOOST_AUTO_TEST_CASE(containers_of_an_account_go_by_the_time_of_their_deletion) {
    const TemporaryDirectory directory;
    SimClock clock;
    SimTimedAccounts accounts(PosixDisk(), clock);
    AccountInfo info;
    info.account = "a";
    const std::string path = directory.path() + "/h.db";
    ContainerRow row;
    row.name = "gone";
    row.put_timestamp = "0000000005.00000";
    row.delete_timestamp = old;
    row.deleted = 1;
    std::vector<ContainerRow> rows{row};
    row.name = "later";
    row.delete_timestamp = recent;
    rows.push_back(row);
    accounts.create(path, info, Instant::max()).merge_items(rows, {});
    Connection connection(path, Connection::Mode::existing, {}, Instant());
    sqlite::reclaim_tombstones<sqlite::AccountSchema>(connection, clock, 1000, age, 100);
    BOOST_TEST(StockConnection(path).rows("SELECT name FROM container") == "later|");
}
