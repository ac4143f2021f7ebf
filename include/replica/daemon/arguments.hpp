// The command line of swift-container-replicator and swift-account-replicator, so that swift-init,
// unit files and operators' habits keep working; and `--explain` and `--print-config`, which
// Swift's do not have.
#ifndef REPLICA_DAEMON_ARGUMENTS_HPP
#define REPLICA_DAEMON_ARGUMENTS_HPP

#include <replica/daemon/config.hpp>
#include <replica/daemon/settings_file.hpp>
#include <replica/version.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace replica::daemon {

/// The parsed command line. Paths are absolute, since a daemon changes its directory.
struct Arguments {
    std::string config;
    bool once = false;
    bool verbose = false;
    std::vector<std::string> devices{};      // empty: all; only with once
    std::vector<std::uint32_t> partitions{}; // empty: all; only with once
    std::string explain{};                   // a database file, or empty
    std::vector<std::string> undo{};         // what is to be brought back
    bool trash = false;

    /// Whether one question is answered, by neither a pass nor a service.
    [[nodiscard]] bool only_asks() const { return trash || !explain.empty() || !undo.empty(); }
};

/// Nothing to run: prints a text and exits with `code`. Code 0 goes to stdout, any other to stderr.
struct Exit {
    int code = 0;
    std::string text;
};

namespace detail {

// The parts of "a, b,,c", without blanks and empty parts.
[[nodiscard]] inline std::vector<std::string> comma_list(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto comma = text.find(',');
        if (const auto part = trimmed(text.substr(0, comma)); !part.empty()) {
            parts.emplace_back(part);
        }
        text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
    }
    return parts;
}

[[nodiscard]] inline std::vector<std::uint32_t> partition_list(std::string_view text) {
    std::vector<std::uint32_t> partitions;
    for (const auto& part : comma_list(text)) {
        const bool digits = part.find_first_not_of("0123456789") == part.npos;
        std::uint32_t partition = 0;
        if (!digits || !read_number(part, partition)) {
            throw ConfigError("--partitions: \"" + part + "\" is not a partition number");
        }
        partitions.push_back(partition);
    }
    return partitions;
}

} // namespace detail

/// Parses a command line. `kind_type` is "container" or "account". The bare words `once` and
/// `verbose` count as flags: swift-init passes them in this form.
[[nodiscard]] inline std::variant<Arguments, Exit>
parse_arguments(int argc, const char* const* argv, std::string_view kind_type) {
    Arguments arguments;
    std::string devices;
    std::string partitions;
    std::vector<std::string> words;
    CLI::App app{"Keeps the replicas of " + std::string{kind_type} + " databases identical."};
    app.footer("\n" + options_help());
    app.set_version_flag("--version", version_text());
    app.add_option("CONFIG", words, "Configuration file, or a directory of *.conf files");
    app.add_flag("-o,--once", arguments.once, "Run one pass and exit");
    app.add_flag("-v,--verbose", arguments.verbose, "Log to the console as well");
    app.add_option("-d,--devices", devices,
                   "Replicate only these devices (comma-separated). Only with --once");
    app.add_option("-p,--partitions", partitions,
                   "Replicate only these partitions (comma-separated). Only with --once");
    app.add_option("--explain", arguments.explain,
                   "Say what a pass would do with this database file and why; change nothing");
    app.add_flag("--trash", arguments.trash,
                 "List what was removed, replaced or put into quarantine on this node");
    app.add_option("--undo", arguments.undo,
                   "Bring back databases that --trash lists: a path, a hash, a name "
                   "(/account/container) or all. The service may run; a wrong ring or clock must "
                   "have been mended first");
    bool print_config = false;
    app.add_flag("--print-config", print_config,
                 "Print a configuration file with every option: its default, unit, bounds and use");
    const auto usage =
        "Usage: " + std::filesystem::path{argv[0]}.filename().string() + " CONFIG [options]\n";
    try {
        app.parse(argc, argv);
        arguments.partitions = detail::partition_list(partitions);
    } catch (const CLI::CallForHelp&) {
        return Exit{0, app.help()};
    } catch (const CLI::CallForVersion& version) {
        return Exit{0, std::string{version.what()} + "\n"};
    } catch (const std::exception& error) {
        return Exit{2, usage + "Error: " + error.what() + "\n"};
    }
    if (print_config) {
        return Exit{0, sample_config(std::string{kind_type} + "-replicator")};
    }
    if (words.empty()) {
        return Exit{1, usage + "Error: missing config path argument\n"};
    }
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i] != "once" && words[i] != "verbose") {
            return Exit{2, usage + "Error: unexpected argument " + words[i] + "\n"};
        }
        (words[i] == "once" ? arguments.once : arguments.verbose) = true;
    }
    arguments.config = std::filesystem::absolute(words[0]).lexically_normal().string();
    std::error_code ignored;
    if (!std::filesystem::exists(arguments.config, ignored)) {
        return Exit{1, usage + "Error: unable to locate " + arguments.config + "\n"};
    }
    if (!arguments.explain.empty()) {
        arguments.explain = std::filesystem::absolute(arguments.explain).string();
    }
    arguments.devices = detail::comma_list(devices);
    return arguments;
}

} // namespace replica::daemon

#endif
