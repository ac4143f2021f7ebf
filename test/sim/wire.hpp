#ifndef REPLICA_TEST_SIM_WIRE_HPP
#define REPLICA_TEST_SIM_WIRE_HPP

// The network of a simulated world. A request runs on a fiber of the program that serves it, while
// its sender waits: so it may arrive late, twice or after its sender has given up, and either side
// may die meanwhile.

#include "config.hpp"
#include "fibers.hpp"
#include "witness.hpp"
#include <replica/error.hpp>
#include <replica/sim/network.hpp>
#include <replica/transport.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>

namespace replica::test {

class Wire {
public:
    Wire(const Config& config, std::uint64_t seed, SimClock clock, Fibers& fibers, Marks& marks)
        : config_(config), random_(seed), clock_(std::move(clock)), fibers_(fibers), marks_(marks) {
    }

    void listen(const std::string& address, Fibers::Owner owner) {
        owners_[address] = std::move(owner);
    }
    void silence(const Fibers::Owner& owner) {
        std::erase_if(owners_, [&](const auto& each) { return each.second == owner; });
    }

    /// Nothing reaches or leaves the node with this address for now; empty: all are reached.
    void isolate(std::string ip) { isolated_ = std::move(ip); }

    /// Nothing goes wrong any more.
    void heal() {
        healthy_ = true;
        isolated_.clear();
    }

    /// SimNetwork::Carrier.
    [[nodiscard]] Result<Reply> carry(const SimExchange& exchange, const Request& request,
                                      const SimNetwork::Handler& handler, Instant deadline,
                                      const std::stop_token& stop) {
        fibers_.point(exchange.verb);
        const auto owner = owners_.find(exchange.to);
        if (owner == owners_.end()) {
            return fault(Error::connect_failed, exchange);
        }
        const bool cut_off = !isolated_.empty() && (exchange.from == isolated_ ||
                                                    exchange.to.starts_with(isolated_ + ':'));
        if (cut_off) {
            clock_.sleep_until(std::min(deadline, in(Seconds(0.5))), stop);
            return fault(Error::connect_failed, exchange);
        }
        auto flight = std::make_shared<Flight>();
        if (!happens(config_.lose, "request lost")) {
            send(owner->second, request, handler, flight);
            if (happens(config_.repeat, "request repeated")) {
                send(owner->second, request, handler, std::make_shared<Flight>());
            }
        }
        if (!fibers_.await(flight->arrived, deadline)) {
            marks_("gave up waiting");
            return fault(stop.stop_requested() ? Error::stopped : Error::timed_out, exchange);
        }
        if (!flight->reply || happens(config_.cut, "answer cut")) {
            return fault(Error::connection_lost, exchange);
        }
        if (happens(config_.mute, "answer lost")) {
            clock_.sleep_until(deadline, stop);
            return fault(Error::timed_out, exchange);
        }
        if (flight->reply->status == 204) {
            flight->reply->body.clear(); // HTTP allows none
        }
        return *flight->reply;
    }

private:
    struct Flight {
        bool arrived = false;
        std::optional<Reply> reply; ///< None: the connection broke.
    };

    void send(const Fibers::Owner& owner, const Request& request,
              const SimNetwork::Handler& handler, const std::shared_ptr<Flight>& flight) {
        const bool late = happens(config_.delay, "request delayed");
        const Seconds delay(late ? 20 * random_.fraction() * random_.fraction() : 0.0);
        fibers_.spawn(owner, [this, request, handler, flight, delay] {
            try {
                if (delay > Seconds(0)) {
                    clock_.advance(delay);
                }
                fibers_.point("arrives");
                flight->reply = handler(request);
                fibers_.point("answers"); // a program that has died has not answered
            } catch (const Failure&) {
                flight->reply.reset();
            }
            flight->arrived = true;
        });
    }

    [[nodiscard]] Instant in(Seconds time) const { return clock_.monotonic() + to_duration(time); }

    [[nodiscard]] bool happens(std::int64_t in_1000, const char* mark) {
        if (healthy_ || static_cast<std::int64_t>(random_.next() % 1000) >= in_1000) {
            return false;
        }
        marks_(mark);
        return true;
    }

    [[nodiscard]] static Fault fault(Error error, const SimExchange& exchange) {
        const boost::system::error_code code = make_error_code(error);
        return {code, exchange.to + '/' + exchange.device + ": " + code.message()};
    }

    const Config& config_;
    Random random_;
    SimClock clock_;
    Fibers& fibers_;
    Marks& marks_;
    std::map<std::string, Fibers::Owner> owners_;
    std::string isolated_;
    bool healthy_ = false;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_WIRE_HPP
