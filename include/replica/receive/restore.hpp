#ifndef REPLICA_RECEIVE_RESTORE_HPP
#define REPLICA_RECEIVE_RESTORE_HPP

// Brings a database back that a pass removed, replaced or put into quarantine. The file comes in
// the way a peer's whole file does (receive/finish.hpp): it is checked, it never takes the place of
// a database that is there, and its rows are merged into that one by their times. A running daemon
// and a stock server need not be stopped for it.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/receive/finish.hpp>
#include <replica/settings.hpp>
#include <replica/storage/quarantine.hpp>
#include <replica/storage/storage.hpp>
#include <replica/storage/trash.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/notes.hpp>
#include <replica/words/random.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace replica {

/// What lies in the quarantine of a kind on a device, as entries: the time is that of the database
/// file's last change. Throws Failure if a directory cannot be read.
template <Broker B>
[[nodiscard]] std::vector<storage::TrashEntry> list_quarantine(B& broker,
                                                               const std::string& device) {
    auto& disk = broker.disk();
    const std::string shelf = storage::quarantine_shelf(device, B::kind_type::name);
    std::vector<storage::TrashEntry> found;
    if (!disk.stat(shelf)) {
        return found;
    }
    for (const Entry& each : disk.list(shelf)) {
        storage::TrashEntry entry{shelf + '/' + each.name,
                                  each.name.substr(0, each.name.find('-')),
                                  "quarantined",
                                  {},
                                  0};
        if (!each.directory || !is_hash(entry.hash)) {
            continue;
        }
        const auto file = storage::find_database(disk, entry);
        if (const auto status = file ? disk.stat(*file) : std::nullopt) {
            entry.when = {status->modified_ns / 10'000, 0};
            entry.bytes = status->size;
            found.push_back(std::move(entry));
        }
    }
    return found;
}

namespace detail {

/// What lies in a hash directory beside the database `file` and what belongs to it, and must not be
/// deleted with them: rows of another epoch, or rows that nobody could read. Empty: nothing.
template <Disk D>
[[nodiscard]] std::string found_beside(D& disk, const std::string& directory,
                                       const std::string& file) {
    const std::string path = directory + '/' + file;
    const std::string journal = file + "-journal";
    const std::string pending = file + ".pending";
    for (const Entry& each : disk.list(directory)) {
        const bool known = each.name == file || each.name == ".lock" || each.name == journal ||
                           (each.name == pending && !storage::has_pending(disk, path));
        if (!known) {
            return each.name;
        }
    }
    return {};
}

/// When the copy was last known to have all deletions. A time of a clock that was ahead says
/// nothing.
template <Database D>
[[nodiscard]] Timestamp last_known(D& database, Timestamp taken_away, Timestamp now) {
    const auto agreed =
        notes::last_agreement(database, database.sync_point(notes::agreed(), Direction::outgoing),
                              database.info().created_at);
    const Timestamp limit = now.plus(Seconds(3600));
    const Timestamp none{std::numeric_limits<std::int64_t>::max(), 0};
    const Timestamp earlier =
        std::min(taken_away > limit ? none : taken_away, agreed > limit ? none : agreed);
    return earlier == none ? Timestamp{} : earlier;
}

} // namespace detail

/// Puts the database of an entry back to `partition` of its device, and deletes the entry.
/// `observer` is told what was put right. Waits for locks as a receiver does.
///
/// Throws Failure, and leaves the entry where it is: exists if the copy has agreed with no peer
/// within reclaim_age, since rows whose deletion the peers have forgotten might live again,
/// and if something lies beside the database; missing for an entry without a database; no_space if
/// the device's reserve would be used; what finish_upload throws.
template <Broker B, class O = Silent>
    requires Observer<std::remove_reference_t<O>>
void restore(B& broker, const storage::TrashEntry& entry, const std::string& device,
             std::uint32_t partition, const HashPath& hash_path, Random& random,
             const Settings& settings, O&& observer = O()) {
    auto& disk = broker.disk();
    const auto patience = [&] {
        return broker.clock().monotonic() + to_duration(storage::broker_patience);
    };
    const auto source = storage::find_database(disk, entry);
    if (!source) {
        throw Failure(Error::missing, entry.path + ": holds no database of " + entry.hash);
    }
    const bool whole = *source != entry.path; // a hash directory, not a single file
    const std::string file = whole ? storage::base(*source) : entry.hash + ".db";
    const Place place = Place::on(device, B::kind_type::datadir, partition, entry.hash, file);
    auto database = broker.open(*source, patience());
    const Timestamp known = detail::last_known(database, entry.when, broker.clock().now());
    if (known <= broker.clock().now().plus(-settings.reclaim_age)) {
        throw Failure(Error::exists,
                      entry.path + ": has agreed with no peer within reclaim_age; moved "
                                   "back by hand, it holds back what may have been deleted since");
    }
    if (whole) {
        storage::flush_pending(broker, database, *source, patience());
        if (const auto beside = detail::found_beside(disk, entry.path, file); !beside.empty()) {
            throw Failure(Error::exists, entry.path + ": holds " + beside +
                                             " as well; look at it, and move it by hand");
        }
    }
    const std::int64_t bytes = storage::require(disk, *source).size;
    if (storage::is_full(disk, device, settings.fallocate_reserve, bytes)) {
        throw Failure(Error::no_space, entry.path + ": its device has no room for it");
    }
    // A name of its own: what an undo that was killed has left keeps nobody from another one.
    const std::string name = database.info().id + '-' + random.name();
    const std::string upload = place.tmp() + '/' + name;
    const auto reading = to_duration(storage::time_to_read(bytes));
    disk.make_directories(place.tmp());
    try {
        database.copy_to(upload, patience() + reading);
        // No peer has a better file, so rows that a wrong hash speaks of are not waited for.
        static_cast<void>(broker.open_upload(upload, patience() + reading).mend_sums());
    } catch (...) {
        detail::discard(disk, upload, disk.stat(upload));
        throw;
    }
    if (!finish_upload(broker, place, name, hash_path, random, false, observer,
                       {storage::Remains::deleted, known})) {
        throw Failure(Error::moved, upload + ": was taken away");
    }
    storage::delete_all(disk, entry.path);
}

} // namespace replica

#endif // REPLICA_RECEIVE_RESTORE_HPP
