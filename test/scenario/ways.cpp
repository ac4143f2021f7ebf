// The stories on simulated nodes: in one thread, in virtual time, the same every time.

#define BOOST_TEST_MODULE scenario_ways

#include "../support/cluster.hpp"

namespace {
template <class Server>
using Stage = replica::test::Cluster<Server>;
} // namespace

#include "stories.hpp"
