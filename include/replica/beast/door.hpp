#ifndef REPLICA_BEAST_DOOR_HPP
#define REPLICA_BEAST_DOOR_HPP

// Who may have a server do something. A request is judged by its head, before its body is taken in
// and before anything is touched. With the default options everybody is let in, as by a stock
// server.

#include <replica/beast/signature.hpp>
#include <replica/clock.hpp>
#include <replica/transport.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/asio/ip/address.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// What a server asks of those who send to it.
struct DoorOptions {
    /// Each of them makes a good signature. Empty: nobody looks at signatures.
    std::vector<std::string> secrets{};

    /// Refuse requests without a good signature. If not, they are reported and served all the same:
    /// for the time until all nodes sign.
    bool require_secret = true;

    /// Whether an address is one of the ring's. Called for each connection and request, on the I/O
    /// thread, and must not block. Empty: all are.
    std::function<bool(const boost::asio::ip::address&)> is_peer{};

    /// Refuse requests of addresses that are not the ring's, rather than only report them.
    bool refuse_strangers = false;

    /// Called when a request is doubted: `refused`, or else served all the same. Runs on any thread
    /// and must not block. May be empty.
    std::function<void(const std::string& address, http::Doubt why, bool refused)> on_doubt{};
};

namespace http {

/// The same moment by both clocks.
struct Moment {
    Timestamp wall;
    Instant monotonic;
};

/// A request at the door. The texts must live as long as it does.
struct Visit {
    boost::asio::ip::address from;
    Subject subject;
    std::string_view signature; ///< The header; empty: there is none.
};

/// Judges requests. Thread safety: admit() from one thread; the others from any.
class Door {
public:
    /// Signatures from before `opened` are not accepted: see SeenSignatures.
    Door(DoorOptions options, Instant opened) { change(std::move(options), opened); }

    /// Judges by other options from `now` on. What was signed before by a secret that stays still
    /// counts, and only once. By a new secret nothing counts from before: it was not remembered.
    void change(DoorOptions options, Instant now) {
        const std::lock_guard guard(mutex_);
        auto changed = std::make_shared<Asked>(Asked{std::move(options), {}});
        for (const std::string& secret : changed->secrets) {
            Instant since = now;
            for (std::size_t i = 0; asked_ && i < asked_->secrets.size(); ++i) {
                since = asked_->secrets[i] == secret ? asked_->since[i] : since;
            }
            changed->since.push_back(since);
        }
        asked_ = std::move(changed);
    }

    /// True if the address is none of the ring's.
    [[nodiscard]] bool is_stranger(const boost::asio::ip::address& address) const {
        const auto rules = asked();
        return rules->is_peer && !rules->is_peer(plain_address(address));
    }

    /// Lets a request in, or gives the reply that refuses it. If the request is let in for its
    /// signature, `digest` becomes what the body must have; it is empty if any body will do.
    [[nodiscard]] std::optional<Reply> admit(const Visit& visit, const Moment& now,
                                             std::string& digest) {
        digest.clear();
        if (is_stranger(visit.from)) {
            auto refusal = doubt(visit.from, Doubt::stranger, asked()->refuse_strangers);
            if (refusal) {
                return refusal;
            }
        }
        const auto rules = asked();
        if (rules->secrets.empty()) {
            return std::nullopt;
        }
        const auto signature = Signature::parse(visit.signature);
        if (const auto why = judge(visit, signature, *rules, now)) {
            return doubt(visit.from, *why, rules->require_secret);
        }
        digest = signature->digest();
        return std::nullopt;
    }

    /// Lets the body in, or gives the reply that refuses it.
    [[nodiscard]] std::optional<Reply> admit_body(const boost::asio::ip::address& from,
                                                  std::string_view digest,
                                                  std::string_view body) const {
        if (digest.empty() || sha256(body) == digest) {
            return std::nullopt;
        }
        return doubt(from, Doubt::altered, asked()->require_secret);
    }

private:
    struct Asked : DoorOptions {
        std::vector<Instant> since; ///< Since when each of the secrets counts.
    };

    /// They live as long as the caller holds them: change() may come meanwhile.
    [[nodiscard]] std::shared_ptr<const Asked> asked() const {
        const std::lock_guard guard(mutex_);
        return asked_;
    }

    [[nodiscard]] std::optional<Doubt> judge(const Visit& visit,
                                             const std::optional<Signature>& signature,
                                             const Asked& rules, const Moment& now) {
        if (visit.signature.empty()) {
            return Doubt::nameless;
        }
        if (!signature) {
            return Doubt::malformed;
        }
        std::optional<Instant> since;
        for (std::size_t i = 0; i < rules.secrets.size(); ++i) { // all: in the same time
            if (signature->is_by(std::span(&rules.secrets[i], 1), visit.subject)) {
                since = rules.since[i];
            }
        }
        if (!since) {
            return Doubt::wrong;
        }
        // A wall clock that was wrong when the server began, and is right now, must not keep
        // everybody out until that time has come.
        const Timestamp began = now.wall.plus(*since - now.monotonic);
        return seen_.enter(*signature, now.wall, began);
    }

    // The reason goes into the status line, from where a sender of ours takes it into its log.
    [[nodiscard]] std::optional<Reply> doubt(const boost::asio::ip::address& from, Doubt why,
                                             bool refuse) const {
        if (const auto rules = asked(); rules->on_doubt) {
            rules->on_doubt(plain_address(from).to_string(), why, refuse);
        }
        if (!refuse) {
            return std::nullopt;
        }
        const int status = why == Doubt::stranger ? 403 : why == Doubt::crowded ? 503 : 401;
        const std::string reason(text_of(why).sentence);
        return Reply{status, "text/plain", reason, reason};
    }

    mutable std::mutex mutex_;
    std::shared_ptr<const Asked> asked_; ///< Guarded by mutex_.
    SeenSignatures seen_;
};

} // namespace http

} // namespace replica

#endif // REPLICA_BEAST_DOOR_HPP
