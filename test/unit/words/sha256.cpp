#include <replica/words/sha256.hpp>

#define BOOST_TEST_MODULE sha256
#include <boost/test/unit_test.hpp>

#include <string>

using replica::Sha256;
using replica::sha256;

BOOST_AUTO_TEST_CASE(the_digests_of_the_standard) {
    BOOST_TEST(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    BOOST_TEST(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    BOOST_TEST(sha256(std::string(1'000'000, 'a')) ==
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

BOOST_AUTO_TEST_CASE(pieces_are_hashed_as_one_text) {
    Sha256 digest;
    for (const char* piece : {"a", "", "bc"}) {
        digest.add(piece);
    }
    BOOST_TEST(digest.text() == sha256("abc"));
    BOOST_TEST(Sha256().text() == sha256(""));
}

BOOST_AUTO_TEST_CASE(a_nul_counts) {
    BOOST_TEST(sha256(std::string("a\0b", 3)) != sha256("ab"));
}
