#ifndef REPLICA_LOCAL_FILE_SYNC_HPP
#define REPLICA_LOCAL_FILE_SYNC_HPP

// Sends files between devices that one process can reach: for host programs on one node, for shared
// file systems and for tests. Needs neither rsync nor its daemon. The file sent is a copy made
// through the store, never a torn one.

#include <replica/clock.hpp>
#include <replica/disk/mounts.hpp>
#include <replica/disk/posix.hpp>
#include <replica/error.hpp>
#include <replica/file_sync.hpp>
#include <replica/words/hash_path.hpp>

#include <boost/system/system_error.hpp>

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

namespace replica {

/// Models FileSync. Copies share a counter. Thread safety: any thread, if `root_of` is thread safe.
template <Clock C = SystemClock>
class LocalFileSync {
public:
    /// Returns the directory above the device's own, such as "/srv/node"; empty if the device
    /// cannot be reached.
    using RootOf = std::function<std::string(const Device&)>;

    /// Asks `root_of` before each copy. `clock` is that of the deadlines.
    explicit LocalFileSync(RootOf root_of, C clock = {})
        : root_of_(std::move(root_of)), clock_(std::move(clock)) {}

    /// For devices that are all below one root.
    explicit LocalFileSync(std::string root, C clock = {})
        : LocalFileSync([root = std::move(root)](const Device&) { return root; },
                        std::move(clock)) {}

    /// Copies under a temporary name and then renames, so a name never stands for a part. Faults:
    /// bad_name, not_mounted (no such device), timed_out and stopped (both checked before and after
    /// the copy; the copy itself knows only the deadline), and those of copy_to.
    template <Source S>
    [[nodiscard]] Result<Sent> send(S& source, const Upload& upload, Instant deadline,
                                    const std::stop_token& stop) const {
        return caught(about(upload), [&] { return deliver(source, upload, deadline, stop); });
    }

private:
    /// Removes a copy that did not get its final name.
    struct Part {
        explicit Part(std::string path_) : path(std::move(path_)) {}
        Part(const Part&) = delete;
        Part& operator=(const Part&) = delete;
        ~Part() { ::unlink(path.c_str()); }

        std::string path;
    };

    [[nodiscard]] static std::string about(const Upload& upload) {
        return "copy to " + upload.target.device + "/tmp/" + upload.name + ": ";
    }

    template <Source S>
    [[nodiscard]] Result<Sent> deliver(S& source, const Upload& upload, Instant deadline,
                                       const std::stop_token& stop) const {
        PosixDisk disk;
        const auto check = [&] {
            if (stop.stop_requested()) {
                throw Failure(Error::stopped, "ended by a stop");
            }
            if (clock_.monotonic() >= deadline) {
                throw Failure(Error::timed_out, "ended at the deadline");
            }
        };
        if (!is_safe_name(upload.name)) {
            throw Failure(Error::bad_name, "an unsafe name");
        }
        const std::string root = root_of_(upload.target);
        if (root.empty()) {
            throw Failure(Error::not_mounted, "not a device of this machine");
        }
        const auto device = check_drive(disk, root, upload.target.device, false);
        if (!device) {
            return Fault{device.error().code, about(upload) + device.error().what};
        }
        check();
        const std::string directory = *device + "/tmp";
        disk.make_directories(directory);
        const Part part(directory + '/' + upload.name + '.' + std::to_string(::getpid()) + '-' +
                        std::to_string(++*counter_) + ".part");
        source.copy_to(part.path, deadline);
        check();
        const auto status = disk.stat(part.path);
        if (!status) {
            throw Failure(Error::missing, "nothing was copied");
        }
        disk.rename(part.path, directory + '/' + upload.name);
        return Sent{.bytes = status->size};
    }

    RootOf root_of_;
    [[no_unique_address]] C clock_;
    std::shared_ptr<std::atomic<std::uint64_t>> counter_ =
        std::make_shared<std::atomic<std::uint64_t>>(0);
};

static_assert(FileSync<LocalFileSync<>>);

} // namespace replica

#endif // REPLICA_LOCAL_FILE_SYNC_HPP
