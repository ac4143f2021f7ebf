#ifndef REPLICA_WORDS_MD5_HPP
#define REPLICA_WORDS_MD5_HPP

// MD5 gives a database its place, and its rows their hash. That is Swift's choice, and not a safe
// one. The algorithm is fetched once per process, and each thread keeps a context: to fetch it for
// every call would cost ten times the hash itself (0.13 us for a row of 42 bytes).

#include <openssl/evp.h>

#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace replica {

using Md5Digest = std::array<std::uint8_t, 16>;

/// MD5 of the pieces, one after the other. Throws std::runtime_error if the platform forbids MD5.
/// Thread safety: any thread.
template <std::convertible_to<std::string_view>... Pieces>
[[nodiscard]] Md5Digest md5(const Pieces&... pieces) {
    struct Free {
        void operator()(EVP_MD* md) const { EVP_MD_free(md); }
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    static const std::unique_ptr<EVP_MD, Free> algorithm(EVP_MD_fetch(nullptr, "MD5", nullptr));
    thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
    Md5Digest digest{};
    const auto update = [&](std::string_view piece) {
        return EVP_DigestUpdate(context.get(), piece.data(), piece.size()) == 1;
    };
    if (!algorithm || !context ||
        EVP_DigestInit_ex2(context.get(), algorithm.get(), nullptr) != 1 ||
        !(update(pieces) && ...) ||
        EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) != 1) {
        throw std::runtime_error("MD5 is not available in this OpenSSL");
    }
    return digest;
}

/// Two lower-case hexadecimal digits for each byte.
[[nodiscard]] inline std::string to_hex(std::span<const std::uint8_t> bytes) {
    std::string text;
    text.reserve(2 * bytes.size());
    for (const std::uint8_t byte : bytes) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 0xf];
    }
    return text;
}

} // namespace replica

#endif // REPLICA_WORDS_MD5_HPP
