#ifndef REPLICA_SIM_ROWS_HPP
#define REPLICA_SIM_ROWS_HPP

// What a simulated database must know of a row: its key, how two rows become one, its part of the
// hash, and the time of a tombstone. The SQLite brokers join rows by the same code, so a simulated
// cluster ends in the same state as a real one.

#include <replica/rows/merge.hpp>
#include <replica/words/info.hpp>
#include <replica/words/md5.hpp>
#include <replica/words/timestamp.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace replica::sim {

/// For each type of row: the state that is joined, the key, the part of the hash (Swift: chexor;
/// tombstones count too), and the time that reclaim compares.
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
