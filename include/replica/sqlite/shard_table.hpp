#ifndef REPLICA_SQLITE_SHARD_TABLE_HPP
#define REPLICA_SQLITE_SHARD_TABLE_HPP

// The table of shard ranges inside a container. Files of Swift before 2.18 do not have it, those
// before 2.28 lack columns. What is missing is read as its default, and added at the first write.

#include <replica/container/shards.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/shard_state.hpp>
#include <replica/sqlite/statement.hpp>
#include <replica/words/info.hpp>

#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace replica::sqlite {

/// Borrows the connection for one call.
class ShardTable {
public:
    /// `create` is the SQL that makes the table.
    ShardTable(Connection& connection, std::string_view create)
        : connection_(connection), create_(create) {}

    /// All shard ranges by name, with deleted ones and the container's own.
    [[nodiscard]] std::map<std::string, ShardRange> read() {
        std::map<std::string, ShardRange> ranges;
        if (!has_shard_ranges(connection_)) {
            return ranges;
        }
        std::string sql = "SELECT name, timestamp, lower, upper, object_count, bytes_used,"
                          " meta_timestamp, deleted, state, state_timestamp, epoch, ";
        sql += has_column(connection_, "shard_range", "reported") ? "reported, " : "0, ";
        sql += has_column(connection_, "shard_range", "tombstones") ? "tombstones" : "-1";
        Query found = connection_.query(sql += " FROM shard_range");
        while (found.step()) {
            ShardRange range;
            range.name = found.text(0);
            range.timestamp = found.text_or(1, "0");
            range.lower = found.text(2);
            range.upper = found.text(3);
            range.object_count = found.integer(4);
            range.bytes_used = found.integer(5);
            range.meta_timestamp = found.text_or(6, "0");
            range.deleted = found.integer(7);
            range.state = found.integer(8);
            range.state_timestamp = found.text_or(9, "0");
            if (!found.is_null(10)) {
                range.epoch = found.text(10);
            }
            range.reported = found.integer(11);
            range.tombstones = found.integer(12);
            ranges.insert_or_assign(range.name, std::move(range));
        }
        return ranges;
    }

    /// Replaces ranges by name, inside a write transaction. Each gets a new ROWID, as from Swift's
    /// DELETE and INSERT.
    void write(const std::map<std::string, ShardRange>& ranges) {
        if (!has_shard_ranges(connection_)) {
            connection_.execute(std::string(create_).c_str());
        }
        add_column(connection_, "shard_range", "reported", "INTEGER DEFAULT 0");
        add_column(connection_, "shard_range", "tombstones", "INTEGER DEFAULT -1");
        for (const auto& [name, range] : ranges) {
            connection_.query("DELETE FROM shard_range WHERE name = ?").bind(name).run();
            connection_
                .query("INSERT INTO shard_range (name, timestamp, lower, upper, object_count,"
                       " bytes_used, meta_timestamp, deleted, state, state_timestamp, epoch,"
                       " reported, tombstones) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(name, range.timestamp, range.lower, range.upper, range.object_count,
                      range.bytes_used, range.meta_timestamp, range.deleted, range.state,
                      range.state_timestamp, range.epoch, range.reported, range.tombstones)
                .run();
        }
    }

private:
    Connection& connection_;
    std::string_view create_;
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_SHARD_TABLE_HPP
