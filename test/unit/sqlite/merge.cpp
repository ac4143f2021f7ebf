#include <replica/sqlite/merge.hpp>

#define BOOST_TEST_MODULE sqlite_merge
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Kind = sqlite::Transaction::Kind;

/// A container, and merges into it without anything around them.
template <class S, class Place>
struct File {
    Place place;
    sqlite::Connection connection{place.path(), sqlite::Connection::Mode::existing,
                                  sqlite::wait_by(place.clock), place.soon()};

    sqlite::Merged put(const std::vector<typename S::row_type>& rows,
                       std::optional<std::int64_t> known = {}, Timestamp forgotten = {}) {
        sqlite::Transaction transaction(connection, Kind::write);
        sqlite::RowChanges<S> changes(connection);
        const sqlite::Merged merged = changes.put(rows, known, forgotten);
        changes.finish();
        transaction.commit();
        return merged;
    }

    bool remove(std::int64_t rowid) {
        sqlite::Transaction transaction(connection, Kind::write);
        sqlite::RowChanges<S> changes(connection);
        const bool removed = changes.remove(rowid);
        changes.finish();
        transaction.commit();
        return removed;
    }

    /// The hash of the rows as they are, added up anew.
    std::string hash_of_rows() {
        sqlite::Chexor hash;
        sqlite::Query rows = connection.query("SELECT ROWID FROM " + std::string(S::rows));
        while (rows.step()) {
            sqlite::Query row = connection.query(S::select_rowid);
            row.bind(rows.integer(0)).step();
            hash.toggle(row.view(1), S::read_hashed(row));
        }
        return hash.text();
    }

    std::string rows(const std::string& sql) { return StockConnection(place.path()).rows(sql); }
};

struct MadeContainer : ContainerPlace {
    MadeContainer() { create(); }
};

struct MadeAccount {
    TemporaryDirectory directory;
    SimClock clock;
    [[nodiscard]] std::string path() const { return directory.path() + "/a.db"; }
    [[nodiscard]] Instant soon() const { return clock.monotonic() + std::chrono::seconds(5); }
    MadeAccount() { SimTimedAccounts(PosixDisk(), clock).create(path(), AccountInfo{}); }
};

using ContainerFile = File<sqlite::ContainerSchema, MadeContainer>;
using AccountFile = File<sqlite::AccountSchema, MadeAccount>;

std::string stamp(int seconds) {
    return Timestamp{seconds * Timestamp::ticks_per_second, 0}.normal();
}

ContainerRow reported(const std::string& name, int put, std::int64_t objects, std::int64_t bytes,
                      std::int64_t policy = 0, int deleted = 0) {
    return {-1, name, stamp(put), deleted != 0 ? stamp(deleted) : "0", objects, bytes, 0, policy};
}

/// Steps of all statements of a connection that walked through a table instead of an index.
std::int64_t full_scan_steps(sqlite::Connection& connection) {
    std::int64_t steps = 0;
    sqlite3_stmt* each = nullptr;
    while ((each = sqlite3_next_stmt(connection.get(), each)) != nullptr) {
        steps += sqlite3_stmt_status(each, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0);
    }
    return steps;
}

constexpr const char* all_rows = "SELECT ROWID, name FROM object ORDER BY ROWID";

} // namespace

BOOST_AUTO_TEST_CASE(rows_get_their_rowids_in_the_order_of_their_names) {
    ContainerFile file;
    const auto merged =
        file.put({object("c", stamp(1)), object("a", stamp(1)), object("b", stamp(1))});
    BOOST_TEST(merged.changed == 3);
    BOOST_TEST(file.rows(all_rows) == "1|a|2|b|3|c|");
}

BOOST_AUTO_TEST_CASE(nothing_to_merge_writes_nothing) {
    ContainerFile file;
    file.put({object("a", stamp(2))});
    const std::string before = read_file(file.place.path());
    BOOST_TEST(file.put({}).changed == 0);
    BOOST_TEST(file.put({object("a", stamp(2))}).changed == 0);
    BOOST_TEST(file.put({object("a", stamp(1), 9)}).changed == 0);
    BOOST_TEST(!file.remove(77));
    BOOST_TEST((read_file(file.place.path()) == before));
}

BOOST_AUTO_TEST_CASE(a_newer_row_replaces_the_old_one_above_all_others) {
    ContainerFile file;
    file.put({object("a", stamp(1), 5), object("b", stamp(1), 7)});
    BOOST_TEST(file.put({object("a", stamp(2), 6)}).changed == 1);
    BOOST_TEST(file.rows(all_rows) == "2|b|3|a|");
    BOOST_TEST(file.rows("SELECT object_count, bytes_used FROM policy_stat") == "2|13|");
}

BOOST_AUTO_TEST_CASE(several_rows_of_one_name_in_a_batch_are_joined_first) {
    ContainerFile file;
    const auto merged = file.put({object("a", stamp(1), 1), object("b", stamp(1), 1),
                                  object("a", stamp(3), 3), object("a", stamp(2), 2)});
    BOOST_TEST(merged.changed == 2);
    BOOST_TEST(file.rows("SELECT ROWID, name, size FROM object ORDER BY 1") == "1|a|3|2|b|1|");
}

BOOST_AUTO_TEST_CASE(rows_of_two_policies_are_two_rows) {
    ContainerFile file;
    file.put({object("a", stamp(1), 5, 0), object("a", stamp(2), 7, 1)});
    file.put({object("a", stamp(3), 8, 1)});
    BOOST_TEST(file.rows("SELECT size, storage_policy_index FROM object ORDER BY 2") == "5|0|8|1|");
    BOOST_TEST(file.rows("SELECT storage_policy_index, object_count, bytes_used FROM policy_stat"
                         " ORDER BY 1") == "0|1|5|1|1|8|");
}

BOOST_AUTO_TEST_CASE(a_tombstone_is_kept_and_counts_for_nothing) {
    ContainerFile file;
    file.put({object("a", stamp(1), 5)});
    BOOST_TEST(file.put({tombstone("a", stamp(2))}).changed == 1);
    BOOST_TEST(file.put({object("a", stamp(1), 5)}).changed == 0); // late
    BOOST_TEST(file.rows("SELECT deleted, size FROM object") == "1|0|");
    BOOST_TEST(file.rows("SELECT object_count, bytes_used FROM policy_stat") == "0|0|");
    file.put({tombstone("never", stamp(1))});
    BOOST_TEST(file.rows("SELECT count(*) FROM object") == "2|");
}

BOOST_AUTO_TEST_CASE(after_a_tie_the_winner_lies_above_the_points_of_others) {
    ContainerFile winner; // it holds the winner already: still the loser's replica must get it
    winner.put({object("a", stamp(1), 9), object("b", stamp(1), 1)});
    const auto merged = winner.put({object("a", stamp(1), 5)});
    BOOST_TEST(merged.changed == 0);
    BOOST_TEST(winner.rows("SELECT ROWID, size FROM object WHERE name = 'a'") == "3|9|");
    ContainerFile loser;
    loser.put({object("a", stamp(1), 5)});
    BOOST_TEST(loser.put({object("a", stamp(1), 9)}).changed == 1);
    BOOST_TEST(loser.rows("SELECT ROWID, size FROM object") == "2|9|");
    winner.put({object("a", stamp(1), 9)}); // and comes to rest
    BOOST_TEST(winner.rows("SELECT ROWID, size FROM object WHERE name = 'a'") == "3|9|");
}

BOOST_AUTO_TEST_CASE(a_second_row_of_one_name_is_joined_with_the_first) {
    ContainerFile file; // Swift before 2.2 made such
    StockConnection(file.place.path())
        .execute("INSERT INTO object (name, created_at, size, content_type, etag, deleted) VALUES"
                 " ('a', '0000000001.00000', 1, 't', 'e', 0), ('a', '0000000003.00000', 3, 't',"
                 " 'e', 0), ('a', '0000000002.00000', 0, 't', 'e', 1)");
    file.put({object("a", stamp(2), 2)});
    BOOST_TEST(file.rows("SELECT ROWID, size, deleted FROM object") == "4|3|0|");
    BOOST_TEST(file.rows("SELECT object_count, bytes_used FROM policy_stat") == "1|3|");
    BOOST_TEST(file.rows("SELECT hash FROM container_info") == file.hash_of_rows() + '|');
}

BOOST_AUTO_TEST_CASE(a_row_that_is_taken_out_takes_its_part_of_the_sums_along) {
    ContainerFile file;
    const std::string nothing = file.rows("SELECT hash FROM container_info");
    file.put({object("a", stamp(1), 5), tombstone("b", stamp(1))});
    BOOST_TEST(file.remove(1));
    BOOST_TEST(!file.remove(1));
    BOOST_TEST(file.remove(2));
    BOOST_TEST(file.rows("SELECT object_count, bytes_used FROM policy_stat") == "0|0|");
    BOOST_TEST(file.rows("SELECT hash FROM container_info") == nothing);
    file.put({object("c", stamp(1))});
    BOOST_TEST(file.rows(all_rows) == "3|c|"); // no ROWID is given out again
}

BOOST_AUTO_TEST_CASE(a_batch_with_a_bad_row_is_refused_before_anything_is_written) {
    ContainerFile file;
    file.put({object("a", stamp(1))});
    for (const ObjectRow& bad : {object("", stamp(1)), object("x", "soon"), object("x", "")}) {
        require_refused(Error::bad_request, file.place.path(), file.place.directory, [&] {
            return file.put({object("b", stamp(1)), bad, object("c", stamp(1))});
        });
    }
    BOOST_TEST(file.rows(all_rows) == "1|a|");
}

BOOST_AUTO_TEST_CASE(what_is_stored_and_cannot_be_read_as_a_time_is_older_than_all) {
    ContainerFile file;
    StockConnection(file.place.path())
        .execute("INSERT INTO object (name, created_at, size, deleted) VALUES ('a', 'soon', 1, 0),"
                 " ('b', NULL, 1, 0)");
    file.put({object("a", stamp(1), 5), object("b", stamp(1), 5)});
    BOOST_TEST(file.rows("SELECT name, size FROM object ORDER BY name") == "a|5|b|5|");
    BOOST_TEST(file.rows("SELECT hash FROM container_info") == file.hash_of_rows() + '|');
}

BOOST_AUTO_TEST_CASE(a_stored_hash_that_is_none_stops_the_merge) {
    for (const std::string hash : {"'none'", "NULL", "''"}) {
        ContainerFile file;
        StockConnection(file.place.path()).execute("UPDATE container_info SET hash = " + hash);
        require_refused(Error::corrupt,
                        file.place.path() + ": its stored hash is not 32 hexadecimal digits",
                        file.place.directory, [&] { return file.put({object("a", stamp(1))}); });
    }
}

BOOST_AUTO_TEST_CASE(numbers_out_of_range_wrap_and_come_back) {
    ContainerFile file;
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    file.put({object("a", stamp(1), most), object("b", stamp(1), most), object("c", stamp(1), -9)});
    file.put({tombstone("a", stamp(2)), tombstone("b", stamp(2)), tombstone("c", stamp(2))});
    BOOST_TEST(file.rows("SELECT object_count, bytes_used FROM policy_stat") == "0|0|");
}

BOOST_AUTO_TEST_CASE(an_account_adds_up_rows_objects_and_bytes_for_each_policy) {
    AccountFile file;
    file.put({reported("a", 1, 3, 30), reported("b", 1, 5, 50, 1), reported("c", 1, 0, 0, 0, 2)});
    BOOST_TEST(file.rows("SELECT container_count, object_count, bytes_used FROM account_stat") ==
               "2|8|80|");
    BOOST_TEST(file.rows("SELECT * FROM policy_stat ORDER BY 1") == "0|1|3|30|1|1|5|50|");
    file.put({reported("a", 2, 4, 40, 1)}); // its policy has changed
    BOOST_TEST(file.rows("SELECT * FROM policy_stat ORDER BY 1") == "0|0|0|0|1|2|9|90|");
    BOOST_TEST(file.rows("SELECT hash FROM account_stat") == file.hash_of_rows() + '|');
    BOOST_TEST(file.remove(2));
    BOOST_TEST(file.rows("SELECT hash FROM account_stat") == file.hash_of_rows() + '|');
}

BOOST_AUTO_TEST_CASE(a_container_that_reports_again_replaces_what_it_reported) {
    AccountFile file;
    file.put({reported("a", 1, 9, 90)});
    BOOST_TEST(file.put({reported("a", 1, 3, 30)}).changed == 1);
    BOOST_TEST(file.rows("SELECT object_count, bytes_used FROM account_stat") == "3|30|");
}

BOOST_AUTO_TEST_CASE(rows_up_to_the_point_have_come_before_and_those_above_are_news) {
    AccountFile file;
    file.put({reported("a", 1, 3, 30), reported("b", 1, 3, 30)});
    std::vector<ContainerRow> rows{reported("a", 1, 9, 90), reported("b", 1, 9, 90)};
    rows[0].rowid = 7;
    rows[1].rowid = 8;
    const auto merged = file.put(rows, 7);
    BOOST_TEST(merged.changed == 1);
    BOOST_TEST(file.rows("SELECT ROWID, name, object_count FROM container ORDER BY ROWID") ==
               "3|a|3|4|b|9|"); // both have to go to the other side
}

// Defect 116: what was reclaimed here would go from here to all others once more.
BOOST_AUTO_TEST_CASE(an_old_tombstone_that_has_come_before_and_is_gone_is_no_news) {
    const Timestamp limit{9 * Timestamp::ticks_per_second, 0};
    const auto tombstone = [](int second, std::int64_t rowid) {
        return ObjectRow{rowid, "o", stamp(second), 0, "application/deleted", "noetag", 1, 0};
    };
    struct Row {
        const char* what;
        ObjectRow row;
        std::optional<std::int64_t> point; ///< Nothing: rows without a source.
        const char* after;
    };
    ObjectRow live = tombstone(8, 3);
    live.deleted = 0;
    const std::vector<Row> table{
        {"old, a repeat", tombstone(8, 3), 3, ""},
        {"old, but new here", tombstone(8, 3), 2, "o|1|"},
        {"as old as the limit", tombstone(9, 3), 3, "o|1|"},
        {"old, a repeat, not deleted", live, 3, "o|0|"},
        {"old, and nobody knows whether it is a repeat", tombstone(8, 3), {}, ""},
        {"as old as the limit, without a source", tombstone(9, 3), {}, "o|1|"},
        {"old, without a source, not deleted", live, {}, "o|0|"},
    };
    for (const Row& row : table) {
        ContainerFile file;
        BOOST_TEST(file.put({row.row}, row.point, limit).changed == (*row.after == 0 ? 0 : 1));
        BOOST_TEST(file.rows("SELECT name, deleted FROM object") == row.after, row.what);
    }
    ContainerFile file;
    file.put({{-1, "o", stamp(7), 4, "text/plain", "e", 0, 0}});
    file.put({tombstone(8, 3)}, 3, limit);
    BOOST_TEST(file.rows("SELECT name, deleted FROM object") == "o|1|"); // the row must not live
    ContainerFile other;
    other.put({{-1, "o", stamp(7), 4, "text/plain", "e", 0, 0}});
    other.put({tombstone(8, 3)}, {}, limit);
    BOOST_TEST(other.rows("SELECT name, deleted FROM object") == "o|1|"); // nor this one

    AccountFile account;
    std::vector<ContainerRow> rows{reported("c", 1, 0, 0, 0, 8), reported("d", 1, 0, 0, 0, 9),
                                   reported("e", 1, 2, 0, 0, 8)};
    account.put(rows, 7, limit);
    BOOST_TEST(account.rows("SELECT name, deleted FROM container ORDER BY name") == "d|1|e|0|");
}

BOOST_AUTO_TEST_CASE(the_later_of_two_reports_in_one_batch_counts) {
    AccountFile file;
    file.put({reported("a", 1, 9, 90), reported("a", 1, 4, 40)});
    BOOST_TEST(file.rows("SELECT object_count FROM container") == "4|");
}

BOOST_AUTO_TEST_CASE(the_sums_are_those_that_the_triggers_of_a_stock_server_make) {
    std::mt19937 random(5);
    for (int round = 0; round < 10; ++round) {
        ContainerFile ours;
        ContainerFile stock;
        for (int batch = 0; batch < 8; ++batch) {
            std::vector<ObjectRow> rows;
            for (int i = 0; i < 20; ++i) {
                ObjectRow row =
                    object("r" + std::to_string(random() % 15),
                           stamp(static_cast<int>(random() % 1000)), random() % 100, random() % 2);
                row.deleted = random() % 3 == 0 ? 1 : 0;
                rows.push_back(row);
            }
            ours.put(rows);
        }
        // The same rows, as a stock server inserts them.
        StockConnection file(stock.place.path());
        file.execute("ATTACH '" + ours.place.path() +
                     "' AS o; INSERT INTO object SELECT * FROM"
                     " o.object ORDER BY ROWID");
        const std::string stat = "SELECT * FROM policy_stat ORDER BY storage_policy_index";
        BOOST_TEST(ours.rows(stat) == file.rows(stat));
        const std::string hash = "SELECT hash FROM container_info";
        BOOST_TEST(ours.rows(hash) == file.rows(hash));
    }
}

BOOST_AUTO_TEST_CASE(any_order_of_batches_ends_in_the_same_rows) {
    std::mt19937 random(9);
    std::vector<ObjectRow> rows;
    for (int i = 0; i < 150; ++i) {
        ObjectRow row = object(std::string("n\0", 2) + std::to_string(random() % 12),
                               stamp(static_cast<int>(random() % 4)), random() % 3);
        row.deleted = random() % 4 == 0 ? 1 : 0;
        rows.push_back(row);
    }
    std::string first;
    for (int order = 0; order < 5; ++order) {
        ContainerFile file;
        std::ranges::shuffle(rows, random);
        for (std::size_t at = 0; at < rows.size();) {
            const std::size_t end = std::min(rows.size(), at + 1 + random() % 30);
            file.put({rows.begin() + static_cast<std::ptrdiff_t>(at),
                      rows.begin() + static_cast<std::ptrdiff_t>(end)});
            at = end;
        }
        const std::string outcome =
            file.rows("SELECT hex(name), created_at, size, deleted FROM object ORDER BY name") +
            file.rows("SELECT hash FROM container_info");
        first = first.empty() ? outcome : first;
        BOOST_TEST(outcome == first);
    }
}

BOOST_AUTO_TEST_CASE(many_rows_at_once_end_as_one_by_one_in_the_order_of_their_names) {
    std::mt19937 random(11);
    const auto some_rows = [&](std::size_t count) {
        std::vector<ObjectRow> rows;
        for (std::size_t i = 0; i < count; ++i) {
            const std::string name = std::string("n'%\0\xff", 5) + std::to_string(random() % 120);
            rows.push_back(
                object(name, stamp(static_cast<int>(random() % 5)), random() % 3, random() % 2));
            rows.back().deleted = random() % 4 == 0 ? 1 : 0;
        }
        return rows;
    };
    for (const std::size_t count : {15U, 16U, 23U, 24U, 25U, 48U, 200U}) {
        BOOST_TEST_CONTEXT(count) {
            ContainerFile at_once;
            ContainerFile one_by_one;
            const auto before = some_rows(60);
            at_once.put(before);
            one_by_one.put(before);
            std::map<std::pair<std::string, std::int64_t>, ObjectRow> last; // of a name and policy
            for (const ObjectRow& row : some_rows(count)) {
                last.insert_or_assign({row.name, row.storage_policy_index}, row);
            }
            std::vector<ObjectRow> rows;
            std::int64_t changed = 0;
            for (const auto& [key, row] : last) {
                rows.push_back(row);
                changed += one_by_one.put({row}).changed;
            }
            std::ranges::shuffle(rows, random);
            BOOST_TEST(at_once.put(rows).changed == changed);
            for (const char* const sql :
                 {"SELECT ROWID, hex(name), created_at, size, content_type, etag, deleted,"
                  " storage_policy_index FROM object ORDER BY ROWID",
                  "SELECT * FROM policy_stat ORDER BY storage_policy_index",
                  "SELECT hash FROM container_info", "SELECT seq FROM sqlite_sequence"}) {
                BOOST_TEST(at_once.rows(sql) == one_by_one.rows(sql));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(many_reports_at_once_end_as_one_by_one) {
    AccountFile at_once;
    AccountFile one_by_one;
    for (const int put : {3, 2, 4}) {
        std::vector<ContainerRow> rows;
        for (int i = 0; i < 70; ++i) {
            const int name = 100 + (i * put) % 70;
            rows.push_back(reported("c" + std::to_string(name), put + i % 3, i, 7 * i, i % 2,
                                    i % 5 == 0 ? put + 1 : 0));
        }
        std::ranges::sort(rows, {}, &ContainerRow::name);
        const auto [first, end] = std::ranges::unique(rows, {}, &ContainerRow::name);
        rows.erase(first, end);
        at_once.put(rows);
        for (const ContainerRow& row : rows) {
            one_by_one.put({row});
        }
    }
    const std::string all = "SELECT * FROM container ORDER BY ROWID";
    BOOST_TEST(at_once.rows(all) == one_by_one.rows(all));
    const std::string hash = "SELECT hash FROM account_stat";
    BOOST_TEST(at_once.rows(hash) == one_by_one.rows(hash));
}

BOOST_AUTO_TEST_CASE(second_rows_of_one_name_are_joined_among_many_too) {
    ContainerFile file;
    StockConnection(file.place.path())
        .execute("INSERT INTO object (name, created_at, size, content_type, etag, deleted) VALUES"
                 " ('n12', '0000000001.00000', 1, 't', 'e', 0), ('n12', '0000000003.00000', 3, 't',"
                 " 'e', 0), ('n12', '0000000002.00000', 0, 't', 'e', 1)");
    std::vector<ObjectRow> rows;
    for (int i = 0; i < 30; ++i) {
        rows.push_back(object("n" + std::to_string(i), stamp(2), 2));
    }
    BOOST_TEST(file.put(rows).changed == 29);
    BOOST_TEST(file.rows("SELECT size, deleted FROM object WHERE name = 'n12'") == "3|0|");
    BOOST_TEST(file.rows("SELECT count(*), max(ROWID) FROM object") == "30|33|");
    BOOST_TEST(file.rows("SELECT object_count, bytes_used FROM policy_stat") == "30|61|");
    BOOST_TEST(file.rows("SELECT hash FROM container_info") == file.hash_of_rows() + '|');
}

BOOST_AUTO_TEST_CASE(rows_that_replace_others_lie_above_all_even_if_the_sequence_is_lost) {
    ContainerFile file;
    std::vector<ObjectRow> rows;
    for (int i = 100; i < 150; ++i) {
        rows.push_back(object("n" + std::to_string(i), stamp(1)));
    }
    file.put(rows);
    StockConnection(file.place.path()).execute("UPDATE sqlite_sequence SET seq = 1");
    for (ObjectRow& row : rows) {
        row.created_at = stamp(2);
    }
    BOOST_TEST(file.put(rows).changed == 50);
    BOOST_TEST(file.rows("SELECT count(*), min(ROWID), max(ROWID) FROM object") == "50|51|100|");
}

BOOST_AUTO_TEST_CASE(many_names_are_looked_for_as_one_is_whatever_a_file_says_of_its_size) {
    for (const char* const analysed : {"", "6 6 1", "50 50 1", "50 2 1", "400 1 1", "200000 5 1"}) {
        BOOST_TEST_CONTEXT(analysed) {
            ContainerFile file;
            if (*analysed != '\0') {
                StockConnection(file.place.path())
                    .execute(std::string("ANALYZE; INSERT INTO sqlite_stat1 VALUES ('object',"
                                         " 'ix_object_deleted_name', '") +
                             analysed + "')");
            }
            std::vector<ObjectRow> rows;
            for (int i = 0; i < 5000; ++i) {
                rows.push_back(object("n" + std::to_string(i), stamp(1)));
            }
            sqlite::Connection connection(file.place.path(), sqlite::Connection::Mode::existing,
                                          sqlite::wait_by(file.place.clock), file.place.soon());
            sqlite::Transaction transaction(connection, Kind::write);
            sqlite::RowChanges<sqlite::ContainerSchema> changes(connection);
            changes.put(rows);
            BOOST_TEST(changes.put(rows).changed == 0);
            // Both forms of `deleted` are a table of two. A scan of all rows takes a million.
            BOOST_TEST(full_scan_steps(connection) < 20'000);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_merge_that_is_not_committed_leaves_nothing) {
    ContainerFile file;
    file.put({object("a", stamp(1))});
    const std::string before = read_file(file.place.path());
    {
        const sqlite::Transaction transaction(file.connection, Kind::write);
        sqlite::RowChanges<sqlite::ContainerSchema> changes(file.connection);
        const std::vector<ObjectRow> rows{object("b", stamp(1)), tombstone("a", stamp(2))};
        BOOST_TEST(changes.put(rows).changed == 2);
        changes.finish();
    }
    BOOST_TEST((read_file(file.place.path()) == before));
    BOOST_TEST(file.rows(all_rows) == "1|a|");
}
