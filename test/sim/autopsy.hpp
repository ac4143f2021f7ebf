#ifndef REPLICA_TEST_SIM_AUTOPSY_HPP
#define REPLICA_TEST_SIM_AUTOPSY_HPP

// What the disk of a simulated machine holds at a moment, as whoever opens its files after a kill
// would find it. The disk is copied first, journals and pending files included, so that nobody who
// acts can notice.

#include "leftovers.hpp"
#include "record.hpp"
#include "world.hpp"
#include <replica/container/queue_entry.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/storage/place.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::test {

/// One database file and what is in it.
template <class Kind>
struct Copy {
    std::string path;
    bool quarantined = false;
    std::optional<std::string> broken; ///< Why it cannot be read.
    bool rotten = false;               ///< Its hash or sums are not those of its rows, ...
    bool untold = false;               ///< ... or only those that are in no answer to a peer.
    bool illegible = false;            ///< Its metadata cannot be read by a server.
    typename Kind::info_type info{};
    std::vector<typename Kind::row_type> rows{};
    std::vector<SyncPoint> incoming{};
    std::vector<SyncPoint> outgoing{};
    std::map<std::string, Version> versions{}; ///< Of rows, by name.
    std::map<std::string, Version> metadata{};
    std::map<std::string, Version> ranges{}; ///< Of shards.
};

/// All copies on one machine, and what else lies on its device.
template <class Kind>
struct Autopsy {
    std::vector<Copy<Kind>> copies;
    std::vector<std::string> orphans; ///< Pending files without a database, or not to be read.

    [[nodiscard]] const Copy<Kind>* live(const std::string& path) const {
        const auto found = std::ranges::find(copies, path, &Copy<Kind>::path);
        return found == copies.end() ? nullptr : &*found;
    }
};

/// Whether a copy, wherever it is, has this version of a row or of a key, or a newer one.
template <class Kind>
[[nodiscard]] bool is_held(const std::vector<Autopsy<Kind>>& found, const std::string& hash,
                           std::map<std::string, Version> Copy<Kind>::*where,
                           const std::string& name, const Version& version) {
    for (const Autopsy<Kind>& each : found) {
        for (const Copy<Kind>& copy : each.copies) {
            const auto held = (copy.*where).find(name);
            if (copy.path.ends_with(hash + ".db") && held != (copy.*where).end() &&
                held->second.ticks >= version.ticks) {
                return true;
            }
        }
    }
    return false;
}

/// Opens every database of a disk in a copy of it.
template <class Kind>
class Examiner {
public:
    using Broker = typename World<Kind>::Broker;

    /// `now`: of the copy's clock.
    Examiner(const SimDisk& disk, Timestamp now)
        : Examiner(disk, now, [](const auto&) { return true; }) {}

    /// Only of the files that `wanted` names.
    template <std::predicate<const std::string&> Wanted>
    Examiner(const SimDisk& disk, Timestamp now, Wanted wanted)
        : clock_(now), disk_(clock_), vfs_(unique_vfs_name(), disk_, 1),
          broker_(disk_, clock_, SqliteOptions{.vfs = vfs_.name()}) {
        disk_.mount(Layout::path(0));
        disk_.mount(Layout::path(1));
        for (auto& [path, bytes] : disk.dump()) {
            if (!path.ends_with('/') && wanted(path)) {
                disk_.write(path, bytes);
                files_.push_back(path);
            }
        }
    }

    [[nodiscard]] Autopsy<Kind> examine() {
        Autopsy<Kind> found;
        for (const std::string& path : files_) {
            if (path.find("/tmp/") != std::string::npos ||
                path.find("/trash/") != std::string::npos || path.ends_with(other_file)) {
                continue; // uploads and copies on their way, and what counts no more
            }
            if (path.ends_with(".db")) {
                found.copies.push_back(read(path));
            } else if (path.find(".pending.unreadable.") != std::string::npos ||
                       (path.ends_with(".db.pending") &&
                        !disk_.stat(path.substr(0, path.rfind('.'))))) {
                found.orphans.push_back(path);
            }
        }
        return found;
    }

    [[nodiscard]] Copy<Kind> read(const std::string& path) {
        Copy<Kind> copy{path, path.find("/quarantined/") != std::string::npos, std::nullopt};
        try {
            auto database = broker_.open(path, Instant::max());
            database.require_sound(Instant::max());
            if (const auto lock = disk_.try_lock(path.substr(0, path.rfind('/')))) {
                static_cast<void>(database.commit_pending(*lock));
            }
            copy.info = database.info();
            const bool mended = database.mend_sums();
            const auto before = std::exchange(copy.info, database.info());
            copy.rotten = mended && !has_same_sums(before, copy.info);
            copy.untold = mended && !copy.rotten;
            copy.rows = database.items_since(-1, std::numeric_limits<std::int64_t>::max());
            copy.incoming = database.sync_points(Direction::incoming);
            copy.outgoing = database.sync_points(Direction::outgoing);
            for (const auto& row : copy.rows) {
                copy.versions[key_of(row)] = version_of(row);
                require_known(row);
            }
            if constexpr (ShardedKind<Kind>) {
                for (const ShardRange& range : database.shard_ranges()) {
                    copy.ranges[range.name] = version_of(range);
                }
            }
            std::string_view text = copy.info.metadata;
            copy.illegible = text.starts_with(illegible);
            text.remove_prefix(copy.illegible ? 1 : 0); // an operator could mend it
            const Metadata metadata = Metadata::parse(text);
            for (const MetadataItem& item : metadata.items()) {
                copy.metadata[item.key] = {timestamp_or_zero(item.time).ticks, item.value.empty(),
                                           item.value};
            }
        } catch (const Failure& failure) {
            copy.broken = failure.what();
        }
        return copy;
    }

private:
    using Info = typename Kind::info_type;

    /// No server stores what a stranger sends (stranger.hpp). The shipped check is not asked here:
    /// a mistake in it would hide itself.
    template <class Row>
    static void require_known(const Row& row) {
        if constexpr (requires { row.name; }) {
            if (row.name.empty() || row.name == "poison") {
                throw Failure(Error::corrupt, "has the row '" + row.name + "' of a stranger");
            }
        }
    }

    /// Whether an answer to a peer tells the same of both.
    [[nodiscard]] static bool has_same_sums(const Info& one, const Info& other) {
        return one.hash == other.hash && one.count == other.count &&
               one.bytes_used == other.bytes_used;
    }

    SimClock clock_;
    SimDisk disk_;
    SimVfs vfs_;
    Broker broker_;
    std::vector<std::string> files_;
};

/// Rows of the reconciler's queues, each by the hash of its queue and its name.
using QueueEntries = std::set<std::pair<std::string, std::string>>;

template <class Kind>
[[nodiscard]] QueueEntries queue_entries(const std::vector<Autopsy<Kind>>& found) {
    QueueEntries entries;
    for (const auto& each : found) {
        for (const auto& copy : each.copies) {
            for (const auto& [name, version] : copy.versions) {
                if (copy.info.account == reconciler::account) {
                    entries.emplace(Place::of(copy.path, Kind::datadir).hash, name);
                }
            }
        }
    }
    return entries;
}

template <class Kind>
[[nodiscard]] Autopsy<Kind> autopsy(const SimDisk& disk, Timestamp now) {
    return Examiner<Kind>(disk, now).examine();
}

} // namespace replica::test

#endif // REPLICA_TEST_SIM_AUTOPSY_HPP
