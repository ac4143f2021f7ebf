#include <replica/observer.hpp>

#define BOOST_TEST_MODULE observer
#include <boost/test/unit_test.hpp>

#include <string>
#include <type_traits>

using namespace replica;

namespace {

struct Counts {
    int passes = 0;
    int others = 0;
    void operator()(const event::PassBegan& /*event*/) { ++passes; }
    template <class Event>
    void operator()(const Event& /*event*/) {
        ++others;
    }
};

/// Hears of passes only: it must say what to do with the rest.
struct Partial {
    void operator()(const event::PassBegan& /*event*/) {}
};

/// Embeds an observer as the replicator does.
struct Holder {
    [[no_unique_address]] Silent observer;
    char byte = 0;
};

} // namespace

static_assert(Observer<Silent>);
static_assert(Observer<Counts>);
static_assert(!Observer<Partial>);
static_assert(!Observer<int>);
static_assert(std::is_empty_v<Silent>);
static_assert(sizeof(Holder) == 1);

BOOST_AUTO_TEST_CASE(the_default_hears_everything_and_does_nothing) {
    const std::string text = "text";
    constexpr Silent silent;
    static_assert(noexcept(silent(event::PassBegan{})));
    silent(event::PassFailed{text});
    silent(event::OrphanPending{text});
    BOOST_TEST(text == "text");
}

BOOST_AUTO_TEST_CASE(an_observer_may_pick_some_events_and_catch_the_rest) {
    Counts counts;
    const std::string text = "text";
    const Device device;
    counts(event::PassBegan{});
    counts(event::Diverged{text, device});
    counts(event::NoMoreHandoffs{7});
    BOOST_TEST(counts.passes == 1);
    BOOST_TEST(counts.others == 2);
}
