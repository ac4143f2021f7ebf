// Counters and timings by UDP to a statsd server, under the names of the stock daemon, so that
// dashboards keep working; with labels as well if that is configured. No C++ client is packaged;
// the protocol is one line per metric. Behaviour: StatsdClient of Swift 2.30.1, and
// LabeledStatsdClient of 2.38.
#ifndef REPLICA_DAEMON_STATSD_HPP
#define REPLICA_DAEMON_STATSD_HPP

#include <replica/daemon/datagram.hpp>
#include <replica/daemon/settings.hpp>
#include <replica/daemon/statsd_labels.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <string>

namespace replica::daemon {

/// A statsd client. Does nothing if no host is configured. After construction it never throws and
/// never waits: a metric that cannot be sent is lost. Thread safety: any thread.
class Statsd {
public:
    /// `seed` is used for sampling only.
    explicit Statsd(const DaemonSettings& settings, std::uint64_t seed = std::random_device{}())
        : host_(settings.log_statsd_host), port_(settings.log_statsd_port),
          rate_(settings.log_statsd_default_sample_rate),
          factor_(settings.log_statsd_sample_rate_factor), plain_(settings.statsd_emit_legacy),
          form_(label_form(settings.statsd_label_mode)), labels_(settings.statsd_user_labels),
          random_(seed) {
        for (const auto& part : {settings.log_statsd_metric_prefix, settings.log_name}) {
            prefix_ += part.empty() ? "" : part + ".";
        }
        // As Swift names its metrics with labels: by what the program is, not by its log.
        const auto& role = settings.section.empty() ? settings.log_name : settings.section;
        name_ = "swift_" + (role.empty() ? "" : role + '_');
        std::ranges::replace(name_, '-', '_');
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
    void count(const Metric& metric, std::int64_t count = 1, std::optional<double> rate = {}) {
        send(metric, std::to_string(count) + "|c", rate);
    }

    /// Sends a duration, in milliseconds.
    void timing(const Metric& metric, Seconds duration, std::optional<double> rate = {}) {
        send(metric, decimal(duration.count() * 1000) + "|ms", rate);
    }

private:
    [[nodiscard]] static std::string decimal(double number) {
        char text[32];
        return {text, std::to_chars(text, text + sizeof text, number).ptr};
    }

    void send(const Metric& metric, std::string value, std::optional<double> rate) {
        const std::scoped_lock lock{mutex_};
        if (!socket_) {
            return;
        }
        const double share = rate.value_or(rate_) * factor_;
        if (share < 1) {
            if (std::uniform_real_distribution<double>{}(random_) >= share) {
                return;
            }
            value += "|@" + decimal(share);
        }
        if (plain_) {
            socket_->send(prefix_ + metric.plain + ':' + value);
        }
        if (form_) {
            auto labels = labels_;
            labels.insert(metric.labels.begin(), metric.labels.end());
            socket_->send(labelled_line(*form_, name_ + metric.name, value, labels));
        }
    }

    std::string host_;
    int port_;
    double rate_;
    double factor_;
    bool plain_;
    std::optional<LabelForm> form_;
    Labels labels_;
    std::string prefix_{};
    std::string name_{}; // as prefix_, where there are labels
    std::mutex mutex_;
    std::mt19937_64 random_;
    std::optional<Datagram> socket_{};
};

} // namespace replica::daemon

#endif
