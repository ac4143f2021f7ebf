#include <replica/receive/device.hpp>

#define BOOST_TEST_MODULE receive_device
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace replica;

namespace {

struct Node {
    SimClock clock;
    SimDisk disk{clock};
    Settings settings;
    Place place = Place::on("/srv/node/sda", "containers", 1, std::string(32, 'a'));

    Node() { disk.mount(place.device); }

    /// The reason of the refusal; empty for a device that can be used.
    [[nodiscard]] std::string refused() {
        const auto reply = refusal_of_device(disk, settings, place);
        if (reply) {
            BOOST_TEST(reply->status == 507);
        }
        return reply ? reply->reason : std::string();
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_device_that_is_mounted_and_has_room_is_used) {
    BOOST_TEST(Node().refused().empty());
}

BOOST_AUTO_TEST_CASE(a_device_that_is_not_mounted_is_refused_unless_that_is_not_asked_for) {
    Node node;
    node.place = Place::on("/srv/node/sdb", "containers", 1, std::string(32, 'a'));
    BOOST_TEST(node.refused() == "sdb is not mounted"); // not even there
    node.disk.make_directories(node.place.device);
    BOOST_TEST(node.refused() == "sdb is not mounted");
    node.settings.mount_check = false;
    BOOST_TEST(node.refused().empty());
}

BOOST_AUTO_TEST_CASE(a_device_with_less_room_than_its_reserve_is_refused) {
    Node node;
    node.settings.fallocate_reserve = {1e18, false};
    BOOST_TEST(node.refused() == "sda is full");
}
