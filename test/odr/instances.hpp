#ifndef REPLICA_TEST_ODR_INSTANCES_HPP
#define REPLICA_TEST_ODR_INSTANCES_HPP

#include "all_headers.hpp"

#include <vector>

// Addresses of inline entities as the including file sees them: constants, a category whose address
// is its identity, a function, and the whole account daemon, which instantiates the flow. Internal
// linkage on purpose: each file has its own function, the entities must be the same ones.
static std::vector<const void*> instances() {
    return {&replica::version_major, &replica::make_error_code(replica::Error::io).category(),
            reinterpret_cast<const void*>(&replica::make_error_condition),
            reinterpret_cast<const void*>(&replica::daemon::run<replica::AccountBroker>)};
}

#endif // REPLICA_TEST_ODR_INSTANCES_HPP
