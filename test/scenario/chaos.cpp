// Random histories on simulated nodes, on the disks of which SQLite works: so full disks, failing
// calls and power cuts meet the shipped statements and journals. The seed is printed; REPLICA_SEED
// replays one.

#define BOOST_TEST_MODULE scenario_chaos

#include "../support/notes.hpp"
#include "history.hpp"

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace {

using namespace replica;
using test::History;
using Kinds = boost::mpl::list<AccountKind, ContainerKind, RecordKind<test::Note>>;

BOOST_AUTO_TEST_CASE_TEMPLATE(no_acknowledged_row_is_lost_whatever_happens, Kind, Kinds) {
    std::size_t refused = 0;
    std::size_t torn = 0;
    const bool shipped = ShardedKind<Kind> || std::same_as<Kind, AccountKind>;
    for (const std::uint64_t seed : test::seeds(shipped ? 300 : 100)) {
        BOOST_TEST_CONTEXT("REPLICA_SEED=" << seed) {
            History<Kind> history(seed);
            history.run(150);
            refused += history.refused();
            torn += history.torn();
        }
    }
    BOOST_TEST(refused > 0U); // else no trouble has met a statement
    BOOST_TEST(torn > 0U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_same_seed_gives_the_same_end, Kind, Kinds) {
    for (const std::uint64_t seed : {3U, 17U}) {
        History<Kind> first(seed);
        first.run(150);
        History<Kind> second(seed);
        second.run(150);
        BOOST_TEST(first.end() == second.end());
        BOOST_TEST(first.end().size() > 100U);
    }
}

} // namespace
