// Databases at rest: what every peer has and nobody touches is not opened (send/ledger.hpp).

#define BOOST_TEST_MODULE scenario_rest
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Kinds = boost::mpl::list<AccountKind, ContainerKind>;

constexpr int recheck = 10;

/// Nodes with some databases that all their primaries have, the first two nodes among them.
template <class Kind>
struct Resting : Cluster<Kind> {
    using Name = typename Cluster<Kind>::Name;

    explicit Resting(std::size_t databases = 1, int recheck_passes = 1000, std::size_t count = 3,
                     bool summaries = false, Seconds walk_interval = {})
        : Cluster<Kind>(count, 3) {
        for (std::size_t at = 0; at < count; ++at) {
            Settings settings = this->node(at).settings;
            settings.recheck_passes = recheck_passes;
            settings.summaries = summaries;
            settings.walk_interval = walk_interval;
            this->restart(at, settings);
        }
        this->network().before([this](const SimExchange& exchange, const Request&) {
            requests += exchange.from == this->node(0).ip ? 1 : 0;
        });
        for (int i = 0; names.size() < databases; ++i) {
            const Name name = this->name("a" + std::to_string(i));
            const auto places = this->primaries(name);
            if (std::ranges::count(places, 0U) + std::ranges::count(places, 1U) == 2) {
                names.push_back(name);
                this->create(0, name);
                this->put(0, name, "row");
            }
        }
        // Rows go over, points are noted, the second agreement writes nothing more.
        for (int i = 0; i < 4; ++i) {
            this->round();
        }
    }

    /// A pass of the first node; how many databases it has opened.
    std::int64_t opened() {
        requests = 0;
        return this->pass(0).attempted;
    }

    std::vector<Name> names;
    std::int64_t requests = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(what_all_have_is_opened_in_one_of_so_many_passes, Kind, Kinds) {
    Resting<Kind> nodes(40, recheck);
    std::int64_t opened = 0;
    for (int i = 0; i < recheck; ++i) {
        nodes.requests = 0;
        const Stats stats = nodes.pass(0);
        BOOST_TEST(stats.attempted + stats.at_rest == 40);
        BOOST_TEST(nodes.requests == 2 * stats.attempted); // no peer is asked about the others
        BOOST_TEST(stats.failure + stats.errors == 0);
        opened += stats.attempted;
    }
    BOOST_TEST(opened == 40);
    BOOST_TEST(nodes.settle() == 1);
    for (const auto& name : nodes.names) {
        nodes.require_identical(name);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(with_a_recheck_in_every_pass_all_are_opened, Kind, Kinds) {
    Resting<Kind> nodes(3, 1);
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(nodes.opened() == 3);
        BOOST_TEST(nodes.requests == 6);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_is_sent_by_the_next_pass, Kind, Kinds) {
    Resting<Kind> nodes(2);
    BOOST_TEST(nodes.opened() == 0);
    nodes.put(0, nodes.names[0], "new");
    const Stats stats = nodes.pass(0);
    BOOST_TEST(stats.rows == 2);
    nodes.require_identical(nodes.names[0]);
    BOOST_TEST(nodes.settle() == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_row_that_waits_in_a_pending_file_is_sent_by_the_next_pass, Kind,
                              Kinds) {
    Resting<Kind> nodes;
    BOOST_TEST(nodes.opened() == 0);
    nodes.put_pending(0, nodes.names[0], "new");
    BOOST_TEST(nodes.pass(0).rows == 2);
    BOOST_TEST(
        (nodes.Cluster<Kind>::names(2, nodes.names[0]) == std::set<std::string>{"new", "row"}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_deletion_is_sent_and_dropped_when_its_time_comes, Kind, Kinds) {
    Resting<Kind> nodes;
    nodes.erase(0, nodes.names[0], "row");
    for (int i = 0; i < 5; ++i) {
        nodes.round();
    }
    BOOST_TEST(nodes.stored(2, nodes.names[0]).size() == 1U);
    nodes.clock().advance(Seconds(604'800 - 600));
    for (int i = 0; i < 2; ++i) { // an agreement is noted anew
        nodes.round();
    }
    nodes.clock().advance(Seconds(600));
    nodes.round();
    for (std::size_t at = 0; at < 3; ++at) {
        BOOST_TEST(nodes.stored(at, nodes.names[0]).empty());
    }
}

// Else a peer that drops it first is asked in each pass about what the other goes on resting with.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_deletion_of_a_key_is_dropped_by_all_when_its_time_comes, Kind,
                              Kinds) {
    Resting<Kind> nodes;
    const auto now = nodes.clock().now();
    nodes.open(0, nodes.names[0]).merge_metadata(R"({"X-K": ["", ")" + now.normal() + R"("]})");
    for (int i = 0; i < 5; ++i) {
        nodes.round();
    }
    BOOST_TEST(nodes.info(2, nodes.names[0]).metadata.find("X-K") != std::string::npos);
    nodes.clock().advance(Seconds(604'800 - 600));
    for (int i = 0; i < 4; ++i) { // an agreement is noted anew
        nodes.round();
    }
    BOOST_TEST(nodes.opened() == 0);
    nodes.clock().advance(Seconds(600));
    nodes.round();
    for (std::size_t at = 0; at < 3; ++at) {
        BOOST_TEST(nodes.info(at, nodes.names[0]).metadata == "{}");
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_service_that_is_started_again_knows_what_was_at_rest, Kind, Kinds) {
    Resting<Kind> nodes(5);
    const std::string known = nodes.node(0).replicator->known();
    nodes.put(0, nodes.names[0], "written while nothing ran");
    nodes.restart(0);
    BOOST_TEST(nodes.node(0).replicator->remember(known));
    nodes.requests = 0;
    const Stats stats = nodes.pass(0);
    BOOST_TEST(stats.attempted == 1);
    BOOST_TEST(stats.at_rest == 4);
    BOOST_TEST(stats.rows == 2);
    nodes.require_identical(nodes.names[0]);
    nodes.restart(0); // and one that was killed opens all
    BOOST_TEST(nodes.opened() == 5);
}

// The first answer of each peer tells that it takes rows along (send/along.hpp).
BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_to_a_database_at_rest_costs_a_request_for_each_peer, Kind,
                              Kinds) {
    Resting<Kind> nodes(2);
    nodes.put(0, nodes.names[0], "new");
    BOOST_TEST(nodes.opened() == 1);
    BOOST_TEST(nodes.requests == 2);
    nodes.require_identical(nodes.names[0]);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_lost_a_device_gets_all_back_once_one_is_missed, Kind,
                              Kinds) {
    Resting<Kind> nodes(40, recheck);
    nodes.wipe(1);
    std::int64_t whole = 0;
    int passes = 0;
    for (; passes < recheck && whole < 40; ++passes) {
        whole += nodes.pass(0).rsync;
    }
    BOOST_TEST(whole == 40);
    BOOST_TEST(passes <= 3); // the first that is missed gives the device away
    for (const auto& name : nodes.names) {
        BOOST_TEST(nodes.has(1, name));
    }
    BOOST_TEST(nodes.settle() > 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_went_back_in_time_is_noticed_as_well, Kind, Kinds) {
    Resting<Kind> nodes(40, recheck);
    std::map<std::string, std::string> before;
    for (const auto& name : nodes.names) {
        const std::string path = nodes.path(name);
        before[path] = nodes.node(1).disk.content(path)->bytes;
        nodes.put(0, name, "new");
    }
    for (int i = 0; i < 4; ++i) {
        nodes.round();
    }
    for (const auto& [path, bytes] : before) { // a backup is put in
        nodes.node(1).disk.write(path, bytes);
    }
    for (int i = 0; i < 3; ++i) {
        nodes.pass(0);
    }
    for (const auto& name : nodes.names) {
        BOOST_TEST((nodes.Cluster<Kind>::names(1, name) == std::set<std::string>{"new", "row"}));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_without_its_device_is_stood_in_for_in_all_databases, Kind,
                              Kinds) {
    Resting<Kind> nodes(40, recheck, 5);
    nodes.unmount(1);
    for (int i = 0; i < 3; ++i) {
        nodes.pass(0);
    }
    for (const auto& name : nodes.names) {
        const auto others = nodes.others(name);
        BOOST_TEST(std::ranges::any_of(others, [&](auto at) { return nodes.has(at, name); }));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_can_take_nothing_wakes_the_others_once, Kind, Kinds) {
    Resting<Kind> nodes(40, 1000);
    nodes.node(1).disk.remove_tree(storage::parent(nodes.path(nodes.names[0])));
    nodes.files().fail("", SimTransferFault::fail, 1'000'000);
    nodes.put(0, nodes.names[0], "new");
    for (int i = 0; i < 4; ++i) {
        nodes.round();
    }
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(nodes.opened() == 1);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_ring_with_other_primaries_wakes_their_databases, Kind, Kinds) {
    Resting<Kind> nodes(8, 1000, 4);
    auto& node = nodes.node(0);
    const NewestRing ring(nodes.ring());
    Replicator<typename Cluster<Kind>::Broker, NewestRing, SimTransport, SimFileSync, SimClock,
               Journal>
        replicator(
            node.settings, node.broker, ring, SimTransport(nodes.network(), nodes.clock(), node.ip),
            nodes.files().from(node.disk), node.clock,
            [&](const Device& device) { return device.replication_ip == node.ip; }, node.journal);
    const auto opened = [&] {
        nodes.clock().advance(Seconds(30));
        return replicator.run_once().attempted;
    };
    BOOST_TEST(opened() == 8);
    BOOST_TEST(opened() == 0);
    std::vector<Device> devices = nodes.ring().devices();
    devices[1].meta = "painted red"; // no other place
    ring.set(TableRing(devices, 3, 2));
    BOOST_TEST(opened() == 0);
    devices[1].device = "sdb";
    ring.set(TableRing(devices, 3, 2));
    BOOST_TEST(opened() == 8);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_database_with_a_peer_that_fails_does_not_rest, Kind, Kinds) {
    Resting<Kind> nodes(10, recheck);
    nodes.down(2);
    for (int i = 0; i < recheck; ++i) {
        nodes.pass(0);
    }
    BOOST_TEST(nodes.opened() == 10); // in every pass, and so in what operators see
    BOOST_TEST(nodes.pass(0).failure >= 10);
    nodes.up(2);
    nodes.clock().advance(Seconds(120)); // it was left alone for a while
    BOOST_TEST(nodes.opened() == 10);
    std::int64_t later = 0;
    for (int i = 0; i < recheck; ++i) {
        later += nodes.opened();
    }
    BOOST_TEST(later == 10); // each in its turn
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_while_the_peers_are_asked_is_not_taken_for_confirmed, Kind,
                              Kinds) {
    for (const double young : {0.25, 30.0}) { // seconds since the last write
        Resting<Kind> nodes;
        auto& node = nodes.node(0);
        node.disk.round_times(1'000'000'000);
        nodes.clock().advance(Seconds(1 - std::fmod(nodes.clock().now().seconds(), 1)));
        nodes.put(0, nodes.names[0], "first");
        node.replicator->run_once();
        nodes.clock().advance(Seconds(young));
        bool written = false;
        nodes.before("sync", [&] {
            if (!std::exchange(written, true)) {
                nodes.put(0, nodes.names[0], "second");
            }
        });
        node.replicator->run_once();
        BOOST_TEST(written);
        nodes.pass(0);
        nodes.pass(0);
        BOOST_TEST((nodes.Cluster<Kind>::names(2, nodes.names[0]) ==
                    std::set<std::string>{"first", "row", "second"}));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_file_that_cannot_be_looked_at_costs_only_itself, Kind, Kinds) {
    Resting<Kind> nodes(40);
    BOOST_TEST(nodes.opened() == 0);
    nodes.node(0).disk.fail_next(SimCall::stat, nodes.path(nodes.names[0]), Error::io, 1000);
    for (const auto& name : nodes.names) {
        nodes.put(1, name, "new"); // and from there to the others
        nodes.put(2, name, "other");
    }
    const Stats stats = nodes.pass(0);
    BOOST_TEST(stats.attempted == 1);
    BOOST_TEST(stats.at_rest == 39);
    BOOST_TEST(stats.errors == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_deleted_database_never_rests, Kind, Kinds) {
    Resting<Kind> nodes;
    nodes.erase(0, nodes.names[0], "row");
    nodes.clock().advance(Seconds(1));
    nodes.open(0, nodes.names[0]).mark_deleted(nodes.clock().now());
    for (int i = 0; i < 4; ++i) {
        nodes.round();
    }
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(nodes.opened() == 1);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_file_from_elsewhere_in_the_directory_keeps_a_database_awake, Kind,
                              Kinds) {
    Resting<Kind> nodes;
    BOOST_TEST(nodes.opened() == 0);
    for (const char* const end : {"-journal", "-wal", ".pending.unreadable.1"}) {
        const std::string file = nodes.path(nodes.names[0]) + end;
        nodes.node(0).disk.write(file, "");
        BOOST_TEST(nodes.opened() == 1, end);
        nodes.node(0).disk.remove(file);
        BOOST_TEST(nodes.opened() == 1, end); // it is to be confirmed anew
        BOOST_TEST(nodes.opened() == 0, end);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_clock_that_jumps_wakes_all, Kind, Kinds) {
    Resting<Kind> nodes(5);
    BOOST_TEST(nodes.opened() == 0);
    nodes.node(0).clock.jump(Seconds(7200));
    BOOST_TEST(nodes.opened() == 5);
}

// ---- One question about all that is at rest (send/summary.hpp).

namespace {

template <class Kind>
struct Comparing : Resting<Kind> {
    explicit Comparing(std::size_t databases, std::size_t count = 3)
        : Resting<Kind>(databases, recheck, count, true) {
        for (int i = 0; i < 3; ++i) { // each node has walked, and knows what the others do
            this->round();
        }
    }
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_at_rest_costs_one_question_for_each_peer, Kind, Kinds) {
    Comparing<Kind> nodes(40);
    for (int i = 0; i < 2 * recheck; ++i) {
        BOOST_TEST(nodes.opened() == 0);
        BOOST_TEST(nodes.requests == 2);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_database_that_a_peer_lost_is_missed_by_the_pass_after_its_walk,
                              Kind, Kinds) {
    Comparing<Kind> nodes(40);
    nodes.node(1).disk.remove(nodes.path(nodes.names[7])); // below every program
    BOOST_TEST(nodes.opened() == 0);                       // the peer speaks of its last walk
    nodes.pass(1);
    const Stats stats = nodes.pass(0);
    BOOST_TEST(stats.attempted == 1);
    BOOST_TEST(stats.rsync == 1);
    nodes.require_identical(nodes.names[7]);
    for (int i = 0; i < 3; ++i) {
        nodes.round();
    }
    BOOST_TEST(nodes.opened() == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_device_that_was_replaced_is_filled_after_its_first_walk, Kind,
                              Kinds) {
    Comparing<Kind> nodes(40);
    nodes.wipe(1);
    nodes.pass(1);
    BOOST_TEST(nodes.pass(0).rsync == 40);
}

// More than a sketch of 4,096 cells can tell apart.
BOOST_AUTO_TEST_CASE(a_large_device_that_was_replaced_is_not_believed_at_all) {
    Ledger ours;
    Ledger theirs;
    const FileState state{1};
    std::vector<Device> devices(2);
    devices[1].id = 1;
    const Primaries primaries(devices);
    for (Ledger* const each : {&ours, &theirs}) {
        each->begin_pass(recheck);
    }
    for (int i = 0; i < 5000; ++i) {
        const std::string hash = to_hex(md5(std::to_string(i)));
        ours.confirm(hash, state, primaries, 1, Timestamp{Timestamp::max_ticks - 1, 0},
                     Random(static_cast<std::uint64_t>(i)).next());
    }
    theirs.end_walk(0);
    const Summary here = ours.summary(1, 4096);
    const Summary there = theirs.summary(0, 4096);
    BOOST_TEST(here.databases == 5000);
    BOOST_TEST(there.walked == 0);
    BOOST_TEST(!Sketch::between(here.sketch, there.sketch).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_was_just_started_is_not_taken_for_empty, Kind, Kinds) {
    Comparing<Kind> nodes(40);
    nodes.restart(1);
    for (int i = 0; i < 2 * recheck; ++i) { // it makes no pass: the rechecks go on as ever
        BOOST_TEST(nodes.opened() < 40);
    }
    for (int i = 0; i < 3; ++i) {
        nodes.round();
    }
    BOOST_TEST(nodes.opened() == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_does_not_answer_leaves_it_to_the_rechecks, Kind, Kinds) {
    Comparing<Kind> nodes(40);
    nodes.network().answer({{}, {}, "summary"}, {400, "text/plain", "unknown operation", ""}, 1000);
    std::int64_t opened = 0;
    for (int i = 0; i < recheck; ++i) {
        opened += nodes.opened();
    }
    BOOST_TEST(opened == 40);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_without_its_device_is_not_believed, Kind, Kinds) {
    Comparing<Kind> nodes(40, 4);
    nodes.node(1).disk.unmount(nodes.device_path(1));
    BOOST_TEST(nodes.pass(0).attempted == 40); // each of them needs a handoff
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_at_a_peer_opens_that_database_alone, Kind, Kinds) {
    Comparing<Kind> nodes(40);
    nodes.put(1, nodes.names[3], "new");
    nodes.pass(1);
    BOOST_TEST(nodes.opened() == 1);
    nodes.require_identical(nodes.names[3]);
}

BOOST_AUTO_TEST_CASE(a_container_that_is_being_sharded_never_rests) {
    Resting<ContainerKind> nodes;
    BOOST_TEST(nodes.opened() == 0);
    ShardRange range;
    range.name = ".shards_a/c-1";
    range.timestamp = nodes.clock().now().internal();
    range.lower = "";
    range.upper = "m";
    nodes.open(0, nodes.names[0]).merge_shard_ranges(std::vector{range});
    for (int i = 0; i < 6; ++i) {
        BOOST_TEST(nodes.opened() == 1);
    }
}

// ---- With a feed that tells all changes (feed.hpp) most passes walk nothing.

namespace {

template <class Kind>
struct Told : Resting<Kind> {
    explicit Told(std::size_t databases = 3)
        : Resting<Kind>(databases, 1000, 3, false, Seconds(3600)) {
        const std::string root = this->device_path() + '/' + std::string(Kind::datadir);
        this->node(0).disk.on_call([this, root](SimCall call, const std::string& path) {
            looked += path.starts_with(root) ? 1 : 0;
            walked = walked || (call == SimCall::list && path == root);
        });
        look();
        BOOST_TEST(!walked, "the walks before have met all");
    }

    Stats look() {
        looked = 0;
        walked = false;
        return this->pass(0);
    }

    bool walks() {
        look();
        return walked;
    }

    bool walked = false;
    std::int64_t looked = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(a_pass_over_what_is_at_rest_makes_no_call_for_any_of_it, Kind,
                              Kinds) {
    Told<Kind> nodes;
    const Stats stats = nodes.look();
    BOOST_TEST(nodes.looked == 0);
    BOOST_TEST(stats.at_rest == 3);
    BOOST_TEST(stats.attempted == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_that_the_feed_tells_opens_that_database_alone, Kind, Kinds) {
    Told<Kind> nodes;
    nodes.put(0, nodes.names[1], "new");
    const Stats stats = nodes.look();
    BOOST_TEST(stats.attempted == 1);
    BOOST_TEST(stats.at_rest == 2);
    BOOST_TEST(nodes.rows(1, nodes.names[1]).size() == 2);
    nodes.round();
    nodes.round();
    BOOST_TEST(nodes.look().attempted == 0);
    BOOST_TEST(nodes.looked == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(rows_that_a_peer_has_sent_open_that_database_alone, Kind, Kinds) {
    Told<Kind> nodes;
    nodes.put(1, nodes.names[1], "new");
    nodes.pass(1);
    BOOST_TEST(nodes.look().attempted == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_new_database_and_one_that_went_are_told, Kind, Kinds) {
    Told<Kind> nodes;
    const auto name = nodes.name("another");
    nodes.create(0, name);
    nodes.put(0, name, "row");
    BOOST_TEST(nodes.look().attempted == 1);
    nodes.node(0).disk.remove_tree(storage::parent(nodes.path(0, nodes.names[0])));
    const Stats stats = nodes.look();
    BOOST_TEST(stats.at_rest + stats.attempted == 3);
    nodes.pass(1); // its copy comes back
    BOOST_TEST(nodes.look().attempted >= 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_the_feed_has_lost_is_found_by_a_walk, Kind, Kinds) {
    Told<Kind> nodes;
    nodes.put(0, nodes.names[1], "new");
    nodes.node(0).feed.overflow();
    BOOST_TEST(nodes.look().attempted == 1);
    BOOST_TEST(nodes.walked);
    BOOST_TEST(nodes.rows(1, nodes.names[1]).size() == 2);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(all_directories_are_walked_now_and_then, Kind, Kinds) {
    Told<Kind> nodes;
    nodes.clock().advance(nodes.node(0).settings.walk_interval);
    BOOST_TEST(nodes.walks());
    BOOST_TEST(!nodes.walks());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_device_is_walked_as_long_as_not_all_of_it_can_be_read, Kind,
                              Kinds) {
    Told<Kind> nodes;
    const std::string strange =
        storage::parent(nodes.path(0, nodes.names[0])) + "/" + std::string(32, 'f') + ".db";
    nodes.node(0).disk.make_directories(strange);
    nodes.node(0).feed.overflow();
    BOOST_TEST(nodes.walks());
    BOOST_TEST(nodes.walks());
    BOOST_TEST(nodes.node(0).disk.remove_empty(strange));
    BOOST_TEST(nodes.walks());
    BOOST_TEST(!nodes.walks());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(without_a_pass_over_the_whole_device_nothing_is_left_out, Kind,
                              Kinds) {
    Told<Kind> nodes;
    nodes.look();
    BOOST_TEST(nodes.looked == 0);
    Selection some;
    some.partitions = {0, 1, 2, 3};
    nodes.looked = 0;
    (void)nodes.node(0).replicator->run_once({}, some);
    BOOST_TEST(nodes.looked > 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(who_follows_walks_first_since_the_feed_may_be_another, Kind, Kinds) {
    Told<Kind> nodes;
    const auto before = std::move(nodes.node(0).replicator);
    nodes.restart(0);
    nodes.node(0).replicator->follow(*before);
    BOOST_TEST(nodes.walks());
    BOOST_TEST(!nodes.walks());
}
