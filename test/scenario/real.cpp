// The same stories on what a daemon is made of: SQLite, HTTP, rsync. What holds on simulated nodes
// and not here is a simulation that lies, or a model that breaks its contract.

#define BOOST_TEST_MODULE scenario_real

#include "../support/real_cluster.hpp"

namespace {
template <class Kind>
using Stage = replica::test::RealCluster<Kind>;
} // namespace

#include "compared.hpp"
#include "losses.hpp"
#include <replica/words/info.hpp>

#include <concepts>
#include <span>
#include <string>
#include <utility>
#include <vector>

// ---- What only real files have: simulated ones keep deleted shard ranges.

BOOST_AUTO_TEST_CASE(an_old_deleted_shard_range_does_not_go_round_for_ever) {
    Stage<ContainerKind> cluster(3, 3);
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

BOOST_AUTO_TEST_CASE(an_account_that_is_marked_deleted_stays_so_when_a_file_is_merged_into_it) {
    Stage<AccountKind> cluster(2, 2);
    const auto name = cluster.name("AUTH_mark");
    cluster.create(0, name);
    BOOST_REQUIRE(cluster.settle() > 0);
    const auto status = [&](std::size_t at) {
        return test::StockConnection(cluster.path(at, name))
            .rows("SELECT status FROM account_stat");
    };
    cluster.clock().advance(Seconds(1));
    cluster.open(1, name).mark_deleted(cluster.clock().now());
    BOOST_REQUIRE(status(1) == "DELETED|");
    cluster.put_many(0, name, "many", 2500);
    BOOST_TEST(cluster.pass(0).remote_merge == 1);
    BOOST_TEST(status(1) == "DELETED|");
    cluster.clock().advance(Seconds(1));
    cluster.open(0, name).mark_put(cluster.clock().now()); // made again
    cluster.put_many(0, name, "more", 5000);
    BOOST_TEST(cluster.pass(0).remote_merge == 1);
    BOOST_TEST(status(1) == "|");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(only_nodes_that_share_a_secret_get_rows_across, Kind, Kinds) {
    Stage<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_secret");
    cluster.create(0, name);
    cluster.put_many(0, name, "row", 50);
    BOOST_REQUIRE(cluster.settle() > 0);
    const auto give = [&](std::size_t at, std::vector<std::string> secrets) {
        cluster.node(at).secret = secrets.front();
        cluster.node(at).door.secrets = std::move(secrets);
        cluster.restart(at);
    };
    const std::string old = "the secret until today";
    const std::string young = "the secret from now on";

    give(1, {old}); // the other node signs nothing
    cluster.put_many(0, name, "unsigned", 10);
    BOOST_TEST(cluster.pass(0).failure == 1);
    BOOST_TEST(cluster.stored(1, name).size() == 50U);
    BOOST_TEST(cluster.pass(1).failure == 0); // it signs, and nobody there asks for that

    give(0, {young}); // and now the wrong one
    BOOST_TEST(cluster.pass(0).failure == 1);
    BOOST_TEST(cluster.pass(1).failure == 1);
    BOOST_TEST(cluster.stored(1, name).size() == 50U);

    give(0, {young, old}); // both here, so the other is heard, but it does not know ours
    BOOST_TEST(cluster.pass(0).failure == 1);
    BOOST_TEST(cluster.pass(1).failure == 0);
    give(1, {old, young});
    BOOST_TEST(cluster.pass(0).failure == 0);
    cluster.require_identical(name);

    // A whole file as well: rsync knows of no secret, and the request that puts it in place does.
    give(0, {young});
    give(1, {young});
    cluster.put_many(0, name, "many", 5000);
    BOOST_TEST(cluster.pass(0).failure == 0);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.require_identical(name);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wrong_hash_is_mended_where_it_is, Kind, Kinds) {
    Stage<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_hash");
    cluster.create(0, name);
    cluster.put_many(0, name, "row", 50);
    BOOST_REQUIRE(cluster.settle() > 0);
    const std::string hash = cluster.info(1, name).hash;
    for (const std::size_t wrong : {0, 1}) {
        const std::string table =
            std::same_as<Kind, AccountKind> ? "account_stat" : "container_info";
        test::StockConnection(cluster.path(wrong, name))
            .execute("UPDATE " + table + " SET hash = '0000000000000000000000000000000" +
                     std::to_string(wrong + 1) + "'");
        int rounds = 0;
        while (cluster.info(wrong, name).hash != hash && rounds < 10) {
            cluster.round();
            ++rounds;
        }
        BOOST_TEST(rounds == 8); // as long as a difference of hashes is watched
        cluster.require_identical(name);
    }
}
