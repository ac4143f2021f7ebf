#ifndef REPLICA_WORDS_HASH_KEY_HPP
#define REPLICA_WORDS_HASH_KEY_HPP

// The hash of a database in half the bytes of its text, for tables with a row for each database.

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace replica {

/// 32 hexadecimal digits.
struct HashKey {
    std::uint64_t high = 0; ///< The first 16 digits.
    std::uint64_t low = 0;

    /// `hash` must be one (is_hash).
    [[nodiscard]] static HashKey of(std::string_view hash) {
        HashKey key;
        const char* const middle = hash.data() + hash.size() / 2;
        std::from_chars(hash.data(), middle, key.high, 16);
        std::from_chars(middle, hash.data() + hash.size(), key.low, 16);
        return key;
    }

    /// The digits, without a string on the heap.
    [[nodiscard]] std::array<char, 32> digits() const {
        constexpr std::size_t half = 16;
        std::array<char, 2 * half> text{};
        for (std::size_t i = 0; i < half; ++i) {
            text[i] = digit(high, half - 1 - i);
            text[half + i] = digit(low, half - 1 - i);
        }
        return text;
    }

    [[nodiscard]] std::string hash() const {
        const auto text = digits();
        return {text.data(), text.size()};
    }

    friend bool operator==(const HashKey&, const HashKey&) = default;

    /// The digits of an MD5 are as good as random.
    struct Hasher {
        [[nodiscard]] std::size_t operator()(const HashKey& key) const noexcept { return key.low; }
    };

private:
    [[nodiscard]] static char digit(std::uint64_t digits, std::size_t from_the_right) {
        return "0123456789abcdef"[digits >> (4 * from_the_right) & 0xfU];
    }
};

} // namespace replica

#endif // REPLICA_WORDS_HASH_KEY_HPP
