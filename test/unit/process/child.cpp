#include <replica/process/child.hpp>

#define BOOST_TEST_MODULE process_child
#include <replica/disk/posix.hpp>

#include <boost/test/unit_test.hpp>

#include <poll.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

namespace fs = std::filesystem;
using namespace replica;
using namespace std::chrono_literals;

namespace {

using How = Ended::How;

struct Fixture {
    Fixture() {
        std::string pattern = (fs::temp_directory_path() / "replica-child-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root = pattern;
        BOOST_REQUIRE(::mkfifo(fifo().c_str(), 0600) == 0);
    }
    ~Fixture() {
        // No zombie and no process is left behind by any of the cases.
        BOOST_CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
        fs::remove_all(root);
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    [[nodiscard]] std::string fifo() const { return root + "/fifo"; }

    /// One line that a child wrote into the fifo; waits for it.
    [[nodiscard]] std::string line() const {
        std::string text;
        std::getline(std::ifstream(fifo()) >> std::ws, text);
        return text;
    }

    static Ended shell(const std::string& script, Instant deadline = Instant::max(),
                       const std::stop_token& stop = {}) {
        return run_program("/bin/sh", {"-c", script}, deadline, stop);
    }

    [[nodiscard]] static Instant in(Instant::duration time) {
        return SystemClock().monotonic() + time;
    }

    /// True once the process is gone, within ten seconds.
    static bool ends(::pid_t process) {
        const Descriptor end(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
        if (!end) {
            return errno == ESRCH;
        }
        ::pollfd waiting{.fd = end.get(), .events = POLLIN, .revents = 0};
        return ::poll(&waiting, 1, 10'000) == 1;
    }

    std::string root;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(child, Fixture)

BOOST_AUTO_TEST_CASE(a_program_ends_and_its_code_and_output_are_known) {
    const Ended good = shell("exit 0");
    BOOST_TEST((good.how == How::exited));
    BOOST_TEST(good.code == 0);
    BOOST_TEST(good.output.empty());
    const Ended bad = shell("echo out; echo err >&2; exit 23");
    BOOST_TEST((bad.how == How::exited));
    BOOST_TEST(bad.code == 23);
    BOOST_TEST(bad.output == "out\nerr\n");
    const Ended killed = shell("kill -9 $$");
    BOOST_TEST((killed.how == How::signalled));
    BOOST_TEST(killed.code == SIGKILL);
}

BOOST_AUTO_TEST_CASE(arguments_arrive_as_they_are_and_input_is_empty) {
    const Ended ended = run_program(
        "/bin/sh", {"-c", "cat; for a; do echo \"<$a>\"; done", "sh", "a b", "", "$HOME;'\"", "é"},
        in(30s), {});
    BOOST_TEST(ended.output == "<a b>\n<>\n<$HOME;'\">\n<é>\n");
}

BOOST_AUTO_TEST_CASE(a_program_that_is_not_there_or_no_program_is_a_failure) {
    for (const std::string& path : {root + "/none", root, fifo()}) {
        BOOST_CHECK_EXCEPTION(static_cast<void>(run_program(path, {}, in(30s), {})), Failure,
                              [&](const Failure& failure) {
                                  return failure.error() == Error::io &&
                                         std::string(failure.what()).find(path) !=
                                             std::string::npos;
                              });
    }
}

BOOST_AUTO_TEST_CASE(a_flood_of_output_is_read_to_its_end_and_kept_in_part) {
    const Ended ended = shell("head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 5", in(30s));
    BOOST_TEST((ended.how == How::exited));
    BOOST_TEST(ended.code == 5);
    BOOST_TEST((ended.output == std::string(4096, 'x')));
}

BOOST_AUTO_TEST_CASE(a_program_is_ended_at_the_deadline) {
    const Instant begin = SystemClock().monotonic();
    const Ended ended = shell("echo before >&2; exec sleep 1000", in(200ms));
    BOOST_TEST((ended.how == How::timed_out));
    BOOST_TEST(ended.output == "before\n");
    BOOST_TEST((SystemClock().monotonic() - begin >= 200ms));
    BOOST_TEST((SystemClock().monotonic() - begin < 20s));
    BOOST_TEST((shell("exec sleep 1000", begin).how == How::timed_out)); // long past
}

BOOST_AUTO_TEST_CASE(a_program_that_ignores_the_request_to_end_is_killed) {
    const Ended ended = shell("trap '' TERM; exec sleep 1000", in(200ms));
    BOOST_TEST((ended.how == How::timed_out));
}

BOOST_AUTO_TEST_CASE(a_program_may_clean_up_when_it_is_asked_to_end) {
    std::stop_source stop;
    auto running = std::async(std::launch::async, [&] {
        return shell("trap 'touch " + root + "/cleaned; exit 7' TERM; echo ready >" + fifo() +
                         "; while :; do read x <" + fifo() + "; done",
                     in(30s), stop.get_token());
    });
    BOOST_TEST(line() == "ready");
    stop.request_stop();
    const Ended ended = running.get();
    BOOST_TEST((ended.how == How::stopped));
    BOOST_TEST(ended.code == 7);
    BOOST_TEST(fs::exists(root + "/cleaned"));
}

BOOST_AUTO_TEST_CASE(a_stop_ends_the_program_soon_also_when_it_came_before) {
    std::stop_source stop;
    auto running = std::async(std::launch::async, [&] {
        return shell("echo $$ >" + fifo() + "; exec sleep 1000", in(1000s), stop.get_token());
    });
    const ::pid_t process = std::stoi(line());
    BOOST_TEST(::kill(process, 0) == 0);
    stop.request_stop();
    BOOST_TEST((running.get().how == How::stopped));
    BOOST_TEST(::kill(process, 0) == -1);
    BOOST_TEST((shell("exec sleep 1000", in(1000s), stop.get_token()).how == How::stopped));
}

BOOST_AUTO_TEST_CASE(a_grandchild_that_keeps_the_output_open_is_not_waited_for) {
    const Ended ended = shell("echo early; sleep 1000 & echo $!; exit 3", in(30s));
    BOOST_TEST((ended.how == How::exited));
    BOOST_TEST(ended.code == 3);
    BOOST_TEST(ended.output.find("early\n") == 0U);
    const ::pid_t grandchild = std::stoi(ended.output.substr(6));
    BOOST_TEST(::kill(grandchild, SIGKILL) == 0); // it is not ours to wait for, but ours to end
}

BOOST_AUTO_TEST_CASE(a_program_that_closes_its_output_is_still_waited_for) {
    const Ended ended = shell("exec >&- 2>&-; read x <" + fifo() + " & wait; exit 4", in(300ms));
    BOOST_TEST((ended.how == How::timed_out));
    std::ofstream(fifo(), std::ios::in | std::ios::out) << "wake\n";
}

BOOST_AUTO_TEST_CASE(a_child_gets_no_descriptor_but_the_first_three) {
    int pipe[2];
    BOOST_REQUIRE(::pipe(pipe) == 0); // without close-on-exec, as a careless host opens it
    const Descriptor reader(pipe[0]);
    const Descriptor writer(pipe[1]);
    const Descriptor lock(::open((root + "/.lock").c_str(), O_RDWR | O_CREAT, 0600));
    const auto held = PosixDisk().try_lock(root + "/held");
    BOOST_REQUIRE(lock);
    BOOST_REQUIRE(held);
    const Ended ended = run_program("/bin/ls", {"-l", "/proc/self/fd"}, in(30s), {});
    BOOST_TEST(ended.code == 0);
    // 0, 1, 2, and the directory that ls itself reads.
    BOOST_TEST_CONTEXT(ended.output) {
        BOOST_TEST(ended.output.find(" 0 -> /dev/null") != std::string::npos);
        BOOST_TEST(ended.output.find(" 1 -> pipe:") != std::string::npos);
        BOOST_TEST(ended.output.find(" 2 -> pipe:") != std::string::npos);
        BOOST_TEST(ended.output.find(" 3 -> /proc/") != std::string::npos);
        BOOST_TEST(ended.output.find(" 4 -> ") == std::string::npos);
        BOOST_TEST(ended.output.find(".lock") == std::string::npos);
    }
    // What was open here is untouched.
    BOOST_TEST((::fcntl(reader.get(), F_GETFD) & FD_CLOEXEC) == 0);
}

BOOST_AUTO_TEST_CASE(without_close_range_the_same_is_done_one_by_one) {
    const Descriptor open(::open((root + "/file").c_str(), O_RDWR | O_CREAT, 0600));
    const Descriptor high(::fcntl(open.get(), F_DUPFD, 900));
    BOOST_REQUIRE(high);
    const ::pid_t process = ::fork();
    if (process == 0) {
        detail::close_on_exec_one_by_one(open.get() + 1);
        const bool low_is_left = (::fcntl(open.get(), F_GETFD) & FD_CLOEXEC) == 0;
        const bool high_is_marked = (::fcntl(high.get(), F_GETFD) & FD_CLOEXEC) != 0;
        ::_exit(low_is_left && high_is_marked ? 0 : 1);
    }
    int status = -1;
    BOOST_REQUIRE(::waitpid(process, &status, 0) == process);
    BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(blocked_and_ignored_signals_are_not_handed_on) {
    ::sigset_t all;
    ::sigset_t before;
    ::sigfillset(&all);
    BOOST_REQUIRE(::pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    const auto pipe_action = ::signal(SIGPIPE, SIG_IGN);
    const Ended ended = shell("grep -E 'SigBlk|SigIgn' /proc/self/status", in(30s));
    ::signal(SIGPIPE, pipe_action);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    BOOST_TEST(ended.output.find("SigBlk:\t0000000000000000") != std::string::npos);
    const auto ignored = ended.output.substr(ended.output.find("SigIgn:\t") + 8, 16);
    BOOST_TEST((std::stoull(ignored, nullptr, 16) & (1ULL << (SIGPIPE - 1))) == 0U);
}

BOOST_AUTO_TEST_CASE(a_child_stays_in_our_process_group) {
    const Ended ended = shell("cut -d' ' -f5 /proc/self/stat", in(30s));
    BOOST_TEST(std::stoi(ended.output) == ::getpgrp());
}

BOOST_AUTO_TEST_CASE(a_child_that_will_not_hear_of_it_does_not_outlive_us) {
    const ::pid_t daemon = ::fork();
    if (daemon == 0) {
        static_cast<void>(shell("trap '' TERM; echo $$ >" + fifo() + "; exec sleep 1000"));
        ::_exit(0);
    }
    const ::pid_t process = std::stoi(line());
    BOOST_TEST(::kill(process, 0) == 0);
    ::kill(daemon, SIGKILL); // no word of goodbye
    BOOST_REQUIRE(::waitpid(daemon, nullptr, 0) == daemon);
    BOOST_TEST(ends(process));
}

BOOST_AUTO_TEST_CASE(nothing_of_ours_is_left_open_and_sigchld_stays_as_it_was) {
    struct ::sigaction before {};
    struct ::sigaction after {};
    ::sigaction(SIGCHLD, nullptr, &before);
    static_cast<void>(shell("exit 0"));
    const std::size_t open = PosixDisk().list("/proc/self/fd").size();
    static_cast<void>(shell("exit 1"));
    static_cast<void>(shell("exec sleep 1000", in(50ms)));
    BOOST_CHECK_THROW(static_cast<void>(run_program(root, {}, in(1s), {})), Failure);
    BOOST_TEST(PosixDisk().list("/proc/self/fd").size() == open);
    ::sigaction(SIGCHLD, nullptr, &after);
    BOOST_TEST((before.sa_handler == after.sa_handler));
}

BOOST_AUTO_TEST_CASE(many_threads_run_children_at_once_and_each_gets_its_own_answer) {
    std::vector<std::future<bool>> workers;
    for (int worker = 0; worker < 4; ++worker) {
        workers.push_back(std::async(std::launch::async, [worker] {
            bool right = true;
            for (int round = 0; round < 15; ++round) {
                const int code = 10 * worker + round % 10;
                const Ended ended = shell(
                    "echo " + std::to_string(code) + "; exit " + std::to_string(code), in(30s));
                right = right && ended.how == How::exited && ended.code == code &&
                        ended.output == std::to_string(code) + "\n";
            }
            return right;
        }));
    }
    for (auto& worker : workers) {
        BOOST_TEST(worker.get());
    }
}

BOOST_AUTO_TEST_SUITE_END()
