#include <replica/words/row_digests.hpp>

#define BOOST_TEST_MODULE words_row_digests
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <set>
#include <vector>

using namespace replica;

namespace {

using Digests = std::vector<std::uint64_t>;

Digests random_digests(std::size_t count, std::uint64_t seed) {
    Random random(seed);
    Digests digests(count);
    std::ranges::generate(digests, [&] { return random.next(); });
    return digests;
}

/// Two sides that have `both`, and what only one of them has.
struct Sides {
    RowDigests here;
    RowDigests there;

    Sides(std::size_t groups, const Digests& both, const Digests& only_here,
          const Digests& only_there)
        : here(groups), there(groups) {
        for (const std::uint64_t digest : both) {
            here.add(digest);
            there.add(digest);
        }
        std::ranges::for_each(only_here, [&](std::uint64_t digest) { here.add(digest); });
        std::ranges::for_each(only_there, [&](std::uint64_t digest) { there.add(digest); });
    }

    [[nodiscard]] std::vector<UnlikeGroup> answer() const { return there.unlike(here.sums()); }
    [[nodiscard]] RowChoice choice() const { return here.only_here(answer()); }
};

bool contains_all(const RowChoice& choice, const Digests& digests) {
    return std::ranges::all_of(digests,
                               [&](std::uint64_t digest) { return choice.contains(digest); });
}

} // namespace

BOOST_AUTO_TEST_CASE(equal_rows_are_answered_with_nothing) {
    const Sides sides(4, random_digests(5000, 1), {}, {});
    BOOST_TEST(sides.answer().empty());
    BOOST_TEST(sides.choice().expected_of(5000) == 0);
    BOOST_TEST(sides.here.rows() == 5000);
}

BOOST_AUTO_TEST_CASE(what_only_one_side_has_is_found_and_no_other_row_goes) {
    for (std::size_t count = 0; count <= 300; count += 20) {
        for (const std::size_t groups : {1U, 4U, 16U}) {
            const Digests both = random_digests(20'000, 1);
            const Digests only_here = random_digests(count, 2);
            const Digests only_there = random_digests(300 - count, 3);
            const RowChoice choice = Sides(groups, both, only_here, only_there).choice();
            Digests expected = only_here;
            std::ranges::sort(expected);
            BOOST_TEST(choice.digests() == expected, boost::test_tools::per_element());
            BOOST_TEST(choice.expected_of(20'000) == static_cast<std::int64_t>(count));
            BOOST_TEST(!choice.contains(both.front()));
            BOOST_TEST(contains_all(choice, only_here));
        }
    }
}

BOOST_AUTO_TEST_CASE(few_differences_need_few_cells) {
    const struct {
        std::size_t differences;
        std::size_t most_cells;
    } table[] = {{1, 25}, {10, 70}, {100, 420}, {400, 1024}, {5000, 1024}};
    for (const auto& each : table) {
        const Sides sides(1, random_digests(1000, 1), random_digests(each.differences, 2), {});
        const auto answer = sides.answer();
        BOOST_REQUIRE(answer.size() == 1U);
        BOOST_TEST(answer[0].cells.size() <= each.most_cells, each.differences);
    }
}

// One sketch of some 2,000 may have too few cells; then more rows go.
BOOST_AUTO_TEST_CASE(the_cells_are_nearly_always_enough) {
    int whole = 0;
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        const std::size_t count = 1 + seed % 250;
        const Digests only_here = random_digests(count, seed);
        const RowChoice choice = Sides(1, {}, only_here, random_digests(count / 3, ~seed)).choice();
        BOOST_REQUIRE(contains_all(choice, only_here));
        whole += choice.expected_of(1'000'000) > 1000 ? 1 : 0;
    }
    BOOST_TEST(whole <= 6);
}

BOOST_AUTO_TEST_CASE(too_much_that_differs_makes_all_rows_of_the_unlike_buckets_go) {
    const Digests both = random_digests(1000, 1);
    const Digests only_here = random_digests(1500, 2);
    const Sides sides(1, both, only_here, {});
    const RowChoice choice = sides.choice();
    BOOST_TEST(choice.digests().empty());
    BOOST_TEST(contains_all(choice, only_here));
    BOOST_TEST(contains_all(choice, both));
    BOOST_TEST(choice.expected_of(sides.here.rows()) == 2500);
}

BOOST_AUTO_TEST_CASE(a_group_that_cannot_be_read_makes_only_its_own_rows_go) {
    Digests in_one;
    std::ranges::copy_if(random_digests(8000, 2), std::back_inserter(in_one),
                         [](std::uint64_t each) { return DigestPlace::of(each, 4).group == 2; });
    const Digests both = random_digests(4000, 1);
    const RowChoice choice = Sides(4, both, in_one, {}).choice();
    BOOST_TEST(contains_all(choice, in_one));
    for (const std::uint64_t digest : both) {
        BOOST_TEST(choice.contains(digest) == (DigestPlace::of(digest, 4).group == 2));
    }
    const auto expected = choice.expected_of(6000); // a quarter, since they count as spread evenly
    BOOST_TEST((expected > 1400 && expected <= 1500), expected);
}

// Cells that make no sense, or are not those of the unlike buckets, make more rows go, not fewer.
BOOST_AUTO_TEST_CASE(an_answer_that_lies_makes_all_rows_go_that_it_calls_unlike) {
    const Digests both = random_digests(3000, 1);
    const Digests only_here = random_digests(20, 2);
    const Sides sides(2, both, only_here, random_digests(20, 3));
    const auto honest = sides.answer();
    const auto lie = [&](auto change) {
        auto answer = honest;
        change(answer);
        const RowChoice choice = sides.here.only_here(answer);
        BOOST_TEST(contains_all(choice, only_here));
        BOOST_TEST(choice.expected_of(3000) > 100);
    };
    lie([](auto& answer) { answer[0].cells.clear(); });
    lie([](auto& answer) { answer[0].cells.resize(3); });
    lie([](auto& answer) { answer[0].cells[1].sum ^= 1; });
    lie([](auto& answer) { answer[0].cells = answer[1].cells; });
    lie([](auto& answer) { answer[0].buckets = ~std::uint64_t{0}; });
    lie([](auto& answer) { // a difference that both cells and checks explain, in another group
        Sketch moved(RowDigests::cells);
        moved.add(std::uint64_t{1} << 63);
        answer[0].cells = moved.cells();
    });
}

BOOST_AUTO_TEST_CASE(a_bucket_that_is_unlike_for_no_digest_of_the_sketch_goes_whole) {
    // Two rows with one digest hide in the sketch and in the sums. What the sums show, the sketch
    // must explain.
    const Sides sides(1, random_digests(100, 1), random_digests(1, 2), {});
    auto answer = sides.answer();
    const std::uint64_t other = std::uint64_t{1} << (answer[0].buckets == 1 ? 1 : 0);
    answer[0].buckets |= other;
    const RowChoice choice = sides.here.only_here(answer);
    BOOST_TEST(choice.digests().empty());
    BOOST_TEST(choice.expected_of(6400) == 200);
}

BOOST_AUTO_TEST_CASE(a_digest_is_in_the_bucket_that_its_highest_bits_name) {
    constexpr std::uint64_t top = std::uint64_t{1} << 63;
    static_assert(DigestPlace::of(0, 1).group == 0 && DigestPlace::of(0, 1).bucket == 1);
    static_assert(DigestPlace::of(top, 1).bucket == std::uint64_t{1} << 32);
    static_assert(DigestPlace::of(top, 2).group == 1 && DigestPlace::of(top, 2).bucket == 1);
    static_assert(DigestPlace::of(~std::uint64_t{0}, 256).group == 255);
    static_assert(DigestPlace::of(~std::uint64_t{0}, 256).bucket == top);
    std::set<std::pair<std::size_t, std::uint64_t>> seen;
    for (const std::uint64_t digest : random_digests(20'000, 5)) {
        const auto place = DigestPlace::of(digest, 8);
        BOOST_TEST(place.group < 8U);
        seen.insert({place.group, place.bucket});
    }
    BOOST_TEST(seen.size() == 8U * 64);
}

BOOST_AUTO_TEST_CASE(groups_are_as_many_as_the_rows_need_and_bounded) {
    static_assert(RowDigests::groups_for(-1) == 1);
    static_assert(RowDigests::groups_for(16'384) == 1);
    static_assert(RowDigests::groups_for(16'385) == 2);
    static_assert(RowDigests::groups_for(1'000'000) == 64);
    static_assert(RowDigests::groups_for(50'000'000) == 256);
    static_assert(RowDigests::groups_for(INT64_MAX) == 256);
    BOOST_TEST(RowDigests(8).sums().size() == 512U);
}
