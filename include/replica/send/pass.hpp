#ifndef REPLICA_SEND_PASS_HPP
#define REPLICA_SEND_PASS_HPP

// What the steps of one pass share: the policies, one pinned version of the ring, and the counters.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/file_sync.hpp>
#include <replica/kind.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/send/memory.hpp>
#include <replica/send/refusal.hpp>
#include <replica/settings.hpp>
#include <replica/stats.hpp>
#include <replica/storage/brakes.hpp>
#include <replica/transport.hpp>
#include <replica/words/random.hpp>

#include <cstdint>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

namespace replica {

/// One pass. Its members outlive every step; the policies belong to the replicator.
template <Broker B, RingVersion R, Transport T, FileSync F, Clock C, Observer O>
struct Pass {
    using broker_type = B;
    using database_type = typename B::database_type;
    using info_type = info_type_of<B>;
    using row_type = row_type_of<B>;
    using kind_type = typename B::kind_type;
    using peer_type = peer_type_of<T>;

    const Settings& settings;
    B& broker;
    R ring;
    T& transport;
    F& files;
    C& clock;
    O& observer;
    Random& random;
    Memory& memory;
    std::stop_token stop;
    Brakes brakes;
    Refusals refusals;
    [[no_unique_address]] typename kind_type::pass_state state{}; ///< Of the kind's hooks.

    Pass(const Settings& settings_, B& broker_, R ring_, T& transport_, F& files_, C& clock_,
         O& observer_, Random& random_, Memory& memory_, std::stop_token stop_)
        : settings(settings_), broker(broker_), ring(std::move(ring_)), transport(transport_),
          files(files_), clock(clock_), observer(observer_), random(random_), memory(memory_),
          stop(std::move(stop_)), brakes(settings_.leave_share) {}

    [[nodiscard]] Instant after(Seconds seconds) const {
        return clock.monotonic() + to_duration(seconds);
    }

    void count(std::int64_t Stats::*counter, std::int64_t by = 1) {
        const std::lock_guard guard(mutex_);
        stats_.*counter += by;
    }

    /// Wall time for what is reclaimed by its age (send/clock_watch.hpp).
    [[nodiscard]] Timestamp now() const {
        return memory.clock.limit(clock.now(), clock.monotonic());
    }

    /// A peer's clock said `theirs` just now. Returns by how much our clock is ahead.
    [[nodiscard]] Seconds compare_clocks(const Device& peer, Timestamp theirs) {
        const Seconds ahead = memory.clock.compare(theirs, clock.now(), clock.monotonic());
        if (ahead > ClockWatch::tolerance || ahead < -ClockWatch::tolerance) {
            {
                const std::lock_guard guard(mutex_);
                if (!skewed_.insert(peer.replication_ip).second) {
                    return ahead;
                }
                ++stats_.errors;
            }
            observer(event::ClockDiffers{peer, ahead});
        }
        return ahead;
    }

    /// Counts one failure of a device: the peer that failed, or the local device (defect 60).
    void count_failure(const Device& device) {
        const std::lock_guard guard(mutex_);
        ++stats_.failure;
        ++failure_nodes_[device.replication_ip][device.device];
    }

    /// The counters so far.
    [[nodiscard]] std::pair<Stats, FailureNodes> counted() const {
        const std::lock_guard guard(mutex_);
        return {stats_, failure_nodes_};
    }

private:
    mutable std::mutex mutex_;
    Stats stats_;
    FailureNodes failure_nodes_;
    std::set<std::string> skewed_; ///< Nodes whose clocks differ; told once.
};

namespace detail {

template <class P>
inline constexpr bool is_pass = false;

template <Broker B, RingVersion R, Transport T, FileSync F, Clock C, Observer O>
inline constexpr bool is_pass<Pass<B, R, T, F, C, O>> = true;

} // namespace detail

/// A pass over any policies.
template <class P>
concept AnyPass = detail::is_pass<std::remove_const_t<P>>;

} // namespace replica

#endif // REPLICA_SEND_PASS_HPP
