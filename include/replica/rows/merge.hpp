#ifndef REPLICA_ROWS_MERGE_HPP
#define REPLICA_ROWS_MERGE_HPP

// Merges two rows with one name. At equal times Swift keeps the row that came first. So replicas
// that got the same rows in another order differ for ever, and the hash does not show it (defect
// 11). Here a row is a few registers, and each keeps the greatest value written to it, in a total
// order. That makes a merge commutative, associative and idempotent over all columns (invariant
// I4). The one exception is a container's report to its account, which has no time of its own: see
// ContainerState::join. No SQLite in here.

#include <replica/error.hpp>
#include <replica/words/info.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace replica {

/// Whether the merging replica has had a row before.
enum class RowOrigin {
    news,   ///< From a client or a container, or a replica's row that is new here.
    repeat, ///< A replica's row that has come before: not above its incoming point.
};

/// The effect of join().
struct Joined {
    bool changed = false; ///< The stored row was not the newest in everything.
    bool tie = false;     ///< Equal times with different values: one is lost.
};

namespace detail {

/// "text/plain;swift_bytes=9" -> "text/plain" and "9". Swift keeps the size of a large object's
/// segments in a parameter of the content type. That size belongs to the data, not to the type, and
/// comes last when we write it. All else stays as it was.
struct ContentType {
    std::string type;
    std::string bytes;

    [[nodiscard]] static ContentType parse(std::string_view text) {
        constexpr std::string_view key = "swift_bytes=";
        ContentType result;
        if (text.find(key) == std::string_view::npos) {
            result.type = text;
            return result;
        }
        for (std::size_t at = 0; at <= text.size();) {
            const std::size_t end = end_of_parameter(text, at);
            const std::string_view parameter = text.substr(at, end - at);
            std::string_view trimmed = trim(parameter);
            if (at > 0 && trimmed.starts_with(key) && is_number(trimmed.substr(key.size()))) {
                result.bytes = trimmed.substr(key.size());
            } else {
                result.type.append(at > 0 ? ";" : "").append(parameter);
            }
            at = end + 1;
        }
        return result;
    }

    [[nodiscard]] std::string text() const {
        return bytes.empty() ? type : type + ";swift_bytes=" + bytes;
    }

private:
    /// The next semicolon outside of quotes. A quote that is never closed is an ordinary character.
    static std::size_t end_of_parameter(std::string_view text, std::size_t at) {
        for (; at < text.size() && text[at] != ';'; ++at) {
            if (text[at] == '"') {
                std::size_t close = at + 1;
                while (close < text.size() && text[close] != '"') {
                    close += text[close] == '\\' ? 2 : 1;
                }
                at = close < text.size() ? close : at;
            }
        }
        return std::min(at, text.size());
    }

    static std::string_view trim(std::string_view text) {
        while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
            text.remove_prefix(1);
        }
        while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
            text.remove_suffix(1);
        }
        return text;
    }

    static bool is_number(std::string_view text) {
        return !text.empty() &&
               std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    }
};

/// (`time`, `value`) becomes the greater of the two pairs. Notes a tie if only the values differ.
template <class Time, class Value>
void join_register(Time& time, Value value, const Time& other_time, const auto& other_value,
                   Joined& joined) {
    const bool differ = value != other_value;
    joined.tie = joined.tie || (time == other_time && differ);
    if (std::tie(time, value) < std::tie(other_time, other_value)) {
        joined.changed = true;
        time = other_time;
        value = other_value;
    }
}

} // namespace detail

/// A row of a container, taken apart into three registers: the data with its time, the content type
/// with its time, and the time of the metadata (which are not in the row).
struct ObjectState {
    using row_type = ObjectRow;

    std::string name;
    std::int64_t storage_policy_index = 0;
    RowTimes times;
    std::int64_t deleted = 0;
    std::int64_t size = 0;
    std::string etag;
    std::string bytes; ///< swift_bytes.
    std::string content_type;

    /// Throws bad_request for a row without a name, or with a created_at that is no time.
    [[nodiscard]] static ObjectState of(const ObjectRow& row) {
        auto times = RowTimes::decode(row.created_at);
        if (row.name.empty() || !times) {
            throw Failure(Error::bad_request,
                          "row " + std::to_string(row.rowid) +
                              (times ? " has no name"
                                     : " has no usable created_at: '" + row.created_at + "'"));
        }
        auto type = detail::ContentType::parse(row.content_type);
        return {row.name,
                row.storage_policy_index,
                *times,
                row.deleted != 0 ? 1 : 0,
                row.size,
                row.etag,
                std::move(type.bytes),
                std::move(type.type)};
    }

    /// From a stored row. A created_at that is no time counts as 0.
    [[nodiscard]] static ObjectState stored(ObjectRow row) {
        if (!RowTimes::decode(row.created_at)) {
            row.created_at = Timestamp{}.normal();
        }
        return of(row);
    }

    [[nodiscard]] ObjectRow row() const {
        return {-1,
                name,
                times.encode(),
                size,
                detail::ContentType{content_type, bytes}.text(),
                etag,
                deleted,
                storage_policy_index};
    }

    /// Whether the row is a tombstone that reclaim with this limit drops.
    [[nodiscard]] bool is_tombstone_from_before(Timestamp limit) const {
        return deleted != 0 && times.data < limit;
    }

    /// An object may have one row per policy until the reconciler has moved its data.
    [[nodiscard]] std::pair<std::string_view, std::int64_t> key() const {
        return {name, storage_policy_index};
    }

    /// Merges another row into this one. At equal times a tombstone wins, then the greater values.
    ///
    /// `created_at` stores only the data's offset. Type and metadata inherit it when their times
    /// are equal, and a newer type comes from a POST, which has no offset. So repeating a merge
    /// gives the same winner, unless a type is older than its own data; Swift writes no such row.
    Joined join(const ObjectState& other, RowOrigin /*origin*/ = RowOrigin::news) {
        Joined joined;
        detail::join_register(times.data, std::tie(deleted, size, etag, bytes), other.times.data,
                              std::tie(other.deleted, other.size, other.etag, other.bytes), joined);
        bool gone = is_of_tombstone(content_type);
        const bool other_gone = is_of_tombstone(other.content_type);
        detail::join_register(times.content_type, std::tie(gone, content_type),
                              other.times.content_type, std::tie(other_gone, other.content_type),
                              joined);
        if (times.metadata.ticks < other.times.metadata.ticks) {
            times.metadata = other.times.metadata;
            joined.changed = true;
        }
        // As created_at will be read: a part inherits an offset only at an equal time.
        times.content_type.offset = inherited(times.data, times.content_type);
        times.metadata.offset = inherited(times.content_type, times.metadata);
        return joined;
    }

    friend bool operator==(const ObjectState&, const ObjectState&) = default;

private:
    [[nodiscard]] static std::uint64_t inherited(const Timestamp& from, const Timestamp& to) {
        return from.ticks == to.ticks ? from.offset : 0;
    }

    /// The type that Swift gives to a tombstone. At equal times it wins, as the tombstone does.
    [[nodiscard]] static bool is_of_tombstone(std::string_view type) {
        return type == "application/deleted";
    }
};

/// A row of an account, taken apart: when the container was put, when it was deleted, and what it
/// held at the later of the two.
struct ContainerState {
    using row_type = ContainerRow;

    /// A time in its stored form. Equal times in different form ("0" and "0000000000.00000") must
    /// end as one, since the form goes into the hash.
    struct Moment {
        Timestamp time;
        std::string text;

        friend auto operator<=>(const Moment&, const Moment&) = default;
    };

    std::string name;
    Moment put;
    Moment deleted_at;
    std::int64_t object_count = 0;
    std::int64_t bytes_used = 0;
    std::int64_t storage_policy_index = 0;

    /// Throws bad_request for a row without a name, or with texts that are no times.
    [[nodiscard]] static ContainerState of(const ContainerRow& row) {
        const auto put = Timestamp::parse(row.put_timestamp);
        const auto deleted_at = Timestamp::parse(row.delete_timestamp);
        if (row.name.empty() || !put || !deleted_at) {
            throw Failure(Error::bad_request,
                          "row " + std::to_string(row.rowid) +
                              (row.name.empty()
                                   ? " has no name"
                                   : " has times that are none: '" + row.put_timestamp + "' and '" +
                                         row.delete_timestamp + "'"));
        }
        return {row.name,
                {*put, row.put_timestamp},
                {*deleted_at, row.delete_timestamp},
                row.object_count,
                row.bytes_used,
                row.storage_policy_index};
    }

    [[nodiscard]] static ContainerState stored(ContainerRow row) {
        for (std::string* time : {&row.put_timestamp, &row.delete_timestamp}) {
            if (!Timestamp::parse(*time)) {
                *time = "0";
            }
        }
        return of(row);
    }

    [[nodiscard]] ContainerRow row() const {
        return {-1,
                name,
                put.text,
                deleted_at.text,
                object_count,
                bytes_used,
                is_deleted() ? 1 : 0,
                storage_policy_index};
    }

    /// Whether the row is a tombstone that reclaim with this limit drops.
    [[nodiscard]] bool is_tombstone_from_before(Timestamp limit) const {
        return is_deleted() && deleted_at.time < limit;
    }

    [[nodiscard]] std::string_view key() const { return name; }

    /// Merges another row into this one. Counts have no time of their own: a container reports them
    /// again under an unchanged put time whenever objects come and go, and a row does not tell
    /// which of two reports is newer (defect 67). So at equal times the report merged last stays,
    /// as in Swift. A repeat is no news: our report was merged after it and stays, as a tie, so
    /// that the other side gets ours.
    ///
    /// The newest report stays everywhere if one replica had the other's report, from that replica,
    /// before it got its own, and all replicas pass on what they get. In all other cases, also if
    /// the container itself had told both the older one, nothing tells the two reports apart: the
    /// first that is pushed stays until the container reports again.
    Joined join(const ContainerState& other, RowOrigin origin = RowOrigin::news) {
        Joined joined;
        const Timestamp newest = std::max(put.time, deleted_at.time);
        const Timestamp other_newest = std::max(other.put.time, other.deleted_at.time);
        const auto held = std::tie(object_count, bytes_used, storage_policy_index);
        const auto other_held =
            std::tie(other.object_count, other.bytes_used, other.storage_policy_index);
        const bool undecided = newest == other_newest && held != other_held;
        joined.tie = undecided;
        if (newest < other_newest || (undecided && origin == RowOrigin::news)) {
            object_count = other.object_count;
            bytes_used = other.bytes_used;
            storage_policy_index = other.storage_policy_index;
            joined.changed = true;
        }
        for (auto [mine, others] :
             {std::pair(&put, &other.put), std::pair(&deleted_at, &other.deleted_at)}) {
            if (*mine < *others) {
                *mine = *others;
                joined.changed = true;
            }
        }
        return joined;
    }

    friend bool operator==(const ContainerState&, const ContainerState&) = default;

private:
    [[nodiscard]] bool is_deleted() const {
        return deleted_at.time > put.time && object_count == 0;
    }
};

} // namespace replica

#endif // REPLICA_ROWS_MERGE_HPP
