#ifndef REPLICA_STATS_HPP
#define REPLICA_STATS_HPP

// What a pass counts. One struct feeds the summary line, the recon file, statsd and the tests. The
// members have the names of the recon keys.

#include <boost/hana/adapt_struct.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace replica {

/// Counters of one pass. `attempted` counts databases; `success` and `failure` count peers.
struct Stats {
    std::int64_t attempted = 0;    ///< Databases that a pass began with.
    std::int64_t success = 0;      ///< Peers that have all we have.
    std::int64_t failure = 0;      ///< Peers that failed, and databases that could not be read.
    std::int64_t no_change = 0;    ///< The peer has all our rows, by its point.
    std::int64_t hashmatch = 0;    ///< The peer has all our rows, by hash and sums.
    std::int64_t rsync = 0;        ///< The peer had nothing; the whole file was sent.
    std::int64_t remote_merge = 0; ///< The peer had little; the whole file was sent and merged.
    std::int64_t diff = 0;         ///< Rows were sent.
    std::int64_t diff_capped = 0;  ///< Rows were sent, and more are left for the next pass.
    std::int64_t remove = 0;       ///< Databases removed: expired, or handed off.
    std::int64_t deferred = 0;     ///< Peers that got no rows: those are the sharder's.
    std::int64_t ts_repl = 0;      ///< Always 0, as in Swift; kept for readers of recon.
    std::int64_t empty = 0;        ///< Always 0, as in Swift.

    // Counters that Swift does not have:
    std::int64_t at_rest = 0;      ///< Databases that were not opened (send/ledger.hpp).
    std::int64_t rows = 0;         ///< Rows sent.
    std::int64_t bytes = 0;        ///< Bytes of whole files sent.
    std::int64_t quarantined = 0;  ///< Databases moved to quarantine.
    std::int64_t kept = 0;         ///< Databases that could not be removed yet.
    std::int64_t reidentified = 0; ///< Databases that got a new id.
    std::int64_t diverged = 0;     ///< Peers in sync by point whose content differs; sent again.
    std::int64_t stale = 0;        ///< Databases that were away too long (send/stale.hpp).
    std::int64_t errors = 0;       ///< Local files and directories that could not be read.

    friend bool operator==(const Stats&, const Stats&) = default;
};

/// Failures by node: by replication_ip, then by device name.
using FailureNodes = std::map<std::string, std::map<std::string, std::int64_t>>;

} // namespace replica

#endif // REPLICA_STATS_HPP
