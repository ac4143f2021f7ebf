// All nodes side by side, out of what each says of itself in /status.json
// (include/replica/daemon/status_json.hpp).
#ifndef REPLICA_TOOL_STATUS_HPP
#define REPLICA_TOOL_STATUS_HPP

#include <replica/tool/text.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica::tool {

/// One node: what it says, or why it says nothing.
struct NodeStatus {
    std::string node;                            ///< "10.0.0.1:16201".
    std::optional<boost::json::object> status{}; ///< Nothing: see `fault`.
    std::string fault{};
};

/// How all nodes are. A node that does not answer is worse than one that is in trouble.
enum class Health {
    well,
    trouble, ///< A device, a brake or a peer is not as it should be, a peer is behind, or another
             ///< failure is not over.
    silent,  ///< At least one node did not answer.
};

namespace detail {

/// Values of an answer that may be of another version: what is missing counts as nothing.
[[nodiscard]] inline const boost::json::value& at(const boost::json::object& from,
                                                  std::string_view name) {
    static const boost::json::value nothing;
    const auto* const found = from.if_contains(name);
    return found == nullptr ? nothing : *found;
}

[[nodiscard]] inline double number(const boost::json::value& value) {
    return value.is_double()   ? value.get_double()
           : value.is_int64()  ? static_cast<double>(value.get_int64())
           : value.is_uint64() ? static_cast<double>(value.get_uint64())
                               : 0;
}

[[nodiscard]] inline bool is(const boost::json::value& value) {
    return value.is_bool() && value.get_bool();
}

[[nodiscard]] inline std::string text(const boost::json::value& value) {
    return value.is_string() ? printable({value.get_string().data(), value.get_string().size()})
                             : std::string();
}

/// Each object of the list `name`.
template <class Use>
void each(const boost::json::object& from, std::string_view name, Use use) {
    if (const auto* const list = at(from, name).if_array()) {
        for (const auto& entry : *list) {
            if (const auto* const object = entry.if_object()) {
                use(*object);
            }
        }
    }
}

/// "90 s", "4 min", "3 h", "2 days".
[[nodiscard]] inline std::string span(double seconds) {
    const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
    return whole < 120      ? std::to_string(whole) + " s"
           : whole < 7200   ? std::to_string(whole / 60) + " min"
           : whole < 172800 ? std::to_string(whole / 3600) + " h"
                            : std::to_string(whole / 86400) + " days";
}

[[nodiscard]] inline std::string count(double number) {
    return std::to_string(static_cast<std::int64_t>(number));
}

/// "1 row", "2 rows".
[[nodiscard]] inline std::string count(double number, const std::string& noun) {
    const std::string digits = count(number);
    return digits + ' ' + noun + (digits == "1" ? "" : "s");
}

/// What the pass of a node does.
[[nodiscard]] inline std::string pass_of(const boost::json::object& status) {
    const auto* const pass = at(status, "pass").if_object();
    if (pass == nullptr) {
        return "?";
    }
    const double now = number(at(status, "at"));
    if (!is(at(*pass, "running"))) {
        const double ended = number(at(*pass, "ended"));
        return ended > 0 ? "ended " + span(now - ended) + " ago" : "none yet";
    }
    double least = 1;
    each(status, "devices", [&](const boost::json::object& device) {
        least = std::min(least, number(at(device, "progress")));
    });
    return "runs " + span(now - number(at(*pass, "began"))) + ", " + count(100 * least) + " %";
}

/// Whether a node that has ended a pass found no device of its ring to be its own.
[[nodiscard]] inline bool has_no_device(const boost::json::object& status) {
    const auto* const pass = at(status, "pass").if_object();
    const auto* const devices = at(status, "devices").if_array();
    return pass != nullptr && number(at(*pass, "ended")) > 0 && devices != nullptr &&
           devices->empty();
}

/// Whether a failure is not over. A node that cannot tell has no `over_since`; what it says of its
/// ring it takes back by itself.
[[nodiscard]] inline bool goes_on(const boost::json::object& failure) {
    return failure.contains("over_since") ? number(at(failure, "over_since")) == 0
                                          : text(at(failure, "word")) == "ring";
}

/// The failures of a node that are not over, each of which is told once.
class Untold {
public:
    explicit Untold(const boost::json::object& status) : now_(number(at(status, "at"))) {
        each(status, "failures", [&](const boost::json::object& failure) {
            if (goes_on(failure)) {
                failures_.push_back(failure);
            }
        });
    }

    /// What to do about a reason that another line tells of `subject`: a line, or nothing.
    [[nodiscard]] std::string advice(const std::string& subject, const std::string& reason) {
        std::string line;
        std::erase_if(failures_, [&](const boost::json::object& failure) {
            const bool same =
                text(at(failure, "subject")) == subject && text(at(failure, "what")) == reason;
            line = same ? advice_of(failure) : line;
            return same;
        });
        return line;
    }

    void forget(std::string_view word) {
        std::erase_if(failures_, [&](const boost::json::object& failure) {
            return text(at(failure, "word")) == word;
        });
    }

    /// Calls `tell` with each that is left.
    template <class Tell>
    void tell_rest(Tell tell) const {
        for (const boost::json::object& failure : failures_) {
            const double ago = std::max(0.0, now_ - number(at(failure, "last")));
            tell(text(at(failure, "word")) + ", " + text(at(failure, "subject")) + ": " +
                 text(at(failure, "what")) + " (" + count(number(at(failure, "count")), "time") +
                 ", last " + span(ago) + " ago)" + advice_of(failure));
        }
    }

private:
    [[nodiscard]] static std::string advice_of(const boost::json::object& failure) {
        const std::string advice = text(at(failure, "advice"));
        return advice.empty() ? "" : "\n  " + advice;
    }

    double now_;
    std::vector<boost::json::object> failures_{};
};

/// What is wrong with a peer, and what to do; empty if nothing is.
[[nodiscard]] inline std::string trouble_of(const boost::json::object& peer, Untold& untold) {
    const std::string name = text(at(peer, "peer"));
    const double late = number(at(peer, "databases_behind"));
    if (!is(at(peer, "up"))) {
        const std::string reason = text(at(peer, "reason"));
        return "peer " + name + " fails: " + reason + untold.advice(name, reason);
    }
    return late > 0 ? "peer " + name + " is behind: " + count(late, "database") + ", " +
                          count(number(at(peer, "rows_behind")), "row") + ", the oldest for " +
                          span(number(at(peer, "lag")))
                    : std::string();
}

} // namespace detail

[[nodiscard]] inline Health health_of(const std::vector<NodeStatus>& nodes) {
    Health health = Health::well;
    for (const NodeStatus& node : nodes) {
        if (!node.status) {
            return Health::silent;
        }
        const auto worse = [&](bool bad) { health = bad ? Health::trouble : health; };
        worse(detail::has_no_device(*node.status));
        detail::each(*node.status, "devices", [&](const boost::json::object& device) {
            worse(!detail::is(detail::at(device, "usable")) ||
                  !detail::text(detail::at(device, "brake")).empty());
        });
        detail::each(*node.status, "peers", [&](const boost::json::object& peer) {
            worse(!detail::is(detail::at(peer, "up")) ||
                  detail::number(detail::at(peer, "databases_behind")) > 0);
        });
        detail::each(*node.status, "failures",
                     [&](const boost::json::object& failure) { worse(detail::goes_on(failure)); });
    }
    return health;
}

/// A line for each node, and below it what is wrong where, and what to do.
[[nodiscard]] inline std::string status_text(const std::vector<NodeStatus>& nodes) {
    std::vector<std::vector<std::string>> rows{{"NODE", "KIND", "VERSION", "PASS", "DATABASES",
                                                "DEVICES", "PEERS", "BEHIND", "ROWS", "LAG"}};
    std::string wrong;
    for (const NodeStatus& node : nodes) {
        if (!node.status) {
            rows.push_back({node.node, "-", "-", "no answer"});
            const std::string name = node.node + ": "; // a fault may name the node itself
            wrong +=
                "\n" + (node.fault.starts_with(name) ? "" : name) + printable(node.fault) + "\n";
            continue;
        }
        const auto& status = *node.status;
        double databases = 0;
        double devices = 0;
        double usable = 0;
        double peers = 0;
        double up = 0;
        double behind = 0;
        double missing = 0;
        double lag = 0;
        const auto tell = [&](const std::string& what) {
            wrong += '\n' + node.node + ": " + what + '\n';
        };
        detail::Untold untold(status);
        const auto tell_why = [&](const std::string& what, const std::string& subject,
                                  const std::string& reason) {
            tell(what + reason + untold.advice(subject, reason));
        };
        detail::each(status, "devices", [&](const boost::json::object& device) {
            const bool used = detail::is(detail::at(device, "usable"));
            const std::string name = detail::text(detail::at(device, "device"));
            const std::string brake = detail::text(detail::at(device, "brake"));
            ++devices;
            usable += used ? 1 : 0;
            databases += detail::number(detail::at(device, "databases"));
            if (!used) {
                tell_why(name + " is left out: ", name, detail::text(detail::at(device, "reason")));
            }
            if (!brake.empty()) {
                tell_why(std::string("a brake holds on ").append(name).append(": "), name, brake);
            }
        });
        if (detail::has_no_device(status)) {
            tell("no device of its ring is one of this node: see bind_port and the ring");
            untold.forget("not_in_ring");
        }
        detail::each(status, "peers", [&](const boost::json::object& peer) {
            ++peers;
            up += detail::is(detail::at(peer, "up")) ? 1 : 0;
            behind += detail::number(detail::at(peer, "databases_behind"));
            missing += detail::number(detail::at(peer, "rows_behind"));
            lag = std::max(lag, detail::number(detail::at(peer, "lag")));
            if (const auto line = detail::trouble_of(peer, untold); !line.empty()) {
                tell(line);
            }
        });
        untold.tell_rest(tell);
        rows.push_back({node.node, detail::text(detail::at(status, "kind")),
                        detail::text(detail::at(status, "version")), detail::pass_of(status),
                        detail::count(databases),
                        detail::count(usable) + "/" + detail::count(devices),
                        detail::count(up) + "/" + detail::count(peers), detail::count(behind),
                        detail::count(missing), lag > 0 ? detail::span(lag) : "-"});
    }
    return table_of(rows) + wrong;
}

/// The same for programs: each node's own JSON, or {"fault": reason}.
[[nodiscard]] inline boost::json::object status_object(const std::vector<NodeStatus>& nodes) {
    boost::json::object all;
    for (const NodeStatus& node : nodes) {
        all[node.node] = node.status ? *node.status : boost::json::object{{"fault", node.fault}};
    }
    return {{"nodes", std::move(all)}};
}

} // namespace replica::tool

#endif
