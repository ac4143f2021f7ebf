#ifndef REPLICA_TEST_ODR_INSTANCES_HPP
#define REPLICA_TEST_ODR_INSTANCES_HPP

#include "all_headers.hpp"

#include <vector>

// Addresses of inline entities as the including file sees them. Internal linkage on purpose: each
// file has its own function, the entities must nevertheless be the same ones.
static std::vector<const void*> instances() {
    return {&replica::version_major, &replica::version_minor, &replica::version_patch};
}

#endif // REPLICA_TEST_ODR_INSTANCES_HPP
