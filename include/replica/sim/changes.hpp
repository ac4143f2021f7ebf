#ifndef REPLICA_SIM_CHANGES_HPP
#define REPLICA_SIM_CHANGES_HPP

// What was done to the bytes of a simulated file since its last sync, and what a power cut may
// leave of it. A kernel writes sectors back in any order and at any moment: so each sector has, on
// its own, any state that it had since the sync, and a sector that was being written is torn.

#include <replica/sim/chooser.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
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

    /// What is left of a file of which `durable` was synced.
    template <SimChooser C>
    [[nodiscard]] std::string survivor(const std::string& durable, C& chooser) const {
        if (const auto kept = chooser.all()) {
            return *kept ? after_all(durable) : durable;
        }
        return mixture(durable, chooser);
    }

    /// The sizes that a file has had since `durable` was synced, in order.
    [[nodiscard]] std::vector<std::size_t> sizes(const std::string& durable) const {
        std::vector<std::size_t> sizes{durable.size()};
        for (const Change& change : changes_) {
            sizes.push_back(change.size_after(sizes.back()));
        }
        return sizes;
    }

    /// The states that the sector which begins at `begin` has had since then, in order. Behind the
    /// end of the file there are zeros.
    [[nodiscard]] std::vector<std::string> states(const std::string& durable,
                                                  std::size_t begin) const {
        std::string state(begin < durable.size() ? durable.substr(begin, sector) : std::string());
        state.resize(sector);
        std::vector<std::string> states{std::move(state)};
        for (const Change& change : changes_) {
            if (change.touches(begin)) {
                states.push_back(states.back());
                change.apply_to_sector(states.back(), begin);
            }
        }
        return states;
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

    [[nodiscard]] std::string after_all(std::string bytes) const {
        for (const Change& change : changes_) {
            change.apply(bytes);
        }
        return bytes;
    }

    template <SimChooser C>
    [[nodiscard]] std::string mixture(const std::string& durable, C& chooser) const {
        const auto sizes = this->sizes(durable);
        const std::size_t size = sizes[chooser.choose(sizes.size())];
        std::string bytes;
        for (std::size_t begin = 0; begin < size; begin += sector) {
            bytes += some_state(states(durable, begin), chooser);
        }
        bytes.resize(size);
        return bytes;
    }

    /// A state that the sector had, or one between two of them.
    template <SimChooser C>
    [[nodiscard]] static std::string some_state(const std::vector<std::string>& states,
                                                C& chooser) {
        const std::size_t made = chooser.choose(states.size());
        std::string state = states[made];
        if (made + 1 < states.size() && chooser.tears()) {
            tear(state, states[made + 1], chooser);
        }
        return state;
    }

    /// A disk writes a sector from one of its ends on.
    template <SimChooser C>
    static void tear(std::string& state, const std::string& next, C& chooser) {
        const std::size_t cut = 1 + chooser.choose(sector - 1);
        if (chooser.choose(2) == 0) {
            state.replace(0, cut, next, 0, cut);
        } else {
            state.replace(cut, sector - cut, next, cut, sector - cut);
        }
    }

    std::vector<Change> changes_;
};

} // namespace replica

#endif // REPLICA_SIM_CHANGES_HPP
