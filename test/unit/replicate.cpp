#include <replica/replicate.hpp>

#define BOOST_TEST_MODULE replicate
#include <boost/algorithm/string/join.hpp>
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>
#include <support/shard_ranges.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <set>
#include <stop_token>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

using Servers = std::tuple<AccountServer, ContainerServer>;
using Lines = std::vector<std::string>;
using Names = std::set<std::string>;

/// The story of one database in a line per event; peers by their number. Copies are the same.
class Heard {
public:
    void operator()(const event::DatabaseBegan&) const { add("began"); }
    void operator()(const event::PeerEnded& event) const {
        add(std::to_string(event.peer.id) + (event.success ? " done" : " not done"));
    }
    void operator()(const event::PeerNotMounted& event) const {
        add(std::to_string(event.peer.id) + " not mounted");
    }
    void operator()(const event::NoMoreHandoffs&) const { add("no more handoffs"); }
    void operator()(const event::Removed& event) const {
        add("removed: " + std::string(event.reason));
    }
    void operator()(const event::Kept& event) const { add("kept: " + event.reason); }
    void operator()(const event::WrongHash& event) const { add("wrong hash: " + event.name); }
    void operator()(const event::Misplaced& event) const {
        add("belongs to " + std::to_string(event.partition));
    }
    void operator()(const event::Braked& event) const { add("braked: " + event.device); }
    void operator()(const event::Quarantined& event) const { add("quarantined: " + event.target); }
    void operator()(const event::DatabaseFailed& event) const { add("failed: " + event.what); }
    void operator()(const event::DatabaseEnded& event) const {
        add(event.success ? "ended well" : "ended badly");
    }
    template <class Event>
    void operator()(const Event& /*event*/) const {}

    /// Since the last look.
    [[nodiscard]] Lines lines() const { return std::exchange(*lines_, {}); }

private:
    void add(std::string line) const { lines_->push_back(std::move(line)); }

    std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();
};

enum class Where {
    primary,
    handoff
};

/// Five nodes, three replicas, and a database on one of the nodes, which has its turn. Partition 3
/// belongs to the nodes 3, 4 and 0; its handoffs are 1 and 2.
template <class Server>
struct Turn {
    using Nodes = Cluster<Server>;
    using PassType =
        Pass<typename Nodes::Broker, TableRing, SimTransport, SimFileSync, SimClock, Heard>;

    explicit Turn(Where where = Where::primary) : at(where == Where::primary ? 4 : 1) {
        BOOST_REQUIRE(name.partition == 3U);
        nodes.create(at, name);
        nodes.put(at, name, "row");
    }

    [[nodiscard]] typename Nodes::Node& here() { return nodes.node(at); }
    [[nodiscard]] const Device& device() const { return nodes.ring().devices()[at]; }
    [[nodiscard]] auto open() { return nodes.open(at, name); }
    [[nodiscard]] bool is_here() { return nodes.has(at, name); }
    [[nodiscard]] std::string path() const { return nodes.path(name); }
    [[nodiscard]] Stats stats() const { return pass.counted().first; }
    [[nodiscard]] bool may_quarantine() {
        return memory.hourly.may_quarantine(here().broker, heard, nodes.device_path());
    }

    /// What is heard while it has its turn, in its own partition or in another.
    Lines run() { return run(name.partition); }
    Lines run(std::uint32_t partition) {
        Pulse pulse;
        replicate_database(pass, {nodes.path(name, partition), name.hash, partition}, device(),
                           pulse);
        return heard.lines();
    }

    /// All rows of this database on all nodes.
    [[nodiscard]] Names everywhere() {
        Names all;
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            if (nodes.has(i, name)) {
                all.merge(nodes.names(i, name));
            }
        }
        return all;
    }

    Nodes nodes{5, 3};
    typename Nodes::Name name = nodes.name("a14");
    std::size_t at;
    Settings settings = here().settings;
    SimTransport transport{nodes.network(), nodes.clock(), here().ip};
    SimFileSync files = nodes.files().from(here().disk);
    SimClock clock = nodes.clock();
    Heard heard;
    Random random{5};
    Memory memory;
    std::stop_source stop;
    PassType pass{settings, here().broker, nodes.ring(), transport, files,
                  clock,    heard,         random,       memory,    stop.get_token()};
};

using Container = Turn<ContainerServer>;

SimLink verb(const std::string& name, const std::string& to = {}) {
    return {{}, to, name};
}

template <class Server>
std::string address(Turn<Server>& turn, std::size_t node) {
    return SimNetwork::address(turn.nodes.node(node).ip, 6201);
}

} // namespace

// ---- Whom it asks.

BOOST_AUTO_TEST_CASE_TEMPLATE(a_primary_asks_those_after_it_and_then_those_before_it, Server,
                              Servers) {
    Turn<Server> turn;
    BOOST_TEST(turn.run() == (Lines{"began", "0 done", "3 done", "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.stats().attempted == 1);
    BOOST_TEST(turn.stats().success == 2);
    BOOST_TEST(turn.is_here());
    BOOST_TEST(!turn.nodes.has(1, turn.name));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handoff_asks_all_primaries_and_then_goes, Server, Servers) {
    Turn<Server> turn(Where::handoff);
    BOOST_TEST(turn.run() == (Lines{"began", "3 done", "4 done", "0 done", "removed: handed off",
                                    "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.stats().remove == 1);
    BOOST_TEST(!turn.is_here());
}

BOOST_AUTO_TEST_CASE(rows_that_wait_beside_it_go_to_the_peers_of_the_same_turn) {
    Container turn;
    turn.nodes.put_pending(turn.at, turn.name, "waits");
    (void)turn.run();
    BOOST_TEST((turn.nodes.names(0, turn.name) == Names{"row", "waits"}));
    BOOST_TEST((turn.nodes.names(3, turn.name) == Names{"row", "waits"}));
}

BOOST_AUTO_TEST_CASE(each_device_out_of_use_is_stood_in_for_until_no_handoff_is_left) {
    Container turn;
    for (const std::size_t node : {0U, 3U, 1U}) {
        turn.nodes.unmount(node);
    }
    BOOST_TEST(turn.run() == (Lines{"began", "0 not mounted", "0 not done", "3 not mounted",
                                    "3 not done", "1 not mounted", "1 not done", "no more handoffs",
                                    "2 done", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.stats().failure == 3);
    BOOST_TEST(turn.nodes.has(2, turn.name));
}

BOOST_AUTO_TEST_CASE(a_handoff_that_comes_to_itself_asks_no_further) {
    Container turn(Where::handoff);
    turn.nodes.unmount(3);
    turn.nodes.unmount(0);
    BOOST_TEST(turn.run() ==
                   (Lines{"began", "3 not mounted", "3 not done", "4 done", "0 not mounted",
                          "0 not done", "kept: 1/3 success", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(!turn.nodes.has(2, turn.name));
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(whatever_else_a_peer_answers_it_is_not_stood_in_for) {
    for (const int status : {400, 409, 500, 503}) {
        Container turn;
        turn.nodes.network().answer(verb("sync", address(turn, 0)), {status, "", "", ""});
        BOOST_TEST(turn.run() == (Lines{"began", "0 not done", "3 done", "ended badly"}),
                   boost::test_tools::per_element());
        BOOST_TEST(turn.stats().failure == 1);
        BOOST_TEST(turn.stats().errors == 0);
    }
}

BOOST_AUTO_TEST_CASE(peers_that_a_stop_leaves_out_count_as_not_done) {
    Container turn(Where::handoff);
    turn.settings.handoff_delete = 2;
    turn.nodes.after("complete_rsync", [&] { turn.stop.request_stop(); });
    BOOST_TEST(turn.run() == (Lines{"began", "3 done", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(after_a_stop_in_the_middle_of_a_transfer_nothing_is_written) {
    Container turn;
    const auto before = turn.here().disk.glance(turn.path());
    turn.nodes.after("sync", [&] { turn.stop.request_stop(); }); // the peer has none: a file goes
    BOOST_TEST(turn.run() == (Lines{"began", "0 not done", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST((turn.here().disk.glance(turn.path())->first == before->first));
    BOOST_TEST(turn.open().info().reconciler_sync_point == -1);
}

BOOST_AUTO_TEST_CASE(a_copy_that_all_peers_have_when_a_stop_comes_stays_for_another_pass) {
    Container turn(Where::handoff);
    int ends = 0;
    turn.nodes.after("complete_rsync", [&] {
        if (++ends == 3) {
            turn.stop.request_stop();
        }
    });
    (void)turn.run();
    BOOST_TEST(ends == 3);
    BOOST_TEST(turn.is_here());
}

// ---- What it is, before anybody is asked.

BOOST_AUTO_TEST_CASE(one_in_the_wrong_partition_goes_to_all_who_have_the_right_one) {
    Container turn;
    turn.nodes.create(turn.at, turn.name, 1);
    turn.nodes.open(turn.at, turn.name, 1).put(turn.nodes.next_row("stray", 1, false));
    (void)turn.run(1); // takes over the older times of the other, so that it has changed
    BOOST_TEST(turn.run(1) == (Lines{"began", "belongs to 3", "3 done", "4 done", "0 done",
                                     "removed: handed off", "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(!turn.nodes.exists(turn.at, turn.nodes.path(turn.name, 1)));
    BOOST_TEST((turn.nodes.names(turn.at, turn.name) == Names{"row", "stray"}));
}

BOOST_AUTO_TEST_CASE(a_name_that_hashes_elsewhere_is_sent_nowhere_and_freezes_its_device) {
    Container turn(Where::handoff);
    turn.settings.hash_path_suffix = "wrong";
    BOOST_TEST(turn.run() == (Lines{"began", "wrong hash: /a14/c", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.nodes.network().log().empty());
    BOOST_TEST(turn.stats().failure == 1);
    turn.settings.hash_path_suffix = "changeme"; // as that of the next database
    const Lines lines = turn.run();
    BOOST_TEST(lines[lines.size() - 2] == "kept: its device has databases with wrong hashes");
    BOOST_TEST(turn.is_here());
    BOOST_TEST(turn.nodes.has(3, turn.name)); // it is replicated all the same
}

BOOST_AUTO_TEST_CASE(a_copy_that_the_brakes_hold_back_is_not_sent_out_either) {
    Container turn(Where::handoff);
    for (int i = 0; i < Brakes::free_leaves; ++i) {
        BOOST_REQUIRE(turn.pass.brakes.may_try("sda"));
    }
    BOOST_TEST(turn.run() == (Lines{"began", "kept: too many are leaving its device", "braked: sda",
                                    "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.run() ==
                   (Lines{"began", "kept: too many are leaving its device", "ended badly"}),
               boost::test_tools::per_element()); // one line a device
    BOOST_TEST(turn.nodes.network().log().empty());
    BOOST_TEST(turn.stats().kept == 2);
}

BOOST_AUTO_TEST_CASE(one_that_leaves_is_counted_before_it_goes_and_one_that_stays_is_not) {
    Container turn(Where::handoff);
    const auto left = [&] {
        const auto hour =
            turn.here().disk.read_link(turn.nodes.device_path() + "/tmp/container.brakes/hour");
        const std::string text = hour.value_or("");
        return text.substr(std::min(text.find("left="), text.size()), 7);
    };
    turn.here().disk.fail_next(SimCall::rename, turn.name.hash, Error::io);
    BOOST_TEST(turn.run().back() == "ended badly");
    BOOST_TEST(left() == "left=0 ");

    turn.here().disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::try_lock && path.ends_with(turn.name.hash)) {
            turn.here().disk.on_call(nullptr);
            turn.nodes.put(turn.at, turn.name, "late");
        }
    });
    BOOST_TEST(turn.run().at(4) == "kept: it has changed meanwhile");
    BOOST_TEST(left() == "left=0 ");

    std::string then;
    turn.here().disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::rename && path.ends_with(turn.name.hash)) {
            turn.here().disk.on_call(nullptr);
            then = left();
        }
    });
    BOOST_TEST(turn.run().at(4) == "removed: handed off");
    BOOST_TEST(then == "left=1 ");
    BOOST_TEST(left() == "left=1 ");
}

// ---- Expired.

namespace {

/// Deleted without rows, and longer ago than reclaim_age.
struct Expired : Container {
    explicit Expired(Where where = Where::primary) : Container(where) {
        nodes.erase(at, name, "row");
        clock.advance(Seconds(1));
        open().merge_timestamps({"9999999999.00000", "0", clock.now().normal()});
        clock.advance(settings.reclaim_age + Seconds(1));
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(an_expired_one_that_no_peer_has_goes_and_is_sent_to_nobody) {
    for (const Where where : {Where::primary, Where::handoff}) {
        Expired turn(where);
        turn.nodes.reported(turn.at, turn.name);
        Lines expected{"began"};
        for (const std::string peer : {"3 done", "4 done", "0 done"}) {
            expected.push_back(peer);
        }
        if (where == Where::primary) {
            expected = {"began", "0 done", "3 done"};
        }
        expected.insert(expected.end(), {"removed: expired", "ended well"});
        BOOST_TEST(turn.run() == expected, boost::test_tools::per_element());
        BOOST_TEST(!turn.is_here());
        for (const SimExchange& exchange : turn.nodes.network().log()) {
            BOOST_TEST(exchange.verb == "sync");
            BOOST_TEST(exchange.status == 404);
        }
    }
}

BOOST_AUTO_TEST_CASE(an_expired_one_stays_while_a_peer_does_not_answer) {
    Expired turn;
    turn.nodes.reported(turn.at, turn.name);
    turn.nodes.down(3);
    BOOST_TEST(turn.run() == (Lines{"began", "0 done", "3 not done",
                                    "kept: expired, but 1/2 peers know all of it", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
    turn.nodes.up(3);
    BOOST_TEST(turn.run().back() == "ended well");
    BOOST_TEST(!turn.is_here());
}

BOOST_AUTO_TEST_CASE(an_expired_one_stays_while_a_peer_has_rows_that_are_not_here) {
    Expired turn;
    turn.nodes.reported(turn.at, turn.name);
    turn.nodes.create(3, turn.name);
    turn.nodes.put(3, turn.name, "theirs");
    const Lines lines = turn.run();
    BOOST_TEST(lines[lines.size() - 2] == "kept: expired, but 2/2 peers know all of it");
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(an_expired_one_that_its_account_has_not_heard_of_waits) {
    Expired turn;
    BOOST_TEST(turn.run() == (Lines{"began", "0 done", "3 done", "kept: expired, but not reported",
                                    "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(an_expired_root_stays_as_long_as_it_has_shards) {
    Expired turn;
    turn.nodes.reported(turn.at, turn.name);
    turn.open().merge_shard_ranges(std::vector{range_of(".shards_a/one", shards::active)});
    const Lines lines = turn.run();
    BOOST_TEST(std::ranges::count(lines, "removed: expired") == 0);
    BOOST_TEST(turn.is_here());
    BOOST_TEST(!turn.nodes.network().log().empty()); // its peers are asked as ever
}

BOOST_AUTO_TEST_CASE(an_expired_one_on_a_frozen_device_stays) {
    Expired turn;
    turn.nodes.reported(turn.at, turn.name);
    turn.pass.brakes.wrong_hash("sda");
    BOOST_TEST(turn.run() ==
                   (Lines{"began", "0 done", "3 done",
                          "kept: its device has databases with wrong hashes", "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(an_expired_one_that_is_put_again_while_it_is_removed_stays) {
    Expired turn;
    turn.nodes.reported(turn.at, turn.name);
    turn.here().disk.on_call([&](SimCall call, const std::string&) {
        if (call == SimCall::try_lock) {
            turn.here().disk.on_call(nullptr);
            turn.open().merge_timestamps({"9999999999.00000", turn.clock.now().normal(), "0"});
        }
    });
    BOOST_TEST(turn.run() == (Lines{"began", "0 done", "3 done", "kept: it has changed meanwhile",
                                    "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
}

// ---- A copy that does not belong here, after its peers.

BOOST_AUTO_TEST_CASE(as_many_other_machines_as_are_asked_for_are_enough) {
    for (const int enough : {1, 2, 3}) {
        Container turn(Where::handoff);
        turn.settings.handoff_delete = enough;
        turn.nodes.down(4);
        const Lines lines = turn.run();
        BOOST_TEST(lines[lines.size() - 2] ==
                   (enough < 3 ? "removed: handed off" : "kept: 2/3 success"));
        BOOST_TEST(lines.back() == "ended badly"); // a peer still lacks it
    }
}

BOOST_AUTO_TEST_CASE(two_devices_of_another_machine_are_one_machine) {
    for (const int enough : {1, 2}) {
        Container turn(Where::handoff);
        auto devices = turn.nodes.ring().devices();
        devices[4].replication_ip = devices[3].replication_ip;
        devices[4].device = "sdb";
        auto& machine = turn.nodes.node(3);
        machine.disk.mount(std::string(turn.nodes.root) + "/sdb");
        turn.nodes.files().attach(machine.ip, turn.nodes.port, "sdb", machine.disk);
        turn.pass.ring = TableRing(devices, 3, 2);
        turn.settings.handoff_delete = enough;
        turn.nodes.down(0);
        const Lines lines = turn.run();
        BOOST_REQUIRE(lines.size() == 6U);
        BOOST_TEST(lines[1] == "3 done");
        BOOST_TEST(lines[2] == "4 done");
        BOOST_TEST(lines[4] == (enough == 1 ? "removed: handed off" : "kept: 2/3 success"));
    }
}

BOOST_AUTO_TEST_CASE(rows_that_wait_for_the_sharder_keep_their_copy) {
    Container turn(Where::handoff);
    turn.open().merge_shard_ranges(sharding_ranges(turn.name.info));
    for (const std::size_t node : {0U, 3U, 4U}) {
        turn.nodes.create(node, turn.name);
    }
    const Lines lines = turn.run();
    BOOST_TEST(lines[lines.size() - 2] == "kept: requires sharding");
    BOOST_TEST(turn.is_here());
}

BOOST_AUTO_TEST_CASE(a_copy_that_got_a_new_id_between_two_peers_stays_for_a_pass) {
    Container turn(Where::handoff);
    for (const std::size_t node : {3U, 4U, 0U}) {
        turn.nodes.create(node, turn.name);
    }
    // The last peer has seen more rows of it than there are.
    turn.nodes.open(0, turn.name)
        .merge_sync_points(std::vector<SyncPoint>{{9, turn.open().info().id}}, Direction::incoming);
    BOOST_TEST(turn.run() == (Lines{"began", "3 done", "4 done", "0 done",
                                    "kept: its rows were numbered anew meanwhile", "ended well"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.is_here());
    BOOST_TEST(turn.run().back() == "ended well");
    BOOST_TEST(!turn.is_here());
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_told_of_and_its_copies_that_are_elsewhere_go_all_the_same) {
    Container turn(Where::handoff);
    turn.nodes.down(4);
    BOOST_TEST(turn.run()[4] == "kept: 2/3 success");
    turn.nodes.up(4);
    turn.nodes.put(turn.at, turn.name, "new"); // 3 is sent a row, 0 turns out to have it
    turn.nodes.open(0, turn.name).merge_items(turn.open().rows(), {});
    turn.here().disk.fail_next(SimCall::commit, turn.path(), Error::no_space, 0);
    const Lines lines = turn.run();
    BOOST_REQUIRE_MESSAGE(lines.size() == 7U, boost::algorithm::join(lines, "; "));
    BOOST_TEST(lines[3] == "0 done");
    BOOST_TEST(lines[4].starts_with("failed: " + turn.path()), lines[4]);
    BOOST_TEST(lines[5] == "removed: handed off");
    BOOST_TEST(lines[6] == "ended badly");
    BOOST_TEST(turn.stats().diff == 1);
    BOOST_TEST(turn.stats().no_change == 1);
    BOOST_TEST(turn.stats().errors == 1);
    BOOST_TEST(turn.pass.counted().second.at(turn.here().ip).at("sda") == 1); // the local device
    BOOST_TEST(!turn.is_here());
}

BOOST_AUTO_TEST_CASE(one_that_is_found_broken_after_its_peers_goes_to_quarantine) {
    Container turn(Where::handoff);
    turn.nodes.after("complete_rsync",
                     [&] { turn.nodes.damage(turn.at, turn.name, Error::corrupt); });
    const Lines lines = turn.run();
    BOOST_REQUIRE(lines.size() >= 2U);
    BOOST_TEST(lines[lines.size() - 2].starts_with("quarantined: "), lines[lines.size() - 2]);
    BOOST_TEST(turn.stats().remove == 0);
}

BOOST_AUTO_TEST_CASE(a_row_that_comes_while_it_is_removed_keeps_it) {
    Container turn(Where::handoff);
    turn.here().disk.on_call([&](SimCall call, const std::string&) {
        if (call == SimCall::try_lock) {
            turn.here().disk.on_call(nullptr);
            turn.nodes.put(turn.at, turn.name, "late");
        }
    });
    const Lines lines = turn.run();
    BOOST_TEST(lines[lines.size() - 2] == "kept: it has changed meanwhile");
    BOOST_TEST((turn.nodes.names(turn.at, turn.name) == Names{"late", "row"}));
}

// ---- A copy that belongs here, after its peers.

BOOST_AUTO_TEST_CASE_TEMPLATE(tombstones_go_when_every_peer_has_them_and_nobody_has_more, Server,
                              Servers) {
    Turn<Server> turn;
    turn.nodes.erase(turn.at, turn.name, "row");
    turn.settings.accept_stale = true; // nobody was away
    turn.clock.advance(turn.settings.reclaim_age + Seconds(1));
    const auto left = [&] { return turn.nodes.rows(turn.at, turn.name).size(); };

    turn.nodes.down(0);
    (void)turn.run();
    BOOST_TEST(left() == 1U); // one peer does not have it
    turn.nodes.up(0);
    (void)turn.run();
    BOOST_TEST(left() == 1U); // it was sent just now
    turn.nodes.put(3, turn.name, "theirs");
    (void)turn.run();
    BOOST_TEST(left() == 1U); // a peer has what is not here
    turn.nodes.round();
    turn.nodes.round();
    BOOST_TEST((turn.nodes.names(turn.at, turn.name) == Names{"theirs"}));
    (void)turn.run();
    BOOST_TEST(left() == 1U);
    BOOST_TEST(turn.nodes.rows(turn.at, turn.name)[0].name == "theirs");
}

BOOST_AUTO_TEST_CASE(a_handoff_reclaims_nothing) {
    Container turn(Where::handoff);
    turn.settings.accept_stale = true; // it was not away
    turn.nodes.erase(turn.at, turn.name, "row");
    turn.clock.advance(turn.settings.reclaim_age + Seconds(1));
    (void)turn.run();
    for (const std::size_t node : {3U, 4U, 0U}) {
        BOOST_TEST(turn.nodes.rows(node, turn.name).size() == 1U);
    }
}

// ---- What goes wrong.

BOOST_AUTO_TEST_CASE(a_database_that_went_away_or_was_replaced_is_no_error) {
    Container gone;
    gone.here().disk.remove(gone.path());
    BOOST_TEST(gone.run() == (Lines{"began", "ended well"}), boost::test_tools::per_element());

    Container replaced;
    replaced.nodes.after("complete_rsync", [&] {
        if (replaced.here().disk.remove(replaced.path())) {
            replaced.nodes.create(replaced.at, replaced.name);
        }
    });
    const Lines lines = replaced.run();
    BOOST_TEST(lines.back() == "ended well");
    for (const Stats& stats : {gone.stats(), replaced.stats()}) {
        BOOST_TEST(stats.errors + stats.failure == 0);
    }
}

BOOST_AUTO_TEST_CASE(a_lock_that_does_not_come_free_is_told_and_moves_nothing) {
    Container turn;
    turn.nodes.put_pending(turn.at, turn.name, "waits");
    const auto lock = turn.here().disk.try_lock(storage::parent(turn.path()));
    const auto before = turn.nodes.dump(turn.at);
    const Instant start = turn.clock.monotonic();
    const Lines lines = turn.run();
    BOOST_TEST((turn.clock.monotonic() >= start + 25s && turn.clock.monotonic() < start + 26s));
    BOOST_REQUIRE(lines.size() == 3U);
    BOOST_TEST(lines[1].starts_with("failed: " + storage::parent(turn.path())));
    BOOST_TEST(lines[2] == "ended badly");
    BOOST_TEST(turn.stats().errors == 1);
    BOOST_TEST(turn.pass.counted().second.at(turn.here().ip).at("sda") == 1); // the local device
    BOOST_TEST((turn.nodes.dump(turn.at) == before));
    BOOST_TEST(turn.nodes.network().log().empty());
}

BOOST_AUTO_TEST_CASE(a_broken_one_goes_to_quarantine_before_anybody_is_asked) {
    Container turn;
    turn.nodes.damage(turn.at, turn.name, Error::corrupt);
    const std::string shelf =
        turn.nodes.device_path() + "/quarantined/containers/" + turn.name.hash;
    BOOST_TEST(turn.run() == (Lines{"began", "quarantined: " + shelf, "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.stats().quarantined == 1);
    BOOST_TEST(turn.stats().errors == 1);
    BOOST_TEST(turn.nodes.network().log().empty());
    BOOST_TEST(turn.nodes.exists(turn.at, shelf + '/' + turn.name.hash + ".db"));
}

BOOST_AUTO_TEST_CASE(a_broken_one_stays_where_it_is_when_too_many_are) {
    Container turn;
    turn.nodes.damage(turn.at, turn.name, Error::corrupt);
    for (int i = 0; i < HourlyBrake::quarantine_max; ++i) {
        BOOST_REQUIRE(turn.may_quarantine());
    }
    const Lines lines = turn.run();
    BOOST_REQUIRE(lines.size() == 3U);
    BOOST_TEST(lines[1].starts_with("failed: " + turn.path()));
    BOOST_TEST(turn.is_here());
    BOOST_TEST(turn.stats().quarantined == 0);
}

BOOST_AUTO_TEST_CASE(one_that_turns_out_well_stays_and_takes_no_turn_of_the_broken_ones) {
    Container turn;
    const auto good = *turn.here().disk.content(turn.path());
    int opened = 0;
    turn.here().disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::open && path == turn.path()) {
            if (opened++ == 0) {
                turn.nodes.damage(turn.at, turn.name, Error::corrupt);
            } else { // the look
                turn.here().disk.write(path, good);
            }
        }
    });
    const Lines lines = turn.run();
    turn.here().disk.on_call(nullptr);
    BOOST_TEST(opened == 2);
    BOOST_TEST(lines[1].starts_with("failed: " + turn.path()));
    BOOST_TEST(turn.is_here());
    BOOST_TEST(turn.stats().quarantined == 0);
    for (int i = 0; i < HourlyBrake::quarantine_max; ++i) {
        BOOST_TEST(turn.may_quarantine());
    }
}

BOOST_AUTO_TEST_CASE(a_quarantine_that_fails_is_told_with_both_reasons) {
    Container turn;
    turn.nodes.damage(turn.at, turn.name, Error::corrupt);
    turn.here().disk.fail_next(SimCall::rename_new, "", Error::no_space);
    const Lines lines = turn.run();
    BOOST_REQUIRE(lines.size() == 3U);
    BOOST_TEST(lines[1].starts_with("failed: " + turn.path()));
    BOOST_TEST(lines[1].find("; not quarantined: ") != std::string::npos, lines[1]);
    BOOST_TEST(turn.is_here());
    BOOST_TEST(turn.stats().errors == 1);
}

BOOST_AUTO_TEST_CASE(what_is_no_failure_of_ours_ends_with_the_database_too) {
    Container turn(Where::handoff);
    turn.nodes.network().before([](const SimExchange&, const Request&) { throw std::bad_alloc(); });
    BOOST_TEST(turn.run() == (Lines{"began", "failed: std::bad_alloc", "ended badly"}),
               boost::test_tools::per_element());
    BOOST_TEST(turn.pass.counted().second.at(turn.here().ip).at("sda") == 1);
    BOOST_TEST(turn.is_here());
}

// ---- Each step, failing in turn.

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
    for (const Error error : {Error::io, Error::no_space, Error::locked}) {
        std::uint64_t n = 0;
        for (bool through = false; !through;) {
            Busy turn;
            turn.here().disk.fail_at(++n, error);
            const Lines lines = turn.run();
            through = turn.here().disk.fault_pending();
            turn.here().disk.clear_faults();
            BOOST_TEST_CONTEXT("call " << n << " fails") {
                BOOST_TEST(lines.front() == "began");
                BOOST_TEST(std::ranges::count_if(lines, [](const std::string& line) {
                               return line.starts_with("ended");
                           }) == 1);
                BOOST_TEST(lines.back().starts_with("ended"));
                turn.check_rows();
                turn.check_recovery();
            }
        }
        BOOST_TEST(n > 20U);
    }
}

BOOST_AUTO_TEST_CASE(whenever_the_power_goes_no_row_is_lost_and_the_next_pass_goes_on) {
    std::uint64_t n = 0;
    for (bool through = false; !through;) {
        Busy turn;
        turn.here().disk.halt_at(++n);
        (void)turn.run();
        through = turn.here().disk.fault_pending();
        turn.here().disk.crash();
        BOOST_TEST_CONTEXT("the power went before call " << n) {
            turn.check_rows();
            turn.nodes.restart(turn.at);
            turn.check_recovery();
        }
    }
    BOOST_TEST(n > 20U);
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

// ---- The last question.

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handoff_stays_if_a_peer_does_not_have_it_any_more_when_asked_again,
                              Server, Servers) {
    for (const bool refuses : {false, true}) { // or has lost it
        Turn<Server> turn(Where::handoff);
        int asked = 0; // each peer before its file and after it
        turn.nodes.after("sync", [&] {
            if (++asked != 6) {
                return;
            }
            if (refuses) {
                turn.nodes.network().answer({{}, {}, "sync"}, Reply{503, "", "leaves", ""});
            } else {
                turn.nodes.wipe(4);
            }
        });
        const Lines lines = turn.run();
        BOOST_TEST(lines.back() == "ended badly");
        BOOST_TEST(lines[lines.size() - 2] == "kept: 2/3 would still have it");
        BOOST_TEST(turn.is_here());
        BOOST_TEST(turn.stats().kept == 1);
        BOOST_TEST(turn.run().back() == "ended well");
        BOOST_TEST(!turn.is_here());
    }
}

BOOST_AUTO_TEST_CASE(a_handoff_that_another_process_is_removing_stays_for_that_one) {
    Turn<ContainerServer> turn(Where::handoff);
    {
        const auto mark = turn.here().disk.try_hold(storage::parent(turn.path()));
        const Lines lines = turn.run();
        BOOST_TEST(lines[lines.size() - 2] == "kept: another process removes it");
        BOOST_TEST(turn.is_here());
    }
    BOOST_TEST(turn.run().back() == "ended well");
    BOOST_TEST(!turn.is_here());
}

BOOST_AUTO_TEST_CASE(as_many_machines_as_handoff_delete_asks_for_must_have_it_when_asked_again) {
    Turn<ContainerServer> turn(Where::handoff);
    turn.settings.handoff_delete = 2;
    int asked = 0;
    turn.nodes.after("complete_rsync", [&] {
        if (++asked == 3) {
            turn.nodes.wipe(4);
        }
    });
    BOOST_TEST(turn.run().back() == "ended badly");
    BOOST_TEST(!turn.is_here()); // two still have it
}
