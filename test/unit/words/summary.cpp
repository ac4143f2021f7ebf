#include <replica/words/summary.hpp>

#define BOOST_TEST_MODULE summary_words
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace replica;

namespace {

message::AskSummary ask(const std::string& body) {
    return message::decode_ask_summary(message::decode_call(body));
}

bool is_bad(const Failure& failure) {
    return failure.error() == Error::bad_request || failure.error() == Error::bad_reply;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_question_comes_out_as_it_went_in) {
    const auto read = ask(message::encode(message::AskSummary{7, 64}));
    BOOST_TEST(read.device == 7);
    BOOST_TEST(read.cells == 64);
}

BOOST_AUTO_TEST_CASE(a_question_that_cannot_be_read_is_refused) {
    for (const char* const body :
         {R"(["summary"])", R"(["summary", 1])", R"(["summary", 1, 64, 0])",
          R"(["summary", "1", 64])", R"(["summary", 1, 0])", R"(["summary", 1, -1])",
          R"(["summary", 1, 16385])", R"(["summary", 1, 6.5])"}) {
        BOOST_TEST_CONTEXT(body) {
            BOOST_CHECK_EXCEPTION((void)ask(body), Failure, is_bad);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_summary_comes_out_as_it_went_in) {
    const std::vector<Sketch::Cell> cells{
        {std::numeric_limits<std::uint64_t>::max(), std::numeric_limits<std::uint32_t>::max(), -1},
        {0, 0, std::numeric_limits<std::int32_t>::min()},
        {7, 8, 9}};
    const auto read = message::decode_summary(message::encode(Summary{3, 2, Sketch(cells)}));
    BOOST_TEST(read.walked == 3);
    BOOST_TEST(read.databases == 2);
    BOOST_TEST((read.sketch.cells() == cells));
}

BOOST_AUTO_TEST_CASE(a_summary_that_cannot_be_read_is_refused) {
    std::string many = R"({"walked": 1, "databases": 1, "cells": [0)";
    for (std::size_t i = 1; i < 3 * 16385; ++i) {
        many += ", 0";
    }
    many += "]}";
    for (const std::string& body :
         {std::string("[]"), std::string("{}"), std::string(R"({"walked": 1, "databases": 1})"),
          std::string(R"({"walked": 1, "databases": 1, "cells": {}})"),
          std::string(R"({"walked": 1, "databases": 1, "cells": [1, 2]})"),
          std::string(R"({"walked": 1, "databases": 1, "cells": [1, 2, "3"]})"),
          std::string(R"({"walked": "1", "databases": 1, "cells": []})"), many}) {
        BOOST_TEST_CONTEXT(body.substr(0, 60)) {
            BOOST_CHECK_THROW((void)message::decode_summary(body), Failure);
        }
    }
}
