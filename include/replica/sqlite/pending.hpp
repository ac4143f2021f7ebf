#ifndef REPLICA_SQLITE_PENDING_HPP
#define REPLICA_SQLITE_PENDING_HPP

// A stock server acknowledges a row once it is appended to "<hash>.db.pending", and merges the file
// later. These rows count as committed: to compare, copy or remove a replica without them would
// lose them.
//
// Order, under the directory lock that every writer of the file takes: read the file; commit the
// rows; fsync the directory, so that the end of the commit (SQLite's journal is gone) is durable;
// remove the file, or rename it if an entry could not be read (Swift logs and drops such an entry);
// fsync the directory. After a crash before the last step the rows are merged again, which changes
// nothing. The file is removed, not truncated: servers open it anew, under the lock, for each row.

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/sqlite/id.hpp>
#include <replica/sqlite/pickle.hpp>
#include <replica/sqlite/schema.hpp>
#include <replica/words/info.hpp>
#include <replica/words/json.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace replica::sqlite {

namespace detail {

[[noreturn]] inline void refuse_entry(const std::string& reason) {
    throw Failure(Error::bad_request, "pending entry: " + reason);
}

/// The value of a base64 digit, or 64.
[[nodiscard]] constexpr std::uint32_t base64_digit(char c) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    constexpr auto table = [&] {
        std::array<std::uint8_t, 256> values{};
        values.fill(64);
        for (std::size_t i = 0; i < digits.size(); ++i) {
            values[static_cast<unsigned char>(digits[i])] = static_cast<std::uint8_t>(i);
        }
        return values;
    }();
    return table[static_cast<unsigned char>(c)];
}

/// Groups of four with padding, and nothing between them. Throws bad_request.
[[nodiscard]] inline std::string read_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        refuse_entry("base64 is cut off");
    }
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const std::uint32_t digit = at < text.size() - padding ? base64_digit(text[at]) : 0;
        if (digit == 64) {
            refuse_entry("is not base64");
        }
        bits = bits << 6 | digit;
        if (at % 4 == 3) {
            for (const int shift : {16, 8, 0}) {
                bytes += static_cast<char>(bits >> shift & 0xffU);
            }
            bits = 0;
        }
    }
    for (std::size_t i = 0; i < padding; ++i) {
        if (bytes.back() != '\0') {
            refuse_entry("base64 has bits left over");
        }
        bytes.pop_back();
    }
    return bytes;
}

/// The fields of an entry, as views of `pickle`. All calls throw bad_request for a value that the
/// column cannot hold.
class PendingEntry {
public:
    explicit PendingEntry(std::string_view pickle) : fields_(read_pickle(pickle)) {
        if (fields_.size() < 6) {
            refuse_entry("has " + std::to_string(fields_.size()) + " fields");
        }
    }

    /// Empty for None, and for a field that an older Swift did not write.
    [[nodiscard]] std::string text(std::size_t index) const {
        if (is_none(index)) {
            return {};
        }
        const auto* const text = std::get_if<std::string_view>(&fields_[index]);
        if (text == nullptr) {
            refuse_entry("field " + std::to_string(index) + " is no text");
        }
        for (std::size_t at = 0; at < text->size();) {
            static_cast<void>(json::next_code_point(*text, at));
        }
        return std::string(*text);
    }

    /// A text of digits counts as well: an account server stores headers as they came, and SQLite
    /// turns them into numbers.
    [[nodiscard]] std::int64_t integer(std::size_t index) const {
        if (index < fields_.size()) {
            if (const auto* const value = std::get_if<std::int64_t>(&fields_[index])) {
                return *value;
            }
            if (const auto* const value = std::get_if<bool>(&fields_[index])) {
                return *value ? 1 : 0;
            }
        }
        const std::string digits = text(index);
        std::int64_t value = 0;
        const char* const end = digits.data() + digits.size();
        const auto read = std::from_chars(digits.data(), end, value);
        if (read.ec != std::errc{} || read.ptr != end) {
            refuse_entry("field " + std::to_string(index) + " is no number");
        }
        return value;
    }

    /// 0 if missing: Swift before storage policies wrote none.
    [[nodiscard]] std::int64_t policy() const { return is_none(6) ? 0 : integer(6); }

private:
    [[nodiscard]] bool is_none(std::size_t index) const {
        return index >= fields_.size() || std::holds_alternative<std::monostate>(fields_[index]);
    }

    PickleRecord fields_;
};

[[nodiscard]] inline Timestamp pending_time(const std::string& text) {
    const auto time = Timestamp::parse(text);
    if (!time) {
        refuse_entry("'" + text + "' is no time");
    }
    return *time;
}

/// Name, time, size, content type, etag, deleted[, policy[, time of the content type[, time of the
/// metadata]]]. A missing time equals the one before it.
inline void read_row(const PendingEntry& entry, ObjectRow& row) {
    row = {-1,
           entry.text(0),
           entry.text(1),
           entry.integer(2),
           entry.text(3),
           entry.text(4),
           entry.integer(5),
           entry.policy()};
    auto times = RowTimes::decode(row.created_at);
    if (!times) {
        refuse_entry("'" + row.created_at + "' is no time");
    }
    if (const std::string time = entry.text(7); !time.empty()) {
        times->content_type = times->metadata = pending_time(time);
    }
    if (const std::string time = entry.text(8); !time.empty()) {
        times->metadata = pending_time(time);
    }
    row.created_at = times->encode();
}

/// Name, put and delete time, objects, bytes, deleted[, policy].
inline void read_row(const PendingEntry& entry, ContainerRow& row) {
    row = {-1,
           entry.text(0),
           entry.text(1),
           entry.text(2),
           entry.integer(3),
           entry.integer(4),
           entry.integer(5),
           entry.policy()};
}

} // namespace detail

/// A schema whose rows a stock server may leave in a .pending file.
template <class S>
concept PendingSchema =
    Schema<S> && requires(const detail::PendingEntry& entry, typename S::row_type& row) {
        detail::read_row(entry, row);
    };

/// The contents of a .pending file.
template <PendingSchema S>
struct PendingRows {
    std::vector<typename S::row_type> rows; ///< In the order in which they were written.
    std::size_t unreadable = 0;             ///< Number of entries that could not be read.
};

/// Entries are base64 of a pickle, each after a colon. Never throws for a bad `content`.
template <PendingSchema S>
[[nodiscard]] PendingRows<S> read_pending(std::string_view content) {
    PendingRows<S> result;
    while (!content.empty()) {
        const std::string_view entry = content.substr(0, content.find(':'));
        content.remove_prefix(std::min(content.size(), entry.size() + 1));
        if (entry.empty()) {
            continue;
        }
        try {
            typename S::row_type row;
            const std::string pickle = detail::read_base64(entry);
            detail::read_row(detail::PendingEntry(pickle), row);
            static_cast<void>(S::state_type::of(row)); // refuses what a merge would refuse
            result.rows.push_back(std::move(row));
        } catch (const Failure&) {
            ++result.unreadable;
        }
    }
    return result;
}

/// Commits the rows in `file` through `put(rows)` and removes the file, in the order above. A file
/// with an unreadable entry becomes `<file>.unreadable.<uuid>`. Returns whether there were rows.
/// The caller holds the directory lock. Throws what `put` throws, with the file unchanged;
/// bad_request for a file of more than 256 MiB (stock servers begin to commit at 128 KiB); io for a
/// link or what is no file.
template <PendingSchema S, Disk D, std::invocable<std::span<const typename S::row_type>> Put>
bool commit_pending(D& disk, const std::string& file, Put put) {
    constexpr std::int64_t most = 256 << 20;
    if (const std::string why = why_no_file(disk, file); !why.empty()) {
        throw Failure(Error::io, file + ": " + why);
    }
    const auto status = disk.stat(file);
    if (!status || status->size == 0) {
        return false;
    }
    if (status->size > most) {
        throw Failure(Error::bad_request, file + ": too large to hold pending rows");
    }
    const auto pending = read_pending<S>(disk.read(file, static_cast<std::size_t>(status->size)));
    const std::string directory = file.substr(0, file.rfind('/'));
    if (!pending.rows.empty()) {
        put(std::span<const typename S::row_type>(pending.rows));
        disk.sync(directory);
    }
    if (pending.unreadable == 0) {
        disk.remove(file);
    } else {
        disk.rename(file, file + ".unreadable." + random_uuid());
    }
    disk.sync(directory);
    return !pending.rows.empty();
}

/// No server leaves rows of another kind.
template <Schema S, Disk D, std::invocable<std::span<const typename S::row_type>> Put>
    requires(!PendingSchema<S>)
bool commit_pending(D& /*disk*/, const std::string& /*file*/, Put /*put*/) {
    return false;
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_PENDING_HPP
