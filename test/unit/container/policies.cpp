#include <replica/container/policies.hpp>

#define BOOST_TEST_MODULE container_policies
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

using namespace replica;

namespace {

std::string at(int tick) {
    return tick == 0 ? "0" : "14024646" + std::to_string(10 + tick) + ".00000";
}

ContainerInfo info(std::int64_t policy, int put, int deleted, int changed, std::int64_t count = 0) {
    ContainerInfo result;
    result.storage_policy_index = policy;
    result.put_timestamp = at(put);
    result.delete_timestamp = at(deleted);
    result.status_changed_at = at(changed);
    result.count = count;
    return result;
}

/// What stock Swift says: -1 keeps ours, 1 takes theirs, 0 cannot tell. Written from its rules as
/// a table of cases, on the stored text as Swift compares it.
int swift(const ContainerInfo& ours, const ContainerInfo& theirs) {
    const auto gone = [](const ContainerInfo& it) {
        return it.delete_timestamp > it.put_timestamp && it.count == 0;
    };
    const auto again = [](const ContainerInfo& it) {
        return it.put_timestamp > it.delete_timestamp && it.delete_timestamp > "0";
    };
    const auto order = [](const std::string& a, const std::string& b) {
        return a < b ? -1 : (b < a ? 1 : 0);
    };
    const int dead = (gone(ours) ? 2 : 0) + (gone(theirs) ? 1 : 0);
    if (dead == 3) {
        return order(theirs.status_changed_at, ours.status_changed_at);
    }
    if (dead != 0) {
        return dead == 2 ? 1 : -1;
    }
    const int remade = (again(ours) ? 2 : 0) + (again(theirs) ? 1 : 0);
    if (remade == 1 || remade == 2) {
        return remade == 1 ? 1 : -1;
    }
    if (remade == 3) {
        const std::string last = std::max(ours.delete_timestamp, theirs.delete_timestamp);
        if (ours.put_timestamp < last) {
            return 1;
        }
        if (theirs.put_timestamp < last) {
            return -1;
        }
    }
    return order(ours.status_changed_at, theirs.status_changed_at);
}

bool prefers(const ContainerInfo& ours, const ContainerInfo& theirs) {
    return policies::prefers_remote(ours, theirs);
}

} // namespace

BOOST_AUTO_TEST_CASE(the_same_policy_leaves_nothing_to_settle) {
    BOOST_TEST(!prefers(info(1, 1, 5, 5), info(1, 3, 0, 3)));
}

BOOST_AUTO_TEST_CASE(the_container_that_was_there_first_keeps_its_policy) {
    BOOST_TEST(prefers(info(0, 3, 0, 3), info(1, 1, 0, 1)));
    BOOST_TEST(!prefers(info(1, 1, 0, 1), info(0, 3, 0, 3)));
    BOOST_TEST(!prefers(info(0, 3, 0, 3), info(1, 3, 0, 3))); // a tie moves nobody
}

BOOST_AUTO_TEST_CASE(a_live_container_beats_a_deleted_one_whatever_the_times) {
    BOOST_TEST(prefers(info(0, 1, 2, 2), info(1, 3, 0, 3)));
    BOOST_TEST(prefers(info(0, 1, 2, 1), info(1, 3, 0, 9)));
    BOOST_TEST(!prefers(info(1, 3, 0, 3), info(0, 1, 2, 2)));
}

BOOST_AUTO_TEST_CASE(a_delete_does_not_count_while_there_are_rows) {
    BOOST_TEST(!prefers(info(0, 1, 2, 1, 5), info(1, 3, 0, 3)));
}

BOOST_AUTO_TEST_CASE(of_two_deleted_containers_the_one_deleted_later_wins) {
    BOOST_TEST(prefers(info(0, 1, 2, 2), info(1, 1, 5, 5)));
    BOOST_TEST(!prefers(info(0, 1, 5, 5), info(1, 1, 2, 2)));
}

BOOST_AUTO_TEST_CASE(a_container_made_again_beats_one_that_never_was_deleted) {
    BOOST_TEST(prefers(info(0, 1, 0, 1), info(1, 5, 4, 5)));
    BOOST_TEST(!prefers(info(1, 5, 4, 5), info(0, 1, 0, 1)));
}

BOOST_AUTO_TEST_CASE(of_two_made_again_the_one_after_the_last_delete_wins) {
    BOOST_TEST(prefers(info(0, 3, 2, 3), info(1, 6, 5, 6)));
    BOOST_TEST(!prefers(info(1, 6, 5, 6), info(0, 3, 2, 3)));
    BOOST_TEST(prefers(info(0, 7, 2, 7), info(1, 6, 5, 6))); // both after it: the older
    BOOST_TEST(!prefers(info(0, 6, 5, 6), info(1, 7, 2, 7)));
}

BOOST_AUTO_TEST_CASE(times_are_compared_as_times_and_not_as_text) {
    ContainerInfo ours = info(0, 3, 0, 3);
    ContainerInfo theirs = info(1, 3, 0, 3);
    ours.status_changed_at = "1402464613.00000_0000000000000001";
    BOOST_TEST(prefers(ours, theirs));
    ours.status_changed_at = "1402464613";
    theirs.status_changed_at = "1402464612.99999";
    BOOST_TEST(prefers(ours, theirs));
    theirs.status_changed_at = "never"; // cannot be read: the beginning of time
    BOOST_TEST(prefers(ours, theirs));
}

BOOST_AUTO_TEST_CASE(in_every_case_swifts_answer_and_never_do_both_give_way) {
    std::array<ContainerInfo, 2> pair;
    int settled = 0;
    for (int code = 0; code < 3 * 3 * 3 * 2 * 3 * 3 * 3 * 2; ++code) {
        int rest = code;
        const auto pick = [&rest](int choices) {
            const int value = rest % choices;
            rest /= choices;
            return value;
        };
        for (std::size_t side = 0; side < 2; ++side) {
            const int put = pick(3) + 1;
            const int deleted = pick(3) * 2;
            const int changed = pick(3) + 1;
            pair[side] = info(static_cast<std::int64_t>(side), put, deleted, changed, pick(2));
        }
        const bool ours = prefers(pair[0], pair[1]);
        const bool theirs = prefers(pair[1], pair[0]);
        BOOST_REQUIRE(ours == (swift(pair[0], pair[1]) > 0));
        BOOST_REQUIRE(theirs == (swift(pair[1], pair[0]) > 0));
        BOOST_REQUIRE(!(ours && theirs));
        settled += ours || theirs ? 1 : 0;
    }
    BOOST_TEST(settled > 1000);
}
