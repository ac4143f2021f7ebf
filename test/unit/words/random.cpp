#include <replica/words/random.hpp>

#define BOOST_TEST_MODULE random
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace replica;

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_run) {
    Random first(42);
    Random second(42);
    Random other(43);
    bool differs = false;
    for (int i = 0; i < 1000; ++i) {
        const auto number = first.next();
        BOOST_REQUIRE(number == second.next());
        differs = differs || number != other.next();
    }
    BOOST_TEST(differs);
    BOOST_TEST(first.name() == second.name());
}

BOOST_AUTO_TEST_CASE(the_numbers_are_those_of_splitmix64) {
    Random random(1234567); // the reference implementation's first values for this seed
    BOOST_TEST(random.next() == 6457827717110365317U);
    BOOST_TEST(random.next() == 3203168211198807973U);
    BOOST_TEST(random.next() == 9817491932198370423U);
}

BOOST_AUTO_TEST_CASE(a_fraction_is_from_zero_up_to_but_without_one) {
    Random random(1);
    double sum = 0;
    for (int i = 0; i < 100'000; ++i) {
        const double value = random.fraction();
        BOOST_REQUIRE(value >= 0);
        BOOST_REQUIRE(value < 1);
        sum += value;
    }
    BOOST_TEST(sum / 100'000 > 0.49);
    BOOST_TEST(sum / 100'000 < 0.51);
}

BOOST_AUTO_TEST_CASE(names_are_sixteen_digits_and_do_not_repeat) {
    Random random(1);
    std::set<std::string> names;
    for (int i = 0; i < 10'000; ++i) {
        const std::string name = random.name();
        BOOST_REQUIRE(name.size() == 16U);
        BOOST_REQUIRE(name.find_first_not_of("0123456789abcdef") == std::string::npos);
        BOOST_REQUIRE(names.insert(name).second);
    }
}

BOOST_AUTO_TEST_CASE(a_shuffle_keeps_every_value_and_gives_each_order_its_chance) {
    Random random(5);
    std::map<std::string, int> seen;
    for (int i = 0; i < 6000; ++i) {
        std::vector<char> values{'a', 'b', 'c'};
        random.shuffle(values);
        ++seen[std::string(values.begin(), values.end())];
    }
    BOOST_TEST(seen.size() == 6U);
    for (const auto& [order, count] : seen) {
        BOOST_TEST(count > 800, order);
        BOOST_TEST(count < 1200, order);
    }
    std::vector<int> none;
    random.shuffle(none);
    BOOST_TEST(none.empty());
}

BOOST_AUTO_TEST_CASE(threads_never_draw_the_same_number) {
    Random random(9);
    std::array<std::vector<std::uint64_t>, 4> drawn;
    {
        std::vector<std::jthread> threads;
        for (auto& mine : drawn) {
            threads.emplace_back([&random, &mine] {
                for (int i = 0; i < 5000; ++i) {
                    mine.push_back(random.next());
                }
            });
        }
    }
    std::set<std::uint64_t> all;
    for (const auto& mine : drawn) {
        all.insert(mine.begin(), mine.end());
    }
    BOOST_TEST(all.size() == 20'000U);
}
