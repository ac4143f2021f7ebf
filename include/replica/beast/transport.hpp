#ifndef REPLICA_BEAST_TRANSPORT_HPP
#define REPLICA_BEAST_TRANSPORT_HPP

// The transport of a real cluster: REPLICATE over HTTP/1.1 as Swift speaks it. A stock replicator
// opens a connection for each database and peer, has no connect timeout, and waits for a dead node
// until the kernel gives up (defect 41). Here connections are kept per node, and every wait ends at
// the deadline or at a stop.

#include <replica/beast/connection.hpp>
#include <replica/beast/http.hpp>
#include <replica/beast/lookup.hpp>
#include <replica/beast/pool.hpp>
#include <replica/beast/signature.hpp>
#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/transport.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace replica {

namespace http {

/// What all peers of one transport share.
struct Shared {
    /// Nothing is connected yet.
    explicit Shared(BeastOptions given) : options(std::move(given)) {}
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    const BeastOptions options; ///< As they were given.
    Pool pool{options};         ///< Connections that are kept.
    PortMemory ports{options};  ///< Which server listens where.
    Lookup lookup;              ///< Addresses of host names.
};

} // namespace http

/// A device of another node, reached over HTTP. Models Peer (transport.hpp). Belongs to one task.
/// Faults: Error::timed_out, stopped, connect_failed (nothing was sent), connection_lost,
/// bad_reply.
class BeastPeer {
public:
    /// Made by BeastTransport::peer.
    BeastPeer(std::shared_ptr<http::Shared> shared, Device device)
        : shared_(std::move(shared)), device_(std::move(device)) {}

    [[nodiscard]] const Device& device() const { return device_; }

    /// Sends to our own server on the node if there is one, else to the stock server. Before the
    /// first request to the replica port, OPTIONS asks which server listens there. So one request
    /// in `replica_port_memory` needs a second round trip; a node that drops packets costs twice
    /// conn_timeout instead of once. If the connection fails or another server answers, the request
    /// goes to the stock port; one that must not be repeated only if the connection failed. With
    /// replica_port as the ring's port, only a request for our servers alone needs the answer. With
    /// `all_ours` every request goes to the ring's port.
    [[nodiscard]] Result<Reply> send(const Request& request, Instant deadline,
                                     std::stop_token stop) {
        return guarded([&]() -> Result<Reply> {
            const std::uint16_t port = shared_->options.replica_port;
            const bool all_ours = shared_->options.all_ours;
            const bool beside = port != device_.replication_port; // beside a stock server
            if (!all_ours && (beside || request.only_ours) && has_ours(deadline, stop)) {
                auto answer = send_to(port, request, deadline, stop);
                if (answer && is_ours(*answer)) {
                    return std::move(answer->reply);
                }
                if (answer) {
                    answer = fault(where(port), Error::bad_reply, "another server answers there");
                }
                const auto code = answer.error().code;
                const bool unheard = code == make_error_code(Error::connect_failed);
                const bool not_ours = code == make_error_code(Error::bad_reply);
                if (unheard || not_ours) {
                    shared_->ports.note(device_, false);
                } else if (code != make_error_code(Error::stopped)) {
                    shared_->ports.forget(device_);
                }
                if (request.only_ours || (!unheard && !(not_ours && request.repeatable))) {
                    return answer.error();
                }
            }
            if (request.only_ours && !all_ours) {
                return fault(where(device_.replication_port), Error::connect_failed,
                             "no server of ours is known there");
            }
            return reply_of(send_to(device_.replication_port, request, deadline, stop));
        });
    }

    /// Whether our own server is on the node: what is remembered, or what OPTIONS tells.
    [[nodiscard]] bool speaks_ours(Instant deadline, std::stop_token stop) {
        try {
            return shared_->options.all_ours || has_ours(deadline, stop);
        } catch (const std::exception&) { // out of descriptors, threads or memory
            return false;
        }
    }

    /// Gets a page of the node's server, such as "/recon/version".
    [[nodiscard]] Result<Reply> get(std::string_view path, Instant deadline, std::stop_token stop) {
        return guarded([&] {
            const std::uint16_t port = device_.replication_port;
            return reply_of(exchange_with(port, bare("GET", path, port), {}, true, deadline, stop));
        });
    }

private:
    using Endpoint = http::Connection::Endpoint;

    struct Answer {
        Reply reply;
        std::string server; ///< The Server header.
    };

    template <std::invocable Call>
    [[nodiscard]] Result<Reply> guarded(Call call) const {
        try {
            return call();
        } catch (const std::exception& error) { // out of descriptors, threads or memory
            return fault(where(device_.replication_port), Error::connect_failed, error.what());
        }
    }

    [[nodiscard]] static Result<Reply> reply_of(Result<Answer> answer) {
        if (answer.has_error()) {
            return answer.error();
        }
        return std::move(answer->reply);
    }

    [[nodiscard]] bool is_ours(const Answer& answer) const {
        return http::is_server(answer.server, shared_->options.kind_type, device_.replication_port);
    }

    /// The remembered answer, or that of OPTIONS. Our server answers OPTIONS at once; on a busy
    /// node that may take longer than conn_timeout. A program that accepts and never answers is
    /// given up after ten times conn_timeout.
    [[nodiscard]] bool has_ours(Instant deadline, const std::stop_token& stop) {
        if (const auto known = shared_->ports.has_ours(device_)) {
            return *known;
        }
        const auto now = [] { return SystemClock().monotonic(); };
        const std::uint16_t port = shared_->options.replica_port;
        const Instant until = now() + 10 * to_duration(shared_->options.conn_timeout);
        const auto answer = exchange_with(port, bare("OPTIONS", "/", port), {}, true,
                                          std::min(deadline, until), stop);
        const bool ours = answer && is_ours(*answer);
        if (now() < deadline && !stop.stop_requested()) {
            shared_->ports.note(device_, ours);
        }
        return ours;
    }

    [[nodiscard]] std::string where(std::uint16_t port) const {
        return http::authority_of(device_.replication_ip, port);
    }

    [[nodiscard]] Fault fault(const std::string& where, Error error, const std::string& why) const {
        std::string text = where + "/" + device_.device + ": " + make_error_code(error).message();
        return {error, why.empty() ? text : text + ": " + why};
    }

    Result<Answer> send_to(std::uint16_t port, const Request& request, Instant deadline,
                           const std::stop_token& stop) {
        const auto head = [&](const Endpoint& to) {
            return http::request_head(request, where(port), signature_for(request, to));
        };
        return exchange_with(port, head, request.body, request.repeatable, deadline, stop);
    }

    /// The line of a signature. A request that is repeated is signed anew: its receiver may have
    /// seen the first signature, and must take none twice.
    [[nodiscard]] std::string signature_for(const Request& request, const Endpoint& to) const {
        const std::string& secret = shared_->options.secret;
        if (secret.empty()) {
            return {};
        }
        const std::string target = http::target_of(request);
        const auto signature = http::Signature::make(secret, {"REPLICATE", target, to},
                                                     request.body, SystemClock().now());
        return std::string(http::signature_header) + ": " + signature.text() + "\r\n";
    }

    /// A head without a signature or a body, whoever gets it.
    [[nodiscard]] std::function<std::string(const Endpoint&)>
    bare(std::string_view method, std::string_view path, std::uint16_t port) const {
        return
            [head = http::bare_head(method, path, where(port))](const Endpoint&) { return head; };
    }

    /// `head_for` makes the head of a request to an address.
    template <std::invocable<const Endpoint&> Head>
    Result<Answer> exchange_with(std::uint16_t port, const Head& head_for, std::string_view body,
                                 bool repeatable, Instant deadline, const std::stop_token& stop) {
        const BeastOptions& options = shared_->options;
        const std::string there = where(port);
        const auto exchange = [&](http::Connection& connection) {
            return connection.exchange(head_for(connection.remote()), body, options.max_header,
                                       options.max_body, deadline, stop);
        };
        // A request that must not be repeated gets a new connection: a kept one may have died
        // unnoticed. It follows the transfer of a whole file, which costs far more.
        if (auto idle = repeatable ? shared_->pool.take(there) : nullptr) {
            auto reply = exchange(*idle);
            const bool stale = reply.has_error() && reply.error().unanswered &&
                               reply.error().error == Error::connection_lost;
            if (!stale) {
                return finish(there, std::move(idle), std::move(reply));
            }
        }
        auto fresh = std::make_unique<http::Connection>();
        if (auto refused = connect(*fresh, port, deadline, stop); refused.code) {
            return refused;
        }
        auto reply = exchange(*fresh);
        return finish(there, std::move(fresh), std::move(reply));
    }

    /// Returns no code if connected. The addresses of a name share the time equally.
    Fault connect(http::Connection& connection, std::uint16_t port, Instant deadline,
                  const std::stop_token& stop) {
        const auto now = [] { return SystemClock().monotonic(); };
        const Seconds conn_timeout = shared_->options.conn_timeout;
        const Instant until = std::min(deadline, now() + to_duration(conn_timeout));
        boost::system::error_code code;
        if (device_.replication_ip.empty()) {
            return fault(where(port), Error::connect_failed, "the device has no replication_ip");
        }
        auto found = shared_->lookup.find(device_.replication_ip, until, stop);
        if (found.has_error()) {
            code = found.error();
        } else {
            for (auto left = found->size(); left > 0; --left) {
                const auto share = (until - now()) / static_cast<std::int64_t>(left);
                code =
                    connection.connect({(*found)[found->size() - left], port}, now() + share, stop);
                if (!code || stop.stop_requested()) {
                    break;
                }
            }
        }
        if (!code) {
            return {};
        }
        if (code == make_error_code(Error::stopped)) {
            return fault(where(port), Error::stopped, {});
        }
        if (code != make_error_code(Error::timed_out)) {
            return fault(where(port), Error::connect_failed, code.message());
        }
        return now() >= deadline
                   ? fault(where(port), Error::timed_out, "while connecting")
                   : fault(where(port), Error::connect_failed, "no answer within conn_timeout");
    }

    Result<Answer> finish(const std::string& there, std::unique_ptr<http::Connection> connection,
                          boost::system::result<Reply, http::Broken> reply) {
        if (reply.has_error()) {
            return fault(there, reply.error().error, reply.error().why);
        }
        Answer answer{std::move(*reply), connection->server()};
        if (connection->reusable()) {
            shared_->pool.put(there, std::move(connection));
        }
        return answer;
    }

    std::shared_ptr<http::Shared> shared_;
    Device device_;
};

/// A handle on shared connections: copies share them. Models Transport. Thread safety: any thread
/// may call peer(); each peer belongs to one task.
class BeastTransport {
public:
    /// Connects to nobody yet.
    explicit BeastTransport(const BeastOptions& options = {})
        : shared_(std::make_shared<http::Shared>(options)) {}

    [[nodiscard]] BeastPeer peer(const Device& device) const { return {shared_, device}; }

    /// The number of kept connections.
    [[nodiscard]] std::size_t idle_count() const { return shared_->pool.size(); }

private:
    std::shared_ptr<http::Shared> shared_;
};

static_assert(PagePeer<BeastPeer> && KnowingPeer<BeastPeer>);
static_assert(Transport<BeastTransport>);

} // namespace replica

#endif // REPLICA_BEAST_TRANSPORT_HPP
