#ifndef REPLICA_SQLITE_CHECK_HPP
#define REPLICA_SQLITE_CHECK_HPP

// A file that came from elsewhere is not trusted (defect 17). A torn one may open without complaint
// and even carry the sender's hash; one with a trigger of its own would run it in the next stock
// server that opens it. So: the header, every page, every name in the schema, every row.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/sqlite/chexor.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/known_schema.hpp>
#include <replica/sqlite/schema.hpp>

#include <sqlite3.h>

#include <string>
#include <string_view>
#include <utility>

namespace replica::sqlite {

/// What has this name is a file, and its own. A FIFO keeps its reader waiting for ever. A link
/// leads to a file that others know by another name, beside which its journal lies. Throws missing,
/// not_a_database, or io for a link, so that it stays: its rows may be nowhere else.
template <Disk D>
void require_file(D& disk, const std::string& path) {
    const auto status = disk.stat(path);
    if (!status) {
        throw Failure(Error::missing, path + ": no such database");
    }
    if (disk.read_link(path)) {
        throw Failure(Error::io, path + ": is a symbolic link, which is not followed");
    }
    if (!status->regular) {
        throw Failure(Error::not_a_database,
                      path + (status->directory ? ": is a directory" : ": is no regular file"));
    }
}

/// So is a database, and the journal that SQLite would read first.
template <Disk D>
void require_database_file(D& disk, const std::string& path) {
    require_file(disk, path);
    const auto journal = disk.stat(path + "-journal");
    if (journal && !journal->regular) {
        throw Failure(Error::io, path + "-journal: is no regular file");
    }
}

/// Before SQLite opens it: a whole header, rollback journals, and no journal beside it that opening
/// it would play back. Throws not_a_database, wal or corrupt.
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
}

/// Ends long statements of a connection at the deadline, with Error::timed_out.
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

/// Throws corrupt if a page is broken; with "integrity_check" also if an index lacks a row, which
/// makes statements fail as a broken page does, but takes longer to find out.
inline void check_pages(Connection& connection, std::string_view pragma = "quick_check") {
    const std::string verdict = connection.text("PRAGMA " + std::string(pragma) + "(1)");
    if (verdict != "ok") {
        throw Failure(Error::corrupt, connection.path() + ": " + verdict);
    }
}

/// Every page is sound, there is one row in the stat table, and the hash in it is that of the rows.
/// Throws corrupt.
template <Schema S>
void check_content(Connection& connection) {
    check_pages(connection);
    if (connection.integer("SELECT count(*) FROM " + std::string(S::stat)) != 1) {
        throw Failure(Error::corrupt,
                      connection.path() + ": several rows in " + std::string(S::stat));
    }
    Chexor hash;
    Query rows = connection.query(S::select_since);
    rows.bind(std::int64_t{-1}, std::int64_t{-1});
    while (rows.step()) {
        hash.toggle(rows.view(1), S::read_hashed(rows));
    }
    if (hash.text() != connection.text(S::select_hash)) {
        throw Failure(Error::corrupt, connection.path() + ": its hash is not that of its rows");
    }
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_CHECK_HPP
