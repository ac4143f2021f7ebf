// Two files that include everything make one program: a function in a header that lacks `inline`
// does not link, and an entity that exists twice has two addresses.
#include "instances.hpp"

#define BOOST_TEST_MODULE odr
#include <boost/test/unit_test.hpp>

std::vector<const void*> instances_of_the_other_file();

BOOST_AUTO_TEST_CASE(two_files_share_every_inline_entity) {
    const auto here = instances();
    const auto there = instances_of_the_other_file();
    BOOST_TEST(here == there, boost::test_tools::per_element());
}
