#include <replica/disk/mounts.hpp>

#define BOOST_TEST_MODULE disk_mounts
#include <replica/disk/posix.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;
using namespace replica;

static_assert(is_drive_name("sdb1"));
static_assert(is_drive_name("d-1_x.y~"));
static_assert(!is_drive_name(""));
static_assert(!is_drive_name("."));
static_assert(!is_drive_name(".."));
static_assert(!is_drive_name(".hidden"));
static_assert(!is_drive_name("a/b"));
static_assert(!is_drive_name("a b"));
static_assert(!is_drive_name("a%2fb"));
static_assert(!is_drive_name("\xc3\xa9"));
static_assert(!is_drive_name(std::string_view("a\0b", 3)));

namespace {

struct Fixture {
    Fixture() {
        std::string pattern = (fs::temp_directory_path() / "replica-mounts-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root = pattern;
        fs::create_directory(root + "/sdb1");
        fs::create_directory(root + "/sdb2");
        std::ofstream(root + "/sdb2/.ismount").flush();
        std::ofstream(root + "/file").flush();
    }
    ~Fixture() { fs::remove_all(root); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    /// Checks that the fault has this code and text.
    void refused(std::string_view device, bool mount_check, Error error, std::string_view text) {
        const auto checked = check_drive(disk, root, device, mount_check);
        BOOST_REQUIRE(checked.has_error());
        BOOST_TEST((checked.error().code == error));
        BOOST_TEST(checked.error().what == text);
    }

    PosixDisk disk;
    std::string root;
};

/// A disk whose every answer is an input/output error, as a dying drive gives.
struct DyingDisk : PosixDisk {
    [[nodiscard]] std::optional<FileStatus> stat(const std::string& path) const {
        throw_errno(EIO, "stat", path);
    }
    [[nodiscard]] bool is_mount(const std::string& path) const { throw_errno(EIO, "stat", path); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(mounts, Fixture)

BOOST_AUTO_TEST_CASE(a_directory_will_do_where_mounts_are_not_checked) {
    BOOST_TEST(check_drive(disk, root, "sdb1", false).value() == root + "/sdb1");
    BOOST_TEST(check_drive(disk, root + "/", "sdb1", false).value() == root + "/sdb1");
    refused("none", false, Error::not_mounted, root + "/none is not a directory");
    refused("file", false, Error::not_mounted, root + "/file is not a directory");
}

BOOST_AUTO_TEST_CASE(only_a_mount_will_do_where_mounts_are_checked) {
    BOOST_TEST(check_drive(disk, root, "sdb2", true).value() == root + "/sdb2");
    BOOST_TEST(check_drive(disk, "/", "proc", true).value() == "/proc");
    refused("sdb1", true, Error::not_mounted, root + "/sdb1 is not mounted");
    refused("none", true, Error::not_mounted, root + "/none is not mounted");
    refused("file", true, Error::not_mounted, root + "/file is not mounted");
}

BOOST_AUTO_TEST_CASE(a_name_that_is_no_drive_name_is_not_even_looked_up) {
    for (const bool mount_check : {false, true}) {
        refused("..", mount_check, Error::bad_name, "'..' is not a valid drive name");
        refused("", mount_check, Error::bad_name, "'' is not a valid drive name");
        refused("sdb1/../sdb2", mount_check, Error::bad_name,
                "'sdb1/../sdb2' is not a valid drive name");
    }
}

BOOST_AUTO_TEST_CASE(a_dying_drive_counts_as_not_mounted_and_the_reason_is_kept) {
    DyingDisk dying;
    for (const bool mount_check : {false, true}) {
        const auto checked = check_drive(dying, root, "sdb1", mount_check);
        BOOST_REQUIRE(checked.has_error());
        BOOST_TEST((checked.error().code == Error::not_mounted));
        BOOST_TEST(checked.error().what.find("Input/output error") != std::string::npos);
        BOOST_TEST(checked.error().what.find(root + "/sdb1") != std::string::npos);
    }
}

BOOST_AUTO_TEST_SUITE_END()
