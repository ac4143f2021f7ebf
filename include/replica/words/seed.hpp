#ifndef REPLICA_WORDS_SEED_HPP
#define REPLICA_WORDS_SEED_HPP

// Where chance begins if nobody says so. Apart from random.hpp, since <random> is 13,000 lines that
// only those who make a replicator or a receiver need.

#include <replica/settings.hpp>

#include <cstdint>
#include <random>
#include <utility>

namespace replica {

/// The settings, with a seed drawn from the machine where theirs is 0. What gets a drawn name (an
/// upload, a file that is being merged) may outlive its process; the next one must not give the
/// same name to another. Throws std::runtime_error if the machine has no source of chance.
[[nodiscard]] inline Settings with_seed(Settings settings) {
    while (settings.seed == 0) {
        std::random_device machine;
        settings.seed = std::uint64_t{machine()} << 32 | machine();
    }
    return settings;
}

} // namespace replica

#endif // REPLICA_WORDS_SEED_HPP
