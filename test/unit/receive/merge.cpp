#include <replica/receive/merge.hpp>

#define BOOST_TEST_MODULE receive_merge
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <cstdint>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Containers = Duo<ContainerKind>;
using Items = message::MergeItems<ObjectRow>;

Items items_of(std::vector<ObjectRow> rows, const std::string& source) {
    Items items{std::move(rows), source, {}, -1, {}};
    for (std::size_t i = 0; i < items.rows.size(); ++i) {
        items.rows[i].rowid = items.last_rowid = static_cast<std::int64_t>(i) + 1;
    }
    return items;
}

std::int64_t point_of(Containers& duo, const std::string& id) {
    return duo.open().sync_point(id, Direction::incoming);
}

} // namespace

BOOST_AUTO_TEST_CASE(metadata_that_cannot_be_read_is_told_and_left_out) {
    Containers duo;
    auto database = duo.open();
    const std::string before = database.info().metadata;
    merge_metadata(database, duo.path(), "no JSON", Timestamp{}, duo.journal);
    BOOST_TEST(database.info().metadata == before);
    BOOST_TEST(duo.journal.mentions("Unable to decode"));
    merge_metadata(database, duo.path(), R"({"X-Color": ["blue", "1700000000.00000"]})",
                   Timestamp{}, duo.journal);
    BOOST_TEST(database.info().metadata.find("blue") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(rows_move_the_point_of_their_sender_and_rows_of_nobody_none) {
    Containers duo;
    auto database = duo.open();
    const auto row = duo.nodes.next_row("one", 1, false);
    BOOST_TEST(merge_rows(database, duo.path(), items_of({row}, ""), Timestamp{}, duo.journal));
    BOOST_TEST(database.sync_points(Direction::incoming).empty());
    BOOST_TEST(
        merge_rows(database, duo.path(), items_of({row}, "sender"), Timestamp{}, duo.journal));
    BOOST_TEST(point_of(duo, "sender") == 1);
    BOOST_TEST(duo.nodes.names(0, duo.name).contains("one"));
}

BOOST_AUTO_TEST_CASE(the_point_moves_past_a_row_that_cannot_be_stored) {
    Containers duo;
    auto database = duo.open();
    Items items = items_of({duo.nodes.next_row("one", 1, false)}, "sender");
    items.last_rowid = 9;
    items.set_aside = {"row 9: no name"};
    BOOST_TEST(merge_rows(database, duo.path(), items, Timestamp{}, duo.journal));
    BOOST_TEST(point_of(duo, "sender") == 9);
    BOOST_TEST(duo.journal.mentions("row 9: no name"));
    items.rows.clear();
    items.last_rowid = 12;
    BOOST_TEST(merge_rows(database, duo.path(), items, Timestamp{}, duo.journal));
    BOOST_TEST(point_of(duo, "sender") == 12);
}

// Defect 116. A stale copy may be the only one that has a deletion.
BOOST_AUTO_TEST_CASE(an_old_tombstone_is_no_news_if_a_comparison_has_found_it) {
    for (const bool compared : {true, false}) {
        Containers duo;
        auto database = duo.open();
        Items items = items_of({duo.nodes.next_row("gone", 0, true)}, "");
        items.receiver = compared ? database.info().id : std::string();
        const Timestamp later = duo.clock.now().plus(Seconds(1));
        BOOST_TEST(merge_rows(database, duo.path(), items, later, duo.journal));
        BOOST_TEST(database.items_since(-1, 10).empty() == compared);
    }
}

BOOST_AUTO_TEST_CASE(rows_for_another_file_are_not_merged) {
    Containers duo;
    auto database = duo.open();
    Items items = items_of({duo.nodes.next_row("one", 1, false)}, "");
    items.receiver = "the id of another file";
    BOOST_TEST(!merge_rows(database, duo.path(), items, Timestamp{}, duo.journal));
    BOOST_TEST(database.items_since(-1, 10).empty());
    items.receiver = database.info().id;
    BOOST_TEST(merge_rows(database, duo.path(), items, Timestamp{}, duo.journal));
    BOOST_TEST(database.items_since(-1, 10).size() == 1U);
}

BOOST_AUTO_TEST_CASE(points_for_this_file_or_for_any_are_taken_and_those_for_another_are_not) {
    for (const bool named : {true, false}) {
        Containers duo;
        auto database = duo.open();
        const std::string receiver = named ? database.info().id : std::string();
        BOOST_TEST(merge_points(database, {{{5, "a"}, {6, "b"}}, receiver}));
        BOOST_TEST(point_of(duo, "a") == 5);
        BOOST_TEST(point_of(duo, "b") == 6);
        BOOST_TEST(!merge_points(database, {{{7, "a"}}, "the id of another file"}));
        BOOST_TEST(point_of(duo, "a") == 5);
        database.renew_id();
        BOOST_TEST(merge_points(database, {{{7, "a"}}, receiver}) != named);
        BOOST_TEST(merge_points(database, {{}, ""}));
    }
}
