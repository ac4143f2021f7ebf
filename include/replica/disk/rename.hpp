#ifndef REPLICA_DISK_RENAME_HPP
#define REPLICA_DISK_RENAME_HPP

// Renames that replace nothing, or exchange two names, with a replacement for file systems that
// cannot do so in one step.

#include <replica/disk/descriptor.hpp>
#include <replica/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

namespace replica::renaming {

/// False if the rename failed because something was at `to`; else throws.
[[nodiscard]] inline bool refused_or_throw(int number, const std::string& from,
                                           const std::string& to) {
    if (error_of_errno(number) == Error::exists) {
        return false;
    }
    throw_errno(number, "rename", from + " to " + to);
}

/// rename_new for file systems without RENAME_NOREPLACE (NFS, older FUSE). A file gets its second
/// name in one step and loses the first in another. A directory is renamed over an empty one made
/// for it, which rename allows only while that one is empty.
[[nodiscard]] inline bool rename_new_by_steps(const std::string& from, const std::string& to) {
    const auto source = stat_path(from, true);
    if (!source) {
        throw_errno(ENOENT, "rename", from);
    }
    if (!S_ISDIR(source->st_mode)) {
        if (::link(from.c_str(), to.c_str()) != 0) {
            return refused_or_throw(errno, from, to);
        }
        if (::unlink(from.c_str()) != 0) {
            throw_errno(errno, "remove", from);
        }
        return true;
    }
    if (::mkdir(to.c_str(), 0777) != 0) {
        return refused_or_throw(errno, from, to);
    }
    if (::rename(from.c_str(), to.c_str()) == 0) {
        return true;
    }
    const int reason = errno;
    ::rmdir(to.c_str());
    return refused_or_throw(reason, from, to);
}

/// False, with nothing changed, if something is at `to` (defect 8).
[[nodiscard]] inline bool rename_new(const std::string& from, const std::string& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
        return true;
    }
    if (errno == EINVAL || errno == ENOSYS) {
        return rename_new_by_steps(from, to);
    }
    return refused_or_throw(errno, from, to);
}

/// Exchanges the names of two files. On file systems without RENAME_EXCHANGE (NFS, older FUSE) this
/// takes three steps, and `b` exists after each.
inline void exchange(const std::string& a, const std::string& b) {
    if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) {
        return;
    }
    const std::string what = a + " and " + b;
    if (errno != EINVAL && errno != ENOSYS) {
        throw_errno(errno, "exchange", what);
    }
    const std::string aside = a + ".exchanged";
    if (::link(b.c_str(), aside.c_str()) != 0 || ::rename(a.c_str(), b.c_str()) != 0 ||
        ::rename(aside.c_str(), a.c_str()) != 0) {
        throw_errno(errno, "exchange", what);
    }
}

} // namespace replica::renaming

#endif // REPLICA_DISK_RENAME_HPP
