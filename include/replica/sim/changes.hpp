#ifndef REPLICA_SIM_CHANGES_HPP
#define REPLICA_SIM_CHANGES_HPP

// What was done to the bytes of a simulated file since its last sync, and what a power cut may
// leave of it. A kernel writes sectors back in any order and at any moment: so each sector has, on
// its own, any state that it had since the sync, and a sector that was being written is torn.

#include <replica/words/random.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// The changes of one file, in order. Not thread safe.
class SimChanges {
public:
    static constexpr std::size_t sector = 512;

    /// Makes a change to `bytes` and remembers it. A gap before `at` is filled with zeros.
    void write(std::string& bytes, std::size_t at, std::string_view news) {
        changes_.push_back({at, std::string(news), false});
        changes_.back().apply(bytes);
    }

    /// Gives the file this size; it grows by zeros.
    void resize(std::string& bytes, std::size_t size) {
        changes_.push_back({size, {}, true});
        changes_.back().apply(bytes);
    }

    /// All bytes are replaced. What was done to the old ones can no longer be seen.
    void replace(std::string_view news) {
        changes_.clear();
        changes_.push_back({0, {}, true});
        changes_.push_back({0, std::string(news), false});
    }

    void clear() { changes_.clear(); }
    [[nodiscard]] bool empty() const { return changes_.empty(); }

    /// What is left of a file of which `durable` was synced. Now and then nothing of the changes
    /// is lost, or all of it: a mixture of many sectors would hardly ever be either.
    [[nodiscard]] std::string survivor(const std::string& durable, Random& random) const {
        switch (random.next() % 5) {
        case 0:
            return durable;
        case 1: {
            std::string bytes = durable;
            for (const Change& change : changes_) {
                change.apply(bytes);
            }
            return bytes;
        }
        default:
            return mixture(durable, random);
        }
    }

private:
    struct Change {
        std::size_t at;
        std::string bytes;
        bool resizes; // to `at`

        void apply(std::string& file) const {
            file.resize(size_after(file.size()));
            file.replace(at, bytes.size(), bytes);
        }

        [[nodiscard]] std::size_t size_after(std::size_t size) const {
            return resizes ? at : bytes.empty() ? size : std::max(size, at + bytes.size());
        }

        [[nodiscard]] bool touches(std::size_t begin) const {
            return at < begin + sector && (resizes || begin < at + bytes.size());
        }

        /// The same to one sector, which begins at `begin` of the file.
        void apply_to_sector(std::string& file, std::size_t begin) const {
            const std::size_t from = std::max(at, begin) - begin;
            if (resizes) {
                std::fill(file.begin() + static_cast<std::ptrdiff_t>(from), file.end(), '\0');
                return;
            }
            const std::size_t skipped = begin + from - at;
            const std::size_t count = std::min(sector - from, bytes.size() - skipped);
            file.replace(from, count, bytes, skipped, count);
        }
    };

    [[nodiscard]] std::string mixture(const std::string& durable, Random& random) const {
        std::vector<std::size_t> sizes{durable.size()};
        for (const Change& change : changes_) {
            sizes.push_back(change.size_after(sizes.back()));
        }
        const std::size_t size = sizes[random.next() % sizes.size()];
        std::string bytes = durable;
        bytes.resize((size + sector - 1) / sector * sector);
        for (std::size_t begin = 0; begin < size; begin += sector) {
            bytes.replace(begin, sector, some_state(bytes.substr(begin, sector), begin, random));
        }
        bytes.resize(size);
        return bytes;
    }

    /// A state that the sector had, or one between two of them.
    [[nodiscard]] std::string some_state(std::string state, std::size_t begin,
                                         Random& random) const {
        std::vector<const Change*> touching;
        for (const Change& change : changes_) {
            if (change.touches(begin)) {
                touching.push_back(&change);
            }
        }
        const std::size_t made = random.next() % (touching.size() + 1);
        for (std::size_t at = 0; at < made; ++at) {
            touching[at]->apply_to_sector(state, begin);
        }
        if (made < touching.size() && random.next() % 4 == 0) {
            std::string next = state;
            touching[made]->apply_to_sector(next, begin);
            tear(state, next, random);
        }
        return state;
    }

    /// A disk writes a sector from one of its ends on.
    static void tear(std::string& state, const std::string& next, Random& random) {
        const std::size_t cut = 1 + random.next() % (sector - 1);
        if (random.next() % 2 == 0) {
            state.replace(0, cut, next, 0, cut);
        } else {
            state.replace(cut, sector - cut, next, cut, sector - cut);
        }
    }

    std::vector<Change> changes_;
};

} // namespace replica

#endif // REPLICA_SIM_CHANGES_HPP
