// The node that a daemon's configuration speaks of: its settings and its devices.
#ifndef REPLICA_EXAMPLE_REPLICA_TOOL_NODE_HPP
#define REPLICA_EXAMPLE_REPLICA_TOOL_NODE_HPP

#include <replica/beast/transport.hpp>
#include <replica/daemon/config.hpp>
#include <replica/daemon/process.hpp>
#include <replica/daemon/run.hpp>
#include <replica/daemon/secret_file.hpp>
#include <replica/daemon/settings_file.hpp>
#include <replica/daemon/swift_conf.hpp>
#include <replica/disk/addresses.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/ring/any_ring.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>

#include <unistd.h>

#include <filesystem>
#include <string>
#include <type_traits>
#include <utility>
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

/// Root becomes the user of the daemon, since what is read comes from peers.
inline daemon::DaemonSettings as_user(daemon::DaemonSettings settings) {
    if (::geteuid() == 0) {
        daemon::drop_privileges(settings.user);
    }
    return settings;
}

/// What a command needs to look at the databases of this node and at those of its peers. The broker
/// changes nothing.
template <daemon::LocalBroker B>
struct Node {
    using Kind = typename B::kind_type;

    explicit Node(const daemon::Config& config)
        : settings(as_user(settings_of(config, kind, Kind::default_port))),
          broker(daemon::detail::make_broker<B>(settings, true)),
          ring(AnyRing<>(daemon::ring_path(settings, kind), {}, {}).version()),
          transport(daemon::detail::make_transport(
              settings, kind, daemon::read_secrets(settings.shared_secret_file))),
          local(local_devices_of(ring.devices(), settings)) {}

    [[nodiscard]] const Settings& engine() const { return settings; }

    std::string kind{Kind::name};
    daemon::DaemonSettings settings;
    B broker;
    decltype(std::declval<AnyRing<>&>().version()) ring;
    BeastTransport transport;
    std::vector<Device> local;
};

/// The configuration at a path. Throws ConfigError if it is none of a daemon of ours.
inline daemon::Config config_of(const std::string& path) {
    auto config = daemon::Config::read(std::filesystem::absolute(path));
    if (!config.has("container-replicator") && !config.has("account-replicator")) {
        throw daemon::ConfigError(
            path + ": has no section [container-replicator] or [account-replicator]");
    }
    return config;
}

/// The configuration at a path, and `use` with the broker of its kind as its argument's type.
template <class Use>
int with_kind(const std::string& path, Use use) {
    const auto config = config_of(path);
    return config.has("container-replicator") ? use(config, std::type_identity<ContainerBroker>())
                                              : use(config, std::type_identity<AccountBroker>());
}

} // namespace replica::commands

#endif
