#include <replica/receive/admission.hpp>

#define BOOST_TEST_MODULE admission

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using replica::Admission;

BOOST_AUTO_TEST_CASE(no_more_than_the_limit_are_at_work_under_one_key) {
    Admission admission;
    auto first = admission.enter("sda", 2);
    auto second = admission.enter("sda", 2);
    BOOST_TEST(first.has_value());
    BOOST_TEST(second.has_value());
    BOOST_TEST(!admission.enter("sda", 2).has_value());
    BOOST_TEST(admission.enter("sdb", 2).has_value());
    second.reset();
    BOOST_TEST(admission.enter("sda", 2).has_value());
}

// As the turn of a database, which a pass and a push must not have at the same time.
BOOST_AUTO_TEST_CASE(a_single_place_that_takes_up_nothing_is_had_by_one_at_a_time) {
    Admission admission;
    auto first = admission.enter("/a", 1, 0);
    BOOST_TEST(first.has_value());
    BOOST_TEST(!admission.enter("/a", 1, 0).has_value());
    BOOST_TEST(admission.enter("/b", 1, 0).has_value());
    first.reset();
    BOOST_TEST(admission.enter("/a", 1, 0).has_value());
}

BOOST_AUTO_TEST_CASE(a_refusal_takes_no_place) {
    Admission admission;
    BOOST_TEST(!admission.enter("sda", 0).has_value());
    const auto place = admission.enter("sda", 1);
    BOOST_TEST(!admission.enter("sda", 1).has_value());
    BOOST_TEST(place.has_value());
}

BOOST_AUTO_TEST_CASE(keys_that_never_leave_do_not_take_what_a_new_one_needs) {
    Admission admission(384);
    std::vector<Admission::Place> places;
    const auto fill = [&](const std::string& key) {
        const auto before = places.size();
        while (auto place = admission.enter(key, 32)) {
            places.push_back(std::move(*place));
        }
        return places.size() - before;
    };
    BOOST_TEST(fill("first") == 32U);
    for (int key = 1; key < 20; ++key) {
        BOOST_TEST(fill(std::to_string(key)) > 4U);
    }
    for (int key = 20; key < 40; ++key) {
        BOOST_TEST(fill(std::to_string(key)) > 0U);
    }
    BOOST_TEST(admission.enter("healthy", 32).has_value());
    for (int key = 40; key < 500; ++key) { // but there are no more than there are
        fill(std::to_string(key));
    }
    BOOST_TEST(places.size() == 384U);
    BOOST_TEST(!admission.enter("healthy", 32).has_value());
    places.clear();
    BOOST_TEST(fill("healthy") == 32U);
}

BOOST_AUTO_TEST_CASE(what_is_taken_up_counts_and_not_only_how_often) {
    Admission admission(1000);
    auto first = admission.enter("sda", 9, 900); // the first of a key may be large
    BOOST_TEST(first.has_value());
    BOOST_TEST(!admission.enter("sda", 9, 1).has_value());
    BOOST_TEST(!admission.enter("sdb", 9, 101).has_value());
    const auto none = admission.enter("sda", 9, 0); // where nothing is taken up there is room
    BOOST_TEST(none.has_value());
    BOOST_TEST(!admission.enter("sda", 2, 0).has_value());
    const auto other = admission.enter("sdb", 9, 50);
    BOOST_TEST(other.has_value());
    first.reset();
    const auto more = admission.enter("sdb", 9, 50); // of 950
    BOOST_TEST(more.has_value());
    BOOST_TEST(!admission.enter("sdb", 9, 50).has_value());
    BOOST_TEST(!admission.enter("sdc", 9, std::numeric_limits<std::uint64_t>::max()).has_value());
}

BOOST_AUTO_TEST_CASE(threads_never_exceed_the_limit_together) {
    Admission admission;
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    std::atomic<int> admitted{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            for (int turn = 0; turn < 2000; ++turn) {
                if (const auto place = admission.enter("sda", 3)) {
                    const int now = ++inside;
                    int seen = most;
                    while (seen < now && !most.compare_exchange_weak(seen, now)) {
                    }
                    ++admitted;
                    --inside;
                }
            }
        });
    }
    threads.clear();
    BOOST_TEST(most <= 3);
    BOOST_TEST(admitted > 0);
}

} // namespace
