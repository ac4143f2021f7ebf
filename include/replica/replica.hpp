#ifndef REPLICA_REPLICA_HPP
#define REPLICA_REPLICA_HPP

// The plain values, the contracts and the flow, for a host program. The models are not included
// here, since each costs compile time: include those of sqlite/, beast/, process/, ring/, disk/,
// local/, sim/ and daemon/ that the program uses.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/feed.hpp>
#include <replica/file_sync.hpp>
#include <replica/observer.hpp>
#include <replica/replicator.hpp>
#include <replica/ring.hpp>
#include <replica/rpc.hpp>
#include <replica/send/decide.hpp>
#include <replica/settings.hpp>
#include <replica/stats.hpp>
#include <replica/storage/storage.hpp>
#include <replica/transport.hpp>
#include <replica/version.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/info.hpp>
#include <replica/words/message.hpp>
#include <replica/words/timestamp.hpp>

#endif // REPLICA_REPLICA_HPP
