// Replicas of a container that were made with different storage policies, and containers that are
// synced to another cluster: what a pass does beside comparing rows, told as stories.

#define BOOST_TEST_MODULE scenario_policies
#include <replica/container/sync_store.hpp>

#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

struct Containers : Cluster<ContainerKind> {
    using Cluster::Cluster;

    void create(std::size_t at, Name name, std::int64_t policy) {
        clock().advance(Seconds(1));
        name.info.storage_policy_index = policy;
        Cluster::create(at, name);
    }

    /// A client's write through a server that has the container under this policy.
    void put(std::size_t at, const Name& name, const std::string& row) {
        put(at, name, std::vector<std::string>{row});
    }
    void put(std::size_t at, const Name& name, const std::vector<std::string>& names) {
        clock().advance(Seconds(0.01));
        std::vector<Row> rows;
        for (const std::string& each : names) {
            rows.push_back(make_row(each, clock().now(), 1, false));
            rows.back().storage_policy_index = info(at, name).storage_policy_index;
        }
        open(at, name).put(rows);
    }

    [[nodiscard]] Name queue(const std::string& hour) const {
        return name(std::string(reconciler::account), hour);
    }

    /// The queue for what is written now.
    [[nodiscard]] Name queue() {
        return queue(reconciler::queue_name(clock().now().internal()).value());
    }

    /// The nth hour from now whose queue has node `at` among its primaries, or has not.
    void wait_for_queue(std::size_t at, bool primary) {
        const auto is_primary = [&] {
            const auto places = primaries(queue());
            return std::ranges::find(places, at) != places.end();
        };
        while (is_primary() != primary) {
            clock().advance(Seconds(3600));
        }
    }

    /// What is queued for a container anywhere.
    [[nodiscard]] std::set<std::string> queued(const Name& of) {
        std::set<std::string> hours;
        for (const std::size_t at : primaries(of)) {
            for (const Row& row : rows(at, of)) {
                hours.insert(reconciler::queue_name(row.created_at).value());
            }
        }
        std::set<std::string> result;
        for (const std::string& hour : hours) {
            for (std::size_t at = 0; at < size(); ++at) {
                if (has(at, queue(hour))) {
                    result.merge(names(at, queue(hour)));
                }
            }
        }
        return result;
    }

    [[nodiscard]] std::string entry(const Name& name) const {
        return sync_store::link_path(device_path(), path(name));
    }
};

std::vector<std::string> many(const std::string& prefix, int count) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) {
        names.push_back(prefix + std::to_string(i));
    }
    return names;
}

} // namespace

BOOST_AUTO_TEST_CASE(objects_of_the_policy_that_gave_way_are_queued) {
    Containers nodes(5, 3);
    const auto name = nodes.name("a");
    const auto at = nodes.primaries(name);
    nodes.create(at[0], name, 0); // made first: it stays
    nodes.create(at[1], name, 1); // while the first could not be seen
    nodes.create(at[2], name, 0);
    nodes.put(at[0], name, "stays");
    nodes.put(at[1], name, "moves");
    BOOST_TEST(nodes.settle() > 0);
    nodes.round(); // a queue that took over an older created_at goes a pass later
    nodes.require_identical(name);
    BOOST_TEST(nodes.info(at[1], name).storage_policy_index == 0);
    BOOST_TEST(nodes.queued(name) == std::set<std::string>{"1:/a/c/moves"});
    nodes.require_identical(nodes.queue()); // on its own primaries and nowhere else
    for (const std::size_t node : at) {
        const auto info = nodes.info(node, name);
        BOOST_TEST(info.reconciler_sync_point == info.max_row);
        BOOST_TEST(info.several_policies);
    }
}

BOOST_AUTO_TEST_CASE(a_large_replica_that_gives_way_is_queued_whole) {
    // Its rows were looked at while they were right, and a file that goes over as a whole takes its
    // point along. With Swift nobody queues these rows: their objects are out of clients' reach.
    Containers nodes(2, 2);
    Settings settings = nodes.node(0).settings;
    settings.per_diff = 10;
    const auto name = nodes.name("a");
    const auto at = nodes.primaries(name);
    nodes.restart(at[1], settings);
    nodes.create(at[0], name, 0);
    nodes.put(at[0], name, "small");
    nodes.create(at[1], name, 1);
    nodes.put(at[1], name, many("large", 200));
    BOOST_REQUIRE(nodes.open(at[1], name).set_reconciler_sync_point(200, 1)); // as Swift does
    BOOST_TEST(nodes.pass(at[1]).remote_merge == 1);
    BOOST_TEST(nodes.settle() > 0);
    nodes.require_identical(name);
    BOOST_TEST(nodes.info(at[0], name).storage_policy_index == 0);
    BOOST_TEST(nodes.queued(name).size() == 200U);
    nodes.require_identical(nodes.queue());
}

BOOST_AUTO_TEST_CASE(a_queue_reaches_its_primaries_in_the_pass_that_fed_it) {
    Containers nodes(5, 3);
    const auto name = nodes.name("a");
    const auto at = nodes.primaries(name)[0];
    nodes.wait_for_queue(at, false);
    nodes.create(at, name, 0);
    nodes.put(at, name, "right");
    nodes.open(at, name).put([&] {
        auto row = nodes.next_row("wrong", 1, false);
        row.storage_policy_index = 1;
        return row;
    }());
    const Stats stats = nodes.pass(at);
    const auto queue = nodes.queue();
    for (const std::size_t node : nodes.primaries(queue)) {
        BOOST_TEST(nodes.names(node, queue) == std::set<std::string>{"1:/a/c/wrong"});
    }
    BOOST_TEST(!nodes.has(at, queue)); // handed off, and nothing is left
    BOOST_TEST(stats.remove == 1);
    BOOST_TEST(stats.attempted == 2);
}

BOOST_AUTO_TEST_CASE(a_queue_whose_primaries_are_away_waits_here) {
    Containers nodes(5, 3);
    const auto name = nodes.name("a");
    const auto at = nodes.primaries(name)[0];
    nodes.wait_for_queue(at, false);
    nodes.create(at, name, 1);
    nodes.put(at, name, "wrong");
    nodes.open(at, name).set_storage_policy_index(0, nodes.clock().now());
    const auto queue = nodes.queue();
    for (const std::size_t node : nodes.primaries(queue)) {
        nodes.down(node);
    }
    nodes.pass(at);
    BOOST_TEST(nodes.names(at, queue) == std::set<std::string>{"1:/a/c/wrong"});
    for (const std::size_t node : nodes.primaries(queue)) {
        nodes.up(node);
    }
    nodes.clock().advance(Seconds(100)); // they are left alone for a while
    BOOST_TEST(nodes.settle() > 0);
    nodes.require_identical(queue);
    nodes.require_identical(name);
}

BOOST_AUTO_TEST_CASE(a_queue_that_does_not_belong_here_goes_only_at_the_end_of_the_pass) {
    Containers nodes(5, 3);
    const auto name = nodes.name("a");
    const auto at = nodes.primaries(name)[0];
    nodes.wait_for_queue(at, false);
    auto queue = nodes.queue();
    queue.info.created_at = nodes.clock().now().normal(); // equal everywhere: it could go at once
    nodes.create(at, queue, 0);                           // left by a pass that was killed
    nodes.create(at, name, 1);
    nodes.put(at, name, "wrong");
    nodes.open(at, name).set_storage_policy_index(0, nodes.clock().now());
    bool other_done = false;
    bool gone_before = false;
    nodes.network().before([&](const SimExchange& exchange, const Request& request) {
        gone_before = gone_before || (!other_done && !nodes.has(at, queue));
        other_done = other_done || request.hash == name.hash;
        BOOST_TEST_MESSAGE("  " << exchange.verb << ' ' << request.hash);
    });
    // Both orders of the two databases occur.
    for (int pass = 0; pass < 8; ++pass) {
        other_done = false;
        nodes.pass(at);
        BOOST_TEST(!gone_before);
        BOOST_TEST(!nodes.has(at, queue));
        nodes.create(at, queue, 0);
    }
    for (const std::size_t node : nodes.primaries(queue)) {
        BOOST_TEST(nodes.names(node, queue) == std::set<std::string>{"1:/a/c/wrong"});
    }
}

BOOST_AUTO_TEST_CASE(rows_fed_before_a_crash_are_fed_again) {
    Containers nodes(3, 3);
    const auto name = nodes.name("a");
    const auto at = nodes.primaries(name)[0];
    nodes.create(at, name, 1);
    nodes.put(at, name, "wrong");
    nodes.open(at, name).set_storage_policy_index(0, nodes.clock().now());
    // The queue is committed, then the power goes before the point is.
    const auto queue = nodes.queue();
    nodes.node(at).disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::vfs_write && path == nodes.path(name) && nodes.has(at, queue) &&
            !nodes.rows(at, queue).empty()) {
            nodes.node(at).disk.on_call(nullptr);
            nodes.node(at).disk.halt_at(1);
        }
    });
    nodes.pass(at);
    nodes.node(at).disk.crash();
    nodes.restart(at);
    BOOST_TEST(nodes.info(at, name).reconciler_sync_point == -1);
    BOOST_TEST(nodes.names(at, queue).size() == 1U);
    BOOST_TEST(nodes.settle() > 0);
    BOOST_TEST(nodes.info(at, name).reconciler_sync_point == 1);
    nodes.require_identical(queue);
    BOOST_TEST(nodes.info(at, queue).max_row == 1); // the second time was no news
}

BOOST_AUTO_TEST_CASE(two_containers_feed_one_queue) {
    Containers nodes(4, 3);
    std::set<std::string> expected;
    std::vector<Containers::Name> containers;
    for (const char* account : {"a", "b", "d"}) {
        const auto name = nodes.name(account);
        const auto at = nodes.primaries(name);
        nodes.create(at[0], name, 0);
        nodes.create(at[1], name, 1);
        nodes.put(at[1], name, "o");
        expected.insert("1:/" + std::string(account) + "/c/o");
        containers.push_back(name);
    }
    const auto queue = nodes.queue();
    BOOST_TEST(nodes.settle() > 0);
    nodes.require_identical(queue);
    BOOST_TEST(nodes.names(nodes.primaries(queue)[0], queue) == expected);
}

BOOST_AUTO_TEST_CASE(a_queue_itself_is_never_queued) {
    Containers nodes(3, 3);
    const auto queue = nodes.queue();
    const auto at = nodes.primaries(queue)[0];
    nodes.create(at, queue, 0);
    nodes.put(at, queue, "1:/a/c/o");
    nodes.open(at, queue).set_storage_policy_index(1, nodes.clock().now());
    BOOST_TEST(nodes.settle() > 0);
    BOOST_TEST(nodes.names(at, queue).size() == 1U);
    BOOST_TEST(nodes.info(at, queue).reconciler_sync_point == -1);
}

// ---- Links for container sync.

BOOST_AUTO_TEST_CASE(a_link_follows_its_database_from_a_handoff_to_the_primaries) {
    Containers nodes(5, 3);
    const auto name = nodes.name("a");
    const auto handoff = nodes.others(name)[0];
    nodes.create(handoff, name, 0);
    nodes.open(handoff, name)
        .merge_metadata(R"({"X-Container-Sync-To": ["//r/c/a/c", "1402464677.00000"],)"
                        R"( "X-Container-Sync-Key": ["secret", "1402464677.00000"]})");
    BOOST_TEST(nodes.settle() > 0);
    nodes.require_identical(name);
    for (const std::size_t at : nodes.primaries(name)) {
        BOOST_TEST((nodes.node(at).disk.read_link(nodes.entry(name)) == nodes.path(name)));
    }
    BOOST_TEST(!nodes.node(handoff).disk.read_link(nodes.entry(name)));
    BOOST_TEST(!nodes.node(handoff).disk.stat(storage::parent(nodes.entry(name))));
}

BOOST_AUTO_TEST_CASE(the_link_of_an_expired_container_goes_with_it) {
    Containers nodes(3, 3);
    const auto name = nodes.name("a");
    const auto at = nodes.primaries(name)[0];
    nodes.create(at, name, 0);
    nodes.open(at, name).merge_metadata(
        R"({"X-Container-Sync-To": ["//r/c/a/c", "1402464677.00000"],)"
        R"( "X-Container-Sync-Key": ["secret", "1402464677.00000"]})");
    BOOST_TEST(nodes.settle() > 0);
    BOOST_TEST(nodes.node(at).disk.read_link(nodes.entry(name)).has_value());
    Timestamps times = nodes.info(at, name).timestamps();
    times.delete_timestamp = nodes.clock().now().internal();
    nodes.open(at, name).merge_timestamps(times);
    nodes.round();
    for (const std::size_t node : nodes.primaries(name)) {
        BOOST_TEST(nodes.has(node, name));
        BOOST_TEST(!nodes.node(node).disk.read_link(nodes.entry(name)));
    }
}
