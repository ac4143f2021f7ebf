#ifndef REPLICA_TEST_FUZZ_CONFIG_DOOR_HPP
#define REPLICA_TEST_FUZZ_CONFIG_DOOR_HPP

// A configuration file and swift.conf. Settings that are accepted stay within their bounds, and are
// the same when they are written down and read again.

#include "door.hpp"
#include <replica/daemon/config.hpp>
#include <replica/daemon/options.hpp>
#include <replica/daemon/settings.hpp>
#include <replica/daemon/settings_file.hpp>
#include <replica/daemon/swift_conf.hpp>

#include <algorithm>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

namespace replica::fuzz {

struct ConfigDoor {
    static constexpr const char* section = "container-replicator";

    void operator()(std::string_view input) const {
        daemon::Config config;
        if (!reads([&] { config.add(input, "/etc/swift/fuzz.conf"); })) {
            return;
        }
        for (const std::string& name : config.sections()) {
            static_cast<void>(
                reads([&] { (void)config.values(name, daemon::Interpolation::always); }));
        }
        static_cast<void>(reads([&] { require_policies(config); }));
        std::optional<daemon::LoadedSettings> loaded;
        if (reads([&] { loaded = daemon::load_settings(config, section); })) {
            require_round_trip(loaded->settings);
        }
    }

private:
    template <class Read>
    [[nodiscard]] static bool reads(Read read) {
        return accepts(read, [](Error error) { return error == Error::bad_config; });
    }

    static void require_policies(const daemon::Config& config) {
        const auto policies = daemon::detail::storage_policies(config);
        require(std::ranges::is_sorted(policies) && !policies.empty() && policies.front() == 0,
                "policies are not sorted, or there is no policy 0");
        require(std::ranges::adjacent_find(policies) == policies.end(), "a policy twice");
    }

    static void require_round_trip(const daemon::DaemonSettings& settings) {
        std::string text = std::string("[") + section + "]\n";
        daemon::for_each_option([&]<class T>(const daemon::Option<T>& option) {
            const std::string value = daemon::format_value(option, settings.*option.member);
            if (is_plain(value)) {
                text += std::string(option.name) + " = " + value + '\n';
            }
        });
        daemon::Config config;
        config.add(text, "/etc/swift/again.conf");
        const daemon::DaemonSettings again = daemon::load_settings(config, section).settings;
        daemon::for_each_option([&]<class T>(const daemon::Option<T>& option) {
            const T& value = settings.*option.member;
            const T& other = again.*option.member;
            if (is_plain(daemon::format_value(option, value))) {
                require(value == other, std::string(option.name) + " does not round-trip");
            }
            if constexpr (std::same_as<T, int> || std::same_as<T, std::int64_t>) {
                const auto real = static_cast<double>(value);
                const bool named = value == 0 && !option.zero.empty();
                require(named || (real >= option.minimum && real <= option.maximum),
                        std::string(option.name) + " is out of bounds");
            }
        });
    }

    /// Whether a text can stand in a line as it is: blanks at its ends and lines come from
    /// references only.
    [[nodiscard]] static bool is_plain(const std::string& text) {
        return text.find_first_of("\n\r%") == std::string::npos && daemon::trimmed(text) == text;
    }
};

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_CONFIG_DOOR_HPP
