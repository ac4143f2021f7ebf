#include <replica/words/call.hpp>

#define BOOST_TEST_MODULE call
#include <boost/test/unit_test.hpp>

#include <string>

using namespace replica;
using namespace replica::message;

namespace {

bool is_bad_request(const Failure& failure) {
    BOOST_TEST_MESSAGE("  " << failure.what());
    return failure.error() == Error::bad_request;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_list_that_begins_with_a_name_is_a_call) {
    const Call call = decode_call("[\"sync\", 1, \"a\"]");
    BOOST_TEST(call.verb == "sync");
    BOOST_TEST(call.arguments.size() == 2U);
    BOOST_TEST(call.bytes.empty());
    BOOST_TEST(decode_call("[\n \"sync\"\n]\n").verb == "sync");
}

BOOST_AUTO_TEST_CASE(anything_else_is_refused) {
    for (const char* body : {"", "x", "{}", "7", "[]", "[7]", "[null, \"sync\"]", "[\"sync\"] x",
                             "[\"sync\"]\nbytes", "\n[\"put_file\"]\nbytes", "[\"put_file\"\n]"}) {
        BOOST_TEST_CONTEXT(body) {
            BOOST_CHECK_EXCEPTION(static_cast<void>(decode_call(body)), Failure, is_bad_request);
        }
    }
}

BOOST_AUTO_TEST_CASE(only_behind_the_line_of_put_file_there_are_bytes) {
    const std::string bytes("\0\n[,]\xff\n", 7);
    const std::string body = "[\"put_file\", 1]\n" + bytes;
    const Call call = decode_call(body);
    BOOST_TEST(call.verb == "put_file");
    BOOST_TEST(call.arguments.size() == 1U);
    BOOST_TEST((call.bytes == bytes));
    BOOST_TEST(decode_call("[\"put_file\", 1]\n").bytes.empty());
    BOOST_TEST(decode_call("[\"put_file\", 1]").bytes.empty());
    BOOST_TEST(Body::of("[\"put_file_2\", 1]\nx").bytes.empty());
}

BOOST_AUTO_TEST_CASE(bytes_cost_what_they_are_and_no_values_are_counted_in_them) {
    const std::string line = "[\"put_file\", 1]\n";
    BOOST_TEST(Body::of(line + std::string(1 << 20, ',')).cost() == 1U << 20);
    BOOST_TEST(Body::of(line).cost() == 0U);
    BOOST_TEST(Body::of("[" + std::string(100'000, ',')).cost() > 1U << 20);
}

BOOST_AUTO_TEST_CASE(too_few_and_too_many_arguments_are_refused) {
    const Call call = decode_call("[\"sync\", 1, 2]");
    BOOST_CHECK_NO_THROW(require_count(call, 2, 2));
    BOOST_CHECK_NO_THROW(require_count(call, 1, 3));
    BOOST_CHECK_EXCEPTION(require_count(call, 3, 3), Failure, is_bad_request);
    BOOST_CHECK_EXCEPTION(require_count(call, 0, 1), Failure, is_bad_request);
}
