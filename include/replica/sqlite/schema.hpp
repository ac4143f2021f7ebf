#ifndef REPLICA_SQLITE_SCHEMA_HPP
#define REPLICA_SQLITE_SCHEMA_HPP

// What a schema must provide so that merge.hpp, database.hpp and store.hpp can work with its files.
// Swift has two schemas, account and container. Their common part, the two tables of sync points,
// is written here.

#include <replica/disk.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/merge.hpp>
#include <replica/words/info.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace replica::sqlite {

/// The values with which a new database is made.
struct NewDatabase {
    std::string account;
    std::string container;                 ///< Empty for an account.
    std::string id;                        ///< See new_id().
    std::string created_at;                ///< The time of creation.
    std::string put_timestamp;             ///< The time of the client's PUT.
    std::int64_t storage_policy_index = 0; ///< Containers only.

    /// A database with the names, id and times of `info`.
    template <std::derived_from<Info> I>
    [[nodiscard]] static NewDatabase like(const I& info) {
        NewDatabase made{info.account, {}, info.id, info.created_at, info.put_timestamp, 0};
        if constexpr (requires { info.container; }) {
            made.container = info.container;
            made.storage_policy_index = info.storage_policy_index;
        }
        return made;
    }
};

/// A trigger of an old Swift, known by the digest_of its text (known_schema.hpp).
struct FormerTrigger {
    std::string_view name;
    std::string_view digest;
};

/// Whom a schema asks for its info: a connection, or a file that is read page by page
/// (page_tables.hpp). `query` takes SELECT columns FROM table, and gives all rows.
template <class T>
concept Tables = requires(T& tables, std::string_view sql) {
    { tables.path() } -> std::convertible_to<std::string>;
    { tables.query(sql).step() } -> std::same_as<bool>;
    { tables.query(sql).is_null(0) } -> std::same_as<bool>;
    { tables.query(sql).integer(0) } -> std::same_as<std::int64_t>;
    { tables.query(sql).text(0) } -> std::same_as<std::string>;
    { tables.query(sql).text_or(0, sql) } -> std::same_as<std::string>;
};

/// Calls `visit(table, rowid)` with the highest ROWID that each table has ever given, if it ever
/// had a row.
template <Tables T, std::invocable<const std::string&, std::int64_t> Visit>
void each_last_given(T& tables, Visit visit) {
    auto found = tables.query("SELECT name, seq FROM sqlite_sequence");
    while (found.step()) {
        if (!found.is_null(1)) {
            visit(found.text(0), found.integer(1));
        }
    }
}

/// That of one table; -1 if it never had a row.
template <Tables T>
[[nodiscard]] std::int64_t last_given(T& tables, std::string_view table) {
    std::int64_t last = -1;
    each_last_given(tables, [&](const std::string& name, std::int64_t rowid) {
        last = name == table ? rowid : last;
    });
    return last;
}

/// The statements and readers of one kind of database. All members are static.
///
/// - `script` makes tables, index, triggers and views. `begin(connection, new_database)` then
///   inserts the one row of the stat table.
/// - `rows` is the table of rows, `columns` its columns that our statements name. `policy_count` is
///   the column of the table `policies` that counts its live rows.
/// - `stat` is the name of the stat table. `select_*`, `insert` and `remove` are SQL. The select_*
///   give the columns that `read`, `read_rowid` and `read_hashed` expect.
/// - select_key finds rows by name and at most a storage policy. `insert` ends in the values of one
///   row, and `bind_row` adds (Query::add) one row to what is bound already.
/// - select_since begins with ROWID and name. The *_column say where in it the other columns stand
///   that a check needs; `hashed_column` is the text that read_hashed gives. `policy_column` is
///   left out by a kind without storage policies. Bytes are a number in `bytes_column`, or the
///   length of the text in `record_column`.
/// - `select_sums` gives a policy and its live rows, objects and bytes; `put_sums` takes the same.
///   `select_total` and `put_total`, if the schema has them, give and take the sums over all
///   policies.
/// - `read_info` reads everything of an info that is in the file, as one snapshot (defect 9), from
///   any Tables. Throws missing_table if the stat table has no row.
/// - `is_deleted` is Swift's rule for this kind.
/// - `has_old_shard_ranges` and `reclaim_shard_ranges` find and drop old deleted shard ranges.
/// - `former_triggers` are triggers of old Swifts. `convert(connection, dropped)` brings the file
///   of such a Swift to the form of `script`, after `dropped` of these triggers were dropped:
///   migrate.hpp.
template <class S>
concept Schema = std::derived_from<typename S::info_type, Info> &&
                 requires(Connection& connection, const Query& found, Query& query,
                          const typename S::row_type& row, const typename S::info_type& info,
                          const typename S::state_type& state, Totals::Counts& counts,
                          const Totals& totals, const NewDatabase& made) {
                     typename S::kind_type;
                     { S::script } -> std::convertible_to<std::string_view>;
                     { S::stat } -> std::convertible_to<std::string_view>;
                     { S::rows } -> std::convertible_to<std::string_view>;
                     { *S::columns.begin() } -> std::convertible_to<const char*>;
                     { S::policies } -> std::convertible_to<std::string_view>;
                     { S::policy_count } -> std::convertible_to<const char*>;
                     { S::select_hash } -> std::convertible_to<std::string_view>;
                     { S::select_since } -> std::convertible_to<std::string_view>;
                     { S::hashed_column } -> std::convertible_to<int>;
                     { S::deleted_column } -> std::convertible_to<int>;
                     { S::select_sums } -> std::convertible_to<std::string_view>;
                     { S::put_sums } -> std::convertible_to<std::string_view>;
                     { S::select_key } -> std::convertible_to<std::string_view>;
                     { S::select_rowid } -> std::convertible_to<std::string_view>;
                     { S::select_tombstones } -> std::convertible_to<std::string_view>;
                     { S::select_live } -> std::convertible_to<std::string_view>;
                     { S::select_policies } -> std::convertible_to<std::string_view>;
                     { S::select_row_count } -> std::convertible_to<std::string_view>;
                     { S::insert } -> std::convertible_to<std::string_view>;
                     { S::remove } -> std::convertible_to<std::string_view>;
                     { S::begin(connection, made) };
                     { S::read_info(connection) } -> std::same_as<typename S::info_type>;
                     { S::read(found) } -> std::same_as<typename S::row_type>;
                     { S::read_rowid(found) } -> std::same_as<std::int64_t>;
                     { S::read_hashed(found) } -> std::same_as<std::string>;
                     { S::hashed(row) } -> std::same_as<std::string>;
                     { S::bind_key(query, state) };
                     { S::bind_row(query, row) };
                     { S::count(counts, row, 1) };
                     { S::write_totals(connection, totals) };
                     { S::is_deleted(connection, info) } -> std::same_as<bool>;
                     { S::former_triggers[0] } -> std::convertible_to<FormerTrigger>;
                     { S::convert(connection, std::size_t{0}) };
                     { S::forget_reported(connection) };
                     {
                         S::has_old_shard_ranges(connection, info, std::string_view())
                     } -> std::same_as<bool>;
                     { S::reclaim_shard_ranges(connection, info, std::string_view()) };
                 };

/// Part of both scripts: the rows that we have of others and others of ours. Points with an old
/// updated_at belong to replicas that are gone, and are dropped.
inline constexpr std::string_view sync_script = R"sql(
CREATE TABLE outgoing_sync (
    remote_id TEXT UNIQUE, sync_point INTEGER, updated_at TEXT DEFAULT 0);
CREATE TABLE incoming_sync (
    remote_id TEXT UNIQUE, sync_point INTEGER, updated_at TEXT DEFAULT 0);
CREATE TRIGGER outgoing_sync_insert AFTER INSERT ON outgoing_sync BEGIN
    UPDATE outgoing_sync SET updated_at = strftime('%s', 'now') WHERE rowid = new.rowid; END;
CREATE TRIGGER outgoing_sync_update AFTER UPDATE ON outgoing_sync BEGIN
    UPDATE outgoing_sync SET updated_at = strftime('%s', 'now') WHERE rowid = new.rowid; END;
CREATE TRIGGER incoming_sync_insert AFTER INSERT ON incoming_sync BEGIN
    UPDATE incoming_sync SET updated_at = strftime('%s', 'now') WHERE rowid = new.rowid; END;
CREATE TRIGGER incoming_sync_update AFTER UPDATE ON incoming_sync BEGIN
    UPDATE incoming_sync SET updated_at = strftime('%s', 'now') WHERE rowid = new.rowid; END;
)sql";

/// The name of the index over (deleted, name).
template <Schema S>
[[nodiscard]] std::string index_of() {
    return "ix_" + std::string(S::rows) + "_deleted_name";
}

/// Makes tables, triggers and the one row of the stat table in an empty file. Our connection never
/// runs the triggers, but SQLite checks the names in them.
template <Schema S>
void make_schema(Connection& connection, const NewDatabase& made) {
    Transaction transaction(connection, Transaction::Kind::exclusive);
    connection.execute(std::string(S::script).append(sync_script).c_str());
    S::begin(connection, made);
    transaction.commit();
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_SCHEMA_HPP
