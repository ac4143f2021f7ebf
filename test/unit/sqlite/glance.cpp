#include <replica/sqlite/glance.hpp>

// Each answer from the pages is compared with that of a connection.

#define BOOST_TEST_MODULE sqlite_glance
#include <replica/sqlite/container_schema.hpp>
#include <replica/sqlite/sync_table.hpp>
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::sqlite;
using namespace replica::test;

namespace {

using S = ContainerSchema;

Timestamp at(std::int64_t seconds) {
    return {seconds * Timestamp::ticks_per_second, 0};
}

struct File {
    ContainerPlace place;
    std::string path = (place.create(), place.path());

    void change(const std::string& sql) const { StockConnection(path).execute(sql); }

    /// Without the triggers, so that times are what is written here.
    void add_point(const std::string& table, const std::string& values) const {
        Connection connection = connect();
        connection.execute(
            ("INSERT INTO " + table + " (remote_id, sync_point, updated_at) VALUES " + values)
                .c_str());
    }

    [[nodiscard]] Connection connect() const {
        return Connection(
            path, Connection::Mode::existing, [](int, Instant) { return false; }, Instant());
    }

    template <class Ask>
    auto with(Ask ask) const {
        PageFile file(path, "");
        const PageFile::Snapshot snapshot(file);
        bool unknown = false;
        PageTables tables(file, approved_schemas<S>(), unknown);
        return ask(tables);
    }

    [[nodiscard]] bool is_idle(const ContainerInfo& confirmed, Timestamp age,
                               std::string_view before) const {
        return with([&](PageTables& tables) {
            return glance::has_nothing_to_reclaim<S>(tables, confirmed, age, before);
        });
    }

    [[nodiscard]] ContainerInfo info() const {
        Connection connection = connect();
        return S::read_info(connection);
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(points_are_those_that_a_connection_reads) {
    const File file;
    Random random(5);
    for (int i = 0; i < 30; ++i) {
        const std::string id = i % 7 == 0 ? "NULL" : "'id" + std::to_string(i) + "'";
        const std::string time = i % 5 == 0 ? "NULL" : std::to_string(random.next() % 2000);
        file.add_point(i % 2 == 0 ? "incoming_sync" : "outgoing_sync",
                       "(" + id + ", " + std::to_string(random.next() % 100) + ", " + time + ")");
    }
    Connection connection = file.connect();
    for (const Direction direction : {Direction::incoming, Direction::outgoing}) {
        SyncTable table(connection, direction);
        BOOST_TEST((file.with([&](PageTables& tables) {
            return glance::sync_points(tables, direction);
        }) == table.points()));
        for (const std::string id : {"id1", "id2", "id3", "id28", "nobody", ""}) {
            BOOST_TEST(file.with([&](PageTables& tables) {
                return glance::sync_point(tables, id, direction);
            }) == table.point(id));
            for (const std::string_view time : {"", "0", "500", "1500", "9999", "5"}) {
                BOOST_TEST(file.with([&](PageTables& tables) {
                    return glance::has_older(tables, direction, time, id);
                }) == table.has_older(time, id));
            }
        }
    }
    BOOST_TEST((file.with(glance::last_heard) ==
                SyncTable(connection, Direction::incoming).last_touched()));
}

BOOST_AUTO_TEST_CASE(a_file_that_heard_of_nobody_has_no_points) {
    const File file;
    BOOST_TEST(file.with([](PageTables& tables) {
                       return glance::sync_points(tables, Direction::incoming);
                   })
                   .empty());
    BOOST_TEST((file.with(glance::last_heard) == Timestamp{}));
}

BOOST_AUTO_TEST_CASE(a_tombstone_is_seen_wherever_it_is) {
    File file;
    const auto has = [&] { return file.with(glance::has_tombstones<S>); };
    BOOST_TEST(!has());
    auto database = file.place.broker.open(file.path, Instant::max());
    for (int i = 0; i < 300; ++i) {
        database.put(object("live" + std::to_string(i), at(100 + i).internal()));
    }
    BOOST_TEST(!has());
    database.put(tombstone("a", at(500).internal()));
    BOOST_TEST(has());
    database.put(object("a", at(600).internal()));
    BOOST_TEST(!has());
    file.change("PRAGMA writable_schema = ON; DROP TRIGGER object_update;"
                " UPDATE object SET deleted = 2 WHERE name = 'live7'");
    BOOST_CHECK_THROW((void)has(), NotPlain); // another schema now
}

BOOST_AUTO_TEST_CASE(there_is_nothing_to_reclaim_only_if_nothing_is_old) {
    File file;
    const auto old = at(1'000);
    const std::string before = at(500).normal();
    BOOST_TEST(file.is_idle(file.info(), old, before));

    file.add_point("outgoing_sync", "('peer', 3, '0000000400')");
    BOOST_TEST(!file.is_idle(file.info(), old, before));
    file.change("DELETE FROM outgoing_sync");
    file.add_point("outgoing_sync",
                   "('" + std::string(notes::agreed()) + "', 3, '0000000400')"); // for ever
    BOOST_TEST(file.is_idle(file.info(), old, before));
    file.add_point("incoming_sync", "('peer', 3, '0000000400')");
    BOOST_TEST(!file.is_idle(file.info(), old, before));
    file.change("DELETE FROM incoming_sync");

    file.change("UPDATE container_info SET metadata = '{\"X-K\": [\"\", \"" + at(900).internal() +
                "\"]}'");
    BOOST_TEST(!file.is_idle(file.info(), old, before));
    BOOST_TEST(file.is_idle(file.info(), at(800), before));
    auto without = file.info();
    without.metadata.clear(); // the key came after the snapshot
    BOOST_TEST(file.is_idle(without, old, before));

    auto sharded = file.info();
    sharded.shard_max_row = 1;
    BOOST_TEST(!file.is_idle(sharded, at(800), before));

    auto database = file.place.broker.open(file.path, Instant::max());
    database.put(tombstone("a", at(5'000).internal()));
    BOOST_TEST(!file.is_idle(file.info(), at(800), before)); // its time is to be known
}
