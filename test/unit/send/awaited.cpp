#include <replica/send/awaited.hpp>

#define BOOST_TEST_MODULE awaited
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <cstdint>
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

    void drop_a_row(const std::string& row) {
        auto peer = open(1);
        peer.put(Nodes::make_row(row, clock.now().plus(-2 * week), 0, true));
        const Timestamp limit = clock.now().plus(-week);
        (void)peer.reclaim(peer.info(), limit, limit);
        BOOST_REQUIRE(peer.info().count == open(0).info().count);
        BOOST_REQUIRE(peer.info().max_row >
                      open(0).sync_point(peer.info().id, Direction::incoming));
    }

    /// A whole turn with the peer. Returns whether old tombstones may be dropped.
    bool turn(bool leaves = false) {
        return with_task(
            [&](auto& task, const Device& to) {
                task.expiring = expiring;
                BOOST_TEST(replicate_to_peer(task, to).has_value());
                task.record_reached();
                note_agreement(task);
                suspect = task.suspect;
                return task.settled;
            },
            leaves);
    }

    bool turn_after(double days) {
        clock.advance(Seconds(days * 86400));
        return turn();
    }

    [[nodiscard]] std::int64_t noted() {
        return open(0).sync_point(notes::waits_for(open(1).info().id), Direction::outgoing);
    }
    [[nodiscard]] std::int64_t agreed() {
        return open(0).sync_point(notes::agreed(), Direction::outgoing);
    }

    bool expiring = false;
    bool suspect = false; ///< A stale copy that differs, in the last turn.
};

} // namespace

BOOST_AUTO_TEST_CASE(rows_that_a_peer_has_dropped_are_waited_for_a_quarter_of_reclaim_age) {
    Waiting duo;
    BOOST_TEST(!duo.turn_after(3.6)); // an agreement is due, and the wait begins
    BOOST_TEST(duo.noted() >= 0);
    BOOST_TEST(!duo.turn_after(1.7));
    BOOST_TEST(duo.turn_after(0.1));
    BOOST_TEST(duo.turn_after(20)); // as long as nothing new comes
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_ahead_for_a_while_costs_no_write) {
    Waiting duo;
    const std::int64_t agreed = duo.agreed();
    BOOST_REQUIRE(agreed >= 0);
    for (int hour = 0; hour < 80; ++hour) {
        BOOST_TEST(!duo.turn_after(1.0 / 24));
    }
    BOOST_TEST(duo.noted() == -1);
    BOOST_TEST(duo.agreed() == agreed);
}

BOOST_AUTO_TEST_CASE(each_row_that_comes_to_the_peer_begins_the_wait_anew) {
    Waiting duo;
    BOOST_TEST(!duo.turn_after(3.6));
    duo.drop_a_row("dropped 2");
    BOOST_TEST(!duo.turn_after(2));
    const std::int64_t first = duo.noted();
    BOOST_TEST(!duo.turn_after(1.6)); // the next agreement is due
    BOOST_TEST(duo.noted() != first);
    BOOST_TEST(!duo.turn_after(1.7));
    BOOST_TEST(duo.turn_after(0.1));
}

BOOST_AUTO_TEST_CASE(a_difference_behind_such_rows_is_sent_again_before_the_copy_is_stale) {
    Waiting duo;
    duo.nodes.lose(1, duo.name, "lost there");
    for (int half = 0; half < 16; ++half) {
        (void)duo.turn_after(0.5);
        BOOST_TEST(!duo.suspect);
    }
    BOOST_TEST(duo.stats().diverged == 1);
    BOOST_TEST(duo.nodes.names(1, duo.name).contains("lost there"));
    BOOST_TEST(duo.agreed() >= duo.clock.now().plus(-week).ticks / Timestamp::ticks_per_second);
}

// The rows that did not come may have been the deletions of rows that are live here.
BOOST_AUTO_TEST_CASE(a_difference_that_stays_makes_the_copy_stale_in_spite_of_it) {
    Waiting duo;
    duo.nodes.put(1, duo.name, "the peer never sends it");
    for (int half = 0; half < 20; ++half) {
        (void)duo.turn_after(0.5);
    }
    BOOST_TEST(duo.stats().diverged > 0);
    BOOST_TEST(duo.suspect);
}

BOOST_AUTO_TEST_CASE(a_wait_that_began_in_the_future_begins_anew) {
    Waiting duo;
    BOOST_TEST(!duo.turn_after(3.6));
    duo.open(0).set_sync_point(
        {duo.noted() + (std::int64_t{30 * 86400} << 30), notes::waits_for(duo.open(1).info().id)},
        Direction::outgoing);
    BOOST_TEST(!duo.turn_after(3.6));
    BOOST_TEST(!duo.turn_after(1.7));
    BOOST_TEST(duo.turn_after(0.1));
}

BOOST_AUTO_TEST_CASE(an_expired_database_waits_for_all_rows) {
    Waiting duo;
    duo.expiring = true;
    BOOST_TEST(!duo.turn_after(3.6));
    BOOST_TEST(!duo.turn_after(3.6));
    BOOST_TEST(duo.noted() == -1);
}

BOOST_AUTO_TEST_CASE(a_copy_that_leaves_waits_for_nothing_and_notes_nothing) {
    Waiting duo;
    duo.clock.advance(week * 0.6);
    (void)duo.turn(true);
    BOOST_TEST(duo.noted() == -1);
}
