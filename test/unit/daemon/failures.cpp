#include <replica/daemon/failures.hpp>

#define BOOST_TEST_MODULE daemon_failures
#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

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
    BOOST_TEST(failures.latest()[0].what.size() == Failures::most_bytes);
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
