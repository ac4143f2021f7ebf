// Random histories on simulated nodes and simulated databases: many, since they are fast. The seed
// is printed; REPLICA_SEED replays one.

#define BOOST_TEST_MODULE scenario_chaos

#include "history.hpp"

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>

namespace {

using namespace replica;
using Kinds = boost::mpl::list<AccountKind, ContainerKind>;

template <class Kind>
using History = test::History<test::Cluster<Kind>>;

BOOST_AUTO_TEST_CASE_TEMPLATE(no_acknowledged_row_is_lost_whatever_happens, Kind, Kinds) {
    for (const std::uint64_t seed : test::seeds(200)) {
        BOOST_TEST_CONTEXT("REPLICA_SEED=" << seed) {
            History<Kind> history(seed);
            history.run(150);
        }
    }
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_end) {
    for (const std::uint64_t seed : {3U, 17U}) {
        History<ContainerKind> first(seed);
        first.run(150);
        History<ContainerKind> second(seed);
        second.run(150);
        BOOST_TEST(first.end() == second.end());
    }
}

} // namespace
