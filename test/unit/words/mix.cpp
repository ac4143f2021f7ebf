#include <replica/words/mix.hpp>

#define BOOST_TEST_MODULE words_mix
#include <boost/test/unit_test.hpp>

#include <bit>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;

namespace {

std::uint64_t of_texts(std::uint64_t key, const std::vector<std::string_view>& texts) {
    KeyedDigest digest(key);
    for (const std::string_view text : texts) {
        digest.add(text);
    }
    return digest.value();
}

} // namespace

// Two nodes of different builds compare these numbers.
BOOST_AUTO_TEST_CASE(values_never_change) {
    static_assert(mixed(0) == 0);
    BOOST_TEST(mixed(1) == 0x5692161d100b05e5U);
    BOOST_TEST(of_texts(7, {"a name", "", "longer than eight"}) == 6471648438094534441U);
}

BOOST_AUTO_TEST_CASE(one_bit_changes_half_of_the_bits) {
    for (int bit = 0; bit < 64; ++bit) {
        const std::uint64_t changed = std::uint64_t{0x1234567} ^ std::uint64_t{1} << bit;
        const int differ = std::popcount(mixed(0x1234567) ^ mixed(changed));
        BOOST_TEST((differ > 12 && differ < 52), "bit " << bit << ": " << differ);
    }
}

BOOST_AUTO_TEST_CASE(where_one_text_ends_and_the_next_begins_counts) {
    const std::vector<std::vector<std::string_view>> lists{{},
                                                           {""},
                                                           {"", ""},
                                                           {"ab", "c"},
                                                           {"a", "bc"},
                                                           {"abc"},
                                                           {"abc", ""},
                                                           {"", "abc"},
                                                           {"abcdefgh"},
                                                           {"abcdefgh", ""},
                                                           {"abcdefgh", "i"},
                                                           {"abcdefghi"},
                                                           {std::string_view("abc\0", 4)}};
    std::set<std::uint64_t> seen;
    for (const auto& list : lists) {
        seen.insert(of_texts(1, list));
    }
    BOOST_TEST(seen.size() == lists.size());
}

BOOST_AUTO_TEST_CASE(texts_that_differ_in_one_byte_have_other_digests) {
    std::set<std::uint64_t> seen;
    std::string text(40, 'x');
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (const char other : {'y', '\0', '\xff'}) {
            std::string changed = text;
            changed[at] = other;
            seen.insert(of_texts(1, {changed}));
        }
    }
    BOOST_TEST(seen.size() == 3 * text.size());
}

BOOST_AUTO_TEST_CASE(without_the_key_nobody_knows_the_digest) {
    std::set<std::uint64_t> seen;
    for (std::uint64_t key = 0; key < 1000; ++key) {
        seen.insert(of_texts(key, {"a name"}));
    }
    BOOST_TEST(seen.size() == 1000U);
}

BOOST_AUTO_TEST_CASE(numbers_count_in_their_order) {
    const auto of = [](std::uint64_t first, std::uint64_t second) {
        KeyedDigest digest(3);
        digest.add(first);
        digest.add(second);
        return digest.value();
    };
    BOOST_TEST(of(1, 2) != of(2, 1));
    BOOST_TEST(of(0, 0) != KeyedDigest(3).value());
}
