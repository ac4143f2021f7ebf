#ifndef REPLICA_CONTAINER_SHARDS_HPP
#define REPLICA_CONTAINER_SHARDS_HPP

// Swift's sharder splits a container that has grown too large into shards. The ranges of names are
// in a table of the container, and a replica must know all ranges before it may rely on one. There
// are few, so all go over each time, in both directions and before any row.

#include <replica/error.hpp>
#include <replica/words/info.hpp>
#include <replica/words/json.hpp>
#include <replica/words/members.hpp>
#include <replica/words/message.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/json/value.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace replica {

namespace shards {

/// The states of a range that decide what may be done with rows (Swift 2.30.1: ShardRange).
enum State : std::int64_t {
    active = 40,
    shrinking = 50,
    sharding = 60,
    sharded = 70,
    shrunk = 80,
};

/// Whether a container with other ranges gives its rows to them, if its own range has this state.
[[nodiscard]] constexpr bool gives_rows_away(std::int64_t state) {
    return state == shrinking || state == sharding || state == sharded || state == shrunk;
}

/// Merges `news` into `old`, a range of the same name; nothing if `old` stays as it is.
///
/// A range with a later timestamp replaces an earlier one. At equal timestamps the newer half of
/// each pair counts: the sums by meta_timestamp; the state and its epoch by state_timestamp, and at
/// equal times the state that is further on. Bounds and deletion go by the timestamp. `reported`
/// stays only for values that were reported. `own`: the range of the container itself. Without an
/// epoch it never replaces one that has an epoch: a root would be un-sharded (Swift 2.33, LP
/// 1980451).
[[nodiscard]] inline std::optional<ShardRange> merged(const ShardRange& old, ShardRange news,
                                                      bool own) {
    if ((own && old.epoch && !news.epoch) || news.timestamp < old.timestamp) {
        return std::nullopt;
    }
    if (news.timestamp > old.timestamp) {
        news.reported = 0;
        return news;
    }
    ShardRange result = old;
    bool changed = false;
    if (news.meta_timestamp > old.meta_timestamp) {
        result.object_count = news.object_count;
        result.bytes_used = news.bytes_used;
        result.tombstones = news.tombstones;
        result.meta_timestamp = news.meta_timestamp;
        changed = true;
    }
    const bool further = news.state_timestamp == old.state_timestamp && news.state > old.state;
    if (news.state_timestamp > old.state_timestamp || further) {
        result.state = news.state;
        result.state_timestamp = news.state_timestamp;
        result.epoch = news.epoch;
        changed = true;
    }
    const auto reportable = [](const ShardRange& range) {
        return std::tie(range.object_count, range.bytes_used, range.tombstones, range.state,
                        range.epoch);
    };
    const bool still = old.reported != 0 && reportable(result) == reportable(old);
    const bool theirs = news.reported != 0 && reportable(result) == reportable(news);
    result.reported = still || theirs ? 1 : 0;
    changed = changed || result.reported != old.reported;
    return changed ? std::optional(std::move(result)) : std::nullopt;
}

/// The ranges to write, by name, when `news` arrives at a container that has `known`. An unknown
/// range that was deleted before `forgotten` is left out: it was dropped here, and would come back
/// in every pass (defect 75). The own range is never left out.
[[nodiscard]] inline std::map<std::string, ShardRange>
changes(const std::map<std::string, ShardRange>& known, std::span<const ShardRange> news,
        std::string_view own_name, Timestamp forgotten = {}) {
    std::map<std::string, ShardRange> result;
    for (const ShardRange& range : news) {
        auto at = result.find(range.name);
        const auto old = known.find(range.name);
        if (at == result.end() && old == known.end()) {
            const bool dropped = range.deleted != 0 && range.name != own_name &&
                                 timestamp_or_zero(range.timestamp) < forgotten;
            if (!dropped) {
                result.emplace(range.name, range);
            }
            continue;
        }
        const ShardRange& before = at != result.end() ? at->second : old->second;
        if (auto after = merged(before, range, range.name == own_name)) {
            result.insert_or_assign(range.name, *std::move(after));
        }
    }
    return result;
}

/// Throws bad_request that names the range: a wrong range would hide rows of a shard.
inline void require_usable(const ShardRange& range) {
    const auto fault = [&]() -> std::string_view {
        if (range.name.empty()) {
            return "no name";
        }
        for (const std::string* time :
             {&range.timestamp, &range.meta_timestamp, &range.state_timestamp}) {
            if (!Timestamp::parse(*time)) {
                return "a time that is none";
            }
        }
        if (range.epoch && !Timestamp::parse(*range.epoch)) {
            return "an epoch that is no time";
        }
        if (range.deleted != 0 && range.deleted != 1) {
            return "deleted is neither 0 nor 1";
        }
        return {};
    }();
    if (!fault.empty()) {
        throw Failure(Error::bad_request,
                      "shard range '" + range.name + "': " + std::string(fault));
    }
}

/// Reads a list of ranges from a peer. Throws bad_request; then nothing of the list is used.
[[nodiscard]] inline std::vector<ShardRange> decode(const boost::json::value& value) {
    const auto* const list = value.if_array();
    if (list == nullptr) {
        throw Failure(Error::bad_request, "shard ranges must be a list");
    }
    std::vector<ShardRange> ranges;
    for (const auto& each : *list) {
        const auto* const object = each.if_object();
        if (object == nullptr) {
            throw Failure(Error::bad_request, "a shard range must be an object");
        }
        ShardRange range;
        json::read_members(
            *object, range, "a shard range",
            // Swift before 2.26 has no `reported`, before 2.28 no `tombstones`.
            [](std::string_view name) { return name != "reported" && name != "tombstones"; },
            json::Null::is_default);
        require_usable(range);
        range.reported = range.reported != 0 ? 1 : 0; // as merged() writes it (defect 112)
        ranges.push_back(std::move(range));
    }
    return ranges;
}

} // namespace shards

namespace message {

[[nodiscard]] inline std::string encode_shard_ranges(const std::vector<ShardRange>& ranges,
                                                     std::string_view source) {
    std::string out = "[";
    json::append(out, MergeShardRanges::verb);
    out += ", ";
    json::append(out, ranges);
    out += ", ";
    json::append(out, source);
    out += ']';
    return out;
}

} // namespace message

} // namespace replica

#endif // REPLICA_CONTAINER_SHARDS_HPP
