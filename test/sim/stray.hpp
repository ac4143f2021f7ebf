#ifndef REPLICA_TEST_SIM_STRAY_HPP
#define REPLICA_TEST_SIM_STRAY_HPP

// What must not lie on a disk of a simulated cluster once everything is old.

#include <replica/settings.hpp>
#include <replica/sim/disk.hpp>
#include <replica/storage/trash.hpp>
#include <replica/words/timestamp.hpp>

#include <iterator>
#include <string>
#include <string_view>

namespace replica::test {

/// A file of a machine that is neither a database nor belongs to one; empty if there is none.
/// Files that somebody must look at are told in each pass and stay: rows that wait for a database
/// that is gone, or that nobody could read (defects 3 and 94). Our broker's drafts are taken away
/// by our replicator; `stock` is another. A journal without its file is taken away when a file
/// comes. What was removed within the last day is in the trash.
[[nodiscard]] inline std::string stray_file(const SimDisk& disk, bool stock, Timestamp now) {
    const auto in_trash = [](const std::string& path) {
        return path.find("/trash/") != std::string::npos && !path.ends_with("/");
    };
    const auto is_old_trash = [&](const std::string& path) {
        const std::size_t name = path.find('/', path.find("/trash/") + 7) + 1;
        const auto entry =
            storage::TrashEntry::parse(path.substr(name, path.find('/', name) - name));
        return !entry || entry->when < now.plus(-Limits{}.trash_age);
    };
    const auto file_of = [](const std::string& journal) {
        return journal.substr(0, journal.rfind('-'));
    };
    const auto files = disk.dump();
    for (const auto& [path, bytes] : files) {
        const auto ends_with = [&](std::string_view end) { return path.ends_with(end); };
        const bool counts = path.find(".brakes/") != std::string::npos; // of an hour
        if (counts || (in_trash(path) && !is_old_trash(path))) {
            continue;
        }
        const bool known = ends_with("/") || ends_with(".db") || ends_with("/.lock") ||
                           ends_with(".pending") ||
                           path.find(".pending.unreadable") != std::string::npos ||
                           (ends_with(".db-journal") && !files.contains(file_of(path))) ||
                           (stock && (ends_with(".new") || ends_with(".new-journal")));
        const bool in_tmp = path.find("/tmp/") != std::string::npos && !ends_with("/tmp/");
        const auto next = std::next(files.find(path));
        const bool lonely =
            ends_with("/.lock") && // nothing follows in its directory
            (next == files.end() || !next->first.starts_with(path.substr(0, path.rfind('/') + 1)));
        if (!known || in_tmp || in_trash(path) || lonely) {
            return path;
        }
    }
    return {};
}

} // namespace replica::test

#endif // REPLICA_TEST_SIM_STRAY_HPP
