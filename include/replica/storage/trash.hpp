#ifndef REPLICA_STORAGE_TRASH_HPP
#define REPLICA_STORAGE_TRASH_HPP

// What a removal or a replacement takes out of use is kept for a while, so that a person can bring
// it back after a mistake in a ring (daemon/undo.hpp, `replica undo`). On a device:
//
//   trash/<kind>s/<time>-<hash>-<bytes>-<why>-<random>   a hash directory, or a single file
//
// The name tells all that emptying needs to know, so that nothing in an entry is looked at. The
// trash gives way: to age, to its share of the device, to the reserve of the device, and to what a
// peer brings. It is no promise, and nothing in it is ever read by replication.

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/settings.hpp>
#include <replica/storage/place.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/random.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica::storage {

/// What becomes of a file that is out of use.
enum class Remains {
    deleted,
    to_trash
};

/// By Settings::trash_age: 0 keeps nothing.
[[nodiscard]] inline Remains remains_by(const Limits& limits) {
    return limits.trash_age > Seconds{0} ? Remains::to_trash : Remains::deleted;
}

/// How long an entry is kept, at most half of reclaim_age: the peers may have forgotten their
/// tombstones by the time at which an older entry is brought back, and deleted rows would live.
[[nodiscard]] inline Seconds trash_age(const Limits& limits) {
    return std::min(limits.trash_age, limits.reclaim_age / 2);
}

/// One entry of a device's trash.
struct TrashEntry {
    std::string path{};
    std::string hash{}; ///< Of the database.
    std::string why{};  ///< A single word, as "removed".
    Timestamp when{};
    std::int64_t bytes = 0;

    /// Of an entry at `path`; nothing if its name has another form.
    [[nodiscard]] static std::optional<TrashEntry> parse(const std::string& path) {
        std::vector<std::string_view> parts;
        const std::string name = base(path);
        for (std::string_view rest = name;;) {
            const std::size_t dash = rest.find('-');
            parts.push_back(rest.substr(0, dash));
            if (dash == std::string_view::npos) {
                break;
            }
            rest.remove_prefix(dash + 1);
        }
        const auto when = Timestamp::parse(parts.front());
        if (parts.size() != 5 || !when || !is_hash(parts[1])) {
            return std::nullopt;
        }
        std::int64_t bytes = 0;
        const char* end = parts[2].data() + parts[2].size();
        const auto read = std::from_chars(parts[2].data(), end, bytes);
        if (read.ec != std::errc() || read.ptr != end || bytes < 0) {
            return std::nullopt;
        }
        return TrashEntry{path, std::string(parts[1]), std::string(parts[3]), *when, bytes};
    }

    /// What parse reads.
    [[nodiscard]] std::string name(Random& random) const {
        return when.normal() + '-' + hash + '-' + std::to_string(bytes) + '-' + why + '-' +
               random.name();
    }
};

/// The shelf of a kind ("container") on a device.
[[nodiscard]] inline std::string trash_shelf(const std::string& device, std::string_view kind) {
    return device + "/trash/" + std::string(kind) + 's';
}

/// All entries of a device, the oldest first. Throws Failure if a directory cannot be read.
template <Disk D>
[[nodiscard]] std::vector<TrashEntry> list_trash(D& disk, const std::string& device) {
    std::vector<TrashEntry> found;
    if (!disk.stat(device + "/trash")) {
        return found;
    }
    for (const Entry& shelf : disk.list(device + "/trash")) {
        const std::string path = device + "/trash/" + shelf.name;
        if (!shelf.directory) {
            continue;
        }
        for (const Entry& entry : disk.list(path)) {
            if (auto parsed = TrashEntry::parse(path + '/' + entry.name)) {
                found.push_back(std::move(*parsed));
            }
        }
    }
    std::ranges::sort(found, {}, [](const TrashEntry& entry) {
        return std::pair(entry.when.ticks, std::string_view(entry.path));
    });
    return found;
}

/// Deletes what is at `path`, a directory or a file. False if it cannot be deleted.
template <Disk D>
bool delete_all(D& disk, const std::string& path) noexcept {
    try {
        const auto status = disk.stat(path);
        return status && (status->directory ? disk.remove_tree(path) : disk.remove(path));
    } catch (const Failure&) {
        return false; // The next emptying tries again.
    }
}

/// Whether an entry of the directory of `hash` is a database that nobody has finished: of ours
/// <hash>.db.<random>.new (sqlite/store.hpp), of a stock server tmp<random>.tmp, each with its
/// journal. A stock server leaves that for ever if another database takes its place meanwhile
/// (defect 120).
[[nodiscard]] inline bool is_draft(const Entry& entry, std::string_view hash) {
    constexpr std::string_view journal = "-journal";
    std::string_view name = entry.name;
    name.remove_suffix(name.ends_with(journal) ? journal.size() : 0);
    return !entry.directory && ((name.starts_with(hash) && name.ends_with(".new")) ||
                                (name.starts_with("tmp") && name.ends_with(".tmp")));
}

/// Deletes the drafts in a hash directory that is out of use, also one that is being written, whose
/// maker does not find it again. Beside them a database would not be brought back
/// (receive/restore.hpp). Never throws.
template <Disk D>
void delete_drafts(D& disk, const std::string& directory, std::string_view hash) noexcept {
    try {
        const auto status = disk.stat(directory);
        if (!status || !status->directory) {
            return; // a single file
        }
        for (const Entry& entry : disk.list(directory)) {
            if (is_draft(entry, hash)) {
                disk.remove(directory + '/' + entry.name);
            }
        }
    } catch (const Failure&) { // NOLINT(bugprone-empty-catch): they come along
    }
}

/// Puts a file or a directory that is out of use into the trash of its device, or deletes it.
/// `path` must be a name that nobody else uses. Never throws: the database is out of use either
/// way. A crash before the rename is on the disk leaves the old name, which the sweep of tmp
/// removes.
template <Disk D>
void dispose(D& disk, const std::string& path, const std::string& device, std::string_view kind,
             const TrashEntry& as, Random& random, Remains remains) noexcept {
    if (remains == Remains::to_trash) {
        delete_drafts(disk, path, as.hash);
        try {
            const std::string shelf = trash_shelf(device, kind);
            disk.make_directories(shelf);
            if (disk.rename_new(path, shelf + '/' + as.name(random))) {
                return;
            }
        } catch (const Failure&) {
            // No room for a directory, or the trash is a file: what cannot be kept is deleted.
        }
    }
    delete_all(disk, path);
}

/// How many bytes `device`, with `bytes` more on it, lacks of its reserve; 0 or less: none.
template <Disk D>
[[nodiscard]] double lacking(D& disk, const std::string& device, const Reserve& reserve,
                             std::int64_t bytes = 0) {
    const Space space = disk.space(device);
    const double least =
        reserve.is_percent ? static_cast<double>(space.total) * reserve.value / 100 : reserve.value;
    return least + static_cast<double>(bytes) - static_cast<double>(space.free);
}

/// Whether `device`, with `bytes` more on it, would have less free space than its reserve.
template <Disk D>
[[nodiscard]] bool is_full(D& disk, const std::string& device, const Reserve& reserve,
                           std::int64_t bytes = 0) {
    return lacking(disk, device, reserve, bytes) > 0;
}

/// Deletes entries that are older than the settings allow, and the oldest of those that together
/// take more than trash_share of the device, or that keep its reserve from being free: a stock
/// server beside us does not know what it could delete. Calls `beat` before each entry. Returns how
/// many are gone. Throws Failure if the trash cannot be read.
template <Disk D, std::invocable Beat>
std::size_t empty_trash(D& disk, const std::string& device, Timestamp now, const Settings& settings,
                        Beat beat) {
    const std::vector<TrashEntry> entries = list_trash(disk, device);
    if (entries.empty()) {
        return 0;
    }
    const Timestamp oldest = now.plus(-trash_age(settings));
    double over = -static_cast<double>(disk.space(device).total) * settings.trash_share / 100;
    for (const TrashEntry& entry : entries) {
        over += static_cast<double>(entry.bytes);
    }
    over = std::max(over, lacking(disk, device, settings.fallocate_reserve));
    std::size_t gone = 0;
    for (const TrashEntry& entry : entries) {
        if (entry.when >= oldest && over <= 0) {
            break;
        }
        beat();
        if (delete_all(disk, entry.path)) {
            over -= static_cast<double>(entry.bytes);
            ++gone;
        }
    }
    return gone;
}

/// Whether `device` is full even without its trash, of which as many of the oldest entries go as
/// are needed. None goes if all together would not do, whatever size a caller says that he brings.
/// A trash that cannot be read counts as empty. Throws Failure if the device cannot be asked.
template <Disk D>
[[nodiscard]] bool lacks_room(D& disk, const std::string& device, const Reserve& reserve,
                              std::int64_t bytes = 0) {
    double over = lacking(disk, device, reserve, bytes);
    if (over <= 0) {
        return false;
    }
    std::vector<TrashEntry> entries;
    try {
        entries = list_trash(disk, device);
    } catch (const Failure&) {
        return true;
    }
    double all = 0;
    for (const TrashEntry& entry : entries) {
        all += static_cast<double>(entry.bytes);
    }
    if (all < over) {
        return true;
    }
    for (const TrashEntry& entry : entries) {
        if (over > 0 && delete_all(disk, entry.path)) {
            over -= static_cast<double>(entry.bytes);
        }
    }
    return is_full(disk, device, reserve, bytes);
}

} // namespace replica::storage

#endif // REPLICA_STORAGE_TRASH_HPP
