#ifndef REPLICA_TEST_SIM_WORLD_HPP
#define REPLICA_TEST_SIM_WORLD_HPP

// A simulated cluster of the shipped code: on each machine a replicator and a server, two programs
// on one disk, whose every call is a point at which somebody else may go on (fibers.hpp). What goes
// wrong is elsewhere (nemesis.hpp), and so is what clients do (client.hpp); the world only says how
// a program starts and ends.

#include "../support/of_kind.hpp"
#include "../support/story_cluster.hpp"
#include "config.hpp"
#include "fibers.hpp"
#include "layout.hpp"
#include "record.hpp"
#include "stock_sender.hpp"
#include "stock_server.hpp"
#include "uploads.hpp"
#include "wire.hpp"
#include "witness.hpp"
#include <replica/replica.hpp>
#include <replica/send/first_of.hpp>
#include <replica/send/push_file.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/feed.hpp>
#include <replica/sim/file_sync.hpp>
#include <replica/sim/transport.hpp>
#include <replica/sim/vfs.hpp>
#include <replica/sqlite/page_tables.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

template <class Kind>
class World {
public:
    using Broker = BrokerOf<Kind, SimDisk, SimClock>;
    using Push = PushFileSync<SimTransport, SimClock>;
    using Files = FirstOf<Push, SimFileSync>;
    using Repl = Replicator<Broker, NewestRing, SimTransport, Files, SimClock, Witness, SimFeed>;
    using Server = RpcServer<Broker, Witness>;
    using Stock = StockServer<Broker, Witness>;
    using StockRepl = StockSender<Broker, NewestRing, SimTransport, SimFileSync>;
    using kind_type = Kind;
    using Info = typename Kind::info_type;
    using Row = typename Kind::row_type;
    using Words = StoryCluster<World, Kind>;

    /// A program on a machine, with a SQLite of its own.
    struct Program {
        Program(std::string name, const SimDisk& disk, const SimClock& clock, std::uint64_t seed)
            : life(std::make_shared<Life>(Life{std::move(name)})),
              vfs(unique_vfs_name(), disk, seed),
              broker(disk, clock, SqliteOptions{.page_rows = 4, .vfs = vfs.name()}) {}

        std::shared_ptr<Life> life;
        SimVfs vfs;
        Broker broker;
        bool serves = false;
        std::optional<Repl> replicator;
        std::optional<StockRepl> stock;
        std::stop_source stop{};
        bool resting = true; ///< The replicator's passes have ended.

        [[nodiscard]] Stats pass() { return stock ? stock->run_once() : replicator->run_once(); }
    };

    struct Machine {
        std::size_t number;
        std::string ip;
        SimClock clock;
        SimDisk disk;
        NewestRing ring;
        Settings settings;
        std::unique_ptr<Program> server{};
        std::unique_ptr<Program> sender{};
        std::unique_ptr<Program> second{}; ///< Another replicator, for one pass.
        std::array<bool, 2> mounted{true, true};
        std::uint64_t starts = 0; ///< Of replicators of ours.
        std::uint64_t calls = 0;  ///< Of its disk.
        std::uint64_t ambush = 0; ///< At this call `ambushed` is set.
        bool ambushed = false;
    };

    /// A database that clients know.
    struct Known {
        Info info;
        std::string hash;
        DatabaseRecord record{};
    };

    World(const Config& config_, std::uint64_t seed, Marks& marks_)
        : config(config_), layout(config_), random(seed), marks(marks_),
          fibers(clock, seed + 1, Seconds(static_cast<double>(config.call_us) / 1e6),
                 static_cast<std::uint64_t>(config.patience)),
          wire(config, seed + 2, clock, fibers, marks), files(Layout::root) {
        network.carry([this](const SimExchange& exchange, const Request& request,
                             const SimNetwork::Handler& handler, Instant deadline,
                             const std::stop_token& stop) {
            require_no_locks(exchange);
            return watched(*this, exchange, request,
                           [&] { return wire.carry(exchange, request, handler, deadline, stop); });
        });
        for (std::size_t i = 0; i < static_cast<std::size_t>(config.nodes); ++i) {
            add(i, ring_of(0));
        }
        for (std::int64_t i = 0; i < config.databases; ++i) {
            known.push_back(make_known("AUTH_" + std::to_string(i)));
        }
        for (auto& machine : machines) {
            start_server(*machine);
            start_sender(*machine);
        }
        // What a process learns once draws from SQLite's generator: not in the first history only.
        static_cast<void>(sqlite::approved_schemas<SchemaOf<Kind>>());
        machines[0]->server->vfs.seed_sqlite();
    }

    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World() { end(); }

    /// Nobody does anything any more.
    void end() {
        for (auto& machine : machines) {
            kill(machine->second);
            kill(machine->sender);
            kill(machine->server);
        }
        fibers.end_all();
    }

    [[nodiscard]] std::size_t pick(std::size_t below) { return random.next() % below; }
    [[nodiscard]] bool chance(std::int64_t in_1000) {
        return static_cast<std::int64_t>(random.next() % 1000) < in_1000;
    }

    /// An index, chosen as often as its weight says. Not all weights are 0.
    template <std::size_t N>
    [[nodiscard]] std::size_t pick_by(const std::array<std::int64_t, N>& weights) {
        const std::int64_t all = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
        auto drawn = static_cast<std::int64_t>(pick(static_cast<std::size_t>(all)));
        std::size_t which = 0;
        while (drawn >= weights[which]) {
            drawn -= weights[which++];
        }
        return which;
    }

    /// The ring in which all devices have moved on by so many places. By as many as there are
    /// machines, each partition moves to the other device of its machine.
    [[nodiscard]] TableRing ring_of(std::size_t places) const {
        const std::size_t count = layout.machines * layout.devices;
        std::vector<Device> devices;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t number = (i + places) % count;
            const Spot spot = layout.spot(number);
            devices.push_back(Words::device_of(number, Layout::ip(spot.machine), Layout::port));
            devices.back().device = Layout::name(spot.device);
        }
        return {std::move(devices), static_cast<std::size_t>(config.replicas), 2};
    }

    [[nodiscard]] std::string path(const Known& database, std::size_t device) const {
        const std::uint32_t partition = machines[0]->ring.version().partition(database.hash);
        return Layout::path(device) + '/' +
               storage_directory(Kind::datadir, std::to_string(partition), database.hash) + '/' +
               database.hash + ".db";
    }

    /// Whether its server answers by the rules of stock Swift.
    [[nodiscard]] bool is_stock(const Machine& machine) const {
        return static_cast<std::int64_t>(machine.number) >= config.nodes - config.stock;
    }

    /// Whether its replicator goes by the rules of stock Swift.
    [[nodiscard]] bool sends_as_stock(const Machine& machine) const {
        return config.stock_sender != 0 && is_stock(machine);
    }

    void start_server(Machine& machine) {
        machine.server = program(machine, "server");
        Program& it = *machine.server;
        it.serves = true;
        const auto serve = [&](auto server) {
            network.serve(machine.ip, Layout::port, [this, server](const Request& request) mutable {
                Reply reply = server.handle(request);
                const auto merged = reply.body.find("\"merged\": ");
                if (merged != std::string::npos && reply.body[merged + 10] != '-') {
                    marks("rows went along");
                }
                return reply;
            });
        };
        if (is_stock(machine)) {
            serve(Stock(
                machine.settings, it.broker, witness(it), fibers, config.fussy > 0,
                [&](const std::string& old, const std::string& path) {
                    stock.replaced(machine, old, path);
                },
                [this](const std::string& id, std::int64_t first, std::int64_t last) {
                    stock.overstated(id, first, last);
                }));
        } else {
            Server server(machine.settings, it.broker, witness(it));
            server.summarise_by([&machine](const std::string& device, std::int64_t peer,
                                           std::size_t cells) -> std::optional<Summary> {
                if (!machine.sender) {
                    return std::nullopt;
                }
                return machine.sender->replicator->summary(device, peer, cells);
            });
            serve(std::move(server));
            network.serves_ours(machine.ip, Layout::port);
        }
        wire.listen(SimNetwork::address(machine.ip, Layout::port), it.life);
    }

    void start_sender(Machine& machine, bool runs = true) {
        machine.sender = program(machine, "replicator");
        Program& it = *machine.sender;
        if (sends_as_stock(machine)) {
            it.stock.emplace(machine.settings, it.broker, machine.ring,
                             SimTransport(network, machine.clock, machine.ip),
                             files.from(machine.disk), machine.ip, hooks(machine));
            run(it, *it.stock, runs);
            return;
        }
        make_replicator(it, machine);
        run(it, *it.replicator, runs);
    }

    /// One pass, beside the service that may run.
    void start_second(Machine& machine) {
        machine.second = program(machine, "second");
        Program& it = *machine.second;
        make_replicator(it, machine);
        it.resting = false;
        fibers.spawn(it.life, [&it] {
            static_cast<void>(it.pass());
            it.resting = true;
        });
    }

    void make_replicator(Program& it, Machine& machine) {
        const SimTransport transport(network, machine.clock, machine.ip);
        // No two draw the same names: one may have been killed before it used them up.
        Settings settings = machine.settings;
        settings.seed += 1000 * machine.starts++;
        it.replicator.emplace(
            settings, it.broker, machine.ring, transport,
            Files(Push(transport, settings, machine.clock, static_cast<std::size_t>(config.push)),
                  files.from(machine.disk)),
            machine.clock,
            [ip = machine.ip](const Device& device) { return device.replication_ip == ip; },
            witness(it, &machine),
            SimFeed(machine.disk, machine.clock, static_cast<std::size_t>(config.feed)));
    }

    /// The program is killed. Nothing runs in its place.
    void kill(std::unique_ptr<Program>& program) {
        if (program) {
            program->stop.request_stop(); // else a dead replicator begins pass after pass
            fibers.end(program->life);
            if (program->serves) {
                wire.silence(program->life);
            }
            program.reset();
        }
    }

    const Config config;
    const Layout layout;
    Random random;
    Marks& marks;
    SimClock clock;
    Fibers fibers;
    Wire wire;
    UploadWatch uploads;
    SimNetwork network;
    SimFileSync files;
    std::vector<std::unique_ptr<Machine>> machines;
    std::vector<Known> known;

    /// What stock programs do that may lose something.
    struct StockDoes {
        /// A server has replaced the file `old` by the one at `path`.
        std::function<void(const Machine&, const std::string& old, const std::string& path)>
            replaced;
        /// A replicator removes the database at `path` by `task`, or drops old deletions from it.
        std::function<void(const Machine&, const std::string& path,
                           const std::function<void()>& task)>
            removes, reclaims;
        /// Points of `id` from `first` to `last` may speak of rows that are not there.
        std::function<void(const std::string& id, std::int64_t first, std::int64_t last)>
            overstated;
    } stock;

    /// Databases that a replicator of ours removes, or would remove, from a machine's device.
    struct Departed {
        std::function<void(const Machine&, const std::string& path, std::string_view why)> left,
            stayed;
    } departed;

private:
    /// A peer may take as long as it likes to answer.
    void require_no_locks(const SimExchange& exchange) {
        for (auto& machine : machines) {
            for (Program* const sender : {machine->sender.get(), machine->second.get()}) {
                if (sender != nullptr && sender->life.get() == fibers.running() &&
                    sender->vfs.is_locking()) {
                    fibers.fail(Violation(sender->life->name + ": holds a lock while it sends " +
                                          exchange.verb));
                }
            }
        }
    }

    template <class Sender>
    void run(Program& it, Sender& sender, bool runs) {
        if (runs) {
            it.resting = false;
            fibers.spawn(it.life, [&it, &sender] {
                static_cast<void>(sender.run_forever(it.stop.get_token()));
                it.resting = true;
            });
        }
    }

    [[nodiscard]] StockSenderHooks hooks(const Machine& machine) {
        const auto with = [&](const auto& does) {
            return [&machine, &does](const std::string& path, const std::function<void()>& task) {
                does(machine, path, task);
            };
        };
        return {with(stock.reclaims), with(stock.removes),
                [this](const std::string& id, std::int64_t first, std::int64_t last) {
                    stock.overstated(id, first, last);
                },
                [this](const char* mark) { marks(mark); }};
    }

    [[nodiscard]] Witness witness(const Program& program, const Machine* machine = nullptr) {
        const auto with = [&](const auto& does) {
            return
                [&fibers = fibers, machine, &does](const std::string& path, std::string_view why) {
                    try {
                        does(*machine, path, why);
                    } catch (const Violation& violation) {
                        fibers.fail(violation);
                    }
                };
        };
        return machine == nullptr
                   ? Witness(marks, program.life)
                   : Witness(marks, program.life, {with(departed.left), with(departed.stayed)});
    }

    [[nodiscard]] std::unique_ptr<Program> program(Machine& machine, const std::string& what) {
        return std::make_unique<Program>(what + std::to_string(machine.number), machine.disk,
                                         machine.clock, random.next());
    }

    [[nodiscard]] Known make_known(const std::string& account) const {
        Known known;
        known.info.account = account;
        if constexpr (requires { known.info.container; }) {
            known.info.container = "c";
        }
        known.hash = HashPath{"", "changeme"}(known.info.name());
        return known;
    }

    void add(std::size_t i, const TableRing& ring) {
        const double wrong = static_cast<double>(config.skew) * (2 * random.fraction() - 1);
        SimClock own = clock.apart(Seconds(wrong));
        SimDisk disk(own);               // a kernel has one clock for programs and files
        disk.round_times(1'000'000'000); // the coarsest step that send/ledger.hpp allows for
        for (std::size_t device = 0; device < layout.devices; ++device) {
            disk.mount(Layout::path(device));
            files.attach(Layout::ip(i), Layout::port, Layout::name(device), disk);
        }
        disk.settle();
        disk.on_call([this, i, name = Layout::ip(i)](SimCall call, const std::string& path) {
            if (machines.size() > i && ++machines[i]->calls == machines[i]->ambush) {
                machines[i]->ambushed = true;
                fibers.hurry();
            }
            // The counts of the brakes are kept under a mutex, which a fiber must not leave locked.
            fibers.point(name, path.find(".brakes") == std::string::npos);
            if (machines.size() > i && makes(call) && is_away(*machines[i], path)) {
                throw Failure(Error::io, path + ": permission denied");
            }
        });
        machines.push_back(std::make_unique<Machine>(
            Machine{i, Layout::ip(i), own, disk, NewestRing(ring), settings_of(i)}));
    }

    [[nodiscard]] bool is_away(const Machine& machine, const std::string& path) const {
        for (std::size_t device = 0; device < layout.devices; ++device) {
            if (!machine.mounted[device] && path.starts_with(Layout::path(device))) {
                return true;
            }
        }
        return false;
    }

    /// Whether a call may make a name. A mount point without its device belongs to root.
    [[nodiscard]] static bool makes(SimCall call) {
        return call == SimCall::make_directories || call == SimCall::rename ||
               call == SimCall::rename_new || call == SimCall::make_link ||
               call == SimCall::write || call == SimCall::try_lock || call == SimCall::vfs_open;
    }

    [[nodiscard]] Settings settings_of(std::size_t number) const {
        Settings settings = Words::settings_of(number);
        settings.per_diff = config.per_diff;
        settings.push_files = config.push > 0;
        settings.max_diffs = config.max_diffs;
        settings.interval = Seconds(static_cast<double>(config.interval));
        settings.recheck_passes = static_cast<int>(config.recheck_passes);
        settings.rows_along = static_cast<int>(config.rows_along);
        settings.summaries = config.summaries != 0;
        settings.walk_interval = Seconds(static_cast<double>(config.walk_interval));
        settings.compare_rows = config.compare_rows;
        settings.reclaim_age = Seconds(static_cast<double>(config.reclaim_age));
        settings.leave_share = static_cast<double>(config.leave_share);
        settings.handoff_delete = static_cast<int>(config.handoff_delete);
        return settings;
    }
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_WORLD_HPP
