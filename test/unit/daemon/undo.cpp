#include <replica/daemon/undo.hpp>

#define BOOST_TEST_MODULE daemon_undo
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>
#include <support/one_node.hpp>
#include <support/table_ring.hpp>

#include <cstdint>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::daemon;
using namespace replica::test;

namespace {

using Names = std::set<std::string>;

struct Node : OneNode<ContainerKind> {
    Settings settings = [] {
        Settings made;
        made.devices = root;
        made.hash_path_suffix = "changeme";
        made.seed = 1;
        made.bind_ip = "127.0.0.1";
        made.bind_port = 6201;
        return made;
    }();
    TableRing ring = ring_of({"sda"}); // one partition: 0
    std::ostringstream out;

    /// Of devices of this node; the first is the only primary.
    [[nodiscard]] static TableRing ring_of(const std::vector<std::string>& names) {
        std::vector<Device> devices;
        for (const std::string& name : names) {
            Device& device = devices.emplace_back();
            device.id = static_cast<std::int64_t>(devices.size());
            device.replication_ip = "127.0.0.1";
            device.replication_port = 6201;
            device.device = name;
        }
        return {devices, 1, 0};
    }

    Node() {
        directory = device + '/' + storage_directory(ContainerKind::datadir, "0", hash);
        path = directory + '/' + hash + ".db";
    }

    /// Makes the database with one row and removes it.
    void lose(const std::string& row) {
        create();
        put(row);
        (void)storage::remove(
            broker, path, device, random, soon(), [](const auto&) { return std::string(); },
            storage::Remains::to_trash);
        clock.advance(Seconds(1));
    }

    bool bring_back(const std::vector<std::string>& words) {
        out.str("");
        return undo(broker, settings, ring, {words}, out);
    }

    [[nodiscard]] bool says(const std::string& text) const {
        return out.str().find(text) != std::string::npos;
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(what_was_taken_away_is_listed_the_oldest_first) {
    Node node;
    node.lose("one");
    node.lose("two");
    node.disk.make_directories(node.device + "/quarantined/containers");
    node.create();
    node.disk.rename(node.directory, node.device + "/quarantined/containers/" + node.hash);
    node.disk.write(std::string(Node::root) + "/notes", "no device");
    const auto found = taken_away(node.broker, node.settings, node.out);
    BOOST_REQUIRE(found.size() == 3U);
    BOOST_TEST((found[0].entry.when < found[1].entry.when));
    BOOST_TEST(found[0].name == "/a/c");
    BOOST_TEST(found[2].entry.why == "quarantined");
    print_trash(node.broker, node.settings, node.out);
    BOOST_TEST(node.says(" removed     "));
    BOOST_TEST(node.says(" /a/c " + found[0].entry.path + '\n'));
    BOOST_TEST(node.says("3 databases; --undo"));
}

BOOST_AUTO_TEST_CASE(a_device_that_cannot_be_read_is_named_and_the_others_are_listed) {
    Node node;
    node.lose("one");
    node.disk.make_directories(std::string(Node::root) + "/sdb/trash");
    node.disk.fail_next(SimCall::list, "/sdb/trash", Error::io);
    BOOST_TEST(taken_away(node.broker, node.settings, node.out).size() == 1U);
    BOOST_TEST(node.says("/srv/node/sdb: cannot be read: "));
}

BOOST_AUTO_TEST_CASE(each_way_to_name_a_database_brings_it_back) {
    for (const int way : {0, 1, 2, 3, 4}) {
        Node node;
        node.lose("one");
        const auto found = taken_away(node.broker, node.settings, node.out);
        const std::vector<std::string> words{"all", node.hash, "/a/c", found.at(0).entry.path,
                                             "a/c"};
        BOOST_TEST(node.bring_back({words[static_cast<std::size_t>(way)]}));
        BOOST_TEST((node.names() == Names{"one"}));
        BOOST_TEST(node.says("back: "));
        BOOST_TEST(node.says("\n1 database is back; 0 stay where they are\n"));
    }
}

BOOST_AUTO_TEST_CASE(all_that_was_removed_of_one_database_comes_back_by_its_rows) {
    Node node;
    node.lose("one");
    node.lose("two");
    BOOST_TEST(node.bring_back({"/a/c"}));
    BOOST_TEST((node.names() == Names{"one", "two"}));
}

BOOST_AUTO_TEST_CASE(a_word_that_means_nothing_is_told_and_the_rest_is_done) {
    Node node;
    node.lose("one");
    BOOST_TEST(!node.bring_back({"/a/other", "/a/c"}));
    BOOST_TEST(node.says("/a/other: is neither in the trash nor in quarantine\n"));
    BOOST_TEST((node.names() == Names{"one"}));
}

BOOST_AUTO_TEST_CASE(all_of_an_empty_trash_is_no_mistake) {
    Node node;
    BOOST_TEST(node.bring_back({"all"}));
    BOOST_TEST(node.says("0 databases are back; 0 stay where they are\n"));
}

BOOST_FIXTURE_TEST_CASE(since_a_time_what_was_removed_comes_back, Node) {
    lose("early");
    const Timestamp between = clock.now();
    clock.advance(Seconds(1));
    lose("late");
    const auto since = [&](Timestamp when) {
        out.str("");
        return undo(broker, settings, ring, {{}, when}, out);
    };
    BOOST_TEST(since(clock.now()));
    BOOST_TEST(says("0 databases are back"));
    BOOST_TEST(since(between));
    BOOST_TEST(says("1 database is back"), out.str());
    BOOST_TEST((names() == Names{"late"}));
    BOOST_TEST(since({}));
    BOOST_TEST((names() == Names{"early", "late"}));
}

BOOST_AUTO_TEST_CASE(one_database_is_told_in_the_singular_and_two_are_not) {
    Node node;
    print_trash(node.broker, node.settings, node.out);
    BOOST_TEST(node.says("0 databases; --undo with a path, a hash, a name (/account/container) or "
                         "all brings them back\n"));
    node.lose("one");
    print_trash(node.broker, node.settings, node.out);
    BOOST_TEST(node.says("\n1 database; --undo with a path, a hash, a name (/account/container) or "
                         "all brings it back\n"));
    BroughtBack result;
    result.add(Afterwards::leaves);
    result.add(Afterwards::stays, "why");
    BOOST_TEST(result.summary() == "1 database is back, 1 of them belongs elsewhere by this ring "
                                   "and will leave again; 1 stays where it is\n");
    result.add(Afterwards::leaves);
    result.add(Afterwards::stays, "why");
    BOOST_TEST(result.summary() == "2 databases are back, 2 of them belong elsewhere by this ring "
                                   "and will leave again; 2 stay where they are\n");
}

BOOST_AUTO_TEST_CASE(what_is_in_quarantine_comes_back_only_by_name) {
    Node node;
    node.create();
    node.put("one");
    node.disk.make_directories(node.device + "/quarantined/containers");
    node.disk.rename(node.directory, node.device + "/quarantined/containers/" + node.hash);
    BOOST_TEST(node.bring_back({"all"}));
    BOOST_TEST(!node.names().has_value());
    BOOST_TEST(node.bring_back({node.hash}));
    BOOST_TEST((node.names() == Names{"one"}));
}

BOOST_AUTO_TEST_CASE(what_cannot_come_back_stays_and_the_reason_is_told) {
    Node node;
    node.lose("one");
    const std::string path = taken_away(node.broker, node.settings, node.out).at(0).entry.path;
    node.disk.write(path + '/' + node.hash + ".db", std::string(8192, 'x'));
    BOOST_TEST(!node.bring_back({"all"}));
    BOOST_TEST(node.says("stays: "));
    BOOST_TEST(node.says("\n0 databases are back; 1 stays where it is\n"));
    BOOST_TEST(node.disk.stat(path).has_value());
}

BOOST_AUTO_TEST_CASE(what_leaves_again_by_this_ring_is_told_before_it_comes_back_and_at_the_end) {
    Node node;
    node.lose("one");
    node.ring = Node::ring_of({"sdb", "sda"}); // sda is no primary of anything
    BOOST_TEST(node.bring_back({"all"}));
    BOOST_TEST((node.names() == Names{"one"}));
    const std::string told = "1 of them belongs elsewhere by this ring and will leave again";
    BOOST_TEST(node.out.str().starts_with("1 database is to come back, " + told + '\n'));
    BOOST_TEST(node.says("\nback, leaves: "));
    BOOST_TEST(node.says("\n1 database is back, " + told + "; 0 stay where they are\n"));
}

BOOST_AUTO_TEST_CASE(a_device_that_the_ring_does_not_have_here_is_told_as_one_without_passes) {
    Node node;
    node.lose("one");
    node.ring = Node::ring_of({"sdb"});
    BOOST_TEST(node.bring_back({"all"}));
    BOOST_TEST((node.names() == Names{"one"}));
    BOOST_TEST(node.says("1 database is back, 1 of them lies on a device that this node does not "
                         "have in this ring: no pass comes to it; 0 stay"));
}

BOOST_AUTO_TEST_CASE(what_was_deleted_long_ago_is_told_to_leave_again) {
    Node node;
    node.create();
    node.clock.advance(Seconds(1));
    node.open().merge_timestamps({"1", "0", node.clock.now().normal()});
    node.clock.advance(node.settings.reclaim_age + Seconds(60));
    (void)storage::remove(
        node.broker, node.path, node.device, node.random, node.soon(),
        [](const auto&) { return std::string(); }, storage::Remains::to_trash);
    (void)node.bring_back({"all"});
    BOOST_TEST(node.says("1 of them was deleted longer than reclaim_age ago and will leave"));
}

BOOST_AUTO_TEST_CASE(what_stays_where_it_is_does_not_count_as_leaving_again) {
    Node node;
    node.lose("one");
    node.ring = Node::ring_of({"sdb", "sda"});
    const std::string path = taken_away(node.broker, node.settings, node.out).at(0).entry.path;
    node.disk.write(path + "/somebodys", "file");
    BOOST_TEST(!node.bring_back({"all"}));
    BOOST_TEST(node.says("\n0 databases are back; 1 stays where it is\n"));
    BOOST_TEST(node.says(": holds somebodys as well"));
}

// Swift's server makes a database under such a name, and leaves it if another has come meanwhile.
BOOST_AUTO_TEST_CASE(what_a_stock_server_did_not_finish_keeps_no_database_away) {
    const std::string draft = "/tmp1x_y2z34.tmp";
    for (const bool beside : {false, true}) {
        Node node;
        node.lose("one");
        // Beside the database that was taken away, or alone where it comes to.
        const std::string path = taken_away(node.broker, node.settings, node.out).at(0).entry.path;
        node.disk.make_directories(node.directory);
        node.disk.write((beside ? path : node.directory) + draft, "a database without rows");
        BOOST_TEST(node.bring_back({"all"}), node.out.str());
        BOOST_TEST((node.names() == Names{"one"}));
        BOOST_TEST(node.disk.stat(node.directory + draft).has_value() == !beside);
    }
}

BOOST_AUTO_TEST_CASE(a_draft_in_quarantine_keeps_no_database_there) {
    Node node;
    node.create();
    node.put("one");
    node.disk.write(node.directory + "/tmp1x_y2z34.tmp", "a database without rows");
    node.disk.make_directories(node.device + "/quarantined/containers");
    node.disk.rename(node.directory, node.device + "/quarantined/containers/" + node.hash);
    BOOST_TEST(node.bring_back({node.hash}), node.out.str());
    BOOST_TEST((node.names() == Names{"one"}));
}

BOOST_AUTO_TEST_CASE(a_service_that_may_go_by_the_former_ring_is_waited_for) {
    const support::Directory directory;
    const auto ring = directory.file("container.ring.gz", "new");
    const auto lock = directory.path("lock");
    std::ostringstream out;
    const auto waits = [&](double later) {
        Seconds slept(0);
        await_ring(
            lock, ring, out, [&](Seconds time) { slept = time; },
            SystemClock().now().plus(Seconds(later)));
        return slept.count();
    };
    BOOST_TEST(waits(0) == 0, "no service has ever run here");
    {
        const auto service = Exclusion::take(lock);
        BOOST_TEST(waits(-3600) == 45, "a clock that was put back");
        BOOST_TEST(waits(10) > 30);
        BOOST_TEST(waits(10) <= 35);
        BOOST_TEST(out.str().find(ring + " was changed 10 s ago, and the service") !=
                   std::string::npos);
        out.str("");
        BOOST_TEST(waits(46) == 0);
        BOOST_TEST(out.str().empty());
        std::filesystem::remove(ring);
        BOOST_TEST(waits(0) == 0, "who reads the ring tells that it is not there");
        (void)directory.file("container.ring.gz", "new");
    }
    BOOST_TEST(waits(0) == 0, "the service has ended");
}
