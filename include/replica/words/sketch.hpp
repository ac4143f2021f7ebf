#ifndef REPLICA_WORDS_SKETCH_HPP
#define REPLICA_WORDS_SKETCH_HPP

// Two nodes find out which of a million numbers only one of them has, and exchange little more than
// those. A sketch sums a set up in some cells; the difference of two sketches is the sketch of what
// is in one set only, and a few hundred numbers can be read from it if it has enough cells: 1.4 for
// each, and some more where there are few. Equal sets need one cell, whatever their size.
//
// These are rateless invertible Bloom look-up tables (Yang, Gilad, Alizadeh, SIGCOMM 2024): number
// n goes to cell 0 and to ever rarer ones after it, so that the first cells of a large sketch are a
// small sketch. A number that nobody chooses can be read wrongly once in 2^32 times. Whoever uses
// the result must be able to live with that.

#include <replica/words/mix.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace replica {

/// A set of 64-bit numbers, each of which must look random. Belongs to one task.
class Sketch {
public:
    struct Cell {
        std::uint64_t sum = 0;   ///< XOR of the numbers.
        std::uint32_t check = 0; ///< XOR of a digest of each.
        std::int32_t count = 0;

        friend bool operator==(const Cell&, const Cell&) = default;
    };

    explicit Sketch(std::size_t cells) : cells_(cells) {}
    explicit Sketch(std::vector<Cell> cells) : cells_(std::move(cells)) {}

    [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }

    /// Adds a number that is not in the set.
    void add(std::uint64_t number) {
        change(number, 1, [](std::size_t) {});
    }

    /// Removes a number that is in the set.
    void remove(std::uint64_t number) {
        change(number, -1, [](std::size_t) {});
    }

    /// What only one of two sets has.
    struct Difference {
        std::vector<std::uint64_t> here;
        std::vector<std::uint64_t> there;
    };

    /// Compares two sketches of as many cells; nothing if the sets differ in too much for them.
    [[nodiscard]] static std::optional<Difference> between(Sketch here, const Sketch& there) {
        if (here.cells_.size() != there.cells_.size()) {
            return std::nullopt;
        }
        auto& cells = here.cells_;
        std::vector<std::size_t> single;
        for (std::size_t at = 0; at < cells.size(); ++at) {
            cells[at].sum ^= there.cells_[at].sum;
            cells[at].check ^= there.cells_[at].check;
            cells[at].count = wrapped(cells[at].count, there.cells_[at].count, -1);
            single.push_back(at);
        }
        Difference found;
        while (!single.empty()) {
            const Cell cell = cells[single.back()];
            single.pop_back();
            if (!is_single(cell)) {
                continue;
            }
            auto& side = cell.count > 0 ? found.here : found.there;
            side.push_back(cell.sum);
            if (found.here.size() + found.there.size() > cells.size()) {
                return std::nullopt; // cells that nobody has summed up
            }
            here.change(cell.sum, -cell.count, [&](std::size_t at) { single.push_back(at); });
        }
        const bool all =
            std::ranges::all_of(cells, [](const Cell& left) { return left == Cell(); });
        return all ? std::optional(std::move(found)) : std::nullopt;
    }

private:
    [[nodiscard]] static constexpr std::uint32_t check_of(std::uint64_t number) {
        return static_cast<std::uint32_t>(mixed(number ^ 0x736b65746368U) >> 32U);
    }

    [[nodiscard]] static bool is_single(const Cell& cell) {
        return (cell.count == 1 || cell.count == -1) && cell.check == check_of(cell.sum);
    }

    /// a + sign * b. Whatever another node has sent must not overflow.
    [[nodiscard]] static constexpr std::int32_t wrapped(std::int32_t a, std::int32_t b, int sign) {
        const auto step = static_cast<std::uint32_t>(b) * static_cast<std::uint32_t>(sign);
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + step);
    }

    static constexpr double two_to_32 = 4294967296.0;

    // What the compiler makes of the conversion and of std::ceil takes a quarter more time.

    /// The nearest double.
    [[nodiscard]] static constexpr double real(std::uint64_t number) {
        return static_cast<double>(static_cast<std::int64_t>(number >> 32U)) * two_to_32 +
               static_cast<double>(static_cast<std::int64_t>(number & 0xffffffffU));
    }

    /// `number` is at least 0, and at most some 10^15.
    [[nodiscard]] static constexpr std::uint64_t rounded_up(double number) {
        const auto whole = static_cast<std::int64_t>(number);
        return static_cast<std::uint64_t>(whole + (static_cast<double>(whole) < number ? 1 : 0));
    }

    /// Adds a number so often to each of its cells, and calls changed(cell).
    template <class Changed>
    void change(std::uint64_t number, int times, Changed changed) {
        const std::uint32_t check = check_of(number);
        std::uint64_t random = mixed(number) | 1U;
        for (std::uint64_t at = 0; at < cells_.size();) {
            Cell& cell = cells_[at];
            cell.sum ^= number;
            cell.check ^= check;
            cell.count = wrapped(cell.count, times, 1);
            changed(static_cast<std::size_t>(at));
            // Cell i has a number with probability 1 / (1 + i / 2).
            random *= 0xda942042e4dd58b5U;
            const double step =
                (static_cast<double>(at) + 1.5) * (two_to_32 / std::sqrt(real(random) + 1) - 1);
            at += std::max<std::uint64_t>(1, rounded_up(step));
        }
    }

    std::vector<Cell> cells_;
};

} // namespace replica

#endif // REPLICA_WORDS_SKETCH_HPP
