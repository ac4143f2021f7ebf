#include <replica/daemon/daemon.hpp>

#define BOOST_TEST_MODULE daemon_daemon
#include <replica/clock.hpp>

#include <boost/test/unit_test.hpp>

#include <pwd.h>
#include <support/daemon.hpp>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::daemon;

namespace {

using TestBody = std::function<int(Context&)>;

// Waits as a real body does: until it is told to stop.
int run_until_stopped(Context& context) {
    context.ready();
    const SystemClock clock;
    while (clock.sleep_until(clock.monotonic() + std::chrono::hours{1}, context.stop)) {
    }
    context.log(Level::info, "body stopped");
    return 0;
}

// A body that takes over other settings, and says which.
int run_and_renew(Context& context) {
    context.renew = [](const DaemonSettings& settings, const Log& log) {
        if (settings.per_diff == 13) {
            throw Failure(Error::bad_config, "no luck");
        }
        log(Level::info, "renewed: per_diff {}, bind_port {}", settings.per_diff,
            settings.bind_port);
    };
    return run_until_stopped(context);
}

// A daemon in a child process, its output in a pipe.
class Running {
public:
    Running(std::vector<std::string> words, const TestBody& body) {
        words.insert(words.begin(), "/usr/bin/swift-container-replicator");
        std::cout.flush(); // or the child would write what waits here a second time
        child_ = ::fork();
        BOOST_REQUIRE(child_ >= 0);
        if (child_ == 0) {
            std::vector<const char*> argv;
            for (const auto& word : words) {
                argv.push_back(word.c_str());
            }
            ::dup2(output_.writer(), STDOUT_FILENO);
            ::dup2(output_.writer(), STDERR_FILENO);
            output_.close_writer();
            output_.close_reader();
            ::_exit(
                run_daemon(static_cast<int>(argv.size()), argv.data(), {"container", 6201}, body));
        }
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
        if (child_ > 0) {
            ::kill(child_, SIGKILL);
            ::waitpid(child_, nullptr, 0);
        }
    }

    [[nodiscard]] std::string id() const { return std::to_string(child_); }
    void signal(int number) const { BOOST_TEST(::kill(child_, number) == 0); }
    [[nodiscard]] std::string output() { return output_.rest(); }

    /// The exit code, or minus the signal that ended it.
    [[nodiscard]] int code() {
        int status = 0;
        BOOST_REQUIRE(::waitpid(child_, &status, 0) == child_);
        child_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

private:
    support::Pipe output_;
    pid_t child_ = -1;
};

// A directory with all that a daemon reads, and a syslog that the test reads.
struct Node {
    support::Directory directory;
    support::Listener log{directory.path("log")};
    std::string config = configure("");

    Node() {
        (void)directory.file("swift.conf", "[swift-hash]\nswift_hash_path_suffix = s\n");
        std::filesystem::create_directory(directory.path("recon"));
    }

    std::string configure(std::string_view options) const {
        return directory.file("c.conf", "[DEFAULT]\nswift_dir = " + directory.path("") +
                                            "\nlog_address = " + directory.path("log") +
                                            "\nuser = " + ::getpwuid(::geteuid())->pw_name +
                                            "\nrecon_cache_path = " + directory.path("recon") +
                                            "\n[container-replicator]\n" + std::string{options});
    }

    bool logs(std::string_view fragment) const { return !log.find(fragment).empty(); }

    /// How many lines have the fragment, up to the end of a daemon.
    int count_to_the_end(std::string_view fragment) const {
        int count = 0;
        for (auto line = log.next(); line && line->find("Exited") == line->npos;
             line = log.next()) {
            count += line->find(fragment) != line->npos ? 1 : 0;
        }
        return count;
    }
};

bool holds(std::string_view text, std::string_view part) {
    BOOST_TEST_INFO(text);
    return text.find(part) != text.npos;
}

} // namespace

BOOST_FIXTURE_TEST_CASE(one_pass_runs_between_two_notices_and_gives_the_code, Node) {
    Running daemon{{config, "once"}, [](Context& context) {
                       context.log(Level::info, "pass");
                       return 7;
                   }};
    const auto id = daemon.id();
    BOOST_TEST(daemon.output() == "");
    BOOST_TEST(daemon.code() == 7);
    BOOST_TEST(*log.next() == "<133>container-replicator: Starting " + id);
    BOOST_TEST(*log.next() == "<134>container-replicator: pass");
    BOOST_TEST(*log.next() == "<133>container-replicator: Exited " + id);
}

BOOST_FIXTURE_TEST_CASE(the_body_gets_settings_that_are_complete, Node) {
    configure("per_diff = 5\n");
    Running daemon{{config, "-o", "-d", "sdb1,sdb2", "-p", "3"}, [](Context& context) {
                       const auto& settings = context.settings;
                       const bool complete =
                           settings.per_diff == 5 && settings.bind_port == 6201 &&
                           settings.hash_path_suffix == "s" && settings.seed != 0 &&
                           settings.policies == std::vector{0} && context.arguments.once &&
                           context.arguments.devices.size() == 2 &&
                           context.arguments.partitions == std::vector<std::uint32_t>{3};
                       return complete ? 0 : 1;
                   }};
    BOOST_TEST(daemon.code() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_seed_that_is_given_is_kept, Node) {
    configure("seed = 42\nbind_port = 6301\n");
    Running daemon{{config, "once"}, [](Context& context) {
                       return context.settings.seed == 42 && context.settings.bind_port == 6301 ? 0
                                                                                                : 1;
                   }};
    BOOST_TEST(daemon.code() == 0);
}

BOOST_FIXTURE_TEST_CASE(sigterm_ends_it_at_once_and_cleanly, Node) {
    Running daemon{{config}, &run_until_stopped};
    const auto id = daemon.id();
    BOOST_TEST(daemon.output() == ""); // comes back: both streams are released once it is up
    BOOST_TEST(logs("Starting " + id));
    daemon.signal(SIGTERM);
    BOOST_TEST(daemon.code() == 0);
    BOOST_TEST(*log.next() == "<133>container-replicator: SIGTERM received (" + id + ")");
    BOOST_TEST(*log.next() == "<134>container-replicator: body stopped");
    BOOST_TEST(*log.next() == "<133>container-replicator: Exited " + id);
}

BOOST_FIXTURE_TEST_CASE(an_interrupt_and_a_hangup_end_it_as_well, Node) {
    for (const auto& [number, line] : std::vector<std::pair<int, std::string>>{
             {SIGINT, "User quit"}, {SIGHUP, "SIGHUP received"}}) {
        Running daemon{{config}, &run_until_stopped};
        BOOST_TEST(daemon.output() == "");
        daemon.signal(number);
        BOOST_TEST(daemon.code() == 0);
        BOOST_TEST(logs(line), line);
        BOOST_TEST(logs("Exited"), line);
    }
}

BOOST_FIXTURE_TEST_CASE(a_body_that_hangs_does_not_keep_the_process, Node) {
    Running daemon{{config}, [](Context& context) {
                       context.log(Level::info, "hanging");
                       const SystemClock clock; // as on a disk that never answers
                       clock.sleep_until(clock.monotonic() + std::chrono::hours{1}, {});
                       return 1;
                   }};
    BOOST_TEST(logs("hanging"));
    daemon.signal(SIGTERM);
    BOOST_TEST(daemon.code() == 0);
    BOOST_TEST(logs("Exited"));
}

BOOST_FIXTURE_TEST_CASE(no_child_outlives_it, Node) {
    support::Pipe life; // held open by the child program, and by nobody else in the end
    for (const bool hangs : {false, true}) {
        support::Pipe starting;
        ::fcntl(starting.writer(), F_SETFD, FD_CLOEXEC);
        Running daemon{{config}, [hangs, &starting](Context& context) {
                           if (::fork() == 0) {
                               ::execl("/bin/sh", "sh", "-c", "exec sleep 1000", nullptr);
                               ::_exit(98);
                           }
                           char byte = 0;
                           starting.close_writer();
                           static_cast<void>(!::read(starting.reader(), &byte, 1)); // exec is done
                           context.log(Level::info, "child runs");
                           const SystemClock clock;
                           clock.sleep_until(clock.monotonic() + std::chrono::hours{1},
                                             hangs ? std::stop_token{} : context.stop);
                           return 0;
                       }};
        starting.close_writer();
        BOOST_TEST(logs("child runs"));
        daemon.signal(SIGTERM);
        BOOST_TEST(daemon.code() == 0);
    }
    BOOST_TEST(life.rest() == "");
}

BOOST_FIXTURE_TEST_CASE(a_console_log_stays_connected, Node) {
    Running daemon{{config, "once", "verbose"}, [](Context& context) {
                       context.log(Level::warning, "seen");
                       return 0;
                   }};
    const auto id = daemon.id();
    BOOST_TEST(daemon.output() == "container-replicator: Starting " + id +
                                      "\ncontainer-replicator: seen\ncontainer-replicator: "
                                      "Exited " +
                                      id + "\n");
    BOOST_TEST(daemon.code() == 0);
    BOOST_TEST(logs("seen"));
}

BOOST_FIXTURE_TEST_CASE(it_leads_a_session_of_its_own_in_the_root_directory, Node) {
    Running daemon{{config, "once"}, [](Context&) {
                       return ::getsid(0) == ::getpid() && std::filesystem::current_path() == "/"
                                  ? 0
                                  : 1;
                   }};
    BOOST_TEST(daemon.code() == 0);
}

BOOST_FIXTURE_TEST_CASE(it_may_open_as_many_files_as_the_hard_limit_allows, Node) {
    ::rlimit before{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const ::rlimit narrow{256, before.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &narrow) == 0);
    Running daemon{{config, "once"}, [](Context&) {
                       ::rlimit now{};
                       ::getrlimit(RLIMIT_NOFILE, &now);
                       return now.rlim_cur > 256 ? 0 : 1;
                   }};
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    BOOST_TEST(daemon.code() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_right_of_the_unit_is_gone_before_the_body_begins, Node) {
    if (::geteuid() != 0) {
        return; // who has no right cannot hand one on
    }
    std::filesystem::permissions(directory.path(""), std::filesystem::perms::all);
    configure("user = nobody\n");
    const int code = support::in_child([&] {
        if (!support::become_nobody_with(CAP_KILL)) {
            return 3;
        }
        Running daemon{{config, "once"},
                       [](Context&) { return ::kill(1, 0) == 0 ? 2 : 7; }}; // of root
        return daemon.code();
    });
    BOOST_TEST(code == 7);
}

BOOST_FIXTURE_TEST_CASE(a_hard_limit_that_is_low_is_told, Node) {
    const int code = support::in_child([&] { // what is lowered stays low
        const ::rlimit low{256, 300};
        ::setrlimit(RLIMIT_NOFILE, &low);
        Running daemon{{config, "once"}, [](Context&) { return 0; }};
        return daemon.code();
    });
    BOOST_TEST(code == 0);
    BOOST_TEST(logs("Only 300 files may be open at a time; see the hard limit, LimitNOFILE"));
}

BOOST_FIXTURE_TEST_CASE(an_exception_is_logged_and_exits_with_1, Node) {
    Running daemon{{config, "once"},
                   [](Context&) -> int { throw std::runtime_error("ring is broken"); }};
    BOOST_TEST(daemon.output() == "ring is broken\n");
    BOOST_TEST(daemon.code() == 1);
    BOOST_TEST(logs("<130>container-replicator: UNCAUGHT EXCEPTION: ring is broken"));
    BOOST_TEST(logs("Exited"));
}

BOOST_FIXTURE_TEST_CASE(who_started_it_hears_what_went_wrong_until_it_is_up, Node) {
    const auto fail = [](Context&) -> int { throw Failure(Error::bad_config, "port in use"); };
    Running before{{config}, fail};
    BOOST_TEST(before.output() == "port in use\n");
    BOOST_TEST(before.code() == 1);
    BOOST_TEST(logs("<130>container-replicator: port in use"));
    Running console{{config, "verbose"}, fail};
    const auto output = console.output();
    BOOST_TEST(output.find("port in use") == output.rfind("port in use"), output); // once
    BOOST_TEST(console.code() == 1);
    Running after{{config}, [&](Context& context) {
                      context.ready();
                      return fail(context);
                  }};
    BOOST_TEST(after.output() == "");
    BOOST_TEST(after.code() == 1);
}

BOOST_FIXTURE_TEST_CASE(systemd_hears_that_it_is_up_when_it_is, Node) {
    const support::Listener systemd{directory.path("systemd")};
    ::setenv("NOTIFY_SOCKET", directory.path("systemd").c_str(), 1);
    Running refused{{config}, [](Context&) -> int { throw Failure(Error::bad_config, "no"); }};
    BOOST_TEST(refused.code() == 1);
    BOOST_TEST(!systemd.next(0).has_value());
    Running daemon{{config}, &run_until_stopped};
    ::unsetenv("NOTIFY_SOCKET");
    BOOST_TEST(systemd.next().value_or("") == "READY=1");
    daemon.signal(SIGTERM);
    BOOST_TEST(daemon.code() == 0);
    BOOST_TEST(systemd.find("STOPPING=1") == "STOPPING=1");
}

BOOST_FIXTURE_TEST_CASE(systemd_hears_what_a_service_does_and_that_its_passes_move, Node) {
    const support::Listener systemd{directory.path("systemd")};
    for (const bool moves : {true, false}) {
        ::setenv("NOTIFY_SOCKET", directory.path("systemd").c_str(), 1);
        ::setenv("WATCHDOG_USEC", "1000000", 1);
        Running daemon{{config}, [moves](Context& context) {
                           const SystemClock clock;
                           context.ready();
                           std::size_t devices = 0;
                           do { // a pass that begins over and over, now or an hour ago
                               const Instant now = clock.monotonic();
                               context.status.begin(now - std::chrono::hours(moves ? 0 : 1),
                                                    ++devices);
                           } while (clock.sleep_until(
                               clock.monotonic() + std::chrono::milliseconds{100}, context.stop));
                           return 0;
                       }};
        ::unsetenv("NOTIFY_SOCKET");
        ::unsetenv("WATCHDOG_USEC");
        BOOST_TEST(systemd.next().value_or("") == "READY=1");
        int watchdogs = 0;
        int texts = 0;
        while (texts < 3) {
            const auto message = systemd.next();
            BOOST_REQUIRE(message.has_value());
            watchdogs += *message == "WATCHDOG=1" ? 1 : 0;
            texts += message->starts_with("STATUS=Pass over ") ? 1 : 0;
        }
        BOOST_TEST((watchdogs > 0) == moves);
        daemon.signal(SIGTERM);
        BOOST_TEST(daemon.code() == 0);
        BOOST_TEST(systemd.find("STOPPING=1") == "STOPPING=1");
    }
}

BOOST_FIXTURE_TEST_CASE(a_hangup_has_the_configuration_taken_over, Node) {
    const support::Listener systemd{directory.path("systemd")};
    ::setenv("NOTIFY_SOCKET", directory.path("systemd").c_str(), 1);
    Running daemon{{config}, &run_and_renew};
    ::unsetenv("NOTIFY_SOCKET");
    BOOST_TEST(systemd.find("READY=1") == "READY=1");
    configure("per_diff = 7\nbind_port = 6399\nlog_name = new-name\nrun_pause = 3\n");
    daemon.signal(SIGHUP);
    BOOST_TEST(systemd.find("RELOADING=1").starts_with("RELOADING=1\nMONOTONIC_USEC="));
    BOOST_TEST(systemd.find("READY=1") == "READY=1");
    BOOST_TEST(logs("container-replicator: SIGHUP received (" + daemon.id() + ")"));
    BOOST_TEST(logs("new-name: renewed: per_diff 7, bind_port 6201"));
    BOOST_TEST(logs("run_pause is deprecated"));
    BOOST_TEST(logs("new-name: bind_port = 6399 needs a restart; until then it is 6201"));
    BOOST_TEST(logs("The new configuration counts from the next pass on"));
    configure("per_diff = 8\n"); // and again
    daemon.signal(SIGHUP);
    BOOST_TEST(logs("renewed: per_diff 8, bind_port 6201"));
    BOOST_TEST(logs("The new configuration counts from the next pass on"));
    daemon.signal(SIGTERM);
    BOOST_TEST(daemon.code() == 0);
    BOOST_TEST(logs("container-replicator: SIGTERM received"));
}

BOOST_FIXTURE_TEST_CASE(a_configuration_that_is_no_good_is_told_and_changes_nothing, Node) {
    const support::Listener systemd{directory.path("systemd")};
    ::setenv("NOTIFY_SOCKET", directory.path("systemd").c_str(), 1);
    Running daemon{{config}, &run_and_renew};
    ::unsetenv("NOTIFY_SOCKET");
    BOOST_TEST(systemd.find("READY=1") == "READY=1");
    const std::string stays = "<131>container-replicator: The configuration stays as it was: ";
    const auto refused = [&](const std::string& reason) {
        daemon.signal(SIGHUP);
        const std::string line = log.find("<131>"); // the first error
        BOOST_TEST(line.starts_with(stays + reason), line);
        BOOST_TEST(systemd.find("RELOADING=1").starts_with("RELOADING=1"));
        BOOST_TEST(systemd.find("READY=1") == "READY=1");
    };
    configure("per_diff = 0\n");
    refused(config + ":7: [container-replicator] per_diff = 0: must be a whole number from 1");
    configure("per_diff = 13\n"); // the body says no
    refused("no luck");
    std::filesystem::remove(config);
    refused("Unable to read config from " + config);
    configure("per_diff = 9\n");
    std::filesystem::remove(directory.path("swift.conf"));
    refused("");
    daemon.signal(SIGTERM);
    BOOST_TEST(daemon.code() == 0);
    for (auto line = log.next(0); line; line = log.next(0)) {
        BOOST_TEST(line->find("renewed") == line->npos, *line);
    }
}

BOOST_FIXTURE_TEST_CASE(a_hangup_that_comes_too_early_waits_until_the_service_is_up, Node) {
    support::Pipe go;
    Running daemon{{config}, [&go](Context& context) {
                       context.log(Level::info, "starting");
                       char byte = 0;
                       go.close_writer();
                       static_cast<void>(!::read(go.reader(), &byte, 1));
                       return run_and_renew(context);
                   }};
    BOOST_TEST(logs("starting"));
    configure("per_diff = 7\n");
    daemon.signal(SIGHUP);
    BOOST_TEST(!log.next(300).has_value()); // it neither ends nor reads
    go.close_writer();
    BOOST_TEST(logs("renewed: per_diff 7"));
    daemon.signal(SIGTERM);
    BOOST_TEST(daemon.code() == 0);
}

BOOST_FIXTURE_TEST_CASE(daemonize_no_means_one_pass, Node) {
    configure("daemonize = no\n");
    Running daemon{{config}, [](Context& context) { return context.arguments.once ? 0 : 1; }};
    BOOST_TEST(daemon.code() == 0);
}

BOOST_FIXTURE_TEST_CASE(devices_without_once_are_ignored_and_that_is_told, Node) {
    Running daemon{{config, "-d", "sdb1", "-p", "1"}, [](Context& context) {
                       return context.arguments.devices.empty() &&
                                      context.arguments.partitions.empty()
                                  ? 0
                                  : 1;
                   }};
    BOOST_TEST(daemon.code() == 0);
    BOOST_TEST(logs("--devices and --partitions are ignored without --once"));
}

BOOST_FIXTURE_TEST_CASE(a_second_daemon_does_not_start_but_a_pass_does, Node) {
    Running first{{config}, &run_until_stopped};
    BOOST_TEST(first.output() == "");
    Running second{{config}, [](Context&) { return 0; }};
    BOOST_TEST(holds(second.output(), "another container replicator runs here"));
    BOOST_TEST(second.code() == 1);
    BOOST_TEST(logs("another container replicator runs here"));
    Running pass{{config, "once"}, [](Context&) { return 5; }};
    BOOST_TEST(pass.code() == 5);
    configure("bind_port = 6302\n"); // another node of the same machine
    Running neighbour{{config}, [](Context&) { return 6; }};
    BOOST_TEST(neighbour.code() == 6);
    first.signal(SIGTERM);
    BOOST_TEST(first.code() == 0);
    configure("");
    Running next{{config}, [](Context&) { return 8; }};
    BOOST_TEST(next.code() == 8);
}

BOOST_FIXTURE_TEST_CASE(without_a_recon_directory_it_runs_all_the_same, Node) {
    std::filesystem::remove(directory.path("recon"));
    Running daemon{{config}, [](Context&) { return 0; }};
    BOOST_TEST(daemon.code() == 0);
    BOOST_TEST(logs("Running without a lock against a second daemon"));
}

BOOST_FIXTURE_TEST_CASE(an_explanation_goes_to_the_terminal_and_leaves_no_trace, Node) {
    Running daemon{{config, "--explain", "/srv/x.db"}, [](Context& context) {
                       std::cout << context.arguments.explain << ": in sync" << std::endl;
                       return ::getsid(0) == ::getpid() ? 1 : 0;
                   }};
    BOOST_TEST(daemon.output() == "/srv/x.db: in sync\n");
    BOOST_TEST(daemon.code() == 0);
    BOOST_TEST(!log.next(0).has_value());
    BOOST_TEST(std::filesystem::is_empty(directory.path("recon")));
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_started_is_told_on_stderr, Node) {
    struct Case {
        std::string options;
        std::string_view told;
    };
    const auto never = [](Context&) { return 42; };
    for (const auto& [options, told] : std::vector<Case>{
             {"per_diff = 0\n", "per_diff = 0: must be a whole number"},
             {"user = no-such-user-here\n", "there is no such user"},
             {"swift_dir = /nonexistent\n", "Unable to read config from /nonexistent/swift.conf"},
             {"nonsense\n", "is not of the form key = value"}}) {
        configure(options);
        Running daemon{{config, "once"}, never};
        const auto output = daemon.output();
        BOOST_TEST(daemon.code() == 1, options);
        BOOST_TEST(holds(output, told), options << output);
        BOOST_TEST(output.ends_with('\n'), options);
    }
    const auto other = directory.file("other.conf", "[account-replicator]\n");
    Running daemon{{other}, never};
    BOOST_TEST(daemon.output() ==
               "Unable to find container-replicator config section in " + other + "\n");
    BOOST_TEST(daemon.code() == 1);
}

BOOST_FIXTURE_TEST_CASE(an_unreadable_command_line_exits_with_2_and_help_with_0, Node) {
    Running wrong{{config, "--twice"}, [](Context&) { return 42; }};
    BOOST_TEST(wrong.output().starts_with("Usage: "));
    BOOST_TEST(wrong.code() == 2);
    Running help{{"--help"}, [](Context&) { return 42; }};
    BOOST_TEST(holds(help.output(), "per_diff = 1000"));
    BOOST_TEST(help.code() == 0);
}

BOOST_FIXTURE_TEST_CASE(doubtful_options_are_warned_about, Node) {
    configure("run_pause = 5\nmount_check = ture\nnice_priority = high\n");
    Running daemon{{config, "once"}, [](Context&) { return 0; }};
    BOOST_TEST(daemon.code() == 0);
    BOOST_TEST(logs("<132>container-replicator: Option container-replicator/run_pause"));
    BOOST_TEST(logs("mount_check = ture is neither yes nor no, and taken for no"));
    BOOST_TEST(logs("Unable to set nice_priority = high"));
}

// ---- The feed of changes.

BOOST_FIXTURE_TEST_CASE(a_service_that_cannot_have_a_feed_says_so_once_and_runs, Node) {
    configure("devices = " + directory.path("none") + "\nmount_check = no\n");
    Running daemon{{config}, [](Context& context) { return context.feed.running() ? 1 : 0; }};
    BOOST_TEST(daemon.code() == 0);
    BOOST_TEST(count_to_the_end("Changes are not pushed, passes find them: ") == 1);
}

BOOST_FIXTURE_TEST_CASE(neither_a_single_pass_nor_a_service_that_shall_not_has_a_feed, Node) {
    std::filesystem::create_directories(directory.path("srv/sda"));
    const std::string devices = "devices = " + directory.path("srv") + "\nmount_check = no\n";
    for (const auto& [options, word] :
         {std::pair{devices, "once"}, std::pair{devices + "push_changes = no\n", "-v"}}) {
        configure(options);
        Running daemon{{config, word}, [](Context& context) {
                           return context.feed.running() || !context.feed.refusals().empty() ? 1
                                                                                             : 0;
                       }};
        BOOST_TEST(daemon.code() == 0);
        BOOST_TEST(count_to_the_end("Changes are not pushed") == 0);
    }
}
