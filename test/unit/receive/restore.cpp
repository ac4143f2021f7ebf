#include <replica/receive/restore.hpp>

#define BOOST_TEST_MODULE restore
#include <boost/test/unit_test.hpp>

#include <support/each_call.hpp>
#include <support/one_node.hpp>

#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;
using storage::Remains;
using storage::TrashEntry;

namespace {

using Node = OneNode<ContainerKind>;
using Names = std::set<std::string>;

/// A machine whose only database, with the row "one", was just removed.
std::unique_ptr<Node> with_removed() {
    auto node = std::make_unique<Node>();
    node->create();
    node->put("one");
    (void)storage::remove(
        node->broker, node->path, node->device, node->random, node->soon(),
        [](const ContainerInfo&) { return std::string(); }, Remains::to_trash);
    node->disk.settle();
    return node;
}

/// And a client has made the database anew since.
std::unique_ptr<Node> with_both() {
    auto node = with_removed();
    node->create();
    node->put("two");
    node->disk.settle();
    return node;
}

TrashEntry only_entry(Node& node) {
    const auto found = storage::list_trash(node.disk, node.device);
    BOOST_REQUIRE(found.size() == 1U);
    return found[0];
}

void bring_back(Node& node, const TrashEntry& entry, const Limits& limits = {}) {
    restore(node.broker, entry, node.device, 1, node.hash_path, node.random, limits);
}

Error refused(Node& node, const TrashEntry& entry, const Limits& limits = {}) {
    try {
        bring_back(node, entry, limits);
    } catch (const Failure& failure) {
        BOOST_TEST_MESSAGE(failure.what());
        return failure.error();
    }
    return Error{};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_removed_database_comes_back_with_its_rows_and_leaves_the_trash) {
    auto node = with_removed();
    BOOST_TEST(!node->names().has_value());
    bring_back(*node, only_entry(*node));
    BOOST_TEST((node->names() == Names{"one"}));
    BOOST_TEST(storage::list_trash(node->disk, node->device).empty());
    BOOST_TEST(node->entries(node->device + "/tmp").empty());
}

// Points of peers speak of the ROWIDs of a file that they know by its id.
BOOST_AUTO_TEST_CASE(a_database_that_comes_back_is_another_one_to_its_peers) {
    auto node = std::make_unique<Node>();
    node->create();
    const std::string before = node->open().info().id;
    (void)storage::remove(
        node->broker, node->path, node->device, node->random, node->soon(),
        [](const ContainerInfo&) { return std::string(); }, Remains::to_trash);
    bring_back(*node, only_entry(*node));
    BOOST_TEST(node->open().info().id != before);
}

BOOST_AUTO_TEST_CASE(a_database_that_was_made_meanwhile_keeps_its_rows_and_gets_the_others) {
    auto node = with_both();
    const TrashEntry entry = only_entry(*node);
    bring_back(*node, entry);
    BOOST_TEST((node->names() == Names{"one", "two"}));
    // The file that the merged one has taken the place of is kept like any other.
    const TrashEntry replaced = only_entry(*node);
    BOOST_TEST(replaced.why == "replaced");
    BOOST_TEST((node->names(replaced.path) == Names{"two"}));
}

BOOST_AUTO_TEST_CASE(a_row_that_was_deleted_meanwhile_stays_deleted) {
    auto node = with_both();
    node->open().put(node->row("one", true));
    bring_back(*node, only_entry(*node));
    BOOST_TEST((node->names() == Names{"two"}));
}

BOOST_AUTO_TEST_CASE(a_replaced_file_comes_back_by_its_rows) {
    auto node = with_both();
    bring_back(*node, only_entry(*node));
    const TrashEntry replaced = only_entry(*node);
    bring_back(*node, replaced);
    BOOST_TEST((node->names() == Names{"one", "two"}));
    BOOST_TEST(!node->disk.stat(replaced.path).has_value());
}

BOOST_AUTO_TEST_CASE(an_entry_as_old_as_reclaim_age_is_refused_and_stays) {
    auto node = with_removed();
    const TrashEntry entry = only_entry(*node);
    Limits limits;
    node->clock.advance(limits.reclaim_age);
    BOOST_TEST((refused(*node, entry, limits) == Error::exists));
    BOOST_TEST(node->disk.stat(entry.path).has_value());
    BOOST_TEST(!node->names().has_value());
}

BOOST_AUTO_TEST_CASE(an_entry_without_a_database_is_named) {
    auto node = with_removed();
    TrashEntry entry = only_entry(*node);
    node->disk.remove(entry.path + '/' + node->hash + ".db");
    BOOST_TEST((refused(*node, entry) == Error::missing));
    entry.path += "-gone";
    BOOST_TEST((refused(*node, entry) == Error::missing));
}

BOOST_AUTO_TEST_CASE(a_database_of_another_name_is_not_put_in_the_place_of_this_one) {
    auto node = with_removed();
    TrashEntry entry = only_entry(*node);
    const std::string other = "0123456789abcdef0123456789abcdef";
    node->disk.rename(entry.path + '/' + node->hash + ".db", entry.path + '/' + other + ".db");
    entry.hash = other;
    BOOST_TEST((refused(*node, entry) == Error::wrong_place));
    BOOST_TEST(node->disk.stat(entry.path).has_value());
    BOOST_TEST(node->entries(node->device + "/tmp").empty());
}

BOOST_AUTO_TEST_CASE(a_damaged_database_stays_where_it_is) {
    auto node = with_removed();
    const TrashEntry entry = only_entry(*node);
    node->disk.write(entry.path + '/' + node->hash + ".db", std::string(8192, 'x'));
    BOOST_TEST((refused(*node, entry) != Error{}));
    BOOST_TEST(node->disk.stat(entry.path).has_value());
    BOOST_TEST(!node->names().has_value());
    BOOST_TEST(node->entries(node->device + "/tmp").empty());
}

BOOST_AUTO_TEST_CASE(an_upload_that_is_under_way_is_left_alone) {
    auto node = with_removed();
    const TrashEntry entry = only_entry(*node);
    const std::string id = node->open(entry.path + '/' + node->hash + ".db").info().id;
    node->disk.write(node->device + "/tmp/" + id, "half of a file");
    BOOST_TEST((refused(*node, entry) == Error::exists));
    BOOST_TEST((node->entries(node->device + "/tmp") == Names{id}));
    BOOST_TEST(node->disk.stat(entry.path).has_value());
}

BOOST_AUTO_TEST_CASE(whatever_fails_the_rows_are_in_place_or_still_in_the_trash) {
    const auto act = [](Node& node) { bring_back(node, only_entry(node)); };
    for (const auto& make : {with_removed, with_both}) {
        const auto check = [](Node& node, bool done) {
            const auto names = node.names().value_or(Names{});
            bool kept = names.contains("one");
            for (const TrashEntry& each : storage::list_trash(node.disk, node.device)) {
                const std::string inside = each.path + '/' + node.hash + ".db";
                kept = kept || (each.why == "removed" && node.names(inside) == Names{"one"});
            }
            BOOST_TEST(kept);
            BOOST_TEST((!done || names.contains("one")));
        };
        BOOST_TEST(with_each_call_failing(make, act, check) > 20);
        BOOST_TEST(with_a_crash_before_each_call(make, act, check) > 20);
    }
}

// ---- Quarantine.

BOOST_AUTO_TEST_CASE(what_lies_in_quarantine_is_listed_and_comes_back_if_it_is_sound) {
    auto node = std::make_unique<Node>();
    node->create();
    node->put("one");
    BOOST_TEST(list_quarantine(node->broker, node->device).empty());
    const std::string shelf = node->device + "/quarantined/containers";
    node->disk.make_directories(shelf);
    node->disk.rename(node->directory, shelf + '/' + node->hash + "-0f0c6e8b");
    node->disk.make_directories(shelf + "/notes");
    node->disk.make_directories(shelf + '/' + node->hash); // of which somebody took the file
    const auto found = list_quarantine(node->broker, node->device);
    BOOST_REQUIRE(found.size() == 1U);
    BOOST_TEST(found[0].hash == node->hash);
    BOOST_TEST(found[0].why == "quarantined");
    BOOST_TEST(found[0].bytes > 0);
    bring_back(*node, found[0]);
    BOOST_TEST((node->names() == Names{"one"}));
    BOOST_TEST(list_quarantine(node->broker, node->device).empty());
}

BOOST_AUTO_TEST_CASE(rows_that_were_pending_in_quarantine_come_back_too) {
    auto node = std::make_unique<Node>();
    node->create();
    BOOST_TEST(node->client_appends("waits"));
    const std::string shelf = node->device + "/quarantined/containers";
    node->disk.make_directories(shelf);
    node->disk.rename(node->directory, shelf + '/' + node->hash);
    bring_back(*node, list_quarantine(node->broker, node->device).at(0));
    BOOST_TEST((node->names() == Names{"waits"}));
}
