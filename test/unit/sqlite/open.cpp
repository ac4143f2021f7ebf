#include <replica/sqlite/open.hpp>

#define BOOST_TEST_MODULE sqlite_open
#include <replica/sqlite/container_schema.hpp>

#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <memory>
#include <string>

using namespace replica;
using namespace replica::sqlite;
using namespace replica::test;

namespace {

struct File {
    ContainerPlace place;
    std::string path = (place.create(), place.path());
    SqliteOptions options{};
    PosixDisk disk{};

    [[nodiscard]] std::unique_ptr<Connection> connect() {
        return sqlite::connect(path, disk, place.clock, options, place.soon());
    }
    [[nodiscard]] Error refusal() {
        return test::error_of([&] { return prepare<ContainerSchema>(*connect(), options); });
    }
    void change(const std::string& sql) const { StockConnection(path).execute(sql); }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_connection_has_the_settings_of_all) {
    File file;
    const auto connection = file.connect();
    BOOST_TEST(prepare<ContainerSchema>(*connection, file.options));
    BOOST_TEST(connection->integer("PRAGMA synchronous") == 3); // EXTRA
    BOOST_TEST(connection->integer("PRAGMA temp_store") == 2);
    BOOST_TEST(connection->integer("PRAGMA cache_size") == -8000);
    BOOST_TEST(connection->text("PRAGMA journal_mode") == "delete");
}

BOOST_AUTO_TEST_CASE(a_file_of_an_old_swift_is_not_current) {
    File file;
    file.change("PRAGMA legacy_alter_table = ON; DROP TRIGGER container_stat_update;"
                " DROP VIEW container_stat; ALTER TABLE policy_stat DROP COLUMN object_count");
    file.options.migrate = false;
    BOOST_TEST((file.refusal() == Error::unknown_schema));
    file.options.migrate = true;
    const auto connection = file.connect();
    BOOST_TEST(!prepare<ContainerSchema>(*connection, file.options));
}

BOOST_AUTO_TEST_CASE(a_missing_table_is_named) {
    File file;
    file.change("DROP TABLE incoming_sync");
    BOOST_TEST((file.refusal() == Error::missing_table));
}

BOOST_AUTO_TEST_CASE(a_file_in_use_with_a_log_is_refused) {
    File file;
    StockConnection other(file.path);
    other.execute("PRAGMA journal_mode = WAL; UPDATE container_info SET status = ''; BEGIN;"
                  " SELECT * FROM container_info");
    file.options.migrate = false;
    BOOST_TEST((file.refusal() == Error::wal));
}

BOOST_AUTO_TEST_CASE(what_is_no_file_is_not_opened) {
    File file;
    file.path = file.place.directory.path();
    BOOST_TEST((test::error_of([&] { return file.connect()->path(); }) == Error::not_a_database));
    file.path += "/none.db";
    BOOST_TEST((test::error_of([&] { return file.connect()->path(); }) == Error::missing));
}
