#include <replica/stats.hpp>

#define BOOST_TEST_MODULE stats
#include <replica/words/members.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/length.hpp>
#include <boost/hana/second.hpp>
#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace replica;

BOOST_AUTO_TEST_CASE(every_counter_is_reflected_once_under_its_recon_key) {
    Stats stats;
    std::set<std::string> keys;
    boost::hana::for_each(boost::hana::accessors<Stats>(), [&](auto pair) {
        keys.insert(boost::hana::to<const char*>(boost::hana::first(pair)));
        BOOST_TEST(boost::hana::second(pair)(stats) == 0);
        boost::hana::second(pair)(stats) = 1;
    });
    // A member that was left out of the reflection would make the struct larger than its list.
    BOOST_TEST(keys.size() * sizeof(std::int64_t) == sizeof(Stats));
    for (const char* swift :
         {"attempted", "success", "failure", "no_change", "hashmatch", "rsync", "diff",
          "diff_capped", "remote_merge", "remove", "deferred", "ts_repl", "empty"}) {
        BOOST_TEST(keys.contains(swift), swift);
    }
}

BOOST_AUTO_TEST_CASE(two_passes_that_counted_the_same_are_equal) {
    Stats one;
    Stats two;
    BOOST_TEST((one == two));
    two.kept = 1;
    BOOST_TEST((one != two));
}
