// build error: 'transport\.peer\(device\)' (is|would be) invalid
#include <replica/transport.hpp>

struct To {
    replica::Device to;
    const replica::Device& device() const { return to; }
    replica::Result<replica::Reply> send(const replica::Request&, replica::Instant,
                                         std::stop_token) {
        return replica::Reply{};
    }
};

struct Wires {
#ifdef FIXED
    To peer(const replica::Device& device) { return {device}; }
#else
    To connect(const replica::Device& device) { return {device}; }
#endif
};

void ask(replica::Transport auto transport) {
    static_cast<void>(transport.peer({}).device());
}

int main() {
    ask(Wires{});
}
