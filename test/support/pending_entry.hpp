#ifndef REPLICA_TEST_SUPPORT_PENDING_ENTRY_HPP
#define REPLICA_TEST_SUPPORT_PENDING_ENTRY_HPP

// Writes entries of .pending files, as a stock server does: base64 of a pickled tuple, after a
// colon.

#include <replica/words/info.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace replica::test {

[[nodiscard]] inline std::string base64(std::string_view bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            const char c = at + i < bytes.size() ? bytes[at + i] : '\0';
            bits = bits << 8 | static_cast<unsigned char>(c);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            text += at + i <= bytes.size() ? digits[bits >> (18 - 6 * i) & 63U] : '=';
        }
    }
    return text;
}

/// SHORT_BINSTRING, as Python 2 wrote texts of up to 255 bytes.
[[nodiscard]] inline std::string pickled(std::string_view value) {
    return std::string{'U', static_cast<char>(value.size())}.append(value);
}

/// BININT1 for 0 to 255, else a LONG1 of eight bytes.
[[nodiscard]] inline std::string pickled(std::int64_t value) {
    if (value >= 0 && value < 256) {
        return {'K', static_cast<char>(value)};
    }
    std::string text{'\x8a', 8};
    for (int shift = 0; shift < 64; shift += 8) {
        text += static_cast<char>(value >> shift & 0xff);
    }
    return text;
}

/// An entry of what was pickled before.
[[nodiscard]] inline std::string pending_entry(const std::string& fields) {
    return ':' + base64("\x80\x02(" + fields + "t.");
}

/// What a container server appends for an object.
[[nodiscard]] inline std::string pending_entry(const ObjectRow& row) {
    return pending_entry(pickled(row.name) + pickled(row.created_at) + pickled(row.size) +
                         pickled(row.content_type) + pickled(row.etag) + pickled(row.deleted) +
                         pickled(row.storage_policy_index));
}

/// What an account server appends for a container.
[[nodiscard]] inline std::string pending_entry(const ContainerRow& row) {
    return pending_entry(pickled(row.name) + pickled(row.put_timestamp) +
                         pickled(row.delete_timestamp) + pickled(row.object_count) +
                         pickled(row.bytes_used) + pickled(row.deleted) +
                         pickled(row.storage_policy_index));
}

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_PENDING_ENTRY_HPP
