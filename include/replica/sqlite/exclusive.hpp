#ifndef REPLICA_SQLITE_EXCLUSIVE_HPP
#define REPLICA_SQLITE_EXCLUSIVE_HPP

// The lock under which a database is replaced or removed, and its release.

#include <replica/sqlite/connection.hpp>

#include <sqlite3.h>

#include <memory>

namespace replica::sqlite {

/// While the object lives nobody else reads or writes the database. Made right after BEGIN
/// EXCLUSIVE. What the database's own handle writes meanwhile is committed at the end, or rolled
/// back if the file was replaced.
class Exclusive {
public:
    explicit Exclusive(Connection& connection) : connection_(&connection) {}

private:
    struct End {
        void operator()(Connection* connection) const noexcept {
            const char* const sql = connection->moved() ? "ROLLBACK" : "COMMIT";
            if (sqlite3_exec(connection->get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
                sqlite3_exec(connection->get(), "ROLLBACK", nullptr, nullptr, nullptr);
            }
        }
    };

    std::unique_ptr<Connection, End> connection_;
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_EXCLUSIVE_HPP
