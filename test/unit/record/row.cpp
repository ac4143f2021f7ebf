#include <replica/record/row.hpp>

#define BOOST_TEST_MODULE record_row
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace replica;

namespace {

const std::string one = "0000000001.00000";
const std::string two = "0000000002.00000";

RecordRow record(const std::string& time, const std::string& text) {
    return {-1, "k", time, text, 0};
}

RecordRow tombstone(const std::string& time) {
    return {-1, "k", time, "", 1};
}

/// What is stored after rows came in this order: each is read back before the next is joined.
RecordRow merged(const std::vector<RecordRow>& rows) {
    RecordState state = RecordState::of(rows.front());
    for (const RecordRow& row : rows) {
        state = RecordState::stored(state.row());
        state.join(RecordState::of(row));
    }
    return state.row();
}

} // namespace

BOOST_AUTO_TEST_CASE(the_newest_write_wins_whichever_came_first) {
    const RecordRow old_row = record(one, R"({"a": 9})");
    const RecordRow new_row = record(two, R"({"a": 1})");
    BOOST_TEST((merged({old_row, new_row}) == new_row));
    BOOST_TEST((merged({new_row, old_row}) == new_row));
    BOOST_TEST((merged({tombstone(one), new_row}) == new_row)); // written again
    BOOST_TEST((merged({new_row, tombstone(one)}) == new_row));
    BOOST_TEST((merged({old_row, tombstone(two)}) == tombstone(two)));
}

BOOST_AUTO_TEST_CASE(at_equal_times_a_tombstone_wins_then_the_greater_text) {
    const RecordRow low = record(one, R"({"a": 1})");
    const RecordRow high = record(one, R"({"a": 2})");
    BOOST_TEST((merged({low, high}) == high));
    BOOST_TEST((merged({high, low}) == high));
    BOOST_TEST((merged({high, tombstone(one)}) == tombstone(one)));
    BOOST_TEST((merged({tombstone(one), high}) == tombstone(one)));
}

BOOST_AUTO_TEST_CASE(a_join_tells_whether_anything_changed_and_whether_something_was_lost) {
    RecordState state = RecordState::of(record(one, R"({"a": 1})"));
    const Joined same = state.join(state);
    BOOST_TEST((!same.changed && !same.tie));
    const Joined lower = state.join(RecordState::of(record(one, R"({"a": 0})")));
    BOOST_TEST((!lower.changed && lower.tie));
    const Joined higher = state.join(RecordState::of(record(one, R"({"a": 3})")));
    BOOST_TEST((higher.changed && higher.tie));
    const Joined later = state.join(RecordState::of(record(two, "{}")));
    BOOST_TEST((later.changed && !later.tie));
}

BOOST_AUTO_TEST_CASE(records_end_the_same_in_any_order_and_any_number_of_times) {
    std::mt19937 random(3);
    for (int round = 0; round < 5000; ++round) {
        std::vector<RecordRow> rows;
        for (int i = 0; i < 2 + round % 4; ++i) { // few values: ties of every kind
            const std::string& time = random() % 2 == 0 ? one : two;
            rows.push_back(random() % 3 == 0
                               ? tombstone(time)
                               : record(time, "{\"a\": " + std::to_string(random() % 3) + '}'));
        }
        const RecordRow first = merged(rows);
        for (int order = 0; order < 4; ++order) {
            std::ranges::shuffle(rows, random);
            auto again = rows;
            again.push_back(rows[random() % rows.size()]);           // one comes twice
            again.insert(again.begin(), merged({rows[0], rows[1]})); // merged elsewhere
            BOOST_REQUIRE((merged(again) == first));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_tombstone_is_reclaimed_by_its_time_and_a_record_never) {
    const Timestamp limit = *Timestamp::parse(two);
    BOOST_TEST(RecordState::of(tombstone(one)).is_tombstone_from_before(limit));
    BOOST_TEST(!RecordState::of(tombstone(two)).is_tombstone_from_before(limit));
    BOOST_TEST(!RecordState::of(record(one, "{}")).is_tombstone_from_before(limit));
}

BOOST_AUTO_TEST_CASE(a_row_that_another_node_could_not_use_is_not_stored) {
    BOOST_TEST(unusable(record(one, R"({"a": "x", "b": 1, "c": true, "d": null})")).empty());
    BOOST_TEST(unusable(tombstone(one)).empty());
    BOOST_TEST(unusable(RecordRow{-1, "", one, "{}", 0}) == "no name");
    BOOST_TEST(!unusable(RecordRow{-1, "k", one, "{}", 2}).empty());
    BOOST_TEST(!unusable(RecordRow{-1, "k", one, "{}", 1}).empty()); // a tombstone with a text
    // 1.5 is a double, which goes as a text; the last is no whole number of 64 bits.
    for (const std::string text : {"", "x", "[]", "7", R"({"a": [1]})", R"({"a": {}})", "{\"a\": 1",
                                   R"({"a": 1.5})", R"({"a": 9223372036854775808})"}) {
        BOOST_TEST(!unusable(record(one, text)).empty(), text);
    }
    // One time in two forms would give equal rows two hashes.
    for (const std::string time : {"", "x", "0", "1", "1.00000", "0000000001.00000_0"}) {
        BOOST_TEST(!unusable(record(time, "{}")).empty(), time);
    }
}

// Else a text of empty lists in a large request would take several times the memory that is
// counted.
BOOST_AUTO_TEST_CASE(a_record_with_very_many_members_is_not_stored) {
    const auto with = [](int members) {
        std::string text = "{";
        for (int i = 0; i < members; ++i) {
            text += (i == 0 ? "\"m" : ", \"m") + std::to_string(i) + "\": 1";
        }
        return text + '}';
    };
    BOOST_TEST(unusable(record(one, with(400))).empty());
    BOOST_TEST(!unusable(record(one, with(600))).empty());
    BOOST_TEST(!unusable(record(one, "{\"a\": [" + std::string(2000, '[') + "]}")).empty());
    BOOST_TEST(unusable(record(one, "{\"a\": \"" + std::string(5000, ',') + "\"}")).empty());
}

BOOST_AUTO_TEST_CASE(a_row_is_as_old_as_its_time) {
    BOOST_TEST((newest_time(record(two, "{}")) == *Timestamp::parse(two)));
    BOOST_TEST((newest_time(record("x", "{}")) == Timestamp{}));
}

BOOST_AUTO_TEST_CASE(a_row_without_a_name_or_time_is_no_news_and_a_stored_one_counts_as_old) {
    BOOST_CHECK_THROW((void)RecordState::of(RecordRow{-1, "", one, "{}", 0}), Failure);
    BOOST_CHECK_THROW((void)RecordState::of(record("x", "{}")), Failure);
    BOOST_TEST((RecordState::stored(record("x", "{}")).time == Timestamp{}));
}

BOOST_AUTO_TEST_CASE(the_name_of_a_database_gives_its_place) {
    BOOST_TEST(RecordInfo("notes").name() == "/notes");
    BOOST_TEST(RecordInfo().account.empty());
}

BOOST_AUTO_TEST_CASE(a_row_goes_and_comes_as_json) {
    const RecordRow row{7, "k", one, R"({"text": "\u00e4"})", 0};
    std::string out = "{";
    json::append_members(out, row);
    out += '}';
    BOOST_TEST(out == R"({"ROWID": 7, "name": "k", "changed_at": "0000000001.00000", )"
                      R"("record": "{\"text\": \"\\u00e4\"}", "deleted": 0})");
    RecordRow read;
    json::read_members(json::parse(out).get_object(), read, "a row",
                       [](std::string_view) { return true; });
    BOOST_TEST((read == row));
}
