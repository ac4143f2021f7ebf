// From a command line to a running daemon and back to an exit code: everything around a replicator
// that is the same for accounts and containers. A program adds only a body that builds the
// replicator.
#ifndef REPLICA_DAEMON_DAEMON_HPP
#define REPLICA_DAEMON_DAEMON_HPP

#include <replica/daemon/arguments.hpp>
#include <replica/daemon/config.hpp>
#include <replica/daemon/log.hpp>
#include <replica/daemon/notify.hpp>
#include <replica/daemon/process.hpp>
#include <replica/daemon/reload.hpp>
#include <replica/daemon/settings.hpp>
#include <replica/daemon/settings_file.hpp>
#include <replica/daemon/status.hpp>
#include <replica/daemon/swift_conf.hpp>
#include <replica/disk/fanotify.hpp>
#include <replica/error.hpp>
#include <replica/settings.hpp>
#include <replica/words/seed.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

namespace replica::daemon {

/// Which daemon this is.
struct Program {
    std::string_view kind_type; // "container" or "account"
    int default_port;           // of the stock server: 6201 or 6202
    int when_stopped = 0;       // exit code after a signal
};

/// Takes over another configuration while the body runs, or throws and changes nothing. Called by
/// the thread that waits for signals, after ready().
using Renew = std::function<void(const DaemonSettings&, const Log&)>;

/// What a body gets. It should return soon after `stop` is requested; the process waits a second at
/// most.
struct Context {
    Arguments arguments;
    DaemonSettings settings; // complete, with port, seed and swift.conf
    Log log;
    std::stop_token stop;
    FanotifyFeed feed; // not running for a single pass, or if push_changes is off or refused

    /// Call it once nothing can keep the daemon from running. Until then errors go to stderr; this
    /// call tells swift-init and systemd that the daemon is up.
    std::function<void()> ready;

    ServiceStatus status{}; // kept by the body, told to systemd

    /// Set by a body that can, before ready(). Without it a SIGHUP ends the process.
    Renew renew{};
};

/// The part of a program that differs: runs passes until stopped, returns the exit code. An
/// exception is logged and exits with 1.
template <class B>
concept Body = std::invocable<B&, Context&> && requires(B& body, Context& context) {
    { body(context) } -> std::same_as<int>;
};

namespace detail {

[[nodiscard]] inline LoadedSettings load_everything(const Arguments& arguments,
                                                    const Program& program) {
    auto loaded = load_settings(Config::read(arguments.config),
                                std::string{program.kind_type} + "-replicator");
    auto& settings = loaded.settings;
    apply(read_swift_conf(std::filesystem::path{settings.swift_dir} / "swift.conf"), settings);
    if (settings.bind_port == 0) {
        settings.bind_port = program.default_port;
    }
    Settings& engine = settings;
    engine = with_seed(std::move(engine)); // the same for everything that the body makes
    return loaded;
}

// A file in the recon directory that one service has, by its kind and bound address.
[[nodiscard]] inline std::string file_of_service(std::string_view kind_type,
                                                 const DaemonSettings& settings,
                                                 std::string_view ending) {
    return settings.recon_cache_path + "/" + std::string{kind_type} + "-replicator-" +
           settings.bind_ip + "-" + std::to_string(settings.bind_port) + std::string{ending};
}

// One daemon per node, kind and bound address. If the lock file, in the recon directory, cannot be
// opened, the daemon runs unlocked, as every stock one does.
[[nodiscard]] inline std::optional<Exclusion>
exclude_others(const Program& program, const DaemonSettings& settings, const Log& log) {
    const auto path = file_of_service(program.kind_type, settings, ".lock");
    try {
        auto lock = Exclusion::take(path);
        if (!lock) {
            throw std::runtime_error(path + " is locked: another " +
                                     std::string{program.kind_type} + " replicator runs here");
        }
        return lock;
    } catch (const ConfigError& error) {
        log(Level::warning, "Running without a lock against a second daemon: {}", error.what());
        return std::nullopt;
    }
}

// The feed of a service. It needs rights that go with those of root. A reason why there is none is
// logged once; the passes then do all of the work.
[[nodiscard]] inline FanotifyFeed make_feed(const DaemonSettings& settings, const Log& log) {
    if (!settings.push_changes) {
        return {};
    }
    FanotifyFeed feed(settings.devices, {.mount_check = settings.mount_check});
    if (!feed.running()) {
        const auto reasons = feed.refusals();
        log(Level::notice, "Changes are not pushed, passes find them: {}",
            reasons.empty() ? settings.devices + ": no device is mounted" : reasons.front());
    }
    return feed;
}

// What the thread does that waits for signals: tells systemd how the service is, and has it take
// over a new configuration.
class Supervisor {
public:
    Supervisor(const Context& context, const Program& program, Notifier systemd)
        : context_(&context), program_(program), systemd_(std::move(systemd)),
          settings_(context.settings), log_(context.log) {}

    [[nodiscard]] const Log& log() const { return log_; }

    // The next signal. Meanwhile systemd hears once a second at most what the service does, and
    // that it moves if its passes do.
    [[nodiscard]] int wait(const Signals& signals) {
        int event = Signals::nothing;
        while (event == Signals::nothing) {
            event = signals.wait(systemd_.listening() ? 1000 : -1);
            if (event == Signals::nothing && up_) {
                tell();
            }
        }
        return event;
    }

    // The body is up. A SIGHUP that came before comes once more.
    void up() {
        systemd_.ready();
        up_ = true;
        if (early_) {
            Signals::post(SIGHUP);
        }
    }

    // Reads the configuration again. False if this process cannot go on with another one.
    [[nodiscard]] bool reload() {
        if (context_->arguments.once) {
            return false;
        }
        early_ = true;
        if (!up_) {
            return true; // see up()
        }
        if (!context_->renew) {
            return false;
        }
        systemd_.reloading();
        log_(Level::notice, "SIGHUP received ({}): reading the configuration again", ::getpid());
        try {
            auto [settings, warnings] = load_everything(context_->arguments, program_);
            const auto kept = keep_options_of_the_start(settings, settings_);
            warnings.insert(warnings.end(), kept.begin(), kept.end());
            const Log log(settings, context_->arguments.verbose);
            context_->renew(settings, log);
            settings_ = settings;
            log_ = log;
            for (const auto& warning : warnings) {
                log_(Level::warning, "{}", warning);
            }
            log_(Level::notice, "The new configuration counts from the next pass on");
        } catch (const std::exception& error) {
            log_(Level::error, "The configuration stays as it was: {}", error.what());
        }
        systemd_.ready();
        return true;
    }

private:
    void tell() {
        const Instant now = std::chrono::steady_clock::now();
        if (std::string text = context_->status.text(now); text != told_) {
            systemd_.status(text);
            told_ = std::move(text);
        }
        // Half of the time for passes that do not move, half for a machine that is slow to run us.
        const Seconds half = systemd_.watchdog() / 2;
        if (half > Seconds{} && now >= next_move_ && context_->status.is_alive(now, half)) {
            systemd_.moves();
            next_move_ = now + to_duration(half / 2);
        }
    }

    const Context* context_;
    Program program_;
    Notifier systemd_;
    DaemonSettings settings_; // as they are now; the body has its own
    Log log_;
    std::string told_{};
    Instant next_move_{};
    std::atomic<bool> up_{false};
    std::atomic<bool> early_{false};
};

// Runs the body on its own thread and waits here for signals. After a signal the body has a second
// to return. A worker on a dead disk may never return: the process then exits without it.
template <Body B>
[[nodiscard]] int run_until_signalled(Context& context, std::stop_source& stop,
                                      const Signals& signals, const Program& program,
                                      const Notifier& systemd, B& body) {
    Supervisor supervisor(context, program, systemd);
    context.ready = [&supervisor, first = context.ready] {
        first();
        supervisor.up();
    };
    int code = 1;
    std::thread worker{[&] {
        try {
            code = body(context);
        } catch (const std::exception& error) {
            const bool expected = dynamic_cast<const Failure*>(&error) != nullptr;
            context.log(Level::critical, "{}{}",
                        expected ? "" : "UNCAUGHT EXCEPTION: ", error.what());
            if (!context.arguments.verbose) { // else the log has already printed it
                std::cerr << error.what() << std::endl;
            }
        }
        Signals::post(Signals::done);
    }};
    int event = supervisor.wait(signals);
    while (event == SIGHUP && supervisor.reload()) {
        event = supervisor.wait(signals);
    }
    if (event == Signals::done) {
        worker.join();
        return code;
    }
    systemd.stopping();
    const Log log = supervisor.log();
    if (event == SIGINT) {
        log(Level::notice, "User quit");
    } else {
        log(Level::notice, "{} received ({})", event == SIGTERM ? "SIGTERM" : "SIGHUP", ::getpid());
    }
    stop.request_stop();
    end_children(); // the signal comes back to this process as an event
    int next = SIGTERM;
    while (next > Signals::done) {
        next = signals.wait(1000);
    }
    end_children(); // children that were started in between
    if (next == Signals::done) {
        worker.join();
        return program.when_stopped;
    }
    log(Level::notice, "Exited {}", ::getpid());
    std::_Exit(program.when_stopped);
}

// The rest of a start, once the settings are known and there is a log.
template <Body B>
[[nodiscard]] int run_configured(Arguments& arguments, const DaemonSettings& settings,
                                 const Program& program, const Log& log, B& body) {
    if (!arguments.once && !(arguments.devices.empty() && arguments.partitions.empty())) {
        log(Level::warning, "--devices and --partitions are ignored without --once");
        arguments.devices.clear();
        arguments.partitions.clear();
    }
    for (const auto& problem : set_priorities(settings)) {
        log(Level::error, "{}", problem);
    }
    std::stop_source stop;
    const Notifier systemd = Notifier::from_environment();
    const bool serves = !arguments.once && !arguments.only_asks();
    Context context{arguments,
                    settings,
                    log,
                    stop.get_token(),
                    serves ? make_feed(settings, log) : FanotifyFeed(),
                    [&arguments] { release_streams(arguments.verbose || arguments.once); }};
    if (arguments.only_asks()) {
        drop_privileges(settings.user);
        return body(context);
    }
    log(Level::notice, "Starting {}", ::getpid());
    drop_privileges(settings.user);
    drop_capabilities();
    settle();
    constexpr std::uint64_t enough = 4096; // 512 connections, 2048 requests, and what they open
    if (const auto files = raise_descriptor_limit(); files < enough) {
        log(Level::warning, "Only {} files may be open at a time; see the hard limit, LimitNOFILE",
            files);
    }
    std::optional<Exclusion> lock;
    if (!arguments.once) {
        lock = exclude_others(program, settings, log);
    }
    const Signals signals; // before the parent learns that we are up, and may stop us
    const int code = run_until_signalled(context, stop, signals, program, systemd, body);
    log(Level::notice, "Exited {}", ::getpid());
    return code;
}

} // namespace detail

/// main() of a daemon. Returns the exit code: 0; 1 if it cannot start, with the reason on stderr
/// and in the log, once there is one; 2 for a bad command line.
template <Body B>
[[nodiscard]] int run_daemon(int argc, const char* const* argv, const Program& program, B body) {
    occupy_standard_descriptors();
    const auto parsed = parse_arguments(argc, argv, program.kind_type);
    if (const auto* const exit = std::get_if<Exit>(&parsed)) {
        (exit->code == 0 ? std::cout : std::cerr) << exit->text << std::flush;
        return exit->code;
    }
    auto arguments = std::get<Arguments>(parsed);
    std::optional<Log> log;
    try {
        const auto [settings, warnings] = detail::load_everything(arguments, program);
        arguments.once |= !settings.daemonize;
        log.emplace(settings, arguments.verbose);
        for (const auto& warning : warnings) {
            (*log)(Level::warning, "{}", warning);
        }
        return detail::run_configured(arguments, settings, program, *log, body);
    } catch (const std::exception& error) {
        if (log) {
            (*log)(Level::critical, "{}", error.what());
        }
        std::cerr << error.what() << std::endl;
        return 1;
    }
}

} // namespace replica::daemon

#endif
