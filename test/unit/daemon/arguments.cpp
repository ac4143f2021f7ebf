#include <replica/daemon/arguments.hpp>

#define BOOST_TEST_MODULE daemon_arguments
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

using namespace replica::daemon;

namespace {

using Parsed = std::variant<Arguments, Exit>;

Parsed parse(std::vector<std::string> words) {
    std::vector<const char*> argv{"/usr/bin/swift-container-replicator"};
    for (const auto& word : words) {
        argv.push_back(word.c_str());
    }
    return parse_arguments(static_cast<int>(argv.size()), argv.data(), "container");
}

struct WithConfig {
    support::Directory directory;
    std::string config = directory.file("c.conf", "");

    Arguments arguments(std::vector<std::string> words) const {
        words.insert(words.begin(), config);
        const auto parsed = parse(words);
        if (const auto* const exit = std::get_if<Exit>(&parsed)) {
            BOOST_FAIL(exit->text);
        }
        return std::get<Arguments>(parsed);
    }

    Exit refusal(std::vector<std::string> words) const {
        words.insert(words.begin(), config);
        const auto parsed = parse(words);
        BOOST_REQUIRE(std::holds_alternative<Exit>(parsed));
        return std::get<Exit>(parsed);
    }
};

bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_configuration_is_printed_without_reading_one) {
    const auto parsed = parse({"--print-config"});
    BOOST_REQUIRE(std::holds_alternative<Exit>(parsed));
    BOOST_TEST(std::get<Exit>(parsed).code == 0);
    BOOST_TEST(std::get<Exit>(parsed).text.starts_with("[container-replicator]\n\n# "));
    BOOST_TEST(holds(std::get<Exit>(parsed).text, "\n#per_diff = 1000\n"));
}

BOOST_FIXTURE_TEST_CASE(a_config_alone_asks_for_a_daemon, WithConfig) {
    const auto given = arguments({});
    BOOST_TEST(given.config == config);
    BOOST_TEST(!given.once);
    BOOST_TEST(!given.verbose);
    BOOST_TEST(given.devices.empty());
    BOOST_TEST(given.partitions.empty());
    BOOST_TEST(given.explain.empty());
}

BOOST_FIXTURE_TEST_CASE(flags_may_be_long_short_or_bare_words, WithConfig) {
    for (const auto* const word : {"-o", "--once", "once"}) {
        BOOST_TEST(arguments({word}).once, word);
        BOOST_TEST(!arguments({word}).verbose, word);
    }
    for (const auto* const word : {"-v", "--verbose", "verbose"}) {
        BOOST_TEST(arguments({word}).verbose, word);
        BOOST_TEST(!arguments({word}).once, word);
    }
    const auto both = arguments({"once", "verbose"});
    BOOST_TEST((both.once && both.verbose));
    BOOST_TEST(arguments({"-vo"}).once);
}

BOOST_FIXTURE_TEST_CASE(options_may_stand_before_the_config, WithConfig) {
    const auto parsed = parse({"-o", "-d", "sdb1", config, "verbose"});
    BOOST_REQUIRE(std::holds_alternative<Arguments>(parsed));
    BOOST_TEST(std::get<Arguments>(parsed).config == config);
    BOOST_TEST(std::get<Arguments>(parsed).verbose);
}

BOOST_FIXTURE_TEST_CASE(devices_are_a_comma_list, WithConfig) {
    using List = std::vector<std::string>;
    BOOST_TEST((arguments({"-d", "sdb1"}).devices == List{"sdb1"}));
    BOOST_TEST((arguments({"-d", "sdb1,sdb2"}).devices == List{"sdb1", "sdb2"}));
    BOOST_TEST((arguments({"--devices= a , ,b,"}).devices == List{"a", "b"}));
    BOOST_TEST((arguments({"-d", ""}).devices == List{}));
}

BOOST_FIXTURE_TEST_CASE(partitions_are_a_comma_list_of_numbers, WithConfig) {
    using List = std::vector<std::uint32_t>;
    BOOST_TEST((arguments({"-p", "0"}).partitions == List{0}));
    BOOST_TEST(
        (arguments({"--partitions", "1, 22,4294967295"}).partitions == List{1, 22, 4294967295}));
}

BOOST_FIXTURE_TEST_CASE(a_partition_that_is_no_number_is_refused, WithConfig) {
    for (const auto* const text : {"x", "1,x", "-1", "+1", "1.0", "1_0", "4294967296", "0x1"}) {
        const auto exit = refusal({std::string{"--partitions="} + text});
        BOOST_TEST(exit.code == 2, text);
        BOOST_TEST(holds(exit.text, "is not a partition number"), exit.text);
    }
}

BOOST_AUTO_TEST_CASE(a_missing_config_argument_is_told_as_swift_tells_it) {
    const auto parsed = parse({});
    BOOST_TEST(std::get<Exit>(parsed).code == 1);
    BOOST_TEST(std::get<Exit>(parsed).text == "Usage: swift-container-replicator CONFIG [options]\n"
                                              "Error: missing config path argument\n");
}

BOOST_AUTO_TEST_CASE(a_config_that_is_not_there_is_named) {
    const support::Directory directory;
    const auto path = directory.path("absent.conf");
    const auto parsed = parse({path});
    BOOST_TEST(std::get<Exit>(parsed).code == 1);
    BOOST_TEST(holds(std::get<Exit>(parsed).text, "Error: unable to locate " + path));
}

BOOST_FIXTURE_TEST_CASE(paths_become_absolute, WithConfig) {
    const auto here = std::filesystem::current_path();
    std::filesystem::current_path(directory.path(""));
    const auto parsed = parse({"./c.conf", "--explain", "x/y.db"});
    std::filesystem::current_path(here);
    BOOST_REQUIRE(std::holds_alternative<Arguments>(parsed));
    BOOST_TEST(std::get<Arguments>(parsed).config == config);
    BOOST_TEST(std::get<Arguments>(parsed).explain == directory.path("x/y.db"));
}

BOOST_FIXTURE_TEST_CASE(a_directory_may_be_the_config, WithConfig) {
    std::filesystem::create_directory(directory.path("conf.d"));
    const auto parsed = parse({directory.path("conf.d")});
    BOOST_TEST(std::get<Arguments>(parsed).config == directory.path("conf.d"));
}

BOOST_FIXTURE_TEST_CASE(what_is_not_understood_is_refused, WithConfig) {
    for (const auto* const word : {"twice", "--twice", "-x", "--devices", "--explain"}) {
        const auto exit = refusal({word});
        BOOST_TEST(exit.code == 2, word);
        BOOST_TEST(exit.text.starts_with("Usage: "), exit.text);
        BOOST_TEST(holds(exit.text, "\nError: "), exit.text);
    }
}

BOOST_AUTO_TEST_CASE(help_lists_flags_and_options) {
    for (const auto* const word : {"-h", "--help"}) {
        const auto exit = std::get<Exit>(parse({word}));
        BOOST_TEST(exit.code == 0);
        for (const auto* const part :
             {"CONFIG", "--once", "--verbose", "--devices", "--partitions", "--explain",
              "--version", "per_diff = 1000", "+ replica_port = off"}) {
            BOOST_TEST(holds(exit.text, part), part);
        }
    }
}

BOOST_AUTO_TEST_CASE(the_version_is_that_of_the_library) {
    const auto exit = std::get<Exit>(parse({"--version"}));
    BOOST_TEST(exit.code == 0);
    BOOST_TEST(exit.text == std::to_string(replica::version_major) + "." +
                                std::to_string(replica::version_minor) + "." +
                                std::to_string(replica::version_patch) + "\n");
}
