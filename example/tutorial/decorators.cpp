// Decorators: a transport that fails on purpose, at most ten requests a second, and a look at each
// request. Each decorator takes a transport and is one.

#include <replica/decorators.hpp>
#include <replica/ring/full_ring.hpp>
#include <replica/sim/machine.hpp>

#include <iostream>

using namespace replica;

struct Note { // the first member is the key
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (std::string, text), (std::int64_t, stars));
};
using Node = SimMachine<Note>;

// What looks is copied and assigned, so what it counts is behind a pointer.
struct Look {
    int* failed;
    void operator()(const Device& to, const Request& request, const Result<Reply>& reply) const {
        std::cout << request.body.substr(0, 9) << "... to " << to.replication_ip << ": "
                  << (reply ? std::to_string(reply->status) : reply.error().what) << '\n';
        *failed += reply ? 0 : 1;
    }
};

int main() {
    const SimWorld world;
    Node one(world, 1);
    Node other(world, 2);
    const FullRing ring({one.device, other.device});
    one.open("mine").put({"milk", "buy milk", 1});
    other.open("mine").put({"ann", "call Ann", 2});

    int failed = 0;
    const Faulty faulty(one.transport(), Failing{.at = 1}); // the first request
    const Paced paced(faulty, world.clock, 10.0);
    const Traced traced(paced, Look{&failed});
    for (int pass = 0; pass < 2; ++pass) {
        one.pass(ring, traced);
        world.clock.advance(Seconds(600)); // for a peer that has failed is left alone for a while
    }
    std::cout << faulty.calls() << " requests, of which " << failed << " failed\n";
    return other.open("mine").list().size() == 2 && failed == 1 ? 0 : 1;
}
