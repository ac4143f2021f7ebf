#include <replica/receive/answer.hpp>

#define BOOST_TEST_MODULE answer
#include <boost/test/unit_test.hpp>

#include <string>

using namespace replica;

namespace {

void is_page(const Reply& reply, int status, const std::string& body) {
    BOOST_TEST(reply.status == status);
    BOOST_TEST(reply.content_type == "text/html; charset=UTF-8");
    BOOST_TEST(reply.body == body);
    BOOST_TEST(reply.reason.empty()); // the server's own words for the status
    BOOST_TEST(reply.success() == (status < 300));
}

} // namespace

// The bytes are those of a stock server: a client may have learnt to look for them.
BOOST_AUTO_TEST_CASE(what_carries_no_data_is_the_page_of_a_stock_server) {
    is_page(answer::not_found(), 404,
            "<html><h1>Not Found</h1><p>The resource could not be found.</p></html>");
    is_page(answer::accepted(), 202,
            "<html><h1>Accepted</h1><p>The request is accepted for processing.</p></html>");
    is_page(answer::html(507, "Insufficient Storage", "sda is full"), 507,
            "<html><h1>Insufficient Storage</h1><p>sda is full</p></html>");
    is_page(answer::html(500, "", ""), 500, "<html><h1></h1><p></p></html>");
}

BOOST_AUTO_TEST_CASE(a_text_goes_over_as_it_is) {
    const std::string bytes("sn\xc3\xb6w <&>\0\n", 11);
    const Reply reply = answer::text(503, bytes);
    BOOST_TEST(reply.status == 503);
    BOOST_TEST(reply.content_type == "text/plain");
    BOOST_TEST(reply.body == bytes);
    BOOST_TEST(!reply.success());
    BOOST_TEST(answer::text(204, "").success());
}

BOOST_AUTO_TEST_CASE(each_kind_of_failure_has_the_status_that_tells_its_sender_what_to_do) {
    const auto status = [](Error error) {
        const Reply reply = answer::failure(Failure(error, "/d/x.db: why"), "sda");
        BOOST_TEST((reply.status == 404 || reply.body.find("/d/x.db: why") != std::string::npos));
        return reply.status;
    };
    for (const Error error : {Error::bad_request, Error::bad_name}) {
        BOOST_TEST(status(error) == 400);
    }
    BOOST_TEST(status(Error::missing) == 404);
    BOOST_TEST(status(Error::too_large) == 413);
    for (const Error error : {Error::locked, Error::moved, Error::timed_out}) {
        BOOST_TEST(status(error) == 503);
    }
    BOOST_TEST(status(Error::no_space) == 507);
    for (const Error error : {Error::io, Error::corrupt, Error::unknown_schema, Error::exists}) {
        BOOST_TEST(status(error) == 500);
    }
}

BOOST_AUTO_TEST_CASE(a_full_device_is_named_in_the_status_line) {
    BOOST_TEST(answer::failure(Failure(Error::no_space, "x"), "sda").reason == "sda is full");
    BOOST_TEST(answer::no_storage("body", "sda is not mounted").reason == "sda is not mounted");
}
