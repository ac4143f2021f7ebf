// `replica repair`: replicates some databases now, in passes of their own beside the service, and
// says for each peer what was sent and whether the two are identical afterwards.
#ifndef REPLICA_EXAMPLE_REPLICA_TOOL_REPAIR_HPP
#define REPLICA_EXAMPLE_REPLICA_TOOL_REPAIR_HPP

#include "node.hpp"
#include "options.hpp"
#include <replica/clock.hpp>
#include <replica/daemon/config.hpp>
#include <replica/daemon/daemon.hpp>
#include <replica/daemon/observer.hpp>
#include <replica/daemon/run.hpp>
#include <replica/daemon/statsd.hpp>
#include <replica/daemon/status.hpp>
#include <replica/error.hpp>
#include <replica/process/rsync.hpp>
#include <replica/replicator.hpp>
#include <replica/send/first_of.hpp>
#include <replica/send/push_file.hpp>
#include <replica/storage/place.hpp>
#include <replica/tool/progress.hpp>
#include <replica/tool/repair.hpp>
#include <replica/tool/text.hpp>
#include <replica/tool/verify.hpp>

#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::commands {

/// The paths of the files as a daemon has them. Throws Failure if one is in no device's tree, and
/// ConfigError if its device is none of the configuration's.
inline std::vector<Place> places_of(const Options& options, const std::string& devices,
                                    std::string_view datadir) {
    std::vector<Place> places;
    for (const std::string& path : options.databases) {
        places.push_back(Place::of(path, datadir));
        if (std::filesystem::path(storage::parent(places.back().device)) !=
            std::filesystem::path(devices).lexically_normal()) {
            throw daemon::ConfigError(path + ": is on no device below " + devices + ", where " +
                                      options.config + " has them");
        }
    }
    return places;
}

/// In so many passes a database has got all of its rows over, whatever max_diffs is.
inline constexpr int repair_passes = 1000;

/// Passes over the databases until no peer is left with rows that max_diffs has cut off.
template <class B>
[[nodiscard]] std::map<std::string, tool::DatabaseRepair>
repair_by_passes(daemon::Context& context, const std::vector<Place>& places) {
    const daemon::DaemonSettings& settings = context.settings;
    const Settings& engine = settings;
    constexpr std::string_view kind = B::kind_type::name;
    const auto secrets = daemon::read_secrets(settings.shared_secret_file);
    BeastTransport transport = daemon::detail::make_transport(engine, kind, secrets);
    FirstOf files(PushFileSync(transport, engine), RsyncFileSync(engine, kind));
    // A thread that hangs in a dead disk keeps the observer, and what it uses, for as long as it
    // does.
    const auto statsd = std::make_shared<daemon::Statsd>(settings);
    tool::RepairObserver observer(daemon::StatusObserver(
        daemon::DaemonObserver(settings, kind, context.log, *statsd), context.status, statsd));
    const auto progress = std::make_shared<tool::Progress<SystemClock>>(
        SystemClock(), std::cerr, ::isatty(STDERR_FILENO) == 1);
    observer.on_end([progress, all = places.size()](std::size_t ended) {
        progress->at(ended, all, "databases");
    });
    Replicator replicator(engine, daemon::detail::make_broker<B>(settings),
                          daemon::detail::make_ring(settings, kind, context.log),
                          std::move(transport), std::move(files), SystemClock(),
                          daemon::detail::is_local_by(engine), observer);
    int passes = 0;
    do {
        const Stats stats = replicator.run_once(context.stop, {{}, {}, places});
        static_cast<void>(stats);
    } while (observer.again() && ++passes < repair_passes && !context.stop.stop_requested());
    return observer.found();
}

[[nodiscard]] inline std::string_view word_of(const tool::Finding* finding) {
    return finding == nullptr                           ? ""
           : finding->verdict == tool::Verdict::same    ? "same"
           : finding->verdict == tool::Verdict::differs ? "differs"
                                                        : "unknown";
}

inline void print(const Options& options, const std::string& path, const std::string& peer,
                  const tool::PeerRepair& repair, const tool::Finding* finding) {
    const std::string_view identical = word_of(finding);
    if (options.json) {
        auto line = tool::repair_line(path, peer, repair, identical);
        if (finding != nullptr && identical != "same") {
            line["in"] = boost::json::value_from(finding->in);
            line["why"] = repair.why.empty() ? finding->why : repair.why;
        }
        std::cout << boost::json::serialize(line) << std::endl;
        return;
    }
    std::cout << "  " << peer << "  " << repair.result() << ", " << repair.rows << " rows, "
              << repair.bytes << " bytes of files" << (identical.empty() ? "" : ", ")
              << (identical == "same" ? "identical now" : identical);
    // Of a peer that failed the pass knows the reason better than the comparison.
    const bool told = !repair.why.empty();
    std::cout << (told      ? "  " + tool::printable(repair.why)
                  : finding ? finding->text()
                            : "")
              << std::endl;
}

/// Prints the lines of a database: what is wrong with the copy here, each peer that the pass came
/// to, and what the comparison found besides.
inline void print(const Options& options, const std::string& path,
                  const tool::DatabaseRepair& repair, const std::vector<tool::Finding>& compared) {
    const std::string what = tool::trouble_of(repair);
    if (!options.json) {
        std::cout << tool::printable(path) << (what.empty() ? "" : "  " + tool::printable(what))
                  << std::endl;
    } else if (!what.empty()) {
        std::cout << boost::json::serialize(
                         boost::json::object{{"database", path},
                                             {"result", repair.gone ? "gone" : "held"},
                                             {"why", what}})
                  << std::endl;
    }
    for (const auto& [peer, each] : repair.peers) {
        print(options, path, peer, each, tool::finding_of(compared, peer));
    }
    for (const tool::Finding& each : compared) {
        if (each.verdict == tool::Verdict::same || repair.peers.contains(each.peer)) {
            continue;
        }
        if (options.json) {
            std::cout << boost::json::serialize(
                             boost::json::object{{"database", path},
                                                 {"peer", each.peer},
                                                 {"afterwards", std::string(word_of(&each))},
                                                 {"in", boost::json::value_from(each.in)},
                                                 {"why", each.why}})
                      << std::endl;
            continue;
        }
        std::cout << "  " << (each.peer.empty() ? "the copy here" : each.peer) << "  "
                  << word_of(&each) << each.text() << std::endl;
    }
}

/// Compares as `verify` does: twice, since a write on its way is no difference.
template <class Verifier>
[[nodiscard]] std::vector<tool::Finding> compare(Verifier& verifier, const std::string& path,
                                                 const std::stop_token& stop) {
    const auto is_same = [](const tool::Finding& one) {
        return one.verdict == tool::Verdict::same;
    };
    auto compared = verifier.check(path);
    if (!std::ranges::all_of(compared, is_same) && !stop.stop_requested()) {
        SystemClock().sleep_until(SystemClock().monotonic() + to_duration(Seconds(2)), stop);
        compared = verifier.check(path);
    }
    return compared;
}

template <class B>
int repair(const Options& options, daemon::Context& context, const daemon::Config& config,
           const std::vector<Place>& places) {
    Node<B> node(config);
    auto found = repair_by_passes<B>(context, places);
    std::random_device random;
    tool::Verifier verifier(node.engine(), node.broker, node.ring, node.transport, node.local,
                            std::uint64_t{random()} << 32U | random(), context.stop);
    auto verdict = tool::RepairVerdict::well;
    for (const Place& place : places) {
        const auto& repaired = found[place.directory];
        const std::string& path = repaired.met ? repaired.path : place.path();
        const auto compared = repaired.met && !repaired.gone ? compare(verifier, path, context.stop)
                                                             : std::vector<tool::Finding>();
        print(options, path, repaired, compared);
        verdict = tool::worse(verdict, tool::verdict_of(repaired, compared));
    }
    if (context.stop.stop_requested()) {
        std::cerr << "replica: stopped before all was done" << std::endl;
        return cannot;
    }
    return verdict == tool::RepairVerdict::well     ? fine
           : verdict == tool::RepairVerdict::silent ? silent
                                                    : trouble;
}

/// Does as a single pass of the daemon does: its user, its log, its priorities, its signals. May
/// run beside the service, as that pass may, and takes no lock of it.
inline int repair(Options options) {
    for (std::string& path : options.databases) {
        path = std::filesystem::absolute(path).lexically_normal().string();
    }
    options.config = std::filesystem::absolute(options.config).string();
    return with_kind(options.config, [&](const daemon::Config& config, auto broker) {
        using B = typename decltype(broker)::type;
        using Kind = typename B::kind_type;
        const daemon::Program program{Kind::name, Kind::default_port, cannot};
        daemon::Arguments arguments;
        arguments.config = options.config;
        arguments.once = true;
        const auto loaded = daemon::detail::load_everything(arguments, program);
        const auto places = places_of(options, loaded.settings.devices, Kind::datadir);
        const daemon::Log log(loaded.settings, false);
        for (const std::string& warning : loaded.warnings) {
            std::cerr << warning << '\n';
        }
        const auto body = [&](daemon::Context& context) {
            return repair<B>(options, context, config, places);
        };
        return daemon::detail::run_configured(arguments, loaded.settings, program, log, body);
    });
}

} // namespace replica::commands

#endif
