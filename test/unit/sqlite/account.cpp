#include <replica/sqlite/account.hpp>

#define BOOST_TEST_MODULE sqlite_account
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

using namespace replica;
using namespace replica::test;

namespace {

constexpr Timestamp at(std::int64_t seconds) {
    return {seconds * Timestamp::ticks_per_second, 0};
}

struct Home {
    TemporaryDirectory directory;
    SimClock clock;
    SimTimedAccounts broker{PosixDisk(), clock};
    std::string path = directory.path() + "/sdb1/accounts/1/abc/h/h.db";
    SimTimedAccounts::database_type database = broker.create(path, [] {
        AccountInfo info;
        info.account = "AUTH_\xc3\xa4";
        info.put_timestamp = at(1).internal();
        return info;
    }());

    [[nodiscard]] auto open() {
        return broker.open(path, clock.monotonic() + std::chrono::seconds(1));
    }
    void refused(Error error) {
        require_refused(error, path, directory, [&] { return open(); });
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(containers_are_put_reported_and_deleted) {
    Home home;
    home.database.put_container("c", at(2));
    home.database.put_container("c", at(2), 3, 30); // reports of its own replace each other
    home.database.put_container("c", at(2), 2, 20);
    home.database.put_container("d", at(2), 5, 50, 1);
    AccountInfo info = home.database.info();
    BOOST_TEST(info.count == 2);
    BOOST_TEST(info.object_count == 7);
    BOOST_TEST(info.bytes_used == 70);
    home.database.delete_container("d", at(3), 1);
    home.database.delete_container("c", at(1)); // late
    info = home.database.info();
    BOOST_TEST(info.count == 1);
    BOOST_TEST(info.object_count == 2);
    const auto listed = home.database.list();
    BOOST_REQUIRE(listed.size() == 1U);
    BOOST_TEST(listed[0].row.name == "c");
    home.database.put_container("d", at(4));
    BOOST_TEST(home.database.info().count == 2);
}

BOOST_AUTO_TEST_CASE(a_new_account_has_the_names_and_times_it_was_given) {
    Home home;
    const AccountInfo info = home.database.info();
    BOOST_TEST(info.account == "AUTH_\xc3\xa4");
    BOOST_TEST(info.put_timestamp == at(1).internal());
    BOOST_TEST(info.created_at == home.clock.now().internal());
    BOOST_TEST(info.id.ends_with("-sdb1"));
    BOOST_TEST(info.max_row == -1);
    BOOST_TEST((home.open().info() == info));
}

BOOST_AUTO_TEST_CASE(an_account_without_containers_is_deleted_by_the_later_time) {
    Home home;
    home.database.put_container("c", at(2));
    home.database.merge_timestamps({at(1).internal(), at(1).internal(), at(9).internal()});
    BOOST_TEST(!home.database.is_deleted());
    home.database.delete_container("c", at(3));
    BOOST_TEST(home.database.is_deleted());
    BOOST_TEST(home.database.empty());
}

BOOST_AUTO_TEST_CASE(names_of_containers_may_hold_anything) {
    Home home;
    const std::string reserved("\0versions\0c", 11);
    home.database.put_container(reserved, at(2));
    home.database.put_container("sn\xc3\xb6w \xe2\x98\x83 \xf0\x9f\x98\x80", at(2));
    BOOST_TEST(home.database.list().size() == 2U);
    BOOST_TEST(home.database.list({.marker = "\x01"}).size() == 1U);
    BOOST_TEST(home.database.items_since(-1, 1).front().name == reserved);
    for (const std::string bad : {"", "\xff"}) {
        require_refused(Error::bad_request, home.path, home.directory, [&] {
            home.database.put_container(bad, at(2));
            return 0;
        });
    }
}

BOOST_AUTO_TEST_CASE(what_is_no_account_is_refused) {
    Home text;
    write_file(text.path, std::string(9000, 'x'));
    text.refused(Error::not_a_database);
    Home empty;
    write_file(empty.path, "");
    empty.refused(Error::missing_table);
    Home cut;
    std::filesystem::resize_file(cut.path, 6000);
    cut.refused(Error::corrupt);
    Home gone;
    std::filesystem::remove(gone.path);
    gone.refused(Error::missing);
    std::filesystem::create_directory(gone.path);
    gone.refused(Error::not_a_database);
    Home bare;
    StockConnection(bare.path).execute("DELETE FROM account_stat");
    bare.refused(Error::missing_table);
    Home locked;
    StockConnection other(locked.path);
    other.execute("BEGIN EXCLUSIVE");
    locked.refused(Error::locked);
}

BOOST_AUTO_TEST_CASE(a_new_account_is_made_only_where_nothing_is) {
    Home home;
    require_refused(Error::exists, home.path, home.directory,
                    [&] { return home.broker.create(home.path, AccountInfo{}); });
    const std::string below = home.path + "/x.db"; // a file where a directory should be
    BOOST_CHECK_THROW(static_cast<void>(home.broker.create(below, AccountInfo{})), Failure);
    BOOST_TEST(home.database.info().account == "AUTH_\xc3\xa4");
}

BOOST_AUTO_TEST_CASE(a_name_without_a_directory_is_one_of_the_current_directory) {
    const TemporaryDirectory directory;
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(directory.path());
    SimTimedAccounts broker;
    auto database = broker.create("here.db", AccountInfo{});
    database.put_container("c", at(1));
    database.copy_to("copy.db", Instant::max());
    BOOST_TEST(broker.open("copy.db", Instant::max()).info().count == 1);
    BOOST_TEST(files_below(directory.path()).size() == 2U);
    std::filesystem::current_path(before);
}

// Swift's reaper empties an account that is marked, whatever its times are.
BOOST_AUTO_TEST_CASE(the_mark_of_a_deleted_account_goes_when_a_replica_knows_of_a_later_put) {
    Home home;
    home.database.put_container("c", at(2));
    home.database.mark_deleted(at(3));
    const auto is_marked = [&] {
        return StockConnection(home.path).rows("SELECT status FROM account_stat") == "DELETED|";
    };
    home.database.merge_timestamps({at(1).internal(), at(2).internal(), at(4).internal()});
    BOOST_TEST(is_marked());
    home.database.merge_timestamps({at(1).internal(), at(5).internal(), at(3).internal()});
    BOOST_TEST(!is_marked());
    BOOST_TEST(!home.database.is_deleted());
    BOOST_TEST(home.database.info().status_changed_at != "0");
}

BOOST_AUTO_TEST_CASE(a_row_without_a_time_or_a_count_does_not_make_a_file_unsound) {
    Home home;
    for (const std::string values : {"'a', NULL, '2', 3, 4", "'b', '1', '2', NULL, 4"}) {
        StockConnection(home.path).execute(
            "INSERT INTO container (name, put_timestamp, delete_timestamp, object_count,"
            " bytes_used) VALUES (" +
            values + ')');
    }
    BOOST_CHECK_NO_THROW(
        (void)home.broker.open_upload(home.path, home.clock.monotonic() + std::chrono::seconds(1)));
}
