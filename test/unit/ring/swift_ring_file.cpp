#include <replica/ring/swift_ring_file.hpp>

#define BOOST_TEST_MODULE ring_swift_ring_file
#include <boost/test/unit_test.hpp>

#include <support/swift_ring_bytes.hpp>

#include <map>

using namespace replica;
using namespace replica::test;
using Row = std::vector<std::uint32_t>;

namespace {

/// Why an inflated content is refused.
std::string reason_of_packed(const std::string& packed) {
    try {
        static_cast<void>(parse_swift_ring(packed, "/etc/swift/account.ring.gz"));
    } catch (const Failure& failure) {
        BOOST_TEST((failure.error() == Error::bad_config));
        return failure.what();
    }
    return "accepted";
}

std::string reason(const std::string& content) {
    return reason_of_packed(gzip(content));
}

/// Each first is refused, with the file and the second in the text.
void refused(const std::vector<std::pair<std::string, std::string>>& cases) {
    for (const auto& [content, expected] : cases) {
        BOOST_TEST(reason(content) == "/etc/swift/account.ring.gz: " + expected);
    }
}

SwiftRingTable parse(const std::string& content) {
    return parse_swift_ring(gzip(content), "");
}

/// Metadata of format 1 for 2^2 partitions, with these further members.
std::string metadata(const std::string& members, std::string_view devices = some_devices) {
    return R"({"part_shift": 30, "devs": )" + std::string(devices) + ", " + members + '}';
}

const std::string two_big = metadata(R"("replica_count": 2, "byteorder": "big")");

/// Two rows: a whole one and three quarters of one.
const std::string good = format_1(two_big, ids({0, 2, 3, 4, 4, 0, 2}, 2));

const std::string metadata_2 = R"({"part_shift": 30, "dev_id_bytes": 2, "version": 7})";
const std::string good_2 = format_2(metadata_2, some_devices, ids({0, 2, 3, 4, 4, 0, 2}, 2));

void require_good(const SwiftRingTable& table) {
    BOOST_TEST(table.part_power == 2U);
    BOOST_REQUIRE(table.devices.size() == 4U); // null: a device that was removed
    BOOST_REQUIRE(table.rows.size() == 2U);
    BOOST_TEST(table.rows[0] == (Row{0, 1, 2, 3}), boost::test_tools::per_element());
    BOOST_TEST(table.rows[1] == (Row{3, 0, 1}), boost::test_tools::per_element());
    BOOST_TEST(table.assigned == (std::array<std::size_t, 4>{2, 3, 3, 4}),
               boost::test_tools::per_element());
}

/// Members of a device that can stand alone.
std::string one_device(const std::string& members) {
    return format_1(R"({"part_shift": 32, "replica_count": 1, "devs": [{)" + members + "}]}",
                    std::string(2, '\0'));
}

} // namespace

BOOST_AUTO_TEST_CASE(both_formats_say_the_same) {
    require_good(parse(good));
    require_good(parse(good_2));
    const SwiftRingTable table = parse(good);
    const Device& full = table.devices[0];
    BOOST_TEST(full.replication_ip == "10.1.0.1");
    BOOST_TEST(full.replication_port == 6301);
    BOOST_TEST(full.weight == 100.0);
    BOOST_TEST(full.meta == "old");
    const Device& plain = table.devices[3]; // as in rings of before replication networks
    BOOST_TEST(plain.id == 4);
    BOOST_TEST(plain.region == 2);
    BOOST_TEST(plain.replication_ip == "fe80::1");
    BOOST_TEST(plain.replication_port == 6201);
    BOOST_TEST(plain.weight == 0.0);
}

BOOST_AUTO_TEST_CASE(ids_are_in_the_order_of_the_machine_that_wrote_them) {
    const std::string rows("\0\0\2\0\3\0\4\0\4\0\0\0\2\0", 14);
    require_good(parse(format_1(metadata(R"("replica_count": 2, "byteorder": "little")"), rows)));
    const bool little = std::endian::native == std::endian::little;
    require_good(parse(format_1(metadata(R"("replica_count": 2)"),
                                little ? rows : ids({0, 2, 3, 4, 4, 0, 2}, 2))));
}

BOOST_AUTO_TEST_CASE(ids_of_four_and_eight_bytes_are_read) {
    for (const std::size_t bytes : {4U, 8U}) {
        require_good(
            parse(format_2(R"({"part_shift": 30, "dev_id_bytes": )" + std::to_string(bytes) + '}',
                           some_devices, ids({0, 2, 3, 4, 4, 0, 2}, bytes))));
    }
}

BOOST_AUTO_TEST_CASE(sections_may_come_in_any_order_with_others_between_and_open_ends) {
    Format2 file;
    file.add("swift/ring/assignments", ids({0, 2, 3, 4, 4, 0, 2}, 2));
    file.add("somebody/else", "not JSON");
    file.add("swift/ring/devices", some_devices);
    file.add("swift/ring/metadata", metadata_2);
    require_good(parse(file.done()));
    for (std::size_t comma; (comma = file.index.find(", \"sha256\"")) != std::string::npos;) {
        const std::size_t from = file.index.rfind(' ', comma - 1) + 1;
        file.index.replace(from, file.index.find(']', comma) - from, "null, null, null");
    }
    require_good(parse(file.done()));
}

BOOST_AUTO_TEST_CASE(a_device_that_holds_nothing_does_not_count_as_one_to_look_for) {
    const SwiftRingTable table = parse(format_1(two_big, ids({0, 0, 0, 2, 2, 0, 0, 0}, 2)));
    BOOST_TEST(table.devices.size() == 4U);
    BOOST_TEST(table.assigned == (std::array<std::size_t, 4>{1, 2, 2, 2}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_pickled_ring_is_refused_in_words) {
    const std::string why = "does not begin with R1NG: not a ring, or one of before Swift 1.7.0, "
                            "which swift-ring-builder writes anew with write_ring";
    refused({{"\x80\x02}q\x01(U\x04"
              "devsq\x02]",
              why},
             {"", why},
             {"R1N", why},
             {"r1ng", why}});
}

BOOST_AUTO_TEST_CASE(a_bad_head_is_refused) {
    refused({
        {"R1NG", "format: 2 bytes wanted, 0 left"},
        {magic(0), "ring format 0 is not known, only 1 and 2 are"},
        {magic(3) + good.substr(6), "ring format 3 is not known, only 1 and 2 are"},
        {magic(256), "ring format 256 is not known, only 1 and 2 are"},
        {magic(1), "metadata: 4 bytes wanted, 0 left"},
        {magic(1) + network(5, 4) + "{}", "metadata: 5 bytes wanted, 2 left"},
        {magic(1) + network(0xffffffff, 4) + "{}", "metadata: 4294967295 bytes wanted, 2 left"},
    });
    BOOST_TEST(reason(format_1("", "")).find("metadata: not JSON: ") != std::string::npos);
    BOOST_TEST(reason(format_1("{} x", "")).find("metadata: not JSON: ") != std::string::npos);
    BOOST_TEST(reason(magic(1) + network(1, 4) + "{}").find("not JSON") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(bad_metadata_is_refused_with_its_key) {
    const auto with = [](const std::string& text) { return format_1(text, ids({0, 0}, 2)); };
    refused({
        {with("[]"), "[] is not an object"},
        {with("{}"), "part_shift: missing"},
        {with(R"({"part_shift": 0})"), "part_shift: 0 is not a whole number from 1 to 32"},
        {with(R"({"part_shift": 33})"), "part_shift: 33 is not a whole number from 1 to 32"},
        {with(R"({"part_shift": "31"})"), "part_shift: \"31\" is not a whole number from 1 to 32"},
        {with(R"({"part_shift": 31})"), "replica_count: missing"},
        {with(R"({"part_shift": 31, "replica_count": 0})"),
         "replica_count: 0 is not a whole number from 1 to 65536"},
        {with(R"({"part_shift": 31, "replica_count": 2.5})"),
         "replica_count: 2.5E0 is not a whole number from 1 to 65536"},
        {with(R"({"part_shift": 31, "replica_count": 1})"), "devs: missing"},
        {with(R"({"part_shift": 31, "replica_count": 1, "byteorder": "middle", "devs": []})"),
         "byteorder: \"middle\" is neither little nor big"},
        {with(R"({"part_shift": 31, "replica_count": 1, "byteorder": 1, "devs": []})"),
         "byteorder: 1 is not a string"},
        {with(R"({"part_shift": 31, "replica_count": 1, "devs": {}})"), "devs: {} is not a list"},
    });
}

BOOST_AUTO_TEST_CASE(a_bad_device_is_refused_with_its_place_in_the_list) {
    const std::string fine = R"("id": 0, "ip": "a", "port": 1, "device": "d")";
    BOOST_REQUIRE(reason(one_device(fine + R"(, "parts": 3)")) == "accepted");
    refused({
        {one_device(R"("ip": "a", "port": 1, "device": "d")"), "devs[0].id: missing"},
        {one_device(R"("id": 1, "ip": "a", "port": 1, "device": "d")"),
         "devs[0].id: 1 is not its index in the list"},
        {one_device(R"("id": 0, "ip": "a b", "port": 1, "device": "d")"),
         "devs[0].ip: \"a b\" is no address and no host name"},
        {one_device(R"("id": 0, "ip": "a", "port": 1, "device": "../d")"),
         "devs[0].device: \"../d\" is not a valid drive name"},
        {one_device(R"("id": 0, "ip": "a", "port": 0, "device": "d")"),
         "devs[0].port: 0 is not a whole number from 1 to 65535"},
        {one_device(fine + R"(}, {"id": 1, "ip": "a", "port": 1, "device": "d")"),
         "devs[1]: the same ip, port and device as devs[0]"},
    });
}

BOOST_AUTO_TEST_CASE(rows_that_do_not_fit_the_metadata_are_refused) {
    const auto with = [](std::string_view rows) { return format_1(two_big, rows); };
    const std::string row = ids({0, 2, 3, 4}, 2);
    refused({
        {with(""), "rows: 0 bytes are not a row of 4 ids of 2 bytes, or several"},
        {with(row.substr(2)), "rows: 6 bytes are not a row of 4 ids of 2 bytes, or several"},
        {with(row + "x"), "rows: 9 bytes are not a row of 4 ids of 2 bytes, or several"},
        {with(row), "replica_count: 2, but there are 1 rows"},
        {with(row + row + ids({0}, 2)), "replica_count: 2, but there are 3 rows"},
        {with(row + ids({0, 2, 1}, 2)), "rows[1][2]: 1 is not the id of a device"}, // removed
        {with(row + ids({5}, 2)), "rows[1][0]: 5 is not the id of a device"},
        {with(ids({0, 2, 65535, 2, 0}, 2)), "rows[0][2]: 65535 is not the id of a device"},
        {format_1(metadata(R"("replica_count": 2)", "[]"), row + row),
         "rows[0][0]: 0 is not the id of a device"},
    });
    BOOST_TEST(reason(with(row + row)) == "accepted");
}

BOOST_AUTO_TEST_CASE(a_bad_index_is_refused) {
    const auto with_index = [](const std::string& index) {
        Format2 file;
        file.add("swift/ring/metadata", metadata_2);
        return file.done(index);
    };
    const std::string entry = R"({"swift/ring/metadata": )";
    std::string shifted = good_2;
    shifted.insert(shifted.size() - 16, "x");
    refused({
        {magic(2), "index: 8 bytes wanted, 6 left"},
        {magic(2) + network(99, 8) + network(0, 8), "index: 99 bytes wanted, 22 left"},
        {magic(2) + network(~0ULL, 8) + network(0, 8),
         "index: 18446744073709551615 bytes wanted, 22 left"},
        {magic(2) + network(~0ULL, 8) + network(6, 8) + network(0, 8),
         "index: 18446744073709551615 bytes wanted, 16 left"},
        {shifted, "index: does not end where the file does"},
        {with_index("[]"), "index: [] is not an object"},
        {with_index("{}"), "index.swift/ring/metadata: missing"},
        {with_index(entry + "3}"), "swift/ring/metadata: 3 in the index is not a start and an end"},
        {with_index(entry + "[7,6,7]}"),
         "swift/ring/metadata: [7,6,7] in the index is not a start and an end"},
        {with_index(entry + "[7,-6,7,8]}"),
         "swift/ring/metadata: [7,-6,7,8] in the index is not a start and an end"},
        {with_index(entry + "[7,6,7,8]}"),
         "swift/ring/metadata: the index says that it ends elsewhere"},
    });
    BOOST_TEST(reason(with_index(entry + "[7,999999,7,8]}")).find("999999 bytes wanted") !=
               std::string::npos);
    BOOST_TEST(reason(with_index("{")).find("index: not JSON: ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(bad_sections_are_refused) {
    const std::string rows = ids({0, 2, 3, 4}, 2);
    const auto metadata_of = [](const std::string& bytes) {
        return R"({"part_shift": 30, "dev_id_bytes": )" + bytes + '}';
    };
    refused({
        {format_2("{}", some_devices, rows), "part_shift: missing"},
        {format_2(R"({"part_shift": 30})", some_devices, rows), "dev_id_bytes: missing"},
        {format_2(metadata_of("3"), some_devices, rows), "dev_id_bytes: 3 is not 2, 4 or 8"},
        {format_2(metadata_of("16"), some_devices, rows),
         "dev_id_bytes: 16 is not a whole number from 2 to 8"},
        {format_2(metadata_of("4"), some_devices, rows),
         "rows: 8 bytes are not a row of 4 ids of 4 bytes, or several"},
        {format_2(metadata_of("8"), some_devices, ids({0, 2, 3, 1ULL << 32}, 8)),
         "rows[0][3]: 4294967296 is not the id of a device"},
        {format_2(metadata_2, "{}", rows), "devs: {} is not a list"},
    });
    BOOST_TEST(reason(format_2("", some_devices, rows)).find("metadata: not JSON: ") !=
               std::string::npos);
    BOOST_TEST(reason(format_2(metadata_2, "[", rows)).find("devs: not JSON: ") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_cut_or_continued_is_refused) {
    for (const std::string& content : {good, good_2}) {
        const std::string packed = gzip(content);
        for (std::size_t bytes = 0; bytes < packed.size(); ++bytes) {
            BOOST_TEST(reason_of_packed(packed.substr(0, bytes)) ==
                       "/etc/swift/account.ring.gz: ends in the middle of its gzip data");
        }
        BOOST_TEST(reason_of_packed(packed + '\0').find("1 bytes follow the end") !=
                   std::string::npos);
    }
}

// A short last row is allowed, so only whole ids from the end of format 1 may be missing.
BOOST_AUTO_TEST_CASE(a_content_that_is_cut_is_refused_even_when_its_sum_is_right) {
    for (std::size_t bytes = 0; bytes < good.size(); ++bytes) {
        const std::size_t missing = good.size() - bytes;
        BOOST_TEST((reason(good.substr(0, bytes)) == "accepted") == (missing == 2 || missing == 4));
    }
    for (std::size_t bytes = 0; bytes < good_2.size(); ++bytes) {
        BOOST_TEST(reason(good_2.substr(0, bytes)) != "accepted");
    }
}

BOOST_AUTO_TEST_CASE(a_wrong_bit_is_refused_or_makes_a_table_within_bounds) {
    for (const std::string& content : {good, good_2}) {
        for (std::size_t bit = 0; bit < 8 * content.size(); ++bit) {
            std::string other = content;
            other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
            if (reason(other) != "accepted") {
                continue;
            }
            const SwiftRingTable table = parse(other);
            BOOST_REQUIRE(!table.rows.empty());
            BOOST_TEST(table.rows[0].size() == table.partition_count());
            BOOST_TEST(table.tiers.size() == table.devices.size());
            for (const Row& row : table.rows) {
                BOOST_TEST(!row.empty());
                for (const std::uint32_t device : row) {
                    BOOST_TEST(device < table.devices.size());
                }
            }
        }
    }
}
