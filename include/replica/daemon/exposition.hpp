// Writes metrics as Prometheus reads them: OpenMetrics 1.0, and the older text format, which tools
// such as promtool read. No C++ client is packaged for Debian 12 that has the newer of the two.
#ifndef REPLICA_DAEMON_EXPOSITION_HPP
#define REPLICA_DAEMON_EXPOSITION_HPP

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace replica::daemon {

/// Counts of durations by length, in buckets that are the same for all. Not thread safe.
class Histogram {
public:
    /// The upper bounds of the buckets, in seconds. Longer durations are counted in the last one.
    static constexpr std::array bounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                       0.5,   1.0,    2.5,   5.0,  10.0,  30.0, 60.0};

    void observe(double seconds) {
        const auto bound = std::ranges::lower_bound(bounds, seconds);
        ++counts_[static_cast<std::size_t>(bound - bounds.begin())];
        sum_ += seconds;
    }

    /// By bucket, not added up.
    [[nodiscard]] const auto& counts() const { return counts_; }

    /// Of all durations, in seconds.
    [[nodiscard]] double sum() const { return sum_; }

private:
    std::array<std::uint64_t, bounds.size() + 1> counts_{};
    double sum_ = 0;
};

/// A text of metrics, family by family. Not thread safe.
class Exposition {
public:
    enum class Form {
        openmetrics,
        text
    };
    enum class Type {
        counter,
        gauge,
        histogram,
        info
    };
    using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    explicit Exposition(Form form) : form_(form) {}

    /// Begins a family. `name` has no suffix for its type; one that ends in _seconds or _bytes has
    /// that unit. `help` is a sentence without line ends.
    void family(std::string_view name, Type type, std::string_view help) {
        constexpr std::array<std::string_view, 4> types{"counter", "gauge", "histogram", "info"};
        constexpr std::array<std::string_view, 4> suffixes{"_total", "", "", "_info"};
        suffix_ = suffixes[static_cast<std::size_t>(type)];
        name_ = name;
        const bool old = form_ == Form::text;
        const std::string title = name_ + std::string(old ? suffix_ : "");
        const bool plain = old && type == Type::info;
        text_ += "# TYPE " + title + ' ';
        text_ += plain ? "gauge" : types[static_cast<std::size_t>(type)];
        text_ += '\n';
        for (const std::string_view unit : {"seconds", "bytes"}) {
            if (!old && name.ends_with('_' + std::string(unit))) {
                text_ += "# UNIT " + title + ' ' + std::string(unit) + '\n';
            }
        }
        text_ += "# HELP " + title + ' ' + std::string(help) + '\n';
    }

    /// One value of the family that was begun last.
    template <class N>
        requires std::integral<N> || std::floating_point<N>
    void value(N number, Labels labels = {}) {
        sample(suffix_, labels, {}, in_digits(number));
    }

    void histogram(const Histogram& measured, Labels labels = {}) {
        std::uint64_t so_far = 0;
        for (std::size_t i = 0; i < Histogram::bounds.size(); ++i) {
            so_far += measured.counts()[i];
            std::string bound = in_digits(Histogram::bounds[i]);
            bound += bound.find('.') == bound.npos ? ".0" : "";
            sample("_bucket", labels, bound, in_digits(so_far));
        }
        so_far += measured.counts().back();
        sample("_bucket", labels, "+Inf", in_digits(so_far));
        sample("_count", labels, {}, in_digits(so_far));
        sample("_sum", labels, {}, in_digits(measured.sum()));
    }

    /// All of it, and its end.
    [[nodiscard]] std::string finish() && {
        return std::move(text_) + (form_ == Form::openmetrics ? "# EOF\n" : "");
    }

    [[nodiscard]] static std::string content_type(Form form) {
        return form == Form::openmetrics
                   ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                   : "text/plain; version=0.0.4; charset=utf-8";
    }

private:
    template <class N>
    [[nodiscard]] static std::string in_digits(N number) {
        char digits[64];
        return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
    }

    void sample(std::string_view suffix, Labels labels, std::string_view bound,
                const std::string& number) {
        text_ += name_;
        text_ += suffix;
        char before = '{';
        const auto label = [&](std::string_view name, std::string_view value) {
            text_ += std::exchange(before, ',');
            text_ += name;
            text_ += "=\"";
            for (const char c : value) {
                text_ += c == '\n' ? "\\n" : c == '"' ? "\\\"" : c == '\\' ? "\\\\" : "";
                if (c != '\n' && c != '"' && c != '\\') {
                    text_ += c;
                }
            }
            text_ += '"';
        };
        for (const auto& [name, value] : labels) {
            label(name, value);
        }
        if (!bound.empty()) {
            label("le", bound);
        }
        text_ += before == ',' ? "} " : " ";
        text_ += number;
        text_ += '\n';
    }

    Form form_;
    std::string name_{};
    std::string_view suffix_{};
    std::string text_{};
};

} // namespace replica::daemon

#endif
