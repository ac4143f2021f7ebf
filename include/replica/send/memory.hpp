#ifndef REPLICA_SEND_MEMORY_HPP
#define REPLICA_SEND_MEMORY_HPP

// What a replicator remembers from one pass to the next, and forgets when its process ends. What
// must survive a restart is in the database (notes.hpp) or on the device (storage/brakes.hpp).

#include <replica/send/backoff.hpp>
#include <replica/send/clock_watch.hpp>
#include <replica/send/workers.hpp>
#include <replica/storage/brakes.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace replica {

/// What outlives a pass. Thread safety: any thread.
struct Memory {
    ClockWatch clock;
    PeerHolds peers;   ///< Nodes ("ip:port") and devices of theirs that did not answer.
    Backoff transfers; ///< By hash and device: whole files whose end we did not hear of.
    Stalled stalled;   ///< Devices with a worker that hangs.
    HourlyBrake hourly;

    /// A note (notes.hpp) that could not be written, on a full or a read-only disk.
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

    /// The name of an upload that no finish has taken; `fresh` from now on if there is none.
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
