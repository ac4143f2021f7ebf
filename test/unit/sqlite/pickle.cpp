#include <replica/sqlite/pickle.hpp>

#define BOOST_TEST_MODULE sqlite_pickle

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace replica;
using sqlite::PickleRecord;
using sqlite::PickleValue;
using sqlite::read_pickle;
using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr PickleValue none = std::monostate();

[[nodiscard]] PickleValue integer(std::int64_t value) {
    return value;
}

/// A tuple of what `operations` push.
[[nodiscard]] std::string tuple_of(std::string_view operations) {
    return "\x80\x02("s.append(operations).append("t.");
}

[[nodiscard]] bool reads_as(std::string_view pickle, const PickleRecord& expected) {
    return read_pickle(pickle) == expected;
}

[[nodiscard]] bool pushes(std::string_view operations, const PickleRecord& expected) {
    return reads_as(tuple_of(operations), expected);
}

[[nodiscard]] bool refuses(std::string_view pickle) {
    try {
        static_cast<void>(read_pickle(pickle));
    } catch (const Failure& failure) {
        BOOST_TEST_MESSAGE("  " << failure.what());
        return failure.error() == Error::bad_request;
    }
    return false;
}

/// What Python's pickle.dumps(("o\u00e9", t, 12, "a/b", "e", 0, 1, t, None), 2) gives, with a
/// timestamp t that is one object in two places.
[[nodiscard]] std::string row_of_python() {
    return "\x80\x02(X\x03\0\0\0o\xc3\xa9q\0X\x10\0\0\0"
           "1700000000.00000q\x01K\x0cX\x03\0\0\0a/bq\x02X\x01\0\0\0eq\x03K\0K\x01h\x01Ntq\x04."s;
}

BOOST_AUTO_TEST_CASE(a_row_as_python_writes_it_is_read) {
    BOOST_TEST(
        reads_as(row_of_python(), {"o\xc3\xa9"sv, "1700000000.00000"sv, integer(12), "a/b"sv, "e"sv,
                                   integer(0), integer(1), "1700000000.00000"sv, none}));
}

BOOST_AUTO_TEST_CASE(every_kind_of_number_has_its_value) {
    BOOST_TEST(pushes("N\x88\x89"sv, {none, true, false}));
    BOOST_TEST(pushes("K\xffM\xff\xff"sv, {integer(255), integer(65535)}));
    BOOST_TEST(pushes("J\xff\xff\xff\xffJ\x00\x00\x00\x80J\x04\x03\x02\x01"sv,
                      {integer(-1), integer(INT32_MIN), integer(0x01020304)}));
    BOOST_TEST(
        pushes("\x8a\x00\x8a\x01\xff\x8a\x02\xff\x00"sv, {integer(0), integer(-1), integer(255)}));
    BOOST_TEST(pushes("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"sv, {integer(INT64_MAX)}));
    BOOST_TEST(pushes("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80"sv, {integer(INT64_MIN)}));
    BOOST_TEST(pushes("G\x3f\xf8\x00\x00\x00\x00\x00\x00"sv, {1.5}));
    BOOST_TEST(refuses(tuple_of("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01"sv)));
}

BOOST_AUTO_TEST_CASE(every_kind_of_text_is_read_by_its_length) {
    for (const char operation : {'X', 'T', 'B'}) {
        BOOST_TEST(pushes(operation + "\x03\0\0\0a\0."s, {"a\0."sv}));
        BOOST_TEST(pushes(operation + "\0\0\0\0"s, {""sv}));
    }
    for (const char operation : {'\x8c', 'U', 'C'}) {
        BOOST_TEST(pushes(operation + "\x03"s + "a\0."s, {"a\0."sv}));
        BOOST_TEST(pushes(operation + "\0"s, {""sv}));
    }
}

BOOST_AUTO_TEST_CASE(tuples_and_lists_of_every_length_are_read) {
    BOOST_TEST(reads_as("\x80\x02)."sv, {}));
    BOOST_TEST(reads_as("\x80\x02K\x01\x85."sv, {integer(1)}));
    BOOST_TEST(reads_as("\x80\x02K\x01K\x02\x86."sv, {integer(1), integer(2)}));
    BOOST_TEST(reads_as("\x80\x02K\x01K\x02K\x03\x87."sv, {integer(1), integer(2), integer(3)}));
    BOOST_TEST(reads_as("\x80\x02(t."sv, {}));
    BOOST_TEST(reads_as("\x80\x02]q\x00."sv, {}));
    BOOST_TEST(reads_as("\x80\x02]q\x00K\x01"
                        "a."sv,
                        {integer(1)}));
    BOOST_TEST(reads_as("\x80\x02]q\x00(K\x01K\x02"
                        "eK\x03"
                        "a."sv,
                        {integer(1), integer(2), integer(3)}));
}

BOOST_AUTO_TEST_CASE(later_protocols_are_read) {
    BOOST_TEST(reads_as("\x80\x04\x95\x0a\0\0\0\0\0\0\0\x8c\x01"
                        "a\x94h\0\x86\x94."sv,
                        {"a"sv, "a"sv}));
    BOOST_TEST(pushes("U\x01xr\x00\x01\x00\x00j\x00\x01\x00\x00"sv, {"x"sv, "x"sv}));
    BOOST_TEST(refuses("\x80\x01)."));
    BOOST_TEST(refuses("\x80\x06)."));
}

BOOST_AUTO_TEST_CASE(calls_and_imports_are_refused) {
    BOOST_TEST(refuses("\x80\x02"
                       "cos\nsystem\nU\x04true\x85R."sv));          // GLOBAL, REDUCE
    BOOST_TEST(refuses("cos\nsystem\n(S'true'\ntR."sv));            // protocol 0
    BOOST_TEST(refuses("\x80\x04\x8c\x02os\x8c\x06system\x93."sv)); // STACK_GLOBAL
    for (const char operation : "R\x81\x92io\x93Q\x82\x83\x84}du\x8b\x8d\x8e\x8f\x90\x91\x96\x97"
                                "bIFLSVPpgl012s\x01\x7f\xff"sv) {
        BOOST_TEST(refuses("\x80\x02U\x01x"s + operation + "\x85."));
    }
}

BOOST_AUTO_TEST_CASE(whatever_is_not_one_flat_tuple_is_refused) {
    BOOST_TEST(refuses(""));
    BOOST_TEST(refuses("."));
    BOOST_TEST(refuses("\x80\x02."));
    BOOST_TEST(refuses("\x80\x02K\x01."));             // a number
    BOOST_TEST(refuses("\x80\x02))."));                // two tuples
    BOOST_TEST(refuses("\x80\x02(."));                 // a mark
    BOOST_TEST(refuses("\x80\x02()."));                // a mark below
    BOOST_TEST(refuses("\x80\x02)\x85."));             // a tuple in a tuple
    BOOST_TEST(refuses("\x80\x02)q\x00h\x00\x85."sv)); // the same from the memo
    BOOST_TEST(refuses("\x80\x02]](K\x01"
                       "ee."));
    BOOST_TEST(refuses("\x80\x02t.")); // no mark
    BOOST_TEST(refuses("\x80\x02"
                       "e."));
    BOOST_TEST(refuses("\x80\x02"
                       "a."));
    BOOST_TEST(refuses("\x80\x02K\x01"
                       "a."));                  // appends to nothing
    BOOST_TEST(refuses("\x80\x02K\x01\x86."));  // too few
    BOOST_TEST(refuses("\x80\x02(K\x01\x86.")); // a mark among them
    BOOST_TEST(refuses("\x80\x02q\x00)."sv));   // nothing to remember
    BOOST_TEST(refuses("\x80\x02(q\x00t."sv));
    BOOST_TEST(refuses(tuple_of("h\x07"))); // never remembered
    BOOST_TEST(refuses("\x80\x02).x"));     // something behind
}

BOOST_AUTO_TEST_CASE(lengths_beyond_the_end_are_refused_before_anything_is_allocated) {
    BOOST_TEST(refuses(tuple_of("X\xff\xff\xff\xff")));
    BOOST_TEST(refuses(tuple_of("X\xff\xff\xff\x7f")));
    BOOST_TEST(refuses(tuple_of("T\xff\xff\xff\xff")));
    BOOST_TEST(refuses(tuple_of("U\xff")));
    BOOST_TEST(refuses(tuple_of("\x8a\xff")));
    const std::string whole = row_of_python();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        BOOST_TEST(refuses(std::string_view(whole).substr(0, size)));
    }
}

BOOST_AUTO_TEST_CASE(a_million_nested_or_repeated_things_cost_no_more_than_their_bytes) {
    BOOST_TEST(refuses("\x80\x02" + std::string(1'000'000, '(')));
    BOOST_TEST(refuses("\x80\x02" + std::string(1'000'000, ']')));
    BOOST_TEST(refuses("\x80\x02)" + std::string(1'000'000, '\x85')));
    std::string repeats = "X"s + "\0\0\x01\0"s + std::string(65536, 'x') + "q\0"s;
    for (int i = 0; i < 100'000; ++i) { // copied, these were 6 GiB
        repeats += "h\0"s;
    }
    const std::string pickle = tuple_of(repeats);
    BOOST_TEST(read_pickle(pickle).size() == 100'001U);
}

BOOST_AUTO_TEST_CASE(any_mutation_is_read_or_refused) {
    std::mt19937 random(7); // fixed: the same mutations each time
    const std::string whole = row_of_python();
    int read = 0;
    int refused = 0;
    for (int round = 0; round < 10'000; ++round) {
        std::string text = whole;
        for (unsigned change = 0; change <= random() % 4; ++change) {
            text[random() % text.size()] = static_cast<char>(random());
        }
        try {
            read += read_pickle(text).size() <= text.size() ? 1 : 0;
        } catch (const Failure& failure) {
            refused += failure.error() == Error::bad_request ? 1 : 0;
        }
    }
    BOOST_TEST(read + refused == 10'000);
    BOOST_TEST(read > 1000);
    BOOST_TEST(refused > 1000);
}

} // namespace
