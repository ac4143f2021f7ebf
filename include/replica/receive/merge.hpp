#ifndef REPLICA_RECEIVE_MERGE_HPP
#define REPLICA_RECEIVE_MERGE_HPP

// Merges what a request has brought into an open database. What cannot be read is told and left
// out, as a stock server does with metadata: it must not hold up the rest.

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/words/info.hpp>
#include <replica/words/message.hpp>
#include <replica/words/timestamp.hpp>

#include <string>
#include <vector>

namespace replica {

/// Merges the sender's metadata, or leaves it out (defect 55).
template <Database D, Observer O>
void merge_metadata(D& database, const std::string& path, const std::string& metadata,
                    Timestamp forgotten, O& observer) {
    try {
        database.merge_metadata(metadata, forgotten);
    } catch (const Failure& failure) {
        if (failure.error() != Error::bad_request) {
            throw;
        }
        const std::string what = std::string("Unable to decode remote metadata: ") + failure.what();
        observer(event::SetAside{path, what});
    }
}

/// Merges rows. The point moves past those that cannot be stored. Returns false, with nothing
/// written, if they are for another file, which this one has replaced since it was asked.
///
/// `forgotten`: see Database::merge_items. Of rows without a source, only those of a comparison,
/// which name the receiver, may have been here before: a stale copy sends deletions that nobody
/// else may have had.
template <Database D, Observer O>
[[nodiscard]] bool merge_rows(D& database, const std::string& path,
                              const message::MergeItems<typename D::row_type>& items,
                              Timestamp forgotten, O& observer) {
    if (!items.receiver.empty() && items.receiver != database.info().id) {
        return false;
    }
    for (const std::string& what : items.set_aside) {
        observer(event::SetAside{path, what});
    }
    if (!items.rows.empty()) {
        const bool known = !items.source.empty() || !items.receiver.empty();
        database.merge_items(items.rows, items.source, known ? forgotten : Timestamp{});
    }
    if (!items.set_aside.empty() && !items.source.empty()) {
        const std::vector<SyncPoint> reached{{items.last_rowid, items.source}};
        database.merge_sync_points(reached, Direction::incoming);
    }
    return true;
}

/// Merges points. Returns false, with nothing written, if they are for another file, which this one
/// has replaced since it was asked.
template <Database D>
[[nodiscard]] bool merge_points(D& database, const message::MergeSyncs& syncs) {
    bool meant = true;
    database.together([&] {
        meant = syncs.receiver.empty() || database.info().id == syncs.receiver;
        if (meant) {
            database.merge_sync_points(syncs.points, Direction::incoming);
        }
    });
    return meant;
}

} // namespace replica

#endif // REPLICA_RECEIVE_MERGE_HPP
