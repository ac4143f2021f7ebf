#include <replica/send/ledgers.hpp>

#define BOOST_TEST_MODULE ledgers
#include <boost/test/unit_test.hpp>

#include <support/confirmed.hpp>

#include <cstddef>
#include <string>

using namespace replica;
using namespace replica::test;

BOOST_AUTO_TEST_CASE(each_device_has_a_ledger_of_its_own) {
    Ledgers ledgers;
    for (const std::string device : {"sda", "sdb"}) {
        ledgers.with(device, [](Ledger& ledger) { ledger.begin_pass(recheck); });
    }
    ledgers.with("sda", [](Ledger& it) { it.confirm(hash_of(5), state, primaries, 7, later, 99); });
    const auto skips = [&](const std::string& device) {
        return ledgers.with(device, [](Ledger& it) {
            return it.may_skip(hash_of(5), state, primaries.digest, now);
        });
    };
    BOOST_TEST(skips("sda"));
    BOOST_TEST(!skips("sdb"));
    ledgers.distrust(primaries.devices[2]);
    BOOST_TEST(!skips("sda"));
    ledgers.with("sda", [](Ledger& it) { it.confirm(hash_of(5), state, primaries, 7, later, 99); });
    ledgers.clear();
    BOOST_TEST(!ledgers.with("sda", [](Ledger& it) { return it.take(hash_of(5), state).same; }));
}

// ---- For the next start.

BOOST_AUTO_TEST_CASE(a_ledger_that_was_read_skips_what_the_written_one_did) {
    Ledgers written;
    written.with("sda", [](Ledger& it) { it = Confirmed(); });
    written.with("sdb", [](Ledger&) {});
    Ledgers read;
    BOOST_REQUIRE(read.read(written.text()));
    BOOST_TEST(read.text() == written.text());
    read.with("sda", [](Ledger& it) {
        it.begin_pass(recheck);
        BOOST_TEST(it.may_skip(hash_of(5), state, primaries.digest, now));
        BOOST_TEST(
            !it.may_skip(hash_of(5), state, primaries_of({1, 2, 4}).digest, now)); // the ring
        BOOST_TEST(it.take(hash_of(5), state).max_row == 7);
    });
}

BOOST_AUTO_TEST_CASE(a_peer_that_was_not_believed_is_not_after_a_restart) {
    Ledgers written;
    written.with("sda", [](Ledger& it) {
        it = Confirmed();
        it.distrust(2);
    });
    Ledgers read;
    BOOST_REQUIRE(read.read(written.text()));
    read.with("sda", [](Ledger& it) {
        it.begin_pass(recheck);
        BOOST_TEST(!it.may_skip(hash_of(5), state, primaries.digest, now));
    });
}

BOOST_AUTO_TEST_CASE(any_other_text_is_refused_and_changes_nothing) {
    Ledgers written;
    written.with("sda", [](Ledger& it) { it = Confirmed(); });
    const std::string text = written.text();
    Ledgers read;
    read.with("sdb", [](Ledger& it) { it = Confirmed(); });
    const std::string before = read.text();
    const auto refused = [&](const std::string& other) {
        return !read.read(other) && read.text() == before;
    };
    for (std::size_t size = 0; size < text.size(); ++size) {
        BOOST_TEST(refused(text.substr(0, size)), size);
    }
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string other = text;
        other[at] = static_cast<char>(other[at] ^ 1);
        BOOST_TEST(refused(other), at);
    }
    BOOST_TEST(refused(text + "x"));
    // With a digest that is right. No such file was written by this program.
    const auto with_digest = [](std::string other) {
        const Md5Digest digest = md5(other);
        words::append_bytes(other, digest);
        return other;
    };
    const std::string body = text.substr(0, text.size() - sizeof(Md5Digest));
    for (std::size_t size = 0; size < body.size(); ++size) {
        BOOST_TEST(refused(with_digest(body.substr(0, size))), size);
    }
    BOOST_TEST(refused(with_digest(body + "x")));
    BOOST_TEST(read.read(text));
}
