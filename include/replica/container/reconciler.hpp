#ifndef REPLICA_CONTAINER_RECONCILER_HPP
#define REPLICA_CONTAINER_RECONCILER_HPP

// Replicas of a container that were made with different storage policies agree on one
// (policies.hpp), but objects that were written under another policy are still stored there. Their
// rows are found here and put into queues: containers of a hidden account, one for each hour, which
// are replicated like all others. Swift's reconciler daemon reads the queues and moves the objects.
// No client reaches an object whose row is in no queue (Swift 2.0).

#include <replica/container/queue_entry.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/walk.hpp>
#include <replica/stats.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/info.hpp>
#include <replica/words/notes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace replica::reconciler {

/// What a pass over containers remembers. Thread safety: any thread.
class PassState {
public:
    /// A local device was checked and can be used.
    void use(const Device& device) {
        const std::lock_guard guard(mutex_);
        devices_.insert_or_assign(device.id, device);
    }

    [[nodiscard]] std::vector<Device> devices() const {
        const std::lock_guard guard(mutex_);
        const auto values = devices_ | std::views::values;
        return {values.begin(), values.end()};
    }

    /// Rows were put into a queue. True the first time in this pass.
    bool fed(const LocalDatabase& queue) {
        const std::lock_guard guard(mutex_);
        return fed_.emplace(queue.place.path(), queue).second;
    }

    /// A queue may be removed. True defers the removal; false at the end of the pass.
    [[nodiscard]] bool defer_removal(const LocalDatabase& queue) {
        const std::lock_guard guard(mutex_);
        if (!ending_) {
            put_off_.emplace(queue.place.path(), queue);
        }
        return !ending_;
    }

    /// The pass ends. Returns the queues that got rows, then the deferred ones that got none.
    [[nodiscard]] std::pair<std::vector<LocalDatabase>, std::vector<LocalDatabase>> end() {
        const std::lock_guard guard(mutex_);
        ending_ = true;
        std::pair<std::vector<LocalDatabase>, std::vector<LocalDatabase>> result;
        for (const auto& [path, queue] : fed_) {
            result.first.push_back(queue);
        }
        for (const auto& [path, queue] : put_off_) {
            if (!fed_.contains(path)) {
                result.second.push_back(queue);
            }
        }
        return result;
    }

private:
    mutable std::mutex mutex_;
    bool ending_ = false;
    std::map<std::int64_t, Device> devices_;   ///< By id.
    std::map<std::string, LocalDatabase> fed_; ///< By path.
    std::map<std::string, LocalDatabase> put_off_;
};

/// The local device for a queue: a primary of its partition if there is one. Otherwise the device
/// that the rows come from, so that a disk that hangs holds up no other device; if that one has
/// weight 0, another with weight. The queue is then a handoff, and goes to its primaries.
template <class DatabaseTurn>
[[nodiscard]] Device queue_device(DatabaseTurn& turn, std::uint32_t partition) {
    auto& pass = turn.pass;
    auto usable = pass.state.devices();
    std::erase_if(
        usable, [&](const Device& device) { return pass.memory.stalled.contains(device.device); });
    for (const Device& primary : pass.ring.primaries(partition)) {
        if (std::ranges::find(usable, primary.id, &Device::id) != usable.end()) {
            return primary;
        }
    }
    if (turn.local.weight > 0) {
        return turn.local;
    }
    const auto other = std::ranges::find_if(usable, [](const Device& d) { return d.weight > 0; });
    if (other != usable.end()) {
        return *other;
    }
    pass.observer(event::NoWeight{partition, turn.local});
    return turn.local;
}

/// Puts rows into the database of a queue, and makes that if it does not exist; true if it was
/// made. Starts again if another process makes, replaces or removes the queue at the same time.
template <class P>
bool put_into(P& pass, LocalDatabase& queue, const ContainerInfo& info,
              std::span<const ObjectRow> rows) {
    auto& disk = pass.broker.disk();
    const std::string& device = queue.place.device;
    const std::string& directory = queue.place.directory;
    bool made = false;
    for (int attempts = 5;; --attempts) {
        const Instant deadline = pass.after(storage::broker_patience);
        try {
            const auto there =
                disk.stat(directory) ? storage::find_database(disk, directory) : std::nullopt;
            if (there) {
                queue.place.file = storage::base(*there);
                pass.broker.open(*there, deadline).merge_items(rows, {}, Timestamp{});
                return made;
            }
            if (pass.settings.mount_check && !disk.is_mount(device)) {
                throw Failure(Error::not_mounted, device + ": is not mounted");
            }
            storage::make_durable_directories(disk, device, directory);
            // A stock server looks and renames under this lock: it must not rename over our file.
            const auto lock = storage::lock_directory(disk, pass.clock, directory, deadline);
            if (!storage::find_database(disk, directory)) {
                if (disk.remove(queue.place.path() + "-journal")) { // create() would lock again
                    disk.sync(directory);
                }
                (void)pass.broker.create(queue.place.path(), info, deadline);
                made = true;
            }
        } catch (const Failure& failure) {
            const bool raced = failure.error() == Error::moved ||
                               failure.error() == Error::missing ||
                               failure.error() == Error::exists;
            if (!raced || attempts <= 0) {
                throw;
            }
        }
    }
}

/// The same. Rows that are there already, but whose commit was not durable, are so then: nobody
/// queues them once more (defect 127).
template <class P>
bool put_durably(P& pass, LocalDatabase& queue, const ContainerInfo& info,
                 std::span<const ObjectRow> rows) {
    auto& doubts = *pass.memory.doubts;
    try {
        doubts.settle(pass.broker.disk(), queue.place.directory);
        return put_into(pass, queue, info, rows);
    } catch (const Failure& failure) {
        doubts.note(failure, queue.place.directory);
        throw;
    }
}

/// Puts the rows of one hour into their queue. A failure is told, and returns false.
template <class DatabaseTurn>
[[nodiscard]] bool feed_queue(DatabaseTurn& turn, const std::string& name,
                              std::span<const ObjectRow> rows) {
    auto& pass = turn.pass;
    using kind_type = typename std::remove_cvref_t<decltype(pass)>::kind_type;
    turn.heartbeat.expect(pass.after(storage::broker_patience + pass.settings.watchdog));
    try {
        ContainerInfo info;
        info.account = account;
        info.container = name;
        info.put_timestamp = name;
        const HashPath hash_path{pass.settings.hash_path_prefix, pass.settings.hash_path_suffix};
        const std::string hash = hash_path(info.name());
        const std::uint32_t partition = pass.ring.partition(hash);
        const Device device = queue_device(turn, partition);
        LocalDatabase queue{Place::on(storage::device_path(pass.settings.devices, device.device),
                                      kind_type::datadir, partition, hash, hash + ".db"),
                            device};
        const bool made = put_durably(pass, queue, info, rows);
        if (pass.state.fed(queue)) {
            pass.observer(event::QueueOpened{queue.place.path(), made});
        }
        pass.observer(event::RowsQueued{queue.place.path(), rows.size()});
        return true;
    } catch (const std::exception& failure) {
        const std::string what = failure.what();
        pass.count(&Stats::errors);
        pass.observer(event::QueueFailed{turn.place.path(), name, rows.size(), what});
        return false;
    }
}

/// Queues a batch of misplaced rows, each under its hour. False if any could not be queued.
template <class DatabaseTurn>
[[nodiscard]] bool feed_rows(DatabaseTurn& turn, std::span<const ObjectRow> rows,
                             const std::string& root) {
    std::map<std::string, std::vector<ObjectRow>> queues;
    std::int64_t bad = 0;
    for (const ObjectRow& row : rows) {
        if (const auto name = queue_name(row.created_at)) {
            queues[*name].push_back(queue_row(row, root));
        } else if (++bad == 1) {
            const std::string what = "row '" + row.name + "' is misplaced and not queued: '" +
                                     row.created_at + "' is no time";
            turn.pass.observer(event::SetAside{turn.place.path(), what});
        }
    }
    turn.pass.count(&Stats::errors, bad);
    bool all = bad == 0;
    for (const auto& [name, queued] : queues) {
        all = feed_queue(turn, name, queued) && all;
    }
    return all;
}

/// How far the search for misplaced rows of a container came.
struct Fed {
    std::int64_t reached; ///< Every misplaced row up to here is queued.
    bool all;             ///< Every row that was found could be queued.
};

/// Queues the misplaced rows above reconciler_sync_point of `info` that existed when the peers were
/// asked. Goes on after a failure, so that one bad row does not hold up all others.
template <class DatabaseTurn, class D>
[[nodiscard]] Fed feed_above(DatabaseTurn& turn, D& database, const ContainerInfo& info) {
    constexpr std::int64_t window = 100'000; // rows read under one shared lock: about 0.1 s
    auto& pass = turn.pass;
    const auto root = root_path(info);
    if (!root) {
        const std::string what = "its metadata name no root to queue misplaced rows for";
        pass.count(&Stats::errors);
        pass.observer(event::SetAside{turn.place.path(), what});
        return {info.reconciler_sync_point, false};
    }
    const std::int64_t end = turn.info.max_row;
    const std::int64_t batch = pass.settings.per_diff;
    std::int64_t at = info.reconciler_sync_point;
    std::int64_t reached = at;
    bool all = true;
    while (at < end && !pass.stop.stop_requested()) {
        turn.heartbeat.expect(pass.after(storage::broker_patience + pass.settings.watchdog));
        const std::int64_t up_to = std::min(end, at + window);
        const auto rows = database.misplaced(at, up_to, batch);
        at = std::ssize(rows) < batch ? up_to : rows.back().rowid;
        all = feed_rows(turn, rows, *root) && all;
        reached = all ? at : reached;
    }
    return {reached, all};
}

/// Key of a note (words/notes.hpp): the last row up to which a container's rows were compared with
/// its policy, since it has that policy. The key has the id of the file. So a file that came from
/// elsewhere is compared again: its sender may be the only one that has queued what it found, and
/// may be lost. Notes older than reclaim_age are dropped, and the rows compared once more.
[[nodiscard]] inline std::string compared_with(const ContainerInfo& info) {
    return notes::key("policy ", std::to_string(info.storage_policy_index) + " of " +
                                     info.status_changed_at + " in " + info.id);
}

template <class D>
[[nodiscard]] bool is_compared(D& database, const ContainerInfo& info) {
    return !info.several_policies || info.max_row < 0 ||
           database.sync_point(compared_with(info), Direction::outgoing) >= 0;
}

/// Whether no misplaced row waits to be queued. No row of a container with one policy is misplaced.
template <class D>
[[nodiscard]] bool is_all_queued(D& database, const ContainerInfo& info) {
    return !info.several_policies ||
           (info.reconciler_sync_point == info.max_row && is_compared(database, info));
}

/// Queues the misplaced rows among those that are new since the last time. With several policies a
/// database without new rows costs a lookup. With one policy nothing is read or written: Swift
/// moves the point of such a container after each change, but once there is another policy all rows
/// are looked at, wherever the point is.
///
/// A stock server that changes the policy leaves reconciler_sync_point as it is. So a container
/// that has or had several policies (few have) is searched from its first row whenever its policy
/// is not the one that it was compared with.
///
/// The point moves past queued rows only once a majority of the peers have them: a replica that is
/// lost earlier must not take the only trace along. After a crash in between, the same rows are
/// queued again. The point moves back only to before a row that could not be queued.
template <class DatabaseTurn>
void queue_misplaced(DatabaseTurn& turn, std::span<const decide::Outcome> outcomes) {
    auto& pass = turn.pass;
    if (is_all_queued(turn.database(), turn.info)) {
        return;
    }
    turn.heartbeat.expect(pass.after(storage::broker_patience + pass.settings.watchdog));
    // A handle of its own: the peers may have taken longer than the other handle waits for locks.
    auto database = pass.broker.open(turn.place.path(), pass.after(storage::broker_patience));
    ContainerInfo info = database.info();
    const std::int64_t stored = info.reconciler_sync_point;
    const bool compared = is_compared(database, info);
    if (!compared) {
        info.reconciler_sync_point = -1;
    }
    const auto [reached, all] = feed_above(turn, database, info);
    if (!compared && reached >= turn.info.max_row) {
        const std::vector<SyncPoint> noted{{reached, compared_with(info)}};
        database.merge_sync_points(noted, Direction::outgoing);
    }
    const auto done = std::ranges::count(outcomes, decide::Outcome::done);
    const bool majority = outcomes.empty() || 2 * done > std::ssize(outcomes);
    if (!majority || reached <= (all ? stored : info.reconciler_sync_point)) {
        return;
    }
    if (database.set_reconciler_sync_point(reached, info.storage_policy_index)) {
        turn.info.reconciler_sync_point = reached;
    }
}

/// Replicates with `run(places)` the queues that got rows in this pass, so that the rows need not
/// wait for the next pass, and then the queues whose removal was deferred. A queue that does not
/// belong here leaves as all databases do, once its peers have it.
template <class P, class Run>
void end_of_pass(P& pass, Run run) {
    const auto [fed, deferred] = pass.state.end();
    if (fed.empty() && deferred.empty()) {
        return;
    }
    pass.observer(event::QueuesReplicating{fed.size()});
    run(fed);
    pass.observer(event::QueuesCleaning{deferred.size()});
    run(deferred);
    pass.observer(event::QueuesEnded{});
}

} // namespace replica::reconciler

#endif // REPLICA_CONTAINER_RECONCILER_HPP
