#ifndef REPLICA_SQLITE_SHARD_STATE_HPP
#define REPLICA_SQLITE_SHARD_STATE_HPP

// How far Swift's sharder has come with a container shows in two places: the files beside the
// database (<hash>.db, <hash>_<epoch>.db) and the container's own shard range inside it. Rows of a
// container that is being sharded are not ours to push, so its state must be told truly.

#include <replica/container/queue_entry.hpp>
#include <replica/container/shards.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/hash_path.hpp>
#include <replica/info.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/id.hpp>
#include <replica/sqlite/metadata.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace replica::sqlite {

/// Whether the file has the table: those of Swift before 2.18 have not.
[[nodiscard]] inline bool has_shard_ranges(Connection& connection) {
    return has_table(connection, "shard_range");
}

namespace detail {

/// How many databases of this container lie in its directory.
template <Disk D>
[[nodiscard]] int count_databases(D& disk, const std::string& directory, std::string_view hash) {
    int count = 0;
    for (const Entry& entry : disk.list(directory)) {
        const auto name = DatabaseName::parse(entry.name);
        count += !entry.directory && name && name->hash == hash ? 1 : 0;
    }
    return count;
}

/// The container's own range gives its rows away, and there is another that takes them (Swift:
/// sharding_initiated).
[[nodiscard]] inline bool sharding_initiated(Connection& connection, const ContainerInfo& info) {
    const std::string own = info.account + '/' + info.container;
    {
        Query found = connection.query("SELECT state FROM shard_range WHERE name = ?");
        if (!found.bind(own).step() || !shards::gives_rows_away(found.integer(0))) {
            return false;
        }
    }
    Query others = connection.query(
        "SELECT EXISTS (SELECT 1 FROM shard_range WHERE deleted = 0 AND name <> ?)");
    return others.bind(own).step() && others.integer(0) != 0;
}

/// A shard keeps the path of its root in its metadata; a container without one is a root, unless
/// its own shard range was deleted when it shrank.
[[nodiscard]] inline bool is_root(const ContainerInfo& info, bool own_deleted) {
    const Metadata metadata = Metadata::parse_stored(info.metadata);
    auto root = metadata.find("X-Container-Sysmeta-Shard-Quoted-Root");
    root = root ? reconciler::unquoted(*root) : metadata.find("X-Container-Sysmeta-Shard-Root");
    return root ? *root == info.account + '/' + info.container : !own_deleted;
}

} // namespace detail

/// Sets db_state, and for a sharded root the sums over its shards. A file under a name that is no
/// database's (an upload) counts as unsharded. While a container is being sharded there are two
/// files, each with sums of its own.
template <Disk D>
void add_shard_state(Connection& connection, D& disk, ContainerInfo& info) {
    const std::string& path = connection.path();
    const auto name = DatabaseName::parse(std::string_view(path).substr(path.rfind('/') + 1));
    info.db_state = "unsharded";
    info.sharding_initiated =
        info.shard_max_row >= 0 && detail::sharding_initiated(connection, info);
    if (!name) {
        return;
    }
    if (detail::count_databases(disk, directory_of(path), name->hash) > 1) {
        info.db_state = "sharding";
        return;
    }
    if (name->epoch.empty() || !has_shard_ranges(connection)) {
        return;
    }
    const std::string own = info.account + '/' + info.container;
    bool own_deleted = false;
    {
        Query found = connection.query("SELECT epoch, deleted FROM shard_range WHERE name = ?");
        if (!found.bind(own).step() || found.view(0) != name->epoch) {
            return;
        }
        own_deleted = found.integer(1) != 0;
    }
    // Active, shrinking and sharding ranges: those that hold what counts.
    Query sums = connection.query(
        "SELECT count(*), coalesce(sum(object_count) FILTER (WHERE state IN (40, 50, 60)), 0),"
        " coalesce(sum(bytes_used) FILTER (WHERE state IN (40, 50, 60)), 0)"
        " FROM shard_range WHERE deleted = 0 AND name <> ?");
    sums.bind(own).step();
    info.db_state = sums.integer(0) > 0 ? "sharded" : "collapsed";
    if (info.db_state == "sharded" && detail::is_root(info, own_deleted)) {
        info.count = sums.integer(1);
        info.bytes_used = sums.integer(2);
    }
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_SHARD_STATE_HPP
