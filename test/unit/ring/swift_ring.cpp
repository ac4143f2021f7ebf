#include <replica/ring/swift_ring.hpp>

#define BOOST_TEST_MODULE ring_swift_ring
#include <replica/sim/clock.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/ring.hpp>
#include <support/swift_ring_bytes.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

namespace fs = std::filesystem;
using namespace replica;
using namespace replica::test;
using Ids = std::vector<std::int64_t>;

// That both orders are Swift's for many rings is shown by swift/ring; here is what it cannot show.

namespace {

/// A ring of these rows of ids, all but the last of 2^power.
std::string ring_of(unsigned power, std::size_t rows, const std::string& ids,
                    std::string_view devices = some_devices) {
    return gzip(format_1(R"({"part_shift": )" + std::to_string(32 - power) +
                             R"(, "replica_count": )" + std::to_string(rows) +
                             R"(, "byteorder": "big", "devs": )" + std::string(devices) + '}',
                         ids));
}

const std::string ring_of_four = ring_of(2, 2, ids({0, 2, 3, 4, 4, 0, 2, 3}, 2));
const std::string ring_of_two = ring_of(1, 2, ids({0, 4, 2}, 2));

SwiftRingVersion parse(const std::string& packed) {
    return SwiftRingVersion::parse(packed, "");
}

Ids ids_of(const std::vector<Device>& devices) {
    Ids found;
    for (const Device& device : devices) {
        found.push_back(device.id);
    }
    return found;
}

struct Fixture {
    Fixture() {
        std::string pattern = (fs::temp_directory_path() / "replica-ring-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root = pattern;
        path = root + "/container.ring.gz";
    }
    ~Fixture() { fs::remove_all(root); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    /// Puts a new file in place in one step.
    void write(const std::string& bytes) const {
        std::ofstream(path + ".new", std::ios::binary) << bytes;
        fs::rename(path + ".new", path);
    }

    SwiftRing<SimClock> open() {
        return SwiftRing<SimClock>(path, clock, {}, [this](const std::optional<Failure>& failure) {
            reports.emplace_back(failure ? failure->what() : "good");
        });
    }

    void pass(Seconds time) { clock.sleep_until(clock.monotonic() + to_duration(time), {}); }

    std::string root;
    std::string path;
    SimClock clock;
    std::vector<std::string> reports;
};

} // namespace

BOOST_AUTO_TEST_SUITE(version)

BOOST_AUTO_TEST_CASE(every_ring_keeps_the_laws) {
    check_ring_version_laws(parse(ring_of_four));
    check_ring_version_laws(parse(ring_of_two));
    check_ring_version_laws(parse(ring_of(0, 1, ids({4}, 2))));
    check_ring_version_laws(parse(ring_of(0, 4, ids({4, 0, 2, 3}, 2))));
}

BOOST_AUTO_TEST_CASE(primaries_are_in_the_order_of_the_rows) {
    const SwiftRingVersion version = parse(ring_of_four);
    BOOST_TEST(version.partition_count() == 4U);
    BOOST_TEST(ids_of(version.devices()) == (Ids{0, 2, 3, 4}), boost::test_tools::per_element());
    BOOST_TEST(ids_of(version.primaries(0)) == (Ids{0, 4}), boost::test_tools::per_element());
    BOOST_TEST(ids_of(version.primaries(3)) == (Ids{4, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(half_a_replica_is_held_for_half_of_the_partitions) {
    const SwiftRingVersion version = parse(ring_of_two);
    BOOST_TEST(ids_of(version.primaries(0)) == (Ids{0, 2}), boost::test_tools::per_element());
    BOOST_TEST(ids_of(version.primaries(1)) == (Ids{4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_device_with_two_replicas_of_a_partition_is_one_primary) {
    const SwiftRingVersion version = parse(ring_of(1, 3, ids({0, 2, 0, 3, 2, 3}, 2)));
    BOOST_TEST(ids_of(version.primaries(0)) == (Ids{0, 2}), boost::test_tools::per_element());
    BOOST_TEST(ids_of(version.primaries(1)) == (Ids{2, 3}), boost::test_tools::per_element());
    check_ring_version_laws(version);
}

// md5("0") begins with cf: the walk for partition 0 starts at the last of four partitions.
BOOST_AUTO_TEST_CASE(handoffs_are_of_another_region_then_zone_then_node_then_any) {
    const std::string devices = R"([
        {"id": 0, "region": 1, "zone": 1, "ip": "a", "port": 1, "device": "d0", "weight": 1},
        {"id": 1, "region": 1, "zone": 1, "ip": "a", "port": 1, "device": "d1", "weight": 1},
        {"id": 2, "region": 1, "zone": 1, "ip": "b", "port": 1, "device": "d2", "weight": 1},
        {"id": 3, "region": 1, "zone": 2, "ip": "c", "port": 1, "device": "d3", "weight": 1},
        {"id": 4, "region": 2, "zone": 1, "ip": "d", "port": 1, "device": "d4", "weight": 1},
        {"id": 5, "region": 2, "zone": 1, "ip": "d", "port": 1, "device": "d5", "weight": 1},
        {"id": 6, "region": 3, "zone": 1, "ip": "e", "port": 1, "device": "d6", "weight": 1}])";
    // Device 6 holds nothing, so nobody is sent there.
    const auto version = parse(ring_of(2, 2, ids({0, 4, 2, 1, 0, 5, 3, 2}, 2), devices));
    BOOST_TEST(ids_of(version.primaries(0)) == (Ids{0}), boost::test_tools::per_element());
    BOOST_TEST(ids_of(all_handoffs(version, 0)) == (Ids{4, 3, 2, 1, 5}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(handoffs_outlive_their_ring) {
    auto handoffs = std::optional(parse(ring_of_two))->handoffs(0);
    BOOST_TEST(handoffs.next()->region == 2);
}

BOOST_AUTO_TEST_CASE(a_partition_beyond_the_ring_is_an_error_and_not_a_database_without_primaries) {
    const SwiftRingVersion version = parse(ring_of_four);
    const auto names_it = [](const Failure& failure) {
        return std::string(failure.what()).find("partition 4 is not one of the ring's 4") == 0 &&
               failure.error() == Error::bad_request;
    };
    BOOST_CHECK_EXCEPTION(static_cast<void>(version.primaries(4)), Failure, names_it);
    BOOST_CHECK_EXCEPTION(static_cast<void>(version.handoffs(4)), Failure, names_it);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(file, Fixture)

BOOST_AUTO_TEST_CASE(a_ring_file_keeps_the_laws) {
    write(ring_of_four);
    check_ring_laws(open());
}

BOOST_AUTO_TEST_CASE(a_first_file_that_is_missing_or_broken_is_an_error_at_start) {
    BOOST_CHECK_EXCEPTION(open(), Failure, [&](const Failure& failure) {
        return std::string(failure.what()).find(path) != std::string::npos &&
               failure.error() == Error::missing;
    });
    write("{}");
    BOOST_CHECK_EXCEPTION(open(), Failure, [&](const Failure& failure) {
        return std::string(failure.what()).find(path + ": damaged gzip data") == 0 &&
               failure.error() == Error::bad_config;
    });
}

BOOST_AUTO_TEST_CASE(a_changed_file_counts_after_fifteen_seconds_and_older_versions_stay) {
    write(ring_of_four);
    auto ring = open();
    const SwiftRingVersion old = ring.version();
    auto handoffs = old.handoffs(0);
    write(ring_of_two);
    pass(Seconds(14.9));
    BOOST_TEST(ring.version().partition_count() == 4U);
    pass(Seconds(0.2));
    BOOST_TEST(ring.version().partition_count() == 2U);
    BOOST_TEST(old.partition_count() == 4U);
    BOOST_TEST(ids_of(old.primaries(3)) == (Ids{4, 3}), boost::test_tools::per_element());
    BOOST_TEST(handoffs.next()->id == 3);
    BOOST_TEST(reports.empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_is_still_being_copied_is_reported_and_used_when_it_is_whole) {
    write(ring_of_four);
    auto ring = open();
    write(ring_of_two.substr(0, ring_of_two.size() - 9));
    for (int i = 0; i < 3; ++i) {
        pass(Seconds(16));
        BOOST_TEST(ring.version().partition_count() == 4U);
    }
    BOOST_REQUIRE(reports.size() == 3U);
    BOOST_TEST(reports[0] == path + ": ends in the middle of its gzip data");
    write(ring_of_two);
    pass(Seconds(16));
    BOOST_TEST(ring.version().partition_count() == 2U);
    BOOST_REQUIRE(reports.size() == 4U);
    BOOST_TEST(reports[3] == "good");
    BOOST_TEST(!ring.last_error());
}

BOOST_AUTO_TEST_CASE(a_file_that_is_gone_leaves_the_ring_as_it_was) {
    write(ring_of_four);
    auto ring = open();
    fs::remove(path);
    for (int i = 0; i < 3; ++i) {
        pass(Seconds(16));
        BOOST_TEST(ring.version().partition_count() == 4U);
    }
    BOOST_REQUIRE(reports.size() == 3U);
    BOOST_TEST(reports[0].find(path) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_of_the_same_size_and_time_is_read_again_as_its_inode_is_another) {
    const auto unpacked = [](std::uint64_t id) {
        return gzip(ring_file::inflate_ring(ring_of(0, 1, ids({id}, 2)), 10000), 0);
    };
    write(unpacked(2));
    const auto time = fs::last_write_time(path);
    auto ring = open();
    const auto size = fs::file_size(path);
    write(unpacked(3));
    fs::last_write_time(path, time);
    BOOST_REQUIRE(fs::file_size(path) == size);
    pass(Seconds(16));
    BOOST_TEST(ids_of(ring.version().primaries(0)) == Ids{3}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(threads_ask_while_the_file_changes) {
    write(ring_of_four);
    auto ring = open();
    std::atomic<bool> done{false};
    std::vector<std::future<bool>> workers;
    for (int i = 0; i < 3; ++i) {
        workers.push_back(std::async(std::launch::async, [ring, &done]() mutable {
            bool whole = true;
            while (!done) {
                const SwiftRingVersion version = ring.version();
                const std::uint32_t count = version.partition_count();
                whole = whole && (count == 4 || count == 2) &&
                        version.primaries(count - 1).size() == (count == 4 ? 2U : 1U);
            }
            return whole;
        }));
    }
    for (int i = 0; i < 50; ++i) {
        write(i % 2 == 0 ? ring_of_two : ring_of_four);
        pass(Seconds(16));
        static_cast<void>(ring.version());
    }
    done = true;
    for (auto& worker : workers) {
        BOOST_TEST(worker.get());
    }
}

BOOST_AUTO_TEST_SUITE_END()
