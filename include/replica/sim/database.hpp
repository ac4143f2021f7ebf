#ifndef REPLICA_SIM_DATABASE_HPP
#define REPLICA_SIM_DATABASE_HPP

// A handle on a simulated database: reads the value inside a file of the simulated disk, changes a
// copy of the value and commits it in one durable step. Made by the broker in sim/broker.hpp.

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/kind.hpp>
#include <replica/rows/merge.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/file.hpp>
#include <replica/sim/payload.hpp>
#include <replica/sim/state.hpp>
#include <replica/words/info.hpp>
#include <replica/words/md5.hpp>
#include <replica/words/notes.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace replica {

template <Kind K>
class SimBroker;

/// A handle on a simulated database. Models Database; thread safety as there.
template <Kind K>
class SimDatabase {
public:
    using info_type = typename K::info_type;
    using row_type = typename K::row_type;
    using lock_type = SimLock;
    using State = sim::State<K>;

    void set_deadline(Instant deadline) { deadline_ = deadline; }

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

    [[nodiscard]] Timestamp last_heard() {
        Timestamp last;
        for (const auto& [remote_id, mark] : read()->incoming) {
            last = std::max(last, mark.touched);
        }
        return {last.ticks - last.ticks % Timestamp::ticks_per_second, 0};
    }

    void merge_items(std::span<const row_type> rows, std::string_view source) {
        if (rows.empty()) {
            return;
        }
        change([&](State& state) {
            std::optional<std::int64_t> known;
            if (!source.empty()) {
                const auto mark = state.incoming.find(source);
                known = mark == state.incoming.end() ? -1 : mark->second.point;
            }
            state.merge(rows, known);
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

    void set_sync_point(const SyncPoint& point, Direction direction) {
        change([&](State& state) {
            auto& marks = state.marks(direction);
            if (point.sync_point < 0) {
                return marks.erase(point.remote_id) > 0;
            }
            marks[point.remote_id] = {point.sync_point, broker_.clock().now()};
            return true;
        });
    }

    /// Throws bad_request for text that is no time. Commits nothing if nothing changes.
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

    /// Throws bad_request for anything but {"key": ["value", "time"]} or an empty text. Commits
    /// nothing if nothing changes.
    void merge_metadata(std::string_view text, Timestamp forgotten = {}) {
        const auto metadata = Metadata::parse(text);
        change([&](State& state) { return state.merge(metadata, forgotten); });
    }

    /// Simulated accounts have no status.
    void merge_status(SimDatabase& from) {
        const State& theirs = *from.read();
        change([&](State& state) {
            if constexpr (requires { state.stat.status; }) {
                const bool put_since = timestamp_or_zero(state.stat.delete_timestamp) <
                                       timestamp_or_zero(state.stat.put_timestamp);
                if (!theirs.stat.status.empty() && !put_since) {
                    state.stat.status = theirs.stat.status;
                    return true;
                }
            }
            return false;
        });
    }

    void renew_id() {
        change([&](State& state) {
            state.stat.id = broker_.new_id();
            std::erase_if(state.outgoing,
                          [](const auto& mark) { return mark.first != notes::agreed(); });
        });
    }

    void adopt(std::string_view source) {
        change([&](State& state) {
            state.stat.id = broker_.new_id();
            std::erase_if(state.outgoing, [&](const auto& mark) {
                return mark.second.point > state.max_row || mark.first.starts_with(notes::prefix);
            });
            const Timestamp now = broker_.clock().now();
            state.outgoing[notes::agreed()] = {now.ticks / Timestamp::ticks_per_second, now};
            if (source.empty()) {
                state.incoming.clear();
            } else {
                state.incoming[std::string(source)] = {state.max_row, now};
            }
            state.forget_reports();
        });
    }

    /// Commits only if there is something to drop.
    void reclaim(const info_type& confirmed, Timestamp age, Timestamp sync_age) {
        change([&](State& state) { return state.reclaim(confirmed, age, sync_age); });
    }

    [[nodiscard]] SimLock exclusive(Instant deadline) {
        return wait([this] { return file_.try_lock(); }, deadline);
    }

    /// Throws exists if something is at `path`, missing if its directory is not there. Leaves
    /// nothing when it fails.
    void copy_to(const std::string& path, Instant deadline) {
        SimDisk& disk = broker_.disk();
        const auto content = wait([this] { return file_.content(); }, deadline);
        if (disk.stat(path)) {
            throw Failure(Error::exists, path + ": already exists");
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

    /// The counts are always computed from the rows here; only the hash can be wrong.
    bool mend_sums() {
        bool wrong = false;
        change([&](State& state) {
            const Md5Digest hash = state.computed_hash();
            wrong = std::exchange(state.hash, hash) != hash;
            return wrong;
        });
        return wrong;
    }

    void require_sound(Instant /*deadline*/) { static_cast<void>(read()); }

    [[nodiscard]] std::uint64_t version() { return read()->version; }

    /// Sets the container's policy and the time of the change (see ContainerKind::agree).
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

    /// Commits only if something is newer: see shards::changes.
    void merge_shard_ranges(std::span<const ShardRange> news, Timestamp forgotten = {})
        requires requires(info_type info) { info.shard_max_row; }
    {
        change([&](State& state) { return state.merge_shard_ranges(news, forgotten); });
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

    // For tests: the writes of a server to its database.

    /// Writes rows of a client; at equal times the later call wins.
    void put(std::span<const row_type> rows) {
        change([&](State& state) { state.merge(rows); });
    }

    void put(const row_type& row) { put(std::span(&row, 1)); }

    [[nodiscard]] std::vector<row_type> rows() {
        return items_since(-1, std::numeric_limits<std::int64_t>::max());
    }

private:
    friend class SimBroker<K>;

    using Snapshot = std::shared_ptr<const State>;

    SimDatabase(SimBroker<K> broker, SimFile file, Instant deadline)
        : broker_(std::move(broker)), file_(std::move(file)), deadline_(deadline) {}

    /// Calls `attempt` every 10 ms until it returns something; throws locked at the deadline. The
    /// pauses give others who share the clock their turn.
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

    /// Throws if the file is damaged.
    [[nodiscard]] Snapshot read() {
        return sim::state_of<K>(wait([this] { return file_.content(); }, deadline_), file_.path());
    }

    /// Commits the state that `apply` has changed, unless `apply` returns false. Like a transaction
    /// of SQLite: no commit of others is lost.
    template <std::invocable<State&> Change>
    void change(Change apply) {
        wait([&] { return try_change(apply); }, deadline_);
    }

    /// Empty while somebody else has the database locked, or if somebody else has committed
    /// meanwhile.
    template <std::invocable<State&> Change>
    std::optional<bool> try_change(Change& apply) {
        const auto content = file_.content();
        if (!content) {
            return std::nullopt;
        }
        State state = *sim::state_of<K>(*content, file_.path());
        if constexpr (std::is_void_v<std::invoke_result_t<Change&, State&>>) {
            apply(state);
        } else if (!apply(state)) {
            return false;
        }
        ++state.version;
        return file_.commit(sim::content_of(std::move(state))) ? std::optional(true) : std::nullopt;
    }

    SimBroker<K> broker_;
    SimFile file_;
    Instant deadline_;
};

} // namespace replica

#endif // REPLICA_SIM_DATABASE_HPP
