#include <replica/daemon/secret_file.hpp>

#define BOOST_TEST_MODULE daemon_secret_file
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::daemon;

namespace {

using Secrets = std::vector<std::string>;

const std::string one = "a secret of 16 c";
const std::string two = "another one, which is much longer than it need be";

std::string refusal_of(const std::string& text) {
    try {
        (void)parse_secrets(text, "/etc/s");
    } catch (const ConfigError& error) {
        BOOST_TEST((error.error() == Error::bad_config));
        return error.what();
    }
    return "none";
}

std::string file_refusal(const std::string& path) {
    try {
        (void)read_secrets(path);
    } catch (const Failure& failure) {
        return failure.what();
    }
    return "none";
}

} // namespace

BOOST_AUTO_TEST_CASE(a_line_is_a_secret_and_there_may_be_two) {
    struct Row {
        std::string text;
        Secrets secrets;
    };
    for (const auto& [text, secrets] : std::vector<Row>{
             {one, {one}},
             {one + "\n", {one}},
             {one + "\n" + two + "\n", {one, two}},
             {two + "\n" + one, {two, one}},
             {"\n\n" + one + "\n\n \t\n" + two + "\n\n", {one, two}},
             {"  " + one + "\t\r\n" + two + " \r\n", {one, two}},
         }) {
        BOOST_TEST(parse_secrets(text, "/etc/s") == secrets, text);
    }
}

BOOST_AUTO_TEST_CASE(any_other_text_is_refused_with_its_line_and_without_the_secret) {
    struct Row {
        std::string text;
        std::string reason;
    };
    const std::string few = "/etc/s:1: a secret has at least 16 characters";
    for (const auto& [text, reason] : std::vector<Row>{
             {"", "/etc/s: no secret in this file"},
             {"\n \n\r\n", "/etc/s: no secret in this file"},
             {"# " + one, "/etc/s:1: only secrets, no comment and no mark of a byte order"},
             {one + "\n#" + two, "/etc/s:2: only secrets, no comment and no mark of a byte order"},
             {"\xEF\xBB\xBF" + one,
              "/etc/s:1: only secrets, no comment and no mark of a byte order"},
             {"short", few},
             {one.substr(1), few},
             {" " + one.substr(1) + " ", few},
             {one + "\n\nshort\n", "/etc/s:3: a secret has at least 16 characters"},
             {one + "\n" + two + "\n" + one + "\n",
              "/etc/s:3: at most two secrets are valid at a time"},
         }) {
        BOOST_TEST(refusal_of(text) == reason);
    }
}

BOOST_AUTO_TEST_CASE(no_file_is_no_secret) {
    BOOST_TEST(read_secrets("").empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_everybody_may_read_is_no_secret_any_more) {
    const support::Directory directory;
    const std::string path = directory.file("secret", one + "\n" + two + "\n");
    struct Row {
        mode_t mode;
        bool taken;
    };
    for (const Row& row : {Row{0600, true}, Row{0400, true}, Row{0640, true}, Row{0644, false},
                           Row{0604, false}, Row{0602, false}, Row{0666, false}}) {
        BOOST_REQUIRE(::chmod(path.c_str(), row.mode) == 0);
        if (row.taken) {
            BOOST_TEST((read_secrets(path) == Secrets{one, two}), row.mode);
        } else {
            BOOST_TEST(file_refusal(path) ==
                           path + ": everybody may read or write it; use mode 0640 or 0600",
                       row.mode);
        }
    }
}

BOOST_AUTO_TEST_CASE(what_is_no_file_of_ours_is_named) {
    const support::Directory directory;
    BOOST_TEST(file_refusal(directory.path("none")) == directory.path("none") + ": no such file");
    BOOST_TEST(file_refusal(directory.path("")).find("no such file") != std::string::npos);
    const std::string empty = directory.file("empty", "");
    BOOST_REQUIRE(::chmod(empty.c_str(), 0600) == 0);
    BOOST_TEST(file_refusal(empty) == empty + ": no secret in this file");
    const std::string locked = directory.file("locked", one);
    BOOST_REQUIRE(::chmod(locked.c_str(), 0) == 0);
    if (::geteuid() != 0) { // root may read everything
        BOOST_TEST(file_refusal(locked).find(locked) != std::string::npos);
    }
}
