#ifndef REPLICA_TEST_SIM_LEFTOVERS_HPP
#define REPLICA_TEST_SIM_LEFTOVERS_HPP

// What a person or another program has left on the disk of a simulated machine, which no server
// writes: a hash that is not that of the rows, an id that is no file name, the file of another
// database, a journal of a file that is gone. Nobody may lose a row by it.

#include "../support/of_kind.hpp"
#include "../support/old_journal.hpp"
#include "world.hpp"
#include <replica/error.hpp>
#include <replica/storage/place.hpp>
#include <replica/words/random.hpp>

#include <sqlite3.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace replica::test {

/// A file that belongs into no directory: its hash is that of no database. By its name it is newer
/// than any other.
inline constexpr const char* other_file = "/00000000000000000000000000000000_9999999999.00000.db";

/// What stands before metadata that nobody can read.
inline constexpr const char* illegible = "?";

/// Changes the database at `path` by what follows "UPDATE ". Whether that was possible: not while
/// somebody writes. A power cut does not undo it.
template <class Kind>
[[nodiscard]] bool change_file(typename World<Kind>::Machine& machine, const std::string& path,
                               const std::string& how) {
    if (!machine.server || !machine.disk.glance(path)) {
        return false;
    }
    const std::string sql = "PRAGMA synchronous = EXTRA; UPDATE " + how;
    sqlite3* file = nullptr;
    const bool done = sqlite3_open_v2(path.c_str(), &file, SQLITE_OPEN_READWRITE,
                                      machine.server->vfs.name().c_str()) == SQLITE_OK &&
                      sqlite3_exec(file, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
    sqlite3_close(file);
    return done;
}

/// As above, of its stat row, by what follows "SET ".
template <class Kind>
[[nodiscard]] bool change_stat(typename World<Kind>::Machine& machine, const std::string& path,
                               const std::string& how) {
    return change_file<Kind>(machine, path, std::string(SchemaOf<Kind>::stat) + " SET " + how);
}

/// A stored hash is no longer that of the rows, as after a mistake of a server (defect 72). Each
/// `number` gives another, since nobody notices that all copies have the same wrong one.
template <class Kind>
void spoil_hash(World<Kind>& world, typename World<Kind>::Machine& machine,
                const typename World<Kind>::Known& database, std::size_t device,
                std::uint64_t number) {
    Random random(number);
    const std::string hash = random.name() + random.name();
    if (change_stat<Kind>(machine, world.path(database, device), "hash = '" + hash + '\'')) {
        world.marks("fault: a wrong hash");
    }
}

/// The sums of a database say that it has no rows (defect 92), of so many bytes: each `number`
/// gives others, as above.
template <class Kind>
void spoil_sums(World<Kind>& world, typename World<Kind>::Machine& machine,
                const typename World<Kind>::Known& database, std::size_t device,
                std::uint64_t number) {
    const std::string path = world.path(database, device);
    const auto table =
        std::same_as<Kind, AccountKind> ? SchemaOf<Kind>::stat : SchemaOf<Kind>::policies;
    const std::string how = std::string(table) + " SET " + SchemaOf<Kind>::policy_count +
                            " = 0, bytes_used = " + std::to_string(1'000'000 + number);
    if (change_file<Kind>(machine, path, how)) {
        world.marks("fault: a wrong count");
    }
}

/// The points of a copy speak of so many rows that never came to it, as after a stock server has
/// put another file over them (defect 5).
template <class Kind>
void raise_points(World<Kind>& world, typename World<Kind>::Machine& machine,
                  const typename World<Kind>::Known& database, std::size_t device,
                  std::int64_t rows) {
    const std::string path = world.path(database, device);
    const std::string how = "incoming_sync SET sync_point = sync_point + " + std::to_string(rows);
    world.fibers.alone([&] {
        std::vector<SyncPoint> before;
        try {
            if (machine.server && machine.disk.glance(path)) {
                before =
                    machine.server->broker.open(path, Instant()).sync_points(Direction::incoming);
            }
        } catch (const Failure&) { // somebody writes, or the device is away
        }
        if (!before.empty() && change_file<Kind>(machine, path, how)) {
            for (const SyncPoint& point : before) {
                world.stock.overstated(point.remote_id, point.sync_point + 1,
                                       point.sync_point + rows);
            }
            world.marks("fault: points that speak of too much");
        }
    });
}

/// A database has an id that is no file name. Returns the id that it had.
template <class Kind>
[[nodiscard]] std::optional<std::string>
spoil_id(World<Kind>& world, typename World<Kind>::Machine& machine,
         const typename World<Kind>::Known& database, std::size_t device) {
    const std::string path = world.path(database, device);
    try {
        if (!machine.server || !machine.disk.glance(path)) {
            return std::nullopt;
        }
        const std::string id = machine.server->broker.open(path, Instant()).info().id;
        if (change_stat<Kind>(machine, path, "id = '../' || id")) {
            world.marks("fault: an id that is no file name");
            return id;
        }
    } catch (const Failure&) { // somebody writes, or the device is away
    }
    return std::nullopt;
}

/// Undoes that, wherever the database is by now.
template <class Kind>
void mend_id(World<Kind>& world, typename World<Kind>::Machine& machine,
             const typename World<Kind>::Known& database, std::size_t device,
             const std::string& id) {
    const std::string path = world.path(database, device);
    for (int tries = 0; tries < 100; ++tries) {
        if (!machine.disk.glance(path) ||
            change_stat<Kind>(machine, path, "id = '" + id + "' WHERE id = '../" + id + '\'')) {
            return;
        }
        world.clock.advance(Seconds(0.5));
    }
}

/// Nobody can read the metadata of a copy, until mend_metadata(). Returns whether it is so.
template <class Kind>
[[nodiscard]] bool spoil_metadata(World<Kind>& world, typename World<Kind>::Machine& machine,
                                  const typename World<Kind>::Known& database, std::size_t device) {
    const bool done = change_stat<Kind>(machine, world.path(database, device),
                                        std::string("metadata = '") + illegible +
                                            "' || metadata "
                                            "WHERE metadata LIKE '{%'");
    if (done) {
        world.marks("fault: metadata that nobody can read");
    }
    return done;
}

/// Undoes that, wherever copies of the file are by now.
template <class Kind>
void mend_metadata(World<Kind>& world, const typename World<Kind>::Known& database) {
    const std::string how =
        std::string("metadata = substr(metadata, 2) WHERE metadata LIKE '") + illegible + "%'";
    for (const Spot spot : world.layout.spots()) {
        const std::string path = world.path(database, spot.device);
        auto& machine = *world.machines[spot.machine];
        for (int tries = 0; tries < 100 && machine.disk.glance(path); ++tries) {
            if (change_stat<Kind>(machine, path, how)) {
                break;
            }
            world.clock.advance(Seconds(0.5));
        }
    }
}

/// Somebody has put the file of another database beside this one.
template <class Kind>
void leave_other_file(World<Kind>& world, typename World<Kind>::Machine& machine,
                      const typename World<Kind>::Known& database, std::size_t device) {
    const std::string directory = storage::parent(world.path(database, device));
    try {
        world.fibers.alone([&] {
            if (machine.disk.stat(directory)) {
                machine.disk.write(directory + other_file, "no database");
                world.marks("fault: a file of another database");
            }
        });
    } catch (const Failure&) { // the device is away or full
    }
}

/// A journal of a file that is gone, where a file may come: SQLite would cut that off after its
/// first page (defect 7).
template <class Kind>
void leave_journal(World<Kind>& world) {
    world.fibers.alone([&] {
        const auto spots = world.layout.spots();
        const std::size_t first = world.pick(spots.size());
        for (std::size_t at = 0; at < spots.size(); ++at) {
            const Spot spot = spots[(first + at) % spots.size()];
            const auto& database = world.known[world.pick(world.known.size())];
            const std::string path = world.path(database, spot.device);
            SimDisk& disk = world.machines[spot.machine]->disk;
            try {
                if (!disk.stat(storage::parent(path))) {
                    disk.make_directories(storage::parent(path));
                    disk.write(path + "-journal", cutting_journal());
                    world.marks("fault: a journal of an earlier file");
                    return;
                }
            } catch (const Failure&) { // the device is away or full
            }
        }
    });
}

} // namespace replica::test

#endif // REPLICA_TEST_SIM_LEFTOVERS_HPP
