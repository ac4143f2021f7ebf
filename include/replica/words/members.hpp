#ifndef REPLICA_WORDS_MEMBERS_HPP
#define REPLICA_WORDS_MEMBERS_HPP

// The members of infos, rows and counters by name, in the order in which a stock server writes
// them. Apart from info.hpp, since they cost a third of a second to parse: whoever reads or writes
// JSON includes them, mostly through a kind (account/kind.hpp, container/kind.hpp).

#include <replica/stats.hpp>
#include <replica/words/info.hpp>

#include <boost/hana/adapt_struct.hpp>

BOOST_HANA_ADAPT_STRUCT(replica::AccountInfo, account, created_at, put_timestamp, delete_timestamp,
                        status_changed_at, object_count, bytes_used, hash, id, count, metadata,
                        max_row);

BOOST_HANA_ADAPT_STRUCT(replica::ContainerInfo, account, container, created_at, put_timestamp,
                        delete_timestamp, status, status_changed_at, bytes_used,
                        reported_put_timestamp, reported_delete_timestamp, reported_object_count,
                        reported_bytes_used, hash, id, x_container_sync_point1,
                        x_container_sync_point2, storage_policy_index, db_state, count, metadata,
                        max_row, shard_max_row);

BOOST_HANA_ADAPT_STRUCT(replica::ObjectRow, rowid, name, created_at, size, content_type, etag,
                        deleted, storage_policy_index);

BOOST_HANA_ADAPT_STRUCT(replica::ContainerRow, rowid, name, put_timestamp, delete_timestamp,
                        object_count, bytes_used, deleted, storage_policy_index);

BOOST_HANA_ADAPT_STRUCT(replica::ShardRange, name, timestamp, lower, upper, object_count,
                        bytes_used, meta_timestamp, deleted, state, state_timestamp, epoch,
                        reported, tombstones);

BOOST_HANA_ADAPT_STRUCT(replica::Stats, attempted, success, failure, no_change, hashmatch, rsync,
                        remote_merge, diff, diff_capped, remove, deferred, ts_repl, empty, at_rest,
                        rows, bytes, quarantined, kept, reidentified, diverged, stale, errors);

#endif // REPLICA_WORDS_MEMBERS_HPP
