#ifndef REPLICA_SQLITE_ACCOUNT_SCHEMA_HPP
#define REPLICA_SQLITE_ACCOUNT_SCHEMA_HPP

// An account database: its rows are containers. The members are explained in schema.hpp.

#include <replica/account/kind.hpp>
#include <replica/sqlite/schema.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace replica::sqlite {

struct AccountSchema {
    using kind_type = AccountKind;
    using info_type = AccountInfo;
    using row_type = ContainerRow;
    using state_type = ContainerState;

    static constexpr std::string_view rows = "container";
    static constexpr std::string_view stat = "account_stat";
    static constexpr std::array<const char*, 7> columns{
        "name",       "put_timestamp", "delete_timestamp",    "object_count",
        "bytes_used", "deleted",       "storage_policy_index"};
    static constexpr std::string_view policies = "policy_stat";
    static constexpr const char* policy_count = "container_count";

    static constexpr std::string_view script = R"sql(
CREATE TABLE container (
    ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, put_timestamp TEXT, delete_timestamp TEXT,
    object_count INTEGER, bytes_used INTEGER, deleted INTEGER DEFAULT 0,
    storage_policy_index INTEGER DEFAULT 0);
CREATE INDEX ix_container_deleted_name ON container (deleted, name);
CREATE TRIGGER container_update BEFORE UPDATE ON container BEGIN
    SELECT raise(FAIL, 'rows of container are not updated but replaced'); END;
CREATE TRIGGER container_insert AFTER INSERT ON container BEGIN
    UPDATE account_stat SET bytes_used = bytes_used + new.bytes_used,
        object_count = object_count + new.object_count,
        container_count = container_count + (1 - new.deleted),
        hash = chexor(hash, new.name, new.put_timestamp || '-' || new.delete_timestamp || '-'
            || new.object_count || '-' || new.bytes_used); END;
CREATE TRIGGER container_delete AFTER DELETE ON container BEGIN
    UPDATE account_stat SET bytes_used = bytes_used - old.bytes_used,
        object_count = object_count - old.object_count,
        container_count = container_count - (1 - old.deleted),
        hash = chexor(hash, old.name, old.put_timestamp || '-' || old.delete_timestamp || '-'
            || old.object_count || '-' || old.bytes_used); END;
CREATE TABLE policy_stat (
    storage_policy_index INTEGER PRIMARY KEY, container_count INTEGER DEFAULT 0,
    object_count INTEGER DEFAULT 0, bytes_used INTEGER DEFAULT 0);
CREATE TRIGGER container_insert_ps AFTER INSERT ON container BEGIN
    INSERT OR IGNORE INTO policy_stat (storage_policy_index) VALUES (new.storage_policy_index);
    UPDATE policy_stat SET bytes_used = bytes_used + new.bytes_used,
            object_count = object_count + new.object_count,
            container_count = container_count + (1 - new.deleted)
        WHERE storage_policy_index = new.storage_policy_index; END;
CREATE TRIGGER container_delete_ps AFTER DELETE ON container BEGIN
    UPDATE policy_stat SET bytes_used = bytes_used - old.bytes_used,
            object_count = object_count - old.object_count,
            container_count = container_count - (1 - old.deleted)
        WHERE storage_policy_index = old.storage_policy_index; END;
CREATE TABLE account_stat (
    account TEXT, created_at TEXT, put_timestamp TEXT DEFAULT '0',
    delete_timestamp TEXT DEFAULT '0', container_count INTEGER, object_count INTEGER DEFAULT 0,
    bytes_used INTEGER DEFAULT 0, hash TEXT DEFAULT '00000000000000000000000000000000', id TEXT,
    status TEXT DEFAULT '', status_changed_at TEXT DEFAULT '0', metadata TEXT DEFAULT '');
)sql";

    static constexpr std::string_view select_info =
        "SELECT account, created_at, put_timestamp, delete_timestamp, status_changed_at,"
        " container_count, object_count, bytes_used, hash, id, metadata"
        " FROM account_stat";
    static constexpr std::string_view select_hash = "SELECT hash FROM account_stat";
    static constexpr std::string_view select_since =
        "SELECT ROWID, name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted,"
        " storage_policy_index, put_timestamp || '-' || delete_timestamp || '-' || object_count"
        " || '-' || bytes_used FROM container WHERE ROWID > ? ORDER BY ROWID LIMIT ?";
    static constexpr int hashed_column = 8;
    static constexpr int deleted_column = 6;
    static constexpr int policy_column = 7;
    static constexpr int objects_column = 4;
    static constexpr int bytes_column = 5;
    static constexpr std::string_view select_key =
        "SELECT ROWID, name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted,"
        " storage_policy_index FROM container WHERE deleted IN (0, 1) AND name = ?";
    static constexpr std::string_view select_rowid =
        "SELECT ROWID, name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted,"
        " storage_policy_index, put_timestamp || '-' || delete_timestamp || '-' || object_count"
        " || '-' || bytes_used FROM container WHERE ROWID = ?";
    static constexpr std::string_view select_tombstones =
        "SELECT ROWID, name, delete_timestamp FROM container WHERE deleted = 1 AND"
        " (name, ROWID) > (?, ?) AND ROWID <= ? ORDER BY name, ROWID LIMIT ?";
    static constexpr std::string_view select_live = // all policies: the bound one is ignored
        "SELECT ROWID, name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted,"
        " storage_policy_index FROM container WHERE deleted = 0 AND ? IS NOT NULL";
    static constexpr std::string_view select_policies =
        "SELECT storage_policy_index, container_count, bytes_used FROM policy_stat";
    static constexpr std::string_view select_sums =
        "SELECT storage_policy_index, container_count, object_count, bytes_used FROM policy_stat";
    static constexpr std::string_view put_sums =
        "INSERT OR REPLACE INTO policy_stat (storage_policy_index, container_count, object_count,"
        " bytes_used) VALUES (?, ?, ?, ?)";
    static constexpr std::string_view select_total =
        "SELECT container_count, object_count, bytes_used FROM account_stat";
    static constexpr std::string_view put_total =
        "UPDATE account_stat SET container_count = ?, object_count = ?, bytes_used = ?";
    static constexpr std::string_view select_row_count = "SELECT count(*) FROM container";
    static constexpr std::string_view insert =
        "INSERT INTO container (name, put_timestamp, delete_timestamp, object_count, bytes_used,"
        " deleted, storage_policy_index) VALUES (?, ?, ?, ?, ?, ?, ?)";
    static constexpr std::string_view remove = "DELETE FROM container WHERE ROWID = ?";

    static constexpr std::array<std::string_view, 0> kept_metadata{};

    static constexpr std::array<FormerTrigger, 2> former_triggers{
        {{"container_insert_ps", "f15544ca279f7c3311bc47ddcdb006f1"},
         {"container_delete_ps", "417d49bec19b783d4000d5b906ba453f"}}};

    /// Before 2.0 containers had no policy; before 2.3 they were not counted by policy. The total
    /// becomes the count of policy 0, or of the only policy; with several, the rows are counted.
    static void convert(Connection& connection, std::size_t dropped) {
        add_column(connection, "account_stat", "metadata", "TEXT DEFAULT ''");
        const bool without_policies =
            add_column(connection, "container", "storage_policy_index", "INTEGER DEFAULT 0");
        constexpr std::size_t table = script.find("CREATE TABLE policy_stat");
        constexpr std::size_t triggers = script.find("CREATE TRIGGER container_insert_ps");
        constexpr std::size_t end = script.find("CREATE TABLE account_stat");
        if (!has_table(connection, "policy_stat")) {
            connection.execute(std::string(script.substr(table, triggers - table)).c_str());
            connection.execute("INSERT INTO policy_stat SELECT 0, container_count, object_count,"
                               " bytes_used FROM account_stat WHERE container_count > 0");
        } else if (add_column(connection, "policy_stat", "container_count", "INTEGER DEFAULT 0")) {
            connection.execute(
                "UPDATE policy_stat SET container_count = CASE (SELECT count(*) FROM policy_stat)"
                " WHEN 1 THEN (SELECT container_count FROM account_stat) ELSE (SELECT count(*)"
                " FROM container c WHERE c.deleted = 0 AND"
                " c.storage_policy_index = policy_stat.storage_policy_index) END");
        }
        if (without_policies || dropped == former_triggers.size()) {
            connection.execute(std::string(script.substr(triggers, end - triggers)).c_str());
        }
    }

    static void begin(Connection& connection, const NewDatabase& made) {
        connection
            .query("INSERT INTO account_stat (container_count, account, created_at, id,"
                   " put_timestamp, status_changed_at) VALUES (0, ?, ?, ?, ?, ?)")
            .bind(made.account, made.created_at, made.id, made.put_timestamp, made.put_timestamp)
            .run();
    }

    template <Tables T>
    [[nodiscard]] static AccountInfo read_info(T& tables) {
        auto found = tables.query(select_info);
        if (!found.step()) {
            throw Failure(Error::missing_table, tables.path() + ": account_stat has no row");
        }
        AccountInfo info;
        info.account = found.text(0);
        info.created_at = found.text_or(1, "0");
        info.put_timestamp = found.text_or(2, "0");
        info.delete_timestamp = found.text_or(3, "0");
        info.status_changed_at = found.text_or(4, "0");
        info.count = found.integer(5);
        info.object_count = found.integer(6);
        info.bytes_used = found.integer(7);
        info.hash = found.text(8);
        info.id = found.text(9);
        info.metadata = found.text(10);
        info.max_row = last_given(tables, rows);
        return info;
    }

    [[nodiscard]] static ContainerRow read(const Query& found) {
        return {found.integer(0), found.text(1),    found.text_or(2, "0"), found.text_or(3, "0"),
                found.integer(4), found.integer(5), found.integer(6),      found.integer(7)};
    }

    [[nodiscard]] static std::int64_t read_rowid(const Query& found) { return found.integer(0); }
    [[nodiscard]] static std::string read_hashed(const Query& found) {
        return found.text_or(8, "None");
    }
    [[nodiscard]] static std::string hashed(const ContainerRow& row) {
        return row.put_timestamp + '-' + row.delete_timestamp + '-' +
               std::to_string(row.object_count) + '-' + std::to_string(row.bytes_used);
    }

    static void bind_key(Query& query, const ContainerState& state) { query.bind(state.name); }

    static void bind_row(Query& query, const ContainerRow& row) {
        query.add(row.name, row.put_timestamp, row.delete_timestamp, row.object_count,
                  row.bytes_used, row.deleted, row.storage_policy_index);
    }

    static void count(Totals::Counts& counts, const ContainerRow& row, int sign) {
        const auto times = static_cast<std::uint64_t>(sign);
        counts.rows += times * (1 - static_cast<std::uint64_t>(row.deleted));
        counts.objects += times * static_cast<std::uint64_t>(row.object_count);
        counts.bytes += times * static_cast<std::uint64_t>(row.bytes_used);
    }

    static void write_totals(Connection& connection, const Totals& totals) {
        Totals::Counts all;
        for (const auto& [policy, counts] : totals.counts) {
            all.rows += counts.rows;
            all.objects += counts.objects;
            all.bytes += counts.bytes;
            connection.query("INSERT OR IGNORE INTO policy_stat (storage_policy_index) VALUES (?)")
                .bind(policy)
                .run();
            connection
                .query("UPDATE policy_stat SET container_count = container_count + ?,"
                       " object_count = object_count + ?, bytes_used = bytes_used + ?"
                       " WHERE storage_policy_index = ?")
                .bind(counts.rows, counts.objects, counts.bytes, policy)
                .run();
        }
        connection
            .query("UPDATE account_stat SET hash = ?, container_count = container_count + ?,"
                   " object_count = object_count + ?, bytes_used = bytes_used + ?")
            .bind(totals.hash.text(), all.rows, all.objects, all.bytes)
            .run();
    }

    /// Swift's rule: the status is DELETED, or there are no containers and the deletion is later
    /// than the last put.
    [[nodiscard]] static bool is_deleted(Connection& connection, const AccountInfo& info) {
        return connection.text("SELECT status FROM account_stat") == "DELETED" ||
               (info.count == 0 &&
                timestamp_or_zero(info.delete_timestamp) > timestamp_or_zero(info.put_timestamp));
    }

    static void forget_reported(Connection& /*connection*/) {}
    [[nodiscard]] static bool has_old_shard_ranges(Connection& /*connection*/,
                                                   const AccountInfo& /*info*/,
                                                   std::string_view /*before*/) {
        return false;
    }
    static void reclaim_shard_ranges(Connection& /*connection*/, const AccountInfo& /*info*/,
                                     std::string_view /*before*/) {}
};

static_assert(Schema<AccountSchema>);

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_ACCOUNT_SCHEMA_HPP
