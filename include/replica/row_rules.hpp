#ifndef REPLICA_ROW_RULES_HPP
#define REPLICA_ROW_RULES_HPP

// What a row of a peer must be to be stored. Swift stores whatever comes (defect 25), and a row
// that cannot be compared or counted is then in everybody's way.

#include <replica/info.hpp>
#include <replica/timestamp.hpp>

#include <string>

namespace replica {

/// Why a row cannot be stored, or nothing.
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

/// A time that was never set is empty or null in old databases and "0" in newer ones.
inline void normalise(ObjectRow& /*row*/) {}
inline void normalise(ContainerRow& row) {
    for (std::string* time : {&row.put_timestamp, &row.delete_timestamp}) {
        *time = time->empty() ? "0" : *time;
    }
}

} // namespace replica

#endif // REPLICA_ROW_RULES_HPP
