#ifndef REPLICA_OBSERVER_HPP
#define REPLICA_OBSERVER_HPP

// The library logs nothing. It tells an observer what happens, in typed events, and whoever wants a
// log, metrics, a progress line or a trace writes an observer. The default does nothing and costs
// nothing.

#include <replica/ring.hpp>
#include <replica/stats.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/system/error_code.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace replica {

/// What happens, in the order of a pass. The references live as long as the call.
namespace event {

struct PassBegan {
    Timestamp at;
    std::size_t devices = 0; ///< Local devices that will be looked at.
};

struct PassEnded {
    const Stats& stats;
    const FailureNodes& failure_nodes;
    Timestamp began;
    Timestamp ended;
    Seconds elapsed{};
    bool partial = false; ///< Limited to some devices or partitions: not for recon (defect 61).
};

/// The whole pass could not be done; `what` says why.
struct PassFailed {
    const std::string& what;
};

/// The wall clock has moved by `ahead` more than time has passed (less, if negative). Until a peer
/// agrees with it, nothing is forgotten by it.
struct ClockJumped {
    Seconds ahead{};
};

/// A peer's clock differs from ours, which is ahead by `ahead` (behind, if negative). The earlier
/// of the two counts. Once a node and pass.
struct ClockDiffers {
    const Device& peer;
    Seconds ahead{};
};

/// Nothing in the ring is on this machine.
struct NoLocalDevices {
    std::string_view addresses;
    std::uint16_t port = 0;
};

/// A local device is left out of this pass.
struct DeviceSkipped {
    const std::string& path;
    std::string_view reason; ///< "is not mounted", "is not a directory"...
};

/// A local device's disk has not answered for `silent`; the pass goes on without it.
struct DeviceStalled {
    const std::string& device;
    Seconds silent{};
};

/// How far the walk of one device is.
struct DeviceProgress {
    const std::string& device;
    std::size_t partitions_done = 0;
    std::size_t partitions = 0;
    std::int64_t databases = 0;
};

/// A directory or file could not be read; only it is left out.
struct ListingFailed {
    const std::string& path;
    const std::string& what;
};

/// Rows that were acknowledged wait here, but their database is gone (defect 3). Nothing is
/// removed; the next whole-file copy that arrives takes them up.
struct OrphanPending {
    const std::string& path;
};

struct DatabaseBegan {
    const std::string& path;
};

struct DatabaseEnded {
    const std::string& path;
    const std::string& device;
    Seconds elapsed{};
    bool success = false;
};

/// A local database could not be read or written.
struct DatabaseFailed {
    const std::string& path;
    const std::string& what;
};

struct Quarantined {
    const std::string& path;
    const std::string& target;
    const std::string& reason;
};

/// Lies under another partition than its name hashes to.
struct Misplaced {
    const std::string& path;
    const std::string& name;
    std::uint32_t partition = 0;
};

/// The name inside does not hash to the file's own: a wrong hash prefix or suffix (defect 23).
/// Nothing on the device is moved or removed in this pass.
struct WrongHash {
    const std::string& path;
    const std::string& name;
};

/// The database has a new id: what peers know of its history is not its history.
struct Reidentified {
    const std::string& path;
    std::string_view reason;
};

/// Gone, and why: "expired" or "handed off".
struct Removed {
    const std::string& path;
    const std::string& device;
    std::string_view reason;
};

/// Does not belong here and stays all the same.
struct Kept {
    const std::string& path;
    const std::string& reason;
};

struct InSync {
    const std::string& path;
    const Device& peer;
    bool by_hash = false;
};

struct UsyncBegan {
    const std::string& path;
    const Device& peer;
    std::int64_t point = -1;
};

struct UsyncEnded {
    const std::string& path;
    const Device& peer;
    std::int64_t point = -1;
    std::int64_t rows = 0;
    bool capped = false; ///< More rows are left for the next pass.
    Seconds elapsed{};
};

/// A whole file went to the peer.
struct WholeFileSent {
    const std::string& path;
    const Device& peer;
    std::int64_t bytes = 0;
    bool merge = false;    ///< The peer had a copy of its own and merged it.
    bool snapshot = false; ///< Sent from a private copy, since the file changed meanwhile.
};

/// Both sides claim to have everything and yet differ; all rows are sent again (defects 10, 11).
struct Diverged {
    const std::string& path;
    const Device& peer;
};

/// The copy was away for longer than reclaim_age and differs from a peer: live rows from before
/// are held back, for they may have been deleted meanwhile (stale.hpp).
struct Stale {
    const std::string& path;
    Timestamp agreed;   ///< When it last knew all that a peer knew.
    bool alone = false; ///< No other primary has a copy, so that nothing is held back.
};

/// Rows are left to the sharder.
struct Deferred {
    const std::string& path;
    const Device& peer;
};

struct PeerNotMounted {
    const std::string& path;
    const Device& peer;
};

struct NoMoreHandoffs {
    std::uint32_t partition = 0;
};

struct PeerFailed {
    const std::string& path;
    const Device& peer;
    boost::system::error_code code;
    const std::string& what; ///< Names the peer, and its answer if there was one.
};

/// Too much would be taken away from a device, in a pass or in an hour, and stays (brakes.hpp).
/// Once a device and pass.
struct Braked {
    const std::string& device;
    std::string_view reason;
};

/// One peer of one database is dealt with.
struct PeerEnded {
    const std::string& path;
    const Device& peer;
    bool success = false;
};

// Containers: what comes after a database, and at the end of a pass.

/// The link that Swift's container sync follows could not be made or removed.
struct SyncStoreFailed {
    const std::string& path;
    const std::string& what;
};

/// A queue of the reconciler is fed for the first time in this pass.
struct QueueOpened {
    const std::string& path;
    bool made = false; ///< It was not there before.
};

/// Misplaced rows were put into a queue.
struct RowsQueued {
    const std::string& path;
    std::size_t rows = 0;
};

/// Rows of `path` could not be put into a queue; the next pass tries again.
struct QueueFailed {
    const std::string& path;
    const std::string& queue; ///< The name of its container.
    std::size_t rows = 0;
    const std::string& what;
};

/// A queue has to lie on a device that is being drained.
struct NoWeight {
    std::uint32_t partition = 0;
    const Device& device;
};

/// The end of a pass: queues that were fed, then those whose removal was put off, then the end.
struct QueuesReplicating {
    std::size_t count = 0;
};
struct QueuesCleaning {
    std::size_t count = 0;
};
struct QueuesEnded {};

// The receiver.

struct Served {
    const std::string& device;
    std::string_view verb;
    int status = 0;
    Seconds elapsed{};
};

/// Part of a request could not be used and was left out; the rest was applied.
struct SetAside {
    const std::string& path;
    const std::string& what;
};

/// A request failed on our side.
struct ServeFailed {
    const std::string& path;
    const std::string& what;
};

} // namespace event

/// Called with each event above, from any thread, several at once. Must not throw and should not
/// block: it is called with no lock held, but a database waits for it.
template <class O>
concept Observer = requires(O observer, const event::PassBegan& began,
                            const event::DatabaseEnded& ended, const event::Served& served) {
    observer(began);
    observer(ended);
    observer(served);
};

/// Hears everything and does nothing.
struct Silent {
    template <class Event>
    constexpr void operator()(const Event& /*event*/) const noexcept {}
};

static_assert(Observer<Silent>);

} // namespace replica

#endif // REPLICA_OBSERVER_HPP
