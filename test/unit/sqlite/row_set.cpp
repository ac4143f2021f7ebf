#include <replica/sqlite/row_set.hpp>

#define BOOST_TEST_MODULE sqlite_row_set
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace replica::sqlite;

namespace {

/// The key of the published examples: bytes 0 to 15.
const SipHash::Key key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

std::string bytes(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += static_cast<char>(i);
    }
    return text;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_published_examples_come_out) {
    BOOST_TEST(SipHash(key).finish({}) == 0x726fdb47dd0e0e31U);
    BOOST_TEST(SipHash(key).finish(bytes(1)) == 0x74f839c593dc67fdU);
    BOOST_TEST(SipHash(key).finish(bytes(7)) == 0xab0200f58b01d137U);
    BOOST_TEST(SipHash(key).finish(bytes(8)) == 0x93f5f5799a932462U);
    BOOST_TEST(SipHash(key).finish(bytes(15)) == 0xa129ca6149be45e5U);
}

BOOST_AUTO_TEST_CASE(words_count_as_their_bytes) {
    SipHash hash(key);
    hash.put(0x0706050403020100U);
    BOOST_TEST(hash.finish(bytes(15).substr(8)) == 0xa129ca6149be45e5U);
}

BOOST_AUTO_TEST_CASE(the_same_rows_in_another_order_are_the_same_set) {
    RowSet rows;
    BOOST_TEST(rows.empty());
    rows.add(1, 0, "a");
    rows.add(2, 1, "b");
    BOOST_TEST(!rows.empty());
    rows.remove(2, 1, "b");
    rows.remove(1, 0, "a");
    BOOST_TEST(rows.empty());
}

BOOST_AUTO_TEST_CASE(one_entry_that_is_another_shows) {
    struct Entry {
        std::int64_t rowid;
        std::int64_t deleted;
        std::string name;
    };
    for (const auto& [rowid, deleted, name] :
         std::vector<Entry>{{1, 0, "b"}, {1, 1, "a"}, {2, 0, "a"}, {0, 1, "a"}, {1, 0, "a "}}) {
        RowSet rows;
        rows.add(1, 0, "a");
        rows.remove(rowid, deleted, name);
        BOOST_TEST(!rows.empty());
    }
    RowSet twice;
    twice.add(1, 0, "a");
    twice.remove(1, 0, "a");
    twice.remove(1, 0, "a");
    BOOST_TEST(!twice.empty());
}

BOOST_AUTO_TEST_CASE(parts_of_two_entries_that_are_exchanged_show) {
    RowSet rows;
    rows.add(1, 0, "aX");
    rows.add(2, 0, "bY");
    rows.remove(1, 0, "aY");
    rows.remove(2, 0, "bX");
    BOOST_TEST(!rows.empty());
}
