#include <replica/beast/transport.hpp>

#define BOOST_TEST_MODULE beast_transport
#include "laws/transport.hpp"
#include <replica/beast/server.hpp>

#include <boost/test/unit_test.hpp>

#include <list>
using namespace replica;
namespace {
Device device_at(std::uint16_t port, std::string ip = "127.0.0.1") {
    Device device;
    device.device = "sdb1";
    device.replication_ip = std::move(ip);
    device.replication_port = port;
    return device;
}
struct SocketFixture {
    BeastTransport& transport() { return beast; }
    Device serve(laws::Serve handler) {
        ServerOptions options;
        options.ip = "127.0.0.1";
        servers.emplace_back(options, std::move(handler));
        return device_at(servers.back().port());
    }
    Device silent() {
        listeners.emplace_back(
            io, boost::asio::ip::tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0));
        return device_at(listeners.back().local_endpoint().port());
    }
    Device nobody() {
        boost::asio::ip::tcp::socket& bound = closed.emplace_back(io);
        bound.open(boost::asio::ip::tcp::v4());
        bound.bind({boost::asio::ip::make_address("127.0.0.1"), 0});
        return device_at(bound.local_endpoint().port());
    }
    Instant now() { return SystemClock().monotonic(); }
    void run(const std::function<void()>& body) { body(); }
    void stop_after(std::stop_source source, Seconds delay) {
        stoppers.emplace_back([source, delay]() mutable {
            SystemClock().sleep_until(SystemClock().monotonic() + to_duration(delay), {});
            source.request_stop();
        });
    }
    BeastTransport beast;
    boost::asio::io_context io;
    std::list<BeastServer> servers;
    std::list<boost::asio::ip::tcp::acceptor> listeners;
    std::list<boost::asio::ip::tcp::socket> closed;
    std::list<std::jthread> stoppers;
};
} // namespace
BOOST_AUTO_TEST_CASE(sockets_obey_the_laws) {
    SocketFixture fixture;
    laws::transport(fixture);
}
