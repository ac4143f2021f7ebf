#include <replica/beast/signature.hpp>

#define BOOST_TEST_MODULE beast_signature
#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::http;

namespace {

const std::string first = "the first secret of all";
const std::string second = "the second one, for a while";
const std::string other = "a secret of another cluster";
const std::string body = R"(["sync"])";
const Timestamp now = *Timestamp::parse("1795858300.39233");
const Timestamp long_ago = now.plus(Seconds(-86400)); // when a receiver began

boost::asio::ip::tcp::endpoint at(const char* ip, std::uint16_t port) {
    return {boost::asio::ip::make_address(ip), port};
}

const Subject subject{"REPLICATE", "/sdb1/906/e28cc9c78696a68b7920b82ab697f9c3",
                      at("10.0.0.1", 16201)};

bool good(const Signature& signature, const Subject& about = subject,
          const std::vector<std::string>& secrets = {first}) {
    return signature.is_by(secrets, about);
}

} // namespace

BOOST_AUTO_TEST_CASE(digests_and_codes_are_those_of_the_standards) {
    BOOST_TEST(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    BOOST_TEST(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

BOOST_AUTO_TEST_CASE(the_code_is_an_hmac_that_any_other_program_can_make) {
    // printf 'replica 1\nREPLICATE\n/sdb1/...\n10.0.0.1 16201\n<date> <nonce> <digest>' |
    // openssl dgst -sha256 -hmac 'the first secret of all'
    const std::string text = "1795858300.39233 00112233445566778899aabbccddeeff " + sha256(body) +
                             " a3f64d75c85064d744732464d40d084711e32e6e818442a15228fd00a0f73b31";
    const auto signature = Signature::parse(text);
    BOOST_REQUIRE(signature.has_value());
    BOOST_TEST(good(*signature));
    BOOST_TEST(signature->text() == text);
}

BOOST_AUTO_TEST_CASE(what_was_signed_is_right_and_survives_its_text) {
    const Signature made = Signature::make(first, subject, body, now);
    BOOST_TEST(good(made));
    const auto read = Signature::parse(made.text());
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(good(*read));
    BOOST_TEST((read->date() == now));
    BOOST_TEST((read->nonce() == made.nonce()));
    BOOST_TEST(read->digest() == sha256(body));
}

BOOST_AUTO_TEST_CASE(no_two_signatures_of_one_moment_are_the_same) {
    const Signature a = Signature::make(first, subject, body, now);
    const Signature b = Signature::make(first, subject, body, now);
    BOOST_TEST((a.nonce() != b.nonce()));
    BOOST_TEST(a.text() != b.text());
}

BOOST_AUTO_TEST_CASE(either_of_two_secrets_is_right_and_no_other) {
    struct Row {
        const char* what;
        std::string by;
        std::vector<std::string> known;
        bool right;
    };
    const std::vector<Row> table{
        {"the first", first, {first, second}, true},
        {"the second", second, {first, second}, true},
        {"the second, where it has come to be the first", second, {second, first}, true},
        {"the first, where it is gone", first, {second}, false},
        {"another cluster's", other, {first, second}, false},
        {"any, where none is known", first, {}, false},
        {"one with a letter more", first + "x", {first}, false},
        {"one with a letter less", first.substr(1), {first}, false},
        {"an empty one", {}, {first}, false},
    };
    for (const Row& row : table) {
        const Signature made = Signature::make(row.by, subject, body, now);
        BOOST_TEST(good(made, subject, row.known) == row.right, row.what);
    }
}

BOOST_AUTO_TEST_CASE(a_signature_is_for_one_verb_path_and_receiver) {
    const Signature made = Signature::make(first, subject, body, now);
    const auto with = [](auto member, auto value) {
        Subject changed = subject;
        changed.*member = value;
        return changed;
    };
    BOOST_TEST(!good(made, with(&Subject::verb, "GET")));
    BOOST_TEST(!good(made, with(&Subject::verb, "replicate")));
    BOOST_TEST(!good(made, with(&Subject::target, "/sdb2/906/e28cc9c78696a68b7920b82ab697f9c3")));
    BOOST_TEST(!good(made, with(&Subject::target, "/sdb1/906/e28cc9c78696a68b7920b82ab697f9c4")));
    BOOST_TEST(!good(made, with(&Subject::target, std::string_view())));
    BOOST_TEST(!good(made, with(&Subject::receiver, at("10.0.0.2", 16201))));
    BOOST_TEST(!good(made, with(&Subject::receiver, at("10.0.0.1", 16202))));
    BOOST_TEST(!good(made, with(&Subject::receiver, at("::1", 16201))));
}

BOOST_AUTO_TEST_CASE(a_receiver_is_the_same_however_its_address_is_written) {
    struct Row {
        const char* here;
        const char* there;
    };
    for (const Row& row : {Row{"10.0.0.1", "::ffff:10.0.0.1"}, Row{"fe80::1", "fe80::1%3"},
                           Row{"2001:db8::1", "2001:db8:0::0:1"}}) {
        const Subject sent{"REPLICATE", "/sda/1/2", at(row.here, 6201)};
        const Subject got{"REPLICATE", "/sda/1/2", at(row.there, 6201)};
        BOOST_TEST(good(Signature::make(first, sent, body, now), got), row.there);
    }
}

BOOST_AUTO_TEST_CASE(whoever_changes_a_part_of_the_header_makes_it_wrong) {
    const Signature made = Signature::make(first, subject, body, now);
    const std::string text = made.text();
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string changed = text;
        changed[i] = changed[i] == '1' ? '2' : '1';
        const auto read = Signature::parse(changed);
        BOOST_TEST((!read || !good(*read)), changed);
        wrong += read ? 1 : 0;
    }
    BOOST_TEST(wrong == 15U + 32 + 64 + 64); // all but the blanks and the point of the date
}

BOOST_AUTO_TEST_CASE(the_digest_tells_another_body) {
    const Signature made = Signature::make(first, subject, body, now);
    BOOST_TEST(made.digest() == sha256(body));
    BOOST_TEST(made.digest() != sha256(body + " "));
    BOOST_TEST(made.digest() != sha256(""));
}

BOOST_AUTO_TEST_CASE(any_other_text_is_no_signature) {
    const std::string good_text = Signature::make(first, subject, body, now).text();
    const auto with = [&](std::size_t at, std::string_view piece) {
        std::string text = good_text;
        return text.replace(at, piece.size(), piece);
    };
    const std::vector<std::string> table{
        "",
        " ",
        "Basic dXNlcjpwYXNz",
        good_text.substr(1),
        good_text.substr(0, good_text.size() - 1),
        good_text + " ",
        " " + good_text,
        good_text + good_text,
        with(0, "-"),
        with(0, " "),
        with(0, "179585830039233x"),
        with(0, "1795858300.3923_"), // an offset
        with(10, ","),
        with(16, "x"),
        with(17, "G"),
        with(17, "A"), // capitals: one nonce must not have two forms
        with(49, "\t"),
        with(50, "\n"),
        with(114, "0"),
        with(115, "z"),
        std::string(good_text.size(), ' '),
        std::string(good_text.size(), '\0'),
    };
    for (const std::string& text : table) {
        BOOST_TEST(!Signature::parse(text).has_value(), text);
    }
    BOOST_TEST(Signature::parse(good_text).has_value());
}

BOOST_AUTO_TEST_CASE(a_date_counts_in_a_window_around_the_clock) {
    struct Row {
        double seconds; // from now to the date
        bool accepted;
    };
    for (const Row& row : {Row{0, true}, Row{-299.9, true}, Row{299.9, true}, Row{-300.1, false},
                           Row{300.1, false}, Row{-86400, false}, Row{86400, false}}) {
        SeenSignatures seen;
        const auto made = Signature::make(first, subject, body, now.plus(Seconds(row.seconds)));
        const auto doubt = seen.enter(made, now, long_ago);
        BOOST_TEST(!doubt.has_value() == row.accepted, row.seconds);
        BOOST_TEST((row.accepted || doubt == Doubt::untimely), row.seconds);
        BOOST_TEST(seen.size() == (row.accepted ? 1U : 0U));
    }
}

BOOST_AUTO_TEST_CASE(a_signature_is_accepted_once) {
    SeenSignatures seen;
    const Signature one = Signature::make(first, subject, body, now);
    const Signature two = Signature::make(first, subject, body, now);
    BOOST_TEST(!seen.enter(one, now, long_ago).has_value());
    BOOST_TEST(!seen.enter(two, now, long_ago).has_value());
    for (const double later : {0.0, 1.0, 299.0}) {
        BOOST_TEST((seen.enter(one, now.plus(Seconds(later)), long_ago) == Doubt::replayed), later);
    }
    // Of a sender whose clock is ahead, for as long as its date is in the window.
    const Signature ahead = Signature::make(first, subject, body, now.plus(Seconds(299)));
    BOOST_TEST(!seen.enter(ahead, now, long_ago).has_value());
    BOOST_TEST((seen.enter(ahead, now.plus(Seconds(598)), long_ago) == Doubt::replayed));
    BOOST_TEST((seen.enter(ahead, now.plus(Seconds(600)), long_ago) == Doubt::untimely));
}

BOOST_AUTO_TEST_CASE(what_is_forgotten_is_too_old_even_if_the_clock_jumps_ahead_and_back) {
    SeenSignatures seen;
    const Signature before = Signature::make(first, subject, body, now);
    BOOST_TEST(!seen.enter(before, now, long_ago).has_value());
    const Signature meanwhile = Signature::make(first, subject, body, now.plus(Seconds(3600)));
    BOOST_TEST(!seen.enter(meanwhile, now.plus(Seconds(3600)), long_ago).has_value());
    BOOST_TEST(seen.size() == 1U);
    const Timestamp back = now.plus(Seconds(1));
    BOOST_TEST((seen.enter(before, back, long_ago) == Doubt::untimely));
    BOOST_TEST((seen.enter(meanwhile, back, long_ago) == Doubt::untimely));
    const Signature after = Signature::make(first, subject, body, back); // and the others go on
    BOOST_TEST(!seen.enter(after, back, long_ago).has_value());
}

BOOST_AUTO_TEST_CASE(a_request_from_before_a_restart_is_not_taken_again) {
    const Signature before = Signature::make(first, subject, body, now);
    SeenSignatures seen; // began at this moment, with an empty memory
    BOOST_TEST((seen.enter(before, now.plus(Seconds(1)), now) == Doubt::untimely));
    const Signature after = Signature::make(first, subject, body, now.plus(Seconds(1)));
    BOOST_TEST(!seen.enter(after, now.plus(Seconds(1)), now).has_value());
}

BOOST_AUTO_TEST_CASE(a_full_memory_refuses_what_it_could_not_recognise) {
    SeenSignatures seen(3);
    for (int count = 0; count < 3; ++count) {
        BOOST_TEST(
            !seen.enter(Signature::make(first, subject, body, now), now, long_ago).has_value());
    }
    const Signature fourth = Signature::make(first, subject, body, now);
    BOOST_TEST((seen.enter(fourth, now, long_ago) == Doubt::crowded));
    BOOST_TEST((seen.enter(fourth, now.plus(Seconds(299)), long_ago) == Doubt::crowded));
    const Timestamp later = now.plus(Seconds(301)); // the three have left the window
    BOOST_TEST(
        !seen.enter(Signature::make(first, subject, body, later), later, long_ago).has_value());
    BOOST_TEST(seen.size() == 1U);
}

BOOST_AUTO_TEST_CASE(each_doubt_has_words_of_its_own) {
    std::vector<std::string_view> words;
    for (const Doubt doubt : {Doubt::stranger, Doubt::nameless, Doubt::malformed, Doubt::wrong,
                              Doubt::untimely, Doubt::replayed, Doubt::crowded, Doubt::altered}) {
        const auto [word, sentence] = text_of(doubt);
        BOOST_TEST(std::ranges::count(words, word) == 0, word);
        BOOST_TEST(sentence.size() > word.size(), word);
        words.push_back(word);
    }
}
