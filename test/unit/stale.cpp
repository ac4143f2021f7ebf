#include <replica/stale.hpp>

#define BOOST_TEST_MODULE stale
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

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
template <class Server>
struct Away : Duo<Server> {
    Away() {
        this->nodes.put(0, this->name, "known");
        (void)this->turn();
        (void)this->turn();
        this->nodes.network().clear_log();
    }

    /// A whole turn with this peer.
    Result<Outcome> turn(bool leaves = false) {
        return this->with_task(
            [](auto& task, const Device& to) {
                auto outcome = replicate_to_peer(task, to);
                note_agreement(task);
                return outcome;
            },
            leaves);
    }

    [[nodiscard]] std::int64_t noted() {
        return this->open(0).sync_point(notes::agreed(), Direction::outgoing);
    }
    [[nodiscard]] std::set<std::string> there() { return this->nodes.names(1, this->name); }
};

using Containers = Away<ContainerServer>;
using Servers = std::tuple<AccountServer, ContainerServer>;

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

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_written_before_an_absence_of_a_week_is_held_back, Server,
                              Servers) {
    for (const bool leaves : {false, true}) {
        Away<Server> away;
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
