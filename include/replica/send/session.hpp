#ifndef REPLICA_SEND_SESSION_HPP
#define REPLICA_SEND_SESSION_HPP

// A PeerSession is the only place where a request goes out, but for the pieces of a file
// (push_file.hpp): here deadlines are set, peers that do not answer are left alone, and the
// watchdog is told how long to wait.

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/send/pass.hpp>
#include <replica/send/refusal.hpp>
#include <replica/send/walk.hpp>
#include <replica/send/workers.hpp>
#include <replica/transport.hpp>
#include <replica/words/info.hpp>
#include <replica/words/message.hpp>

#include <algorithm>
#include <concepts>
#include <string>
#include <utility>

namespace replica {

/// Requests about one database to one peer.
template <AnyPass P>
class PeerSession {
public:
    PeerSession(P& pass, Heartbeat& heartbeat, const Device& device, const Place& found)
        : pass_(pass), heartbeat_(heartbeat), peer_(pass.transport.peer(device)), device_(device),
          request_{device.device, std::to_string(found.partition), found.hash, {}, true} {}

    [[nodiscard]] const Device& device() const { return device_; }

    /// "ip:port" of the peer.
    [[nodiscard]] std::string address() const {
        return device_.replication_ip + ':' + std::to_string(device_.replication_port);
    }

    /// By how much our clock is ahead of the peer's, by its last answer; 0 if it is behind.
    [[nodiscard]] Seconds ahead() const { return ahead_; }

    /// By how much our clock is behind the peer's, by its last answer; 0 if it is ahead.
    [[nodiscard]] Seconds behind() const { return behind_; }

    /// Sends one verb and waits for at most `timeout`. A reply of any status is a result.
    /// `only_ours`: a stock server must not get it.
    [[nodiscard]] Result<Reply> send(std::string body, Seconds timeout, bool repeatable = true,
                                     bool only_ours = false) {
        const std::string held =
            pass_.memory.peers.held(address(), device_.device, pass_.clock.monotonic());
        if (!held.empty()) {
            return Fault{Error::held_back, held + ": left alone after recent failures"};
        }
        request_.body = std::move(body);
        request_.repeatable = repeatable;
        request_.only_ours = only_ours;
        auto reply = within(
            timeout, [&](Instant deadline) { return peer_.send(request_, deadline, pass_.stop); });
        if (reply && reply->date) {
            const Seconds ahead = pass_.compare_clocks(device_, *reply->date);
            ahead_ = std::max(ahead, Seconds(0));
            behind_ = std::max(-ahead, Seconds(0));
        }
        if (reply) {
            pass_.memory.peers.succeeded(address(), device_.device);
        } else if (reply.error().code != Error::stopped) {
            pass_.memory.peers.failed(address(), device_.device, reply.error().code,
                                      pass_.after(pass_.settings.peer_hold));
        }
        return reply;
    }

    /// Like send, but a status other than 2xx is a fault.
    [[nodiscard]] Result<Reply> expect_success(std::string body, Seconds timeout,
                                               bool repeatable = true, bool only_ours = false) {
        auto reply = send(std::move(body), timeout, repeatable, only_ours);
        if (reply && !reply->success()) {
            return fault_of(*reply);
        }
        return reply;
    }

    /// The fault for a status other than 2xx. For a 507 the node may be asked (send/refusal.hpp).
    [[nodiscard]] Fault fault_of(const Reply& reply) {
        const std::string who = address() + '/' + device_.device;
        const auto error = [&] {
            switch (reply.status) {
            case 404:
                return Error::missing;
            case 507:
                return pass_.refusals.find(who + ' ' + reply.reason, [&] {
                    return within(pass_.settings.node_timeout, [&](Instant deadline) {
                        return refusal_of(peer_, reply, deadline, pass_.stop);
                    });
                });
            default:
                return reply.status >= 500 ? Error::peer_failed : Error::peer_refused;
            }
        }();
        const bool told = error != Error::no_space || !reply.reason.empty();
        const std::string why = told ? reply.reason : "and is mounted, so it is full";
        return {error,
                who + " answered " + std::to_string(reply.status) + (why.empty() ? "" : ' ' + why)};
    }

    /// The answer to `sync`; bad_reply if it cannot be read.
    template <std::derived_from<Info> I>
    [[nodiscard]] Result<message::SyncReply<I>> read_info(const Reply& reply) const {
        try {
            return message::decode_reply<I>(reply.body);
        } catch (const Failure& failure) {
            return Fault{Error::bad_reply,
                         address() + '/' + device_.device + ": " + failure.what()};
        }
    }

    /// Whether a server of ours takes the requests. False if nobody can tell.
    [[nodiscard]] bool speaks_ours() {
        if constexpr (KnowingPeer<typename P::peer_type>) {
            return within(pass_.settings.node_timeout, [&](Instant deadline) {
                return peer_.speaks_ours(deadline, pass_.stop);
            });
        } else {
            return false;
        }
    }

private:
    /// Runs call(deadline) and tells the watchdog to wait for it.
    template <std::invocable<Instant> Call>
    auto within(Seconds timeout, Call call) {
        const Instant deadline = pass_.after(timeout);
        heartbeat_.expect(deadline + to_duration(pass_.settings.watchdog));
        auto result = call(deadline);
        heartbeat_.expect(pass_.after(pass_.settings.watchdog));
        return result;
    }

    P& pass_;
    Heartbeat& heartbeat_;
    typename P::peer_type peer_;
    Device device_;
    Request request_;
    Seconds ahead_{0};
    Seconds behind_{0};
};

} // namespace replica

#endif // REPLICA_SEND_SESSION_HPP
