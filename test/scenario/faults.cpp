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

// Defect 127: the next question found the file, and the handoff left because of it.
BOOST_AUTO_TEST_CASE(a_file_that_is_not_durable_in_its_place_does_not_vouch_for_another) {
    Cluster<ContainerKind> nodes(2, 1);
    auto name = nodes.name("a");
    for (char letter = 'b'; nodes.primaries(name).front() != 0; ++letter) {
        name = nodes.name(std::string(1, letter));
    }
    nodes.create(1, name);
    nodes.put(1, name, "row");
    nodes.node(1).disk.settle();
    SimDisk& disk = nodes.node(0).disk;
    const std::string directory = storage::parent(nodes.path(name));
    disk.fail_next(SimCall::sync, directory, Error::io, 2); // in its place; at the next question
    static_cast<void>(nodes.pass(1));
    BOOST_TEST(nodes.has(0, name));
    BOOST_TEST(nodes.has(1, name));
    nodes.clock().advance(Seconds(600));
    BOOST_TEST(nodes.settle() > 0);
    BOOST_TEST(!nodes.has(1, name));
    nodes.cut_power(0, 1);
    BOOST_TEST((nodes.names(0, name) == Names{"row"}));
}
