#include <replica/sqlite/copy.hpp>

#define BOOST_TEST_MODULE sqlite_copy
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

std::string stamp(int seconds) {
    return Timestamp{seconds * Timestamp::ticks_per_second, 0}.normal();
}

std::vector<ObjectRow> some_rows(int from, int to) {
    std::vector<ObjectRow> rows;
    for (int i = from; i < to; ++i) {
        const std::string name = "row" + std::to_string(i);
        rows.push_back(i % 4 == 0 ? tombstone(name, stamp(i + 1)) : object(name, stamp(i + 1), i));
    }
    return rows;
}

/// A clock that lets something happen whenever a copy asks whether it is too late.
struct BusyClock {
    [[nodiscard]] Timestamp now() const { return clock.now(); }
    [[nodiscard]] Instant monotonic() const {
        if (*meanwhile) {
            (*meanwhile)();
        }
        return clock.monotonic();
    }
    bool sleep_until(Instant until, const std::stop_token& stop) const {
        return clock.sleep_until(until, stop);
    }

    SimClock clock;
    std::shared_ptr<std::function<void()>> meanwhile =
        std::make_shared<std::function<void()>>(nullptr);
};

/// A container that is copied in pages of three rows while others write.
struct Busy {
    ContainerPlace place;
    BusyClock clock;
    BasicContainerBroker<PosixDisk, BusyClock> broker{
        PosixDisk(), clock, SqliteOptions{.copy_at_once = 0, .page_rows = 3}};
    std::string target = place.directory.path() + "/copy.db";
    int asked = 0;

    Busy() { place.create().merge_items(some_rows(0, 20), "peer"); }

    /// Copies; `writer(n)` is called at the n-th moment at which no lock is held.
    void copy(const std::function<void(int)>& writer) {
        auto database = broker.open(place.path(), Instant::max());
        *clock.meanwhile = [&] { writer(++asked); };
        database.copy_to(target, Instant::max());
        *clock.meanwhile = nullptr;
    }

    /// Same rows with same ROWIDs, same everything else, and sound.
    void require_equal() {
        auto original = place.open();
        auto copied = place.broker.open_upload(target, place.soon());
        BOOST_TEST((copied.items_since(-1, 1000) == original.items_since(-1, 1000)));
        ContainerInfo info = copied.info();
        BOOST_TEST((info == original.info()));
        for (const Direction direction : {Direction::incoming, Direction::outgoing}) {
            BOOST_TEST((copied.sync_points(direction) == original.sync_points(direction)));
        }
        BOOST_TEST((copied.inspect().policies == original.inspect().policies));
        BOOST_TEST(StockConnection(target).rows("PRAGMA integrity_check") == "ok|");
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_copy_by_rows_has_everything_under_the_same_rowids) {
    Busy busy;
    {
        auto database = busy.place.open();
        database.merge_items(some_rows(5, 9), ""); // nothing new: no ROWID is used
        database.put_object("row7", *Timestamp::parse(stamp(99)), 5, "a/b", "e", 2);
        const std::vector<SyncPoint> points{{17, "other"}};
        database.merge_sync_points(points, Direction::outgoing);
        database.merge_metadata(R"({"K": ["v", "1"]})");
        database.reclaim(database.info(), *Timestamp::parse(stamp(6)), Timestamp{});
    }
    busy.copy([](int) {});
    busy.require_equal();
    BOOST_TEST(busy.asked >= 6);
}

BOOST_AUTO_TEST_CASE(rows_that_come_while_it_is_copied_are_in_the_copy) {
    Busy busy;
    busy.copy([&](int n) {
        if (n <= 5) {
            busy.place.open().merge_items(some_rows(100 + n, 104 + n), "peer");
        }
    });
    busy.require_equal();
}

BOOST_AUTO_TEST_CASE(rows_that_are_replaced_while_it_is_copied_are_there_once) {
    Busy busy;
    busy.copy([&](int n) {
        if (n <= 6) {
            busy.place.open().put(object("row" + std::to_string(n), stamp(500 + n), 77));
        }
    });
    busy.require_equal();
}

BOOST_AUTO_TEST_CASE(rows_that_are_lost_while_it_is_copied_are_not_in_the_copy) {
    Busy busy;
    busy.copy([&](int n) {
        if (n == 5) {
            auto database = busy.place.open();
            database.reclaim(database.info(), *Timestamp::parse(stamp(15)), Timestamp{});
        }
    });
    busy.require_equal();
    BOOST_TEST(busy.place.open().inspect().rows == 16); // it did lose four
}

BOOST_AUTO_TEST_CASE(a_stored_hash_that_was_wrong_before_is_copied_as_it_is) {
    Busy busy;
    StockConnection(busy.place.path())
        .execute("UPDATE container_info SET hash = '0123456789abcdef0123456789abcdef'");
    busy.copy([](int) {});
    BOOST_TEST(StockConnection(busy.target).rows("SELECT hash FROM container_info") ==
               "0123456789abcdef0123456789abcdef|");
    BOOST_TEST(StockConnection(busy.target).rows("SELECT count(*) FROM object") == "20|");
}

BOOST_AUTO_TEST_CASE(two_rows_of_one_name_stay_two) {
    Busy busy; // Swift before 2.2 made such
    StockConnection(busy.place.path())
        .execute("INSERT INTO object (name, created_at, size, deleted) VALUES ('row1', '0', 1, 0)");
    busy.copy([](int) {});
    busy.require_equal();
    BOOST_TEST(StockConnection(busy.target).rows("SELECT count(*) FROM object") == "21|");
}

BOOST_AUTO_TEST_CASE(a_copy_that_takes_too_long_is_given_up_and_removed) {
    Busy busy;
    auto database = busy.broker.open(busy.place.path(), Instant::max());
    const Instant deadline = busy.clock.clock.monotonic() + std::chrono::seconds(1);
    *busy.clock.meanwhile = [&] { busy.clock.clock.advance(Seconds(0.3)); };
    BOOST_TEST((error_of([&] {
                    database.copy_to(busy.target, deadline);
                    return 0;
                }) == Error::timed_out));
    BOOST_TEST(!std::filesystem::exists(busy.target));
    BOOST_TEST(database.info().count == 15);
}

BOOST_AUTO_TEST_CASE(an_original_that_is_replaced_meanwhile_ends_the_copy) {
    Busy busy;
    BOOST_TEST((error_of([&] {
                    busy.copy([&](int n) {
                        if (n == 3) {
                            std::filesystem::remove(busy.place.path());
                        }
                    });
                    return 0;
                }) == Error::moved));
    BOOST_TEST(!std::filesystem::exists(busy.target));
}

BOOST_AUTO_TEST_CASE(a_small_file_is_copied_under_one_lock) {
    ContainerPlace place;
    auto database = place.create();
    database.merge_items(some_rows(0, 20), "peer");
    const std::string target = place.directory.path() + "/copy.db";
    database.copy_to(target, place.soon());
    auto copied = place.broker.open_upload(target, place.soon());
    BOOST_TEST((copied.items_since(-1, 1000) == database.items_since(-1, 1000)));
    BOOST_TEST((copied.info() == database.info()));
}

BOOST_AUTO_TEST_CASE(
    a_copy_in_pieces_waits_for_writers_even_if_the_handle_is_older_than_its_patience) {
    ContainerPlace place({.copy_at_once = 0, .page_rows = 3});
    auto database = place.create();
    database.merge_items(some_rows(0, 20), "peer");
    place.clock.advance(Seconds(60)); // a transfer of the live file, in vain
    StockConnection other(place.path());
    other.execute("BEGIN EXCLUSIVE");
    place.clock.at(place.clock.monotonic() + std::chrono::seconds(1),
                   [&] { other.execute("COMMIT"); });
    const std::string target = place.directory.path() + "/copy.db";
    database.copy_to(target, place.soon());
    BOOST_TEST((place.broker.open(target, place.soon()).info() == database.info()));
}

BOOST_AUTO_TEST_CASE(a_writer_that_does_not_end_is_waited_for_until_the_deadline) {
    ContainerPlace place;
    auto database = place.create();
    const std::string target = place.directory.path() + "/copy.db";
    StockConnection other(place.path());
    other.execute("BEGIN EXCLUSIVE");
    const Instant deadline = place.clock.monotonic() + std::chrono::milliseconds(100);
    BOOST_TEST((error_of([&] {
                    database.copy_to(target, deadline);
                    return 0;
                }) == Error::locked));
    BOOST_TEST((place.clock.monotonic() >= deadline));
    BOOST_TEST(!std::filesystem::exists(target));
    other.execute("COMMIT");
    database.copy_to(target, place.soon());
    BOOST_TEST(std::filesystem::exists(target));
}

BOOST_AUTO_TEST_CASE(a_copy_can_be_made_while_others_are_kept_out) {
    ContainerPlace place;
    auto database = place.create();
    database.merge_items(some_rows(0, 20), "peer");
    const std::string target = place.directory.path() + "/copy.db";
    {
        const auto exclusive = database.exclusive(place.soon());
        database.put(object("inside", stamp(300)));
        database.copy_to(target, place.soon());
    }
    auto copied = place.broker.open_upload(target, place.soon());
    BOOST_TEST((copied.items_since(-1, 1000) == database.items_since(-1, 1000)));
    BOOST_TEST(copied.info().count == 16);
}

BOOST_AUTO_TEST_CASE(nothing_is_overwritten_by_a_copy) {
    ContainerPlace place;
    auto database = place.create();
    const std::string target = place.directory.path() + "/copy.db";
    write_file(target, "mine");
    BOOST_TEST((error_of([&] {
                    database.copy_to(target, place.soon());
                    return 0;
                }) == Error::exists));
    BOOST_TEST(read_file(target) == "mine");
    BOOST_TEST((error_of([&] {
                    database.copy_to(place.directory.path() + "/none/copy.db", place.soon());
                    return 0;
                }) == Error::io));
}

BOOST_AUTO_TEST_CASE(an_account_is_copied_by_rows_as_well) {
    const TemporaryDirectory directory;
    const SimClock clock;
    SimTimedAccounts broker(PosixDisk(), clock, SqliteOptions{.copy_at_once = 0, .page_rows = 2});
    AccountInfo info;
    info.account = "a";
    auto database = broker.create(directory.path() + "/a.db", info, Instant::max());
    for (int i = 0; i < 7; ++i) {
        database.put_container("c" + std::to_string(i), *Timestamp::parse(stamp(i)), i, 10 * i);
    }
    database.delete_container("c3", *Timestamp::parse(stamp(50)));
    const std::string target = directory.path() + "/copy.db";
    database.copy_to(target, Instant::max());
    auto copied = broker.open_upload(target, Instant::max());
    BOOST_TEST((copied.items_since(-1, 1000) == database.items_since(-1, 1000)));
    BOOST_TEST((copied.info() == database.info()));
    BOOST_TEST(copied.info().count == 6);
}

// ---- Into memory.

BOOST_AUTO_TEST_CASE(an_image_is_what_lies_in_the_file) {
    ContainerPlace place;
    auto database = place.create();
    database.merge_items(some_rows(0, 200), "peer");
    const auto image = database.image(1 << 20, place.soon());
    BOOST_REQUIRE(image.has_value());
    BOOST_TEST((*image == PosixDisk().read(place.path(), 1 << 20)));
    BOOST_TEST(database.image(std::ssize(*image), place.soon()).has_value());
    BOOST_TEST(!database.image(std::ssize(*image) - 1, place.soon()).has_value());
}

BOOST_AUTO_TEST_CASE(space_that_a_file_was_given_in_advance_is_not_in_its_image) {
    ContainerPlace place;
    place.create().merge_items(some_rows(0, 20), "peer");
    const auto plain = place.open().image(1 << 24, place.soon());
    BasicContainerBroker<PosixDisk, SimClock> broker(PosixDisk(), place.clock,
                                                     SqliteOptions{.chunk_bytes = 1 << 20});
    auto database = broker.open(place.path(), place.soon());
    database.merge_items(some_rows(20, 500), {});
    BOOST_REQUIRE(PosixDisk().stat(place.path())->size >= 1 << 20);
    const auto image = database.image(1 << 24, place.soon());
    BOOST_TEST(image->size() < 1U << 20);
    BOOST_TEST(image->size() >= plain->size());
    PosixDisk().append(place.directory.path() + "/image.db", *image);
    auto copied = broker.open_upload(place.directory.path() + "/image.db", place.soon());
    BOOST_TEST((copied.items_since(-1, 1000) == database.items_since(-1, 1000)));
}

BOOST_AUTO_TEST_CASE(an_image_is_not_taken_in_the_middle_of_a_change) {
    ContainerPlace place;
    place.create().merge_items(some_rows(0, 20), "peer");
    auto database = place.open();
    auto other = place.open();
    {
        const auto exclusive = database.exclusive(place.soon());
        BOOST_TEST(!database.image(1 << 20, place.soon()).has_value());
        BOOST_CHECK_EXCEPTION(
            static_cast<void>(other.image(1 << 20, place.clock.monotonic())), Failure,
            [](const Failure& failure) { return failure.error() == Error::locked; });
    }
    BOOST_TEST(database.image(1 << 20, place.soon()).has_value());
    PosixDisk().remove(place.path());
    BOOST_CHECK_EXCEPTION(static_cast<void>(database.image(1 << 20, place.soon())), Failure,
                          [](const Failure& failure) { return failure.error() == Error::moved; });
}
