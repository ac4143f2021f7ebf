#ifndef REPLICA_SQLITE_WAIT_HPP
#define REPLICA_SQLITE_WAIT_HPP

// SQLite's own busy timeout sleeps by the system clock; this one waits by the broker's clock.

#include <replica/clock.hpp>
#include <replica/sqlite/connection.hpp>

#include <algorithm>
#include <chrono>
#include <stop_token>
#include <utility>

namespace replica::sqlite {

/// Waits 1, 2, 3... up to 25 ms between two tries of a lock, until the deadline.
template <Clock C>
[[nodiscard]] Wait wait_by(C clock) {
    return [clock = std::move(clock)](int attempt, Instant deadline) {
        const Instant now = clock.monotonic();
        if (now >= deadline) {
            return false;
        }
        const std::chrono::milliseconds step(std::min(attempt + 1, 25));
        clock.sleep_until(std::min(deadline, now + step), std::stop_token());
        return true;
    };
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_WAIT_HPP
