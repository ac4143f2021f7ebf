#include <replica/daemon/metrics.hpp>

#define BOOST_TEST_MODULE daemon_metrics
#include <boost/test/unit_test.hpp>

#include <regex>
#include <set>
#include <sstream>
#include <string>

using namespace replica;
using namespace replica::daemon;

namespace {

using Form = Exposition::Form;

FactsNow busy() {
    FactsNow facts;
    facts.kind = "container";
    facts.at = Timestamp::from_seconds(1000);
    facts.passes = 3;
    facts.ring_unreadable = true;
    facts.total.rows = 12;
    DeviceFacts& device = facts.devices["sda"];
    device.databases = 7;
    device.brake = {1, "too many"};
    facts.ended = 1;
    PeerFacts& peer = facts.peers["10.0.0.2:6201/sdb"];
    peer.answers = false;
    peer.lag = {2, 30, Timestamp::from_seconds(900)};
    facts.turns.observe(0.5);
    facts.requests["sync"].observe(0.5);
    facts.merges["merge_items"].observe(0.5);
    facts.answers[200] = 4;
    return facts;
}

bool has(const std::string& text, const std::string& line) {
    return text.find('\n' + line + '\n') != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_CASE(what_is_known_is_written_under_its_name) {
    const std::string text = metrics_text(busy(), Form::openmetrics);
    for (const std::string& line :
         {"replica_build_info{version=\"" + version_text() + "\",kind=\"container\"} 1",
          std::string("replica_passes_total 3"), std::string("replica_rows_sent_total 12"),
          std::string("replica_ring_unreadable 1"),
          std::string("replica_device_databases{device=\"sda\"} 7"),
          std::string("replica_device_brake{device=\"sda\"} 1"),
          std::string("replica_device_usable{device=\"sda\"} 1"),
          std::string("replica_peer_up{peer=\"10.0.0.2:6201/sdb\"} 0"),
          std::string("replica_peer_databases_behind{peer=\"10.0.0.2:6201/sdb\"} 2"),
          std::string("replica_peer_lag_rows{peer=\"10.0.0.2:6201/sdb\"} 30"),
          std::string("replica_peer_lag_seconds{peer=\"10.0.0.2:6201/sdb\"} 100"),
          std::string("replica_turn_duration_seconds_count 1"),
          std::string("replica_request_duration_seconds_sum{verb=\"sync\"} 0.5"),
          std::string("replica_merge_duration_seconds_count{verb=\"merge_items\"} 1"),
          std::string("replica_requests_served_total{status=\"200\"} 4")}) {
        BOOST_TEST(has(text, line), line);
    }
    BOOST_TEST(has(metrics_text({}, Form::openmetrics), "replica_ring_unreadable 0"));
    BOOST_TEST(text.ends_with("\n# EOF\n"));
    BOOST_TEST(!metrics_text(busy(), Form::text).ends_with("# EOF\n"));
}

BOOST_AUTO_TEST_CASE(each_family_is_there_once_with_a_prefix_and_a_help_before_its_values) {
    for (const Form form : {Form::openmetrics, Form::text}) {
        std::istringstream lines(metrics_text(busy(), form));
        std::set<std::string> families;
        std::string family;
        int helped = 0;
        for (std::string line; std::getline(lines, line);) {
            std::smatch match;
            if (std::regex_match(line, match, std::regex("# TYPE (replica_[a-z_]+) [a-z]+"))) {
                BOOST_TEST(families.insert(match[1]).second, line);
                family = match[1];
            } else if (std::regex_match(line, std::regex("# HELP " + family + " [^\\n]+\\."))) {
                ++helped;
            } else if (!line.starts_with('#')) {
                BOOST_TEST(line.starts_with(family), line);
            }
        }
        BOOST_TEST(families.size() == static_cast<std::size_t>(helped));
        BOOST_TEST(families.size() > 50U);
    }
}

BOOST_AUTO_TEST_CASE(a_service_that_has_done_nothing_has_all_families_as_well) {
    const auto names = [](const std::string& text) {
        std::set<std::string> found;
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with("# TYPE")) {
                found.insert(line);
            }
        }
        return found;
    };
    BOOST_TEST((names(metrics_text({}, Form::text)) == names(metrics_text(busy(), Form::text))));
}
