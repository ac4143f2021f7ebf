// `replica undo`: lists what was taken out of use on this node, and brings it back. As --trash and
// --undo of the daemons.
#ifndef REPLICA_EXAMPLE_REPLICA_TOOL_UNDO_HPP
#define REPLICA_EXAMPLE_REPLICA_TOOL_UNDO_HPP

#include "node.hpp"
#include "options.hpp"
#include <replica/clock.hpp>
#include <replica/daemon/config.hpp>
#include <replica/daemon/daemon.hpp>
#include <replica/daemon/process.hpp>
#include <replica/daemon/run.hpp>
#include <replica/daemon/undo.hpp>
#include <replica/error.hpp>
#include <replica/ring/any_ring.hpp>
#include <replica/settings.hpp>
#include <replica/tool/text.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace replica::commands {

/// One that is only listed.
[[nodiscard]] inline boost::json::object json_of(const daemon::TakenAway& one) {
    return {{"when", one.entry.when.normal()}, {"why", one.entry.why},
            {"bytes", one.entry.bytes},        {"name", one.name},
            {"hash", one.entry.hash},          {"path", one.entry.path}};
}

/// Without its end of line: what else would end one is written out.
[[nodiscard]] inline std::string line_of(const daemon::TakenAway& one) {
    std::string line = daemon::line(one);
    line.pop_back();
    return tool::printable(line);
}

/// What became of one. `why`: the reason why it stays where it is; empty: it is back.
inline void print(const Options& options, const daemon::TakenAway& one, daemon::Afterwards fate,
                  const std::string& why) {
    if (!options.json) {
        std::cout << daemon::result_of(fate, why) << ": " << line_of(one) << '\n'
                  << (why.empty() ? "" : "  " + tool::printable(why) + '\n') << std::flush;
        return;
    }
    auto line = json_of(one);
    line["result"] = why.empty() ? "back" : "stays";
    line["reason"] = why;
    if (why.empty()) {
        line["afterwards"] = daemon::word_of(fate);
    }
    std::cout << boost::json::serialize(line) << std::endl;
}

[[nodiscard]] inline daemon::Wanted wanted_of(const Options& options) {
    daemon::Wanted wanted{options.databases, {}};
    if (options.all) {
        wanted.words.emplace_back("all");
    }
    if (!options.since.empty()) {
        wanted.since = Timestamp::parse(options.since);
        if (!wanted.since) {
            throw Failure(Error::bad_config,
                          "--since " + options.since + ": is no time as the list has it");
        }
    }
    return wanted;
}

/// What was taken away on this node. Clears `all` if a device cannot be read, and names it.
template <class B>
[[nodiscard]] std::vector<daemon::TakenAway> look(B& broker, const Settings& settings, bool& all) {
    std::ostringstream unreadable;
    auto found = daemon::taken_away(broker, settings, unreadable);
    std::cerr << unreadable.str();
    all = all && unreadable.str().empty();
    return found;
}

template <class B>
int list_taken_away(const Options& options, B broker, const Settings& settings) {
    bool all = true;
    const auto found = look(broker, settings, all);
    for (const auto& one : found) {
        std::cout << (options.json ? boost::json::serialize(json_of(one)) : line_of(one)) << '\n';
    }
    if (!options.json) {
        std::cout << daemon::databases_text(found.size()) << '\n';
    }
    return all ? fine : trouble;
}

/// The service may go by a former ring for a while, and what is taken away meanwhile comes back as
/// well. So the ring and the trash are read after the wait; the ring before it as well, since
/// nobody waits to be told that the file is no good.
template <class B>
int bring_back(const Options& options, B broker, const daemon::DaemonSettings& settings,
               const daemon::Wanted& wanted) {
    const std::string kind(B::kind_type::name);
    const Settings& engine = settings;
    const std::string file = daemon::ring_path(settings, kind);
    static_cast<void>(AnyRing<>(file, {}, {}));
    daemon::await_ring(daemon::detail::file_of_service(kind, settings, ".lock"), file, std::cerr,
                       [](Seconds time) {
                           const SystemClock clock;
                           clock.sleep_until(clock.monotonic() + to_duration(time), {});
                       });
    AnyRing<> ring(file, {}, {});
    bool all = true;
    const auto found = look(broker, engine, all);
    for (const std::string& word : wanted.unmatched(found)) {
        std::cerr << word << ": is neither in the trash nor in quarantine\n";
        all = false;
    }
    const auto version = ring.version();
    const daemon::Foretold foretold(version, engine);
    std::cerr << daemon::warning_of(found, wanted, foretold);
    daemon::BroughtBack result;
    daemon::bring_back(broker, engine, version, found, wanted,
                       [&](const daemon::TakenAway& one, const std::string& why) {
                           const daemon::Afterwards fate = foretold(one);
                           result.add(fate, why);
                           print(options, one, fate, why);
                       });
    if (!options.json) {
        std::cout << result.summary();
    }
    return all && result.staying == 0 ? fine : trouble;
}

template <class B>
int undo(const Options& options, const daemon::Config& config) {
    const auto wanted = wanted_of(options);
    const auto settings =
        settings_of(config, std::string(B::kind_type::name), B::kind_type::default_port);
    daemon::drop_privileges(settings.user);
    const bool lists = wanted.words.empty() && !wanted.since;
    auto broker = daemon::detail::make_broker<B>(settings, lists);
    return lists ? list_taken_away(options, std::move(broker), settings)
                 : bring_back(options, std::move(broker), settings, wanted);
}

inline int undo(const Options& options) {
    return with_kind(options.config, [&](const daemon::Config& config, auto broker) {
        return undo<typename decltype(broker)::type>(options, config);
    });
}

} // namespace replica::commands

#endif
