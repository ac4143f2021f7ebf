#include <replica/tool/status.hpp>

#define BOOST_TEST_MODULE tool_status
#include <replica/daemon/status_json.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace replica;
using namespace replica::tool;

namespace {

/// What a node with one device and one peer says, after a pass that ended ten seconds ago.
daemon::FactsNow facts() {
    daemon::FactsNow now;
    now.kind = "container";
    now.at = Timestamp::from_seconds(1000);
    now.pass_ended = Timestamp::from_seconds(990);
    now.ended = 1;
    now.devices["sda"].databases = 7;
    now.devices["sda"].walked = true;
    now.peers["10.0.0.2:6201/sdb"];
    return now;
}

NodeStatus node(const daemon::FactsNow& now) {
    return {"10.0.0.1:16201", daemon::status_json(now), {}};
}

/// A node that says what this JSON is: of another version, or nonsense.
NodeStatus strange(const std::string& json) {
    return {"x", boost::json::parse(json).as_object(), {}};
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_node_that_is_well_is_one_line) {
    const std::vector<NodeStatus> nodes{node(facts())};
    BOOST_TEST((health_of(nodes) == Health::well));
    BOOST_TEST(status_text(nodes) ==
               "NODE            KIND       VERSION  PASS            DATABASES  DEVICES  PEERS  "
               "BEHIND  ROWS  LAG\n"
               "10.0.0.1:16201  container  " +
                   version_text() +
                   "    ended 10 s ago  7          1/1      1/1    0       0     -\n");
}

BOOST_AUTO_TEST_CASE(a_pass_that_runs_says_how_far_its_slowest_device_is) {
    auto now = facts();
    now.passing = true;
    now.pass_began = Timestamp::from_seconds(700);
    now.devices["sda"].walked = false;
    now.devices["sda"].partitions = 4;
    now.devices["sda"].partitions_done = 1;
    now.devices["sdb"].walked = true;
    BOOST_TEST(has(status_text({node(now)}), "runs 5 min, 25 %"));
    now = {};
    BOOST_TEST(has(status_text({node(now)}), "none yet"));
}

BOOST_AUTO_TEST_CASE(a_peer_that_fails_is_named_with_its_reason) {
    auto now = facts();
    auto& peer = now.peers.begin()->second;
    peer.answers = false;
    peer.reason = "no route\x1b[2J";
    peer.lag = {3, 40, Timestamp::from_seconds(1000 - 7200)};
    const std::vector<NodeStatus> nodes{node(now)};
    BOOST_TEST((health_of(nodes) == Health::trouble));
    const std::string text = status_text(nodes);
    BOOST_TEST(has(text, "1/1      0/1    3       40    2 h\n"), text);
    BOOST_TEST(has(text, "\n10.0.0.1:16201: peer 10.0.0.2:6201/sdb fails: no route\\x1b[2J\n"),
               text);
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_behind_is_trouble_though_it_answers) {
    auto now = facts();
    now.peers.begin()->second.lag = {1, 20, Timestamp::from_seconds(999)};
    BOOST_TEST((health_of({node(now)}) == Health::trouble));
    const std::string text = status_text({node(now)});
    BOOST_TEST(has(text, "1/1    1       20    1 s\n"), text);
    BOOST_TEST(has(text,
                   "\n10.0.0.1:16201: peer 10.0.0.2:6201/sdb is behind: 1 database, 20 rows, the "
                   "oldest for 1 s\n"),
               text);
}

BOOST_AUTO_TEST_CASE(a_device_that_is_out_or_braked_is_named_with_the_reason) {
    auto now = facts();
    now.devices["sda"].skipped = {1, "is not mounted"};
    BOOST_TEST((health_of({node(now)}) == Health::trouble));
    BOOST_TEST(has(status_text({node(now)}), "sda is left out: is not mounted\n"));
    now = facts();
    now.devices["sda"].brake = {1, "too many"};
    BOOST_TEST((health_of({node(now)}) == Health::trouble));
    BOOST_TEST(has(status_text({node(now)}), "a brake holds on sda: too many\n"));
}

BOOST_AUTO_TEST_CASE(a_failure_that_only_the_page_had_is_told_with_what_to_do) {
    for (const char* word : {"ring", "quarantined", "wrong_hash", "stale", "request", "rsync"}) {
        auto now = facts();
        now.failures.push_back({word, "sda", "a reason\x1b[2J", 2, Timestamp::from_seconds(1),
                                Timestamp::from_seconds(1000 - 300)});
        BOOST_TEST((health_of({node(now)}) == Health::trouble), word);
        const std::string advice(daemon::advice_for(word));
        BOOST_TEST(status_text({node(now)})
                       .ends_with("-\n\n10.0.0.1:16201: " + std::string(word) +
                                  ", sda: a reason\\x1b[2J (2 times, last 5 min ago)\n  " + advice +
                                  '\n'),
                   status_text({node(now)}));
    }
}

BOOST_AUTO_TEST_CASE(a_failure_that_is_over_is_no_trouble_and_not_told) {
    auto now = facts();
    now.failures.push_back({"peer_unreachable", "10.0.0.2:6201/sdb", "no route", 2,
                            Timestamp::from_seconds(1), Timestamp::from_seconds(900),
                            Timestamp::from_seconds(910)});
    BOOST_TEST((health_of({node(now)}) == Health::well));
    BOOST_TEST(status_text({node(now)}) == status_text({node(facts())}));
}

BOOST_AUTO_TEST_CASE(what_a_device_or_a_peer_says_of_itself_is_told_once_and_with_what_to_do) {
    auto now = facts();
    const auto fails = [&](const std::string& word, const std::string& subject,
                           const std::string& what) {
        now.failures.push_back({word, subject, what, 1, now.at, now.at});
    };
    now.devices["sda"].brake = {1, "too many"};
    now.devices["sdb"].skipped = {1, "is not mounted"};
    now.peers.begin()->second.answers = false;
    now.peers.begin()->second.reason = "no route";
    fails("brake", "sda", "too many");
    fails("device_skipped", "sdb", "is not mounted");
    fails("peer_unreachable", "10.0.0.2:6201/sdb", "no route");
    fails("rsync", "10.0.0.2:6201/sdb", "exit code 10");
    const std::string text = status_text({node(now)});
    const auto advice = [](const char* word) {
        return "\n  " + std::string(daemon::advice_for(word)) + '\n';
    };
    const std::string begin = "\n10.0.0.1:16201: ";
    BOOST_TEST(has(text, "LAG\n"));
    BOOST_TEST(text.ends_with(begin + "a brake holds on sda: too many" + advice("brake") + begin +
                              "sdb is left out: is not mounted" + advice("device_skipped") + begin +
                              "peer 10.0.0.2:6201/sdb fails: no route" +
                              advice("peer_unreachable") + begin +
                              "rsync, 10.0.0.2:6201/sdb: exit code 10 (1 time, last 0 s ago)" +
                              advice("rsync")),
               text);
}

BOOST_AUTO_TEST_CASE(of_a_node_that_cannot_tell_what_is_over_only_the_ring_counts) {
    const auto with = [](const std::string& word) {
        return strange(R"({"at": 9, "failures": [1, {"last": 8, "what": "x", "word": ")" + word +
                       "\"}]}");
    };
    BOOST_TEST((health_of({with("rsync")}) == Health::well));
    BOOST_TEST(!has(status_text({with("rsync")}), "rsync"));
    BOOST_TEST((health_of({with("ring")}) == Health::trouble));
    BOOST_TEST(has(status_text({with("ring")}), "\nx: ring, : x (0 times, last 1 s ago)\n"));
}

BOOST_AUTO_TEST_CASE(a_node_that_is_not_in_its_ring_is_trouble) {
    auto now = facts();
    now.devices.clear();
    BOOST_TEST((health_of({node(now)}) == Health::trouble));
    const std::string text = status_text({node(now)});
    BOOST_TEST(has(text, "10.0.0.1:16201: no device of its ring is one of this node"), text);
    now.failures.push_back({"not_in_ring", "this node", "no device", 1, now.at, now.at});
    BOOST_TEST(status_text({node(now)}) == text); // it says the same
    now.failures.clear();
    now.ended = 0; // it has just begun
    now.pass_ended = Timestamp();
    BOOST_TEST((health_of({node(now)}) == Health::well));
}

BOOST_AUTO_TEST_CASE(a_node_that_does_not_answer_is_the_worst_and_says_why) {
    auto now = facts();
    now.devices["sda"].brake = {1, "too many"};
    const std::vector<NodeStatus> nodes{node(now), {"10.0.0.9:1", {}, "connection refused"}};
    BOOST_TEST((health_of(nodes) == Health::silent));
    BOOST_TEST(has(status_text(nodes), "10.0.0.9:1      -          -        no answer\n"));
    BOOST_TEST(has(status_text(nodes), "\n10.0.0.9:1: connection refused\n"));
    BOOST_TEST((health_of({nodes[1], nodes[0]}) == Health::silent));
}

BOOST_AUTO_TEST_CASE(an_answer_of_another_version_is_shown_as_far_as_it_goes) {
    for (const char* json : {"{}", R"({"pass": 1, "devices": 2, "peers": [3, {"peer": 4}]})",
                             R"({"devices": [{"device": [], "usable": "yes", "databases": "x"}]})",
                             R"({"pass": {"running": true}, "kind": 7})"}) {
        BOOST_TEST(has(status_text({strange(json)}), "\nx "), json);
    }
    BOOST_TEST(has(status_text({strange(R"({"devices": [{"usable": true, "databases": 3.0},
                                                        {"usable": true, "databases": 4}]})")}),
                   "7          2/2"));
}

BOOST_AUTO_TEST_CASE(programs_get_each_nodes_own_words) {
    const auto all = status_object({node(facts()), {"y", {}, "why"}});
    BOOST_TEST(status_text({{"y", {}, "y: why"}}).ends_with("\ny: why\n"));
    BOOST_TEST(status_text({{"y", {}, "why"}}).ends_with("\ny: why\n"));
    BOOST_TEST(boost::json::serialize(all.at("nodes").at("y")) == R"({"fault":"why"})");
    BOOST_TEST((all.at("nodes").at("10.0.0.1:16201") == daemon::status_json(facts())));
}
