#include <replica/sqlite/id.hpp>

#define BOOST_TEST_MODULE sqlite_id
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <set>
#include <string>

using namespace replica::sqlite;

BOOST_AUTO_TEST_CASE(a_uuid_has_the_form_of_a_random_one) {
    for (int i = 0; i < 100; ++i) {
        const std::string uuid = random_uuid();
        BOOST_REQUIRE(uuid.size() == 36U);
        for (std::size_t at = 0; at < uuid.size(); ++at) {
            const bool hyphen = at == 8 || at == 13 || at == 18 || at == 23;
            BOOST_REQUIRE((uuid[at] == '-') == hyphen);
            BOOST_REQUIRE(
                (hyphen || std::string("0123456789abcdef").find(uuid[at]) != std::string::npos));
        }
        BOOST_REQUIRE(uuid[14] == '4');
        BOOST_REQUIRE(std::string("89ab").find(uuid[19]) != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(no_id_comes_twice) {
    std::set<std::string> ids;
    for (int i = 0; i < 10'000; ++i) {
        ids.insert(new_id("/srv/node/sdb1/containers/1/abc/h/h.db"));
    }
    BOOST_TEST(ids.size() == 10'000U);
}

BOOST_AUTO_TEST_CASE(an_id_ends_with_the_device) {
    BOOST_TEST(device_of("/srv/node/sdb1/containers/1/abc/h/h.db") == "sdb1");
    BOOST_TEST(device_of("sdb1/containers/1/abc/h/h.db") == "sdb1");
    BOOST_TEST(device_of("/h.db").empty());
    BOOST_TEST(device_of("").empty());
    BOOST_TEST(new_id("/srv/node/sdb1/containers/1/abc/h/h.db").ends_with("-sdb1"));
    BOOST_TEST(new_id("/srv/node/sdb1/containers/1/abc/h/h.db").size() == 36U + 5U);
}
