// What a unit of Type=notify hears: that the daemon is up, what it does, that it still moves, that
// it reads its configuration again, that it ends. The protocol is that of sd_notify(3): datagrams
// to the socket that NOTIFY_SOCKET names. It is short, so there is no libsystemd to link.
#ifndef REPLICA_DAEMON_NOTIFY_HPP
#define REPLICA_DAEMON_NOTIFY_HPP

#include <replica/daemon/config.hpp>
#include <replica/daemon/datagram.hpp>
#include <replica/words/timestamp.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace replica::daemon {

/// Speaks to the service manager; does nothing if there is none. A message takes 200 ms at most and
/// is lost if nobody takes it. Thread safety: any thread.
class Notifier {
public:
    Notifier() = default;

    /// `watchdog`: how long the manager waits for moves(); 0: for ever.
    explicit Notifier(std::string socket, Seconds watchdog = {})
        : socket_(std::move(socket)), watchdog_(watchdog) {}

    /// The manager that started this process. The variables are taken out of the environment, for
    /// children must not speak for us. Call it before any thread is started.
    [[nodiscard]] static Notifier from_environment() {
        const auto take = [](const char* name) {
            const char* const text = std::getenv(name);
            std::string value(text != nullptr ? text : "");
            ::unsetenv(name);
            return value;
        };
        std::string socket = take("NOTIFY_SOCKET");
        const std::string period = take("WATCHDOG_USEC");
        const std::string whose = take("WATCHDOG_PID");
        std::uint64_t microseconds = 0;
        const bool ours = whose.empty() || whose == std::to_string(::getpid());
        if (!ours || !read_number(period, microseconds)) {
            microseconds = 0;
        }
        return Notifier(std::move(socket), std::chrono::microseconds(microseconds));
    }

    [[nodiscard]] bool listening() const { return !socket_.empty(); }
    [[nodiscard]] Seconds watchdog() const { return watchdog_; }

    void ready() const { send("READY=1"); }
    void stopping() const { send("STOPPING=1"); }

    /// Until the next ready(). Of several messages the manager goes by the one of the latest time.
    void reloading() const {
        const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
            std::chrono::steady_clock::now().time_since_epoch());
        send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count()));
    }

    /// One line for `systemctl status`.
    void status(std::string text) const {
        std::ranges::replace(text, '\n', ' ');
        send("STATUS=" + text);
    }

    /// The daemon moves: the manager waits for another watchdog().
    void moves() const { send("WATCHDOG=1"); }

private:
    void send(std::string_view message) const {
        if (!listening()) {
            return;
        }
        if (const auto socket = Datagram::to_path(socket_)) { // anew: the manager may be as well
            socket->send(message, true);
        }
    }

    std::string socket_{};
    Seconds watchdog_{};
};

} // namespace replica::daemon

#endif
