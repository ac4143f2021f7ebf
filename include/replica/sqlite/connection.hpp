#ifndef REPLICA_SQLITE_CONNECTION_HPP
#define REPLICA_SQLITE_CONNECTION_HPP

// A thin layer over SQLite's C interface: each handle has an owner, each result code becomes one of
// our errors, text is passed with its length. A connection opens existing files and runs no code of
// the file: triggers and views are switched off. merge.hpp does the work of Swift's triggers once
// per transaction instead of once per row (1.3 times faster at 1,000 rows per transaction, twice at
// 10,000), and the triggers of a file from a peer are not trusted.

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/sqlite/statement.hpp>

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace replica::sqlite {

/// Called while somebody else holds a lock that we need. Waits a moment and returns true; false
/// once the deadline has passed.
using Wait = std::function<bool(int attempt, Instant deadline)>;

/// Stops SQLite from counting the memory it uses. The count takes one mutex for all threads and
/// 16 % of the instructions of a pass that finds nothing to do. For programs that own the process:
/// the setting is global. Has no effect after SQLite was first used.
inline void disable_memory_statistics() noexcept {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

[[noreturn]] inline void fail_as_moved(const std::string& path) {
    throw Failure(Error::moved, path + ": was replaced or removed while open");
}

/// An open database file with its prepared statements. Cannot be moved, since SQLite keeps a
/// pointer to it. Not thread safe.
class Connection {
public:
    /// What to do about a file that is not there.
    enum class Mode {
        existing, ///< Fail; by default SQLite would make it.
        create,   ///< Make it. Only for paths that nobody else knows yet.
    };

    /// A path that cannot be opened is Error::io. Errors like not_a_database come only when the
    /// first statement reads the file.
    /// `vfs` names the file system layer of SQLite; empty: its usual one.
    Connection(std::string path, Mode mode, Wait wait, Instant deadline, std::string vfs = {})
        : path_(std::move(path)), vfs_(std::move(vfs)), wait_(std::move(wait)),
          deadline_(deadline) {
        const int flags = mode == Mode::create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                               : SQLITE_OPEN_READWRITE;
        sqlite3* file = nullptr;
        const int code = sqlite3_open_v2(path_.c_str(), &file,
                                         flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                         vfs_.empty() ? nullptr : vfs_.c_str());
        file_.reset(file);
        check(file, code, path_, "open");
        sqlite3_busy_handler(file, &Connection::busy, this);
        distrust();
    }

    /// Opens another file, with the same deadline, waiting and file system layer.
    [[nodiscard]] Connection beside(std::string path, Mode mode = Mode::existing) const {
        return {std::move(path), mode, wait_, deadline_, vfs_};
    }

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] sqlite3* get() const { return file_.get(); }

    /// All waits for locks end here.
    [[nodiscard]] Instant deadline() const { return deadline_; }
    void set_deadline(Instant deadline) { deadline_ = deadline; }

    /// A statement, prepared once per connection. Two uses of the same text must not overlap.
    [[nodiscard]] Query query(std::string_view sql) {
        auto found = statements_.find(sql);
        if (found == statements_.end()) {
            found = statements_.emplace(std::string(sql), Statement(get(), sql, path_)).first;
        }
        return found->second.use();
    }

    /// Runs statements that give no rows and take no values, separated by semicolons.
    void execute(const char* sql) {
        check(get(), sqlite3_exec(get(), sql, nullptr, nullptr, nullptr), path_, sql);
    }

    /// The first column of the first row, as text; empty if there is no row.
    [[nodiscard]] std::string text(std::string_view sql) {
        Query query = this->query(sql);
        return query.step() ? query.text(0) : std::string();
    }

    /// The first column of the first row, as a number; -1 if there is no row.
    [[nodiscard]] std::int64_t integer(std::string_view sql) {
        Query query = this->query(sql);
        return query.step() ? query.integer(0) : -1;
    }

    /// Throws unknown_schema if a table lacks a column. Compiles no statement, so it costs a
    /// hundredth of one that names the column.
    void require_column(std::string_view table, const char* column) {
        const int code =
            sqlite3_table_column_metadata(get(), "main", std::string(table).c_str(), column,
                                          nullptr, nullptr, nullptr, nullptr, nullptr);
        check(get(), code, path_, "look at the schema");
    }

    /// Whether the open file was removed or replaced under its name.
    [[nodiscard]] bool moved() const {
        int moved = 0;
        sqlite3_file_control(get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
        return moved != 0;
    }

    void require_in_place() const {
        if (moved()) {
            fail_as_moved(path_);
        }
    }

    /// Puts the path of the file before the text of a Failure that `call` throws.
    template <std::invocable Call>
    auto with_path(Call&& call) const {
        try {
            return std::forward<Call>(call)();
        } catch (const Failure& failure) {
            throw Failure(failure.error(), path_ + ": " + failure.what());
        }
    }

    [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(get()) == 0; }

    /// Grows with each write transaction that we commit.
    [[nodiscard]] std::uint64_t commits() const { return commits_; }
    void count_commit() { ++commits_; }

private:
    struct Close {
        void operator()(sqlite3* file) const { sqlite3_close_v2(file); }
    };

    static int busy(void* self, int attempt) {
        const auto* const connection = static_cast<Connection*>(self);
        try {
            return connection->wait_(attempt, connection->deadline_) ? 1 : 0;
        } catch (...) {
            return 0; // an exception must not pass through SQLite: give up, as at the deadline
        }
    }

    void distrust() {
        const auto configure = [this](int option, int value) {
            check(get(), sqlite3_db_config(get(), option, value, nullptr), path_, "configure");
        };
        configure(SQLITE_DBCONFIG_DEFENSIVE, 1);
        configure(SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0);
        configure(SQLITE_DBCONFIG_ENABLE_TRIGGER, 0);
        configure(SQLITE_DBCONFIG_ENABLE_VIEW, 0);
        configure(SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0);
    }

    std::string path_;
    std::string vfs_;
    Wait wait_;
    Instant deadline_;
    std::uint64_t commits_ = 0;
    std::unique_ptr<sqlite3, Close> file_;
    std::map<std::string, Statement, std::less<>> statements_; // finalized before the close
};

/// Sets another deadline for its own lifetime.
class DeadlineScope {
public:
    DeadlineScope(Connection& connection, Instant deadline)
        : connection_(&connection), usual_(connection.deadline()) {
        connection.set_deadline(deadline);
    }
    DeadlineScope(const DeadlineScope&) = delete;
    DeadlineScope& operator=(const DeadlineScope&) = delete;
    ~DeadlineScope() { connection_->set_deadline(usual_); }

private:
    Connection* connection_;
    Instant usual_;
};

/// A transaction that rolls back unless it is committed. Inside another one (exclusive() of a
/// database) it is a savepoint, or nothing at all if it only reads.
class Transaction {
public:
    enum class Kind {
        read,      ///< Takes the shared lock with the first query.
        write,     ///< Takes the write lock at once, so no later statement fails for it.
        exclusive, ///< Keeps out readers as well.
    };

    /// A writer checks, once its lock keeps others from replacing the file unseen, that the file is
    /// still the one under its name; else throws Error::moved.
    Transaction(Connection& connection, Kind kind)
        : connection_(&connection), nested_(connection.in_transaction()), kind_(kind) {
        if (nested_) {
            if (kind != Kind::read) {
                connection.execute("SAVEPOINT nested");
            }
            return;
        }
        connection.execute(kind == Kind::read    ? "BEGIN"
                           : kind == Kind::write ? "BEGIN IMMEDIATE"
                                                 : "BEGIN EXCLUSIVE");
        if (kind != Kind::read && connection.moved()) {
            connection.execute("ROLLBACK");
            fail_as_moved(connection.path()); // a second look may say otherwise (defect 100)
        }
    }

    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    ~Transaction() {
        if (connection_ != nullptr && connection_->in_transaction() && !is_part()) {
            sqlite3_exec(connection_->get(),
                         nested_ ? "ROLLBACK TO nested; RELEASE nested" : "ROLLBACK", nullptr,
                         nullptr, nullptr);
        }
    }

    /// Throws Error::moved if the file was replaced during the transaction: a stock server renames
    /// without a lock. The commit is then lost with the old file and must be repeated on the new
    /// one.
    void commit() {
        if (!is_part()) {
            connection_->execute(nested_ ? "RELEASE nested" : "COMMIT");
        }
        Connection& connection = *std::exchange(connection_, nullptr);
        if (kind_ == Kind::read) {
            return;
        }
        connection.count_commit();
        if (!nested_) {
            connection.require_in_place();
        }
    }

private:
    /// Reads in the transaction of somebody else, who ends it.
    [[nodiscard]] bool is_part() const { return nested_ && kind_ == Kind::read; }

    Connection* connection_;
    bool nested_;
    Kind kind_;
};

[[nodiscard]] inline bool has_table(Connection& connection, std::string_view name) {
    Query found = connection.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
    return found.bind(name).step();
}

[[nodiscard]] inline bool has_column(Connection& connection, std::string_view table,
                                     std::string_view name) {
    Query found = connection.query("SELECT 1 FROM pragma_table_info(?) WHERE name = ?");
    return found.bind(table, name).step();
}

/// Adds a column to a table that lacks it. `type` may include a default. Returns whether the column
/// was missing.
inline bool add_column(Connection& connection, std::string_view table, std::string_view name,
                       std::string_view type) {
    if (has_column(connection, table, name)) {
        return false;
    }
    std::string sql("ALTER TABLE ");
    sql.append(table).append(" ADD COLUMN ").append(name).append(" ").append(type);
    connection.execute(sql.c_str());
    return true;
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_CONNECTION_HPP
