#ifndef REPLICA_REQUIREMENTS_HPP
#define REPLICA_REQUIREMENTS_HPP

// A policy that lacks a member should say so in the first lines of the compiler's output. What a
// compiler prints for a failed concept names the member in its tenth line, and for a failed
// deduction in its thirtieth. So a class that takes policies uses each of their members once, where
// nothing runs: the first error then is "has no member named ...", in a function that is named
// after the policy. What is there but of the wrong type is left to the concept, which is asserted
// right after.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/file_sync.hpp>
#include <replica/kind.hpp>
#include <replica/ring.hpp>
#include <replica/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace replica::requirements {

template <class C>
consteval bool clock_policy() {
    if constexpr (!Clock<C>) {
        [[maybe_unused]] const auto use = [](const C& clock, Instant until, std::stop_token stop) {
            (void)clock.now();
            (void)clock.monotonic();
            (void)clock.sleep_until(until, stop);
        };
    }
    return true;
}

template <class R>
consteval bool ring_policy() {
    if constexpr (!Ring<R>) {
        [[maybe_unused]] const auto use = [](R& ring, std::string_view hash) {
            const auto version = ring.version();
            (void)version.devices();
            (void)version.partition_count();
            (void)version.partition(hash);
            (void)version.primaries(std::uint32_t{});
            (void)version.handoffs(std::uint32_t{}).next();
        };
    }
    return true;
}

template <class T>
consteval bool transport_policy() {
    if constexpr (!Transport<T>) {
        [[maybe_unused]] const auto use = [](T& transport, const Device& device,
                                             const Request& request, Instant deadline,
                                             std::stop_token stop) {
            auto peer = transport.peer(device);
            (void)peer.device();
            (void)peer.send(request, deadline, stop);
        };
    }
    return true;
}

template <class F>
consteval bool file_sync_policy() {
    if constexpr (!FileSync<F>) {
        [[maybe_unused]] const auto use = [](F& files, AnySource source, const Upload& upload,
                                             Instant deadline, std::stop_token stop) {
            (void)files.send(source, upload, deadline, stop);
        };
    }
    return true;
}

template <class K>
consteval bool kind_policy() {
    if constexpr (!Kind<K>) {
        using info_type = typename K::info_type;
        using row_type [[maybe_unused]] = typename K::row_type;
        using pass_state [[maybe_unused]] = typename K::pass_state;
        [[maybe_unused]] const auto use = [](const info_type& info) {
            (void)K::name;
            (void)K::datadir;
            (void)K::default_port;
            (void)K::live_rows(info);
            (void)K::reported(info);
            (void)K::sends_rows(info);
            (void)K::is_sharded(info);
            (void)K::may_remove(info);
            (void)K::may_expire(info);
            (void)K::sync_arguments(info, std::size_t{});
        };
    }
    return true;
}

template <class D>
consteval bool database_of_broker_policy() {
    if constexpr (!Database<D>) {
        using info_type = typename D::info_type;
        using row_type = typename D::row_type;
        using lock_type = typename D::lock_type;
        [[maybe_unused]] const auto use =
            [](D& db, std::int64_t number, std::string_view text, Direction direction,
               Instant deadline, const std::string& path, Timestamp time, const info_type& info,
               const Timestamps& times, std::span<const row_type> rows,
               std::span<const SyncPoint> points, const lock_type& lock) {
                db.set_deadline(deadline);
                (void)db.info();
                (void)db.items_since(number, number);
                (void)db.sync_point(text, direction);
                (void)db.sync_points(direction);
                (void)db.merge_items(rows, text, time);
                (void)db.together([] {});
                (void)db.last_heard();
                (void)db.merge_sync_points(points, direction);
                (void)db.set_sync_point(SyncPoint{}, direction);
                (void)db.merge_timestamps(times);
                (void)db.merge_metadata(text, time);
                (void)db.merge_status(db);
                (void)db.renew_id();
                (void)db.adopt(text);
                (void)db.reclaim(info, time, time);
                (void)db.exclusive(deadline);
                (void)db.copy_to(path, deadline);
                (void)db.mend_sums();
                (void)db.require_sound(deadline);
                (void)db.commit_pending(lock);
                (void)db.version();
            };
    }
    return true;
}

template <class B>
consteval bool broker_policy() {
    if constexpr (!Broker<B>) {
        using database_type [[maybe_unused]] = typename B::database_type;
        using disk_type [[maybe_unused]] = typename B::disk_type;
        [[maybe_unused]] const auto use = [](B& broker, const std::string& path, Instant deadline) {
            (void)broker.open(path, deadline);
            (void)broker.open_upload(path, deadline);
            (void)broker.disk();
            (void)broker.clock();
        };
        return kind_policy<typename B::kind_type>() && database_of_broker_policy<database_type>() &&
               clock_policy<typename B::clock_type>();
    }
    return true;
}

} // namespace replica::requirements

#endif // REPLICA_REQUIREMENTS_HPP
