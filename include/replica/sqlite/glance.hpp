#ifndef REPLICA_SQLITE_GLANCE_HPP
#define REPLICA_SQLITE_GLANCE_HPP

// What a turn that finds nothing to do asks of a file beside its info, answered from its pages: the
// counterparts of sync_table.hpp and tombstones.hpp.

#include <replica/rows/metadata.hpp>
#include <replica/sqlite/page_tables.hpp>
#include <replica/sqlite/schema.hpp>
#include <replica/sqlite/sync_table.hpp>
#include <replica/sqlite/tombstones.hpp>
#include <replica/words/info.hpp>
#include <replica/words/notes.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace replica::sqlite::glance {

/// All rows of a table of sync points: replica, point, when it was written.
[[nodiscard]] inline PageQuery sync_rows(PageTables& tables, Direction direction) {
    return tables.query(direction == Direction::incoming
                            ? "SELECT remote_id, sync_point, updated_at FROM incoming_sync"
                            : "SELECT remote_id, sync_point, updated_at FROM outgoing_sync");
}

[[nodiscard]] inline std::vector<SyncPoint> sync_points(PageTables& tables, Direction direction) {
    std::vector<SyncPoint> points;
    for (PageQuery row = sync_rows(tables, direction); row.step();) {
        if (!row.is_null(0)) {
            points.push_back({row.integer(1), row.text(0)});
        }
    }
    return points;
}

/// -1 if the replica is not known.
[[nodiscard]] inline std::int64_t sync_point(PageTables& tables, std::string_view id,
                                             Direction direction) {
    for (PageQuery row = sync_rows(tables, direction); row.step();) {
        if (!row.is_null(0) && row.text(0) == id) {
            return row.integer(1);
        }
    }
    return -1;
}

/// The last time an incoming point was written, in whole seconds; zero if there is none.
[[nodiscard]] inline Timestamp last_heard(PageTables& tables) {
    constexpr std::int64_t most = Timestamp::max_ticks / Timestamp::ticks_per_second - 1;
    std::int64_t last = 0;
    for (PageQuery row = sync_rows(tables, Direction::incoming); row.step();) {
        last = std::max(last, row.integer(2));
    }
    return {std::min(last, most) * Timestamp::ticks_per_second, 0};
}

/// Whether the point of a replica other than `kept` was last written before `time` (stored form).
[[nodiscard]] inline bool has_older(PageTables& tables, Direction direction, std::string_view time,
                                    std::string_view kept) {
    for (PageQuery row = sync_rows(tables, direction); row.step();) {
        if (!row.is_null(2) && row.text(2) < time && (row.is_null(0) || row.text(0) != kept)) {
            return true;
        }
    }
    return false;
}

/// Whether there may be a tombstone: by the highest entry of the index over `deleted` and names.
template <Schema S>
[[nodiscard]] bool has_tombstones(PageTables& tables) {
    const PageValue highest = tables.highest(index_of<S>());
    const auto* const deleted = std::get_if<std::int64_t>(&highest);
    return !std::holds_alternative<std::monostate>(highest) && (deleted == nullptr || *deleted > 0);
}

/// Whether reclaim() would find nothing at all: no tombstone, no metadata key deleted before `age`,
/// no point from before `before` (stored form), and no shard ranges.
template <Schema S>
[[nodiscard]] bool has_nothing_to_reclaim(PageTables& tables,
                                          const typename S::info_type& confirmed, Timestamp age,
                                          std::string_view before) {
    if constexpr (requires { confirmed.shard_max_row; }) {
        if (confirmed.shard_max_row >= 0) {
            return false;
        }
    }
    return !has_tombstones<S>(tables) && !has_older(tables, Direction::incoming, before, {}) &&
           !has_older(tables, Direction::outgoing, before, notes::agreed()) &&
           !Metadata::parse_stored(S::read_info(tables).metadata)
                .reclaim(age, Metadata::parse_stored(confirmed.metadata));
}

} // namespace replica::sqlite::glance

namespace replica::sqlite {

/// Whether anything but tombstones is to be reclaimed, asked of a connection.
template <Schema S>
[[nodiscard]] bool has_old(Connection& connection, const typename S::info_type& confirmed,
                           Timestamp age, std::string_view before) {
    const Transaction snapshot(connection, Transaction::Kind::read);
    return Metadata::parse_stored(S::read_info(connection).metadata)
               .reclaim(age, Metadata::parse_stored(confirmed.metadata)) ||
           SyncTable(connection, Direction::incoming).has_older(before) ||
           SyncTable(connection, Direction::outgoing).has_older(before, notes::agreed()) ||
           S::has_old_shard_ranges(connection, confirmed, before);
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_GLANCE_HPP
