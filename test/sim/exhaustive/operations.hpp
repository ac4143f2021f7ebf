#ifndef REPLICA_TEST_SIM_EXHAUSTIVE_OPERATIONS_HPP
#define REPLICA_TEST_SIM_EXHAUSTIVE_OPERATIONS_HPP

// The operations that are cut: how the two nodes stand before, what is done, and which rows clients
// were told are stored.

#include "world.hpp"
#include <replica/observer.hpp>
#include <replica/storage/brakes.hpp>
#include <replica/words/info.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace replica::test {

/// Whether a database is there once everything has come to rest.
enum class End {
    there,
    gone,
    either
};

template <class Kind>
struct Operation {
    using At = std::function<void(World<Kind>&)>;

    std::string name{};
    Setup setup{};
    std::vector<std::size_t> cut{}; ///< The power of each of these nodes in turn.
    At prepare{};
    At act{};
    std::function<bool(World<Kind>&)> done{}; ///< Whether it did what it is here for, uncut.
    std::set<std::string> live{}; ///< Names of rows that must be there at the end, and no others.
    End end = End::there;
    At break_it{};                       ///< After the size of pages was set.
    std::optional<std::string> broken{}; ///< What a file of node 0 begins with that is broken.
};

/// Prepares a world for an operation. Returns how the two nodes stand then. `page_size`: of the
/// database; 0: as it was made.
template <class Kind>
[[nodiscard]] Moment start_of(const Operation<Kind>& operation, World<Kind>& world,
                              int page_size = 0) {
    operation.prepare(world);
    if (page_size > 0) {
        world.use_pages(page_size);
    }
    if (operation.break_it) {
        operation.break_it(world);
    }
    world.disk(0).settle();
    world.disk(1).settle();
    return world.moment();
}

/// A pass of node `at`.
template <class Kind>
[[nodiscard]] auto pass_of(std::size_t at) {
    return [at](World<Kind>& world) { static_cast<void>(world.nodes.pass(at)); };
}

/// Whether a request with this verb was answered well.
template <class Kind>
[[nodiscard]] auto succeeded(const std::string& verb) {
    return [verb](World<Kind>& world) {
        return std::ranges::any_of(world.nodes.network().log(), [&](const SimExchange& each) {
            return each.verb == verb && each.status / 100 == 2;
        });
    };
}

template <class Kind>
[[nodiscard]] auto has_no_copy(std::size_t at) {
    return [at](World<Kind>& world) { return !world.nodes.has(at, world.name); };
}

/// A row of both nodes.
template <class Kind>
void put_on_both(World<Kind>& world, const std::string& row) {
    if (!world.nodes.has(0, world.name)) {
        world.nodes.create(0, world.name);
    }
    world.nodes.put(0, world.name, row);
    static_cast<void>(world.nodes.settle());
}

/// A client makes a database.
template <class Kind>
[[nodiscard]] Operation<Kind> create() {
    const auto act = [](World<Kind>& world) {
        try {
            world.nodes.create(0, world.name);
            world.told();
        } catch (const Failure&) {
            return; // the power is off
        }
    };
    return {.name = "create",
            .cut = {0},
            .prepare = [](World<Kind>&) {},
            .act = act,
            .done = [](World<Kind>& world) { return world.nodes.has(0, world.name); },
            .end = End::either};
}

/// Node 0 has rows, node 1 has nothing.
template <class Kind>
[[nodiscard]] Operation<Kind> install() {
    const auto prepare = [](World<Kind>& world) {
        world.nodes.create(0, world.name);
        world.nodes.put(0, world.name, "r1");
        world.nodes.put(0, world.name, "r2");
    };
    return {.name = "install",
            .cut = {1, 0},
            .prepare = prepare,
            .act = pass_of<Kind>(0),
            .done = succeeded<Kind>("complete_rsync"),
            .live = {"r1", "r2"}};
}

/// Whether the peer has this row without a merge_items.
template <class Kind>
[[nodiscard]] auto went_along(const std::string& row) {
    return [row](World<Kind>& world) {
        return world.nodes.names(1, world.name).contains(row) &&
               !succeeded<Kind>("merge_items")(world);
    };
}

/// Each node has a row that the other has not; on the receiver another waits. `along`: rows go with
/// the question.
template <class Kind>
[[nodiscard]] Operation<Kind> merge(bool along = false) {
    const auto prepare = [](World<Kind>& world) {
        put_on_both(world, "both");
        put_on_both(world, "gone");
        world.nodes.put(0, world.name, "r1");
        world.nodes.put(1, world.name, "r2");
        world.nodes.erase(0, world.name, "gone");
        world.put_pending(1, "r3");
    };
    Operation<Kind> made{.name = along ? "merge_along" : "merge",
                         .cut = {1, 0},
                         .prepare = prepare,
                         .act = pass_of<Kind>(0),
                         .done = succeeded<Kind>("merge_items"),
                         .live = {"both", "r1", "r2", "r3"}};
    if (along) {
        made.setup.rows_along = 200;
        made.done = went_along<Kind>("r1");
    }
    return made;
}

/// The peer has so little that the whole file goes, and the peer merges its rows into it.
template <class Kind>
[[nodiscard]] Operation<Kind> replace() {
    const auto prepare = [](World<Kind>& world) {
        world.nodes.create(0, world.name);
        world.nodes.put_many(0, world.name, "r", 5);
        world.nodes.create(1, world.name);
        world.nodes.put(1, world.name, "theirs");
        world.put_pending(1, "waits");
    };
    return {.name = "replace",
            .setup = {.per_diff = 1},
            .cut = {1, 0},
            .prepare = prepare,
            .act = pass_of<Kind>(0),
            .done = succeeded<Kind>("rsync_then_merge"),
            .live = {"r0", "r1", "r2", "r3", "r4", "theirs", "waits"}};
}

/// Node 1 is a handoff, where a row waits. The primary has another row, or nothing.
template <class Kind>
[[nodiscard]] Operation<Kind> handoff(bool alone) {
    const auto prepare = [alone](World<Kind>& world) {
        if (!alone) {
            world.nodes.create(0, world.name);
            world.nodes.put(0, world.name, "r1");
        }
        world.nodes.create(1, world.name);
        world.nodes.put(1, world.name, "r2");
        world.put_pending(1, "r3");
    };
    const auto act = [alone](World<Kind>& world) {
        for (int passes = alone ? 1 : 2; passes > 0; --passes) {
            static_cast<void>(world.nodes.pass(1));
        }
    };
    std::set<std::string> live{"r2", "r3"};
    if (!alone) {
        live.insert("r1");
    }
    return {.name = alone ? "handoff_alone" : "handoff",
            .setup = {.replicas = 1},
            .cut = {1, 0},
            .prepare = prepare,
            .act = act,
            .done = has_no_copy<Kind>(1),
            .live = live};
}

/// Both nodes have a database that was deleted longer ago than reclaim_age.
template <class Kind>
[[nodiscard]] Operation<Kind> expire() {
    const auto prepare = [](World<Kind>& world) {
        put_on_both(world, "r1");
        world.nodes.erase(0, world.name, "r1");
        world.nodes.clock().advance(Seconds(1));
        world.nodes.open(0, world.name).mark_deleted(world.nodes.clock().now());
        static_cast<void>(world.nodes.settle());
        if constexpr (std::same_as<Kind, ContainerKind>) {
            for (const std::size_t at : {0U, 1U}) {
                world.run(at, "UPDATE container_info SET reported_put_timestamp = put_timestamp,"
                              " reported_delete_timestamp = delete_timestamp");
            }
        }
        world.nodes.clock().advance(Settings().reclaim_age + Seconds(86400));
    };
    return {.name = "expire",
            .cut = {0},
            .prepare = prepare,
            .act = pass_of<Kind>(0),
            .done = has_no_copy<Kind>(0),
            .end = End::gone};
}

/// The peer knows more rows of node 0 than there are: its file was restored.
template <class Kind>
[[nodiscard]] Operation<Kind> renew() {
    const auto prepare = [](World<Kind>& world) {
        put_on_both(world, "both");
        world.nodes.put(0, world.name, "r1");
        world.nodes.put(1, world.name, "r2");
        const std::vector<SyncPoint> beyond{{50, world.nodes.info(0, world.name).id}};
        world.nodes.open(1, world.name).merge_sync_points(beyond, Direction::incoming);
    };
    const auto done = [](World<Kind>& world) {
        const auto id = world.nodes.info(0, world.name).id;
        return world.nodes.open(1, world.name).sync_point(id, Direction::incoming) == 2;
    };
    return {.name = "renew",
            .cut = {0, 1},
            .prepare = prepare,
            .act = pass_of<Kind>(0),
            .done = done,
            .live = {"both", "r1", "r2"}};
}

/// Both nodes have a tombstone that is old enough to go, and a younger one.
template <class Kind>
[[nodiscard]] Operation<Kind> reclaim() {
    const auto prepare = [](World<Kind>& world) {
        const Seconds four_days(4 * 86400.0);
        for (const char* row : {"r1", "old", "young"}) {
            put_on_both(world, row);
        }
        world.nodes.erase(0, world.name, "old");
        static_cast<void>(world.nodes.settle());
        world.nodes.clock().advance(four_days);
        world.nodes.erase(0, world.name, "young");
        static_cast<void>(world.nodes.settle());
        world.nodes.clock().advance(four_days);
    };
    return {
        .name = "reclaim",
        .cut = {0},
        .prepare = prepare,
        .act = pass_of<Kind>(0),
        .done = [](World<Kind>& world) { return world.nodes.stored(0, world.name).size() == 2; },
        .live = {"r1"}};
}

/// A file is beyond use. The peer has all of its rows.
template <class Kind>
[[nodiscard]] Operation<Kind> quarantine() {
    const std::string broken = "no database";
    const auto break_it = [broken](World<Kind>& world) {
        std::string bytes = world.disk(0).content(world.path())->bytes;
        world.disk(0).write(world.path(), bytes.replace(0, broken.size(), broken));
    };
    return {.name = "quarantine",
            .cut = {0},
            .prepare = [](World<Kind>& world) { put_on_both(world, "r1"); },
            .act = pass_of<Kind>(0),
            .done = has_no_copy<Kind>(0),
            .live = {"r1"},
            .break_it = break_it,
            .broken = broken};
}

/// The counts of what left a device, beside a database that stays.
template <class Kind>
[[nodiscard]] Operation<Kind> brakes() {
    const auto act = [](World<Kind>& world) {
        auto& broker = world.nodes.node(0).broker;
        const std::string device = world.nodes.device_path();
        Silent nobody;
        HourlyBrake brake;
        static_cast<void>(brake.may_leave(broker, nobody, device, 5, 50));
        world.told();
        static_cast<void>(brake.may_leave(broker, nobody, device, 5, 50));
        world.told();
        brake.stays(broker, nobody, device);
        world.told();
        static_cast<void>(brake.may_quarantine(broker, nobody, device));
    };
    const auto done = [](World<Kind>& world) {
        const auto hour = world.disk(0).read_link(world.nodes.device_path() + "/tmp/" +
                                                  std::string(Kind::name) + ".brakes/hour");
        return hour && hour->ends_with("left=1 quarantined=1");
    };
    return {.name = "brakes",
            .cut = {0},
            .prepare = [](World<Kind>& world) { put_on_both(world, "r1"); },
            .act = act,
            .done = done,
            .live = {"r1"}};
}

/// The power went before, in the middle of a transaction, and what was written has all come to the
/// disk. It goes once more while the journal is played back.
template <class Kind>
[[nodiscard]] Operation<Kind> playback() {
    const auto prepare = [](World<Kind>& world) {
        put_on_both(world, "both");
        world.nodes.put(0, world.name, "r1");
        world.nodes.put(1, world.name, "r2");
    };
    const auto break_it = [](World<Kind>& world) {
        const SimDisk disk = world.disk(0);
        disk.on_call([disk, path = world.path()](SimCall call, const std::string& at) {
            if (call == SimCall::vfs_sync && at == path) {
                disk.halt_at(1);
            }
        });
        try {
            world.nodes.put(0, world.name, "never acknowledged");
        } catch (const Failure&) {
            disk.on_call(nullptr);
        }
        SimOdometer keeps(0, true);
        disk.crash(keeps);
    };
    const auto done = [](World<Kind>& world) {
        return !world.disk(0).content(world.path() + "-journal") &&
               succeeded<Kind>("merge_items")(world);
    };
    return {.name = "playback",
            .cut = {0},
            .prepare = prepare,
            .act = pass_of<Kind>(0),
            .done = done,
            .live = {"both", "r1", "r2"},
            .break_it = break_it};
}

/// All of them.
template <class Kind>
[[nodiscard]] std::vector<Operation<Kind>> operations() {
    return {create<Kind>(),  install<Kind>(),      merge<Kind>(),       merge<Kind>(true),
            replace<Kind>(), handoff<Kind>(false), handoff<Kind>(true), expire<Kind>(),
            renew<Kind>(),   reclaim<Kind>(),      quarantine<Kind>(),  brakes<Kind>(),
            playback<Kind>()};
}

} // namespace replica::test

#endif // REPLICA_TEST_SIM_EXHAUSTIVE_OPERATIONS_HPP
