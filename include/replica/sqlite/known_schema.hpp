#ifndef REPLICA_SQLITE_KNOWN_SCHEMA_HPP
#define REPLICA_SQLITE_KNOWN_SCHEMA_HPP

// What a schema may contain. A file from elsewhere is opened one day by a stock server, and that
// runs its triggers: so each trigger, view and index must have the very text that Swift or we give
// it. Tables run nothing as long as they are plain, and Swift's migrations spell them differently:
// they must have the known columns and no word that a plain table has no use for (CHECK, GENERATED,
// VIRTUAL, WITHOUT).

#include <replica/error.hpp>
#include <replica/md5.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/schema.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace replica::sqlite {

/// SQL as a list of words, numbers, literals and signs. Words are in lower case.
[[nodiscard]] inline std::vector<std::string> tokens_of(std::string_view sql) {
    std::vector<std::string> tokens;
    const auto is_word = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || static_cast<unsigned char>(c) >= 0x80;
    };
    for (std::size_t at = 0; at < sql.size();) {
        const char c = sql[at];
        std::size_t end = at + 1;
        if (c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f') {
            at = end;
            continue;
        }
        if (c == '\'' || c == '"' || c == '`' || c == '[') {
            const std::size_t close = sql.find(c == '[' ? ']' : c, end);
            end = close == std::string_view::npos ? sql.size() : close + 1;
        } else if (is_word(c)) {
            end = static_cast<std::size_t>(
                std::find_if_not(sql.begin() + static_cast<std::ptrdiff_t>(at), sql.end(),
                                 is_word) -
                sql.begin());
        }
        std::string token(sql.substr(at, end - at));
        if (is_word(c)) {
            std::ranges::transform(token, token.begin(), [](char letter) {
                return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a')
                                                      : letter;
            });
        }
        tokens.push_back(std::move(token));
        at = end;
    }
    return tokens;
}

/// 32 hexadecimal digits that do not depend on how the SQL is laid out.
[[nodiscard]] inline std::string digest_of(std::string_view sql) {
    std::string text;
    for (const std::string& token : tokens_of(sql)) {
        text.append(text.empty() ? "" : " ").append(token);
    }
    return to_hex(md5(text));
}

namespace detail {

/// digest_of the triggers, the view and the indexes of Swift 2.30.1's both kinds. Their texts have
/// been the same since 2.0, except those of shard_range, which came with 2.18.
inline constexpr std::array<std::string_view, 17> swift_digests{
    "f4aa8fb04db8a3fda1fc09791f97e2a0", // outgoing_sync_insert
    "834d1cddb36950d333e274cf05cf27e7", // outgoing_sync_update
    "f03f911ebb4baa6241ae16c448401918", // incoming_sync_insert
    "760a551197cb3d6231e19ad9f7aecf61", // incoming_sync_update
    "00f584100b8ce64dcd0f5a4a8a6eb497", // ix_object_deleted_name
    "4d2e867c034257b2e6b057eb91944938", // object_update
    "a988cc8682f7a8fdcfd9dd82191a7dce", // object_insert_policy_stat
    "271ce8dc950aa7c457fcfc8a51246333", // object_delete_policy_stat
    "14fa70c21bfc5de79e4dafdf670a106b", // container_stat
    "ecd722c33180441c90792765ac97ebfe", // container_stat_update
    "d9188a2f21f0a5c8526de964308ea6e0", // shard_range_update
    "d1a30c0f00cd5989b2bb1ba9c7282ee2", // ix_container_deleted_name
    "8a2e05addda97fbff0f20033b28e9a69", // container_insert
    "78004e4cdb3b1f3106d475806f3f5b3d", // container_update
    "d676796972f1ca15fec495fc957ef4a4", // container_delete
    "5129a62af1bd13bfee6d4af851e94767", // container_insert_ps
    "c9d3613aabb470903ce440bcaa7bfa89", // container_delete_ps
};

struct Column {
    std::string type;
    std::string standard; ///< Its default, without quotes.
    std::int64_t key = 0;

    friend bool operator==(const Column&, const Column&) = default;
};

struct SchemaEntry {
    std::string sql;
    std::map<std::string, Column> columns; ///< Of a table, by name.
};

/// By type and name.
using SchemaMap = std::map<std::pair<std::string, std::string>, SchemaEntry>;

[[nodiscard]] inline std::map<std::string, Column> columns_of(Connection& connection,
                                                              std::string_view table) {
    std::map<std::string, Column> columns;
    Query found = connection.query("SELECT name, type, dflt_value, pk FROM pragma_table_xinfo(?)");
    found.bind(table);
    while (found.step()) {
        std::string standard = found.text(2);
        std::erase(standard, '\'');
        columns[found.text(0)] = {found.text(1), standard, found.integer(3)};
    }
    return columns;
}

/// All that somebody made on purpose: SQLite's own tables and indexes carry the prefix sqlite_,
/// which it lets nobody else use.
[[nodiscard]] inline SchemaMap schema_of(Connection& connection) {
    SchemaMap entries;
    Query found = connection.query("SELECT type, name, coalesce(sql, '') FROM sqlite_master"
                                   " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
    while (found.step()) {
        SchemaEntry& entry = entries[{found.text(0), found.text(1)}];
        entry.sql = found.text(2);
        if (found.view(0) == "table") {
            entry.columns = columns_of(connection, found.view(1));
        }
    }
    return entries;
}

/// What our own script makes.
template <Schema S>
[[nodiscard]] const SchemaMap& own_schema() {
    static const SchemaMap entries = [] {
        Connection memory(
            ":memory:", Connection::Mode::create, [](int, Instant) { return false; }, Instant());
        memory.execute(std::string(S::script).append(sync_script).c_str());
        return schema_of(memory);
    }();
    return entries;
}

/// CREATE TABLE with nothing but columns of plain types, keys and defaults.
[[nodiscard]] inline bool is_plain_table(std::string_view name, const SchemaEntry& table) {
    static const std::set<std::string, std::less<>> words{
        "create", "table",         "integer", "text",    "primary", "key", "(",
        ")",      "autoincrement", "unique",  "default", ",",       "-",   ";"};
    const auto is_name = [&](std::string_view token) {
        if (token.size() > 2 && (token.front() == '"' || token.front() == '\'')) {
            token = token.substr(1, token.size() - 2);
        }
        return token == name || std::ranges::any_of(table.columns, [&](const auto& column) {
                   return tokens_of(column.first) == std::vector<std::string>{std::string(token)};
               });
    };
    return std::ranges::all_of(tokens_of(table.sql), [&](const std::string& token) {
        return words.contains(token) || is_name(token) || token.front() == '\'' ||
               std::ranges::all_of(token, [](char c) { return c >= '0' && c <= '9'; });
    });
}

/// Otherwise SQLite may give out the ROWID of a lost row again, which lies behind others' points.
[[nodiscard]] inline bool uses_rowids_once(const SchemaEntry& table) {
    const auto tokens = tokens_of(table.sql);
    return std::ranges::find(tokens, "autoincrement") != tokens.end();
}

/// Swift added both tables and columns about sharding in time (2.18 to 2.26).
[[nodiscard]] inline bool may_be_missing(std::string_view name) {
    return name.starts_with("shard_range");
}

[[nodiscard]] inline bool is_known_table(std::string_view name, const SchemaEntry& table,
                                         const SchemaEntry& own) {
    const auto known = [&](const auto& column) {
        const auto found = own.columns.find(column.first);
        return found != own.columns.end() && found->second == column.second;
    };
    return is_plain_table(name, table) && uses_rowids_once(table) == uses_rowids_once(own) &&
           std::ranges::all_of(table.columns, known) &&
           (table.columns.size() == own.columns.size() || may_be_missing(name));
}

} // namespace detail

/// Only what Swift or we make, and all of it. Throws unknown_schema that names the first thing
/// that is too much, different or missing.
template <Schema S>
void check_schema(Connection& connection) {
    const auto& own = detail::own_schema<S>();
    const auto refuse = [&](std::string_view what, const auto& key) {
        throw Failure(Error::unknown_schema, connection.path() + ": has " + std::string(what) +
                                                 ' ' + key.first + ' ' + key.second);
    };
    const auto found = detail::schema_of(connection);
    for (const auto& [key, entry] : found) {
        const auto expected = own.find(key);
        if (expected == own.end()) {
            refuse("an unknown", key);
        }
        const std::string digest = digest_of(entry.sql);
        const bool known = key.first == "table"
                               ? detail::is_known_table(key.second, entry, expected->second)
                               : digest == digest_of(expected->second.sql) ||
                                     std::ranges::find(detail::swift_digests, digest) !=
                                         detail::swift_digests.end();
        if (!known) {
            refuse("another", key);
        }
    }
    for (const auto& [key, entry] : own) {
        if (!found.contains(key) && !detail::may_be_missing(key.second)) {
            refuse("no", key);
        }
    }
    // Nothing but SQLite's statistics and what serves AUTOINCREMENT and UNIQUE.
    if (connection.integer("SELECT count(*) FROM sqlite_master WHERE name LIKE 'sqlite\\_%' ESCAPE"
                           " '\\' AND name NOT IN ('sqlite_sequence', 'sqlite_stat1',"
                           " 'sqlite_stat4', 'sqlite_autoindex_outgoing_sync_1',"
                           " 'sqlite_autoindex_incoming_sync_1')") > 0 ||
        connection.integer("SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name IN"
                           " ('sqlite_autoindex_outgoing_sync_1',"
                           " 'sqlite_autoindex_incoming_sync_1')") != 2 ||
        connection.integer("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_sequence'") !=
            1) {
        throw Failure(Error::unknown_schema,
                      connection.path() + ": has other tables or indexes of SQLite's own");
    }
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_KNOWN_SCHEMA_HPP
