// What a daemon must do so that swift-init, systemd and a shell can start and stop it: become the
// right user, lead its own session, release the terminal, and turn signals into events that a
// thread can wait for. Behaviour: drop_privileges, clean_up_daemon_hygiene, capture_stdio
// and modify_priority of Swift 2.30.1.
#ifndef REPLICA_DAEMON_PROCESS_HPP
#define REPLICA_DAEMON_PROCESS_HPP

#include <replica/daemon/config.hpp>
#include <replica/daemon/settings.hpp>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace replica::daemon {

namespace detail {

[[nodiscard]] inline std::string reason_of(int error) {
    return std::generic_category().message(error);
}

} // namespace detail

/// Opens /dev/null for each of stdin, stdout and stderr that is closed. Otherwise the first socket
/// or database would get number 0, 1 or 2, and every child process would inherit it.
inline void occupy_standard_descriptors() {
    int opened = 0;
    do {
        opened = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (opened >= 0 && opened <= STDERR_FILENO);
    if (opened >= 0) {
        ::close(opened);
    }
}

/// Becomes the user `name`, with its groups; nothing to do if it is already. Call it before any
/// thread is started. Throws ConfigError if there is no such user or the change is not allowed: as
/// another user the process would leave files that the stock servers cannot write.
inline void drop_privileges(const std::string& name) {
    const passwd* const user = ::getpwnam(name.c_str());
    if (user == nullptr) {
        throw ConfigError("user = " + name + ": there is no such user on this machine");
    }
    if (::geteuid() == 0) {
        if (::initgroups(name.c_str(), user->pw_gid) != 0 || ::setgid(user->pw_gid) != 0 ||
            ::setuid(user->pw_uid) != 0) {
            throw ConfigError("user = " + name +
                              ": cannot change to this user: " + detail::reason_of(errno));
        }
    } else if (::geteuid() != user->pw_uid) {
        const passwd* const self = ::getpwuid(::geteuid());
        const auto present =
            self != nullptr ? std::string{self->pw_name} : "user id " + std::to_string(::geteuid());
        throw ConfigError(
            "user = " + name + ": started as " + present +
            ", which cannot change to this user; start as root, or set user = " + present);
    }
    ::setenv("HOME", user->pw_dir, 1);
}

/// Makes the process lead its own session, in the root directory, with a umask of 022 and in UTC
/// (which also saves a stat of /etc/localtime per log line).
inline void settle() {
    ::setsid(); // fails for a shell's job, which leads its process group already
    static_cast<void>(::chdir("/") == 0); // there is no other
    ::umask(022);
    ::setenv("TZ", "UTC+0", 1);
    ::tzset();
}

/// Lets the process have as many files open as its hard limit allows, but no more than `most`, and
/// returns how many. The usual 1024 are too few for a server: a connection takes one descriptor, a
/// request that is served some more. A bound, since before Linux 5.11 each child looks at every
/// number up to the limit. A greater limit that is given stays.
inline std::uint64_t raise_descriptor_limit(std::uint64_t most = 65'536) {
    ::rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    const ::rlimit raised{std::max(limit.rlim_cur, std::min<::rlim_t>(limit.rlim_max, most)),
                          limit.rlim_max};
    return ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

/// Redirects stdin and stdout, and stderr unless `keep_stderr`, to /dev/null: swift-init waits
/// until both are closed before it reports that the daemon is up.
inline void release_streams(bool keep_stderr) {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (null >= 0 && (!keep_stderr || stream != STDERR_FILENO)) {
            ::dup2(null, stream);
        }
    }
    if (null > STDERR_FILENO) {
        ::close(null);
    }
}

/// Sets nice and ionice as configured, for this thread and threads it starts. Returns a message for
/// each that could not be set; the daemon runs all the same, as in Swift.
[[nodiscard]] inline std::vector<std::string> set_priorities(const DaemonSettings& settings) {
    std::vector<std::string> problems;
    const auto complain = [&problems](std::string_view option, const std::string& value,
                                      const std::string& reason) {
        problems.push_back("Unable to set " + std::string{option} + " = " + value + ": " + reason);
    };
    int nice = 0;
    if (const auto& value = settings.nice_priority; !value.empty()) {
        if (!read_number(value, nice)) {
            complain("nice_priority", value, "not a whole number");
        } else if (::setpriority(PRIO_PROCESS, 0, nice) != 0) {
            complain("nice_priority", value, detail::reason_of(errno));
        }
    }
    if (const auto& name = settings.ionice_class; !name.empty()) {
        constexpr std::array<std::string_view, 3> classes{"IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE",
                                                          "IOPRIO_CLASS_IDLE"};
        const auto found = std::ranges::find(classes, name);
        const auto& level = settings.ionice_priority;
        int priority = 0;
        if (found == classes.end()) {
            complain("ionice_class", name, "unknown class");
        } else if (!level.empty() &&
                   (!read_number(level, priority) || priority < 0 || priority > 7)) {
            complain("ionice_priority", level, "not a number from 0 to 7");
        } else if (::syscall(SYS_ioprio_set, 1 /* a thread */, 0,
                             ((found - classes.begin() + 1) << 13) | priority) != 0) {
            complain("ionice_class", name, detail::reason_of(errno));
        }
    }
    return problems;
}

/// Drops all capabilities for good, from this thread, threads that it starts, and child programs. A
/// unit that gives a user one for the start (fanotify needs CAP_SYS_ADMIN) gives it to nobody else.
/// Root keeps its own: without them it could not even read the files of others. Called by the only
/// thread. Throws ConfigError if the kernel refuses.
inline void drop_capabilities() {
    if (::geteuid() == 0) {
        return;
    }
    ::__user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<::__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        ::syscall(SYS_capset, &header, none.data()) != 0) {
        throw ConfigError("capabilities cannot be dropped: " + detail::reason_of(errno));
    }
}

/// A lock that only one running daemon can hold. Two daemons over the same devices would do all
/// work twice. A single pass (--once) may run beside the service and takes no lock.
class Exclusion {
public:
    /// Empty if another process holds the lock. Throws ConfigError if the file cannot be opened.
    [[nodiscard]] static std::optional<Exclusion> take(const std::string& path) {
        Exclusion lock{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)};
        if (lock.descriptor_ < 0) {
            throw ConfigError(path + ": " + detail::reason_of(errno));
        }
        if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
            return std::nullopt;
        }
        return lock;
    }

    /// Whether some process holds the lock; false if the file cannot be opened. A daemon that
    /// starts at this moment may find it held by this question, and ends: its unit starts it again.
    [[nodiscard]] static bool is_held(const std::string& path) {
        const Exclusion question{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
        return question.descriptor_ >= 0 && ::flock(question.descriptor_, LOCK_SH | LOCK_NB) != 0;
    }

    Exclusion(Exclusion&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Exclusion& operator=(Exclusion&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~Exclusion() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

private:
    explicit Exclusion(int descriptor) noexcept : descriptor_(descriptor) {}

    int descriptor_;
};

/// Signals as events. A handler writes to a pipe. Blocking the signals instead would block them in
/// rsync too, which inherits the mask and then could not be ended. One object per process.
class Signals {
public:
    /// Events: SIGTERM, SIGINT or SIGHUP; `done`; or `nothing` if none came in time.
    static constexpr int done = 0;
    static constexpr int nothing = -1;

    /// Takes over SIGTERM, SIGINT and SIGHUP, and ignores SIGPIPE.
    Signals() {
        if (::pipe2(pipe_.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
            throw std::system_error(errno, std::generic_category(), "pipe");
        }
        writer_ = pipe_[1];
        struct sigaction action {};
        action.sa_flags = SA_RESTART;
        action.sa_handler = &post;
        for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
            ::sigaction(signal, &action, nullptr);
        }
        action.sa_handler = [](int) {}; // not SIG_IGN, which children would inherit
        ::sigaction(SIGPIPE, &action, nullptr);
    }
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals() {
        for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) {
            static_cast<void>(::signal(signal, SIG_DFL));
        }
        writer_ = -1;
        ::close(pipe_[0]);
        ::close(pipe_[1]);
    }

    /// Ends a wait with this event. Any thread.
    static void post(int event) {
        const int saved = errno;
        const auto byte = static_cast<char>(event);
        static_cast<void>(::write(writer_, &byte, 1) == 1);
        errno = saved;
    }

    /// Waits for an event, at most so many milliseconds; -1 waits for ever.
    [[nodiscard]] int wait(int milliseconds) const {
        pollfd ready{.fd = pipe_[0], .events = POLLIN, .revents = 0};
        int changed = 0;
        do {
            changed = ::poll(&ready, 1, milliseconds);
        } while (changed < 0 && errno == EINTR);
        char event = 0;
        return changed > 0 && ::read(pipe_[0], &event, 1) == 1 ? event : nothing;
    }

private:
    static inline std::atomic<int> writer_{-1};
    std::array<int, 2> pipe_{-1, -1};
};

/// Sends SIGTERM to this process's group, children included, if it leads one.
inline void end_children() {
    if (::getpgrp() == ::getpid()) {
        ::kill(0, SIGTERM);
    }
}

} // namespace replica::daemon

#endif
