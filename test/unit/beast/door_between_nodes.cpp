#include <replica/beast/door.hpp>

#define BOOST_TEST_MODULE beast_door_between_nodes
#include <replica/beast/server.hpp>
#include <replica/beast/transport.hpp>

#include <boost/test/unit_test.hpp>

#include <support/loopback.hpp>

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace loopback;
using http::Doubt;

namespace {

const std::string first = "the first secret of all";
const std::string second = "the second one, for a while";
const std::string target = "/sdb1/906/" + hash;
const Request request{"sdb1", "906", hash, R"(["sync"])", true};

DoorOptions requiring(std::vector<std::string> secrets) {
    DoorOptions options;
    options.secrets = std::move(secrets);
    return options;
}

/// A node that counts what its handler sees, and keeps what its door tells.
class Node {
public:
    explicit Node(DoorOptions door = {}, std::uint64_t max_bodies = 256 << 20)
        : server_(
              options(std::move(door), max_bodies),
              [this](const Request& got) {
                  ++handled;
                  return Reply{200, "text/plain", got.body, {}};
              },
              [](std::string_view) {
                  return Reply{200, "text/plain", "OK", {}};
              }) {}

    [[nodiscard]] std::uint16_t port() const { return server_.port(); }

    std::vector<std::string> told() {
        const std::lock_guard lock(mutex_);
        return told_;
    }

    std::atomic<int> handled = 0;

private:
    ServerOptions options(DoorOptions door, std::uint64_t max_bodies) {
        ServerOptions made;
        made.ip = "127.0.0.1";
        made.door = std::move(door);
        made.max_bodies = max_bodies;
        made.door.on_doubt = [this](const std::string& from, Doubt why, bool refused) {
            const std::lock_guard lock(mutex_);
            told_.push_back(from + ' ' + std::string(http::text_of(why).word) +
                            (refused ? " refused" : " served"));
        };
        return made;
    }

    std::mutex mutex_;
    std::vector<std::string> told_;
    BeastServer server_;
};

BeastTransport signing_with(const std::string& secret) {
    BeastOptions options;
    options.secret = secret;
    return BeastTransport(options);
}

/// The status of a request to a node, by a sender with this secret.
int status(const Node& node, const std::string& secret, const Request& what = request) {
    BeastTransport transport = signing_with(secret);
    const auto reply = transport.peer(device_at(node.port())).send(what, in(30), {});
    return reply ? reply->status : 0;
}

/// The header for a body that is sent to a port of 127.0.0.1.
std::string header(std::uint16_t port, std::string_view body, const std::string& secret = first) {
    const http::Subject subject{"REPLICATE", target, endpoint(port)};
    const auto made = http::Signature::make(secret, subject, body, SystemClock().now());
    return std::string(http::signature_header) + ": " + made.text() + "\r\n";
}

} // namespace

BOOST_AUTO_TEST_CASE(nodes_understand_each_other_by_whether_they_share_a_secret) {
    struct Row {
        const char* what;
        std::string signs;
        std::vector<std::string> known;
        int status;
    };
    for (const Row& row : std::vector<Row>{
             {"both have none", "", {}, 200},
             {"one signs, the other does not know of it, like a stock node", first, {}, 200},
             {"one requires, the other does not sign, like a stock node", "", {first}, 401},
             {"both have the same", first, {first}, 200},
             {"each has another", first, {second}, 401},
             {"the new one comes second, here first", first, {first, second}, 200},
             {"the new one signs there, here it is second", second, {first, second}, 200},
             {"the old one is gone here and signs there", first, {second}, 401},
         }) {
        Node node(requiring(row.known));
        BOOST_TEST(status(node, row.signs) == row.status, row.what);
        BOOST_TEST(node.handled == (row.status == 200 ? 1 : 0), row.what);
        BOOST_TEST(node.told().size() == (row.status == 200 ? 0U : 1U), row.what);
    }
}

BOOST_AUTO_TEST_CASE(a_secret_is_changed_node_by_node_and_no_request_is_refused) {
    // What each of two nodes has, step by step; the first of the list signs.
    using Secrets = std::vector<std::string>;
    const Secrets only_old{first};
    const Secrets old_signs{first, second};
    const Secrets new_signs{second, first};
    const Secrets only_new{second};
    const std::vector<std::pair<Secrets, Secrets>> steps{
        {only_old, only_old},   {old_signs, only_old},  {old_signs, old_signs},
        {new_signs, old_signs}, {new_signs, new_signs}, {only_new, new_signs},
        {only_new, only_new}};
    for (const auto& [a, b] : steps) {
        Node to_a(requiring(a));
        Node to_b(requiring(b));
        BOOST_TEST(status(to_a, b.front()) == 200);
        BOOST_TEST(status(to_b, a.front()) == 200);
    }
}

BOOST_AUTO_TEST_CASE(without_a_secret_not_a_byte_is_added_and_with_one_a_single_header) {
    std::vector<std::string> seen;
    ScriptedServer server({[&](Tcp::socket& socket) {
                               seen.push_back(receive_message(socket));
                               loopback::send(socket, reply_text(""));
                           },
                           [&](Tcp::socket& socket) {
                               seen.push_back(receive_message(socket));
                               loopback::send(socket, reply_text(""));
                           }});
    for (const std::string& secret : {std::string(), first}) {
        BeastTransport transport = signing_with(secret);
        BOOST_TEST(transport.peer(device_at(server.port())).send(request, in(30), {}).has_value());
    }
    BOOST_TEST_REQUIRE(seen.size() == 2U);
    BOOST_TEST(seen[0] == "REPLICATE " + target +
                              " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                              "\r\nAccept-Encoding: identity\r\nContent-Length: 8\r\n"
                              "Content-Type: application/json\r\n\r\n[\"sync\"]");
    const auto at = seen[1].find("X-Replica-Signature: ");
    BOOST_TEST_REQUIRE(at != std::string::npos);
    const std::string line = seen[1].substr(at, seen[1].find("\r\n", at) + 2 - at);
    std::string rest = seen[1];
    rest.erase(at, line.size());
    BOOST_TEST(rest == seen[0]);
    const auto signature = http::Signature::parse(line.substr(21, line.size() - 23));
    BOOST_TEST_REQUIRE(signature.has_value());
    BOOST_TEST(signature->is_by(std::vector<std::string>{first},
                                {"REPLICATE", target, endpoint(server.port())}));
}

BOOST_AUTO_TEST_CASE(many_requests_on_a_kept_connection_have_a_signature_each) {
    Node node(requiring({first}));
    BeastTransport transport = signing_with(first);
    for (int count = 0; count < 50; ++count) {
        const auto reply = transport.peer(device_at(node.port())).send(request, in(30), {});
        BOOST_TEST_REQUIRE(reply.has_value());
        BOOST_TEST(reply->status == 200);
    }
    BOOST_TEST(transport.idle_count() == 1U);
    BOOST_TEST(node.handled == 50);
    BOOST_TEST(node.told().empty());
}

BOOST_AUTO_TEST_CASE(a_request_that_is_repeated_on_a_new_connection_is_signed_anew) {
    std::vector<std::string> seen;
    const auto line_of = [](const std::string& text) {
        const auto at = text.find("X-Replica-Signature: ");
        return text.substr(at, text.find("\r\n", at) - at);
    };
    const auto answer = [&](Tcp::socket& socket) {
        seen.push_back(line_of(receive_message(socket)));
        loopback::send(socket, reply_text(""));
    };
    ScriptedServer server({[&](Tcp::socket& socket) {
                               answer(socket);
                               seen.push_back(line_of(receive_message(socket))); // and dies
                           },
                           answer});
    BeastTransport transport = signing_with(first);
    for (int count = 0; count < 2; ++count) {
        BOOST_TEST(transport.peer(device_at(server.port())).send(request, in(30), {}).has_value());
    }
    BOOST_TEST_REQUIRE(seen.size() == 3U);
    BOOST_TEST(seen[0] != seen[1]);
    BOOST_TEST(seen[1] != seen[2]);
}

BOOST_AUTO_TEST_CASE(a_request_that_was_listened_to_does_not_come_a_second_time) {
    Node node(requiring({first}));
    const std::string text = request_text("[1]", header(node.port(), "[1]"));
    RawClient client(node.port());
    BOOST_TEST(client.exchange(text).starts_with("HTTP/1.1 200 "));
    const std::string again = client.exchange(text);
    BOOST_TEST(again.starts_with("HTTP/1.1 401 the signature was here before\r\n"), again);
    BOOST_TEST(again.find("\r\nWWW-Authenticate: Replica\r\n") != std::string::npos, again);
    BOOST_TEST(again.ends_with("\r\n\r\nthe signature was here before"), again);
    RawClient other(node.port()); // nor on another connection
    BOOST_TEST(other.exchange(text).starts_with("HTTP/1.1 401 "));
    BOOST_TEST(node.handled == 1);
    BOOST_TEST((node.told() == std::vector<std::string>(2, "127.0.0.1 replayed refused")));
}

BOOST_AUTO_TEST_CASE(nor_at_another_node_that_shares_the_secret) {
    Node one(requiring({first}));
    Node other(requiring({first}));
    const std::string text = request_text("[1]", header(one.port(), "[1]"));
    RawClient client(other.port());
    BOOST_TEST(client.exchange(text).starts_with("HTTP/1.1 401 "));
    BOOST_TEST(other.handled == 0);
    RawClient right(one.port());
    BOOST_TEST(right.exchange(text).starts_with("HTTP/1.1 200 "));
}

BOOST_AUTO_TEST_CASE(another_body_or_path_than_was_signed_reaches_no_handler) {
    Node node(requiring({first}));
    const auto status_of = [&](const std::string& text) {
        RawClient client(node.port());
        return client.exchange(text).substr(9, 3);
    };
    const auto signature = [&] { return header(node.port(), "[1]"); };
    BOOST_TEST(status_of(request_text("[2]", signature())) == "401");
    BOOST_TEST(status_of(request_text("", signature())) == "401");
    BOOST_TEST(status_of(request_text("[1]", signature(), "/sdb2/906/")) == "401");
    BOOST_TEST(status_of(request_text("[1]", signature(), "/sdb1/906/" + hash + "?x=1")) == "401");
    BOOST_TEST(status_of(request_text("[1]", "X-Replica-Signature: \r\n")) == "401");
    BOOST_TEST(status_of(request_text("[1]", "X-Replica-Signature: yes\r\n")) == "401");
    BOOST_TEST(node.handled == 0);
    // Of two headers the first counts.
    const std::string twice = "X-Replica-Signature: yes\r\n" + signature();
    BOOST_TEST(status_of(request_text("[1]", twice)) == "401");
    BOOST_TEST(status_of(request_text("[1]", signature())) == "200");
}

BOOST_AUTO_TEST_CASE(a_body_that_comes_in_pieces_or_chunks_is_the_body_that_was_signed) {
    Node node(requiring({first}));
    const std::string body(300'000, 'x');
    RawClient client(node.port());
    const std::string text = request_text(body, header(node.port(), body));
    for (std::size_t at = 0; at < text.size(); at += 70'001) {
        client.send(std::string_view(text).substr(at, 70'001));
    }
    BOOST_TEST(client.receive().starts_with("HTTP/1.1 200 "));
    client.send("REPLICATE " + target + " HTTP/1.1\r\n" + header(node.port(), "[1]") +
                "Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n");
    BOOST_TEST(client.receive().starts_with("HTTP/1.1 200 "));
    BOOST_TEST(node.handled == 2);
}

BOOST_AUTO_TEST_CASE(whoever_does_not_know_the_secret_is_answered_before_the_body_is_taken_in) {
    Node node(requiring({first}), 0); // no room for a single long body
    RawClient client(node.port());
    client.send("REPLICATE " + target + " HTTP/1.1\r\nContent-Length: 60000000\r\n\r\n[");
    const std::string reply = client.receive();
    BOOST_TEST(reply.starts_with("HTTP/1.1 401 "), reply); // and not a 503 for the body
    BOOST_TEST(reply.find("\r\nConnection: close\r\n") != std::string::npos, reply);
    RawClient asking(node.port());
    asking.send("REPLICATE " + target + " HTTP/1.1\r\nExpect: 100-continue\r\n" +
                "Content-Length: 3\r\n\r\n");
    BOOST_TEST(asking.receive().starts_with("HTTP/1.1 401 "));
    BOOST_TEST(node.handled == 0);
}

BOOST_AUTO_TEST_CASE(pages_and_options_need_no_secret) {
    DoorOptions strict = requiring({first});
    strict.is_peer = [](const boost::asio::ip::address&) { return false; };
    strict.refuse_strangers = true;
    Node node(strict);
    RawClient client(node.port());
    BOOST_TEST(client.exchange("GET /healthcheck HTTP/1.1\r\n\r\n").ends_with("OK"));
    BOOST_TEST(client.exchange("OPTIONS / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
    BOOST_TEST(client.exchange("PUT /a/1/b HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
                   .starts_with("HTTP/1.1 405 "));
    BOOST_TEST(node.told().empty());
}

BOOST_AUTO_TEST_CASE(an_address_outside_of_the_ring_gets_a_403_if_so_wished) {
    for (const bool refuse : {false, true}) {
        DoorOptions door;
        door.is_peer = [](const boost::asio::ip::address&) { return false; };
        door.refuse_strangers = refuse;
        Node node(door);
        RawClient client(node.port());
        const std::string reply = client.exchange(request_text("[]"));
        BOOST_TEST(
            reply.starts_with(refuse ? "HTTP/1.1 403 no device of the ring" : "HTTP/1.1 200 "),
            reply);
        BOOST_TEST(node.handled == (refuse ? 0 : 1));
        BOOST_TEST((node.told() == std::vector<std::string>{refuse ? "127.0.0.1 stranger refused"
                                                                   : "127.0.0.1 stranger served"}));
    }
}

BOOST_AUTO_TEST_CASE(a_sender_is_told_why) {
    Node node(requiring({second}));
    BeastTransport transport = signing_with(first);
    const auto reply = transport.peer(device_at(node.port())).send(request, in(30), {});
    BOOST_TEST_REQUIRE(reply.has_value());
    BOOST_TEST(reply->status == 401);
    const std::string why =
        "the signature is not by a secret of this node, or not for this request";
    BOOST_TEST(reply->reason == why); // which goes into the sender's log
    BOOST_TEST(reply->body == why);
}
