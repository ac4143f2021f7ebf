#include <replica/send/decide.hpp>

#define BOOST_TEST_MODULE decide
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::decide;

// The tables are checked by the compiler; the test cases below them name the situations and run
// what a compiler cannot: random comparison with a second implementation.

namespace {

constexpr std::string_view hash_a = "0123456789abcdef0123456789abcdef";
constexpr std::string_view hash_b = "fedcba9876543210fedcba9876543210";

constexpr Replica ours(std::int64_t max_row, std::string_view hash = hash_a) {
    return {"us", hash, max_row};
}
constexpr Replica theirs(std::int64_t max_row, std::string_view hash = hash_b) {
    return {"them", hash, max_row};
}
constexpr Limits per_diff(std::int64_t rows) {
    Limits limits;
    limits.per_diff = rows;
    return limits;
}
constexpr Way way(const Replica& local, const Replica& remote, const Points& points,
                  std::int64_t rows = 1000) {
    return choose(local, remote, points, per_diff(rows)).way;
}

// ---- In sync by a point.

static_assert(choose(ours(5), theirs(5), {5, -1, 5}, {}) == Choice{Way::no_change, 5, true, true});
static_assert(choose(ours(5), theirs(9), {5, -1, 8}, {}) ==
              Choice{Way::no_change, 5, false, false});
static_assert(way(ours(5), theirs(5), {5, 3, -1}) == Way::no_change);
static_assert(way(ours(5), theirs(5), {-1, 5, -1}) == Way::no_change); // their mark was reclaimed
static_assert(way(ours(5), theirs(5), {4, 5, -1}) == Way::rows);       // they were restored
static_assert(way(ours(-1), theirs(-1), {-1, -1, -1}) == Way::no_change);
static_assert(way(ours(-1), theirs(7), {-1, -1, -1}) == Way::no_change); // nothing to send
static_assert(way(ours(0), theirs(-1), {-1, -1, -1}) == Way::rows);

// Points agree and contents do not: only when both directions are complete.
static_assert(!choose(ours(5), theirs(5, hash_a), {5, 5, 5}, {}).suspect);
static_assert(choose(ours(5), theirs(5), {5, 5, 5}, {}).suspect);
static_assert(choose(ours(5), theirs(5), {5, 5, 6}, {}).suspect);
static_assert(!choose(ours(5), theirs(5), {5, 5, 4}, {}).suspect);
static_assert(choose(ours(5), theirs(5), {5, 5, 5}, {}).settled);
static_assert(!choose(ours(5), theirs(5), {5, 5, 4}, {}).settled);

// ---- Comparing: no point, many rows on both sides, and about as many.

constexpr bool compared(std::int64_t here, std::int64_t there, std::int64_t point = -1,
                        std::int64_t least = 1000) {
    return compares({"us", hash_a, 70, here}, {"them", hash_b, 90, there}, point, least);
}
static_assert(compared(1000, 1000));
static_assert(!compared(999, 1000));
static_assert(!compared(1000, 999));
static_assert(!compared(1000, 1000, 0));
static_assert(!compared(1000, 1000, 900));
static_assert(!compared(1000, 1000, -1, 0)); // switched off
static_assert(compared(1, 1, -1, 1));
static_assert(!compared(0, 0, -1, 1));
static_assert(compared(10'000, 9'600)); // one row of 25
static_assert(!compared(10'000, 9'599));
static_assert(compared(9'600, 10'000));
static_assert(!compared(9'599, 10'000));
static_assert(!compared(std::numeric_limits<std::int64_t>::max(), 1000));
static_assert(!compared(1000, std::numeric_limits<std::int64_t>::min()));

// ---- In sync by the hash: valid hashes only, and the sums must agree.

static_assert(choose(ours(5), theirs(9, hash_a), {-1, -1, -1}, {}) ==
              Choice{Way::hash_match, 5, false, false});
static_assert(choose(ours(5), theirs(9, hash_a), {2, -1, 9}, {}) ==
              Choice{Way::hash_match, 5, false, true});
static_assert(way(ours(5, ""), theirs(5, ""), {}) == Way::rows);
static_assert(way(ours(5, "null"), theirs(5, "null"), {}) == Way::rows);
static_assert(way(ours(5, "0123456789ABCDEF0123456789ABCDEF"),
                  theirs(5, "0123456789ABCDEF0123456789ABCDEF"), {}) == Way::rows);
static_assert(way(ours(5, hash_a.substr(1)), theirs(5, hash_a.substr(1)), {}) == Way::rows);
static_assert(way({"us", hash_a, 5, 3, 10}, {"them", hash_a, 5, 2, 10}, {}) == Way::rows);
static_assert(way({"us", hash_a, 5, 3, 10}, {"them", hash_a, 5, 3, 11}, {}) == Way::rows);
static_assert(way({"us", hash_a, 5, 3, 10}, {"them", hash_a, 5, 3, 10}, {}) == Way::hash_match);

// ---- Another history than ours.

static_assert(way({"same", hash_a, 5}, {"same", hash_a, 5}, {5, 5, 5}) == Way::renew_id);
static_assert(way(ours(5), theirs(5), {6, -1, -1}) == Way::renew_id);
static_assert(way(ours(5), theirs(5), {-1, 6, -1}) == Way::renew_id);
static_assert(way(ours(-1), theirs(5), {0, -1, -1}) == Way::renew_id);
static_assert(way(ours(5), theirs(5, hash_a), {6, -1, -1}) == Way::renew_id);

// ---- The half rule at its boundaries. A thousand and one rows missing are enough with the
// default, a thousand are not.

static_assert(way(ours(2002), theirs(1001), {}) == Way::rows);             // exactly half
static_assert(way(ours(2003), theirs(1001), {}) == Way::whole_then_merge); // one row below
static_assert(way(ours(2001), theirs(1000), {}) == Way::whole_then_merge);
static_assert(way(ours(2000), theirs(1000), {}) == Way::rows);
static_assert(way(ours(1999), theirs(999), {}) == Way::rows); // 1000 missing: not more
static_assert(way(ours(1000), theirs(0), {}) == Way::rows);
static_assert(way(ours(1001), theirs(0), {}) == Way::whole_then_merge);
static_assert(way(ours(999), theirs(-1), {}) == Way::rows);
static_assert(way(ours(1000), theirs(-1), {}) == Way::whole_then_merge);
static_assert(way(ours(1), theirs(-1), {}) == Way::rows);
static_assert(way(ours(1), theirs(-1), {}, 1) == Way::whole_then_merge);
static_assert(way(ours(1), theirs(0), {}, 1) == Way::rows);
static_assert(way(ours(7), theirs(3), {}, 3) == Way::whole_then_merge); // 3 < 4
static_assert(way(ours(7), theirs(4), {}, 2) == Way::rows);
static_assert(way(ours(6), theirs(3), {}, 2) == Way::rows);
static_assert(way(ours(5000), theirs(9000), {}) == Way::rows); // they have more than we

// Few rows above the point, however large the ROWIDs (defect 40).
static_assert(choose(ours(50'000), theirs(10), {49'900, -1, 10}, {}) == Choice{Way::rows, 49'900});
static_assert(way(ours(50'000), theirs(10), {49'000, -1, 10}) == Way::rows);
static_assert(way(ours(50'000), theirs(10), {48'999, -1, 10}) == Way::whole_then_merge);

// The largest numbers that there are: an overflow would not compile.
constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
static_assert(way(ours(huge - 1), theirs(-1), {}) == Way::whole_then_merge);
static_assert(way(ours(huge), theirs(huge), {huge - 1, huge, huge}) == Way::rows);
static_assert(way(ours(3), theirs(huge), {}) == Way::rows);

// ---- The point to go on from.

static_assert(known_point({7, 9, 0}) == 7);
static_assert(known_point({0, 9, 0}) == 0);
static_assert(known_point({-1, 9, 0}) == 9);
static_assert(known_point({-1, -1, 5}) == -1);
static_assert(choose(ours(9), theirs(8), {-1, 4, 8}, {}) == Choice{Way::rows, 4});

// ---- A copy that leaves takes nobody's word for it, unless the contents are equal.

constexpr bool is(const Points& a, const Points& b) {
    return a.theirs == b.theirs && a.outgoing == b.outgoing && a.incoming == b.incoming;
}
static_assert(is(points_for_handoff(ours(5), theirs(5), {5, 5, 5}, -1), {-1, -1, 5}));
static_assert(is(points_for_handoff(ours(5), theirs(5), {5, 5, 5}, 3), {3, -1, 5}));
static_assert(is(points_for_handoff(ours(5), theirs(5), {2, 5, 5}, 3),
                 {2, -1, 5})); // they were restored
static_assert(is(points_for_handoff(ours(5), theirs(5), {-1, 5, 5}, 5), {-1, -1, 5}));
static_assert(is(points_for_handoff(ours(5), theirs(5, hash_a), {5, 5, 4}, -1), {5, -1, 4}));
static_assert(is(points_for_handoff(ours(5), theirs(5), {6, 5, 5}, 3),
                 {6, 5, 5})); // another history
static_assert(is(points_for_handoff(ours(5), theirs(5), {5, 6, 5}, 3), {5, 6, 5}));
static_assert(way(ours(5), theirs(9), points_for_handoff(ours(5), theirs(9), {5, 5, 8}, -1)) ==
              Way::rows);
static_assert(way(ours(5), theirs(9), points_for_handoff(ours(5), theirs(9), {5, 5, 8}, 5)) ==
              Way::no_change);

// ---- Expired.

constexpr Timestamp at(std::int64_t seconds) {
    return {seconds * Timestamp::ticks_per_second, 0};
}
constexpr Seconds week{604800};
constexpr Timestamp today = at(2'000'000'000);
static_assert(is_expired(0, "1000000000.00000", "1000000001.00000", today, week));
static_assert(!is_expired(1, "1000000000.00000", "1000000001.00000", today, week));
static_assert(!is_expired(-1, "1000000000.00000", "1000000001.00000", today, week));
static_assert(!is_expired(0, "1000000001.00000", "1000000001.00000", today, week)); // a tie lives
static_assert(!is_expired(0, "1000000002.00000", "1000000001.00000", today, week));
static_assert(!is_expired(0, "1000000000.00000", "0", today, week));
static_assert(is_expired(0, "0", "1000000001.00000", today, week));
static_assert(!is_expired(0, "0", "0", today, week));
static_assert(!is_expired(0, "1000000000.00000", "1999395200.00000", today, week)); // to the tick
static_assert(is_expired(0, "1000000000.00000", "1999395199.99999", today, week));
static_assert(!is_expired(0, "", "1000000001.00000", today, week));
static_assert(!is_expired(0, "1000000000.00000", "", today, week));
static_assert(!is_expired(0, "1000000000.00000", "never", today, week));
static_assert(is_expired(0, "1000000000.00000", "1000000000.00000_0000000000000001", today, week));
static_assert(!is_expired(0, "9999999998.00000", "9999999999.00000", today, week)); // the future

// ---- May it go?

template <std::size_t N>
constexpr bool goes(const std::array<Outcome, N>& outcomes, std::size_t replicas,
                    int handoff_delete = 0, std::size_t here = 0) {
    Limits limits;
    limits.handoff_delete = handoff_delete;
    std::size_t done = 0;
    for (const Outcome outcome : outcomes) {
        done += outcome == Outcome::done ? 1 : 0;
    }
    return may_remove(outcomes, done - here, replicas, limits); // `here`: on this machine
}
constexpr auto done = Outcome::done;
constexpr auto failed = Outcome::failed;
static_assert(!goes(std::array<Outcome, 0>{}, 0)); // "all of none" is true
static_assert(!goes(std::array<Outcome, 0>{}, 1));
static_assert(!goes(std::array<Outcome, 0>{}, 3, 1));
static_assert(goes(std::array{done, done, done}, 3));
static_assert(!goes(std::array{done, done, failed}, 3));
static_assert(!goes(std::array{done, done, Outcome::progress}, 3));
static_assert(!goes(std::array{done, done, Outcome::deferred}, 3));
static_assert(!goes(std::array{done, done}, 3)); // fewer peers were asked than there are replicas
static_assert(!goes(std::array{done, failed, done, done}, 3)); // a stand-in does not make good
static_assert(goes(std::array{done}, 1));
static_assert(!goes(std::array{failed}, 1));
static_assert(goes(std::array{done, failed, failed}, 3, 1));
static_assert(!goes(std::array{failed, failed, failed}, 3, 1));
static_assert(!goes(std::array{done, failed, failed}, 3, 2));
static_assert(goes(std::array{done, failed, done}, 3, 2));
static_assert(!goes(std::array{done, failed, done}, 3, 2, 1)); // one is another device of ours
static_assert(!goes(std::array{done, failed, failed}, 3, 1, 1));
static_assert(goes(std::array{done, done, failed}, 3, 1, 1));
static_assert(goes(std::array{done, done, done}, 3, 2, 2)); // all have it, wherever they are
static_assert(!goes(std::array{done, done, failed}, 3, 3)); // at the number of replicas: all
static_assert(goes(std::array{done, done, done}, 3, 3));
static_assert(goes(std::array{done, done, done}, 3, 4)); // above: all as well (Swift 2.34)
static_assert(!goes(std::array{done, done, failed}, 3, 4));

// ---- Order of peers.

struct Item {
    std::int64_t id;
    friend constexpr bool operator==(const Item&, const Item&) = default;
};

std::vector<std::int64_t> order(const std::vector<std::int64_t>& ids, std::int64_t local) {
    std::vector<Item> primaries;
    for (const auto id : ids) {
        primaries.push_back({id});
    }
    std::vector<std::int64_t> result;
    for (const auto& item : peer_order(primaries, local)) {
        result.push_back(item.id);
    }
    return result;
}

// A second implementation, after the text of Swift's rule, with divisions and floating point.
Way dumb(const Replica& local, const Replica& remote, std::int64_t point, std::int64_t rows) {
    if (point >= local.max_row) {
        return Way::no_change;
    }
    if (remote.hash == local.hash) {
        return Way::hash_match;
    }
    const double ratio = static_cast<double>(remote.max_row) / static_cast<double>(local.max_row);
    if (ratio < 0.5 && local.max_row - remote.max_row > rows) {
        return Way::whole_then_merge;
    }
    return Way::rows;
}

} // namespace

BOOST_AUTO_TEST_CASE(three_replicas_each_begin_with_the_next_one) {
    using Ids = std::vector<std::int64_t>;
    BOOST_TEST(order({1, 2, 3}, 1) == (Ids{2, 3}), boost::test_tools::per_element());
    BOOST_TEST(order({1, 2, 3}, 2) == (Ids{3, 1}), boost::test_tools::per_element());
    BOOST_TEST(order({1, 2, 3}, 3) == (Ids{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_handoff_asks_all_primaries_in_ring_order) {
    using Ids = std::vector<std::int64_t>;
    BOOST_TEST(order({4, 2, 3}, 9) == (Ids{4, 2, 3}), boost::test_tools::per_element());
    BOOST_TEST(order({4, 2, 3}, -1) == (Ids{4, 2, 3}), boost::test_tools::per_element());
    BOOST_TEST(order({}, 9).empty());
    BOOST_TEST(order({7}, 7).empty());
}

BOOST_AUTO_TEST_CASE(a_peer_order_never_has_the_local_device_and_has_all_others_once) {
    for (std::int64_t count = 0; count < 6; ++count) {
        std::vector<std::int64_t> ids;
        for (std::int64_t id = 0; id < count; ++id) {
            ids.push_back(id);
        }
        for (const std::int64_t local : ids) {
            auto peers = order(ids, local);
            BOOST_TEST(std::ranges::count(peers, local) == 0);
            peers.push_back(local);
            std::ranges::sort(peers);
            BOOST_TEST(peers == ids, boost::test_tools::per_element());
        }
    }
}

BOOST_AUTO_TEST_CASE(where_swift_is_right_the_choice_is_swifts) {
    Random random(20260101);
    const auto pick = [&](std::int64_t from, std::int64_t to) {
        return from +
               static_cast<std::int64_t>(random.next() % static_cast<std::uint64_t>(to - from + 1));
    };
    std::array<int, 4> seen{};
    for (int i = 0; i < 200'000; ++i) {
        const std::int64_t rows = pick(1, 40);
        const Replica local = ours(pick(1, 200)); // a max_row of 0 is a division by zero in Swift
        const Replica remote = theirs(pick(-1, 200), pick(0, 9) == 0 ? hash_a : hash_b);
        // Both sides know the same point, none lies beyond our rows, and those above it are many:
        // otherwise the rules differ on purpose (defects 10 and 40).
        const std::int64_t point = pick(-1, local.max_row);
        if (point < local.max_row && local.max_row - point <= rows) {
            continue;
        }
        const Way expected = dumb(local, remote, point, rows);
        const Way chosen = way(local, remote, {point, point, -1}, rows);
        ++seen[static_cast<std::size_t>(chosen)];
        BOOST_REQUIRE_MESSAGE(chosen == expected, "max_row " << local.max_row << " and "
                                                             << remote.max_row << ", point "
                                                             << point << ", per_diff " << rows);
    }
    for (const int count : seen) {
        BOOST_TEST(count > 100); // every way was compared
    }
}

BOOST_AUTO_TEST_CASE(rows_are_only_ever_sent_from_a_point_that_the_peer_has_or_we_noted) {
    Random random(7);
    const auto pick = [&] { return static_cast<std::int64_t>(random.next() % 12) - 1; };
    for (int i = 0; i < 100'000; ++i) {
        const Replica local = ours(pick());
        const Points points{pick(), pick(), pick()};
        const auto choice = choose(local, theirs(pick()), points, per_diff(3));
        if (choice.way == Way::rows) {
            BOOST_REQUIRE(choice.point < local.max_row);
            BOOST_REQUIRE(choice.point == points.theirs ||
                          (points.theirs < 0 && choice.point == points.outgoing));
        }
        if (choice.way == Way::no_change) {
            BOOST_REQUIRE(std::max(points.theirs, points.outgoing) >= local.max_row);
        }
    }
}

BOOST_AUTO_TEST_CASE(an_info_is_viewed_and_not_copied) {
    Info info;
    info.id = "id";
    info.hash = hash_a;
    info.max_row = 4;
    info.count = 3;
    info.bytes_used = 2;
    const Replica view(info);
    BOOST_TEST(view.id.data() == info.id.data());
    BOOST_TEST(view.hash == hash_a);
    BOOST_TEST(view.max_row == 4);
    BOOST_TEST(view.count == 3);
    BOOST_TEST(view.bytes_used == 2);
}
