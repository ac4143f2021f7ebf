#include <replica/transport.hpp>

#define BOOST_TEST_MODULE transport
#include <boost/test/unit_test.hpp>

#include <laws/transport.hpp>

#include <list>
#include <map>
#include <thread>

using namespace replica;

namespace {

// The smallest model: a call. It shows what the laws ask of a transport without any wire.
class CallTransport {
public:
    class CallPeer {
    public:
        CallPeer(CallTransport& transport, const Device& device)
            : transport_(&transport), device_(device) {}

        [[nodiscard]] const Device& device() const { return device_; }

        Result<Reply> send(const Request& request, Instant deadline, std::stop_token stop) {
            if (stop.stop_requested()) {
                return Fault{Error::stopped, device_.device + ": stopped"};
            }
            const auto found = transport_->handlers.find(device_.device);
            if (found == transport_->handlers.end()) {
                return Fault{Error::connect_failed, device_.device + ": nobody"};
            }
            if (!found->second || SystemClock().monotonic() >= deadline) {
                const bool ran = SystemClock().sleep_until(deadline, stop);
                return Fault{ran ? Error::timed_out : Error::stopped, device_.device + ": silent"};
            }
            return found->second(request);
        }

    private:
        CallTransport* transport_;
        Device device_;
    };

    CallPeer peer(const Device& device) { return {*this, device}; }

    std::map<std::string, laws::Serve> handlers; // an empty handler never answers
};

struct CallFixture {
    CallTransport& transport() { return calls; }

    Device serve(laws::Serve handler) { return add(std::move(handler)); }
    Device silent() { return add({}); }

    Device nobody() {
        Device device;
        device.device = "nobody";
        return device;
    }

    Instant now() { return SystemClock().monotonic(); }
    void run(const std::function<void()>& body) { body(); }

    void stop_after(std::stop_source source, Seconds delay) {
        stoppers.emplace_back([source, delay]() mutable {
            SystemClock().sleep_until(SystemClock().monotonic() + to_duration(delay), {});
            source.request_stop();
        });
    }

    CallTransport calls;
    std::list<std::jthread> stoppers;

private:
    Device add(laws::Serve handler) {
        Device device;
        device.device = "sdb" + std::to_string(calls.handlers.size());
        calls.handlers[device.device] = std::move(handler);
        return device;
    }
};

static_assert(Peer<CallTransport::CallPeer>);
static_assert(Transport<CallTransport>);
static_assert(std::same_as<peer_type_of<CallTransport>, CallTransport::CallPeer>);
static_assert(laws::TransportFixture<CallFixture>);

// Near misses: each lacks one thing that the concept asks for.
struct PeerThatCannotMove {
    PeerThatCannotMove(PeerThatCannotMove&&) = delete;
    const Device& device();
    Result<Reply> send(const Request&, Instant, std::stop_token);
};
struct PeerWithoutDevice {
    Result<Reply> send(const Request&, Instant, std::stop_token);
};
struct PeerWithoutDeadline {
    const Device& device();
    Result<Reply> send(const Request&, std::stop_token);
};
struct PeerThatCannotBeStopped {
    const Device& device();
    Result<Reply> send(const Request&, Instant);
};
struct PeerThatReturnsABareReply {
    const Device& device();
    Reply send(const Request&, Instant, std::stop_token);
};
static_assert(!Peer<PeerThatCannotMove>);
static_assert(!Peer<PeerWithoutDevice>);
static_assert(!Peer<PeerWithoutDeadline>);
static_assert(!Peer<PeerThatCannotBeStopped>);
static_assert(!Peer<PeerThatReturnsABareReply>);

struct TransportOfAddresses {
    CallTransport::CallPeer peer(const std::string&);
};
struct TransportOfNoPeers {
    int peer(const Device&);
};
static_assert(!Transport<TransportOfAddresses>);
static_assert(!Transport<TransportOfNoPeers>);
static_assert(!Transport<int>);

} // namespace

BOOST_AUTO_TEST_CASE(a_plain_call_obeys_the_laws) {
    CallFixture fixture;
    laws::transport(fixture);
}

BOOST_AUTO_TEST_CASE(a_reply_is_a_success_from_200_to_299) {
    for (const int status : {200, 202, 204, 299}) {
        BOOST_TEST((Reply{status, {}, {}, {}}.success()), status);
    }
    for (const int status : {0, 100, 199, 300, 404, 507}) {
        BOOST_TEST(!(Reply{status, {}, {}, {}}.success()), status);
    }
}

BOOST_AUTO_TEST_CASE(a_request_may_be_repeated_unless_somebody_says_no) {
    BOOST_TEST(Request{}.repeatable);
}
