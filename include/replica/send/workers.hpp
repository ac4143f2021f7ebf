#ifndef REPLICA_SEND_WORKERS_HPP
#define REPLICA_SEND_WORKERS_HPP

// How much runs at once, and how a bad disk costs only itself. Workers are threads that block.
// `concurrency` bounds the databases in flight, and every device has a share of at least one
// worker. A disk that no longer answers holds up its own share and nothing else; its workers are
// given up after the watchdog's time (defect 32).

#include <replica/clock.hpp>
#include <replica/settings.hpp>
#include <replica/words/turns.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace replica {

/// A worker's sign of life. A worker that is about to wait says until when that is in order.
class Heartbeat {
public:
    /// The worker may be silent until `until`.
    void expect(Instant until) { until_.store(until.time_since_epoch().count()); }

    [[nodiscard]] Instant expected() const { return Instant(Instant::duration(until_.load())); }

private:
    std::atomic<Instant::rep> until_{0};
};

/// Spreads starts evenly: `rate` per second; 0 or less means no limit. Starts that were missed in
/// up to 5 s are made up for; after a longer gap they are dropped, as with Swift's
/// databases_per_second. Thread safety: any thread.
template <Clock C>
class Pacer {
public:
    Pacer(C clock, double rate)
        : clock_(std::move(clock)), limited_(rate > 0), turns_(rate, Seconds(5)) {}

    /// Waits for the next turn; false if a stop came first. `announce` is called before with the
    /// time of that turn: with many workers and a low rate it is far away.
    template <std::invocable<Instant> Announce>
    bool wait(const std::stop_token& stop, Announce announce) {
        const Instant now = clock_.monotonic();
        const Instant turn = limited_ ? turns_.next(now) : now;
        if (turn <= now) {
            return !stop.stop_requested();
        }
        announce(turn);
        return clock_.sleep_until(turn, stop);
    }

private:
    C clock_;
    bool limited_;
    Turns turns_;
};

/// Whether the clock is a simulated one that only one thread may use. Then all work runs in run().
template <class C>
inline constexpr bool is_single_threaded = requires { requires C::single_threaded; };

/// Devices on which a worker of an earlier pass still hangs. Thread safety: any thread.
class Stalled {
public:
    void add(const std::string& device) {
        const std::lock_guard guard(mutex_);
        ++workers_[device];
    }

    void remove(const std::string& device) {
        const std::lock_guard guard(mutex_);
        if (--workers_[device] <= 0) {
            workers_.erase(device);
        }
    }

    [[nodiscard]] bool contains(const std::string& device) const {
        const std::lock_guard guard(mutex_);
        return workers_.contains(device);
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, int> workers_;
};

/// Runs the work of several queues, one per device, on threads. Lives in a shared_ptr: a thread
/// that hangs in a dead disk is left behind and keeps alive what it uses.
template <Clock C>
class Workers : public std::enable_shared_from_this<Workers<C>> {
public:
    /// One piece of a queue's work; empty if there is no more. Several threads work on one queue.
    using Work = std::function<void(Heartbeat&)>;

    /// Finds the next piece of work. Called by one thread at a time for each queue, since a walk
    /// has one position. Workers that wait for it are not silent in the watchdog's sense, so a long
    /// walk that finds nothing costs the device none of its other workers.
    using Find = std::function<Work(Heartbeat&)>;
    using OnStall = std::function<void(const std::string& device, Seconds silent)>;
    using OnWatch = std::function<void()>;

    /// Starts a thread and does not wait for it. Throws std::system_error if that fails.
    using Start = std::function<void(std::function<void()> work)>;

    Workers(C clock, const Limits& limits, Stalled& stalled, Start start = in_a_thread)
        : clock_(std::move(clock)), limits_(limits), stalled_(&stalled), start_(std::move(start)) {}

    /// Adds a device and its work. What `find` owns lives as long as a thread that is left behind.
    void add(std::string device, Find find) {
        queues_.push_back(Queue{std::move(device), std::move(find)});
    }

    /// Returns when each queue is done or stalled. Round robin: the next free worker takes the next
    /// device that has a share left (defect 30). If the machine has too few threads, those that
    /// started do all of the work, and std::runtime_error is thrown after it. Calls `on_watch` each
    /// time that it has looked whether they move: twice a second or more often.
    void run(const std::stop_token& stop, const OnStall& on_stall, const OnWatch& on_watch = {}) {
        if (queues_.empty()) {
            return;
        }
        if constexpr (is_single_threaded<C>) {
            run_here(stop);
            return;
        }
        const std::size_t count =
            std::max(static_cast<std::size_t>(limits_.concurrency), queues_.size());
        share_ = (count + queues_.size() - 1) / queues_.size();
        for (std::size_t i = 0; i < count; ++i) {
            slots_.push_back(std::make_shared<Slot>());
        }
        running_ = count;
        std::string fault;
        for (std::size_t begun = 0; begun < count && fault.empty(); ++begun) {
            try {
                start_([self = this->shared_from_this(), slot = slots_[begun], stop] {
                    self->work(*slot, stop);
                });
            } catch (const std::exception& failure) {
                fault = "only " + std::to_string(begun) + " of " + std::to_string(count) +
                        " workers could be started: " + failure.what();
                const std::lock_guard guard(mutex_);
                end(count - begun);
            }
        }
        watch(on_stall, on_watch);
        if (!fault.empty()) {
            throw std::runtime_error(fault);
        }
    }

private:
    struct Queue {
        std::string device;
        Find find;
        std::size_t in_flight = 0;
        bool searched = false; ///< A worker is in find().
        bool finished = false;
        bool stalled = false;
    };

    struct Slot {
        Heartbeat heartbeat;
        std::optional<std::size_t> queue; ///< The queue it works on. Guarded by mutex_.
        bool given_up = false;            ///< Guarded by mutex_.
    };

    static void in_a_thread(std::function<void()> work) { std::thread(std::move(work)).detach(); }

    /// `workers` workers no longer count. Called with the lock held.
    void end(std::size_t workers) {
        running_ -= workers;
        if (running_ == 0) {
            done_.request_stop();
        }
    }

    void run_here(const std::stop_token& stop) {
        Heartbeat heartbeat;
        bool more = true;
        while (more && !stop.stop_requested()) {
            more = false;
            for (Queue& queue : queues_) {
                if (!queue.finished && !stop.stop_requested()) {
                    const Work work = queue.find(heartbeat);
                    queue.finished = !work;
                    more = more || work;
                    if (work) {
                        work(heartbeat);
                    }
                }
            }
        }
    }

    /// Whether one more worker may go to a queue. An idle device always gets a worker. A device
    /// that has one gets another only if enough free workers remain for every idle device:
    /// otherwise two disks that hang could take the workers of a third.
    [[nodiscard]] bool has_room(const Queue& queue) const {
        const auto idle =
            static_cast<std::size_t>(std::ranges::count_if(queues_, [](const Queue& each) {
                return !each.finished && !each.stalled && each.in_flight == 0;
            }));
        return queue.in_flight == 0 || (queue.in_flight < share_ && running_ - busy_ - 1 >= idle);
    }

    /// The next queue with work and room. Waits for one if all are taken; nothing if no queue has
    /// work. Called and returns with the lock held.
    std::optional<std::size_t> pick(std::unique_lock<std::mutex>& lock,
                                    const std::stop_token& stop) {
        for (;;) {
            bool later = false;
            for (std::size_t i = 0; i < queues_.size(); ++i) {
                const std::size_t at = (turn_ + i) % queues_.size();
                const Queue& queue = queues_[at];
                if (queue.finished || queue.stalled) {
                    continue;
                }
                if (!queue.searched && has_room(queue)) {
                    turn_ = at + 1;
                    return at;
                }
                later = true;
            }
            if (!later || stop.stop_requested()) {
                return std::nullopt;
            }
            free_.wait(lock);
        }
    }

    void work(Slot& slot, const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (!stop.stop_requested()) {
            const auto at = pick(lock, stop);
            if (!at) {
                break;
            }
            Queue& queue = queues_[*at];
            ++queue.in_flight;
            ++busy_;
            slot.queue = at;
            queue.searched = true;
            slot.heartbeat.expect(clock_.monotonic() + to_duration(limits_.watchdog));
            lock.unlock();
            const Work work = queue.find(slot.heartbeat);
            lock.lock();
            queue.searched = false;
            queue.finished = queue.finished || !work;
            free_.notify_all();
            if (work && !slot.given_up) { // else the pass may be over
                lock.unlock();
                work(slot.heartbeat);
                lock.lock();
            }
            --queue.in_flight;
            slot.queue.reset();
            free_.notify_all();
            if (slot.given_up) {
                stalled_->remove(queue.device);
                return;
            }
            --busy_;
        }
        end(1);
        free_.notify_all();
    }

    /// Waits for the workers, and gives up those that have been silent for too long.
    void watch(const OnStall& on_stall, const OnWatch& on_watch) {
        const std::stop_token done = done_.get_token();
        while (!done.stop_requested()) {
            const auto step = std::min(to_duration(limits_.watchdog) / 4,
                                       Instant::duration(std::chrono::milliseconds(500)));
            clock_.sleep_until(clock_.monotonic() + step, done);
            std::vector<std::pair<std::string, Seconds>> reports;
            {
                const std::lock_guard guard(mutex_);
                const Instant now = clock_.monotonic();
                for (const auto& slot : slots_) {
                    if (!slot->queue || slot->given_up || now <= slot->heartbeat.expected()) {
                        continue;
                    }
                    slot->given_up = true;
                    Queue& queue = queues_[*slot->queue];
                    if (!std::exchange(queue.stalled, true)) {
                        reports.emplace_back(queue.device,
                                             now - slot->heartbeat.expected() + limits_.watchdog);
                    }
                    stalled_->add(queue.device);
                    --busy_;
                    end(1);
                }
            }
            free_.notify_all();
            for (const auto& [device, silent] : reports) {
                on_stall(device, silent);
            }
            if (on_watch) {
                on_watch();
            }
        }
    }

    C clock_;
    Limits limits_;
    Stalled* stalled_;
    Start start_;
    std::vector<Queue> queues_;
    std::vector<std::shared_ptr<Slot>> slots_;
    std::mutex mutex_;
    std::condition_variable free_;
    std::stop_source done_;
    std::size_t share_ = 1;
    std::size_t turn_ = 0;
    std::size_t running_ = 0; // workers that were not given up
    std::size_t busy_ = 0;    // of them, those that work on a queue
};

} // namespace replica

#endif // REPLICA_SEND_WORKERS_HPP
