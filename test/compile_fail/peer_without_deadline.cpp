// build error: 'peer\.send\(request, deadline, stop\)' (is|would be) invalid
#include <replica/transport.hpp>

// A request that nothing ends blocks a worker for ever.
struct Wire {
    replica::Device to;
    const replica::Device& device() const { return to; }
#ifdef FIXED
    replica::Result<replica::Reply> send(const replica::Request&, replica::Instant,
                                         std::stop_token) {
        return replica::Reply{};
    }
#else
    replica::Result<replica::Reply> send(const replica::Request&) { return replica::Reply{}; }
#endif
};

void ask(replica::Peer auto peer) {
    static_cast<void>(peer.send({}, {}, {}));
}

int main() {
    ask(Wire{});
}
