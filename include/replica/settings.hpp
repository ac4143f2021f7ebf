#ifndef REPLICA_SETTINGS_HPP
#define REPLICA_SETTINGS_HPP

// All options of a replicator in one plain struct, so that an embedding program, a test and a
// daemon set the same fields in the same way. Defaults and names are those of Swift 2.30.1, where
// Swift has the option: an operator's configuration file means the same here. send/decide.hpp
// includes this header, so it stays light. What only a daemon has is in daemon/settings.hpp;
// bounds, reasons and texts are in daemon/options.hpp. A host program need not include either.

#include <replica/words/timestamp.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// How much of a file system must stay free: `value` bytes, or `value` per cent of its size.
struct Reserve {
    double value = 1.0;     ///< Bytes or per cent.
    bool is_percent = true; ///< Else bytes.

    friend bool operator==(const Reserve&, const Reserve&) = default;
};

/// The numbers that send/decide.hpp needs. They form a literal type, since the protocol's tables
/// are static_asserts, and std::string is not constexpr with every supported compiler (clang 16 on
/// libstdc++ 12 rejects it). A `Settings` converts to `Limits` implicitly.
struct Limits {
    // What one pass sends.
    std::int64_t per_diff = 1000;       ///< rows per merge_items; a longer gap may use a whole file
    std::int64_t max_diffs = 100;       ///< times per_diff: rows per database and peer in one pass
    int rows_along = 200;               ///< rows that go with the first question; 0: none
    std::int64_t compare_rows = 2000;   ///< as many are compared before all go again; 0: never
    int concurrency = 8;                ///< databases in flight, all devices together
    Seconds interval{30};               ///< from the start of a pass to the start of the next
    double databases_per_second = 50.0; ///< opened databases, all devices; <= 0 is unlimited
    Seconds walk_interval{3600};        ///< a feed makes passes between two walks (send/ledger.hpp)
    int recheck_passes = 20;     ///< every database is opened in one of so many (send/ledger.hpp)
    bool summaries = true;       ///< one question for all that is at rest (send/summary.hpp)
    Seconds reclaim_age{604800}; ///< tombstones and deleted databases older than this are removed
    bool handoffs_only = false;  ///< skip the partitions a device is a primary for
    int handoff_delete = 0;      ///< copies needed before a handoff goes; 0: every primary
    double leave_share = 50;     ///< percent of a device that may leave it in an hour
    Seconds trash_age{86400};    ///< what is removed or replaced is kept so long: storage/trash.hpp
    double trash_share = 2;      ///< percent of a device that its trash may take
    bool accept_stale = false;   ///< send rows that may have been deleted: send/stale.hpp
    bool rsync_compress = false; ///< only towards another region
    bool push_files = true; ///< whole files to servers of ours without rsync: send/push_file.hpp
    int transfers_per_device = 4; ///< whole files on their way to one device: send/places.hpp

    // Waiting for others.
    Seconds node_timeout{10};  ///< per request, and rsync's inactivity
    Seconds conn_timeout{0.5}; ///< to connect
    Seconds watchdog{60};      ///< a worker silent for this long is given up
    Seconds peer_hold{60};     ///< a device or node that failed is not asked for this long
};

/// The options of one replicator. A plain aggregate: copy it, change fields, hand it over. The
/// options are not read again after the start; a change needs a new replicator, as in Swift.
struct Settings : Limits {
    std::string rsync_module{}; ///< empty: `{replication_ip}::<kind>`

    // This machine's devices and databases.
    std::string devices = "/srv/node"; ///< the directory with the mount points
    bool mount_check = true;           ///< a device must be a mount point, not merely a directory
    Reserve fallocate_reserve{};       ///< free space a receiver keeps

    // This node and the ring.
    std::string bind_ip = "0.0.0.0"; ///< with bind_port: which ring devices are ours
    int bind_port = 0;               ///< 0: the kind's own, 6201 container, 6202 account
    int replica_port = 0;            ///< our REPLICATE server beside a stock one; 0: none
    int receiver_limit = 32;         ///< requests that are served at a time, per device
    std::string hash_path_prefix{};  ///< this and the next from swift.conf
    std::string hash_path_suffix{};  ///< not both empty in a Swift cluster
    std::vector<int> policies{0};    ///< storage policy indexes, from swift.conf
    std::uint64_t seed = 0;          ///< for every random choice; 0: drawn at start
};

/// The name of the first setting that would make a pass report success without doing its work;
/// empty if there is none. A batch of no rows, for one, would send nothing, push the sync points
/// and report success, after which a handoff may be deleted (defect 13). Therefore these settings
/// are checked even where no configuration file is parsed.
[[nodiscard]] constexpr std::string_view first_fault(const Limits& limits) {
    if (limits.per_diff < 1) {
        return "per_diff";
    }
    if (limits.max_diffs < 1) {
        return "max_diffs";
    }
    if (limits.concurrency < 1) {
        return "concurrency";
    }
    if (limits.handoff_delete < 0) {
        return "handoff_delete";
    }
    if (limits.recheck_passes < 1) {
        return "recheck_passes";
    }
    if (!(limits.node_timeout > Seconds{0})) {
        return "node_timeout";
    }
    if (!(limits.reclaim_age >= Seconds{0})) {
        return "reclaim_age";
    }
    return {};
}

} // namespace replica

#endif
