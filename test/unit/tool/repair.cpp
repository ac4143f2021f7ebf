#include <replica/tool/repair.hpp>

#define BOOST_TEST_MODULE tool_repair
#include <replica/error.hpp>

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace {

using namespace replica;
using tool::DatabaseRepair;
using tool::PeerRepair;

/// What comes to the observer behind.
struct Behind {
    int* events;
    template <class Event>
    void operator()(const Event& /*event*/) const {
        ++*events;
    }
};

struct Gathered {
    int events = 0;
    tool::RepairObserver<Behind> observer{Behind{&events}};
    std::string path = "/srv/node/sda/containers/1/abc/x/x.db";
    std::string device = "sda";
    Device peer = [] {
        Device made;
        made.replication_ip = "10.0.0.2";
        made.replication_port = 6201;
        made.device = "sdb";
        return made;
    }();

    void begin() { observer(event::DatabaseBegan{path}); }
    void end(bool success) {
        observer(event::PeerEnded{path, peer, success, 9, 9, false});
        observer(event::DatabaseEnded{path, device, Seconds(1), success});
    }

    [[nodiscard]] DatabaseRepair database() {
        return observer.found()["/srv/node/sda/containers/1/abc/x"];
    }
    [[nodiscard]] PeerRepair of_peer() { return database().peers["10.0.0.2:6201/sdb"]; }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(rows_and_files_are_counted_for_each_peer, Gathered) {
    begin();
    observer(event::UsyncEnded{path, peer, 5, 4, false, {}});
    observer(event::Compared{path, peer, 100, 3, {}});
    observer(event::WholeFileSent{path, peer, 4096, true, false});
    end(true);
    BOOST_TEST(of_peer().rows == 7);
    BOOST_TEST(of_peer().bytes == 4096);
    BOOST_TEST(of_peer().result() == "done");
    BOOST_TEST(database().met);
    BOOST_TEST(!observer.again());
    BOOST_TEST(events == 6);
}

BOOST_FIXTURE_TEST_CASE(what_max_diffs_cuts_off_asks_for_another_pass, Gathered) {
    begin();
    observer(event::UsyncEnded{path, peer, 5, 5, true, {}});
    end(false);
    BOOST_TEST(of_peer().result() == "more");
    BOOST_TEST(observer.again());
    BOOST_TEST(!observer.again());
    begin();
    observer(event::UsyncEnded{path, peer, 8, 3, false, {}});
    end(true);
    BOOST_TEST(of_peer().result() == "done");
    BOOST_TEST(of_peer().rows == 8); // of all passes
    BOOST_TEST(!observer.again());
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_fails_says_why_and_is_forgiven_once_it_has_all, Gathered) {
    begin();
    const std::string what = "10.0.0.2:6201: connection refused";
    observer(event::PeerFailed{path, peer, make_error_code(Error::connect_failed), what});
    observer(event::PeerEnded{path, peer, false, 9, {}, true});
    BOOST_TEST(of_peer().result() == "failed");
    BOOST_TEST(of_peer().why == what);
    end(true);
    BOOST_TEST(of_peer().result() == "done");
    BOOST_TEST(of_peer().why.empty());
}

BOOST_FIXTURE_TEST_CASE(what_keeps_rows_back_is_told, Gathered) {
    begin();
    observer(event::Deferred{path, peer});
    end(false);
    BOOST_TEST(of_peer().result() == "held");
    BOOST_TEST(of_peer().why.find("sharder") != std::string::npos);
    observer(event::PeerNotMounted{path, peer});
    BOOST_TEST(of_peer().why == "its device is not mounted");
}

BOOST_FIXTURE_TEST_CASE(what_is_wrong_with_the_copy_here_is_told, Gathered) {
    const std::string what = "is broken";
    const std::string target = "/srv/node/sda/quarantined/x";
    BOOST_TEST(!database().met);
    begin();
    observer(event::DatabaseFailed{path, what});
    BOOST_TEST(database().trouble == what);
    observer(event::Quarantined{path, target, what});
    BOOST_TEST(database().trouble == "went to " + target + ": is broken");
    observer(event::WrongHash{path, what});
    BOOST_TEST(database().trouble.find("swift_hash_path_suffix") != std::string::npos);
    observer(event::Kept{path, what});
    BOOST_TEST(database().trouble == "stays here: is broken");
    observer(event::Stale{path, {}, false});
    BOOST_TEST(database().trouble.find("accept_stale") != std::string::npos);
    observer(event::Stale{path, {}, false, true});
    BOOST_TEST(database().trouble.find("never came") != std::string::npos);
    observer(event::Stale{path, {}, true});
    BOOST_TEST(database().trouble.empty());
    observer(event::Removed{path, device, "handed off"});
    BOOST_TEST(database().gone);
    BOOST_TEST(database().trouble == "has left this device: handed off");
    begin(); // a later pass
    BOOST_TEST(database().trouble.empty());
}

BOOST_FIXTURE_TEST_CASE(each_turn_that_has_ended_is_told_at_once, Gathered) {
    std::vector<std::size_t> told;
    observer.on_end([&](std::size_t ended) { told.push_back(ended); });
    begin();
    end(true);
    end(true);
    static_cast<void>(observer.again());
    end(true);
    BOOST_TEST((told == std::vector<std::size_t>{1, 2, 1}));
}

BOOST_AUTO_TEST_CASE(a_line_for_programs_has_all_of_it) {
    PeerRepair repair{3, 0, true, false, false, {}};
    BOOST_TEST(boost::json::serialize(tool::repair_line("/x.db", "p", repair, "same")) ==
               R"({"database":"/x.db","peer":"p","rows":3,"file_bytes":0,"result":"done",)"
               R"("why":"","afterwards":"same"})");
    BOOST_TEST(!tool::repair_line("/x.db", "p", repair, "").contains("afterwards"));
}

BOOST_FIXTURE_TEST_CASE(a_sharding_database_is_told_by_the_file_that_the_pass_met, Gathered) {
    const std::string epoch = "/srv/node/sda/containers/1/abc/x/x_1700000000.00000.db";
    observer(event::DatabaseBegan{epoch});
    BOOST_TEST(database().met);
    BOOST_TEST(database().path == epoch);
}

// ---- What the exit code says.

BOOST_FIXTURE_TEST_CASE(all_is_well_only_if_the_turn_has_ended_and_somebody_has_compared,
                        Gathered) {
    using enum tool::RepairVerdict;
    const tool::Finding same{tool::Verdict::same, path, "10.0.0.2:6201/sdb", {}, {}};
    BOOST_TEST((verdict_of(database(), {}) == trouble));
    BOOST_TEST(trouble_of(database()).find("no pass") == 0U);
    begin();
    observer(event::PeerEnded{path, peer, true, 9, 9, false});
    BOOST_TEST((verdict_of(database(), {same}) == trouble)); // a stop, or a thread that hangs
    BOOST_TEST(trouble_of(database()) == "its turn has not ended");
    end(true);
    BOOST_TEST((verdict_of(database(), {same}) == well));
    BOOST_TEST(trouble_of(database()).empty());
    BOOST_TEST((verdict_of(database(), {}) == silent));
    observer(event::Removed{path, device, "handed off"});
    BOOST_TEST((verdict_of(database(), {}) == well));
}

BOOST_FIXTURE_TEST_CASE(a_turn_without_peers_that_did_not_go_well_is_no_success, Gathered) {
    begin();
    observer(event::DatabaseEnded{path, device, Seconds(1), false});
    BOOST_TEST((verdict_of(database(), {}) == tool::RepairVerdict::trouble));
}

BOOST_FIXTURE_TEST_CASE(whatever_a_comparison_finds_counts_also_of_the_copy_here, Gathered) {
    using enum tool::RepairVerdict;
    using tool::Verdict;
    begin();
    end(true);
    const tool::Finding same{Verdict::same, path, "10.0.0.2:6201/sdb", {}, {}};
    const tool::Finding own{Verdict::differs, path, {}, {"stored hash or sums"}, {}};
    const tool::Finding locked{Verdict::unknown, path, {}, {}, "is locked"};
    const tool::Finding unasked{Verdict::differs, path, "10.0.0.3:6201/sdc", {"rows"}, {}};
    BOOST_TEST((verdict_of(database(), {same}) == well));
    BOOST_TEST((verdict_of(database(), {own, same}) == trouble));
    BOOST_TEST((verdict_of(database(), {locked}) == silent));
    BOOST_TEST((verdict_of(database(), {same, unasked}) == trouble));
    BOOST_TEST((verdict_of(database(), {locked, unasked}) == trouble));
    BOOST_TEST(tool::finding_of({own, same}, "10.0.0.2:6201/sdb") != nullptr);
    BOOST_TEST(tool::finding_of({own, same}, "10.0.0.3:6201/sdc") == nullptr);
}

BOOST_AUTO_TEST_CASE(a_peer_counts_by_what_it_got_and_by_what_was_found) {
    using enum tool::RepairVerdict;
    using tool::Verdict;
    const PeerRepair done{0, 0, true, false, false, {}};
    const PeerRepair failed{0, 0, false, true, false, "refused"};
    const PeerRepair held{};
    const tool::Finding differs{Verdict::differs, {}, {}, {}, {}};
    const tool::Finding unknown{Verdict::unknown, {}, {}, {}, {}};
    const tool::Finding same{};
    BOOST_TEST((verdict_of(done, nullptr) == well));
    BOOST_TEST((verdict_of(done, &same) == well));
    BOOST_TEST((verdict_of(done, &differs) == trouble));
    BOOST_TEST((verdict_of(done, &unknown) == silent));
    BOOST_TEST((verdict_of(failed, nullptr) == silent));
    BOOST_TEST((verdict_of(failed, &differs) == trouble));
    BOOST_TEST((verdict_of(held, &same) == trouble));
}
