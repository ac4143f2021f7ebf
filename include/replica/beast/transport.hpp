#ifndef REPLICA_BEAST_TRANSPORT_HPP
#define REPLICA_BEAST_TRANSPORT_HPP

// The transport of a real cluster: REPLICATE over HTTP/1.1 as Swift speaks it. A stock replicator
// opens a connection for each database and peer, has no timeout to connect and waits for a dead
// node as long as the kernel likes (defect 41). Here connections are kept per node, and every wait
// ends at the deadline or at a stop.

#include <replica/beast/connection.hpp>
#include <replica/beast/http.hpp>
#include <replica/beast/lookup.hpp>
#include <replica/beast/pool.hpp>
#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/transport.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

namespace replica {

namespace http {

/// What all peers of one transport share.
struct Shared {
    explicit Shared(const BeastOptions& given) : options(given) {}
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    const BeastOptions options;
    Pool pool{options};
    PortMemory ports{options};
    Lookup lookup;
};

} // namespace http

/// A device of another node, reached over HTTP. See Peer for what send promises; the faults are
/// Error::timed_out, stopped, connect_failed (nothing was sent), connection_lost and bad_reply.
class BeastPeer {
public:
    BeastPeer(std::shared_ptr<http::Shared> shared, Device device)
        : shared_(std::move(shared)), device_(std::move(device)) {}

    [[nodiscard]] const Device& device() const { return device_; }

    /// Sends to the node's replica port or to its replication port. Where the former turns out to
    /// be no server of ours before it can have done anything (no connection, or 405), the request
    /// goes on to the latter at once, whether it may be repeated or not.
    [[nodiscard]] Result<Reply> send(const Request& request, Instant deadline,
                                     std::stop_token stop) {
        try {
            if (shared_->ports.worth_trying(device_)) {
                auto reply = send_to(shared_->options.replica_port, request, deadline, stop);
                const auto code =
                    reply.has_error() ? reply.error().code : boost::system::error_code();
                const bool untouched = code == make_error_code(Error::connect_failed) ||
                                       (!code && reply->status == 405);
                if (untouched || code == make_error_code(Error::bad_reply)) {
                    shared_->ports.note_absent(device_);
                }
                if (!untouched) {
                    return reply;
                }
            }
            return send_to(device_.replication_port, request, deadline, stop);
        } catch (const std::exception& error) { // out of descriptors, threads or memory
            return fault(where(device_.replication_port), Error::connect_failed, error.what());
        }
    }

private:
    [[nodiscard]] std::string where(std::uint16_t port) const {
        return http::authority_of(device_.replication_ip, port);
    }

    [[nodiscard]] Fault fault(const std::string& where, Error error, const std::string& why) const {
        std::string text = where + "/" + device_.device + ": " + make_error_code(error).message();
        return {error, why.empty() ? text : text + ": " + why};
    }

    Result<Reply> send_to(std::uint16_t port, const Request& request, Instant deadline,
                          const std::stop_token& stop) {
        const BeastOptions& options = shared_->options;
        const std::string there = where(port);
        const std::string head = http::request_head(request, there);
        const auto exchange = [&](http::Connection& connection) {
            return connection.exchange(head, request.body, options.max_header, options.max_body,
                                       deadline, stop);
        };
        // What must not be repeated never goes over a connection that may have died unnoticed; it
        // follows the transfer of a whole file, beside which a new connection costs nothing.
        if (auto idle = request.repeatable ? shared_->pool.take(there) : nullptr) {
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

    /// No code if connected. A name with several addresses gives each of them its share of the
    /// time.
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

    Result<Reply> finish(const std::string& there, std::unique_ptr<http::Connection> connection,
                         boost::system::result<Reply, http::Broken> reply) {
        if (reply.has_error()) {
            return fault(there, reply.error().error, reply.error().why);
        }
        if (connection->reusable()) {
            shared_->pool.put(there, std::move(connection));
        }
        return std::move(*reply);
    }

    std::shared_ptr<http::Shared> shared_;
    Device device_;
};

/// A handle on shared connections: copies share them. Model of Transport.
/// Thread safety: any thread may call peer(); each peer belongs to one task.
class BeastTransport {
public:
    explicit BeastTransport(const BeastOptions& options = {})
        : shared_(std::make_shared<http::Shared>(options)) {}

    [[nodiscard]] BeastPeer peer(const Device& device) const { return {shared_, device}; }

    /// How many connections are kept for later.
    [[nodiscard]] std::size_t idle_count() const { return shared_->pool.size(); }

private:
    std::shared_ptr<http::Shared> shared_;
};

static_assert(Peer<BeastPeer>);
static_assert(Transport<BeastTransport>);

} // namespace replica

#endif // REPLICA_BEAST_TRANSPORT_HPP
