#include <replica/send/foresee.hpp>

#define BOOST_TEST_MODULE foresee
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <optional>
#include <string>

namespace {

using namespace replica;
using test::Cluster;
using Kinds = boost::mpl::list<AccountKind, ContainerKind>;

/// What node `at` foresees for a database.
template <class Kind>
auto foreseen(Cluster<Kind>& cluster, std::size_t at, const std::string& path,
              bool may_leave = true) {
    auto& node = cluster.node(at);
    SimTransport transport(cluster.network(), cluster.clock(), node.ip);
    std::optional<Device> local;
    for (const Device& device : cluster.ring().devices()) {
        if (device.replication_ip == node.ip) {
            local = device;
        }
    }
    Foreseer foreseer(node.settings, node.broker, cluster.ring(), transport);
    return foreseer.look(path, local, [=] { return may_leave; });
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(peers_are_asked_in_the_order_of_a_pass, Kind, Kinds) {
    Cluster<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_order");
    const auto primaries = cluster.primaries(name);
    cluster.create(primaries[1], name);
    const auto found = foreseen(cluster, primaries[1], cluster.path(name));
    BOOST_TEST(found.belongs);
    BOOST_REQUIRE(found.peers.size() == 2U);
    BOOST_TEST(found.peers[0].peer.id == static_cast<std::int64_t>(primaries[2]));
    BOOST_TEST(found.peers[1].peer.id == static_cast<std::int64_t>(primaries[0]));
    BOOST_TEST((found.end == End::stays));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(one_handoff_stands_in_for_each_device_out_of_use, Kind, Kinds) {
    Cluster<Kind> cluster(5, 3);
    const auto name = cluster.name("AUTH_507");
    const auto primaries = cluster.primaries(name);
    const auto others = cluster.others(name);
    cluster.create(primaries[0], name);
    cluster.unmount(primaries[1]);
    cluster.unmount(others[0]);
    const auto found = foreseen(cluster, primaries[0], cluster.path(name));
    BOOST_REQUIRE(found.peers.size() == 4U);
    BOOST_TEST((found.peers[0].deed == Deed::stand_in));
    BOOST_TEST((found.peers[1].deed == Deed::file));
    BOOST_TEST((found.peers[2].deed == Deed::stand_in));
    BOOST_TEST((found.peers[3].deed == Deed::file));
    BOOST_TEST(found.peers[3].peer.id == static_cast<std::int64_t>(others[1]));
    BOOST_TEST(found.stats.failure == 2);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handoff_that_the_brakes_hold_asks_nobody, Kind, Kinds) {
    Cluster<Kind> cluster(2, 1);
    const auto name = cluster.name("AUTH_brake");
    const auto at = cluster.others(name)[0];
    cluster.create(at, name);
    const auto held = foreseen(cluster, at, cluster.path(name), false);
    BOOST_TEST((held.end == End::kept));
    BOOST_TEST(held.peers.empty());
    const auto gone = foreseen(cluster, at, cluster.path(name));
    BOOST_TEST((gone.end == End::leaves));
    BOOST_TEST(gone.stats.remove == 1);
    BOOST_TEST(gone.stats.rsync == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_does_not_have_what_is_still_to_be_sent, Kind, Kinds) {
    Cluster<Kind> cluster(2, 1);
    const auto name = cluster.name("AUTH_away");
    const auto at = cluster.others(name)[0];
    const auto there = cluster.primaries(name)[0];
    cluster.create(at, name);
    BOOST_TEST(foreseen(cluster, at, cluster.path(name)).why ==
               "its peers have all of it once this is sent");
    cluster.create(there, name);
    const auto found = foreseen(cluster, at, cluster.path(name));
    BOOST_TEST((found.end == End::leaves));
    BOOST_TEST(found.why == "its peers have all of it");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_copy_that_takes_something_over_stays_for_another_pass, Kind,
                              Kinds) {
    Cluster<Kind> cluster(2, 1);
    const auto name = cluster.name("AUTH_times");
    const auto at = cluster.others(name)[0];
    const auto there = cluster.primaries(name)[0];
    cluster.create(at, name);
    cluster.create(there, name);
    cluster.open(there, name).merge_timestamps({"1", "1700000000.00000", "0"});
    const auto found = foreseen(cluster, at, cluster.path(name));
    BOOST_TEST((found.end == End::kept));
    BOOST_TEST(found.why.find("newer times") != std::string::npos);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wrong_name_ends_it, Kind, Kinds) {
    Cluster<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_wrong");
    cluster.create(0, name);
    cluster.node(0).settings.hash_path_suffix = "other";
    const auto found = foreseen(cluster, 0, cluster.path(name));
    BOOST_TEST((found.end == End::failed));
    BOOST_TEST(!found.named.empty());
    BOOST_TEST(found.stats.failure == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_answer_that_cannot_be_used_is_a_failure, Kind, Kinds) {
    Cluster<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_reply");
    cluster.create(0, name);
    cluster.network().answer({{}, {}, "sync"}, {200, "", "nonsense", ""});
    const auto found = foreseen(cluster, 0, cluster.path(name));
    BOOST_TEST((found.peers[0].deed == Deed::fail));
    BOOST_TEST(found.peers[0].said.starts_with("unusable answer: "));
    BOOST_TEST(found.stats.failure == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(rows_that_wait_count_as_one_more, Kind, Kinds) {
    Cluster<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_pending");
    cluster.create(0, name);
    cluster.put(0, name, "row");
    BOOST_REQUIRE(cluster.settle() > 0);
    BOOST_TEST((foreseen(cluster, 0, cluster.path(name)).peers[0].deed == Deed::nothing));
    cluster.put_pending(0, name, "late");
    const auto found = foreseen(cluster, 0, cluster.path(name));
    BOOST_TEST((found.peers[0].deed == Deed::rows));
    BOOST_TEST(found.peers[0].why.find("committed first") != std::string::npos);
    BOOST_TEST(cluster.pass(0).diff == 1); // and so it goes
}
