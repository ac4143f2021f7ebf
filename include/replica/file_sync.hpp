#ifndef REPLICA_FILE_SYNC_HPP
#define REPLICA_FILE_SYNC_HPP

// How a whole database file reaches the tmp directory of another device. In a cluster rsync does
// it; on one host a copy is enough. A delivered file is not yet a database: the receiver checks the
// file first and then puts it in place (complete_rsync, rsync_then_merge).

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <stop_token>
#include <string>

namespace replica {

/// Where a file goes: `<device>/tmp/<name>` on the node of `target`.
struct Upload {
    Device target;    ///< The device of the ring that gets the file.
    std::string name; ///< Stock receivers record a point under this name: see send/rsync.hpp.
    bool different_region = false; ///< rsync_compress applies across regions only (Swift 2.4).
    bool whole_file = true; ///< False: an earlier state of the file is there; send the delta.

    /// Of the database. Where the upload goes does not depend on them.
    std::uint32_t partition = 0;
    std::string hash = std::string(32, '0'); ///< 32 hexadecimal digits.

    /// The database's file name, if the peer has no database and may put the upload in its place at
    /// once (complete_rsync). Nobody needs to; Sent::finished tells. Empty: only deliver.
    std::string file{};
};

/// What was sent.
struct Sent {
    std::int64_t bytes = 0; ///< Size of the file.
    bool snapshot = false;  ///< Of one moment, whoever wrote meanwhile: no torn file.
    bool finished = false;  ///< The peer has put it in place: see Upload::file.
};

/// A database file to be sent: by its path, for another process to read, or as a private copy made
/// through the broker. Nobody may open the path itself in this process (defect 65). Belongs
/// to one task.
template <class S>
concept Source = requires(S source, const std::string& path, Instant deadline) {
    { source.path() } -> std::convertible_to<std::string>;
    { source.copy_to(path, deadline) };
};

/// The smallest source, for checking a FileSync without a broker. Models Source.
struct AnySource {
    [[nodiscard]] std::string path() const { return {}; }
    void copy_to(const std::string& /*path*/, Instant /*deadline*/) const {}
};

static_assert(Source<AnySource>);

/// A database as of one moment, whatever is written to it: in memory, or in a private copy. Belongs
/// to one task.
template <class S>
concept Snapshot =
    std::movable<S> && requires(const S& snapshot, std::int64_t offset, std::size_t bytes) {
        { snapshot.size() } -> std::same_as<std::int64_t>;
        { snapshot.read(offset, bytes) } -> std::same_as<std::string>; // fewer only at the end
    };

/// A snapshot that remembers the digest of its bytes: s.digest(compute) is what compute() returns,
/// or has returned for the same bytes. A file that goes to several peers is digested once.
template <class S>
concept DigestedSnapshot = Snapshot<S> && requires(const S& snapshot, std::string (*compute)()) {
    { snapshot.digest(compute) } -> std::same_as<std::string>;
};

/// A source that can be read in this process as well. No lock is held once snapshot() has returned.
/// Both calls throw Failure.
template <class S>
concept SnapshotSource = Source<S> && requires(S source, Instant deadline) {
    { source.snapshot(deadline) } -> Snapshot;
};

/// Delivers files.
///
/// Laws (test/laws/file_sync.hpp):
/// - on success the whole file has its name in the target's tmp, unless it is in place already
///   (`Sent::finished`). On a fault there may be nothing or
///   a part of the file, never under a name that anybody but the sweep of tmp looks at.
/// - the file sent is the one at `source.path()` as another process reads it, or a copy made by
///   `source.copy_to`, or a snapshot. The first is torn if somebody writes meanwhile; the caller
///   checks that, unless `Sent::snapshot` tells otherwise.
/// - send ends at the deadline (Error::timed_out) and soon after a stop (Error::stopped), and
///   leaves no process behind. send never throws. A fault's text names the target and the reason.
///
/// Models: RsyncFileSync (process/rsync.hpp), PushFileSync (send/push_file.hpp), FirstOf
/// (send/first_of.hpp), LocalFileSync (local/file_sync.hpp), SimFileSync (sim/file_sync.hpp).
/// Thread safety: any thread.
template <class F>
concept FileSync = requires(F files, AnySource source, const Upload& upload, Instant deadline,
                            std::stop_token stop) {
    { files.send(source, upload, deadline, stop) } -> std::same_as<Result<Sent>>;
};

/// A FileSync that is the way to some targets only, such as servers of ours. `takes` tells which.
/// It may ask the target, and another answer may follow a `send` that failed. It never throws.
template <class F>
concept SelectiveFileSync = FileSync<F> && requires(F files, AnySource source, const Upload& upload,
                                                    Instant deadline, std::stop_token stop) {
    { files.takes(source, upload, deadline, stop) } -> std::same_as<bool>;
};

/// The result of deliver(), for a send that never throws: what is thrown is a fault, whose text
/// begins with `about`.
template <std::invocable Deliver>
[[nodiscard]] Result<Sent> caught(const std::string& about, Deliver deliver) {
    try {
        return deliver();
    } catch (const Failure& failure) {
        return Fault{failure.code(), about + failure.what()};
    } catch (const std::exception& other) {
        return Fault{Error::io, about + other.what()};
    }
}

} // namespace replica

#endif // REPLICA_FILE_SYNC_HPP
