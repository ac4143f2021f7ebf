#include <replica/daemon/page.hpp>

#define BOOST_TEST_MODULE daemon_page
#include <replica/daemon/status_json.hpp>

#include <boost/test/unit_test.hpp>

#include <regex>
#include <set>
#include <string>

using namespace replica::daemon;

namespace {

const std::string page(status_page);

bool has(const std::string& text) {
    return page.find(text) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_CASE(it_is_small_and_whole) {
    BOOST_TEST(page.size() < 50'000U);
    BOOST_TEST(page.starts_with("<!DOCTYPE html>"));
    BOOST_TEST(page.ends_with("</html>\n"));
}

BOOST_AUTO_TEST_CASE(it_brings_nothing_from_elsewhere) {
    for (const char* outside : {"http:", "https:", "src=", "@import", "url(", "innerHTML"}) {
        BOOST_TEST(!has(outside), outside);
    }
    BOOST_TEST(has("default-src 'none'"));
}

BOOST_AUTO_TEST_CASE(peers_that_were_not_asked_are_not_shown_and_it_says_so) {
    BOOST_TEST(has("<h2>Peers asked since the start</h2>"));
}

BOOST_AUTO_TEST_CASE(a_failure_that_is_over_is_shown_so) {
    BOOST_TEST(has("over for "));
    BOOST_TEST(has("/over_since"));
}

BOOST_AUTO_TEST_CASE(it_is_for_dark_and_light_and_for_small_screens) {
    BOOST_TEST(has("prefers-color-scheme: dark"));
    BOOST_TEST(has("width=device-width"));
}

BOOST_AUTO_TEST_CASE(it_shows_only_what_the_json_has) {
    FactsNow facts;
    facts.devices["sda"];
    facts.peers["peer"];
    facts.failures.emplace_back();
    const auto status = status_json(facts);
    std::set<std::string> known;
    const auto learn = [&](const boost::json::object& object) {
        for (const auto& [name, value] : object) {
            known.insert(std::string(name));
        }
    };
    learn(status);
    learn(status.at("pass").as_object());
    learn(status.at("totals").as_object());
    for (const char* list : {"devices", "peers", "failures"}) {
        learn(status.at(list).as_array().at(0).as_object());
    }
    std::set<std::string> shown;
    const std::regex member(R"(\b(?:each|all|pass|figures)\.([a-z_]+)\b)");
    for (std::sregex_iterator match(page.begin(), page.end(), member), end; match != end; ++match) {
        shown.insert((*match)[1]);
    }
    BOOST_TEST(shown.size() > 25U);
    for (const std::string& name : shown) {
        BOOST_TEST((known.contains(name) || name == "map" || name == "filter"), name);
    }
}
