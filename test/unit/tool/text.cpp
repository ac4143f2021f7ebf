#include <replica/tool/text.hpp>

#define BOOST_TEST_MODULE tool_text
#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

using namespace replica;
using namespace replica::tool;

namespace {

std::string lines(const std::string& json) {
    return lines_of(boost::json::parse(json).as_object());
}

} // namespace

BOOST_AUTO_TEST_CASE(a_time_is_a_date) {
    BOOST_TEST(date_of(Timestamp::from_seconds(1'700'000'000.75)) == "2023-11-14 22:13:20 UTC");
    BOOST_TEST(date_of(Timestamp::from_seconds(0)) == "1970-01-01 00:00:00 UTC");
    BOOST_TEST(date_of(Timestamp::from_seconds(1'709'251'199)) == "2024-02-29 23:59:59 UTC");
    BOOST_TEST(date_of(Timestamp::from_seconds(1'709'251'200)) == "2024-03-01 00:00:00 UTC");
}

BOOST_AUTO_TEST_CASE(each_value_has_a_line_in_the_order_of_the_object) {
    BOOST_TEST(lines(R"({"b": 1, "a": "text", "c": true, "d": null})") ==
               "b: 1\na: text\nc: true\nd: null\n");
}

BOOST_AUTO_TEST_CASE(what_is_nested_is_indented) {
    BOOST_TEST(lines(R"({"a": {"b": {"c": 1}}, "list": [{"x": 1}, {"x": 2}]})") ==
               "a:\n  b:\n    c: 1\nlist:\n-\n  x: 1\n-\n  x: 2\n");
}

BOOST_AUTO_TEST_CASE(what_is_empty_says_so) {
    BOOST_TEST(lines(R"({"a": {}, "b": [], "c": ""})") == "a: none\nb: none\nc: \n");
}

BOOST_AUTO_TEST_CASE(a_time_has_its_date_behind_it_where_it_is_one) {
    BOOST_TEST(lines(R"({"created_at": "1700000000.00000", "put_timestamp": "0", "time": "x",
                         "name": "1700000000.00000"})") ==
               "created_at: 1700000000.00000 (2023-11-14 22:13:20 UTC)\nput_timestamp: 0\n"
               "time: x\nname: 1700000000.00000\n");
}

BOOST_AUTO_TEST_CASE(a_name_cannot_move_the_cursor_of_a_terminal) {
    BOOST_TEST(printable("a\x1b[2Jb\n\x7f") == "a\\x1b[2Jb\\x0a\\x7f");
    BOOST_TEST(printable("gr\xc3\xbc\xc3\x9f"
                         "e") == "gr\xc3\xbc\xc3\x9f"
                                 "e");
    BOOST_TEST(lines(R"({"a\u001b": "b\u0007"})") == "a\\x1b: b\\x07\n");
}

BOOST_AUTO_TEST_CASE(columns_are_as_wide_as_their_widest) {
    BOOST_TEST(table_of({{"A", "LONG", "C"}, {"long", "b", "c"}, {"x"}}) ==
               "A     LONG  C\nlong  b     c\nx\n");
    BOOST_TEST(table_of({}).empty());
}
