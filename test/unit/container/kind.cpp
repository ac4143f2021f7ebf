#include <replica/container/kind.hpp>

#define BOOST_TEST_MODULE container_server
#include <replica/settings.hpp>
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <optional>
#include <utility>

using namespace replica;

namespace {

/// Remembers what it was told to become.
struct Recorder {
    std::optional<std::pair<std::int64_t, Timestamp>> policy;
    void set_storage_policy_index(std::int64_t index, Timestamp now) { policy = {index, now}; }
};

ContainerInfo container() {
    ContainerInfo info;
    info.put_timestamp = "1402464677.04188";
    info.status_changed_at = "1402464677.04188";
    info.count = 3;
    info.bytes_used = 30;
    info.storage_policy_index = 2;
    info.reported_put_timestamp = info.put_timestamp;
    info.reported_object_count = 3;
    info.reported_bytes_used = 30;
    return info;
}

} // namespace

static_assert(ContainerKind::name == "container" && ContainerKind::datadir == "containers" &&
              ContainerKind::default_port == 6201);

BOOST_AUTO_TEST_CASE(sync_says_more_only_for_containers_of_a_cluster_with_policies) {
    BOOST_TEST(!ContainerKind::sync_arguments(container(), 0));
    BOOST_TEST(!ContainerKind::sync_arguments(container(), 1));
    BOOST_TEST((ContainerKind::sync_arguments(container(), 2) ==
                PolicyArguments{"1402464677.04188", 3, 2}));
}

BOOST_AUTO_TEST_CASE(a_container_takes_over_the_policy_that_was_there_first) {
    ContainerInfo older = container();
    older.storage_policy_index = 1;
    older.status_changed_at = "1402464600.00000";
    const Timestamp now = *Timestamp::parse("1500000000.00000");
    Recorder database;
    BOOST_TEST(!ContainerKind::adopt_policy(database, older, container(), now));
    BOOST_TEST(!database.policy.has_value());
    BOOST_TEST(ContainerKind::adopt_policy(database, container(), older, now));
    BOOST_REQUIRE(database.policy.has_value());
    BOOST_TEST(database.policy->first == 1);
    BOOST_TEST((database.policy->second == now));
}

BOOST_AUTO_TEST_CASE(a_container_is_reported_when_the_account_was_told_all_four_figures) {
    BOOST_TEST(ContainerKind::reported(container()));
    ContainerInfo info = container();
    info.put_timestamp = "1402464678.00000";
    BOOST_TEST(!ContainerKind::reported(info));
    info = container();
    info.delete_timestamp = "1402464678.00000";
    BOOST_TEST(!ContainerKind::reported(info));
    info = container();
    info.count = 2;
    BOOST_TEST(!ContainerKind::reported(info));
    info = container();
    info.bytes_used = 29;
    BOOST_TEST(!ContainerKind::reported(info));
}

BOOST_AUTO_TEST_CASE(a_container_whose_sharding_has_begun_is_the_sharders) {
    ContainerInfo info = container();
    info.shard_max_row = 4; // A shard has its own range: that alone is no sharding.
    BOOST_TEST(ContainerKind::sends_rows(info));
    BOOST_TEST(ContainerKind::may_remove(info));
    info.sharding_initiated = true;
    BOOST_TEST(!ContainerKind::sends_rows(info));
    BOOST_TEST(!ContainerKind::may_remove(info));
    info.db_state = "sharding";
    BOOST_TEST(!ContainerKind::may_remove(info));
    BOOST_TEST(!ContainerKind::is_sharded(info));
    for (const char* state : {"sharded", "collapsed"}) {
        info.db_state = state;
        BOOST_TEST(!ContainerKind::sends_rows(info));
        BOOST_TEST(ContainerKind::may_remove(info), state);
        BOOST_TEST(ContainerKind::is_sharded(info) == (info.db_state == "sharded"));
    }
}

BOOST_AUTO_TEST_CASE(neither_a_queue_nor_what_the_sharder_has_is_ever_stale) {
    ContainerInfo info = container();
    BOOST_TEST(ContainerKind::may_be_stale(info));
    info.sharding_initiated = true;
    BOOST_TEST(!ContainerKind::may_be_stale(info));
    info = container();
    info.account = ".misplaced_objects";
    BOOST_TEST(!ContainerKind::may_be_stale(info));
    BOOST_TEST(ContainerKind::sends_rows(info));
}

BOOST_AUTO_TEST_CASE(an_expired_root_stays_as_long_as_it_has_shards) {
    ContainerInfo info = container();
    BOOST_TEST(ContainerKind::may_expire(info));
    info.has_shards = true;
    for (const char* state : {"unsharded", "sharded"}) {
        info.db_state = state;
        BOOST_TEST(!ContainerKind::may_expire(info), state);
        BOOST_TEST(ContainerKind::may_remove(info), state); // from where it does not belong
    }
    info.has_shards = false;
    info.db_state = "sharding";
    BOOST_TEST(!ContainerKind::may_expire(info));
}

BOOST_AUTO_TEST_CASE(only_a_queue_of_the_reconciler_waits_with_its_removal) {
    struct Memory {
        int asked = 0;
        bool defer_removal(const LocalDatabase& /*place*/) {
            ++asked;
            return true;
        }
    };
    struct Broker {
        SimDisk disk_{};
        SimDisk& disk() { return disk_; }
    };
    struct Pass {
        Settings settings{};
        Broker broker{};
        Memory state{};
        Stats stats{};
        Silent observer{};
        void count(std::int64_t Stats::*counter) { ++(stats.*counter); }
    } pass;
    LocalDatabase place;
    place.device.device = "sda";
    place.place.directory = "/srv/node/sda/containers/1/abc/h";
    place.place.file = "h.db";
    BOOST_TEST(ContainerKind::before_removal(pass, place, container()));
    BOOST_TEST(pass.state.asked == 0);
    ContainerInfo queue = container();
    queue.account = ".misplaced_objects";
    BOOST_TEST(!ContainerKind::before_removal(pass, place, queue));
    BOOST_TEST(pass.state.asked == 1);
    // A link that cannot be removed is told and keeps nothing.
    pass.broker.disk().fail_next(SimCall::remove, "sync_containers", Error::io);
    BOOST_TEST(ContainerKind::before_removal(pass, place, container()));
    BOOST_TEST(pass.stats.errors == 1);
}

BOOST_AUTO_TEST_CASE(rows_of_another_policy_are_rows_all_the_same) {
    ContainerInfo info = container();
    info.count = 0;
    info.live_rows = 2;
    BOOST_TEST(ContainerKind::live_rows(info) == 2);
    info.count = 5; // the sums of a sharded root
    BOOST_TEST(ContainerKind::live_rows(info) == 5);
}
