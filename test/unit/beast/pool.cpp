#include <replica/beast/pool.hpp>

#define BOOST_TEST_MODULE beast_pool
#include <boost/test/unit_test.hpp>

#include <support/loopback.hpp>

#include <memory>
#include <string>

using namespace replica;
using namespace loopback;

namespace {

// Connections that stay quiet: the kernel accepts them, and nobody speaks.
struct Listener {
    std::unique_ptr<http::Connection> connection() {
        auto made = std::make_unique<http::Connection>();
        BOOST_TEST_REQUIRE(!made->connect(acceptor.local_endpoint(), in(30), {}));
        return made;
    }

    boost::asio::io_context io;
    Tcp::acceptor acceptor{io, endpoint()};
};

} // namespace

BOOST_AUTO_TEST_CASE(a_connection_goes_to_the_place_it_came_from_and_only_once) {
    const BeastOptions options;
    Listener listener;
    http::Pool pool(options);
    auto connection = listener.connection();
    const http::Connection* const made = connection.get();
    pool.put("a:1", std::move(connection));
    BOOST_TEST(pool.size() == 1U);
    BOOST_TEST(!pool.take("a:2"));
    BOOST_TEST(pool.take("a:1").get() == made);
    BOOST_TEST(!pool.take("a:1"));
    BOOST_TEST(pool.size() == 0U);
}

BOOST_AUTO_TEST_CASE(the_one_used_last_is_taken_first) {
    const BeastOptions options;
    Listener listener;
    http::Pool pool(options);
    auto first = listener.connection();
    auto second = listener.connection();
    const http::Connection* const last = second.get();
    pool.put("a:1", std::move(first));
    pool.put("a:1", std::move(second));
    BOOST_TEST(pool.take("a:1").get() == last);
}

BOOST_AUTO_TEST_CASE(only_so_many_are_kept_for_one_peer_and_in_all) {
    BeastOptions options;
    options.max_idle_per_peer = 2;
    options.max_idle = 3;
    Listener listener;
    http::Pool pool(options);
    for (int count = 0; count < 5; ++count) {
        pool.put("a:1", listener.connection());
    }
    BOOST_TEST(pool.size() == 2U);
    pool.put("b:1", listener.connection());
    BOOST_TEST(pool.size() == 3U);
    pool.put("c:1", listener.connection());
    BOOST_TEST(pool.size() == 3U); // the oldest went, one of the first peer's
    BOOST_TEST(bool(pool.take("b:1")));
    BOOST_TEST(bool(pool.take("c:1")));
    BOOST_TEST(bool(pool.take("a:1")));
    BOOST_TEST(!pool.take("a:1"));
}

BOOST_AUTO_TEST_CASE(nothing_is_kept_where_none_may_be) {
    BeastOptions options;
    options.max_idle_per_peer = 0;
    Listener listener;
    http::Pool pool(options);
    pool.put("a:1", listener.connection());
    BOOST_TEST(pool.size() == 0U);
}

BOOST_AUTO_TEST_CASE(an_old_connection_is_not_used_again) {
    BeastOptions options;
    options.idle_age = Seconds{0};
    Listener listener;
    http::Pool pool(options);
    pool.put("a:1", listener.connection());
    BOOST_TEST(eventually([&] { return !pool.take("a:1"); }));
    BOOST_TEST(pool.size() == 0U);
}

BOOST_AUTO_TEST_CASE(a_connection_that_was_closed_by_the_other_side_is_passed_over) {
    const BeastOptions options;
    Listener quiet;
    http::Pool pool(options);
    pool.put("a:1", quiet.connection());
    auto dying = std::make_unique<http::Connection>();
    {
        Listener gone;
        BOOST_TEST_REQUIRE(!dying->connect(gone.acceptor.local_endpoint(), in(30), {}));
        Tcp::socket socket = gone.acceptor.accept();
    }
    BOOST_TEST(eventually([&] { return !dying->quiet(); }));
    pool.put("a:1", std::move(dying));
    BOOST_TEST(pool.size() == 2U);
    const auto taken = pool.take("a:1");
    BOOST_TEST_REQUIRE(bool(taken));
    BOOST_TEST(taken->quiet());
    BOOST_TEST(pool.size() == 0U);
}

BOOST_AUTO_TEST_CASE(without_a_replica_port_there_is_nothing_to_ask) {
    BeastOptions options;
    http::PortMemory none(options);
    BOOST_TEST(none.has_ours(device_at(6201)).value() == false);
    options.replica_port = 6201;
    http::PortMemory same(options);
    BOOST_TEST(!same.has_ours(device_at(6201))); // ours may be there in the place of a stock one
    BOOST_TEST(!same.has_ours(device_at(6202)));
}

BOOST_AUTO_TEST_CASE(who_listens_on_a_node_is_remembered_for_a_while) {
    BeastOptions options;
    options.replica_port = 6299;
    http::PortMemory ports(options);
    const Device device = device_at(6201, "10.0.0.1");
    for (const bool ours : {false, true}) {
        ports.note(device, ours);
        BOOST_TEST(ports.has_ours(device).value() == ours);
        BOOST_TEST(!ports.has_ours(device_at(6202, "10.0.0.1")));
        BOOST_TEST(!ports.has_ours(device_at(6201, "10.0.0.2")));
    }
    Device neighbour = device;
    neighbour.device = "sdb2";
    BOOST_TEST(ports.has_ours(neighbour).value()); // the node, not the device
    ports.forget(neighbour);
    BOOST_TEST(!ports.has_ours(device));
    options.replica_port_memory = Seconds{0};
    ports.note(device, true);
    BOOST_TEST(!ports.has_ours(device));
}

BOOST_AUTO_TEST_CASE(an_operator_sets_the_timeout_and_the_port) {
    Settings settings;
    settings.conn_timeout = Seconds{1.5};
    settings.replica_port = 6299;
    const BeastOptions options(settings, "account");
    BOOST_TEST(options.conn_timeout.count() == 1.5);
    BOOST_TEST(options.replica_port == 6299);
    BOOST_TEST(options.kind_type == "account");
    BOOST_TEST(BeastOptions(Settings{}, "account").conn_timeout.count() == 0.5);
    BOOST_TEST(BeastOptions(Settings{}, "account").replica_port == 0);
}
