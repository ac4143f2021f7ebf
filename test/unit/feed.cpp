#include <replica/feed.hpp>

#define BOOST_TEST_MODULE feed
#include <boost/test/unit_test.hpp>

#include <string>

using namespace replica;

namespace {

const std::string hash = "0123456789abcdef0123456789abcdef";

} // namespace

BOOST_AUTO_TEST_CASE(files_with_rows_are_known_by_their_names) {
    BOOST_TEST((hash_of_file(hash + ".db") == hash));
    BOOST_TEST((hash_of_file(hash + "_1700000000.00000.db") == hash));
    BOOST_TEST((hash_of_file(hash + ".db.pending") == hash));
}

BOOST_AUTO_TEST_CASE(files_without_rows_are_not) {
    for (const std::string& name :
         {std::string(), std::string(".pending"), std::string(".lock"), hash, hash + ".db-journal",
          hash + ".db.pending.bak", hash.substr(1) + ".db", "1700000000.00000.data" + hash,
          hash + ".db.pending.pending", hash + "x.db"}) {
        BOOST_TEST(!hash_of_file(name), name);
    }
}

BOOST_AUTO_TEST_CASE(without_a_feed_nothing_is_known) {
    BOOST_TEST(!NoFeed::running());
    BOOST_TEST(NoFeed::changes("/srv/node/sda").touched.empty());
    BOOST_TEST(!NoFeed::changes("/srv/node/sda").unknown.empty());
    BOOST_TEST(!NoFeed::is_of({hash, {}}, "/srv/node/sda"));
}
