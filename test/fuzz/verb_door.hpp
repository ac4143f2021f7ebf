#ifndef REPLICA_TEST_FUZZ_VERB_DOOR_HPP
#define REPLICA_TEST_FUZZ_VERB_DOOR_HPP

// The body of a REPLICATE request. What is refused has changed no file. What is accepted can be
// repeated, is in the database, leaves a whole database, and is what a peer of ours would send.

#include "node.hpp"
#include <replica/receive/answer.hpp>
#include <replica/words/merge_items.hpp>
#include <replica/words/message.hpp>

#include <algorithm>
#include <concepts>
#include <set>
#include <string>
#include <string_view>

namespace replica::fuzz {

template <class Kind>
struct VerbDoor {
    using Row = typename Kind::row_type;

    void operator()(std::string_view input) const {
        Node<Kind>& node = fresh_node<Kind>();
        const std::string body(input);
        const auto before = node.files();
        const Reply reply = node.ask(body);
        const std::string said = std::to_string(reply.status) + ": " + reply.body;
        require(known(reply, body), "answers " + said);
        if (!reply.success()) {
            require(node.files() == before, "refused, and a file has changed: " + said);
            return;
        }
        node.require_whole();
        const auto call = message::decode_call(body);
        if (call.verb == message::Sync::verb) {
            require_sync(reply, call);
        } else if (call.verb == message::MergeItems<Row>::verb) {
            require_items(node, call);
        } else if (call.verb == message::GetShardRanges::verb) {
            static_cast<void>(shards::decode(json::parse(reply.body)));
        }
        if (!finishes(call.verb)) {
            require_repeatable(node, body);
        }
    }

private:
    /// 500 is a fault of ours, and nothing here is busy or full. But a file may be announced that
    /// no device has room for, bytes may come that are not what was announced, and rows or points
    /// may be for a file that is not there any more.
    [[nodiscard]] static bool known(const Reply& reply, std::string_view body) {
        static const std::set<int> statuses{200, 202, 204, 400, 404, 413};
        const bool puts = body.starts_with("[\"put_file\"");
        return statuses.contains(reply.status) ||
               (puts && (reply.status == 500 || reply.status == 507)) ||
               (reply.status == 503 && reply.body == answer::replaced().body &&
                message::decode_call(body).verb.starts_with("merge_"));
    }

    [[nodiscard]] static bool finishes(std::string_view verb) {
        return verb == message::CompleteRsync::verb || verb == message::RsyncThenMerge::verb;
    }

    static void require_repeatable(Node<Kind>& node, const std::string& body) {
        const auto once = node.open().info();
        require(node.ask(body).success(), "refuses what it has accepted before");
        auto twice = node.open().info();
        require(once.hash == twice.hash && once.count == twice.count &&
                    once.bytes_used == twice.bytes_used,
                "a repeated request changes the content");
        require(once.timestamps() == twice.timestamps() && once.metadata == twice.metadata,
                "a repeated request changes times or metadata");
        node.require_whole();
    }

    static void require_sync(const Reply& reply, const message::Call& call) {
        static_cast<void>(message::decode_reply<typename Kind::info_type>(reply.body));
        const auto sync = message::decode_sync(call);
        require(message::decode_sync(message::decode_call(message::encode(sync))) == sync,
                "sync does not round-trip");
    }

    /// Whoever reads rows as they come reads what the document of the same text has.
    static void require_as_in_document(const message::Call& call,
                                       const message::MergeItems<Row>& items) {
        if (call.unread.empty()) {
            return;
        }
        const auto same = message::decode_merge_items<Row>(message::decode_document({call.unread}));
        require(same.rows == items.rows && same.source == items.source &&
                    same.receiver == items.receiver && same.last_rowid == items.last_rowid &&
                    same.set_aside == items.set_aside,
                "rows are read in two ways");
    }

    static void require_items(Node<Kind>& node, const message::Call& call) {
        const auto items = message::decode_merge_items<Row>(call);
        require_as_in_document(call, items);
        const auto again = message::decode_merge_items<Row>(
            message::decode_call(message::encode_rows(items.rows, items.source)));
        require(again.rows == items.rows && again.source == items.source, "rows do not round-trip");
        const auto stored = node.rows();
        for (const Row& row : items.rows) {
            const auto found = std::ranges::find_if(stored, [&](const Row& each) {
                return each.name == row.name &&
                       (std::same_as<Kind, AccountKind> ||
                        each.storage_policy_index == row.storage_policy_index);
            });
            require(found != stored.end(), "accepted and not stored: " + row.name);
            require(!is_older(*found, row), "an older row has won: " + row.name);
        }
    }

    [[nodiscard]] static bool is_older(const ObjectRow& stored, const ObjectRow& news) {
        return RowTimes::decode(stored.created_at)->data < RowTimes::decode(news.created_at)->data;
    }
    [[nodiscard]] static bool is_older(const ContainerRow& stored, const ContainerRow& news) {
        const auto older = [](const std::string& a, const std::string& b) {
            return timestamp_or_zero(a) < timestamp_or_zero(b);
        };
        return older(stored.put_timestamp, news.put_timestamp) ||
               older(stored.delete_timestamp, news.delete_timestamp);
    }
};

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_VERB_DOOR_HPP
