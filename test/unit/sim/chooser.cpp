#include <replica/sim/chooser.hpp>

#define BOOST_TEST_MODULE sim_chooser
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <vector>

using namespace replica;

namespace {

using Answers = std::vector<std::size_t>;

/// All that an odometer answers to `ask`, in order.
std::vector<Answers> all_of(SimOdometer odometer, const std::function<Answers(SimOdometer&)>& ask) {
    std::vector<Answers> all;
    do {
        all.push_back(ask(odometer));
    } while (odometer.next());
    return all;
}

Answers two_and_three(SimOdometer& odometer) {
    const std::size_t first = odometer.choose(2);
    return {first, odometer.choose(3)};
}

/// Three questions with two answers each.
Answers three(SimOdometer& odometer) {
    Answers answers;
    for (int i = 0; i < 3; ++i) {
        answers.push_back(odometer.choose(2));
    }
    return answers;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_combination_comes_once) {
    BOOST_TEST((all_of(SimOdometer(), two_and_three) ==
                std::vector<Answers>{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}}));
}

BOOST_AUTO_TEST_CASE(a_question_may_depend_on_the_answers_before) {
    const auto ask = [](SimOdometer& odometer) {
        Answers answers{odometer.choose(3)};
        for (std::size_t i = 0; i < answers[0]; ++i) {
            answers.push_back(odometer.choose(2));
        }
        return answers;
    };
    BOOST_TEST(
        (all_of(SimOdometer(), ask) ==
         std::vector<Answers>{{0}, {1, 0}, {1, 1}, {2, 0, 0}, {2, 0, 1}, {2, 1, 0}, {2, 1, 1}}));
}

BOOST_AUTO_TEST_CASE(nothing_that_is_asked_is_one_way) {
    BOOST_TEST(all_of(SimOdometer(), [](SimOdometer&) { return Answers(); }).size() == 1U);
    const auto one = [](SimOdometer& odometer) { return Answers{odometer.choose(1)}; };
    BOOST_TEST((all_of(SimOdometer(), one) == std::vector<Answers>{{0}}));
}

BOOST_AUTO_TEST_CASE(few_deviations_from_what_was_synced_come_before_all_others) {
    BOOST_TEST((all_of(SimOdometer(0), three) == std::vector<Answers>{{0, 0, 0}}));
    BOOST_TEST((all_of(SimOdometer(1), three) ==
                std::vector<Answers>{{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {1, 0, 0}}));
    BOOST_TEST(all_of(SimOdometer(2), three).size() == 7U);
    BOOST_TEST(all_of(SimOdometer(3), three).size() == 8U);
}

BOOST_AUTO_TEST_CASE(or_from_what_there_was) {
    BOOST_TEST((all_of(SimOdometer(0, true), three) == std::vector<Answers>{{1, 1, 1}}));
    BOOST_TEST((all_of(SimOdometer(1, true), three) ==
                std::vector<Answers>{{1, 1, 1}, {1, 1, 0}, {1, 0, 1}, {0, 1, 1}}));
    const auto ways = all_of(SimOdometer(SimOdometer::unlimited, true), two_and_three);
    BOOST_TEST((ways.front() == Answers{1, 2}));
    BOOST_TEST(std::set<Answers>(ways.begin(), ways.end()).size() == 6U);
}

BOOST_AUTO_TEST_CASE(chance_gives_every_answer_and_now_and_then_one_for_all) {
    Random random(1);
    SimChance chance(random);
    std::set<std::size_t> answers;
    std::set<int> groups;
    std::set<bool> torn;
    for (int i = 0; i < 200; ++i) {
        answers.insert(chance.choose(3));
        const auto all = chance.all();
        groups.insert(all ? int{*all} : 2);
        torn.insert(chance.tears());
    }
    BOOST_TEST((answers == std::set<std::size_t>{0, 1, 2}));
    BOOST_TEST((groups == std::set{0, 1, 2}));
    BOOST_TEST(torn.size() == 2U);
}
