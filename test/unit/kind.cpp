#include <replica/kind.hpp>

#define BOOST_TEST_MODULE kind
#include <replica/account/kind.hpp>
#include <replica/container/kind.hpp>

#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>

#include <laws/kind.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;

namespace {

struct Smallest : PlainKind<AccountInfo, ContainerRow> {
    static constexpr std::string_view name = "note";
    static constexpr std::string_view datadir = "notes";
    static constexpr std::uint16_t default_port = 6209;
};
static_assert(Kind<Smallest> && Kind<AccountKind> && Kind<ContainerKind>);

// Near misses.

struct Nameless : PlainKind<AccountInfo, ContainerRow> {
    static constexpr std::string_view datadir = "notes";
    static constexpr std::uint16_t default_port = 6209;
};
static_assert(!Kind<Nameless>);

struct WithoutDirectory : PlainKind<AccountInfo, ContainerRow> {
    static constexpr std::string_view name = "note";
    static constexpr std::uint16_t default_port = 6209;
};
static_assert(!Kind<WithoutDirectory>);

struct WithoutPort : PlainKind<AccountInfo, ContainerRow> {
    static constexpr std::string_view name = "note";
    static constexpr std::string_view datadir = "notes";
};
static_assert(!Kind<WithoutPort>);

struct ForeignInfo : Smallest {
    using info_type = std::string;
};
static_assert(!Kind<ForeignInfo>);

struct Forgetful : Smallest { // nothing to begin a pass with
    struct pass_state {
        explicit pass_state(int /*start*/) {}
    };
};
static_assert(!Kind<Forgetful>);

struct UnsureCount : Smallest {
    static std::optional<std::int64_t> live_rows(const AccountInfo& /*info*/) { return {}; }
};
static_assert(!Kind<UnsureCount>);

struct NeverReported : Smallest {
    static void reported(const AccountInfo& /*info*/) {}
};
static_assert(!Kind<NeverReported>);

struct BlindRemoval : Smallest { // of which database?
    static bool may_remove() { return true; }
};
static_assert(!Kind<BlindRemoval>);

struct BlindExpiry : Smallest {
    static bool may_expire() { return true; }
};
static_assert(!Kind<BlindExpiry>);

struct SilentPolicies : Smallest {
    static bool sync_arguments(const AccountInfo& /*info*/, std::size_t /*policies*/) {
        return false;
    }
};
static_assert(!Kind<SilentPolicies>);

// Ranges for which there is no reader are none.
static_assert(ShardedKind<ContainerKind> && !ShardedKind<AccountKind> && !ShardedKind<Smallest>);

struct HalfSharded : Smallest {
    static int decode_shard_ranges(const boost::json::value& /*argument*/) { return 0; }
};
static_assert(!ShardedKind<HalfSharded>);

std::vector<ContainerInfo> containers() {
    std::vector<ContainerInfo> infos;
    for (const char* const state : {"unsharded", "sharding", "sharded", "collapsed"}) {
        for (const bool initiated : {false, true}) {
            for (const bool has_shards : {false, true}) {
                for (const std::int64_t live : {0, 3}) {
                    ContainerInfo info;
                    info.db_state = state;
                    info.sharding_initiated = initiated;
                    info.has_shards = has_shards;
                    info.live_rows = live;
                    infos.push_back(info);
                }
            }
        }
    }
    return infos;
}

} // namespace

BOOST_AUTO_TEST_CASE(accounts_containers_and_the_smallest_kind_obey_the_laws) {
    AccountInfo account;
    account.count = 3;
    test::obeys_the_laws_of_a_kind<Smallest>({AccountInfo{}, account});
    test::obeys_the_laws_of_a_kind<AccountKind>({AccountInfo{}, account});
    test::obeys_the_laws_of_a_kind<ContainerKind>(containers());
}

BOOST_AUTO_TEST_CASE(a_plain_kind_does_nothing_in_any_hook) {
    int database = 1;
    const AccountInfo info;
    BOOST_TEST(!Smallest::adopt_policy(database, info, info, Timestamp{}));
    BOOST_TEST(!Smallest::adopt_arguments(database, info, database, Timestamp{}));
    BOOST_TEST(!Smallest::before_rows(database, database, info).has_value());
    BOOST_TEST(Smallest::reported(info));
    BOOST_TEST(Smallest::sends_rows(info));
    BOOST_TEST(Smallest::may_be_stale(info));
    BOOST_TEST(!Smallest::is_sharded(info));
    BOOST_TEST(Smallest::may_remove(info));
    BOOST_TEST(Smallest::may_expire(info));
    BOOST_TEST(!Smallest::sync_arguments(info, 7).has_value());
}
