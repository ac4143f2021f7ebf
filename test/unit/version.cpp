#include <replica/version.hpp>

#define BOOST_TEST_MODULE version
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <string>

// A program can compare the numbers while it is compiled.
static_assert(replica::version_major > 0 || replica::version_minor > 0);
static_assert(replica::version_patch >= 0);

BOOST_AUTO_TEST_CASE(the_build_knows_the_version_that_the_header_states) {
    // Both builds cut the numbers out of the header and hand what they understood to their tests.
    const char* build = std::getenv("REPLICA_VERSION");
    BOOST_REQUIRE_MESSAGE(build != nullptr, "REPLICA_VERSION is not set: run this test with ctest");
    BOOST_TEST(std::string{build} == std::to_string(replica::version_major) + "." +
                                         std::to_string(replica::version_minor) + "." +
                                         std::to_string(replica::version_patch));
}
