#ifndef REPLICA_OBSERVER_HPP
#define REPLICA_OBSERVER_HPP

// The library logs nothing. It tells an observer in typed events what happens; a log, metrics, a
// progress line or a trace is an observer. The default observer does nothing and costs nothing.

#include <replica/ring.hpp>
#include <replica/stats.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/system/error_code.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace replica {

/// The events, in the order of a pass. A reference in an event is valid during the call only.
namespace event {

/// A pass begins.
struct PassBegan {
    Timestamp at;            ///< Wall time.
    std::size_t devices = 0; ///< Local devices that the pass will walk.
};

/// A pass has ended.
struct PassEnded {
    const Stats& stats;                ///< What it counted.
    const FailureNodes& failure_nodes; ///< Which peers failed, how often.
    Timestamp began;                   ///< Wall time.
    Timestamp ended;                   ///< Wall time.
    Seconds elapsed{};                 ///< By the monotonic clock.
    bool partial = false; ///< Limited to some devices or partitions: not for recon (defect 61).
};

/// The whole pass could not be done; `what` says why.
struct PassFailed {
    const std::string& what; ///< The text of the exception.
};

/// The wall clock has moved by `ahead` more than time has passed (less, if negative). Until the
/// clock agrees with a peer's, nothing is reclaimed by it (send/clock_watch.hpp).
struct ClockJumped {
    Seconds ahead{}; ///< Negative: behind.
};

/// Our clock is ahead of a peer's by `ahead` (behind, if negative). The earlier clock decides what
/// is reclaimed. Told once per node and pass.
struct ClockDiffers {
    const Device& peer; ///< Any device of the node.
    Seconds ahead{};    ///< Negative: behind.
};

/// No device of the ring is on this machine.
struct NoLocalDevices {
    std::string_view addresses; ///< Settings::bind_ip.
    std::uint16_t port = 0;     ///< Settings::bind_port.
};

/// A local device is left out of this pass.
struct DeviceSkipped {
    const std::string& path; ///< Of the device.
    std::string_view reason; ///< "is not mounted", "is not a directory"...
};

/// A local device's disk has not answered for `silent`; the pass goes on without it.
struct DeviceStalled {
    const std::string& device; ///< Its name.
    Seconds silent{};          ///< Until now.
};

/// The workers of a pass, or of pushes, were looked after: they move, or were given up. Comes twice
/// a second or more often, by the thread that waits for them, however long a database takes.
struct WorkersWatched {};

/// What was written to a device is not known in full; the walk comes to it. Each reason is
/// told once an hour.
struct ChangesUnknown {
    const std::string& path; ///< Of the device.
    std::string_view reason; ///< Why the feed does not know.
};

/// Changed databases were pushed, between passes or beside one.
struct PushesEnded {
    const Stats& stats; ///< What was counted.
    Seconds elapsed{};  ///< Since the first of them.
};

/// How far the walk has come on one device.
struct DeviceProgress {
    const std::string& device;       ///< Its name.
    std::size_t partitions_done = 0; ///< Of `partitions`.
    std::size_t partitions = 0;      ///< That the device has.
    std::int64_t databases = 0;      ///< Found so far.
    std::int64_t remembered = -1;    ///< At the end of the walk: databases in the ledger.
};

/// A directory or file could not be read. Only that one is left out.
struct ListingFailed {
    const std::string& path; ///< Of the directory or file.
    const std::string& what; ///< Why not.
};

/// A .pending file holds acknowledged rows, but their database is gone (defect 3). Nothing is
/// removed: the next copy that arrives takes up the rows.
struct OrphanPending {
    const std::string& path; ///< Of the .pending file.
};

/// A database is looked at.
struct DatabaseBegan {
    const std::string& path; ///< Of the database.
};

/// A database is done with.
struct DatabaseEnded {
    const std::string& path;   ///< Of the database.
    const std::string& device; ///< Its name.
    Seconds elapsed{};         ///< Since DatabaseBegan.
    bool success = false;      ///< All peers have all of it.
};

/// A local database could not be read or written.
struct DatabaseFailed {
    const std::string& path; ///< Of the database.
    const std::string& what; ///< Names the file and the reason.
};

/// A database that is beyond use was moved aside.
struct Quarantined {
    const std::string& path;   ///< Where it was.
    const std::string& target; ///< Where it is.
    const std::string& reason; ///< Why it is beyond use.
};

/// The database is in another partition than its name hashes to.
struct Misplaced {
    const std::string& path;     ///< Of the database.
    const std::string& name;     ///< "/account/container", from inside.
    std::uint32_t partition = 0; ///< Where it belongs.
};

/// The name inside the database does not hash to the file's name: a wrong hash prefix or suffix
/// (defect 23). From now on nothing leaves the device in this pass.
struct WrongHash {
    const std::string& path; ///< Of the database.
    const std::string& name; ///< "/account/container", from inside.
};

/// The database has a new id, since peers know another history of ROWIDs under the old one.
struct Reidentified {
    const std::string& path; ///< Of the database.
    std::string_view reason; ///< How that was noticed.
};

/// The database was removed. `reason`: "expired" or "handed off".
struct Removed {
    const std::string& path;   ///< Of the database.
    const std::string& device; ///< Its name.
    std::string_view reason;   ///< See above.
};

/// The database is expired or does not belong here, and stays all the same.
struct Kept {
    const std::string& path;   ///< Of the database.
    const std::string& reason; ///< Why it stays.
};

/// The peer has all of our rows.
struct InSync {
    const std::string& path; ///< Of the database.
    const Device& peer;      ///< The device that was asked.
    bool by_hash = false;    ///< By hash and sums, not by its point.
};

/// Rows are sent.
struct UsyncBegan {
    const std::string& path; ///< Of the database.
    const Device& peer;      ///< The device that was asked.
    std::int64_t point = -1; ///< Rows with a greater ROWID are sent.
};

/// Rows were sent.
struct UsyncEnded {
    const std::string& path; ///< Of the database.
    const Device& peer;      ///< The device that was asked.
    std::int64_t point = -1; ///< Up to this ROWID the peer has them.
    std::int64_t rows = 0;   ///< That were sent.
    bool capped = false;     ///< More rows are left for the next pass.
    Seconds elapsed{};       ///< Since UsyncBegan.
};

/// The points were lost, and the rows were compared (send/compare.hpp).
struct Compared {
    const std::string& path; ///< Of the database.
    const Device& peer;      ///< The device that was asked.
    std::int64_t rows = 0;   ///< Here.
    std::int64_t sent = 0;   ///< The peer did not have them.
    Seconds elapsed{};       ///< With sending.
};

/// A whole file went to the peer.
struct WholeFileSent {
    const std::string& path; ///< Of the database.
    const Device& peer;      ///< The device that was asked.
    std::int64_t bytes = 0;  ///< Size of the file.
    bool merge = false;      ///< The peer had a copy of its own and merged it.
    bool snapshot = false;   ///< Sent from a private copy: somebody wrote to the file meanwhile.
};

/// Both sides have everything by their points, and yet the contents differ. Rows, or the whole
/// file, are sent again (defects 10 and 11).
struct Diverged {
    const std::string& path; ///< Of the database.
    const Device& peer;      ///< The device that was asked.
};

/// The copy was away for longer than reclaim_age and differs from a peer. Old live rows are held
/// back, since they may have been deleted meanwhile (send/stale.hpp).
struct Stale {
    const std::string& path; ///< Of the database.
    Timestamp agreed;        ///< When the copy last agreed with a peer.
    bool alone = false;      ///< No other primary has a copy, so nothing is held back.

    /// It was not away: the last rows of a peer never came (send/awaited.hpp), so what the peer
    /// lacks is not sent again.
    bool awaits = false;
};

/// The rows are not sent: they belong to the sharder.
struct Deferred {
    const std::string& path; ///< Of the database.
    const Device& peer;      ///< The device that was asked.
};

/// The peer's device is out of use (507). A handoff is asked instead.
struct PeerNotMounted {
    const std::string& path; ///< Of the database.
    const Device& peer;      ///< The device that was asked.
};

/// A handoff was wanted, and the ring has no other device.
struct NoMoreHandoffs {
    std::uint32_t partition = 0; ///< Of the database.
};

/// The peer was not reached, or refused.
struct PeerFailed {
    const std::string& path;        ///< Of the database.
    const Device& peer;             ///< The device that was asked.
    boost::system::error_code code; ///< An Error.
    const std::string& what;        ///< Names the peer, and the peer's answer if there was one.
};

/// A brake keeps databases on a device (storage/brakes.hpp). Told once per device and pass.
struct Braked {
    const std::string& device; ///< Its name.
    std::string_view reason;   ///< For people.
    bool names = false;        ///< Names do not hash to their files: leave_share is no way out.
};

/// One peer of one database is done.
struct PeerEnded {
    const std::string& path;   ///< Of the database.
    const Device& peer;        ///< The device that was asked.
    bool success = false;      ///< It has all that was in the snapshot.
    std::int64_t max_row = -1; ///< The last row here.

    /// The last of our rows that the peer has, if that is known; -1 if it has no copy.
    std::optional<std::int64_t> reached{};

    /// The peer was not reached, or refused. False for one that only lacks rows yet, such as after
    /// max_diffs rounds.
    bool failed = false;
};

// Containers: what comes after a database, and at the end of a pass.

/// The link for Swift's container sync (container/sync_store.hpp) could not be made or removed.
struct SyncStoreFailed {
    const std::string& path; ///< Of the database.
    const std::string& what; ///< Why not.
};

/// Rows go into a queue (container/reconciler.hpp) for the first time in this pass.
struct QueueOpened {
    const std::string& path; ///< Of the queue.
    bool made = false;       ///< The queue did not exist before.
};

/// Misplaced rows were put into a queue.
struct RowsQueued {
    const std::string& path; ///< Of the queue.
    std::size_t rows = 0;    ///< Number.
};

/// Misplaced rows of `path` could not be put into a queue. The next pass tries again.
struct QueueFailed {
    const std::string& path;  ///< Of the database.
    const std::string& queue; ///< The name of its container.
    std::size_t rows = 0;     ///< Number.
    const std::string& what;  ///< Why not.
};

/// A queue was made on a device of weight 0, since no other local device can be used.
struct NoWeight {
    std::uint32_t partition = 0; ///< Of the queue.
    const Device& device;        ///< Where it was made.
};

/// The end of a pass: the queues that got rows, then those whose removal was deferred, then the
/// end.
struct QueuesReplicating {
    std::size_t count = 0; ///< Of queues.
};
/// See QueuesReplicating.
struct QueuesCleaning {
    std::size_t count = 0; ///< Of queues.
};
/// See QueuesReplicating.
struct QueuesEnded {};

// The receiver.

/// A request was answered.
struct Served {
    const std::string& device; ///< As in the request.
    std::string_view verb;     ///< Empty: none was read.
    int status = 0;            ///< HTTP's.
    Seconds elapsed{};         ///< On our side.
};

/// A request came from an address outside of the ring, or without a good signature. It was
/// `refused`, or else served all the same.
struct Doubted {
    const std::string& address; ///< Of the sender.
    std::string_view word;      ///< Why, for a metric.
    std::string_view sentence;  ///< The same for people.
    bool refused = false;       ///< With 401, 403 or 503.
};

/// Part of a request or of a file could not be used and was left out; the rest was applied.
struct SetAside {
    const std::string& path; ///< Of the database or file.
    const std::string& what; ///< Which part, and why.
};

/// A request failed on our side.
struct ServeFailed {
    const std::string& path;          ///< The hash in the request.
    const std::string& what;          ///< May have names of accounts, containers and metadata.
    boost::system::error_code code{}; ///< Success: an exception that is no Failure.
};

} // namespace event

/// Called with each event above, from any thread, several at once. Must not throw and should not
/// block: the call is made with no lock held, but the database waits for the observer.
template <class O>
concept Observer = requires(O observer, const event::PassBegan& began,
                            const event::DatabaseEnded& ended, const event::Served& served) {
    observer(began);
    observer(ended);
    observer(served);
};

/// An observer that does nothing.
struct Silent {
    /// For every event.
    template <class Event>
    constexpr void operator()(const Event& /*event*/) const noexcept {}
};

static_assert(Observer<Silent>);

} // namespace replica

#endif // REPLICA_OBSERVER_HPP
