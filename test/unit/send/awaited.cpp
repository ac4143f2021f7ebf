#include <replica/send/awaited.hpp>

#define BOOST_TEST_MODULE awaited
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>

using namespace replica;
using namespace replica::test;

namespace {

constexpr Seconds week{7 * 86400};

/// Two replicas with the same content. The peer's last row is a tombstone that it has dropped
/// before its own pass has sent it.
struct Waiting : Duo<ContainerKind> {
    Waiting() {
        nodes.put(0, name, "known");
        nodes.put(0, name, "lost there");
        turn(); // the file goes over
        turn(); // the contents agree
        drop_a_row("dropped 1");
    }

    /// A deletion from two weeks ago comes to the peer, which drops it, and what it deletes, as a
    /// stock replicator does at the begin of its next turn.
    void drop_a_row(const std::string& row) {
        auto peer = open(1);
        peer.put(Nodes::make_row(row, clock.now().plus(-2 * week), 0, true));
        const Timestamp limit = clock.now().plus(-week);
        (void)peer.reclaim(peer.info(), limit, limit);
        BOOST_REQUIRE(!there().contains(row));
        BOOST_REQUIRE(peer.info().max_row >
                      open(0).sync_point(peer.info().id, Direction::incoming));
    }

    /// A whole turn with the peer.
    void turn(bool leaves = false) {
        with_task(
            [&](auto& task, const Device& to) {
                task.expiring = expiring;
                BOOST_TEST(replicate_to_peer(task, to).has_value());
                task.record_reached();
                note_agreement(task);
                told = task.awaits && !task.agreed;
                BOOST_TEST(!task.suspect); // the copy is not stale
                settled = task.settled;
                return true;
            },
            leaves);
    }

    void turn_after(double days) {
        clock.advance(Seconds(days * 86400));
        turn();
    }

    [[nodiscard]] std::int64_t noted() {
        return open(0).sync_point(notes::waits_for(open(1).info().id), Direction::outgoing);
    }
    [[nodiscard]] std::int64_t agreed() {
        return open(0).sync_point(notes::agreed(), Direction::outgoing);
    }
    [[nodiscard]] std::set<std::string> there() { return nodes.names(1, name); }

    bool expiring = false;
    bool told = false;    ///< In the last turn the copy gave up rows, and no peer agreed.
    bool settled = false; ///< In the last turn old tombstones could be dropped.
};

} // namespace

BOOST_AUTO_TEST_CASE(a_difference_behind_rows_that_never_come_is_told_before_the_copy_is_stale) {
    Waiting duo;
    duo.nodes.lose(1, duo.name, "lost there");
    for (int half = 1; half <= 13; ++half) {
        duo.turn_after(0.5);
        BOOST_TEST(duo.told == (half > 10), "day " << half * 0.5);
        BOOST_TEST(!duo.settled);
    }
    BOOST_TEST(duo.stats().diverged == 0);
    duo.settings.accept_stale = true; // the operator knows that nothing was deleted
    duo.turn();
    duo.turn();
    BOOST_TEST(duo.stats().diverged == 1);
    BOOST_TEST(duo.there().contains("lost there"));
    duo.settings.accept_stale = false;
    duo.turn();
    BOOST_TEST(!duo.told);
    BOOST_TEST(duo.agreed() == duo.clock.now().ticks / Timestamp::ticks_per_second);
}

// The row is three weeks old, and what the peer has dropped was its deletion.
BOOST_AUTO_TEST_CASE(what_such_rows_have_deleted_does_not_come_back) {
    Waiting duo;
    const auto row = Waiting::Nodes::make_row("old", duo.clock.now().plus(-3 * week), 1, false);
    duo.open(0).put(row);
    duo.open(1).put(row);
    duo.turn();
    duo.turn();
    duo.drop_a_row("old");
    for (int half = 0; half < 60; ++half) {
        duo.turn_after(0.5);
        BOOST_TEST(!duo.there().contains("old"));
        BOOST_TEST(!duo.settled);
    }
    BOOST_TEST(duo.stats().diverged == 0);
    BOOST_TEST(duo.told);
}

BOOST_AUTO_TEST_CASE(with_the_next_row_of_the_peer_a_difference_is_looked_at) {
    Waiting duo;
    duo.nodes.lose(1, duo.name, "lost there");
    for (int half = 1; half <= 12; ++half) {
        duo.turn_after(0.5);
    }
    BOOST_TEST(duo.told);
    const auto row = Waiting::Nodes::make_row("new", duo.clock.now(), 1, false);
    duo.open(0).put(row);
    duo.open(1).put(row);
    const auto peer = duo.open(1).info();
    duo.open(0).set_sync_point({peer.max_row, peer.id}, Direction::incoming); // as it says itself
    for (int pass = 0; pass < 3; ++pass) { // our row goes over, and then there are two sightings
        duo.turn();
        BOOST_TEST(!duo.told);
    }
    BOOST_TEST(duo.there().contains("lost there"));
}

BOOST_AUTO_TEST_CASE(a_copy_that_agrees_by_its_content_drops_nothing_and_sends_nothing) {
    Waiting duo;
    duo.nodes.network().clear_log();
    for (int half = 0; half < 30; ++half) {
        duo.turn_after(0.5);
        BOOST_TEST(!duo.settled);
        BOOST_TEST(!duo.told);
    }
    BOOST_TEST(duo.stats().diverged == 0);
    BOOST_TEST(duo.noted() == -1); // there is nothing to wait for
    const auto said = duo.said();
    BOOST_TEST(std::ranges::count(said, "sync 200") == 30);
    BOOST_TEST(said.size() == 30U);
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_ahead_for_a_while_costs_no_write) {
    Waiting duo;
    duo.nodes.lose(1, duo.name, "lost there");
    const std::int64_t agreed = duo.agreed();
    BOOST_REQUIRE(agreed >= 0);
    for (int hour = 0; hour < 80; ++hour) {
        duo.turn_after(1.0 / 24);
    }
    BOOST_TEST(duo.noted() == -1);
    BOOST_TEST(duo.agreed() == agreed);
}

BOOST_AUTO_TEST_CASE(each_row_that_comes_to_the_peer_begins_the_wait_anew) {
    Waiting duo;
    duo.nodes.lose(1, duo.name, "lost there");
    duo.turn_after(3.6);
    const std::int64_t first = duo.noted();
    BOOST_TEST(first >= 0);
    duo.drop_a_row("dropped 2");
    duo.turn_after(1.8);
    BOOST_TEST(duo.noted() != first);
    for (int hour = 0; hour < 36; ++hour) {
        duo.turn_after(1.0 / 24);
    }
    BOOST_TEST(duo.stats().diverged == 0);
}

BOOST_AUTO_TEST_CASE(a_wait_that_began_in_the_future_begins_anew) {
    Waiting duo;
    duo.nodes.lose(1, duo.name, "lost there");
    duo.turn_after(3.6);
    const std::int64_t begun = duo.noted() + (std::int64_t{30 * 86400} << 30);
    duo.open(0).set_sync_point({begun, notes::waits_for(duo.open(1).info().id)},
                               Direction::outgoing);
    duo.turn_after(0.1);
    BOOST_TEST(duo.noted() >= 0);
    BOOST_TEST(duo.noted() < begun);
}

BOOST_AUTO_TEST_CASE(only_a_copy_that_stays_waits) {
    for (const bool leaves : {false, true}) {
        Waiting duo;
        duo.nodes.lose(1, duo.name, "lost there");
        duo.expiring = !leaves;
        duo.clock.advance(week * 0.6);
        duo.turn(leaves);
        BOOST_TEST(duo.noted() == -1);
        duo.expiring = false;
        duo.turn();
        BOOST_TEST((duo.noted() >= 0) == !leaves); // the row went over with the copy that left
    }
}

BOOST_AUTO_TEST_CASE(only_a_difference_of_the_sums_is_looked_for_behind_such_rows) {
    const decide::Replica a("a", "0", 5, 3, 30);
    const decide::Choice waits{decide::Way::no_change};
    static_assert(!may_wait({decide::Way::no_change}, {"a", "0", 5, 3, 30}, {"b", "1", 5, 3, 30}));
    BOOST_TEST(may_wait(waits, a, {"b", "1", 5, 4, 30}));
    BOOST_TEST(may_wait(waits, a, {"b", "1", 5, 3, 31}));
    BOOST_TEST(!may_wait({decide::Way::rows}, a, {"b", "1", 5, 4, 30}));
    BOOST_TEST(!may_wait({decide::Way::no_change, 5, true, true}, a, {"b", "1", 5, 4, 30}));
}
