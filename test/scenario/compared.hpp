#ifndef REPLICA_TEST_SCENARIO_COMPARED_HPP
#define REPLICA_TEST_SCENARIO_COMPARED_HPP

// Stories of replicas that have lost the points that tell what the other has: they compare their
// rows. Told and played as those of stories.hpp.

#include <replica/account/kind.hpp>
#include <replica/container/kind.hpp>
#include <replica/stats.hpp>

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace {

using namespace replica;

using ComparedKinds = boost::mpl::list<AccountKind, ContainerKind>;

/// Nodes that have the same rows and know nothing of each other.
template <class Cluster>
void make_lost(Cluster& cluster, const typename Cluster::Name& name, int rows) {
    std::vector<typename Cluster::Row> same;
    for (int i = 0; i < rows; ++i) {
        same.push_back(cluster.next_row("both" + std::to_string(i), 1, false));
    }
    for (std::size_t at = 0; at < cluster.size(); ++at) {
        cluster.node(at).settings.compare_rows = 100;
        cluster.pushes(at, 1 - std::min<std::size_t>(at, 1)); // knows the other as one of ours
        cluster.create(at, name);
        cluster.open(at, name).merge_items(same, "");
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(replicas_without_points_exchange_what_differs, Kind, ComparedKinds) {
    Stage<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_lost");
    make_lost(cluster, name, 3000);
    for (const std::size_t at : {0, 1}) {
        for (int i = 0; i < 20; ++i) {
            cluster.put(at, name, "both" + std::to_string(50 * i + static_cast<int>(at)), 5);
        }
        cluster.put(at, name, "only " + std::to_string(at));
        cluster.erase(at, name, "both" + std::to_string(2000 + at));
    }
    // What the other has newer goes as well: digests do not tell which of two rows is the older.
    const Stats first = cluster.pass(0);
    BOOST_TEST(first.rows == 20 + 20 + 2 + 1);
    BOOST_TEST(first.failure == 0);
    const Stats second = cluster.pass(1);
    BOOST_TEST(second.rows == 20 + 2);
    cluster.require_identical(name);
    for (int i = 0; i < 2; ++i) {
        const Stats stats = cluster.round();
        BOOST_TEST(stats.rows == 0);
        BOOST_TEST(stats.failure == 0);
        BOOST_TEST(stats.diverged == 0);
    }
    cluster.put(0, name, "new");
    BOOST_TEST(cluster.pass(0).rows == 1); // by the points that the comparison has given
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(equal_replicas_with_another_id_send_no_row, Kind, ComparedKinds) {
    Stage<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_id");
    make_lost(cluster, name, 300);
    cluster.put(0, name, "only here");
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.open(0, name).renew_id();
    cluster.put(0, name, "one more"); // else the hashes are equal, and nothing is compared
    BOOST_TEST(cluster.pass(0).rows == 1);
    cluster.require_identical(name);
}

} // namespace

#endif // REPLICA_TEST_SCENARIO_COMPARED_HPP
