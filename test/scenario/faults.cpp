// The turn of one database, in which each call of the disk fails, the power goes at each moment,
// and each request is lost, one at a time: no row is lost, and the next passes bring all to rest.

#define BOOST_TEST_MODULE scenario_faults
#include <boost/test/unit_test.hpp>

#include <support/each_call.hpp>
#include <support/turn.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

using namespace replica;
using namespace replica::test;

namespace {

/// A handoff with a row of its own and one that waits; of the primaries one has another row, one
/// is far behind and one has nothing.
struct Busy : Container {
    Busy() : Container(Where::handoff) {
        nodes.put(at, name, "ours");
        nodes.put_pending(at, name, "waits");
        nodes.create(3, name);
        nodes.put(3, name, "theirs");
        nodes.create(4, name);
        here().disk.settle();
    }

    void check_rows() {
        Names all = everywhere();
        if (const auto waiting = here().disk.stat(path() + ".pending"); waiting && waiting->size) {
            all.insert("waits");
        }
        BOOST_TEST((all == Names{"ours", "row", "theirs", "waits"}));
    }

    /// Once nothing is in the way, every primary has everything and the handoff nothing.
    void check_recovery() {
        clock.advance(settings.peer_hold);
        BOOST_TEST(nodes.settle() > 0);
        nodes.require_identical(name);
        BOOST_TEST((everywhere() == Names{"ours", "row", "theirs", "waits"}));
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(whichever_call_of_the_disk_fails_no_row_is_lost_and_the_next_pass_goes_on) {
    const auto act = [](Busy& turn) {
        const Lines lines = turn.run();
        BOOST_TEST(lines.front() == "began");
        BOOST_TEST(std::ranges::count_if(lines, [](const std::string& line) {
                       return line.starts_with("ended");
                   }) == 1);
        BOOST_TEST(lines.back().starts_with("ended"));
    };
    const auto check = [](Busy& turn, bool /*done*/) {
        turn.check_rows();
        turn.check_recovery();
    };
    BOOST_TEST(with_each_call_failing([] { return std::make_unique<Busy>(); }, act, check,
                                      {Error::io, Error::no_space, Error::locked}) > 200);
}

BOOST_AUTO_TEST_CASE(whenever_the_power_goes_no_row_is_lost_and_the_next_pass_goes_on) {
    const auto act = [](Busy& turn) { (void)turn.run(); };
    const auto check = [](Busy& turn, bool /*done*/) {
        turn.check_rows();
        turn.nodes.restart(turn.at);
        turn.check_recovery();
    };
    BOOST_TEST(with_a_crash_before_each_call([] { return std::make_unique<Busy>(); }, act, check) >
               150);
}

BOOST_AUTO_TEST_CASE(whichever_request_is_lost_no_row_is_and_the_next_pass_goes_on) {
    for (const SimFault fault : {SimFault::refuse, SimFault::silent, SimFault::lose_reply,
                                 SimFault::late_reply, SimFault::duplicate}) {
        for (const char* name : {"sync", "merge_items", "merge_syncs", "complete_rsync"}) {
            for (const std::size_t node : {3U, 4U, 0U}) {
                Busy turn;
                turn.nodes.network().fail(verb(name, address(turn, node)), fault);
                BOOST_TEST(turn.run().back().starts_with("ended"));
                turn.nodes.network().heal();
                turn.check_rows();
                turn.check_recovery();
            }
        }
    }
}

namespace {

/// Node 1 is a handoff with a row, and node 0 has nothing yet.
struct Handoff : Cluster<ContainerKind> {
    Handoff() : Cluster(2, 1) {
        for (char letter = 'b'; primaries(name).front() != 0; ++letter) {
            name = Cluster::name(std::string(1, letter));
        }
        directory = storage::parent(path(name));
        create(1, name);
        put(1, name, "row");
        node(1).disk.settle();
    }

    Name name = Cluster::name("a");
    std::string directory; ///< Of the name.
};

} // namespace

// Defect 127: the next question found the file, and the handoff left because of it.
BOOST_AUTO_TEST_CASE(a_file_that_is_not_durable_in_its_place_does_not_vouch_for_another) {
    Handoff nodes;
    nodes.node(0).disk.fail_next(SimCall::sync, nodes.directory, Error::io, 2); // and once more
    static_cast<void>(nodes.pass(1));
    BOOST_TEST(nodes.has(0, nodes.name));
    BOOST_TEST(nodes.has(1, nodes.name));
    nodes.clock().advance(Seconds(600));
    BOOST_TEST(nodes.settle() > 0);
    BOOST_TEST(!nodes.has(1, nodes.name));
    nodes.cut_power(0, 1);
    BOOST_TEST((nodes.names(0, nodes.name) == Names{"row"}));
}

BOOST_AUTO_TEST_CASE(nor_does_one_whose_sync_hangs) {
    Handoff nodes;
    const SimDisk disk = nodes.node(0).disk;
    int syncs = 0;
    disk.on_call([&](SimCall call, const std::string& path) {
        if (call != SimCall::sync || path != nodes.directory || !nodes.has(0, nodes.name)) {
            return;
        }
        if (++syncs > 1) {
            throw Failure(Error::timed_out, "this one hangs, too");
        }
        nodes.clock().advance(Seconds(600)); // its sender has given up, and another one asks
        nodes.restart(1);
        for (int pass = 0; pass < 4; ++pass) {
            static_cast<void>(nodes.pass(1));
            nodes.clock().advance(Seconds(600));
        }
    });
    static_cast<void>(nodes.pass(1));
    disk.on_call(nullptr);
    BOOST_TEST(syncs > 1);
    BOOST_TEST(nodes.has(1, nodes.name));
}

BOOST_AUTO_TEST_CASE(nor_does_what_the_replicator_of_a_peer_could_not_make_durable) {
    Cluster<ContainerKind> nodes(2, 2);
    const auto name = nodes.name("a");
    nodes.create(0, name);
    nodes.create(1, name);
    BOOST_TEST(nodes.settle() > 0);
    nodes.open(1, name).merge_metadata(R"({"X-K": ["v", ")" + nodes.clock().now().normal() +
                                       R"("]})");
    const SimDisk disk = nodes.node(0).disk;
    disk.settle();
    const std::string directory = storage::parent(nodes.path(name));
    bool armed = true;
    disk.on_call([&](SimCall call, const std::string& path) {
        if (std::exchange(armed,
                          armed && !(call == SimCall::vfs_delete && path.ends_with("-journal"))) &&
            !armed) {
            disk.fail_next(SimCall::vfs_sync, directory, Error::io, 1);
        }
    });
    static_cast<void>(nodes.pass(0)); // takes over the metadata, and they are not durable
    disk.on_call(nullptr);
    BOOST_TEST(!armed);
    nodes.clock().advance(Seconds(600));
    static_cast<void>(nodes.pass(1)); // asks the receiver
    disk.crash();
    nodes.restart(0);
    BOOST_TEST(nodes.info(0, name).metadata.find("X-K") != std::string::npos);
}

// A finish may rename a file to its place between the first look of a question and the next one.
BOOST_AUTO_TEST_CASE(nor_does_what_comes_into_doubt_while_a_question_is_answered) {
    Handoff nodes;
    static_cast<void>(nodes.pass(1));
    BOOST_TEST(!nodes.has(1, nodes.name));
    const SimDisk disk = nodes.node(0).disk;
    int syncs = 0;
    disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::make_directories && path.ends_with("/tmp")) { // the first of `sync`
            nodes.node(0).replicator->doubts()->note(Failure(Error::io, "a finish"),
                                                     nodes.directory);
        }
        syncs += call == SimCall::sync && path == nodes.directory ? 1 : 0;
    });
    const Request question{
        "sda", std::to_string(nodes.name.partition), nodes.name.hash,
        message::encode(message::Sync{
            -1, std::string(32, '0'), "other", nodes.info(0, nodes.name).timestamps(), "", {}}),
        false};
    BOOST_TEST(nodes.node(0).server.handle(question).status == 200);
    disk.on_call(nullptr);
    BOOST_TEST(syncs == 1);
}
