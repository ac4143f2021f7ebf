#include <replica/sim/node.hpp>

#define BOOST_TEST_MODULE sim_node
#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <utility>

using namespace replica;

namespace {

SimNode::Pointer directory() {
    auto node = std::make_shared<SimNode>();
    node->directory = true;
    return node;
}

SimNode::Pointer file(const std::string& bytes) {
    auto node = std::make_shared<SimNode>();
    node->content = SimContent::of(bytes);
    return node;
}

/// A root with two directories, all of it durable.
struct Tree {
    Tree() {
        root->entries = {{"a", a}, {"b", b}};
        SimNode::settle(root);
    }

    static void move(SimNode& from, const std::string& name, SimNode& to,
                     const std::string& new_name) {
        to.entries[new_name] = from.entries.at(name);
        from.entries.erase(name);
    }

    void crash() const { SimNode::crash(root); }

    SimNode::Pointer root = directory();
    SimNode::Pointer a = directory();
    SimNode::Pointer b = directory();
};

} // namespace

BOOST_AUTO_TEST_CASE(bytes_are_as_long_as_they_are) {
    const SimContent content = SimContent::of(std::string("a\0b", 3));
    BOOST_TEST(content.size == 3);
    BOOST_TEST(content.bytes == std::string("a\0b", 3));
    BOOST_TEST(SimContent::of("").size == 0);
}

// ---- Locks.

BOOST_AUTO_TEST_CASE(a_lock_is_held_by_one_and_for_as_long_as_it_is_kept) {
    SimNode node;
    auto token = SimNode::take(node);
    BOOST_REQUIRE(token);
    BOOST_TEST(!SimNode::take(node));
    const auto copy = token;
    token.reset();
    BOOST_TEST(!SimNode::take(node)); // somebody still has it
}

BOOST_AUTO_TEST_CASE(a_lock_that_is_given_back_can_be_taken_by_another) {
    SimNode node;
    auto first = SimNode::take(node);
    const std::weak_ptr<void> was = first;
    first.reset();
    const auto second = SimNode::take(node);
    BOOST_REQUIRE(second);
    BOOST_TEST(was.expired()); // the proof of the first is no proof of the second
}

BOOST_AUTO_TEST_CASE(a_crash_frees_the_locks_of_all_that_is_found_afterwards) {
    Tree tree;
    tree.a->entries["f"] = file("1");
    SimNode::settle(tree.root);
    SimNode& locked = *tree.a->entries["f"];
    const auto file_lock = SimNode::take(locked);
    const auto directory_lock = SimNode::take(*tree.a);
    tree.crash();
    BOOST_TEST(SimNode::take(locked) != nullptr);
    BOOST_TEST(SimNode::take(*tree.a) != nullptr);
}

// ---- What a crash leaves.

BOOST_AUTO_TEST_CASE(a_file_and_its_name_survive_apart_from_each_other) {
    Tree tree;
    tree.a->entries["name_only"] = file("1");
    tree.a->entries["both"] = file("2");
    tree.b->entries["content_only"] = file("3");
    SimNode::sync(tree.a->entries["both"]);
    SimNode::sync(tree.b->entries["content_only"]);
    SimNode::sync(tree.a);
    tree.crash();
    BOOST_REQUIRE(tree.a->entries.contains("name_only"));
    BOOST_TEST(tree.a->entries["name_only"]->content.bytes.empty());
    BOOST_TEST(tree.a->entries["name_only"]->content.size == 0);
    BOOST_TEST(tree.a->entries["both"]->content.bytes == "2");
    BOOST_TEST(tree.b->entries.empty());
}

BOOST_AUTO_TEST_CASE(what_is_settled_survives_at_any_depth) {
    Tree tree;
    tree.a->entries["deep"] = directory();
    tree.a->entries["deep"]->entries["f"] = file("1");
    SimNode::settle(tree.root);
    tree.crash();
    tree.crash(); // a second one loses no more
    BOOST_TEST(tree.a->entries.at("deep")->entries.at("f")->content.bytes == "1");
}

BOOST_AUTO_TEST_CASE(a_sync_is_of_one_directory_and_not_of_what_is_below) {
    Tree tree;
    tree.a->entries["deep"] = directory();
    tree.a->entries["deep"]->entries["f"] = file("1");
    SimNode::sync(tree.a);
    tree.crash();
    BOOST_REQUIRE(tree.a->entries.contains("deep"));
    BOOST_TEST(tree.a->entries.at("deep")->entries.empty());
}

BOOST_AUTO_TEST_CASE(an_entry_that_was_removed_comes_back_until_its_directory_is_synced) {
    Tree tree;
    tree.a->entries["f"] = file("1");
    SimNode::settle(tree.root);
    tree.a->entries.erase("f");
    tree.crash();
    BOOST_TEST(tree.a->entries.contains("f"));
    tree.a->entries.erase("f");
    SimNode::sync(tree.a);
    tree.crash();
    BOOST_TEST(!tree.a->entries.contains("f"));
}

// ---- A rename is one step.

BOOST_AUTO_TEST_CASE(a_new_name_that_is_durable_ends_the_old_one_in_another_directory) {
    Tree tree;
    tree.a->entries["f"] = file("1");
    SimNode::settle(tree.root);
    Tree::move(*tree.a, "f", *tree.b, "g");
    SimNode::sync(tree.b);
    tree.crash();
    BOOST_TEST(tree.a->entries.empty());
    BOOST_TEST(tree.b->entries.at("g")->content.bytes == "1");
}

BOOST_AUTO_TEST_CASE(a_rename_inside_one_directory_leaves_one_name) {
    Tree tree;
    tree.a->entries["f"] = file("1");
    SimNode::settle(tree.root);
    Tree::move(*tree.a, "f", *tree.a, "g");
    SimNode::sync(tree.a);
    tree.crash();
    BOOST_TEST(tree.a->entries.size() == 1U);
    BOOST_TEST(tree.a->entries.contains("g"));
}

BOOST_AUTO_TEST_CASE(a_file_that_moved_twice_ends_the_name_that_was_durable) {
    Tree tree;
    tree.a->entries["f"] = file("1");
    SimNode::settle(tree.root);
    Tree::move(*tree.a, "f", *tree.root, "halfway");
    Tree::move(*tree.root, "halfway", *tree.b, "g");
    SimNode::sync(tree.b);
    tree.crash();
    BOOST_TEST(tree.a->entries.empty());
    BOOST_TEST(!tree.root->entries.contains("halfway"));
    BOOST_TEST(tree.b->entries.contains("g"));
}

BOOST_AUTO_TEST_CASE(a_file_that_moved_back_before_any_sync_keeps_its_name) {
    Tree tree;
    tree.a->entries["f"] = file("1");
    SimNode::settle(tree.root);
    Tree::move(*tree.a, "f", *tree.b, "f");
    Tree::move(*tree.b, "f", *tree.a, "f");
    SimNode::sync(tree.b);
    tree.crash();
    BOOST_TEST(tree.a->entries.contains("f"));
    BOOST_TEST(tree.b->entries.empty());
}

BOOST_AUTO_TEST_CASE(a_durable_rename_takes_no_other_file_that_has_the_old_name_by_now) {
    Tree tree;
    tree.a->entries["f"] = file("old");
    SimNode::settle(tree.root);
    Tree::move(*tree.a, "f", *tree.b, "f");
    tree.a->entries["f"] = file("new");
    SimNode::sync(tree.a->entries["f"]);
    SimNode::sync(tree.a);
    SimNode::sync(tree.b);
    tree.crash();
    BOOST_TEST(tree.a->entries.at("f")->content.bytes == "new");
    BOOST_TEST(tree.b->entries.at("f")->content.bytes == "old");
}

BOOST_AUTO_TEST_CASE(a_second_name_of_a_file_is_no_rename) {
    Tree tree;
    tree.a->entries["f"] = file("1");
    SimNode::settle(tree.root);
    tree.b->entries["g"] = tree.a->entries["f"];
    SimNode::sync(tree.b);
    tree.crash();
    BOOST_TEST(tree.a->entries.contains("f"));
    BOOST_TEST(tree.b->entries.contains("g"));
}

BOOST_AUTO_TEST_CASE(the_old_directory_may_be_gone_when_the_new_name_is_synced) {
    Tree tree;
    tree.a->entries["f"] = file("1");
    SimNode::settle(tree.root);
    Tree::move(*tree.a, "f", *tree.b, "f");
    tree.root->entries.erase("a");
    SimNode::sync(tree.root);
    tree.a.reset();
    SimNode::sync(tree.b);
    tree.crash();
    BOOST_TEST(tree.b->entries.contains("f"));
    BOOST_TEST(!tree.root->entries.contains("a"));
}

// ---- Room.

BOOST_AUTO_TEST_CASE(what_is_used_is_the_sum_of_all_files_and_of_no_directory) {
    Tree tree;
    BOOST_TEST(tree.root->used() == 0U);
    tree.a->entries["f"] = file("123");
    tree.a->entries["deep"] = directory();
    tree.a->entries["deep"]->entries["g"] = file("4567");
    tree.a->entries["database"] = file("head");
    tree.a->entries["database"]->content.size = 8192; // its size, not that of its head
    BOOST_TEST(tree.root->used() == 3U + 4U + 8192U);
    tree.a->entries["deep"]->device = 2; // mounted there
    BOOST_TEST(tree.root->used() == 3U + 8192U);
    BOOST_TEST(tree.b->used() == 0U);
    BOOST_TEST(tree.a->entries["f"]->used() == 3U);
}
