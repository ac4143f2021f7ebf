#ifndef REPLICA_WORDS_JSON_HPP
#define REPLICA_WORDS_JSON_HPP

// JSON as a stock server writes and reads it. Outgoing JSON is ASCII with ", " and ": ", since a
// stock peer decodes our reply as ASCII: one raw UTF-8 byte would break that database for ever. In
// incoming JSON every field is checked for its type, and named if it is wrong (defect 24). Structs
// are read and written by their reflected members (members.hpp).

#include <replica/error.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace replica::json {

namespace detail {

inline void append_escape(std::string& out, std::uint32_t unit) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) {
        out += "0123456789abcdef"[(unit >> shift) & 0xfU];
    }
}

/// Length of the UTF-8 sequence that begins with `lead`, 0 if none does.
[[nodiscard]] constexpr std::size_t sequence_length(unsigned char lead) {
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        return 3;
    }
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

} // namespace detail

/// Reads one code point at `at`, and moves `at` past it. Throws bad_request if that is not UTF-8.
[[nodiscard]] inline std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = detail::sequence_length(lead);
    std::uint32_t point = length <= 1 ? lead : lead & (0xffU >> (length + 1));
    bool valid = length != 0 && at + length <= text.size();
    for (std::size_t i = 1; valid && i < length; ++i) {
        const auto next = static_cast<unsigned char>(text[at + i]);
        valid = (next & 0xc0U) == 0x80;
        point = (point << 6) | (next & 0x3fU);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    if (!valid || overlong || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
        throw Failure(Error::bad_request, "text is not UTF-8");
    }
    at += length;
    return point;
}

namespace detail {

template <class Key>
[[nodiscard]] constexpr std::string_view wire_name(Key key) {
    const std::string_view name(boost::hana::to<const char*>(key));
    return name == "rowid" ? std::string_view("ROWID") : name;
}

} // namespace detail

/// Appends a string literal. Throws bad_request if `text` is not UTF-8.
inline void append(std::string& out, std::string_view text) {
    out += '"';
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c >= ' ' && c <= '~') {
            if (c == '"' || c == '\\') {
                out += '\\';
            }
            out += c;
            ++at;
            continue;
        }
        const std::uint32_t point = next_code_point(text, at);
        switch (point) {
        case '\b':
            out += "\\b";
            break;
        case '\f':
            out += "\\f";
            break;
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        default:
            if (point >= 0x10000) {
                detail::append_escape(out, 0xd800 + ((point - 0x10000) >> 10));
                detail::append_escape(out, 0xdc00 + ((point - 0x10000) & 0x3ff));
            } else {
                detail::append_escape(out, point);
            }
        }
    }
    out += '"';
}

inline void append(std::string& out, std::int64_t number) {
    out += std::to_string(number);
}

/// Appends the text, or null.
template <std::same_as<std::optional<std::string>> Text>
void append(std::string& out, const Text& text) {
    if (text) {
        append(out, std::string_view(*text));
    } else {
        out += "null";
    }
}

/// Appends the members of a reflected struct, "a": 1, "b": "c", without the braces.
template <class Struct>
void append_members(std::string& out, const Struct& value) {
    bool first = true;
    boost::hana::for_each(boost::hana::accessors<Struct>(), [&](auto pair) {
        if (!first) {
            out += ", ";
        }
        first = false;
        append(out, detail::wire_name(boost::hana::first(pair)));
        out += ": ";
        append(out, boost::hana::second(pair)(value));
    });
}

/// Appends a list of reflected structs.
template <class Struct>
void append(std::string& out, const std::vector<Struct>& values) {
    out += '[';
    for (std::size_t i = 0; i < values.size(); ++i) {
        out += i == 0 ? "{" : ", {";
        append_members(out, values[i]);
        out += '}';
    }
    out += ']';
}

/// How many values a text may have. A batch of 100,000 rows with nine members each counts
/// 1,900,000. In memory 4,000,000 values are at most 256 MB; a body of 64 MB of empty lists would
/// be 1 GB.
inline constexpr std::size_t most_values = 4'000'000;

/// Counts the characters [ { , : outside of strings. The count is never less than the number of
/// values, for any text. 64 MB take 80 ms.
[[nodiscard]] constexpr std::size_t count_values(std::string_view text) {
    std::size_t count = 1;
    bool in_string = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (in_string) {
            at += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else {
            in_string = c == '"';
            count += c == '[' || c == '{' || c == ',' || c == ':' ? 1 : 0;
        }
    }
    return count;
}

/// Bytes of memory that a text takes while it is parsed, with the text itself: 64 for each value
/// (measured: 24 to 51, and 83 for one with 18 bytes of text), and twice the text. A batch of 1000
/// rows costs 2 MB. A cost of up to 64 KiB, such as that of a sync, counts as 0. Throws too_large
/// if the text has more than most_values values.
[[nodiscard]] inline std::uint64_t cost_of(std::string_view text) {
    const std::size_t values = count_values(text);
    if (values > most_values) {
        throw Failure(Error::too_large, "more than " + std::to_string(most_values) + " values");
    }
    const std::uint64_t cost = 64 * std::uint64_t{values} + 2 * std::uint64_t{text.size()};
    return cost > 1 << 16 ? cost : 0;
}

/// Parses a whole text. Throws bad_request with the parser's message, or if there are more than
/// `most` values. The parser bounds the depth (32 levels), the transport the size.
[[nodiscard]] inline boost::json::value parse(std::string_view text,
                                              std::size_t most = most_values) {
    if (text.size() >= most && count_values(text) > most) {
        throw Failure(Error::bad_request, "more than " + std::to_string(most) + " values");
    }
    boost::json::error_code error;
    boost::json::value value = boost::json::parse({text.data(), text.size()}, error);
    if (error) {
        throw Failure(Error::bad_request, "not JSON: " + error.message());
    }
    return value;
}

/// Reads a string. `what` names the value in the error.
inline void read(const boost::json::value& value, std::string& into, std::string_view what) {
    const auto* const text = value.if_string();
    if (text == nullptr) {
        throw Failure(Error::bad_request, std::string(what) + " must be a string");
    }
    into.assign(text->data(), text->size());
}

/// Reads a whole number of 64 bits. `what` names the value in the error.
inline void read(const boost::json::value& value, std::int64_t& into, std::string_view what) {
    boost::json::error_code error;
    const auto number = value.is_number() ? value.to_number<std::int64_t>(error) : 0;
    if (!value.is_number() || error) {
        throw Failure(Error::bad_request, std::string(what) + " must be a whole number");
    }
    into = number;
}

/// Reads a string or null.
inline void read(const boost::json::value& value, std::optional<std::string>& into,
                 std::string_view what) {
    into.reset();
    if (!value.is_null()) {
        read(value, into.emplace(), what);
    }
}

/// Whether a null stands for a member's default. In rows it does, since old databases have nulls.
enum class Null {
    refused,
    is_default,
};

/// Reads the members of a reflected struct. A missing member keeps its default, unless
/// `required(name)` is true. Unknown members are ignored, since newer peers send more.
template <class Struct, class Required>
void read_members(const boost::json::object& object, Struct& into, std::string_view what,
                  Required required, Null null = Null::refused) {
    boost::hana::for_each(boost::hana::accessors<Struct>(), [&](auto pair) {
        const std::string_view name = detail::wire_name(boost::hana::first(pair));
        const auto* const value = object.if_contains({name.data(), name.size()});
        if (value != nullptr && value->is_null() && null == Null::is_default) {
            return;
        }
        if (value != nullptr) {
            read(*value, boost::hana::second(pair)(into),
                 std::string(what) + "'s " + std::string(name));
        } else if (required(name)) {
            throw Failure(Error::bad_request, std::string(what) + " has no " + std::string(name));
        }
    });
}

} // namespace replica::json

#endif // REPLICA_WORDS_JSON_HPP
