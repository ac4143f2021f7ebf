#ifndef REPLICA_SEND_PUSH_HPP
#define REPLICA_SEND_PUSH_HPP

// Which changed databases have their turn next. The first change of a database is due at once, the
// next ones half a second after the last turn began: a container with a thousand writes in a second
// has two turns in it, and not a thousand. Who has waited longest comes first, so a busy database
// takes no turn from a quiet one.

#include <replica/clock.hpp>
#include <replica/feed.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace replica {

/// The changed databases of one device. Not thread safe.
class PushQueue {
public:
    /// Between the starts of two turns of one database. A write right after a start waits for so
    /// long, and still is on all replicas within a second.
    static constexpr Seconds pause{0.5};

    /// `most`: so many may wait, at about 200 bytes each. At 50 turns in a second that is more than
    /// a pass in its default pace does in twenty minutes.
    explicit PushQueue(std::size_t most = 65'536) : most_(most) {}

    /// A database has changed. False if too many wait, and this one is left to the pass.
    bool add(const Change& change, Instant now) {
        forget(now);
        const auto known = entries_.find(change.hash);
        if (known == entries_.end() && due_.size() >= most_) {
            return false;
        }
        Entry& entry = known != entries_.end() ? known->second : entries_[change.hash];
        entry.change = change;
        if (!std::exchange(entry.waits, true)) {
            entry.due = {std::max(now, entry.earliest), ++count_};
            if (!entry.runs) {
                due_.emplace(entry.due, change.hash);
            }
        }
        return true;
    }

    /// The next database whose turn has come. The caller says ended() after the turn; meanwhile the
    /// database is not given out again.
    [[nodiscard]] std::optional<Change> take(Instant now) {
        const auto first = due_.begin();
        if (first == due_.end() || first->first.first > now) {
            return std::nullopt;
        }
        Entry& entry = entries_.at(first->second);
        due_.erase(first);
        entry.waits = false;
        entry.runs = true;
        entry.earliest = now + to_duration(pause);
        running_.insert(now);
        return entry.change;
    }

    /// A turn is over. The database is due again if it has changed since the turn began.
    void ended(const std::string& hash) {
        Entry& entry = entries_.at(hash);
        entry.runs = false;
        running_.erase(running_.find(entry.earliest - to_duration(pause)));
        if (entry.waits) {
            entry.due.first = std::max(entry.due.first, entry.earliest);
            due_.emplace(entry.due, hash);
        } else {
            rests_.emplace_back(entry.earliest, hash);
        }
    }

    /// A turn did not come after all. The database is due again after the pause.
    void again(const std::string& hash) {
        Entry& entry = entries_.at(hash);
        if (!std::exchange(entry.waits, true)) {
            entry.due = {entry.earliest, ++count_};
        }
        ended(hash);
    }

    /// When the next database is due; nothing if none waits.
    [[nodiscard]] std::optional<Instant> due() const {
        return due_.empty() ? std::nullopt : std::optional(due_.begin()->first.first);
    }

    /// Whether a turn goes on that began at `from` or later, and before `until`.
    [[nodiscard]] bool runs(Instant from, Instant until) const {
        const auto first = running_.lower_bound(from);
        return first != running_.end() && *first < until;
    }

    /// Databases that are known: those that wait, run, or have run within the pause.
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

    /// Whether a reason why something is not known is to be told: a new one, or one that was told
    /// an hour ago. A kernel's queue that is too small overflows many times in a second.
    [[nodiscard]] bool is_news(std::string_view why, Instant now) {
        const bool news = !why.empty() && (why != told_ || now - told_at_ >= std::chrono::hours(1));
        if (news) {
            told_ = why;
            told_at_ = now;
        }
        return news;
    }

private:
    using Due = std::pair<Instant, std::uint64_t>; ///< And in which order the changes came.

    struct Entry {
        Change change;
        Due due{};
        Instant earliest{}; ///< Of the next turn.
        bool waits = false;
        bool runs = false;
    };

    /// Drops what has rested for the pause.
    void forget(Instant now) {
        for (; !rests_.empty() && rests_.front().first <= now; rests_.pop_front()) {
            const auto found = entries_.find(rests_.front().second);
            if (found != entries_.end() && !found->second.waits && !found->second.runs &&
                found->second.earliest <= now) {
                entries_.erase(found);
            }
        }
    }

    std::size_t most_;
    std::multiset<Instant> running_; ///< When they began.
    std::uint64_t count_ = 0;
    std::string told_;
    Instant told_at_{};
    std::unordered_map<std::string, Entry> entries_; ///< By hash.
    std::map<Due, std::string> due_;                 ///< Those that wait and do not run.
    std::deque<std::pair<Instant, std::string>> rests_;
};

/// A queue for each device of this machine. Thread safety: any thread.
class PushQueues {
public:
    /// Calls `use` with the queue of the device with this name, and returns what it returns.
    template <std::invocable<PushQueue&> Use>
    std::invoke_result_t<Use, PushQueue&> with(const std::string& device, Use use) {
        const std::lock_guard guard(mutex_);
        return use(queues_[device]);
    }

    /// When the next database of any device is due; `latest` if none is before.
    [[nodiscard]] Instant due(Instant latest) const {
        const std::lock_guard guard(mutex_);
        for (const auto& [device, queue] : queues_) {
            latest = std::min(latest, queue.due().value_or(latest));
        }
        return latest;
    }

    /// PushQueue::runs, on any device.
    [[nodiscard]] bool runs(Instant from, Instant until) const {
        const std::lock_guard guard(mutex_);
        return std::ranges::any_of(queues_,
                                   [&](const auto& each) { return each.second.runs(from, until); });
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, PushQueue> queues_;
};

} // namespace replica

#endif // REPLICA_SEND_PUSH_HPP
