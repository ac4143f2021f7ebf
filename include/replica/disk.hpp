#ifndef REPLICA_DISK_HPP
#define REPLICA_DISK_HPP

// The file system is a policy as well. The walk (send/walk.hpp) and every order of operations in
// storage/ go through this concept, so a simulated disk can fail, fill up and crash between two
// calls.

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// One entry of a directory.
struct Entry {
    std::string name;       ///< Without the path.
    bool directory = false; ///< Symbolic links are followed.

    friend bool operator==(const Entry&, const Entry&) = default;
};

/// What stat tells. If two values of a live database are equal, nobody has written to the file in
/// between, as far as stat can see.
struct FileStatus {
    std::uint64_t device = 0;     ///< Number of the file system.
    std::uint64_t inode = 0;      ///< Number of the file on its file system.
    std::int64_t size = 0;        ///< Bytes.
    std::int64_t modified_ns = 0; ///< Nanoseconds since 1970, by the disk's own clock.
    std::int64_t changed_ns = 0;  ///< The same, of the file or its inode; nobody can set it.
    bool directory = false;       ///< Not a file.
    bool regular = false;         ///< A plain file: no directory, FIFO, socket or device.

    friend bool operator==(const FileStatus&, const FileStatus&) = default;
};

/// Room on a file system, in bytes. `free` is what an unprivileged writer may still use.
struct Space {
    std::uint64_t total = 0; ///< Size of the file system.
    std::uint64_t free = 0;  ///< Without what is kept for root.
};

/// A file system. A call that fails for a reason not named here throws `Failure` with
/// Error::missing, no_space or io, and the path in its text. Paths are absolute.
///
/// Laws (test/laws/disk.hpp):
/// - list gives every name once, without "." and "..", in no particular order. Error::missing if
///   the path is no directory or does not exist.
/// - stat gives nothing if the path does not exist.
/// - rename replaces its target in one step. rename_new never replaces, and returns false instead.
/// - exchange gives two files each other's names in one step. Both must exist.
/// - remove and remove_empty return false if the path does not exist. remove_empty also returns
///   false for a directory that has entries.
/// - make_link makes a symbolic link with the text `target`, whether the target exists or not;
///   false if something is at `path`. read_link gives the text of a link; nothing if `path` is no
///   link or does not exist. stat, list and read follow links; remove and rename act on the link.
/// - read gives the first bytes of a regular file, read_from those that begin at an offset; fewer,
///   or none, if the file ends before. Anything else is Error::io at once: opening a FIFO would
///   wait for a writer.
/// - append adds bytes at the end of a regular file, which it makes if nothing is there, in a
///   directory that exists, for its owner only. Links are not followed. After a failure a part may
///   have been added.
/// - try_lock: the lock of a directory has at most one holder. A lock on a .lock file that was
///   replaced meanwhile is not handed out (defect 4). try_lock makes the directory if it does not
///   exist. The lock ends with its value, also when the process dies.
/// - try_hold marks an existing directory for other processes, which see the mark with is_held. The
///   mark has at most one holder; nobody waits for it, it leaves nothing on the disk, and it is
///   independent of try_lock. is_held may make another's try_hold fail at that moment. The mark
///   ends with its value, also when the process dies, and stays with a directory that is renamed.
/// - after sync(path) has returned, a crash loses nothing of that file or, for a directory, of its
///   entries.
/// - never call read, read_from, append or sync on a live database: closing its descriptor drops
///   SQLite's locks (defect 65).
///
/// Models: PosixDisk (disk/posix.hpp), SimDisk (sim/disk.hpp). Thread safety: any thread.
template <class D>
concept Disk = std::copyable<D> && std::movable<typename D::lock_type> &&
               requires(D disk, const std::string& path, std::size_t bytes, std::int64_t offset,
                        std::string_view text) {
                   { disk.list(path) } -> std::same_as<std::vector<Entry>>;
                   { disk.stat(path) } -> std::same_as<std::optional<FileStatus>>;
                   { disk.is_mount(path) } -> std::same_as<bool>;
                   { disk.space(path) } -> std::same_as<Space>;
                   { disk.read(path, bytes) } -> std::same_as<std::string>;
                   { disk.read_from(path, offset, bytes) } -> std::same_as<std::string>;
                   { disk.append(path, text) };
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

/// Why `path` must not be opened as a file; empty if it is a regular file or nothing is there.
/// Reading a FIFO would wait for ever. A link leads to a file that others know by another name, or,
/// if its target is gone, to nothing that stat sees (defect 95).
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
