// `replica plan`: what a pass of this node would do, line by line.
#ifndef REPLICA_EXAMPLE_REPLICA_TOOL_PLAN_HPP
#define REPLICA_EXAMPLE_REPLICA_TOOL_PLAN_HPP

#include "node.hpp"
#include "options.hpp"
#include <replica/clock.hpp>
#include <replica/daemon/config.hpp>
#include <replica/tool/info.hpp>
#include <replica/tool/plan.hpp>
#include <replica/tool/progress.hpp>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>

namespace replica::commands {

inline int plan(const Options& options) {
    return with_kind(options.config, [](const daemon::Config& config, auto broker) {
        Node<typename decltype(broker)::type> node(config);
        tool::Planner planner(node.engine(), node.broker, node.ring, node.transport, node.local);
        tool::Progress progress(SystemClock(), std::cerr, ::isatty(STDERR_FILENO) == 1);
        const bool one_terminal = ::isatty(STDOUT_FILENO) == 1;
        const auto stats = planner.run(
            [&](const boost::json::object& line) {
                if (one_terminal) {
                    progress.clear();
                }
                std::cout << boost::json::serialize(line) << '\n';
            },
            [&](std::size_t done, std::size_t total, std::int64_t databases) {
                progress.at(done, total, "partitions", std::to_string(databases) + " databases");
            });
        progress.clear();
        std::cout << boost::json::serialize(boost::json::object{{"pass", tool::object_of(stats)}})
                  << std::endl;
        return fine;
    });
}

} // namespace replica::commands

#endif
