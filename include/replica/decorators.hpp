#ifndef REPLICA_DECORATORS_HPP
#define REPLICA_DECORATORS_HPP

// Decorators of a Transport or a FileSync: a limit of rate, faults on purpose, a look at what
// passes. Each takes a model and is a model of the same concept, so decorators nest, and a
// replicator that uses none pays for none.
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
#include <replica/words/turns.hpp>

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

/// A fault whose text names the device that was called.
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

    /// Not decorated: a page is no request about a database.
    [[nodiscard]] Result<Reply> get(std::string_view path, Instant deadline, std::stop_token stop)
        requires PagePeer<P>
    {
        return peer_.get(path, deadline, stop);
    }

    /// Not decorated either.
    [[nodiscard]] bool speaks_ours(Instant deadline, std::stop_token stop)
        requires KnowingPeer<P>
    {
        return peer_.speaks_ours(deadline, stop);
    }

private:
    [[no_unique_address]] P peer_;
    [[no_unique_address]] Around around_;
};

/// A Transport or a FileSync (or both in one class) whose calls go through `Around`. An Around is
/// called as around(device, request or upload, deadline, stop, call), and returns what call()
/// returned or a fault of its own. Copies of an Around share their counters.
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

    /// The decorated model.
    [[nodiscard]] T& inner() { return inner_; }

private:
    [[no_unique_address]] T inner_;
    [[no_unique_address]] Around around_;
};

/// Lets calls through one by one, at least 1 / rate seconds apart. No bursts: many calls at once
/// are what a slow peer suffers from.
template <Clock C>
class Pace {
public:
    Pace(C clock, double rate) : clock_(std::move(clock)), turns_(std::make_shared<Turns>(rate)) {}

    template <class What, std::invocable Call>
    auto operator()(const Device& to, const What& /*what*/, Instant deadline,
                    const std::stop_token& stop, Call call) -> decltype(call()) {
        const Instant turn = turns_->next(clock_.monotonic(), deadline);
        if (!clock_.sleep_until(std::min(turn, deadline), stop)) {
            return fault_at(to, Error::stopped, "stopped while it waited for its turn");
        }
        if (turn > deadline) {
            return fault_at(to, Error::timed_out, "its turn did not come in time");
        }
        return call();
    }

private:
    C clock_;
    std::shared_ptr<Turns> turns_;
};

} // namespace detail

/// At most `rate` calls a second by the clock, over all copies and peers; 0 or less means no limit.
/// A call whose turn comes after its deadline fails with Error::timed_out at the deadline. Thread
/// safety: that of T.
template <class T, Clock C>
    requires Transport<T> || FileSync<T>
class Paced : public detail::Decorated<T, detail::Pace<C>> {
public:
    /// `rate` is in calls a second.
    Paced(T inner, C clock, double rate)
        : detail::Decorated<T, detail::Pace<C>>(std::move(inner), {std::move(clock), rate}) {}
};

/// When Faulty fails. Both may be given.
struct Failing {
    double probability = 0;               ///< Of each call, drawn from `seed`.
    std::uint64_t seed = 1;               ///< The same seed fails the same calls.
    std::uint64_t at = 0;                 ///< The at-th call fails, 1 being the first; 0: none.
    Error error = Error::connection_lost; ///< The error of the fault.
    bool after = false;                   ///< The call is made, and its result dropped.
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

/// Fails some calls: the same ones at each run, as long as calls come in the same order. To fail
/// every call of an operation once, repeat it with Failing::at = 1, 2, ... until calls() stays
/// below at. Thread safety: that of T.
template <class T>
    requires Transport<T> || FileSync<T>
class Faulty : public detail::Decorated<T, detail::Fail> {
public:
    /// Counts calls from now on.
    Faulty(T inner, const Failing& how) : Faulty(std::move(inner), detail::Fail(how)) {}

    /// Calls so far, over all copies and peers.
    [[nodiscard]] std::uint64_t calls() const { return fail_.calls(); }

private:
    Faulty(T inner, detail::Fail fail)
        : detail::Decorated<T, detail::Fail>(std::move(inner), fail), fail_(std::move(fail)) {}

    detail::Fail fail_;
};

/// Whether `F` can be the callback of a Traced<T>, which calls it on the thread of each call.
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

/// Calls callback(device, request, result of reply) or callback(device, upload, result of sent)
/// after each call, on the calling thread. The callback is copied into every peer, so what it
/// collects must be behind a reference or pointer. The callback must not throw.
template <class T, TraceOf<T> F>
    requires Transport<T> || FileSync<T>
class Traced : public detail::Decorated<T, detail::Trace<F>> {
public:
    /// Calls `callback` after each call of `inner`.
    Traced(T inner, F callback)
        : detail::Decorated<T, detail::Trace<F>>(std::move(inner),
                                                 detail::Trace<F>(std::move(callback))) {}
};

} // namespace replica

#endif // REPLICA_DECORATORS_HPP
