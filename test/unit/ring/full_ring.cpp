#include <replica/ring/full_ring.hpp>

#define BOOST_TEST_MODULE ring_full_ring
#include <boost/test/unit_test.hpp>

#include <laws/ring.hpp>

#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

std::vector<Device> devices(std::int64_t count) {
    std::vector<Device> all;
    for (std::int64_t id = 1; id <= count; ++id) {
        Device device;
        device.id = id;
        device.replication_ip = "10.0.0." + std::to_string(id);
        device.replication_port = 6201;
        device.device = "sda";
        all.push_back(device);
    }
    return all;
}

} // namespace

BOOST_AUTO_TEST_CASE(keeps_the_laws_with_one_device_and_with_many) {
    for (const std::int64_t count : {1, 2, 3, 17}) {
        check_ring_laws(FullRing(devices(count)));
    }
}

BOOST_AUTO_TEST_CASE(each_device_has_each_database_and_none_stands_in) {
    const FullRing ring(devices(3));
    for (const char* hash : {"00000000", "7fffffff", "ffffffff"}) {
        const auto partition = ring.partition(hash);
        BOOST_TEST((ring.primaries(partition) == devices(3)));
        BOOST_TEST(all_handoffs(ring, partition).empty());
    }
}

BOOST_AUTO_TEST_CASE(two_devices_of_one_id_are_refused_and_so_are_none) {
    const auto is_told = [](const std::string& part) {
        return [part](const Failure& failure) {
            return failure.error() == Error::bad_config &&
                   std::string(failure.what()).find(part) != std::string::npos;
        };
    };
    Device left; // no id was given
    left.device = "left";
    Device right;
    right.device = "right";
    BOOST_CHECK_EXCEPTION(FullRing({left, right}), Failure, is_told("two devices have the id -1"));
    BOOST_CHECK_EXCEPTION(FullRing({}), Failure, is_told("there is no device"));
    right.id = 1;
    BOOST_TEST(FullRing({left, right}).devices().size() == 2U);
}
