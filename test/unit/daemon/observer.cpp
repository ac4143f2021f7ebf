#include <replica/daemon/observer.hpp>

#define BOOST_TEST_MODULE daemon_observer
#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>
#include <support/kept_lines.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::daemon;

namespace {

/// An observer with a log, a statsd server and a recon directory of its own.
struct Watched {
    support::Directory directory{};
    support::Listener listener{};
    std::shared_ptr<support::Kept> kept = std::make_shared<support::Kept>();
    std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>("t", kept);
    DaemonSettings settings = make_settings();
    Statsd statsd{settings};
    std::vector<std::string> shown{};
    DaemonObserver observer;

    explicit Watched(bool emergency = false) : observer(make(emergency)) {}

    DaemonSettings make_settings() const {
        DaemonSettings made;
        made.recon_cache_path = directory.path("");
        made.log_statsd_host = "127.0.0.1";
        made.log_statsd_port = listener.port();
        made.log_name = "t";
        return made;
    }
    DaemonObserver make(bool emergency) {
        logger->set_level(spdlog::level::trace);
        settings.handoffs_only = emergency;
        return {settings, "container", Log(logger), statsd,
                [this](const std::string& text) { shown.push_back(text); }};
    }

    void end_pass(const Stats& stats, const FailureNodes& nodes, bool partial = false) const {
        observer(event::PassEnded{stats, nodes, Timestamp::from_seconds(1000),
                                  Timestamp::from_seconds(1002), Seconds{2}, partial});
    }
    [[nodiscard]] bool has(const std::string& line) const {
        return std::ranges::count(kept->lines, line) > 0;
    }
    [[nodiscard]] bool starts(const std::string& line) const {
        return std::ranges::any_of(kept->lines,
                                   [&](const auto& each) { return each.starts_with(line); });
    }
    [[nodiscard]] boost::json::object recon() const {
        return boost::json::parse(directory.text("container.recon")).as_object();
    }
};

const std::string path = "/srv/node/sda/containers/1/abc/x/x.db";

Device peer() {
    Device device;
    device.replication_ip = "10.0.0.2";
    device.replication_port = 6201;
    device.device = "sdb1";
    return device;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_end_of_a_pass_is_summed_up_in_swifts_lines) {
    const Watched watched;
    watched.observer(event::PassBegan{Timestamp::from_seconds(1000), 3});
    Stats stats;
    stats.attempted = 10;
    stats.at_rest = 7;
    stats.remove = 1;
    stats.success = 18;
    stats.failure = 2;
    stats.diff = 3;
    stats.rsync = 4;
    stats.no_change = 11;
    watched.end_pass(stats, {});
    BOOST_TEST(watched.has("info: Beginning replication run"));
    BOOST_TEST(watched.has("info: Replication run OVER"));
    BOOST_TEST(watched.has(
        "info: Attempted to replicate 10 dbs in 2.00000 seconds (5.00000/s), 7 at rest"));
    BOOST_TEST(watched.has("info: Removed 1 dbs"));
    BOOST_TEST(watched.has("info: 18 successes, 2 failures"));
    BOOST_TEST(watched.has("info: diff:3 diff_capped:0 empty:0 hashmatch:0 no_change:11 "
                           "remote_merge:0 rsync:4 ts_repl:0"));
    BOOST_TEST(!watched.starts("warning:"));
}

BOOST_AUTO_TEST_CASE(pushes_have_one_line_and_no_figures_of_a_pass) {
    const Watched watched;
    Stats stats;
    stats.attempted = 5;
    stats.success = 9;
    stats.failure = 1;
    stats.rows = 12;
    watched.observer(event::PushesEnded{stats, Seconds(30)});
    BOOST_TEST(watched.kept->lines ==
                   std::vector<std::string>{
                       "info: Pushed 5 changed dbs: 9 successes, 1 failures, 12 rows"},
               boost::test_tools::per_element());
    BOOST_TEST(!std::filesystem::exists(watched.directory.path("container.recon")));
}

BOOST_AUTO_TEST_CASE(changes_that_are_not_known_are_told_with_the_reason) {
    const Watched watched;
    watched.observer(event::ChangesUnknown{"/srv/node/sda", "the kernel's queue has overflowed"});
    BOOST_TEST(watched.has("warning: /srv/node/sda: what has changed is left to the passes: the "
                           "kernel's queue has overflowed"));
}

BOOST_AUTO_TEST_CASE(an_emergency_mode_is_pointed_out_at_both_ends_of_a_pass) {
    const Watched watched(true);
    watched.observer(event::PassBegan{});
    watched.end_pass({}, {});
    BOOST_TEST(watched.starts("warning: Starting replication pass with handoffs_only"));
    BOOST_TEST(watched.starts("warning: Finished replication pass with handoffs_only"));
}

BOOST_AUTO_TEST_CASE(recon_gets_the_figures_of_a_pass_and_keeps_those_of_others) {
    const Watched watched;
    static_cast<void>(
        watched.directory.file("container.recon", R"({"container_updater_sweep": 4.5})"));
    Stats stats;
    stats.attempted = 7;
    stats.failure = 2;
    stats.rows = 99;
    watched.end_pass(stats, {{"10.0.0.2", {{"sdb1", 2}}}});
    auto recon = watched.recon();
    BOOST_TEST(recon["container_updater_sweep"].as_double() == 4.5);
    BOOST_TEST(recon["replication_time"].as_double() == 2.0);
    BOOST_TEST(recon["replication_last"].as_double() == 1002.0);
    auto& figures = recon["replication_stats"].as_object();
    BOOST_TEST(figures["start"].as_double() == 1000.0);
    BOOST_TEST(figures["attempted"].as_int64() == 7);
    BOOST_TEST(figures["rows"].as_int64() == 99);
    for (const char* key : {"success", "no_change", "hashmatch", "rsync", "diff", "diff_capped",
                            "remote_merge", "remove", "deferred", "ts_repl", "empty"}) {
        BOOST_TEST(figures[key].as_int64() == 0, key);
    }
    BOOST_TEST(figures["failure_nodes"].at("10.0.0.2").at("sdb1").as_int64() == 2);

    watched.end_pass({}, {});
    BOOST_TEST(!watched.recon()["replication_stats"].as_object().contains("failure_nodes"));
}

BOOST_AUTO_TEST_CASE(a_partial_pass_leaves_recon_alone) {
    const Watched watched;
    watched.end_pass({}, {}, true);
    BOOST_TEST(watched.directory.text("container.recon").empty());
    BOOST_TEST(watched.has("info: Replication run OVER"));
}

BOOST_AUTO_TEST_CASE(a_recon_file_that_cannot_be_written_costs_a_line_and_nothing_else) {
    Watched watched;
    watched.settings.recon_cache_path = watched.directory.path("nowhere");
    const DaemonObserver observer = watched.make(false);
    observer(event::PassEnded{Stats{}, FailureNodes{}, {}, {}, Seconds{1}, false});
    BOOST_TEST(watched.starts("error: Exception dumping recon cache: "));
}

BOOST_AUTO_TEST_CASE(each_database_and_peer_is_counted_under_swifts_names) {
    const Watched watched;
    const auto expect = [&](const std::string& message) {
        BOOST_TEST(watched.listener.next().value_or("") == "t." + message);
    };
    const Device to = peer();
    watched.observer(event::DatabaseBegan{path});
    expect("attempts:1|c");
    watched.observer(event::InSync{path, to, false});
    expect("no_changes:1|c");
    watched.observer(event::InSync{path, to, true});
    expect("hashmatches:1|c");
    watched.observer(event::UsyncBegan{path, to, 4});
    expect("diffs:1|c");
    watched.observer(event::UsyncEnded{path, to, 9, 5, true, Seconds{1}});
    expect("diff_caps:1|c");
    watched.observer(event::Compared{path, to, 1000, 3, Seconds{1}});
    expect("compares:1|c");
    watched.observer(event::WholeFileSent{path, to, 10, false, false});
    expect("rsyncs:1|c");
    watched.observer(event::WholeFileSent{path, to, 10, true, true});
    expect("remote_merges:1|c");
    watched.observer(event::PeerEnded{path, to, false});
    watched.observer(event::PeerEnded{path, to, true});
    expect("successes:1|c");
    watched.observer(event::PeerNotMounted{path, to});
    expect("failures:1|c");
    watched.observer(event::Removed{path, "sda", "handed off"});
    expect("removes.sda:1|c");
    watched.observer(event::DatabaseEnded{path, "sda", Seconds{0.5}, true});
    expect("timing:500|ms");
}

BOOST_AUTO_TEST_CASE(an_unreadable_database_is_a_failure_and_is_not_timed) {
    const Watched watched;
    watched.observer(event::DatabaseFailed{path, "locked"});
    watched.observer(event::DatabaseEnded{path, "sda", Seconds{1}, false});
    BOOST_TEST(watched.listener.next().value_or("") == "t.failures:1|c");
    watched.observer(event::DatabaseEnded{path, "sda", Seconds{1}, true});
    BOOST_TEST(watched.listener.next().value_or("") == "t.timing:1000|ms");
    BOOST_TEST(watched.has("error: ERROR reading db " + path + ": locked"));
}

BOOST_AUTO_TEST_CASE(a_peers_failure_is_told_in_the_words_operators_match) {
    const Watched watched;
    const Device to = peer();
    const std::string node = "10.0.0.2:6201/sdb1";
    const auto fail = [&](Error error, const std::string& what) {
        watched.observer(event::PeerFailed{path, to, make_error_code(error), what});
    };
    fail(Error::timed_out, "late");
    fail(Error::transfer_failed, "rsync to x: exit code 12: gone [rsync a b]");
    fail(Error::peer_failed, node + " answered 500 Internal Error");
    fail(Error::io, "odd");
    BOOST_TEST(watched.has("error: ERROR reading HTTP response from " + node + ": late"));
    BOOST_TEST(
        watched.has("error: ERROR rsync failed with rsync to x: exit code 12: gone [rsync a b]"));
    BOOST_TEST(watched.has("error: ERROR Bad response 500 from " + node));
    BOOST_TEST(watched.has("error: ERROR syncing " + path + " with node " + node + ": odd"));
    watched.observer(event::PeerNotMounted{path, to});
    BOOST_TEST(watched.has("error: ERROR Remote drive not mounted " + node));
    watched.observer(event::NoMoreHandoffs{7});
    BOOST_TEST(watched.starts("error: ERROR There are not enough handoff nodes"));
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_left_alone_does_not_fill_the_log) {
    const Watched watched;
    const Device to = peer();
    watched.observer(event::PeerFailed{path, to, make_error_code(Error::held_back), "waiting"});
    watched.observer(event::PeerFailed{path, to, make_error_code(Error::stopped), "stopped"});
    BOOST_TEST(!watched.starts("error:"));
    BOOST_TEST(watched.kept->lines.size() == 2U);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_on_this_machine_is_told_at_swifts_levels) {
    const Watched watched;
    const Device to = peer();
    const std::string device = "/srv/sda";
    watched.observer(event::DeviceSkipped{device, "is not mounted"});
    const std::string stray = "/no/such/directory/sda";
    watched.observer(event::DeviceSkipped{stray, "is not mounted"});
    watched.observer(event::NoLocalDevices{"10.0.0.1", 6201});
    watched.observer(event::Quarantined{path, "/q/x", "corrupt"});
    watched.observer(event::Misplaced{path, "/a/c", 5});
    const std::string sda = "sda";
    watched.observer(event::Braked{sda, "too many would leave"});
    BOOST_TEST(watched.starts("error: sda: too many would leave; look at swift.conf"));
    watched.observer(event::Braked{sda, "its names are wrong", true});
    BOOST_TEST(watched.has("error: sda: its names are wrong; compare swift_hash_path_suffix and "
                           "swift_hash_path_prefix in swift.conf with the other nodes"));
    watched.observer(event::WrongHash{path, "/a/c"});
    watched.observer(event::Deferred{path, to});
    const std::string what = "no memory";
    watched.observer(event::PassFailed{what});
    watched.observer(event::SetAside{path, what});
    BOOST_TEST(watched.has("warning: Skipping: /srv/sda is not mounted"));
    BOOST_TEST(watched.has("warning: Skipping: /no/such/directory/sda is not mounted; there is no "
                           "directory /no/such/directory: correct the option devices"));
    BOOST_TEST(watched.starts("error: Can't find itself 10.0.0.1 with port 6201 in ring"));
    BOOST_TEST(watched.starts("error: Quarantining DB " + path));
    BOOST_TEST(watched.has("error: Quarantined /srv/node/sda/containers/1/abc/x to /q/x due to "
                           "corrupt"));
    BOOST_TEST(watched.has("error: Found " + path +
                           " for /a/c when it should be on partition 5; will replicate out and "
                           "remove."));
    BOOST_TEST(watched.starts("error: " + path + " holds /a/c, and the hash of that name"));
    BOOST_TEST(
        watched.starts("warning: " + path + " is able to shard -- refusing to replicate objects"));
    BOOST_TEST(watched.has("error: ERROR trying to replicate: no memory"));
    BOOST_TEST(watched.has("error: " + path + ": no memory"));
}

BOOST_AUTO_TEST_CASE(progress_is_one_line_that_ends_with_the_pass) {
    const Watched watched;
    const std::string device = "sda";
    watched.observer(event::DeviceProgress{device, 1, 4, 9});
    watched.observer(event::DeviceProgress{device, 4, 4, 30});
    watched.end_pass({}, {});
    watched.end_pass({}, {});
    BOOST_REQUIRE(watched.shown.size() == 3U);
    BOOST_TEST(watched.shown[0] == "\rsda: 1/4 partitions, 9 databases");
    BOOST_TEST(watched.shown[1] == "\rsda: 4/4 partitions, 30 databases");
    BOOST_TEST(watched.shown[2] == "\n");
}

BOOST_AUTO_TEST_CASE(what_an_operator_has_to_decide_says_what_to_do) {
    const Watched watched;
    const Device to = peer();
    watched.observer(event::Stale{path, Timestamp::from_seconds(1000)});
    watched.observer(event::Stale{path, Timestamp::from_seconds(1000), true});
    watched.observer(event::Stale{path, Timestamp::from_seconds(1000), false, true});
    BOOST_TEST(watched.starts("error: " + path +
                              " agreed with a peer last at 0000001000.00000, and "
                              "differs from one whose last rows have not come"));
    BOOST_TEST(watched.starts("error: " + path +
                              " agreed with a peer last at 0000001000.00000, longer ago than "
                              "reclaim_age, and no other primary has a copy"));
    watched.observer(event::ClockJumped{Seconds{86400}});
    watched.observer(event::ClockDiffers{to, Seconds{-7200}});
    BOOST_TEST(watched.starts("error: " + path + " agreed with a peer last at 0000001000.00000"));
    BOOST_TEST(watched.starts("error: The clock has jumped by +86400 seconds against"));
    BOOST_TEST(watched.starts("error: The clock is -7200 seconds ahead of that of 10.0.0.2"));
}

BOOST_AUTO_TEST_CASE(queues_of_the_reconciler_are_told_in_swifts_words) {
    Watched watched;
    const std::string what = "no space left";
    const std::string queue = "1402462800";
    watched.observer(event::SyncStoreFailed{path, what});
    watched.observer(event::QueueOpened{path, true});
    watched.observer(event::QueueOpened{path, false});
    watched.observer(event::RowsQueued{path, 3});
    watched.observer(event::QueueFailed{path, queue, 3, what});
    watched.observer(event::NoWeight{906, peer()});
    watched.observer(event::QueuesReplicating{2});
    watched.observer(event::QueuesCleaning{1});
    watched.observer(event::QueuesEnded{});
    BOOST_TEST(watched.has("error: Failed to update sync_store " + path + ": no space left"));
    BOOST_TEST(watched.has("debug: Adding 3 objects to the reconciler at " + path));
    BOOST_TEST(watched.starts("error: Failed to get reconciler broker for container 1402462800"));
    BOOST_TEST(watched.has("warning: Could not find a non-zero weight device for handoff partition "
                           "906, falling back device sdb1"));
    BOOST_TEST(watched.has("info: Replicating 2 reconciler containers"));
    BOOST_TEST(watched.has("info: Cleaning up 1 reconciler containers"));
    BOOST_TEST(watched.has("info: Finished reconciler replication"));
    BOOST_TEST(watched.listener.next().value_or("") == "t.reconciler_db_created:1|c");
    BOOST_TEST(watched.listener.next().value_or("") == "t.reconciler_db_exists:1|c");
    BOOST_TEST(!watched.listener.next(0).has_value());
}
