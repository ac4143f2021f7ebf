#ifndef REPLICA_SQLITE_ID_HPP
#define REPLICA_SQLITE_ID_HPP

// A database's id names one history of ROWIDs. Sync points refer to it, so a new id must be one
// that no replica has ever had. Ids have Swift's form: operators read the device in them.

#include <sqlite3.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace replica::sqlite {

/// A random UUID (version 4). The random bits come from SQLite's file system layer (VFS), which a
/// simulation can replace.
[[nodiscard]] inline std::string random_uuid() {
    std::array<std::uint8_t, 16> bytes{};
    sqlite3_randomness(static_cast<int>(bytes.size()), bytes.data());
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        text += i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
        text += "0123456789abcdef"[bytes[i] >> 4];
        text += "0123456789abcdef"[bytes[i] & 0xf];
    }
    return text;
}

/// The device in a database's path .../<device>/<datadir>/<partition>/<suffix>/<hash>/<file>. Empty
/// for a shorter path.
[[nodiscard]] inline std::string device_of(std::string_view path) {
    for (int level = 0; level < 5; ++level) {
        const std::size_t slash = path.rfind('/');
        if (slash == std::string_view::npos) {
            return {};
        }
        path = path.substr(0, slash);
    }
    return std::string(path.substr(path.rfind('/') + 1));
}

/// "<uuid>-<device>", as Swift 2.30 writes it.
[[nodiscard]] inline std::string new_id(std::string_view path) {
    return random_uuid() + '-' + device_of(path);
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_ID_HPP
