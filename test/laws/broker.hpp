#ifndef REPLICA_TEST_LAWS_BROKER_HPP
#define REPLICA_TEST_LAWS_BROKER_HPP

// The laws of broker.hpp, for any store. A fixture is a place with an empty tmp:
//
//   fixture.broker()             the store
//   fixture.create(name)         a fresh database of its own, returns its path
//   fixture.copy_path()          a path in an existing directory where nothing is

#include <replica/broker.hpp>
#include <replica/words/notes.hpp>
#include <replica/words/random.hpp>
#include <replica/words/row_digests.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace replica::laws {

template <class Fixture>
[[nodiscard]] auto open(Fixture& fixture, const std::string& path) {
    auto& broker = fixture.broker();
    return broker.open(path, broker.clock().monotonic() + std::chrono::milliseconds(50));
}

/// `tick`: in seconds.
[[nodiscard]] inline Timestamp time(int tick) {
    return {170'000'000'000'000 + tick * Timestamp::ticks_per_second, 0};
}

/// A row as a client would write it at that tick.
template <class Broker>
[[nodiscard]] auto client_row(const std::string& name, int tick, int size, bool deleted) {
    row_type_of<Broker> row;
    row.name = name;
    row.deleted = deleted ? 1 : 0;
    if constexpr (requires { row.created_at; }) {
        row.created_at = RowTimes{time(tick), time(tick + size), time(tick + size)}.encode();
        row.size = deleted ? 0 : size;
        row.content_type = "type/" + std::to_string(size);
        row.etag = "etag" + std::to_string(size);
    } else if constexpr (requires { row.changed_at; }) {
        row.changed_at = time(tick).internal();
        row.record = deleted ? "" : R"({"n": )" + std::to_string(size) + '}';
    } else {
        row.put_timestamp = deleted ? "0" : time(tick).normal();
        row.delete_timestamp = deleted ? time(tick).normal() : "0";
        row.object_count = deleted ? 0 : size;
        row.bytes_used = deleted ? 0 : size * 10;
    }
    return row;
}

template <class Fixture>
[[nodiscard]] auto row_of(Fixture& fixture, const std::string& name, int tick, int size,
                          bool deleted) {
    return client_row<std::remove_cvref_t<decltype(fixture.broker())>>(name, tick, size, deleted);
}

template <class D>
[[nodiscard]] auto contents(D& database) {
    auto rows = database.items_since(-1, 1'000'000);
    for (auto& row : rows) {
        row.rowid = -1;
    }
    std::ranges::sort(rows, {}, [](const auto& row) { return row.name; });
    return rows;
}

template <class Fixture>
void rows_come_in_order_without_a_gap(Fixture& fixture) {
    const std::string path = fixture.create("order");
    auto database = open(fixture, path);
    BOOST_TEST(database.info().max_row == -1);
    for (int i = 0; i < 25; ++i) {
        const auto row = row_of(fixture, "row" + std::to_string(i % 20), i, i, false);
        database.merge_items(std::span(&row, 1), "");
    }
    std::int64_t point = -1;
    std::size_t seen = 0;
    for (auto rows = database.items_since(point, 7); !rows.empty();
         rows = database.items_since(point, 7)) {
        BOOST_TEST(rows.size() <= 7U);
        for (const auto& row : rows) {
            BOOST_TEST(row.rowid > point);
            point = row.rowid;
            ++seen;
        }
    }
    BOOST_TEST(seen == 20U); // Five were written again and have new ROWIDs.
    BOOST_TEST(point == database.info().max_row);
    BOOST_TEST(database.info().count == 20);
}

/// Two replicas with the same rows under other ROWIDs, and one row more on each side.
template <class Fixture>
void rows_that_only_one_replica_has_are_chosen(Fixture& fixture) {
    auto one = open(fixture, fixture.create("one"));
    auto other = open(fixture, fixture.create("other"));
    for (int i = 0; i < 26; ++i) {
        const auto ours = row_of(fixture, "row" + std::to_string(i), i, i, false);
        const auto theirs = row_of(fixture, "row" + std::to_string(26 - i), 26 - i, 26 - i, false);
        one.merge_items(std::span(&ours, 1), "");
        other.merge_items(std::span(&theirs, 1), "");
    }
    const std::int64_t last = one.info().max_row;
    const RowScan scan = one.scan_rows(5, 1, last);
    const RowScan there = other.scan_rows(5, 1, other.info().max_row);
    BOOST_TEST((scan.sound && there.sound));
    const RowChoice choice = scan.digests.only_here(there.digests.unlike(scan.digests.sums()));
    std::size_t left = 1'000'000;
    const auto rows = one.chosen_rows(choice, 5, -1, last, 100, left);
    BOOST_REQUIRE(rows.size() == 1U);
    BOOST_TEST(rows[0].name == "row0");
}

/// Invariant I4: any order, any number of times, on any replica: the same rows and the same hash.
/// Of an account's rows each has a time of its own, since two reports of one time have no order.
template <class Fixture>
void merging_does_not_depend_on_order_or_repetition(Fixture& fixture) {
    using Row = row_type_of<std::decay_t<decltype(fixture.broker())>>;
    std::vector<Row> rows;
    constexpr bool reports = requires(Row row) { row.object_count; };
    for (int i = 0; i < 120; ++i) { // Few names and few ticks: ties in plenty.
        rows.push_back(
            row_of(fixture, "n" + std::to_string(i % 9), reports ? i : i % 4, i % 5, i % 7 == 0));
    }
    std::vector<std::string> paths;
    Random random(7);
    for (int replica = 0; replica < 4; ++replica) {
        paths.push_back(fixture.create("merge" + std::to_string(replica)));
        auto database = open(fixture, paths.back());
        random.shuffle(rows);
        for (std::size_t at = 0; at < rows.size();) {
            const std::size_t some =
                std::min<std::size_t>(1 + random.next() % 13, rows.size() - at);
            database.merge_items(std::span(rows).subspan(at, some), "");
            at += random.next() % 3 == 0 ? 0 : some; // Some batches come twice.
        }
    }
    auto first = open(fixture, paths[0]);
    for (const std::string& path : paths) {
        auto other = open(fixture, path);
        BOOST_TEST((contents(other) == contents(first)));
        BOOST_TEST(other.info().hash == first.info().hash);
        BOOST_TEST(other.info().count == first.info().count);
        BOOST_TEST(other.info().bytes_used == first.info().bytes_used);
    }
}

/// A late retry of a batch must not undo what has come after it.
template <class Fixture>
void a_batch_that_comes_again_is_no_news(Fixture& fixture) {
    const std::string path = fixture.create("again");
    auto database = open(fixture, path);
    auto late = row_of(fixture, "a", 1, 9, false);
    late.rowid = 7;
    database.merge_items(std::span(&late, 1), "peer");
    auto newer = row_of(fixture, "a", 1, 3, false);
    newer.rowid = 8;
    database.merge_items(std::span(&newer, 1), "peer");
    const auto before = contents(database);
    database.merge_items(std::span(&late, 1), "peer");
    BOOST_TEST((contents(database) == before));
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == 8);
}

template <class Fixture>
void points_never_fall(Fixture& fixture) {
    const std::string path = fixture.create("points");
    auto database = open(fixture, path);
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == -1);
    auto row = row_of(fixture, "a", 1, 1, false);
    row.rowid = 41;
    database.merge_items(std::span(&row, 1), "peer");
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == 41);
    row.rowid = 12;
    database.merge_items(std::span(&row, 1), "peer");
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == 41);
    const std::vector<SyncPoint> points{{40, "peer"}, {7, "other"}};
    database.merge_sync_points(points, Direction::incoming);
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == 41);
    BOOST_TEST(database.sync_point("other", Direction::incoming) == 7);
    BOOST_TEST(database.sync_point("other", Direction::outgoing) == -1);
    BOOST_TEST(database.sync_points(Direction::incoming).size() == 2U);
    BOOST_TEST(database.sync_points(Direction::outgoing).empty());
}

template <class Fixture>
void a_point_that_is_set_may_fall_and_go(Fixture& fixture) {
    const std::string path = fixture.create("set");
    auto database = open(fixture, path);
    for (const std::int64_t point : {41, 12, 0}) {
        database.set_sync_point({point, "peer"}, Direction::outgoing);
        BOOST_TEST(database.sync_point("peer", Direction::outgoing) == point);
    }
    BOOST_TEST(database.sync_points(Direction::incoming).empty());
    const auto version = database.version();
    database.set_sync_point({-1, "peer"}, Direction::outgoing);
    BOOST_TEST(database.sync_points(Direction::outgoing).empty());
    BOOST_TEST(database.version() != version);
}

template <class Fixture>
void times_and_metadata_only_grow(Fixture& fixture) {
    const std::string path = fixture.create("times");
    auto database = open(fixture, path);
    database.merge_timestamps({"1000000000.00000", "2000000000.00000", "1900000000.00000"});
    database.merge_timestamps({"1500000000.00000", "1500000000.00000", "1500000000.00000"});
    BOOST_TEST(database.info().created_at == "1000000000.00000");
    BOOST_TEST(database.info().put_timestamp == "2000000000.00000");
    BOOST_TEST(database.info().delete_timestamp == "1900000000.00000");

    database.merge_metadata(R"({"X-K": ["new", "1700000002.00000"]})");
    database.merge_metadata(R"({"X-K": ["old", "1700000001.00000"]})");
    BOOST_TEST(database.info().metadata == R"({"X-K": ["new", "1700000002.00000"]})");
    for (const std::string bad : {"[]", "x", "{\"a\": 1}", "{\"a\": [1, 2]}", "7"}) {
        BOOST_CHECK_THROW(database.merge_metadata(bad), Failure);
    }
    BOOST_TEST(database.info().metadata == R"({"X-K": ["new", "1700000002.00000"]})");
}

template <class Fixture>
void a_new_id_leaves_rows_and_incoming_points(Fixture& fixture) {
    const std::string path = fixture.create("ids");
    auto database = open(fixture, path);
    const auto row = row_of(fixture, "a", 1, 1, false);
    database.merge_items(std::span(&row, 1), "");
    const auto before = database.info();
    const std::string note = notes::sent_to("out");
    const std::vector<SyncPoint> points{{1, "in"}, {1, "out"}, {1, note}, {99, "beyond"}};
    database.merge_sync_points(points, Direction::incoming);
    database.merge_sync_points(points, Direction::outgoing);
    database.renew_id();
    BOOST_TEST(database.info().id != before.id);
    BOOST_TEST(database.info().hash == before.hash);
    BOOST_TEST(database.info().max_row == before.max_row);
    BOOST_TEST(database.sync_point("in", Direction::incoming) == 1);
    BOOST_TEST(database.sync_points(Direction::outgoing).empty());
    database.set_sync_point({5, notes::agreed()}, Direction::outgoing);
    database.renew_id();
    BOOST_TEST(database.sync_point(notes::agreed(), Direction::outgoing) == 5);
    database.merge_sync_points(points, Direction::outgoing);
    const auto second = [&] {
        return fixture.broker().clock().now().ticks / Timestamp::ticks_per_second;
    };
    const std::int64_t began = second();
    database.adopt("sender");
    const std::int64_t ended = second();
    BOOST_TEST(database.sync_point("sender", Direction::incoming) == before.max_row);
    BOOST_TEST(database.info().id != before.id);
    BOOST_TEST(database.sync_point("out", Direction::outgoing) == 1);
    BOOST_TEST(database.sync_point("beyond", Direction::outgoing) == -1);
    BOOST_TEST(database.sync_point(note, Direction::outgoing) == -1);
    const auto now = fixture.broker().clock().now();
    const std::int64_t agreed = database.sync_point(notes::agreed(), Direction::outgoing);
    BOOST_TEST((began <= agreed && agreed <= ended));
    BOOST_TEST((database.last_heard() <= now));
    BOOST_TEST((database.last_heard() > now.plus(Seconds(-60))));
    const std::string id = database.info().id;
    database.adopt(""); // it may lack rows
    BOOST_TEST(database.sync_points(Direction::incoming).empty());
    BOOST_TEST(database.info().id != id);
}

template <class Fixture>
void reclaim_takes_old_tombstones_only(Fixture& fixture) {
    const std::string path = fixture.create("reclaim");
    auto database = open(fixture, path);
    const std::vector rows{row_of(fixture, "old", 10, 0, true),
                           row_of(fixture, "new", 1000, 0, true),
                           row_of(fixture, "live", 10, 1, false)};
    database.merge_items(rows, "");
    const auto confirmed = database.info();
    const auto late = row_of(fixture, "late", 20, 0, true);
    database.merge_items(std::span(&late, 1), ""); // nobody else has it
    const auto max_row = database.info().max_row;
    database.reclaim(confirmed, time(500), Timestamp{});
    std::vector<std::string> names;
    for (const auto& row : contents(database)) {
        names.push_back(row.name);
    }
    BOOST_TEST((names == std::vector<std::string>{"late", "live", "new"}));
    BOOST_TEST(database.info().max_row == max_row);
    database.reclaim(database.info(), time(500), Timestamp{});
    BOOST_TEST(contents(database).size() == 2U);
}

template <class Fixture>
void reclaim_keeps_a_deleted_key_that_came_after_the_snapshot(Fixture& fixture) {
    const std::string path = fixture.create("reclaim-key");
    auto database = open(fixture, path);
    database.merge_metadata(R"({"X-A": ["", "1700000001.00000"]})");
    const auto confirmed = database.info();
    database.merge_metadata(R"({"X-B": ["", "1700000001.00000"]})");
    const Timestamp later = *Timestamp::parse("1700000002.00000");
    database.reclaim(confirmed, later, Timestamp{});
    BOOST_TEST(database.info().metadata == R"({"X-B": ["", "1700000001.00000"]})");
    database.reclaim(database.info(), later, Timestamp{});
    BOOST_TEST(database.info().metadata == "{}");
}

template <class Fixture>
void the_note_of_the_last_agreement_is_never_reclaimed(Fixture& fixture) {
    const std::string path = fixture.create("agreed");
    auto database = open(fixture, path);
    const std::string other = notes::sent_to("elsewhere");
    database.set_sync_point({1'700'000'000, notes::agreed()}, Direction::outgoing);
    database.set_sync_point({7, other}, Direction::outgoing);
    const Timestamp later = fixture.broker().clock().now().plus(Seconds(86400));
    database.reclaim(database.info(), later, later);
    BOOST_TEST(database.sync_point(notes::agreed(), Direction::outgoing) == 1'700'000'000);
    BOOST_TEST(database.sync_point(other, Direction::outgoing) == -1);
}

template <class Fixture>
void sums_that_are_right_stay(Fixture& fixture) {
    const std::string path = fixture.create("sums");
    auto database = open(fixture, path);
    BOOST_TEST(!database.mend_sums());
    const std::vector rows{row_of(fixture, "dead", 10, 0, true),
                           row_of(fixture, "live", 10, 1, false)};
    database.merge_items(rows, "");
    const auto before = database.info();
    const auto version = database.version();
    BOOST_TEST(!database.mend_sums());
    BOOST_TEST(database.version() == version); // nothing was written
    BOOST_TEST(database.info().hash == before.hash);
    BOOST_TEST(database.info().count == before.count);
}

template <class Fixture>
void an_exclusive_lock_keeps_others_out(Fixture& fixture) {
    const std::string path = fixture.create("exclusive");
    auto database = open(fixture, path);
    auto other = open(fixture, path);
    const auto row = row_of(fixture, "a", 1, 1, false);
    {
        const auto exclusive = database.exclusive(fixture.broker().clock().monotonic());
        BOOST_TEST(database.info().count == 0);
        BOOST_CHECK_EXCEPTION(
            other.merge_items(std::span(&row, 1), ""), Failure,
            [](const Failure& failure) { return failure.error() == Error::locked; });
    }
    BOOST_TEST(!fixture.broker().disk().stat(path + "-journal").has_value());
    auto later = open(fixture, path);
    later.merge_items(std::span(&row, 1), "");
    BOOST_TEST(later.info().count == 1);
}

template <class Fixture>
void a_copy_is_whole_and_the_version_moves(Fixture& fixture) {
    const std::string path = fixture.create("copy");
    auto database = open(fixture, path);
    const auto version = database.version();
    for (int i = 0; i < 50; ++i) {
        const auto row = row_of(fixture, "row" + std::to_string(i), i, i, i % 3 == 0);
        auto other = open(fixture, path);
        other.merge_items(std::span(&row, 1), "someone");
    }
    BOOST_TEST(database.version() != version);
    const auto still = database.version();
    BOOST_TEST(database.version() == still);
    database.merge_metadata(R"({"X-K": ["v", "1700000002.00000"]})");
    const std::string target = fixture.copy_path();
    const auto deadline = fixture.broker().clock().monotonic() + std::chrono::seconds(5);
    database.copy_to(target, deadline);
    auto copy = fixture.broker().open_upload(target, deadline);
    BOOST_TEST((contents(copy) == contents(database)));
    BOOST_TEST(copy.info().hash == database.info().hash);
    BOOST_TEST(copy.info().id == database.info().id);
    BOOST_TEST(copy.info().metadata == database.info().metadata);
    BOOST_TEST(copy.info().max_row <= database.info().max_row);
    BOOST_TEST(
        (copy.sync_points(Direction::incoming) == database.sync_points(Direction::incoming)));
    BOOST_CHECK_THROW(database.copy_to(target, deadline), Failure); // Something is there.
}

template <class Fixture>
void check_broker_laws(Fixture& fixture) {
    rows_come_in_order_without_a_gap(fixture);
    if constexpr (ComparableDatabase<std::remove_cvref_t<decltype(open(fixture, ""))>>) {
        rows_that_only_one_replica_has_are_chosen(fixture);
    }
    merging_does_not_depend_on_order_or_repetition(fixture);
    a_batch_that_comes_again_is_no_news(fixture);
    points_never_fall(fixture);
    a_point_that_is_set_may_fall_and_go(fixture);
    times_and_metadata_only_grow(fixture);
    a_new_id_leaves_rows_and_incoming_points(fixture);
    reclaim_takes_old_tombstones_only(fixture);
    reclaim_keeps_a_deleted_key_that_came_after_the_snapshot(fixture);
    the_note_of_the_last_agreement_is_never_reclaimed(fixture);
    sums_that_are_right_stay(fixture);
    an_exclusive_lock_keeps_others_out(fixture);
    a_copy_is_whole_and_the_version_moves(fixture);
}

} // namespace replica::laws

#endif // REPLICA_TEST_LAWS_BROKER_HPP
