#ifndef REPLICA_SQLITE_ROW_READER_HPP
#define REPLICA_SQLITE_ROW_READER_HPP

// Reads whole rows and detects values that no server writes. SQLite allows any value in any column,
// but servers write numbers into INTEGER and text into TEXT and rely on it: a name that is a blob
// is found by no statement, a number stored as text sorts behind all numbers. Each value is fetched
// once, so a check makes half as many calls of SQLite as it would column by column.

#include <replica/error.hpp>
#include <replica/sqlite/statement.hpp>
#include <replica/words/json.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace replica::sqlite {

/// Text that JSON can carry and Python can read.
[[nodiscard]] inline bool is_utf8(std::string_view text) {
    try {
        for (std::size_t at = 0; at < text.size();) {
            if (static_cast<unsigned char>(text[at]) < 0x80) {
                ++at;
            } else {
                (void)json::next_code_point(text, at);
            }
        }
        return true;
    } catch (const Failure&) {
        return false;
    }
}

/// The values of one row after the other, as Query gives them. Columns are counted from 0. The
/// views are valid until the query's next step.
class RowReader {
public:
    explicit RowReader(const Query& query) {
        for (int at = 0; at < query.columns(); ++at) {
            const std::string_view type = query.declared(at);
            columns_.emplace_back();
            columns_.back().number = type.starts_with('I') || type.starts_with('i');
        }
    }

    /// Reads the query's current row. Returns whether each value is null or of its column's
    /// declared type. An expression counts as text.
    bool read(const Query& row) {
        bool fits = true;
        for (std::size_t at = 0; at < columns_.size(); ++at) {
            Column& column = columns_[at];
            sqlite3_value* const value = row.value(static_cast<int>(at));
            const int type = sqlite3_value_type(value); // first: reading the value converts it
            column.null = type == SQLITE_NULL;
            if (column.number) {
                column.integer = sqlite3_value_int64(value);
                fits = fits && (type == SQLITE_INTEGER || column.null);
            } else {
                column.text = row.view(value, column.null);
                fits = fits && (type == SQLITE_TEXT || column.null);
            }
        }
        return fits;
    }

    /// Whether all texts of the row can be sent on.
    [[nodiscard]] bool is_utf8() const {
        return std::ranges::all_of(
            columns_, [](const Column& column) { return sqlite::is_utf8(column.text); });
    }

    [[nodiscard]] std::int64_t number(int column) const { return at(column).integer; }
    [[nodiscard]] std::string_view text(int column) const { return at(column).text; }
    [[nodiscard]] bool is_null(int column) const { return at(column).null; }
    [[nodiscard]] bool is_number(int column) const { return at(column).number; }

private:
    struct Column {
        bool number = false; ///< Declared as INTEGER.
        bool null = false;
        std::int64_t integer = 0;
        std::string_view text;
    };

    [[nodiscard]] const Column& at(int column) const {
        return columns_[static_cast<std::size_t>(column)];
    }

    std::vector<Column> columns_;
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_ROW_READER_HPP
