#include <replica/words/seed.hpp>

#define BOOST_TEST_MODULE seed
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <set>

using namespace replica;

BOOST_AUTO_TEST_CASE(without_a_seed_each_start_draws_another) {
    std::set<std::uint64_t> seeds;
    std::uint64_t bits = 0;
    for (int start = 0; start < 100; ++start) {
        seeds.insert(with_seed({}).seed);
        bits |= *seeds.begin() | *seeds.rbegin();
    }
    BOOST_TEST(seeds.size() == 100U);
    BOOST_TEST(!seeds.contains(0));
    BOOST_TEST((bits >> 32 != 0 && bits << 32 != 0)); // of all 64 bits
}

BOOST_AUTO_TEST_CASE(a_seed_that_is_given_is_kept_and_so_is_everything_else) {
    Settings settings;
    settings.seed = 42;
    settings.devices = "/disks";
    BOOST_TEST(with_seed(settings).seed == 42U);
    settings.seed = 0;
    BOOST_TEST(with_seed(settings).devices == "/disks");
}
