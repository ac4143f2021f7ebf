#include <replica/tool/progress.hpp>

#define BOOST_TEST_MODULE tool_progress
#include <replica/sim/clock.hpp>

#include <boost/test/unit_test.hpp>

#include <sstream>
#include <string>

namespace {

using namespace replica;
using tool::Progress;

struct Terminal {
    SimClock clock{};
    std::ostringstream out{};

    /// What has come since the last call.
    [[nodiscard]] std::string text() {
        const std::string all = out.str();
        out.str({});
        return all;
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(what_is_soon_done_shows_nothing) {
    Terminal terminal;
    {
        Progress progress(terminal.clock, terminal.out, true);
        progress.at(1, 4, "partitions");
        terminal.clock.advance(Seconds(1.9));
        progress.at(3, 4, "partitions");
    }
    BOOST_TEST(terminal.text().empty());
}

BOOST_AUTO_TEST_CASE(what_takes_longer_shows_how_far_it_is_and_how_long_it_will_take) {
    Terminal terminal;
    {
        Progress progress(terminal.clock, terminal.out, true);
        terminal.clock.advance(Seconds(3));
        progress.at(1, 4, "partitions", "12 databases");
        BOOST_TEST(terminal.text() == "\r1 of 4 partitions, 12 databases, about 9 s left\x1b[K");
        progress.at(2, 4, "partitions"); // at once: no
        BOOST_TEST(terminal.text().empty());
        terminal.clock.advance(Seconds(1));
        progress.at(2, 4, "partitions");
        BOOST_TEST(terminal.text() == "\r2 of 4 partitions, about 4 s left\x1b[K");
    }
    BOOST_TEST(terminal.text() == "\r\x1b[K");
}

BOOST_AUTO_TEST_CASE(before_the_first_part_is_done_nobody_can_say_how_long) {
    Terminal terminal;
    Progress progress(terminal.clock, terminal.out, true);
    terminal.clock.advance(Seconds(3));
    progress.at(0, 4, "partitions");
    BOOST_TEST(terminal.text() == "\r0 of 4 partitions\x1b[K");
}

BOOST_AUTO_TEST_CASE(without_a_terminal_nothing_is_shown) {
    Terminal terminal;
    {
        Progress progress(terminal.clock, terminal.out, false);
        terminal.clock.advance(Seconds(30));
        progress.at(1, 4, "partitions");
    }
    BOOST_TEST(terminal.text().empty());
}

BOOST_AUTO_TEST_CASE(the_line_makes_way_for_other_output_and_comes_again) {
    Terminal terminal;
    Progress progress(terminal.clock, terminal.out, true);
    terminal.clock.advance(Seconds(3));
    progress.at(1, 2, "partitions");
    static_cast<void>(terminal.text());
    progress.clear();
    BOOST_TEST(terminal.text() == "\r\x1b[K");
    progress.clear();
    BOOST_TEST(terminal.text().empty());
    terminal.clock.advance(Seconds(1));
    progress.at(1, 2, "partitions");
    BOOST_TEST(!terminal.text().empty());
}

BOOST_AUTO_TEST_CASE(times_are_rough) {
    BOOST_TEST(tool::rough(Seconds(0)) == "0 s");
    BOOST_TEST(tool::rough(Seconds(99.9)) == "99 s");
    BOOST_TEST(tool::rough(Seconds(100)) == "1 min");
    BOOST_TEST(tool::rough(Seconds(5999)) == "99 min");
    BOOST_TEST(tool::rough(Seconds(6000)) == "1 h");
}
