// The node that a daemon's configuration speaks of: its settings and its devices.
#ifndef REPLICA_EXAMPLE_REPLICA_TOOL_NODE_HPP
#define REPLICA_EXAMPLE_REPLICA_TOOL_NODE_HPP

#include <replica/daemon/config.hpp>
#include <replica/daemon/settings_file.hpp>
#include <replica/daemon/swift_conf.hpp>
#include <replica/disk/addresses.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace replica::commands {

/// The settings of a daemon, as it would have them.
inline daemon::DaemonSettings settings_of(const daemon::Config& config, const std::string& kind,
                                          int port) {
    auto settings = daemon::load_settings(config, kind + "-replicator").settings;
    apply(daemon::read_swift_conf(std::filesystem::path(settings.swift_dir) / "swift.conf"),
          settings);
    settings.bind_port = settings.bind_port == 0 ? port : settings.bind_port;
    return settings;
}

inline std::vector<Device> local_devices_of(const std::vector<Device>& all,
                                            const Settings& settings) {
    const auto own = own_addresses(settings.bind_ip);
    std::vector<Device> local;
    for (const Device& device : all) {
        if (device.replication_port == settings.bind_port &&
            is_local(own, settings.bind_port, device)) {
            local.push_back(device);
        }
    }
    if (local.empty()) {
        throw Failure(Error::bad_config,
                      "no device of the ring is this node's: see bind_ip and bind_port");
    }
    return local;
}

} // namespace replica::commands

#endif
