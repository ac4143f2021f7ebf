#ifndef REPLICA_FWD_HPP
#define REPLICA_FWD_HPP

// Names only, for headers of a host program that mention a replicator and need not pay for one.

/// All of the library.
namespace replica {

struct Info;
struct AccountInfo;
struct ContainerInfo;
struct ObjectRow;
struct ContainerRow;
struct RecordInfo;
struct RecordRow;
struct SyncPoint;
struct Timestamp;

struct Device;
struct Place;
struct LocalDatabase;
struct Request;
struct Reply;
struct Settings;
struct Stats;

class Failure;
class SystemClock;

template <class Broker, class Ring, class Transport, class FileSync, class Clock, class Observer,
          class Feed>
class Replicator;

template <class Broker, class Observer>
class RpcServer;

} // namespace replica

#endif // REPLICA_FWD_HPP
