#include <replica/daemon/options.hpp>

#define BOOST_TEST_MODULE daemon_options
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <type_traits>

using namespace replica;
using namespace replica::daemon;

namespace {

template <class T>
concept Countable = std::integral<T> && !std::same_as<T, bool>;

} // namespace

BOOST_AUTO_TEST_CASE(every_option_has_its_own_name_and_a_reason) {
    std::set<std::string_view> names;
    for_each_option([&](const auto& option) {
        BOOST_TEST(names.insert(option.name).second, option.name);
        BOOST_TEST(!option.unit.empty(), option.name);
        BOOST_TEST(option.reason.size() > 7, option.name);
        BOOST_TEST(option.reason.find('\n') == option.reason.npos, option.name);
    });
    BOOST_TEST(names.size() > 40);
}

BOOST_AUTO_TEST_CASE(every_option_of_swift_is_known) {
    std::set<std::string_view> names;
    for_each_option([&](const auto& option) {
        if (option.origin == Origin::swift) {
            names.insert(option.name);
        }
    });
    for (const auto* const name : {"per_diff",
                                   "max_diffs",
                                   "concurrency",
                                   "interval",
                                   "databases_per_second",
                                   "node_timeout",
                                   "conn_timeout",
                                   "reclaim_age",
                                   "rsync_compress",
                                   "rsync_module",
                                   "handoffs_only",
                                   "handoff_delete",
                                   "recon_cache_path",
                                   "db_preallocation",
                                   "devices",
                                   "mount_check",
                                   "bind_ip",
                                   "bind_port",
                                   "swift_dir",
                                   "user",
                                   "log_name",
                                   "log_facility",
                                   "log_level",
                                   "log_address",
                                   "log_udp_host",
                                   "log_udp_port",
                                   "log_max_line_length",
                                   "log_statsd_host",
                                   "log_statsd_port",
                                   "log_statsd_default_sample_rate",
                                   "log_statsd_sample_rate_factor",
                                   "log_statsd_metric_prefix",
                                   "statsd_label_mode",
                                   "statsd_emit_legacy",
                                   "nice_priority",
                                   "ionice_class",
                                   "ionice_priority",
                                   "daemonize",
                                   "fallocate_reserve"}) {
        BOOST_TEST(names.contains(name), name);
    }
}

BOOST_AUTO_TEST_CASE(every_default_lies_within_its_bounds) {
    const DaemonSettings defaults;
    for_each_option([&]<class T>(const Option<T>& option) {
        const auto& value = defaults.*option.member;
        BOOST_TEST(option.minimum < option.maximum, option.name);
        if constexpr (std::same_as<T, Seconds>) {
            BOOST_TEST(value.count() >= option.minimum, option.name);
            BOOST_TEST(value.count() <= option.maximum, option.name);
        } else if constexpr (Countable<T> || std::same_as<T, double>) {
            BOOST_TEST(static_cast<double>(value) >= option.minimum, option.name);
            BOOST_TEST(static_cast<double>(value) <= option.maximum, option.name);
        } else {
            BOOST_TEST(std::isinf(option.minimum), option.name);
        }
    });
}

BOOST_AUTO_TEST_CASE(every_number_is_bounded) {
    for_each_option([&]<class T>(const Option<T>& option) {
        if constexpr (Countable<T>) {
            BOOST_TEST(std::isfinite(option.minimum), option.name);
            BOOST_TEST(option.minimum >= 0, option.name);
            // The bound must fit the type: parse_value compares after reading.
            BOOST_TEST(option.maximum <= static_cast<double>(std::numeric_limits<T>::max()),
                       option.name);
        }
    });
}

BOOST_AUTO_TEST_CASE(what_needs_a_restart_is_an_option_of_the_table) {
    std::size_t found = 0;
    for_each_option([&](const auto& option) { found += needs_a_restart(option.name) ? 1 : 0; });
    BOOST_TEST(found == options_of_the_start.size());
    BOOST_TEST(needs_a_restart("user"));
    BOOST_TEST(!needs_a_restart("interval"));
}

BOOST_AUTO_TEST_CASE(what_would_lose_data_cannot_be_configured) {
    for_each_option([&](const auto& option) {
        if (option.name == "per_diff" || option.name == "max_diffs" ||
            option.name == "concurrency") {
            BOOST_TEST(option.minimum >= 1, option.name);
        }
    });
}

BOOST_AUTO_TEST_CASE(values_have_the_form_that_a_file_would_hold) {
    const Option<Seconds> seconds{};
    BOOST_TEST(format_value(seconds, Seconds{604800}) == "604800");
    BOOST_TEST(format_value(seconds, Seconds{100000}) == "100000");
    BOOST_TEST(format_value(seconds, Seconds{0.5}) == "0.5");
    BOOST_TEST(format_value(Option<double>{}, -1.0) == "-1");
    BOOST_TEST(format_value(Option<bool>{}, true) == "yes");
    BOOST_TEST(format_value(Option<bool>{}, false) == "no");
    BOOST_TEST(format_value(Option<std::string>{}, std::string{"/a b"}) == "/a b");
    BOOST_TEST(format_value(Option<Reserve>{}, Reserve{1.5, true}) == "1.5%");
    BOOST_TEST(format_value(Option<Reserve>{}, Reserve{1048576, false}) == "1048576");
    BOOST_TEST(format_value(Option<int>{}, 0) == "0");
    BOOST_TEST(format_value(Option<int>{.zero = "auto"}, 0) == "auto");
    BOOST_TEST(format_value(Option<int>{.zero = "auto"}, 2) == "2");
}

BOOST_AUTO_TEST_CASE(names_are_written_as_the_parser_reads_them) {
    for_each_option([&](const auto& option) {
        BOOST_TEST(std::ranges::all_of(option.name,
                                       [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; }),
                   option.name);
    });
}
