#ifndef REPLICA_SQLITE_ACCOUNT_HPP
#define REPLICA_SQLITE_ACCOUNT_HPP

// Accounts on disk: the broker of the account replicator, and of host programs that store
// containers.

#include <replica/disk/posix.hpp>
#include <replica/sqlite/account_schema.hpp>
#include <replica/sqlite/host.hpp>
#include <replica/sqlite/store.hpp>

#include <cstdint>
#include <string>

namespace replica {

/// An open account. Belongs to one task.
template <Disk D, Clock C>
class AccountDatabase : public HostDatabase<sqlite::AccountSchema, D, C> {
public:
    using HostDatabase<sqlite::AccountSchema, D, C>::HostDatabase;

    /// Records what a container reports of itself: its put time, objects and bytes.
    void put_container(const std::string& name, Timestamp put, std::int64_t object_count = 0,
                       std::int64_t bytes_used = 0, std::int64_t storage_policy_index = 0) {
        this->put(ContainerRow{-1, name, put.internal(), "0", object_count, bytes_used, 0,
                               storage_policy_index});
    }

    /// Records that a container was deleted at `time`.
    void delete_container(const std::string& name, Timestamp time,
                          std::int64_t storage_policy_index = 0) {
        this->put(ContainerRow{-1, name, "0", time.internal(), 0, 0, 1, storage_policy_index});
    }
};

/// Models Broker over any disk and clock.
template <Disk D, Clock C>
using BasicAccountBroker = SqliteBroker<sqlite::AccountSchema, D, C, AccountDatabase<D, C>>;

/// Models Broker over real files and real time.
using AccountBroker = BasicAccountBroker<PosixDisk, SystemClock>;

static_assert(Broker<AccountBroker>);

} // namespace replica

#endif // REPLICA_SQLITE_ACCOUNT_HPP
