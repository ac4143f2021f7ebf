#ifndef REPLICA_TEST_LAWS_DISK_HPP
#define REPLICA_TEST_LAWS_DISK_HPP

// What every Disk must do. Include after the definition of BOOST_TEST_MODULE.

#include <replica/disk.hpp>
#include <replica/error.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

/// True of a Failure with this error whose text names `path`.
inline auto fails_with(Error error, std::string path) {
    return [error, path = std::move(path)](const Failure& failure) {
        BOOST_TEST_MESSAGE("  " << failure.what());
        return failure.error() == error &&
               std::string(failure.what()).find(path) != std::string::npos;
    };
}

template <Disk D>
std::vector<Entry> sorted_list(D& disk, const std::string& path) {
    auto entries = disk.list(path);
    std::ranges::sort(entries, {}, &Entry::name);
    return entries;
}

template <Disk D>
void disk_lists_and_stats(D& disk, const std::string& root, auto& write) {
    const std::string top = root + "/listing";
    disk.make_directories(top + "/a/b");
    disk.make_directories(top + "/a/b"); // again: nothing happens
    write(top + "/file", std::string("12345"));
    write(top + "/.hidden", std::string());
    const std::vector<Entry> expected{{".hidden", false}, {"a", true}, {"file", false}};
    BOOST_TEST((sorted_list(disk, top) == expected));
    BOOST_TEST((sorted_list(disk, top + "/a") == std::vector<Entry>{{"b", true}}));
    BOOST_TEST(disk.list(top + "/a/b").empty());
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.list(top + "/none")), Failure,
                          fails_with(Error::missing, top + "/none"));
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.list(top + "/file")), Failure,
                          fails_with(Error::missing, top + "/file"));

    const std::optional<FileStatus> file = disk.stat(top + "/file");
    const std::optional<FileStatus> directory = disk.stat(top + "/a");
    BOOST_REQUIRE(file);
    BOOST_REQUIRE(directory);
    BOOST_TEST(file->size == 5);
    BOOST_TEST(!file->directory);
    BOOST_TEST(file->regular);
    BOOST_TEST(directory->directory);
    BOOST_TEST(!directory->regular);
    BOOST_TEST(file->inode != directory->inode);
    BOOST_TEST((disk.stat(top + "/file") == file));
    BOOST_TEST(!disk.stat(top + "/none"));
    BOOST_TEST(!disk.stat(top + "/none/below"));
    BOOST_TEST(!disk.stat(top + "/file/below"));
    write(top + "/file", std::string("123456"));
    BOOST_TEST((disk.stat(top + "/file") != file));
}

template <Disk D>
void disk_reads(D& disk, const std::string& root, auto& write) {
    disk.make_directories(root + "/reading");
    const std::string path = root + "/reading/file";
    const std::string content("one\0two\n", 8);
    write(path, content);
    BOOST_TEST(disk.read(path, 0).empty());
    BOOST_TEST(disk.read(path, 4) == content.substr(0, 4));
    BOOST_TEST(disk.read(path, 8) == content);
    BOOST_TEST(disk.read(path, 1'000'000) == content);
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.read(path + "x", 1)), Failure,
                          fails_with(Error::missing, path + "x"));
    const std::string large(200'000, 'x');
    write(path, large);
    BOOST_TEST((disk.read(path, 1'000'000) == large));
    BOOST_TEST((disk.read(path, 150'000) == large.substr(0, 150'000)));
    write(path, content);
    BOOST_TEST(disk.read_from(path, 0, 8) == content);
    BOOST_TEST(disk.read_from(path, 2, 3) == content.substr(2, 3));
    BOOST_TEST(disk.read_from(path, 5, 100) == content.substr(5));
    BOOST_TEST(disk.read_from(path, 8, 1).empty());
    BOOST_TEST(disk.read_from(path, 1'000'000, 1).empty());
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.read_from(path + "x", 0, 1)), Failure,
                          fails_with(Error::missing, path + "x"));
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.read_from(root + "/reading", 0, 1)), Failure,
                          fails_with(Error::io, root + "/reading"));
}

template <Disk D>
void disk_appends(D& disk, const std::string& root, auto& write) {
    const std::string top = root + "/appending";
    disk.make_directories(top);
    const std::string path = top + "/file";
    disk.append(path, "");
    BOOST_TEST(disk.stat(path)->size == 0);
    const std::string bytes("a\0b", 3);
    disk.append(path, bytes);
    disk.append(path, "");
    disk.append(path, "cd");
    BOOST_TEST(disk.read(path, 100) == bytes + "cd");
    const std::string large(300'000, 'x');
    disk.append(path, large);
    BOOST_TEST((disk.read(path, 1'000'000) == bytes + "cd" + large));

    write(top + "/target", std::string("target"));
    BOOST_TEST(disk.make_link(top + "/target", top + "/link"));
    BOOST_CHECK_EXCEPTION(disk.append(top + "/link", "x"), Failure,
                          fails_with(Error::io, top + "/link"));
    BOOST_TEST(disk.read(top + "/target", 100) == "target");
    BOOST_CHECK_EXCEPTION(disk.append(top, "x"), Failure, fails_with(Error::io, top));
    BOOST_CHECK_EXCEPTION(disk.append(top + "/none/file", "x"), Failure,
                          fails_with(Error::missing, top + "/none"));
    BOOST_TEST(!disk.stat(top + "/none"));
}

template <Disk D>
void disk_renames(D& disk, const std::string& root, auto& write) {
    const std::string top = root + "/renaming";
    disk.make_directories(top);
    write(top + "/new", std::string("new"));
    write(top + "/old", std::string("old"));
    const auto inode = disk.stat(top + "/new")->inode;

    BOOST_TEST(!disk.rename_new(top + "/new", top + "/old"));
    BOOST_TEST(disk.read(top + "/old", 10) == "old");
    BOOST_TEST(disk.read(top + "/new", 10) == "new");
    disk.rename(top + "/new", top + "/old");
    BOOST_TEST(disk.read(top + "/old", 10) == "new");
    BOOST_TEST(!disk.stat(top + "/new"));
    BOOST_TEST(disk.stat(top + "/old")->inode == inode);
    BOOST_TEST(disk.rename_new(top + "/old", top + "/third"));
    BOOST_TEST(!disk.stat(top + "/old"));
    BOOST_TEST(disk.stat(top + "/third")->inode == inode);

    BOOST_CHECK_EXCEPTION(disk.rename(top + "/none", top + "/x"), Failure,
                          fails_with(Error::missing, top + "/none"));
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.rename_new(top + "/none", top + "/x")), Failure,
                          fails_with(Error::missing, top + "/none"));
    BOOST_CHECK_EXCEPTION(disk.rename(top + "/third", top + "/none/x"), Failure,
                          fails_with(Error::missing, top + "/none/x"));

    // Directories take what is in them along; one with entries is never replaced.
    disk.make_directories(top + "/directory");
    write(top + "/directory/inside", std::string("1"));
    disk.make_directories(top + "/full");
    write(top + "/full/inside", std::string("2"));
    BOOST_TEST(!disk.rename_new(top + "/directory", top + "/full"));
    BOOST_CHECK_EXCEPTION(disk.rename(top + "/directory", top + "/full"), Failure,
                          fails_with(Error::exists, top + "/full"));
    BOOST_TEST(disk.rename_new(top + "/directory", top + "/moved"));
    BOOST_TEST(disk.read(top + "/moved/inside", 10) == "1");
    BOOST_TEST(disk.read(top + "/full/inside", 10) == "2");
    BOOST_TEST(!disk.stat(top + "/directory"));
}

template <Disk D>
void disk_exchanges(D& disk, const std::string& root, auto write) {
    disk.make_directories(root + "/exchanging/other");
    const std::string a = root + "/exchanging/a";
    const std::string b = root + "/exchanging/other/b";
    write(a, "of a");
    write(b, "of b");
    const auto was = disk.stat(a)->inode;
    disk.exchange(a, b);
    BOOST_TEST(disk.read(a, 9) == "of b");
    BOOST_TEST(disk.read(b, 9) == "of a");
    BOOST_TEST(disk.stat(b)->inode == was);
    BOOST_CHECK_EXCEPTION(disk.exchange(a, root + "/exchanging/none"), Failure,
                          fails_with(Error::missing, root + "/exchanging/none"));
    BOOST_TEST(disk.read(a, 9) == "of b");
}

template <Disk D>
void disk_links(D& disk, const std::string& root, auto& write) {
    const std::string top = root + "/linking";
    disk.make_directories(top + "/directory");
    write(top + "/file", std::string("12345"));
    BOOST_TEST(disk.make_link(top + "/file", top + "/link"));
    BOOST_TEST(disk.make_link(top + "/none", top + "/dangling"));
    BOOST_TEST(disk.make_link(top + "/directory", top + "/inside"));
    BOOST_TEST((disk.read_link(top + "/link") == top + "/file"));
    BOOST_TEST((disk.read_link(top + "/dangling") == top + "/none"));
    BOOST_TEST(!disk.read_link(top + "/file"));
    BOOST_TEST(!disk.read_link(top + "/directory"));
    BOOST_TEST(!disk.read_link(top + "/none"));
    BOOST_TEST(!disk.read_link(top + "/none/below"));
    BOOST_TEST((disk.stat(top + "/link") == disk.stat(top + "/file")));
    BOOST_TEST(disk.read(top + "/link", 10) == "12345");
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.read(top + "/dangling", 10)), Failure,
                          fails_with(Error::missing, top + "/dangling"));
    BOOST_CHECK_THROW(static_cast<void>(disk.read(top + "/inside", 10)), Failure);
    BOOST_TEST(!disk.stat(top + "/dangling"));
    const std::vector<Entry> expected{{"dangling", false},
                                      {"directory", true},
                                      {"file", false},
                                      {"inside", true},
                                      {"link", false}};
    BOOST_TEST((sorted_list(disk, top) == expected));

    BOOST_TEST(!disk.make_link(top + "/other", top + "/link"));
    BOOST_TEST(!disk.make_link(top + "/other", top + "/dangling"));
    BOOST_TEST(!disk.make_link(top + "/other", top + "/file"));
    BOOST_TEST(!disk.make_link(top + "/other", top + "/directory"));
    BOOST_TEST((disk.read_link(top + "/link") == top + "/file"));
    BOOST_TEST(disk.read(top + "/file", 10) == "12345");
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.make_link(top, top + "/none/below")), Failure,
                          fails_with(Error::missing, top + "/none/below"));

    BOOST_TEST(disk.remove(top + "/link"));
    BOOST_TEST(disk.remove(top + "/dangling"));
    BOOST_TEST(!disk.remove(top + "/dangling"));
    BOOST_TEST(disk.read(top + "/file", 10) == "12345");
    BOOST_TEST(disk.remove(top + "/inside"));
    BOOST_TEST(disk.stat(top + "/directory").has_value());
}

template <Disk D>
void disk_removes(D& disk, const std::string& root, auto& write) {
    const std::string top = root + "/removing";
    disk.make_directories(top + "/tree/a/b");
    disk.make_directories(top + "/tree/empty");
    write(top + "/tree/a/file", std::string("1"));
    write(top + "/tree/a/b/file", std::string("2"));
    write(top + "/file", std::string("3"));

    BOOST_TEST(disk.remove(top + "/file"));
    BOOST_TEST(!disk.remove(top + "/file"));
    BOOST_TEST(!disk.remove(top + "/none/file"));
    BOOST_TEST(disk.remove_empty(top + "/tree/empty"));
    BOOST_TEST(!disk.remove_empty(top + "/tree/empty"));
    BOOST_TEST(!disk.remove_empty(top + "/tree/a"));
    BOOST_TEST(disk.read(top + "/tree/a/b/file", 10) == "2");
    BOOST_CHECK_THROW(disk.remove(top + "/tree/a"), Failure); // a directory is not removed by it
    BOOST_TEST(disk.stat(top + "/tree/a").has_value());
    BOOST_TEST(disk.remove_tree(top + "/tree"));
    BOOST_TEST(!disk.stat(top + "/tree"));
    BOOST_TEST(!disk.remove_tree(top + "/tree"));
    BOOST_TEST(disk.list(top).empty());
}

template <Disk D>
void disk_syncs(D& disk, const std::string& root, auto& write) {
    disk.make_directories(root + "/syncing");
    write(root + "/syncing/file", std::string("1"));
    disk.sync(root + "/syncing/file");
    disk.sync(root + "/syncing");
    BOOST_TEST(disk.read(root + "/syncing/file", 10) == "1");
    BOOST_CHECK_EXCEPTION(disk.sync(root + "/syncing/none"), Failure,
                          fails_with(Error::missing, root + "/syncing/none"));
}

template <Disk D>
void disk_locks(D& disk, const std::string& root) {
    const std::string top = root + "/locking/made/by/the/lock";
    D copy = disk;
    {
        auto lock = disk.try_lock(top);
        BOOST_REQUIRE(lock);
        BOOST_TEST((disk.list(top) == std::vector<Entry>{{".lock", false}}));
        BOOST_TEST(!disk.try_lock(top));
        BOOST_TEST(!copy.try_lock(top));
        auto other = disk.try_lock(root + "/locking/other");
        BOOST_TEST(other.has_value());
        auto moved = std::move(*lock);
        lock.reset();
        BOOST_TEST(!disk.try_lock(top)); // it went with the value
    }
    {
        auto lock = copy.try_lock(top);
        BOOST_REQUIRE(lock);
        auto other = disk.try_lock(root + "/locking/other");
        BOOST_REQUIRE(other);
        *lock = std::move(*other); // the first is given back
        BOOST_TEST(disk.try_lock(top).has_value());
        BOOST_TEST(!disk.try_lock(root + "/locking/other"));
    }
    // A directory may be removed by the one who holds its lock; the next makes a new one.
    auto last = disk.try_lock(top);
    BOOST_REQUIRE(last);
    BOOST_TEST(disk.remove_tree(top));
    auto next = disk.try_lock(top);
    BOOST_TEST(next.has_value());
    last.reset(); // frees the old file, not the new one
    BOOST_TEST(!disk.try_lock(top));
}

template <Disk D>
void disk_holds(D& disk, const std::string& root) {
    const std::string top = root + "/holding/a";
    BOOST_TEST(!disk.is_held(top));
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.try_hold(top)), Failure,
                          fails_with(Error::missing, top));
    disk.make_directories(top);
    BOOST_TEST(!disk.is_held(top));
    D copy = disk;
    {
        auto hold = disk.try_hold(top);
        BOOST_REQUIRE(hold);
        BOOST_TEST(disk.list(top).empty());
        BOOST_TEST(copy.is_held(top));
        BOOST_TEST(!copy.try_hold(top));
        BOOST_TEST(!disk.is_held(root + "/holding"));
        BOOST_TEST(disk.try_lock(top).has_value()); // another lock
        disk.rename(top, root + "/holding/b");
        BOOST_TEST(disk.is_held(root + "/holding/b"));
        disk.make_directories(top);
        BOOST_TEST(!disk.is_held(top));
    }
    BOOST_TEST(!disk.is_held(root + "/holding/b"));
    BOOST_TEST(disk.try_hold(root + "/holding/b").has_value());
}

/// Runs all laws below `root`, an existing directory of the disk. `write(path, bytes)` makes or
/// replaces a file whose directory exists, by other means than the concept's.
template <Disk D>
void check_disk_laws(D disk, const std::string& root,
                     std::invocable<const std::string&, const std::string&> auto write) {
    disk_lists_and_stats(disk, root, write);
    disk_reads(disk, root, write);
    disk_appends(disk, root, write);
    disk_renames(disk, root, write);
    disk_exchanges(disk, root, write);
    disk_links(disk, root, write);
    disk_removes(disk, root, write);
    disk_syncs(disk, root, write);
    disk_locks(disk, root);
    disk_holds(disk, root);
    BOOST_TEST(!disk.is_mount(root + "/none"));
    BOOST_TEST(!disk.is_mount(root + "/listing"));
    const Space space = disk.space(root);
    BOOST_TEST(space.free > 0U);
    BOOST_TEST(space.free <= space.total);
    BOOST_CHECK_EXCEPTION(static_cast<void>(disk.space(root + "/none")), Failure,
                          fails_with(Error::missing, root + "/none"));
}

} // namespace replica::test

#endif // REPLICA_TEST_LAWS_DISK_HPP
