#include <replica/sqlite/shard_state.hpp>

#define BOOST_TEST_MODULE sqlite_shard_state
#include <boost/test/unit_test.hpp>

#include <support/fifo.hpp>
#include <support/sqlite_place.hpp>

#include <filesystem>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

const std::string hash = "0123456789abcdef0123456789abcdef";
const std::string epoch = "1600000000.00000";

/// A container under its real name, with an epoch in it unless that is empty.
struct Container {
    ContainerPlace place;
    std::string directory = place.directory.path() + "/sdb1/containers/1/def/" + hash;
    std::string path;

    explicit Container(const std::string& in_name = epoch)
        : path(directory + '/' + hash + (in_name.empty() ? "" : "_" + in_name) + ".db") {
        place.broker.create(path, container_info(), place.soon())
            .put(object("row", "0000000001.00000", 5));
    }

    /// A shard range. The container's own is "a/c".
    void range(const std::string& name, int state, int objects, const std::string& of = epoch,
               int deleted = 0) const {
        StockConnection(path).execute(
            "INSERT INTO shard_range (name, timestamp, object_count, bytes_used, state, epoch,"
            " deleted) VALUES ('" +
            name + "', '0000000001.00000', " + std::to_string(objects) + ", " +
            std::to_string(10 * objects) + ", " + std::to_string(state) + ", " +
            (of.empty() ? "NULL" : "'" + of + "'") + ", " + std::to_string(deleted) + ")");
    }

    [[nodiscard]] ContainerInfo info() { return place.broker.open(path, place.soon()).info(); }

    [[nodiscard]] std::string state() { return info().db_state; }

    void set_metadata(const std::string& key, const std::string& value) {
        place.broker.open(path, place.soon()).set_metadata(key, value, Timestamp{1, 0});
    }
};

constexpr int found = 10;
constexpr int created = 20;
constexpr int cleaved = 30;
constexpr int active = 40;
constexpr int shrinking = 50;
constexpr int sharding = 60;
constexpr int sharded = 70;
constexpr int shrunk = 80;

} // namespace

BOOST_AUTO_TEST_CASE(a_container_under_its_bare_hash_was_never_sharded) {
    Container container("");
    BOOST_TEST(container.state() == "unsharded");
    container.range("a/c", active, 0, "");
    container.range(".shards_a/c-1", found, 3, "");
    BOOST_TEST(container.state() == "unsharded"); // found ranges alone begin nothing
    BOOST_TEST(container.info().count == 1);
    BOOST_TEST(container.info().shard_max_row == 2);
}

BOOST_AUTO_TEST_CASE(two_files_are_a_container_that_is_being_sharded) {
    Container container;
    container.range("a/c", sharding, 0);
    const std::string retiring = container.directory + '/' + hash + ".db";
    auto older = container.place.broker.create(retiring, container_info(), container.place.soon());
    BOOST_TEST(container.state() == "sharding");
    BOOST_TEST(older.info().db_state == "sharding");
    std::filesystem::remove(retiring);
    BOOST_TEST(container.state() == "collapsed");
}

BOOST_AUTO_TEST_CASE(while_a_container_is_being_sharded_its_sums_are_those_of_the_older_file) {
    Container container;
    container.range("a/c", sharding, 0);
    const std::string retiring = container.directory + '/' + hash + ".db";
    auto older = container.place.broker.create(retiring, container_info(), container.place.soon());
    auto newer = container.place.broker.open(container.path, container.place.soon());
    BOOST_TEST(container.info().count == 0);
    BOOST_TEST(!newer.empty()); // its own row
    auto another = object("another", "0000000001.00000", 9);
    another.storage_policy_index = 1;
    older.put(another);
    older.put(object("x", "0000000001.00000", 7));
    older.put(object("y", "0000000001.00000", 7));
    BOOST_TEST(container.info().count == 2);
    BOOST_TEST(container.info().bytes_used == 14);
    BOOST_TEST(container.info().max_row == 1); // of this file
    BOOST_TEST(older.info().count == 2);
    const std::string changed = newer.info().status_changed_at;
    newer.merge_timestamps({"1", "1", "9999999999.00000"});
    BOOST_TEST(!newer.is_deleted()); // nor was it for a moment
    BOOST_TEST(newer.info().status_changed_at == changed);
    write_file(retiring, std::string(1024, 'x')); // what the rows are cannot be guessed
    BOOST_TEST((error_of([&] { return container.info(); }) == Error::not_a_database));
}

BOOST_AUTO_TEST_CASE(what_is_no_file_in_the_place_of_the_older_one_is_not_opened) {
    Container container;
    const std::string retiring = container.directory + '/' + hash + ".db";
    container.place.create("other");
    std::filesystem::create_symlink(container.place.path("other"), retiring);
    BOOST_TEST((error_of([&] { return container.info(); }) == Error::io));
    std::filesystem::remove(retiring);
    container.place.broker.create(retiring, container_info(), container.place.soon());
    const Fifo journal(retiring + "-journal");
    BOOST_TEST((error_of([&] {
                    journal.must_not_hold_up([&] { return container.info(); });
                    return 0;
                }) == Error::io));
}

BOOST_AUTO_TEST_CASE(an_older_file_may_have_the_form_of_a_swift_without_policies) {
    Container container;
    const std::string retiring = container.directory + '/' + hash + ".db";
    StockConnection(retiring).execute("CREATE TABLE container_stat (object_count, bytes_used);"
                                      "INSERT INTO container_stat VALUES (3, 30)");
    BOOST_TEST(container.info().count == 3);
    BOOST_TEST(container.info().bytes_used == 30);
    BOOST_TEST(container.info().live_rows == 3);
}

BOOST_AUTO_TEST_CASE(other_files_in_the_directory_are_no_databases_of_the_container) {
    Container container("");
    const std::vector<std::string> others{hash + ".db.pending",
                                          hash + ".db-journal.bak",
                                          hash + "_x.db",
                                          hash + "_.db",
                                          "x.db",
                                          std::string(32, 'f') + ".db",
                                          "tmp"};
    for (const std::string& name : others) {
        write_file(container.directory + '/' + name, "x");
    }
    std::filesystem::create_directory(container.directory + '/' + hash + "_2.db");
    BOOST_TEST(container.state() == "unsharded");
    write_file(container.directory + '/' + hash + "_1600000000.00000.db", "");
    BOOST_TEST(container.state() == "sharding");
}

BOOST_AUTO_TEST_CASE(a_file_of_an_epoch_without_the_range_of_that_epoch_is_unsharded) {
    Container none;
    BOOST_TEST(none.state() == "unsharded");
    Container other;
    other.range("a/c", sharded, 0, "1500000000.00000");
    other.range(".shards_a/c-1", active, 3);
    BOOST_TEST(other.state() == "unsharded");
    Container null;
    null.range("a/c", sharded, 0, "");
    BOOST_TEST(null.state() == "unsharded");
    Container anothers;
    anothers.range("a/d", sharded, 0);
    BOOST_TEST(anothers.state() == "unsharded");
}

BOOST_AUTO_TEST_CASE(a_sharded_root_has_the_sums_of_its_shards) {
    Container container;
    container.range("a/c", sharded, 1000);
    container.range(".shards_a/c-1", active, 3);
    container.range(".shards_a/c-2", shrinking, 5);
    container.range(".shards_a/c-3", sharding, 7);
    for (const int state : {found, created, cleaved, sharded, shrunk}) {
        container.range(".shards_a/c-x" + std::to_string(state), state, 100);
    }
    container.range(".shards_a/c-gone", active, 100, epoch, 1);
    const ContainerInfo info = container.info();
    BOOST_TEST(info.db_state == "sharded");
    BOOST_TEST(info.count == 15);
    BOOST_TEST(info.bytes_used == 150);
    BOOST_TEST(info.max_row == 1); // of this file's own rows
    auto database = container.place.broker.open(container.path, container.place.soon());
    BOOST_TEST((database.inspect().info == info));
    BOOST_TEST(database.inspect().rows == 1);
}

BOOST_AUTO_TEST_CASE(a_root_whose_shards_are_gone_has_collapsed) {
    Container container;
    container.range("a/c", active, 1000);
    BOOST_TEST(container.state() == "collapsed");
    container.range(".shards_a/c-1", shrunk, 100, epoch, 1);
    BOOST_TEST(container.state() == "collapsed");
    BOOST_TEST(container.info().count == 1);
}

BOOST_AUTO_TEST_CASE(a_shard_that_is_sharded_again_keeps_its_own_sums) {
    for (const std::string key :
         {"X-Container-Sysmeta-Shard-Quoted-Root", "X-Container-Sysmeta-Shard-Root"}) {
        Container container;
        container.range("a/c", sharded, 0);
        container.range(".shards_a/c-1", active, 3);
        container.set_metadata(key, "other/root");
        BOOST_TEST(container.state() == "sharded");
        BOOST_TEST(container.info().count == 1);
        container.place.broker.open(container.path, container.place.soon())
            .set_metadata(key, "a/c", Timestamp{2, 0});
        BOOST_TEST(container.info().count == 3); // it is its own root
    }
    Container quoted;
    quoted.range("a/c", sharded, 0);
    quoted.range(".shards_a/c-1", active, 3);
    quoted.set_metadata("X-Container-Sysmeta-Shard-Quoted-Root", "%61/c");
    BOOST_TEST(quoted.info().count == 3);
}

BOOST_AUTO_TEST_CASE(a_file_in_the_working_directory_has_the_same_state_under_its_bare_name) {
    Container container;
    container.range("a/c", sharded, 0);
    container.range(".shards_a/c-1", active, 3);
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(container.directory);
    container.path = container.path.substr(container.directory.size() + 1);
    BOOST_CHECK_NO_THROW(BOOST_TEST(container.state() == "sharded"));
    std::filesystem::current_path(before);
}

BOOST_AUTO_TEST_CASE(a_shard_that_shrank_before_shards_knew_their_root_is_no_root) {
    Container container;
    container.range("a/c", shrunk, 0, epoch, 1);
    container.range(".shards_a/c-1", active, 3);
    BOOST_TEST(container.state() == "sharded");
    BOOST_TEST(container.info().count == 1);
}

BOOST_AUTO_TEST_CASE(a_file_without_shard_ranges_can_have_any_name) {
    Container container;
    StockConnection(container.path).execute("DROP TABLE shard_range");
    BOOST_TEST(container.state() == "unsharded");
    sqlite::Connection connection(container.path, sqlite::Connection::Mode::existing, {},
                                  Instant());
    BOOST_TEST(!sqlite::has_shard_ranges(connection));
}

BOOST_AUTO_TEST_CASE(an_upload_under_a_name_of_its_own_is_unsharded) {
    Container container;
    container.range("a/c", sharded, 0);
    container.range(".shards_a/c-1", active, 3);
    const std::string upload = container.place.directory.path() + "/some-upload";
    std::filesystem::copy_file(container.path, upload);
    const ContainerInfo info =
        container.place.broker.open_upload(upload, container.place.soon()).info();
    BOOST_TEST(info.db_state == "unsharded");
    BOOST_TEST(info.count == 1);
}

BOOST_AUTO_TEST_CASE(a_container_with_a_name_beyond_ascii_finds_its_own_range) {
    ContainerPlace place;
    ContainerInfo info = container_info();
    info.account = "a\xc3\xb6";
    info.container = std::string("\0versions\0c", 11);
    const std::string path = place.directory.path() + '/' + hash + '_' + epoch + ".db";
    place.broker.create(path, info, place.soon());
    sqlite::Connection connection(path, sqlite::Connection::Mode::existing, {}, Instant());
    for (const std::string& name :
         {info.account + '/' + info.container, std::string(".shards/1")}) {
        connection
            .query("INSERT INTO shard_range (name, object_count, bytes_used, state, epoch) VALUES"
                   " (?, 4, 40, 40, ?)")
            .bind(name, epoch)
            .run();
    }
    const ContainerInfo seen = place.broker.open(path, place.soon()).info();
    BOOST_TEST(seen.db_state == "sharded");
    BOOST_TEST(seen.count == 4);
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_listed_is_an_error_and_no_state) {
    Container container;
    auto database = container.place.broker.open(container.path, container.place.soon());
    std::filesystem::rename(container.directory, container.directory + "-away");
    BOOST_TEST((error_of([&] { return database.info(); }) == Error::moved));
    sqlite::Connection connection(container.directory + "-away/" + hash + '_' + epoch + ".db",
                                  sqlite::Connection::Mode::existing, {}, Instant());
    ContainerInfo info = container_info();
    struct NoDirectory : PosixDisk {
        [[nodiscard]] std::vector<Entry> list(const std::string& path) const {
            throw Failure(Error::io, path + ": cannot be listed");
        }
    } disk;
    require_refused(Error::io, container.directory + "-away", container.place.directory, [&] {
        sqlite::add_shard_state(connection.path(), disk, info,
                                [&]() -> sqlite::Connection& { return connection; });
        return 0;
    });
}
