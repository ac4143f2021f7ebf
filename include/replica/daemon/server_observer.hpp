#ifndef REPLICA_DAEMON_SERVER_OBSERVER_HPP
#define REPLICA_DAEMON_SERVER_OBSERVER_HPP

// The log lines and statsd timings of a stock container or account server, for our receiver; and
// the lines about a copy on this node, which a sender writes as well.

#include <replica/clock.hpp>
#include <replica/daemon/log.hpp>
#include <replica/daemon/seldom.hpp>
#include <replica/daemon/statsd.hpp>
#include <replica/observer.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace replica::daemon {

/// Logs what befalls a copy on this node, in the same words whoever comes upon it. Copies share the
/// log. Thread safety: any thread.
class LocalCopyObserver {
public:
    explicit LocalCopyObserver(Log log) : log_(std::move(log)) {}

    void operator()(const event::Quarantined& database) const {
        log(Level::error, "Quarantining DB {}: {}", database.path, database.reason);
        log(Level::error, "Quarantined {} to {} due to {}",
            database.path.substr(0, database.path.rfind('/')), database.target, database.reason);
    }
    void operator()(const event::SetAside& part) const {
        log(Level::error, "{}: {}", part.path, part.what);
    }
    void operator()(const event::ServeFailed& request) const {
        log(Level::error, "ERROR serving REPLICATE of {}: {}", request.path, request.what);
    }

protected:
    template <class... Args>
    void log(Level level, fmt::format_string<Args...> format, Args&&... args) const {
        log_(level, format, std::forward<Args>(args)...);
    }

private:
    Log log_;
};

/// The observer of a receiver: logs and measures REPLICATE like a stock server. Copies share the
/// log. Thread safety: any thread.
class ServerObserver : private LocalCopyObserver {
public:
    using LocalCopyObserver::operator();

    /// `statsd` has the name of the server ("container-server") and must outlive all copies.
    ServerObserver(Log log, Statsd& statsd) : LocalCopyObserver(std::move(log)), statsd_(&statsd) {}

    template <class Event>
    void operator()(const Event& /*event*/) const {} // events of a sender

    void operator()(const event::Served& request) const {
        const bool failed = request.status >= 500 && request.status != 507;
        statsd_->timing({failed ? "REPLICATE.errors.timing" : "REPLICATE.timing",
                         "request_timing",
                         {{"method", "REPLICATE"}, {"status", std::to_string(request.status)}}},
                        request.elapsed);
        log(Level::debug, "REPLICATE {} for {}: {} ({:.4f}s)", request.verb, request.device,
            request.status, request.elapsed.count());
    }
    /// Counted each time, said once an hour for each address and reason.
    void operator()(const event::Doubted& request) const {
        const std::string word(request.word);
        const std::string fate = request.refused ? "refused" : "doubted";
        const std::string name = fate + '.' + word;
        statsd_->count(
            {"REPLICATE." + name, "requests_" + fate, {{"method", "REPLICATE"}, {"reason", word}}});
        {
            const std::lock_guard lock(doubts_->mutex);
            ++doubts_->counts[name];
        }
        if (doubts_->seldom.may_say(word + ' ' + request.address, SystemClock().monotonic())) {
            log(Level::warning, "REPLICATE of {} {}: {}", request.address,
                request.refused ? "is refused" : "is served all the same", request.sentence);
        }
    }

    /// Doubted requests since the start, by "refused." or "doubted." and the word of the reason.
    [[nodiscard]] std::map<std::string, std::uint64_t> doubts() const {
        const std::lock_guard lock(doubts_->mutex);
        return doubts_->counts;
    }

private:
    struct Doubts {
        Seldom seldom{};
        std::mutex mutex{};
        std::map<std::string, std::uint64_t> counts{};
    };

    Statsd* statsd_;
    std::shared_ptr<Doubts> doubts_ = std::make_shared<Doubts>();
};

static_assert(Observer<ServerObserver>);

} // namespace replica::daemon

#endif // REPLICA_DAEMON_SERVER_OBSERVER_HPP
