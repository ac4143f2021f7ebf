#include <replica/send/push.hpp>

#define BOOST_TEST_MODULE push
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace replica;

namespace {

const Instant start{Instant::duration(1'000'000'000'000)};

Instant at(double seconds) {
    return start + to_duration(Seconds(seconds));
}

/// The hash that is taken; empty: none.
std::string take(PushQueue& queue, double seconds) {
    const auto change = queue.take(at(seconds));
    return change ? change->hash : "";
}

bool add(PushQueue& queue, const std::string& hash, double seconds) {
    return queue.add({hash, "of " + hash}, at(seconds));
}

} // namespace

BOOST_AUTO_TEST_CASE(a_first_change_is_due_at_once) {
    PushQueue queue;
    BOOST_TEST(!queue.due());
    BOOST_TEST(add(queue, "a", 0));
    BOOST_TEST((queue.due() == at(0)));
    BOOST_TEST((queue.take(at(0)) == Change{"a", "of a"}));
    BOOST_TEST(!queue.due());
    BOOST_TEST(queue.runs(at(0), at(1)));
}

BOOST_AUTO_TEST_CASE(the_next_turn_begins_half_a_second_after_the_last_began) {
    PushQueue queue;
    add(queue, "a", 0);
    BOOST_TEST(take(queue, 0) == "a");
    queue.ended("a");
    add(queue, "a", 0.1);
    BOOST_TEST(take(queue, 0.49) == "");
    BOOST_TEST((queue.due() == at(0.5)));
    BOOST_TEST(take(queue, 0.5) == "a");
}

BOOST_AUTO_TEST_CASE(a_database_that_has_its_turn_gets_no_second_one_before_the_end) {
    PushQueue queue;
    add(queue, "a", 0);
    BOOST_TEST(take(queue, 0) == "a");
    add(queue, "a", 1);
    BOOST_TEST(take(queue, 9) == "");
    queue.ended("a");
    BOOST_TEST(take(queue, 9) == "a", "the change came after the turn had begun");
    queue.ended("a");
    BOOST_TEST(take(queue, 99) == "");
}

BOOST_AUTO_TEST_CASE(changes_that_wait_are_one_turn) {
    PushQueue queue;
    for (int i = 0; i < 100; ++i) {
        add(queue, "a", 0.001 * i);
    }
    BOOST_TEST(take(queue, 1) == "a");
    queue.ended("a");
    BOOST_TEST(take(queue, 2) == "");
}

BOOST_AUTO_TEST_CASE(the_last_change_tells_where_the_database_is) {
    PushQueue queue;
    queue.add({"a", "old"}, at(0));
    queue.add({"a", "new"}, at(0));
    BOOST_TEST(queue.take(at(0))->identity == "new");
}

BOOST_AUTO_TEST_CASE(a_turn_that_did_not_come_is_tried_again_after_the_pause) {
    PushQueue queue;
    add(queue, "a", 0);
    BOOST_TEST(take(queue, 0) == "a");
    queue.again("a");
    BOOST_TEST(!queue.runs(at(0), at(1)));
    BOOST_TEST(take(queue, 0.4) == "");
    BOOST_TEST(take(queue, 0.5) == "a");
}

BOOST_AUTO_TEST_CASE(a_turn_goes_on_from_its_beginning_to_its_end) {
    PushQueues queues;
    queues.with("sda", [](PushQueue& queue) {
        for (const auto& [hash, seconds] : {std::pair("a", 1.0), std::pair("b", 1.0)}) {
            add(queue, hash, seconds);
            BOOST_TEST(take(queue, seconds) == hash);
        }
    });
    queues.with("sdb", [](PushQueue& queue) {
        add(queue, "a", 3);
        BOOST_TEST(take(queue, 3) == "a");
    });
    queues.with("sda", [](PushQueue& queue) { queue.ended("a"); });
    BOOST_TEST(queues.runs(at(0), at(2)), "the other one that began with it");
    BOOST_TEST(queues.runs(at(1), at(2)));
    BOOST_TEST(!queues.runs(at(0), at(1)), "it began later");
    BOOST_TEST(!queues.runs(at(2), at(3)));
    BOOST_TEST(queues.runs(at(2), at(4)), "of another device");
    queues.with("sda", [](PushQueue& queue) { queue.ended("b"); });
    BOOST_TEST(!queues.runs(at(0), at(2)));
}

BOOST_AUTO_TEST_CASE(who_has_waited_longest_comes_first) {
    PushQueue queue;
    for (const char* hash : {"c", "a", "b"}) {
        add(queue, hash, 0);
    }
    BOOST_TEST(take(queue, 0) == "c");
    BOOST_TEST(take(queue, 0) == "a");
    queue.ended("c");
    add(queue, "c", 0);
    BOOST_TEST(take(queue, 0.5) == "b");
    BOOST_TEST(take(queue, 0.5) == "c");
}

BOOST_AUTO_TEST_CASE(a_busy_database_leaves_the_others_their_turns) {
    PushQueue queue;
    std::map<std::string, int> turns;
    for (int ms = 0; ms < 10'000; ms += 20) { // fifty turns in a second, as databases_per_second
        const double now = ms / 1000.0;
        add(queue, "busy", now);
        if (ms % 1000 == 0) {
            add(queue, "quiet" + std::to_string(ms), now);
        }
        if (const std::string hash = take(queue, now); !hash.empty()) {
            ++turns[hash];
            queue.ended(hash);
        }
    }
    BOOST_TEST(turns["busy"] == 20);
    BOOST_TEST(turns.size() == 11U);
}

BOOST_AUTO_TEST_CASE(more_than_may_wait_are_left_to_the_pass) {
    PushQueue queue(2);
    BOOST_TEST(add(queue, "a", 0));
    BOOST_TEST(add(queue, "b", 0));
    BOOST_TEST(!add(queue, "c", 0));
    BOOST_TEST(add(queue, "a", 0), "waits already");
    BOOST_TEST(take(queue, 0) == "a");
    BOOST_TEST(add(queue, "c", 0));
}

BOOST_AUTO_TEST_CASE(what_rests_is_forgotten) {
    PushQueue queue;
    for (int i = 0; i < 1000; ++i) {
        const std::string hash = std::to_string(i);
        add(queue, hash, i);
        BOOST_TEST(take(queue, i) == hash);
        queue.ended(hash);
    }
    BOOST_TEST(queue.size() <= 2U);
}

BOOST_AUTO_TEST_CASE(a_reason_is_news_once_an_hour_however_often_it_comes_and_goes) {
    PushQueue queue;
    BOOST_TEST(!queue.is_news("", at(0)));
    BOOST_TEST(queue.is_news("not watched", at(0)));
    BOOST_TEST(!queue.is_news("not watched", at(1)));
    BOOST_TEST(queue.is_news("overflow", at(2)));
    for (int i = 3; i < 3602; ++i) {
        BOOST_TEST(!queue.is_news("", at(i)));
        BOOST_TEST(!queue.is_news("overflow", at(i)));
    }
    BOOST_TEST(queue.is_news("overflow", at(3602)));
}

BOOST_AUTO_TEST_CASE(the_queues_know_when_the_first_of_all_devices_is_due) {
    PushQueues queues;
    BOOST_TEST((queues.due(at(7)) == at(7)));
    for (const auto& [device, seconds] : {std::pair("sda", 3.0), std::pair("sdb", 2.0)}) {
        queues.with(device, [&](PushQueue& queue) { add(queue, "a", seconds); });
    }
    BOOST_TEST((queues.due(at(7)) == at(2)));
    BOOST_TEST((queues.due(at(1)) == at(1)));
}
