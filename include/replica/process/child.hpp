#ifndef REPLICA_PROCESS_CHILD_HPP
#define REPLICA_PROCESS_CHILD_HPP

// Runs one program until it ends, a deadline passes or a stop is requested. Nothing is left behind:
// no process, no zombie, and none of our descriptors in the child. A child that inherited the lock
// of a directory, or the pipe of another child, would hold it as long as it runs.
//
// The end of a child is read from a pidfd (Linux 5.3), for two reasons. Boost.Process's wait_for
// and wait_until take over SIGCHLD for the whole process. The end of the child's output may come
// earlier, or much later if the child has children of its own.
//
// A child stays in our process group, so a signal to the group (swift-init, a terminal) ends it
// with us, as in Swift (defect 66). A stop ends it through the stop token. If this process is
// killed, the kernel kills the child (PR_SET_PDEATHSIG). The kernel does so when the *thread* that
// made the child ends; run_program blocks that thread as long as the child lives.
//
// SIGTERM alone is not enough: an rsync that is asked to end first tells its peer, and over a dead
// connection that takes until its own timeout, or a minute.

#include <replica/clock.hpp>
#include <replica/disk/descriptor.hpp>
#include <replica/error.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/process/args.hpp>
#include <boost/process/async_pipe.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace replica {

/// How a program ended.
struct Ended {
    enum class How {
        exited,    ///< By itself; `code` is the exit code.
        signalled, ///< By a signal from elsewhere; `code` is the signal.
        timed_out, ///< We ended it at the deadline.
        stopped,   ///< We ended it because of a stop.
    };

    How how = How::exited;
    int code = 0;
    std::string output; ///< The first 4 KiB of output and error output together.
};

namespace detail {

/// Replaces close_range where it does not exist (before Linux 5.11).
inline void close_on_exec_one_by_one(int first) noexcept {
    ::rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const auto end = static_cast<int>(std::min<::rlim_t>(limit.rlim_cur, 1U << 20));
    for (int number = first; number < end; ++number) {
        ::fcntl(number, F_SETFD, FD_CLOEXEC); // fails for descriptors that are not open
    }
}

/// Runs in the child between fork and exec, where only async-signal-safe calls are allowed.
inline void prepare_child(::pid_t parent) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(127); // the parent ended before prctl
    }
    // A daemon may block signals and ignore SIGPIPE; exec keeps both settings.
    for (const int number : {SIGPIPE, SIGTERM, SIGINT}) {
        static_cast<void>(::signal(number, SIG_DFL));
    }
    ::sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
        close_on_exec_one_by_one(3);
    }
}

/// A child, its output and its end. Belongs to one thread.
class RunningChild {
public:
    /// Throws Failure with io if the program cannot be started.
    RunningChild(const std::string& program, const std::vector<std::string>& arguments)
        : pipe_(io_), end_(io_) {
        namespace process = boost::process;
        for (const int number : {pipe_.native_source(), pipe_.native_sink()}) {
            ::fcntl(number, F_SETFD, FD_CLOEXEC); // others may fork at this moment
        }
        const ::pid_t parent = ::getpid();
        std::error_code code;
        child_ = process::child(
            process::exe = program, process::args = arguments,
            process::std_in<process::null, (process::std_out & process::std_err)> pipe_,
            process::extend::on_exec_setup = [parent](auto&) { prepare_child(parent); },
            process::extend::on_error =
                [](auto& executor, const std::error_code&) {
                    // Boost 1.81 does not wait for a child that could not call exec.
                    if (executor.pid > 0) {
                        ::waitpid(executor.pid, nullptr, 0);
                    }
                },
            code);
        if (code) {
            throw Failure(Error::io, "cannot run " + program + ": " + code.message());
        }
        const auto end = static_cast<int>(::syscall(SYS_pidfd_open, child_.id(), 0));
        if (end == -1) {
            throw_errno(errno, "watch", program); // the destructor ends the child
        }
        end_.assign(end);
        end_.async_wait(boost::asio::posix::descriptor_base::wait_read, [this](auto) {
            ended_ = true;
            io_.stop();
        });
        read();
    }

    /// Waits for the end; false if a stop or `until` came first.
    [[nodiscard]] bool wait(Instant until, const std::stop_token& stop) {
        io_.restart();
        const std::stop_callback wake(stop, [this] { io_.stop(); });
        io_.run_until(until);
        return ended_;
    }

    /// Sends SIGTERM, and SIGKILL after half a second: a daemon that must stop has one second. Only
    /// a child that hangs in a dead disk survives; it keeps its thread, and the watchdog gives that
    /// thread up.
    void end() {
        constexpr std::chrono::milliseconds patience{500};
        ::kill(child_.id(), SIGTERM); // not yet waited for, so the number is still the child's
        if (!wait(SystemClock().monotonic() + patience, {})) {
            ::kill(child_.id(), SIGKILL);
            static_cast<void>(wait(Instant::max(), {}));
        }
    }

    /// Reaps the child after its end. Reads what it has written, but does not wait for output of
    /// its own children.
    [[nodiscard]] Ended reap() {
        io_.restart();
        int pieces = 0; // each is one read of the pipe, which holds 64 KiB at most
        while (pieces < 64 && io_.poll_one() != 0) {
            ++pieces;
        }
        std::error_code code;
        child_.wait(code);
        if (code) {
            throw Failure(Error::io, "cannot wait for a child: " + code.message());
        }
        const int status = child_.native_exit_code();
        return WIFSIGNALED(status) ? Ended{Ended::How::signalled, WTERMSIG(status), output_}
                                   : Ended{Ended::How::exited, WEXITSTATUS(status), output_};
    }

private:
    static constexpr std::size_t kept = 4096;

    /// Reads as long as there is output, so that the child never blocks on a full pipe.
    void read() {
        pipe_.async_read_some(boost::asio::buffer(piece_), [this](auto code, std::size_t bytes) {
            output_.append(piece_.data(), std::min(bytes, kept - output_.size()));
            if (!code) {
                read();
            }
        });
    }

    boost::asio::io_context io_{1};
    boost::process::async_pipe pipe_;
    boost::asio::posix::stream_descriptor end_;
    boost::process::child child_;
    std::array<char, 4096> piece_{};
    std::string output_;
    bool ended_ = false;
};

} // namespace detail

/// Runs `program` (a path) with `arguments` and without input. Throws Failure with io if it cannot
/// be run. Thread safety: any thread.
[[nodiscard]] inline Ended run_program(const std::string& program,
                                       const std::vector<std::string>& arguments, Instant deadline,
                                       const std::stop_token& stop) {
    detail::RunningChild child(program, arguments);
    if (child.wait(deadline, stop)) {
        return child.reap();
    }
    child.end();
    Ended ended = child.reap();
    ended.how = stop.stop_requested() ? Ended::How::stopped : Ended::How::timed_out;
    return ended;
}

} // namespace replica

#endif // REPLICA_PROCESS_CHILD_HPP
