// The same stories on what a daemon is made of: SQLite, HTTP, rsync. What holds on simulated nodes
// and not here is a simulation that lies, or a model that breaks its contract.

#define BOOST_TEST_MODULE scenario_real

#include "../support/real_cluster.hpp"

namespace {
template <class Server>
using Stage = replica::test::RealCluster<Server>;
} // namespace

#include "losses.hpp"
#include <replica/info.hpp>

#include <span>

// ---- What only real files have: simulated ones keep deleted shard ranges.

BOOST_AUTO_TEST_CASE(an_old_deleted_shard_range_does_not_go_round_for_ever) {
    Stage<ContainerServer> cluster(3, 3);
    const auto name = cluster.name("AUTH_ranges");
    cluster.create(0, name);
    ShardRange gone;
    gone.name = ".shards_AUTH_ranges/one";
    gone.timestamp = gone.state_timestamp = gone.meta_timestamp = cluster.clock().now().normal();
    gone.deleted = 1;
    cluster.open(0, name).merge_shard_ranges(std::span(&gone, 1));
    cluster.round();
    BOOST_TEST(cluster.open(2, name).shard_ranges().size() == 1U);
    cluster.clock().advance(Seconds(15 * 86400));
    cluster.round();
    cluster.round();
    require_rest(cluster, name);
    for (const std::size_t at : {0U, 1U, 2U}) {
        BOOST_TEST(cluster.open(at, name).shard_ranges().empty());
    }
}
