#ifndef REPLICA_SQLITE_CONTAINER_HPP
#define REPLICA_SQLITE_CONTAINER_HPP

// Containers on disk: the broker of the container replicator, and of host programs that store
// objects.

#include <replica/container/shards.hpp>
#include <replica/disk/posix.hpp>
#include <replica/sqlite/container_schema.hpp>
#include <replica/sqlite/host.hpp>
#include <replica/sqlite/shard_state.hpp>
#include <replica/sqlite/shard_table.hpp>
#include <replica/sqlite/store.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// An open container. Belongs to one task.
template <Disk D, Clock C>
class ContainerDatabase : public HostDatabase<sqlite::ContainerSchema, D, C> {
    using Base = HostDatabase<sqlite::ContainerSchema, D, C>;

public:
    using Base::Base;

    /// With the state of sharding, which shows in the files of the directory. The sums of a sharded
    /// root are those of its shards. While a container is being sharded, its sums are those of the
    /// older file.
    [[nodiscard]] ContainerInfo info() {
        auto seen = this->handle().glance(
            [](auto& tables) { return sqlite::ContainerSchema::read_info(tables); });
        if (seen && seen->shard_max_row < 0) {
            sqlite::add_shard_state(this->path(), this->disk(), *seen,
                                    [this]() -> sqlite::Connection& { return this->connection(); });
            return *std::move(seen);
        }
        this->connection().require_in_place();
        const sqlite::Transaction snapshot(this->connection(), sqlite::Transaction::Kind::read);
        return this->read_state();
    }

    /// Whether there is no live row in any policy, nor in the shards of a root (Swift 2.18).
    [[nodiscard]] bool empty() { return info().live_rows == 0; }

    /// All shard ranges by name, with deleted ones and the container's own.
    [[nodiscard]] std::vector<ShardRange> shard_ranges() {
        this->connection().require_in_place();
        std::vector<ShardRange> ranges;
        for (auto& [name, range] : shard_table().read()) {
            ranges.push_back(std::move(range));
        }
        return ranges;
    }

    /// Writes nothing if nothing is newer: see shards::changes.
    void merge_shard_ranges(std::span<const ShardRange> news, Timestamp forgotten = {}) {
        const auto changes = [&] {
            const ContainerInfo info = sqlite::ContainerSchema::read_info(this->connection());
            return shards::changes(shard_table().read(), news, info.account + '/' + info.container,
                                   forgotten);
        };
        this->connection().require_in_place();
        if (changes().empty()) {
            return;
        }
        sqlite::Transaction transaction = this->begin_write();
        shard_table().write(changes());
        transaction.commit();
    }

    /// As in the base class, with the state of sharding as in info().
    [[nodiscard]] Inspection<ContainerInfo> inspect() {
        const sqlite::Transaction snapshot(this->connection(), sqlite::Transaction::Kind::read);
        Inspection<ContainerInfo> result = Base::inspect();
        result.info = info();
        return result;
    }

    /// Records a client's object, put at `time`. Size in bytes.
    void put_object(const std::string& name, Timestamp time, std::int64_t size,
                    const std::string& content_type, const std::string& etag,
                    std::int64_t storage_policy_index = 0) {
        this->put(ObjectRow{-1, name, time.internal(), size, content_type, etag, 0,
                            storage_policy_index});
    }

    /// Records that a client's object was deleted at `time`.
    void delete_object(const std::string& name, Timestamp time,
                       std::int64_t storage_policy_index = 0) {
        this->put(ObjectRow{-1, name, time.internal(), 0, "application/deleted", "noetag", 1,
                            storage_policy_index});
    }

    /// At most `count` rows of another policy than the container's, with `above` < ROWID <=
    /// `up_to`, rising. Reads all rows between in one transaction.
    [[nodiscard]] std::vector<ObjectRow> misplaced(std::int64_t above, std::int64_t up_to,
                                                   std::int64_t count) {
        this->connection().require_in_place();
        std::vector<ObjectRow> rows;
        sqlite::Query found = this->connection().query(sqlite::ContainerSchema::select_misplaced);
        found.bind(above, up_to, count);
        while (found.step()) {
            rows.push_back(sqlite::ContainerSchema::read(found));
        }
        return rows;
    }

    /// Records that the rows up to `point` were checked while the policy was `policy`. If the
    /// policy has changed meanwhile, other rows are misplaced: returns false and changes nothing.
    bool set_reconciler_sync_point(std::int64_t point, std::int64_t policy) {
        sqlite::Transaction transaction = this->begin_write();
        if (sqlite::ContainerSchema::read_info(this->connection()).storage_policy_index != policy) {
            return false;
        }
        this->update("SET reconciler_sync_point = ?", point);
        transaction.commit();
        return true;
    }

    /// Sets the policy that replicas have agreed on, and the time of the change (Swift 2.0). Writes
    /// nothing if it is already set. Under a new policy other rows are misplaced, so the
    /// reconciler's point is reset. Swift leaves the point, and never queues the rows below it.
    void set_storage_policy_index(std::int64_t index, Timestamp now) {
        sqlite::Transaction transaction = this->begin_write();
        this->connection()
            .query("INSERT OR IGNORE INTO policy_stat (storage_policy_index) VALUES (?)")
            .bind(index)
            .run();
        this->update("SET storage_policy_index = ?, reconciler_sync_point = -1,"
                     " status_changed_at = max(status_changed_at, ?)"
                     " WHERE storage_policy_index <> ?",
                     index, now.internal(), index);
        transaction.commit();
    }

private:
    [[nodiscard]] sqlite::ShardTable shard_table() {
        return {this->connection(), sqlite::ContainerSchema::create_shard_range};
    }
};

/// Models Broker over any disk and clock.
template <Disk D, Clock C>
using BasicContainerBroker = SqliteBroker<sqlite::ContainerSchema, D, C, ContainerDatabase<D, C>>;

/// Models Broker over real files and real time.
using ContainerBroker = BasicContainerBroker<PosixDisk, SystemClock>;

static_assert(Broker<ContainerBroker>);

} // namespace replica

#endif // REPLICA_SQLITE_CONTAINER_HPP
