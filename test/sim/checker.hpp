#ifndef REPLICA_TEST_SIM_CHECKER_HPP
#define REPLICA_TEST_SIM_CHECKER_HPP

// What must hold in a simulated world: at any moment, and once nothing goes wrong any more. Then
// all primaries have the same rows, and the last version of each is among them.

#include "autopsy.hpp"
#include "client.hpp"
#include "losses.hpp"
#include "nemesis.hpp"
#include "world.hpp"
#include <replica/stats.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/for_each.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

template <class Kind>
class Checker {
public:
    Checker(World<Kind>& world, const Clients<Kind>& clients, Nemesis<Kind>& nemesis,
            const Losses<Kind>& losses)
        : world_(world), clients_(clients), nemesis_(nemesis), losses_(losses) {}

    /// Invariants that must hold at any moment.
    void look() {
        const auto found = nemesis_.all();
        if (found.empty()) {
            return;
        }
        world_.marks("looked");
        require_sound(found);
        excuse();
        for (const Known& database : world_.known) {
            for (const auto& [row, writes] : database.record.rows) {
                // A row that a stock server told may be where nobody reads it (defect 3).
                if (!has_orphans(found) || !clients_.unsynced().contains({&database, row})) {
                    require_held(found, database, &Copy<Kind>::versions, row, writes);
                }
            }
            const auto require_kept = [&](const auto& all, auto where) {
                for (const auto& [key, writes] : all) {
                    if (writes.told() && writes.told()->ticks > database.record.dropped) {
                        require_held(found, database, where, key, writes);
                    }
                }
            };
            require_kept(database.record.metadata, &Copy<Kind>::metadata);
            require_kept(database.record.ranges, &Copy<Kind>::ranges);
        }
        require_honest_points(found);
    }

    /// What must hold once a round has changed nothing; `last` is what that round has counted.
    void judge(const Stats& last) {
        const auto found = nemesis_.all();
        require_sound(found);
        excuse();
        // A replicator without databases asks nobody whether its clock, which has jumped, is right.
        const auto idle =
            world_.config.jump > 0
                ? std::ranges::count_if(found, [](const auto& each) { return each.copies.empty(); })
                : 0;
        if (last.errors > idle && !has_orphans(found)) {
            throw Violation("something cannot be read:" + counted(last));
        }
        // Of a stale copy an operator must say which rows count (invariant I1). A copy that a brake
        // keeps waits with its rows.
        if (last.stale > 0 || last.kept > 0) {
            world_.marks(last.stale > 0 ? "judged: stale" : "judged: kept");
            look();
            return;
        }
        require_sound(found, true);
        for (const Known& database : world_.known) {
            judge(database, found);
        }
    }

private:
    using Known = typename World<Kind>::Known;

    /// What a stock server has replaced and nobody holds any more is lost by its own rules.
    void excuse() {
        if (!losses_.empty()) {
            nemesis_.forgive(
                [this](const Known& database, const std::string& name, const Version& told) {
                    const bool lost = losses_.has(database.hash, name, told);
                    if (lost) {
                        world_.marks("excused: a stock server replaced it, if nobody holds it");
                    }
                    return lost;
                });
        }
    }

    void require_held(const std::vector<Autopsy<Kind>>& found, const Known& database,
                      typename Nemesis<Kind>::Versions Copy<Kind>::*where, const std::string& name,
                      const Writes& writes) const {
        if (writes.told() && !may_be_gone(database, writes) &&
            !Nemesis<Kind>::is_held(found, database.hash, where, name, *writes.told())) {
            throw Violation(database.hash + ": " + name + " is nowhere, though " +
                            writes.told()->text());
        }
    }

    [[nodiscard]] static bool has_orphans(const std::vector<Autopsy<Kind>>& found) {
        return std::ranges::any_of(found, [](const auto& each) { return !each.orphans.empty(); });
    }

    /// A hash that a fault has spoiled may stay wrong until all is `healed`. A stock server takes a
    /// file over with it: then all have the same wrong one (defect 72).
    void require_sound(const std::vector<Autopsy<Kind>>& found, bool healed = false) const {
        const bool may_rot = world_.config.rot > 0 && (!healed || world_.config.stock > 0);
        for (std::size_t at = 0; at < found.size(); ++at) {
            for (const auto& copy : found[at].copies) {
                const std::string where = "machine " + std::to_string(at) + ": " + copy.path;
                if (copy.quarantined) {
                    throw Violation(where + ": in quarantine, though nothing was damaged");
                }
                if (copy.rotten && !may_rot) {
                    throw Violation(where + ": its hash or sums are not those of its rows");
                }
                if (copy.broken) {
                    throw Violation(where + ": " + *copy.broken);
                }
            }
        }
    }

    /// Invariant I2. A restored copy that has passed its old points may break it, and so may a
    /// stock server (defects 5 and 14).
    void require_honest_points(const std::vector<Autopsy<Kind>>& found) const {
        if (world_.config.backup > 0) {
            return;
        }
        std::map<std::string, const Copy<Kind>*> by_id;
        for (const auto& each : found) {
            for (const auto& copy : each.copies) {
                by_id[copy.info.id] = &copy;
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
            }
        }
    }

    void require_rows(const Copy<Kind>& copy, const Copy<Kind>& other, const SyncPoint& point,
                      std::size_t at) const {
        for (const auto& row : other.rows) {
            const Version version = version_of(row);
            const auto held = copy.versions.find(row.name);
            const bool has = held != copy.versions.end() && held->second.ticks >= version.ticks;
            if (row.rowid <= point.sync_point && !has && !version.deleted) {
                throw Violation("machine " + std::to_string(at) + ": " + copy.path +
                                ": its point " + std::to_string(point.sync_point) + " for " +
                                point.remote_id + " speaks of " + row.name +
                                ", which is not there");
            }
        }
    }

    /// Deletions are forgotten by age, and so are the rows of a database that was deleted.
    [[nodiscard]] bool may_be_gone(const Known& database, const Version& told) const {
        const std::int64_t age = world_.clock.now().ticks - told.ticks;
        const auto seconds = [](std::int64_t count) { return count * Timestamp::ticks_per_second; };
        if (told.deleted) {
            return age > seconds(world_.config.reclaim_age - 2 * world_.config.skew - 1);
        }
        // An account that was deleted counts as deleted whatever is in it.
        return world_.config.containers == 0 && database.record.dropped != 0 &&
               told.ticks <= database.record.dropped + seconds(120);
    }

    [[nodiscard]] bool may_be_gone(const Known& database, const Writes& writes) const {
        const auto untold = writes.untold_deletion();
        return (writes.told() && may_be_gone(database, *writes.told())) ||
               (untold && may_be_gone(database, *untold));
    }

    void judge(const Known& database, const std::vector<Autopsy<Kind>>& found) {
        const TableRing ring = world_.machines[0]->ring.version();
        const auto primaries = World<Kind>::primaries(ring, database);
        const std::string path = world_.path(database);
        const Copy<Kind>* const first = found[primaries[0]].live(path);
        for (std::size_t at = 0; at < found.size(); ++at) {
            const bool belongs = std::ranges::find(primaries, at) != primaries.end();
            const Copy<Kind>* const copy = found[at].live(path);
            const std::string where = "machine " + std::to_string(at) + ": " + path;
            if (belongs && (copy != nullptr) != (first != nullptr)) {
                throw Violation(where + (copy != nullptr ? ": is here only" : ": is missing"));
            }
            if (!belongs && copy != nullptr) {
                throw Violation(where + ": does not belong here");
            }
            if (belongs && copy != nullptr) {
                require_equal(*copy, *first, where);
            }
        }
        for (const auto& [row, writes] : database.record.rows) {
            if (has_orphans(found) && clients_.unsynced().contains({&database, row})) {
                continue; // the next copy that arrives there takes it up (defect 3)
            }
            judge(writes, first != nullptr ? find(first->versions, row) : std::nullopt, database,
                  row, first != nullptr);
        }
        for (const auto& [key, writes] : database.record.metadata) {
            judge(writes, first != nullptr ? find(first->metadata, key) : std::nullopt, database,
                  key, first != nullptr);
        }
        for (const auto& [name, writes] : database.record.ranges) {
            judge(writes, first != nullptr ? find(first->ranges, name) : std::nullopt, database,
                  name, first != nullptr);
        }
        world_.marks(first != nullptr ? "judged" : "judged: no database");
    }

    [[nodiscard]] static std::optional<Version> find(const std::map<std::string, Version>& all,
                                                     const std::string& name) {
        const auto found = all.find(name);
        return found == all.end() ? std::nullopt : std::optional(found->second);
    }

    void judge(const Writes& writes, const std::optional<Version>& version, const Known& database,
               const std::string& name, bool exists) const {
        const bool forgets = may_be_gone(database, writes);
        if (!version && forgets) {
            return;
        }
        const bool is_key = name.starts_with("X-") || name.starts_with(".shards_");
        if (!version && is_key && writes.told() &&
            (!exists || writes.told()->ticks <= database.record.dropped)) {
            return; // went with the database
        }
        if (const auto fault = writes.fault(version, forgets)) {
            throw Violation(database.hash + ": " + name + ": " + *fault);
        }
    }

    void require_equal(const Copy<Kind>& copy, const Copy<Kind>& first,
                       const std::string& where) const {
        const bool stock = world_.config.stock > 0;
        if (known(copy.metadata, stock) != known(first.metadata, stock)) {
            throw Violation(where + ": metadata differ");
        }
        if (known(copy.ranges, true) != known(first.ranges, true)) {
            throw Violation(where + ": shard ranges differ");
        }
        if (copy.info.timestamps() != first.info.timestamps()) {
            throw Violation(where + ": times differ");
        }
        if (plain(copy, 0) != plain(first, 0)) {
            // One clock is ahead, so one side has forgotten a deletion that the other still has.
            const auto ours = plain(copy, certain());
            const auto theirs = plain(first, certain());
            if (ours != theirs) {
                throw Violation(where + ": rows differ: " + difference(ours, theirs));
            }
            return;
        }
        if (copy.info.hash != first.info.hash || copy.info.count != first.info.count ||
            copy.info.bytes_used != first.info.bytes_used) {
            throw Violation(where + ": hash or sums differ");
        }
    }

    /// Deletions from then on nobody has forgotten yet.
    [[nodiscard]] std::int64_t certain() const {
        const auto age =
            static_cast<double>(world_.config.reclaim_age - 2 * world_.config.skew - 10);
        return world_.clock.now().plus(-Seconds(age)).ticks;
    }

    /// `all` without deletions that may be forgotten. Between stock servers those of keys go round
    /// for ever (defect 75).
    [[nodiscard]] std::map<std::string, Version> known(std::map<std::string, Version> all,
                                                       bool forgets) const {
        std::erase_if(all, [&](const auto& each) {
            return forgets && each.second.deleted && each.second.ticks < certain();
        });
        return all;
    }

    /// Rows by name, without their numbers, and without deletions older than `since`.
    [[nodiscard]] static std::vector<typename Kind::row_type> plain(const Copy<Kind>& copy,
                                                                    std::int64_t since) {
        std::vector<typename Kind::row_type> rows;
        for (auto row : copy.rows) {
            const Version version = version_of(row);
            if (!version.deleted || version.ticks >= since) {
                row.rowid = -1;
                rows.push_back(std::move(row));
            }
        }
        std::ranges::sort(rows, {}, [](const auto& row) { return row.name; });
        return rows;
    }

    using Rows = std::vector<typename Kind::row_type>;

    /// The first row that is in only one of two lists, and both of its versions.
    [[nodiscard]] static std::string difference(const Rows& ours, const Rows& theirs) {
        std::string text;
        for (const Rows* const rows : {&ours, &theirs}) {
            const Rows& others = rows == &ours ? theirs : ours;
            for (const auto& row : *rows) {
                if (std::ranges::find(others, row) == others.end()) {
                    text += row.name + (rows == &ours ? " here " : " there ") +
                            version_of(row).text() + "; ";
                }
            }
        }
        return text;
    }

    World<Kind>& world_;
    const Clients<Kind>& clients_;
    Nemesis<Kind>& nemesis_;
    const Losses<Kind>& losses_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_CHECKER_HPP
