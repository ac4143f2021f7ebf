#include <replica/send/stale.hpp>

#define BOOST_TEST_MODULE stale
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>
#include <support/shard_ranges.hpp>

#include <set>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;
using decide::Outcome;

namespace {

using Said = std::vector<std::string>;
constexpr Seconds week{7 * 86400};

/// Two replicas that agreed once; then this one was away.
template <class Kind>
struct Away : Duo<Kind> {
    Away() {
        this->nodes.put(0, this->name, "known");
        (void)this->turn();
        (void)this->turn();
        this->nodes.network().clear_log();
    }

    /// A whole turn with this peer.
    Result<Outcome> turn(bool leaves = false) {
        return this->with_task(
            [this](auto& task, const Device& to) {
                auto outcome = replicate_to_peer(task, to);
                note_agreement(task);
                suspect = task.suspect;
                return outcome;
            },
            leaves);
    }

    [[nodiscard]] std::int64_t noted() {
        return this->open(0).sync_point(notes::agreed(), Direction::outgoing);
    }
    [[nodiscard]] std::set<std::string> there() { return this->nodes.names(1, this->name); }

    bool suspect = false; ///< In the last turn.
};

using Containers = Away<ContainerKind>;
using Kinds = std::tuple<AccountKind, ContainerKind>;

Timestamp at(int seconds) {
    return {seconds * Timestamp::ticks_per_second, 0};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_row_was_last_written_at_the_newest_of_its_times) {
    ObjectRow object;
    object.created_at = RowTimes{at(5), at(7), at(9)}.encode();
    BOOST_TEST((newest_time(object) == at(9)));
    object.created_at = "no time";
    BOOST_TEST((newest_time(object) == at(0)));
    ContainerRow container;
    container.put_timestamp = at(5).normal();
    container.delete_timestamp = at(4).normal();
    BOOST_TEST((newest_time(container) == at(5)));
    BOOST_TEST(may_be_deleted(container, at(6)));
    BOOST_TEST(!may_be_deleted(container, at(5)));
    container.deleted = 1; // brings nothing back
    BOOST_TEST(!may_be_deleted(container, at(6)));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_written_before_an_absence_of_a_week_is_held_back, Kind,
                              Kinds) {
    for (const bool leaves : {false, true}) {
        Away<Kind> away;
        away.nodes.put(0, away.name, "old");
        away.nodes.erase(0, away.name, "gone");
        away.nodes.put(1, away.name, "theirs");
        away.clock.advance(week + Seconds(1));
        away.nodes.put(0, away.name, "new");
        BOOST_TEST((*away.turn(leaves) == Outcome::stale));
        BOOST_TEST((away.there() == std::set<std::string>{"known", "new", "theirs"}));
        BOOST_TEST(away.nodes.rows(1, away.name).size() == 4U); // with the tombstone
        const auto id = away.open(0).info().id;
        BOOST_TEST(away.open(1).sync_point(id, Direction::incoming) == 1); // no point moves past it
        away.nodes.network().clear_log();
        BOOST_TEST((*away.turn(leaves) == Outcome::stale));
        BOOST_TEST(away.said() == Said{"sync 200"}, boost::test_tools::per_element()); // not twice
        BOOST_TEST(away.open(1).sync_point(id, Direction::incoming) == 1);
    }
}

BOOST_AUTO_TEST_CASE(an_absence_of_less_than_a_week_holds_nothing_back) {
    Containers away;
    away.nodes.put(0, away.name, "old");
    away.nodes.put(1, away.name, "theirs");
    away.clock.advance(week - Seconds(60));
    BOOST_TEST((*away.turn() == Outcome::done));
    BOOST_TEST(away.there().contains("old"));
}

BOOST_AUTO_TEST_CASE(a_stale_copy_goes_to_no_peer_that_has_none) {
    Containers away;
    away.nodes.wipe(1);
    away.clock.advance(week + Seconds(1));
    BOOST_TEST((*away.turn() == Outcome::stale));
    BOOST_TEST(!away.nodes.has(1, away.name));
    away.settings.accept_stale = true;
    BOOST_TEST((*away.turn() == Outcome::done));
    BOOST_TEST(away.nodes.has(1, away.name));
}

BOOST_AUTO_TEST_CASE(equal_contents_end_it_and_rows_of_the_peer_alone_do_not) {
    Containers away;
    away.nodes.put(0, away.name, "old");
    away.clock.advance(week + Seconds(1));
    away.nodes.put(1, away.name, "theirs");
    away.open(0).merge_items(away.open(1).items_since(-1, 10), away.open(1).info().id);
    BOOST_TEST((*away.turn() == Outcome::stale)); // all of the peer's rows are here
    away.open(1).merge_items(away.open(0).items_since(-1, 10), "");
    const std::int64_t before = away.noted();
    BOOST_TEST((*away.turn() == Outcome::done));
    BOOST_TEST(away.noted() > before);
    away.nodes.put(0, away.name, "older", 1);
    BOOST_TEST((*away.turn() == Outcome::done));
    BOOST_TEST(away.there().contains("older"));
}

BOOST_AUTO_TEST_CASE(a_copy_that_nobody_writes_to_notes_its_agreement_twice_a_week) {
    Containers away;
    std::set<std::int64_t> notes;
    for (int hour = 0; hour < 14 * 24; ++hour) {
        away.clock.advance(Seconds(3600));
        (void)away.turn();
        notes.insert(away.noted());
    }
    BOOST_TEST(notes.size() >= 4U);
    BOOST_TEST(notes.size() <= 5U);
    BOOST_TEST(away.stats().stale == 0);
}

BOOST_AUTO_TEST_CASE(metadata_from_before_the_absence_are_not_told_to_anybody) {
    Containers away;
    away.open(0).merge_metadata(R"({"X-Old": ["old", "1700000001.00000"]})");
    away.nodes.put(0, away.name, "old");
    away.clock.advance(week + Seconds(1));
    away.open(0).merge_metadata("{\"X-New\": [\"new\", \"" + away.clock.now().normal() + "\"]}");
    BOOST_TEST((*away.turn() == Outcome::stale));
    const std::string metadata = away.open(1).info().metadata;
    BOOST_TEST(metadata.find("X-New") != std::string::npos);
    BOOST_TEST(metadata.find("X-Old") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_merge_takes_in_is_as_stale_as_it_was) {
    Containers away;
    const std::int64_t before = away.noted();
    away.nodes.put(0, away.name, "old");
    away.clock.advance(week + Seconds(1));
    away.nodes.put_many(1, away.name, "many", 2500);
    Settings settings = away.nodes.node(1).settings;
    settings.accept_stale = true; // it was there all the time
    away.nodes.restart(1, settings);
    BOOST_TEST(away.nodes.pass(1).remote_merge == 1); // its file takes this one's rows in
    BOOST_TEST(away.nodes.names(0, away.name).size() == 2502U);
    BOOST_TEST(away.noted() == before);
    BOOST_TEST((*away.turn() == Outcome::stale));
    BOOST_TEST(!away.there().contains("old"));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_copy_that_is_written_to_all_the_time_is_not_away, Kind, Kinds) {
    Away<Kind> busy;
    for (int round = 0; round < 9 * 12; ++round) {
        busy.clock.advance(Seconds(7200));
        busy.nodes.put(0, busy.name, "here " + std::to_string(round));
        (void)busy.nodes.pass(1);
        busy.nodes.put(1, busy.name, "there " + std::to_string(round));
        BOOST_REQUIRE((*busy.turn() == Outcome::done)); // never equal when they are compared
    }
    busy.nodes.wipe(1); // its device is replaced
    BOOST_TEST((*busy.turn() == Outcome::done));
    BOOST_TEST(busy.there().contains("here 0"));
    BOOST_TEST(busy.stats().stale == 0);
}

BOOST_AUTO_TEST_CASE(rows_that_the_peer_sent_before_an_absence_do_not_end_it) {
    Containers away;
    away.nodes.put(0, away.name, "old");
    away.nodes.put(1, away.name, "theirs");
    away.clock.advance(week / 2 + Seconds(1)); // an agreement is due
    (void)away.turn();
    const std::int64_t awaited = away.open(1).info().max_row;
    away.nodes.put(0, away.name, "mine");
    away.clock.advance(week + Seconds(1));
    away.open(0).merge_sync_points(std::vector<SyncPoint>{{awaited, away.open(1).info().id}},
                                   Direction::incoming);
    BOOST_TEST((*away.turn() == Outcome::stale));
    BOOST_TEST(!away.there().contains("mine"));
}

BOOST_AUTO_TEST_CASE(a_row_that_was_awaited_before_the_last_agreement_makes_no_later_one) {
    Containers away;
    const std::string id = away.open(1).info().id;
    const auto hear = [&](std::int64_t point) {
        away.open(0).merge_sync_points(std::vector<SyncPoint>{{point, id}}, Direction::incoming);
    };
    away.nodes.put(0, away.name, "mine");
    away.nodes.put(1, away.name, "theirs");
    away.clock.advance(week / 2 + Seconds(1)); // an agreement is due
    (void)away.turn();
    const std::int64_t first = away.noted();
    hear(away.open(1).info().max_row);
    away.nodes.put(0, away.name, "more");
    away.nodes.put(1, away.name, "others");
    away.clock.advance(week / 2 - Seconds(60)); // nearly stale
    (void)away.turn();
    BOOST_TEST(away.noted() <= first + 7 * 86400 / 2); // as of the time when it was awaited
    (void)away.turn();
    BOOST_TEST(away.noted() <= first + 7 * 86400 / 2);
}

BOOST_AUTO_TEST_CASE(a_container_that_is_being_sharded_comes_to_a_new_device_after_a_week) {
    Containers sharding;
    sharding.open(0).merge_shard_ranges(sharding_ranges(sharding.name.info));
    for (int day = 0; day < 9; ++day) {
        sharding.clock.advance(Seconds(86400));
        (void)sharding.turn();
    }
    sharding.nodes.wipe(1);
    BOOST_TEST((*sharding.turn() == Outcome::done));
    BOOST_TEST(sharding.nodes.has(1, sharding.name));
    BOOST_TEST((sharding.open(1).shard_ranges() == sharding.open(0).shard_ranges()));
}

BOOST_AUTO_TEST_CASE(an_entry_for_an_old_row_reaches_a_queue_that_is_as_old) {
    Containers made;
    made.name = made.nodes.name(".misplaced_objects", "1700000000");
    made.file = made.path();
    const Timestamp written = made.clock.now();
    made.nodes.create(1, made.name);
    made.clock.advance(week + Seconds(60));
    made.nodes.create(0, made.name); // a machine finds the misplaced row only now
    const auto queued = [&](const std::string& row) {
        made.open(0).put(Containers::Nodes::make_row(row, written, 0, false));
    };
    queued("1:/a/c/o");
    BOOST_TEST((*made.turn(true) == Outcome::done));
    queued("1:/a/c/p"); // the queue has its peer's time of creation by now
    BOOST_TEST((*made.turn(true) == Outcome::done));
    BOOST_TEST((made.there() == std::set<std::string>{"1:/a/c/o", "1:/a/c/p"}));
}

BOOST_AUTO_TEST_CASE(
    a_stale_copy_whose_points_say_that_nothing_is_to_be_sent_is_told_all_the_same) {
    Containers away;
    away.nodes.put(0, away.name, "old");
    const auto id = [&](std::size_t at) { return away.open(at).info().id; };
    const auto note = [&](std::size_t at, const std::string& of, std::int64_t point) {
        away.open(at).merge_sync_points(std::vector<SyncPoint>{{point, of}}, Direction::incoming);
    };
    note(0, id(1), away.open(1).info().max_row);
    note(1, id(0), away.open(0).info().max_row);
    away.clock.advance(week + Seconds(1));
    for (int pass = 0; pass < 10; ++pass) {
        BOOST_TEST((*away.turn() == Outcome::done));
        BOOST_TEST(away.suspect);
    }
    BOOST_TEST(!away.there().contains("old"));
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_behind_that_of_a_peer_hides_no_absence) {
    Containers away;
    away.nodes.put(0, away.name, "old");
    away.clock.advance(week - Seconds(86400));
    Reply reply{200, "text/html", message::encode_reply(away.open(1).info(), 1), ""};
    reply.date = away.clock.now().plus(Seconds(2 * 86400));
    away.nodes.network().answer(away.verb("sync"), reply);
    BOOST_TEST((*away.turn() == Outcome::stale));
    BOOST_TEST(!away.there().contains("old"));
}

BOOST_AUTO_TEST_CASE(a_peer_whose_clock_is_wrong_by_months_does_not_make_a_week_of_a_day) {
    Containers here;
    here.nodes.put(0, here.name, "old");
    here.clock.advance(Seconds(86400));
    Reply reply{200, "text/html", message::encode_reply(here.open(1).info(), 1), ""};
    reply.date = here.clock.now().plus(Seconds(90 * 86400));
    here.nodes.network().answer(here.verb("sync"), reply, 1);
    BOOST_TEST((*here.turn() == Outcome::done));
    BOOST_TEST(here.there().contains("old"));
}

// As of one that stock replicators have had until now: it may have been away.
BOOST_AUTO_TEST_CASE(
    what_differs_in_a_copy_that_nobody_has_followed_is_sent_as_far_as_it_is_young) {
    Duo<ContainerKind> duo;
    duo.nodes.create(1, duo.name);
    duo.nodes.put(0, duo.name, "old");
    duo.clock.advance(week + Seconds(1));
    duo.nodes.put(0, duo.name, "young");
    duo.nodes.put(1, duo.name, "theirs");
    (void)duo.nodes.pass(1); // heard of a moment ago
    duo.open(1).merge_sync_points(std::vector<SyncPoint>{{3, duo.open(0).info().id}},
                                  Direction::incoming);
    Result<Outcome> outcome = Outcome::done;
    for (int pass = 1; pass <= 2; ++pass) {
        outcome = duo.with_task([](auto& task, const Device& to) {
            auto result = replicate_to_peer(task, to);
            BOOST_TEST(!task.awaits); // so it is told as one that was away
            return result;
        });
        BOOST_TEST((*outcome == (pass == 1 ? Outcome::done : Outcome::stale)));
    }
    BOOST_TEST((duo.nodes.names(1, duo.name) == std::set<std::string>{"theirs", "young"}));
}
