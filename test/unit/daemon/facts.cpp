#include <replica/daemon/facts.hpp>

#define BOOST_TEST_MODULE daemon_facts
#include <boost/test/unit_test.hpp>

#include <support/service_facts.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::daemon;
using support::at;
using support::Counting;
using support::device;
using support::OnAll;

namespace {

struct Service {
    Facts facts{"container", "/srv/node", at(0)};
    const std::string path = "/srv/node/sda/containers/1/abc/hash/hash.db";
    const std::string sda = "sda";
    const Device peer = device("10.0.0.2", "sdb");
    const std::string name = "10.0.0.2:6201/sdb";

    void begin(double when = 1) { facts.note(event::PassBegan{at(when), 1}, at(when)); }
    void end(double when = 2, bool partial = false, Stats stats = {}) {
        facts.note(event::PassEnded{stats, {}, at(when - 1), at(when), Seconds(1), partial},
                   at(when));
    }
    void turn_ends(bool well, std::int64_t rows, std::optional<std::int64_t> reached,
                   double when = 1, bool failed = false) {
        facts.note(event::PeerEnded{path, peer, well, rows, reached, failed}, at(when));
    }
    void peer_fails(Error error, const std::string& what, double when = 1) {
        facts.note(event::PeerFailed{path, peer, make_error_code(error), what}, at(when));
    }
    [[nodiscard]] FactsNow now(double when = 100) const { return facts.now(at(when)); }
    [[nodiscard]] PeerFacts the_peer() const { return now().peers.at(name); }
};

} // namespace

// ---- Passes.

BOOST_FIXTURE_TEST_CASE(a_new_service_knows_its_kind_and_no_more, Service) {
    const auto none = now();
    BOOST_TEST(none.kind == "container");
    BOOST_TEST((none.started == at(0)));
    BOOST_TEST((none.at == at(100)));
    BOOST_TEST(!none.passing);
    BOOST_TEST((none.pass_ended == Timestamp{}));
    BOOST_TEST(none.devices.empty());
    BOOST_TEST(none.peers.empty());
    BOOST_TEST(none.failures.empty());
}

BOOST_FIXTURE_TEST_CASE(a_pass_is_seen_while_it_runs_and_when_it_has_ended, Service) {
    facts.passes_every(Seconds(30));
    begin(10);
    BOOST_TEST(now().passing);
    BOOST_TEST(now().passes == 0U);
    facts.note(event::DeviceProgress{sda, 1, 4, 9}, at(10));
    BOOST_TEST(now().devices.at("sda").partitions_done == 1U);
    BOOST_TEST(now().devices.at("sda").partitions == 4U);
    BOOST_TEST(now().devices.at("sda").databases == 9);
    BOOST_TEST(!now().devices.at("sda").walked);
    facts.note(event::DeviceProgress{sda, 4, 4, 30, 28}, at(11));
    BOOST_TEST(now().devices.at("sda").walked);
    BOOST_TEST(now().devices.at("sda").remembered == 28);
    end(12);
    const auto after = now();
    BOOST_TEST(!after.passing);
    BOOST_TEST(after.passes == 1U);
    BOOST_TEST((after.pass_began == at(10)));
    BOOST_TEST((after.pass_ended == at(12)));
    BOOST_TEST(after.pass_took.count() == 1.0);
    BOOST_TEST(after.last_databases == 30);
    BOOST_TEST(after.interval.count() == 30.0);
    begin(40);
    BOOST_TEST(now().devices.at("sda").databases == 0); // of this pass
    BOOST_TEST(now().devices.at("sda").remembered == 28);
}

BOOST_FIXTURE_TEST_CASE(figures_of_passes_and_pushes_are_added_up, Service) {
    Stats stats;
    stats.rows = 5;
    stats.errors = 1;
    begin();
    end(2, false, stats);
    facts.note(event::PushesEnded{stats, Seconds(1)}, at(3));
    BOOST_TEST(now().total.rows == 10);
    BOOST_TEST(now().total.errors == 2);
    BOOST_TEST(now().last.rows == 5);
}

BOOST_FIXTURE_TEST_CASE(a_pass_that_could_not_be_done_is_counted_and_says_why, Service) {
    begin();
    const std::string what = "no memory";
    facts.note(event::PassFailed{what}, at(3));
    BOOST_TEST(now().failed_passes == 1U);
    BOOST_TEST(now().passes == 0U);
    BOOST_TEST(!now().passing);
    BOOST_TEST(now().failures.at(0).word == "pass");
    BOOST_TEST(now().failures.at(0).what == "no memory");
}

// ---- Devices.

BOOST_FIXTURE_TEST_CASE(a_device_that_is_left_out_is_so_until_a_pass_has_it_again, Service) {
    const std::string skipped = "/srv/node/sda";
    const auto is_out = [&] { return now().holds(now().devices.at("sda").skipped); };
    facts.note(event::DeviceSkipped{skipped, "is not mounted"}, at(1)); // comes before the pass
    begin();
    BOOST_TEST(is_out());
    end();
    BOOST_TEST(is_out());
    BOOST_TEST(now().devices.at("sda").skipped.reason == "is not mounted");
    BOOST_TEST(now().failures.at(0).word == "device_skipped");
    BOOST_TEST(now().failures.at(0).subject == "sda");
    begin(3);
    BOOST_TEST(is_out()); // it may be told yet
    end(4);
    BOOST_TEST(!is_out());
    BOOST_TEST(now().failures.size() == 1U); // that stays
}

BOOST_FIXTURE_TEST_CASE(a_brake_is_on_as_long_as_passes_tell_of_it, Service) {
    const auto is_on = [&] { return now().holds(now().devices.at("sda").brake); };
    begin();
    facts.note(event::Braked{sda, "too many"}, at(1));
    BOOST_TEST(is_on());
    end();
    begin();
    facts.note(event::Braked{sda, "too many"}, at(1));
    end();
    BOOST_TEST(is_on());
    begin();
    end();
    BOOST_TEST(!is_on());
    facts.note(event::Braked{sda, "by a push"}, at(5));
    BOOST_TEST(is_on());
    BOOST_TEST(now().failures.at(0).word == "brake");
    facts.note(event::Braked{sda, "wrong names", true}, at(6));
    BOOST_TEST(now().failures.at(0).word == "wrong_hash"); // leave_share is not the advice
    begin();
    end();
    BOOST_TEST(is_on());
}

BOOST_FIXTURE_TEST_CASE(what_befalls_a_database_is_counted_at_its_device, Service) {
    facts.note(event::DatabaseEnded{path, sda, Seconds(0.5), true}, at(1));
    facts.note(event::DatabaseEnded{path, sda, Seconds(0.5), false}, at(1));
    facts.note(event::Removed{path, sda, "expired"}, at(1));
    const std::string target = "/srv/node/sda/quarantined/x";
    const std::string reason = "damaged";
    facts.note(event::Quarantined{path, target, reason}, at(2));
    facts.note(event::DatabaseFailed{path, reason}, at(3));
    const std::string elsewhere = "/mnt/x.db";
    facts.note(event::DatabaseFailed{elsewhere, reason}, at(4));
    const auto all = now();
    const DeviceFacts& known = all.devices.at("sda");
    BOOST_TEST(known.turns == 2U);
    BOOST_TEST(known.failures == 1U);
    BOOST_TEST(known.removed == 1U);
    BOOST_TEST(known.quarantined == 1U);
    BOOST_TEST(all.turns.sum() == 1.0);
    BOOST_REQUIRE(all.failures.size() == 3U);
    BOOST_TEST(all.failures[0].subject == "this node");
    BOOST_TEST(all.failures[1].word + ' ' + all.failures[1].subject == "database sda");
    BOOST_TEST(all.failures[2].word + ' ' + all.failures[2].subject == "quarantined sda");
}

BOOST_FIXTURE_TEST_CASE(names_of_accounts_are_in_no_failure, Service) {
    const std::string account = "AUTH_secret/holiday";
    facts.note(event::WrongHash{path, account}, at(1));
    facts.note(event::Misplaced{path, account, 1}, at(1));
    BOOST_TEST(now().failures.at(0).word == "wrong_hash");
    const std::string upload = "/srv/node/sda/tmp/x: holds AUTH_secret/holiday, not this one";
    facts.note(event::ServeFailed{path, upload, make_error_code(Error::wrong_place)}, at(2));
    BOOST_TEST(now().failures.at(0).what == "the name inside is not that of the file, see the log");
    facts.note(event::ServeFailed{path, upload}, at(3));
    BOOST_TEST(now().failures.at(0).what == "an error without a class, see the log");
    BOOST_TEST(now().failures.at(0).count == 2U);
    peer_fails(Error::bad_reply, "10.0.0.2:6201/sdb: metadata 'X-Meta-secret' has no usable time");
    BOOST_TEST(the_peer().reason == "unusable reply, see the log");
    BOOST_TEST(now().failures.size() == 3U);
    for (const auto& failure : now().failures) {
        BOOST_TEST(failure.what.find("secret") == std::string::npos);
    }
}

BOOST_FIXTURE_TEST_CASE(what_concerns_the_whole_node_has_a_word_as_well, Service) {
    const std::string what = "cannot read";
    facts.note(event::NoLocalDevices{"10.0.0.1", 6201}, at(1));
    facts.note(event::ClockJumped{Seconds(4000)}, at(2));
    facts.note(event::ClockDiffers{peer, Seconds(4000)}, at(3));
    facts.note(event::ListingFailed{path, what}, at(4));
    facts.note(event::DeviceStalled{sda, Seconds(60)}, at(5));
    facts.note(event::Stale{path, at(0)}, at(6));
    facts.note(event::Stale{path, at(0), true}, at(6));
    facts.note(event::Stale{path, at(0), false, true}, at(6));
    facts.note(event::Diverged{path, peer}, at(7));
    facts.note(event::ServeFailed{path, what}, at(8));
    std::string words;
    for (const auto& failure : now().failures) {
        words += failure.word + ' ';
        BOOST_TEST(!advice_for(failure.word).empty(), failure.word);
    }
    BOOST_TEST(words ==
               "request diverged stale stale_alone stale_awaits device_stalled listing clock "
               "clock not_in_ring ");
    BOOST_TEST(now().failures.at(7).what == "its clock differs from ours by -4000 s");
    BOOST_TEST(now().holds(now().devices.at("sda").skipped));
}

// ---- Peers.

BOOST_FIXTURE_TEST_CASE(a_peer_is_known_by_its_turns, Service) {
    turn_ends(true, 10, 10, 5);
    facts.note(event::UsyncEnded{path, peer, 10, 4, false, Seconds(1)}, at(5));
    facts.note(event::Compared{path, peer, 100, 3, Seconds(1)}, at(5));
    facts.note(event::WholeFileSent{path, peer, 4096, false, false}, at(5));
    const PeerFacts known = the_peer();
    BOOST_TEST(known.answers);
    BOOST_TEST(known.successes == 1U);
    BOOST_TEST(known.failures == 0U);
    BOOST_TEST(known.rows == 7U);
    BOOST_TEST(known.bytes == 4096U);
    BOOST_TEST((known.last_success == at(5)));
    BOOST_TEST(known.lag.databases == 0);
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_fails_is_behind_until_it_has_all, Service) {
    begin();
    peer_fails(Error::connect_failed, "10.0.0.2: no route", 10);
    turn_ends(false, 12, 10, 10, true);
    BOOST_TEST(!the_peer().answers);
    BOOST_TEST(the_peer().failures == 1U);
    BOOST_TEST(the_peer().reason == "10.0.0.2: no route");
    BOOST_TEST(the_peer().lag.databases == 1);
    BOOST_TEST(the_peer().lag.rows == 2);
    BOOST_TEST(the_peer().lag.age(at(25)) == 15.0);
    BOOST_TEST(the_peer().lag.age(at(5)) == 0.0); // the clock was set back
    BOOST_TEST(now().failures.at(0).word == "peer_unreachable");
    BOOST_TEST(now().failures.at(0).subject == name);
    turn_ends(true, 12, 12, 30);
    BOOST_TEST(the_peer().answers);
    BOOST_TEST(the_peer().lag.databases == 0);
    BOOST_TEST(the_peer().lag.age(at(40)) == 0.0);
    BOOST_TEST(the_peer().failures == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_catches_up_row_by_row_is_up_though_behind, Service) {
    peer_fails(Error::connect_failed, "10.0.0.2: no route", 10);
    turn_ends(false, 1000, -1, 10, true);
    BOOST_TEST(!the_peer().answers);
    peer_fails(Error::held_back, "left alone", 11);
    turn_ends(false, 1000, -1, 11, true);
    BOOST_TEST(!the_peer().answers); // nobody asked it
    turn_ends(false, 1000, 300, 20);
    BOOST_TEST(the_peer().answers);
    BOOST_TEST(the_peer().lag.rows == 700);
    BOOST_TEST(the_peer().successes == 0U);
    BOOST_TEST((the_peer().last_success == Timestamp{}));
    BOOST_TEST(the_peer().failures == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_is_left_alone_has_not_failed_again, Service) {
    peer_fails(Error::timed_out, "silent");
    peer_fails(Error::held_back, "left alone");
    peer_fails(Error::stopped, "stopped");
    BOOST_TEST(the_peer().failures == 1U);
    BOOST_TEST(the_peer().reason == "silent");
    BOOST_TEST(now().failures.at(0).count == 1U);
    facts.note(event::PeerNotMounted{path, peer}, at(2));
    BOOST_TEST(the_peer().failures == 2U);
    BOOST_TEST(now().failures.at(0).word == "peer_not_mounted");
}

BOOST_FIXTURE_TEST_CASE(a_whole_pass_forgets_what_it_did_not_come_to, Service) {
    begin();
    turn_ends(false, 12, 10);
    end(2, true);
    BOOST_TEST(the_peer().lag.databases == 1);
    begin();
    end(4, true); // only a part of the node
    BOOST_TEST(the_peer().lag.databases == 1);
    const std::string skipped = "/srv/node/sda";
    facts.note(event::DeviceSkipped{skipped, "is not mounted"}, at(5));
    begin();
    end(6); // the database may be on the device that was left out
    BOOST_TEST(the_peer().lag.databases == 1);
    begin();
    end(8);
    BOOST_TEST(the_peer().lag.databases == 0);
}

BOOST_FIXTURE_TEST_CASE(who_left_the_ring_is_forgotten, Service) {
    turn_ends(false, 12, 10);
    facts.note(event::Braked{sda, "x"}, at(1));
    facts.keep_only(OnAll{{device("10.0.0.1", "sda"), peer}});
    BOOST_TEST(now().peers.size() == 1U);
    BOOST_TEST(now().devices.size() == 1U);
    facts.keep_only(OnAll{{device("10.0.0.3", "sdb")}});
    BOOST_TEST(now().peers.empty());
    BOOST_TEST(now().devices.empty());
}

BOOST_FIXTURE_TEST_CASE(a_push_that_is_refused_is_not_explained_by_rsync, Service) {
    peer_fails(Error::transfer_failed, "push to 10.0.0.2:6201/sdb/tmp/id: answered 503 ");
    BOOST_TEST(now().failures.at(0).word == "push");
    peer_fails(Error::transfer_failed, "rsync to 10.0.0.2::container/sdb/tmp/id: exit code 10", 2);
    BOOST_TEST(now().failures.at(0).word == "rsync");
    peer_fails(Error::peer_failed, name + " answered 503 ", 3);
    BOOST_TEST(now().failures.at(0).word == "peer_failed");
    BOOST_TEST(now().failures.size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(a_silent_peer_has_a_reason_that_does_not_name_it_again, Service) {
    peer_fails(Error::timed_out, name + ": timed out: no answer within 10 s");
    BOOST_TEST(the_peer().reason == "timed out: no answer within 10 s");
    BOOST_TEST(now().failures.at(0).subject == name);
    BOOST_TEST(now().failures.at(0).what == "timed out: no answer within 10 s");
    BOOST_TEST(now().failures.at(0).word == "peer_silent");
    peer_fails(Error::timed_out, name + ": ");
    BOOST_TEST(the_peer().reason == "timed out");
    BOOST_TEST(now().failures.at(0).what == "timed out");
}

// ---- What is over.

BOOST_FIXTURE_TEST_CASE(a_failure_of_a_peer_is_over_once_it_has_all_again, Service) {
    const auto over = [&] { return now().failures.at(0).over_since; };
    begin();
    peer_fails(Error::peer_failed, "answered 500", 10);
    turn_ends(false, 12, 10, 10, true);
    BOOST_TEST((over() == Timestamp{}));
    end(11);
    begin(12);
    turn_ends(false, 12, 10, 12, true); // left alone
    end(13);
    BOOST_TEST((over() == Timestamp{}));
    turn_ends(true, 12, 12, 20);
    BOOST_TEST((over() == at(20)));
    peer_fails(Error::connect_failed, "no route", 30);
    turn_ends(false, 99, 12, 30, true);
    BOOST_TEST((over() == Timestamp{}));
    BOOST_TEST((now().failures.at(1).over_since == at(20)));
    turn_ends(false, 99, 40, 31); // it answers, and lacks rows yet
    BOOST_TEST((over() == at(31)));
}

BOOST_FIXTURE_TEST_CASE(a_failure_here_is_over_once_a_whole_pass_does_not_tell_it, Service) {
    const std::string root = "/srv/node/sda";
    const std::string what = "no memory";
    const auto is_over = [&] { return now().failures.back().over_since != Timestamp{}; };
    begin();
    facts.note(event::WrongHash{path, what}, at(1));
    end(2);
    begin(3);
    end(4, true); // only a part of the node
    begin(5);
    facts.note(event::PassFailed{what}, at(6));
    facts.note(event::DeviceSkipped{root, "is not mounted"}, at(7));
    begin(8);
    end(9); // without the device
    BOOST_TEST(!is_over());
    begin(10);
    end(11);
    for (const auto& failure : now().failures) { // the pass and the device as well
        BOOST_TEST((failure.over_since == at(failure.word == "pass" ? 9 : 11)), failure.word);
    }
}

BOOST_FIXTURE_TEST_CASE(who_left_the_ring_fails_no_more, Service) {
    begin();
    peer_fails(Error::connect_failed, "no route");
    turn_ends(false, 12, 10, 1, true);
    end();
    facts.keep_only(OnAll{{device("10.0.0.1", "sda")}});
    begin(3);
    end(4);
    BOOST_TEST((now().failures.at(0).over_since == at(4)));
}

// ---- The receiver, and the way of the events.

BOOST_FIXTURE_TEST_CASE(requests_are_timed_by_verb_and_counted_by_status, Service) {
    facts.note(event::Served{sda, "sync", 200, Seconds(0.5)}, at(1));
    facts.note(event::Served{sda, "merge_items", 202, Seconds(0.25)}, at(1));
    facts.note(event::Served{sda, "merge_items", 500, Seconds(0.25)}, at(1));
    facts.note(event::Served{sda, "rm -rf", 400, Seconds(1)}, at(1));
    facts.note(event::Served{sda, "", 503, Seconds(1)}, at(1));
    const auto all = now();
    BOOST_TEST(all.requests.size() == 3U);
    BOOST_TEST(all.requests.at("sync").sum() == 0.5);
    BOOST_TEST(all.requests.at("merge_items").sum() == 0.5);
    BOOST_TEST(all.requests.at("other").sum() == 2.0);
    BOOST_TEST(all.merges.size() == 1U);
    BOOST_TEST(all.merges.at("merge_items").sum() == 0.25);
    BOOST_TEST(all.answers.size() == 5U);
    BOOST_TEST(all.answers.at(503) == 1U);
}

BOOST_FIXTURE_TEST_CASE(the_other_observer_hears_everything, Service) {
    const Counting counting;
    const FactsObserver observer(counting, facts);
    static_assert(Observer<FactsObserver<Counting>>);
    observer(event::PassBegan{at(1), 1});
    observer(event::WorkersWatched{}); // says nothing of facts
    BOOST_TEST(*counting.heard == 2);
    BOOST_TEST(now().passing);
    BOOST_TEST((now().pass_began > at(0)));
}
