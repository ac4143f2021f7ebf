#include <replica/disk/descriptor.hpp>

#define BOOST_TEST_MODULE disk_descriptor
#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <type_traits>
#include <utility>

using namespace replica;

static_assert(!std::is_copy_constructible_v<Descriptor>);
static_assert(!std::is_copy_assignable_v<Descriptor>);
static_assert(std::is_nothrow_move_constructible_v<Descriptor>);
static_assert(std::is_nothrow_move_assignable_v<Descriptor>);
static_assert(!std::is_convertible_v<int, Descriptor>); // nobody's number is owned by accident
static_assert(error_of_errno(ENOENT) == Error::missing);

namespace {

/// A directory that goes with everything in it.
struct Place {
    Place() {
        std::string name = (std::filesystem::temp_directory_path() / "descriptor.XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(name.data()));
        root = name;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { std::filesystem::remove_all(root); }

    [[nodiscard]] std::string file() const { return root + "/file"; }
    [[nodiscard]] Descriptor make() const { return Descriptor::open(file(), O_RDWR | O_CREAT); }

    std::string root;
};

bool is_open(int number) {
    return ::fcntl(number, F_GETFD) != -1;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_errno_has_its_meaning) {
    BOOST_TEST((error_of_errno(ENOENT) == Error::missing));
    BOOST_TEST((error_of_errno(ENOTDIR) == Error::missing));
    BOOST_TEST((error_of_errno(EEXIST) == Error::exists));
    BOOST_TEST((error_of_errno(ENOTEMPTY) == Error::exists));
    BOOST_TEST((error_of_errno(ENOSPC) == Error::no_space));
    BOOST_TEST((error_of_errno(EDQUOT) == Error::no_space));
    BOOST_TEST((error_of_errno(EROFS) == Error::io));
    BOOST_TEST((error_of_errno(EIO) == Error::io));
    BOOST_TEST((error_of_errno(EACCES) == Error::io));
    BOOST_TEST((error_of_errno(0) == Error::io)); // a failure without a reason is still one
}

BOOST_AUTO_TEST_CASE(a_failure_says_what_could_not_be_done_to_what_and_why) {
    BOOST_CHECK_EXCEPTION(
        throw_errno(ENOSPC, "write", "/srv/node/sdb1"), Failure, [](const Failure& failure) {
            const std::string text = failure.what();
            return text.starts_with("cannot write /srv/node/sdb1: No space left on device") &&
                   failure.error() == Error::no_space;
        });
    BOOST_TEST(errno_text(ENOENT) == "No such file or directory");
}

BOOST_AUTO_TEST_CASE(a_call_is_repeated_for_as_long_as_signals_interrupt_it) {
    int calls = 0;
    const auto result = uninterrupted([&] {
        errno = EINTR;
        return ++calls < 3 ? -1 : 7;
    });
    BOOST_TEST(result == 7);
    BOOST_TEST(calls == 3);
}

BOOST_AUTO_TEST_CASE(a_call_that_fails_for_another_reason_is_made_once) {
    int calls = 0;
    const auto result = uninterrupted([&] {
        ++calls;
        errno = EIO;
        return -1;
    });
    BOOST_TEST(result == -1);
    BOOST_TEST(errno == EIO);
    BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(an_errno_left_by_an_earlier_call_repeats_nothing) {
    errno = EINTR;
    int calls = 0;
    BOOST_TEST(uninterrupted([&] { return ++calls; }) == 1);
}

BOOST_AUTO_TEST_CASE(the_result_keeps_its_type_so_that_a_large_count_of_bytes_fits) {
    const auto written = uninterrupted([] { return ssize_t{1} << 40; });
    static_assert(std::is_same_v<decltype(written), const ssize_t>);
    BOOST_TEST(written == ssize_t{1} << 40);
}

BOOST_AUTO_TEST_CASE(an_open_file_is_closed_when_its_owner_goes) {
    const Place place;
    int number = -1;
    {
        const Descriptor file = place.make();
        BOOST_REQUIRE(file);
        number = file.get();
        BOOST_TEST(is_open(number));
    }
    BOOST_TEST(!is_open(number));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_opened_is_nothing_and_errno_says_why) {
    const Place place;
    const Descriptor none = Descriptor::open(place.file(), O_RDONLY);
    BOOST_TEST(errno == ENOENT);
    BOOST_TEST(!none);
    BOOST_TEST(none.get() == -1);
    const Descriptor made = place.make();
    const Descriptor again = Descriptor::open(place.file(), O_RDWR | O_CREAT | O_EXCL);
    BOOST_TEST(errno == EEXIST);
    BOOST_TEST(!again);
}

BOOST_AUTO_TEST_CASE(nothing_open_closes_nothing) {
    errno = 0;
    {
        const Descriptor none;
        BOOST_TEST(!none);
    }
    BOOST_TEST(errno == 0); // close(-1) would say EBADF
}

BOOST_AUTO_TEST_CASE(a_child_process_inherits_no_descriptor) {
    const Place place;
    const Descriptor file = place.make();
    BOOST_REQUIRE(file);
    BOOST_TEST((::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);
    const Descriptor directory = Descriptor::open(place.root, O_RDONLY | O_DIRECTORY);
    BOOST_REQUIRE(directory);
    BOOST_TEST((::fcntl(directory.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

BOOST_AUTO_TEST_CASE(who_may_read_a_new_file_is_up_to_the_umask_alone) {
    const Place place;
    const mode_t before = ::umask(027);
    const Descriptor file = place.make();
    ::umask(before);
    struct stat status {};
    BOOST_REQUIRE(file);
    BOOST_REQUIRE(::fstat(file.get(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777U) == 0640U);
}

BOOST_AUTO_TEST_CASE(a_file_may_be_made_for_its_owner_only) {
    const Place place;
    const std::string path = place.root + "/own";
    const mode_t before = ::umask(0);
    BOOST_REQUIRE(Descriptor::open(path, O_WRONLY | O_CREAT, Descriptor::owner));
    ::umask(before);
    BOOST_TEST((stat_path(path)->st_mode & 0777U) == 0600U);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_moved_has_one_owner) {
    const Place place;
    Descriptor first = place.make();
    const int number = first.get();
    Descriptor second(std::move(first));
    BOOST_TEST(!first);
    BOOST_TEST(second.get() == number);
    BOOST_TEST(is_open(number));
    { const Descriptor third(std::move(second)); }
    BOOST_TEST(!second);
    BOOST_TEST(!is_open(number));
}

BOOST_AUTO_TEST_CASE(an_owner_that_is_given_another_file_closes_the_one_it_had) {
    const Place place;
    Descriptor mine = place.make();
    Descriptor other = Descriptor::open(place.root, O_RDONLY | O_DIRECTORY);
    BOOST_REQUIRE(mine);
    BOOST_REQUIRE(other);
    const int closed = mine.get();
    const int kept = other.get();
    mine = std::move(other);
    BOOST_TEST(mine.get() == kept);
    BOOST_TEST(!other);
    BOOST_TEST(is_open(kept));
    BOOST_TEST(!is_open(closed));
    mine = Descriptor();
    BOOST_TEST(!mine);
    BOOST_TEST(!is_open(kept));
}

BOOST_AUTO_TEST_CASE(an_owner_that_is_given_its_own_file_keeps_it) {
    const Place place;
    Descriptor file = place.make();
    BOOST_REQUIRE(file);
    const int number = file.get();
    Descriptor& same = file;
    file = std::move(same);
    BOOST_TEST(file.get() == number);
    BOOST_TEST(is_open(number));
}

BOOST_AUTO_TEST_CASE(a_descriptor_made_elsewhere_is_owned_from_then_on) {
    std::array<int, 2> pipe{};
    BOOST_REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
    {
        const Descriptor reader(pipe[0]);
        const Descriptor writer(pipe[1]);
        BOOST_TEST(::write(writer.get(), "x", 1) == 1);
    }
    BOOST_TEST(!is_open(pipe[0]));
    BOOST_TEST(!is_open(pipe[1]));
}
