#include <replica/daemon/log.hpp>

#define BOOST_TEST_MODULE daemon_log
#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <support/daemon.hpp>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace replica;
using namespace replica::daemon;

namespace {

DaemonSettings settings_for(const std::string& address) {
    DaemonSettings settings;
    settings.log_name = "container-replicator";
    settings.log_address = address;
    settings.log_level = "DEBUG";
    return settings;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_line_has_the_form_of_swift) {
    BOOST_TEST(log_line("container-replicator", "Removed 1 dbs", 0) ==
               "container-replicator: Removed 1 dbs");
    BOOST_TEST(log_line("a", "one\ntwo\n", 0) == "a: one#012two#012");
    BOOST_TEST(log_line("", "", 0) == ": ");
}

BOOST_AUTO_TEST_CASE(a_long_line_loses_its_middle) {
    // Expectations of Swift's own formatter.
    BOOST_TEST(log_line("n", "0123456789", 0) == "n: 0123456789");
    BOOST_TEST(log_line("n", "0123456789", 13) == "n: 0123456789");
    BOOST_TEST(log_line("n", "0123456789", 12) == "n:  ... 789");
    BOOST_TEST(log_line("n", "0123456789", 7) == "n ... 9");
    BOOST_TEST(log_line("n", "0123456789", 6) == "n: 012");
    BOOST_TEST(log_line("n", "0123456789", 1) == "n");
}

BOOST_AUTO_TEST_CASE(lines_reach_the_local_socket_with_facility_and_level) {
    const support::Directory directory;
    const support::Listener listener{directory.path("log")};
    const Log log{settings_for(directory.path("log")), false};
    struct Case {
        Level level;
        int priority;
    };
    for (const auto& [level, priority] : std::vector<Case>{{Level::debug, 7},
                                                           {Level::info, 6},
                                                           {Level::notice, 5},
                                                           {Level::warning, 4},
                                                           {Level::error, 3},
                                                           {Level::critical, 2}}) {
        log(level, "Starting {}", 42);
        const auto expected =
            "<" + std::to_string(16 * 8 + priority) + ">container-replicator: Starting 42";
        BOOST_TEST(*listener.next() == expected);
    }
}

BOOST_AUTO_TEST_CASE(the_facility_is_as_configured) {
    const support::Directory directory;
    const support::Listener listener{directory.path("log")};
    auto settings = settings_for(directory.path("log"));
    settings.log_facility = "LOG_LOCAL3";
    Log{settings, false}(Level::info, "x");
    BOOST_TEST(listener.next()->starts_with("<158>"));
    settings.log_facility = "LOG_DAEMON";
    Log{settings, false}(Level::info, "x");
    BOOST_TEST(listener.next()->starts_with("<30>"));
    settings.log_facility = "LOG_UNHEARD_OF"; // LOG_LOCAL0, as in Swift
    Log{settings, false}(Level::info, "x");
    BOOST_TEST(listener.next()->starts_with("<134>"));
}

BOOST_AUTO_TEST_CASE(lines_below_the_level_go_nowhere) {
    const support::Directory directory;
    const support::Listener listener{directory.path("log")};
    struct Case {
        std::string level;
        Level least;
    };
    for (const auto& [name, least] : std::vector<Case>{{"DEBUG", Level::debug},
                                                       {"info", Level::info},
                                                       {"NOTICE", Level::notice},
                                                       {"warn", Level::warning},
                                                       {"WARNING", Level::warning},
                                                       {"ERROR", Level::error},
                                                       {"CRITICAL", Level::critical},
                                                       {"LOUD", Level::info}}) {
        auto settings = settings_for(directory.path("log"));
        settings.log_level = name;
        const Log log{settings, false};
        for (const auto level : {Level::debug, Level::info, Level::notice, Level::warning,
                                 Level::error, Level::critical}) {
            log(level, "x");
            BOOST_TEST(log.shows(level) == (level >= least));
            BOOST_TEST(listener.next(0).has_value() == (level >= least), name);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_remote_host_takes_the_place_of_the_local_socket) {
    const support::Directory directory;
    const support::Listener local{directory.path("log")};
    const support::Listener remote;
    auto settings = settings_for(directory.path("log"));
    settings.log_udp_host = "127.0.0.1";
    settings.log_udp_port = remote.port();
    Log{settings, false}(Level::info, "hello");
    BOOST_TEST(*remote.next() == "<134>container-replicator: hello");
    BOOST_TEST(!local.next(0).has_value());
}

BOOST_AUTO_TEST_CASE(without_syslog_the_daemon_runs_all_the_same) {
    const Log log{settings_for("/nonexistent/log"), false};
    log(Level::error, "to whom it may concern");
    BOOST_TEST(log.shows(Level::error));
}

BOOST_AUTO_TEST_CASE(a_restarted_syslogd_is_found_again) {
    const support::Directory directory;
    const auto path = directory.path("log");
    std::optional<support::Listener> listener{std::in_place, path};
    const Log log{settings_for(path), false};
    log(Level::info, "before");
    BOOST_TEST(listener->next()->ends_with("before"));
    listener.reset();
    std::filesystem::remove(path);
    listener.emplace(path);
    log(Level::info, "after");
    BOOST_TEST(listener->next()->ends_with("after"));
}

BOOST_AUTO_TEST_CASE(a_stuck_syslogd_costs_lines_and_not_the_work) {
    const support::Directory directory;
    const support::Listener listener{directory.path("log")};
    const Log log{settings_for(directory.path("log")), false};
    for (int line = 0; line < 5000; ++line) {
        log(Level::info, "line {}", line); // far more than its queue holds
    }
    std::size_t arrived = 0;
    while (listener.next(0)) {
        ++arrived;
    }
    BOOST_TEST(arrived > 0u);
    BOOST_TEST(arrived < 5000u);
    log(Level::info, "again");
    const auto note = *listener.next();
    BOOST_TEST(note == "<132>container-replicator: " + std::to_string(5000 - arrived) +
                           " log lines were dropped");
    BOOST_TEST(listener.next()->ends_with("again"));
}

BOOST_AUTO_TEST_CASE(the_console_gets_the_same_lines) {
    int pipe[2];
    BOOST_REQUIRE(::pipe2(pipe, O_NONBLOCK) == 0);
    {
        const Log log{std::make_shared<spdlog::logger>("container-replicator",
                                                       std::make_shared<ConsoleSink>(0, pipe[1]))};
        log(Level::warning, "two\nlines");
    }
    ::close(pipe[1]);
    char buffer[256];
    const auto size = ::read(pipe[0], buffer, sizeof buffer);
    BOOST_REQUIRE(size > 0);
    BOOST_TEST(std::string(buffer, static_cast<std::size_t>(size)) ==
               "container-replicator: two#012lines\n");
    ::close(pipe[0]);
}

BOOST_AUTO_TEST_CASE(threads_do_not_tear_each_others_lines) {
    const support::Directory directory;
    const support::Listener listener{directory.path("log")};
    const Log log{settings_for(directory.path("log")), false};
    {
        std::vector<std::jthread> writers;
        for (int writer = 0; writer < 4; ++writer) {
            writers.emplace_back([&log, writer] {
                for (int line = 0; line < 25; ++line) {
                    log(Level::info, "{}", std::string(40, static_cast<char>('a' + writer)));
                }
            });
        }
        for (int line = 0; line < 100; ++line) {
            const auto message = *listener.next();
            const auto text = message.substr(message.rfind(' ') + 1);
            BOOST_TEST(text == std::string(40, text[0]));
        }
    }
    BOOST_TEST(!listener.next(0).has_value());
}
