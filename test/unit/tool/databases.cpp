#include <replica/tool/databases.hpp>

#define BOOST_TEST_MODULE tool_databases
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace replica;

const std::string sda = "/srv/node/sda";
const std::string one = "0123456789abcdef0123456789abcdef";
const std::string two = "1123456789abcdef0123456789abcdef";

struct Drive {
    SimClock clock{};
    SimDisk disk{clock};
    int faults = 0;

    Drive() { disk.mount(sda); }

    void add(const std::string& path) {
        disk.make_directories(storage::parent(sda + path));
        disk.write(sda + path, "bytes");
    }

    [[nodiscard]] std::vector<std::uint32_t> partitions() {
        std::vector<std::uint32_t> numbers;
        for (const auto& each : tool::partitions_of(disk, sda, "containers", 16)) {
            BOOST_TEST(each.path == sda + "/containers/" + std::to_string(each.number));
            numbers.push_back(each.number);
        }
        return numbers;
    }

    [[nodiscard]] std::vector<std::string> databases(const std::string& partition) {
        std::vector<std::string> paths;
        tool::each_database(
            disk, sda + "/containers/" + partition,
            [&](const std::string& path) { paths.push_back(path.substr(sda.size())); },
            [&](const Failure& /*failure*/) { ++faults; });
        return paths;
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_device_that_never_had_one_has_no_partitions) {
    Drive device;
    BOOST_TEST(device.partitions().empty());
    BOOST_TEST(device.databases("3").empty());
    BOOST_TEST(device.faults == 0);
}

BOOST_AUTO_TEST_CASE(partitions_come_in_the_order_of_their_numbers_and_what_is_none_is_left_out) {
    Drive device;
    for (const char* name : {"9", "10", "2", "16", "02", "x"}) {
        device.add("/containers/" + std::string(name) + "/def/" + one + '/' + one + ".db");
    }
    device.add("/containers/7");
    device.add("/accounts/1/def/" + one + '/' + one + ".db");
    BOOST_TEST((device.partitions() == std::vector<std::uint32_t>{2, 9, 10}));
}

BOOST_AUTO_TEST_CASE(each_database_of_a_partition_is_found_once) {
    Drive device;
    const std::string first = "/containers/2/def/" + one + '/' + one + ".db";
    const std::string second = "/containers/2/def/" + two + '/' + two + "_1.db";
    device.add(first);
    device.add(first + ".pending");
    device.add(second);
    BOOST_TEST((device.databases("2") == std::vector{first, second}));
}

BOOST_AUTO_TEST_CASE(what_a_pass_does_not_come_to_is_not_found) {
    Drive device;
    device.add("/containers/2/abc/" + one + '/' + one + ".db"); // another suffix
    device.add("/containers/2/def/short/short.db");
    device.add("/containers/2/def/" + one + "/other.db");
    device.add("/containers/2/def/" + two + '/' + two + ".db.pending");
    BOOST_TEST(device.databases("2").empty());
    BOOST_TEST(device.faults == 0);
}

BOOST_AUTO_TEST_CASE(a_device_that_is_gone_is_a_fault) {
    Drive device;
    device.add("/containers/2/def/" + one + '/' + one + ".db");
    device.disk.fail_at(1);
    BOOST_CHECK_THROW(static_cast<void>(device.partitions()), Failure);
    device.disk.fail_at(1);
    BOOST_TEST(device.databases("2").empty());
    BOOST_TEST(device.faults == 1);
    BOOST_TEST(device.databases("2").size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_device_is_left_out_as_a_pass_leaves_it_out) {
    Drive drive;
    drive.add("/file");
    drive.disk.make_directories("/srv/node/plain");
    const auto why = [&](const std::string& root, bool mount_check) {
        return tool::why_unusable(drive.disk, root, mount_check);
    };
    BOOST_TEST(why(sda, true) == "");
    BOOST_TEST(why("/srv/node/plain", true) == "is not mounted");
    BOOST_TEST(why("/srv/node/plain", false) == "");
    BOOST_TEST(why("/srv/node/none", true) == "is not mounted");
    BOOST_TEST(why("/srv/node/none", false) == "is not a directory");
    BOOST_TEST(why(sda + "/file", false) == "is not a directory");
}
