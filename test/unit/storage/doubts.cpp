#include <replica/storage/doubts.hpp>

#define BOOST_TEST_MODULE doubts
#include <boost/test/unit_test.hpp>

#include <support/one_node.hpp>

#include <string>

using namespace replica;
using namespace replica::test;

namespace {

/// A disk with a directory whose syncs are counted.
struct Fixture {
    Fixture() {
        node.disk.make_directories(directory);
        node.disk.on_call([this](SimCall call, const std::string& path) {
            syncs += call == SimCall::sync && path == directory ? 1 : 0;
        });
    }

    /// Whether it could be made durable.
    bool settle(const std::string& where) {
        try {
            doubts.settle(node.disk, where);
            return true;
        } catch (const Failure&) {
            return false;
        }
    }

    OneNode<ContainerKind> node;
    storage::Doubts doubts;
    std::string directory = "/srv/node/sda/containers/1/abc/hash";
    int syncs = 0;
};

const Failure io(Error::io, "the disk");

} // namespace

BOOST_FIXTURE_TEST_CASE(a_directory_in_which_nothing_has_failed_is_not_synced, Fixture) {
    BOOST_TEST(settle(directory));
    doubts.note(io, "/srv/node/sda/containers/1/abc/other");
    BOOST_TEST(settle(directory));
    BOOST_TEST(syncs == 0);
}

BOOST_FIXTURE_TEST_CASE(after_a_failure_of_the_disk_it_is_synced_once, Fixture) {
    for (const Error error : {Error::io, Error::no_space}) {
        doubts.note(Failure(error, "the disk"), directory);
        BOOST_TEST(settle(directory));
        BOOST_TEST(syncs == 1);
        BOOST_TEST(settle(directory));
        BOOST_TEST(syncs == 1);
        syncs = 0;
    }
}

BOOST_FIXTURE_TEST_CASE(what_is_no_failure_of_the_disk_leaves_nothing_in_doubt, Fixture) {
    for (const Error error : {Error::bad_request, Error::locked, Error::missing, Error::moved,
                              Error::exists, Error::corrupt}) {
        doubts.note(Failure(error, "a reason"), directory);
    }
    BOOST_TEST(settle(directory));
    BOOST_TEST(syncs == 0);
}

BOOST_FIXTURE_TEST_CASE(a_sync_that_fails_is_tried_again_until_it_does_not, Fixture) {
    doubts.note(io, directory);
    node.disk.fail_next(SimCall::sync, directory, Error::io, 2);
    BOOST_TEST(!settle(directory));
    BOOST_TEST(!settle(directory));
    BOOST_TEST(settle(directory));
    BOOST_TEST(settle(directory));
    BOOST_TEST(syncs == 3);
}

BOOST_FIXTURE_TEST_CASE(what_fails_while_another_syncs_stays_in_doubt, Fixture) {
    doubts.note(io, directory);
    bool once = false;
    node.disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::sync && path == "/srv/node/sda/containers/1/abc" && !once) {
            once = true;
            doubts.note(io, directory);
        }
        syncs += call == SimCall::sync && path == directory ? 1 : 0;
    });
    for (const int wanted : {1, 2, 2}) {
        BOOST_TEST(settle(directory));
        BOOST_TEST(syncs == wanted);
    }
}

BOOST_FIXTURE_TEST_CASE(a_name_that_changes_is_in_doubt_until_its_change_has_ended, Fixture) {
    for (const bool durable : {true, false}) {
        syncs = 0;
        {
            storage::Doubts::Change change(doubts, directory);
            for (const int wanted : {1, 2}) {
                BOOST_TEST(settle(directory));
                BOOST_TEST(syncs == wanted);
            }
            if (durable) {
                change.end();
            }
        }
        for (int times = 0; times < 2; ++times) {
            BOOST_TEST(settle(directory));
            BOOST_TEST(syncs == (durable ? 2 : 3));
        }
    }
}

BOOST_FIXTURE_TEST_CASE(a_failure_before_a_change_that_ends_well_stays_in_doubt, Fixture) {
    doubts.note(io, directory);
    {
        storage::Doubts::Change change(doubts, directory);
        change.end();
    }
    BOOST_TEST(settle(directory));
    BOOST_TEST(syncs == 1);
}

BOOST_FIXTURE_TEST_CASE(a_directory_that_is_gone_has_nothing_to_lose, Fixture) {
    doubts.note(io, directory);
    BOOST_TEST(node.disk.remove_tree(directory));
    BOOST_TEST(settle(directory));
    BOOST_TEST(syncs == 0);
}

BOOST_FIXTURE_TEST_CASE(a_disk_that_dies_does_not_take_the_memory_along, Fixture) {
    for (std::size_t i = 0; i < storage::Doubts::most; ++i) {
        doubts.note(io, "/srv/node/sda/containers/1/abc/" + std::to_string(i));
    }
    doubts.note(io, "/srv/node/sda/containers/1/abc/0"); // known already
    BOOST_TEST(settle(directory));
    BOOST_TEST(syncs == 0);
    { const storage::Doubts::Change change(doubts, directory); } // one too many: all are in doubt
    for (int times = 1; times <= 2; ++times) {
        BOOST_TEST(settle(directory));
        BOOST_TEST(syncs == times);
    }
}
