#ifndef REPLICA_WORDS_COMPARE_HPP
#define REPLICA_WORDS_COMPARE_HPP

// A verb of ours: which rows of the sender's does the receiver not have? It goes to servers that
// are known to be ours only.
//
//   request  ["compare", key, [sum, sum, ...]]       a sum for each of 64 buckets of each group
//   answer   {"id": "...", "sound": 1,               the receiver's id, and whether its hash and
//             "groups": [[number, buckets,           sums are those of its rows
//                         sum, check, count, sum, ...], ...]}
//
// The digests are made with the sender's key. See words/row_digests.hpp.

#include <replica/error.hpp>
#include <replica/rows/checks.hpp>
#include <replica/words/call.hpp>
#include <replica/words/cells.hpp>
#include <replica/words/json.hpp>
#include <replica/words/row_digests.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace replica::message {

struct Compare {
    static constexpr std::string_view verb = "compare";
    std::uint64_t key = 0;
    std::vector<std::uint64_t> sums;

    [[nodiscard]] std::size_t groups() const { return sums.size() / RowDigests::buckets; }
};

/// The answer.
struct Compared {
    std::string id;
    bool sound = false;
    std::vector<UnlikeGroup> unlike;
};

[[nodiscard]] inline std::string encode(const Compare& ask) {
    std::string out = "[\"compare\", ";
    json::append(out, std::bit_cast<std::int64_t>(ask.key));
    out += ", [";
    for (const std::uint64_t sum : ask.sums) {
        json::append_next(out, sum);
    }
    return out + "]]";
}

/// Throws Failure with bad_request that names the argument.
[[nodiscard]] inline Compare decode_compare(const Call& call) {
    require_count(call, 2, 2);
    Compare ask;
    json::read(call.arguments[0], ask.key, "compare's key");
    const auto* const sums = call.arguments[1].if_array();
    const std::size_t groups = sums == nullptr ? 0 : sums->size() / RowDigests::buckets;
    if (sums == nullptr || sums->size() % RowDigests::buckets != 0 ||
        !std::has_single_bit(groups) || groups > RowDigests::most_groups) {
        throw Failure(Error::bad_request, "compare's sums must be 64 for each group");
    }
    ask.sums.resize(sums->size());
    for (std::size_t at = 0; at < ask.sums.size(); ++at) {
        json::read((*sums)[at], ask.sums[at], "compare's sum");
    }
    return ask;
}

[[nodiscard]] inline std::string encode(const Compared& answer) {
    std::string out = "{\"id\": ";
    json::append(out, answer.id);
    out += answer.sound ? R"(, "sound": 1, "groups": [)" : R"(, "sound": 0, "groups": [)";
    for (const UnlikeGroup& group : answer.unlike) {
        out += out.ends_with('[') ? "[" : ", [";
        json::append_next(out, group.number);
        json::append_next(out, group.buckets);
        for (const Sketch::Cell& cell : group.cells) {
            json::append_next(out, cell);
        }
        out += ']';
    }
    return out + "]}";
}

/// The answer to a question with so many groups. Throws Failure with bad_request or bad_reply for
/// any other text.
[[nodiscard]] inline Compared decode_compared(std::string_view body, std::size_t groups) {
    const boost::json::value value = json::parse(body);
    const auto* const object = value.if_object();
    const auto member = [&](std::string_view name) -> const boost::json::value& {
        const auto* const found = object == nullptr ? nullptr : object->if_contains(name);
        if (found == nullptr) {
            throw Failure(Error::bad_reply, "the answer to compare has no " + std::string(name));
        }
        return *found;
    };
    const auto require = [](bool holds) {
        if (!holds) {
            throw Failure(Error::bad_reply, "the groups in the answer to compare make no sense");
        }
    };
    Compared answer;
    std::int64_t sound = 0;
    json::read(member("id"), answer.id, "compare's id");
    require_id(answer.id, "compare's id");
    json::read(member("sound"), sound, "compare's sound");
    answer.sound = sound != 0;
    const auto* const list = member("groups").if_array();
    require(list != nullptr);
    std::size_t next = 0;
    for (const auto& each : *list) {
        const auto* const numbers = each.if_array();
        require(numbers != nullptr && numbers->size() >= 2);
        std::uint64_t number = 0;
        UnlikeGroup group;
        json::read((*numbers)[0], number, "a group's number");
        json::read((*numbers)[1], group.buckets, "a group's buckets");
        group.number = static_cast<std::size_t>(number);
        require(group.number >= next && group.number < groups && group.buckets != 0);
        next = group.number + 1;
        group.cells = json::read_cells(*numbers, 2, RowDigests::cells);
        answer.unlike.push_back(std::move(group));
    }
    return answer;
}

} // namespace replica::message

#endif // REPLICA_WORDS_COMPARE_HPP
