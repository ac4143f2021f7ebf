#ifndef REPLICA_TEST_SIM_OVERDUE_HPP
#define REPLICA_TEST_SIM_OVERDUE_HPP

// Deletions that were on their way for longer than deletions are remembered, in a simulated cluster
// that was at rest. They come in the middle of passes, after some peers were asked (defect 68).

#include "client.hpp"
#include "world.hpp"
#include <replica/error.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace replica::test {

template <class Kind>
class Overdue {
public:
    Overdue(World<Kind>& world, Clients<Kind>& clients) : world_(world), clients_(clients) {}

    /// Each database gets a new row on one machine, so that the next passes open it. On each
    /// machine, in the middle of what the machine does next, old rows are deleted, one of each
    /// database, at the next moment after they were written.
    void begin() {
        for (auto& database : world_.known) {
            Machine& machine = *world_.machines[world_.pick(world_.machines.size())];
            bool ended = false;
            world_.fibers.spawn(machine.server->life, [&] {
                write(machine, database, world_.clock.now().ticks, false);
                ended = true;
            });
            world_.fibers.run([&] { return ended; });
        }
        for (auto& machine : world_.machines) {
            machine->ambush = machine->calls + 1 + world_.pick(300);
            machine->ambushed = false;
            world_.fibers.spawn(machine->server->life, [this, &machine = *machine] {
                if (world_.fibers.await(machine.ambushed,
                                        world_.clock.monotonic() + to_duration(Seconds(600))) &&
                    !over_) {
                    erase(machine);
                }
            });
        }
    }

    /// Who still waits does nothing any more.
    void end() { over_ = true; }

private:
    using Machine = typename World<Kind>::Machine;
    using Known = typename World<Kind>::Known;

    void erase(Machine& machine) {
        const auto age = static_cast<double>(world_.config.reclaim_age + 2 * world_.config.skew);
        const std::int64_t old = world_.clock.now().plus(-Seconds(age + 10)).ticks;
        try {
            for (auto& database : world_.known) {
                write(machine, database, old, true);
            }
        } catch (const Failure& failure) { // replaced meanwhile
            world_.marks(std::string("client: ") + failure.code().message());
        }
    }

    /// Writes a row as it was at `ticks`, or deletes one that is live since then or before.
    void write(Machine& machine, Known& database, std::int64_t ticks, bool deleted) {
        const std::string path = world_.path(database, 0);
        if (!machine.disk.glance(path)) {
            return;
        }
        auto opened =
            machine.server->broker.open(path, machine.clock.monotonic() + to_duration(Seconds(20)));
        if (opened.is_deleted()) {
            return;
        }
        const auto count = static_cast<std::size_t>(world_.config.names);
        for (std::size_t i = 0, at = world_.pick(count); i < count; ++i, ++at) {
            auto row = row_of(opened, at % count, 0, deleted);
            Writes& writes = database.record.rows[key_of(row)];
            const auto told = writes.told();
            if (deleted && (!told || told->deleted || told->ticks >= ticks)) {
                continue;
            }
            row = row_of(opened, at % count, clients_.next_stamp(deleted ? told->ticks + 1 : ticks),
                         deleted);
            writes.attempt(version_of(row));
            opened.put(row);
            writes.acknowledge(version_of(row));
            world_.marks(deleted ? "client: an old deletion during a pass" : "client: written");
            return;
        }
    }

    template <class Database>
    [[nodiscard]] static auto row_of(Database& opened, std::size_t name, std::int64_t ticks,
                                     bool deleted) {
        auto row = World<Kind>::Words::make_row("row" + std::to_string(name), Timestamp{ticks, 0},
                                                7, deleted);
        if constexpr (requires { row.storage_policy_index, opened.info().storage_policy_index; }) {
            row.storage_policy_index = opened.info().storage_policy_index;
        }
        return row;
    }

    World<Kind>& world_;
    Clients<Kind>& clients_;
    bool over_ = false;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_OVERDUE_HPP
