#ifndef REPLICA_WORDS_TURNS_HPP
#define REPLICA_WORDS_TURNS_HPP

// Turns at a steady rate, for whoever waits for one: the starts of databases in a pass, and paced
// calls of a transport.

#include <replica/clock.hpp>

#include <algorithm>
#include <chrono>
#include <mutex>

namespace replica {

/// Gives out turns at least 1 / rate seconds apart. Turns that were missed within `slack` are made
/// up for; older ones are dropped. A rate of 0 or less means no gap. Thread safety: any thread.
class Turns {
public:
    explicit Turns(double rate, Seconds slack = {})
        : gap_(to_duration(Seconds(rate > 0 ? std::min(1 / rate, longest) : 0))),
          slack_(to_duration(slack)) {}

    /// The next turn. One that would come after `deadline` is not used up.
    [[nodiscard]] Instant next(Instant now, Instant deadline = Instant::max()) {
        const std::scoped_lock guard(mutex_);
        if (!begun_ || now - next_ > slack_) {
            begun_ = true;
            next_ = now;
        }
        const Instant turn = next_;
        if (turn <= deadline) {
            next_ = turn + gap_;
        }
        return turn;
    }

private:
    static constexpr double longest = 1e6; ///< Seconds. Beyond it an Instant could overflow.

    Instant::duration gap_;
    Instant::duration slack_;
    std::mutex mutex_;
    bool begun_ = false;
    Instant next_{};
};

} // namespace replica

#endif // REPLICA_WORDS_TURNS_HPP
