#include "cheap.hpp"

#define BOOST_TEST_MODULE sim_cheap
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>

using namespace replica;
using test::Change;
using test::Config;
using test::Violation;

namespace {

/// Three replicas, servers of ours only.
Config three_replicas() {
    Config config{};
    config.replicas = 3;
    config.names = 5;
    config.per_diff = 1000;
    config.max_diffs = 3;
    return config;
}

bool is_cheap(const Stats& spent, Change change = Change::call, std::int64_t rounds = 2,
              const Config& config = three_replicas()) {
    try {
        test::require_cheap(spent, rounds, config, change);
        return true;
    } catch (const Violation&) {
        return false;
    }
}

BOOST_AUTO_TEST_CASE(a_row_that_each_copy_sends_to_each_peer_once_is_cheap) {
    BOOST_TEST(is_cheap(Stats{}));
    BOOST_TEST(is_cheap(Stats{.attempted = 6, .success = 12, .diff = 9, .rows = 9}));
    BOOST_TEST(!is_cheap(Stats{.diff = 10, .rows = 10}));
}

BOOST_AUTO_TEST_CASE(a_database_that_is_made_goes_to_each_peer_once) {
    BOOST_TEST(is_cheap(Stats{.rsync = 3}));
    BOOST_TEST(!is_cheap(Stats{.rsync = 4}));
    BOOST_TEST(!is_cheap(Stats{.diff_capped = 1}));
}

BOOST_AUTO_TEST_CASE(a_difference_that_only_hashes_show_takes_its_time_and_sends_all_rows) {
    Config bit_by_bit = three_replicas();
    bit_by_bit.per_diff = bit_by_bit.max_diffs = 1;
    bit_by_bit.reclaim_age = 300; // hashes may differ
    const Stats spent{.diff_capped = 9, .rows = 45, .diverged = 2};
    BOOST_TEST(is_cheap(spent, Change::call, 46, bit_by_bit));
    BOOST_TEST(!is_cheap(spent, Change::call, 47, bit_by_bit));
    BOOST_TEST(!is_cheap(Stats{.rows = 46, .diverged = 2}, Change::call, 6, bit_by_bit));
    Config emptied = three_replicas();
    emptied.per_diff = emptied.reports = 1;
    emptied.max_diffs = 100;
    BOOST_TEST(is_cheap(Stats{.remote_merge = 9}, Change::call, 2, emptied));
    BOOST_TEST(!is_cheap(Stats{.remote_merge = 10}, Change::call, 2, emptied));
    Config forgetful = three_replicas();
    forgetful.reclaim_age = 300;
    BOOST_TEST(is_cheap(Stats{.remote_merge = 9, .diverged = 1}, Change::call, 2, forgetful));
    BOOST_TEST(!is_cheap(Stats{.remote_merge = 10, .diverged = 1}, Change::call, 2, forgetful));
    BOOST_TEST(!is_cheap(Stats{.remote_merge = 1}, Change::call, 2, forgetful));
    forgetful.overstated = 1;
    BOOST_TEST(is_cheap(Stats{.remote_merge = 9}, Change::call, 2, forgetful));
    BOOST_TEST(!is_cheap(Stats{.remote_merge = 10}, Change::call, 2, forgetful));
    BOOST_TEST(is_cheap(Stats{.reidentified = 1}, Change::call, 2, forgetful));
    BOOST_TEST(!is_cheap(Stats{.reidentified = 1}));
    BOOST_TEST(!is_cheap(Stats{.rows = 10}, Change::call, 6, bit_by_bit));
    BOOST_TEST(!is_cheap(Stats{.rows = 9}, Change::call, 7, bit_by_bit));
}

BOOST_AUTO_TEST_CASE(a_ring_that_changes_moves_whole_files_and_their_rows) {
    BOOST_TEST(is_cheap(Stats{.rsync = 9, .diff_capped = 3, .rows = 100}, Change::ring));
    BOOST_TEST(!is_cheap(Stats{.hashmatch = 1}, Change::ring));
    BOOST_TEST(!is_cheap(Stats{.remote_merge = 1}, Change::ring));
    Config queues = three_replicas();
    queues.policies = 1;
    BOOST_TEST(is_cheap(Stats{.remote_merge = 1}, Change::ring, 2, queues));
    BOOST_TEST(!is_cheap(Stats{.remote_merge = 1}, Change::call, 2, queues));
    BOOST_TEST(!is_cheap(Stats{.remote_merge = 10}, Change::ring, 2, queues));
    BOOST_TEST(is_cheap(Stats{.failure = 1}, Change::ring)); // a copy that is about to leave
}

BOOST_AUTO_TEST_CASE(a_peer_with_few_rowids_gets_the_file_and_what_goes_along_may_be_known) {
    Config small = three_replicas();
    small.per_diff = 1;
    small.max_diffs = 1;
    BOOST_TEST(is_cheap(Stats{.remote_merge = 9}, Change::call, 2, small));
    BOOST_TEST(!is_cheap(Stats{.remote_merge = 10}, Change::call, 2, small));
    Config along = three_replicas();
    along.rows_along = 200;
    BOOST_TEST(is_cheap(Stats{.rows = along.names * 9}, Change::call, 2, along));
    BOOST_TEST(!is_cheap(Stats{.rows = along.names * 9 + 1}, Change::call, 2, along));
}

BOOST_AUTO_TEST_CASE(whatever_has_changed_nobody_fails_and_no_id_is_given_up) {
    BOOST_TEST(!is_cheap(Stats{.failure = 1}, Change::call));
    for (const Change change : {Change::call, Change::ring}) {
        BOOST_TEST(!is_cheap(Stats{.quarantined = 1}, change));
        BOOST_TEST(!is_cheap(Stats{.reidentified = 1}, change));
        BOOST_TEST(!is_cheap(Stats{.diverged = 1}, change));
        BOOST_TEST(!is_cheap(Stats{.stale = 1}, change));
        BOOST_TEST(!is_cheap(Stats{.errors = 1}, change));
    }
}

BOOST_AUTO_TEST_CASE(rest_comes_soon_unless_a_brake_keeps_a_copy) {
    BOOST_TEST(is_cheap(Stats{}, Change::ring, 6));
    BOOST_TEST(!is_cheap(Stats{}, Change::ring, 7));
    BOOST_TEST(is_cheap(Stats{.kept = 1}, Change::ring, 7));
}

BOOST_AUTO_TEST_CASE(pending_rows_queues_and_deleted_accounts_cost_more_and_a_wrong_hash_is_found) {
    Config several = three_replicas();
    several.pending = 1;
    BOOST_TEST(is_cheap(Stats{.rsync = 6, .diff_capped = 1, .rows = 36}, Change::call, 2, several));
    BOOST_TEST(!is_cheap(Stats{.rows = 37}, Change::call, 2, several));
    Config drops = three_replicas();
    drops.names = 40;
    drops.drops = 1;
    BOOST_TEST(is_cheap(Stats{.rows = 360}, Change::call, 2, drops));
    BOOST_TEST(!is_cheap(Stats{.rows = 361}, Change::call, 2, drops));
    Config forgetful = three_replicas();
    forgetful.reclaim_age = 300;
    BOOST_TEST(is_cheap(Stats{.diverged = 1}, Change::call, 2, forgetful));
    forgetful.reclaim_age = 604800;
    BOOST_TEST(!is_cheap(Stats{.diverged = 1}, Change::call, 2, forgetful));
    forgetful.late = 1;
    BOOST_TEST(is_cheap(Stats{.diverged = 1}, Change::call, 2, forgetful));
    Config tied = three_replicas();
    tied.ties = 1;
    BOOST_TEST(is_cheap(Stats{.diverged = 1}, Change::call, 2, tied));
    Config rotten = three_replicas();
    rotten.rot = 1;
    BOOST_TEST(is_cheap(Stats{.hashmatch = 1, .rows = 50, .diverged = 1}, Change::call, 2, rotten));
    BOOST_TEST(!is_cheap(Stats{.failure = 1}, Change::call, 2, rotten));
}

BOOST_AUTO_TEST_CASE(who_pays_too_much_is_told_what_for) {
    BOOST_CHECK_EXCEPTION(
        test::require_cheap(Stats{.failure = 2}, 3, three_replicas(), Change::call), Violation,
        [](const Violation& told) {
            return told.what() == std::string("one change at rest costs 3 rounds: failure=2");
        });
}

} // namespace
