#ifndef REPLICA_SQLITE_CHECK_HPP
#define REPLICA_SQLITE_CHECK_HPP

// A file that came from elsewhere is not trusted (defect 17). A torn file may open without an error
// and even have the sender's hash. A trigger in it would be run by the next stock server that opens
// the file. A value of the wrong type is found by no statement. So open_upload checks, in this
// order: header, sizes of cells (cells.hpp), schema, pages, values, index.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/known_schema.hpp>
#include <replica/sqlite/row_reader.hpp>
#include <replica/sqlite/row_set.hpp>
#include <replica/sqlite/schema.hpp>
#include <replica/sqlite/sums.hpp>

#include <sqlite3.h>

#include <charconv>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace replica::sqlite {

/// Throws missing, not_a_database for what is no file, or io for a link. A link is not put into
/// quarantine: its rows may be nowhere else.
template <Disk D>
void require_file(D& disk, const std::string& path) {
    const std::string why = why_no_file(disk, path);
    if (!why.empty()) {
        throw Failure(disk.read_link(path) ? Error::io : Error::not_a_database, path + ": " + why);
    }
    if (!disk.stat(path)) {
        throw Failure(Error::missing, path + ": no such database");
    }
}

/// The same for the database and for its journal, which SQLite reads first.
template <Disk D>
void require_database_file(D& disk, const std::string& path) {
    require_file(disk, path);
    const std::string journal = path + "-journal";
    if (const std::string why = why_no_file(disk, journal); !why.empty()) {
        throw Failure(Error::io, journal + ": " + why);
    }
}

/// Before SQLite opens the file: a whole header, rollback journals, no journal beside the file that
/// would be played back, and no settings for readers. Throws not_a_database, wal or corrupt.
template <Disk D>
void check_header(D& disk, const std::string& path) {
    const std::string header = disk.read(path, 100);
    if (header.size() < 100 || !header.starts_with(std::string_view("SQLite format 3\0", 16))) {
        throw Failure(Error::not_a_database, path + ": has no SQLite header");
    }
    if (header[18] != 1 || header[19] != 1 || disk.stat(path + "-wal")) {
        throw Failure(Error::wal, path + ": is written for a write-ahead log");
    }
    if (disk.stat(path + "-journal")) {
        throw Failure(Error::corrupt, path + ": comes with a journal");
    }
    // Swift's files set neither. Every server that opens the file would use the memory that a cache
    // size asks for, and an index in UTF-16 has another order.
    if (header.substr(48, 4) != std::string_view("\0\0\0\0", 4)) {
        throw Failure(Error::corrupt, path + ": asks for a cache of its own size");
    }
    if (header.substr(56, 4) != std::string_view("\0\0\0\1", 4)) {
        throw Failure(Error::corrupt, path + ": is not written in UTF-8");
    }
}

/// Interrupts long statements of a connection at the deadline, with Error::timed_out.
template <Clock C>
class Watch {
public:
    Watch(Connection& connection, C clock, Instant deadline)
        : connection_(&connection), clock_(std::move(clock)), deadline_(deadline) {
        constexpr int instructions = 100'000; // of SQLite's machine: about a millisecond
        sqlite3_progress_handler(connection.get(), instructions, &Watch::is_over, this);
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { sqlite3_progress_handler(connection_->get(), 0, nullptr, nullptr); }

private:
    static int is_over(void* self) {
        const auto* const watch = static_cast<Watch*>(self);
        return watch->clock_.monotonic() >= watch->deadline_ ? 1 : 0;
    }

    Connection* connection_;
    C clock_;
    Instant deadline_;
};

/// Throws unless the verdict of a check of pages is "ok": corrupt; or io if a page could not be
/// read, or had no memory, which SQLite tells as text with its error code, and in a list of pages
/// without. Such a page says nothing of the database, and must not send it to quarantine (defect
/// 99).
inline void require_ok(const Connection& connection, const std::string& verdict) {
    if (verdict == "ok") {
        return;
    }
    constexpr std::string_view mark = "error code=";
    int code = 0;
    if (const auto at = verdict.find(mark); at != std::string::npos) {
        const char* const digits = verdict.data() + at + mark.size();
        std::from_chars(digits, verdict.data() + verdict.size(), code);
    }
    const bool unread = ((code & 0xff) == SQLITE_IOERR && code != SQLITE_IOERR_SHORT_READ) ||
                        code == SQLITE_NOMEM ||
                        verdict.find("failed to get page") != std::string::npos;
    throw Failure(unread ? Error::io : Error::corrupt, connection.path() + ": " + verdict);
}

/// Throws if a page is broken, see require_ok. "integrity_check" also finds an index that lacks a
/// row, which makes statements fail like a broken page, but takes longer.
inline void check_pages(Connection& connection, std::string_view pragma = "quick_check") {
    require_ok(connection, connection.text("PRAGMA " + std::string(pragma) + "(1)"));
}

namespace detail {

[[noreturn]] inline void refuse(const Connection& connection, const std::string& reason) {
    throw Failure(Error::corrupt, connection.path() + ": " + reason);
}

/// The stat table must have one row. The small tables must hold only numbers and text, as declared.
/// Each sync point must be a number from -1 on, and in its table's index.
template <Schema S>
void check_small_tables(Connection& connection) {
    const std::string stat(S::stat);
    if (connection.integer("SELECT count(*) FROM " + stat) != 1) {
        refuse(connection, "not exactly one row in " + stat);
    }
    for (const std::string& table : {stat, std::string("shard_range"), std::string("incoming_sync"),
                                     std::string("outgoing_sync")}) {
        if (!has_table(connection, table)) {
            continue; // a file without shard ranges
        }
        Query rows = connection.query("SELECT * FROM " + table);
        RowReader row(rows);
        while (rows.step()) {
            if (!row.read(rows) || !row.is_utf8()) {
                refuse(connection,
                       "a value in " + table + " is not of its column's type, or not in UTF-8");
            }
        }
        if (!table.ends_with("_sync")) {
            continue;
        }
        if (connection.integer("SELECT count(*) FROM " + table +
                               " WHERE sync_point IS NULL OR sync_point < -1") != 0) {
            refuse(connection, "a sync point in " + table + " is not a number from -1 up");
        }
        require_ok(connection, connection.text("PRAGMA integrity_check(" + table + ')'));
    }
}

/// ROWIDs begin at 1, since all points begin below. SQLite takes the next ROWID from
/// sqlite_sequence, which must not be below a ROWID in use, and must have enough left.
template <Schema S>
void check_rowids(Connection& connection) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 2;
    std::map<std::string, std::int64_t> given{{std::string(S::rows), 0}, {"shard_range", 0}};
    std::set<std::string> noted;
    Query found = connection.query("SELECT name, seq FROM sqlite_sequence");
    while (found.step()) {
        const bool typed =
            found.type(0) == SQLITE_TEXT && (found.type(1) == SQLITE_INTEGER || found.is_null(1));
        const auto table = given.find(found.text(0));
        const std::int64_t last = found.integer(1);
        if (!typed || table == given.end() || last < 0 || last > most ||
            !noted.insert(table->first).second) {
            refuse(connection, "sqlite_sequence cannot be used");
        }
        table->second = last;
    }
    for (const auto& [table, last] : given) {
        if (!has_table(connection, table)) {
            continue;
        }
        if (connection.integer("SELECT coalesce(min(ROWID), 1) FROM " + table) < 1) {
            refuse(connection, "a ROWID in " + table + " is below 1");
        }
        if (connection.integer("SELECT coalesce(max(ROWID), 0) FROM " + table) > last) {
            refuse(connection, "sqlite_sequence does not know of the last row in " + table);
        }
    }
}

/// Whether the index over (deleted, name) has exactly these rows, in order.
template <Schema S>
[[nodiscard]] bool is_indexed(Connection& connection, RowSet rows) {
    Query found = connection.query("SELECT deleted, name, ROWID FROM " + std::string(S::rows) +
                                   " INDEXED BY " + index_of<S>());
    std::tuple<std::int64_t, std::string, std::int64_t> last{-1, {}, 0};
    while (found.step()) {
        const bool typed = found.type(0) == SQLITE_INTEGER && found.type(1) == SQLITE_TEXT;
        const std::int64_t deleted = found.integer(0);
        const std::string_view name = found.view(1);
        const std::int64_t rowid = found.integer(2);
        if (!typed || last >= std::tie(deleted, name, rowid)) {
            return false;
        }
        rows.remove(rowid, deleted, name);
        std::get<0>(last) = deleted;
        std::get<1>(last) = name;
        std::get<2>(last) = rowid;
    }
    return rows.empty();
}

} // namespace detail

/// Checks that every page is sound and every value is one that a server writes. Returns what
/// follows from the rows: a stored hash, sums or index that differ can be mended. Throws corrupt,
/// also if both hash and index differ: then nobody knows which rows are right. Reads all pages,
/// then the rows and their index once more: about 0.6 s for a million rows.
template <Schema S>
[[nodiscard]] Content check_content(Connection& connection) {
    check_pages(connection);
    detail::check_small_tables<S>(connection);
    detail::check_rowids<S>(connection);
    Content content;
    RowSet rows;
    Query found = connection.query(S::select_since);
    found.bind(std::int64_t{0}, std::int64_t{-1});
    RowReader row(found);
    while (found.step()) {
        const bool typed = row.read(found);
        const std::int64_t rowid = row.number(0);
        const std::string_view name = row.text(1);
        const std::int64_t deleted = row.number(S::deleted_column);
        // Sizes, counts and times may be null.
        const bool found_by = !row.is_null(S::deleted_column) && has_policy<S>(row);
        // Servers under Python 2 kept headers as they came, so only names and times must be text.
        const bool timed = is_utf8(row.text(2)) && is_utf8(row.text(3));
        if (!typed || !found_by || !timed || name.empty() || !is_utf8(name) ||
            (deleted != 0 && deleted != 1)) {
            detail::refuse(connection,
                           "row " + std::to_string(rowid) + " has a value that no server writes");
        }
        add_row<S>(content.totals, row);
        rows.add(rowid, deleted, name);
    }
    content.indexed = detail::is_indexed<S>(connection, rows);
    if (!content.indexed && content.totals.hash.text() != connection.text(S::select_hash)) {
        detail::refuse(connection,
                       "both its hash and " + index_of<S>() + " disagree with its rows");
    }
    return content;
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_CHECK_HPP
