#ifndef REPLICA_STORAGE_STORAGE_HPP
#define REPLICA_STORAGE_STORAGE_HPP

// Whatever moves, installs, replaces or removes a database file, each order of operations once.
// Rules:
//
// - Locks: first the directory (flock on .lock), then SQLite, never the other way round. Neither is
//   held across the network. A stock server appends to .pending under the same directory lock.
// - A file is durable before its name is: write, fsync file, rename, fsync directory. A crash in
//   between leaves the old state, and a file in tmp that the sweep removes.
// - A live database is touched only through its broker, by stat and by rename. It is replaced or
//   removed only under the broker's exclusive lock. That lock also rules out a journal, which
//   SQLite would play back into the next file of the same name (defect 7).
// - Whatever a removal was decided by is read again under those locks (defects 2 and 19).

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/settings.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/trash.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/random.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::storage {

/// An empty file for SQLite to make a database of, for its owner only: SQLite would let everybody
/// read it. Error::io if the directory is not there: Error::missing would mean the database that is
/// copied, or made.
template <Disk D>
void make_private_file(D& disk, const std::string& path) {
    try {
        disk.append(path, "");
    } catch (const Failure& failure) {
        if (failure.error() != Error::missing) {
            throw;
        }
        throw Failure(Error::io, failure.what());
    }
}

/// How long to wait for the lock of a database or a directory, as Swift's brokers do.
inline constexpr Seconds broker_patience{25};

/// Waits for the lock of a directory, and makes the directory if it does not exist. Throws
/// Error::locked after the deadline. Polls every 10 ms, as stock servers do: flock has no timeout.
template <Disk D, Clock C>
[[nodiscard]] typename D::lock_type lock_directory(D& disk, C& clock, const std::string& directory,
                                                   Instant deadline) {
    for (;;) {
        if (auto lock = disk.try_lock(directory)) {
            return std::move(*lock);
        }
        if (clock.monotonic() >= deadline) {
            throw Failure(Error::locked, directory + ": locked by another process");
        }
        clock.sleep_until(clock.monotonic() + std::chrono::milliseconds(10), std::stop_token());
    }
}

/// The database in a hash directory with these entries: the plain name, or the newest epoch (defect
/// 31). Nothing if there is none.
[[nodiscard]] inline std::optional<std::string> find_database(const std::vector<Entry>& entries,
                                                              const std::string& directory) {
    const std::string hash = base(directory);
    std::string newest;
    std::string epoch;
    for (const Entry& entry : entries) {
        const auto name = DatabaseName::parse(entry.name);
        if (name && name->hash == hash && !entry.directory &&
            (newest.empty() || name->epoch > epoch)) {
            newest = entry.name;
            epoch = name->epoch;
        }
    }
    return newest.empty() ? std::nullopt : std::optional(directory + '/' + newest);
}

template <Disk D>
[[nodiscard]] std::optional<std::string> find_database(D& disk, const std::string& directory) {
    return find_database(disk.list(directory), directory);
}

/// The status of `path`; throws Error::missing if it does not exist. Needed before a directory is
/// locked, since locking makes the directory.
template <Disk D>
FileStatus require(D& disk, const std::string& path) {
    const auto status = disk.stat(path);
    if (!status) {
        throw Failure(Error::missing, path + ": does not exist");
    }
    return *status;
}

/// The database of an entry of the trash, which is a hash directory under another name or a single
/// file. Nothing if the directory has none. Throws Error::missing if the entry is gone.
template <Disk D>
[[nodiscard]] std::optional<std::string> find_database(D& disk, const TrashEntry& entry) {
    if (!require(disk, entry.path).directory) {
        return entry.path;
    }
    const auto found = find_database(disk.list(entry.path), entry.hash);
    return found ? std::optional(entry.path + '/' + base(*found)) : std::nullopt;
}

/// Whether rows are pending for the database at `path`. Also true if the pending file's name
/// belongs to no regular file: commit_pending then tells what is wrong.
template <Disk D>
[[nodiscard]] bool has_pending(D& disk, const std::string& path) {
    const std::string file = pending_path(path);
    const auto status = disk.stat(file);
    return status ? status->size > 0 || !status->regular : disk.read_link(file).has_value();
}

/// How long it may take to read a file of `bytes` from end to end, at 1 MiB/s.
[[nodiscard]] inline Seconds time_to_read(std::int64_t bytes) {
    return Seconds(static_cast<double>(bytes) / (1 << 20));
}

/// Commits the pending rows of the database at `path`; takes the directory lock only if there are
/// any.
template <Broker B>
void flush_pending(B& broker, typename B::database_type& database, const std::string& path,
                   Instant deadline) {
    if (has_pending(broker.disk(), path)) {
        const auto lock = lock_directory(broker.disk(), broker.clock(), parent(path), deadline);
        database.commit_pending(lock);
    }
}

/// Makes a directory and its entry in each parent below `device` durable.
template <Disk D>
void make_durable_directories(D& disk, const std::string& device, const std::string& directory) {
    disk.make_directories(directory);
    for (std::string at = parent(directory); at.size() >= device.size(); at = parent(at)) {
        disk.sync(at);
    }
}

/// Whether a file of this name holds pending entries that could not be read.
[[nodiscard]] inline bool is_set_aside(const std::string& name) {
    return name.find(".pending.unreadable") != std::string::npos;
}

/// Whether a hash directory has such a file, which a person must look at.
template <Disk D>
[[nodiscard]] bool has_set_aside(D& disk, const std::string& directory) {
    return std::ranges::any_of(disk.list(directory),
                               [](const Entry& entry) { return is_set_aside(entry.name); });
}

/// Calls `work(database)` with the directory and the database locked and pending rows committed,
/// and returns its result. Waits for locks until `deadline`.
///
/// A stock server waits 10 s for the directory lock, and then refuses its client. The exclusive
/// lock may take as long as somebody reads. So under_both_locks waits for it in pieces of two
/// seconds, and frees the directory in between.
template <Broker B, std::invocable<typename B::database_type&> Work>
auto under_both_locks(B& broker, const std::string& path, Instant deadline, Work work) {
    auto& disk = broker.disk();
    auto& clock = broker.clock();
    for (;;) {
        bool begun = false;
        try {
            const auto lock = lock_directory(disk, clock, parent(path), deadline);
            const Instant until = std::min(deadline, clock.monotonic() + std::chrono::seconds(2));
            auto database = broker.open(path, until);
            if (has_pending(disk, path)) {
                database.commit_pending(lock);
            }
            const auto exclusive = database.exclusive(until);
            begun = true;
            return work(database);
        } catch (const Failure& failure) {
            const bool again = failure.error() == Error::locked && !begun;
            if (!again || clock.monotonic() >= deadline) {
                throw;
            }
        }
        clock.sleep_until(clock.monotonic() + std::chrono::milliseconds(100), std::stop_token());
    }
}

/// Whether both exist and are the same file.
[[nodiscard]] inline bool is_same_file(const std::optional<FileStatus>& a,
                                       const std::optional<FileStatus>& b) {
    return a && b && a->device == b->device && a->inode == b->inode;
}

/// The status of the file that `database` has open. Throws Error::moved if that is not at `path`.
template <Disk D, Database Db>
[[nodiscard]] FileStatus file_of(D& disk, Db& database, const std::string& path) {
    const FileStatus status = require(disk, path);
    (void)database.info(); // throws moved if the file was replaced before the stat
    return status;
}

/// Undoes the removal of a directory into which somebody put another database meanwhile.
template <Disk D>
void put_back(D& disk, const std::string& trash, const std::string& directory) {
    bool back = disk.rename_new(trash, directory);
    if (!back) { // a process that waited for the lock has made the directory
        disk.remove(directory + "/.lock");
        back = disk.remove_empty(directory) && disk.rename_new(trash, directory);
    }
    if (!back) {
        disk.rename(trash, trash + ".kept"); // a name that no sweep removes
        throw Failure(Error::exists, trash +
                                         ".kept: holds a database that came while another was "
                                         "removed; move it back to " +
                                         directory);
    }
    disk.sync(parent(trash));
    disk.sync(parent(directory));
}

/// Removes a database and its directory unless `keep(info)` gives a reason against it. Returns the
/// reason why the database stays, empty if it is gone.
///
/// Order: lock the directory; commit pending rows; take the exclusive lock; read the info and ask
/// `keep`; rename the whole directory to tmp, out of the tree in one step; check that the database
/// in it is the one that was locked, since a stock server renames without a lock, and if not put
/// the directory back; fsync both directories; let go; delete the directory in tmp, or move it to
/// the trash; remove empty parents. A server that waited for the directory lock finds its path
/// gone, and answers with an error instead of an acknowledgement.
template <Broker B, class Keep>
[[nodiscard]] std::string remove(B& broker, const std::string& path, const std::string& device,
                                 Random& random, Instant deadline, Keep keep,
                                 Remains remains = Remains::deleted) {
    auto& disk = broker.disk();
    const std::string directory = parent(path);
    TrashEntry entry{{}, base(directory), "removed", broker.clock().now(), 0};
    const std::string trash = device + "/tmp/" + base(directory) + '.' + random.name() + ".removed";
    require(disk, path);
    const auto take_away = [&](typename B::database_type& database) -> std::string {
        if (find_database(disk, directory) != path) {
            return "another database has appeared beside it";
        }
        if (std::string reason = keep(database.info()); !reason.empty()) {
            return reason;
        }
        if (has_pending(disk, path)) {
            return "rows wait in its .pending file";
        }
        if (has_set_aside(disk, directory)) {
            return "rows that could not be read lie beside it";
        }
        make_durable_directories(disk, device, parent(trash));
        const FileStatus doomed = file_of(disk, database, path);
        entry.bytes = doomed.size;
        disk.rename(directory, trash);
        if (!is_same_file(disk.stat(trash + '/' + base(path)), doomed)) {
            put_back(disk, trash, directory);
            return "another file has taken its place";
        }
        disk.sync(parent(directory));
        disk.sync(parent(trash));
        return {};
    };
    if (std::string reason = under_both_locks(broker, path, deadline, take_away); !reason.empty()) {
        return reason;
    }
    dispose(disk, trash, device, B::kind_type::name, entry, random, remains);
    const std::string suffix = parent(directory);
    if (disk.remove_empty(suffix)) {
        disk.remove_empty(parent(suffix));
    }
    return {};
}

/// Renames the upload `<tmp>/<name>` to a name that no sender knows, so that a late retry cannot
/// replace the file under a merge (defect 6). Nothing if it does not exist or is a directory. A
/// link or a FIFO is claimed too: open_upload refuses it, and the receiver removes it.
template <Disk D>
[[nodiscard]] std::optional<std::string> claim(D& disk, const std::string& tmp,
                                               const std::string& name, Random& random) {
    const std::string path = tmp + '/' + name;
    std::string claimed = path + '.' + random.name() + ".claimed";
    const auto status = disk.stat(path);
    if (!disk.read_link(path) && (!status || status->directory)) {
        return std::nullopt;
    }
    disk.rename(path, claimed);
    return claimed;
}

/// Puts a checked and closed file in place where there is no database yet. If a database has come
/// meanwhile, returns false and leaves the file where it is (defect 8). No other process may know
/// the file's name, so that fsync may open and close it.
///
/// Order: fsync file; lock the directory; make it durable; look for a database once more; remove a
/// journal of an earlier file, which SQLite would play back into this one (defect 7); rename
/// without replacing; fsync directory.
template <Broker B>
[[nodiscard]] bool install(B& broker, const std::string& file, const std::string& path,
                           const std::string& device, Instant deadline) {
    auto& disk = broker.disk();
    disk.sync(file);
    const auto lock = lock_directory(disk, broker.clock(), parent(path), deadline);
    make_durable_directories(disk, device, parent(path)); // a sweep may have had it made anew
    if (find_database(disk, parent(path))) {
        return false;
    }
    if (disk.remove(path + "-journal")) {
        disk.sync(parent(path));
    }
    if (!disk.rename_new(file, path)) {
        return false;
    }
    disk.sync(parent(path));
    return true;
}

/// Puts `file` in the place of the database at `path`, after `catch_up(existing)` has copied what
/// the file lacks. No other writer gets in between the last look at the existing database and the
/// new name (defect 5). False if a stock server, which renames without a lock, has put another file
/// there meanwhile: that file stays, and `file` is where it was.
///
/// Order: fsync file, all but the last rows; lock the directory; commit pending rows; take the
/// exclusive lock; catch up (which closes the file); fsync file; exchange the two names; check that
/// the file that came out is the existing database, and if not exchange them back; fsync directory;
/// let go; `dispose(status)` of the old file, which has the name `file` now.
template <Broker B, class CatchUp, std::invocable<const FileStatus&> Dispose>
[[nodiscard]] bool replace(B& broker, const std::string& file, const std::string& path,
                           Instant deadline, CatchUp catch_up, Dispose dispose) {
    auto& disk = broker.disk();
    FileStatus old;
    disk.sync(file);
    const auto put = [&](typename B::database_type& existing) {
        old = file_of(disk, existing, path);
        catch_up(existing);
        disk.sync(file);
        const FileStatus fresh = require(disk, file);
        disk.exchange(file, path);
        const bool done = is_same_file(disk.stat(file), old);
        if (!done) {
            disk.exchange(file, path);
            if (!is_same_file(disk.stat(file), fresh)) { // a third file came in between
                const std::string kept = path + ".displaced." + base(file);
                disk.rename(file, kept);
                disk.sync(parent(path));
                throw Failure(Error::exists, kept + ": was replaced while it came into place");
            }
        }
        disk.sync(parent(path));
        return done;
    };
    const bool done = under_both_locks(broker, path, deadline, put);
    if (done) {
        dispose(old);
    }
    return done;
}

} // namespace replica::storage

#endif // REPLICA_STORAGE_STORAGE_HPP
