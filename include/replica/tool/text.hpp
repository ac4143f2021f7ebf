// How the tool `replica` puts JSON into lines for people: everything that is in it, in its order,
// with a date behind each time. So a text says the same as --json, and nothing is described twice.
#ifndef REPLICA_TOOL_TEXT_HPP
#define REPLICA_TOOL_TEXT_HPP

#include <replica/ring.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica::tool {

/// A peer's device: "10.0.0.1:6201/sdb".
[[nodiscard]] inline std::string name_of(const Device& device) {
    return device.replication_ip + ':' + std::to_string(device.replication_port) + '/' +
           device.device;
}

/// "2023-11-14 22:13:20 UTC".
[[nodiscard]] inline std::string date_of(Timestamp time) {
    const std::int64_t seconds = time.ticks / Timestamp::ticks_per_second;
    const std::chrono::sys_days day{
        std::chrono::days{seconds >= 0 ? seconds / 86'400 : (seconds - 86'399) / 86'400}};
    const std::chrono::year_month_day date{day};
    const std::int64_t rest = seconds - day.time_since_epoch().count() * std::int64_t{86'400};
    std::string text = std::to_string(static_cast<int>(date.year()));
    const auto add = [&](char before, std::int64_t number) {
        text += before;
        text += number < 10 ? "0" : "";
        text += std::to_string(number);
    };
    add('-', static_cast<unsigned>(date.month()));
    add('-', static_cast<unsigned>(date.day()));
    add(' ', rest / 3600);
    add(':', rest / 60 % 60);
    add(':', rest % 60);
    return text + " UTC";
}

/// A text that may come from anybody, without what would move a terminal's cursor or colours.
[[nodiscard]] inline std::string printable(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7F) {
            safe += c;
            continue;
        }
        constexpr std::string_view digits = "0123456789abcdef";
        safe += "\\x";
        safe += digits[byte / 16];
        safe += digits[byte % 16];
    }
    return safe;
}

namespace detail {

/// A time in Swift's form, under a key that says so.
[[nodiscard]] inline std::optional<Timestamp> time_in(std::string_view key,
                                                      const boost::json::value& value) {
    const bool named = key.ends_with("_at") || key.ends_with("timestamp") || key == "time";
    const auto* const text = value.if_string();
    const auto time = named && text != nullptr
                          ? Timestamp::parse(std::string_view(text->data(), text->size()))
                          : std::nullopt;
    return time && time->ticks > 0 ? time : std::nullopt;
}

inline void append_lines(std::string& out, const boost::json::object& object, std::size_t indent) {
    for (const auto& [name, value] : object) {
        const std::string_view key(name.data(), name.size());
        out += std::string(indent, ' ') + printable(key) + ':';
        if (const auto* const nested = value.if_object()) {
            out += nested->empty() ? " none\n" : "\n";
            append_lines(out, *nested, indent + 2);
            continue;
        }
        const auto* const list = value.if_array();
        if (list != nullptr && !list->empty() && list->front().is_object()) {
            out += '\n';
            for (const auto& each : *list) {
                out += std::string(indent, ' ') + "-\n";
                append_lines(out, each.as_object(), indent + 2);
            }
            continue;
        }
        const auto* const text = value.if_string();
        out += ' ';
        out += list != nullptr && list->empty() ? "none"
               : text != nullptr ? printable(std::string_view(text->data(), text->size()))
                                 : boost::json::serialize(value);
        if (const auto time = time_in(key, value)) {
            out += " (" + date_of(*time) + ')';
        }
        out += '\n';
    }
}

} // namespace detail

/// One line for each value, nested ones indented.
[[nodiscard]] inline std::string lines_of(const boost::json::object& object) {
    std::string text;
    detail::append_lines(text, object, 0);
    return text;
}

/// Lines whose columns are aligned. The first row is the heading; the last column is not padded.
[[nodiscard]] inline std::string table_of(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    std::string text;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += row[i];
            text += i + 1 == row.size() ? "\n" : std::string(widths[i] - row[i].size() + 2, ' ');
        }
    }
    return text;
}

} // namespace replica::tool

#endif
