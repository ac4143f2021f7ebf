#ifndef REPLICA_TEST_SUPPORT_SHARD_RANGES_HPP
#define REPLICA_TEST_SUPPORT_SHARD_RANGES_HPP

// Shard ranges as a sharder would leave them.

#include <replica/container/shards.hpp>
#include <replica/words/info.hpp>
#include <replica/words/timestamp.hpp>

#include <string>
#include <vector>

namespace replica::test {

inline std::string at_second(int second) {
    return Timestamp::from_seconds(1'500'000'000 + second).internal();
}

/// All times are those of `second`.
inline ShardRange range_of(const std::string& name, std::int64_t state, int second = 1) {
    ShardRange range;
    range.name = name;
    range.state = state;
    range.timestamp = range.meta_timestamp = range.state_timestamp = at_second(second);
    range.upper = "m";
    return range;
}

/// The container's own range in a state that hands rows over, and a shard that takes them.
inline std::vector<ShardRange> sharding_ranges(const ContainerInfo& info,
                                               std::int64_t state = shards::sharding) {
    ShardRange own = range_of(info.account + '/' + info.container, state);
    own.epoch = at_second(2);
    return {own, range_of(".shards_a/one", shards::active)};
}

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_SHARD_RANGES_HPP
