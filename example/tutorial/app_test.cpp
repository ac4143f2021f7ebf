// A test of one's own application on simulated policies: what it promises must hold although a
// request is lost and the power fails. It takes milliseconds, and is the same every time.

#include <replica/ring/full_ring.hpp>
#include <replica/sim/machine.hpp>

#include <iostream>

using namespace replica;

struct Note { // the first member is the key
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (std::string, text), (std::int64_t, stars));
};
using Node = SimMachine<Note>;

// The application: whoever likes a note gives it a star. `book` is an open store, here a simulated
// one, and one of RecordBroker<Note> in the program itself.
void like(auto&& book, const std::string& id) {
    Note note = book.get(id).value_or(Note{id, "", 0});
    ++note.stars;
    book.put(note);
}

std::int64_t stars(Node& node) {
    const auto note = node.open("mine").get("milk");
    return note ? note->stars : 0;
}

int failures = 0;

void require(bool holds, const char* what) {
    std::cout << (holds ? "holds: " : "FAILS: ") << what << '\n';
    failures += holds ? 0 : 1;
}

int main() {
    const SimWorld world;
    Node one(world, 1);
    Node other(world, 2);
    const FullRing ring({one.device, other.device});
    like(one.open("mine"), "milk");
    like(one.open("mine"), "milk");

    other.switch_off();
    one.pass(ring);
    require(stars(one) == 2, "a star is there although no other node is");

    one.disk.crash(); // what was not synced is gone
    require(stars(one) == 2, "a star is there after the power has failed");

    other.switch_on();
    world.network.fail(SimLink{}, SimFault::lose_reply); // the first answer is lost
    for (int pass = 0; pass < 2; ++pass) {
        world.clock.advance(Seconds(600)); // for a peer that has failed is left alone for a while
        one.pass(ring);
    }
    require(stars(other) == 2, "both nodes have the stars in the end");
    return failures;
}
