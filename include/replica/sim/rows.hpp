#ifndef REPLICA_SIM_ROWS_HPP
#define REPLICA_SIM_ROWS_HPP

// What a simulated database has to know of its rows: what they are found by, how two become one,
// what they add to the hash, when a tombstone was made. Rows are joined by the code that the SQLite
// brokers use, so that a simulated cluster comes to the same end as a real one.

#include <replica/rows/merge.hpp>
#include <replica/words/info.hpp>
#include <replica/words/md5.hpp>
#include <replica/words/timestamp.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace replica::sim {

/// Per type of row: the state it is joined as, its key, its part of the hash (Swift: chexor, for
/// every row, tombstones too), and the time that reclaim looks at.
template <class Row>
struct RowTraits;

template <>
struct RowTraits<ObjectRow> {
    using state_type = ObjectState;
    using Key = std::pair<std::string, std::int64_t>;

    [[nodiscard]] static Key key(const ObjectRow& row) {
        return {row.name, row.storage_policy_index};
    }

    [[nodiscard]] static Md5Digest digest(const ObjectRow& row) {
        return md5(row.name, "-", row.created_at);
    }

    [[nodiscard]] static Timestamp deleted_at(const ObjectRow& row) {
        return ObjectState::stored(row).times.data;
    }
};

template <>
struct RowTraits<ContainerRow> {
    using state_type = ContainerState;
    using Key = std::string;

    [[nodiscard]] static Key key(const ContainerRow& row) { return row.name; }

    [[nodiscard]] static Md5Digest digest(const ContainerRow& row) {
        return md5(row.name, "-", row.put_timestamp, "-", row.delete_timestamp, "-",
                   std::to_string(row.object_count), "-", std::to_string(row.bytes_used));
    }

    [[nodiscard]] static Timestamp deleted_at(const ContainerRow& row) {
        return timestamp_or_zero(row.delete_timestamp);
    }
};

} // namespace replica::sim

#endif // REPLICA_SIM_ROWS_HPP
