#ifndef REPLICA_SQLITE_VALUE_TEXT_HPP
#define REPLICA_SQLITE_VALUE_TEXT_HPP

// The one place that takes a text from SQLite, since SQLite tells a lack of memory as a null.

#include <sqlite3.h>

#include <cstddef>
#include <new>
#include <string_view>

namespace replica::sqlite {

/// The text of a value, empty for a null. Valid until the value is. Throws bad_alloc: where SQLite
/// has no memory to make a text it gives none, as for a null, and what is read from it must not
/// pass for a row with empty values.
[[nodiscard]] inline std::string_view text_of(sqlite3_value* value) {
    const bool null = sqlite3_value_type(value) == SQLITE_NULL;
    const auto* const begin = reinterpret_cast<const char*>(sqlite3_value_text(value));
    if (begin == nullptr) {
        return null ? std::string_view() : throw std::bad_alloc();
    }
    return {begin, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_VALUE_TEXT_HPP
