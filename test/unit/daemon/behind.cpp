#include <replica/daemon/behind.hpp>

#define BOOST_TEST_MODULE daemon_behind
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <string>

using namespace replica;
using namespace replica::daemon;

namespace {

Timestamp at(double seconds) {
    return Timestamp::from_seconds(1'700'000'000 + seconds);
}

/// Fails in the first pass unless another one is said.
struct Peers : Behind {
    void fail(const std::string& path, std::int64_t max_row, std::optional<std::int64_t> reached,
              double when = 0, std::uint64_t pass = 1) {
        fails("a", path, max_row, reached, pass, at(when));
    }
    [[nodiscard]] std::int64_t rows() const { return of("a").rows; }
    [[nodiscard]] std::int64_t databases() const { return of("a").databases; }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_peer_of_whom_nothing_is_known_is_not_behind, Peers) {
    BOOST_TEST(databases() == 0);
    BOOST_TEST(rows() == 0);
    BOOST_TEST((of("a").since == Timestamp{}));
    succeeds("a", "x");
    BOOST_TEST(databases() == 0);
}

BOOST_FIXTURE_TEST_CASE(the_rows_of_all_its_databases_are_added_up, Peers) {
    fail("x", 10, 7);
    fail("y", 5, 5, 1);
    fail("z", 20, -1, 2); // the peer has no copy
    BOOST_TEST(databases() == 3);
    BOOST_TEST(rows() == 3 + 0 + 20);
    BOOST_TEST(of("b").databases == 0);
}

BOOST_FIXTURE_TEST_CASE(if_nobody_knows_what_it_has_new_rows_count, Peers) {
    fail("x", 10, std::nullopt);
    BOOST_TEST(databases() == 1);
    BOOST_TEST(rows() == 0);
    fail("x", 14, std::nullopt, 1);
    BOOST_TEST(rows() == 4);
    fail("x", 15, 3, 2); // now it has answered
    BOOST_TEST(rows() == 12);
    fail("x", 16, std::nullopt, 3);
    BOOST_TEST(rows() == 13);
}

BOOST_FIXTURE_TEST_CASE(rows_that_it_got_count_no_more, Peers) {
    fail("x", 100, 0);
    BOOST_TEST(rows() == 100);
    fail("x", 100, 60, 1);
    BOOST_TEST(rows() == 40);
    succeeds("a", "x");
    BOOST_TEST(rows() == 0);
    BOOST_TEST(databases() == 0);
}

BOOST_FIXTURE_TEST_CASE(it_is_behind_since_the_oldest_that_is_left, Peers) {
    fail("x", 1, 0, 5);
    fail("y", 1, 0, 9);
    fail("x", 2, 0, 20);
    BOOST_TEST((of("a").since == at(5)));
    succeeds("a", "x");
    BOOST_TEST((of("a").since == at(9)));
    succeeds("a", "x");
    BOOST_TEST((of("a").since == at(9)));
    succeeds("a", "y");
    BOOST_TEST((of("a").since == Timestamp{}));
}

BOOST_FIXTURE_TEST_CASE(of_two_that_began_in_one_second_one_is_left, Peers) {
    fail("x", 3, 0, 5.25);
    fail("y", 4, 0, 5.75);
    succeeds("a", "x");
    BOOST_TEST((of("a").since == at(5)));
    BOOST_TEST(rows() == 4);
}

BOOST_FIXTURE_TEST_CASE(sums_are_those_of_the_entries_whatever_has_happened, Peers) {
    struct Known {
        std::uint64_t pass = 0;
        std::int64_t rows = 0;
        double since = 0;
    };
    std::map<std::string, Known> known;
    std::minstd_rand random(7);
    const auto pick = [&](std::int64_t below) {
        return static_cast<std::int64_t>(random()) % below;
    };
    std::uint64_t pass = 1;
    for (int step = 0; step < 5000; ++step) {
        const std::string path = std::to_string(pick(40));
        if (const auto what = pick(20); what == 0) {
            end_pass(pass);
            std::erase_if(known, [&](const auto& each) { return each.second.pass < pass; });
            ++pass;
        } else if (what < 7) {
            succeeds("a", path);
            known.erase(path);
        } else {
            const std::int64_t max_row = 1000 + step;
            const std::int64_t reached = pick(1100 + step) - 1;
            fail(path, max_row, reached, step, pass);
            Known& entry =
                known.try_emplace(path, Known{0, 0, static_cast<double>(step)}).first->second;
            entry.pass = pass;
            entry.rows = std::max<std::int64_t>(0, max_row - std::max<std::int64_t>(reached, 0));
        }
        std::int64_t sum = 0;
        Timestamp since{};
        for (const auto& [name, entry] : known) {
            sum += entry.rows;
            since = since == Timestamp{} ? at(entry.since) : std::min(since, at(entry.since));
        }
        BOOST_REQUIRE(databases() == std::ssize(known));
        BOOST_REQUIRE(rows() == sum);
        BOOST_REQUIRE((of("a").since == since));
    }
}

BOOST_FIXTURE_TEST_CASE(a_scrape_of_very_many_takes_no_longer_than_one_of_few, Peers) {
    for (int i = 0; i < 200'000; ++i) {
        fail(std::to_string(i), 2, 0, i % 3600);
    }
    using std::chrono::steady_clock;
    const auto began = steady_clock::now();
    std::int64_t sum = 0;
    for (int i = 0; i < 1000; ++i) {
        sum += rows();
    }
    const std::chrono::duration<double> took = steady_clock::now() - began;
    BOOST_TEST_MESSAGE("a look takes " << took.count() * 1000 << " us");
    BOOST_TEST(sum == 400'000'000);
    BOOST_TEST(took.count() < 1.0); // a walk over the entries took some 2 s and more
}

BOOST_FIXTURE_TEST_CASE(what_a_whole_pass_did_not_come_to_is_forgotten, Peers) {
    fail("x", 1, 0, 0, 1);
    fail("y", 1, 0, 0, 2);
    end_pass(1);
    BOOST_TEST(databases() == 2);
    end_pass(2);
    BOOST_TEST(databases() == 1);
    end_pass(3);
    BOOST_TEST(databases() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_has_left_the_ring_is_forgotten, Peers) {
    fail("x", 1, 0);
    fails("b", "x", 1, 0, 1, at(0));
    keep_only({"b", "c"});
    BOOST_TEST(databases() == 0);
    BOOST_TEST(of("b").databases == 1);
}

BOOST_FIXTURE_TEST_CASE(more_than_it_has_room_for_is_not_counted, Peers) {
    const auto most = static_cast<std::int64_t>(max_entries);
    for (std::int64_t i = 0; i < most; ++i) {
        fail(std::to_string(i), 1, 0);
    }
    fails("b", "x", 1, 0, 1, at(0));
    BOOST_TEST(databases() == most);
    BOOST_TEST(of("b").databases == 0);
    fail("0", 9, 0); // one that is known goes on
    BOOST_TEST(rows() == most + 8);
    succeeds("a", "0");
    fails("b", "x", 1, 0, 1, at(0));
    BOOST_TEST(of("b").databases == 1);
    keep_only({"a"});
    fail("more", 1, 0);
    BOOST_TEST(databases() == most);
}
