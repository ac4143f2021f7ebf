#ifndef REPLICA_TEST_SIM_CHECKER_HPP
#define REPLICA_TEST_SIM_CHECKER_HPP

// What must hold in a simulated world: at any moment, and once nothing goes wrong any more. Then
// all primaries have the same rows, and the last version of each is among them.

#include "autopsy.hpp"
#include "cheap.hpp"
#include "client.hpp"
#include "losses.hpp"
#include "nemesis.hpp"
#include "points.hpp"
#include "queues.hpp"
#include "world.hpp"
#include <replica/stats.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

template <class Kind>
class Checker {
public:
    Checker(World<Kind>& world, const Clients<Kind>& clients, Nemesis<Kind>& nemesis,
            Losses<Kind>& losses)
        : world_(world), clients_(clients), nemesis_(nemesis), losses_(losses),
          points_(world, losses), queues_(world, nemesis, losses) {}

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
                    if (writes.told() && writes.told()->ticks > went_by(database)) {
                        require_held(found, database, where, key, writes);
                    }
                }
            };
            require_kept(database.record.metadata, &Copy<Kind>::metadata);
            require_kept(database.record.ranges, &Copy<Kind>::ranges);
        }
        points_.require_honest(found);
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
        for (const Known& queue : QueueCheck<Kind>::all(found)) {
            judge(queue, found);
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
            !is_forgotten(database, name, writes) &&
            !is_held(found, database.hash, where, name, *writes.told())) {
            throw Violation(database.hash + ": " + name + " is nowhere, though " +
                            writes.told()->text());
        }
    }

    [[nodiscard]] static bool has_orphans(const std::vector<Autopsy<Kind>>& found) {
        return std::ranges::any_of(found, [](const auto& each) { return !each.orphans.empty(); });
    }

    /// A hash that a fault has spoiled may stay wrong until all is `healed`. A stock server takes a
    /// file over with it: then all have the same wrong one (defect 72). The sums of a policy that
    /// is not the container's own are in no answer (defect 92).
    void require_sound(const std::vector<Autopsy<Kind>>& found, bool healed = false) const {
        const bool rots = world_.config.rot + world_.config.miscounted > 0;
        const bool may_rot = rots && (!healed || world_.config.stock > 0);
        for (std::size_t at = 0; at < found.size(); ++at) {
            for (const auto& copy : found[at].copies) {
                const std::string where = "machine " + std::to_string(at) + ": " + copy.path;
                if (copy.quarantined) {
                    throw Violation(where + ": in quarantine, though nothing was damaged");
                }
                if ((copy.rotten && !may_rot) || (copy.untold && world_.config.miscounted == 0)) {
                    throw Violation(where + ": its hash or sums are not those of its rows");
                }
                if (copy.broken) {
                    throw Violation(where + ": " + *copy.broken);
                }
            }
        }
    }

    /// So long after a database was deleted, what was written elsewhere may still go with it.
    static constexpr std::int64_t unaware = 120 * Timestamp::ticks_per_second;

    /// Deletions are forgotten by age, and so are the rows of a database that was deleted.
    [[nodiscard]] bool may_be_gone(const Known& database, const Version& told) const {
        const std::int64_t age = world_.clock.now().ticks - told.ticks;
        const auto seconds = [](std::int64_t count) { return count * Timestamp::ticks_per_second; };
        if (told.deleted) {
            return age > seconds(world_.config.reclaim_age - 2 * world_.config.skew - 1);
        }
        // An account that was deleted counts as deleted whatever is in it.
        return world_.config.containers == 0 && database.record.dropped != 0 &&
               told.ticks <= database.record.dropped + unaware;
    }

    /// Until when keys and ranges go with a database that was deleted. A container that expires
    /// takes those with it that were written elsewhere before that was known there.
    [[nodiscard]] std::int64_t went_by(const Known& database) const {
        const bool expires = world_.config.reports > 0 && database.record.dropped != 0;
        return database.record.dropped + (expires ? unaware : 0);
    }

    [[nodiscard]] bool may_be_gone(const Known& database, const Writes& writes) const {
        const auto untold = writes.untold_deletion();
        return (writes.told() && may_be_gone(database, *writes.told())) ||
               (untold && may_be_gone(database, *untold));
    }

    /// Whether a stock replicator has forgotten a deletion, so that an older version may come back.
    [[nodiscard]] bool is_forgotten(const Known& database, const std::string& name,
                                    const Writes& writes) const {
        const auto untold = writes.untold_deletion();
        return (writes.told() && losses_.forgot(database.hash, name, *writes.told())) ||
               (untold && losses_.forgot(database.hash, name, *untold));
    }

    [[nodiscard]] std::string place(const Known& database, Spot at) const {
        return "machine " + std::to_string(at.machine) + ": " + world_.path(database, at.device);
    }

    void judge(const Known& database, const std::vector<Autopsy<Kind>>& found) {
        const TableRing ring = world_.machines[0]->ring.version();
        const auto primaries = world_.layout.primaries(ring, database.hash);
        const auto live = [&](Spot at) {
            return found[at.machine].live(world_.path(database, at.device));
        };
        const Copy<Kind>* const first = live(primaries[0]);
        for (const Spot at : world_.layout.spots()) {
            const bool belongs = std::ranges::find(primaries, at) != primaries.end();
            const Copy<Kind>* const copy = live(at);
            const std::string where = place(database, at);
            if (belongs && (copy != nullptr) != (first != nullptr) &&
                !may_expire(copy != nullptr ? *copy : *first)) {
                throw Violation(where + (copy != nullptr ? ": is here only" : ": is missing"));
            }
            if (!belongs && copy != nullptr) {
                throw Violation(where + ": does not belong here");
            }
            if (belongs && copy != nullptr && first != nullptr) {
                require_equal(*copy, *first, where);
                if (!world_.sends_as_stock(*world_.machines[at.machine])) {
                    queues_.require_queued(found, *copy, where);
                }
            }
        }
        if (world_.config.stock_sender != 0 && first != nullptr) {
            judge_by_sender(database, found, primaries, live);
            return;
        }
        const Copy<Kind> none;
        const Copy<Kind>& seen = first != nullptr ? *first : none;
        judge_all(database, seen.versions, seen.metadata, seen.ranges, first != nullptr,
                  has_orphans(found));
    }

    /// Whether other copies of the same may have gone already: this one waits for its report.
    [[nodiscard]] bool may_expire(const Copy<Kind>& copy) const {
        return world_.config.reports > 0 && copy.info.count == 0 &&
               timestamp_or_zero(copy.info.put_timestamp) <
                   timestamp_or_zero(copy.info.delete_timestamp);
    }

    using Versions = std::map<std::string, Version>;

    /// Whether clients see what they were told.
    void judge_all(const Known& database, const Versions& rows, const Versions& metadata,
                   const Versions& ranges, bool exists, bool orphans) const {
        for (const auto& [row, writes] : database.record.rows) {
            if (orphans && clients_.unsynced().contains({&database, row})) {
                continue; // the next copy that arrives there takes it up (defect 3)
            }
            judge(writes, find(rows, row), database, row, exists);
        }
        for (const auto& [key, writes] : database.record.metadata) {
            judge(writes, find(metadata, key), database, key, exists);
        }
        for (const auto& [name, writes] : database.record.ranges) {
            judge(writes, find(ranges, name), database, name, exists);
        }
        world_.marks(exists ? "judged" : "judged: no database");
    }

    /// With stock replicators primaries may differ: what a stock replicator takes for known stays
    /// with it (defect 10). What ours has is everywhere.
    template <class Live>
    void judge_by_sender(const Known& database, const std::vector<Autopsy<Kind>>& found,
                         const std::vector<Spot>& primaries, Live live) {
        Versions rows;
        for (const Spot from : primaries) {
            const Copy<Kind>& source = *live(from);
            for (const Spot to : primaries) {
                points_.require_sent(database, source, *live(to), place(database, to),
                                     world_.sends_as_stock(*world_.machines[from.machine]));
            }
            for (const auto& [name, version] : source.versions) {
                Version& newest = rows.try_emplace(name, version).first->second;
                newest = newest.ticks < version.ticks ? version : newest;
            }
        }
        const Copy<Kind>& first = *live(primaries[0]);
        judge_all(database, rows, first.metadata, first.ranges, true, has_orphans(found));
    }

    [[nodiscard]] static std::optional<Version> find(const std::map<std::string, Version>& all,
                                                     const std::string& name) {
        const auto found = all.find(name);
        return found == all.end() ? std::nullopt : std::optional(found->second);
    }

    void judge(const Writes& writes, const std::optional<Version>& version, const Known& database,
               const std::string& name, bool exists) const {
        const bool forgotten = is_forgotten(database, name, writes);
        const bool forgets = forgotten || may_be_gone(database, writes);
        if (!version && forgets) {
            return;
        }
        if (version && forgotten && writes.told() && writes.was_written(*version) &&
            version->ticks < writes.told()->ticks) {
            world_.marks("excused: a stock replicator forgot the deletion");
            return;
        }
        const bool is_key = name.starts_with("X-") || name.starts_with(".shards_");
        if (!version && is_key && writes.told() &&
            (!exists || writes.told()->ticks <= went_by(database))) {
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
        if constexpr (requires { copy.info.storage_policy_index; }) {
            if (copy.info.storage_policy_index != first.info.storage_policy_index) {
                throw Violation(where + ": policies differ");
            }
        }
        if (world_.config.stock_sender != 0) {
            return; // rows: judge_by_sender
        }
        if (plain(copy, 0) != plain(first, 0)) {
            // One clock is ahead, so one side has forgotten a deletion that the other still has.
            const auto ours = plain(copy, certain_since(world_));
            const auto theirs = plain(first, certain_since(world_));
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

    /// `all` without deletions that may be forgotten. Between stock servers those of keys go round
    /// for ever (defect 75).
    [[nodiscard]] std::map<std::string, Version> known(std::map<std::string, Version> all,
                                                       bool forgets) const {
        std::erase_if(all, [&](const auto& each) {
            return forgets && each.second.deleted && each.second.ticks < certain_since(world_);
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
        std::ranges::sort(rows, {}, [](const auto& row) { return key_of(row); });
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
                    text += key_of(row) + (rows == &ours ? " here " : " there ") +
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
    PointCheck<Kind> points_;
    QueueCheck<Kind> queues_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_CHECKER_HPP
