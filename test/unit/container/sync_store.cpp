#include <replica/container/sync_store.hpp>

#define BOOST_TEST_MODULE container_sync_store
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <optional>
#include <string>

using namespace replica;
using namespace replica::test;

namespace {

const std::string device = "/srv/node/sda";
const std::string path = device + "/containers/7/abc/h/h.db";
const std::string entry = device + "/sync_containers/7/abc/h/h.db";

/// Metadata as Swift's PUT of a container with X-Container-Sync-* leaves them; empty: deleted.
ContainerInfo container(const std::optional<std::string>& to,
                        const std::optional<std::string>& key) {
    Metadata metadata;
    metadata.set({"X-Container-Meta-Color", "blue", "1402464677.00000"});
    if (to) {
        metadata.set({"X-Container-Sync-To", *to, "1402464677.00000"});
    }
    if (key) {
        metadata.set({"X-Container-Sync-Key", *key, "1402464677.00000"});
    }
    ContainerInfo info;
    info.account = "a";
    info.container = "c";
    info.put_timestamp = "1402464677.00000";
    info.metadata = metadata.text();
    return info;
}

ContainerInfo synced() {
    return container("//realm/cluster/a/c", "secret");
}

struct Fixture {
    SimDisk disk;

    Fixture() { disk.write(path, "a database"); }

    void update(const ContainerInfo& info) { sync_store::update(disk, device, path, info); }
    [[nodiscard]] std::string says() const { return disk.read_link(entry).value_or("(none)"); }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_container_set_up_for_sync_gets_a_link, Fixture) {
    BOOST_TEST(sync_store::link_path(device, path) == entry);
    update(synced());
    BOOST_TEST(says() == path);
    BOOST_TEST(disk.stat(entry)->size == 10); // the way through it leads to the database
}

BOOST_FIXTURE_TEST_CASE(a_link_that_is_right_is_not_written_again, Fixture) {
    update(synced());
    disk.fail_next(SimCall::make_link, "", Error::io, 0);
    disk.fail_next(SimCall::make_directories, "", Error::io, 0);
    disk.fail_next(SimCall::remove, "", Error::io, 0);
    update(synced());
    BOOST_TEST(says() == path);
}

BOOST_FIXTURE_TEST_CASE(a_link_to_another_place_is_replaced, Fixture) {
    // As after a device has been given another name.
    disk.make_directories(storage::parent(entry));
    BOOST_TEST(disk.make_link("/srv/node/sdb/containers/7/abc/h/h.db", entry));
    update(synced());
    BOOST_TEST(says() == path);
}

BOOST_FIXTURE_TEST_CASE(what_is_no_link_is_left_alone_and_reported, Fixture) {
    disk.write(entry, "an operator's file");
    BOOST_CHECK_EXCEPTION(update(synced()), Failure, [](const Failure& failure) {
        return failure.error() == Error::exists &&
               std::string(failure.what()).find(entry) != std::string::npos;
    });
    BOOST_TEST(disk.read(entry, 100) == "an operator's file");
}

BOOST_FIXTURE_TEST_CASE(a_container_never_set_up_for_sync_costs_no_call_of_the_disk, Fixture) {
    disk.make_directories(storage::parent(entry));
    BOOST_TEST(disk.make_link(path, entry)); // nobody's business then
    const auto calls = disk.calls();
    update(container(std::nullopt, std::nullopt));
    ContainerInfo bare;
    update(bare);
    bare.metadata = "no JSON";
    update(bare);
    BOOST_TEST(disk.calls() == calls);
    BOOST_TEST(says() == path);
}

BOOST_FIXTURE_TEST_CASE(the_link_goes_when_a_half_of_the_setup_goes, Fixture) {
    const std::optional<std::string> deleted("");
    const std::optional<std::string> never;
    for (const ContainerInfo& info : {container("//r/c/a/c", deleted), container(deleted, "secret"),
                                      container(deleted, deleted), container("//r/c/a/c", never),
                                      container(never, "secret"), container(never, deleted)}) {
        update(synced());
        BOOST_TEST_REQUIRE(says() == path);
        update(info);
        BOOST_TEST(says() == "(none)", info.metadata);
    }
    // Without anything left in it the tree goes as well.
    BOOST_TEST(!disk.stat(device + "/sync_containers/7"));
    BOOST_TEST(disk.stat(device + "/sync_containers").has_value());
    update(container(deleted, deleted)); // again: nothing to remove
    BOOST_TEST(disk.stat(path).has_value());
}

BOOST_FIXTURE_TEST_CASE(the_link_of_a_deleted_container_goes, Fixture) {
    update(synced());
    ContainerInfo info = synced();
    info.delete_timestamp = "1402464678.00000";
    info.count = 1;
    update(info);
    BOOST_TEST(says() == path); // not deleted while it has rows
    info.count = 0;
    update(info);
    BOOST_TEST(says() == "(none)");
    info.put_timestamp = "1402464679.00000";
    update(info);
    BOOST_TEST(says() == path);
}

BOOST_FIXTURE_TEST_CASE(a_neighbours_link_stays_when_one_goes, Fixture) {
    const std::string other = device + "/containers/7/abc/i/i.db";
    update(synced());
    sync_store::update(disk, device, other, synced());
    sync_store::remove(disk, device, path);
    BOOST_TEST(says() == "(none)");
    BOOST_TEST((disk.read_link(device + "/sync_containers/7/abc/i/i.db") == other));
    BOOST_TEST(!disk.stat(device + "/sync_containers/7/abc/h"));
}

BOOST_FIXTURE_TEST_CASE(a_server_that_makes_the_same_link_meanwhile_is_no_failure, Fixture) {
    disk.on_call([this](SimCall call, const std::string& at) {
        if (call == SimCall::make_link && !disk.read_link(entry)) {
            disk.on_call(nullptr);
            BOOST_TEST(disk.make_link(path, at));
        }
    });
    update(synced());
    BOOST_TEST(says() == path);
}

// ---- In a pass.

BOOST_AUTO_TEST_CASE(a_failure_of_the_link_is_told_and_fails_nothing) {
    Duo<ContainerKind> duo;
    duo.open().merge_metadata(synced().metadata);
    duo.here().disk.fail_next(SimCall::make_link, "", Error::no_space, 1);
    const Stats stats = duo.nodes.pass(0);
    BOOST_TEST(stats.errors == 1);
    BOOST_TEST(stats.failure == 0);
    BOOST_TEST(stats.rsync == 1);
    BOOST_TEST(duo.here().journal.mentions("injected fault"));
    const std::string made = sync_store::link_path(duo.device(), duo.path());
    BOOST_TEST(!duo.here().disk.read_link(made));
    BOOST_TEST(duo.nodes.pass(0).errors == 0);
    BOOST_TEST((duo.here().disk.read_link(made) == duo.path()));
    duo.nodes.pass(1); // metadata came with the file, and the other node makes its own link
    BOOST_TEST((duo.there().disk.read_link(made) == duo.path()));
}
