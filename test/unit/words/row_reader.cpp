#include <replica/words/row_reader.hpp>

#define BOOST_TEST_MODULE row_reader
#include <replica/words/members.hpp>
#include <replica/words/merge_items.hpp>
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::message;
using namespace std::string_literals;

namespace {

std::vector<ObjectRow> three_rows() {
    std::vector<ObjectRow> rows(3);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].rowid = static_cast<std::int64_t>(i) + 7;
        rows[i].name = "sn\u00f6w \u2603 \U0001F600 \"quoted\" \\ \0 "s + std::to_string(i);
        rows[i].created_at = "1795373619.91886_3+5+7";
        rows[i].size = std::int64_t{1} << (20 * i);
        rows[i].content_type = std::string(3000 * i, 'x');
        rows[i].deleted = i == 1 ? 1 : 0;
        rows[i].storage_policy_index = 2;
    }
    return rows;
}

constexpr std::string_view first_row =
    R"({"ROWID": 3, "name": "a", "created_at": "1795373619.91886", "size": 5, )"
    R"("content_type": "t", "etag": "e", "deleted": 0, "storage_policy_index": 0})";

std::string with_row(std::string_view row) {
    return "[\"merge_items\", [" + std::string(row) + "], \"id\"]";
}

std::string changed(std::string_view what, std::string_view into) {
    std::string row(first_row);
    const std::size_t at = row.find(what);
    BOOST_REQUIRE(at != std::string::npos);
    return with_row(row.replace(at, what.size(), into));
}

/// What a decoding gives, an error included, as one text. `call` decodes the list.
std::string outcome_of(const auto& call) {
    try {
        const auto items = decode_merge_items<ObjectRow>(call());
        std::string text = encode_rows(items.rows, items.source) + items.receiver + ' ' +
                           std::to_string(items.last_rowid);
        for (const std::string& what : items.set_aside) {
            text += '\n' + what;
        }
        return text;
    } catch (const Failure& failure) {
        return failure.what();
    }
}

std::string outcome(const std::string& text) {
    return outcome_of([&] { return decode_call(text); });
}
std::string document_outcome(const std::string& text) {
    return outcome_of([&] { return decode_document(Body{text}); });
}

} // namespace

BOOST_AUTO_TEST_CASE(rows_are_read_as_they_were_written) {
    const auto rows = three_rows();
    const auto read = read_rows<ObjectRow>(encode_rows(rows, "id", "receiver"));
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST((read->rows == rows));
    BOOST_TEST(read->source == "id");
    BOOST_TEST(read->receiver == "receiver");
    ContainerRow row;
    row.rowid = 4;
    row.name = "c";
    row.object_count = -1;
    const auto container = read_rows<ContainerRow>(encode_rows(std::vector{row}, ""));
    BOOST_REQUIRE(container.has_value());
    BOOST_TEST((container->rows == std::vector{row}));
    BOOST_TEST(container->source == "");
}

BOOST_AUTO_TEST_CASE(members_come_in_any_order_some_may_be_missing_and_spaces_do_not_matter) {
    const auto read = read_rows<ObjectRow>(
        R"( ["merge_items",[ {"etag":"e","name":"a","created_at":"1","size":-5,"deleted":0,)"
        R"("content_type":"t"} , {"deleted":1,"etag":"e","size":6,"content_type":"t",)"
        R"("created_at":"2","name":"b","ROWID":9,"storage_policy_index":3} ] ] )");
    BOOST_REQUIRE(read.has_value());
    BOOST_REQUIRE(read->rows.size() == 2U);
    BOOST_TEST(read->rows[0].rowid == -1);
    BOOST_TEST(read->rows[0].size == -5);
    BOOST_TEST(read->rows[0].storage_policy_index == 0);
    BOOST_TEST(read->rows[1].name == "b");
    BOOST_TEST(read->rows[1].rowid == 9);
    BOOST_TEST(read->rows[1].storage_policy_index == 3);
    BOOST_TEST(read->source == "");
}

BOOST_AUTO_TEST_CASE(whatever_is_unusual_is_left_to_the_document) {
    for (const std::string& text : {changed("\"size\": 5", "\"size\": null"),
                                    changed("\"size\": 5", "\"size\": 5.0"),
                                    changed("\"size\": 5", "\"size\": \"5\""),
                                    changed("\"size\": 5", "\"size\": true"),
                                    changed("\"size\": 5", "\"size\": 9223372036854775808"),
                                    changed("\"size\": 5", "\"size\": [5]"),
                                    changed("\"size\": 5", "\"size\": {\"a\": 5}"),
                                    changed("\"size\": 5", "\"newer\": 5, \"size\": 5"),
                                    changed("\"a\"", "1"),
                                    changed("\"name\": \"a\", ", ""),
                                    with_row("[]"),
                                    with_row("1"),
                                    with_row("\"a\""),
                                    with_row("[{}]"),
                                    R"(["merge_items"])"s,
                                    R"(["merge_items", {}])"s,
                                    R"(["merge_items", [], null])"s,
                                    R"(["merge_items", [], "a", null])"s,
                                    R"(["merge_items", [], "a", ""])"s,
                                    R"(["merge_items", [], "a", "b", "c"])"s,
                                    R"(["merge_items", [], []])"s,
                                    R"(["merge_syncs", []])"s,
                                    R"({"merge_items": []})"s,
                                    R"("merge_items")"s,
                                    "[]"s,
                                    ""s,
                                    "7"s}) {
        BOOST_TEST(!read_rows<ObjectRow>(text).has_value(), text);
        BOOST_TEST(outcome(text) == document_outcome(text), text);
    }
}

BOOST_AUTO_TEST_CASE(the_last_of_two_members_of_one_name_counts_as_in_a_document) {
    const std::string text = changed("\"size\": 5", "\"size\": 5, \"size\": 6");
    BOOST_REQUIRE(read_rows<ObjectRow>(text).has_value());
    BOOST_TEST(read_rows<ObjectRow>(text)->rows[0].size == 6);
    BOOST_TEST(outcome(text) == document_outcome(text));
}

BOOST_AUTO_TEST_CASE(a_text_that_ends_early_or_late_is_no_list_of_rows) {
    const std::string text = with_row(first_row);
    BOOST_REQUIRE(read_rows<ObjectRow>(text).has_value());
    for (std::size_t size = 0; size < text.size(); ++size) {
        BOOST_TEST(!read_rows<ObjectRow>(text.substr(0, size)).has_value(), size);
    }
    for (const char* const more : {"]", "x", "[]", ", 1"}) {
        BOOST_TEST(!read_rows<ObjectRow>(text + more).has_value(), more);
    }
    BOOST_TEST(read_rows<ObjectRow>(text + " \n").has_value());
}

BOOST_AUTO_TEST_CASE(rows_that_cannot_be_stored_are_set_aside_whichever_way_they_are_read) {
    for (const std::string& text :
         {changed("\"a\"", "\"\""), changed("\"1795373619.91886\"", "\"soon\""),
          changed("\"deleted\": 0", "\"deleted\": 2"), changed("\"ROWID\": 3", "\"ROWID\": -4")}) {
        BOOST_REQUIRE(read_rows<ObjectRow>(text).has_value());
        BOOST_TEST(outcome(text) == document_outcome(text), text);
    }
    BOOST_TEST(outcome(R"(["merge_items", [], "../a"])") ==
               "merge_items' source must be a plain name");
    BOOST_TEST(outcome(R"(["merge_items", [], "a", "../b"])") ==
               "merge_items' receiver must be a plain name");
}

BOOST_AUTO_TEST_CASE(whatever_is_changed_in_a_text_both_ways_say_the_same) {
    auto few = three_rows();
    few[1].content_type.resize(20);
    few[2].content_type.resize(20);
    const std::string text = encode_rows(few, "id", "receiver");
    Random random(7);
    int usual = 0;
    for (int tries = 0; tries < 20'000; ++tries) {
        std::string spoilt = text;
        for (auto count = random.next() % 3 + 1; count > 0; --count) {
            const std::size_t at = static_cast<std::size_t>(random.next() % spoilt.size());
            constexpr std::string_view others = "\"\\[]{},: 019.-eau\x01\xc3n";
            const char other = others[static_cast<std::size_t>(random.next() % others.size())];
            switch (random.next() % 3) {
            case 0:
                spoilt[at] = other;
                break;
            case 1:
                spoilt.insert(at, 1, other);
                break;
            default:
                spoilt.erase(at, 1);
            }
        }
        usual += read_rows<ObjectRow>(spoilt) ? 1 : 0;
        const std::string expected = document_outcome(spoilt);
        if (outcome(spoilt) != expected) {
            BOOST_ERROR(spoilt << ": " << outcome(spoilt) << " and not " << expected);
        }
    }
    BOOST_TEST(usual > 2000);
    BOOST_TEST(usual < 18'000);
}
