#ifndef REPLICA_DISK_DESCRIPTOR_HPP
#define REPLICA_DISK_DESCRIPTOR_HPP

// An open file that closes itself, and the one place where errno becomes a Failure. Every
// descriptor is opened close-on-exec: an rsync that inherits a directory's lock would keep it for
// as long as its transfer lasts.

#include <replica/error.hpp>

#include <boost/system/error_code.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace replica {

/// What an errno means to us. A quota is a full disk to the one who hits it.
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

/// "No such file or directory". Unlike strerror it may be called from any thread.
[[nodiscard]] inline std::string errno_text(int number) {
    return boost::system::error_code(number, boost::system::generic_category()).message();
}

/// Throws what `number` means, as "cannot <verb> <path>: <reason>".
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
    /// close() is never repeated: on Linux the descriptor is gone even when it says EINTR, and a
    /// second call could close another thread's file.
    ~Descriptor() {
        if (number_ != -1) {
            ::close(number_);
        }
    }

    /// Nothing open, and errno says why, if the file cannot be opened.
    [[nodiscard]] static Descriptor open(const std::string& path, int flags) noexcept {
        constexpr mode_t everybody = 0666; // the umask takes its share
        return Descriptor(
            uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, everybody); }));
    }

    [[nodiscard]] explicit operator bool() const noexcept { return number_ != -1; }
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_ = -1;
};

} // namespace replica

#endif // REPLICA_DISK_DESCRIPTOR_HPP
