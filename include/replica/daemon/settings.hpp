// The options of a daemon: those of its replicator, which a host program sets as well, and those of
// its files, its process and its log. Names and defaults are Swift's, as in the other settings.
#ifndef REPLICA_DAEMON_SETTINGS_HPP
#define REPLICA_DAEMON_SETTINGS_HPP

#include <replica/daemon/statsd_labels.hpp>
#include <replica/settings.hpp>

#include <string>
#include <string_view>

namespace replica::daemon {

/// The options of one daemon. The engine takes the `Settings` in it.
struct DaemonSettings : Settings {
    // Files.
    std::string swift_dir = "/etc/swift";
    std::string ring{}; // a ring file, .gz or JSON; empty: <swift_dir>/<type>.ring.gz
    std::string recon_cache_path = "/var/cache/swift";
    bool db_preallocation = false;
    bool push_changes = true; // where the kernel tells them

    // Who may send to our server.
    std::string shared_secret_file{}; // empty: nothing is signed
    bool require_secret = true;       // counts only with a file
    bool refuse_unknown_addresses = false;

    // The process.
    std::string user = "swift";
    bool daemonize = true; // false means one pass
    std::string nice_priority{};
    std::string ionice_class{};
    std::string ionice_priority{};

    // Log and metrics.
    std::string section{};  // "container-replicator"; names metrics with labels
    std::string log_name{}; // empty: the name of the configuration section
    std::string log_facility = "LOG_LOCAL0";
    std::string log_level = "INFO";
    std::string log_address = "/dev/log";
    std::string log_udp_host{};
    int log_udp_port = 514;
    int log_max_line_length = 0; // 0: no limit
    std::string log_statsd_host{};
    int log_statsd_port = 8125;
    double log_statsd_default_sample_rate = 1.0;
    double log_statsd_sample_rate_factor = 1.0;
    std::string log_statsd_metric_prefix{};
    bool statsd_emit_legacy = true;
    std::string statsd_label_mode = "disabled";
    Labels statsd_user_labels{}; // "user_NAME" for each statsd_user_label_NAME
};

/// The ring file that is configured, or else that of Swift's servers of this kind ("account").
[[nodiscard]] inline std::string ring_path(const DaemonSettings& settings,
                                           std::string_view server) {
    return settings.ring.empty() ? settings.swift_dir + '/' + std::string(server) + ".ring.gz"
                                 : settings.ring;
}

} // namespace replica::daemon

#endif
