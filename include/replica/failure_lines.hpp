#ifndef REPLICA_FAILURE_LINES_HPP
#define REPLICA_FAILURE_LINES_HPP

// An observer for the first days of a host program: each failure of a pass or of a request as one
// line of text. An observer hears of all events or, as by default, of none; then a pass that copies
// nothing says so only by its Stats.
//
//   Replicator(settings, store, ring, transport, files, clock, is_ours,
//              FailureLines([](const std::string& line) { std::cerr << line << '\n'; }));

#include <replica/observer.hpp>

#include <concepts>
#include <string>
#include <utility>

namespace replica {

/// Models Observer. `tell` is called from any thread, several at once; it must not throw. Texts may
/// have names of databases and records.
template <std::copy_constructible Tell>
    requires std::invocable<const Tell&, const std::string&>
class FailureLines {
public:
    /// Copies of an observer have copies of `tell`.
    explicit FailureLines(Tell tell) : tell_(std::move(tell)) {}

    /// For every event; most are no failures.
    void operator()(const auto& event) const {
        if (const std::string line = line_of(event); !line.empty()) {
            tell_(line);
        }
    }

private:
    static std::string line_of(const auto& /*event*/) { return {}; }
    static std::string line_of(const event::NoLocalDevices& /*event*/) {
        return "no device of the ring is this program's: nothing is replicated";
    }
    static std::string line_of(const event::PassFailed& event) { return event.what; }
    static std::string line_of(const event::DatabaseFailed& event) { return event.what; }
    static std::string line_of(const event::PeerFailed& event) { return event.what; }
    static std::string line_of(const event::DeviceSkipped& event) {
        return event.path + ' ' + std::string(event.reason);
    }
    static std::string line_of(const event::DeviceStalled& event) {
        return event.device + ": the disk does not answer";
    }
    static std::string line_of(const event::Braked& event) {
        return event.device + ": " + std::string(event.reason);
    }
    static std::string line_of(const event::PeerNotMounted& event) {
        return event.peer.replication_ip + '/' + event.peer.device + " is not mounted";
    }
    static std::string line_of(const event::WrongHash& event) {
        return event.path + ": of " + event.name +
               ", whose hash is another: is hash_path_prefix or hash_path_suffix another than "
               "before?";
    }
    static std::string line_of(const event::Stale& event) {
        if (event.awaits) {
            return event.path + ": the last rows of a peer never came, so nothing is sent again";
        }
        return event.path + ": was away for longer than reclaim_age, so old rows are " +
               (event.alone ? "sent though they may have been deleted" : "not sent");
    }
    static std::string line_of(const event::ListingFailed& event) {
        return event.path + ": " + event.what;
    }
    static std::string line_of(const event::Quarantined& event) {
        return event.path + ": " + event.reason;
    }
    static std::string line_of(const event::SetAside& event) {
        return event.path + ": " + event.what;
    }
    static std::string line_of(const event::ServeFailed& event) {
        return event.path + ": " + event.what;
    }

    Tell tell_;
};

} // namespace replica

#endif // REPLICA_FAILURE_LINES_HPP
