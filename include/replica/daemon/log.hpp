// Log lines where a Swift operator looks for them: in syslog, under Swift's tag, facility and
// levels, so that filters and alarms for the stock daemon keep working. spdlog formats and locks;
// the line form and the syslog sink are ours. The sink reaches any socket or host and never blocks
// for long on a stuck syslogd.
#ifndef REPLICA_DAEMON_LOG_HPP
#define REPLICA_DAEMON_LOG_HPP

#include <replica/daemon/config.hpp>
#include <replica/daemon/datagram.hpp>
#include <replica/daemon/settings.hpp>

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::daemon {

/// Swift's levels. `notice`, between info and warning, does not exist in spdlog. So our six levels
/// take the numbers of spdlog's six, in order; only our sinks know the difference.
enum class Level {
    debug,
    info,
    notice,
    warning,
    error,
    critical,
};

namespace detail {

struct Named {
    std::string_view name;
    int value;
};

inline constexpr std::array<Named, 8> log_levels{{{"DEBUG", 0},
                                                  {"INFO", 1},
                                                  {"NOTICE", 2},
                                                  {"WARNING", 3},
                                                  {"WARN", 3},
                                                  {"ERROR", 4},
                                                  {"CRITICAL", 5},
                                                  {"FATAL", 5}}};

inline constexpr std::array<Named, 20> log_facilities{{
    {"LOG_KERN", LOG_KERN},     {"LOG_USER", LOG_USER},     {"LOG_MAIL", LOG_MAIL},
    {"LOG_DAEMON", LOG_DAEMON}, {"LOG_AUTH", LOG_AUTH},     {"LOG_SYSLOG", LOG_SYSLOG},
    {"LOG_LPR", LOG_LPR},       {"LOG_NEWS", LOG_NEWS},     {"LOG_UUCP", LOG_UUCP},
    {"LOG_CRON", LOG_CRON},     {"LOG_FTP", LOG_FTP},       {"LOG_AUTHPRIV", LOG_AUTHPRIV},
    {"LOG_LOCAL0", LOG_LOCAL0}, {"LOG_LOCAL1", LOG_LOCAL1}, {"LOG_LOCAL2", LOG_LOCAL2},
    {"LOG_LOCAL3", LOG_LOCAL3}, {"LOG_LOCAL4", LOG_LOCAL4}, {"LOG_LOCAL5", LOG_LOCAL5},
    {"LOG_LOCAL6", LOG_LOCAL6}, {"LOG_LOCAL7", LOG_LOCAL7},
}};

template <std::size_t N>
[[nodiscard]] int value_of(const std::array<Named, N>& names, std::string_view name,
                           int otherwise) {
    for (const auto& [known, value] : names) {
        if (lower_case(known) == lower_case(name)) {
            return value;
        }
    }
    return otherwise;
}

[[nodiscard]] inline Level level_of(spdlog::level::level_enum level) {
    return static_cast<Level>(level);
}

} // namespace detail

/// The text of a line: "name: message", with line ends as #012. A line longer than `limit` bytes
/// (0: no limit) loses its middle.
[[nodiscard]] inline std::string log_line(std::string_view name, std::string_view message,
                                          std::size_t limit) {
    std::string line{name};
    line += ": ";
    for (const char c : message) {
        if (c == '\n') {
            line += "#012";
        } else {
            line += c;
        }
    }
    if (limit == 0 || line.size() <= limit) {
        return line;
    }
    if (limit < 7) {
        return line.substr(0, limit);
    }
    const auto half = (limit - 5) / 2;
    return line.substr(0, half) + " ... " + line.substr(line.size() - half);
}

/// Sends lines to syslog. Reconnects after a restart of syslogd. While syslogd is stuck, lines are
/// dropped; their number is logged once it reads again.
class SyslogSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit SyslogSink(const DaemonSettings& settings)
        : settings_(settings), socket_(connect()),
          facility_(detail::value_of(detail::log_facilities, settings.log_facility, LOG_LOCAL0)) {}

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const auto limit = static_cast<std::size_t>(settings_.log_max_line_length);
        const std::string_view text{message.payload.data(), message.payload.size()};
        const auto name = std::string_view{message.logger_name.data(), message.logger_name.size()};
        if (dropped_ > 0) {
            const auto note = fmt::format("{} log lines were dropped", dropped_);
            if (!deliver(Level::warning, log_line(name, note, limit))) {
                ++dropped_;
                return;
            }
            dropped_ = 0;
        }
        if (!deliver(detail::level_of(message.level), log_line(name, text, limit))) {
            ++dropped_;
        }
    }

    void flush_() override {}

private:
    // As in Swift: a UDP host if one is set, else the local socket, else UDP to this node.
    [[nodiscard]] std::optional<Datagram> connect() const {
        if (!settings_.log_udp_host.empty()) {
            return Datagram::to_host(settings_.log_udp_host, settings_.log_udp_port);
        }
        std::error_code ignored;
        if (std::filesystem::is_socket(settings_.log_address, ignored)) {
            return Datagram::to_path(settings_.log_address);
        }
        return Datagram::to_host("localhost", 514);
    }

    [[nodiscard]] bool deliver(Level level, const std::string& line) {
        constexpr std::array priorities{LOG_DEBUG,   LOG_INFO, LOG_NOTICE,
                                        LOG_WARNING, LOG_ERR,  LOG_CRIT};
        const auto priority = priorities[static_cast<std::size_t>(level)] | facility_;
        const auto message = "<" + std::to_string(priority) + ">" + line;
        const bool wait = dropped_ == 0; // a stuck syslogd costs 200 ms once, not per line
        if (socket_ && socket_->send(message, wait)) {
            return true;
        }
        socket_ = connect();
        return socket_ && socket_->send(message);
    }

    DaemonSettings settings_;
    std::optional<Datagram> socket_;
    int facility_;
    std::size_t dropped_ = 0;
};

/// Writes the same lines to a descriptor, by default stderr: for -v.
class ConsoleSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit ConsoleSink(std::size_t limit, int descriptor = STDERR_FILENO)
        : limit_(limit), descriptor_(descriptor) {}

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const auto line = log_line({message.logger_name.data(), message.logger_name.size()},
                                   {message.payload.data(), message.payload.size()}, limit_) +
                          "\n";
        std::string_view rest = line;
        while (!rest.empty()) {
            const auto written = ::write(descriptor_, rest.data(), rest.size());
            if (written <= 0) {
                return; // nobody reads it
            }
            rest.remove_prefix(static_cast<std::size_t>(written));
        }
    }

    void flush_() override {}

private:
    std::size_t limit_;
    int descriptor_;
};

/// The daemon's logger. Cheap to copy; copies write to the same sinks. Thread safety: any thread.
class Log {
public:
    /// Logs to syslog as `settings` says, and with `verbose` to stderr too.
    Log(const DaemonSettings& settings, bool verbose) {
        std::vector<spdlog::sink_ptr> sinks{std::make_shared<SyslogSink>(settings)};
        if (verbose) {
            sinks.push_back(std::make_shared<ConsoleSink>(
                static_cast<std::size_t>(settings.log_max_line_length)));
        }
        logger_ = std::make_shared<spdlog::logger>(settings.log_name, sinks.begin(), sinks.end());
        logger_->set_level(static_cast<spdlog::level::level_enum>(
            detail::value_of(detail::log_levels, settings.log_level, 1)));
    }

    /// Logs through the given spdlog logger, with the levels of this file.
    explicit Log(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {}

    template <class... Args>
    void operator()(Level level, fmt::format_string<Args...> format, Args&&... args) const {
        logger_->log(static_cast<spdlog::level::level_enum>(level), format,
                     std::forward<Args>(args)...);
    }

    /// Whether a line of this level is logged; ask before making a costly text.
    [[nodiscard]] bool shows(Level level) const {
        return logger_->should_log(static_cast<spdlog::level::level_enum>(level));
    }

private:
    std::shared_ptr<spdlog::logger> logger_;
};

} // namespace replica::daemon

#endif
