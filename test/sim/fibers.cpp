#include "fibers.hpp"

#define BOOST_TEST_MODULE sim_fibers
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <memory>
#include <string>

using namespace replica;
using test::Fibers;
using test::Life;

namespace {

struct World {
    explicit World(std::uint64_t seed = 1, std::uint64_t patience = 1)
        : fibers(clock, seed, Seconds(0.001), patience) {}

    [[nodiscard]] static Fibers::Owner program(const std::string& name) {
        return std::make_shared<Life>(Life{name});
    }

    void run() {
        fibers.run([] { return false; });
    }

    SimClock clock;
    Fibers fibers;
};

/// Who goes on, in order, when two programs make five calls each.
std::string order(std::uint64_t seed) {
    World world(seed);
    std::string text;
    for (const char* const name : {"a", "b"}) {
        world.fibers.spawn(World::program(name), [&world, &text, name] {
            for (int i = 0; i < 5; ++i) {
                world.fibers.point(name);
                text += name;
            }
        });
    }
    world.run();
    return text + ' ' + std::to_string(world.fibers.digest());
}

} // namespace

BOOST_AUTO_TEST_CASE(the_seed_says_who_goes_on) {
    BOOST_TEST(order(1) == order(1));
    BOOST_TEST(order(1) != order(2));
    BOOST_TEST(order(1).find("ba") != std::string::npos);
    BOOST_TEST(order(1).find("ab") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(time_passes_for_all_while_one_sleeps) {
    World world;
    Instant woken;
    int calls = 0;
    world.fibers.spawn(World::program("sleeper"), [&] {
        world.clock.advance(Seconds(1));
        woken = world.clock.monotonic();
    });
    world.fibers.spawn(World::program("worker"), [&] {
        for (; calls < 100; ++calls) {
            world.fibers.point("call");
        }
    });
    const Instant began = world.clock.monotonic();
    world.run();
    BOOST_TEST(calls == 100);
    BOOST_TEST((woken - began >= std::chrono::seconds(1)));
    BOOST_TEST((woken - began < std::chrono::seconds(2)));
}

BOOST_AUTO_TEST_CASE(each_call_of_an_ended_program_fails_and_its_fibers_end_at_once) {
    World world;
    const auto owner = World::program("victim");
    std::string text;
    world.fibers.spawn(owner, [&] {
        try {
            for (int i = 0; i < 1000; ++i) {
                world.fibers.point("call");
            }
        } catch (const Failure& failure) {
            text += failure.what();
        }
        world.clock.advance(Seconds(1e9)); // nobody sleeps in a program that has ended
        text += ", done";
    });
    world.fibers.spawn(World::program("killer"), [&] {
        world.clock.advance(Seconds(0.01));
        world.fibers.end(owner);
        text += ", killed";
    });
    world.run();
    BOOST_TEST(text == "victim: its process has ended, done, killed");
    BOOST_TEST((world.clock.monotonic() < Instant(std::chrono::hours(2))));
}

BOOST_AUTO_TEST_CASE(exceptions_that_are_being_handled_stay_with_their_fiber) {
    World world;
    std::string text;
    for (const char* const name : {"a", "b", "c"}) {
        world.fibers.spawn(World::program(name), [&world, &text, name] {
            for (int i = 0; i < 20; ++i) {
                try {
                    throw Failure(Error::io, name);
                } catch (const Failure& failure) {
                    world.fibers.point(name); // another fiber throws and handles meanwhile
                    text += failure.what() == std::string(name) ? "" : "wrong";
                    try {
                        throw;
                    } catch (const Failure& again) {
                        text += again.what() == std::string(name) ? "" : "wrong";
                    }
                }
            }
        });
    }
    world.run();
    BOOST_TEST(text.empty());
    BOOST_TEST(std::uncaught_exceptions() == 0);
}

BOOST_AUTO_TEST_CASE(a_wait_ends_with_its_flag_or_its_time) {
    World world;
    bool flag = false;
    bool first = false;
    bool second = true;
    world.fibers.spawn(World::program("waits"), [&] {
        first = world.fibers.await(flag, world.clock.monotonic() + std::chrono::hours(1));
        bool never = false;
        second = world.fibers.await(never, world.clock.monotonic() + std::chrono::seconds(1));
    });
    world.fibers.spawn(World::program("answers"), [&] {
        world.clock.advance(Seconds(5));
        flag = true;
    });
    world.run();
    BOOST_TEST(first);
    BOOST_TEST(!second);
    BOOST_TEST((world.clock.monotonic() < Instant(std::chrono::minutes(61))));
}

BOOST_AUTO_TEST_CASE(what_a_fiber_throws_ends_the_run) {
    World world;
    world.fibers.spawn(World::program("fails"), [] { throw std::logic_error("broken"); });
    BOOST_CHECK_THROW(world.run(), std::logic_error);
}

BOOST_AUTO_TEST_CASE(a_run_without_an_end_is_ended) {
    World world;
    world.fibers.spawn(World::program("endless"), [&] {
        while (world.fibers.running() != nullptr && world.fibers.steps() < 10'000) {
            world.fibers.point("call");
        }
    });
    BOOST_CHECK_THROW(world.fibers.run([] { return false; }, 1000), std::runtime_error);
}
