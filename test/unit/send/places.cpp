#include <replica/send/places.hpp>

#define BOOST_TEST_MODULE places
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

using namespace replica;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    Places places;
    Instant now{};

    auto take(const std::string& device = "sda", std::size_t most = 2) {
        return places.take(device, most, now, now + 60s);
    }
};

static_assert(!std::is_copy_constructible_v<Places::Place>);

} // namespace

BOOST_FIXTURE_TEST_SUITE(of_a_device, Fixture)

BOOST_AUTO_TEST_CASE(so_many_are_taken_at_a_time_and_each_comes_back) {
    auto first = take();
    auto second = take();
    BOOST_TEST(first.has_value());
    BOOST_TEST(second.has_value());
    BOOST_TEST(!take());
    BOOST_TEST(take("sdb").has_value()); // and is given back at once
    first.reset();
    auto third = take();
    BOOST_TEST(third.has_value());
    BOOST_TEST(!take());
    BOOST_TEST(take("sda", 3).has_value());
}

BOOST_AUTO_TEST_CASE(a_place_that_was_moved_is_given_back_once) {
    auto first = take();
    std::vector<Places::Place> kept;
    kept.push_back(*std::move(first));
    first.reset();
    auto second = take();
    BOOST_TEST(!take());
    kept.clear();
    BOOST_TEST(take().has_value());
}

BOOST_AUTO_TEST_CASE(a_place_whose_time_is_over_is_free_and_its_return_takes_none_away) {
    auto stuck = take();
    auto other = take();
    now += 59s;
    BOOST_TEST(!take());
    now += 1s;
    auto third = take();
    auto fourth = take();
    BOOST_TEST(third.has_value());
    BOOST_TEST(fourth.has_value());
    stuck.reset(); // the worker has come to its end after all
    places.note_full("sda");
    other.reset();
    BOOST_TEST(!take());
    BOOST_TEST(places.is_full("sda")); // nothing has become free
}

BOOST_AUTO_TEST_CASE(a_place_whose_time_is_over_comes_back_after_all_others_have) {
    auto stuck = take();
    now += 60s;
    auto second = take();
    second.reset();
    stuck.reset();
    BOOST_TEST(take().has_value());
}

BOOST_AUTO_TEST_CASE(after_one_has_waited_in_vain_it_is_full_until_a_place_is_free) {
    auto first = take();
    auto second = take();
    BOOST_TEST(!places.is_full("sda"));
    places.note_full("sda");
    BOOST_TEST(places.is_full("sda"));
    BOOST_TEST(!places.is_full("sdb"));
    second.reset();
    BOOST_TEST(!places.is_full("sda"));
    places.note_full("sda");
    now += 60s; // a stuck one is left behind
    const auto third = take();
    BOOST_TEST(third.has_value());
    BOOST_TEST(!places.is_full("sda"));
}

BOOST_AUTO_TEST_SUITE_END()
