#include <replica/daemon/datagram.hpp>

#define BOOST_TEST_MODULE daemon_datagram
#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <support/daemon.hpp>

#include <set>
#include <string>

using replica::daemon::Datagram;

namespace {

std::set<int> open_descriptors() {
    std::set<int> open;
    for (int descriptor = 0; descriptor < 256; ++descriptor) {
        if (::fcntl(descriptor, F_GETFD) >= 0) {
            open.insert(descriptor);
        }
    }
    return open;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_message_arrives_whole_at_a_local_socket) {
    const support::Directory directory;
    const support::Listener listener{directory.path("log")};
    const auto socket = Datagram::to_path(directory.path("log"));
    BOOST_REQUIRE(socket.has_value());
    BOOST_TEST(socket->send("one"));
    BOOST_TEST(socket->send(std::string_view{"t\0o", 3}));
    BOOST_TEST(*listener.next() == "one");
    BOOST_TEST((*listener.next() == std::string_view{"t\0o", 3}));
}

BOOST_AUTO_TEST_CASE(a_message_arrives_by_udp) {
    const support::Listener listener;
    const auto by_address = Datagram::to_host("127.0.0.1", listener.port());
    BOOST_REQUIRE(by_address.has_value());
    BOOST_TEST(by_address->send("one"));
    BOOST_TEST(*listener.next() == "one");
    const auto by_name = Datagram::to_host("localhost", listener.port());
    BOOST_REQUIRE(by_name.has_value());
    BOOST_TEST(by_name->send("two"));
    BOOST_TEST(*listener.next() == "two");
}

BOOST_AUTO_TEST_CASE(an_address_that_leads_nowhere_gives_no_socket) {
    const support::Directory directory;
    BOOST_TEST(!Datagram::to_path("").has_value());
    BOOST_TEST(!Datagram::to_path(directory.path("absent")).has_value());
    BOOST_TEST(!Datagram::to_path(directory.file("plain", "")).has_value());
    BOOST_TEST(!Datagram::to_path("/" + std::string(200, 'x')).has_value());
    BOOST_TEST(!Datagram::to_host("no-such-host.invalid", 1).has_value());
    BOOST_TEST(!Datagram::to_host("::::", 1).has_value());
}

BOOST_AUTO_TEST_CASE(nobody_listening_is_no_exception) {
    const support::Directory directory;
    auto socket = [&] {
        const support::Listener listener{directory.path("log")};
        return Datagram::to_path(directory.path("log"));
    }();
    BOOST_REQUIRE(socket.has_value());
    BOOST_TEST(!socket->send("lost"));
    BOOST_TEST(!socket->send("lost", true));
}

BOOST_AUTO_TEST_CASE(a_full_queue_is_waited_for_only_when_asked) {
    const support::Directory directory;
    const support::Listener listener{directory.path("log")};
    const auto socket = Datagram::to_path(directory.path("log"));
    BOOST_REQUIRE(socket.has_value());
    const std::string message(1000, 'x');
    int sent = 0;
    while (socket->send(message)) {
        ++sent;
        BOOST_REQUIRE(sent < 1'000'000);
    }
    BOOST_TEST(!socket->send(message, true)); // comes back although nobody reads
    BOOST_TEST(listener.next()->size() == message.size());
    BOOST_TEST(socket->send(message));
}

BOOST_AUTO_TEST_CASE(no_descriptor_is_left_open_and_none_is_inherited) {
    const support::Directory directory;
    const support::Listener listener{directory.path("log")};
    const auto before = open_descriptors();
    {
        auto first = Datagram::to_path(directory.path("log"));
        auto second = Datagram::to_host("127.0.0.1", 9);
        auto moved = std::move(*first);
        first = std::move(second);
        BOOST_TEST(moved.send("x"));
        for (const int descriptor : open_descriptors()) {
            if (!before.contains(descriptor)) {
                BOOST_TEST((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
            }
        }
        (void)Datagram::to_path(directory.path("absent"));
    }
    BOOST_TEST((open_descriptors() == before));
}
