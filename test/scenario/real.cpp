// The same stories on what a daemon is made of: SQLite, HTTP, rsync. What holds on simulated nodes
// and not here is a simulation that lies, or a model that breaks its contract.

#define BOOST_TEST_MODULE scenario_real

#include "../support/real_cluster.hpp"

namespace {
template <class Server>
using Stage = replica::test::RealCluster<Server>;
} // namespace

#include "losses.hpp"
