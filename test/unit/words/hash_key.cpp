#include <replica/words/hash_key.hpp>

#define BOOST_TEST_MODULE hash_key
#include <replica/words/md5.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace replica;

BOOST_AUTO_TEST_CASE(a_hash_comes_back_as_it_was) {
    const std::string zeros(32, '0');
    for (const std::string& hash :
         {zeros, std::string(32, 'f'), std::string("0123456789abcdef") + "fedcba9876543210",
          to_hex(md5(std::string("a")))}) {
        BOOST_TEST(HashKey::of(hash).hash() == hash);
    }
}

BOOST_AUTO_TEST_CASE(keys_are_equal_if_and_only_if_all_digits_are) {
    const std::string hash = to_hex(md5(std::string("a")));
    for (std::size_t at = 0; at < hash.size(); ++at) {
        std::string other = hash;
        other[at] = other[at] == '0' ? '1' : '0';
        BOOST_TEST((HashKey::of(other) != HashKey::of(hash)), at);
    }
    BOOST_TEST((HashKey::of(hash) == HashKey::of(hash)));
    BOOST_TEST(HashKey::Hasher()(HashKey::of(hash)) == HashKey::of(hash).low);
}
