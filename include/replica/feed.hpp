#ifndef REPLICA_FEED_HPP
#define REPLICA_FEED_HPP

// What was written, told by the disk itself. Without a feed a write waits for the walk to come by,
// which takes minutes. With one the replicator pushes a changed database at once, and its passes
// walk the directories only now and then (send/ledger.hpp). A feed must say when it may have missed
// something: the next pass walks then, so that this costs time and no row.

#include <replica/clock.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/timestamp.hpp>

#include <concepts>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// A hash directory in which a database, or its .pending file, was written to, came or went.
struct Change {
    std::string hash;     ///< Name of the directory. Other directories may have the same name.
    std::string identity; ///< What tells the directory from those, for Feed::is_of.

    /// Whether it may bring a row that others do not have. Not a removal, nor a write of a process
    /// that only replicates: a sender pushes to all primaries itself, and N receivers that pushed
    /// on would ask each other N^2 times.
    bool news = true;

    friend bool operator==(const Change&, const Change&) = default;
};

/// The hash of the database that a file of this name belongs to, if a write to the file may bring a
/// row: "<hash>.db", "<hash>_<epoch>.db" and "<hash>.db.pending". SQLite writes its journal before
/// the database, and the database under a lock that ends with the commit: whoever opens it after
/// the write waits for the commit.
[[nodiscard]] constexpr std::optional<std::string_view> hash_of_file(std::string_view name) {
    constexpr std::string_view pending = ".pending";
    if (name.ends_with(pending)) {
        name.remove_suffix(pending.size());
    }
    const auto parsed = DatabaseName::parse(name);
    return parsed ? std::optional(parsed->hash) : std::nullopt;
}

/// What was written on one device since the last call.
struct Changes {
    std::vector<Change> touched{}; ///< Each hash directory once.

    /// Why there may be more than `touched`; empty if there is no more. Lives as long as the feed.
    std::string_view unknown{};
};

/// Tells which hash directories of a device were written to.
///
/// Laws (test/laws/feed.hpp):
/// - after a write that has returned, to a database below the device or to its .pending file, or a
///   rename to or from such a name, or its removal, the next changes(device) has its hash
///   directory, or `unknown` is set. So it is for a rename of the hash directory. Writes from
///   before the feed was made need not be told.
/// - watches(device) says whether that holds for the device. If it did not until now, as on a
///   device that was mounted anew, the next changes(device) is `unknown`. It looks at the device.
/// - a change may be told that is none: of another device, of a write without a new row.
/// - is_of says whether `directory` is the directory of the change. A directory that does not exist
///   is none.
/// - the number of changes that wait for a caller is bounded. More of them are `unknown`.
/// - wait returns once a change of `device` (empty: of any) waits for a caller, after `at_most` or
///   after a stop, whichever is first, and maybe sooner. It touches no disk.
/// - if running() is false, nothing is ever told.
///
/// Models: NoFeed, FanotifyFeed (disk/fanotify.hpp), SimFeed (sim/feed.hpp). Copies share what they
/// know. Thread safety: any thread; what is told to one caller of changes() is told to no other.
template <class W>
concept Feed = std::copyable<W> && requires(W feed, const std::string& device, const Change& change,
                                            Seconds at_most, const std::stop_token& stop) {
    { feed.running() } -> std::same_as<bool>;
    { feed.watches(device) } -> std::same_as<bool>;
    { feed.wait(device, at_most, stop) };
    { feed.changes(device) } -> std::same_as<Changes>;
    { feed.is_of(change, device) } -> std::same_as<bool>;
};

/// Models Feed. Knows nothing: the walk does all of the work.
struct NoFeed {
    [[nodiscard]] static constexpr bool running() noexcept { return false; }
    [[nodiscard]] static bool watches(const std::string& /*device*/) noexcept { return false; }
    static void wait(const std::string& /*device*/, Seconds /*at_most*/,
                     const std::stop_token& /*stop*/) noexcept {}
    [[nodiscard]] static Changes changes(const std::string& /*device*/) {
        return {{}, "there is no feed"};
    }
    [[nodiscard]] static constexpr bool is_of(const Change& /*change*/,
                                              const std::string& /*directory*/) noexcept {
        return false;
    }
};

static_assert(Feed<NoFeed>);

} // namespace replica

#endif // REPLICA_FEED_HPP
