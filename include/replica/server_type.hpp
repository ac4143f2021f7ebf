#ifndef REPLICA_SERVER_TYPE_HPP
#define REPLICA_SERVER_TYPE_HPP

// Accounts and containers are replicated by one flow. What differs is named here: names, ports, the
// types of info and row, and a few hooks in which a container does more than an account. Each hook
// is called at one place of the flow; for accounts they do nothing.

#include <replica/clock.hpp>
#include <replica/container/policies.hpp>
#include <replica/info.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>

namespace replica {

/// The three arguments that `sync` has beyond the seed's seven: sent for containers when the
/// cluster has more than one storage policy (Swift 2.0).
struct PolicyArguments {
    std::string status_changed_at = "0";
    std::int64_t count = 0;
    std::int64_t storage_policy_index = 0;

    friend bool operator==(const PolicyArguments&, const PolicyArguments&) = default;
};

/// Accounts: a row is a container.
struct AccountServer {
    using info_type = AccountInfo;
    using row_type = ContainerRow;
    static constexpr std::string_view name = "account";
    static constexpr std::string_view datadir = "accounts";
    static constexpr std::uint16_t default_port = 6202;

    /// Sender: what to add to `sync`.
    [[nodiscard]] static std::optional<PolicyArguments> sync_arguments(const AccountInfo& /*info*/,
                                                                       std::size_t /*policies*/) {
        return std::nullopt;
    }

    /// Both sides: take over what the other knows better before the ways are compared. Returns
    /// whether `database` was changed.
    template <class D>
    static bool agree(D& /*database*/, const AccountInfo& /*local*/, const AccountInfo& /*remote*/,
                      Timestamp /*now*/) {
        return false;
    }

    /// Whether whoever keeps the sums above this database has been told its last state (seed:
    /// report_up_to_date). Only then may an expired database be deleted.
    [[nodiscard]] static bool reported(const AccountInfo& /*info*/) { return true; }

    /// Whether rows may be pushed and the database may be removed, as far as sharding goes.
    [[nodiscard]] static bool unsharded(const AccountInfo& /*info*/) { return true; }
};

/// Containers: a row is an object.
struct ContainerServer {
    using info_type = ContainerInfo;
    using row_type = ObjectRow;
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

    /// Replicas of a container that were made with different policies settle on one (Swift 2.0).
    template <class D>
    static bool agree(D& database, const ContainerInfo& local, const ContainerInfo& remote,
                      Timestamp now) {
        if (!policies::prefers_remote(local, remote)) {
            return false;
        }
        database.set_storage_policy_index(remote.storage_policy_index, now);
        return true;
    }

    [[nodiscard]] static bool reported(const ContainerInfo& info) {
        return info.reported_put_timestamp == info.put_timestamp &&
               info.reported_delete_timestamp == info.delete_timestamp &&
               info.reported_object_count == info.count &&
               info.reported_bytes_used == info.bytes_used;
    }

    /// A container whose sharding has begun is the sharder's: its rows go to shards, not to peers,
    /// and no copy of it is removed.
    [[nodiscard]] static bool unsharded(const ContainerInfo& info) {
        return info.db_state == "unsharded" && info.shard_max_row < 0;
    }
};

} // namespace replica

#endif // REPLICA_SERVER_TYPE_HPP
