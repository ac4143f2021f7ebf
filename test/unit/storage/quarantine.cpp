#include <replica/storage/quarantine.hpp>

#define BOOST_TEST_MODULE quarantine
#include <boost/test/unit_test.hpp>

#include <support/each_call.hpp>
#include <support/one_node.hpp>

#include <memory>
#include <set>
#include <string>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

using Node = OneNode<ContainerKind>;
using Names = std::set<std::string>;

/// With a database that has the rows "one" and "two".
std::unique_ptr<Node> node_with_database() {
    auto node = std::make_unique<Node>();
    node->create();
    node->put("one");
    node->put("two");
    node->disk.settle();
    return node;
}

/// The database that went to quarantine, or the one that stayed.
bool complete(const Node& node) {
    return node.names() == Names{"one", "two"};
}

Error error_of(const auto& action) {
    try {
        action();
    } catch (const Failure& failure) {
        return failure.error();
    }
    return Error{};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_damaged_database_goes_to_quarantine_with_its_directory) {
    auto node = node_with_database();
    node->store.damage(node->path, Error::corrupt);
    const std::string broken = node->disk.content(node->path)->bytes;
    const auto target =
        storage::quarantine(node->broker, node->path, node->device, node->random, node->soon());
    BOOST_TEST(target.value() == node->device + "/quarantined/containers/" + node->hash);
    BOOST_TEST(!node->disk.stat(node->directory));
    BOOST_TEST((node->disk.content(*target + '/' + node->hash + ".db")->bytes == broken));
}

BOOST_AUTO_TEST_CASE(a_second_one_of_the_same_name_does_not_replace_the_first) {
    auto node = node_with_database();
    std::set<std::string> targets;
    for (int i = 0; i < 3; ++i) {
        node->store.damage(node->path, Error::missing_table);
        const auto target =
            storage::quarantine(node->broker, node->path, node->device, node->random, node->soon());
        BOOST_REQUIRE(target);
        BOOST_TEST(node->disk.stat(*target + '/' + node->hash + ".db").has_value());
        targets.insert(*target);
        node->create();
    }
    BOOST_TEST(targets.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_database_that_looked_damaged_while_it_was_swapped_stays) {
    auto node = node_with_database();
    BOOST_TEST(
        !storage::quarantine(node->broker, node->path, node->device, node->random, node->soon()));
    BOOST_TEST(complete(*node));
    BOOST_TEST(!node->disk.stat(node->device + "/quarantined"));
}

BOOST_AUTO_TEST_CASE(a_good_file_that_comes_while_the_broken_one_is_looked_at_stays) {
    auto node = node_with_database();
    const auto good = *node->disk.content(node->path);
    node->store.damage(node->path, Error::corrupt);
    node->disk.on_call([&](SimCall call, const std::string&) {
        if (call == SimCall::try_lock) { // of the directory: the look is over
            node->disk.on_call(nullptr);
            node->disk.write(node->device + "/tmp/good", good);
            node->disk.rename(node->device + "/tmp/good", node->path);
        }
    });
    BOOST_TEST(
        !storage::quarantine(node->broker, node->path, node->device, node->random, node->soon()));
    BOOST_TEST(complete(*node));
}

BOOST_AUTO_TEST_CASE(a_look_that_takes_long_keeps_no_client_from_the_directory) {
    struct Slow : Node::Broker {
        struct database_type : Node::Broker::database_type {
            void require_sound(Instant deadline) {
                slow->allowed = deadline - slow->clock().monotonic();
                slow->clock().advance(Seconds(300));
                slow->acknowledged = slow->node->client_appends("late");
                throw Failure(Error::corrupt, "a page is broken");
            }
            Slow* slow;
        };
        explicit Slow(Node& on) : Node::Broker(on.broker), node(&on) {}
        database_type open(const std::string& path, Instant deadline) {
            return {Node::Broker::open(path, deadline), this};
        }
        database_type open_upload(const std::string& path, Instant deadline) {
            return open(path, deadline);
        }
        Node* node;
        Instant::duration allowed{};
        bool acknowledged = false;
    };
    auto node = node_with_database();
    auto content = *node->disk.content(node->path);
    content.size = std::int64_t{10} << 30;
    node->disk.write(node->path, content);
    Slow broker(*node);
    const auto target =
        storage::quarantine(broker, node->path, node->device, node->random, node->soon());
    BOOST_REQUIRE(target);
    BOOST_TEST((broker.allowed == to_duration(Seconds(1 + 10 * 1024)))); // 1 MiB/s
    BOOST_TEST(broker.acknowledged);
    BOOST_TEST(node->pending(*target + '/' + node->hash + ".db") == Names{"late"});
}

BOOST_AUTO_TEST_CASE(a_disk_error_is_no_reason_for_quarantine) {
    auto node = node_with_database();
    node->disk.fail_next(SimCall::vfs_open, node->hash, Error::io, 2); // by pages, by a connection
    BOOST_TEST((error_of([&] {
                    (void)storage::quarantine(node->broker, node->path, node->device, node->random,
                                              node->soon());
                }) == Error::io));
    BOOST_TEST(complete(*node));
}

BOOST_AUTO_TEST_CASE(what_went_away_meanwhile_is_not_made_again_by_locking_it) {
    Node node;
    BOOST_TEST((error_of([&] {
                    (void)storage::quarantine(node.broker, node.path, node.device, node.random,
                                              node.soon());
                }) == Error::missing));
    BOOST_TEST(!node.disk.stat(node.directory));
}

BOOST_AUTO_TEST_CASE(quarantine_never_loses_the_file_whatever_fails_and_whenever_the_power_goes) {
    const auto make = [] {
        auto node = node_with_database();
        node->store.damage(node->path, Error::corrupt);
        return node;
    };
    const auto act = [](Node& node) {
        (void)storage::quarantine(node.broker, node.path, node.device, node.random, node.soon());
    };
    const auto check = [](Node& node, bool done) {
        const std::string shelf =
            node.device + "/quarantined/containers/" + node.hash + '/' + node.hash + ".db";
        const bool here = node.store.has(node.path);
        const bool there = node.store.has(shelf);
        BOOST_TEST(here != there);
        BOOST_TEST((!done || there));
    };
    BOOST_TEST(with_each_call_failing(make, act, check) >= 8);
    BOOST_TEST(with_a_crash_before_each_call(make, act, check) >= 8);
}
