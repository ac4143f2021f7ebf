#include <replica/beast/lookup.hpp>

#define BOOST_TEST_MODULE beast_lookup
#include <boost/test/unit_test.hpp>

#include <support/loopback.hpp>

#include <vector>

using namespace replica;
using loopback::in;

BOOST_AUTO_TEST_CASE(an_address_is_its_own_answer_even_when_there_is_no_time) {
    http::Lookup lookup;
    for (const char* text : {"127.0.0.1", "::1", "10.1.2.3", "fe80::1"}) {
        const auto found = lookup.find(text, in(-1), {});
        BOOST_TEST_REQUIRE(found.has_value());
        BOOST_TEST(found->size() == 1U);
        BOOST_TEST(found->front().to_string() == text);
    }
}

BOOST_AUTO_TEST_CASE(a_name_is_asked_for_and_its_answer_kept) {
    http::Lookup lookup;
    const auto found = lookup.find("localhost", in(10), {});
    BOOST_TEST_REQUIRE(found.has_value());
    BOOST_TEST(!found->empty());
    for (const auto& address : *found) {
        BOOST_TEST(address.is_loopback());
    }
    const auto again = lookup.find("localhost", in(-1), {}); // no time to ask anybody
    BOOST_TEST_REQUIRE(again.has_value());
    BOOST_TEST((*again == *found));
}

BOOST_AUTO_TEST_CASE(a_name_that_cannot_be_a_name_is_refused_by_the_resolver) {
    http::Lookup lookup;
    for (const std::string& name : {std::string("not a name"), std::string(300, 'x')}) {
        const auto found = lookup.find(name, in(10), {});
        BOOST_TEST_REQUIRE(found.has_error());
        BOOST_TEST(found.error() != make_error_code(Error::timed_out));
        BOOST_TEST(found.error() != make_error_code(Error::stopped));
        BOOST_TEST(!found.error().message().empty());
    }
}

BOOST_AUTO_TEST_CASE(nobody_waits_for_a_name_longer_than_the_deadline) {
    http::Lookup lookup;
    const auto found = lookup.find("localhost", in(-1), {});
    // The answer may have been quicker than the look at the clock.
    BOOST_TEST((found.has_value() || found.error() == make_error_code(Error::timed_out)));
}

BOOST_AUTO_TEST_CASE(a_stop_ends_the_wait_for_a_name) {
    http::Lookup lookup;
    std::stop_source source;
    source.request_stop();
    const auto found = lookup.find("localhost", in(10), source.get_token());
    // The answer may have been quicker than the look at the token.
    BOOST_TEST((found.has_value() || found.error() == make_error_code(Error::stopped)));
}

BOOST_AUTO_TEST_CASE(many_may_ask_for_one_name_at_once) {
    http::Lookup lookup;
    std::vector<std::size_t> counts(16);
    {
        std::vector<std::jthread> threads;
        for (std::size_t& count : counts) {
            threads.emplace_back([&lookup, &count] {
                const auto found = lookup.find("localhost", in(10), {});
                count = found.has_value() ? found->size() : 0;
            });
        }
    }
    for (const std::size_t count : counts) {
        BOOST_TEST(count > 0U);
    }
}
