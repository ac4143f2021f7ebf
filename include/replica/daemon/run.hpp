#ifndef REPLICA_DAEMON_RUN_HPP
#define REPLICA_DAEMON_RUN_HPP

// Puts the policies of a real node together: SQLite on local file systems, HTTP, rsync, a ring
// file, the system's clock. It is the same for accounts and containers; a program only names its
// broker.

#include <replica/beast/ring_addresses.hpp>
#include <replica/beast/server.hpp>
#include <replica/beast/transport.hpp>
#include <replica/daemon/daemon.hpp>
#include <replica/daemon/ledger_file.hpp>
#include <replica/daemon/observer.hpp>
#include <replica/daemon/pages.hpp>
#include <replica/daemon/secret_file.hpp>
#include <replica/daemon/server_observer.hpp>
#include <replica/daemon/settings.hpp>
#include <replica/disk/addresses.hpp>
#include <replica/disk/posix.hpp>
#include <replica/process/rsync.hpp>
#include <replica/replicator.hpp>
#include <replica/ring/any_ring.hpp>
#include <replica/rpc.hpp>
#include <replica/send/explain.hpp>
#include <replica/send/first_of.hpp>
#include <replica/send/push_file.hpp>
#include <replica/settings.hpp>
#include <replica/sqlite/database.hpp>

#include <boost/asio/ip/address.hpp>

#include <unistd.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::daemon {

/// A broker of files on this node.
template <class B>
concept LocalBroker =
    Broker<B> && std::constructible_from<B, PosixDisk, SystemClock, SqliteOptions>;

namespace detail {

/// `read_only`: the broker must change nothing.
template <LocalBroker B>
[[nodiscard]] B make_broker(const DaemonSettings& settings, bool read_only = false) {
    SqliteOptions options;
    options.migrate = !read_only;
    options.chunk_bytes = settings.db_preallocation ? 1 << 20 : 0;
    return B(PosixDisk(), SystemClock(), options);
}

/// Throws Failure if the ring file cannot be used.
[[nodiscard]] inline AnyRing<> make_ring(const DaemonSettings& settings, std::string_view server,
                                         const Log& log) {
    return AnyRing<>(ring_path(settings, server), {}, {}, [log](const Failure& failure) {
        log(Level::error, "The ring stays as it was: {}", failure.what());
    });
}

/// Addresses are read anew for each device of each pass, since they may change.
[[nodiscard]] inline auto is_local_by(const Settings& settings) {
    return [ip = settings.bind_ip, port = settings.bind_port](const Device& device) {
        return device.replication_port == port && is_local(own_addresses(ip), port, device);
    };
}

/// Shows the progress of a single pass on a terminal; not with -v, which prints log lines instead.
[[nodiscard]] inline DaemonObserver::Progress progress_for(const Arguments& arguments) {
    if (!arguments.once || arguments.verbose || ::isatty(STDERR_FILENO) != 1) {
        return {};
    }
    return [](const std::string& text) { std::cerr << text << std::flush; };
}

} // namespace detail

/// Serves REPLICATE and the pages for monitoring on bind_ip:replica_port while it lives. Logs and
/// times requests like the stock server.
template <LocalBroker B>
class Receiver {
public:
    /// Throws Failure with bad_config if the address cannot be served. `secrets`: see read_secrets.
    /// `summarise` answers the summaries of other nodes.
    Receiver(const DaemonSettings& settings, const Log& log, AnyRing<> ring,
             std::vector<std::string> secrets = {}, Summarise summarise = {})
        : addresses_(std::move(ring), look_at_addresses), statsd_(named(settings)),
          observer_(log, statsd_), rpc_(answering(settings, detail::make_broker<B>(settings),
                                                  observer_, std::move(summarise))),
          pages_(settings, {}, {}, [this] { return observer_.doubts(); }),
          server_(
              options(settings, std::move(secrets)),
              [this](const Request& request) { return rpc_.handle(request); },
              [this](std::string_view path) { return pages_(path); }) {
        log(Level::info, "Serving REPLICATE on {}", server_.address());
    }

private:
    using Rpc = RpcServer<B, ServerObserver>;

    [[nodiscard]] static Rpc answering(const Settings& settings, B broker, ServerObserver observer,
                                       Summarise summarise) {
        Rpc rpc(settings, std::move(broker), std::move(observer));
        rpc.summarise_by(std::move(summarise));
        return rpc;
    }

    [[nodiscard]] static DaemonSettings named(DaemonSettings settings) {
        settings.log_name = std::string(B::kind_type::name) + "-server";
        return settings;
    }

    /// Of 384 places or more, forty hanging devices leave some for others: see Admission.
    [[nodiscard]] ServerOptions options(const DaemonSettings& settings,
                                        std::vector<std::string> secrets) const {
        ServerOptions options;
        options.ip = settings.bind_ip;
        options.port = static_cast<std::uint16_t>(settings.replica_port);
        options.name =
            http::server_name(B::kind_type::name, static_cast<std::uint16_t>(settings.bind_port));
        options.max_per_device = settings.receiver_limit;
        options.max_requests =
            static_cast<std::size_t>(std::clamp(12 * settings.receiver_limit, 384, 2048));
        options.on_busy = [this](const std::string& device) {
            observer_(event::Served{device, {}, 503, {}});
        };
        options.door.secrets = std::move(secrets);
        options.door.require_secret = settings.require_secret;
        options.door.refuse_strangers = settings.refuse_unknown_addresses;
        options.door.is_peer = [this](const boost::asio::ip::address& address) {
            return addresses_.contains(address);
        };
        options.door.on_doubt = [this](const std::string& address, http::Doubt why, bool refused) {
            const auto [word, sentence] = http::text_of(why);
            observer_(event::Doubted{address, word, sentence, refused});
        };
        return options;
    }

    static constexpr Seconds look_at_addresses{5}; // the ring's file is looked at every 15 s

    RingAddresses<AnyRing<>> addresses_;
    Statsd statsd_;
    ServerObserver observer_;
    Rpc rpc_;
    Pages<> pages_;
    BeastServer server_;
};

/// The body of a daemon, see run_daemon: explains one database, or runs one pass, or serves and
/// runs passes until it is stopped. One pass (--once) does not serve, since the service may run
/// beside it. The exit code is 0 whatever the peers did, as in Swift.
template <LocalBroker B>
[[nodiscard]] int run(Context& context) {
    const DaemonSettings& settings = context.settings;
    const Settings& engine = settings;
    const Arguments& arguments = context.arguments;
    constexpr std::string_view server = B::kind_type::name;
    sqlite::disable_memory_statistics();
    AnyRing<> ring = detail::make_ring(settings, server, context.log);
    B broker = detail::make_broker<B>(settings, !arguments.explain.empty());
    std::vector<std::string> secrets = read_secrets(settings.shared_secret_file);
    BeastOptions sending(engine, server);
    sending.secret = secrets.empty() ? std::string() : secrets.front();
    BeastTransport transport{sending};
    if (!arguments.explain.empty()) {
        std::cout << explain(arguments.explain, engine, broker, ring.version(), transport,
                             detail::is_local_by(engine), context.stop)
                  << std::flush;
        return 0;
    }
    FirstOf files(PushFileSync(transport, engine), RsyncFileSync(engine, server));
    Replicator replicator(engine, std::move(broker), ring, std::move(transport), std::move(files),
                          SystemClock(), detail::is_local_by(engine),
                          DaemonObserver(settings, server, context.log, context.statsd,
                                         detail::progress_for(arguments)),
                          context.feed);
    if (arguments.once) {
        context.ready();
        static_cast<void>(replicator.run_once(
            context.stop, {{arguments.devices.begin(), arguments.devices.end()},
                           {arguments.partitions.begin(), arguments.partitions.end()}}));
        return 0;
    }
    std::unique_ptr<Receiver<B>> receiver;
    if (settings.replica_port > 0) {
        receiver = std::make_unique<Receiver<B>>(
            settings, context.log, std::move(ring), std::move(secrets),
            [replicator](const std::string& device, std::int64_t peer, std::size_t cells) {
                return replicator.summary(device, peer, cells);
            });
    }
    const LedgerFile ledger(detail::file_of_service(server, settings, ".ledger"));
    if (const std::string known = ledger.take(); !known.empty() && !replicator.remember(known)) {
        context.log(Level::info, "What the last service knew is of another version of it");
    }
    context.ready();
    replicator.run_forever(context.stop);
    try {
        ledger.keep(replicator.known());
    } catch (const Failure& failure) {
        context.log(Level::warning, "Not kept for the next start: {}", failure.what());
    }
    return 0;
}

} // namespace replica::daemon

#endif // REPLICA_DAEMON_RUN_HPP
