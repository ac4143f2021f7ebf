// Replicas that have lost their points, on simulated nodes: what goes over the wire, to the byte,
// and what happens when something goes wrong in the middle.

#define BOOST_TEST_MODULE scenario_compare

#include "../support/cluster.hpp"

namespace {
template <class Kind>
using Stage = replica::test::Cluster<Kind>;
} // namespace

#include "compared.hpp"

#include <cstdint>
#include <map>
#include <string>

using namespace replica;
using namespace replica::test;

namespace {

/// What goes to a node and back.
struct Traffic {
    std::map<std::string, int> requests;
    std::int64_t bytes = 0;
};

template <class Kind>
void watch(Stage<Kind>& cluster, std::size_t at, Traffic& traffic) {
    auto& node = cluster.node(at);
    cluster.network().serve(node.ip, Stage<Kind>::port, [&](const Request& request) {
        const Reply reply = node.server.handle(request);
        ++traffic.requests[SimNetwork::verb_of(request.body)];
        traffic.bytes += static_cast<std::int64_t>(request.body.size() + reply.body.size());
        return reply;
    });
}

using Containers = Stage<ContainerKind>;

/// Two nodes with rows in common, and 20 that are newer on each side.
struct Pair : Containers {
    explicit Pair(int rows = 1000) : Containers(2, 2), step(rows / 20) {
        make_lost(*this, name, rows);
        for (const std::size_t at : {0, 1}) {
            for (int i = 0; i < 20; ++i) {
                put(at, name, number(i, at), 5);
            }
        }
    }

    /// Both sides are whole in the end, and nobody has found a difference that points hid.
    void require_healed(std::int64_t size = 5) {
        BOOST_TEST(settle() > 0);
        require_identical(name);
        std::map<std::string, std::int64_t> sizes;
        for (const auto& row : stored(0, name)) {
            sizes[row.name] = row.size;
        }
        for (int i = 0; i < 20; ++i) {
            for (const std::size_t at : {0, 1}) {
                BOOST_TEST(sizes[number(i, at)] >= size);
            }
        }
    }

    /// The i-th row that is newer on a node.
    [[nodiscard]] std::string number(int i, std::size_t at) const {
        return "both" + std::to_string(step * i + static_cast<int>(at));
    }

    int step;
    Name name = Containers::name("AUTH_pair");
};

using Requests = std::map<std::string, int>;

} // namespace

// Numbers of digests vary by some bytes with the key, which comes from the seed of the settings.
BOOST_AUTO_TEST_CASE(what_goes_over_is_a_small_part_of_all_rows) {
    Traffic compared;
    Traffic all;
    for (const bool compares : {true, false}) {
        Pair nodes(20'000);
        nodes.node(0).settings.compare_rows = compares ? 100 : 0;
        nodes.node(0).settings.summaries = false;
        nodes.restart(0);
        watch(nodes, 1, compares ? compared : all);
        nodes.pass(0);
        if (compares) {
            nodes.pass(1);
            nodes.require_identical(nodes.name);
        }
    }
    BOOST_TEST((compared.requests ==
                Requests{{"sync", 1}, {"compare", 1}, {"merge_items", 1}, {"merge_syncs", 1}}));
    BOOST_TEST((all.requests == Requests{{"sync", 1}, {"merge_items", 5}, {"merge_syncs", 1}}));
    BOOST_TEST(compared.bytes == 22'303);
    BOOST_TEST(all.bytes == 3'439'665);
}

BOOST_AUTO_TEST_CASE(writers_on_both_sides_lose_nothing) {
    for (const std::string verb : {"compare", "merge_items", "merge_syncs"}) {
        for (const bool after : {true, false}) {
            Pair nodes;
            int written = 0;
            const auto write = [&] {
                for (const std::size_t at : {0, 1}) {
                    nodes.put(at, nodes.name, "late" + std::to_string(written++));
                    nodes.put(at, nodes.name, nodes.number(written % 20, 1 - at), 9);
                    nodes.erase(at, nodes.name, "both" + std::to_string(510 + written % 30));
                }
            };
            after ? nodes.after(verb, write) : nodes.before(verb, write);
            for (int i = 0; i < 4; ++i) {
                nodes.round();
            }
            after ? nodes.after("", [] {}) : nodes.before("", [] {});
            BOOST_TEST(written > 0);
            nodes.require_healed();
            const auto names = nodes.names(0, nodes.name);
            for (int i = 0; i < written; ++i) {
                BOOST_TEST(names.contains("late" + std::to_string(i)));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_peer_that_dies_in_the_middle_is_compared_again) {
    for (const std::string verb : {"compare", "merge_items", "merge_syncs"}) {
        for (const bool power : {true, false}) {
            Pair nodes;
            nodes.node(0).settings.per_diff = 10;
            nodes.restart(0);
            bool once = true;
            nodes.after(verb, [&] {
                if (once) {
                    once = false;
                    power ? nodes.cut_power(1, 7) : nodes.down(1);
                }
            });
            nodes.pass(0);
            nodes.up(1);
            nodes.clock().advance(Seconds(300));
            nodes.require_healed();
        }
    }
}

BOOST_AUTO_TEST_CASE(a_sender_that_dies_in_the_middle_compares_again) {
    for (const std::string verb : {"compare", "merge_items", "merge_syncs"}) {
        Pair nodes;
        nodes.node(0).settings.per_diff = 10;
        nodes.restart(0);
        nodes.network().fail({{}, {}, verb}, SimFault::late_reply, 1);
        nodes.pass(0);
        nodes.cut_power(0, 11);
        nodes.clock().advance(Seconds(300));
        nodes.require_healed();
    }
}

BOOST_AUTO_TEST_CASE(a_stock_peer_is_never_asked_and_gets_all_rows) {
    Pair nodes;
    Traffic traffic;
    watch(nodes, 1, traffic);
    nodes.network().serves_stock(nodes.node(1).ip, Containers::port);
    for (int i = 0; i < 3; ++i) {
        nodes.pass(0);
    }
    BOOST_TEST(!traffic.requests.contains("compare"));
    BOOST_TEST(traffic.requests["merge_items"] == 1);
    BOOST_TEST(traffic.bytes > 150'000); // 1,000 rows
    nodes.require_healed();
}

// A row has another policy, etag or size under one time: the hash is the same, the sums may be.
BOOST_AUTO_TEST_CASE(what_the_hash_does_not_see_is_compared_as_well) {
    Pair nodes;
    auto row = Containers::make_row("quiet", nodes.clock().now(), 7, false);
    nodes.open(0, nodes.name).put(row);
    row.etag = "another";
    nodes.open(1, nodes.name).put(row);
    const Stats first = nodes.pass(0);
    BOOST_TEST(first.rows == 41);
    nodes.require_healed();
}

BOOST_AUTO_TEST_CASE(a_third_replica_is_compared_with_the_rows_that_were_read_for_the_second) {
    Containers cluster(3, 3);
    const auto name = cluster.name("AUTH_three");
    make_lost(cluster, name, 3000);
    for (const std::size_t at : {0, 1, 2}) {
        cluster.put(at, name, "only " + std::to_string(at));
    }
    Traffic second;
    Traffic third;
    watch(cluster, 1, second);
    watch(cluster, 2, third);
    BOOST_TEST(cluster.pass(0).rows == 2);
    BOOST_TEST(second.requests["compare"] == 1);
    BOOST_TEST(third.requests["compare"] == 1);
    BOOST_TEST(cluster.settle() > 0);
    cluster.require_identical(name);
}
