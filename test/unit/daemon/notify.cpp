#include <replica/daemon/notify.hpp>

#define BOOST_TEST_MODULE daemon_notify
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>

using namespace replica;
using replica::daemon::Notifier;

namespace {

struct Manager {
    support::Directory directory;
    support::Listener listener{directory.path("notify")};

    /// What a process with this environment makes of it.
    Notifier started_with(const std::string& period, const std::string& whose) const {
        ::setenv("NOTIFY_SOCKET", directory.path("notify").c_str(), 1);
        ::setenv("WATCHDOG_USEC", period.c_str(), 1);
        ::setenv("WATCHDOG_PID", whose.c_str(), 1);
        return Notifier::from_environment();
    }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(each_state_has_its_message, Manager) {
    const Notifier notifier(directory.path("notify"));
    BOOST_TEST(notifier.listening());
    notifier.ready();
    BOOST_TEST(*listener.next() == "READY=1");
    notifier.status("Pass over 3 devices\nREADY=1"); // a line is a line
    BOOST_TEST(*listener.next() == "STATUS=Pass over 3 devices READY=1");
    notifier.moves();
    BOOST_TEST(*listener.next() == "WATCHDOG=1");
    notifier.stopping();
    BOOST_TEST(*listener.next() == "STOPPING=1");
}

BOOST_FIXTURE_TEST_CASE(a_reload_says_when_it_began_by_the_managers_clock, Manager) {
    const auto now = [] {
        return std::chrono::duration_cast<std::chrono::microseconds>(
                   std::chrono::steady_clock::now().time_since_epoch())
            .count();
    };
    const auto before = now();
    Notifier(directory.path("notify")).reloading();
    const std::string message = *listener.next();
    const std::string head = "RELOADING=1\nMONOTONIC_USEC=";
    BOOST_REQUIRE(message.starts_with(head));
    const auto when = std::stoll(message.substr(head.size()));
    BOOST_TEST(when >= before);
    BOOST_TEST(when <= now());
}

BOOST_FIXTURE_TEST_CASE(children_must_not_speak_for_us, Manager) {
    const Notifier notifier = started_with("3000000", std::to_string(::getpid()));
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
        BOOST_TEST(std::getenv(name) == nullptr, name);
    }
    BOOST_TEST(notifier.watchdog().count() == 3.0);
    notifier.ready();
    BOOST_TEST(*listener.next() == "READY=1");
    BOOST_TEST(!Notifier::from_environment().listening());
}

BOOST_FIXTURE_TEST_CASE(a_watchdog_that_is_not_ours_is_none, Manager) {
    BOOST_TEST(started_with("3000000", "1").watchdog().count() == 0.0);
    BOOST_TEST(started_with("soon", std::to_string(::getpid())).watchdog().count() == 0.0);
    BOOST_TEST(started_with("", "").watchdog().count() == 0.0);
    BOOST_TEST(started_with("500000", "").watchdog().count() == 0.5);
}

BOOST_AUTO_TEST_CASE(without_a_manager_nothing_is_said) {
    const Notifier notifier;
    BOOST_TEST(!notifier.listening());
    notifier.ready();
    notifier.status("x");
    const support::Directory directory;
    Notifier(directory.path("nobody")).ready(); // the manager has gone
}

BOOST_FIXTURE_TEST_CASE(a_manager_that_is_started_anew_hears_us_again, Manager) {
    const support::Directory other;
    const Notifier notifier(other.path("notify"));
    {
        const support::Listener first{other.path("notify")};
        notifier.moves();
        BOOST_TEST(*first.next() == "WATCHDOG=1");
    }
    ::unlink(other.path("notify").c_str());
    const support::Listener second{other.path("notify")};
    notifier.moves();
    BOOST_TEST(*second.next() == "WATCHDOG=1");
}
