#ifndef REPLICA_CONTAINER_KIND_HPP
#define REPLICA_CONTAINER_KIND_HPP

// What containers do beyond the common flow: policies, shard ranges, the reconciler's queues, the
// links of container sync. include/replica/kind.hpp says when each hook is called.

#include <replica/clock.hpp>
#include <replica/container/policies.hpp>
#include <replica/container/reconciler.hpp>
#include <replica/container/shards.hpp>
#include <replica/container/sync_store.hpp>
#include <replica/error.hpp>
#include <replica/kind.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/walk.hpp>
#include <replica/words/info.hpp>
#include <replica/words/json.hpp>
#include <replica/words/members.hpp>
#include <replica/words/message.hpp>

#include <boost/json/value.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// Containers: a row is an object.
struct ContainerKind : PlainKind<ContainerInfo, ObjectRow> {
    static constexpr std::string_view name = "container";
    static constexpr std::string_view datadir = "containers";
    static constexpr std::uint16_t default_port = 6201;

    [[nodiscard]] static std::optional<PolicyArguments> sync_arguments(const ContainerInfo& info,
                                                                       std::size_t policies) {
        if (policies < 2) {
            return std::nullopt;
        }
        return PolicyArguments{info.status_changed_at, info.count, info.storage_policy_index};
    }

    /// Replicas of one container that were made with different policies agree on one (Swift 2.0).
    template <class Database>
    static bool adopt_policy(Database& database, const ContainerInfo& local,
                             const ContainerInfo& remote, Timestamp now) {
        if (!policies::prefers_remote(local, remote)) {
            return false;
        }
        database.set_storage_policy_index(remote.storage_policy_index, now);
        return true;
    }

    template <class Database>
    static bool adopt_arguments(Database& database, const ContainerInfo& local,
                                const message::Sync& sync, Timestamp now) {
        if (!sync.policy) {
            return false;
        }
        ContainerInfo remote;
        remote.put_timestamp = sync.times.put_timestamp;
        remote.delete_timestamp = sync.times.delete_timestamp;
        remote.status_changed_at = sync.policy->status_changed_at;
        remote.count = sync.policy->count;
        remote.storage_policy_index = sync.policy->storage_policy_index;
        return adopt_policy(database, local, remote, now);
    }

    [[nodiscard]] static bool reported(const ContainerInfo& info) {
        return info.reported_put_timestamp == info.put_timestamp &&
               info.reported_delete_timestamp == info.delete_timestamp &&
               info.reported_object_count == info.count &&
               info.reported_bytes_used == info.bytes_used;
    }

    [[nodiscard]] static std::int64_t live_rows(const ContainerInfo& info) {
        return std::max(info.count, info.live_rows);
    }

    /// Exchanges shard ranges (Swift 2.18): fetches the peer's if it has any, and sends ours to
    /// every peer. A fetched range may say that sharding has begun.
    template <class Turn, class Session>
    static std::optional<Fault> before_rows(Turn& turn, Session& session,
                                            const ContainerInfo& remote) {
        std::optional<Fault> fault;
        if (remote.shard_max_row >= 0) {
            fault = fetch_shard_ranges(turn, session);
        }
        if (turn.info.shard_max_row < 0 || is_stale(turn)) { // ranges may be deleted
            return fault;
        }
        const auto ranges = turn.database().shard_ranges();
        const auto sent = session.expect_success(message::encode_shard_ranges(ranges, turn.info.id),
                                                 turn.pass.settings.node_timeout);
        return sent ? fault : std::optional(sent.error());
    }

    template <class Database>
    static void merge_more(Database& from, Database& into) {
        if (const auto ranges = from.shard_ranges(); !ranges.empty()) {
            into.merge_shard_ranges(ranges);
        }
    }

    /// Once sharding has begun the rows belong to the sharder, which sends them to shards.
    [[nodiscard]] static bool sends_rows(const ContainerInfo& info) {
        return !info.sharding_initiated;
    }

    /// Not the reconciler's queues: their rows are as old as the rows that are misplaced, however
    /// late those are found, and the reconciler passes over what it has done (defect 117).
    [[nodiscard]] static bool may_be_stale(const ContainerInfo& info) {
        return sends_rows(info) && info.account != reconciler::account;
    }

    [[nodiscard]] static bool is_sharded(const ContainerInfo& info) {
        return info.db_state == "sharded";
    }

    /// Not while its rows wait for the sharder (Swift: sharding_required).
    [[nodiscard]] static bool may_remove(const ContainerInfo& info) {
        return info.db_state != "sharding" &&
               (info.db_state != "unsharded" || !info.sharding_initiated);
    }

    /// A root goes after its shards: only the root knows where the rows are that the shards may
    /// still hold (Swift: is_empty_enough_to_reclaim).
    [[nodiscard]] static bool may_expire(const ContainerInfo& info) {
        return may_remove(info) && !info.has_shards;
    }

    using pass_state = reconciler::PassState;

    template <class Pass>
    static void device_ready(Pass& pass, const Device& device) {
        pass.state.use(device);
    }

    /// Skipped for the reconciler's own queues: they have no link, and no row of theirs is
    /// misplaced.
    template <class Turn>
    static void after_database(Turn& turn, std::span<const decide::Outcome> outcomes) {
        if (turn.info.account != reconciler::account) {
            update_sync_store(turn);
            reconciler::queue_misplaced(turn, outcomes);
        }
    }

    /// Not while shard ranges are exchanged in every pass, nor while rows wait to be queued. A
    /// queue leaves when it is empty.
    template <class Database>
    [[nodiscard]] static bool may_rest(Database& database, const ContainerInfo& info) {
        return info.account != reconciler::account && info.db_state == "unsharded" &&
               !info.sharding_initiated && info.shard_max_row < 0 &&
               reconciler::is_all_queued(database, info);
    }

    /// A queue may still get rows in this pass, so its removal is deferred. The link to another
    /// container goes before the container: nobody would find a link that is left behind.
    template <class Pass>
    [[nodiscard]] static bool before_removal(Pass& pass, const LocalDatabase& place,
                                             const ContainerInfo& info) {
        if (info.account == reconciler::account) {
            return !pass.state.defer_removal(place);
        }
        (void)touch_sync_store(pass, place, [&](const std::string& device) {
            sync_store::remove(pass.broker.disk(), device, place.place.path());
        });
        return true;
    }

    template <class Pass, class Run>
    static void end_of_pass(Pass& pass, Run run) {
        reconciler::end_of_pass(pass, run);
    }

    /// Receiver: reads the shard ranges of a request. Makes this a ShardedKind.
    [[nodiscard]] static std::vector<ShardRange>
    decode_shard_ranges(const boost::json::value& argument) {
        return shards::decode(argument);
    }

private:
    template <class Turn, class Session>
    static std::optional<Fault> fetch_shard_ranges(Turn& turn, Session& session) {
        const auto reply = session.expect_success(message::encode_get_shard_ranges(),
                                                  turn.pass.settings.node_timeout);
        if (!reply) {
            return reply.error();
        }
        std::vector<ShardRange> ranges;
        try {
            ranges = decode_shard_ranges(json::parse(reply->body));
        } catch (const Failure& failure) {
            return Fault{Error::bad_reply, session.address() + ": " + failure.what()};
        }
        turn.database().merge_shard_ranges(ranges, turn.reclaim_limit(2));
        const ContainerInfo now = turn.database().info();
        turn.info.sharding_initiated = now.sharding_initiated;
        turn.info.shard_max_row = now.shard_max_row;
        return std::nullopt;
    }

    template <class Turn>
    static void update_sync_store(Turn& turn) {
        const bool touched =
            touch_sync_store(turn.pass, {turn.place, turn.local}, [&](const std::string& device) {
                sync_store::update(turn.pass.broker.disk(), device, turn.place.path(), turn.info);
            });
        turn.unfinished = turn.unfinished || !touched;
    }

    /// Calls `change(device_path)`. A failure is told, and fails nothing else. Returns whether all
    /// went well.
    template <class Pass, class Change>
    static bool touch_sync_store(Pass& pass, const LocalDatabase& place, Change change) {
        try {
            change(storage::device_path(pass.settings.devices, place.device.device));
            return true;
        } catch (const Failure& failure) {
            const std::string what = failure.what();
            pass.count(&Stats::errors);
            pass.observer(event::SyncStoreFailed{place.place.path(), what});
            return false;
        }
    }
};

} // namespace replica

#endif // REPLICA_CONTAINER_KIND_HPP
