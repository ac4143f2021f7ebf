#include <replica/sqlite/handle.hpp>

#define BOOST_TEST_MODULE sqlite_handle
#include <replica/sqlite/container_schema.hpp>

#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

using namespace replica;
using namespace replica::sqlite;
using namespace replica::test;

namespace {

using Containers = Handle<ContainerSchema, PosixDisk, SimClock>;

struct File {
    ContainerPlace place;
    std::string path = (place.create(), place.path());

    [[nodiscard]] Containers open() {
        return {path, PosixDisk(), place.clock, SqliteOptions(), place.soon()};
    }
    void change(const std::string& sql) const { StockConnection(path).execute(sql); }
};

std::optional<std::string> glance_at_id(Containers& handle) {
    return handle.glance([](PageTables& tables) { return ContainerSchema::read_info(tables).id; });
}

} // namespace

BOOST_AUTO_TEST_CASE(a_look_needs_no_connection) {
    File file;
    Containers handle = file.open();
    const auto id = glance_at_id(handle);
    BOOST_REQUIRE(id.has_value());
    BOOST_TEST(handle.connection().text("SELECT id FROM container_info") == *id);
    BOOST_TEST(!glance_at_id(handle).has_value()); // the connection is asked from now on
    BOOST_TEST(handle.look([](auto&) { return std::string("pages"); },
                           [](Connection& connection) {
                               return connection.text("SELECT id FROM container_info");
                           }) == *id);
}

BOOST_AUTO_TEST_CASE(what_others_write_is_seen) {
    File file;
    Containers handle = file.open();
    file.change("UPDATE container_info SET id = 'second'");
    BOOST_TEST((glance_at_id(handle) == std::optional<std::string>("second")));
    file.change("CREATE INDEX more ON incoming_sync (sync_point)"); // not Swift's any more
    BOOST_TEST(!glance_at_id(handle).has_value());
    file.change("DROP INDEX more");
    BOOST_TEST((glance_at_id(handle) == std::optional<std::string>("second")));
}

BOOST_AUTO_TEST_CASE(a_commit_shows_in_the_version_without_a_connection_and_with_one) {
    File file;
    Containers handle = file.open();
    const auto first = handle.version();
    BOOST_TEST(handle.version() == first);
    BOOST_TEST(glance_at_id(handle).has_value()); // still without
    file.change("UPDATE container_info SET id = 'second'");
    const auto second = handle.version();
    BOOST_TEST(second > first);
    BOOST_TEST(glance_at_id(handle).has_value());
    (void)handle.connection();
    const auto third = handle.version();
    BOOST_TEST(third > second); // somebody may have committed in between
    BOOST_TEST(handle.version() == third);
    file.change("UPDATE container_info SET id = 'third'");
    const auto fourth = handle.version();
    BOOST_TEST(fourth > third);
    handle.connection().execute("BEGIN");
    handle.connection().execute("COMMIT");
    BOOST_TEST(handle.version() == fourth);
}

BOOST_AUTO_TEST_CASE(the_version_of_a_file_that_was_replaced_is_none) {
    for (const bool connected : {false, true}) {
        File file;
        Containers handle = file.open();
        (void)handle.version();
        if (connected) {
            (void)handle.connection();
        }
        std::filesystem::copy_file(file.path, file.path + ".copy");
        std::filesystem::rename(file.path + ".copy", file.path);
        BOOST_TEST((test::error_of([&] { return handle.version(); }) == Error::moved));
    }
}

BOOST_AUTO_TEST_CASE(a_lock_or_a_journal_of_others_is_left_to_sqlite) {
    File file;
    Containers handle = file.open();
    StockConnection other(file.path);
    const auto rows = [&] {
        return handle.glance(
            [](PageTables& tables) { return tables.query("SELECT name FROM object").step(); });
    };
    other.execute("BEGIN EXCLUSIVE");
    BOOST_TEST(glance_at_id(handle).has_value()); // it was read before, and is as it was
    BOOST_TEST(!rows().has_value());
    BOOST_TEST(
        (test::error_of([&] { return handle.connection().text("SELECT 1"); }) == Error::locked));
    other.execute("COMMIT");
    BOOST_TEST(glance_at_id(handle).has_value());
    BOOST_TEST(rows().has_value());
    handle.set_deadline(file.place.soon());
    BOOST_TEST(handle.connection().text("SELECT 1") == "1");
}

BOOST_AUTO_TEST_CASE(a_file_that_was_replaced_is_another_one) {
    for (const bool by_connection : {false, true}) {
        File file;
        Containers handle = file.open();
        const std::string copy = file.path + ".copy";
        std::filesystem::copy_file(file.path, copy);
        std::filesystem::rename(copy, file.path);
        BOOST_TEST((test::error_of([&] {
                        if (by_connection) {
                            (void)handle.connection();
                        } else {
                            (void)glance_at_id(handle);
                        }
                        return 0;
                    }) == Error::moved));
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_was_removed_is_said_to_have_moved) {
    File file;
    Containers handle = file.open();
    std::filesystem::remove(file.path);
    BOOST_TEST((test::error_of([&] { return handle.connection().path(); }) == Error::moved));
    BOOST_TEST((test::error_of([&] { return file.open().path(); }) == Error::missing));
}

BOOST_AUTO_TEST_CASE(a_broken_file_fails_when_it_is_opened) {
    File file;
    file.change("DELETE FROM container_info");
    BOOST_TEST((test::error_of([&] { return file.open().path(); }) == Error::missing_table));
    File other; // the root of an index that SQLite looks into first
    const auto root = std::stoll(StockConnection(other.path)
                                     .rows("SELECT rootpage FROM sqlite_master WHERE name = "
                                           "'sqlite_autoindex_incoming_sync_1'"));
    std::string bytes = read_file(other.path);
    bytes.replace(static_cast<std::size_t>((root - 1) * 4096), 8, "XXXXXXXX");
    write_file(other.path, bytes);
    BOOST_TEST((test::error_of([&] { return other.open().path(); }) == Error::corrupt));
    write_file(file.path, std::string(5000, 'x'));
    BOOST_TEST((test::error_of([&] { return file.open().path(); }) == Error::not_a_database));
}

BOOST_AUTO_TEST_CASE(a_schema_of_swifts_is_learnt_from_the_first_file) {
    File file;
    // Swift's text of the same trigger has other spaces.
    file.change("DROP TRIGGER object_update; CREATE TRIGGER object_update BEFORE UPDATE ON object\n"
                "  BEGIN SELECT raise(FAIL, 'rows of object are not updated but replaced');  END;");
    Containers first = file.open();
    BOOST_TEST(!glance_at_id(first).has_value());
    Containers second = file.open();
    BOOST_TEST(glance_at_id(second).has_value());
}

BOOST_AUTO_TEST_CASE(a_handle_can_be_handed_on) {
    File file;
    Containers handle = file.open();
    Containers next = std::move(handle);
    BOOST_TEST(glance_at_id(next).has_value());
    BOOST_TEST(next.path() == file.path);
    BOOST_TEST(next.connection().path() == file.path);
    Containers of_connection(
        sqlite::connect(file.path, next.disk(), next.clock(), next.options(), file.place.soon()),
        next.disk(), next.clock(), next.options());
    BOOST_TEST(!glance_at_id(of_connection).has_value());
}
