#ifndef REPLICA_DISK_HPP
#define REPLICA_DISK_HPP

// The file system is a seam as well: the walk and every order of operations in storage.hpp go
// through this concept, so that a simulated disk can fail, fill up and crash between any two of
// its calls.

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace replica {

/// What lies in a directory.
struct Entry {
    std::string name;
    bool directory = false; ///< Symbolic links are followed.

    friend bool operator==(const Entry&, const Entry&) = default;
};

/// What stat tells. Two equal values of a live database mean: nobody has written in between, as far
/// as a stat can see.
struct FileStatus {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;        ///< Bytes.
    std::int64_t modified_ns = 0; ///< Nanoseconds since 1970, by the disk's own clock.
    bool directory = false;
    bool regular = false; ///< A plain file: no directory, FIFO, socket or device.

    friend bool operator==(const FileStatus&, const FileStatus&) = default;
};

/// Room on a file system, in bytes. `free` is what an unprivileged writer may still use.
struct Space {
    std::uint64_t total = 0;
    std::uint64_t free = 0;
};

/// A file system. Every call that fails for another reason than those named here throws `Failure`
/// with Error::missing, no_space or io and the path in its text. Paths are absolute.
///
/// Laws (test/laws/disk.hpp):
/// - list gives every name once, without "." and "..", in no particular order; a path that is no
///   directory or is not there throws Error::missing.
/// - stat gives nothing for what is not there.
/// - rename replaces its target in one step; rename_new never does and returns false instead.
/// - exchange gives two files each other's names in one step; both must be there.
/// - remove and remove_empty return false for what is not there; remove_empty also for a directory
///   that has entries.
/// - make_link makes a symbolic link that says `target`, whether that is there or not; false if
///   something is at `path`. read_link gives what a link says, and nothing for what is no link or
///   not there. stat, list and read follow links, remove and rename take the link itself.
/// - read gives the first bytes of a regular file. Anything else is Error::io at once: to open a
///   FIFO would wait for a writer.
/// - try_lock: of two holders of the lock of one directory there is only ever one; a lock on a
///   directory whose .lock was replaced meanwhile is not handed out (defect 4). The directory is
///   made if it is not there. The lock ends with its value, also when the process dies.
/// - try_hold: a mark on a directory, which must be there, for other processes to see with is_held.
///   Nobody waits for it, it leaves nothing on the disk and has nothing to do with try_lock. Of two
///   holders there is only ever one; who looks at one moment may keep another from taking it. It
///   ends with its value, also when the process dies, and goes along when the directory is renamed.
/// - after sync(path) returned, a crash loses nothing of that file (or, for a directory, of its
///   entries).
/// - never call read or sync on a live database: closing a descriptor of it drops SQLite's locks.
///
/// Models: PosixDisk (disk/posix.hpp), SimDisk (sim/disk.hpp). Thread safety: any thread.
template <class D>
concept Disk = std::copyable<D> && std::movable<typename D::lock_type> &&
               requires(D disk, const std::string& path, std::size_t bytes) {
                   { disk.list(path) } -> std::same_as<std::vector<Entry>>;
                   { disk.stat(path) } -> std::same_as<std::optional<FileStatus>>;
                   { disk.is_mount(path) } -> std::same_as<bool>;
                   { disk.space(path) } -> std::same_as<Space>;
                   { disk.read(path, bytes) } -> std::same_as<std::string>;
                   { disk.make_directories(path) };
                   { disk.rename(path, path) };
                   { disk.rename_new(path, path) } -> std::same_as<bool>;
                   { disk.exchange(path, path) };
                   { disk.make_link(path, path) } -> std::same_as<bool>;
                   { disk.read_link(path) } -> std::same_as<std::optional<std::string>>;
                   { disk.remove(path) } -> std::same_as<bool>;
                   { disk.remove_empty(path) } -> std::same_as<bool>;
                   { disk.remove_tree(path) } -> std::same_as<bool>;
                   { disk.sync(path) };
                   { disk.try_lock(path) } -> std::same_as<std::optional<typename D::lock_type>>;
                   { disk.try_hold(path) } -> std::same_as<std::optional<typename D::lock_type>>;
                   { disk.is_held(path) } -> std::same_as<bool>;
               };

/// Why what is at `path` is no file of its own; empty if it is one, or if nothing is there. A FIFO
/// keeps its reader waiting for ever. A link leads to a file that others know by another name, and
/// to nothing that stat sees if its target is gone.
template <Disk D>
[[nodiscard]] std::string why_no_file(const D& disk, const std::string& path) {
    if (disk.read_link(path)) {
        return "is a symbolic link, which is not followed";
    }
    const auto status = disk.stat(path);
    if (!status || status->regular) {
        return {};
    }
    return status->directory ? "is a directory" : "is no regular file";
}

} // namespace replica

#endif // REPLICA_DISK_HPP
