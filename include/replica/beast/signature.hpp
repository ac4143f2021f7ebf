#ifndef REPLICA_BEAST_SIGNATURE_HPP
#define REPLICA_BEAST_SIGNATURE_HPP

// A receiver does what any request says. Where the network cannot be trusted, nodes that share a
// secret sign what they send: an HMAC over verb, path, receiver, date, nonce and the body's digest.
// The digest travels along, so a receiver can judge the head alone and need not take in the body of
// somebody who does not know the secret. A stock server ignores the header.

#include <replica/error.hpp>
#include <replica/words/md5.hpp>
#include <replica/words/sha256.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace replica::http {

/// The header of a signature: "<date> <nonce> <digest of the body> <code>".
inline constexpr std::string_view signature_header = "X-Replica-Signature";

/// How far the date of a signature may be from the receiver's clock, either way.
inline constexpr Seconds signature_window{300};

/// Why a request is doubted, in the order in which it is looked at.
enum class Doubt {
    stranger,  ///< Its address is none of the ring's.
    nameless,  ///< It has no signature.
    malformed, ///< The header has another form.
    wrong,     ///< Not by a secret of ours, or not for this verb, path and receiver.
    untimely,  ///< From outside of the window, or from before the receiver began.
    replayed,  ///< It was here before.
    crowded,   ///< As many signatures as can be remembered are in the window.
    altered,   ///< The body is another one.
};

/// The word for a metric, and what a log and the sender are told.
struct DoubtText {
    std::string_view word;
    std::string_view sentence;
};

[[nodiscard]] constexpr DoubtText text_of(Doubt doubt) {
    switch (doubt) {
    case Doubt::stranger:
        return {"stranger", "no device of the ring has this address"};
    case Doubt::nameless:
        return {"unsigned", "the request is not signed"};
    case Doubt::malformed:
        return {"malformed", "the signature cannot be read"};
    case Doubt::wrong:
        return {"wrong", "the signature is not by a secret of this node, or not for this request"};
    case Doubt::untimely:
        return {"untimely", "the date is over 300 s from this clock, or from before this server"};
    case Doubt::replayed:
        return {"replayed", "the signature was here before"};
    case Doubt::crowded:
        return {"crowded", "too many signatures in 300 s to remember"};
    default:
        return {"altered", "the body is not the one that was signed"};
    }
}

/// The address as another node would write it: an IPv4 address that came by way of IPv6 is IPv4,
/// and an interface of this machine ("%eth0") means nothing elsewhere.
[[nodiscard]] inline boost::asio::ip::address plain_address(const boost::asio::ip::address& given) {
    if (!given.is_v6()) {
        return given;
    }
    auto v6 = given.to_v6();
    if (v6.is_v4_mapped()) {
        return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6);
    }
    v6.scope_id(0);
    return v6;
}

/// What a signature is about.
struct Subject {
    std::string_view verb;   ///< "REPLICATE".
    std::string_view target; ///< As it stands in the request's first line.

    /// The receiver's end of the connection. A request for one node is none for another.
    boost::asio::ip::tcp::endpoint receiver;
};

/// A signature. Its parts are kept as text, exactly as they are signed.
class Signature {
public:
    static constexpr std::size_t nonce_size = 32;
    static constexpr std::size_t digest_size = 64;
    using Nonce = std::array<char, nonce_size>;

    /// Signs with the secret. Throws Failure with io if OpenSSL fails.
    [[nodiscard]] static Signature make(const std::string& secret, const Subject& subject,
                                        std::string_view body, Timestamp now) {
        // Not from the seed of the settings: a daemon with a fixed one would repeat its nonces.
        std::array<std::uint8_t, nonce_size / 2> nonce{};
        if (RAND_bytes(nonce.data(), static_cast<int>(nonce.size())) != 1) {
            throw Failure(Error::io, "OpenSSL has no random bytes");
        }
        Signature made;
        made.date_ = Timestamp{now.ticks, 0};
        std::ranges::copy(to_hex(nonce), made.nonce_.begin());
        made.digest_ = sha256(body);
        made.code_ = made.code_by(secret, subject);
        return made;
    }

    /// Reads text(); empty for any other text.
    [[nodiscard]] static std::optional<Signature> parse(std::string_view text) {
        constexpr std::size_t date_size = 16;
        constexpr std::size_t size = date_size + nonce_size + 2 * digest_size + 3;
        const auto is_hex = [](std::string_view digits) {
            return digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
        };
        if (text.size() != size) {
            return std::nullopt;
        }
        Signature read;
        const std::string_view date = text.substr(0, date_size);
        const std::string_view nonce = text.substr(date_size + 1, nonce_size);
        read.digest_ = text.substr(date_size + nonce_size + 2, digest_size);
        read.code_ = text.substr(size - digest_size);
        read.date_ = Timestamp::parse(date).value_or(Timestamp{});
        std::ranges::copy(nonce, read.nonce_.begin());
        if (!is_hex(nonce) || !is_hex(read.digest_) || !is_hex(read.code_) || read.text() != text) {
            return std::nullopt;
        }
        return read;
    }

    /// The value of the header.
    [[nodiscard]] std::string text() const { return signed_part() + ' ' + code_; }

    /// Whether one of the secrets made it for this subject. Takes the same time wherever a code
    /// differs.
    [[nodiscard]] bool is_by(std::span<const std::string> secrets, const Subject& subject) const {
        bool found = false;
        for (const std::string& secret : secrets) {
            const std::string code = code_by(secret, subject);
            found |= code.size() == code_.size() &&
                     CRYPTO_memcmp(code.data(), code_.data(), code.size()) == 0;
        }
        return found;
    }

    [[nodiscard]] Timestamp date() const { return date_; }
    [[nodiscard]] const Nonce& nonce() const { return nonce_; }

    /// sha256() of the body.
    [[nodiscard]] const std::string& digest() const { return digest_; }

private:
    Signature() = default;

    [[nodiscard]] std::string signed_part() const {
        return date_.normal() + ' ' + std::string(nonce_.begin(), nonce_.end()) + ' ' + digest_;
    }

    // No part can contain the line ends between them. The first line is for a later form.
    [[nodiscard]] std::string code_by(const std::string& secret, const Subject& subject) const {
        std::string text = "replica 1\n";
        text.append(subject.verb).append("\n").append(subject.target).append("\n");
        text += plain_address(subject.receiver.address()).to_string() + ' ';
        text += std::to_string(subject.receiver.port()) + '\n' + signed_part();
        std::array<std::uint8_t, 32> code{};
        unsigned size = 0;
        const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text.data());
        if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes, text.size(),
                 code.data(), &size) == nullptr) {
            throw Failure(Error::io, "HMAC is not available in this OpenSSL");
        }
        return to_hex(code);
    }

    Timestamp date_;
    Nonce nonce_{};
    std::string digest_;
    std::string code_;
};

/// Remembers signatures as long as their date is in the window, so that none is accepted twice.
/// Only those that were found to be right may be entered: else anybody could fill the memory. It
/// belongs to one thread.
///
/// A restart forgets all, so a date from before it is too old. What remains is a sender whose clock
/// is ahead: a request that it signed just before the restart has a date from after it, and may
/// come again for as long as that date is in the window. A wall clock that jumps ahead and back
/// brings nothing back: what was forgotten stays too old. One that is set back before anything was
/// forgotten after a restart makes room for what was signed before it (doc/operations.md).
class SeenSignatures {
public:
    /// Half a million, 40 MB: 870 requests a second whose dates are as far ahead as they may be,
    /// 1700 with the right date.
    static constexpr std::size_t most_default = std::size_t{1} << 19;

    explicit SeenSignatures(std::size_t most = most_default) : most_(most) {}

    /// Remembers the signature, or says why it is refused. `began`: when this memory did, by the
    /// wall clock as it is now. Above the bound a signature is refused rather than accepted
    /// unremembered, for then it could come again.
    [[nodiscard]] std::optional<Doubt> enter(const Signature& signature, Timestamp now,
                                             Timestamp began) {
        forget(now.plus(-signature_window));
        const Timestamp date = signature.date();
        if (date <= began || date <= oldest_ || date < now.plus(-signature_window) ||
            date > now.plus(signature_window)) {
            return Doubt::untimely;
        }
        const Key key{date.ticks, signature.nonce()};
        if (seen_.contains(key)) {
            return Doubt::replayed;
        }
        if (seen_.size() >= most_) {
            return Doubt::crowded;
        }
        seen_.insert(key);
        return std::nullopt;
    }

    [[nodiscard]] std::size_t size() const { return seen_.size(); }

private:
    struct Key {
        std::int64_t ticks;
        Signature::Nonce nonce;

        friend auto operator<=>(const Key&, const Key&) = default;
    };

    void forget(Timestamp before) {
        while (!seen_.empty() && seen_.begin()->ticks < before.ticks) {
            oldest_ = std::max(oldest_, Timestamp{seen_.begin()->ticks, 0});
            seen_.erase(seen_.begin());
        }
    }

    std::size_t most_;
    Timestamp oldest_{}; // a date up to this is too old, whatever the clock says
    std::set<Key> seen_;
};

} // namespace replica::http

#endif // REPLICA_BEAST_SIGNATURE_HPP
