#ifndef REPLICA_SQLITE_HOST_HPP
#define REPLICA_SQLITE_HOST_HPP

// For programs that keep their own data in these databases and want them replicated: put, list,
// delete. The replicator itself uses none of it.

#include <replica/error.hpp>
#include <replica/sqlite/database.hpp>
#include <replica/sqlite/listing.hpp>
#include <replica/words/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// The live rows and bytes of one storage policy in a database.
struct PolicyUse {
    std::int64_t count = 0;      ///< Live rows.
    std::int64_t bytes_used = 0; ///< Sum of the sizes.

    friend bool operator==(const PolicyUse&, const PolicyUse&) = default;
};

/// Everything about a database but its rows, for people to read.
template <class I>
struct Inspection {
    I info;                                     ///< What peers are told.
    std::vector<SyncPoint> incoming;            ///< Up to where rows have come from others.
    std::vector<SyncPoint> outgoing;            ///< Up to where others have ours.
    std::map<std::int64_t, PolicyUse> policies; ///< By the index of the policy.
    std::int64_t rows = 0;                      ///< Including tombstones.
};

/// Of a row in JSON. A larger one could not be sent, and would hold up all behind it (defect 122).
inline constexpr std::size_t most_row_bytes = 16 << 20;

/// Of a metadata item, key and value: all of them go with each question to a peer.
inline constexpr std::size_t most_item_bytes = 1 << 20;

/// A database with the calls of a client. Errors and thread safety as in SqliteDatabase.
template <sqlite::Schema S, Disk D, Clock C>
class HostDatabase : public SqliteDatabase<S, D, C> {
    using Base = SqliteDatabase<S, D, C>;

public:
    using row_type = typename S::row_type;   ///< ObjectRow, ContainerRow or RecordRow.
    using info_type = typename S::info_type; ///< ContainerInfo, AccountInfo or RecordInfo.
    using Base::Base;

    /// Writes rows of a client; at equal times the later row wins. Throws bad_request, having
    /// written nothing, for a row without a name or time, with text that is not UTF-8, or
    /// above most_row_bytes: such a row could never be sent, and would hold up all rows behind it.
    sqlite::Merged put(std::span<const row_type> rows) {
        this->connection().with_path([&] {
            for (std::string sent; const row_type& row : rows) {
                sent.clear();
                json::append_members(sent, row);
                if (sent.size() > most_row_bytes) {
                    throw Failure(Error::bad_request, "row '" + row.name.substr(0, 100) +
                                                          "': takes " +
                                                          std::to_string(sent.size()) +
                                                          " bytes as JSON, and one may take " +
                                                          std::to_string(most_row_bytes));
                }
            }
        });
        return this->merge_items(rows, std::string_view());
    }

    /// The same for one row.
    sqlite::Merged put(const row_type& row) { return put(std::span(&row, 1)); }

    /// Live rows in the order of their names, byte by byte.
    [[nodiscard]] std::vector<Listed<row_type>> list(const Listing& wanted = {}) {
        this->connection().require_in_place();
        return sqlite::list<S>(this->connection(), wanted);
    }

    /// Sets a metadata key unless it has a newer value; an empty value deletes it. Throws
    /// bad_request for text that is not UTF-8, and above most_item_bytes.
    void set_metadata(std::string_view key, std::string_view value, Timestamp time) {
        if (const std::size_t bytes = key.size() + value.size(); bytes > most_item_bytes) {
            throw Failure(Error::bad_request, "metadata '" + std::string(key.substr(0, 100)) +
                                                  "': takes " + std::to_string(bytes) +
                                                  " bytes, and one may take " +
                                                  std::to_string(most_item_bytes));
        }
        Metadata news;
        news.set({std::string(key), std::string(value), time.internal()});
        this->merge_metadata(news);
    }

    /// Marks the database deleted and deletes its metadata (Swift: delete_db). The caller deletes
    /// the rows: a container with live rows does not count as deleted, an account does.
    void mark_deleted(Timestamp time) {
        const std::string moment = time.internal();
        sqlite::Transaction transaction = this->begin_write();
        const Metadata held = this->metadata();
        Metadata cleared = held;
        for (const MetadataItem& item : held.items()) {
            if (!is_kept(item.key)) {
                cleared.set({item.key, "", moment});
            }
        }
        if (cleared != held) {
            this->update("SET metadata = ?", cleared.text());
        }
        this->update("SET delete_timestamp = ?, status = 'DELETED', status_changed_at = ?"
                     " WHERE delete_timestamp < ?",
                     moment, moment, moment);
        transaction.commit();
    }

    /// A PUT of a database that exists or was deleted.
    void mark_put(Timestamp time) {
        sqlite::Transaction transaction = this->begin_write();
        const std::string moment = time.internal();
        const bool was_deleted = S::is_deleted(this->connection(), this->read_state());
        this->update("SET put_timestamp = ? WHERE put_timestamp < ?", moment, moment);
        this->update("SET status = '' WHERE delete_timestamp < put_timestamp");
        const bool is_deleted = S::is_deleted(this->connection(), this->read_state());
        if (was_deleted && !is_deleted) {
            this->update("SET status_changed_at = ? WHERE status_changed_at < ?", moment, moment);
        }
        transaction.commit();
    }

    /// Whether the database counts as deleted, by Swift's rule for its kind.
    [[nodiscard]] bool is_deleted() {
        this->connection().require_in_place();
        return S::is_deleted(this->connection(), this->read_state());
    }

    /// Whether there is no live row in any policy.
    [[nodiscard]] bool empty() {
        this->connection().require_in_place();
        const auto policies = read_policies();
        return std::ranges::all_of(policies, [](const auto& use) { return use.second.count == 0; });
    }

    /// All of one moment.
    [[nodiscard]] Inspection<info_type> inspect() {
        const sqlite::Transaction snapshot(this->connection(), sqlite::Transaction::Kind::read);
        Inspection<info_type> result;
        result.info = S::read_info(this->connection());
        result.incoming = this->sync_points(Direction::incoming);
        result.outgoing = this->sync_points(Direction::outgoing);
        result.policies = read_policies();
        result.rows = this->connection().integer(S::select_row_count);
        return result;
    }

private:
    [[nodiscard]] std::map<std::int64_t, PolicyUse> read_policies() {
        std::map<std::int64_t, PolicyUse> policies;
        sqlite::Query found = this->connection().query(S::select_policies);
        while (found.step()) {
            policies[found.integer(0)] = {found.integer(1), found.integer(2)};
        }
        return policies;
    }

    static bool is_kept(std::string_view key) {
        std::string lower(key);
        std::ranges::transform(lower, lower.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        return std::ranges::find(S::kept_metadata, lower) != S::kept_metadata.end();
    }
};

} // namespace replica

#endif // REPLICA_SQLITE_HOST_HPP
