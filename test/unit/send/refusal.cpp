#include <replica/send/refusal.hpp>

#define BOOST_TEST_MODULE refusal
#include <boost/test/unit_test.hpp>

#include <stop_token>
#include <string>
#include <vector>

using namespace replica;

namespace {

/// A peer without pages, the device "sdb1".
struct Plain {
    Plain() { it.device = "sdb1"; }
    [[nodiscard]] const Device& device() const { return it; }
    Result<Reply> send(const Request&, Instant, const std::stop_token&) {
        return Fault{Error::peer_failed, "not asked for"};
    }

    Device it;
};

/// One of which only pages are asked.
struct Stock : Plain {
    Result<Reply> get(std::string_view path, Instant, const std::stop_token&) {
        asked.emplace_back(path);
        return page;
    }

    Result<Reply> page = Fault{Error::timed_out, "10.0.0.2:6201: timed out"};
    std::vector<std::string> asked;
};

static_assert(PagePeer<Stock>);
static_assert(Peer<Plain> && !PagePeer<Plain>);

Reply refused(std::string reason) {
    return {507, "text/html", "Insufficient Storage", std::move(reason)};
}

Error meaning(Stock& stock, const std::string& reason) {
    return refusal_of(stock, refused(reason), Instant::max(), {});
}

/// What a diskusage page makes of a refusal without words.
Error meaning_by(const std::string& body, int status = 200) {
    Stock stock;
    stock.page = Reply{status, "application/json", body, {}};
    const Error error = meaning(stock, "");
    BOOST_TEST(stock.asked == std::vector<std::string>{"/recon/diskusage"},
               boost::test_tools::per_element());
    return error;
}

} // namespace

BOOST_AUTO_TEST_CASE(words_are_believed_and_nothing_is_asked) {
    Stock stock;
    stock.page = Reply{200, "", R"([{"device": "sdb1", "mounted": true}])", {}};
    BOOST_TEST((meaning(stock, "sdb1 is full") == Error::no_space));
    BOOST_TEST((meaning(stock, "sdb1 is not mounted") == Error::not_mounted));
    BOOST_TEST((meaning(stock, "Drive: sdb1") == Error::not_mounted));
    BOOST_TEST(stock.asked.empty());
}

BOOST_AUTO_TEST_CASE(a_mounted_device_that_refuses_is_full) {
    BOOST_TEST((meaning_by(R"([{"device": "sda", "mounted": false, "size": "", "used": ""},
        {"device": "sdb1", "mounted": true, "size": 100, "used": 100, "avail": 0}])") ==
                Error::no_space));
}

BOOST_AUTO_TEST_CASE(a_device_that_recon_does_not_see_mounted_is_not) {
    for (const std::string body :
         {R"([{"device": "sdb1", "mounted": false}])",
          R"([{"device": "sdb1", "mounted": "[Errno 5] Input/output error"}])",
          R"([{"device": "sdb1"}])", R"([{"device": "sdb", "mounted": true}])", "[]"}) {
        BOOST_TEST((meaning_by(body) == Error::not_mounted), body);
    }
}

BOOST_AUTO_TEST_CASE(a_page_that_makes_no_sense_says_nothing) {
    for (const std::string body :
         {"", "null", "{}", "[1, null, [], \"sdb1\"]", "<html>",
          R"([{"device": 1, "mounted": true}])", R"([{"device": "sdb1", "mounted": true}] x)",
          R"({"device": "sdb1", "mounted": true})"}) {
        BOOST_TEST((meaning_by(body) == Error::not_mounted), body);
    }
    BOOST_TEST((meaning_by(std::string(100'000, '[')) == Error::not_mounted));
    BOOST_TEST((meaning_by(R"([{"device": "sdb1", "mounted": true}])", 404) == Error::not_mounted));
}

BOOST_AUTO_TEST_CASE(without_an_answer_it_is_as_in_swift) {
    Stock stock;
    BOOST_TEST((meaning(stock, "") == Error::not_mounted));
    Plain plain;
    BOOST_TEST((refusal_of(plain, refused(""), Instant::max(), {}) == Error::not_mounted));
}

BOOST_AUTO_TEST_CASE(what_was_found_out_is_not_asked_again) {
    Refusals refusals;
    int asked = 0;
    const auto ask = [&](Error answer) {
        return [&asked, answer] {
            ++asked;
            return answer;
        };
    };
    BOOST_TEST((refusals.find("a", ask(Error::no_space)) == Error::no_space));
    BOOST_TEST((refusals.find("a", ask(Error::not_mounted)) == Error::no_space));
    BOOST_TEST((refusals.find("b", ask(Error::not_mounted)) == Error::not_mounted));
    BOOST_TEST(asked == 2);
}
