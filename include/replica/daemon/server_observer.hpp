#ifndef REPLICA_DAEMON_SERVER_OBSERVER_HPP
#define REPLICA_DAEMON_SERVER_OBSERVER_HPP

// The log lines and statsd timings of a stock container or account server, for our receiver.

#include <replica/daemon/log.hpp>
#include <replica/daemon/statsd.hpp>
#include <replica/observer.hpp>

#include <utility>

namespace replica::daemon {

/// The observer of a receiver: logs and measures REPLICATE like a stock server. Copies share the
/// log. Thread safety: any thread.
class ServerObserver {
public:
    /// `statsd` has the name of the server ("container-server") and must outlive all copies.
    ServerObserver(Log log, Statsd& statsd) : log_(std::move(log)), statsd_(&statsd) {}

    template <class Event>
    void operator()(const Event& /*event*/) const {} // events of a sender

    void operator()(const event::Served& request) const {
        const bool failed = request.status >= 500 && request.status != 507;
        statsd_->timing(failed ? "REPLICATE.errors.timing" : "REPLICATE.timing", request.elapsed);
        log_(Level::debug, "REPLICATE {} for {}: {} ({:.4f}s)", request.verb, request.device,
             request.status, request.elapsed.count());
    }
    void operator()(const event::Quarantined& database) const {
        log_(Level::error, "Quarantining DB {}: {}", database.path, database.reason);
        log_(Level::error, "Quarantined {} to {} due to {}",
             database.path.substr(0, database.path.rfind('/')), database.target, database.reason);
    }
    void operator()(const event::SetAside& part) const {
        log_(Level::error, "{}: {}", part.path, part.what);
    }
    void operator()(const event::ServeFailed& request) const {
        log_(Level::error, "ERROR serving REPLICATE of {}: {}", request.path, request.what);
    }

private:
    Log log_;
    Statsd* statsd_;
};

static_assert(Observer<ServerObserver>);

} // namespace replica::daemon

#endif // REPLICA_DAEMON_SERVER_OBSERVER_HPP
