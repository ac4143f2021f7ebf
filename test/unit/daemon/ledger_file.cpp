#include <replica/daemon/ledger_file.hpp>

#define BOOST_TEST_MODULE ledger_file
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <filesystem>
#include <fstream>
#include <string>

using namespace replica;
using daemon::LedgerFile;

namespace {

struct Cache {
    test::TemporaryDirectory directory;
    std::string path = directory.path() + "/container.ledger";

    [[nodiscard]] bool empty() const { return std::filesystem::is_empty(directory.path()); }
};

const std::string known("what is\0known", 13);

} // namespace

BOOST_AUTO_TEST_CASE(what_was_kept_is_taken_once) {
    const Cache cache;
    LedgerFile(cache.path).keep("older");
    LedgerFile(cache.path).keep(known);
    BOOST_TEST(LedgerFile(cache.path).take() == known);
    BOOST_TEST(cache.empty()); // a service that is killed now leaves nothing
    BOOST_TEST(LedgerFile(cache.path).take().empty());
}

BOOST_AUTO_TEST_CASE(what_was_kept_before_the_machine_was_started_is_gone) {
    const Cache cache;
    LedgerFile(cache.path, "one boot").keep(known);
    BOOST_TEST(LedgerFile(cache.path, "the next").take().empty());
    BOOST_TEST(cache.empty());
}

BOOST_AUTO_TEST_CASE(without_a_name_of_the_boot_nothing_is_kept_and_nothing_believed) {
    const Cache cache;
    LedgerFile(cache.path, "").keep(known);
    BOOST_TEST(cache.empty());
    LedgerFile(cache.path, "one boot").keep(known);
    BOOST_TEST(LedgerFile(cache.path, "").take().empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_taken_away_is_not_used) {
    const Cache cache;
    std::filesystem::create_directories(cache.path + "/in the way");
    BOOST_TEST(LedgerFile(cache.path).take().empty());
    BOOST_TEST(!cache.empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_written_is_named_and_leaves_nothing) {
    const Cache cache;
    std::filesystem::create_directories(cache.path + "/in the way"); // rename refuses
    BOOST_CHECK_EXCEPTION(LedgerFile(cache.path).keep(known), Failure, [&](const Failure& failure) {
        return failure.error() == Error::io &&
               std::string(failure.what()).find(cache.path) != std::string::npos;
    });
    BOOST_TEST(!std::filesystem::exists(cache.path + ".new"));
    const std::string nowhere = cache.directory.path() + "/none/container.ledger";
    BOOST_CHECK_THROW(LedgerFile(nowhere).keep(known), Failure);
}
