#ifndef REPLICA_RECEIVE_FINISH_HPP
#define REPLICA_RECEIVE_FINISH_HPP

// Puts a whole file in place that has arrived in tmp. A stock receiver renames the file into place
// unchecked. If there is a database, a stock receiver reads that in batches without a lock and
// renames over it. So a torn file is promoted, and rows committed in between are lost while their
// sync point survives (defects 5, 6, 8, 15 and 17). The order here:
//
//   claim       the upload gets a private name; a retry cannot replace it
//   check       the header, the schema, every page, every value, and that its hash is this place's
//   mend        the hash and the sums, if they are not those of the rows
//   adopt       a new id, and the incoming point of the sender. Before any merge, since the point
//               speaks of the sender's ROWIDs only. If rows may be missing: no point, and no 204
//   no database here:  install (storage/storage.hpp), which never replaces
//   a database here:   merge its rows into the upload in batches, without a lock; then replace
//                      (storage/storage.hpp): under both locks the last rows, and all else
//
// A crash at any moment leaves the old database, or the new one whole, and at most a file in tmp.

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/notes.hpp>
#include <replica/words/random.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace replica {

/// What is not the same for each whole file that comes in.
struct Incoming {
    storage::Remains remains = storage::Remains::deleted; ///< Of a file that is replaced.

    /// When the file last agreed with a peer; nothing: a peer brings it now (send/stale.hpp).
    std::optional<Timestamp> agreed{};
};

namespace detail {

/// Notes when a file last agreed with a peer.
template <Database D>
void note_agreement(D& database, Timestamp agreed) {
    database.set_sync_point({agreed.ticks / Timestamp::ticks_per_second, notes::agreed()},
                            Direction::outgoing);
}

/// Rows per batch of a merge: as many as a stock receiver takes. Writers get their turn in between.
inline constexpr std::int64_t merge_batch = 1000;
inline constexpr std::size_t merge_bytes = 16 << 20; ///< Of rows in memory at a time.

/// Removes a file after a failure; throws nothing that would hide that failure. Only if the file is
/// the `claimed` one, or a link: in the middle of an exchange another may have its name.
template <Disk D>
void discard(D& disk, const std::string& path, const std::optional<FileStatus>& claimed) noexcept {
    try {
        if (disk.read_link(path) || storage::is_same_file(disk.stat(path), claimed)) {
            disk.remove(path);
        }
    } catch (const Failure&) {
        return; // The sweep of tmp removes it.
    }
}

/// Merges into an upload what the database that it replaces has beside its rows: times, metadata,
/// points, the policy. Throws exists if the metadata of the two differ and cannot be read: nobody
/// else may have the values that would be lost.
template <Broker B>
void merge_info_and_points(B& broker, typename B::database_type& existing,
                           const info_type_of<B>& last, typename B::database_type& upload,
                           const Incoming& incoming) {
    (void)B::kind_type::adopt_policy(upload, upload.info(), last, broker.clock().now());
    upload.merge_timestamps(last.timestamps());
    upload.merge_status(existing);
    try {
        if (!last.metadata.empty() && last.metadata != upload.info().metadata) {
            upload.merge_metadata(last.metadata, Timestamp{});
        }
    } catch (const Failure& failure) {
        if (failure.error() != Error::bad_request) {
            throw;
        }
        throw Failure(Error::exists,
                      last.name() +
                          ": its metadata and an upload's cannot be merged: " + failure.what());
    }
    upload.merge_sync_points(existing.sync_points(Direction::incoming), Direction::incoming);
    // The upload now has rows from here, so it agrees with peers as lately as they did, and as the
    // rows that it came with: send/stale.hpp.
    const auto agreed = notes::last_agreement(
        existing, existing.sync_point(notes::agreed(), Direction::outgoing), last.created_at);
    note_agreement(upload, std::min(agreed, incoming.agreed.value_or(agreed)));
    B::kind_type::merge_more(existing, upload);
}

/// The last row of a database that has been merged, and the id that the ROWID belongs to.
struct Progress {
    std::int64_t point = -1;
    std::string id;
};

/// Merges the next batch of `from` into `into`, and moves the progress. False if that was the last
/// batch. The id is the source, so that rows that the sender has had before are repeats: the
/// sender's own report about a container is then the newer one.
template <Database D>
bool merge_next(D& from, D& into, Progress& progress) {
    std::size_t left = merge_bytes;
    const auto rows = first_items(from, progress.point, merge_batch, left);
    if (!rows.empty()) {
        into.merge_items(rows, progress.id, Timestamp{});
        progress.point = rows.back().rowid;
    }
    return std::ssize(rows) == merge_batch || left == 0;
}

/// Merges the rows of the database at `target` into `upload`, without a lock between batches.
template <Broker B>
[[nodiscard]] Progress merge_rows(B& broker, const std::string& target,
                                  typename B::database_type& upload) {
    Progress progress;
    for (bool more = true; more;) {
        // Opened for each batch: a handle waits for locks up to one deadline, and a merge of
        // millions of rows takes longer.
        auto existing =
            broker.open(target, broker.clock().monotonic() + to_duration(storage::broker_patience));
        const std::string id = existing.info().id;
        progress = id == progress.id ? progress : Progress{-1, id};
        more = merge_next(existing, upload, progress);
    }
    return progress;
}

/// Recomputes the hash and the sums of an upload, and tells what was wrong. False if the hash was
/// wrong. An honest file may have a wrong hash after a mistake of its server (defect 72). A file
/// that was written to while a stock server sent it has one as well, and lacks rows.
template <Database D, Observer O>
[[nodiscard]] bool mend(D& upload, const std::string& hash, const std::string& path, O& observer) {
    if (!upload.mend_sums()) {
        return true;
    }
    const bool same = upload.info().hash == hash;
    const std::string what = std::string("a file came whose ") + (same ? "sums or index" : "hash") +
                             " did not agree with its rows; the rows count";
    observer(event::SetAside{path, what});
    return same;
}

/// Throws moved unless the upload is `complete`. A sender that is told of success may remove its
/// copy. A sender that is told to try again finds a database without a point, and sends its rows.
inline bool require_complete(bool complete, const std::string& path) {
    if (!complete) {
        throw Failure(Error::moved, path + ": in place with another hash; rows may be missing");
    }
    return true;
}

/// Merges the database at `target` into the claimed file, which is open, and puts the claimed file
/// in its place. Begins again if another file, as of a stock server's merge, comes to `target`
/// meanwhile. `dispose(status)` gets the old file, as `claimed`.
template <Broker B, class Dispose>
void merge_and_replace(B& broker, const std::string& claimed, const std::string& target,
                       std::optional<typename B::database_type>& upload, const Incoming& incoming,
                       Dispose dispose) {
    const auto patience = [&] {
        return broker.clock().monotonic() + to_duration(storage::broker_patience);
    };
    const auto try_once = [&] {
        auto progress = merge_rows(broker, target, *upload);
        const auto catch_up = [&](typename B::database_type& existing) {
            const auto last = existing.info();
            if (!B::kind_type::sends_rows(last)) {
                throw Failure(Error::moved, target + ": sharding has begun");
            }
            if (last.id != progress.id) {
                // All rows would have to be merged again, too many for an exclusive lock.
                throw Failure(Error::moved, target + ": got another id while it was merged");
            }
            while (merge_next(existing, *upload, progress)) {
            }
            merge_info_and_points(broker, existing, last, *upload, incoming);
            upload.reset();
        };
        return storage::replace(broker, claimed, target, patience(), catch_up, dispose);
    };
    for (int attempt = 1;; ++attempt) {
        try {
            if (try_once()) {
                return;
            }
            upload.emplace(broker.open(claimed, patience()));
            if (attempt == 3) {
                throw Failure(Error::moved, target + ": other files keep coming there");
            }
        } catch (const Failure& failure) {
            if (failure.error() != Error::moved || attempt == 3) {
                throw;
            }
        }
    }
}

} // namespace detail

/// Puts an upload in place, or merges it with the database that is there. False if there is no such
/// upload, or, with `merge`, no database to merge with. `observer` is told what was put right.
///
/// Throws Failure: wrong_place, corrupt, not_a_database, unknown_schema or wal for an upload that
/// cannot be used, which is removed; locked or moved if another process was faster; moved also if
/// the upload is in place now but may lack rows.
template <Broker B, class O = Silent>
    requires Observer<std::remove_reference_t<O>>
[[nodiscard]] bool finish_upload(B& broker, const Place& place, const std::string& name,
                                 const HashPath& hash_path, Random& random, bool merge,
                                 O&& observer = O(), const Incoming& incoming = {}) {
    auto& disk = broker.disk();
    const auto patience = [&] {
        return broker.clock().monotonic() + to_duration(storage::broker_patience);
    };
    const auto existing_path = [&]() -> std::optional<std::string> {
        return disk.stat(place.directory) ? storage::find_database(disk, place.directory)
                                          : std::nullopt;
    };
    if (merge && !existing_path()) {
        return false;
    }
    const auto claimed = storage::claim(disk, place.tmp(), name, random);
    if (!claimed) {
        return false;
    }
    const auto status = disk.stat(*claimed);
    try {
        const Seconds reading = storage::time_to_read(status ? status->size : 0);
        std::optional<typename B::database_type> upload(
            broker.open_upload(*claimed, patience() + to_duration(reading)));
        const auto info = upload->info();
        if (hash_path(info.name()) != place.hash) {
            throw Failure(Error::wrong_place, *claimed + ": holds " + info.name() +
                                                  ", which does not belong to " + place.hash);
        }
        const std::string path = place.path();
        const bool complete = detail::mend(*upload, info.hash, path, observer);
        upload->adopt(complete ? name : std::string());
        if (incoming.agreed) {
            detail::note_agreement(*upload, *incoming.agreed);
        }
        if (!existing_path()) {
            upload.reset();
            if (storage::install(broker, *claimed, path, place.device, patience())) {
                return detail::require_complete(complete, path);
            }
            upload.emplace(broker.open(*claimed, patience()));
        }
        const auto target = existing_path();
        if (!target) {
            throw Failure(Error::moved, path + ": came and went while a file was put there");
        }
        if (!B::kind_type::sends_rows(info)) {
            throw Failure(Error::wrong_place,
                          *claimed + ": is being sharded, and a database is here");
        }
        detail::merge_and_replace(
            broker, *claimed, *target, upload, incoming, [&](const FileStatus& replaced) {
                storage::dispose(disk, *claimed, place.device, B::kind_type::name,
                                 {{}, place.hash, "replaced", broker.clock().now(), replaced.size},
                                 random, incoming.remains);
            });
        return detail::require_complete(complete, *target);
    } catch (...) {
        detail::discard(disk, *claimed, status);
        throw;
    }
}

} // namespace replica

#endif // REPLICA_RECEIVE_FINISH_HPP
