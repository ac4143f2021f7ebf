#ifndef REPLICA_ROWS_CHECKS_HPP
#define REPLICA_ROWS_CHECKS_HPP

// Checks whether a row or a point of a peer can be stored. Swift stores whatever comes (defects 24
// and 25), and a row that cannot be compared or counted then blocks everybody.

#include <replica/error.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/info.hpp>
#include <replica/words/timestamp.hpp>

#include <string>

namespace replica {

/// Why a row cannot be stored; empty if it can.
[[nodiscard]] inline std::string unusable(const ObjectRow& row) {
    if (row.name.empty()) {
        return "no name";
    }
    if (row.deleted != 0 && row.deleted != 1) {
        return "deleted is neither 0 nor 1"; // The sums are kept with 1 - deleted.
    }
    return RowTimes::decode(row.created_at) ? "" : "created_at is no timestamp";
}

[[nodiscard]] inline std::string unusable(const ContainerRow& row) {
    if (row.name.empty()) {
        return "no name";
    }
    if (row.deleted != 0 && row.deleted != 1) {
        return "deleted is neither 0 nor 1";
    }
    const bool times =
        Timestamp::parse(row.put_timestamp) && Timestamp::parse(row.delete_timestamp);
    return times ? "" : "put_timestamp or delete_timestamp is no timestamp";
}

/// Why a point cannot be stored; empty if it can. A point of -1 says nothing, but is allowed: a
/// stock peer has it for the id that it had while it was empty.
[[nodiscard]] inline std::string unusable(const SyncPoint& point) {
    if (!is_safe_name(point.remote_id)) {
        return "remote_id must be a plain name";
    }
    return point.sync_point < -1 ? "sync_point must be -1 or more" : "";
}

/// Throws bad_request unless `id` can be a database's id. `what` names it in the error.
inline void require_id(const std::string& id, const std::string& what) {
    if (!is_safe_name(id)) {
        throw Failure(Error::bad_request, what + " must be a plain name");
    }
}

/// Writes a time that was never set as "0", as newer databases do. In old ones it is empty or null.
inline void normalise(ObjectRow& /*row*/) {}
inline void normalise(ContainerRow& row) {
    for (std::string* time : {&row.put_timestamp, &row.delete_timestamp}) {
        *time = time->empty() ? "0" : *time;
    }
}

} // namespace replica

#endif // REPLICA_ROWS_CHECKS_HPP
