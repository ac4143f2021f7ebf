#include <replica/daemon/swift_conf.hpp>

#define BOOST_TEST_MODULE daemon_swift_conf
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::daemon;

namespace {

SwiftConf read(std::string_view text) {
    const support::Directory directory;
    return read_swift_conf(directory.file("swift.conf", text));
}

std::string complaint(std::string_view text) {
    try {
        (void)read(text);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "(no complaint)";
}

const std::string hash = "[swift-hash]\nswift_hash_path_suffix = s\n";

} // namespace

BOOST_AUTO_TEST_CASE(prefix_and_suffix_are_read) {
    BOOST_TEST((read("[swift-hash]\nswift_hash_path_prefix = p\nswift_hash_path_suffix = s\n") ==
                SwiftConf{"p", "s", {0}}));
}

BOOST_AUTO_TEST_CASE(one_of_the_two_is_enough) {
    BOOST_TEST((read(hash) == SwiftConf{"", "s", {0}}));
    BOOST_TEST((read("[swift-hash]\nswift_hash_path_prefix = p\nswift_hash_path_suffix =\n") ==
                SwiftConf{"p", "", {0}}));
}

BOOST_AUTO_TEST_CASE(without_either_there_is_no_start) {
    for (const auto* const text :
         {"", "[swift-hash]\n", "[swift-hash]\nswift_hash_path_suffix =\n",
          "[other]\nswift_hash_path_suffix = s\n", "[DEFAULT]\nswift_hash_path_suffix = s\n"}) {
        const auto told = complaint(text);
        BOOST_TEST(told.find("swift.conf: [swift-hash]: swift_hash_path_suffix") != told.npos,
                   text << " -> " << told);
    }
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_named) {
    const support::Directory directory;
    const auto path = directory.path("swift.conf");
    BOOST_CHECK_EXCEPTION((void)read_swift_conf(path), ConfigError, [&](const ConfigError& error) {
        return std::string{error.what()} ==
               "Unable to read config from " + path + ": No such file or directory";
    });
}

BOOST_AUTO_TEST_CASE(the_suffix_is_bytes) {
    BOOST_TEST(read("[swift-hash]\nswift_hash_path_suffix = \xc3\xa4\xff\n").hash_path_suffix ==
               "\xc3\xa4\xff");
}

BOOST_AUTO_TEST_CASE(a_percent_in_the_suffix_is_doubled_as_python_demands) {
    BOOST_TEST(read("[swift-hash]\nswift_hash_path_suffix = a%%b\n").hash_path_suffix == "a%b");
    const auto told = complaint("[swift-hash]\nswift_hash_path_suffix = a%b\n");
    BOOST_TEST(told.find("swift_hash_path_suffix") != told.npos, told);
}

BOOST_AUTO_TEST_CASE(policies_are_listed_in_order) {
    const auto conf = read(hash + "[storage-policy:12]\nname = gold\ndefault = yes\n"
                                  "[storage-policy:0]\nname = tin\n[storage-policy:2]\nname = x\n"
                                  "deprecated = yes\n");
    BOOST_TEST((conf.policies == std::vector{0, 2, 12}));
}

BOOST_AUTO_TEST_CASE(without_policies_there_is_policy_0) {
    BOOST_TEST((read(hash).policies == std::vector{0}));
}

BOOST_AUTO_TEST_CASE(bad_policies_are_named) {
    struct Case {
        std::string text;
        std::string_view expected;
    };
    for (const auto& [text, expected] : std::vector<Case>{
             {"[storage-policy:x]\n", "[storage-policy:x]: a policy's index"},
             {"[storage-policy:]\n", "[storage-policy:]: a policy's index"},
             {"[storage-policy:-1]\n", "[storage-policy:-1]: a policy's index"},
             {"[storage-policy:1.0]\n", "[storage-policy:1.0]: a policy's index"},
             {"[storage-policy:99999999999]\n", "a policy's index"},
             {"[storage-policy:0]\n[storage-policy:00]\n", "policy index 0 is given twice"},
             {"[storage-policy:1]\n", "no [storage-policy:0]"},
             {"[storage-policy:0]\ndeprecated = yes\n", "every storage policy is deprecated"},
             {"[storage-policy:0]\n[storage-policy:0]\n", "given twice"}}) {
        const auto told = complaint(hash + text);
        BOOST_TEST(told.find("swift.conf") != told.npos, told);
        BOOST_TEST(told.find(expected) != told.npos, text << " -> " << told);
    }
}

BOOST_AUTO_TEST_CASE(the_settings_take_it_over) {
    Settings settings;
    apply({"p", "s", {0, 3}}, settings);
    BOOST_TEST(settings.hash_path_prefix == "p");
    BOOST_TEST(settings.hash_path_suffix == "s");
    BOOST_TEST((settings.policies == std::vector{0, 3}));
}
