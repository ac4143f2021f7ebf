// Counters and timings by UDP to a statsd server, under the names of the stock daemon, so that
// dashboards keep working. No C++ client is packaged; the protocol is one line per metric.
// Behaviour: StatsdClient of Swift 2.30.1.
#ifndef REPLICA_DAEMON_STATSD_HPP
#define REPLICA_DAEMON_STATSD_HPP

#include <replica/daemon/datagram.hpp>
#include <replica/daemon/settings.hpp>

#include <charconv>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace replica::daemon {

/// A statsd client. Does nothing if no host is configured. After construction it never throws and
/// never waits: a metric that cannot be sent is lost. Thread safety: any thread.
class Statsd {
public:
    /// `seed` is used for sampling only.
    explicit Statsd(const DaemonSettings& settings, std::uint64_t seed = std::random_device{}())
        : host_(settings.log_statsd_host), port_(settings.log_statsd_port),
          rate_(settings.log_statsd_default_sample_rate),
          factor_(settings.log_statsd_sample_rate_factor), random_(seed) {
        for (const auto& part : {settings.log_statsd_metric_prefix, settings.log_name}) {
            prefix_ += part.empty() ? "" : part + ".";
        }
        resolve();
    }

    /// Resolves the host's name again. Called between passes, since the resolver may be slow and
    /// the address may change while the daemon runs.
    void resolve() {
        if (!host_.empty()) {
            auto socket = Datagram::to_host(host_, port_);
            const std::scoped_lock lock{mutex_};
            socket_ = std::move(socket);
        }
    }

    /// Adds `count` to a counter.
    void count(std::string_view name, std::int64_t count = 1, std::optional<double> rate = {}) {
        send(name, std::to_string(count), "c", rate);
    }

    /// Sends a duration, in milliseconds.
    void timing(std::string_view name, Seconds duration, std::optional<double> rate = {}) {
        send(name, decimal(duration.count() * 1000), "ms", rate);
    }

private:
    [[nodiscard]] static std::string decimal(double number) {
        char text[32];
        return {text, std::to_chars(text, text + sizeof text, number).ptr};
    }

    void send(std::string_view name, const std::string& value, std::string_view kind,
              std::optional<double> rate) {
        const std::scoped_lock lock{mutex_};
        if (!socket_) {
            return;
        }
        const double share = rate.value_or(rate_) * factor_;
        auto message = prefix_ + std::string{name} + ":" + value + "|" + std::string{kind};
        if (share < 1) {
            if (std::uniform_real_distribution<double>{}(random_) >= share) {
                return;
            }
            message += "|@" + decimal(share);
        }
        socket_->send(message);
    }

    std::string host_;
    int port_;
    double rate_;
    double factor_;
    std::string prefix_{};
    std::mutex mutex_;
    std::mt19937_64 random_;
    std::optional<Datagram> socket_{};
};

} // namespace replica::daemon

#endif
