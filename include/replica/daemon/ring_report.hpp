// Tells of a ring file that breaks while a service runs. The service goes on with the ring that it
// has, so nothing fails: whoever does not hear of it learns it when the service cannot start again.
#ifndef REPLICA_DAEMON_RING_REPORT_HPP
#define REPLICA_DAEMON_RING_REPORT_HPP

#include <replica/clock.hpp>
#include <replica/daemon/facts.hpp>
#include <replica/daemon/log.hpp>
#include <replica/daemon/seldom.hpp>
#include <replica/error.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace replica::daemon {

/// The Report of a WatchedRing. Facts hear of each look at the file. The log has each reason at
/// once and then once an hour, and a line when the file is good again. Copies share what was said.
/// Thread safety: any thread.
template <Clock C = SystemClock>
class RingReport {
public:
    RingReport(Log log, Facts facts, C clock = {})
        : log_(std::move(log)), facts_(std::move(facts)), clock_(std::move(clock)) {}

    /// `failure`: why the file cannot be used; empty if it can be used again.
    void operator()(const std::optional<Failure>& failure) {
        if (!failure) {
            facts_.note(RingLook{}, clock_.now());
            ++said_->times_well; // what breaks again is said at once
            log_(Level::notice, "The ring file is read again");
            return;
        }
        const std::string what = failure->what();
        facts_.note(RingLook{what}, clock_.now());
        if (said_->seldom.may_say(std::to_string(said_->times_well) + what, clock_.monotonic())) {
            log_(Level::error, "The ring stays as it was: {}", what);
        }
    }

private:
    struct Said {
        Seldom seldom{};
        std::atomic<std::uint64_t> times_well{0};
    };

    Log log_;
    Facts facts_;
    C clock_;
    std::shared_ptr<Said> said_ = std::make_shared<Said>();
};

} // namespace replica::daemon

#endif
