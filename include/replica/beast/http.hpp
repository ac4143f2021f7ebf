#ifndef REPLICA_BEAST_HTTP_HPP
#define REPLICA_BEAST_HTTP_HPP

// The text of REPLICATE on the wire, as pure functions. What a stock peer sends and expects, byte
// by byte, is written here and tested without a socket. Heads are written by hand rather than with
// Beast's fields, because the order and spelling of headers are part of the protocol.

#include <replica/transport.hpp>
#include <replica/version.hpp>
#include <replica/words/timestamp.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace replica::http {

/// The phrase that Swift 2.30.1 writes after `status`, for example "Internal Error" after 500.
[[nodiscard]] constexpr std::string_view reason_of(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Request Entity Too Large";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 507:
        return "Insufficient Storage";
    default:
        return "Unknown";
    }
}

/// One part of a path. All bytes but letters, digits and "_.-~" are percent-encoded, so a name may
/// contain any byte.
[[nodiscard]] inline std::string encode_part(std::string_view part) {
    constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789_.-~";
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text;
    text.reserve(part.size());
    for (const char c : part) {
        if (plain.find(c) != std::string_view::npos) {
            text.push_back(c);
        } else {
            const auto byte = static_cast<unsigned char>(c);
            text += {'%', digits[byte / 16], digits[byte % 16]};
        }
    }
    return text;
}

/// The value of a hexadecimal digit, or -1.
[[nodiscard]] constexpr int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// Decodes a percent-encoded part; empty if a % is not followed by two hexadecimal digits.
[[nodiscard]] inline std::optional<std::string> decode_part(std::string_view text) {
    std::string part;
    part.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            part.push_back(text[at]);
            continue;
        }
        const int high = at + 2 < text.size() ? hex_value(text[at + 1]) : -1;
        const int low = at + 2 < text.size() ? hex_value(text[at + 2]) : -1;
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        part.push_back(static_cast<char>(high * 16 + low));
        at += 2;
    }
    return part;
}

/// A target without its query: "/sdb1/906/e28c?x=1" is "/sdb1/906/e28c".
[[nodiscard]] constexpr std::string_view path_of(std::string_view target) {
    return target.substr(0, target.find('?'));
}

/// The request for a path, without a body. The path must have exactly three parts; no part may be
/// empty or contain a slash after decoding. The handler checks that the parts are safe names.
[[nodiscard]] inline std::optional<Request> request_of(std::string_view path) {
    std::array<std::string, 3> parts;
    for (std::string& part : parts) {
        if (path.empty() || path.front() != '/') {
            return std::nullopt;
        }
        path.remove_prefix(1);
        const std::string_view text = path.substr(0, path.find('/'));
        path.remove_prefix(text.size());
        std::optional<std::string> decoded = decode_part(text);
        if (!decoded || decoded->empty() || decoded->find('/') != std::string::npos) {
            return std::nullopt;
        }
        part = std::move(*decoded);
    }
    if (!path.empty()) {
        return std::nullopt;
    }
    return Request{std::move(parts[0]), std::move(parts[1]), std::move(parts[2]), {}, true};
}

/// "127.0.0.1:6201", "[::1]:6201", "node1:6201": for Host headers, messages, and as the key of kept
/// connections.
[[nodiscard]] inline std::string authority_of(std::string_view ip, std::uint16_t port) {
    const bool v6 = ip.find(':') != std::string_view::npos;
    std::string text = v6 ? "[" + std::string(ip) + "]" : std::string(ip);
    return text + ":" + std::to_string(port);
}

/// The target of a request, as it stands in the first line.
[[nodiscard]] inline std::string target_of(const Request& request) {
    return "/" + encode_part(request.device) + "/" + encode_part(request.partition) + "/" +
           encode_part(request.hash);
}

/// The head of a REPLICATE request as Swift's replicator writes it: these four headers in this
/// order and no others (http.client adds the second; there is no Connection, no User-Agent).
/// `extra`: whole lines with their ends, for receivers of ours.
[[nodiscard]] inline std::string request_head(const Request& request, std::string_view authority,
                                              std::string_view extra = {}) {
    std::string head = "REPLICATE " + target_of(request) + " HTTP/1.1\r\nHost: ";
    head += authority;
    head += "\r\nAccept-Encoding: identity\r\nContent-Length: ";
    head += std::to_string(request.body.size());
    head += "\r\nContent-Type: application/json\r\n";
    head += extra;
    return head += "\r\n";
}

/// The head of a request without a body, such as GET or OPTIONS.
[[nodiscard]] inline std::string bare_head(std::string_view method, std::string_view path,
                                           std::string_view authority) {
    std::string head{method};
    head.append(" ").append(path).append(" HTTP/1.1\r\nHost: ").append(authority);
    return head += "\r\nAccept-Encoding: identity\r\n\r\n";
}

/// The Server header of our servers: "container-server/0.1.0 (replica of 6201)". The first part is
/// what swift-recon --validate-servers looks for. The port is the node's port in the ring: nodes
/// may share an address, and then the replica port belongs to only one of them.
[[nodiscard]] inline std::string server_name(std::string_view kind_type, std::uint16_t ring_port) {
    return std::string(kind_type) + "-server/" + version_text() + " (replica of " +
           std::to_string(ring_port) + ")";
}

/// Whether `name` is the Server header of our server, of any version, for this kind and node.
[[nodiscard]] inline bool is_server(std::string_view name, std::string_view kind_type,
                                    std::uint16_t ring_port) {
    const std::string kind = std::string(kind_type) + "-server/";
    return name.starts_with(kind) &&
           name.ends_with(" (replica of " + std::to_string(ring_port) + ")");
}

/// A moment in the form of a Date header: "Sun, 22 Nov 2026 18:53:17 GMT".
[[nodiscard]] inline std::string date_of(Timestamp moment) {
    constexpr std::string_view days = "SunMonTueWedThuFriSat";
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const std::chrono::sys_seconds since{
        std::chrono::seconds{moment.ticks / Timestamp::ticks_per_second}};
    const auto midnight = std::chrono::floor<std::chrono::days>(since);
    const std::chrono::year_month_day date{midnight};
    const std::chrono::hh_mm_ss clock{since - midnight};
    const auto two = [](auto value) {
        const std::string text = std::to_string(value);
        return text.size() < 2 ? "0" + text : text;
    };
    std::string text{days.substr(3 * std::chrono::weekday{midnight}.c_encoding(), 3)};
    text += ", " + two(static_cast<unsigned>(date.day())) + " ";
    text += months.substr(3 * (static_cast<unsigned>(date.month()) - 1), 3);
    text += " " + std::to_string(static_cast<int>(date.year())) + " ";
    text += two(clock.hours().count()) + ":" + two(clock.minutes().count()) + ":";
    return text + two(clock.seconds().count()) + " GMT";
}

/// Reads a Date header in the form above, which RFC 9110 requires of senders; empty for any other
/// text.
[[nodiscard]] inline std::optional<Timestamp> moment_of(std::string_view text) {
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (text.size() != 29 || !text.ends_with(" GMT")) {
        return std::nullopt;
    }
    const auto number = [&](std::size_t at, std::size_t digits) {
        int value = -1;
        const char* const end = text.data() + at + digits;
        const auto read = std::from_chars(text.data() + at, end, value);
        return read.ec == std::errc{} && read.ptr == end ? value : -1;
    };
    const auto month = months.find(text.substr(8, 3));
    const int day = number(5, 2);
    const int year = number(12, 4);
    const int hour = number(17, 2);
    const int minute = number(20, 2);
    const int second = number(23, 2);
    if (month == std::string_view::npos || month % 3 != 0 || day < 1 || year < 1970 || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month / 3 + 1)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) {
        return std::nullopt;
    }
    const auto since = std::chrono::sys_days{date}.time_since_epoch() + std::chrono::hours{hour} +
                       std::chrono::minutes{minute} + std::chrono::seconds{second};
    return Timestamp{std::chrono::seconds{since}.count() * Timestamp::ticks_per_second, 0};
}

/// The text with control characters replaced by blanks, so that a header stays one line.
[[nodiscard]] inline std::string one_line(std::string_view text) {
    std::string line{text};
    for (char& c : line) {
        if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
            c = ' ';
        }
    }
    return line;
}

/// The head of a reply, in Swift's order: Content-Type, `extra` (whole lines with their ends),
/// Content-Length, Date (the handler's, else `now`). A 204 has a Content-Length of 0, as in Swift;
/// its body must not be written.
[[nodiscard]] inline std::string reply_head(const Reply& reply, std::string_view extra,
                                            Timestamp now, bool keep) {
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " ";
    head += reply.reason.empty() ? std::string(reason_of(reply.status)) : one_line(reply.reason);
    if (!reply.content_type.empty()) {
        head += "\r\nContent-Type: " + one_line(reply.content_type);
    }
    head += "\r\n";
    head += extra;
    head += "Content-Length: ";
    head += std::to_string(reply.status == 204 ? 0 : reply.body.size());
    head += "\r\nDate: " + date_of(reply.date.value_or(now));
    head += keep ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
    return head;
}

} // namespace replica::http

#endif // REPLICA_BEAST_HTTP_HPP
