#include <replica/words/along.hpp>

#define BOOST_TEST_MODULE along_words
#include <replica/words/members.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>
#include <vector>

using namespace replica;

namespace {

const std::string id = "0123-sda";
const std::vector<SyncPoint> points{{7, "other-sdb"}};
const std::vector<ObjectRow> rows{{4, "a", "0000000001.00000", 1, "text/plain", "e", 0, 0},
                                  {6, "b", "0000000002.00000", 2, "text/plain", "e", 1, 0}};
const message::Sync of_account{6, std::string(32, 'a'), id, {"1", "1", "0"}, {}, {}};
const message::Sync of_container{6,  std::string(32, 'a'),      id, {"1", "1", "0"},
                                 {}, PolicyArguments{"1", 2, 0}};

message::Call call(std::string_view argument) {
    return message::decode_call(message::encode_with(of_account, argument));
}

} // namespace

BOOST_AUTO_TEST_CASE(rows_and_points_come_out_as_they_went_in) {
    for (const message::Sync& sync : {of_account, of_container}) {
        const std::string body =
            message::encode_with(sync, message::encode_along(3, 9, rows, points));
        const message::Call read = message::decode_call(body);
        BOOST_TEST((message::decode_sync(read) == sync)); // nothing else is changed by them
        BOOST_REQUIRE(message::asks_along(read));
        const auto along = message::decode_along<ObjectRow>(read, id);
        BOOST_REQUIRE(along.has_value());
        BOOST_TEST(along->base == 3);
        BOOST_TEST(along->last == 9);
        BOOST_TEST(along->items.source == id);
        BOOST_TEST(along->items.rows.size() == 2U);
        BOOST_TEST(along->items.rows[1].name == "b");
        BOOST_TEST(along->items.last_rowid == 6);
        BOOST_TEST((along->syncs.points == points));
    }
}

BOOST_AUTO_TEST_CASE(an_empty_object_only_asks) {
    const message::Call read = call(message::takes_rows);
    BOOST_TEST(message::asks_along(read));
    BOOST_TEST(!message::decode_along<ObjectRow>(read, id).has_value());
}

BOOST_AUTO_TEST_CASE(a_sync_without_the_argument_is_as_it_was) {
    BOOST_TEST(message::encode_with(of_container, {}) == message::encode(of_container));
    BOOST_TEST(!message::asks_along(call({})));
    BOOST_TEST(!message::asks_along({"sync", {}}));
    BOOST_TEST(!message::asks_along(call(R"({"of": "another version"})")));
    BOOST_TEST(!message::asks_along(message::decode_call(message::encode(of_container))));
}

BOOST_AUTO_TEST_CASE(an_argument_that_cannot_be_read_is_refused) {
    struct Row {
        const char* argument;
        const char* why;
    };
    const Row table[] = {
        {R"({"last": 9, "rows": [], "points": []})", "no base"},
        {R"({"base": 3, "rows": [], "points": []})", "no last"},
        {R"({"base": 3, "last": 9, "rows": []})", "no points"},
        {R"({"base": -2, "last": 9, "rows": [], "points": []})", "base must be -1 or more"},
        {R"({"base": "3", "last": 9, "rows": [], "points": []})", "base"},
        {R"({"base": 3, "last": 9, "rows": {}, "points": []})", "rows must be a list"},
        {R"({"base": 3, "last": 9, "rows": [7], "points": []})", "a row must be an object"},
        {R"({"base": 3, "last": 9, "rows": [{"ROWID": -4}], "points": []})", "ROWID"},
        {R"({"base": 3, "last": 9, "rows": [], "points": [1]})", "a sync point must be"},
        // A point below the rows would have them sent again, and nobody of ours writes it.
        {R"({"base": 3, "last": 5, "rows": [{"ROWID": 6}], "points": []})", "last must be 6"},
    };
    for (const Row& row : table) {
        BOOST_CHECK_EXCEPTION((void)message::decode_along<ObjectRow>(call(row.argument), id),
                              Failure, [&](const Failure& failure) {
                                  BOOST_TEST_INFO(row.argument << ": " << failure.what());
                                  return failure.error() == Error::bad_request &&
                                         std::string(failure.what()).find(row.why) !=
                                             std::string::npos;
                              });
    }
}

BOOST_AUTO_TEST_CASE(a_row_that_cannot_be_stored_is_set_aside_and_counts_for_the_last) {
    const auto along = message::decode_along<ObjectRow>(
        call(R"({"base": 3, "last": 9, "rows": [{"ROWID": 8, "name": ""}], "points": []})"), id);
    BOOST_REQUIRE(along.has_value());
    BOOST_TEST(along->items.rows.empty());
    BOOST_TEST(along->items.set_aside.size() == 1U);
    BOOST_TEST(along->items.last_rowid == 8);
}

BOOST_AUTO_TEST_CASE(the_answer_tells_what_was_merged) {
    ContainerInfo info;
    info.id = "peer-sda";
    info.created_at = info.put_timestamp = info.delete_timestamp = "1";
    const std::string plain = message::encode_reply(info, 5);
    BOOST_TEST(!message::decode_reply<ContainerInfo>(plain).merged.has_value());
    for (const std::int64_t merged : {-1, 0, 9}) {
        const auto reply =
            message::decode_reply<ContainerInfo>(message::with_merged(plain, merged));
        BOOST_REQUIRE(reply.merged.has_value());
        BOOST_TEST(*reply.merged == merged);
        BOOST_TEST(reply.point == 5);
        BOOST_TEST(reply.info.id == info.id);
    }
    const std::string wrong = plain.substr(0, plain.size() - 1) + ", \"merged\": \"all\"}";
    BOOST_CHECK_THROW((void)message::decode_reply<ContainerInfo>(wrong), Failure);
}
