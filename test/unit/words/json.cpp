#include <replica/words/json.hpp>

#define BOOST_TEST_MODULE json
#include <replica/words/info.hpp>
#include <replica/words/members.hpp>

#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace std::string_literals;

namespace {

std::string literal(std::string_view text) {
    std::string out;
    json::append(out, text);
    return out;
}

/// The error's text of what `action` throws; it must be a bad request.
template <class Action>
std::string refusal(Action action) {
    try {
        action();
    } catch (const Failure& failure) {
        BOOST_TEST((failure.error() == Error::bad_request));
        return failure.what();
    }
    BOOST_ERROR("nothing was thrown");
    return {};
}

SyncPoint read_point(std::string_view text) {
    SyncPoint point;
    const auto value = json::parse(text);
    json::read_members(value.as_object(), point, "a point", [](std::string_view) { return true; });
    return point;
}

} // namespace

BOOST_AUTO_TEST_CASE(text_goes_out_as_ascii_just_as_a_stock_server_writes_it) {
    BOOST_TEST(literal("") == R"("")");
    BOOST_TEST(literal("plain ~ text") == R"("plain ~ text")");
    BOOST_TEST(literal(R"(say "hi" \ /)") == R"("say \"hi\" \\ /")");
    BOOST_TEST(literal("\b\f\n\r\t") == R"("\b\f\n\r\t")");
    BOOST_TEST(literal("\x01\x1f\x7f") == R"("\u0001\u001f\u007f")");
    BOOST_TEST(literal("a\0b"s) == R"("a\u0000b")");
    BOOST_TEST(literal("sn\u00f6w \u2603") == R"("sn\u00f6w \u2603")");
    BOOST_TEST(literal("\U0001F600") == R"("\ud83d\ude00")");
    BOOST_TEST(literal("\u0080\u07ff\u0800\uffff") == R"("\u0080\u07ff\u0800\uffff")");
    BOOST_TEST(literal("\U00010000\U0010FFFF") == R"("\ud800\udc00\udbff\udfff")");
}

BOOST_AUTO_TEST_CASE(no_byte_of_what_goes_out_has_its_high_bit_set) {
    std::string all;
    for (std::uint32_t point = 0; point < 0x110000; point += point < 0x3000 ? 1 : 251) {
        if (point < 0x80) {
            all += static_cast<char>(point);
        } else if (point < 0x800) {
            all += static_cast<char>(0xc0 | (point >> 6));
            all += static_cast<char>(0x80 | (point & 0x3f));
        } else if (point < 0x10000 && (point < 0xd800 || point > 0xdfff)) {
            all += static_cast<char>(0xe0 | (point >> 12));
            all += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
            all += static_cast<char>(0x80 | (point & 0x3f));
        } else if (point >= 0x10000) {
            all += static_cast<char>(0xf0 | (point >> 18));
            all += static_cast<char>(0x80 | ((point >> 12) & 0x3f));
            all += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
            all += static_cast<char>(0x80 | (point & 0x3f));
        }
    }
    const std::string out = literal(all);
    for (const char c : out) {
        BOOST_REQUIRE((c >= ' ' && c <= '~'));
    }
    std::string back;
    json::read(json::parse(out), back, "it");
    BOOST_TEST((back == all)); // and a parser reads the same text
}

BOOST_AUTO_TEST_CASE(text_that_is_not_utf_8_never_goes_out) {
    for (const std::string& bad :
         {"\x80"s, "a\xbf"s, "\xc0\x80"s, "\xc1\xbf"s, "\xc3"s, "\xc3("s, "\xe2\x82"s,
          "\xe0\x80\x80"s, "\xe0\x9f\xbf"s, "\xed\xa0\x80"s, "\xed\xbf\xbf"s, "\xf0\x80\x80\x80"s,
          "\xf0\x8f\xbf\xbf"s, "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xff"s, "\xfe"s,
          "\xf0\x9f\x98"s, "ok \xe2\x28\xa1 ok"s}) {
        BOOST_TEST(refusal([&] { (void)literal(bad); }) == "text is not UTF-8");
    }
}

BOOST_AUTO_TEST_CASE(structs_keep_the_order_of_a_stock_servers_keys) {
    std::string out;
    json::append(out, std::vector<SyncPoint>{{3, "a"}, {-1, "b"}});
    BOOST_TEST(out ==
               R"([{"sync_point": 3, "remote_id": "a"}, {"sync_point": -1, "remote_id": "b"}])");
    out.clear();
    json::append(out, std::vector<SyncPoint>{});
    BOOST_TEST(out == "[]");
    ContainerRow row;
    row.rowid = 1;
    out.clear();
    json::append_members(out, row);
    BOOST_TEST(out.starts_with(R"("ROWID": 1, "name": "", "put_timestamp": "0", )"));
}

BOOST_AUTO_TEST_CASE(numbers_keep_all_their_digits) {
    std::string out;
    json::append(out, std::numeric_limits<std::int64_t>::min());
    out += ' ';
    json::append(out, std::numeric_limits<std::int64_t>::max());
    BOOST_TEST(out == "-9223372036854775808 9223372036854775807");
}

BOOST_AUTO_TEST_CASE(a_number_is_a_whole_number_of_64_bits) {
    const auto number = [](std::string_view text) {
        std::int64_t value = 0;
        json::read(json::parse(text), value, "it");
        return value;
    };
    BOOST_TEST(number("0") == 0);
    BOOST_TEST(number("-1") == -1);
    BOOST_TEST(number("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
    BOOST_TEST(number("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
    BOOST_TEST(number("3.0") == 3); // a whole number all the same
    for (const char* bad : {"1.5", "9223372036854775808", "18446744073709551616", "1e300", "-1e19",
                            "null", "true", "\"7\"", "[]", "{}", "[1]"}) {
        BOOST_TEST(refusal([&] { (void)number(bad); }) == "it must be a whole number", bad);
    }
}

BOOST_AUTO_TEST_CASE(a_string_is_read_by_its_length) {
    std::string text;
    json::read(json::parse(R"("a\u0000b\ud83d\ude00")"), text, "it");
    BOOST_TEST((text == "a\0b\U0001F600"s));
    for (const char* bad : {"1", "null", "false", "[\"a\"]", "{\"a\": \"b\"}"}) {
        BOOST_TEST(refusal([&] { json::read(json::parse(bad), text, "it"); }) ==
                       "it must be a string",
                   bad);
    }
}

BOOST_AUTO_TEST_CASE(what_is_not_json_is_refused_with_the_parsers_reason) {
    const std::string deep(33, '[');
    for (const std::string& bad : {""s,
                                   " "s,
                                   "["s,
                                   "]"s,
                                   "[1,]"s,
                                   "{\"a\"}"s,
                                   "[1] 2"s,
                                   "nul"s,
                                   "NaN"s,
                                   "[Infinity]"s,
                                   "'a'"s,
                                   "[\"\n\"]"s,
                                   "[\"\\x\"]"s,
                                   "[\"\\ud800\"]"s,
                                   "[\"\xff\"]"s,
                                   "[\"\xc3\"]"s,
                                   "01"s,
                                   "+1"s,
                                   "\"a"s,
                                   "// no"s,
                                   deep + std::string(33, ']')}) {
        BOOST_TEST(refusal([&] { (void)json::parse(bad); }).starts_with("not JSON: "), bad);
    }
    const std::string shallow = std::string(30, '[') + std::string(30, ']');
    BOOST_TEST(json::parse(shallow).is_array());
}

BOOST_AUTO_TEST_CASE(a_member_of_the_wrong_type_is_named) {
    BOOST_TEST(
        (read_point(R"({"remote_id": "a", "sync_point": 4, "more": []})") == SyncPoint{4, "a"}));
    BOOST_TEST(refusal([] { (void)read_point(R"({"remote_id": "a"})"); }) ==
               "a point has no sync_point");
    BOOST_TEST(refusal([] { (void)read_point(R"({"sync_point": 4})"); }) ==
               "a point has no remote_id");
    BOOST_TEST(refusal([] { (void)read_point(R"({"remote_id": "a", "sync_point": "4"})"); }) ==
               "a point's sync_point must be a whole number");
    BOOST_TEST(refusal([] { (void)read_point(R"({"remote_id": null, "sync_point": 4})"); }) ==
               "a point's remote_id must be a string");
}

BOOST_AUTO_TEST_CASE(a_null_is_a_default_only_where_that_is_said) {
    SyncPoint point{7, "kept"};
    const auto value = json::parse(R"({"remote_id": null, "sync_point": null})");
    const auto all = [](std::string_view) { return true; };
    json::read_members(value.as_object(), point, "a point", all, json::Null::is_default);
    BOOST_TEST((point == SyncPoint{7, "kept"}));
    refusal([&] { json::read_members(value.as_object(), point, "a point", all); });
}

BOOST_AUTO_TEST_CASE(a_member_that_need_not_be_there_keeps_its_default) {
    SyncPoint point{7, "kept"};
    json::read_members(json::parse("{}").as_object(), point, "a point",
                       [](std::string_view) { return false; });
    BOOST_TEST((point == SyncPoint{7, "kept"}));
}

// ---- What a text costs.

BOOST_AUTO_TEST_CASE(values_are_counted_outside_of_strings) {
    BOOST_TEST(json::count_values("") == 1U);
    BOOST_TEST(json::count_values("7") == 1U);
    BOOST_TEST(json::count_values("[]") == 2U);
    BOOST_TEST(json::count_values("[1, 2, [3]]") == 5U);
    BOOST_TEST(json::count_values(R"({"a": 1, "b": {}})") == 6U);
    BOOST_TEST(json::count_values(R"(["[,:{", "\"[,", "\\", 1])") == 5U);
    BOOST_TEST(json::count_values(R"(["[[[[)") == 2U); // broken off
    BOOST_TEST(json::count_values("\"\\") == 1U);
}

BOOST_AUTO_TEST_CASE(a_text_of_too_many_values_is_refused_and_costs_no_memory) {
    std::string text(json::most_values - 1, ',');
    BOOST_TEST(json::cost_of(text) == 64 * json::most_values + 2 * text.size());
    text += ',';
    BOOST_CHECK_EXCEPTION((void)json::cost_of(text), Failure, [](const Failure& failure) {
        return failure.error() == Error::too_large;
    });
    BOOST_TEST(refusal([&] { (void)json::parse(text); }) == "more than 4000000 values");
    BOOST_TEST(refusal([] { (void)json::parse("[1,2,3,4]", 4); }) == "more than 4 values");
    BOOST_TEST(json::parse("[1,2,3]", 4).as_array().size() == 3U);
    BOOST_TEST(json::parse(R"(",,,,,,")", 4).as_string() == ",,,,,,");
}
