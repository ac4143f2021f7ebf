#ifndef REPLICA_SQLITE_PAGE_FILE_HPP
#define REPLICA_SQLITE_PAGE_FILE_HPP

// A database file read page by page, without a connection. Opening a connection costs SQLite 1.1
// million instructions, two thirds of them to parse the schema, and most turns only look at one row
// of a few tables. The pages come through SQLite's own file system layer, under its shared lock, so
// that writers of this and other processes are kept out as they are by a statement, and POSIX locks
// on the file are shared with the connections of this process. A turn looks at the same pages some
// six times: with the lock that is ten system calls each time, and without it three.
//
// Whatever is not plain ends in NotPlain, and whoever asked uses a connection instead: a journal or
// a log beside the file, a lock that keeps readers out, a header with unusual settings, a short
// read, and more bytes than our tables have.
// The format: https://www.sqlite.org/fileformat2.html

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace replica::sqlite {

/// The file is in a form or a state that only SQLite can deal with.
class NotPlain : public std::exception {
public:
    [[nodiscard]] const char* what() const noexcept override { return "must be read by SQLite"; }
};

/// A number of `bytes` bytes, the highest first. Throws NotPlain beyond the end.
[[nodiscard]] inline std::uint64_t big_endian(std::string_view text, std::size_t at, int bytes) {
    if (at > text.size() || static_cast<std::size_t>(bytes) > text.size() - at) {
        throw NotPlain();
    }
    std::uint64_t number = 0;
    for (int i = 0; i < bytes; ++i) {
        number =
            (number << 8U) | static_cast<unsigned char>(text[at + static_cast<std::size_t>(i)]);
    }
    return number;
}

/// An open file of SQLite's file system layer. Not thread safe.
class PageFile {
public:
    /// `vfs` names the file system layer; empty: SQLite's usual one. Throws NotPlain.
    PageFile(const std::string& path, const std::string& vfs)
        : path_(path), vfs_(sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str())),
          journal_(path + "-journal"), log_(path + "-wal"),
          name_(sqlite3_create_filename(path.c_str(), journal_.c_str(), log_.c_str(), 0, nullptr)) {
        if (vfs_ == nullptr || name_ == nullptr) {
            throw NotPlain();
        }
        memory_.reset(::operator new(static_cast<std::size_t>(vfs_->szOsFile)));
        std::memset(memory_.get(), 0, static_cast<std::size_t>(vfs_->szOsFile));
        if (vfs_->xOpen(vfs_, name_.get(), file(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB,
                        nullptr) != SQLITE_OK) {
            close();
            throw NotPlain();
        }
    }

    PageFile(const PageFile&) = delete;
    PageFile& operator=(const PageFile&) = delete;
    ~PageFile() { close(); }

    [[nodiscard]] const std::string& path() const { return path_; }

    /// Whether the open file was removed or replaced under its name.
    [[nodiscard]] bool moved() {
        int moved = 0;
        file()->pMethods->xFileControl(file(), SQLITE_FCNTL_HAS_MOVED, &moved);
        return moved != 0; // as a connection says it, also of a layer that does not know
    }

    /// One state of the file. What was read stays valid for the next one if nobody has written;
    /// the shared lock is taken, and held to the end, by what is read anew.
    class Snapshot {
    public:
        explicit Snapshot(PageFile& file) : file_(&file) {
            try {
                file.begin();
            } catch (...) {
                file.end();
                throw;
            }
        }
        Snapshot(const Snapshot&) = delete;
        Snapshot& operator=(const Snapshot&) = delete;
        ~Snapshot() { file_->end(); }

    private:
        PageFile* file_;
    };

    /// Grows whenever a snapshot finds that the file was written to.
    [[nodiscard]] std::uint64_t version() const { return version_; }

    /// Bytes of a page that hold content. Within a snapshot, as all that follows.
    [[nodiscard]] std::size_t usable() const { return usable_; }

    [[nodiscard]] std::uint64_t page_count() const { return page_count_; }

    /// Notes that so many bytes are read or kept for this snapshot. Throws NotPlain beyond 8 MiB: a
    /// forged file may lead to the same pages and cells again and again.
    void spend(std::uint64_t bytes) {
        spent_ += std::min(bytes, most_spent + 1);
        if (spent_ > most_spent) {
            throw NotPlain();
        }
    }

    /// A page, from 1. Valid until the file is written to. Throws NotPlain beyond the end.
    [[nodiscard]] const std::string& page(std::uint64_t number) {
        if (number == 0 || number > page_count_) {
            throw NotPlain();
        }
        spend(page_bytes_);
        auto& page = pages_[number];
        if (page.empty()) {
            require_lock();
            page = read((number - 1) * page_bytes_, page_bytes_);
        }
        return page;
    }

    /// The whole file, unless it has more than `most` bytes.
    [[nodiscard]] std::optional<std::string> image(std::int64_t most) {
        const std::uint64_t bytes = page_count_ * page_bytes_;
        if (most < 0 || bytes > static_cast<std::uint64_t>(most)) {
            return std::nullopt;
        }
        require_lock();
        return read(0, bytes);
    }

private:
    struct Free {
        void operator()(void* memory) const { ::operator delete(memory); }
    };
    /// char before SQLite 3.40, const char since.
    using Name = std::remove_pointer_t<decltype(sqlite3_create_filename("", "", "", 0, nullptr))>;
    struct FreeName {
        void operator()(Name* name) const { sqlite3_free_filename(name); }
    };

    static constexpr std::size_t header_bytes = 100;
    static constexpr std::uint64_t most_spent = 8U << 20U;

    [[nodiscard]] sqlite3_file* file() { return static_cast<sqlite3_file*>(memory_.get()); }
    [[nodiscard]] const sqlite3_io_methods& methods() { return *file()->pMethods; }

    void close() noexcept {
        if (memory_ != nullptr && file()->pMethods != nullptr) {
            file()->pMethods->xClose(file());
        }
    }

    /// A file whose header is as it was needs no lock as long as no other page is read: SQLite
    /// changes a number of the header with each transaction, before the transaction counts. If one
    /// is under way, or was interrupted, the pages that were read are those from before it. (With
    /// `locking_mode = EXCLUSIVE` only the first transaction changes it, but under a lock that
    /// nobody held when the pages were read.)
    void begin() {
        spent_ = 0;
        if (!header_.empty() && is_unchanged()) {
            return;
        }
        lock();
        std::string header = read(0, header_bytes);
        const sqlite3_int64 size = file_size();
        if (header == header_ && size == size_) {
            return;
        }
        pages_.clear();
        header_.clear();
        ++version_;
        parse(header, static_cast<std::uint64_t>(size));
        header_ = std::move(header);
        size_ = size;
    }

    /// Within a snapshot that began without the lock.
    void require_lock() {
        if (!locked_) {
            lock();
            if (!is_unchanged()) {
                throw NotPlain();
            }
        }
    }

    /// The order is SQLite's: the lock, then a look for a journal, then the header. A writer that
    /// has a journal but not yet the exclusive lock has written nothing to the file; that such a
    /// journal is not hot is for SQLite to say.
    void lock() {
        if (methods().xLock(file(), SQLITE_LOCK_SHARED) != SQLITE_OK) {
            throw NotPlain();
        }
        locked_ = true;
        for (const std::string& beside : {journal_, log_}) {
            int there = 1;
            const int code = vfs_->xAccess(vfs_, beside.c_str(), SQLITE_ACCESS_EXISTS, &there);
            if (code != SQLITE_OK || there != 0) {
                throw NotPlain();
            }
        }
    }

    void end() noexcept {
        if (std::exchange(locked_, false)) {
            static_cast<void>(methods().xUnlock(file(), SQLITE_LOCK_NONE));
        }
    }

    [[nodiscard]] bool is_unchanged() {
        return read(0, header_bytes) == header_ && file_size() == size_;
    }

    [[nodiscard]] sqlite3_int64 file_size() {
        sqlite3_int64 size = 0;
        if (methods().xFileSize(file(), &size) != SQLITE_OK) {
            throw NotPlain();
        }
        return size;
    }

    void parse(std::string_view header, std::uint64_t size) {
        constexpr std::string_view magic("SQLite format 3\0", 16);
        page_bytes_ = big_endian(header, 16, 2);
        page_bytes_ = page_bytes_ == 1 ? 65536 : page_bytes_;
        const std::uint64_t reserved = big_endian(header, 20, 1);
        page_count_ = big_endian(header, 28, 4);
        const bool plain =
            header.starts_with(magic) && page_bytes_ >= 512 &&
            (page_bytes_ & (page_bytes_ - 1)) == 0 && page_bytes_ - reserved >= 480 &&
            header[18] == 1 && header[19] == 1 &&                     // no write-ahead log
            big_endian(header, 24, 4) == big_endian(header, 92, 4) && // the count is valid
            big_endian(header, 44, 4) == 4 &&                         // records as described
            big_endian(header, 56, 4) == 1 &&                         // UTF-8
            page_count_ > 0 && page_count_ * page_bytes_ <= size;
        if (!plain) {
            throw NotPlain();
        }
        usable_ = page_bytes_ - reserved;
    }

    [[nodiscard]] std::string read(std::uint64_t at, std::uint64_t bytes) {
        std::string text(bytes, '\0');
        if (methods().xRead(file(), text.data(), static_cast<int>(bytes),
                            static_cast<sqlite3_int64>(at)) != SQLITE_OK) {
            throw NotPlain();
        }
        return text;
    }

    std::string path_;
    sqlite3_vfs* vfs_;
    std::string journal_;
    std::string log_;
    std::unique_ptr<Name, FreeName> name_; ///< SQLite's layer keeps a pointer to it.
    std::unique_ptr<void, Free> memory_;

    std::uint64_t version_ = 0;
    bool locked_ = false;
    std::string header_; ///< As the pages were read.
    sqlite3_int64 size_ = 0;
    std::uint64_t page_bytes_ = 0;
    std::uint64_t page_count_ = 0;
    std::size_t usable_ = 0;
    std::uint64_t spent_ = 0;
    std::map<std::uint64_t, std::string> pages_;
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_PAGE_FILE_HPP
