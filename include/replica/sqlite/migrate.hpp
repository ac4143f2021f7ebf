#ifndef REPLICA_SQLITE_MIGRATE_HPP
#define REPLICA_SQLITE_MIGRATE_HPP

// Clusters have databases made by Swifts of years ago: without the metadata column, without
// policies, with sums in a table that is a view today. Swift migrates such a file piece by piece,
// whenever a statement fails. Here the whole file is migrated when it is opened, in one
// transaction, so that all other code knows one form. (A container may still lack the table of
// shard ranges, which Swift too adds only at the first write: shard_table.hpp.)

#include <replica/error.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/known_schema.hpp>
#include <replica/sqlite/schema.hpp>
#include <replica/sqlite/sync_table.hpp>

#include <sqlite3.h>

#include <concepts>
#include <cstddef>
#include <string>

namespace replica::sqlite {

/// Whether the tables and columns that every use of a file needs exist under today's names. One
/// snapshot. Throws read errors other than unknown_schema.
template <Schema S>
[[nodiscard]] bool is_current(Connection& connection) {
    try {
        const Transaction snapshot(connection, Transaction::Kind::read);
        static_cast<void>(S::read_info(connection));
        for (const char* const column : S::columns) {
            connection.require_column(S::rows, column);
        }
        connection.require_column(S::policies, S::policy_count);
        for (const Direction direction : {Direction::incoming, Direction::outgoing}) {
            static_cast<void>(SyncTable(connection, direction).point({}));
        }
        return true;
    } catch (const Failure& failure) {
        if (failure.error() != Error::unknown_schema) {
            throw;
        }
        return false;
    }
}

namespace detail {

/// Drops triggers of an old Swift that have exactly its text, and returns how many. A trigger with
/// another text stays, and check_schema then names it.
template <Schema S>
[[nodiscard]] std::size_t drop_former_triggers(Connection& connection) {
    std::size_t dropped = 0;
    for (const FormerTrigger& trigger : S::former_triggers) {
        std::string sql;
        {
            Query found = connection.query(
                "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = ?");
            sql = found.bind(trigger.name).step() ? found.text(0) : "";
        }
        if (digest_of(sql) == trigger.digest) {
            connection.execute(("DROP TRIGGER " + std::string(trigger.name)).c_str());
            ++dropped;
        }
    }
    return dropped;
}

} // namespace detail

/// Gives a file of an old Swift the form that Swift 2.30 would give it, with all its values. Then
/// calls `check`, which throws if the file must not stay; if somebody else has migrated the file
/// meanwhile, only the checks run. A failure changes nothing: unknown_schema names what no Swift
/// has made, io means that the file is read-only, missing_table that the stat table has no row.
template <Schema S, std::invocable Check>
void migrate(Connection& connection, Check check) {
    if (sqlite3_db_readonly(connection.get(), "main") != 0) {
        throw Failure(Error::io, connection.path() + ": is made by an old Swift, and cannot be"
                                                     " brought up to date: it is read-only");
    }
    Transaction transaction(connection, Transaction::Kind::write);
    if (!is_current<S>(connection)) {
        S::convert(connection, detail::drop_former_triggers<S>(connection));
    }
    check_schema<S>(connection);
    static_cast<void>(S::read_info(connection));
    check();
    transaction.commit();
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_MIGRATE_HPP
