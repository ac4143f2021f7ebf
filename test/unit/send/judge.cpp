#include <replica/send/judge.hpp>

#define BOOST_TEST_MODULE judge
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <string>

namespace {

using namespace replica;
using test::Cluster;
using Kinds = boost::mpl::list<AccountKind, ContainerKind>;

/// The copy of node 0, and what is found about a peer whose copy a test makes up.
template <class Kind>
struct Court {
    using Info = typename Kind::info_type;

    Cluster<Kind> cluster{2, 2};
    typename Cluster<Kind>::Name name = cluster.name("AUTH_here");
    Foresight<Info> found{};
    PeerForesight<Info> seen{};
    Info remote{};
    Seconds later{0};
    bool ours = false;
    bool expiring = false;
    bool judge_was_settled = false;
    bool judge_was_suspect = false;

    Court() {
        cluster.create(0, name);
        cluster.put_many(0, name, "o", 6);
        remote = cluster.info(0, name);
        remote.id = "another";
    }

    /// The word for what is to be done, by the answer `remote` with the point `theirs`.
    std::string judged(std::int64_t theirs = -1, bool belongs = true) {
        auto database = cluster.open(0, name);
        found = {};
        found.info = database.info();
        found.belongs = belongs;
        seen = {};
        seen.remote = remote;
        seen.points.theirs = theirs;
        Judge<typename Cluster<Kind>::Broker> judge(cluster.node(0).settings, database, found, {},
                                                    cluster.clock().now().plus(later));
        judge.expiring = expiring;
        judge.judge(seen, [this] { return ours; });
        judge_was_settled = judge.settled;
        judge_was_suspect = judge.suspect;
        return std::string(word_of(seen.deed));
    }
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(by_its_point_a_peer_has_all_or_lacks_rows, Kind, Kinds) {
    Court<Kind> court;
    BOOST_TEST(court.judged(6) == "nothing");
    BOOST_TEST((court.seen.outcome == decide::Outcome::done));
    BOOST_TEST(court.found.stats.no_change == 1);
    court.remote.hash = std::string(32, '0');
    BOOST_TEST(court.judged(2) == "send_rows");
    BOOST_TEST(court.seen.above == 2);
    BOOST_TEST(court.found.stats.diff == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(by_the_same_hash_it_notes_the_point_itself, Kind, Kinds) {
    Court<Kind> court;
    BOOST_TEST(court.judged(2) == "note_point");
    BOOST_TEST(court.found.stats.no_change == 1);
    BOOST_TEST(court.found.stats.hashmatch == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_has_little_gets_the_file, Kind, Kinds) {
    Court<Kind> court;
    court.cluster.node(0).settings.per_diff = 2;
    court.remote.max_row = 1;
    court.remote.count = 1;
    court.remote.hash = std::string(32, '0');
    BOOST_TEST(court.judged(1) == "send_file_to_merge");
    BOOST_TEST(court.found.stats.remote_merge == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(more_than_max_diffs_batches_are_progress, Kind, Kinds) {
    Court<Kind> court;
    court.cluster.node(0).settings.per_diff = 2;
    court.cluster.node(0).settings.max_diffs = 2;
    court.remote.hash = std::string(32, '0');
    BOOST_TEST(court.judged(2) == "send_rows");
    BOOST_TEST((court.seen.outcome == decide::Outcome::done));
    BOOST_TEST(court.judged(1) == "send_rows");
    BOOST_TEST((court.seen.outcome == decide::Outcome::progress));
    BOOST_TEST(court.found.stats.diff_capped == 1);
    BOOST_TEST(court.seen.why.find("at ROWID 5,") != std::string::npos);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(without_points_rows_are_compared_with_a_server_of_ours, Kind, Kinds) {
    Court<Kind> court;
    court.cluster.node(0).settings.compare_rows = 3;
    court.remote.hash = std::string(32, '0');
    BOOST_TEST(court.judged() == "send_rows");
    court.ours = true;
    BOOST_TEST(court.judged() == "compare");
    BOOST_TEST(court.judged(0) == "send_rows");
    BOOST_TEST(court.judged(-1, false) == "send_rows");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(who_knows_more_than_there_is_brings_a_new_id, Kind, Kinds) {
    Court<Kind> court;
    court.remote.hash = std::string(32, '0');
    BOOST_TEST(court.judged(7) == "send_rows");
    BOOST_TEST(court.seen.above == -1); // under a new id nobody has a point
    BOOST_TEST(court.found.renewed);
    BOOST_TEST(court.found.stats.reidentified == 1);
    BOOST_TEST(court.seen.why.starts_with("take a new id"));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_stale_copy_holds_back_old_rows_only, Kind, Kinds) {
    Court<Kind> court;
    court.remote.hash = std::string(32, '0');
    court.later = court.cluster.node(0).settings.reclaim_age + Seconds(60);
    BOOST_TEST(court.judged(2) == "hold_back");
    BOOST_TEST((court.seen.outcome == decide::Outcome::stale));
    court.cluster.node(0).settings.accept_stale = true;
    BOOST_TEST(court.judged(2) == "send_rows");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peers_newer_times_are_taken_over, Kind, Kinds) {
    Court<Kind> court;
    static_cast<void>(court.judged(6));
    BOOST_TEST(!court.seen.taken);
    court.remote.put_timestamp = "9999999998.00000";
    static_cast<void>(court.judged(6));
    BOOST_TEST(court.seen.taken);
    court.remote = court.cluster.info(0, court.name);
    court.remote.id = "another";
    court.remote.metadata = R"({"X-Key": ["value", "1700000000.00000"]})";
    static_cast<void>(court.judged(6));
    BOOST_TEST(court.seen.taken);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_difference_is_sent_again_once_it_was_seen_before, Kind, Kinds) {
    Court<Kind> court;
    court.remote.hash = std::string(32, '0');
    court.remote.count = 5;
    court.remote.max_row = 0;
    court.cluster.open(0, court.name)
        .merge_sync_points(std::vector<SyncPoint>{{0, "another"}}, Direction::incoming);
    BOOST_TEST(court.judged(6) == "nothing");
    const auto difference = notes::difference_of(court.cluster.info(0, court.name), court.remote);
    const auto saw = [&](std::uint32_t times) {
        court.cluster.open(0, court.name)
            .set_sync_point(
                {notes::Sighting{difference, times}.encode(), notes::differs_from("another")},
                Direction::outgoing);
    };
    saw(1);
    BOOST_TEST(court.judged(6) == "send_rows");
    BOOST_TEST(court.found.stats.diverged == 1);
    saw(2);
    BOOST_TEST(court.judged(6) == "send_file_to_merge");
    saw(3);
    BOOST_TEST(court.judged(6) == "nothing");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(behind_rows_that_will_not_come_nothing_is_sent, Kind, Kinds) {
    Court<Kind> court;
    auto& settings = court.cluster.node(0).settings;
    court.remote.hash = std::string(32, '0');
    court.remote.count = 5;
    court.remote.max_row = 3; // nothing of it has come
    const Timestamp now = court.cluster.clock().now();
    const auto note = [&](const std::string& key, std::int64_t value) {
        court.cluster.open(0, court.name).set_sync_point({value, key}, Direction::outgoing);
    };
    const auto difference = notes::difference_of(court.cluster.info(0, court.name), court.remote);
    note(notes::differs_from("another"), notes::Sighting{difference, 1}.encode());
    note(notes::waits_for("another"), notes::Wait(now, -1, 3).encode());
    const auto suspects = [&] {
        BOOST_TEST(court.judged(6) == "nothing");
        BOOST_TEST(!court.judge_was_settled);
        return court.judge_was_suspect;
    };
    BOOST_TEST(!suspects());
    court.later = settings.reclaim_age / 4 + Seconds(1);
    BOOST_TEST(suspects());
    court.expiring = true;
    BOOST_TEST(!suspects());
    court.expiring = false;
    court.remote.count = 6; // equal sums: what one of the two has reclaimed
    BOOST_TEST(!suspects());
    court.remote.count = 5;
    settings.accept_stale = true;
    BOOST_TEST(court.judged(6) == "send_rows");
    settings.accept_stale = false;
    court.remote.max_row = 4;
    BOOST_TEST(!suspects());
}
