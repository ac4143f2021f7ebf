#include <replica/daemon/process.hpp>

#define BOOST_TEST_MODULE daemon_process
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

using namespace replica;
using namespace replica::daemon;
using support::in_child;

namespace {

std::string user_name() {
    const passwd* const user = ::getpwuid(::geteuid());
    BOOST_REQUIRE(user != nullptr);
    return user->pw_name;
}

std::string complaint(const std::string& user) {
    try {
        drop_privileges(user);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "(no complaint)";
}

bool is_open(int descriptor) {
    return ::fcntl(descriptor, F_GETFD) >= 0;
}

} // namespace

BOOST_AUTO_TEST_CASE(closed_standard_streams_are_occupied) {
    BOOST_TEST(in_child([] {
                   ::close(STDIN_FILENO);
                   ::close(STDERR_FILENO);
                   occupy_standard_descriptors();
                   const bool all = is_open(0) && is_open(1) && is_open(2);
                   const int next = ::open("/dev/null", O_RDONLY);
                   return all && next > STDERR_FILENO ? 0 : 1;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(an_unknown_user_is_named) {
    BOOST_TEST(complaint("no-such-user-here") ==
               "user = no-such-user-here: there is no such user on this machine");
    BOOST_TEST(complaint("").starts_with("user = : there is no such user"));
}

BOOST_AUTO_TEST_CASE(the_present_user_may_stay) {
    BOOST_TEST(in_child([user = user_name()] {
                   drop_privileges(user);
                   return std::getenv("HOME") == nullptr ? 1 : 0;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(root_becomes_the_user_for_good) {
    if (::geteuid() != 0) {
        BOOST_TEST(complaint("root").find("started as " + user_name()) != std::string::npos);
        return;
    }
    BOOST_TEST(in_child([] {
                   const passwd* const nobody = ::getpwnam("nobody");
                   const uid_t uid = nobody->pw_uid;
                   const gid_t gid = nobody->pw_gid;
                   drop_privileges("nobody");
                   uid_t real = 0;
                   uid_t effective = 0;
                   uid_t saved = 0;
                   ::getresuid(&real, &effective, &saved);
                   std::vector<gid_t> groups(64);
                   groups.resize(static_cast<std::size_t>(
                       ::getgroups(static_cast<int>(groups.size()), groups.data())));
                   const bool away = real == uid && effective == uid && saved == uid &&
                                     ::getgid() == gid && ::getegid() == gid &&
                                     std::ranges::count(groups, gid_t{0}) == 0;
                   const bool back = ::setuid(0) == 0;
                   return away && !back ? 0 : 1;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(another_user_than_root_cannot_become_a_third) {
    BOOST_TEST(
        in_child([] {
            if (::geteuid() == 0) {
                drop_privileges("nobody");
            }
            const auto self = std::string{::getpwuid(::geteuid())->pw_name};
            const auto text = complaint("root");
            return text == "user = root: started as " + self +
                               ", which cannot change to this user; start as root, or set user = " +
                               self
                       ? 0
                       : 1;
        }) == 0);
}

BOOST_AUTO_TEST_CASE(a_daemon_settles_in_a_session_of_its_own) {
    BOOST_TEST(in_child([] {
                   settle();
                   const auto mask = ::umask(0);
                   std::time_t noon = 43200;
                   const bool utc = std::localtime(&noon)->tm_hour == 12;
                   return ::getsid(0) == ::getpid() && ::getpgrp() == ::getpid() &&
                                  std::filesystem::current_path() == "/" && mask == 022 && utc
                              ? 0
                              : 1;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(as_many_files_may_be_open_as_the_hard_limit_allows_within_reason) {
    struct Row {
        ::rlim_t soft;
        ::rlim_t hard;
        ::rlim_t then;
    };
    constexpr std::uint64_t most = 500;
    for (const Row& row : {Row{64, 400, 400}, Row{400, 400, 400}, Row{64, 64, 64},
                           Row{64, 1000, 500}, Row{600, 1000, 600}}) {
        const int right = support::in_child([&] {
            ::rlimit limit{row.soft, row.hard};
            ::setrlimit(RLIMIT_NOFILE, &limit);
            const bool told = raise_descriptor_limit(most) == row.then;
            ::getrlimit(RLIMIT_NOFILE, &limit);
            return told && limit.rlim_cur == row.then && limit.rlim_max == row.hard ? 1 : 0;
        });
        BOOST_TEST(right == 1, row.soft << " of " << row.hard);
    }
}

BOOST_AUTO_TEST_CASE(whoever_waits_for_our_output_is_let_go) {
    support::Pipe output;
    support::Pipe life;
    const pid_t child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
        ::dup2(output.writer(), STDOUT_FILENO);
        ::dup2(output.writer(), STDERR_FILENO);
        output.close_writer();
        life.close_writer();
        static_cast<void>(!::write(STDOUT_FILENO, "up\n", 3));
        release_streams(false);
        static_cast<void>(!::write(STDERR_FILENO, "lost\n", 5));
        char byte = 0;
        static_cast<void>(!::read(life.reader(), &byte, 1)); // lives until the test lets go
        ::_exit(is_open(0) && is_open(1) && is_open(2) ? 0 : 1);
    }
    BOOST_TEST(output.rest() == "up\n");
    BOOST_TEST(::waitpid(child, nullptr, WNOHANG) == 0); // though it is still running
    life.close_writer();
    int status = -1;
    BOOST_TEST(::waitpid(child, &status, 0) == child);
    BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(a_console_log_keeps_stderr) {
    support::Pipe output;
    BOOST_TEST(in_child([&] {
                   ::dup2(output.writer(), STDOUT_FILENO);
                   ::dup2(output.writer(), STDERR_FILENO);
                   release_streams(true);
                   static_cast<void>(!::write(STDOUT_FILENO, "lost\n", 5));
                   static_cast<void>(!::write(STDERR_FILENO, "kept\n", 5));
                   return 0;
               }) == 0);
    BOOST_TEST(output.rest() == "kept\n");
}

BOOST_AUTO_TEST_CASE(priorities_are_set) {
    BOOST_TEST(in_child([] {
                   DaemonSettings settings;
                   settings.nice_priority = "7";
                   settings.ionice_class = "IOPRIO_CLASS_BE";
                   settings.ionice_priority = "5";
                   const auto problems = set_priorities(settings);
                   const auto io = ::syscall(SYS_ioprio_get, 1, 0);
                   return problems.empty() && ::getpriority(PRIO_PROCESS, 0) == 7 &&
                                  io == ((2 << 13) | 5)
                              ? 0
                              : 1;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(without_priorities_nothing_is_changed) {
    const int nice = ::getpriority(PRIO_PROCESS, 0);
    BOOST_TEST(set_priorities(DaemonSettings{}).empty());
    BOOST_TEST(::getpriority(PRIO_PROCESS, 0) == nice);
}

BOOST_AUTO_TEST_CASE(priorities_that_make_no_sense_are_told) {
    const auto problem = [](std::string nice, std::string io_class, std::string io_priority) {
        DaemonSettings settings;
        settings.nice_priority = std::move(nice);
        settings.ionice_class = std::move(io_class);
        settings.ionice_priority = std::move(io_priority);
        const auto problems = set_priorities(settings);
        BOOST_TEST(problems.size() == 1u);
        return problems.empty() ? std::string{} : problems[0];
    };
    BOOST_TEST(problem("high", "", "") == "Unable to set nice_priority = high: not a whole number");
    BOOST_TEST(problem("", "FAST", "") == "Unable to set ionice_class = FAST: unknown class");
    BOOST_TEST(problem("", "IOPRIO_CLASS_BE", "8") ==
               "Unable to set ionice_priority = 8: not a number from 0 to 7");
    BOOST_TEST(problem("", "IOPRIO_CLASS_BE", "low").find("ionice_priority = low") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_right_that_the_unit_gave_for_the_start_goes_to_no_child) {
    if (::geteuid() != 0) {
        BOOST_TEST(in_child([] {
                       drop_capabilities();
                       return 0;
                   }) == 0);
        return;
    }
    BOOST_TEST(in_child([] {
                   const auto child = [] {
                       return std::system("grep -q 'CapEff:.*0000000020$' /proc/self/status");
                   };
                   if (!support::become_nobody_with(CAP_KILL) || child() != 0) {
                       return 2;
                   }
                   drop_capabilities();
                   const bool own = ::kill(1, 0) == 0; // of root
                   return !own && child() != 0 ? 0 : 1;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(root_keeps_what_it_needs_to_read_the_files_of_others) {
    if (::geteuid() == 0) {
        BOOST_TEST(in_child([] {
                       drop_capabilities();
                       return ::setuid(::getpwnam("nobody")->pw_uid);
                   }) == 0);
    }
}

BOOST_AUTO_TEST_CASE(one_daemon_excludes_a_second) {
    const support::Directory directory;
    const auto path = directory.path("lock");
    {
        const auto first = Exclusion::take(path);
        BOOST_TEST(first.has_value());
        BOOST_TEST(!Exclusion::take(path).has_value());
        BOOST_TEST(Exclusion::is_held(path));
        BOOST_TEST(in_child([&] { return Exclusion::take(path).has_value() ? 1 : 0; }) == 0);
    }
    BOOST_TEST(!Exclusion::is_held(path));
    BOOST_TEST(!Exclusion::is_held(directory.path("absent/lock")));
    BOOST_TEST(Exclusion::take(path).has_value());
    BOOST_CHECK_EXCEPTION((void)Exclusion::take(directory.path("absent/lock")), ConfigError,
                          [](const ConfigError& error) {
                              return std::string{error.what()}.find("absent/lock: ") !=
                                     std::string::npos;
                          });
}

BOOST_AUTO_TEST_CASE(the_lock_dies_with_its_process) {
    const support::Directory directory;
    const auto path = directory.path("lock");
    BOOST_TEST(in_child([&] {
                   const auto lock = Exclusion::take(path);
                   ::raise(SIGKILL);
                   return lock.has_value() ? 1 : 2;
               }) == -SIGKILL);
    BOOST_TEST(Exclusion::take(path).has_value());
}

BOOST_AUTO_TEST_CASE(signals_become_events_in_their_order) {
    const Signals signals;
    ::raise(SIGTERM);
    ::raise(SIGINT);
    ::raise(SIGHUP);
    BOOST_TEST(signals.wait(-1) == SIGTERM);
    BOOST_TEST(signals.wait(-1) == SIGINT);
    BOOST_TEST(signals.wait(-1) == SIGHUP);
    BOOST_TEST(signals.wait(0) == Signals::nothing);
}

BOOST_AUTO_TEST_CASE(a_thread_may_end_the_wait) {
    const Signals signals;
    const std::jthread other{[] { Signals::post(Signals::done); }};
    BOOST_TEST(signals.wait(-1) == Signals::done);
}

BOOST_AUTO_TEST_CASE(a_reader_that_went_away_does_not_end_us) {
    const Signals signals;
    support::Pipe pipe;
    pipe.close_reader();
    BOOST_TEST(::write(pipe.writer(), "x", 1) == -1);
    BOOST_TEST(errno == EPIPE);
}

BOOST_AUTO_TEST_CASE(afterwards_signals_do_what_they_always_did) {
    BOOST_TEST(in_child([] {
                   { const Signals signals; }
                   ::raise(SIGTERM);
                   return 0;
               }) == -SIGTERM);
}

BOOST_AUTO_TEST_CASE(a_child_program_can_be_ended_by_signals) {
    // A blocked or ignored signal would be inherited, and an rsync would outlive the daemon.
    const Signals signals;
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) {
        const auto command = "kill -" + std::to_string(signal) + " $$; exit 0";
        BOOST_TEST(in_child([&command] {
                       ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
                       return 98;
                   }) == -signal);
    }
}

BOOST_AUTO_TEST_CASE(children_are_ended_with_us) {
    support::Pipe life;
    BOOST_TEST(in_child([] {
                   support::Pipe starting;
                   ::fcntl(starting.writer(), F_SETFD, FD_CLOEXEC);
                   ::setpgid(0, 0);
                   const Signals signals;
                   if (::fork() == 0) {
                       ::execl("/bin/sh", "sh", "-c", "exec sleep 1000", nullptr);
                       ::_exit(98);
                   }
                   if (!starting.rest().empty()) { // ends with exec, which drops our handlers
                       return 2;
                   }
                   end_children();
                   return signals.wait(-1) == SIGTERM ? 0 : 1; // we hear it as well
               }) == 0);
    BOOST_TEST(life.rest() == ""); // sleep held the writing end and is gone
}

BOOST_AUTO_TEST_CASE(a_group_that_is_not_ours_is_left_alone) {
    BOOST_TEST(in_child([] {
                   if (::getpgrp() == ::getpid()) {
                       return 1;
                   }
                   const Signals signals;
                   end_children();
                   return signals.wait(0) == Signals::nothing ? 0 : 1;
               }) == 0);
}
