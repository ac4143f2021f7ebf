#include <replica/ring/json_ring.hpp>

#define BOOST_TEST_MODULE ring_json_ring
#include <replica/disk/posix.hpp>
#include <replica/sim/clock.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/ring.hpp>
#include <support/ring_texts.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    Fixture() {
        std::string pattern = (fs::temp_directory_path() / "replica-ring-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root = pattern;
        path = root + "/ring.json";
    }
    ~Fixture() { fs::remove_all(root); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    /// Puts a new file in place in one step.
    void write(const std::string& text) const {
        std::ofstream(path + ".new", std::ios::binary) << text;
        fs::rename(path + ".new", path);
    }

    JsonRing<SimClock> open() { return JsonRing<SimClock>(path, clock); }

    void pass(Seconds time) { clock.sleep_until(clock.monotonic() + to_duration(time), {}); }

    std::string root;
    std::string path;
    SimClock clock;
};

std::vector<std::int64_t> ids(const std::vector<Device>& devices) {
    std::vector<std::int64_t> found;
    for (const Device& device : devices) {
        found.push_back(device.id);
    }
    return found;
}

using Ids = std::vector<std::int64_t>;

} // namespace

BOOST_FIXTURE_TEST_CASE(a_ring_without_a_table_keeps_the_laws, Fixture) {
    write(ring_of_three);
    check_ring_laws(open());
}

BOOST_FIXTURE_TEST_CASE(a_ring_with_a_table_keeps_the_laws_and_says_what_the_table_says, Fixture) {
    write(with_members(R"("assignments": [[3, 1], [1, 2]])"));
    check_ring_laws(open());
    const JsonRingVersion version = open().version();
    BOOST_TEST(version.partition_count() == 2U);
    BOOST_TEST((ids(version.primaries(0)) == Ids{3, 1}));
    BOOST_TEST((ids(version.primaries(1)) == Ids{1, 2}));
    BOOST_TEST((ids(all_handoffs(version, 0)) == Ids{2}));
    BOOST_TEST((ids(all_handoffs(version, 1)) == Ids{3}));
}

BOOST_FIXTURE_TEST_CASE(half_a_replica_is_held_for_half_of_the_partitions, Fixture) {
    for (const char* members :
         {R"("assignments": [[3, 1], [1]])", R"("replicas": 1.5, "assignments": [[3, 1], [1]])"}) {
        write(with_members(members));
        const JsonRingVersion version = open().version();
        BOOST_TEST((ids(version.primaries(0)) == Ids{3, 1}));
        BOOST_TEST((ids(version.primaries(1)) == Ids{1}));
        BOOST_TEST(all_handoffs(version, 1).size() == 2U);
        check_ring_version_laws(version);
    }
    write(with_members(R"("replicas": 2.5)"));
    const JsonRingVersion version = open().version();
    BOOST_TEST(version.primaries(0).size() == 3U);
    BOOST_TEST(version.primaries(1).size() == 2U);
    check_ring_version_laws(version);
}

BOOST_FIXTURE_TEST_CASE(a_drained_device_of_a_table_still_holds_what_the_table_gives_it, Fixture) {
    std::string text = with_members(R"("assignments": [[3, 1]])");
    text.insert(text.find("\"d3\"") + 4, R"(, "weight": 0)");
    write(text);
    const JsonRingVersion version = open().version();
    BOOST_TEST((ids(version.primaries(0)) == Ids{3}));
    BOOST_TEST((ids(all_handoffs(version, 1)).back() == 3));
}

BOOST_FIXTURE_TEST_CASE(
    a_partition_beyond_the_ring_is_an_error_and_not_a_database_without_primaries, Fixture) {
    write(ring_of_three);
    const JsonRingVersion version = open().version();
    const auto names_it = [](const Failure& failure) {
        return std::string(failure.what()).find("partition 16 is not one of the ring's 16") == 0 &&
               failure.error() == Error::bad_request;
    };
    BOOST_CHECK_EXCEPTION(static_cast<void>(version.primaries(16)), Failure, names_it);
    BOOST_CHECK_EXCEPTION(static_cast<void>(version.handoffs(16)), Failure, names_it);
}

BOOST_FIXTURE_TEST_CASE(a_first_file_that_is_missing_or_broken_is_an_error_at_start, Fixture) {
    BOOST_CHECK_EXCEPTION(open(), Failure, [&](const Failure& failure) {
        return std::string(failure.what()).find(path) != std::string::npos &&
               failure.error() == Error::missing;
    });
    write("{}");
    BOOST_CHECK_EXCEPTION(open(), Failure, [&](const Failure& failure) {
        return std::string(failure.what()).find(path + ": part_power: missing") == 0 &&
               failure.error() == Error::bad_config;
    });
}

BOOST_FIXTURE_TEST_CASE(a_changed_file_counts_after_fifteen_seconds_and_older_versions_stay,
                        Fixture) {
    write(ring_of_three);
    auto ring = open();
    const JsonRingVersion old = ring.version();
    auto handoffs = old.handoffs(0);
    write(with_members(R"("replicas": 3)"));
    BOOST_TEST(ring.version().partition_count() == 16U);
    pass(Seconds(14.9));
    BOOST_TEST(ring.version().partition_count() == 16U);
    pass(Seconds(0.2));
    auto copy = ring;
    BOOST_TEST(copy.version().partition_count() == 2U);
    BOOST_TEST(ring.version().partition_count() == 2U); // copies share one state
    BOOST_TEST(old.partition_count() == 16U);
    BOOST_TEST(old.devices().size() == 3U);
    BOOST_TEST(handoffs.next()->id == 7);
    BOOST_TEST(!ring.last_error());
}

BOOST_FIXTURE_TEST_CASE(threads_ask_while_the_file_changes, Fixture) {
    write(ring_of_three);
    auto ring = open();
    std::atomic<bool> done{false};
    std::vector<std::future<bool>> workers;
    for (int i = 0; i < 3; ++i) {
        workers.push_back(std::async(std::launch::async, [ring, &done]() mutable {
            bool whole = true;
            while (!done) {
                const JsonRingVersion version = ring.version();
                const std::uint32_t count = version.partition_count();
                whole = whole && (count == 16 || count == 2) &&
                        version.primaries(count - 1).size() == (count == 16 ? 2U : 3U);
            }
            return whole;
        }));
    }
    for (int i = 0; i < 50; ++i) {
        write(i % 2 == 0 ? with_members(R"("replicas": 3)") : ring_of_three);
        pass(Seconds(16));
        static_cast<void>(ring.version());
    }
    done = true;
    for (auto& worker : workers) {
        BOOST_TEST(worker.get());
    }
}
