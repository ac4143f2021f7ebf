#include <replica/sqlite/record.hpp>

#define BOOST_TEST_MODULE sqlite_record
#include <boost/test/unit_test.hpp>

#include <support/notes.hpp>
#include <support/sqlite_place.hpp>
#include <support/table_ring.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

static_assert(Broker<RecordBroker<Note>> && ComparableDatabase<RecordBroker<Note>::database_type> &&
              ImagedDatabase<RecordBroker<Note>::database_type>);

namespace {

template <class T>
using SimTimed = BasicRecordBroker<T, PosixDisk, SimClock>;

template <class T = Note>
struct Book {
    TemporaryDirectory directory;
    SimClock clock;
    SimTimed<T> broker{PosixDisk(), clock};
    std::string path = directory.path() + "/sdb1/notes/1/abc/h/h.db";
    typename SimTimed<T>::database_type database = broker.open_or_create(path, "mine");

    [[nodiscard]] std::string rows() const {
        return StockConnection(path).rows("SELECT name, record, deleted FROM record ORDER BY 1");
    }

    /// As replication does: all rows of another, with points.
    template <class Other>
    void pull(Other& other) {
        const auto rows = other.database.items_since(
            database.sync_point(other.database.info().id, Direction::incoming), 1000);
        database.merge_items(rows, other.database.info().id);
    }
};

/// For watchers that can read all.
void refuse(const std::string& /*key*/, const Failure& failure) {
    throw failure;
}

} // namespace

BOOST_AUTO_TEST_CASE(records_are_put_listed_and_erased) {
    Book book;
    book.database.put({"milk", "buy milk", 1});
    book.database.put({"ann", "call Ann", 2});
    book.database.put({"milk", "buy oat milk", 3}); // in the same tick
    BOOST_TEST((book.database.get("milk") == Note{"milk", "buy oat milk", 3}));
    BOOST_TEST((book.database.list() ==
                std::vector<Note>{{"ann", "call Ann", 2}, {"milk", "buy oat milk", 3}}));
    BOOST_TEST(book.database.info().count == 2);
    BOOST_TEST(book.database.erase("ann"));
    BOOST_TEST(!book.database.get("ann").has_value());
    BOOST_TEST(!book.database.erase("ann"));
    BOOST_TEST(book.database.list().size() == 1U);
    book.database.put({"ann", "again", 0}); // in the same tick as the erasure
    BOOST_TEST((book.database.get("ann") == Note{"ann", "again", 0}));
}

BOOST_AUTO_TEST_CASE(a_list_goes_page_by_page_in_the_order_of_bytes) {
    Book book;
    const std::vector<std::string> keys{"", "Z", "a", "a/b", "a/c", "b", "\xc3\xa4"};
    for (const std::string& key : keys) {
        if (!key.empty()) {
            book.database.put({key, "", 0});
        }
    }
    std::vector<std::string> seen{""};
    for (auto page = book.database.list({.limit = 2}); !page.empty();
         page = book.database.list({.marker = seen.back(), .delimiter = "/", .limit = 2})) {
        for (const Note& note : page) {
            seen.push_back(note.id);
        }
    }
    BOOST_TEST((seen == keys));
    BOOST_TEST(book.database.list({.prefix = "a/"}).size() == 2U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_stored_changes_nothing) {
    Book book;
    book.database.put({"k", "before", 1});
    for (const Note& bad : {Note{"", "", 0}, Note{"k", "\xff", 0}, Note{"\xff", "", 0}}) {
        require_refused(Error::bad_request, "", book.directory, [&] {
            book.database.put(bad);
            return 0;
        });
    }
    require_refused(Error::bad_request, "", book.directory,
                    [&] { return book.database.erase(""); });
    BOOST_TEST((book.database.get("k") == Note{"k", "before", 1}));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_record_is_told_with_its_key) {
    Book book;
    const std::string large(most_record_bytes - 30, 'x');
    book.database.put({"k", large, 1});
    require_refused(Error::bad_request, "record 'k': takes 838", book.directory, [&] {
        book.database.put({"k", large + std::string(100, 'x'), 2});
        return 0;
    });
    require_refused(Error::bad_request, "record 'bad': text is not UTF-8", book.directory, [&] {
        book.database.put({"bad", "\xff", 0});
        return 0;
    });
    BOOST_TEST((book.database.get("k") == Note{"k", large, 1}));
}

BOOST_AUTO_TEST_CASE(many_records_are_put_together_or_none_is) {
    Book book;
    book.database.together([&] {
        for (int i = 0; i < 100; ++i) {
            book.database.put({"k" + std::to_string(i), "", i});
        }
    });
    BOOST_TEST(book.database.info().count == 100);
    const auto fail = [&] {
        book.database.erase("k0");
        book.database.put({"", "", 0});
    };
    BOOST_CHECK_THROW(book.database.together(fail), Failure);
    BOOST_TEST(book.database.get("k0").has_value());
}

BOOST_AUTO_TEST_CASE(rows_are_read_up_to_a_number_of_bytes_and_one_at_least) {
    Book book;
    for (const char* const key : {"a", "b", "c"}) {
        book.database.put({key, std::string(1000, 'x'), 0});
    }
    const auto read = [&](std::size_t most) {
        return book.database.items_since(-1, 10, most).size();
    };
    BOOST_TEST(read(1) == 1U);
    BOOST_TEST(read(1000) == 1U);
    BOOST_TEST(read(1500) == 2U);
    BOOST_TEST(read(100'000) == 3U);
    const auto first = [&](std::int64_t count, std::size_t left) {
        const auto rows = first_items(book.database, -1, count, left);
        return std::pair(rows.size(), left);
    };
    BOOST_TEST((first(2, 100'000).first == 2U));
    BOOST_TEST((first(2, 100'000).second > 0U));
    BOOST_TEST((first(10, 1500) == std::pair(std::size_t{2}, std::size_t{0})));
}

BOOST_AUTO_TEST_CASE(a_write_is_later_than_what_it_replaces_whatever_the_clock_says) {
    Book ahead;
    Book behind;
    ahead.clock.jump(std::chrono::hours(1));
    ahead.database.put({"k", "of a clock that is an hour ahead", 1});
    behind.pull(ahead);
    behind.database.put({"k", "seen, and changed", 2});
    ahead.pull(behind);
    BOOST_TEST((ahead.database.get("k") == Note{"k", "seen, and changed", 2}));
    BOOST_TEST(behind.database.erase("k"));
    ahead.pull(behind);
    BOOST_TEST(!ahead.database.get("k").has_value());
}

BOOST_AUTO_TEST_CASE(nothing_is_written_after_the_last_time_that_there_is) {
    Book book;
    const std::string last = Timestamp{Timestamp::max_ticks - 1, 0}.internal();
    const std::string but_one = Timestamp{Timestamp::max_ticks - 2, 0}.internal();
    BOOST_TEST(last == "9999999999.99999");
    const std::vector<RecordRow> rows{{1, "fixed", last, R"({"stars": 1})", 0},
                                      {2, "gone", last + "_00000000000000ff", "", 1},
                                      {3, "late", but_one, R"({"stars": 3})", 0}};
    book.database.merge_items(rows, "there"); // rows of peers come in, whatever their time
    for (const std::string key : {"fixed", "gone"}) {
        require_refused(Error::bad_request, "record '" + key + "'", book.directory, [&] {
            book.database.put({key, "later", 2});
            return 0;
        });
        require_refused(Error::bad_request, "record '" + key + "'", book.directory,
                        [&] { return book.database.erase(key); });
    }
    BOOST_TEST((book.database.get("fixed") == Note{"fixed", "", 1}));
    BOOST_TEST(!book.database.get("gone").has_value());
    book.database.put({"late", "at the last time", 4});
    BOOST_TEST((book.database.get("late") == Note{"late", "at the last time", 4}));
    BOOST_TEST((error_of([&] { return book.database.erase("late"); }) == Error::bad_request));
    book.database.put({"other", "", 5});
    BOOST_TEST(book.database.info().count == 3);
}

BOOST_AUTO_TEST_CASE(a_clock_beyond_the_last_time_writes_nothing) {
    Book book;
    book.clock.jump(std::chrono::seconds(10'000'000'000));
    require_refused(Error::bad_request, "record 'k'", book.directory, [&] {
        book.database.put({"k", "", 0});
        return 0;
    });
    BOOST_TEST(book.database.list().empty());
}

BOOST_AUTO_TEST_CASE(an_erasure_goes_to_nodes_that_have_what_this_one_has_not) {
    Book here;
    Book there;
    there.database.put({"k", "not here yet", 1});
    here.clock.jump(std::chrono::seconds(1));
    BOOST_TEST(!here.database.erase("k"));
    there.pull(here);
    BOOST_TEST(!there.database.get("k").has_value());
}

BOOST_AUTO_TEST_CASE(replicas_that_change_one_record_agree_on_one_of_the_changes) {
    Book one;
    Book other;
    one.database.put({"k", "one", 1});
    other.database.put({"k", "other", 2}); // at the same time
    one.pull(other);
    other.pull(one);
    one.pull(other);
    BOOST_TEST((one.database.get("k") == other.database.get("k")));
    BOOST_TEST(one.database.info().hash == other.database.info().hash);
}

BOOST_AUTO_TEST_CASE(a_watcher_sees_what_replication_brought_once_and_in_its_last_state) {
    Book here;
    Book there;
    here.database.put({"own", "", 0});
    std::map<std::string, std::optional<Note>> seen;
    const auto see = [&](const std::string& key, const std::optional<Note>& note) {
        BOOST_TEST(seen.emplace(key, note).second); // each once
    };
    RecordPoint point = here.database.now();
    for (int stars = 0; stars < 3; ++stars) {
        there.database.put({"k", "", stars});
    }
    there.database.put({"gone", "", 0});
    there.database.erase("gone");
    here.pull(there);
    point = here.database.watch(point, see, refuse);
    BOOST_TEST(seen.size() == 2U);
    BOOST_TEST((seen.at("k") == Note{"k", "", 2}));
    BOOST_TEST(!seen.at("gone").has_value());
    seen.clear();
    here.pull(there); // nothing is new
    BOOST_TEST((here.database.watch(point, see, refuse) == point));
    BOOST_TEST(seen.empty());
    BOOST_TEST((here.database.watch({}, see, refuse) == point));
    BOOST_TEST(seen.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_watcher_sees_more_than_a_page) {
    Book here;
    std::vector<RecordRow> rows;
    for (int i = 0; i < 2500; ++i) {
        rows.push_back({i, "k" + std::to_string(i), "0000000001.00000", "{}", 0});
    }
    here.database.merge_items(rows, "there");
    int seen = 0;
    const auto see = [&](const std::string&, const std::optional<Note>&) { ++seen; };
    BOOST_TEST((here.database.watch({}, see, refuse) == here.database.now()));
    BOOST_TEST(seen == 2500);
}

BOOST_AUTO_TEST_CASE(a_watcher_begins_anew_after_its_file_was_replaced) {
    Book here;
    for (const std::string key : {"a", "b", "c"}) {
        here.database.put({key, "", 1});
    }
    const RecordPoint point = here.database.now();
    Book other; // fewer rows, of which none has a ROWID beyond the point
    other.database.put({"from elsewhere", "", 2});
    std::filesystem::rename(other.path, here.path);
    auto replaced = here.broker.open(here.path, Instant::max());
    BOOST_TEST(replaced.now().rowid < point.rowid);
    std::vector<std::string> keys;
    const auto see = [&](const std::string& key, const std::optional<Note>&) {
        keys.push_back(key);
    };
    const RecordPoint next = replaced.watch(point, see, refuse);
    BOOST_TEST((keys == std::vector<std::string>{"from elsewhere"}));
    BOOST_TEST((next == replaced.now()));
    BOOST_TEST(next.id != point.id);
    replaced.put({"later", "", 3});
    keys.clear();
    BOOST_TEST((replaced.watch(next, see, refuse) == replaced.now()));
    BOOST_TEST((keys == std::vector<std::string>{"later"}));
    // The handle of the file that is gone tells so, and the watcher keeps its point.
    BOOST_TEST((error_of([&] { return here.database.watch(point, see, refuse); }) == Error::moved));
}

BOOST_AUTO_TEST_CASE(a_watcher_begins_anew_if_the_id_changes_while_it_watches) {
    Book here;
    std::vector<RecordRow> rows;
    for (int i = 0; i < 1001; ++i) {
        rows.push_back({i, "k" + std::to_string(i), "0000000001.00000", "{}", 0});
    }
    here.database.merge_items(rows, "there");
    int seen = 0;
    const auto see = [&](const std::string&, const std::optional<Note>&) {
        if (++seen == 1000) { // the last of the first page
            here.database.renew_id();
        }
    };
    const RecordPoint point = here.database.watch({}, see, refuse);
    BOOST_TEST((point == here.database.now()));
    BOOST_TEST(seen == 1000 + 1001);
}

BOOST_AUTO_TEST_CASE(a_watcher_gets_past_a_record_that_it_cannot_read) {
    Book book;
    const std::vector<RecordRow> rows{{1, "a", "0000000001.00000", R"({"stars": 1})", 0},
                                      {2, "bad", "0000000001.00000", R"({"stars": "many"})", 0},
                                      {3, "c", "0000000001.00000", R"({"stars": 3})", 0},
                                      {4, "worse", "0000000001.00000", "[]", 0}};
    book.database.merge_items(rows, "there");
    std::vector<std::string> keys;
    const auto see = [&](const std::string& key, const std::optional<Note>&) {
        keys.push_back(key);
    };
    std::vector<std::string> left_out;
    const auto note = [&](const std::string& key, const Failure& failure) {
        BOOST_TEST((failure.error() == Error::bad_request));
        BOOST_TEST(std::string(failure.what()).starts_with("record '" + key + "'"));
        left_out.push_back(key);
    };
    const RecordPoint point = book.database.watch({}, see, note);
    BOOST_TEST((keys == std::vector<std::string>{"a", "c"}));
    BOOST_TEST((left_out == std::vector<std::string>{"bad", "worse"}));
    BOOST_TEST((point == book.database.now()));
    BOOST_TEST((book.database.watch(point, see, note) == point)); // each once
    BOOST_TEST(left_out.size() == 2U);
    book.database.put({"bad", "mended", 2});
    BOOST_TEST((book.database.watch(point, see, note) == book.database.now()));
    BOOST_TEST(keys.back() == "bad");
    BOOST_TEST(left_out.size() == 2U);
}

BOOST_AUTO_TEST_CASE(what_a_watcher_throws_is_no_fault_of_the_record) {
    Book book;
    book.database.put({"k", "", 0});
    int told = 0;
    const auto see = [](const std::string&, const std::optional<Note>&) {
        throw Failure(Error::io, "the caller's");
    };
    const auto count = [&](const std::string&, const Failure&) { ++told; };
    BOOST_TEST((error_of([&] { return book.database.watch({}, see, count); }) == Error::io));
    BOOST_TEST(told == 0);
}

BOOST_AUTO_TEST_CASE(a_list_leaves_out_what_cannot_be_read_only_if_the_caller_hears_it) {
    Book book;
    std::vector<RecordRow> rows;
    for (const std::string key : {"a", "b", "c", "d", "e", "f"}) {
        const bool bad = key == "b" || key == "c" || key == "f";
        rows.push_back({-1, key, "0000000001.00000", bad ? R"({"stars": ""})" : "{}", 0});
    }
    book.database.merge_items(rows, "");
    BOOST_TEST((error_of([&] { return book.database.list(); }) == Error::bad_request));
    std::vector<std::string> left_out;
    const auto note = [&](const std::string& key, const Failure&) { left_out.push_back(key); };
    BOOST_TEST((book.database.list({}, note) ==
                std::vector<Note>{{"a", "", 0}, {"d", "", 0}, {"e", "", 0}}));
    BOOST_TEST((left_out == std::vector<std::string>{"b", "c", "f"}));
    left_out.clear(); // a page is filled up, so that an empty one is the end
    BOOST_TEST(
        (book.database.list({.marker = "a", .limit = 1}, note) == std::vector<Note>{{"d", "", 0}}));
    BOOST_TEST((left_out == std::vector<std::string>{"b", "c"}));
    BOOST_TEST(book.database.list({.limit = 0}, note).empty());
    BOOST_TEST(book.database.list({.marker = "e"}, note).empty());
    BOOST_TEST(left_out.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_struct_that_gained_members_opens_the_older_file) {
    Book old_program;
    old_program.database.put({"k", "text", 1});
    SimTimed<LaterNote> broker{PosixDisk(), old_program.clock};
    auto later = broker.open(old_program.path, Instant::max());
    BOOST_TEST((later.get("k") == LaterNote{"k", "text", 1, "white", std::nullopt}));
    later.put({"k", "text", 1, "red", 0.1});
    BOOST_TEST((old_program.database.get("k") == Note{"k", "text", 1}));
    auto upload = old_program.broker.open_upload(old_program.path, Instant::max()); // and back
    BOOST_TEST(!upload.mend_sums());
}

BOOST_AUTO_TEST_CASE(neither_an_older_nor_a_newer_program_loses_a_column_of_the_other) {
    Book<Note> older;
    Book<LaterNote> newer;
    newer.database.put({"k", "text", 1, "red", 0.1});
    older.pull(newer);
    older.database.put({"k", "changed", 2});
    newer.pull(older);
    BOOST_TEST((newer.database.get("k") == LaterNote{"k", "changed", 2, "red", 0.1}));
    BOOST_TEST(newer.database.info().hash == older.database.info().hash);
    newer.database.put({"k", "changed", 2, "blue", {}});
    older.pull(newer);
    BOOST_TEST(older.rows() == newer.rows());
    older.database.erase("k");
    older.database.put({"k", "new", 3}); // after an erasure nothing is left of the old record
    newer.pull(older);
    BOOST_TEST((newer.database.get("k") == LaterNote{"k", "new", 3, "white", std::nullopt}));
}

BOOST_AUTO_TEST_CASE(a_database_is_made_once_and_then_opened) {
    Book book;
    book.database.put({"k", "", 0});
    BOOST_TEST(book.broker.open_or_create(book.path, "mine").info().count == 1);
    BOOST_TEST(book.database.info().account == "mine");
    std::filesystem::resize_file(book.path, 5000);
    BOOST_CHECK_THROW((void)book.broker.open_or_create(book.path, "mine"), Failure);
}

BOOST_AUTO_TEST_CASE(a_database_lies_where_the_ring_and_its_name_say) {
    Settings settings;
    settings.devices = "/data";
    settings.hash_path_suffix = "secret";
    const TableRing ring({Device{}, Device{}}, 2, 4);
    const std::string hash = HashPath{"", "secret"}("/mine");
    const std::string partition = std::to_string(ring.version().partition(hash));
    BOOST_TEST(RecordBroker<Note>::path(settings, ring.version(), "sda", "mine") ==
               "/data/sda/notes/" + partition + '/' + hash.substr(29) + '/' + hash + '/' + hash +
                   ".db");
}

BOOST_AUTO_TEST_CASE(a_record_of_another_type_is_told_by_its_key) {
    Book book;
    const RecordRow row{-1, "k", "0000000001.00000", R"({"stars": "many"})", 0};
    book.database.merge_items(std::span(&row, 1), "");
    BOOST_CHECK_EXCEPTION((void)book.database.get("k"), Failure, [](const Failure& failure) {
        return failure.error() == Error::bad_request &&
               std::string(failure.what()).find("record 'k': its stars") != std::string::npos;
    });
}
