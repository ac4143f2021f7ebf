#ifndef REPLICA_STORAGE_QUARANTINE_HPP
#define REPLICA_STORAGE_QUARANTINE_HPP

// A database that is beyond use is moved aside, so that its peers send a new one. Before that the
// database is checked once more: a swap of the file may have looked like damage.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/random.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace replica::storage {

/// Whether the database at `path` cannot be opened, or has a broken page or index. Reads all of the
/// file under SQLite's shared lock, which writers wait for.
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

/// Where the databases of a kind lie that are beyond use (Swift: quarantine_db).
[[nodiscard]] inline std::string quarantine_shelf(const std::string& device,
                                                  std::string_view kind) {
    return device + "/quarantined/" + std::string(kind) + 's';
}

/// Moves a hash directory to `<device>/quarantined/<kind>s/<hash>` (Swift: quarantine_db), or to
/// that name with a random part if something is there. Returns the new place; nothing if the
/// database turned out to be sound, or is another file by now (defect 47).
///
/// The database is checked without the directory lock, for which a stock server waits 10 s before
/// it refuses its client; under the lock it must still be the same file. Waits for locks until
/// `deadline`, and after the check for as long again.
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
    const std::string shelf = quarantine_shelf(device, B::kind_type::name);
    make_durable_directories(disk, device, shelf);
    disk.sync(shelf); // a shelf that is sick is found out while nothing has moved
    std::string target = shelf + '/' + base(directory);
    while (!disk.rename_new(directory, target)) {
        target = shelf + '/' + base(directory) + '-' + random.name();
    }
    try {
        disk.sync(shelf);
    } catch (const Failure&) { // a power cut could leave it nowhere
        static_cast<void>(disk.rename_new(target, directory));
        throw;
    }
    disk.sync(parent(directory));
    return target;
}

} // namespace replica::storage

#endif // REPLICA_STORAGE_QUARANTINE_HPP
