#ifndef REPLICA_STORAGE_SWEEP_HPP
#define REPLICA_STORAGE_SWEEP_HPP

// What processes that were killed, and senders that went away, have left behind: it is cleared away
// once it is old. Nothing here touches a database that has its name.

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace replica::storage {

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
[[nodiscard]] inline Seconds tmp_age_limit(const std::string& name, const FileStatus& status,
                                           Seconds age) {
    const bool own = name.ends_with(".copy") || name.ends_with(".claimed");
    return own ? std::min(age, Seconds(3600) + 2 * time_to_read(status.size)) : age;
}

/// Clears `tmp` of what has lain there too long: uploads of senders that went away after `age`
/// (Swift: unlink_older_than), see tmp_age_limit. Never throws for a single entry. Returns how many
/// went. Calls `beat` before each entry: a disk on which 100,000 of them take minutes does not
/// hang.
template <Disk D, std::invocable Beat>
std::size_t sweep(D& disk, const std::string& tmp, Timestamp now, Seconds age, Beat beat) {
    if (!disk.stat(tmp)) {
        return 0;
    }
    std::size_t count = 0;
    for (const Entry& entry : disk.list(tmp)) {
        const std::string path = tmp + '/' + entry.name;
        beat();
        try {
            const auto status = disk.stat(path);
            const bool old =
                status && is_older(status, now.plus(-tmp_age_limit(entry.name, *status, age)));
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

#endif // REPLICA_STORAGE_SWEEP_HPP
