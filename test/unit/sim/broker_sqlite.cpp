#include <replica/sim/broker.hpp>

// The simulated store and the real one are two implementations of one contract. Whatever a random
// sequence of calls does to a database, both must end with the same: else a simulated cluster
// proves nothing about a real one.

#define BOOST_TEST_MODULE sim_broker_sqlite
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

using namespace replica;

namespace {

/// A directory of its own, removed at the end.
struct Directory {
    Directory() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "replica-sim-XXXXXX").string();
        path = ::mkdtemp(pattern.data());
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() { std::filesystem::remove_all(path); }

    std::string path;
};

std::string some_time(Random& random) {
    const Timestamp time{SimClock::default_start.ticks +
                             static_cast<std::int64_t>(random.next() % 6),
                         random.next() % 4 == 0 ? random.next() % 3 : 0};
    return random.next() % 12 == 0 ? "0" : time.internal();
}

void fill(Random& random, ObjectRow& row) {
    const Timestamp data = timestamp_or_zero(some_time(random));
    const auto later = [&] {
        return random.next() % 2 == 0
                   ? data
                   : Timestamp{data.ticks + static_cast<std::int64_t>(random.next() % 9), 0};
    };
    const Timestamp type = later();
    row.deleted = random.next() % 3 == 0 ? 1 : 0;
    row.created_at = RowTimes{data, type, std::max(type, later())}.encode();
    row.size = row.deleted != 0 ? 0 : static_cast<std::int64_t>(random.next() % 4);
    row.etag = row.deleted != 0 ? "noetag" : "etag" + std::to_string(random.next() % 3);
    row.content_type = row.deleted != 0 ? "application/deleted"
                                        : "text/" + std::to_string(random.next() % 3) +
                                              (random.next() % 3 == 0 ? ";swift_bytes=7" : "");
    row.storage_policy_index = static_cast<std::int64_t>(random.next() % 2);
}

void fill(Random& random, ContainerRow& row) {
    row.put_timestamp = some_time(random);
    row.delete_timestamp = some_time(random);
    row.object_count = static_cast<std::int64_t>(random.next() % 3);
    row.bytes_used = static_cast<std::int64_t>(random.next() % 3);
}

template <class Row>
std::vector<Row> some_rows(Random& random) {
    std::vector<Row> rows(random.next() % 5);
    for (Row& row : rows) {
        row.rowid = static_cast<std::int64_t>(random.next() % 50);
        row.name = "name" + std::to_string(random.next() % 6);
        fill(random, row);
    }
    return rows;
}

template <class Info>
Info without_id(Info info) {
    info.id.clear();
    return info;
}

std::vector<SyncPoint> sorted(std::vector<SyncPoint> points) {
    std::ranges::sort(points, {}, &SyncPoint::remote_id);
    return points;
}

/// One random call; the same for any database if `random` is in the same state.
template <class D>
std::string step(D& database, Random& random) {
    using Row = typename D::row_type;
    const std::string peer = "peer" + std::to_string(random.next() % 3);
    const Direction direction = random.next() % 2 == 0 ? Direction::incoming : Direction::outgoing;
    switch (random.next() % 9) {
    case 0:
    case 1:
        database.merge_items(some_rows<Row>(random), random.next() % 3 == 0 ? "" : peer);
        return "merge_items";
    case 2:
        database.put(some_rows<Row>(random));
        return "put";
    case 3: {
        const auto point = static_cast<std::int64_t>(random.next() % 60);
        database.merge_sync_points(std::vector<SyncPoint>{{point, peer}}, direction);
        return "merge_sync_points";
    }
    case 4: {
        // One by one: the order in which arguments are evaluated is the compiler's.
        Timestamps times;
        times.created_at = some_time(random);
        times.put_timestamp = some_time(random);
        times.delete_timestamp = some_time(random);
        database.merge_timestamps(times);
        return "merge_timestamps";
    }
    case 5: {
        const std::string key = "X-" + std::to_string(random.next() % 3);
        const std::string value = random.next() % 3 == 0 ? "" : std::to_string(random.next() % 3);
        const std::string time = some_time(random);
        database.merge_metadata("{\"" + key + "\": [\"" + value + "\", \"" + time + "\"]}");
        return "merge_metadata";
    }
    case 6:
        // Swift's triggers date sync points by SQLite's own clock, which a SimClock does not move:
        // their age is left out here and tested for each store alone.
        database.reclaim(database.info(), {timestamp_or_zero(some_time(random)).ticks, 0},
                         Timestamp{});
        return "reclaim";
    case 7:
        database.adopt(peer);
        return "adopt";
    default:
        if constexpr (requires { database.set_storage_policy_index(0, Timestamp{}); }) {
            const auto index = static_cast<std::int64_t>(random.next() % 2);
            database.set_storage_policy_index(index, timestamp_or_zero(some_time(random)));
        } else {
            database.renew_id();
        }
        return "set_storage_policy_index or renew_id";
    }
}

/// Returns how many calls were compared.
template <class Kind, class Real>
int compare(std::uint64_t seed) {
    const Directory directory;
    const SimClock clock;
    SimBroker<Kind> simulated(SimDisk(clock), clock, "n");
    Real real(PosixDisk(), clock);
    typename Kind::info_type info;
    info.account = "a";
    if constexpr (requires { info.container; }) {
        info.container = "c";
    }
    auto one = simulated.create("/d/x.db", info);
    auto two = real.create(directory.path + "/d/x.db", info, Instant::max());
    std::string calls;
    int compared = 0;
    for (; compared < 150; ++compared) {
        clock.advance(Seconds(1));
        const std::uint64_t call = seed * 1000 + static_cast<std::uint64_t>(compared);
        Random first(call);
        Random second(call);
        const std::string name = step(one, first);
        BOOST_TEST(step(two, second) == name);
        calls += name + ' ';
        BOOST_TEST_CONTEXT("seed " << seed << ", calls: " << calls) {
            BOOST_TEST_REQUIRE((one.rows() == two.items_since(-1, 1000)));
            const auto mine = without_id(one.info());
            const auto theirs = without_id(two.info());
            BOOST_TEST_REQUIRE(mine.hash == theirs.hash);
            BOOST_TEST_REQUIRE(mine.status_changed_at == theirs.status_changed_at);
            BOOST_TEST_REQUIRE(mine.metadata == theirs.metadata);
            BOOST_TEST_REQUIRE(mine.max_row == theirs.max_row);
            BOOST_TEST_REQUIRE((mine == theirs));
            for (const Direction direction : {Direction::incoming, Direction::outgoing}) {
                BOOST_TEST_REQUIRE(
                    (sorted(one.sync_points(direction)) == sorted(two.sync_points(direction))));
            }
        }
    }
    return compared;
}

} // namespace

BOOST_AUTO_TEST_CASE(random_calls_leave_a_simulated_and_a_real_container_equal) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        BOOST_TEST((compare<ContainerKind, BasicContainerBroker<PosixDisk, SimClock>>(seed)) ==
                   150);
    }
}

BOOST_AUTO_TEST_CASE(random_calls_leave_a_simulated_and_a_real_account_equal) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        BOOST_TEST((compare<AccountKind, BasicAccountBroker<PosixDisk, SimClock>>(seed)) == 150);
    }
}
