#include <replica/sqlite/container.hpp>

#define BOOST_TEST_MODULE sqlite_container
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

using namespace replica;
using namespace replica::test;

namespace {

constexpr Timestamp at(std::int64_t seconds) {
    return {seconds * Timestamp::ticks_per_second, 0};
}

struct Home {
    ContainerPlace place;
    ContainerPlace::Database database = place.create();

    void refused(Error error, const std::string& reason) {
        for (const std::string& part : {place.path(), reason}) {
            require_refused(error, part, place.directory, [&] { return place.open(); });
        }
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(objects_are_put_and_deleted) {
    Home home;
    home.database.put_object("o", at(2), 42, "text/plain", "etag");
    home.database.put_object("p", at(2), 8, "text/plain", "etag", 3);
    BOOST_TEST(home.database.info().count == 1); // of the container's own policy
    BOOST_TEST(home.database.info().bytes_used == 42);
    BOOST_TEST((home.database.inspect().policies ==
                std::map<std::int64_t, PolicyUse>{{0, {1, 42}}, {3, {1, 8}}}));
    home.database.delete_object("o", at(1)); // late
    BOOST_TEST(home.database.info().count == 1);
    home.database.delete_object("o", at(3));
    BOOST_TEST(home.database.info().count == 0);
    BOOST_TEST(home.database.list().empty());
    const auto rows = home.database.items_since(-1, 10);
    BOOST_REQUIRE(rows.size() == 2U);
    BOOST_TEST(
        (rows[1] == ObjectRow{3, "o", at(3).internal(), 0, "application/deleted", "noetag", 1, 0}));
    home.database.delete_object("p", at(3), 3);
    BOOST_TEST(home.database.empty());
}

BOOST_AUTO_TEST_CASE(a_new_container_has_what_it_was_given) {
    ContainerPlace place;
    ContainerInfo wanted = container_info();
    wanted.account = "AUTH_\xc3\xa4";
    wanted.container = std::string("\0versions\0c", 11);
    wanted.storage_policy_index = 2;
    wanted.put_timestamp = at(7).internal();
    wanted.id = "an-id";
    const auto info = place.broker.create(place.path(), wanted, place.soon()).info();
    BOOST_TEST(info.account == wanted.account);
    BOOST_TEST(info.container == wanted.container);
    BOOST_TEST(info.storage_policy_index == 2);
    BOOST_TEST(info.put_timestamp == at(7).internal());
    BOOST_TEST(info.id == "an-id");
    BOOST_TEST(info.db_state == "unsharded");
    BOOST_TEST((place.open().info() == info));
}

BOOST_AUTO_TEST_CASE(an_agreed_policy_is_set_once_and_brings_its_sums) {
    Home home;
    home.database.put_object("o", at(2), 42, "text/plain", "etag");
    home.place.clock.advance(Seconds(100));
    const Timestamp now = home.place.clock.now();
    home.database.set_storage_policy_index(1, now);
    BOOST_TEST(home.database.info().storage_policy_index == 1);
    BOOST_TEST(home.database.info().count == 0); // its row is the reconciler's
    BOOST_TEST(home.database.info().status_changed_at == now.internal());
    home.database.set_storage_policy_index(1, now.plus(Seconds(9)));
    BOOST_TEST(home.database.info().status_changed_at == now.internal());
    home.database.set_storage_policy_index(0, at(1)); // the status never changes backwards
    BOOST_TEST(home.database.info().status_changed_at == now.internal());
    BOOST_TEST(home.database.info().count == 1);
}

BOOST_AUTO_TEST_CASE(rows_of_another_policy_are_found_between_two_rowids) {
    Home home;
    for (int i = 1; i <= 6; ++i) {
        home.database.put_object("o" + std::to_string(i), at(i), 1, "text/plain", "e", i % 2);
    }
    home.database.delete_object("o1", at(9), 1); // replaced: ROWID 7
    const auto names = [&](std::int64_t above, std::int64_t up_to, std::int64_t count) {
        std::string found;
        for (const ObjectRow& row : home.database.misplaced(above, up_to, count)) {
            found += std::to_string(row.rowid) + row.name + (row.deleted != 0 ? "-" : "") + ' ';
        }
        return found;
    };
    BOOST_TEST(names(-1, 100, 100) == "3o3 5o5 7o1- ");
    BOOST_TEST(names(3, 7, 100) == "5o5 7o1- ");
    BOOST_TEST(names(3, 6, 100) == "5o5 ");
    BOOST_TEST(names(-1, 100, 2) == "3o3 5o5 ");
    BOOST_TEST(names(7, 100, 2) == "");
    home.database.set_storage_policy_index(1, at(20));
    BOOST_TEST(names(-1, 100, 100) == "2o2 4o4 6o6 ");
}

BOOST_AUTO_TEST_CASE(an_info_says_how_far_the_reconciler_is_and_whether_it_has_work) {
    Home home;
    BOOST_TEST(home.database.info().reconciler_sync_point == -1);
    BOOST_TEST(!home.database.info().several_policies);
    home.database.put_object("o", at(2), 42, "text/plain", "etag");
    BOOST_TEST(home.database.set_reconciler_sync_point(1, 0));
    BOOST_TEST(home.database.info().reconciler_sync_point == 1);
    BOOST_TEST(!home.database.info().several_policies);
    home.database.put_object("p", at(2), 8, "text/plain", "etag", 3);
    BOOST_TEST(home.database.info().several_policies);
    StockConnection stock(home.place.path());
    BOOST_TEST(stock.rows("SELECT reconciler_sync_point FROM container_stat") == "1|");
    stock.execute("UPDATE container_stat SET reconciler_sync_point = 7");
    BOOST_TEST(home.database.info().reconciler_sync_point == 7);
    stock.execute("UPDATE container_info SET reconciler_sync_point = NULL");
    BOOST_TEST(home.database.info().reconciler_sync_point == -1);
}

BOOST_AUTO_TEST_CASE(the_reconcilers_point_belongs_to_a_policy) {
    Home home;
    home.database.put_object("o", at(2), 42, "text/plain", "etag");
    BOOST_TEST(home.database.set_reconciler_sync_point(1, 0));
    home.database.set_storage_policy_index(0, at(3)); // nothing is news
    BOOST_TEST(home.database.info().reconciler_sync_point == 1);
    home.database.set_storage_policy_index(1, at(4));
    BOOST_TEST(home.database.info().reconciler_sync_point == -1);
    BOOST_TEST(home.database.info().several_policies);
    // Who has looked at the rows before that does not know which are misplaced now.
    BOOST_TEST(!home.database.set_reconciler_sync_point(1, 0));
    BOOST_TEST(home.database.info().reconciler_sync_point == -1);
    BOOST_TEST(home.database.set_reconciler_sync_point(1, 1));
    BOOST_TEST(home.database.info().reconciler_sync_point == 1);
}

BOOST_AUTO_TEST_CASE(the_reconcilers_point_is_neither_read_from_nor_written_to_a_moved_file) {
    Home home;
    home.database.put_object("o", at(2), 42, "text/plain", "etag", 1);
    std::filesystem::rename(home.place.path(), home.place.path() + ".old");
    BOOST_TEST((error_of([&] { return home.database.misplaced(-1, 9, 9); }) == Error::moved));
    BOOST_TEST(
        (error_of([&] { return home.database.set_reconciler_sync_point(1, 0); }) == Error::moved));
}

BOOST_AUTO_TEST_CASE(a_policy_is_not_set_while_others_write) {
    Home home;
    StockConnection other(home.place.path());
    other.execute("BEGIN IMMEDIATE");
    require_refused(Error::locked, home.place.path(), home.place.directory, [&] {
        home.database.set_storage_policy_index(1, at(1));
        return 0;
    });
    other.execute("ROLLBACK");
    BOOST_TEST(home.database.info().storage_policy_index == 0);
}

BOOST_AUTO_TEST_CASE(a_file_named_after_an_epoch_is_a_container_like_others) {
    ContainerPlace place;
    const std::string hash(32, 'a');
    const std::string path = place.directory.path() + '/' + hash + '/' + hash + "_1600000000.5.db";
    auto database = place.broker.create(path, container_info(), place.soon());
    database.put_object("o", at(2), 42, "text/plain", "etag");
    BOOST_TEST(database.info().db_state == "unsharded"); // no range says otherwise
    BOOST_TEST(place.broker.open(path, place.soon()).info().count == 1);
}

BOOST_AUTO_TEST_CASE(what_is_no_container_is_refused) {
    Home text;
    write_file(text.place.path(), "SQLite format 3" + std::string(9000, 'x'));
    text.refused(Error::not_a_database, "not a database");
    Home empty;
    write_file(empty.place.path(), "");
    empty.refused(Error::missing_table, "no table object");
    Home cut;
    std::filesystem::resize_file(cut.place.path(), 6000);
    cut.refused(Error::corrupt, "malformed");
    Home gone;
    std::filesystem::remove(gone.place.path());
    gone.refused(Error::missing, "no such database");
    std::filesystem::create_directory(gone.place.path());
    gone.refused(Error::not_a_database, "is a directory");
    Home locked;
    StockConnection other(locked.place.path());
    other.execute("BEGIN EXCLUSIVE");
    locked.refused(Error::locked, "locked");
}

BOOST_AUTO_TEST_CASE(a_link_that_leads_nowhere_is_no_database_and_makes_none) {
    Home home;
    std::filesystem::remove(home.place.path());
    std::filesystem::create_symlink(home.place.directory.path() + "/none", home.place.path());
    BOOST_TEST((error_of([&] { return home.place.open(); }) == Error::io));
    BOOST_TEST(!std::filesystem::exists(home.place.directory.path() + "/none"));
}

BOOST_AUTO_TEST_CASE(a_write_ahead_log_is_ended_unless_others_use_it) {
    Home home;
    home.database.put_object("o", at(2), 42, "text/plain", "etag");
    {
        StockConnection other(home.place.path());
        BOOST_TEST(other.rows("PRAGMA journal_mode = WAL") == "wal|");
        BOOST_TEST(other.rows("SELECT count(*) FROM object") == "1|");
        BOOST_TEST((error_of([&] { return home.place.open(); }) == Error::locked));
        BOOST_TEST(other.rows("PRAGMA journal_mode") == "wal|");
        { const auto closed = std::move(home.database); }
    }
    BOOST_TEST(home.place.open().info().count == 1);
    BOOST_TEST(StockConnection(home.place.path()).rows("PRAGMA journal_mode") == "delete|");
}

BOOST_AUTO_TEST_CASE(whoever_only_looks_leaves_a_write_ahead_log_as_it_is) {
    Home home;
    { const auto closed = std::move(home.database); }
    BOOST_TEST(StockConnection(home.place.path()).rows("PRAGMA journal_mode = WAL") == "wal|");
    ContainerBroker looker(PosixDisk(), SystemClock(), SqliteOptions{.migrate = false});
    const Instant soon = SystemClock().monotonic() + to_duration(Seconds(1));
    BOOST_TEST((error_of([&] { return looker.open(home.place.path(), soon); }) == Error::wal));
    BOOST_TEST(StockConnection(home.place.path()).rows("PRAGMA journal_mode") == "wal|");
    BOOST_TEST(home.place.open().info().count == 0);
    BOOST_TEST(looker.open(home.place.path(), soon).info().count == 0);
}
