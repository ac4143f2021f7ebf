#include <replica/storage/trash.hpp>

#define BOOST_TEST_MODULE trash
#include <replica/send/memory.hpp>
#include <replica/storage/storage.hpp>

#include <boost/test/unit_test.hpp>

#include <support/each_call.hpp>
#include <support/one_node.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::storage;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

using Node = OneNode<ContainerKind>;

const std::string hash = "d41d8cd98f00b204e9800998ecf8427e";

std::unique_ptr<Node> node_with_database() {
    auto node = std::make_unique<Node>();
    node->create();
    node->put("one");
    node->disk.settle();
    return node;
}

std::string shelf(const Node& node) {
    return trash_shelf(node.device, "container");
}

std::string remove(Node& node, Remains remains) {
    return storage::remove(
        node.broker, node.path, node.device, node.random, node.soon(),
        [](const ContainerInfo&) { return std::string(); }, remains);
}

/// Puts an entry of so many bytes there, made so long ago. Returns its path.
std::string entry(Node& node, Seconds age, std::int64_t bytes) {
    const TrashEntry made{{}, hash, "removed", node.clock.now().plus(-age), bytes};
    const std::string path = shelf(node) + '/' + made.name(node.random);
    node.disk.make_directories(path);
    node.disk.write(path + '/' + hash + ".db", std::string(static_cast<std::size_t>(bytes), 'x'));
    return path;
}

/// On a small device, of 10,000 bytes each, one to five seconds old.
std::unique_ptr<Node> with_five_entries() {
    auto node = node_with_database();
    node->disk.mount(node->device, 1'000'000);
    for (int age = 5; age >= 1; --age) {
        entry(*node, Seconds(age), 10'000);
    }
    return node;
}

Settings limits(Seconds age, double share) {
    Settings result;
    result.fallocate_reserve = {0, false};
    result.trash_age = age;
    result.trash_share = share;
    return result;
}

std::size_t empty(Node& node, const Settings& rules) {
    return empty_trash(node.disk, node.device, node.clock.now(), rules, [] {});
}

std::size_t count(Node& node) {
    return list_trash(node.disk, node.device).size();
}

} // namespace

// ---- Names.

BOOST_AUTO_TEST_CASE(the_name_of_an_entry_tells_all_about_it) {
    Random random(1);
    const TrashEntry made{{}, hash, "removed", *Timestamp::parse("1402464677.04188"), 12288};
    const auto read = TrashEntry::parse("/srv/sda/trash/containers/" + made.name(random));
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(read->hash == hash);
    BOOST_TEST(read->why == "removed");
    BOOST_TEST(read->bytes == 12288);
    BOOST_TEST((read->when == made.when));
    BOOST_TEST(made.name(random) != made.name(random)); // of two in one instant
}

BOOST_AUTO_TEST_CASE(what_has_another_name_is_no_entry_and_stays) {
    auto node = node_with_database();
    const std::vector<std::string> names{"",
                                         "notes",
                                         "1402464677.04188",
                                         "1402464677.04188-" + hash + "-x-removed-1",
                                         "1402464677.04188-" + hash + "-1-removed",
                                         "then-" + hash + "-1-removed-1",
                                         "1402464677.04188-abc-1-removed-1",
                                         "1402464677.04188-" + hash + "--1-removed-1",
                                         "1402464677.04188-" + hash + "-1-removed-1-1"};
    for (const std::string& name : names) {
        BOOST_TEST(!TrashEntry::parse(shelf(*node) + '/' + name).has_value(), name);
    }
    node->disk.make_directories(shelf(*node) + "/notes");
    node->disk.write(node->device + "/trash/README", "mine");
    entry(*node, Seconds(90000), 10);
    BOOST_TEST(empty(*node, limits(Seconds(86400), 100)) == 1U);
    BOOST_TEST((node->entries(shelf(*node)) == std::set<std::string>{"notes"}));
    BOOST_TEST(node->disk.stat(node->device + "/trash/README").has_value());
}

// ---- What comes into it.

BOOST_AUTO_TEST_CASE(a_removed_database_is_in_the_trash_with_all_its_rows) {
    auto node = node_with_database();
    const std::int64_t bytes = node->disk.stat(node->path)->size;
    BOOST_TEST(remove(*node, Remains::to_trash).empty());
    BOOST_TEST(!node->disk.stat(node->directory).has_value());
    BOOST_TEST(node->entries(node->device + "/tmp").empty());
    const auto found = list_trash(node->disk, node->device);
    BOOST_REQUIRE(found.size() == 1U);
    BOOST_TEST(found[0].hash == base(node->directory));
    BOOST_TEST(found[0].why == "removed");
    BOOST_TEST(found[0].bytes == bytes);
    BOOST_TEST(
        (node->names(found[0].path + '/' + base(node->path)) == std::set<std::string>{"one"}));
}

BOOST_AUTO_TEST_CASE(drafts_do_not_come_along_into_the_trash) {
    auto node = node_with_database();
    const std::string name = base(node->path);
    node->disk.write(node->directory + "/tmp1x_y2z34.tmp", "of a stock server");
    node->disk.write(node->directory + '/' + name + ".0123.new", "of ours");
    node->disk.write(node->directory + "/somebodys", "x");
    BOOST_TEST(remove(*node, Remains::to_trash).empty());
    const auto found = list_trash(node->disk, node->device);
    BOOST_REQUIRE(found.size() == 1U);
    const auto left = node->entries(found[0].path);
    BOOST_TEST((left.contains(name) && left.contains("somebodys")));
    BOOST_TEST(!left.contains("tmp1x_y2z34.tmp"));
    BOOST_TEST(!left.contains(name + ".0123.new"));
}

BOOST_AUTO_TEST_CASE(a_draft_that_cannot_be_deleted_is_no_obstacle_to_a_removal) {
    auto node = node_with_database();
    node->disk.write(node->directory + "/tmp1x_y2z34.tmp", "x");
    node->disk.fail_next(SimCall::remove, "/tmp1x_y2z34.tmp", Error::io);
    BOOST_TEST(remove(*node, Remains::to_trash).empty());
    BOOST_TEST(list_trash(node->disk, node->device).size() == 1U);
}

BOOST_AUTO_TEST_CASE(without_a_trash_a_removed_database_is_gone) {
    auto node = node_with_database();
    BOOST_TEST(remove(*node, Remains::deleted).empty());
    BOOST_TEST(!node->disk.stat(node->device + "/trash").has_value());
    BOOST_TEST(node->entries(node->device + "/tmp").empty());
}

BOOST_AUTO_TEST_CASE(an_age_of_0_keeps_nothing) {
    BOOST_TEST((remains_by(limits(Seconds(0), 2)) == Remains::deleted));
    BOOST_TEST((remains_by(limits(Seconds(1), 2)) == Remains::to_trash));
}

BOOST_AUTO_TEST_CASE(a_trash_that_cannot_be_used_is_no_obstacle_to_a_removal) {
    auto node = node_with_database();
    node->disk.write(node->device + "/trash", "a file of somebody");
    BOOST_TEST(remove(*node, Remains::to_trash).empty());
    BOOST_TEST(!node->disk.stat(node->directory).has_value());
    BOOST_TEST(node->entries(node->device + "/tmp").empty());
    BOOST_TEST(node->disk.stat(node->device + "/trash")->regular);
}

BOOST_AUTO_TEST_CASE(a_removal_that_fails_anywhere_leaves_no_half_of_a_database) {
    const auto act = [](Node& node) { BOOST_TEST(remove(node, Remains::to_trash).empty()); };
    const auto check = [](Node& node, bool done) {
        if (!done && node.names() == std::set<std::string>{"one"}) {
            return;
        }
        BOOST_TEST(!node.names().has_value());
        // Out of the tree, it may be on its way in tmp, or have been deleted as it could not be
        // kept; never is it in the trash in part.
        for (const TrashEntry& each : list_trash(node.disk, node.device)) {
            BOOST_TEST(
                (node.names(each.path + '/' + base(node.path)) == std::set<std::string>{"one"}));
        }
    };
    BOOST_TEST(with_each_call_failing(node_with_database, act, check) > 10);
}

// ---- How it is emptied.

BOOST_AUTO_TEST_CASE(an_entry_goes_when_it_is_too_old) {
    auto node = node_with_database();
    entry(*node, Seconds(86401), 10);
    const std::string young = entry(*node, Seconds(86000), 10);
    BOOST_TEST(empty(*node, limits(Seconds(86400), 100)) == 1U);
    BOOST_TEST(list_trash(node->disk, node->device).at(0).path == young);
    BOOST_TEST(empty(*node, limits(Seconds(0), 100)) == 1U); // switched off
    BOOST_TEST(count(*node) == 0U);
}

// Who is brought back later might bring rows whose deletion everybody has forgotten.
BOOST_AUTO_TEST_CASE(nothing_is_kept_for_longer_than_half_of_reclaim_age) {
    auto node = node_with_database();
    Settings rules = limits(Seconds(86400), 100);
    rules.reclaim_age = Seconds(7200);
    entry(*node, Seconds(3700), 10);
    entry(*node, Seconds(3500), 10);
    BOOST_TEST(empty(*node, rules) == 1U);
    BOOST_TEST(count(*node) == 1U);
}

BOOST_AUTO_TEST_CASE(the_oldest_go_while_the_trash_takes_more_than_its_share) {
    auto node = with_five_entries();
    BOOST_TEST(empty(*node, limits(Seconds(86400), 5)) == 0U); // 5 % are just enough
    BOOST_TEST(empty(*node, limits(Seconds(86400), 2.5)) == 3U);
    const auto left = list_trash(node->disk, node->device);
    BOOST_REQUIRE(left.size() == 2U);
    BOOST_TEST((left[0].when < left[1].when));
    BOOST_TEST((left[1].when == node->clock.now().plus(Seconds(-1))));
}

BOOST_AUTO_TEST_CASE(an_entry_that_cannot_be_deleted_does_not_keep_the_others) {
    auto node = node_with_database();
    const std::string oldest = entry(*node, Seconds(90002), 10);
    entry(*node, Seconds(90001), 10);
    node->disk.fail_next(SimCall::remove_tree, oldest, Error::io);
    BOOST_TEST(empty(*node, limits(Seconds(86400), 100)) == 1U);
    BOOST_TEST(list_trash(node->disk, node->device).at(0).path == oldest);
    BOOST_TEST(empty(*node, limits(Seconds(86400), 100)) == 1U);
}

BOOST_AUTO_TEST_CASE(each_entry_gives_a_sign_of_life) {
    auto node = node_with_database();
    entry(*node, Seconds(90002), 10);
    entry(*node, Seconds(90001), 10);
    int beats = 0;
    empty_trash(node->disk, node->device, node->clock.now(), limits(Seconds(86400), 100),
                [&] { ++beats; });
    BOOST_TEST(beats == 2);
}

BOOST_AUTO_TEST_CASE(each_device_is_due_once_an_hour_and_after_a_hundred_that_came) {
    TrashDue due;
    const Instant now(100s);
    BOOST_TEST(due.is_due("sda", now));
    BOOST_TEST(!due.is_due("sda", now + 3599s));
    BOOST_TEST(due.is_due("sdb", now + 3599s));
    BOOST_TEST(due.is_due("sda", now + 3600s));
    for (int came = 1; came < TrashDue::most; ++came) {
        BOOST_TEST(!due.is_due("sda", now + 3601s, 1));
    }
    BOOST_TEST(!due.is_due("sdb", now + 3601s, 1));
    BOOST_TEST(due.is_due("sda", now + 3601s, 1));
    BOOST_TEST(!due.is_due("sda", now + 3602s, 1));
}

// A stock server beside us refuses its clients, and cannot delete what lies here.
BOOST_AUTO_TEST_CASE(the_oldest_go_while_the_reserve_is_not_free) {
    auto node = with_five_entries();
    Settings rules = limits(Seconds(86400), 100);
    const auto free = static_cast<double>(node->disk.space(node->device).free);
    rules.fallocate_reserve = {free, false};
    BOOST_TEST(empty(*node, rules) == 0U);
    rules.fallocate_reserve = {free + 15'000, false};
    BOOST_TEST(empty(*node, rules) == 2U);
    BOOST_TEST(count(*node) == 3U);
}

// ---- A device without room.

BOOST_AUTO_TEST_CASE(the_trash_gives_way_to_a_write_the_oldest_first) {
    auto node = with_five_entries();
    const auto free = static_cast<std::int64_t>(node->disk.space(node->device).free);
    const Reserve none{0, false};
    BOOST_TEST(!lacks_room(node->disk, node->device, none, free));
    BOOST_TEST(count(*node) == 5U);
    BOOST_TEST(!lacks_room(node->disk, node->device, none, free + 15'000));
    BOOST_TEST(count(*node) == 3U);
    BOOST_TEST(
        (list_trash(node->disk, node->device)[0].when == node->clock.now().plus(Seconds(-3))));
}

BOOST_AUTO_TEST_CASE(a_size_that_no_trash_would_make_room_for_costs_none_of_it) {
    auto node = node_with_database();
    node->disk.mount(node->device, 1'000'000);
    entry(*node, Seconds(1), 10'000);
    BOOST_TEST(lacks_room(node->disk, node->device, Reserve{0, false}, std::int64_t{1} << 62));
    const auto free = static_cast<std::int64_t>(node->disk.space(node->device).free);
    BOOST_TEST(lacks_room(node->disk, node->device, Reserve{0, false}, free + 10'001));
    BOOST_TEST(count(*node) == 1U);
}

BOOST_AUTO_TEST_CASE(a_trash_that_cannot_be_read_gives_no_room) {
    auto node = node_with_database();
    entry(*node, Seconds(1), 10'000);
    node->disk.fail_next(SimCall::list, "/trash", Error::io);
    BOOST_TEST(lacks_room(node->disk, node->device, Reserve{100, true}, 1));
}

BOOST_AUTO_TEST_CASE(the_reserve_counts_as_room_that_is_needed) {
    auto node = node_with_database();
    node->disk.mount(node->device, 1'000'000);
    entry(*node, Seconds(1), 10'000);
    const auto free = static_cast<double>(node->disk.space(node->device).free);
    BOOST_TEST(is_full(node->disk, node->device, Reserve{free + 1, false}));
    BOOST_TEST(!lacks_room(node->disk, node->device, Reserve{free + 1, false}));
    BOOST_TEST(count(*node) == 0U);
    BOOST_TEST(lacks_room(node->disk, node->device, Reserve{100, true}));
}
