#ifndef REPLICA_SEND_MEMORY_HPP
#define REPLICA_SEND_MEMORY_HPP

// What a replicator remembers between passes and forgets when its process ends. What must survive a
// restart is in the database (words/notes.hpp) or on the device (storage/brakes.hpp).

#include <replica/clock.hpp>
#include <replica/send/backoff.hpp>
#include <replica/send/clock_watch.hpp>
#include <replica/send/ledgers.hpp>
#include <replica/send/places.hpp>
#include <replica/send/takers.hpp>
#include <replica/send/workers.hpp>
#include <replica/storage/brakes.hpp>
#include <replica/storage/doubts.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace replica {

/// When the trash of a device is to be emptied: once an hour, and after each hundred that came into
/// it. Thread safety: any thread.
class TrashDue {
public:
    static constexpr int most = 100;

    /// `came`: so many more lie there. If it is due, it counts as done.
    [[nodiscard]] bool is_due(const std::string& device, Instant now, int came = 0) {
        const std::lock_guard guard(mutex_);
        const auto [found, fresh] = last_.try_emplace(device, Last{now, 0});
        Last& last = found->second;
        last.came += came;
        const bool due = fresh || last.came >= most || now - last.at >= std::chrono::hours(1);
        last = due ? Last{now, 0} : last;
        return due;
    }

private:
    struct Last {
        Instant at;
        int came;
    };

    std::mutex mutex_;
    std::map<std::string, Last> last_;
};

/// What outlives a pass. Thread safety: any thread.
struct Memory {
    ClockWatch clock;
    PeerHolds peers;   ///< Nodes ("ip:port") and devices that did not answer.
    Backoff transfers; ///< Whole files whose finish was not answered: send/rsync.hpp.
    Places places;     ///< Whole files that are on their way.
    Stalled stalled;   ///< Devices with a worker that hangs.
    HourlyBrake hourly;
    /// Of the receiver in the same process, too (RpcServer).
    std::shared_ptr<storage::Doubts> doubts = std::make_shared<storage::Doubts>();
    Ledgers ledgers;
    Takers takers;    ///< Of rows along with `sync`.
    Takers comparers; ///< Of `compare`.
    TrashDue trash;

    /// A note (words/notes.hpp) that could not be written, on a full or a read-only disk.
    [[nodiscard]] std::optional<std::int64_t> note(const std::string& key) const {
        const std::lock_guard guard(mutex_);
        const auto found = notes_.find(key);
        return found != notes_.end() ? std::optional(found->second) : std::nullopt;
    }

    void keep_note(const std::string& key, std::int64_t value) {
        const std::lock_guard guard(mutex_);
        notes_[key] = value;
    }

    void drop_note(const std::string& key) {
        const std::lock_guard guard(mutex_);
        notes_.erase(key);
    }

    /// The name of the unfinished upload under `key`. If there is none, `fresh` becomes that name.
    [[nodiscard]] std::string pending_upload_name(const std::string& key,
                                                  const std::string& fresh) {
        const std::lock_guard guard(mutex_);
        return uploads_.try_emplace(key, fresh).first->second;
    }

    void finished(const std::string& key) {
        const std::lock_guard guard(mutex_);
        uploads_.erase(key);
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::int64_t> notes_;
    std::map<std::string, std::string> uploads_;
};

} // namespace replica

#endif // REPLICA_SEND_MEMORY_HPP
