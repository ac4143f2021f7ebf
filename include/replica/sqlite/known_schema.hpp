#ifndef REPLICA_SQLITE_KNOWN_SCHEMA_HPP
#define REPLICA_SQLITE_KNOWN_SCHEMA_HPP

// The allowed contents of a schema. A stock server will open a received file and run its triggers.
// So each trigger, view and index must have exactly the text that Swift or we give it, under its
// own name. Swift's migrations spell tables differently, so each column of a table must be a known
// one, word for word, with nothing else in the definition (CHECK, GENERATED, WITHOUT, a comment).

#include <replica/error.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/schema.hpp>
#include <replica/words/md5.hpp>

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

/// Whether these are the words of "CREATE TABLE name (...)".
[[nodiscard]] inline bool is_create_table(const std::vector<std::string>& tokens) {
    return tokens.size() >= 6 && tokens[0] == "create" && tokens[1] == "table" &&
           tokens[3] == "(" && tokens.back() == ")";
}

/// 32 hexadecimal digits that do not depend on the layout of the SQL.
[[nodiscard]] inline std::string digest_of(std::string_view sql) {
    std::string text;
    for (const std::string& token : tokens_of(sql)) {
        text.append(text.empty() ? "" : " ").append(token);
    }
    return to_hex(md5(text));
}

namespace detail {

struct KnownText {
    std::string_view name;
    std::string_view digest; ///< See digest_of.
};

/// The triggers, the view and the indexes of both kinds in Swift 2.30.1. Their texts have not
/// changed since 2.0, except those of shard_range, which came with 2.18. The last two are SQLite's
/// own, made by ANALYZE.
inline constexpr std::array<KnownText, 19> known_texts{{
    {"outgoing_sync_insert", "f4aa8fb04db8a3fda1fc09791f97e2a0"},
    {"outgoing_sync_update", "834d1cddb36950d333e274cf05cf27e7"},
    {"incoming_sync_insert", "f03f911ebb4baa6241ae16c448401918"},
    {"incoming_sync_update", "760a551197cb3d6231e19ad9f7aecf61"},
    {"ix_object_deleted_name", "00f584100b8ce64dcd0f5a4a8a6eb497"},
    {"object_update", "4d2e867c034257b2e6b057eb91944938"},
    {"object_insert_policy_stat", "a988cc8682f7a8fdcfd9dd82191a7dce"},
    {"object_delete_policy_stat", "271ce8dc950aa7c457fcfc8a51246333"},
    {"container_stat", "14fa70c21bfc5de79e4dafdf670a106b"},
    {"container_stat_update", "ecd722c33180441c90792765ac97ebfe"},
    {"shard_range_update", "d9188a2f21f0a5c8526de964308ea6e0"},
    {"ix_container_deleted_name", "d1a30c0f00cd5989b2bb1ba9c7282ee2"},
    {"container_insert", "8a2e05addda97fbff0f20033b28e9a69"},
    {"container_update", "78004e4cdb3b1f3106d475806f3f5b3d"},
    {"container_delete", "d676796972f1ca15fec495fc957ef4a4"},
    {"container_insert_ps", "5129a62af1bd13bfee6d4af851e94767"},
    {"container_delete_ps", "c9d3613aabb470903ce440bcaa7bfa89"},
    {"sqlite_stat1", "9a2ce0ecbf16dfe1cc779610a213d468"},
    {"sqlite_stat4", "e9b673587dc3298275d65a3076665d40"},
}};

struct SchemaEntry {
    std::string table; ///< The table that the entry belongs to.
    std::string sql;
};

/// By type and name.
using SchemaMap = std::map<std::pair<std::string, std::string>, SchemaEntry>;

/// All entries. SQLite reserves names that begin with sqlite_, but a file from elsewhere may have
/// been made by other means.
[[nodiscard]] inline SchemaMap schema_of(Connection& connection) {
    SchemaMap entries;
    Query found =
        connection.query("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master");
    while (found.step()) {
        const std::pair key(found.text(0), found.text(1));
        if (!entries.try_emplace(key, SchemaEntry{found.text(2), found.text(3)}).second) {
            throw Failure(Error::unknown_schema,
                          connection.path() + ": has two entries " + key.first + ' ' + key.second);
        }
    }
    return entries;
}

/// The schema that our own script makes.
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

/// The words of one column's definition.
using ColumnText = std::vector<std::string>;

/// The columns of "CREATE TABLE `table` (...)", unordered: columns that a migration added stand
/// last. Quotes around a name or a default are removed, since ALTER TABLE and people write them.
/// Quotes around a type or a key stay: they change the meaning. Empty for any other text.
[[nodiscard]] inline std::set<ColumnText> columns_of(std::string_view table, std::string_view sql) {
    const auto unquote = [](std::string& token, std::string_view quotes) {
        if (token.size() > 2 && quotes.find(token.front()) != std::string_view::npos) {
            token = token.substr(1, token.size() - 2);
        }
    };
    std::vector<std::string> tokens = tokens_of(sql);
    if (!is_create_table(tokens)) {
        return {};
    }
    unquote(tokens[2], "\"'");
    if (tokens[2] != table) {
        return {};
    }
    tokens.back() = ",";
    std::set<ColumnText> columns;
    ColumnText column;
    for (std::size_t at = 4; at < tokens.size(); ++at) {
        if (tokens[at] == ",") {
            columns.insert(std::exchange(column, {}));
            continue;
        }
        if (column.empty()) {
            unquote(tokens[at], "\"'");
        } else if (column.back() == "default") {
            unquote(tokens[at], "'");
        }
        column.push_back(std::move(tokens[at]));
    }
    return columns;
}

/// Swift added the table and columns of shard ranges over time (2.18 to 2.26).
[[nodiscard]] inline bool may_be_missing(std::string_view name) {
    return name.starts_with("shard_range");
}

[[nodiscard]] inline bool is_known_table(std::string_view name, const SchemaEntry& table,
                                         const SchemaEntry& own) {
    const auto columns = columns_of(name, table.sql);
    const auto known = columns_of(name, own.sql);
    return std::ranges::includes(known, columns) &&
           std::ranges::all_of(known, [&](const ColumnText& column) {
               return columns.contains(column) ||
                      (may_be_missing(name) &&
                       (column.front() == "reported" || column.front() == "tombstones"));
           });
}

/// `own` is null for an entry that our script does not make.
[[nodiscard]] inline bool is_known(const std::pair<std::string, std::string>& key,
                                   const SchemaEntry& entry, const SchemaEntry* own) {
    const auto& [type, name] = key;
    if (entry.table != (own == nullptr ? name : own->table)) {
        return false;
    }
    if (own != nullptr && entry.sql == own->sql) { // nearly always; words need not be looked at
        return true;
    }
    // SQLite finds columns of its own tables by position: their text must match exactly.
    if (own != nullptr && type == "table" && !name.starts_with("sqlite_")) {
        return is_known_table(name, entry, *own);
    }
    const std::string digest = digest_of(entry.sql);
    return (own != nullptr && digest == digest_of(own->sql)) ||
           std::ranges::any_of(known_texts, [&](const KnownText& text) {
               return text.name == name && text.digest == digest;
           });
}

} // namespace detail

/// Throws unknown_schema, with the name of the first entry that is unknown, different or missing,
/// unless the schema is exactly what Swift or we make.
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
        const bool statistics = key.first == "table" && key.second.starts_with("sqlite_stat");
        if (expected == own.end() && !statistics) {
            refuse("an unknown", key);
        }
        if (!detail::is_known(key, entry, expected == own.end() ? nullptr : &expected->second)) {
            refuse("another", key);
        }
    }
    for (const auto& [key, entry] : own) {
        if (!found.contains(key) && !detail::may_be_missing(key.second)) {
            const std::pair table(std::string("table"), entry.table);
            refuse("no", own.contains(table) && !found.contains(table)
                             ? table
                             : key); // report the missing table, not the entries missing with it
        }
    }
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_KNOWN_SCHEMA_HPP
