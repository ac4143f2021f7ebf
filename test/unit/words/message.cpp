#include <replica/words/message.hpp>

#define BOOST_TEST_MODULE message
#include <replica/words/members.hpp>
#include <replica/words/merge_items.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::message;
using namespace std::string_literals;

namespace {

constexpr std::string_view hash = "e28cc9c78696a68b7920b82ab697f9c3";
const std::string file = std::string(hash) + ".db";

std::string refusal(const auto& action, Error error = Error::bad_request) {
    try {
        action();
    } catch (const Failure& failure) {
        BOOST_TEST((failure.error() == error), failure.what());
        return failure.what();
    }
    BOOST_ERROR("nothing was thrown");
    return {};
}

template <class Row>
MergeItems<Row> items(std::string_view body) {
    return decode_merge_items<Row>(decode_call(body));
}

// A stock 2.30.1 sender's and receiver's own words.
const std::string captured_sync =
    R"(["sync", 3, "536449b4b253594582d4a103d284a2b5", )"
    R"("14a9d8b0-29c8-4b24-a827-7d2dff881560-sdb1", )"
    R"("1795373597.20709", "1795351997.20423", "0", )"
    R"("{\"X-Container-Meta-Color\": [\"blue\", \"1795351998.20423\"]}", )"
    R"("1795351997.20423", 3, 0])";
const std::string captured_account_sync = R"(["sync", 5, "43a69042088e0d90bb17e80bb9c50fcc", )"
                                          R"("428fe7f3-d245-4ba3-bf5e-d30680915c50-sdb1", )"
                                          R"("1795373623.95631", "1795352023.95419", "0", ""])";
const std::string captured_rows =
    R"(["merge_items", [{"ROWID": 2, "name": "sn\u00f6w \u2603 \ud83d\ude00", )"
    R"("created_at": "1795373619.91886", "size": 5, )"
    R"("content_type": "text/plain;charset=utf-8;swift_bytes=9", )"
    R"("etag": "d41d8cd98f00b204e9800998ecf8427e", "deleted": 0, "storage_policy_index": 0}, )"
    R"({"ROWID": 3, "name": "gone", "created_at": "1795373619.91886_3+5+7", "size": 0, )"
    R"("content_type": "application/deleted", "etag": "noetag", "deleted": 1, )"
    R"("storage_policy_index": 1}], "86b350b3-2b9f-4895-b774-6734d8e1ad63-sdb1"])";
const std::string captured_account_rows =
    R"(["merge_items", [{"ROWID": 4, "name": "cont-00000003", )"
    R"("put_timestamp": "1795352023.95719", "delete_timestamp": "0", "object_count": 3, )"
    R"("bytes_used": 30, "deleted": 0, "storage_policy_index": 0}, )"
    R"({"ROWID": 5, "name": "cont-00000004", "put_timestamp": "1795352023.95819", )"
    R"("delete_timestamp": "0", "object_count": 4, "bytes_used": 40, "deleted": 0, )"
    R"("storage_policy_index": 0}], "428fe7f3-d245-4ba3-bf5e-d30680915c50-sdb1"])";
const std::string captured_reply =
    R"({"account": "AUTH_missing", "container": "missing-000000", )"
    R"("created_at": "1795373597.20709", "put_timestamp": "1795351997.20423", )"
    R"("delete_timestamp": "0", "status": "", "status_changed_at": "1795351997.20423", )"
    R"("bytes_used": 3, "reported_put_timestamp": "0", "reported_delete_timestamp": "0", )"
    R"("reported_object_count": 0, "reported_bytes_used": 0, )"
    R"("hash": "536449b4b253594582d4a103d284a2b5", )"
    R"("id": "34e32238-45f4-4f96-b4bf-e1f04f0fdaaa-srv", "x_container_sync_point1": -1, )"
    R"("x_container_sync_point2": -1, "storage_policy_index": 0, "db_state": "unsharded", )"
    R"("count": 3, "metadata": "{\"X-Container-Meta-Color\": [\"blue\", \"1795351998.20423\"]}", )"
    R"("max_row": 3, "shard_max_row": -1, "point": 3})";
const std::string captured_account_reply =
    R"({"account": "AUTH_behind-000002", "created_at": "1795373623.95631", )"
    R"("put_timestamp": "1795352023.95419", "delete_timestamp": "0", )"
    R"("status_changed_at": "1795352023.95419", "object_count": 3, "bytes_used": 30, )"
    R"("hash": "645b991a80c97afdba9eb1e6f8256dff", )"
    R"("id": "46b63a8d-be82-413d-a374-9b6409e8847a-sdb3", )"
    R"("count": 3, "metadata": "", "max_row": 3, "point": 3})";

} // namespace

BOOST_AUTO_TEST_CASE(a_sync_with_a_storage_policy_is_byte_for_byte_swifts) {
    const Sync sync = decode_sync(decode_call(captured_sync));
    BOOST_TEST(sync.max_row == 3);
    BOOST_TEST(sync.hash == "536449b4b253594582d4a103d284a2b5");
    BOOST_TEST(sync.id == "14a9d8b0-29c8-4b24-a827-7d2dff881560-sdb1");
    BOOST_TEST((sync.times == Timestamps{"1795373597.20709", "1795351997.20423", "0"}));
    BOOST_TEST(sync.metadata == R"({"X-Container-Meta-Color": ["blue", "1795351998.20423"]})");
    BOOST_TEST((sync.policy == PolicyArguments{"1795351997.20423", 3, 0}));
    BOOST_TEST(encode(sync) == captured_sync);
}

BOOST_AUTO_TEST_CASE(a_sync_of_seven_arguments_is_byte_for_byte_swifts) {
    const Sync sync = decode_sync(decode_call(captured_account_sync));
    BOOST_TEST(!sync.policy);
    BOOST_TEST(encode(sync) == captured_account_sync);
}

BOOST_AUTO_TEST_CASE(a_database_without_rows_says_minus_one) {
    Sync sync;
    sync.hash = std::string(32, '0');
    sync.id = "id-";
    BOOST_TEST(encode(sync) ==
               R"(["sync", -1, "00000000000000000000000000000000", "id-", "0", "0", "0", ""])");
    BOOST_TEST((decode_sync(decode_call(encode(sync))) == sync));
}

BOOST_AUTO_TEST_CASE(of_eight_or_nine_arguments_of_sync_seven_count) {
    std::string body = captured_account_sync;
    for (const char* more : {R"(, "0"])", ", 3]"}) {
        body.replace(body.size() - 1, 1, more);
        BOOST_TEST(!decode_sync(decode_call(body)).policy);
    }
    body.replace(body.size() - 1, 1, ", 1]");
    BOOST_TEST((decode_sync(decode_call(body)).policy == PolicyArguments{"0", 3, 1}));
    body.replace(body.size() - 1, 1, R"(, {"newer": null}])");
    BOOST_TEST((decode_sync(decode_call(body)).policy == PolicyArguments{"0", 3, 1}));
}

BOOST_AUTO_TEST_CASE(rows_of_objects_are_byte_for_byte_swifts) {
    const auto merge = items<ObjectRow>(captured_rows);
    BOOST_REQUIRE(merge.rows.size() == 2);
    BOOST_TEST(merge.rows[0].name == "sn\u00f6w \u2603 \U0001F600");
    BOOST_TEST(merge.rows[1].created_at == "1795373619.91886_3+5+7");
    BOOST_TEST(merge.rows[1].deleted == 1);
    BOOST_TEST(merge.rows[1].storage_policy_index == 1);
    BOOST_TEST(merge.source == "86b350b3-2b9f-4895-b774-6734d8e1ad63-sdb1");
    BOOST_TEST(merge.last_rowid == 3);
    BOOST_TEST(merge.set_aside.empty());
    BOOST_TEST(encode_rows(merge.rows, merge.source) == captured_rows);
}

BOOST_AUTO_TEST_CASE(rows_of_containers_are_byte_for_byte_swifts) {
    const auto merge = items<ContainerRow>(captured_account_rows);
    BOOST_REQUIRE(merge.rows.size() == 2);
    BOOST_TEST(merge.rows[1].object_count == 4);
    BOOST_TEST(encode_rows(merge.rows, merge.source) == captured_account_rows);
}

BOOST_AUTO_TEST_CASE(names_with_nul_survive_the_wire) {
    ObjectRow row;
    row.rowid = 1;
    row.name = "a\0b"s;
    row.created_at = "1795373619.91886";
    const auto body = encode_rows(std::vector{row}, "id");
    BOOST_TEST(body.find("a\\u0000b") != std::string::npos);
    BOOST_TEST((items<ObjectRow>(body).rows == std::vector{row}));
}

BOOST_AUTO_TEST_CASE(sync_points_and_finishes_are_byte_for_byte_swifts) {
    BOOST_TEST(encode(MergeSyncs{}) == R"(["merge_syncs", []])");
    BOOST_TEST(encode(MergeSyncs{{{2, "some-other-replica"}}}) ==
               R"(["merge_syncs", [{"sync_point": 2, "remote_id": "some-other-replica"}]])");
    BOOST_TEST(encode_finish(CompleteRsync{"14a9d8b0-29c8-4b24-a827-7d2dff881560-sdb1", file}) ==
               R"(["complete_rsync", "14a9d8b0-29c8-4b24-a827-7d2dff881560-sdb1", )"
               R"("e28cc9c78696a68b7920b82ab697f9c3.db"])");
    BOOST_TEST(encode_finish(RsyncThenMerge{"id-sdb1", file}) ==
               R"(["rsync_then_merge", "id-sdb1", "e28cc9c78696a68b7920b82ab697f9c3.db"])");
    BOOST_TEST(encode_finish(CompleteRsync{"id-sdb1", ""}) == R"(["complete_rsync", "id-sdb1"])");
}

BOOST_AUTO_TEST_CASE(the_answer_to_sync_is_byte_for_byte_swifts) {
    const auto container = decode_reply<ContainerInfo>(captured_reply);
    BOOST_TEST(container.info.container == "missing-000000");
    BOOST_TEST(container.info.shard_max_row == -1);
    BOOST_TEST(container.point == 3);
    BOOST_TEST(encode_reply(container.info, container.point) == captured_reply);
    const auto account = decode_reply<AccountInfo>(captured_account_reply);
    BOOST_TEST(account.info.object_count == 3);
    BOOST_TEST(encode_reply(account.info, account.point) == captured_account_reply);
}

BOOST_AUTO_TEST_CASE(an_old_peers_answer_without_the_newer_keys_is_read) {
    const auto reply =
        decode_reply<ContainerInfo>(R"({"id": "a", "hash": "b", "max_row": 3, "point": -1})");
    BOOST_TEST(reply.info.db_state == "unsharded");
    BOOST_TEST(reply.info.shard_max_row == -1);
    BOOST_TEST((reply.info.timestamps() == Timestamps{}));
}

BOOST_AUTO_TEST_CASE(an_answer_that_makes_no_sense_is_refused_by_name) {
    const auto refused = [](const std::string& body, Error error = Error::bad_request) {
        return refusal([&] { (void)decode_reply<AccountInfo>(body); }, error);
    };
    BOOST_TEST(refused("<html>").starts_with("not JSON"));
    BOOST_TEST(refused("[]", Error::bad_reply) == "the answer to sync is not an object");
    BOOST_TEST(refused("null", Error::bad_reply) == "the answer to sync is not an object");
    BOOST_TEST(refused(R"({"id": "a", "hash": "b", "max_row": 3})", Error::bad_reply) ==
               "the answer to sync has no point");
    BOOST_TEST(refused(R"({"id": "a", "max_row": 3, "point": 1})") ==
               "the answer to sync has no hash");
    BOOST_TEST(refused(R"({"id": "a", "hash": null, "max_row": 3, "point": 1})") ==
               "the answer to sync's hash must be a string");
    BOOST_TEST(refused(R"({"id": "a", "hash": "b", "max_row": "3", "point": 1})") ==
               "the answer to sync's max_row must be a whole number");
    BOOST_TEST(refused(R"({"id": "a", "hash": "b", "max_row": 3, "point": "1"})") ==
               "the answer to sync's point must be a whole number");
    BOOST_TEST(refused(R"({"id": "a", "hash": "b", "max_row": 3, "point": 1, "count": 1.5})") ==
               "the answer to sync's count must be a whole number");
    // Numbers that arithmetic would be done with.
    BOOST_TEST(
        refused(R"({"id": "a", "hash": "b", "max_row": -9223372036854775808, "point": 1})") ==
        "the answer to sync's max_row must be -1 or more");
    BOOST_TEST(refused(R"({"id": "a", "hash": "b", "max_row": 3, "point": -2})") ==
               "the answer to sync's point must be -1 or more");
    for (const std::string id : {"", "../a", "a\\u0000b"}) { // points of many would be those of one
        BOOST_TEST(refused(R"({"id": ")" + id + R"(", "hash": "b", "max_row": 3, "point": 1})") ==
                   "the answer to sync's id must be a plain name");
    }
    // Times that would be stored.
    for (const std::string key : {"created_at", "put_timestamp", "delete_timestamp"}) {
        BOOST_TEST(refused(R"({"id": "a", "hash": "b", "max_row": 3, "point": 1, ")" + key +
                           R"(": "soon"})") ==
                   "the answer to sync's " + key + " must be a timestamp");
    }
}

BOOST_AUTO_TEST_CASE(a_body_must_be_a_list_that_begins_with_a_name) {
    const auto refused = [](const std::string& body) {
        return refusal([&] { (void)decode_call(body); });
    };
    BOOST_TEST(refused("not JSON at all").starts_with("not JSON: "));
    BOOST_TEST(refused("").starts_with("not JSON: "));
    for (const char* body : {R"({"sync": 1})", R"("sync")", "7", "null", "true"}) {
        BOOST_TEST(refused(body) == "Invalid object type", body);
    }
    for (const char* body : {"[]", "[1]", "[null]", R"([["sync"]])", R"([{"pop": 0}])"}) {
        BOOST_TEST(refused(body) == "a list must begin with the name of an operation", body);
    }
    const Call call = decode_call(R"(["__class__", 1, null])");
    BOOST_TEST(call.verb == "__class__"); // known or not is the server's table's affair
    BOOST_TEST(call.arguments.size() == 2);
}

BOOST_AUTO_TEST_CASE(every_argument_of_sync_is_checked_and_named) {
    const std::vector<std::string> good{"3",      R"("h")", R"("id")",  R"("1.0")", R"("2.0")",
                                        R"("0")", R"("")",  R"("1.5")", "3",        "0"};
    const auto body = [&](std::size_t at, const std::string& value) {
        std::string text = R"(["sync")";
        for (std::size_t i = 0; i < good.size(); ++i) {
            text += ", " + (i == at ? value : good[i]);
        }
        return text + ']';
    };
    BOOST_TEST(decode_sync(decode_call(body(99, ""))).policy.has_value());
    const auto refused = [&](std::size_t at, const std::string& value) {
        return refusal([&] { (void)decode_sync(decode_call(body(at, value))); });
    };
    BOOST_TEST(refused(0, "\"3\"") == "sync's max_row must be a whole number");
    BOOST_TEST(refused(0, "3.5") == "sync's max_row must be a whole number");
    BOOST_TEST(refused(0, "9223372036854775808") == "sync's max_row must be a whole number");
    BOOST_TEST(refused(0, "-2") == "sync's max_row must be -1 or more");
    BOOST_TEST(refused(1, "null") == "sync's hash must be a string");
    BOOST_TEST(refused(2, "7") == "sync's id must be a string");
    for (const std::string bad :
         {R"("")", R"("..")", R"("a/b")", R"(".hidden")", R"("a\u0000b")"}) {
        BOOST_TEST(refused(2, bad) == "sync's id must be a plain name", bad);
    }
    for (const std::string bad : {R"("")", R"("soon")", R"("-1")", R"("1e9")", R"("1_0x")"}) {
        BOOST_TEST(refused(3, bad) == "sync's created_at must be a timestamp", bad);
        BOOST_TEST(refused(4, bad) == "sync's put_timestamp must be a timestamp", bad);
        BOOST_TEST(refused(5, bad) == "sync's delete_timestamp must be a timestamp", bad);
        BOOST_TEST(refused(7, bad) == "sync's status_changed_at must be a timestamp", bad);
    }
    BOOST_TEST(refused(6, "{}") == "sync's metadata must be a string");
    BOOST_TEST(refused(8, "null") == "sync's count must be a whole number");
    BOOST_TEST(refused(9, "true") == "sync's storage_policy_index must be a whole number");
    BOOST_TEST(refused(9, "-1") == "sync's storage_policy_index must be 0 or more");
    BOOST_TEST(refusal([] { (void)decode_sync(decode_call(R"(["sync", 3, "a"])")); }) ==
               "sync takes 7 or more arguments, not 2");
}

BOOST_AUTO_TEST_CASE(a_poison_row_is_set_aside_and_the_others_go_on) {
    const auto merge = items<ObjectRow>(R"(["merge_items", [
        {"ROWID": 5, "name": "good", "created_at": "1.0", "size": 1, "content_type": "a",
         "etag": "b", "deleted": 0},
        {"ROWID": 6, "name": null, "created_at": "1.0", "size": 1, "content_type": "a",
         "etag": "b", "deleted": 0},
        {"ROWID": 7, "name": "", "created_at": "1.0", "size": 1, "content_type": "a",
         "etag": "b", "deleted": 0},
        {"ROWID": 8, "name": "x", "created_at": "soon", "size": 1, "content_type": "a",
         "etag": "b", "deleted": 0},
        {"ROWID": 9, "name": "x", "created_at": "1.0", "size": 1.5, "content_type": "a",
         "etag": "b", "deleted": 0},
        {"ROWID": 10, "name": "x", "created_at": "1.0", "size": 1, "content_type": "a",
         "etag": "b", "deleted": 2},
        {"ROWID": 11, "name": "x"},
        {"ROWID": 12, "name": ["x"], "created_at": "1.0", "size": 1, "content_type": "a",
         "etag": "b", "deleted": 0},
        {"ROWID": 13, "name": "x", "created_at": null, "size": 1, "content_type": "a",
         "etag": "b", "deleted": 0}
        ], "id"])");
    BOOST_REQUIRE(merge.rows.size() == 1);
    BOOST_TEST(merge.rows[0].name == "good");
    BOOST_TEST(merge.rows[0].storage_policy_index == 0); // a peer that knows no policies
    BOOST_TEST(merge.last_rowid == 13);                  // the point goes past what was set aside
    const std::vector<std::string> expected{"row 6: no name",
                                            "row 7: no name",
                                            "row 8: created_at is no timestamp",
                                            "row 9: a row's size must be a whole number",
                                            "row 10: deleted is neither 0 nor 1",
                                            "row 11: a row has no created_at",
                                            "row 12: a row's name must be a string",
                                            "row 13: created_at is no timestamp"};
    BOOST_TEST(merge.set_aside == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_poison_row_of_an_account_is_set_aside) {
    const auto merge = items<ContainerRow>(R"(["merge_items", [
        {"ROWID": 1, "name": "a", "put_timestamp": "x", "delete_timestamp": "0",
         "object_count": 0, "bytes_used": 0, "deleted": 0},
        {"ROWID": 2, "name": "a", "put_timestamp": "0", "delete_timestamp": "-1",
         "object_count": 0, "bytes_used": 0, "deleted": 0},
        {"ROWID": 3, "name": "a", "put_timestamp": "0", "delete_timestamp": "0",
         "object_count": 0, "bytes_used": 0, "deleted": -1},
        {"ROWID": 4, "name": "a", "put_timestamp": "5.0", "delete_timestamp": "0",
         "object_count": 1, "bytes_used": 2, "deleted": 0}], "id"])");
    BOOST_TEST(merge.set_aside.size() == 3U);
    BOOST_REQUIRE(merge.rows.size() == 1);
    BOOST_TEST(merge.rows[0].rowid == 4);
}

BOOST_AUTO_TEST_CASE(the_nulls_of_an_old_database_do_not_cost_the_row) {
    const auto objects = items<ObjectRow>(R"(["merge_items", [{"ROWID": 1, "name": "a",
        "created_at": "1.0", "size": null, "content_type": null, "etag": null, "deleted": 0,
        "storage_policy_index": null}], "id"])");
    BOOST_REQUIRE(objects.rows.size() == 1);
    BOOST_TEST((objects.rows[0] == ObjectRow{1, "a", "1.0", 0, "", "", 0, 0}));
    const auto containers = items<ContainerRow>(R"(["merge_items", [{"ROWID": 1, "name": "a",
        "put_timestamp": "1.0", "delete_timestamp": null, "object_count": null,
        "bytes_used": null, "deleted": 0, "storage_policy_index": 0}, {"ROWID": 2, "name": "b",
        "put_timestamp": "", "delete_timestamp": "", "object_count": 0, "bytes_used": 0,
        "deleted": 0}], "id"])");
    BOOST_REQUIRE(containers.rows.size() == 2);
    BOOST_TEST(containers.rows[1].put_timestamp == "0");
    BOOST_TEST(containers.rows[1].delete_timestamp == "0");
    BOOST_TEST((containers.rows[0] == ContainerRow{1, "a", "1.0", "0", 0, 0, 0, 0}));
}

BOOST_AUTO_TEST_CASE(merge_items_of_the_wrong_shape_is_refused_whole) {
    const auto refused = [](const std::string& body) {
        return refusal([&] { (void)items<ObjectRow>(body); });
    };
    BOOST_TEST(refused(R"(["merge_items"])") == "merge_items takes 1 or more arguments, not 0");
    BOOST_TEST(refused(R"(["merge_items", [], "a", "b", 3])") ==
               "merge_items takes 1 or more arguments, not 4");
    BOOST_TEST(refused(R"(["merge_items", {}, "a"])") == "merge_items' rows must be a list");
    BOOST_TEST(refused(R"(["merge_items", null, "a"])") == "merge_items' rows must be a list");
    BOOST_TEST(refused(R"(["merge_items", [], 7])") == "merge_items' source must be a string");
    BOOST_TEST(refused(R"(["merge_items", [7], "a"])") == "a row must be an object");
    BOOST_TEST(refused(R"(["merge_items", [{"name": "x"}], "a"])") ==
               "a row's ROWID must be 0 or more");
    BOOST_TEST(refused(R"(["merge_items", [{"ROWID": "1", "name": "x"}], "a"])") ==
               "a row's ROWID must be a whole number");
    BOOST_TEST(refused(R"(["merge_items", [{"ROWID": null, "name": "x"}], "a"])") ==
               "a row's ROWID must be a whole number");
    BOOST_TEST(refused(R"(["merge_items", [{"ROWID": -1, "name": "x"}], "a"])") ==
               "a row's ROWID must be 0 or more");
    BOOST_TEST(refused(R"(["merge_items", [], "/etc/passwd"])") ==
               "merge_items' source must be a plain name");
}

BOOST_AUTO_TEST_CASE(merge_items_may_have_no_rows_or_no_source) {
    BOOST_TEST(items<ObjectRow>(R"(["merge_items", [], "id"])").rows.empty());
    BOOST_TEST(items<ObjectRow>(R"(["merge_items", []])").source.empty());
    BOOST_TEST(items<ObjectRow>(R"(["merge_items", [], null])").source.empty());
    const auto merge = items<ObjectRow>(R"(["merge_items", [{"name": "x", "created_at": "1.0",
        "size": 1, "content_type": "a", "etag": "b", "deleted": 0}]])");
    BOOST_TEST(merge.rows.size() == 1U);
    BOOST_TEST(merge.last_rowid == -1);
    BOOST_TEST(items<ObjectRow>(R"(["merge_items", [{"ROWID": -7, "name": "x"}]])").rows.empty());
}

BOOST_AUTO_TEST_CASE(rows_may_be_for_one_file_only) {
    const auto read = [](const std::string& body) {
        return decode_merge_items<ObjectRow>(decode_call(body));
    };
    const std::vector<ObjectRow> none;
    BOOST_TEST(encode_rows(none, "") == R"(["merge_items", [], ""])");
    BOOST_TEST(encode_rows(none, "", "an-id") == R"(["merge_items", [], "", "an-id"])");
    BOOST_TEST(read(encode_rows(none, "")).receiver.empty());
    BOOST_TEST(read(encode_rows(none, "", "an-id")).receiver == "an-id");
    for (const char* const bad :
         {R"(["merge_items", [], "", ""])", R"(["merge_items", [], "", "a/b"])",
          R"(["merge_items", [], "", 5])", R"(["merge_items", [], "", "a", "b"])"}) {
        BOOST_TEST(!refusal([&] { (void)read(bad); }).empty(), bad);
    }
}

BOOST_AUTO_TEST_CASE(points_may_be_for_one_file_only) {
    const auto read = [](const std::string& body) { return decode_merge_syncs(decode_call(body)); };
    const std::string any = encode(MergeSyncs{{{2, "r"}}});
    const std::string one = encode(MergeSyncs{{{2, "r"}}, "an-id"});
    BOOST_TEST(any == R"(["merge_syncs", [{"sync_point": 2, "remote_id": "r"}]])");
    BOOST_TEST(one == R"(["merge_syncs", [{"sync_point": 2, "remote_id": "r"}], "an-id"])");
    BOOST_TEST(read(any).receiver.empty());
    BOOST_TEST(read(one).receiver == "an-id");
    for (const char* const bad :
         {R"(["merge_syncs", [], ""])", R"(["merge_syncs", [], "a/b"])",
          R"(["merge_syncs", [], 5])", R"(["merge_syncs", [], "a", "b"])"}) {
        BOOST_TEST(!refusal([&] { (void)read(bad); }).empty(), bad);
    }
}

BOOST_AUTO_TEST_CASE(sync_points_are_numbers_and_never_text) {
    const auto points = [](const std::string& body) {
        return decode_merge_syncs(decode_call(body)).points;
    };
    BOOST_TEST(points(R"(["merge_syncs", []])").empty());
    BOOST_TEST((points(R"(["merge_syncs", [{"remote_id": "r", "sync_point": 2}]])") ==
                std::vector<SyncPoint>{{2, "r"}}));
    const auto refused = [&](const std::string& body) {
        return refusal([&] { (void)points(body); });
    };
    BOOST_TEST(refused(R"(["merge_syncs"])") == "merge_syncs takes 1 or more arguments, not 0");
    BOOST_TEST(refused(R"(["merge_syncs", {}])") == "merge_syncs' points must be a list");
    BOOST_TEST(refused(R"(["merge_syncs", [3]])") == "a sync point must be an object");
    BOOST_TEST(refused(R"(["merge_syncs", [{"remote_id": "r", "sync_point": "2"}]])") ==
               "a sync point's sync_point must be a whole number");
    BOOST_TEST(refused(R"(["merge_syncs", [{"remote_id": "r", "sync_point": null}]])") ==
               "a sync point's sync_point must be a whole number");
    BOOST_TEST(refused(R"(["merge_syncs", [{"remote_id": 5, "sync_point": 2}]])") ==
               "a sync point's remote_id must be a string");
    BOOST_TEST(refused(R"(["merge_syncs", [{"sync_point": 2}]])") ==
               "a sync point has no remote_id");
    BOOST_TEST(refused(R"(["merge_syncs", [{"remote_id": "r", "sync_point": -2}]])") ==
               "a sync point's sync_point must be -1 or more");
    BOOST_TEST(refused(R"(["merge_syncs", [{"remote_id": "", "sync_point": 2}]])") ==
               "a sync point's remote_id must be a plain name");
    // A stock peer has -1 for an id that it took while it was empty.
    BOOST_TEST((points(R"(["merge_syncs", [{"remote_id": "r", "sync_point": -1},
                                           {"remote_id": "s", "sync_point": 0}]])") ==
                std::vector<SyncPoint>{{0, "s"}}));
}

BOOST_AUTO_TEST_CASE(an_upload_is_finished_under_the_names_it_may_have) {
    const auto finish = [](const std::string& body) {
        return decode_finish<CompleteRsync>(decode_call(body), hash);
    };
    BOOST_TEST(finish(R"(["complete_rsync", "id-"])").file == file);
    BOOST_TEST(finish(R"(["complete_rsync", "id", ")" + file + "\"]").upload == "id");
    const std::string epoch = std::string(hash) + "_1795373597.20709.db";
    BOOST_TEST(finish(R"(["complete_rsync", "id", ")" + epoch + "\"]").file == epoch);
}

BOOST_AUTO_TEST_CASE(no_file_name_from_outside_leaves_its_directory) {
    const auto refused = [](const std::string& arguments) {
        return refusal(
            [&] {
                (void)decode_finish<RsyncThenMerge>(
                    decode_call("[\"rsync_then_merge\", " + arguments + "]"), hash);
            },
            Error::bad_name);
    };
    for (const std::string bad : {R"("")", R"(".")", R"("..")", R"("../x")", R"("/etc/passwd")",
                                  R"("a/b")", R"(".lock")", R"("a\u0000b")"}) {
        BOOST_TEST(refused(bad) == "rsync_then_merge's upload must be a plain name", bad);
    }
    BOOST_TEST(refused('"' + std::string(256, 'a') + '"') ==
               "rsync_then_merge's upload must be a plain name");
    const std::string other = "00000000000000000000000000000000.db";
    for (const std::string& bad :
         {""s, "x.db"s, other, std::string(hash), "../" + file, "/tmp/" + file, file + "/..",
          std::string(hash) + "_.db", std::string(hash) + "_1/2.db", std::string(hash) + "_x.db",
          file + ".pending", std::string(hash) + "x.db", "E28CC9C78696A68B7920B82AB697F9C3.db"s}) {
        BOOST_TEST(refused("\"id\", \"" + bad + '"') ==
                       "rsync_then_merge's file must be a database name of " + std::string(hash),
                   bad);
    }
}

BOOST_AUTO_TEST_CASE(a_finish_with_arguments_of_the_wrong_type_is_refused) {
    const auto refused = [](const std::string& body) {
        return refusal([&] { (void)decode_finish<CompleteRsync>(decode_call(body), hash); });
    };
    BOOST_TEST(refused(R"(["complete_rsync"])") ==
               "complete_rsync takes 1 or more arguments, not 0");
    BOOST_TEST(refused(R"(["complete_rsync", 7])") == "complete_rsync's upload must be a string");
    BOOST_TEST(refused(R"(["complete_rsync", "id", null])") ==
               "complete_rsync's file must be a string");
    BOOST_TEST(refused(R"(["complete_rsync", "id", "x", "y"])") ==
               "complete_rsync takes 1 or more arguments, not 3");
}
