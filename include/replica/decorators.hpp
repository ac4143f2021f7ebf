#ifndef REPLICA_DECORATORS_HPP
#define REPLICA_DECORATORS_HPP

// What can be put around a Transport or a FileSync, since they are policies: a limit of rate,
// faults on purpose, a look at what passes. Each takes a model and is a model of the same concept,
// so they nest, and a replicator that uses none pays for none.
//
// - Paced{transport, clock, 20.0}: at most 20 requests a second, however many peers and workers.
// - Faulty{files, Failing{.at = 3}}: the third transfer fails. For tests of a host program.
// - Traced{transport, callback}: the callback sees each request and its reply.

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/file_sync.hpp>
#include <replica/ring.hpp>
#include <replica/transport.hpp>
#include <replica/words/random.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace replica {

namespace detail {

/// Where a call of a policy goes, for the text of a fault.
[[nodiscard]] inline Fault fault_at(const Device& to, Error error, const char* why) {
    return {make_error_code(error), to.replication_ip + ':' + std::to_string(to.replication_port) +
                                        '/' + to.device + ": " + why};
}

/// A peer whose requests go through `Around`.
template <Peer P, class Around>
class DecoratedPeer {
public:
    DecoratedPeer(P peer, Around around) : peer_(std::move(peer)), around_(std::move(around)) {}

    [[nodiscard]] const Device& device() const { return peer_.device(); }

    [[nodiscard]] Result<Reply> send(const Request& request, Instant deadline,
                                     std::stop_token stop) {
        return around_(device(), request, deadline, stop,
                       [&] { return peer_.send(request, deadline, stop); });
    }

    /// As it is: a page is no part of a conversation about a database.
    [[nodiscard]] Result<Reply> get(std::string_view path, Instant deadline, std::stop_token stop)
        requires PagePeer<P>
    {
        return peer_.get(path, deadline, stop);
    }

private:
    [[no_unique_address]] P peer_;
    [[no_unique_address]] Around around_;
};

/// A Transport or a FileSync (or a class that is both) whose calls go through `Around`, which is
/// called as around(device, request or upload, deadline, stop, call) and gives what call() gave or
/// a fault of its own. Copies of an Around share what they count.
template <class T, class Around>
class Decorated {
public:
    Decorated(T inner, Around around) : inner_(std::move(inner)), around_(std::move(around)) {}

    [[nodiscard]] auto peer(const Device& device)
        requires Transport<T>
    {
        return DecoratedPeer<peer_type_of<T>, Around>(inner_.peer(device), around_);
    }

    template <Source S>
    [[nodiscard]] Result<Sent> send(S& source, const Upload& upload, Instant deadline,
                                    std::stop_token stop)
        requires FileSync<T>
    {
        return around_(upload.target, upload, deadline, stop,
                       [&] { return inner_.send(source, upload, deadline, stop); });
    }

    /// What is inside.
    [[nodiscard]] T& inner() { return inner_; }

private:
    [[no_unique_address]] T inner_;
    [[no_unique_address]] Around around_;
};

/// Calls are let through one by one, 1 / rate seconds apart at least: no bursts, since what a slow
/// peer suffers from is many at once.
template <Clock C>
class Pace {
public:
    Pace(C clock, double rate) : clock_(std::move(clock)), state_(std::make_shared<State>(rate)) {}

    template <class What, std::invocable Call>
    auto operator()(const Device& to, const What& /*what*/, Instant deadline,
                    const std::stop_token& stop, Call call) -> decltype(call()) {
        const Instant turn = state_->next_turn(clock_.monotonic(), deadline);
        if (!clock_.sleep_until(std::min(turn, deadline), stop)) {
            return fault_at(to, Error::stopped, "stopped while it waited for its turn");
        }
        if (turn > deadline) {
            return fault_at(to, Error::timed_out, "its turn did not come in time");
        }
        return call();
    }

private:
    struct State {
        explicit State(double rate)
            : gap(rate > 0 ? to_duration(Seconds(1 / rate)) : Instant::duration(0)) {}

        /// A call that would come too late takes nobody's turn.
        [[nodiscard]] Instant next_turn(Instant now, Instant deadline) {
            const std::scoped_lock guard(mutex);
            const Instant turn = std::max(now, next);
            if (turn <= deadline) {
                next = turn + gap;
            }
            return turn;
        }

        const Instant::duration gap;
        std::mutex mutex;
        Instant next = Instant::min();
    };

    C clock_;
    std::shared_ptr<State> state_;
};

} // namespace detail

/// At most `rate` calls a second by the clock, all copies and peers together; 0 or less is without
/// limit. A call whose turn comes after its deadline is Error::timed_out at the deadline. Thread
/// safety: that of T.
template <class T, Clock C>
    requires Transport<T> || FileSync<T>
class Paced : public detail::Decorated<T, detail::Pace<C>> {
public:
    Paced(T inner, C clock, double rate)
        : detail::Decorated<T, detail::Pace<C>>(std::move(inner), {std::move(clock), rate}) {}
};

/// When Faulty fails. Both may be given.
struct Failing {
    double probability = 0;               ///< Of each call, drawn from `seed`.
    std::uint64_t seed = 1;               ///< The same seed fails the same calls.
    std::uint64_t at = 0;                 ///< The at-th call fails, 1 being the first; 0: none.
    Error error = Error::connection_lost; ///< With this.
    bool after = false;                   ///< The call is made and its result thrown away.
};

namespace detail {

class Fail {
public:
    explicit Fail(const Failing& how) : state_(std::make_shared<State>(how)) {}

    template <class What, std::invocable Call>
    auto operator()(const Device& to, const What& /*what*/, Instant /*deadline*/,
                    const std::stop_token& /*stop*/, Call call) -> decltype(call()) {
        if (!state_->strikes()) {
            return call();
        }
        if (state_->how.after) {
            static_cast<void>(call());
        }
        return fault_at(to, state_->how.error, "failed on purpose");
    }

    [[nodiscard]] std::uint64_t calls() const { return state_->calls; }

private:
    struct State {
        explicit State(const Failing& options) : how(options), random(options.seed) {}

        [[nodiscard]] bool strikes() {
            const bool drawn = random.fraction() < how.probability;
            return ++calls == how.at || drawn;
        }

        const Failing how;
        Random random;
        std::atomic<std::uint64_t> calls{0};
    };

    std::shared_ptr<State> state_;
};

} // namespace detail

/// Fails some calls: the same ones at each run, as long as calls come in the same order. Loop
/// Failing::at from 1 until calls() stays below it, and every point of an operation has failed
/// once. Thread safety: that of T.
template <class T>
    requires Transport<T> || FileSync<T>
class Faulty : public detail::Decorated<T, detail::Fail> {
public:
    Faulty(T inner, const Failing& how) : Faulty(std::move(inner), detail::Fail(how)) {}

    /// Calls so far, of all copies and peers.
    [[nodiscard]] std::uint64_t calls() const { return fail_.calls(); }

private:
    Faulty(T inner, detail::Fail fail)
        : detail::Decorated<T, detail::Fail>(std::move(inner), fail), fail_(std::move(fail)) {}

    detail::Fail fail_;
};

/// Whether `F` can look at what passes through a `T`.
template <class F, class T>
concept TraceOf =
    std::copy_constructible<F> &&
    (!Transport<T> || std::invocable<F&, const Device&, const Request&, const Result<Reply>&>)&&(
        !FileSync<T> || std::invocable<F&, const Device&, const Upload&, const Result<Sent>&>);

namespace detail {

template <class F>
class Trace {
public:
    explicit Trace(F callback) : callback_(std::move(callback)) {}

    template <class What, std::invocable Call>
    auto operator()(const Device& to, const What& what, Instant /*deadline*/,
                    const std::stop_token& /*stop*/, Call call) -> decltype(call()) {
        const auto result = call();
        callback_(to, what, result);
        return result;
    }

private:
    [[no_unique_address]] F callback_;
};

} // namespace detail

/// Calls callback(device, request, result of reply), or callback(device, upload, result of sent),
/// after each call, on the calling thread. The callback is copied into every peer: what it collects
/// belongs behind a reference or pointer. It must not throw.
template <class T, TraceOf<T> F>
    requires Transport<T> || FileSync<T>
class Traced : public detail::Decorated<T, detail::Trace<F>> {
public:
    Traced(T inner, F callback)
        : detail::Decorated<T, detail::Trace<F>>(std::move(inner),
                                                 detail::Trace<F>(std::move(callback))) {}
};

} // namespace replica

#endif // REPLICA_DECORATORS_HPP
