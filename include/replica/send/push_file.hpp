#ifndef REPLICA_SEND_PUSH_FILE_HPP
#define REPLICA_SEND_PUSH_FILE_HPP

// Sends a whole file to a server of ours over the transport's kept connections, without a process
// on either side: an rsync costs each node more than all else that a small database needs. What is
// sent is a snapshot, so nobody has to look afterwards whether the file is torn. A file of one
// piece is put in place by the same request if the caller allows that: a request and a connection
// less. The receiving side, and what is left if this breaks off, is in receive/put_file.hpp.

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/file_sync.hpp>
#include <replica/send/backoff.hpp>
#include <replica/settings.hpp>
#include <replica/transport.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/put_file.hpp>
#include <replica/words/sha256.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace replica {

/// Models SelectiveFileSync, for sources with a snapshot and peers that are known to be ours.
/// Copies share what they have learnt. Thread safety: any thread.
template <Transport T, Clock C = SystemClock>
class PushFileSync {
public:
    /// Uses of the settings: push_files, and node_timeout for each piece. `piece`: the bytes of
    /// one, at most PutFile::most_bytes. Only tests need others.
    PushFileSync(T transport, const Settings& settings, C clock = {},
                 std::size_t piece = message::PutFile::most_bytes)
        : transport_(std::move(transport)), clock_(std::move(clock)), on_(settings.push_files),
          timeout_(settings.node_timeout), piece_(piece) {}

    /// Whether a server of ours is there, and has not refused the verb in the last ten minutes: an
    /// older one does not know it.
    template <Source S>
    [[nodiscard]] bool takes(const S& /*source*/, const Upload& upload, Instant deadline,
                             const std::stop_token& stop) {
        if constexpr (SnapshotSource<S> && KnowingPeer<peer_type_of<T>>) {
            return on_ && !old_->held(key(upload.target), clock_.monotonic()) &&
                   transport_.peer(upload.target).speaks_ours(deadline, stop);
        } else {
            return false;
        }
    }

    /// Faults: bad_name, timed_out, stopped, no_space (here or there), transfer_failed, and those
    /// of the snapshot.
    template <Source S>
    [[nodiscard]] Result<Sent> send(S& source, const Upload& upload, Instant deadline,
                                    const std::stop_token& stop) {
        return caught(about(upload), [&] { return deliver(source, upload, deadline, stop); });
    }

private:
    static constexpr Seconds believed{600};
    static constexpr int most_steps_back = 3;
    static constexpr int most_refusals = 5; ///< Of one piece.
    static constexpr Seconds pause{1};

    [[nodiscard]] static std::string key(const Device& device) {
        return device.replication_ip + ':' + std::to_string(device.replication_port);
    }

    [[nodiscard]] static std::string about(const Upload& upload) {
        return "push to " + key(upload.target) + '/' + upload.target.device + "/tmp/" +
               upload.name + ": ";
    }

    [[nodiscard]] static Fault fault(const Upload& upload, Error error, const std::string& why) {
        return {error, about(upload) + why};
    }

    template <Source S>
    [[nodiscard]] Result<Sent> deliver(S& source, const Upload& upload, Instant deadline,
                                       const std::stop_token& stop) {
        if (!is_safe_name(upload.name) || !is_safe_name(upload.target.device)) {
            return fault(upload, Error::bad_name, "an unsafe name");
        }
        if (stop.stop_requested()) {
            return fault(upload, Error::stopped, "not started: stopping");
        }
        if (clock_.monotonic() >= deadline) {
            return fault(upload, Error::timed_out, "not begun, the deadline has passed");
        }
        if constexpr (SnapshotSource<S> && KnowingPeer<peer_type_of<T>>) {
            return push(source.snapshot(deadline), upload, deadline, stop);
        } else {
            return fault(upload, Error::transfer_failed,
                         "this is no way for such a source or peer");
        }
    }

    [[nodiscard]] static std::string digest_of(const Snapshot auto& snapshot) {
        const auto compute = [&] {
            Sha256 digest;
            const std::int64_t step = message::PutFile::most_bytes;
            for (std::int64_t at = 0; at < snapshot.size(); at += step) {
                digest.add(snapshot.read(at, message::PutFile::most_bytes));
            }
            return digest.text();
        };
        if constexpr (DigestedSnapshot<std::decay_t<decltype(snapshot)>>) {
            return snapshot.digest(compute);
        } else {
            return compute();
        }
    }

    /// Goes on from where the receiver is. A step back, or none, happens after a lost answer or
    /// beside another sender of the same file. A large file is thousands of requests: one that
    /// comes while the device has too many is sent again, not the file. A file that was to be put
    /// in place is not sent again: whether it is there, the next pass asks.
    [[nodiscard]] Result<Sent> push(const Snapshot auto& snapshot, const Upload& upload,
                                    Instant deadline, const std::stop_token& stop) {
        auto peer = transport_.peer(upload.target);
        message::PutFile put{upload.name, 0, snapshot.size(), digest_of(snapshot)};
        if (put.size <= static_cast<std::int64_t>(piece_) &&
            !apart_->held(key(upload.target), clock_.monotonic())) {
            put.file = upload.file;
        }
        Request request{
            upload.target.device, std::to_string(upload.partition), upload.hash, {}, true, true};
        int refusals = 0;
        for (int steps_back = 0; steps_back <= most_steps_back;) {
            request.body = message::encode(put, snapshot.read(put.offset, piece_));
            const auto reply = peer.send(request, until(put, deadline), stop);
            if (!put.file.empty() && reply && reply->status == 400) {
                apart_->hold(key(upload.target), clock_.monotonic() + to_duration(believed));
                put.file.clear();
                continue;
            }
            if (!put.file.empty() && reply && reply->status == 204) {
                return Sent{.bytes = put.size, .snapshot = true, .finished = true};
            }
            if (put.file.empty() && !reply && reply.error().code == Error::connection_lost) {
                ++steps_back;
                continue;
            }
            const bool busy = reply && reply->status == 503 && put.file.empty();
            if (busy && ++refusals <= most_refusals) {
                clock_.sleep_until(std::min(deadline, clock_.monotonic() + to_duration(pause)),
                                   stop);
                continue;
            }
            auto have = understood(reply, put, upload);
            if (!have) {
                return have.error();
            }
            if (*have == put.size) {
                return Sent{.bytes = put.size, .snapshot = true};
            }
            steps_back += *have > put.offset ? 0 : 1;
            put.offset = *have;
            refusals = 0;
        }
        return fault(upload, Error::transfer_failed, "the peer does not get on");
    }

    /// A piece has node_timeout, and the last one the time to read all of the file as well.
    [[nodiscard]] Instant until(const message::PutFile& put, Instant deadline) const {
        const auto step = static_cast<std::int64_t>(piece_);
        const bool last = put.size - put.offset <= step;
        const Seconds reading(static_cast<double>(last ? put.size : step) / (1 << 20));
        return std::min(deadline, clock_.monotonic() + to_duration(timeout_ + reading));
    }

    /// How many bytes of the file are there.
    [[nodiscard]] Result<std::int64_t>
    understood(const Result<Reply>& reply, const message::PutFile& put, const Upload& upload) {
        if (!reply) {
            const auto& failed = reply.error();
            const bool waited = failed.code == Error::timed_out || failed.code == Error::stopped;
            return fault(upload,
                         waited ? static_cast<Error>(failed.code.value()) : Error::transfer_failed,
                         failed.what);
        }
        if (reply->status == 400) { // no JSON, or an unknown operation
            old_->hold(key(upload.target), clock_.monotonic() + to_duration(believed));
        }
        if (!reply->success()) {
            return fault(upload, reply->status == 507 ? Error::no_space : Error::transfer_failed,
                         "answered " + std::to_string(reply->status) + ' ' + reply->reason);
        }
        std::int64_t have = -1;
        const char* const end = reply->body.data() + reply->body.size();
        if (std::from_chars(reply->body.data(), end, have).ptr != end || have < 0 ||
            have > put.size) {
            return fault(upload, Error::transfer_failed, "the answer cannot be read");
        }
        return have;
    }

    T transport_;
    [[no_unique_address]] C clock_;
    bool on_;
    Seconds timeout_;
    std::size_t piece_;
    std::shared_ptr<Backoff> old_ = std::make_shared<Backoff>();   ///< Nodes without the verb.
    std::shared_ptr<Backoff> apart_ = std::make_shared<Backoff>(); ///< Nodes that finish apart.
};

} // namespace replica

#endif // REPLICA_SEND_PUSH_FILE_HPP
