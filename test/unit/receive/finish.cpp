#include <replica/receive/finish.hpp>

#define BOOST_TEST_MODULE finish
#include <boost/test/unit_test.hpp>

#include <support/each_call.hpp>
#include <support/one_node.hpp>
#include <support/shard_ranges.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Names = std::set<std::string>;
using Accounts = OneNode<AccountKind>;
using Containers = OneNode<ContainerKind>;

const std::string sender = "11111111-2222-3333-4444-555555555555-sdb";

template <class Node>
std::string upload_path(const Node& node) {
    return node.device + "/tmp/" + sender;
}

/// What a sender brings: a database with its own id and the row "theirs".
template <class Node>
void bring(Node& node) {
    auto info = node.info();
    info.id = sender;
    auto database = node.broker.create(upload_path(node), info);
    database.put(node.row("theirs"));
    database.merge_sync_points(std::vector<SyncPoint>{{9, "third"}}, Direction::incoming);
}

template <class Node>
std::unique_ptr<Node> with_upload() {
    auto node = std::make_unique<Node>();
    bring(*node);
    return node;
}

/// And a database that is here already, with the row "ours".
template <class Node>
std::unique_ptr<Node> with_both() {
    auto node = with_upload<Node>();
    auto database = node->create();
    database.put(node->row("ours"));
    database.merge_sync_points(std::vector<SyncPoint>{{4, "third"}, {7, "fourth"}},
                               Direction::incoming);
    return node;
}

/// As another program may have left it.
void set_metadata(Containers& node, const std::string& path, const std::string& text) {
    node.store.execute(path, "UPDATE container_info SET metadata = '" + text + '\'');
}

template <class Node>
Place place(const Node& node) {
    return {node.device, node.directory, node.hash + ".db", node.hash, 1};
}

template <class Node>
bool finish(Node& node, bool merge = false) {
    return finish_upload(node.broker, place(node), sender, node.hash_path, node.random, merge);
}

template <class Node>
Error refused(Node& node, bool merge = false) {
    try {
        (void)finish(node, merge);
    } catch (const Failure& failure) {
        BOOST_TEST_MESSAGE(failure.what());
        return failure.error();
    }
    return Error{};
}

std::vector<ObjectRow> many(const Containers& node, int count) {
    std::vector<ObjectRow> rows;
    for (int i = 0; i < count; ++i) {
        rows.push_back(node.row("ours-" + std::to_string(i)));
    }
    return rows;
}

template <class Node>
Names tmp(const Node& node) {
    return node.entries(node.device + "/tmp");
}

} // namespace

BOOST_AUTO_TEST_CASE(where_nothing_is_the_upload_becomes_the_database_under_a_new_id) {
    auto node = with_upload<Containers>();
    BOOST_TEST(finish(*node));
    BOOST_TEST((node->names() == Names{"theirs"}));
    auto database = node->open();
    BOOST_TEST(database.info().id != sender);
    BOOST_TEST(database.sync_point(sender, Direction::incoming) == 1); // all of the sender's rows
    BOOST_TEST(database.sync_point("third", Direction::incoming) == 9);
    BOOST_TEST(tmp(*node).empty());
}

BOOST_AUTO_TEST_CASE(rows_that_wait_without_their_database_are_taken_up_by_the_next_copy) {
    auto node = with_upload<Containers>();
    node->store.put_pending(node->path, {node->row("acknowledged")});
    BOOST_TEST(finish(*node));
    auto database = node->open();
    storage::flush_pending(node->broker, database, node->path, node->soon());
    BOOST_TEST((node->names() == Names{"theirs", "acknowledged"}));
}

BOOST_AUTO_TEST_CASE(a_large_upload_is_given_the_time_to_be_read) {
    struct Asked : Containers::Broker {
        explicit Asked(const Containers& node) : Containers::Broker(node.broker) {}
        auto open_upload(const std::string& path, Instant deadline) {
            until = deadline;
            return Containers::Broker::open_upload(path, deadline);
        }
        Instant until;
    };
    auto node = with_upload<Containers>();
    auto content = *node->disk.content(upload_path(*node));
    content.size = std::int64_t{10} << 30;
    node->disk.write(upload_path(*node), content);
    Asked broker(*node);
    const Instant began = node->clock.monotonic();
    BOOST_TEST(finish_upload(broker, place(*node), sender, node->hash_path, node->random, false));
    BOOST_TEST((broker.until - began > to_duration(Seconds(10 * 1024)))); // 1 MiB/s
}

BOOST_AUTO_TEST_CASE(each_batch_of_a_long_merge_has_patience_of_its_own) {
    struct Slow : Containers::Broker {
        explicit Slow(const Containers& node) : Containers::Broker(node.broker) {}
        auto open(const std::string& path, Instant deadline) {
            patience.insert(deadline - clock().monotonic());
            clock().advance(Seconds(20));
            ++opened;
            return Containers::Broker::open(path, deadline);
        }
        std::set<Instant::duration> patience;
        int opened = 0;
    };
    auto node = with_both<Containers>();
    node->open().put(many(*node, 3000));
    Slow broker(*node);
    BOOST_TEST(finish_upload(broker, place(*node), sender, node->hash_path, node->random, true));
    BOOST_TEST(node->names()->size() == 3002U);
    BOOST_TEST(broker.opened == 5); // four batches and the replacement
    // The replacement waits for its locks in pieces of two seconds (storage.hpp).
    BOOST_TEST((broker.patience ==
                std::set<Instant::duration>{std::chrono::seconds(2), std::chrono::seconds(25)}));
}

BOOST_AUTO_TEST_CASE(a_database_that_gets_another_id_at_the_last_moment_is_merged_once_more) {
    auto node = with_both<Containers>();
    std::string renewed;
    node->disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::try_lock && path.starts_with(node->directory)) { // of the replacement
            node->disk.on_call(nullptr);
            node->open().renew_id();
            renewed = node->open().info().id;
        }
    });
    BOOST_TEST(finish(*node, true));
    BOOST_TEST(!renewed.empty());
    BOOST_TEST((node->names() == Names{"ours", "theirs"}));
    BOOST_TEST(tmp(*node).empty());
}

BOOST_AUTO_TEST_CASE(a_database_that_gets_another_id_each_time_is_merged_when_it_is_asked_again) {
    auto node = with_both<Containers>();
    int renewed = 0;
    node->disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::try_lock && path.starts_with(node->directory)) {
            ++renewed;
            node->open().renew_id();
        }
    });
    BOOST_TEST((refused(*node, true) == Error::moved));
    BOOST_TEST(renewed == 3);
    BOOST_TEST((node->names() == Names{"ours"}));
    BOOST_TEST(tmp(*node).empty());
    node->disk.on_call(nullptr);
    bring(*node);
    BOOST_TEST(finish(*node, true));
    BOOST_TEST((node->names() == Names{"ours", "theirs"}));
}

BOOST_AUTO_TEST_CASE(there_is_nothing_to_finish_without_an_upload_or_without_a_database_to_merge) {
    Containers node;
    BOOST_TEST(!finish(node));
    BOOST_TEST(!finish(node, true));
    bring(node);
    BOOST_TEST(!finish(node, true));
    BOOST_TEST((tmp(node) == Names{sender})); // untouched
    BOOST_TEST(!node.disk.stat(node.directory));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_merge_has_the_rows_times_points_and_metadata_of_both, Node,
                              decltype(std::tuple<Accounts, Containers>())) {
    auto node = with_both<Node>();
    node->open().merge_metadata(R"({"X-Mine": ["a", "1400000000.00000"]})");
    node->open(upload_path(*node)).merge_metadata(R"({"X-Theirs": ["b", "1400000000.00000"]})");
    const Timestamps times{"1300000000.00000", "1900000000.00000", "1900000001.00000"};
    node->open().merge_timestamps(times);
    BOOST_TEST(finish(*node, true));
    BOOST_TEST((node->names() == Names{"ours", "theirs"}));
    auto database = node->open();
    const auto info = database.info();
    BOOST_TEST((info.timestamps() == times)); // a newer delete here is not lost (defect 15)
    BOOST_TEST(info.metadata.find("X-Mine") != std::string::npos);
    BOOST_TEST(info.metadata.find("X-Theirs") != std::string::npos);
    BOOST_TEST(database.sync_point("third", Direction::incoming) == 9);
    BOOST_TEST(database.sync_point("fourth", Direction::incoming) == 7);
    // The sender is told of its own rows only, not of ours that came after them.
    BOOST_TEST(database.sync_point(sender, Direction::incoming) == 1);
    BOOST_TEST(info.max_row == 2);
    BOOST_TEST(info.id != sender);
    BOOST_TEST(tmp(*node).empty());
}

BOOST_AUTO_TEST_CASE(a_database_that_came_first_is_merged_and_not_overwritten) {
    auto node = with_both<Containers>();
    BOOST_TEST(finish(*node, false)); // complete_rsync found nothing when it was decided on
    BOOST_TEST((node->names() == Names{"ours", "theirs"}));
}

BOOST_AUTO_TEST_CASE(a_tombstone_here_survives_the_senders_older_row) {
    auto node = with_upload<Containers>();
    node->create();
    ObjectRow row = node->row("theirs", true);
    node->open().put(row);
    BOOST_TEST(finish(*node, true));
    BOOST_TEST(node->names()->empty());
}

BOOST_AUTO_TEST_CASE(more_rows_than_a_batch_are_all_merged) {
    auto node = with_upload<Containers>();
    node->create().put(many(*node, 2500));
    BOOST_TEST(finish(*node, true));
    BOOST_TEST(node->names()->size() == 2501U);
}

BOOST_AUTO_TEST_CASE(replicas_of_different_policies_settle_when_they_are_merged) {
    for (const bool older_here : {false, true}) {
        Containers node;
        auto ours = node.info();
        auto theirs = node.info();
        theirs.id = sender;
        ours.storage_policy_index = 1;
        node.broker.create(upload_path(node), theirs);
        node.broker.create(node.path, ours);
        const std::string set = "UPDATE container_info SET status_changed_at = ";
        node.store.execute(upload_path(node), set + "'1550000000.00000'");
        node.store.execute(node.path,
                           set + (older_here ? "'1500000000.00000'" : "'1600000000.00000'"));
        BOOST_TEST(finish(node, true));
        BOOST_TEST(node.open().info().storage_policy_index == (older_here ? 1 : 0));
    }
}

BOOST_AUTO_TEST_CASE(an_upload_that_cannot_be_used_is_refused_removed_and_changes_nothing) {
    struct Case {
        Error error;
        std::function<void(Containers&)> spoil;
    };
    const std::vector<Case> cases{
        {Error::corrupt, [](auto& node) { node.store.damage(upload_path(node), Error::corrupt); }},
        {Error::wal, [](auto& node) { node.store.damage(upload_path(node), Error::wal); }},
        {Error::unknown_schema,
         [](auto& node) { node.store.damage(upload_path(node), Error::unknown_schema); }},
        {Error::missing_table,
         [](auto& node) { node.store.damage(upload_path(node), Error::missing_table); }},
        {Error::not_a_database, [](auto& node) { node.disk.write(upload_path(node), ""); }},
        {Error::not_a_database,
         [](auto& node) { node.disk.write(upload_path(node), "half of a file"); }},
        {Error::io, // a link to the very database
         [](auto& node) {
             node.disk.remove(upload_path(node));
             BOOST_REQUIRE(node.disk.make_link(node.path, upload_path(node)));
         }},
        {Error::wrong_place, [](auto& node) {
             node.disk.remove(upload_path(node));
             ContainerInfo info;
             info.account = "a";
             info.container = "another";
             info.id = sender;
             node.broker.create(upload_path(node), info);
         }}};
    for (const auto& [error, spoil] : cases) {
        for (const bool merge : {false, true}) {
            auto node = merge ? with_both<Containers>() : with_upload<Containers>();
            spoil(*node);
            const auto before = node->names();
            BOOST_TEST((refused(*node, merge) == error));
            BOOST_TEST((node->names() == before));
            BOOST_TEST(tmp(*node).empty());
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_file_with_a_wrong_hash_is_put_in_place_and_its_sender_keeps_its_own,
                              Node, decltype(std::tuple<Accounts, Containers>())) {
    for (const bool merge : {false, true}) {
        auto node = merge ? with_both<Node>() : with_upload<Node>();
        node->store.damage(upload_path(*node), Error{});
        BOOST_TEST((refused(*node, merge) == Error::moved));
        BOOST_TEST((node->names() == (merge ? Names{"ours", "theirs"} : Names{"theirs"})));
        BOOST_TEST(node->store.is_sound(node->path));
        // A row may be missing: nobody is told that all of his are here.
        auto database = node->open();
        BOOST_TEST(database.info().id != sender);
        BOOST_TEST(database.sync_point(sender, Direction::incoming) == -1);
        BOOST_TEST(database.sync_point("third", Direction::incoming) == (merge ? 4 : -1));
        BOOST_TEST(tmp(*node).empty());
    }
}

BOOST_AUTO_TEST_CASE(a_torn_file_is_never_promoted) {
    auto node = with_upload<Containers>();
    const std::string whole = node->disk.content(upload_path(*node))->bytes;
    node->disk.write(upload_path(*node), whole.substr(0, whole.size() / 2));
    BOOST_TEST((refused(*node) == Error::corrupt));
    BOOST_TEST(!node->disk.stat(node->path));
}

BOOST_AUTO_TEST_CASE(a_container_whose_sharding_has_begun_is_not_replaced_nor_merged_over) {
    auto node = with_upload<Containers>();
    const auto ours = node->info();
    auto database = node->broker.create(node->path, ours);
    database.put(node->row("ours"));
    database.merge_shard_ranges(sharding_ranges(ours));
    BOOST_TEST((refused(*node, true) == Error::moved));
    BOOST_TEST((node->names() == Names{"ours"}));

    Containers other;
    auto theirs = other.info();
    theirs.id = sender;
    other.broker.create(upload_path(other), theirs).merge_shard_ranges(sharding_ranges(theirs));
    other.create().put(other.row("ours"));
    BOOST_TEST((refused(other, true) == Error::wrong_place));
    BOOST_TEST((other.names() == Names{"ours"}));
}

BOOST_AUTO_TEST_CASE(a_merged_file_has_the_shard_ranges_of_both) {
    auto node = with_upload<Containers>();
    node->broker.create(node->path, node->info())
        .merge_shard_ranges(std::vector{range_of("a/one", shards::active)});
    BOOST_TEST(finish(*node, true));
    BOOST_TEST(node->open().shard_ranges().size() == 1);
}

BOOST_AUTO_TEST_CASE(metadata_that_cannot_be_read_is_not_lost_in_a_merge) {
    const std::string odd = R"({"K": ["\ud800", "1"]})";
    const std::string sound = R"({"K": ["v", "2"]})";
    for (const auto& [here, there] : {std::pair(odd, sound), std::pair(sound, odd)}) {
        auto node = with_both<Containers>();
        set_metadata(*node, upload_path(*node), there);
        set_metadata(*node, node->path, here);
        BOOST_CHECK_EXCEPTION((void)finish(*node, true), Failure, [&](const Failure& failure) {
            return failure.error() == Error::exists &&
                   std::string(failure.what()).starts_with(node->info().name());
        });
        BOOST_TEST(node->open().info().metadata == here);
        BOOST_TEST((node->names() == Names{"ours"}));
    }
}

BOOST_AUTO_TEST_CASE(the_same_metadata_on_both_sides_holds_up_no_merge) {
    auto node = with_both<Containers>();
    set_metadata(*node, upload_path(*node), "no JSON");
    set_metadata(*node, node->path, "no JSON");
    BOOST_TEST(finish(*node, true));
    BOOST_TEST((node->names() == Names{"ours", "theirs"}));
    BOOST_TEST(node->open().info().metadata == "no JSON");
}

BOOST_AUTO_TEST_CASE(a_late_retry_of_the_sender_cannot_replace_the_file_under_a_merge) {
    const std::string upload = [] {
        const auto node = with_upload<Containers>();
        return node->disk.content(upload_path(*node))->bytes;
    }();
    const auto act = [](Containers& node) { BOOST_TEST(finish(node, true)); };
    const auto write = [&](Containers& node) { // rsync brings the file once more, byte by byte
        node.disk.write(upload_path(node), upload);
        return true;
    };
    const auto check = [](Containers& node, bool /*written*/) {
        BOOST_TEST((node.names() == Names{"ours", "theirs"}));
        BOOST_TEST(node.open().info().id != sender); // not the unmerged copy
    };
    BOOST_TEST(with_a_write_before_each_call(with_both<Containers>, act, write, check) > 20);
}

// ---- At every call.

BOOST_AUTO_TEST_CASE(an_install_that_fails_or_crashes_shows_all_or_nothing) {
    const auto act = [](Containers& node) {
        if (!finish(node)) {
            throw Failure(Error::missing, "not there");
        }
    };
    const auto check = [](Containers& node, bool done) {
        BOOST_TEST((!node.disk.stat(node.path) || node.names() == Names{"theirs"}));
        if (done) {
            BOOST_TEST((node.names() == Names{"theirs"}));
            BOOST_TEST(node.open().info().id != sender);
        }
    };
    BOOST_TEST(with_each_call_failing(with_upload<Containers>, act, check) > 15);
    BOOST_TEST(with_a_crash_before_each_call(with_upload<Containers>, act, check) > 15);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_merge_that_fails_or_crashes_leaves_the_old_or_the_new, Node,
                              decltype(std::tuple<Accounts, Containers>())) {
    const auto act = [](Node& node) {
        if (!finish(node, true)) {
            throw Failure(Error::missing, "not there");
        }
    };
    const auto check = [](Node& node, bool done) {
        const auto names = node.names().value();
        BOOST_TEST(names.contains("ours"));
        BOOST_TEST((!done || names.contains("theirs")));
        // Points never say more than the rows.
        auto database = node.open();
        BOOST_TEST((database.sync_point(sender, Direction::incoming) < 0) ==
                   !names.contains("theirs"));
        BOOST_TEST(database.info().id != sender);
    };
    BOOST_TEST(with_each_call_failing(with_both<Node>, act, check) > 25);
    BOOST_TEST(with_a_crash_before_each_call(with_both<Node>, act, check) > 25);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_client_that_was_answered_during_a_merge_keeps_its_row, Node,
                              decltype(std::tuple<Accounts, Containers>())) {
    const auto act = [](Node& node) { (void)finish(node, true); };
    const auto check = [](Node& node, bool acknowledged) {
        const auto names = node.names().value();
        BOOST_TEST(names.contains("ours"));
        BOOST_TEST((!acknowledged || names.contains("late")));
    };
    int times = 0;
    const auto count = [&times](bool done) {
        times += done ? 1 : 0;
        return done;
    };
    BOOST_TEST(with_a_write_before_each_call(
                   with_both<Node>, act,
                   [&](Node& node) { return count(node.client_appends("late")); }, check) > 25);
    BOOST_TEST(times > 15);
    times = 0;
    BOOST_TEST(with_a_write_before_each_call(
                   with_both<Node>, act,
                   [&](Node& node) { return count(node.client_commits("late")); }, check) > 25);
    BOOST_TEST(times > 15);
}

BOOST_AUTO_TEST_CASE(rows_pushed_during_a_merge_are_there_if_their_point_is) {
    const auto write = [](Containers& node) {
        try {
            std::vector<ObjectRow> rows{node.row("late")};
            rows[0].rowid = 77;
            node.broker.open(node.path, node.clock.monotonic()).merge_items(rows, "pusher");
            return true;
        } catch (const Failure&) {
            return false;
        }
    };
    const auto check = [](Containers& node, bool acknowledged) {
        const bool there = node.names()->contains("late");
        BOOST_TEST((!acknowledged || there));
        BOOST_TEST((node.open().sync_point("pusher", Direction::incoming) == 77) == there);
    };
    BOOST_TEST(with_a_write_before_each_call(
                   with_both<Containers>, [](Containers& node) { (void)finish(node, true); }, write,
                   check) > 25);
}

BOOST_AUTO_TEST_CASE(a_database_that_is_made_while_a_file_is_installed_keeps_its_rows) {
    const auto write = [](Containers& node) {
        const auto lock = node.disk.try_lock(node.directory);
        if (!lock || node.disk.stat(node.path)) {
            return false;
        }
        node.create().put(node.row("late"));
        return true;
    };
    const auto check = [](Containers& node, bool acknowledged) {
        BOOST_TEST((!acknowledged || node.names()->contains("late")));
        BOOST_TEST(node.names()->contains("theirs"));
    };
    BOOST_TEST(with_a_write_before_each_call(
                   with_upload<Containers>, [](Containers& node) { (void)finish(node); }, write,
                   check) > 15);
}
