#include <replica/sqlite/record.hpp>

// The device of a host program's database: what is written to one that is not mounted, nobody sees.

#define BOOST_TEST_MODULE sqlite_record_device
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/vfs.hpp>

#include <boost/test/unit_test.hpp>

#include <support/notes.hpp>
#include <support/table_ring.hpp>

#include <string>

using namespace replica;
using namespace replica::test;

namespace {

const std::string root = "/srv/node";

/// A node with a mounted device "sda" and a plain directory "plain".
struct Node {
    using Store = BasicRecordBroker<Note, SimDisk, SimClock>;

    SimClock clock;
    SimDisk disk{clock};
    SimVfs vfs{"node", disk, 1};
    Store store{disk, clock, {.vfs = vfs.name()}};
    TableRing ring{{Device{}, Device{}}, 2, 4};

    Node() {
        disk.mount(root + "/sda");
        disk.make_directories(root + "/plain");
    }

    [[nodiscard]] static Settings settings(bool mount_check) {
        Settings settings;
        settings.devices = root;
        settings.mount_check = mount_check;
        return settings;
    }

    [[nodiscard]] auto book(const std::string& device, bool mount_check = true) {
        return store.open_or_create(settings(mount_check), ring, device, "mine");
    }

    void require_refused(const std::string& device, bool mount_check, Error error,
                         const std::string& part) {
        BOOST_CHECK_EXCEPTION(
            (void)book(device, mount_check), Failure, [&](const Failure& failure) {
                BOOST_TEST_MESSAGE("  " << failure.what());
                return failure.error() == error &&
                       std::string(failure.what()).find(part) != std::string::npos;
            });
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_ring_is_asked_for_the_version_that_it_has_now) {
    struct Changing {
        TableRing* now;
        TableRing version() { return *now; }
    };
    static_assert(Ring<Changing> && !RingVersion<Changing>);
    Node node;
    Changing ring{&node.ring};
    const Settings settings = Node::settings(true);
    node.store.open_or_create(settings, ring, "sda", "mine").put({"k", "", 1});
    BOOST_TEST(node.book("sda").get("k").has_value());
    node.ring = TableRing({Device{}, Device{}}, 2, 6); // another partition
    node.store.open_or_create(settings, ring, "sda", "mine").put({"k", "", 2});
    BOOST_TEST(node.book("sda").get("k")->stars == 2);
    BOOST_TEST(node.disk.stat(Node::Store::path(settings, node.ring, "sda", "mine")).has_value());
}

BOOST_AUTO_TEST_CASE(a_database_is_made_once_on_a_device_that_is_mounted) {
    Node node;
    node.book("sda").put({"k", "", 1});
    BOOST_TEST((node.book("sda").get("k") == Note{"k", "", 1}));
    const std::string path = Node::Store::path(Node::settings(true), node.ring, "sda", "mine");
    BOOST_TEST(node.disk.stat(path).has_value());
    BOOST_TEST(node.store.open(path, Instant::max()).info().account == "mine");
}

BOOST_AUTO_TEST_CASE(below_the_mount_point_of_a_device_that_is_gone_nothing_is_made) {
    Node node;
    node.book("sda").put({"k", "", 1});
    node.disk.settle();
    node.disk.unmount(root + "/sda");
    node.require_refused("sda", true, Error::not_mounted, root + "/sda is not mounted");
    BOOST_TEST(node.disk.list(root + "/sda").empty());
    node.disk.mount(root + "/sda");
    BOOST_TEST((node.book("sda").get("k") == Note{"k", "", 1}));
}

BOOST_AUTO_TEST_CASE(a_database_that_lies_below_a_mount_point_by_mistake_is_not_opened) {
    Node node;
    node.disk.unmount(root + "/sda");
    node.book("sda", false).put({"k", "", 1});
    node.require_refused("sda", true, Error::not_mounted, root + "/sda is not mounted");
    BOOST_TEST(node.book("sda", false).info().count == 1);
}

BOOST_AUTO_TEST_CASE(a_plain_directory_is_a_device_only_without_mount_check) {
    Node node;
    node.require_refused("plain", true, Error::not_mounted, root + "/plain is not mounted");
    BOOST_TEST(node.disk.list(root + "/plain").empty());
    node.book("plain", false).put({"k", "", 1});
    BOOST_TEST(node.book("plain", false).info().count == 1);
}

BOOST_AUTO_TEST_CASE(the_directory_of_a_device_is_never_made) {
    Node node;
    for (const bool mount_check : {true, false}) {
        node.require_refused("sdb", mount_check, Error::not_mounted, root + "/sdb is not");
        BOOST_TEST(!node.disk.stat(root + "/sdb").has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_device_is_a_name_below_the_devices) {
    Node node;
    for (const std::string name : {"", "..", "sda/notes", "a b"}) {
        node.require_refused(name, false, Error::bad_name, "'" + name + "'");
    }
}
