#ifndef REPLICA_TEST_SIM_CHEAP_HPP
#define REPLICA_TEST_SIM_CHEAP_HPP

// What one change may cost in a simulated cluster that was at rest, by the counters of the passes
// that followed. A point that is lost or never moved keeps all rows, but makes them go over again.

#include "config.hpp"
#include "record.hpp"
#include <replica/stats.hpp>
#include <replica/words/members.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/core/to.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

namespace replica::test {

/// What has been counted, in words.
[[nodiscard]] inline std::string counted(const Stats& stats) {
    std::string text;
    boost::hana::for_each(boost::hana::accessors<Stats>(), [&](auto pair) {
        if (const std::int64_t count = boost::hana::second(pair)(stats); count != 0) {
            text += ' ' + std::string(boost::hana::to<const char*>(boost::hana::first(pair))) +
                    '=' + std::to_string(count);
        }
    });
    return text;
}

/// What changes a cluster at rest.
enum class Change {
    call, ///< One call of a client.
    ring  ///< Another version of the ring.
};

/// One change of a cluster at rest has brought it to rest again after `rounds` rounds, and all
/// passes of them have counted `spent`. Nobody fails then, no id is given up, and nothing goes over
/// that a peer has already. Throws Violation.
inline void require_cheap(const Stats& spent, std::int64_t rounds, const Config& config,
                          Change change) {
    const auto require = [&](bool cheap) {
        if (!cheap) {
            throw Violation("one change at rest costs " + std::to_string(rounds) +
                            " rounds:" + counted(spent));
        }
    };
    require(spent.errors + spent.quarantined + spent.stale == 0);
    require(spent.reidentified == 0 || config.overstated > 0); // a point beyond all rows
    // Of two copies that leave, one may be asked while it is about to go: it answers 503.
    require(spent.failure == 0 || change == Change::ring);
    const std::int64_t once = config.replicas * config.replicas;
    const std::int64_t each_pass = // rows to a peer
        std::max<std::int64_t>(config.per_diff * config.max_diffs, 1);
    // A client that empties a container deletes all its rows in one call.
    const bool empties = config.reports > 0 && change == Change::call;
    // A peer with less than half of our ROWIDs gets the file, by Swift's rule; all of them count
    // where only hashes show a difference, or where a point was raised and then given up. And a
    // copy at a new place queues its misplaced rows once more, where the queue may be about to go.
    const bool whole_file = each_pass < config.names || spent.diverged + config.overstated > 0 ||
                            (empties && config.per_diff < config.names) ||
                            (config.policies > 0 && (change == Change::ring || spent.remove > 0));
    require(spent.remote_merge <= (whole_file ? once : 0));
    // What a brake keeps goes bit by bit. A difference that only hashes show is looked into in
    // every eighth pass, and then all rows go over, so many in each pass.
    const std::int64_t looks = spent.diverged > 0 ? 2 : 0; // of each side
    const std::int64_t differing = looks * (8 + 2 * (1 + config.names / each_pass));
    const std::int64_t emptied = empties ? 2 * (1 + config.names / each_pass) : 0;
    require(rounds <= 6 + differing + emptied || spent.kept > 0);
    if (config.stock + config.rot + config.miscounted + config.overstated > 0) {
        return;
    }
    // Deletions that are old at once, or forgotten by a clock that was ahead, make hashes differ
    // for a while (defect 75), and so do two writes of one time until the one that stays has gone
    // back.
    const bool forgetful = config.late + config.ties + config.jump > 0 || config.reclaim_age == 300;
    require(spent.hashmatch + spent.diverged == 0 || forgetful);
    if (change == Change::ring) {
        return; // copies move, with all their rows
    }
    // Each primary and one handoff send it to each peer. A client of a stock server may commit
    // several pending rows, and a misplaced row is queued as well. An account that is deleted has
    // all its rows deleted. What goes along with a question begins at the sender's own note of the
    // peer's point, which a pass that finds all in sync does not write.
    const bool several = config.pending + config.policies + config.drops > 0;
    const std::int64_t row = several ? 4 : 1;
    const std::int64_t all = config.names * (1 + config.policies);
    const bool whole = config.drops + config.rows_along + spent.diverged > 0;
    require(spent.rows <= (whole ? std::max(all, row) : row) * once);
    require(spent.rsync <= (several ? 2 : 1) * config.replicas);
    require(several || spent.diverged > 0 || spent.diff_capped == 0);
}

} // namespace replica::test

#endif // REPLICA_TEST_SIM_CHEAP_HPP
