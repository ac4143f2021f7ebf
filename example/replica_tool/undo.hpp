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
#include <replica/tool/text.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cstddef>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace replica::commands {

inline void print(const Options& options, const daemon::TakenAway& one, const std::string& result,
                  const std::string& why) {
    if (!options.json) {
        std::string line = daemon::line(one);
        line.pop_back(); // its end of line: what else would end one is written out
        std::cout << (result.empty() ? "" : result + ": ") << tool::printable(line) << '\n'
                  << (why.empty() ? "" : "  " + tool::printable(why) + '\n') << std::flush;
        return;
    }
    boost::json::object line{{"when", one.entry.when.normal()}, {"why", one.entry.why},
                             {"bytes", one.entry.bytes},        {"name", one.name},
                             {"hash", one.entry.hash},          {"path", one.entry.path}};
    if (!result.empty()) {
        line["result"] = result;
        line["reason"] = why;
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

template <class B>
int undo(const Options& options, const daemon::Config& config) {
    const std::string kind(B::kind_type::name);
    const auto wanted = wanted_of(options);
    const bool lists = wanted.words.empty() && !wanted.since;
    const auto settings = settings_of(config, kind, B::kind_type::default_port);
    daemon::drop_privileges(settings.user);
    B broker = daemon::detail::make_broker<B>(settings, lists);
    const Settings& engine = settings;
    const std::string file = daemon::ring_path(settings, kind);
    if (!lists) { // what leaves meanwhile comes back as well
        daemon::await_ring(daemon::detail::file_of_service(kind, settings, ".lock"), file,
                           std::cerr, [](Seconds time) {
                               const SystemClock clock;
                               clock.sleep_until(clock.monotonic() + to_duration(time), {});
                           });
    }
    std::ostringstream unreadable;
    const auto found = daemon::taken_away(broker, engine, unreadable);
    std::cerr << unreadable.str();
    bool all = unreadable.str().empty();
    if (lists) {
        for (const auto& one : found) {
            print(options, one, {}, {});
        }
        if (!options.json) {
            std::cout << found.size() << " databases\n";
        }
        return all ? fine : trouble;
    }
    for (const std::string& word : wanted.unmatched(found)) {
        std::cerr << word << ": is neither in the trash nor in quarantine\n";
        all = false;
    }
    AnyRing<> ring(file, {}, {});
    std::size_t back = 0;
    daemon::bring_back(broker, engine, ring.version(), found, wanted,
                       [&](const daemon::TakenAway& one, const std::string& why) {
                           print(options, one, why.empty() ? "back" : "stays", why);
                           back += why.empty() ? 1 : 0;
                           all = all && why.empty();
                       });
    if (!options.json) {
        std::cout << back << " databases are back\n";
    }
    return all ? fine : trouble;
}

inline int undo(const Options& options) {
    return with_kind(options.config, [&](const daemon::Config& config, auto broker) {
        return undo<typename decltype(broker)::type>(options, config);
    });
}

} // namespace replica::commands

#endif
