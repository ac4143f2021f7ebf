#ifndef REPLICA_SQLITE_OPEN_HPP
#define REPLICA_SQLITE_OPEN_HPP

// Opens a connection to an existing database, with the settings that all of ours have.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/sqlite/check.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/migrate.hpp>
#include <replica/sqlite/options.hpp>
#include <replica/sqlite/schema.hpp>
#include <replica/sqlite/wait.hpp>

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

namespace replica::sqlite {

/// Throws missing, not_a_database for what is no file, or io.
template <Disk D, Clock C>
[[nodiscard]] std::unique_ptr<Connection> connect(const std::string& path, D& disk, const C& clock,
                                                  const SqliteOptions& options, Instant deadline) {
    require_database_file(disk, path);
    try {
        return std::make_unique<Connection>(path, Connection::Mode::existing, wait_by(clock),
                                            deadline, options.vfs);
    } catch (const Failure&) {
        require_file(disk, path); // it may have gone since: that is no fault of a disk
        throw;
    }
}

/// SQLite reports a missing column like a missing table. A table that an old Swift had in another
/// form is not missing, and its file must not go to quarantine.
template <Schema S>
void require_tables(Connection& connection) {
    const std::string former = std::string(S::kind_type::name) + "_stat";
    const bool is_former = has_table(connection, former);
    for (const std::string_view table :
         {S::rows, S::stat, std::string_view("incoming_sync"), std::string_view("outgoing_sync")}) {
        if (!has_table(connection, table) && !(table == S::stat && is_former)) {
            throw Failure(Error::missing_table,
                          connection.path() + ": has no table " + std::string(table));
        }
    }
}

/// Sets Swift's pragmas and checks that the file has today's schema. False for a file of an old
/// Swift. Throws not_a_database, corrupt, missing_table, unknown_schema, locked, wal and io.
template <Schema S>
[[nodiscard]] bool prepare(Connection& connection, const SqliteOptions& options) {
    connection.execute("PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0");
    const bool current = [&] {
        // One lock for the schema, which cache_size is the first to need, and for the look at it: a
        // lock costs nine calls of the system. schema_version takes it.
        const Transaction once(connection, Transaction::Kind::read);
        connection.execute("PRAGMA schema_version; PRAGMA cache_size = -8000");
        return is_current<S>(connection);
    }();
    // A peer may remove its copy after our answer, so the end of the journal must be durable.
    // NORMAL, Swift's setting, does not fsync the directory: a power cut then rolls back an
    // answered commit.
    connection.execute("PRAGMA synchronous = EXTRA");
    const char* const mode =
        options.migrate ? "PRAGMA journal_mode = DELETE" : "PRAGMA journal_mode";
    if (connection.text(mode) != "delete") {
        throw Failure(Error::wal, connection.path() + ": is in use with a write-ahead log");
    }
    if (options.chunk_bytes > 0) {
        int bytes = options.chunk_bytes;
        sqlite3_file_control(connection.get(), "main", SQLITE_FCNTL_CHUNK_SIZE, &bytes);
    }
    if (current) {
        return true;
    }
    require_tables<S>(connection);
    if (!options.migrate) {
        throw Failure(Error::unknown_schema, connection.path() +
                                                 ": is made by an old Swift, and only looked at"
                                                 " here; a pass brings what a former Swift made up"
                                                 " to date");
    }
    return false;
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_OPEN_HPP
