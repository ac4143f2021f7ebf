#include <replica/words/compare.hpp>

#define BOOST_TEST_MODULE words_compare
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace replica;
using message::Compare;
using message::Compared;

namespace {

Compare decode(const std::string& text) {
    return message::decode_compare(message::decode_call(text));
}

std::string with_sums(std::size_t count, const std::string& key = "1") {
    std::string text = "[\"compare\", " + key + ", [";
    for (std::size_t i = 0; i < count; ++i) {
        text += i == 0 ? "0" : ", 0";
    }
    return text + "]]";
}

} // namespace

BOOST_AUTO_TEST_CASE(a_question_comes_back_as_it_was) {
    Compare ask{std::numeric_limits<std::uint64_t>::max(), std::vector<std::uint64_t>(128)};
    ask.sums[3] = std::numeric_limits<std::uint64_t>::max() / 2 + 5;
    const Compare read = decode(message::encode(ask));
    BOOST_TEST(read.key == ask.key);
    BOOST_TEST(read.sums == ask.sums, boost::test_tools::per_element());
    BOOST_TEST(read.groups() == 2U);
}

BOOST_AUTO_TEST_CASE(sums_are_64_for_each_of_one_two_four_up_to_256_groups) {
    for (const std::size_t good : {64U, 128U, 256U, 64U * 256}) {
        BOOST_TEST(decode(with_sums(good)).sums.size() == good);
    }
    for (const std::size_t bad : {0U, 1U, 63U, 65U, 192U, 64U * 512}) {
        BOOST_CHECK_THROW((void)decode(with_sums(bad)), Failure);
    }
}

BOOST_AUTO_TEST_CASE(a_question_of_another_form_is_refused) {
    for (const std::string& text :
         {std::string("[\"compare\"]"), std::string("[\"compare\", 1]"),
          std::string("[\"compare\", 1, 2]"), std::string("[\"compare\", 1, [], 3]"),
          with_sums(64, "\"1\""), with_sums(64, "null"), with_sums(64, "1.5")}) {
        BOOST_CHECK_THROW((void)decode(text), Failure);
    }
}

BOOST_AUTO_TEST_CASE(an_answer_comes_back_as_it_was) {
    const Compared answer{
        "an-id",
        true,
        {{0, 5, {{1, 2, 3}}},
         {7, std::numeric_limits<std::uint64_t>::max(), {{4, 5, -6}, {7, 8, 9}}}}};
    const std::string text = message::encode(answer);
    BOOST_TEST(text == "{\"id\": \"an-id\", \"sound\": 1, \"groups\": "
                       "[[0, 5, 1, 2, 3], [7, -1, 4, 5, -6, 7, 8, 9]]}");
    const Compared read = message::decode_compared(text, 8);
    BOOST_TEST(read.id == "an-id");
    BOOST_TEST(read.sound);
    BOOST_TEST((read.unlike == answer.unlike));
    BOOST_TEST(!message::decode_compared(message::encode(Compared{"x", false, {}}), 1).sound);
}

BOOST_AUTO_TEST_CASE(an_answer_that_makes_no_sense_is_refused) {
    const auto with = [](const std::string& groups) {
        return R"({"id": "x", "sound": 1, "groups": )" + groups + '}';
    };
    BOOST_TEST(message::decode_compared(with("[[0, 1], [3, 1]]"), 4).unlike.size() == 2U);
    for (const std::string& text :
         {std::string(), std::string("[]"), std::string("{}"),
          std::string(R"({"id": "x", "sound": 1})"),
          std::string(R"({"id": "a/b", "sound": 1, "groups": []})"),
          std::string(R"({"id": 1, "sound": 1, "groups": []})"),
          std::string(R"({"id": "x", "sound": "yes", "groups": []})"), with("{}"), with("[3]"),
          with("[[]]"), with("[[0]]"), with("[[0, 0]]"), with("[[4, 1]]"), with("[[-1, 1]]"),
          with("[[1, 1], [1, 1]]"), with("[[1, 1], [0, 1]]"), with("[[0, 1, 5]]"),
          with("[[0, 1, 5, 6, \"7\"]]")}) {
        BOOST_CHECK_THROW((void)message::decode_compared(text, 4), Failure);
    }
}
