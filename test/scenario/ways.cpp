// The stories on simulated nodes: in one thread, in virtual time, the same every time.

#define BOOST_TEST_MODULE scenario_ways

#include "../support/cluster.hpp"

namespace {
template <class Server>
using Stage = replica::test::Cluster<Server>;
} // namespace

#include "losses.hpp"

#include <algorithm>
#include <string>

// ---- What only simulated nodes can be: stock receivers, of which our senders see just this.

namespace {

/// The node refuses everything as a stock server does, and its recon has this about its device.
void refuse(replica::test::Cluster<ContainerServer>& cluster, std::size_t at,
            const std::string& mounted) {
    const std::string to = SimNetwork::address(cluster.node(at).ip, cluster.port);
    cluster.network().answer(
        {{}, to, "/recon/diskusage"},
        {200, "application/json", R"([{"device": "sda", "mounted": )" + mounted + "}]", {}}, 0);
    cluster.network().answer({{}, to, {}}, {507, "text/html", "Insufficient Storage", {}}, 0);
}

} // namespace

BOOST_AUTO_TEST_CASE(a_full_stock_primary_is_not_stood_in_for) {
    Stage<ContainerServer> cluster(5, 3);
    const auto name = cluster.name("AUTH_full");
    const auto places = cluster.primaries(name);
    cluster.create(places[0], name);
    cluster.put(places[0], name, "row");
    refuse(cluster, places[1], "true");
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(cluster.pass(places[0]).failure == 1);
    }
    BOOST_TEST(cluster.has(places[2], name));
    for (const std::size_t at : cluster.others(name)) {
        BOOST_TEST(!cluster.has(at, name));
    }
    cluster.network().heal();
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE(an_unmounted_stock_primary_is_stood_in_for_and_asked_once_in_a_pass) {
    Stage<ContainerServer> cluster(5, 3);
    const auto name = cluster.name("AUTH_507");
    const auto places = cluster.primaries(name);
    const auto second = cluster.name("AUTH_507", "second");
    for (const auto& each : {name, second}) {
        cluster.create(places[0], each);
        cluster.put(places[0], each, "row");
    }
    refuse(cluster, places[1], "false");
    BOOST_TEST(cluster.pass(places[0]).failure > 0);
    BOOST_TEST(cluster.has(cluster.others(name)[0], name));
    const auto log = cluster.network().log();
    const auto asked = [&](const SimExchange& exchange) {
        return exchange.verb == "/recon/diskusage";
    };
    BOOST_TEST(std::ranges::count_if(log, asked) == 1);
    cluster.network().heal();
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}
