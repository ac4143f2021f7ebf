#include <replica/container/shards.hpp>

#define BOOST_TEST_MODULE container_shards
#include <boost/test/unit_test.hpp>

#include <support/shard_ranges.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Change = std::function<void(ShardRange&)>;

/// A range that the root knows, and one made of it by `change`.
struct Pair {
    explicit Pair(const Change& change) {
        old.reported = 1;
        old.object_count = 10;
        old.bytes_used = 100;
        news = old;
        change(news);
    }
    [[nodiscard]] std::optional<ShardRange> merged(bool own = false) const {
        return shards::merged(old, news, own);
    }
    ShardRange old = range_of("a/c", shards::active, 5);
    ShardRange news;
};

std::string text_of(const std::vector<ShardRange>& ranges) {
    std::string text;
    json::append(text, ranges);
    return text;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_same_range_again_is_no_news) {
    BOOST_TEST(!Pair([](ShardRange&) {}).merged());
}

BOOST_AUTO_TEST_CASE(what_is_older_is_no_news) {
    for (const Change& change :
         std::vector<Change>{[](ShardRange& range) { range.timestamp = at_second(4); },
                             [](ShardRange& range) {
                                 range.meta_timestamp = at_second(4);
                                 range.object_count = 99;
                             },
                             [](ShardRange& range) {
                                 range.state_timestamp = at_second(4);
                                 range.state = shards::sharded;
                             },
                             [](ShardRange& range) { range.state = shards::active - 1; },
                             [](ShardRange& range) { range.reported = 0; }}) {
        BOOST_TEST(!Pair(change).merged());
    }
}

BOOST_AUTO_TEST_CASE(a_range_made_later_replaces_the_whole_and_is_not_reported_yet) {
    const Pair pair([](ShardRange& range) {
        range.timestamp = at_second(6);
        range.upper = "z";
        range.object_count = 3;
        range.meta_timestamp = at_second(1);
    });
    ShardRange expected = pair.news;
    expected.reported = 0;
    BOOST_TEST((pair.merged() == expected));
}

BOOST_AUTO_TEST_CASE(bounds_and_deletion_belong_to_the_creation) {
    const Pair pair([](ShardRange& range) {
        range.lower = "b";
        range.upper = "z";
        range.deleted = 1;
        range.meta_timestamp = at_second(6);
    });
    const auto merged = pair.merged();
    BOOST_REQUIRE(merged.has_value());
    BOOST_TEST(merged->lower.empty());
    BOOST_TEST(merged->upper == "m");
    BOOST_TEST(merged->deleted == 0);
}

BOOST_AUTO_TEST_CASE(newer_sums_count_and_have_not_been_reported) {
    const Pair pair([](ShardRange& range) {
        range.meta_timestamp = at_second(6);
        range.object_count = 11;
        range.tombstones = 4;
        range.reported = 0;
        range.state_timestamp = at_second(1);
        range.state = shards::sharded;
    });
    const auto merged = pair.merged();
    BOOST_REQUIRE(merged.has_value());
    BOOST_TEST(merged->object_count == 11);
    BOOST_TEST(merged->tombstones == 4);
    BOOST_TEST(merged->state == shards::active); // its half is older
    BOOST_TEST(merged->reported == 0);
}

BOOST_AUTO_TEST_CASE(a_newer_state_brings_its_epoch) {
    const Pair pair([](ShardRange& range) {
        range.state = shards::sharding;
        range.state_timestamp = at_second(6);
        range.epoch = at_second(6);
        range.meta_timestamp = at_second(1);
        range.object_count = 1;
    });
    const auto merged = pair.merged();
    BOOST_REQUIRE(merged.has_value());
    BOOST_TEST(merged->state == shards::sharding);
    BOOST_TEST((merged->epoch == at_second(6)));
    BOOST_TEST(merged->object_count == 10);
}

BOOST_AUTO_TEST_CASE(of_two_states_of_one_time_the_further_one_counts) {
    const Pair pair([](ShardRange& range) { range.state = shards::sharded; });
    BOOST_TEST(pair.merged().value().state == shards::sharded);
    BOOST_TEST(!shards::merged(pair.news, pair.old, false));
}

BOOST_AUTO_TEST_CASE(what_a_peer_has_reported_is_reported_here_too) {
    Pair pair([](ShardRange&) {});
    pair.old.reported = 0;
    BOOST_TEST(pair.merged().value().reported == 1);
    pair.news.object_count = 9; // but these sums lost: they are of the same time
    BOOST_TEST(!pair.merged());
}

BOOST_AUTO_TEST_CASE(an_own_range_without_epoch_never_takes_one_away) {
    const Pair pair([](ShardRange& range) {
        range.timestamp = at_second(9);
        range.state_timestamp = at_second(9);
    });
    Pair sharded = pair;
    sharded.old.epoch = at_second(3);
    BOOST_TEST(!sharded.merged(true));
    BOOST_TEST(sharded.merged(false).has_value());
    BOOST_TEST(pair.merged(true).has_value()); // there was none to lose
}

BOOST_AUTO_TEST_CASE(any_order_of_arrival_comes_to_the_same_end) {
    std::vector<ShardRange> versions;
    for (int i = 0; i < 4; ++i) {
        ShardRange range = range_of("a/c", i % 2 == 0 ? shards::active : shards::sharding, 5);
        range.meta_timestamp = at_second(i);
        range.object_count = i;
        range.state_timestamp = at_second(3 - i);
        versions.push_back(range);
    }
    std::optional<ShardRange> end;
    std::vector<std::size_t> order{0, 1, 2, 3};
    do {
        std::map<std::string, ShardRange> known;
        for (const std::size_t i : order) {
            for (auto& [name, range] : shards::changes(known, std::span(&versions[i], 1), "a/c")) {
                known[name] = range;
            }
        }
        end = end ? end : std::optional(known.at("a/c"));
        BOOST_TEST((known.at("a/c") == *end));
    } while (std::next_permutation(order.begin(), order.end()));
    BOOST_TEST(end->object_count == 3);
    BOOST_TEST(end->state == shards::active); // that of version 0, the latest
}

BOOST_AUTO_TEST_CASE(a_range_twice_in_one_list_is_merged_with_itself) {
    std::vector<ShardRange> news{range_of("a/c", shards::active, 5),
                                 range_of("a/c", shards::active, 6),
                                 range_of("a/d", shards::active, 5)};
    const auto changes = shards::changes({}, news, "root");
    BOOST_TEST(changes.size() == 2);
    BOOST_TEST(changes.at("a/c").timestamp == at_second(6));
    BOOST_TEST(shards::changes(changes, news, "root").empty());
}

BOOST_AUTO_TEST_CASE(ranges_go_over_the_wire_as_they_are) {
    std::vector<ShardRange> ranges{range_of("a/\xc3\xa4", shards::active),
                                   range_of("a/c", shards::sharded)};
    ranges[1].epoch = at_second(3);
    BOOST_TEST((shards::decode(json::parse(text_of(ranges))) == ranges));
    BOOST_TEST(text_of({ranges[0]}) ==
               R"([{"name": "a/\u00e4", "timestamp": "1500000001.00000", "lower": "", )"
               R"("upper": "m", "object_count": 0, "bytes_used": 0, )"
               R"("meta_timestamp": "1500000001.00000", "deleted": 0, "state": 40, )"
               R"("state_timestamp": "1500000001.00000", "epoch": null, "reported": 0, )"
               R"("tombstones": -1}])");
    BOOST_TEST(message::encode_shard_ranges({}, "id") == R"(["merge_shard_ranges", [], "id"])");
    BOOST_TEST(message::encode_get_shard_ranges() == R"(["get_shard_ranges"])");
}

BOOST_AUTO_TEST_CASE(an_older_peer_knows_neither_reported_nor_tombstones) {
    auto value = json::parse(text_of({range_of("a/c", shards::active)}));
    auto& range = value.as_array()[0].as_object();
    range.erase("reported");
    range.erase("tombstones");
    const auto ranges = shards::decode(value);
    BOOST_TEST(ranges.at(0).reported == 0);
    BOOST_TEST(ranges.at(0).tombstones == -1);
}

BOOST_AUTO_TEST_CASE(whatever_number_a_peer_has_for_reported_the_same_list_again_is_no_news) {
    ShardRange range = range_of("a/c-1", shards::active, 5);
    range.reported = 2;
    const auto ranges = shards::decode(boost::json::parse(text_of({range})));
    BOOST_TEST(ranges.at(0).reported == 1);
    BOOST_TEST(shards::changes(shards::changes({}, ranges, "a/c"), ranges, "a/c").empty());
}

BOOST_AUTO_TEST_CASE(a_bad_list_is_refused_as_a_whole) {
    const auto good = text_of({range_of("a/c", shards::active)});
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        return text;
    };
    for (const std::string& text :
         {std::string("{}"), std::string("[7]"), std::string("[{}]"), with("a/c", ""),
          with("\"timestamp\": \"1500000001.00000\"", "\"timestamp\": \"soon\""),
          with("\"epoch\": null", "\"epoch\": \"soon\""), with("\"epoch\": null", "\"epoch\": 7"),
          with("\"deleted\": 0", "\"deleted\": 2"), with("\"state\": 40", "\"state\": \"active\""),
          with("\"upper\": \"m\", ", "")}) {
        BOOST_CHECK_EXCEPTION(shards::decode(json::parse(text)), Failure,
                              [](const Failure& f) { return f.error() == Error::bad_request; });
    }
}
