#ifndef REPLICA_SQLITE_CONTAINER_SCHEMA_HPP
#define REPLICA_SQLITE_CONTAINER_SCHEMA_HPP

// A container database: its rows are objects. Tables, columns and the effect of the triggers are
// those of Swift 2.30, so that stock servers on the same disk can use the same files
// (test/swift_schema compares them). The members are explained in schema.hpp.

#include <replica/container/kind.hpp>
#include <replica/container/policies.hpp>
#include <replica/sqlite/schema.hpp>
#include <replica/sqlite/shard_state.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace replica::sqlite {

struct ContainerSchema {
    using kind_type = ContainerKind;
    using info_type = ContainerInfo;
    using row_type = ObjectRow;
    using state_type = ObjectState;

    static constexpr std::string_view rows = "object";
    static constexpr std::string_view stat = "container_info";
    static constexpr std::array<const char*, 7> columns{
        "name", "created_at", "size", "content_type", "etag", "deleted", "storage_policy_index"};
    static constexpr std::string_view policies = "policy_stat";
    static constexpr const char* policy_count = "object_count";

    static constexpr std::string_view script = R"sql(
CREATE TABLE object (
    ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, created_at TEXT, size INTEGER,
    content_type TEXT, etag TEXT, deleted INTEGER DEFAULT 0,
    storage_policy_index INTEGER DEFAULT 0);
CREATE INDEX ix_object_deleted_name ON object (deleted, name);
CREATE TRIGGER object_update BEFORE UPDATE ON object BEGIN
    SELECT raise(FAIL, 'rows of object are not updated but replaced'); END;
CREATE TABLE policy_stat (
    storage_policy_index INTEGER PRIMARY KEY, object_count INTEGER DEFAULT 0,
    bytes_used INTEGER DEFAULT 0);
CREATE TRIGGER object_insert_policy_stat AFTER INSERT ON object BEGIN
    INSERT OR IGNORE INTO policy_stat (storage_policy_index) VALUES (new.storage_policy_index);
    UPDATE policy_stat SET bytes_used = bytes_used + new.size,
            object_count = object_count + (1 - new.deleted)
        WHERE storage_policy_index = new.storage_policy_index;
    UPDATE container_info SET hash = chexor(hash, new.name, new.created_at); END;
CREATE TRIGGER object_delete_policy_stat AFTER DELETE ON object BEGIN
    UPDATE policy_stat SET bytes_used = bytes_used - old.size,
            object_count = object_count - (1 - old.deleted)
        WHERE storage_policy_index = old.storage_policy_index;
    UPDATE container_info SET hash = chexor(hash, old.name, old.created_at); END;
CREATE TABLE container_info (
    account TEXT, container TEXT, created_at TEXT, put_timestamp TEXT DEFAULT '0',
    delete_timestamp TEXT DEFAULT '0', reported_put_timestamp TEXT DEFAULT '0',
    reported_delete_timestamp TEXT DEFAULT '0', reported_object_count INTEGER DEFAULT 0,
    reported_bytes_used INTEGER DEFAULT 0, hash TEXT DEFAULT '00000000000000000000000000000000',
    id TEXT, status TEXT DEFAULT '', status_changed_at TEXT DEFAULT '0', metadata TEXT DEFAULT '',
    x_container_sync_point1 INTEGER DEFAULT -1, x_container_sync_point2 INTEGER DEFAULT -1,
    storage_policy_index INTEGER DEFAULT 0, reconciler_sync_point INTEGER DEFAULT -1);
CREATE VIEW container_stat AS SELECT i.account, i.container, i.created_at, i.put_timestamp,
        i.delete_timestamp, i.reported_put_timestamp, i.reported_delete_timestamp,
        i.reported_object_count, i.reported_bytes_used, i.hash, i.id, i.status,
        i.status_changed_at, i.metadata, i.x_container_sync_point1, i.x_container_sync_point2,
        i.reconciler_sync_point, i.storage_policy_index,
        coalesce(p.object_count, 0) AS object_count, coalesce(p.bytes_used, 0) AS bytes_used
    FROM container_info AS i LEFT JOIN policy_stat AS p
        ON p.storage_policy_index = i.storage_policy_index;
CREATE TRIGGER container_stat_update INSTEAD OF UPDATE ON container_stat BEGIN
    UPDATE container_info SET account = new.account, container = new.container,
        created_at = new.created_at, put_timestamp = new.put_timestamp,
        delete_timestamp = new.delete_timestamp,
        reported_put_timestamp = new.reported_put_timestamp,
        reported_delete_timestamp = new.reported_delete_timestamp,
        reported_object_count = new.reported_object_count,
        reported_bytes_used = new.reported_bytes_used, hash = new.hash, id = new.id,
        status = new.status, status_changed_at = new.status_changed_at,
        metadata = new.metadata, x_container_sync_point1 = new.x_container_sync_point1,
        x_container_sync_point2 = new.x_container_sync_point2,
        storage_policy_index = new.storage_policy_index,
        reconciler_sync_point = new.reconciler_sync_point; END;
CREATE TABLE shard_range (
    ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, timestamp TEXT, lower TEXT, upper TEXT,
    object_count INTEGER DEFAULT 0, bytes_used INTEGER DEFAULT 0, meta_timestamp TEXT,
    deleted INTEGER DEFAULT 0, state INTEGER, state_timestamp TEXT, epoch TEXT,
    reported INTEGER DEFAULT 0, tombstones INTEGER DEFAULT -1);
CREATE TRIGGER shard_range_update BEFORE UPDATE ON shard_range BEGIN
    SELECT raise(FAIL, 'rows of shard_range are not updated but replaced'); END;
)sql";

    /// The end of the script: files of Swift before 2.18 lack this table.
    static constexpr std::string_view create_shard_range =
        script.substr(script.find("CREATE TABLE shard_range"));

    static constexpr std::string_view select_info =
        "SELECT account, container, created_at, put_timestamp, delete_timestamp, status,"
        " status_changed_at, reported_put_timestamp, reported_delete_timestamp,"
        " reported_object_count, reported_bytes_used, hash, id, x_container_sync_point1,"
        " x_container_sync_point2, storage_policy_index, metadata, reconciler_sync_point"
        " FROM container_info";
    static constexpr std::string_view select_hash = "SELECT hash FROM container_info";
    static constexpr std::string_view select_since =
        "SELECT ROWID, name, created_at, size, content_type, etag, deleted, storage_policy_index"
        " FROM object WHERE ROWID > ? ORDER BY ROWID LIMIT ?";
    static constexpr std::string_view select_misplaced =
        "SELECT ROWID, name, created_at, size, content_type, etag, deleted, storage_policy_index"
        " FROM object WHERE ROWID > ? AND ROWID <= ? AND storage_policy_index <>"
        " (SELECT storage_policy_index FROM container_info) ORDER BY ROWID LIMIT ?";
    static constexpr int hashed_column = 2;
    static constexpr int deleted_column = 6;
    static constexpr int policy_column = 7;
    static constexpr int bytes_column = 3;
    static constexpr std::string_view select_key =
        "SELECT ROWID, name, created_at, size, content_type, etag, deleted, storage_policy_index"
        " FROM object WHERE deleted IN (0, 1) AND name = ? AND storage_policy_index = ?";
    static constexpr std::string_view select_rowid =
        "SELECT ROWID, name, created_at, size, content_type, etag, deleted, storage_policy_index"
        " FROM object WHERE ROWID = ?";
    static constexpr std::string_view select_tombstones =
        "SELECT ROWID, name, created_at FROM object WHERE deleted = 1 AND (name, ROWID) > (?, ?)"
        " AND ROWID <= ? ORDER BY name, ROWID LIMIT ?";
    static constexpr std::string_view select_live =
        "SELECT ROWID, name, created_at, size, content_type, etag, deleted, storage_policy_index"
        " FROM object WHERE deleted = 0 AND storage_policy_index = ?";
    static constexpr std::string_view select_policies =
        "SELECT storage_policy_index, object_count, bytes_used FROM policy_stat";
    static constexpr std::string_view select_sums =
        "SELECT storage_policy_index, object_count, 0, bytes_used FROM policy_stat";
    static constexpr std::string_view put_sums =
        "INSERT OR REPLACE INTO policy_stat (storage_policy_index, object_count, bytes_used)"
        " VALUES (?1, ?2, ?4)";
    static constexpr std::string_view select_row_count = "SELECT count(*) FROM object";
    static constexpr std::string_view insert =
        "INSERT INTO object (name, created_at, size, content_type, etag, deleted,"
        " storage_policy_index) VALUES (?, ?, ?, ?, ?, ?, ?)";
    static constexpr std::string_view remove = "DELETE FROM object WHERE ROWID = ?";

    static constexpr std::array<FormerTrigger, 2> former_triggers{
        {{"object_insert", "fecab47921d7ea178c7afbea8a390482"},
         {"object_delete", "5baa33454e7611552fec0638d031c937"}}};

    /// Before 2.0 container_stat was a table; its counts become those of policy 0. All reported
    /// values are kept: Swift 2.30 loses the reported delete time here.
    static void convert(Connection& connection, std::size_t dropped) {
        if (!has_table(connection, "container_stat")) {
            return;
        }
        if (dropped != former_triggers.size()) {
            throw Failure(Error::unknown_schema,
                          connection.path() + ": has not Swift's triggers object_insert and"
                                              " object_delete beside a table container_stat");
        }
        add_column(connection, "container_stat", "metadata", "TEXT DEFAULT ''");
        add_column(connection, "container_stat", "x_container_sync_point1", "INTEGER DEFAULT -1");
        add_column(connection, "container_stat", "x_container_sync_point2", "INTEGER DEFAULT -1");
        if (connection.integer("SELECT count(*) FROM pragma_table_xinfo('container_stat')") != 18 ||
            connection.integer("SELECT count(*) FROM container_stat") > 1) {
            throw Failure(
                Error::unknown_schema,
                connection.path() +
                    ": has a container_stat without Swift's columns, or with several rows");
        }
        constexpr std::size_t first = script.find("CREATE TABLE policy_stat");
        constexpr std::size_t end = script.find("CREATE TABLE shard_range");
        connection.execute("ALTER TABLE container_stat RENAME TO former_stat");
        connection.execute("ALTER TABLE object ADD COLUMN storage_policy_index INTEGER DEFAULT 0");
        connection.execute(std::string(script.substr(first, end - first)).c_str());
        connection.execute(R"sql(
INSERT INTO policy_stat SELECT 0, object_count, bytes_used FROM former_stat;
INSERT INTO container_info SELECT account, container, created_at, put_timestamp, delete_timestamp,
    reported_put_timestamp, reported_delete_timestamp, reported_object_count, reported_bytes_used,
    hash, id, status, status_changed_at, metadata, x_container_sync_point1,
    x_container_sync_point2, 0, -1 FROM former_stat;
DROP TABLE former_stat;
)sql");
    }

    // Swift keeps the path of a shard's root even in a deleted container.
    static constexpr std::array<std::string_view, 2> kept_metadata{
        "x-container-sysmeta-shard-quoted-root", "x-container-sysmeta-shard-root"};

    static void begin(Connection& connection, const NewDatabase& made) {
        connection.query("INSERT INTO policy_stat (storage_policy_index) VALUES (?)")
            .bind(made.storage_policy_index)
            .run();
        connection
            .query("INSERT INTO container_info (account, container, created_at, id, put_timestamp,"
                   " status_changed_at, storage_policy_index) VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(made.account, made.container, made.created_at, made.id, made.put_timestamp,
                  made.put_timestamp, made.storage_policy_index)
            .run();
    }

    /// Small statements instead of a join: the join takes twice as long to compile, a sixth
    /// of the cost of checking a database that is in sync. The first statement stays on its only
    /// row while the others run, so all read one snapshot.
    template <Tables T>
    [[nodiscard]] static ContainerInfo read_info(T& tables) {
        auto found = tables.query(select_info);
        if (!found.step()) {
            throw Failure(Error::missing_table, tables.path() + ": container_info has no row");
        }
        ContainerInfo info;
        info.account = found.text(0);
        info.container = found.text(1);
        info.created_at = found.text_or(2, "0");
        info.put_timestamp = found.text_or(3, "0");
        info.delete_timestamp = found.text_or(4, "0");
        info.status = found.text(5);
        info.status_changed_at = found.text_or(6, "0");
        info.reported_put_timestamp = found.text_or(7, "0");
        info.reported_delete_timestamp = found.text_or(8, "0");
        info.reported_object_count = found.integer(9);
        info.reported_bytes_used = found.integer(10);
        info.hash = found.text(11);
        info.id = found.text(12);
        info.x_container_sync_point1 = found.integer(13);
        info.x_container_sync_point2 = found.integer(14);
        info.storage_policy_index = found.integer(15);
        info.metadata = found.text(16);
        info.reconciler_sync_point = found.is_null(17) ? -1 : found.integer(17);
        read_sums(tables, info);
        each_last_given(tables, [&](const std::string& table, std::int64_t rowid) {
            info.max_row = table == rows ? rowid : info.max_row;
            info.shard_max_row = table == "shard_range" ? rowid : info.shard_max_row;
        });
        return info;
    }

    /// With the state of sharding, which shows in the files of the directory.
    template <Disk D>
    [[nodiscard]] static ContainerInfo read_info(Connection& connection, D& disk) {
        ContainerInfo info = read_info(connection);
        add_shard_state(connection.path(), disk, info, [&]() -> Connection& { return connection; });
        return info;
    }

    [[nodiscard]] static ObjectRow read(const Query& found) {
        return {found.integer(0), found.text(1), found.text_or(2, "0"), found.integer(3),
                found.text(4),    found.text(5), found.integer(6),      found.integer(7)};
    }

    [[nodiscard]] static std::int64_t read_rowid(const Query& found) { return found.integer(0); }
    [[nodiscard]] static std::string read_hashed(const Query& found) {
        return found.text_or(2, "None");
    }
    [[nodiscard]] static std::string hashed(const ObjectRow& row) { return row.created_at; }

    static void bind_key(Query& query, const ObjectState& state) {
        query.bind(state.name, state.storage_policy_index);
    }

    static void bind_row(Query& query, const ObjectRow& row) {
        query.add(row.name, row.created_at, row.size, row.content_type, row.etag, row.deleted,
                  row.storage_policy_index);
    }

    static void count(Totals::Counts& counts, const ObjectRow& row, int sign) {
        const auto times = static_cast<std::uint64_t>(sign);
        counts.rows += times * (1 - static_cast<std::uint64_t>(row.deleted));
        counts.bytes += times * static_cast<std::uint64_t>(row.size);
    }

    static void write_totals(Connection& connection, const Totals& totals) {
        connection.query("UPDATE container_info SET hash = ?").bind(totals.hash.text()).run();
        for (const auto& [policy, counts] : totals.counts) {
            connection.query("INSERT OR IGNORE INTO policy_stat (storage_policy_index) VALUES (?)")
                .bind(policy)
                .run();
            connection
                .query("UPDATE policy_stat SET object_count = object_count + ?,"
                       " bytes_used = bytes_used + ? WHERE storage_policy_index = ?")
                .bind(counts.rows, counts.bytes, policy)
                .run();
        }
    }

    [[nodiscard]] static bool is_deleted(Connection& /*connection*/, const ContainerInfo& info) {
        return policies::is_deleted(info);
    }

    /// A copied file has the reported values of its former owner (Swift: newid).
    static void forget_reported(Connection& connection) {
        connection.execute("UPDATE container_info SET reported_put_timestamp = '0',"
                           " reported_delete_timestamp = '0', reported_object_count = 0,"
                           " reported_bytes_used = 0");
    }

    /// Old deleted shard ranges, except the container's own and those that came after the snapshot
    /// `confirmed`. Files of Swift before 2.18 have no such table.
    [[nodiscard]] static bool has_old_shard_ranges(Connection& connection,
                                                   const ContainerInfo& confirmed,
                                                   std::string_view before) {
        if (confirmed.shard_max_row < 0) {
            return false;
        }
        Query old = connection.query(
            "SELECT EXISTS (SELECT 1 FROM shard_range WHERE deleted = 1 AND timestamp < ? AND"
            " ROWID <= ? AND name <> (SELECT account || '/' || container FROM container_info))");
        return old.bind(before, confirmed.shard_max_row).step() && old.integer(0) != 0;
    }

    static void reclaim_shard_ranges(Connection& connection, const ContainerInfo& confirmed,
                                     std::string_view before) {
        if (has_old_shard_ranges(connection, confirmed, before)) {
            connection
                .query("DELETE FROM shard_range WHERE deleted = 1 AND timestamp < ? AND ROWID <= ?"
                       " AND name <> (SELECT account || '/' || container FROM container_info)")
                .bind(before, confirmed.shard_max_row)
                .run();
        }
    }

private:
    /// The sums of the container's own policy, and the live rows of all policies.
    template <Tables T>
    static void read_sums(T& tables, ContainerInfo& info) {
        std::int64_t policies = 0;
        auto found = tables.query(select_policies);
        for (; found.step(); ++policies) {
            if (__builtin_add_overflow(info.live_rows, found.integer(1), &info.live_rows)) {
                info.live_rows = std::numeric_limits<std::int64_t>::max(); // never expired
            }
            if (found.integer(0) == info.storage_policy_index) {
                info.count = found.integer(1);
                info.bytes_used = found.integer(2);
            }
        }
        info.several_policies = policies > 1;
    }
};

static_assert(Schema<ContainerSchema>);

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_CONTAINER_SCHEMA_HPP
