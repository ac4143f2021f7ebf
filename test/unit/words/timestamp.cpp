#include <replica/words/timestamp.hpp>

#define BOOST_TEST_MODULE timestamp
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;

namespace {

Timestamp at(std::string_view text) {
    const auto time = Timestamp::parse(text);
    BOOST_REQUIRE_MESSAGE(time.has_value(), "'" << text << "' is a time");
    return *time;
}

RowTimes times(std::string_view text) {
    const auto decoded = RowTimes::decode(text);
    BOOST_REQUIRE_MESSAGE(decoded.has_value(), "'" << text << "' is a created_at");
    return *decoded;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_time_comes_back_as_the_same_sixteen_characters) {
    for (const std::string text : {"1402464677.04188", "0000000000.00000", "0000000000.00001",
                                   "9999999999.99999", "0000000001.10000", "1700000000.00009"}) {
        BOOST_TEST(at(text).normal() == text);
        BOOST_TEST(at(text).internal() == text);
        BOOST_TEST(at(text).shortened() == text);
    }
}

BOOST_AUTO_TEST_CASE(no_tick_is_lost_in_a_million) {
    std::mt19937_64 random(1);
    std::uniform_int_distribution<std::int64_t> ticks(0, Timestamp::max_ticks - 1);
    for (int i = 0; i < 100'000; ++i) {
        const Timestamp time{ticks(random), 0};
        BOOST_REQUIRE(Timestamp::parse(time.normal()) == time);
    }
}

BOOST_AUTO_TEST_CASE(an_offset_has_sixteen_digits_but_in_a_row_only_its_own) {
    const Timestamp time{140246467704188, 0x1a};
    BOOST_TEST(time.normal() == "1402464677.04188");
    BOOST_TEST(time.internal() == "1402464677.04188_000000000000001a");
    BOOST_TEST(time.shortened() == "1402464677.04188_1a");
    BOOST_TEST((at(time.internal()) == time));
    BOOST_TEST((at(time.shortened()) == time));
    BOOST_TEST((at("1402464677.04188_000000000000001A") == time));
    const Timestamp largest{1, ~std::uint64_t{0}};
    BOOST_TEST((at(largest.internal()) == largest));
    BOOST_TEST(largest.shortened() == "0000000000.00001_ffffffffffffffff");
}

BOOST_AUTO_TEST_CASE(legacy_forms_are_read) {
    BOOST_TEST(at("0").ticks == 0);
    BOOST_TEST(at("1").ticks == 100'000);
    BOOST_TEST(at("1402464677").normal() == "1402464677.00000");
    BOOST_TEST(at("1402464677.").normal() == "1402464677.00000");
    BOOST_TEST(at("1402464677.5").normal() == "1402464677.50000");
    BOOST_TEST(at("1402464677.041884").normal() == "1402464677.04188");
    BOOST_TEST(at("1402464677.0418850").normal() == "1402464677.04189"); // rounded
    BOOST_TEST(at("1402464677.999999").normal() == "1402464678.00000");
    BOOST_TEST(at("0000000000.00000_0").offset == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_no_time_is_refused) {
    for (const std::string_view text : {"",
                                        " ",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1_",
                                        "_1",
                                        "1_g",
                                        "1_0_0",
                                        "1e3",
                                        "0x1",
                                        "inf",
                                        "nan",
                                        ".5",
                                        "1.5.5",
                                        "1.x",
                                        "1,5",
                                        "1_00000000000000000",
                                        "10000000000",
                                        "9999999999.999995",
                                        "99999999999.0",
                                        "99999999999999999999999999",
                                        "None",
                                        "\xd9\xa1"}) {
        BOOST_TEST_CONTEXT("'" << text << "'") {
            BOOST_TEST(!Timestamp::parse(text).has_value());
            BOOST_TEST((timestamp_or_zero(text) == Timestamp{}));
        }
    }
    BOOST_TEST(!Timestamp::parse(std::string_view("1\0", 2)).has_value());
}

BOOST_AUTO_TEST_CASE(times_are_ordered_by_ticks_and_then_by_offset) {
    std::vector<std::string> ordered{"0000000000.00000",
                                     "0000000000.00001",
                                     "0000000000.00001_0000000000000001",
                                     "0000000000.00001_00000000000000ff",
                                     "0000000000.00002",
                                     "1402464677.04188",
                                     "9999999999.99999"};
    BOOST_TEST(std::ranges::is_sorted(ordered)); // the text sorts as the time does
    BOOST_TEST(std::ranges::is_sorted(ordered,
                                      [](const auto& a, const auto& b) { return at(a) < at(b); }));
}

BOOST_AUTO_TEST_CASE(seconds_are_rounded_and_never_fall_below_zero) {
    BOOST_TEST(Timestamp::from_seconds(1402464677.04188).normal() == "1402464677.04188");
    BOOST_TEST(Timestamp::from_seconds(0.000014).ticks == 1);
    BOOST_TEST(Timestamp::from_seconds(0.000016).ticks == 2);
    BOOST_TEST((Timestamp{500'000, 3}.plus(Seconds(-2)) == Timestamp{300'000, 0}));
    BOOST_TEST((Timestamp{500'000, 0}.plus(Seconds(0.5)) == Timestamp{550'000, 0}));
    BOOST_TEST((Timestamp{500'000, 0}.plus(Seconds(-99)) == Timestamp{}));
    BOOST_TEST((Timestamp{150'000, 0}.seconds() == 1.5));
}

// The next three are what decode_timestamps and encode_timestamps of Swift 2.30.1 give.

BOOST_AUTO_TEST_CASE(three_times_in_one_text_are_read_as_swift_reads_them) {
    const RowTimes one = times("1402464677.04188");
    BOOST_TEST((one.data == at("1402464677.04188")));
    BOOST_TEST((one.content_type == one.data));
    BOOST_TEST((one.metadata == one.data));
    const RowTimes three = times("1402464677.04188+a+3");
    BOOST_TEST((three.content_type == at("1402464677.04198")));
    BOOST_TEST((three.metadata == at("1402464677.04201")));
    const RowTimes back = times("1402464677.04188+a-3");
    BOOST_TEST((back.metadata == at("1402464677.04195")));
    const RowTimes two = times("1402464677.04188-a");
    BOOST_TEST((two.content_type == at("1402464677.04178")));
    BOOST_TEST((two.metadata == two.content_type));
}

BOOST_AUTO_TEST_CASE(an_offset_goes_on_to_the_parts_that_do_not_differ) {
    const RowTimes same = times("1402464677.04188_b+0+0");
    BOOST_TEST(same.data.offset == 0xbU);
    BOOST_TEST((same.metadata == same.data));
    const RowTimes later = times("1402464677.04188_b+0+5");
    BOOST_TEST((later.content_type == later.data));
    BOOST_TEST(later.metadata.offset == 0U);
    BOOST_TEST(later.encode() == "1402464677.04188_b+0+5");
    BOOST_TEST(same.encode() == "1402464677.04188_b");
}

BOOST_AUTO_TEST_CASE(a_text_that_was_read_is_written_the_same) {
    for (const std::string text :
         {"1402464677.04188", "1402464677.04188+a+3", "1402464677.04188+a-3",
          "1402464677.04188+0+1", "1402464677.04188-1+1", "1402464677.04188_ff+1+0",
          "0000000001.00000+2540be400+0"}) {
        BOOST_TEST(times(text).encode() == text);
    }
    BOOST_TEST(times("1402464677.04188+0+0").encode() == "1402464677.04188");
    BOOST_TEST(times("1402464677.04188+5").encode() == "1402464677.04188+5+0");
}

BOOST_AUTO_TEST_CASE(what_is_no_created_at_is_refused) {
    for (const std::string_view text :
         {"", "+1", "x", "1402464677.04188+", "1402464677.04188+-1", "1402464677.04188+g",
          "1402464677.04188+1+", "1402464677.04188+1+1+1", "1402464677.04188 +1",
          "1402464677.04188+ffffffffffffffff", "0000000000.00001-2", "9999999999.99999+1",
          "1402464677.04188+1+7fffffffffffffff", "1402464677.04188+0x1"}) {
        BOOST_TEST_CONTEXT("'" << text << "'") {
            BOOST_TEST(!RowTimes::decode(text).has_value());
        }
    }
}
