// A datagram socket, used for syslog lines, for metrics, and to tell systemd "I am up". Reporting
// must never stop the work, so sending waits 200 ms at most and never raises SIGPIPE.
#ifndef REPLICA_DAEMON_DATAGRAM_HPP
#define REPLICA_DAEMON_DATAGRAM_HPP

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace replica::daemon {

/// A connected datagram socket. Movable; `send` may be called from any thread.
class Datagram {
public:
    /// A socket of this node, such as /dev/log. A leading @ names an abstract socket.
    [[nodiscard]] static std::optional<Datagram> to_path(const std::string& path) {
        sockaddr_un address{};
        if (path.empty() || path.size() >= sizeof address.sun_path) {
            return std::nullopt;
        }
        address.sun_family = AF_UNIX;
        std::ranges::copy(path, address.sun_path);
        if (path.front() == '@') {
            address.sun_path[0] = '\0';
        }
        const auto size = offsetof(sockaddr_un, sun_path) + path.size() + (path[0] == '@' ? 0 : 1);
        return connected(AF_UNIX, reinterpret_cast<const sockaddr*>(&address),
                         static_cast<socklen_t>(size));
    }

    /// A UDP socket. If a name has both, IPv4 is preferred to IPv6, as in Swift. May wait for the
    /// resolver.
    [[nodiscard]] static std::optional<Datagram> to_host(const std::string& host, int port) {
        for (const int family : {AF_INET, AF_INET6}) {
            addrinfo hints{};
            hints.ai_family = family;
            hints.ai_socktype = SOCK_DGRAM;
            addrinfo* found = nullptr;
            if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
                continue;
            }
            const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found,
                                                                             &::freeaddrinfo};
            return connected(family, found->ai_addr, found->ai_addrlen);
        }
        return std::nullopt;
    }

    Datagram(Datagram&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Datagram& operator=(Datagram&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~Datagram() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

    /// Sends one whole message. With `wait`, a receiver with a full queue gets 200 ms to make room.
    /// False if the message was not sent.
    bool send(std::string_view message, bool wait = false) const noexcept {
        const int flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
        return ::send(descriptor_, message.data(), message.size(), flags) >= 0;
    }

private:
    explicit Datagram(int descriptor) noexcept : descriptor_(descriptor) {}

    static std::optional<Datagram> connected(int family, const sockaddr* address, socklen_t size) {
        Datagram datagram{::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        const timeval patience{.tv_sec = 0, .tv_usec = 200'000};
        if (datagram.descriptor_ < 0 ||
            ::setsockopt(datagram.descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience,
                         sizeof patience) != 0 ||
            ::connect(datagram.descriptor_, address, size) != 0) {
            return std::nullopt;
        }
        return datagram;
    }

    int descriptor_ = -1;
};

} // namespace replica::daemon

#endif
