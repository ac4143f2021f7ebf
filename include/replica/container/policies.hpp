#ifndef REPLICA_CONTAINER_POLICIES_HPP
#define REPLICA_CONTAINER_POLICIES_HPP

// Two replicas of one container may have been created with different storage policies while they
// could not see each other. Exactly one must give way, and both must choose the same one from the
// same two infos, whichever asks first.

#include <replica/words/info.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>

namespace replica::policies {

/// Whether a container is empty and was deleted after it was last put.
[[nodiscard]] inline bool is_deleted(const ContainerInfo& info) {
    return info.count == 0 &&
           timestamp_or_zero(info.delete_timestamp) > timestamp_or_zero(info.put_timestamp);
}

/// Whether `local` should adopt the policy of `remote` (Swift: cmp_policy_info and
/// incorrect_policy_index). In this order:
/// - a live container beats a deleted one; of two deleted ones the one deleted later wins;
/// - a container that was deleted and made again beats one that never was: the data of the older
///   incarnation is gone. Of two such, one that was made after the last delete of both wins;
/// - otherwise the older policy wins: its rows have been written for longest.
[[nodiscard]] inline bool prefers_remote(const ContainerInfo& local, const ContainerInfo& remote) {
    if (local.storage_policy_index == remote.storage_policy_index) {
        return false;
    }
    struct View {
        explicit View(const ContainerInfo& info)
            : put(timestamp_or_zero(info.put_timestamp)),
              deleted_at(timestamp_or_zero(info.delete_timestamp)),
              changed(timestamp_or_zero(info.status_changed_at)), deleted(is_deleted(info)),
              recreated(put > deleted_at && deleted_at > Timestamp{}) {}
        Timestamp put;
        Timestamp deleted_at;
        Timestamp changed;
        bool deleted;
        bool recreated;
    };
    const View mine(local);
    const View theirs(remote);
    if (mine.deleted || theirs.deleted) {
        return mine.deleted && (!theirs.deleted || theirs.changed > mine.changed);
    }
    if (mine.recreated || theirs.recreated) {
        if (mine.recreated != theirs.recreated) {
            return theirs.recreated;
        }
        const Timestamp last_delete = std::max(mine.deleted_at, theirs.deleted_at);
        if (mine.put < last_delete || theirs.put < last_delete) {
            return mine.put < last_delete;
        }
    }
    return theirs.changed < mine.changed;
}

} // namespace replica::policies

#endif // REPLICA_CONTAINER_POLICIES_HPP
