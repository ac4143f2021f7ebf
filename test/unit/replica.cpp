#include <replica/replica.hpp>

// Nothing else of ours is included: this is all that a program with its own models needs.

#define BOOST_TEST_MODULE replica
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace replica;

namespace {

// The contracts: something models each of those that cost nothing, and not everything does.
static_assert(Clock<SystemClock>);
static_assert(Observer<Silent>);
static_assert(!Clock<int> && !Disk<int> && !Broker<int> && !Database<int> && !Ring<int> &&
              !RingVersion<int> && !Transport<int> && !Peer<int> && !FileSync<int>);

} // namespace

BOOST_AUTO_TEST_CASE(the_words_are_there_and_work_together_without_any_model) {
    const Timestamp time = *Timestamp::parse("1402464677.04188");
    const HashPath hash_path("", "changeme");
    ContainerInfo info;
    info.account = "a";
    info.container = "c";
    info.put_timestamp = time.normal();
    info.id = "one";
    info.hash = hash_path(info.name());
    BOOST_TEST(is_hash(info.hash));
    BOOST_TEST(storage_directory("containers", "906", info.hash).ends_with(info.hash));

    // Infos and rows go into JSON with a kind: account/kind.hpp, container/kind.hpp.
    const auto call = message::decode_call(message::encode(message::MergeSyncs{{{7, "two"}}}));
    BOOST_TEST(
        (message::decode_merge_syncs(call).points == std::vector<SyncPoint>{SyncPoint{7, "two"}}));

    ContainerInfo other = info;
    other.id = "two";
    const auto choice = decide::choose(decide::Replica(info), decide::Replica(other), {}, {});
    BOOST_TEST((choice.way == decide::Way::no_change));
}

BOOST_AUTO_TEST_CASE(an_error_is_a_code_a_condition_and_a_failure) {
    const Failure failure(Error::not_mounted, "10.0.0.2:6201/sdb1: not mounted");
    BOOST_TEST((failure.error() == Error::not_mounted));
    BOOST_TEST((make_error_code(Error::not_mounted) == Condition::hand_off));
    BOOST_TEST((make_error_code(Error::corrupt) == Condition::quarantine));
}

BOOST_AUTO_TEST_CASE(a_program_that_sets_nothing_has_settings_and_counts_nothing) {
    BOOST_TEST(Settings().per_diff > 0);
    BOOST_TEST(Stats().attempted == 0);
    BOOST_TEST(version_text().find('.') != std::string::npos);
}
