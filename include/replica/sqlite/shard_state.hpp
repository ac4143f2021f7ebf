#ifndef REPLICA_SQLITE_SHARD_STATE_HPP
#define REPLICA_SQLITE_SHARD_STATE_HPP

// The progress of Swift's sharder with a container shows in two places: the files beside the
// database (<hash>.db, <hash>_<epoch>.db) and the container's own shard range inside the database.
// The replicator must not push rows of a container that is being sharded, so it needs the true
// state.

#include <replica/container/queue_entry.hpp>
#include <replica/container/shards.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/sqlite/check.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/id.hpp>
#include <replica/storage/place.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/info.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica::sqlite {

/// Files of Swift before 2.18 do not have the table.
[[nodiscard]] inline bool has_shard_ranges(Connection& connection) {
    return has_table(connection, "shard_range");
}

namespace detail {

/// The names of a container's database files, the newest last.
template <Disk D>
[[nodiscard]] std::vector<std::string> databases(D& disk, const std::string& directory,
                                                 std::string_view hash) {
    std::vector<std::string> names;
    for (const Entry& entry : disk.list(directory)) {
        const auto name = DatabaseName::parse(entry.name);
        if (!entry.directory && name && name->hash == hash) {
            names.push_back(entry.name);
        }
    }
    std::ranges::sort(names); // "<hash>.db" comes before "<hash>_<epoch>.db"
    return names;
}

/// Takes the sums of the older file, which is removed when sharding ends: until then it has the
/// rows. The file may have the form of a Swift before 2.0.
inline void add_retiring(Connection& retiring, ContainerInfo& info) {
    Query sums = retiring.query(
        has_table(retiring, "container_info")
            ? "SELECT coalesce(sum(object_count) FILTER (WHERE storage_policy_index = own), 0),"
              " coalesce(sum(bytes_used) FILTER (WHERE storage_policy_index = own), 0),"
              " max(object_count)"
              " FROM policy_stat, (SELECT storage_policy_index AS own FROM container_info)"
            : "SELECT object_count, bytes_used, object_count FROM container_stat");
    if (sums.step()) {
        info.count = sums.integer(0);
        info.bytes_used = sums.integer(1);
        info.live_rows = std::max(info.live_rows, sums.integer(2));
    }
}

/// A summary of the table of shard ranges.
struct Ranges {
    std::optional<std::int64_t> state; ///< Of the container's own range, if it has one.
    std::string epoch;                 ///< Empty: none.
    bool own_deleted = false;
    std::int64_t others = 0; ///< Number of other ranges that are not deleted.
    std::int64_t count = 0;  ///< Sums over the active, shrinking or sharding ones.
    std::int64_t bytes_used = 0;

    /// The own range hands over its rows, and there is another range to take them (Swift:
    /// sharding_initiated).
    [[nodiscard]] bool initiated() const {
        return state && shards::gives_rows_away(*state) && others > 0;
    }
};

[[nodiscard]] inline Ranges read_ranges(Connection& connection, const std::string& own) {
    Ranges ranges;
    Query found = connection.query("SELECT state, epoch, deleted FROM shard_range WHERE name = ?");
    if (found.bind(own).step()) {
        ranges.state = found.integer(0);
        ranges.epoch = found.text_or(1, "");
        ranges.own_deleted = found.integer(2) != 0;
    }
    // The sums are taken from ranges that are active (40), shrinking (50) or sharding (60).
    Query sums = connection.query(
        "SELECT count(*), coalesce(sum(object_count) FILTER (WHERE state IN (40, 50, 60)), 0),"
        " coalesce(sum(bytes_used) FILTER (WHERE state IN (40, 50, 60)), 0)"
        " FROM shard_range WHERE deleted = 0 AND name <> ?");
    sums.bind(own).step();
    ranges.others = sums.integer(0);
    ranges.count = sums.integer(1);
    ranges.bytes_used = sums.integer(2);
    return ranges;
}

/// A shard has the path of its root in its metadata. A container without such a path is a root,
/// unless its own shard range was deleted when it shrank.
[[nodiscard]] inline bool is_root(const ContainerInfo& info, bool own_deleted) {
    const Metadata metadata = Metadata::parse_stored(info.metadata);
    auto root = metadata.find("X-Container-Sysmeta-Shard-Quoted-Root");
    root = root ? reconciler::unquoted(*root) : metadata.find("X-Container-Sysmeta-Shard-Root");
    return root ? *root == info.account + '/' + info.container : !own_deleted;
}

} // namespace detail

/// Sets db_state and, for some containers, the sums: those of a sharded root are the sums of its
/// shards, those of a container that is being sharded are the older file's. A file whose name is
/// not a database's (an upload) counts as unsharded.
/// `connect` gives the connection, for a container that has or had shard ranges, or another file
/// beside it.
template <Disk D, std::invocable Connect>
void add_shard_state(const std::string& path, D& disk, ContainerInfo& info, Connect connect) {
    const auto name = DatabaseName::parse(std::string_view(path).substr(path.rfind('/') + 1));
    const auto ranges = info.shard_max_row < 0
                            ? detail::Ranges()
                            : detail::read_ranges(connect(), info.account + '/' + info.container);
    info.sharding_initiated = ranges.initiated();
    info.has_shards = ranges.others > 0 && detail::is_root(info, ranges.own_deleted);
    if (info.has_shards && info.sharding_initiated) {
        info.live_rows = std::max(info.live_rows, ranges.count);
    }
    info.db_state = "unsharded";
    if (!name) {
        return;
    }
    const std::string directory = storage::parent(path);
    const auto files = detail::databases(disk, directory, name->hash);
    if (files.size() > 1) {
        info.db_state = "sharding";
        if (const std::string retiring = directory + '/' + files.end()[-2]; retiring != path) {
            require_database_file(disk, retiring);
            Connection beside = connect().beside(retiring);
            detail::add_retiring(beside, info);
        }
    } else if (!name->epoch.empty() && name->epoch == ranges.epoch) {
        info.db_state = ranges.others > 0 ? "sharded" : "collapsed";
    }
    if (info.has_shards && info.db_state == "sharded") {
        info.count = ranges.count;
        info.bytes_used = ranges.bytes_used;
    }
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_SHARD_STATE_HPP
