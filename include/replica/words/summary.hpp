#ifndef REPLICA_WORDS_SUMMARY_HPP
#define REPLICA_WORDS_SUMMARY_HPP

// A verb of ours: what a device knows to be at rest together with another one, as a sketch. It goes
// to a hash that no database has, so a stock receiver answers 404 before it looks at the verb.
//
//   request  ["summary", id of the sender's device in the ring, number of cells]
//   answer   {"walked": n, "databases": n, "cells": [sum, check, count, sum, ...]}

#include <replica/error.hpp>
#include <replica/words/cells.hpp>
#include <replica/words/json.hpp>
#include <replica/words/message.hpp>
#include <replica/words/sketch.hpp>

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace replica {

/// The databases of a device that are at rest and have another device among their primaries.
struct Summary {
    std::int64_t walked = -1;   ///< Databases in the last walk over the whole device; -1: none yet.
    std::int64_t databases = 0; ///< In the sketch.
    Sketch sketch{std::size_t{0}};
};

} // namespace replica

namespace replica::message {

/// Asks for a Summary.
struct AskSummary {
    static constexpr std::string_view verb = "summary";
    static constexpr std::int64_t most_cells = 1 << 14;

    std::int64_t device = -1; ///< Of the sender, by its id in the ring.
    std::int64_t cells = 0;
};

/// The hash in the request.
inline constexpr std::string_view no_database = "ffffffffffffffffffffffffffffffff";

[[nodiscard]] inline std::string encode(const AskSummary& ask) {
    return "[\"summary\", " + std::to_string(ask.device) + ", " + std::to_string(ask.cells) + ']';
}

/// Throws Failure with bad_request that names the argument.
[[nodiscard]] inline AskSummary decode_ask_summary(const Call& call) {
    require_count(call, 2, 2);
    AskSummary ask;
    json::read(call.arguments[0], ask.device, "summary's device");
    json::read(call.arguments[1], ask.cells, "summary's cells");
    detail::require_at_least(1, ask.cells, "summary's cells");
    if (ask.cells > AskSummary::most_cells) {
        throw Failure(Error::bad_request,
                      "summary's cells must be at most " + std::to_string(AskSummary::most_cells));
    }
    return ask;
}

[[nodiscard]] inline std::string encode(const Summary& summary) {
    std::string out = "{\"walked\": " + std::to_string(summary.walked) +
                      ", \"databases\": " + std::to_string(summary.databases) + ", \"cells\": [";
    for (const Sketch::Cell& cell : summary.sketch.cells()) {
        json::append_next(out, cell);
    }
    return out + "]}";
}

/// Throws Failure with bad_request, or what json::parse throws, for any other text.
[[nodiscard]] inline Summary decode_summary(std::string_view body) {
    const boost::json::value value = json::parse(body);
    const auto* const object = value.if_object();
    const auto member = [&](std::string_view name) -> const boost::json::value& {
        const auto* const found = object == nullptr ? nullptr : object->if_contains(name);
        if (found == nullptr) {
            throw Failure(Error::bad_reply, "a summary has no " + std::string(name));
        }
        return *found;
    };
    Summary summary;
    json::read(member("walked"), summary.walked, "a summary's walked");
    json::read(member("databases"), summary.databases, "a summary's databases");
    const auto* const numbers = member("cells").if_array();
    if (numbers == nullptr) {
        throw Failure(Error::bad_reply, "a summary's cells must be a list");
    }
    summary.sketch = Sketch(json::read_cells(*numbers, 0, AskSummary::most_cells));
    return summary;
}

} // namespace replica::message

#endif // REPLICA_WORDS_SUMMARY_HPP
