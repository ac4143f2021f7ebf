#ifndef REPLICA_SQLITE_HANDLE_HPP
#define REPLICA_SQLITE_HANDLE_HPP

// The file of an open database. Most turns only look at an info and a few points, and find that
// nothing has to be done. So the file is read page by page as long as that suffices
// (page_file.hpp), and a connection is opened by the first call that needs one. Both are the same
// file: if it was replaced in between, that call throws moved.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/sqlite/check.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/glance.hpp>
#include <replica/sqlite/migrate.hpp>
#include <replica/sqlite/open.hpp>
#include <replica/sqlite/options.hpp>
#include <replica/sqlite/page_file.hpp>
#include <replica/sqlite/page_tables.hpp>
#include <replica/sqlite/schema.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace replica::sqlite {

/// Belongs to one task. Can be moved.
template <Schema S, Disk D, Clock C>
class Handle {
public:
    /// Opens an existing file, and brings that of an old Swift up to date: see SqliteBroker::open.
    Handle(std::string path, D disk, C clock, SqliteOptions options, Instant deadline)
        : path_(std::move(path)), disk_(std::move(disk)), clock_(std::move(clock)),
          options_(std::move(options)), deadline_(deadline) {
        require_database_file(disk_, path_);
        bool unknown = false;
        try {
            pages_ = std::make_unique<PageFile>(path_, options_.vfs);
            const PageFile::Snapshot snapshot(*pages_);
            tables_.emplace(*pages_, approved_schemas<S>(), unknown);
            // What is_current looks at: a file in which it is broken goes to quarantine when it is
            // opened. What is broken elsewhere is found by the first call that comes there.
            static_cast<void>(S::read_info(*tables_));
            for (const std::string table : {"incoming_sync", "outgoing_sync"}) {
                static_cast<void>(tables_->highest("sqlite_autoindex_" + table + "_1"));
                static_cast<void>(tables_->query("SELECT remote_id FROM " + table));
            }
            return;
        } catch (const NotPlain&) {
            tables_.reset();
            pages_.reset();
        }
        connection_ = connect(unknown);
    }

    /// Of a connection whose schema was checked.
    Handle(std::unique_ptr<Connection> connection, D disk, C clock, SqliteOptions options)
        : path_(connection->path()), disk_(std::move(disk)), clock_(std::move(clock)),
          options_(std::move(options)), deadline_(connection->deadline()),
          connection_(std::move(connection)) {}

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] D& disk() { return disk_; }
    [[nodiscard]] C& clock() { return clock_; }
    [[nodiscard]] const SqliteOptions& options() const { return options_; }

    /// All waits for locks end here.
    void set_deadline(Instant deadline) {
        deadline_ = deadline;
        if (connection_) {
            connection_->set_deadline(deadline);
        }
    }

    /// The connection, which is opened now if it is not open yet. Throws moved if the file was
    /// removed or replaced since it was first read, and what SqliteBroker::open throws.
    [[nodiscard]] Connection& connection() {
        if (!connection_) {
            require_in_place();
            std::unique_ptr<Connection> opened;
            try {
                opened = connect(false);
            } catch (const Failure&) {
                require_in_place();
                throw;
            }
            require_in_place();
            connection_ = std::move(opened);
            tables_.reset();
            pages_.reset();
        }
        return *connection_;
    }

    /// What `read(tables)` returns, in one snapshot, read without a connection; nothing if that is
    /// not possible. Throws moved if the file was removed or replaced.
    template <std::invocable<PageTables&> Read>
    [[nodiscard]] auto glance(Read read) -> std::optional<std::invoke_result_t<Read, PageTables&>> {
        if (connection_) {
            return std::nullopt;
        }
        require_in_place();
        try {
            const PageFile::Snapshot snapshot(*pages_);
            if (!tables_ || tables_->version() != pages_->version()) {
                bool unknown = false;
                tables_.emplace(*pages_, approved_schemas<S>(), unknown);
            }
            return read(*tables_);
        } catch (const NotPlain&) {
            return std::nullopt;
        }
    }

    /// What `read` returns of the pages, or else `ask` of a connection.
    template <std::invocable<PageTables&> Read, std::invocable<Connection&> Ask>
    [[nodiscard]] std::invoke_result_t<Ask, Connection&> look(Read read, Ask ask) {
        if (auto seen = glance(std::move(read))) {
            return *std::move(seen);
        }
        connection().require_in_place();
        return ask(connection());
    }

    /// See Database. Of the pages as long as nothing needs a connection: who sends a file asks for
    /// it, and a connection takes as long as all else that the sender does with a small file.
    /// SQLite's numbers begin at 1 and stand 32 bits higher, so the two are never the same.
    [[nodiscard]] std::uint64_t version() {
        return look([](PageTables& tables) { return tables.version(); },
                    [](Connection& opened) {
                        const std::int64_t others = opened.integer("PRAGMA data_version");
                        return (static_cast<std::uint64_t>(others) << 32U) + opened.commits();
                    });
    }

private:
    /// While there is no connection.
    void require_in_place() {
        if (pages_->moved()) {
            fail_as_moved(path_);
        }
    }

    /// `learn`: the schema is not among the approved.
    [[nodiscard]] std::unique_ptr<Connection> connect(bool learn) {
        auto connection = sqlite::connect(path_, disk_, clock_, options_, deadline_);
        if (!prepare<S>(*connection, options_)) {
            migrate<S>(*connection, [] {});
        } else if (learn) {
            const Transaction snapshot(*connection, Transaction::Kind::read);
            approve_schema<S>(*connection, approved_schemas<S>());
        }
        return connection;
    }

    std::string path_;
    [[no_unique_address]] D disk_;
    [[no_unique_address]] C clock_;
    SqliteOptions options_;
    Instant deadline_;
    std::unique_ptr<PageFile> pages_; ///< Until there is a connection.
    std::optional<PageTables> tables_;
    std::unique_ptr<Connection> connection_;
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_HANDLE_HPP
