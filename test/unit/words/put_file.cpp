#include <replica/words/put_file.hpp>

#define BOOST_TEST_MODULE put_file_words
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::message;

namespace {

const std::string digest(64, 'a');
const std::string hash(32, 'b');

PutFile decoded(const std::string& body) {
    return decode_put_file(decode_call(body), hash);
}

bool refused(const PutFile& put, const std::string& bytes, Error error) {
    try {
        static_cast<void>(decoded(encode(put, bytes)));
        return false;
    } catch (const Failure& failure) {
        BOOST_TEST_MESSAGE("  " << failure.what());
        return failure.error() == error;
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(what_is_encoded_is_decoded) {
    const PutFile put{"0b9bf4b1-2f06-sdb1", 7, 11, digest};
    const std::string bytes("\0\n\xff]", 4);
    const std::string body = encode(put, bytes);
    BOOST_TEST((decoded(body) == put));
    BOOST_TEST((decode_call(body).bytes == bytes));
    BOOST_TEST(body.starts_with("[\"put_file\", \"0b9bf4b1-2f06-sdb1\", 7, 11, \"aaaa"));
    BOOST_TEST((decoded(encode({"a", 0, 0, digest}, "")) == PutFile{"a", 0, 0, digest}));
    BOOST_TEST(!finishes(decode_call(body)));
}

BOOST_AUTO_TEST_CASE(the_file_that_it_shall_become_may_be_named) {
    for (const std::string& file : {hash + ".db", hash + "_1526666666.00000.db"}) {
        const PutFile put{"id", 0, 1, digest, file};
        const std::string body = encode(put, "x");
        BOOST_TEST(body == "[\"put_file\", \"id\", 0, 1, \"" + digest + "\", \"" + file + "\"]\nx");
        BOOST_TEST(finishes(decode_call(body)));
        BOOST_TEST((decoded(body) == put));
    }
    for (const std::string& file :
         {std::string(), hash, std::string(32, 'c') + ".db", "../" + hash + ".db",
          hash + ".db-journal", hash + ".db.pending"}) {
        const std::string body =
            "[\"put_file\", \"id\", 0, 1, \"" + digest + "\", \"" + file + "\"]\nx";
        BOOST_CHECK_EXCEPTION(
            static_cast<void>(decoded(body)), Failure,
            [](const Failure& failure) { return failure.error() == Error::bad_name; });
    }
    BOOST_TEST(!finishes(decode_call("[\"complete_rsync\", 1, 2, 3, 4, 5]")));
}

BOOST_AUTO_TEST_CASE(a_name_that_is_no_plain_one_or_one_of_ours_is_refused) {
    for (const std::string name : {"", ".", "..", "a/b", "/tmp/a", ".hidden", "a\nb", "a.part",
                                   "a.claimed", "a.copy", "a.removed", "a.kept"}) {
        BOOST_TEST(refused({name, 0, 1, digest}, "x", Error::bad_name), name);
    }
    BOOST_TEST(refused({std::string(129, 'a'), 0, 1, digest}, "x", Error::bad_name));
    BOOST_TEST(!refused({std::string(128, 'a'), 0, 1, digest}, "x", Error::bad_name));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_piece_of_the_file_are_refused) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    const std::string piece(PutFile::most_bytes, 'x');
    BOOST_TEST(refused({"a", -1, 10, digest}, "x", Error::bad_request));
    BOOST_TEST(refused({"a", 0, -1, digest}, "", Error::bad_request));
    BOOST_TEST(refused({"a", 10, 10, digest}, "x", Error::bad_request));
    BOOST_TEST(refused({"a", 11, 10, digest}, "", Error::bad_request));
    BOOST_TEST(refused({"a", 8, 10, digest}, "xxx", Error::bad_request));
    BOOST_TEST(refused({"a", 8, 10, digest}, "", Error::bad_request));
    BOOST_TEST(refused({"a", most, most, digest}, "x", Error::bad_request));
    BOOST_TEST(refused({"a", 0, most, digest}, piece + 'x', Error::too_large));
    BOOST_TEST((decoded(encode({"a", most - 1, most, digest}, "x")).offset == most - 1));
    BOOST_TEST((decoded(encode({"a", 0, most, digest}, piece)).size == most));
}

BOOST_AUTO_TEST_CASE(a_digest_of_another_form_is_refused) {
    for (const std::string& bad :
         {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'A'),
          std::string(64, 'g'), "../" + std::string(61, 'a')}) {
        BOOST_TEST(refused({"a", 0, 1, bad}, "x", Error::bad_request), bad);
    }
}

BOOST_AUTO_TEST_CASE(arguments_of_other_types_are_refused) {
    for (const std::string& list :
         std::vector<std::string>{"", ", \"a\", 0, 1", ", 7, 0, 1, \"aa\"",
                                  ", \"a\", \"0\", 1, \"aa\"", ", \"a\", 0, 1.5, \"aa\"",
                                  ", \"a\", 0, 1, null", ", \"a\", 0, 1, \"" + digest + "\", 3",
                                  ", \"a\", 0, 1, \"" + digest + "\", \"" + hash + ".db\", 3"}) {
        BOOST_CHECK_THROW(static_cast<void>(decoded("[\"put_file\"" + list + "]\nx")), Failure);
    }
}
