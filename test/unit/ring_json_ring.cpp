#include <replica/ring/json_ring.hpp>

#define BOOST_TEST_MODULE ring_json_ring
#include "laws/ring.hpp"
#include <replica/disk/posix.hpp>
#include <replica/sim/clock.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

namespace fs = std::filesystem;
using namespace replica;
using namespace std::chrono_literals;

namespace {

const std::string ring_of_three = R"({"part_power": 4, "replicas": 2, "devices": [
    {"id": 0, "ip": "10.0.0.1", "port": 6201, "device": "sdb1"},
    null,
    {"id": 2, "region": 2, "zone": 3, "ip": "fe80::1", "port": 6201,
     "replication_ip": "node-2.example", "replication_port": 6301,
     "device": "sdc-1", "weight": 12.5, "meta": "rack é"},
    {"id": 7, "ip": "10.0.0.7", "port": 6201, "device": "sdb1", "weight": 0}]})";

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

    JsonRing<SimClock> open() {
        return JsonRing<SimClock>(
            path, clock, {}, [this](const Failure& failure) { reports.push_back(failure.what()); });
    }

    void pass(Seconds time) { clock.sleep_until(clock.monotonic() + to_duration(time), {}); }

    std::string root;
    std::string path;
    SimClock clock;
    std::vector<std::string> reports;
};

/// Why a text is refused.
std::string reason(const std::string& text) {
    try {
        static_cast<void>(parse_ring(text, "/etc/ring.json"));
    } catch (const Failure& failure) {
        BOOST_TEST((failure.error() == Error::bad_config));
        return failure.what();
    }
    return "accepted";
}

/// Each first is refused, with the file and the second in the text.
void refused(const std::vector<std::pair<std::string, std::string>>& cases) {
    for (const auto& [text, expected] : cases) {
        const std::string got = reason(text);
        BOOST_TEST_CONTEXT(text << "\n  -> " << got) {
            BOOST_TEST(got.find("/etc/ring.json: ") == 0U);
            BOOST_TEST(got.find(expected) != std::string::npos);
        }
    }
}

/// A text with one device whose members are `members`.
std::string with_device(const std::string& members) {
    return R"({"part_power": 1, "replicas": 1, "devices": [{)" + members + "}]}";
}

/// Two partitions on three devices, with these further members.
std::string with_members(const std::string& members) {
    return R"({"part_power": 1, "devices": [)"
           R"({"id": 1, "ip": "a", "port": 1, "device": "d1"},)"
           R"({"id": 2, "ip": "a", "port": 1, "device": "d2"},)"
           R"({"id": 3, "ip": "a", "port": 1, "device": "d3"}], )" +
           members + "}";
}

std::vector<std::int64_t> ids(const std::vector<Device>& devices) {
    std::vector<std::int64_t> found;
    for (const Device& device : devices) {
        found.push_back(device.id);
    }
    return found;
}

using Ids = std::vector<std::int64_t>;

} // namespace

BOOST_AUTO_TEST_SUITE(text)

BOOST_AUTO_TEST_CASE(what_is_not_said_has_its_usual_value) {
    const RingTable table = parse_ring(ring_of_three, "");
    BOOST_REQUIRE(table.devices.size() == 3U); // null: a device that was removed
    const Device& plain = table.devices[0];
    BOOST_TEST(plain.region == 1);
    BOOST_TEST(plain.zone == 1);
    BOOST_TEST(plain.replication_ip == "10.0.0.1");
    BOOST_TEST(plain.replication_port == 6201);
    BOOST_TEST(plain.weight == 1.0);
    BOOST_TEST(plain.meta.empty());
    const Device& full = table.devices[1];
    BOOST_TEST(full.id == 2);
    BOOST_TEST(full.region == 2);
    BOOST_TEST(full.zone == 3);
    BOOST_TEST(full.ip == "fe80::1");
    BOOST_TEST(full.replication_ip == "node-2.example");
    BOOST_TEST(full.replication_port == 6301);
    BOOST_TEST(full.device == "sdc-1");
    BOOST_TEST(full.weight == 12.5);
    BOOST_TEST(full.meta == "rack é");
}

BOOST_AUTO_TEST_CASE(a_bad_text_is_refused_with_file_key_and_reason) {
    refused({
        {"", "not JSON"},
        {"{", "not JSON"},
        {"{} x", "not JSON"},
        {std::string(100, '['), "not JSON"},
        {"[]", "[] is not an object"},
        {"{}", "part_power: missing"},
        {R"({"part_power": 1})", "replicas: missing"},
        {R"({"part_power": 1, "replicas": 1})", "devices: missing"},
        {R"({"part_power": 1, "replicas": 1, "devices": [], "assignment": []})",
         "assignment: unknown key"},
        {R"({"part_power": 32, "replicas": 1, "devices": []})",
         "part_power: 32 is not a whole number from 0 to 31"},
        {R"({"part_power": -1, "replicas": 1, "devices": []})", "part_power: -1 is not"},
        {R"({"part_power": 1.5, "replicas": 1, "devices": []})", "part_power: 1.5E0 is not"},
        {R"({"part_power": "4", "replicas": 1, "devices": []})", "part_power: \"4\" is not"},
        {R"({"part_power": 18446744073709551615, "replicas": 1, "devices": []})", "part_power: 18"},
        {R"({"part_power": 1, "replicas": 0, "devices": []})", "replicas: must be 1 or more"},
        {R"({"part_power": 1, "replicas": 0.5, "devices": []})", "replicas: must be 1 or more"},
        {R"({"part_power": 1, "replicas": -3, "devices": []})", "replicas: -3 is not a number of"},
        {R"({"part_power": 1, "replicas": 1e999, "devices": []})", "/etc/ring.json: "},
        {R"({"part_power": 1, "replicas": null, "devices": []})", "replicas: null is not"},
        {R"({"part_power": 1, "replicas": 1, "devices": {}})", "devices: {} is not a list"},
        {R"({"part_power": 1, "replicas": 1, "devices": []})", "replicas: more than the usable"},
        {R"({"part_power": 1, "replicas": 1, "devices": [3]})", "devices[0]: 3 is not an object"},
    });
}

BOOST_AUTO_TEST_CASE(a_bad_device_is_refused_with_its_place_in_the_list) {
    const std::string good = R"("id": 1, "ip": "a", "port": 1, "device": "d1")";
    BOOST_REQUIRE(reason(with_device(good)) == "accepted");
    refused({
        {with_device(R"("ip": "a", "port": 1, "device": "d1")"), "devices[0].id: missing"},
        {with_device(R"("id": -1, "ip": "a", "port": 1, "device": "d")"),
         "devices[0].id: -1 is not"},
        {with_device(R"("id": 1, "port": 1, "device": "d1")"), "devices[0].ip: missing"},
        {with_device(R"("id": 1, "ip": "", "port": 1, "device": "d1")"),
         "devices[0].ip: \"\" is no"},
        {with_device(R"("id": 1, "ip": "-e sh", "port": 1, "device": "d1")"), "devices[0].ip: "},
        {with_device(R"("id": 1, "ip": "--x", "port": 1, "device": "d1")"), "devices[0].ip: "},
        {with_device(R"("id": 1, "ip": "a/b", "port": 1, "device": "d1")"), "devices[0].ip: "},
        {with_device(R"("id": 1, "ip": 5, "port": 1, "device": "d1")"),
         "devices[0].ip: 5 is not a string"},
        {with_device(R"("id": 1, "ip": "a", "device": "d1")"), "devices[0].port: missing"},
        {with_device(R"("id": 1, "ip": "a", "port": 0, "device": "d1")"), "devices[0].port: 0 is"},
        {with_device(R"("id": 1, "ip": "a", "port": 65536, "device": "d1")"),
         "devices[0].port: 65536 is not a whole number from 1 to 65535"},
        {with_device(good + R"(, "replication_port": 70000)"),
         "devices[0].replication_port: 70000"},
        {with_device(good + R"(, "replication_ip": "a b")"), "devices[0].replication_ip: "},
        {with_device(R"("id": 1, "ip": "a", "port": 1)"), "devices[0].device: missing"},
        {with_device(R"("id": 1, "ip": "a", "port": 1, "device": "..")"),
         "devices[0].device: \"..\" is not a valid drive name"},
        {with_device(R"("id": 1, "ip": "a", "port": 1, "device": "a/b")"), "devices[0].device: "},
        {with_device(R"("id": 1, "ip": "a", "port": 1, "device": "a\u0000b")"),
         "devices[0].device: "},
        {with_device(good + R"(, "weight": -0.1)"),
         "devices[0].weight: -1E-1 is not a number of 0"},
        {with_device(good + R"(, "weight": NaN)"), "not JSON"},
        {with_device(good + R"(, "weight": 1e999)"), "/etc/ring.json: "},
        {with_device(good + R"(, "weight": "1")"), "devices[0].weight: \"1\" is not"},
        {with_device(good + R"(, "wieght": 1)"), "devices[0].wieght: unknown key"},
        {with_device(good + R"(, "meta": null)"), "devices[0].meta: null is not a string"},
        {with_device(good + R"(, "zone": "1")"), "devices[0].zone: \"1\" is not"},
        {with_device(good + R"(, "weight": 0)"),
         "replicas: more than the usable devices, of which"},
        {with_device(good + "}, {" + good), "devices[1].id: the same id as devices[0]"},
        {with_device(good + R"(}, {"id": 2, "ip": "a", "port": 1, "device": "d1")"),
         "devices[1]: the same ip, port and device as devices[0]"},
    });
}

BOOST_AUTO_TEST_CASE(a_bad_table_is_refused_with_row_and_partition) {
    refused({
        {with_members(R"("replicas": 4)"),
         "replicas: more than the usable devices, of which there"},
        {with_members(R"("replicas": 3.1)"), "replicas: more than the usable devices"},
        {with_members(R"("assignments": 1)"), "assignments: not a list"},
        {with_members(R"("assignments": [])"), "assignments: not a list"},
        {with_members(R"("assignments": [1])"), "assignments: not a list"},
        {with_members(R"("assignments": [[]])"), "replicas: must be 1 or more"},
        {with_members(R"("assignments": [[1, 2], []])"), "assignments: not a list of 1 rows"},
        {with_members(R"("assignments": [[1], [2, 3]])"), "assignments[0]: not a list of 2 device"},
        {with_members(R"("assignments": [[1, 2], [2, 3, 1]])"),
         "assignments: not a list of 3 rows"},
        {with_members(R"("replicas": 2, "assignments": [[1, 2]])"), "assignments: not a list of 2"},
        {with_members(R"("replicas": 2, "assignments": [[1, 2], [2]])"),
         "assignments[1]: not a list of 2 device ids"},
        {with_members(R"("assignments": [[1, 4]])"),
         "assignments[0][1]: 4 is not the id of a device"},
        {with_members(R"("assignments": [[1, null]])"), "assignments[0][1]: null is not the id"},
        {with_members(R"("assignments": [[1, 1.0]])"), "assignments[0][1]: 1E0 is not the id"},
        {with_members(R"("assignments": [[1, 2], [2, 2]])"),
         "assignments[1][1]: device 2 has this partition already"},
    });
}

BOOST_AUTO_TEST_CASE(a_long_value_is_cut_in_the_text) {
    const std::string text = reason("\"" + std::string(1000, 'x') + "\"");
    BOOST_TEST(text.size() < 150U);
    BOOST_TEST(text.find("...") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(file, Fixture)

BOOST_AUTO_TEST_CASE(a_ring_without_a_table_keeps_the_laws) {
    write(ring_of_three);
    replica::test::check_ring_laws(open());
}

BOOST_AUTO_TEST_CASE(a_ring_with_a_table_keeps_the_laws_and_says_what_the_table_says) {
    write(with_members(R"("assignments": [[3, 1], [1, 2]])"));
    replica::test::check_ring_laws(open());
    const JsonRingVersion version = open().version();
    BOOST_TEST(version.partition_count() == 2U);
    BOOST_TEST((ids(version.primaries(0)) == Ids{3, 1}));
    BOOST_TEST((ids(version.primaries(1)) == Ids{1, 2}));
    BOOST_TEST((ids(replica::test::all_handoffs(version, 0)) == Ids{2}));
    BOOST_TEST((ids(replica::test::all_handoffs(version, 1)) == Ids{3}));
}

BOOST_AUTO_TEST_CASE(half_a_replica_is_held_for_half_of_the_partitions) {
    for (const char* members :
         {R"("assignments": [[3, 1], [1]])", R"("replicas": 1.5, "assignments": [[3, 1], [1]])"}) {
        write(with_members(members));
        const JsonRingVersion version = open().version();
        BOOST_TEST((ids(version.primaries(0)) == Ids{3, 1}));
        BOOST_TEST((ids(version.primaries(1)) == Ids{1}));
        BOOST_TEST(replica::test::all_handoffs(version, 1).size() == 2U);
        replica::test::check_ring_version_laws(version);
    }
    write(with_members(R"("replicas": 2.5)"));
    const JsonRingVersion version = open().version();
    BOOST_TEST(version.primaries(0).size() == 3U);
    BOOST_TEST(version.primaries(1).size() == 2U);
    replica::test::check_ring_version_laws(version);
}

BOOST_AUTO_TEST_CASE(a_drained_device_of_a_table_still_holds_what_the_table_gives_it) {
    std::string text = with_members(R"("assignments": [[3, 1]])");
    text.insert(text.find("\"d3\"") + 4, R"(, "weight": 0)");
    write(text);
    const JsonRingVersion version = open().version();
    BOOST_TEST((ids(version.primaries(0)) == Ids{3}));
    BOOST_TEST((ids(replica::test::all_handoffs(version, 1)).back() == 3));
}

BOOST_AUTO_TEST_CASE(a_partition_beyond_the_ring_is_an_error_and_not_a_database_without_primaries) {
    write(ring_of_three);
    const JsonRingVersion version = open().version();
    const auto names_it = [](const Failure& failure) {
        return std::string(failure.what()).find("partition 16 is not one of the ring's 16") == 0 &&
               failure.error() == Error::bad_request;
    };
    BOOST_CHECK_EXCEPTION(static_cast<void>(version.primaries(16)), Failure, names_it);
    BOOST_CHECK_EXCEPTION(static_cast<void>(version.handoffs(16)), Failure, names_it);
}

BOOST_AUTO_TEST_CASE(a_first_file_that_is_missing_or_broken_is_an_error_at_start) {
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

BOOST_AUTO_TEST_CASE(a_changed_file_counts_after_fifteen_seconds_and_older_versions_stay) {
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
    BOOST_TEST(reports.empty());
    BOOST_TEST(!ring.last_error());
}

BOOST_AUTO_TEST_CASE(a_broken_new_file_is_reported_once_and_the_old_version_stays) {
    write(ring_of_three);
    auto ring = open();
    write("{");
    for (int i = 0; i < 3; ++i) {
        pass(Seconds(16));
        BOOST_TEST(ring.version().partition_count() == 16U);
        BOOST_REQUIRE(ring.last_error());
        BOOST_TEST(ring.last_error()->what() == reports.at(0));
    }
    BOOST_REQUIRE(reports.size() == 1U);
    BOOST_TEST(reports[0].find(path + ": not JSON") == 0U);

    fs::remove(path);
    pass(Seconds(16));
    BOOST_TEST(ring.version().partition_count() == 16U);
    pass(Seconds(16));
    BOOST_TEST(ring.version().partition_count() == 16U);
    BOOST_REQUIRE(reports.size() == 2U);
    BOOST_TEST(reports[1].find(path) != std::string::npos);
    BOOST_TEST((ring.last_error()->error() == Error::missing));

    write(with_members(R"("replicas": 3)"));
    pass(Seconds(16));
    BOOST_TEST(ring.version().partition_count() == 2U);
    BOOST_TEST(!ring.last_error());
    BOOST_TEST(reports.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_put_back_as_it_was_ends_the_error) {
    write(ring_of_three);
    auto ring = open();
    fs::rename(path, path + ".kept");
    write("[]");
    pass(Seconds(16));
    static_cast<void>(ring.version());
    BOOST_TEST(ring.last_error().has_value());
    fs::rename(path + ".kept", path);
    pass(Seconds(16));
    BOOST_TEST(ring.version().partition_count() == 16U);
    BOOST_TEST(!ring.last_error());
}

BOOST_AUTO_TEST_CASE(a_file_that_is_too_large_is_refused) {
    write(ring_of_three);
    auto ring = open();
    fs::resize_file(path, 1ULL << 40); // sparse
    pass(Seconds(16));
    BOOST_TEST(ring.version().partition_count() == 16U);
    BOOST_REQUIRE(reports.size() == 1U);
    BOOST_TEST(reports[0].find(path + ": larger than 67108864 bytes") == 0U);
}

BOOST_AUTO_TEST_CASE(threads_ask_while_the_file_changes) {
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

BOOST_AUTO_TEST_SUITE_END()
