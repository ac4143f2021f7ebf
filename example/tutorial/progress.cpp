// An observer that draws progress. It hears of everything that happens in a pass; what it has no
// function for costs nothing.

#include <replica/ring/full_ring.hpp>
#include <replica/sim/machine.hpp>

#include <iostream>

using namespace replica;

struct Note { // the first member is the key
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (std::string, text), (std::int64_t, stars));
};
using Node = SimMachine<Note>;

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
    const SimWorld world;
    Node one(world, 1);
    Node other(world, 2);
    const FullRing ring({one.device, other.device});
    constexpr std::size_t books = 40;
    for (std::size_t number = 0; number < books; ++number) {
        one.open("book " + std::to_string(number)).put({"first", "a note", 1});
    }
    Progress::Seen seen;
    one.pass(ring, Progress{books, &seen});
    return seen.databases == books && seen.ended == 1 && other.open("book 7").get("first") ? 0 : 1;
}
