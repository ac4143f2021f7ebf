#include "stray.hpp"

#define BOOST_TEST_MODULE sim_stray
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace replica;

namespace {

const std::string hash = "f94302e497d9a66e4a3e24d0e0670f50";
const std::string directory = "/sda/containers/3/f50/" + hash;
const Timestamp now = *Timestamp::parse("1700100000.00000");

/// Of a disk on which there is this file.
std::string stray(const std::string& path, bool stock = false) {
    SimClock clock;
    SimDisk disk(clock);
    disk.make_directories(path.substr(0, path.rfind('/')));
    disk.append(path, "bytes");
    return test::stray_file(disk, stock, now);
}

BOOST_AUTO_TEST_CASE(databases_and_what_waits_for_a_person_belong_there) {
    const std::string database = directory + '/' + hash + ".db";
    for (const char* const end : {"", ".pending", ".pending.unreadable.1", "-journal"}) {
        BOOST_TEST(stray(database + end) == "");
    }
    BOOST_TEST(stray("/sda/.brakes/containers") == "");
}

BOOST_AUTO_TEST_CASE(parts_and_drafts_are_left_for_ever) {
    const std::vector<std::string> strays{directory + "/.lock", directory + "/x.part",
                                          "/sda/tmp/upload", "/sda/tmp/x.db"};
    for (const std::string& path : strays) {
        BOOST_TEST(stray(path) == path);
    }
    const std::string draft = directory + '/' + hash + ".db.x.new";
    BOOST_TEST(stray(draft) == draft);
    BOOST_TEST(stray(draft, true) == "");
}

BOOST_AUTO_TEST_CASE(an_entry_of_the_trash_belongs_there_for_a_day_file_or_directory) {
    const std::string shelf = "/sda/trash/containers/";
    const std::string rest = '-' + hash + "-53248-replaced-ddf7150a96ef19f1";
    for (const char* const in : {"", "/x.db", "/.lock"}) {
        BOOST_TEST(stray(shelf + "1700099000.00000" + rest + in) == "");
        const std::string old = shelf + "1700000000.00000" + rest + in;
        BOOST_TEST(stray(old) == old);
    }
    BOOST_TEST(stray(shelf + "no-entry") == shelf + "no-entry");
}

} // namespace
