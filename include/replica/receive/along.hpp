#ifndef REPLICA_RECEIVE_ALONG_HPP
#define REPLICA_RECEIVE_ALONG_HPP

// Merges the rows that came along with `sync` (words/along.hpp). The sender guesses which rows are
// new here; the receiver knows. It takes them only if merge_items with the same rows would have
// been the sender's next request:
//
//   base <= our point  no row lies between the rows that are here and those that came
//   our point < last   else nothing is to be sent; a point above all of the sender's rows speaks of
//                      other rows under its id, so the sender must take a new one first. So must
//                      one with the id of the database here
//   not sharded        else its sender asks for the ranges first, and may leave the rows to the
//                      sharder
//
// Rows and points are merged in one transaction, so a crash leaves all of them or none. A request
// that comes again, late or twice, brings rows that are here: repeats, which change nothing.

#include <replica/broker.hpp>
#include <replica/observer.hpp>
#include <replica/words/along.hpp>
#include <replica/words/info.hpp>
#include <replica/words/message.hpp>
#include <replica/words/timestamp.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace replica {

/// Returns the sender's last row that is here now; -1 if nothing was merged. `sender`: its id.
/// `point`: how far its rows were here. `forgotten`: see Database::merge_items.
template <class Kind, Database D, Observer O>
[[nodiscard]] std::int64_t
merge_along(D& database, const typename D::info_type& info, const std::string& path,
            const std::optional<message::Along<typename D::row_type>>& along,
            const std::string& sender, std::int64_t point, Timestamp forgotten, O& observer) {
    if (!along || along->base > point || point >= along->last || sender == info.id ||
        !Kind::sends_rows(info)) {
        return -1;
    }
    std::vector<SyncPoint> points = along->syncs.points;
    points.push_back({along->last, sender});
    database.together([&] {
        database.merge_items(along->items.rows, sender, forgotten);
        database.merge_sync_points(points, Direction::incoming);
    });
    for (const std::string& what : along->items.set_aside) {
        observer(event::SetAside{path, what});
    }
    return along->last;
}

} // namespace replica

#endif // REPLICA_RECEIVE_ALONG_HPP
