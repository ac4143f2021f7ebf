// The metrics of a service: the names, units and meanings of what /metrics has. Once released, a
// name keeps its meaning. packaging/prometheus and packaging/grafana are made for these names.
#ifndef REPLICA_DAEMON_METRICS_HPP
#define REPLICA_DAEMON_METRICS_HPP

#include <replica/daemon/exposition.hpp>
#include <replica/daemon/facts.hpp>
#include <replica/stats.hpp>
#include <replica/version.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace replica::daemon {

namespace detail {

/// A counter of all passes and pushes.
struct StatsMetric {
    std::string_view name;
    std::int64_t Stats::*counter;
    std::string_view help;
};

inline constexpr std::array stats_metrics{
    StatsMetric{"replica_databases_attempted", &Stats::attempted, "Databases that were opened."},
    StatsMetric{"replica_databases_at_rest", &Stats::at_rest,
                "Databases that passes did not open, since every peer has them."},
    StatsMetric{"replica_peer_turns_succeeded", &Stats::success,
                "Turns of a database and a peer after which the peer has all of it."},
    StatsMetric{"replica_failures", &Stats::failure,
                "Peers that failed, and databases that could not be read."},
    StatsMetric{"replica_in_sync_by_point", &Stats::no_change,
                "Peers that had all rows, by their sync point."},
    StatsMetric{"replica_in_sync_by_hash", &Stats::hashmatch, "Peers that had all rows, by hash."},
    StatsMetric{"replica_row_transfers", &Stats::diff, "Times that rows were sent to a peer."},
    StatsMetric{"replica_row_transfers_capped", &Stats::diff_capped,
                "Times that rows were left for the next pass (max_diffs)."},
    StatsMetric{"replica_rows_sent", &Stats::rows, "Rows sent."},
    StatsMetric{"replica_files_sent", &Stats::rsync, "Whole files sent to peers without a copy."},
    StatsMetric{"replica_files_sent_to_merge", &Stats::remote_merge,
                "Whole files sent to be merged into a copy."},
    StatsMetric{"replica_file_sent_bytes", &Stats::bytes, "Bytes of whole files sent."},
    StatsMetric{"replica_databases_removed", &Stats::remove, "Databases removed here."},
    StatsMetric{"replica_databases_kept", &Stats::kept,
                "Times that a database could not be removed yet."},
    StatsMetric{"replica_databases_quarantined", &Stats::quarantined,
                "Damaged databases that were moved aside."},
    StatsMetric{"replica_databases_reidentified", &Stats::reidentified,
                "Databases that got a new id."},
    StatsMetric{"replica_databases_diverged", &Stats::diverged,
                "Peers in sync by point whose content differed."},
    StatsMetric{"replica_databases_stale", &Stats::stale,
                "Times that a copy was found to have been away for too long."},
    StatsMetric{"replica_peers_deferred", &Stats::deferred,
                "Peers that got no rows, since those are the sharder's."},
    StatsMetric{"replica_local_errors", &Stats::errors,
                "Local files and directories that could not be read."},
};

inline void append_passes(Exposition& out, const FactsNow& facts) {
    using Type = Exposition::Type;
    const auto one = [&](std::string_view name, Type type, std::string_view help, auto number) {
        out.family(name, type, help);
        out.value(number);
    };
    out.family("replica_build", Type::info, "The program.");
    out.value(1, {{"version", version_text()}, {"kind", facts.kind}});
    one("replica_start_timestamp_seconds", Type::gauge, "When the service was started.",
        facts.started.seconds());
    one("replica_passes", Type::counter, "Passes that have come to their end.", facts.passes);
    one("replica_passes_failed", Type::counter, "Passes that could not be done.",
        facts.failed_passes);
    one("replica_pass_running", Type::gauge, "1 while a pass runs.", facts.passing ? 1 : 0);
    one("replica_pass_began_timestamp_seconds", Type::gauge,
        "When the last pass began; 0 before the first.", facts.pass_began.seconds());
    one("replica_pass_ended_timestamp_seconds", Type::gauge,
        "When the last pass ended; 0 before the end of the first.", facts.pass_ended.seconds());
    one("replica_pass_duration_seconds", Type::gauge, "How long the last pass took.",
        facts.pass_took.count());
    one("replica_pass_interval_seconds", Type::gauge,
        "From the beginning of a pass to that of the next (option interval).",
        facts.interval.count());
    one("replica_ring_unreadable", Type::gauge,
        "1 while the ring file cannot be used, and the ring that was read before counts.",
        facts.ring_unreadable ? 1 : 0);
    for (const auto& [name, counter, help] : stats_metrics) {
        one(name, Type::counter, help, facts.total.*counter);
    }
    out.family("replica_turn_duration_seconds", Type::histogram,
               "How long the turn of one database took, with all its peers.");
    out.histogram(facts.turns);
}

/// One family with a value for each entry of `map`, by `label`.
template <class Map, class Value>
void append_each(Exposition& out, const Map& map, std::string_view label, std::string_view name,
                 Exposition::Type type, std::string_view help, Value value) {
    out.family(name, type, help);
    for (const auto& [key, entry] : map) {
        out.value(value(entry), {{label, key}});
    }
}

inline void append_devices(Exposition& out, const FactsNow& facts) {
    using Type = Exposition::Type;
    const auto each = [&](std::string_view name, Type type, std::string_view help, auto value) {
        append_each(out, facts.devices, "device", name, type, help, value);
    };
    using D = DeviceFacts;
    each("replica_device_usable", Type::gauge, "0 if the last pass left the device out.",
         [&](const D& device) { return facts.holds(device.skipped) ? 0 : 1; });
    each("replica_device_brake", Type::gauge, "1 if a brake keeps databases on the device.",
         [&](const D& device) { return facts.holds(device.brake) ? 1 : 0; });
    each("replica_device_partitions", Type::gauge,
         "Partitions that the pass walks; 0 if nothing has to be walked.",
         [](const D& device) { return device.partitions; });
    each("replica_device_partitions_done", Type::gauge,
         "Of them, those that the pass has done with.",
         [](const D& device) { return device.partitions_done; });
    each("replica_device_databases", Type::gauge, "Databases that the pass has come to.",
         [](const D& device) { return device.databases; });
    each("replica_device_ledger_entries", Type::gauge,
         "Databases of which it is remembered what peers have.",
         [](const D& device) { return device.remembered; });
    each("replica_device_turns", Type::counter, "Databases that had a turn.",
         [](const D& device) { return device.turns; });
    each("replica_device_turns_failed", Type::counter,
         "Of them, those of which not every peer has all.",
         [](const D& device) { return device.failures; });
    each("replica_device_databases_removed", Type::counter, "Databases removed from the device.",
         [](const D& device) { return device.removed; });
    each("replica_device_databases_quarantined", Type::counter,
         "Damaged databases of the device that were moved aside.",
         [](const D& device) { return device.quarantined; });
}

inline void append_peers(Exposition& out, const FactsNow& facts) {
    using Type = Exposition::Type;
    const auto each = [&](std::string_view name, Type type, std::string_view help, auto value) {
        append_each(out, facts.peers, "peer", name, type, help, value);
    };
    using P = PeerFacts;
    each("replica_peer_up", Type::gauge, "0 if the peer failed the last time.",
         [](const P& peer) { return peer.answers ? 1 : 0; });
    each("replica_peer_databases_behind", Type::gauge,
         "Databases that the peer is not known to have in full.",
         [](const P& peer) { return peer.lag.databases; });
    each("replica_peer_lag_rows", Type::gauge,
         "Rows of these databases that the peer does not have, as far as is known.",
         [](const P& peer) { return peer.lag.rows; });
    each("replica_peer_lag_seconds", Type::gauge,
         "For how long one of these databases has not been on the peer in full.",
         [&](const P& peer) { return peer.lag.age(facts.at); });
    each("replica_peer_turns", Type::counter, "Turns after which the peer had all of a database.",
         [](const P& peer) { return peer.successes; });
    each("replica_peer_failures", Type::counter, "Turns in which the peer failed.",
         [](const P& peer) { return peer.failures; });
    each("replica_peer_rows_sent", Type::counter,
         "Rows sent to the peer, but for those that went along with a question.",
         [](const P& peer) { return peer.rows; });
    each("replica_peer_file_sent_bytes", Type::counter, "Bytes of whole files sent to the peer.",
         [](const P& peer) { return peer.bytes; });
    each("replica_peer_success_timestamp_seconds", Type::gauge,
         "When the peer had all of a database last; 0: not since the start.",
         [](const P& peer) { return peer.last_success.seconds(); });
    each("replica_peer_failure_timestamp_seconds", Type::gauge,
         "When the peer failed last; 0: not since the start.",
         [](const P& peer) { return peer.last_failure.seconds(); });
}

inline void append_receiver(Exposition& out, const FactsNow& facts) {
    using Type = Exposition::Type;
    const auto timed = [&](const auto& by_verb) {
        for (const auto& [verb, measured] : by_verb) {
            out.histogram(measured, {{"verb", verb}});
        }
    };
    out.family("replica_request_duration_seconds", Type::histogram,
               "How long REPLICATE requests took that were served here.");
    timed(facts.requests);
    out.family("replica_merge_duration_seconds", Type::histogram,
               "Of them, those that merged rows or took over a file.");
    timed(facts.merges);
    out.family("replica_requests_served", Type::counter, "REPLICATE requests served, by status.");
    for (const auto& [status, count] : facts.answers) {
        out.value(count, {{"status", std::to_string(status)}});
    }
}

} // namespace detail

/// The text of /metrics.
[[nodiscard]] inline std::string metrics_text(const FactsNow& facts, Exposition::Form form) {
    Exposition out(form);
    detail::append_passes(out, facts);
    detail::append_devices(out, facts);
    detail::append_peers(out, facts);
    detail::append_receiver(out, facts);
    return std::move(out).finish();
}

} // namespace replica::daemon

#endif
