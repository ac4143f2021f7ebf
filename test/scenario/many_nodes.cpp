// What a pass, a lost device and a change of the ring cost a node that has very many peers: the
// figures of doc/scale.md. Empty databases on simulated nodes with one device each, whose ring lets
// each share partitions with all others. The test has few nodes; REPLICA_NODES, a prime number, and
// REPLICA_DATABASES make a larger cluster. `--log_level=message` prints the figures.

#define BOOST_TEST_MODULE scenario_many_nodes
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

std::size_t number(const char* name, std::size_t usual) {
    const char* const text = std::getenv(name);
    return text == nullptr ? usual : std::stoul(text);
}

/// What went over the network in a round of passes.
struct Traffic {
    std::map<std::string, std::int64_t> requests; ///< By verb.
    std::map<std::string, std::int64_t> most;     ///< By verb: of the sender that sent most.
    std::int64_t bytes = 0;                       ///< Of the requests of all.
};

struct ManyNodes : Cluster<ContainerKind> {
    ManyNodes()
        : Cluster(number("REPLICA_NODES", 13), 3,
                  static_cast<unsigned>(
                      std::bit_width(number("REPLICA_NODES", 13) * number("REPLICA_NODES", 13))),
                  Steps::all) {
        for (std::size_t at = 0; at < size(); ++at) {
            Settings settings = node(at).settings;
            settings.recheck_passes = 1000;
            settings.summaries = true;
            settings.push_files = true;
            restart(at, settings);
        }
        for (std::size_t i = 0; i < number("REPLICA_DATABASES", 200); ++i) {
            all.push_back(name("a", std::to_string(i)));
            for (const std::size_t at : primaries(all.back())) {
                create(at, all.back());
                of_node[at].insert(i);
            }
        }
        network().before([this](const SimExchange& exchange, const Request& request) {
            ++traffic.requests[exchange.verb];
            traffic.bytes += static_cast<std::int64_t>(request.body.size());
            ++from[{exchange.verb, exchange.from}];
        });
    }

    /// A pass of each node at the same time.
    Stats together() {
        traffic = {};
        from.clear();
        clock().advance(Seconds(30));
        Stats sum;
        for (std::size_t at = 0; at < size(); ++at) {
            const Stats stats = node(at).replicator->run_once();
            sum.attempted += stats.attempted;
            sum.at_rest += stats.at_rest;
            sum.failure += stats.failure;
            sum.errors += stats.errors;
        }
        for (const auto& [key, count] : from) {
            traffic.most[key.first] = std::max(traffic.most[key.first], count);
        }
        return sum;
    }

    /// Passes until no database is opened.
    void rest() {
        int passes = 0;
        while (together().attempted > 0) {
            BOOST_REQUIRE(++passes < 10);
        }
    }

    /// The nodes that share a database with this one.
    std::set<std::size_t> peers(std::size_t at) {
        std::set<std::size_t> found;
        for (const std::size_t i : of_node[at]) {
            for (const std::size_t other : primaries(all[i])) {
                found.insert(other);
            }
        }
        found.erase(at);
        return found;
    }

    std::vector<Name> all;
    std::map<std::size_t, std::set<std::size_t>> of_node; ///< Numbers of databases.
    Traffic traffic;
    std::map<std::pair<std::string, std::string>, std::int64_t> from;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_node_with_many_peers_asks_each_once_and_gets_back_what_it_lost) {
    ManyNodes nodes;
    const auto replicas = static_cast<std::int64_t>(3 * nodes.all.size());
    std::int64_t pairs = 0;
    for (std::size_t at = 0; at < nodes.size(); ++at) {
        pairs += static_cast<std::int64_t>(nodes.peers(at).size());
    }
    BOOST_TEST_MESSAGE(nodes.size()
                       << " nodes, " << nodes.all.size() << " databases, "
                       << static_cast<double>(pairs) / static_cast<double>(nodes.size())
                       << " peers of a node");
    const Stats first = nodes.together();
    BOOST_TEST(first.attempted == replicas);
    BOOST_TEST(first.failure + first.errors == 0);
    nodes.rest();

    const Stats quiet = nodes.together();
    for (const auto& [verb, count] : nodes.traffic.requests) {
        BOOST_TEST_MESSAGE("at rest: " << count << " " << verb << ", " << nodes.traffic.most[verb]
                                       << " of one node, " << nodes.traffic.bytes << " bytes");
    }
    BOOST_TEST(quiet.at_rest == replicas);
    BOOST_TEST(nodes.traffic.requests.size() == 1U);
    BOOST_TEST(nodes.traffic.requests.begin()->second == pairs);

    const std::size_t lost = nodes.size() / 2;
    nodes.wipe(lost);
    int passes = 0;
    const auto has_all = [&] {
        return std::ranges::all_of(nodes.of_node[lost],
                                   [&](std::size_t i) { return nodes.has(lost, nodes.all[i]); });
    };
    while (!has_all()) {
        BOOST_REQUIRE(++passes < 10);
        const Stats stats = nodes.together();
        BOOST_TEST_MESSAGE("pass " << passes << " after the loss: " << stats.attempted
                                   << " opened");
        for (const auto& [verb, count] : nodes.traffic.requests) {
            BOOST_TEST_MESSAGE("  " << count << " " << verb << ", " << nodes.traffic.most[verb]
                                    << " of one node");
        }
    }
    nodes.rest();
    for (const std::size_t i : nodes.of_node[lost]) {
        nodes.require_identical(nodes.all[i]);
    }
}
