#ifndef REPLICA_SQLITE_CHECK_HPP
#define REPLICA_SQLITE_CHECK_HPP

// A file that came from elsewhere is not trusted (defect 17). A torn one may open without complaint
// and even carry the sender's hash; one with a trigger of its own would run it in the next stock
// server that opens it. So: the header, every page, every name in the schema, every row.

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/md5.hpp>
#include <replica/sqlite/chexor.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/schema.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

namespace replica::sqlite {

namespace detail {

/// SQL in one spelling: lower case, one blank for any run of white space.
[[nodiscard]] inline std::string normalised(std::string_view sql) {
    std::string text;
    for (const char c : sql) {
        const bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        if (!blank) {
            text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        } else if (!text.empty() && text.back() != ' ') {
            text += ' ';
        }
    }
    while (text.ends_with(' ')) {
        text.pop_back();
    }
    return text;
}

/// MD5s of the normalised triggers, views and indexes that Swift 2.30.1 makes, both kinds.
inline constexpr std::array<std::string_view, 19> swift_digests{
    "253c9024879a9c7c6d3ad53e9453d550", // outgoing_sync_insert
    "61fa55425036af0c9265fb6e208d6b4f", // outgoing_sync_update
    "48120943db40a2a558b3a27e791763fa", // incoming_sync_insert
    "03c02356dd3061583208190f5e99c8a1", // incoming_sync_update
    "73d47f10a85d9bdedce27491137cc8d1", // ix_object_deleted_name
    "155798c1d5b40466e018750f5a4ff3c4", // object_update
    "97304944af7fb538287ecfd973595bdb", // object_insert_policy_stat
    "84805269a758c14e41253cb5f44006bc", // object_delete_policy_stat
    "3204fd2dac3848dfd8705cfad5531450", // container_stat
    "9f1fe93994e6caff1061196818d153b4", // container_stat_update
    "411f7163891e6cb366229a73c96dc3c7", // shard_range_update
    "df3682c45b8cbdbbc6570fd0870b48ed", // ix_container_deleted_name
    "915dd7128e86bef2cc62d42821c2b98c", // container_insert
    "b1b3e779f006cd30291ace9513e81330", // container_update
    "5059aa4cd8b534ec170271712f45d100", // container_delete
    "74bdf949211042b307df7361868c7f8e", // container_insert_ps
    "1204006fde6b3797dca0fd5ab1683899", // container_delete_ps
    "d41d8cd98f00b204e9800998ecf8427e", // an index that SQLite makes itself has no text
    "0533f4339ff6f08e103e099009fc4fb9", // sqlite_sequence
};

/// "type name digest" of everything in a schema. Tables go by name only: Swift's migrations add
/// columns to them, and a table runs nothing.
[[nodiscard]] inline std::set<std::string> schema_of(Connection& connection) {
    std::set<std::string> entries;
    Query found = connection.query("SELECT type, name, coalesce(sql, '') FROM sqlite_master");
    while (found.step()) {
        const std::string type = found.text(0);
        const std::string digest = to_hex(md5(normalised(found.text(2))));
        entries.insert(type == "table" ? "table " + found.text(1)
                                       : type + ' ' + found.text(1) + ' ' + digest);
    }
    return entries;
}

/// What our own script makes.
template <Schema S>
[[nodiscard]] const std::set<std::string>& own_schema() {
    static const std::set<std::string> entries = [] {
        Connection memory(
            ":memory:", Connection::Mode::create, [](int, Instant) { return false; }, Instant());
        memory.execute(std::string(S::script).append(sync_script).c_str());
        return schema_of(memory);
    }();
    return entries;
}

} // namespace detail

/// Before SQLite opens it: a whole header, and rollback journals. Throws not_a_database or wal.
template <Disk D>
void check_header(D& disk, const std::string& path) {
    const std::string header = disk.read(path, 100);
    if (header.size() < 100 || !header.starts_with(std::string_view("SQLite format 3\0", 16))) {
        throw Failure(Error::not_a_database, path + ": has no SQLite header");
    }
    if (header[18] != 1 || header[19] != 1) {
        throw Failure(Error::wal, path + ": is written for a write-ahead log");
    }
}

/// Only what Swift or we make. Throws unknown_schema that names the first other thing.
template <Schema S>
void check_schema(Connection& connection) {
    const auto& own = detail::own_schema<S>();
    for (const std::string& entry : detail::schema_of(connection)) {
        const std::string digest = entry.substr(entry.rfind(' ') + 1);
        const bool known =
            own.contains(entry) ||
            (!entry.starts_with("table ") &&
             std::ranges::find(detail::swift_digests, digest) != detail::swift_digests.end());
        if (!known && entry != "table sqlite_sequence" && entry != "table sqlite_stat1") {
            throw Failure(Error::unknown_schema, connection.path() + ": has an unknown " + entry);
        }
    }
}

/// Every page is sound, and the hash in the file is that of its rows. Throws corrupt.
template <Schema S>
void check_content(Connection& connection) {
    if (const std::string verdict = connection.text("PRAGMA quick_check(1)"); verdict != "ok") {
        throw Failure(Error::corrupt, connection.path() + ": " + verdict);
    }
    Chexor hash;
    Query rows = connection.query(S::select_since);
    rows.bind(std::int64_t{-1}, std::int64_t{-1});
    while (rows.step()) {
        const auto row = S::read(rows);
        hash.toggle(row.name, S::hashed(row));
    }
    if (hash.text() != connection.text(S::select_hash)) {
        throw Failure(Error::corrupt, connection.path() + ": its hash is not that of its rows");
    }
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_CHECK_HPP
