#ifndef REPLICA_WORDS_MESSAGE_HPP
#define REPLICA_WORDS_MESSAGE_HPP

// The verbs of REPLICATE as structs, and their JSON. The set of verbs is closed: Swift looks a verb
// up among the attributes of an object (defect 48), and takes arguments as they come (defects 24,
// 49 and 50). Here each argument has a type and a name, and a wrong one is refused before any
// change.
//
//   sync               max_row, hash, id, created_at, put_timestamp, delete_timestamp, metadata
//                      [, status_changed_at, count, storage_policy_index]    -> 200 + info, 404
//   merge_items        rows, id of the sender [, receiver's id]              -> 202
//   merge_syncs        incoming sync points of the sender [, receiver's id]  -> 202
//   complete_rsync     upload's name [, database's file name]                -> 204, 404
//   rsync_then_merge   the same                                              -> 204, 404
//   merge_shard_ranges ranges [, id of the sender]                           -> 202
//   get_shard_ranges                                                         -> 200 + ranges
//   put_file           upload, offset, size, SHA-256 of all [, file name]    -> 202 + bytes, 204
//
// Ours are put_file (words/put_file.hpp), summary (words/summary.hpp), compare (words/compare.hpp)
// and the receiver's id. In put_file bytes follow behind the line with its list.

#include <replica/rows/checks.hpp>
#include <replica/words/call.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/info.hpp>
#include <replica/words/json.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/json/array.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {} // namespace replica

namespace replica::message {

/// The state of the sender. The answer is the receiver's info and its point of the sender's rows.
struct Sync {
    static constexpr std::string_view verb = "sync";
    std::int64_t max_row = -1;
    std::string hash;
    std::string id;
    Timestamps times;
    std::string metadata;                  ///< JSON as text, or empty.
    std::optional<PolicyArguments> policy; ///< All three or none.

    /// Asks for the point of `id` and gives the receiver nothing to merge: no rows, no hash, no
    /// metadata, a creation later than any and deletions earlier than any.
    [[nodiscard]] static Sync point_query(std::string id) {
        return {-1, {}, std::move(id), {"9999999999.99999", "0", "0"}, {}, std::nullopt};
    }

    friend bool operator==(const Sync&, const Sync&) = default;
};

/// Rows in ascending ROWID order without a gap, and the id of their sender.
template <class Row>
struct MergeItems {
    static constexpr std::string_view verb = "merge_items";
    std::vector<Row> rows;
    std::string source;

    /// The id of the file that lacks these rows, by its answer or by a comparison. Known to servers
    /// of ours only. Empty: any file.
    std::string receiver{};

    /// The ROWID of the last row, set aside or not: the point to record.
    std::int64_t last_rowid = -1;

    /// Why rows cannot be stored (no name, no time). One must not block those behind it (defect
    /// 25).
    std::vector<std::string> set_aside;
};

/// The sender's incoming points: they tell a receiver which rows of others it has got by way of
/// this sender. A point of -1 says nothing and is dropped by the receiver.
struct MergeSyncs {
    static constexpr std::string_view verb = "merge_syncs";
    std::vector<SyncPoint> points;

    /// The id of the file that they are for. A stock server knows no second argument, so it goes
    /// to ours only. Empty: any file.
    std::string receiver{};
};

/// The file is in tmp under the name `upload`: put it in place.
struct CompleteRsync {
    static constexpr std::string_view verb = "complete_rsync";
    std::string upload;
    std::string file; ///< Empty from an old sender: <hash>.db.
};

/// The file is in tmp under the name `upload`: merge the database into it, and put it in place.
struct RsyncThenMerge {
    static constexpr std::string_view verb = "rsync_then_merge";
    std::string upload;
    std::string file;
};

/// The sender's shard ranges: the receiver merges them with its own -> 202.
struct MergeShardRanges {
    static constexpr std::string_view verb = "merge_shard_ranges";
};

/// Asks for all shard ranges, with deleted ones and the container's own -> 200 + list.
struct GetShardRanges {
    static constexpr std::string_view verb = "get_shard_ranges";
};

// ---- Going out.

namespace detail {

/// The last argument of what only one file of the receiver's shall take.
inline void append_receiver(std::string& out, std::string_view receiver) {
    if (!receiver.empty()) {
        out += ", ";
        json::append(out, receiver);
    }
}

} // namespace detail

[[nodiscard]] inline std::string encode(const Sync& sync) {
    std::string out = "[\"sync\", ";
    json::append(out, sync.max_row);
    for (const std::string* text :
         {&sync.hash, &sync.id, &sync.times.created_at, &sync.times.put_timestamp,
          &sync.times.delete_timestamp, &sync.metadata}) {
        out += ", ";
        json::append(out, *text);
    }
    if (sync.policy) {
        out += ", ";
        json::append(out, sync.policy->status_changed_at);
        out += ", ";
        json::append(out, sync.policy->count);
        out += ", ";
        json::append(out, sync.policy->storage_policy_index);
    }
    out += ']';
    return out;
}

template <class Row>
[[nodiscard]] std::string encode_rows(const std::vector<Row>& rows, std::string_view source,
                                      std::string_view receiver = {}) {
    std::string out = "[\"merge_items\", ";
    json::append(out, rows);
    out += ", ";
    json::append(out, source);
    detail::append_receiver(out, receiver);
    out += ']';
    return out;
}

[[nodiscard]] inline std::string encode(const MergeSyncs& syncs) {
    std::string out = "[\"merge_syncs\", ";
    json::append(out, syncs.points);
    detail::append_receiver(out, syncs.receiver);
    out += ']';
    return out;
}

/// complete_rsync and rsync_then_merge.
template <class Finish>
[[nodiscard]] std::string encode_finish(const Finish& finish) {
    std::string out = "[";
    json::append(out, Finish::verb);
    out += ", ";
    json::append(out, finish.upload);
    if (!finish.file.empty()) {
        out += ", ";
        json::append(out, finish.file);
    }
    out += ']';
    return out;
}

[[nodiscard]] inline std::string encode_get_shard_ranges() {
    return "[\"" + std::string(GetShardRanges::verb) + "\"]";
}

/// The body of the answer to sync.
template <class Info>
[[nodiscard]] std::string encode_reply(const Info& info, std::int64_t point) {
    std::string out = "{";
    json::append_members(out, info);
    out += ", \"point\": ";
    json::append(out, point);
    out += '}';
    return out;
}

// ---- Coming in. All throw Failure with bad_request that names the argument.

namespace detail {

inline void require_timestamps(const Timestamps& times, const std::string& whose) {
    const auto require = [&](const std::string& text, const char* name) {
        if (!Timestamp::parse(text)) {
            throw Failure(Error::bad_request, whose + "'s " + name + " must be a timestamp");
        }
    };
    require(times.created_at, "created_at");
    require(times.put_timestamp, "put_timestamp");
    require(times.delete_timestamp, "delete_timestamp");
}

/// Reads the argument with this number, if there is one.
inline void read_receiver(const Call& call, std::size_t number, std::string& receiver) {
    if (call.arguments.size() > number) {
        const std::string what = call.verb + "' receiver";
        json::read(call.arguments[number], receiver, what);
        require_id(receiver, what);
    }
}

/// For points and last rows, which are added and subtracted.
inline void require_at_least(std::int64_t least, std::int64_t number, const char* what) {
    if (number < least) {
        throw Failure(Error::bad_request,
                      std::string(what) + " must be " + std::to_string(least) + " or more");
    }
}

} // namespace detail

/// The answer to sync, as the sender reads it.
template <class Info>
struct SyncReply {
    Info info;
    std::int64_t point = -1;
    std::optional<std::int64_t> merged; ///< See words/along.hpp.
};

template <class Info>
[[nodiscard]] SyncReply<Info> decode_reply(std::string_view body) {
    const boost::json::value value = json::parse(body);
    const auto* const object = value.if_object();
    if (object == nullptr) {
        throw Failure(Error::bad_reply, "the answer to sync is not an object");
    }
    SyncReply<Info> reply;
    const std::string whose = "the answer to sync";
    json::read_members(*object, reply.info, whose, [](std::string_view name) {
        return name == "id" || name == "hash" || name == "max_row";
    });
    const auto* const point = object->if_contains("point");
    if (point == nullptr) {
        throw Failure(Error::bad_reply, "the answer to sync has no point");
    }
    json::read(*point, reply.point, "the answer to sync's point");
    if (const auto* const merged = object->if_contains("merged")) {
        json::read(*merged, reply.merged.emplace(), "the answer to sync's merged");
    }
    require_id(reply.info.id, whose + "'s id");
    detail::require_timestamps(reply.info.timestamps(), whose);
    detail::require_at_least(-1, reply.point, "the answer to sync's point");
    detail::require_at_least(-1, reply.info.max_row, "the answer to sync's max_row");
    return reply;
}

/// Reads seven arguments, or ten of a newer sender; of eight or nine seven count (defect 54).
[[nodiscard]] inline Sync decode_sync(const Call& call) {
    require_count(call, 7, 64);
    Sync sync;
    const auto& in = call.arguments;
    json::read(in[0], sync.max_row, "sync's max_row");
    json::read(in[1], sync.hash, "sync's hash");
    json::read(in[2], sync.id, "sync's id");
    json::read(in[3], sync.times.created_at, "sync's created_at");
    json::read(in[4], sync.times.put_timestamp, "sync's put_timestamp");
    json::read(in[5], sync.times.delete_timestamp, "sync's delete_timestamp");
    json::read(in[6], sync.metadata, "sync's metadata");
    detail::require_timestamps(sync.times, "sync");
    detail::require_at_least(-1, sync.max_row, "sync's max_row");
    require_id(sync.id, "sync's id");
    if (in.size() >= 10) {
        sync.policy.emplace();
        json::read(in[7], sync.policy->status_changed_at, "sync's status_changed_at");
        json::read(in[8], sync.policy->count, "sync's count");
        json::read(in[9], sync.policy->storage_policy_index, "sync's storage_policy_index");
        if (!Timestamp::parse(sync.policy->status_changed_at)) {
            throw Failure(Error::bad_request, "sync's status_changed_at must be a timestamp");
        }
        detail::require_at_least(0, sync.policy->storage_policy_index,
                                 "sync's storage_policy_index");
    }
    return sync;
}

[[nodiscard]] inline MergeSyncs decode_merge_syncs(const Call& call) {
    require_count(call, 1, 2);
    const auto* const points = call.arguments[0].if_array();
    if (points == nullptr) {
        throw Failure(Error::bad_request, "merge_syncs' points must be a list");
    }
    MergeSyncs syncs;
    for (const auto& value : *points) {
        const auto* const object = value.if_object();
        if (object == nullptr) {
            throw Failure(Error::bad_request, "a sync point must be an object");
        }
        SyncPoint point;
        json::read_members(*object, point, "a sync point", [](std::string_view) { return true; });
        if (const std::string fault = unusable(point); !fault.empty()) {
            throw Failure(Error::bad_request, "a sync point's " + fault);
        }
        if (point.sync_point >= 0) {
            syncs.points.push_back(std::move(point));
        }
    }
    detail::read_receiver(call, 1, syncs.receiver);
    return syncs;
}

/// Reads complete_rsync and rsync_then_merge. The names become paths, so both are checked: the
/// upload must be a plain name, the file a database's name for `hash` (defect 50).
template <class Finish>
[[nodiscard]] Finish decode_finish(const Call& call, std::string_view hash) {
    require_count(call, 1, 2);
    Finish finish;
    json::read(call.arguments[0], finish.upload, call.verb + "'s upload");
    finish.file = std::string(hash) + ".db";
    if (call.arguments.size() == 2) {
        json::read(call.arguments[1], finish.file, call.verb + "'s file");
    }
    const auto name = DatabaseName::parse(finish.file);
    if (!is_safe_name(finish.upload)) {
        throw Failure(Error::bad_name, call.verb + "'s upload must be a plain name");
    }
    if (!name || name->hash != hash) {
        throw Failure(Error::bad_name,
                      call.verb + "'s file must be a database name of " + std::string(hash));
    }
    return finish;
}

} // namespace replica::message

#endif // REPLICA_WORDS_MESSAGE_HPP
