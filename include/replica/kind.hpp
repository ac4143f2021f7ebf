#ifndef REPLICA_KIND_HPP
#define REPLICA_KIND_HPP

// Accounts and containers are replicated by one flow. A kind names what differs: names, a port, the
// types of info and row, and the hooks in which the kind does more than the common flow. Each hook
// is called at one place of the flow.

#include <replica/error.hpp>
#include <replica/words/info.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/json/fwd.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace replica {

struct Device;
struct LocalDatabase;

namespace decide {
enum class Outcome;
}

/// A kind whose hooks do nothing. A kind derives from it, gives three constants, and hides the
/// hooks in which it does something:
///
///   name           "container": part of log names and of the brakes' file names
///   datadir        "containers": the directory on a device
///   default_port   where a stock server of the kind listens
///
/// Thread safety: static functions without state of their own; the flow calls them from its
/// workers, several at once.
template <std::derived_from<Info> I, class Row>
struct PlainKind {
    using info_type = I;  ///< What replicas tell each other of a database.
    using row_type = Row; ///< What is merged, row by row.

    /// What the hooks remember during a pass.
    struct pass_state {};

    /// All live rows in the file. An expired database has none.
    [[nodiscard]] static std::int64_t live_rows(const I& info) { return info.count; }

    /// Whether the account above this database has been told its last state (Swift:
    /// report_up_to_date). Only then may an expired database be removed.
    [[nodiscard]] static bool reported(const I& /*info*/) { return true; }

    /// Whether peers get the rows of this database.
    [[nodiscard]] static bool sends_rows(const I& /*info*/) { return true; }

    /// Whether rows of a copy that was away may bring back what was deleted meanwhile
    /// (send/stale.hpp).
    [[nodiscard]] static bool may_be_stale(const I& /*info*/) { return true; }

    /// Whether sharding is over: the rows have gone to shards.
    [[nodiscard]] static bool is_sharded(const I& /*info*/) { return false; }

    /// Whether a copy that has been handed off may go.
    [[nodiscard]] static bool may_remove(const I& /*info*/) { return true; }

    /// Whether a copy that is expired may go.
    [[nodiscard]] static bool may_expire(const I& /*info*/) { return true; }

    /// Sender: what to add to the arguments of `sync`. `policies`: the cluster's storage policies.
    [[nodiscard]] static std::optional<PolicyArguments> sync_arguments(const I& /*info*/,
                                                                       std::size_t /*policies*/) {
        return std::nullopt;
    }

    /// Sender, before it chooses what to send, and the receiver of a whole file: `database` adopts
    /// the storage policy of `remote` if that one is the better. Returns whether it has changed.
    template <class Database>
    static bool adopt_policy(Database& /*database*/, const I& /*local*/, const I& /*remote*/,
                             Timestamp /*now*/) {
        return false;
    }

    /// The receiver of `sync`: as adopt_policy, by the arguments that the sender has added.
    template <class Database, class Sync>
    static bool adopt_arguments(Database& /*database*/, const I& /*local*/, const Sync& /*sync*/,
                                Timestamp /*now*/) {
        return false;
    }

    /// Sender, before rows are compared: exchanges what else there is. Returns a fault if that
    /// failed.
    template <class Turn, class Session>
    static std::optional<Fault> before_rows(Turn& /*turn*/, Session& /*session*/,
                                            const I& /*remote*/) {
        return std::nullopt;
    }

    /// Receiver, merging a whole file: copies what else the database that is replaced has.
    template <class Database>
    static void merge_more(Database& /*from*/, Database& /*into*/) {}

    /// A local device was checked and can be used in this pass.
    template <class Pass>
    static void device_ready(Pass& /*pass*/, const Device& /*device*/) {}

    /// All peers of a database have been asked, each with its outcome. The database still exists.
    template <class Turn>
    static void after_database(Turn& /*turn*/, std::span<const decide::Outcome> /*outcomes*/) {}

    /// All peers have the same content as `database`. Whether nothing else is left to do, so that
    /// the database need not be opened before it changes (send/ledger.hpp).
    template <class Database>
    [[nodiscard]] static bool may_rest(Database& /*database*/, const I& /*info*/) {
        return true;
    }

    /// A database is about to be removed. False defers the removal to the end of the pass.
    template <class Pass>
    [[nodiscard]] static bool before_removal(Pass& /*pass*/, const LocalDatabase& /*place*/,
                                             const I& /*info*/) {
        return true;
    }

    /// All databases of the pass are done. `run(places)` replicates some of them once more.
    template <class Pass, class Run>
    static void end_of_pass(Pass& /*pass*/, Run /*run*/) {}
};

/// A kind of database. See PlainKind for what each member is, and for thread safety.
///
/// Laws (test/laws/kind.hpp; the last one: test/unit/container/policies.cpp):
/// - a database with live rows is never expired: live_rows counts every row that is not deleted,
///   also rows that Info::count leaves out.
/// - may_expire implies may_remove.
/// - adopt_policy chooses the same on both sides: after each has adopted the other's policy, both
///   have the same.
///
/// Models: AccountKind (account/kind.hpp), ContainerKind (container/kind.hpp), RecordKind
/// (record/kind.hpp).
template <class K>
concept Kind =
    std::derived_from<typename K::info_type, Info> && std::copyable<typename K::row_type> &&
    std::default_initializable<typename K::pass_state> &&
    requires(const typename K::info_type& info, std::size_t policies) {
        { K::name } -> std::convertible_to<std::string_view>;
        { K::datadir } -> std::convertible_to<std::string_view>;
        { K::default_port } -> std::convertible_to<std::uint16_t>;
        { K::live_rows(info) } -> std::same_as<std::int64_t>;
        { K::reported(info) } -> std::same_as<bool>;
        { K::sends_rows(info) } -> std::same_as<bool>;
        { K::may_be_stale(info) } -> std::same_as<bool>;
        { K::is_sharded(info) } -> std::same_as<bool>;
        { K::may_remove(info) } -> std::same_as<bool>;
        { K::may_expire(info) } -> std::same_as<bool>;
        { K::sync_arguments(info, policies) } -> std::same_as<std::optional<PolicyArguments>>;
    };

/// A kind whose databases can be sharded: the receiver answers the verbs for shard ranges as well.
/// Model: ContainerKind.
template <class K>
concept ShardedKind = Kind<K> && requires(const boost::json::value& argument) {
    { K::decode_shard_ranges(argument) } -> std::same_as<std::vector<ShardRange>>;
};

} // namespace replica

#endif // REPLICA_KIND_HPP
