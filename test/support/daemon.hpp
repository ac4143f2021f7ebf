// What the daemon's tests share: a directory that goes away, and sockets that listen where the
// daemon would send its log lines and metrics.
#ifndef REPLICA_TEST_SUPPORT_DAEMON_HPP
#define REPLICA_TEST_SUPPORT_DAEMON_HPP

#include <boost/test/unit_test.hpp>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
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

} // namespace support

#endif
