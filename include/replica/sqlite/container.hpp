#ifndef REPLICA_SQLITE_CONTAINER_HPP
#define REPLICA_SQLITE_CONTAINER_HPP

// Containers on disk: the broker of the container replicator, and of host programs that keep
// objects in one.

#include <replica/disk/posix.hpp>
#include <replica/sqlite/container_schema.hpp>
#include <replica/sqlite/store.hpp>

#include <cstdint>
#include <string>

namespace replica {

/// An open container.
template <Disk D, Clock C>
class ContainerDatabase : public SqliteDatabase<sqlite::ContainerSchema, D, C> {
    using Base = SqliteDatabase<sqlite::ContainerSchema, D, C>;

public:
    using Base::Base;

    /// The policy that replicas have agreed on, and when (Swift 2.0).
    void set_storage_policy_index(std::int64_t index, Timestamp now) {
        sqlite::Transaction transaction = this->begin_write();
        this->connection()
            .query("INSERT OR IGNORE INTO policy_stat (storage_policy_index) VALUES (?)")
            .bind(index)
            .run();
        this->update("SET storage_policy_index = ?, status_changed_at = max(status_changed_at, ?)",
                     index, now.internal());
        transaction.commit();
    }
};

/// Models Broker over real files and real time.
using ContainerBroker = SqliteBroker<sqlite::ContainerSchema, PosixDisk, SystemClock,
                                     ContainerDatabase<PosixDisk, SystemClock>>;

static_assert(Broker<ContainerBroker>);

} // namespace replica

#endif // REPLICA_SQLITE_CONTAINER_HPP
