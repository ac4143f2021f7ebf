// An observer that draws progress. It hears of everything that happens in a pass; what it has no
// function for costs nothing.

#include "nodes.hpp"

#include <iostream>

using namespace replica;
using tutorial::Node;

// An observer is copied, so what it counts is behind a pointer.
struct Progress {
    struct Seen {
        std::size_t databases = 0;
        int ended = 0;
    };
    std::size_t expected;
    Seen* seen;

    void operator()(const event::DatabaseBegan& /*event*/) const {
        const std::size_t done = 30 * ++seen->databases / expected;
        std::cout << '\r' << '[' << std::string(done, '#') << std::string(30 - done, '.') << "] "
                  << seen->databases << '/' << expected << std::flush;
    }
    void operator()(const event::PassEnded& event) const {
        std::cout << '\n'
                  << event.stats.rsync << " databases sent, " << event.stats.failure
                  << " failures\n";
        ++seen->ended;
    }
    void operator()(const auto& /*event*/) const {}
};
static_assert(Observer<Progress>);

int main() {
    const tutorial::World world;
    Node one(world, 1);
    Node other(world, 2);
    const tutorial::EveryDevice ring{{one.device, other.device}};
    constexpr std::size_t books = 40;
    for (std::size_t number = 0; number < books; ++number) {
        one.book("book " + std::to_string(number)).put({"first", "a note", 1});
    }
    Progress::Seen seen;
    one.pass(ring, one.transport(), Progress{books, &seen});
    return seen.databases == books && seen.ended == 1 && other.book("book 7").get("first") ? 0 : 1;
}
