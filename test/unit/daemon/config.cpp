#include <replica/daemon/config.hpp>

#define BOOST_TEST_MODULE daemon_config
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::daemon;

namespace {

Config parse(std::string_view text) {
    Config config;
    config.add(text, "test.conf");
    return config;
}

std::string value(std::string_view text, std::string_view key, std::string_view section = "a") {
    const auto values = parse(text).values(section);
    const auto found = values.find(key);
    return found == values.end() ? "(absent)" : found->second.text;
}

std::string complaint(const std::function<void()>& action) {
    try {
        action();
    } catch (const ConfigError& error) {
        BOOST_TEST((error.code() == Error::bad_config));
        return error.what();
    }
    return "(no complaint)";
}

bool mentions(std::string_view text, std::initializer_list<std::string_view> parts) {
    for (const auto part : parts) {
        if (text.find(part) == text.npos) {
            BOOST_TEST_MESSAGE("\"" << text << "\" does not mention \"" << part << "\"");
            return false;
        }
    }
    return true;
}

} // namespace

// Each expectation was compared with configparser of Python 3.11.
BOOST_AUTO_TEST_CASE(values_are_read_as_configparser_reads_them) {
    struct Case {
        std::string_view text;
        std::string_view key;
        std::string_view expected;
    };
    for (const auto& [text, key, expected] :
         std::vector<Case>{{"[a]\nx = 1\n", "x", "1"},
                           {"[a]\nx=1", "x", "1"},
                           {"[a]\nx: 1\n", "x", "1"},
                           {"[a]\nx = 1 = 2 : 3\n", "x", "1 = 2 : 3"},
                           {"[a]\nx =\n", "x", ""},
                           {"[a]\n  x  =  1  \n", "x", "1"},
                           {"[a]\r\nx = 1\r\ny = 2\r\n", "x", "1"},
                           {"[a]\rx = 1\r", "x", "1"},
                           {"[a]\nLoud = 1\n", "loud", "1"},
                           {"[a]\ntwo words = 1\n", "two words", "1"},
                           {"[a]\nx = 1 # no comment\n", "x", "1 # no comment"},
                           {"[a]\nx = 1 ; no comment\n", "x", "1 ; no comment"},
                           {"[a]\n# x = 1\n  ; x = 2\n", "x", "(absent)"},
                           {"[a]\nx = 1\n  2\n\t3\n", "x", "1\n2\n3"},
                           {"[a]\nx = 1\n# between\n  2\n", "x", "1\n2"},
                           {"[a]\nx = 1\n\n  2\n", "x", "1\n\n2"},
                           {"[a]\nx = 1\n\n\ny = 2\n", "x", "1"},
                           {"[a]\nx = 1\n  [b]\n", "x", "1\n[b]"},
                           {"[a]\n  x = 1\n  y = 2\n", "y", "2"},
                           {"[a] and more\nx = 1\n", "x", "1"},
                           {"[a]\nx = 50%\n", "x", "50%"},
                           {"[a]\nx = 50%%\n", "x", "50%%"}}) {
        BOOST_TEST(value(text, key) == expected, text << " -> " << value(text, key));
    }
}

BOOST_AUTO_TEST_CASE(a_section_inherits_the_default_section) {
    constexpr std::string_view text = "[a]\ny = 2\n[DEFAULT]\nx = 1\ny = 1\n[b]\nx = 3\n";
    BOOST_TEST(value(text, "x") == "1");
    BOOST_TEST(value(text, "y") == "2");
    BOOST_TEST(value(text, "x", "b") == "3");
    BOOST_TEST(value(text, "y", "b") == "1");
    BOOST_TEST((parse(text).sections() == std::vector<std::string>{"a", "b"}));
}

BOOST_AUTO_TEST_CASE(the_set_form_of_paste_overrides_a_default) {
    constexpr std::string_view text =
        "[DEFAULT]\nlog_name = all\n[a]\nset log_name = one\n[b]\nset x = 1\nx = 2\n";
    BOOST_TEST(value(text, "log_name") == "one");
    BOOST_TEST(value(text, "x", "b") == "1");
}

BOOST_AUTO_TEST_CASE(references_are_replaced) {
    struct Case {
        std::string_view text;
        std::string_view expected;
    };
    for (const auto& [text, expected] :
         std::vector<Case>{{"[a]\nd = /srv\nx = %(d)s/node\n", "/srv/node"},
                           {"[DEFAULT]\nd = /srv\n[a]\nx = %(d)s/node\n", "/srv/node"},
                           {"[DEFAULT]\nx = %(d)s/node\nd = /srv\n[a]\nd = /mnt\n", "/mnt/node"},
                           {"[a]\nd = /srv\nx = %(D)s\n", "/srv"},
                           {"[a]\nd = 1\ne = %(d)s2\nx = %(e)s3\n", "123"},
                           {"[a]\nd = 1\nx = 100%% %(d)s\n", "100% 1"},
                           {"[a]\nset d = 2\nd = 1\nx = %(d)s\n", "2"}}) {
        BOOST_TEST(value(text, "x") == expected, text);
    }
}

BOOST_AUTO_TEST_CASE(in_swift_conf_every_percent_counts) {
    const auto config = parse("[a]\nx = a%%b\n[b]\nx = a%b\n");
    BOOST_TEST(config.values("a", Interpolation::always).at("x").text == "a%b");
    BOOST_TEST(config.values("a").at("x").text == "a%%b");
    BOOST_TEST(config.values("b").at("x").text == "a%b");
    const auto text = complaint([&] { (void)config.values("b", Interpolation::always); });
    BOOST_TEST(mentions(text, {"test.conf:4", "[b] x", "a%b", "%%"}));
}

BOOST_AUTO_TEST_CASE(bad_references_are_named) {
    for (const std::string_view bad :
         {"%(nowhere)s", "%(x)s", "%(y)s", "%(", "%()s", "%(d", "%(d)", "%(d)d", "%(d)s %z"}) {
        const auto text = "[a]\nd = 1\ny = %(x)s\nx = " + std::string{bad} + "\n";
        BOOST_TEST(
            mentions(complaint([&] { (void)parse(text).values("a"); }), {"test.conf:", "[a] "}),
            bad);
    }
    BOOST_TEST(mentions(complaint([] { (void)value("[a]\nx = %(nowhere)s\n", "x"); }),
                        {"test.conf:2", "[a] x", "nowhere"}));
}

BOOST_AUTO_TEST_CASE(a_key_or_section_given_twice_is_an_error) {
    BOOST_TEST(mentions(complaint([] { parse("[a]\nx = 1\ny = 1\nX = 2\n"); }),
                        {"test.conf:4", "[a] x", "twice"}));
    BOOST_TEST(
        mentions(complaint([] { parse("[a]\n[b]\n[a]\n"); }), {"test.conf:3", "[a]", "twice"}));
    BOOST_TEST(mentions(complaint([] { parse("[DEFAULT]\nx = 1\n[DEFAULT]\nx = 1\n"); }),
                        {"test.conf:4", "[DEFAULT] x", "twice"}));
    BOOST_TEST(value("[DEFAULT]\nx = 1\n[a]\n[DEFAULT]\ny = 2\n", "y") == "2");
}

BOOST_AUTO_TEST_CASE(lines_that_are_neither_section_nor_option_are_errors) {
    BOOST_TEST(mentions(complaint([] { parse("x = 1\n[a]\n"); }), {"test.conf:1", "x = 1"}));
    BOOST_TEST(
        mentions(complaint([] { parse("[a]\nnonsense\n"); }), {"test.conf:2", "[a]", "nonsense"}));
    BOOST_TEST(mentions(complaint([] { parse("[a]\n= 1\n"); }), {"test.conf:2", "= 1"}));
    BOOST_TEST(mentions(complaint([] { parse("[a\nx = 1\n"); }), {"test.conf:1", "[a"}));
    BOOST_TEST(mentions(complaint([] { parse("[a]\n[]\n"); }), {"test.conf:2", "[]"}));
}

BOOST_AUTO_TEST_CASE(a_missing_section_is_named_with_its_file) {
    const auto text = complaint([] { (void)parse("[a]\n").values("container-replicator"); });
    BOOST_TEST(text == "Unable to find container-replicator config section in test.conf");
    BOOST_TEST(mentions(complaint([] { (void)parse("[DEFAULT]\nx = 1\n").values("DEFAULT"); }),
                        {"DEFAULT"}));
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_named) {
    const support::Directory directory;
    const auto path = directory.path("absent.conf");
    BOOST_TEST(complaint([&] { (void)Config::read(path); }) ==
               "Unable to read config from " + path + ": No such file or directory");
}

BOOST_AUTO_TEST_CASE(a_directory_of_files_counts_as_one_file) {
    const support::Directory directory;
    std::filesystem::create_directory(directory.path("conf.d"));
    (void)directory.file("conf.d/10-base.conf", "[DEFAULT]\nx = 1\n[a]\ny = 1\nz = 1\n");
    (void)directory.file("conf.d/20-site.conf", "[a]\ny = 2\n");
    (void)directory.file("conf.d/.hidden.conf", "[a]\nz = hidden\n");
    (void)directory.file("conf.d/notes.txt", "[a]\nz = notes\n");
    const auto values = Config::read(directory.path("conf.d")).values("a");
    BOOST_TEST(values.at("x").text == "1");
    BOOST_TEST(values.at("y").text == "2");
    BOOST_TEST(values.at("z").text == "1");
    BOOST_TEST(mentions(values.at("y").where, {"20-site.conf:2"}));
}

BOOST_AUTO_TEST_CASE(a_directory_without_files_is_an_error) {
    const support::Directory directory;
    std::filesystem::create_directory(directory.path("conf.d"));
    BOOST_TEST(mentions(complaint([&] { (void)Config::read(directory.path("conf.d")); }),
                        {"Unable to read config", "conf.d"}));
}

BOOST_AUTO_TEST_CASE(here_is_the_directory_of_the_file) {
    const support::Directory directory;
    const auto path = directory.file("a.conf", "[a]\ndevices = %(here)s/node\n");
    BOOST_TEST(Config::read(path).values("a").at("devices").text == directory.path("node"));
    const auto own = directory.file("b.conf", "[a]\nhere = /x\ndevices = %(here)s/node\n");
    BOOST_TEST(Config::read(own).values("a").at("devices").text == "/x/node");
}

BOOST_AUTO_TEST_CASE(any_bytes_give_a_config_or_a_complaint) {
    // A generator of its own, so that the texts are the same everywhere.
    std::uint32_t state = 12345;
    const auto draw = [&state](std::uint32_t bound) {
        state = state * 1664525 + 1013904223;
        return (state >> 16) % bound;
    };
    constexpr std::string_view pieces = "[]ax=: \t\n\r#;%()sDEFAULT\\\"\0\xff";
    int accepted = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string text = draw(2) == 0 ? "[a]\n" : "";
        for (auto length = draw(24); length > 0; --length) {
            text += pieces[draw(static_cast<std::uint32_t>(pieces.size()))];
        }
        try {
            const auto config = parse(text);
            for (const auto& section : config.sections()) {
                (void)config.values(section);
            }
            ++accepted;
        } catch (const ConfigError&) {
        }
    }
    BOOST_TEST(accepted > 1000);
    BOOST_TEST(accepted < 19'000);
}

BOOST_AUTO_TEST_CASE(what_stands_in_a_section_itself_is_told_apart_from_the_defaults) {
    const auto config = parse("[DEFAULT]\nx = 1\ny = 2\n[a]\ny = %(x)s\n");
    const auto own = config.own("a");
    BOOST_REQUIRE(own.size() == 1u);
    BOOST_TEST(own.at("y").text == "%(x)s");
    BOOST_TEST(own.at("y").where == "test.conf:5");
    BOOST_TEST(config.own("b").empty());
}
