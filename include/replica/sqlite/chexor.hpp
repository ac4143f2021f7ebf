#ifndef REPLICA_SQLITE_CHEXOR_HPP
#define REPLICA_SQLITE_CHEXOR_HPP

// The hash of a database is the XOR of an MD5 for each row, so it does not depend on the order of
// rows and a row can be removed from it. Swift takes replicas with equal hashes to have the same
// rows. Here the hash is a value in which rows are toggled; Swift's triggers need it as an SQL
// function.

#include <replica/words/md5.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <string_view>

namespace replica::sqlite {

/// The XOR of the rows toggled so far.
class Chexor {
public:
    Chexor() = default;

    /// Reads 32 hexadecimal digits; empty for any other text.
    [[nodiscard]] static std::optional<Chexor> parse(std::string_view hex) {
        Chexor result;
        if (hex.size() != 2 * result.value_.size()) {
            return std::nullopt;
        }
        for (std::size_t i = 0; i < hex.size(); ++i) {
            const int digit = hex_value(hex[i]);
            if (digit < 0) {
                return std::nullopt;
            }
            auto& byte = result.value_[i / 2];
            byte = static_cast<std::uint8_t>((byte << 4) | digit);
        }
        return result;
    }

    /// Adds a row, or removes it again. `state` is the hashed part of the row: created_at of an
    /// object; put, delete, object count and bytes of a container, joined by hyphens.
    void toggle(std::string_view name, std::string_view state) {
        *this ^= Chexor(md5(name, std::string_view("-"), state));
    }

    Chexor& operator^=(const Chexor& other) {
        std::ranges::transform(
            value_, other.value_, value_.begin(),
            [](std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>(a ^ b); });
        return *this;
    }

    /// 32 lower-case hexadecimal digits.
    [[nodiscard]] std::string text() const { return to_hex(value_); }

    friend bool operator==(const Chexor&, const Chexor&) = default;

private:
    explicit Chexor(const Md5Digest& value) : value_(value) {}

    static int hex_value(char c) {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        if (c >= 'a' && c <= 'f') {
            return c - 'a' + 10;
        }
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    }

    Md5Digest value_{};
};

namespace detail {

/// chexor(hash, name, state). A null state is the word None, as in Swift's Python.
inline void chexor_function(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
    const auto text = [&](int i) { // none of a value that is not null: out of memory
        const bool null = sqlite3_value_type(values[i]) == SQLITE_NULL;
        const auto* const begin = reinterpret_cast<const char*>(sqlite3_value_text(values[i]));
        const auto size = static_cast<std::size_t>(sqlite3_value_bytes(values[i]));
        if (begin == nullptr && !null) {
            throw std::bad_alloc();
        }
        return begin == nullptr ? std::string_view() : std::string_view(begin, size);
    };
    try {
        auto hash = Chexor::parse(text(0));
        if (!hash || sqlite3_value_type(values[1]) == SQLITE_NULL) {
            sqlite3_result_error(context, "chexor: no hash or no name", -1);
            return;
        }
        const bool no_state = sqlite3_value_type(values[2]) == SQLITE_NULL;
        hash->toggle(text(1), no_state ? std::string_view("None") : text(2));
        const std::string result = hash->text();
        sqlite3_result_text(context, result.data(), static_cast<int>(result.size()),
                            SQLITE_TRANSIENT);
    } catch (const std::bad_alloc&) {
        sqlite3_result_error_nomem(context);
    } catch (const std::exception& error) {
        sqlite3_result_error(context, error.what(), -1);
    }
}

} // namespace detail

/// Registers chexor() on a connection that is to run Swift's triggers. Our own connections never
/// run triggers (connection.hpp) and do not need it. Returns an SQLite result code.
[[nodiscard]] inline int register_chexor(sqlite3* connection) {
    return sqlite3_create_function_v2(connection, "chexor", 3,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                      nullptr, &detail::chexor_function, nullptr, nullptr, nullptr);
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_CHEXOR_HPP
