#include <replica/sqlite/host.hpp>

#define BOOST_TEST_MODULE sqlite_host
#include <boost/test/unit_test.hpp>

#include <sqlite3.h>
#include <support/sqlite_place.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

constexpr Timestamp at(std::int64_t seconds) {
    return {seconds * Timestamp::ticks_per_second, 0};
}

/// An account, for what the two kinds do not have in common.
struct AccountPlace {
    TemporaryDirectory directory;
    SimTimedAccounts broker;
    std::string path = directory.path() + "/sdb1/accounts/1/abc/h/h.db";
    SimTimedAccounts::database_type database = broker.create(path, [] {
        AccountInfo info;
        info.account = "a";
        info.put_timestamp = at(10).internal();
        return info;
    }());
};

/// A container put at 10.0.
struct Home {
    ContainerPlace place;
    ContainerPlace::Database database = place.broker.create(place.path(), [] {
        ContainerInfo info = container_info();
        info.put_timestamp = at(10).internal();
        return info;
    }());

    [[nodiscard]] std::string stored(const std::string& columns) const {
        return StockConnection(place.path()).rows("SELECT " + columns + " FROM container_info");
    }

    template <class Call>
    void refused(Error error, const std::string& reason, Call&& call) {
        require_refused(error, reason, place.directory, call);
        require_refused(error, place.path(), place.directory, call);
    }
};

/// Lets another server try to write before every statement of a connection, as long as it lives.
class Rival {
public:
    Rival(const std::string& path, sqlite3* watched, std::string sql)
        : other_(path), watched_(watched), sql_(std::move(sql)) {
        sqlite3_trace_v2(watched, SQLITE_TRACE_STMT, &Rival::statement, this);
    }
    Rival(const Rival&) = delete;
    Rival& operator=(const Rival&) = delete;
    ~Rival() { sqlite3_trace_v2(watched_, 0, nullptr, nullptr); }

    int wrote = 0;
    int kept_out = 0;

private:
    static int statement(unsigned, void* self, void*, void*) {
        auto& rival = *static_cast<Rival*>(self);
        sqlite3* const file = rival.other_.get();
        if (sqlite3_exec(file, rival.sql_.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) {
            ++rival.wrote;
        } else {
            sqlite3_exec(file, "ROLLBACK", nullptr, nullptr, nullptr);
            ++rival.kept_out;
        }
        return 0;
    }

    StockConnection other_;
    sqlite3* watched_;
    std::string sql_;
};

/// One row, a point in each direction and a status, in one commit.
constexpr const char* one_of_each =
    "BEGIN IMMEDIATE;"
    "INSERT INTO object (name, created_at, size, deleted) SELECT 'r' || count(*),"
    " '0000000001.00000', 1, 0 FROM object;"
    "INSERT INTO incoming_sync (remote_id, sync_point) SELECT 'r' || count(*), 1 FROM"
    " incoming_sync;"
    "INSERT INTO outgoing_sync (remote_id, sync_point) SELECT 'r' || count(*), 1 FROM"
    " outgoing_sync;"
    "COMMIT";

/// The connection of a database, for a look at what it does.
struct Open : ContainerPlace::Database {
    using ContainerPlace::Database::connection;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_program_puts_lists_and_deletes) {
    Home home;
    BOOST_TEST(home.database.empty());
    BOOST_TEST(home.database.put(object("a", at(11).internal(), 5)).changed == 1);
    const std::vector<ObjectRow> rows{object("c", at(11).internal(), 1),
                                      object("b", at(11).internal(), 2)};
    BOOST_TEST(home.database.put(rows).changed == 2);
    BOOST_TEST(!home.database.empty());
    BOOST_TEST(home.database.list().size() == 3U);
    BOOST_TEST(home.database.info().bytes_used == 8);
    home.database.put(tombstone("a", at(12).internal()));
    const auto listed = home.database.list({.limit = 1});
    BOOST_REQUIRE(listed.size() == 1U);
    BOOST_TEST(listed[0].row.name == "b");
    BOOST_TEST(home.database.info().count == 2);
    BOOST_TEST(home.database.put(std::vector<ObjectRow>{}).changed == 0);
}

BOOST_AUTO_TEST_CASE(a_late_word_about_a_row_changes_nothing) {
    Home home;
    home.database.put(object("a", at(11).internal(), 5));
    BOOST_TEST(home.database.put(tombstone("a", at(10).internal())).changed == 0);
    BOOST_TEST(home.database.put(object("a", at(11).internal(), 5)).changed == 0);
    BOOST_TEST(home.database.list().size() == 1U);
    BOOST_TEST(home.database.info().max_row == 1);
}

BOOST_AUTO_TEST_CASE(a_batch_with_one_bad_row_is_refused_as_a_whole) {
    Home home;
    const auto bad = [&](const ObjectRow& row, const std::string& reason) {
        const std::vector<ObjectRow> rows{object("good", at(11).internal()), row};
        home.refused(Error::bad_request, reason, [&] { return home.database.put(rows); });
    };
    bad(object("", at(11).internal()), "has no name");
    bad(object("x", "yesterday"), "'yesterday'");
    bad(object("x", ""), "created_at");
    bad(object("x", "-1"), "created_at");
    bad(object("x", "99999999999"), "created_at");
    BOOST_TEST(home.database.empty());
}

BOOST_AUTO_TEST_CASE(text_that_could_not_be_sent_is_not_taken) {
    Home home; // else the database could send neither it nor any row after it, for ever
    for (const std::string text : {"\xff", "cut\xc3", "\xed\xa0\x80", "\xc0\x80"}) {
        ObjectRow row = object("x", at(11).internal());
        for (std::string* field : {&row.name, &row.content_type, &row.etag}) {
            const std::string good = *field;
            *field = text;
            home.refused(Error::bad_request, "not UTF-8", [&] { return home.database.put(row); });
            *field = good;
        }
        home.refused(Error::bad_request, "not UTF-8", [&] {
            home.database.set_metadata("K", text, at(1));
            return 0;
        });
        home.refused(Error::bad_request, "not UTF-8", [&] {
            home.database.set_metadata(text, "v", at(1));
            return 0;
        });
    }
    BOOST_TEST(home.database.put(object("x", at(11).internal())).changed == 1);
}

BOOST_AUTO_TEST_CASE(names_may_hold_anything_that_is_utf8) {
    Home home;
    const std::string reserved("\0versions\0o", 11);
    const std::string beyond("sn\xc3\xb6w \xe2\x98\x83 \xf0\x9f\x98\x80\n'\"");
    home.database.put(object(reserved, at(11).internal()));
    home.database.put(object(beyond, at(11).internal()));
    home.database.set_metadata(reserved, beyond, at(11));
    const auto listed = home.database.list();
    BOOST_REQUIRE(listed.size() == 2U);
    BOOST_TEST(listed[0].row.name == reserved);
    BOOST_TEST(listed[1].row.name == beyond);
    BOOST_TEST((home.database.metadata().find(reserved) == beyond));
    home.database.put(tombstone(reserved, at(12).internal()));
    BOOST_TEST(home.database.list().size() == 1U);
}

BOOST_AUTO_TEST_CASE(metadata_is_set_read_and_deleted) {
    Home home;
    home.database.set_metadata("X-Color", "red", at(1));
    home.database.set_metadata("X-Color", "blue", at(2));
    home.database.set_metadata("X-Color", "late", at(1));
    BOOST_TEST(home.database.metadata().find("X-Color").value() == "blue");
    BOOST_TEST(home.database.info().metadata == R"({"X-Color": ["blue", "0000000002.00000"]})");
    home.database.set_metadata("X-Color", "", at(3));
    BOOST_TEST(!home.database.metadata().find("X-Color").has_value());
    BOOST_TEST(home.database.metadata().items().size() == 1U); // remembered until reclaimed
    home.database.reclaim(home.database.info(), at(4), at(0));
    BOOST_TEST(home.database.metadata().items().empty());
}

BOOST_AUTO_TEST_CASE(metadata_that_is_no_news_writes_nothing) {
    Home home;
    home.database.set_metadata("K", "v", at(2));
    const auto before = files_below(home.place.directory.path());
    home.database.set_metadata("K", "v", at(2));
    home.database.set_metadata("K", "old", at(1));
    home.database.merge_metadata("");
    BOOST_TEST((files_below(home.place.directory.path()) == before));
}

BOOST_AUTO_TEST_CASE(metadata_of_the_wrong_shape_is_refused) {
    Home home;
    home.database.set_metadata("K", "v", at(2));
    for (const std::string text : {"x", "[]", "{\"Key\": 1}", "{\"Key\": [\"v\", \"soon\"]}",
                                   "{\"Key\": [\"v\"]}", "{\"Key\": [\"\xff\", \"1\"]}"}) {
        home.refused(Error::bad_request, "", [&] {
            home.database.merge_metadata(text);
            return 0;
        });
    }
}

BOOST_AUTO_TEST_CASE(a_deleted_container_has_no_metadata_but_its_root) {
    Home home;
    home.database.set_metadata("X-Color", "red", at(11));
    home.database.set_metadata("X-Later", "green", at(30));
    home.database.set_metadata("X-Container-Sysmeta-Shard-Root", "a/c", at(11));
    home.database.set_metadata("x-container-sysmeta-shard-QUOTED-root", "a/c", at(11));
    home.database.mark_deleted(at(20));
    const Metadata left = home.database.metadata();
    BOOST_TEST(!left.find("X-Color").has_value());
    BOOST_TEST(left.find("X-Later").value() == "green"); // set after the deletion
    BOOST_TEST(left.find("X-Container-Sysmeta-Shard-Root").value() == "a/c");
    BOOST_TEST(left.find("x-container-sysmeta-shard-QUOTED-root").value() == "a/c");
    BOOST_TEST(home.database.is_deleted());
    BOOST_TEST(home.stored("status, delete_timestamp, status_changed_at") ==
               "DELETED|0000000020.00000|0000000020.00000|");
}

BOOST_AUTO_TEST_CASE(a_deletion_before_the_last_put_counts_for_nothing) {
    Home home;
    home.database.mark_deleted(at(5));
    BOOST_TEST(!home.database.is_deleted());
    home.database.mark_deleted(at(20));
    home.database.mark_deleted(at(15)); // late
    BOOST_TEST(home.database.info().delete_timestamp == at(20).internal());
}

BOOST_AUTO_TEST_CASE(a_container_with_rows_is_not_deleted_and_a_new_put_undeletes) {
    Home home;
    home.database.put(object("a", at(11).internal()));
    home.database.mark_deleted(at(20));
    BOOST_TEST(!home.database.is_deleted());
    home.database.put(tombstone("a", at(19).internal()));
    BOOST_TEST(home.database.is_deleted());
    home.database.mark_put(at(18));
    BOOST_TEST(home.database.is_deleted());
    home.database.mark_put(at(30));
    BOOST_TEST(!home.database.is_deleted());
    BOOST_TEST(home.stored("status, put_timestamp, status_changed_at") ==
               "|0000000030.00000|0000000030.00000|");
    home.database.mark_put(at(40)); // no change of status
    BOOST_TEST(home.database.info().status_changed_at == at(30).internal());
}

BOOST_AUTO_TEST_CASE(an_account_is_deleted_as_soon_as_it_is_marked) {
    AccountPlace place;
    place.database.put_container("c", at(11), 1, 1);
    place.database.set_metadata("X-Color", "red", at(11));
    place.database.mark_deleted(at(20));
    BOOST_TEST(place.database.is_deleted());
    BOOST_TEST(!place.database.metadata().find("X-Color").has_value());
    place.database.mark_put(at(30));
    BOOST_TEST(!place.database.is_deleted());
}

BOOST_AUTO_TEST_CASE(an_inspection_shows_everything_but_the_rows) {
    Home home;
    home.database.put(object("a", at(11).internal(), 5));
    home.database.put(object("b", at(11).internal(), 7, 2));
    home.database.put(tombstone("gone", at(11).internal()));
    home.database.set_metadata("K", "v", at(1));
    const std::vector<SyncPoint> points{{7, "peer"}};
    home.database.merge_sync_points(points, Direction::incoming);
    home.database.merge_sync_points(points, Direction::outgoing);
    const auto seen = home.database.inspect();
    BOOST_TEST((seen.info == home.database.info()));
    BOOST_TEST((seen.incoming == points));
    BOOST_TEST((seen.outgoing == points));
    BOOST_TEST(seen.rows == 3);
    BOOST_TEST((seen.policies == std::map<std::int64_t, PolicyUse>{{0, {1, 5}}, {2, {1, 7}}}));
    BOOST_TEST(!home.database.empty());
    home.database.put(tombstone("a", at(12).internal()));
    BOOST_TEST(!home.database.empty()); // b is there, under another policy
    ObjectRow gone = tombstone("b", at(12).internal());
    gone.storage_policy_index = 2;
    home.database.put(gone);
    BOOST_TEST(home.database.empty());
    BOOST_TEST(home.database.inspect().rows == 3);
}

BOOST_AUTO_TEST_CASE(an_inspection_is_of_one_moment) {
    Home home;
    Open open(std::move(home.database));
    Rival rival(home.place.path(), open.connection().get(), one_of_each);
    for (int round = 0; round < 3; ++round) {
        const auto seen = open.inspect();
        const auto count = static_cast<std::size_t>(seen.info.count);
        BOOST_TEST(seen.rows == seen.info.count);
        BOOST_TEST(seen.info.max_row == (count == 0 ? -1 : seen.info.count));
        BOOST_TEST(seen.incoming.size() == count);
        BOOST_TEST(seen.outgoing.size() == count);
    }
    BOOST_TEST(rival.wrote >= 3);
    BOOST_TEST(rival.kept_out >= 3);
}

BOOST_AUTO_TEST_CASE(what_replicas_tell_each_other_is_of_one_moment) {
    Home home;
    Open open(std::move(home.database));
    Rival rival(home.place.path(), open.connection().get(), one_of_each);
    for (int round = 0; round < 3; ++round) {
        const ContainerInfo info = open.info();
        BOOST_TEST(info.max_row == (info.count == 0 ? -1 : info.count));
        BOOST_TEST(info.bytes_used == info.count);
    }
    BOOST_TEST(rival.wrote >= 3);
}

BOOST_AUTO_TEST_CASE(a_write_waits_for_another_server_until_the_deadline) {
    Home home;
    home.database.put(object("a", at(11).internal()));
    StockConnection other(home.place.path());
    other.execute("BEGIN IMMEDIATE");
    BOOST_TEST(home.database.list().size() == 1U); // readers do not wait for it
    const auto refused = [&](auto call) {
        home.database.set_deadline(home.place.clock.monotonic() + std::chrono::milliseconds(50));
        home.refused(Error::locked, "locked", [&] {
            call();
            return 0;
        });
    };
    refused([&] { home.database.put(object("b", at(11).internal())); });
    refused([&] { home.database.set_metadata("K", "v", at(1)); });
    refused([&] { home.database.mark_deleted(at(20)); });
    refused([&] { home.database.mark_put(at(20)); });
    other.execute("COMMIT");
    BOOST_TEST(home.database.put(object("b", at(11).internal())).changed == 1);
}

BOOST_AUTO_TEST_CASE(rows_of_a_stock_server_are_seen_at_once) {
    Home home;
    home.database.put(object("ours", at(11).internal()));
    StockConnection other(home.place.path());
    other.execute("INSERT INTO object (name, created_at, size, deleted) VALUES"
                  " ('theirs', '0000000011.00000', 4, 0)");
    BOOST_TEST(home.database.list().size() == 2U);
    BOOST_TEST(home.database.info().bytes_used == 5);
    home.database.put(tombstone("theirs", at(12).internal()));
    BOOST_TEST(other.rows("SELECT name FROM object WHERE deleted = 0") == "ours|");
}

BOOST_AUTO_TEST_CASE(a_file_that_was_replaced_is_neither_read_nor_written) {
    Home home;
    home.database.put(object("a", at(11).internal()));
    const std::string path = home.place.path();
    std::filesystem::rename(path, path + ".old");
    home.place.create();
    const auto refused = [&](auto call) {
        home.refused(Error::moved, "replaced or removed", [&] {
            call();
            return 0;
        });
    };
    refused([&] { home.database.put(object("b", at(11).internal())); });
    refused([&] { static_cast<void>(home.database.list()); });
    refused([&] { static_cast<void>(home.database.inspect()); });
    refused([&] { static_cast<void>(home.database.is_deleted()); });
    refused([&] { static_cast<void>(home.database.empty()); });
    refused([&] { home.database.set_metadata("K", "v", at(1)); });
    refused([&] { home.database.mark_deleted(at(20)); });
    refused([&] { home.database.mark_put(at(20)); });
}

BOOST_AUTO_TEST_CASE(what_no_request_could_carry_is_not_stored) {
    Home home;
    ObjectRow row = object("large", at(11).internal());
    row.content_type = std::string(most_row_bytes, 'x');
    home.refused(Error::bad_request, "row 'large': takes 167",
                 [&] { return home.database.put(row); });
    BOOST_CHECK_EXCEPTION(
        home.database.set_metadata("X-Meta-A", std::string(most_item_bytes, 'x'), at(20)), Failure,
        [](const Failure& failure) {
            return std::string(failure.what()).starts_with("metadata 'X-Meta-A': takes 1048584");
        });
    row.content_type = std::string(most_row_bytes - 1000, 'x');
    home.database.put(row);
    home.database.set_metadata("X-Meta-A", std::string(most_item_bytes - 8, 'x'), at(20));
    BOOST_TEST(home.database.info().count == 1);
}
