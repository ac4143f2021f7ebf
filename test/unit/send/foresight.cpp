#include <replica/send/foresight.hpp>

#define BOOST_TEST_MODULE foresight
#include <boost/test/unit_test.hpp>

#include <map>
#include <set>
#include <string>
#include <string_view>

using namespace replica;

BOOST_AUTO_TEST_CASE(each_deed_and_each_end_has_a_word_of_its_own) {
    std::set<std::string_view> words;
    for (int deed = 0; deed <= static_cast<int>(Deed::fail); ++deed) {
        words.insert(word_of(static_cast<Deed>(deed)));
    }
    BOOST_TEST(words.size() == 10U);
    BOOST_TEST(word_of(Deed::nothing) == "nothing");
    BOOST_TEST(word_of(Deed::rows) == "send_rows");
    BOOST_TEST(word_of(Deed::stand_in) == "ask_handoff");
    BOOST_TEST(word_of(Deed::fail) == "fail");
    std::set<std::string_view> ends;
    for (const End end : {End::stays, End::leaves, End::expires, End::kept, End::failed}) {
        ends.insert(word_of(end));
    }
    BOOST_TEST(ends.size() == 5U);
    BOOST_TEST(word_of(End::stays) == "stay");
    BOOST_TEST(word_of(End::failed) == "fail");
}

BOOST_AUTO_TEST_CASE(a_database_under_another_partition_than_its_own_is_misplaced) {
    Foresight<AccountInfo> found{};
    found.place.partition = found.partition = 3;
    BOOST_TEST(!found.misplaced());
    found.partition = 4;
    BOOST_TEST(found.misplaced());
}

BOOST_AUTO_TEST_CASE(rows_that_wait_count_as_one_after_the_last) {
    Foresight<AccountInfo> found{};
    BOOST_TEST(found.last_row() == -1);
    found.pending = true;
    BOOST_TEST(found.last_row() == 1);
    found.info.max_row = 4;
    BOOST_TEST(found.last_row() == 5);
}

BOOST_AUTO_TEST_CASE(what_sends_nothing_is_told_from_what_does) {
    std::set<Deed> sending;
    for (int deed = 0; deed <= static_cast<int>(Deed::fail); ++deed) {
        if (is_sending(static_cast<Deed>(deed))) {
            sending.insert(static_cast<Deed>(deed));
        }
    }
    BOOST_TEST((sending == std::set{Deed::rows, Deed::compare, Deed::file, Deed::merge_file,
                                    Deed::hold_back}));
}

BOOST_AUTO_TEST_CASE(the_reason_for_each_choice_tells_it_from_the_others) {
    std::map<std::string, int> seen;
    for (const auto way : {decide::Way::no_change, decide::Way::hash_match, decide::Way::rows,
                           decide::Way::whole_then_merge, decide::Way::renew_id}) {
        ++seen[detail::in_words({way, 3, false}, 9)];
    }
    ++seen[detail::in_words({decide::Way::no_change, 3, true}, 9)];
    BOOST_TEST(seen.size() == 6U);
    BOOST_TEST(detail::in_words({decide::Way::rows, 3, false}, 9).find("ROWID 4 to 9") !=
               std::string::npos);
}
