#ifndef REPLICA_SIM_BROKER_HPP
#define REPLICA_SIM_BROKER_HPP

// A store of databases without SQLite. Each database is a value inside a file of the simulated
// disk, so it is renamed, copied, torn and lost with its file. Every call reads the file or commits
// to it in one durable step, and the disk may fail at each call; a failed call changes nothing.

#include <replica/account/kind.hpp>
#include <replica/broker.hpp>
#include <replica/container/kind.hpp>
#include <replica/error.hpp>
#include <replica/kind.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/database.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/file.hpp>
#include <replica/sim/payload.hpp>
#include <replica/sim/state.hpp>

#include <any>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// A store of simulated databases. Models Broker. Copies are the same store. `node` becomes part of
/// new ids, so two nodes of one simulation must have different names.
template <Kind K>
class SimBroker {
public:
    using kind_type = K;
    using database_type = SimDatabase<K>;
    using disk_type = SimDisk;
    using clock_type = SimClock;
    using info_type = typename K::info_type;
    using row_type = typename K::row_type;
    using State = sim::State<K>;

    SimBroker(SimDisk disk, SimClock clock, std::string node)
        : disk_(std::move(disk)), clock_(std::move(clock)), node_(std::move(node)) {}

    database_type open(const std::string& path, Instant deadline) {
        database_type database(*this, SimFile(disk_, path), deadline);
        static_cast<void>(database.read());
        return database;
    }

    database_type open_upload(const std::string& path, Instant deadline) {
        database_type database(*this, SimFile(disk_, path), deadline);
        const auto state = database.read();
        if (state->damage) {
            throw Failure(*state->damage, path + ": " + make_error_code(*state->damage).message());
        }
        return database;
    }

    [[nodiscard]] disk_type& disk() { return disk_; }
    [[nodiscard]] clock_type& clock() { return clock_; }

    // For tests: the actions of servers, clients and bad disks.

    /// Makes a database durably from `info`; an empty id becomes a new one, times of "0" become
    /// now. Throws exists if there is a file. The handle waits for locks until `deadline`; without
    /// one, not at all.
    database_type create(const std::string& path, info_type info,
                         std::optional<Instant> deadline = {}) {
        if (disk_.stat(path)) {
            throw Failure(Error::exists, path + ": already exists");
        }
        const std::string now = clock_.now().internal();
        for (std::string* time : {&info.created_at, &info.put_timestamp, &info.status_changed_at}) {
            *time = *time == "0" ? now : *time;
        }
        info.id = info.id.empty() ? new_id() : info.id;
        State state;
        state.stat = std::move(info);
        disk_.write(path, sim::content_of(std::move(state)));
        for (std::string at = path; !at.empty(); at.erase(at.rfind('/'))) {
            disk_.sync(at);
        }
        disk_.sync("/");
        return open(path, deadline.value_or(clock_.monotonic()));
    }

    /// Appends rows to `<path>.pending`, as a server does.
    void put_pending(const std::string& path, const std::vector<row_type>& rows) {
        Pending pending = pending_of(path);
        pending.insert(pending.end(), rows.begin(), rows.end());
        const auto size = static_cast<std::int64_t>(pending.size()) * 100;
        disk_.write(path + ".pending", SimContent{"pending", std::move(pending), size});
    }

    /// The state of a database, read without a fault point and despite locks and damage; null if
    /// there is no database. For checkers.
    [[nodiscard]] std::shared_ptr<const State> peek(const std::string& path) const {
        const auto content = disk_.content(path);
        return content ? sim::find_state<K>(*content) : nullptr;
    }

    /// From now on opening and reading the database report `error`; Error::wal only for
    /// open_upload. With Error{} only the stored hash is made wrong, which opening does not report.
    void damage(const std::string& path, Error error) {
        State state = *peek(path);
        if (error == Error{}) {
            state.hash[0] ^= 1U;
        } else {
            state.damage = error;
        }
        disk_.write(path, sim::content_of(std::move(state)));
    }

private:
    friend class SimDatabase<K>;

    using Pending = std::vector<row_type>;

    /// The disk never gives a number twice, not even after a restart of the broker.
    [[nodiscard]] std::string new_id() const { return sim::id_of(node_, disk_.unique()); }

    [[nodiscard]] Pending pending_of(const std::string& path) const {
        const auto content = disk_.content(path + ".pending");
        const auto* const rows = content ? std::any_cast<Pending>(&content->value) : nullptr;
        return rows != nullptr ? *rows : Pending();
    }

    /// First the commit, then the truncation: after a crash in between the rows are merged again.
    bool flush(database_type& database, const SimLock& lock) {
        const std::string& path = database.file_.path();
        const std::string pending = path + ".pending";
        if (!disk_.holds(lock, path.substr(0, path.rfind('/')))) {
            throw std::logic_error(path + ": commit_pending without the lock of its directory");
        }
        const auto status = disk_.stat(pending);
        if (!status || status->size == 0) {
            return false;
        }
        const Pending rows = pending_of(path);
        if (rows.empty()) {
            disk_.rename(pending, pending + ".unreadable." + std::to_string(disk_.unique()));
            return false;
        }
        database.put(rows);
        disk_.write(pending, std::string());
        return true;
    }

    /// Best effort, after another failure.
    void discard(const std::string& path) noexcept {
        try {
            disk_.remove(path);
        } catch (const Failure&) {
            return; // the sweep of tmp removes it
        }
    }

    SimDisk disk_;
    SimClock clock_;
    std::string node_;
};

static_assert(Broker<SimBroker<AccountKind>>);
static_assert(Broker<SimBroker<ContainerKind>>);

using SimAccountBroker = SimBroker<AccountKind>;
using SimContainerBroker = SimBroker<ContainerKind>;

} // namespace replica

#endif // REPLICA_SIM_BROKER_HPP
