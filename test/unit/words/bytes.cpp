#include <replica/words/bytes.hpp>

#define BOOST_TEST_MODULE bytes
#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

using namespace replica::words;

namespace {

struct Padded {
    char letter;
    std::int64_t number;
};
static_assert(!Bytes<Padded>);
static_assert(!Bytes<double>); // two zeros
static_assert(!Bytes<std::string>);
static_assert(Bytes<std::array<std::uint8_t, 16>>);

} // namespace

BOOST_AUTO_TEST_CASE(values_come_out_in_the_order_in_which_they_went_in) {
    std::string text;
    append_bytes(text, std::int64_t{-7});
    append_bytes(text, std::uint8_t{200});
    BOOST_TEST(text.size() == 9U);
    std::string_view rest = text;
    BOOST_TEST(take_bytes<std::int64_t>(rest) == -7);
    BOOST_TEST(take_bytes<std::uint8_t>(rest) == 200);
    BOOST_TEST(rest.empty());
}

BOOST_AUTO_TEST_CASE(a_text_that_is_too_short_is_refused_and_not_moved) {
    const std::string text(7, 'x');
    std::string_view rest = text;
    BOOST_CHECK_THROW((void)take_bytes<std::int64_t>(rest), std::out_of_range);
    BOOST_TEST(rest.size() == 7U);
}
