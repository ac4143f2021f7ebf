#include <replica/sim/vfs.hpp>

// The shipped brokers on a simulated disk obey the laws of brokers, and each change that they make
// is made whole or not at all, whichever call of the disk fails and whenever the power goes.

#define BOOST_TEST_MODULE sim_vfs_changes
#include <replica/words/message.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/broker.hpp>
#include <support/each_call.hpp>
#include <support/one_node.hpp>
#include <support/shard_ranges.hpp>

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Kinds = std::tuple<AccountKind, ContainerKind>;

template <class Kind>
using DatabaseOf = typename OneNode<Kind>::Broker::database_type;

/// What laws/broker.hpp asks for.
template <class Kind>
struct Shelf : OneNode<Kind> {
    auto& broker() { return OneNode<Kind>::broker; }

    std::string create(const std::string& name) {
        const std::string at = this->directory + '/' + name + '/' + name + ".db";
        OneNode<Kind>::create(at);
        return at;
    }

    [[nodiscard]] std::string copy_path() const { return this->device + "/tmp/copy"; }
};

/// A database with a row, an old tombstone, an old key and two points.
template <class Kind>
std::unique_ptr<OneNode<Kind>> with_database() {
    auto node = std::make_unique<OneNode<Kind>>();
    auto database = node->create();
    database.put(std::vector{node->row("old"), node->row("gone", true)});
    database.merge_metadata(R"({"X-Gone": ["", "1400000000.00000"]})");
    const std::vector<SyncPoint> points{{1, "peer"}};
    database.merge_sync_points(points, Direction::incoming);
    database.merge_sync_points(points, Direction::outgoing);
    node->clock.advance(Seconds(100));
    node->disk.settle();
    return node;
}

/// All that there is to know of the database. Of a new id only that it is one.
template <class Kind>
std::string contents(const OneNode<Kind>& node, const std::string& id) {
    auto copy = node.store.copy(node.path);
    auto info = copy.info();
    info.id = info.id == id ? "the same" : "another";
    std::string all = message::encode_reply(info, -1);
    if constexpr (requires { info.reconciler_sync_point; }) {
        all += std::to_string(info.reconciler_sync_point) + '\n';
        for (const ShardRange& range : copy.shard_ranges()) {
            all += range.name + '\n';
        }
    }
    all += message::encode_rows(copy.items_since(-1, 100), "");
    for (const Direction direction : {Direction::incoming, Direction::outgoing}) {
        for (const SyncPoint& point : copy.sync_points(direction)) {
            all += point.remote_id + ' ' + std::to_string(point.sync_point) + '\n';
        }
    }
    return all;
}

template <class Kind>
using Change = std::function<void(OneNode<Kind>&, DatabaseOf<Kind>&)>;

/// The change is made whole or not at all, and stays if it was reported as made.
template <class Kind>
void check_change(const Change<Kind>& change) {
    const std::string id = with_database<Kind>()->open().info().id; // the same each time
    const std::string before = contents(*with_database<Kind>(), id);
    std::string after;
    const auto act = [&](OneNode<Kind>& node) {
        auto database = node.open();
        change(node, database);
    };
    const auto check = [&](OneNode<Kind>& node, bool done) {
        const std::string now = contents(node, id);
        after = after.empty() ? now : after;
        BOOST_TEST((now == after || (now == before && !done)), now);
        BOOST_TEST(node.store.is_sound(node.path));
    };
    BOOST_TEST(
        with_each_call_failing(with_database<Kind>, act, check, {Error::io, Error::no_space}) > 20);
    BOOST_TEST(with_a_crash_before_each_call(with_database<Kind>, act, check) > 20);
    BOOST_TEST(after != before);
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(shipped_brokers_obey_the_laws_on_a_simulated_disk, Kind, Kinds) {
    Shelf<Kind> shelf;
    laws::check_broker_laws(shelf);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_change_that_fails_at_any_call_is_made_whole_or_not_at_all, Kind,
                              Kinds) {
    for (const Change<Kind>&change : std::vector<Change<Kind>>{
             [](auto& node, auto& database) {
                 auto row = node.row("new");
                 row.rowid = 9;
                 database.merge_items(std::vector{row, row}, "peer");
             },
             [](auto& /*node*/, auto& database) {
                 database.merge_timestamps({"1600000000.00000", "1800000000.00000", "0"});
             },
             [](auto& /*node*/, auto& database) {
                 database.merge_metadata(R"({"X-New": ["value", "1400000000.00000"]})");
             },
             [](auto& /*node*/, auto& database) {
                 database.set_sync_point({-1, "peer"}, Direction::outgoing);
             },
             [](auto& /*node*/, auto& database) { database.renew_id(); },
             [](auto& /*node*/, auto& database) { database.adopt("sender"); },
         }) {
        check_change<Kind>(change);
    }
}

BOOST_AUTO_TEST_CASE(so_are_those_of_containers) {
    using Containers = OneNode<ContainerKind>;
    using Database = DatabaseOf<ContainerKind>;
    for (const auto& change : std::vector<Change<ContainerKind>>{
             [](Containers& node, Database& database) {
                 database.set_storage_policy_index(1, node.clock.now());
             },
             [](Containers&, Database& database) {
                 BOOST_TEST(database.set_reconciler_sync_point(5, 0));
             },
             [](Containers& node, Database& database) {
                 database.merge_shard_ranges(sharding_ranges(node.info()));
             },
         }) {
        check_change<ContainerKind>(change);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_copy_that_fails_at_any_call_leaves_nothing_behind, Kind, Kinds) {
    for (const bool by_rows : {false, true}) {
        const auto act = [&](OneNode<Kind>& node) {
            typename OneNode<Kind>::Broker broker(
                node.disk, node.clock,
                {.copy_at_once = by_rows ? 0 : 1 << 20, .page_rows = 1, .vfs = node.store.vfs()});
            broker.open(node.path, node.soon()).copy_to(node.device + "/tmp/copy", node.soon());
        };
        const auto check = [](OneNode<Kind>& node, bool done) {
            BOOST_TEST(node.store.has(node.device + "/tmp/copy") == done);
            BOOST_TEST(node.entries(node.device + "/tmp").size() == (done ? 1U : 0U));
            if (done) {
                BOOST_TEST((node.names(node.device + "/tmp/copy") == node.names()));
            }
        };
        BOOST_TEST(with_each_call_failing(with_database<Kind>, act, check,
                                          {Error::io, Error::no_space}) > 20);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_database_that_cannot_be_made_leaves_nothing_behind, Kind, Kinds) {
    const auto make = [] { return std::make_unique<OneNode<Kind>>(); };
    const auto act = [](OneNode<Kind>& node) { node.create(); };
    const auto check = [](OneNode<Kind>& node, bool done) {
        const bool there = node.store.has(node.path); // it may have failed behind the last step
        BOOST_TEST((there || !done));
        BOOST_TEST(node.entries(node.directory).size() == (there ? 1U : 0U));
    };
    BOOST_TEST(with_each_call_failing(make, act, check, {Error::io, Error::no_space}) > 20);
}
