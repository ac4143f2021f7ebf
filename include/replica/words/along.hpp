#ifndef REPLICA_WORDS_ALONG_HPP
#define REPLICA_WORDS_ALONG_HPP

// Rows that go along with the question `sync`. A few new rows then cost one request where they cost
// three (sync, merge_items, merge_syncs). Only receivers of ours know them: they are one more
// argument, which a stock receiver does not look at, and the answer has one more member.
//
//   argument  {}                          asks whether the receiver takes rows
//             {"base": b, "last": n,      all rows of the sender above b, up to n: its highest
//              "rows": [], "points": []}  ROWID, even if the last rows were reclaimed
//   answer    "merged": -1                it takes rows, but took none of these
//             "merged": n                 it has the sender's rows up to n, and the points

#include <replica/error.hpp>
#include <replica/words/info.hpp>
#include <replica/words/json.hpp>
#include <replica/words/merge_items.hpp>
#include <replica/words/message.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::message {

/// All rows of a database above `base` up to `last`, and its incoming points.
template <class Row>
struct Along {
    std::int64_t base = -1;
    std::int64_t last = -1;
    MergeItems<Row> items;
    MergeSyncs syncs;
};

/// Whether a receiver takes rows.
inline constexpr std::string_view takes_rows = "{}";

/// Throws Failure with bad_request if a row cannot be written as JSON.
template <class Row>
[[nodiscard]] std::string encode_along(std::int64_t base, std::int64_t last,
                                       const std::vector<Row>& rows,
                                       const std::vector<SyncPoint>& points) {
    std::string out = "{\"base\": ";
    json::append(out, base);
    out += ", \"last\": ";
    json::append(out, last);
    out += ", \"rows\": ";
    json::append(out, rows);
    out += ", \"points\": ";
    json::append(out, points);
    out += '}';
    return out;
}

/// The body of `sync` with one more argument; none if that is empty.
[[nodiscard]] inline std::string encode_with(const Sync& sync, std::string_view argument) {
    std::string out = encode(sync);
    if (!argument.empty()) {
        out.pop_back();
        out.append(", ").append(argument).append("]");
    }
    return out;
}

/// The answer to `sync` with the last row that came along and was merged; -1: none.
[[nodiscard]] inline std::string with_merged(std::string reply, std::int64_t merged) {
    reply.pop_back();
    reply += ", \"merged\": ";
    json::append(reply, merged);
    reply += '}';
    return reply;
}

/// Whether a `sync` asks, or brings rows. An object of another kind is somebody else's argument.
[[nodiscard]] inline bool asks_along(const Call& call) {
    const auto* const last = call.arguments.empty() ? nullptr : call.arguments.back().if_object();
    return last != nullptr && (last->empty() || last->contains("rows"));
}

/// The rows that came along with a `sync`; nothing if it only asks. `sender`: the id in that sync.
/// Throws Failure with bad_request for an argument that cannot be read.
template <class Row>
[[nodiscard]] std::optional<Along<Row>> decode_along(const Call& call, const std::string& sender) {
    const auto& object = call.arguments.back().as_object();
    if (object.empty()) {
        return std::nullopt;
    }
    const auto member = [&](std::string_view name) -> const boost::json::value& {
        const auto* const found = object.if_contains(name);
        if (found == nullptr) {
            throw Failure(Error::bad_request, "sync's rows have no " + std::string(name));
        }
        return *found;
    };
    Along<Row> along;
    json::read(member("base"), along.base, "sync's base");
    detail::require_at_least(-1, along.base, "sync's base");
    json::read(member("last"), along.last, "sync's last");
    along.items = decode_merge_items<Row>(
        {std::string(MergeItems<Row>::verb), {member("rows"), boost::json::string(sender)}});
    detail::require_at_least(along.items.last_rowid, along.last, "sync's last");
    along.syncs = decode_merge_syncs({std::string(MergeSyncs::verb), {member("points")}});
    return along;
}

} // namespace replica::message

#endif // REPLICA_WORDS_ALONG_HPP
