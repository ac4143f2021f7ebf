#ifndef REPLICA_TEST_SIM_REST_HPP
#define REPLICA_TEST_SIM_REST_HPP

// What a simulated world may cost once it is at rest, and what may then lie on its disks: a round
// of passes asks each peer of each copy once and writes nothing, and no file is left that nobody
// would ever take away.

#include "record.hpp"
#include "world.hpp"
#include <replica/settings.hpp>
#include <replica/stats.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/trash.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace replica::test {

/// What one round of passes costs.
template <class Kind>
class RestCheck {
public:
    explicit RestCheck(World<Kind>& world) : world_(world), disks_(disks()) {
        world_.network.clear_log();
    }

    /// The round that began with this object has ended, and its passes have counted `spent`. Throws
    /// Violation.
    void end(const Stats& spent) const {
        const auto copies = databases() * static_cast<std::size_t>(world_.config.replicas);
        auto asked = world_.network.log();
        // One for each pair of devices, and what is different shows at once.
        std::erase_if(asked,
                      [](const SimExchange& exchange) { return exchange.verb == "summary"; });
        // Those of a container with shard ranges ask for them and send them as well.
        const std::size_t each = world_.config.shards > 0 ? 3 : 1;
        if (asked.size() > each * copies * static_cast<std::size_t>(world_.config.replicas - 1)) {
            throw Violation("at rest: " + std::to_string(asked.size()) + " requests for " +
                            std::to_string(copies) + " copies");
        }
        for (const SimExchange& exchange : asked) {
            if (exchange.verb != "sync" &&
                (each == 1 || !exchange.verb.ends_with("_shard_ranges"))) {
                throw Violation("at rest: " + exchange.verb + " to " + exchange.to);
            }
        }
        const auto now = disks();
        require_all_counted(spent, now);
        for (std::size_t at = 0; at < now.size(); ++at) {
            for (const auto& [path, bytes] : now[at]) {
                const auto before = disks_[at].find(path);
                if (before == disks_[at].end() || before->second != bytes) {
                    throw Violation("at rest: machine " + std::to_string(at) + ": " + path +
                                    " is written to");
                }
            }
        }
    }

private:
    using Disk = std::map<std::string, std::string>;
    using Known = typename World<Kind>::Known;

    /// A database that no pass comes to is in sync with nobody (defect 119).
    void require_all_counted(const Stats& spent, const std::vector<Disk>& disks) const {
        if (world_.config.misfiled + world_.config.misnamed > 0) {
            return; // files that look like databases
        }
        std::int64_t lying = 0;
        for (const Disk& disk : disks) {
            lying += std::ranges::count_if(disk, [](const auto& file) {
                const std::string& path = file.first;
                return path.ends_with(".db") && path.find("/trash/") == std::string::npos &&
                       path.find("/quarantined/") == std::string::npos &&
                       path.find("/tmp/") == std::string::npos;
            });
        }
        if (spent.attempted + spent.at_rest != lying) {
            throw Violation("at rest: " + std::to_string(spent.attempted + spent.at_rest) +
                            " databases in the passes, where " + std::to_string(lying) + " lie");
        }
    }

    /// Those that clients know, and the reconciler's queues.
    [[nodiscard]] std::size_t databases() const {
        std::set<std::string> names;
        for (const Known& known : world_.known) {
            names.insert(known.hash + ".db");
        }
        for (const Disk& disk : disks_) {
            for (const auto& [path, bytes] : disk) {
                if (path.ends_with(".db")) {
                    names.insert(storage::base(path));
                }
            }
        }
        return names.size();
    }

    [[nodiscard]] std::vector<Disk> disks() const {
        std::vector<Disk> all;
        for (const auto& machine : world_.machines) {
            all.push_back(machine->disk.dump());
        }
        return all;
    }

    World<Kind>& world_;
    std::vector<Disk> disks_;
};

/// A file of a machine that is neither a database nor belongs to one; empty if there is none.
/// Files that somebody must look at are told in each pass and stay: rows that wait for a database
/// that is gone, or that nobody could read (defects 3 and 94). Our broker's drafts are taken away
/// by our replicator; `stock` is another. A journal without its file is taken away when a file
/// comes. What was removed within the last day is in the trash.
[[nodiscard]] inline std::string stray_file(const SimDisk& disk, bool stock, Timestamp now) {
    const auto is_old_trash = [&](const std::string& path) {
        const std::size_t shelf = path.find("/trash/");
        if (shelf == std::string::npos || path.ends_with("/")) {
            return false;
        }
        const std::size_t name = path.find('/', shelf + 7) + 1;
        const auto entry =
            storage::TrashEntry::parse(path.substr(name, path.find('/', name) - name));
        return !entry || entry->when < now.plus(-Limits{}.trash_age);
    };
    const auto file_of = [](const std::string& journal) {
        return journal.substr(0, journal.rfind('-'));
    };
    const auto files = disk.dump();
    for (const auto& [path, bytes] : files) {
        const auto ends_with = [&](std::string_view end) { return path.ends_with(end); };
        if (path.find(".brakes/") != std::string::npos) {
            continue; // the counts of an hour
        }
        const bool known = ends_with("/") || ends_with(".db") || ends_with("/.lock") ||
                           ends_with(".pending") ||
                           path.find(".pending.unreadable") != std::string::npos ||
                           (ends_with(".db-journal") && !files.contains(file_of(path))) ||
                           (stock && (ends_with(".new") || ends_with(".new-journal")));
        const bool in_tmp = path.find("/tmp/") != std::string::npos && !ends_with("/tmp/");
        const auto next = std::next(files.find(path));
        const bool lonely =
            ends_with("/.lock") && // nothing follows in its directory
            (next == files.end() || !next->first.starts_with(path.substr(0, path.rfind('/') + 1)));
        if (!known || in_tmp || is_old_trash(path) || lonely) {
            return path;
        }
    }
    return {};
}

} // namespace replica::test

#endif // REPLICA_TEST_SIM_REST_HPP
