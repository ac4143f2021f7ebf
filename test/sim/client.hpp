#ifndef REPLICA_TEST_SIM_CLIENT_HPP
#define REPLICA_TEST_SIM_CLIENT_HPP

// Clients of a simulated world, and the servers that do what they ask: rows are written and
// deleted, some of them late, some through a pending file as a stock server does it; metadata are
// posted; databases are made, deleted and made again. The record says what was tried and what was
// told.

#include "../support/pending_entry.hpp"
#include "world.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

template <class Kind>
class Clients {
public:
    using Machine = typename World<Kind>::Machine;
    using Known = typename World<Kind>::Known;
    using Row = typename Kind::row_type;

    explicit Clients(World<Kind>& world) : world_(world) {}

    /// Each database is there on some of its primaries.
    void begin() {
        for (Known& database : world_.known) {
            for (const Spot at :
                 world_.layout.primaries(world_.machines[0]->ring.version(), database.hash)) {
                if (at == Spot{} || world_.pick(2) == 0) {
                    auto info = database.info;
                    if (draw_policy(info)) {
                        info.put_timestamp = Timestamp{stamp(), 0}.internal();
                    }
                    static_cast<void>(world_.machines[at.machine]->server->broker.create(
                        world_.path(database, at.device), info));
                }
            }
        }
        for (std::int64_t i = 0; i < world_.config.clients; ++i) {
            world_.fibers.spawn(life_, [this] {
                while (!resting_ && !life_->ended) {
                    call();
                    world_.clock.advance(Seconds(static_cast<double>(world_.config.think_ms) / 1e3 *
                                                 2 * world_.random.fraction()));
                }
            });
        }
    }

    /// One call, while nobody else is at work.
    void call_once() {
        bool ended = false;
        world_.fibers.spawn(life_, [&] {
            call();
            ended = true;
        });
        world_.fibers.run([&] { return ended; });
    }

    /// Each account is told of its containers.
    void report_all() {
        for (Known& database : world_.known) {
            at_each_copy(database, [&](const Site& site) {
                report(site, database);
                return false;
            });
        }
    }

    /// A client deletes all of a database, and then the database. Whether there was one.
    [[nodiscard]] bool retire(Known& database) {
        return at_each_copy(database, [&](const Site& site) {
            auto opened = open(site);
            // An account counts as deleted whatever has come late to it.
            if (!opened.is_deleted() || !opened.empty()) {
                erase_all(opened, database);
                mark_deleted(opened, database);
            }
            return opened.is_deleted() && opened.empty();
        });
    }

    /// No further call begins by itself.
    void rest() { resting_ = true; }

    /// This time, or the next one that no client has had.
    [[nodiscard]] std::int64_t next_stamp(std::int64_t ticks) {
        while (!stamps_.insert(ticks).second) {
            ++ticks;
        }
        return ticks;
    }

    /// Rows that a stock server has told before they were synced: by database and name.
    [[nodiscard]] const std::set<std::pair<const Known*, std::string>>& unsynced() const {
        return unsynced_;
    }

private:
    /// Where a client's call goes: a machine and the database's path there.
    struct Site {
        Machine& machine;
        std::string path;
    };

    using Task = std::function<void(const Site&, Known&)>;

    void call() {
        Known& database = world_.known[world_.pick(world_.known.size())];
        const TableRing ring = world_.machines[world_.pick(world_.machines.size())]->ring.version();
        const auto primaries = world_.layout.primaries(ring, database.hash);
        const auto all = world_.layout.spots();
        const Spot at = world_.chance(world_.config.to_handoffs)
                            ? all[world_.pick(all.size())]
                            : primaries[world_.pick(primaries.size())];
        Machine& machine = *world_.machines[at.machine];
        if (!machine.server) {
            return;
        }
        const Site site{machine, world_.path(database, at.device)};
        auto answered = std::make_shared<bool>(false);
        world_.fibers.spawn(machine.server->life, [this, answered, site, &database, task = draw()] {
            try {
                task(site, database);
            } catch (const Failure& failure) {
                world_.marks(std::string("client: ") + failure.code().message());
            }
            *answered = true;
        });
        world_.fibers.await(*answered, world_.clock.monotonic() + to_duration(Seconds(60)));
    }

    [[nodiscard]] Task draw() {
        const Config& config = world_.config;
        const std::size_t which = world_.pick_by(
            std::array<std::int64_t, 8>{10, config.deletes, config.late, config.pending,
                                        config.posts, config.drops, config.shards, config.reports});
        using Member = void (Clients::*)(const Site&, Known&);
        constexpr Member tasks[] = {&Clients::put,   &Clients::erase, &Clients::come_late,
                                    &Clients::pend,  &Clients::post,  &Clients::drop,
                                    &Clients::shard, &Clients::report};
        return [this, task = tasks[which]](const Site& at, Known& database) {
            (this->*task)(at, database);
        };
    }

    /// Does `task` at one copy after another until the task is done. Whether it was.
    bool at_each_copy(const Known& database, const std::function<bool(const Site&)>& task) {
        for (const Spot at : world_.layout.spots()) {
            const Site site{*world_.machines[at.machine], world_.path(database, at.device)};
            if (site.machine.disk.glance(site.path)) {
                bool ended = false;
                bool done = false;
                world_.fibers.spawn(site.machine.server->life, [&] {
                    done = task(site);
                    ended = true;
                });
                world_.fibers.run([&] { return ended; });
                if (done) {
                    return true;
                }
            }
        }
        return false;
    }

    [[nodiscard]] auto open(const Site& at) {
        return at.machine.server->broker.open(at.path, at.machine.clock.monotonic() +
                                                           to_duration(Seconds(20)));
    }

    /// The database, made if it is missing, as a PUT does; none if it is deleted.
    [[nodiscard]] auto open_or_make(const Site& at, Known& database) {
        using Database = typename World<Kind>::Broker::database_type;
        if (!at.machine.server->broker.disk().stat(at.path)) {
            return std::optional<Database>(make(at, database));
        }
        std::optional<Database> opened(open(at));
        if (opened->is_deleted()) {
            if (world_.pick(4) != 0) {
                return std::optional<Database>();
            }
            const Timestamp now{stamp(), 0};
            opened->mark_put(now);
            if constexpr (requires { opened->set_storage_policy_index(0, now); }) {
                if (auto info = database.info; draw_policy(info)) {
                    opened->set_storage_policy_index(info.storage_policy_index, now);
                }
            }
            world_.marks("client: put again");
        }
        return opened;
    }

    [[nodiscard]] auto make(const Site& at, Known& database) {
        auto info = database.info;
        const Timestamp now{stamp(), 0};
        info.put_timestamp = now.internal();
        draw_policy(info);
        world_.marks("client: made");
        return at.machine.server->broker.create(at.path, info);
    }

    /// No two are equal. A proxy's clock may be wrong too.
    [[nodiscard]] std::int64_t stamp(Seconds off = Seconds(0)) {
        const double wrong =
            static_cast<double>(world_.config.skew) * (2 * world_.random.fraction() - 1);
        return next_stamp(world_.clock.now().plus(off + Seconds(wrong)).ticks);
    }

    [[nodiscard]] std::string some_name() {
        return "row" + std::to_string(world_.pick(static_cast<std::size_t>(world_.config.names)));
    }

    void put(const Site& at, Known& database) { write(at, database, stamp(), false); }
    void erase(const Site& at, Known& database) { write(at, database, stamp(), true); }

    /// About the age at which deletions are forgotten.
    [[nodiscard]] Seconds old_age() {
        return Seconds(static_cast<double>(world_.config.reclaim_age) *
                       (0.5 + world_.random.fraction()));
    }

    /// A write that was long on its way.
    void come_late(const Site& at, Known& database) {
        write(at, database, stamp(-old_age()), world_.pick(2) == 0, true);
    }

    /// The policy that a client asks for, if there are several.
    template <class Info>
    bool draw_policy(Info& info) {
        if constexpr (requires { info.storage_policy_index; }) {
            if (world_.config.policies > 0) {
                info.storage_policy_index = static_cast<std::int64_t>(world_.pick(2));
                return true;
            }
        }
        return false;
    }

    /// A proxy may have asked another replica for the policy.
    template <class Database>
    void place(Row& row, Database& opened) {
        if (world_.config.policies == 0) {
            return;
        }
        if constexpr (requires { opened.info().storage_policy_index; }) {
            const std::int64_t index = opened.info().storage_policy_index;
            row.storage_policy_index = world_.pick(4) == 0 ? 1 - index : index;
        }
    }

    /// Two clients may have one time, and nobody knows whose call came first. At rest that would
    /// be a difference that no hash shows; and nobody may have forgotten a deletion at that time.
    [[nodiscard]] bool draw_tie(const Writes& writes) {
        if (resting_ || world_.config.ties == 0 || world_.config.jump > 0 || !writes.last_time()) {
            return false;
        }
        const auto age = static_cast<double>(world_.config.reclaim_age) / 3;
        return *writes.last_time() > world_.clock.now().plus(-Seconds(age)).ticks &&
               world_.chance(world_.config.ties);
    }

    [[nodiscard]] Row row_of(const std::string& name, std::int64_t ticks, bool deleted) {
        return World<Kind>::Words::make_row(name, Timestamp{ticks, 0},
                                            static_cast<std::int64_t>(world_.pick(100)), deleted);
    }

    void write(const Site& at, Known& database, std::int64_t ticks, bool deleted,
               bool late = false) {
        auto opened = open_or_make(at, database);
        if (!opened) {
            return;
        }
        const std::string drawn = some_name();
        Row row = row_of(drawn, ticks, deleted);
        place(row, *opened);
        const std::string name = key_of(row);
        Writes& writes = database.record.rows[name];
        if (draw_tie(writes)) {
            Row tied = row_of(drawn, *writes.last_time(), deleted);
            if constexpr (requires { tied.storage_policy_index; }) {
                tied.storage_policy_index = row.storage_policy_index;
            }
            row = std::move(tied);
            world_.marks("client: the time of another write");
        }
        const Version version = version_of(row);
        if constexpr (requires { row.delete_timestamp; }) {
            writes.let_puts_win();
        }
        writes.attempt(version, late);
        opened->put(row);
        if (world_.marks.trace) {
            std::cerr << at.machine.ip << ' ' << database.hash << ' ' << name << ' '
                      << version.text() << ": ";
        }
        writes.acknowledge(version);
        world_.marks(deleted ? "client: deleted" : "client: written");
    }

    /// Order of a stock server: look for the database; take the lock; append; answer. Nothing is
    /// synced.
    void pend(const Site& at, Known& database) {
        const SimDisk disk = at.machine.disk;
        const std::string path = at.path;
        if (!disk.stat(path) || !sqlite::PendingSchema<SchemaOf<Kind>>) {
            return;
        }
        if (world_.pick(3) == 0) {
            commit(at);
            return;
        }
        const std::string drawn = some_name();
        Row row = row_of(drawn, stamp(), world_.pick(4) == 0);
        if (world_.config.policies > 0) {
            auto opened = open(at);
            place(row, opened);
        }
        const std::string name = key_of(row);
        const Version version = version_of(row);
        const auto lock = lock_of(at.machine, path);
        database.record.rows[name].attempt(version);
        const auto held = disk.content(path + ".pending");
        if constexpr (sqlite::PendingSchema<SchemaOf<Kind>>) {
            disk.write(path + ".pending", (held ? held->bytes : "") + pending_entry(row));
        }
        unsynced_.insert({&database, name});
        database.record.rows[name].acknowledge(version);
        world_.marks("client: pending");
    }

    /// A reader of a stock server merges the pending file first.
    void commit(const Site& at) {
        auto opened = open(at);
        const auto lock = lock_of(at.machine, at.path);
        static_cast<void>(opened.commit_pending(lock));
        world_.marks("client: pending file merged");
    }

    [[nodiscard]] SimLock lock_of(Machine& machine, const std::string& path) {
        const std::string directory = path.substr(0, path.rfind('/'));
        for (int i = 0; i < 100; ++i) {
            if (auto lock = machine.disk.try_lock(directory)) {
                return std::move(*lock);
            }
            world_.clock.advance(Seconds(0.1));
        }
        throw Failure(Error::locked, directory);
    }

    void post(const Site& at, Known& database) {
        auto opened = open(at);
        if (opened.is_deleted()) {
            return;
        }
        std::string key = "X-Meta-" + std::to_string(world_.pick(3));
        const std::string value = world_.pick(4) == 0 ? "" : std::to_string(world_.pick(1000));
        const bool late = world_.config.late > 0 && world_.pick(4) == 0;
        if (late && world_.pick(2) == 0) { // a key that nobody has written since
            key = "X-Meta-Old-" + std::to_string(world_.pick(8));
        }
        const Version version{late ? stamp(-old_age()) : stamp(), value.empty(), value};
        database.record.metadata[key].attempt(version, late);
        opened.set_metadata(key, value, Timestamp{version.ticks, 0});
        database.record.metadata[key].acknowledge(version);
        world_.marks("client: posted");
    }

    /// What a sharder writes: the range of a shard, not the container's own, so that rows stay.
    void shard(const Site& at, Known& database) {
        if constexpr (ShardedKind<Kind>) {
            auto opened = open(at);
            const bool late = world_.config.late > 0 && world_.pick(4) == 0;
            ShardRange range;
            range.name = ".shards_a/" + std::to_string(world_.pick(4));
            range.timestamp = Timestamp{late ? stamp(-old_age()) : stamp(), 0}.internal();
            range.meta_timestamp = range.state_timestamp = range.timestamp;
            range.upper = "m";
            range.object_count = static_cast<std::int64_t>(world_.pick(1000));
            range.deleted = world_.pick(4) == 0 ? 1 : 0;
            Writes& writes = database.record.ranges[range.name];
            writes.attempt(version_of(range), late);
            opened.merge_shard_ranges(std::span(&range, 1));
            writes.acknowledge(version_of(range));
            world_.marks("client: shard range written");
        }
    }

    /// DELETE of an empty database; its metadata go with it. Some clients empty it first.
    void drop(const Site& at, Known& database) {
        auto opened = open(at);
        if (!opened.empty() && world_.config.reports > 0 && world_.pick(3) == 0) {
            erase_all(opened, database);
        }
        if (opened.empty() && !opened.is_deleted()) {
            mark_deleted(opened, database);
        }
    }

    template <class Database>
    void mark_deleted(Database& opened, Known& database) {
        const std::int64_t now = stamp();
        database.record.dropped = std::max(database.record.dropped, now);
        for (auto& [key, writes] : database.record.metadata) {
            writes.attempt({now, true, ""});
        }
        opened.mark_deleted(Timestamp{now, 0});
        world_.marks("client: dropped");
    }

    template <class Database>
    void erase_all(Database& opened, Known& database) {
        for (Row row : opened.items_since(-1, std::numeric_limits<std::int64_t>::max())) {
            Writes& writes = database.record.rows[key_of(row)];
            if (row.deleted == 0 && version_of(row).ticks < world_.clock.now().ticks) {
                Row gone = row_of(row.name, stamp(), true);
                if constexpr (requires { gone.storage_policy_index; }) {
                    gone.storage_policy_index = row.storage_policy_index;
                }
                writes.attempt(version_of(gone));
                opened.put(gone);
                writes.acknowledge(version_of(gone));
            }
        }
    }

    /// What Swift's container updater notes once the account has been told. By then the container
    /// may be another.
    void report(const Site& at, Known& /*database*/) {
        if constexpr (ShardedKind<Kind>) {
            const ContainerInfo told = open(at).info();
            const std::string how = "reported_put_timestamp = '" + told.put_timestamp +
                                    "', reported_delete_timestamp = '" + told.delete_timestamp +
                                    "', reported_object_count = " + std::to_string(told.count) +
                                    ", reported_bytes_used = " + std::to_string(told.bytes_used);
            if (change_stat<Kind>(at.machine, at.path, how)) {
                world_.marks("client: reported");
            }
        }
    }

    World<Kind>& world_;
    std::shared_ptr<Life> life_ = std::make_shared<Life>(Life{"clients"});
    std::set<std::int64_t> stamps_;
    std::set<std::pair<const Known*, std::string>> unsynced_;
    bool resting_ = false;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_CLIENT_HPP
