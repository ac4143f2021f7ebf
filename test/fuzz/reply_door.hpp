#ifndef REPLICA_TEST_FUZZ_REPLY_DOOR_HPP
#define REPLICA_TEST_FUZZ_REPLY_DOOR_HPP

// What a sender reads from a peer: the answers to sync, get_shard_ranges and compare. What is
// accepted is the same when it is written down and read again, and can be decided by.

#include "door.hpp"
#include <replica/account/kind.hpp>
#include <replica/container/kind.hpp>
#include <replica/container/policies.hpp>
#include <replica/container/shards.hpp>
#include <replica/send/decide.hpp>
#include <replica/settings.hpp>
#include <replica/words/compare.hpp>
#include <replica/words/json.hpp>
#include <replica/words/message.hpp>
#include <replica/words/mix.hpp>
#include <replica/words/row_digests.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica::fuzz {

struct ReplyDoor {
    void operator()(std::string_view input) const {
        require_sync<AccountInfo>(input);
        require_sync<ContainerInfo>(input);
        require_ranges(input);
        require_compared(input);
    }

private:
    template <class Info>
    static void require_sync(std::string_view input) {
        std::optional<message::SyncReply<Info>> reply;
        if (!accepts([&] { reply = message::decode_reply<Info>(input); }, is_bad_input)) {
            return;
        }
        const std::string text = message::encode_reply(reply->info, reply->point);
        const auto again = message::decode_reply<Info>(text);
        require(again.info == reply->info && again.point == reply->point,
                "an answer to sync does not round-trip");
        require_times(reply->info);
        if (reply->info.id == "local") {
            return;
        }
        for (const std::int64_t max_row : {std::int64_t{-1}, std::int64_t{1} << 61}) {
            Info local;
            local.id = "local";
            local.max_row = max_row;
            const auto choice = decide::choose(decide::Replica(local), decide::Replica(reply->info),
                                               {reply->point, -1, -1}, Settings());
            require((choice.way == decide::Way::renew_id) == (reply->point > max_row),
                    "a point beyond the last row is not seen");
            if constexpr (requires { local.container; }) {
                require(!(policies::prefers_remote(local, reply->info) &&
                          policies::prefers_remote(reply->info, local)),
                        "each of two replicas takes the other's policy");
            }
        }
    }

    /// All that is stored is read again later, and must then be the same moment.
    static void require_times(const Info& info) {
        for (const std::string* text :
             {&info.created_at, &info.put_timestamp, &info.delete_timestamp}) {
            const auto time = Timestamp::parse(*text);
            require(time && Timestamp::parse(time->internal()) == time,
                    "a time does not round-trip: " + *text);
        }
    }

    /// Whatever an answer claims, only rows of unlike buckets are chosen.
    static void require_compared(std::string_view input) {
        constexpr std::size_t groups = 8;
        message::Compared answer;
        if (!accepts([&] { answer = message::decode_compared(input, groups); }, is_bad_input)) {
            return;
        }
        const auto again = message::decode_compared(message::encode(answer), groups);
        require(again.id == answer.id && again.sound == answer.sound &&
                    again.unlike == answer.unlike,
                "an answer to compare does not round-trip");
        RowDigests digests(groups);
        for (std::uint64_t number = 1; number <= 100; ++number) {
            digests.add(mixed(number));
        }
        const RowChoice choice = digests.only_here(answer.unlike);
        for (std::uint64_t number = 1; number <= 100; ++number) {
            const auto place = DigestPlace::of(mixed(number), groups);
            const bool unlike = std::ranges::any_of(answer.unlike, [&](const UnlikeGroup& group) {
                return group.number == place.group && (group.buckets & place.bucket) != 0;
            });
            require(unlike || !choice.contains(mixed(number)), "a row of a like bucket is chosen");
        }
    }

    static void require_ranges(std::string_view input) {
        std::vector<ShardRange> ranges;
        if (!accepts([&] { ranges = shards::decode(json::parse(input)); }, is_bad_input)) {
            return;
        }
        const auto call = message::decode_call(message::encode_shard_ranges(ranges, "local"));
        require(shards::decode(call.arguments.at(0)) == ranges, "shard ranges do not round-trip");
        const auto written = shards::changes({}, ranges, "a/c");
        for (const ShardRange& range : ranges) {
            require(written.contains(range.name), "a shard range is forgotten: " + range.name);
        }
        std::vector<ShardRange> stored;
        for (const auto& [name, range] : written) {
            stored.push_back(range);
        }
        require(shards::changes(written, stored, "a/c").empty(),
                "the same shard ranges once more change something");
    }
};

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_REPLY_DOOR_HPP
