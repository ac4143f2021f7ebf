#ifndef REPLICA_WORDS_CALL_HPP
#define REPLICA_WORDS_CALL_HPP

// The body of a request, whatever its verb: a JSON list that begins with the verb's name.

#include <replica/error.hpp>
#include <replica/words/json.hpp>

#include <boost/json/array.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace replica::message {

/// A body: its JSON, and the bytes behind the first line, which only put_file has. They are not
/// looked at: a megabyte of them may hold 100,000 commas, and be no JSON at all.
struct Body {
    std::string_view json;    ///< The first line, or all of it.
    std::string_view bytes{}; ///< What is behind it; most calls have none.

    /// Both parts lie in `text`.
    [[nodiscard]] static Body of(std::string_view text) {
        const std::size_t end = text.find('\n');
        if (!text.starts_with("[\"put_file\"") || end == std::string_view::npos) {
            return {text};
        }
        return {text.substr(0, end), text.substr(end + 1)};
    }

    /// Bytes of memory that the request takes, see json::cost_of.
    [[nodiscard]] std::uint64_t cost() const { return json::cost_of(json) + bytes.size(); }
};

/// The verb and its arguments. A body must be a list that begins with a string (defect 49).
struct Call {
    std::string verb;             ///< "sync", "merge_items"...
    boost::json::array arguments; ///< Without the verb.
    std::string_view bytes{};     ///< In the text that was decoded.

    /// The whole text of a merge_items, whose arguments are not there. Its rows are most of what a
    /// server reads, and need no document (words/merge_items.hpp).
    std::string_view unread{};
};

/// Throws bad_request for any other body.
[[nodiscard]] inline Call decode_document(const Body& body) {
    boost::json::value value = json::parse(body.json);
    if (!value.is_array()) {
        throw Failure(Error::bad_request, "Invalid object type");
    }
    Call call;
    call.bytes = body.bytes;
    call.arguments = std::move(value.as_array());
    if (call.arguments.empty() || !call.arguments.front().is_string()) {
        throw Failure(Error::bad_request, "a list must begin with the name of an operation");
    }
    json::read(call.arguments.front(), call.verb, "operation");
    call.arguments.erase(call.arguments.begin());
    return call;
}

/// The call in a text, which must live as long. Throws bad_request for any other body; for a
/// merge_items whoever reads its rows does.
[[nodiscard]] inline Call decode_call(std::string_view text) {
    if (text.starts_with("[\"merge_items\"")) {
        return {"merge_items", {}, {}, text};
    }
    return decode_document(Body::of(text));
}

/// Throws bad_request unless the call has from `least` to `most` arguments.
inline void require_count(const Call& call, std::size_t least, std::size_t most) {
    if (call.arguments.size() < least || call.arguments.size() > most) {
        throw Failure(Error::bad_request, call.verb + " takes " + std::to_string(least) +
                                              (most > least ? " or more" : "") +
                                              " arguments, not " +
                                              std::to_string(call.arguments.size()));
    }
}

} // namespace replica::message

#endif // REPLICA_WORDS_CALL_HPP
