#ifndef REPLICA_SQLITE_COPY_HPP
#define REPLICA_SQLITE_COPY_HPP

// Copies a live database without keeping writers out for long. With rollback journals a reader that
// stays blocks every commit, and sqlite3_backup starts again at each commit of another connection.
// So a large file is not copied by pages but by rows, in the order of their ROWIDs, in short
// transactions. A changed row gets a new, higher ROWID, so what is written meanwhile is copied
// last. Rows that were removed from the original meanwhile are noticed by comparing hashes.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/sqlite/chexor.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/options.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/storage.hpp>

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::sqlite {

/// Copies all pages under one shared lock (64 MiB take 0.25 s). `source` must not be in a write
/// transaction of its own.
inline void copy_pages(Connection& source, Connection& target) {
    struct Finish {
        void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
    };
    const std::unique_ptr<sqlite3_backup, Finish> backup(
        sqlite3_backup_init(target.get(), "main", source.get(), "main"));
    if (!backup) {
        check(target.get(), sqlite3_extended_errcode(target.get()), target.path(), "begin a copy");
    }
    // Locks are waited for in the source's busy handler, until its deadline.
    if (const int code = sqlite3_backup_step(backup.get(), -1); code != SQLITE_DONE) {
        check(nullptr, code == SQLITE_OK ? SQLITE_BUSY : code, source.path(), "copy");
    }
}

/// All pages as of one moment, read under one shared lock through SQLite's own descriptor; nothing
/// if they are more than `most` bytes (below 2 GiB), or if `source` has a transaction of its own,
/// whose changes may not be in the file yet. What the file has beyond the last page is not read.
///
/// sqlite3_serialize gives a page that cannot be read as zeros, and says nothing.
[[nodiscard]] inline std::optional<std::string> read_pages(Connection& source, std::int64_t most) {
    if (source.in_transaction()) {
        return std::nullopt;
    }
    const Transaction snapshot(source, Transaction::Kind::read);
    const std::int64_t bytes =
        source.integer("PRAGMA page_count") * source.integer("PRAGMA page_size");
    if (bytes > most) {
        return std::nullopt;
    }
    sqlite3_file* file = nullptr;
    check(source.get(),
          sqlite3_file_control(source.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file),
          source.path(), "find the file");
    std::string pages(static_cast<std::size_t>(bytes), '\0');
    check(nullptr, file->pMethods->xRead(file, pages.data(), static_cast<int>(bytes), 0),
          source.path(), "read");
    return pages;
}

/// Copies rows with their ROWIDs. `S` is a schema.
template <class S>
class RowCopy {
public:
    /// `target` is empty. `between` is called between pages, with no lock held; it throws to give
    /// up.
    RowCopy(Connection& source, Connection& target, std::int64_t page_rows,
            std::function<void()> between)
        : source_(&source), target_(&target), page_rows_(page_rows), between_(std::move(between)) {}

    void run() {
        // The copy is not in use yet and worthless after a crash, so it needs no journal.
        target_->execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
        {
            const Transaction snapshot(*source_, Transaction::Kind::read);
            for (const std::string pragma : {"PRAGMA page_size", "PRAGMA encoding"}) {
                target_->execute((pragma + " = '" + source_->text(pragma) + "'").c_str());
            }
            make("type = 'table' AND name NOT LIKE 'sqlite_%'");
            insert_row_ = copying_insert(S::rows);
        }
        while (copy_page() == page_rows_) {
            between_();
        }
        make("type = 'index'");
        while (!finish()) {
            between_();
            forget_lost_rows();
        }
        make("type IN ('trigger', 'view')");
    }

private:
    /// Makes the parts of the original's schema that the condition `which` selects.
    void make(const std::string& which) {
        const std::string sql =
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND " + which + " ORDER BY rowid";
        Query found = source_->query(sql);
        while (found.step()) {
            target_->query(found.view(0)).run();
        }
    }

    /// "INSERT INTO "t" ("a", "b") VALUES (?, ?)" with all columns of a table.
    [[nodiscard]] std::string copying_insert(std::string_view table) {
        std::string names;
        std::string values;
        Query columns = source_->query("SELECT name FROM pragma_table_info(?)");
        columns.bind(table);
        while (columns.step()) {
            names.append(names.empty() ? "\"" : ", \"").append(columns.view(0)).append("\"");
            values.append(values.empty() ? "?" : ", ?");
        }
        return "INSERT INTO \"" + std::string(table) + "\" (" + names + ") VALUES (" + values + ')';
    }

    /// Copies the next rows in one short read of the original. Returns how many there were.
    std::int64_t copy_page() {
        source_->require_in_place();
        std::int64_t rows = 0;
        Transaction writing(*target_, Transaction::Kind::write);
        {
            std::string sql("SELECT * FROM ");
            Query found = source_->query(
                sql.append(S::rows).append(" WHERE ROWID > ? ORDER BY ROWID LIMIT ?"));
            Query insert = target_->query(insert_row_);
            found.bind(point_, page_rows_);
            while (found.step()) {
                insert.bind_columns(found).run();
                ++rows;
                point_ = found.integer(0);
                replace_older(toggle(point_));
            }
        }
        writing.commit();
        return rows;
    }

    /// Adds a row of the copy to the hash, or removes it: XOR does both.
    typename S::row_type toggle(std::int64_t rowid) {
        Query found = target_->query(S::select_rowid);
        found.bind(rowid).step();
        typename S::row_type row = S::read(found);
        hash_.toggle(row.name, S::read_hashed(found));
        return row;
    }

    [[nodiscard]] bool is_lost(std::int64_t rowid) {
        return !source_->query(S::select_rowid).bind(rowid).step();
    }

    /// Removes from the copy the row that `row` has replaced in the original. Before the index is
    /// made nothing is looked up.
    void replace_older(const typename S::row_type& row) {
        if (!indexed_) {
            return;
        }
        std::vector<std::int64_t> older;
        Query held = target_->query(S::select_key);
        S::bind_key(held, S::state_type::stored(row));
        while (held.step()) {
            older.push_back(S::read_rowid(held));
        }
        for (const std::int64_t rowid : older) {
            if (is_lost(rowid)) {
                forget(rowid);
            }
        }
    }

    void forget(std::int64_t rowid) {
        toggle(rowid);
        target_->query(S::remove).bind(rowid).run();
    }

    /// In one snapshot: copies the last rows and, if the copy then has the rows of the original,
    /// all other tables. False if the rows differ, or if there are many rows left.
    bool finish() {
        indexed_ = true;
        const Transaction snapshot(*source_, Transaction::Kind::read);
        if (copy_page() == page_rows_) {
            return false;
        }
        const std::int64_t version = source_->integer("PRAGMA data_version");
        const bool compared = version == version_compared_; // the rows are equal, whatever the hash
        if (!compared && hash_.text() != source_->text(S::select_hash)) {
            return false;
        }
        Transaction writing(*target_, Transaction::Kind::write);
        std::vector<std::string> tables;
        {
            Query found = source_->query("SELECT name FROM sqlite_master WHERE type = 'table' AND"
                                         " name NOT LIKE 'sqlite_%'");
            while (found.step()) {
                tables.push_back(found.text(0));
            }
        }
        for (const std::string& table : tables) {
            if (table != S::rows) {
                copy_table(table);
            }
        }
        target_->execute("DELETE FROM sqlite_sequence");
        copy_table("sqlite_sequence");
        writing.commit();
        return true;
    }

    void copy_table(const std::string& table) {
        const std::string select = "SELECT * FROM \"" + table + '"';
        Query found = source_->query(select);
        Query insert = target_->query(copying_insert(table));
        while (found.step()) {
            insert.bind_columns(found).run();
        }
    }

    /// Removes from the copy the rows that the original no longer has, page by page. If nobody
    /// commits meanwhile, the two have the same rows afterwards.
    void forget_lost_rows() {
        const std::int64_t version = source_->integer("PRAGMA data_version");
        std::vector<std::int64_t> page;
        std::int64_t last = -1;
        do {
            page.clear();
            {
                Query held = target_->query(S::select_since);
                held.bind(last, page_rows_);
                while (held.step()) {
                    page.push_back(held.integer(0));
                }
            }
            const Transaction snapshot(*source_, Transaction::Kind::read);
            Transaction writing(*target_, Transaction::Kind::write);
            for (const std::int64_t rowid : page) {
                last = rowid;
                if (is_lost(rowid)) {
                    forget(rowid);
                }
            }
            writing.commit();
        } while (static_cast<std::int64_t>(page.size()) == page_rows_);
        version_compared_ = version;
    }

    Connection* source_;
    Connection* target_;
    std::int64_t page_rows_;
    std::function<void()> between_;
    std::string insert_row_;
    std::int64_t point_ = -1;
    std::int64_t version_compared_ = -1;
    Chexor hash_;
    bool indexed_ = false;
};

/// Makes a copy at `target`: with `page_rows` by so many rows at a time, with 0 all pages at once.
/// Throws timed_out at the source's deadline.
template <class S, Clock C>
void copy_to(Connection& source, const std::string& target, std::int64_t page_rows, C& clock) {
    Connection file = source.beside(target, Connection::Mode::create);
    if (page_rows == 0) {
        copy_pages(source, file);
        return;
    }
    const auto between = [&] {
        if (clock.monotonic() >= source.deadline()) {
            throw Failure(Error::timed_out, source.path() + ": not copied before the deadline");
        }
    };
    RowCopy<S>(source, file, page_rows, between).run();
}

/// Makes a durable copy at `target`, of a large file by rows. Throws exists if `target` exists. A
/// copy that failed is removed.
template <class S, Disk D, Clock C>
void copy_durably(Connection& source, const std::string& target, D& disk, C& clock,
                  const SqliteOptions& options) {
    if (disk.stat(target)) {
        throw Failure(Error::exists, target + ": already exists");
    }
    const auto status = disk.stat(source.path());
    const bool small = status && status->size <= options.copy_at_once;
    try {
        const bool at_once = small && !source.in_transaction();
        storage::make_private_file(disk, target);
        copy_to<S>(source, target, at_once ? 0 : options.page_rows, clock);
        disk.sync(target);
        disk.sync(storage::parent(target));
    } catch (...) {
        disk.remove(target);
        disk.remove(target + "-journal"); // SQLite leaves it if the disk fails
        throw;
    }
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_COPY_HPP
