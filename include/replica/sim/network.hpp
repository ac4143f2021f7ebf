#ifndef REPLICA_SIM_NETWORK_HPP
#define REPLICA_SIM_NETWORK_HPP

// The network between simulated nodes: who listens where, which links fail and how, and a log of
// requests. A rule may name a sender, a receiver and a verb, so that a test can lose exactly one
// reply of a long exchange.

#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/transport.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// Faults of a request.
enum class SimFault {
    refuse,     ///< Nobody listens: connect_failed at once.
    silent,     ///< The request is lost: timed_out at the deadline.
    lose_reply, ///< The request is served, then the connection breaks: connection_lost.
    late_reply, ///< The request is served, but no reply comes: timed_out at the deadline.
    duplicate,  ///< The request is served twice, and the second reply comes back.
};

/// The requests that a rule applies to. An empty field matches any.
struct SimLink {
    std::string from{}; ///< The name that the sender's transport was made with.
    std::string to{};   ///< "ip:port" of the receiver.
    std::string verb{}; ///< "sync", "merge_items"...
};

/// A sent request and its result.
struct SimExchange {
    std::string from;      ///< The name that the sender's transport was made with.
    std::string to;        ///< "ip:port" of the receiver.
    std::string device;    ///< As in Request.
    std::string verb;      ///< The first string of the body.
    int status = 0;        ///< 0: no reply.
    Error error = Error{}; ///< Why there was no reply.

    friend bool operator==(const SimExchange&, const SimExchange&) = default;
};

/// Copies are the same network. Thread safety: any thread; handlers and hooks are called without a
/// lock.
class SimNetwork {
public:
    /// A server: RpcServer::handle, for instance. May throw Failure: the connection is lost.
    using Handler = std::function<Reply(const Request&)>;
    /// Called with the exchange as far as it has come.
    using Hook = std::function<void(const SimExchange&, const Request&)>;

    /// "ip:port", the name of a receiver in rules and exchanges.
    [[nodiscard]] static std::string address(const std::string& ip, std::uint16_t port) {
        return ip + ':' + std::to_string(port);
    }

    /// The first string of a body, which is its verb; empty if there is none.
    [[nodiscard]] static std::string verb_of(const std::string& body) {
        const std::size_t open = body.find('"');
        const std::size_t close = open == std::string::npos ? open : body.find('"', open + 1);
        return close == std::string::npos ? "" : body.substr(open + 1, close - open - 1);
    }

    /// Requests to ip:port go to `handler` from now on; an empty handler stops listening.
    void serve(const std::string& ip, std::uint16_t port, Handler handler) const {
        const std::scoped_lock guard(state_->mutex);
        state_->handlers[address(ip, port)] = std::move(handler);
    }

    /// Who asks is told that a server of ours is at ip:port; before that, that it is a stock one.
    void serves_ours(const std::string& ip, std::uint16_t port) const {
        const std::scoped_lock guard(state_->mutex);
        state_->ours.insert(address(ip, port));
    }

    /// The opposite of serves_ours().
    void serves_stock(const std::string& ip, std::uint16_t port) const {
        const std::scoped_lock guard(state_->mutex);
        state_->ours.erase(address(ip, port));
    }

    /// Whether serves_ours() was called for ip:port.
    [[nodiscard]] bool is_ours(const std::string& ip, std::uint16_t port) const {
        const std::scoped_lock guard(state_->mutex);
        return state_->ours.contains(address(ip, port));
    }

    /// Switches a node off: connections are not even refused, so a sender waits for its
    /// conn_timeout.
    void down(const std::string& ip, std::uint16_t port) const {
        const std::scoped_lock guard(state_->mutex);
        state_->down.insert(address(ip, port));
    }

    /// Switches a node on again.
    void up(const std::string& ip, std::uint16_t port) const {
        const std::scoped_lock guard(state_->mutex);
        state_->down.erase(address(ip, port));
    }

    /// The next `times` requests on the link have the fault; 0: for ever.
    void fail(const SimLink& link, SimFault fault, int times = 1) const {
        add({link, fault, std::nullopt, times});
    }

    /// The next `times` requests on the link get this reply and do not reach the receiver.
    void answer(const SimLink& link, Reply reply, int times = 1) const {
        add({link, std::nullopt, std::move(reply), times});
    }

    /// Adds latency to requests on the link. A request that arrives after its deadline is served
    /// all the same, after the sender has given up.
    void delay(const SimLink& link, Seconds latency) const {
        const std::scoped_lock guard(state_->mutex);
        state_->delays.emplace_back(link, latency);
    }

    /// Ends all faults, injected replies and delays. Nodes that are off stay off.
    void heal() const {
        const std::scoped_lock guard(state_->mutex);
        state_->rules.clear();
        state_->delays.clear();
    }

    /// Carries each request from now on, with all that may happen to it on the way: no rule, delay
    /// or hook applies, and nodes that are off are the carrier's affair. `handler` is empty where
    /// nobody listens. May throw Failure: the connection counts as lost.
    using Carrier =
        std::function<Result<Reply>(const SimExchange&, const Request&, const Handler& handler,
                                    Instant deadline, const std::stop_token&)>;
    /// An empty carrier: the network does it itself again.
    void carry(Carrier carrier) const {
        const std::scoped_lock guard(state_->mutex);
        state_->carrier = std::move(carrier);
    }

    /// Calls `hook` before a request reaches its receiver; not for requests that do not.
    void before(Hook hook) const {
        const std::scoped_lock guard(state_->mutex);
        state_->before = std::move(hook);
    }

    /// Calls `hook` after each exchange, also after failed ones, before the sender goes on.
    void after(Hook hook) const {
        const std::scoped_lock guard(state_->mutex);
        state_->after = std::move(hook);
    }

    /// All ended exchanges, in the order in which they ended.
    [[nodiscard]] std::vector<SimExchange> log() const {
        const std::scoped_lock guard(state_->mutex);
        return state_->log;
    }

    /// Forgets all exchanges.
    void clear_log() const {
        const std::scoped_lock guard(state_->mutex);
        state_->log.clear();
    }

private:
    friend class SimPeer;

    struct Rule {
        SimLink link;
        std::optional<SimFault> fault;
        std::optional<Reply> reply;
        int times; // 0: for ever
    };

    /// The rule, latency and handler for one request.
    struct Plan {
        bool down = false;
        std::optional<SimFault> fault;
        std::optional<Reply> reply;
        Seconds latency{0};
        Handler handler;
        Carrier carrier;
    };

    struct State {
        std::mutex mutex;
        std::map<std::string, Handler> handlers; // ordered, so that runs are repeatable
        std::set<std::string> down;
        std::set<std::string> ours;
        std::vector<Rule> rules;
        std::vector<std::pair<SimLink, Seconds>> delays;
        Carrier carrier;
        Hook before;
        Hook after;
        std::vector<SimExchange> log;
    };

    void add(Rule rule) const {
        const std::scoped_lock guard(state_->mutex);
        state_->rules.push_back(std::move(rule));
    }

    [[nodiscard]] static bool matches(const SimLink& link, const SimExchange& exchange) {
        const auto fits = [](const std::string& rule, const std::string& is) {
            return rule.empty() || rule == is;
        };
        return fits(link.from, exchange.from) && fits(link.to, exchange.to) &&
               fits(link.verb, exchange.verb);
    }

    /// Uses the first rule that matches, once.
    [[nodiscard]] Plan plan(const SimExchange& exchange) const {
        const std::scoped_lock guard(state_->mutex);
        Plan plan;
        plan.down = state_->down.contains(exchange.to);
        for (const auto& [link, latency] : state_->delays) {
            plan.latency += matches(link, exchange) ? latency : Seconds{0};
        }
        const auto handler = state_->handlers.find(exchange.to);
        if (handler != state_->handlers.end()) {
            plan.handler = handler->second;
        }
        plan.carrier = state_->carrier;
        const auto rule = std::ranges::find_if(
            state_->rules, [&](const Rule& each) { return matches(each.link, exchange); });
        if (rule != state_->rules.end()) {
            plan.fault = rule->fault;
            plan.reply = rule->reply;
            if (rule->times > 0 && --rule->times == 0) {
                state_->rules.erase(rule);
            }
        }
        return plan;
    }

    void arriving(const SimExchange& exchange, const Request& request) const {
        call(&State::before, exchange, request);
    }

    void ended(const SimExchange& exchange, const Request& request) const {
        {
            const std::scoped_lock guard(state_->mutex);
            state_->log.push_back(exchange);
        }
        call(&State::after, exchange, request);
    }

    void call(Hook State::*which, const SimExchange& exchange, const Request& request) const {
        Hook hook;
        {
            const std::scoped_lock guard(state_->mutex);
            hook = (*state_).*which;
        }
        if (hook) {
            hook(exchange, request);
        }
    }

    std::shared_ptr<State> state_ = std::make_shared<State>();
};

} // namespace replica

#endif // REPLICA_SIM_NETWORK_HPP
