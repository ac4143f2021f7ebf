// What /status.json says: the facts of a service for programs and for the page. Once released, a
// name keeps its meaning; names are added. Times are seconds since 1970, 0 if it has not been;
// durations are seconds. doc/operations.md explains each name.
#ifndef REPLICA_DAEMON_STATUS_JSON_HPP
#define REPLICA_DAEMON_STATUS_JSON_HPP

#include <replica/daemon/facts.hpp>
#include <replica/version.hpp>
#include <replica/words/members.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace replica::daemon {

namespace detail {

/// How much of a device the pass has done, 0 to 1; null while nobody can say.
[[nodiscard]] inline boost::json::value progress_of(const DeviceFacts& device) {
    if (device.walked) {
        return 1.0;
    }
    if (device.partitions == 0) {
        return nullptr;
    }
    return static_cast<double>(device.partitions_done) / static_cast<double>(device.partitions);
}

/// How long the device will take yet; null while nobody can say, as before the first pass.
[[nodiscard]] inline boost::json::value left_of(const DeviceFacts& device, const FactsNow& facts) {
    const bool unknown = device.partitions == 0 || (facts.passing && device.partitions_done == 0);
    if (unknown && !device.walked) {
        return nullptr;
    }
    if (!facts.passing || device.walked) {
        return 0.0;
    }
    const double passed = std::max(0.0, facts.at.seconds() - facts.pass_began.seconds());
    return passed * static_cast<double>(device.partitions - device.partitions_done) /
           static_cast<double>(device.partitions_done);
}

[[nodiscard]] inline boost::json::array devices_of(const FactsNow& facts) {
    boost::json::array list;
    for (const auto& [name, device] : facts.devices) {
        const bool out = facts.holds(device.skipped);
        const bool braked = facts.holds(device.brake);
        list.push_back(boost::json::object{
            {"device", name},
            {"usable", !out},
            {"reason", out ? device.skipped.reason : ""},
            {"brake", braked ? device.brake.reason : ""},
            {"progress", progress_of(device)},
            {"left", left_of(device, facts)},
            {"partitions", device.partitions},
            {"partitions_done", device.partitions_done},
            {"databases", device.databases},
            {"remembered", device.remembered},
            {"turns", device.turns},
            {"turns_failed", device.failures},
            {"removed", device.removed},
            {"quarantined", device.quarantined},
        });
    }
    return list;
}

[[nodiscard]] inline boost::json::array peers_of(const FactsNow& facts) {
    boost::json::array list;
    for (const auto& [name, peer] : facts.peers) {
        list.push_back(boost::json::object{
            {"peer", name},
            {"up", peer.answers},
            {"reason", peer.answers ? "" : peer.reason},
            {"databases_behind", peer.lag.databases},
            {"rows_behind", peer.lag.rows},
            {"lag", peer.lag.age(facts.at)},
            {"turns", peer.successes},
            {"failures", peer.failures},
            {"rows_sent", peer.rows},
            {"bytes_sent", peer.bytes},
            {"last_success", peer.last_success.seconds()},
            {"last_failure", peer.last_failure.seconds()},
        });
    }
    return list;
}

[[nodiscard]] inline boost::json::array failures_of(const FactsNow& facts) {
    boost::json::array list;
    for (const NotedFailure& failure : facts.failures) {
        list.push_back(boost::json::object{
            {"word", failure.word},
            {"subject", failure.subject},
            {"what", failure.what},
            {"advice", advice_for(failure.word)},
            {"count", failure.count},
            {"first", failure.first.seconds()},
            {"last", failure.last.seconds()},
            {"over_since", failure.over_since.seconds()},
        });
    }
    return list;
}

[[nodiscard]] inline boost::json::object figures_of(const Stats& stats) {
    boost::json::object figures;
    boost::hana::for_each(boost::hana::accessors<Stats>(), [&](const auto& accessor) {
        figures[boost::hana::first(accessor).c_str()] = boost::hana::second(accessor)(stats);
    });
    return figures;
}

} // namespace detail

/// The content of /status.json.
[[nodiscard]] inline boost::json::object status_json(const FactsNow& facts) {
    boost::json::object pass{
        {"running", facts.passing},
        {"passes", facts.passes},
        {"passes_failed", facts.failed_passes},
        {"began", facts.pass_began.seconds()},
        {"ended", facts.pass_ended.seconds()},
        {"took", facts.pass_took.count()},
        {"interval", facts.interval.count()},
        {"databases", facts.last_databases},
        {"figures", detail::figures_of(facts.last)},
    };
    return {
        {"version", version_text()},
        {"kind", facts.kind},
        {"at", facts.at.seconds()},
        {"started", facts.started.seconds()},
        {"pass", std::move(pass)},
        {"devices", detail::devices_of(facts)},
        {"peers", detail::peers_of(facts)},
        {"failures", detail::failures_of(facts)},
        {"totals", detail::figures_of(facts.total)},
    };
}

} // namespace replica::daemon

#endif
