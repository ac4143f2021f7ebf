// From a configuration file to settings and back to text. Values that Swift accepts but that do
// harm (per_diff = 0 loses data, a negative handoff_delete deletes at once) are refused at start,
// with file, section, key and reason; values that Swift merely tolerates become warnings.
#ifndef REPLICA_DAEMON_SETTINGS_FILE_HPP
#define REPLICA_DAEMON_SETTINGS_FILE_HPP

#include <replica/daemon/config.hpp>
#include <replica/daemon/options.hpp>
#include <replica/daemon/settings.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace replica::daemon {

namespace detail {

[[nodiscard]] inline bool is_one_of(std::string_view text, std::string_view words) {
    const auto padded = " " + lower_case(text) + " ";
    return words.find(padded) != words.npos;
}

} // namespace detail

/// Whether Swift takes this text for true.
[[nodiscard]] inline bool is_true(std::string_view text) {
    return detail::is_one_of(text, " true 1 yes on t y ");
}

/// Whether the text is neither true nor false. Swift silently takes it for false, even if that is
/// the dangerous value, as with `mount_check = ture`.
[[nodiscard]] inline bool is_doubtful(std::string_view text) {
    return !is_true(text) && !text.empty() && !detail::is_one_of(text, " false 0 no off f n none ");
}

/// Parses the text of one option. On success sets `value` and returns an empty text; else returns
/// the reason and leaves `value` unchanged.
template <OptionValue T>
[[nodiscard]] std::string parse_value(const Option<T>& option, std::string_view text, T& value) {
    if constexpr (std::same_as<T, std::string>) {
        value = text;
        return {};
    } else if constexpr (std::same_as<T, bool>) {
        value = is_true(text);
        return {};
    } else if constexpr (std::same_as<T, Reserve>) {
        const bool is_percent = text.ends_with('%');
        double amount = 0;
        if (!read_number(trimmed(text.substr(0, text.size() - is_percent)), amount) ||
            !std::isfinite(amount) || amount < 0 || (is_percent && amount > 100) ||
            (!is_percent && std::trunc(amount) != amount)) {
            return "must be a whole number of bytes, or 0 to 100 followed by %";
        }
        value = {amount, is_percent};
        return {};
    } else {
        constexpr bool is_real = std::same_as<T, double> || std::same_as<T, Seconds>;
        if (!option.zero.empty() && lower_case(text) == option.zero) {
            value = T{};
            return {};
        }
        using Number = std::conditional_t<is_real, double, T>;
        Number number{};
        const bool read = read_number(text, number);
        const auto real = static_cast<double>(number);
        if (!read || !std::isfinite(real) || real < option.minimum || real > option.maximum) {
            const Option<double> bounds{};
            return "must be " + std::string{is_real ? "a number" : "a whole number"} + " from " +
                   format_value(bounds, option.minimum) + " to " +
                   format_value(bounds, option.maximum) + " (" + std::string{option.unit} + ")" +
                   (option.zero.empty() ? "" : ", or the word " + std::string{option.zero});
        }
        value = T{number};
        return {};
    }
}

/// Settings from a file, and warnings for the operator that do not prevent the start.
struct LoadedSettings {
    DaemonSettings settings;
    std::vector<std::string> warnings;
};

namespace detail {

// Replaces Swift's two deprecated names by today's.
inline void translate_old_names(ConfigValues& values, std::string_view section,
                                std::vector<std::string>& warnings) {
    if (const auto old = values.find("run_pause"); old != values.end()) {
        const auto interval = values.find("interval");
        const bool used = interval == values.end() || interval->second.text.empty();
        if (used) {
            values.insert_or_assign("interval", old->second);
        }
        warnings.push_back(
            "Option " + std::string{section} + "/run_pause is deprecated; " +
            (used ? "use interval instead" : "it is ignored because interval is set"));
    }
    if (const auto old = values.find("vm_test_mode"); old != values.end()) {
        const auto server = std::string{section.substr(0, section.find('-'))};
        if (is_true(old->second.text) && !values.contains("rsync_module")) {
            values["rsync_module"] = {"{replication_ip}::" + server + "{replication_port}",
                                      old->second.where};
        }
        warnings.push_back("Option " + std::string{section} +
                           "/vm_test_mode is deprecated; use rsync_module instead");
    }
    if (values.contains("log_custom_handlers")) {
        warnings.push_back("Option " + std::string{section} +
                           "/log_custom_handlers names Python code and is ignored");
    }
}

// Labels of every metric, by names of the operator: statsd_user_label_NAME = VALUE is label
// user_NAME. Names and values are bounded as in Swift.
[[nodiscard]] inline Labels user_labels(const ConfigValues& values, std::string_view section) {
    constexpr std::string_view prefix = "statsd_user_label_";
    const auto holds_only = [](std::string_view text, std::string_view more) {
        return std::ranges::all_of(text, [&](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                   more.find(c) != more.npos;
        });
    };
    Labels labels;
    for (auto at = values.lower_bound(prefix); at != values.end() && at->first.starts_with(prefix);
         ++at) {
        const auto& [text, where, spelling] = at->second;
        const auto name = spelling.substr(prefix.size());
        if (!holds_only(name, "_") || !holds_only(text, "_.")) {
            std::string what = where;
            what.append(": [").append(section).append("] ").append(spelling);
            what.append(" = ").append(text);
            throw ConfigError(what + ": a name has letters, digits and _, a value . as well");
        }
        labels["user_" + name] = text;
    }
    return labels;
}

// Names in the section itself that nobody reads. [DEFAULT] is shared with daemons that have other
// options, and a name that another value refers to is read there.
[[nodiscard]] inline std::vector<std::string> unread(const Config& config,
                                                     std::string_view section) {
    const auto own = config.own(section);
    const auto is_known = [](std::string_view name) {
        bool known = name.starts_with("statsd_user_label_") ||
                     is_one_of(name, " run_pause vm_test_mode log_custom_handlers log_format "
                                     "db_query_logging disable_fallocate eventlet_debug "
                                     "backdoor_port workers use __file__ here ");
        for_each_option([&](const auto& option) { known = known || option.name == name; });
        return known;
    };
    std::vector<std::string> lines;
    for (const auto& [key, value] : own) {
        const std::string name(trimmed(key.starts_with("set ") ? key.substr(4) : key));
        const auto place = value.where + ": [" + std::string{section} + "] ";
        if (!is_known(name)) {
            if (!config.refers(section, name)) {
                lines.push_back(place + name + " is no option and has no effect");
            }
        } else if (key != value.spelling && !name.starts_with("statsd_user_label_")) {
            lines.push_back(place);
            lines.back().append(value.spelling).append(" counts as ").append(name);
            lines.back().append(", but not for Swift from 2.32 on");
        }
    }
    return lines;
}

// A trailing slash would end up in the middle of every path (defect 63).
inline void drop_trailing_slashes(std::string& path) {
    while (path.size() > 1 && path.ends_with('/')) {
        path.pop_back();
    }
}

} // namespace detail

/// The settings of one section, such as "container-replicator". Unknown options are ignored, as in
/// Swift: [DEFAULT] is shared with other daemons of the node. Those of the section itself are told.
/// An empty value keeps the default for max_diffs and interval, as in Swift. Throws ConfigError.
[[nodiscard]] inline LoadedSettings load_settings(const Config& config, std::string_view section) {
    auto values = config.values(section);
    LoadedSettings loaded;
    auto& settings = loaded.settings;
    detail::translate_old_names(values, section, loaded.warnings);
    for_each_option([&]<class T>(const Option<T>& option) {
        const auto found = values.find(option.name);
        if (found == values.end()) {
            return;
        }
        const auto& [text, where, spelling] = found->second;
        if (text.empty() && (option.name == "max_diffs" || option.name == "interval")) {
            return;
        }
        const auto place = where + ": [" + std::string{section} + "] " + std::string{option.name};
        if (const auto reason = parse_value(option, text, settings.*option.member);
            !reason.empty()) {
            throw ConfigError(place + " = " + text + ": " + reason);
        }
        if (std::same_as<T, bool> && is_doubtful(text)) {
            loaded.warnings.push_back(place + " = " + text +
                                      " is neither yes nor no, and taken for no");
        }
    });
    for (const auto* path : {&settings.devices, &settings.swift_dir, &settings.recon_cache_path}) {
        if (path->empty()) {
            throw ConfigError(config.path() + ": [" + std::string{section} +
                              "]: devices, swift_dir and recon_cache_path must not be empty");
        }
    }
    settings.section = section;
    if (lower_case(settings.statsd_label_mode) != "disabled" &&
        !label_form(settings.statsd_label_mode)) {
        throw ConfigError(values.at("statsd_label_mode").where + ": [" + std::string{section} +
                          "] statsd_label_mode = " + settings.statsd_label_mode +
                          ": must be disabled, librato, influxdb, dogstatsd or graphite");
    }
    if (!detail::is_one_of(settings.log_level,
                           " debug info notice warning warn error critical fatal ")) {
        loaded.warnings.push_back(values.at("log_level").where + ": [" + std::string{section} +
                                  "] log_level = " + settings.log_level +
                                  " is no level, and taken for INFO");
    }
    settings.statsd_user_labels = detail::user_labels(values, section);
    std::ranges::move(detail::unread(config, section), std::back_inserter(loaded.warnings));
    detail::drop_trailing_slashes(settings.devices);
    detail::drop_trailing_slashes(settings.rsync_module);
    if (settings.log_name.empty()) {
        settings.log_name = section;
    }
    return loaded;
}

namespace detail {

/// "1 to 1000", empty if there are no bounds.
template <OptionValue T>
[[nodiscard]] std::string bounds_text(const Option<T>& option) {
    const Option<double> bounds{};
    return std::isfinite(option.minimum) ? format_value(bounds, option.minimum) + " to " +
                                               format_value(bounds, option.maximum)
                                         : std::string();
}

} // namespace detail

/// The table of options, for `--help`. A + marks options that Swift does not have.
[[nodiscard]] inline std::string options_help() {
    const DaemonSettings defaults;
    std::string text = "Options of the configuration file (+ not known to Swift):\n";
    for_each_option([&]<class T>(const Option<T>& option) {
        const auto value = format_value(option, defaults.*option.member);
        const auto bounds = detail::bounds_text(option);
        text += option.origin == Origin::replica ? "+ " : "  ";
        text += std::string{option.name} + " = " + (value.empty() ? "(empty)" : value) + "  [" +
                std::string{option.unit} + (bounds.empty() ? "" : ", " + bounds) + "]\n      " +
                std::string{option.reason} + "\n";
    });
    return text;
}

/// A configuration file with all options at their defaults, commented out, ready to be edited.
/// packaging/manual.py makes a manual page of it and goes by its form: for each option an empty
/// line, lines that begin with "# ", and last "#NAME = VALUE".
[[nodiscard]] inline std::string sample_config(std::string_view section) {
    constexpr std::size_t columns = 78;
    const DaemonSettings defaults;
    std::string text = "[" + std::string{section} + "]\n";
    for_each_option([&]<class T>(const Option<T>& option) {
        const auto bounds = detail::bounds_text(option);
        std::string words{option.reason};
        words += ". (" + std::string{option.unit} + (bounds.empty() ? "" : ", " + bounds) + ")";
        words += option.origin == Origin::replica ? " Not known to Swift." : "";
        words += needs_a_restart(option.name) ? " A change needs a restart." : "";
        text += '\n';
        for (std::string_view rest = words; !rest.empty();) {
            auto end = rest.size();
            if (end > columns) {
                end = rest.substr(0, columns).rfind(' ');
            }
            text += "# " + std::string{rest.substr(0, end)} + '\n';
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        const auto value = format_value(option, defaults.*option.member);
        text += "#" + std::string{option.name} + " =" + (value.empty() ? "" : " " + value) + "\n";
    });
    return text;
}

} // namespace replica::daemon

#endif
