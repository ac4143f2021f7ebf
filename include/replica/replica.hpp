#ifndef REPLICA_REPLICA_HPP
#define REPLICA_REPLICA_HPP

// The words, the contracts and the flow. Models are paid for where they are included: sqlite/,
// beast/, process/, ring/, disk/, local/, sim/, daemon/.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/decide.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/file_sync.hpp>
#include <replica/hash_path.hpp>
#include <replica/info.hpp>
#include <replica/message.hpp>
#include <replica/observer.hpp>
#include <replica/replicator.hpp>
#include <replica/ring.hpp>
#include <replica/rpc.hpp>
#include <replica/settings.hpp>
#include <replica/stats.hpp>
#include <replica/storage.hpp>
#include <replica/timestamp.hpp>
#include <replica/transport.hpp>
#include <replica/version.hpp>

#endif // REPLICA_REPLICA_HPP
