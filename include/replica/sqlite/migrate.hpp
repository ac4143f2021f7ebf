#ifndef REPLICA_SQLITE_MIGRATE_HPP
#define REPLICA_SQLITE_MIGRATE_HPP

// Clusters keep databases that a Swift of years ago made: no column of metadata, no policies, sums
// in a table that is a view today. Swift brings such a file up to date piece by piece, each piece
// when a statement fails for want of it. Here a file is brought up to date whole when it is opened,
// in one transaction, so that everything else knows one form. (A container may still lack the table
// of shard ranges, which Swift also adds only to write to it: shard_table.hpp.)

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

/// Whether what every use of a file reads is there under its names of today. One snapshot. Throws
/// what reading it throws, but for unknown_schema.
template <Schema S>
[[nodiscard]] bool is_current(Connection& connection) {
    try {
        const Transaction snapshot(connection, Transaction::Kind::read);
        static_cast<void>(S::read_info(connection));
        for (const char* const column : S::columns) {
            connection.require_column(S::rows, column);
        }
        connection.require_column("policy_stat", S::policy_count);
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

/// Drops those triggers of a former Swift that have its very text, and returns how many there were.
/// One of another text stays, and check_schema names it.
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

/// Gives a file of a former Swift the form in which Swift 2.30 leaves it, with all its values. Then
/// `check` says, by throwing, whether the file may stay; if somebody else was faster only that is
/// asked. A failure changes nothing: unknown_schema names what no Swift has made, io means that the
/// file cannot be written to, and missing_table that the one row of its stat table is not there.
template <Schema S, std::invocable Check>
void migrate(Connection& connection, Check check) {
    if (sqlite3_db_readonly(connection.get(), "main") != 0) {
        throw Failure(Error::io, connection.path() + ": is not of today's form, and cannot be"
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
