// swift.conf holds what all nodes of a cluster must agree on: the secret prefix and suffix that
// turn a name into a hash, and the storage policies. A node with a wrong suffix takes all its
// databases for misplaced, pushes them elsewhere and deletes them (defect 23; it has happened). So
// the daemon does not start if both prefix and suffix are missing. Behaviour: validate_hash_conf
// and parse_storage_policies of Swift 2.30.1.
#ifndef REPLICA_DAEMON_SWIFT_CONF_HPP
#define REPLICA_DAEMON_SWIFT_CONF_HPP

#include <replica/daemon/config.hpp>
#include <replica/daemon/settings_file.hpp>
#include <replica/settings.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace replica::daemon {

/// The contents of swift.conf. Prefix and suffix are bytes, in no particular encoding.
struct SwiftConf {
    std::string hash_path_prefix;
    std::string hash_path_suffix;
    std::vector<int> policies; // sorted indexes, never empty

    friend bool operator==(const SwiftConf&, const SwiftConf&) = default;
};

namespace detail {

inline constexpr std::string_view policy_section = "storage-policy:";

[[nodiscard]] inline std::vector<int> storage_policies(const Config& config) {
    std::vector<int> policies;
    bool any_in_use = false;
    for (const auto& section : config.sections()) {
        if (!section.starts_with(policy_section)) {
            continue;
        }
        int index = -1;
        if (!read_number(std::string_view{section}.substr(policy_section.size()), index) ||
            index < 0) {
            throw ConfigError(config.path() + ": [" + section +
                              "]: a policy's index must be a whole number from 0 up");
        }
        if (std::ranges::count(policies, index) != 0) {
            throw ConfigError(config.path() + ": [" + section + "]: policy index " +
                              std::to_string(index) + " is given twice");
        }
        policies.push_back(index);
        const auto values = config.values(section, Interpolation::always);
        const auto deprecated = values.find("deprecated");
        any_in_use |= deprecated == values.end() || !is_true(deprecated->second.text);
    }
    if (policies.empty()) {
        return {0};
    }
    if (std::ranges::count(policies, 0) == 0) {
        throw ConfigError(config.path() + ": policies are given, but no [storage-policy:0]");
    }
    if (!any_in_use) {
        throw ConfigError(config.path() + ": every storage policy is deprecated");
    }
    std::ranges::sort(policies);
    return policies;
}

} // namespace detail

/// Reads swift.conf. Throws ConfigError if there is no such file, if both hash prefix and suffix
/// are missing, or for bad policies.
[[nodiscard]] inline SwiftConf read_swift_conf(const std::filesystem::path& path) {
    const auto config = Config::read(path);
    SwiftConf conf;
    if (config.has("swift-hash")) {
        const auto values = config.values("swift-hash", Interpolation::always);
        const auto text = [&values](std::string_view key) {
            const auto found = values.find(key);
            return found == values.end() ? std::string{} : found->second.text;
        };
        conf.hash_path_prefix = text("swift_hash_path_prefix");
        conf.hash_path_suffix = text("swift_hash_path_suffix");
    }
    if (conf.hash_path_prefix.empty() && conf.hash_path_suffix.empty()) {
        throw ConfigError(path.string() + ": [swift-hash]: swift_hash_path_suffix and "
                                          "swift_hash_path_prefix are missing; one must be set, "
                                          "and to the same value on every node");
    }
    conf.policies = detail::storage_policies(config);
    return conf;
}

/// Copies the values of swift.conf into the settings of a replicator.
inline void apply(const SwiftConf& conf, Settings& settings) {
    settings.hash_path_prefix = conf.hash_path_prefix;
    settings.hash_path_suffix = conf.hash_path_suffix;
    settings.policies = conf.policies;
}

} // namespace replica::daemon

#endif
