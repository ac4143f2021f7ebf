#ifndef REPLICA_SIM_TRANSPORT_HPP
#define REPLICA_SIM_TRANSPORT_HPP

// Requests between simulated nodes: send() calls the receiver's handler in the same thread, with a
// copy of the request. Waiting moves the virtual clock. Faults come from the network.

#include <replica/error.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/network.hpp>
#include <replica/transport.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace replica {

/// Models Peer. Thread safety as there.
class SimPeer {
public:
    /// `clock` is the sender's, for deadlines.
    SimPeer(SimNetwork network, SimClock clock, std::string from, Device device)
        : network_(std::move(network)), clock_(std::move(clock)), from_(std::move(from)),
          device_(std::move(device)) {}

    [[nodiscard]] const Device& device() const { return device_; }

    /// If the receiver throws Failure, the connection counts as lost.
    [[nodiscard]] Result<Reply> send(const Request& request, Instant deadline,
                                     std::stop_token stop) {
        if (request.only_ours && !speaks_ours(deadline, stop)) {
            return fault(Error::connect_failed);
        }
        return exchange(SimNetwork::verb_of(request.body), request, deadline, stop);
    }

    /// Takes no time.
    [[nodiscard]] bool speaks_ours(Instant /*deadline*/, const std::stop_token& /*stop*/) const {
        return network_.is_ours(device_.replication_ip, device_.replication_port);
    }

    /// Pages are injected with SimNetwork::answer; the path stands for the verb. Other pages are a
    /// 404.
    [[nodiscard]] Result<Reply> get(std::string_view path, Instant deadline, std::stop_token stop) {
        return exchange(std::string(path), {}, deadline, stop);
    }

private:
    static constexpr Seconds conn_timeout{0.5}; // Swift's default

    [[nodiscard]] Result<Reply> exchange(std::string verb, const Request& request, Instant deadline,
                                         const std::stop_token& stop) {
        SimExchange exchange{from_,
                             SimNetwork::address(device_.replication_ip, device_.replication_port),
                             request.device,
                             std::move(verb),
                             0,
                             Error{}};
        const Request copy = request;
        auto reply = deliver(exchange, copy, deadline, stop);
        if (reply) {
            exchange.status = reply->status;
        } else {
            exchange.error = static_cast<Error>(reply.error().code.value());
        }
        network_.ended(exchange, copy);
        return reply;
    }

    [[nodiscard]] Result<Reply> deliver(const SimExchange& exchange, const Request& request,
                                        Instant deadline, const std::stop_token& stop) {
        if (stop.stop_requested()) {
            return fault(Error::stopped);
        }
        if (clock_.monotonic() >= deadline) {
            return fault(Error::timed_out);
        }
        SimNetwork::Plan plan = network_.plan(exchange);
        if (plan.handler && exchange.verb.starts_with('/')) {
            plan.handler = [](const Request&) { return Reply{404, "text/plain", {}, {}}; };
        }
        if (plan.carrier) {
            return carry(plan, exchange, request, deadline, stop);
        }
        if (plan.down) {
            const Instant until = clock_.monotonic() + to_duration(conn_timeout);
            return wait(std::min(until, deadline), Error::connect_failed, stop);
        }
        if (!plan.handler || plan.fault == SimFault::refuse) {
            return fault(Error::connect_failed);
        }
        if (plan.fault == SimFault::silent) {
            return wait(deadline, Error::timed_out, stop);
        }
        const Instant arrival = clock_.monotonic() + to_duration(plan.latency);
        if (arrival >= deadline) {
            clock_.at(arrival, [network = network_, exchange, request, handler = plan.handler] {
                try {
                    network.arriving(exchange, request);
                    static_cast<void>(handler(request));
                } catch (const Failure&) {
                    return; // nobody is left to tell
                }
            });
            return wait(deadline, Error::timed_out, stop);
        }
        if (!clock_.sleep_until(arrival, stop)) {
            return fault(Error::stopped);
        }
        return arrive(plan, exchange, request, deadline, stop);
    }

    [[nodiscard]] Result<Reply> carry(const SimNetwork::Plan& plan, const SimExchange& exchange,
                                      const Request& request, Instant deadline,
                                      const std::stop_token& stop) {
        try {
            return plan.carrier(exchange, request, plan.handler, deadline, stop);
        } catch (const Failure& failure) {
            return Fault{make_error_code(Error::connection_lost),
                         fault(Error::connection_lost).what + ": " + failure.what()};
        }
    }

    [[nodiscard]] Result<Reply> arrive(const SimNetwork::Plan& plan, const SimExchange& exchange,
                                       const Request& request, Instant deadline,
                                       const std::stop_token& stop) {
        if (plan.reply) {
            return *plan.reply;
        }
        Reply reply;
        const int times = plan.fault == SimFault::duplicate ? 2 : 1;
        try {
            for (int i = 0; i < times; ++i) {
                network_.arriving(exchange, request);
                reply = plan.handler(request);
            }
        } catch (const Failure& failure) {
            return Fault{Error::connection_lost,
                         fault(Error::connection_lost).what + ": " + failure.what()};
        }
        if (plan.fault == SimFault::lose_reply) {
            return fault(Error::connection_lost);
        }
        if (plan.fault == SimFault::late_reply || clock_.monotonic() > deadline) {
            return wait(deadline, Error::timed_out, stop);
        }
        if (reply.status == 204) {
            reply.body.clear(); // HTTP allows none
        }
        return reply;
    }

    [[nodiscard]] Fault wait(Instant until, Error error, const std::stop_token& stop) const {
        return fault(clock_.sleep_until(until, stop) ? error : Error::stopped);
    }

    [[nodiscard]] Fault fault(Error error) const {
        const boost::system::error_code code = make_error_code(error);
        return {code, SimNetwork::address(device_.replication_ip, device_.replication_port) + '/' +
                          device_.device + ": " + code.message()};
    }

    SimNetwork network_;
    SimClock clock_;
    std::string from_;
    Device device_;
};

static_assert(PagePeer<SimPeer> && KnowingPeer<SimPeer>);

/// Models Transport: the sender of one node. `from` names the node in the network's rules.
/// Thread safety: peer() from any thread; each peer belongs to one task.
class SimTransport {
public:
    /// `clock` is that of the node, for deadlines.
    SimTransport(SimNetwork network, SimClock clock, std::string from)
        : network_(std::move(network)), clock_(std::move(clock)), from_(std::move(from)) {}

    [[nodiscard]] SimPeer peer(const Device& device) const {
        return {network_, clock_, from_, device};
    }

private:
    SimNetwork network_;
    SimClock clock_;
    std::string from_;
};

static_assert(Transport<SimTransport>);

} // namespace replica

#endif // REPLICA_SIM_TRANSPORT_HPP
