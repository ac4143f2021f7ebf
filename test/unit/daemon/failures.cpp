#include <replica/daemon/failures.hpp>

#define BOOST_TEST_MODULE daemon_failures
#include <replica/words/json.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::daemon;

namespace {

Timestamp at(double seconds) {
    return Timestamp::from_seconds(1'700'000'000 + seconds);
}

} // namespace

BOOST_AUTO_TEST_CASE(the_same_cause_at_the_same_place_is_counted) {
    Failures failures;
    failures.add("rsync", "peer", "first", at(1));
    failures.add("rsync", "peer", "second", at(2));
    const auto list = failures.latest();
    BOOST_REQUIRE(list.size() == 1U);
    BOOST_TEST(list[0].word == "rsync");
    BOOST_TEST(list[0].subject == "peer");
    BOOST_TEST(list[0].what == "second");
    BOOST_TEST(list[0].count == 2U);
    BOOST_TEST((list[0].first == at(1)));
    BOOST_TEST((list[0].last == at(2)));
}

BOOST_AUTO_TEST_CASE(the_latest_comes_first) {
    Failures failures;
    failures.add("rsync", "a", "", at(1));
    failures.add("rsync", "b", "", at(2));
    failures.add("clock", "a", "", at(3));
    failures.add("rsync", "a", "", at(4));
    const auto list = failures.latest();
    BOOST_REQUIRE(list.size() == 3U);
    BOOST_TEST(list[0].subject + list[0].word == "arsync");
    BOOST_TEST(list[1].subject + list[1].word == "aclock");
    BOOST_TEST(list[2].subject + list[2].word == "brsync");
}

BOOST_AUTO_TEST_CASE(of_too_many_the_oldest_goes) {
    Failures failures;
    for (std::size_t i = 0; i < Failures::most + 2; ++i) {
        failures.add("rsync", std::to_string(i), "", at(static_cast<double>(i)));
    }
    const auto list = failures.latest();
    BOOST_REQUIRE(list.size() == Failures::most);
    BOOST_TEST(list.front().subject == std::to_string(Failures::most + 1));
    BOOST_TEST(list.back().subject == "2");
}

BOOST_AUTO_TEST_CASE(a_long_reason_is_cut) {
    Failures failures;
    failures.add("rsync", "a", std::string(5000, 'x'), at(0));
    BOOST_TEST(failures.latest()[0].what == std::string(500, 'x'));
}

BOOST_AUTO_TEST_CASE(a_cut_goes_between_two_characters) {
    const std::string letter = "\u00e9";
    const std::string smile = "\U0001f600";
    const std::string many(499, 'x');
    BOOST_TEST(shown(many + 'y' + letter) == many + 'y');
    BOOST_TEST(shown(many + letter) == many);
    BOOST_TEST(shown(std::string(498, 'x') + letter) == std::string(498, 'x') + letter);
    BOOST_TEST(shown(std::string(497, 'x') + smile + "more") == std::string(497, 'x'));
    BOOST_TEST(shown(std::string(499, 'x') + '\xe9') == std::string(499, 'x'));
    BOOST_TEST(shown("abc", 0).empty());
}

BOOST_AUTO_TEST_CASE(what_is_not_utf8_is_shown_as_far_as_it_can_be) {
    const std::string mark = "\xef\xbf\xbd";
    const std::vector<std::pair<std::string, std::string>> texts{
        {"", ""},
        {"plain \u00e9 \U0001f600", "plain \u00e9 \U0001f600"},
        {"caf\xe9 is closed", "caf" + mark + " is closed"}, // Latin-1
        {"caf\xe9", "caf" + mark},
        {"\xc3(", mark + "("},
        {"\xe2\x82", mark + mark},            // a character that was cut
        {"\xc0\xaf", mark + mark},            // longer than need be
        {"\xed\xa0\x80", mark + mark + mark}, // half of a pair
        {"\xf4\x90\x80\x80", mark + mark + mark + mark},
        {"\xff\xfe!", mark + mark + "!"},
    };
    for (const auto& [bytes, text] : texts) {
        BOOST_TEST(shown(bytes) == text);
        std::string literal;
        BOOST_CHECK_NO_THROW(json::append(literal, shown(bytes)));
    }
    Failures failures;
    failures.add("rsync", "a", "caf\xe9", at(0));
    BOOST_TEST(failures.latest()[0].what == "caf" + mark);
}

BOOST_AUTO_TEST_CASE(whatever_the_bytes_and_the_length_json_can_carry_what_is_shown) {
    std::minstd_rand random(11);
    for (int i = 0; i < 2000; ++i) {
        std::string bytes;
        for (auto left = random() % 40; left > 0; --left) {
            bytes += static_cast<char>(random() % 2 == 0 ? 0x80 + random() % 128 : random() % 128);
        }
        const std::size_t most = random() % 60;
        const std::string text = shown(bytes, most);
        std::string literal;
        BOOST_REQUIRE_NO_THROW(json::append(literal, text));
        BOOST_REQUIRE(text.size() <= most);
    }
}

BOOST_AUTO_TEST_CASE(each_way_that_a_peer_fails_has_a_word_and_each_word_an_advice) {
    const std::set<Error> own{Error::timed_out,   Error::connect_failed,  Error::connection_lost,
                              Error::bad_reply,   Error::transfer_failed, Error::peer_refused,
                              Error::peer_failed, Error::not_mounted};
    std::set<std::string_view> words;
    for (int value = 1; value <= static_cast<int>(Error::bad_config); ++value) {
        const auto error = static_cast<Error>(value);
        const std::string_view word = word_for(error);
        BOOST_TEST((word == "peer") == !own.contains(error), word);
        BOOST_TEST(!advice_for(word).empty(), word);
        words.insert(word);
    }
    BOOST_TEST(words.size() == 8U); // two of them lost their answer on the way
    BOOST_TEST(advice_for("no such word").empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_was_pushed_over_http_is_no_matter_of_rsync) {
    const std::string pushed = "push to 10.0.0.2:6201/sdb/tmp/id: answered 503 ";
    const std::string rsynced = "rsync to 10.0.0.2::container/sdb/tmp/id: exit code 10";
    BOOST_TEST(word_for(Error::transfer_failed, pushed) == "push");
    BOOST_TEST(word_for(Error::transfer_failed, rsynced) == "rsync");
    BOOST_TEST(word_for(Error::timed_out, pushed) == "peer_silent");
    BOOST_TEST(word_for(Error::peer_failed, "10.0.0.2:6201/sdb answered 503 ") == "peer_failed");
    for (const char* word : {"push", "peer_failed", "peer", "peer_silent"}) {
        BOOST_TEST(!advice_for(word).empty(), word);
        BOOST_TEST(advice_for(word).find("rsync") == std::string_view::npos, word);
    }
    BOOST_TEST(advice_for("push").find("503") != std::string_view::npos);
}

BOOST_AUTO_TEST_CASE(the_name_of_a_peer_stands_beside_a_reason_and_not_in_it) {
    const std::string peer = "10.0.0.2:6201/sdb";
    const auto reason = [&](Error error, const std::string& what) {
        return reason_of(make_error_code(error), peer, what);
    };
    BOOST_TEST(reason(Error::timed_out, peer + ": timed out: no answer within 10 s") ==
               "timed out: no answer within 10 s");
    BOOST_TEST(reason(Error::peer_failed, peer + " answered 503 Busy") == "answered 503 Busy");
    BOOST_TEST(reason(Error::transfer_failed,
                      "push to " + peer + "/tmp/id: " + peer + ": connection lost: reset") ==
               "push to " + peer + "/tmp/id: connection lost: reset");
    // Another port of the node, and another device, say something.
    const std::string beside = "10.0.0.2:16201/sdb: cannot connect: Connection refused";
    BOOST_TEST(reason(Error::connect_failed, beside) == beside);
    BOOST_TEST(reason(Error::peer_failed, peer + "2 answered 500") == peer + "2 answered 500");
}

BOOST_AUTO_TEST_CASE(a_reason_is_never_empty) {
    const std::string peer = "10.0.0.2:6201/sdb";
    for (const std::string& what : {std::string(), peer + ": ", peer + ' ' + peer + ": "}) {
        BOOST_TEST(reason_of(make_error_code(Error::timed_out), peer, what) == "timed out");
    }
    BOOST_TEST(reason_of(make_error_code(Error::bad_reply), peer, peer + ": AUTH_secret") ==
               "unusable reply, see the log");
}

BOOST_AUTO_TEST_CASE(a_state_stands_first_and_makes_room_for_nobody_until_it_is_over) {
    Failures failures;
    failures.set("ring", "this node", "cut short", at(1));
    failures.set("ring", "this node", "no gzip", at(2));
    for (std::size_t i = 0; i < Failures::most + 2; ++i) {
        failures.add("push", std::to_string(i), "", at(static_cast<double>(i)));
    }
    auto list = failures.latest();
    BOOST_REQUIRE(list.size() == Failures::most);
    BOOST_TEST(list[0].word == "ring");
    BOOST_TEST(list[0].what == "no gzip");
    BOOST_TEST(list[0].count == 2U);
    BOOST_TEST((list[0].first == at(1)));
    BOOST_TEST(list[1].subject == std::to_string(Failures::most + 1));
    failures.set("ring", "this node", "", at(3));
    failures.set("ring", "this node", "", at(4)); // it is over already
    list = failures.latest();
    BOOST_TEST(list.size() == Failures::most - 1);
    BOOST_TEST(list[0].word == "push");
}

// ---- What is over.

namespace {

/// No pass knows more than what it told.
const auto nobody = [](const std::string& /*subject*/) { return false; };

/// Of the only one; 0: it is not over.
double over_since(const Failures& failures) {
    return failures.latest().at(0).over_since.seconds();
}

} // namespace

BOOST_AUTO_TEST_CASE(a_peer_that_is_reached_again_has_the_failure_behind_it) {
    for (const char* word : {"peer_unreachable", "peer_silent", "peer_not_mounted"}) {
        Failures failures;
        failures.add(word, "peer", "no route", at(1));
        BOOST_TEST(over_since(failures) == 0.0, word);
        failures.went_well("another", true, at(2));
        BOOST_TEST(over_since(failures) == 0.0, word);
        failures.went_well("peer", false, at(3)); // it has to catch up yet
        BOOST_TEST(over_since(failures) == at(3).seconds(), word);
        failures.went_well("peer", true, at(4));
        BOOST_TEST(over_since(failures) == at(3).seconds(), word);
        failures.add(word, "peer", "no route", at(5));
        BOOST_TEST(over_since(failures) == 0.0, word);
    }
}

BOOST_AUTO_TEST_CASE(what_failed_for_one_database_is_over_once_the_peer_has_all_of_it) {
    for (const char* word : {"push", "rsync", "peer", "peer_answer", "peer_failed"}) {
        Failures failures;
        failures.add(word, "peer", "answered 500", at(1));
        failures.went_well("peer", false, at(2)); // another database
        BOOST_TEST(over_since(failures) == 0.0, word);
        failures.went_well("peer", true, at(3));
        BOOST_TEST(over_since(failures) == at(3).seconds(), word);
    }
}

BOOST_AUTO_TEST_CASE(what_a_pass_does_not_tell_again_is_over) {
    Failures failures;
    failures.add("wrong_hash", "sda", "a file", at(1));
    failures.end_pass(at(2), nobody); // this pass told it
    BOOST_TEST(over_since(failures) == 0.0);
    failures.add("wrong_hash", "sda", "a file", at(3));
    failures.end_pass(at(4), nobody);
    BOOST_TEST(over_since(failures) == 0.0);
    failures.end_pass(at(5), [](const std::string& subject) { return subject == "sda"; });
    BOOST_TEST(over_since(failures) == 0.0);
    failures.went_well("sda", true, at(6));
    BOOST_TEST(over_since(failures) == 0.0);
    failures.end_pass(at(7), nobody);
    BOOST_TEST(over_since(failures) == at(7).seconds());
    failures.end_pass(at(8), nobody);
    BOOST_TEST(over_since(failures) == at(7).seconds());
}

BOOST_AUTO_TEST_CASE(what_no_pass_tells_again_counts_for_a_day) {
    for (const char* word : {"quarantined", "request"}) {
        Failures failures;
        failures.add(word, "sda", "damaged", at(1));
        failures.end_pass(at(2), nobody);
        failures.end_pass(at(Failures::day), nobody);
        BOOST_TEST(over_since(failures) == 0.0, word);
        failures.end_pass(at(Failures::day + 1), nobody);
        BOOST_TEST(over_since(failures) == at(Failures::day + 1).seconds(), word);
    }
}

BOOST_AUTO_TEST_CASE(what_is_over_makes_room_before_what_is_older) {
    Failures failures;
    failures.add("quarantined", "sda", "damaged", at(0));
    failures.add("push", "well again", "", at(100));
    failures.went_well("well again", true, at(101));
    for (std::size_t i = 0; i + 1 < Failures::most; ++i) {
        failures.add("push", std::to_string(i), "", at(50));
    }
    const auto list = failures.latest();
    BOOST_REQUIRE(list.size() == Failures::most);
    BOOST_TEST(list.front().subject != "well again");
    BOOST_TEST(list.back().subject == "sda");
}

BOOST_AUTO_TEST_CASE(a_state_is_over_when_it_is_taken_out_and_not_before) {
    Failures failures;
    failures.set("ring", "this node", "cut short", at(1));
    failures.end_pass(at(2), nobody);
    failures.end_pass(at(3), nobody);
    BOOST_TEST(over_since(failures) == 0.0);
}
