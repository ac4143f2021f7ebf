#include <replica/beast/http.hpp>

#define BOOST_TEST_MODULE beast_http
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace replica;
using namespace std::string_literals;

namespace {

const std::string hash = "e28cc9c78696a68b7920b82ab697f9c3";

// Tue, 24 Nov 2026 10:53:17.20709 GMT
constexpr Timestamp moment{1'795'517'597LL * Timestamp::ticks_per_second + 20'709, 0};

} // namespace

BOOST_AUTO_TEST_CASE(a_request_is_written_as_the_stock_replicator_writes_it) {
    const Request request{"sdb4", "906", hash, R"(["merge_syncs", []])", true};
    BOOST_TEST(http::request_head(request, "127.0.0.4:6441") ==
               "REPLICATE /sdb4/906/e28cc9c78696a68b7920b82ab697f9c3 HTTP/1.1\r\n"
               "Host: 127.0.0.4:6441\r\n"
               "Accept-Encoding: identity\r\n"
               "Content-Length: 19\r\n"
               "Content-Type: application/json\r\n"
               "\r\n");
}

BOOST_AUTO_TEST_CASE(a_name_cannot_add_a_header_or_a_part) {
    const Request request{"a/b\r\nX: y", "9 HTTP/1.1", "\0%"s, "", true};
    const std::string head = http::request_head(request, "h:1");
    BOOST_TEST(head.starts_with("REPLICATE " + http::target_of(request) + " HTTP/1.1\r\n"));
    const std::string more = http::request_head(request, "h:1", "X-More: yes\r\n");
    BOOST_TEST(more == head.substr(0, head.size() - 2) + "X-More: yes\r\n\r\n");
    BOOST_TEST(head.starts_with("REPLICATE /a%2Fb%0D%0AX%3A%20y/9%20HTTP%2F1.1/%00%25 HTTP/1.1\r"));
}

BOOST_AUTO_TEST_CASE(every_byte_survives_encoding_and_decoding) {
    std::string all;
    for (int value = 0; value < 256; ++value) {
        all.push_back(static_cast<char>(value));
    }
    const std::string text = http::encode_part(all);
    for (const char c : text) {
        BOOST_TEST((c > ' ' && c < '\x7f' && c != '/' && c != '?' && c != '#'));
    }
    BOOST_TEST((http::decode_part(text) == all));
    BOOST_TEST(http::encode_part("AUTH_test-1.~") == "AUTH_test-1.~");
    BOOST_TEST(http::encode_part("") == "");
}

BOOST_AUTO_TEST_CASE(a_percent_sign_needs_two_digits) {
    BOOST_TEST((http::decode_part("%41%6a%6A+") == "Ajj+"));
    BOOST_TEST((http::decode_part("%00") == "\0"s));
    for (const char* bad : {"%", "%4", "a%", "a%4", "%4g", "%g4", "%%41", "% 1", "%-1", "%u00e9"}) {
        BOOST_TEST(!http::decode_part(bad).has_value(), bad);
    }
}

BOOST_AUTO_TEST_CASE(a_path_with_three_parts_is_a_request) {
    const auto request = http::request_of("/sdb1/906/" + hash);
    BOOST_TEST_REQUIRE(request.has_value());
    BOOST_TEST(request->device == "sdb1");
    BOOST_TEST(request->partition == "906");
    BOOST_TEST(request->hash == hash);
    BOOST_TEST(request->body == "");
    const auto odd = http::request_of("/sn%C3%B6w/x%00/..");
    BOOST_TEST_REQUIRE(odd.has_value());
    BOOST_TEST(odd->device == "sn\xc3\xb6w");
    BOOST_TEST(odd->partition == "x\0"s);
    BOOST_TEST(odd->hash == "..");
}

BOOST_AUTO_TEST_CASE(any_other_path_is_none) {
    const std::vector<std::string> paths = {
        "",
        "/",
        "*",
        "sdb1/906/" + hash,
        "/sdb1",
        "/sdb1/906",
        "/a/b/c/",
        "/a/b/",
        "//b/c",
        "/a//c",
        "/a/b//",
        "/a/b/c/d",
        "/a/b/%",
        "/%2/b/c",
        "/a%2Fb/c/d",
        "/a/b/c%2f",
        "http://h/a/b",
        "/a/b/%2F",
    };
    for (const std::string& path : paths) {
        BOOST_TEST(!http::request_of(path).has_value(), path);
    }
}

BOOST_AUTO_TEST_CASE(a_query_is_no_part_of_the_path) {
    BOOST_TEST(http::path_of("/a/b/c?d=/e") == "/a/b/c");
    BOOST_TEST(http::path_of("/a/b/c") == "/a/b/c");
    BOOST_TEST(http::path_of("?") == "");
}

BOOST_AUTO_TEST_CASE(an_ipv6_address_is_written_in_brackets) {
    BOOST_TEST(http::authority_of("127.0.0.1", 6201) == "127.0.0.1:6201");
    BOOST_TEST(http::authority_of("node1.example", 80) == "node1.example:80");
    BOOST_TEST(http::authority_of("::1", 6201) == "[::1]:6201");
    BOOST_TEST(http::authority_of("fe80::1%eth0", 1) == "[fe80::1%eth0]:1");
}

BOOST_AUTO_TEST_CASE(a_date_is_written_as_http_has_it) {
    BOOST_TEST(http::date_of(Timestamp{}) == "Thu, 01 Jan 1970 00:00:00 GMT");
    BOOST_TEST(http::date_of(moment) == "Tue, 24 Nov 2026 10:53:17 GMT");
    BOOST_TEST(http::date_of({951'868'799LL * Timestamp::ticks_per_second, 0}) ==
               "Tue, 29 Feb 2000 23:59:59 GMT");
}

BOOST_AUTO_TEST_CASE(a_date_is_read_as_it_is_written_and_nothing_else_is) {
    for (const std::int64_t seconds : {0LL, 951'868'799LL, 1'700'000'000LL, 1'800'000'001LL}) {
        const Timestamp moment{seconds * Timestamp::ticks_per_second, 0};
        const auto read = http::moment_of(http::date_of(moment));
        BOOST_REQUIRE(read.has_value());
        BOOST_TEST((*read == moment));
    }
    for (const std::string bad :
         {"", "now", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
          "Tue, 24 Nov 2026 10:53:17 UTC", "Tue, 24 Nox 2026 10:53:17 GMT",
          "Tue, 31 Feb 2026 10:53:17 GMT", "Tue, 24 Nov 2026 24:53:17 GMT",
          "Tue, 24 Nov 2026 1a:53:17 GMT", "Tue, 24 ovD 2026 10:53:17 GMT",
          "Tue, -4 Nov 2026 10:53:17 GMT", "Tue, 24 Nov 1926 10:53:17 GMT"}) {
        BOOST_TEST(!http::moment_of(bad).has_value(), bad);
    }
}

BOOST_AUTO_TEST_CASE(a_reply_has_the_headers_of_a_stock_server_in_their_order) {
    const Reply found{200, "text/html; charset=UTF-8", "{}", {}};
    BOOST_TEST(http::reply_head(found, "", moment, true) ==
               "HTTP/1.1 200 OK\r\n"
               "Content-Type: text/html; charset=UTF-8\r\n"
               "Content-Length: 2\r\n"
               "Date: Tue, 24 Nov 2026 10:53:17 GMT\r\n"
               "\r\n");
    const Reply options{200, "text/html; charset=UTF-8", "", {}};
    BOOST_TEST(http::reply_head(options, "Allow: OPTIONS, REPLICATE\r\n", moment, false) ==
               "HTTP/1.1 200 OK\r\n"
               "Content-Type: text/html; charset=UTF-8\r\n"
               "Allow: OPTIONS, REPLICATE\r\n"
               "Content-Length: 0\r\n"
               "Date: Tue, 24 Nov 2026 10:53:17 GMT\r\n"
               "Connection: close\r\n"
               "\r\n");
}

BOOST_AUTO_TEST_CASE(a_204_claims_no_body_whatever_the_handler_put_there) {
    const Reply done{204, "text/html; charset=UTF-8", "left over", {}};
    BOOST_TEST(http::reply_head(done, "", moment, true) ==
               "HTTP/1.1 204 No Content\r\n"
               "Content-Type: text/html; charset=UTF-8\r\n"
               "Content-Length: 0\r\n"
               "Date: Tue, 24 Nov 2026 10:53:17 GMT\r\n"
               "\r\n");
}

BOOST_AUTO_TEST_CASE(reasons_are_those_of_swift) {
    BOOST_TEST(http::reason_of(202) == "Accepted");
    BOOST_TEST(http::reason_of(401) == "Unauthorized");
    BOOST_TEST(http::reason_of(404) == "Not Found");
    BOOST_TEST(http::reason_of(413) == "Request Entity Too Large");
    BOOST_TEST(http::reason_of(500) == "Internal Error");
    BOOST_TEST(http::reason_of(507) == "Insufficient Storage");
    BOOST_TEST(http::reason_of(299) == "Unknown");
    const Reply own{507, "", "", "Drive: sdb1"};
    BOOST_TEST(http::reply_head(own, "", moment, true)
                   .starts_with("HTTP/1.1 507 Drive: sdb1\r\nContent-Length: 0\r\n"));
}

BOOST_AUTO_TEST_CASE(what_a_handler_says_stays_on_its_line) {
    const Reply evil{200, "text/plain\r\nX-Evil: 1", "", "OK\nY: 2\x7f"};
    const std::string head = http::reply_head(evil, "", moment, true);
    BOOST_TEST(
        head.starts_with("HTTP/1.1 200 OK Y: 2 \r\nContent-Type: text/plain  X-Evil: 1\r\n"));
}

BOOST_AUTO_TEST_CASE(a_bare_head_has_no_body) {
    BOOST_TEST(http::bare_head("GET", "/recon/time", "[::1]:6201") ==
               "GET /recon/time HTTP/1.1\r\nHost: [::1]:6201\r\n"
               "Accept-Encoding: identity\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(a_server_of_ours_is_known_by_kind_and_node_in_any_version) {
    const std::string name = http::server_name("container", 6201);
    BOOST_TEST(name == "container-server/" + version_text() + " (replica of 6201)");
    BOOST_TEST(http::is_server(name, "container", 6201));
    BOOST_TEST(http::is_server("container-server/99.0 (replica of 6201)", "container", 6201));
    BOOST_TEST(!http::is_server(name, "account", 6201));
    BOOST_TEST(!http::is_server(name, "container", 201));
    BOOST_TEST(!http::is_server(name, "container", 62010));
    BOOST_TEST(!http::is_server(name, "", 6201));
    BOOST_TEST(!http::is_server("", "container", 6201));
    BOOST_TEST(!http::is_server("container-server/2.30.1", "container", 6201));
}
