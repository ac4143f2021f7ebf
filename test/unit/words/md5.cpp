#include <replica/words/md5.hpp>

#define BOOST_TEST_MODULE md5
#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <thread>
#include <vector>

using replica::md5;
using replica::to_hex;

BOOST_AUTO_TEST_CASE(the_digests_of_rfc_1321) {
    BOOST_TEST(to_hex(md5(std::string_view())) == "d41d8cd98f00b204e9800998ecf8427e");
    BOOST_TEST(to_hex(md5("abc")) == "900150983cd24fb0d6963f7d28e17f72");
    BOOST_TEST(to_hex(md5("message digest")) == "f96b697d7cb7938d525a2f31aaf161d0");
    std::string digits;
    for (int i = 0; i < 8; ++i) {
        digits += "1234567890";
    }
    BOOST_TEST(to_hex(md5(digits)) == "57edf4a22be3c955ac49da2e2107b67a");
}

BOOST_AUTO_TEST_CASE(pieces_are_hashed_as_one_text) {
    BOOST_TEST(to_hex(md5("me", std::string("ssage"), std::string_view(" digest"))) ==
               to_hex(md5("message digest")));
    BOOST_TEST(to_hex(md5("a", "", "bc")) == to_hex(md5("abc")));
}

BOOST_AUTO_TEST_CASE(a_nul_and_bytes_above_127_count) {
    BOOST_TEST(to_hex(md5(std::string_view("a\0b", 3))) != to_hex(md5("ab")));
    BOOST_TEST(to_hex(md5(std::string_view("\0", 1))) == "93b885adfe0da089cdf634904fd59f71");
    BOOST_TEST(to_hex(md5("\xff")) == "00594fd4f42ba43fc1ca0427a0576295");
}

BOOST_AUTO_TEST_CASE(digits_are_lower_case_with_their_zeros) {
    replica::Md5Digest digest{};
    digest[0] = 0x0a;
    digest[15] = 0xf0;
    BOOST_TEST(to_hex(digest) == "0a0000000000000000000000000000f0");
}

BOOST_AUTO_TEST_CASE(threads_do_not_disturb_each_other) {
    std::vector<std::string> results(4);
    {
        std::vector<std::jthread> threads;
        for (std::string& result : results) {
            threads.emplace_back([&result] {
                for (int i = 0; i < 1000; ++i) {
                    result = to_hex(md5("ab", "c"));
                }
            });
        }
    }
    for (const std::string& result : results) {
        BOOST_TEST(result == "900150983cd24fb0d6963f7d28e17f72");
    }
}
