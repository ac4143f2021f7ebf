#include <replica/storage/sweep.hpp>

#define BOOST_TEST_MODULE sweep
#include <boost/test/unit_test.hpp>

#include <support/one_node.hpp>

#include <set>
#include <string>

using namespace replica;
using namespace replica::test;

namespace {

using Node = OneNode<ContainerKind>;
using Names = std::set<std::string>;

} // namespace

BOOST_AUTO_TEST_CASE(only_what_nobody_has_touched_for_long_is_swept) {
    Node node;
    const std::string tmp = node.device + "/tmp";
    node.disk.write(tmp + "/old", "x");
    node.disk.make_directories(tmp + "/old.removed/deep");
    node.disk.make_directories(tmp + "/somebodys");
    node.clock.advance(Seconds(100));
    node.disk.write(tmp + "/young", "x");
    BOOST_TEST(storage::sweep(node.disk, tmp, node.clock.now(), Seconds(100), [] {}) == 0U);
    node.clock.advance(Seconds(1));
    BOOST_TEST(storage::sweep(node.disk, tmp, node.clock.now(), Seconds(100), [] {}) == 2U);
    BOOST_TEST((node.entries(tmp) == Names{"young", "somebodys"}));
    int beats = 0;
    BOOST_TEST(storage::sweep(node.disk, tmp, node.clock.now(), Seconds(100), [&] { ++beats; }) ==
               0U);
    BOOST_TEST(beats == 2);
    BOOST_TEST(storage::sweep(node.disk, node.device + "/nothing", node.clock.now(), Seconds(1),
                              [] {}) == 0U);
}

BOOST_AUTO_TEST_CASE(whole_databases_that_a_killed_process_left_go_as_soon_as_that_is_certain) {
    Node node;
    const std::string tmp = node.device + "/tmp";
    for (const char* name : {"id.1.copy", "id.2.claimed", "id.3.part", "id"}) {
        node.disk.write(tmp + '/' + name, "x");
    }
    SimContent large;
    large.size = std::int64_t{60} << 30; // at 1 MiB/s: 17 hours
    node.disk.write(tmp + "/large.copy", large);
    const auto swept_after = [&](Seconds time) {
        node.clock.advance(time);
        return storage::sweep(node.disk, tmp, node.clock.now(), Seconds(7 * 86400), [] {});
    };
    BOOST_TEST(swept_after(Seconds(3600)) == 0U);
    BOOST_TEST(swept_after(Seconds(1)) == 3U);
    BOOST_TEST((node.entries(tmp) == Names{"id", "large.copy"}));
    BOOST_TEST(swept_after(Seconds(2 * 60 * 1024 - 1)) == 0U);
    BOOST_TEST(swept_after(Seconds(1)) == 1U);
    BOOST_TEST((node.entries(tmp) == Names{"id"}));
    node.disk.write(tmp + "/id.3.copy", "x");
    node.clock.advance(Seconds(10));
    BOOST_TEST(storage::sweep(node.disk, tmp, node.clock.now(), Seconds(9), [] {}) ==
               2U); // never later
}

BOOST_AUTO_TEST_CASE(one_entry_that_cannot_be_swept_does_not_keep_the_others) {
    Node node;
    const std::string tmp = node.device + "/tmp";
    for (const char* name : {"/a", "/b", "/c"}) {
        node.disk.write(tmp + name, "x");
    }
    node.clock.advance(Seconds(100));
    node.disk.fail_next(SimCall::remove, "/b", Error::io);
    BOOST_TEST(storage::sweep(node.disk, tmp, node.clock.now(), Seconds(10), [] {}) == 2U);
    BOOST_TEST((node.entries(tmp) == Names{"b"}));
}
