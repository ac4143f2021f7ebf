#include <replica/words/notes.hpp>

#define BOOST_TEST_MODULE notes
#include <replica/words/hash_path.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

using namespace replica;
using notes::Sighting;

BOOST_AUTO_TEST_CASE(a_key_is_no_id_and_each_note_has_its_own) {
    const std::set<std::string> keys{
        notes::sent_to("id"),   notes::resent_to("id"),    notes::resent_in_part("id"),
        notes::held_from("id"), notes::awaited_from("id"), notes::differs_from("id"),
        notes::agreed(),        notes::waits_for("id"),    notes::sent_to("other")};
    BOOST_TEST(keys.size() == 9U);
    for (const std::string& key : keys) {
        BOOST_TEST(key.starts_with(notes::prefix));
        BOOST_TEST(!is_safe_name(key));
    }
}

using notes::Resend;

namespace {

/// The passes of `most` in which something is due, each perhaps one of another process.
std::vector<int> passes_with(Resend what, bool sums_differ, int most) {
    std::vector<int> passes;
    std::int64_t note = -1;
    for (int pass = 1; pass <= most; ++pass) {
        const Sighting seen = Sighting::decode(note).again(7);
        note = seen.encode();
        if (seen.due(sums_differ) == what) {
            passes.push_back(pass);
        }
    }
    return passes;
}

} // namespace

BOOST_AUTO_TEST_CASE(rows_go_the_second_time_and_then_files_ever_more_rarely) {
    BOOST_TEST(passes_with(Resend::rows, true, 40) == std::vector<int>{2},
               boost::test_tools::per_element());
    BOOST_TEST(passes_with(Resend::whole, true, 40) == (std::vector<int>{3, 5, 9, 17, 33}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_difference_of_the_hash_alone_may_be_what_one_has_reclaimed_and_waits) {
    BOOST_TEST(passes_with(Resend::rows, false, 40) == std::vector<int>{8},
               boost::test_tools::per_element());
    BOOST_TEST(passes_with(Resend::whole, false, 40) == (std::vector<int>{12, 20, 36}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_difference_that_changes_may_be_a_write_in_flight) {
    Sighting seen;
    for (std::uint32_t pass = 0; pass < 10; ++pass) {
        seen = seen.again(pass);
        BOOST_TEST((seen.due(true) == Resend::nothing));
    }
    BOOST_TEST((seen.again(9).due(true) == Resend::rows));
    BOOST_TEST((seen.again(8).due(true) == Resend::nothing));
}

BOOST_AUTO_TEST_CASE(a_sighting_survives_being_stored_as_a_point) {
    for (const std::uint32_t contents : {0U, 1U, 0x80000000U, 0xffffffffU}) {
        for (const std::uint32_t times : {1U, 2U, 0xffffffU}) {
            const Sighting seen{contents, times};
            BOOST_TEST(seen.encode() >= 0);
            BOOST_TEST((Sighting::decode(seen.encode()) == seen));
        }
    }
    BOOST_TEST((Sighting::decode(-1) == Sighting{}));
    const Sighting most{5, 0xffffffU};
    BOOST_TEST(most.again(5).times == 0xffffffU); // and stays there
    BOOST_TEST((Sighting::decode(std::numeric_limits<std::int64_t>::max()).times == 0xffffffU));
}

BOOST_AUTO_TEST_CASE(the_digest_zero_is_no_reason_to_take_the_first_for_the_second) {
    BOOST_TEST(Sighting::decode(-1).again(0).times == 1U);
    BOOST_TEST(Sighting::decode(0).again(0).times == 1U);
}

BOOST_AUTO_TEST_CASE(a_wait_is_of_two_rows_and_survives_its_note) {
    const Timestamp now = *Timestamp::parse("1790000000.12345");
    const notes::Wait wait(now, 7, 9);
    BOOST_TEST(wait.since == 1790000000);
    BOOST_TEST((notes::Wait::decode(wait.encode()) == wait));
    BOOST_TEST(wait.rows != notes::Wait(now, 7, 10).rows);
    BOOST_TEST(wait.rows != notes::Wait(now, 6, 9).rows);
    BOOST_TEST(wait.rows != notes::Wait(now, 79, -1).rows);
    BOOST_TEST((notes::Wait::decode(-1) == notes::Wait()));
    BOOST_TEST(notes::Wait::decode(0).since == 0);
    const Seconds age(400);
    BOOST_TEST(!wait.is_too_long({now.plus(Seconds(100)), 7, 9}, age));
    BOOST_TEST(wait.is_too_long({now.plus(Seconds(101)), 7, 9}, age));
    BOOST_TEST(!wait.is_too_long({now.plus(Seconds(101)), 7, 10}, age));
    BOOST_TEST(!wait.is_too_long({now.plus(Seconds(-9999)), 7, 9}, age));
    for (std::int64_t last = 0; last < 1000; ++last) {
        BOOST_TEST(!notes::Wait().is_too_long({now, -1, last}, age));
    }
}
