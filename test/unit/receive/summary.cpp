#include <replica/receive/summary.hpp>

#define BOOST_TEST_MODULE receive_summary
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

using namespace replica;

namespace {

const message::Call call = message::decode_call(R"(["summary", 7, 4])");

} // namespace

BOOST_AUTO_TEST_CASE(a_node_without_a_replicator_has_none) {
    BOOST_TEST(answer_summary(call, "sda", {}).status == 404);
    const auto unknown = [](const std::string&, std::int64_t, std::size_t) {
        return std::optional<Summary>();
    };
    BOOST_TEST(answer_summary(call, "sda", unknown).status == 404);
}

BOOST_AUTO_TEST_CASE(the_answer_is_what_the_replicator_knows) {
    const Reply reply = answer_summary(
        call, "sda", [](const std::string& device, std::int64_t peer, std::size_t cells) {
            BOOST_TEST(device == "sda");
            BOOST_TEST(peer == 7);
            return std::optional(Summary{5, 2, Sketch(cells)});
        });
    BOOST_TEST(reply.status == 200);
    const Summary summary = message::decode_summary(reply.body);
    BOOST_TEST(summary.walked == 5);
    BOOST_TEST(summary.sketch.cells().size() == 4U);
}

BOOST_AUTO_TEST_CASE(a_question_that_cannot_be_read_is_a_failure) {
    const auto bad = message::decode_call(R"(["summary", 7])");
    BOOST_CHECK_THROW((void)answer_summary(bad, "sda", {}), Failure);
}
