// Databases of ours and of Swift's are the same to both sides' brokers. Swift is Debian's own
// python3-swift; compare.py does its part.

#define BOOST_TEST_MODULE swift_schema_databases

#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/words/json.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

using namespace replica;

template <class I>
[[nodiscard]] std::string message_of(const I& info) {
    std::string text;
    json::append_members(text, info);
    return text;
}

/// Every member of our info that Swift reports too has Swift's value.
template <class I>
void require_same(const I& info, const std::string& line) {
    const boost::json::value value = json::parse(line);
    I stock;
    json::read_members(value.as_object(), stock, "Swift's info",
                       [](std::string_view) { return true; });
    BOOST_TEST(message_of(info) == message_of(stock));
    if constexpr (requires { info.several_policies; }) {
        BOOST_TEST(info.several_policies); // not told to peers; compare.py writes rows of two
    }
}

BOOST_AUTO_TEST_CASE(databases_of_ours_and_of_swift_are_the_same_to_both) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "replica-schema-XXXXXX").string();
    const std::string root = ::mkdtemp(pattern.data());
    const auto place = [&](const std::string& name) {
        return root + "/sda/containers/1/abc/" + name + '/' + name + ".db";
    };
    ContainerBroker containers;
    AccountBroker accounts;
    {
        ContainerInfo info;
        info.account = "AUTH_a";
        info.container = "c";
        info.put_timestamp = "1700000000.00000";
        containers.create(place("our-container"), info);
        AccountInfo account;
        account.account = "AUTH_a";
        account.put_timestamp = "1700000000.00000";
        accounts.create(place("our-account"), account);
    }
    // Tests run in the root of the source tree.
    const std::string command = "/usr/bin/python3 test/swift_schema/compare.py " +
                                place("our-container") + ' ' + place("our-account") + ' ' +
                                place("container") + ' ' + place("account") + " > " + root + "/out";
    BOOST_REQUIRE_MESSAGE(std::system(command.c_str()) == 0,
                          "compare.py failed; it needs the package python3-swift");
    std::ifstream out(root + "/out");
    std::string container;
    std::string account;
    std::getline(out, container);
    std::getline(out, account);
    require_same(containers.open(place("container"), Instant::max()).info(), container);
    require_same(accounts.open(place("account"), Instant::max()).info(), account);
    // And a file of Swift's is one that we take as an upload.
    BOOST_TEST(containers.open_upload(place("container"), Instant::max()).info().count > 0);
    BOOST_TEST(accounts.open_upload(place("account"), Instant::max()).info().count > 0);
    std::filesystem::remove_all(root);
}

} // namespace
