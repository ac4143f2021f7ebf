#include <replica/sqlite/sync_table.hpp>

#define BOOST_TEST_MODULE sqlite_sync_table
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <cstdint>
#include <string>

using namespace replica;
using namespace replica::test;

namespace {

struct File {
    ContainerPlace place;
    sqlite::Connection connection{(place.create(), place.path()),
                                  sqlite::Connection::Mode::existing,
                                  [](int, Instant) { return false; }, Instant()};
    sqlite::SyncTable incoming{connection, Direction::incoming};
    sqlite::SyncTable outgoing{connection, Direction::outgoing};

    std::string stored() {
        return StockConnection(place.path())
            .rows("SELECT remote_id, sync_point, updated_at FROM incoming_sync");
    }
};

constexpr Timestamp at(std::int64_t seconds) {
    return {seconds * Timestamp::ticks_per_second + 77'777, 0};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_replica_nobody_has_heard_of_has_nothing) {
    File file;
    BOOST_TEST(file.incoming.point("x") == -1);
    BOOST_TEST(file.incoming.points().empty());
}

BOOST_AUTO_TEST_CASE(a_point_only_rises_and_each_word_of_it_counts_as_heard) {
    File file;
    file.incoming.raise("x", 7, at(1'700'000'000));
    BOOST_TEST(file.stored() == "x|7|1700000000|"); // whole seconds, as Swift's triggers write
    file.incoming.raise("x", 5, at(1'700'000'005));
    BOOST_TEST(file.stored() == "x|7|1700000005|");
    file.incoming.raise("x", 9, at(1'700'000'006));
    BOOST_TEST(file.incoming.point("x") == 9);
    BOOST_TEST(file.outgoing.point("x") == -1);
}

BOOST_AUTO_TEST_CASE(a_point_can_be_set_for_a_database_that_has_just_come) {
    File file;
    file.incoming.raise("x", 70, at(1'700'000'000));
    file.incoming.set("x", 5, at(1'700'000'001));
    BOOST_TEST(file.stored() == "x|5|1700000001|");
}

BOOST_AUTO_TEST_CASE(ids_may_hold_anything) {
    File file;
    const std::string id("it's\0\xc3\xa9", 7);
    file.outgoing.raise(id, 3, at(1'700'000'000));
    BOOST_TEST(file.outgoing.point(id) == 3);
    BOOST_TEST(file.outgoing.point("it's") == -1);
    BOOST_TEST((file.outgoing.points() == std::vector<SyncPoint>{{3, id}}));
}

BOOST_AUTO_TEST_CASE(replicas_not_heard_of_for_long_are_forgotten) {
    File file;
    file.incoming.raise("old", 1, at(1'700'000'000));
    file.incoming.raise("new", 2, at(1'700'000'100));
    BOOST_TEST(!file.incoming.has_older("1700000000"));
    BOOST_TEST(file.incoming.has_older("1700000050.00000"));
    BOOST_TEST(!file.outgoing.has_older("1700000050.00000"));
    file.incoming.drop_older("1700000050.00000");
    BOOST_TEST((file.incoming.points() == std::vector<SyncPoint>{{2, "new"}}));
}

BOOST_AUTO_TEST_CASE(what_a_stock_server_has_let_in_does_no_harm) {
    File file; // it stores points of any type (defect 24)
    StockConnection(file.place.path())
        .execute("INSERT INTO incoming_sync (remote_id, sync_point) VALUES ('x', 'many'),"
                 " (NULL, 5), ('y', '12')");
    BOOST_TEST(file.incoming.point("x") == 0);
    BOOST_TEST(file.incoming.points().size() == 2U);
    file.incoming.raise("x", 4, at(1'700'000'000));
    BOOST_TEST(file.incoming.point("x") == 4);
    file.incoming.raise("y", 4, at(1'700'000'000));
    BOOST_TEST(file.incoming.point("y") == 12);
}
