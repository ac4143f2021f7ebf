#ifndef REPLICA_SQLITE_STORE_HPP
#define REPLICA_SQLITE_STORE_HPP

// The store of one kind of database on one disk: opens existing files and makes new ones. Opening
// never makes a file: an empty database made by mistake would be replicated as a real one.

#include <replica/sqlite/cells.hpp>
#include <replica/sqlite/check.hpp>
#include <replica/sqlite/database.hpp>
#include <replica/sqlite/handle.hpp>
#include <replica/sqlite/migrate.hpp>
#include <replica/sqlite/open.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/hash_path.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// Models Broker. `Db` is the handle: SqliteDatabase of the schema, or a class derived from it.
/// Thread safety: any thread; each handle belongs to one task.
template <sqlite::Schema S, Disk D, Clock C, class Db = SqliteDatabase<S, D, C>>
class SqliteBroker {
public:
    using kind_type = typename S::kind_type;
    using database_type = Db;
    using disk_type = D;
    using clock_type = C;

    /// All three are copied into each handle.
    explicit SqliteBroker(D disk = D(), C clock = C(), SqliteOptions options = {})
        : disk_(std::move(disk)), clock_(std::move(clock)), options_(std::move(options)) {}

    [[nodiscard]] D& disk() { return disk_; }
    [[nodiscard]] C& clock() { return clock_; }

    /// Brings a file of an old Swift up to date, unless the options say otherwise. Throws missing,
    /// not_a_database, corrupt, missing_table, unknown_schema, locked (also for a write-ahead log
    /// that others have open), wal, and io (also if a file that must be brought up to date is
    /// read-only). Any later call may throw these as well: a connection may be opened only then
    /// (sqlite/handle.hpp).
    [[nodiscard]] database_type open(const std::string& path, Instant deadline) {
        return database_type(sqlite::Handle<S, D, C>(path, disk_, clock_, options_, deadline));
    }

    /// Opens a file that came from elsewhere and checks all of it (check.hpp): 0.6 s for a million
    /// rows. Nobody else may know the file: the handle has no journal on the disk and syncs
    /// nothing, since after a crash the file is worthless. Whoever gives it a database's name
    /// closes the handle and syncs the file first (storage/storage.hpp: install, replace). Throws
    /// timed_out at the deadline. The checked file itself is used. Copying its rows to a file of
    /// our own would need no comparison of schemas, but takes at least 1.3 s, twice the space and
    /// twice the writing.
    [[nodiscard]] database_type open_upload(const std::string& path, Instant deadline) {
        sqlite::require_file(disk_, path);
        sqlite::check_header(disk_, path);
        sqlite::require_honest_cells(disk_, path, clock_, deadline);
        auto connection = sqlite::connect(path, disk_, clock_, options_, deadline);
        connection->execute("PRAGMA cell_size_check = ON"); // costs nothing measurable
        const bool current = sqlite::prepare<S>(*connection, options_);
        connection->execute("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF");
        sqlite::Content content;
        {
            // Ends before the connection is handed on: whoever owns it then may close it first.
            const sqlite::Watch watch(*connection, clock_, deadline);
            const auto check = [&] { content = sqlite::check_content<S>(*connection); };
            if (!current) {
                sqlite::migrate<S>(*connection, check);
            } else {
                // One lock instead of 25, each with a look for a journal.
                const sqlite::Transaction once(*connection, sqlite::Transaction::Kind::read);
                sqlite::check_schema<S>(*connection);
                check();
            }
        }
        database_type database(
            sqlite::Handle<S, D, C>(std::move(connection), disk_, clock_, options_));
        database.remember(std::move(content));
        return database;
    }

    /// Makes a database with the names, times and policy of `info`. An empty id becomes a new one,
    /// times of "0" become now. Throws exists, having changed nothing, if there is a database, and
    /// locked if a journal lies in the way and somebody holds the lock of the directory.
    ///
    /// Order: make the directories durable; build the file under a private name; fsync it; remove a
    /// journal that was left of an earlier file; rename without replacing; fsync the directory.
    database_type create(const std::string& path, const typename S::info_type& info,
                         Instant deadline = Instant::max()) {
        sqlite::NewDatabase made = sqlite::NewDatabase::like(info);
        made.id = made.id.empty() ? sqlite::new_id(path) : made.id;
        const std::string now = clock_.now().internal();
        made.created_at = made.created_at == "0" ? now : made.created_at;
        made.put_timestamp = made.put_timestamp == "0" ? now : made.put_timestamp;
        const std::string directory = storage::parent(path);
        const std::string draft = path + '.' + sqlite::random_uuid() + ".new";
        make_durable(directory);
        try {
            storage::make_private_file(disk_, draft);
            {
                sqlite::Connection file(draft, sqlite::Connection::Mode::create,
                                        sqlite::wait_by(clock_), deadline, options_.vfs);
                sqlite::make_schema<S>(file, made);
            }
            disk_.sync(draft);
            drop_old_journal(path, deadline);
            if (!disk_.rename_new(draft, path)) {
                throw Failure(Error::exists, path + ": already exists");
            }
        } catch (...) {
            disk_.remove(draft);
            disk_.remove(draft + "-journal"); // SQLite leaves it if the disk fails
            throw;
        }
        disk_.sync(directory);
        return open(path, deadline);
    }

private:
    /// Removes the journal of an earlier file of this name, which SQLite would play back into the
    /// new one (defect 7). Under the lock of the directory, lest somebody else makes the database
    /// and writes to it meanwhile.
    void drop_old_journal(const std::string& path, Instant deadline) {
        const std::string journal = path + "-journal";
        if (!disk_.stat(journal)) {
            return;
        }
        const std::string directory = storage::parent(path);
        const auto lock = storage::lock_directory(disk_, clock_, directory, deadline);
        if (!disk_.stat(path) && disk_.remove(journal)) {
            disk_.sync(directory);
        }
    }

    /// Makes a directory, and durable the entry of each one that was missing: else a power cut
    /// takes the directories away, with the database in them. Suffix, partition and datadir of a
    /// hash directory may be there, and not durable: a stock server syncs none of them (defect
    /// 123).
    void make_durable(const std::string& directory) {
        const int shared = is_hash(storage::base(directory)) ? 4 : 0;
        std::vector<std::string> parents;
        std::string at = directory;
        for (int level = 0; at.size() > 1 && (level < shared || !disk_.stat(at)); ++level) {
            at = storage::parent(at);
            parents.push_back(at);
        }
        disk_.make_directories(directory);
        for (const std::string& each : parents) {
            disk_.sync(each);
        }
    }

    [[no_unique_address]] D disk_;
    [[no_unique_address]] C clock_;
    SqliteOptions options_;
};

} // namespace replica

#endif // REPLICA_SQLITE_STORE_HPP
