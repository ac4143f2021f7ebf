#include <replica/words/info.hpp>

#define BOOST_TEST_MODULE info
#include <replica/words/members.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace replica;
namespace hana = boost::hana;

namespace {

/// How many reflected members of two values differ.
template <class Struct>
int differences(const Struct& a, const Struct& b) {
    int count = 0;
    hana::for_each(hana::accessors<Struct>(), [&](auto pair) {
        const auto member = hana::second(pair);
        count += member(a) == member(b) ? 0 : 1;
    });
    return count;
}

template <class I>
I sample() {
    I info;
    info.account = "AUTH_test";
    info.put_timestamp = "1402464677.04188";
    return info;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_name_is_what_is_hashed_for_the_place) {
    ContainerInfo container = sample<ContainerInfo>();
    container.container = "c/d"; // nothing is escaped
    BOOST_TEST(container.name() == "/AUTH_test/c/d");
    BOOST_TEST(sample<AccountInfo>().name() == "/AUTH_test");
}

BOOST_AUTO_TEST_CASE(what_is_not_known_yet_is_below_everything) {
    BOOST_TEST(ContainerInfo().max_row == -1);
    BOOST_TEST(ContainerInfo().shard_max_row == -1);
    BOOST_TEST(ContainerInfo().x_container_sync_point1 == -1);
    BOOST_TEST(SyncPoint().sync_point == -1);
    BOOST_TEST(ContainerInfo().delete_timestamp == "0");
    BOOST_TEST(ContainerInfo().db_state == "unsharded");
    BOOST_TEST(ObjectRow().rowid == -1);
}

BOOST_AUTO_TEST_CASE(every_member_counts_in_a_comparison) {
    const auto a = sample<ContainerInfo>();
    const auto check = [&](auto change) {
        ContainerInfo b = a;
        change(b);
        BOOST_TEST((a != b));
        BOOST_TEST(differences(a, b) == 1);
    };
    BOOST_TEST((a == sample<ContainerInfo>()));
    check([](ContainerInfo& info) { info.account = "b"; });
    check([](ContainerInfo& info) { info.container = "b"; });
    check([](ContainerInfo& info) { info.hash = "b"; });
    check([](ContainerInfo& info) { info.max_row = 7; });
    check([](ContainerInfo& info) { info.metadata = "{}"; });
    check([](ContainerInfo& info) { info.shard_max_row = 7; });
    check([](ContainerInfo& info) { info.reported_bytes_used = 7; });
    AccountInfo account = sample<AccountInfo>();
    account.object_count = 1;
    BOOST_TEST((account != sample<AccountInfo>()));
}

BOOST_AUTO_TEST_CASE(the_three_times_are_taken_out_together) {
    const auto info = sample<AccountInfo>();
    BOOST_TEST((info.timestamps() == Timestamps{"0", "1402464677.04188", "0"}));
}
