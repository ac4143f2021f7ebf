// Writes the figures of the last pass to the file from which a stock server answers swift-recon.
// The updater, the auditor and the sharder share the file: each changes its own keys under a lock
// on the file itself. The file is replaced by rename, so a lock may turn out to be on a file that
// was replaced. Behaviour: dump_recon_cache of Swift 2.30.1.
#ifndef REPLICA_DAEMON_RECON_HPP
#define REPLICA_DAEMON_RECON_HPP

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/settings.hpp>
#include <replica/words/json.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace replica::daemon {

/// Writes `update` into `cache`, key by key. A nested object is merged one level deep; an empty
/// object deletes its key; any other value replaces.
inline void merge_recon(boost::json::object& cache, const boost::json::object& update) {
    for (const auto& [key, item] : update) {
        const auto* const nested = item.if_object();
        if (nested == nullptr) {
            cache[key] = item;
        } else if (nested->empty()) {
            cache.erase(key);
        } else {
            auto& place = cache[key];
            if (!place.is_object()) {
                place = boost::json::object{};
            }
            auto& entries = place.get_object();
            for (const auto& [name, value] : *nested) {
                if (value.is_object() && value.get_object().empty()) {
                    entries.erase(name);
                } else {
                    entries[name] = value;
                }
            }
        }
    }
}

/// Appends a value as Python would write it: ASCII, sorted keys, a point in every real number. So
/// the text depends only on the content, whichever daemon wrote it.
inline void append_sorted(std::string& out, const boost::json::value& value) {
    if (const auto* const array = value.if_array()) {
        out += '[';
        for (std::size_t i = 0; i < array->size(); ++i) {
            out += i == 0 ? "" : ", ";
            append_sorted(out, (*array)[i]);
        }
        out += ']';
    } else if (const auto* const object = value.if_object()) {
        std::vector<std::string_view> keys;
        for (const auto& [key, item] : *object) {
            keys.emplace_back(key);
        }
        std::ranges::sort(keys);
        out += '{';
        for (std::size_t i = 0; i < keys.size(); ++i) {
            out += i == 0 ? "" : ", ";
            json::append(out, keys[i]);
            out += ": ";
            append_sorted(out, object->at(keys[i]));
        }
        out += '}';
    } else if (const auto* const text = value.if_string()) {
        json::append(out, std::string_view{*text});
    } else if (const auto* const number = value.if_double();
               number != nullptr && !std::isfinite(*number)) {
        // JSON has neither infinity nor NaN; Boost's parser makes them of 1e999 and 0e999.
        out += std::isnan(*number) ? "0.0" : *number < 0 ? "-1e999" : "1e999";
    } else if (number != nullptr) {
        const bool plain = *number == 0 || (std::abs(*number) >= 1e-4 && std::abs(*number) < 1e16);
        const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
        char digits[64];
        const auto* const end = std::to_chars(digits, digits + sizeof digits, *number, format).ptr;
        const std::string_view written{digits, end};
        out += written;
        out += written.find_first_of(".e") == written.npos ? ".0" : "";
    } else {
        out += boost::json::serialize(value);
    }
}

namespace detail {

[[noreturn]] inline void fail_recon(const std::string& path, std::string_view step) {
    const int reason = errno;
    const auto error = reason == ENOENT                       ? Error::missing
                       : reason == ENOSPC || reason == EDQUOT ? Error::no_space
                                                              : Error::io;
    throw Failure(error,
                  path + ": " + std::string{step} + ": " + std::generic_category().message(reason));
}

// The recon file, open and locked, and still under its name.
class LockedFile {
public:
    template <Clock C>
    LockedFile(const std::string& path, Seconds timeout, const C& clock, std::stop_token stop) {
        const auto deadline = clock.monotonic() + to_duration(timeout);
        do {
            close();
            descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
            if (descriptor_ < 0) {
                fail_recon(path, "open");
            }
            while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
                const auto next = clock.monotonic() + to_duration(Seconds{0.01});
                if (errno != EWOULDBLOCK || next > deadline || !clock.sleep_until(next, stop)) {
                    close();
                    throw Failure(Error::locked, path + ": not locked within " +
                                                     std::to_string(timeout.count()) + " s");
                }
            }
        } while (!is_current(path));
    }
    LockedFile(const LockedFile&) = delete;
    LockedFile& operator=(const LockedFile&) = delete;
    ~LockedFile() { close(); }

    [[nodiscard]] std::string first_line() const {
        std::string text;
        char buffer[4096];
        ssize_t got = 0;
        while ((got = ::read(descriptor_, buffer, sizeof buffer)) > 0) {
            text.append(buffer, static_cast<std::size_t>(got));
        }
        return text.substr(0, text.find('\n'));
    }

private:
    [[nodiscard]] bool is_current(const std::string& path) const {
        struct stat named {};
        struct stat locked {};
        return ::stat(path.c_str(), &named) == 0 && ::fstat(descriptor_, &locked) == 0 &&
               named.st_ino == locked.st_ino && named.st_dev == locked.st_dev;
    }

    void close() noexcept {
        if (descriptor_ >= 0) {
            ::close(std::exchange(descriptor_, -1));
        }
    }

    int descriptor_ = -1;
};

// Replaces `path` by rename. No fsync: figures lost in a crash are written again by the next pass.
inline void replace_file(const std::string& path, std::string_view text) {
    auto temporary = path + ".XXXXXX";
    const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (descriptor < 0) {
        fail_recon(path, "temporary file");
    }
    const auto written = ::write(descriptor, text.data(), text.size());
    const bool complete = written == static_cast<ssize_t>(text.size());
    if (!complete && written >= 0) {
        errno = ENOSPC;
    }
    if (!complete || ::rename(temporary.c_str(), path.c_str()) != 0) {
        const int reason = errno;
        ::close(descriptor);
        ::unlink(temporary.c_str());
        errno = reason;
        fail_recon(path, complete ? "rename" : "write");
    }
    ::close(descriptor);
}

} // namespace detail

/// Updates a recon file. Content that is no JSON object is replaced, as in Swift. Throws Failure,
/// with the file unchanged: locked (by another daemon for `timeout`), missing (no such directory),
/// no_space, io.
template <Clock C = SystemClock>
void update_recon(const std::string& path, const boost::json::object& update,
                  Seconds timeout = Seconds{2}, const C& clock = {}, std::stop_token stop = {}) {
    const detail::LockedFile file{path, timeout, clock, std::move(stop)};
    boost::json::object cache;
    boost::system::error_code ignored;
    const auto parsed = boost::json::parse(file.first_line(), ignored);
    if (const auto* const object = parsed.if_object(); object != nullptr && !ignored) {
        cache = *object;
    }
    merge_recon(cache, update);
    std::string text;
    append_sorted(text, cache);
    detail::replace_file(path, text + "\n");
}

} // namespace replica::daemon

#endif
