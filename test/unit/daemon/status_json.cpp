#include <replica/daemon/status_json.hpp>

#define BOOST_TEST_MODULE daemon_status_json
#include <replica/daemon/recon.hpp>

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace replica;
using namespace replica::daemon;

namespace {

/// A pass has run for 30 s, and has done a quarter of one of its devices.
FactsNow busy() {
    FactsNow facts;
    facts.kind = "account";
    facts.at = Timestamp::from_seconds(1030);
    facts.started = Timestamp::from_seconds(100);
    facts.passing = true;
    facts.pass_began = Timestamp::from_seconds(1000);
    facts.passes = 3;
    facts.ended = 3;
    facts.interval = Seconds(30);
    facts.last.failure = 2;
    facts.total.rows = 12;
    DeviceFacts& device = facts.devices["sda"];
    device.partitions = 8;
    device.partitions_done = 2;
    device.databases = 7;
    return facts;
}

const boost::json::object& first(const boost::json::object& status, const char* list) {
    return status.at(list).as_array().at(0).as_object();
}

boost::json::object device_of(const FactsNow& facts) {
    return first(status_json(facts), "devices");
}

} // namespace

BOOST_AUTO_TEST_CASE(a_node_says_what_it_is_and_how_its_passes_are) {
    const auto status = status_json(busy());
    BOOST_TEST(status.at("version").as_string().c_str() == version_text());
    BOOST_TEST(status.at("kind").as_string() == "account");
    BOOST_TEST(status.at("at").as_double() == 1030.0);
    BOOST_TEST(status.at("started").as_double() == 100.0);
    const auto& pass = status.at("pass").as_object();
    BOOST_TEST(pass.at("running").as_bool());
    BOOST_TEST(pass.at("passes").to_number<int>() == 3);
    BOOST_TEST(pass.at("began").as_double() == 1000.0);
    BOOST_TEST(pass.at("ended").as_double() == 0.0);
    BOOST_TEST(pass.at("interval").as_double() == 30.0);
    BOOST_TEST(pass.at("figures").at("failure").to_number<int>() == 2);
    BOOST_TEST(status.at("totals").at("rows").to_number<int>() == 12);
}

BOOST_AUTO_TEST_CASE(a_device_says_how_far_it_is_and_how_long_it_will_take) {
    const auto device = device_of(busy());
    BOOST_TEST(device.at("device").as_string() == "sda");
    BOOST_TEST(device.at("progress").as_double() == 0.25);
    BOOST_TEST(device.at("left").as_double() == 90.0);
    BOOST_TEST(device.at("databases").to_number<int>() == 7);
    BOOST_TEST(device.at("usable").as_bool());
}

BOOST_AUTO_TEST_CASE(who_cannot_say_how_long_says_null) {
    FactsNow facts = busy();
    facts.devices["sda"].partitions_done = 0;
    BOOST_TEST(device_of(facts).at("left").is_null());
    BOOST_TEST(device_of(facts).at("progress").as_double() == 0.0);
    facts.devices["sda"].partitions = 0; // nothing is walked, or it has not begun
    BOOST_TEST(device_of(facts).at("progress").is_null());
    BOOST_TEST(device_of(facts).at("left").is_null());
    facts.devices["sda"].walked = true;
    BOOST_TEST(device_of(facts).at("progress").as_double() == 1.0);
    BOOST_TEST(device_of(facts).at("left").as_double() == 0.0);
}

BOOST_AUTO_TEST_CASE(at_rest_nothing_is_left_to_do) {
    FactsNow facts = busy();
    facts.passing = false;
    BOOST_TEST(device_of(facts).at("left").as_double() == 0.0);
}

BOOST_AUTO_TEST_CASE(before_the_first_pass_nobody_knows_how_long_a_device_will_take) {
    FactsNow facts;
    facts.devices["sda"]; // a push has come to it
    BOOST_TEST(device_of(facts).at("progress").is_null());
    BOOST_TEST(device_of(facts).at("left").is_null());
    facts.pass_ended = Timestamp::from_seconds(1000); // the first pass left the device out
    BOOST_TEST(device_of(facts).at("left").is_null());
    facts.devices["sda"].walked = true;
    BOOST_TEST(device_of(facts).at("left").as_double() == 0.0);
}

BOOST_AUTO_TEST_CASE(a_clock_that_was_set_back_gives_no_negative_time) {
    FactsNow facts = busy();
    facts.at = Timestamp::from_seconds(10);
    BOOST_TEST(device_of(facts).at("left").as_double() == 0.0);
}

BOOST_AUTO_TEST_CASE(a_device_that_is_out_or_braked_says_why_while_it_is_so) {
    FactsNow facts = busy();
    facts.devices["sda"].skipped = {3, "is not mounted"};
    facts.devices["sda"].brake = {3, "too many"};
    BOOST_TEST(!device_of(facts).at("usable").as_bool());
    BOOST_TEST(device_of(facts).at("reason").as_string() == "is not mounted");
    BOOST_TEST(device_of(facts).at("brake").as_string() == "too many");
    facts.ended = 4;
    BOOST_TEST(device_of(facts).at("usable").as_bool());
    BOOST_TEST(device_of(facts).at("reason").as_string().empty());
    BOOST_TEST(device_of(facts).at("brake").as_string().empty());
}

BOOST_AUTO_TEST_CASE(a_peer_says_how_far_it_lags_and_why) {
    FactsNow facts = busy();
    PeerFacts& peer = facts.peers["10.0.0.2:6202/sdb"];
    peer.lag = {2, 30, Timestamp::from_seconds(900)};
    peer.answers = false;
    peer.reason = "no route";
    peer.failures = 4;
    peer.last_failure = Timestamp::from_seconds(1020);
    auto told = first(status_json(facts), "peers");
    BOOST_TEST(told.at("peer").as_string() == "10.0.0.2:6202/sdb");
    BOOST_TEST(!told.at("up").as_bool());
    BOOST_TEST(told.at("reason").as_string() == "no route");
    BOOST_TEST(told.at("databases_behind").to_number<int>() == 2);
    BOOST_TEST(told.at("rows_behind").to_number<int>() == 30);
    BOOST_TEST(told.at("lag").as_double() == 130.0);
    BOOST_TEST(told.at("failures").to_number<int>() == 4);
    BOOST_TEST(told.at("last_failure").as_double() == 1020.0);
    BOOST_TEST(told.at("last_success").as_double() == 0.0);
    facts.peers.begin()->second.answers = true;
    told = first(status_json(facts), "peers");
    BOOST_TEST(told.at("reason").as_string().empty());
}

BOOST_AUTO_TEST_CASE(a_failure_comes_with_what_to_do) {
    FactsNow facts = busy();
    facts.failures.push_back(
        {"rsync", "peer", "exit code 10", 3, Timestamp::from_seconds(1), facts.at});
    const auto told = first(status_json(facts), "failures");
    BOOST_TEST(told.at("word").as_string() == "rsync");
    BOOST_TEST(told.at("subject").as_string() == "peer");
    BOOST_TEST(told.at("what").as_string() == "exit code 10");
    BOOST_TEST(told.at("advice").as_string().c_str() == std::string(advice_for("rsync")));
    BOOST_TEST(told.at("count").to_number<int>() == 3);
    BOOST_TEST(told.at("first").as_double() == 1.0);
    BOOST_TEST(told.at("last").as_double() == 1030.0);
    BOOST_TEST(told.at("over_since").as_double() == 0.0);
    facts.failures[0].over_since = Timestamp::from_seconds(1020);
    BOOST_TEST(first(status_json(facts), "failures").at("over_since").as_double() == 1020.0);
}

BOOST_AUTO_TEST_CASE(a_service_that_has_done_nothing_has_all_names_as_well) {
    const auto names = [](const boost::json::object& object) {
        std::set<std::string> found;
        for (const auto& [name, value] : object) {
            found.insert(std::string(name));
        }
        return found;
    };
    const auto none = status_json({});
    BOOST_TEST((names(none) == names(status_json(busy()))));
    BOOST_TEST(none.at("devices").as_array().empty());
    BOOST_TEST(none.at("totals").as_object().size() ==
               none.at("pass").at("figures").as_object().size());
}

BOOST_AUTO_TEST_CASE(a_peer_that_answers_in_latin_1_does_not_cost_the_page) {
    const Facts facts("container", "/srv/node", Timestamp::from_seconds(1000));
    Device peer;
    peer.replication_ip = "10.0.0.2";
    peer.device = "sdb";
    const std::string path = "/srv/node/sda/containers/1/abc/hash/hash.db";
    const std::string what = "10.0.0.2:6201/sdb answered 500 D\xe9sol\xe9";
    facts.note(event::PeerFailed{path, peer, make_error_code(Error::peer_failed), what},
               Timestamp::from_seconds(1010));
    std::string text;
    BOOST_CHECK_NO_THROW(
        append_sorted(text, status_json(facts.now(Timestamp::from_seconds(1020)))));
    BOOST_TEST(text.find("500 D\\ufffdsol\\ufffd") != std::string::npos, text);
}
