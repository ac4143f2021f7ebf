// Changed databases are pushed as soon as a feed tells of them, without a pass.

#define BOOST_TEST_MODULE scenario_push
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Kinds = boost::mpl::list<AccountKind, ContainerKind>;

/// Nodes whose databases all their primaries have. Node 0 is a primary of each.
template <class Kind>
struct Pushing : Cluster<Kind> {
    using Name = typename Cluster<Kind>::Name;

    explicit Pushing(std::size_t databases = 1, std::size_t nodes = 3) : Cluster<Kind>(nodes, 3) {
        for (int i = 0; known.size() < databases; ++i) {
            const Name name = this->name("a" + std::to_string(i));
            if (std::ranges::count(this->primaries(name), 0U) == 1) {
                known.push_back(name);
                this->create(0, name);
                this->put(0, name, "row");
            }
        }
        BOOST_TEST(this->settle() > 0);
        quiet();
        this->network().before([this](const SimExchange&, const Request&) { ++requests; });
    }

    /// What is due now, half a second after anything was.
    Stats push(std::size_t at) {
        this->clock().advance(Seconds(1));
        return this->node(at).replicator->push();
    }

    /// Pushes on all nodes until none has anything to push; how many databases had a turn.
    std::int64_t quiet(int most = 10) {
        std::int64_t turns = 0;
        for (std::int64_t last = 1; last > 0; --most) {
            BOOST_REQUIRE_MESSAGE(most > 0, "pushes do not come to an end");
            last = 0;
            for (std::size_t at = 0; at < this->size(); ++at) {
                last += push(at).attempted;
            }
            turns += last;
        }
        return turns;
    }

    std::vector<Name> known;
    std::int64_t requests = 0;
};

using Rows = std::set<std::string>;

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_is_on_all_replicas_without_a_pass, Kind, Kinds) {
    Pushing<Kind> nodes(3);
    nodes.put(0, nodes.known[1], "new");
    const Stats stats = nodes.push(0);
    BOOST_TEST(stats.attempted == 1);
    BOOST_TEST(stats.rows == 2);
    nodes.require_identical(nodes.known[1]);
    BOOST_TEST((nodes.names(2, nodes.known[1]) == Rows{"new", "row"}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_row_that_waits_in_a_pending_file_is_pushed, Kind, Kinds) {
    Pushing<Kind> nodes;
    nodes.put_pending(0, nodes.known[0], "new");
    BOOST_TEST(nodes.push(0).rows == 2);
    BOOST_TEST((nodes.names(1, nodes.known[0]) == Rows{"new", "row"}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(without_a_change_no_peer_is_asked, Kind, Kinds) {
    Pushing<Kind> nodes(5);
    nodes.requests = 0;
    for (std::size_t at = 0; at < nodes.size(); ++at) {
        BOOST_TEST((nodes.push(at) == Stats()));
    }
    BOOST_TEST(nodes.requests == 0);
}

// Each push writes points into both copies, and the feed tells of that as of any write.
BOOST_AUTO_TEST_CASE_TEMPLATE(pushes_come_to_an_end_wherever_clients_write, Kind, Kinds) {
    Pushing<Kind> nodes(2, 5);
    for (int round = 0; round < 5; ++round) {
        std::int64_t writes = 0;
        for (const auto& name : nodes.known) {
            for (const std::size_t at : nodes.primaries(name)) {
                if (round % 2 == 0 || writes == 0) {
                    nodes.put(at, name, "r" + std::to_string(round) + std::to_string(at));
                    ++writes;
                }
            }
        }
        nodes.requests = 0;
        BOOST_TEST(nodes.quiet() <= 18, "three turns of each of six copies");
        BOOST_TEST(nodes.requests <= 72, "and two requests to each of two peers");
        for (const auto& name : nodes.known) {
            nodes.require_identical(name);
        }
    }
    BOOST_TEST(nodes.settle() == 1);
    BOOST_TEST(nodes.quiet() <= 6, "a pass that finds all in sync leaves little");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_the_feed_has_lost_is_sent_by_the_next_pass, Kind, Kinds) {
    Pushing<Kind> nodes;
    nodes.put(0, nodes.known[0], "new");
    nodes.node(0).feed.overflow();
    BOOST_TEST(nodes.push(0).attempted == 0);
    BOOST_TEST(nodes.node(0).journal.count("the queue has overflowed") == 1);
    BOOST_TEST(nodes.pass(0).rows == 2);
    nodes.require_identical(nodes.known[0]);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_does_not_answer_is_left_to_the_pass, Kind, Kinds) {
    Pushing<Kind> nodes;
    const auto places = nodes.primaries(nodes.known[0]);
    nodes.down(places[1] == 0 ? places[2] : places[1]);
    nodes.put(0, nodes.known[0], "new");
    const Stats stats = nodes.push(0);
    BOOST_TEST(stats.rows == 1);
    BOOST_TEST(stats.failure > 0);
    nodes.quiet(); // nobody tries again and again
    for (const std::size_t at : places) {
        nodes.up(at);
    }
    nodes.clock().advance(Seconds(120));
    BOOST_TEST(nodes.pass(0).rows == 1);
    nodes.require_identical(nodes.known[0]);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_during_a_push_is_pushed_by_the_next, Kind, Kinds) {
    Pushing<Kind> nodes;
    bool written = false;
    nodes.after("sync", [&] {
        if (!written) {
            written = true;
            nodes.put(0, nodes.known[0], "late");
        }
    });
    nodes.put(0, nodes.known[0], "new");
    (void)nodes.push(0);
    BOOST_TEST(written);
    (void)nodes.push(0);
    nodes.require_identical(nodes.known[0]);
    BOOST_TEST((nodes.names(2, nodes.known[0]) == Rows{"late", "new", "row"}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_new_database_is_pushed_as_a_whole, Kind, Kinds) {
    Pushing<Kind> nodes;
    const auto name = nodes.name("fresh");
    nodes.create(0, name);
    nodes.put(0, name, "row");
    nodes.clock().advance(Seconds(1));
    BOOST_TEST(nodes.push(0).rsync == 2);
    nodes.require_identical(name);
}

// A client's PUT goes to all primaries, and a push must not be there before it (defect 120).
BOOST_AUTO_TEST_CASE_TEMPLATE(a_new_database_is_not_pushed_before_its_peers_could_make_theirs, Kind,
                              Kinds) {
    Pushing<Kind> nodes;
    const auto name = nodes.name("fresh");
    nodes.create(0, name);
    nodes.put(0, name, "row");
    BOOST_TEST((nodes.push(0) == Stats()), "a second old");
    BOOST_TEST(!nodes.has(1, name));
    nodes.create(1, name);
    nodes.create(2, name);
    const Stats stats = nodes.push(0);
    BOOST_TEST(stats.attempted == 1);
    BOOST_TEST(stats.rsync == 0, "no peer lacks it any more");
    BOOST_TEST(nodes.push(0).attempted <= 1, "the push itself has written points");
    nodes.quiet();
    nodes.require_identical(name);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_new_database_keeps_no_write_to_another_one_waiting, Kind, Kinds) {
    Pushing<Kind> nodes;
    nodes.create(0, nodes.name("fresh"));
    nodes.put(0, nodes.known[0], "new");
    BOOST_TEST(nodes.push(0).rows == 2);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(after_the_clock_was_set_back_no_database_counts_as_new, Kind, Kinds) {
    Pushing<Kind> nodes;
    const auto name = nodes.name("fresh");
    nodes.create(0, name);
    nodes.node(0).clock.jump(Seconds(-60));
    BOOST_TEST(nodes.push(0).rsync == 2);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(if_it_is_not_known_whether_a_database_is_new_it_has_its_turn, Kind,
                              Kinds) {
    Pushing<Kind> nodes;
    const auto name = nodes.name("fresh");
    nodes.create(0, name);
    const std::string suffix = storage::parent(storage::parent(nodes.path(name)));
    nodes.node(0).disk.on_call(
        [disk = nodes.node(0).disk, suffix](SimCall call, const std::string& path) {
            if (call == SimCall::stat && path == suffix) { // and of no path below it
                disk.on_call(nullptr);
                disk.fail_next(SimCall::stat, suffix, Error::io);
            }
        });
    BOOST_TEST(nodes.push(0).rsync == 2);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_copy_that_does_not_belong_here_leaves_by_a_push, Kind, Kinds) {
    Pushing<Kind> nodes(1, 5);
    const auto& name = nodes.known[0];
    const std::size_t elsewhere = nodes.others(name)[0];
    nodes.create(elsewhere, name);
    nodes.put(elsewhere, name, "late");
    nodes.clock().advance(Seconds(1));
    nodes.quiet();
    BOOST_TEST(!nodes.has(elsewhere, name));
    nodes.require_identical(name);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_copy_in_a_wrong_partition_is_left_to_the_pass, Kind, Kinds) {
    Pushing<Kind> nodes;
    const auto name = nodes.name("misplaced");
    const std::uint32_t wrong = (name.partition + 1) % 4;
    nodes.create(0, name, wrong);
    BOOST_TEST(nodes.push(0).attempted == 0);
    (void)nodes.settle();
    nodes.require_identical(name);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(who_only_drains_handoffs_pushes_nothing_else, Kind, Kinds) {
    Pushing<Kind> nodes;
    Settings settings = nodes.node(0).settings;
    settings.handoffs_only = true;
    nodes.restart(0, settings);
    nodes.put(0, nodes.known[0], "new");
    BOOST_TEST(nodes.push(0).attempted == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(from_a_device_that_is_not_mounted_nothing_is_pushed, Kind, Kinds) {
    Pushing<Kind> nodes;
    nodes.put(0, nodes.known[0], "new");
    nodes.unmount(0);
    BOOST_TEST((nodes.push(0) == Stats()));
    nodes.mount(0);
    nodes.put(0, nodes.known[0], "newer");
    BOOST_TEST(nodes.push(0).rows == 4);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_pushed_database_comes_to_rest_as_any_other, Kind, Kinds) {
    Pushing<Kind> nodes;
    nodes.put(0, nodes.known[0], "new");
    nodes.quiet();
    for (int i = 0; i < 4; ++i) {
        nodes.round();
    }
    BOOST_TEST(nodes.pass(0).at_rest == 1);
}

// ---- In run_forever.

namespace {

/// Node 0 as a service that does its next pass in years.
struct Service : Pushing<ContainerKind> {
    explicit Service(std::size_t databases) : Pushing(databases) {
        Settings settings = node(0).settings;
        settings.interval = Seconds(1e8);
        settings.databases_per_second = 50;
        restart(0, settings);
    }

    /// A client's write after `seconds`. Each row has its time.
    void write_after(double seconds, std::size_t number, const std::string& row) {
        const Instant when = clock().monotonic() + to_duration(Seconds(seconds));
        clock().at(when, [this, number, row] {
            open(0, known[number]).put(make_row(row, clock().now(), 1, false));
        });
    }

    /// Runs for so long. Calls `each` every 10 ms.
    template <class Each>
    void run(double seconds, Each each) {
        std::stop_source stop;
        const Instant start = clock().monotonic();
        for (double at = 0; at < seconds; at += 0.01) {
            clock().at(start + to_duration(Seconds(at)), [each, at] { each(at); });
        }
        clock().at(start + to_duration(Seconds(seconds)), [&] { stop.request_stop(); });
        node(0).replicator->run_forever(stop.get_token());
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_service_pushes_a_write_within_a_second) {
    Service nodes(2);
    nodes.write_after(5, 0, "new");
    double arrived = 0;
    nodes.run(20, [&](double at) {
        if (arrived == 0 && nodes.names(1, nodes.known[0]).contains("new") &&
            nodes.names(2, nodes.known[0]).contains("new")) {
            arrived = at;
        }
    });
    BOOST_TEST(arrived >= 5);
    BOOST_TEST(arrived < 6);
}

BOOST_AUTO_TEST_CASE(a_service_pushes_a_new_database_once_it_is_two_seconds_old) {
    Service nodes(1);
    const auto name = nodes.name("fresh");
    nodes.clock().at(nodes.clock().monotonic() + to_duration(Seconds(5)),
                     [&] { nodes.create(0, name); });
    double arrived = 0;
    nodes.run(20, [&](double at) {
        if (arrived == 0 && nodes.has(1, name) && nodes.has(2, name)) {
            arrived = at;
        }
    });
    BOOST_TEST(arrived >= 7);
    BOOST_TEST(arrived < 8);
}

BOOST_AUTO_TEST_CASE(a_busy_database_has_two_turns_a_second_and_holds_up_no_other) {
    Service nodes(6);
    for (int i = 0; i < 1000; ++i) {
        nodes.write_after(0.01 * i, 0, "busy" + std::to_string(i));
    }
    for (std::size_t number = 1; number < 6; ++number) {
        nodes.write_after(static_cast<double>(number) + 0.05, number, "quiet");
    }
    std::vector<double> arrived(6, 0);
    nodes.requests = 0;
    nodes.run(15, [&](double at) {
        for (std::size_t number = 1; number < 6; ++number) {
            if (arrived[number] == 0 && nodes.names(1, nodes.known[number]).contains("quiet")) {
                arrived[number] = at;
            }
        }
    });
    for (std::size_t number = 1; number < 6; ++number) {
        BOOST_TEST(arrived[number] > static_cast<double>(number));
        BOOST_TEST(arrived[number] < static_cast<double>(number) + 1);
    }
    BOOST_TEST(nodes.rows(2, nodes.known[0]).size() == 1001U);
    BOOST_TEST(nodes.requests < 400, "two peers, at most some requests in each of 25 turns");
}
