#ifndef REPLICA_SQLITE_ROW_SET_HPP
#define REPLICA_SQLITE_ROW_SET_HPP

// Tells whether an index has exactly the rows of its table. SQLite's integrity_check looks up each
// row in the index, which takes as long as ten scans. Here table and index are read once, each in
// its own order, and a sum over hashes of the entries is compared. The key of the hash is random,
// so nobody can make a file of other entries with the same sum.

#include <sqlite3.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace replica::sqlite {

/// SipHash-2-4 of its input: first whole words, then one text, which ends it.
class SipHash {
public:
    using Key = std::array<std::uint64_t, 2>;

    explicit SipHash(const Key& key)
        : a_(key[0] ^ 0x736f6d6570736575U), b_(key[1] ^ 0x646f72616e646f6dU),
          c_(key[0] ^ 0x6c7967656e657261U), d_(key[1] ^ 0x7465646279746573U) {}

    void put(std::uint64_t word) {
        d_ ^= word;
        mix(2);
        a_ ^= word;
        size_ += sizeof word;
    }

    [[nodiscard]] std::uint64_t finish(std::string_view text) {
        std::uint64_t word = 0;
        for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
            std::memcpy(&word, text.data(), sizeof word);
            put(word);
        }
        word = 0;
        if (!text.empty()) {
            std::memcpy(&word, text.data(), text.size());
        }
        put(word | (size_ + text.size()) << 56);
        c_ ^= 0xff;
        mix(4);
        return a_ ^ b_ ^ c_ ^ d_;
    }

private:
    void mix(int rounds) {
        for (int round = 0; round < rounds; ++round) {
            a_ += b_;
            c_ += d_;
            b_ = std::rotl(b_, 13) ^ a_;
            d_ = std::rotl(d_, 16) ^ c_;
            a_ = std::rotl(a_, 32) + d_;
            c_ += b_;
            d_ = std::rotl(d_, 21) ^ a_;
            b_ = std::rotl(b_, 17) ^ c_;
            c_ = std::rotl(c_, 32);
        }
    }

    std::uint64_t a_;
    std::uint64_t b_;
    std::uint64_t c_;
    std::uint64_t d_;
    std::uint64_t size_ = 0; ///< Bytes of input so far.
};

/// The sum of entries that were added and not removed, in any order. A value; not thread safe.
class RowSet {
public:
    RowSet() { sqlite3_randomness(sizeof key_, key_.data()); }

    void add(std::int64_t rowid, std::int64_t deleted, std::string_view name) {
        sum_ += hash(rowid, deleted, name);
    }
    void remove(std::int64_t rowid, std::int64_t deleted, std::string_view name) {
        sum_ -= hash(rowid, deleted, name);
    }

    /// False also if more was removed than added.
    [[nodiscard]] bool empty() const { return sum_ == 0; }

private:
    [[nodiscard]] std::uint64_t hash(std::int64_t rowid, std::int64_t deleted,
                                     std::string_view name) const {
        SipHash hash(key_);
        hash.put(static_cast<std::uint64_t>(rowid));
        hash.put(static_cast<std::uint64_t>(deleted));
        return hash.finish(name);
    }

    SipHash::Key key_{};
    std::uint64_t sum_ = 0;
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_ROW_SET_HPP
