// What the daemon's tests share: a directory that goes away, and sockets that listen where the
// daemon would send its log lines and metrics.
#ifndef REPLICA_TEST_SUPPORT_DAEMON_HPP
#define REPLICA_TEST_SUPPORT_DAEMON_HPP

#include <boost/test/unit_test.hpp>

#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace support {

/// A unique directory below the system's temporary one, removed with all it holds.
class Directory {
public:
    Directory() {
        auto pattern = (std::filesystem::temp_directory_path() / "replica.XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] std::string path(std::string_view name) const { return (path_ / name).string(); }

    /// Writes a file and gives its path.
    [[nodiscard]] std::string file(std::string_view name, std::string_view text) const {
        std::ofstream{path(name), std::ios::binary} << text;
        return path(name);
    }

    [[nodiscard]] std::string text(std::string_view name) const {
        std::ifstream stream{path(name), std::ios::binary};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }

private:
    std::filesystem::path path_;
};

/// A datagram socket of the test: what the daemon sends is read back one message at a time.
class Listener {
public:
    /// Listens on a path of the file system.
    explicit Listener(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        BOOST_REQUIRE(path.size() < sizeof address.sun_path);
        std::memcpy(address.sun_path, path.data(), path.size());
        BOOST_REQUIRE(
            ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }

    /// Listens on a free UDP port of 127.0.0.1.
    Listener() : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        BOOST_REQUIRE(
            ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() { ::close(socket_); }

    [[nodiscard]] int port() const {
        sockaddr_in address{};
        socklen_t size = sizeof address;
        BOOST_REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        return ntohs(address.sin_port);
    }

    /// The next message; nothing if none has come within this time.
    [[nodiscard]] std::optional<std::string> next(int milliseconds = 5000) const {
        pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
        if (::poll(&ready, 1, milliseconds) <= 0) {
            return std::nullopt;
        }
        std::string message(65536, '\0');
        const auto size = ::recv(socket_, message.data(), message.size(), 0);
        BOOST_REQUIRE(size >= 0);
        message.resize(static_cast<std::size_t>(size));
        return message;
    }

    /// The next message that holds `fragment`, or an empty text.
    [[nodiscard]] std::string find(std::string_view fragment) const {
        while (const auto message = next()) {
            if (message->find(fragment) != std::string::npos) {
                return *message;
            }
        }
        return {};
    }

private:
    int socket_;
};

/// Runs `body` in a child process and gives its exit code, or minus the signal that ended it. For
/// what would change the test's own process: its user, its session, its descriptors.
template <class Body>
[[nodiscard]] int in_child(const Body& body) {
    const pid_t child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
        int code = 99;
        try {
            code = body();
        } catch (const std::exception&) {
        }
        ::_exit(code);
    }
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// Makes root the user nobody with one capability, as systemd does with AmbientCapabilities.
[[nodiscard]] inline bool become_nobody_with(unsigned capability) {
    const uid_t nobody = ::getpwnam("nobody")->pw_uid;
    const unsigned bit = 1U << capability;
    ::__user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    ::__user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{{bit, bit, bit}, {}};
    return ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && ::setresuid(nobody, nobody, nobody) == 0 &&
           ::syscall(SYS_capset, &header, sets) == 0 &&
           ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0;
}

/// A pipe whose ends close by themselves.
class Pipe {
public:
    Pipe() { BOOST_REQUIRE(::pipe(ends_) == 0); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close_reader();
        close_writer();
    }

    [[nodiscard]] int reader() const { return ends_[0]; }
    [[nodiscard]] int writer() const { return ends_[1]; }
    void close_reader() { close(ends_[0]); }
    void close_writer() { close(ends_[1]); }

    /// All that is written until every writer is gone. Fails the test if that takes a minute.
    [[nodiscard]] std::string rest() {
        close_writer();
        std::string text;
        char buffer[4096];
        while (true) {
            pollfd ready{.fd = ends_[0], .events = POLLIN, .revents = 0};
            BOOST_REQUIRE(::poll(&ready, 1, 50'000) == 1);
            const auto got = ::read(ends_[0], buffer, sizeof buffer);
            if (got <= 0) {
                return text;
            }
            text.append(buffer, static_cast<std::size_t>(got));
        }
    }

private:
    static void close(int& end) {
        if (end >= 0) {
            ::close(end);
            end = -1;
        }
    }

    int ends_[2]{-1, -1};
};

} // namespace support

#endif
