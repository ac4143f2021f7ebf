// The main function of the tests when their headers are precompiled: Boost.Test defines one in the
// file that includes it first, and that file is the precompiled header then.
#define BOOST_TEST_MODULE replica
#include <boost/test/unit_test.hpp>
