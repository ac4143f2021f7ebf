#ifndef REPLICA_SIM_VFS_HPP
#define REPLICA_SIM_VFS_HPP

// SQLite on a simulated disk: the shipped brokers with their statements, journals and locks meet
// full disks, failing calls and power cuts, in virtual time and the same every time. SQLite is told
// nothing about the device, so it expects the worst of it.
//
//     SimVfs vfs("node 1", disk, seed);
//     BasicContainerBroker<SimDisk, SimClock> broker(disk, clock, {.vfs = vfs.name()});

#include <replica/error.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/handle.hpp>
#include <replica/words/random.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace replica {

/// The SQLite of one simulated process, under a name of its own: give it to sqlite3_open_v2 or to
/// SqliteOptions. Must outlive all connections that use it. A failed call is one of SQLite's codes,
/// never an exception: no_space is SQLITE_FULL, all others are SQLITE_IOERR of that call, but
/// SQLITE_CANTOPEN of an open. Not thread safe.
class SimVfs {
public:
    /// Throws std::invalid_argument if the name is taken. Time is the disk's.
    SimVfs(std::string name, SimDisk disk, std::uint64_t seed)
        : name_(std::move(name)), clock_(disk.clock()), process_(std::move(disk)), random_(seed) {
        if (sqlite3_vfs_find(name_.c_str()) != nullptr) {
            throw std::invalid_argument("a VFS has this name: " + name_);
        }
        set_calls();
        sqlite3_vfs_register(&vfs_, 0);
    }

    SimVfs(const SimVfs&) = delete; // SQLite keeps a pointer
    SimVfs& operator=(const SimVfs&) = delete;
    ~SimVfs() { sqlite3_vfs_unregister(&vfs_); }

    [[nodiscard]] const std::string& name() const { return name_; } ///< For SqliteOptions::vfs.

    /// The process is killed. Its connections fail from now on and must be closed; new ones belong
    /// to the process that was started instead.
    void kill() { process_.kill(); }

    /// Whether the process has one of SQLite's locks on any file.
    [[nodiscard]] bool is_locking() { return process_.is_locking(); }

    /// Starts SQLite's own generator anew, from the seed. It is one for the whole program and is
    /// otherwise started by the machine; journals and new ids draw from it.
    void seed_sqlite() {
        sqlite3_vfs* const usual = sqlite3_vfs_find(nullptr);
        sqlite3_vfs_register(&vfs_, 1);
        sqlite3_randomness(0, nullptr);
        unsigned char first = 0;
        sqlite3_randomness(1, &first);
        sqlite3_vfs_register(usual, 1);
    }

private:
    /// SQLite allocates it and sees only the base. `handle` is owned from open to close.
    struct File {
        sqlite3_file base;
        SimHandle* handle;
    };

    [[nodiscard]] static SimVfs& self(sqlite3_vfs* vfs) {
        return *static_cast<SimVfs*>(vfs->pAppData);
    }

    [[nodiscard]] static SimHandle& handle(sqlite3_file* file) {
        return *reinterpret_cast<File*>(file)->handle;
    }

    /// Runs `call`, which returns a code; a Failure becomes a code. Nothing may be thrown through
    /// SQLite.
    template <std::invocable Call>
    [[nodiscard]] static int code_of(int failed, Call call) noexcept {
        try {
            return call();
        } catch (const Failure& failure) {
            return failure.error() == Error::no_space ? SQLITE_FULL : failed;
        } catch (const std::bad_alloc&) {
            return SQLITE_IOERR_NOMEM;
        } catch (...) {
            return failed;
        }
    }

    // ---- Of the file system.

    static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* to, int flags,
                    int* flags_now) noexcept {
        to->pMethods = nullptr; // else SQLite closes what was not opened
        return code_of(SQLITE_CANTOPEN, [&] {
            // SQLite relies on it that the name of a journal which it has synced is durable.
            constexpr int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
            const SimProcess::Opening how{
                .create = (flags & SQLITE_OPEN_CREATE) != 0,
                .only_new = (flags & SQLITE_OPEN_EXCLUSIVE) != 0,
                .sync_directory = (flags & journals) != 0,
                .nameless = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0,
            };
            auto opened = self(vfs).process_.open(path != nullptr ? path : "", how);
            if (flags_now != nullptr) {
                *flags_now = flags;
            }
            auto* const file = reinterpret_cast<File*>(to);
            file->handle = opened.release();
            file->base.pMethods = &methods;
            return SQLITE_OK;
        });
    }

    static int remove(sqlite3_vfs* vfs, const char* path, int sync_directory) noexcept {
        SimProcess& process = self(vfs).process_;
        const int code = code_of(SQLITE_IOERR_DELETE, [&] {
            return process.remove(path) ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
        });
        if (code != SQLITE_OK || sync_directory == 0) {
            return code;
        }
        return code_of(SQLITE_IOERR_DIR_FSYNC, [&] {
            process.sync_directory_of(path);
            return SQLITE_OK;
        });
    }

    /// An empty file does not exist, as with SQLite on Unix: an empty journal is none.
    static int access(sqlite3_vfs* vfs, const char* path, int flags, int* result) noexcept {
        *result = 0;
        return code_of(SQLITE_IOERR_ACCESS, [&] {
            const std::int64_t size = flags == SQLITE_ACCESS_EXISTS ? 1 : 0;
            *result = self(vfs).process_.exists(path, size) ? 1 : 0;
            return SQLITE_OK;
        });
    }

    static int full_path(sqlite3_vfs* /*vfs*/, const char* path, int room, char* to) noexcept {
        const std::size_t size = std::strlen(path);
        if (path[0] != '/' || size >= static_cast<std::size_t>(room)) {
            return SQLITE_CANTOPEN;
        }
        std::memcpy(to, path, size + 1);
        return SQLITE_OK;
    }

    static int randomness(sqlite3_vfs* vfs, int count, char* to) noexcept {
        for (int at = 0; at < count; ++at) {
            to[at] = static_cast<char>(self(vfs).random_.next() & 0xffU);
        }
        return count;
    }

    static int sleep(sqlite3_vfs* vfs, int microseconds) noexcept {
        static_cast<void>(code_of(SQLITE_ERROR, [&] {
            self(vfs).clock_.advance(Seconds(microseconds / 1e6));
            return SQLITE_OK;
        }));
        return microseconds;
    }

    /// Milliseconds since noon of a day in 4714 BC.
    static int now_ms(sqlite3_vfs* vfs, sqlite3_int64* now) noexcept {
        constexpr sqlite3_int64 epoch = 210'866'760'000'000; // 1970
        *now = epoch + self(vfs).clock_.now().ticks / (Timestamp::ticks_per_second / 1000);
        return SQLITE_OK;
    }

    static int now_days(sqlite3_vfs* vfs, double* now) noexcept {
        sqlite3_int64 ms = 0;
        const int code = now_ms(vfs, &ms);
        *now = static_cast<double>(ms) / 86'400'000.0;
        return code;
    }

    static int last_error(sqlite3_vfs* /*vfs*/, int /*room*/, char* /*text*/) noexcept {
        return 0; // no number of an operating system
    }

    // There are no extensions on a simulated disk.

    static void* open_library(sqlite3_vfs* /*vfs*/, const char* /*path*/) noexcept {
        return nullptr;
    }

    static void library_error(sqlite3_vfs* /*vfs*/, int room, char* text) noexcept {
        sqlite3_snprintf(room, text, "a simulated disk has no libraries");
    }

    // ---- Of a file.

    static int close(sqlite3_file* file) noexcept {
        const std::unique_ptr<SimHandle> owner(reinterpret_cast<File*>(file)->handle);
        return SQLITE_OK;
    }

    static int read(sqlite3_file* file, void* to, int count, sqlite3_int64 at) noexcept {
        const auto size = static_cast<std::size_t>(count);
        std::memset(to, 0, size);
        return code_of(SQLITE_IOERR_READ, [&] {
            const std::string bytes = handle(file).read(static_cast<std::size_t>(at), size);
            std::memcpy(to, bytes.data(), bytes.size());
            return bytes.size() == size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
        });
    }

    static int write(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) noexcept {
        return code_of(SQLITE_IOERR_WRITE, [&] {
            handle(file).write(static_cast<std::size_t>(at),
                               {static_cast<const char*>(from), static_cast<std::size_t>(count)});
            return SQLITE_OK;
        });
    }

    static int truncate(sqlite3_file* file, sqlite3_int64 size) noexcept {
        return code_of(SQLITE_IOERR_TRUNCATE, [&] {
            handle(file).resize(static_cast<std::size_t>(size));
            return SQLITE_OK;
        });
    }

    static int sync(sqlite3_file* file, int /*flags*/) noexcept {
        return code_of(SQLITE_IOERR_FSYNC, [&] {
            handle(file).sync();
            return SQLITE_OK;
        });
    }

    static int size(sqlite3_file* file, sqlite3_int64* size) noexcept {
        return code_of(SQLITE_IOERR_FSTAT, [&] {
            *size = handle(file).size();
            return SQLITE_OK;
        });
    }

    static int lock(sqlite3_file* file, int level) noexcept {
        return code_of(SQLITE_IOERR_LOCK, [&] {
            return handle(file).lock(static_cast<SimLevel>(level)) ? SQLITE_OK : SQLITE_BUSY;
        });
    }

    static int unlock(sqlite3_file* file, int level) noexcept {
        return code_of(SQLITE_IOERR_UNLOCK, [&] {
            handle(file).unlock(static_cast<SimLevel>(level));
            return SQLITE_OK;
        });
    }

    static int is_reserved(sqlite3_file* file, int* result) noexcept {
        *result = 0;
        return code_of(SQLITE_IOERR_CHECKRESERVEDLOCK, [&] {
            *result = handle(file).is_reserved() ? 1 : 0;
            return SQLITE_OK;
        });
    }

    /// Who cannot look must take the file for moved, as SQLite does on Unix.
    static int control(sqlite3_file* file, int what, void* result) noexcept {
        if (what != SQLITE_FCNTL_HAS_MOVED) {
            return SQLITE_NOTFOUND;
        }
        int& moved = *static_cast<int*>(result);
        moved = 1;
        static_cast<void>(code_of(SQLITE_IOERR_FSTAT, [&] {
            moved = handle(file).has_moved() ? 1 : 0;
            return SQLITE_OK;
        }));
        return SQLITE_OK;
    }

    static int sector_size(sqlite3_file* /*file*/) noexcept { return SimChanges::sector; }
    static int characteristics(sqlite3_file* /*file*/) noexcept { return 0; }

    [[nodiscard]] static constexpr sqlite3_io_methods make_methods() {
        sqlite3_io_methods made{};
        made.iVersion = 1; // no shared memory, hence no write-ahead log; no memory maps
        made.xClose = &close;
        made.xRead = &read;
        made.xWrite = &write;
        made.xTruncate = &truncate;
        made.xSync = &sync;
        made.xFileSize = &size;
        made.xLock = &lock;
        made.xUnlock = &unlock;
        made.xCheckReservedLock = &is_reserved;
        made.xFileControl = &control;
        made.xSectorSize = &sector_size;
        made.xDeviceCharacteristics = &characteristics;
        return made;
    }

    void set_calls() {
        vfs_.iVersion = 2;
        vfs_.szOsFile = sizeof(File);
        vfs_.mxPathname = 1024;
        vfs_.zName = name_.c_str();
        vfs_.pAppData = this;
        vfs_.xOpen = &open;
        vfs_.xDelete = &remove;
        vfs_.xAccess = &access;
        vfs_.xFullPathname = &full_path;
        vfs_.xDlOpen = &open_library;
        vfs_.xDlError = &library_error;
        vfs_.xRandomness = &randomness;
        vfs_.xSleep = &sleep;
        vfs_.xCurrentTime = &now_days;
        vfs_.xGetLastError = &last_error;
        vfs_.xCurrentTimeInt64 = &now_ms;
    }

    static const sqlite3_io_methods methods;

    std::string name_;
    SimClock clock_;
    SimProcess process_;
    Random random_;
    sqlite3_vfs vfs_{};
};

inline constexpr sqlite3_io_methods SimVfs::methods = SimVfs::make_methods();

} // namespace replica

#endif // REPLICA_SIM_VFS_HPP
