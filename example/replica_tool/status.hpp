// `replica status`: the nodes of a ring side by side.
#ifndef REPLICA_EXAMPLE_REPLICA_TOOL_STATUS_HPP
#define REPLICA_EXAMPLE_REPLICA_TOOL_STATUS_HPP

#include "node.hpp"
#include "options.hpp"
#include <replica/beast/http.hpp>
#include <replica/daemon/config.hpp>
#include <replica/daemon/settings_file.hpp>
#include <replica/error.hpp>
#include <replica/ring/any_ring.hpp>
#include <replica/tool/node.hpp>
#include <replica/tool/status.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cstdint>
#include <future>
#include <iostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace replica::commands {

/// The nodes of the ring that a configuration names, at its replica_port.
inline std::vector<std::string> nodes_of(const std::string& config) {
    const auto read = config_of(config);
    const std::string kind = read.has("container-replicator") ? "container" : "account";
    const auto settings = daemon::load_settings(read, kind + "-replicator").settings;
    if (settings.replica_port <= 0) {
        throw Failure(Error::bad_config,
                      config + ": replica_port is not set, so no node has a page");
    }
    AnyRing<> ring(daemon::ring_path(settings, kind), {}, {});
    std::set<std::string> nodes;
    for (const Device& device : ring.version().devices()) {
        nodes.insert(http::authority_of(device.replication_ip,
                                        static_cast<std::uint16_t>(settings.replica_port)));
    }
    return {nodes.begin(), nodes.end()};
}

inline int status(const Options& options) {
    const auto hosts = options.hosts.empty() ? nodes_of(options.config) : options.hosts;
    std::vector<std::future<tool::NodeStatus>> asked;
    for (const std::string& host : hosts) {
        asked.push_back(std::async(std::launch::async, [&options, host] {
            const auto node = tool::HostPort::of(host, options.port);
            tool::NodeStatus found{node.host + ':' + node.port, {}, {}};
            const auto reply = tool::get_page(node, "/status.json", Seconds(options.patience));
            if (!reply) {
                found.fault = reply.error().what;
                return found;
            }
            boost::system::error_code code;
            auto value = boost::json::parse(reply->body, code);
            if (reply->status == 200 && !code && value.is_object()) {
                found.status = std::move(value.get_object());
            } else {
                found.fault = "answered " + std::to_string(reply->status) +
                              " and no status: is it a server of ours, and of this version?";
            }
            return found;
        }));
    }
    std::vector<tool::NodeStatus> nodes;
    for (auto& each : asked) {
        nodes.push_back(each.get());
    }
    std::cout << (options.json ? boost::json::serialize(tool::status_object(nodes)) + '\n'
                               : tool::status_text(nodes));
    const auto health = tool::health_of(nodes);
    return health == tool::Health::well ? fine : health == tool::Health::trouble ? trouble : silent;
}

} // namespace replica::commands

#endif
