// One table for all options: the member of DaemonSettings, the name, unit and bounds, and a reason
// to change it. Reading a configuration, `--help` and the sample configuration all walk this table,
// so they agree. Defaults are not repeated here: they are those of a default-constructed one.
#ifndef REPLICA_DAEMON_OPTIONS_HPP
#define REPLICA_DAEMON_OPTIONS_HPP

#include <replica/daemon/settings.hpp>
#include <replica/settings.hpp>

#include <boost/hana/for_each.hpp>
#include <boost/hana/tuple.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace replica::daemon {

/// Whose option it is. Swift ignores ours, so one file can serve both daemons.
enum class Origin {
    swift,
    replica,
};

/// The types that an option can have: those with a text form in this file.
template <class T>
concept OptionValue =
    std::same_as<T, bool> || std::same_as<T, int> || std::same_as<T, std::int64_t> ||
    std::same_as<T, std::uint64_t> || std::same_as<T, double> || std::same_as<T, Seconds> ||
    std::same_as<T, Reserve> || std::same_as<T, std::string>;

/// One option. `minimum` and `maximum` are inclusive bounds of numbers and of durations in seconds.
/// `zero` is a word for 0 ("auto", "off"); empty: none.
template <OptionValue T>
struct Option {
    T DaemonSettings::*member = nullptr;
    std::string_view name{};
    std::string_view unit{};
    double minimum = 0;
    double maximum = 0;
    std::string_view reason{};
    Origin origin = Origin::swift;
    std::string_view zero{};
};

/// Makes a numeric option. The member may be one of a base of DaemonSettings.
template <OptionValue T, class Owner>
[[nodiscard]] constexpr Option<T> number(T Owner::*member, std::string_view name,
                                         std::string_view unit, double minimum, double maximum,
                                         std::string_view reason, Origin origin = Origin::swift,
                                         std::string_view zero = {}) {
    return {member, name, unit, minimum, maximum, reason, origin, zero};
}

/// Makes an option without bounds: a switch, a text, a reserve.
template <OptionValue T, class Owner>
[[nodiscard]] constexpr Option<T> plain(T Owner::*member, std::string_view name,
                                        std::string_view unit, std::string_view reason,
                                        Origin origin = Origin::swift) {
    constexpr double any = std::numeric_limits<double>::infinity();
    return {member, name, unit, -any, any, reason, origin, {}};
}

/// The table, in the order of `--help`.
inline constexpr auto settings_options = boost::hana::make_tuple(
    number(&Settings::per_diff, "per_diff", "rows", 1, 1e6,
           "rows in one request, to a quick server of ours ten times as many, up to 10000; a peer "
           "further behind may get the whole file"),
    number(&Settings::max_diffs, "max_diffs", "batches", 1, 1e9,
           "times per_diff rows cap one database's share of a pass: a huge one starves no others"),
    number(&Settings::concurrency, "concurrency", "databases", 1, 1024,
           "databases in flight, all devices together; each device gets at least one"),
    number(&Settings::interval, "interval", "s", 0, 1e9,
           "time between the starts of two passes; a longer pass is followed at once by the next"),
    number(&Settings::databases_per_second, "databases_per_second", "databases/s", -1e9, 1e9,
           "leaves disks and peers room for user requests; 0 or less is unlimited"),
    number(&Settings::reclaim_age, "reclaim_age", "s", 0, 1e10,
           "how long a deletion is remembered; a replica away for longer holds back its old rows"),
    number(&Settings::node_timeout, "node_timeout", "s", 0.01, 86400,
           "a peer or an rsync that is silent for longer has failed"),
    number(&Settings::conn_timeout, "conn_timeout", "s", 0.01, 86400,
           "a peer that does not accept a connection within this has failed"),
    plain(&Settings::rsync_compress, "rsync_compress", "yes/no",
          "saves bandwidth towards other regions at the price of processor time"),
    plain(&Settings::rsync_module, "rsync_module", "template",
          "the peer's rsync module; fields ip port replication_ip replication_port region zone "
          "device meta; empty is {replication_ip}::account or ::container"),
    plain(&Settings::handoffs_only, "handoffs_only", "yes/no",
          "emergency: only drain misplaced databases to free space; switch off afterwards"),
    number(&Settings::handoff_delete, "handoff_delete", "copies", 0, 1000,
           "emergency: a misplaced database goes after this many copies instead of all",
           Origin::swift, "auto"),
    plain(&Settings::devices, "devices", "directory", "parent of the devices' mount points"),
    plain(&Settings::mount_check, "mount_check", "yes/no",
          "keeps an unmounted device from filling the root file system"),
    plain(&DaemonSettings::db_preallocation, "db_preallocation", "yes/no",
          "grows database files in steps, against fragmentation on spinning disks"),
    plain(&Settings::fallocate_reserve, "fallocate_reserve", "bytes or %",
          "a device with less free space answers every REPLICATE with 507"),
    plain(&Settings::bind_ip, "bind_ip", "address",
          "which devices of the ring are ours; 0.0.0.0 stands for every local address"),
    number(&Settings::bind_port, "bind_port", "port", 0, 65535,
           "which devices of the ring are ours; the port of the stock server", Origin::swift,
           "default"),
    plain(&DaemonSettings::swift_dir, "swift_dir", "directory", "holds swift.conf and the rings"),
    plain(&DaemonSettings::user, "user", "name",
          "owner of the databases; the process becomes this user"),
    plain(&DaemonSettings::recon_cache_path, "recon_cache_path", "directory",
          "where the figures for swift-recon are kept"),
    plain(&DaemonSettings::daemonize, "daemonize", "yes/no", "no: one pass, as with --once"),
    plain(&DaemonSettings::nice_priority, "nice_priority", "-20 to 19",
          "processor priority; empty leaves it alone"),
    plain(&DaemonSettings::ionice_class, "ionice_class", "IOPRIO_CLASS_RT, _BE or _IDLE",
          "class of disk priority; empty leaves it alone"),
    plain(&DaemonSettings::ionice_priority, "ionice_priority", "0 to 7",
          "disk priority in its class"),
    plain(&DaemonSettings::log_name, "log_name", "name",
          "tag of log lines and metrics; empty is the section's name"),
    plain(&DaemonSettings::log_facility, "log_facility", "LOG_LOCAL0 and so on", "syslog facility"),
    plain(&DaemonSettings::log_level, "log_level",
          "DEBUG, INFO, NOTICE, WARNING, ERROR or CRITICAL",
          "what is logged; DEBUG follows each database; an unknown one is INFO"),
    plain(&DaemonSettings::log_address, "log_address", "socket", "syslog's local socket"),
    plain(&DaemonSettings::log_udp_host, "log_udp_host", "host",
          "a remote syslog instead of the local socket"),
    number(&DaemonSettings::log_udp_port, "log_udp_port", "port", 1, 65535, "port of log_udp_host"),
    number(&DaemonSettings::log_max_line_length, "log_max_line_length", "characters", 0, 1e9,
           "longer lines lose their middle; 0 is no limit"),
    plain(&DaemonSettings::log_statsd_host, "log_statsd_host", "host",
          "where metrics go by UDP; empty sends none"),
    number(&DaemonSettings::log_statsd_port, "log_statsd_port", "port", 1, 65535,
           "port of log_statsd_host"),
    number(&DaemonSettings::log_statsd_default_sample_rate, "log_statsd_default_sample_rate",
           "share", 0, 1, "share of metrics that is sent"),
    number(&DaemonSettings::log_statsd_sample_rate_factor, "log_statsd_sample_rate_factor",
           "factor", 0, 1, "scales every sample rate down on a busy node"),
    plain(&DaemonSettings::log_statsd_metric_prefix, "log_statsd_metric_prefix", "text",
          "stands before every metric, for instance the host's name"),
    plain(&DaemonSettings::statsd_label_mode, "statsd_label_mode",
          "disabled, librato, influxdb, dogstatsd or graphite",
          "sends each metric with labels, in the form of this collector; since Swift 2.36"),
    plain(&DaemonSettings::statsd_emit_legacy, "statsd_emit_legacy", "yes/no",
          "no: metrics go with labels only"),
    number(&Settings::watchdog, "watchdog", "s", 0.01, 86400,
           "a worker that is silent for longer is given up for the pass, with its device",
           Origin::replica),
    number(&Settings::peer_hold, "peer_hold", "s", 0, 86400,
           "a device or node that did not answer is not asked again for this long",
           Origin::replica),
    number(
        &Settings::leave_share, "leave_share", "%", 0, 100,
        "most of a device's databases that are moved away or deleted in an hour, beyond the first "
        "100; a wrong ring or clock would take all of them; 100 is no limit",
        Origin::replica),
    plain(&Settings::push_files, "push_files", "yes/no",
          "sends whole files to servers like this one without rsync; others get rsync all the same",
          Origin::replica),
    number(
        &Settings::transfers_per_device, "transfers_per_device", "files", 0, 1024,
        "most whole files that are on their way to one device at a time; an rsync daemon refuses "
        "what is beyond its max connections; 0: no limit",
        Origin::replica),
    number(&Settings::recheck_passes, "recheck_passes", "passes", 1, 1000,
           "a database that every peer had, and that nobody has touched, is not opened; in one of "
           "so many passes it is, and its peers are asked; 1 opens all in every pass",
           Origin::replica),
    plain(&Settings::summaries, "summaries", "yes/no",
          "asks a server of ours one question in each pass about all that is at rest, not one for "
          "each database in turn; what is lost there shows in the next pass",
          Origin::replica),
    number(&Settings::rows_along, "rows_along", "rows", 0, 10000,
           "new rows that a server of ours gets with the question for its state, in one request "
           "instead of three; 0: none",
           Origin::replica),
    number(&Settings::compare_rows, "compare_rows", "rows", 0, 1e15,
           "a database with so many rows whose sync points are lost is compared with a server of "
           "ours, and only rows that differ are sent; smaller ones are sent whole; 0: never",
           Origin::replica),
    plain(&DaemonSettings::push_changes, "push_changes", "yes/no",
          "a database that was written to is sent at once, not by the next pass; needs root, or "
          "CAP_SYS_ADMIN, at the start",
          Origin::replica),
    number(&Settings::walk_interval, "walk_interval", "s", 0, 86400,
           "while the kernel tells all changes (push_changes), passes open what has changed or is "
           "due, and all directories are walked only so often; 0: in every pass",
           Origin::replica),
    number(&Settings::trash_age, "trash_age", "s", 0, 604800,
           "databases that are removed or replaced stay in the trash directory of their device for "
           "so long, at most half of reclaim_age, unless the device needs the room; 0: none",
           Origin::replica),
    number(&Settings::trash_share, "trash_share", "%", 0, 100,
           "of a device, which the trash of all kinds may take; the oldest goes first",
           Origin::replica),
    plain(&Settings::accept_stale, "accept_stale", "yes/no",
          "lets copies that were away for longer than reclaim_age send live rows from before; what "
          "was deleted meanwhile comes back; for one pass, after a look at what is held back",
          Origin::replica),
    plain(&DaemonSettings::ring, "ring", "file",
          "a JSON ring, or one of Swift's if it ends in .gz, in place of the one in swift_dir",
          Origin::replica),
    number(&Settings::replica_port, "replica_port", "port", 0, 65535,
           "our REPLICATE server beside the stock one; peers of our kind try it first",
           Origin::replica, "off"),
    number(&Settings::receiver_limit, "receiver_limit", "requests", 1, 1024,
           "requests at work per device in our server; one slow disk then holds no more",
           Origin::replica),
    plain(&DaemonSettings::shared_secret_file, "shared_secret_file", "file",
          "one or two secrets, one a line, that all nodes of ours share: the first signs each "
          "REPLICATE, both are good; empty signs nothing",
          Origin::replica),
    plain(&DaemonSettings::require_secret, "require_secret", "yes/no",
          "no: requests that are not signed are only told, for the time until all nodes sign",
          Origin::replica),
    plain(&DaemonSettings::refuse_unknown_addresses, "refuse_unknown_addresses", "yes/no",
          "refuses REPLICATE of addresses that no device of the ring has, which is only told else",
          Origin::replica),
    number(&Settings::seed, "seed", "number", 0, 9007199254740992.0,
           "repeats the same random choices, for tests", Origin::replica, "random"));

/// Options that a running service cannot change: they are about what it has or was allowed before
/// it became `user`, what its locks and its feed of changes go by, or the socket that it serves.
inline constexpr std::array<std::string_view, 15> options_of_the_start{
    "receiver_limit", "devices",       "mount_check",  "bind_ip",
    "bind_port",      "swift_dir",     "user",         "recon_cache_path",
    "daemonize",      "nice_priority", "ionice_class", "ionice_priority",
    "push_changes",   "ring",          "replica_port"};

[[nodiscard]] constexpr bool needs_a_restart(std::string_view name) {
    return std::ranges::find(options_of_the_start, name) != options_of_the_start.end();
}

/// Calls `visit` with each Option of the table.
template <class Visit>
constexpr void for_each_option(Visit&& visit) {
    boost::hana::for_each(settings_options, std::forward<Visit>(visit));
}

/// The text form of a value, as in a configuration file.
template <OptionValue T>
[[nodiscard]] std::string format_value(const Option<T>& option, const T& value) {
    const auto shortest = [](double number) {
        if (std::abs(number) < 1e15 && std::trunc(number) == number) {
            return std::to_string(static_cast<std::int64_t>(number)); // 604800, not 6.048e+05
        }
        char text[32];
        return std::string(text, std::to_chars(text, text + sizeof text, number).ptr);
    };
    if constexpr (std::same_as<T, std::string>) {
        return value;
    } else if constexpr (std::same_as<T, bool>) {
        return value ? "yes" : "no";
    } else if constexpr (std::same_as<T, Reserve>) {
        return shortest(value.value) + (value.is_percent ? "%" : "");
    } else if constexpr (std::same_as<T, Seconds>) {
        return shortest(value.count());
    } else if constexpr (std::same_as<T, double>) {
        return shortest(value);
    } else {
        return value == 0 && !option.zero.empty() ? std::string{option.zero}
                                                  : std::to_string(value);
    }
}

} // namespace replica::daemon

#endif
