#include <replica/receive/restore.hpp>

#define BOOST_TEST_MODULE restore
#include <boost/test/unit_test.hpp>

#include <support/each_call.hpp>
#include <support/one_node.hpp>

#include <memory>
#include <set>
#include <string>
#include <string_view>
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

void bring_back(Node& node, const TrashEntry& entry, const Settings& settings = {}) {
    restore(node.broker, entry, node.device, 1, node.hash_path, node.random, settings);
}

Error refused(Node& node, const TrashEntry& entry, const Settings& settings = {}) {
    try {
        bring_back(node, entry, settings);
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

BOOST_AUTO_TEST_CASE(a_database_with_which_a_stock_server_left_a_draft_comes_back) {
    auto node = std::make_unique<Node>();
    node->create();
    node->put("one");
    node->disk.write(node->directory + "/tmp1x_y2z34.tmp", "x");
    (void)storage::remove(
        node->broker, node->path, node->device, node->random, node->soon(),
        [](const ContainerInfo&) { return std::string(); }, Remains::to_trash);
    bring_back(*node, only_entry(*node));
    BOOST_TEST((node->names() == Names{"one"}));
    BOOST_TEST(storage::list_trash(node->disk, node->device).empty());
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
    BOOST_TEST(storage::list_trash(node->disk, node->device).empty());
}

BOOST_AUTO_TEST_CASE(a_row_that_was_deleted_meanwhile_stays_deleted) {
    auto node = with_both();
    node->open().put(node->row("one", true));
    bring_back(*node, only_entry(*node));
    BOOST_TEST((node->names() == Names{"two"}));
}

BOOST_AUTO_TEST_CASE(a_replaced_file_comes_back_by_its_rows) {
    auto node = with_both();
    const TrashEntry replaced{storage::trash_shelf(node->device, "container") + "/entry",
                              node->hash, "replaced", node->clock.now(), 0};
    node->disk.rename(node->path, replaced.path);
    bring_back(*node, replaced);
    BOOST_TEST((node->names() == Names{"two"}));
    BOOST_TEST(!node->disk.stat(replaced.path).has_value());
}

// What the peers have forgotten by then, this copy would bring back to life.
BOOST_AUTO_TEST_CASE(a_copy_that_agreed_with_no_peer_within_reclaim_age_is_refused_and_stays) {
    const Settings settings;
    for (const bool late : {false, true}) {
        auto node = with_removed();
        TrashEntry entry = only_entry(*node);
        const Seconds wait = settings.reclaim_age - Seconds(late ? 0 : 10);
        node->clock.advance(wait);
        BOOST_TEST((refused(*node, entry, settings) == (late ? Error::exists : Error{})));
        BOOST_TEST(node->disk.stat(entry.path).has_value() == late);
        BOOST_TEST(node->names().has_value() == !late);
    }
}

BOOST_AUTO_TEST_CASE(it_counts_when_the_copy_agreed_not_when_it_was_taken_away) {
    const Settings settings;
    auto node = with_removed();
    TrashEntry entry = only_entry(*node);
    node->clock.advance(settings.reclaim_age);
    entry.when = node->clock.now(); // of a quarantine: somebody wrote to the file until now
    BOOST_TEST((refused(*node, entry, settings) == Error::exists));
    entry.when = node->clock.now().plus(Seconds(86400 * 30)); // of a clock that was ahead
    BOOST_TEST((refused(*node, entry, settings) == Error::exists));
}

BOOST_AUTO_TEST_CASE(a_time_of_a_clock_that_was_ahead_does_not_keep_a_copy_away) {
    auto node = with_removed();
    TrashEntry entry = only_entry(*node);
    entry.when = node->clock.now().plus(Seconds(86400 * 30));
    bring_back(*node, entry);
    BOOST_TEST((node->names() == Names{"one"}));
}

// Else an absence of six days and one of six more would pass as none.
BOOST_AUTO_TEST_CASE(a_database_that_came_back_agrees_as_of_the_time_of_its_copy) {
    for (const auto& make : {with_removed, with_both}) {
        auto node = make();
        const TrashEntry entry = only_entry(*node);
        node->clock.advance(Seconds(86400));
        bring_back(*node, entry);
        const auto agreed = node->open().sync_point(notes::agreed(), Direction::outgoing);
        BOOST_TEST(agreed > 0);
        BOOST_TEST(agreed <= entry.when.ticks / Timestamp::ticks_per_second);
    }
}

BOOST_AUTO_TEST_CASE(what_lies_beside_a_database_is_not_deleted_with_it) {
    for (const char* const beside :
         {"_1700000000.00000.db", ".db.pending.unreadable.1", ".db.displaced.upload"}) {
        auto node = with_removed();
        const TrashEntry entry = only_entry(*node);
        const std::string other = entry.path + '/' + node->hash + beside;
        if (std::string_view(beside).ends_with("00.db")) {
            node->create(other); // a container whose sharding has begun has two databases
        } else {
            node->disk.write(other, "rows");
        }
        BOOST_TEST((refused(*node, entry) == Error::exists), beside);
        BOOST_TEST(node->disk.stat(other).has_value());
        BOOST_TEST(node->disk.stat(entry.path + '/' + node->hash + ".db").has_value());
        BOOST_TEST(!node->names().has_value());
    }
}

BOOST_AUTO_TEST_CASE(pending_rows_that_nobody_can_read_stay_in_quarantine) {
    auto node = with_removed();
    const TrashEntry entry = only_entry(*node);
    node->disk.write(entry.path + '/' + node->hash + ".db.pending", "no row at all");
    BOOST_TEST((refused(*node, entry) == Error::exists));
    BOOST_TEST(storage::has_set_aside(node->disk, entry.path));
}

BOOST_AUTO_TEST_CASE(a_copy_for_which_there_is_no_room_stays) {
    auto node = with_removed();
    const TrashEntry entry = only_entry(*node);
    Settings settings;
    node->disk.mount(node->device, 1'000'000);
    settings.fallocate_reserve = {100, true};
    BOOST_TEST((refused(*node, entry, settings) == Error::no_space));
    BOOST_TEST(node->disk.stat(entry.path).has_value());
}

BOOST_AUTO_TEST_CASE(a_copy_with_a_wrong_hash_comes_back_with_the_right_one) {
    auto node = with_removed();
    const TrashEntry entry = only_entry(*node);
    node->store.execute(entry.path + '/' + node->hash + ".db",
                        "UPDATE container_info SET hash = '" + std::string(32, '1') + '\'');
    bring_back(*node, entry);
    BOOST_TEST((node->names() == Names{"one"}));
    BOOST_TEST(!node->open().mend_sums());
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

// A transfer of the same database, or what an undo that was killed has left.
BOOST_AUTO_TEST_CASE(what_lies_in_tmp_is_left_alone_and_in_nobodys_way) {
    auto node = with_removed();
    const TrashEntry entry = only_entry(*node);
    const std::string id = node->open(entry.path + '/' + node->hash + ".db").info().id;
    const Names left{id, id + "-0f0c6e8b1a7d42e5"};
    for (const std::string& name : left) {
        node->disk.write(node->device + "/tmp/" + name, "half of a file");
    }
    bring_back(*node, entry);
    BOOST_TEST((node->names() == Names{"one"}));
    BOOST_TEST((node->entries(node->device + "/tmp") == left));
}

BOOST_AUTO_TEST_CASE(an_undo_that_was_killed_can_be_done_again) {
    const auto act = [](Node& node) { bring_back(node, only_entry(node)); };
    const auto check = [&](Node& node, bool /*done*/) {
        if (node.names() != Names{"one"}) {
            act(node);
        }
        BOOST_TEST((node.names() == Names{"one"}));
    };
    BOOST_TEST(with_a_crash_before_each_call(with_removed, act, check) > 20);
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
