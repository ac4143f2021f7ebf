// `replica repair`: replicates some databases now, in passes of their own beside the service, and
// says for each peer what was sent and whether the two are identical afterwards.
#ifndef REPLICA_EXAMPLE_REPLICA_TOOL_REPAIR_HPP
#define REPLICA_EXAMPLE_REPLICA_TOOL_REPAIR_HPP

#include "node.hpp"
#include "options.hpp"
#include <replica/clock.hpp>
#include <replica/daemon/daemon.hpp>
#include <replica/daemon/observer.hpp>
#include <replica/daemon/run.hpp>
#include <replica/daemon/statsd.hpp>
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

#include <unistd.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace replica::commands {

/// The paths of the files as a daemon has them. Throws Failure if one is in no device's tree.
inline std::vector<Place> places_of(const std::vector<std::string>& paths,
                                    const std::string& devices, std::string_view datadir) {
    std::vector<Place> places;
    for (const std::string& path : paths) {
        places.push_back(Place::of(path, datadir));
        if (storage::parent(places.back().device) != devices) {
            throw Failure(Error::bad_name, path + ": is on no device below " + devices);
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
    daemon::Statsd statsd(settings);
    tool::Progress progress(SystemClock(), std::cerr, ::isatty(STDERR_FILENO) == 1);
    tool::RepairObserver observer(daemon::DaemonObserver(settings, kind, context.log, statsd));
    observer.on_end([&](std::size_t ended) { progress.at(ended, places.size(), "databases"); });
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

/// Prints a peer's line. Returns whether it is as it should be.
inline int print(const Options& options, const std::string& path, const std::string& peer,
                 const tool::PeerRepair& repair, const tool::Finding* finding) {
    using tool::Verdict;
    const std::string_view identical = finding == nullptr                     ? ""
                                       : finding->verdict == Verdict::same    ? "same"
                                       : finding->verdict == Verdict::differs ? "differs"
                                                                              : "unknown";
    if (options.json) {
        std::cout << boost::json::serialize(tool::repair_line(path, peer, repair, identical))
                  << std::endl;
    } else {
        std::cout << "  " << peer << "  " << repair.result() << ", " << repair.rows << " rows, "
                  << repair.bytes << " bytes of files" << (identical.empty() ? "" : ", ")
                  << (identical == "same" ? "identical now" : identical);
        const char* before = " in ";
        for (const std::string& each :
             finding == nullptr ? std::vector<std::string>() : finding->in) {
            std::cout << std::exchange(before, ", ") << each;
        }
        std::cout << (repair.why.empty() ? "" : "  " + tool::printable(repair.why)) << std::endl;
    }
    return repair.result() == "failed" || identical == "unknown" ? silent
           : repair.done && identical != "differs"               ? fine
                                                                 : trouble;
}

/// Prints the lines of a database. Returns the exit code that they ask for.
inline int print(const Options& options, const std::string& path,
                 const tool::DatabaseRepair& repair, const std::vector<tool::Finding>& compared) {
    int code = repair.met && (repair.trouble.empty() || repair.gone) ? fine : trouble;
    const std::string what = !repair.met ? "no pass has come to it: it is not there, or its device "
                                           "is not this node's or cannot be used"
                                         : repair.trouble;
    if (!options.json) {
        std::cout << path << (what.empty() ? "" : "  " + tool::printable(what)) << std::endl;
    } else if (!what.empty()) {
        std::cout << boost::json::serialize(
                         boost::json::object{{"database", path},
                                             {"result", repair.gone ? "gone" : "held"},
                                             {"why", what}})
                  << std::endl;
    }
    for (const auto& [peer, each] : repair.peers) {
        const tool::Finding* finding = nullptr;
        for (const tool::Finding& one : compared) {
            finding = one.peer == peer ? &one : finding;
        }
        const int own = print(options, path, peer, each, finding);
        code = code == trouble || own == fine ? code : own;
    }
    return code;
}

template <class B>
int repair(const Options& options, daemon::Context& context, const daemon::Config& config) {
    const auto places =
        places_of(options.databases, context.settings.devices, B::kind_type::datadir);
    Node<B> node(config);
    auto found = repair_by_passes<B>(context, places);
    std::random_device random;
    tool::Verifier verifier(node.engine(), node.broker, node.ring, node.transport, node.local,
                            std::uint64_t{random()} << 32U | random(), context.stop);
    int code = fine;
    for (const Place& place : places) {
        const auto& repaired = found[place.path()];
        const auto compared = repaired.met && !repaired.gone ? verifier.check(place.path())
                                                             : std::vector<tool::Finding>();
        const int own = print(options, place.path(), repaired, compared);
        code = code == trouble || own == fine ? code : own;
    }
    return code;
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
        const daemon::Program program{Kind::name, Kind::default_port};
        daemon::Arguments arguments;
        arguments.config = options.config;
        arguments.once = true;
        const auto loaded = daemon::detail::load_everything(arguments, program);
        const daemon::Log log(loaded.settings, false);
        int code = cannot;
        const auto body = [&](daemon::Context& context) {
            code = repair<B>(options, context, config);
            return code;
        };
        const int ended =
            daemon::detail::run_configured(arguments, loaded.settings, program, log, body);
        return ended == fine && code == cannot ? trouble : code;
    });
}

} // namespace replica::commands

#endif
