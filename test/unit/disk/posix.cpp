#include <replica/disk/posix.hpp>

#define BOOST_TEST_MODULE disk_posix
#include <boost/test/unit_test.hpp>

#include <laws/disk.hpp>
#include <support/fifo.hpp>
#include <sys/resource.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <future>

namespace fs = std::filesystem;
using namespace replica;

namespace {

/// A directory of its own for each test case.
struct Fixture {
    Fixture() {
        std::string pattern = (fs::temp_directory_path() / "replica-posix-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root = pattern;
    }
    ~Fixture() { fs::remove_all(root); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    static void write(const std::string& path, const std::string& bytes) {
        std::ofstream(path, std::ios::binary) << bytes;
    }

    PosixDisk disk;
    std::string root;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(posix, Fixture)

BOOST_AUTO_TEST_CASE(the_laws_of_a_disk_hold) {
    replica::test::check_disk_laws(disk, root, &Fixture::write);
}

BOOST_AUTO_TEST_CASE(links_are_followed_in_a_listing_and_removed_without_their_targets) {
    fs::create_directory(root + "/real");
    write(root + "/real/file", "1");
    fs::create_directory(root + "/links");
    fs::create_symlink(root + "/real", root + "/links/directory");
    fs::create_symlink(root + "/real/file", root + "/links/file");
    fs::create_symlink(root + "/nowhere", root + "/links/dangling");
    const std::vector<Entry> expected{{"dangling", false}, {"directory", true}, {"file", false}};
    BOOST_TEST((replica::test::sorted_list(disk, root + "/links") == expected));
    BOOST_TEST(!disk.stat(root + "/links/dangling"));
    BOOST_TEST(disk.stat(root + "/links/directory")->directory);
    BOOST_TEST(disk.remove_tree(root + "/links"));
    BOOST_TEST(disk.read(root + "/real/file", 10) == "1");
}

BOOST_AUTO_TEST_CASE(a_fifo_is_neither_a_file_nor_waited_for) {
    const replica::test::Fifo fifo(root + "/fifo");
    BOOST_TEST(!disk.stat(root + "/fifo")->regular);
    BOOST_TEST(!disk.stat("/dev/null")->regular);
    const auto refused = replica::test::fails_with(Error::io, root + "/fifo");
    BOOST_CHECK_EXCEPTION(fifo.must_not_hold_up([&] { return disk.read(root + "/fifo", 100); }),
                          Failure, refused);
    BOOST_CHECK_EXCEPTION(fifo.must_not_hold_up([&] { disk.sync(root + "/fifo"); }), Failure,
                          refused);
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.read("/dev/zero", 100)), Failure,
                          replica::test::fails_with(Error::io, "/dev/zero"));
    fs::create_directory(root + "/locked");
    const replica::test::Fifo lock(root + "/locked/.lock");
    lock.must_not_hold_up([&] { return disk.try_lock(root + "/locked").has_value(); });
}

BOOST_AUTO_TEST_CASE(a_link_in_the_place_of_a_lock_is_named_and_nobody_waits_for_it) {
    fs::create_directory(root + "/linked");
    for (const std::string& target : {root + "/nowhere/lock", root + "/target"}) {
        fs::create_symlink(target, root + "/linked/.lock");
        BOOST_CHECK_EXCEPTION(static_cast<void>(disk.try_lock(root + "/linked")), Failure,
                              replica::test::fails_with(Error::io, root + "/linked/.lock"));
        fs::remove(root + "/linked/.lock");
    }
    BOOST_TEST(!fs::exists(root + "/target"));
}

BOOST_AUTO_TEST_CASE(a_file_in_the_way_of_a_directory_is_named) {
    write(root + "/file", "1");
    BOOST_CHECK_THROW(disk.make_directories(root + "/file"), Failure);
    BOOST_CHECK_EXCEPTION(disk.make_directories(root + "/file/below"), Failure,
                          replica::test::fails_with(Error::missing, root + "/file/below"));
    BOOST_CHECK_THROW(static_cast<void>(disk.try_lock(root + "/file")), Failure);
    BOOST_CHECK_THROW(disk.remove_empty(root + "/file"), Failure);
    BOOST_TEST(!disk.remove_empty(root + "/file/below"));
    BOOST_TEST(disk.read(root + "/file", 10) == "1");
    fs::create_symlink(root + "/nowhere", root + "/dangling");
    BOOST_CHECK_EXCEPTION(disk.make_directories(root + "/dangling"), Failure,
                          replica::test::fails_with(Error::exists, root + "/dangling"));
    BOOST_CHECK_EXCEPTION(disk.make_directories(""), Failure,
                          replica::test::fails_with(Error::missing, "make directory"));
    disk.make_directories("/");
    disk.make_directories(root + "/with/slashes//at/the/end//");
    BOOST_TEST(disk.stat(root + "/with/slashes/at/the/end")->directory);
}

BOOST_AUTO_TEST_CASE(renaming_by_steps_never_replaces_either) {
    write(root + "/a", "a");
    write(root + "/b", "b");
    fs::create_directories(root + "/d/inside");
    fs::create_directories(root + "/empty");
    fs::create_symlink(root + "/nowhere", root + "/link");
    BOOST_TEST(!renaming::rename_new_by_steps(root + "/a", root + "/b"));
    BOOST_TEST(!renaming::rename_new_by_steps(root + "/a", root + "/link"));
    BOOST_TEST(!renaming::rename_new_by_steps(root + "/d", root + "/empty"));
    BOOST_TEST(!renaming::rename_new_by_steps(root + "/d", root + "/a"));
    BOOST_TEST(disk.read(root + "/b", 10) == "b");
    BOOST_TEST(renaming::rename_new_by_steps(root + "/a", root + "/c"));
    BOOST_TEST(disk.read(root + "/c", 10) == "a");
    BOOST_TEST(!disk.stat(root + "/a"));
    BOOST_TEST(renaming::rename_new_by_steps(root + "/d", root + "/e"));
    BOOST_TEST(fs::exists(root + "/e/inside"));
    BOOST_TEST(!disk.stat(root + "/d"));
    BOOST_CHECK_EXCEPTION(
        static_cast<void>(renaming::rename_new_by_steps(root + "/none", root + "/x")), Failure,
        replica::test::fails_with(Error::missing, root + "/none"));
    BOOST_CHECK_EXCEPTION(
        static_cast<void>(renaming::rename_new_by_steps(root + "/c", root + "/none/x")), Failure,
        replica::test::fails_with(Error::missing, root + "/none/x"));
    BOOST_TEST(disk.read(root + "/c", 10) == "a");
}

BOOST_AUTO_TEST_CASE(a_lock_file_that_was_replaced_is_not_the_lock) {
    const std::string path = root + "/.lock";
    const Descriptor open = Descriptor::open(path, O_RDWR | O_CREAT);
    BOOST_REQUIRE(open);
    BOOST_TEST(detail::is_still(open, path));
    fs::rename(path, root + "/aside");
    BOOST_TEST(!detail::is_still(open, path));
    write(path, "");
    BOOST_TEST(!detail::is_still(open, path));
    fs::rename(root + "/aside", path);
    BOOST_TEST(detail::is_still(open, path));
}

BOOST_AUTO_TEST_CASE(threads_that_remove_the_directory_they_locked_never_meet_inside) {
    const std::string path = root + "/contested";
    std::atomic<int> inside{0};
    std::atomic<int> entered{0};
    std::atomic<bool> met{false};
    auto enter_and_leave = [&] {
        while (entered < 2000 && !met) {
            const auto lock = disk.try_lock(path);
            if (!lock) {
                continue;
            }
            // Only the one inside removes the file, so it must be there.
            if (inside.fetch_add(1) != 0 || !disk.stat(path + "/.lock")) {
                met = true;
            }
            ++entered;
            inside.fetch_sub(1);
            disk.remove(path + "/.lock");
            disk.remove_empty(path); // false if the next one has made its file by now
        }
    };
    std::array<std::future<void>, 4> workers;
    for (auto& worker : workers) {
        worker = std::async(std::launch::async, enter_and_leave);
    }
    for (auto& worker : workers) {
        worker.get();
    }
    BOOST_TEST(!met);
    BOOST_TEST(entered >= 2000);
}

BOOST_AUTO_TEST_CASE(a_lock_ends_with_its_process) {
    int ready[2];
    BOOST_REQUIRE(::pipe(ready) == 0);
    const Descriptor reader(ready[0]);
    Descriptor writer(ready[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto lock = disk.try_lock(root);
        const char held = lock ? 'y' : 'n';
        static_cast<void>(::write(writer.get(), &held, 1) == 1);
        ::pause();
        ::_exit(0);
    }
    BOOST_REQUIRE(child > 0);
    char held = '?';
    BOOST_REQUIRE(::read(reader.get(), &held, 1) == 1);
    BOOST_TEST(held == 'y');
    BOOST_TEST(!disk.try_lock(root));
    ::kill(child, SIGKILL);
    BOOST_REQUIRE(::waitpid(child, nullptr, 0) == child);
    BOOST_TEST(disk.try_lock(root).has_value());
}

BOOST_AUTO_TEST_CASE(a_child_that_was_forked_meanwhile_does_not_keep_the_lock) {
    auto lock = disk.try_lock(root);
    BOOST_REQUIRE(lock);
    const pid_t child = ::fork(); // shares the open file, as every child does until it calls exec
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    BOOST_REQUIRE(child > 0);
    lock.reset();
    BOOST_TEST(disk.try_lock(root).has_value());
    ::kill(child, SIGKILL);
    BOOST_REQUIRE(::waitpid(child, nullptr, 0) == child);
}

BOOST_AUTO_TEST_CASE(every_descriptor_closes_on_exec_and_none_is_left_open) {
    const std::size_t before = disk.list("/proc/self/fd").size();
    {
        const auto lock = disk.try_lock(root);
        BOOST_REQUIRE(lock);
        const Descriptor file = Descriptor::open(root + "/file", O_RDWR | O_CREAT);
        BOOST_TEST((::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) == FD_CLOEXEC);
        std::size_t found = 0;
        for (const Entry& entry : disk.list("/proc/self/fd")) {
            std::error_code code;
            const auto target = fs::read_symlink("/proc/self/fd/" + entry.name, code);
            if (!code && target == root + "/.lock") {
                ++found;
                BOOST_TEST((::fcntl(std::stoi(entry.name), F_GETFD) & FD_CLOEXEC) == FD_CLOEXEC);
            }
        }
        BOOST_TEST(found == 1U);
        disk.sync(root + "/file");
        static_cast<void>(disk.read(root + "/file", 10));
        static_cast<void>(disk.list(root));
        BOOST_TEST(!disk.try_lock(root));
    }
    BOOST_TEST(disk.list("/proc/self/fd").size() == before);
}

BOOST_AUTO_TEST_CASE(a_process_without_free_descriptors_says_so_and_goes_on_later) {
    ::rlimit limit{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const ::rlimit none{.rlim_cur = 0, .rlim_max = limit.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    std::string text;
    try {
        static_cast<void>(disk.try_lock(root));
    } catch (const Failure& failure) {
        text = failure.what();
    }
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    BOOST_TEST(text.find(root + "/.lock: Too many open files") != std::string::npos);
    BOOST_TEST(disk.try_lock(root).has_value());
}

BOOST_AUTO_TEST_CASE(mounts_are_told_as_the_kernel_or_the_operator_says) {
    BOOST_TEST(disk.is_mount("/"));
    BOOST_TEST(disk.is_mount("/proc"));
    BOOST_TEST(!disk.is_mount("/proc/self"));
    BOOST_TEST(!disk.is_mount(root));
    write(root + "/file", "1");
    BOOST_TEST(!disk.is_mount(root + "/file"));
    BOOST_TEST(!disk.is_mount(root + "/file/below"));
    fs::create_symlink("/proc", root + "/link");
    BOOST_TEST(!disk.is_mount(root + "/link"));
    fs::create_directories(root + "/declared/.ismount"); // a directory of that name says nothing
    BOOST_TEST(!disk.is_mount(root + "/declared"));
    fs::remove(root + "/declared/.ismount");
    write(root + "/declared/.ismount", "");
    BOOST_TEST(disk.is_mount(root + "/declared"));
    fs::create_symlink(root + "/declared", root + "/declared-link");
    BOOST_TEST(disk.is_mount(root + "/declared-link"));
}

BOOST_AUTO_TEST_CASE(two_statuses_are_equal_until_somebody_writes) {
    write(root + "/file", "1");
    const auto before = disk.stat(root + "/file");
    BOOST_TEST((disk.stat(root + "/file") == before));
    fs::last_write_time(root + "/file",
                        fs::last_write_time(root + "/file") + std::chrono::microseconds(1));
    BOOST_TEST((disk.stat(root + "/file") != before));
    write(root + "/other", "1");
    fs::rename(root + "/other", root + "/file");
    BOOST_TEST(disk.stat(root + "/file")->inode != before->inode);
}

BOOST_AUTO_TEST_CASE(a_descriptor_moves_and_closes_once) {
    Descriptor first = Descriptor::open(root + "/a", O_RDWR | O_CREAT);
    Descriptor second = Descriptor::open(root + "/b", O_RDWR | O_CREAT);
    const int kept = first.get();
    const int closed = second.get();
    second = std::move(first);
    BOOST_TEST(second.get() == kept);
    BOOST_TEST(::fcntl(closed, F_GETFD) == -1);
    BOOST_TEST(::fcntl(kept, F_GETFD) != -1);
    { const Descriptor third(std::move(second)); }
    BOOST_TEST(::fcntl(kept, F_GETFD) == -1);
    BOOST_TEST(!Descriptor());
    BOOST_TEST(!Descriptor::open(root + "/none", O_RDONLY));
    BOOST_TEST(errno == ENOENT);
}

BOOST_AUTO_TEST_SUITE_END()
