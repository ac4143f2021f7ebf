#ifndef REPLICA_DISK_DESCRIPTOR_HPP
#define REPLICA_DISK_DESCRIPTOR_HPP

// An open file that closes itself, and the translation of errno to Failure. All descriptors are
// close-on-exec: an rsync that inherits the lock of a directory would hold it until its transfer
// ends.

#include <replica/error.hpp>

#include <boost/system/error_code.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace replica {

/// Our error for an errno. An exceeded quota counts as a full disk.
[[nodiscard]] constexpr Error error_of_errno(int number) noexcept {
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return Error::missing;
    case EEXIST:
    case ENOTEMPTY:
        return Error::exists;
    case ENOSPC:
    case EDQUOT:
        return Error::no_space;
    default:
        return Error::io;
    }
}

/// Such as "No such file or directory". Unlike strerror it is thread safe.
[[nodiscard]] inline std::string errno_text(int number) {
    return boost::system::error_code(number, boost::system::generic_category()).message();
}

/// Throws the error for `number`, as "cannot <verb> <path>: <reason>".
[[noreturn]] inline void throw_errno(int number, std::string_view verb, std::string_view path) {
    std::string text("cannot ");
    text.append(verb).append(" ").append(path).append(": ").append(errno_text(number));
    throw Failure(error_of_errno(number), text);
}

/// Repeats a call that a signal interrupted.
template <std::invocable Call>
[[nodiscard]] auto uninterrupted(Call call) {
    auto result = call();
    while (result == -1 && errno == EINTR) {
        result = call();
    }
    return result;
}

/// The status of a path, or of the link itself if `link` is set. Empty if there is nothing.
[[nodiscard]] inline std::optional<struct ::stat> stat_path(const std::string& path,
                                                            bool link = false) {
    struct ::stat status {};
    const int result = link ? ::lstat(path.c_str(), &status) : ::stat(path.c_str(), &status);
    if (result == 0) {
        return status;
    }
    if (errno == ENOENT || errno == ENOTDIR) {
        return std::nullopt;
    }
    throw_errno(errno, "stat", path);
}

/// Owns one descriptor. Movable, not copyable.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        Descriptor old(std::exchange(number_, std::exchange(other.number_, -1)));
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    /// close() is never repeated: on Linux the descriptor is closed even on EINTR, and a second
    /// call could close another thread's file.
    ~Descriptor() {
        if (number_ != -1) {
            ::close(number_);
        }
    }

    static constexpr mode_t everybody = 0666; ///< The umask applies.
    static constexpr mode_t owner = 0600;     ///< As Swift's databases, which are full of names.

    /// `mode` is that of a new file. If the file cannot be opened the result is empty, and errno
    /// has the reason.
    [[nodiscard]] static Descriptor open(const std::string& path, int flags,
                                         mode_t mode = everybody) noexcept {
        return Descriptor(
            uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }));
    }

    [[nodiscard]] explicit operator bool() const noexcept { return number_ != -1; }
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_ = -1;
};

} // namespace replica

#endif // REPLICA_DISK_DESCRIPTOR_HPP
