// Databases at rest: what every peer has and nobody touches is not opened (send/ledger.hpp).

#define BOOST_TEST_MODULE scenario_rest
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Kinds = boost::mpl::list<AccountKind, ContainerKind>;

constexpr int recheck = 10;

/// Three nodes, all primaries, with some databases on each of them that all have in common.
template <class Kind>
struct Resting : Cluster<Kind> {
    using Name = typename Cluster<Kind>::Name;

    explicit Resting(int databases = 1, int recheck_passes = 1000) : Cluster<Kind>(3, 3) {
        for (std::size_t at = 0; at < 3; ++at) {
            Settings settings = this->node(at).settings;
            settings.recheck_passes = recheck_passes;
            this->restart(at, settings);
        }
        this->network().before([this](const SimExchange& exchange, const Request&) {
            requests += exchange.from == this->node(0).ip ? 1 : 0;
        });
        for (int i = 0; i < databases; ++i) {
            names.push_back(this->name("a" + std::to_string(i)));
            this->create(0, names.back());
            this->put(0, names.back(), "row");
        }
        // Rows go over, points are noted, the second agreement writes nothing more.
        for (int i = 0; i < 4; ++i) {
            this->round();
        }
    }

    /// A pass of the first node; how many databases it has opened.
    std::int64_t opened() {
        requests = 0;
        return this->pass(0).attempted;
    }

    /// Passes until every database has had its turn.
    std::int64_t opened_in_turn() {
        std::int64_t all = 0;
        for (int i = 0; i < recheck; ++i) {
            all += this->pass(0).attempted;
        }
        return all;
    }

    std::vector<Name> names;
    std::int64_t requests = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(what_all_have_is_opened_in_one_of_so_many_passes, Kind, Kinds) {
    Resting<Kind> nodes(40, recheck);
    std::int64_t opened = 0;
    for (int i = 0; i < recheck; ++i) {
        nodes.requests = 0;
        const Stats stats = nodes.pass(0);
        BOOST_TEST(stats.attempted + stats.at_rest == 40);
        BOOST_TEST(nodes.requests == 2 * stats.attempted); // no peer is asked about the others
        BOOST_TEST(stats.failure + stats.errors == 0);
        opened += stats.attempted;
    }
    BOOST_TEST(opened == 40);
    BOOST_TEST(nodes.settle() == 1);
    for (const auto& name : nodes.names) {
        nodes.require_identical(name);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(with_a_recheck_in_every_pass_all_are_opened, Kind, Kinds) {
    Resting<Kind> nodes(3, 1);
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(nodes.opened() == 3);
        BOOST_TEST(nodes.requests == 6);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_is_sent_by_the_next_pass, Kind, Kinds) {
    Resting<Kind> nodes(2);
    BOOST_TEST(nodes.opened() == 0);
    nodes.put(0, nodes.names[0], "new");
    const Stats stats = nodes.pass(0);
    BOOST_TEST(stats.rows == 2);
    nodes.require_identical(nodes.names[0]);
    BOOST_TEST(nodes.settle() == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_row_that_waits_in_a_pending_file_is_sent_by_the_next_pass, Kind,
                              Kinds) {
    Resting<Kind> nodes;
    BOOST_TEST(nodes.opened() == 0);
    nodes.put_pending(0, nodes.names[0], "new");
    BOOST_TEST(nodes.pass(0).rows == 2);
    BOOST_TEST(
        (nodes.Cluster<Kind>::names(2, nodes.names[0]) == std::set<std::string>{"new", "row"}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_deletion_is_sent_and_dropped_when_its_time_comes, Kind, Kinds) {
    Resting<Kind> nodes;
    nodes.erase(0, nodes.names[0], "row");
    for (int i = 0; i < 5; ++i) {
        nodes.round();
    }
    BOOST_TEST(nodes.stored(2, nodes.names[0]).size() == 1U);
    nodes.clock().advance(Seconds(604'800 - 600));
    for (int i = 0; i < 2; ++i) { // an agreement is noted anew
        nodes.round();
    }
    nodes.clock().advance(Seconds(600));
    nodes.round();
    for (std::size_t at = 0; at < 3; ++at) {
        BOOST_TEST(nodes.stored(at, nodes.names[0]).empty());
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_lost_a_device_gets_all_back_once_one_is_missed, Kind,
                              Kinds) {
    Resting<Kind> nodes(40, recheck);
    nodes.wipe(1);
    std::int64_t whole = 0;
    int passes = 0;
    for (; passes < recheck && whole < 40; ++passes) {
        whole += nodes.pass(0).rsync;
    }
    BOOST_TEST(whole == 40);
    BOOST_TEST(passes <= 3); // the first that is missed gives the device away
    for (const auto& name : nodes.names) {
        BOOST_TEST(nodes.has(1, name));
    }
    BOOST_TEST(nodes.settle() > 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_went_back_in_time_is_noticed_as_well, Kind, Kinds) {
    Resting<Kind> nodes(1, recheck);
    const auto& name = nodes.names[0];
    const auto before = nodes.node(1).disk.content(nodes.path(name))->bytes;
    nodes.put(0, name, "new");
    for (int i = 0; i < 4; ++i) {
        nodes.round();
    }
    nodes.node(1).disk.write(nodes.path(name), before); // a backup is put in
    nodes.restart(1);
    BOOST_TEST((nodes.Cluster<Kind>::names(1, name) == std::set<std::string>{"row"}));
    BOOST_TEST(nodes.opened_in_turn() >= 1);
    BOOST_TEST((nodes.Cluster<Kind>::names(1, name) == std::set<std::string>{"new", "row"}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_ring_that_gives_a_database_to_others_wakes_it, Kind, Kinds) {
    Resting<Kind> nodes;
    BOOST_TEST(nodes.opened() == 0);
    std::vector<Device> devices = nodes.ring().devices();
    devices[1].replication_ip = "10.0.0.99"; // the same device, elsewhere
    nodes.node(0).ring = TableRing(devices, 3, 2);
    const auto kept = std::move(nodes.node(0).replicator); // a new one remembers nothing
    BOOST_TEST(kept->run_once().attempted == 0);           // its ring is the old one
    nodes.restart(0);
    BOOST_TEST(nodes.opened() == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_database_with_a_peer_that_fails_never_rests, Kind, Kinds) {
    Resting<Kind> nodes;
    BOOST_TEST(nodes.opened() == 0);
    nodes.put(0, nodes.names[0], "new");
    nodes.down(2);
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(nodes.opened() == 1);
    }
    nodes.up(2);
    nodes.clock().advance(Seconds(120)); // it was left alone for a while
    BOOST_TEST(nodes.opened() == 1);
    nodes.require_identical(nodes.names[0]);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_deleted_database_never_rests, Kind, Kinds) {
    Resting<Kind> nodes;
    nodes.erase(0, nodes.names[0], "row");
    nodes.clock().advance(Seconds(1));
    nodes.open(0, nodes.names[0]).mark_deleted(nodes.clock().now());
    for (int i = 0; i < 4; ++i) {
        nodes.round();
    }
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(nodes.opened() == 1);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_file_from_elsewhere_in_the_directory_keeps_a_database_awake, Kind,
                              Kinds) {
    Resting<Kind> nodes;
    BOOST_TEST(nodes.opened() == 0);
    for (const char* const end : {"-journal", "-wal", ".pending.unreadable.1"}) {
        const std::string file = nodes.path(nodes.names[0]) + end;
        nodes.node(0).disk.write(file, "");
        BOOST_TEST(nodes.opened() == 1, end);
        nodes.node(0).disk.remove(file);
        BOOST_TEST(nodes.opened() == 1, end); // it is to be confirmed anew
        BOOST_TEST(nodes.opened() == 0, end);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_clock_that_jumps_wakes_all, Kind, Kinds) {
    Resting<Kind> nodes(5);
    BOOST_TEST(nodes.opened() == 0);
    nodes.node(0).clock.jump(Seconds(7200));
    BOOST_TEST(nodes.opened() == 5);
}

BOOST_AUTO_TEST_CASE(a_container_that_is_being_sharded_never_rests) {
    Resting<ContainerKind> nodes;
    BOOST_TEST(nodes.opened() == 0);
    ShardRange range;
    range.name = ".shards_a/c-1";
    range.timestamp = nodes.clock().now().internal();
    range.lower = "";
    range.upper = "m";
    nodes.open(0, nodes.names[0]).merge_shard_ranges(std::vector{range});
    for (int i = 0; i < 6; ++i) {
        BOOST_TEST(nodes.opened() == 1);
    }
}
