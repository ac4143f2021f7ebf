#include <replica/sim/disk_faults.hpp>

#define BOOST_TEST_MODULE sim_faults
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace replica;

namespace {

/// The error of one call; none if it got through.
Error error_of(SimFaults& faults, SimCall call, const std::string& path) {
    try {
        faults.check(call, path);
    } catch (const Failure& failure) {
        BOOST_TEST_MESSAGE("  " << failure.what());
        return failure.error();
    }
    return Error{};
}

bool fails(SimFaults& faults, SimCall call = SimCall::read, const std::string& path = "/d/f") {
    return error_of(faults, call, path) != Error{};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_disk_without_faults_lets_every_call_through_and_counts_it) {
    SimFaults faults;
    BOOST_TEST(faults.calls() == 0U);
    BOOST_TEST(!faults.pending());
    BOOST_TEST(!fails(faults, SimCall::read));
    BOOST_TEST(!fails(faults, SimCall::vfs_sync, ""));
    BOOST_TEST(faults.calls() == 2U);
}

// ---- Rules.

BOOST_AUTO_TEST_CASE(a_rule_is_for_its_call_and_for_paths_with_its_part) {
    SimFaults faults;
    faults.fail(SimCall::rename, "/sdb1/", Error::no_space, 0);
    BOOST_TEST(!fails(faults, SimCall::rename_new, "/srv/sdb1/f")); // alike, but another call
    BOOST_TEST(!fails(faults, SimCall::rename, "/srv/sdb10/f"));
    BOOST_TEST((error_of(faults, SimCall::rename, "/srv/sdb1/f") == Error::no_space));
}

BOOST_AUTO_TEST_CASE(a_failure_names_the_path_and_says_that_it_was_injected) {
    SimFaults faults;
    faults.fail(SimCall::read, "", Error::corrupt, 1);
    BOOST_CHECK_EXCEPTION(faults.check(SimCall::read, "/d/f"), Failure, [](const Failure& failure) {
        return failure.error() == Error::corrupt &&
               std::string(failure.what()).starts_with("/d/f: injected fault");
    });
    BOOST_TEST(!fails(faults));
    faults.fail_at(1, Error::io, false);
    BOOST_CHECK_EXCEPTION(faults.check(SimCall::read, "/d/g"), Failure, [](const Failure& failure) {
        return std::string(failure.what()).starts_with("/d/g: injected fault at call 3");
    });
}

BOOST_AUTO_TEST_CASE(a_rule_for_any_call_on_any_path_is_for_everything) {
    SimFaults faults;
    faults.fail(SimCall::any, "", Error::io, 0);
    for (const SimCall call :
         {SimCall::list, SimCall::try_lock, SimCall::write, SimCall::vfs_sync}) {
        BOOST_TEST(fails(faults, call, ""));
    }
}

BOOST_AUTO_TEST_CASE(a_rule_is_used_up_by_the_calls_that_it_failed_and_by_no_others) {
    SimFaults faults;
    faults.fail(SimCall::read, "/f", Error::io, 2);
    BOOST_TEST(fails(faults));
    BOOST_TEST(!fails(faults, SimCall::read, "/d/g"));
    BOOST_TEST(!fails(faults, SimCall::write));
    BOOST_TEST(fails(faults));
    BOOST_TEST(!fails(faults));
}

BOOST_AUTO_TEST_CASE(of_two_rules_the_older_is_used_up_first) {
    SimFaults faults;
    faults.fail(SimCall::any, "", Error::io, 1);
    faults.fail(SimCall::read, "/d/f", Error::no_space, 1);
    BOOST_TEST((error_of(faults, SimCall::read, "/d/f") == Error::io));
    BOOST_TEST((error_of(faults, SimCall::read, "/d/f") == Error::no_space));
    BOOST_TEST(!fails(faults));
}

// ---- The count-down.

BOOST_AUTO_TEST_CASE(the_count_down_fails_one_call_whatever_it_is_and_no_later_one) {
    SimFaults faults;
    faults.fail_at(3, Error::no_space, false);
    BOOST_TEST(!fails(faults, SimCall::list, "/a"));
    BOOST_TEST(!fails(faults, SimCall::stat, "/b"));
    BOOST_TEST(faults.pending());
    BOOST_TEST((error_of(faults, SimCall::sync, "/c") == Error::no_space));
    BOOST_TEST(!faults.pending());
    BOOST_TEST(!fails(faults, SimCall::sync, "/c"));
}

BOOST_AUTO_TEST_CASE(a_loop_over_the_count_down_fails_an_operation_at_each_of_its_calls) {
    const std::vector<SimCall> operation{SimCall::write, SimCall::sync, SimCall::rename};
    std::vector<int> reached;
    SimFaults faults;
    for (std::uint64_t n = 1;; ++n) {
        faults.fail_at(n, Error::io, false);
        int done = 0;
        for (const SimCall call : operation) {
            if (fails(faults, call)) {
                break;
            }
            ++done;
        }
        reached.push_back(done);
        if (faults.pending()) {
            break;
        }
    }
    const std::vector<int> expected{0, 1, 2, 3};
    BOOST_TEST(reached == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_count_down_of_zero_is_none) {
    SimFaults faults;
    faults.fail_at(2, Error::io, false);
    faults.fail_at(0, Error::io, true); // the last word counts
    BOOST_TEST(!faults.pending());
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(!fails(faults));
    }
}

BOOST_AUTO_TEST_CASE(a_call_that_the_count_down_fails_uses_up_no_rule) {
    SimFaults faults;
    faults.fail(SimCall::read, "", Error::no_space, 1);
    faults.fail_at(1, Error::io, false);
    BOOST_TEST((error_of(faults, SimCall::read, "/d/f") == Error::io));
    BOOST_TEST((error_of(faults, SimCall::read, "/d/f") == Error::no_space));
    BOOST_TEST(!fails(faults));
}

BOOST_AUTO_TEST_CASE(a_call_that_a_rule_fails_is_counted_down_too) {
    SimFaults faults;
    faults.fail(SimCall::read, "", Error::no_space, 1);
    faults.fail_at(2, Error::io, false);
    BOOST_TEST((error_of(faults, SimCall::read, "/d/f") == Error::no_space));
    BOOST_TEST((error_of(faults, SimCall::read, "/d/f") == Error::io));
}

// ---- The halt.

BOOST_AUTO_TEST_CASE(after_a_halt_every_call_fails_in_the_same_way) {
    SimFaults faults;
    faults.fail_at(2, Error::no_space, true);
    BOOST_TEST(!fails(faults));
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST((error_of(faults, SimCall::stat, "/other") == Error::no_space));
        BOOST_TEST(!faults.pending()); // it has happened
    }
    BOOST_TEST(faults.calls() == 4U); // failed ones included
}

BOOST_AUTO_TEST_CASE(a_new_count_down_ends_a_halt) {
    SimFaults faults;
    faults.fail_at(1, Error::io, true);
    BOOST_TEST(fails(faults));
    faults.fail_at(2, Error::io, false);
    BOOST_TEST(!fails(faults));
    BOOST_TEST(fails(faults));
    BOOST_TEST(!fails(faults));
}

BOOST_AUTO_TEST_CASE(nothing_fails_any_more_once_the_faults_are_cleared) {
    SimFaults faults;
    faults.fail(SimCall::any, "", Error::io, 0);
    faults.fail_at(1, Error::io, true);
    BOOST_TEST(fails(faults));
    faults.clear();
    BOOST_TEST(!fails(faults));
    faults.fail_at(5, Error::io, false);
    faults.clear();
    BOOST_TEST(!faults.pending());
    BOOST_TEST(faults.calls() == 2U); // of the disk's whole life
    faults.fail_at(1, Error::io, false);
    BOOST_TEST(fails(faults));
    BOOST_TEST(!fails(faults)); // the old halt is not remembered
}

// ---- Delays, and reads that are cut short.

BOOST_AUTO_TEST_CASE(a_delay_is_for_its_call_and_part_and_fails_nothing) {
    SimFaults faults;
    faults.delay(SimCall::sync, "/sdb1/", Seconds(2), 2);
    BOOST_TEST(faults.delay_of(SimCall::read, "/srv/sdb1/f").count() == 0.0);
    BOOST_TEST(faults.delay_of(SimCall::sync, "/srv/sdb2/f").count() == 0.0);
    BOOST_TEST(faults.delay_of(SimCall::sync, "/srv/sdb1/f").count() == 2.0);
    BOOST_TEST(!fails(faults, SimCall::sync, "/srv/sdb1/f"));
    BOOST_TEST(faults.delay_of(SimCall::sync, "/srv/sdb1/f").count() == 2.0);
    BOOST_TEST(faults.delay_of(SimCall::sync, "/srv/sdb1/f").count() == 0.0); // used up
}

BOOST_AUTO_TEST_CASE(all_calls_can_be_late_until_faults_are_cleared) {
    SimFaults faults;
    faults.delay(SimCall::any, "", Seconds(1), 0);
    for (const SimCall call : {SimCall::read, SimCall::vfs_sync, SimCall::rename}) {
        BOOST_TEST(faults.delay_of(call, "/d/f").count() == 1.0);
    }
    faults.clear();
    BOOST_TEST(faults.delay_of(SimCall::read, "/d/f").count() == 0.0);
}

BOOST_AUTO_TEST_CASE(a_short_read_is_asked_for_by_its_own_name_only) {
    SimFaults faults;
    faults.fail(SimCall::any, "", Error::io, 1);
    BOOST_TEST(!faults.applies(SimCall::vfs_short_read, "/d/f"));
    faults.fail(SimCall::vfs_short_read, "/f", Error::io, 1);
    BOOST_TEST(!faults.applies(SimCall::vfs_short_read, "/d/g"));
    BOOST_TEST(faults.applies(SimCall::vfs_short_read, "/d/f"));
    BOOST_TEST(!faults.applies(SimCall::vfs_short_read, "/d/f"));
    BOOST_TEST(faults.calls() == 0U); // to ask is no call
    BOOST_TEST(fails(faults));        // the first rule is still there
}
