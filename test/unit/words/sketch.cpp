#include <replica/words/sketch.hpp>

#define BOOST_TEST_MODULE sketch
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

using namespace replica;

namespace {

using Numbers = std::set<std::uint64_t>;

Numbers random_numbers(std::size_t count, std::uint64_t seed) {
    Random random(seed);
    Numbers numbers;
    while (numbers.size() < count) {
        numbers.insert(random.next());
    }
    return numbers;
}

Sketch sketch_of(const Numbers& numbers, std::size_t cells) {
    Sketch sketch(cells);
    for (const std::uint64_t number : numbers) {
        sketch.add(number);
    }
    return sketch;
}

Numbers set_of(const std::vector<std::uint64_t>& numbers) {
    return {numbers.begin(), numbers.end()};
}

} // namespace

BOOST_AUTO_TEST_CASE(equal_sets_need_one_cell) {
    const Numbers numbers = random_numbers(10'000, 1);
    const auto found = Sketch::between(sketch_of(numbers, 1), sketch_of(numbers, 1));
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST(found->here.empty());
    BOOST_TEST(found->there.empty());
}

BOOST_AUTO_TEST_CASE(what_only_one_side_has_is_found_and_nothing_else) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        const Numbers both = random_numbers(1000, seed);
        const Numbers here = random_numbers(seed, 100 + seed);
        const Numbers there = random_numbers(40 - seed, 200 + seed);
        Sketch left = sketch_of(both, 512);
        Sketch right = sketch_of(both, 512);
        std::ranges::for_each(here, [&](std::uint64_t number) { left.add(number); });
        std::ranges::for_each(there, [&](std::uint64_t number) { right.add(number); });
        const auto found = Sketch::between(left, right);
        BOOST_REQUIRE(found.has_value());
        BOOST_TEST((set_of(found->here) == here));
        BOOST_TEST((set_of(found->there) == there));
    }
}

// 2.5 cells for each of 100 numbers are enough in nearly all cases; with fewer than one nothing can
// be read.
BOOST_AUTO_TEST_CASE(too_few_cells_are_noticed) {
    int read = 0;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        const Numbers numbers = random_numbers(100, seed);
        BOOST_TEST(!Sketch::between(sketch_of(numbers, 90), Sketch(std::size_t{90})));
        read += Sketch::between(sketch_of(numbers, 250), Sketch(std::size_t{250})) ? 1 : 0;
    }
    BOOST_TEST(read >= 45);
}

BOOST_AUTO_TEST_CASE(the_first_cells_of_a_large_sketch_are_a_small_one) {
    const Numbers numbers = random_numbers(300, 7);
    const auto large = sketch_of(numbers, 256).cells();
    const auto small = sketch_of(numbers, 64).cells();
    BOOST_TEST(std::ranges::equal(small, std::vector(large.begin(), large.begin() + 64)));
}

BOOST_AUTO_TEST_CASE(sketches_of_other_sizes_cannot_be_compared) {
    BOOST_TEST(!Sketch::between(Sketch(std::size_t{3}), Sketch(std::size_t{4})).has_value());
    BOOST_TEST(Sketch::between(Sketch(std::size_t{0}), Sketch(std::size_t{0})).has_value());
}

// Of another node may come whatever it likes.
BOOST_AUTO_TEST_CASE(cells_that_nobody_summed_up_end_the_comparison) {
    Random random(3);
    constexpr auto most = std::numeric_limits<std::int32_t>::max();
    for (int run = 0; run < 2000; ++run) {
        std::vector<Sketch::Cell> cells(random.next() % 20);
        for (Sketch::Cell& cell : cells) {
            Sketch one(std::size_t{1});
            one.add(random.next());
            cell = one.cells()[0]; // a number that can be read, in a cell that is not its own
            cell.count = random.next() % 3 == 0 ? -1 : random.next() % 3 == 0 ? most : 1;
        }
        const std::size_t size = cells.size();
        const auto found = Sketch::between(sketch_of(random_numbers(5, 9), size), Sketch(cells));
        BOOST_TEST((!found || found->here.size() + found->there.size() <= size));
    }
}
