#include <replica/rows/merge.hpp>

#define BOOST_TEST_MODULE sqlite_row_merge
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace replica;

namespace {

ObjectRow object(const std::string& created_at, std::int64_t size = 1,
                 const std::string& type = "text/plain", const std::string& etag = "e",
                 std::int64_t deleted = 0) {
    return {-1, "o", created_at, size, type, etag, deleted, 0};
}

/// What is stored after rows came in this order: each is read back before the next is joined.
template <class State>
typename State::row_type merged(const std::vector<typename State::row_type>& rows,
                                RowOrigin origin = RowOrigin::news) {
    State state = State::of(rows.front());
    for (const auto& row : rows) {
        state = State::stored(state.row());
        state.join(State::of(row), origin);
    }
    return state.row();
}

ObjectRow merge(const std::vector<ObjectRow>& rows) {
    return merged<ObjectState>(rows);
}

/// Few values, so that ties of every kind come up: equal times, offsets, metadata older than the
/// type. A type is never older than its data.
ObjectRow random_object(std::mt19937& random) {
    const auto one_of = [&](std::vector<std::string> choices) {
        return choices[random() % choices.size()];
    };
    return object(one_of({"0000000001.00000", "0000000001.00001", "0000000001.00002",
                          "0000000001.00001_1", "0000000001.00001_2"}) +
                      one_of({"", "", "+1", "+0+1", "+1+1", "+1-1", "+0-1", "+2"}),
                  random() % 3,
                  one_of({"text/plain", "image/png", "text/plain;swift_bytes=5",
                          "text/plain; swift_bytes=6;charset=x", "application/deleted"}),
                  one_of({"e1", "e2"}), static_cast<std::int64_t>(random() % 2));
}

/// One report for each time, since of two reports of one time none is the newer.
ContainerRow random_container(std::mt19937& random) {
    const std::vector<std::string> choices{"0", "0000000000.00000", "0000000001.00000",
                                           "0000000002.00000", "0000000002.00000_1"};
    const auto put = choices[random() % choices.size()];
    const auto gone = choices[random() % choices.size()];
    const Timestamp newest = std::max(timestamp_or_zero(put), timestamp_or_zero(gone));
    const auto count =
        newest.ticks / Timestamp::ticks_per_second + 7 * static_cast<std::int64_t>(newest.offset);
    return {-1, "c", put, gone, count, 10 * count, static_cast<std::int64_t>(random() % 2), count};
}

template <class State>
void require_one_outcome(auto make, unsigned seed) {
    std::mt19937 random(seed);
    for (int round = 0; round < 5000; ++round) {
        std::vector<typename State::row_type> rows;
        for (int i = 0; i < 2 + round % 4; ++i) {
            rows.push_back(make(random));
        }
        const auto first = merged<State>(rows);
        for (int order = 0; order < 4; ++order) {
            std::ranges::shuffle(rows, random);
            auto again = rows;
            again.push_back(rows[random() % rows.size()]);                  // one comes twice
            again.insert(again.begin(), merged<State>({rows[0], rows[1]})); // merged elsewhere
            BOOST_REQUIRE((merged<State>(again) == first));
        }
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(objects_end_the_same_in_any_order_and_any_number_of_times) {
    require_one_outcome<ObjectState>(random_object, 1);
}

BOOST_AUTO_TEST_CASE(containers_end_the_same_in_any_order_and_any_number_of_times) {
    require_one_outcome<ContainerState>(random_container, 2);
}

BOOST_AUTO_TEST_CASE(the_newest_data_wins_whichever_came_first) {
    const ObjectRow old_row = object("0000000001.00000", 1, "text/plain", "old");
    const ObjectRow new_row = object("0000000002.00000", 2, "image/png", "new");
    BOOST_TEST((merge({old_row, new_row}) == new_row));
    BOOST_TEST((merge({new_row, old_row}) == new_row));
}

BOOST_AUTO_TEST_CASE(a_post_keeps_the_data_and_gives_type_and_time) {
    // An object of 1.0, whose content type was changed at 2.0 and metadata at 3.0.
    const ObjectRow put = object("0000000001.00000", 7, "text/plain", "data");
    const ObjectRow post = object("0000000001.00000+186a0+186a0", 7, "image/png", "data");
    const ObjectRow later = object("0000000001.00000+0+493e0", 7, "text/plain", "data");
    const ObjectRow both = merge({put, post, later});
    BOOST_TEST(both.created_at == "0000000001.00000+186a0+30d40"); // 1, 2 and 4
    BOOST_TEST(both.content_type == "image/png");
    BOOST_TEST((merge({later, post, put}) == both));
    const ObjectRow put_again = object("0000000005.00000", 9, "text/html", "more");
    BOOST_TEST((merge({post, put_again, later}) == put_again));
}

BOOST_AUTO_TEST_CASE(new_data_under_an_older_type_change_keeps_the_change) {
    const ObjectRow post = object("0000000001.00000+30d40+0", 1, "image/png"); // type of 3.0
    const ObjectRow put = object("0000000002.00000", 9, "text/plain", "new");
    const ObjectRow both = merge({post, put});
    BOOST_TEST(both.created_at == "0000000002.00000+186a0+0");
    BOOST_TEST(both.content_type == "image/png");
    BOOST_TEST(both.etag == "new");
    BOOST_TEST(both.size == 9);
}

BOOST_AUTO_TEST_CASE(at_one_time_a_tombstone_wins) {
    const ObjectRow put = object("0000000001.00000", 7, "text/plain", "x");
    ObjectRow gone = object("0000000001.00000", 0, "application/deleted", "noetag", 1);
    const ObjectRow both = merge({put, gone});
    BOOST_TEST((merge({gone, put}) == both));
    BOOST_TEST((both == gone));
}

BOOST_AUTO_TEST_CASE(an_object_never_ends_with_the_content_type_of_a_tombstone) {
    const ObjectRow put = object("0000000001.00000_1", 7, "app/x", "x"); // after it, by its offset
    const ObjectRow gone = object("0000000001.00000", 0, "application/deleted", "noetag", 1);
    BOOST_TEST((merge({put, gone}) == put));
    BOOST_TEST((merge({gone, put}) == put));
}

/// As Swift's reconciler deletes what it has moved: other nodes are to end with the same row.
BOOST_AUTO_TEST_CASE(a_tombstone_that_is_newer_by_its_offset_has_its_own_content_type) {
    const ObjectRow put = object("0000000001.00000", 7, "app/x", "x");
    const ObjectRow gone = object("0000000001.00000_1", 0, "application/deleted", "noetag", 1);
    BOOST_TEST((merge({put, gone}) == gone));
    BOOST_TEST((merge({gone, put}) == gone));
}

BOOST_AUTO_TEST_CASE(a_rewrite_with_an_offset_beats_the_row_without) {
    const ObjectRow plain = object("0000000001.00000", 9, "text/plain", "zz");
    const ObjectRow rewrite = object("0000000001.00000_1", 1, "text/plain", "aa");
    BOOST_TEST((merge({plain, rewrite}) == rewrite));
    BOOST_TEST((merge({rewrite, plain}) == rewrite));
}

BOOST_AUTO_TEST_CASE(the_size_of_segments_goes_with_the_data_not_with_the_type) {
    const ObjectRow manifest = object("0000000002.00000", 1, "text/plain;swift_bytes=900", "m");
    const ObjectRow post = object("0000000001.00000+30d40+0", 1, "image/png;swift_bytes=5", "o");
    BOOST_TEST(merge({manifest, post}).content_type == "image/png;swift_bytes=900");
    BOOST_TEST(merge({post, manifest}).content_type == "image/png;swift_bytes=900");
}

BOOST_AUTO_TEST_CASE(a_content_type_is_taken_apart_only_at_swift_bytes) {
    const auto stored = [](const std::string& type) {
        return merge({object("1", 1, type)}).content_type;
    };
    for (const std::string same :
         {"", "text/plain", "text/plain; charset=UTF-8", "a;b;c", "x;swift_bytes=", "x;swift_bytes",
          "x;swift_bytes=many", "x;swift_bytes=7", "x;y=\";swift_bytes=7\"",
          "x;y=\"\\\";swift_bytes=7\"", "swift_bytes=7", "x;notswift_bytes=7", ";;", "x;"}) {
        BOOST_TEST(stored(same) == same);
    }
    BOOST_TEST(stored("x;swift_bytes=7;q=1") == "x;q=1;swift_bytes=7");
    BOOST_TEST(stored("x; swift_bytes=7 ; q=1") == "x; q=1;swift_bytes=7");
    BOOST_TEST(stored("x;swift_bytes=7;swift_bytes=8") == "x;swift_bytes=8"); // the last, as Swift
    BOOST_TEST(stored("x;y=\"open;swift_bytes=7") == "x;y=\"open;swift_bytes=7");
}

BOOST_AUTO_TEST_CASE(the_stored_form_of_the_times_is_swifts) {
    const auto stored = [](const std::string& text) { return merge({object(text)}).created_at; };
    BOOST_TEST(stored("1") == "0000000001.00000");
    BOOST_TEST(stored("0000000001.00000+0+0") == "0000000001.00000");
    BOOST_TEST(stored("0000000001.00000_000000000000000a") == "0000000001.00000_a");
    BOOST_TEST(stored("0000000001.00000-1-1") == "0000000001.00000-1-1");
    BOOST_TEST(stored("0000000001.00000_a-1-1") == "0000000001.00000_a-1-1");
}

BOOST_AUTO_TEST_CASE(a_join_tells_news_and_ties_apart) {
    ObjectState held = ObjectState::of(object("0000000002.00000", 1));
    BOOST_TEST(!held.join(ObjectState::of(object("0000000002.00000", 1))).changed);
    BOOST_TEST(!held.join(ObjectState::of(object("0000000002.00000", 1))).tie);
    BOOST_TEST(!held.join(ObjectState::of(object("0000000001.00000", 9))).changed);
    BOOST_TEST(!held.join(ObjectState::of(object("0000000001.00000", 9))).tie);
    const Joined lost = held.join(ObjectState::of(object("0000000002.00000", 0)));
    BOOST_TEST(lost.tie);
    BOOST_TEST(!lost.changed);
    const Joined won = held.join(ObjectState::of(object("0000000002.00000", 5)));
    BOOST_TEST(won.tie);
    BOOST_TEST(won.changed);
    BOOST_TEST(held.join(ObjectState::of(object("0000000003.00000", 5))).changed);
}

BOOST_AUTO_TEST_CASE(a_row_that_cannot_be_used_names_itself_and_its_fault) {
    const auto says = [](const std::string& part) {
        return [part](const Failure& failure) {
            return failure.error() == Error::bad_request &&
                   std::string(failure.what()).find(part) != std::string::npos;
        };
    };
    ObjectRow row = object("yesterday");
    row.rowid = 77;
    BOOST_CHECK_EXCEPTION(ObjectState::of(row), Failure, says("row 77"));
    BOOST_CHECK_EXCEPTION(ObjectState::of(row), Failure, says("yesterday"));
    row = object("1");
    row.name.clear();
    BOOST_CHECK_EXCEPTION(ObjectState::of(row), Failure, says("no name"));
    ContainerRow container{5, "c", "1", "never", 0, 0, 0, 0};
    BOOST_CHECK_EXCEPTION(ContainerState::of(container), Failure, says("never"));
    container = {5, "", "1", "0", 0, 0, 0, 0};
    BOOST_CHECK_EXCEPTION(ContainerState::of(container), Failure, says("no name"));
    // What lies in a database already has to be lived with: it is older than everything.
    BOOST_TEST(ObjectState::stored(object("yesterday")).row().created_at == "0000000000.00000");
}

BOOST_AUTO_TEST_CASE(a_container_is_deleted_when_that_is_newer_and_it_is_empty) {
    const auto deleted = [](const std::string& put, const std::string& gone, std::int64_t objects) {
        return merged<ContainerState>({{-1, "c", put, gone, objects, 0, 0, 0}}).deleted;
    };
    BOOST_TEST(deleted("2", "1", 0) == 0);
    BOOST_TEST(deleted("1", "1", 0) == 0);
    BOOST_TEST(deleted("1", "2", 0) == 1);
    BOOST_TEST(deleted("1", "2", 3) == 0);
}

BOOST_AUTO_TEST_CASE(put_and_delete_times_of_a_container_are_merged_each_for_itself) {
    const ContainerRow put{-1, "c", "0000000003.00000", "0", 5, 50, 0, 1};
    const ContainerRow gone{-1, "c", "0000000001.00000", "0000000002.00000", 0, 0, 1, 0};
    const ContainerRow both = merged<ContainerState>({gone, put});
    BOOST_TEST(both.put_timestamp == "0000000003.00000");
    BOOST_TEST(both.delete_timestamp == "0000000002.00000");
    BOOST_TEST(both.object_count == 5); // those of the newest event
    BOOST_TEST(both.storage_policy_index == 1);
    BOOST_TEST(both.deleted == 0);
}

BOOST_AUTO_TEST_CASE(counts_that_a_container_reports_again_replace_the_old_ones) {
    const ContainerRow many{-1, "c", "0000000001.00000", "0", 9, 90, 0, 0};
    const ContainerRow few{-1, "c", "0000000001.00000", "0", 2, 20, 0, 0};
    BOOST_TEST((merged<ContainerState>({many, few}) == few));
    BOOST_TEST((merged<ContainerState>({few, many}) == many));
    const ContainerRow older{-1, "c", "0000000000.50000", "0", 7, 70, 0, 0};
    BOOST_TEST((merged<ContainerState>({few, older}) == few));
}

BOOST_AUTO_TEST_CASE(a_report_that_has_come_before_is_no_news_but_the_other_side_gets_ours) {
    const ContainerRow few{-1, "c", "0000000001.00000", "0", 2, 20, 0, 0};
    for (const std::int64_t before : {1, 9}) {
        const ContainerRow repeated{-1, "c", "0000000001.00000", "0", before, 10 * before, 0, 0};
        ContainerState held = ContainerState::of(few);
        const Joined joined = held.join(ContainerState::of(repeated), RowOrigin::repeat);
        BOOST_TEST((held.row() == few));
        BOOST_TEST(!joined.changed);
        BOOST_TEST(joined.tie);
    }
    const ContainerRow newer{-1, "c", "0000000003.00000", "0", 1, 10, 0, 0};
    BOOST_TEST((merged<ContainerState>({few, newer}, RowOrigin::repeat) == newer));
    BOOST_TEST(!ContainerState::of(few).join(ContainerState::of(few), RowOrigin::repeat).tie);
}

BOOST_AUTO_TEST_CASE(equal_times_in_other_words_end_as_one) {
    const ContainerRow bare{-1, "c", "0000000001.00000", "0", 1, 1, 0, 0};
    const ContainerRow full{-1, "c", "0000000001.00000", "0000000000.00000", 1, 1, 0, 0};
    BOOST_TEST((merged<ContainerState>({bare, full}) == full));
    BOOST_TEST((merged<ContainerState>({full, bare}) == full));
}
