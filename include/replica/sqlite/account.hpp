#ifndef REPLICA_SQLITE_ACCOUNT_HPP
#define REPLICA_SQLITE_ACCOUNT_HPP

// Accounts on disk: the broker of the account replicator, and of host programs that keep
// containers in one.

#include <replica/disk/posix.hpp>
#include <replica/sqlite/account_schema.hpp>
#include <replica/sqlite/store.hpp>

namespace replica {

/// Models Broker over real files and real time.
using AccountBroker = SqliteBroker<sqlite::AccountSchema, PosixDisk, SystemClock>;

static_assert(Broker<AccountBroker>);

} // namespace replica

#endif // REPLICA_SQLITE_ACCOUNT_HPP
