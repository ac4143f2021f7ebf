#ifndef REPLICA_RECORD_ROW_HPP
#define REPLICA_RECORD_ROW_HPP

// A row of a host program's own. The flow knows its name, when it was changed, and whether it is a
// tombstone. The rest is one JSON object as text, which the flow hands on as it came. So a node
// whose program is older keeps members that it does not know, and no table has to be altered when a
// struct gains a member. What the text says: record/fields.hpp.

#include <replica/error.hpp>
#include <replica/rows/merge.hpp>
#include <replica/words/info.hpp>
#include <replica/words/json.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace replica {

/// Info of a database of records. Its `account` is the name that the host program gave it.
struct RecordInfo : Info {
    RecordInfo() = default;
    /// Of a database that does not exist yet.
    explicit RecordInfo(std::string name) { account = std::move(name); }

    /// "/name": what is hashed for the database's place.
    [[nodiscard]] std::string name() const { return '/' + account; }

    friend bool operator==(const RecordInfo&, const RecordInfo&) = default;
};

/// A record as it is stored and sent.
struct RecordRow {
    std::int64_t rowid = -1;  ///< -1: not stored yet.
    std::string name;         ///< The key.
    std::string changed_at;   ///< The time of the put or the erasure, as Timestamp::internal().
    std::string record;       ///< A JSON object without the key; empty in a tombstone.
    std::int64_t deleted = 0; ///< 1: a tombstone.

    friend bool operator==(const RecordRow&, const RecordRow&) = default;
};

namespace detail {

/// Whether a text is a JSON object of texts, whole numbers, truths and nulls. Others are not
/// written, and could not be carried over by an older program. The memory of a request is counted
/// before (json::cost_of), where a record is one value; so a record may not have many.
[[nodiscard]] inline bool is_record(std::string_view text) {
    constexpr std::size_t most_values = 1000; // two for each member, and one
    try {
        const boost::json::value value = json::parse(text, most_values);
        const auto* const object = value.if_object();
        return object != nullptr && std::ranges::all_of(*object, [](const auto& member) {
                   const boost::json::value& held = member.value();
                   return held.is_string() || held.is_int64() || held.is_bool() || held.is_null();
               });
    } catch (const Failure&) {
        return false;
    }
}

} // namespace detail

/// Why a row cannot be stored; empty if it can. A time has one form only, since the form goes into
/// the hash.
[[nodiscard]] inline std::string unusable(const RecordRow& row) {
    if (row.name.empty()) {
        return "no name";
    }
    if (row.deleted != 0 && row.deleted != 1) {
        return "deleted is neither 0 nor 1";
    }
    const auto time = Timestamp::parse(row.changed_at);
    if (!time || time->internal() != row.changed_at) {
        return "changed_at is no timestamp";
    }
    const bool fits = row.deleted == 1 ? row.record.empty() : detail::is_record(row.record);
    return fits ? "" : "record is no JSON object of plain values";
}

/// When a record was last written (send/stale.hpp).
[[nodiscard]] inline Timestamp newest_time(const RecordRow& row) {
    return timestamp_or_zero(row.changed_at);
}

/// A received row is stored as it came.
inline void normalise(RecordRow& /*row*/) {}

/// A record as one register: its time, and what was written then. The greatest pair stays, so a
/// merge is commutative, associative and idempotent over all columns (invariant I4).
struct RecordState {
    using row_type = RecordRow; ///< What a state is made from and gives.

    std::string name;         ///< The key.
    Timestamp time;           ///< Of the put or the erasure.
    std::int64_t deleted = 0; ///< 1: a tombstone.
    std::string record;       ///< A JSON object without the key; empty in a tombstone.

    /// Throws bad_request for a row without a name, or with a changed_at that is no time.
    [[nodiscard]] static RecordState of(const RecordRow& row) {
        const auto time = Timestamp::parse(row.changed_at);
        if (row.name.empty() || !time) {
            throw Failure(Error::bad_request, "row " + std::to_string(row.rowid) +
                                                  (time ? " has no name"
                                                        : " has a changed_at that is no time: '" +
                                                              row.changed_at + "'"));
        }
        return {row.name, *time, row.deleted != 0 ? 1 : 0, row.record};
    }

    /// From a stored row. A changed_at that is no time counts as 0.
    [[nodiscard]] static RecordState stored(RecordRow row) {
        if (!Timestamp::parse(row.changed_at)) {
            row.changed_at = Timestamp{}.internal();
        }
        return of(row);
    }

    /// The row to be stored.
    [[nodiscard]] RecordRow row() const { return {-1, name, time.internal(), record, deleted}; }

    /// Whether the row is a tombstone that reclaim with this limit drops.
    [[nodiscard]] bool is_tombstone_from_before(Timestamp limit) const {
        return deleted != 0 && time < limit;
    }

    /// By which rows are one record.
    [[nodiscard]] std::string_view key() const { return name; }

    /// Merges another row into this one. At equal times a tombstone wins, then the greater text.
    Joined join(const RecordState& other, RowOrigin /*origin*/ = RowOrigin::news) {
        Joined joined;
        detail::join_register(time, std::tie(deleted, record), other.time,
                              std::tie(other.deleted, other.record), joined);
        return joined;
    }

    friend bool operator==(const RecordState&, const RecordState&) = default;
};

} // namespace replica

BOOST_HANA_ADAPT_STRUCT(replica::RecordInfo, account, created_at, put_timestamp, delete_timestamp,
                        status_changed_at, bytes_used, hash, id, count, metadata, max_row);

BOOST_HANA_ADAPT_STRUCT(replica::RecordRow, rowid, name, changed_at, record, deleted);

#endif // REPLICA_RECORD_ROW_HPP
