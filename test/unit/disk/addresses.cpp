#include <replica/disk/addresses.hpp>

#define BOOST_TEST_MODULE disk_addresses
#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace replica;

namespace {

using Addresses = std::vector<std::string>;

Device at(std::string ip, std::uint16_t port) {
    Device device;
    device.ip = "198.51.100.1"; // never looked at
    device.port = port;
    device.replication_ip = std::move(ip);
    device.replication_port = port;
    return device;
}

} // namespace

BOOST_AUTO_TEST_CASE(an_address_has_one_form_whatever_way_it_is_written) {
    BOOST_TEST(canonical_address("127.0.0.1").value() == "127.0.0.1");
    BOOST_TEST(canonical_address("0:0:0:0:0:0:0:1").value() == "::1");
    BOOST_TEST(canonical_address("FE80::00ff%eth0").value() == "fe80::ff");
    BOOST_TEST(canonical_address("[2001:db8::1]").value() == "2001:db8::1");
    for (const char* text :
         {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", ":::", "[", "::1]"}) {
        BOOST_TEST_CONTEXT(text) {
            BOOST_TEST(!canonical_address(text));
        }
    }
}

BOOST_AUTO_TEST_CASE(the_machine_knows_its_own_loopback) {
    const Addresses all = interface_addresses();
    BOOST_TEST(std::ranges::count(all, "127.0.0.1") == 1);
    for (const std::string& address : all) {
        BOOST_TEST(canonical_address(address).value_or("no address") == address);
    }
}

BOOST_AUTO_TEST_CASE(a_service_bound_to_one_address_is_known_by_that_alone) {
    BOOST_TEST((own_addresses("127.0.0.3") == Addresses{"127.0.0.3"}));
    BOOST_TEST((own_addresses("0::1") == Addresses{"::1"}));
}

BOOST_AUTO_TEST_CASE(a_service_bound_to_all_addresses_is_known_by_each) {
    for (const char* wildcard : {"0.0.0.0", "::", "0:0:0:0:0:0:0:0", "", "localhost"}) {
        BOOST_TEST_CONTEXT(wildcard) {
            BOOST_TEST((own_addresses(wildcard) == interface_addresses()));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_device_is_ours_by_replication_address_and_port) {
    const Addresses own{"127.0.0.3", "::1"};
    BOOST_TEST(is_local(own, 6201, at("127.0.0.3", 6201)));
    BOOST_TEST(is_local(own, 6201, at("0:0::1", 6201)));
    BOOST_TEST(!is_local(own, 6201, at("127.0.0.3", 6202)));
    BOOST_TEST(!is_local(own, 6201, at("127.0.0.4", 6201)));
    BOOST_TEST(!is_local({}, 6201, at("127.0.0.3", 6201)));
    BOOST_TEST(!is_local(own, 6201, at("", 6201)));
}

BOOST_AUTO_TEST_CASE(a_host_name_in_the_ring_stands_for_its_addresses) {
    const Addresses named = resolve("localhost");
    BOOST_REQUIRE(!named.empty());
    BOOST_TEST(is_local(interface_addresses(), 6201, at("localhost", 6201)));
    BOOST_TEST(!is_local({"198.51.100.7"}, 6201, at("localhost", 6201)));
}

BOOST_AUTO_TEST_CASE(a_host_name_that_nobody_knows_is_not_ours) {
    BOOST_TEST(resolve("no such host").empty());
    BOOST_TEST(resolve(std::string(300, 'x')).empty());
    BOOST_TEST(resolve("").empty());
    BOOST_TEST(!is_local(interface_addresses(), 6201, at("no such host", 6201)));
}
