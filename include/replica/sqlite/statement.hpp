#ifndef REPLICA_SQLITE_STATEMENT_HPP
#define REPLICA_SQLITE_STATEMENT_HPP

// Prepared statements, and the meaning of SQLite's result codes. Swift searches the text of an
// exception for "malformed" or "no such table" and quarantines by that (defect 47); here only the
// code counts. Names of objects may contain any byte, even NUL, so text is bound and read by
// length.

#include <replica/error.hpp>

#include <sqlite3.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace replica::sqlite {

/// The error for a result code other than OK, ROW and DONE.
[[nodiscard]] inline Error error_of(int code) {
    if (code == SQLITE_READONLY_DBMOVED) {
        return Error::moved;
    }
    switch (code & 0xff) {
    case SQLITE_NOTADB:
        return Error::not_a_database;
    case SQLITE_CORRUPT:
    case SQLITE_FORMAT:
        return Error::corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return Error::locked;
    case SQLITE_FULL:
        return Error::no_space;
    case SQLITE_INTERRUPT:
        return Error::timed_out;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
        return Error::bad_request;
    case SQLITE_ERROR: // a table or column named by a statement of ours does not exist
        return Error::unknown_schema;
    default: // NOMEM and TOOBIG as well: see check()
        return Error::io;
    }
}

/// Throws unless `code` is a success. The message names the file, the statement or call, and
/// SQLite's reason, with the system's if a file could not be opened, read or written.
///
/// "Out of memory" and "too big" are faults of the file as well: SQLite says so, and takes no
/// memory, of a small file with a record that claims to have 4 GiB. They name it, a tool goes on
/// with the next one, and neither is a reason for quarantine.
inline void check(sqlite3* file, int code, const std::string& path, std::string_view what) {
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) {
        return;
    }
    const char* const reason = file != nullptr && sqlite3_extended_errcode(file) == code
                                   ? sqlite3_errmsg(file)
                                   : sqlite3_errstr(code);
    const bool of_system = (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_IOERR;
    const int number = file != nullptr && of_system ? sqlite3_system_errno(file) : 0;
    throw Failure(error_of(code),
                  path + ": " + std::string(what.substr(0, 80)) + ": " + reason +
                      (number == 0 ? "" : ": " + std::generic_category().message(number)));
}

/// One use of a prepared statement: bind, step, read columns. Its destructor resets the statement.
/// Columns are counted from 0 and parameters from 1, as in SQLite.
class Query {
public:
    Query(sqlite3_stmt* statement, const std::string& path) : statement_(statement), path_(&path) {}
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    ~Query() {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }

    /// Resets the statement and binds parameters 1, 2, 3...
    template <class... Values>
    Query& bind(const Values&... values) {
        sqlite3_reset(statement_);
        bound_ = 0;
        (require(bind_one(++bound_, values, SQLITE_TRANSIENT)), ...);
        return *this;
    }

    /// Binds the next parameters. Texts are not copied: they must stay until this use ends.
    template <class... Values>
    Query& add(const Values&... values) {
        (require(bind_one(++bound_, values, SQLITE_STATIC)), ...);
        return *this;
    }

    /// Binds parameters 1, 2, 3... to the columns of another query's row, whatever their types.
    Query& bind_columns(const Query& row) {
        sqlite3_reset(statement_);
        for (int at = 0; at < sqlite3_column_count(row.statement_); ++at) {
            require(
                sqlite3_bind_value(statement_, at + 1, sqlite3_column_value(row.statement_, at)));
        }
        return *this;
    }

    /// True if there is a row to read.
    bool step() {
        const int code = sqlite3_step(statement_);
        require(code);
        return code == SQLITE_ROW;
    }

    /// Steps to the end and resets the statement for the next bind.
    void run() {
        while (step()) {
        }
        require(sqlite3_reset(statement_));
    }

    [[nodiscard]] int columns() const { return sqlite3_column_count(statement_); }

    /// The declared type of a column; empty for an expression.
    [[nodiscard]] std::string_view declared(int column) const {
        const char* const type = sqlite3_column_decltype(statement_, column);
        return type == nullptr ? std::string_view() : std::string_view(type);
    }

    /// Valid until the next step, and only for the thread that steps.
    [[nodiscard]] sqlite3_value* value(int column) const {
        return sqlite3_column_value(statement_, column);
    }

    /// SQLITE_INTEGER and so on. Ask before integer() or view(), which convert the value.
    [[nodiscard]] int type(int column) const { return sqlite3_column_type(statement_, column); }

    [[nodiscard]] bool is_null(int column) const { return type(column) == SQLITE_NULL; }

    [[nodiscard]] std::int64_t integer(int column) const {
        return sqlite3_column_int64(statement_, column);
    }

    /// Empty for a null. Valid until the next step.
    [[nodiscard]] std::string_view view(int column) const {
        const bool null = is_null(column);
        const auto* const begin = sqlite3_column_text(statement_, column); // before its size
        return given(null, begin, sqlite3_column_bytes(statement_, column));
    }

    /// The same of a value of this row, whose type is known. Saves a call of SQLite.
    [[nodiscard]] std::string_view view(sqlite3_value* value, bool null) const {
        const auto* const begin = sqlite3_value_text(value);
        return given(null, begin, sqlite3_value_bytes(value));
    }

    /// Of all texts of the row but one.
    [[nodiscard]] std::size_t bytes(int without) const {
        std::size_t all = 0;
        for (int at = 0; at < columns(); ++at) {
            const bool counts = at != without && type(at) != SQLITE_INTEGER && !is_null(at);
            all += counts ? static_cast<std::size_t>(sqlite3_column_bytes(statement_, at)) : 0;
        }
        return all;
    }

    [[nodiscard]] std::string text(int column) const { return std::string(view(column)); }

    /// Text, or `other` for a null.
    [[nodiscard]] std::string text_or(int column, std::string_view other) const {
        return std::string(is_null(column) ? other : view(column));
    }

private:
    /// Where SQLite has no memory to make a text it gives none, as for a null, and what is read
    /// must not pass for a row with empty values.
    [[nodiscard]] std::string_view given(bool null, const unsigned char* begin, int bytes) const {
        if (begin == nullptr) {
            require(null ? SQLITE_OK : SQLITE_NOMEM);
            return {};
        }
        return {reinterpret_cast<const char*>(begin), static_cast<std::size_t>(bytes)};
    }

    template <std::integral Number>
    int bind_one(int at, Number value, sqlite3_destructor_type /*copy*/) {
        return sqlite3_bind_int64(statement_, at, static_cast<std::int64_t>(value));
    }

    int bind_one(int at, std::string_view value, sqlite3_destructor_type copy) {
        const char* const begin = value.data() == nullptr ? "" : value.data();
        return sqlite3_bind_text64(statement_, at, begin, value.size(), copy, SQLITE_UTF8);
    }

    template <std::same_as<std::optional<std::string>> Text>
    int bind_one(int at, const Text& value, sqlite3_destructor_type copy) {
        return value ? bind_one(at, std::string_view(*value), copy)
                     : sqlite3_bind_null(statement_, at);
    }

    void require(int code) const {
        if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE) {
            check(sqlite3_db_handle(statement_), code, *path_, sqlite3_sql(statement_));
        }
    }

    sqlite3_stmt* statement_;
    const std::string* path_;
    int bound_ = 0; ///< Parameters.
};

/// A prepared statement. It lives as long as its connection, yet is not prepared with
/// SQLITE_PREPARE_PERSISTENT: that flag allocates outside the connection's own pool of memory, and
/// most connections live for a few milliseconds.
class Statement {
public:
    Statement(sqlite3* file, std::string_view sql, const std::string& path) : path_(&path) {
        sqlite3_stmt* statement = nullptr;
        const int code =
            sqlite3_prepare_v2(file, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
        statement_.reset(statement);
        check(file, code, path, sql);
    }

    [[nodiscard]] Query use() const { return Query(statement_.get(), *path_); }

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    const std::string* path_;
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_STATEMENT_HPP
