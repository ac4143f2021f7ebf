#include <replica/daemon/undo.hpp>

#define BOOST_TEST_MODULE daemon_undo
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>
#include <support/one_node.hpp>
#include <support/table_ring.hpp>

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
        return made;
    }();
    TableRing ring{{Device{}}, 1, 0}; // one partition: 0
    std::ostringstream out;

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
    for (const int way : {0, 1, 2, 3}) {
        Node node;
        node.lose("one");
        const auto found = taken_away(node.broker, node.settings, node.out);
        const std::vector<std::string> words{"all", node.hash, "/a/c", found.at(0).entry.path};
        BOOST_TEST(node.bring_back({words[static_cast<std::size_t>(way)]}));
        BOOST_TEST((node.names() == Names{"one"}));
        BOOST_TEST(node.says("back: "));
        BOOST_TEST(node.says("\n1 databases are back\n"));
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
    BOOST_TEST(node.says("0 databases are back\n"));
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
    BOOST_TEST(says("1 databases are back"), out.str());
    BOOST_TEST((names() == Names{"late"}));
    BOOST_TEST(since({}));
    BOOST_TEST((names() == Names{"early", "late"}));
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
    BOOST_TEST(node.says("\n0 databases are back\n"));
    BOOST_TEST(node.disk.stat(path).has_value());
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
