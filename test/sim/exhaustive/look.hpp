#ifndef REPLICA_TEST_SIM_EXHAUSTIVE_LOOK_HPP
#define REPLICA_TEST_SIM_EXHAUSTIVE_LOOK_HPP

// What must hold on two nodes whenever somebody looks, and at the end. Whatever does not hold is a
// complaint in words.

#include "operations.hpp"
#include <replica/send/stale.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

/// Whether what lies at a path is looked at by nobody, unless a request names it: uploads, copies,
/// drafts and what is removed or in the trash. Not the counts of the brakes.
[[nodiscard]] inline bool is_set_aside(const std::string& path) {
    const bool in_tmp = path.find("/tmp/") != std::string::npos;
    const bool in_trash = path.find("/trash/") != std::string::npos;
    return in_trash || (in_tmp && path.find(".brakes") == std::string::npos) ||
           path.ends_with(".new") || path.ends_with(".new-journal");
}

[[nodiscard]] inline bool is_in_quarantine(const std::string& path) {
    return path.find("/quarantined/") != std::string::npos;
}

template <class Kind>
class Look {
    using Info = typename Kind::info_type;
    using Row = typename Kind::row_type;

public:
    Look(World<Kind>& world, const Operation<Kind>& operation)
        : world_(world), operation_(operation) {}

    void complain(const std::string& what) { complaints_.push_back(what); }
    [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

    [[nodiscard]] bool has(std::size_t at) { return world_.nodes.has(at, world_.name); }

    /// Live rows by name.
    [[nodiscard]] std::set<std::string> live(std::size_t at) { return live(read(at)); }

    /// Whatever stands at a live path can be read and is sound, and who has a point has the rows.
    void look() {
        std::array<std::optional<Copy>, 2> copies;
        for (const std::size_t at : {0U, 1U}) {
            look_at_places(at);
            copies.at(at) = can_be_read(at) ? std::optional(look_at_database(at)) : std::nullopt;
        }
        compare_points(copies);
    }

    /// What was found once is durable: a cut that loses all that is not synced, and another start,
    /// find the same.
    void start_again(std::size_t at) {
        const std::string first = text(at);
        world_.disk(at).crash();
        world_.nodes.restart(at, world_.nodes.node(at).settings);
        if (text(at) != first) {
            complain("node " + std::to_string(at) + ": a second start finds something else");
        }
    }

    /// A node that is to have a copy has these live rows.
    void look_at_rows(std::size_t at, const std::set<std::string>& wanted) {
        if (has(at)) {
            compare_rows(at, read(at), wanted);
        }
    }

    /// Once everything has come to rest: the rows that clients were told are stored, and no others,
    /// wherever they belong.
    void look_at_the_end(const std::set<std::string>& wanted) {
        const bool gone =
            operation_.end == End::gone || (operation_.end == End::either && !has(0) && !has(1));
        std::array<std::optional<Copy>, 2> copies;
        for (const std::size_t at : {0U, 1U}) {
            const bool belongs = !gone && (at == 0 || operation_.setup.replicas > 1);
            look_at_places(at);
            if (has(at) != belongs) {
                complain("node " + std::to_string(at) + (belongs ? " has no copy" : " has a copy"));
            } else if (belongs) {
                copies.at(at) = look_at_database(at);
                compare_rows(at, *copies.at(at), wanted);
                start_again(at);
            }
        }
        compare_points(copies);
        if (copies[0] && copies[1] && differ(copies[0]->info, copies[1]->info)) {
            complain("the two nodes differ at the end");
        }
        if (operation_.broken && !has_kept_broken()) {
            complain("the broken database is nowhere");
        }
    }

private:
    /// All of one database.
    struct Copy {
        Info info;
        std::map<std::string, Row> rows;
        std::map<std::string, std::int64_t> incoming;
        std::map<std::string, std::int64_t> outgoing;
    };

    template <class Database>
    [[nodiscard]] static Copy read_from(Database& database) {
        Copy copy{database.info(), {}, {}, {}};
        for (Row& row : database.items_since(-1, 1000)) {
            copy.rows.emplace(row.name, std::move(row));
        }
        for (const SyncPoint& point : database.sync_points(Direction::incoming)) {
            copy.incoming[point.remote_id] = point.sync_point;
        }
        for (const SyncPoint& point : database.sync_points(Direction::outgoing)) {
            copy.outgoing[point.remote_id] = point.sync_point;
        }
        return copy;
    }

    [[nodiscard]] Copy read(std::size_t at) {
        auto database = world_.nodes.open(at, world_.name);
        return read_from(database);
    }

    [[nodiscard]] bool is_broken(const std::string& bytes) const {
        return operation_.broken && bytes.starts_with(*operation_.broken);
    }

    [[nodiscard]] bool can_be_read(std::size_t at) {
        const auto content = world_.disk(at).content(world_.path());
        return content && !is_broken(content->bytes);
    }

    /// Nothing is in quarantine but what was broken from the first.
    void look_at_places(std::size_t at) {
        for (const auto& [path, bytes] : world_.disk(at).dump()) {
            const bool expected = path == world_.path() || is_set_aside(path) ||
                                  (is_in_quarantine(path) && is_broken(bytes));
            if (path.ends_with(".db") && !expected) {
                complain("node " + std::to_string(at) + ": a database at " + path);
            }
        }
    }

    [[nodiscard]] bool has_kept_broken() {
        return std::ranges::any_of(world_.disk(0).dump(), [this](const auto& each) {
            return is_in_quarantine(each.first) && is_broken(each.second);
        });
    }

    [[nodiscard]] Copy look_at_database(std::size_t at) {
        auto database = world_.nodes.open(at, world_.name);
        database.require_sound(Instant::max());
        if (database.mend_sums()) {
            complain("node " + std::to_string(at) +
                     ": its hash or its sums are not those of its rows");
        }
        return read_from(database);
    }

    /// Invariant I2: who has a point has the rows. A point beyond the last row is another matter:
    /// the file was restored, and that is noticed (I3).
    void compare_points(const std::array<std::optional<Copy>, 2>& copies) {
        if (!copies[0] || !copies[1]) {
            return;
        }
        const auto point_of = [](const auto& points, const std::string& id) {
            const auto found = points.find(id);
            return found == points.end() ? std::int64_t{-1} : found->second;
        };
        for (const std::size_t from : {0U, 1U}) {
            const Copy& source = *copies.at(from);
            const Copy& holder = *copies.at(1 - from);
            const auto point = std::max(point_of(holder.incoming, source.info.id),
                                        point_of(source.outgoing, holder.info.id));
            for (const auto& [name, row] : source.rows) {
                if (row.rowid > point || point > source.info.max_row || is_reclaimable(row)) {
                    continue;
                }
                const auto found = holder.rows.find(name);
                if (found == holder.rows.end() || newest_time(found->second) < newest_time(row)) {
                    complain("node " + std::to_string(1 - from) + " lacks " + name + ", row " +
                             std::to_string(row.rowid) + " of its point " + std::to_string(point));
                }
            }
        }
    }

    [[nodiscard]] bool is_reclaimable(const Row& row) {
        const Timestamp limit = world_.nodes.clock().now().plus(-Settings().reclaim_age);
        return row.deleted != 0 && newest_time(row) < limit;
    }

    /// All but the time at which points were written.
    [[nodiscard]] std::string text(std::size_t at) {
        if (!can_be_read(at)) {
            return has(at) ? "broken" : "none";
        }
        const Copy copy = read(at);
        const Info& info = copy.info;
        std::string text = info.id + ' ' + info.hash + ' ' + info.put_timestamp + ' ' +
                           info.delete_timestamp + ' ' + std::to_string(info.max_row) + '\n';
        for (const auto& [name, row] : copy.rows) {
            text += std::to_string(row.rowid) + ' ' + name + '\n';
        }
        for (const auto* points : {&copy.incoming, &copy.outgoing}) {
            for (const auto& [id, point] : *points) {
                text += std::to_string(point) + ' ' + id + '\n';
            }
        }
        return text;
    }

    [[nodiscard]] static std::set<std::string> live(const Copy& copy) {
        std::set<std::string> live;
        for (const auto& [name, row] : copy.rows) {
            if (row.deleted == 0) {
                live.insert(name);
            }
        }
        return live;
    }

    void compare_rows(std::size_t at, const Copy& copy, const std::set<std::string>& wanted) {
        if (const auto found = live(copy); found != wanted) {
            complain("node " + std::to_string(at) + " has " + joined(found) + " instead of " +
                     joined(wanted));
        }
    }

    [[nodiscard]] static std::string joined(const std::set<std::string>& names) {
        std::string all;
        for (const std::string& name : names) {
            all += (all.empty() ? "" : ", ") + name;
        }
        return all.empty() ? "nothing" : all;
    }

    [[nodiscard]] static bool differ(const Info& a, const Info& b) {
        return a.hash != b.hash || a.count != b.count || a.bytes_used != b.bytes_used ||
               a.timestamps() != b.timestamps();
    }

    World<Kind>& world_;
    const Operation<Kind>& operation_;
    std::vector<std::string> complaints_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_EXHAUSTIVE_LOOK_HPP
