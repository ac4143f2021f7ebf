// What libFuzzer has kept, at the same doors, in the ordinary build: see door.hpp.

#define BOOST_TEST_MODULE fuzz_replay
#include "config_door.hpp"
#include "http_door.hpp"
#include "json_ring_door.hpp"
#include "pages_door.hpp"
#include "pending_door.hpp"
#include "recon_door.hpp"
#include "reply_door.hpp"
#include "swift_ring_door.hpp"
#include "upload_door.hpp"
#include "verb_door.hpp"

#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::fuzz;

namespace {

std::filesystem::path sources() {
    const char* const root = std::getenv("REPLICA_SOURCE_DIR");
    return std::filesystem::path(root == nullptr ? "." : root) / "test/fuzz";
}

std::set<std::string> replayed;

template <class Door>
void replay(const std::string& name, Door door) {
    replayed.insert(name);
    std::size_t count = 0;
    for (const auto& file : std::filesystem::directory_iterator(sources() / "corpus" / name)) {
        BOOST_TEST_CONTEXT(file.path().string()) {
            BOOST_CHECK_NO_THROW(door(test::read_file(file.path().string())));
        }
        ++count;
    }
    BOOST_TEST(count > 0U, name << " has no corpus");
}

} // namespace

BOOST_AUTO_TEST_CASE(http_keeps_its_word) {
    replay("http", HttpDoor());
}
BOOST_AUTO_TEST_CASE(account_verbs_keep_their_word) {
    replay("account_verb", VerbDoor<AccountKind>());
}
BOOST_AUTO_TEST_CASE(container_verbs_keep_their_word) {
    replay("container_verb", VerbDoor<ContainerKind>());
}
BOOST_AUTO_TEST_CASE(json_rings_keep_their_word) {
    replay("json_ring", JsonRingDoor());
}
BOOST_AUTO_TEST_CASE(swift_rings_keep_their_word) {
    replay("swift_ring", SwiftRingDoor());
}
BOOST_AUTO_TEST_CASE(pending_files_keep_their_word) {
    replay("pending", PendingDoors());
}
BOOST_AUTO_TEST_CASE(configurations_keep_their_word) {
    replay("config", ConfigDoor());
}
BOOST_AUTO_TEST_CASE(uploads_keep_their_word) {
    replay("upload", UploadDoors());
}
BOOST_AUTO_TEST_CASE(pages_keep_their_word) {
    replay("pages", PagesDoors());
}
BOOST_AUTO_TEST_CASE(replies_keep_their_word) {
    replay("reply", ReplyDoor());
}
BOOST_AUTO_TEST_CASE(recon_keeps_its_word) {
    replay("recon", ReconDoor());
}

BOOST_AUTO_TEST_CASE(every_door_is_replayed) {
    for (const auto& file : std::filesystem::directory_iterator(sources() / "corpus")) {
        const std::string name = file.path().filename().string();
        BOOST_TEST(replayed.contains(name), name << " is not replayed");
    }
}
