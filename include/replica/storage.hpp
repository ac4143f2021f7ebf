#ifndef REPLICA_STORAGE_HPP
#define REPLICA_STORAGE_HPP

// Everything that moves, installs or removes a database file, each order of operations once. The
// rules behind all of them:
//
// - Locks: first the directory (flock on .lock), then SQLite; never the other way round, and never
//   the network under either. A stock server appends to .pending under the same directory lock.
// - A file is durable before its name is: write, fsync file, rename, fsync directory. A crash in
//   between leaves the old state, and a file in tmp that the sweep takes.
// - A live database is touched only through its broker, by stat and by rename. It is replaced or
//   removed only under the broker's exclusive lock, which also rules out a journal that could be
//   replayed into the next file of that name (defect 7).
// - What a decision to remove rests on is read again under those locks (defects 2 and 19).

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/hash_path.hpp>
#include <replica/random.hpp>
#include <replica/settings.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::storage {

/// How long a lock of a database or a directory is waited for, as Swift's brokers do.
inline constexpr Seconds broker_patience{25};

/// The directory of `path`.
[[nodiscard]] inline std::string parent(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

/// The last component of `path`.
[[nodiscard]] inline std::string base(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

/// A device's directory; what is not yet, or no longer, a database lies in its "tmp".
[[nodiscard]] inline std::string device_path(const std::string& root, const std::string& device) {
    return root + '/' + device;
}

/// Waits for the lock of a directory, which is made if it is not there. Throws Error::locked after
/// the deadline. Polls each 10 ms, as stock servers do: flock has no queue and no timeout.
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

/// The database in a hash directory with these entries: the plain name, or of those with an epoch
/// the newest (defect 31). Nothing if there is none.
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

/// Whether rows wait for the database at `path`.
template <Disk D>
[[nodiscard]] bool has_pending(D& disk, const std::string& path) {
    const auto status = disk.stat(pending_path(path));
    return status && status->size > 0;
}

/// Throws Error::missing if the database is not there: to lock a directory makes it.
template <Disk D>
FileStatus require(D& disk, const std::string& path) {
    const auto status = disk.stat(path);
    if (!status) {
        throw Failure(Error::missing, path + ": does not exist");
    }
    return *status;
}

/// How long it may take to read a file of `bytes` from end to end: 1 MiB/s at least.
[[nodiscard]] inline Seconds time_to_read(std::int64_t bytes) {
    return Seconds(static_cast<double>(bytes) / (1 << 20));
}

/// Whether `device`, with `bytes` more on it, has less free than its reserve.
template <Disk D>
[[nodiscard]] bool is_full(D& disk, const std::string& device, const Reserve& reserve,
                           std::int64_t bytes = 0) {
    const Space space = disk.space(device);
    const double least =
        reserve.is_percent ? static_cast<double>(space.total) * reserve.value / 100 : reserve.value;
    return static_cast<double>(space.free) - static_cast<double>(bytes) < least;
}

/// Commits what waits for the database at `path`. Takes the directory lock only if there is
/// something.
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

/// Whether the database at `path` cannot be opened, or a page or an index of it is broken. All of
/// it is read, under SQLite's shared lock, which other writers wait for.
template <Broker B>
[[nodiscard]] bool is_beyond_use(B& broker, const std::string& path, Instant deadline,
                                 std::int64_t bytes) {
    try {
        auto database = broker.open(path, deadline);
        (void)database.info();
        database.require_sound(deadline + to_duration(time_to_read(bytes)));
        return false;
    } catch (const Failure& failure) {
        if (failure.code() != Condition::quarantine) {
            throw;
        }
        return true;
    }
}

/// Moves a hash directory to `<device>/quarantined/<server>s/<hash>` (seed: quarantine_db), or to
/// that name with a random part if something is there. Only if it still is beyond use: a swap of
/// the file may have looked like damage (defect 47). That is looked at without the directory lock,
/// for which a stock server waits 10 s and then refuses its client; under the lock it must still be
/// the same file. Returns the new place, or nothing if it turned out well. Locks are waited for
/// until `deadline`, and from after the look for as long again.
template <Broker B>
[[nodiscard]] std::optional<std::string> quarantine(B& broker, const std::string& path,
                                                    const std::string& device, Random& random,
                                                    Instant deadline) {
    auto& disk = broker.disk();
    const std::string directory = parent(path);
    const auto patience = deadline - broker.clock().monotonic();
    const FileStatus suspect = require(disk, path);
    if (!is_beyond_use(broker, path, deadline, suspect.size)) {
        return std::nullopt;
    }
    const Instant looked = broker.clock().monotonic();
    const auto lock = lock_directory(disk, broker.clock(), directory, looked + patience);
    const auto now = disk.stat(path);
    if (!now || now->device != suspect.device || now->inode != suspect.inode) {
        return std::nullopt;
    }
    const std::string shelf = device + "/quarantined/" + std::string(B::server_type::name) + 's';
    make_durable_directories(disk, device, shelf);
    std::string target = shelf + '/' + base(directory);
    while (!disk.rename_new(directory, target)) {
        target = shelf + '/' + base(directory) + '-' + random.name();
    }
    disk.sync(shelf);
    disk.sync(parent(directory));
    return target;
}

/// Whether somebody has yet to look at pending entries that could not be read.
template <Disk D>
[[nodiscard]] bool has_set_aside(D& disk, const std::string& directory) {
    return std::ranges::any_of(disk.list(directory), [](const Entry& entry) {
        return entry.name.find(".pending.unreadable") != std::string::npos;
    });
}

/// Removes a database and its directory if `keep(info)` finds no reason against it. Returns the
/// reason why it stays, empty when it is gone.
///
/// Order: lock the directory; commit pending rows; take the exclusive lock; read the info and ask
/// `keep`; rename the whole directory to tmp, which takes it out of the tree in one step; fsync
/// both directories; let go; delete what is in tmp; remove empty parents. A server that waited for
/// the directory lock finds its path gone and answers with an error instead of an acknowledgement.
template <Broker B, class Keep>
[[nodiscard]] std::string remove(B& broker, const std::string& path, const std::string& device,
                                 Random& random, Instant deadline, Keep keep) {
    auto& disk = broker.disk();
    const std::string directory = parent(path);
    const std::string grave = device + "/tmp/" + base(directory) + '.' + random.name() + ".removed";
    require(disk, path);
    {
        const auto lock = lock_directory(disk, broker.clock(), directory, deadline);
        if (find_database(disk, directory) != path) {
            return "another database has appeared beside it";
        }
        auto database = broker.open(path, deadline);
        if (has_pending(disk, path)) {
            database.commit_pending(lock);
        }
        const auto exclusive = database.exclusive(deadline);
        if (std::string reason = keep(database.info()); !reason.empty()) {
            return reason;
        }
        if (has_pending(disk, path)) {
            return "rows wait in its .pending file";
        }
        if (has_set_aside(disk, directory)) {
            return "rows that could not be read lie beside it";
        }
        make_durable_directories(disk, device, parent(grave));
        disk.rename(directory, grave);
        disk.sync(parent(directory));
        disk.sync(parent(grave));
    }
    disk.remove_tree(grave);
    const std::string suffix = parent(directory);
    if (disk.remove_empty(suffix)) {
        disk.remove_empty(parent(suffix));
    }
    return {};
}

/// Takes an upload out of everybody's reach: `<tmp>/<name>` gets a name that no sender knows, so
/// that a late retry cannot replace the file under a merge (defect 6). Nothing if it is not there,
/// or is a directory.
template <Disk D>
[[nodiscard]] std::optional<std::string> claim(D& disk, const std::string& tmp,
                                               const std::string& name, Random& random) {
    std::string claimed = tmp + '/' + name + '.' + random.name() + ".claimed";
    const auto status = disk.stat(tmp + '/' + name);
    if (!status || status->directory) {
        return std::nullopt;
    }
    disk.rename(tmp + '/' + name, claimed);
    return claimed;
}

/// Puts a checked and closed file into place where no database is yet. Returns false, and leaves
/// the file where it is, when one has come meanwhile (defect 8). The file must be private: nobody
/// else knows its name, so that fsync may open and close it.
///
/// Order: fsync file; make the directory durable; lock it; look once more; remove a journal that
/// was left of an earlier file, or SQLite would play it back into this one (defect 7); rename
/// without replacing; fsync directory.
template <Broker B>
[[nodiscard]] bool install(B& broker, const std::string& file, const std::string& path,
                           const std::string& device, Instant deadline) {
    auto& disk = broker.disk();
    disk.sync(file);
    make_durable_directories(disk, device, parent(path));
    const auto lock = lock_directory(disk, broker.clock(), parent(path), deadline);
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

/// Replaces the database at `path` by `file`, after `catch_up(existing)` has copied over what the
/// file does not have yet. Other writers are kept out from before the last look at the existing
/// database until the new one has its name (defect 5).
///
/// Order: lock the directory; commit pending rows; take the exclusive lock; catch up (which closes
/// the file); fsync file; rename over; fsync directory; let go.
template <Broker B, class CatchUp>
void replace(B& broker, const std::string& file, const std::string& path, Instant deadline,
             CatchUp catch_up) {
    auto& disk = broker.disk();
    const auto lock = lock_directory(disk, broker.clock(), parent(path), deadline);
    auto existing = broker.open(path, deadline);
    if (has_pending(disk, path)) {
        existing.commit_pending(lock);
    }
    const auto exclusive = existing.exclusive(deadline);
    catch_up(existing);
    disk.sync(file);
    disk.rename(file, path);
    disk.sync(parent(path));
}

/// Whether this was last changed before `limit`.
[[nodiscard]] inline bool is_older(const std::optional<FileStatus>& status, Timestamp limit) {
    return status && status->modified_ns / 10'000 < limit.ticks;
}

/// Removes drafts in a hash directory that are older than `limit`: a process that was killed while
/// it made a database has left them (sqlite/store.hpp: <hash>.db.<random>.new). Never throws: the
/// database beside them has its turn all the same.
template <Disk D>
void sweep_drafts(D& disk, const std::string& directory, const std::vector<Entry>& entries,
                  Timestamp limit) noexcept {
    for (const Entry& entry : entries) {
        const bool draft = entry.name.starts_with(base(directory)) && !entry.directory &&
                           (entry.name.ends_with(".new") || entry.name.ends_with(".new-journal"));
        try {
            const std::string path = directory + '/' + entry.name;
            if (draft && is_older(disk.stat(path), limit)) {
                disk.remove(path);
            }
        } catch (const Failure&) {
            continue; // The next pass tries again.
        }
    }
}

/// Removes a hash directory that holds nothing, or since before `limit` nothing but .lock: who
/// waits for the lock of a directory while it is removed makes it again (defect 4). What it held is
/// gone, or the lock was taken for a database that was never made. Younger ones stay, since a stock
/// server that waits with the .lock open would not notice that it is another.
template <Disk D>
void remove_unused(D& disk, const std::string& directory, Timestamp limit) {
    if (disk.remove_empty(directory) || !is_older(disk.stat(directory), limit)) {
        return;
    }
    if (const auto lock = disk.try_lock(directory)) {
        const std::vector<Entry> entries = disk.list(directory);
        if (entries.size() == 1 && entries.front().name == ".lock") {
            disk.remove(directory + "/.lock");
            disk.remove_empty(directory);
        }
    }
}

/// How long a file in tmp may lie untouched: `age`. Of a process of ours, which keeps neither a
/// private copy nor a claimed upload for longer than deadlines by its size allow, an hour and twice
/// the time to read it: they are whole databases, and a process that is killed leaves them.
[[nodiscard]] inline Seconds may_lie(const std::string& name, const FileStatus& status,
                                     Seconds age) {
    const bool own = name.ends_with(".copy") || name.ends_with(".claimed");
    return own ? std::min(age, Seconds(3600) + 2 * time_to_read(status.size)) : age;
}

/// Clears `tmp` of what has lain there too long: uploads of senders that went away after `age`
/// (seed: unlink_older_than), see may_lie. Never throws for a single entry. Returns how many went.
/// Calls `beat` before each entry: a disk on which 100,000 of them take minutes does not hang.
template <Disk D, Clock C, std::invocable Beat>
std::size_t sweep(D& disk, C& clock, const std::string& tmp, Seconds age, Beat beat) {
    if (!disk.stat(tmp)) {
        return 0;
    }
    const Timestamp now = clock.now();
    std::size_t count = 0;
    for (const Entry& entry : disk.list(tmp)) {
        const std::string path = tmp + '/' + entry.name;
        beat();
        try {
            const auto status = disk.stat(path);
            const bool old =
                status && is_older(status, now.plus(-may_lie(entry.name, *status, age)));
            const bool gone = old && (status->directory ? entry.name.ends_with(".removed") &&
                                                              disk.remove_tree(path)
                                                        : disk.remove(path));
            count += gone ? 1 : 0;
        } catch (const Failure&) {
            continue; // The next pass tries again; a sweep must not stand in a pass's way.
        }
    }
    return count;
}

} // namespace replica::storage

#endif // REPLICA_STORAGE_HPP
