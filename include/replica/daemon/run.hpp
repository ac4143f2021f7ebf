#ifndef REPLICA_DAEMON_RUN_HPP
#define REPLICA_DAEMON_RUN_HPP

// Puts the policies of a real node together: SQLite on local file systems, HTTP, rsync, a ring
// file, the system's clock. It is the same for accounts and containers; a program only names its
// broker.

#include <replica/beast/ring_addresses.hpp>
#include <replica/beast/server.hpp>
#include <replica/beast/transport.hpp>
#include <replica/daemon/daemon.hpp>
#include <replica/daemon/facts.hpp>
#include <replica/daemon/forgetting.hpp>
#include <replica/daemon/ledger_file.hpp>
#include <replica/daemon/observer.hpp>
#include <replica/daemon/pages.hpp>
#include <replica/daemon/reload.hpp>
#include <replica/daemon/ring_report.hpp>
#include <replica/daemon/secret_file.hpp>
#include <replica/daemon/server_observer.hpp>
#include <replica/daemon/settings.hpp>
#include <replica/daemon/statsd.hpp>
#include <replica/daemon/status.hpp>
#include <replica/daemon/undo.hpp>
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
#include <replica/storage/doubts.hpp>

#include <boost/asio/ip/address.hpp>

#include <unistd.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <iostream>
#include <memory>
#include <mutex>
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

/// Throws Failure if the ring file cannot be used. The log and `facts` are told of one that breaks
/// later; what is no service has no facts to show.
[[nodiscard]] inline AnyRing<> make_ring(const DaemonSettings& settings, std::string_view server,
                                         const Log& log, const Facts& facts = {{}, {}, {}}) {
    return AnyRing<>(ring_path(settings, server), {}, {}, RingReport(log, facts));
}

/// Signs with the first of the secrets, if there is one.
[[nodiscard]] inline BeastTransport make_transport(const Settings& settings, std::string_view kind,
                                                   const std::vector<std::string>& secrets) {
    BeastOptions options(settings, kind);
    options.secret = secrets.empty() ? std::string() : secrets.front();
    return BeastTransport(options);
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
    /// `summarise` answers the summaries of other nodes. `facts` are shown, and told what is
    /// served. `doubts`: those of the replicator.
    Receiver(const DaemonSettings& settings, const Log& log, AnyRing<> ring, Facts facts,
             std::vector<std::string> secrets = {}, const Summarise& summarise = {},
             std::shared_ptr<storage::Doubts> doubts = std::make_shared<storage::Doubts>())
        : facts_(std::move(facts)), doubts_(std::move(doubts)),
          addresses_(std::move(ring), look_at_addresses),
          desk_(std::make_shared<Desk>(*this, settings, log, summarise)),
          server_(
              options(settings, std::move(secrets)),
              [this](const Request& request) { return desk()->rpc.handle(request); },
              [this](std::string_view path) { return desk()->pages(path); }) {
        log(Level::info, "Serving REPLICATE on {}", server_.address());
    }

    /// Goes on with other settings. No connection is touched; a request that has begun ends as it
    /// began. What options_of_the_start are about stays.
    void change(const DaemonSettings& settings, const Log& log, std::vector<std::string> secrets,
                const Summarise& summarise) {
        auto desk = std::make_shared<Desk>(*this, settings, log, summarise);
        {
            const std::lock_guard guard(mutex_);
            desk_.swap(desk);
        }
        server_.change_door(door(settings, std::move(secrets)));
    }

private:
    using Rpc = RpcServer<B, FactsObserver<ServerObserver>>;

    /// All that goes by settings. A request holds the one that it began with.
    struct Desk {
        Desk(Receiver& owner, const DaemonSettings& settings, const Log& log,
             const Summarise& summarise)
            : statsd(named(settings)), observer(log, statsd),
              rpc(static_cast<const Settings&>(settings), detail::make_broker<B>(settings),
                  FactsObserver(observer, owner.facts_), owner.doubts_),
              pages(
                  settings, {}, {}, [this] { return observer.doubts(); },
                  [&owner] { return owner.facts_.now(SystemClock().now()); }) {
            rpc.summarise_by(summarise);
        }
        Desk(const Desk&) = delete;
        Desk& operator=(const Desk&) = delete;
        ~Desk() = default;

        Statsd statsd;
        ServerObserver observer;
        Rpc rpc;
        Pages<> pages;
    };

    [[nodiscard]] std::shared_ptr<Desk> desk() const {
        const std::lock_guard guard(mutex_);
        return desk_;
    }

    [[nodiscard]] static DaemonSettings named(DaemonSettings settings) {
        settings.log_name = std::string(B::kind_type::name) + "-server";
        settings.section = settings.log_name;
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
            desk()->observer(event::Served{device, {}, 503, {}});
        };
        options.door = door(settings, std::move(secrets));
        return options;
    }

    [[nodiscard]] DoorOptions door(const DaemonSettings& settings,
                                   std::vector<std::string> secrets) const {
        DoorOptions door;
        door.secrets = std::move(secrets);
        door.require_secret = settings.require_secret;
        door.refuse_strangers = settings.refuse_unknown_addresses;
        door.is_peer = [this](const boost::asio::ip::address& address) {
            return addresses_.contains(address);
        };
        door.on_doubt = [this](const std::string& address, http::Doubt why, bool refused) {
            const auto [word, sentence] = http::text_of(why);
            desk()->observer(event::Doubted{address, word, sentence, refused});
        };
        return door;
    }

    static constexpr Seconds look_at_addresses{5}; // the ring's file is looked at every 15 s

    Facts facts_;
    std::shared_ptr<storage::Doubts> doubts_;
    RingAddresses<AnyRing<>> addresses_;
    mutable std::mutex mutex_{};
    std::shared_ptr<Desk> desk_; ///< Guarded by mutex_.
    BeastServer server_;
};

namespace detail {

template <LocalBroker B>
[[nodiscard]] auto make_replicator(const Context& context, const DaemonSettings& settings,
                                   const Log& log, const AnyRing<>& ring, const Facts& facts,
                                   const std::vector<std::string>& secrets) {
    constexpr std::string_view kind = B::kind_type::name;
    const Settings& engine = settings;
    BeastTransport transport = make_transport(engine, kind, secrets);
    FirstOf files(PushFileSync(transport, engine), RsyncFileSync(engine, kind));
    // Threads that hang in a dead disk keep the observer, and what it tells, for as long as they
    // do.
    const auto statsd = std::make_shared<Statsd>(settings);
    FactsObserver known(StatusObserver(DaemonObserver(settings, kind, log, *statsd,
                                                      progress_for(context.arguments)),
                                       context.status, statsd),
                        facts);
    ForgettingObserver observer(std::move(known), facts, ring);
    return Replicator(engine, make_broker<B>(settings), ring, std::move(transport),
                      std::move(files), SystemClock(), is_local_by(engine), std::move(observer),
                      context.feed);
}

} // namespace detail

/// A replicator as one configuration makes it. Throws Failure if that cannot be.
template <LocalBroker B>
struct Sender {
    Sender(const Context& context, DaemonSettings settings_, Log log_, const AnyRing<>& ring,
           const Facts& facts)
        : settings(std::move(settings_)), log(std::move(log_)),
          secrets(read_secrets(settings.shared_secret_file)),
          replicator(detail::make_replicator<B>(context, settings, log, ring, facts, secrets)) {}

    /// Answers the summaries of other nodes.
    [[nodiscard]] Summarise summaries() const {
        return
            [known = replicator](const std::string& device, std::int64_t peer, std::size_t cells) {
                return known.summary(device, peer, cells);
            };
    }

    DaemonSettings settings;
    Log log;
    std::vector<std::string> secrets;
    decltype(detail::make_replicator<B>(std::declval<const Context&>(), settings, log,
                                        std::declval<const AnyRing<>&>(),
                                        std::declval<const Facts&>(), secrets)) replicator;
};

namespace detail {

/// Serves and runs passes until it is stopped. A new configuration takes its place between two
/// passes: the one that runs comes to its end, and what is remembered stays.
template <LocalBroker B>
void serve(Context& context, const AnyRing<>& ring, const Facts& facts,
           std::unique_ptr<Sender<B>> sender) {
    const DaemonSettings& settings = context.settings;
    std::unique_ptr<Receiver<B>> receiver;
    if (settings.replica_port > 0) {
        try {
            receiver =
                std::make_unique<Receiver<B>>(settings, context.log, ring, facts, sender->secrets,
                                              sender->summaries(), sender->replicator.doubts());
        } catch (const Failure& failure) {
            throw Failure(failure.error(),
                          "replica_port = " + std::to_string(settings.replica_port) +
                              " cannot be served on bind_ip: " + failure.what());
        }
    }
    const LedgerFile ledger(file_of_service(B::kind_type::name, settings, ".ledger"));
    if (const std::string known = ledger.take();
        !known.empty() && !sender->replicator.remember(known)) {
        context.log(Level::info, "What the last service knew is of another version of it");
    }
    const auto next = std::make_shared<Successor<Sender<B>>>();
    context.renew = [&context, next, ring, facts](const DaemonSettings& changed, const Log& log) {
        next->offer(std::make_unique<Sender<B>>(context, changed, log, ring, facts));
        context.status.waits(true);
    };
    const auto rest = [&] {
        context.status.rests(SystemClock().monotonic(), sender->settings.interval);
        facts.passes_every(sender->settings.interval);
    };
    rest();
    context.ready();
    while (!context.stop.stop_requested()) {
        sender->replicator.run_forever(context.stop, next->offered());
        context.status.waits(false);
        auto successor = next->fetch();
        if (!successor) {
            continue;
        }
        successor->replicator.follow(sender->replicator);
        if (receiver) {
            receiver->change(successor->settings, successor->log, successor->secrets,
                             successor->summaries());
        }
        sender = std::move(successor);
        sender->log(Level::notice, "The new configuration counts from now on");
        rest();
    }
    try {
        ledger.keep(sender->replicator.known());
    } catch (const Failure& failure) {
        sender->log(Level::warning, "Not kept for the next start: {}", failure.what());
    }
}

} // namespace detail

/// The body of a daemon, see run_daemon: explains one database, or lists or brings back what was
/// removed, or runs one pass, or serves and runs passes until it is stopped. One pass (--once) does
/// not serve, since the service may run beside it. The exit code is 0 whatever the peers did, as in
/// Swift.
template <LocalBroker B>
[[nodiscard]] int run(Context& context) {
    const DaemonSettings& settings = context.settings;
    const Settings& engine = settings;
    const Arguments& arguments = context.arguments;
    constexpr std::string_view server = B::kind_type::name;
    sqlite::disable_memory_statistics();
    const Facts facts(server, settings.devices, SystemClock().now());
    const AnyRing<> ring = detail::make_ring(settings, server, context.log, facts);
    if (!arguments.explain.empty()) {
        B broker = detail::make_broker<B>(settings, true);
        auto transport =
            detail::make_transport(engine, server, read_secrets(settings.shared_secret_file));
        AnyRing<> looked_at = ring;
        std::cout << explain(arguments.explain, engine, broker, looked_at.version(), transport,
                             detail::is_local_by(engine), context.stop)
                  << std::flush;
        return 0;
    }
    if (arguments.trash) {
        B broker = detail::make_broker<B>(settings, true);
        print_trash(broker, engine, std::cout);
        return 0;
    }
    if (!arguments.undo.empty()) {
        B broker = detail::make_broker<B>(settings);
        await_ring(detail::file_of_service(server, settings, ".lock"), ring_path(settings, server),
                   std::cerr, [&](Seconds time) {
                       const SystemClock clock;
                       clock.sleep_until(clock.monotonic() + to_duration(time), context.stop);
                   });
        if (context.stop.stop_requested()) {
            return 1;
        }
        AnyRing<> looked_at = ring;
        return undo(broker, engine, looked_at.version(), {arguments.undo}, std::cout) ? 0 : 1;
    }
    auto sender = std::make_unique<Sender<B>>(context, settings, context.log, ring, facts);
    if (!arguments.once) {
        detail::serve<B>(context, ring, facts, std::move(sender));
        return 0;
    }
    context.ready();
    static_cast<void>(sender->replicator.run_once(
        context.stop, {{arguments.devices.begin(), arguments.devices.end()},
                       {arguments.partitions.begin(), arguments.partitions.end()}}));
    return 0;
}

} // namespace replica::daemon

#endif // REPLICA_DAEMON_RUN_HPP
