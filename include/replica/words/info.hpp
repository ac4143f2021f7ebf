#ifndef REPLICA_WORDS_INFO_HPP
#define REPLICA_WORDS_INFO_HPP

// What two replicas tell each other about a database before they decide anything. Boost.Hana
// reflects the structs in the order in which a stock server writes their keys (members.hpp), so
// that JSON in and out is defined once (json.hpp, message.hpp). Times stay text, which is what is
// stored and compared on disk (defect 56). timestamp.hpp reads them where an order is needed.

#include <boost/hana/adapt_struct.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace replica {

/// The rows of the replica `remote_id` up to the ROWID `sync_point` are known.
struct SyncPoint {
    std::int64_t sync_point = -1; ///< -1: nothing yet.
    std::string remote_id;        ///< A database id: opaque text.

    friend bool operator==(const SyncPoint&, const SyncPoint&) = default;
};

/// Which sync table: incoming points are of rows that we have received from a replica, outgoing
/// points of rows that a replica has received from us.
enum class Direction {
    incoming, ///< Up to where rows have come from others.
    outgoing, ///< Up to where others have ours.
};

/// The three times of a database. A merge takes the oldest created_at and the newest of the others.
struct Timestamps {
    std::string created_at = "0";       ///< When the first replica was made.
    std::string put_timestamp = "0";    ///< The last PUT.
    std::string delete_timestamp = "0"; ///< The last DELETE; "0": none.

    friend bool operator==(const Timestamps&, const Timestamps&) = default;
};

/// The state of one replica, read in one transaction (defect 9): what all kinds have.
struct Info {
    std::string account;                 ///< Its name.
    std::string created_at = "0";        ///< When the first replica was made.
    std::string put_timestamp = "0";     ///< The last PUT.
    std::string delete_timestamp = "0";  ///< The last DELETE; "0": none.
    std::string status_changed_at = "0"; ///< When it last came to be deleted, or not.
    std::int64_t bytes_used = 0;         ///< Sum over the live rows.
    std::string hash;                    ///< XOR of the rows' MD5s: 32 hexadecimal digits.
    std::string id;                      ///< Names this replica's history of ROWIDs.
    std::int64_t count = 0;              ///< Live rows.
    std::string metadata;                ///< A JSON object as text, or empty.
    std::int64_t max_row = -1;           ///< Highest ROWID ever given out; -1: none.

    /// The three together.
    [[nodiscard]] Timestamps timestamps() const {
        return {created_at, put_timestamp, delete_timestamp};
    }

    friend bool operator==(const Info&, const Info&) = default;
};

/// Info of an account database; its rows are containers.
struct AccountInfo : Info {
    std::int64_t object_count = 0; ///< Sum over the live rows.

    /// "/account": what is hashed for the database's place.
    [[nodiscard]] std::string name() const { return '/' + account; }

    friend bool operator==(const AccountInfo&, const AccountInfo&) = default;
};

/// Info of a container database; its rows are objects.
struct ContainerInfo : Info {
    std::string container;                       ///< Its name.
    std::string status;                          ///< "DELETED", or empty.
    std::string reported_put_timestamp = "0";    ///< reported_*: what the account was last told.
    std::string reported_delete_timestamp = "0"; ///< Likewise.
    std::int64_t reported_object_count = 0;      ///< Likewise.
    std::int64_t reported_bytes_used = 0;        ///< Likewise.
    std::int64_t x_container_sync_point1 = -1;   ///< Of Swift's container sync; a ROWID.
    std::int64_t x_container_sync_point2 = -1;   ///< Likewise.
    std::int64_t reconciler_sync_point = -1;     ///< The reconciler has seen rows up to here.
    bool several_policies = false;               ///< Of its rows, now or once.
    std::int64_t storage_policy_index = 0;       ///< In swift.conf.
    std::string db_state = "unsharded"; ///< "unsharded", "sharding", "sharded" or "collapsed".
    std::int64_t shard_max_row = -1;    ///< -1: no shard ranges.

    // Not told to peers, nor are reconciler_sync_point and several_policies.
    bool sharding_initiated = false; ///< Its rows go to shards, not to peers.
    bool has_shards = false;         ///< A root with shard ranges that are not deleted.
    std::int64_t live_rows = 0;      ///< Of all policies; `count` is that of one.

    /// "/account/container": what is hashed for the database's place.
    [[nodiscard]] std::string name() const { return '/' + account + '/' + container; }

    friend bool operator==(const ContainerInfo&, const ContainerInfo&) = default;
};

/// A row of a container database.
struct ObjectRow {
    std::int64_t rowid = -1;               ///< -1: not stored yet.
    std::string name;                      ///< Without the container's.
    std::string created_at;                ///< Up to three times in one text: RowTimes.
    std::int64_t size = 0;                 ///< Bytes.
    std::string content_type;              ///< As the client gave it.
    std::string etag;                      ///< Of the object: mostly its MD5.
    std::int64_t deleted = 0;              ///< 1: a tombstone.
    std::int64_t storage_policy_index = 0; ///< In swift.conf.

    friend bool operator==(const ObjectRow&, const ObjectRow&) = default;
};

/// A row of an account database.
struct ContainerRow {
    std::int64_t rowid = -1;               ///< -1: not stored yet.
    std::string name;                      ///< Without the account's.
    std::string put_timestamp = "0";       ///< The last PUT.
    std::string delete_timestamp = "0";    ///< The last DELETE; "0": none.
    std::int64_t object_count = 0;         ///< As the container has reported.
    std::int64_t bytes_used = 0;           ///< As the container has reported.
    std::int64_t deleted = 0;              ///< 1: a tombstone.
    std::int64_t storage_policy_index = 0; ///< In swift.conf.

    friend bool operator==(const ContainerRow&, const ContainerRow&) = default;
};

/// The three arguments that `sync` has beyond the seven of Swift 1.13.1. Sent for containers if the
/// cluster has more than one storage policy (Swift 2.0; defect 54).
struct PolicyArguments {
    std::string status_changed_at = "0";   ///< Of the sender.
    std::int64_t count = 0;                ///< Of the sender: live rows.
    std::int64_t storage_policy_index = 0; ///< Of the sender.

    friend bool operator==(const PolicyArguments&, const PolicyArguments&) = default;
};

/// A range of a container's names that is held by a container of its own, a shard. The own range is
/// the whole range of a container itself.
struct ShardRange {
    std::string name;                  ///< "account/container" of the shard.
    std::string timestamp = "0";       ///< When the range was made.
    std::string lower;                 ///< Exclusive. Empty: from the first name.
    std::string upper;                 ///< Inclusive. Empty: to the last name.
    std::int64_t object_count = 0;     ///< Sum over the shard.
    std::int64_t bytes_used = 0;       ///< Sum over the shard.
    std::string meta_timestamp = "0";  ///< Of object_count and bytes_used.
    std::int64_t deleted = 0;          ///< 1: a tombstone.
    std::int64_t state = 10;           ///< See shards::State.
    std::string state_timestamp = "0"; ///< Of `state` and `epoch`.
    std::optional<std::string> epoch;  ///< When sharding began: in the file's name.
    std::int64_t reported = 0;         ///< 1: the root knows these sums.
    std::int64_t tombstones = -1;      ///< Of objects; -1: unknown.

    friend bool operator==(const ShardRange&, const ShardRange&) = default;
};

} // namespace replica

BOOST_HANA_ADAPT_STRUCT(replica::SyncPoint, sync_point, remote_id);

#endif // REPLICA_WORDS_INFO_HPP
