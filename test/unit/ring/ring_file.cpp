#include <replica/ring/ring_file.hpp>

#define BOOST_TEST_MODULE ring_ring_file
#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <support/ring_texts.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

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

} // namespace

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

BOOST_AUTO_TEST_CASE(a_table_says_how_long_its_rows_are_and_how_many_hold_a_partition) {
    RingTable table;
    table.part_power = 2;
    const auto lengths = [&](double replicas) {
        table.replicas = replicas;
        std::vector<std::uint32_t> result;
        for (std::size_t row = 0; row < table.row_count(); ++row) {
            result.push_back(table.row_length(row));
        }
        return result;
    };
    using Lengths = std::vector<std::uint32_t>;
    BOOST_TEST(table.partition_count() == 4U);
    BOOST_TEST(lengths(1) == Lengths{4}, boost::test_tools::per_element());
    BOOST_TEST(table.replicas_of(3) == 1U);
    BOOST_TEST(lengths(3) == (Lengths{4, 4, 4}), boost::test_tools::per_element());
    BOOST_TEST(table.replicas_of(0) == 3U);
    BOOST_TEST(table.replicas_of(3) == 3U);
    BOOST_TEST(lengths(2.5) == (Lengths{4, 4, 2}), boost::test_tools::per_element());
    BOOST_TEST(table.replicas_of(1) == 3U);
    BOOST_TEST(table.replicas_of(2) == 2U);
    BOOST_TEST(lengths(1.01) == (Lengths{4, 1}), boost::test_tools::per_element()); // up, not down
}

BOOST_AUTO_TEST_CASE(a_ring_may_have_one_partition_and_as_many_as_32_bits_count) {
    const std::string devices =
        R"(, "replicas": 1, "devices": [{"id": 0, "ip": "a", "port": 1, "device": "d"}]})";
    BOOST_TEST(parse_ring(R"({"part_power": 0)" + devices, "").partition_count() == 1U);
    BOOST_TEST(parse_ring(R"({"part_power": 31)" + devices, "").partition_count() == 1U << 31);
}

BOOST_AUTO_TEST_CASE(replicas_that_are_not_said_are_those_of_the_rows) {
    const auto replicas = [](const std::string& assignments) {
        return parse_ring(with_members(R"("assignments": )" + assignments), "").replicas;
    };
    BOOST_TEST(replicas("[[1, 2]]") == 1.0);
    BOOST_TEST(replicas("[[1, 2], [2, 3], [3, 1]]") == 3.0);
    BOOST_TEST(replicas("[[1, 2], [2]]") == 1.5);
}

BOOST_AUTO_TEST_CASE(rows_name_devices_by_id_and_hold_their_places) {
    const RingTable table = parse_ring(with_members(R"("assignments": [[3, 1], [1, 2]])"), "");
    BOOST_TEST((table.rows == std::vector<std::vector<std::uint32_t>>{{2, 0}, {0, 1}}));
    BOOST_TEST(parse_ring(ring_of_three, "").rows.empty());
}

BOOST_AUTO_TEST_CASE(keys_of_swifts_tools_are_passed_over_where_they_write_the_list) {
    const auto list = boost::json::parse(
        R"([{"id": 1, "ip": "a", "port": 1, "device": "d", "parts": 3, "parts_wanted": 0}, null])");
    const auto devices = ring_file::parse_devices(list, "devs", ring_file::UnknownKeys::ignored);
    BOOST_TEST(devices.size() == 1U);
    try {
        (void)ring_file::parse_devices(list, "devs", ring_file::UnknownKeys::refused);
        BOOST_ERROR("accepted");
    } catch (const ring_file::BadRing& bad) {
        BOOST_TEST(bad.reason == "devs[0].parts: unknown key");
    }
}
