#ifndef REPLICA_STORAGE_SWEEP_HPP
#define REPLICA_STORAGE_SWEEP_HPP

// Removes files that killed processes, and senders that went away, have left behind, once the files
// are old. Nothing here touches a database under its own name.

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/storage/storage.hpp>
#include <replica/storage/trash.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace replica::storage {

/// Whether a file was last changed before `limit`.
[[nodiscard]] inline bool is_older(const std::optional<FileStatus>& status, Timestamp limit) {
    return status && status->modified_ns / 10'000 < limit.ticks;
}

/// Removes drafts older than `limit` from a hash directory (is_draft): left by a process that was
/// killed while it made a database, or by a stock server that came too late. A draft is written for
/// seconds, and no lock tells whether it still is. Never throws, so that the database beside them
/// has its turn.
template <Disk D>
void sweep_drafts(D& disk, const std::string& directory, const std::vector<Entry>& entries,
                  Timestamp limit) noexcept {
    for (const Entry& entry : entries) {
        try {
            const std::string path = directory + '/' + entry.name;
            if (is_draft(entry, base(directory)) && is_older(disk.stat(path), limit)) {
                disk.remove(path);
            }
        } catch (const Failure&) {
            continue; // The next pass tries again.
        }
    }
}

/// Removes a hash directory that is empty, or has held nothing but .lock since before `limit`. Its
/// database is gone, or was never made. A process that waits for the lock meanwhile makes the
/// directory again (defect 4). A younger directory stays: a stock server that waits with .lock open
/// would not notice that the file was replaced.
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

/// How long a file in tmp may be untouched: `age`. For a private copy, a claimed upload of ours or
/// a part of one, an hour and twice the time to read it: deadlines by its size end the work before
/// that, and these are whole databases that a killed process has left (defect 35).
[[nodiscard]] inline Seconds tmp_age_limit(const std::string& name, const FileStatus& status,
                                           Seconds age) {
    const bool own =
        name.ends_with(".copy") || name.ends_with(".claimed") || name.ends_with(".part");
    return own ? std::min(age, Seconds(3600) + 2 * time_to_read(status.size)) : age;
}

/// Removes files that have been in `tmp` for too long (tmp_age_limit; Swift: unlink_older_than).
/// Returns how many. Never throws for a single entry. Calls `beat` before each entry, since 100,000
/// of them may take minutes and the disk does not hang meanwhile.
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
