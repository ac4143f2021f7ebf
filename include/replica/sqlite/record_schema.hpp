#ifndef REPLICA_SQLITE_RECORD_SCHEMA_HPP
#define REPLICA_SQLITE_RECORD_SCHEMA_HPP

// A database of records. The members are explained in schema.hpp. All structs have the same tables,
// so a file of a newer program opens in an older one. In the text of a record SQLite finds a member
// by its name: SELECT name, record ->> 'stars' FROM record WHERE deleted = 0.

#include <replica/error.hpp>
#include <replica/kind.hpp>
#include <replica/record/row.hpp>
#include <replica/sqlite/schema.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace replica::sqlite {

/// What does not depend on the kind.
struct RecordTables {
    using info_type = RecordInfo;
    using row_type = RecordRow;
    using state_type = RecordState;

    static constexpr std::string_view rows = "record";
    static constexpr std::string_view stat = "record_stat";
    static constexpr std::array<const char*, 4> columns{"name", "changed_at", "record", "deleted"};
    static constexpr std::string_view policies = "record_stat"; ///< The only one has no table.
    static constexpr const char* policy_count = "record_count";

    static constexpr std::string_view script = R"sql(
CREATE TABLE record (
    ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, changed_at TEXT, record TEXT,
    deleted INTEGER DEFAULT 0);
CREATE INDEX ix_record_deleted_name ON record (deleted, name);
CREATE TRIGGER record_update BEFORE UPDATE ON record BEGIN
    SELECT raise(FAIL, 'rows of record are not updated but replaced'); END;
CREATE TABLE record_stat (
    account TEXT, created_at TEXT, put_timestamp TEXT DEFAULT '0',
    delete_timestamp TEXT DEFAULT '0', record_count INTEGER DEFAULT 0,
    bytes_used INTEGER DEFAULT 0, hash TEXT DEFAULT '00000000000000000000000000000000', id TEXT,
    status TEXT DEFAULT '', status_changed_at TEXT DEFAULT '0', metadata TEXT DEFAULT '');
)sql";

    static constexpr std::string_view select_info =
        "SELECT account, created_at, put_timestamp, delete_timestamp, status_changed_at,"
        " record_count, bytes_used, hash, id, metadata"
        " FROM record_stat";
    static constexpr std::string_view select_hash = "SELECT hash FROM record_stat";
    static constexpr std::string_view select_since =
        "SELECT ROWID, name, changed_at, record, deleted, changed_at || '-' || deleted || '-'"
        " || record FROM record WHERE ROWID > ? ORDER BY ROWID LIMIT ?";
    static constexpr int record_column = 3;
    static constexpr int deleted_column = 4;
    static constexpr int hashed_column = 5;
    static constexpr std::string_view select_key =
        "SELECT ROWID, name, changed_at, record, deleted FROM record"
        " WHERE deleted IN (0, 1) AND name = ?";
    static constexpr std::string_view select_rowid =
        "SELECT ROWID, name, changed_at, record, deleted, changed_at || '-' || deleted || '-'"
        " || record FROM record WHERE ROWID = ?";
    static constexpr std::string_view select_tombstones =
        "SELECT ROWID, name, changed_at FROM record WHERE deleted = 1 AND"
        " (name, ROWID) > (?, ?) AND ROWID <= ? ORDER BY name, ROWID LIMIT ?";
    static constexpr std::string_view select_live = // no policies: the bound one is ignored
        "SELECT ROWID, name, changed_at, record, deleted FROM record"
        " WHERE deleted = 0 AND ? IS NOT NULL";
    static constexpr std::string_view select_policies =
        "SELECT 0, record_count, bytes_used FROM record_stat";
    static constexpr std::string_view select_sums =
        "SELECT 0, record_count, 0, bytes_used FROM record_stat";
    static constexpr std::string_view put_sums =
        "UPDATE record_stat SET record_count = ?2, bytes_used = ?4 WHERE ?1 = 0 AND ?3 = 0";
    static constexpr std::string_view select_row_count = "SELECT count(*) FROM record";
    static constexpr std::string_view insert =
        "INSERT INTO record (name, changed_at, record, deleted) VALUES (?, ?, ?, ?)";
    static constexpr std::string_view remove = "DELETE FROM record WHERE ROWID = ?";

    static constexpr std::array<std::string_view, 0> kept_metadata{};
    static constexpr std::array<FormerTrigger, 0> former_triggers{};

    /// There is no older form.
    static void convert(Connection& /*connection*/, std::size_t /*dropped*/) {}

    static void begin(Connection& connection, const NewDatabase& made) {
        connection
            .query("INSERT INTO record_stat (account, created_at, id, put_timestamp,"
                   " status_changed_at) VALUES (?, ?, ?, ?, ?)")
            .bind(made.account, made.created_at, made.id, made.put_timestamp, made.put_timestamp)
            .run();
    }

    template <Tables T>
    [[nodiscard]] static RecordInfo read_info(T& tables) {
        auto found = tables.query(select_info);
        if (!found.step()) {
            throw Failure(Error::missing_table, tables.path() + ": record_stat has no row");
        }
        RecordInfo info(found.text(0));
        info.created_at = found.text_or(1, "0");
        info.put_timestamp = found.text_or(2, "0");
        info.delete_timestamp = found.text_or(3, "0");
        info.status_changed_at = found.text_or(4, "0");
        info.count = found.integer(5);
        info.bytes_used = found.integer(6);
        info.hash = found.text(7);
        info.id = found.text(8);
        info.metadata = found.text(9);
        info.max_row = last_given(tables, rows);
        return info;
    }

    [[nodiscard]] static RecordRow read(const Query& found) {
        return {found.integer(0), found.text(1), found.text_or(2, "0"), found.text(3),
                found.integer(4)};
    }

    [[nodiscard]] static std::int64_t read_rowid(const Query& found) { return found.integer(0); }
    [[nodiscard]] static std::string read_hashed(const Query& found) {
        return found.text_or(hashed_column, "None");
    }

    /// All that a record is, so that no difference between two replicas is hidden.
    [[nodiscard]] static std::string hashed(const RecordRow& row) {
        return row.changed_at + '-' + std::to_string(row.deleted) + '-' + row.record;
    }

    static void bind_key(Query& query, const RecordState& state) { query.bind(state.name); }

    static void bind_row(Query& query, const RecordRow& row) {
        query.add(row.name, row.changed_at, row.record, row.deleted);
    }

    static void count(Totals::Counts& counts, const RecordRow& row, int sign) {
        const auto times = static_cast<std::uint64_t>(sign);
        counts.rows += times * (1 - static_cast<std::uint64_t>(row.deleted));
        counts.bytes += times * std::uint64_t{row.record.size()};
    }

    static void write_totals(Connection& connection, const Totals& totals) {
        const Totals::Counts all = totals.counts.begin()->second;
        connection
            .query("UPDATE record_stat SET hash = ?, record_count = record_count + ?,"
                   " bytes_used = bytes_used + ?")
            .bind(totals.hash.text(), all.rows, all.bytes)
            .run();
    }

    /// As for an account: marked, or without records and deleted later than put.
    [[nodiscard]] static bool is_deleted(Connection& connection, const RecordInfo& info) {
        return connection.text("SELECT status FROM record_stat") == "DELETED" ||
               (info.count == 0 &&
                timestamp_or_zero(info.delete_timestamp) > timestamp_or_zero(info.put_timestamp));
    }

    static void forget_reported(Connection& /*connection*/) {}
    [[nodiscard]] static bool has_old_shard_ranges(Connection& /*connection*/,
                                                   const RecordInfo& /*info*/,
                                                   std::string_view /*before*/) {
        return false;
    }
    static void reclaim_shard_ranges(Connection& /*connection*/, const RecordInfo& /*info*/,
                                     std::string_view /*before*/) {}
};

/// Models Schema.
template <Kind K>
struct RecordSchema : RecordTables {
    using kind_type = K;
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_RECORD_SCHEMA_HPP
