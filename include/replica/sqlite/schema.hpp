#ifndef REPLICA_SQLITE_SCHEMA_HPP
#define REPLICA_SQLITE_SCHEMA_HPP

// What a schema has to say so that merge.hpp, database.hpp and broker.hpp can work with its files,
// and what both of Swift's schemas have in common: the two tables of sync points.

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

/// What is said of a database when it is made.
struct NewDatabase {
    std::string account;
    std::string container;                 ///< Empty for an account.
    std::string id;                        ///< See new_id().
    std::string created_at;                ///< Now.
    std::string put_timestamp;             ///< Of the client's PUT.
    std::int64_t storage_policy_index = 0; ///< Containers.

    /// One with the names, id and times of another.
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

/// A trigger that no Swift makes any more, known by the digest_of its text (known_schema.hpp).
struct FormerTrigger {
    std::string_view name;
    std::string_view digest;
};

/// The statements and readers of one kind of database. All members are static.
///
/// - `script`: makes tables, index, triggers and views. `begin(connection, new_database)` then puts
///   in the one row of the stat table.
/// - `rows`: the table of rows; `columns`: those of it that the statements name; `policy_count`:
/// the
///   column of policy_stat that counts them.
/// - `stat`, `select_hash`, `insert`, `remove`, `select_*`: SQL; the select_* give the columns that
///   `read`, `read_rowid` and `read_hashed` expect. Those of select_since begin with ROWID and
///   name; where the others are that a check needs, the *_column say (`hashed_column`:
///   read_hashed).
/// - `select_sums` gives a policy, its live rows, objects and bytes; `put_sums` takes the same.
/// What
///   `select_total` and `put_total`, if there are such, give and take is the sum over policies.
/// - `read_info`: everything of an info that is in the file, as one snapshot (defect 9). Throws
///   missing_table if the stat table has no row.
/// - `is_deleted`: Swift's rule for this kind.
/// - `has_old_shard_ranges`, `reclaim_shard_ranges`: what else of the snapshot an info is of may be
/// forgotten by now.
/// - `former_triggers`: of former Swifts. `convert(connection, dropped)` brings what such a Swift
///   made to the form of `script`, after `dropped` of them have been dropped: migrate.hpp.
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
                     { S::policy_count } -> std::convertible_to<const char*>;
                     { S::select_hash } -> std::convertible_to<std::string_view>;
                     { S::select_since } -> std::convertible_to<std::string_view>;
                     { S::hashed_column } -> std::convertible_to<int>;
                     { S::deleted_column } -> std::convertible_to<int>;
                     { S::policy_column } -> std::convertible_to<int>;
                     { S::bytes_column } -> std::convertible_to<int>;
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

/// Part of both scripts: whom we have heard from and who has heard from us. updated_at lets points
/// of replicas that are gone be forgotten.
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

/// The index by which rows are found.
template <Schema S>
[[nodiscard]] std::string index_of() {
    return "ix_" + std::string(S::rows) + "_deleted_name";
}

/// Makes tables, triggers and the one row of the stat table in an empty file. The connection runs
/// no triggers itself, but SQLite checks what they name.
template <Schema S>
void make_schema(Connection& connection, const NewDatabase& made) {
    Transaction transaction(connection, Transaction::Kind::exclusive);
    connection.execute(std::string(S::script).append(sync_script).c_str());
    S::begin(connection, made);
    transaction.commit();
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_SCHEMA_HPP
