#include <replica/beast/ring_addresses.hpp>

#define BOOST_TEST_MODULE beast_ring_addresses
#include <boost/test/unit_test.hpp>

#include <support/loopback.hpp>
#include <support/table_ring.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using loopback::eventually;

namespace {

boost::asio::ip::address address(const std::string& text) {
    return boost::asio::ip::make_address(text);
}

Device device(std::string ip, std::string replication_ip) {
    Device made;
    made.ip = std::move(ip);
    made.replication_ip = std::move(replication_ip);
    return made;
}

/// A ring that a test changes while others read it.
class ChangingRing {
public:
    explicit ChangingRing(std::vector<Device> devices)
        : state_(std::make_shared<State>(std::move(devices))) {}

    [[nodiscard]] test::TableRing version() const {
        const std::lock_guard lock(state_->mutex);
        return {state_->devices, 1, 0};
    }

    void set(std::vector<Device> devices) const {
        const std::lock_guard lock(state_->mutex);
        state_->devices = std::move(devices);
    }

private:
    struct State {
        explicit State(std::vector<Device> given) : devices(std::move(given)) {}
        std::mutex mutex;
        std::vector<Device> devices;
    };

    std::shared_ptr<State> state_;
};

/// A name server that a test tells what to answer.
struct NameServer {
    void set(const std::string& host, std::vector<std::string> addresses) {
        const std::lock_guard lock(mutex);
        table[host] = std::move(addresses);
    }

    std::mutex mutex;
    std::map<std::string, std::vector<std::string>> table;
    std::atomic<int> asked = 0;
    std::atomic<bool> silent = false; ///< Answers nobody.
};

struct Asking {
    explicit Asking(NameServer& given) : server(given) {}

    boost::system::result<http::Lookup::Addresses> find(const std::string& host, Instant deadline,
                                                        const std::stop_token& stop) {
        ++server.asked;
        if (server.silent) {
            SystemClock().sleep_until(deadline, stop);
            return make_error_code(Error::timed_out);
        }
        const std::lock_guard lock(server.mutex);
        http::Lookup::Addresses found;
        for (const std::string& text : server.table[host]) {
            found.push_back(address(text));
        }
        if (found.empty()) {
            return make_error_code(Error::missing);
        }
        return found;
    }

    NameServer& server;
};

using Book = RingAddresses<ChangingRing, Asking>;
constexpr Seconds soon{0.01};
constexpr Seconds never{86400};

static_assert(Names<http::Lookup>);
static_assert(!Names<ChangingRing>);

} // namespace

BOOST_AUTO_TEST_CASE(both_addresses_of_a_device_are_known_and_those_beside_them_are_not) {
    NameServer names;
    const ChangingRing ring({device("10.0.0.1", "10.1.0.1"), device("2001:db8::2", "2001:db8::2")});
    const Book book(ring, never, names);
    for (const char* known : {"10.0.0.1", "10.1.0.1", "2001:db8::2", "2001:db8:0:0::2"}) {
        BOOST_TEST(book.contains(address(known)), known);
    }
    for (const char* unknown : {"10.0.0.2", "10.1.0.2", "2001:db8::3", "0.0.0.0", "::"}) {
        BOOST_TEST(!book.contains(address(unknown)), unknown);
    }
    BOOST_TEST(names.asked == 0); // nobody is asked about an address
}

BOOST_AUTO_TEST_CASE(an_address_is_known_however_it_is_written_here_or_there) {
    NameServer names;
    names.set("node-3", {"::ffff:10.0.0.3"});
    const ChangingRing ring({device("::ffff:10.0.0.1", "fe80::1"), device("10.0.0.2", "node-3")});
    const Book book(ring, never, names);
    for (const char* known : {"10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2", "::ffff:10.0.0.2",
                              "10.0.0.3", "fe80::1", "fe80::1%1"}) {
        BOOST_TEST(book.contains(address(known)), known);
    }
}

BOOST_AUTO_TEST_CASE(this_node_is_known_whatever_the_ring_says) {
    NameServer names;
    const Book book(ChangingRing({}), never, names);
    BOOST_TEST(book.contains(address("127.0.0.1")));
    BOOST_TEST(!book.contains(address("127.0.0.2"))); // of no interface
}

BOOST_AUTO_TEST_CASE(a_host_name_stands_for_all_of_its_addresses) {
    NameServer names;
    names.set("node-1", {"10.0.0.1", "2001:db8::1"});
    const Book book(ChangingRing({device("node-1", "node-1"), device("node-2", "")}), never, names);
    BOOST_TEST(book.contains(address("10.0.0.1")));
    BOOST_TEST(book.contains(address("2001:db8::1")));
    BOOST_TEST(!book.contains(address("10.0.0.2")));
    const RingAddresses<ChangingRing> real(ChangingRing({device("localhost", "localhost")}), never);
    BOOST_TEST(real.contains(address("127.0.0.1")));
}

BOOST_AUTO_TEST_CASE(a_change_of_the_ring_is_followed) {
    NameServer names;
    const ChangingRing ring({device("10.0.0.1", "10.0.0.1"), device("10.0.0.2", "10.0.0.2")});
    const Book book(ring, soon, names);
    BOOST_TEST(book.contains(address("10.0.0.2")));
    ring.set({device("10.0.0.1", "10.0.0.1"), device("10.0.0.3", "10.0.0.3")});
    BOOST_TEST(eventually([&] { return book.contains(address("10.0.0.3")); }));
    BOOST_TEST(!book.contains(address("10.0.0.2")));
    BOOST_TEST(book.contains(address("10.0.0.1")));
}

BOOST_AUTO_TEST_CASE(a_change_of_a_name_is_followed_and_a_name_that_fails_keeps_what_it_had) {
    NameServer names;
    names.set("node-1", {"10.0.0.1"});
    const ChangingRing ring({device("node-1", "node-1")});
    const Book book(ring, soon, names);
    BOOST_TEST(book.contains(address("10.0.0.1")));
    names.set("node-1", {"10.0.0.2"});
    BOOST_TEST(eventually([&] { return book.contains(address("10.0.0.2")); }));
    BOOST_TEST(!book.contains(address("10.0.0.1")));
    names.set("node-1", {}); // the name server has lost it
    const int before = names.asked;
    BOOST_TEST(eventually([&] { return names.asked >= before + 3; }));
    BOOST_TEST(book.contains(address("10.0.0.2")));
    ring.set({}); // but the ring has not
    BOOST_TEST(eventually([&] { return !book.contains(address("10.0.0.2")); }));
}

BOOST_AUTO_TEST_CASE(a_name_server_that_is_silent_holds_up_no_address_and_no_end) {
    NameServer names;
    names.silent = true;
    const Instant began = SystemClock().monotonic();
    {
        const ChangingRing ring({device("node-1", "node-2"), device("10.0.0.3", "node-3")});
        const Book book(ring, soon, names);
        BOOST_TEST(book.contains(address("10.0.0.3")));
        names.set("node-2", {"10.0.0.2"});
        names.silent = false; // the thread may wait for another name still
        BOOST_TEST(eventually([&] { return book.contains(address("10.0.0.2")); }));
        names.silent = true;
    }
    BOOST_TEST((SystemClock().monotonic() - began < to_duration(Seconds{14})));
}
