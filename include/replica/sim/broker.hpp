#ifndef REPLICA_SIM_BROKER_HPP
#define REPLICA_SIM_BROKER_HPP

// A store of databases without SQLite: each is a value inside a file of the simulated disk, so it
// is renamed, copied, torn and lost with its file. Every call reads the file or commits to it in
// one durable step and is a point at which the disk may fail; a failed call has changed nothing.

#include <replica/broker.hpp>
#include <replica/container/shards.hpp>
#include <replica/error.hpp>
#include <replica/info.hpp>
#include <replica/md5.hpp>
#include <replica/server_type.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/payload.hpp>
#include <replica/sim/state.hpp>
#include <replica/sqlite/metadata.hpp>

#include <algorithm>
#include <any>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace replica {

template <class Server>
class SimBroker;

/// A handle on a simulated database. Models Database; thread safety as there.
template <class Server>
class SimDatabase {
public:
    using info_type = typename Server::info_type;
    using row_type = typename Server::row_type;
    using lock_type = SimLock;
    using State = sim::State<Server>;

    [[nodiscard]] info_type info() { return read()->info(); }

    [[nodiscard]] std::vector<row_type> items_since(std::int64_t point, std::int64_t limit) {
        return read()->since(point, limit);
    }

    [[nodiscard]] std::int64_t sync_point(std::string_view remote_id, Direction direction) {
        const auto state = read();
        const auto found = state->marks(direction).find(remote_id);
        return found == state->marks(direction).end() ? -1 : found->second.point;
    }

    [[nodiscard]] std::vector<SyncPoint> sync_points(Direction direction) {
        std::vector<SyncPoint> points;
        const auto state = read();
        for (const auto& [remote_id, mark] : state->marks(direction)) {
            points.push_back({mark.point, remote_id});
        }
        return points;
    }

    void merge_items(std::span<const row_type> rows, std::string_view source) {
        if (rows.empty()) {
            return;
        }
        change([&](State& state) {
            state.merge(rows, RowOrigin::replica);
            if (!source.empty()) {
                const auto last = std::ranges::max_element(rows, {}, &row_type::rowid);
                state.raise(Direction::incoming, source, last->rowid, broker_.clock().now());
            }
        });
    }

    void merge_sync_points(std::span<const SyncPoint> points, Direction direction) {
        change([&](State& state) {
            for (const SyncPoint& point : points) {
                state.raise(direction, point.remote_id, point.sync_point, broker_.clock().now());
            }
        });
    }

    /// Throws bad_request for a time that is none. Nothing is committed if nothing changes.
    void merge_timestamps(const Timestamps& times) {
        for (const std::string* time :
             {&times.created_at, &times.put_timestamp, &times.delete_timestamp}) {
            if (!Timestamp::parse(*time)) {
                throw Failure(Error::bad_request, file_.path() + ": '" + *time + "' is no time");
            }
        }
        change([&](State& state) {
            const Timestamps before = state.stat.timestamps();
            if (state.merge(times)) {
                state.change_status(broker_.clock().now());
            }
            return state.stat.timestamps() != before;
        });
    }

    /// Throws bad_request for anything but {"key": ["value", "time"]} or an empty text. Nothing is
    /// committed if nothing changes.
    void merge_metadata(std::string_view text) {
        const auto metadata = Metadata::parse(text);
        change([&](State& state) { return state.merge(metadata); });
    }

    void renew_id() {
        change([&](State& state) { state.stat.id = broker_.new_id(); });
    }

    void adopt(std::string_view source) {
        change([&](State& state) {
            state.stat.id = broker_.new_id();
            state.incoming[std::string(source)] = {state.max_row, broker_.clock().now()};
            state.forget_reports();
        });
    }

    /// Commits only if there is something to drop.
    void reclaim(Timestamp age, Timestamp sync_age) {
        change([&](State& state) { return state.reclaim(age, sync_age); });
    }

    [[nodiscard]] SimLock exclusive(Instant deadline) {
        return wait([this] { return file_.try_lock(); }, deadline);
    }

    /// Error::exists if something is at `path`, missing if its directory is not there. Leaves
    /// nothing behind when it fails.
    void copy_to(const std::string& path, Instant deadline) {
        SimDisk& disk = broker_.disk();
        const auto content = wait([this] { return file_.content(); }, deadline);
        if (disk.stat(path)) {
            throw Failure(Error::exists, path + ": there already");
        }
        const std::string directory = path.substr(0, path.rfind('/'));
        if (!disk.stat(directory)) {
            throw Failure(Error::missing, path + ": no such directory");
        }
        try {
            disk.write(path, content);
            disk.sync(path);
            disk.sync(directory);
        } catch (const Failure&) {
            broker_.discard(path);
            throw;
        }
    }

    /// Throws std::logic_error if `lock` is not that of the database's directory.
    bool commit_pending(const SimLock& lock) { return broker_.flush(*this, lock); }

    [[nodiscard]] std::uint64_t version() { return read()->version; }

    /// The container's policy, with the time at which it was settled (see ContainerServer::agree).
    void set_storage_policy_index(std::int64_t index, Timestamp now)
        requires requires(info_type info) { info.storage_policy_index; }
    {
        change([&](State& state) {
            const bool news = state.change_policy(index);
            if (news) {
                state.change_status(now);
            }
            return news;
        });
    }

    /// All shard ranges, by name.
    [[nodiscard]] std::vector<ShardRange> shard_ranges()
        requires requires(info_type info) { info.shard_max_row; }
    {
        std::vector<ShardRange> ranges;
        const auto state = read();
        for (const auto& [name, range] : state->shard_ranges) {
            ranges.push_back(range);
        }
        return ranges;
    }

    /// Commits only if something is news: see shards::merged.
    void merge_shard_ranges(std::span<const ShardRange> news)
        requires requires(info_type info) { info.shard_max_row; }
    {
        change([&](State& state) { return state.merge_shard_ranges(news); });
    }

    /// See ContainerDatabase.
    [[nodiscard]] std::vector<row_type> misplaced(std::int64_t above, std::int64_t up_to,
                                                  std::int64_t count)
        requires requires(info_type info) { info.storage_policy_index; }
    {
        const auto state = read();
        std::vector<row_type> rows;
        for (auto at = state->rows.upper_bound(above);
             at != state->rows.end() && at->first <= up_to &&
             static_cast<std::int64_t>(rows.size()) < count;
             ++at) {
            if (at->second.storage_policy_index != state->stat.storage_policy_index) {
                rows.push_back(at->second);
            }
        }
        return rows;
    }

    bool set_reconciler_sync_point(std::int64_t point, std::int64_t policy)
        requires requires(info_type info) { info.storage_policy_index; }
    {
        bool same = false;
        change([&](State& state) {
            same = state.stat.storage_policy_index == policy;
            if (same) {
                state.stat.reconciler_sync_point = point;
            }
            return same;
        });
        return same;
    }

    // For tests: what a server does to its database.

    /// Rows of a client: at equal times the later call counts.
    void put(std::span<const row_type> rows) {
        change([&](State& state) { state.merge(rows, RowOrigin::local); });
    }

    void put(const row_type& row) { put(std::span(&row, 1)); }

    [[nodiscard]] std::vector<row_type> rows() {
        return items_since(-1, std::numeric_limits<std::int64_t>::max());
    }

private:
    friend class SimBroker<Server>;

    using Snapshot = std::shared_ptr<const State>;

    SimDatabase(SimBroker<Server> broker, SimFile file, Instant deadline)
        : broker_(std::move(broker)), file_(std::move(file)), deadline_(deadline) {}

    /// Calls `attempt` until it gives something; Error::locked at the deadline. Each 10 ms, so that
    /// others who share the clock get their turn.
    template <std::invocable Attempt>
    auto wait(Attempt attempt, Instant deadline) {
        const SimClock& clock = broker_.clock();
        for (;;) {
            if (auto result = attempt()) {
                return std::move(*result);
            }
            if (clock.monotonic() >= deadline) {
                throw Failure(Error::locked, file_.path() + ": database is locked");
            }
            clock.sleep_until(std::min(deadline, clock.monotonic() + std::chrono::milliseconds(10)),
                              std::stop_token());
        }
    }

    /// Throws what is wrong with the file.
    [[nodiscard]] Snapshot read() {
        return sim::state_of<Server>(wait([this] { return file_.content(); }, deadline_),
                                     file_.path());
    }

    /// Commits what `apply` made of the state, unless it gives false.
    template <std::invocable<State&> Change>
    void change(Change apply) {
        State state = *read();
        if constexpr (std::is_void_v<std::invoke_result_t<Change, State&>>) {
            apply(state);
        } else if (!apply(state)) {
            return;
        }
        commit(std::move(state));
    }

    void commit(State state) {
        ++state.version;
        const SimContent content = sim::content_of(std::move(state));
        wait([&] { return file_.commit(content) ? std::optional(true) : std::nullopt; }, deadline_);
    }

    SimBroker<Server> broker_;
    SimFile file_;
    Instant deadline_;
};

/// A store of simulated databases. Models Broker. Copies are the same store. `node` names the
/// machine in the ids that are given out: two nodes of one simulation must have different names.
template <class Server>
class SimBroker {
public:
    using server_type = Server;
    using database_type = SimDatabase<Server>;
    using disk_type = SimDisk;
    using clock_type = SimClock;
    using info_type = typename Server::info_type;
    using row_type = typename Server::row_type;
    using State = sim::State<Server>;

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
        if (state->hash != state->computed_hash()) {
            throw Failure(Error::corrupt, path + ": its hash is not that of its rows");
        }
        return database;
    }

    [[nodiscard]] disk_type& disk() { return disk_; }
    [[nodiscard]] clock_type& clock() { return clock_; }

    // For tests: what servers, clients and bad disks do.

    /// Makes a database durably, with what `info` says; what it leaves empty gets an id and the
    /// time of now. Error::exists if there is a file. The handle waits for locks until `deadline`,
    /// or not at all.
    database_type create(const std::string& path, info_type info,
                         std::optional<Instant> deadline = {}) {
        if (disk_.stat(path)) {
            throw Failure(Error::exists, path + ": there already");
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

    /// Appends rows to `<path>.pending`, as a server does to be quick.
    void put_pending(const std::string& path, const std::vector<row_type>& rows) {
        Pending pending = pending_of(path);
        pending.insert(pending.end(), rows.begin(), rows.end());
        const auto size = static_cast<std::int64_t>(pending.size()) * 100;
        disk_.write(path + ".pending", SimContent{"pending", std::move(pending), size});
    }

    /// The state of a database, without a fault point, past locks and damage; nothing if the file
    /// is not there or is no database. For checkers.
    [[nodiscard]] std::shared_ptr<const State> peek(const std::string& path) const {
        const auto content = disk_.content(path);
        return content ? sim::find_state<Server>(*content) : nullptr;
    }

    /// Opening and reading it report `error` from now on; Error::wal only open_upload. With
    /// Error{} only the stored hash is made wrong.
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
    friend class SimDatabase<Server>;

    using Pending = std::vector<row_type>;

    /// The disk's numbers never come twice, not after a restart of the broker either.
    [[nodiscard]] std::string new_id() const { return sim::id_of(node_, disk_.unique()); }

    [[nodiscard]] Pending pending_of(const std::string& path) const {
        const auto content = disk_.content(path + ".pending");
        const auto* const rows = content ? std::any_cast<Pending>(&content->value) : nullptr;
        return rows != nullptr ? *rows : Pending();
    }

    /// First the commit, then the truncation: a crash in between merges the rows once more.
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

    /// Best effort, in the wake of another failure.
    void discard(const std::string& path) noexcept {
        try {
            disk_.remove(path);
        } catch (const Failure&) {
            return; // the sweep of tmp takes it
        }
    }

    SimDisk disk_;
    SimClock clock_;
    std::string node_;
};

static_assert(Broker<SimBroker<AccountServer>>);
static_assert(Broker<SimBroker<ContainerServer>>);

using SimAccountBroker = SimBroker<AccountServer>;
using SimContainerBroker = SimBroker<ContainerServer>;

} // namespace replica

#endif // REPLICA_SIM_BROKER_HPP
