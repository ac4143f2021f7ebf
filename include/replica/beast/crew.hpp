#ifndef REPLICA_BEAST_CREW_HPP
#define REPLICA_BEAST_CREW_HPP

// Runs calls that may hang, each under a key: the device that the call works on. A healthy device
// must be served however many others hang, but should not get more threads than help it. So a call
// that takes long no longer counts, another call takes its turn, and threads are made as needed.

#include <replica/clock.hpp>
#include <replica/receive/admission.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace replica::http {

/// The bounds of a crew. There are never more threads than `most`.
struct CrewLimits {
    std::size_t at_once = 16; ///< Calls running, not counting late ones.
    int per_key = 32;         ///< Calls of a key, waiting or running.
    std::size_t most = 384;   ///< Calls of all keys, waiting or running.
    Seconds late{2};          ///< A call that has run for longer is late.
};

/// Threads for calls that may hang.
///
/// A key may use a quarter of `at_once`; all keys with a late call together may use half of it. So
/// a device that begins to hang holds up no other, and many that hang hold up the others for `late`
/// at most. Of the waiting calls, one whose key has the fewest running calls starts next.
///
/// All members are called on the one thread that runs `io`, and `done` is called there too; only
/// `work` runs on a thread of the crew. The destructor waits for running calls.
class Crew {
public:
    /// Throws std::system_error if not even one thread can be made.
    Crew(boost::asio::io_context& io, const CrewLimits& limits)
        : io_(io), limits_(limits), admission_(limits.most) {
        add_thread();
    }

    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    ~Crew() { join(); }

    /// Runs `work`, which must not throw, and then `done`. False if the key's share is used up.
    [[nodiscard]] bool take(const std::string& key, std::function<void()> work,
                            std::function<void()> done) {
        auto job = std::make_shared<Job>(io_, key, std::move(work), std::move(done));
        auto place = admission_.enter(key, limits_.per_key);
        if (!place) {
            return false;
        }
        lanes_[key].places.push_back(std::move(*place));
        waiting_.push_back(std::move(job));
        start_waiting();
        return true;
    }

    /// Starts no more calls. Call it once `io` is no longer run: calls that wait are dropped.
    void stop() {
        calls_.stop();
        waiting_.clear();
    }

    /// Stops, and waits for calls that are running.
    void join() {
        stop();
        for (std::thread& thread : std::exchange(threads_, {})) {
            thread.join();
        }
    }

private:
    /// The calls of a key.
    struct Lane {
        std::vector<Admission::Place> places; ///< One for each call, waiting or running.
        std::size_t running = 0;
        std::size_t late = 0; ///< Running calls that are late.

        [[nodiscard]] std::size_t busy() const { return running - late; }
    };

    struct Job {
        Job(boost::asio::io_context& io, std::string key_, std::function<void()> work_,
            std::function<void()> done_)
            : key(std::move(key_)), work(std::move(work_)), done(std::move(done_)), timer(io) {}

        std::string key;
        std::function<void()> work;
        std::function<void()> done;
        boost::asio::steady_timer timer;
        bool late = false;
        bool over = false;
    };

    using Jobs = std::list<std::shared_ptr<Job>>;

    void start_waiting() {
        for (auto next = choose(); next != waiting_.end() && has_thread(); next = choose()) {
            const std::shared_ptr<Job> job = std::move(*next);
            waiting_.erase(next);
            start(job);
        }
    }

    /// The call that starts next; the end if none may. Linear in the number of waiting calls, which
    /// costs little compared with a call.
    [[nodiscard]] Jobs::iterator choose() {
        std::size_t busy = 0;
        std::size_t busy_beside_late = 0;
        for (const auto& [key, lane] : lanes_) {
            busy += lane.busy();
            busy_beside_late += lane.late > 0 ? lane.busy() : 0;
        }
        const auto part = [&](std::size_t n) {
            return std::max(limits_.at_once / n, std::size_t{1});
        };
        auto best = waiting_.end();
        std::size_t fewest = 0;
        if (busy >= part(1)) {
            return best;
        }
        for (auto each = waiting_.begin(); each != waiting_.end(); ++each) {
            const Lane& lane = lanes_.at((*each)->key);
            const bool may =
                lane.busy() < part(4) && (lane.late == 0 || busy_beside_late < part(2));
            if (may && (best == waiting_.end() || lane.running < fewest)) {
                best = each;
                fewest = lane.running;
            }
        }
        return best;
    }

    [[nodiscard]] bool has_thread() {
        if (running_ < threads_.size()) {
            return true;
        }
        try {
            add_thread();
            return true;
        } catch (const std::system_error&) {
            return false; // no thread left: the next free one runs the call
        }
    }

    void add_thread() {
        threads_.emplace_back([this] { calls_.run(); });
    }

    void start(const std::shared_ptr<Job>& job) {
        ++running_;
        ++lanes_.at(job->key).running;
        job->timer.expires_after(to_duration(limits_.late));
        job->timer.async_wait([this, job](boost::system::error_code code) {
            if (!code && !job->over) {
                job->late = true;
                ++lanes_.at(job->key).late;
                start_waiting();
            }
        });
        boost::asio::post(calls_, [this, job] {
            job->work();
            boost::asio::post(io_, [this, job] { finish(*job); });
        });
    }

    void finish(Job& job) {
        job.over = true;
        job.timer.cancel();
        --running_;
        const auto lane = lanes_.find(job.key);
        --lane->second.running;
        lane->second.late -= job.late ? 1 : 0;
        lane->second.places.pop_back();
        if (lane->second.places.empty()) {
            lanes_.erase(lane);
        }
        start_waiting();
        job.done();
    }

    boost::asio::io_context& io_;
    const CrewLimits limits_;
    Admission admission_;
    std::map<std::string, Lane> lanes_; ///< Only keys with calls.
    Jobs waiting_;                      ///< In order of arrival.
    std::size_t running_ = 0;
    boost::asio::io_context calls_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
        calls_.get_executor()};
    std::vector<std::thread> threads_;
};

} // namespace replica::http

#endif // REPLICA_BEAST_CREW_HPP
