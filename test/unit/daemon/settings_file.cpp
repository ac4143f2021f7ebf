#include <replica/daemon/settings_file.hpp>

#define BOOST_TEST_MODULE daemon_settings_file
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::daemon;

namespace {

constexpr std::string_view section = "container-replicator";

LoadedSettings load(std::string_view options, std::string_view defaults = "") {
    Config config;
    config.add("[DEFAULT]\n" + std::string{defaults} + "[container-replicator]\n" +
                   std::string{options},
               "/etc/swift/c.conf");
    return load_settings(config, section);
}

std::string complaint(std::string_view options) {
    try {
        (void)load(options);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "(no complaint)";
}

} // namespace

BOOST_AUTO_TEST_CASE(an_empty_section_gives_the_defaults) {
    const auto [settings, warnings] = load("");
    const DaemonSettings defaults;
    BOOST_TEST(warnings.empty());
    BOOST_TEST(settings.log_name == section);
    for_each_option([&](const auto& option) {
        if (option.name != "log_name") {
            BOOST_TEST(format_value(option, settings.*option.member) ==
                           format_value(option, defaults.*option.member),
                       option.name);
        }
    });
}

BOOST_AUTO_TEST_CASE(every_option_is_read_back_as_it_was_written) {
    DaemonSettings wanted;
    wanted.per_diff = 7;
    wanted.max_diffs = 8;
    wanted.concurrency = 9;
    wanted.interval = Seconds{0.25};
    wanted.databases_per_second = -1;
    wanted.handoff_delete = 2;
    wanted.mount_check = false;
    wanted.rsync_compress = true;
    wanted.fallocate_reserve = {1 << 20, false};
    wanted.replica_port = 16201;
    wanted.seed = 9007199254740992;
    wanted.user = "me";
    std::string text;
    for_each_option([&](const auto& option) {
        text +=
            std::string{option.name} + " = " + format_value(option, wanted.*option.member) + "\n";
    });
    const auto settings = load(text).settings;
    wanted.log_name = section;
    for_each_option([&](const auto& option) {
        BOOST_TEST(format_value(option, settings.*option.member) ==
                       format_value(option, wanted.*option.member),
                   option.name);
    });
    BOOST_TEST(settings.seed == 9007199254740992);
    BOOST_TEST(settings.interval.count() == 0.25);
}

BOOST_AUTO_TEST_CASE(the_default_section_is_inherited_and_overridden) {
    const auto settings = load("user = a\n", "user = b\ndevices = /d\nworkers = 3\n").settings;
    BOOST_TEST(settings.user == "a");
    BOOST_TEST(settings.devices == "/d");
}

BOOST_AUTO_TEST_CASE(options_of_others_are_ignored_in_the_section_that_all_share) {
    const auto [settings, warnings] = load("", "eventlet_debug = yes\nno_such_thing = 1\n");
    BOOST_TEST(warnings.empty());
}

BOOST_AUTO_TEST_CASE(an_option_of_swift_that_says_nothing_to_us_is_not_told) {
    const auto [settings, warnings] =
        load("eventlet_debug = yes\ndb_query_logging = no\ndisable_fallocate = no\n"
             "statsd_user_label_a = b\nbackdoor_port = 1\n");
    BOOST_TEST(warnings.empty());
}

BOOST_AUTO_TEST_CASE(a_misspelt_option_of_the_section_is_told_with_its_line) {
    const auto [settings, warnings] =
        load("per_diff = 5\nreclaim_aeg = 86400\nset intervall = 3\n", "reclaim_aeg = 1\n");
    BOOST_REQUIRE(warnings.size() == 2u);
    BOOST_TEST(warnings[0] == "/etc/swift/c.conf:5: [container-replicator] reclaim_aeg is no "
                              "option and has no effect");
    BOOST_TEST(warnings[1] == "/etc/swift/c.conf:6: [container-replicator] intervall is no "
                              "option and has no effect");
    BOOST_TEST(settings.per_diff == 5);
}

BOOST_AUTO_TEST_CASE(a_name_that_another_value_refers_to_is_an_option_of_its_own) {
    const auto [settings, warnings] = load("root = /srv\ndevices = %(root)s/node\n");
    BOOST_TEST(warnings.empty());
    BOOST_TEST(settings.devices == "/srv/node");
    BOOST_TEST(load("Root = /srv\ndevices = %(Root)s/node\n").warnings.empty());
    BOOST_TEST(load("root = /srv\n", "devices = %(root)s/node\n").warnings.empty());
}

BOOST_AUTO_TEST_CASE(capitals_count_here_and_not_for_newer_swifts) {
    const auto [settings, warnings] = load("Per_Diff = 5\n");
    BOOST_TEST(settings.per_diff == 5);
    BOOST_REQUIRE(warnings.size() == 1u);
    BOOST_TEST(warnings[0] == "/etc/swift/c.conf:3: [container-replicator] Per_Diff counts as "
                              "per_diff, but not for Swift from 2.32 on");
}

BOOST_AUTO_TEST_CASE(a_level_that_nobody_knows_is_told) {
    BOOST_TEST(load("log_level = Warn\n").warnings.empty());
    BOOST_TEST(load("log_level = FATAL\n").warnings.empty());
    const auto [settings, warnings] = load("log_level = verbose\n");
    BOOST_REQUIRE(warnings.size() == 1u);
    BOOST_TEST(warnings[0] == "/etc/swift/c.conf:3: [container-replicator] log_level = verbose is "
                              "no level, and taken for INFO");
}

BOOST_AUTO_TEST_CASE(true_is_what_swift_takes_for_true) {
    for (const auto* const text : {"true", "1", "yes", "on", "t", "y", "True", "YES", "tRuE"}) {
        BOOST_TEST(is_true(text), text);
        BOOST_TEST(!is_doubtful(text), text);
    }
    for (const auto* const text : {"false", "0", "no", "off", "f", "n", "", "None"}) {
        BOOST_TEST(!is_true(text), text);
        BOOST_TEST(!is_doubtful(text), text);
    }
    for (const auto* const text : {"ture", "2", "yes no", "enabled"}) {
        BOOST_TEST(!is_true(text), text);
        BOOST_TEST(is_doubtful(text), text);
    }
}

BOOST_AUTO_TEST_CASE(a_misspelt_switch_counts_as_no_but_is_told) {
    const auto [settings, warnings] = load("mount_check = ture\n");
    BOOST_TEST(!settings.mount_check);
    BOOST_REQUIRE(warnings.size() == 1u);
    BOOST_TEST(warnings[0] == "/etc/swift/c.conf:3: [container-replicator] mount_check = ture is "
                              "neither yes nor no, and taken for no");
}

BOOST_AUTO_TEST_CASE(bad_values_are_refused_with_file_section_key_and_reason) {
    for (const std::string option : {"per_diff = 0",
                                     "per_diff = -1",
                                     "per_diff = many",
                                     "per_diff =",
                                     "per_diff = 1.5",
                                     "per_diff = 1e3",
                                     "per_diff = 1_000",
                                     "per_diff = 0x10",
                                     "per_diff = 99999999999999999999",
                                     "max_diffs = 0",
                                     "concurrency = 0",
                                     "concurrency = -8",
                                     "concurrency = 2000",
                                     "interval = -1",
                                     "interval = soon",
                                     "interval = nan",
                                     "interval = inf",
                                     "node_timeout = 0",
                                     "node_timeout = 10s",
                                     "conn_timeout = 0",
                                     "reclaim_age = -1",
                                     "handoff_delete = -1",
                                     "handoff_delete = all",
                                     "databases_per_second = nan",
                                     "bind_port = 65536",
                                     "bind_port = http",
                                     "replica_port = -1",
                                     "log_udp_port = 0",
                                     "receiver_limit = 0",
                                     "log_statsd_default_sample_rate = 1.5",
                                     "statsd_label_mode = prometheus",
                                     "statsd_label_mode =",
                                     "seed = -1",
                                     "seed = x",
                                     "fallocate_reserve = 101%",
                                     "fallocate_reserve =",
                                     "fallocate_reserve = 1.5",
                                     "fallocate_reserve = -1",
                                     "fallocate_reserve = %",
                                     "fallocate_reserve = 1 GB"}) {
        const auto text = complaint(option + "\n");
        const auto key = option.substr(0, option.find(' '));
        BOOST_TEST(text.starts_with("/etc/swift/c.conf:3: [container-replicator] " + key + " = "),
                   option << " -> " << text);
        BOOST_TEST(text.find(": must be ") != text.npos, option << " -> " << text);
    }
}

BOOST_AUTO_TEST_CASE(labels_of_the_operator_are_named_as_by_swift) {
    const auto settings = load("statsd_label_mode = Graphite\nstatsd_user_label_rack = r7.b\n"
                               "statsd_user_label_Host_2 = x_1\nstatsd_user_label_none =\n"
                               "statsd_user = no label\nstatsd_user_labels = none\n")
                              .settings;
    const Labels wanted{{"user_Host_2", "x_1"}, {"user_none", ""}, {"user_rack", "r7.b"}};
    BOOST_TEST((settings.statsd_user_labels == wanted));
    BOOST_TEST(settings.statsd_label_mode == "Graphite");
    BOOST_TEST(load("").settings.statsd_user_labels.empty());
}

BOOST_AUTO_TEST_CASE(a_label_that_would_break_a_line_is_refused) {
    for (const std::string option : {"statsd_user_label_a-b = x", "statsd_user_label_A.b = x",
                                     "statsd_user_label_a = x,y", "statsd_user_label_a = x y"}) {
        const auto text = complaint(option + "\n");
        BOOST_TEST(text.starts_with("/etc/swift/c.conf:3: [container-replicator] " + option),
                   option << " -> " << text);
    }
}

BOOST_AUTO_TEST_CASE(a_complaint_says_what_would_be_right) {
    BOOST_TEST(complaint("per_diff = 0\n") ==
               "/etc/swift/c.conf:3: [container-replicator] per_diff = 0: "
               "must be a whole number from 1 to 1000000 (rows)");
    BOOST_TEST(complaint("handoff_delete = x\n").ends_with(", or the word auto"));
}

BOOST_AUTO_TEST_CASE(numbers_may_be_written_as_python_writes_them) {
    BOOST_TEST(load("per_diff = +5\n").settings.per_diff == 5);
    BOOST_TEST(load("per_diff = 007\n").settings.per_diff == 7);
    BOOST_TEST(load("interval = 1e2\n").settings.interval.count() == 100.0);
    BOOST_TEST(load("interval = .5\n").settings.interval.count() == 0.5);
    BOOST_TEST(load("databases_per_second = 0\n").settings.databases_per_second == 0.0);
    BOOST_TEST(load("handoff_delete = AUTO\n").settings.handoff_delete == 0);
    BOOST_TEST(load("handoff_delete = 2\n").settings.handoff_delete == 2);
    BOOST_TEST(load("replica_port = off\n").settings.replica_port == 0);
    BOOST_TEST(
        (load("fallocate_reserve = 2.5%\n").settings.fallocate_reserve == Reserve{2.5, true}));
    BOOST_TEST(
        (load("fallocate_reserve = 1024\n").settings.fallocate_reserve == Reserve{1024, false}));
}

BOOST_AUTO_TEST_CASE(an_empty_max_diffs_or_interval_is_the_default) {
    const auto settings = load("max_diffs =\ninterval =\n").settings;
    BOOST_TEST(settings.max_diffs == 100);
    BOOST_TEST(settings.interval.count() == 30.0);
}

BOOST_AUTO_TEST_CASE(run_pause_is_the_interval_where_there_is_no_interval) {
    const auto old = load("run_pause = 7\n");
    BOOST_TEST(old.settings.interval.count() == 7.0);
    BOOST_REQUIRE(old.warnings.size() == 1u);
    BOOST_TEST(old.warnings[0].find("run_pause is deprecated; use interval") != std::string::npos);
    const auto both = load("run_pause = 7\ninterval = 8\n");
    BOOST_TEST(both.settings.interval.count() == 8.0);
    BOOST_REQUIRE(both.warnings.size() == 1u);
    BOOST_TEST(both.warnings[0].find("ignored") != std::string::npos);
    BOOST_TEST(load("run_pause = 7\ninterval =\n").settings.interval.count() == 7.0);
    BOOST_TEST(complaint("run_pause = x\n").find("interval = x") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(vm_test_mode_names_an_rsync_module_per_port) {
    const auto [settings, warnings] = load("vm_test_mode = yes\n");
    BOOST_TEST(settings.rsync_module == "{replication_ip}::container{replication_port}");
    BOOST_TEST(warnings.size() == 1u);
    BOOST_TEST(load("vm_test_mode = no\n").settings.rsync_module == "");
    BOOST_TEST(load("vm_test_mode = yes\nrsync_module = x\n").settings.rsync_module == "x");
}

BOOST_AUTO_TEST_CASE(python_log_handlers_cannot_run_here_and_that_is_told) {
    BOOST_TEST(load("log_custom_handlers = a.b\n").warnings.size() == 1u);
}

BOOST_AUTO_TEST_CASE(trailing_slashes_are_dropped) {
    BOOST_TEST(load("devices = /srv/node//\n").settings.devices == "/srv/node");
    BOOST_TEST(load("devices = /\n").settings.devices == "/");
    BOOST_TEST(load("rsync_module = {ip}::c/\n").settings.rsync_module == "{ip}::c");
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_empty_text_is_refused) {
    for (const std::string name : {"devices", "swift_dir", "recon_cache_path"}) {
        BOOST_TEST(complaint(name + " =\n").find("must not be empty") != std::string::npos, name);
    }
}

BOOST_AUTO_TEST_CASE(a_log_name_that_is_given_is_kept) {
    BOOST_TEST(load("log_name = c\n").settings.log_name == "c");
}

BOOST_AUTO_TEST_CASE(a_refused_value_changes_nothing) {
    std::int64_t rows = 5;
    const auto option = number(&Settings::per_diff, "per_diff", "rows", 1, 10, "");
    BOOST_TEST(!parse_value(option, "11", rows).empty());
    BOOST_TEST(!parse_value(option, "x", rows).empty());
    BOOST_TEST(rows == 5);
    BOOST_TEST(parse_value(option, "10", rows).empty());
    BOOST_TEST(rows == 10);
}

BOOST_AUTO_TEST_CASE(the_help_lists_every_option_and_marks_ours) {
    const auto text = "\n" + options_help();
    for_each_option([&](const auto& option) {
        const auto mark = option.origin == Origin::replica ? "\n+ " : "\n  ";
        BOOST_TEST(text.find(mark + std::string{option.name} + " = ") != text.npos, option.name);
        BOOST_TEST(text.find(std::string{option.reason}) != text.npos, option.name);
    });
    BOOST_TEST(text.find("per_diff = 1000  [rows, 1 to 1000000]") != text.npos);
    BOOST_TEST(text.find("handoff_delete = auto") != text.npos);
    BOOST_TEST(text.find("rsync_module = (empty)") != text.npos);
}

BOOST_AUTO_TEST_CASE(the_sample_file_says_all_that_the_table_knows_of_an_option) {
    const auto text = sample_config(section);
    BOOST_TEST(text.find("\n# rows in one request, to a quick server of ours ten times as many, up "
                         "to\n# 10000; a peer further behind may get the whole file. (rows, 1 to "
                         "1000000)\n#per_diff = 1000\n") != text.npos,
               text);
    BOOST_TEST(text.find("(rows, 0 to 10000) Not known to Swift.\n#rows_along = 200\n") !=
                   text.npos,
               text);
    BOOST_TEST(text.find("# parent of the devices' mount points. (directory) A change needs a "
                         "restart.\n#devices = /srv/node\n") != text.npos,
               text);
    BOOST_TEST(text.find("\n#handoff_delete = auto\n") != text.npos);
    BOOST_TEST(text.find("\n#ring =\n") != text.npos);
    for (std::string_view rest = text; !rest.empty();) {
        const auto end = rest.find('\n');
        BOOST_TEST(end <= 80U, rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
}

BOOST_AUTO_TEST_CASE(the_sample_file_is_a_file_of_defaults) {
    auto text = sample_config(section);
    Config commented;
    commented.add(text, "sample");
    BOOST_TEST(load_settings(commented, section).settings.per_diff == 1000);
    // With its options uncommented it says the same: every default can be written down.
    std::string active;
    std::size_t count = 0;
    for (std::string_view rest = text; !rest.empty();) {
        const auto end = rest.find('\n');
        auto line = rest.substr(0, end);
        if (line.starts_with('#') && !line.starts_with("# ")) {
            line.remove_prefix(1);
            ++count;
        }
        active += std::string{line} + "\n";
        rest.remove_prefix(end + 1);
    }
    Config config;
    config.add(active, "sample");
    const auto [settings, warnings] = load_settings(config, section);
    BOOST_TEST(warnings.empty());
    BOOST_TEST(settings.reclaim_age.count() == 604800.0);
    BOOST_TEST(settings.handoff_delete == 0);
    std::size_t options = 0;
    for_each_option([&](const auto&) { ++options; });
    BOOST_TEST(count == options);
}
