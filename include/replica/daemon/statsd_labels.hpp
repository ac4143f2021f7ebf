// A metric with labels as a statsd line, in the four forms that collectors read. Newer Swifts than
// 2.30.1 send their labelled metrics so (2.36 on, LabeledStatsdClient); our names follow theirs.
#ifndef REPLICA_DAEMON_STATSD_LABELS_HPP
#define REPLICA_DAEMON_STATSD_LABELS_HPP

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace replica::daemon {

/// Who reads the labels.
enum class LabelForm {
    librato,   ///< name#a=b,c=d:1|c
    influxdb,  ///< name,a=b,c=d:1|c
    dogstatsd, ///< name:1|c|#a:b,c:d
    graphite,  ///< name;a=b;c=d:1|c
};

/// Labels by name: sorted, as Swift sends them.
using Labels = std::map<std::string, std::string, std::less<>>;

/// A metric by both of its names. One that is made of a text alone has no labels.
struct Metric {
    Metric(const char* name) : Metric(std::string_view(name)) {}
    Metric(std::string_view name) : plain(name), name(name) {}
    Metric(std::string plain_, std::string name_, Labels labels_)
        : plain(std::move(plain_)), name(std::move(name_)), labels(std::move(labels_)) {}

    std::string plain; ///< Without labels, as in 2.30.1: "removes.sda1".
    std::string name;  ///< With labels: "removes".
    Labels labels{};
};

/// The form that option `statsd_label_mode` names, case aside. Nothing if there is none.
[[nodiscard]] inline std::optional<LabelForm> label_form(std::string_view word) {
    constexpr std::array<std::pair<std::string_view, LabelForm>, 4> words{
        {{"librato", LabelForm::librato},
         {"influxdb", LabelForm::influxdb},
         {"dogstatsd", LabelForm::dogstatsd},
         {"graphite", LabelForm::graphite}}};
    const auto same = [](char a, char b) {
        return a == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b);
    };
    for (const auto& [name, form] : words) {
        if (std::ranges::equal(name, word, same)) {
            return form;
        }
    }
    return std::nullopt;
}

namespace detail {

// What a form gives a meaning to would end a value early.
[[nodiscard]] inline std::string label_value(std::string_view text) {
    std::string value(text);
    std::ranges::replace_if(
        value,
        [](char c) {
            return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' ||
                   std::string_view(",:;|#=@").find(c) != std::string_view::npos;
        },
        '_');
    return value;
}

} // namespace detail

/// The line of one metric. `value` is its number with all that follows: "1|c" or "2.5|ms|@0.5".
[[nodiscard]] inline std::string labelled_line(LabelForm form, std::string_view name,
                                               std::string_view value, const Labels& labels) {
    const bool is_last = form == LabelForm::dogstatsd;
    std::string joined;
    for (const auto& [key, text] : labels) {
        const bool first = joined.empty();
        switch (form) {
        case LabelForm::librato:
            joined += first ? '#' : ',';
            break;
        case LabelForm::influxdb:
            joined += ',';
            break;
        case LabelForm::dogstatsd:
            joined += first ? "|#" : ",";
            break;
        case LabelForm::graphite:
            joined += ';';
            break;
        }
        joined += key + (is_last ? ':' : '=') + detail::label_value(text);
    }
    std::string line(name);
    line += (is_last ? "" : joined) + ':' + std::string(value) + (is_last ? joined : "");
    return line;
}

} // namespace replica::daemon

#endif // REPLICA_DAEMON_STATSD_LABELS_HPP
