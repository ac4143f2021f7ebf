#include <replica/ring/gzip.hpp>

#define BOOST_TEST_MODULE ring_gzip
#include <boost/test/unit_test.hpp>

#include <support/swift_ring_bytes.hpp>

using namespace replica;
using replica::test::gzip;

namespace {

std::string reason(const std::string& packed, std::size_t most = 1000) {
    try {
        return "accepted: " + std::to_string(ring_file::inflate_ring(packed, most).size());
    } catch (const ring_file::BadRing& bad) {
        return bad.reason;
    }
}

/// Of several pieces, and not one that gzip makes much smaller.
std::string noise(std::size_t bytes) {
    std::string text;
    std::uint32_t state = 1;
    while (text.size() < bytes) {
        state = state * 1664525 + 1013904223;
        text += static_cast<char>(state >> 24);
    }
    return text;
}

} // namespace

BOOST_AUTO_TEST_CASE(what_was_packed_comes_out_again) {
    for (const std::size_t bytes : {0U, 1U, 70000U, (1U << 20) - 1, 1U << 20, 3U << 20}) {
        const std::string text = noise(bytes);
        BOOST_TEST((ring_file::inflate_ring(gzip(text), bytes) == text));
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_cut_anywhere_is_refused) {
    const std::string packed = gzip(noise(100));
    for (std::size_t bytes = 0; bytes < packed.size(); ++bytes) {
        BOOST_TEST(reason(packed.substr(0, bytes)) == "ends in the middle of its gzip data");
    }
}

BOOST_AUTO_TEST_CASE(what_follows_the_end_is_refused) {
    const std::string packed = gzip("content");
    BOOST_TEST(reason(packed + "x") == "1 bytes follow the end of the gzip data");
    BOOST_TEST(reason(packed + packed).find(" bytes follow the end") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(other_bytes_are_refused) {
    for (const std::string text : {"R1NG", "{}", "\x1f\x8b\x07\x01", "\x78\x9c\x03"}) {
        BOOST_TEST(reason(text).find("damaged gzip data: ") == 0U);
    }
    std::string packed = gzip(noise(100));
    packed[packed.size() - 6] ^= 1; // in the sum
    BOOST_TEST(reason(packed) == "damaged gzip data: incorrect data check");
    packed = gzip(noise(100));
    packed.back() ^= 1; // in the length
    BOOST_TEST(reason(packed) == "damaged gzip data: incorrect length check");
}

BOOST_AUTO_TEST_CASE(a_small_file_of_a_huge_content_is_refused) {
    const std::string packed = gzip(std::string(40U << 20, '\0'));
    BOOST_TEST(packed.size() < 50000U);
    BOOST_TEST(reason(packed, 2U << 20) == "inflates to more than 2097152 bytes");
    BOOST_TEST(reason(gzip("12345"), 4) == "inflates to more than 4 bytes");
    BOOST_TEST(reason(gzip("12345"), 5) == "accepted: 5");
}
