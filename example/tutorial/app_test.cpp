// A test of one's own application on simulated policies: what it promises must hold although a
// request is lost and the power fails. It takes milliseconds, and is the same every time.

#include "nodes.hpp"

#include <iostream>

using namespace replica;
using tutorial::Node;
using tutorial::Note;

// The application: whoever likes a note gives it a star.
void like(Node& node, const std::string& id) {
    auto book = node.book();
    Note note = book.get(id).value_or(Note{id, "", 0});
    ++note.stars;
    book.put(note);
}

std::int64_t stars(Node& node) {
    const auto note = node.book().get("milk");
    return note ? note->stars : 0;
}

int failures = 0;

void require(bool holds, const char* what) {
    std::cout << (holds ? "holds: " : "FAILS: ") << what << '\n';
    failures += holds ? 0 : 1;
}

int main() {
    const tutorial::World world;
    Node one(world, 1);
    Node other(world, 2);
    const tutorial::EveryDevice ring{{one.device, other.device}};
    like(one, "milk");
    like(one, "milk");

    world.network.down("10.0.0.2", 6201);
    one.pass(ring, one.transport());
    require(stars(one) == 2, "a star is there although no other node is");

    one.disk.crash(); // what was not synced is gone
    require(stars(one) == 2, "a star is there after the power has failed");

    world.network.up("10.0.0.2", 6201);
    world.network.fail(SimLink{}, SimFault::lose_reply); // the first answer is lost
    for (int pass = 0; pass < 2; ++pass) {
        world.clock.advance(Seconds(600)); // for a peer that has failed is left alone for a while
        one.pass(ring, one.transport());
    }
    require(stars(other) == 2, "both nodes have the stars in the end");
    return failures;
}
