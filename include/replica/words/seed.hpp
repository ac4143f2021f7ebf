#ifndef REPLICA_WORDS_SEED_HPP
#define REPLICA_WORDS_SEED_HPP

// Draws a seed where the settings have none. A header of its own, since <random> is 13,000 lines
// that only programs with a replicator or a receiver need.

#include <replica/settings.hpp>

#include <cstdint>
#include <random>
#include <utility>

namespace replica {

/// The settings, with a seed drawn from the machine if theirs is 0. A drawn name (of an upload, of
/// a file that is being merged) may outlive its process, and the next process must not give that
/// name to another file (defect 84). Throws std::runtime_error if the machine has no random source.
[[nodiscard]] inline Settings with_seed(Settings settings) {
    while (settings.seed == 0) {
        std::random_device machine;
        settings.seed = std::uint64_t{machine()} << 32 | machine();
    }
    return settings;
}

} // namespace replica

#endif // REPLICA_WORDS_SEED_HPP
