#ifndef REPLICA_RING_WATCHED_RING_HPP
#define REPLICA_RING_WATCHED_RING_HPP

// A ring file is replaced while daemons run, so it is checked every 15 s, as in Swift. A broken new
// file is reported and not used: a daemon that continues with the old ring does less harm than one
// that stops or guesses. The report comes at each check, since one line of a log is overlooked, and
// a daemon cannot start again with a broken file. The same for every format.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/disk/posix.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace replica {

/// A version of a ring, made from the bytes of a file. parse throws Failure with bad_config that
/// names the file and the reason. A file of more than max_bytes is not read.
template <class V>
concept RingFormat = RingVersion<V> && requires(std::string_view bytes, const std::string& file) {
    { V::parse(bytes, file) } -> std::same_as<V>;
    { V::max_bytes } -> std::convertible_to<std::size_t>;
};

/// Throws bad_request for a partition that does not exist: an empty answer would mean "every
/// primary has it" (Launchpad bug 1568591).
inline void check_partition(std::uint32_t partition, std::uint32_t count) {
    if (partition >= count) {
        throw Failure(Error::bad_request, "partition " + std::to_string(partition) +
                                              " is not one of the ring's " + std::to_string(count));
    }
}

/// A ring file that may change. Models Ring. Copies share one state. Thread safety: any thread;
/// while one thread reads the file, the others use the present version.
template <RingFormat V, Clock C = SystemClock, Disk D = PosixDisk>
class WatchedRing {
public:
    /// Called after each check of a file that cannot be used, with the reason, and without one
    /// after the first check that finds a good file again. On the thread that called version().
    using Report = std::function<void(const std::optional<Failure>&)>;

    /// The time between two looks at the file.
    static constexpr std::chrono::seconds check_interval{15};

    /// Reads `path`. Throws Failure with bad_config that names the file and the reason, or the
    /// disk's error.
    explicit WatchedRing(std::string path, C clock = {}, D disk = {}, Report report = {})
        : state_(std::make_shared<State>(std::move(path), std::move(clock), std::move(disk),
                                         std::move(report))) {}

    /// The current version. Checks the file if the last check was 15 s ago, and reads it if it has
    /// changed or could not be read then.
    [[nodiscard]] V version() {
        State& state = *state_;
        const Instant now = state.clock.monotonic();
        std::unique_lock lock(state.mutex);
        if (now < state.next_check || state.checking) {
            return state.version;
        }
        state.checking = true;
        const std::optional<FileStatus> known = state.known;
        const bool failed = state.error.has_value();
        const bool read_failed = state.error && state.error->error() != Error::bad_config;
        lock.unlock(); // it may take long on a bad disk
        const Look look = state.look(read_failed ? std::nullopt : known);
        lock.lock();
        state.checking = false;
        state.next_check = now + check_interval;
        state.known = look.status;
        if (look.version) {
            state.version = *look.version;
        }
        if (look.error || look.version) {
            state.error = look.error;
        }
        const std::optional<Failure> error = state.error;
        V version = state.version;
        lock.unlock();
        if (state.report && (error || failed)) {
            state.report(error);
        }
        return version;
    }

    /// Why the present file is not used; empty if it is used.
    [[nodiscard]] std::optional<Failure> last_error() const {
        const std::lock_guard lock(state_->mutex);
        return state_->error;
    }

private:
    /// The result of a check: neither version nor error if the file is unchanged.
    struct Look {
        std::optional<FileStatus> status;
        std::optional<V> version;
        std::optional<Failure> error;
    };

    struct State {
        State(std::string path_, C clock_, D disk_, Report report_)
            : path(std::move(path_)), clock(std::move(clock_)), disk(std::move(disk_)),
              report(std::move(report_)), known(disk.stat(path)), version(read()),
              next_check(clock.monotonic() + check_interval) {}

        /// Reads the file unless its status is still `before`. The status is taken before the
        /// content, so a file that changes in between is read again at the next check.
        [[nodiscard]] Look look(const std::optional<FileStatus>& before) {
            Look look;
            try {
                look.status = disk.stat(path);
                if (!look.status || look.status != before) {
                    look.version = read();
                }
            } catch (const Failure& failure) {
                look.error = failure;
            } catch (const std::exception& other) { // for example no memory for a huge file
                look.error = Failure(Error::io, path + ": " + other.what());
            }
            return look;
        }

        [[nodiscard]] V read() {
            const std::string content = disk.read(path, V::max_bytes + 1);
            if (content.size() > V::max_bytes) {
                throw Failure(Error::bad_config,
                              path + ": larger than " + std::to_string(V::max_bytes) + " bytes");
            }
            return V::parse(content, path);
        }

        std::string path;
        C clock;
        D disk;
        Report report;
        std::optional<FileStatus> known;
        V version;
        Instant next_check;
        std::optional<Failure> error{};
        bool checking = false;
        std::mutex mutex{};
    };

    std::shared_ptr<State> state_;
};

} // namespace replica

#endif // REPLICA_RING_WATCHED_RING_HPP
