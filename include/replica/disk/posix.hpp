#ifndef REPLICA_DISK_POSIX_HPP
#define REPLICA_DISK_POSIX_HPP

// The file systems of this node. Only disk/, process/, daemon/ and local/ call the operating
// system's file interface. All other code goes through the concept Disk, so a test can make every
// file call fail.

#include <replica/disk.hpp>
#include <replica/disk/descriptor.hpp>
#include <replica/disk/rename.hpp>
#include <replica/error.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace replica {

namespace detail {

/// False if `path` now names another file than `open`, or none.
[[nodiscard]] inline bool is_still(const Descriptor& open, const std::string& path) {
    struct ::stat mine {};
    if (::fstat(open.get(), &mine) != 0) {
        throw_errno(errno, "stat", path);
    }
    const auto named = stat_path(path);
    return named && named->st_dev == mine.st_dev && named->st_ino == mine.st_ino;
}

} // namespace detail

/// Models Disk. Stateless: all copies are the same disk. Thread safety: any thread.
class PosixDisk {
public:
    /// Swift's lock of a directory: flock on its file ".lock", which stock servers on the same disk
    /// take too. Ends with the value or the process. The file stays.
    class lock_type {
    public:
        explicit lock_type(Descriptor file) noexcept : file_(std::move(file)) {}
        lock_type(lock_type&&) noexcept = default;
        lock_type& operator=(lock_type&& other) noexcept {
            lock_type old(std::move(other));
            std::swap(file_, old.file_);
            return *this;
        }
        /// Unlocks explicitly: between fork and exec a child of another thread shares the lock, and
        /// after a mere close the child would still hold it.
        ~lock_type() {
            if (file_) {
                ::flock(file_.get(), LOCK_UN);
            }
        }

    private:
        Descriptor file_;
    };

    [[nodiscard]] std::vector<Entry> list(const std::string& path) const {
        const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
        if (!directory) {
            throw_errno(errno, "list", path);
        }
        std::vector<Entry> entries;
        for (;;) {
            errno = 0;
            const ::dirent* const found = ::readdir(directory.get());
            if (found == nullptr) {
                break;
            }
            const std::string_view name(found->d_name);
            if (name != "." && name != "..") {
                entries.push_back({std::string(name), is_directory(directory.get(), *found)});
            }
        }
        if (errno != 0) {
            throw_errno(errno, "list", path);
        }
        return entries;
    }

    [[nodiscard]] std::optional<FileStatus> stat(const std::string& path) const {
        const auto status = stat_path(path);
        if (!status) {
            return std::nullopt;
        }
        constexpr std::int64_t second = 1'000'000'000;
        return FileStatus{.device = status->st_dev,
                          .inode = status->st_ino,
                          .size = status->st_size,
                          .modified_ns = status->st_mtim.tv_sec * second + status->st_mtim.tv_nsec,
                          .changed_ns = status->st_ctim.tv_sec * second + status->st_ctim.tv_nsec,
                          .directory = S_ISDIR(status->st_mode),
                          .regular = S_ISREG(status->st_mode)};
    }

    /// Like Swift's ismount: another device than the parent directory's, a file system's root, or a
    /// file ".ismount" inside, with which operators declare a plain directory mounted. A symbolic
    /// link counts only with that file.
    [[nodiscard]] bool is_mount(const std::string& path) const {
        const auto here = stat_path(path, true);
        if (!here) {
            return false;
        }
        if (!S_ISLNK(here->st_mode)) {
            const auto above = stat_path(path + "/..", true);
            if (above && (above->st_dev != here->st_dev || above->st_ino == here->st_ino)) {
                return true;
            }
        }
        const auto declared = stat_path(path + "/.ismount");
        return declared && S_ISREG(declared->st_mode);
    }

    [[nodiscard]] Space space(const std::string& path) const {
        struct ::statvfs status {};
        if (uninterrupted([&] { return ::statvfs(path.c_str(), &status); }) != 0) {
            throw_errno(errno, "ask for the free space of", path);
        }
        return {.total = std::uint64_t{status.f_blocks} * status.f_frsize,
                .free = std::uint64_t{status.f_bavail} * status.f_frsize};
    }

    /// The first `bytes` bytes of a file, or all of it if it is shorter.
    [[nodiscard]] std::string read(const std::string& path, std::size_t bytes) const {
        return read_from(path, 0, bytes);
    }

    /// At most `bytes` bytes from `offset` on.
    [[nodiscard]] std::string read_from(const std::string& path, std::int64_t offset,
                                        std::size_t bytes) const {
        const Descriptor file = Descriptor::open(path, O_RDONLY | O_NONBLOCK);
        struct ::stat status {};
        if (!file || ::fstat(file.get(), &status) != 0) {
            throw_errno(errno, "open", path);
        }
        if (!S_ISREG(status.st_mode)) {
            throw Failure(Error::io, "cannot read " + path + ": not a regular file");
        }
        constexpr std::size_t piece = 65536; // the caller may ask for more than there is
        std::string content;
        while (content.size() < bytes) {
            const std::size_t had = content.size();
            content.resize(had + std::min(piece, bytes - had));
            const ssize_t got = uninterrupted([&] {
                return ::pread(file.get(), content.data() + had, content.size() - had,
                               offset + static_cast<off_t>(had));
            });
            if (got < 0) {
                throw_errno(errno, "read", path);
            }
            content.resize(had + static_cast<std::size_t>(got));
            if (got == 0) {
                break;
            }
        }
        return content;
    }

    /// A new file is readable by its owner only.
    void append(const std::string& path, std::string_view text) const {
        const Descriptor file = Descriptor::open(
            path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, // else a FIFO waits
            Descriptor::owner);
        struct ::stat status {};
        if (!file || ::fstat(file.get(), &status) != 0) {
            throw_errno(errno, "open", path);
        }
        if (!S_ISREG(status.st_mode)) {
            throw Failure(Error::io, "cannot write " + path + ": not a regular file");
        }
        while (!text.empty()) {
            const ssize_t put =
                uninterrupted([&] { return ::write(file.get(), text.data(), text.size()); });
            if (put < 0) {
                throw_errno(errno, "write", path);
            }
            text.remove_prefix(static_cast<std::size_t>(put));
        }
    }

    /// Makes the directory and its parents; does nothing if it exists. Modes are left to the umask.
    /// Others may make and remove them meanwhile, which std::filesystem reports as an error.
    void make_directories(const std::string& path) const {
        int reason = 0;
        for (int attempt = 0; attempt < attempts; ++attempt) {
            if (::mkdir(path.c_str(), 0777) == 0) {
                return;
            }
            reason = errno;
            if (reason == EEXIST) {
                const auto there = stat_path(path);
                if (there && S_ISDIR(there->st_mode)) {
                    return;
                }
                if (there) {
                    break;
                }
            } else if (reason == ENOENT && path.find_last_of('/') + 1 > 1) {
                make_directories(path.substr(0, path.find_last_of('/')));
            } else {
                break;
            }
        }
        throw_errno(reason, "make directory", path);
    }

    void rename(const std::string& from, const std::string& to) const {
        if (::rename(from.c_str(), to.c_str()) != 0) {
            throw_errno(errno, "rename", from + " to " + to);
        }
    }

    /// False, with nothing changed, if something is at `to` (defect 8).
    [[nodiscard]] bool rename_new(const std::string& from, const std::string& to) const {
        return renaming::rename_new(from, to);
    }

    void exchange(const std::string& a, const std::string& b) const { renaming::exchange(a, b); }

    /// False, with nothing changed, if something is at `path`.
    [[nodiscard]] bool make_link(const std::string& target, const std::string& path) const {
        if (::symlink(target.c_str(), path.c_str()) == 0) {
            return true;
        }
        if (errno != EEXIST) {
            throw_errno(errno, "make link", path);
        }
        return false;
    }

    [[nodiscard]] std::optional<std::string> read_link(const std::string& path) const {
        std::string target(PATH_MAX, '\0');
        const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
        if (size >= 0) {
            target.resize(static_cast<std::size_t>(size));
            return target;
        }
        if (errno != EINVAL && error_of_errno(errno) != Error::missing) {
            throw_errno(errno, "read link", path);
        }
        return std::nullopt;
    }

    bool remove(const std::string& path) const {
        if (::unlink(path.c_str()) == 0) {
            return true;
        }
        if (error_of_errno(errno) != Error::missing) {
            throw_errno(errno, "remove", path);
        }
        return false;
    }

    bool remove_empty(const std::string& path) const {
        if (::rmdir(path.c_str()) == 0) {
            return true;
        }
        const int reason = errno;
        if (reason == ENOENT || reason == ENOTEMPTY || reason == EEXIST ||
            (reason == ENOTDIR && !stat_path(path, true))) {
            return false;
        }
        throw_errno(reason, "remove directory", path);
    }

    /// Links inside are removed, not followed. Entries that others remove meanwhile count as
    /// removed.
    bool remove_tree(const std::string& path) const {
        std::error_code code;
        const auto removed = std::filesystem::remove_all(path, code);
        if (code && error_of_errno(code.value()) != Error::missing) {
            throw_errno(code.value(), "remove directory", path);
        }
        return !code && removed != 0;
    }

    void sync(const std::string& path) const {
        const Descriptor file = Descriptor::open(path, O_RDONLY | O_NONBLOCK);
        if (!file) {
            throw_errno(errno, "open", path);
        }
        if (uninterrupted([&] { return ::fsync(file.get()); }) != 0) {
            throw_errno(errno, "sync", path);
        }
    }

    /// Empty if another process or thread holds the lock (Swift: lock_parent_directory).
    [[nodiscard]] std::optional<lock_type> try_lock(const std::string& directory) const {
        const std::string path = directory + "/.lock";
        for (int attempt = 0; attempt < attempts; ++attempt) {
            make_directories(directory);
            Descriptor file = Descriptor::open(path, O_RDWR | O_CREAT | O_NOFOLLOW);
            if (!file && errno == ENOENT) {
                continue;
            }
            if (!file) {
                throw_errno(errno, "open", path);
            }
            if (uninterrupted([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) != 0) {
                if (errno != EWOULDBLOCK) {
                    throw_errno(errno, "lock", path);
                }
                return std::nullopt;
            }
            if (detail::is_still(file, path)) {
                return lock_type(std::move(file));
            }
        }
        return std::nullopt;
    }

    /// flock on the directory itself, which stock servers never do.
    [[nodiscard]] std::optional<lock_type> try_hold(const std::string& directory) const {
        return flock_directory(directory, LOCK_EX);
    }

    /// False if the directory does not exist.
    [[nodiscard]] bool is_held(const std::string& directory) const {
        try {
            return !flock_directory(directory, LOCK_SH);
        } catch (const Failure& failure) {
            if (failure.error() != Error::missing) {
                throw;
            }
            return false;
        }
    }

private:
    /// Empty if a conflicting lock is held.
    [[nodiscard]] static std::optional<lock_type> flock_directory(const std::string& directory,
                                                                  int kind) {
        Descriptor file = Descriptor::open(directory, O_RDONLY | O_DIRECTORY);
        if (!file) {
            throw_errno(errno, "open", directory);
        }
        if (uninterrupted([&] { return ::flock(file.get(), kind | LOCK_NB); }) != 0) {
            if (errno != EWOULDBLOCK) {
                throw_errno(errno, "lock", directory);
            }
            return std::nullopt;
        }
        return lock_type(std::move(file));
    }

    static constexpr int attempts = 16; ///< One fails only if somebody removed a directory.

    struct CloseDirectory {
        void operator()(DIR* directory) const noexcept { ::closedir(directory); }
    };

    /// Many file systems give the type with the name, which saves a stat for each name.
    [[nodiscard]] static bool is_directory(DIR* directory, const dirent& entry) {
        if (entry.d_type != DT_LNK && entry.d_type != DT_UNKNOWN) {
            return entry.d_type == DT_DIR;
        }
        struct ::stat status {};
        return ::fstatat(::dirfd(directory), entry.d_name, &status, 0) == 0 &&
               S_ISDIR(status.st_mode);
    }
};

static_assert(Disk<PosixDisk>);

} // namespace replica

#endif // REPLICA_DISK_POSIX_HPP
