#include <replica/send/file_state.hpp>

#define BOOST_TEST_MODULE file_state
#include <boost/test/unit_test.hpp>

#include <support/confirmed.hpp>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

BOOST_AUTO_TEST_CASE(a_file_that_was_left_alone_has_a_state) {
    BOOST_TEST(state_of(old_file(), now).has_value());
    BOOST_TEST((state_of(old_file(), now) == state_of(old_file(), later)));
}

BOOST_AUTO_TEST_CASE(whatever_a_write_changes_is_another_state) {
    const std::vector<std::pair<std::string, std::function<void(FileStatus&)>>> changes{
        {"device", [](FileStatus& it) { it.device = 9; }},
        {"inode", [](FileStatus& it) { it.inode = 9; }},
        {"size", [](FileStatus& it) { it.size += 4096; }},
        {"mtime", [](FileStatus& it) { it.modified_ns += 1; }},
        {"ctime", [](FileStatus& it) { it.changed_ns += 1; }},
        {"swapped", [](FileStatus& it) { std::swap(it.device, it.inode); }}};
    for (const auto& [name, change] : changes) {
        FileStatus status = old_file();
        change(status);
        const auto changed = state_of(status, now);
        BOOST_REQUIRE(changed.has_value());
        BOOST_TEST((*changed != state), name);
    }
}

BOOST_AUTO_TEST_CASE(what_may_still_change_without_a_trace_has_no_state) {
    const std::vector<std::pair<std::string, std::function<void(FileStatus&)>>> young{
        {"written a second ago", [](FileStatus& it) { it.modified_ns = (now_s - 1) * second_ns; }},
        {"renamed a second ago", [](FileStatus& it) { it.changed_ns = (now_s - 1) * second_ns; }},
        {"just under two", [](FileStatus& it) { it.modified_ns = (now_s - 2) * second_ns + 1; }},
        {"in the future", [](FileStatus& it) { it.changed_ns = (now_s + 3600) * second_ns; }},
        {"a directory",
         [](FileStatus& it) {
             it.regular = false;
             it.directory = true;
         }},
        {"a FIFO", [](FileStatus& it) { it.regular = false; }}};
    for (const auto& [name, change] : young) {
        FileStatus status = old_file();
        change(status);
        BOOST_TEST(!state_of(status, now).has_value(), name);
    }
    BOOST_TEST(!state_of(std::nullopt, now).has_value());
    FileStatus settled = old_file();
    settled.modified_ns = settled.changed_ns = (now_s - 2) * second_ns;
    BOOST_TEST(state_of(settled, now).has_value());
}
