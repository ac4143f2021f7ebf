#ifndef REPLICA_WORDS_RANDOM_HPP
#define REPLICA_WORDS_RANDOM_HPP

// The one source of randomness, seeded from the settings, so that a pass that went wrong can be run
// again. The algorithms are written out: the standard's distributions differ between libraries.

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// splitmix64: every state gives a different number. Thread safety: any thread.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    [[nodiscard]] std::uint64_t next() {
        std::uint64_t z = state_.fetch_add(0x9e3779b97f4a7c15U) + 0x9e3779b97f4a7c15U;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }

    /// At least 0 and less than 1.
    [[nodiscard]] double fraction() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

    /// 16 hexadecimal digits. Another process draws other names only from another seed.
    [[nodiscard]] std::string name() {
        std::uint64_t number = next();
        std::string text(16, '0');
        for (char& c : text) {
            c = "0123456789abcdef"[number & 0xfU];
            number >>= 4;
        }
        return text;
    }

    /// Shuffles; each order is equally likely. Sort first: a directory's own order varies.
    template <class T>
    void shuffle(std::vector<T>& values) {
        for (std::size_t left = values.size(); left > 1; --left) {
            std::swap(values[left - 1], values[next() % left]);
        }
    }

private:
    std::atomic<std::uint64_t> state_;
};

} // namespace replica

#endif // REPLICA_WORDS_RANDOM_HPP
