#ifndef REPLICA_DISK_FANOTIFY_HPP
#define REPLICA_DISK_FANOTIFY_HPP

// The kernel tells what was written: fanotify, with one mark for each file system and none for each
// directory. These events are asked for:
//
//   FAN_MODIFY      a write: SQLite keeps a file open and writes in place, servers append to
//                   .pending
//   FAN_MOVED_TO    a file that was made in tmp becomes a database
//   FAN_MOVED_FROM  a database goes, or its hash directory, to quarantine for example
//   FAN_DELETE      a database goes
//
// Others are not needed. A file that was only made has no row. The end of a write (FAN_CLOSE_WRITE)
// comes too late for files that stay open, and also when a server that only reads closes its file.
// A directory above those of the hashes that is moved takes an unknown number of databases with it.
// This process moves directories of hashes only, into tmp and trash for example, and their hash is
// told: a name that is none is no loss if the mover is this process.
//
// An event has the name of the file and a handle of its directory. The name of a database says its
// hash, and with the ring the hash says the only path at which the database can belong to this
// node. name_to_handle_at(2) gives the handle of that path, which is compared. So no handle is
// opened, and nothing but the mark needs a right: CAP_SYS_ADMIN, when the feed is made. A process
// that begins as root makes it before it becomes another user.

#include <replica/disk/descriptor.hpp>
#include <replica/disk/posix.hpp>
#include <replica/error.hpp>
#include <replica/feed.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// How a FanotifyFeed is made.
struct FanotifyOptions {
    bool mount_check = true; ///< Only mount points are watched, as they alone are replicated.

    bool own_writes = false; ///< Writes of this process are news: it serves clients.

    std::size_t most = 65'536; ///< So many hash directories of a device may wait for a caller.
};

/// Models Feed, on Linux 5.9 and later. Writes through mmap are not told: SQLite makes none with
/// the rollback journal that Swift's databases have. To watch a file system that was mounted after
/// the feed was made needs the right at that time. Thread safety: any thread.
class FanotifyFeed {
public:
    /// Knows nothing.
    FanotifyFeed() : state_(std::make_shared<State>()) {}

    /// Watches the file systems of the directories in `root`, as Settings::devices. Never throws
    /// because the kernel refuses, or rights are missing: see refusals().
    explicit FanotifyFeed(const std::string& root, FanotifyOptions options = {})
        : state_(std::make_shared<State>(options)) {
        state_->notify = Descriptor(::fanotify_init(
            FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY));
        const int reason = errno;
        if (!state_->notify) {
            state_->refusal = "fanotify cannot be used: " + errno_text(reason);
            return;
        }
        try {
            const std::lock_guard guard(state_->mutex);
            state_->refusal.clear();
            const PosixDisk disk;
            for (const Entry& entry : disk.list(root)) {
                const std::string path = root + '/' + entry.name;
                if (entry.directory && (!options.mount_check || disk.is_mount(path))) {
                    watch(path);
                }
            }
        } catch (const Failure& failure) {
            state_->refusal = failure.what();
        }
    }

    /// Why nothing is told of all devices, or of some: lines for a log.
    [[nodiscard]] std::vector<std::string> refusals() const {
        const std::lock_guard guard(state_->mutex);
        std::vector<std::string> lines;
        if (!state_->refusal.empty()) {
            lines.push_back(state_->refusal);
        }
        for (const auto& [path, device] : state_->devices) {
            if (!device.refusal.empty()) {
                lines.push_back(path + ": " + std::string(device.refusal));
            }
        }
        return lines;
    }

    [[nodiscard]] bool running() const {
        const std::lock_guard guard(state_->mutex);
        return std::ranges::any_of(state_->devices,
                                   [](const auto& each) { return each.second.refusal.empty(); });
    }

    /// The kernel drops a mark with its file system, and says so nowhere but in its list of marks.
    [[nodiscard]] bool watches(const std::string& device) const {
        struct ::stat status {};
        if (!state_->notify || ::stat(device.c_str(), &status) != 0) {
            return false;
        }
        const std::lock_guard guard(state_->mutex);
        const auto found = state_->devices.find(device);
        const bool watched = found != state_->devices.end() && found->second.refusal.empty();
        if (watched && found->second.number == status.st_dev && has_mark(status.st_dev)) {
            return true;
        }
        watch(device);
        state_->devices.at(device).lose("it was not watched for a time");
        return false;
    }

    /// One of the callers waits for the kernel, the others for that one. Events are read a moment
    /// after the first, so that the many writes of one commit are read as one.
    void wait(const std::string& device, Seconds at_most, const std::stop_token& stop) const {
        using namespace std::chrono_literals;
        State& state = *state_;
        const Instant until = std::chrono::steady_clock::now() + to_duration(at_most);
        std::unique_lock lock(state.mutex);
        while (!stop.stop_requested() && !state.has_news(device)) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                std::min(until - std::chrono::steady_clock::now(), longest));
            if (left <= 0ms) {
                break;
            }
            if (state.reading) {
                state.arrived.wait_for(lock, left);
                continue;
            }
            state.reading = true;
            lock.unlock();
            const bool ready = poll(state.notify.get(), left);
            if (ready) {
                (void)poll(-1, std::min(left, together));
            }
            lock.lock();
            state.reading = false;
            if (ready) {
                state.read_events();
            }
            state.arrived.notify_all();
        }
    }

    /// Touches no disk.
    [[nodiscard]] Changes changes(const std::string& device) const {
        const std::lock_guard guard(state_->mutex);
        Changes changes;
        const auto found = state_->devices.find(device);
        if (found == state_->devices.end()) {
            changes.unknown = "the device is not watched";
            return changes;
        }
        if (!found->second.refusal.empty()) {
            changes.unknown = found->second.refusal;
            return changes;
        }
        state_->read_events();
        for (const auto& [key, news] : std::exchange(found->second.touched, {})) {
            changes.touched.push_back({key.first, key.second, news});
        }
        changes.unknown = std::exchange(found->second.lost, {});
        return changes;
    }

    /// Looks at the device.
    [[nodiscard]] bool is_of(const Change& change, const std::string& directory) const {
        alignas(::file_handle) std::array<char, sizeof(::file_handle) + MAX_HANDLE_SZ> space{};
        constexpr unsigned room = MAX_HANDLE_SZ;
        std::memcpy(space.data() + offsetof(::file_handle, handle_bytes), &room, sizeof room);
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): its size varies
        auto* const handle = reinterpret_cast<::file_handle*>(space.data());
        int mount = 0;
        return ::name_to_handle_at(AT_FDCWD, directory.c_str(), handle, &mount, 0) == 0 &&
               change.identity ==
                   std::string_view(space.data(), sizeof(::file_handle) + handle->handle_bytes);
    }

private:
    static constexpr Instant::duration longest = std::chrono::milliseconds(250); // for a stop
    static constexpr std::chrono::milliseconds together{20};

    using FileSystem = std::array<char, sizeof(::fsid_t)>;

    struct Watched {
        std::string_view refusal{}; ///< Why the device cannot be watched; empty if it is.
        FileSystem file_system{};
        ::dev_t number = 0;
        std::map<std::pair<std::string, std::string>, bool> touched{}; ///< Hash, identity: news.
        std::string_view lost{};                                       ///< Why there may be more.

        /// Of a device that is not watched nobody takes the news: a wait for them would not wait.
        [[nodiscard]] bool has_news() const {
            return refusal.empty() && (!touched.empty() || !lost.empty());
        }

        void lose(std::string_view why) {
            touched.clear();
            lost = why;
        }
    };

    struct State {
        explicit State(FanotifyOptions options_ = {}) : options(options_) {}

        FanotifyOptions options;
        Descriptor notify{};
        std::string refusal{};
        std::set<std::string> reasons{}; ///< Of all refusals so far: they stay, see Changes.
        std::mutex mutex{};
        std::condition_variable arrived{};
        bool reading = false;                     ///< A caller waits for the kernel.
        std::map<std::string, Watched> devices{}; ///< By path. The mutex guards their news.
        ::pid_t self = ::getpid();

        [[nodiscard]] bool has_news(const std::string& device) const {
            if (!device.empty()) {
                const auto found = devices.find(device);
                return found != devices.end() && found->second.has_news();
            }
            return std::ranges::any_of(devices,
                                       [](const auto& each) { return each.second.has_news(); });
        }

        /// Takes all events that the kernel has. Called with the lock held.
        void read_events() {
            alignas(::fanotify_event_metadata) std::array<char, 16'384> buffer{};
            for (;;) {
                const ssize_t got = uninterrupted(
                    [&] { return ::read(notify.get(), buffer.data(), buffer.size()); });
                if (got <= 0) {
                    break; // EAGAIN: no more
                }
                std::string_view rest(buffer.data(), static_cast<std::size_t>(got));
                while (rest.size() >= sizeof(::fanotify_event_metadata)) {
                    const auto event = value_at<::fanotify_event_metadata>(rest);
                    take(event,
                         rest.substr(event.metadata_len, event.event_len - event.metadata_len));
                    rest.remove_prefix(event.event_len);
                }
            }
        }

        /// One event, with its records.
        void take(const ::fanotify_event_metadata& event, std::string_view records) {
            if ((event.mask & FAN_Q_OVERFLOW) != 0) {
                for (auto& [path, device] : devices) {
                    device.lose("the kernel's queue has overflowed");
                }
                return;
            }
            constexpr std::uint64_t arrives = FAN_MODIFY | FAN_MOVED_TO;
            const bool others = event.pid != self || options.own_writes;
            const bool news =
                others && (event.mask & FAN_ONDIR) == 0 && (event.mask & arrives) != 0;
            while (records.size() >= sizeof(::fanotify_event_info_fid)) {
                const auto head = value_at<::fanotify_event_info_fid>(records);
                if (head.hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME) {
                    FileSystem file_system;
                    std::memcpy(file_system.data(), &head.fsid, file_system.size());
                    take(file_system, records.substr(sizeof head, head.hdr.len - sizeof head),
                         event.mask, others, news);
                }
                records.remove_prefix(head.hdr.len);
            }
        }

        /// A directory's handle and, after it, the name of the file in it. `others`: the event may
        /// be of another process. `news`: see Change.
        void take(const FileSystem& file_system, std::string_view handle_and_name,
                  std::uint64_t mask, bool others, bool news) {
            const bool directory = (mask & FAN_ONDIR) != 0;
            const std::size_t size =
                sizeof(::file_handle) + value_at<::file_handle>(handle_and_name).handle_bytes;
            std::string_view name = handle_and_name.substr(size);
            name = name.substr(0, name.find('\0'));
            const auto hash = !directory      ? hash_of_file(name)
                              : is_hash(name) ? std::optional(name)
                                              : std::nullopt;
            const bool moved = directory && (mask & FAN_DELETE) == 0 && others;
            if (!hash && !moved) {
                return;
            }
            for (auto& [path, device] : devices) {
                if (device.refusal.empty() && device.file_system == file_system) {
                    if (!hash) {
                        device.lose("a directory was moved");
                        continue;
                    }
                    device.touched[{std::string(*hash),
                                    std::string(handle_and_name.substr(0, size))}] |= news;
                    if (device.touched.size() > options.most) {
                        device.lose("too many databases have changed");
                    }
                }
            }
        }
    };

    template <class T>
    [[nodiscard]] static T value_at(std::string_view bytes) {
        T value{};
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }

    /// Waits until the file can be read; -1 is no file. False if `at_most` is over.
    static bool poll(int file, std::chrono::milliseconds at_most) {
        ::pollfd ready{.fd = file, .events = POLLIN, .revents = 0};
        return ::poll(&ready, 1, static_cast<int>(at_most.count())) > 0;
    }

    /// Whether the kernel still has a mark on the file system with this number.
    [[nodiscard]] bool has_mark(::dev_t number) const {
        constexpr unsigned minor_bits = 20;
        std::ostringstream wanted;
        wanted << "fanotify sdev:" << std::hex
               << (::gnu_dev_major(number) << minor_bits | ::gnu_dev_minor(number)) << ' ';
        std::ifstream marks("/proc/self/fdinfo/" + std::to_string(state_->notify.get()));
        for (std::string line; std::getline(marks, line);) {
            if (line.starts_with(wanted.view())) {
                return true;
            }
        }
        return false;
    }

    /// No call reads the disk: a mount point, and what is known of its file system, are in the
    /// kernel's memory. Called with the lock held.
    void watch(const std::string& path) const {
        Watched& device = state_->devices[path];
        device = {};
        struct ::statfs system {};
        struct ::stat status {};
        if (::fanotify_mark(state_->notify.get(), FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
                            FAN_MODIFY | FAN_MOVED_TO | FAN_MOVED_FROM | FAN_DELETE | FAN_ONDIR,
                            AT_FDCWD, path.c_str()) != 0 ||
            ::statfs(path.c_str(), &system) != 0 || ::stat(path.c_str(), &status) != 0) {
            device.refusal =
                *state_->reasons.insert("fanotify cannot watch it: " + errno_text(errno)).first;
            return;
        }
        std::memcpy(device.file_system.data(), &system.f_fsid, device.file_system.size());
        device.number = status.st_dev;
    }

    std::shared_ptr<State> state_;
};

static_assert(Feed<FanotifyFeed>);

} // namespace replica

#endif // REPLICA_DISK_FANOTIFY_HPP
