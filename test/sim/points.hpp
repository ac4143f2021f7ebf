#ifndef REPLICA_TEST_SIM_POINTS_HPP
#define REPLICA_TEST_SIM_POINTS_HPP

// What the points of a simulated world's copies say, and whether it is true. A point of ours never
// speaks of a row that is not there; a stock replicator believes points that do.

#include "autopsy.hpp"
#include "losses.hpp"
#include "record.hpp"
#include "world.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace replica::test {

/// Deletions from then on nobody has forgotten yet.
template <class Kind>
[[nodiscard]] std::int64_t certain_since(const World<Kind>& world) {
    const auto age = static_cast<double>(world.config.reclaim_age - 2 * world.config.skew - 10);
    return world.clock.now().plus(-Seconds(age)).ticks;
}

/// Whether a client has deleted what the database at `path` has as `version`, so long ago that the
/// deletion may be forgotten.
template <class Kind>
[[nodiscard]] bool was_deleted_since(const World<Kind>& world, const std::string& path,
                                     const std::string& name, const Version& version) {
    return std::ranges::any_of(world.known, [&](const auto& known) {
        const auto found = known.record.rows.find(name);
        return path.find(known.hash) != std::string::npos && found != known.record.rows.end() &&
               found->second.deleted_between(version.ticks, certain_since(world));
    });
}

template <class Kind>
class PointCheck {
public:
    PointCheck(World<Kind>& world, Losses<Kind>& losses) : world_(world), losses_(losses) {}

    /// Invariant I2. A restored copy that has passed its old points may break it, and so may a
    /// stock server (defects 5 and 14). Of points that were raised, what they say is known.
    void require_honest(const std::vector<Autopsy<Kind>>& found) {
        if (world_.config.backup > 0) {
            return;
        }
        std::map<std::string, const Copy<Kind>*> by_id;
        for (const auto& each : found) {
            for (const auto& copy : each.copies) {
                by_id[copy.info.id] = &copy;
                losses_.note_overstated(copy);
            }
        }
        for (std::size_t at = 0; at < found.size(); ++at) {
            for (const auto& copy : found[at].copies) {
                if (world_.is_stock(*world_.machines[at])) {
                    break;
                }
                for (const SyncPoint& point : copy.incoming) {
                    const auto other = by_id.find(point.remote_id);
                    if (other != by_id.end()) {
                        require_rows(copy, *other->second, point, at);
                    }
                }
                for (const SyncPoint& point : copy.outgoing) {
                    const auto other = by_id.find(point.remote_id);
                    if (other != by_id.end()) {
                        require_taken(*other->second, copy, point, at);
                    }
                }
            }
        }
    }

    /// All rows of `source` are in `target`, but for those that a stock sender takes for known.
    void require_sent(const typename World<Kind>::Known& database, const Copy<Kind>& source,
                      const Copy<Kind>& target, const std::string& where, bool stock) const {
        const std::int64_t point = std::max(point_of(target.incoming, source.info.id),
                                            point_of(source.outgoing, target.info.id));
        for (const auto& row : source.rows) {
            const Version version = version_of(row);
            const auto held = target.versions.find(key_of(row));
            if (held != target.versions.end() && held->second.ticks >= version.ticks) {
                continue;
            }
            if (version.deleted && (version.ticks < certain_since(world_) ||
                                    losses_.forgot(database.hash, key_of(row), version))) {
                continue;
            }
            if (stock && row.rowid <= point) {
                world_.marks("excused: a stock replicator takes a row for known");
                continue;
            }
            throw Violation(where + ": does not have " + key_of(row) + ' ' + version.text());
        }
    }

private:
    using Row = typename Kind::row_type;

    /// What a copy notes of a peer's file: the peer has our rows up to the point. Rows that lost
    /// against others have gone from here.
    void require_taken(const Copy<Kind>& there, const Copy<Kind>& own, const SyncPoint& point,
                       std::size_t at) const {
        for (const Row& row : own.rows) {
            if (row.rowid <= point.sync_point && lacks(there, row)) {
                throw Violation("machine " + std::to_string(at) + ": " + own.path + " notes that " +
                                point.remote_id + " has its rows up to " +
                                std::to_string(point.sync_point) + ", and " + key_of(row) +
                                " is not there");
            }
        }
    }

    void require_rows(const Copy<Kind>& copy, const Copy<Kind>& other, const SyncPoint& point,
                      std::size_t at) const {
        for (const Row& row : other.rows) {
            if (row.rowid <= point.sync_point && lacks(copy, row)) {
                throw Violation("machine " + std::to_string(at) + ": " + copy.path +
                                ": its point " + std::to_string(point.sync_point) + " for " +
                                point.remote_id + " speaks of " + key_of(row) +
                                ", which is not there");
            }
        }
    }

    /// Whether `copy` has neither this row nor a newer one, and none that may be forgotten: a copy
    /// that a brake keeps has rows that were deleted elsewhere long ago.
    [[nodiscard]] bool lacks(const Copy<Kind>& copy, const Row& row) const {
        const Version version = version_of(row);
        const auto held = copy.versions.find(key_of(row));
        if (version.deleted ||
            (held != copy.versions.end() && held->second.ticks >= version.ticks) ||
            losses_.is_assumed(copy.path, key_of(row), version)) {
            return false;
        }
        return !was_deleted_since(world_, copy.path, key_of(row), version);
    }

    [[nodiscard]] static std::int64_t point_of(const std::vector<SyncPoint>& points,
                                               const std::string& id) {
        const auto found = std::ranges::find(points, id, &SyncPoint::remote_id);
        return found == points.end() ? -1 : found->sync_point;
    }

    World<Kind>& world_;
    Losses<Kind>& losses_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_POINTS_HPP
