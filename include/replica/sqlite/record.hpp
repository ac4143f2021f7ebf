#ifndef REPLICA_SQLITE_RECORD_HPP
#define REPLICA_SQLITE_RECORD_HPP

// A replicated store of a host program's own structs:
//
//   BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (std::string, text), (std::int64_t, stars));
//   RecordBroker<Note> store;
//
// Each database is a file with records in the order of their keys, and has a name. The struct gives
// the columns, their JSON, and the kind with its directory on a device (record/kind.hpp). Of two
// writes to one record the newer stays on all nodes, whatever the order in which they come.

#include <replica/disk/mounts.hpp>
#include <replica/disk/posix.hpp>
#include <replica/error.hpp>
#include <replica/record/fields.hpp>
#include <replica/record/kind.hpp>
#include <replica/ring.hpp>
#include <replica/settings.hpp>
#include <replica/sqlite/host.hpp>
#include <replica/sqlite/record_schema.hpp>
#include <replica/sqlite/store.hpp>
#include <replica/storage/place.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// How far a watcher has come: the last ROWID that it saw, and the id of the file that the ROWID
/// belongs to. A default one is before all records.
struct RecordPoint {
    std::string id{};        ///< As in Info; empty: before all records.
    std::int64_t rowid = -1; ///< -1: nothing was seen yet.

    friend bool operator==(const RecordPoint&, const RecordPoint&) = default;
};

/// Key, and members in JSON. A record goes to a peer in one request, in which a byte of the members
/// may take two and one of the key six, and a server takes 64 MiB.
inline constexpr std::size_t most_record_bytes = 8 << 20;

/// An open database of records. Errors and thread safety as in SqliteDatabase: all calls throw
/// Failure, and a handle belongs to one task.
template <Record T, Disk D, Clock C>
class RecordDatabase : public HostDatabase<sqlite::RecordSchema<RecordKind<T>>, D, C> {
    using Schema = sqlite::RecordSchema<RecordKind<T>>;
    using Base = HostDatabase<Schema, D, C>;

public:
    using Base::Base;
    using Base::put; // rows as they are stored, with times of their own: for copies of other stores

    /// Writes a record, in place of the one with its key. Members of a newer program's struct stay.
    /// Throws bad_request, having written nothing, for an empty key, text that is not UTF-8, a
    /// record above most_record_bytes, and one of the last time that there is:
    /// Timestamp::max_ticks.
    void put(const T& record) {
        write(record::key_of(record), [&](const std::optional<RecordRow>& held) {
            return record::to_text(record, held ? std::string_view(held->record) : "");
        });
    }

    /// Erases a record, also on the nodes that have it while this one does not. Returns whether it
    /// was here. Throws bad_request as put() does.
    bool erase(const std::string& key) {
        bool was_here = false;
        write(key, [&](const std::optional<RecordRow>& held) {
            was_here = held && held->deleted == 0;
            return std::string();
        });
        return was_here;
    }

    /// Throws bad_request if a member has another type than in T.
    [[nodiscard]] std::optional<T> get(const std::string& key) {
        this->connection().require_in_place();
        const auto held = find(key);
        return held ? read(*held) : std::nullopt;
    }

    /// At most `limit` records in the order of their keys, byte by byte. `wanted.marker`: only keys
    /// after this one; `wanted.prefix`: only keys that begin with it. A delimiter is not used.
    /// Throws bad_request, as get() does, if one of them cannot be read.
    [[nodiscard]] std::vector<T> list(Listing wanted = {}) {
        wanted.delimiter.clear();
        std::vector<T> records;
        for (const Listed<RecordRow>& each : Base::list(wanted)) {
            records.push_back(record::from_text<T>(each.row.name, each.row.record));
        }
        return records;
    }

    /// As list(wanted), but calls unreadable(key, failure) for a record with a member of another
    /// type than in T, and goes on. Fewer than `limit` records are the last ones.
    template <std::invocable<const std::string&, const Failure&> Unreadable>
    [[nodiscard]] std::vector<T> list(Listing wanted, Unreadable unreadable) {
        wanted.delimiter.clear();
        const std::int64_t limit = wanted.limit;
        std::vector<T> records;
        for (bool more = true; more;) {
            wanted.limit = limit - std::ssize(records);
            const auto page = Base::list(wanted);
            for (const Listed<RecordRow>& each : page) {
                read(
                    each.row, [&](std::optional<T> record) { records.push_back(*record); },
                    unreadable);
                wanted.marker = each.row.name;
            }
            more = !page.empty() && std::ssize(records) < limit;
        }
        return records;
    }

    /// Calls seen(key, record) for each record that was written or erased since `point`, by this
    /// program or by replication; an erased one is an empty optional. Of several writes to one
    /// record only the last is seen. A record with a member of another type than in T goes to
    /// unreadable(key, failure) instead. Returns the point for the next call. Begin with a default
    /// point for all records, or with now() for what is still to come. version() tells cheaply
    /// whether there is anything to see.
    ///
    /// ROWIDs are those of one file. If replication has put another file in its place, or the file
    /// has got another id, all records are seen again. After a throw, also of a callback, the
    /// former point holds, and what was seen since is seen again.
    template <std::invocable<const std::string&, const std::optional<T>&> Seen,
              std::invocable<const std::string&, const Failure&> Unreadable>
    [[nodiscard]] RecordPoint watch(RecordPoint point, Seen seen, Unreadable unreadable) {
        for (auto rows = next_page(point); !rows.empty(); rows = next_page(point)) {
            for (const RecordRow& row : rows) {
                read(
                    row, [&](const std::optional<T>& record) { seen(row.name, record); },
                    unreadable);
            }
            point.rowid = rows.back().rowid;
        }
        return point;
    }

    /// The point before the next change.
    [[nodiscard]] RecordPoint now() {
        const RecordInfo info = this->info();
        return {info.id, info.max_row};
    }

private:
    [[nodiscard]] static std::optional<T> read(const RecordRow& row) {
        return row.deleted != 0 ? std::nullopt
                                : std::optional(record::from_text<T>(row.name, row.record));
    }

    /// Only what the row's text is to blame for goes to `unreadable`, never a throw of `use`.
    template <std::invocable<std::optional<T>> Use,
              std::invocable<const std::string&, const Failure&> Unreadable>
    static void read(const RecordRow& row, Use use, Unreadable& unreadable) {
        std::optional<T> record;
        try {
            record = read(row);
        } catch (const Failure& failure) {
            unreadable(row.name, failure);
            return;
        }
        use(std::move(record));
    }

    /// The next rows after `point`, which begins anew if its file is another. Id and rows are of
    /// one moment: the id of a file may change between two reads.
    [[nodiscard]] std::vector<RecordRow> next_page(RecordPoint& point) {
        constexpr std::int64_t page = 1000;
        constexpr std::size_t page_bytes = 16 << 20;
        const sqlite::Transaction snapshot(this->connection(), sqlite::Transaction::Kind::read);
        std::string id = this->info().id;
        if (id != point.id) {
            point = {std::move(id), -1};
        }
        std::size_t left = page_bytes;
        return this->items_since(point.rowid, page, left);
    }

    [[nodiscard]] std::optional<RecordRow> find(const std::string& key) {
        std::optional<RecordState> held;
        std::int64_t rowid = -1;
        sqlite::Query found = this->connection().query(Schema::select_key);
        found.bind(key);
        while (found.step()) { // one, but for a damaged file
            RecordState next = RecordState::stored(Schema::read(found));
            rowid = Schema::read_rowid(found);
            held ? static_cast<void>(held->join(next)) : static_cast<void>(held = std::move(next));
        }
        if (!held) {
            return std::nullopt;
        }
        RecordRow row = held->row();
        row.rowid = rowid;
        return row;
    }

    /// The text of the new row. What is wrong with it is told with the key.
    template <std::invocable<const std::optional<RecordRow>&> Text>
    [[nodiscard]] static std::string checked(const std::string& key,
                                             const std::optional<RecordRow>& held, Text text) {
        const auto refuse = [&](const std::string& why) {
            throw Failure(Error::bad_request, "record '" + key.substr(0, 100) + "': " + why);
        };
        std::string made;
        try {
            made = text(held);
        } catch (const Failure& failure) {
            failure.error() == Error::bad_request ? refuse(failure.what()) : throw;
        }
        if (const std::size_t bytes = key.size() + made.size(); bytes > most_record_bytes) {
            refuse("takes " + std::to_string(bytes) + " bytes, and one may take " +
                   std::to_string(most_record_bytes));
        }
        return made;
    }

    /// The new row is later than the one that it replaces, whatever the clock says: else a write on
    /// a node whose clock is late, or a second write within ten microseconds, would be lost.
    template <std::invocable<const std::optional<RecordRow>&> Text>
    void write(const std::string& key, Text text) {
        this->together([&] {
            const auto held = find(key);
            RecordRow row{-1, key, {}, checked(key, held, text), 0};
            row.deleted = row.record.empty() ? 1 : 0;
            Timestamp time{this->clock().now().ticks, 0};
            if (held) {
                const Timestamp last = timestamp_or_zero(held->changed_at);
                time = std::max(time, Timestamp{last.ticks + 1, 0});
            }
            if (time.ticks >= Timestamp::max_ticks) { // no text of a time says it
                throw Failure(Error::bad_request,
                              "record '" + key + "': is of the last time, so no write is later");
            }
            row.changed_at = time.internal();
            Base::put(row);
        });
    }
};

/// Models Broker over any disk and clock. Thread safety: any thread.
template <Record T, Disk D, Clock C>
class BasicRecordBroker
    : public SqliteBroker<sqlite::RecordSchema<RecordKind<T>>, D, C, RecordDatabase<T, D, C>> {
    using Base = SqliteBroker<sqlite::RecordSchema<RecordKind<T>>, D, C, RecordDatabase<T, D, C>>;

public:
    using Base::Base;
    using typename Base::database_type;

    /// The file of the database `name` on a device of the ring, below `settings.devices`.
    template <RingVersion R>
    [[nodiscard]] static std::string path(const Settings& settings, const R& ring,
                                          const std::string& device, const std::string& name) {
        const HashPath hash_path{settings.hash_path_prefix, settings.hash_path_suffix};
        const std::string hash = hash_path(RecordInfo(name).name());
        return Place::on(storage::device_path(settings.devices, device), RecordKind<T>::datadir,
                         ring.partition(hash), hash, hash + ".db")
            .path();
    }

    /// Opens the database `name` on a device of the ring, or makes it. The device must be there: a
    /// mount point if `settings.mount_check` is set, else a directory. What is written below the
    /// mount point of a device that is not mounted is copied nowhere, and hidden by the mount.
    /// Throws not_mounted or bad_name, naming the device and having made nothing; else as open()
    /// and create().
    template <RingVersion R>
    [[nodiscard]] database_type open_or_create(const Settings& settings, const R& ring,
                                               const std::string& device, const std::string& name,
                                               Instant deadline = Instant::max()) {
        const auto drive =
            check_drive(this->disk(), settings.devices, device, settings.mount_check);
        if (!drive) {
            throw Failure(static_cast<Error>(drive.error().code.value()), drive.error().what);
        }
        return open_or_create(path(settings, ring, device, name), name, deadline);
    }

    /// As above, by the version that the ring has now.
    template <Ring R>
        requires(!RingVersion<R>)
    [[nodiscard]] database_type open_or_create(const Settings& settings, R& ring,
                                               const std::string& device, const std::string& name,
                                               Instant deadline = Instant::max()) {
        return open_or_create(settings, ring.version(), device, name, deadline);
    }

    /// As above, at a path, with all directories of it: for a caller that has looked at the device.
    [[nodiscard]] database_type open_or_create(const std::string& path, const std::string& name,
                                               Instant deadline = Instant::max()) {
        try {
            return this->open(path, deadline);
        } catch (const Failure& failure) {
            if (failure.error() != Error::missing) {
                throw;
            }
        }
        try {
            return this->create(path, RecordInfo(name), deadline);
        } catch (const Failure& failure) {
            if (failure.error() != Error::exists) {
                throw;
            }
            return this->open(path, deadline); // another thread or a peer has just made it
        }
    }
};

/// Models Broker over real files and real time.
template <Record T>
using RecordBroker = BasicRecordBroker<T, PosixDisk, SystemClock>;

} // namespace replica

#endif // REPLICA_SQLITE_RECORD_HPP
