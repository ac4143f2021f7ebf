#include <replica/sqlite/record_schema.hpp>

#define BOOST_TEST_MODULE sqlite_record_schema
#include <replica/sqlite/check.hpp>

#include <boost/test/unit_test.hpp>

#include <sqlite3.h>
#include <support/notes.hpp>
#include <support/sqlite_place.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>

using namespace replica;
using namespace replica::test;
using sqlite::Query;

namespace {

using Notes = sqlite::RecordSchema<RecordKind<Note>>;
static_assert(sqlite::Schema<Notes> && !sqlite::PendingSchema<Notes>);

const std::string one = "0000000001.00000";
const std::string two = "0000000002.00000";

struct File : Fresh<Notes> {
    File() : Fresh({"a", "", "id", "5", "6", 0}) {}

    [[nodiscard]] RecordInfo info() { return Notes::read_info(connection); }

    void merge(const RecordRow& row) {
        sqlite::Transaction transaction(connection, sqlite::Transaction::Kind::write);
        sqlite::RowChanges<Notes> changes(connection);
        changes.put(std::span(&row, 1));
        changes.finish();
        transaction.commit();
    }

    StockConnection stock{path};
};

} // namespace

BOOST_AUTO_TEST_CASE(a_new_file_has_the_name_and_times_it_was_given) {
    File file;
    const RecordInfo info = file.info();
    BOOST_TEST(info.account == "a");
    BOOST_TEST(info.id == "id");
    BOOST_TEST(info.created_at == "5");
    BOOST_TEST(info.put_timestamp == "6");
    BOOST_TEST(info.status_changed_at == "6");
    BOOST_TEST(info.delete_timestamp == "0");
    BOOST_TEST(info.count == 0);
    BOOST_TEST(info.max_row == -1);
    BOOST_TEST(info.hash == std::string(32, '0'));
    BOOST_CHECK_NO_THROW(sqlite::check_schema<Notes>(file.connection));
}

BOOST_AUTO_TEST_CASE(sums_count_live_records_and_the_bytes_of_their_texts) {
    File file;
    file.merge({-1, "k", one, R"({"a": 1})", 0});
    file.merge({-1, "l", one, R"({"a": 12})", 0});
    BOOST_TEST(file.info().count == 2);
    BOOST_TEST(file.info().bytes_used == 17);
    file.merge({-1, "k", two, "", 1});
    BOOST_TEST(file.info().count == 1);
    BOOST_TEST(file.info().bytes_used == 9);
    BOOST_TEST(file.info().max_row == 3);
    BOOST_TEST(!sqlite::mend_sums<Notes>(file.connection, 1)); // as the rows say
    file.stock.execute("UPDATE record_stat SET record_count = 7");
    BOOST_TEST(sqlite::mend_sums<Notes>(file.connection, 1));
    BOOST_TEST(file.info().count == 1);
    file.stock.execute("UPDATE record_stat SET bytes_used = 1");
    BOOST_TEST(sqlite::mend_sums<Notes>(file.connection, 1));
    BOOST_TEST(file.info().bytes_used == 9);
}

// Of containers and accounts the hash covers some columns only.
BOOST_AUTO_TEST_CASE(two_files_that_differ_in_any_column_have_different_hashes) {
    const auto hash_of = [](const RecordRow& row) {
        File file;
        file.merge(row);
        return file.info().hash;
    };
    const std::array rows{RecordRow{-1, "k", one, "{}", 0}, RecordRow{-1, "l", one, "{}", 0},
                          RecordRow{-1, "k", two, "{}", 0}, RecordRow{-1, "k", one, "{ }", 0},
                          RecordRow{-1, "k", one, "", 1},   RecordRow{-1, "k", one, "", 0}};
    for (std::size_t i = 0; i < rows.size(); ++i) {
        for (std::size_t j = 0; j < rows.size(); ++j) {
            BOOST_TEST((hash_of(rows[i]) == hash_of(rows[j])) == (i == j));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_row_is_read_as_it_was_written) {
    File file;
    const RecordRow row{1, "k", one, R"({"a": "\u0000"})", 0};
    file.merge(row);
    for (const std::string_view sql :
         {Notes::select_since, Notes::select_rowid, Notes::select_key}) {
        Query query = file.connection.query(sql);
        if (sql == Notes::select_since) {
            query.bind(std::int64_t{0}, std::int64_t{9});
        } else if (sql == Notes::select_key) {
            Notes::bind_key(query, RecordState::of(row));
        } else {
            query.bind(std::int64_t{1});
        }
        BOOST_REQUIRE(query.step());
        BOOST_TEST((Notes::read(query) == row));
        BOOST_TEST(Notes::read_rowid(query) == 1);
        if (sql != Notes::select_key) {
            BOOST_TEST(Notes::read_hashed(query) == Notes::hashed(row));
        }
        BOOST_TEST(!query.step());
    }
}

BOOST_AUTO_TEST_CASE(a_file_is_checked_like_any_other) {
    File file;
    file.merge({-1, "k", one, "{}", 0});
    BOOST_TEST(sqlite::check_content<Notes>(file.connection).indexed);
    file.stock.execute("INSERT INTO record (name, changed_at, record, deleted) VALUES ('l', '1',"
                       " '{}', NULL)");
    BOOST_CHECK_THROW((void)sqlite::check_content<Notes>(file.connection), Failure);
    file.stock.execute("DELETE FROM record WHERE name = 'l'");
    file.stock.execute("CREATE TRIGGER evil AFTER INSERT ON record BEGIN DELETE FROM record; END");
    BOOST_CHECK_THROW(sqlite::check_schema<Notes>(file.connection), Failure);
}

BOOST_AUTO_TEST_CASE(people_find_a_member_by_its_name_and_do_not_update_rows) {
    File file;
    file.merge({-1, "k", one, R"({"stars": 3})", 0});
    BOOST_TEST(file.stock.rows("SELECT name, record ->> 'stars' FROM record") == "k|3|");
    BOOST_TEST(sqlite3_exec(file.stock.get(), "UPDATE record SET name = 'l'", nullptr, nullptr,
                            nullptr) == SQLITE_CONSTRAINT);
}

BOOST_AUTO_TEST_CASE(a_database_without_records_is_deleted_by_the_later_time) {
    File file;
    RecordInfo info = file.info();
    BOOST_TEST(!Notes::is_deleted(file.connection, info));
    info.delete_timestamp = "7";
    BOOST_TEST(Notes::is_deleted(file.connection, info));
    info.count = 1;
    BOOST_TEST(!Notes::is_deleted(file.connection, info));
    file.stock.execute("UPDATE record_stat SET status = 'DELETED'");
    BOOST_TEST(Notes::is_deleted(file.connection, info));
}

BOOST_AUTO_TEST_CASE(a_file_without_its_row_of_sums_is_no_database) {
    File file;
    file.stock.execute("DELETE FROM record_stat");
    BOOST_CHECK_EXCEPTION((void)file.info(), Failure, [](const Failure& failure) {
        return failure.error() == Error::missing_table;
    });
}
