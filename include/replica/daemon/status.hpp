// What a service does now, in one line for `systemctl status`, and whether it still moves, for the
// watchdog of its unit. Both come from what the replicator tells its observer: a process whose
// passes have come to rest for good must not look alive because another of its threads is.
#ifndef REPLICA_DAEMON_STATUS_HPP
#define REPLICA_DAEMON_STATUS_HPP

#include <replica/clock.hpp>
#include <replica/observer.hpp>
#include <replica/words/timestamp.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace replica::daemon {

/// The state of a service's passes. Copies share it. Thread safety: any thread.
class ServiceStatus {
public:
    /// Passes are `interval` apart from now on; the next begins within that time.
    void rests(Instant now, Seconds interval) const {
        const std::lock_guard guard(state_->mutex);
        state_->interval = interval;
        state_->rest(now);
    }

    /// A new configuration waits for the end of the pass, or does not any more.
    void waits(bool configuration) const {
        const std::lock_guard guard(state_->mutex);
        state_->waits = configuration;
    }

    /// Called by the thread that runs the passes.
    void begin(Instant now, std::size_t devices) const {
        const std::lock_guard guard(state_->mutex);
        State& state = *state_;
        state.passing = true;
        state.passer = std::this_thread::get_id();
        state.began = state.moved = now;
        state.devices = devices;
        state.now.clear();
        state.at.clear();
    }

    void walk(Instant now, const event::DeviceProgress& progress) const {
        const std::lock_guard guard(state_->mutex);
        State& state = *state_;
        state.move(now);
        state.at = progress.device;
        state.now[progress.device] = {progress.partitions_done, progress.partitions,
                                      progress.databases};
    }

    /// The workers were looked after. Those of pushes, which another thread looks after, say
    /// nothing of the passes.
    void move(Instant now) const {
        const std::lock_guard guard(state_->mutex);
        if (state_->passer == std::this_thread::get_id()) {
            state_->move(now);
        }
    }

    /// A pass that could not be done has no `stats`.
    void end(Instant now, const Stats* stats) const {
        const std::lock_guard guard(state_->mutex);
        State& state = *state_;
        if (stats != nullptr && state.passing) {
            const auto databases = state.databases();
            state.last =
                fmt::format("the last pass took {} for {} databases, {} failures",
                            duration(Seconds(now - state.began)), databases, stats->failure);
            state.known = databases;
        } else {
            state.last = "the last pass could not be done, see the log";
        }
        state.rest(now);
    }

    /// Whether the passes have moved within `patience`, or rest and the next one is not overdue by
    /// more than that.
    [[nodiscard]] bool is_alive(Instant now, Seconds patience) const {
        const std::lock_guard guard(state_->mutex);
        return now <= state_->moved + to_duration(patience);
    }

    [[nodiscard]] std::string text(Instant now) const {
        const std::lock_guard guard(state_->mutex);
        const State& state = *state_;
        std::string text = state.passing ? state.pass_text(now) : "Resting";
        if (!state.passing) {
            text += state.last.empty() ? ", before the first pass" : ": " + state.last;
        }
        return text + (state.waits ? "; a new configuration counts from the next pass on" : "");
    }

private:
    struct Walked {
        std::size_t done = 0;
        std::size_t partitions = 0;
        std::int64_t databases = 0;
    };

    struct State {
        void rest(Instant at) {
            passing = false;
            moved = at + to_duration(interval);
        }

        /// A worker that was given up may come late, when the passes rest.
        void move(Instant at_time) { moved = std::max(moved, at_time); }

        [[nodiscard]] std::int64_t databases() const {
            std::int64_t sum = 0;
            for (const auto& [device, walked] : now) {
                sum += walked.databases;
            }
            return sum;
        }

        [[nodiscard]] std::string pass_text(Instant at_time) const {
            std::string text = fmt::format("Pass over {} devices: {}", devices, databases());
            if (known) {
                text += fmt::format(" of about {}", std::max(*known, databases()));
            }
            text += " databases";
            if (!at.empty()) {
                const Walked& walked = now.at(at);
                text += ", now " + at;
                if (walked.partitions > 0) { // else nothing is walked
                    text += fmt::format(" ({} of {} partitions)", walked.done, walked.partitions);
                }
            }
            const auto left = time_left(Seconds(at_time - began));
            return text + (left ? ", about " + duration(*left) + " left" : "");
        }

        /// The slowest device decides; nothing while one of them has just begun.
        [[nodiscard]] std::optional<Seconds> time_left(Seconds passed) const {
            std::optional<Seconds> most;
            for (const auto& [device, walked] : now) {
                if (walked.done == 0 && walked.partitions > 0) {
                    return std::nullopt;
                }
                if (walked.partitions > 0) {
                    const Seconds left = passed *
                                         static_cast<double>(walked.partitions - walked.done) /
                                         static_cast<double>(walked.done);
                    most = std::max(most.value_or(Seconds{}), left);
                }
            }
            return most;
        }

        std::mutex mutex{};
        bool passing = false;
        bool waits = false;
        std::thread::id passer{};
        Seconds interval{};
        Instant moved{}; ///< The last sign of life; while at rest, when the next is due.
        Instant began{};
        std::size_t devices = 0;
        std::string at{}; ///< The device on which a database was found last.
        std::map<std::string, Walked> now{};
        std::optional<std::int64_t> known{}; ///< Databases of the last pass.
        std::string last{};
    };

    [[nodiscard]] static std::string duration(Seconds time) {
        const auto seconds = static_cast<std::int64_t>(std::ceil(time.count()));
        return seconds < 120    ? fmt::format("{} s", seconds)
               : seconds < 7200 ? fmt::format("{} min", (seconds + 59) / 60)
                                : fmt::format("{} h", (seconds + 3599) / 3600);
    }

    std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Tells another observer everything, and a ServiceStatus what it is about.
template <Observer O>
class StatusObserver {
public:
    /// `kept` lives as long as a copy: what the other observer needs.
    StatusObserver(O observer, ServiceStatus status, std::shared_ptr<const void> kept = {})
        : kept_(std::move(kept)), observer_(std::move(observer)), status_(std::move(status)) {}

    template <class Event>
    void operator()(const Event& event) const {
        observer_(event); // first: a summary in the log may take its time
        note(event);
    }

private:
    void note(const event::PassBegan& pass) const { status_.begin(now(), pass.devices); }
    void note(const event::DeviceProgress& at) const { status_.walk(now(), at); }
    void note(const event::WorkersWatched& /*look*/) const { status_.move(now()); }
    void note(const event::PassEnded& pass) const { status_.end(now(), &pass.stats); }
    void note(const event::PassFailed& /*pass*/) const { status_.end(now(), nullptr); }
    void note(const auto& /*event*/) const {}

    [[nodiscard]] static Instant now() { return SystemClock().monotonic(); }

    std::shared_ptr<const void> kept_;
    O observer_;
    ServiceStatus status_;
};

} // namespace replica::daemon

#endif
