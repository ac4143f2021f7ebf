#ifndef REPLICA_WORDS_HASH_PATH_HPP
#define REPLICA_WORDS_HASH_PATH_HPP

// From a name to its place: account and container hash to 32 digits, and those give a partition and
// a directory. A wrong prefix or suffix would make every database look misplaced (defect 23), so
// the hash of the name inside a file is compared with the file's own before anything is moved.

#include <replica/words/md5.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace replica {

/// The cluster's secrets of swift.conf. Either may be empty; in a Swift cluster not both.
struct HashPath {
    std::string prefix; ///< swift_hash_path_prefix.
    std::string suffix; ///< swift_hash_path_suffix.

    /// Hash of "/account" or "/account/container", as an info's name() gives it.
    [[nodiscard]] std::string operator()(std::string_view name) const {
        return to_hex(md5(prefix, name, suffix));
    }
};

/// Whether a text is 32 lower-case hexadecimal digits and nothing else (defects 12 and 51).
[[nodiscard]] constexpr bool is_hash(std::string_view text) {
    return text.size() == 32 && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

/// The number of a partition: decimal digits without sign, blank or leading zero, below `count`
/// (defect 29). Nothing for any other text.
[[nodiscard]] constexpr std::optional<std::uint32_t> parse_partition(std::string_view text,
                                                                     std::uint32_t count) {
    if (text.empty() || text.size() > 10 || (text.size() > 1 && text.front() == '0')) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return value < count ? std::optional(static_cast<std::uint32_t>(value)) : std::nullopt;
}

/// Whether a name may become one component of a path, and part of a status line or a log line: not
/// empty, at most 255 bytes, no slash, no control character, no leading dot (defects 50 and 51).
[[nodiscard]] constexpr bool is_safe_name(std::string_view text) {
    return !text.empty() && text.size() <= 255 && text.front() != '.' &&
           std::ranges::none_of(
               text, [](char c) { return c == '/' || (c >= '\0' && c < ' ') || c == '\x7f'; });
}

/// Whether a file in tmp has a name that only its own process knows: a copy to be sent, a claimed
/// upload, a part of a file that comes in pieces, a directory to be deleted.
[[nodiscard]] constexpr bool is_private_name(std::string_view name) {
    return name.ends_with(".copy") || name.ends_with(".claimed") || name.ends_with(".part") ||
           name.ends_with(".removed") || name.ends_with(".kept");
}

/// The parts of a database's file name: "<hash>.db", or "<hash>_<epoch>.db" after sharding began.
struct DatabaseName {
    std::string_view hash;  ///< 32 hexadecimal digits.
    std::string_view epoch; ///< Empty: none.

    /// Nothing if `file` is no such name.
    [[nodiscard]] static constexpr std::optional<DatabaseName> parse(std::string_view file) {
        if (!file.ends_with(".db") || !is_hash(file.substr(0, 32))) {
            return std::nullopt;
        }
        const std::string_view hash = file.substr(0, 32);
        std::string_view rest = file.substr(32, file.size() - 35);
        if (rest.empty()) {
            return DatabaseName{hash, rest};
        }
        const bool digits = rest.size() > 1 && std::ranges::all_of(rest.substr(1), [](char c) {
                                return (c >= '0' && c <= '9') || c == '.';
                            });
        return rest.front() == '_' && digits ? std::optional(DatabaseName{hash, rest.substr(1)})
                                             : std::nullopt;
    }
};

/// Where servers leave rows for the database at `path`: "<hash>.db.pending" in its directory,
/// whatever epoch the database's own name has (Swift: pending_file).
[[nodiscard]] inline std::string pending_path(const std::string& path) {
    const std::size_t base = path.rfind('/') + 1;
    const auto name = DatabaseName::parse(std::string_view(path).substr(base));
    return path.substr(0, name ? base + name->hash.size() : path.size()) +
           (name ? ".db.pending" : ".pending");
}

/// Directory of a database below its device: "containers/906/9c3/<hash>".
[[nodiscard]] inline std::string
storage_directory(std::string_view datadir, std::string_view partition, std::string_view hash) {
    std::string path(datadir);
    path.append("/").append(partition).append("/").append(hash.substr(hash.size() - 3));
    return path.append("/").append(hash);
}

} // namespace replica

#endif // REPLICA_WORDS_HASH_PATH_HPP
