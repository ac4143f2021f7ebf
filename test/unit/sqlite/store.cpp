#include <replica/sqlite/store.hpp>

#define BOOST_TEST_MODULE sqlite_store

#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <laws/broker.hpp>
#include <support/fifo.hpp>
#include <support/notes.hpp>
#include <support/old_journal.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using namespace replica;
using Notes = RecordBroker<test::Note>;
using Brokers = boost::mpl::list<AccountBroker, ContainerBroker, Notes>;
using SwiftBrokers = boost::mpl::list<AccountBroker, ContainerBroker>; // whose servers run triggers

/// The table of rows, that of sums, and the columns whose text must be UTF-8.
template <class B>
struct Names {
    std::string rows = "object";
    std::string stat = "container_info";
    std::vector<std::string> columns{"name", "created_at"};
};
template <>
struct Names<AccountBroker> {
    std::string rows = "container";
    std::string stat = "account_stat";
    std::vector<std::string> columns{"name", "put_timestamp", "delete_timestamp"};
};
template <>
struct Names<Notes> {
    std::string rows = "record";
    std::string stat = "record_stat";
    std::vector<std::string> columns{"name", "changed_at", "record"};
};

constexpr Instant never = Instant::max();

template <class B>
class Place {
public:
    explicit Place(SqliteOptions options = {}) : broker_({}, {}, options) {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "replica-sqlite-XXXXXX").string();
        root_ = ::mkdtemp(pattern.data());
        std::filesystem::create_directories(root_ + "/tmp");
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { std::filesystem::remove_all(root_); }

    [[nodiscard]] B& broker() { return broker_; }
    [[nodiscard]] const std::string& root() const { return root_; }
    [[nodiscard]] std::string path(const std::string& name) const {
        return root_ + "/sda/containers/1/abc/" + name + '/' + name + ".db";
    }
    [[nodiscard]] static info_type_of<B> info() {
        info_type_of<B> info;
        info.account = "AUTH_a";
        if constexpr (requires { info.container; }) {
            info.container = "c";
        }
        return info;
    }
    std::string create(const std::string& name) {
        broker_.create(path(name), info());
        return path(name);
    }
    [[nodiscard]] std::string copy_path() const { return root_ + "/tmp/copy"; }

private:
    std::string root_;
    B broker_;
};

[[nodiscard]] std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& bytes) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
}

/// The call fails with this error, names the file, and leaves it as it was.
template <class Call>
void refused(Error error, const std::string& path, Call call) {
    const std::string before = std::filesystem::is_regular_file(path) ? bytes_of(path) : "";
    try {
        call();
        BOOST_ERROR("not refused: " << path);
    } catch (const Failure& failure) {
        BOOST_TEST((failure.error() == error), failure.what());
        BOOST_TEST(std::string(failure.what()).find(path) != std::string::npos, failure.what());
    }
    if (std::filesystem::is_regular_file(path)) {
        BOOST_TEST((bytes_of(path) == before));
    }
}

/// SQL on a file by another hand, with triggers and views as a stock server has them.
void run_sql(const std::string& path, const std::string& sql) {
    sqlite3* file = nullptr;
    BOOST_REQUIRE(sqlite3_open(path.c_str(), &file) == SQLITE_OK);
    BOOST_REQUIRE(sqlite::register_chexor(file) == SQLITE_OK);
    char* error = nullptr;
    const int code = sqlite3_exec(file, sql.c_str(), nullptr, nullptr, &error);
    BOOST_TEST(code == SQLITE_OK, (error != nullptr ? error : ""));
    sqlite3_free(error);
    sqlite3_close(file);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_database_and_its_copy_are_for_their_owner_only, B, Brokers) {
    using std::filesystem::perms;
    for (const std::int64_t at_once : {1 << 20, 0}) { // all pages at once, or by rows
        SqliteOptions options;
        options.copy_at_once = at_once;
        Place<B> place(options);
        const std::string path = place.create("a");
        place.broker().open(path, never).copy_to(place.copy_path(), never);
        for (const std::string& file : {path, place.copy_path()}) {
            BOOST_TEST((std::filesystem::status(file).permissions() ==
                        (perms::owner_read | perms::owner_write)),
                       file);
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(real_files_obey_the_laws, B, Brokers) {
    Place<B> place;
    laws::check_broker_laws(place);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_file_too_large_for_one_lock_is_copied_by_rows, B, Brokers) {
    SqliteOptions options;
    options.copy_at_once = 0;
    options.page_rows = 7;
    Place<B> place(options);
    laws::a_copy_is_whole_and_the_version_moves(place);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_there_is_not_made_again, B, Brokers) {
    Place<B> place;
    const std::string path = place.create("twice");
    refused(Error::exists, path, [&] { place.broker().create(path, Place<B>::info()); });
    BOOST_TEST(std::distance(
                   std::filesystem::directory_iterator(std::filesystem::path(path).parent_path()),
                   {}) == 1); // No draft is left.
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_bad_file_gives_a_clear_error_and_stays_as_it_is, B, Brokers) {
    Place<B> place;
    const auto open = [&](const std::string& path) {
        return [&, path] { (void)place.broker().open(path, never); };
    };
    const std::string missing = place.path("missing");
    refused(Error::missing, missing, open(missing));
    BOOST_TEST(!std::filesystem::exists(missing));

    const std::string directory = place.path("directory");
    std::filesystem::create_directories(directory);
    refused(Error::not_a_database, directory, open(directory));

    const std::string text = place.path("text");
    write(text, std::string(5000, 'x'));
    refused(Error::not_a_database, text, open(text));

    const std::string empty = place.path("empty");
    write(empty, "");
    refused(Error::missing_table, empty, open(empty));

    const std::string cut = place.create("cut");
    std::filesystem::resize_file(cut, 5000);
    BOOST_CHECK_THROW((void)place.broker().open(cut, never), Failure);

    const std::string other = place.path("other");
    std::filesystem::create_directories(std::filesystem::path(other).parent_path());
    run_sql(other, "CREATE TABLE somebody (x)");
    refused(Error::missing_table, other, open(other));

    const std::string bare = place.create("bare");
    run_sql(bare, "DELETE FROM " + Names<B>().stat);
    refused(Error::missing_table, bare, open(bare));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_fifo_in_the_place_of_a_file_holds_nobody_up, B, Brokers) {
    Place<B> place;
    const std::string upload = place.root() + "/tmp/upload";
    const test::Fifo fifo(upload);
    const auto all = [&](const std::string& path) {
        return [&, path] { (void)place.broker().open_upload(path, never); };
    };
    const auto live = [&](const std::string& path) {
        return [&, path] { (void)place.broker().open(path, never); };
    };
    refused(Error::not_a_database, upload, [&] { fifo.must_not_hold_up(all(upload)); });
    refused(Error::not_a_database, upload, [&] { fifo.must_not_hold_up(live(upload)); });

    // SQLite reads a journal before anything else.
    const std::string path = place.create("beside");
    const test::Fifo journal(path + "-journal");
    refused(Error::io, path, [&] { journal.must_not_hold_up(live(path)); });
    std::filesystem::remove(path + "-journal");
    std::filesystem::create_symlink(place.root() + "/nowhere", path + "-journal");
    refused(Error::io, path + "-journal", live(path));
    std::filesystem::remove(path + "-journal");
    BOOST_TEST(place.broker().open(path, never).info().count == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_link_does_not_lead_to_the_database_of_somebody_else, B, Brokers) {
    Place<B> place;
    const std::string other = place.create("other");
    const std::string before = bytes_of(other);
    const std::string link = place.root() + "/tmp/link";
    for (const std::string& target : {other, place.root(), place.root() + "/nowhere"}) {
        std::filesystem::create_symlink(target, link);
        refused(Error::io, link, [&] { place.broker().open_upload(link, never).renew_id(); });
        refused(Error::io, link, [&] { place.broker().open(link, never).renew_id(); });
        std::filesystem::remove(link);
    }
    BOOST_TEST((bytes_of(other) == before));

    // Devices, and any directory on the way, may be links.
    std::filesystem::create_symlink(place.root() + "/sda", place.root() + "/sdb");
    std::string path = other;
    path.replace(place.root().size(), 4, "/sdb");
    BOOST_TEST(place.broker().open(path, never).info().count == 0);
    BOOST_TEST(place.broker().open_upload(path, never).info().count == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_locked_file_is_waited_for_until_the_deadline, B, Brokers) {
    Place<B> place;
    const std::string path = place.create("locked");
    auto holder = place.broker().open(path, never);
    const auto exclusive = holder.exclusive(never);
    const Instant began = place.broker().clock().monotonic();
    refused(Error::locked, path,
            [&] { (void)place.broker().open(path, began + std::chrono::milliseconds(120)); });
    const Seconds took = place.broker().clock().monotonic() - began;
    BOOST_TEST(took.count() >= 0.12);
    BOOST_TEST(took.count() < 5);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_file_that_was_replaced_is_not_written_through_an_old_handle, B,
                              Brokers) {
    Place<B> place;
    const std::string path = place.create("old");
    const std::string next = place.create("next");
    auto handle = place.broker().open(path, never);
    std::filesystem::rename(next, path);
    const std::string before = bytes_of(path);
    const auto row = laws::client_row<B>("lost", 1, 1, false);
    refused(Error::moved, path, [&] { handle.merge_items(std::span(&row, 1), ""); });
    refused(Error::moved, path, [&] { (void)handle.info(); });
    BOOST_TEST((bytes_of(path) == before));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_row_that_cannot_be_stored_changes_nothing, B, Brokers) {
    Place<B> place;
    const std::string path = place.create("poison");
    auto database = place.broker().open(path, never);
    std::vector rows{laws::client_row<B>("good", 1, 1, false),
                     laws::client_row<B>("", 2, 2, false)};
    BOOST_CHECK_THROW(database.merge_items(rows, "peer"), Failure);
    BOOST_TEST(database.info().count == 0);
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == -1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(names_may_hold_anything, B, Brokers) {
    Place<B> place;
    auto database = place.broker().open(place.create("names"), never);
    std::vector<std::string> names{std::string("nul\0inside", 10),
                                   "sn\xc3\xb6w \xe2\x98\x83",
                                   "\xf0\x9f\x98\x80",
                                   "quote'\"",
                                   "line\nbreak",
                                   "a/b/../c"};
    for (const std::string& name : names) {
        const auto row = laws::client_row<B>(name, 1, 1, false);
        database.merge_items(std::span(&row, 1), "");
    }
    std::vector<std::string> read;
    for (const auto& row : database.items_since(-1, 100)) {
        read.push_back(row.name);
    }
    BOOST_TEST((read == names));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_upload_is_taken_only_if_all_of_it_is_sound, B, Brokers) {
    Place<B> place;
    const auto made = [&](const std::string& name) {
        const std::string path = place.create(name);
        auto database = place.broker().open(path, never);
        std::vector<row_type_of<B>> rows;
        for (int i = 0; i < 400; ++i) {
            rows.push_back(laws::client_row<B>("row" + std::to_string(i), i, i, false));
        }
        database.merge_items(rows, "");
        return path;
    };
    const auto upload = [&](const std::string& path) {
        return [&, path] { (void)place.broker().open_upload(path, never); };
    };
    const std::string good = made("good");
    BOOST_TEST(place.broker().open_upload(good, never).info().count == 400);

    const std::string wal = made("wal");
    std::string bytes = bytes_of(wal);
    bytes[18] = bytes[19] = 2;
    write(wal, bytes);
    refused(Error::wal, wal, upload(wal));

    const std::string torn = made("torn");
    bytes = bytes_of(torn);
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size()) / 2, 4096, '\0');
    write(torn, bytes);
    refused(Error::corrupt, torn, upload(torn));

    const std::string hash = made("hash");
    run_sql(hash, "UPDATE " + Names<B>().stat + " SET hash = '00000000000000000000000000000001'");
    const std::string before = bytes_of(hash);
    auto other = place.broker().open_upload(hash, never);
    BOOST_TEST((bytes_of(hash) == before));
    BOOST_TEST(other.mend_sums()); // the rows count
    BOOST_TEST(!other.mend_sums());
    BOOST_TEST(other.info().hash == place.broker().open(good, never).info().hash);
    BOOST_TEST(!place.broker().open_upload(hash, never).mend_sums());

    const std::string trigger = made("trigger");
    run_sql(trigger, "CREATE TRIGGER evil AFTER INSERT ON incoming_sync BEGIN"
                     " DELETE FROM incoming_sync; END");
    refused(Error::unknown_schema, trigger, upload(trigger));

    const std::string view = made("view");
    run_sql(view, "CREATE VIEW spy AS SELECT * FROM incoming_sync");
    refused(Error::unknown_schema, view, upload(view));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_upload_with_a_text_that_is_not_utf8_is_refused, B, Brokers) {
    Place<B> place;
    const auto [table, stat, columns] = Names<B>();
    // '?' stands for the text.
    std::vector<std::string> statements{
        "UPDATE " + stat + " SET account = ?", "UPDATE " + stat + " SET metadata = ?",
        "UPDATE " + stat + " SET id = ?", "UPDATE incoming_sync SET remote_id = ?"};
    for (const std::string& bad : columns) {
        std::string values;
        for (const std::string& column : columns) {
            values += (values.empty() ? "" : ", ") + std::string(column == bad ? "?" : "'16'");
        }
        std::string names = columns[0];
        std::for_each(columns.begin() + 1, columns.end(),
                      [&](const std::string& column) { names += ", " + column; });
        statements.push_back("INSERT INTO " + table + " (" + names + ", deleted) VALUES (" +
                             values + ", 0)");
    }
    int made = 0;
    for (const std::string& statement : statements) {
        for (const std::string text : {"CAST(x'3136cc30' AS TEXT)", "'160'"}) {
            const std::string file = place.create("file" + std::to_string(++made));
            const auto row = laws::client_row<B>("row", 1, 1, false);
            place.broker().open(file, never).merge_items(std::span(&row, 1), "from");
            std::string sql = statement;
            run_sql(file, sql.replace(sql.find('?'), 1, text));
            const auto take = [&] { (void)place.broker().open_upload(file, never); };
            if (text == "'160'") {
                BOOST_CHECK_NO_THROW(take());
            } else {
                refused(Error::corrupt, file, take);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(our_triggers_do_on_each_row_what_a_merge_does_at_once, B,
                              SwiftBrokers) {
    Place<B> place;
    auto merged = place.broker().open(place.create("merged"), never);
    const std::string other = place.create("triggered");
    for (int i = 0; i < 30; ++i) {
        const auto row = laws::client_row<B>("row" + std::to_string(i), i, i, i % 4 == 0);
        merged.merge_items(std::span(&row, 1), "");
        std::string sql;
        if constexpr (requires { row.created_at; }) {
            sql = "INSERT INTO object (name, created_at, size, content_type, etag, deleted) VALUES"
                  " ('" +
                  row.name + "', '" + row.created_at + "', " + std::to_string(row.size) +
                  ", 't', 'e', " + std::to_string(row.deleted) + ")";
        } else {
            sql = "INSERT INTO container (name, put_timestamp, delete_timestamp, object_count,"
                  " bytes_used, deleted) VALUES ('" +
                  row.name + "', '" + row.put_timestamp + "', '" + row.delete_timestamp + "', " +
                  std::to_string(row.object_count) + ", " + std::to_string(row.bytes_used) + ", " +
                  std::to_string(row.deleted) + ")";
        }
        run_sql(other, sql);
    }
    auto triggered = place.broker().open(other, never);
    BOOST_TEST(triggered.info().hash == merged.info().hash);
    BOOST_TEST(triggered.info().count == merged.info().count);
    BOOST_TEST(triggered.info().bytes_used == merged.info().bytes_used);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(no_journal_of_an_earlier_file_is_played_back_into_a_new_one, B,
                              Brokers) {
    Place<B> place;
    const std::string path = place.path("again");
    write(path + "-journal", test::cutting_journal());
    BOOST_TEST(place.create("again") == path);
    BOOST_TEST(!std::filesystem::exists(path + "-journal"));
    auto database = place.broker().open(path, never);
    database.require_sound(never);
    BOOST_TEST(database.info().account == "AUTH_a");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_journal_beside_a_database_is_left_alone_by_a_second_create, B,
                              Brokers) {
    Place<B> place;
    const std::string path = place.create("twice");
    write(path + "-journal", test::cutting_journal());
    refused(Error::exists, path, [&] { place.create("twice"); });
    BOOST_TEST(bytes_of(path + "-journal") == test::cutting_journal());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(no_journal_is_removed_while_somebody_holds_its_directory, B,
                              Brokers) {
    Place<B> place;
    const std::string path = place.path("held");
    const std::string directory = std::filesystem::path(path).parent_path();
    write(path + "-journal", test::cutting_journal());
    const auto lock = place.broker().disk().try_lock(directory);
    BOOST_REQUIRE(lock.has_value());
    refused(Error::locked, directory,
            [&] { (void)place.broker().create(path, place.info(), Instant()); });
    BOOST_TEST(bytes_of(path + "-journal") == test::cutting_journal());
    BOOST_TEST(std::distance(std::filesystem::directory_iterator(directory), {}) == 2); // and .lock
}

BOOST_AUTO_TEST_CASE(a_policy_is_changed_with_its_sums) {
    Place<ContainerBroker> place;
    auto database = place.broker().open(place.create("policy"), never);
    const auto row = laws::client_row<ContainerBroker>("a", 1, 5, false);
    database.merge_items(std::span(&row, 1), "");
    database.set_storage_policy_index(1, laws::time(99999999));
    BOOST_TEST(database.info().storage_policy_index == 1);
    BOOST_TEST(database.info().count == 0); // The row is in the old policy: the reconciler's.
    database.set_storage_policy_index(0, laws::time(99999999));
    BOOST_TEST(database.info().count == 1);
}

} // namespace
