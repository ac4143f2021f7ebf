#include <replica/beast/door.hpp>

#define BOOST_TEST_MODULE beast_door
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using http::Doubt;

namespace {

const std::string first = "the first secret of all";
const std::string second = "the second one, for a while";
const std::string other = "a secret of another cluster";
const std::string target = "/sdb1/906/e28cc9c78696a68b7920b82ab697f9c3";
const Timestamp now = *Timestamp::parse("1795858300.39233");

boost::asio::ip::address address(const char* text) {
    return boost::asio::ip::make_address(text);
}

// The monotonic clock may have any zero; most doors were opened a day before `now`.
constexpr Instant today = Instant{} + std::chrono::hours{1000};
constexpr Instant long_ago = today - std::chrono::hours{24};

/// A door and what it told.
struct Told {
    std::vector<std::string> lines;
    DoorOptions options = [this] {
        DoorOptions made;
        made.on_doubt = [this](const std::string& from, Doubt why, bool refused) {
            lines.push_back(from + ' ' + std::string(http::text_of(why).word) +
                            (refused ? " refused" : " served"));
        };
        return made;
    }();
    std::string digest;

    /// The status that a visit gets from this door; 0: it is let in.
    int status(http::Door& door, const http::Visit& visit,
               const http::Moment& when = {now, today}) {
        const auto refusal = door.admit(visit, when, digest);
        return refusal ? refusal->status : 0;
    }
};

http::Visit visit(std::string_view signature = {}, const char* from = "10.0.0.2") {
    return {address(from), {"REPLICATE", target, {address("10.0.0.1"), 16201}}, signature};
}

std::string signed_by(const std::string& secret, std::string_view body = "[]",
                      Timestamp when = now) {
    return http::Signature::make(secret, visit().subject, body, when).text();
}

} // namespace

BOOST_AUTO_TEST_CASE(by_default_everybody_is_let_in_and_nothing_is_told) {
    Told told;
    http::Door door(told.options, long_ago);
    for (const std::string& signature :
         {std::string(), std::string("nonsense"), signed_by(other)}) {
        BOOST_TEST(told.status(door, visit(signature)) == 0);
        BOOST_TEST(told.digest.empty());
        BOOST_TEST(!door.admit_body(address("10.0.0.2"), told.digest, "any body").has_value());
    }
    BOOST_TEST(!door.is_stranger(address("192.0.2.1")));
    BOOST_TEST(told.lines.empty());
}

BOOST_AUTO_TEST_CASE(with_a_secret_only_who_knows_it_is_let_in) {
    Told told;
    told.options.secrets = {first, second};
    http::Door door(told.options, long_ago);
    const auto elsewhere = [](auto member, auto value) {
        http::Subject subject = visit().subject;
        subject.*member = value;
        return http::Signature::make(first, subject, "[]", now).text();
    };
    const std::string again = signed_by(first);
    struct Row {
        const char* what;
        std::string signature;
        int status;
        const char* word;
    };
    for (const Row& row : std::vector<Row>{
             {"the first secret", again, 0, ""},
             {"the second secret", signed_by(second), 0, ""},
             {"a replay", again, 401, "replayed"},
             {"another secret", signed_by(other), 401, "wrong"},
             {"another verb", elsewhere(&http::Subject::verb, "GET"), 401, "wrong"},
             {"another path", elsewhere(&http::Subject::target, "/sdb2/906/x"), 401, "wrong"},
             {"another receiver",
              elsewhere(&http::Subject::receiver,
                        boost::asio::ip::tcp::endpoint(address("10.0.0.3"), 16201)),
              401, "wrong"},
             {"too old", signed_by(first, "[]", now.plus(Seconds(-301))), 401, "untimely"},
             {"from the future", signed_by(first, "[]", now.plus(Seconds(301))), 401, "untimely"},
             {"no header", "", 401, "unsigned"},
             {"nonsense", "yes", 401, "malformed"},
             {"a cut one", again.substr(0, 100), 401, "malformed"},
         }) {
        told.lines.clear();
        BOOST_TEST(told.status(door, visit(row.signature)) == row.status, row.what);
        BOOST_TEST(told.digest == (row.status == 0 ? sha256("[]") : ""), row.what);
        if (row.status == 0) {
            BOOST_TEST(told.lines.empty(), row.what);
        } else {
            BOOST_TEST_REQUIRE(told.lines.size() == 1U, row.what);
            BOOST_TEST(told.lines.front() == std::string("10.0.0.2 ") + row.word + " refused");
        }
    }
}

BOOST_AUTO_TEST_CASE(a_body_that_was_changed_on_its_way_is_refused) {
    Told told;
    told.options.secrets = {first};
    http::Door door(told.options, long_ago);
    BOOST_TEST(told.status(door, visit(signed_by(first, "[1]"))) == 0);
    const auto from = address("10.0.0.2");
    BOOST_TEST(!door.admit_body(from, told.digest, "[1]").has_value());
    for (const char* body : {"[2]", "[1] ", "", "[1"}) {
        const auto refusal = door.admit_body(from, told.digest, body);
        BOOST_TEST_REQUIRE(refusal.has_value());
        BOOST_TEST(refusal->status == 401);
        BOOST_TEST(told.lines.back() == "10.0.0.2 altered refused");
    }
}

BOOST_AUTO_TEST_CASE(a_secret_that_is_not_required_yet_only_tells_who_lacks_it) {
    Told told;
    told.options.secrets = {first};
    told.options.require_secret = false;
    http::Door door(told.options, long_ago);
    const std::string good = signed_by(first);
    BOOST_TEST(told.status(door, visit(good)) == 0);
    BOOST_TEST(told.lines.empty());
    for (const std::string& signature : {good, signed_by(other), std::string()}) {
        BOOST_TEST(told.status(door, visit(signature)) == 0);
        BOOST_TEST(told.digest.empty()); // nobody said what the body must be
    }
    BOOST_TEST(
        (told.lines == std::vector<std::string>{"10.0.0.2 replayed served", "10.0.0.2 wrong served",
                                                "10.0.0.2 unsigned served"}));
    BOOST_TEST(told.status(door, visit(signed_by(first, "[1]"))) == 0);
    BOOST_TEST(!door.admit_body(address("10.0.0.2"), told.digest, "[2]").has_value());
    BOOST_TEST(told.lines.back() == "10.0.0.2 altered served");
}

BOOST_AUTO_TEST_CASE(
    a_door_that_was_opened_by_a_wrong_clock_lets_in_whoever_comes_by_the_right_one) {
    Told told;
    told.options.secrets = {first};
    const auto after = [](double seconds) {
        return http::Moment{now.plus(Seconds(seconds)), today + to_duration(Seconds(seconds))};
    };
    http::Door door(told.options, today); // at `now`, as a clock said then
    const std::string before = signed_by(first, "[]", now.plus(Seconds(-1)));
    BOOST_TEST(told.status(door, visit(before), after(5)) == 401); // it may have been here already
    BOOST_TEST(told.lines.back() == "10.0.0.2 untimely refused");
    const std::string since = signed_by(first, "[]", now.plus(Seconds(4)));
    BOOST_TEST(told.status(door, visit(since), after(5)) == 0);
    // The wall clock is set back by an hour, to the time of all others.
    const http::Moment back{now.plus(Seconds(-3590)), today + std::chrono::seconds{10}};
    const std::string right = signed_by(first, "[]", now.plus(Seconds(-3591)));
    BOOST_TEST(told.status(door, visit(right), back) == 0);
    const std::string old = signed_by(first, "[]", now.plus(Seconds(-3601)));
    BOOST_TEST(told.status(door, visit(old), back) == 401);
}

BOOST_AUTO_TEST_CASE(a_forged_signature_takes_up_no_memory_and_burns_no_other) {
    Told told;
    told.options.secrets = {first};
    http::Door door(told.options, long_ago);
    const std::string good = signed_by(first);
    std::string forged = good;
    forged.back() = forged.back() == '0' ? '1' : '0'; // the same date and nonce
    BOOST_TEST(told.status(door, visit(forged)) == 401);
    BOOST_TEST(told.status(door, visit(good)) == 0);
}

BOOST_AUTO_TEST_CASE(addresses_outside_of_the_ring_are_told_and_refused_only_if_so_wished) {
    for (const bool refuse : {false, true}) {
        Told told;
        told.options.is_peer = [](const boost::asio::ip::address& from) {
            return from == address("10.0.0.2") || from == address("2001:db8::2");
        };
        told.options.refuse_strangers = refuse;
        http::Door door(told.options, long_ago);
        for (const char* peer : {"10.0.0.2", "::ffff:10.0.0.2", "2001:db8::2", "2001:db8::2%1"}) {
            BOOST_TEST(told.status(door, visit({}, peer)) == 0, peer);
            BOOST_TEST(!door.is_stranger(address(peer)), peer);
        }
        BOOST_TEST(told.lines.empty());
        for (const char* stranger : {"10.0.0.3", "::ffff:10.0.0.3", "2001:db8::3", "::1"}) {
            BOOST_TEST(told.status(door, visit({}, stranger)) == (refuse ? 403 : 0), stranger);
            BOOST_TEST(door.is_stranger(address(stranger)), stranger);
        }
        const std::string end = refuse ? " stranger refused" : " stranger served";
        BOOST_TEST((told.lines == std::vector<std::string>{"10.0.0.3" + end, "10.0.0.3" + end,
                                                           "2001:db8::3" + end, "::1" + end}));
    }
}

BOOST_AUTO_TEST_CASE(a_stranger_who_knows_the_secret_is_a_stranger_all_the_same) {
    Told told;
    told.options.secrets = {first};
    told.options.is_peer = [](const boost::asio::ip::address&) { return false; };
    told.options.refuse_strangers = true;
    http::Door strict(told.options, long_ago);
    BOOST_TEST(told.status(strict, visit(signed_by(first))) == 403);
    told.options.refuse_strangers = false;
    http::Door open(told.options, long_ago);
    BOOST_TEST(told.status(open, visit(signed_by(first))) == 0);
    BOOST_TEST(told.status(open, visit()) == 401);
}

BOOST_AUTO_TEST_CASE(other_rules_count_from_their_change_on) {
    Told told;
    http::Door door(told.options, long_ago);
    BOOST_TEST(told.status(door, visit()) == 0);
    told.options.secrets = {first};
    door.change(told.options, long_ago);
    BOOST_TEST(told.status(door, visit()) == 401);
    told.options.require_secret = false;
    door.change(told.options, long_ago);
    BOOST_TEST(told.status(door, visit()) == 0);
    BOOST_TEST((told.lines ==
                std::vector<std::string>{"10.0.0.2 unsigned refused", "10.0.0.2 unsigned served"}));
    told.options.is_peer = [](const boost::asio::ip::address&) { return false; };
    told.options.refuse_strangers = true;
    door.change(told.options, long_ago);
    BOOST_TEST(door.is_stranger(address("10.0.0.2")));
    BOOST_TEST(told.status(door, visit()) == 403);
    door.change({}, long_ago);
    BOOST_TEST(told.status(door, visit()) == 0);
}

BOOST_AUTO_TEST_CASE(a_change_loses_no_request_that_is_under_way_and_lets_none_in_twice) {
    Told told;
    told.options.secrets = {first};
    http::Door door(told.options, long_ago);
    const std::string before = signed_by(first, "[]", now.plus(Seconds(-2)));
    const std::string under_way = signed_by(first, "[]", now.plus(Seconds(-1)));
    BOOST_TEST(told.status(door, visit(before)) == 0);
    told.options.secrets = {second, first};
    door.change(told.options, today);
    BOOST_TEST(told.status(door, visit(under_way)) == 0);
    BOOST_TEST(told.status(door, visit(before)) == 401);
    BOOST_TEST(told.lines.back() == "10.0.0.2 replayed refused");
    told.options.secrets = {second};
    door.change(told.options, today);
    BOOST_TEST(told.status(door, visit(signed_by(first, "[]", now.plus(Seconds(1))))) == 401);
    BOOST_TEST(told.lines.back() == "10.0.0.2 wrong refused");
}

BOOST_AUTO_TEST_CASE(by_a_new_secret_nothing_counts_that_was_signed_before_it_was_known) {
    // It may have been served unsigned, or for its address, and was not remembered.
    for (const bool had_one : {false, true}) {
        Told told;
        if (had_one) {
            told.options.secrets = {first};
        }
        told.options.require_secret = false;
        http::Door door(told.options, long_ago);
        const std::string early = signed_by(second, "[]", now.plus(Seconds(-1)));
        BOOST_TEST(told.status(door, visit(early)) == 0);
        told.options.secrets = {first, second};
        told.options.require_secret = true;
        door.change(told.options, today);
        BOOST_TEST(told.status(door, visit(early)) == 401);
        BOOST_TEST(told.lines.back() == "10.0.0.2 untimely refused");
        const std::string later = signed_by(second, "[]", now.plus(Seconds(1)));
        BOOST_TEST(told.status(door, visit(later),
                               {now.plus(Seconds(2)), today + std::chrono::seconds{2}}) == 0);
    }
}

BOOST_AUTO_TEST_CASE(nobody_need_listen) {
    DoorOptions options;
    options.secrets = {first};
    http::Door door(options, long_ago);
    std::string digest;
    BOOST_TEST(door.admit(visit(), {now, today}, digest).has_value());
}
