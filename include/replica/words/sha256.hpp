#ifndef REPLICA_WORDS_SHA256_HPP
#define REPLICA_WORDS_SHA256_HPP

// SHA-256 of what is sent between servers of ours: of signed bodies, and of whole files.

#include <replica/error.hpp>
#include <replica/words/md5.hpp>

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace replica {

/// A digest of bytes that come one after the other. Throws Failure with io if OpenSSL fails. Not
/// thread safe.
class Sha256 {
public:
    Sha256() : context_(EVP_MD_CTX_new()) {
        require(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
    }

    void add(std::string_view bytes) {
        require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
    }

    /// 64 hexadecimal digits. The last call.
    [[nodiscard]] std::string text() {
        std::array<std::uint8_t, 32> digest{};
        require(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
        return to_hex(digest);
    }

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };

    static void require(bool done) {
        if (!done) {
            throw Failure(Error::io, "SHA-256 is not available in this OpenSSL");
        }
    }

    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

/// The digest of one text: 64 hexadecimal digits.
[[nodiscard]] inline std::string sha256(std::string_view text) {
    Sha256 digest;
    digest.add(text);
    return digest.text();
}

} // namespace replica

#endif // REPLICA_WORDS_SHA256_HPP
