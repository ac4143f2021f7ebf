#ifndef REPLICA_FILE_SYNC_HPP
#define REPLICA_FILE_SYNC_HPP

// How a whole database file reaches another device's tmp directory. Rsync does it in a cluster; on
// one host a copy is enough. What is delivered counts for nothing until the receiver has checked it
// and put it in place (complete_rsync, rsync_then_merge).

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>

#include <concepts>
#include <cstdint>
#include <stop_token>
#include <string>

namespace replica {

/// Where a file goes: `<device>/tmp/<name>` on the node of `target`.
struct Upload {
    Device target;
    std::string name;              ///< A receiver takes it for the id of the sender: see rsync.hpp.
    bool different_region = false; ///< Compression pays only across regions (Swift 2.4).
    bool whole_file = true;        ///< False: something like it lies there already; send the delta.
};

/// What was sent.
struct Sent {
    std::int64_t bytes = 0; ///< Size of the file.
};

/// A database file to be sent: by path, read by another process; or as a private copy made through
/// the store. Nobody may open the path itself in this process (defect 65).
template <class S>
concept Source = requires(S source, const std::string& path, Instant deadline) {
    { source.path() } -> std::convertible_to<std::string>;
    { source.copy_to(path, deadline) };
};

/// The smallest source, for checking a FileSync without a broker.
struct AnySource {
    [[nodiscard]] std::string path() const { return {}; }
    void copy_to(const std::string& /*path*/, Instant /*deadline*/) const {}
};

static_assert(Source<AnySource>);

/// Delivers files.
///
/// Laws (test/laws/file_sync.hpp):
/// - on success the file stands complete under its name in the target's tmp; on a fault there may
///   be nothing or a part of it, never under another name.
/// - what is sent is the file at `source.path()` as another process reads it, torn if somebody
///   writes meanwhile (the caller checks), or a copy made by `source.copy_to`.
/// - send ends at the deadline (Error::timed_out) and soon after a stop (Error::stopped) and leaves
///   no process behind. It never throws. A fault's text names the target and the reason.
///
/// Models: RsyncFileSync (process/rsync.hpp), LocalFileSync (local/file_sync.hpp), SimFileSync
/// (sim/file_sync.hpp). Thread safety: any thread.
template <class F>
concept FileSync = requires(F files, AnySource source, const Upload& upload, Instant deadline,
                            std::stop_token stop) {
    { files.send(source, upload, deadline, stop) } -> std::same_as<Result<Sent>>;
};

} // namespace replica

#endif // REPLICA_FILE_SYNC_HPP
