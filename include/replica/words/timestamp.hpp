#ifndef REPLICA_WORDS_TIMESTAMP_HPP
#define REPLICA_WORDS_TIMESTAMP_HPP

// Swift's time. Times are stored, compared and hashed as text of a fixed width
// ("1402464677.04188"). A round trip must give back the same sixteen characters, so a time is an
// integer of 10 microsecond ticks and never a double. An offset after an underscore
// ("..._000000000000000a") orders rewrites made at the same instant. An object row's created_at
// packs up to three times into one text ("1402464677.04188+a-3": data, content type, metadata;
// deltas in hexadecimal ticks).

#include <array>
#include <charconv>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace replica {

/// Seconds with fractions, as in options.
using Seconds = std::chrono::duration<double>;

/// A moment of wall time: a value, ordered by ticks and then by offset.
struct Timestamp {
    static constexpr std::int64_t ticks_per_second = 100'000; ///< One is 10 microseconds.
    static constexpr std::int64_t max_ticks =
        10'000'000'000 * ticks_per_second; ///< No text has more digits.

    std::int64_t ticks = 0;   ///< 10 microseconds each, since 1970-01-01 UTC.
    std::uint64_t offset = 0; ///< Orders rewrites of one moment; 0 is not written.

    friend constexpr auto operator<=>(const Timestamp&, const Timestamp&) = default;

    /// Whole and fractional seconds since 1970.
    [[nodiscard]] constexpr double seconds() const {
        return static_cast<double>(ticks) / static_cast<double>(ticks_per_second);
    }

    /// Rounded to the nearest tick.
    [[nodiscard]] static constexpr Timestamp from_seconds(double seconds) {
        const double scaled = seconds * static_cast<double>(ticks_per_second);
        return {static_cast<std::int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5)), 0};
    }

    /// Later by `by`, earlier if `by` is negative; never below zero. Drops the offset.
    [[nodiscard]] constexpr Timestamp plus(Seconds by) const {
        const Timestamp delta = from_seconds(by.count());
        return {ticks + delta.ticks < 0 ? 0 : ticks + delta.ticks, 0};
    }

    /// "1402464677.04188": ten digits, a point, five digits. Swift calls it normal.
    [[nodiscard]] std::string normal() const {
        std::string text(16, '0');
        std::int64_t rest = ticks;
        for (std::size_t at = text.size(); at-- > 0;) {
            if (at == 10) {
                text[at] = '.';
                continue;
            }
            text[at] = static_cast<char>('0' + rest % 10);
            rest /= 10;
        }
        return text;
    }

    /// normal(), with the offset after an underscore unless it is zero. Swift calls it internal.
    [[nodiscard]] std::string internal() const {
        std::string text = normal();
        if (offset != 0) {
            text += '_';
            for (int shift = 60; shift >= 0; shift -= 4) {
                text += "0123456789abcdef"[(offset >> shift) & 0xfU];
            }
        }
        return text;
    }

    /// As internal(), but the offset without leading zeros: the form in a row's created_at, and so
    /// in the hash of the rows. Swift calls it short.
    [[nodiscard]] std::string shortened() const {
        std::string text = normal();
        if (offset != 0) {
            std::array<char, 16> digits{};
            const auto end =
                std::to_chars(digits.data(), digits.data() + digits.size(), offset, 16);
            text.append("_").append(digits.data(), end.ptr);
        }
        return text;
    }

    /// Reads what Swift writes: digits, optionally a fraction (rounded to ticks), optionally an
    /// offset; and the bare "0" of a database that was never deleted (defect 56). No sign, no
    /// blanks, no exponent, no digit separators: a float parser that takes "1_0" would misread an
    /// offset as digits. Nothing for any other text, and from 10^10 seconds on, which a fraction
    /// may be rounded to (defect 111).
    [[nodiscard]] static constexpr std::optional<Timestamp> parse(std::string_view text) {
        Timestamp result;
        std::size_t at = 0;
        const auto digit = [&] { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
        if (!digit()) {
            return std::nullopt;
        }
        std::int64_t whole = 0;
        for (; digit(); ++at) {
            whole = whole * 10 + (text[at] - '0');
            if (whole >= max_ticks / ticks_per_second) {
                return std::nullopt;
            }
        }
        std::int64_t fraction = 0;
        if (at < text.size() && text[at] == '.') {
            ++at;
            std::int64_t scale = ticks_per_second / 10;
            for (; digit(); ++at) {
                if (scale > 0) {
                    fraction += scale * (text[at] - '0');
                } else if (scale == 0) {
                    fraction += text[at] >= '5' ? 1 : 0;
                }
                scale = scale > 0 ? scale / 10 : -1;
            }
        }
        result.ticks = whole * ticks_per_second + fraction;
        if (result.ticks >= max_ticks) {
            return std::nullopt;
        }
        if (at < text.size() && text[at] == '_') {
            const std::string_view hex = text.substr(at + 1);
            if (hex.empty() || hex.size() > 16) {
                return std::nullopt;
            }
            for (const char c : hex) {
                const int value = hex_value(c);
                if (value < 0) {
                    return std::nullopt;
                }
                result.offset = result.offset * 16 + static_cast<std::uint64_t>(value);
            }
            at = text.size();
        }
        return at == text.size() ? std::optional(result) : std::nullopt;
    }

private:
    static constexpr int hex_value(char c) {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        if (c >= 'a' && c <= 'f') {
            return c - 'a' + 10;
        }
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    }
};

/// Parses a time. Any other text is 0, as the empty and null values of old databases are in Swift.
[[nodiscard]] constexpr Timestamp timestamp_or_zero(std::string_view text) {
    return Timestamp::parse(text).value_or(Timestamp{});
}

/// The three times in an object row's created_at.
struct RowTimes {
    Timestamp data;         ///< The PUT or DELETE of the object.
    Timestamp content_type; ///< The last change of its content type.
    Timestamp metadata;     ///< The last POST.

    friend constexpr auto operator<=>(const RowTimes&, const RowTimes&) = default;

    /// Swift's encode_timestamps: no deltas if both are zero.
    [[nodiscard]] std::string encode() const {
        const std::int64_t to_type = content_type.ticks - data.ticks;
        const std::int64_t to_metadata = metadata.ticks - content_type.ticks;
        std::string text = data.shortened();
        if (to_type != 0 || to_metadata != 0) {
            append_delta(text, to_type);
            append_delta(text, to_metadata);
        }
        return text;
    }

    /// Swift's decode_timestamps: a missing part equals the one before it, offset included. Nothing
    /// if the text has another form.
    [[nodiscard]] static std::optional<RowTimes> decode(std::string_view text) {
        const std::size_t first = text.find_first_of("+-");
        const auto data = Timestamp::parse(text.substr(0, first));
        if (!data) {
            return std::nullopt;
        }
        RowTimes times{*data, *data, *data};
        if (first == std::string_view::npos) {
            return times;
        }
        const std::size_t second = text.find_first_of("+-", first + 1);
        const auto to_type = delta(text.substr(first, second - first));
        if (!to_type || !shift(times.content_type, *to_type)) {
            return std::nullopt;
        }
        times.metadata = times.content_type;
        if (second == std::string_view::npos) {
            return times;
        }
        const auto to_metadata = delta(text.substr(second));
        if (!to_metadata || !shift(times.metadata, *to_metadata)) {
            return std::nullopt;
        }
        return times;
    }

private:
    static void append_delta(std::string& text, std::int64_t ticks) {
        std::array<char, 24> digits{};
        const auto end =
            std::to_chars(digits.begin(), digits.end(), ticks < 0 ? -ticks : ticks, 16);
        text += ticks < 0 ? '-' : '+';
        text.append(digits.begin(), end.ptr);
    }

    static std::optional<std::int64_t> delta(std::string_view text) {
        std::int64_t value = 0;
        const char* const end = text.data() + text.size();
        const auto read = std::from_chars(text.data() + 1, end, value, 16);
        if (text.size() < 2 || text[1] == '-' || read.ec != std::errc{} || read.ptr != end ||
            value > Timestamp::max_ticks) {
            return std::nullopt;
        }
        return text.front() == '-' ? -value : value;
    }

    static bool shift(Timestamp& time, std::int64_t ticks) {
        if (ticks != 0) {
            time = {time.ticks + ticks, 0};
        }
        return time.ticks >= 0 && time.ticks < Timestamp::max_ticks;
    }
};

} // namespace replica

#endif // REPLICA_WORDS_TIMESTAMP_HPP
